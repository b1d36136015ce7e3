//! The day's statement against the books, and what becomes of each difference.

use crate::central_bank::entry;
use crate::office::{ACCOUNT, Office, uuid};
use crate::payments::start;
use crate::world::{Actor, Answer, TestApp};
use chung::base::{clock::Clock, money::Money};
use chung::codec::iso20022::{AccountNumber, Direction, Refusal};
use chung::flow::match_long_days::match_long_day;
use chung::partner::clearing::NoStatement;
use serde_json::{Value, json};
use std::time::Duration;

const DAY: &str = "2026-11-24";

async fn fetch(system: &Actor, key: &str) -> Answer {
    system.post_once("/v1/statements", key, &json!({ "account": ACCOUNT, "day": DAY })).await
}

async fn cases(world: &TestApp, office: &Office, query: &str) -> Vec<Value> {
    let found = office.system(world, "case.read").get(&format!("/v1/cases{query}")).await;
    found.expect(200).json()["items"].as_array().unwrap().clone()
}

impl TestApp {
    /// Money comes: the bank's statement will show it, and the notification tells of it.
    async fn pay(&self, message: u128, reference: &str, dong: i64, payment: &str) {
        self.shown(reference, dong, Some(payment));
        let xml = self.credit(message, reference, dong, payment);
        self.tell(&xml).await.expect(200);
    }

    /// Money comes of which nobody is told before the statement.
    fn shown(&self, reference: &str, dong: i64, payment: Option<&str>) {
        let movement = entry(reference, dong, payment.map(uuid), self.clock.now());
        self.bank.movements.lock().unwrap().push(movement);
    }
}

#[tokio::test]
async fn a_day_as_it_should_be_matches_line_by_line_and_again() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    for n in 1..=3_u128 {
        let bill = office.bill(&world, &format!("k{n}")).await;
        let payment = start(&world, &office, &bill).await;
        world.pay(n, &format!("R{n}"), 205_000, &payment).await;
    }
    let system = office.system(&world, "statement");
    let first = fetch(&system, "a").await.expect(200).json();
    assert_eq!((&first["lines"], &first["day"]), (&json!(3), &json!(DAY)));
    let found = &first["reconciliation"];
    assert_eq!((&found["matched"], &found["differing"]), (&json!(3), &json!(0)));
    assert_eq!(found["posted"]["amount"], "615000");
    assert_eq!(found["unexplained"]["amount"], "0");

    let tables = ["statement", "statement_line", "shown_credit", "\"case\"", "audit_leaf"];
    let mut before = Vec::new();
    for table in tables {
        before.push(world.dump(table).await);
    }
    world.later(Duration::from_secs(60));
    assert_eq!(fetch(&system, "a").await.expect(200).json(), first);
    assert_eq!(fetch(&system, "b").await.expect(200).json(), first);
    for (table, before) in tables.into_iter().zip(before) {
        assert_eq!(world.dump(table).await, before, "{table} changed");
    }
    let reading = office.system(&world, "statement.read");
    let listed = reading.get("/v1/statements").await.expect(200).json();
    assert_eq!(listed, json!({ "items": [first], "next": null }));
    let one = format!("/v1/statements/{}", first["id"].as_str().unwrap());
    assert_eq!(reading.get(&one).await.expect(200).json(), first);
    let other = Office::open(&world, "H29.15").await;
    other.system(&world, "statement.read").get(&one).await.expect_refusal(404, "not_found");
    let foreign = other.system(&world, "statement");
    fetch(&foreign, "c").await.expect_refusal(422, "unknown_account");
}

