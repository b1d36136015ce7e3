//! Mandates: given on a page, recorded by an officer, accepted, and ended by either side.
//!
//! Whoever ends one takes the row alone; whoever acts under one holds it until the act is written. So a revocation
//! either finds the act done or stops it, and what a sign-in under the mandate gave ends in the same transaction.

use super::{
    Error, Result, acting,
    audit_leaf::{Concern, leaf},
    card_check,
    danger::demand,
    notify::{Told, notify},
    officer,
    population::{self, OnRecord},
};
use crate::app::App;
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{self, Agency, Citizen, Id},
};
use crate::identity::{
    authorization::Revocation,
    card::Need,
    danger::Danger,
    mandate::{self, Delegate, End, Event, Extent, Form, Mandate, Paper, Refusal as No, State},
    name::{Grade, Name},
    notice::What,
    personal_number::PersonalNumber,
    session::Session,
};
use crate::store::{
    Tx, agency,
    audit::{self, NewLeaf},
    mandate::{self as mandates, Recorder},
    principal,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A person as somebody else names them: number and name must be one person's, so that a number alone finds nobody.
#[derive(Clone)]
pub struct Named {
    /// The number.
    pub number: PersonalNumber,
    /// The name.
    pub name: Name,
}

/// To whom a mandate is to be given.
#[derive(Clone)]
pub enum NewDelegate {
    /// A person.
    Person(Named),
    /// An organisation.
    Organisation(Id<Agency>),
}

/// What is to be allowed, and to whom.
#[derive(Clone)]
pub struct NewMandate {
    /// To whom.
    pub delegate: NewDelegate,
    /// What.
    pub extent: Extent,
}

/// How an officer came to know of a mandate.
#[derive(Clone)]
pub enum Recorded {
    /// From a certified paper.
    Paper(Paper),
    /// From the principal at the counter, whose card the officer has just read.
    Counter,
}

/// Gives a mandate in the name of whoever has just signed in, with more than a code by SMS.
pub async fn give_mandate(app: &App, session: &Session, new: &NewMandate) -> Result<Id<id::Mandate>> {
    let now = app.clock.now();
    demand(session, Danger::GrantMandate, now)?;
    let mut tx = app.store.begin().await?;
    let looked = population::look_up_citizen(app, &mut tx, session.citizen).await?;
    let principal = looked.on_record.ok_or(Error::not_found())?;
    let given = add(app, &mut tx, &principal, new, (Form::Electronic, None, None), now).await?;
    tell(app, &mut tx, &principal, What::MandateGranted, now).await?;
    tx.commit().await?;
    Ok(given.id)
}

/// Records a mandate at the desk of an agency.
pub async fn record_at_desk(
    app: &App,
    by: Recorder,
    principal: &Named,
    new: &NewMandate,
    recorded: Recorded,
) -> Result<Id<id::Mandate>> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let given = record_mandate(app, &mut tx, by, principal, new, recorded, now).await?;
    tx.commit().await?;
    Ok(given.id)
}

/// Records a mandate of somebody whom the officer names, in this transaction. The officer is neither side of it, and the
/// principal is told, who may know nothing of it.
pub(super) async fn record_mandate(
    app: &App,
    tx: &mut Tx,
    by: Recorder,
    principal: &Named,
    new: &NewMandate,
    recorded: Recorded,
    now: Instant,
) -> Result<Mandate> {
    officer::demand_counter(tx, by.1, by.0, Day::of(now)).await?;
    let principal = person(app, tx, principal).await?;
    if principal.citizen == by.1 {
        return Err(Error::forbidden("own_act"));
    }
    population::meet(app, tx, &principal, now).await?;
    let how = match recorded {
        Recorded::Paper(paper) => (Form::CertifiedPaper, Some(paper), Some(by)),
        Recorded::Counter => (Form::Counter, None, Some(by)),
    };
    let given = add(app, tx, &principal, new, how, now).await?;
    if given.form == Form::Counter {
        let need = Need { citizen: principal.citizen, officer: by.1, agency: by.0 };
        card_check::consume(tx, &need, "mandate.given", given.id.uuid(), now).await?;
    }
    tell(app, tx, &principal, What::MandateRecorded, now).await?;
    Ok(given)
}

