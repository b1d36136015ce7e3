//! Receipts in bulk: what waited is numbered, signed, logged and told of in one transaction, of its own accord or when an
//! agency asks for many bills at once.

use crate::board::{ACCOUNTANT, AUDITOR, NOBODY, at_board, grant, people};
use crate::office::Office;
use crate::payments::start;
use crate::time_stamps::{sandbox, trouble};
use crate::world::{Actor, TestApp};
use chung::codec::receipt_content;
use chung::crypto::signing::KeyList;
use chung::flow::issue_due_receipts::issue_due_receipts;
use chung::flow::sequence_audit::sequence_audit;
use chung::flow::verify_audit::verify_audit;
use chung::identity::role::Role;
use serde_json::{Value, json};
use std::process::Command;
use std::time::Duration;

fn series(letters: &str, last: i64) -> Value {
    json!({
        "kind": "phi", "letters": letters, "first": 1, "last": last,
        "valid_from": "2026-11-01", "valid_to": "2026-12-31",
    })
}

/// An office whose only series had one number, and so many bills beyond it that are paid and wait.
async fn waiting(many: u128) -> (TestApp, Office, Vec<String>) {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let system = office.system(&world, "receipt");
    system.post_once("/v1/receipts/series", "first", &series("AP", 1)).await.expect(201);
    let mut bills = Vec::new();
    for nth in 0..=many {
        bills.push(paid(&world, &office, nth).await);
    }
    bills.remove(0);
    assert_eq!(i128::from(world.count("receipt_due").await), i128::try_from(many).unwrap());
    (world, office, bills)
}

async fn paid(world: &TestApp, office: &Office, nth: u128) -> String {
    let bill = office.bill(world, &format!("b{nth}")).await;
    let payment = start(world, office, &bill).await;
    world.tell(&world.credit(100 + nth, &format!("R{nth}"), 205_000, &payment)).await.expect(200);
    bill["id"].as_str().unwrap().to_owned()
}

/// How many numbers of the second series are there, and how many are missing among the first so many.
async fn numbers(world: &TestApp, many: i64) -> (i64, i64) {
    let given = world.count("receipt where letters = 'BP'").await;
    let gaps = format!(
        "generate_series(1, {many}) n where not exists (
             select from receipt where number = 'H29.14-BP26E-' || lpad(n::text, 7, '0'))"
    );
    (given, world.count(&gaps).await)
}

#[tokio::test]
async fn what_waits_is_issued_in_one_transaction_each_with_its_signature_leaf_and_event() {
    let (world, office, bills) = waiting(7).await;
    let system = office.system(&world, "receipt");
    world.later(Duration::from_secs(60));
    system.post_once("/v1/receipts/series", "second", &series("BP", 5)).await.expect(201);
    // One of them cannot be read any more, and there are fewer numbers than receipts.
    let broken = format!("update bill_content set parties = '\\x01' where bill_id = '{}'", bill(&bills[0]));
    world.sql(&broken).await.unwrap();
    assert_eq!(issue_due_receipts(&world.app).await.unwrap(), 7);
    assert_eq!(numbers(&world, 5).await, (5, 0));
    let late = "audit_leaf where kind = 'receipt.issued'";
    assert_eq!(world.count(late).await, 5, "a leaf each");
    assert_eq!(world.count(&format!("(select distinct tx from {late}) t")).await, 1, "one transaction");
    assert_eq!(world.count("(select distinct leaf_id from receipt where letters = 'BP') t").await, 5);
    assert_eq!(world.count("receipt_file where format = 'jws'").await, 5, "a signature each");
    assert_eq!(world.count("outbox where name = 'receipt.issued'").await, 5, "an event each");
    let due = office.system(&world, "receipt.read").get("/v1/receipts/due").await.expect(200).json();
    let mut outcomes: Vec<_> =
        due["items"].as_array().unwrap().iter().map(|due| due["last_outcome"].as_str().unwrap()).collect();
    outcomes.sort_unstable();
    assert_eq!(outcomes, ["no_series", "unreadable"], "they wait on and stop no other");
    assert_eq!(issue_due_receipts(&world.app).await.unwrap(), 0, "they rest for a while");
    let signed =
        office.system(&world, "receipt.read").get("/v1/receipts/signed?limit=5").await.expect(200).json();
    let keys = KeyList::from_jwks(&world.stranger().get("/receipts/keys").await.expect(200).text()).unwrap();
    for item in signed["items"].as_array().unwrap() {
        let (content, _) = receipt_content::verify(item["signed"].as_str().unwrap(), &keys).unwrap();
        assert_eq!(json!(content.number.to_string()), item["number"]);
    }
}

