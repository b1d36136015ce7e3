//! Refresh tokens, introspection, revocation and resources: each for whom it is meant, and for nobody else.

use super::keyed::Keyed;
use super::*;
use chung::crypto::{jwt, keyring::Purpose};
use chung::flow::register_client::set_client_active;
use chung::identity::profile::Terms;
use std::time::Duration;

/// A scene with a portal of the profile `basic` that may ask for refresh tokens and serves a resource.
async fn lasting() -> Scene {
    let scene = Scene::set().await;
    let terms = Terms {
        offline: true,
        resources: vec!["https://records.example/api".parse().unwrap()],
        ..Terms::basic()
    };
    let registered = registered_with(&scene.world, "lasting", None, terms).await;
    let secret = registered.secret.unwrap().expose().to_owned();
    Scene { portal: Portal { id: registered.client.to_string(), secret }, world: scene.world }
}

impl Scene {
    /// Signs the citizen in with these changes to the request, and gives back the tokens.
    async fn tokens(&self, citizen: &Actor, changes: &[(&str, Option<&str>)]) -> Value {
        let mut page = follow(citizen, &self.request(changes)).await.expect(200);
        if page.text().contains("name=\"number\"") {
            page = self.number(citizen, &page, HOA).await;
            let text = self.world.last_text(HOA_PHONE).await.unwrap();
            page = self.code(citizen, &page, &text[..6]).await;
        }
        let code = value(&self.consent(citizen, &page, "allow", &[]).await, "code");
        self.exchange(&code, &[]).await.expect(200).json()
    }

    async fn refresh(&self, token: &str, more: &[(&str, &str)]) -> Answer {
        let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", token)];
        form.extend(more);
        self.portal.token(&self.world, &form).await
    }

    async fn worth(&self, portal: &Portal, token: &str) -> Value {
        portal.post(&self.world, "/oidc/introspect", &[("token", token)]).await.expect(200).json()
    }
}

impl Portal {
    async fn post(&self, world: &TestApp, path: &str, form: &[(&str, &str)]) -> Answer {
        let program = world.stranger();
        let request = program.request(reqwest::Method::POST, path);
        program.send(request.basic_auth(&self.id, Some(&self.secret)).form(form)).await
    }
}

const OFFLINE: (&str, Option<&str>) = ("scope", Some("openid profile offline_access"));

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

#[tokio::test]
async fn a_refresh_token_is_rotated_and_an_old_one_ends_its_family() {
    let scene = lasting().await;
    let citizen = scene.world.stranger();
    let first = scene.tokens(&citizen, &[OFFLINE]).await;
    let second = scene.refresh(text(&first, "refresh_token"), &[]).await.expect(200).json();
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    let (one, two) = (claims(text(&first, "id_token")), claims(text(&second, "id_token")));
    assert_eq!((&one["sub"], &one["auth_time"]), (&two["sub"], &two["auth_time"]));
    assert!(two.get("nonce").is_none());
    let portal = |token: &str| scene.world.stranger().with_bearer(token);
    portal(text(&second, "access_token")).get("/oidc/userinfo").await.expect(200);
    // Somebody uses the first one again: thief or owner, nobody can tell, so all of it ends.
    assert_eq!(
        scene.refresh(text(&first, "refresh_token"), &[]).await.expect(400).json()["error"],
        "invalid_grant"
    );
    assert_eq!(
        scene.refresh(text(&second, "refresh_token"), &[]).await.expect(400).json()["error"],
        "invalid_grant"
    );
    portal(text(&second, "access_token")).get("/oidc/userinfo").await.expect(401);
    assert_eq!(scene.world.count("audit_leaf where kind = 'code.replayed'").await, 1);
}

