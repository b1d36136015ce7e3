//! The way that works.

use super::*;
use chung::crypto::{jwt, keyring::Purpose};

#[tokio::test]
async fn a_citizen_signs_in_and_the_portal_learns_what_was_agreed() {
    let scene = Scene::set().await;
    let citizen = scene.world.stranger();
    let consent = scene.to_consent(&citizen).await.expect(200);
    let text = consent.text();
    for shown in ["Cổng dịch vụ công Thành phố", "nộp hồ sơ", "Nguyễn Thị Hòa", "Nghị định 118/2025/NĐ-CP"]
    {
        assert!(text.contains(shown), "{shown} in {text}");
    }
    assert!(
        !text.contains(HOA) && !text.contains("checked"),
        "the number is masked, nothing is ticked: {text}"
    );
    let answer = scene.consent(&citizen, &consent, "allow", &["phone_number"]).await;
    assert_eq!(value(&answer, "state"), "s-1");
    assert_eq!(value(&answer, "iss"), scene.world.app.origin.as_str());
    let tokens = scene.exchange(&value(&answer, "code"), &[]).await.expect(200).json();
    assert_eq!(tokens["token_type"], "Bearer");
    let id_token = tokens["id_token"].as_str().unwrap();
    let keys = scene.world.app.keys.published(Purpose::Token);
    let said: Value = jwt::verify(id_token, "JWT", keys).unwrap();
    assert_eq!((&said["nonce"], &said["acr"]), (&"n-1".into(), &"urn:chung:acr:low".into()));
    assert_eq!(said["aud"], scene.portal.id);
    let portal = scene.world.stranger().with_bearer(tokens["access_token"].as_str().unwrap());
    let told = portal.get("/oidc/userinfo").await.expect(200).json();
    assert_eq!(told["sub"], said["sub"]);
    assert_eq!((&told["name"], &told["personal_number"]), (&"Nguyễn Thị Hòa".into(), &HOA.into()));
    assert_eq!(told["phone_number"], HOA_PHONE);
    assert!(told.get("birthdate").is_none(), "the policy does not list it");
}

#[tokio::test]
async fn what_was_not_ticked_is_not_told() {
    let scene = Scene::set().await;
    let citizen = scene.world.stranger();
    let page = scene.to_consent(&citizen).await;
    let code = value(&scene.consent(&citizen, &page, "allow", &[]).await, "code");
    let tokens = scene.exchange(&code, &[]).await.expect(200).json();
    let portal = scene.world.stranger().with_bearer(tokens["access_token"].as_str().unwrap());
    let told = portal.get("/oidc/userinfo").await.expect(200).json();
    assert!(told.get("phone_number").is_none() && told.get("name").is_some(), "{told}");
}

#[tokio::test]
async fn a_session_serves_the_next_portal_under_another_name() {
    let scene = Scene::set().await;
    let citizen = scene.world.stranger();
    let first = scene.signed_in(&citizen).await;
    let one = claims(scene.exchange(&first, &[]).await.json()["id_token"].as_str().unwrap());
    let other = portal(&scene.world, "land", Assurance::Low).await;
    let scene = Scene { world: scene.world, portal: other };
    let page = follow(&citizen, &scene.request(&[])).await.expect(200);
    assert!(
        page.text().contains("Nguyễn Thị Hòa"),
        "straight to the consent, which says whose session it is"
    );
    let code = value(&scene.consent(&citizen, &page, "allow", &[]).await, "code");
    let two = claims(scene.exchange(&code, &[]).await.json()["id_token"].as_str().unwrap());
    assert_ne!(one["sub"], two["sub"]);
    assert_eq!(one["sid"], two["sid"]);
    assert_eq!(one["auth_time"], two["auth_time"]);
}

#[tokio::test]
async fn a_citizen_may_refuse_and_the_portal_is_told() {
    let scene = Scene::set().await;
    let citizen = scene.world.stranger();
    let page = scene.to_consent(&citizen).await;
    let answer = scene.consent(&citizen, &page, "refuse", &[]).await;
    assert_eq!((value(&answer, "error"), value(&answer, "state")), ("access_denied".into(), "s-1".into()));
    let leaves = async |kind: &str| scene.world.count(&format!("audit_leaf where kind = '{kind}'")).await;
    assert_eq!((leaves("consent.refused").await, leaves("consent.given").await), (1, 0));
    let early = scene.world.stranger();
    let page = follow(&early, &scene.request(&[])).await;
    let token = page.form_field("form_token");
    let path = format!("{}/refuse", sign_in_of(&page));
    let answer = told(&early.post_form(&path, &[("form_token", &token)]).await.expect(303).location());
    assert_eq!(value(&answer, "error"), "access_denied");
}

#[tokio::test]
async fn signing_out_ends_the_session_and_its_tokens() {
    let scene = Scene::set().await;
    let citizen = scene.world.stranger();
    let code = scene.signed_in(&citizen).await;
    let tokens = scene.exchange(&code, &[]).await.json();
    let portal = scene.world.stranger().with_bearer(tokens["access_token"].as_str().unwrap());
    portal.get("/oidc/userinfo").await.expect(200);
    let hint = tokens["id_token"].as_str().unwrap();
    let bye = "https://portal.example/bye";
    let path = format!("/oidc/logout?id_token_hint={hint}&post_logout_redirect_uri={bye}&state=x");
    assert_eq!(citizen.get(&path).await.expect(303).location(), format!("{bye}?state=x"));
    assert_eq!(portal.get("/oidc/userinfo").await.expect(401).json()["error"], "invalid_token");
    let page = follow(&citizen, &scene.request(&[])).await.expect(200);
    assert!(page.text().contains("name=\"number\""), "the number is asked again");
    let elsewhere = citizen.get("/oidc/logout?post_logout_redirect_uri=https://evil.example").await;
    elsewhere.expect(200);
}

#[tokio::test]
async fn a_system_gets_a_token_for_the_api_and_only_for_it() {
    let scene = Scene::set().await;
    let form = [("grant_type", "client_credentials"), ("scope", "bill.read")];
    let answer = scene.portal.token(&scene.world, &form).await.expect(200).json();
    let token = answer["access_token"].as_str().unwrap();
    let said = claims(token);
    assert_eq!(said["aud"], scene.world.at("/v1"));
    assert_eq!(
        (&answer["scope"], &said["client_id"]),
        (&"bill.read".into(), &scene.portal.id.as_str().into())
    );
    let system = scene.world.stranger().with_bearer(token);
    system.get("/oidc/userinfo").await.expect(401);
    let greedy = [("grant_type", "client_credentials"), ("scope", "refund")];
    let refused = scene.portal.token(&scene.world, &greedy).await.expect(400).json();
    assert_eq!(refused["error"], "invalid_scope");
}

#[tokio::test]
async fn discovery_names_endpoints_that_answer() {
    let scene = Scene::set().await;
    let stranger = scene.world.stranger();
    let document = stranger.get("/.well-known/openid-configuration").await.expect(200).json();
    assert_eq!(document["issuer"], scene.world.app.origin.as_str());
    assert_eq!(document["code_challenge_methods_supported"], serde_json::json!(["S256"]));
    let jwks = stranger.get(document["jwks_uri"].as_str().unwrap()).await.expect(200).json();
    assert_eq!(jwks["keys"][0]["alg"], "ES256");
    assert!(jwks["keys"][0].get("d").is_none());
}
