//! A citizen at the counter, with the card: ways restored, a lock set, an act agreed to on paper.
//!
//! Each act uses up one passed check of the citizen's card by the officer who does it, in the act's own transaction:
//! without the card in hand nothing is done, and one reading serves one act. Nobody serves themselves. Whoever has no
//! phone signs a sheet wherever a phone would have been asked ([`super::sheet_for_request`]); the officer says that it is
//! signed and keeps the paper with the dossier.

use super::{
    Error, Result,
    audit_leaf::{Concern, leaf},
    authenticators::{self, Shown},
    card_check,
    contact::{self, Contact, contact_of},
    disown, end_session,
    limit_attempts::{self, Attempt, Visitor},
    notify::{Told, notify},
    officer,
    population::{self, OnRecord},
    sheet_for_request,
};
use crate::app::App;
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{self, Agency, CardCheck, Id},
    secret::Sealed,
    text::Line,
};
use crate::crypto::digest::Digest;
use crate::identity::{
    authorization::Revocation,
    card::{Need, Verdict, usable_since},
    claims::Claims,
    limit::{Act, Limited},
    notice::{NoticeCode, What},
    person::Phone,
    session::Session,
};
use crate::store::{
    Tx, agency,
    at_counter::{self, AtCounter as Waiting},
    audit, authenticator, authorization, card_check as checks,
    counter::{self, NewSlip, SheetState, SheetText, StoredSheet},
    familiar, role, session,
};
use serde_json::{Value, json};
use time::Duration;

/// How long a slip can be typed: time to get home and find a browser.
const SLIP_LIFE: Duration = Duration::hours(72);

/// A citizen at the counter, as the officer sees them.
pub struct AtCounter {
    /// The check that stands for them.
    pub check: Id<CardCheck>,
    /// Their name.
    pub name: String,
    /// The agency's name, in Vietnamese and English.
    pub agency: (String, String),
    /// Where they are reached, masked when shown.
    pub contact: Contact,
    /// What they can sign in with.
    pub enrolled: Vec<Shown>,
    /// The sign-ins that were started for them at this agency, to be agreed to on paper.
    pub waiting: Vec<Waiting>,
}

/// What an officer wants restored.
pub struct Recovery {
    /// Codes go to this phone from now on.
    pub phone: Option<Phone>,
    /// Every passkey and app is lost.
    pub remove_all: bool,
}

/// A slip on paper.
pub struct Slip {
    /// Whose.
    pub name: String,
    /// What its holder types on their page.
    pub code: NoticeCode,
    /// Until when.
    pub expires_at: Instant,
}

/// An act to be agreed to on paper.
pub struct NewSheet {
    /// The portal or desk that asks.
    pub portal: Line<120>,
    /// What is agreed to.
    pub act: Line<300>,
    /// The dossier that keeps the paper.
    pub dossier: Line<60>,
}

/// A sheet as it is printed.
pub struct Sheet {
    /// Its identifier.
    pub id: Id<id::Sheet>,
    /// As it stands on the paper.
    pub number: String,
    /// Who agrees.
    pub name: String,
    /// The portal, the act, the dossier.
    pub says: Value,
    /// Where.
    pub agency: (String, String),
    /// Before whom.
    pub officer: String,
    /// When it was printed.
    pub printed_at: Instant,
    /// Where it stands.
    pub state: SheetState,
}

impl Sheet {
    /// Whether it waits for the signature.
    pub fn is_open(&self) -> bool {
        self.state == SheetState::Printed
    }
}

/// Whose card was read, and where.
pub(super) struct Served {
    /// The citizen.
    pub(super) holder: Box<OnRecord>,
    /// The agency of the counter.
    pub(super) agency: Id<Agency>,
}

/// The citizen whose card this officer has just read.
pub async fn read_at_counter(app: &App, session: &Session, check: Id<CardCheck>) -> Result<AtCounter> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let Served { holder, agency } = served(app, &mut tx, session, check, now).await?;
    let enrolled = authenticators::shown_of(&mut tx, &holder, now).await?;
    let contact = contact_of(&mut tx, &holder).await?;
    let waiting = at_counter::waiting_for(&mut tx, holder.citizen, Some(agency), now).await?;
    Ok(AtCounter {
        check,
        name: holder.person.name.as_str().to_owned(),
        agency: agency_name(&mut tx, agency).await?,
        contact,
        enrolled,
        waiting,
    })
}

