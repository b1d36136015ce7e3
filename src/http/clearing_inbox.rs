//! `POST /clearing/inbox`: signed messages of the clearing system, answered with signed answers.
//!
//! A message is believed when its signature verifies against the pinned keys (RFC 9421). What has been taken is
//! answered `200` with one word, the same for every repetition; what is refused is answered with a message reject
//! (`admi.002`) that names the reason. Both are signed over the request's signature, so that an answer answers one
//! request. An answer to somebody whose signature is not believed is not signed.

use super::signed;
use crate::app::App;
use crate::base::{
    clock::Instant,
    id::{self, Id},
    text::Line,
};
use crate::codec::{
    http_signature::Signature,
    iso20022::{self, CONTENT_TYPE, Header, Message, MessageId, MessageReject},
};
use crate::crypto::keyring::Purpose;
use crate::flow::{Error, take_message::take_message};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, OriginalUri, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;

/// The route, for messages of at most that size.
pub fn routes(bytes_max: usize) -> Router<App> {
    Router::new().route("/clearing/inbox", post(take)).layer(DefaultBodyLimit::max(bytes_max))
}

async fn take(State(app): State<App>, uri: OriginalUri, headers: HeaderMap, body: Bytes) -> Response {
    let now = app.clock.now();
    let signature = match signed::verified(&app, &uri, &headers, &body, &app.clearing_keys, now) {
        Ok(signature) => signature,
        Err(refusal) => return (StatusCode::UNAUTHORIZED, refusal.code()).into_response(),
    };
    let received = match iso20022::read(&body, app.limits.message_bytes_max) {
        Ok(received) => received,
        Err(refusal) => {
            tracing::warn!(code = refusal.code(), "a message of the clearing system does not read");
            return answer(&app, StatusCode::BAD_REQUEST, refusal.code().to_owned(), &signature, now);
        }
    };
    let head = received.header.clone();
    match take_message(&app, received).await {
        Ok(word) => answer(&app, StatusCode::OK, word, &signature, now),
        Err(error) => {
            let status = signed::status(&error);
            match &error {
                Error::Internal(cause) => {
                    tracing::error!(?cause, message = %head.id, "a message of the clearing system failed");
                }
                other => tracing::warn!(code = other.code(), message = %head.id, "a message is not taken"),
            }
            answer(&app, status, reject(&app, &head, error.code(), now), &signature, now)
        }
    }
}

/// The message that refuses a message.
fn reject(app: &App, head: &Header, code: &str, now: Instant) -> String {
    let id: Id<id::Message> = Id::new(now, &*app.entropy);
    let (from, to) = (head.to.clone(), head.from.clone());
    let header = Header { from, to, id: MessageId(id.uuid()), created: now, possible_duplicate: false };
    let line = |text: &str| Line::parse(text).ok();
    match (line(&head.id.to_string()), line(code)) {
        (Some(refused), Some(code)) => {
            let reject = MessageReject { refused, code, at: now, description: None };
            iso20022::write(&header, &Message::MessageReject(reject))
        }
        _ => code.to_owned(),
    }
}

fn answer(app: &App, status: StatusCode, body: String, to: &Signature, now: Instant) -> Response {
    let kind = if body.starts_with('<') { CONTENT_TYPE } else { "text/plain" };
    signed::answer(status, kind, body, to, app.keys.signing(Purpose::Message), now)
}
