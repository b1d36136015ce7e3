//! `/oidc/introspect` and `/oidc/revoke`: what a token is still worth (RFC 7662, RFC 9701), and giving one back
//! (RFC 7009).

use super::client_proof::{ClientForm, authenticate, one, parameters, unstored};
use crate::app::App;
use crate::flow::{
    check_client::check,
    introspect::{introspect, introspect_signed},
    revoke_token::revoke_token,
};
use crate::http::oauth_error::{OAuthError, invalid_request};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// The media type of a signed answer (RFC 9701).
const SIGNED: &str = "application/token-introspection+jwt";

/// What a token is worth, plainly or signed, as the client accepts it.
pub async fn worth(
    State(app): State<App>,
    headers: HeaderMap,
    form: ClientForm,
) -> Result<Response, OAuthError> {
    let parameters = parameters(form)?;
    let client = authenticate(&app, &headers, &parameters, "/oidc/introspect").await?;
    let token = one(&parameters, "token")?.ok_or(invalid_request("token", "missing"))?;
    let accepted = headers.get(header::ACCEPT).and_then(|h| h.to_str().ok()).unwrap_or_default();
    if accepted.split(',').any(|kind| kind.split(';').next().is_some_and(|kind| kind.trim() == SIGNED)) {
        let signed = introspect_signed(&app, &client, token).await?;
        let kept = [(header::CONTENT_TYPE, SIGNED), (header::CACHE_CONTROL, "no-store")];
        return Ok((kept, signed).into_response());
    }
    Ok(unstored(introspect(&app, &client, token).await?))
}

/// The self-test: what is still wrong with the client that asks.
pub async fn self_test(
    State(app): State<App>,
    headers: HeaderMap,
    form: ClientForm,
) -> Result<Response, OAuthError> {
    let parameters = parameters(form)?;
    let client = authenticate(&app, &headers, &parameters, "/oidc/self-test").await?;
    Ok(unstored(check(&app, &client).await?))
}

/// Gives a token back.
pub async fn revoke(
    State(app): State<App>,
    headers: HeaderMap,
    form: ClientForm,
) -> Result<StatusCode, OAuthError> {
    let parameters = parameters(form)?;
    let client = authenticate(&app, &headers, &parameters, "/oidc/revoke").await?;
    let token = one(&parameters, "token")?.ok_or(invalid_request("token", "missing"))?;
    revoke_token(&app, &client, token).await?;
    Ok(StatusCode::OK)
}
