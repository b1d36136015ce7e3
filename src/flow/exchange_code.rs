//! A portal exchanges its code, once.

use super::{
    Error, Result,
    audit_leaf::{Concern, leaf},
    grant_tokens::{self, Grant, binding, refused},
    population,
    refresh_tokens::{self, REFRESH_LIFE},
};
use crate::app::App;
use crate::base::{
    clock::Instant,
    secret::{Token, TokenKind},
};
use crate::crypto::digest::sha256;
use crate::identity::{
    authorization::{
        Authorization, Confirmation, Errand, Exchange, ExchangeRefusal, Presented, Revocation, State,
    },
    claims::SignInScope,
    client::Client,
};
use crate::store::{Tx, audit, authorization};
use serde_json::json;

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
    let code = Token::parse(TokenKind::Code, text).ok_or(refused("invalid_grant", "code", "not_a_code"))?;
    let key = binding(client, request.key)?;
    let mut tx = app.store.begin().await?;
    let found = authorization::find_by_code(&mut tx, &sha256(code.expose().as_bytes())).await?;
    let authorization = found.ok_or(refused("invalid_grant", "code", "unknown"))?.authorization;
    let presented = Presented {
        client: client.id,
        redirect_uri: request.redirect_uri,
        verifier: request.verifier,
        key: key.as_deref(),
    };
    match authorization.exchange(&presented, now) {
        Exchange::Refused(refusal) => Err(grant_refused(refusal)),
        Exchange::Replayed => revoke(app, tx, &authorization, client, "code", now).await,
        Exchange::Granted { confirmation, consent } => {
            let next = State::Exchanged { confirmation, consent, exchanged_at: now };
            let wanted = Wanted { resource: request.resource, key };
            grant(app, tx, &authorization, client, &next, &confirmation, wanted).await
        }
    }
}

struct Wanted<'a> {
    resource: Option<&'a str>,
    key: Option<String>,
}

async fn grant(
    app: &App,
    mut tx: Tx,
    authorization: &Authorization,
    client: &Client,
    next: &State,
    confirmation: &Confirmation,
    wanted: Wanted<'_>,
) -> Result<Exchanged> {
    let now = app.clock.now();
    let Errand::Portal { request, .. } = &authorization.errand else {
        return Err(grant_refused(ExchangeRefusal::NotYours));
    };
    let audience = grant_tokens::audience(app, request.resource.as_ref(), wanted.resource)?;
    let (subject, actor) =
        grant_tokens::named(app, &mut tx, client, authorization, confirmation, now).await?;
    if !authorization::advance(&mut tx, authorization.id, &authorization.state, next, None).await? {
        return Err(refused("invalid_grant", "code", "exchanged_meanwhile"));
    }
    let lasting = request.scopes.contains(&SignInScope::OfflineAccess) && client.terms.offline;
    let refresh_token = if lasting {
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
        key: wanted.key,
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
