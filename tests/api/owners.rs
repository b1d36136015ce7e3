//! Money of several owners on one bill: collected together in a named account, or by one transfer for each owner; never
//! mixed silently.

use crate::books::officer;
use crate::central_bank::{credit, entry, notification};
use crate::office::{ACCOUNT, BANK, Office, new_bill, uuid};
use crate::payments::start;
use crate::world::{Actor, TestApp};
use chung::base::{clock::Clock, text::Line};
use chung::codec::{
    qr_svg::qr_svg,
    vietqr::{Service, VietQr},
};
use chung::flow::verify_books::verify_books;
use chung::identity::role::Role;
use serde_json::{Value, json};

/// The other owner's collecting account.
const THEIRS: &str = "699";

struct Set {
    world: TestApp,
    office: Office,
    other: Office,
    system: Actor,
}

async fn set() -> Set {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let other = Office::open(&world, "H29.15").await;
    other.bill(&world, "opens-its-account").await;
    let system = office.system(&world, "bill receipt.read");
    Set { world, office, other, system }
}

impl Set {
    /// A bill of 205,000 đ of which 5,000 đ are the other agency's.
    fn shared(&self, collect: Option<&str>) -> Value {
        let mut shared = new_bill();
        shared["lines"][1]["beneficiary"] = json!(self.other.agency.to_string());
        if let Some(collect) = collect {
            shared["collect"] = json!(collect);
        }
        shared
    }

    async fn issue(&self, key: &str) -> Value {
        self.system.post_once("/v1/bills", key, &self.shared(Some("by_owner"))).await.expect(201).json()
    }

    async fn status(&self, bill: &Value) -> String {
        let path = format!("/v1/bills/{}", bill["id"].as_str().unwrap());
        self.system.get(&path).await.expect(200).json()["status"].as_str().unwrap().to_owned()
    }

    async fn page(&self, bill: &Value, what: &str) -> String {
        self.world.stranger().get(&format!("/pay/{}{what}", reference(bill))).await.expect(200).text()
    }

    /// A transfer that names a reference in its text.
    async fn transfer(&self, n: u128, account: &str, dong: i64, text: &str) {
        let now = self.world.clock.now();
        let mut entry = entry(&format!("T{n}"), dong, None, now);
        entry.end_to_end = Some(Line::parse("NOTPROVIDED").unwrap());
        entry.remittance = vec![Line::parse(text).unwrap()];
        entry.accepted = Some(now);
        self.world.tell(&notification(n, account, vec![entry], now)).await.expect(200);
    }
}

fn reference(bill: &Value) -> &str {
    bill["reference"].as_str().unwrap()
}

/// The transfer of a part as its page and its notice draw it.
fn drawn(account: &str, part: &Value) -> String {
    let code = VietQr {
        bank: "970405".to_owned(),
        number: account.to_owned(),
        service: Service::Account,
        amount: part["total"]["amount"].as_str().unwrap().parse().ok(),
        purpose: Some(reference(part).to_owned()),
    };
    qr_svg(&code.encode().unwrap(), "Mã VietQR để chuyển đúng số tiền với đúng nội dung").unwrap()
}