#[tokio::test]
async fn many_are_written_at_once_and_are_what_few_are() {
    let (world, office, _) = waiting(66).await;
    let system = office.system(&world, "receipt");
    system.post_once("/v1/receipts/series", "second", &series("BP", 70)).await.expect(201);
    assert_eq!(issue_due_receipts(&world.app).await.unwrap(), 66);
    assert_eq!(numbers(&world, 66).await, (66, 0));
    for each in [
        "receipt r join audit_leaf l on l.id = r.leaf_id and l.kind = 'receipt.issued' and l.at = r.issued_at
             join audit_detail d on d.leaf_id = l.id and d.agency_id = r.agency_id and d.object = r.bill_id",
        "receipt r join receipt_file f on f.receipt_id = r.id and f.format = 'jws' and f.made_at = r.issued_at
             where r.letters = 'BP'",
        "receipt r join outbox o on o.object = r.bill_id and o.name = 'receipt.issued' and o.state = 'done'
             join event_sequence s on s.object = o.object and s.last = o.sequence and o.sequence > 1",
    ] {
        assert_eq!(world.count(each).await, 66, "{each}");
    }
    sequence_audit(&world.app).await.unwrap();
    let report = verify_audit(&world.app.store, &world.app.keys, None, |_| {}).await.unwrap();
    assert_eq!((report.finding, report.waiting), (None, 0));
    let signed =
        office.system(&world, "receipt.read").get("/v1/receipts/signed?limit=66").await.expect(200).json();
    let keys = KeyList::from_jwks(&world.stranger().get("/receipts/keys").await.expect(200).text()).unwrap();
    let items = signed["items"].as_array().unwrap();
    assert_eq!(items.len(), 66);
    for item in items {
        let (content, _) = receipt_content::verify(item["signed"].as_str().unwrap(), &keys).unwrap();
        assert_eq!(json!(content.number.to_string()), item["number"]);
    }
}

