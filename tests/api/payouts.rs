//! What was collected goes on to whom it belongs: by a dated rule for each kind, with the budget's slip, and over only when
//! the money was seen to leave.

use crate::board::{ACCOUNTANT, AUDITOR, NOBODY, at_board, grant, people};
use crate::books::officer;
use crate::central_bank::{entry, notification, told};
use crate::office::{ACCOUNT, Office, uuid};
use crate::payments::start;
use crate::world::TestApp;
use chung::base::{
    calendar::Day,
    clock::Clock,
    id::{Citizen, Id},
    money::Money,
    text::Line,
};
use chung::codec::iso20022::{
    AboutWhat, CreditTransfer, Direction, EndToEndId, Entry, Message, MessageId, PaymentStatus, Reason,
    TransactionStatus,
};
use chung::flow::{pass_on::pass_on, reconcile_statement::match_statement};
use chung::identity::role::Role;
use chung::payment::refund::Answer;
use chung::store::account::account_of_number;
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

/// A paid bill of 150,000 đ: lệ phí of 50,000, phí of 100,000 of which the agency keeps 75,000.
pub struct Scene {
    pub world: TestApp,
    pub office: Office,
    pub bill: Value,
}

pub fn new_bill() -> Value {
    json!({
        "dossier": "H29.14-261124-0007", "procedure": "1.001610", "channel": "online", "due": "2026-12-01",
        "lines": [{ "fee": "DKKD-01" }, { "fee": "DKKD-02" }], "applicant": { "name": "Nguyễn Thị Hòa" },
    })
}

pub fn rule(kind: &str, number: &str, from: &str) -> Value {
    json!({
        "kind": kind, "valid_from": from, "bank": "970405", "number": number, "holder": "Kho bạc Nhà nước Khu vực II",
        "treasury_office": "0061", "authority": { "code": "1056789", "name": "Thuế Thành phố Hồ Chí Minh" },
        "chapter": "414", "sub_item": "2767", "area": "79001", "legal_basis": "Luật Phí và lệ phí 97/2015/QH13, Điều 12",
    })
}

impl Scene {
    pub async fn set() -> Self {
        let world = TestApp::start().await;
        people(&world).await;
        let office = Office::open(&world, "H29.14").await;
        grant(&world, ACCOUNTANT.0, Role::Accountant).await;
        grant(&world, AUDITOR.0, Role::Auditor).await;
        let system = office.system(&world, "bill");
        let bill = system.post_once("/v1/bills", "k", &new_bill()).await.expect(201).json();
        Self { world, office, bill }
    }

    pub async fn rules(&self, kinds: &[(&str, &str)]) {
        let day = Day::of(self.world.clock.now()).to_string();
        for (kind, number) in kinds {
            self.say(kind, &rule(kind, number, &day)).await.expect(200);
        }
    }

    pub async fn say(&self, key: &str, rule: &Value) -> crate::world::Answer {
        let path = format!("/v1/agencies/{}/payout-rules", self.office.agency);
        self.office.system(&self.world, "admin").post_once(&path, key, rule).await
    }

    /// The bill is paid, and the statement of the day is matched.
    pub async fn pay_and_match(&self) -> Day {
        let payment = start(&self.world, &self.office, &self.bill).await;
        self.settle_and_match(&payment).await
    }

    /// The money of an attempt arrives, and the statement of the day is matched.
    pub async fn settle_and_match(&self, payment: &str) -> Day {
        let total: i64 = self.bill["total"]["amount"].as_str().unwrap().parse().unwrap();
        let came = entry("R1", total, Some(uuid(payment)), self.world.clock.now());
        self.world.bank.movements.lock().unwrap().push(came);
        self.world.tell(&self.world.credit(1, "R1", total, payment)).await.expect(200);
        assert_eq!(pass_on(&self.world.app).await.unwrap(), 0, "nothing goes before its day is matched");
        let day = Day::of(self.world.clock.now());
        self.world.later(Duration::from_secs(86_400));
        self.match_day(day).await;
        day
    }

    pub async fn match_day(&self, day: Day) -> Value {
        self.match_day_of(ACCOUNT, day).await
    }

    pub async fn match_day_of(&self, number: &str, day: Day) -> Value {
        let mut tx = self.world.app.store.begin().await.unwrap();
        let account = account_of_number(&mut tx, number).await.unwrap().unwrap();
        drop(tx);
        match_statement(&self.world.app, &account, day).await.unwrap()
    }

    pub fn orders(&self) -> Vec<CreditTransfer> {
        self.world.bank.orders.lock().unwrap().clone()
    }

    pub async fn listed(&self, query: &str) -> Vec<Value> {
        let system = self.office.system(&self.world, "statement.read");
        let list = system.get(&format!("/v1/payouts{query}")).await.expect(200).json();
        list["items"].as_array().unwrap().clone()
    }

