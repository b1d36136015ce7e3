//! The cashier's desk: from count to count, in cash and by card, with refunds paid out and cash carried to the bank.

use crate::board::{grant, signed_in};
use crate::central_bank::{entry, notification};
use crate::office::{ACCOUNT, Office};
use crate::payments::start;
use crate::reachable::{hold, let_go};
use crate::world::{Actor, Answer, TestApp};
use chung::base::{
    clock::Clock,
    id::{Citizen, Drawer, Id},
    money::Money,
    reference::Reference,
    text::Line,
};
use chung::flow::{
    adjust_receipts::adjust_due_receipts,
    blank_receipts::print_block,
    desk::{Receiver, close_in_place, pay_out},
    issue_due_receipts::issue_due_receipts,
    return_second_money::return_second_money,
    roles::revoke_role,
};
use chung::identity::role::Role;
use serde_json::{Value, json};
use std::time::Duration;

const PEOPLE: [&str; 3] = [
    "079185000456,,Nguyễn Thị Hòa,1985-03-15,female,0912345218,79,active,,2,",
    "079085000457,,Trần Văn Khỏe,1985-04-01,male,0912345219,79,active,,2,",
    "079085000458,,Lê Văn Lạ,1985-05-01,male,0912345220,79,active,,2,",
];
pub const CASHIER: (&str, &str) = ("079185000456", "+84912345218");
pub const APPROVER: (&str, &str) = ("079085000457", "+84912345219");
pub const ACCOUNTANT: (&str, &str) = ("079085000458", "+84912345220");

/// A cashier with an open shift at an agency that charges fees.
pub struct Scene {
    pub world: TestApp,
    pub office: Office,
    pub cashier: Actor,
    pub token: String,
}

impl Scene {
    pub async fn set() -> Self {
        let world = TestApp::start().await;
        world.register(&PEOPLE).await;
        let office = Office::open(&world, "H29.14").await;
        grant(&world, CASHIER.0, Role::Cashier).await;
        grant(&world, APPROVER.0, Role::Approver).await;
        grant(&world, ACCOUNTANT.0, Role::Accountant).await;
        let cashier = signed_in(&world, CASHIER, "/desk").await;
        let desk = cashier.get("/desk").await.expect(200);
        let (token, agency) = (desk.form_field("form_token"), desk.form_field("agency"));
        let form = [("form_token", &*token), ("agency", &agency), ("till", "Quầy 1"), ("counted", "500.000")];
        cashier.post_form("/desk/open", &form).await.expect(303);
        Self { world, office, cashier, token }
    }

    pub async fn send(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut form = vec![("form_token", self.token.as_str())];
        form.extend_from_slice(fields);
        self.cashier.post_form(path, &form).await
    }

    /// Signs the cashier in again, once a session is over.
    pub async fn again(&mut self) {
        self.cashier = signed_in(&self.world, CASHIER, "/desk").await;
        self.token = self.cashier.get("/desk").await.expect(200).form_field("form_token");
    }

    pub async fn desk(&self) -> String {
        self.cashier.get("/desk").await.expect(200).text()
    }

    pub async fn balance(&self, kind: &str) -> i64 {
        self.world.balances().await.into_iter().filter(|(k, _)| k == kind).map(|(_, sum)| sum).sum()
    }

    pub async fn status(&self, bill: &Value) -> String {
        let path = format!("/v1/bills/{}", bill["id"].as_str().unwrap());
        let read = self.office.system(&self.world, "bill.read").get(&path).await.expect(200).json();
        read["status"].as_str().unwrap().to_owned()
    }
}

pub fn reference(bill: &Value) -> &str {
    bill["reference"].as_str().unwrap()
}

