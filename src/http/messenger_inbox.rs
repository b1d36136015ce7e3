//! `POST /messenger/inbox`: what people answer to our messages, brought by the gateway with its token.
//!
//! It answers the same whatever the text asked for, so that whoever sits at the gateway learns nothing about people.

use crate::app::App;
use crate::crypto::digest::{equal, sha256};
use crate::flow::disown::take_reply;
use crate::identity::person::Phone;
use axum::extract::{DefaultBodyLimit, State, rejection::JsonRejection};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, routing::post};
use serde::Deserialize;

/// The most bytes of one answer: a concatenated message of ten parts, and its envelope.
const BYTES_MAX: usize = 8 * 1024;

/// The gateway's endpoint.
pub fn routes() -> Router<App> {
    Router::new().route("/messenger/inbox", post(take).layer(DefaultBodyLimit::max(BYTES_MAX)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Incoming {
    from: String,
    text: String,
}

async fn take(
    State(app): State<App>,
    headers: HeaderMap,
    body: Result<Json<Incoming>, JsonRejection>,
) -> Response {
    if !is_gateway(&app, &headers) {
        return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")]).into_response();
    }
    let Ok(Json(message)) = body else { return StatusCode::BAD_REQUEST.into_response() };
    // A short code or a name is nobody who could answer us.
    let Ok(from) = message.from.parse::<Phone>() else { return StatusCode::NO_CONTENT.into_response() };
    match take_reply(&app, &from, &message.text).await {
        Ok(replied) => {
            tracing::info!(?replied, "an SMS came in");
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => {
            tracing::error!(?error, "an SMS was not taken");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

fn is_gateway(app: &App, headers: &HeaderMap) -> bool {
    let shown = headers.get(header::AUTHORIZATION).and_then(|h| h.to_str().ok()?.strip_prefix("Bearer "));
    match (shown, &app.gateway) {
        (Some(shown), Some(expected)) => equal(&sha256(shown.as_bytes()), expected),
        _ => false,
    }
}
