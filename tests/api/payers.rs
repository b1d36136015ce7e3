//! Who is named on a bill and its receipt, what a bank says of its payer, and what nobody can pay.

use crate::central_bank::{entry, notification};
use crate::office::{ACCOUNT, Office, new_bill, uuid};
use crate::payments::start;
use crate::world::TestApp;
use chung::base::{clock::Clock, text::Line};
use serde_json::{Value, json};
use std::time::Duration;

async fn receipt_of(world: &TestApp, office: &Office, bill: &Value) -> Value {
    let path = format!("/v1/receipts?bill={}", bill["id"].as_str().unwrap());
    let system = office.system(world, "receipt.read");
    let found = system.get(&path).await.expect(200).json()["items"][0]["id"].clone();
    system.get(&format!("/v1/receipts/{}", found.as_str().unwrap())).await.expect(200).json()
}

#[tokio::test]
async fn four_parties_are_told_apart_on_the_bill_and_the_receipt_bears_its_own_name() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let system = office.system(&world, "bill bill.read");
    let mut body = new_bill();
    body["submitter"] = json!({ "name": "Trần Văn Khỏe" });
    body["payer"] = json!({ "name": "Lê Thị Trả" });
    body["receipt_name"] = json!("Công ty TNHH Một Thành Viên Mẫu");
    let bill = system.post_once("/v1/bills", "k", &body).await.expect(201).json();
    let parties = json!({
        "applicant": { "name": "Nguyễn Thị Hòa" }, "submitter": { "name": "Trần Văn Khỏe" },
        "payer": { "name": "Lê Thị Trả" }, "receipt_name": "Công ty TNHH Một Thành Viên Mẫu",
    });
    assert_eq!(bill["parties"], parties);
    let path = format!("/v1/bills/{}", bill["id"].as_str().unwrap());
    assert_eq!(system.get(&path).await.expect(200).json()["parties"], parties);
    for name in ["Khỏe", "Lê Thị Trả", "Thành Viên"] {
        assert!(!world.dump("bill").await.contains(name), "{name} is sealed");
    }
    // Whoever holds the reference sees no whole name.
    let page = format!("/pay/{}", bill["reference"].as_str().unwrap());
    let shown = world.stranger().get(&page).await.expect(200).text();
    for name in ["Nguyễn Thị Hòa", "Trần Văn Khỏe", "Lê Thị Trả"] {
        assert!(!shown.contains(name), "{name} in {shown}");
    }
    let payment = start(&world, &office, &bill).await;
    world.tell(&world.credit(1, "R1", 205_000, &payment)).await.expect(200);
    let receipt = receipt_of(&world, &office, &bill).await;
    assert_eq!(receipt["payer"], "Công ty TNHH Một Thành Viên Mẫu", "{receipt}");

    // Without a name of its own the receipt bears the payer's.
    body.as_object_mut().unwrap().remove("receipt_name");
    let bill = system.post_once("/v1/bills", "k2", &body).await.expect(201).json();
    assert_eq!(bill["parties"]["receipt_name"], Value::Null);
    let payment = start(&world, &office, &bill).await;
    world.tell(&world.credit(2, "R2", 205_000, &payment)).await.expect(200);
    assert_eq!(receipt_of(&world, &office, &bill).await["payer"], "Lê Thị Trả");
    for (pointer, wrong) in [("payer", json!({ "name": "" })), ("receipt_name", json!("A\u{202E}B"))] {
        body[pointer] = wrong;
        system.post_once("/v1/bills", pointer, &body).await.expect_refusal(400, "invalid_body");
        body.as_object_mut().unwrap().remove(pointer);
    }
}

#[tokio::test]
async fn the_name_that_a_bank_says_paid_decides_nothing() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let bill = office.bill(&world, "k").await;
    let payment = start(&world, &office, &bill).await;
    let mut foreign = entry("R1", 205_000, Some(uuid(&payment)), world.clock.now());
    foreign.counterparty = Line::parse("CONG TY CO PHAN KHAC").ok();
    world.tell(&notification(1, ACCOUNT, vec![foreign], world.clock.now())).await.expect(200);
    let path = format!("/v1/payments/{payment}");
    let paid = office.system(&world, "payment.read").get(&path).await.expect(200).json();
    assert_eq!((&paid["status"], &paid["payer"]), (&json!("settled"), &Value::Null));
    assert_eq!(receipt_of(&world, &office, &bill).await["payer"], "Nguyễn Thị Hòa");
    assert_eq!(world.held().await, []);

    // Nor does the right name make money somebody's that names no bill.
    let bill = office.bill(&world, "k2").await;
    start(&world, &office, &bill).await;
    let mut nameless = entry("R2", 205_000, None, world.clock.now());
    nameless.counterparty = Line::parse("NGUYEN THI HOA").ok();
    world.tell(&notification(2, ACCOUNT, vec![nameless], world.clock.now())).await.expect(200);
    assert_eq!(world.held().await, [("unmatched".to_owned(), 205_000)]);
    let path = format!("/v1/bills/{}", bill["id"].as_str().unwrap());
    let open = office.system(&world, "bill.read").get(&path).await.expect(200).json();
    assert_eq!(open["status"], "open");
}