#[tokio::test]
async fn a_shift_from_count_to_count() {
    let scene = Scene::set().await;
    // What the first count found was in no books.
    assert_eq!(
        (scene.balance("cash_drawer").await, scene.balance("cash_difference").await),
        (500_000, -500_000)
    );
    let bill = scene.office.bill(&scene.world, "k1").await;
    let found =
        scene.cashier.get(&format!("/desk/bill?reference={}", reference(&bill))).await.expect(200).text();
    assert!(found.contains("205.000") && found.contains("N•• T•• H••"));
    for wrong in [("cash", "205.001"), ("cash", "0"), ("cash", "-1")] {
        let answer = scene.send("/desk/bill", &[("reference", reference(&bill)), wrong]).await;
        assert!(answer.status == 422, "{wrong:?}: {}", answer.status);
    }
    scene.send("/desk/bill", &[("reference", reference(&bill)), ("cash", "205.000")]).await.expect(303);
    scene.send("/desk/bill", &[("reference", reference(&bill)), ("cash", "205.000")]).await.expect(409);
    assert_eq!(scene.status(&bill).await, "paid");
    let paid =
        scene.cashier.get(&format!("/desk/bill?reference={}", reference(&bill))).await.expect(200).text();
    assert!(paid.contains("In biên lai H29.14-AP26E-0000001"), "{paid}");

    // Cash and card for one bill.
    let second = scene.office.bill(&scene.world, "k2").await;
    let mixed = [("reference", reference(&second)), ("cash", "5.000"), ("card", "200.000")];
    scene.send("/desk/bill", &mixed).await.expect(422);
    let mixed = [("reference", reference(&second)), ("cash", "5.000"), ("card", "200.000"), ("slip", "T-77")];
    scene.send("/desk/bill", &mixed).await.expect(303);
    assert_eq!(
        (scene.balance("cash_drawer").await, scene.balance("card_receivable").await),
        (710_000, 200_000)
    );
    let path = format!("/v1/payments?bill={}", second["id"].as_str().unwrap());
    let payment = scene.office.system(&scene.world, "payment.read").get(&path).await.expect(200).json();
    assert_eq!(
        (&payment["items"][0]["way"], &payment["items"][0]["bank"]),
        (&json!("desk"), &json!("CASH+CARD"))
    );
    assert!(scene.desk().await.contains("710.000"));

    // To the bank, then the count: 10.000 short.
    scene.send("/desk/deposits", &[("amount", "800.000"), ("slip", "NT-1")]).await.expect(409);
    scene.send("/desk/deposits", &[("amount", "600.000"), ("slip", "NT-1")]).await.expect(303);
    scene.send("/desk/deposits", &[("amount", "1"), ("slip", "NT-1")]).await.expect(409);
    let closed = scene.send("/desk/close", &[("counted", "100.000")]).await.expect(200).text();
    assert!(closed.contains("thiếu 10.000"), "{closed}");
    scene.send("/desk/close", &[("counted", "100.000")]).await.expect(409);
    scene.send("/desk/bill", &[("reference", reference(&bill)), ("cash", "1")]).await.expect(409);
    let balances = [
        scene.balance("cash_drawer").await,
        scene.balance("cash_in_transit").await,
        scene.balance("cash_difference").await,
    ];
    assert_eq!(balances, [100_000, 600_000, -490_000]);
    let sum: i64 = scene.world.balances().await.into_iter().map(|(_, sum)| sum).sum();
    assert_eq!(sum, 0);
    assert_eq!(
        scene
            .world
            .count("audit_leaf where kind in ('shift.opened', 'shift.closed', 'cash.deposited')")
            .await,
        3
    );
}

