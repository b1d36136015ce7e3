//! Money that goes back, over the wire: returns and what is asked about them, requests for money back in both directions.

use crate::world::{ACCOUNT, BANK, NOW, World, message, payment};
use chung::base::calendar::Day;
use chung::base::clock::Clock;
use chung::base::money::Money;
use chung::base::text::Line;
use chung::codec::iso20022::{
    AboutWhat, Agent, CancellationRequest, Direction, EndToEndId, Entry, Message, OriginalTransfer,
    PaymentReturn, Resolution, ResolutionAnswer, StatusInquiry, TransactionStatus, Uetr,
};
use chung::partner::clearing::Clearing;
use chung::payment::payment::{Event, Report};
use chung::payment::refund::Answer as Told;
use serde_json::{Value, json};
use std::time::Duration;

impl World {
    /// The credit of an approved request, as the service was told of it.
    async fn paid(&self, n: u128) -> Entry {
        assert_eq!(self.ask(n).await, Event::Handed);
        assert_eq!(self.approve(n).await, 204);
        self.credit().await
    }

    /// The money that the service is told of next.
    async fn credit(&self) -> Entry {
        self.sandbox.deliver_due().await;
        let entries = self.told().into_iter().find_map(|message| match message {
            Message::CreditNotification(moved) => Some(moved.entries),
            _ => None,
        });
        entries.unwrap().remove(0)
    }

    async fn give_back(&self, back: &PaymentReturn) -> Told {
        let id = chung::codec::iso20022::MessageId(back.id.0);
        self.clearing.return_payment(id, back, self.clock.now()).await
    }

    async fn ask_about(&self, n: u128) -> Told {
        let inquiry = StatusInquiry {
            about: AboutWhat::Return,
            original: chung::codec::iso20022::MessageId(payment(n).0),
            end_to_end_id: payment(n),
            uetr: None,
        };
        self.clearing.inquire_return(message(n + 2_000), inquiry, self.clock.now()).await
    }

    async fn list(&self, path: &str) -> Value {
        serde_json::from_str(&self.page(path).await).unwrap()
    }

    async fn verdict(&self, behaviour: &str) -> String {
        let list = self.list("script/conformance").await;
        let line = list["behaviours"].as_array().unwrap().iter().find(|line| line["behaviour"] == behaviour);
        line.unwrap()["verdict"].as_str().unwrap().to_owned()
    }
}

fn named(came: &Entry) -> OriginalTransfer {
    OriginalTransfer {
        end_to_end: came.end_to_end.clone(),
        uetr: came.uetr,
        clearing_reference: came.clearing_reference.clone(),
    }
}

fn back(n: u128, came: &Entry, dong: i64) -> PaymentReturn {
    PaymentReturn {
        id: payment(n),
        original: named(came),
        original_amount: came.amount,
        amount: Money::vnd(dong),
        value: Day::of(NOW),
        account: ACCOUNT.parse().unwrap(),
        payer_agent: Agent::Member(BANK.parse().unwrap()),
        reason: Line::parse("CUST").unwrap(),
        text: Line::parse("TRA LAI 7K3QD0000000000000AB").unwrap(),
    }
}

fn refused(code: &str) -> Told {
    Told::Refused(code.parse().unwrap())
}

