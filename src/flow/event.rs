//! The body of an event, in the shape of Standard Webhooks: what happened, when, and the facts.

use crate::{
    app::App,
    base::{
        calendar::rfc3339,
        clock::Instant,
        id::{Agency, Event, Id},
    },
    store::outbox::{NewOutbox, Topic},
};
use serde::Serialize;
use uuid::Uuid;

/// Every kind of event that is told.
pub const TYPES: [&str; 37] = [
    "batch.finished",
    "bill.amended",
    "bill.cancelled",
    "bill.paid",
    "bill.revived",
    "bill.superseded",
    "case.opened",
    "cash.kept",
    "client.expiring",
    "closing.approved",
    "money.released",
    "money.suspended",
    "payment.rejected",
    "payment.unknown",
    "payout.bounced",
    "payout.created",
    "payout.denied",
    "payout.done",
    "recall.answered",
    "recall.received",
    "recall.sent",
    "receipt.issued",
    "receipt.replaced",
    "receipt.voided",
    "refund.approved",
    "refund.at_desk",
    "refund.awaiting_treasury",
    "refund.bounced",
    "refund.declined",
    "refund.done",
    "refund.requested",
    "refund.sent",
    "refund.unknown",
    "statement.revised",
    "verification.confirmed",
    "verification.probing",
    "verification.unconfirmed",
];

/// The row by which an agency is told what happened to an object; `data` holds no personal value: those are read with the bill.
pub(super) fn event_row(
    app: &App,
    now: Instant,
    name: &'static str,
    (agency, object): (Id<Agency>, Uuid),
    data: &impl Serialize,
) -> NewOutbox {
    event_of(Id::new(now, &*app.entropy), now, name, (agency, object), data)
}

/// The same under an identifier that was drawn before.
pub(super) fn event_of(
    id: Id<Event>,
    now: Instant,
    name: &'static str,
    (agency, object): (Id<Agency>, Uuid),
    data: &impl Serialize,
) -> NewOutbox {
    let body = event_json(name, now, data);
    NewOutbox { id, at: now, topic: Topic::Event, agency: Some(agency), object, name, body }
}

/// What is kept of an event.
#[derive(Serialize)]
struct Kept<'a, D> {
    r#type: &'a str,
    timestamp: String,
    data: &'a D,
}

/// Its bytes, written once from the facts.
#[expect(
    clippy::expect_used,
    reason = "facts are strings, numbers and lists of them, which always serialize"
)]
fn event_json(name: &str, at: Instant, data: &impl Serialize) -> Vec<u8> {
    let kept = Kept { r#type: name, timestamp: rfc3339(at), data };
    let mut bytes = Vec::with_capacity(512);
    serde_json::to_writer(&mut bytes, &kept).expect("facts always serialize");
    bytes
}

/// The bytes that an agency's endpoint receives: what was kept, with the event's number among those of the same thing.
pub fn told(kept: &[u8], sequence: Option<i32>) -> Vec<u8> {
    match (sequence, kept.strip_suffix(b"}")) {
        (Some(number), Some(open)) => [open, format!(",\"sequence\":{number}}}").as_bytes()].concat(),
        _ => kept.to_vec(),
    }
}
