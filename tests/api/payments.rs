//! The life of a bill and of its money, as agency, citizen and central bank see it.

use crate::central_bank::{credit, status};
use crate::office::{ACCOUNT, BANK, Office, new_bill, uuid};
use crate::world::TestApp;
use chung::base::clock::Clock;
use chung::base::text::Line;
use chung::codec::iso20022::{Reason, TransactionStatus};
use chung::flow::inquire_payment::inquire_due;
use chung::payment::payment::{Event, Report};
use serde_json::{Value, json};
use std::time::Duration;

/// Starts a payment of the bill on its page; the payment's identifier.
pub async fn start(world: &TestApp, office: &Office, bill: &Value) -> String {
    let page = format!("/pay/{}", bill["reference"].as_str().unwrap());
    let citizen = world.stranger();
    let bank = citizen.get(&page).await.expect(200).form_field("bank");
    let sent = citizen.post_form(&page, &[("bank", &bank)]).await.expect(303);
    assert_eq!(sent.location(), page);
    // Identifiers are ordered by time, so the next attempt must not begin in the same instant.
    world.later(Duration::from_secs(1));
    latest(world, office, bill).await["id"].as_str().unwrap().to_owned()
}

async fn latest(world: &TestApp, office: &Office, bill: &Value) -> Value {
    let path = format!("/v1/payments?bill={}", bill["id"].as_str().unwrap());
    office.system(world, "payment.read").get(&path).await.expect(200).json()["items"][0].clone()
}

async fn read(world: &TestApp, office: &Office, bill: &Value) -> Value {
    let path = format!("/v1/bills/{}", bill["id"].as_str().unwrap());
    office.system(world, "bill.read").get(&path).await.expect(200).json()
}

async fn page(world: &TestApp, bill: &Value) -> String {
    let path = format!("/pay/{}", bill["reference"].as_str().unwrap());
    world.stranger().get(&path).await.expect(200).text()
}

impl TestApp {
    pub async fn tell(&self, xml: &str) -> crate::world::Answer {
        self.later(Duration::from_secs(1));
        self.bank.send(&self.app.origin, xml, self.clock.now()).await
    }

    pub fn credit(&self, message: u128, reference: &str, dong: i64, payment: &str) -> String {
        credit(message, ACCOUNT, reference, dong, Some(uuid(payment)), self.clock.now())
    }
}

#[tokio::test]
async fn a_bill_is_issued_once_and_seen_by_its_agency_alone() {
    let world = TestApp::start().await;
    let (office, other) = (Office::open(&world, "H29.14").await, Office::open(&world, "H29.150").await);
    let system = office.system(&world, "bill");
    let first = system.post_once("/v1/bills", "k1", &new_bill()).await.expect(201);
    let again = system.post_once("/v1/bills", "k1", &new_bill()).await.expect(201);
    assert_eq!(first.json(), again.json());
    let bill = first.json();
    assert_eq!(bill["agency"], json!(office.agency.to_string()));
    let page = format!("/pay/{}", bill["reference"].as_str().unwrap());
    assert_eq!(bill["pay_url"], json!(world.at(&page)));
    assert_eq!(bill["total"], json!({ "amount": "205000", "currency": "VND" }));
    assert_eq!(bill["lines"][0]["trace"][0]["step"], "tariff");
    let text = bill["lines"][0]["trace"][0]["text"]["vi"].as_str().unwrap();
    assert!(text.contains("200.000") && text.contains("24/11/2026") && text.contains("244/2016"), "{text}");

    let mut changed = new_bill();
    changed["due"] = json!("2026-12-02");
    let refused = system.post_once("/v1/bills", "k1", &changed).await;
    let refused = refused.expect_refusal(409, "idempotency_key_reused");
    assert_eq!(refused.json()["about"], bill["id"]);
    system.post_json("/v1/bills", &new_bill()).await.expect_refusal(400, "idempotency_key_missing");

    assert_eq!(read(&world, &office, &bill).await, bill);
    let path = format!("/v1/bills/{}", bill["id"].as_str().unwrap());
    other.system(&world, "bill.read").get(&path).await.expect_refusal(404, "not_found");
    let listed = office.system(&world, "bill.read").get("/v1/bills?limit=1").await.expect(200).json();
    assert_eq!((&listed["items"][0], &listed["next"]), (&bill, &Value::Null));
}

