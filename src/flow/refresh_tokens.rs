//! Refresh tokens: the next access token of a sign-in that was granted beyond the session.
//!
//! Under `fapi2` the token stays the same (FAPI 2.0, section 5.3.2.1: no rotation) and is worth something only to the
//! client that authenticates with its key. Under `basic` each use draws the next one; an old one that comes again is a
//! theft by somebody, and ends the family.

use super::{
    Error, Result,
    exchange_code::revoke,
    grant_tokens::{self, Exchanged, Grant, binding, refused},
};
use crate::app::App;
use crate::base::{
    clock::Instant,
    id::{self, Id},
    secret::{Token, TokenKind},
};
use crate::crypto::digest::sha256;
use crate::identity::{
    authorization::{Authorization, Errand, State},
    claims::SignInScope,
    client::Client,
    profile::Resource,
    renewal::{Granted, Renewed, Renewing},
};
use crate::store::{
    Tx, authorization, consent,
    refresh_token::{self, StoredRefresh},
};
use std::collections::BTreeSet;
use time::Duration;

/// How long a family lasts, however often it is used.
pub const REFRESH_LIFE: Duration = Duration::days(30);

/// The parameters of a token request that carries a refresh token.
pub struct RefreshRequest<'a> {
    /// The token.
    pub token: Option<&'a str>,
    /// Fewer scopes than were granted, if wanted.
    pub scope: Option<&'a str>,
    /// What the access token is for.
    pub resource: Option<&'a str>,
    /// The thumbprint of the key that the client proved to hold.
    pub key: Option<String>,
}

/// Gives an authenticated client its next tokens: with others in one transaction where nothing is out of the ordinary,
/// by itself where something is.
pub async fn refresh_tokens(app: &App, client: &Client, request: RefreshRequest<'_>) -> Result<Exchanged> {
    let now = app.clock.now();
    let unknown = || refused("invalid_grant", "refresh_token", "unknown");
    let text = request.token.ok_or(refused("invalid_request", "refresh_token", "missing"))?;
    let shown = Token::parse(TokenKind::Refresh, text).ok_or_else(unknown)?;
    let key = binding(client, request.key)?;
    let digest = sha256(shown.expose().as_bytes());
    let next = (!client.is_fapi2()).then(|| Token::new(TokenKind::Refresh, &*app.entropy));
    let renewing = Renewing {
        client: client.id,
        token: digest,
        next: next.as_ref().map(|next| sha256(next.expose().as_bytes())),
        scope: request.scope.map(str::to_owned),
        resource: request.resource.map(str::to_owned),
    };
    if let Renewed::Granted(granted) = app.batches.renewals.submit(renewing).await?? {
        let Granted { authorization, confirmation, subject } = *granted;
        let asked = asked_of(&authorization, client.id);
        let (scopes, resource) = asked.ok_or_else(|| Error::internal("a renewed grant of another client"))?;
        let grant = Grant {
            client,
            authorization: authorization.id,
            confirmation: &confirmation,
            subject,
            actor: None,
            scopes: &narrowed(scopes, request.scope)?,
            nonce: None,
            audience: grant_tokens::audience(app, resource, request.resource)?,
            key,
            refresh_token: Some(next.unwrap_or(shown)),
        };
        return Ok(Exchanged::Tokens(Box::new(grant_tokens::tokens(app, grant, now)?)));
    }
    let mut tx = app.store.begin().await?;
    let of = refresh_token::find(&mut tx, &digest).await?.ok_or_else(unknown)?.authorization;
    let authorization = authorization::find_and_lock(&mut tx, of).await?.ok_or_else(unknown)?.authorization;
    // Read again under the lock: somebody may have used it meanwhile.
    let stored = refresh_token::find(&mut tx, &digest).await?.ok_or_else(unknown)?;
    let (scopes, resource) = asked_of(&authorization, client.id).ok_or_else(unknown)?;
    let State::Exchanged { confirmation, consent, .. } = &authorization.state else {
        return Err(refused("invalid_grant", "refresh_token", "revoked"));
    };
    if now >= stored.expires_at {
        return Err(refused("invalid_grant", "refresh_token", "expired"));
    }
    if stored.used_at.is_some() {
        return revoke(app, tx, &authorization, client, "refresh_token", now).await;
    }
    let scopes = narrowed(scopes, request.scope)?;
    let audience = grant_tokens::audience(app, resource, request.resource)?;
    let given = consent::find(&mut tx, *consent).await?;
    if given.is_none_or(|given| given.withdrawn_at.is_some()) {
        return Err(refused("invalid_grant", "refresh_token", "consent_withdrawn"));
    }
    let (subject, actor) =
        grant_tokens::named(app, &mut tx, client, &authorization, confirmation, now).await?;
    let next = if client.is_fapi2() {
        None
    } else {
        refresh_token::use_up(&mut tx, &digest, now).await?;
        Some(draw(app, &mut tx, authorization.id, stored.expires_at, now).await?)
    };
    tx.commit().await?;
    let grant = Grant {
        client,
        authorization: authorization.id,
        confirmation,
        subject,
        actor,
        scopes: &scopes,
        nonce: None,
        audience,
        key,
        refresh_token: Some(next.unwrap_or(shown)),
    };
    Ok(Exchanged::Tokens(Box::new(grant_tokens::tokens(app, grant, now)?)))
}

/// What was granted by a sign-in that this client asked for.
pub(super) fn asked_of(
    authorization: &Authorization,
    client: Id<id::Client>,
) -> Option<(&BTreeSet<SignInScope>, Option<&Resource>)> {
    match &authorization.errand {
        Errand::Portal { client: owner, request } if *owner == client => {
            Some((&request.scopes, request.resource.as_ref()))
        }
        Errand::Counter { client: owner, request } if *owner == client => {
            Some((&request.scopes, request.resource.as_ref()))
        }
        Errand::Portal { .. } | Errand::Counter { .. } | Errand::Page { .. } => None,
    }
}

/// Draws a token of a family that ends at `until`.
pub(super) async fn draw(
    app: &App,
    tx: &mut Tx,
    authorization: Id<id::Authorization>,
    until: Instant,
    now: Instant,
) -> Result<Token> {
    let token = Token::new(TokenKind::Refresh, &*app.entropy);
    let stored = StoredRefresh { authorization, issued_at: now, expires_at: until, used_at: None };
    refresh_token::insert(tx, &sha256(token.expose().as_bytes()), &stored).await?;
    Ok(token)
}

/// Those of the granted scopes that are asked for; what was not granted is refused (RFC 6749, section 6).
pub(super) fn narrowed(
    granted: &BTreeSet<SignInScope>,
    asked: Option<&str>,
) -> Result<BTreeSet<SignInScope>> {
    let Some(asked) = asked else { return Ok(granted.clone()) };
    let words = asked.split(' ').filter(|word| !word.is_empty());
    let scopes: Option<BTreeSet<SignInScope>> =
        words.map(|word| word.parse().ok().filter(|scope| granted.contains(scope))).collect();
    scopes.ok_or(refused("invalid_scope", "scope", "not_granted"))
}
