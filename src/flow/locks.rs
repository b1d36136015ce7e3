//! Locks of the citizen: set and lifted here, and asked about in the transaction of everything they forbid.
//!
//! Whoever decides on a sign-in shares the citizen's row before reading the locks, and whoever sets a lock takes the
//! row alone: a sign-in is either undone by the lock or sees it. What the lock forbids and is already there (sessions,
//! tokens) ends in the lock's own transaction.

use super::{
    Error, Refusal, Result,
    audit_leaf::{Concern, leaf},
    card_check,
    danger::demand,
    disclosure, end_session,
    notify::{Told, notify},
    officer,
    population::{self, Looked, OnRecord},
};
use crate::app::App;
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{self, Citizen, Id},
};
use crate::identity::{
    authenticator::Method,
    authorization::Revocation,
    card::Need,
    client::Wording,
    danger::Danger,
    lock::{self, Basis, Lock, Scope, Use},
    notice::What,
    person::Status,
    personal_number::PersonalNumber,
    question::Question,
    session::Session,
};
use crate::store::{
    Tx, audit, authorization,
    lock::{self as locks, Lifter},
    portal, principal, role, session,
};
use serde_json::{Value, json};

/// A lock that a citizen wants.
#[derive(Debug, Clone, Copy)]
pub struct NewLock {
    /// What it is about.
    pub scope: Scope,
    /// Its last day; `None`: until it is lifted.
    pub last_day: Option<Day>,
}

/// What the page of locks shows.
pub struct LocksShown {
    /// The citizen's name.
    pub name: String,
    /// The locks that stand, and for one on a portal its name.
    pub locks: Vec<(Lock, Option<Wording>)>,
    /// The portals that can be locked.
    pub portals: Vec<(Id<id::Client>, Wording)>,
    /// Whether this session is strong enough to lift a lock.
    pub may_lift: bool,
    /// Today.
    pub today: Day,
}

/// Whether a lock of this citizen forbids this now. The decision's transaction holds off new locks until it ends.
pub(super) async fn forbids(tx: &mut Tx, citizen: Id<Citizen>, what: Use, now: Instant) -> Result<bool> {
    locks::share_citizen(tx, citizen).await?;
    standing_forbid(tx, citizen, what, now).await
}

async fn standing_forbid(tx: &mut Tx, citizen: Id<Citizen>, what: Use, now: Instant) -> Result<bool> {
    let found = locks::of_citizens(tx, &[citizen]).await?.remove(&citizen).unwrap_or_default();
    Ok(lock::forbidding(&found, what, Day::of(now)).is_some())
}

/// Whether this person may sign in so: the register and their own locks allow it.
pub(super) async fn may_sign_in(tx: &mut Tx, holder: &OnRecord, what: Use, now: Instant) -> Result<bool> {
    Ok(disclosure::is_open(&holder.person) && !forbids(tx, holder.citizen, what, now).await?)
}

/// The citizen as the register has them, if it and their own locks let them sign in so. They are looked up behind the
/// hold on new locks, so that who has none is not asked about again.
pub(super) async fn admitted(
    app: &App,
    tx: &mut Tx,
    citizen: Id<Citizen>,
    what: Use,
    now: Instant,
) -> Result<Option<Box<OnRecord>>> {
    locks::share_citizen(tx, citizen).await?;
    let holder = population::look_up_citizen(app, tx, citizen).await?.on_record;
    let Some(holder) = holder.filter(|holder| disclosure::is_open(&holder.person)) else { return Ok(None) };
    let forbidden = holder.has_locks && standing_forbid(tx, citizen, what, now).await?;
    Ok(Some(holder).filter(|_| !forbidden))
}

/// Whether a lock ends this session for as long as it stands.
pub(super) async fn stops_session(app: &App, session: &Session, now: Instant) -> Result<bool> {
    let found = locks::of_citizen(&app.store, session.citizen).await?;
    Ok(lock::forbidding(&found, Use::Page(session.method), Day::of(now)).is_some())
}

