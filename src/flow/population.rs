//! Asking the population source about a person. Here it is the local register: sealed rows found by keyed hash, and
//! only here opened.

use super::{Error, Result, person_record};
use crate::app::App;
use crate::base::{
    clock::Instant,
    id::{Citizen, Id},
};
use crate::crypto::{digest::Digest, seal::DataKey};
use crate::identity::person::Person;
use crate::identity::personal_number::PersonalNumber;
use crate::store::{
    Tx,
    register::{self, LookedUp, RegisterRow},
};

/// How statements and histories name the local register.
pub const LOCAL_REGISTER: &str = "local-population-register";

/// A person on record, with the key that seals what concerns them.
pub struct OnRecord {
    /// The identity that outlives cards and numbers.
    pub citizen: Id<Citizen>,
    /// The record.
    pub person: Person,
    /// The citizen's data key.
    pub key: DataKey,
}

/// The register's answer to one number.
pub struct Looked {
    /// Of when the register's knowledge is; `None` before its first import.
    pub as_of: Option<Instant>,
    /// The person, if the number is on record.
    pub on_record: Option<Box<OnRecord>>,
}

/// The keyed hash by which a number is found, in every table.
pub fn number_hash(app: &App, number: &PersonalNumber) -> Digest {
    app.keys.lookup("number", number.digits().as_bytes())
}

/// Looks up numbers: one statement, one answer for each, in order.
pub async fn look_up_all(app: &App, tx: &mut Tx, numbers: &[PersonalNumber]) -> Result<Vec<Looked>> {
    let hashes: Vec<Digest> = numbers.iter().map(|number| number_hash(app, number)).collect();
    let found = register::find_all(tx, &hashes).await?;
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

/// Notes that a person of the register deals with this service now; harmless when noted before.
pub async fn meet(app: &App, tx: &mut Tx, on_record: &OnRecord, now: Instant) -> Result<()> {
    let hash = number_hash(app, &on_record.person.number);
    Ok(register::meet(tx, on_record.citizen, &hash, now).await?)
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

fn open_row(app: &App, row: &RegisterRow) -> Result<OnRecord> {
    let key = app.keys.data_key(&row.key, row.citizen.uuid().as_bytes())?;
    let record = key.open(&record_place(row.citizen), &row.sealed)?;
    let person = person_record::decode(record.expose()).map_err(Error::internal)?;
    Ok(OnRecord { citizen: row.citizen, person, key })
}
