//! Agencies that are merged, split or renamed: nobody who holds a reference notices, and nothing that moves is left behind.

use crate::board::{ACCOUNTANT, AUDITOR, NOBODY, at_board, grant, people};
use crate::books::officer;
use crate::central_bank::{entry, told};
use crate::closings::{decide, match_day, prepare};
use crate::office::{ACCOUNT, Office, new_bill, uuid};
use crate::payments::start;
use crate::refunds::recall;
use crate::transfers::{arrives, transfer};
use crate::workbench::{self, cases, put_together, tolerate};
use crate::world::TestApp;
use chung::base::{clock::Clock, text::Line};
use chung::codec::iso20022::{Message, OriginalTransfer};
use chung::flow::succeed_agency::effect_successions;
use chung::flow::verify_books::verify_books;
use chung::identity::role::Role;
use serde_json::{Value, json};
use std::time::Duration;

const PEOPLE: [&str; 2] = [
    "079185000456,,Nguyễn Thị Hòa,1985-03-15,female,0912345218,79,active,,2,",
    "079085000457,,Trần Văn Khỏe,1985-04-01,male,0912345219,79,active,,2,",
];

#[tokio::test]
async fn from_the_day_everything_that_moves_is_the_successors() {
    let world = TestApp::start().await;
    world.register(&PEOPLE).await;
    let old = Office::open(&world, "H29.14").await;
    let new = Office::open(&world, "H29.15").await;
    let admin = Office::open(&world, "H29").await;
    new.bill(&world, "opens-its-account").await;
    let administrator = officer(&world, "079185000456", Role::Administrator, "H29").await;
    officer(&world, "079085000457", Role::Accountant, "H29.14").await;
    let paid = old.bill(&world, "paid-before").await;
    let payment = start(&world, &old, &paid).await;
    for (message, reference) in [(1, "R1"), (2, "R2")] {
        world.tell(&world.credit(message, reference, 205_000, &payment)).await.expect(200);
    }
    let open = old.bill(&world, "open").await;
    let path = format!("/v1/agencies/{}/succeed", old.agency);
    let system = admin.system(&world, "admin");
    let body = |from: &str, successors: Value| json!({ "kind": "merge", "from": from, "successors": successors, "administrator": administrator });
    let heir = json!([{ "agency": new.agency.to_string() }]);
    let two = json!([{ "agency": new.agency.to_string() }, { "agency": admin.agency.to_string() }]);
    system
        .post_once(&path, "a", &body("2026-11-23", heir.clone()))
        .await
        .expect_refusal(422, "day_in_the_past");
    system.post_once(&path, "b", &body("2026-12-01", two)).await.expect_refusal(400, "invalid_body");
    let own = format!("/v1/agencies/{}/succeed", admin.agency);
    system.post_once(&own, "c", &body("2026-12-01", heir.clone())).await.expect_refusal(403, "own_act");
    let decided = system.post_once(&path, "d", &body("2026-11-26", heir.clone())).await.expect(200).json();
    assert_eq!(decided["effected_at"], Value::Null, "its day has not come");
    system.post_once(&path, "e", &body("2026-11-26", heir)).await.expect_refusal(409, "agency_succeeded");
    assert!(!effect_successions(&world.app).await.unwrap());

    world.later(Duration::from_secs(2 * 86_400));
    assert!(effect_successions(&world.app).await.unwrap());
    assert!(!effect_successions(&world.app).await.unwrap(), "once");
    assert_eq!(
        world
            .count("agency_succession where bills = 1 and closed @> '[{\"kind\": \"phi\", \"count\": 1}]'")
            .await,
        1
    );
    // Each agency says from when until when it is valid, and who comes after it.
    let reads = admin.system(&world, "admin.read");
    let told = reads.get(&format!("/v1/agencies/{}", old.agency)).await.expect(200).json();
    assert_eq!(
        (&told["valid_from"], &told["valid_to"], &told["successors"]),
        (&json!("2026-11-24"), &json!("2026-11-25"), &json!([new.agency.to_string()]))
    );
    let all = reads.get("/v1/agencies").await.expect(200).json();
    let heir = all["items"].as_array().unwrap().iter().find(|one| one["code"] == "H29.15").unwrap();
    assert_eq!((&heir["valid_to"], &heir["successors"]), (&Value::Null, &json!([])));
    // The old agency asks and charges nothing more.
    old.system(&world, "bill")
        .post_once("/v1/bills", "late", &new_bill())
        .await
        .expect_refusal(403, "agency_suspended");
    // The citizen's reference opens the same bill; its money and receipt are the successor's.
    let shown =
        world.stranger().get(&format!("/pay/{}", open["reference"].as_str().unwrap())).await.expect(200);
    assert!(shown.text().contains("N•• T•• H••"));
    let heirs = new.system(&world, "bill payment.read receipt.read case ledger.read fee.read");
    let bill = heirs.get(&format!("/v1/bills/{}", open["id"].as_str().unwrap())).await.expect(200).json();
    assert_eq!((&bill["agency"], &bill["parties"]), (&json!(new.agency.to_string()), &open["parties"]));
    let payment = start(&world, &new, &open).await;
    let request = world.bank.requests.lock().unwrap().last().cloned().unwrap();
    assert_ne!(request.creditor_account.as_str(), ACCOUNT);
    let told = crate::central_bank::credit(
        9,
        request.creditor_account.as_str(),
        "N1",
        205_000,
        Some(crate::office::uuid(&payment)),
        chung::base::clock::Clock::now(&*world.clock),
    );
    world.tell(&told).await.expect(200);
    let receipts = heirs.get("/v1/receipts").await.expect(200).json();
    assert!(receipts["items"][0]["number"].as_str().unwrap().starts_with("H29.15-"), "{receipts}");
    // The case of the money that came twice, and the accountant.
    let cases = heirs.get("/v1/cases").await.expect(200).json();
    assert_eq!(cases["items"][0]["kind"], "duplicate");
    let roles = format!("role_grant where agency_id = '{}' and role = 'accountant'", new.agency.uuid());
    assert_eq!(world.count(&roles).await, 1);
    // Reports by either tree.
    let sum = |path: &str| {
        let (heirs, path) = (&heirs, path.to_owned());
        async move {
            heirs.get(&path).await.expect(200).json()["collected"]["amount"].as_str().unwrap().to_owned()
        }
    };
    assert_eq!(sum("/v1/fees/declaration?period=2026-11").await, "205000");
    assert_eq!(sum("/v1/fees/declaration?period=2026-11&tree=new").await, "410000");
    heirs.get("/v1/fees/declaration?period=2026-11&tree=x").await.expect_refusal(400, "invalid_parameter");
    let whole = heirs.get("/v1/ledger/balances?tree=new").await.expect(200).json();
    let own = heirs.get("/v1/ledger/balances").await.expect(200).json();
    assert!(whole["accounts"].as_array().unwrap().len() > own["accounts"].as_array().unwrap().len());
    assert_eq!(verify_books(&world.app.store, |_| {}).await.unwrap().finding, None);
}

