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

/// What was wrong, in ASCII, for a developer.
pub fn described(refusal: &Refusal) -> String {
    let all = refusal.violations.iter().map(|v| format!("{}: {}", v.field, v.rule.replace('_', " ")));
    all.collect::<Vec<_>>().join("; ")
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let (status, code, refusal) = match self.0 {
            Error::Refused(r) | Error::NotFound(r) | Error::Conflict(r) | Error::Forbidden(r) => {
                let status = match r.code {
                    "invalid_client" => StatusCode::UNAUTHORIZED,
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
        let description = described(&refusal);
        let mut body = json!({ "error": code });
        if !description.is_empty() {
            body["error_description"] = json!(description);
        }
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if code == "invalid_client" {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"chung\""));
        }
        response
    }
}

/// A flow's refusal as an answer of a protected resource: 401 with a challenge for both schemes (RFC 6750 section 3,
/// RFC 9449 section 7.1, RFC 9470 section 3).
pub struct ResourceError(pub Error);

impl From<Error> for ResourceError {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for ResourceError {
    fn into_response(self) -> Response {
        let (code, acr) = match &self.0 {
            Error::Refused(refusal) => (
                refusal.code,
                refusal.violations.iter().find_map(|v| v.sent.clone().filter(|_| v.field == "acr")),
            ),
            _ => ("", None),
        };
        let challenge = match code {
            "token_missing" => format!("DPoP algs=\"{PROOF_ALGORITHMS}\", Bearer"),
            "invalid_token" => {
                format!(
                    "DPoP error=\"invalid_token\", algs=\"{PROOF_ALGORITHMS}\", Bearer error=\"invalid_token\""
                )
            }
            "invalid_dpop_proof" | "use_dpop_nonce" => {
                format!("DPoP error=\"{code}\", algs=\"{PROOF_ALGORITHMS}\"")
            }
            "insufficient_user_authentication" => {
                let acr = acr.unwrap_or_default();
                format!(
                    "DPoP error=\"{code}\", error_description=\"a stronger sign-in is needed\", acr_values=\"{acr}\", \
                     algs=\"{PROOF_ALGORITHMS}\", Bearer error=\"{code}\", \
                     error_description=\"a stronger sign-in is needed\", acr_values=\"{acr}\""
                )
            }
            _ => return OAuthError(self.0).into_response(),
        };
        let mut response = OAuthError(self.0).into_response();
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        if let Ok(challenge) = HeaderValue::from_str(&challenge) {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// The algorithms that proofs and assertions may be signed with.
pub const PROOF_ALGORITHMS: &str = "ES256 EdDSA PS256";
