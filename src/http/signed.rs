//! Signed messages between institutions, as they come in and as they are answered (RFC 9421): one check and one answer
//! for every inbox.

use crate::app::App;
use crate::base::clock::Instant;
use crate::codec::http_signature::{self as signature, Headers, Signature};
use crate::crypto::signing::{KeyList, Signer};
use crate::flow::Error;
use axum::extract::OriginalUri;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// The signature of a request that is signed by one of these keys; each header stands exactly once.
pub fn verified(
    app: &App,
    uri: &OriginalUri,
    headers: &HeaderMap,
    body: &[u8],
    keys: &KeyList,
    now: Instant,
) -> Result<Signature, signature::Refusal> {
    let one = |name: &str| {
        let mut values = headers.get_all(name).iter();
        match (values.next().and_then(|v| v.to_str().ok()), values.next()) {
            (Some(value), None) => Ok(value.to_owned()),
            _ => Err(signature::Refusal::Malformed),
        }
    };
    let content_type = one(header::CONTENT_TYPE.as_str())?;
    let target_uri = app.origin.at(uri.path_and_query().map_or("/", |path| path.as_str()));
    let request =
        signature::Request { method: "POST", target_uri: &target_uri, content_type: &content_type, body };
    let headers = Headers {
        content_digest: one("content-digest")?,
        signature_input: one("signature-input")?,
        signature: one("signature")?,
    };
    signature::verify_request(&request, &headers, keys, now).map(|signed| signed.signature)
}

/// The status that tells an institution what became of its message.
pub const fn status(error: &Error) -> StatusCode {
    match error {
        Error::Refused(_) | Error::NotFound(_) | Error::Forbidden(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Error::Conflict(_) => StatusCode::CONFLICT,
        Error::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// An answer that is signed over the request's signature.
pub fn answer(
    status: StatusCode,
    kind: &str,
    body: String,
    to: &Signature,
    key: &dyn Signer,
    now: Instant,
) -> Response {
    let unsigned = signature::Answer { status: status.as_u16(), body: body.as_bytes() };
    let signed = signature::sign_answer(&unsigned, to, key, now);
    let headers = [
        (header::CONTENT_TYPE.as_str(), kind.to_owned()),
        ("content-digest", signed.content_digest),
        ("signature-input", signed.signature_input),
        ("signature", signed.signature),
    ];
    (status, headers, body).into_response()
}
