//! Every misuse is refused, each in its own way.

use super::*;
use chung::flow::register_client::set_client_active;
use std::time::Duration;

#[tokio::test]
async fn nobody_is_sent_to_an_address_that_is_not_registered() {
    let scene = Scene::set().await;
    let stranger = scene.world.stranger();
    for uri in [None, Some("https://evil.example/"), Some("https://portal.example/callback/")] {
        let page = stranger.get(&scene.request(&[("redirect_uri", uri)])).await.expect(400);
        assert!(page.headers.get("location").is_none() && page.text().contains("unknown_redirect_uri"));
    }
    let page = stranger.get(&scene.request(&[("client_id", Some("client_x"))])).await.expect(400);
    assert!(page.text().contains("unknown_client"));
}

#[tokio::test]
async fn a_defect_is_told_to_the_portal_by_its_code() {
    let scene = Scene::set().await;
    let stranger = scene.world.stranger();
    for (name, value_sent, error) in [
        ("code_challenge", None, "invalid_request"),
        ("code_challenge_method", Some("plain"), "invalid_request"),
        ("code_challenge_method", None, "invalid_request"),
        ("response_type", Some("token"), "unsupported_response_type"),
        ("scope", Some("profile"), "invalid_scope"),
        ("request", Some("e30."), "request_not_supported"),
    ] {
        let answer = stranger.get(&scene.request(&[(name, value_sent)])).await.expect(303);
        let told = told(&answer.location());
        assert_eq!(value(&told, "error"), error, "{name} {value_sent:?}");
        assert_eq!(value(&told, "iss"), scene.world.app.origin.as_str());
    }
    let twice = format!("{}&nonce=again", scene.request(&[]));
    assert_eq!(value(&told(&stranger.get(&twice).await.location()), "error"), "invalid_request");
}

#[tokio::test]
async fn a_portal_below_its_floor_is_refused_whatever_it_asks() {
    let scene = Scene::set().await;
    let strict = portal(&scene.world, "land", Assurance::Substantial).await;
    let scene = Scene { world: scene.world, portal: strict };
    let path = scene.request(&[("acr_values", Some("urn:chung:acr:low"))]);
    let citizen = scene.world.stranger();
    let page = follow(&citizen, &path).await.expect(200);
    assert!(!page.text().contains("Gửi mã xác nhận"), "no code by SMS is offered: {}", page.text());
    let asked = scene.number(&citizen, &page, HOA).await.expect(200);
    let text = scene.world.last_text(HOA_PHONE).await.unwrap();
    let refused = scene.code(&citizen, &asked, &text[..6]).await.expect(403);
    assert!(refused.text().contains("sign_in_unfit"));
}

#[tokio::test]
async fn without_pages_nobody_is_signed_in_by_surprise() {
    let scene = Scene::set().await;
    let citizen = scene.world.stranger();
    let path = scene.request(&[("prompt", Some("none"))]);
    let answer = told(&follow(&citizen, &path).await.location());
    assert_eq!(value(&answer, "error"), "login_required");
    let page = scene.to_consent(&citizen).await;
    let answer = told(&follow(&citizen, &path).await.location());
    assert_eq!(value(&answer, "error"), "consent_required");
    scene.consent(&citizen, &page, "allow", &["phone_number"]).await;
    let answer = told(&citizen.get(&path).await.expect(303).location());
    assert_eq!(scene.world.count("\"authorization\" where state in ('started', 'confirmed')").await, 0);
    scene.exchange(&value(&answer, "code"), &[]).await.expect(200);
}

