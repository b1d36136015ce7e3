//! A portal exchanges its code, once.

use super::{
    Error, Result,
    audit_leaf::{Concern, leaf},
    carried_code,
    grant_tokens::{self, Grant, binding, refused},
    population,
    refresh_tokens::{self, REFRESH_LIFE},
};
use crate::app::App;
use crate::base::{
    clock::Instant,
    id::{self, Id},
    secret::{Token, TokenKind},
};
use crate::crypto::digest::{Digest, sha256};
use crate::identity::{
    authorization::{
        Authorization, Confirmation, Errand, Exchange, ExchangeRefusal, Presented, Revocation, State,
    },
    carried::{Redeemed, Redemption},
    claims::SignInScope,
    client::Client,
    request::AuthorizationRequest,
};
use crate::store::{Tx, audit, authorization};
use serde_json::json;
use std::sync::Arc;

pub use super::grant_tokens::{Exchanged, Tokens};

/// The parameters of a token request that carries a code.
pub struct CodeRequest<'a> {
    /// The code.
    pub code: Option<&'a str>,
    /// The address that the code was sent to.
    pub redirect_uri: Option<&'a str>,
    /// The verifier behind the challenge.
    pub verifier: Option<&'a str>,
    /// What the access token is for.
    pub resource: Option<&'a str>,
    /// The thumbprint of the key that the client proved to hold.
    pub key: Option<String>,
}

/// Exchanges a code for an authenticated client.
pub async fn exchange_code(app: &App, client: &Client, request: CodeRequest<'_>) -> Result<Exchanged> {
    let now = app.clock.now();
    let text = request.code.ok_or(refused("invalid_request", "code", "missing"))?;
    let digest = sha256(text.as_bytes());
    let carried = match Token::parse(TokenKind::Code, text) {
        Some(_) => None,
        None => Some(carried_code::open(app, text).ok_or(refused("invalid_grant", "code", "not_a_code"))?),
    };
    let CodeRequest { redirect_uri, verifier, resource, key, .. } = request;
    let asked = Asked { client, redirect_uri, verifier, resource, key: binding(client, key)? };
    if let Some(carried) = carried {
        return exchange_carried(app, carried, digest, asked, now).await;
    }
    let mut tx = app.store.begin().await?;
    let found = authorization::find_by_code(&mut tx, &digest).await?;
    let found = found.ok_or(refused("invalid_grant", "code", "unknown"))?;
    exchange_kept(app, tx, &found.authorization, asked, now).await
}

/// What is asked for a code.
struct Asked<'a> {
    client: &'a Client,
    redirect_uri: Option<&'a str>,
    verifier: Option<&'a str>,
    resource: Option<&'a str>,
    key: Option<String>,
}

impl Asked<'_> {
    fn presented(&self) -> Presented<'_> {
        Presented {
            client: self.client.id,
            redirect_uri: self.redirect_uri,
            verifier: self.verifier,
            key: self.key.as_deref(),
        }
    }
}

/// The code of a sign-in whose row stands.
async fn exchange_kept(
    app: &App,
    tx: Tx,
    authorization: &Authorization,
    asked: Asked<'_>,
    now: Instant,
) -> Result<Exchanged> {
    match authorization.exchange(&asked.presented(), now) {
        Exchange::Refused(refusal) => Err(grant_refused(refusal)),
        Exchange::Replayed => revoke(app, tx, authorization, asked.client, "code", now).await,
        Exchange::Granted { confirmation, consent } => {
            let next = State::Exchanged { confirmation, consent, exchanged_at: now };
            grant(app, tx, authorization, &next, (&confirmation, consent), asked).await
        }
    }
}

/// The code that carries its sign-in. Where it is refused, whatever is wrong with it, a row of it says that it was
/// exchanged before: then it came twice.
async fn exchange_carried(
    app: &App,
    carried: Authorization,
    code: Digest,
    asked: Asked<'_>,
    now: Instant,
) -> Result<Exchanged> {
    let id = carried.id;
    match redeem(app, carried, code, &asked, now).await {
        Ok(tokens) => Ok(Exchanged::Tokens(Box::new(tokens))),
        Err(refusal @ Error::Refused(_)) => {
            let mut tx = app.store.begin().await?;
            match authorization::find_and_lock(&mut tx, id).await? {
                Some(found) => exchange_kept(app, tx, &found.authorization, asked, now).await,
                None => Err(refusal),
            }
        }
        Err(error) => Err(error),
    }
}