    /// The movement that carries an order out.
    pub fn debit(&self, reference: &str, order: &CreditTransfer) -> Entry {
        let mut entry = entry(reference, order.amount.minor(), Some(order.id.0), self.world.clock.now());
        entry.direction = Direction::Debit;
        entry
    }

    pub async fn balance(&self, kind: &str) -> i64 {
        self.world.balances().await.into_iter().filter(|(k, _)| k == kind).map(|(_, sum)| sum).sum()
    }
}

#[tokio::test]
async fn each_kind_goes_where_its_rule_says_and_is_over_when_the_money_was_seen_to_leave() {
    let scene = Scene::set().await;
    scene.rules(&[("phi", "37110001"), ("retained", "37140001"), ("le_phi", "7111")]).await;
    let day = scene.pay_and_match().await;
    pass_on(&scene.world.app).await.unwrap();
    let orders = scene.orders();
    let to = |number: &str| orders.iter().find(|o| o.creditor_account.as_str() == number).unwrap().clone();
    assert_eq!(orders.len(), 3);
    assert_eq!(to("7111").amount, Money::vnd(50_000));
    assert_eq!((to("37110001").amount, to("37140001").amount), (Money::vnd(25_000), Money::vnd(75_000)));
    assert_eq!(to("7111").debtor_account.as_str(), ACCOUNT);

    let of_kind = scene.listed("?status=sent").await.into_iter().find(|o| o["kind"] == "le_phi").unwrap();
    assert_eq!(of_kind["day"], json!(day.to_string()));
    let slip = &of_kind["slip"];
    assert_eq!(
        (&slip["form"], &slip["total_in_words"], &slip["authority"]["code"]),
        (&json!("02"), &json!("Năm mươi nghìn đồng"), &json!("1056789"))
    );
    let number = of_kind["slip_number"].as_str().unwrap();
    assert!(to("7111").remittance.as_str().contains(number));
    let system = scene.office.system(&scene.world, "statement.read");
    let path = format!("/v1/payouts/{}", of_kind["id"].as_str().unwrap());
    let whole = system.get(&path).await.expect(200).json();
    let line = &whole["lines"][0];
    assert_eq!((&whole["line_count"], &line["dossier"]), (&json!(1), &json!("H29.14-261124-0007")));
    assert_eq!(
        (&line["chapter"], &line["sub_item"], &line["area"]),
        (&json!("414"), &json!("2750"), &json!("79001")),
        "chapter and sub-item are the fee's, by its dated version; the area is the rule's while the agency told none"
    );

    // Nothing goes twice, whatever is matched again.
    scene.match_day(day).await;
    pass_on(&scene.world.app).await.unwrap();
    assert_eq!(scene.orders().len(), 3);
    // What has gone on is given back by the Treasury.
    let body = json!({ "bill": scene.bill["id"], "reason": "agency_error", "words": "x", "officer": ACCOUNTANT.0,
        "amount": { "amount": "1000", "currency": "VND" } });
    let asked = scene
        .office
        .system(&scene.world, "refund")
        .post_once("/v1/refunds", "r", &body)
        .await
        .expect(201)
        .json();
    assert_eq!(asked["way"], "treasury");

    // One is told by a notification, twice; the others by the statement alone.
    let debit = scene.debit("D1", &to("7111"));
    for message in [7, 8] {
        let xml = notification(message, ACCOUNT, vec![debit.clone()], scene.world.clock.now());
        scene.world.tell(&xml).await.expect(200);
    }
    assert_eq!(system.get(&path).await.expect(200).json()["status"], "done");
    assert_eq!((scene.balance("fee_le_phi").await, scene.balance("clearing").await), (0, 100_000));
    let today = Day::of(scene.world.clock.now());
    let told = [debit, scene.debit("D2", &to("37110001")), scene.debit("D3", &to("37140001"))];
    scene.world.bank.movements.lock().unwrap().extend(told);
    scene.world.later(Duration::from_secs(86_400));
    let matched = scene.match_day(today).await;
    assert_eq!(matched["reconciliation"]["matched"], json!(3), "{matched}");
    assert_eq!(scene.listed("?status=done").await.len(), 3);
    // Each line that carried an order out leads to the dossiers of what went on.
    let lines = format!("/v1/statements/{}/lines", matched["id"].as_str().unwrap());
    let system = scene.office.system(&scene.world, "statement.read");
    let lines = system.get(&lines).await.expect(200).json()["items"].clone();
    for line in lines.as_array().unwrap() {
        let one = &line["behind"]["items"][0];
        assert_eq!((&line["behind"]["count"], &one["why"]), (&json!(1), &json!("passed_on")), "{line}");
        assert_eq!(one["bill"]["dossier"], "H29.14-261124-0007");
    }
    for kind in ["clearing", "fee_phi", "fee_phi_retained", "fee_le_phi"] {
        assert_eq!(scene.balance(kind).await, 0, "{kind}");
    }
    assert_eq!(scene.world.count("statement where closing - opening <> posted + explained").await, 0);
    let events = scene.office.system(&scene.world, "event.read").get("/v1/events").await.expect(200).text();
    assert!(events.contains("payout.created") && events.contains("payout.done"), "{events}");

    let accountant = at_board(&scene.world, ACCOUNTANT).await;
    let page = accountant.get("/board/payouts").await.expect(200).text();
    for shown in ["Chuyển tiền đã thu", "50.000", number, "đã chuyển"] {
        assert!(page.contains(shown), "{shown} in {page}");
    }
    let slip = accountant
        .get(&format!("/board/payouts/{}", of_kind["id"].as_str().unwrap()))
        .await
        .expect(200)
        .text();
    for shown in ["Mẫu số 02", "H29.14-261124-0007", "Năm mươi nghìn đồng", "1056789", "2750"] {
        assert!(slip.contains(shown), "{shown} in {slip}");
    }
}