#[tokio::test]
async fn an_accountant_issues_what_waits_at_the_agencys_page_and_is_told_what_came_of_it() {
    let (world, office, bills) = waiting(3).await;
    people(&world).await;
    grant(&world, ACCOUNTANT.0, Role::Accountant).await;
    grant(&world, AUDITOR.0, Role::Auditor).await;
    let accountant = at_board(&world, ACCOUNTANT).await;
    let board = accountant.get("/board").await.expect(200).text();
    assert!(board.contains("/board/receipts?agency="), "{board}");
    let page = accountant.get("/board/receipts").await.expect(200);
    for part in [
        "chờ biên lai (3)",
        "H29.14-261124-0001",
        "không còn số",
        "hết số",
        "Lập ngay",
        "H29.14-AP26E-0000001",
    ] {
        assert!(page.text().contains(part), "{part} in {}", page.text());
    }
    let agency = office.agency.to_string();
    let form = |token: &str| [("form_token", token.to_owned()), ("agency", agency.clone())];
    let send = async |actor: &Actor, form: [(&str, String); 2]| {
        let fields = form.each_ref().map(|(name, value)| (*name, value.as_str()));
        actor.post_form("/board/receipts", &fields).await
    };
    let token = page.form_field("form_token");
    // No number is left: nothing is issued, and the page says so.
    let told = send(&accountant, form(&token)).await.expect(200).text();
    assert!(told.contains("3 biên lai còn chờ") && !told.contains("Đã lập"), "{told}");

    let system = office.system(&world, "receipt");
    system.post_once("/v1/receipts/series", "second", &series("BP", 2)).await.expect(201);
    let broken = format!("update bill_content set parties = '\\x01' where bill_id = '{}'", bill(&bills[0]));
    world.sql(&broken).await.unwrap();
    // Whoever only reads, a stranger and a form that nobody was shown issue nothing.
    let auditor = at_board(&world, AUDITOR).await;
    let read = auditor.get("/board/receipts").await.expect(200).text();
    assert!(read.contains("chờ biên lai (3)") && !read.contains("Lập ngay"), "{read}");
    let theirs = auditor.get("/board/payouts").await.expect(200).form_field("form_token");
    send(&auditor, form(&theirs)).await.expect(403);
    send(&accountant, form("0")).await.expect(400);
    send(&accountant, [("form_token", token.clone()), ("agency", "x".to_owned())]).await.expect(404);
    send(&world.stranger(), form(&token)).await.expect(303);
    at_board(&world, NOBODY).await.get("/board/receipts").await.expect(403);
    assert_eq!(world.count("receipt").await, 1);

    let told = send(&accountant, form(&token)).await.expect(200).text();
    for part in ["Đã lập 2 biên lai", "1 biên lai còn chờ", "không đọc được hồ sơ", "H29.14-BP26E-0000002"]
    {
        assert!(told.contains(part), "{part} in {told}");
    }
    assert_eq!(numbers(&world, 2).await, (2, 0));
    assert_eq!(world.count("receipt_file where format = 'jws'").await, 2, "each with its signature");
    assert_eq!(world.count("audit_leaf where kind = 'receipt.asked'").await, 2, "and who asked is known");
    let number = "/receipts/H29.14-BP26E-0000001?code=";
    let link =
        told.split('"').find(|part| part.starts_with(number)).unwrap_or_else(|| panic!("no link in {told}"));
    world.stranger().get(link).await.expect(200);
    // The quarter's report comes from the same series.
    let link = told.split('"').find(|part| part.starts_with("/board/receipts/use?")).unwrap();
    let before = accountant.get(link).await.expect(200).text();
    assert!(
        before.contains("Từ 01/07/2026 đến 30/09/2026") && before.contains("không có ký hiệu"),
        "{before}"
    );
    let report = auditor.get(&format!("{link}&quarter=2026-Q4")).await.expect(200).text();
    for part in ["Từ 01/10/2026 đến 31/12/2026", "BP-26E", "0000001 – 0000002", "2026-Q3", "Tồn cuối kỳ"]
    {
        assert!(report.contains(part), "{part} in {report}");
    }
    accountant.get(&format!("{link}&quarter=2026-Q5")).await.expect(404);
    at_board(&world, NOBODY).await.get(link).await.expect(403);
    let english = accountant.get("/board/receipts?lang=en").await.expect(200).text();
    for part in ["Paid, receipt pending (1)", "Issue now", "Receipts given"] {
        assert!(english.contains(part), "{part} in {english}");
    }
}

