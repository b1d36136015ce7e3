//! Keys change under a running service, and no request fails for it.

use super::keyed::Keyed;
use super::*;
use chung::base::clock::Clock;
use chung::crypto::{jwt, keyring::KeyRing, keyring::Purpose, signing::Signer};
use chung::identity::profile::{IdTokenAlgorithm, Terms};
use std::time::Duration;

const RSA: &str = include_str!("../../data/rsa.pem");

fn pkcs8() -> Vec<u8> {
    use base64::prelude::BASE64_STANDARD;
    let body: String = RSA.lines().filter(|line| !line.starts_with("-----")).collect();
    BASE64_STANDARD.decode(body).unwrap()
}

async fn kids(world: &TestApp) -> Vec<String> {
    let set = world.stranger().get("/oidc/jwks").await.expect(200).json();
    set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_key_is_rotated_with_overlap_and_no_request_fails() {
    let scene = Scene::set().await;
    let world = &scene.world;
    let citizen = world.stranger();
    let code = scene.signed_in(&citizen).await;
    let before = scene.exchange(&code, &[]).await.expect(200).json();
    let old = kids(world).await;
    let ahead = time::Duration::minutes(10);
    let text = world.app.keys.to_toml();
    let rotated =
        KeyRing::rotated(&text, Purpose::Token, world.clock.now(), ahead, Some(time::Duration::DAY)).unwrap();
    assert!(world.app.keys.adopt(&rotated, world.clock.now()).unwrap());
    // Published at once, signing later: whoever fetched the keys in between knows the new one in time.
    assert_eq!(kids(world).await.len(), 2);
    assert_eq!(world.app.keys.signing(Purpose::Token).kid(), old[0]);
    let form = [("grant_type", "client_credentials"), ("scope", "bill.read")];
    let kid_of = |token: &str| {
        let header = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
        serde_json::from_slice::<Value>(&header).unwrap()["kid"].as_str().unwrap().to_owned()
    };
    let portal = world.stranger().with_bearer(before["access_token"].as_str().unwrap());
    let mut seen = Vec::new();
    for minute in 0..9 {
        if minute == 5 {
            world.later(Duration::from_secs(5 * 60));
            world.app.keys.turn(world.clock.now());
        }
        let token = scene.portal.token(world, &form).await.expect(200).json();
        let token = token["access_token"].as_str().unwrap().to_owned();
        world.stranger().with_bearer(token.as_str()).get("/v1/bills").await.expect(200);
        seen.push(kid_of(&token));
        if minute < 5 {
            portal.get("/oidc/userinfo").await.expect(200);
            world.later(Duration::from_secs(60));
        }
    }
    assert_eq!(seen[0], old[0]);
    assert_ne!(seen[8], old[0], "another key signs now");
    // What the old key signed is still good: as a token to its end, as a hint for a day.
    assert!(kids(world).await.contains(&old[0]));
    let bye = format!(
        "/oidc/logout?id_token_hint={}&post_logout_redirect_uri=https://portal.example/bye",
        before["id_token"].as_str().unwrap()
    );
    assert_eq!(citizen.get(&bye).await.expect(303).location(), "https://portal.example/bye");
}

#[tokio::test]
async fn rs256_is_offered_only_where_an_rsa_key_was_imported() {
    let scene = Scene::set().await;
    let world = &scene.world;
    let offered = async || {
        let document = world.stranger().get("/.well-known/openid-configuration").await.expect(200).json();
        document["id_token_signing_alg_values_supported"].clone()
    };
    assert_eq!(offered().await, serde_json::json!(["ES256"]));
    let terms = || Terms { id_token_alg: IdTokenAlgorithm::Rs256, ..Terms::basic() };
    let new =
        new_portal(world, "old", Assurance::Low, [CALLBACK, "https://portal.example/bye"], None, terms())
            .await;
    assert!(register_client(&world.app, &new).await.is_err(), "there is no such key");
    let with = KeyRing::with_rsa(&world.app.keys.to_toml(), &pkcs8()).unwrap();
    assert!(world.app.keys.adopt(&with, world.clock.now()).unwrap());
    assert_eq!(offered().await, serde_json::json!(["ES256", "RS256"]));
    let registered = register_client(&world.app, &new).await.unwrap();
    let portal =
        Portal { id: registered.client.to_string(), secret: registered.secret.unwrap().expose().to_owned() };
    let scene = Scene { portal, world: scene.world };
    let citizen = scene.world.stranger();
    let code = scene.signed_in(&citizen).await;
    let tokens = scene.exchange(&code, &[]).await.expect(200).json();
    let id_token = tokens["id_token"].as_str().unwrap();
    let key = scene.world.app.keys.rsa().unwrap();
    let said: Value = jwt::verify_rs256(id_token, "JWT", key).unwrap();
    assert_eq!(said["nonce"], "n-1");
    let keys = scene.world.app.keys.published(Purpose::Token);
    assert!(jwt::verify::<Value>(id_token, "JWT", keys).is_err(), "a key signs by one algorithm");
    // The access token is ours to check, and stays what it was.
    assert!(jwt::verify::<Value>(tokens["access_token"].as_str().unwrap(), "at+jwt", keys).is_ok());
    let set = scene.world.stranger().get("/oidc/jwks").await.expect(200).json();
    assert!(
        set["keys"].as_array().unwrap().iter().any(|key| key["alg"] == "RS256" && key.get("d").is_none())
    );
    // It serves as a hint too.
    let bye =
        format!("/oidc/logout?id_token_hint={id_token}&post_logout_redirect_uri=https://portal.example/bye");
    assert_eq!(citizen.get(&bye).await.expect(303).location(), "https://portal.example/bye");
    // A portal that signs its own assertions with that algorithm is not believed.
    let _ = Keyed::register(&scene.world, "land", Terms::default()).await;
}