#[tokio::test]
async fn of_two_exchanges_of_one_code_one_wins_and_a_replay_revokes() {
    let scene = Scene::set().await;
    let code = scene.signed_in(&scene.world.stranger()).await;
    let (one, two) = tokio::join!(scene.exchange(&code, &[]), scene.exchange(&code, &[]));
    let (won, lost) = if one.status == 200 { (one, two) } else { (two, one) };
    let tokens = won.expect(200).json();
    assert_eq!(lost.expect(400).json()["error"], "invalid_grant");
    let portal = scene.world.stranger().with_bearer(tokens["access_token"].as_str().unwrap());
    assert_eq!(portal.get("/oidc/userinfo").await.expect(401).json()["error"], "invalid_token");
    assert_eq!(scene.exchange(&code, &[]).await.expect(400).json()["error"], "invalid_grant");
}

#[tokio::test]
async fn a_code_is_for_its_client_its_address_its_verifier_and_its_minute() {
    let scene = Scene::set().await;
    let code = scene.signed_in(&scene.world.stranger()).await;
    for change in [
        ("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXK"),
        ("code_verifier", ""),
        ("redirect_uri", "https://portal.example/callback/"),
        ("code", "chc_nonsense"),
    ] {
        assert_eq!(
            scene.exchange(&code, &[change]).await.expect(400).json()["error"],
            "invalid_grant",
            "{change:?}"
        );
    }
    let foreign = portal(&scene.world, "land", Assurance::Low).await;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    assert_eq!(foreign.token(&scene.world, &form).await.expect(400).json()["error"], "invalid_grant");
    scene.world.later(Duration::from_secs(61));
    assert_eq!(scene.exchange(&code, &[]).await.expect(400).json()["error"], "invalid_grant");
}

#[tokio::test]
async fn a_client_proves_itself_in_its_registered_way() {
    let scene = Scene::set().await;
    let program = scene.world.stranger();
    let form = [("grant_type", "client_credentials")];
    let answer = program.post_form("/oidc/token", &form).await.expect(401);
    assert_eq!(answer.json()["error"], "invalid_client");
    assert!(answer.headers.contains_key("www-authenticate"));
    let wrong = Portal { id: scene.portal.id.clone(), secret: "chk_wrong".into() };
    assert_eq!(wrong.token(&scene.world, &form).await.expect(401).json()["error"], "invalid_client");
    let in_body = [form[0], ("client_id", scene.portal.id.as_str()), ("client_secret", &scene.portal.secret)];
    assert_eq!(
        program.post_form("/oidc/token", &in_body).await.expect(401).json()["error"],
        "invalid_client"
    );
    let odd = [("grant_type", "password")];
    let answer = scene.portal.token(&scene.world, &odd).await.expect(400);
    assert_eq!(answer.json()["error"], "unsupported_grant_type");
    set_client_active(&scene.world.app, scene.portal.id.parse().unwrap(), false).await.unwrap();
    assert_eq!(scene.portal.token(&scene.world, &form).await.expect(401).json()["error"], "invalid_client");
}

/// Pages without what is drawn afresh each time: form tokens and identifiers.
fn comparable(page: &Answer) -> (u16, String) {
    let text = page.text();
    let token = page.form_field("form_token");
    let id = sign_in_of(page);
    (page.status, text.replace(&token, "TOKEN").replace(&id, "ID"))
}

#[tokio::test]
async fn unknown_locked_and_known_numbers_look_the_same() {
    let scene = Scene::set().await;
    let mut seen = Vec::new();
    for number in [HOA, LOCKED, NOBODY] {
        let citizen = scene.world.stranger();
        let page = follow(&citizen, &scene.request(&[])).await;
        let asked = scene.number(&citizen, &page, number).await;
        let wrong = scene.code(&citizen, &asked, "000000").await;
        seen.push((comparable(&asked), comparable(&wrong)));
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0], seen[2]);
    assert!(scene.world.last_text(HOA_PHONE).await.is_some());
    let sent = scene.world.telephones.0.lock().unwrap().len();
    assert_eq!(sent, 1, "nobody else got a message");
}

