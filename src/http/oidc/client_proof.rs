//! What every endpoint for clients shares: the form, the client's own proof, the proof of a key, and answers that
//! nobody keeps.

use crate::app::App;
use crate::base::id::{self, Id};
use crate::flow::{
    Error, Refusal,
    authenticate_client::{Proof, authenticate_client},
    check_client::{Answered, note_refusal},
    dpop::{self, Presented},
};
use crate::http::oauth_error::{OAuthError, described, invalid_request};
use crate::identity::{client::Client, request::Parameters};
use axum::Json;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum_extra::extract::{Form, FormRejection};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;
use url::form_urlencoded;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// The header of proofs (RFC 9449).
pub const DPOP: &str = "dpop";
/// The header of their nonces.
pub const DPOP_NONCE: &str = "dpop-nonce";

/// A form as an endpoint for clients takes it.
pub type ClientForm = Result<Form<Vec<(String, String)>>, FormRejection>;

/// The parameters of a form.
pub fn parameters(form: ClientForm) -> Result<Parameters, OAuthError> {
    let Form(pairs) = form.map_err(|_| invalid_request("body", "must_be_a_form"))?;
    Ok(Parameters::new(pairs))
}

/// The one value of a parameter.
pub fn one<'a>(parameters: &'a Parameters, name: &'static str) -> Result<Option<&'a str>, OAuthError> {
    parameters.one(name).map_err(|repeated| invalid_request(repeated.0, "repeated"))
}

/// The client that proves itself at this endpoint.
pub async fn authenticate(
    app: &App,
    headers: &HeaderMap,
    parameters: &Parameters,
    path: &'static str,
) -> Result<Client, OAuthError> {
    let proof = proof(headers, parameters)?;
    match authenticate_client(app, &proof, path).await {
        Ok(client) => Ok(client),
        Err(error) => {
            let claimed = proof.claimed().and_then(|client| client.parse().ok());
            if let Some(client) = claimed {
                note(app, client, "authenticate", &error).await;
            }
            Err(OAuthError(error))
        }
    }
}

/// The outcome of a client's request, a refusal noted for its self-test.
pub async fn noted<T>(
    app: &App,
    client: &Client,
    step: &'static str,
    outcome: Result<T, OAuthError>,
) -> Result<T, OAuthError> {
    if let Err(OAuthError(error)) = &outcome {
        note(app, client.id, step, error).await;
    }
    outcome
}

async fn note(app: &App, client: Id<id::Client>, step: &'static str, error: &Error) {
    // A nonce that is over is no mistake of anybody's, and what fails here is not the client's.
    let Error::Refused(refusal) = error else { return };
    if !["use_dpop_nonce", "authorization_pending", "slow_down"].contains(&refusal.code) {
        let reason = described(refusal);
        note_refusal(app, client, step, &Answered { code: refusal.code, reason: &reason }).await;
    }
}

/// The thumbprint of the key that the client proves to hold, if it proves any.
pub async fn possession(
    app: &App,
    headers: &HeaderMap,
    path: &'static str,
) -> Result<Option<String>, OAuthError> {
    match presented(headers)? {
        None => Ok(None),
        Some(proof) => {
            Ok(Some(dpop::prove(app, &Presented { proof, method: "POST", path, token: None }).await?))
        }
    }
}

/// The one proof of a request.
pub fn presented(headers: &HeaderMap) -> Result<Option<&str>, Error> {
    let refused = || Error::Refused(Refusal::new("invalid_dpop_proof").violation("dpop", "repeated", None));
    let mut all = headers.get_all(DPOP).iter();
    match (all.next(), all.next()) {
        (None, _) => Ok(None),
        (Some(one), None) => one.to_str().map(Some).map_err(|_| refused()),
        (Some(_), Some(_)) => Err(refused()),
    }
}

/// An answer that nobody keeps.
pub fn unstored(body: Value) -> Response {
    let mut response = Json(body).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The answer to a client that uses proofs brings the nonce for its next one.
pub fn with_nonce(app: &App, headers: &HeaderMap, answer: impl IntoResponse) -> Response {
    let mut response = answer.into_response();
    if headers.contains_key(DPOP)
        && let Ok(nonce) = HeaderValue::from_str(&dpop::nonce(app, app.clock.now()))
    {
        response.headers_mut().insert(DPOP_NONCE, nonce);
    }
    response
}

/// How the client proves itself: exactly one way (RFC 6749, section 2.3).
fn proof(headers: &HeaderMap, parameters: &Parameters) -> Result<Proof, OAuthError> {
    let (kind, assertion) = (one(parameters, "client_assertion_type")?, one(parameters, "client_assertion")?);
    let in_body = one(parameters, "client_secret")?.is_some();
    match (headers.get(header::AUTHORIZATION), kind, assertion) {
        (None, Some(ASSERTION_TYPE), Some(jwt)) if !in_body => Ok(Proof::Assertion {
            client: one(parameters, "client_id")?.map(str::to_owned),
            jwt: jwt.to_owned(),
        }),
        (Some(header), None, None) if !in_body => {
            basic(header).ok_or_else(|| unproved("authorization", "malformed"))
        }
        (None, None, None) if in_body => {
            Err(unproved("client_secret", "belongs_in_the_authorization_header"))
        }
        (None, None, None) => Err(unproved("client", "not_authenticated")),
        (None, Some(_), _) | (None, None, Some(_)) if !in_body => {
            Err(unproved("client_assertion_type", "unknown"))
        }
        _ => Err(invalid_request("client", "authenticated_in_two_ways")),
    }
}

fn unproved(field: &'static str, rule: &'static str) -> OAuthError {
    OAuthError(Error::Refused(Refusal::new("invalid_client").violation(field, rule, None)))
}

/// `Basic`, both halves form-encoded (RFC 6749, section 2.3.1).
fn basic(header: &HeaderValue) -> Option<Proof> {
    let (scheme, encoded) = header.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(BASE64_STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (client, secret) = text.split_once(':')?;
    let decoded = |half: &str| {
        form_urlencoded::parse(half.as_bytes()).next().map(|(name, _)| name.into_owned()).unwrap_or_default()
    };
    Some(Proof::Secret { client: decoded(client), secret: decoded(secret) })
}
