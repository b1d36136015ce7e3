//! Sign-ins without a page: the code carries what was answered, is worth one exchange, and is worth nothing once what it
//! rests on has ended; of many at once each hears its own answer.

use super::*;
use chung::flow::register_client::set_client_active;
use futures_util::future::join_all;
use std::time::Duration;

impl Scene {
    /// The address with which this portal asks without a page.
    fn quietly(&self, portal: &Portal) -> String {
        self.request(&[("client_id", Some(&portal.id)), ("prompt", Some("none"))])
    }

    /// A code for whoever is signed in at this browser and has agreed.
    async fn silent(&self, citizen: &Actor, portal: &Portal) -> String {
        value(&told(&citizen.get(&self.quietly(portal)).await.expect(303).location()), "code")
    }

    /// Whoever is signed in agrees to this portal, and gives back the code of the page.
    async fn agreed(&self, citizen: &Actor, portal: &Portal) -> String {
        let page = follow(citizen, &self.request(&[("client_id", Some(&portal.id))])).await.expect(200);
        value(&self.consent(citizen, &page, "allow", &["phone_number"]).await, "code")
    }

    async fn rows(&self) -> i64 {
        self.world.count("\"authorization\"").await
    }
}

/// The portal is told that the grant is worth nothing, and why.
fn refused(answer: Answer, why: &str) {
    let told = answer.expect(400).json();
    assert_eq!(told["error"], "invalid_grant", "{told}");
    assert!(told["error_description"].as_str().unwrap().contains(why), "{told}");
}

async fn sign_out(citizen: &Actor) {
    let page = citizen.get("/oidc/logout").await.expect(200);
    citizen.post_form("/oidc/logout", &[("form_token", &page.form_field("form_token"))]).await.expect(200);
}

async fn lock(citizen: &Actor, portal: &Portal) {
    let token = citizen.get("/me/locks").await.expect(200).form_field("form_token");
    let form =
        [("form_token", token.as_str()), ("scope", "portal"), ("portal", &portal.id), ("last_day", "")];
    citizen.post_form("/me/locks", &form).await.expect(303);
}

#[tokio::test]
async fn a_code_of_no_page_carries_its_sign_in_until_it_is_exchanged_once() {
    let scene = Scene::set().await;
    let citizen = scene.world.stranger();
    scene.signed_in(&citizen).await;
    let before = scene.rows().await;
    let code = scene.silent(&citizen, &scene.portal).await;
    assert!(code.starts_with("chc_") && code.len() < 1_000, "{code}");
    assert_eq!(scene.rows().await, before, "nothing stands for what may never come");
    // Whatever is wrong is told, and the code stays good for whom it was given to.
    let foreign = portal(&scene.world, "land", Assurance::Low).await;
    refused(foreign.redeem(&scene.world, &code, &[]).await, "unknown");
    let other_address = [("redirect_uri", "https://portal.example/callback/")];
    refused(scene.exchange(&code, &other_address).await, "redirect_uri");
    let other_verifier = [("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXK")];
    refused(scene.exchange(&code, &other_verifier).await, "code_verifier");
    for at in [4, 40, 100, code.len() - 1] {
        let mut altered = code.clone().into_bytes();
        altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
        refused(scene.exchange(std::str::from_utf8(&altered).unwrap(), &[]).await, "not a code");
    }
    refused(scene.exchange(&code[..code.len() - 4], &[]).await, "not a code");
    let resource = scene.exchange(&code, &[("resource", "https://records.example/api")]).await.expect(400);
    assert_eq!(resource.json()["error"], "invalid_target");
    assert_eq!(scene.rows().await, before);

    let tokens = scene.exchange(&code, &[]).await.expect(200).json();
    let said = claims(tokens["id_token"].as_str().unwrap());
    assert_eq!((said["nonce"].as_str(), said["acr"].as_str()), (Some("n-1"), Some("urn:chung:acr:low")));
    assert_eq!(scene.rows().await, before + 1);
    let bearer = scene.world.stranger().with_bearer(tokens["access_token"].as_str().unwrap());
    assert_eq!(bearer.get("/oidc/userinfo").await.expect(200).json()["name"], "Nguyễn Thị Hòa");
    // A code that comes again ends what it gave, however late and however wrong.
    scene.world.later(Duration::from_secs(61));
    refused(scene.exchange(&code, &other_verifier).await, "used before");
    bearer.get("/oidc/userinfo").await.expect(401);
    refused(scene.exchange(&code, &[]).await, "revoked");
    assert_eq!(scene.world.count("audit_leaf where kind = 'code.replayed'").await, 1);

    let late = scene.silent(&citizen, &scene.portal).await;
    scene.world.later(Duration::from_secs(60));
    refused(scene.exchange(&late, &[]).await, "expired");
    assert_eq!(scene.rows().await, before + 1);
}

