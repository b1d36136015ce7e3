//! An officer starts at a counter, and the citizen approves on a page of their own.

use super::*;
use chung::identity::profile::Terms;
use std::time::Duration;

const GRANT: &str = "urn:openid:params:grant-type:ciba";

/// A scene whose portal may start sign-ins at its counter.
async fn counter() -> Scene {
    let scene = Scene::set().await;
    let terms = Terms { counter: true, ..Terms::basic() };
    let registered = registered_with(&scene.world, "counter", None, terms).await;
    let secret = registered.secret.unwrap().expose().to_owned();
    Scene { portal: Portal { id: registered.client.to_string(), secret }, world: scene.world }
}

impl Scene {
    async fn start(&self, portal: &Portal, changes: &[(&str, &str)]) -> Answer {
        let mut form = vec![
            ("scope", "openid profile personal_number"),
            ("login_hint", HOA),
            ("binding_message", "Quầy 3, hồ sơ 0001"),
        ];
        for (name, value) in changes {
            form.retain(|(n, _)| n != name);
            form.push((name, value));
        }
        let program = self.world.stranger();
        let request = program.request(reqwest::Method::POST, "/oidc/ciba");
        program.send(request.basic_auth(&portal.id, Some(&portal.secret)).form(&form)).await
    }

    async fn poll(&self, name: &str) -> Answer {
        let form = [("grant_type", GRANT), ("auth_req_id", name)];
        self.portal.token(&self.world, &form).await
    }

    /// Opens the request that waits for the citizen at this browser.
    async fn look(&self, citizen: &Actor) -> Answer {
        let page = citizen.get("/approve").await.expect(200);
        let text = page.text();
        assert!(text.contains("Quầy 3, hồ sơ 0001") && text.contains("Nguyễn Thị Hòa"), "{text}");
        let token = page.form_field("form_token");
        let form = [("form_token", token.as_str())];
        let opened = citizen.post_form(&action(&page, "/approve/"), &form).await.expect(303);
        follow(citizen, &opened.location()).await.expect(200)
    }

    async fn decide(&self, citizen: &Actor, page: &Answer, answer: &str) -> String {
        let token = page.form_field("form_token");
        let form = [("form_token", token.as_str()), ("answer", answer)];
        citizen.post_form(&action(page, "/consent/"), &form).await.expect(303).location()
    }
}

fn error(answer: &Answer) -> String {
    answer.json()["error"].as_str().unwrap_or_default().to_owned()
}

