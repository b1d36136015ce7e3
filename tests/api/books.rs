//! The books: what accounts held at a moment, what a statement proves, charges, and the one way out of suspense.

use crate::central_bank::entry;
use crate::office::{ACCOUNT, Office, uuid};
use crate::payments::start;
use crate::world::TestApp;
use chung::base::clock::Clock;
use chung::base::id::{self, Id};
use chung::codec::iso20022::{Charged, CreditNotification, Header, Message, MessageId, write};
use chung::flow::roles::{Granting, grant_role};
use chung::flow::{
    sequence_audit::sequence_audit,
    trial_balance::checkpoint_balances,
    verify_audit::{self, verify_audit},
    verify_books::{Finding, verify_books},
};
use chung::identity::role::Role;
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

const PEOPLE: [&str; 3] = [
    "079185000456,,Nguyễn Thị Hòa,1985-03-15,female,0912345218,79,active,,2,",
    "079085000457,,Trần Văn Khỏe,1985-04-01,male,0912345219,79,active,,2,",
    "079085000458,,Lê Văn Lạ,1985-05-01,male,0912345220,79,active,,2,",
];

/// Grants a role to a person of the register; the citizen's identifier.
pub async fn officer(world: &TestApp, number: &str, role: Role, agency: &str) -> String {
    let granting = Granting {
        number: number.parse().unwrap(),
        role,
        agency_code: agency.to_owned(),
        from: None,
        to: None,
        by: None,
    };
    let granted = grant_role(&world.app, &granting).await.unwrap();
    let citizen: Uuid = sqlx::query_scalar("select citizen_id from role_grant where id = $1")
        .bind(granted.uuid())
        .fetch_one(&mut world.connection().await)
        .await
        .unwrap();
    Id::<id::Citizen>::from_uuid(citizen).to_string()
}

/// The balances of an answer, by kind.
fn balances(answer: &Value) -> Vec<(&str, &str)> {
    let rows = answer["accounts"].as_array().unwrap().iter();
    rows.map(|row| (row["kind"].as_str().unwrap(), row["balance"]["amount"].as_str().unwrap())).collect()
}

/// A bill that is paid, under this key.
async fn paid(world: &TestApp, office: &Office, n: u128) -> String {
    let bill = office.bill(world, &format!("k{n}")).await;
    let payment = start(world, office, &bill).await;
    world.tell(&world.credit(n, &format!("R{n}"), 205_000, &payment)).await.expect(200);
    payment
}

#[tokio::test]
async fn the_balance_of_a_moment_stays_what_it_was() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let system = office.system(&world, "ledger.read");
    paid(&world, &office, 1).await;
    let live = system.get("/v1/ledger/balances").await.expect(200).json();
    assert_eq!(
        (&live["head"], &live["unplaced"], &live["balanced"]),
        (&Value::Null, &json!(1), &json!(true))
    );
    let once = [("clearing", "205000"), ("fee_phi", "-51250"), ("fee_phi_retained", "-153750")];
    assert_eq!(balances(&live), once);
    let clearing = &live["accounts"][0];
    assert_eq!(
        (&clearing["nature"], &clearing["owner"]),
        (&json!("money"), &json!(office.agency.to_string()))
    );
    assert_eq!(clearing["real_account"]["number"], ACCOUNT);

    sequence_audit(&world.app).await.unwrap();
    let live = system.get("/v1/ledger/balances").await.expect(200).json();
    let moment = live["head"]["signed_at"].as_str().unwrap();
    world.later(Duration::from_secs(60));
    paid(&world, &office, 2).await;
    let asked = format!("/v1/ledger/balances?at={moment}");
    let then = system.get(&asked).await.expect(200).json();
    assert_eq!((balances(&then), &then["unplaced"]), (once.to_vec(), &json!(0)));
    sequence_audit(&world.app).await.unwrap();
    assert!(checkpoint_balances(&world.app, 1).await.unwrap());
    assert_eq!(system.get(&asked).await.expect(200).json(), then, "whatever was written since");
    let live = system.get("/v1/ledger/balances").await.expect(200).json();
    assert_eq!(balances(&live)[0], ("clearing", "410000"));
    // A moment between two heads is the earlier head's, whatever had happened by then; before the first there is none.
    let signed = chung::base::calendar::parse_rfc3339(moment).unwrap();
    let between = chung::base::calendar::rfc3339(signed + Duration::from_secs(59));
    let between = system.get(&format!("/v1/ledger/balances?at={between}")).await.expect(200).json();
    assert_eq!((&between["accounts"], &between["head"]), (&then["accounts"], &then["head"]));
    let before = system.get("/v1/ledger/balances?at=2026-11-23T00:00:00Z").await.expect(200).json();
    assert_eq!(
        (&before["accounts"], &before["head"], &before["unplaced"]),
        (&json!([]), &Value::Null, &json!(0))
    );

    system
        .get("/v1/ledger/balances?at=2026-11-25T00:00:00Z")
        .await
        .expect_refusal(422, "moment_in_the_future");
    system.get("/v1/ledger/balances?at=yesterday").await.expect_refusal(400, "invalid_parameter");
    let other = Office::open(&world, "H29.15").await.system(&world, "ledger.read");
    assert_eq!(balances(&other.get("/v1/ledger/balances").await.expect(200).json()), []);
}

