//! What may become of a bill between its issue and its payment, and how many are issued at once.

use crate::books::officer;
use crate::office::{ACCOUNT, Office, new_bill};
use crate::payments::start;
use crate::proofs::service;
use crate::world::{Actor, Answer, TestApp};
use chung::base::clock::Clock;
use chung::codec::vietqr::{Service, VietQr};
use chung::flow::fee_file::{SAMPLE_ADJUSTMENTS, SAMPLE_ITEMS};
use chung::flow::verify_books::verify_books;
use chung::identity::role::Role;
use chung::payment::payment::Event;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

async fn act(system: &Actor, path: &str, body: &Value) -> Answer {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let key = format!("bill-act-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    system.post_once(path, &key, body).await
}

fn at(bill: &Value, what: &str) -> String {
    format!("/v1/bills/{}/{what}", bill["id"].as_str().unwrap())
}

async fn read(system: &Actor, bill: &Value) -> Value {
    system.get(&format!("/v1/bills/{}", bill["id"].as_str().unwrap())).await.expect(200).json()
}

#[tokio::test]
async fn an_amended_bill_keeps_its_reference_and_asks_for_what_it_says_now() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let system = office.system(&world, "bill");
    let bill = office.bill(&world, "k").await;
    assert_eq!((&bill["version"], &bill["payable_until"]), (&json!(1), &bill["due"]));
    let less = json!({ "lines": [{ "fee": "LLTP-01" }], "due": "2026-12-15" });
    let amended = system.post_once(&at(&bill, "amend"), "less", &less).await.expect(200).json();
    let again = system.post_once(&at(&bill, "amend"), "less", &less).await.expect(200).json();
    assert_eq!(again, amended);
    assert!(!world.dump("idempotency_key").await.contains("Hòa"), "no names in the clear");
    assert_eq!(office.bill(&world, "k").await, bill, "the bill is answered again as it was issued");
    assert_eq!((&amended["version"], &amended["reference"]), (&json!(2), &bill["reference"]));
    assert_eq!((&amended["total"]["amount"], &amended["due"]), (&json!("200000"), &json!("2026-12-15")));
    assert_eq!(read(&system, &bill).await, amended);
    assert_eq!(world.count("bill_version where version = 1 and reason = 'amended'").await, 1);
    act(&system, &at(&bill, "amend"), &json!({ "due": "2026-11-01" }))
        .await
        .expect_refusal(422, "due_in_the_past");
    let early = json!({ "payable_until": "2026-12-01" });
    act(&system, &at(&bill, "amend"), &early).await.expect_refusal(422, "until_before_due");

    let payment = start(&world, &office, &bill).await;
    act(&system, &at(&bill, "amend"), &less).await.expect_refusal(409, "payment_under_way");
    world.tell(&world.credit(1, "R1", 200_000, &payment)).await.expect(200);
    act(&system, &at(&bill, "amend"), &less).await.expect_refusal(409, "bill_already_paid");
    assert_eq!(verify_books(&world.app.store, |_| {}).await.unwrap().finding, None);
}

#[tokio::test]
async fn money_for_a_replaced_bill_waits_and_is_never_refused() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let system = office.system(&world, "bill");
    let bill = office.bill(&world, "k").await;
    let refused = start(&world, &office, &bill).await;
    act(&system, &at(&bill, "replace"), &new_bill()).await.expect_refusal(409, "payment_under_way");
    // The attempt ends without money; the money comes after the bill was replaced.
    world.tell(&world.credit(1, "R1", 1, &refused)).await.expect(200);
    let mut other = new_bill();
    other["lines"] = json!([{ "fee": "LLTP-01" }]);
    let replaced = act(&system, &at(&bill, "replace"), &other).await.expect(201).json();
    assert_eq!((&replaced["status"], &replaced["total"]["amount"]), (&json!("open"), &json!("200000")));
    let old = read(&system, &bill).await;
    assert_eq!(old["status"], "superseded");
    assert!(old["superseded_at"].is_string());
    world.tell(&world.credit(2, "R2", 205_000, &refused)).await.expect(200);
    assert_eq!(world.held().await[1], ("bill_superseded".to_owned(), 205_000));
    let family = system.get(&at(&bill, "family")).await.expect(200).json();
    assert_eq!(family["items"], json!([{ "relation": "replaces", "bill": replaced["id"], "later": true }]));
    for what in ["replace", "amend", "cancel"] {
        let body = if what == "replace" { new_bill() } else { json!({}) };
        let answer = match what {
            "cancel" => act(&system, &at(&bill, what), &Value::Null).await,
            _ => act(&system, &at(&bill, what), &body).await,
        };
        answer.expect_refusal(409, "bill_superseded");
    }
    let page =
        world.stranger().get(&format!("/pay/{}", bill["reference"].as_str().unwrap())).await.expect(200);
    assert!(page.text().contains("đã được thay"), "{}", page.text());
    assert_eq!(verify_books(&world.app.store, |_| {}).await.unwrap().finding, None);
}

