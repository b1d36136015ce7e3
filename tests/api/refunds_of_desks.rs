//! What was paid at a desk goes back from where it lies: what a transfer brought to the account that it came from, the rest in
//! cash.

use crate::board::signed_in;
use crate::central_bank::{entry, notification};
use crate::desk::{ACCOUNTANT, APPROVER, Scene, reference};
use crate::desk_money::{AtCash, case_of, match_and_pass_on, rules, stands};
use crate::office::ACCOUNT;
use crate::refunds::vnd;
use chung::base::{calendar::Day, clock::Clock, money::Money, text::Line};
use chung::codec::iso20022::Direction;
use chung::flow::verify_books::verify_books;
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

impl Scene {
    /// A bill of 205,000 đ, paid by a transfer of 100,000 and 105,000 in cash.
    async fn half_by_transfer(&self) -> Value {
        let bill = self.office.bill(&self.world, "k").await;
        stands(self, 1, ACCOUNT, 100_000, reference(&bill)).await;
        let case = case_of(self, 100_000).await;
        let tender = [("reference", reference(&bill)), ("cash", "105000"), ("transfer", case.as_str())];
        self.send("/desk/bill", &tender).await.expect(303);
        bill
    }

    async fn ask_back(&self, bill: &Value, key: &str, more: Value) -> Value {
        let mut body = json!({ "bill": bill["id"], "reason": "agency_error", "words": "Tính thừa.", "officer": ACCOUNTANT.0 });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let system = self.office.system(&self.world, "refund");
        system.post_once("/v1/refunds", key, &body).await.expect(201).json()
    }

    async fn decide(&self, refund: &str, act: &str) {
        let approver = signed_in(&self.world, APPROVER, "/board").await;
        let page = format!("/board/refunds/{refund}");
        let token = approver.get(&page).await.expect(200).form_field("form_token");
        approver.post_form(&page, &[("form_token", &token), ("act", act)]).await.expect(303);
    }

    async fn refund(&self, id: &str) -> Value {
        let system = self.office.system(&self.world, "refund.read");
        system.get(&format!("/v1/refunds/{id}")).await.expect(200).json()
    }
}

/// How a refund goes, and how much.
fn told(refund: &Value) -> (&str, &str) {
    (refund["way"].as_str().unwrap(), refund["amount"]["amount"].as_str().unwrap())
}

#[tokio::test]
async fn a_transfer_goes_back_to_its_account_and_cash_at_the_desk() {
    let scene = Scene::set().await;
    let bill = scene.half_by_transfer().await;
    let asked = scene.ask_back(&bill, "r", json!({})).await;
    let id = asked["id"].as_str().unwrap();
    let apart = asked["apart"][0].as_str().unwrap();
    assert_eq!(told(&asked), ("clearing", "100000"));
    assert_eq!(told(&scene.refund(apart).await), ("cash", "105000"));
    // To the account from which it came, as its bank named the transfer.
    scene.decide(id, "approve").await;
    let sent = scene.world.bank.returns.lock().unwrap().first().cloned().unwrap();
    assert_eq!((sent.amount, sent.original_amount), (Money::vnd(100_000), Money::vnd(100_000)));
    assert_eq!(sent.original.end_to_end.as_ref().map(Line::as_str), Some("NOTPROVIDED"));
    let now = scene.world.clock.now();
    let named = id.strip_prefix("refund_").unwrap().parse::<Uuid>().unwrap();
    let mut debit = entry("D1", 100_000, Some(named), now);
    debit.direction = Direction::Debit;
    scene.world.tell(&notification(9, ACCOUNT, vec![debit], now)).await.expect(200);
    assert_eq!(scene.refund(id).await["status"], "done");
    scene.decide(apart, "approve").await;
    let receiver = [("name", "Nguyễn Thị Hòa"), ("document", "079185000456"), ("slip", "PC-1")];
    // What goes to an account is not paid out as well.
    scene.send(&format!("/desk/refunds/{id}"), &receiver).await.expect(409);
    scene.send(&format!("/desk/refunds/{apart}"), &receiver).await.expect(303);
    let kinds = ["clearing", "cash_drawer", "refund_due", "suspense"];
    let mut balances = Vec::new();
    for kind in kinds {
        balances.push(scene.balance(kind).await);
    }
    assert_eq!(balances, [0, 500_000, 0, 0]);
    assert_eq!(verify_books(&scene.world.app.store, |_| {}).await.unwrap().finding, None);
}

#[tokio::test]
async fn never_more_by_transfer_than_a_transfer_brought() {
    let scene = Scene::set().await;
    let bill = scene.half_by_transfer().await;
    let first = scene.ask_back(&bill, "1", json!({ "amount": vnd(70_000) })).await;
    assert_eq!((told(&first), &first["apart"]), (("clearing", "70000"), &json!([])));
    let second = scene.ask_back(&bill, "2", json!({ "amount": vnd(50_000) })).await;
    assert_eq!(told(&second), ("clearing", "30000"));
    assert_eq!(told(&scene.refund(second["apart"][0].as_str().unwrap()).await), ("cash", "20000"));
    assert_eq!(told(&scene.ask_back(&bill, "3", json!({ "amount": vnd(5_000) })).await), ("cash", "5000"));
    // What is declined may be asked for again.
    scene.decide(first["id"].as_str().unwrap(), "decline").await;
    // Whoever wants cash gets it all at the desk.
    let cash = scene.ask_back(&bill, "4", json!({ "amount": vnd(60_000), "in_cash": true })).await;
    assert_eq!((told(&cash), &cash["apart"]), (("cash", "60000"), &json!([])));
    let rest = scene.ask_back(&bill, "5", json!({})).await;
    assert_eq!(told(&rest), ("clearing", "70000"));
    assert_eq!(told(&scene.refund(rest["apart"][0].as_str().unwrap()).await), ("cash", "20000"));
    let body = json!({ "bill": bill["id"], "reason": "agency_error", "words": "Nữa.", "officer": ACCOUNTANT.0,
        "amount": vnd(1_000) });
    let system = scene.office.system(&scene.world, "refund");
    system.post_once("/v1/refunds", "6", &body).await.expect_refusal(409, "refund_exceeds_receipt");
}