/// A seller's invoice for a survey, with the account that it is to be paid into.
pub fn survey(number: &str, seller: &str, account: &str, amount: i64) -> Value {
    json!({
        "invoice": {
            "number": number, "serial": "1K26TAA", "date": "2026-11-24", "seller_tax_code": seller,
            "name": { "vi": "Trích đo địa chính", "en": "Cadastral survey" },
            "amount": { "amount": amount.to_string(), "currency": "VND" },
        },
        "legal_basis": "Hợp đồng 12/2026",
        "account": { "bank": "970405", "number": account, "holder": "CONG TY TNHH DO DAC MAU" },
    })
}

#[tokio::test]
async fn the_price_of_a_service_goes_to_each_seller_who_is_named_with_an_account() {
    let mut scene = Scene::set().await;
    let mut with_services = new_bill();
    with_services["services"] = json!([
        survey("1", "0101243150", "19001234567", 1_200_000),
        survey("2", "0101243150", "19001234567", 300_000),
        survey("1", "0301452948", "19007654321", 500_000),
    ]);
    with_services["collect"] = json!("together");
    let system = scene.office.system(&scene.world, "bill");
    scene.bill = system.post_once("/v1/bills", "with", &with_services).await.expect(201).json();
    let day = Day::of(scene.world.clock.now()).to_string();
    let mut services = rule("service", "19009999", &day);
    for budget in ["treasury_office", "authority", "chapter", "sub_item", "area"] {
        services.as_object_mut().unwrap().remove(budget);
    }
    // To sellers go prices of services alone.
    let mut fees = rule("le_phi", "7111", &day);
    fees["to_sellers"] = json!(true);
    scene.say("fees", &fees).await.expect_refusal(400, "invalid_body");
    assert_eq!(scene.say("services", &services).await.expect(200).json()["to_sellers"], true);
    scene.pay_and_match().await;
    // What was paid to sellers is declared with the fees, and the books hold it too.
    let fees = scene.office.system(&scene.world, "fee.read");
    let declared = fees.get("/v1/fees/declaration?period=2026-11").await.expect(200).json();
    assert_eq!(declared["collected"]["amount"], "2150000", "{declared}");
    assert_eq!(declared["agrees_with_books"], true);
    pass_on(&scene.world.app).await.unwrap();
    pass_on(&scene.world.app).await.unwrap();
    let mut sent: Vec<_> = scene.orders();
    sent.sort_by_key(|order| order.amount.minor());
    let to: Vec<_> =
        sent.iter().map(|order| (order.creditor_account.as_str(), order.amount.minor())).collect();
    assert_eq!(to, [("19007654321", 500_000), ("19001234567", 1_500_000)], "one order for each seller");
    assert_eq!(sent[1].creditor.as_str(), "CONG TY TNHH DO DAC MAU");

    let listed = scene.listed("?status=sent").await;
    let order = listed.iter().find(|one| one["amount"]["amount"] == "1500000").unwrap();
    assert_eq!(order["slip"]["seller"], json!({ "tax_code": "0101243150" }));
    assert_eq!(
        (&order["beneficiary"]["number"], &order["slip"]["form"]),
        (&json!("19001234567"), &Value::Null)
    );
    let id = order["id"].as_str().unwrap();
    let system = scene.office.system(&scene.world, "statement.read");
    let whole = system.get(&format!("/v1/payouts/{id}")).await.expect(200).json();
    assert_eq!((&whole["line_count"], &whole["lines"][0]["notice"]), (&json!(2), &json!("1K26TAA 1")));
    let page = at_board(&scene.world, ACCOUNTANT).await.get(&format!("/board/payouts/{id}")).await;
    let page = page.expect(200).text();
    for shown in ["Trả cho bên bán", "0101243150", "19001234567", "1K26TAA 2"] {
        assert!(page.contains(shown), "{shown} in {page}");
    }
    // Each is over when it was seen to leave.
    let left = sent.iter().zip(1..).map(|(order, n)| scene.debit(&format!("D{n}"), order)).collect();
    let xml = notification(7, ACCOUNT, left, scene.world.clock.now());
    scene.world.tell(&xml).await.expect(200);
    assert_eq!(scene.balance("fee_service").await, 0);
}