/// The laws that the askers of a batch have on their lists.
pub(super) struct Listed(Vec<(Id<id::Client>, String)>);

impl Listed {
    /// Whether the question names no law, or one that its asker may name.
    pub(super) fn know(&self, question: &Question) -> bool {
        let named = question.ground.legal_basis.as_ref();
        named.is_none_or(|law| {
            self.0.iter().any(|(client, basis)| *client == question.client && basis == law.as_str())
        })
    }
}

/// Whether that law is on the client's list today.
pub(super) async fn lists(tx: &mut Tx, client: Id<id::Client>, law: &str, now: Instant) -> Result<bool> {
    Ok(locks::bases(tx, &[client], Day::of(now)).await?.iter().any(|(_, basis)| basis == law))
}

/// Reads the lists of those who name a law: one statement, none where nobody does.
pub(super) async fn listed(tx: &mut Tx, questions: &[Question], now: Instant) -> Result<Listed> {
    let naming = questions.iter().filter(|question| question.ground.legal_basis.is_some());
    let clients: Vec<Id<id::Client>> = naming.map(|question| question.client).collect();
    if clients.is_empty() {
        return Ok(Listed(Vec::new()));
    }
    Ok(Listed(locks::bases(tx, &clients, Day::of(now)).await?))
}

/// The answers of the register in which a person whose lock forbids the question stands as locked: one statement for
/// the whole batch, none where nobody has a lock.
pub(super) async fn closed(
    tx: &mut Tx,
    questions: &[(usize, &Question)],
    mut found: Vec<Looked>,
    now: Instant,
) -> Result<Vec<Looked>> {
    let holders = found.iter().filter_map(|looked| looked.on_record.as_ref());
    let people: Vec<Id<Citizen>> =
        holders.filter(|holder| holder.has_locks).map(|holder| holder.citizen).collect();
    if people.is_empty() {
        return Ok(found);
    }
    let standing = locks::of_citizens(tx, &people).await?;
    for ((_, question), looked) in questions.iter().zip(&mut found) {
        let Some(holder) = looked.on_record.as_mut() else { continue };
        let basis = if question.ground.legal_basis.is_some() { Basis::Law } else { Basis::Consent };
        let held = standing.get(&holder.citizen).map(Vec::as_slice).unwrap_or_default();
        let forbidden = lock::forbidding(held, Use::LookUp(question.client, basis), Day::of(now)).is_some();
        if forbidden && holder.person.status == Status::Active {
            holder.person.status = Status::Locked;
        }
    }
    Ok(found)
}

/// Sets a lock for whoever is signed in. A lock on the same thing is replaced.
pub async fn set_lock(app: &App, session: &Session, new: NewLock) -> Result<Id<id::Lock>> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let looked = population::look_up_citizen(app, &mut tx, session.citizen).await?;
    let holder = looked.on_record.ok_or(Error::not_found())?;
    let id = add_lock(app, &mut tx, &holder, new, "citizen", now).await?;
    tx.commit().await?;
    Ok(id)
}

