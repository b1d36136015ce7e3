//! What becomes of events on their way: numbers, keys that change, what was not acknowledged, and telling again.

use crate::board::{ACCOUNTANT, at_board, grant, people};
use crate::office::Office;
use crate::payments::start;
use crate::webhooks::{Mood, Receiver, cancelled, endpoint, register, tell};
use crate::world::TestApp;
use chung::flow::deliver_events::tend_deliveries;
use chung::identity::role::Role;
use serde_json::{Value, json};
use std::time::Duration;

fn path(endpoint: &Value, part: &str) -> String {
    format!("/v1/events/endpoints/{}/{part}", endpoint["id"].as_str().unwrap())
}

async fn listed(world: &TestApp, office: &Office, endpoint: &Value, show: &str) -> Vec<Value> {
    let address = path(endpoint, &format!("deliveries?show={show}"));
    let found = office.system(world, "event.read").get(&address).await.expect(200).json();
    found["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn events_of_one_bill_are_numbered_without_gaps_and_others_count_for_themselves() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let receiver = Receiver::start().await;
    register(&world, &office, &receiver.url, &[]).await;
    let bill = office.bill(&world, "k").await;
    world.bank.answers.lock().unwrap().push(chung::payment::payment::Event::NoAnswer);
    let payment = start(&world, &office, &bill).await;
    world.tell(&world.credit(2, "R1", 205_000, &payment)).await.expect(200);
    cancelled(&world, &office, "another").await;
    tell(&world.app).await;
    let told: Vec<(Value, Value)> =
        receiver.heard().iter().map(|h| (h.json()["type"].clone(), h.json()["sequence"].clone())).collect();
    let expected = [("payment.unknown", 1), ("bill.paid", 2), ("bill.cancelled", 1)];
    for (name, number) in expected {
        assert!(told.contains(&(json!(name), json!(number))), "{name} {number} in {told:?}");
    }
    let read = office.system(&world, "event.read").get("/v1/events").await.expect(200).json();
    assert!(read["items"].as_array().unwrap().iter().all(|event| event["sequence"].is_number()));
}

#[tokio::test]
async fn two_writers_about_one_thing_draw_two_numbers() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let bill = office.bill(&world, "k").await;
    let system = office.system(&world, "bill");
    let cancel = format!("/v1/bills/{}/cancel", bill["id"].as_str().unwrap());
    let nothing = json!({});
    let (first, second) =
        tokio::join!(system.post_once(&cancel, "a", &nothing), system.post_once(&cancel, "b", &nothing));
    assert_eq!([first.status, second.status].iter().filter(|status| **status == 200).count(), 1);
    assert_eq!(world.count("event_sequence where last = 1").await, 1);
}

#[tokio::test]
async fn keys_overlap_while_they_change() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let receiver = Receiver::start().await;
    let registered = register(&world, &office, &receiver.url, &[]).await;
    let old = registered["secret"].as_str().unwrap().to_owned();
    let system = office.system(&world, "event");
    let rotated = system.post_once(&path(&registered, "rotate"), "r", &json!({})).await.expect(200).json();
    let new = rotated["secret"].as_str().unwrap().to_owned();
    assert!(new != old && rotated["old_secret_until"] == "2026-11-25T02:00:00Z", "{rotated}");
    let again = system.post_once(&path(&registered, "rotate"), "r", &json!({})).await.expect(200).json();
    assert_eq!(again["secret"], Value::Null, "a repeated answer holds no secret");

    cancelled(&world, &office, "during").await;
    tell(&world.app).await;
    let heard = receiver.heard();
    assert_eq!(heard[0].header("webhook-signature").split(' ').count(), 2);
    assert!(heard[0].is_signed_with(&old) && heard[0].is_signed_with(&new));

    world.later(Duration::from_secs(86_401));
    cancelled(&world, &office, "after").await;
    tell(&world.app).await;
    let heard = receiver.heard();
    assert!(!heard[1].is_signed_with(&old) && heard[1].is_signed_with(&new));
    assert_eq!(endpoint(&world, &office, &registered["id"]).await["old_secret_until"], Value::Null);
    let other = Office::open(&world, "H29.150").await.system(&world, "event");
    other.post_once(&path(&registered, "rotate"), "x", &json!({})).await.expect_refusal(404, "not_found");
}

