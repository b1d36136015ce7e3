//! A client proves itself at the token endpoint, in the one way that it is registered for.

use super::{Error, Refusal, Result};
use crate::app::App;
use crate::base::{
    id::{self, Id},
    secret::{Token, TokenKind},
};
use crate::crypto::{
    digest::{equal, sha256},
    jwt,
};
use crate::identity::{
    client::{Client, Credential},
    token::ClientAssertion,
};
use crate::store::{assertion, portal};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;
use time::OffsetDateTime;

/// What a client shows.
pub enum Proof {
    /// `client_secret_basic`.
    Secret {
        /// The client it claims to be.
        client: String,
        /// The secret.
        secret: String,
    },
    /// `private_key_jwt`.
    Assertion {
        /// The `client_id` of the request, if it has one.
        client: Option<String>,
        /// The assertion.
        jwt: String,
    },
}

/// The client behind a proof, if it holds and the client may act now.
pub async fn authenticate_client(app: &App, proof: &Proof) -> Result<Client> {
    let client = match proof {
        Proof::Secret { client, secret } => by_secret(app, client, secret).await?,
        Proof::Assertion { client, jwt } => by_assertion(app, client.as_deref(), jwt).await?,
    };
    match client.may_act(app.clock.now()) {
        Ok(()) => Ok(client),
        Err(barred) => Err(invalid(
            "client",
            match barred {
                crate::identity::client::Barred::Suspended => "suspended",
                crate::identity::client::Barred::Expired => "expired",
            },
        )),
    }
}

async fn by_secret(app: &App, client: &str, secret: &str) -> Result<Client> {
    let secret = Token::parse(TokenKind::ClientSecret, secret).ok_or(invalid("client_secret", "wrong"))?;
    let client = find(app, client).await?;
    match &client.credential {
        Credential::ClientSecretBasic { digest } if equal(digest, &sha256(secret.expose().as_bytes())) => {
            Ok(client)
        }
        Credential::ClientSecretBasic { .. } => Err(invalid("client_secret", "wrong")),
        Credential::PrivateKeyJwt { .. } => Err(invalid("client_assertion", "required")),
    }
}

async fn by_assertion(app: &App, named: Option<&str>, jwt: &str) -> Result<Client> {
    let claimed = unverified_issuer(jwt).ok_or(invalid("client_assertion", "malformed"))?;
    if named.is_some_and(|name| name != claimed) {
        return Err(invalid("client_id", "differs_from_assertion"));
    }
    let client = find(app, &claimed).await?;
    let Credential::PrivateKeyJwt { jwks } = &client.credential else {
        return Err(invalid("client_assertion", "not_registered"));
    };
    let claims: Claims = jwt::verify_assertion(jwt, jwks).map_err(|refused| {
        tracing::info!(client = %client.id, reason = %refused, "a client assertion is refused");
        invalid("client_assertion", "not_believed")
    })?;
    let assertion = claims.assertion().ok_or(invalid("client_assertion", "malformed"))?;
    let now = app.clock.now();
    let token_endpoint = app.origin.at("/oidc/token");
    let accepted = [app.origin.as_str(), token_endpoint.as_str()];
    assertion.check(client.id, &accepted, now).map_err(|refusal| {
        tracing::info!(client = %client.id, reason = %refusal, "a client assertion is refused");
        invalid("client_assertion", "not_valid")
    })?;
    let jti = sha256(assertion.id.as_bytes());
    if assertion::use_up(&app.store, client.id, &jti, assertion.remember_until()).await? {
        Ok(client)
    } else {
        Err(invalid("client_assertion", "used_before"))
    }
}

async fn find(app: &App, client: &str) -> Result<Client> {
    let id: Id<id::Client> = client.parse().map_err(|_| invalid("client_id", "unknown"))?;
    portal::find(&app.store, id).await?.ok_or(invalid("client_id", "unknown"))
}

const fn invalid_client() -> Refusal {
    Refusal::new("invalid_client")
}

fn invalid(field: &'static str, rule: &'static str) -> Error {
    Error::Refused(invalid_client().violation(field, rule, None))
}

/// The issuer that an assertion names, only to find the keys that must have signed it.
fn unverified_issuer(jwt: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Issuer {
        iss: String,
    }
    if jwt.len() > jwt::LENGTH_MAX {
        return None;
    }
    let payload = BASE64_URL_SAFE_NO_PAD.decode(jwt.split('.').nth(1)?).ok()?;
    serde_json::from_slice::<Issuer>(&payload).ok().map(|claims| claims.iss)
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: i64,
    #[serde(default)]
    nbf: Option<i64>,
    #[serde(default)]
    iat: Option<i64>,
    #[serde(default)]
    jti: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Claims {
    fn assertion(self) -> Option<ClientAssertion> {
        let instant = |seconds: i64| OffsetDateTime::from_unix_timestamp(seconds).ok();
        let optional = |seconds: Option<i64>| match seconds {
            None => Some(None),
            Some(seconds) => instant(seconds).map(Some),
        };
        Some(ClientAssertion {
            issuer: self.iss,
            subject: self.sub,
            audience: match self.aud {
                Audience::One(one) => vec![one],
                Audience::Several(several) => several,
            },
            expires_at: instant(self.exp)?,
            not_before: optional(self.nbf)?,
            issued_at: optional(self.iat)?,
            id: self.jti,
        })
    }
}