#[tokio::test]
async fn a_long_day_asked_for_with_a_key_is_matched_beside_and_the_key_gives_the_same_answer() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    for n in 1..=3_u128 {
        let bill = office.bill(&world, &format!("k{n}")).await;
        let payment = start(&world, &office, &bill).await;
        world.pay(n, &format!("R{n}"), 205_000, &payment).await;
    }
    *world.bank.page_room.lock().unwrap() = 2;
    let system = office.system(&world, "statement statement.read");
    let asked = fetch(&system, "a").await.expect(202);
    let (address, told) = (asked.location(), asked.json());
    assert_eq!(address, format!("/v1/statements/days/{}", told["id"].as_str().unwrap()));
    assert_eq!((&told["state"], &told["statement"]), (&json!("waiting"), &Value::Null));
    assert_eq!(world.count("statement").await, 0, "nobody waited for it");
    assert_eq!(fetch(&system, "a").await.expect(202).json(), told);
    assert_eq!(fetch(&system, "b").await.expect(202).json()["id"], told["id"], "it is asked for once");
    let another = json!({ "account": ACCOUNT, "day": "2026-11-23" });
    system.post_once("/v1/statements", "a", &another).await.expect_refusal(409, "idempotency_key_reused");
    let others = Office::open(&world, "H29.150").await.system(&world, "statement.read");
    others.get(&address).await.expect_refusal(404, "not_found");
    system.get(&address.replace("days/longday_0", "days/longday_f")).await.expect_refusal(404, "not_found");

    assert!(match_long_day(&world.app).await.unwrap());
    let done = system.get(&address).await.expect(200).json();
    assert_eq!((&done["state"], &done["tries"]), (&json!("done"), &json!(1)));
    let statement = format!("/v1/statements/{}", done["statement"].as_str().unwrap());
    assert_eq!(system.get(&statement).await.expect(200).json()["reconciliation"]["matched"], 3);
    assert_eq!(fetch(&system, "a").await.expect(202).json(), told, "as it was first answered");

    // Pages that do not add up end it with the reason; in one piece it is answered at once.
    world.bank.lost_pages.lock().unwrap().push(2);
    let again = fetch(&system, "c").await.expect(202).location();
    assert_ne!(again, address);
    assert!(match_long_day(&world.app).await.unwrap());
    let refused = system.get(&again).await.expect(200).json();
    assert_eq!((&refused["state"], &refused["refusal"]), (&json!("refused"), &json!("statement_unreadable")));
    *world.bank.page_room.lock().unwrap() = 10;
    assert_eq!(fetch(&system, "d").await.expect(200).json()["id"], done["statement"]);
}

#[tokio::test]
async fn each_difference_becomes_a_case_and_the_day_is_explained() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let mut payments = Vec::new();
    for n in 0..4 {
        let bill = office.bill(&world, &format!("k{n}")).await;
        payments.push(start(&world, &office, &bill).await);
    }
    world.pay(1, "R1", 205_000, &payments[0]).await;
    world.pay(2, "R2", 205_000, &payments[0]).await; // paid twice: waits in suspense
    world.shown("R3", 205_000, Some(&payments[1])); // the notification was lost
    world.shown("R4", 70_000, None); // nobody knows what for
    let told = world.credit(5, "R5", 205_000, &payments[2]); // told, and not on the statement
    world.tell(&told).await.expect(200);
    let lost = world.credit(6, "R6", 205_000, &payments[3]); // told with another amount than shown
    world.shown("R6", 204_000, Some(&payments[3]));
    world.tell(&lost).await.expect(200);

    let system = office.system(&world, "statement");
    let found = fetch(&system, "a").await.expect(200).json();
    let reconciliation = &found["reconciliation"];
    assert_eq!((&found["lines"], &reconciliation["matched"]), (&json!(5), &json!(1)));
    assert_eq!(reconciliation["unexplained"]["amount"], "0", "{reconciliation}");
    let of_kind = |cases: &[Value], reference: Option<&str>| {
        let mut kinds: Vec<String> = cases
            .iter()
            .filter(|case| reference.is_none_or(|r| case["servicer_reference"] == r))
            .map(|case| case["kind"].as_str().unwrap().to_owned())
            .collect();
        kinds.sort();
        kinds
    };
    let open = cases(&world, &office, "?pending=true").await;
    assert_eq!(
        of_kind(&open, None),
        ["amount", "duplicate", "missing_here", "missing_there", "unknown_reference"]
    );
    assert_eq!(of_kind(&open, Some("R2")), ["duplicate"]);
    let second = open.iter().find(|case| case["servicer_reference"] == "R2").unwrap();
    assert!(second["line"].is_string(), "money in suspense learns which line shows it: {second}");
    let of_statement = format!("?statement={}", found["id"].as_str().unwrap());
    assert_eq!(cases(&world, &office, &of_statement).await.len(), 5);

    // The lost notification comes after all, so its difference is gone; the others stay.
    let late = world.credit(7, "R3", 205_000, &payments[1]);
    world.tell(&late).await.expect(200);
    fetch(&system, "b").await.expect(200);
    let open = cases(&world, &office, "?pending=true").await;
    assert_eq!(of_kind(&open, None), ["amount", "duplicate", "missing_there", "unknown_reference"]);
    let states = cases(&world, &office, "").await;
    assert_eq!(states.iter().filter(|case| case["state"] == "cleared").count(), 1);
}

