//! A statement as `/v1`, pages and the command line show it.

use super::explain::money;
use crate::base::{calendar::rfc3339, money::Money};
use crate::payment::reconciliation::Proof;
use crate::store::{account::CollectingAccount, statement::StoredStatement};
use serde_json::{Value, json};

/// What neither books nor differences account for, once it was matched: anything but nothing is a mistake in the books.
pub fn unexplained(statement: &StoredStatement) -> Option<Money> {
    let outcome = statement.outcome?;
    let moved = statement.closing.minus(statement.opening).ok()?;
    Proof { moved, posted: outcome.posted, explained: outcome.explained }.unexplained().ok()
}

/// The statement's object on the wire, with its account.
pub fn statement_json(statement: &StoredStatement, account: &CollectingAccount) -> Value {
    let outcome = statement.outcome.map(|outcome| {
        json!({
            "matched": outcome.matched,
            "differing": statement.lines.saturating_sub(outcome.matched),
            "posted": money(outcome.posted),
            "explained": money(outcome.explained),
            "unexplained": unexplained(statement).map(money),
            "at": rfc3339(outcome.at),
        })
    });
    json!({
        "id": statement.id.to_string(),
        "account": { "bank": account.bank, "number": account.number, "holder": account.holder.to_string() },
        "day": statement.day.to_string(),
        "version": statement.version,
        "opening": money(statement.opening),
        "closing": money(statement.closing),
        "lines": statement.lines,
        "content_sha256": hex::encode(statement.digest),
        "fetched_at": rfc3339(statement.fetched_at),
        "reconciliation": outcome,
    })
}