#[tokio::test]
async fn a_bill_of_two_owners_is_paid_by_one_transfer_for_each() {
    let set = set().await;
    let refused = set.system.post_once("/v1/bills", "silent", &set.shared(None)).await;
    refused.expect_refusal(422, "several_owners");
    let whole = set.issue("k").await;
    assert_eq!((&whole["status"], &whole["total"]["amount"]), (&json!("superseded"), &json!("205000")));
    let parts = whole["parts"].as_array().unwrap();
    let sums: Vec<&str> = parts.iter().map(|p| p["total"]["amount"].as_str().unwrap()).collect();
    assert_eq!(sums, ["200000", "5000"]);
    assert_eq!(set.issue("k").await, whole, "the same key has the same answer");
    assert!(!set.world.dump("idempotency_key").await.contains("Hòa"), "no names in the clear");
    let other = set.system.post_once("/v1/bills", "k", &set.shared(Some("together"))).await;
    other.expect_refusal(409, "idempotency_key_reused");
    let (first, second) = (&parts[0], &parts[1]);

    // Anybody with the one reference sees both transfers and no third one; so does the paper.
    for what in ["", "/notice"] {
        let shown = set.page(&whole, what).await;
        for part in [
            &*drawn(ACCOUNT, first),
            &*drawn(THEIRS, second),
            "Sở Tư pháp",
            "Sở Xây dựng",
            "chưa nộp",
            "còn phải nộp 205.000",
            "Xin đừng chuyển tổng số tiền",
        ] {
            assert!(shown.contains(part), "{part} in {shown}");
        }
        assert_eq!(shown.matches("<svg class=\"qr\"").count(), 2);
        assert!(
            !shown.contains("style=")
                && shown.contains(&format!("/pay/{}", reference(first))) != (what == "/notice")
        );
    }
    let english = set.page(&whole, "?lang=en").await;
    assert!(english.contains("Department of Construction") && english.contains("Part 2 of 2"), "{english}");
    let one = set.page(second, "").await;
    assert!(one.contains(&format!("/pay/{}", reference(&whole))) && one.contains("một phần"), "{one}");

    // One owner's part by a transfer; the other's by its bank's request. Each goes to its owner's account.
    set.transfer(1, THEIRS, 5_000, reference(second)).await;
    assert_eq!((set.status(second).await.as_str(), set.status(first).await.as_str()), ("paid", "open"));
    let shown = set.page(&whole, "").await;
    assert!(shown.contains("đã nộp") && shown.contains("còn phải nộp 200.000"), "{shown}");
    assert!(!shown.contains(&drawn(THEIRS, second)) && shown.contains(&drawn(ACCOUNT, first)), "{shown}");
    assert!(shown.contains("/receipts/H29.15-"), "{shown}");
    let payment = start(&set.world, &set.office, first).await;
    let request = set.world.bank.requests.lock().unwrap().last().cloned().unwrap();
    assert_eq!(request.creditor_account.as_str(), ACCOUNT);
    let waiting = set.page(&whole, "").await;
    assert!(waiting.contains("đang chờ ngân hàng") && !waiting.contains("<svg class=\"qr\""), "{waiting}");
    set.world.tell(&set.world.credit(2, "R2", 200_000, &payment)).await.expect(200);
    assert!(set.page(&whole, "").await.contains("còn phải nộp 0"));
    set.page(&whole, "/notice").await;
    let paid = set.page(second, "").await;
    assert!(paid.contains("Xem tất cả các phần"), "{paid}");

    // Each owner's receipt is its own and says nothing of the other's money.
    let theirs = set.other.system(&set.world, "receipt.read ledger.read");
    let given = theirs.get("/v1/receipts").await.expect(200).json();
    let given = given["items"].as_array().unwrap();
    assert_eq!((given.len(), &given[0]["total"]["amount"]), (1, &json!("5000")));
    let mine = set.system.get("/v1/receipts").await.expect(200).json();
    assert_eq!(
        (mine["items"].as_array().unwrap().len(), &mine["items"][0]["total"]["amount"]),
        (1, &json!("200000"))
    );
    let books = theirs.get("/v1/ledger/balances").await.expect(200).json();
    let money = books["accounts"].as_array().unwrap().iter().find(|a| a["kind"] == "clearing").unwrap();
    assert_eq!(
        (&money["real_account"]["number"], &money["balance"]["amount"]),
        (&json!(THEIRS), &json!("5000"))
    );
    assert_eq!(set.world.held().await, []);
    assert_eq!(verify_books(&set.world.app.store, |_| {}).await.unwrap().finding, None);
}

