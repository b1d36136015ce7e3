//! What a citizen locks is locked from the very next request, and what a law, the card or money needs goes on.

use super::*;
use crate::office::Office;
use serde_json::json;

/// The citizen's page of locks, with its form token.
async fn lock(citizen: &Actor, scope: &str, portal: &str, last_day: &str) -> Answer {
    let token = citizen.get("/me/locks").await.expect(200).form_field("form_token");
    let form = [("form_token", token.as_str()), ("scope", scope), ("portal", portal), ("last_day", last_day)];
    citizen.post_form("/me/locks", &form).await
}

/// Asks whether Hòa is Hòa, under a key that nobody used.
async fn asked(scene: &Scene, office: &Office, key: &str, law: Option<&str>) -> Answer {
    let mut body = json!({
        "number": HOA, "attributes": { "name": "Nguyễn Thị Hòa" }, "purpose": "Cấp Phiếu lý lịch tư pháp",
        "procedure": "2.000488", "dossier": "H29.14-261124-0001", "officer": "hoa.nt",
    });
    if let Some(law) = law {
        body["legal_basis"] = json!(law);
    }
    office.system(&scene.world, "verification").post_once("/v1/verifications", key, &body).await
}

#[tokio::test]
async fn a_lock_on_everything_ends_what_there_is_and_lets_nobody_in() {
    let scene = Scene::set().await;
    let office = Office::open(&scene.world, "H29.99").await;
    let citizen = scene.world.stranger();
    let code = scene.signed_in(&citizen).await;
    let tokens = scene.exchange(&code, &[]).await.expect(200).json();
    let portal = scene.world.stranger().with_bearer(tokens["access_token"].as_str().unwrap());
    portal.get("/oidc/userinfo").await.expect(200);
    let waiting = scene.world.stranger();
    let unfinished = scene.to_consent(&waiting).await.expect(200);

    let done = lock(&citizen, "everything", "", "").await.expect(200);
    assert!(done.text().contains("Đã khóa"), "{}", done.text());

    portal.get("/oidc/userinfo").await.expect(401);
    citizen.get("/me").await.expect(303);
    let told = scene.consent(&waiting, &unfinished, "allow", &[]).await;
    assert_eq!(
        value(&told, "error"),
        "access_denied",
        "another browser's sign-in is stopped at its next step"
    );
    let state = |answer: Answer| answer.expect(201).json()["state"].clone();
    assert_eq!(state(asked(&scene, &office, "consent", None).await), "locked");

    // No code goes out, and the page is the one that everybody sees.
    let sent = scene.world.telephones.0.lock().unwrap().len();
    let stranger = scene.world.stranger();
    let page = follow(&stranger, &scene.request(&[])).await;
    let code_page = scene.number(&stranger, &page, HOA).await.expect(200);
    assert!(code_page.text().contains("name=\"code\""));
    scene.world.last_text(HOA_PHONE).await;
    assert_eq!(scene.world.telephones.0.lock().unwrap().len(), sent);
}

#[tokio::test]
async fn a_law_on_the_list_passes_a_lock_and_the_citizen_reads_it() {
    let scene = Scene::set().await;
    let office = Office::open(&scene.world, "H29.99").await;
    let citizen = scene.world.stranger();
    scene.signed_in(&citizen).await;
    let law = "Luật Cư trú 68/2020/QH14, Điều 37";
    asked(&scene, &office, "unlisted", Some(law)).await.expect_refusal(422, "legal_basis_unknown");
    let list = format!("/v1/clients/{}/legal_bases", office.client);
    let admin = office.system(&scene.world, "admin");
    let entry = json!({ "basis": law, "valid_from": "2026-01-01" });
    admin.post_once(&list, "list", &entry).await.expect(201);
    let backwards = json!({ "basis": law, "valid_from": "2026-01-01", "valid_to": "2025-01-01" });
    admin.post_once(&list, "backwards", &backwards).await.expect_refusal(400, "invalid_body");

    lock(&citizen, "verifications", "", "").await.expect(303);
    let state = |answer: Answer| answer.expect(201).json()["state"].clone();
    assert_eq!(state(asked(&scene, &office, "consent", None).await), "locked");
    assert_eq!(state(asked(&scene, &office, "law", Some(law)).await), "match");
    // A lock tells nothing to whoever does not know the person.
    let page = citizen.get("/me").await.expect(200).text();
    assert!(page.contains(law) && page.contains("đang khóa") && page.contains("Tra cứu"), "{page}");
    assert!(!page.contains("me-") && !page.contains("lock-"), "{page}");

    let over = json!({ "basis": law, "valid_from": "2026-01-01", "valid_to": "2026-11-23" });
    admin.post_once(&list, "over", &over).await.expect(201);
    asked(&scene, &office, "ended", Some(law)).await.expect_refusal(422, "legal_basis_unknown");
}

