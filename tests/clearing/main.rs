//! The clearing adapter and the sandbox's central bank, over real sockets: what one writes the other reads, and what
//! goes wrong on purpose is seen as what it is.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

mod returns;
mod statements;
mod world;

use chung::base::calendar::Day;
use chung::base::clock::{Clock, Instant};
use chung::base::entropy::SeededEntropy;
use chung::base::money::Money;
use chung::base::text::Line;
use chung::codec::iso20022::{Agent, CreditTransfer, Uetr};
use chung::crypto::keyring::KeyRing;
use chung::crypto::signing::{KeyList, Signer, SigningKey};
use chung::partner::clearing::{Clearing, NoStatement, RemoteClearing};
use chung::payment::payment::{Event, Report};
use chung::payment::refund::Answer as Told;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use url::Url;
use world::{ACCOUNT, BANK, NOW, SMS_TOKEN, World, listen, message, payment, peer, request};

#[tokio::test]
async fn a_payment_from_the_request_to_the_statement() {
    let world = World::new(None).await;
    assert_eq!(world.ask(1).await, Event::Handed);
    assert_eq!(world.ask(1).await, Event::Handed, "the same message again");
    assert_eq!(world.inquire(1).await, Some(Report::Pending));
    assert_eq!(world.inquire(2).await, Some(Report::NotFound));

    let list = world.page(&format!("banks/{BANK}/requests")).await;
    assert!(list.contains("7K3QD0000000000000AB") && list.contains("205.000\u{a0}đ"), "{list}");
    let address = format!("banks/{BANK}/requests/{}", payment(1));
    assert!(world.page(&address).await.contains("Duyệt và thanh toán"));
    let form = world.http.post(world.origin.join(&address).unwrap()).form(&[("decision", "approve")]);
    let paid = form.send().await.unwrap().text().await.unwrap();
    assert!(
        paid.contains("Đã thanh toán") && paid.contains("href=\"http://localhost:8080/pay/7K3QD"),
        "{paid}"
    );

    assert_eq!(world.sandbox.deliver_due().await, 2);
    assert_eq!(world.heard(), ["settled", "205000 ours"]);
    assert_eq!(world.inquire(1).await, Some(Report::Accepted));
    assert_eq!(world.approve(1).await, 409, "a decision is made once");

    let refused = world.statement("2026-11-24").await;
    assert_eq!(refused, Err(NoStatement::Refused(Line::parse("day_not_over").unwrap())));
    assert_eq!(world.script("script/days/close", json!({})).await, 200);
    let transfer = json!({"account": ACCOUNT, "amount": "5000", "remittance": "MBVCB nop phi"});
    assert_eq!(world.script("script/transfers", transfer).await, 204);
    let statement = world.statement("2026-11-24").await.unwrap();
    assert_eq!((statement.entries.len(), statement.closing), (1, Money::vnd(205_000)));
    assert_eq!(statement.entries[0].end_to_end_id(), Some(payment(1)));
    world.clock.advance(Duration::from_secs(48 * 3600));
    assert_eq!(Day::of(world.clock.now()).to_string(), "2026-11-26");
}

#[tokio::test]
async fn a_refusal_and_a_lapse_reach_the_service() {
    let world = World::new(None).await;
    world.ask(1).await;
    world.ask(2).await;
    let refuse = format!("script/banks/{BANK}/requests/{}/refuse", payment(1));
    assert_eq!(world.script(&refuse, json!({"code": "AM04"})).await, 204);
    world.sandbox.deliver_due().await;
    assert_eq!(world.heard(), ["rejected AM04"]);
    assert_eq!(world.inquire(1).await, Some(Report::Rejected("AM04".parse().unwrap())));
    world.clock.advance(Duration::from_secs(901));
    assert_eq!(world.inquire(2).await, Some(Report::Rejected("AB06".parse().unwrap())), "it has lapsed");
    assert_eq!(world.approve(2).await, 409);
    world.sandbox.deliver_due().await;
    assert_eq!(world.heard(), ["rejected AB06"]);
}

