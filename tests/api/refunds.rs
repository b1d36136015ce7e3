//! Money that goes back: asked for by one officer, decided by another, never more than came, and seen by the payer.

use crate::board::{action, follow, grant, signed_in};
use crate::central_bank::{entry, notification, told};
use crate::office::{ACCOUNT, Office, uuid};
use crate::payments::start;
use crate::world::{Actor, TestApp};
use chung::base::{calendar::Day, clock::Clock, money::Money, text::Line};
use chung::codec::iso20022::{
    AboutWhat, CancellationRequest, Direction, EndToEndId, Entry, Message, MessageId, OriginalTransfer,
    PaymentStatus, Reason, Resolution, ResolutionAnswer, TransactionStatus,
};
use chung::config::Limits;
use chung::flow::{
    adjust_receipts::adjust_due_receipts,
    issue_due_receipts::issue_due_receipts,
    reconcile_statement::match_statement,
    retention::{report_retention, retain},
    return_second_money::return_second_money,
    send_refund::look_after_refunds,
};
use chung::identity::role::Role;
use chung::payment::refund::Answer;
use chung::store::account::account_of_number;
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

pub const PEOPLE: [&str; 4] = [
    "079185000456,,Nguyễn Thị Hòa,1985-03-15,female,0912345218,79,active,,2,",
    "079085000457,,Trần Văn Khỏe,1985-04-01,male,0912345219,79,active,,2,",
    "079085000458,,Lê Văn Lạ,1985-05-01,male,0912345220,79,active,,2,",
    "079085000459,,Phạm Thị Duyệt,1985-06-01,female,0912345221,79,active,,2,",
];
pub const ASKER: (&str, &str) = ("079185000456", "+84912345218");
pub const APPROVER: (&str, &str) = ("079085000457", "+84912345219");
const NOBODY: (&str, &str) = ("079085000458", "+84912345220");
const SECOND: (&str, &str) = ("079085000459", "+84912345221");

/// An office with an accountant and two approvers, and a paid bill of 205,000 đ.
pub struct Scene {
    pub world: TestApp,
    pub office: Office,
    pub bill: Value,
    payment: String,
}

impl Scene {
    pub async fn set(limits: Limits) -> Self {
        let world = TestApp::start_with(limits).await;
        world.register(&PEOPLE).await;
        let office = Office::open(&world, "H29.14").await;
        grant(&world, ASKER.0, Role::Accountant).await;
        grant(&world, APPROVER.0, Role::Approver).await;
        grant(&world, SECOND.0, Role::Approver).await;
        let bill = office.bill(&world, "k").await;
        let payment = start(&world, &office, &bill).await;
        world.tell(&world.credit(1, "R1", 205_000, &payment)).await.expect(200);
        Self { world, office, bill, payment }
    }

    pub async fn ask(&self, key: &str, more: Value) -> crate::world::Answer {
        let mut body = json!({
            "bill": self.bill["id"], "reason": "agency_error", "words": "Tính thừa một bản.", "officer": ASKER.0,
        });
        for (name, value) in more.as_object().unwrap() {
            if value.is_null() {
                body.as_object_mut().unwrap().remove(name);
            } else {
                body[name] = value.clone();
            }
        }
        self.office.system(&self.world, "refund").post_once("/v1/refunds", key, &body).await
    }

    pub async fn read(&self, id: &str) -> Value {
        let path = format!("/v1/refunds/{id}");
        self.office.system(&self.world, "refund.read").get(&path).await.expect(200).json()
    }

    /// Presses a button on a refund's page.
    pub async fn press(&self, officer: &Actor, id: &str, act: &str) -> crate::world::Answer {
        let page = format!("/board/refunds/{id}");
        let shown = officer.get(&page).await.expect(200);
        let token = shown.form_field("form_token");
        officer.post_form(&page, &[("form_token", &token), ("act", act)]).await
    }

    /// A refund that two people made, and about which its bank says nothing until nobody asks any more.
    async fn refund_nobody_answers(&self, amount: i64) -> String {
        let approver = signed_in(&self.world, APPROVER, "/board").await;
        let asked = self.ask(&amount.to_string(), json!({ "amount": vnd(amount) })).await.expect(201).json();
        let id = asked["id"].as_str().unwrap().to_owned();
        self.world.bank.return_answers.lock().unwrap().push(Answer::None);
        self.press(&approver, &id, "approve").await.expect(303);
        for _ in 0..6 {
            self.world.later(Duration::from_secs(2 * 3_600));
            look_after_refunds(&self.world.app).await.unwrap();
        }
        assert_eq!(self.read(&id).await["status"], "unknown");
        id
    }

    async fn page(&self) -> String {
        let path = format!("/pay/{}", self.bill["reference"].as_str().unwrap());
        self.world.stranger().get(&path).await.expect(200).text()
    }

    /// The movement that carries a refund out.
    pub fn debit(&self, reference: &str, dong: i64, refund: &str) -> Entry {
        let named = refund.strip_prefix("refund_").unwrap().parse::<Uuid>().unwrap();
        let mut entry = entry(reference, dong, Some(named), self.world.clock.now());
        entry.direction = Direction::Debit;
        entry
    }

    pub async fn debited(&self, message: u128, entry: Entry) {
        let xml = notification(message, ACCOUNT, vec![entry], self.world.clock.now());
        self.world.tell(&xml).await.expect(200);
    }

    /// The sum of everything posted to accounts of a kind.
    pub async fn balance(&self, kind: &str) -> i64 {
        self.world.balances().await.into_iter().filter(|(k, _)| k == kind).map(|(_, sum)| sum).sum()
    }
}

pub fn vnd(dong: i64) -> Value {
    json!({ "amount": dong.to_string(), "currency": "VND" })
}

