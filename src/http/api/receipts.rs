//! `/v1/receipts`: the receipts of an agency, their files and their proofs.

use crate::app::App;
use crate::base::{
    id::{Bill, Id, Receipt},
    page::PageRequest,
};
use crate::flow::{
    export_journal::trace_receipt,
    issue_on_request::{BILLS_MAX, issue_on_request, with_signed},
    print_receipt::list_printings,
    read_blanks::list_blanks,
    read_receipts::{describe_receipt, list_receipts, list_signed, prove_receipt, read_receipt},
    receipt_series::{NewSeries, list_due, list_series, register_series, report_use},
    render_receipt::{Format, render_receipt},
    void_receipt::{Taker, describe, replace_receipt, void_receipt},
};
use crate::http::{
    auth::Caller,
    json::{Json, idempotency},
    problem::Problem,
    query::Parameters,
    tree::InTree,
};
use crate::payment::{
    blank::Medium,
    receipt::{Range, ReceiptName},
};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};

/// The routes.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/v1/receipts", get(list))
        .route("/v1/receipts/signed", get(signed))
        .route("/v1/receipts/series", get(series).post(register))
        .route("/v1/receipts/use", get(usage))
        .route("/v1/receipts/due", get(due))
        .route("/v1/receipts/issue", post(issue))
        .route("/v1/receipts/blanks", get(blanks))
        .route("/v1/receipts/{id}/printings", get(printings))
        .route("/v1/receipts/{id}", get(one))
        .route("/v1/receipts/{id}/void", post(void))
        .route("/v1/receipts/{id}/replace", post(replace))
        .route("/v1/receipts/{id}/trace", get(trace))
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
    InTree(tree): InTree,
    Parameters(query): Parameters<ListQuery>,
) -> Result<Response, Problem> {
    let bill: Option<Id<Bill>> = super::parameter("bill", query.bill.as_deref())?;
    let after: Option<Id<Receipt>> = super::parameter("after", query.after.as_deref())?;
    let page = PageRequest::new(after, query.limit).ok_or_else(|| super::bad_parameter("limit", "range"))?;
    Ok(axum::Json(list_receipts(&app, caller.agency, (bill, tree), &page).await?).into_response())
}

async fn signed(
    State(app): State<App>,
    caller: Caller,
    InTree(tree): InTree,
    Parameters(query): Parameters<ListQuery>,
) -> Result<Response, Problem> {
    let after: Option<Id<Receipt>> = super::parameter("after", query.after.as_deref())?;
    let page = PageRequest::new(after, query.limit).ok_or_else(|| super::bad_parameter("limit", "range"))?;
    Ok(axum::Json(list_signed(&app, caller.agency, tree, &page).await?).into_response())
}

async fn series(State(app): State<App>, caller: Caller, InTree(tree): InTree) -> Result<Response, Problem> {
    Ok(axum::Json(list_series(&app, caller.agency, tree).await?).into_response())
}

async fn due(State(app): State<App>, caller: Caller, InTree(tree): InTree) -> Result<Response, Problem> {
    Ok(axum::Json(list_due(&app, caller.agency, tree).await?).into_response())
}

/// The bills whose receipts are wanted now.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct IssueBody {
    bills: Vec<String>,
}

async fn issue(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Json(body): Json<IssueBody>,
) -> Result<Response, Problem> {
    let key = idempotency(&headers, caller.client, "POST /v1/receipts/issue", &body)?;
    if body.bills.is_empty() || body.bills.len() > BILLS_MAX {
        return Err(super::misshapen("/bills", "range").into());
    }
    let mut bills: Vec<Id<Bill>> = Vec::with_capacity(body.bills.len());
    for (place, bill) in body.bills.iter().enumerate() {
        let id = super::read(&format!("/bills/{place}"), bill)?;
        if bills.contains(&id) {
            return Err(super::misshapen(&format!("/bills/{place}"), "twice").into());
        }
        bills.push(id);
    }
    let answer = issue_on_request(&app, caller.agency, &bills, &key).await?;
    Ok(axum::Json(with_signed(&app, answer).await?).into_response())
}