#[tokio::test]
async fn faults_are_seen_as_what_they_are() {
    let world = World::new(None).await;
    world.fault(json!({"fault": "drop_request"})).await;
    assert_eq!(world.ask(1).await, Event::NoAnswer);
    assert_eq!(world.inquire(1).await, Some(Report::NotFound));
    world.fault(json!({"fault": "drop_answer"})).await;
    assert_eq!(world.ask(2).await, Event::NoAnswer);
    assert_eq!(world.inquire(2).await, Some(Report::Pending));
    world.fault(json!({"fault": "corrupt", "on": "pain.013"})).await;
    assert_eq!(world.ask(3).await, Event::NoAnswer);
    world.fault(json!({"fault": "reject", "code": "AC06"})).await;
    assert_eq!(world.ask(4).await, Event::Reported(Report::Rejected("AC06".parse().unwrap())));

    let heard = async |n: u128, fault: Value| {
        world.ask(n).await;
        world.fault(fault).await;
        assert_eq!(world.approve(n).await, 204);
        world.sandbox.deliver_due().await;
        world.heard()
    };
    assert_eq!(heard(5, json!({"fault": "lose"})).await, ["settled"]);
    assert_eq!(heard(6, json!({"fault": "double"})).await, ["settled", "205000 ours", "205000 ours"]);
    assert_eq!(heard(7, json!({"fault": "reorder"})).await, ["205000 ours", "settled"]);
    assert_eq!(heard(8, json!({"fault": "wrong_amount", "amount": -1})).await, ["settled", "204999 ours"]);
    assert_eq!(heard(9, json!({"fault": "unknown_reference"})).await, ["settled", "205000 unknown"]);
    assert_eq!(
        heard(20, json!({"fault": "partial"})).await,
        ["settled", "102500 ours", "102500 ours"],
        "what is settled in parts"
    );
    assert_eq!(heard(10, json!({"fault": "alter"})).await, ["settled", "205000 ours", "204000 ours"]);
    assert_eq!(
        heard(11, json!({"fault": "corrupt"})).await,
        ["settled"],
        "a damaged message is not believed"
    );
    world.clock.advance(Duration::from_secs(2));
    world.sandbox.deliver_due().await;
    assert_eq!(world.heard(), ["205000 ours"], "and comes again");
    assert_eq!(heard(12, json!({"fault": "delay", "delay_ms": 3000})).await, ["settled"]);
    world.clock.advance(Duration::from_secs(4));
    world.sandbox.deliver_due().await;
    assert_eq!(world.heard(), ["205000 ours"]);

    let list: Value = serde_json::from_str(&world.page("script/conformance").await).unwrap();
    let verdict = |name: &str| {
        let line = list["behaviours"].as_array().unwrap().iter().find(|line| line["behaviour"] == name);
        line.unwrap()["verdict"].as_str().unwrap().to_owned()
    };
    for name in ["lost_request", "doubled_message", "reordered_messages", "late_message"] {
        assert_eq!(verdict(name), "handled", "{list}");
    }
    assert_eq!(verdict("altered_message"), "not_handled", "this inbox takes everything: {list}");
    assert_eq!(list["passes"], false);
}

fn order(n: u128, dong: i64) -> CreditTransfer {
    CreditTransfer {
        id: payment(n),
        uetr: Uetr::new(payment(n).0),
        amount: Money::vnd(dong),
        value: Day::of(NOW),
        debtor: Line::parse("So Tu phap").unwrap(),
        debtor_account: ACCOUNT.parse().unwrap(),
        debtor_agent: Agent::Member("970405".parse().unwrap()),
        creditor_agent: Agent::Bic("SBVNVNVX".parse().unwrap()),
        creditor: Line::parse("Kho bac Nha nuoc").unwrap(),
        creditor_account: "7111".parse().unwrap(),
        remittance: Line::parse("NSNN 00612611000000001 LE PHI").unwrap(),
    }
}