#[tokio::test]
async fn a_transaction_that_stays_open_across_a_checkpoint_is_counted_once() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    paid(&world, &office, 1).await;
    // Somebody slow: the leaf and the entry of the first payment again, under other identifiers, not committed yet.
    let mut slow = world.connection().await;
    let copy = "begin;
        insert into audit_leaf (id, kind, at, commitment)
            select set_bit_id(l.id), l.kind, l.at, l.commitment from audit_leaf l
            join ledger_entry e on e.leaf_id = l.id;
        insert into ledger_entry (id, booked_on, kind, subject, leaf_id, at)
            select set_bit_id(e.id), e.booked_on, 'corrected', e.subject, set_bit_id(e.leaf_id), e.at from ledger_entry e;
        insert into posting (entry_id, account_id, amount, booked_on)
            select set_bit_id(p.entry_id), p.account_id, -p.amount, p.booked_on from posting p;";
    world
        .sql(
            "create function set_bit_id(id uuid) returns uuid language sql immutable as
             $$ select encode(set_bit(uuid_send(id), 100, 1 - get_bit(uuid_send(id), 100)), 'hex')::uuid $$",
        )
        .await
        .unwrap();
    sqlx::raw_sql(copy).execute(&mut slow).await.unwrap();
    paid(&world, &office, 2).await;
    sequence_audit(&world.app).await.unwrap();
    assert!(checkpoint_balances(&world.app, 1).await.unwrap());
    sqlx::raw_sql("commit").execute(&mut slow).await.unwrap();

    let system = office.system(&world, "ledger.read");
    let live = system.get("/v1/ledger/balances").await.expect(200).json();
    assert_eq!((balances(&live)[0], &live["unplaced"]), (("clearing", "205000"), &json!(1)));
    sequence_audit(&world.app).await.unwrap();
    assert!(checkpoint_balances(&world.app, 1).await.unwrap());
    let live = system.get("/v1/ledger/balances").await.expect(200).json();
    assert_eq!((balances(&live)[0], &live["unplaced"]), (("clearing", "205000"), &json!(0)));
    let report = verify_books(&world.app.store, |_| {}).await.unwrap();
    assert_eq!((report.finding, report.checkpoints), (None, 2));
}