#[tokio::test]
async fn a_split_passes_bills_by_procedure() {
    let world = TestApp::start().await;
    world.register(&PEOPLE).await;
    let old = Office::open(&world, "H29.14").await;
    let (records, licences) = (Office::open(&world, "H29.15").await, Office::open(&world, "H29.16").await);
    let admin = Office::open(&world, "H29").await;
    let administrator = officer(&world, "079185000456", Role::Administrator, "H29").await;
    let record = old.bill(&world, "record").await;
    let mut licence = new_bill();
    licence["procedure"] = json!("1.002796");
    licence["lines"] = json!([{ "fee": "GPLX-01" }]);
    let licence = old.system(&world, "bill").post_once("/v1/bills", "l", &licence).await.expect(201).json();
    let body = json!({
        "kind": "split", "from": "2026-11-24", "administrator": administrator,
        "successors": [
            { "agency": records.agency.to_string() },
            { "agency": licences.agency.to_string(), "procedures": ["1.002796"] },
        ],
    });
    let path = format!("/v1/agencies/{}/succeed", old.agency);
    let done = admin.system(&world, "admin").post_once(&path, "s", &body).await.expect(200).json();
    assert_eq!((&done["bills"], done["effected_at"].is_string()), (&json!(2), true));
    for (office, bill) in [(&records, &record), (&licences, &licence)] {
        let read = format!("/v1/bills/{}", bill["id"].as_str().unwrap());
        let found = office.system(&world, "bill.read").get(&read).await.expect(200).json();
        assert_eq!(found["reference"], bill["reference"]);
    }
}