/// Tells the principal that somebody may act for them.
async fn tell(app: &App, tx: &mut Tx, principal: &OnRecord, what: What, now: Instant) -> Result<()> {
    notify(app, tx, principal, Told { what, details: json!({}), way: None, quiet: false }, now).await
}

/// The person of that number and name.
async fn person(app: &App, tx: &mut Tx, named: &Named) -> Result<Box<OnRecord>> {
    let looked = population::look_up(app, tx, named.number).await?;
    let same =
        |found: &OnRecord| matches!(found.person.name.grade(&named.name), Grade::Exact | Grade::Equivalent);
    looked.on_record.filter(|found| same(found)).ok_or(Error::refused("person_unknown"))
}

async fn add(
    app: &App,
    tx: &mut Tx,
    principal: &OnRecord,
    new: &NewMandate,
    (form, paper, by): (Form, Option<Paper>, Option<Recorder>),
    now: Instant,
) -> Result<Mandate> {
    let today = Day::of(now);
    new.extent.check(today).map_err(refused)?;
    if !acting::may_act(&principal.person, today) {
        return Err(refused(No::Unfit));
    }
    let (delegate, holder) = match &new.delegate {
        NewDelegate::Person(named) => {
            let found = person(app, tx, named).await?;
            if found.citizen == principal.citizen {
                return Err(refused(No::Oneself));
            }
            if by.is_some_and(|(_, officer)| officer == found.citizen) {
                return Err(Error::forbidden("own_act"));
            }
            if !acting::may_act(&found.person, today) {
                return Err(refused(No::Unfit));
            }
            population::meet(app, tx, &found, now).await?;
            (Delegate::Person(found.citizen), Some(found))
        }
        NewDelegate::Organisation(id) => {
            agency::find_all(tx, &[*id]).await?.pop().ok_or(Error::refused("person_unknown"))?;
            (Delegate::Organisation(*id), None)
        }
    };
    // The organisation whose officer takes the mandate down accepts it by that.
    let accepted = matches!((delegate, by), (Delegate::Organisation(to), Some((at, _))) if to == at);
    let mandate = Mandate {
        id: Id::new(now, &*app.entropy),
        principal: principal.citizen,
        delegate,
        extent: new.extent.clone(),
        form,
        paper,
        given_at: now,
        state: if accepted { State::Accepted { at: now } } else { State::Offered },
    };
    mandates::insert(tx, &mandate, by).await?;
    record(app, tx, &mandate, "mandate.given", &[Some(principal), holder.as_deref()], now).await?;
    Ok(mandate)
}

/// Writes the leaves of those who are people.
async fn record(
    app: &App,
    tx: &mut Tx,
    mandate: &Mandate,
    kind: &'static str,
    people: &[Option<&OnRecord>],
    now: Instant,
) -> Result<()> {
    Ok(audit::append(tx, &leaves_of(app, mandate, kind, people, now)).await?)
}

/// Leaves in the histories of those who are people.
fn leaves_of(
    app: &App,
    mandate: &Mandate,
    kind: &'static str,
    people: &[Option<&OnRecord>],
    now: Instant,
) -> Vec<NewLeaf> {
    let name = |id: Id<Citizen>| {
        people.iter().flatten().find(|p| p.citizen == id).map(|p| p.person.name.as_str().to_owned())
    };
    let organisation = match mandate.delegate {
        Delegate::Person(_) => None,
        Delegate::Organisation(id) => Some(id),
    };
    let delegate = match mandate.delegate {
        Delegate::Person(id) => name(id),
        Delegate::Organisation(_) => None,
    };
    let details = json!({
        "mandate": mandate.id.to_string(),
        "principal": name(mandate.principal),
        "delegate": delegate,
        "organisation": organisation.map(|id| id.to_string()),
        "acts": mandate.extent.acts.iter().map(|act| act.word()).collect::<Vec<_>>(),
        "procedures": mandate.extent.procedures,
        "last_day": mandate.extent.to.to_string(),
        "form": mandate.form.word(),
    });
    let leaves = people.iter().flatten().map(|owner| {
        let concern =
            Concern { citizen: Some(owner.citizen), agency: organisation, object: mandate.id.uuid() };
        leaf(app, now, kind, concern, &owner.key, &details)
    });
    leaves.collect()
}