#[tokio::test]
async fn one_shift_for_each_till_and_cashier_and_nobody_else_has_a_desk() {
    let scene = Scene::set().await;
    let agency = scene.office.agency.to_string();
    let again = [("agency", agency.as_str()), ("till", "Quầy 2"), ("counted", "0")];
    scene.send("/desk/open", &again).await.expect(409);
    let approver = signed_in(&scene.world, APPROVER, "/board").await;
    approver.get("/desk").await.expect(403);
    let stranger = scene.world.stranger();
    stranger.get("/desk").await.expect(303);
    let forged = [("form_token", "0"), ("counted", "0")];
    scene.cashier.post_form("/desk/close", &forged).await.expect(400);
    let other = Office::open(&scene.world, "H29.150").await;
    let theirs = other.agency.to_string();
    scene.send("/desk/close", &[("counted", "500.000")]).await.expect(200);
    let foreign = [("agency", theirs.as_str()), ("till", "Quầy 1"), ("counted", "0")];
    scene.send("/desk/open", &foreign).await.expect(403);
    // Another agency's bill is paid here all the same, and its receipt is in that agency's name.
    let agency = [("agency", agency.as_str()), ("till", "Quầy 1"), ("counted", "500.000")];
    scene.send("/desk/open", &agency).await.expect(303);
    let mut foreign = crate::office::new_bill();
    foreign["dossier"] = json!("H29.150-261124-0001");
    let bill =
        other.system(&scene.world, "bill").post_once("/v1/bills", "k", &foreign).await.expect(201).json();
    scene.send("/desk/bill", &[("reference", reference(&bill)), ("cash", "205000")]).await.expect(303);
    let receipts = other.system(&scene.world, "receipt.read").get("/v1/receipts").await.expect(200).json();
    assert!(receipts["items"][0]["number"].as_str().unwrap().starts_with("H29.150-"));
}

#[tokio::test]
async fn a_shift_begins_with_what_the_last_one_left_though_that_ends_just_then() {
    let scene = Scene::set().await;
    let closing =
        hold(&scene.world, "update shift set closed_at = opened_at, expected = 500000, counted = 500000")
            .await;
    let agency = scene.office.agency.to_string();
    let form = [("agency", agency.as_str()), ("till", "Quầy 1"), ("counted", "500.000")];
    let open = scene.send("/desk/open", &form);
    let end = async {
        scene.world.waiting(1).await;
        let_go(closing).await;
    };
    let (opened, ()) = tokio::join!(open, end);
    opened.expect(303);
    assert_eq!(scene.world.count("shift").await, 2);
    let balances = (scene.balance("cash_drawer").await, scene.balance("cash_difference").await);
    assert_eq!(balances, (500_000, -500_000), "what was found before the first shift alone");
}

