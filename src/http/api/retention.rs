//! `/v1/retention`: how long each class of data is kept, how much is held, and what wraps it, for administrators.

use crate::app::App;
use crate::flow::retention::report_retention;
use crate::http::{auth::Caller, problem::Problem};
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

/// The route.
pub fn routes() -> Router<App> {
    Router::new().route("/v1/retention", get(report))
}

async fn report(State(app): State<App>, _: Caller) -> Result<Response, Problem> {
    Ok(axum::Json(report_retention(&app).await?).into_response())
}