#[tokio::test]
async fn a_part_goes_back_by_two_people_and_the_payer_sees_each_step() {
    let scene = Scene::set(Limits::default()).await;
    let asked = scene.ask("r1", json!({ "amount": vnd(5_000) })).await.expect(201).json();
    let again = scene.ask("r1", json!({ "amount": vnd(5_000) })).await.expect(201).json();
    assert_eq!(asked, again);
    let id = asked["id"].as_str().unwrap();
    assert_eq!(
        (&asked["status"], &asked["holder"], &asked["way"]),
        (&json!("requested"), &json!("approver"), &json!("clearing"))
    );
    let page = scene.page().await;
    for shown in ["5.000", "Cơ quan tính sai", "Luật Quản lý thuế", "chờ duyệt", "01/12/2026"] {
        assert!(page.contains(shown), "{shown} in {page}");
    }
    assert!(!page.contains("Tính thừa"), "the words of the officer are sealed");

    let approver = signed_in(&scene.world, APPROVER, "/board").await;
    scene.press(&approver, id, "approve").await.expect(303);
    let sent = scene.world.bank.returns.lock().unwrap()[0].clone();
    assert_eq!((sent.amount, sent.original_amount), (Money::vnd(5_000), Money::vnd(205_000)));
    assert_eq!(sent.original.end_to_end.unwrap().as_str(), uuid(&scene.payment).simple().to_string());
    assert_eq!(sent.account.as_str(), ACCOUNT);
    assert!(sent.text.as_str().starts_with(scene.bill["reference"].as_str().unwrap()));
    assert_eq!(scene.read(id).await["status"], "sent");
    assert_eq!(scene.balance("refund_due").await, -5_000);
    assert!(scene.page().await.contains("chúng tôi không hứa ngày"));

    let debit = scene.debit("D1", 5_000, id);
    scene.debited(7, debit.clone()).await;
    scene.debited(8, debit).await;
    let done = scene.read(id).await;
    assert_eq!((&done["status"], &done["holder"]), (&json!("done"), &json!("nobody")));
    assert_eq!((scene.balance("refund_due").await, scene.balance("clearing").await), (0, 200_000));
    assert!(scene.page().await.contains("đã hoàn"));
    let receipts =
        scene.office.system(&scene.world, "receipt.read").get("/v1/receipts").await.expect(200).json();
    let adjusting =
        receipts["items"].as_array().unwrap().iter().find(|r| r["total"]["amount"] == "5000").unwrap();
    let path = format!("/v1/receipts/{}/xml", adjusting["id"].as_str().unwrap());
    let xml = scene.office.system(&scene.world, "receipt.read").get(&path).await.expect(200).text();
    assert!(xml.contains("Điều chỉnh giảm") && xml.contains("Điều 60"), "{xml}");
    let events = scene.office.system(&scene.world, "event.read").get("/v1/events").await.expect(200).text();
    for told in ["refund.requested", "refund.approved", "refund.sent", "refund.done"] {
        assert!(events.contains(told), "{told} in {events}");
    }
    let listed = scene.office.system(&scene.world, "refund.read").get("/v1/refunds?status=done").await;
    assert_eq!(listed.expect(200).json()["items"].as_array().unwrap().len(), 1);
}

/// Registers a series of service prices from number 1 on.
async fn series(scene: &Scene, letters: &str, last: i64) {
    let body = json!({ "kind": "phi", "letters": letters, "first": 1, "last": last,
        "valid_from": "2026-11-01", "valid_to": "2026-12-31" });
    let system = scene.office.system(&scene.world, "receipt");
    system.post_once("/v1/receipts/series", letters, &body).await.expect(201);
}

/// The receipts that take something back: how many, and the leaves that came later than their refund.
async fn adjusting(scene: &Scene) -> (i64, i64) {
    let later = scene.world.count("audit_leaf where kind = 'receipt.issued'").await;
    (scene.world.count("receipt where refund_id is not null").await, later)
}

#[tokio::test]
async fn money_that_went_back_waits_for_no_number_and_its_receipt_follows() {
    let scene = Scene::set(Limits::default()).await;
    scene.world.sql("update receipt_series set last = until").await.unwrap();
    let approver = signed_in(&scene.world, APPROVER, "/board").await;
    let asked = scene.ask("1", json!({ "amount": vnd(5_000) })).await.expect(201).json();
    let id = asked["id"].as_str().unwrap();
    scene.press(&approver, id, "approve").await.expect(303);
    scene.debited(7, scene.debit("D1", 5_000, id)).await;
    let done = scene.read(id).await;
    assert_eq!((&done["status"], &done["receipt_pending"]), (&json!("done"), &json!(true)));
    assert_eq!((scene.balance("refund_due").await, scene.balance("clearing").await), (0, 200_000));
    assert_eq!(adjusting(&scene).await, (0, 0));
    let shown = approver.get(&format!("/board/refunds/{id}")).await.expect(200).text();
    assert!(
        shown.contains("Biên lai điều chỉnh") && shown.contains("biên lai được lập khi có số"),
        "{shown}"
    );
    // There is still none, whoever looks; afterwards it rests.
    assert_eq!(adjust_due_receipts(&scene.world.app).await.unwrap(), 1);
    assert_eq!(adjust_due_receipts(&scene.world.app).await.unwrap(), 0);
    assert_eq!(scene.read(id).await["receipt_pending"], true);

    // A series comes, and with it the receipt, once.
    series(&scene, "BP", 1).await;
    assert_eq!(adjust_due_receipts(&scene.world.app).await.unwrap(), 1);
    assert_eq!(adjust_due_receipts(&scene.world.app).await.unwrap(), 0);
    assert_eq!((adjusting(&scene).await, &scene.read(id).await["receipt_pending"]), ((1, 1), &json!(false)));
    let system = scene.office.system(&scene.world, "receipt.read event.read");
    let list = system.get("/v1/receipts").await.expect(200).json();
    let adjusts = list["items"].as_array().unwrap().iter().find(|r| r["total"]["amount"] == "5000").unwrap();
    assert_eq!(adjusts["number"], "H29.14-BP26E-0000001");
    let path = format!("/v1/receipts/{}/xml", adjusts["id"].as_str().unwrap());
    let xml = system.get(&path).await.expect(200).text();
    assert!(xml.contains("Điều chỉnh giảm") && xml.contains("H29.14-AP26E-0000001"), "{xml}");
    let events = system.get("/v1/events").await.expect(200).text();
    assert!(events.contains("H29.14-BP26E-0000001"), "{events}");
}

#[tokio::test]
async fn a_refund_that_is_done_before_its_receipt_is_adjusted_once_that_is_there() {
    let scene = Scene::set(Limits::default()).await;
    scene.world.sql("update receipt_series set last = until").await.unwrap();
    let bill = scene.office.bill(&scene.world, "late").await;
    let payment = start(&scene.world, &scene.office, &bill).await;
    scene.world.tell(&scene.world.credit(2, "R2", 205_000, &payment)).await.expect(200);
    assert_eq!(scene.world.count("receipt_due").await, 1);
    let approver = signed_in(&scene.world, APPROVER, "/board").await;
    let asked = scene.ask("1", json!({ "bill": bill["id"], "amount": vnd(5_000) })).await.expect(201).json();
    let id = asked["id"].as_str().unwrap();
    scene.press(&approver, id, "approve").await.expect(303);
    scene.debited(7, scene.debit("D1", 5_000, id)).await;
    let done = scene.read(id).await;
    assert_eq!((&done["status"], &done["receipt_pending"]), (&json!("done"), &json!(true)));

    // One number: it is the receipt's; the other one waits on.
    series(&scene, "BP", 1).await;
    assert_eq!(issue_due_receipts(&scene.world.app).await.unwrap(), 1);
    assert_eq!(adjust_due_receipts(&scene.world.app).await.unwrap(), 1);
    assert_eq!((adjusting(&scene).await.0, scene.world.count("receipt_due").await), (0, 0));
    series(&scene, "CP", 9).await;
    assert_eq!(adjust_due_receipts(&scene.world.app).await.unwrap(), 1);
    assert_eq!((adjusting(&scene).await.0, &scene.read(id).await["receipt_pending"]), (1, &json!(false)));
    let of = "receipt r join receipt o on o.bill_id = r.bill_id and o.refund_id is null
         where r.refund_id is not null and r.number = 'H29.14-CP26E-0000001' and o.number = 'H29.14-BP26E-0000001'";
    assert_eq!(scene.world.count(of).await, 1);
}

