//! The FAPI 2.0 Security Profile, end to end, and every shortcut of the weaker profile refused.

use super::keyed::{ASSERTION, Keyed, exchange_form, signed};
use super::*;
use chung::base::clock::Clock;
use chung::crypto::jwt::numeric_date;
use chung::crypto::signing::{Signer, SigningKey};
use chung::identity::profile::Terms;
use serde_json::json;
use std::time::Duration;

/// A scene whose citizen is signed in, and a strict portal.
async fn strict() -> (Scene, Keyed, Actor) {
    let scene = Scene::set().await;
    let citizen = scene.world.stranger();
    scene.signed_in(&citizen).await;
    let terms = Terms { offline: true, ..Terms::default() };
    let portal = Keyed::register(&scene.world, "land", terms).await;
    (scene, portal, citizen)
}

fn error(answer: &Answer) -> String {
    answer.json()["error"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_strict_portal_signs_a_citizen_in_with_pushed_request_key_and_bound_tokens() {
    let (scene, portal, citizen) = strict().await;
    let world = &scene.world;
    let pushed = portal.push(world, &[("login_hint", Some(HOA))]).await.expect(201);
    assert!(pushed.json()["expires_in"].as_i64().unwrap() <= 600);
    assert!(pushed.headers["cache-control"] == "no-store");
    let address = portal.address(&pushed);
    assert!(!address.contains(HOA), "no number stands in an address");
    let page = follow(&citizen, &address).await.expect(200);
    let token = page.form_field("form_token");
    let form = [("form_token", token.as_str()), ("answer", "allow"), ("claim", "phone_number")];
    let answer = told(&citizen.post_form(&action(&page, "/consent/"), &form).await.expect(303).location());
    assert_eq!(value(&answer, "iss"), world.app.origin.as_str());
    let tokens = portal.exchange(world, &value(&answer, "code")).await.expect(200).json();
    assert_eq!(tokens["token_type"], "DPoP");
    let access = tokens["access_token"].as_str().unwrap();
    let said = claims(access);
    assert_eq!(said["cnf"]["jkt"], portal.dpop.verifying_key().thumbprint());
    assert_eq!((&said["acr"], said["auth_time"].is_i64()), (&json!("urn:chung:acr:low"), true));
    assert_eq!(claims(tokens["id_token"].as_str().unwrap())["nonce"], "n-1");
    let told = portal.get(world, "/oidc/userinfo", access).await.expect(200).json();
    assert_eq!(told["name"], "Nguyễn Thị Hòa");
    assert!(tokens.get("refresh_token").is_none(), "nothing lasting that was not asked for");
    // Who was answered cannot bring the request again.
    citizen.get(&address).await.expect(400);
}

#[tokio::test]
async fn a_pushed_request_may_be_opened_again_until_somebody_is_answered() {
    let (scene, portal, citizen) = strict().await;
    let pushed = portal.push(&scene.world, &[]).await.expect(201);
    let elsewhere = scene.world.stranger();
    assert!(
        follow(&elsewhere, &portal.address(&pushed)).await.expect(200).text().contains("name=\"number\"")
    );
    let page = follow(&citizen, &portal.address(&pushed)).await.expect(200);
    let token = page.form_field("form_token");
    let form = [("form_token", token.as_str()), ("answer", "refuse")];
    let answer = told(&citizen.post_form(&action(&page, "/consent/"), &form).await.expect(303).location());
    assert_eq!(value(&answer, "error"), "access_denied");
    elsewhere.get(&portal.address(&pushed)).await.expect(400);
}

#[tokio::test]
async fn of_two_browsers_that_bring_one_pushed_request_one_is_answered() {
    let (scene, portal, citizen) = strict().await;
    let other = scene.world.stranger();
    scene.signed_in(&other).await;
    for silent in [None, None, Some("none"), Some("none")] {
        let pushed = portal.push(&scene.world, &[("prompt", silent)]).await.expect(201);
        let address = portal.address(&pushed);
        let (one, two) = if silent.is_some() {
            tokio::join!(citizen.get(&address), other.get(&address))
        } else {
            let pages = tokio::join!(follow(&citizen, &address), follow(&other, &address));
            let agree = async |browser: &Actor, page: Answer| {
                let token = page.form_field("form_token");
                let form = [("form_token", token.as_str()), ("answer", "allow"), ("claim", "phone_number")];
                browser.post_form(&action(&page, "/consent/"), &form).await
            };
            tokio::join!(agree(&citizen, pages.0), agree(&other, pages.1))
        };
        let answered = |answer: &Answer| answer.status == 303 && answer.location().starts_with(CALLBACK);
        assert!(answered(&one) != answered(&two), "{} {}", one.status, two.status);
        let (won, lost) = if answered(&one) { (one, two) } else { (two, one) };
        // Where no page came between, whoever is a little later finds the request used already.
        assert!(lost.status == 410 || silent.is_some() && lost.status == 400, "{}", lost.text());
        portal.exchange(&scene.world, &value(&told(&won.location()), "code")).await.expect(200);
    }
    assert_eq!(scene.world.count("pushed_request where used_at is not null").await, 4);
}

#[tokio::test]
async fn a_pushed_request_is_proved_to_the_issuer_by_a_clock_that_is_nearly_right() {
    let (scene, portal, _) = strict().await;
    let world = &scene.world;
    portal.push(world, &[]).await.expect(201);
    let push = async |changes: &[(&str, Value)]| {
        let assertion = portal.assertion(world, changes);
        let mut form = portal.request(&[]);
        form.extend([("client_assertion_type", ASSERTION.to_owned()), ("client_assertion", assertion)]);
        let proof = portal.proof(world, "POST", "/oidc/par", None, &[]);
        let program = world.stranger();
        let request = program.request(reqwest::Method::POST, "/oidc/par").form(&form);
        program.send(request.header("dpop", proof)).await
    };
    let now = numeric_date(world.clock.now());
    push(&[("iat", json!(now + 8)), ("nbf", json!(now + 8))]).await.expect(201);
    let issuer = world.app.origin.as_str();
    for changes in [
        vec![("iat", json!(now + 70)), ("nbf", json!(now + 70)), ("exp", json!(now + 130))],
        vec![("aud", json!([issuer, "https://elsewhere.example"]))],
        vec![("aud", json!([issuer]))],
        vec![("aud", json!(world.at("/oidc/par")))],
        vec![("aud", json!(world.at("/oidc/token")))],
    ] {
        assert_eq!(error(&push(&changes).await.expect(401)), "invalid_client", "{changes:?}");
    }
}

#[tokio::test]
async fn a_pushed_hint_fills_the_form_and_no_row_tells_the_number() {
    let (scene, portal, _) = strict().await;
    let pushed = portal.push(&scene.world, &[("login_hint", Some(HOA))]).await.expect(201);
    assert!(!scene.world.dump("pushed_request").await.contains(HOA));
    let browser = scene.world.stranger();
    let page = follow(&browser, &portal.address(&pushed)).await.expect(200);
    assert_eq!(page.form_field("number"), HOA);
    assert!(!scene.world.dump("\"authorization\"").await.contains(HOA));
    // In an address it is not heard.
    let page =
        follow(&scene.world.stranger(), &scene.request(&[("login_hint", Some(HOA))])).await.expect(200);
    assert!(!page.text().contains(HOA));
}

#[tokio::test]
async fn every_shortcut_of_the_weaker_profile_is_refused() {
    let (scene, portal, citizen) = strict().await;
    // Parameters with the browser.
    let strict =
        Scene { world: scene.world, portal: Portal { id: portal.id.clone(), secret: "chk_x".into() } };
    let told_back = told(&citizen.get(&strict.request(&[])).await.expect(303).location());
    assert_eq!(value(&told_back, "error"), "invalid_request");
    let world = &strict.world;
    // A secret.
    let form = [("grant_type", "client_credentials")];
    assert_eq!(error(&strict.portal.token(world, &form).await.expect(401)), "invalid_client");
    // A bearer token: no proof, no token.
    let code = portal.code_for(world, &citizen, &[]).await;
    let bare = portal.post_with(world, "/oidc/token", &exchange_form(&code), None).await.expect(400);
    assert_eq!(error(&bare), "invalid_dpop_proof");
    let own = portal.post_with(world, "/oidc/token", &form, None).await.expect(400);
    assert_eq!(error(&own), "invalid_dpop_proof");
    // An audience that is an endpoint, or one of several.
    let program = world.stranger();
    for aud in [json!(world.at("/oidc/token")), json!([world.app.origin.as_str()])] {
        let assertion = portal.assertion(world, &[("aud", aud)]);
        let form = [form[0], ("client_assertion_type", ASSERTION), ("client_assertion", assertion.as_str())];
        assert_eq!(error(&program.post_form("/oidc/token", &form).await.expect(401)), "invalid_client");
    }
    // No PKCE, or a plain challenge.
    for change in [("code_challenge", None), ("code_challenge_method", Some("plain"))] {
        assert_eq!(error(&portal.push(world, &[change]).await.expect(400)), "invalid_request");
    }
    // Its code is still good for the right way.
    portal.exchange(world, &code).await.expect(200);
}

#[tokio::test]
async fn a_pushed_request_is_judged_at_once_taken_once_and_by_its_portal_only() {
    let (scene, portal, citizen) = strict().await;
    let world = &scene.world;
    for (change, code) in [
        (("redirect_uri", Some("https://evil.example/")), "invalid_request"),
        (("redirect_uri", None), "invalid_request"),
        (("request_uri", Some("urn:ietf:params:oauth:request_uri:x")), "invalid_request"),
        (("response_type", Some("token")), "unsupported_response_type"),
        (("scope", Some("profile")), "invalid_scope"),
        (("resource", Some("https://elsewhere.example/api")), "invalid_target"),
        (("id_token_hint", Some("a.b.c")), "invalid_request"),
    ] {
        let refused = portal.push(world, &[change]).await;
        // Some demands are met where stronger ways to sign in are offered.
        if change.0 == "acr_values" && refused.status == 201 {
            continue;
        }
        assert_eq!(error(&refused.expect(400)), code, "{change:?}");
    }
    let foreign = portal.push(world, &[("client_id", Some("client_x"))]).await.expect(401);
    assert_eq!(error(&foreign), "invalid_client");
    let pushed = portal.push(world, &[]).await.expect(201);
    let other = Keyed::register(world, "transport", Terms::default()).await;
    let stolen = portal.address(&pushed).replace(&portal.id, &other.id);
    let page = citizen.get(&stolen).await.expect(400);
    assert!(page.text().contains("unknown_request_uri") && page.headers.get("location").is_none());
    world.later(Duration::from_secs(91));
    citizen.get(&portal.address(&pushed)).await.expect(400);
    let unauthenticated = [("client_id", portal.id.as_str()), ("response_type", "code")];
    assert_eq!(
        error(&world.stranger().post_form("/oidc/par", &unauthenticated).await.expect(401)),
        "invalid_client"
    );
}

#[tokio::test]
async fn a_proof_is_for_one_request_one_nonce_and_one_use() {
    let (scene, portal, _) = strict().await;
    let world = &scene.world;
    let form = [("grant_type", "client_credentials")];
    let first = portal.proof(world, "POST", "/oidc/token", None, &[]);
    let told = portal.post_with(world, "/oidc/token", &form, Some(&first)).await.expect(400);
    assert_eq!(error(&told), "use_dpop_nonce");
    portal.learn(&told);
    let good = portal.proof(world, "POST", "/oidc/token", None, &[]);
    portal.post_with(world, "/oidc/token", &form, Some(&good)).await.expect(200);
    let now = numeric_date(world.clock.now());
    for (why, proof) in [
        ("used before", good),
        ("for another method", portal.proof(world, "GET", "/oidc/token", None, &[])),
        ("for another address", portal.proof(world, "POST", "/oidc/par", None, &[])),
        ("too old", portal.proof(world, "POST", "/oidc/token", None, &[("iat", json!(now - 3_600))])),
        ("from the future", portal.proof(world, "POST", "/oidc/token", None, &[("iat", json!(now + 3_600))])),
        ("without identifier", portal.proof(world, "POST", "/oidc/token", None, &[("jti", json!(""))])),
        ("of no kind", "a.b.c".to_owned()),
        ("signed by another key", {
            let claims = json!({"jti": "x", "htm": "POST", "htu": world.at("/oidc/token"), "iat": now});
            signed(&SigningKey::generate(), &portal.proof_header(), &claims)
        }),
        ("of another type", {
            let mut header = portal.proof_header();
            header["typ"] = json!("JWT");
            signed(&portal.dpop, &header, &json!({"jti": "y"}))
        }),
        ("with a private key in it", {
            let mut header = portal.proof_header();
            header["jwk"]["d"] = json!("AAAA");
            signed(&portal.dpop, &header, &json!({"jti": "z"}))
        }),
    ] {
        let answer = portal.post_with(world, "/oidc/token", &form, Some(&proof)).await;
        assert_eq!((answer.status, error(&answer).as_str()), (400, "invalid_dpop_proof"), "{why}");
    }
    // Two proofs are none.
    let (one, two) = (
        portal.proof(world, "POST", "/oidc/token", None, &[]),
        portal.proof(world, "POST", "/oidc/token", None, &[]),
    );
    let program = world.stranger();
    let assertion = portal.assertion(world, &[]);
    let twice = [form[0], ("client_assertion_type", ASSERTION), ("client_assertion", assertion.as_str())];
    let request = program.request(reqwest::Method::POST, "/oidc/token").form(&twice);
    let answer = program.send(request.header("dpop", one).header("dpop", two)).await;
    assert_eq!(error(&answer.expect(400)), "invalid_dpop_proof");
    // A nonce lives some minutes.
    world.later(Duration::from_secs(300));
    let late = portal.proof(world, "POST", "/oidc/token", None, &[]);
    assert_eq!(
        error(&portal.post_with(world, "/oidc/token", &form, Some(&late)).await.expect(400)),
        "use_dpop_nonce"
    );
}

#[tokio::test]
async fn a_bound_token_is_worth_nothing_in_other_hands() {
    let (scene, portal, citizen) = strict().await;
    let world = &scene.world;
    let code = portal.code_for(world, &citizen, &[]).await;
    let tokens = portal.exchange(world, &code).await.expect(200).json();
    let access = tokens["access_token"].as_str().unwrap();
    portal.get(world, "/oidc/userinfo", access).await.expect(200);
    // As a bearer token, with another key's proof, with a proof for another token or for none.
    let thief = world.stranger().with_bearer(access);
    thief.get("/oidc/userinfo").await.expect(401);
    let other = Keyed::register(world, "transport", Terms::default()).await;
    assert_eq!(other.get(world, "/oidc/userinfo", access).await.expect(401).json()["error"], "invalid_token");
    for token in [None, Some("another")] {
        let proof = portal.proof(world, "GET", "/oidc/userinfo", token, &[]);
        let answer = portal.get_with(world, "/oidc/userinfo", access, &proof).await.expect(401);
        assert_eq!(error(&answer), "invalid_dpop_proof");
        let challenge = answer.headers["www-authenticate"].to_str().unwrap();
        assert!(challenge.starts_with("DPoP error=\"invalid_dpop_proof\""), "{challenge}");
    }
    // A code that a key was named for at the push is exchanged by that key only.
    let code = portal.code_for(world, &citizen, &[]).await;
    let elsewhere = Keyed::register(world, "harbour", Terms::default()).await;
    let proof = elsewhere.proof(world, "POST", "/oidc/token", None, &[]);
    let told = portal.post_with(world, "/oidc/token", &exchange_form(&code), Some(&proof)).await.expect(400);
    elsewhere.learn(&told);
    let proof = elsewhere.proof(world, "POST", "/oidc/token", None, &[]);
    let refused =
        portal.post_with(world, "/oidc/token", &exchange_form(&code), Some(&proof)).await.expect(400);
    assert_eq!(error(&refused), "invalid_grant");
    portal.exchange(world, &code).await.expect(200);
}

#[tokio::test]
async fn a_strict_system_asks_the_api_with_proofs_and_a_token_given_back_is_worth_nothing() {
    let (scene, portal, _) = strict().await;
    let world = &scene.world;
    let form = [("grant_type", "client_credentials"), ("scope", "bill.read")];
    let tokens = portal.post(world, "/oidc/token", &form).await.expect(200).json();
    assert_eq!(tokens["token_type"], "DPoP");
    let access = tokens["access_token"].as_str().unwrap();
    portal.get(world, "/v1/bills", access).await.expect(200);
    world.stranger().with_bearer(access).get("/v1/bills").await.expect_refusal(401, "token_invalid");
    let stale = portal.proof(world, "GET", "/v1/bills", Some(access), &[("nonce", json!("x"))]);
    let answer = portal.get_with(world, "/v1/bills", access, &stale).await;
    assert!(answer.headers.contains_key("dpop-nonce"));
    answer.expect_refusal(401, "dpop_nonce_needed");
    let other = portal.proof(world, "GET", "/v1/payments", Some(access), &[]);
    portal.get_with(world, "/v1/bills", access, &other).await.expect_refusal(401, "dpop_proof_invalid");
    portal.post(world, "/oidc/revoke", &[("token", access)]).await.expect(200);
    portal.get(world, "/v1/bills", access).await.expect_refusal(401, "token_invalid");
}

#[tokio::test]
async fn a_key_that_is_named_is_the_key_that_is_proved() {
    let (scene, portal, citizen) = strict().await;
    let world = &scene.world;
    let other = SigningKey::generate().verifying_key().thumbprint();
    let mismatched = portal.push(world, &[("dpop_jkt", Some(&other))]).await.expect(400);
    assert_eq!(error(&mismatched), "invalid_request");
    let own = portal.dpop.verifying_key().thumbprint();
    let code = portal.code_for(world, &citizen, &[("dpop_jkt", Some(&own))]).await;
    portal.exchange(world, &code).await.expect(200);
    // Honest clocks differ a little, and a proof may say more than we ask.
    let now = numeric_date(world.clock.now());
    let form = [("grant_type", "client_credentials")];
    for changes in [
        vec![("iat", json!(now - 10))],
        vec![("iat", json!(now + 10))],
        vec![("nbf", json!(now)), ("exp", json!(now + 60))],
    ] {
        let proof = portal.proof(world, "POST", "/oidc/token", None, &changes);
        portal.post_with(world, "/oidc/token", &form, Some(&proof)).await.expect(200);
    }
}

#[tokio::test]
async fn what_stands_beside_a_pushed_request_is_not_heard() {
    let (scene, portal, citizen) = strict().await;
    let world = &scene.world;
    let pushed = portal.push(world, &[("state", None)]).await.expect(201);
    let beside = format!(
        "{}&state=other&nonce=other&scope=openid&redirect_uri=https://evil.example/",
        portal.address(&pushed)
    );
    let page = follow(&citizen, &beside).await.expect(200);
    let token = page.form_field("form_token");
    let form = [("form_token", token.as_str()), ("answer", "allow")];
    let answer = told(&citizen.post_form(&action(&page, "/consent/"), &form).await.expect(303).location());
    assert!(!answer.iter().any(|(name, _)| name == "state"), "{answer:?}");
    let tokens = portal.exchange(world, &value(&answer, "code")).await.expect(200).json();
    assert_eq!(claims(tokens["id_token"].as_str().unwrap())["nonce"], "n-1");
    let program = world.stranger();
    let put = program.send(program.request(reqwest::Method::PUT, "/oidc/par")).await;
    assert_eq!(put.status, 405);
}

#[tokio::test]
async fn long_words_come_back_whole() {
    let (scene, portal, citizen) = strict().await;
    let world = &scene.world;
    let (state, nonce) = ("s".repeat(1_000), "n".repeat(384));
    let changes = [("state", Some(state.as_str())), ("nonce", Some(nonce.as_str()))];
    let pushed = portal.push(world, &changes).await.expect(201);
    let page = follow(&citizen, &portal.address(&pushed)).await.expect(200);
    let token = page.form_field("form_token");
    let form = [("form_token", token.as_str()), ("answer", "allow")];
    let answer = told(&citizen.post_form(&action(&page, "/consent/"), &form).await.expect(303).location());
    assert_eq!(value(&answer, "state"), state);
    let tokens = portal.exchange(world, &value(&answer, "code")).await.expect(200).json();
    assert_eq!(claims(tokens["id_token"].as_str().unwrap())["nonce"], nonce);
}