#[tokio::test]
async fn a_bad_bill_is_refused_by_name_and_leaves_the_key_free() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let system = office.system(&world, "bill");
    let cases: [(&str, Value, u16, &str); 9] = [
        ("/lines/0/fee", json!("NO-FEE"), 422, "unknown_fee"),
        ("/lines/0/fee", json!("HC-01"), 422, "fee_of_another_procedure"),
        ("/lines/1/fee", json!("LLTP-01"), 422, "fee_repeated"),
        ("/lines/1/count", json!(0), 422, "fee_count_out_of_range"),
        ("/due", json!("2026-11-23"), 422, "due_in_the_past"),
        ("/due", json!("2028-01-01"), 422, "due_too_far"),
        ("/due", json!("2026-02-30"), 400, "invalid_body"),
        ("/dossier", json!("0001"), 400, "invalid_body"),
        ("/applicant/name", json!("Nguyễn \u{202E}Hòa"), 400, "invalid_body"),
    ];
    for (place, value, code, refusal) in cases {
        let mut body = new_bill();
        *body.pointer_mut(place).unwrap_or(&mut Value::Null) = value.clone();
        if place == "/lines/1/count" {
            body["lines"][1]["count"] = value;
        }
        system.post_once("/v1/bills", "k", &body).await.expect_refusal(code, refusal);
    }
    system.post_once("/v1/bills", "k", &new_bill()).await.expect(201);
}

#[tokio::test]
async fn a_citizen_pays_and_the_books_balance() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let bill = office.bill(&world, "k").await;
    let open = page(&world, &bill).await;
    assert!(open.contains("205.000") && open.contains("N•• T•• H••"), "{open}");
    assert!(!open.contains("Hòa") && !open.contains("lý lịch"), "name and sensitive procedure are hidden");

    let payment = start(&world, &office, &bill).await;
    let request = world.bank.requests.lock().unwrap()[0].clone();
    assert_eq!(request.creditor_account.as_str(), ACCOUNT);
    assert!(request.remittance.as_str().contains(bill["reference"].as_str().unwrap()));
    assert!(page(&world, &bill).await.contains("Xin duyệt trong ứng dụng ngân hàng"));
    let accepted = status(1, uuid(&payment), TransactionStatus::Accepted, world.clock.now());
    world.tell(&accepted).await.expect(200);
    assert_eq!(latest(&world, &office, &bill).await["status"], "accepted");

    let notification = world.credit(2, "R1", 205_000, &payment);
    assert_eq!(world.tell(&notification).await.expect(200).text(), "recorded");
    let paid = read(&world, &office, &bill).await;
    assert_eq!((&paid["status"], &paid["payment"]), (&json!("paid"), &json!(payment)));
    let shown = page(&world, &bill).await;
    assert!(shown.contains("Đã nộp") && shown.contains("H29.14-"), "{shown}");
    let expected = [("clearing", 205_000), ("fee_phi", -51_250), ("fee_phi_retained", -153_750)];
    assert_eq!(world.balances().await, expected.map(|(k, a)| (k.to_owned(), a)));
}

#[tokio::test]
async fn money_is_booked_once_however_often_it_is_told() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let bill = office.bill(&world, "k").await;
    let payment = start(&world, &office, &bill).await;
    let notification = world.credit(2, "R1", 205_000, &payment);
    let (one, two) = tokio::join!(world.tell(&notification), world.tell(&notification));
    assert_eq!((one.text(), two.text()), ("recorded".to_owned(), "recorded".to_owned()));
    // The same movement in another message; then another content under the first identifier.
    world.tell(&world.credit(3, "R1", 205_000, &payment)).await.expect(200);
    let refused = world.tell(&world.credit(2, "R1", 205_001, &payment)).await.expect(409);
    assert!(refused.text().contains("message_id_reused"), "{}", refused.text());
    let expected = [("clearing", 205_000), ("fee_phi", -51_250), ("fee_phi_retained", -153_750)];
    assert_eq!(world.balances().await, expected.map(|(k, a)| (k.to_owned(), a)));
    assert!(world.held().await.is_empty());
}

