//! SMS are counted and capped per agency, with the cost on a report; a cap leaves every other way open.

use super::*;
use crate::board::{ACCOUNTANT, at_board};
use crate::office::Office;
use chung::flow::read_messages::cap_messages;
use chung::flow::roles::{Granting, grant_role};
use chung::identity::role::Role;
use chung::store::agency::find_by_code;
use serde_json::json;
use std::time::Duration;

/// Types the citizen's number at the portal, in a browser of its own.
async fn asked(scene: &Scene, way: &str) -> Answer {
    let citizen = scene.world.stranger();
    let page = follow(&citizen, &scene.request(&[])).await;
    let form =
        [("form_token", page.form_field("form_token")), ("number", HOA.to_owned()), ("way", way.to_owned())];
    submit(&citizen, &page, "", &form).await
}

#[tokio::test]
async fn an_agency_sees_what_its_codes_cost_and_a_cap_leaves_the_other_ways() {
    let scene = Scene::set().await;
    let world = &scene.world;
    for _ in 0..2 {
        asked(&scene, "sms").await.expect(200);
    }
    // A number that nobody has costs nothing.
    let citizen = world.stranger();
    let page = follow(&citizen, &scene.request(&[])).await;
    scene.number(&citizen, &page, NOBODY).await.expect(200);
    let mut tx = world.app.store.begin().await.unwrap();
    let agency = find_by_code(&mut tx, "H29.hcmc").await.unwrap().unwrap().id;
    drop(tx);
    let office = Office::open(world, "H29.14").await;
    let admin = office.system(world, "admin.read");
    let path = format!("/v1/agencies/{agency}/messages");
    let report = admin.get(&path).await.expect(200).json();
    let expected = json!({
        "agency": agency.to_string(), "month": "2026-11", "segments": 2, "cost": 800, "segments_max": 500_000,
        "kinds": [{ "kind": "sign_in.code", "segments": 2, "cost": 800 }],
    });
    assert_eq!(report, expected);
    assert_eq!(admin.get(&format!("{path}?month=2026-10")).await.expect(200).json()["segments"], 0);
    admin.get(&format!("{path}?month=2026-13")).await.expect_refusal(400, "invalid_parameter");

    let cap = format!("{path}/cap");
    let system = office.system(world, "admin");
    let set = system.post_once(&cap, "cap-1", &json!({ "segments_max": 7 })).await.expect(200).json();
    assert_eq!((&set["segments_max"], &set["segments"]), (&json!(7), &json!(2)));
    assert_eq!(world.count("audit_leaf where kind = 'agency.messages_capped'").await, 1);
    admin.post_once(&cap, "cap-2", &json!({ "segments_max": 7 })).await.expect_refusal(403, "scope_missing");
    system.post_once(&cap, "cap-3", &json!({ "segments_max": -1 })).await.expect_refusal(400, "invalid_body");
    let nobodys = "/v1/agencies/agency_019ab3bf9fee7f8091a2b3c4d5e6f708/messages/cap";
    system.post_once(nobodys, "cap-4", &json!({ "segments_max": 1 })).await.expect_refusal(404, "not_found");
    asked(&scene, "sms").await.expect(200);
    cap_messages(&world.app, "H29.hcmc", 3).await.unwrap();
    let capped = asked(&scene, "sms").await.expect(422);
    assert!(capped.text().contains("đã dùng hết tin nhắn") && capped.text().contains("/passkey\""));
    assert!(asked(&scene, "app").await.expect(200).text().contains("name=\"code\""));
    // A page of ours is the service's own errand, and the next month begins anew.
    let page = follow(&citizen, "/sign-in?return_to=/me&afresh=true").await;
    scene.number(&citizen, &page, HOA).await.expect(200);
    world.later(Duration::from_secs(8 * 86_400));
    asked(&scene, "sms").await.expect(200);
}

#[tokio::test]
async fn whoever_keeps_the_books_of_an_agency_reads_what_its_sms_cost() {
    let scene = Scene::set().await;
    let world = &scene.world;
    asked(&scene, "sms").await.expect(200);
    cap_messages(&world.app, "H29.hcmc", 40).await.unwrap();
    let accountant = at_board(world, ACCOUNTANT).await;
    accountant.get("/board/messages").await.expect(404);
    let granting = Granting {
        number: ACCOUNTANT.0.parse().unwrap(),
        role: Role::Accountant,
        agency_code: "H29.hcmc".to_owned(),
        from: None,
        to: None,
        by: None,
    };
    grant_role(&world.app, &granting).await.unwrap();
    let shown = accountant.get("/board/messages").await.expect(200).text();
    for part in ["Mã đăng nhập", "1 trên 40", "400", "max=\"40\" value=\"1\"", "value=\"2026-11\""] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    let before = accountant.get("/board/messages?month=2026-10").await.expect(200).text();
    assert!(before.contains("chưa gửi tin nhắn nào"), "{before}");
    accountant.get("/board/messages?month=2026-13").await.expect(404);
    accountant.get("/board/messages?agency=elsewhere").await.expect(404);
}