/// A refund of the old agency that has been asked for, another that has been approved, and money that nobody explains.
#[tokio::test]
async fn refunds_and_unmatched_money_pass_to_the_successor() {
    let world = TestApp::start().await;
    world.register(&PEOPLE).await;
    world.register(&["079085000458,,Lê Văn Duyệt,1985-05-01,male,0912345220,79,active,,2,"]).await;
    let old = Office::open(&world, "H29.14").await;
    let new = Office::open(&world, "H29.15").await;
    let third = Office::open(&world, "H29.16").await;
    let admin = Office::open(&world, "H29").await;
    let administrator = officer(&world, "079185000456", Role::Administrator, "H29").await;
    officer(&world, "079085000457", Role::Accountant, "H29.14").await;
    let approver = officer(&world, "079085000458", Role::Approver, "H29.14").await;
    let mut bills = Vec::new();
    for n in 1..=3 {
        let bill = old.bill(&world, &format!("k{n}")).await;
        let payment = start(&world, &old, &bill).await;
        world.tell(&world.credit(n, &format!("R{n}"), 205_000, &payment)).await.expect(200);
        bills.push(bill);
    }
    let ask = |bill: &Value| json!({ "bill": bill["id"], "reason": "agency_error", "words": "Tính sai.", "officer": "079085000457" });
    let system = old.system(&world, "refund");
    let waiting = system.post_once("/v1/refunds", "r1", &ask(&bills[0])).await.expect(201).json();
    let decided = system.post_once("/v1/refunds", "r2", &ask(&bills[1])).await.expect(201).json();
    let decided: chung::base::id::Id<chung::base::id::Refund> =
        decided["id"].as_str().unwrap().parse().unwrap();
    chung::flow::decide_refund::approve_refund(&world.app, approver.parse().unwrap(), decided).await.unwrap();
    world.tell(&unmatched(&world, 8, "U1")).await.expect(200);
    let system = old.system(&world, "case");
    let cases = system.get("/v1/cases").await.expect(200).json();
    let case = cases["items"][0]["id"].as_str().unwrap().to_owned();
    let asked = json!({ "account": ACCOUNT, "day": "2026-11-24" });
    old.system(&world, "statement").post_once("/v1/statements", "s", &asked).await.expect(200);
    let listed = system.get("/v1/cases").await.expect(200).json();
    let listed = listed["items"].as_array().unwrap();
    let over = listed.iter().find(|c| c["kind"] == "missing_there").unwrap();
    let resolve = format!("/v1/cases/{}/resolve", over["id"].as_str().unwrap());
    let tolerated = format!("/v1/agencies/{}/match-tolerance", old.agency);
    let limit = json!({ "account": ACCOUNT, "amount": "1000000" });
    old.system(&world, "admin").post_once(&tolerated, "t", &limit).await.expect(200);
    let ending = json!({ "resolution": "explained", "words": "Đã gọi ngân hàng" });
    system.post_once(&resolve, "end", &ending).await.expect(200);
    let accountant = officer_of(&world, "079085000457").await;
    let proposal = json!({ "toward": "refund_due", "legal_basis": "Law 97/2015 (illustrative)",
        "words": "Không ai nhận", "officer": accountant });
    system.post_once(&format!("/v1/cases/{case}/release"), "p", &proposal).await.expect(200);

    let body = json!({ "kind": "merge", "from": "2026-11-24", "administrator": administrator,
        "successors": [{ "agency": new.agency.to_string() }] });
    let path = format!("/v1/agencies/{}/succeed", old.agency);
    admin.system(&world, "admin").post_once(&path, "s", &body).await.expect(200);

    // What was asked is decided at the successor, and what was owed is the successor's debt.
    let reads = new.system(&world, "refund case bill.read receipt.read ledger.read statement");
    let of = |id: &Value| format!("/v1/refunds/{}", id.as_str().unwrap());
    reads.get(&of(&waiting["id"])).await.expect(200);
    third.system(&world, "refund.read").get(&of(&waiting["id"])).await.expect_refusal(404, "not_found");
    let waiting: chung::base::id::Id<chung::base::id::Refund> =
        waiting["id"].as_str().unwrap().parse().unwrap();
    chung::flow::decide_refund::approve_refund(&world.app, approver.parse().unwrap(), waiting).await.unwrap();
    let owed = reads.get("/v1/ledger/balances").await.expect(200).json();
    let owed: Vec<&str> = owed["accounts"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["kind"] == "refund_due")
        .map(|row| row["balance"]["amount"].as_str().unwrap())
        .collect();
    assert_eq!(owed, ["-410000"]);
    assert_eq!(world.count("ledger_entry where kind = 'passed_on'").await, 1);
    // A bill that the old agency was paid for is read and given back by the successor alone.
    let paid = format!("/v1/bills/{}", bills[2]["id"].as_str().unwrap());
    assert_eq!(reads.get(&paid).await.expect(200).json()["parties"], bills[2]["parties"]);
    third.system(&world, "bill.read").get(&paid).await.expect_refusal(404, "not_found");
    // A bank that wants that money back asks the successor, too.
    let payment = reads.get(&paid).await.expect(200).json()["payment"].as_str().unwrap().to_owned();
    let original = OriginalTransfer {
        end_to_end: Line::parse(&uuid(&payment).simple().to_string()).ok(),
        ..OriginalTransfer::default()
    };
    let asked = Message::CancellationRequest(recall(1, 205_000, original));
    let now = chung::base::clock::Clock::now(&*world.clock);
    world.tell(&told(30, &asked, now)).await.expect(200);
    let open = format!("recall where state = 'open' and agency_id = '{}'", new.agency.uuid());
    assert_eq!(world.count(&open).await, 1);
    reads.post_once("/v1/refunds", "r3", &ask(&bills[2])).await.expect(201);
    third
        .system(&world, "refund")
        .post_once("/v1/refunds", "r4", &ask(&bills[2]))
        .await
        .expect_refusal(403, "officer_needed");
    // The decision about money in suspense goes on, words and all; what arrives in the old account is the successor's.
    let approve = format!("/v1/cases/{case}/release/approve");
    let done = reads.post_once(&approve, "a", &json!({ "officer": approver })).await.expect(200).json();
    assert_eq!(done["words"], "Không ai nhận");
    world.tell(&unmatched(&world, 9, "U2")).await.expect(200);
    let cases = reads.get("/v1/cases").await.expect(200).json();
    let unknown =
        cases["items"].as_array().unwrap().iter().filter(|case| case["kind"] == "unknown_reference");
    assert_eq!(unknown.count(), 2, "{cases}");
    // Each report by the old or the new tree.
    for (path, member) in [("/v1/receipts", "items"), ("/v1/bills", "items"), ("/v1/refunds", "items")] {
        let count = |answer: Value| answer[member].as_array().unwrap().len();
        let own = count(reads.get(path).await.expect(200).json());
        let tree = count(reads.get(&format!("{path}?tree=new")).await.expect(200).json());
        assert!(tree > own || path == "/v1/refunds", "{path}: {own} and {tree}");
        reads.get(&format!("{path}?tree=all")).await.expect_refusal(400, "invalid_parameter");
    }
    // The statement of a day of the old agency, and a case that ended there before.
    let of_old = format!("?tree={}", old.agency);
    let of_third = format!("?tree={}", third.agency);
    let count =
        async |path: &str| reads.get(path).await.expect(200).json()["items"].as_array().unwrap().len();
    for path in ["/v1/statements", "/v1/cases", "/v1/bills", "/v1/receipts", "/v1/refunds"] {
        let (old, new) = (count(&format!("{path}{of_old}")).await, count(&format!("{path}?tree=new")).await);
        assert!(old > 0 || path == "/v1/refunds", "{path}: {old} by the old tree");
        assert!(new >= old, "{path}: {new} and {old}");
        let strange = reads.get(&format!("{path}{of_third}")).await;
        strange.expect_refusal(404, "not_found");
        reads.get(&format!("{path}?tree=all")).await.expect_refusal(400, "invalid_parameter");
    }
    let ended = reads.get(&format!("/v1/cases{of_old}")).await.expect(200).json();
    let ended = format!("/v1/cases/{}", ended["items"][0]["id"].as_str().unwrap());
    let read = reads.get(&ended).await.expect(200).json();
    assert_eq!(
        (&read["state"], &read["notes"][0]["words"]),
        (&json!("resolved"), &json!("Đã gọi ngân hàng"))
    );
    third.system(&world, "case.read").get(&ended).await.expect_refusal(404, "not_found");
    reads.get("/v1/ledger/proofs?tree=new").await.expect(200);
    reads.get("/v1/ledger/proofs?tree=all").await.expect_refusal(400, "invalid_parameter");
    assert_eq!(verify_books(&world.app.store, |_| {}).await.unwrap().finding, None);
}

