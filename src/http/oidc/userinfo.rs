//! `/oidc/userinfo`: what a portal may know of a citizen.

use super::client_proof::{ClientForm, presented, unstored, with_nonce};
use crate::app::App;
use crate::flow::{self, Error, dpop::Presented, userinfo::Shown};
use crate::http::oauth_error::ResourceError;
use crate::identity::request::Parameters;
use axum::extract::State;
use axum::http::{HeaderMap, Method, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

const PATH: &str = "/oidc/userinfo";
const KYC_PATH: &str = "/oidc/kyc";

/// The claims that the citizen consented to, once, as a signed token.
pub async fn kyc(State(app): State<App>, method: Method, headers: HeaderMap) -> Response {
    let answer = delivered(&app, &method, &headers).await;
    with_nonce(&app, &headers, answer)
}

async fn delivered(app: &App, method: &Method, headers: &HeaderMap) -> Result<Response, ResourceError> {
    let signed = flow::deliver_kyc::deliver_kyc(app, shown(method, KYC_PATH, headers, None)?).await?;
    let headers = [(header::CONTENT_TYPE, "application/jwt"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, signed).into_response())
}

/// The claims under an access token, which comes in the header, or by POST in a form (RFC 6750, section 2.2); never
/// in an address, so that no log keeps it.
pub async fn userinfo(
    State(app): State<App>,
    method: Method,
    headers: HeaderMap,
    form: ClientForm,
) -> Response {
    let in_form = form.ok().filter(|_| method == Method::POST).map(|form| Parameters::new(form.0));
    let answer = told(&app, &method, &headers, in_form.as_ref()).await;
    with_nonce(&app, &headers, answer.map(unstored))
}

async fn told(
    app: &App,
    method: &Method,
    headers: &HeaderMap,
    form: Option<&Parameters>,
) -> Result<Value, ResourceError> {
    let in_form = form.and_then(|form| form.one("access_token").ok().flatten());
    let shown = shown(method, PATH, headers, in_form)?;
    Ok(Value::Object(flow::userinfo::userinfo(app, shown).await?))
}

/// The token, and the proof that comes with a bound one.
fn shown<'a>(
    method: &'a Method,
    path: &'a str,
    headers: &'a HeaderMap,
    in_form: Option<&'a str>,
) -> Result<Shown<'a>, ResourceError> {
    let header = headers.get(header::AUTHORIZATION).and_then(|h| h.to_str().ok());
    let missing = || ResourceError(Error::refused("token_missing"));
    match (header.and_then(|h| h.split_once(' ')), in_form) {
        (Some((scheme, token)), None) if scheme.eq_ignore_ascii_case("bearer") => {
            Ok(Shown { token, proof: None })
        }
        (Some((scheme, token)), None) if scheme.eq_ignore_ascii_case("dpop") => {
            let proof = presented(headers)?.ok_or(Error::refused("invalid_dpop_proof"))?;
            let proof = Presented { proof, method: method.as_str(), path, token: Some(token) };
            Ok(Shown { token, proof: Some(proof) })
        }
        (None, Some(token)) if header.is_none() => Ok(Shown { token, proof: None }),
        _ => Err(missing()),
    }
}
