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
use axum::extract::{DefaultBodyLimit, OriginalUri, State, rejection::BytesRejection};
use axum::http::{HeaderMap, StatusCode, header::CONTENT_TYPE as CONTENT_TYPE_NAME};
use axum::response::{IntoResponse, Response};
use axum::routing::post;

/// The route, for messages of at most that size.
pub fn routes(bytes_max: usize) -> Router<App> {
    Router::new().route("/clearing/inbox", post(take)).layer(DefaultBodyLimit::max(bytes_max))
}

async fn take(
    State(app): State<App>,
    uri: OriginalUri,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let now = app.clock.now();
    // A signature covers the whole of a message: of one that is not read to its end nobody knows whose it is.
    let Ok(body) = body else { return (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large").into_response() };
    let signature = match signed::verified(&app, &uri, &headers, &body, &app.clearing_peer.keys, now) {
        Ok(signature) => signature,
        Err(refusal) => return (StatusCode::UNAUTHORIZED, refusal.code()).into_response(),
    };
    if headers.get(CONTENT_TYPE_NAME).is_none_or(|kind| kind.as_bytes() != CONTENT_TYPE.as_bytes()) {
        let word = "unsupported_media_type".to_owned();
        return answer(&app, StatusCode::UNSUPPORTED_MEDIA_TYPE, word, &signature, now);
    }
    let received = match iso20022::read(&body, app.limits.message_bytes_max) {
        Ok(received) => received,
        Err(refusal) => {
            tracing::warn!(code = refusal.code(), "a message of the clearing system does not read");
            return answer(&app, StatusCode::BAD_REQUEST, refusal.code().to_owned(), &signature, now);
        }
    };
    let head = received.header.clone();
    // A message that the same key signs may be meant for another member, or told in another one's name.
    if (&head.from, &head.to) != (&app.clearing_peer.them, &app.clearing_peer.us) {
        tracing::warn!(message = %head.id, "a message of the clearing system is between others");
        let refused = reject(&app, &head, "other_parties", now);
        return answer(&app, StatusCode::UNPROCESSABLE_ENTITY, refused, &signature, now);
    }
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
