//! `/v1/refunds`: ask for money back, and see where each refund stands. Nobody approves by API: that is a person's act,
//! at `/board/refunds`, and never the same person's.

use super::{ledger::Amount, read};
use crate::app::App;
use crate::base::id::Refund;
use crate::flow::{
    Error, Refusal, read_refunds,
    request_refund::{NewRefund, Of, officer_numbered, request_refund},
};
use crate::http::{
    auth::Caller,
    json::{Json, idempotency},
    problem::Problem,
    query::Parameters,
    tree::InTree,
};
use crate::payment::refund::{Extent, Reason};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};

/// The routes.
pub fn routes() -> Router<App> {
    Router::new().route("/v1/refunds", post(create).get(list)).route("/v1/refunds/{id}", get(one))
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    bill: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    case: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lines: Option<Vec<LineBody>>,
    reason: String,
    words: String,
    #[serde(default)]
    in_cash: bool,
    #[serde(default)]
    work_begun: bool,
    officer: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LineBody {
    line: usize,
    amount: Amount,
}

async fn create(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Json(body): Json<NewBody>,
) -> Result<Response, Problem> {
    let key = idempotency(&headers, caller.client, "POST /v1/refunds", &body)?;
    let unknown =
        |field: &str, rule| Error::Refused(Refusal::new("invalid_body").violation(field, rule, None));
    let of = match (&body.bill, &body.case) {
        (Some(bill), None) => Of::Bill(read("/bill", bill)?),
        (None, Some(case)) => Of::Case(read("/case", case)?),
        _ => return Err(unknown("/bill", "one_of").into()),
    };
    let extent = match (&body.amount, &body.lines) {
        (None, None) => Extent::Whole,
        (Some(amount), None) => Extent::Amount(amount.read_any("/amount")?),
        (None, Some(lines)) => {
            let read = |(at, line): (usize, &LineBody)| {
                Ok((line.line, line.amount.read_any(&format!("/lines/{at}/amount"))?))
            };
            Extent::Lines(lines.iter().enumerate().map(read).collect::<Result<_, Error>>()?)
        }
        (Some(_), Some(_)) => return Err(unknown("/lines", "one_of").into()),
    };
    let officer = officer_numbered(&app, read("/officer", &body.officer)?).await?;
    let new = NewRefund {
        of,
        extent,
        reason: Reason::named(&body.reason).ok_or_else(|| unknown("/reason", "unknown"))?,
        words: super::line("/words", &body.words)?,
        in_cash: body.in_cash,
        work_begun: body.work_begun,
        officer,
    };
    let answer = request_refund(&app, caller.agency, &new, Some(&key)).await?;
    Ok((StatusCode::CREATED, axum::Json(answer)).into_response())
}

async fn list(
    State(app): State<App>,
    caller: Caller,
    tree: InTree,
    Parameters(query): Parameters<super::ListQuery>,
) -> Result<Response, Problem> {
    let (wanted, page) = query.read::<Refund>(tree)?;
    let answer = read_refunds::list_refunds(&app, caller.agency, wanted, &page).await?;
    Ok(axum::Json(answer).into_response())
}

async fn one(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    let answer = read_refunds::read_refund(&app, caller.agency, super::object(&id)?).await?;
    Ok(axum::Json(answer).into_response())
}
