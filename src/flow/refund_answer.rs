//! A refund as `/v1` answers it, and the seal of its words.

use super::{Result, agency_key::kept_words};
use crate::{
    base::{
        calendar::rfc3339,
        id::{Citizen, Id, Refund},
    },
    crypto::seal::DataKey,
    payment::refund::State,
    store::{
        refund::{Source, StoredRefund},
        refund_line::Back,
    },
};
use serde_json::{Value, json};

/// The refund, how much of each line it gives back, and who approved it so far. Its words are read on the page.
pub fn refund_json(refund: &StoredRefund, lines: &[(i16, Back)], approvers: &[Id<Citizen>]) -> Value {
    let (payment, case) = match refund.source {
        Source::Payment(id) => (Some(id.to_string()), None),
        Source::Case(id) => (None, Some(id.to_string())),
    };
    let (bounced, ended_at) = match &refund.state {
        State::Bounced { reason } => (Some(reason.to_string()), None),
        State::Declined { at } | State::Done { at } => (None, Some(rfc3339(*at))),
        State::Requested
        | State::Approved
        | State::Sent
        | State::Unknown { .. }
        | State::AtDesk
        | State::AwaitingTreasury => (None, None),
    };
    let lines: Vec<Value> = lines
        .iter()
        .map(|(line, back)| json!({ "line": line, "amount": super::explain::money(back.amount) }))
        .collect();
    json!({
        "id": refund.id.to_string(),
        "bill": refund.bill.map(|id| id.to_string()),
        "payment": payment,
        "case": case,
        "amount": super::explain::money(refund.amount),
        "lines": lines,
        "way": refund.way.as_str(),
        "reason": refund.reason.as_str(),
        "legal_basis": refund.reason.legal_basis(),
        "status": refund.state.as_str(),
        "holder": refund.state.holder().as_str(),
        "automatic": refund.requested_by.is_none(),
        "approvals": approvers.len(),
        "requested_at": rfc3339(refund.requested_at),
        "decided_at": refund.decided_at.map(rfc3339),
        "bounced": bounced,
        "ended_at": ended_at,
    })
}

/// The place that the sealed words are bound to.
pub(super) fn place(refund: Id<Refund>) -> Vec<u8> {
    [b"refund.words".as_slice(), refund.uuid().as_bytes()].concat()
}

/// Opens the words of whoever asked.
pub(super) fn words(refund: &StoredRefund, key: &DataKey) -> Result<String> {
    Ok(kept_words(key, &place(refund.id), &refund.words)?.unwrap_or_default())
}