fn name(started: &Answer) -> String {
    started.json()["auth_req_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_officer_starts_and_the_citizen_approves_on_their_own_page() {
    let scene = counter().await;
    let citizen = scene.world.stranger();
    let page = follow(&citizen, "/me").await;
    let page = scene.number(&citizen, &page, HOA).await;
    let text = scene.world.last_text(HOA_PHONE).await.unwrap();
    scene.code(&citizen, &page, &text[..6]).await;
    let started = scene.start(&scene.portal, &[]).await.expect(200);
    assert_eq!((&started.json()["interval"], &started.json()["expires_in"]), (&5.into(), &300.into()));
    let told = scene.world.last_text(HOA_PHONE).await.unwrap();
    assert!(told.contains("Quay 3, ho so 0001") && told.len() <= 160 && told.is_ascii(), "{told}");
    assert!(!told.contains("http"), "no link");
    let name = name(&started);
    assert_eq!(error(&scene.poll(&name).await.expect(400)), "authorization_pending");
    assert_eq!(error(&scene.poll(&name).await.expect(400)), "slow_down");
    scene.world.later(Duration::from_secs(5));
    let page = scene.look(&citizen).await;
    for shown in ["Quầy 3, hồ sơ 0001", "Cổng dịch vụ công Thành phố", "Nguyễn Thị Hòa"] {
        assert!(page.text().contains(shown), "{shown} in {}", page.text());
    }
    assert_eq!(error(&scene.poll(&name).await.expect(400)), "authorization_pending");
    let done = scene.decide(&citizen, &page, "allow").await;
    assert!(follow(&citizen, &done).await.expect(200).text().contains("role=\"status\""));
    let tokens = scene.poll(&name).await.expect(200).json();
    let said = claims(tokens["id_token"].as_str().unwrap());
    assert_eq!((&said["aud"], &said["acr"]), (&scene.portal.id.as_str().into(), &"urn:chung:acr:low".into()));
    let portal = scene.world.stranger().with_bearer(tokens["access_token"].as_str().unwrap());
    assert_eq!(portal.get("/oidc/userinfo").await.expect(200).json()["personal_number"], HOA);
    assert_eq!(error(&scene.poll(&name).await.expect(400)), "invalid_grant", "once");
}

#[tokio::test]
async fn a_citizen_declines_or_lets_it_pass_and_the_officer_is_told() {
    let scene = counter().await;
    let citizen = scene.world.stranger();
    let page = follow(&citizen, "/me").await;
    let page = scene.number(&citizen, &page, HOA).await;
    let text = scene.world.last_text(HOA_PHONE).await.unwrap();
    scene.code(&citizen, &page, &text[..6]).await;
    let declined = name(&scene.start(&scene.portal, &[]).await.expect(200));
    let page = scene.look(&citizen).await;
    scene.decide(&citizen, &page, "refuse").await;
    assert_eq!(error(&scene.poll(&declined).await.expect(400)), "access_denied");
    let passed = name(&scene.start(&scene.portal, &[("requested_expiry", "60")]).await.expect(200));
    scene.world.later(Duration::from_secs(61));
    assert_eq!(error(&scene.poll(&passed).await.expect(400)), "expired_token");
    assert!(!citizen.get("/approve").await.expect(200).text().contains("Quầy 3"));
}

#[tokio::test]
async fn nobody_else_approves_and_nobody_learns_who_is_on_the_register() {
    let scene = counter().await;
    scene.world.register(&["079085000458,,Lê Văn Ba,1985,male,0912345220,79,active,,1,"]).await;
    let known = scene.start(&scene.portal, &[]).await.expect(200);
    let unknown = scene.start(&scene.portal, &[("login_hint", NOBODY)]).await.expect(200);
    let locked = scene.start(&scene.portal, &[("login_hint", LOCKED)]).await.expect(200);
    for started in [&known, &unknown, &locked] {
        assert_eq!(error(&scene.poll(&name(started)).await.expect(400)), "authorization_pending");
    }
    // Somebody else sees nothing and opens nothing.
    let other = scene.world.stranger();
    let page = follow(&other, "/me").await;
    let page = scene.number(&other, &page, "079085000458").await;
    let text = scene.world.last_text("+84912345220").await.unwrap();
    scene.code(&other, &page, &text[..6]).await;
    let page = other.get("/approve").await.expect(200);
    assert!(!page.text().contains("Quầy 3"));
    let sign_out = page.text();
    assert!(!sign_out.contains("authz_"));
    // Another client asks for the tokens; a client without the permission starts nothing.
    let foreign = portal(&scene.world, "foreign", Assurance::Low).await;
    let form = [("grant_type", GRANT), ("auth_req_id", &name(&known))];
    assert_eq!(error(&foreign.token(&scene.world, &form).await.expect(400)), "invalid_grant");
    assert_eq!(error(&scene.start(&foreign, &[]).await.expect(400)), "unauthorized_client");
    for (change, code) in [
        (("scope", "profile"), "invalid_scope"),
        (("login_hint", "Hoa"), "invalid_request"),
        (("binding_message", ""), "invalid_binding_message"),
        (("id_token_hint", "x"), "invalid_request"),
    ] {
        assert_eq!(error(&scene.start(&scene.portal, &[change]).await.expect(400)), code);
    }
    // Nobody's phone is flooded, known or not: past the limit the request waits, and no phone is asked.
    for hint in [HOA, NOBODY] {
        for _ in 0..8 {
            scene.start(&scene.portal, &[("login_hint", hint)]).await.expect(200);
        }
        assert_eq!(scene.start(&scene.portal, &[("login_hint", hint)]).await.json()["phone"], "not_asked");
    }
}

/// Signs the citizen in at their own page, in this browser.
async fn at_their_page(scene: &Scene, citizen: &Actor) {
    let page = follow(citizen, "/me").await;
    let page = scene.number(citizen, &page, HOA).await;
    let text = scene.world.last_text(HOA_PHONE).await.unwrap();
    scene.code(citizen, &page, &text[..6]).await;
}

#[tokio::test]
async fn what_was_approved_ends_with_the_session_and_with_the_consent() {
    let scene = counter().await;
    let citizen = scene.world.stranger();
    at_their_page(&scene, &citizen).await;
    let withdrawn = name(&scene.start(&scene.portal, &[]).await.expect(200));
    let page = scene.look(&citizen).await;
    scene.decide(&citizen, &page, "allow").await;
    let page = citizen.get("/me/sharing").await.expect(200);
    let form = [("form_token", &*page.form_field("form_token"))];
    citizen.post_form(&action(&page, "/me/sharing/consent_"), &form).await.expect(303);
    assert_eq!(error(&scene.poll(&withdrawn).await.expect(400)), "invalid_grant");

    scene.world.later(Duration::from_secs(60));
    let left = name(&scene.start(&scene.portal, &[]).await.expect(200));
    let page = scene.look(&citizen).await;
    scene.decide(&citizen, &page, "allow").await;
    let page = citizen.get("/me").await.expect(200);
    citizen.post_form("/sign-out", &[("form_token", &page.form_field("form_token"))]).await.expect(200);
    assert_eq!(error(&scene.poll(&left).await.expect(400)), "invalid_grant");
    assert_eq!(scene.world.count("\"authorization\" where state = 'exchanged'").await, 0);
}

#[tokio::test]
async fn whoever_sits_there_after_a_sign_out_approves_nothing() {
    let scene = counter().await;
    let citizen = scene.world.stranger();
    at_their_page(&scene, &citizen).await;
    scene.start(&scene.portal, &[]).await.expect(200);
    let page = scene.look(&citizen).await;
    let form = [("form_token", &*citizen.get("/me").await.form_field("form_token"))];
    citizen.post_form("/sign-out", &form).await.expect(200);
    let next = scene.decide(&citizen, &page, "allow").await;
    assert!(follow(&citizen, &next).await.expect(200).text().contains("name=\"number\""));
}