#[tokio::test]
async fn a_withdrawn_bill_is_opened_again_under_its_reference() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let system = office.system(&world, "bill");
    let bill = office.bill(&world, "k").await;
    let due = json!({ "due": "2026-12-20" });
    act(&system, &at(&bill, "revive"), &due).await.expect_refusal(409, "bill_not_cancelled");
    act(&system, &at(&bill, "cancel"), &Value::Null).await.expect(200);
    act(&system, &at(&bill, "revive"), &json!({ "due": "2026-11-01" }))
        .await
        .expect_refusal(422, "due_in_the_past");
    let again = act(&system, &at(&bill, "revive"), &due).await.expect(200).json();
    assert_eq!((&again["status"], &again["reference"]), (&json!("open"), &bill["reference"]));
    assert_eq!((&again["due"], &again["cancelled_at"]), (&json!("2026-12-20"), &Value::Null));
    let payment = start(&world, &office, &bill).await;
    world.tell(&world.credit(1, "R1", 205_000, &payment)).await.expect(200);
    act(&system, &at(&bill, "revive"), &due).await.expect_refusal(409, "bill_already_paid");
}

/// Brings a schedule into force in which every day of delay costs 0,03 %; who drafted it and who approved it.
pub async fn late_rule(world: &TestApp, office: &Office) -> [String; 2] {
    let people = [
        "079185000481,,Nguyễn Thị Hòa,1985-03-15,female,0912345241,79,active,,2,",
        "079085000482,,Trần Văn Khỏe,1985-04-01,male,0912345242,79,active,,2,",
    ];
    world.register(&people).await;
    let accountant = officer(world, "079185000481", Role::Accountant, "H29.14").await;
    let approver = officer(world, "079085000482", Role::Approver, "H29.14").await;
    let system = office.system(world, "admin");
    let budget = json!({
        "area": "79001", "unit_code": "1054321", "treasury_office": "0061", "valid_from": "2026-01-01",
        "retained_account": "3714.0.1054321", "remitted_account": "3511.0.1054321",
    });
    act(&system, &format!("/v1/agencies/{}/budget", office.agency), &budget).await.expect(200);
    let officers = [accountant, approver];
    late_by(world, office, &officers, "0.03").await;
    officers
}

/// Brings a schedule into force from this morning on in which every day of delay costs so many percent; its address.
pub async fn late_by(world: &TestApp, office: &Office, officers: &[String; 2], percent: &str) -> String {
    let [accountant, approver] = officers;
    let system = office.system(world, "fee");
    let rule = format!(
        "CHAM-NOP,*,late_daily,{percent},late,applicant,payment,,Law 38/2019 art. 59 (illustrative),2020-07-01,"
    );
    let draft = json!({
        "items": SAMPLE_ITEMS, "adjustments": format!("{SAMPLE_ADJUSTMENTS}{rule}\n"), "officer": accountant,
        "instrument": {
            "title": "Luật 38/2019/QH14 (minh họa)", "file": { "media": "application/pdf", "base64": "JVBERi0=" },
        },
    });
    let version = act(&system, "/v1/fees/versions", &draft).await.expect(201).json();
    let path = format!("/v1/fees/versions/{}", version["id"].as_str().unwrap());
    act(&system, &format!("{path}/submit"), &json!({ "officer": accountant })).await.expect(200);
    let from = chung::base::calendar::Day::of(world.clock.now()).to_string();
    let approval = json!({ "officer": approver, "from": from });
    act(&system, &format!("{path}/approve"), &approval).await.expect(200);
    path
}

