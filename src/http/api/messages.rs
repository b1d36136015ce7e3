//! `/v1/agencies/{id}/messages`: what an agency's SMS cost, and how many it may send, for administrators.

use crate::app::App;
use crate::base::calendar::Day;
use crate::flow::read_messages::{cap_messages_once, read_messages};
use crate::http::{
    auth::Caller,
    json::{Json, idempotency},
    problem::Problem,
    query::Parameters,
    tree::InTree,
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
        .route("/v1/agencies/{id}/messages", get(report))
        .route("/v1/agencies/{id}/messages/cap", post(cap))
}

#[derive(Deserialize)]
struct MonthQuery {
    month: Option<String>,
}

async fn report(
    State(app): State<App>,
    _: Caller,
    Path(id): Path<String>,
    InTree(tree): InTree,
    Parameters(query): Parameters<MonthQuery>,
) -> Result<Response, Problem> {
    let id = super::object(&id)?;
    let first = query.month.as_deref().map(|month| format!("{month}-01"));
    let month: Option<Day> = super::parameter("month", first.as_deref())?;
    Ok(axum::Json(read_messages(&app, id, month, tree).await?).into_response())
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CapBody {
    segments_max: u32,
}

async fn cap(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<CapBody>,
) -> Result<Response, Problem> {
    let act = format!("POST /v1/agencies/{id}/messages/cap");
    let key = idempotency(&headers, caller.client, &act, &body)?;
    let answer = cap_messages_once(&app, super::object(&id)?, body.segments_max, &key).await?;
    Ok(axum::Json(answer).into_response())
}