#[tokio::test]
async fn who_is_no_cashier_any_more_takes_nothing_and_an_accountant_closes_what_they_left_open() {
    let scene = Scene::set().await;
    let bill = scene.office.bill(&scene.world, "k").await;
    let (granted, cashier): (uuid::Uuid, uuid::Uuid) =
        sqlx::query_as("select id, citizen_id from role_grant where role = 'cashier'")
            .fetch_one(&mut scene.world.connection().await)
            .await
            .unwrap();
    let (app, cashier) = (&scene.world.app, Id::<Citizen>::from_uuid(cashier));
    revoke_role(app, Id::from_uuid(granted)).await.unwrap();
    scene.send("/desk/bill", &[("reference", reference(&bill)), ("cash", "205.000")]).await.expect(403);
    scene.send("/desk/deposits", &[("amount", "1.000"), ("slip", "NT-1")]).await.expect(403);
    let to = Receiver {
        name: Line::parse("Nguyễn Thị Hòa").unwrap(),
        document: Line::parse("079185000456").unwrap(),
        slip: Line::parse("PC-1").unwrap(),
    };
    let some = Id::from_uuid(uuid::Uuid::from_u128(1));
    assert_eq!(pay_out(app, cashier, some, &to).await.unwrap_err().code(), "role_needed");
    let some = Id::from_uuid(uuid::Uuid::from_u128(1));
    assert_eq!(print_block(app, cashier, some, 1).await.unwrap_err().code(), "role_needed");
    assert_eq!((scene.status(&bill).await.as_str(), scene.balance("cash_drawer").await), ("open", 500_000));

    // Whoever keeps the books of the till's agency counts and closes, as long as it is not their own.
    let told =
        scene.office.system(&scene.world, "ledger.read").get("/v1/ledger/cash").await.expect(200).json();
    let till = told["tills"][0]["id"].as_str().unwrap().to_owned();
    let close =
        async |who| close_in_place(app, who, till.parse::<Id<Drawer>>().unwrap(), Money::vnd(0)).await;
    assert_eq!(close(cashier).await.unwrap_err().code(), "accountant_needed");
    grant(&scene.world, CASHIER.0, Role::Accountant).await;
    assert_eq!(close(cashier).await.unwrap_err().code(), "own_act");
    let accountant = signed_in(&scene.world, ACCOUNTANT, "/board/cash").await;
    let page = accountant.get("/board/cash").await.expect(200);
    assert!(page.text().contains("Đóng ca thay thu ngân"), "{}", page.text());
    let english = accountant.get("/board/cash?lang=en").await.expect(200).text();
    assert!(english.contains("Close the shift for its cashier"), "{english}");
    let token = page.form_field("form_token");
    let count = async |counted: &str| {
        let form = [("form_token", &*token), ("act", "close"), ("till", &till), ("counted", counted)];
        accountant.post_form("/board/cash", &form).await
    };
    count("-1").await.expect(422);
    count("490.000").await.expect(303);
    count("490.000").await.expect(409);
    let page = accountant.get("/board/cash?lang=vi").await.expect(200).text();
    assert!(!page.contains("Đóng ca thay thu ngân"), "{page}");
    assert_eq!(
        (scene.balance("cash_drawer").await, scene.balance("cash_difference").await),
        (490_000, -490_000)
    );

    // The till is free for another cashier.
    scene.world.register(&["079185000459,,Phạm Thị Mới,1985-06-01,female,0912345221,79,active,,2,"]).await;
    grant(&scene.world, "079185000459", Role::Cashier).await;
    let other = signed_in(&scene.world, ("079185000459", "+84912345221"), "/desk").await;
    let desk = other.get("/desk").await.expect(200);
    let (token, agency) = (desk.form_field("form_token"), desk.form_field("agency"));
    let form = [("form_token", &*token), ("agency", &agency), ("till", "Quầy 1"), ("counted", "490.000")];
    other.post_form("/desk/open", &form).await.expect(303);
    assert_eq!(scene.balance("cash_difference").await, -490_000);
}

