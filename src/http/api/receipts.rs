//! `/v1/receipts`: the receipts of an agency, their files and their proofs.

use crate::app::App;
use crate::base::{
    id::{Bill, Id, Receipt},
    page::PageRequest,
};
use crate::flow::{
    read_receipts::{describe_receipt, list_receipts, prove_receipt, read_receipt},
    render_receipt::{Format, render_receipt},
};
use crate::http::{auth::Caller, problem::Problem, query::Parameters};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;

/// The routes.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/v1/receipts", get(list))
        .route("/v1/receipts/{id}", get(one))
        .route("/v1/receipts/{id}/pdf", get(pdf))
        .route("/v1/receipts/{id}/xml", get(xml))
        .route("/v1/receipts/{id}/proof", get(proof))
}

#[derive(Deserialize)]
struct ListQuery {
    bill: Option<String>,
    after: Option<String>,
    limit: Option<u32>,
}

async fn list(
    State(app): State<App>,
    caller: Caller,
    Parameters(query): Parameters<ListQuery>,
) -> Result<Response, Problem> {
    let bill: Option<Id<Bill>> = super::parameter("bill", query.bill.as_deref())?;
    let after: Option<Id<Receipt>> = super::parameter("after", query.after.as_deref())?;
    let page = PageRequest::new(after, query.limit).ok_or_else(|| super::bad_parameter("limit", "range"))?;
    Ok(axum::Json(list_receipts(&app, caller.agency, bill, &page).await?).into_response())
}

async fn one(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    let receipt = read_receipt(&app, caller.agency, super::object(&id)?).await?;
    Ok(axum::Json(describe_receipt(&app, &receipt).await?).into_response())
}

async fn pdf(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    file(&app, &caller, &id, Format::Pdf).await
}

async fn xml(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    file(&app, &caller, &id, Format::Xml).await
}

async fn file(app: &App, caller: &Caller, id: &str, format: Format) -> Result<Response, Problem> {
    let receipt = read_receipt(app, caller.agency, super::object(id)?).await?;
    let bytes = render_receipt(app, &receipt, format).await?;
    Ok(attachment(format.media_type(), &format!("{}.{}", receipt.number, format.as_str()), bytes))
}

async fn proof(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    let receipt = read_receipt(&app, caller.agency, super::object(&id)?).await?;
    Ok(axum::Json(prove_receipt(&app, &receipt).await?).into_response())
}

/// A file to keep; its name is a receipt's number, which holds no character that a header would have to quote.
pub(in crate::http) fn attachment(media_type: &'static str, name: &str, bytes: Vec<u8>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, media_type.to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    (headers, bytes).into_response()
}