/// Somebody proposed to give money back, and a card company's slips explained it instead: nobody owes it.
#[tokio::test]
async fn what_nobody_approved_is_owed_by_no_successor() {
    let world = TestApp::start().await;
    world.register(&PEOPLE).await;
    let old = Office::open(&world, "H29.14").await;
    let new = Office::open(&world, "H29.15").await;
    let admin = Office::open(&world, "H29").await;
    let administrator = officer(&world, "079185000456", Role::Administrator, "H29").await;
    let accountant = officer(&world, "079085000457", Role::Accountant, "H29.14").await;
    old.bill(&world, "b").await;
    world.tell(&unmatched(&world, 8, "U1")).await.expect(200);
    let system = old.system(&world, "case");
    let cases = system.get("/v1/cases").await.expect(200).json();
    let release = format!("/v1/cases/{}/release", cases["items"][0]["id"].as_str().unwrap());
    let proposal = json!({ "toward": "refund_due", "legal_basis": "Law 97/2015 (illustrative)",
        "words": "Không ai nhận", "officer": accountant });
    system.post_once(&release, "p", &proposal).await.expect(200);
    let explained = "insert into card_settlement (case_id, agency_id, amount, discount, by, at)
            select id, agency_id, amount, 0, id, opened_at from suspense;
        update suspense set state = 'released'";
    world.sql(explained).await.unwrap();
    let body = json!({ "kind": "merge", "from": "2026-11-24", "administrator": administrator,
        "successors": [{ "agency": new.agency.to_string() }] });
    let path = format!("/v1/agencies/{}/succeed", old.agency);
    admin.system(&world, "admin").post_once(&path, "s", &body).await.expect(200);
    assert_eq!(world.count("ledger_entry where kind = 'passed_on'").await, 0);
}