#[tokio::test]
async fn money_goes_on_once_and_never_more_than_there_is() {
    let world = World::new(None).await;
    let pass_on = async |n: u128, dong: i64, made: Instant| {
        world.clearing.pass_on(message(n), &order(n, dong), made, world.clock.now()).await
    };
    assert_eq!(pass_on(1, 1, NOW).await, Told::Refused("AM04".parse().unwrap()));
    world.ask(2).await;
    world.approve(2).await;
    world.sandbox.deliver_due().await;
    world.heard();
    assert_eq!(pass_on(3, 205_001, NOW).await, Told::Refused("AM04".parse().unwrap()));
    world.fault(json!({"fault": "drop_answer", "on": "pacs.008"})).await;
    assert_eq!(pass_on(4, 200_000, NOW).await, Told::None);
    world.clock.advance(Duration::from_secs(120));
    assert_eq!(pass_on(4, 200_000, NOW).await, Told::Taken, "told again, to the letter");
    assert_eq!(
        pass_on(4, 200_000, NOW + Duration::from_secs(1)).await,
        Told::None,
        "under one name another text: the first may have gone"
    );
    world.fault(json!({"fault": "reject", "on": "pacs.008", "code": "AC04"})).await;
    assert_eq!(pass_on(5, 1_000, NOW).await, Told::Refused("AC04".parse().unwrap()));
    world.sandbox.deliver_due().await;
    assert_eq!(world.heard(), ["200000 ours"]);
    // Decided later, of its own accord: pending first and carried out, or accepted first and then rejected.
    world.fault(json!({"fault": "pend", "on": "pacs.008"})).await;
    assert_eq!(pass_on(6, 1_000, NOW).await, Told::Taken);
    world.sandbox.deliver_due().await;
    assert_eq!(world.heard(), ["settled", "1000 ours"]);
    world.fault(json!({"fault": "reject_late", "on": "pacs.008", "code": "AC06"})).await;
    assert_eq!(pass_on(7, 1_000, NOW).await, Told::Taken);
    world.sandbox.deliver_due().await;
    assert_eq!(world.heard(), ["rejected AC06"]);
    let orders: Value = serde_json::from_str(&world.page("script/orders").await).unwrap();
    assert_eq!(orders["orders"].as_array().unwrap().len(), 6);
    let late = orders["orders"].as_array().unwrap().iter().find(|o| o["code"] == "AC06").unwrap();
    assert_eq!(late["state"], "rejected");
    let list: Value = serde_json::from_str(&world.page("script/conformance").await).unwrap();
    for name in ["pending_order", "late_rejection"] {
        let line = list["behaviours"].as_array().unwrap().iter().find(|line| line["behaviour"] == name);
        assert_eq!(line.unwrap()["verdict"], "handled", "{list}");
    }
    world.script("script/days/close", json!({})).await;
    assert_eq!(world.statement("2026-11-24").await.unwrap().closing, Money::vnd(4_000));
}

#[tokio::test]
async fn a_bank_without_liquidity_lets_the_payer_wait_and_says_so() {
    let world = World::new(None).await;
    let limits = format!("script/banks/{BANK}/limits");
    assert_eq!(world.script("script/banks/999999/limits", json!({})).await, 404);
    assert_eq!(world.script(&limits, json!({"liquidity": -1})).await, 422);
    assert_eq!(world.script(&limits, json!({"transfer_max": 205_000, "liquidity": 300_000})).await, 200);
    for n in 1..=4 {
        world.ask(n).await;
        assert_eq!(world.approve(n).await, 204);
    }
    assert_eq!(world.approve(2).await, 409, "the payer agrees once");
    world.sandbox.deliver_due().await;
    assert_eq!(world.heard(), ["settled", "205000 ours", "Pending", "Pending", "Pending"]);
    assert_eq!(world.inquire(2).await, Some(Report::Pending));
    assert_eq!(world.script(&limits, json!({"liquidity": 410_000})).await, 200);
    world.sandbox.deliver_due().await;
    assert_eq!(world.heard(), ["settled", "205000 ours", "settled", "205000 ours"]);
    world.script("script/days/close", json!({})).await;
    world.sandbox.deliver_due().await;
    assert_eq!(world.heard(), ["rejected AM23"]);
    assert_eq!(world.script(&limits, json!({"transfer_max": 1})).await, 200);
    world.ask(5).await;
    world.approve(5).await;
    world.sandbox.deliver_due().await;
    assert_eq!(world.heard(), ["rejected AM14"]);
    let list: Value = serde_json::from_str(&world.page("script/conformance").await).unwrap();
    let line =
        list["behaviours"].as_array().unwrap().iter().find(|l| l["behaviour"] == "bank_without_liquidity");
    // These four ask for the same reference, so whoever asked again did not wait.
    assert_eq!(
        (&line.unwrap()["tried"], &line.unwrap()["verdict"]),
        (&json!(3), &json!("not_handled")),
        "{list}"
    );
}

#[tokio::test]
async fn what_is_not_acknowledged_comes_again() {
    let world = World::new(None).await;
    world.ask(1).await;
    world.approve(1).await;
    *world.inbox.refuse.lock().unwrap() = true;
    assert_eq!(world.sandbox.deliver_due().await, 0);
    *world.inbox.refuse.lock().unwrap() = false;
    assert_eq!(world.sandbox.deliver_due().await, 0, "not before its time");
    world.clock.advance(Duration::from_secs(2));
    assert_eq!(world.sandbox.deliver_due().await, 2);
    assert_eq!(world.heard(), ["settled", "205000 ours"]);
}

