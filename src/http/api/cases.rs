//! `/v1/cases`: differences between books and statements, and money that waits, until somebody has settled each.

use crate::app::App;
use crate::base::{
    id::{Case, Id, Statement},
    page::PageRequest,
};
use crate::flow::{
    Error, Refusal, read_cases,
    release_suspense::{Proposal, approve_release, propose_release},
    settle_case::{Step, settle_case},
};
use crate::http::{
    auth::Caller,
    json::{Json, idempotency},
    problem::Problem,
    query::Parameters,
    tree::InTree,
};
use crate::payment::{
    case::{By, Resolution},
    release::Toward,
};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};

/// The routes.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/v1/cases", get(list))
        .route("/v1/cases/{id}", get(one))
        .route("/v1/cases/{id}/notes", post(note))
        .route("/v1/cases/{id}/resolve", post(resolve))
        .route("/v1/cases/{id}/release", post(release))
        .route("/v1/cases/{id}/release/approve", post(approve))
}

#[derive(Deserialize)]
struct ListQuery {
    pending: Option<String>,
    statement: Option<String>,
    after: Option<String>,
    limit: Option<u32>,
}

async fn list(
    State(app): State<App>,
    caller: Caller,
    InTree(tree): InTree,
    Parameters(query): Parameters<ListQuery>,
) -> Result<Response, Problem> {
    let pending: Option<bool> = super::parameter("pending", query.pending.as_deref())?;
    let of: Option<Id<Statement>> = super::parameter("statement", query.statement.as_deref())?;
    let after: Option<Id<Case>> = super::parameter("after", query.after.as_deref())?;
    let page = PageRequest::new(after, query.limit).ok_or_else(|| super::bad_parameter("limit", "range"))?;
    let wanted = (pending.unwrap_or(false), of);
    let answer = read_cases::list_cases(&app, caller.agency, wanted, tree, &page).await?;
    Ok(axum::Json(answer).into_response())
}

async fn one(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    let answer = read_cases::read_case(&app, caller.agency, super::object(&id)?).await?;
    Ok(axum::Json(answer).into_response())
}

/// Something to write down.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewNote {
    words: String,
}

/// How a case ended, and why.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewResolution {
    resolution: String,
    words: String,
}

async fn note(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<NewNote>,
) -> Result<Response, Problem> {
    let act = format!("POST /v1/cases/{id}/notes");
    let step = Step::Note(super::line("/words", &body.words)?);
    settle(&app, &caller, &id, &headers, (&act, &body), &step).await
}

async fn resolve(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<NewResolution>,
) -> Result<Response, Problem> {
    let act = format!("POST /v1/cases/{id}/resolve");
    let unknown = || Error::Refused(Refusal::new("invalid_body").violation("/resolution", "unknown", None));
    let resolution = Resolution::by_hand(&body.resolution).ok_or_else(unknown)?;
    let step = Step::Resolve(resolution, super::line("/words", &body.words)?);
    settle(&app, &caller, &id, &headers, (&act, &body), &step).await
}

/// Where money in suspense shall go, and who says so.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewRelease {
    toward: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bill: Option<String>,
    legal_basis: String,
    words: String,
    officer: String,
}

/// Who approves.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewApproval {
    officer: String,
}

async fn release(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<NewRelease>,
) -> Result<Response, Problem> {
    let act = format!("POST /v1/cases/{id}/release");
    let key = idempotency(&headers, caller.client, &act, &body)?;
    let bill = body.bill.as_deref().map(|bill| super::read("/bill", bill)).transpose()?;
    let unknown = || Error::Refused(Refusal::new("invalid_body").violation("/toward", "unknown", None));
    let proposal = Proposal {
        toward: Toward::named(&body.toward, bill).ok_or_else(unknown)?,
        legal_basis: super::line("/legal_basis", &body.legal_basis)?,
        words: super::line("/words", &body.words)?,
        officer: super::read("/officer", &body.officer)?,
    };
    let answer = propose_release(&app, caller.agency, super::object(&id)?, &proposal, Some(&key)).await?;
    Ok(axum::Json(answer).into_response())
}

async fn approve(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<NewApproval>,
) -> Result<Response, Problem> {
    let act = format!("POST /v1/cases/{id}/release/approve");
    let key = idempotency(&headers, caller.client, &act, &body)?;
    let officer = super::read("/officer", &body.officer)?;
    let answer =
        approve_release(&app, caller.agency, super::object(&id)?, (officer, None), Some(&key)).await?;
    Ok(axum::Json(answer).into_response())
}

async fn settle(
    app: &App,
    caller: &Caller,
    id: &str,
    headers: &HeaderMap,
    (act, body): (&str, &impl Serialize),
    step: &Step,
) -> Result<Response, Problem> {
    let key = idempotency(headers, caller.client, act, body)?;
    let by = By::System(caller.client);
    let answer = settle_case(app, caller.agency, super::object(id)?, by, step, Some(&key)).await?;
    Ok(axum::Json(answer).into_response())
}