#[tokio::test]
async fn the_price_of_a_service_goes_into_the_account_from_which_its_agency_pays_where_its_rule_says_so() {
    let mut scene = Scene::set().await;
    let mut with_service = new_bill();
    with_service["services"] = json!([survey("1", "0101243150", "19001234567", 1_200_000)]);
    with_service["collect"] = json!("together");
    let system = scene.office.system(&scene.world, "bill");
    scene.bill = system.post_once("/v1/bills", "with", &with_service).await.expect(201).json();
    let day = Day::of(scene.world.clock.now()).to_string();
    let mut services = rule("service", "19009999", &day);
    for budget in ["treasury_office", "authority", "chapter", "sub_item", "area"] {
        services.as_object_mut().unwrap().remove(budget);
    }
    services["to_sellers"] = json!(false);
    let mut taxes = services.clone();
    taxes["kind"] = json!("tax");
    scene.say("tax", &taxes).await.expect_refusal(400, "invalid_body");
    let told = scene.say("services", &services).await.expect(200).json();
    assert_eq!((&told["kind"], &told["treasury_office"]), (&json!("service"), &json!("0000")));
    scene.rules(&[("le_phi", "7111")]).await;
    scene.pay_and_match().await;
    pass_on(&scene.world.app).await.unwrap();
    let orders = scene.orders();
    assert_eq!(orders.len(), 2);
    let order = orders.iter().find(|order| order.creditor_account.as_str() == "19009999").unwrap();
    assert_eq!(order.amount, Money::vnd(1_200_000));
    assert!(order.remittance.as_str().starts_with("DVC 0000"), "{order:?}");
    let listed = scene.listed("?status=sent").await.into_iter().find(|o| o["kind"] == "service").unwrap();
    assert_eq!((&listed["slip"]["form"], &listed["slip"]["authority"]), (&Value::Null, &Value::Null));
    let id = listed["id"].as_str().unwrap();
    let system = scene.office.system(&scene.world, "statement.read");
    let whole = system.get(&format!("/v1/payouts/{id}")).await.expect(200).json();
    let line = &whole["lines"][0];
    assert_eq!((&line["content"], &line["chapter"]), (&json!("Trích đo địa chính"), &Value::Null));
    let page = at_board(&scene.world, ACCOUNTANT).await.get(&format!("/board/payouts/{id}")).await;
    let page = page.expect(200).text();
    assert!(page.contains("Giá dịch vụ của bên bán") && !page.contains("Mẫu số 02"), "{page}");
    assert_eq!(scene.balance("fee_service").await, -1_200_000);
    let xml = notification(7, ACCOUNT, vec![scene.debit("D1", order)], scene.world.clock.now());
    scene.world.tell(&xml).await.expect(200);
    assert_eq!(scene.balance("fee_service").await, 0);
}

#[tokio::test]
async fn a_silent_order_is_told_again_under_its_name_and_the_statement_decides() {
    let scene = Scene::set().await;
    scene.rules(&[("le_phi", "7111")]).await;
    let day = scene.pay_and_match().await;
    let silent = |times| scene.world.bank.order_answers.lock().unwrap().extend(vec![Answer::None; times]);
    silent(4);
    pass_on(&scene.world.app).await.unwrap();
    assert_eq!(scene.listed("").await[0]["status"], "unknown");
    for _ in 0..5 {
        scene.world.later(Duration::from_secs(2 * 3_600));
        pass_on(&scene.world.app).await.unwrap();
    }
    let orders = scene.orders();
    assert_eq!(orders.len(), 4, "told at once, and three times again");
    assert!(orders.iter().all(|order| *order == orders[0]), "told again it says the same");
    assert_eq!(scene.listed("").await[0]["status"], "unknown");
    // Every day that could show the money has a statement, and none does: it never left.
    scene.world.later(Duration::from_secs(3 * 86_400));
    for days in 1..=2 {
        scene.match_day(day.plus_days(days)).await;
    }
    pass_on(&scene.world.app).await.unwrap();
    assert_eq!(scene.orders().len(), 5);
    assert_eq!(scene.orders()[4].id, orders[0].id);
    assert_eq!(scene.listed("").await[0]["status"], "sent");
    // A debit of another amount is no order of ours: the statement makes a case of it.
    let mut other = scene.debit("D1", &orders[0]);
    other.amount = Money::vnd(49_999);
    let xml = notification(9, ACCOUNT, vec![other], scene.world.clock.now());
    scene.world.tell(&xml).await.expect(200);
    assert_eq!(scene.world.count("debit").await, 0);
}