/// Sets a lock in this transaction and ends what it forbids. `set_by` is `citizen`, `counter` or `report`.
pub(super) async fn add_lock(
    app: &App,
    tx: &mut Tx,
    holder: &OnRecord,
    new: NewLock,
    set_by: &'static str,
    now: Instant,
) -> Result<Id<id::Lock>> {
    lock::may_set(new.last_day, Day::of(now)).map_err(|refusal| refused(refusal, "last_day"))?;
    role::lock_citizen(tx, holder.citizen).await?;
    let wording = match new.scope {
        Scope::Portal(client) => Some(portal_name(app, client).await?.ok_or(Error::not_found())?),
        Scope::Everything | Scope::Verifications | Scope::Method(_) => None,
    };
    let standing = locks::of_citizens(tx, &[holder.citizen]).await?.remove(&holder.citizen);
    for before in standing.unwrap_or_default().into_iter().filter(|lock| lock.scope == new.scope) {
        locks::lift(tx, before.id, Lifter::Replaced, now).await?;
    }
    let lock = Lock {
        id: Id::new(now, &*app.entropy),
        citizen: holder.citizen,
        scope: new.scope,
        set_at: now,
        last_day: new.last_day,
    };
    locks::insert(tx, &lock, set_by).await?;
    end_forbidden(app, tx, &lock, now).await?;
    let mut details = told(&lock, wording.as_ref());
    details["set_by"] = json!(set_by);
    record(app, tx, holder, &lock, ("lock.set", details), now).await?;
    Ok(lock.id)
}

/// What the lock forbids and is already there ends with it.
async fn end_forbidden(app: &App, tx: &mut Tx, lock: &Lock, now: Instant) -> Result<()> {
    let cause = Revocation::Locked;
    match lock.scope {
        Scope::Everything => {
            for ended in session::end_all(tx, lock.citizen, None, now).await? {
                end_session::tell(app, tx, ended, now).await?;
            }
            authorization::revoke_of_citizen(tx, lock.citizen, None, cause, now).await?;
            principal::revoke_for_citizen(tx, lock.citizen, None, cause, now).await?;
        }
        Scope::Method(method) => {
            for ended in session::end_all(tx, lock.citizen, Some(method), now).await? {
                end_session::tell(app, tx, ended, now).await?;
                authorization::revoke_of_session(tx, ended, cause, now).await?;
            }
            // A session by this method may have been replaced by a stronger one, which stands.
            authorization::revoke_of_method(tx, lock.citizen, method, cause, now).await?;
        }
        Scope::Portal(client) => {
            authorization::revoke_of_citizen(tx, lock.citizen, Some(client), cause, now).await?;
            principal::revoke_for_citizen(tx, lock.citizen, Some(client), cause, now).await?;
        }
        Scope::Verifications => {}
    }
    Ok(())
}

/// Lifts a lock for its citizen, who must have just signed in with more than a code by SMS.
pub async fn lift_lock(app: &App, session: &Session, id: Id<id::Lock>) -> Result<()> {
    let now = app.clock.now();
    demand(session, Danger::LiftLock, now)?;
    let mut tx = app.store.begin().await?;
    role::lock_citizen(&mut tx, session.citizen).await?;
    let looked = population::look_up_citizen(app, &mut tx, session.citizen).await?;
    let holder = looked.on_record.ok_or(Error::not_found())?;
    let standing = locks::of_citizens(&mut tx, &[session.citizen]).await?.remove(&session.citizen);
    let lock = standing.unwrap_or_default().into_iter().find(|lock| lock.id == id);
    let lock = lock.ok_or(Error::not_found())?;
    end_lock(app, &mut tx, &holder, &lock, Lifter::Citizen, now).await?;
    tx.commit().await?;
    Ok(())
}

/// Lifts every lock of a citizen whose card an officer has just read; the number of locks lifted.
pub async fn lift_at_counter(
    app: &App,
    (agency, officer): (Id<id::Agency>, Id<Citizen>),
    number: PersonalNumber,
) -> Result<usize> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    officer::demand_counter(&mut tx, officer, agency, Day::of(now)).await?;
    let looked = population::look_up(app, &mut tx, number).await?;
    let holder = looked.on_record.ok_or(Error::refused("card_check_needed"))?;
    role::lock_citizen(&mut tx, holder.citizen).await?;
    let need = Need { citizen: holder.citizen, officer, agency };
    card_check::consume(&mut tx, &need, "lock.lifted", holder.citizen.uuid(), now).await?;
    let standing = locks::of_citizens(&mut tx, &[holder.citizen]).await?.remove(&holder.citizen);
    let standing = standing.unwrap_or_default();
    for lock in &standing {
        end_lock(app, &mut tx, &holder, lock, Lifter::Counter(officer), now).await?;
    }
    tx.commit().await?;
    Ok(standing.len())
}