#[tokio::test]
async fn what_was_given_up_is_listed_and_told_again() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let receiver = Receiver::start().await;
    let registered = register(&world, &office, &receiver.url, &[]).await;
    receiver.feels(Mood::Fails);
    cancelled(&world, &office, "lost").await;
    tell(&world.app).await;
    let waiting = listed(&world, &office, &registered, "unacknowledged").await;
    assert_eq!((waiting.len(), &waiting[0]["last_outcome"]), (1, &json!("http_500")));
    assert_eq!(waiting[0]["state"], "pending");
    world.later(Duration::from_secs(4 * 86_400));
    tend_deliveries(&world.app).await.unwrap();
    let dead = listed(&world, &office, &registered, "unacknowledged").await;
    assert_eq!((dead.len(), &dead[0]["state"]), (1, &json!("dead")));

    receiver.feels(Mood::Takes);
    let system = office.system(&world, "event");
    let replay = path(&registered, "replay");
    let one = json!({ "event": dead[0]["event"] });
    let answer = system.post_once(&replay, "one", &one).await.expect(200).json();
    assert_eq!((&answer["replayed"], &answer["endpoint"]["waiting"]), (&json!(1), &json!(1)));
    tend_deliveries(&world.app).await.unwrap();
    world.later(Duration::from_secs(600));
    tell(&world.app).await;
    assert!(listed(&world, &office, &registered, "unacknowledged").await.is_empty());
    assert_eq!(listed(&world, &office, &registered, "acknowledged").await.len(), 1);
    let ids = receiver.ids();
    assert_eq!(ids.len(), 2, "the failed attempt, and the second telling");
    assert_eq!(ids[0], ids[1], "the same event under the same name");
    assert_eq!(endpoint(&world, &office, &registered["id"]).await["health"], "well");
}

#[tokio::test]
async fn a_time_is_told_again_to_an_endpoint_that_came_later_and_only_what_it_wants() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    for key in ["a", "b", "c"] {
        cancelled(&world, &office, key).await;
        world.later(Duration::from_secs(3_600));
    }
    let bill = office.bill(&world, "paid").await;
    let payment = start(&world, &office, &bill).await;
    world.tell(&world.credit(2, "R1", 205_000, &payment)).await.expect(200);
    let receiver = Receiver::start().await;
    let late = register(&world, &office, &receiver.url, &["bill.cancelled"]).await;
    let system = office.system(&world, "event");
    let replay = path(&late, "replay");
    let hours = json!({ "from": "2026-11-24T02:30:00Z", "to": "2026-11-24T12:00:00Z" });
    let answer = system.post_once(&replay, "range", &hours).await.expect(200).json();
    assert_eq!(answer["replayed"], 2);
    system.post_once(&replay, "range", &hours).await.expect(200);
    tell(&world.app).await;
    assert_eq!(receiver.heard().len(), 2);
    assert!(receiver.heard().iter().all(|h| h.json()["type"] == "bill.cancelled"));

    for (key, body) in [
        ("none", json!({})),
        (
            "both",
            json!({ "event": late["id"], "from": "2026-11-24T02:30:00Z", "to": "2026-11-24T12:00:00Z" }),
        ),
        ("backwards", json!({ "from": "2026-11-24T12:00:00Z", "to": "2026-11-24T02:30:00Z" })),
        ("no-time", json!({ "from": "yesterday", "to": "2026-11-24T02:30:00Z" })),
    ] {
        system.post_once(&replay, key, &body).await.expect_refusal(400, "invalid_body");
    }
}

