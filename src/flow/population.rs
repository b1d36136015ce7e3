//! Asking the population source about a person. Here it is the local register: sealed rows found by keyed hash, and
//! only here opened.

use super::{Error, Result, person_record};
use crate::app::App;
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{Citizen, Id},
};
use crate::crypto::{digest::Digest, seal::DataKey};
use crate::identity::kinship::Representation;
use crate::identity::person::Person;
use crate::identity::personal_number::PersonalNumber;
use crate::identity::portal_policy::PortalPolicy;
use crate::identity::question::Heard;
use crate::identity::verification::{Known, SourceAnswer};
use crate::store::{
    Tx,
    register::{self, LookedUp, RegisterRow},
};

/// How statements and histories name the local register.
const LOCAL_REGISTER: &str = "local-population-register";

/// A person on record, with the key that seals what concerns them.
pub struct OnRecord {
    /// The identity that outlives cards and numbers.
    pub citizen: Id<Citizen>,
    /// The record.
    pub person: Person,
    /// The citizen's data key.
    pub key: DataKey,
    /// When a remote register last vouched for the record.
    pub copied_at: Option<Instant>,
    /// Until when the number that was asked about was the person's, if it is no longer.
    pub former_until: Option<Day>,
    /// Whether any lock of theirs stood when they were looked up.
    pub has_locks: bool,
}

/// The register's answer to one number.
pub struct Looked {
    /// Of when the register's knowledge is; `None` before its first import.
    pub as_of: Option<Instant>,
    /// The person, if the number is on record.
    pub on_record: Option<Box<OnRecord>>,
}

/// How statements and histories name the source.
pub fn source_name(app: &App) -> &'static str {
    app.population.source.as_ref().map_or(LOCAL_REGISTER, |source| source.name())
}

/// The keyed hash by which a number is found, in every table.
pub fn number_hash(app: &App, number: &PersonalNumber) -> Digest {
    app.keys.lookup("number", number.digits().as_bytes())
}

/// Looks up numbers: one statement, one answer for each, in order.
pub async fn look_up_all(app: &App, tx: &mut Tx, numbers: &[PersonalNumber]) -> Result<Vec<Looked>> {
    let hashes: Vec<Digest> = numbers.iter().map(|number| number_hash(app, number)).collect();
    look_up_hashes(app, tx, &hashes).await
}

/// The same by the keyed hashes of the numbers.
pub async fn look_up_hashes(app: &App, tx: &mut Tx, hashes: &[Digest]) -> Result<Vec<Looked>> {
    let found = register::find_all(tx, hashes).await?;
    found.into_iter().map(|looked| open(app, looked)).collect()
}

/// Looks up one number.
pub async fn look_up(app: &App, tx: &mut Tx, number: PersonalNumber) -> Result<Looked> {
    look_up_all(app, tx, &[number]).await?.pop().ok_or_else(|| Error::internal("no answer to a look-up"))
}

/// Looks up a citizen who is known here already.
pub async fn look_up_citizen(app: &App, tx: &mut Tx, citizen: Id<Citizen>) -> Result<Looked> {
    open(app, register::find_by_citizen(tx, citizen).await?)
}

/// Looks up citizens who are known here already: one statement, in no order; who is not on record is left out.
pub async fn look_up_citizens(app: &App, tx: &mut Tx, citizens: &[Id<Citizen>]) -> Result<Vec<OnRecord>> {
    let rows = register::find_by_citizens(tx, citizens).await?;
    rows.iter().map(|row| open_row(app, row)).collect()
}

/// Those for whom this person may act as kin on that day, as far as the register here knows them.
pub(super) async fn look_up_wards(
    app: &App,
    tx: &mut Tx,
    of: &OnRecord,
    on: Day,
) -> Result<Vec<(OnRecord, Representation)>> {
    let hash = number_hash(app, &of.person.number);
    let rows = register::find_wards(tx, of.citizen, &hash).await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let wards: Vec<OnRecord> = rows.iter().map(|row| open_row(app, row)).collect::<Result<_>>()?;
    let numbers: Vec<PersonalNumber> = wards
        .iter()
        .flat_map(|ward| ward.person.representatives(on))
        .filter(|n| *n != of.person.number)
        .collect();
    let holders = look_up_all(app, tx, &numbers).await?;
    let former = numbers.iter().zip(&holders).filter(|(_, looked)| is(looked, of.citizen)).map(|(n, _)| *n);
    let own: Vec<PersonalNumber> = std::iter::once(of.person.number).chain(former).collect();
    let found = wards.into_iter().filter_map(|ward| {
        let right = own.iter().find_map(|number| ward.person.represented_by(*number, on))?;
        Some((ward, right))
    });
    Ok(found.collect())
}

