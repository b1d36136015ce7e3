//! Another issuer of electronic receipts: `POST /receipts` takes an order under an `Idempotency-Key` and answers with form,
//! series and number; the same key gives the same receipt. An order that `adjusts` a receipt is taken for one of ours alone, and
//! for no more than is left of it. Its outages are faults on `receipt`: `drop_request` is an order that never arrived,
//! `drop_answer` one that was made and not answered.

use super::Sandbox;
use super::fault::Kind;
use crate::base::calendar::rfc3339;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

pub(super) fn routes() -> Router<Arc<Sandbox>> {
    Router::new().route("/receipts", post(order))
}

const FORM: &str = "1/001";
const SERIES: &str = "C26TMB";

/// A receipt that was made: what was ordered, and what was answered.
pub(super) struct Made {
    order: Value,
    answer: Value,
}

/// Whether an order adjusts nothing, or one of these receipts by no more than is left of it.
fn adjustable(made: &BTreeMap<String, Made>, order: &Value) -> bool {
    let of = &order["adjusts"];
    if of.is_null() {
        return true;
    }
    let named = |made: &&Made| ["form", "series", "number"].iter().all(|part| made.answer[part] == of[part]);
    let Some(original) = made.values().find(named) else { return false };
    let taken = made.values().filter(|made| made.order["adjusts"]["number"] == of["number"]);
    let taken: i64 = taken.filter_map(|made| made.order["total"].as_i64()).sum();
    let total = |order: &Value| order["total"].as_i64().unwrap_or(0);
    original.order["adjusts"].is_null() && taken + total(order) <= total(&original.order)
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
    let made = {
        let mut made = sandbox.receipts.lock().unwrap_or_else(PoisonError::into_inner);
        if !made.contains_key(key) && !adjustable(&made, &order) {
            return StatusCode::UNPROCESSABLE_ENTITY.into_response();
        }
        let next = made.len() + 1;
        let answer = json!({
            "form": FORM,
            "series": SERIES,
            "number": format!("{next:07}"),
            "issued_at": rfc3339(sandbox.now()),
            "lookup": format!("{}receipts/{next:07}", sandbox.settings.origin),
        });
        made.entry(key.to_owned()).or_insert_with(|| Made { order, answer }).answer.clone()
    };
    if sandbox.faults().strike(Kind::DropAnswer, "receipt", None).is_some() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    Json(made).into_response()
}
