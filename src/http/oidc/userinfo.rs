//! `/oidc/userinfo`: what a portal may know of a citizen.

use crate::app::App;
use crate::flow::{self, Error};
use crate::http::oauth_error::OAuthError;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};

/// The claims that the citizen consented to, once, as a signed token.
pub async fn kyc(State(app): State<App>, headers: HeaderMap) -> Result<Response, OAuthError> {
    let header = headers.get(header::AUTHORIZATION).and_then(|h| h.to_str().ok());
    let token = header.and_then(|h| h.strip_prefix("Bearer ")).ok_or(Error::refused("invalid_token"))?;
    let signed = flow::deliver_kyc::deliver_kyc(&app, token).await?;
    let headers = [(header::CONTENT_TYPE, "application/jwt"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, signed).into_response())
}

/// The claims under a bearer token; the token comes in the header only, so that no log of addresses keeps it.
pub async fn userinfo(State(app): State<App>, headers: HeaderMap) -> Result<Response, OAuthError> {
    let header = headers.get(header::AUTHORIZATION).and_then(|h| h.to_str().ok());
    let token = header.and_then(|h| h.strip_prefix("Bearer ")).ok_or(Error::refused("invalid_token"))?;
    let claims = flow::userinfo::userinfo(&app, token).await?;
    let mut response = Json(claims).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
