//! `GET /script/conformance`: which of the troubles that were scripted the system at the other end has handled, as
//! far as the outside world can see. An integrator runs the sandbox in continuous integration, scripts faults, pays,
//! and reads this list at the end: every line must say `handled` or `not_tried`.

use super::Sandbox;
use super::book::{Book, Outgoing};
use super::fault::Kind;
use crate::base::calendar::Day;
use crate::codec::iso20022::{AccountNumber, EndToEndId};
use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Sandbox>> {
    Router::new().route("/script/conformance", get(report))
}

/// What the system was seen to do unasked.
#[derive(Debug, Default)]
pub struct Observed {
    /// The payments and returns that it asked about.
    pub inquiries: BTreeSet<EndToEndId>,
    /// The payments that had to wait for their bank's liquidity.
    pub waited: BTreeSet<EndToEndId>,
    /// The transfers that a bank asked back.
    pub asked_back: BTreeSet<EndToEndId>,
    /// How many statements it fetched.
    pub statements: u64,
    /// The statements that were answered for another account or day, until they are fetched again.
    foreign: BTreeSet<(AccountNumber, Day)>,
}

impl Observed {
    /// Notes for which account and day a statement was answered.
    pub(super) fn statement(&mut self, asked: &(AccountNumber, Day), answered: (&AccountNumber, Day)) {
        if (&asked.0, asked.1) == answered {
            self.foreign.remove(asked);
        } else {
            self.foreign.insert(asked.clone());
        }
    }
}

/// A behaviour: its name, the fault that provokes it, and what must be seen.
const BEHAVIOURS: [(&str, Kind, &str); 17] = [
    ("late_message", Kind::Delay, "A message that comes late is acknowledged."),
    ("doubled_message", Kind::Double, "The same message twice is acknowledged twice."),
    ("altered_message", Kind::Alter, "Another content under a known identifier is refused."),
    ("reordered_messages", Kind::Reorder, "Money before its status report is acknowledged, both are."),
    ("corrupt_message", Kind::Corrupt, "A damaged message is not acknowledged, the undamaged one is."),
    ("lost_message", Kind::Lose, "What nobody told of is asked about, or read from the statement."),
    ("lost_request", Kind::DropRequest, "A request that got no answer is asked about."),
    (
        "lost_answer",
        Kind::DropAnswer,
        "A request whose answer was lost is asked about, or its money acknowledged.",
    ),
    ("wrong_amount", Kind::WrongAmount, "Money of another amount is acknowledged and kept."),
    ("partial_settlement", Kind::Partial, "Money that comes in parts is acknowledged and kept, each part."),
    ("unknown_reference", Kind::UnknownReference, "Money without a reference is acknowledged and kept."),
    ("step_up", Kind::StepUp, "A payer who must prove more is waited for: nothing is asked for twice."),
    ("pending_order", Kind::Pend, "The late word about money that leaves is acknowledged."),
    ("late_rejection", Kind::RejectLate, "The rejection of what was accepted is acknowledged."),
    (
        "statement_of_another_account",
        Kind::AnotherAccount,
        "A statement of another account is not taken: the right one is fetched.",
    ),
    (
        "statement_of_another_day",
        Kind::AnotherDay,
        "A statement of another day is not taken: the right one is fetched.",
    ),
    ("refused_request", Kind::Reject, "A refusal ends the attempt: nothing more is asked about it."),
];