/// The agencies of these codes, those that exist.
pub async fn agencies_of_codes(app: &App, codes: &[&str]) -> Result<Vec<Id<Agency>>> {
    if codes.is_empty() {
        return Ok(Vec::new());
    }
    let mut tx = app.store.begin().await?;
    Ok(principal::agencies_of_codes(&mut tx, codes).await?)
}

/// What somebody does with a mandate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The delegate accepts.
    Accept,
    /// The delegate declines.
    Decline,
    /// Either side ends it.
    Revoke,
}

/// One side's answer to a mandate. Whoever is no side finds nothing.
pub async fn answer_mandate(app: &App, session: &Session, id: Id<id::Mandate>, answer: Answer) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let mandate = mandates::lock(&mut tx, id).await?.ok_or(Error::not_found())?;
    let as_delegate = match mandate.delegate {
        Delegate::Person(person) => person == session.citizen,
        Delegate::Organisation(agency) => {
            acting::organisations(&mut tx, session.citizen, Day::of(now)).await?.contains(&agency)
        }
    };
    let as_principal = mandate.principal == session.citizen;
    let event = match answer {
        Answer::Accept if as_delegate => Event::Accept,
        Answer::Decline if as_delegate && mandate.state == State::Offered => Event::End(End::Declined),
        Answer::Revoke if as_principal => Event::End(End::RevokedByPrincipal),
        Answer::Revoke if as_delegate => Event::End(End::RevokedByDelegate),
        Answer::Decline if as_delegate => return Err(Error::conflict("mandate_moved")),
        Answer::Accept | Answer::Decline | Answer::Revoke => return Err(Error::not_found()),
    };
    move_on(app, &mut tx, &mandate, event, now).await?;
    tx.commit().await?;
    Ok(())
}

/// Moves a locked mandate on; with its end, everything that sign-ins under it gave is revoked.
async fn move_on(app: &App, tx: &mut Tx, mandate: &Mandate, event: Event, now: Instant) -> Result<State> {
    let next = mandate.state.after(event, now).map_err(|refusal| Error::conflict(refusal.code()))?;
    if next == mandate.state {
        return Ok(next);
    }
    if !mandates::advance(tx, mandate.id, &mandate.state, &next).await? {
        return Err(Error::conflict("mandate_moved"));
    }
    let kind = match event {
        Event::Accept => "mandate.accepted",
        Event::End(_) => {
            principal::revoke_of_mandates(tx, &[mandate.id], Revocation::MandateEnded, now).await?;
            "mandate.ended"
        }
    };
    let mut people = vec![mandate.principal];
    if let Delegate::Person(person) = mandate.delegate {
        people.push(person);
    }
    let known = population::look_up_citizens(app, tx, &people).await?;
    record(app, tx, mandate, kind, &known.iter().map(Some).collect::<Vec<_>>(), now).await?;
    Ok(next)
}

/// Ends everything that a person gave or got, because they are erased: what sign-ins under it gave is revoked, and the
/// other sides read it in their histories.
pub(super) async fn end_erased(app: &App, tx: &mut Tx, citizen: Id<Citizen>, now: Instant) -> Result<()> {
    let ended = mandates::end_of_citizen(tx, citizen, End::Erasure, now).await?;
    let ids: Vec<Id<id::Mandate>> = ended.iter().map(|mandate| mandate.id).collect();
    principal::revoke_of_mandates(tx, &ids, Revocation::MandateEnded, now).await?;
    let other = |mandate: &Mandate| match mandate.delegate {
        Delegate::Person(person) if person != citizen => Some(person),
        Delegate::Person(_) | Delegate::Organisation(_) => {
            Some(mandate.principal).filter(|principal| *principal != citizen)
        }
    };
    let people: Vec<Id<Citizen>> = ended.iter().filter_map(other).collect();
    let known = population::look_up_citizens(app, tx, &people).await?;
    let mut leaves = Vec::new();
    for mandate in &ended {
        let owner = other(mandate).and_then(|id| known.iter().find(|found| found.citizen == id));
        leaves.extend(leaves_of(app, mandate, "mandate.ended", &[owner], now));
    }
    Ok(audit::append(tx, &leaves).await?)
}

