//! A client proves itself at the token endpoint, in the one way that it is registered for.

use super::{Error, Refusal, Result, asking_client::asking_client, use_once};
use crate::app::App;
use crate::base::{
    id::{self, Id},
    secret::{Token, TokenKind},
};
use crate::crypto::{
    digest::{equal, sha256},
    jwt,
    public_jwk::PublicJwk,
};
use crate::identity::{
    client::{Client, Credential},
    client_key::key_for,
    token::{AssertionRefusal, ClientAssertion},
};
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

impl Proof {
    /// The client that it claims to be of, unproved.
    pub fn claimed(&self) -> Option<String> {
        match self {
            Self::Secret { client, .. } => Some(client.clone()),
            Self::Assertion { jwt, .. } => jwt::unverified_text(jwt, "iss"),
        }
    }
}

/// The client behind a proof that was shown at `path`, if it holds and the client may act now.
pub async fn authenticate_client(app: &App, proof: &Proof, path: &str) -> Result<Client> {
    let client = match proof {
        Proof::Secret { client, secret } => by_secret(app, client, secret).await?,
        Proof::Assertion { client, jwt } => by_assertion(app, client.as_deref(), jwt, path).await?,
    };
    match client.may_act(app.clock.now()) {
        Ok(()) => Ok(client),
        Err(barred) => Err(invalid("client", barred.word())),
    }
}

async fn by_secret(app: &App, client: &str, secret: &str) -> Result<Client> {
    let secret = Token::parse(TokenKind::ClientSecret, secret).ok_or(invalid("client_secret", "wrong"))?;
    let client = find(app, client).await?;
    let shown = sha256(secret.expose().as_bytes());
    match &client.credential {
        Credential::ClientSecretBasic { digest, .. } if equal(digest, &shown) => Ok(client),
        // Told to whoever holds the secret: it was replaced.
        Credential::ClientSecretBasic { former: Some(former), .. } if equal(&former.digest, &shown) => {
            if app.clock.now() < former.until { Ok(client) } else { Err(invalid("client_secret", "expired")) }
        }
        Credential::ClientSecretBasic { .. } => Err(invalid("client_secret", "wrong")),
        Credential::PrivateKeyJwt { .. } => Err(invalid("client_assertion", "required")),
    }
}

async fn by_assertion(app: &App, named: Option<&str>, jwt: &str, path: &str) -> Result<Client> {
    let claimed = jwt::unverified_text(jwt, "iss").ok_or(invalid("client_assertion", "malformed"))?;
    if named.is_some_and(|name| name != claimed) {
        return Err(invalid("client_id", "differs_from_assertion"));
    }
    let client = find(app, &claimed).await?;
    let Credential::PrivateKeyJwt { keys } = &client.credential else {
        return Err(invalid("client_assertion", "not_registered"));
    };
    let key = key_for(keys, jwt::unverified_kid(jwt).as_deref())
        .ok_or(invalid("client_assertion", "unknown_key"))?;
    let jwk = PublicJwk::parse(&key.jwk).map_err(Error::internal)?;
    let claims: Claims = jwt::verify_assertion(jwt, &jwk).map_err(|refused| {
        tracing::info!(client = %client.id, reason = %refused, "a client assertion is refused");
        invalid("client_assertion", "not_believed")
    })?;
    let now = app.clock.now();
    // Told to whoever holds the key, which the signature has shown.
    key.may_prove(now).map_err(|barred| invalid("client_assertion", barred.word()))?;
    // FAPI 2.0, section 5.3.2.1: the issuer, as a text. Older libraries of `basic` clients name an endpoint.
    let one_text = matches!(claims.aud, Audience::One(_));
    let assertion = claims.assertion().ok_or(invalid("client_assertion", "malformed"))?;
    let endpoints = [app.origin.at("/oidc/token"), app.origin.at(path)];
    let accepted = [app.origin.as_str(), &endpoints[0], &endpoints[1]];
    let accepted = if client.is_fapi2() { &accepted[..1] } else { &accepted[..] };
    if client.is_fapi2() && !one_text {
        return Err(invalid("client_assertion", AssertionRefusal::Audience.word()));
    }
    assertion.check(client.id, accepted, now).map_err(|refusal| {
        tracing::info!(client = %client.id, reason = %refusal, "a client assertion is refused");
        invalid("client_assertion", refusal.word())
    })?;
    let id = client.id.to_string();
    if use_once::first_time(app, ["assertion", &id, &assertion.id], assertion.remember_until()).await? {
        Ok(client)
    } else {
        Err(invalid("client_assertion", "used_before"))
    }
}

async fn find(app: &App, client: &str) -> Result<Client> {
    let id: Id<id::Client> = client.parse().map_err(|_| invalid("client_id", "unknown"))?;
    asking_client(app, id).await?.ok_or(invalid("client_id", "unknown"))
}

const fn invalid_client() -> Refusal {
    Refusal::new("invalid_client")
}

fn invalid(field: &'static str, rule: &'static str) -> Error {
    Error::Refused(invalid_client().violation(field, rule, None))
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