#[tokio::test]
async fn money_that_mixes_owners_waits_and_pays_nobody() {
    let set = set().await;
    let whole = set.issue("k").await;
    let (first, second) = (&whole["parts"][0], &whole["parts"][1]);
    // The whole sum under one part's text, a part in the other owner's account, and money under the old reference.
    set.transfer(1, ACCOUNT, 205_000, reference(first)).await;
    set.transfer(2, ACCOUNT, 5_000, reference(second)).await;
    set.transfer(3, ACCOUNT, 205_000, reference(&whole)).await;
    let held = set.world.held().await;
    let mut why: Vec<&str> = held.iter().map(|(reason, _)| reason.as_str()).collect();
    why.sort_unstable();
    assert_eq!(why, ["bill_superseded", "unmatched", "wrong_amount"], "{held:?}");
    for bill in [first, second] {
        assert_eq!(set.status(bill).await, "open");
    }
    // Nobody starts an attempt for the whole, and nothing is done to it.
    let path = format!("/pay/{}", reference(&whole));
    let begun = set.world.stranger().post_form(&path, &[("bank", BANK)]).await;
    assert_eq!(begun.status, 303);
    assert_eq!(set.world.count("payment where way = 'request'").await, 0);
    for act in ["cancel", "split"] {
        let path = format!("/v1/bills/{}/{act}", whole["id"].as_str().unwrap());
        let body = if act == "cancel" { Value::Null } else { json!({ "by": "owner" }) };
        set.system.post_once(&path, act, &body).await.expect_refusal(409, "bill_superseded");
    }
    let mut odd = set.shared(Some("apart"));
    set.system.post_once("/v1/bills", "odd", &odd).await.expect_refusal(400, "invalid_body");
    // One part is withdrawn, the other is not.
    let cancel = format!("/v1/bills/{}/cancel", second["id"].as_str().unwrap());
    set.system.post_once(&cancel, "c", &Value::Null).await.expect(200);
    let shown = set.page(&whole, "").await;
    assert!(shown.contains("đã hủy") && shown.contains("còn phải nộp 200.000"), "{shown}");
    // Of one owner it is a bill like any other.
    odd["collect"] = json!("by_owner");
    odd["lines"][1].as_object_mut().unwrap().remove("beneficiary");
    let plain = set.system.post_once("/v1/bills", "plain", &odd).await.expect(201).json();
    assert_eq!((&plain["status"], plain.get("parts")), (&json!("open"), None));
    assert_eq!(verify_books(&set.world.app.store, |_| {}).await.unwrap().finding, None);
}