#[tokio::test]
async fn what_a_bank_does_not_take_is_ordered_again_without_what_goes_back() {
    let scene = Scene::set().await;
    scene.rules(&[("le_phi", "7111"), ("phi", "37110001")]).await;
    scene.world.bank.order_answers.lock().unwrap().extend(vec![Answer::Refused("AC04".parse().unwrap()); 2]);
    let day = scene.pay_and_match().await;
    pass_on(&scene.world.app).await.unwrap();
    let bounced = scene.listed("?status=bounced").await;
    assert_eq!((bounced.len(), &bounced[0]["bounced"]), (2, &json!("AC04")));
    // The money still lies here: it goes back to the account that paid.
    let body = json!({ "bill": scene.bill["id"], "reason": "agency_error", "words": "x", "officer": ACCOUNTANT.0,
        "lines": [{ "line": 0, "amount": { "amount": "20000", "currency": "VND" } }] });
    let asked = scene
        .office
        .system(&scene.world, "refund")
        .post_once("/v1/refunds", "r", &body)
        .await
        .expect(201)
        .json();
    assert_eq!(asked["way"], "clearing");

    let path = |order: &Value| format!("/board/payouts/{}", order["id"].as_str().unwrap());
    let le_phi = bounced.iter().find(|order| order["kind"] == "le_phi").unwrap();
    let accountant = at_board(&scene.world, ACCOUNTANT).await;
    let page = accountant.get(&path(le_phi)).await.expect(200);
    assert!(page.text().contains("AC04") && page.text().contains("bị trả lại"));
    let token = page.form_field("form_token");
    accountant.post_form(&path(le_phi), &[("form_token", "0")]).await.expect(400);
    let auditor = at_board(&scene.world, AUDITOR).await;
    let shown = auditor.get(&path(le_phi)).await.expect(200).text();
    assert!(!shown.contains("Lập lại lệnh"), "the auditor reads");
    let theirs = auditor.get("/board/payouts").await.expect(200).form_field("form_token");
    auditor.post_form(&path(le_phi), &[("form_token", &theirs)]).await.expect(403);
    at_board(&scene.world, NOBODY).await.get("/board/payouts").await.expect(403);
    scene.world.stranger().get(&path(le_phi)).await.expect(303);

    scene
        .say("new", &rule("le_phi", "7112", &day.to_string()))
        .await
        .expect_refusal(409, "payout_rule_differs");
    accountant.post_form(&path(le_phi), &[("form_token", &token)]).await.expect(303);
    // Both were let go: a payment is ordered again whole.
    accountant.post_form(&path(le_phi), &[("form_token", &token)]).await.expect(409);
    // The refund is not over: the payment waits, and nothing is ordered.
    pass_on(&scene.world.app).await.unwrap();
    assert_eq!(scene.orders().len(), 2);
    grant(&scene.world, NOBODY.0, Role::Approver).await;
    let approver = at_board(&scene.world, NOBODY).await;
    let refund = asked["id"].as_str().unwrap();
    let address = format!("/board/refunds/{refund}");
    let token = approver.get(&address).await.expect(200).form_field("form_token");
    approver.post_form(&address, &[("form_token", &*token), ("act", "approve")]).await.expect(303);
    let named = refund.strip_prefix("refund_").unwrap().parse().unwrap();
    let mut gone = entry("D1", 20_000, Some(named), scene.world.clock.now());
    gone.direction = Direction::Debit;
    let xml = notification(9, ACCOUNT, vec![gone], scene.world.clock.now());
    scene.world.tell(&xml).await.expect(200);
    scene.match_day(day).await;
    pass_on(&scene.world.app).await.unwrap();
    let mut amounts: Vec<(String, String)> = scene
        .listed("?status=sent")
        .await
        .iter()
        .map(|o| (o["kind"].as_str().unwrap().to_owned(), o["amount"]["amount"].as_str().unwrap().to_owned()))
        .collect();
    amounts.sort();
    let expected =
        [("le_phi", "30000"), ("phi", "25000")].map(|(kind, dong)| (kind.to_owned(), dong.to_owned()));
    assert_eq!(amounts, expected);
    assert!(scene.listed("?status=sent").await.iter().all(|order| order["replaces"].is_string()));
    // The tables know it as well: no line goes twice, and an order is the sum of its lines.
    let more = scene.world.sql("update payout_item set amount = amount + 1").await.unwrap_err();
    assert!(more.contains("sum of its lines"), "{more}");
}

