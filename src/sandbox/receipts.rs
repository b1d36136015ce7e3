//! Another issuer of electronic receipts: `POST /receipts` takes an order under an `Idempotency-Key` and answers with form,
//! series and number; the same key gives the same receipt. Its outages are faults on `receipt`: `drop_request` is an order
//! that never arrived, `drop_answer` one that was made and not answered.

use super::Sandbox;
use super::fault::Kind;
use crate::base::calendar::rfc3339;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use std::sync::{Arc, PoisonError};

pub(super) fn routes() -> Router<Arc<Sandbox>> {
    Router::new().route("/receipts", post(order))
}

async fn order(
    State(sandbox): State<Arc<Sandbox>>,
    headers: HeaderMap,
    Json(order): Json<Value>,
) -> Response {
    if sandbox.faults().strike(Kind::DropRequest, "receipt", None).is_some() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok());
    let (Some(key), true) = (key, order["total"].as_i64().is_some_and(|total| total > 0)) else {
        return StatusCode::UNPROCESSABLE_ENTITY.into_response();
    };
    let now = sandbox.now();
    let made = {
        let mut made = sandbox.receipts.lock().unwrap_or_else(PoisonError::into_inner);
        let next = made.len() + 1;
        made.entry(key.to_owned())
            .or_insert_with(|| {
                json!({
                    "form": "1/001",
                    "series": "C26TMB",
                    "number": format!("{next:07}"),
                    "issued_at": rfc3339(now),
                    "lookup": format!("{}receipts/{next:07}", sandbox.settings.origin),
                })
            })
            .clone()
    };
    if sandbox.faults().strike(Kind::DropAnswer, "receipt", None).is_some() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    Json(made).into_response()
}