/// Restores a citizen's ways: lost ones go, codes go to another phone, and a slip is printed that ends the trial of what
/// they enrol at home. Whoever holds what was lost is out at once: every session ends, and what portals got for the
/// citizen is worth nothing any more.
pub async fn recover(
    app: &App,
    session: &Session,
    check: Id<CardCheck>,
    recovery: &Recovery,
) -> Result<Slip> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let served = served(app, &mut tx, session, check, now).await?;
    let slip: Id<id::Slip> = Id::new(now, &*app.entropy);
    spend(&mut tx, session, &served, "recovery", slip.uuid(), now).await?;
    let Served { holder, agency } = served;
    role::lock_citizen(&mut tx, holder.citizen).await?;
    if recovery.remove_all {
        authenticator::remove_all(&mut tx, holder.citizen, "counter", now).await?;
        familiar::forget(&mut tx, &population::number_hash(app, &holder.person.number)).await?;
    }
    for ended in session::end_all(&mut tx, holder.citizen, None, now).await? {
        end_session::tell(app, &mut tx, ended, now).await?;
    }
    authorization::revoke_of_citizen(&mut tx, holder.citizen, None, Revocation::Recovered, now).await?;
    let place = agency_name(&mut tx, agency).await?.0;
    // The phone before is told, by one notice: whoever holds it may lock, and undoes nothing of this.
    let phone = recovery.phone.as_ref().map(ToString::to_string);
    let details = json!({ "agency": place, "phone": phone });
    notify(app, &mut tx, &holder, Told { what: What::Recovered, details, way: None, quiet: false }, now)
        .await?;
    if let Some(phone) = &recovery.phone {
        contact::put_phone(app, &mut tx, &holder, phone, now).await?;
    }
    let code = NoticeCode::new(&*app.entropy);
    let new = NewSlip {
        id: slip,
        citizen: holder.citizen,
        agency,
        officer: session.citizen,
        issued_at: now,
        expires_at: now + SLIP_LIFE,
    };
    counter::insert_slip(&mut tx, &new, &slip_digest(app, &code)).await?;
    let details = json!({
        "officer": session.citizen.to_string(),
        "removed_all": recovery.remove_all,
        "phone": phone,
    });
    record(app, &mut tx, &holder, agency, ("way.recovered", details, slip.uuid()), now).await?;
    tx.commit().await?;
    Ok(Slip { name: holder.person.name.as_str().to_owned(), code, expires_at: now + SLIP_LIFE })
}

/// Locks the identity of whoever says at the counter that something was not them.
pub async fn lock_at_counter(app: &App, session: &Session, check: Id<CardCheck>) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let served = served(app, &mut tx, session, check, now).await?;
    spend(&mut tx, session, &served, "lock", check.uuid(), now).await?;
    disown::lock_down(app, &mut tx, &served.holder, None, "counter", now).await?;
    Ok(tx.commit().await?)
}

/// What becomes of a slip's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlipUsed {
    /// Every way is at full strength.
    Trusted,
    /// The code is wrong, used or too old; it was counted.
    Wrong,
    /// Too many wrong codes came.
    Limited(Limited),
}

/// Takes the code of a slip from its holder: every way on trial is at full strength from now on.
pub async fn use_slip(
    app: &App,
    session: &Session,
    code: Option<&NoticeCode>,
    visitor: &Visitor,
) -> Result<SlipUsed> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let holder = authenticators::holder(app, &mut tx, session.citizen).await?;
    let number_hash = population::number_hash(app, &holder.person.number);
    let guess = Attempt { acts: &[Act::Guess], number_hash: &number_hash, client: None, visitor };
    if let Some(limited) = limit_attempts::check(app, &mut tx, guess, now).await? {
        return Ok(SlipUsed::Limited(limited));
    }
    let used = match code {
        Some(code) => counter::use_slip(&mut tx, session.citizen, &slip_digest(app, code), now).await?,
        None => None,
    };
    let Some(slip) = used else {
        limit_attempts::count(app, &mut tx, guess, now).await?;
        tx.commit().await?;
        return Ok(SlipUsed::Wrong);
    };
    authenticator::trust_all(&mut tx, session.citizen, now).await?;
    let concern = Concern { citizen: Some(session.citizen), agency: None, object: slip.uuid() };
    let confirmed = leaf(app, now, "way.confirmed", concern, &holder.key, &json!({}));
    audit::append(&mut tx, &[confirmed]).await?;
    tx.commit().await?;
    Ok(SlipUsed::Trusted)
}

/// Prints what a citizen without a phone agrees to.
pub async fn print_sheet(
    app: &App,
    session: &Session,
    check: Id<CardCheck>,
    new: &NewSheet,
) -> Result<Id<id::Sheet>> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let served = served(app, &mut tx, session, check, now).await?;
    let says =
        json!({ "portal": new.portal.as_str(), "act": new.act.as_str(), "dossier": new.dossier.as_str() });
    let id = print(app, &mut tx, session, &served, (says, None), now).await?;
    tx.commit().await?;
    Ok(id)
}

/// Prints a sheet in this transaction, and uses the reading up; `object` is the request that it answers.
pub(super) async fn print(
    app: &App,
    tx: &mut Tx,
    session: &Session,
    served: &Served,
    (says, object): (Value, Option<uuid::Uuid>),
    now: Instant,
) -> Result<Id<id::Sheet>> {
    let id: Id<id::Sheet> = Id::new(now, &*app.entropy);
    spend(tx, session, served, "sheet", id.uuid(), now).await?;
    let Served { holder, agency } = served;
    let text: Sealed<SheetText> =
        holder.key.seal(&*app.entropy, &sheet_place(id), says.to_string().as_bytes());
    let sheet = StoredSheet {
        id,
        number: NoticeCode::new(&*app.entropy).expose().to_owned(),
        citizen: holder.citizen,
        agency: *agency,
        officer: session.citizen,
        text,
        object,
        printed_at: now,
        state: SheetState::Printed,
    };
    counter::insert_sheet(tx, &sheet).await?;
    record(app, tx, holder, *agency, ("sheet.printed", says, id.uuid()), now).await?;
    Ok(id)
}

