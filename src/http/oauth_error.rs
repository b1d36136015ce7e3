//! Refusals of the OAuth endpoints on the wire (RFC 6749, section 5.2; RFC 6750, section 3.1).
//!
//! The refusal's code is the `error`; its violations become the `error_description`, in ASCII, for a developer.

use crate::flow::{Error, Refusal};
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// A flow's refusal as an answer of an OAuth endpoint.
pub struct OAuthError(pub Error);

impl From<Error> for OAuthError {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

/// A refusal of the request's form.
pub fn invalid_request(field: &'static str, rule: &'static str) -> OAuthError {
    OAuthError(Error::Refused(Refusal::new("invalid_request").violation(field, rule, None)))
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let (status, code, refusal) = match self.0 {
            Error::Refused(r) | Error::NotFound(r) | Error::Conflict(r) | Error::Forbidden(r) => {
                let status = match r.code {
                    "invalid_client" | "invalid_token" => StatusCode::UNAUTHORIZED,
                    _ => StatusCode::BAD_REQUEST,
                };
                (status, r.code, r)
            }
            Error::Unavailable(r) => (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", r),
            Error::Internal(cause) => {
                tracing::error!(?cause, "a request failed");
                (StatusCode::INTERNAL_SERVER_ERROR, "server_error", Refusal::new("internal"))
            }
        };
        let described =
            refusal.violations.iter().map(|v| format!("{}: {}", v.field, v.rule.replace('_', " ")));
        let description = described.collect::<Vec<_>>().join("; ");
        let mut body = json!({ "error": code });
        if !description.is_empty() {
            body["error_description"] = json!(description);
        }
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let challenge = match code {
            "invalid_client" => Some("Basic realm=\"chung\""),
            "invalid_token" => Some("Bearer error=\"invalid_token\""),
            _ => None,
        };
        if let Some(challenge) = challenge {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}
