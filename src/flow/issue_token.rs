//! Tokens, signed: for a portal about a citizen, and for an agency's system in its own name.

use super::{
    Error, Refusal, Result,
    grant_tokens::{Grant, binding, refused},
};
use crate::app::App;
use crate::base::{
    clock::Instant,
    id::{self, Id},
};
use crate::crypto::{
    digest::{Digest, sha256},
    jwt,
    keyring::Purpose,
};
use crate::identity::{
    client::Client,
    profile::IdTokenAlgorithm,
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

/// A token of a client's own.
pub struct ClientToken {
    /// The token.
    pub access_token: String,
    /// What it allows.
    pub scopes: ApiScopes,
    /// Whether it is worth something only with proofs by its key.
    pub bound: bool,
}

/// Gives an authenticated client a token for the API (RFC 6749, section 4.4), bound to the key that it proved to hold.
pub fn issue_client_token(
    app: &App,
    client: &Client,
    asked: Option<&str>,
    resource: Option<&str>,
    key: Option<String>,
) -> Result<ClientToken> {
    let invalid = || Error::Refused(Refusal::new("invalid_scope"));
    let key = binding(client, key)?;
    let audience = app.origin.at("/v1");
    if resource.is_some_and(|resource| resource != audience) {
        return Err(refused("invalid_target", "resource", "not_this_api"));
    }
    let asked: Vec<ApiScope> =
        ApiScopes::parse(asked.unwrap_or_default()).map_err(|_| invalid())?.iter().collect();
    let scopes = client.grantable(&asked).filter(|scopes| !scopes.is_empty()).ok_or_else(invalid)?;
    let now = app.clock.now();
    let bound = key.is_some();
    let claims = AccessClaims {
        iss: app.origin.as_str().to_owned(),
        sub: client.id.to_string(),
        aud: audience,
        iat: jwt::numeric_date(now),
        exp: jwt::numeric_date(now + ACCESS_TOKEN_LIFE),
        jti: jti(app, now),
        client_id: client.id.to_string(),
        scope: scopes.to_string(),
        cnf: key.map(|jkt| Possession { jkt }),
        acr: None,
        auth_time: None,
        authorization: None,
        act: None,
    };
    let access_token = app.access_tokens.sign(app.keys.signing(Purpose::Token), &claims);
    Ok(ClientToken { access_token, scopes, bound })
}

/// The claims of an access token (RFC 9068; `acr` and `auth_time` as RFC 9470 has them).
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
    /// The key without whose proofs the token is worth nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cnf: Option<Possession>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) acr: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) auth_time: Option<i64>,
    /// The sign-in that it comes from, which says what it is still worth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) authorization: Option<String>,
    /// Who acts for the subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) act: Option<serde_json::Value>,
}

/// The key of a bound token (RFC 9449, section 6.1).
#[derive(Serialize, Deserialize)]
pub(super) struct Possession {
    pub(super) jkt: String,
}

impl AccessClaims {
    /// What is written down when the token is given back.
    pub(super) fn digest(&self) -> Digest {
        sha256(self.jti.as_bytes())
    }
}

/// The claims of an access token of ours that is not over, whatever it is for.
pub(super) fn read(app: &App, token: &str, now: Instant) -> Option<AccessClaims> {
    let claims: AccessClaims = app.access_tokens.verify(token, app.keys.published(Purpose::Token)).ok()?;
    let live = jwt::numeric_date(now) < claims.exp;
    (claims.iss == app.origin.as_str() && live).then_some(claims)
}

/// An access token about a citizen.
pub(super) fn portal_token(app: &App, grant: &Grant<'_>, scope: &str, now: Instant) -> String {
    let claims = AccessClaims {
        iss: app.origin.as_str().to_owned(),
        sub: grant.subject.as_str().to_owned(),
        aud: grant.audience.clone(),
        iat: jwt::numeric_date(now),
        exp: jwt::numeric_date(now + ACCESS_TOKEN_LIFE),
        jti: jti(app, now),
        client_id: grant.client.id.to_string(),
        scope: scope.to_owned(),
        cnf: grant.key.clone().map(|jkt| Possession { jkt }),
        acr: Some(grant.confirmation.assurance(now).acr().to_owned()),
        auth_time: Some(jwt::numeric_date(grant.confirmation.authenticated_at)),
        authorization: Some(grant.authorization.to_string()),
        act: grant.actor.as_ref().map(act),
    };
    app.access_tokens.sign(app.keys.signing(Purpose::Token), &claims)
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

/// Signs an ID token that goes with `access_token`, as the client wants it signed.
pub(super) fn id_token(
    app: &App,
    token: &IdToken,
    algorithm: IdTokenAlgorithm,
    access_token: &str,
) -> Result<String> {
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
    sign_for(app, algorithm, "JWT", &claims)
}

/// Signs what a client checks by the algorithm that it was registered for.
pub(super) fn sign_for(
    app: &App,
    algorithm: IdTokenAlgorithm,
    typ: &str,
    claims: &serde_json::Value,
) -> Result<String> {
    match (algorithm, app.keys.rsa()) {
        (IdTokenAlgorithm::Es256, _) => Ok(jwt::sign(app.keys.signing(Purpose::Token), typ, claims)),
        (IdTokenAlgorithm::Rs256, Some(key)) => Ok(jwt::sign_rs256(key, typ, claims)),
        (IdTokenAlgorithm::Rs256, None) => {
            Err(Error::internal("a client wants RS256, and no RSA key is imported"))
        }
    }
}

pub(super) fn jti(app: &App, now: Instant) -> String {
    let id: Id<id::Message> = Id::new(now, &*app.entropy);
    id.uuid().simple().to_string()
}