#[tokio::test]
async fn a_bill_that_is_paid_late_bears_the_interest_of_the_day() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    late_rule(&world, &office).await;
    let mut late = new_bill();
    late["payable_until"] = json!("2026-12-31");
    let system = office.system(&world, "bill");
    let bill = act(&system, "/v1/bills", &late).await.expect(201).json();
    assert_eq!(bill["total"]["amount"], "205000");
    let page = format!("/pay/{}", bill["reference"].as_str().unwrap());
    world.later(Duration::from_secs(7 * 86_400));
    assert!(!world.stranger().get(&page).await.text().contains("chậm nộp"), "the due day counts whole");
    world.later(Duration::from_secs(10 * 86_400));
    // Ten days late: 205.000 × 0,03 % × 10 = 615.
    let shown = world.stranger().get(&page).await.expect(200).text();
    assert!(shown.contains("205.615"), "{shown}");
    let payment = start(&world, &office, &bill).await;
    let system = office.system(&world, "bill");
    let charged = read(&system, &bill).await;
    assert_eq!((&charged["total"]["amount"], &charged["version"]), (&json!("205615"), &json!(2)));
    let line = charged["lines"].as_array().unwrap().last().unwrap();
    assert_eq!((&line["fee"], &line["amount"]["amount"]), (&json!("CHAM-NOP"), &json!("615")));
    let said = line["trace"][0]["text"]["vi"].as_str().unwrap();
    assert!(said.contains("205.000") && said.contains("0,03 % × 10 ngày"), "{said}");
    // While the money may be coming, interest stands still.
    world.later(Duration::from_secs(86_400));
    assert!(world.stranger().get(&page).await.text().contains("205.615"));
    world.tell(&world.credit(1, "R1", 205_615, &payment)).await.expect(200);
    let system = office.system(&world, "bill");
    assert_eq!(read(&system, &bill).await["status"], "paid");
    assert_eq!(verify_books(&world.app.store, |_| {}).await.unwrap().finding, None);

    let mut later = new_bill();
    later["due"] = json!("2026-12-15");
    let second = act(&system, "/v1/bills", &later).await.expect(201).json();
    world.later(Duration::from_secs(5 * 86_400));
    let over = world.stranger().get(&format!("/pay/{}", second["reference"].as_str().unwrap())).await;
    assert!(over.expect(200).text().contains("quá hạn"), "without a later day it ends with its due day");
}

#[tokio::test]
async fn interest_of_a_day_before_goes_once_a_bill_is_given_other_days() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    late_rule(&world, &office).await;
    let mut late = new_bill();
    late["payable_until"] = json!("2026-12-31");
    let system = office.system(&world, "bill");
    let amended = act(&system, "/v1/bills", &late).await.expect(201).json();
    let revived = act(&system, "/v1/bills", &late).await.expect(201).json();
    world.later(Duration::from_secs(17 * 86_400));
    let system = office.system(&world, "bill");
    for bill in [&amended, &revived] {
        world.bank.answers.lock().unwrap().push(Event::NotSent);
        start(&world, &office, bill).await;
        assert_eq!(read(&system, bill).await["total"]["amount"], "205615");
    }
    let due = json!({ "due": "2026-12-20" });
    let told = [act(&system, &at(&amended, "amend"), &due).await.expect(200).json(), {
        act(&system, &at(&revived, "cancel"), &Value::Null).await.expect(200);
        act(&system, &at(&revived, "revive"), &due).await.expect(200).json()
    }];
    for bill in &told {
        assert_eq!((&bill["total"]["amount"], &bill["version"]), (&json!("205000"), &json!(3)));
        assert_eq!(bill["lines"].as_array().unwrap().len(), 2);
        let page = world.stranger().get(&format!("/pay/{}", bill["reference"].as_str().unwrap())).await;
        let page = page.expect(200).text();
        assert!(page.contains("205.000") && !page.contains("205.615"), "{page}");
    }
    let payment = start(&world, &office, &told[1]).await;
    world.tell(&world.credit(1, "R1", 205_000, &payment)).await.expect(200);
    assert_eq!(read(&system, &told[1]).await["status"], "paid");
    // Late by its new day it bears the interest of that: two days, 123.
    world.later(Duration::from_secs(11 * 86_400));
    start(&world, &office, &told[0]).await;
    let again = read(&office.system(&world, "bill"), &told[0]).await;
    assert_eq!(again["total"]["amount"], "205123");
    assert_eq!(again["lines"][2]["trace"].as_array().unwrap().len(), 1);
    assert_eq!(verify_books(&world.app.store, |_| {}).await.unwrap().finding, None);
}

