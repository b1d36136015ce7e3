//! Lines of a statement that name payments whose notification never came: two people book them, and what follows is what a
//! notification would have brought about, once.

use crate::board::{ACCOUNTANT, AUDITOR, at_board, grant, people};
use crate::office::{Office, uuid};
use crate::payments::start;
use crate::workbench::{cases, decide, fetch, put_together, told, tolerate};
use crate::world::{Actor, TestApp};
use chung::base::money::Money;
use chung::codec::iso20022::Agent;
use chung::flow::verify_books::verify_books;
use chung::identity::role::Role;
use serde_json::{Value, json};
use std::time::Duration;

/// An office with an accountant and an approver, and bills under way of which no notification came.
struct Set {
    world: TestApp,
    office: Office,
    accountant: Actor,
    approver: Actor,
    bills: Vec<Value>,
    payments: Vec<String>,
}

impl Set {
    async fn of(bills: usize) -> Self {
        let world = TestApp::start().await;
        people(&world).await;
        let office = Office::open(&world, "H29.14").await;
        grant(&world, ACCOUNTANT.0, Role::Accountant).await;
        grant(&world, AUDITOR.0, Role::Approver).await;
        let accountant = at_board(&world, ACCOUNTANT).await;
        let approver = at_board(&world, AUDITOR).await;
        let (mut made, mut payments) = (Vec::new(), Vec::new());
        for n in 0..bills {
            let bill = office.bill(&world, &format!("k{n}")).await;
            payments.push(start(&world, &office, &bill).await);
            made.push(bill);
        }
        Self { world, office, accountant, approver, bills: made, payments }
    }

    async fn pending(&self) -> Vec<Value> {
        cases(&self.world, &self.office, "?pending=true").await
    }

    /// Proposes to book the line of a case, and says what came of it.
    async fn propose(&self, case: &Value) -> crate::world::Answer {
        put_together(&self.accountant, &self.office, std::slice::from_ref(case), "credited").await
    }

    async fn book(&self, case: &Value) {
        self.propose(case).await.expect(303);
        decide(&self.approver, "approve").await.expect(303);
    }

    async fn read(&self, path: &str) -> Value {
        let scopes = "bill.read case.read payment.read receipt.read statement.read event.read";
        self.office.system(&self.world, scopes).get(path).await.expect(200).json()
    }

    async fn bill(&self, nth: usize) -> Value {
        self.read(&format!("/v1/bills/{}", self.bills[nth]["id"].as_str().unwrap())).await
    }

    async fn balance(&self, kind: &str) -> i64 {
        self.world.balances().await.into_iter().filter(|(of, _)| of == kind).map(|(_, sum)| sum).sum()
    }

    async fn sound(&self) {
        assert_eq!(verify_books(&self.world.app.store, |_| ()).await.unwrap().finding, None);
    }
}

