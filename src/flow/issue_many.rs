//! Issues many bills of one request, each row on its own: what is wrong with one is told of that row and stops no other.

use super::{Error, Refusal, Result, create_bill, quote_fees};
use crate::{
    app::App,
    payment::issue::{Draft, Outcome},
};
use serde_json::{Value, json};

/// The most rows of one request.
pub const ROWS_MAX: usize = 10_000;

/// One row as it was read: a draft, or why it is none.
pub type Row = std::result::Result<Draft, Error>;

/// Issues the rows in order; the answer tells of each. Sent again, rows that were issued are told as they were.
pub async fn issue_many(app: &App, rows: Vec<Row>) -> Result<Value> {
    let mut told: Vec<Option<Value>> = Vec::with_capacity(rows.len());
    let mut drafts = Vec::new();
    for row in rows {
        match row {
            Ok(draft) => {
                told.push(None);
                drafts.push(draft);
            }
            Err(error) => told.push(Some(refused(&error)?)),
        }
    }
    let mut outcomes = Vec::with_capacity(drafts.len());
    let most = app.limits.batch_max.max(1);
    while !drafts.is_empty() {
        let rest = drafts.split_off(most.min(drafts.len()));
        outcomes.extend(create_bill::create_all(app, drafts).await?);
        drafts = rest;
    }
    let mut outcomes = outcomes.into_iter();
    let mut counts = [0_usize; 3];
    let mut items = Vec::with_capacity(told.len());
    for (index, told) in told.into_iter().enumerate() {
        let mut item = match told {
            Some(told) => told,
            None => outcome_json(outcomes.next().ok_or(Error::internal("a row without an outcome"))?)?,
        };
        let place = match item["outcome"].as_str() {
            Some("issued") => 0,
            Some("exists") => 1,
            Some(_) | None => 2,
        };
        counts[place] += 1;
        item["row"] = json!(index);
        items.push(item);
    }
    Ok(json!({ "issued": counts[0], "existed": counts[1], "refused": counts[2], "rows": items }))
}

fn outcome_json(outcome: Outcome) -> Result<Value> {
    let issued = |word: &str, answer: &str| {
        let bill: Value = serde_json::from_str(answer).map_err(Error::internal)?;
        Ok(json!({
            "outcome": word, "bill": bill["id"], "reference": bill["reference"], "total": bill["total"],
        }))
    };
    match outcome {
        Outcome::Issued(answer) => issued("issued", &answer),
        Outcome::Replayed(answer) => issued("exists", &answer),
        Outcome::KeyReused(object) => {
            refused(&Error::Conflict(Refusal::new("idempotency_key_reused").about(object)))
        }
        Outcome::InProgress => refused(&Error::Unavailable(Refusal::new("request_in_progress"))),
        Outcome::Refused(refusal) => refused(&create_bill::refused(refusal)),
        Outcome::Fees(fees) => refused(&quote_fees::refuse(&fees)),
    }
}

fn refused(error: &Error) -> Result<Value> {
    let refusal = match error {
        Error::Refused(refusal)
        | Error::NotFound(refusal)
        | Error::Conflict(refusal)
        | Error::Forbidden(refusal)
        | Error::Unavailable(refusal) => refusal,
        Error::Internal(cause) => return Err(Error::internal(cause)),
    };
    let violations: Vec<Value> =
        refusal.violations.iter().map(|v| json!({ "field": v.field, "rule": v.rule })).collect();
    Ok(
        json!({ "outcome": "refused", "code": refusal.code, "violations": violations, "about": refusal.about }),
    )
}