#[tokio::test]
async fn a_log_restored_into_another_cluster_gives_places_and_balances_as_before() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    paid(&world, &office, 1).await;
    sequence_audit(&world.app).await.unwrap();
    // The dump holds leaves that had no place yet, and everywhere the numbers of the cluster that it was taken from.
    paid(&world, &office, 2).await;
    let restored = "alter table tree_head disable trigger user; alter table audit_leaf disable trigger user;
        update tree_head set cluster = 1, low_tx = low_tx + 1000000; update audit_leaf set tx = tx + 1000000;
        alter table tree_head enable trigger user; alter table audit_leaf enable trigger user";
    world.sql(restored).await.unwrap();
    paid(&world, &office, 3).await;

    let system = office.system(&world, "ledger.read");
    let held = async |clearing: &str, unplaced: u64| {
        let live = system.get("/v1/ledger/balances").await.expect(200).json();
        assert_eq!((balances(&live)[0], &live["unplaced"]), (("clearing", clearing), &json!(unplaced)));
        assert_eq!(verify_books(&world.app.store, |_| {}).await.unwrap().finding, None);
    };
    let log = async || verify_audit(&world.app.store, &world.app.keys, None, |_| {}).await.unwrap();
    let due = async || chung::flow::due::look(&world.app).await.unwrap().leaves;
    held("615000", 2).await;
    let (waiting, now) = (log().await, world.clock.now());
    assert_eq!(waiting.finding_at(now), None);
    let late = waiting.finding_at(now + Duration::from_secs(15 * 60));
    assert!(
        matches!(late, Some(verify_audit::Finding::Waiting(leaves, _)) if leaves == waiting.waiting),
        "{late:?}"
    );
    assert!(due().await);
    assert_eq!(sequence_audit(&world.app).await.unwrap() as u64, waiting.waiting);
    assert_eq!((sequence_audit(&world.app).await.unwrap(), due().await), (0, false));
    held("615000", 0).await;

    paid(&world, &office, 4).await;
    held("820000", 1).await;
    assert!(due().await && sequence_audit(&world.app).await.unwrap() > 0);
    held("820000", 0).await;
    let log = log().await;
    assert_eq!((log.finding_at(world.clock.now() + Duration::from_secs(3_600)), log.waiting), (None, 0));
}

#[tokio::test]
async fn charges_are_lines_of_their_own_and_booked_once() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    office.bill(&world, "opens-the-account").await;
    let system = office.system(&world, "ledger");
    let charge = json!({
        "kind": "bank_charge", "account": ACCOUNT, "day": "2026-11-24", "words": "Phí dịch vụ tháng 11",
        "amount": { "amount": "33000", "currency": "VND" },
    });
    let booked = system.post_once("/v1/ledger/records", "phi-11", &charge).await.expect(201).json();
    assert_eq!(booked["outcome"], "recorded");
    let again = system.post_once("/v1/ledger/records", "phi-11", &charge).await.expect(200).json();
    assert_eq!((&again["outcome"], &again["entry"]), (&json!("exists"), &booked["entry"]));
    let mut other = charge.clone();
    other["amount"]["amount"] = json!("34000");
    other["kind"] = json!("card_discount");
    let refused = system.post_once("/v1/ledger/records", "phi-11", &other).await;
    let refused = refused.expect_refusal(409, "record_differs").json();
    let named: Vec<_> =
        refused["violations"].as_array().unwrap().iter().map(|v| v["field"].clone()).collect();
    assert_eq!((named, &refused["about"]), (vec![json!("/kind"), json!("/amount")], &booked["entry"]));
    other["account"] = json!("424242");
    system.post_once("/v1/ledger/records", "x", &other).await.expect_refusal(422, "unknown_account");
    other["amount"]["amount"] = json!("0");
    system.post_once("/v1/ledger/records", "y", &other).await.expect_refusal(400, "invalid_body");
    let expected = [("clearing", -33_000), ("bank_charges", 33_000)];
    assert_eq!(world.balances().await, expected.map(|(k, a)| (k.to_owned(), a)));
}