#[tokio::test]
async fn of_many_exchanges_of_one_carried_code_at_once_one_wins_and_the_others_end_what_it_gave() {
    let scene = Scene::set().await;
    let citizen = scene.world.stranger();
    scene.signed_in(&citizen).await;
    let code = scene.silent(&citizen, &scene.portal).await;
    let answers = join_all((0..5).map(|_| scene.exchange(&code, &[]))).await;
    let (won, lost): (Vec<Answer>, Vec<Answer>) = answers.into_iter().partition(|a| a.status == 200);
    assert_eq!((won.len(), lost.len()), (1, 4));
    lost.into_iter().for_each(|answer| refused(answer, ""));
    let bearer = scene.world.stranger().with_bearer(won[0].json()["access_token"].as_str().unwrap());
    bearer.get("/oidc/userinfo").await.expect(401);
    assert_eq!(scene.world.count("audit_leaf where kind = 'code.replayed'").await, 1);
}

#[tokio::test]
async fn of_many_codes_of_many_portals_at_once_each_hears_its_own_answer() {
    let scene = Scene::set().await;
    let citizen = scene.world.stranger();
    scene.signed_in(&citizen).await;
    let mut portals = Vec::new();
    for sector in ["land", "sea", "air", "road", "rail", "post"] {
        let portal = portal(&scene.world, sector, Assurance::Low).await;
        scene.agreed(&citizen, &portal).await;
        portals.push(portal);
    }
    let codes = join_all(portals.iter().map(|portal| scene.silent(&citizen, portal))).await;
    lock(&citizen, &portals[1]).await;
    set_client_active(&scene.world.app, portals[4].id.parse().unwrap(), false).await.unwrap();
    let wrong = [("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXK")];
    let asked = portals.iter().zip(&codes).enumerate().map(|(place, (portal, code))| {
        portal.redeem(&scene.world, code, if place == 3 { &wrong } else { &[] })
    });
    let answers = join_all(asked).await;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [200, 400, 200, 400, 401, 200]);
    let error = |place: usize| answers[place].json()["error"].as_str().unwrap_or_default().to_owned();
    assert_eq!([error(1), error(3), error(4)], ["invalid_grant", "invalid_grant", "invalid_client"]);
    let subjects: std::collections::BTreeSet<String> = [0, 2, 5]
        .map(|place| claims(answers[place].json()["id_token"].as_str().unwrap())["sub"].to_string())
        .into();
    assert_eq!(subjects.len(), 3, "each sector knows the citizen by a name of its own");
    for (place, portal) in [(0, &portals[0]), (2, &portals[2]), (5, &portals[5])] {
        let told = claims(answers[place].json()["access_token"].as_str().unwrap());
        assert_eq!(told["client_id"], portal.id.as_str());
    }
    // The lock is told to nobody as such; the wrong verifier has spent nothing.
    portals[3].redeem(&scene.world, &codes[3], &[]).await.expect(200);
}

#[tokio::test]
async fn of_many_questions_without_a_page_at_once_each_hears_its_own_answer() {
    let scene = Scene::set().await;
    let (citizen, stranger) = (scene.world.stranger(), scene.world.stranger());
    scene.signed_in(&citizen).await;
    let strange = portal(&scene.world, "land", Assurance::Low).await;
    let stopped = portal(&scene.world, "sea", Assurance::Low).await;
    let locked = portal(&scene.world, "air", Assurance::Low).await;
    let strong = portal(&scene.world, "road", Assurance::Substantial).await;
    scene.agreed(&citizen, &locked).await;
    lock(&citizen, &locked).await;
    set_client_active(&scene.world.app, stopped.id.parse().unwrap(), false).await.unwrap();
    let asked = [&scene.portal, &strange, &stopped, &locked, &strong, &scene.portal];
    let rows = scene.rows().await;
    let answers = join_all(
        asked.map(|portal| async { told(&citizen.get(&scene.quietly(portal)).await.expect(303).location()) }),
    );
    let path = scene.quietly(&scene.portal);
    let (answers, nobody) = tokio::join!(answers, follow(&stranger, &path));
    let errors: Vec<&str> = answers
        .iter()
        .map(|told| told.iter().find(|(name, _)| name == "error").map_or("", |(_, code)| code.as_str()))
        .collect();
    let expected = ["", "consent_required", "unauthorized_client", "access_denied", "login_required", ""];
    assert_eq!(errors, expected);
    assert_eq!(value(&told(&nobody.location()), "error"), "login_required");
    assert_eq!(scene.rows().await, rows + 1, "only who had no session began a sign-in");
    let (one, two) = (value(&answers[0], "code"), value(&answers[5], "code"));
    assert_ne!(one, two);
    let exchanged = tokio::join!(scene.exchange(&one, &[]), scene.exchange(&two, &[]));
    exchanged.0.expect(200);
    exchanged.1.expect(200);
}

