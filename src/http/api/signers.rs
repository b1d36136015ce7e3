//! `/v1/agencies/{id}/signers` and its neighbours: with what an agency signs its documents, where its receipts come
//! from, and what its accountants may leave open alone; for administrators.

use crate::app::App;
use crate::base::{money::Money, secret::Secret};
use crate::flow::{
    document_signer::{install_certificate, list_signers, request_certificate},
    match_cases::set_tolerance,
    receipt_issuer::set_receipt_issuer,
};
use crate::http::{
    auth::Caller,
    json::{Json, idempotency},
    problem::Problem,
};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};

/// The routes.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/v1/agencies/{id}/signers", get(list).post(request))
        .route("/v1/signers/{id}/certificate", post(install))
        .route("/v1/agencies/{id}/receipt-issuer", post(set_issuer))
        .route("/v1/agencies/{id}/match-tolerance", post(tolerate))
}

async fn list(State(app): State<App>, _: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    Ok(axum::Json(list_signers(&app, super::object(&id)?).await?).into_response())
}

async fn request(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let key = idempotency(&headers, caller.client, &format!("POST /v1/agencies/{id}/signers"), &())?;
    let answer = request_certificate(&app, super::object(&id)?, &key).await?;
    Ok((StatusCode::CREATED, axum::Json(answer)).into_response())
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Certificates {
    certificates: String,
}

async fn install(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Certificates>,
) -> Result<Response, Problem> {
    let key = idempotency(&headers, caller.client, &format!("POST /v1/signers/{id}/certificate"), &body)?;
    let answer = install_certificate(&app, super::object(&id)?, &body.certificates, &key).await?;
    Ok(axum::Json(answer).into_response())
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct IssuerBody {
    issuer: String,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    token: Option<String>,
}

async fn set_issuer(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<IssuerBody>,
) -> Result<Response, Problem> {
    let key = idempotency(&headers, caller.client, &format!("POST /v1/agencies/{id}/receipt-issuer"), &body)?;
    let id = super::object(&id)?;
    let other = match (body.issuer.as_str(), &body.url, &body.token) {
        ("chung", None, None) => None,
        ("other", Some(url), Some(token)) if (8..=500).contains(&token.len()) => {
            Some((super::read("/url", url)?, Secret::new(token.clone().into_bytes())))
        }
        _ => return Err(super::misshapen("/token", "shape").into()),
    };
    Ok(axum::Json(set_receipt_issuer(&app, id, other, &key).await?).into_response())
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ToleranceBody {
    account: String,
    amount: String,
}

/// The most that one person may be allowed to leave open.
const TOLERANCE_MAX: i64 = 10_000_000;

async fn tolerate(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<ToleranceBody>,
) -> Result<Response, Problem> {
    let act = format!("POST /v1/agencies/{id}/match-tolerance");
    let key = idempotency(&headers, caller.client, &act, &body)?;
    let amount: i64 = super::read("/amount", &body.amount)?;
    if !(0..=TOLERANCE_MAX).contains(&amount) {
        return Err(super::misshapen("/amount", "range").into());
    }
    let asked = (body.account.as_str(), Money::vnd(amount));
    Ok(axum::Json(set_tolerance(&app, super::object(&id)?, asked, &key).await?).into_response())
}