#[tokio::test]
async fn a_statement_is_believed_under_the_banks_own_signature_alone() {
    let world = World::new(None).await;
    world.ask(1).await;
    assert_eq!(world.approve(1).await, 204);
    world.sandbox.deliver_due().await;
    assert_eq!(world.script("script/days/close", json!({})).await, 200);
    // A byte flips after the bank has signed.
    world.fault(json!({"fault": "corrupt", "on": "camt.060"})).await;
    let damaged = world.statement("2026-11-24").await.unwrap_err();
    assert!(matches!(damaged, NoStatement::Silence(_)), "{damaged:?}");
    // The same statement, whole, is nobody's word to whoever trusts another key, or none.
    let other = SigningKey::generate();
    let others = KeyList::new([(other.kid().to_owned(), other.verifying_key().clone())]);
    for keys in [others, KeyList::default()] {
        let address = world.origin.join("clearing").unwrap();
        let (us, them) = ("CHUNG".parse().unwrap(), "SBV01".parse().unwrap());
        let trusting = RemoteClearing::new(peer(address, keys), world.inbox.keys.clone(), us, them).unwrap();
        let told = world.statement_by(&trusting, "2026-11-24").await.unwrap_err();
        assert!(matches!(told, NoStatement::Silence(_)), "{told:?}");
    }
    assert_eq!(world.statement("2026-11-24").await.unwrap().entries.len(), 1);
}

#[tokio::test]
async fn only_the_pinned_partner_is_believed() {
    let world = World::new(None).await;
    let stranger = Arc::new(KeyRing::generate(&SeededEntropy::new(9)));
    let address = world.origin.join("clearing").unwrap();
    let (us, them) = ("CHUNG".parse().unwrap(), "SBV01".parse().unwrap());
    let clearing = |address: Url| {
        let keys = KeyList::default();
        RemoteClearing::new(peer(address, keys), stranger.clone(), us, them).unwrap()
    };
    let (listener, nowhere) = listen().await;
    drop(listener);
    let (us_again, them_again) = ("CHUNG".parse().unwrap(), "SBV01".parse().unwrap());
    let unreachable =
        RemoteClearing::new(peer(nowhere, KeyList::default()), stranger.clone(), us_again, them_again)
            .unwrap();
    assert_eq!(unreachable.request_to_pay(message(1), &request(1), NOW).await, Event::NotSent);
    assert_eq!(clearing(address).request_to_pay(message(1), &request(1), NOW).await, Event::NoAnswer);
    assert_eq!(world.inquire(1).await, Some(Report::NotFound), "a stranger's request was not taken");
}

#[tokio::test]
async fn the_journal_remembers() {
    let folder = std::env::temp_dir().join(format!("chung-journal-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let journal = folder.join("sandbox.jsonl");
    let first = World::new(Some(journal.clone())).await;
    first.ask(1).await;
    first.ask(2).await;
    first.approve(1).await;
    first.sandbox.deliver_due().await;
    first.script("script/days/close", json!({})).await;
    let text = std::fs::read_to_string(&journal).unwrap();
    std::fs::write(&journal, text + "{\"fact\":\"mov").unwrap();

    let second = World::new(Some(journal)).await;
    assert_eq!(second.inquire(1).await, Some(Report::Accepted));
    assert_eq!(second.inquire(2).await, Some(Report::Pending));
    assert_eq!(second.sandbox.deliver_due().await, 0, "what was acknowledged is not told again");
    assert_eq!(second.statement("2026-11-24").await.unwrap().entries.len(), 1);
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn telephones_show_what_was_sent() {
    let world = World::new(None).await;
    let send = async |token: &str, to: &str| {
        let request = world.http.post(world.origin.join("sms").unwrap()).bearer_auth(token);
        let body = json!({"to": to, "text": "Ma 123456"}).to_string();
        let request = request.header("content-type", "application/json").body(body);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(world.script("sms", json!({"to": "+84901234567", "text": "Ma 123456"})).await, 401);
    assert_eq!(send("another", "+84901234567").await, 401);
    assert_eq!(send(SMS_TOKEN, "+84901234567").await, 202);
    assert_eq!(send(SMS_TOKEN, "nobody").await, 422);
    assert!(world.page("sms?to=84901234567").await.contains("Ma 123456"));
    let list: Value = serde_json::from_str(&world.page("script/sms?to=%2B84901234567").await).unwrap();
    assert_eq!(list["messages"][0]["text"], "Ma 123456");
}
