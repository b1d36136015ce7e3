//! The mailboxes of the synthetic population: `POST /mail` receives what the service sends, `/mail` shows it to people,
//! `/script/mail` to programs.

use super::{Sandbox, page};
use crate::base::calendar::{display_vi, rfc3339};
use crate::base::clock::Instant;
use askama::Template;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::{Arc, PoisonError};

/// How many letters are kept; the oldest go first.
const KEPT_MAX: usize = 1_000;

/// A letter that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Letter {
    to: String,
    subject: String,
    text: String,
    at: Instant,
}

pub(super) fn routes() -> Router<Arc<Sandbox>> {
    Router::new()
        .route("/mail", get(show).post(receive).layer(DefaultBodyLimit::max(64 * 1024)))
        .route("/script/mail", get(list))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Incoming {
    to: String,
    subject: String,
    text: String,
}

#[derive(Deserialize)]
struct Whose {
    to: Option<String>,
}

#[derive(Template)]
#[template(path = "mail.html")]
struct Mailboxes {
    to: String,
    letters: Vec<(String, String, String, String)>,
}

async fn receive(
    State(sandbox): State<Arc<Sandbox>>,
    headers: HeaderMap,
    Json(letter): Json<Incoming>,
) -> Response {
    if !sandbox.lets_send(&headers) {
        return (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Bearer")]).into_response();
    }
    if !letter.to.contains('@') || letter.subject.is_empty() || letter.text.is_empty() {
        return StatusCode::UNPROCESSABLE_ENTITY.into_response();
    }
    let Incoming { to, subject, text } = letter;
    let arrived = Letter { to, subject, text, at: sandbox.now() };
    let mut kept = sandbox.mailboxes.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.len() >= KEPT_MAX {
        kept.remove(0);
    }
    kept.push(arrived);
    StatusCode::ACCEPTED.into_response()
}

async fn list(State(sandbox): State<Arc<Sandbox>>, Query(whose): Query<Whose>) -> Json<Value> {
    let shown = |m: &Letter| json!({"to": m.to, "subject": m.subject, "text": m.text, "at": rfc3339(m.at)});
    Json(json!({"letters": sandbox.letters_of(whose.to.as_deref()).iter().map(shown).collect::<Vec<_>>()}))
}

async fn show(State(sandbox): State<Arc<Sandbox>>, Query(whose): Query<Whose>) -> Response {
    let to = whose.to.filter(|to| !to.is_empty());
    let mut letters = sandbox.letters_of(to.as_deref());
    letters.reverse();
    let letters = letters.into_iter().map(|m| (m.to, m.subject, m.text, display_vi(m.at))).collect();
    page(Mailboxes { to: to.unwrap_or_default(), letters }.render())
}

impl Sandbox {
    fn letters_of(&self, to: Option<&str>) -> Vec<Letter> {
        let kept = self.mailboxes.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().filter(|m| to.is_none_or(|to| m.to.eq_ignore_ascii_case(to))).cloned().collect()
    }
}