#[tokio::test]
async fn a_case_is_noted_resolved_once_and_hidden_from_others() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let bill = office.bill(&world, "k").await;
    let payment = start(&world, &office, &bill).await;
    world.pay(1, "R1", 205_000, &payment).await;
    world.pay(2, "R2", 205_000, &payment).await;
    // Money in suspense is a case at once, before any statement.
    let case = cases(&world, &office, "?pending=true").await.remove(0);
    assert_eq!((&case["kind"], &case["held"]["amount"]), (&json!("duplicate"), &json!("205000")));
    let path = format!("/v1/cases/{}", case["id"].as_str().unwrap());
    let (notes, resolve) = (format!("{path}/notes"), format!("{path}/resolve"));
    let system = office.system(&world, "case");
    let said = json!({ "words": "Đã gọi ngân hàng." });
    let noted = system.post_once(&notes, "n", &said).await.expect(200).json();
    assert_eq!(system.post_once(&notes, "n", &said).await.expect(200).json(), noted);
    assert_eq!(noted["notes"].as_array().unwrap().len(), 1);
    assert!(!world.dump("case_note").await.contains("ngân hàng"), "the words are sealed");

    let ended = json!({ "resolution": "refund_proposed", "words": "Nộp hai lần." });
    let resolved = system.post_once(&resolve, "r", &ended).await.expect(200).json();
    assert_eq!(
        (&resolved["state"], &resolved["resolution"]),
        (&json!("resolved"), &json!("refund_proposed"))
    );
    system.post_once(&resolve, "again", &ended).await.expect_refusal(409, "case_closed");
    let nonsense = json!({ "resolution": "forgotten", "words": "x" });
    system.post_once(&resolve, "x", &nonsense).await.expect_refusal(400, "invalid_body");
    let hidden = json!({ "words": "a\u{202E}b" });
    system.post_once(&notes, "y", &hidden).await.expect_refusal(400, "invalid_body");
    assert_eq!(office.system(&world, "case.read").get(&path).await.expect(200).json(), resolved);
    assert!(cases(&world, &office, "?pending=true").await.is_empty());

    let other = Office::open(&world, "H29.15").await;
    let stranger = other.system(&world, "case case.read");
    stranger.get(&path).await.expect_refusal(404, "not_found");
    stranger.post_once(&resolve, "z", &ended).await.expect_refusal(404, "not_found");
    assert_eq!(world.count("audit_leaf where kind in ('case.noted', 'case.resolved')").await, 2);
}

#[tokio::test]
async fn a_statement_that_cannot_be_believed_writes_nothing() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    office.bill(&world, "k").await;
    let system = office.system(&world, "statement");
    let scripted: [(NoStatement, u16, &str); 6] = [
        (NoStatement::Silence("nothing".to_owned()), 503, "statement_unavailable"),
        (NoStatement::Refused(chung::base::text::Line::parse("NOST").unwrap()), 422, "day_not_over"),
        (NoStatement::Unreadable(Refusal::WrongTotal), 502, "statement_wrong_total"),
        (NoStatement::Unreadable(Refusal::MissingElement("Bal")), 502, "statement_unreadable"),
        (
            NoStatement::AnotherAccount("9".parse::<AccountNumber>().unwrap()),
            502,
            "statement_of_another_account",
        ),
        (NoStatement::AnotherDay("2026-11-23".parse().unwrap()), 502, "statement_of_another_day"),
    ];
    for (why, status, code) in scripted {
        world.bank.no_statements.lock().unwrap().push(why);
        fetch(&system, "same").await.expect_refusal(status, code);
    }
    let nobody = json!({ "account": "1", "day": DAY });
    system.post_once("/v1/statements", "same", &nobody).await.expect_refusal(422, "unknown_account");
    assert_eq!(world.count("statement").await, 0);

    // The key was not used up by any of these.
    let first = fetch(&system, "same").await.expect(200).json();
    world.shown("R1", 1_000, None);
    let again = fetch(&system, "differs").await.expect(200).json();
    assert_eq!((&again["id"], &again["version"]), (&first["id"], &json!(2)));
    assert_eq!(world.count("statement where lines = 0").await, 1, "what was told first stays");
}