/// Money that names nothing, in the first office's account.
fn unmatched(world: &TestApp, message: u128, reference: &str) -> String {
    let now = chung::base::clock::Clock::now(&*world.clock);
    crate::central_bank::credit(message, ACCOUNT, reference, 7_000, None, now)
}

/// The citizen's identifier of somebody who has a role.
async fn officer_of(world: &TestApp, number: &str) -> String {
    officer(world, number, Role::Auditor, "H29.14").await
}

/// One agency becomes part of another from that day on, as an administrator of a third decides.
pub async fn merge(
    world: &TestApp,
    (admin, administrator): (&Office, &str),
    (old, new): (&Office, &Office),
    from: &str,
) -> Value {
    let body = json!({ "kind": "merge", "from": from, "administrator": administrator,
        "successors": [{ "agency": new.agency.to_string() }] });
    let (path, key) = (format!("/v1/agencies/{}/succeed", old.agency), format!("merge-{}", old.agency));
    admin.system(world, "admin").post_once(&path, &key, &body).await.expect(200).json()
}

/// The bank shows money on today's statement.
fn shown(world: &TestApp, reference: &str, dong: i64, payment: Option<&str>) {
    let movement = entry(reference, dong, payment.map(uuid), world.clock.now());
    world.bank.movements.lock().unwrap().push(movement);
}

/// The case of that kind among those that wait.
async fn waiting(world: &TestApp, office: &Office, kind: &str) -> Value {
    let found = cases(world, office, "?pending=true").await;
    found.iter().find(|case| case["kind"] == kind).unwrap_or_else(|| panic!("no {kind} in {found:?}")).clone()
}

