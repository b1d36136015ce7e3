//! The service held to the checklist that the sandbox offers to every integrator: each trouble is scripted, the service
//! goes through it, and at the end the outside world has seen nothing unhandled.

use crate::board::{grant, signed_in};
use crate::office::BANK;
use crate::outside::Outside;
use crate::refunds::{APPROVER, ASKER, PEOPLE, vnd};
use chung::flow::{
    fetch_statement::fetch_due_statement, inquire_payment::inquire_due, recall::send_recalls,
    send_refund::look_after_refunds,
};
use chung::identity::role::Role;
use serde_json::{Value, json};
use std::time::Duration;

impl Outside {
    /// A bill that is paid while this goes wrong, and every message that is due has come.
    async fn paid_with(&self, fault: &str) -> String {
        self.paid_as(fault, fault).await
    }

    /// The same under a key of its own.
    async fn paid_as(&self, key: &str, fault: &str) -> String {
        let payment = self.begin(key).await;
        self.fault(json!({ "fault": fault, "on": "camt.054" })).await;
        self.approve(&payment).await;
        self.deliver().await;
        payment
    }

    async fn later(&self, seconds: u64) {
        self.world.later(Duration::from_secs(seconds));
        inquire_due(&self.world.app).await.unwrap();
        self.deliver().await;
    }

    /// How many messages to the service ended so.
    async fn ended(&self, outcome: &str) -> usize {
        let list = self.list("script/messages").await;
        list["messages"].as_array().unwrap().iter().filter(|m| m["outcome"] == outcome).count()
    }

    /// A refund of so much of a payment's bill, sent on the word of two people.
    async fn refund(&self, payment: &str, dong: i64) -> String {
        let bill = self.read(payment).await["bill"].clone();
        let body = json!({
            "bill": bill, "reason": "agency_error", "words": "Tính thừa.", "officer": ASKER.0, "amount": vnd(dong),
        });
        let system = self.office.system(&self.world, "refund");
        let asked = system.post_once("/v1/refunds", &dong.to_string(), &body).await.expect(201).json();
        let id = asked["id"].as_str().unwrap().to_owned();
        let approver = signed_in(&self.world, APPROVER, "/board").await;
        let page = format!("/board/refunds/{id}");
        let token = approver.get(&page).await.expect(200).form_field("form_token");
        approver.post_form(&page, &[("form_token", &token), ("act", "approve")]).await.expect(303);
        id
    }

    async fn refund_status(&self, id: &str) -> Value {
        let system = self.office.system(&self.world, "refund.read");
        system.get(&format!("/v1/refunds/{id}")).await.expect(200).json()["status"].clone()
    }
}

/// Requests to pay: lost, unanswered, refused, and with more to prove.
async fn requests(outside: &Outside) {
    outside.fault(json!({ "fault": "drop_request" })).await;
    let lost = outside.begin("drop_request").await;
    assert_eq!(outside.status(&lost).await, "unknown");
    outside.later(91).await;
    assert_eq!(outside.read(&lost).await["reason"], "never_received");

    outside.fault(json!({ "fault": "drop_answer" })).await;
    let unanswered = outside.begin("drop_answer").await;
    assert_eq!(outside.status(&unanswered).await, "unknown");
    outside.later(91).await;
    assert_eq!(outside.status(&unanswered).await, "submitted");
    outside.approve(&unanswered).await;
    outside.deliver().await;
    assert_eq!(outside.status(&unanswered).await, "settled", "a timeout, and then success");

    outside.fault(json!({ "fault": "reject", "code": "AC06" })).await;
    let refused = outside.begin("reject").await;
    outside.later(3_600).await;
    assert_eq!(outside.read(&refused).await["reason"], "AC06");

    outside.fault(json!({ "fault": "step_up" })).await;
    let proving = outside.begin("step_up").await;
    assert_eq!(outside.status(&proving).await, "step_up_required");
    outside.approve(&proving).await;
    outside.deliver().await;
    assert_eq!(outside.status(&proving).await, "settled");

    let limits = format!("script/banks/{BANK}/limits");
    outside.script(&limits, &json!({ "liquidity": 0 })).await;
    let waiting = outside.begin("liquidity").await;
    outside.approve(&waiting).await;
    outside.deliver().await;
    assert_eq!(outside.status(&waiting).await, "submitted");
    outside.script(&limits, &json!({})).await;
    outside.deliver().await;
    assert_eq!(outside.status(&waiting).await, "settled");
}

/// Messages that tell of money, and money that is not what was asked for. Gives back the payment of which nobody told.
async fn credits(outside: &Outside) -> String {
    for (fault, before, seconds) in [
        ("delay", "accepted", 6),
        ("double", "settled", 0),
        ("alter", "settled", 0),
        ("reorder", "settled", 0),
        ("corrupt", "accepted", 3),
    ] {
        let payment = outside.paid_with(fault).await;
        assert_eq!(outside.status(&payment).await, before, "{fault}");
        outside.later(seconds).await;
        assert_eq!(outside.status(&payment).await, "settled", "{fault}");
    }
    assert_eq!(outside.ended("message_id_reused").await, 1, "another text under a known name is refused");
    let lost = outside.paid_with("lose").await;
    outside.later(91).await;
    assert_eq!(outside.status(&lost).await, "accepted", "an acceptance is no money");

    let other = outside.paid_with("wrong_amount").await;
    assert_eq!(outside.read(&other).await["reason"], "wrong_amount");
    outside.paid_with("partial").await;
    outside.paid_with("unknown_reference").await;
    let held = outside.world.held().await;
    let held: Vec<(&str, i64)> = held.iter().map(|(reason, dong)| (reason.as_str(), *dong)).collect();
    assert_eq!(
        held,
        [
            ("wrong_amount", 204_000),
            ("wrong_amount", 102_500),
            ("late_success", 102_500),
            ("unmatched", 205_000)
        ]
    );
    lost
}

