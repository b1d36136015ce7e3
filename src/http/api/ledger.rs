//! `/v1/ledger`: what the accounts of the books hold, how statements prove them, and charges that are booked by hand.

use super::{line, misshapen, parameter, read};
use crate::app::App;
use crate::base::{
    calendar::{Day, parse_rfc3339},
    money::{Currency, Money},
};
use crate::flow::{Error, cash::describe_cash, post_records::post_record, trial_balance};
use crate::http::{
    auth::Caller,
    json::{Json, idempotency},
    problem::Problem,
    query::Parameters,
    tree::InTree,
};
use crate::payment::record::{Record, Told};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};

/// The routes.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/v1/ledger/balances", get(balances))
        .route("/v1/ledger/proofs", get(proofs))
        .route("/v1/ledger/cash", get(cash))
        .route("/v1/ledger/records", post(record))
}

#[derive(Deserialize)]
struct Moment {
    at: Option<String>,
}

async fn balances(
    State(app): State<App>,
    caller: Caller,
    InTree(tree): InTree,
    Parameters(query): Parameters<Moment>,
) -> Result<Response, Problem> {
    let at =
        query.at.as_deref().map(|at| parse_rfc3339(at).ok_or_else(|| super::bad_parameter("at", "shape")));
    let answer = trial_balance::read_trial_balance(&app, caller.agency, at.transpose()?, tree).await?;
    Ok(axum::Json(answer).into_response())
}

async fn cash(State(app): State<App>, caller: Caller, InTree(tree): InTree) -> Result<Response, Problem> {
    Ok(axum::Json(describe_cash(&app, caller.agency, tree).await?).into_response())
}

#[derive(Deserialize)]
struct Through {
    through: Option<String>,
}

async fn proofs(
    State(app): State<App>,
    caller: Caller,
    InTree(tree): InTree,
    Parameters(query): Parameters<Through>,
) -> Result<Response, Problem> {
    let through: Option<Day> = parameter("through", query.through.as_deref())?;
    let answer = trial_balance::read_proofs(&app, caller.agency, through, tree).await?;
    Ok(axum::Json(answer).into_response())
}

/// An amount on the wire.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Amount {
    amount: String,
    currency: String,
}

impl Amount {
    /// Reads an amount above nothing.
    pub(super) fn read(&self, field: &str) -> Result<Money, Error> {
        let amount = self.read_any(field)?;
        if amount.is_positive() { Ok(amount) } else { Err(misshapen(field, "not_positive")) }
    }

    /// Reads an amount, which may be nothing: one to eighteen digits, no zero before others and no fraction.
    pub(super) fn read_any(&self, field: &str) -> Result<Money, Error> {
        if self.currency != "VND" {
            return Err(misshapen(field, "currency"));
        }
        let digits = self.amount.as_bytes();
        let plain = digits.iter().all(u8::is_ascii_digit) && (digits.len() == 1 || !digits.starts_with(b"0"));
        let amount = Money::parse(&self.amount, Currency::Vnd).ok().filter(|_| plain && digits.len() <= 18);
        amount.ok_or(misshapen(field, "amount"))
    }
}

/// A charge as an agency's system tells it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewRecord {
    kind: String,
    account: String,
    amount: Amount,
    day: String,
    words: String,
}

async fn record(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Json(body): Json<NewRecord>,
) -> Result<Response, Problem> {
    let key = idempotency(&headers, caller.client, "POST /v1/ledger/records", &body)?;
    let record = Record {
        agency: caller.agency,
        name: line("Idempotency-Key", key.key())?,
        kind: read("/kind", &body.kind)?,
        account: line::<34>("/account", &body.account)?.to_string(),
        amount: body.amount.read("/amount")?,
        day: read("/day", &body.day)?,
        words: line("/words", &body.words)?,
    };
    let (new, answer) = post_record(&app, Told { record, client: caller.client }).await?;
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, axum::Json(answer)).into_response())
}