#[tokio::test]
async fn a_late_bill_says_of_interest_alone_how_it_came_about_and_has_room_for_it() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    late_rule(&world, &office).await;
    let system = office.system(&world, "bill");
    let mut late = new_bill();
    late["payable_until"] = json!("2026-12-31");
    late["collect"] = json!("together");
    let mut served = late.clone();
    served["services"] = json!([service("7")]);
    let served = act(&system, "/v1/bills", &served).await.expect(201).json();
    let notice = |nth: usize| {
        json!({
            "notice": format!("00123456789012{nth:02}"), "chapter": "757", "sub_item": "2802", "area": "79001",
            "name": { "vi": "Lệ phí trước bạ nhà đất", "en": "Registration tax on land" },
            "legal_basis": "Decree 10/2022 (illustrative)", "amount": { "amount": "1000", "currency": "VND" },
            "account": { "bank": "970405", "number": "7111.1.1054321", "holder": "CHI CUC THUE KHU VUC II" },
        })
    };
    late["obligations"] = (0..49).map(notice).collect();
    act(&system, "/v1/bills", &late).await.expect_refusal(400, "invalid_body");
    late["obligations"] = (0..48).map(notice).collect();
    let full = act(&system, "/v1/bills", &late).await.expect(201).json();
    let more = json!({ "services": [service("8")], "collect": "together" });
    act(&system, &at(&full, "amend"), &more).await.expect_refusal(400, "invalid_body");

    world.later(Duration::from_secs(17 * 86_400));
    for (bill, total) in [(&served, "1405615"), (&full, "253615")] {
        start(&world, &office, bill).await;
        let charged = read(&office.system(&world, "bill"), bill).await;
        assert_eq!(charged["total"]["amount"], total);
        let lines = charged["lines"].as_array().unwrap();
        let (interest, before) = lines.split_last().unwrap();
        let said = |line: &Value| line["trace"].to_string().contains("CHAM-NOP");
        assert!(said(interest) && !before.iter().any(said), "{charged}");
    }
}

#[tokio::test]
async fn what_nobody_approved_takes_no_fee_off_a_late_bill_and_no_late_rule_is_called_as_a_fee() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let [accountant, approver] = late_rule(&world, &office).await;
    let system = office.system(&world, "bill fee");
    let rule =
        "MOI-01,*,late_daily,0.03,late,applicant,payment,,Law 38/2019 art. 59 (illustrative),2020-07-01,";
    let draft = |items: &str, rule: &str| {
        json!({
            "items": items, "adjustments": format!("{SAMPLE_ADJUSTMENTS}{rule}\n"), "officer": accountant,
            "instrument": {
                "title": "Luật 38/2019/QH14 (minh họa)", "file": { "media": "application/pdf", "base64": "JVBERi0=" },
            },
        })
    };
    let versions = "/v1/fees/versions";
    let called_as_a_fee = draft(SAMPLE_ITEMS, &rule.replace("MOI-01", "LLTP-01"));
    let refused = act(&system, versions, &called_as_a_fee).await.expect_refusal(422, "fee_schedule_invalid");
    assert!(refused.text().contains("LLTP-01"), "{}", refused.text());
    // Two drafts that do not know of each other: one names a fee so, and one a late rule.
    let ruled = act(&system, versions, &draft(SAMPLE_ITEMS, rule)).await.expect(201).json();
    let row = SAMPLE_ITEMS.lines().find(|line| line.starts_with("LLTP-02,")).unwrap();
    let items = format!("{SAMPLE_ITEMS}{}\n", row.replace("LLTP-02", "MOI-01"));
    let charged = act(&system, versions, &draft(&items, "")).await.expect(201).json();
    let of = |version: &Value, act: &str| format!("{versions}/{}/{act}", version["id"].as_str().unwrap());
    for version in [&ruled, &charged] {
        act(&system, &of(version, "submit"), &json!({ "officer": accountant })).await.expect(200);
    }
    // Of versions that came into force on one day the one that was approved last counts.
    world.later(Duration::from_secs(60));
    let approval = json!({ "officer": approver, "from": "2026-11-24" });
    act(&system, &of(&charged, "approve"), &approval).await.expect(200);
    let refused = act(&system, &of(&ruled, "approve"), &approval).await;
    assert!(refused.expect_refusal(422, "fee_schedule_invalid").text().contains("MOI-01"));

    let mut late = new_bill();
    late["lines"] = json!([{ "fee": "LLTP-01" }, { "fee": "MOI-01" }]);
    late["payable_until"] = json!("2026-12-31");
    let bill = act(&system, "/v1/bills", &late).await.expect(201).json();
    world.later(Duration::from_secs(17 * 86_400));
    let page = world.stranger().get(&format!("/pay/{}", bill["reference"].as_str().unwrap())).await;
    let page = page.expect(200).text();
    assert!(page.contains("205.000"), "{page}");
}