/// Ends a mandate for its principal, who told an officer of the agency that recorded it.
pub(super) async fn revoke_recorded(
    app: &App,
    tx: &mut Tx,
    by: Recorder,
    id: Id<id::Mandate>,
    now: Instant,
) -> Result<Mandate> {
    officer::demand_counter(tx, by.1, by.0, Day::of(now)).await?;
    let mandate = mandates::lock(tx, id).await?.ok_or(Error::not_found())?;
    if mandates::recorder(tx, id).await? != Some(by.0) {
        return Err(Error::not_found());
    }
    let state = move_on(app, tx, &mandate, Event::End(End::RevokedByPrincipal), now).await?;
    Ok(Mandate { state, ..mandate })
}

/// One mandate that an agency recorded, for its slip; the officer serves there.
pub async fn read_slip(
    app: &App,
    officer: Id<Citizen>,
    id: Id<id::Mandate>,
) -> Result<(MandateShown, Id<Agency>)> {
    let today = Day::of(app.clock.now());
    let mut tx = app.store.begin().await?;
    let mandate = mandates::hold(&mut tx, id).await?.ok_or(Error::not_found())?;
    let at = mandates::recorder(&mut tx, id).await?.ok_or(Error::not_found())?;
    officer::demand_counter(&mut tx, officer, at, today).await?;
    let shown = show(app, &mut tx, vec![mandate], None, today).await?.pop().ok_or(Error::not_found())?;
    Ok((shown, at))
}

/// The mandates that wait for an organisation whose officer reads.
pub async fn read_offered(app: &App, officer: Id<Citizen>) -> Result<Vec<MandateShown>> {
    let today = Day::of(app.clock.now());
    let mut tx = app.store.begin().await?;
    let at = acting::organisations(&mut tx, officer, today).await?;
    let waiting = mandates::offered_to(&mut tx, &at).await?;
    show(app, &mut tx, waiting, Some(officer), today).await
}

/// A mandate as its sides see it.
pub struct MandateShown {
    /// The mandate.
    pub mandate: Mandate,
    /// The principal's name.
    pub principal: String,
    /// The delegate's name, in Vietnamese and English.
    pub delegate: (String, String),
    /// The agencies by name, if it names some.
    pub agencies: Option<String>,
    /// What the facts of its sides have made of it, whatever its row says.
    pub ended_by_fact: Option<End>,
    /// Whether the reader is the delegate.
    pub as_delegate: bool,
}

/// What the page of mandates shows.
pub struct MandatesShown {
    /// The reader's name.
    pub name: String,
    /// Given and got, the newest first.
    pub mandates: Vec<MandateShown>,
    /// Whether this session is strong enough to give one.
    pub may_give: bool,
    /// Today.
    pub today: Day,
}

/// The mandates that whoever is signed in gave or got.
pub async fn read_mandates(app: &App, session: &Session) -> Result<MandatesShown> {
    let now = app.clock.now();
    let today = Day::of(now);
    let mut tx = app.store.begin().await?;
    let looked = population::look_up_citizen(app, &mut tx, session.citizen).await?;
    let holder = looked.on_record.ok_or(Error::not_found())?;
    let all = mandates::of_citizen(&mut tx, session.citizen).await?;
    let shown = show(app, &mut tx, all, Some(session.citizen), today).await?;
    Ok(MandatesShown {
        name: holder.person.name.as_str().to_owned(),
        mandates: shown,
        may_give: session.assurance(now) >= Danger::GrantMandate.needs(),
        today,
    })
}