/// A match that waits, a payment that the last day's statement leaves out, money for a bill that was cancelled, and a case that begins
/// again: all that comes up after the first day is the successor's to end.
#[tokio::test]
async fn what_comes_up_about_the_old_agency_is_ended_by_the_successor() {
    let world = TestApp::start().await;
    people(&world).await;
    let old = Office::open(&world, "H29.14").await;
    let (new, third) = (Office::open(&world, "H29.15").await, Office::open(&world, "H29.16").await);
    let admin = Office::open(&world, "H29").await;
    let administrator = officer(&world, NOBODY.0, Role::Administrator, "H29").await;
    let accountant = officer(&world, ACCOUNTANT.0, Role::Accountant, "H29.14").await;
    let approver = officer(&world, AUDITOR.0, Role::Approver, "H29.14").await;
    let cancelled = old.bill(&world, "cancelled").await;
    let cancel = format!("/v1/bills/{}/cancel", cancelled["id"].as_str().unwrap());
    old.system(&world, "bill").post_once(&cancel, "cancel", &Value::Null).await.expect(200);
    shown(&world, "R8", 7_000, None);
    workbench::fetch(&world, &old, "a").await;
    tolerate(&world, &old, "10000").await;
    let explained = waiting(&world, &old, "unknown_reference").await["id"].as_str().unwrap().to_owned();
    let ending = json!({ "resolution": "explained", "words": "Đã gọi ngân hàng" });
    let resolve = format!("/v1/cases/{explained}/resolve");
    old.system(&world, "case").post_once(&resolve, "r", &ending).await.expect(200);
    world.later(Duration::from_secs(1));
    shown(&world, "R9", 70_000, None);
    workbench::fetch(&world, &old, "b").await;
    let unknown = waiting(&world, &old, "unknown_reference").await;
    let keeps = at_board(&world, ACCOUNTANT).await;
    put_together(&keeps, &old, std::slice::from_ref(&unknown), "other").await.expect(303);
    merge(&world, (&admin, &administrator), (&old, &new), "2026-11-26").await;
    world.later(Duration::from_secs(86_400));
    let paid = old.bill(&world, "paid-on-the-last-day").await;
    let payment = start(&world, &old, &paid).await;
    world.tell(&world.credit(1, "R2", 205_000, &payment)).await.expect(200);
    world.later(Duration::from_secs(86_400));
    assert!(effect_successions(&world.app).await.unwrap());

    // The match that waits, words and all.
    let heirs = new.system(&world, "case statement");
    let (keeps, approves) = (at_board(&world, ACCOUNTANT).await, at_board(&world, AUDITOR).await);
    let page = approves.get("/board/matches").await.expect(200).text();
    assert!(page.contains("Ngân hàng ghi gộp."), "{page}");
    workbench::decide(&approves, "approve").await.expect(303);
    let unknown = format!("/v1/cases/{}", unknown["id"].as_str().unwrap());
    assert_eq!(heirs.get(&unknown).await.expect(200).json()["resolution"], "matched");
    // The last day's statement leaves out what a bill of the old agency was paid with.
    let last = json!({ "account": ACCOUNT, "day": "2026-11-25" });
    heirs.post_once("/v1/statements", "last", &last).await.expect(200);
    let missing = waiting(&world, &new, "missing_there").await;
    assert_eq!(missing["payment"], json!(payment));
    put_together(&keeps, &new, &[missing], "other").await.expect(303);
    workbench::decide(&approves, "approve").await.expect(303);
    // Money for a bill that the old agency had cancelled.
    let reference = cancelled["reference"].as_str().unwrap();
    arrives(&world, 3, vec![transfer(&world, "R3", 205_000, reference)]).await;
    let late = waiting(&world, &new, "late").await;
    assert_eq!(late["suspense"]["reason"], "bill_cancelled");
    let release = format!("/v1/cases/{}/release", late["id"].as_str().unwrap());
    let proposal = json!({ "toward": "refund_due", "legal_basis": "Law 97/2015 (illustrative)",
        "words": "Khoản phải nộp đã hủy", "officer": accountant });
    heirs.post_once(&release, "p", &proposal).await.expect(200);
    let by = json!({ "officer": approver });
    heirs.post_once(&format!("{release}/approve"), "a", &by).await.expect(200);
    // What the old agency had explained rests on nothing any more; what it said of it is read.
    world.bank.movements.lock().unwrap().retain(|movement| movement.reference.as_str() != "R8");
    workbench::fetch(&world, &new, "c").await;
    let words = |case: &Value| {
        let notes = case["notes"].as_array().unwrap().iter();
        notes.map(|note| (note["act"].clone(), note["words"].clone())).collect::<Vec<_>>()
    };
    let path = format!("/v1/cases/{explained}");
    let again = heirs.get(&path).await.expect(200).json();
    assert_eq!(again["state"], "open");
    let said = words(&again);
    assert!(said.contains(&(json!("resolved"), json!("Đã gọi ngân hàng"))), "{again}");
    assert!(said.contains(&(json!("reopened"), Value::Null)), "{again}");

    // And it passes on once more, to whoever succeeds the successor.
    merge(&world, (&admin, &administrator), (&new, &third), "2026-11-26").await;
    let heirs = third.system(&world, "case");
    let case = heirs.get(&path).await.expect(200).json();
    assert!(words(&case).contains(&(json!("resolved"), json!("Đã gọi ngân hàng"))), "{case}");
    heirs.post_once(&resolve, "r", &ending).await.expect(200);
    let pending = "\"case\" where state in ('open', 'assigned') and kind <> 'late'";
    assert_eq!(world.count(pending).await, 0);
    assert_eq!(verify_books(&world.app.store, |_| {}).await.unwrap().finding, None);
}

