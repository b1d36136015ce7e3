//! `/oidc/ciba`: an officer's system starts a sign-in for the citizen at its counter (OpenID Connect CIBA, poll mode).

use super::client_proof::{ClientForm, authenticate, noted, parameters, unstored};
use crate::app::App;
use crate::flow::start_counter::start_counter;
use crate::http::oauth_error::OAuthError;
use crate::http::session::From;
use crate::identity::counter::POLL_PAUSE;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::json;

/// The backchannel authentication endpoint.
pub async fn start(
    State(app): State<App>,
    From(address): From,
    headers: HeaderMap,
    form: ClientForm,
) -> Result<Response, OAuthError> {
    let parameters = parameters(form)?;
    let client = authenticate(&app, &headers, &parameters, "/oidc/ciba").await?;
    let outcome = start_counter(&app, &client, &parameters, address).await.map_err(OAuthError);
    let waiting = noted(&app, &client, "counter", outcome).await?;
    Ok(unstored(json!({
        "auth_req_id": waiting.name.expose(),
        "expires_in": waiting.life.whole_seconds(),
        "interval": POLL_PAUSE.whole_seconds(),
        // Of our own: whether the phone was asked. Where it was not, the citizen signs a sheet at the counter.
        "phone": if waiting.told { "asked" } else { "not_asked" },
    })))
}
