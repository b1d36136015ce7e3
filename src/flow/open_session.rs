//! A person has proved who they are: the session that stands for it, in the transaction of the proof.

use super::{
    Result,
    audit_leaf::{Concern, leaf},
    end_session,
    limit_attempts::Visitor,
    locks,
    notify::{Told, notify},
    population::{self, OnRecord},
    sign_in::{advance, portal_in},
};
use crate::app::App;
use crate::base::{
    clock::Instant,
    id::{self, Id},
    secret::{Token, TokenKind},
};
use crate::crypto::digest::sha256;
use crate::identity::{
    assurance::Assurance,
    authenticator::Method,
    authorization::{Authorization, Cause, Event},
    notice::What,
    session::Session,
};
use crate::store::{Tx, audit, familiar, session};
use serde_json::json;
use time::Duration;

/// How long a session lasts.
pub const SESSION_LIFE: Duration = Duration::hours(8);

/// What proved the person.
#[derive(Clone, Copy)]
pub(super) struct Proof {
    /// How.
    pub(super) method: Method,
    /// How strong it was.
    pub(super) reached: Assurance,
    /// With which authenticator, where it was one.
    pub(super) with: Option<Id<id::Authenticator>>,
}

/// What the browser keeps from a sign-in.
pub struct SignedIn {
    /// The session's cookie.
    pub session: Token,
    /// The cookie that makes the browser familiar.
    pub browser: Token,
}

/// Opens a session for whoever proved to be `holder` and ends the one that the browser had; `None` where that person
/// may not sign in, which is recorded. Commits.
pub(super) async fn open_session(
    app: &App,
    mut tx: Tx,
    authorization: &Authorization,
    holder: &OnRecord,
    proof: Proof,
    (visitor, before): (&Visitor, Option<&Session>),
    now: Instant,
) -> Result<Option<SignedIn>> {
    if !locks::may_sign_in(&mut tx, holder, authorization.used_by(proof.method), now).await? {
        bar(app, tx, authorization, Some(holder), now).await?;
        return Ok(None);
    }
    let token = Token::new(TokenKind::Session, &*app.entropy);
    let session = Session {
        id: Id::new(now, &*app.entropy),
        citizen: holder.citizen,
        method: proof.method,
        reached: proof.reached,
        authenticated_at: now,
        expires_at: now + SESSION_LIFE,
        ended_at: None,
    };
    population::meet(app, &mut tx, holder, now).await?;
    session::insert(&mut tx, &session, proof.with, &sha256(token.expose().as_bytes())).await?;
    match before {
        // The same person steps up: portals stay signed in, and are told when the newer session ends.
        Some(before) if before.citizen == holder.citizen => {
            session::end(&mut tx, before.id, now).await?;
            session::replace(&mut tx, before.id, session.id).await?;
        }
        Some(before) => end_session::close(app, &mut tx, before.id, before.citizen, now).await?,
        None => {}
    }
    advance(&mut tx, authorization, Event::Confirm(session.confirms()), now).await?;
    let browser = visitor.browser.clone().unwrap_or_else(|| Token::new(TokenKind::Browser, &*app.entropy));
    let number_hash = population::number_hash(app, &holder.person.number);
    let digest = sha256(browser.expose().as_bytes());
    let new_browser = familiar::remember(&mut tx, &digest, &number_hash, now).await?;
    let portal = record(app, &mut tx, authorization, holder, &session, now).await?;
    let details = json!({ "portal": portal, "method": proof.method.word() });
    let told = Told { what: What::SignedIn, details, way: proof.with, quiet: !new_browser };
    notify(app, &mut tx, holder, told, now).await?;
    tx.commit().await?;
    Ok(Some(SignedIn { session: token, browser }))
}

async fn record(
    app: &App,
    tx: &mut Tx,
    authorization: &Authorization,
    holder: &OnRecord,
    session: &Session,
    now: Instant,
) -> Result<Option<String>> {
    let client = portal_in(tx, authorization).await?;
    let concern = Concern {
        citizen: Some(holder.citizen),
        agency: client.as_ref().map(|c| c.agency),
        object: authorization.id.uuid(),
    };
    let details = json!({
        "authorization": authorization.id.to_string(),
        "client": client.as_ref().map(|c| c.id.to_string()),
        "method": session.method.word(),
        "acr": session.reached.acr(),
    });
    audit::append(tx, &[leaf(app, now, "sign_in.confirmed", concern, &holder.key, &details)]).await?;
    Ok(client.map(|client| client.name.vi.as_str().to_owned()))
}

/// The person is known and may not sign in: the sign-in ends, and their history shows it.
pub(super) async fn bar(
    app: &App,
    mut tx: Tx,
    authorization: &Authorization,
    holder: Option<&OnRecord>,
    now: Instant,
) -> Result<()> {
    advance(&mut tx, authorization, Event::Refuse(Cause::Barred), now).await?;
    if let Some(holder) = holder {
        let concern =
            Concern { citizen: Some(holder.citizen), agency: None, object: authorization.id.uuid() };
        let details = json!({ "authorization": authorization.id.to_string() });
        let barred = leaf(app, now, "sign_in.barred", concern, &holder.key, &details);
        audit::append(&mut tx, &[barred]).await?;
    }
    Ok(tx.commit().await?)
}