#[tokio::test]
async fn money_that_fits_nothing_waits() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let bill = office.bill(&world, "k").await;
    let payment = start(&world, &office, &bill).await;
    world.tell(&world.credit(1, "R1", 200_000, &payment)).await.expect(200);
    assert_eq!(latest(&world, &office, &bill).await["reason"], "wrong_amount");
    world.tell(&world.credit(2, "R2", 205_000, &payment)).await.expect(200);
    let second = start(&world, &office, &bill).await;
    assert_ne!(second, payment);
    world.tell(&world.credit(3, "R3", 205_000, &second)).await.expect(200);
    world.tell(&world.credit(4, "R4", 205_000, &second)).await.expect(200);
    let nobody = credit(5, ACCOUNT, "R5", 7, None, world.clock.now());
    world.tell(&nobody).await.expect(200);
    let elsewhere = credit(6, "424242", "R6", 7, None, world.clock.now());
    assert!(world.tell(&elsewhere).await.expect(422).text().contains("unknown_account"));
    let held =
        [("wrong_amount", 200_000), ("late_success", 205_000), ("second_money", 205_000), ("unmatched", 7)];
    assert_eq!(world.held().await, held.map(|(k, a)| (k.to_owned(), a)));
    let balances = world.balances().await;
    assert_eq!(balances.iter().map(|b| b.1).sum::<i64>(), 0);
    assert_eq!(read(&world, &office, &bill).await["payment"], json!(second));
}

#[tokio::test]
async fn silence_is_a_state_and_an_inquiry_ends_it() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let bill = office.bill(&world, "k").await;
    world.bank.answers.lock().unwrap().push(Event::NoAnswer);
    start(&world, &office, &bill).await;
    let waiting = page(&world, &bill).await;
    // The page promises a time and nothing else, warns plainly, and says that a desk takes the money.
    for said in [
        "Xin đừng nộp lại",
        "09:01:30 24/11/2026",
        "có thể nộp tại quầy",
        "nộp hai lần",
        "Khoản đến sau được hoàn lại",
    ] {
        assert!(waiting.contains(said), "{said} in {waiting}");
    }
    assert!(!waiting.contains("sẽ được ghi nhận") && !waiting.contains("quyết định"), "{waiting}");
    assert_eq!(inquire_due(&world.app).await.unwrap(), 0);
    world.later(Duration::from_secs(90));
    // No answer to the first inquiry either; the second one says that nothing was ever received.
    assert_eq!(inquire_due(&world.app).await.unwrap(), 1);
    assert!(page(&world, &bill).await.contains("lần 2 trong 3"));
    world.bank.reports.lock().unwrap().push(Report::NotFound);
    world.later(Duration::from_secs(30 * 60));
    assert_eq!(inquire_due(&world.app).await.unwrap(), 1);
    assert_eq!(latest(&world, &office, &bill).await["reason"], "never_received");
    assert!(page(&world, &bill).await.contains("Lần thanh toán trước không thành"));
    start(&world, &office, &bill).await;
}

#[tokio::test]
async fn what_a_bank_cannot_settle_is_said_as_it_is() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let bill = office.bill(&world, "k").await;
    let refused =
        |code: &str| TransactionStatus::Rejected(Reason { code: Line::parse(code).unwrap(), text: None });
    for (n, code, said) in [
        (1, "AM04", "tài khoản không đủ tiền"),
        (2, "AM14", "không cho chuyển số tiền này trong một lần"),
        (3, "AM23", "trong ngày ngân hàng không quyết toán được"),
        (4, "AG01", "lý do AG01"),
    ] {
        let payment = start(&world, &office, &bill).await;
        // It waits at the bank first: nothing is decided, and nobody is asked to pay again.
        let waits = status(100 + n, uuid(&payment), TransactionStatus::Pending, world.clock.now());
        world.tell(&waits).await.expect(200);
        assert!(!page(&world, &bill).await.contains("name=\"bank\""));
        world.tell(&status(200 + n, uuid(&payment), refused(code), world.clock.now())).await.expect(200);
        let shown = page(&world, &bill).await;
        assert!(shown.contains(said) && shown.contains("name=\"bank\""), "{code}: {shown}");
    }
    // Where money came, the page does not say that nothing was recorded.
    let payment = start(&world, &office, &bill).await;
    world.tell(&world.credit(9, "R9", 204_000, &payment)).await.expect(200);
    let shown = page(&world, &bill).await;
    assert!(shown.contains("sai số tiền") && !shown.contains("Lần thanh toán trước không thành"), "{shown}");
}