/// Names the sides of mandates: two statements for any number.
pub(super) async fn show(
    app: &App,
    tx: &mut Tx,
    all: Vec<Mandate>,
    reader: Option<Id<Citizen>>,
    today: Day,
) -> Result<Vec<MandateShown>> {
    let mut people: Vec<Id<Citizen>> = all.iter().map(|mandate| mandate.principal).collect();
    let mut organisations: Vec<Id<Agency>> =
        all.iter().flat_map(|mandate| mandate.extent.agencies.iter().copied()).collect();
    for mandate in &all {
        match mandate.delegate {
            Delegate::Person(person) => people.push(person),
            Delegate::Organisation(agency) => organisations.push(agency),
        }
    }
    people.sort_unstable();
    people.dedup();
    let known: BTreeMap<Id<Citizen>, OnRecord> = population::look_up_citizens(app, tx, &people)
        .await?
        .into_iter()
        .map(|found| (found.citizen, found))
        .collect();
    let names = principal::agency_names(tx, &organisations).await?;
    let name = |id: &Id<Citizen>| {
        known.get(id).map(|found| found.person.name.as_str().to_owned()).unwrap_or_default()
    };
    let shown = all.into_iter().map(|mandate| {
        let delegate = match mandate.delegate {
            Delegate::Person(person) => (name(&person), name(&person)),
            Delegate::Organisation(agency) => names
                .iter()
                .find(|(id, ..)| *id == agency)
                .map(|(_, vi, en)| (vi.clone(), en.clone()))
                .unwrap_or_default(),
        };
        let mut sides = vec![mandate.principal];
        if let Delegate::Person(person) = mandate.delegate {
            sides.push(person);
        }
        let sides: Vec<_> = sides.iter().filter_map(|id| known.get(id)).map(|found| &found.person).collect();
        let at =
            mandate.extent.agencies.iter().filter_map(|agency| names.iter().find(|(id, ..)| id == agency));
        let at: Vec<&str> = at.map(|(_, vi, _)| vi.as_str()).collect();
        MandateShown {
            agencies: if at.is_empty() { None } else { Some(at.join(", ")) },
            principal: name(&mandate.principal),
            delegate,
            ended_by_fact: acting::ended_by_fact(&sides, today),
            as_delegate: reader != Some(mandate.principal),
            mandate,
        }
    });
    Ok(shown.collect())
}

/// A refusal of the aggregate, by what the caller can do.
pub(super) fn refused(refusal: mandate::Refusal) -> Error {
    match refusal {
        No::Ended => Error::conflict(refusal.code()),
        No::Extent
        | No::Days
        | No::Oneself
        | No::NotAccepted
        | No::NotInForce
        | No::NotCovered
        | No::ProcedureForbids
        | No::NoRight
        | No::Unfit => Error::refused(refusal.code()),
    }
}

/// The wire form of a mandate, for the agency that recorded it or acts under it.
pub(super) fn mandate_json(shown: &MandateShown) -> Value {
    let mandate = &shown.mandate;
    let (accepted_at, ended) = match mandate.state {
        State::Offered => (None, None),
        State::Accepted { at } => (Some(at), None),
        State::Ended { end, at } => (None, Some((end, at))),
    };
    let time = |at: Option<Instant>| at.map(crate::base::calendar::rfc3339);
    let organisation = match mandate.delegate {
        Delegate::Person(_) => None,
        Delegate::Organisation(id) => Some(id.to_string()),
    };
    let ended_by = ended.map(|(end, _)| end).or(shown.ended_by_fact);
    json!({
        "id": mandate.id.to_string(),
        "principal": { "name": shown.principal },
        "delegate": { "name": shown.delegate.0, "agency": organisation },
        "acts": mandate.extent.acts.iter().map(|act| act.word()).collect::<Vec<_>>(),
        "procedures": mandate.extent.procedures,
        "agencies": mandate.extent.agencies.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "valid_from": mandate.extent.from.to_string(),
        "valid_to": mandate.extent.to.to_string(),
        "form": mandate.form.word(),
        "paper": mandate.paper.as_ref().map(|paper| json!({
            "certifier": paper.certifier.as_str(),
            "number": paper.number.as_str(),
            "certified_on": paper.on.to_string(),
        })),
        "status": if shown.ended_by_fact.is_some() { "ended" } else { mandate.state.word() },
        "given_at": crate::base::calendar::rfc3339(mandate.given_at),
        "accepted_at": time(accepted_at),
        "ended_at": time(ended.map(|(_, at)| at)),
        "ended_by": ended_by.map(End::word),
    })
}
