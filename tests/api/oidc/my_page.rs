//! The citizen's own page: what is shared and taken back, where one is signed in, what is asked and disputed, everything
//! as one file; and the counter that lifts a lock.

use super::mandates::passed_card;
use super::*;
use crate::office::Office;
use chung::flow::roles::{Granting, grant_role};
use chung::identity::role::Role;
use serde_json::json;

const OFFICER: &str = "079091000333";
const OFFICER_PHONE: &str = "+84912345302";

/// The form of a page of the citizen's, answered.
async fn act(citizen: &Actor, page: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
    let token = citizen.get(page).await.expect(200).form_field("form_token");
    let mut form = vec![("form_token", token.as_str())];
    form.extend(fields);
    citizen.post_form(path, &form).await
}

/// The first address of a page that begins so.
fn first(page: &Answer, start: &str) -> String {
    let text = page.text();
    let at = text.find(start).unwrap_or_else(|| panic!("no {start} in {text}"));
    text[at..].split('"').next().unwrap().to_owned()
}

/// An officer of that office, signed in.
async fn officer(scene: &Scene, office: &str) -> Actor {
    scene.world.register(&["079091000333,,Lê Văn Bưu,1991,male,0912345302,79,active,,2,"]).await;
    let granting = Granting {
        number: OFFICER.parse().unwrap(),
        role: Role::Officer,
        agency_code: office.to_owned(),
        from: None,
        to: None,
        by: None,
    };
    grant_role(&scene.world.app, &granting).await.unwrap();
    let browser = scene.world.stranger();
    let page = follow(&browser, "/sign-in?return_to=/desk/requests").await;
    let code_page = scene.number(&browser, &page, OFFICER).await;
    let text = scene.world.last_text(OFFICER_PHONE).await.unwrap();
    scene.code(&browser, &code_page, &text[..6]).await;
    browser
}

#[tokio::test]
async fn a_consent_taken_back_ends_what_it_gave_at_once() {
    let scene = Scene::set().await;
    let citizen = scene.world.stranger();
    let code = scene.signed_in(&citizen).await;
    let tokens = scene.exchange(&code, &[]).await.expect(200).json();
    let portal = scene.world.stranger().with_bearer(tokens["access_token"].as_str().unwrap());
    portal.get("/oidc/userinfo").await.expect(200);
    let page = citizen.get("/me/sharing").await.expect(200);
    assert!(page.text().contains("Cổng dịch vụ công Thành phố") && page.text().contains("trình duyệt này"));
    let withdraw = first(&page, "/me/sharing/consent_");
    let stranger = scene.world.stranger();
    stranger.post_form(&withdraw, &[("form_token", "x")]).await.expect(303);
    portal.get("/oidc/userinfo").await.expect(200);
    citizen.post_form(&withdraw, &[("form_token", "x")]).await.expect(400);
    act(&citizen, "/me/sharing", &withdraw, &[]).await.expect(303);
    portal.get("/oidc/userinfo").await.expect(401);
    act(&citizen, "/me/sharing", &withdraw, &[]).await.expect(404);
    let silent = scene.request(&[("prompt", Some("none"))]);
    let told = told(&follow(&citizen, &silent).await.expect(303).location());
    assert_eq!(value(&told, "error"), "consent_required");
    let history = citizen.get("/me").await.expect(200).text();
    assert!(history.contains("Ông/bà rút sự đồng ý"), "{history}");
}

#[tokio::test]
async fn a_session_elsewhere_is_ended_from_here() {
    let scene = Scene::set().await;
    let (here, there) = (scene.world.stranger(), scene.world.stranger());
    scene.signed_in(&there).await;
    scene.world.later(std::time::Duration::from_secs(1));
    scene.signed_in(&here).await;
    let page = here.get("/me/sharing").await.expect(200).text();
    let ends: Vec<&str> = page.split('"').filter(|part| part.ends_with("/end")).collect();
    assert_eq!(ends.len(), 2, "{page}");
    // The newest stands first, and it is this one.
    act(&here, "/me/sharing", ends[1], &[]).await.expect(303);
    there.get("/me").await.expect(303);
    here.get("/me").await.expect(200);
    act(&here, "/me/sharing", ends[1], &[]).await.expect(404);
}