#[tokio::test]
async fn a_line_whose_notification_never_came_is_booked_by_two_people_and_pays_its_bill_once() {
    let set = Set::of(1).await;
    let (world, office) = (&set.world, &set.office);
    told(world, &[("R1", 205_000, Some(&set.payments[0]))]);
    let before = fetch(world, office, "a").await;
    assert_eq!(
        (&before["reconciliation"]["matched"], &before["reconciliation"]["differing"]),
        (&json!(0), &json!(1))
    );
    let case = set.pending().await.remove(0);
    assert_eq!((&case["kind"], &case["payment"]), (&json!("missing_here"), &json!(set.payments[0])));
    // Nobody ends it alone, whatever one person may leave open; a system does not book money.
    let path = format!("/v1/cases/{}", case["id"].as_str().unwrap());
    let ended = json!({ "resolution": "attributed", "words": "Ghi theo sao kê." });
    let resolve = format!("{path}/resolve");
    let system = office.system(world, "case");
    system.post_once(&resolve, "r", &ended).await.expect_refusal(409, "case_needs_second");
    tolerate(world, office, "205000").await;

    for page in ["/board/matches".to_owned(), format!("/board/cases/{}", case["id"].as_str().unwrap())] {
        let shown = set.accountant.get(&page).await.expect(200).text();
        assert!(shown.contains("Ghi có theo sao kê"), "{page}: {shown}");
    }
    set.propose(&case).await.expect(303);
    assert_eq!(
        (set.pending().await.len(), &set.bill(0).await["status"]),
        (1, &json!("open")),
        "a proposal books nothing"
    );
    decide(&set.accountant, "approve").await.expect(403);
    assert_eq!(world.count("credit").await, 0);
    let events = world.count("outbox where name = 'bill.paid'").await;
    decide(&set.approver, "approve").await.expect(303);

    // As if its notification had come: bill, payment, receipt, books, event, log; and the day needs nobody any more.
    assert_eq!(set.bill(0).await["status"], "paid");
    let payment = set.read(&format!("/v1/payments/{}", set.payments[0])).await;
    assert_eq!(payment["status"], "settled", "{payment}");
    let receipts = set.read(&format!("/v1/receipts?bill={}", set.bills[0]["id"].as_str().unwrap())).await;
    assert_eq!(receipts["items"][0]["total"]["amount"], "205000", "{receipts}");
    assert_eq!((set.balance("clearing").await, set.balance("suspense").await), (205_000, 0));
    assert_eq!(world.count("outbox where name = 'bill.paid'").await, events + 1);
    for (kind, count) in [("payment.settled", 1), ("case.match_proposed", 1), ("case.matched", 1)] {
        assert_eq!(world.count(&format!("audit_leaf where kind = '{kind}'")).await, count, "{kind}");
    }
    let case = set.read(&path).await;
    assert_eq!((&case["state"], &case["resolution"]), (&json!("cleared"), &Value::Null));
    let note = &case["notes"][0];
    assert_eq!((&note["act"], &note["words"]), (&json!("matched"), &json!("Ngân hàng ghi gộp.")));
    let statement = set.read(&format!("/v1/statements/{}", before["id"].as_str().unwrap())).await;
    let found = &statement["reconciliation"];
    assert_eq!((&found["matched"], &found["differing"]), (&json!(1), &json!(0)), "{statement}");
    assert_eq!(
        (&found["posted"]["amount"], &found["unexplained"]["amount"]),
        (&json!("205000"), &json!("0"))
    );
    let lines = set.read(&format!("/v1/statements/{}/lines", before["id"].as_str().unwrap())).await;
    assert!(lines["items"][0].to_string().contains(set.bills[0]["id"].as_str().unwrap()), "{lines}");

    // The notification comes after all, and the day is matched again: nothing is booked twice.
    let (postings, leaves) = (world.count("posting").await, world.count("audit_leaf").await);
    world.tell(&world.credit(9, "R1", 205_000, &set.payments[0])).await.expect(200);
    assert_eq!(fetch(world, office, "b").await["reconciliation"], statement["reconciliation"]);
    assert_eq!((world.count("posting").await, world.count("audit_leaf").await), (postings, leaves));
    assert_eq!(
        (world.count("credit").await, world.count("receipt").await, world.count("suspense").await),
        (1, 1, 0)
    );
    assert!(set.pending().await.is_empty());
    assert_eq!(world.count("match_group where state = 'matched'").await, 1, "what two people said stands");
    set.sound().await;
    world
        .sql("update match_group set decided_by = null, decided_at = null where reason = 'credited'")
        .await
        .expect_err("one person alone");
}

#[tokio::test]
async fn another_sum_and_money_for_a_paid_bill_wait_in_suspense_like_any_other_credit() {
    let set = Set::of(2).await;
    let (world, office) = (&set.world, &set.office);
    world.tell(&world.credit(1, "R0", 205_000, &set.payments[1])).await.expect(200);
    let again = Some(&set.payments[1]);
    told(world, &[("R0", 205_000, again), ("R1", 200_000, Some(&set.payments[0])), ("R2", 205_000, again)]);
    fetch(world, office, "a").await;
    let open = set.pending().await;
    let of = |kind: &str| open.iter().find(|case| case["kind"] == kind).unwrap().clone();
    let (less, twice) = (of("amount"), of("duplicate"));
    set.book(&less).await;
    set.book(&twice).await;
    assert_eq!(
        (&set.bill(0).await["status"], &set.bill(1).await["status"]),
        (&json!("open"), &json!("paid"))
    );
    assert_eq!(
        world.held().await,
        [("wrong_amount".to_owned(), 200_000), ("second_money".to_owned(), 205_000)]
    );
    assert_eq!((set.balance("clearing").await, set.balance("suspense").await), (610_000, -405_000));
    let shown = set.pending().await;
    let lines = |cases: &[Value]| {
        let mut lines: Vec<_> =
            cases.iter().map(|case| (case["line"].to_string(), case["stated"].to_string())).collect();
        lines.sort();
        lines
    };
    assert_eq!(lines(&shown), lines(&[less.clone(), twice.clone()]), "the money's cases know their lines");
    for case in &shown {
        assert_eq!(case["suspense"]["held"], true, "{case}");
    }
    let found = fetch(world, office, "b").await["reconciliation"].clone();
    assert_eq!((&found["matched"], &found["unexplained"]["amount"]), (&json!(1), &json!("0")));
    assert_eq!(set.pending().await, shown, "matching again finds the same");
    world.tell(&world.credit(2, "R1", 200_000, &set.payments[0])).await.expect(200);
    assert_eq!(world.count("suspense").await, 2);
    // Second money goes back by rule, as always.
    assert_eq!(chung::flow::return_second_money::return_second_money(&world.app).await.unwrap(), 1);
    // Its bank is told of the transfer that it knows: that of the payment which the line names.
    let sent = world.bank.returns.lock().unwrap()[0].clone();
    let payment = uuid(&set.payments[1]);
    assert_eq!(sent.original.end_to_end.unwrap().as_str(), payment.simple().to_string());
    assert!(sent.original.uetr.is_some());
    let tried = set.read(&format!("/v1/payments?bill={}", set.bills[1]["id"].as_str().unwrap())).await;
    let bank = tried["items"][0]["bank"].as_str().unwrap();
    let agent = bank.parse().map(Agent::Bic).or_else(|_| bank.parse().map(Agent::Member)).unwrap();
    assert_eq!((sent.payer_agent, sent.amount), (agent, Money::vnd(205_000)));
    set.sound().await;
}

