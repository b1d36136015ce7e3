//! Signing out: the session ends and what its sign-ins gave stops working, at once.

use super::{
    Result,
    audit_leaf::{Concern, leaf},
    population, sign_in,
};
use crate::app::App;
use crate::base::{
    id::{self, Id},
    secret::Token,
};
use crate::crypto::{jwt, keyring::Purpose};
use crate::identity::{authorization::Revocation, client::Client, session::Session};
use crate::store::{audit, authorization, portal, session};
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

#[derive(Deserialize)]
struct Hint {
    aud: String,
    #[serde(default)]
    sid: Option<String>,
}

/// Reads a request to sign out against the browser's session. An address that is not registered for the portal is
/// dropped: the person stays here.
pub async fn logout(app: &App, request: &LogoutRequest, cookie: Option<&Token>) -> Result<Logout> {
    let now = app.clock.now();
    let keys = app.keys.published(Purpose::Token);
    let hint: Option<Hint> =
        request.id_token_hint.as_deref().and_then(|text| jwt::verify(text, "JWT", keys).ok());
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
    if !session::end(&mut tx, session.id, now).await? {
        return Ok(());
    }
    authorization::revoke_of_session(&mut tx, session.id, Revocation::SignedOut, now).await?;
    let looked = population::look_up_citizen(app, &mut tx, session.citizen).await?;
    if let Some(holder) = looked.on_record {
        let concern = Concern { citizen: Some(session.citizen), agency: None, object: session.id.uuid() };
        let details = json!({"session": session.id.to_string()});
        audit::append(&mut tx, &[leaf(app, now, "session.ended", concern, &holder.key, &details)]).await?;
    }
    tx.commit().await?;
    Ok(())
}
