//! The telephones of the synthetic population: `POST /sms` receives what the service sends, `/sms` shows it to people,
//! `/script/sms` to programs. A telephone answers by a form on `/sms` or by `/script/sms/replies`; the gateway brings the
//! answer to the service with its token.

use super::{Sandbox, page};
use crate::base::calendar::{display_vi, rfc3339};
use crate::base::clock::Instant;
use crate::crypto::digest::equal;
use askama::Template;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use axum_extra::extract::Form;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::{Arc, PoisonError};

/// How many messages are kept; the oldest go first.
const KEPT_MAX: usize = 1_000;
/// The longest text, in bytes: a concatenated message of ten parts.
const TEXT_BYTES_MAX: usize = 1_600;

/// A short message that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ShortMessage {
    to: String,
    text: String,
    at: Instant,
}

pub(super) fn routes() -> Router<Arc<Sandbox>> {
    Router::new()
        .route("/sms", get(show).post(receive).layer(DefaultBodyLimit::max(8 * 1024)))
        .route("/sms/replies", post(answer_by_form))
        .route("/script/sms", get(list))
        .route("/script/sms/replies", post(answer))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Incoming {
    to: String,
    text: String,
}

/// What a telephone answers.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reply {
    from: String,
    text: String,
}

async fn answer(State(sandbox): State<Arc<Sandbox>>, Json(reply): Json<Reply>) -> StatusCode {
    sandbox.bring(&reply).await
}

async fn answer_by_form(State(sandbox): State<Arc<Sandbox>>, Form(reply): Form<Reply>) -> Response {
    let brought = sandbox.bring(&reply).await;
    if brought.is_success() { Redirect::to("/sms").into_response() } else { brought.into_response() }
}

#[derive(Deserialize)]
struct Whose {
    to: Option<String>,
}

#[derive(Template)]
#[template(path = "sms.html")]
struct Inbox {
    to: String,
    messages: Vec<(String, String, String)>,
}

async fn receive(
    State(sandbox): State<Arc<Sandbox>>,
    headers: HeaderMap,
    Json(message): Json<Incoming>,
) -> Response {
    if !sandbox.lets_send(&headers) {
        return (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Bearer")]).into_response();
    }
    let number = message.to.strip_prefix('+').unwrap_or(&message.to);
    let telephone = (8..=15).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    if !telephone || message.text.is_empty() || message.text.len() > TEXT_BYTES_MAX {
        return StatusCode::UNPROCESSABLE_ENTITY.into_response();
    }
    let arrived = ShortMessage { to: message.to, text: message.text, at: sandbox.now() };
    let mut kept = sandbox.telephones.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.len() >= KEPT_MAX {
        kept.remove(0);
    }
    kept.push(arrived);
    StatusCode::ACCEPTED.into_response()
}

async fn list(State(sandbox): State<Arc<Sandbox>>, Query(whose): Query<Whose>) -> Json<Value> {
    let shown = |m: &ShortMessage| json!({"to": m.to, "text": m.text, "at": rfc3339(m.at)});
    Json(json!({"messages": sandbox.inbox_of(whose.to.as_deref()).iter().map(shown).collect::<Vec<_>>()}))
}

async fn show(State(sandbox): State<Arc<Sandbox>>, Query(whose): Query<Whose>) -> Response {
    let to = whose.to.filter(|to| !to.is_empty());
    let mut messages = sandbox.inbox_of(to.as_deref());
    messages.reverse();
    let messages = messages.into_iter().map(|m| (m.to, m.text, display_vi(m.at))).collect();
    page(Inbox { to: to.unwrap_or_default(), messages }.render())
}

impl Sandbox {
    /// Brings an answer to the service, as the gateway does.
    async fn bring(&self, reply: &Reply) -> StatusCode {
        let token = self.settings.sms_token.as_ref().map(|token| token.expose().as_str()).unwrap_or_default();
        let body = json!({"from": reply.from, "text": reply.text});
        let sent = self.http.post(self.settings.replies.clone()).bearer_auth(token).json(&body).send().await;
        match sent {
            Ok(answer) if answer.status().is_success() => StatusCode::ACCEPTED,
            Ok(_) | Err(_) => StatusCode::BAD_GATEWAY,
        }
    }

    /// Whether a request presents the gateway's token.
    pub(super) fn lets_send(&self, headers: &HeaderMap) -> bool {
        let shown =
            headers.get(AUTHORIZATION).and_then(|header| header.to_str().ok()?.strip_prefix("Bearer "));
        let token = self.settings.sms_token.as_ref();
        token
            .is_none_or(|token| shown.is_some_and(|shown| equal(shown.as_bytes(), token.expose().as_bytes())))
    }

    fn inbox_of(&self, to: Option<&str>) -> Vec<ShortMessage> {
        let kept = self.telephones.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = to.map(national);
        kept.iter().filter(|m| wanted.as_ref().is_none_or(|to| *to == national(&m.to))).cloned().collect()
    }
}

/// A number as people write it at home: `+84 97…` and `097…` are one telephone. A plus sign in a query reads as a blank.
fn national(number: &str) -> String {
    let digits = number.trim_start_matches(['+', ' ']);
    digits.strip_prefix("84").map_or_else(|| digits.to_owned(), |rest| format!("0{rest}"))
}
