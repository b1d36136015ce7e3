//! Tokens, signed: for a portal about a citizen, and for an agency's system in its own name.

use super::{Error, Refusal, Result};
use crate::app::App;
use crate::base::{
    clock::Instant,
    id::{self, Id},
};
use crate::crypto::{digest::sha256, jwt, keyring::Purpose};
use crate::identity::{
    client::Client,
    pseudonym::Subject,
    token::{Actor, ApiScope, ApiScopes, IdToken},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::json;
use time::Duration;

/// How long an access token lasts. Short, because it is checked in memory; what it may do is read each time.
pub const ACCESS_TOKEN_LIFE: Duration = Duration::minutes(10);
/// How long an ID token is accepted: long enough to be received.
pub const ID_TOKEN_LIFE: Duration = Duration::minutes(5);
/// The `typ` of access tokens (RFC 9068).
pub const ACCESS_TOKEN_TYPE: &str = "at+jwt";

/// A token of a client's own.
pub struct ClientToken {
    /// The token.
    pub access_token: String,
    /// What it allows.
    pub scopes: ApiScopes,
}

/// Gives an authenticated client a token for the API (RFC 6749, section 4.4).
pub fn issue_client_token(app: &App, client: &Client, asked: Option<&str>) -> Result<ClientToken> {
    let invalid = || Error::Refused(Refusal::new("invalid_scope"));
    let asked: Vec<ApiScope> =
        ApiScopes::parse(asked.unwrap_or_default()).map_err(|_| invalid())?.iter().collect();
    let scopes = client.grantable(&asked).filter(|scopes| !scopes.is_empty()).ok_or_else(invalid)?;
    let now = app.clock.now();
    let claims = AccessClaims {
        iss: app.origin.as_str().to_owned(),
        sub: client.id.to_string(),
        aud: app.origin.at("/v1"),
        iat: jwt::numeric_date(now),
        exp: jwt::numeric_date(now + ACCESS_TOKEN_LIFE),
        jti: jti(app, now),
        client_id: client.id.to_string(),
        scope: scopes.to_string(),
        authorization: None,
        act: None,
    };
    let access_token = jwt::sign(app.keys.signing(Purpose::Token), ACCESS_TOKEN_TYPE, &claims);
    Ok(ClientToken { access_token, scopes })
}

/// The claims of an access token (RFC 9068).
#[derive(Serialize, Deserialize)]
pub(super) struct AccessClaims {
    pub(super) iss: String,
    pub(super) sub: String,
    pub(super) aud: String,
    pub(super) iat: i64,
    pub(super) exp: i64,
    pub(super) jti: String,
    pub(super) client_id: String,
    pub(super) scope: String,
    /// The sign-in that it comes from, which says what it is still worth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) authorization: Option<String>,
    /// Who acts for the subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) act: Option<serde_json::Value>,
}

/// An access token for userinfo.
pub(super) fn portal_token(
    app: &App,
    client: Id<id::Client>,
    subject: &Subject,
    scope: String,
    authorization: Id<id::Authorization>,
    actor: Option<&Actor>,
) -> String {
    let now = app.clock.now();
    let claims = AccessClaims {
        iss: app.origin.as_str().to_owned(),
        sub: subject.as_str().to_owned(),
        aud: userinfo_audience(app),
        iat: jwt::numeric_date(now),
        exp: jwt::numeric_date(now + ACCESS_TOKEN_LIFE),
        jti: jti(app, now),
        client_id: client.to_string(),
        scope,
        authorization: Some(authorization.to_string()),
        act: actor.map(act),
    };
    jwt::sign(app.keys.signing(Purpose::Token), ACCESS_TOKEN_TYPE, &claims)
}

/// The actor as tokens carry them: `sub` as this sector knows them, and by what right they act.
fn act(actor: &Actor) -> serde_json::Value {
    json!({
        "sub": actor.subject.as_str(),
        "right": actor.right.word(),
        "mandate": actor.right.mandate().map(|id| id.to_string()),
    })
}

/// The audience of a portal's access tokens.
pub(super) fn userinfo_audience(app: &App) -> String {
    app.origin.at("/oidc/userinfo")
}

/// Signs an ID token that goes with `access_token`.
pub(super) fn id_token(app: &App, token: &IdToken, access_token: &str) -> String {
    // at_hash: the left half of the digest of the access token (OpenID Connect Core, section 3.1.3.6).
    let at_hash = BASE64_URL_SAFE_NO_PAD.encode(&sha256(access_token.as_bytes())[..16]);
    let mut claims = json!({
        "iss": token.issuer,
        "sub": token.subject.as_str(),
        "aud": token.audience.to_string(),
        "iat": jwt::numeric_date(token.issued_at),
        "exp": jwt::numeric_date(token.expires_at),
        "auth_time": jwt::numeric_date(token.authenticated_at),
        "acr": token.assurance.acr(),
        "amr": token.methods,
        "at_hash": at_hash,
    });
    if let Some(nonce) = &token.nonce {
        claims["nonce"] = json!(nonce);
    }
    if let Some(session) = token.session {
        claims["sid"] = json!(session.to_string());
    }
    if let Some(actor) = &token.actor {
        claims["act"] = act(actor);
    }
    jwt::sign(app.keys.signing(Purpose::Token), "JWT", &claims)
}

fn jti(app: &App, now: Instant) -> String {
    let id: Id<id::Message> = Id::new(now, &*app.entropy);
    id.uuid().simple().to_string()
}