#[tokio::test]
async fn a_tax_notice_is_paid_with_the_fees_and_the_budget_knows_its_codes() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let system = office.system(&world, "bill");
    let notice = json!({
        "notice": "0012345678901234", "chapter": "757", "sub_item": "2802", "area": "79001",
        "name": { "vi": "Lệ phí trước bạ nhà đất", "en": "Registration tax on land" },
        "legal_basis": "Decree 10/2022 (illustrative)", "amount": { "amount": "5000000", "currency": "VND" },
        "account": { "bank": "970405", "number": "7111.1.1054321", "holder": "CHI CUC THUE KHU VUC II" },
    });
    let mut both = new_bill();
    both["obligations"] = json!([notice]);
    act(&system, "/v1/bills", &both).await.expect_refusal(422, "several_owners");
    both["collect"] = json!("together");
    let bill = act(&system, "/v1/bills", &both).await.expect(201).json();
    assert_eq!(bill["total"]["amount"], "5205000");
    let line = bill["lines"].as_array().unwrap().last().unwrap();
    assert_eq!((&line["kind"], &line["notice"]["number"]), (&json!("tax"), &json!("0012345678901234")));
    assert!(line["trace"][0]["text"]["vi"].as_str().unwrap().contains("0012345678901234"));
    let mut wrong = both.clone();
    wrong["obligations"][0]["notice"] = json!("123456789012345");
    act(&system, "/v1/bills", &wrong).await.expect_refusal(400, "invalid_body");

    let shown = world.stranger().get(&format!("/pay/{}/notice", bill["reference"].as_str().unwrap())).await;
    let shown = shown.expect(200).text();
    for part in ["CHI CUC THUE KHU VUC II", "5.000.000", "KHO BAC NHA NUOC KHU VUC II", "<svg"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    let payment = start(&world, &office, &bill).await;
    world.tell(&world.credit(1, "R1", 5_205_000, &payment)).await.expect(200);
    assert!(world.balances().await.contains(&("fee_tax".to_owned(), -5_000_000)));
    assert_eq!(world.count("receipt").await, 1, "a tax has the budget's own slip");

    let mut alone = both.clone();
    alone.as_object_mut().unwrap().remove("lines");
    alone.as_object_mut().unwrap().remove("collect");
    let alone = act(&system, "/v1/bills", &alone).await.expect(201).json();
    assert_eq!(
        (&alone["total"]["amount"], &alone["procedure"]["code"]),
        (&json!("5000000"), &json!("2.000488"))
    );
}

#[tokio::test]
async fn lines_of_two_agencies_are_collected_in_one_named_account_and_booked_for_each() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let other = Office::open(&world, "H29.15").await;
    let system = office.system(&world, "bill");
    let mut shared = new_bill();
    shared["lines"][1]["beneficiary"] = json!(other.agency.to_string());
    act(&system, "/v1/bills", &shared).await.expect_refusal(422, "several_owners");
    shared["collect"] = json!("together");
    let bill = act(&system, "/v1/bills", &shared).await.expect(201).json();
    assert_eq!(bill["lines"][1]["beneficiary"]["agency"], json!(other.agency.to_string()));
    let payment = start(&world, &office, &bill).await;
    world.tell(&world.credit(1, "R1", 205_000, &payment)).await.expect(200);
    let books = other.system(&world, "ledger.read").get("/v1/ledger/balances").await.expect(200).json();
    let kept =
        books["accounts"].as_array().unwrap().iter().find(|a| a["kind"] == "fee_phi_retained").unwrap();
    assert_eq!(kept["balance"]["amount"], "-3750");
    let declared =
        other.system(&world, "fee.read").get("/v1/fees/declaration?period=2026-11").await.expect(200);
    assert_eq!(declared.json()["collected"]["amount"], "5000");
    // Each owner gives the receipt of its own lines, which names the account that collected for both.
    let of_bill = format!("/v1/receipts?bill={}", bill["id"].as_str().unwrap());
    let theirs = other.system(&world, "receipt.read");
    let given = theirs.get("/v1/receipts").await.expect(200).json();
    let number = given["items"][0]["number"].as_str().unwrap();
    assert!(number.starts_with("H29.15-"), "{given}");
    assert_eq!(given["items"][0]["total"]["amount"], "5000");
    let xml = theirs.get(given["items"][0]["files"]["xml"].as_str().unwrap()).await.expect(200).text();
    assert!(xml.contains(&format!("<TKThuHo>{ACCOUNT}, KHO BAC NHA NUOC KHU VUC II")), "{xml}");
    let all = office.system(&world, "receipt.read").get(&of_bill).await.expect(200).json();
    let numbers: Vec<&str> =
        all["items"].as_array().unwrap().iter().map(|r| r["number"].as_str().unwrap()).collect();
    assert_eq!((numbers.len(), numbers.contains(&number)), (2, true));
    let third = Office::open(&world, "H29.16").await.system(&world, "receipt.read");
    assert_eq!(third.get(&of_bill).await.expect(200).json()["items"], json!([]));
    let one = format!("/v1/receipts/{}", given["items"][0]["id"].as_str().unwrap());
    third.get(&one).await.expect_refusal(404, "not_found");
    let check = given["items"][0]["check_code"].as_str().unwrap();
    let page = world.stranger().get(&format!("/receipts/{number}?code={check}")).await.expect(200).text();
    assert!(page.contains("Thu vào tài khoản chung") && page.contains(ACCOUNT), "{page}");
    assert_eq!(verify_books(&world.app.store, |_| {}).await.unwrap().finding, None);
}