/// Signs in and sets a mailbox; the browser.
pub async fn with_mail(world: &TestApp, who: (&str, &str), mail: &str) -> Actor {
    let browser = signed_in(world, who, "/me").await;
    let page = browser.get("/me/ways/mail").await.expect(200);
    let form = [("form_token", &*page.form_field("form_token")), ("value", mail)];
    let page = browser.post_form(&action(&page, "/me/ways/mail"), &form).await;
    let page = if page.status == 303 { follow(&browser, &page.location()).await } else { page }.expect(200);
    let code = world.last_letter(mail).await.unwrap().text[..6].to_owned();
    let form = [("form_token", &*page.form_field("form_token")), ("code", &*code)];
    browser.post_form(&action(&page, "/mail/code"), &form).await;
    browser
}

#[tokio::test]
async fn the_applicant_and_the_payer_are_both_written_to_about_each_step_that_matters() {
    let mut scene = Scene::set(Limits::default()).await;
    with_mail(&scene.world, NOBODY, "la@example.vn").await;
    let bill = scene.office.bill(&scene.world, "written").await;
    let applicant = format!(
        "insert into bill_citizen (bill_id, citizen_id) select '{}', citizen_id from session limit 1",
        bill["id"].as_str().unwrap().strip_prefix("bill_").unwrap()
    );
    scene.world.sql(&applicant).await.unwrap();
    let payer = with_mail(&scene.world, SECOND, "duyet@example.vn").await;
    let page = format!("/pay/{}", bill["reference"].as_str().unwrap());
    let bank = payer.get(&page).await.expect(200).form_field("bank");
    payer.post_form(&page, &[("bank", &bank)]).await.expect(303);
    scene.world.later(Duration::from_secs(1));
    let path = format!("/v1/payments?bill={}", bill["id"].as_str().unwrap());
    let paid = scene.office.system(&scene.world, "payment.read").get(&path).await.expect(200).json();
    let payment = paid["items"][0]["id"].as_str().unwrap();
    scene.world.tell(&scene.world.credit(5, "R5", 205_000, payment)).await.expect(200);
    scene.bill = bill;
    let asked = scene.ask("r1", json!({ "amount": vnd(5_000) })).await.expect(201).json();
    let id = asked["id"].as_str().unwrap();
    for mail in ["la@example.vn", "duyet@example.vn"] {
        let letter = scene.world.last_letter(mail).await.unwrap();
        for told in ["5.000", "chờ duyệt", "Luật Quản lý thuế", "approver"] {
            assert!(letter.text.contains(told), "{told} in {}", letter.text);
        }
        assert!(!letter.text.contains("http") && !letter.text.contains("Tính thừa"));
    }
    let approver = signed_in(&scene.world, APPROVER, "/board").await;
    scene.press(&approver, id, "approve").await.expect(303);
    scene.debited(7, scene.debit("D1", 5_000, id)).await;
    for mail in ["la@example.vn", "duyet@example.vn"] {
        assert!(scene.world.last_letter(mail).await.unwrap().text.contains("đã hoàn"));
    }
    // What is declined is told as well.
    let other = scene.ask("r2", json!({ "amount": vnd(1_000) })).await.expect(201).json();
    assert!(scene.world.last_letter("la@example.vn").await.unwrap().text.contains("chờ duyệt"));
    scene.press(&approver, other["id"].as_str().unwrap(), "decline").await.expect(303);
    assert!(scene.world.last_letter("la@example.vn").await.unwrap().text.contains("declined"));
}

#[tokio::test]
async fn never_more_than_came_whatever_is_asked_in_whatever_order() {
    let scene = Scene::set(Limits::default()).await;
    scene.ask("0", json!({ "amount": vnd(0) })).await.expect_refusal(422, "refund_of_nothing");
    scene.ask("1", json!({ "amount": vnd(205_001) })).await.expect_refusal(409, "refund_exceeds_receipt");
    scene
        .ask("2", json!({ "lines": [{ "line": 9, "amount": vnd(1) }] }))
        .await
        .expect_refusal(422, "unknown_line");
    let line = json!({ "lines": [{ "line": 1, "amount": vnd(5_001) }] });
    scene.ask("3", line).await.expect_refusal(409, "refund_exceeds_receipt");
    let by_line = json!({ "lines": [{ "line": 1, "amount": vnd(5_000) }] });
    let first = scene.ask("4", by_line.clone()).await.expect(201).json();
    assert_eq!(first["lines"], json!([{ "line": 1, "amount": vnd(5_000) }]));
    scene.ask("5", by_line).await.expect_refusal(409, "refund_exceeds_receipt");
    // Two at once for all that is left: one wins.
    let (a, b) = tokio::join!(scene.ask("6", json!({})), scene.ask("7", json!({})));
    let mut outcomes = [a.status, b.status];
    outcomes.sort_unstable();
    assert_eq!(outcomes, [201, 409]);
    // The table itself refuses, too.
    let broken = scene.world.sql("update refund_source set refunded = received + 1").await.unwrap_err();
    assert!(broken.contains("refund_within_receipt"), "{broken}");
    // What is declined is free again.
    let approver = signed_in(&scene.world, APPROVER, "/board").await;
    scene.press(&approver, first["id"].as_str().unwrap(), "decline").await.expect(303);
    scene.press(&approver, first["id"].as_str().unwrap(), "approve").await.expect(409);
    scene.ask("8", json!({ "amount": vnd(5_000) })).await.expect(201);
    scene.ask("9", json!({ "amount": vnd(1) })).await.expect_refusal(409, "refund_exceeds_receipt");

    let open = scene.office.bill(&scene.world, "other").await;
    scene.ask("10", json!({ "bill": open["id"] })).await.expect_refusal(409, "bill_not_paid");
    let other = Office::open(&scene.world, "H29.150").await;
    let body = json!({ "bill": scene.bill["id"], "reason": "decision", "words": "x", "officer": ASKER.0 });
    let foreign = other.system(&scene.world, "refund").post_once("/v1/refunds", "k", &body).await;
    foreign.expect_refusal(403, "officer_needed");
}