#[tokio::test]
async fn what_a_bank_keeps_on_the_way_is_no_underpayment() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let bill = office.bill(&world, "k").await;
    let payment = start(&world, &office, &bill).await;
    let now = world.clock.now();
    let mut came = entry("R1", 202_950, Some(uuid(&payment)), now);
    came.charged = Some(Charged { amount: chung::base::money::Money::vnd(2_050), card: true });
    let header = Header {
        from: "SBV01".parse().unwrap(),
        to: "CHUNG".parse().unwrap(),
        id: MessageId(Uuid::from_u128(1)),
        created: now,
        possible_duplicate: false,
    };
    let told = CreditNotification { account: ACCOUNT.parse().unwrap(), entries: vec![came] };
    world.tell(&write(&header, &Message::CreditNotification(told))).await.expect(200);
    let expected = [("clearing", 202_950), ("fee_phi", -51_250), ("fee_phi_retained", -153_750)];
    let mut found = world.balances().await;
    found.retain(|(kind, _)| kind != "card_discount");
    assert_eq!(found, expected.map(|(k, a)| (k.to_owned(), a)));
    assert!(world.held().await.is_empty());
    let read = format!("/v1/bills/{}", bill["id"].as_str().unwrap());
    assert_eq!(office.system(&world, "bill.read").get(&read).await.expect(200).json()["status"], "paid");
    assert_eq!(verify_books(&world.app.store, |_| {}).await.unwrap().finding, None);
}

#[tokio::test]
async fn money_leaves_suspense_by_the_decision_of_two() {
    let world = TestApp::start().await;
    world.register(&PEOPLE).await;
    let office = Office::open(&world, "H29.14").await;
    let accountant = officer(&world, "079185000456", Role::Accountant, "H29.14").await;
    let approver = officer(&world, "079085000457", Role::Approver, "H29.14").await;
    let payment = paid(&world, &office, 1).await;
    world.tell(&world.credit(2, "R-twice", 205_000, &payment)).await.expect(200);
    let cases = office.system(&world, "case.read").get("/v1/cases").await.expect(200).json();
    let case = cases["items"][0]["id"].as_str().unwrap();
    let waits = &cases["items"][0]["suspense"];
    assert_eq!((&waits["reason"], &waits["proposal"]), (&json!("second_money"), &json!("return")));
    assert_eq!((&waits["held"], &waits["due"]), (&json!(true), &json!("2026-12-24")));
    let (release, approve) =
        (format!("/v1/cases/{case}/release"), format!("/v1/cases/{case}/release/approve"));
    let system = office.system(&world, "case");
    let proposal = |officer: &str| {
        json!({ "toward": "refund_due", "legal_basis": "Law 97/2015 (illustrative)",
                "words": "Nộp hai lần", "officer": officer })
    };
    let by = |officer: &str| json!({ "officer": officer });

    system.post_once(&approve, "a0", &by(&approver)).await.expect_refusal(409, "release_not_proposed");
    system.post_once(&release, "p0", &proposal(&approver)).await.expect_refusal(403, "accountant_needed");
    let proposed = system.post_once(&release, "p1", &proposal(&accountant)).await.expect(200).json();
    assert_eq!((&proposed["approved_by"], &proposed["entry"]), (&Value::Null, &Value::Null));
    let again = system.post_once(&release, "p1", &proposal(&accountant)).await.expect(200).json();
    assert_eq!(again, proposed);
    assert!(!world.dump("idempotency_key").await.contains("Nộp hai lần"), "no words in the clear");
    system.post_once(&release, "p2", &proposal(&accountant)).await.expect_refusal(409, "release_proposed");
    system.post_once(&approve, "a1", &by(&accountant)).await.expect_refusal(403, "own_act");
    let stranger = officer(&world, "079085000458", Role::Officer, "H29.14").await;
    system.post_once(&approve, "a2", &by(&stranger)).await.expect_refusal(403, "approver_needed");
    let gone = world.sql("update suspense set state = 'released'").await;
    assert!(gone.unwrap_err().contains("by a decision only"));
    assert!(world.sql("delete from suspense").await.unwrap_err().contains("suspense is kept"));

    let approved = system.post_once(&approve, "a3", &by(&approver)).await.expect(200).json();
    assert_eq!(approved["approved_by"], json!(approver));
    system.post_once(&approve, "a4", &by(&approver)).await.expect_refusal(409, "suspense_released");
    system.post_once(&release, "p3", &proposal(&accountant)).await.expect_refusal(409, "suspense_released");
    let owed = world.balances().await;
    assert!(owed.contains(&("refund_due".to_owned(), -205_000)), "{owed:?}");
    assert!(owed.contains(&("suspense".to_owned(), 0)), "{owed:?}");
    assert_eq!(verify_books(&world.app.store, |_| {}).await.unwrap().finding, None);
}