#[tokio::test]
async fn money_that_went_is_a_case_and_a_silent_attempt_ends_with_the_statement() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let bill = office.bill(&world, "k").await;
    world.bank.answers.lock().unwrap().push(chung::payment::payment::Event::NoAnswer);
    let payment = start(&world, &office, &bill).await;
    world.later(Duration::from_secs(3 * 3600));
    for _ in 0..3 {
        chung::flow::inquire_payment::inquire_due(&world.app).await.unwrap();
    }
    world.later(Duration::from_secs(24 * 3600));
    let mut charge = entry("C1", 1_100, None, world.clock.now());
    charge.direction = Direction::Debit;
    assert_eq!(charge.amount, Money::vnd(1_100));
    world.bank.movements.lock().unwrap().push(charge);
    let system = office.system(&world, "statement");
    let day = json!({ "account": ACCOUNT, "day": "2026-11-25" });
    let found = system.post_once("/v1/statements", "a", &day).await.expect(200).json();
    let read = office.system(&world, "payment.read");
    let attempt = read.get(&format!("/v1/payments/{payment}")).await.expect(200).json();
    assert_eq!(attempt["status"], "unknown", "the day on which it began may still show its money");
    fetch(&system, "b").await.expect(200);
    assert_eq!(found["reconciliation"]["unexplained"]["amount"], "0");
    assert_eq!(cases(&world, &office, "").await[0]["kind"], "missing_here");
    assert_eq!(cases(&world, &office, "").await[0]["stated"]["amount"], "-1100");
    let attempt = read.get(&format!("/v1/payments/{payment}")).await.expect(200).json();
    assert_eq!((&attempt["status"], &attempt["reason"]), (&json!("rejected"), &json!("not_in_statement")));
}

#[tokio::test]
async fn what_may_be_booked_on_the_next_clearing_day_is_waited_for_until_its_statement() {
    let world = TestApp::start().await;
    // A Friday, after the session's end.
    world.later(Duration::from_secs(3 * 86_400 + 9 * 3_600));
    let office = Office::open(&world, "H29.14").await;
    let bill = office.bill(&world, "k").await;
    world.bank.answers.lock().unwrap().push(chung::payment::payment::Event::NoAnswer);
    let payment = start(&world, &office, &bill).await;
    world.later(Duration::from_secs(3 * 3_600));
    for _ in 0..3 {
        chung::flow::inquire_payment::inquire_due(&world.app).await.unwrap();
    }
    world.later(Duration::from_secs(4 * 86_400));
    let system = office.system(&world, "statement");
    let read = office.system(&world, "payment.read");
    let path = format!("/v1/payments/{payment}");
    for day in ["2026-11-27", "2026-11-28", "2026-11-29"] {
        let told = json!({ "account": ACCOUNT, "day": day });
        system.post_once("/v1/statements", day, &told).await.expect(200);
        assert_eq!(read.get(&path).await.expect(200).json()["status"], "unknown", "{day}");
    }
    let monday = json!({ "account": ACCOUNT, "day": "2026-11-30" });
    system.post_once("/v1/statements", "monday", &monday).await.expect(200);
    let attempt = read.get(&path).await.expect(200).json();
    assert_eq!((&attempt["status"], &attempt["reason"]), (&json!("rejected"), &json!("not_in_statement")));
}

#[tokio::test]
async fn yesterdays_statement_is_fetched_unasked_and_tried_again_a_bounded_number_of_times() {
    use chung::flow::fetch_statement::fetch_due_statement;
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let bill = office.bill(&world, "k").await;
    let payment = start(&world, &office, &bill).await;
    world.pay(1, "R1", 205_000, &payment).await;
    assert!(!fetch_due_statement(&world.app).await.unwrap(), "no day of this account is over");
    assert_eq!(world.count("statement_fetch").await, 0);

    // The day ends at 17:00 UTC. The bank is silent at first.
    world.later(Duration::from_secs(15 * 3600));
    let silence = || NoStatement::Silence("nothing".to_owned());
    world.bank.no_statements.lock().unwrap().push(silence());
    assert!(fetch_due_statement(&world.app).await.unwrap());
    assert_eq!(world.count("statement").await, 0);
    assert_eq!(
        world.count("statement_fetch where attempts = 1 and refusal = 'statement_unavailable'").await,
        1
    );
    assert!(!fetch_due_statement(&world.app).await.unwrap(), "it rests before the next try");
    world.later(Duration::from_secs(600));
    assert!(fetch_due_statement(&world.app).await.unwrap());
    assert_eq!(world.count("statement where day = '2026-11-24' and matched = 1 and lines = 1").await, 1);
    assert_eq!(world.count("audit_leaf where kind = 'statement.reconciled'").await, 1);
    assert!(!fetch_due_statement(&world.app).await.unwrap(), "what is there is not fetched again");

    // A bank that stays silent is asked a bounded number of times.
    for _ in 0..40 {
        world.later(Duration::from_secs(2 * 3600));
        world.bank.no_statements.lock().unwrap().extend([silence(), silence(), silence()]);
        while fetch_due_statement(&world.app).await.unwrap() {}
    }
    let tried = |how: &'static str| world.count(how);
    assert_eq!(tried("statement_fetch where day = '2026-11-25' and attempts = 14").await, 1);
    assert_eq!(tried("statement_fetch where attempts > 14").await, 0);
    assert_eq!(world.count("statement").await, 1);
}
