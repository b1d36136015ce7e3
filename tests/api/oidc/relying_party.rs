//! The demo portal, which shares nothing with the service but HTTP.

use super::*;
use chung::base::entropy::SystemEntropy;
use chung::crypto::signing::{Signer, SigningKey};
use chung::sandbox::portal::{Credentials, Portal as DemoPortal, PortalSettings, router};
use chung::sandbox::strict::StrictClient;
use std::sync::Arc;

#[tokio::test]
async fn the_demo_portal_signs_a_citizen_in_and_out() {
    let scene = Scene::set().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let callback = format!("{origin}/portal/callback");
    let back = format!("{origin}/portal");
    let portal = portal_at(&scene.world, "demo", Assurance::Low, &callback, &back).await;
    let key = Arc::new(SigningKey::generate());
    let jwks = serde_json::json!({ "keys": [key.verifying_key().jwk(key.kid())] }).to_string();
    let strict_uris = [format!("{origin}/strict/callback"), format!("{origin}/strict")];
    let strict_uris = [strict_uris[0].as_str(), strict_uris[1].as_str()];
    let new =
        new_portal(&scene.world, "strict", Assurance::Low, strict_uris, Some(jwks), Terms::default()).await;
    let strict = register_client(&scene.world.app, &new).await.unwrap();
    let credentials = || Credentials { id: portal.id.clone(), secret: portal.secret.clone() };
    let settings = PortalSettings {
        issuer: scene.world.app.origin.as_str().to_owned(),
        origin: origin.clone(),
        client: credentials(),
        agency: credentials(),
        procedure: "2.000488".into(),
        fees: vec!["LLTP-01".into()],
        dossier_prefix: "H29.14".into(),
        strict: Some(StrictClient { id: strict.client.to_string(), key: key.clone() }),
    };
    let demo = DemoPortal::new(settings, scene.world.clock.clone(), Arc::new(SystemEntropy::new())).unwrap();
    let mut serving = tokio::task::JoinSet::new();
    serving.spawn(async move { axum::serve(listener, router(demo)).await.unwrap() });

    let citizen = scene.world.stranger();
    let start = citizen.get(&format!("{origin}/portal/sign-in")).await.expect(303).location();
    let page = follow(&citizen, &start).await;
    let page = scene.number(&citizen, &page, HOA).await;
    let text = scene.world.last_text(HOA_PHONE).await.unwrap();
    let page = scene.code(&citizen, &page, &text[..6]).await;
    let form = [("form_token", page.form_field("form_token")), ("answer", "allow".to_owned())];
    let form: Vec<(&str, &str)> = form.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let answer = citizen.post_form(&action(&page, "/consent/"), &form).await.expect(303).location();
    assert!(answer.starts_with(&callback), "{answer}");
    let foreign = answer.replace("state=", "state=x");
    assert!(citizen.get(&foreign).await.expect(200).text().contains("không thuộc"));
    assert_eq!(citizen.get(&answer).await.expect(303).location(), "/portal");
    let front = citizen.get(&back).await.expect(200).text();
    assert!(front.contains("Nguyễn Thị Hòa") && front.contains(HOA), "{front}");
    // The same citizen at the portal of the profile fapi2, under the session that is there.
    let start = citizen.get(&format!("{origin}/strict/sign-in")).await.expect(303).location();
    assert!(start.contains("request_uri=") && !start.contains("code_challenge"), "{start}");
    let page = follow(&citizen, &start).await.expect(200);
    let form = [("form_token", page.form_field("form_token")), ("answer", "allow".to_owned())];
    let form: Vec<(&str, &str)> = form.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let answer = citizen.post_form(&action(&page, "/consent/"), &form).await.expect(303).location();
    assert_eq!(citizen.get(&answer).await.expect(303).location(), "/strict");
    let front = citizen.get(strict_uris[1]).await.expect(200).text();
    assert!(front.contains("Nguyễn Thị Hòa"), "{front}");
    let out = citizen.get(&format!("{origin}/portal/sign-out")).await.expect(303).location();
    assert_eq!(citizen.get(&out).await.expect(303).location(), back);
    assert!(!citizen.get(&back).await.expect(200).text().contains(HOA));
}
