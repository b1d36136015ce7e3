//! A portal exchanges its code, once.

use super::{
    Error, Refusal, Result, acting,
    audit_leaf::{Concern, leaf},
    issue_token, population,
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
    request::AuthorizationRequest,
    token::{Actor, IdToken},
};
use crate::store::{Tx, audit, authorization, portal, pseudonym};
use serde_json::json;

/// What a portal gets for its code.
pub struct Tokens {
    /// Says who signed in.
    pub id_token: String,
    /// Opens userinfo.
    pub access_token: String,
    /// The scopes that were granted.
    pub scope: String,
}

/// What becomes of an exchange.
pub enum Exchanged {
    /// The tokens.
    Tokens(Box<Tokens>),
    /// The code came a second time: what it gave before is revoked, and that is committed.
    Replayed,
}

/// The parameters of a token request that carries a code.
pub struct CodeRequest<'a> {
    /// The code.
    pub code: Option<&'a str>,
    /// The address that the code was sent to.
    pub redirect_uri: Option<&'a str>,
    /// The verifier behind the challenge.
    pub verifier: Option<&'a str>,
}

/// Exchanges a code for an authenticated client.
pub async fn exchange_code(app: &App, client: &Client, request: &CodeRequest<'_>) -> Result<Exchanged> {
    let now = app.clock.now();
    let text = request.code.ok_or(refused("invalid_request", "code", "missing"))?;
    let code = Token::parse(TokenKind::Code, text).ok_or(refused("invalid_grant", "code", "not_a_code"))?;
    let mut tx = app.store.begin().await?;
    let found = authorization::find_by_code(&mut tx, &sha256(code.expose().as_bytes())).await?;
    let authorization = found.ok_or(refused("invalid_grant", "code", "unknown"))?.authorization;
    let presented =
        Presented { client: client.id, redirect_uri: request.redirect_uri, verifier: request.verifier };
    match authorization.exchange(&presented, now) {
        Exchange::Refused(refusal) => Err(grant_refused(refusal)),
        Exchange::Replayed => revoke(app, tx, &authorization, client, now).await,
        Exchange::Granted { confirmation, consent } => {
            let next = State::Exchanged { confirmation, consent, exchanged_at: now };
            grant(app, tx, &authorization, client, &next, &confirmation).await
        }
    }
}

async fn grant(
    app: &App,
    mut tx: Tx,
    authorization: &Authorization,
    client: &Client,
    next: &State,
    confirmation: &Confirmation,
) -> Result<Exchanged> {
    let now = app.clock.now();
    let Errand::Portal { request, .. } = &authorization.errand else {
        return Err(grant_refused(ExchangeRefusal::NotYours));
    };
    let party = acting::party(app, &mut tx, authorization, confirmation, client.agency, now).await?;
    let active = portal::is_active(&mut tx, client.id, now).await?;
    let Some(party) = party.filter(|_| active) else {
        return Err(refused("invalid_grant", "code", "no_longer_allowed"));
    };
    let subject = pseudonym::find(&mut tx, party.holder.citizen, &client.sector).await?;
    let subject = subject.ok_or_else(|| Error::internal("a code without a subject"))?;
    let actor = match &party.actor {
        Some(actor) => {
            let named = pseudonym::find(&mut tx, actor.person.citizen, &client.sector).await?;
            let subject = named.ok_or_else(|| Error::internal("an actor without a subject"))?;
            Some(Actor { subject, right: actor.right })
        }
        None => None,
    };
    if !authorization::advance(&mut tx, authorization.id, &authorization.state, next, None).await? {
        return Err(refused("invalid_grant", "code", "exchanged_meanwhile"));
    }
    tx.commit().await?;
    let scope = scope_of(request);
    let access_token =
        issue_token::portal_token(app, client.id, &subject, scope.clone(), authorization.id, actor.as_ref());
    let token = IdToken {
        issuer: app.origin.as_str().to_owned(),
        subject,
        audience: client.id,
        issued_at: now,
        expires_at: now + issue_token::ID_TOKEN_LIFE,
        authenticated_at: confirmation.authenticated_at,
        assurance: confirmation.assurance(now),
        methods: confirmation.method.references(),
        nonce: request.nonce.clone(),
        session: Some(confirmation.session),
        actor,
    };
    let id_token = issue_token::id_token(app, &token, &access_token);
    Ok(Exchanged::Tokens(Box::new(Tokens { id_token, access_token, scope })))
}

async fn revoke(
    app: &App,
    mut tx: Tx,
    authorization: &Authorization,
    client: &Client,
    now: Instant,
) -> Result<Exchanged> {
    let next = State::Revoked { cause: Revocation::Replayed, revoked_at: now };
    if !authorization::advance(&mut tx, authorization.id, &authorization.state, &next, None).await? {
        return Err(refused("invalid_grant", "code", "revoked"));
    }
    let State::Exchanged { confirmation, .. } = &authorization.state else {
        return Err(Error::internal("a replay of a code that was not exchanged"));
    };
    let looked = population::look_up_citizen(app, &mut tx, confirmation.citizen).await?;
    if let Some(holder) = looked.on_record {
        let concern = Concern {
            citizen: Some(holder.citizen),
            agency: Some(client.agency),
            object: authorization.id.uuid(),
        };
        let details = json!({"authorization": authorization.id.to_string(), "client": client.id.to_string()});
        audit::append(&mut tx, &[leaf(app, now, "code.replayed", concern, &holder.key, &details)]).await?;
    }
    tx.commit().await?;
    tracing::warn!(authorization = %authorization.id, client = %client.id, "a code came twice; its tokens are revoked");
    Ok(Exchanged::Replayed)
}

fn scope_of(request: &AuthorizationRequest) -> String {
    request.scopes.iter().copied().map(SignInScope::word).collect::<Vec<_>>().join(" ")
}

fn refused(code: &'static str, field: &'static str, rule: &'static str) -> Error {
    Error::Refused(Refusal::new(code).violation(field, rule, None))
}

fn grant_refused(refusal: ExchangeRefusal) -> Error {
    let (field, rule) = match refusal {
        ExchangeRefusal::NotYours => ("code", "unknown"),
        ExchangeRefusal::Expired => ("code", "expired"),
        ExchangeRefusal::RedirectUri => ("redirect_uri", "differs"),
        ExchangeRefusal::Verifier => ("code_verifier", "wrong"),
        ExchangeRefusal::Revoked => ("code", "revoked"),
    };
    refused("invalid_grant", field, rule)
}