async fn redeem(
    app: &App,
    carried: Authorization,
    code: Digest,
    asked: &Asked<'_>,
    now: Instant,
) -> Result<Tokens> {
    let judged = carried.exchange(&asked.presented(), now);
    let Authorization { id, errand, started_at, expires_at, state } = carried;
    let (confirmation, consent, request, code_expires_at) = match (judged, errand, state) {
        (
            Exchange::Granted { confirmation, consent },
            Errand::Portal { request, .. },
            State::CodeIssued { code_expires_at, .. },
        ) => (confirmation, consent, Arc::<AuthorizationRequest>::from(request), code_expires_at),
        (Exchange::Refused(refusal), ..) => return Err(grant_refused(refusal)),
        _ => return Err(grant_refused(ExchangeRefusal::NotYours)),
    };
    let client = asked.client;
    let audience = grant_tokens::audience(app, request.resource.as_ref(), asked.resource)?;
    let refresh_token = lasts(client, &request).then(|| Token::new(TokenKind::Refresh, &*app.entropy));
    let redemption = Redemption {
        client: client.id,
        authorization: id,
        times: [started_at, expires_at, code_expires_at],
        request: Arc::clone(&request),
        confirmation,
        consent,
        code,
        refresh: refresh_token.as_ref().map(|token| (sha256(token.expose().as_bytes()), now + REFRESH_LIFE)),
    };
    let subject = match app.batches.codes.submit(redemption).await?? {
        Redeemed::Granted(subject) => subject,
        Redeemed::Spent => return Err(refused("invalid_grant", "code", "used_before")),
        Redeemed::NotAllowed => return Err(refused("invalid_grant", "grant", "no_longer_allowed")),
        Redeemed::ConsentWithdrawn => return Err(refused("invalid_grant", "code", "consent_withdrawn")),
    };
    let grant = Grant {
        client,
        authorization: id,
        confirmation: &confirmation,
        subject,
        actor: None,
        scopes: &request.scopes,
        nonce: request.nonce.as_deref(),
        audience,
        key: asked.key.clone(),
        refresh_token,
    };
    grant_tokens::tokens(app, grant, now)
}

/// Whether what is granted lasts beyond the session.
fn lasts(client: &Client, request: &AuthorizationRequest) -> bool {
    request.scopes.contains(&SignInScope::OfflineAccess) && client.terms.offline
}

async fn grant(
    app: &App,
    mut tx: Tx,
    authorization: &Authorization,
    next: &State,
    (confirmation, consent): (&Confirmation, Id<id::Consent>),
    asked: Asked<'_>,
) -> Result<Exchanged> {
    let (now, client) = (app.clock.now(), asked.client);
    let Errand::Portal { request, .. } = &authorization.errand else {
        return Err(grant_refused(ExchangeRefusal::NotYours));
    };
    let audience = grant_tokens::audience(app, request.resource.as_ref(), asked.resource)?;
    grant_tokens::demand_standing(&mut tx, confirmation, consent, "code").await?;
    let (subject, actor) =
        grant_tokens::named(app, &mut tx, client, authorization, confirmation, now).await?;
    if !authorization::advance(&mut tx, authorization.id, &authorization.state, next, None).await? {
        return Err(refused("invalid_grant", "code", "exchanged_meanwhile"));
    }
    let refresh_token = if lasts(client, request) {
        Some(refresh_tokens::draw(app, &mut tx, authorization.id, now + REFRESH_LIFE, now).await?)
    } else {
        None
    };
    tx.commit().await?;
    let grant = Grant {
        client,
        authorization: authorization.id,
        confirmation,
        subject,
        actor,
        scopes: &request.scopes,
        nonce: request.nonce.as_deref(),
        audience,
        key: asked.key,
        refresh_token,
    };
    Ok(Exchanged::Tokens(Box::new(grant_tokens::tokens(app, grant, now)?)))
}

/// Ends what a sign-in gave, because `what` came a second time.
pub(super) async fn revoke(
    app: &App,
    mut tx: Tx,
    authorization: &Authorization,
    client: &Client,
    what: &'static str,
    now: Instant,
) -> Result<Exchanged> {
    let next = State::Revoked { cause: Revocation::Replayed, revoked_at: now };
    if !authorization::advance(&mut tx, authorization.id, &authorization.state, &next, None).await? {
        return Err(refused("invalid_grant", what, "revoked"));
    }
    let State::Exchanged { confirmation, .. } = &authorization.state else {
        return Err(Error::internal("a replay of what was not exchanged"));
    };
    let looked = population::look_up_citizen(app, &mut tx, confirmation.citizen).await?;
    if let Some(holder) = looked.on_record {
        let concern = Concern {
            citizen: Some(holder.citizen),
            agency: Some(client.agency),
            object: authorization.id.uuid(),
        };
        let details = json!({
            "authorization": authorization.id.to_string(), "client": client.id.to_string(), "what": what,
        });
        audit::append(&mut tx, &[leaf(app, now, "code.replayed", concern, &holder.key, &details)]).await?;
    }
    tx.commit().await?;
    tracing::warn!(authorization = %authorization.id, client = %client.id, what, "it came twice; its tokens are revoked");
    Ok(Exchanged::Replayed)
}

fn grant_refused(refusal: ExchangeRefusal) -> Error {
    let (field, rule) = match refusal {
        ExchangeRefusal::NotYours => ("code", "unknown"),
        ExchangeRefusal::Expired => ("code", "expired"),
        ExchangeRefusal::RedirectUri => ("redirect_uri", "differs"),
        ExchangeRefusal::Verifier => ("code_verifier", "wrong"),
        ExchangeRefusal::Key => ("dpop", "another_key_than_the_code_is_bound_to"),
        ExchangeRefusal::Revoked => ("code", "revoked"),
    };
    refused("invalid_grant", field, rule)
}