#[tokio::test]
async fn a_rule_is_dated_and_complete_and_what_came_before_the_first_stays() {
    let scene = Scene::set().await;
    let mut bare = rule("le_phi", "7111", "2026-11-24");
    bare.as_object_mut().unwrap().remove("authority");
    scene.say("1", &bare).await.expect_refusal(422, "payout_rule_incomplete");
    scene.say("2", &rule("magic", "7111", "2026-11-24")).await.expect_refusal(400, "invalid_body");
    scene.say("3", &rule("phi", "37 11", "2026-11-24")).await.expect_refusal(400, "invalid_body");
    let mut half = rule("phi", "3711", "2026-11-24");
    half.as_object_mut().unwrap().remove("area");
    scene.say("4", &half).await.expect_refusal(400, "invalid_body");
    let tomorrow = Day::of(scene.world.clock.now()).plus_days(1);
    let first = scene.say("5", &rule("le_phi", "7111", &tomorrow.to_string())).await.expect(200).json();
    assert_eq!(
        scene.say("6", &rule("le_phi", "7111", &tomorrow.to_string())).await.expect(200).json(),
        first
    );
    let path = format!("/v1/agencies/{}/payout-rules", scene.office.agency);
    let told = scene.office.system(&scene.world, "admin.read").get(&path).await.expect(200).json();
    assert_eq!(told["items"], json!([first]));
    let changed = scene.world.sql("update payout_rule set number = '1'").await.unwrap_err();
    assert!(changed.contains("payout_rule"), "{changed}");

    let day = scene.pay_and_match().await;
    pass_on(&scene.world.app).await.unwrap();
    scene.world.later(Duration::from_secs(86_400));
    scene.match_day(day.plus_days(1)).await;
    pass_on(&scene.world.app).await.unwrap();
    assert_eq!(scene.orders(), [], "money of before the first rule stays where it is");
}

#[tokio::test]
async fn what_was_let_go_goes_by_the_rule_of_the_newest_day_whatever_older_day_is_told_again() {
    let scene = Scene::set().await;
    scene.rules(&[("le_phi", "7111")]).await;
    scene.world.bank.order_answers.lock().unwrap().push(Answer::Refused("AC04".parse().unwrap()));
    let day = scene.pay_and_match().await;
    pass_on(&scene.world.app).await.unwrap();
    let bounced = scene.listed("?status=bounced").await[0]["id"].as_str().unwrap().to_owned();
    // The account was wrong: what was said for a day stays said, and the next day's rule names another.
    let next = day.plus_days(1);
    scene.say("next", &rule("le_phi", "7112", &next.to_string())).await.expect(200);
    scene.match_day(next).await;
    pass_on(&scene.world.app).await.unwrap();
    assert_eq!(scene.orders().len(), 1, "nobody has let it go");
    let accountant = at_board(&scene.world, ACCOUNTANT).await;
    let path = format!("/board/payouts/{bounced}");
    let token = accountant.get(&path).await.expect(200).form_field("form_token");
    accountant.post_form(&path, &[("form_token", &token)]).await.expect(303);
    scene.match_day(day).await;
    while pass_on(&scene.world.app).await.unwrap() > 0 {}
    assert_eq!(scene.orders().len(), 2);
    assert_eq!(scene.orders()[1].creditor_account.as_str(), "7112");
    let sent = scene.listed("?status=sent").await;
    assert_eq!(
        (sent.len(), &sent[0]["day"], &sent[0]["replaces"]),
        (1, &json!(next.to_string()), &json!(bounced))
    );
    assert_eq!(scene.world.count("payout_waiting").await, 0);
}

impl Scene {
    /// A word of the clearing system's own accord about an order or a refund.
    pub fn word(&self, n: u128, about: AboutWhat, named: Uuid, status: TransactionStatus) -> String {
        let message = PaymentStatus {
            inquiry: None,
            about,
            original: MessageId(named),
            end_to_end_id: EndToEndId(named),
            uetr: None,
            status,
            accepted: None,
            clearing_reference: None,
        };
        told(n, &Message::PaymentStatus(message), self.world.clock.now())
    }
}

pub fn rejected(code: &str) -> TransactionStatus {
    TransactionStatus::Rejected(Reason { code: Line::parse(code).unwrap(), text: None })
}

