//! `/v1/agencies/{id}/messages`: what an agency's SMS cost, for administrators.

use crate::app::App;
use crate::base::calendar::Day;
use crate::flow::read_messages::read_messages;
use crate::http::{auth::Caller, problem::Problem, query::Parameters};
use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;

/// The routes.
pub fn routes() -> Router<App> {
    Router::new().route("/v1/agencies/{id}/messages", get(report))
}

#[derive(Deserialize)]
struct MonthQuery {
    month: Option<String>,
}

async fn report(
    State(app): State<App>,
    _: Caller,
    Path(id): Path<String>,
    Parameters(query): Parameters<MonthQuery>,
) -> Result<Response, Problem> {
    let id = super::object(&id)?;
    let first = query.month.as_deref().map(|month| format!("{month}-01"));
    let month: Option<Day> = super::parameter("month", first.as_deref())?;
    Ok(axum::Json(read_messages(&app, id, month).await?).into_response())
}