#[tokio::test]
async fn a_code_bears_five_tries_and_a_number_six_codes() {
    let scene = Scene::set().await;
    let citizen = scene.world.stranger();
    let page = follow(&citizen, &scene.request(&[])).await;
    let page = scene.number(&citizen, &page, HOA).await;
    let text = scene.world.last_text(HOA_PHONE).await.unwrap();
    let wrong = if &text[..6] == "000000" { "000001" } else { "000000" };
    for left in (0..5).rev() {
        let answer = scene.code(&citizen, &page, wrong).await.expect(422);
        assert!(answer.text().contains(&format!("Còn {left} lần")), "{}", answer.text());
    }
    let spent = scene.code(&citizen, &page, &text[..6]).await.expect(422);
    assert!(!spent.text().contains("Nguyễn"));
    // The citizen can read later that somebody tried.
    let of_somebody = "audit_leaf l join audit_detail d on d.leaf_id = l.id
        where l.kind = 'sign_in.failed' and d.citizen_id is not null";
    assert_eq!(scene.world.count(of_somebody).await, 1);
    for _ in 0..5 {
        let another = scene.world.stranger();
        let page = follow(&another, &scene.request(&[])).await;
        scene.number(&another, &page, HOA).await.expect(200);
    }
    let another = scene.world.stranger();
    let page = follow(&another, &scene.request(&[])).await;
    scene.number(&another, &page, HOA).await.expect(429);
    scene.world.later(Duration::from_secs(3_600));
    let page = follow(&another, &scene.request(&[])).await;
    scene.number(&another, &page, HOA).await.expect(200);
}

#[tokio::test]
async fn a_failed_sign_in_leaves_its_mark_whether_the_number_is_somebodys_or_not() {
    let scene = Scene::set().await;
    for number in [HOA, NOBODY] {
        let citizen = scene.world.stranger();
        let page = follow(&citizen, &scene.request(&[])).await;
        let page = scene.number(&citizen, &page, number).await;
        for _ in 0..4 {
            scene.code(&citizen, &page, "000000").await.expect(422);
        }
        assert_eq!(
            scene.world.count("audit_leaf where kind = 'sign_in.failed'").await,
            i64::from(number == NOBODY)
        );
        scene.code(&citizen, &page, "000000").await.expect(422);
    }
    assert_eq!(scene.world.count("audit_leaf where kind = 'sign_in.failed'").await, 2);

    // Locked between the code and its answer.
    let citizen = scene.world.stranger();
    let page = follow(&citizen, &scene.request(&[])).await;
    let page = scene.number(&citizen, &page, HOA).await;
    let text = scene.world.last_text(HOA_PHONE).await.unwrap();
    let locked = "079185000456,024123456,Nguyễn Thị Hòa,1985-03-15,female,0912345218,79,locked,,2,";
    scene.world.register(&[locked]).await;
    scene.code(&citizen, &page, &text[..6]).await;
    assert_eq!(scene.world.count("audit_leaf where kind = 'sign_in.barred'").await, 1);
    assert_eq!(scene.world.count("session").await, 0);
}

#[tokio::test]
async fn forms_of_other_pages_and_browsers_do_nothing() {
    let scene = Scene::set().await;
    let citizen = scene.world.stranger();
    let page = follow(&citizen, &scene.request(&[])).await;
    let path = sign_in_of(&page);
    let token = page.form_field("form_token");
    let thief = scene.world.stranger();
    thief.get(&path).await.expect(410);
    thief.post_form(&path, &[("form_token", &token), ("number", HOA)]).await.expect(410);
    citizen.post_form(&path, &[("form_token", "0"), ("number", HOA)]).await.expect(410);
    let request = citizen.request(reqwest::Method::POST, &path).header("origin", "https://evil.example");
    citizen.send(request.form(&[("form_token", token.as_str()), ("number", HOA)])).await.expect(410);
    scene.world.later(Duration::from_secs(15 * 60));
    citizen.get(&path).await.expect(410);
}