#[tokio::test]
async fn the_clearing_systems_late_word_is_read_and_a_rejection_goes_back_to_whoever_must_act() {
    let scene = Scene::set().await;
    scene.rules(&[("phi", "37110001"), ("retained", "37140001"), ("le_phi", "7111")]).await;
    scene.pay_and_match().await;
    pass_on(&scene.world.app).await.unwrap();
    let orders = scene.orders();
    let to = |number: &str| orders.iter().find(|o| o.creditor_account.as_str() == number).unwrap().id.0;
    let of = async |named: Uuid| {
        let all = scene.listed("").await;
        all.into_iter().find(|o| o["id"].as_str().unwrap().ends_with(&named.simple().to_string())).unwrap()
    };
    let (first, second) = (to("7111"), to("37110001"));
    assert_eq!(of(first).await["report"], Value::Null);
    let say = async |n: u128, named: Uuid, status: TransactionStatus| {
        let xml = scene.word(n, AboutWhat::Transfer, named, status);
        scene.world.tell(&xml).await.expect(200).text()
    };
    // Pending and accepted are kept apart, move nothing, and what is accepted is never pending again.
    assert_eq!(say(51, first, TransactionStatus::Pending).await, "recorded");
    let told = of(first).await;
    assert_eq!((&told["status"], &told["report"]["word"]), (&json!("sent"), &json!("pending")));
    say(52, first, TransactionStatus::Accepted).await;
    say(53, first, TransactionStatus::Pending).await;
    let told = of(first).await;
    assert_eq!((&told["status"], &told["report"]["word"]), (&json!("sent"), &json!("accepted")));
    // Rejected after all: the accountant has it, and orders it again.
    let twice = scene.word(54, AboutWhat::Transfer, first, rejected("AC04"));
    for _ in 0..2 {
        assert_eq!(scene.world.tell(&twice).await.expect(200).text(), "recorded");
    }
    let told = of(first).await;
    assert_eq!(
        (&told["status"], &told["bounced"], &told["report"]["word"], &told["report"]["reason"]),
        (&json!("bounced"), &json!("AC04"), &json!("rejected"), &json!("AC04"))
    );
    let accountant = at_board(&scene.world, ACCOUNTANT).await;
    let page = format!("/board/payouts/{}", told["id"].as_str().unwrap());
    let shown = accountant.get(&page).await.expect(200);
    assert!(
        shown.text().contains("lệnh bị từ chối") && shown.text().contains("Lập lại lệnh"),
        "{}",
        shown.text()
    );
    let token = shown.form_field("form_token");
    accountant.post_form(&page, &[("form_token", &token)]).await.expect(303);
    pass_on(&scene.world.app).await.unwrap();
    assert_eq!(scene.orders().len(), 4);
    // One that denies what was seen moves nothing, and says so.
    let debit = scene.debit("D1", orders.iter().find(|o| o.id.0 == second).unwrap());
    let xml = notification(61, ACCOUNT, vec![debit], scene.world.clock.now());
    scene.world.tell(&xml).await.expect(200);
    say(62, second, rejected("AC06")).await;
    let told = of(second).await;
    assert_eq!((&told["status"], &told["report"]["word"]), (&json!("done"), &json!("rejected")));
    let events = scene.office.system(&scene.world, "event.read").get("/v1/events").await.expect(200).text();
    assert_eq!(events.matches("payout.denied").count(), 1, "{events}");
    // What names nothing of ours is acknowledged and changes nothing; another text under one name is refused.
    let nobody = scene.word(71, AboutWhat::Return, Uuid::from_u128(7), rejected("AC04"));
    assert_eq!(scene.world.tell(&nobody).await.expect(200).text(), "unknown_payment");
    let other = scene.word(54, AboutWhat::Transfer, first, TransactionStatus::Accepted);
    assert_eq!(scene.world.tell(&other).await.status, 409);
}

#[tokio::test]
async fn what_had_to_wait_longer_than_a_month_goes_with_the_next_orders() {
    let scene = Scene::set().await;
    scene.rules(&[("le_phi", "7111"), ("phi", "37110001")]).await;
    let payment = start(&scene.world, &scene.office, &scene.bill).await;
    let came = entry("R1", 150_000, Some(uuid(&payment)), scene.world.clock.now());
    scene.world.bank.movements.lock().unwrap().push(came);
    scene.world.tell(&scene.world.credit(1, "R1", 150_000, &payment)).await.expect(200);
    let body = json!({ "bill": scene.bill["id"], "reason": "agency_error", "words": "x", "officer": ACCOUNTANT.0,
        "amount": { "amount": "1000", "currency": "VND" } });
    let system = scene.office.system(&scene.world, "refund");
    let asked = system.post_once("/v1/refunds", "r", &body).await.expect(201).json();
    let day = Day::of(scene.world.clock.now());
    scene.world.later(Duration::from_secs(86_400));
    scene.match_day(day).await;
    pass_on(&scene.world.app).await.unwrap();
    assert_eq!(
        (scene.orders(), scene.world.count("payout_waiting").await),
        (vec![], 1),
        "it waits for the refund"
    );
    // Nobody decides for a long time; then it is declined.
    scene.world.later(Duration::from_secs(60 * 86_400));
    scene.match_day(day.plus_days(59)).await;
    pass_on(&scene.world.app).await.unwrap();
    assert_eq!(scene.orders(), []);
    grant(&scene.world, NOBODY.0, Role::Approver).await;
    let approver = at_board(&scene.world, NOBODY).await;
    let address = format!("/board/refunds/{}", asked["id"].as_str().unwrap());
    let token = approver.get(&address).await.expect(200).form_field("form_token");
    approver.post_form(&address, &[("form_token", &*token), ("act", "decline")]).await.expect(303);
    scene.match_day(day.plus_days(60)).await;
    pass_on(&scene.world.app).await.unwrap();
    let sums: i64 = scene.orders().iter().map(|order| order.amount.minor()).sum();
    assert_eq!(
        (sums, scene.world.count("payout_waiting").await),
        (75_000, 0),
        "all but what nobody said where it goes"
    );
    // Once only.
    for days in [60, 61] {
        scene.match_day(day.plus_days(days)).await;
        pass_on(&scene.world.app).await.unwrap();
    }
    assert_eq!(scene.orders().len(), 2);
}