#[tokio::test]
async fn inquiries_end_and_the_statement_decides() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let bill = office.bill(&world, "k").await;
    world.bank.answers.lock().unwrap().push(Event::NoAnswer);
    let payment = start(&world, &office, &bill).await;
    for _ in 0..5 {
        world.later(Duration::from_secs(2 * 3_600));
        inquire_due(&world.app).await.unwrap();
    }
    assert_eq!(*world.bank.inquiries.lock().unwrap(), 3);
    // Asked before the cut-off: whatever its payer said is booked that day, and that day's statement decides.
    assert!(page(&world, &bill).await.contains("Sao kê của ngày giao dịch 24/11/2026"), "its day is named");
    world.tell(&world.credit(1, "R1", 205_000, &payment)).await.expect(200);
    assert_eq!(read(&world, &office, &bill).await["status"], "paid");
}

#[tokio::test]
async fn a_refusal_by_the_bank_frees_the_bill() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let bill = office.bill(&world, "k").await;
    let payment = start(&world, &office, &bill).await;
    let reason = Reason { code: Line::parse("AM04").unwrap(), text: None };
    let refused = status(1, uuid(&payment), TransactionStatus::Rejected(reason), world.clock.now());
    world.tell(&refused).await.expect(200);
    world.tell(&refused).await.expect(200);
    assert_eq!(latest(&world, &office, &bill).await["reason"], "AM04");
    assert_ne!(start(&world, &office, &bill).await, payment);
}

#[tokio::test]
async fn of_two_attempts_one_lives() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let bill = office.bill(&world, "k").await;
    let path = format!("/pay/{}", bill["reference"].as_str().unwrap());
    let (one, two) = (world.stranger(), world.stranger());
    let fields = [("bank", BANK)];
    let (a, b) = tokio::join!(one.post_form(&path, &fields), two.post_form(&path, &fields));
    assert_eq!((a.status, b.status), (303, 303));
    assert_eq!(world.bank.requests.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_bank_that_takes_no_requests_and_a_form_of_others_are_refused() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let bill = office.bill(&world, "k").await;
    let path = format!("/pay/{}", bill["reference"].as_str().unwrap());
    let citizen = world.stranger();
    for fields in [vec![("bank", "NOBODY")], vec![]] {
        let answer = citizen.post_form(&path, &fields).await.expect(422);
        assert!(answer.text().contains("Chọn ngân hàng mà"), "{}", answer.text());
    }
    let foreign = citizen.request(reqwest::Method::POST, &path).header("origin", "https://evil.example");
    assert_eq!(citizen.send(foreign.form(&[("bank", BANK)])).await.status, 403);
    assert_eq!(citizen.get("/pay/00000000000000000000").await.status, 404);
    assert!(world.bank.requests.lock().unwrap().is_empty());
}

#[tokio::test]
async fn of_two_settlements_one_pays_and_one_waits() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let bill = office.bill(&world, "k").await;
    let payment = start(&world, &office, &bill).await;
    let (first, second) =
        (world.credit(1, "R1", 205_000, &payment), world.credit(2, "R2", 205_000, &payment));
    let (a, b) = tokio::join!(world.tell(&first), world.tell(&second));
    assert_eq!((a.status, b.status), (200, 200));
    assert_eq!(world.held().await, [("second_money".to_owned(), 205_000)]);
}

#[tokio::test]
async fn a_bill_is_withdrawn_once_and_never_under_a_payment() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let system = office.system(&world, "bill");
    let cancel = |bill: &Value| format!("/v1/bills/{}/cancel", bill["id"].as_str().unwrap());
    let bill = office.bill(&world, "k").await;
    let path = cancel(&bill);
    let (a, b) = tokio::join!(
        system.post_once(&path, "c1", &Value::Null),
        system.post_once(&path, "c2", &Value::Null)
    );
    let mut outcomes = [a.status, b.status];
    outcomes.sort_unstable();
    assert_eq!(outcomes, [200, 409]);
    assert!(page(&world, &bill).await.contains("đã bị hủy"));

    let bill = office.bill(&world, "k2").await;
    let payment = start(&world, &office, &bill).await;
    let path = cancel(&bill);
    let notification = world.credit(1, "R1", 205_000, &payment);
    let (cancelled, settled) =
        tokio::join!(system.post_once(&path, "c3", &Value::Null), world.tell(&notification));
    assert_eq!((cancelled.status, settled.status), (409, 200));
    let code = cancelled.json()["code"].as_str().unwrap().to_owned();
    assert!(["payment_under_way", "bill_already_paid"].contains(&code.as_str()), "{code}");
    system.post_once(&path, "c4", &Value::Null).await.expect_refusal(409, "bill_already_paid");
}