#[tokio::test]
async fn the_law_says_for_which_reason_money_goes_back_and_who_may_ask() {
    let scene = Scene::set(Limits::default()).await;
    scene.ask("1", json!({ "reason": "paid_twice" })).await.expect_refusal(422, "refund_reason_unfit");
    let begun = json!({ "reason": "dossier_withdrawn", "work_begun": true });
    let refused = scene.ask("2", begun).await.expect_refusal(422, "not_refundable").json();
    assert_eq!(refused["violations"][0]["field"], "/reason");
    scene
        .world
        .sql(
            "insert into refund_exclusion (procedure_code, reason, valid_from, basis)
        values ('2.000488', 'dossier_refused', '2020-01-01', 'Thông tư 1')",
        )
        .await
        .unwrap();
    let excluded = scene.ask("3", json!({ "reason": "dossier_refused" })).await;
    assert_eq!(excluded.expect_refusal(422, "not_refundable").json()["violations"][0]["sent"], "Thông tư 1");
    scene.ask("4", json!({ "officer": NOBODY.0 })).await.expect_refusal(403, "officer_needed");
    scene.ask("5", json!({ "bill": null })).await.expect_refusal(400, "invalid_body");
    scene.ask("6", json!({ "reason": "because" })).await.expect_refusal(400, "invalid_body");
    let both = json!({ "amount": vnd(1), "lines": [{ "line": 0, "amount": vnd(1) }] });
    scene.ask("7", both).await.expect_refusal(400, "invalid_body");
    scene.ask("8", json!({ "reason": "dossier_withdrawn" })).await.expect(201);
}

#[tokio::test]
async fn nobody_approves_an_own_act_and_large_sums_need_two() {
    let limits =
        Limits { refund_one_approver_vnd_max: 100_000, refund_day_vnd_max: 205_000, ..Limits::default() };
    let scene = Scene::set(limits).await;
    grant(&scene.world, ASKER.0, Role::Approver).await;
    let asked = scene.ask("1", json!({})).await.expect(201).json();
    let id = asked["id"].as_str().unwrap();
    let asker = signed_in(&scene.world, ASKER, "/board").await;
    assert!(
        asker.get(&format!("/board/refunds/{id}")).await.expect(200).text().contains("người khác phải duyệt")
    );
    scene.press(&asker, id, "approve").await.expect(403);
    let approver = signed_in(&scene.world, APPROVER, "/board").await;
    scene.press(&approver, id, "approve").await.expect(303);
    assert_eq!(scene.read(id).await["status"], "requested");
    scene.press(&approver, id, "approve").await.expect(403);
    let second = signed_in(&scene.world, SECOND, "/board").await;
    scene.press(&second, id, "approve").await.expect(303);
    assert_eq!(
        (scene.read(id).await["status"].clone(), scene.read(id).await["approvals"].clone()),
        (json!("sent"), json!(2))
    );
    // The table knows the rule as well.
    let own = format!(
        "insert into refund_approval values ('{}', (select requested_by from refund limit 1), now())",
        id.strip_prefix("refund_").unwrap()
    );
    assert!(scene.world.sql(&own).await.unwrap_err().contains("nobody approves an own act"));

    // The day is full.
    let bill = scene.office.bill(&scene.world, "k2").await;
    let payment = start(&scene.world, &scene.office, &bill).await;
    scene.world.tell(&scene.world.credit(2, "R2", 205_000, &payment)).await.expect(200);
    let more = scene.ask("2", json!({ "bill": bill["id"], "amount": vnd(1_000) })).await.expect(201).json();
    scene.press(&approver, more["id"].as_str().unwrap(), "approve").await.expect(422);

    let somebody = signed_in(&scene.world, NOBODY, "/board").await;
    somebody.get("/board/refunds").await.expect(403);
    somebody.get(&format!("/board/refunds/{id}")).await.expect(403);
    scene.world.stranger().get("/board/refunds").await.expect(303);
}