#[tokio::test]
async fn many_bills_are_issued_at_once_and_each_row_hears_its_own() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let system = office.system(&world, "bill");
    let mut rows: Vec<Value> = (0..300)
        .map(|n| {
            let mut row = new_bill();
            row["dossier"] = json!(format!("H29.14-261124-{:04}", n + 1));
            row
        })
        .collect();
    rows[7]["lines"][0]["fee"] = json!("NO-FEE");
    rows[8]["due"] = json!("2026-02-30");
    let body = json!({ "bills": rows });
    let told = system.post_once("/v1/bills/bulk", "mass", &body).await.expect(200).json();
    assert_eq!((&told["issued"], &told["refused"], &told["existed"]), (&json!(298), &json!(2), &json!(0)));
    let of = |row: usize| (told["rows"][row]["outcome"].as_str(), told["rows"][row]["code"].as_str());
    assert_eq!(
        (of(7), of(8)),
        ((Some("refused"), Some("unknown_fee")), (Some("refused"), Some("invalid_body")))
    );
    let again = system.post_once("/v1/bills/bulk", "mass", &body).await.expect(200).json();
    assert_eq!((&again["existed"], &again["rows"][0]["bill"]), (&json!(298), &told["rows"][0]["bill"]));
    assert_eq!(world.count("bill").await, 298);
    let mut other = body.clone();
    other["bills"][0]["due"] = json!("2026-12-02");
    let other = system.post_once("/v1/bills/bulk", "mass", &other).await.expect(200).json();
    assert_eq!(other["rows"][0]["code"], "idempotency_key_reused");
    let none = json!({ "bills": [] });
    system.post_once("/v1/bills/bulk", "none", &none).await.expect_refusal(400, "invalid_body");
    let too_many = json!({ "bills": vec![new_bill(); 10_001] });
    system.post_once("/v1/bills/bulk", "many", &too_many).await.expect_refusal(400, "invalid_body");

    let found = |query: &str| {
        let path = format!("/v1/bills?{query}");
        let system = &system;
        async move { system.get(&path).await.expect(200).json()["items"].as_array().unwrap().len() }
    };
    let reference = told["rows"][0]["reference"].as_str().unwrap();
    assert_eq!(found(&format!("reference={reference}")).await, 1);
    assert_eq!(found("dossier=H29.14-261124-0002").await, 1);
    assert_eq!(found("status=paid").await, 0);
    assert_eq!(found("status=open&issued_from=2026-11-24&issued_to=2026-11-24&limit=5").await, 5);
    assert_eq!(found("issued_from=2026-11-25").await, 0);
    system.get("/v1/bills?status=lost").await.expect_refusal(400, "invalid_parameter");
}

#[tokio::test]
async fn the_notice_shows_the_transfer_and_the_name_that_the_bank_app_will_show() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let bill = office.bill(&world, "k").await;
    let reference = bill["reference"].as_str().unwrap();
    let path = format!("/pay/{reference}/notice");
    let shown = world.stranger().get(&path).await.expect(200);
    let policy = shown.headers["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'none'"), "{policy}");
    let shown = shown.text();
    for part in ["KHO BAC NHA NUOC KHU VUC II", ACCOUNT, "205.000", "<svg", "N•• T•• H••", "Bản thứ 1"]
    {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    assert!(!shown.contains("style="), "no inline style");
    let code = VietQr {
        bank: "970405".to_owned(),
        number: ACCOUNT.to_owned(),
        service: Service::Account,
        amount: Some(205_000),
        purpose: Some(reference.to_owned()),
    };
    let drawn = chung::codec::vietqr::svg(&code.encode().unwrap()).unwrap();
    assert!(shown.contains(&drawn), "the code is that transfer");
    let system = office.system(&world, "bill");
    act(&system, &at(&bill, "cancel"), &Value::Null).await.expect(200);
    world.stranger().get(&path).await.expect(404);
    world.stranger().get("/pay/00000000000000000000/notice").await.expect(404);
}

