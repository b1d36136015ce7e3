//! What every grant of a citizen's tokens shares: whether it may still be, whose name it bears, what it is for, and
//! the tokens themselves.

use super::{Error, Refusal, Result, acting, issue_token};
use crate::app::App;
use crate::base::{
    clock::Instant,
    id::{self, Id},
    secret::Token,
};
use crate::identity::{
    authorization::{Authorization, Confirmation},
    claims::SignInScope,
    client::Client,
    profile::Resource,
    pseudonym::Subject,
    token::{Actor, IdToken},
};
use crate::store::{Tx, carried, portal, pseudonym};
use std::collections::BTreeSet;

/// What a portal gets.
pub struct Tokens {
    /// Says who signed in.
    pub id_token: String,
    /// Opens userinfo, or the resource that it was asked for.
    pub access_token: String,
    /// Whether the access token is worth something only with proofs by its key.
    pub bound: bool,
    /// Gets the next access token.
    pub refresh_token: Option<Token>,
    /// The scopes that were granted.
    pub scope: String,
}

/// What becomes of an exchange.
pub enum Exchanged {
    /// The tokens.
    Tokens(Box<Tokens>),
    /// The citizen has not decided yet; that it was asked is committed.
    Waiting {
        /// It was asked again too soon.
        too_soon: bool,
    },
    /// What was shown came a second time: what it gave before is revoked, and that is committed.
    Replayed,
}

/// A grant that has been decided.
pub(super) struct Grant<'a> {
    pub client: &'a Client,
    pub authorization: Id<id::Authorization>,
    pub confirmation: &'a Confirmation,
    pub subject: Subject,
    /// Who acts for the subject.
    pub actor: Option<Actor>,
    pub scopes: &'a BTreeSet<SignInScope>,
    pub nonce: Option<&'a str>,
    /// The resource of the access token.
    pub audience: String,
    /// The thumbprint of the key that it is bound to.
    pub key: Option<String>,
    pub refresh_token: Option<Token>,
}

/// Demands that the session and the consent under a grant stand; neither ends before this transaction does. `shown` is
/// what the client exchanges.
pub(super) async fn demand_standing(
    tx: &mut Tx,
    confirmation: &Confirmation,
    consent: Id<id::Consent>,
    shown: &'static str,
) -> Result<()> {
    let of = std::iter::once((confirmation.citizen, confirmation.session, consent));
    let held = carried::hold(tx, of).await?;
    if held.iter().any(|held| held.signed_out) {
        return Err(refused("invalid_grant", "grant", "no_longer_allowed"));
    }
    if held.iter().any(|held| held.withdrawn) {
        return Err(refused("invalid_grant", shown, "consent_withdrawn"));
    }
    Ok(())
}

/// The name that the client knows the citizen by, and whoever acts for them, if client and people may all go on at this
/// moment.
pub(super) async fn named(
    app: &App,
    tx: &mut Tx,
    client: &Client,
    authorization: &Authorization,
    confirmation: &Confirmation,
    now: Instant,
) -> Result<(Subject, Option<Actor>)> {
    let party = acting::party(app, tx, authorization, confirmation, client.agency, now).await?;
    let active = portal::is_active(tx, client.id, now).await?;
    let Some(party) = party.filter(|_| active) else {
        return Err(refused("invalid_grant", "grant", "no_longer_allowed"));
    };
    let sectors = client.sectors();
    let subject = pseudonym::find(tx, party.holder.citizen, &sectors).await?;
    let subject = subject.ok_or_else(|| Error::internal("a grant without a subject"))?;
    let Some(actor) = &party.actor else { return Ok((subject, None)) };
    let known = pseudonym::find(tx, actor.person.citizen, &sectors).await?;
    let known = known.ok_or_else(|| Error::internal("an actor without a subject"))?;
    Ok((subject, Some(Actor { subject: known, right: actor.right })))
}

/// What the access token is for: the resource of the authorization, unless the token request names it or userinfo
/// (RFC 8707, section 2.2: never more than was authorized).
pub(super) fn audience(app: &App, authorized: Option<&Resource>, asked: Option<&str>) -> Result<String> {
    let userinfo = issue_token::userinfo_audience(app);
    match (asked, authorized) {
        (None, None) => Ok(userinfo),
        (None, Some(resource)) => Ok(resource.to_string()),
        (Some(asked), _) if asked == userinfo => Ok(userinfo),
        (Some(asked), Some(resource)) if asked == resource.as_str() => Ok(resource.to_string()),
        (Some(_), _) => Err(refused("invalid_target", "resource", "not_authorized")),
    }
}

/// The key that tokens of this client are bound to: proved now, and demanded where the profile does.
pub(super) fn binding(client: &Client, key: Option<String>) -> Result<Option<String>> {
    match key {
        None if client.is_fapi2() => Err(super::dpop::refused("required_by_the_profile_fapi2")),
        key => Ok(key),
    }
}

/// Signs the tokens of a grant.
pub(super) fn tokens(app: &App, grant: Grant<'_>, now: Instant) -> Result<Tokens> {
    let scope = grant.scopes.iter().copied().map(SignInScope::word).collect::<Vec<_>>().join(" ");
    let access_token = issue_token::portal_token(app, &grant, &scope, now);
    let token = IdToken {
        issuer: app.origin.as_str().to_owned(),
        subject: grant.subject,
        audience: grant.client.id,
        issued_at: now,
        expires_at: now + issue_token::ID_TOKEN_LIFE,
        authenticated_at: grant.confirmation.authenticated_at,
        assurance: grant.confirmation.assurance(now),
        methods: grant.confirmation.method.references(),
        nonce: grant.nonce.map(str::to_owned),
        session: Some(grant.confirmation.session),
        actor: grant.actor,
    };
    let id_token = issue_token::id_token(app, &token, grant.client.terms.id_token_alg, &access_token)?;
    Ok(Tokens {
        id_token,
        access_token,
        bound: grant.key.is_some(),
        refresh_token: grant.refresh_token,
        scope,
    })
}

pub(super) fn refused(code: &'static str, field: &'static str, rule: &'static str) -> Error {
    Error::Refused(Refusal::new(code).violation(field, rule, None))
}