#[tokio::test]
async fn an_unanswered_payer_may_pay_here_after_a_warning_and_gets_the_second_money_back() {
    let scene = Scene::set().await;
    let bill = scene.office.bill(&scene.world, "k").await;
    scene.world.bank.answers.lock().unwrap().push(chung::payment::payment::Event::NoAnswer);
    let payment = start(&scene.world, &scene.office, &bill).await;
    let shown =
        scene.cashier.get(&format!("/desk/bill?reference={}", reference(&bill))).await.expect(200).text();
    assert!(shown.contains("tiền có thể vẫn đến"), "{shown}");
    let form = [("reference", reference(&bill)), ("cash", "205000")];
    scene.send("/desk/bill", &form).await.expect(409);
    let form = [("reference", reference(&bill)), ("cash", "205000"), ("warned", "yes")];
    scene.send("/desk/bill", &form).await.expect(303);
    assert_eq!(scene.status(&bill).await, "paid");
    scene.world.tell(&scene.world.credit(1, "R1", 205_000, &payment)).await.expect(200);
    assert_eq!(scene.world.held().await, [("second_money".to_owned(), 205_000)]);
    assert_eq!(return_second_money(&scene.world.app).await.unwrap(), 1);
    assert_eq!(scene.world.bank.returns.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_refund_is_paid_out_against_a_document_and_a_signed_slip() {
    let scene = Scene::set().await;
    let bill = scene.office.bill(&scene.world, "k").await;
    scene.send("/desk/bill", &[("reference", reference(&bill)), ("cash", "205000")]).await.expect(303);
    let body = json!({ "bill": bill["id"], "amount": { "amount": "5000", "currency": "VND" }, "reason": "agency_error",
        "words": "Tính thừa.", "officer": ACCOUNTANT.0 });
    let asked = scene
        .office
        .system(&scene.world, "refund")
        .post_once("/v1/refunds", "r", &body)
        .await
        .expect(201)
        .json();
    let id = asked["id"].as_str().unwrap();
    assert_eq!(asked["way"], "cash");
    let receiver = [("name", "Nguyễn Thị Hòa"), ("document", "079185000456"), ("slip", "PC-1")];
    scene.send(&format!("/desk/refunds/{id}"), &receiver).await.expect(409);
    let approver = signed_in(&scene.world, APPROVER, "/board").await;
    let page = format!("/board/refunds/{id}");
    let token = approver.get(&page).await.expect(200).form_field("form_token");
    approver.post_form(&page, &[("form_token", &token), ("act", "approve")]).await.expect(303);
    assert!(scene.desk().await.contains("Chi hoàn trả"));
    scene.send(&format!("/desk/refunds/{id}"), &[("name", "x"), ("slip", "PC-1")]).await.expect(422);
    scene.send(&format!("/desk/refunds/{id}"), &receiver).await.expect(303);
    scene.send(&format!("/desk/refunds/{id}"), &receiver).await.expect(409);
    assert_eq!((scene.balance("cash_drawer").await, scene.balance("refund_due").await), (700_000, 0));
    let read =
        scene.office.system(&scene.world, "refund.read").get(&format!("/v1/refunds/{id}")).await.expect(200);
    assert_eq!(read.json()["status"], "done");
    assert!(!scene.world.dump("desk_payout").await.contains("Hòa"), "who received it is sealed");
    assert_eq!(scene.world.count("receipt where refund_id is not null").await, 1);
}

/// However many refunds wait, the oldest is on the page of whoever decides and of whoever pays it out.
#[tokio::test]
async fn no_refund_is_out_of_sight_behind_newer_ones() {
    let scene = Scene::set().await;
    let bill = scene.office.bill(&scene.world, "k").await;
    scene.send("/desk/bill", &[("reference", reference(&bill)), ("cash", "205000")]).await.expect(303);
    let body = json!({ "bill": bill["id"], "amount": { "amount": "5000", "currency": "VND" }, "reason": "agency_error",
        "words": "Tính thừa.", "officer": ACCOUNTANT.0 });
    let system = scene.office.system(&scene.world, "refund");
    let asked = system.post_once("/v1/refunds", "r", &body).await.expect(201).json();
    let id = asked["id"].as_str().unwrap();
    // Newer ones, as alike as can be, but for the words, which are sealed for one alone.
    let newer = |first: u32, facts: &str| {
        format!(
            "insert into refund select (jsonb_populate_record(r, jsonb_build_object('id',
                 'ffffffff-0000-7000-8000-' || lpad(n::text, 12, '0')) || {facts})).*
             from refund r, generate_series({first}, {first} + 50) n where not r.id::text like 'ffffffff%'"
        )
    };
    let declined =
        "jsonb_build_object('state', 'declined', 'decided_at', r.requested_at, 'ended_at', r.requested_at)";
    scene.world.sql(&newer(1, declined)).await.unwrap();
    scene.world.sql("update refund set words = '' where id::text like 'ffffffff%'").await.unwrap();
    let approver = signed_in(&scene.world, APPROVER, "/board").await;
    let board = approver.get("/board/refunds").await.expect(200).text();
    assert!(board.contains(&format!("/board/refunds/{id}")), "{board}");
    let next = board.split("href=\"/board/refunds?after=").nth(1).unwrap().split('"').next().unwrap();
    let older = approver.get(&format!("/board/refunds?after={next}")).await.expect(200).text();
    assert!(older.contains("/board/refunds/refund_ffffffff") && !older.contains(id), "{older}");
    assert!(!older.contains("/board/refunds?after="), "{older}");
    approver.get("/board/refunds?after=x").await.expect(404);
    let page = format!("/board/refunds/{id}");
    let token = approver.get(&page).await.expect(200).form_field("form_token");
    approver.post_form(&page, &[("form_token", &token), ("act", "approve")]).await.expect(303);

    scene.world.sql(&newer(101, "'{}'")).await.unwrap();
    let desk = scene.desk().await;
    let form = desk.split(&format!("action=\"/desk/refunds/{id}\"")).nth(1).unwrap();
    let form = form.split("</form>").next().unwrap();
    let spaced = reference(&bill).parse::<Reference>().unwrap().spaced();
    assert!(form.contains(bill["dossier"].as_str().unwrap()) && form.contains(&spaced), "{form}");
    let next = desk.split("href=\"/desk?after=").nth(1).unwrap().split('"').next().unwrap();
    let later = scene.cashier.get(&format!("/desk?after={next}")).await.expect(200).text();
    assert_eq!((desk.matches("/desk/refunds/").count(), later.matches("/desk/refunds/").count()), (50, 2));
    scene.cashier.get("/desk?after=x").await.expect(404);
    let receiver = [("name", "Nguyễn Thị Hòa"), ("document", "079185000456"), ("slip", "PC-1")];
    scene.send(&format!("/desk/refunds/{id}"), &receiver).await.expect(303);
    assert!(!scene.desk().await.contains(id));
}