#[tokio::test]
async fn a_dispute_has_days_that_both_sides_see_and_an_answer() {
    let scene = Scene::set().await;
    let office = Office::open(&scene.world, "H29.99").await;
    let citizen = scene.world.stranger();
    scene.signed_in(&citizen).await;
    // Lists are ordered by time, so what is asked now stands first.
    scene.world.later(std::time::Duration::from_secs(1));
    let question = json!({
        "number": HOA, "attributes": { "name": "Nguyễn Thị Hòa" }, "purpose": "Cấp Phiếu lý lịch tư pháp",
        "procedure": "2.000488", "dossier": "H29.99-261124-0001", "officer": "hoa.nt",
    });
    office
        .system(&scene.world, "verification")
        .post_once("/v1/verifications", "q", &question)
        .await
        .expect(201);
    let history = citizen.get("/me").await.expect(200);
    let about = first(&history, "/me/requests?about=");
    let leaf = about.split('=').nth(1).unwrap().to_owned();
    let dispute = [("kind", "dispute"), ("leaf", leaf.as_str()), ("words", "Tôi không nộp hồ sơ này.")];
    act(&citizen, &about, "/me/requests", &[("kind", "dispute"), ("leaf", &leaf), ("words", " ")])
        .await
        .expect(422);
    act(&citizen, &about, "/me/requests", &dispute).await.expect(303);
    act(&citizen, &about, "/me/requests", &dispute).await.expect(409);
    let foreign = "leaf_00000000000000000000000000000001";
    act(&citizen, &about, "/me/requests", &[("kind", "dispute"), ("leaf", foreign), ("words", "x")])
        .await
        .expect(404);
    let mine = citizen.get("/me/requests").await.expect(200).text();
    // Filed on Tuesday: two working days, fifteen days.
    assert!(mine.contains("26/11/2026") && mine.contains("09/12/2026"), "{mine}");

    let other = officer(&scene, "H29.hcmc").await;
    assert!(other.get("/desk/requests").await.expect(200).text().contains("Không có yêu cầu nào"));
    let desk = officer(&scene, "H29.99").await;
    let open = desk.get("/desk/requests").await.expect(200);
    assert!(open.text().contains("Tôi không nộp hồ sơ này.") && open.text().contains("Nguyễn Thị Hòa"));
    let path = first(&open, "/desk/requests/request_");
    act(&desk, "/desk/requests", &path, &[("act", "extend")]).await.expect(303);
    assert!(citizen.get("/me/requests").await.expect(200).text().contains("24/12/2026"));
    act(&desk, "/desk/requests", &path, &[("act", "extend")]).await.expect(409);
    act(&desk, "/desk/requests", &path, &[("act", "grant")]).await.expect(422);
    act(&desk, "/desk/requests", &path, &[("act", "grant"), ("words", "Đã sửa.")]).await.expect(303);
    let answered = citizen.get("/me/requests").await.expect(200).text();
    assert!(answered.contains("Đã sửa.") && answered.contains("chấp nhận"), "{answered}");
    act(&citizen, "/me/requests", &path, &[("act", "grant"), ("words", "x")]).await.expect(404);
}

#[tokio::test]
async fn a_dispute_with_an_agency_that_was_succeeded_is_answered_by_its_successor() {
    let scene = Scene::set().await;
    let world = &scene.world;
    let (old, new) = (Office::open(world, "H29.99").await, Office::open(world, "H29.98").await);
    let admin = Office::open(world, "H29").await;
    let desk = officer(&scene, "H29.99").await;
    let citizen = world.stranger();
    scene.signed_in(&citizen).await;
    let system = old.system(world, "verification");
    for dossier in ["H29.99-261124-0001", "H29.99-261124-0002"] {
        world.later(std::time::Duration::from_secs(1));
        let question = json!({
            "number": HOA, "attributes": { "name": "Nguyễn Thị Hòa" }, "purpose": "Cấp Phiếu lý lịch tư pháp",
            "procedure": "2.000488", "dossier": dossier, "officer": "hoa.nt",
        });
        system.post_once("/v1/verifications", dossier, &question).await.expect(201);
    }
    let history = citizen.get("/me").await.expect(200).text();
    let mut entries = history.split('"').filter(|part| part.starts_with("/me/requests?about="));
    let dispute = async |about: &str, words: &str| {
        let leaf = about.split('=').nth(1).unwrap();
        let asked = [("kind", "dispute"), ("leaf", leaf), ("words", words)];
        act(&citizen, about, "/me/requests", &asked).await.expect(303);
    };
    let grant = async |words: &str| {
        let open = desk.get("/desk/requests").await.expect(200);
        assert!(open.text().contains(words), "{}", open.text());
        let path = first(&open, "/desk/requests/request_");
        act(&desk, "/desk/requests", &path, &[("act", "grant"), ("words", "Đã sửa.")]).await.expect(303);
    };
    // One is filed before the successor's first day, another one after it.
    dispute(entries.next().unwrap(), "Tôi không nộp hồ sơ này.").await;
    world.register(&["079091000444,,Phạm Văn Trị,1991,male,0912345303,79,active,,2,"]).await;
    let administrator = crate::books::officer(world, "079091000444", Role::Administrator, "H29").await;
    crate::succession::merge(world, (&admin, &administrator), (&old, &new), "2026-11-24").await;
    grant("Tôi không nộp hồ sơ này.").await;
    dispute(entries.next().unwrap(), "Hồ sơ này cũng không.").await;
    grant("Hồ sơ này cũng không.").await;
    assert_eq!(world.count("subject_request where state = 'granted'").await, 2);
}