#[tokio::test]
async fn the_auditor_finds_a_document_that_the_entries_do_not_bear_out() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    paid(&world, &office, 1).await;
    sequence_audit(&world.app).await.unwrap();
    assert!(checkpoint_balances(&world.app, 1).await.unwrap());
    assert!(!checkpoint_balances(&world.app, 1).await.unwrap(), "nothing was placed since");
    let finding = async || verify_books(&world.app.store, |_| {}).await.unwrap().finding;
    assert_eq!(finding().await, None);
    for change in ["update balance_at_checkpoint set balance = 0", "delete from balance_checkpoint"] {
        assert!(world.sql(change).await.unwrap_err().contains("append-only"), "{change}");
    }
    world.sql("update bill set phi = phi + 1").await.unwrap();
    assert!(matches!(finding().await, Some(Finding::Bill(_))));
    world
        .sql("update bill set phi = phi - 1, state = 'open', paid_by = null, ended_at = null")
        .await
        .unwrap();
    assert!(matches!(finding().await, Some(Finding::Payment(_))));
    world
        .sql("update bill set state = 'paid', paid_by = (select id from payment), ended_at = now()")
        .await
        .unwrap();
    assert_eq!(finding().await, None);
    let hidden = "set session_replication_role = replica; update receipt set bill_id = gen_random_uuid()";
    world.sql(hidden).await.unwrap();
    assert!(matches!(finding().await, Some(Finding::Receipt(_))));
    world
        .sql("set session_replication_role = replica; delete from receipt_file; delete from receipt")
        .await
        .unwrap();
    assert!(matches!(finding().await, Some(Finding::Unreceipted(_))));
    let quietly =
        "set session_replication_role = replica; update balance_at_checkpoint set balance = balance + 1";
    world.sql(quietly).await.unwrap();
    assert!(matches!(finding().await, Some(Finding::Checkpoint(_))));
}

#[tokio::test]
async fn a_statement_proves_the_account_it_names() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let bill = office.bill(&world, "k").await;
    let payment = start(&world, &office, &bill).await;
    let movement = entry("R1", 205_000, Some(uuid(&payment)), world.clock.now());
    world.bank.movements.lock().unwrap().push(movement);
    world.tell(&world.credit(1, "R1", 205_000, &payment)).await.expect(200);
    world.later(Duration::from_secs(24 * 3_600));
    let asked = json!({ "account": ACCOUNT, "day": "2026-11-24" });
    office.system(&world, "statement").post_once("/v1/statements", "s", &asked).await.expect(200);
    let system = office.system(&world, "ledger.read");
    let proofs = system.get("/v1/ledger/proofs").await.expect(200).json();
    let day = &proofs["items"][0];
    assert_eq!((&day["day"], &day["proved"]), (&json!("2026-11-24"), &json!(true)), "{day}");
    assert_eq!(day["real_account"]["number"], ACCOUNT);
    world.sql("update statement set closing = closing + 1").await.unwrap();
    let proofs = system.get("/v1/ledger/proofs").await.expect(200).json();
    assert_eq!(proofs["items"][0]["proved"], false);
    let before = system.get("/v1/ledger/proofs?through=2026-11-23").await.expect(200).json();
    assert_eq!(before, json!({ "items": [] }));
    // A day on which money moved and no statement came is unproved, and nobody can overlook it.
    paid(&world, &office, 2).await;
    world.later(Duration::from_secs(24 * 3_600));
    let system = office.system(&world, "ledger.read");
    let proofs = system.get("/v1/ledger/proofs").await.expect(200).json();
    let gap = &proofs["items"][0];
    assert_eq!(
        (&gap["day"], &gap["closing"], &gap["proved"], proofs["items"].as_array().unwrap().len()),
        (&json!("2026-11-25"), &Value::Null, &json!(false), 2),
        "{proofs}"
    );
}