#[tokio::test]
async fn cash_is_followed_to_the_statement_and_an_alarm_rings_when_it_is_kept() {
    let scene = Scene::set().await;
    let bill = scene.office.bill(&scene.world, "k").await;
    scene.send("/desk/bill", &[("reference", reference(&bill)), ("cash", "205000")]).await.expect(303);
    assert!(!scene.desk().await.contains("quá thời hạn"));
    scene.world.later(Duration::from_secs(2 * 86_400));
    let cashier = signed_in(&scene.world, CASHIER, "/desk").await;
    assert!(cashier.get("/desk").await.expect(200).text().contains("quá thời hạn"));
    let token = cashier.get("/desk").await.expect(200).form_field("form_token");
    let form = [("form_token", token.as_str()), ("amount", "205.000"), ("slip", "NT-9")];
    cashier.post_form("/desk/deposits", &form).await.expect(303);
    assert!(!cashier.get("/desk").await.expect(200).text().contains("quá thời hạn"));
    assert_eq!(scene.balance("cash_in_transit").await, 205_000);

    let mut line = entry("R1", 205_000, None, scene.world.clock.now());
    line.remittance = vec![Line::parse("NOP TIEN MAT NT-9").unwrap()];
    scene.world.tell(&notification(1, ACCOUNT, vec![line], scene.world.clock.now())).await.expect(200);
    // Whoever carried it does not confirm it; the page offers the accountant the credit of that amount.
    cashier.get("/board/cash").await.expect(403);
    let accountant = signed_in(&scene.world, ACCOUNTANT, "/board/cash").await;
    let page = accountant.get("/board/cash").await.expect(200);
    let (token, case) = (page.form_field("form_token"), page.text());
    let case = case.split("<option value=\"case_").nth(1).unwrap().split('"').next().unwrap();
    let case = format!("case_{case}");
    let form = [("form_token", token.as_str()), ("act", "slip"), ("slip", "NT-9"), ("case", case.as_str())];
    accountant.post_form("/board/cash", &form).await.expect(303);
    accountant.post_form("/board/cash", &form).await.expect(409);
    assert!(accountant.get("/board/cash").await.expect(200).text().contains("đã về tài khoản"));
    let balances = [
        scene.balance("cash_in_transit").await,
        scene.balance("suspense").await,
        scene.balance("clearing").await,
    ];
    assert_eq!(balances, [0, 0, 205_000]);
}

