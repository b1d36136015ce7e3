//! `POST /population/notices`: signed notices of the population register, answered with signed answers.
//!
//! Believed when the signature verifies against the register's pinned keys (RFC 9421); without a remote register there
//! are none, and nobody is believed. The answer is one word: what was done, or why nothing was.

use super::signed;
use crate::app::App;
use crate::codec::population::{Notice, read};
use crate::crypto::keyring::Purpose;
use crate::flow::{Error, take_notice::take_notice};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, OriginalUri, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;

/// How this sender is remembered beside others.
const SENDER: &str = "population-register";

/// The route, for messages of at most that size.
pub fn routes(bytes_max: usize) -> Router<App> {
    Router::new().route("/population/notices", post(take)).layer(DefaultBodyLimit::max(bytes_max))
}

async fn take(State(app): State<App>, uri: OriginalUri, headers: HeaderMap, body: Bytes) -> Response {
    let now = app.clock.now();
    let asked = signed::verified(&app, &uri, &headers, &body, &app.population.keys, now);
    let signature = match asked {
        Ok(signature) => signature,
        Err(refusal) => return (StatusCode::UNAUTHORIZED, refusal.code()).into_response(),
    };
    let (status, word) = match read::<Notice>(&body) {
        None => (StatusCode::BAD_REQUEST, "notice_unreadable"),
        Some(notice) => match take_notice(&app, SENDER, &notice, &body).await {
            Ok(word) => (StatusCode::OK, word),
            Err(error) => {
                if let Error::Internal(cause) = &error {
                    tracing::error!(?cause, "a notice of the register failed");
                }
                (signed::status(&error), error.code())
            }
        },
    };
    signed::answer(status, "text/plain", word.to_owned(), &signature, app.keys.signing(Purpose::Message), now)
}