#[tokio::test]
async fn a_portal_is_locked_to_the_end_of_the_last_day_and_another_is_not() {
    let scene = Scene::set().await;
    let citizen = scene.world.stranger();
    let code = scene.signed_in(&citizen).await;
    let tokens = scene.exchange(&code, &[]).await.expect(200).json();
    let portal = scene.world.stranger().with_bearer(tokens["access_token"].as_str().unwrap());
    lock(&citizen, "portal", &scene.portal.id, "2026-11-24").await.expect(303);
    portal.get("/oidc/userinfo").await.expect(401);
    let denied = follow(&citizen, &scene.request(&[])).await.expect(303).location();
    assert_eq!(value(&told(&denied), "error"), "access_denied");
    assert!(citizen.get("/me/locks").await.expect(200).text().contains("Cổng dịch vụ công Thành phố"));

    let stranger = scene.world.stranger();
    let page = follow(&stranger, &scene.request(&[])).await;
    let code_page = scene.number(&stranger, &page, HOA).await;
    let text = scene.world.last_text(HOA_PHONE).await.unwrap();
    scene.code(&stranger, &code_page, &text[..6]).await.expect(403);

    let other = super::portal(&scene.world, "land", Assurance::Low).await;
    let elsewhere = Scene { world: scene.world, portal: other };
    let page = follow(&citizen, &elsewhere.request(&[])).await.expect(200);
    assert!(page.text().contains("Nguyễn Thị Hòa"), "another portal is open");

    // The day ends at 17:00 UTC.
    elsewhere.world.clock.advance(std::time::Duration::from_secs(15 * 3600));
    let page = follow(&stranger, &elsewhere.request(&[])).await.expect(200);
    assert!(page.text().contains("name=\"number\""));
    let fresh = elsewhere.world.stranger();
    elsewhere.signed_in(&fresh).await;
    assert!(fresh.get("/me/locks").await.expect(200).text().contains("Không có gì bị khóa"));
}

#[tokio::test]
async fn a_code_by_sms_locks_its_own_way_and_lifts_nothing() {
    let scene = Scene::set().await;
    let citizen = scene.world.stranger();
    scene.signed_in(&citizen).await;
    lock(&citizen, "verifications", "", "2026-11-23").await.expect(422);
    lock(&citizen, "portal", "", "").await.expect(422);
    lock(&citizen, "verifications", "", "").await.expect(303);
    lock(&citizen, "verifications", "", "2026-12-01").await.expect(303);
    assert_eq!(scene.world.count("citizen_lock where lifted_at is null").await, 1, "the later one replaces");
    let id: String = scene.world.dump("citizen_lock").await;
    let id = id.lines().last().unwrap()[1..37].replace('-', "");
    let token = citizen.get("/me/locks").await.form_field("form_token");
    let path = format!("/me/locks/lock_{id}/lift");
    let refused = citizen.post_form(&path, &[("form_token", &token)]).await.expect(403);
    assert!(refused.text().contains("thẻ căn cước"), "{}", refused.text());
    citizen.post_form(&path, &[("form_token", "x")]).await.expect(400);
    lock(&citizen, "method-sms_code", "", "").await.expect(200);
    citizen.get("/me").await.expect(303);
}

#[tokio::test]
async fn of_a_lock_and_a_sign_in_at_once_the_lock_holds() {
    let scene = Scene::set().await;
    let citizen = scene.world.stranger();
    let code = scene.signed_in(&citizen).await;
    let (exchanged, locked) = tokio::join!(scene.exchange(&code, &[]), lock(&citizen, "everything", "", ""));
    locked.expect(200);
    if exchanged.status == 200 {
        let token = exchanged.json()["access_token"].as_str().unwrap().to_owned();
        scene.world.stranger().with_bearer(token).get("/oidc/userinfo").await.expect(401);
    }
}