/// Whether a look-up found this citizen.
pub(super) fn is(looked: &Looked, citizen: Id<Citizen>) -> bool {
    looked.on_record.as_ref().is_some_and(|found| found.citizen == citizen)
}

/// The keyed hashes of the numbers of those who may act for a person.
pub(super) fn kin_hashes(app: &App, person: &Person, on: Day) -> Vec<Digest> {
    person.representatives(on).iter().map(|number| number_hash(app, number)).collect()
}

/// Notes that a person of the register deals with this service now; harmless when noted before.
pub async fn meet(app: &App, tx: &mut Tx, on_record: &OnRecord, now: Instant) -> Result<()> {
    let hash = number_hash(app, &on_record.person.number);
    Ok(register::meet(tx, on_record.citizen, &hash, now).await?)
}

/// What is known about a number when its question is decided.
pub struct Asked {
    /// What the source said.
    pub source: SourceAnswer,
    /// Whom it concerns, with the key that seals it.
    pub owner: Option<(Id<Citizen>, DataKey)>,
    /// Of when that knowledge is.
    pub as_of: Option<Instant>,
}

/// Puts together what the remote register said and the copy that is here. While it says nothing, a copy answers only
/// if the portal's policy accepts one of its age.
pub fn known(looked: Looked, heard: Heard, policy: &PortalPolicy, now: Instant) -> Asked {
    let Looked { as_of, on_record } = looked;
    let found = |record: OnRecord, as_of, stale| {
        let OnRecord { citizen, person, key, former_until, .. } = record;
        let known = Known { person, former_until, stale };
        Asked { source: SourceAnswer::Found(Box::new(known)), owner: Some((citizen, key)), as_of }
    };
    match (heard, on_record) {
        (Heard::Own, Some(record)) => found(*record, as_of, false),
        (Heard::Own, None) => Asked { source: SourceAnswer::NotOnRecord, owner: None, as_of },
        (Heard::Known { as_of }, Some(record)) => found(*record, Some(as_of), false),
        (Heard::Known { as_of } | Heard::Unknown { as_of }, _) => {
            Asked { source: SourceAnswer::NotOnRecord, owner: None, as_of: Some(as_of) }
        }
        (Heard::Nothing, None) => Asked { source: SourceAnswer::Unavailable, owner: None, as_of: None },
        (Heard::Nothing, Some(record)) => match record.copied_at {
            Some(at) if policy.accepts_copy_of(at, now) => found(*record, Some(at), true),
            _ => Asked {
                source: SourceAnswer::Unavailable,
                owner: Some((record.citizen, record.key)),
                as_of: None,
            },
        },
    }
}

/// What a sealed record is bound to: its place and its owner.
pub(super) fn record_place(citizen: Id<Citizen>) -> Vec<u8> {
    [b"register_person.sealed".as_slice(), citizen.uuid().as_bytes()].concat()
}

fn open(app: &App, looked: LookedUp) -> Result<Looked> {
    let LookedUp { as_of, row } = looked;
    let on_record = row.map(|row| open_row(app, &row)).transpose()?;
    Ok(Looked { as_of, on_record: on_record.map(Box::new) })
}

/// The person of a row that was read with others.
pub(super) fn open_row(app: &App, row: &RegisterRow) -> Result<OnRecord> {
    let key = app.keys.data_key(&row.key, row.citizen.uuid().as_bytes())?;
    let record = key.open(&record_place(row.citizen), &row.sealed)?;
    let person = person_record::decode(record.expose()).map_err(Error::internal)?;
    let RegisterRow { citizen, copied_at, former_until, has_locks, .. } = *row;
    Ok(OnRecord { citizen, person, key, copied_at, former_until, has_locks })
}