#[tokio::test]
async fn what_is_asked_for_before_it_was_routed_is_told_once_and_stops_nobody() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let (asking, other) = (Receiver::start().await, Receiver::start().await);
    let registered = register(&world, &office, &asking.url, &[]).await;
    register(&world, &office, &other.url, &[]).await;
    cancelled(&world, &office, "at-once").await;
    let hour = json!({ "from": "2026-11-24T02:00:00Z", "to": "2026-11-24T03:00:00Z" });
    let system = office.system(&world, "event");
    let answer = system.post_once(&path(&registered, "replay"), "k", &hour).await.expect(200).json();
    assert_eq!(answer["replayed"], 1);
    tell(&world.app).await;
    assert_eq!((asking.heard().len(), other.heard().len()), (1, 1));
    cancelled(&world, &office, "afterwards").await;
    tell(&world.app).await;
    assert_eq!((asking.heard().len(), other.heard().len()), (2, 2));
}

#[tokio::test]
async fn nobody_is_told_again_who_may_not_hear_or_of_what_is_not_theirs() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let other = Office::open(&world, "H29.150").await;
    let receiver = Receiver::start().await;
    let registered = register(&world, &office, &receiver.url, &[]).await;
    cancelled(&world, &other, "theirs").await;
    let theirs = other.system(&world, "event.read").get("/v1/events").await.expect(200).json();
    let foreign = json!({ "event": theirs["items"][0]["id"] });
    let system = office.system(&world, "event");
    let replay = path(&registered, "replay");
    system.post_once(&replay, "foreign", &foreign).await.expect_refusal(422, "event_unknown");
    other.system(&world, "event").post_once(&replay, "k", &foreign).await.expect_refusal(404, "not_found");
    let shown = path(&registered, "deliveries?show=some");
    office.system(&world, "event.read").get(&shown).await.expect_refusal(400, "invalid_parameter");

    let agency = office.agency.uuid();
    let many = format!(
        "insert into outbox (id, at, topic, agency_id, object, name, body, due_at, state)
         select gen_random_uuid(), '2026-11-24T01:00Z', 'event', '{agency}', gen_random_uuid(), 'bill.paid', '{{}}',
             '2026-11-24T01:00Z', 'done' from generate_series(1, 10001)"
    );
    world.sql(&many).await.unwrap();
    let day = json!({ "from": "2026-11-24T00:00:00Z", "to": "2026-11-25T00:00:00Z" });
    system.post_once(&replay, "many", &day).await.expect_refusal(422, "replay_too_large");
    assert_eq!(world.count("delivery").await, 0, "a refusal writes nothing");

    system.post_once(&path(&registered, "suspend"), "s", &json!({})).await.expect(200);
    system.post_once(&replay, "late", &day).await.expect_refusal(409, "endpoint_suspended");
}

#[tokio::test]
async fn an_accountant_sees_how_the_telling_goes() {
    let world = TestApp::start().await;
    people(&world).await;
    let office = Office::open(&world, "H29.14").await;
    grant(&world, ACCOUNTANT.0, Role::Accountant).await;
    let receiver = Receiver::start().await;
    let accountant = at_board(&world, ACCOUNTANT).await;
    let empty = accountant.get("/board/events").await.expect(200).text();
    assert!(empty.contains("Chưa có hệ thống nào"), "{empty}");
    register(&world, &office, &receiver.url, &[]).await;
    receiver.feels(Mood::Fails);
    cancelled(&world, &office, "k").await;
    tell(&world.app).await;
    let page = accountant.get("/board/events").await.expect(200).text();
    for shown in [receiver.url.as_str(), "đang lỗi", "bill.cancelled", "trả lời 500", "đang gửi"] {
        assert!(page.contains(shown), "{shown} in {page}");
    }
    let english = accountant.get("/board/events?lang=en&show=all").await.expect(200).text();
    assert!(english.contains("Events and their delivery") && english.contains("answered 500"));
    world.stranger().get("/board/events").await.expect(303);
    accountant.get("/board/events?endpoint=endpoint_00000000000070008000000000000000").await.expect(404);
    let nobody = at_board(&world, crate::board::NOBODY).await;
    nobody.get("/board/events").await.expect(403);
}