/// Lifts a lock in this transaction, and tells the citizen.
pub(super) async fn end_lock(
    app: &App,
    tx: &mut Tx,
    holder: &OnRecord,
    lock: &Lock,
    by: Lifter,
    now: Instant,
) -> Result<()> {
    if !locks::lift(tx, lock.id, by, now).await? {
        return Ok(());
    }
    let wording = match lock.scope {
        Scope::Portal(client) => portal_name(app, client).await?,
        Scope::Everything | Scope::Verifications | Scope::Method(_) => None,
    };
    let details = told(lock, wording.as_ref());
    let notice = Told { what: What::LockLifted, details: details.clone(), way: None, quiet: false };
    notify(app, tx, holder, notice, now).await?;
    record(app, tx, holder, lock, ("lock.lifted", details), now).await
}

async fn record(
    app: &App,
    tx: &mut Tx,
    holder: &OnRecord,
    lock: &Lock,
    (kind, details): (&'static str, Value),
    now: Instant,
) -> Result<()> {
    let concern = Concern { citizen: Some(holder.citizen), agency: None, object: lock.id.uuid() };
    Ok(audit::append(tx, &[leaf(app, now, kind, concern, &holder.key, &details)]).await?)
}

fn told(lock: &Lock, portal: Option<&Wording>) -> Value {
    let method = match lock.scope {
        Scope::Method(method) => Some(method.word()),
        Scope::Everything | Scope::Portal(_) | Scope::Verifications => None,
    };
    json!({
        "lock": lock.id.to_string(),
        "scope": lock.scope.word(),
        "portal": portal.map(|name| name.vi.as_str()),
        "method": method,
        "last_day": lock.last_day.map(|day| day.to_string()),
    })
}

async fn portal_name(app: &App, client: Id<id::Client>) -> Result<Option<Wording>> {
    Ok(portal::find(&app.store, client).await?.map(|client| client.name))
}

/// The locks of whoever is signed in.
pub async fn read_locks(app: &App, session: &Session) -> Result<LocksShown> {
    let now = app.clock.now();
    let today = Day::of(now);
    let mut tx = app.store.begin().await?;
    let looked = population::look_up_citizen(app, &mut tx, session.citizen).await?;
    let holder = looked.on_record.ok_or(Error::not_found())?;
    let standing = locks::of_citizens(&mut tx, &[session.citizen]).await?.remove(&session.citizen);
    tx.commit().await?;
    let clients = portal::list(&app.store).await?;
    let name = |id| clients.iter().find(|client| client.id == id).map(|client| client.name.clone());
    let shown = |lock: Lock| match lock.scope {
        Scope::Portal(client) => (lock, name(client)),
        Scope::Everything | Scope::Verifications | Scope::Method(_) => (lock, None),
    };
    let standing = standing.unwrap_or_default().into_iter().filter(|lock| lock.stands(today));
    Ok(LocksShown {
        name: holder.person.name.as_str().to_owned(),
        locks: standing.map(shown).collect(),
        portals: clients
            .iter()
            .filter(|client| !client.redirect_uris.is_empty())
            .map(|client| (client.id, client.name.clone()))
            .collect(),
        may_lift: session.assurance(now) >= Danger::LiftLock.needs(),
        today,
    })
}

/// The ways of signing in that can be locked: all but the card, which is checked in person.
pub fn methods() -> impl Iterator<Item = Method> {
    Method::ALL.into_iter().filter(|method| *method != Method::ChipCard)
}

fn refused(refusal: lock::Refusal, field: &'static str) -> Error {
    Error::Refused(Refusal::new(refusal.code()).violation(field, refusal.code(), None))
}