#[tokio::test]
async fn instalments_and_the_whole_exclude_each_other() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let system = office.system(&world, "bill");
    let plan = json!({ "by": "instalments", "instalments": [{ "due": "2026-12-01" }, { "due": "2027-01-01", "weight": 2 }] });
    let bill = office.bill(&world, "k").await;
    let parts = act(&system, &at(&bill, "split"), &plan).await.expect(201).json();
    let sums: Vec<&str> =
        parts["items"].as_array().unwrap().iter().map(|p| p["total"]["amount"].as_str().unwrap()).collect();
    assert_eq!(sums, ["68334", "136666"]);
    act(&system, &at(&bill, "split"), &plan).await.expect_refusal(409, "bill_split_already");
    let (first, second) = (&parts["items"][0], &parts["items"][1]);
    let other_fees = json!({ "lines": [{ "fee": "LLTP-01" }] });
    act(&system, &at(second, "amend"), &other_fees).await.expect_refusal(409, "bill_not_amendable");
    act(&system, &at(second, "replace"), &new_bill()).await.expect_refusal(409, "bill_split_already");
    act(&system, &at(second, "cancel"), &Value::Null).await.expect(200);
    act(&system, &at(second, "revive"), &json!({ "due": "2027-01-01" })).await.expect(200);
    let payment = start(&world, &office, first).await;
    assert_eq!(read(&system, &bill).await["status"], "superseded", "the whole is closed");
    world.tell(&world.credit(1, "R1", 68_334, &payment)).await.expect(200);
    let payment = start(&world, &office, second).await;
    world.tell(&world.credit(2, "R2", 136_666, &payment)).await.expect(200);
    let books = [("clearing", 205_000), ("fee_phi", -51_250), ("fee_phi_retained", -153_750)];
    assert_eq!(world.balances().await, books.map(|(k, a)| (k.to_owned(), a)));

    // An instalment that was withdrawn stays so once the whole is being paid.
    let withdrawn = office.bill(&world, "withdrawn").await;
    let parts = act(&system, &at(&withdrawn, "split"), &plan).await.expect(201).json();
    act(&system, &at(&parts["items"][0], "cancel"), &Value::Null).await.expect(200);
    start(&world, &office, &withdrawn).await;
    assert_eq!(read(&system, &parts["items"][0]).await["status"], "superseded");
    let again = act(&system, &at(&parts["items"][0], "revive"), &json!({ "due": "2026-12-01" })).await;
    again.expect_refusal(409, "bill_superseded");
    let other = office.bill(&world, "k2").await;
    let parts = act(&system, &at(&other, "split"), &plan).await.expect(201).json();
    start(&world, &office, &other).await;
    for part in parts["items"].as_array().unwrap() {
        assert_eq!(read(&system, part).await["status"], "superseded");
    }
    let third = office.bill(&world, "k3").await;
    let parts = act(&system, &at(&third, "split"), &plan).await.expect(201).json();
    start(&world, &office, &parts["items"][0]).await;
    let page = format!("/pay/{}", third["reference"].as_str().unwrap());
    let closed = world.stranger().post_form(&page, &[("bank", crate::office::BANK)]).await;
    assert_eq!(closed.status, 303);
    // What is withdrawn, replaced or charged anew is no longer paid by instalments; charged anew it is split anew.
    for (n, what) in ["cancel", "replace", "amend"].into_iter().enumerate() {
        let whole = office.bill(&world, &format!("plan-{n}")).await;
        let parts = act(&system, &at(&whole, "split"), &plan).await.expect(201).json();
        let body = match what {
            "cancel" => Value::Null,
            "replace" => new_bill(),
            _ => json!({ "lines": [{ "fee": "LLTP-01" }] }),
        };
        let payment = start(&world, &office, &parts["items"][0]).await;
        let refused = act(&system, &at(&whole, what), &body).await;
        refused.expect_refusal(409, "bill_superseded");
        world.tell(&world.credit(60 + n as u128, &format!("P{n}"), 1, &payment)).await.expect(200);
        let whole = office.bill(&world, &format!("other-{n}")).await;
        let parts = act(&system, &at(&whole, "split"), &plan).await.expect(201).json();
        let status = if what == "replace" { 201 } else { 200 };
        act(&system, &at(&whole, what), &body).await.expect(status);
        for part in parts["items"].as_array().unwrap() {
            assert_eq!(read(&system, part).await["status"], "superseded", "{what}");
        }
        if what == "amend" {
            act(&system, &at(&whole, "split"), &plan).await.expect(201);
        }
    }
    let few = json!({ "by": "instalments", "instalments": [{ "due": "2026-12-01" }] });
    act(&system, &at(&third, "split"), &few).await.expect_refusal(400, "invalid_body");
}

