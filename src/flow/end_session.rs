//! Signing out: the session ends and what its sign-ins gave stops working, at once.

use super::{
    Result,
    audit_leaf::{Concern, leaf},
    population, sign_in, tell_logout,
};
use crate::app::App;
use crate::base::{
    clock::Instant,
    id::{self, Id},
    secret::Token,
};
use crate::crypto::{jwt, keyring::Purpose};
use crate::identity::{authorization::Revocation, client::Client, session::Session};
use crate::store::{Tx, audit, authorization, outbox, portal, session};
use serde::Deserialize;
use serde_json::json;

/// What a portal asks for (OpenID Connect RP-Initiated Logout 1.0).
#[derive(Debug, Clone, Default)]
pub struct LogoutRequest {
    /// An ID token of ours, expired or not.
    pub id_token_hint: Option<String>,
    /// The portal.
    pub client_id: Option<String>,
    /// Where to go afterwards.
    pub post_logout_redirect_uri: Option<String>,
    /// Given back with it.
    pub state: Option<String>,
}

/// What a request to sign out amounts to.
pub struct Logout {
    /// The session at this browser, if any.
    pub session: Option<Session>,
    /// Whether the portal showed that it speaks of this very session, so that nobody need be asked.
    pub sure: bool,
    /// Where to go afterwards, if registered.
    pub location: Option<String>,
}

/// What an ID token of ours says to whom.
#[derive(Deserialize)]
pub(super) struct Hint {
    pub(super) aud: String,
    pub(super) sub: String,
    #[serde(default)]
    sid: Option<String>,
}

/// Reads an ID token of ours as a hint: it may be long over.
pub(super) fn hinted(app: &App, text: &str) -> Option<Hint> {
    let believed = jwt::verify(text, "JWT", app.keys.published(Purpose::Token)).ok();
    believed.or_else(|| jwt::verify_rs256(text, "JWT", app.keys.rsa()?).ok())
}

/// Reads a request to sign out against the browser's session. An address that is not registered for the portal is
/// dropped: the person stays here.
pub async fn logout(app: &App, request: &LogoutRequest, cookie: Option<&Token>) -> Result<Logout> {
    let now = app.clock.now();
    let hint = request.id_token_hint.as_deref().and_then(|text| hinted(app, text));
    let named = hint.as_ref().map(|h| h.aud.as_str()).or(request.client_id.as_deref());
    let agrees = match (&hint, &request.client_id) {
        (Some(hint), Some(client)) => hint.aud == *client,
        _ => true,
    };
    let id: Option<Id<id::Client>> = named.filter(|_| agrees).and_then(|text| text.parse().ok());
    let client = match id {
        Some(id) => portal::find(&app.store, id).await?,
        None => None,
    };
    let session = sign_in::session_of(app, cookie, now).await?;
    let sid = hint.and_then(|h| h.sid);
    let sure = session.as_ref().is_some_and(|s| sid.as_deref() == Some(s.id.to_string().as_str()));
    Ok(Logout { location: after(client.as_ref(), request), session, sure })
}

fn after(client: Option<&Client>, request: &LogoutRequest) -> Option<String> {
    let uri = client?.post_logout_redirect_uri(request.post_logout_redirect_uri.as_deref()?)?;
    let state: Vec<(&str, &str)> =
        request.state.as_deref().map(|state| ("state", state)).into_iter().collect();
    Some(if state.is_empty() { uri.as_str().to_owned() } else { uri.with(&state) })
}

/// Ends a session.
pub async fn end_session(app: &App, session: &Session) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    close(app, &mut tx, session.id, session.citizen, now).await?;
    tx.commit().await?;
    Ok(())
}

/// Ends a session in this transaction: what its sign-ins gave stops working with it, and every portal that wants to be
/// told is told through the outbox. Harmless when it had ended before.
pub async fn close(
    app: &App,
    tx: &mut Tx,
    session: Id<id::Session>,
    citizen: Id<id::Citizen>,
    now: Instant,
) -> Result<()> {
    if !session::end(tx, session, now).await? {
        return Ok(());
    }
    authorization::revoke_of_session(tx, session, Revocation::SignedOut, now).await?;
    tell(app, tx, session, now).await?;
    let looked = population::look_up_citizen(app, tx, citizen).await?;
    if let Some(holder) = looked.on_record {
        let concern = Concern { citizen: Some(citizen), agency: None, object: session.uuid() };
        let details = json!({"session": session.to_string()});
        audit::append(tx, &[leaf(app, now, "session.ended", concern, &holder.key, &details)]).await?;
    }
    Ok(())
}

/// Tells the portals at which somebody was signed in under a session that it has ended.
pub(super) async fn tell(app: &App, tx: &mut Tx, session: Id<id::Session>, now: Instant) -> Result<()> {
    let signed_in_at = session::signed_in_at(tx, session).await?;
    let notices =
        signed_in_at.iter().map(|at| tell_logout::notice(app, at, now)).collect::<Result<Vec<_>>>()?;
    Ok(outbox::enqueue(tx, &notices).await?)
}
