//! A registered series: its form, its range and its days, which numbers keep to.

use crate::office::Office;
use crate::payments::start;
use crate::world::TestApp;
use chung::flow::issue_due_receipts::issue_due_receipts;
use serde_json::{Value, json};
use std::time::Duration;

/// A series of phí with these letters, in force from one day to another.
fn series(letters: &str, (from, to): (&str, &str)) -> Value {
    json!({
        "kind": "phi", "letters": letters, "form": "01BLP0-001", "first": 1, "last": 9, "valid_from": from, "valid_to": to,
    })
}

/// A bill under that key that is paid now; the number of its receipt, if it has one.
async fn paid(world: &TestApp, office: &Office, nth: u128) -> Value {
    let bill = office.bill(world, &format!("k{nth}")).await;
    let payment = start(world, office, &bill).await;
    world.tell(&world.credit(nth, &format!("R{nth}"), 205_000, &payment)).await.expect(200);
    let path = format!("/v1/receipts?bill={}", bill["id"].as_str().unwrap());
    office.system(world, "receipt.read").get(&path).await.expect(200).json()["items"][0]["number"].clone()
}

#[tokio::test]
async fn a_series_gives_numbers_on_its_own_days_alone() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let system = office.system(&world, "receipt receipt.read");
    for (key, days) in
        [("backwards", ("2026-12-01", "2026-11-30")), ("two-years", ("2026-12-01", "2027-01-31"))]
    {
        system
            .post_once("/v1/receipts/series", key, &series("AP", days))
            .await
            .expect_refusal(400, "invalid_body");
    }
    system
        .post_once("/v1/receipts/series", "a", &series("AP", ("2026-11-01", "2026-11-30")))
        .await
        .expect(201);
    system
        .post_once("/v1/receipts/series", "c", &series("CP", ("2026-12-02", "2026-12-31")))
        .await
        .expect(201);
    assert_eq!(paid(&world, &office, 1).await, "H29.14-AP26E-0000001");
    // The first of December: one series is over, though it has numbers left, and the next has not begun.
    world.later(Duration::from_secs(7 * 86_400));
    let system = office.system(&world, "receipt receipt.read");
    assert_eq!(paid(&world, &office, 2).await, Value::Null);
    assert_eq!(issue_due_receipts(&world.app).await.unwrap(), 1);
    let due = system.get("/v1/receipts/due").await.expect(200).json();
    assert_eq!(due["items"][0]["last_outcome"], "no_series");
    // The second of December in Vietnam begins at five in the afternoon before.
    world.later(Duration::from_secs(15 * 3_600));
    assert_eq!(issue_due_receipts(&world.app).await.unwrap(), 1);
    let listed = system.get("/v1/receipts").await.expect(200).json();
    assert_eq!(listed["items"][0]["number"], "H29.14-CP26E-0000001");
    let read = system.get(&format!("/v1/receipts/{}", listed["items"][0]["id"].as_str().unwrap())).await;
    let read = read.expect(200).json();
    assert_eq!((&read["form"], &read["series"]), (&json!("01BLP0-001"), &json!("CP-26E")));
    // The quarter's report has both, each with what it gave and what is left.
    let used = system.get("/v1/receipts/use?quarter=2026-Q4").await.expect(200).json();
    for letters in ["AP-26E", "CP-26E"] {
        let row = used["items"].as_array().unwrap().iter().find(|row| row["series"] == letters).unwrap();
        assert_eq!((&row["issued"]["count"], &row["form"]), (&json!(1), &json!("01BLP0-001")), "{row}");
    }
}