#[tokio::test]
async fn a_request_past_its_day_shows_as_late() {
    let scene = Scene::set().await;
    let citizen = scene.world.stranger();
    scene.signed_in(&citizen).await;
    act(&citizen, "/me/requests", "/me/requests", &[("kind", "nothing"), ("words", "x")]).await.expect(422);
    act(&citizen, "/me/requests", "/me/requests", &[("kind", "access"), ("words", "Đang lưu gì về tôi?")])
        .await
        .expect(303);
    assert!(!citizen.get("/me/requests").await.expect(200).text().contains("đã quá hạn"));
    scene.world.clock.advance(std::time::Duration::from_secs(3 * 86_400));
    let later = scene.world.stranger();
    scene.signed_in(&later).await;
    assert!(later.get("/me/requests").await.expect(200).text().contains("đã quá hạn"));
    later.get("/desk/requests").await.expect(403);
    later.get("/desk/mandates").await.expect(403);
}

#[tokio::test]
async fn each_right_has_the_days_that_the_law_gives_it() {
    let scene = Scene::set().await;
    let citizen = scene.world.stranger();
    scene.signed_in(&citizen).await;
    // Filed on Tuesday, 24 November: the first answer within two working days, the decision within so many days.
    let days = [
        ("access", "04/12/2026"),
        ("correction", "14/12/2026"),
        ("restriction", "09/12/2026"),
        ("objection", "09/12/2026"),
        ("erasure", "14/12/2026"),
    ];
    for (kind, day) in days {
        let words = format!("Yêu cầu {kind}");
        act(&citizen, "/me/requests", "/me/requests", &[("kind", kind), ("words", &words)]).await.expect(303);
        let page = citizen.get("/me/requests").await.expect(200).text();
        let file = citizen.get("/me/export").await.expect(200).json();
        let filed = file["requests"].as_array().unwrap().iter().find(|r| r["right"] == kind).unwrap().clone();
        assert_eq!((&filed["words"], &filed["state"]), (&json!(words), &json!("filed")), "{filed}");
        assert!(page.contains(day) && page.contains("26/11/2026"), "{kind}: {page}");
    }
    // Without words, for an entry that is not named, or by whoever is not signed in, nothing is filed.
    act(&citizen, "/me/requests", "/me/requests", &[("kind", "erasure"), ("words", "")]).await.expect(422);
    let nobody = scene.world.stranger();
    nobody
        .post_form("/me/requests", &[("kind", "access"), ("words", "x"), ("form_token", "x")])
        .await
        .expect(303);
    assert_eq!(scene.world.count("subject_request").await, 5);
}

#[tokio::test]
async fn everything_about_a_citizen_is_one_file_for_that_citizen() {
    let scene = Scene::set().await;
    let citizen = scene.world.stranger();
    scene.signed_in(&citizen).await;
    let answer = citizen.get("/me/export").await.expect(200);
    let file = answer.json();
    assert_eq!((&file["record"]["number"], &file["record"]["name"]), (&json!(HOA), &json!("Nguyễn Thị Hòa")));
    let kinds: Vec<&str> =
        file["history"].as_array().unwrap().iter().filter_map(|entry| entry["kind"].as_str()).collect();
    assert!(kinds.contains(&"consent.given") && kinds.contains(&"sign_in.confirmed"), "{kinds:?}");
    assert_eq!(file["consents"].as_array().unwrap().len(), 1);
    scene.world.stranger().get("/me/export").await.expect(303);
}

#[tokio::test]
async fn a_counter_lifts_a_lock_against_the_card_and_the_citizen_reads_it() {
    let scene = Scene::set().await;
    let office = Office::open(&scene.world, "H29.99").await;
    let citizen = scene.world.stranger();
    scene.signed_in(&citizen).await;
    act(&citizen, "/me/locks", "/me/locks", &[("scope", "everything")]).await.expect(200);
    let desk = officer(&scene, "H29.99").await;
    let agency = office.agency.to_string();
    let lift = [("agency", agency.as_str()), ("number", HOA)];
    let refused = act(&desk, "/desk/mandates", "/desk/locks", &lift).await.expect(422);
    assert!(refused.text().contains("card_check_needed"), "{}", refused.text());
    passed_card(&scene, HOA, OFFICER, office.agency).await;
    act(&desk, "/desk/mandates", "/desk/locks", &lift).await.expect(200);
    act(&desk, "/desk/mandates", "/desk/locks", &lift).await.expect(422);
    let again = scene.world.stranger();
    scene.signed_in(&again).await;
    assert!(again.get("/me").await.expect(200).text().contains("Một khóa đã được mở"));
}