#[tokio::test]
async fn after_its_last_day_a_bill_is_not_paid_at_a_desk_and_the_page_says_why() {
    let scene = Scene::set().await;
    let bill = scene.office.bill(&scene.world, "k").await;
    scene.world.later(Duration::from_secs(86_400 * 60));
    let desk = signed_in(&scene.world, CASHIER, "/desk").await;
    let token = desk.get("/desk").await.expect(200).form_field("form_token");
    let form = [("form_token", token.as_str()), ("reference", reference(&bill)), ("cash", "205000")];
    let refused = desk.post_form("/desk/bill", &form).await.expect(422).text();
    assert!(refused.contains("Đã quá ngày cuối được nộp khoản này"), "{refused}");
    assert!(!refused.contains("problem-bill_past_due"), "{refused}");
    assert_eq!(scene.world.count("payment").await, 0);
}

/// Bills that may be paid after their due day, in a schedule by which every day costs 0,03 %, ten days late.
pub async fn late(scene: &mut Scene, many: usize) -> Vec<Value> {
    crate::bills::late_rule(&scene.world, &scene.office).await;
    let mut bill = crate::office::new_bill();
    bill["payable_until"] = json!("2026-12-31");
    let system = scene.office.system(&scene.world, "bill");
    let mut bills = Vec::new();
    for nth in 0..many {
        bills.push(system.post_once("/v1/bills", &format!("late-{nth}"), &bill).await.expect(201).json());
    }
    scene.world.later(Duration::from_secs(17 * 86_400));
    scene.again().await;
    bills
}

#[tokio::test]
async fn a_bill_that_is_paid_late_at_a_desk_bears_the_interest_of_the_day() {
    let mut scene = Scene::set().await;
    let bills = late(&mut scene, 2).await;
    // Ten days late: 205.000 × 0,03 % × 10 = 615.
    let shown =
        scene.cashier.get(&format!("/desk/bill?reference={}", reference(&bills[0]))).await.expect(200);
    assert!(shown.text().contains("205.615"), "{}", shown.text());
    let pay = async |scene: &Scene, bill: &Value, cash: &str, warned: &str| {
        let form = [("reference", reference(bill)), ("cash", cash), ("warned", warned)];
        scene.send("/desk/bill", &form).await.status
    };
    assert_eq!(pay(&scene, &bills[0], "205000", "").await, 422, "not without it");
    assert_eq!(scene.world.count("bill_version").await, 0, "a refusal writes nothing");
    assert_eq!(pay(&scene, &bills[0], "205615", "").await, 303);
    let path = format!("/v1/bills/{}", bills[0]["id"].as_str().unwrap());
    let paid = scene.office.system(&scene.world, "bill.read").get(&path).await.expect(200).json();
    assert_eq!((&paid["status"], &paid["version"]), (&json!("paid"), &json!(2)));
    let line = paid["lines"].as_array().unwrap().last().unwrap();
    assert_eq!((&line["fee"], &line["amount"]["amount"]), (&json!("CHAM-NOP"), &json!("615")));
    assert_eq!(scene.balance("cash_drawer").await, 705_615);

    // While money of an earlier attempt may still come, interest stands still here as well.
    scene.world.bank.answers.lock().unwrap().push(chung::payment::payment::Event::NoAnswer);
    start(&scene.world, &scene.office, &bills[1]).await;
    scene.world.later(Duration::from_secs(86_400));
    scene.again().await;
    let shown =
        scene.cashier.get(&format!("/desk/bill?reference={}", reference(&bills[1]))).await.expect(200);
    assert!(shown.text().contains("205.615"), "{}", shown.text());
    assert_eq!(pay(&scene, &bills[1], "205677", "yes").await, 422);
    assert_eq!(pay(&scene, &bills[1], "205615", "yes").await, 303);
    assert_eq!(scene.status(&bills[1]).await, "paid");
    let books = chung::flow::verify_books::verify_books(&scene.world.app.store, |_| {}).await.unwrap();
    assert_eq!(books.finding, None);
}