#[tokio::test]
async fn an_unsigned_message_is_not_believed() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let bill = office.bill(&world, "k").await;
    let payment = start(&world, &office, &bill).await;
    let notification = world.credit(1, "R1", 205_000, &payment);
    let stranger = world.stranger();
    let unsigned = stranger
        .request(reqwest::Method::POST, "/clearing/inbox")
        .header("content-type", "application/xml")
        .body(notification.clone());
    assert_eq!(stranger.send(unsigned).await.status, 401);
    let forger = crate::central_bank::CentralBank::new();
    assert_eq!(forger.send(&world.app.origin, &notification, world.clock.now()).await.status, 401);
    let stale = world.clock.now() - Duration::from_secs(301);
    assert_eq!(world.bank.send(&world.app.origin, &notification, stale).await.status, 401);
    let entity = notification.replace("<Envelope", "<!DOCTYPE x [<!ENTITY y 'z'>]><Envelope");
    assert_eq!(world.tell(&entity).await.status, 400);
    assert_eq!(read(&world, &office, &bill).await["status"], "open");
}

#[tokio::test]
async fn a_signed_message_between_others_or_of_another_form_is_refused_by_name() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let bill = office.bill(&world, "k").await;
    let payment = start(&world, &office, &bill).await;
    let notification = world.credit(1, "R1", 205_000, &payment);
    // The same key signs what is meant for another member, and what it passes on in another's name.
    for (ours, other) in [("CHUNG", "CHUNH"), ("SBV01", "SBV02")] {
        let refused = world.tell(&notification.replace(ours, other)).await;
        assert_eq!(
            (refused.status, refused.text().contains("other_parties")),
            (422, true),
            "{}",
            refused.text()
        );
    }
    let now = world.clock.now();
    let origin = &world.app.origin;
    let other = world.bank.send_as(origin, (&notification, "text/xml"), now).await;
    assert_eq!((other.status, other.text().as_str()), (415, "unsupported_media_type"));
    let large = format!("{notification}{}", " ".repeat(world.app.limits.message_bytes_max));
    let large = world.bank.send(origin, &large, now).await;
    assert_eq!((large.status, large.text().as_str()), (413, "body_too_large"));
    assert_eq!(read(&world, &office, &bill).await["status"], "open");
    world.tell(&notification).await.expect(200);
    assert_eq!(read(&world, &office, &bill).await["status"], "paid");
}

#[tokio::test]
async fn a_fee_is_quoted_with_its_explanation() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let system = office.system(&world, "fee.read");
    let fees = system.get("/v1/fees?procedure=1.012782&on=2026-06-30").await.expect(200).json();
    assert_eq!(fees["items"][0]["unit_amount"]["amount"], "650000");
    let asked = json!({ "procedure": "1.002796", "lines": [{ "fee": "GPLX-01" }], "channel": "online" });
    let quote = system.post_json("/v1/fees/quote", &asked).await.expect(200).json();
    assert_eq!(quote["total"]["amount"], "115000");
    let verdicts: Vec<&Value> =
        quote["lines"][0]["trace"].as_array().unwrap().iter().map(|step| &step["verdict"]).collect();
    assert_eq!(verdicts, [&Value::Null, &json!("granted"), &json!("fact_unknown")]);
}

#[tokio::test]
async fn the_books_refuse_what_does_not_balance_and_what_would_change() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let bill = office.bill(&world, "k").await;
    let payment = start(&world, &office, &bill).await;
    world.tell(&world.credit(1, "R1", 205_000, &payment)).await.expect(200);
    let one_sided = "insert into posting (entry_id, account_id, amount, booked_on)
                     select gen_random_uuid(), min(id), 5, date '2026-11-24' from ledger_account";
    assert!(world.sql(one_sided).await.unwrap_err().contains("does not sum to zero"));
    for change in ["update posting set amount = 1", "delete from ledger_entry", "truncate posting"] {
        assert!(world.sql(change).await.unwrap_err().contains("append-only"), "{change}");
    }
    let nowhere = "insert into posting (entry_id, account_id, amount, booked_on)
                   values (gen_random_uuid(), 0, 5, date '2026-11-24')";
    assert!(world.sql(nowhere).await.unwrap_err().contains("names no account"));
}
