//! "This was not me": whoever was told something they did not do locks their identity, at once and whole.
//!
//! On the page, by the code of a notice on a page that needs no sign-in, by answering the SMS from the phone that got
//! it, or at a counter. Locking costs the holder a visit to a counter and a thief everything, so nobody is asked to
//! prove more than that they were told.

use super::{
    Error, Result,
    audit_leaf::{Concern, leaf},
    contact,
    limit_attempts::address_key,
    locks::{self, NewLock},
    notify::{code_digest, phone_hash},
    population::{self, OnRecord},
    short_message::{self, ShortMessage, written},
};
use crate::app::App;
use crate::base::{
    clock::Instant,
    id::{self, Id},
};
use crate::identity::{
    limit::{Act, Limited, Subject, admit, rules_of},
    lock::Scope,
    notice::{NoticeCode, Reply, What},
    person::Phone,
    session::Session,
};
use crate::store::{
    Tx, audit, authenticator, code_counter, familiar,
    notice::{self, StoredNotice},
};
use serde_json::json;
use std::net::IpAddr;
use time::Duration;

/// How long a notice's code is taken: once, so that whoever has it locks no second time what a counter has opened.
const CODE_LIFE: Duration = Duration::days(30);
/// How long an answer without a code is taken for the newest notice.
const UNNAMED_LIFE: Duration = Duration::days(7);

/// What becomes of a code that somebody typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disowned {
    /// The identity is locked.
    Locked,
    /// No notice has that code any more.
    Unknown,
    /// Too many codes came from there.
    Limited(Limited),
}

/// What becomes of an SMS to the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replied {
    /// The identity is locked, and the phone is told.
    Locked,
    /// Several people share the phone and were told something: the answer must name the code. The phone is told.
    WhoseIsMeant,
    /// It asks for nothing we know, or for nothing that was told to that phone.
    Ignored,
}

/// Disowns a notice on the citizen's own page.
pub async fn disown_on_page(app: &App, session: &Session, id: Id<id::Notice>) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let holder = population::look_up_citizen(app, &mut tx, session.citizen).await?.on_record;
    let holder = holder.ok_or(Error::not_found())?;
    let notice = notice::find(&mut tx, session.citizen, id).await?.ok_or(Error::not_found())?;
    lock_down(app, &mut tx, &holder, Some(&notice), "page", now).await?;
    Ok(tx.commit().await?)
}

/// Disowns the notice of that code, by whoever got it: no sign-in is asked for, since it may be the thief's by now.
pub async fn disown_by_code(app: &App, code: Option<&NoticeCode>, from: IpAddr) -> Result<Disowned> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let address = address_key(app, from);
    let rules = rules_of(&[Act::Disown], false);
    let counters: Vec<_> = rules
        .into_iter()
        .filter(|rule| rule.subject == Subject::Address)
        .map(|rule| (rule, address.clone()))
        .collect();
    let counts = code_counter::count(&mut tx, &counters, 0, now).await?;
    if let Err(limited) = admit(&counts, |rule| rule.max, 0, now) {
        tx.commit().await?;
        return Ok(Disowned::Limited(limited));
    }
    let found = match code {
        Some(code) => notice::find_by_code(&mut tx, &code_digest(app, code), None, now - CODE_LIFE).await?,
        None => None,
    };
    let disowned = match found {
        Some(notice) => {
            lock_named(app, &mut tx, &notice, "code", now).await?;
            Disowned::Locked
        }
        None => Disowned::Unknown,
    };
    tx.commit().await?;
    Ok(disowned)
}

/// Takes an SMS that came from that phone.
pub async fn take_reply(app: &App, from: &Phone, text: &str) -> Result<Replied> {
    let now = app.clock.now();
    let Some(reply) = Reply::parse(text) else { return Ok(Replied::Ignored) };
    let hash = phone_hash(app, from);
    let mut tx = app.store.begin().await?;
    let meant = match reply {
        Reply::Lock(code) => {
            let digest = code_digest(app, &code);
            let found = notice::find_by_code(&mut tx, &digest, Some(&hash), now - CODE_LIFE).await?;
            found.into_iter().collect()
        }
        Reply::LockUnnamed => notice::told_to(&mut tx, &hash, now - UNNAMED_LIFE).await?,
    };
    let replied = match meant.as_slice() {
        [] => return Ok(Replied::Ignored),
        [notice] => {
            let holder = lock_named(app, &mut tx, notice, "sms", now).await?;
            let text = written("sms-locked", holder.person.name.as_str(), "Chung", &[]);
            tell(app, &mut tx, from, text, notice.id, now).await?;
            Replied::Locked
        }
        [notice, ..] => {
            let text = written("sms-whose", "", "Chung", &[]);
            tell(app, &mut tx, from, text, notice.id, now).await?;
            Replied::WhoseIsMeant
        }
    };
    tx.commit().await?;
    Ok(replied)
}

async fn tell(
    app: &App,
    tx: &mut Tx,
    to: &Phone,
    text: String,
    about: Id<id::Notice>,
    now: Instant,
) -> Result<()> {
    let sms = ShortMessage { name: "notice.answer", object: about.uuid(), to: Some(to), agency: None, text };
    short_message::send(app, tx, sms, now).await
}

async fn lock_named(
    app: &App,
    tx: &mut Tx,
    notice: &StoredNotice,
    via: &'static str,
    now: Instant,
) -> Result<Box<OnRecord>> {
    let holder = population::look_up_citizen(app, tx, notice.citizen).await?.on_record;
    let holder = holder.ok_or(Error::not_found())?;
    lock_down(app, tx, &holder, Some(notice), via, now).await?;
    Ok(holder)
}

/// Locks everything, undoes what the notice told of as far as that only ever helps the holder, and forgets familiar
/// browsers. Harmless when done before.
pub(super) async fn lock_down(
    app: &App,
    tx: &mut Tx,
    holder: &OnRecord,
    notice: Option<&StoredNotice>,
    via: &'static str,
    now: Instant,
) -> Result<()> {
    population::meet(app, tx, holder, now).await?;
    let lock = NewLock { scope: Scope::Everything, last_day: None };
    let lock = locks::add_lock(app, tx, holder, lock, "report", now).await?;
    familiar::forget(tx, &population::number_hash(app, &holder.person.number)).await?;
    if let Some(notice) = notice {
        notice::disown(tx, notice.id, via, now).await?;
        match (notice.what, notice.way) {
            (What::WayEnrolled, Some(way)) => {
                authenticator::remove(tx, holder.citizen, way, "report", now).await?;
            }
            (What::PhoneChanged, _) => contact::forget_phone(tx, holder, now).await?,
            _ => {}
        }
    }
    let concern = Concern { citizen: Some(holder.citizen), agency: None, object: lock.uuid() };
    let what = notice.map(|notice| notice.what.word());
    let details = json!({ "via": via, "notice": notice.map(|n| n.id.to_string()), "what": what });
    Ok(audit::append(tx, &[leaf(app, now, "identity.reported", concern, &holder.key, &details)]).await?)
}