impl Scene {
    /// The cash of that bill reaches the account, and what the bill brought goes on to the Treasury and is seen to leave.
    async fn remit(&self) {
        self.send("/desk/deposits", &[("amount", "105000"), ("slip", "NT-1")]).await.expect(303);
        let day = Day::of(self.world.clock.now());
        stands(self, 2, ACCOUNT, 105_000, "NOP TIEN NT-1").await;
        self.world.later(Duration::from_secs(86_400));
        let case = case_of(self, 105_000).await;
        let accountant = AtCash::open(self, ACCOUNTANT).await;
        accountant.send(&[("act", "slip"), ("slip", "NT-1"), ("case", &case)]).await.expect(303);
        assert_eq!(match_and_pass_on(self, ACCOUNT, day).await, 205_000, "the whole bill");
        let now = self.world.clock.now();
        let orders = self.world.bank.orders.lock().unwrap().clone();
        let left = orders.iter().enumerate().map(|(n, order)| {
            let mut debit = entry(&format!("P{n}"), order.amount.minor(), Some(order.id.0), now);
            debit.direction = Direction::Debit;
            debit
        });
        let left: Vec<_> = left.collect();
        self.world.bank.movements.lock().unwrap().extend(left.clone());
        self.world.tell(&notification(70, ACCOUNT, left, now)).await.expect(200);
    }
}

#[tokio::test]
async fn what_was_remitted_of_a_desk_goes_back_by_the_treasurys_orders_however_it_was_paid() {
    let mut scene = Scene::set().await;
    rules(&scene, &scene.office, &[("phi", "37110001"), ("retained", "37140001")]).await;
    let bill = scene.half_by_transfer().await;
    scene.remit().await;
    scene.again().await;
    let slips = scene.office.system(&scene.world, "statement.read");
    let slips = slips.get("/v1/payouts?status=done").await.expect(200).json();

    // More than the transfer brought: a refund for each slip, and none by transfer or in cash.
    let asked = scene.ask_back(&bill, "r", json!({ "amount": vnd(150_000) })).await;
    let refunds =
        [&json!([asked["id"]]), &asked["apart"]].map(|ids| ids.as_array().unwrap().clone()).concat();
    let mut left = Vec::new();
    for id in refunds.iter().map(|id| id.as_str().unwrap()) {
        scene.decide(id, "approve").await;
        let told = scene.refund(id).await;
        let order = &told["treasury_order"];
        assert_eq!((&told["way"], &told["status"]), (&json!("treasury"), &json!("awaiting_treasury")));
        let slip =
            slips["items"].as_array().unwrap().iter().find(|slip| slip["id"] == order["payout"]).unwrap();
        assert_eq!(
            (&order["slip_number"], &order["remitted"], &order["total"]),
            (&slip["slip_number"], &json!(true), &told["amount"])
        );
        // The payer as the receipt has it, and no transfer: that which was a part of it was of another amount.
        let none = json!({ "name": "Nguyễn Thị Hòa", "bank": null, "end_to_end_id": null, "uetr": null });
        assert_eq!(order["payer"], none);
        let receiver = [("name", "Nguyễn Thị Hòa"), ("document", "079185000456"), ("slip", "PC-1")];
        scene.send(&format!("/desk/refunds/{id}"), &receiver).await.expect(409);
        left.push((id, told["amount"]["amount"].as_str().unwrap().parse::<i64>().unwrap()));
    }
    assert_eq!(left.iter().map(|(_, dong)| dong).sum::<i64>(), 150_000);
    assert!(
        scene.world.bank.returns.lock().unwrap().is_empty(),
        "what was remitted is not returned from here"
    );

    // Over by their lines in the statement of the account from which it was remitted.
    let now = scene.world.clock.now();
    for (nth, (id, dong)) in left.iter().enumerate() {
        let named = id.strip_prefix("refund_").unwrap().parse::<Uuid>().unwrap();
        let mut debit = entry(&format!("T{nth}"), *dong, Some(named), now);
        debit.direction = Direction::Debit;
        scene.world.bank.movements.lock().unwrap().push(debit);
    }
    scene.world.later(Duration::from_secs(86_400));
    assert_eq!(match_and_pass_on(&scene, ACCOUNT, Day::of(now)).await, 0);
    for (id, _) in left {
        assert_eq!(scene.refund(id).await["status"], "done");
    }
    assert_eq!((scene.balance("cash_drawer").await, scene.balance("refund_due").await), (500_000, 0));
    assert_eq!(verify_books(&scene.world.app.store, |_| {}).await.unwrap().finding, None);
}