#[tokio::test]
async fn a_code_is_worth_nothing_once_its_session_has_ended() {
    let scene = Scene::set().await;
    let citizen = scene.world.stranger();
    scene.signed_in(&citizen).await;
    let land = portal(&scene.world, "land", Assurance::Low).await;
    let of_page = scene.agreed(&citizen, &land).await;
    let carried = scene.silent(&citizen, &scene.portal).await;
    sign_out(&citizen).await;
    refused(land.redeem(&scene.world, &of_page, &[]).await, "no longer allowed");
    refused(scene.exchange(&carried, &[]).await, "no longer allowed");
    let quiet = follow(&citizen, &scene.quietly(&scene.portal)).await.expect(303);
    assert_eq!(value(&told(&quiet.location()), "error"), "login_required");

    // Whoever signs out while a code is exchanged has either ended its tokens or its code.
    scene.signed_in(&citizen).await;
    let carried = scene.silent(&citizen, &scene.portal).await;
    let ((), exchanged) = tokio::join!(sign_out(&citizen), scene.exchange(&carried, &[]));
    if exchanged.status == 200 {
        let bearer = scene.world.stranger().with_bearer(exchanged.json()["access_token"].as_str().unwrap());
        bearer.get("/oidc/userinfo").await.expect(401);
    } else {
        refused(exchanged, "no longer allowed");
    }
}

#[tokio::test]
async fn a_newer_session_of_the_same_person_takes_the_code_over() {
    let scene = Scene::set().await;
    let citizen = scene.world.stranger();
    scene.signed_in(&citizen).await;
    let carried = scene.silent(&citizen, &scene.portal).await;
    let page = follow(&citizen, &scene.request(&[("prompt", Some("login"))])).await.expect(200);
    let code_page = scene.number(&citizen, &page, HOA).await;
    let text = scene.world.last_text(HOA_PHONE).await.unwrap();
    scene.code(&citizen, &code_page, &text[..6]).await.expect(200);
    scene.exchange(&carried, &[]).await.expect(200);
}

#[tokio::test]
async fn a_code_is_worth_nothing_once_its_consent_was_taken_back_or_its_portal_was_stopped() {
    let scene = Scene::set().await;
    let citizen = scene.world.stranger();
    let of_page = scene.signed_in(&citizen).await;
    let carried = scene.silent(&citizen, &scene.portal).await;
    let stopped = scene.silent(&citizen, &scene.portal).await;
    let portal = scene.portal.id.parse().unwrap();
    set_client_active(&scene.world.app, portal, false).await.unwrap();
    let answer = scene.exchange(&stopped, &[]).await.expect(401).json();
    assert_eq!(answer["error"], "invalid_client");
    set_client_active(&scene.world.app, portal, true).await.unwrap();
    scene.exchange(&stopped, &[]).await.expect(200);

    let page = citizen.get("/me/sharing").await.expect(200);
    let withdraw = action(&page, "/me/sharing/consent_");
    let token = page.form_field("form_token");
    citizen.post_form(&withdraw, &[("form_token", token.as_str())]).await.expect(303);
    refused(scene.exchange(&carried, &[]).await, "consent withdrawn");
    refused(scene.exchange(&of_page, &[]).await, "consent withdrawn");
    let quiet = told(&citizen.get(&scene.quietly(&scene.portal)).await.expect(303).location());
    assert_eq!(value(&quiet, "error"), "consent_required");
}

#[tokio::test]
async fn whoever_has_agreed_and_has_no_name_in_a_sector_yet_gets_one_and_keeps_it() {
    let scene = Scene::set().await;
    let citizen = scene.world.stranger();
    scene.signed_in(&citizen).await;
    scene.world.sql("delete from pseudonym").await.unwrap();
    // Several ask at once: one name is drawn.
    let codes = join_all((0..3).map(|_| scene.silent(&citizen, &scene.portal))).await;
    let answers = join_all(codes.iter().map(|code| scene.exchange(code, &[]))).await;
    let subjects: std::collections::BTreeSet<String> = answers
        .into_iter()
        .map(|answer| claims(answer.expect(200).json()["id_token"].as_str().unwrap())["sub"].to_string())
        .collect();
    assert_eq!(subjects.len(), 1);
    assert_eq!(scene.world.count("pseudonym").await, 1);
}