#[tokio::test]
async fn a_session_gives_refresh_tokens_without_a_page() {
    let scene = lasting().await;
    let citizen = scene.world.stranger();
    scene.tokens(&citizen, &[OFFLINE]).await;
    let quiet = scene.request(&[OFFLINE, ("prompt", Some("none"))]);
    let code = value(&told(&citizen.get(&quiet).await.expect(303).location()), "code");
    let tokens = scene.exchange(&code, &[]).await.expect(200).json();
    let next = scene.refresh(text(&tokens, "refresh_token"), &[]).await.expect(200).json();
    let (one, two) = (claims(text(&tokens, "id_token")), claims(text(&next, "id_token")));
    assert_eq!((&one["sub"], &one["sid"]), (&two["sub"], &two["sid"]));
    // The code comes again: the whole family ends.
    scene.exchange(&code, &[]).await.expect(400);
    scene.refresh(text(&next, "refresh_token"), &[]).await.expect(400);
}

#[tokio::test]
async fn of_two_uses_of_one_refresh_token_one_wins_and_the_family_ends() {
    let scene = lasting().await;
    let tokens = scene.tokens(&scene.world.stranger(), &[OFFLINE]).await;
    let token = text(&tokens, "refresh_token");
    let (one, two) = tokio::join!(scene.refresh(token, &[]), scene.refresh(token, &[]));
    let (won, lost) = if one.status == 200 { (one, two) } else { (two, one) };
    let next = won.expect(200).json();
    lost.expect(400);
    scene.refresh(text(&next, "refresh_token"), &[]).await.expect(400);
}

#[tokio::test]
async fn of_many_refresh_tokens_at_once_each_hears_its_own_answer() {
    let scene = lasting().await;
    let citizen = scene.world.stranger();
    scene.tokens(&citizen, &[OFFLINE]).await;
    let quiet = scene.request(&[OFFLINE, ("prompt", Some("none"))]);
    let mut first = Vec::new();
    for _ in 0..4 {
        let code = value(&told(&citizen.get(&quiet).await.expect(303).location()), "code");
        let tokens = scene.exchange(&code, &[]).await.expect(200).json();
        first.push(text(&tokens, "refresh_token").to_owned());
    }
    // The first was used before; the second comes twice; the third wants more than was granted.
    let used = scene.refresh(&first[0], &[]).await.expect(200).json();
    let wider = [("scope", "openid phone")];
    let (old, one, two, three, four) = tokio::join!(
        scene.refresh(&first[0], &[]),
        scene.refresh(&first[1], &[]),
        scene.refresh(&first[1], &[]),
        scene.refresh(&first[2], &wider),
        scene.refresh(&first[3], &[]),
    );
    old.expect(400);
    let (won, lost) = if one.status == 200 { (one, two) } else { (two, one) };
    assert_eq!(lost.expect(400).json()["error"], "invalid_grant");
    assert_eq!(three.expect(400).json()["error"], "invalid_scope");
    let next = four.expect(200).json();
    // Two families have ended, and nobody else's.
    scene.refresh(text(&used, "refresh_token"), &[]).await.expect(400);
    scene.refresh(text(&won.expect(200).json(), "refresh_token"), &[]).await.expect(400);
    scene.refresh(&first[2], &[]).await.expect(200);
    scene.refresh(text(&next, "refresh_token"), &[]).await.expect(200);
    assert_eq!(scene.world.count("audit_leaf where kind = 'code.replayed'").await, 2);
}