async fn report(State(sandbox): State<Arc<Sandbox>>) -> Json<Value> {
    let struck = sandbox.faults().struck().to_vec();
    let (book, observed) = (sandbox.book(), sandbox.observed());
    let lines = BEHAVIOURS.iter().map(|(name, kind, demand)| {
        let tried: Vec<Option<EndToEndId>> =
            struck.iter().filter(|(k, _)| k == kind).map(|(_, payment)| *payment).collect();
        let handled = tried.iter().filter(|payment| is_handled(*kind, **payment, &book, &observed)).count();
        line(name, demand, (tried.len(), handled))
    });
    let mut lines: Vec<Value> = lines.collect();
    let alone = observed.waited.iter().filter(|id| is_asked_once(**id, &book)).count();
    let demand = "A payment that waits for its bank's liquidity is waited for: nothing is asked for twice.";
    lines.push(line("bank_without_liquidity", demand, (observed.waited.len(), alone)));
    let told: BTreeSet<EndToEndId> = book.resolutions().map(|told| told.request).collect();
    let answered = observed.asked_back.intersection(&told).count();
    let demand = "A bank that asks money back gets an answer.";
    lines.push(line("recall", demand, (observed.asked_back.len(), answered)));
    let passes = lines.iter().all(|line| line["verdict"] != "not_handled");
    Json(json!({"behaviours": lines, "passes": passes}))
}

fn line(name: &str, demand: &str, (tried, handled): (usize, usize)) -> Value {
    let verdict = match (tried, handled) {
        (0, _) => "not_tried",
        (tried, handled) if tried == handled => "handled",
        _ => "not_handled",
    };
    json!({"behaviour": name, "demand": demand, "tried": tried, "handled": handled, "verdict": verdict})
}

/// Whether nobody was asked for the same money under another name.
fn is_asked_once(id: EndToEndId, book: &Book) -> bool {
    let Some(asked) = book.request(id) else { return false };
    let same = |other: &&super::book::Asked| other.request.remittance == asked.request.remittance;
    book.requests().filter(same).count() == 1
}

const ACKNOWLEDGED: &str = "acknowledged";
/// What stands in the place of a reference that the payer gave none of.
const NOT_PROVIDED: &str = "NOTPROVIDED";

fn is_handled(kind: Kind, payment: Option<EndToEndId>, book: &Book, observed: &Observed) -> bool {
    let of = |message: &&Outgoing| payment.is_none_or(|id| message.xml.contains(&id.to_string()));
    let (altered, messages): (Vec<&Outgoing>, Vec<&Outgoing>) =
        book.outgoing().iter().filter(of).partition(|message| is_altered(message, book));
    let acknowledged = |message: &&Outgoing| message.outcome.as_deref() == Some(ACKNOWLEDGED);
    let asked = payment.is_some_and(|id| observed.inquiries.contains(&id));
    match kind {
        Kind::Delay
        | Kind::Double
        | Kind::Reorder
        | Kind::WrongAmount
        | Kind::Partial
        | Kind::Pend
        | Kind::RejectLate => !messages.is_empty() && messages.iter().all(acknowledged),
        // Its payment is not named in the message: all money without a reference counts.
        Kind::UnknownReference => {
            book.outgoing().iter().filter(|m| m.xml.contains(NOT_PROVIDED)).all(|m| acknowledged(&m))
        }
        Kind::Alter => altered.iter().any(|m| m.outcome.is_some() && !acknowledged(m)),
        Kind::Corrupt => messages.iter().any(|m| m.was_corrupt && m.attempts > 0 && acknowledged(m)),
        Kind::Lose => asked || observed.statements > 0,
        Kind::DropRequest => asked,
        Kind::DropAnswer => asked || messages.iter().any(acknowledged),
        Kind::AnotherAccount | Kind::AnotherDay => observed.foreign.is_empty(),
        Kind::StepUp => payment.is_some_and(|id| is_asked_once(id, book)),
        Kind::Reject | Kind::WrongStamp => !asked,
    }
}

/// Whether an earlier message had the same identifier and another content.
fn is_altered(message: &Outgoing, book: &Book) -> bool {
    let id = identifier(&message.xml);
    let earlier = book.outgoing().iter().take_while(|other| other.number < message.number);
    { earlier }.any(|other| identifier(&other.xml) == id && other.xml != message.xml)
}

fn identifier(xml: &str) -> Option<&str> {
    xml.split_once("<BizMsgIdr>").and_then(|(_, rest)| rest.split('<').next())
}
