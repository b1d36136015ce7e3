//! `/v1/payments`: the attempts to pay an agency's bills.

use super::receipts::attachment;
use crate::app::App;
use crate::base::id::{Bill, Id, Payment};
use crate::flow::{checkout, national};
use crate::http::{auth::Caller, problem::Problem, query::Parameters};
use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;

/// The routes.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/v1/payments", get(list))
        .route("/v1/payments/{id}", get(one))
        .route("/v1/payments/{id}/platform-document", get(platform_document))
}

#[derive(Deserialize)]
struct ListQuery {
    bill: Option<String>,
}

async fn list(
    State(app): State<App>,
    caller: Caller,
    Parameters(query): Parameters<ListQuery>,
) -> Result<Response, Problem> {
    let bill: Option<Id<Bill>> = super::parameter("bill", query.bill.as_deref())?;
    let bill = bill.ok_or_else(|| super::bad_parameter("bill", "missing"))?;
    let answer = checkout::list_payments(&app, caller.agency, bill).await?;
    Ok(axum::Json(answer).into_response())
}

async fn one(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    let answer = checkout::read_payment(&app, caller.agency, super::object(&id)?).await?;
    Ok(axum::Json(answer).into_response())
}

async fn platform_document(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id: Id<Payment> = super::object(&id)?;
    let document = national::platform_document(&app, caller.agency, id).await?;
    Ok(attachment("application/pdf", &format!("{id}.pdf"), document))
}
