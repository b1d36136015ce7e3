//! JSON bodies: read strictly, refused by name.

use super::{pace::is_stalled, problem::Problem};
use crate::base::id::{Client, Id};
use crate::flow::{Error, Refusal, idempotency::Idempotency};
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use serde::{Serialize, de::DeserializeOwned};

/// The header that makes a repeated act one act.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// A parsed body. The shape's fields decide what is known; unknown members are refused where the shape says so.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let media = request.headers().get(header::CONTENT_TYPE).and_then(|h| h.to_str().ok()).unwrap_or("");
        let media = media.split(';').next().unwrap_or_default().trim();
        if !media.eq_ignore_ascii_case("application/json") {
            return Err(Error::refused("unsupported_media_type").into());
        }
        let body = Bytes::from_request(request, state).await.map_err(|rejection| {
            if is_stalled(&rejection) {
                return Error::refused("upload_stalled");
            }
            match rejection.into_response().status() {
                StatusCode::PAYLOAD_TOO_LARGE => Error::refused("body_too_large"),
                _ => Error::refused("invalid_body"),
            }
        })?;
        serde_json::from_slice(&body).map(Self).map_err(|e| malformed(&e).into())
    }
}

/// The place and the rule, never the value: it may be personal.
fn malformed(error: &serde_json::Error) -> Error {
    let rule = match error.classify() {
        serde_json::error::Category::Data => "shape",
        serde_json::error::Category::Syntax | serde_json::error::Category::Io => "json",
        serde_json::error::Category::Eof => "incomplete",
    };
    let place = format!("line {} column {}", error.line(), error.column());
    Error::Refused(Refusal::new("invalid_body").violation(place, rule, None))
}

/// The request's `Idempotency-Key` with the digest of what it asks; missing or misshapen is a refusal.
pub fn idempotency(
    headers: &HeaderMap,
    client: Id<Client>,
    act: &str,
    body: &impl Serialize,
) -> Result<Idempotency, Error> {
    let key = headers.get(IDEMPOTENCY_KEY).and_then(|h| h.to_str().ok());
    let key = key.ok_or(Error::refused("idempotency_key_missing"))?;
    let canonical = serde_json::to_vec(body).map_err(Error::internal)?;
    Idempotency::new(client, key, act, &canonical).ok_or_else(|| {
        Error::Refused(Refusal::new("invalid_parameter").violation("Idempotency-Key", "shape", None))
    })
}
