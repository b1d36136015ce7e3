//! `/oidc/par`: a portal pushes its request (RFC 9126).

use super::{
    authorize::read_claims,
    client_proof::{ClientForm, authenticate, noted, parameters, possession, unstored, with_nonce},
};
use crate::app::App;
use crate::flow::push_request::{PUSHED_LIFE, push_request};
use crate::http::oauth_error::OAuthError;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

const PATH: &str = "/oidc/par";

/// The endpoint for pushed requests.
pub async fn push(State(app): State<App>, headers: HeaderMap, form: ClientForm) -> Response {
    let answer = pushed(&app, &headers, form).await;
    with_nonce(&app, &headers, answer)
}

async fn pushed(app: &App, headers: &HeaderMap, form: ClientForm) -> Result<Response, OAuthError> {
    let parameters = parameters(form)?;
    let client = authenticate(app, headers, &parameters, PATH).await?;
    let kept = async {
        let key = possession(app, headers, PATH).await?;
        Ok(push_request(app, &client, &parameters, key, read_claims).await?)
    };
    let name = noted(app, &client, "push", kept.await).await?;
    let body = json!({ "request_uri": name, "expires_in": PUSHED_LIFE.whole_seconds() });
    Ok((StatusCode::CREATED, unstored(body)).into_response())
}
