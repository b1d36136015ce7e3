//! Three moments of one payment that need not fall on one day: the payer's bank accepts at once, the clearing system books in its
//! next session, and the money counts from a day of its own.

use crate::board::{ACCOUNTANT, at_board, grant, people};
use crate::central_bank::{entry, notification};
use crate::office::{ACCOUNT, Office, uuid};
use crate::payments::start;
use crate::world::TestApp;
use chung::base::{calendar::Day, clock::Clock};
use chung::codec::iso20022::Entry;
use chung::identity::role::Role;
use serde_json::json;
use time::macros::datetime;

#[tokio::test]
async fn acceptance_booking_and_value_are_three_days_and_each_is_told() {
    let world = TestApp::start().await;
    people(&world).await;
    let office = Office::open(&world, "H29.14").await;
    grant(&world, ACCOUNTANT.0, Role::Accountant).await;
    let bill = office.bill(&world, "k").await;
    let payment = start(&world, &office, &bill).await;
    let system = office.system(&world, "payment.read statement statement.read");
    let read = format!("/v1/payments/{payment}");
    assert_eq!(system.get(&read).await.expect(200).json()["credited"], json!(null), "nothing came yet");

    let (booked, value) = (Day::new(2026, 11, 24).unwrap(), Day::new(2026, 11, 25).unwrap());
    let accepted = datetime!(2026-11-23 14:05:09 UTC);
    let plain = entry("R1", 205_000, Some(uuid(&payment)), world.clock.now());
    let moved = Entry { accepted: Some(accepted), booked, value, ..plain };
    let told = notification(1, ACCOUNT, vec![moved.clone()], world.clock.now());
    world.tell(&told).await.expect(200);
    let settled = system.get(&read).await.expect(200).json();
    assert_eq!(settled["status"], "settled");
    let moments =
        json!({ "accepted_at": "2026-11-23T14:05:09Z", "booked_on": "2026-11-24", "value_on": "2026-11-25" });
    assert_eq!(settled["credited"], moments);

    // Fetched on the very day from which the money counts.
    world.later(std::time::Duration::from_secs(24 * 3600));
    *world.bank.movements.lock().unwrap() = vec![moved];
    let day = json!({ "account": ACCOUNT, "day": "2026-11-24" });
    let system = office.system(&world, "statement statement.read");
    let statement = system.post_once("/v1/statements", "s", &day).await.expect(200).json();
    assert_eq!(statement["reconciliation"]["matched"], 1);
    let lines = format!("/v1/statements/{}/lines", statement["id"].as_str().unwrap());
    let line = system.get(&lines).await.expect(200).json()["items"][0].clone();
    assert_eq!((&line["accepted_at"], &line["value_on"]), (&moments["accepted_at"], &moments["value_on"]));
    let page = at_board(&world, ACCOUNTANT).await.get(&format!("/board{}", &lines[3..])).await.expect(200);
    for shown in ["Ngày giá trị", "25/11/2026", "Ngân hàng nhận lệnh", "21:05"] {
        assert!(page.text().contains(shown), "{shown} in {}", page.text());
    }
}