/// A sheet that this officer printed.
pub async fn read_sheet(app: &App, session: &Session, id: Id<id::Sheet>) -> Result<Sheet> {
    let mut tx = app.store.begin().await?;
    let stored = counter::find_sheet(&mut tx, session.citizen, id).await?.ok_or(Error::not_found())?;
    let holder = authenticators::holder(app, &mut tx, stored.citizen).await?;
    let plain = holder.key.open(&sheet_place(id), &stored.text)?;
    let says = serde_json::from_slice(plain.expose()).map_err(Error::internal)?;
    let names = officer::names(app, &mut tx, &[session.citizen].into()).await?;
    Ok(Sheet {
        id,
        number: stored.number,
        name: holder.person.name.as_str().to_owned(),
        says,
        agency: agency_name(&mut tx, stored.agency).await?,
        officer: names.get(&session.citizen).cloned().unwrap_or_default(),
        printed_at: stored.printed_at,
        state: stored.state,
    })
}

/// The officer says that the paper is signed, and what is ticked on it, or that it is not signed: once. A sheet about a
/// request answers it in the same transaction.
pub async fn end_sheet(
    app: &App,
    session: &Session,
    id: Id<id::Sheet>,
    signed: Option<Claims>,
) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let stored = counter::find_sheet(&mut tx, session.citizen, id).await?.ok_or(Error::not_found())?;
    officer::demand_counter(&mut tx, session.citizen, stored.agency, Day::of(now)).await?;
    let state = if signed.is_some() { SheetState::Signed } else { SheetState::Void };
    if !counter::end_sheet(&mut tx, id, state, now).await? {
        return Err(Error::conflict("sheet_ended"));
    }
    let holder = authenticators::holder(app, &mut tx, stored.citizen).await?;
    let details = json!({ "number": stored.number, "officer": session.citizen.to_string() });
    let kind = if signed.is_some() { "sheet.signed" } else { "sheet.void" };
    record(app, &mut tx, &holder, stored.agency, (kind, details, id.uuid()), now).await?;
    if let (Some(ticked), Some(request)) = (signed, stored.object) {
        sheet_for_request::agree(app, &mut tx, &stored, (Id::from_uuid(request), ticked), &holder, now)
            .await?;
    }
    Ok(tx.commit().await?)
}

/// The citizen of a passed, unused and fresh check by this officer, who still serves there and is somebody else.
pub(super) async fn served(
    app: &App,
    tx: &mut Tx,
    session: &Session,
    check: Id<CardCheck>,
    now: Instant,
) -> Result<Served> {
    for place in officer::counters(tx, session.citizen, Day::of(now)).await? {
        let Some(row) = checks::find(tx, place.id, check).await? else { continue };
        let usable = row.officer == session.citizen
            && row.verdict == Verdict::Passed
            && row.used.is_none()
            && row.at > usable_since(now);
        let Some(citizen) = row.citizen.filter(|_| usable) else { break };
        if citizen == session.citizen {
            return Err(Error::forbidden("own_act"));
        }
        let holder = authenticators::holder(app, tx, citizen).await?;
        return Ok(Served { holder, agency: place.id });
    }
    Err(Error::not_found())
}

/// Uses the reading of the card up, for that act.
pub(super) async fn spend(
    tx: &mut Tx,
    session: &Session,
    served: &Served,
    used_for: &'static str,
    used_by: uuid::Uuid,
    now: Instant,
) -> Result<()> {
    let need = Need { citizen: served.holder.citizen, officer: session.citizen, agency: served.agency };
    card_check::consume(tx, &need, used_for, used_by, now).await.map(|_| ())
}

async fn record(
    app: &App,
    tx: &mut Tx,
    holder: &OnRecord,
    agency: Id<Agency>,
    (kind, details, object): (&'static str, Value, uuid::Uuid),
    now: Instant,
) -> Result<()> {
    let concern = Concern { citizen: Some(holder.citizen), agency: Some(agency), object };
    Ok(audit::append(tx, &[leaf(app, now, kind, concern, &holder.key, &details)]).await?)
}

async fn agency_name(tx: &mut Tx, id: Id<Agency>) -> Result<(String, String)> {
    let row = agency::find_all(tx, &[id]).await?.pop().ok_or(Error::not_found())?;
    Ok((row.name_vi, row.name_en))
}

fn slip_digest(app: &App, code: &NoticeCode) -> Digest {
    app.keys.lookup("slip_code", code.expose().as_bytes())
}

fn sheet_place(id: Id<id::Sheet>) -> Vec<u8> {
    [b"sheet.sealed".as_slice(), id.uuid().as_bytes()].concat()
}
