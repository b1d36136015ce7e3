//! Issues many bills of one request, each row on its own: what is wrong with one is told of that row and stops no other.

use super::{Error, Refusal, Result, create_bill, issue_by_owner::issue_all_alone, quote_fees};
use crate::{
    app::App,
    payment::issue::{Draft, Outcome},
};
use serde_json::{Value, json};

/// The most rows of one request.
pub const ROWS_MAX: usize = 10_000;

/// One row as it was read: a draft, and whether each owner of its money is paid apart; or why it is none.
pub type Row = std::result::Result<(Draft, bool), Error>;

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
        outcomes.extend(issue(app, drafts).await?);
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

/// Issues some rows in their order: those of several owners and those that charge sellers' invoices in one transaction,
/// the others in another.
async fn issue(app: &App, drafts: Vec<(Draft, bool)>) -> Result<Vec<Outcome>> {
    let alone = |(draft, apart): &(Draft, bool)| *apart || draft.invoices().next().is_some();
    let places: Vec<bool> = drafts.iter().map(alone).collect();
    let (apart, whole): (Vec<_>, Vec<_>) = drafts.into_iter().partition(alone);
    let apart = match apart {
        none if none.is_empty() => Vec::new(),
        some => issue_all_alone(app, some).await?,
    };
    let whole = match whole.into_iter().map(|(draft, _)| draft).collect::<Vec<_>>() {
        none if none.is_empty() => Vec::new(),
        some => create_bill::create_all(app, some).await?,
    };
    let (mut apart, mut whole) = (apart.into_iter(), whole.into_iter());
    let next = places.into_iter().map(|alone| if alone { apart.next() } else { whole.next() });
    next.collect::<Option<Vec<Outcome>>>().ok_or(Error::internal("a row without an outcome"))
}

fn outcome_json(outcome: Outcome) -> Result<Value> {
    let issued = |word: &str, answer: &str| {
        let bill: Value = serde_json::from_str(answer).map_err(Error::internal)?;
        let named = |bill: &Value| json!({ "bill": bill["id"], "reference": bill["reference"], "total": bill["total"] });
        let mut told = named(&bill);
        told["outcome"] = json!(word);
        if let Some(parts) = bill["parts"].as_array() {
            told["parts"] = parts.iter().map(named).collect();
        }
        Ok(told)
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