#[tokio::test]
async fn only_one_line_that_names_a_payment_is_booked_and_never_once_the_money_is_known() {
    let set = Set::of(2).await;
    let (world, office) = (&set.world, &set.office);
    let both = [Some(&set.payments[0]), Some(&set.payments[1])];
    told(world, &[("R1", 205_000, both[0]), ("R2", 205_000, both[1]), ("R9", 70_000, None)]);
    fetch(world, office, "a").await;
    let open = set.pending().await;
    let of = |dong: &str, nth: usize| {
        open.iter().filter(|case| case["stated"]["amount"] == dong).nth(nth).unwrap().clone()
    };
    let (one, other, nobody) = (of("205000", 0), of("205000", 1), of("70000", 0));
    let page = set.propose(&nobody).await.expect(422);
    assert!(page.text().contains("không thể ghi có theo sao kê"), "{}", page.text());
    put_together(&set.accountant, office, &[one.clone(), other.clone()], "credited").await.expect(422);
    put_together(&set.approver, office, std::slice::from_ref(&one), "credited").await.expect(403);
    assert_eq!(world.count("match_group").await, 0);

    // Its notification comes while the second person thinks about it: then it is booked by that alone.
    set.propose(&one).await.expect(303);
    let named = |case: &Value| case["payment"].as_str().unwrap().to_owned();
    let reference = |case: &Value| if named(case) == set.payments[0] { "R1" } else { "R2" };
    world.tell(&world.credit(1, reference(&one), 205_000, &named(&one))).await.expect(200);
    let refused = decide(&set.approver, "approve").await.expect(409);
    assert!(refused.text().contains("đã có trong sổ"), "{}", refused.text());
    set.propose(&other).await.expect(303);
    decide(&set.accountant, "withdraw").await.expect(303);
    decide(&set.accountant, "withdraw").await.expect(303);
    assert_eq!(world.count("match_group where state = 'withdrawn'").await, 2);
    set.propose(&one).await.expect(409);
    assert_eq!((world.count("credit").await, world.count("posting where amount = 205000").await), (1, 1));
    fetch(world, office, "b").await;
    assert_eq!(set.pending().await.len(), 2, "its case ended by itself");

    // The bank takes the line back before anybody approved: there is nothing to approve.
    set.propose(&other).await.expect(303);
    world.later(Duration::from_secs(1));
    let stays = set.payments.iter().find(|payment| **payment == named(&one));
    told(world, &[(reference(&one), 205_000, stays)]);
    fetch(world, office, "c").await;
    assert_eq!(world.count("match_group where state = 'proposed'").await, 0);
    assert_eq!(world.count("credit").await, 1);
    set.sound().await;
}

#[tokio::test]
async fn a_booked_line_that_its_bank_takes_back_goes_the_way_of_any_credit() {
    let set = Set::of(1).await;
    let (world, office) = (&set.world, &set.office);
    let told_line = [("R1", 205_000, Some(&set.payments[0]))];
    told(world, &told_line);
    let first = fetch(world, office, "a").await;
    set.book(&set.pending().await[0]).await;

    world.later(Duration::from_secs(1));
    told(world, &[]);
    let second = fetch(world, office, "b").await;
    assert_eq!((&second["id"], &second["version"]), (&first["id"], &json!(2)));
    assert_eq!(second["reconciliation"]["unexplained"]["amount"], "0");
    let open = set.pending().await;
    assert_eq!((open.len(), &open[0]["kind"]), (1, &json!("missing_there")), "{open:?}");
    assert_eq!((set.balance("clearing").await, set.balance("bank_claim").await), (0, 205_000));
    assert_eq!((&set.bill(0).await["status"], world.count("receipt").await), (&json!("paid"), 1));

    world.later(Duration::from_secs(1));
    told(world, &told_line);
    let third = fetch(world, office, "c").await;
    assert_eq!((&third["version"], &third["reconciliation"]["matched"]), (&json!(3), &json!(1)));
    assert_eq!((set.balance("clearing").await, set.balance("bank_claim").await), (205_000, 0));
    assert!(set.pending().await.is_empty());
    assert_eq!((world.count("credit").await, world.count("receipt").await), (1, 1));
    set.sound().await;
}
