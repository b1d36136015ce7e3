//! What a citizen can sign in with: read, renamed, removed by its holder, and used.

use super::{
    Error, Result,
    audit_leaf::{Concern, leaf},
    contact::contact_of,
    danger::demand,
    notify::{Told, notify},
    population::{self, OnRecord},
};
use crate::app::App;
use crate::base::{
    clock::Instant,
    id::{self, Citizen, Id},
    text::Line,
};
use crate::crypto::totp::TotpSecret;
use crate::identity::{
    assurance::Assurance,
    authenticator::{Kind, OneTimeCode, is_new_step, strength},
    danger::Danger,
    mailbox::Mailbox,
    notice::What,
    person::Phone,
    session::Session,
};
use crate::store::{
    Tx, audit,
    authenticator::{self, StoredAuthenticator},
};
use serde_json::json;
use uuid::Uuid;

/// The longest name of an authenticator.
pub const NAME_MAX: usize = 60;

/// One of a citizen's own.
pub struct Shown {
    /// Its identifier.
    pub id: Id<id::Authenticator>,
    /// What it is.
    pub kind: Kind,
    /// What the citizen calls it.
    pub name: String,
    /// When it was enrolled.
    pub enrolled_at: Instant,
    /// When it was last used.
    pub last_used_at: Option<Instant>,
    /// Until when it is on trial.
    pub trial_until: Option<Instant>,
}

/// Every way of one citizen.
pub struct Ways {
    /// The phone that codes go to.
    pub phone: Option<Phone>,
    /// The mailbox for notices.
    pub mail: Option<Mailbox>,
    /// What was enrolled, the oldest first.
    pub enrolled: Vec<Shown>,
}

/// What the signed-in citizen can sign in with.
pub async fn read_ways(app: &App, session: &Session) -> Result<Ways> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let holder = holder(app, &mut tx, session.citizen).await?;
    let enrolled = shown_of(&mut tx, &holder, now).await?;
    let contact = contact_of(&mut tx, &holder).await?;
    Ok(Ways { phone: contact.phone, mail: contact.mail, enrolled })
}

/// What a person on record can sign in with.
pub(super) async fn shown_of(tx: &mut Tx, holder: &OnRecord, now: Instant) -> Result<Vec<Shown>> {
    let enrolled = authenticator::of_citizen(tx, holder.citizen).await?;
    let shown = |stored: &StoredAuthenticator| -> Result<Shown> {
        Ok(Shown {
            id: stored.id,
            kind: stored.kind,
            name: name_of(holder, stored)?,
            enrolled_at: stored.enrolled_at,
            last_used_at: stored.last_used_at,
            trial_until: (now < stored.trusted_from).then_some(stored.trusted_from),
        })
    };
    enrolled.iter().map(shown).collect()
}

/// Gives an authenticator another name.
pub async fn rename(
    app: &App,
    session: &Session,
    id: Id<id::Authenticator>,
    name: &Line<NAME_MAX>,
) -> Result<()> {
    let mut tx = app.store.begin().await?;
    let holder = holder(app, &mut tx, session.citizen).await?;
    let sealed = holder.key.seal(&*app.entropy, &place("name", id), name.as_str().as_bytes());
    if !authenticator::rename(&mut tx, session.citizen, id, &sealed).await? {
        return Err(Error::not_found());
    }
    Ok(tx.commit().await?)
}

/// Removes an authenticator. One on trial is worth no more than a code, so a code removes it; every other one needs
/// more.
pub async fn remove(app: &App, session: &Session, id: Id<id::Authenticator>) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let holder = holder(app, &mut tx, session.citizen).await?;
    let all = authenticator::of_citizen(&mut tx, session.citizen).await?;
    let stored = all.iter().find(|stored| stored.id == id).ok_or(Error::not_found())?;
    if now >= stored.trusted_from {
        demand(session, Danger::RemoveAuthenticator, now)?;
    }
    if !authenticator::remove(&mut tx, session.citizen, id, "citizen", now).await? {
        return Err(Error::not_found());
    }
    let name = name_of(&holder, stored)?;
    record(app, &mut tx, &holder, ("way.removed", stored.kind, &name), id.uuid(), now).await?;
    let details = json!({ "way": stored.kind.word(), "name": name });
    let told = Told { what: What::WayRemoved, details, way: Some(id), quiet: false };
    notify(app, &mut tx, &holder, told, now).await?;
    Ok(tx.commit().await?)
}

/// An authenticator that was used now.
pub(super) struct Used {
    /// Which.
    pub(super) id: Id<id::Authenticator>,
    /// What it proved.
    pub(super) reached: Assurance,
}

/// Uses up the step of the citizen's app that shows this code now; `None` when no app shows it, or when that step was
/// used before.
pub(super) async fn use_app(
    app: &App,
    tx: &mut Tx,
    citizen: Id<Citizen>,
    code: &OneTimeCode,
    now: Instant,
) -> Result<Option<Used>> {
    let looked = population::look_up_citizen(app, tx, citizen).await?;
    // Asked about nobody too, so that it takes the same time.
    let all = authenticator::of_citizen(tx, citizen).await?;
    let Some(holder) = looked.on_record else { return Ok(None) };
    for stored in all {
        if stored.kind != Kind::App {
            continue;
        }
        let bytes = holder.key.open(&place("material", stored.id), &stored.material)?;
        let secret = TotpSecret::of(bytes.expose()).ok_or_else(|| Error::internal(stored.id))?;
        let step = secret.step_of(code.expose(), now).filter(|step| is_new_step(stored.last_step, *step));
        let Some(step) = step else { continue };
        if authenticator::use_step(tx, stored.id, step, now).await? {
            let reached = strength(stored.kind.method(), stored.trusted_from, now);
            return Ok(Some(Used { id: stored.id, reached }));
        }
    }
    Ok(None)
}

/// What the citizen calls it.
pub(super) fn name_of(holder: &OnRecord, stored: &StoredAuthenticator) -> Result<String> {
    let name = holder.key.open(&place("name", stored.id), &stored.name)?;
    String::from_utf8(name.expose().clone()).map_err(|_| Error::internal(stored.id))
}

/// What a sealed column of an authenticator is bound to.
pub(super) fn place(column: &str, id: Id<id::Authenticator>) -> Vec<u8> {
    [b"authenticator.", column.as_bytes(), id.uuid().as_bytes()].concat()
}

/// The record of whoever is signed in.
pub(super) async fn holder(app: &App, tx: &mut Tx, citizen: Id<Citizen>) -> Result<Box<OnRecord>> {
    population::look_up_citizen(app, tx, citizen).await?.on_record.ok_or(Error::not_found())
}

/// A leaf about a way of the citizen's.
pub(super) async fn record(
    app: &App,
    tx: &mut Tx,
    holder: &OnRecord,
    (leaf_kind, kind, name): (&'static str, Kind, &str),
    object: Uuid,
    now: Instant,
) -> Result<()> {
    let concern = Concern { citizen: Some(holder.citizen), agency: None, object };
    let details = json!({ "way": kind.word(), "name": name });
    Ok(audit::append(tx, &[leaf(app, now, leaf_kind, concern, &holder.key, &details)]).await?)
}
