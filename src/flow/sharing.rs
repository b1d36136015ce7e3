//! What a citizen shares and where they are signed in, on their own page: read, withdrawn, ended.

use super::{
    Error, Result,
    audit_leaf::{Concern, leaf},
    end_session::end_session,
    population,
};
use crate::app::App;
use crate::base::{
    clock::Instant,
    id::{self, Citizen, Id},
};
use crate::identity::{authorization::Revocation, consent::Consent, session::Session};
use crate::store::{audit, sharing};
use serde_json::json;

/// A consent with the names that belong to it.
pub struct ConsentShown {
    /// The consent.
    pub consent: Consent,
    /// The portal, in Vietnamese and English.
    pub portal: (String, String),
    /// Who gave it for the citizen.
    pub actor: Option<String>,
}

/// A browser that is signed in.
pub struct SessionShown {
    /// The session.
    pub session: Session,
    /// The portals that got tokens from it.
    pub portals: Vec<(String, String)>,
    /// Whether it is the one that asks.
    pub here: bool,
}

/// What the page shows.
pub struct Sharing {
    /// The citizen's name.
    pub name: String,
    /// Consents, the newest first.
    pub consents: Vec<ConsentShown>,
    /// Live sessions, the newest first.
    pub sessions: Vec<SessionShown>,
}

/// What whoever is signed in shares, and where they are signed in.
pub async fn read_sharing(app: &App, reader: &Session) -> Result<Sharing> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let looked = population::look_up_citizen(app, &mut tx, reader.citizen).await?;
    let holder = looked.on_record.ok_or(Error::not_found())?;
    let rows = sharing::consents(&mut tx, reader.citizen).await?;
    let actors: Vec<Id<Citizen>> = rows.iter().filter_map(|row| row.actor).collect();
    let known = population::look_up_citizens(app, &mut tx, &actors).await?;
    let name = |id: Id<Citizen>| {
        known.iter().find(|found| found.citizen == id).map(|found| found.person.name.as_str().to_owned())
    };
    let consents = rows.into_iter().map(|row| ConsentShown {
        actor: row.actor.and_then(name),
        consent: row.consent,
        portal: row.portal,
    });
    let consents = consents.collect();
    let live = sharing::sessions(&mut tx, reader.citizen, now).await?;
    let at = sharing::portals_of_sessions(&mut tx, reader.citizen).await?;
    let sessions = live.into_iter().map(|session| SessionShown {
        portals: at.iter().filter(|(id, _)| *id == session.id).map(|(_, name)| name.clone()).collect(),
        here: session.id == reader.id,
        session,
    });
    Ok(Sharing { name: holder.person.name.as_str().to_owned(), consents, sessions: sessions.collect() })
}

/// Takes a consent back: the portal learns no more than the law gives it, from the very next request, and a sign-in
/// without a page needs a new consent. What the law demanded beside it is untouched.
pub async fn withdraw_consent(app: &App, citizen: Id<Citizen>, id: Id<id::Consent>) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let Some((client, agency)) = sharing::withdraw(&mut tx, citizen, id, now).await? else {
        return Err(Error::not_found());
    };
    let looked = population::look_up_citizen(app, &mut tx, citizen).await?;
    let holder = looked.on_record.ok_or(Error::not_found())?;
    sharing::end_of_consent(&mut tx, id, Revocation::ConsentWithdrawn, now).await?;
    let concern = Concern { citizen: Some(citizen), agency: Some(agency), object: id.uuid() };
    let details = json!({ "consent": id.to_string(), "client": client.to_string() });
    audit::append(&mut tx, &[leaf(app, now, "consent.withdrawn", concern, &holder.key, &details)]).await?;
    tx.commit().await?;
    Ok(())
}

/// Ends one of the citizen's own sessions, with everything that it gave.
pub async fn end_own_session(app: &App, citizen: Id<Citizen>, id: Id<id::Session>) -> Result<()> {
    let now: Instant = app.clock.now();
    let mut tx = app.store.begin().await?;
    let live = sharing::sessions(&mut tx, citizen, now).await?;
    drop(tx);
    let session = live.into_iter().find(|session| session.id == id).ok_or(Error::not_found())?;
    end_session(app, &session).await
}
