//! `/oidc/token`: codes, refresh tokens and clients' own credentials for tokens.

use super::client_proof::{
    ClientForm, authenticate, noted, one, parameters, possession, unstored, with_nonce,
};
use crate::app::App;
use crate::flow::{
    Error, Refusal,
    approve_counter::{PollRequest, poll_counter},
    exchange_code::{CodeRequest, Exchanged, exchange_code},
    issue_token::{ACCESS_TOKEN_LIFE, issue_client_token},
    refresh_tokens::{RefreshRequest, refresh_tokens},
};
use crate::http::oauth_error::{OAuthError, invalid_request};
use crate::identity::{client::Client, request::Parameters};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Value, json};

const PATH: &str = "/oidc/token";

/// The token endpoint.
pub async fn token(State(app): State<App>, headers: HeaderMap, form: ClientForm) -> Response {
    let answer = granted(&app, &headers, form).await.map(unstored);
    with_nonce(&app, &headers, answer)
}

async fn granted(app: &App, headers: &HeaderMap, form: ClientForm) -> Result<Value, OAuthError> {
    let parameters = parameters(form)?;
    let grant_type = one(&parameters, "grant_type")?.ok_or(invalid_request("grant_type", "missing"))?;
    let client = authenticate(app, headers, &parameters, PATH).await?;
    let outcome = by_grant(app, headers, &client, &parameters, grant_type).await;
    noted(app, &client, "token", outcome).await
}

async fn by_grant(
    app: &App,
    headers: &HeaderMap,
    client: &Client,
    parameters: &Parameters,
    grant_type: &str,
) -> Result<Value, OAuthError> {
    let resource = parameters.one("resource").map_err(|_| {
        OAuthError(Error::Refused(Refusal::new("invalid_target").violation("resource", "repeated", None)))
    })?;
    match grant_type {
        "authorization_code" => {
            let request = CodeRequest {
                code: one(parameters, "code")?,
                redirect_uri: one(parameters, "redirect_uri")?,
                verifier: one(parameters, "code_verifier")?,
                resource,
                key: possession(app, headers, PATH).await?,
            };
            told(exchange_code(app, client, request).await?, "code")
        }
        "refresh_token" => {
            let request = RefreshRequest {
                token: one(parameters, "refresh_token")?,
                scope: one(parameters, "scope")?,
                resource,
                key: possession(app, headers, PATH).await?,
            };
            told(refresh_tokens(app, client, request).await?, "refresh_token")
        }
        "urn:openid:params:grant-type:ciba" => {
            let request = PollRequest {
                name: one(parameters, "auth_req_id")?,
                resource,
                key: possession(app, headers, PATH).await?,
            };
            told(poll_counter(app, client, request).await?, "auth_req_id")
        }
        "client_credentials" => own(app, headers, client, parameters, resource).await,
        _ => Err(OAuthError(Error::refused("unsupported_grant_type"))),
    }
}

async fn own(
    app: &App,
    headers: &HeaderMap,
    client: &Client,
    parameters: &Parameters,
    resource: Option<&str>,
) -> Result<Value, OAuthError> {
    if client.scopes.is_empty() {
        return Err(OAuthError(Error::refused("unauthorized_client")));
    }
    let key = possession(app, headers, PATH).await?;
    let issued = issue_client_token(app, client, one(parameters, "scope")?, resource, key)?;
    Ok(json!({
        "access_token": issued.access_token,
        "token_type": token_type(issued.bound),
        "expires_in": ACCESS_TOKEN_LIFE.whole_seconds(),
        "scope": issued.scopes.to_string(),
    }))
}

const fn token_type(bound: bool) -> &'static str {
    if bound { "DPoP" } else { "Bearer" }
}

/// The answer to an exchange of `what`.
pub(super) fn told(exchanged: Exchanged, what: &'static str) -> Result<Value, OAuthError> {
    match exchanged {
        Exchanged::Tokens(tokens) => {
            let mut body = json!({
                "access_token": tokens.access_token,
                "token_type": token_type(tokens.bound),
                "expires_in": ACCESS_TOKEN_LIFE.whole_seconds(),
                "scope": tokens.scope,
                "id_token": tokens.id_token,
            });
            if let Some(refresh) = &tokens.refresh_token {
                body["refresh_token"] = json!(refresh.expose());
            }
            Ok(body)
        }
        Exchanged::Waiting { too_soon } => {
            let code = if too_soon { "slow_down" } else { "authorization_pending" };
            let refusal = Refusal::new(code).violation(what, "waits_for_the_citizen", None);
            Err(OAuthError(Error::Refused(refusal)))
        }
        Exchanged::Replayed => {
            let refusal = Refusal::new("invalid_grant").violation(what, "used_before", None);
            Err(OAuthError(Error::Refused(refusal)))
        }
    }
}