#[tokio::test]
async fn in_bulk_each_owner_is_paid_apart_as_well() {
    let set = set().await;
    let mut odd = set.shared(Some("apart"));
    odd["dossier"] = json!("H29.14-261124-0002");
    let mut later = set.shared(Some("by_owner"));
    later["dossier"] = json!("H29.14-261124-0003");
    let rows = json!({ "bills": [set.shared(Some("by_owner")), new_bill(), set.shared(None), odd, later] });
    let sent = set.system.post_once("/v1/bills/bulk", "bulk", &rows).await.expect(200).json();
    let word = |told: &Value, row: usize| told["rows"][row]["outcome"].as_str().unwrap().to_owned();
    assert_eq!((&sent["issued"], &sent["refused"]), (&json!(3), &json!(2)), "{sent}");
    assert_eq!([word(&sent, 0), word(&sent, 1), word(&sent, 4)], ["issued"; 3]);
    assert_eq!(
        (&sent["rows"][2]["code"], &sent["rows"][3]["code"]),
        (&json!("several_owners"), &json!("invalid_body"))
    );
    assert_eq!(sent["rows"][1].get("parts"), None);
    for row in [0, 4] {
        let row = &sent["rows"][row];
        let parts = row["parts"].as_array().unwrap();
        let sums: Vec<&str> = parts.iter().map(|part| part["total"]["amount"].as_str().unwrap()).collect();
        assert_eq!((sums, &row["total"]["amount"]), (vec!["200000", "5000"], &json!("205000")));
        let shown = set.page(row, "").await;
        assert!(
            shown.contains(&drawn(ACCOUNT, &parts[0])) && shown.contains(&drawn(THEIRS, &parts[1])),
            "{shown}"
        );
    }
    // Never open as a whole: only the two plain parts of each, and the bill of one owner.
    assert_eq!(
        set.world.count("bill where state = 'open'").await,
        5 + 1,
        "and the one that opened the account"
    );
    // Sent again it says the same of every row, whatever was paid or changed since; no names stand with the keys.
    set.transfer(1, THEIRS, 5_000, reference(&sent["rows"][0]["parts"][1])).await;
    let again = set.system.post_once("/v1/bills/bulk", "bulk", &rows).await.expect(200).json();
    assert_eq!((&again["existed"], &again["refused"]), (&json!(3), &json!(2)));
    for row in [0, 1, 4] {
        let mut told = again["rows"][row].clone();
        assert_eq!(word(&again, row), "exists");
        told["outcome"] = json!("issued");
        assert_eq!(told, sent["rows"][row]);
    }
    assert!(!set.world.dump("idempotency_key").await.contains("Hòa"));
    // Another content under a row's key is refused for that row alone.
    let mut other = rows.clone();
    other["bills"][0]["due"] = json!("2026-12-02");
    let other = set.system.post_once("/v1/bills/bulk", "bulk", &other).await.expect(200).json();
    assert_eq!(
        (&other["rows"][0]["code"], &other["rows"][0]["about"], word(&other, 4).as_str()),
        (&json!("idempotency_key_reused"), &sent["rows"][0]["bill"], "exists")
    );
    assert_eq!(verify_books(&set.world.app.store, |_| {}).await.unwrap().finding, None);
}

#[tokio::test]
async fn a_bill_that_is_divided_is_replaced_while_all_its_parts_are_open() {
    let set = set().await;
    let plain = set.office.bill(&set.world, "plain").await;
    let at = |bill: &Value, act: &str| format!("/v1/bills/{}/{act}", bill["id"].as_str().unwrap());
    let silent = set.system.post_once(&at(&plain, "replace"), "silent", &set.shared(None)).await;
    silent.expect_refusal(422, "several_owners");
    // One owner's bill gives way to one that is divided, and that to another.
    let body = set.shared(Some("by_owner"));
    let first = set.system.post_once(&at(&plain, "replace"), "r", &body).await.expect(201).json();
    assert_eq!((&first["status"], first["parts"].as_array().unwrap().len()), (&json!("superseded"), 2));
    let again = set.system.post_once(&at(&plain, "replace"), "r", &body).await.expect(201).json();
    assert_eq!((&again["id"], &again["parts"]), (&first["id"], &first["parts"]));
    assert_eq!(set.status(&plain).await, "superseded");
    let second = set.system.post_once(&at(&first, "replace"), "s", &body).await.expect(201).json();
    for part in first["parts"].as_array().unwrap() {
        assert_eq!(set.status(part).await, "superseded");
    }
    // Who pays an old part finds the money kept apart, never lost.
    set.transfer(1, THEIRS, 5_000, reference(&first["parts"][1])).await;
    assert_eq!(set.world.held().await, [("bill_superseded".to_owned(), 5_000)]);
    let events = set.office.system(&set.world, "event.read").get("/v1/events").await.expect(200).text();
    for part in first["parts"].as_array().unwrap() {
        assert!(events.contains(part["id"].as_str().unwrap()), "{events}");
    }
    // Once a part is being paid, or paid, nothing takes the place of the whole.
    let payment = start(&set.world, &set.office, &second["parts"][0]).await;
    let refused = set.system.post_once(&at(&second, "replace"), "t", &body).await;
    refused.expect_refusal(409, "payment_under_way");
    set.world.tell(&set.world.credit(2, "R2", 200_000, &payment)).await.expect(200);
    let refused = set.system.post_once(&at(&second, "replace"), "t", &body).await;
    refused.expect_refusal(409, "bill_already_paid");
    assert_eq!(set.status(&second["parts"][1]).await, "open", "a refusal changes nothing");
    let others = set.other.system(&set.world, "bill").post_once(&at(&second, "replace"), "u", &body).await;
    others.expect_refusal(404, "not_found");
    assert_eq!(verify_books(&set.world.app.store, |_| {}).await.unwrap().finding, None);
}