async fn blanks(State(app): State<App>, caller: Caller, InTree(tree): InTree) -> Result<Response, Problem> {
    Ok(axum::Json(list_blanks(&app, caller.agency, tree).await?).into_response())
}

async fn printings(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    Ok(axum::Json(list_printings(&app, caller.agency, super::object(&id)?).await?).into_response())
}

#[derive(Deserialize)]
struct UseQuery {
    quarter: Option<String>,
}

async fn usage(
    State(app): State<App>,
    caller: Caller,
    InTree(tree): InTree,
    Parameters(query): Parameters<UseQuery>,
) -> Result<Response, Problem> {
    let quarter = super::parameter("quarter", query.quarter.as_deref())?;
    let quarter = quarter.ok_or_else(|| super::bad_parameter("quarter", "missing"))?;
    Ok(axum::Json(report_use(&app, caller.agency, quarter, tree).await?).into_response())
}

/// A series as an agency registers it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeriesBody {
    kind: String,
    letters: String,
    #[serde(default)]
    form: Option<String>,
    #[serde(default)]
    medium: Option<String>,
    first: i64,
    last: i64,
    valid_from: String,
    valid_to: String,
}

async fn register(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Json(body): Json<SeriesBody>,
) -> Result<Response, Problem> {
    let key = idempotency(&headers, caller.client, "POST /v1/receipts/series", &body)?;
    let range = Range::fresh(body.first, body.last).ok_or_else(|| super::misshapen("/last", "range"))?;
    let new = NewSeries {
        kind: super::read("/kind", &body.kind)?,
        letters: super::read("/letters", &body.letters)?,
        medium: body.medium.as_deref().map_or(Ok(Medium::Electronic), |word| super::read("/medium", word))?,
        form: body.form,
        range,
        force: (super::read("/valid_from", &body.valid_from)?, super::read("/valid_to", &body.valid_to)?),
    };
    let answer = register_series(&app, caller.agency, new, &key).await?;
    Ok((StatusCode::CREATED, axum::Json(answer)).into_response())
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct VoidBody {
    reason: String,
}

async fn void(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<VoidBody>,
) -> Result<Response, Problem> {
    let key = idempotency(&headers, caller.client, &format!("POST /v1/receipts/{id}/void"), &body)?;
    let reason = super::line("/reason", &body.reason)?;
    let done = void_receipt(&app, caller.agency, super::object(&id)?, &reason, Taker::System(&key)).await?;
    Ok(axum::Json(describe(&app, caller.agency, &done).await?).into_response())
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReplaceBody {
    reason: String,
    name: String,
    #[serde(default)]
    tax_code: Option<String>,
    #[serde(default)]
    address: Option<String>,
}

async fn replace(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<ReplaceBody>,
) -> Result<Response, Problem> {
    let key = idempotency(&headers, caller.client, &format!("POST /v1/receipts/{id}/replace"), &body)?;
    let reason = super::line("/reason", &body.reason)?;
    let tax_code = body.tax_code.as_deref().map(|code| super::read("/tax_code", code)).transpose()?;
    let address = body.address.as_deref().map(|address| super::line("/address", address)).transpose()?;
    let name = ReceiptName::new(super::line("/name", &body.name)?, tax_code, address)
        .map_err(|_| super::misshapen("/address", "missing"))?;
    let taker = Taker::System(&key);
    let done = replace_receipt(&app, caller.agency, super::object(&id)?, (&name, &reason), taker).await?;
    Ok((StatusCode::CREATED, axum::Json(describe(&app, caller.agency, &done).await?)).into_response())
}

async fn one(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    let receipt = read_receipt(&app, caller.agency, super::object(&id)?).await?;
    Ok(axum::Json(describe_receipt(&app, &receipt).await?).into_response())
}

async fn trace(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    Ok(axum::Json(trace_receipt(&app, caller.agency, super::object(&id)?).await?).into_response())
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
    (attached(media_type, name), bytes).into_response()
}

/// The headers of a file that somebody keeps.
pub(in crate::http) fn attached(media_type: &'static str, name: &str) -> [(header::HeaderName, String); 4] {
    [
        (header::CONTENT_TYPE, media_type.to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ]
}
