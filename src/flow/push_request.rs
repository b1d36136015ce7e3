//! A portal pushes its request before it sends the citizen (RFC 9126): judged now, with the portal at the other end,
//! kept sealed, and answered once.

use super::{Error, Refusal, Result, authorize, envelope};
use crate::app::App;
use crate::base::{
    clock::Instant,
    secret::{Token, TokenKind},
};
use crate::crypto::digest::{Digest, sha256};
use crate::identity::{
    client::Client,
    request::{Address, ClaimsParameter, Parameters},
};
use crate::store::pushed_request::{self, PushedRequest};
use time::Duration;
use uuid::Uuid;

/// How long a pushed request waits for the citizen's browser.
pub const PUSHED_LIFE: Duration = Duration::seconds(90);
/// What the names of pushed requests begin with (RFC 9126, section 2.2).
pub const NAME_START: &str = "urn:ietf:params:oauth:request_uri:";
const PLACE: &[u8] = b"pushed_request.body";
/// What proves the client is not part of its request.
const NOT_KEPT: [&str; 3] = ["client_assertion", "client_assertion_type", "client_secret"];

/// Judges and keeps a request of an authenticated client; `key` is the thumbprint of the key that it proved to hold.
/// Answers the name under which the citizen's browser brings it.
pub async fn push_request(
    app: &App,
    client: &Client,
    parameters: &Parameters,
    key: Option<String>,
    read_claims: fn(&str) -> Option<ClaimsParameter>,
) -> Result<String> {
    let now = app.clock.now();
    let one = |name| {
        parameters.one(name).map_err(|repeated| {
            Error::Refused(Refusal::new("invalid_request").violation(repeated.0, "repeated", None))
        })
    };
    let wrong =
        |field: &str, rule| Error::Refused(Refusal::new("invalid_request").violation(field, rule, None));
    if one("request_uri")?.is_some() {
        return Err(wrong("request_uri", "not_in_a_pushed_request"));
    }
    if one("client_id")?.is_some_and(|id| id != client.id.to_string()) {
        return Err(wrong("client_id", "differs_from_the_client"));
    }
    if let (Some(named), Some(key)) = (one("dpop_jkt")?, &key)
        && named != key
    {
        return Err(wrong("dpop_jkt", "differs_from_the_proof"));
    }
    let address = Address::settle(client, parameters)
        .map_err(|_| wrong("redirect_uri", "missing_or_not_registered"))?;
    let read = authorize::read(app, client, parameters, address, read_claims).await?;
    read.map_err(|refusal| {
        Error::Refused(Refusal::new(refusal.code.code()).violation("request", refusal.description, None))
    })?;
    let name = Token::new(TokenKind::Pushed, &*app.entropy);
    let digest = sha256(name.expose().as_bytes());
    let plain = serde_json::to_vec(&parameters.without(&NOT_KEPT)).map_err(Error::internal)?;
    let request = PushedRequest {
        digest,
        client: client.id,
        body: envelope::seal(app, owner(&digest), PLACE, &plain)?,
        dpop_jkt: key,
        expires_at: now + PUSHED_LIFE,
    };
    pushed_request::insert(&app.store, &request).await?;
    Ok(format!("{NAME_START}{}", name.expose()))
}

/// A pushed request that a browser brought the name of.
pub(super) struct Brought {
    /// The digest of its name.
    pub(super) digest: Digest,
    /// Its parameters.
    pub(super) parameters: Parameters,
    /// The key that its code is bound to.
    pub(super) key: Option<String>,
}

/// The request of that name, as long as it waits and nobody was answered by it.
pub(super) async fn bring(app: &App, client: &Client, name: &str, now: Instant) -> Result<Option<Brought>> {
    let Some(name) = name.strip_prefix(NAME_START).and_then(|name| Token::parse(TokenKind::Pushed, name))
    else {
        return Ok(None);
    };
    let digest = sha256(name.expose().as_bytes());
    let found = pushed_request::find(&app.store, &digest, client.id, now).await?;
    let Some((body, key)) = found else { return Ok(None) };
    let plain = envelope::open(app, owner(&digest), PLACE, &body)?;
    let pairs: Vec<(String, String)> = serde_json::from_slice(plain.expose()).map_err(Error::internal)?;
    Ok(Some(Brought { digest, parameters: Parameters::new(pairs), key }))
}

/// The row's name for its seal.
fn owner(digest: &Digest) -> Uuid {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Uuid::from_bytes(bytes)
}
