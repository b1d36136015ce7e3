//! What a remote register says is kept here as a sealed copy under the citizen's key, so that everything that follows a
//! person (`sub`, mandates, bills, history) follows one identifier, and notices of change find whom they concern.

use super::{
    Error, Result, person_record,
    population::{kin_hashes, number_hash, record_place},
};
use crate::app::App;
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{Citizen, Id},
};
use crate::crypto::{digest::Digest, seal::WrappedKey};
use crate::identity::{person::Person, personal_number::PersonalNumber, question::Heard};
use crate::partner::population::{Found, LookUp, NoAnswer};
use crate::store::{
    Tx,
    register::{self, LookedUp, RegisterRow, StagedPerson},
};
use time::Duration;

/// How old a copy's date may be before an unchanged record is dated again.
const DATED_ANEW_AFTER: Duration = Duration::minutes(5);

/// Asks the remote register who has a number, and keeps its answer. Silence is an answer too.
pub async fn hear_number(app: &App, number: PersonalNumber, service: &str, officer: &str) -> Result<Heard> {
    let Some(source) = &app.population.source else { return Ok(Heard::Own) };
    let now = app.clock.now();
    let request = Id::new(now, &*app.entropy);
    let asked = LookUp { request, number, service: service.to_owned(), officer: officer.to_owned() };
    match source.look_up(&asked, now).await {
        Ok(found) => kept(app, number, &found).await,
        Err(why) => {
            if !matches!(why, NoAnswer::Maintenance | NoAnswer::CircuitOpen | NoAnswer::TooMany) {
                tracing::warn!(%request, %why, "the population register does not answer");
            }
            Ok(Heard::Nothing)
        }
    }
}

async fn kept(app: &App, number: PersonalNumber, found: &Found) -> Result<Heard> {
    let as_of = found.as_of;
    let Some(person) = &found.person else { return Ok(Heard::Unknown { as_of }) };
    let copy = Copy { person, asked: number_hash(app, &number), former_until: found.former_until, as_of };
    // Two look-ups of somebody new may both draw an identifier; the later one finds the earlier's.
    match keep_copy(app, &copy).await {
        Err(Error::Conflict(_)) => keep_copy(app, &copy).await?,
        done => done?,
    }
    Ok(Heard::Known { as_of })
}

struct Copy<'a> {
    person: &'a Person,
    asked: Digest,
    former_until: Option<Day>,
    as_of: Instant,
}

async fn keep_copy(app: &App, copy: &Copy<'_>) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let hash = number_hash(app, &copy.person.number);
    let record = person_record::encode(copy.person);
    let record_hash = app.keys.lookup("register_person", &record);
    let number_moved = copy.asked != hash;
    let stands = |before: &RegisterRow| {
        // A notice may have been taken while the answer was on its way: the copy is of that later moment.
        let is_later = before.copied_at.is_some_and(|at| at > copy.as_of);
        let is_same = before.record_hash == record_hash
            && before.copied_at.is_some_and(|at| copy.as_of - at < DATED_ANEW_AFTER)
            && before.former_until.is_none()
            && !number_moved;
        is_later || is_same
    };
    let mut before = held(&mut tx, hash, copy.asked).await?;
    if let Some(known) = before.as_ref().filter(|known| !stands(known)) {
        // What is written rests on what is read under its lock: a notice or an erasure may have come meanwhile.
        register::hold_people(&mut tx, &[known.citizen]).await?;
        before = held(&mut tx, hash, copy.asked).await?;
    }
    if before.as_ref().is_some_and(stands) {
        return Ok(());
    }
    let (citizen, key): (Id<Citizen>, WrappedKey) = match &before {
        Some(before) => (before.citizen, before.key.clone()),
        None => {
            let citizen = Id::new(now, &*app.entropy);
            (citizen, app.keys.new_data_key(&*app.entropy, citizen.uuid().as_bytes()).1)
        }
    };
    let data_key = app.keys.data_key(&key, citizen.uuid().as_bytes())?;
    let sealed = data_key.seal(&*app.entropy, &record_place(citizen), &record);
    let kin = kin_hashes(app, copy.person, Day::of(now));
    let staged = StagedPerson { citizen, number_hash: hash, key, sealed, record_hash, kin };
    register::put_copy(&mut tx, &staged, copy.as_of, now).await.map_err(|error| {
        if error.violates("register_person_number_key") {
            Error::conflict("copy_moved")
        } else {
            error.into()
        }
    })?;
    if let Some(until) = copy.former_until.filter(|_| number_moved) {
        move_number(&mut tx, citizen, &copy.asked, &hash, until).await?;
    }
    Ok(tx.commit().await?)
}

/// The person who is held under one of these numbers.
async fn held(tx: &mut Tx, number: Digest, asked: Digest) -> Result<Option<RegisterRow>> {
    let looked = register::find_all(tx, &[number, asked]).await?;
    Ok(looked.into_iter().find_map(|LookedUp { row, .. }| row))
}

/// From now on the citizen has another number, and the one before names them as of formerly.
pub(super) async fn move_number(
    tx: &mut Tx,
    citizen: Id<Citizen>,
    before: &Digest,
    after: &Digest,
    until: Day,
) -> Result<()> {
    register::keep_former_number(tx, citizen, before, until).await?;
    Ok(register::renumber_citizen(tx, citizen, after).await?)
}