#[tokio::test]
async fn cash_goes_back_at_a_desk_without_a_number_left_and_its_receipt_follows() {
    let scene = Scene::set().await;
    let bill = scene.office.bill(&scene.world, "k1").await;
    scene.send("/desk/bill", &[("reference", reference(&bill)), ("cash", "205000")]).await.expect(303);
    scene.world.sql("update receipt_series set last = until").await.unwrap();
    // A second bill is paid without a number, too: its receipt waits, and nothing is there to print.
    let second = scene.office.bill(&scene.world, "k2").await;
    scene.send("/desk/bill", &[("reference", reference(&second)), ("cash", "205000")]).await.expect(303);
    assert_eq!((scene.status(&second).await, scene.world.count("receipt_due").await), ("paid".to_owned(), 1));
    let shown = scene.cashier.get(&format!("/desk/bill?reference={}", reference(&second))).await.expect(200);
    assert!(!shown.text().contains("/desk/receipts/"), "{}", shown.text());

    let approver = signed_in(&scene.world, APPROVER, "/board").await;
    let mut refunds = Vec::new();
    for (key, bill) in [("r1", &bill), ("r2", &second)] {
        let body = json!({ "bill": bill["id"], "amount": { "amount": "5000", "currency": "VND" },
            "reason": "agency_error", "words": "Tính thừa.", "officer": ACCOUNTANT.0 });
        let system = scene.office.system(&scene.world, "refund");
        let asked = system.post_once("/v1/refunds", key, &body).await.expect(201).json();
        let id = asked["id"].as_str().unwrap().to_owned();
        let page = format!("/board/refunds/{id}");
        let token = approver.get(&page).await.expect(200).form_field("form_token");
        approver.post_form(&page, &[("form_token", &token), ("act", "approve")]).await.expect(303);
        let receiver = [("name", "Nguyễn Thị Hòa"), ("document", "079185000456"), ("slip", key)];
        scene.send(&format!("/desk/refunds/{id}"), &receiver).await.expect(303);
        scene.send(&format!("/desk/refunds/{id}"), &receiver).await.expect(409);
        refunds.push(id);
    }
    let read = async |id: &str| {
        let path = format!("/v1/refunds/{id}");
        let read = scene.office.system(&scene.world, "refund.read").get(&path).await.expect(200).json();
        (read["status"].as_str().unwrap().to_owned(), read["receipt_pending"].as_bool().unwrap())
    };
    for id in &refunds {
        assert_eq!(read(id).await, ("done".to_owned(), true), "the money did not wait");
    }
    assert_eq!((scene.balance("cash_drawer").await, scene.balance("refund_due").await), (900_000, 0));
    assert_eq!(scene.world.count("receipt where refund_id is not null").await, 0);
    adjust_due_receipts(&scene.world.app).await.unwrap();
    assert_eq!(scene.world.count("receipt where refund_id is not null").await, 0, "there is still none");

    // Numbers come, and with them the receipt that waited and both that adjust.
    let series = json!({ "kind": "phi", "letters": "BP", "first": 1, "last": 9, "valid_from": "2026-11-01",
        "valid_to": "2026-12-31" });
    let system = scene.office.system(&scene.world, "receipt");
    system.post_once("/v1/receipts/series", "BP", &series).await.expect(201);
    issue_due_receipts(&scene.world.app).await.unwrap();
    while adjust_due_receipts(&scene.world.app).await.unwrap() > 0 {}
    for id in &refunds {
        assert_eq!(read(id).await, ("done".to_owned(), false));
    }
    assert_eq!(scene.world.count("receipt where refund_id is not null and amount = 5000").await, 2);
    assert_eq!(scene.world.count("receipt where number like 'H29.14-BP26E-%'").await, 3);
    let books = chung::flow::verify_books::verify_books(&scene.world.app.store, |_| {}).await.unwrap();
    assert_eq!(books.finding, None);
}