#[tokio::test]
async fn a_bill_that_is_divided_is_charged_anew_under_the_same_reference() {
    let set = set().await;
    let whole = set.issue("k").await;
    let amend = format!("/v1/bills/{}/amend", whole["id"].as_str().unwrap());
    let days = json!({ "due": "2026-12-15" });
    set.system.post_once(&amend, "days", &days).await.expect_refusal(409, "bill_superseded");
    let lines =
        json!({ "lines": [{ "fee": "LLTP-01" }, { "fee": "LLTP-02", "count": 3 }], "due": "2026-12-15" });
    let next = set.system.post_once(&amend, "a", &lines).await.expect(200).json();
    let sums: Vec<&str> = next["parts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| part["total"]["amount"].as_str().unwrap())
        .collect();
    assert_eq!(
        (sums, &next["reference"], &next["version"]),
        (vec!["200000", "15000"], &whole["reference"], &json!(2))
    );
    assert_eq!(set.system.post_once(&amend, "a", &lines).await.expect(200).json(), next);
    assert_eq!(set.status(&whole["parts"][1]).await, "superseded");
    let shown = set.page(&whole, "").await;
    assert!(shown.contains(&drawn(THEIRS, &next["parts"][1])), "{shown}");
    assert!(
        !shown.contains(&drawn(THEIRS, &whole["parts"][1])) && shown.contains("còn phải nộp 215.000"),
        "{shown}"
    );
    // The first answer is still what was issued first.
    assert_eq!(set.issue("k").await, whole);
    // Collected together from now on, if somebody says so; and divided again.
    let together = json!({ "lines": lines["lines"], "collect": "together" });
    let joined = set.system.post_once(&amend, "t", &together).await.expect(200).json();
    assert_eq!((&joined["status"], joined.get("parts")), (&json!("open"), None));
    let apart = json!({ "collect": "by_owner" });
    let divided = set.system.post_once(&amend, "d", &apart).await.expect(200).json();
    assert_eq!((&divided["status"], divided["parts"].as_array().unwrap().len()), (&json!("superseded"), 2));
    set.system
        .post_once(&amend, "x", &json!({ "collect": "apart" }))
        .await
        .expect_refusal(400, "invalid_body");
    set.transfer(1, THEIRS, 15_000, reference(&divided["parts"][1])).await;
    let refused = set.system.post_once(&amend, "b", &lines).await;
    refused.expect_refusal(409, "bill_already_paid");
    // What nobody mixed is not mixed by silence: another's line on a bill of one owner needs a word.
    let plain = set.office.bill(&set.world, "plain").await;
    let amend = format!("/v1/bills/{}/amend", plain["id"].as_str().unwrap());
    let mut mixed = json!({ "lines": [{ "fee": "LLTP-01" },
        { "fee": "LLTP-02", "beneficiary": set.other.agency.to_string() }] });
    set.system.post_once(&amend, "m", &mixed).await.expect_refusal(422, "several_owners");
    mixed["collect"] = json!("by_owner");
    let divided = set.system.post_once(&amend, "n", &mixed).await.expect(200).json();
    assert_eq!(divided["parts"].as_array().unwrap().len(), 2);
    assert_eq!(verify_books(&set.world.app.store, |_| {}).await.unwrap().finding, None);
}

#[tokio::test]
async fn a_part_is_not_divided_again_and_a_plan_for_what_was_asked_before_stays_closed() {
    let set = set().await;
    let at = |bill: &Value, act: &str| format!("/v1/bills/{}/{act}", bill["id"].as_str().unwrap());
    let plan =
        json!({ "by": "instalments", "instalments": [{ "due": "2026-12-01" }, { "due": "2027-01-01" }] });
    let apart = json!({ "collect": "by_owner" });
    let together = set.shared(Some("together"));
    let whole = set.system.post_once("/v1/bills", "t", &together).await.expect(201).json();
    let parts = set.system.post_once(&at(&whole, "split"), "s", &plan).await.expect(201).json();
    let first = &parts["items"][0];
    let refused = set.system.post_once(&at(first, "amend"), "a", &apart).await;
    refused.expect_refusal(409, "bill_split_already");
    assert_eq!(set.status(first).await, "open");
    let day = json!({ "due": "2026-12-15" });
    set.system.post_once(&at(first, "amend"), "b", &day).await.expect(200);
    // Nor is another owner's part, or the whole could never be charged anew.
    let divided = set.issue("k").await;
    let refused = set.system.post_once(&at(&divided["parts"][1], "amend"), "c", &apart).await;
    refused.expect_refusal(409, "bill_split_already");
    let lines = json!({ "lines": [{ "fee": "LLTP-01" }, { "fee": "LLTP-02", "count": 3 }] });
    set.system.post_once(&at(&divided, "amend"), "d", &lines).await.expect(200);

    // An instalment that was withdrawn is not opened beside what is asked in the place of the plan.
    set.system.post_once(&at(first, "cancel"), "e", &Value::Null).await.expect(200);
    let anew = json!({ "lines": lines["lines"], "collect": "by_owner" });
    let anew = set.system.post_once(&at(&whole, "amend"), "f", &anew).await.expect(200).json();
    assert_eq!(anew["parts"].as_array().unwrap().len(), 2);
    let revived = set.system.post_once(&at(first, "revive"), "g", &json!({ "due": "2026-12-01" })).await;
    revived.expect_refusal(409, "bill_superseded");
    for part in parts["items"].as_array().unwrap() {
        assert_eq!(set.status(part).await, "superseded");
    }
    assert_eq!(verify_books(&set.world.app.store, |_| {}).await.unwrap().finding, None);
}

#[tokio::test]
async fn a_part_goes_to_its_owner_whoever_succeeds_the_agency_that_asked() {
    let set = set().await;
    set.world.register(&["079185000456,,Nguyễn Thị Hòa,1985-03-15,female,0912345218,79,active,,2,"]).await;
    let heir = Office::open(&set.world, "H29.150").await;
    let admin = Office::open(&set.world, "H29").await;
    let administrator = officer(&set.world, "079185000456", Role::Administrator, "H29").await;
    let whole = set.issue("k").await;
    let body = json!({ "kind": "merge", "from": "2026-11-24", "administrator": administrator,
        "successors": [{ "agency": heir.agency.to_string() }] });
    let path = format!("/v1/agencies/{}/succeed", set.office.agency);
    admin.system(&set.world, "admin").post_once(&path, "s", &body).await.expect(200);
    let shown = set.page(&whole, "").await;
    for (account, part) in [("799", &whole["parts"][0]), (THEIRS, &whole["parts"][1])] {
        assert!(shown.contains(&drawn(account, part)), "{account} in {shown}");
    }
    set.transfer(1, THEIRS, 5_000, reference(&whole["parts"][1])).await;
    let path = format!("/v1/bills/{}", whole["parts"][1]["id"].as_str().unwrap());
    let paid = heir.system(&set.world, "bill.read").get(&path).await.expect(200).json();
    assert_eq!((&paid["status"], &paid["agency"]), (&json!("paid"), &json!(heir.agency.to_string())));
    let theirs = set.other.system(&set.world, "receipt.read").get("/v1/receipts").await.expect(200).json();
    assert_eq!(theirs["items"][0]["total"]["amount"], "5000");
    assert_eq!(verify_books(&set.world.app.store, |_| {}).await.unwrap().finding, None);
}

#[tokio::test]
async fn a_difference_is_owed_to_the_owner_of_the_line_that_was_reduced() {
    let set = set().await;
    set.world
        .register(&[
            "079185000456,,Nguyễn Thị Hòa,1985-03-15,female,0912345218,79,active,,2,",
            "079185000001,,Nguyễn Thị Sinh,2005-03-15,female,0901234567,79,active,,2,student",
        ])
        .await;
    let accountant = officer(&set.world, "079185000456", Role::Accountant, "H29.14").await;
    let system = set.office.system(&set.world, "bill fee verification");
    let question = json!({
        "number": "079185000001", "attributes": { "name": "Nguyễn Thị Sinh" }, "purpose": "Tính phí",
        "procedure": "2.000488", "dossier": "H29.14-261124-0001", "officer": "hoa.nt",
    });
    let known = system.post_once("/v1/verifications", "v", &question).await.expect(201).json();
    let mut reduced = new_bill();
    reduced["applicant"] = json!({ "name": "Nguyễn Thị Sinh", "verification": known["id"] });
    reduced["lines"][0]["beneficiary"] = json!(set.other.agency.to_string());
    reduced["collect"] = json!("by_owner");
    let whole = system.post_once("/v1/bills", "r", &reduced).await.expect(201).json();
    assert_eq!(whole["total"]["amount"], "105000");
    let found = format!("/v1/fees/evidence?bill={}", whole["id"].as_str().unwrap());
    let found = system.get(&found).await.expect(200).json();
    let revoke = format!("/v1/fees/evidence/{}/revoke", found["items"][0]["id"].as_str().unwrap());
    let body = json!({ "officer": accountant, "reason": "Giấy xác nhận hết hạn", "due": "2026-12-31" });
    let revoked = system.post_once(&revoke, "x", &body).await.expect(200).json();
    let difference = &revoked["bill"];
    assert_eq!(difference["total"]["amount"], "100000");
    assert!(set.page(difference, "").await.contains(&drawn(THEIRS, difference)));
}

#[tokio::test]
async fn what_is_collected_together_says_so_where_it_is_paid() {
    let set = set().await;
    let bill = set.system.post_once("/v1/bills", "t", &set.shared(Some("together"))).await.expect(201).json();
    for what in ["", "/notice"] {
        let shown = set.page(&bill, what).await;
        let said = format!("được thu chung vào tài khoản {ACCOUNT} (KHO BAC NHA NUOC KHU VUC II)");
        for part in [&*said, "Phần của Sở Tư pháp", "Phần của Sở Xây dựng", "200.000", "5.000"]
        {
            assert!(shown.contains(part), "{part} in {shown}");
        }
    }
    let alone = set.office.bill(&set.world, "alone").await;
    assert!(!set.page(&alone, "").await.contains("thu chung"));
    // Instalments stand beside the way to pay at once.
    let plan =
        json!({ "by": "instalments", "instalments": [{ "due": "2026-12-01" }, { "due": "2027-01-01" }] });
    let split = format!("/v1/bills/{}/split", bill["id"].as_str().unwrap());
    let parts = set.system.post_once(&split, "s", &plan).await.expect(201).json();
    let shown = set.page(&bill, "").await;
    assert!(shown.contains("Hoặc nộp theo kỳ") && shown.contains(reference(&parts["items"][1])), "{shown}");
    let payment = start(&set.world, &set.office, &bill).await;
    let told = credit(7, ACCOUNT, "R7", 205_000, Some(uuid(&payment)), set.world.clock.now());
    set.world.tell(&told).await.expect(200);
    assert!(set.page(&parts["items"][0], "").await.contains("đã được thay"));
    assert_eq!(set.system.get("/v1/receipts").await.expect(200).json()["items"].as_array().unwrap().len(), 1);
    assert_eq!(verify_books(&set.world.app.store, |_| {}).await.unwrap().finding, None);
}
