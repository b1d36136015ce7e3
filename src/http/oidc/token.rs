//! `/oidc/token`: codes for tokens, and tokens for systems.

use crate::app::App;
use crate::flow::{
    Error, Refusal,
    authenticate_client::{Proof, authenticate_client},
    exchange_code::{CodeRequest, Exchanged, exchange_code},
    issue_token::{ACCESS_TOKEN_LIFE, issue_client_token},
};
use crate::http::oauth_error::{OAuthError, invalid_request};
use crate::identity::request::Parameters;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum_extra::extract::{Form, FormRejection};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use url::form_urlencoded;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The token endpoint.
pub async fn token(
    State(app): State<App>,
    headers: HeaderMap,
    form: Result<Form<Vec<(String, String)>>, FormRejection>,
) -> Result<Response, OAuthError> {
    let Form(pairs) = form.map_err(|_| invalid_request("body", "must_be_a_form"))?;
    let parameters = Parameters::new(pairs);
    let one = |name| parameters.one(name).map_err(|repeated| invalid_request(repeated.0, "repeated"));
    let grant_type = one("grant_type")?.ok_or(invalid_request("grant_type", "missing"))?;
    let client = authenticate_client(&app, &proof(&headers, &parameters)?).await?;
    let body = match grant_type {
        "authorization_code" => {
            let request = CodeRequest {
                code: one("code")?,
                redirect_uri: one("redirect_uri")?,
                verifier: one("code_verifier")?,
            };
            match exchange_code(&app, &client, &request).await? {
                Exchanged::Tokens(tokens) => json!({
                    "access_token": tokens.access_token,
                    "token_type": "Bearer",
                    "expires_in": ACCESS_TOKEN_LIFE.whole_seconds(),
                    "scope": tokens.scope,
                    "id_token": tokens.id_token,
                }),
                Exchanged::Replayed => {
                    let refusal = Refusal::new("invalid_grant").violation("code", "used_before", None);
                    return Err(OAuthError(Error::Refused(refusal)));
                }
            }
        }
        "client_credentials" => {
            if client.scopes.is_empty() {
                return Err(OAuthError(Error::refused("unauthorized_client")));
            }
            let issued = issue_client_token(&app, &client, one("scope")?)?;
            json!({
                "access_token": issued.access_token,
                "token_type": "Bearer",
                "expires_in": ACCESS_TOKEN_LIFE.whole_seconds(),
                "scope": issued.scopes.to_string(),
            })
        }
        _ => return Err(OAuthError(Error::refused("unsupported_grant_type"))),
    };
    Ok(unstored(body))
}

fn unstored(body: Value) -> Response {
    let mut response = Json(body).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// How the client proves itself: exactly one way (RFC 6749, section 2.3).
fn proof(headers: &HeaderMap, parameters: &Parameters) -> Result<Proof, OAuthError> {
    let one = |name| parameters.one(name).map_err(|repeated| invalid_request(repeated.0, "repeated"));
    let (kind, assertion) = (one("client_assertion_type")?, one("client_assertion")?);
    let in_body = one("client_secret")?.is_some();
    match (headers.get(header::AUTHORIZATION), kind, assertion) {
        (None, Some(ASSERTION_TYPE), Some(jwt)) if !in_body => {
            Ok(Proof::Assertion { client: one("client_id")?.map(str::to_owned), jwt: jwt.to_owned() })
        }
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