#[tokio::test]
async fn after_the_due_day_nothing_is_paid_online() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let bill = office.bill(&world, "k").await;
    let path = format!("/pay/{}", bill["reference"].as_str().unwrap());
    // Until midnight in Vietnam of 1 December it is payable, and not a second longer.
    let until = time::macros::datetime!(2026-12-01 16:59:59 UTC) - world.clock.now();
    world.later(until.unsigned_abs());
    assert!(world.stranger().get(&path).await.expect(200).text().contains("name=\"bank\""));
    world.later(Duration::from_secs(1));
    let shown = world.stranger().get(&path).await.expect(200).text();
    assert!(shown.contains("Đã quá hạn nộp") && !shown.contains("name=\"bank\""), "{shown}");
    assert!(!shown.contains("<svg"), "no code to transfer by: {shown}");
    // Whoever presses a button of an old page is led back to this one.
    let pressed = world.stranger().post_form(&path, &[("bank", "970436")]).await.expect(303);
    assert_eq!(pressed.location(), path);
    assert_eq!((world.count("payment").await, world.bank.requests.lock().unwrap().len()), (0, 0));
    let path = format!("/v1/bills/{}", bill["id"].as_str().unwrap());
    let read = office.system(&world, "bill.read").get(&path).await;
    assert_eq!(read.expect(200).json()["status"], "expired");
}

#[tokio::test]
async fn a_dossier_or_an_identifier_opens_no_bill() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let bill = office.bill(&world, "k").await;
    let reference = bill["reference"].as_str().unwrap();
    let mistyped = format!("{}{}", &reference[..19], if reference.ends_with('A') { 'B' } else { 'A' });
    for name in ["H29.14-261124-0001", bill["id"].as_str().unwrap(), &mistyped, &reference[..19]] {
        for path in [format!("/pay/{name}"), format!("/pay/{name}/notice")] {
            let shown = world.stranger().get(&path).await.expect(404).text();
            assert!(!shown.contains("205.000") && !shown.contains("Sở Tư pháp"), "{shown}");
        }
        world.stranger().post_form(&format!("/pay/{name}"), &[("bank", "970436")]).await.expect(404);
    }
    assert_eq!(world.count("payment").await, 0);
}

#[tokio::test]
async fn an_amount_is_whole_dong_within_sixty_four_bits() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let bill = office.bill(&world, "k").await;
    let system = office.system(&world, "refund bill ledger");
    let amounts = [
        json!("1000.5"),
        json!("1000.0"),
        json!("9223372036854775808"),
        json!("99999999999999999999999999"),
        json!("1000000000000000000"),
        json!("01000"),
        json!("1e3"),
        json!("1.000"),
        json!("1,000"),
        json!(" 1000"),
        json!("-1000"),
        json!(""),
        json!(1000),
        json!(1000.5),
        json!(null),
    ];
    let obligation = |amount: &Value| {
        let mut taxed = new_bill();
        taxed.as_object_mut().unwrap().remove("lines");
        taxed["obligations"] = json!([{
            "notice": "0012345678901234", "chapter": "757", "sub_item": "2802", "area": "79001",
            "name": { "vi": "Lệ phí trước bạ", "en": "Registration tax" }, "legal_basis": "Luật",
            "amount": { "amount": amount, "currency": "VND" },
            "account": { "bank": "970405", "number": "71111054321", "holder": "CHI CUC THUE" },
        }]);
        taxed
    };
    let refund = |extent: Value| {
        let mut body = json!({
            "bill": bill["id"], "reason": "agency_error", "words": "x", "officer": "079185000456",
        });
        body.as_object_mut().unwrap().extend(extent.as_object().unwrap().clone());
        body
    };
    let acts = |amount: &Value| {
        let money = json!({ "amount": amount, "currency": "VND" });
        let charge = json!({
            "kind": "bank_charge", "account": ACCOUNT, "day": "2026-11-24", "words": "x", "amount": money,
        });
        [
            ("/v1/refunds", refund(json!({ "amount": money }))),
            ("/v1/refunds", refund(json!({ "lines": [{ "line": 0, "amount": money }] }))),
            ("/v1/bills", obligation(amount)),
            ("/v1/ledger/records", charge),
        ]
    };
    for (nth, amount) in amounts.into_iter().enumerate() {
        for (act, (path, body)) in acts(&amount).into_iter().enumerate() {
            let answer = system.post_once(path, &format!("{nth}-{act}"), &body).await;
            assert_eq!(answer.status, 400, "{path} {amount}: {}", answer.text());
            answer.expect_refusal(400, "invalid_body");
        }
    }
    let written = (world.count("bill").await, world.count("refund").await, world.count("ledger_entry").await);
    assert_eq!(written, (1, 0, 0));
    // Of whole đồng the same is taken, as far as somebody may do it at all.
    for ((path, body), status) in acts(&json!("1000")).into_iter().zip([403, 403, 201, 201]) {
        let answer = system.post_once(path, &format!("whole-{path}").replace('/', "-"), &body).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
    }
}
