//! `/v1/statements`: fetch the bank's list of a day's movements, match it with the books, read what came of it.

use super::read;
use crate::app::App;
use crate::base::{
    id::{Id, Statement},
    page::PageRequest,
};
use crate::flow::{
    export_journal::trace_lines, match_long_days, read_statements, reconcile_statement,
    revise_statement::read_revisions,
};
use crate::http::{
    auth::Caller,
    json::{Json, idempotency},
    problem::Problem,
    query::Parameters,
    tree::InTree,
};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header::LOCATION};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};

/// The routes.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/v1/statements", post(reconcile).get(list))
        .route("/v1/statements/days/{id}", get(day))
        .route("/v1/statements/{id}", get(one))
        .route("/v1/statements/{id}/lines", get(lines))
        .route("/v1/statements/{id}/revisions", get(revisions))
}

/// Whose movements of which day.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewStatement {
    account: String,
    day: String,
}

async fn reconcile(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Json(body): Json<NewStatement>,
) -> Result<Response, Problem> {
    let key = idempotency(&headers, caller.client, "POST /v1/statements", &body)?;
    let day = read("/day", &body.day)?;
    let answer =
        reconcile_statement::reconcile_statement(&app, caller.agency, &body.account, day, &key).await?;
    if !match_long_days::is_beside(&answer) {
        return Ok(axum::Json(answer).into_response());
    }
    let at = format!("/v1/statements/days/{}", answer["id"].as_str().unwrap_or_default());
    Ok((StatusCode::ACCEPTED, [(LOCATION, at)], axum::Json(answer)).into_response())
}

async fn day(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    let answer = match_long_days::read_day(&app, caller.agency, super::object(&id)?).await?;
    Ok(axum::Json(answer).into_response())
}

#[derive(Deserialize)]
struct ListQuery {
    after: Option<String>,
    limit: Option<u32>,
}

async fn list(
    State(app): State<App>,
    caller: Caller,
    InTree(tree): InTree,
    Parameters(query): Parameters<ListQuery>,
) -> Result<Response, Problem> {
    let after: Option<Id<Statement>> = super::parameter("after", query.after.as_deref())?;
    let page = PageRequest::new(after, query.limit).ok_or_else(|| super::bad_parameter("limit", "range"))?;
    Ok(axum::Json(read_statements::list_statements(&app, caller.agency, tree, &page).await?).into_response())
}

#[derive(Deserialize)]
struct LineQuery {
    after: Option<String>,
}

async fn lines(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Parameters(query): Parameters<LineQuery>,
) -> Result<Response, Problem> {
    let after: Option<i32> = super::parameter("after", query.after.as_deref())?;
    Ok(axum::Json(trace_lines(&app, caller.agency, super::object(&id)?, after).await?).into_response())
}

async fn revisions(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    Ok(axum::Json(read_revisions(&app, caller.agency, super::object(&id)?).await?).into_response())
}

async fn one(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    let answer = read_statements::read_statement(&app, caller.agency, super::object(&id)?).await?;
    Ok(axum::Json(answer).into_response())
}