#[tokio::test]
async fn of_two_approvals_at_once_that_exceed_the_day_together_one_is_refused() {
    let scene = Scene::set(Limits { refund_day_vnd_max: 8_000, ..Limits::default() }).await;
    let first = signed_in(&scene.world, APPROVER, "/board").await;
    let second = signed_in(&scene.world, SECOND, "/board").await;
    let mut ids = Vec::new();
    for key in ["1", "2"] {
        let asked = scene.ask(key, json!({ "amount": vnd(5_000) })).await.expect(201).json();
        ids.push(asked["id"].as_str().unwrap().to_owned());
    }
    // Nobody can write an approval until both have come as far as they get.
    let mut holder = scene.world.connection().await;
    sqlx::raw_sql("begin; lock table refund_approval in share mode").execute(&mut holder).await.unwrap();
    let watch = async {
        let mut watcher = scene.world.connection().await;
        loop {
            let waiting: i64 = sqlx::query_scalar(
                "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
            )
            .fetch_one(&mut watcher)
            .await
            .unwrap();
            if waiting >= 2 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        sqlx::raw_sql("commit").execute(&mut holder).await.unwrap();
    };
    let (one, other, ()) = tokio::join!(
        scene.press(&first, &ids[0], "approve"),
        scene.press(&second, &ids[1], "approve"),
        watch
    );
    let mut answers = [one.status, other.status];
    answers.sort_unstable();
    assert_eq!(answers, [303, 422], "refund_over_day_limit");
    assert_eq!(scene.world.count("refund where decided_at is not null").await, 1);
}

#[tokio::test]
async fn an_officer_asks_on_the_page_and_a_forged_form_is_not_taken() {
    let scene = Scene::set(Limits::default()).await;
    let asker = signed_in(&scene.world, ASKER, "/board").await;
    let page = asker.get("/board/refunds").await.expect(200);
    let (token, agency) = (page.form_field("form_token"), page.form_field("agency"));
    let reference = scene.bill["reference"].as_str().unwrap();
    let form = [
        ("form_token", &*token),
        ("agency", &agency),
        ("reference", reference),
        ("amount", "100.000"),
        ("reason", "decision"),
        ("words", "Quyết định 12/QĐ."),
    ];
    let sent = asker.post_form("/board/refunds", &form).await.expect(303);
    let shown = asker.get(&sent.location()).await.expect(200).text();
    for part in ["100.000", "Quyết định 12/QĐ.", "Luật Khiếu nại", "Nguyễn Thị Hòa"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    let unknown = [
        ("form_token", &*token),
        ("agency", &agency),
        ("reference", "7K3QD"),
        ("reason", "decision"),
        ("words", "x"),
    ];
    asker.post_form("/board/refunds", &unknown).await.expect(404);
    let forged = [
        ("form_token", "0"),
        ("agency", &agency),
        ("reference", reference),
        ("reason", "decision"),
        ("words", "x"),
    ];
    asker.post_form("/board/refunds", &forged).await.expect(400);
    assert_eq!(scene.world.count("refund").await, 1);
}

#[tokio::test]
async fn an_officer_sees_what_is_left_of_each_line_and_asks_for_parts_of_them() {
    let scene = Scene::set(Limits::default()).await;
    let asker = signed_in(&scene.world, ASKER, "/board").await;
    let reference = scene.bill["reference"].as_str().unwrap();
    let lines = format!("/board/refunds/lines?reference={reference}");
    let page = asker.get(&lines).await.expect(200);
    for part in ["LLTP-01", "200.000", "5.000", "Còn có thể hoàn"] {
        assert!(page.text().contains(part), "{part} in {}", page.text());
    }
    let (token, agency) = (page.form_field("form_token"), page.form_field("agency"));
    let ask = async |parts: [&str; 2], amount: &str| {
        let form = [
            ("form_token", &*token),
            ("agency", &agency),
            ("reference", reference),
            ("amount", amount),
            ("part", parts[0]),
            ("part", parts[1]),
            ("reason", "decision"),
            ("words", "Quyết định 12/QĐ."),
        ];
        asker.post_form("/board/refunds", &form).await
    };
    ask(["", "5.001"], "").await.expect(409);
    ask(["", "5.000"], "1").await.expect(422);
    ask(["x", ""], "").await.expect(422);
    let asked = ask(["", "5.000"], "").await.expect(303).location();
    let refund = scene.read(asked.rsplit('/').next().unwrap()).await;
    assert_eq!(refund["lines"], json!([{ "line": 1, "amount": vnd(5_000) }]));
    let page = asker.get(&lines).await.expect(200).text();
    assert!(page.contains("<td class=\"num\">0"), "nothing is left of the second line: {page}");
    asker.get("/board/refunds/lines?reference=7K3QD").await.expect(404);
    let nobody = signed_in(&scene.world, NOBODY, "/board").await;
    nobody.get(&lines).await.expect(403);
    scene.world.stranger().get(&lines).await.expect(303);
    let unpaid = scene.office.bill(&scene.world, "unpaid").await;
    let unpaid = format!("/board/refunds/lines?reference={}", unpaid["reference"].as_str().unwrap());
    asker.get(&unpaid).await.expect(409);
}

#[tokio::test]
async fn second_money_goes_back_unasked_once() {
    let scene = Scene::set(Limits::default()).await;
    scene.world.tell(&scene.world.credit(2, "R2", 205_000, &scene.payment)).await.expect(200);
    assert_eq!(scene.world.held().await, [("second_money".to_owned(), 205_000)]);
    let (a, b) = tokio::join!(return_second_money(&scene.world.app), return_second_money(&scene.world.app));
    assert_eq!(a.unwrap() + b.unwrap(), 1);
    assert_eq!(return_second_money(&scene.world.app).await.unwrap(), 0);
    let refund = scene.office.system(&scene.world, "refund.read").get("/v1/refunds").await.expect(200).json();
    let refund = &refund["items"][0];
    assert_eq!(
        (&refund["automatic"], &refund["reason"], &refund["status"]),
        (&json!(true), &json!("paid_twice"), &json!("sent"))
    );
    assert_eq!(scene.balance("suspense").await, 0);
    assert_eq!(scene.balance("refund_due").await, -205_000);
    assert!(scene.page().await.contains("Nộp hai lần"));
    let debit = scene.debit("D1", 205_000, refund["id"].as_str().unwrap());
    scene.debited(9, debit).await;
    assert_eq!((scene.balance("refund_due").await, scene.balance("clearing").await), (0, 205_000));
    let held = scene.world.sql("update suspense set state = 'held'").await;
    assert!(held.is_ok(), "{held:?}");
}

#[tokio::test]
async fn what_a_bank_does_not_answer_is_asked_about_and_the_statement_decides() {
    let scene = Scene::set(Limits::default()).await;
    let approver = signed_in(&scene.world, APPROVER, "/board").await;
    let asked = scene.ask("1", json!({ "amount": vnd(5_000) })).await.expect(201).json();
    let id = asked["id"].as_str().unwrap().to_owned();
    scene.world.bank.return_answers.lock().unwrap().push(Answer::None);
    scene.press(&approver, &id, "approve").await.expect(303);
    assert_eq!(scene.read(&id).await["status"], "unknown");
    // It never arrived: the same return is sent again under the same name.
    scene.world.later(Duration::from_secs(91));
    scene.world.bank.return_reports.lock().unwrap().push(Answer::NeverGot);
    look_after_refunds(&scene.world.app).await.unwrap();
    assert_eq!(scene.read(&id).await["status"], "approved");
    scene.world.bank.return_answers.lock().unwrap().push(Answer::None);
    look_after_refunds(&scene.world.app).await.unwrap();
    let names: Vec<_> = scene.world.bank.returns.lock().unwrap().iter().map(|r| r.id).collect();
    assert!(names.len() == 2 && names[0] == names[1]);
    for _ in 0..5 {
        scene.world.later(Duration::from_secs(2 * 3_600));
        look_after_refunds(&scene.world.app).await.unwrap();
    }
    assert_eq!(scene.read(&id).await["status"], "unknown");
    // Nobody told of the money; the statement does, and every line of it is matched.
    let day = Day::of(scene.world.clock.now());
    let mut movements = scene.world.bank.movements.lock().unwrap().clone();
    movements.push(scene.debit("D1", 5_000, &id));
    *scene.world.bank.movements.lock().unwrap() = movements;
    let mut tx = scene.world.app.store.begin().await.unwrap();
    let account = account_of_number(&mut tx, ACCOUNT).await.unwrap().unwrap();
    drop(tx);
    let told = match_statement(&scene.world.app, &account, day).await.unwrap();
    assert_eq!((&told["lines"], &told["reconciliation"]["matched"]), (&json!(1), &json!(1)), "{told}");
    assert_eq!(scene.read(&id).await["status"], "done");
    let again = match_statement(&scene.world.app, &account, day).await.unwrap();
    assert_eq!(again["reconciliation"]["matched"], json!(1));
    assert_eq!(scene.world.count("statement where closing - opening <> posted + explained").await, 0);
}

#[tokio::test]
async fn what_a_bank_does_not_take_goes_to_a_desk() {
    let scene = Scene::set(Limits::default()).await;
    let approver = signed_in(&scene.world, APPROVER, "/board").await;
    let asked = scene.ask("1", json!({ "amount": vnd(5_000) })).await.expect(201).json();
    let id = asked["id"].as_str().unwrap();
    scene.world.bank.return_answers.lock().unwrap().push(Answer::Refused("AC04".parse().unwrap()));
    scene.press(&approver, id, "approve").await.expect(303);
    let bounced = scene.read(id).await;
    assert_eq!(
        (&bounced["status"], &bounced["bounced"], &bounced["holder"]),
        (&json!("bounced"), &json!("AC04"), &json!("accounting"))
    );
    scene.press(&approver, id, "redirect").await.expect(403);
    let asker = signed_in(&scene.world, ASKER, "/board").await;
    // A code alone redirects no money, an old sign-in neither; a stronger one does, and whose bill it is hears of it.
    let refused = scene.press(&asker, id, "redirect").await.expect(403);
    assert!(refused.text().contains("không làm được chỉ với mã tin nhắn"), "{}", refused.text());
    assert!(refused.text().contains(&format!("return_to=/board/refunds/{id}")));
    assert_eq!(scene.read(id).await["status"], "bounced");
    let stronger = "update session set reached = 'urn:chung:acr:substantial'";
    scene.world.sql(stronger).await.unwrap();
    scene.world.later(Duration::from_secs(16 * 60));
    scene.press(&asker, id, "redirect").await.expect(403);
    let asker = signed_in(&scene.world, ASKER, "/board").await;
    scene.world.sql(stronger).await.unwrap();
    let owner = "insert into bill_citizen (bill_id, citizen_id) select r.bill_id, s.citizen_id
         from refund r, session s where s.citizen_id = r.requested_by limit 1";
    scene.world.sql(owner).await.unwrap();
    scene.press(&asker, id, "redirect").await.expect(303);
    let told = scene.world.last_text(ASKER.1).await.unwrap();
    assert!(told.contains("tien hoan vua doi noi nhan") && told.len() <= 160 && told.is_ascii(), "{told}");
    assert_eq!(scene.world.count("notice where what = 'refund_redirected'").await, 1);
    let waits = scene.read(id).await;
    assert_eq!(
        (&waits["status"], &waits["way"], &waits["holder"]),
        (&json!("at_desk"), &json!("cash"), &json!("desk"))
    );
    assert!(scene.page().await.contains("giấy tờ tùy thân"));
    // A debit of money that nobody sent is not believed, and the statement will make a case of it.
    scene.debited(4, scene.debit("D9", 5_000, id)).await;
    assert_eq!(scene.read(id).await["status"], "at_desk");
    assert_eq!(scene.world.count("debit").await, 0);
}

pub fn recall(name: u128, amount: i64, original: OriginalTransfer) -> CancellationRequest {
    CancellationRequest {
        id: EndToEndId(Uuid::from_u128(name)),
        original,
        amount: Money::vnd(amount),
        settled: Day::new(2026, 11, 24).unwrap(),
        reason: Line::parse("CUST").unwrap(),
        text: Some(Line::parse("Khách chuyển nhầm").unwrap()),
    }
}

#[tokio::test]
async fn a_bank_asks_money_back_and_gets_an_answer() {
    let scene = Scene::set(Limits::default()).await;
    let world = &scene.world;
    let original = OriginalTransfer {
        end_to_end: Line::parse(&uuid(&scene.payment).simple().to_string()).ok(),
        ..OriginalTransfer::default()
    };
    let ask = async |message: u128, asked: &CancellationRequest| {
        let xml = told(message, &Message::CancellationRequest(asked.clone()), world.clock.now());
        world.later(Duration::from_secs(1));
        world.tell(&xml).await.expect(200);
    };
    // Of a transfer that nobody here knows, and of another amount.
    ask(20, &recall(1, 205_000, OriginalTransfer::default())).await;
    ask(21, &recall(2, 204_000, original.clone())).await;
    let rejected = |n: usize| world.bank.resolutions.lock().unwrap()[n].answer.clone();
    assert_eq!(rejected(0), ResolutionAnswer::Rejected(Line::parse("NOOR").unwrap()));
    assert_eq!(rejected(1), ResolutionAnswer::Rejected(Line::parse("NOOR").unwrap()));
    let asked = recall(3, 205_000, original.clone());
    let twice = told(22, &Message::CancellationRequest(asked.clone()), world.clock.now());
    world.tell(&twice).await.expect(200);
    world.tell(&twice).await.expect(200);
    ask(23, &asked).await;
    assert_eq!(world.count("recall").await, 1);
    let officer = signed_in(world, ASKER, "/board").await;
    let page = officer.get("/board/refunds").await.expect(200);
    assert!(page.text().contains("Khách chuyển nhầm") && page.text().contains("Đang chờ trả lời"));
    let bill_page = format!("/pay/{}", scene.bill["reference"].as_str().unwrap());
    let shown = world.stranger().get(&bill_page).await.expect(200).text();
    assert!(shown.contains("yêu cầu hoàn trả 205.000") && shown.contains("đang xem xét"), "{shown}");
    assert!(!shown.contains("Khách chuyển nhầm"), "what the bank said is the agency's to read");
    let recall_id = format!("recall_{}", Uuid::from_u128(3).simple());
    let approver = signed_in(world, APPROVER, "/board").await;
    let answer = |token: String, word: &'static str| [("form_token", token), ("answer", word.to_owned())];
    let token = approver.get("/board/refunds").await.expect(200).form_field("form_token");
    let form = answer(token, "accept");
    let form: Vec<(&str, &str)> = form.iter().map(|(k, v)| (*k, v.as_str())).collect();
    approver.post_form(&format!("/board/recalls/{recall_id}"), &form).await.expect(403);
    let form = answer(page.form_field("form_token"), "accept");
    let form: Vec<(&str, &str)> = form.iter().map(|(k, v)| (*k, v.as_str())).collect();
    officer.post_form(&format!("/board/recalls/{recall_id}"), &form).await.expect(303);
    officer.post_form(&format!("/board/recalls/{recall_id}"), &form).await.expect(409);
    let told_bank = || world.bank.resolutions.lock().unwrap().len();
    assert_eq!(told_bank(), 2, "a bank is told nothing that another officer may still decline");
    // The money still needs the approval of another officer.
    let refunds = scene.office.system(world, "refund.read").get("/v1/refunds").await.expect(200).json();
    assert_eq!(
        (&refunds["items"][0]["reason"], &refunds["items"][0]["status"]),
        (&json!("recalled"), &json!("requested"))
    );
    let id = refunds["items"][0]["id"].as_str().unwrap();
    // Declined, the request is open again; accepted again and approved, the bank is told.
    scene.press(&approver, id, "decline").await.expect(303);
    chung::flow::recall::send_recalls(&world.app).await.unwrap();
    assert_eq!((told_bank(), world.count("recall where state = 'open'").await), (2, 1));
    officer.post_form(&format!("/board/recalls/{recall_id}"), &form).await.expect(303);
    let refunds = scene.office.system(world, "refund.read").get("/v1/refunds").await.expect(200).json();
    let asked_anew =
        refunds["items"].as_array().unwrap().iter().find(|r| r["status"] == "requested").unwrap();
    let id = asked_anew["id"].as_str().unwrap();
    scene.press(&approver, id, "approve").await.expect(303);
    chung::flow::recall::send_recalls(&world.app).await.unwrap();
    let last = world.bank.resolutions.lock().unwrap().last().cloned().unwrap();
    assert_eq!(
        (last.request, last.original, last.answer),
        (asked.id, MessageId(Uuid::from_u128(22)), ResolutionAnswer::Accepted)
    );
    scene.debited(30, scene.debit("D1", 205_000, id)).await;
    // Asked again, it has gone back.
    ask(24, &recall(4, 205_000, original)).await;
    chung::flow::recall::send_recalls(&world.app).await.unwrap();
    let last = world.bank.resolutions.lock().unwrap().last().cloned().unwrap();
    assert_eq!(last.answer, ResolutionAnswer::Rejected(Line::parse("ARDT").unwrap()));

    // The other way round: what we returned is asked back, and a bank says no.
    scene.press(&officer, id, "recall").await.expect(303);
    scene.press(&officer, id, "recall").await.expect(409);
    let ours = world.bank.asked_back.lock().unwrap()[0].clone();
    assert_eq!(ours.amount, Money::vnd(205_000));
    let told_no = Resolution {
        request: ours.id,
        original: MessageId(Uuid::from_u128(99)),
        answer: ResolutionAnswer::Rejected(Line::parse("CUST").unwrap()),
        text: None,
    };
    let shown = world.stranger().get(&bill_page).await.expect(200).text();
    assert!(shown.contains("đang chờ trả lời") && shown.contains("không hứa ngày thay họ"), "{shown}");
    let xml = told(31, &Message::Resolution(told_no), world.clock.now());
    world.tell(&xml).await.expect(200);
    let shown = world.stranger().get(&bill_page).await.expect(200).text();
    assert!(shown.contains("ngân hàng nhận không đồng ý trả lại"), "{shown}");
    assert_eq!(
        world.count("recall where direction = 'out' and state = 'refused' and answer = 'CUST'").await,
        1
    );
}

#[tokio::test]
async fn the_words_behind_the_books_are_kept_ten_years_and_the_citizen_is_told() {
    let scene = Scene::set(Limits::default()).await;
    let question = json!({
        "number": NOBODY.0, "attributes": { "name": "Lê Văn Lạ" }, "purpose": "Tính phí",
        "procedure": "2.000488", "dossier": "H29.14-261124-0001", "officer": "hoa.nt",
    });
    let system = scene.office.system(&scene.world, "verification");
    system.post_once("/v1/verifications", "v", &question).await.expect(201);
    let asked = scene.ask("1", json!({ "amount": vnd(5_000) })).await.expect(201).json();
    let path = format!("/board/refunds/{}", asked["id"].as_str().unwrap());
    let day = Day::of(scene.world.clock.now());
    let paid = scene.payment.parse::<chung::base::id::Id<chung::base::id::Payment>>().unwrap();
    let line = entry("R1", 205_000, Some(paid.uuid()), scene.world.clock.now());
    scene.world.bank.movements.lock().unwrap().push(line);
    let mut tx = scene.world.app.store.begin().await.unwrap();
    let account = account_of_number(&mut tx, ACCOUNT).await.unwrap().unwrap();
    drop(tx);
    match_statement(&scene.world.app, &account, day).await.unwrap();
    let citizen = signed_in(&scene.world, NOBODY, "/me").await;
    let page = citizen.get("/me/erasure").await.expect(200).text();
    let reference = scene.bill["reference"].as_str().unwrap();
    for shown in [reference, "Biên lai", "Hoàn trả: lý do", "Sao kê ngân hàng", "R1", "31/12/2036"] {
        assert!(page.contains(shown), "{shown} in {page}");
    }
    let kept = async || {
        let refunds = scene.world.count("refund where length(words) > 0").await;
        (refunds, scene.world.count("statement_told where length(told) > 0").await)
    };
    let approver = signed_in(&scene.world, APPROVER, "/board").await;
    assert!(approver.get(&path).await.expect(200).text().contains("Tính thừa một bản."));
    scene.world.later(Duration::from_secs(3_000 * 86_400));
    while retain(&scene.world.app).await.unwrap() > 0 {}
    assert_eq!(kept().await, (1, 1), "not before the law's time");
    scene.world.later(Duration::from_secs(1_100 * 86_400));
    while retain(&scene.world.app).await.unwrap() > 0 {}
    assert_eq!(kept().await, (0, 0));
    assert_eq!((scene.world.count("refund").await, scene.world.count("statement_line").await), (1, 1));
    // The case is still there to be read, and nothing else of its rows may change.
    let approver = signed_in(&scene.world, APPROVER, "/board").await;
    assert!(!approver.get(&path).await.expect(200).text().contains("Tính thừa một bản."));
    for change in ["amount = 1", "told = 'x'"] {
        assert!(scene.world.sql(&format!("update statement_line set {change}")).await.is_err(), "{change}");
    }
    for change in ["last = 9", "told = 'x'"] {
        assert!(scene.world.sql(&format!("update statement_told set {change}")).await.is_err(), "{change}");
    }
    let report = report_retention(&scene.world.app).await.unwrap();
    for class in ["refunds", "ledger_vouchers"] {
        let found = report["classes"].as_array().unwrap().iter().find(|c| c["class"] == class).unwrap();
        assert_eq!(
            (&found["rows"], &found["kept_for"], &found["removed_in_all"]),
            (&json!(0), &json!("10y"), &json!(1))
        );
    }
}

#[tokio::test]
async fn the_clearing_systems_late_word_about_a_refund_is_read() {
    let scene = Scene::set(Limits::default()).await;
    let asked = scene.ask("r", json!({})).await.expect(201).json();
    let id = asked["id"].as_str().unwrap();
    let approver = signed_in(&scene.world, APPROVER, "/board").await;
    scene.press(&approver, id, "approve").await.expect(303);
    assert_eq!(
        (&scene.read(id).await["status"], &scene.read(id).await["report"]),
        (&json!("sent"), &Value::Null)
    );
    let named = id.strip_prefix("refund_").unwrap().parse::<Uuid>().unwrap();
    let say = async |n: u128, status: TransactionStatus| {
        let message = PaymentStatus {
            inquiry: None,
            about: AboutWhat::Return,
            original: MessageId(named),
            end_to_end_id: EndToEndId(named),
            uetr: None,
            status,
            accepted: None,
            clearing_reference: None,
        };
        let xml = told(n, &Message::PaymentStatus(message), scene.world.clock.now());
        assert_eq!(scene.world.tell(&xml).await.expect(200).text(), "recorded");
        scene.read(id).await
    };
    // Both pages tell it, each time with who holds the next step.
    let shown = async |words: &[&str]| {
        let officers = approver.get(&format!("/board/refunds/{id}")).await.expect(200).text();
        for (page, whose) in [(officers, "officer"), (scene.page().await, "citizen")] {
            for word in words {
                assert!(page.contains(word), "the {whose}'s page: {word} in {page}");
            }
        }
    };
    assert!(!scene.page().await.contains("Hệ thống bù trừ báo"), "nothing was said yet");
    let pending = say(81, TransactionStatus::Pending).await;
    assert_eq!((&pending["status"], &pending["report"]["word"]), (&json!("sent"), &json!("pending")));
    let bank = "Hệ thống bù trừ và ngân hàng của người nộp";
    shown(&["lệnh hoàn trả đang chờ xử lý", bank]).await;
    let accepted = say(82, TransactionStatus::Accepted).await;
    assert_eq!((&accepted["status"], &accepted["report"]["word"]), (&json!("sent"), &json!("accepted")));
    shown(&["lệnh hoàn trả đã được chấp nhận", "khi thấy tiền rời tài khoản", bank]).await;
    // Rejected however late, it is the agency's to look after again, and the money is still owed.
    let reason = Reason { code: Line::parse("AC04").unwrap(), text: None };
    let rejected = say(83, TransactionStatus::Rejected(reason)).await;
    assert_eq!(
        (&rejected["status"], &rejected["bounced"], &rejected["report"]["reason"]),
        (&json!("bounced"), &json!("AC04"), &json!("AC04"))
    );
    shown(&["lệnh hoàn trả bị từ chối, mã AC04", "vẫn còn nợ", "Kế toán của cơ quan"]).await;
    let late = say(84, TransactionStatus::Pending).await;
    assert_eq!((&late["status"], &late["report"]["word"]), (&json!("bounced"), &json!("rejected")));
    let list = scene.office.system(&scene.world, "refund.read").get("/v1/refunds").await.expect(200).json();
    assert_eq!(list["items"][0]["report"]["word"], "rejected");
}

#[tokio::test]
async fn a_return_that_is_denied_after_its_money_left_is_said_so_and_promises_nothing() {
    let scene = Scene::set(Limits::default()).await;
    let asked = scene.ask("r", json!({ "amount": vnd(5_000) })).await.expect(201).json();
    let id = asked["id"].as_str().unwrap();
    let approver = signed_in(&scene.world, APPROVER, "/board").await;
    scene.press(&approver, id, "approve").await.expect(303);
    scene.debited(91, scene.debit("D1", 5_000, id)).await;
    let named = MessageId(id.strip_prefix("refund_").unwrap().parse::<Uuid>().unwrap());
    let reason = Reason { code: Line::parse("AC04").unwrap(), text: None };
    let message = PaymentStatus {
        inquiry: None,
        about: AboutWhat::Return,
        original: named,
        end_to_end_id: EndToEndId(named.0),
        uetr: None,
        status: TransactionStatus::Rejected(reason),
        accepted: None,
        clearing_reference: None,
    };
    scene.world.tell(&told(92, &Message::PaymentStatus(message), scene.world.clock.now())).await.expect(200);
    let read = scene.read(id).await;
    assert_eq!((&read["status"], &read["report"]["word"]), (&json!("done"), &json!("rejected")));
    for page in [scene.page().await, approver.get(&format!("/board/refunds/{id}")).await.expect(200).text()] {
        for word in ["sau khi tiền đã rời tài khoản", "mã AC04", "kế toán của cơ quan xử lý tiếp"]
        {
            assert!(page.contains(word), "{word} in {page}");
        }
    }
}

#[tokio::test]
async fn a_silent_refund_waits_for_clearing_days_alone_and_holidays_are_dated() {
    let scene = Scene::set(Limits::default()).await;
    let holiday = "insert into calendar_day (day, working, name_vi, name_en, basis, imported_at)
         values ('2026-11-30', false, 'Nghỉ bù', 'Day off', 'x', now())";
    scene.world.sql(holiday).await.unwrap();
    // Approved on a Friday, and nobody ever answers.
    scene.world.later(Duration::from_secs(3 * 86_400));
    let id = scene.refund_nobody_answers(5_000).await;
    scene.world.later(Duration::from_secs(5 * 86_400));
    let tell = async |day: &str| {
        let told = json!({ "account": ACCOUNT, "day": day });
        scene
            .office
            .system(&scene.world, "statement")
            .post_once("/v1/statements", day, &told)
            .await
            .expect(200);
        scene.read(&id).await["status"].as_str().unwrap().to_owned()
    };
    // The next clearing day is Tuesday: a bank that tells nothing of the days between keeps nobody waiting, and one that does
    // tell of them decides nothing.
    assert_eq!(tell("2026-11-27").await, "unknown");
    assert_eq!(tell("2026-11-30").await, "unknown", "a holiday shows nothing");
    assert_eq!(tell("2026-12-01").await, "approved", "it never left, and is sent again");
    assert_eq!(scene.world.count("statement").await, 3);
}

#[tokio::test]
async fn what_cannot_be_judged_yet_keeps_nothing_behind_it_waiting() {
    let scene = Scene::set(Limits { silent_at_once: 1, ..Limits::default() }).await;
    // Two refunds that nobody ever answers about: one of a Friday, one of the Tuesday after.
    let mut asked = Vec::new();
    for (wait, amount) in [(3 * 86_400, 5_000), (3 * 86_400 + 43_200, 6_000)] {
        scene.world.later(Duration::from_secs(wait));
        asked.push(scene.refund_nobody_answers(amount).await);
    }
    scene.world.later(Duration::from_secs(5 * 86_400));
    let tell = async |day: &str| {
        let told = json!({ "account": ACCOUNT, "day": day });
        let system = scene.office.system(&scene.world, "statement");
        system.post_once("/v1/statements", day, &told).await.expect(200);
        let mut statuses = Vec::new();
        for id in &asked {
            statuses.push(scene.read(id).await["status"].as_str().unwrap().to_owned());
        }
        statuses
    };
    assert_eq!(tell("2026-12-01").await, ["unknown", "unknown"]);
    // Of the first one's Friday there is no statement; the second one's days are all told.
    assert_eq!(tell("2026-12-02").await, ["unknown", "approved"]);
    assert_eq!(tell("2026-11-27").await[0], "unknown");
    assert_eq!(tell("2026-11-30").await[0], "approved");
}