#[tokio::test]
async fn money_that_a_decision_turned_to_a_bill_goes_on_as_well() {
    let scene = Scene::set().await;
    scene.rules(&[("le_phi", "7111"), ("phi", "37110001"), ("retained", "37140001")]).await;
    let now = scene.world.clock.now();
    let came = entry("U1", 150_000, None, now);
    scene.world.bank.movements.lock().unwrap().push(came.clone());
    scene.world.tell(&notification(1, ACCOUNT, vec![came], now)).await.expect(200);
    let day = Day::of(now);
    scene.world.later(Duration::from_secs(86_400));
    scene.match_day(day).await;
    pass_on(&scene.world.app).await.unwrap();
    assert_eq!(scene.orders(), []);
    grant(&scene.world, NOBODY.0, Role::Approver).await;
    let case = scene.office.system(&scene.world, "case.read").get("/v1/cases").await.expect(200).json();
    let case = case["items"][0]["id"].as_str().unwrap().to_owned();
    let system = scene.office.system(&scene.world, "case");
    let proposal = json!({ "toward": "bill", "bill": scene.bill["id"], "legal_basis": "Điều 9", "words": "Đúng khoản này",
        "officer": citizen(&scene, "accountant").await });
    system.post_once(&format!("/v1/cases/{case}/release"), "p", &proposal).await.expect(200);
    let approval = json!({ "officer": citizen(&scene, "approver").await });
    system.post_once(&format!("/v1/cases/{case}/release/approve"), "a", &approval).await.expect(200);
    assert_eq!(scene.world.count("payout_waiting").await, 1);
    // A day that is told again passes on its own money alone; of before the first rule it would forget this.
    scene.match_day(day.plus_days(-1)).await;
    pass_on(&scene.world.app).await.unwrap();
    assert_eq!((scene.orders(), scene.world.count("payout_waiting").await), (vec![], 1));
    scene.match_day(day.plus_days(1)).await;
    pass_on(&scene.world.app).await.unwrap();
    let sums: i64 = scene.orders().iter().map(|order| order.amount.minor()).sum();
    assert_eq!((sums, scene.orders().len(), scene.world.count("payout_waiting").await), (150_000, 3, 0));
}

#[tokio::test]
async fn an_order_that_a_bank_did_not_take_is_ordered_again_by_the_successor() {
    let scene = Scene::set().await;
    let world = &scene.world;
    let new = Office::open(world, "H29.15").await;
    let admin = Office::open(world, "H29").await;
    new.bill(world, "opens-its-account").await;
    scene.rules(&[("le_phi", "7111")]).await;
    world.bank.order_answers.lock().unwrap().push(Answer::Refused("AC04".parse().unwrap()));
    scene.pay_and_match().await;
    pass_on(&world.app).await.unwrap();
    let bounced = scene.listed("?status=bounced").await[0]["id"].as_str().unwrap().to_owned();
    let administrator = officer(world, NOBODY.0, Role::Administrator, "H29").await;
    let body = json!({ "kind": "merge", "from": Day::of(world.clock.now()).to_string(), "administrator": administrator,
        "successors": [{ "agency": new.agency.to_string() }] });
    let path = format!("/v1/agencies/{}/succeed", scene.office.agency);
    let done = admin.system(world, "admin").post_once(&path, "s", &body).await.expect(200).json();
    assert!(done["effected_at"].is_string(), "{done}");

    let page = format!("/board/payouts/{bounced}");
    let auditor = at_board(world, AUDITOR).await.get(&page).await.expect(200).text();
    assert!(!auditor.contains("Lập lại lệnh"), "the auditor reads");
    let accountant = at_board(world, ACCOUNTANT).await;
    let shown = accountant.get(&page).await.expect(200);
    assert!(shown.text().contains("Lập lại lệnh"), "{}", shown.text());
    let token = shown.form_field("form_token");
    accountant.post_form(&page, &[("form_token", &token)]).await.expect(303);
    while pass_on(&world.app).await.unwrap() > 0 {}
    assert_eq!(scene.orders().len(), 2);
    assert_eq!(world.count("payout where state = 'sent' and replaces is not null").await, 1);
}

/// The identifier of whoever holds a role at the office.
async fn citizen(scene: &Scene, role: &str) -> String {
    let found: Uuid = sqlx::query_scalar("select citizen_id from role_grant where role = $1")
        .bind(role)
        .fetch_one(&mut scene.world.connection().await)
        .await
        .unwrap();
    Id::<Citizen>::from_uuid(found).to_string()
}
