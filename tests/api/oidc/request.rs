//! What a portal may say with its request, and what it changes.

use super::*;
use std::time::Duration;

#[tokio::test]
async fn what_may_be_left_out_or_added_does_no_harm() {
    let scene = Scene::set().await;
    let citizen = scene.world.stranger();
    scene.signed_in(&citizen).await;
    for change in [
        ("nonce", None),
        ("state", None),
        ("scope", Some("phone profile openid")),
        ("scope", Some("openid unknown")),
        ("display", Some("popup")),
        ("display", Some("page")),
        ("claims_locales", Some("se")),
        ("extra", Some("foobar")),
        ("acr_values", Some("urn:elsewhere:1 urn:elsewhere:2")),
    ] {
        let page = follow(&citizen, &scene.request(&[change])).await.expect(200);
        let code = value(&scene.consent(&citizen, &page, "allow", &[]).await, "code");
        let tokens = scene.exchange(&code, &[]).await.expect(200).json();
        let said = claims(tokens["id_token"].as_str().unwrap());
        assert_eq!(said.get("nonce").is_none(), change == ("nonce", None), "{change:?}");
    }
}

#[tokio::test]
async fn a_new_sign_in_is_forced_by_prompt_and_by_age() {
    let scene = Scene::set().await;
    let citizen = scene.world.stranger();
    scene.signed_in(&citizen).await;
    scene.world.later(Duration::from_secs(5));
    let asks = |page: &Answer| page.text().contains("name=\"number\"");
    for (change, again) in [
        (("max_age", Some("10000")), false),
        (("max_age", Some("1")), true),
        (("prompt", Some("login")), true),
        (("prompt", Some("select_account")), true),
        (("prompt", Some("consent")), false),
    ] {
        let page = follow(&citizen, &scene.request(&[change])).await.expect(200);
        assert_eq!(asks(&page), again, "{change:?}");
    }
    let silent = [("prompt", Some("none")), ("max_age", Some("1"))];
    let answer = told(&follow(&citizen, &scene.request(&silent)).await.location());
    assert_eq!(value(&answer, "error"), "login_required");
}

#[tokio::test]
async fn the_portal_suggests_the_language() {
    let scene = Scene::set().await;
    for (tags, lang) in [("en", "en"), ("fr-CA en vi", "en"), ("vi en", "vi"), ("se", "vi")] {
        let page =
            follow(&scene.world.stranger(), &scene.request(&[("ui_locales", Some(tags))])).await.expect(200);
        assert!(page.text().contains(&format!("<html lang=\"{lang}\"")), "{tags}");
    }
}

#[tokio::test]
async fn a_claim_is_asked_for_by_name() {
    let scene = Scene::set().await;
    let citizen = scene.world.stranger();
    scene.signed_in(&citizen).await;
    let asked = r#"{"userinfo": {"name": {"essential": true}, "phone_number": null}}"#;
    let changes = [("scope", Some("openid")), ("claims", Some(asked))];
    let page = follow(&citizen, &scene.request(&changes)).await.expect(200);
    let code = value(&scene.consent(&citizen, &page, "allow", &["phone_number"]).await, "code");
    let tokens = scene.exchange(&code, &[]).await.expect(200).json();
    let portal = scene.world.stranger().with_bearer(tokens["access_token"].as_str().unwrap());
    let told = portal.get("/oidc/userinfo").await.expect(200).json();
    assert!(
        told["name"].is_string() && told["phone_number"].is_string() && told.get("personal_number").is_none()
    );
}

#[tokio::test]
async fn a_request_may_come_by_form() {
    let scene = Scene::set().await;
    let citizen = scene.world.stranger();
    let request = scene.request(&[]);
    let query = request.split_once('?').unwrap().1;
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let form: Vec<(&str, &str)> = pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let answer = citizen.post_form("/oidc/authorize", &form).await.expect(303);
    assert!(follow(&citizen, &answer.location()).await.expect(200).text().contains("name=\"number\""));
}

#[tokio::test]
async fn userinfo_takes_the_token_in_the_header_or_in_a_form() {
    let scene = Scene::set().await;
    let code = scene.signed_in(&scene.world.stranger()).await;
    let tokens = scene.exchange(&code, &[]).await.expect(200).json();
    let access = tokens["access_token"].as_str().unwrap();
    let program = scene.world.stranger();
    let with = |method, scheme: &str| {
        program.request(method, "/oidc/userinfo").header("authorization", format!("{scheme} {access}"))
    };
    for scheme in ["Bearer", "bearer", "BEARER"] {
        program.send(with(reqwest::Method::GET, scheme)).await.expect(200);
        program.send(with(reqwest::Method::POST, scheme)).await.expect(200);
    }
    program.post_form("/oidc/userinfo", &[("access_token", access)]).await.expect(200);
    // Twice, elsewhere, or not at all.
    let twice = with(reqwest::Method::POST, "Bearer").form(&[("access_token", access)]);
    program.send(twice).await.expect(401);
    let none = program.get("/oidc/userinfo").await.expect(401);
    let challenge = none.headers["www-authenticate"].to_str().unwrap();
    assert!(challenge.contains("Bearer") && challenge.contains("DPoP"), "{challenge}");
    program.send(with(reqwest::Method::GET, "DPoP")).await.expect(401);
}

#[tokio::test]
async fn a_floor_that_was_raised_asks_for_a_stronger_sign_in() {
    let scene = Scene::set().await;
    let code = scene.signed_in(&scene.world.stranger()).await;
    let tokens = scene.exchange(&code, &[]).await.expect(200).json();
    let portal = scene.world.stranger().with_bearer(tokens["access_token"].as_str().unwrap());
    portal.get("/oidc/userinfo").await.expect(200);
    scene.world.sql("update client set acr_min = 'urn:chung:acr:substantial'").await.unwrap();
    let refused = portal.get("/oidc/userinfo").await.expect(401);
    assert_eq!(refused.json()["error"], "insufficient_user_authentication");
    let challenge = refused.headers["www-authenticate"].to_str().unwrap();
    assert!(challenge.contains("acr_values=\"urn:chung:acr:substantial\""), "{challenge}");
    // A stronger session than the floor is as good as one at the floor.
    scene.world.sql("update client set acr_min = 'urn:chung:acr:low'").await.unwrap();
    portal.get("/oidc/userinfo").await.expect(200);
}

#[tokio::test]
async fn a_hint_that_is_not_ours_signs_nobody_out() {
    let scene = Scene::set().await;
    let citizen = scene.world.stranger();
    let code = scene.signed_in(&citizen).await;
    let tokens = scene.exchange(&code, &[]).await.expect(200).json();
    let hint = tokens["id_token"].as_str().unwrap();
    // Another letter in the signature, whichever stands there.
    let (before, after) = (&hint[..hint.len() - 10], &hint[hint.len() - 9..]);
    let other = if hint.as_bytes()[hint.len() - 10] == b'A' { 'B' } else { 'A' };
    let modified = format!("{before}{other}{after}");
    let bye = "https://portal.example/bye";
    for hint in ["a.b.c", modified.as_str()] {
        let path = format!("/oidc/logout?id_token_hint={hint}&post_logout_redirect_uri={bye}");
        let asked = citizen.get(&path).await.expect(200);
        assert!(asked.text().contains("form_token") && asked.headers.get("location").is_none());
    }
    let asked = citizen.get("/oidc/logout?state=only").await.expect(200);
    assert!(asked.text().contains("form_token"));
    let page = follow(&citizen, &scene.request(&[])).await.expect(200);
    assert!(page.text().contains("Nguyễn Thị Hòa"), "still signed in");
}
