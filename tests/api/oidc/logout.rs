//! Portals hear that a citizen signed out, however long they were away.

use super::keyed::Keyed;
use super::*;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum_extra::extract::Form;
use chung::base::clock::Clock;
use chung::crypto::{jwt, keyring::Purpose};
use chung::flow::register_client::set_client_active;
use chung::flow::tell_logout::tell_logouts;
use chung::identity::profile::Terms;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A portal's endpoint: what it was told, and what it answers.
#[derive(Default)]
struct Ear {
    told: Mutex<Vec<String>>,
    down: Mutex<bool>,
}

async fn hear(State(ear): State<Arc<Ear>>, Form(form): Form<BTreeMap<String, String>>) -> StatusCode {
    if *ear.down.lock().unwrap() {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    ear.told.lock().unwrap().push(form["logout_token"].clone());
    StatusCode::OK
}

struct Listening {
    ear: Arc<Ear>,
    url: String,
    _serving: tokio::task::JoinSet<()>,
}

async fn listening() -> Listening {
    let ear = Arc::new(Ear::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/logout", listener.local_addr().unwrap());
    let router = axum::Router::new().route("/logout", post(hear)).with_state(ear.clone());
    let mut serving = tokio::task::JoinSet::new();
    serving.spawn(async move { axum::serve(listener, router).await.unwrap() });
    Listening { ear, url, _serving: serving }
}

#[tokio::test]
async fn a_portal_is_told_when_a_session_ends_and_told_again_until_it_hears() {
    let there = listening().await;
    let scene = Scene::set().await;
    let world = &scene.world;
    let citizen = world.stranger();
    scene.signed_in(&citizen).await;
    let terms = Terms { logout_told_at: Some(there.url.parse().unwrap()), ..Terms::default() };
    let portal = Keyed::register(world, "land", terms).await;
    let code = portal.code_for(world, &citizen, &[]).await;
    let tokens = portal.exchange(world, &code).await.expect(200).json();
    let said = claims(tokens["id_token"].as_str().unwrap());

    *there.ear.down.lock().unwrap() = true;
    // The person asks to sign out here, and says so on the page.
    let page = citizen.get("/oidc/logout").await.expect(200);
    citizen.post_form("/oidc/logout", &[("form_token", &page.form_field("form_token"))]).await.expect(200);
    assert_eq!(tell_logouts(&world.app).await.unwrap(), 1);
    assert_eq!(tell_logouts(&world.app).await.unwrap(), 0, "it rests before it is tried again");
    *there.ear.down.lock().unwrap() = false;
    world.later(Duration::from_secs(60));
    assert_eq!(tell_logouts(&world.app).await.unwrap(), 1);
    let heard = there.ear.told.lock().unwrap().clone();
    assert_eq!(heard.len(), 1);
    let keys = world.app.keys.published(Purpose::Token);
    let told: Value = jwt::verify(&heard[0], "logout+jwt", keys).unwrap();
    assert_eq!(
        (&told["sub"], &told["sid"], &told["aud"]),
        (&said["sub"], &said["sid"], &portal.id.as_str().into())
    );
    assert!(told["events"]["http://schemas.openid.net/event/backchannel-logout"].is_object());
    assert!(
        told.get("nonce").is_none() && told["exp"].as_i64().unwrap() > jwt::numeric_date(world.clock.now())
    );
    world.later(Duration::from_secs(3_600));
    assert_eq!(tell_logouts(&world.app).await.unwrap(), 0, "once heard is enough");
    // It is no ID token and no access token.
    world.stranger().with_bearer(heard[0].as_str()).get("/oidc/userinfo").await.expect(401);
    let hinted = portal.push(world, &[("id_token_hint", Some(&heard[0]))]).await.expect(400);
    assert_eq!(hinted.json()["error"], "invalid_request");
}

#[tokio::test]
async fn whoever_was_never_there_or_is_stopped_is_not_told_and_after_a_day_nobody_is() {
    let there = listening().await;
    let scene = Scene::set().await;
    let world = &scene.world;
    let citizen = world.stranger();
    scene.signed_in(&citizen).await;
    let terms = || Terms { logout_told_at: Some(there.url.parse().unwrap()), ..Terms::default() };
    let stopped = Keyed::register(world, "land", terms()).await;
    let deaf = Keyed::register(world, "sea", terms()).await;
    let _never = Keyed::register(world, "air", terms()).await;
    for portal in [&stopped, &deaf] {
        let code = portal.code_for(world, &citizen, &[]).await;
        portal.exchange(world, &code).await.expect(200);
    }
    let page = citizen.get("/oidc/logout").await.expect(200);
    citizen.post_form("/oidc/logout", &[("form_token", &page.form_field("form_token"))]).await.expect(200);
    assert_eq!(world.count("outbox where topic = 'logout'").await, 2);
    set_client_active(&world.app, stopped.id.parse().unwrap(), false).await.unwrap();
    *there.ear.down.lock().unwrap() = true;
    assert_eq!(tell_logouts(&world.app).await.unwrap(), 2);
    world.later(Duration::from_secs(86_400));
    assert_eq!(tell_logouts(&world.app).await.unwrap(), 1);
    world.later(Duration::from_secs(86_400));
    assert_eq!(tell_logouts(&world.app).await.unwrap(), 0);
    assert_eq!(world.count("outbox where topic = 'logout' and state = 'dead'").await, 2);
    assert!(there.ear.told.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_hint_names_whom_the_portal_means() {
    let scene = Scene::set().await;
    scene.world.register(&["079085000458,,Lê Văn Ba,1985,male,0912345220,79,active,,1,"]).await;
    let citizen = scene.world.stranger();
    let code = scene.signed_in(&citizen).await;
    let tokens = scene.exchange(&code, &[]).await.expect(200).json();
    let hint = tokens["id_token"].as_str().unwrap();
    let silent = [("prompt", Some("none")), ("id_token_hint", Some(hint))];
    let answer = told(&follow(&citizen, &scene.request(&silent)).await.location());
    value(&answer, "code");
    // Somebody else sits there now.
    let other = scene.world.stranger();
    let page = follow(&other, &scene.request(&[])).await;
    let page = scene.number(&other, &page, "079085000458").await;
    let text = scene.world.last_text("+84912345220").await.unwrap();
    scene.code(&other, &page, &text[..6]).await;
    for changes in [&silent[..], &silent[1..]] {
        let answer = told(&follow(&other, &scene.request(changes)).await.location());
        assert_eq!(value(&answer, "error"), "login_required");
    }
    let foreign = portal(&scene.world, "other", Assurance::Low).await;
    let elsewhere = Scene { world: scene.world, portal: foreign };
    let answer = told(&citizen.get(&elsewhere.request(&silent)).await.location());
    assert_eq!(value(&answer, "error"), "invalid_request", "an ID token of another client");
}

#[tokio::test]
async fn a_page_of_another_origin_cannot_sign_anybody_out() {
    let scene = Scene::set().await;
    let citizen = scene.world.stranger();
    scene.signed_in(&citizen).await;
    let page = citizen.get("/oidc/logout").await.expect(200);
    let token = page.form_field("form_token");
    let request =
        citizen.request(reqwest::Method::POST, "/oidc/logout").header("origin", "https://evil.example");
    let asked = citizen.send(request.form(&[("form_token", token.as_str())])).await.expect(200);
    assert!(asked.text().contains("form_token"), "it is asked again");
    let again = follow(&citizen, &scene.request(&[])).await.expect(200);
    assert!(again.text().contains("Nguyễn Thị Hòa"), "still signed in");
}

#[tokio::test]
async fn the_next_person_at_the_browser_sees_nothing_of_whoever_signed_out() {
    let scene = Scene::set().await;
    let citizen = scene.world.stranger();
    let page = scene.to_consent(&citizen).await.expect(200);
    let consent = action(&page, "/consent/");
    let me = citizen.get("/me").await.expect(200);
    citizen.post_form("/sign-out", &[("form_token", &me.form_field("form_token"))]).await.expect(200);
    // What the page was shown with is worth nothing any more...
    let token = page.form_field("form_token");
    let form = [("form_token", &*token), ("answer", "allow")];
    let onward = citizen.post_form(&consent, &form).await.expect(303).location();
    assert!(onward.starts_with("/sign-in/"), "{onward}");
    assert_eq!(scene.world.count("consent").await, 0);
    // ...and the page asks who is there.
    let next = follow(&citizen, &consent).await.expect(200);
    assert!(next.text().contains("name=\"number\"") && !next.text().contains("Hòa"), "{}", next.text());
    scene.world.later(Duration::from_secs(60));
    let page = scene.number(&citizen, &next, HOA).await;
    let text = scene.world.last_text(HOA_PHONE).await.unwrap();
    let page = scene.code(&citizen, &page, &text[..6]).await.expect(200);
    value(&scene.consent(&citizen, &page, "allow", &[]).await, "code");
}

#[tokio::test]
async fn a_portal_signs_out_by_a_form_as_well() {
    let there = listening().await;
    let scene = Scene::set().await;
    let world = &scene.world;
    let citizen = world.stranger();
    scene.signed_in(&citizen).await;
    let terms = Terms { logout_told_at: Some(there.url.parse().unwrap()), ..Terms::default() };
    let portal = Keyed::register(world, "land", terms).await;
    let code = portal.code_for(world, &citizen, &[]).await;
    let tokens = portal.exchange(world, &code).await.expect(200).json();
    let hint = tokens["id_token"].as_str().unwrap();
    let bye = "https://portal.example/bye";
    // The browser sends the portal's form without the session's cookie.
    let form = [("id_token_hint", hint), ("post_logout_redirect_uri", bye), ("state", "a b")];
    let bare = world.stranger();
    let request =
        bare.request(reqwest::Method::POST, "/oidc/logout").header("origin", "https://portal.example");
    let onward = bare.send(request.form(&form)).await.expect(303);
    assert!(!onward.headers.contains_key("set-cookie"), "{:?}", onward.headers);
    assert!(onward.location().starts_with("/oidc/logout?"), "{}", onward.location());
    assert_eq!(world.count("outbox where topic = 'logout'").await, 0);
    // It goes on to the link, and the cookie with it.
    let left = citizen.get(&onward.location()).await.expect(303);
    assert_eq!(left.location(), format!("{bye}?state=a+b"));
    assert!(left.headers.contains_key("set-cookie"));
    citizen.get("/me").await.expect(303);
    assert_eq!(world.count("outbox where topic = 'logout'").await, 1);
    // Where nobody is signed in nothing is forgotten.
    let again = citizen.get(&onward.location()).await.expect(303);
    assert!(again.location() == left.location() && !again.headers.contains_key("set-cookie"));
}