/// Money that goes back: decided later, one way and the other.
async fn returns(outside: &Outside) {
    let paid = outside.paid_as("goes-back", "double").await;
    outside.fault(json!({ "fault": "pend", "on": "pacs.004" })).await;
    let pending = outside.refund(&paid, 5_000).await;
    assert_eq!(outside.refund_status(&pending).await, "sent");
    outside.deliver().await;
    assert_eq!(outside.refund_status(&pending).await, "done");
    outside.fault(json!({ "fault": "reject_late", "on": "pacs.004", "code": "AC04" })).await;
    let late = outside.refund(&paid, 6_000).await;
    assert_eq!(outside.refund_status(&late).await, "sent");
    outside.deliver().await;
    assert_eq!(outside.refund_status(&late).await, "bounced");
    outside.fault(json!({ "fault": "drop_answer", "on": "pacs.004" })).await;
    let unanswered = outside.refund(&paid, 7_000).await;
    assert_eq!(outside.refund_status(&unanswered).await, "unknown");
    outside.world.later(Duration::from_secs(2 * 3_600));
    look_after_refunds(&outside.world.app).await.unwrap();
    assert_eq!(outside.refund_status(&unanswered).await, "sent");
    outside.deliver().await;
    assert_eq!(outside.refund_status(&unanswered).await, "done");
}

/// A bank asks for the money of the first payment, and an officer says no.
async fn recall(outside: &Outside) {
    let asked = json!({ "servicer_reference": "FT20261124000000001", "text": "Khách chuyển nhầm" });
    let (status, asked) = outside.script("script/recalls", &asked).await;
    assert_eq!(status, 200);
    outside.deliver().await;
    let officer = signed_in(&outside.world, ASKER, "/board").await;
    let page = officer.get("/board/refunds").await.expect(200);
    let form = [("form_token", &*page.form_field("form_token")), ("answer", "CUST")];
    let path = format!("/board/recalls/recall_{}", asked["id"].as_str().unwrap());
    officer.post_form(&path, &form).await.expect(303);
    send_recalls(&outside.world.app).await.unwrap();
    let answers = outside.list("script/recalls").await["answers"].clone();
    assert_eq!(answers, json!([{ "request": asked["id"], "answer": "refused", "code": "CUST" }]));
}

/// The day's statement, which comes for another account and another day first.
async fn statement(outside: &Outside) {
    outside.fault(json!({ "fault": "another_account" })).await;
    outside.fault(json!({ "fault": "another_day" })).await;
    outside.script("script/days/close", &json!({})).await;
    outside.world.later(Duration::from_secs(20 * 3_600));
    let refusal = "statement_fetch where day = '2026-11-24' and refusal";
    for code in ["statement_of_another_account", "statement_of_another_day"] {
        while fetch_due_statement(&outside.world.app).await.unwrap() {}
        assert_eq!(outside.world.count(&format!("{refusal} = '{code}'")).await, 1, "{code}");
        assert_eq!(outside.world.count("statement where day = '2026-11-24'").await, 0);
        outside.world.later(Duration::from_secs(2 * 3_600));
    }
    while fetch_due_statement(&outside.world.app).await.unwrap() {}
    assert_eq!(outside.world.count("statement where day = '2026-11-24'").await, 1);
}

#[tokio::test]
async fn the_service_handles_every_trouble_of_the_checklist() {
    let outside = Outside::start().await;
    outside.world.register(&PEOPLE).await;
    grant(&outside.world, ASKER.0, Role::Accountant).await;
    grant(&outside.world, APPROVER.0, Role::Approver).await;
    requests(&outside).await;
    let lost = credits(&outside).await;
    returns(&outside).await;
    recall(&outside).await;
    statement(&outside).await;
    // Nothing is settled in silence: the money of which nobody told is a case with an owner.
    let system = outside.office.system(&outside.world, "case.read statement.read");
    let cases = system.get("/v1/cases?pending=true").await.expect(200).json();
    let missing: Vec<&Value> =
        cases["items"].as_array().unwrap().iter().filter(|case| case["kind"] == "missing_here").collect();
    assert_eq!(missing.len(), 1, "{cases}");
    assert_eq!((&missing[0]["payment"], &missing[0]["stated"]), (&json!(lost), &vnd(205_000)));
    let statement = system.get("/v1/statements").await.expect(200).json()["items"][0].clone();
    assert_eq!(statement["reconciliation"]["unexplained"], vnd(0), "{statement}");

    let list = outside.list("script/conformance").await;
    for line in list["behaviours"].as_array().unwrap() {
        assert_eq!(line["verdict"], "handled", "{line}");
    }
    assert_eq!(list["passes"], true);
    // Nine bills, what waits, and what went back: the books say what the bank has told of.
    let books = outside.world.balances().await;
    let money: i64 = books.iter().filter(|(kind, _)| kind == "clearing").map(|(_, dong)| dong).sum();
    assert_eq!(money, 9 * 205_000 + 204_000 + 2 * 205_000 - 12_000, "{books:?}");
}