#[tokio::test]
async fn a_return_goes_back_once_and_never_more_than_came() {
    let world = World::new(None).await;
    let came = world.paid(1).await;
    let part = back(101, &came, 5_000);
    assert_eq!(world.give_back(&part).await, Told::Taken);
    assert_eq!(world.give_back(&part).await, Told::Taken, "the same message again");
    let debit = world.credit().await;
    assert_eq!(
        (debit.direction, debit.amount, debit.end_to_end_id()),
        (Direction::Debit, Money::vnd(5_000), Some(payment(101)))
    );
    assert_eq!(world.sandbox.deliver_due().await, 0, "it was debited once");
    assert_eq!(world.ask_about(101).await, Told::Taken);

    assert_eq!(world.give_back(&back(102, &came, 200_001)).await, refused("AM09"), "more than is left");
    assert_eq!(world.ask_about(102).await, refused("AM09"));
    let nobodys = Entry {
        end_to_end: None,
        uetr: Some(Uetr::new(payment(9).0)),
        clearing_reference: None,
        ..came.clone()
    };
    assert_eq!(
        world.give_back(&back(103, &nobodys, 5_000)).await,
        refused("AG01"),
        "nobody knows the transfer"
    );
    assert_eq!(world.ask_about(104).await, Told::NeverGot);
    // Another text under the same name: something was taken, so it is asked about, and never thought unsent.
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(world.give_back(&part).await, Told::None);
    assert_eq!(world.ask_about(101).await, Told::Taken);
    assert_eq!(world.give_back(&back(105, &came, 200_000)).await, Told::Taken, "all that is left");

    let list = world.list("script/returns").await;
    let states: Vec<(&str, &str, &Value)> = list["returns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["amount"].as_str().unwrap(), one["state"].as_str().unwrap(), &one["code"]))
        .collect();
    assert_eq!(
        states,
        [
            ("5000", "settled", &json!(null)),
            ("200001", "rejected", &json!("AM09")),
            ("5000", "rejected", &json!("AG01")),
            ("200000", "settled", &json!(null)),
        ]
    );
    world.script("script/days/close", json!({})).await;
    assert_eq!(world.statement("2026-11-24").await.unwrap().closing, Money::vnd(0));
}

#[tokio::test]
async fn a_return_whose_answer_is_lost_or_late_is_followed_to_its_end() {
    let world = World::new(None).await;
    let came = world.paid(1).await;
    let on = |fault: &str| json!({ "fault": fault, "on": "pacs.004", "code": "AC04" });

    // A timeout, and then success.
    world.fault(on("drop_answer")).await;
    assert_eq!(world.give_back(&back(101, &came, 1_000)).await, Told::None);
    assert_eq!(world.ask_about(101).await, Told::Taken);
    world.sandbox.deliver_due().await;
    assert_eq!(world.heard(), ["1000 ours"]);
    assert_eq!(world.verdict("lost_answer").await, "handled");
    // It never arrived, and goes under the same name.
    world.fault(on("drop_request")).await;
    assert_eq!(world.give_back(&back(102, &came, 2_000)).await, Told::None);
    assert_eq!(world.verdict("lost_request").await, "not_handled");
    assert_eq!(world.ask_about(102).await, Told::NeverGot);
    assert_eq!(world.verdict("lost_request").await, "handled");
    assert_eq!(world.give_back(&back(102, &came, 2_000)).await, Told::Taken);
    world.sandbox.deliver_due().await;
    assert_eq!(world.heard(), ["2000 ours"]);
    // A damaged answer is none.
    world.fault(on("corrupt")).await;
    assert_eq!(world.give_back(&back(103, &came, 3_000)).await, Told::None);
    assert_eq!(world.ask_about(103).await, Told::Taken);
    world.sandbox.deliver_due().await;
    assert_eq!(world.heard(), ["3000 ours"]);

    world.fault(on("reject")).await;
    assert_eq!(world.give_back(&back(104, &came, 4_000)).await, refused("AC04"));
    assert_eq!(world.sandbox.deliver_due().await, 0, "what is refused moves nothing");
    // Decided later: pending and carried out, accepted and rejected.
    world.fault(on("pend")).await;
    assert_eq!(world.give_back(&back(105, &came, 5_000)).await, Told::Taken);
    world.sandbox.deliver_due().await;
    let told = world.told();
    assert!(
        matches!(&told[0], Message::PaymentStatus(said) if said.about == AboutWhat::Return
            && said.end_to_end_id == payment(105) && said.status == TransactionStatus::Settled),
        "{told:?}"
    );
    assert_eq!(told.len(), 2, "the word, and the debit");
    world.fault(on("reject_late")).await;
    assert_eq!(world.give_back(&back(106, &came, 6_000)).await, Told::Taken);
    assert_eq!(world.ask_about(106).await, refused("AC04"));
    world.sandbox.deliver_due().await;
    assert_eq!(world.heard(), ["rejected AC04"]);
    for behaviour in ["pending_order", "late_rejection"] {
        assert_eq!(world.verdict(behaviour).await, "handled");
    }
    world.script("script/days/close", json!({})).await;
    assert_eq!(world.statement("2026-11-24").await.unwrap().closing, Money::vnd(205_000 - 11_000));
}

#[tokio::test]
async fn a_request_to_pay_whose_answer_is_lost_is_paid_all_the_same() {
    let world = World::new(None).await;
    world.fault(json!({ "fault": "drop_answer" })).await;
    assert_eq!(world.ask(1).await, Event::NoAnswer);
    assert_eq!(world.verdict("lost_answer").await, "not_handled");
    assert_eq!(world.inquire(1).await, Some(Report::Pending));
    assert_eq!(world.approve(1).await, 204);
    assert_eq!(world.inquire(1).await, Some(Report::Accepted));
    world.sandbox.deliver_due().await;
    assert_eq!(world.heard(), ["settled", "205000 ours"]);
    assert_eq!(world.verdict("lost_answer").await, "handled");
}

#[tokio::test]
async fn a_bank_asks_money_back_and_hears_an_answer() {
    let world = World::new(None).await;
    let came = world.paid(1).await;
    let ask = async |body: Value| {
        let sent =
            world.http.post(world.origin.join("script/recalls").unwrap()).json(&body).send().await.unwrap();
        (sent.status().as_u16(), sent.json::<Value>().await.unwrap_or_default()["id"].clone())
    };
    let reference = came.reference.as_str();
    assert_eq!(ask(json!({ "servicer_reference": "FT0" })).await.0, 404);
    assert_eq!(ask(json!({ "servicer_reference": reference, "reason": "TOO LONG" })).await.0, 422);
    let said = json!({ "servicer_reference": reference, "reason": "DUPL", "text": "Chuyển nhầm hai lần" });
    let (status, id) = ask(said).await;
    assert_eq!(status, 200);
    let id: EndToEndId = id.as_str().unwrap().parse().unwrap();
    world.sandbox.deliver_due().await;
    let told = world.told();
    let [Message::CancellationRequest(asked)] = &told[..] else { panic!("{told:?}") };
    assert_eq!(
        (asked.id, &asked.original, asked.amount, asked.settled, asked.reason.as_str()),
        (id, &named(&came), Money::vnd(205_000), Day::of(NOW), "DUPL")
    );
    assert_eq!(world.verdict("recall").await, "not_handled");

    let answer =
        |answer: ResolutionAnswer| Resolution { request: id, original: message(1), answer, text: None };
    let tell = async |n: u128, said: ResolutionAnswer| {
        world.clearing.answer_recall(message(n), &answer(said), world.clock.now()).await
    };
    world.fault(json!({ "fault": "drop_request", "on": "camt.029" })).await;
    let no = ResolutionAnswer::Rejected(Line::parse("CUST").unwrap());
    assert_eq!(tell(50, no.clone()).await, Told::None);
    assert_eq!(world.verdict("recall").await, "not_handled", "it did not arrive");
    assert_eq!(tell(50, no).await, Told::Taken);
    assert_eq!(world.verdict("recall").await, "handled");
    assert_eq!(tell(51, ResolutionAnswer::Accepted).await, Told::Taken);
    let list = world.list("script/recalls").await;
    let told = json!({ "request": id.to_string(), "answer": "accepted", "code": null });
    assert_eq!(list, json!({ "asked": [], "answers": [told] }));
}

#[tokio::test]
async fn we_ask_a_bank_for_money_back_and_hear_its_answer() {
    let world = World::new(None).await;
    let came = world.paid(1).await;
    world.give_back(&back(101, &came, 5_000)).await;
    world.give_back(&back(102, &came, 6_000)).await;
    world.sandbox.deliver_due().await;
    world.told();
    let asked = |n: u128, of: u128, dong: i64| CancellationRequest {
        id: payment(n),
        original: OriginalTransfer {
            end_to_end: Line::parse(&payment(of).to_string()).ok(),
            uetr: None,
            clearing_reference: None,
        },
        amount: Money::vnd(dong),
        settled: Day::of(NOW),
        reason: Line::parse("CUST").unwrap(),
        text: None,
    };
    let ask = async |n: u128, of: u128, dong: i64| {
        world.clearing.ask_back(message(n), &asked(n, of, dong), world.clock.now()).await
    };
    world.fault(json!({ "fault": "drop_answer", "on": "camt.056" })).await;
    assert_eq!(ask(201, 101, 5_000).await, Told::None);
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(ask(201, 101, 5_000).await, Told::Taken);
    assert_eq!(ask(202, 102, 6_000).await, Told::Taken);
    let list = world.list("script/recalls").await;
    assert_eq!(list["asked"].as_array().unwrap().len(), 2, "the same request twice is one: {list}");

    let decide = async |n: u128, answer: &str| {
        world.script(&format!("script/recalls/{}/{answer}", payment(n)), json!({})).await
    };
    assert_eq!(decide(999, "accept").await, 404);
    assert_eq!(decide(201, "NOAS").await, 204);
    assert_eq!(decide(202, "accept").await, 204);
    world.sandbox.deliver_due().await;
    let told = world.told();
    let [Message::Resolution(no), Message::Resolution(yes), Message::CreditNotification(credit)] = &told[..]
    else {
        panic!("{told:?}")
    };
    let refusal = ResolutionAnswer::Rejected(Line::parse("NOAS").unwrap());
    assert_eq!((no.request, no.original, &no.answer), (payment(201), message(201), &refusal));
    assert_eq!(
        (yes.request, yes.original, &yes.answer),
        (payment(202), message(202), &ResolutionAnswer::Accepted)
    );
    let entry = &credit.entries[0];
    assert_eq!((entry.direction, entry.amount), (Direction::Credit, Money::vnd(6_000)));
}