#[tokio::test]
async fn a_refresh_token_is_for_its_client_its_scopes_and_its_time() {
    let scene = lasting().await;
    let tokens = scene.tokens(&scene.world.stranger(), &[OFFLINE]).await;
    let token = text(&tokens, "refresh_token").to_owned();
    let foreign = portal(&scene.world, "other", Assurance::Low).await;
    let form = [("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
    assert_eq!(foreign.token(&scene.world, &form).await.expect(400).json()["error"], "invalid_grant");
    let wider = scene.refresh(&token, &[("scope", "openid phone")]).await.expect(400).json();
    assert_eq!(wider["error"], "invalid_scope");
    let narrow = scene.refresh(&token, &[("scope", "openid")]).await.expect(200).json();
    assert_eq!(narrow["scope"], "openid");
    let token = text(&narrow, "refresh_token").to_owned();
    for nonsense in ["chr_x", ""] {
        scene.refresh(nonsense, &[]).await.expect(400);
    }
    // The client is suspended, then readmitted; the consent is withdrawn; the time is over.
    set_client_active(&scene.world.app, scene.portal.id.parse().unwrap(), false).await.unwrap();
    assert_eq!(scene.refresh(&token, &[]).await.expect(401).json()["error"], "invalid_client");
    set_client_active(&scene.world.app, scene.portal.id.parse().unwrap(), true).await.unwrap();
    scene.world.sql("update consent set withdrawn_at = '2026-11-25Z'").await.unwrap();
    assert!(scene.refresh(&token, &[]).await.expect(400).text().contains("consent withdrawn"));
    scene.world.sql("update consent set withdrawn_at = null").await.unwrap();
    scene.world.later(Duration::from_secs(30 * 86_400));
    assert!(scene.refresh(&token, &[]).await.expect(400).text().contains("expired"));
}

#[tokio::test]
async fn what_was_granted_beyond_the_session_outlives_signing_out_and_nothing_else_does() {
    let scene = lasting().await;
    let citizen = scene.world.stranger();
    let lasting = scene.tokens(&citizen, &[OFFLINE]).await;
    let plain = scene.tokens(&citizen, &[]).await;
    assert!(plain.get("refresh_token").is_none(), "not asked for");
    let path = format!("/oidc/logout?id_token_hint={}", text(&plain, "id_token"));
    citizen.get(&path).await.expect(200);
    scene.world.stranger().with_bearer(text(&plain, "access_token")).get("/oidc/userinfo").await.expect(401);
    scene.refresh(text(&lasting, "refresh_token"), &[]).await.expect(200);
    // A portal whose registration does not allow it gets none, whatever it asks.
    let scene = Scene { portal: portal(&scene.world, "plain", Assurance::Low).await, world: scene.world };
    let tokens = scene.tokens(&scene.world.stranger(), &[OFFLINE]).await;
    assert!(tokens.get("refresh_token").is_none() && !text(&tokens, "scope").contains("offline"));
}

#[tokio::test]
async fn the_strict_profile_keeps_its_refresh_token_and_binds_it_to_the_client() {
    let scene = Scene::set().await;
    let world = &scene.world;
    let citizen = world.stranger();
    scene.signed_in(&citizen).await;
    let portal = Keyed::register(world, "land", Terms { offline: true, ..Terms::default() }).await;
    let code = portal.code_for(world, &citizen, &[OFFLINE]).await;
    let tokens = portal.exchange(world, &code).await.expect(200).json();
    let token = text(&tokens, "refresh_token");
    let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
    for _ in 0..2 {
        let again = portal.post(world, "/oidc/token", &form).await.expect(200).json();
        assert_eq!((text(&again, "refresh_token"), text(&again, "token_type")), (token, "DPoP"));
    }
    let thief = Keyed::register(world, "thief", Terms { offline: true, ..Terms::default() }).await;
    assert_eq!(thief.post(world, "/oidc/token", &form).await.expect(400).json()["error"], "invalid_grant");
    assert_eq!(
        portal.post_with(world, "/oidc/token", &form, None).await.expect(400).json()["error"],
        "invalid_dpop_proof"
    );
    portal.post(world, "/oidc/token", &form).await.expect(200);
}

#[tokio::test]
async fn a_token_is_introspected_by_its_client_and_its_resource_only() {
    let scene = lasting().await;
    let citizen = scene.world.stranger();
    let tokens = scene.tokens(&citizen, &[OFFLINE]).await;
    let access = text(&tokens, "access_token");
    let said = scene.worth(&scene.portal, access).await;
    assert_eq!((&said["active"], text(&said, "token_type")), (&Value::Bool(true), "Bearer"));
    assert_eq!(said["client_id"], scene.portal.id.as_str());
    assert_eq!(scene.worth(&scene.portal, text(&tokens, "refresh_token")).await["active"], true);
    let foreign = portal(&scene.world, "other", Assurance::Low).await;
    for token in [access, text(&tokens, "refresh_token"), "nonsense"] {
        assert_eq!(scene.worth(&foreign, token).await, serde_json::json!({ "active": false }));
    }
    scene.world.stranger().post_form("/oidc/introspect", &[("token", access)]).await.expect(401);
    // Signed, for whoever must show it to others.
    let program = scene.world.stranger();
    let request = program.request(reqwest::Method::POST, "/oidc/introspect").form(&[("token", access)]);
    let request = request.basic_auth(&scene.portal.id, Some(&scene.portal.secret));
    let answer =
        program.send(request.header("accept", "application/token-introspection+jwt")).await.expect(200);
    assert_eq!(answer.headers["content-type"], "application/token-introspection+jwt");
    let keys = scene.world.app.keys.published(Purpose::Token);
    let signed: Value = jwt::verify(&answer.text(), "token-introspection+jwt", keys).unwrap();
    assert_eq!(
        (&signed["aud"], &signed["token_introspection"]["active"]),
        (&scene.portal.id.as_str().into(), &true.into())
    );
    // It is no access token.
    program_with(&scene, &answer.text()).get("/oidc/userinfo").await.expect(401);
    scene.world.later(Duration::from_secs(600));
    assert_eq!(scene.worth(&scene.portal, access).await["active"], false);
}

fn program_with(scene: &Scene, token: &str) -> Actor {
    scene.world.stranger().with_bearer(token)
}

#[tokio::test]
async fn a_token_given_back_is_worth_nothing_from_the_next_request_on() {
    let scene = lasting().await;
    let citizen = scene.world.stranger();
    let tokens = scene.tokens(&citizen, &[OFFLINE]).await;
    let access = text(&tokens, "access_token");
    let foreign = portal(&scene.world, "other", Assurance::Low).await;
    for token in [access, text(&tokens, "refresh_token")] {
        let refused = foreign.post(&scene.world, "/oidc/revoke", &[("token", token)]).await.expect(400);
        assert_eq!(refused.json()["error"], "unauthorized_client");
    }
    program_with(&scene, access).get("/oidc/userinfo").await.expect(200);
    for token in [access, access, "nonsense"] {
        scene.portal.post(&scene.world, "/oidc/revoke", &[("token", token)]).await.expect(200);
    }
    program_with(&scene, access).get("/oidc/userinfo").await.expect(401);
    assert_eq!(scene.worth(&scene.portal, access).await["active"], false);
    let next = scene.refresh(text(&tokens, "refresh_token"), &[]).await.expect(200).json();
    let form = [("token", text(&next, "refresh_token")), ("token_type_hint", "refresh_token")];
    scene.portal.post(&scene.world, "/oidc/revoke", &form).await.expect(200);
    program_with(&scene, text(&next, "access_token")).get("/oidc/userinfo").await.expect(401);
    scene.refresh(text(&next, "refresh_token"), &[]).await.expect(400);
}

#[tokio::test]
async fn a_token_is_for_the_resource_it_was_asked_for() {
    let scene = lasting().await;
    let citizen = scene.world.stranger();
    let resource = ("resource", Some("https://records.example/api"));
    let tokens = scene.tokens(&citizen, &[resource]).await;
    let access = text(&tokens, "access_token");
    assert_eq!(claims(access)["aud"], "https://records.example/api");
    program_with(&scene, access).get("/oidc/userinfo").await.expect(401);
    assert_eq!(scene.worth(&scene.portal, access).await["aud"], "https://records.example/api");
    // Somebody else's resource, none, two of them, and one that was not authorized.
    let answer = told(
        &citizen.get(&scene.request(&[("resource", Some("https://elsewhere.example/"))])).await.location(),
    );
    assert_eq!(value(&answer, "error"), "invalid_target");
    let page = follow(&citizen, &scene.request(&[])).await;
    let code = value(&scene.consent(&citizen, &page, "allow", &[]).await, "code");
    let wider = scene.exchange(&code, &[("resource", "https://records.example/api")]).await.expect(400);
    assert_eq!(wider.json()["error"], "invalid_target");
    scene.exchange(&code, &[]).await.expect(200);
    let form = [("grant_type", "client_credentials"), ("resource", "https://records.example/api")];
    assert_eq!(scene.portal.token(&scene.world, &form).await.expect(400).json()["error"], "invalid_target");
}
