//! A citizen takes up a sign-in that was started for them at a counter, and the officer's system asks what became of it.

use super::{
    Error, Result,
    exchange_code::Exchanged,
    grant_tokens::{self, Grant, binding, refused},
    population,
    refresh_tokens::{self, REFRESH_LIFE},
};
use crate::app::App;
use crate::base::{
    id::{self, Id},
    secret::{Token, TokenKind},
};
use crate::crypto::digest::sha256;
use crate::identity::{
    authorization::{Errand, Poll, State},
    claims::SignInScope,
    client::Client,
    counter::POLL_PAUSE,
    session::Session,
};
use crate::store::{Tx, at_counter, authorization};

pub use crate::store::at_counter::AtCounter;

/// The name of this citizen, and the requests that wait for them, the oldest first.
pub async fn read_waiting(app: &App, citizen: Id<id::Citizen>) -> Result<(String, Vec<AtCounter>)> {
    let mut tx = app.store.begin().await?;
    let looked = population::look_up_citizen(app, &mut tx, citizen).await?;
    let holder = looked.on_record.ok_or(Error::not_found())?;
    let waiting = at_counter::waiting_for(&mut tx, citizen, None, app.clock.now()).await?;
    tx.commit().await?;
    Ok((holder.person.name.as_str().to_owned(), waiting))
}

/// The citizen opens a request: from now on it is this browser's, like any sign-in that a portal asked for.
pub async fn take_up(app: &App, session: &Session, id: Id<id::Authorization>) -> Result<Token> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let bound = authorization::find_and_lock(&mut tx, id).await?.ok_or(Error::not_found())?;
    let authorization = bound.authorization;
    let Errand::Counter { request, .. } = &authorization.errand else { return Err(Error::not_found()) };
    if request.citizen != Some(session.citizen) || now >= authorization.expires_at {
        return Err(Error::not_found());
    }
    if !matches!(authorization.state, State::Started | State::Confirmed(_)) {
        return Err(Error::conflict("sign_in_moved"));
    }
    let browser = Token::new(TokenKind::Form, &*app.entropy);
    at_counter::take_up(&mut tx, id, &sha256(browser.expose().as_bytes())).await?;
    tx.commit().await?;
    Ok(browser)
}

/// The parameters of a token request that asks what became of a sign-in at a counter.
pub struct PollRequest<'a> {
    /// Its name, `auth_req_id`.
    pub name: Option<&'a str>,
    /// What the access token is for.
    pub resource: Option<&'a str>,
    /// The thumbprint of the key that the client proved to hold.
    pub key: Option<String>,
}

/// Gives an authenticated client its tokens once the citizen has approved (section 10.1).
pub async fn poll_counter(app: &App, client: &Client, request: PollRequest<'_>) -> Result<Exchanged> {
    let now = app.clock.now();
    let unknown = || refused("invalid_grant", "auth_req_id", "unknown");
    let text = request.name.ok_or(refused("invalid_request", "auth_req_id", "missing"))?;
    let name = Token::parse(TokenKind::Counter, text).ok_or_else(unknown)?;
    let key = binding(client, request.key)?;
    let mut tx = app.store.begin().await?;
    let digest = sha256(name.expose().as_bytes());
    let bound = authorization::find_by_poll(&mut tx, &digest).await?.ok_or_else(unknown)?;
    let authorization = bound.authorization;
    let in_time = at_counter::polled(&mut tx, authorization.id, now, now - POLL_PAUSE).await?;
    match authorization.poll(client.id, now) {
        Poll::NotYours => Err(unknown()),
        Poll::Spent => Err(refused("invalid_grant", "auth_req_id", "used_before")),
        Poll::Denied => Err(refused("access_denied", "auth_req_id", "the_citizen_declined")),
        Poll::Expired => Err(refused("expired_token", "auth_req_id", "expired")),
        Poll::Pending => {
            tx.commit().await?;
            Ok(Exchanged::Waiting { too_soon: !in_time })
        }
        Poll::Granted { confirmation, consent } => {
            let next = State::Exchanged { confirmation, consent, exchanged_at: now };
            let Errand::Counter { request: asked, .. } = &authorization.errand else { return Err(unknown()) };
            let audience = grant_tokens::audience(app, asked.resource.as_ref(), request.resource)?;
            grant_tokens::demand_standing(&mut tx, &confirmation, consent, "auth_req_id").await?;
            let (subject, actor) =
                grant_tokens::named(app, &mut tx, client, &authorization, &confirmation, now).await?;
            if !authorization::advance(&mut tx, authorization.id, &authorization.state, &next, None).await? {
                return Err(refused("invalid_grant", "auth_req_id", "used_before"));
            }
            let refresh_token = lasting(app, &mut tx, client, &asked.scopes, authorization.id, now).await?;
            tx.commit().await?;
            let grant = Grant {
                client,
                authorization: authorization.id,
                confirmation: &confirmation,
                subject,
                actor,
                scopes: &asked.scopes,
                nonce: None,
                audience,
                key,
                refresh_token,
            };
            Ok(Exchanged::Tokens(Box::new(grant_tokens::tokens(app, grant, now)?)))
        }
    }
}

async fn lasting(
    app: &App,
    tx: &mut Tx,
    client: &Client,
    scopes: &std::collections::BTreeSet<SignInScope>,
    id: Id<id::Authorization>,
    now: crate::base::clock::Instant,
) -> Result<Option<Token>> {
    if client.terms.offline && scopes.contains(&SignInScope::OfflineAccess) {
        return Ok(Some(refresh_tokens::draw(app, tx, id, now + REFRESH_LIFE, now).await?));
    }
    Ok(None)
}