#[tokio::test]
async fn a_receipt_that_came_late_is_proved_offline_like_any_other() {
    let (world, office, bills) = waiting(1).await;
    let system = office.system(&world, "receipt receipt.read");
    system.post_once("/v1/receipts/series", "second", &series("BP", 5)).await.expect(201);
    assert_eq!(issue_due_receipts(&world.app).await.unwrap(), 1);
    sequence_audit(&world.app).await.unwrap();
    let listed = system.get(&format!("/v1/receipts?bill={}", bills[0])).await.expect(200).json();
    let files = &listed["items"][0]["files"];
    let folder = std::env::temp_dir().join(format!("chung-late-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for (name, file) in [
        ("receipt.xml", system.get(files["xml"].as_str().unwrap()).await.expect(200).body),
        ("proof.json", system.get(files["proof"].as_str().unwrap()).await.expect(200).body),
        ("keys.json", world.stranger().get("/receipts/keys").await.expect(200).body),
    ] {
        std::fs::write(folder.join(name), file).unwrap();
    }
    let said = Command::new(env!("CARGO_BIN_EXE_chung"))
        .current_dir(&folder)
        .args(["verify", "receipt", "receipt.xml", "--keys", "keys.json", "--proof", "proof.json"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.status.success() && text.contains("in the audit log at place"), "{text}");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn the_sandbox_plays_another_issuer_with_bad_days_and_makes_each_receipt_once() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let (outside, _running) = sandbox(&world).await;
    let set = format!("/v1/agencies/{}/receipt-issuer", office.agency);
    let body = json!({ "issuer": "other", "url": outside.join("receipts").unwrap(), "token": "a-secret" });
    office.system(&world, "admin").post_once(&set, "a", &body).await.expect(200);
    let bill = paid(&world, &office, 1).await;
    let reader = office.system(&world, "bill.read");
    let state =
        async || reader.get(&format!("/v1/bills/{bill}")).await.expect(200).json()["receipts"].clone();
    for fault in ["drop_request", "drop_answer"] {
        trouble(&outside, &json!({ "fault": fault, "on": "receipt" })).await;
        assert_eq!(issue_due_receipts(&world.app).await.unwrap(), 1, "{fault}");
        assert_eq!(state().await["state"], "pending", "{fault}");
        world.later(Duration::from_secs(3_600));
    }
    // Whoever does not want to wait asks, and the issuer is asked at once.
    let system = office.system(&world, "receipt");
    let asked =
        system.post_once("/v1/receipts/issue", "now", &json!({ "bills": [bill] })).await.expect(200).json();
    assert_eq!(asked["bills"][0]["waiting"], json!([{ "kind": "phi", "reason": "issuer" }]));
    assert_eq!(issue_due_receipts(&world.app).await.unwrap(), 1);
    let issued = state().await;
    assert_eq!((&issued["state"], &issued["elsewhere"][0]["number"]), (&json!("issued"), &json!("0000001")));
    let next = paid(&world, &office, 2).await;
    assert_eq!(issue_due_receipts(&world.app).await.unwrap(), 1);
    let second = reader.get(&format!("/v1/bills/{next}")).await.expect(200).json();
    assert_eq!(second["receipts"]["elsewhere"][0]["number"], "0000002", "the first was made once");
}

fn bill(printed: &str) -> uuid::Uuid {
    printed.parse::<chung::base::id::Id<chung::base::id::Bill>>().unwrap().uuid()
}

#[tokio::test]
async fn bulk_and_settlements_at_once_leave_no_gap_and_give_no_number_twice() {
    let (world, office, bills) = waiting(8).await;
    let system = office.system(&world, "receipt");
    world.later(Duration::from_secs(60));
    let mut credits = Vec::new();
    for nth in 20..24 {
        let bill = office.bill(&world, &format!("b{nth}")).await;
        let payment = start(&world, &office, &bill).await;
        credits.push(world.credit(100 + nth, &format!("R{nth}"), 205_000, &payment));
    }
    system.post_once("/v1/receipts/series", "second", &series("BP", 500)).await.expect(201);
    let settling = futures_util::future::join_all(credits.iter().map(|credit| world.tell(credit)));
    let asking = json!({ "bills": bills });
    let (one, two, asked, settled) = tokio::join!(
        issue_due_receipts(&world.app),
        issue_due_receipts(&world.app),
        system.post_once("/v1/receipts/issue", "all", &asking),
        settling,
    );
    assert!(one.unwrap() + two.unwrap() <= 8);
    assert!(settled.iter().all(|answer| answer.status == 200));
    let asked = asked.expect(200).json();
    for row in asked["bills"].as_array().unwrap() {
        assert_eq!(row["state"], "issued", "{row}");
    }
    assert_eq!(numbers(&world, 12).await, (12, 0));
    assert_eq!(world.count("receipt_due").await, 0);
}

#[tokio::test]
async fn an_agency_asks_for_the_receipts_of_many_bills_and_hears_of_each() {
    let (world, office, bills) = waiting(2).await;
    let system = office.system(&world, "receipt");
    let open = office.bill(&world, "open").await["id"].as_str().unwrap().to_owned();
    let strange = "bill_019ab3c2a1b07c3d9e4f5a6b7c8d9e0f".to_owned();
    let wanted = json!({ "bills": [bills[1], open, strange, bills[0]] });
    let none = system.post_once("/v1/receipts/issue", "none", &wanted).await.expect(200).json();
    let states = |answer: &Value| -> Vec<String> {
        let rows = answer["bills"].as_array().unwrap().iter();
        rows.map(|row| row["state"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(states(&none), ["waiting", "unpaid", "unknown", "waiting"]);
    assert_eq!(
        (&none["issued"], &none["bills"][0]["waiting"][0]["reason"]),
        (&json!(0), &json!("no_series"))
    );
    system.post_once("/v1/receipts/series", "second", &series("BP", 500)).await.expect(201);
    let told = system.post_once("/v1/receipts/issue", "now", &wanted).await.expect(200).json();
    assert_eq!(
        (&told["issued"], states(&told)),
        (&json!(2), ["issued", "unpaid", "unknown", "issued"].map(str::to_owned).to_vec())
    );
    let keys = KeyList::from_jwks(&world.stranger().get("/receipts/keys").await.expect(200).text()).unwrap();
    for row in [0, 3] {
        let receipt = &told["bills"][row]["receipts"][0];
        let (content, _) = receipt_content::verify(receipt["signed"].as_str().unwrap(), &keys).unwrap();
        assert_eq!(
            (json!(content.number.to_string()), content.payer.as_str()),
            (receipt["number"].clone(), "Nguyễn Thị Hòa")
        );
    }
    assert!(!world.dump("idempotency_key").await.contains("signed"), "the kept answer names nobody");
    let again = system.post_once("/v1/receipts/issue", "now", &wanted).await.expect(200).json();
    assert_eq!(again, told, "once per key");
    assert_eq!(world.count("receipt where letters = 'BP'").await, 2);

    // Somebody else's bills are unknown to another agency, and give it nothing.
    let other = Office::open(&world, "H29.15").await;
    let theirs = other.system(&world, "receipt").post_once("/v1/receipts/issue", "x", &wanted).await;
    let theirs = theirs.expect(200).json();
    assert_eq!(states(&theirs), ["unknown"; 4]);
    assert!(theirs["bills"].as_array().unwrap().iter().all(|row| row["receipts"] == json!([])));
    let less = json!({ "bills": [bills[0]] });
    system.post_once("/v1/receipts/issue", "now", &less).await.expect_refusal(409, "idempotency_key_reused");
    for (key, wrong) in [
        ("a", json!({ "bills": [] })),
        ("b", json!({ "bills": [bills[0], bills[0]] })),
        ("c", json!({ "bills": ["receipt_019ab3c2a1b07c3d9e4f5a6b7c8d9e0f"] })),
        ("d", json!({ "bills": vec![&bills[0]; 501] })),
    ] {
        system.post_once("/v1/receipts/issue", key, &wrong).await.expect_refusal(400, "invalid_body");
    }
    let reader = office.system(&world, "receipt.read");
    reader.post_once("/v1/receipts/issue", "r", &less).await.expect_refusal(403, "scope_missing");
}