/// Its last day, what moved in its account afterwards, its month and its year.
#[tokio::test]
async fn what_the_old_agency_left_open_is_closed_by_the_successors_people() {
    let world = TestApp::start().await;
    people(&world).await;
    let old = Office::open(&world, "H29.14").await;
    let new = Office::open(&world, "H29.15").await;
    let admin = Office::open(&world, "H29").await;
    let administrator = officer(&world, NOBODY.0, Role::Administrator, "H29").await;
    grant(&world, ACCOUNTANT.0, Role::Accountant).await;
    grant(&world, AUDITOR.0, Role::Approver).await;
    let bill = old.bill(&world, "k").await;
    let payment = start(&world, &old, &bill).await;
    shown(&world, "R1", 205_000, Some(&payment));
    world.tell(&world.credit(1, "R1", 205_000, &payment)).await.expect(200);
    merge(&world, (&admin, &administrator), (&old, &new), "2026-11-25").await;
    world.later(Duration::from_secs(86_400));
    assert!(effect_successions(&world.app).await.unwrap());
    let keepers = async || (at_board(&world, ACCOUNTANT).await, at_board(&world, AUDITOR).await);
    let (accountant, approver) = keepers().await;
    let early = prepare(&accountant, &old, "day", "2026-11-24").await.expect(409).text();
    assert!(early.contains("chưa có sao kê"), "{early}");
    match_day(&world, &new).await;
    prepare(&approver, &old, "day", "2026-11-24").await.expect(403);
    let closing = prepare(&accountant, &old, "day", "2026-11-24").await.expect(303).location();
    assert!(!accountant.get(&closing).await.expect(200).text().contains("value=\"approve\""));
    assert!(approver.get(&closing).await.expect(200).text().contains("value=\"approve\""));
    decide(&accountant, &closing, "withdraw").await.expect(303);
    let closing = prepare(&accountant, &old, "day", "2026-11-24").await.expect(303).location();
    decide(&accountant, &closing, "approve").await.expect(403);
    decide(&approver, &closing, "approve").await.expect(303);
    assert!(accountant.get(&format!("{closing}/pdf")).await.expect(200).body.starts_with(b"%PDF"));
    let told = new.system(&world, "event.read").get("/v1/events").await.expect(200).text();
    assert!(told.contains("closing.approved"), "its successor is told: {told}");

    shown(&world, "U2", 7_000, None);
    world.tell(&unmatched(&world, 9, "U2")).await.expect(200);
    world.later(Duration::from_secs(10 * 86_400));
    let (accountant, _) = keepers().await;
    let open = prepare(&accountant, &old, "month", "2026-11-10").await.expect(409).text();
    assert!(open.contains("chưa khóa") && open.contains("2026-11-25"), "{open}");
    let body = json!({ "account": ACCOUNT, "day": "2026-11-25" });
    new.system(&world, "statement").post_once("/v1/statements", "t", &body).await.expect(200);
    world.later(Duration::from_secs(30 * 86_400));
    let (accountant, approver) = keepers().await;
    for (kind, day) in [("day", "2026-11-25"), ("month", "2026-11-10"), ("year", "2026-06-30")] {
        let closing = prepare(&accountant, &old, kind, day).await.expect(303).location();
        decide(&approver, &closing, "approve").await.expect(303);
    }
    let of_old = format!("closing where state = 'approved' and agency_id = '{}'", old.agency.uuid());
    assert_eq!(world.count(&of_old).await, 4);
}