#[tokio::test]
async fn money_in_suspense_pays_the_bill_that_it_was_for() {
    let world = TestApp::start().await;
    world.register(&PEOPLE).await;
    let office = Office::open(&world, "H29.14").await;
    let accountant = officer(&world, "079185000456", Role::Accountant, "H29.14").await;
    let approver = officer(&world, "079085000457", Role::Approver, "H29.14").await;
    let bill = office.bill(&world, "asked").await;
    let told = crate::central_bank::credit(3, ACCOUNT, "U1", 205_000, None, world.clock.now());
    world.tell(&told).await.expect(200);
    let system = office.system(&world, "case bill receipt.read");
    let cases = system.get("/v1/cases").await.expect(200).json();
    let case = cases["items"][0]["id"].as_str().unwrap();
    let release = format!("/v1/cases/{case}/release");
    let proposal = |bill: &Value| {
        json!({ "toward": "bill", "bill": bill["id"], "legal_basis": "Law 97/2015 (illustrative)",
                "words": "Người nộp quên ghi mã", "officer": accountant })
    };
    let mut less = crate::office::new_bill();
    less["lines"] = json!([{ "fee": "LLTP-01" }]);
    let less = system.post_once("/v1/bills", "less", &less).await.expect(201).json();
    system.post_once(&release, "p0", &proposal(&less)).await.expect_refusal(422, "release_amount_differs");
    let other = Office::open(&world, "H29.15").await.bill(&world, "other").await;
    system.post_once(&release, "p1", &proposal(&other)).await.expect_refusal(404, "not_found");
    let mut nowhere = proposal(&bill);
    nowhere["toward"] = json!("unclaimed");
    system.post_once(&release, "p2", &nowhere).await.expect_refusal(400, "invalid_body");
    let proposed = system.post_once(&release, "p3", &proposal(&bill)).await.expect(200).json();
    assert_eq!((&proposed["toward"], &proposed["bill"]), (&json!("bill"), &bill["id"]));
    // Between proposal and approval the bill may be paid otherwise: then the money waits on.
    let approve = format!("{release}/approve");
    let cancel = format!("/v1/bills/{}/cancel", bill["id"].as_str().unwrap());
    system.post_once(&cancel, "c", &Value::Null).await.expect(200);
    let by = json!({ "officer": approver });
    system.post_once(&approve, "a0", &by).await.expect_refusal(409, "bill_already_cancelled");
    let revive = format!("/v1/bills/{}/revive", bill["id"].as_str().unwrap());
    system.post_once(&revive, "r", &json!({ "due": "2026-12-01" })).await.expect(200);
    system.post_once(&approve, "a1", &by).await.expect(200);
    let read = format!("/v1/bills/{}", bill["id"].as_str().unwrap());
    assert_eq!(system.get(&read).await.expect(200).json()["status"], "paid");
    let receipts = system.get("/v1/receipts").await.expect(200).json();
    assert_eq!(receipts["items"][0]["bill"], bill["id"]);
    let expected =
        [("clearing", 205_000), ("suspense", 0), ("fee_phi", -51_250), ("fee_phi_retained", -153_750)];
    assert_eq!(world.balances().await, expected.map(|(k, a)| (k.to_owned(), a)));
    assert_eq!(verify_books(&world.app.store, |_| {}).await.unwrap().finding, None);
}