#[tokio::test]
async fn each_owner_is_paid_by_a_transfer_of_its_own() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let other = Office::open(&world, "H29.15").await;
    other.bill(&world, "opens-its-account").await;
    let system = office.system(&world, "bill");
    let mut shared = new_bill();
    shared["lines"][1]["beneficiary"] = json!(other.agency.to_string());
    shared["collect"] = json!("together");
    let bill = act(&system, "/v1/bills", &shared).await.expect(201).json();
    let parts = act(&system, &at(&bill, "split"), &json!({ "by": "owner" })).await.expect(201).json();
    assert_eq!(read(&system, &bill).await["status"], "superseded");
    let amounts: Vec<&str> =
        parts["items"].as_array().unwrap().iter().map(|p| p["total"]["amount"].as_str().unwrap()).collect();
    assert_eq!(amounts, ["200000", "5000"]);
    let notice = |part: &Value| format!("/pay/{}/notice", part["reference"].as_str().unwrap());
    let mine = world.stranger().get(&notice(&parts["items"][0])).await.expect(200).text();
    let theirs = world.stranger().get(&notice(&parts["items"][1])).await.expect(200).text();
    assert!(mine.contains(ACCOUNT) && !theirs.contains(ACCOUNT) && theirs.contains("699"));

    // Taxes of two offices are two owners more: each has the transfer that its notice names.
    let notice = |number: &str, account: &str| {
        json!({
            "notice": number, "chapter": "757", "sub_item": "2802", "area": "79001",
            "name": { "vi": "Lệ phí trước bạ", "en": "Registration tax" },
            "legal_basis": "Decree 10/2022 (illustrative)", "amount": { "amount": "70000", "currency": "VND" },
            "account": { "bank": "970405", "number": account, "holder": "CHI CUC THUE" },
        })
    };
    let mut taxed = new_bill();
    taxed.as_object_mut().unwrap().remove("lines");
    taxed["obligations"] = json!([notice("0012345678901234", "7111"), notice("0012345678901235", "7112")]);
    act(&system, "/v1/bills", &taxed).await.expect_refusal(422, "several_owners");
    taxed["lines"] = new_bill()["lines"].clone();
    taxed["collect"] = json!("together");
    let bill = act(&system, "/v1/bills", &taxed).await.expect(201).json();
    let parts = act(&system, &at(&bill, "split"), &json!({ "by": "owner" })).await.expect(201).json();
    let parts = parts["items"].as_array().unwrap();
    let amounts: Vec<&str> = parts.iter().map(|p| p["total"]["amount"].as_str().unwrap()).collect();
    assert_eq!(amounts, ["205000", "70000", "70000"]);
    for (part, account) in parts.iter().zip([ACCOUNT, "7111", "7112"]) {
        let path = format!("/pay/{}/notice", part["reference"].as_str().unwrap());
        let shown = world.stranger().get(&path).await.expect(200).text();
        let code = VietQr {
            bank: "970405".to_owned(),
            number: account.to_owned(),
            service: Service::Account,
            amount: part["total"]["amount"].as_str().unwrap().parse().ok(),
            purpose: Some(part["reference"].as_str().unwrap().to_owned()),
        };
        let drawn = chung::codec::vietqr::svg(&code.encode().unwrap()).unwrap();
        assert!(shown.contains(&drawn), "the transfer of {account}");
    }
    // Paid as it stands there: the money is in the account of the tax office, and belongs to nobody else.
    let payment = start(&world, &office, &parts[1]).await;
    let told = crate::central_bank::credit(
        5,
        "7111",
        "T1",
        70_000,
        Some(crate::office::uuid(&payment)),
        world.clock.now(),
    );
    world.tell(&told).await.expect(200);
    assert_eq!(read(&system, &parts[1]).await["status"], "paid");
    assert_eq!(verify_books(&world.app.store, |_| {}).await.unwrap().finding, None);
}
