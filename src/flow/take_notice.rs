//! Takes a notice of the population register, whose signature has been checked: something about a person has changed,
//! and holds from this transaction on. Each notice is taken once; a repetition gets the same answer.
//!
//! Whoever is not held here is not concerned: the next look-up brings the changed record.

use super::{
    Error, Result, audit_leaf, person_record,
    population::{self, OnRecord, number_hash, record_place},
    population_copy::move_number,
};
use crate::app::App;
use crate::base::{calendar::Day, clock::Instant};
use crate::codec::population::Notice;
use crate::crypto::digest::sha256;
use crate::identity::{
    noticed::Fact,
    person::{FormerName, Person, Status},
    personal_number::PersonalNumber,
};
use crate::store::{
    Tx, audit,
    inbox::{self, StoredMessage},
    register::{self, StagedPerson},
};
use serde_json::json;

/// What is answered when a notice has been taken.
pub const TAKEN: &str = "taken";
/// What is answered about somebody who is not held here.
pub const NOT_HELD: &str = "not_held";

/// What a notice says, read.
enum Change {
    Died(Day),
    DeathCorrected,
    NewNumber(PersonalNumber),
    NewCard,
    Name(crate::identity::name::Name),
    BirthDate(crate::identity::birth_date::BirthDate),
    Sex(crate::identity::personal_number::Sex),
    Locked,
    Unlocked,
}

impl Change {
    /// What it says about the person's record, which no older file takes back.
    const fn fact(&self) -> Option<Fact> {
        match self {
            Self::Died(_) | Self::DeathCorrected | Self::Locked | Self::Unlocked => Some(Fact::Status),
            Self::Name(_) => Some(Fact::Name),
            Self::BirthDate(_) => Some(Fact::BirthDate),
            Self::Sex(_) => Some(Fact::Sex),
            // A file that names a former number is refused by that line; the card is not on the record.
            Self::NewNumber(_) | Self::NewCard => None,
        }
    }
}

/// Takes a notice.
pub async fn take_notice(app: &App, sender: &str, notice: &Notice, bytes: &[u8]) -> Result<&'static str> {
    let now = app.clock.now();
    let number: PersonalNumber = notice.number.parse().map_err(|_| Error::refused("notice_unreadable"))?;
    let on: Day = notice.effective_on.parse().map_err(|_| Error::refused("notice_unreadable"))?;
    let change = change(notice, on).ok_or(Error::refused("notice_unreadable"))?;
    let mut tx = app.store.begin().await?;
    let digest = sha256(bytes);
    if let Some(before) = inbox::messages(&mut tx, &[(sender, &notice.id)]).await?.pop() {
        return if before.digest == digest {
            Ok(word(&before.answer))
        } else {
            Err(Error::conflict("notice_reused"))
        };
    }
    let mut known = population::look_up(app, &mut tx, number).await?.on_record;
    if let Some(met) = &known {
        // An import or another notice may have changed the record since it was read.
        register::hold(&mut tx, met.citizen).await?;
        known = population::look_up(app, &mut tx, number).await?.on_record;
    }
    let answer = if known.is_some() { TAKEN } else { NOT_HELD };
    let message = StoredMessage {
        sender: sender.to_owned(),
        biz_msg_idr: notice.id.clone(),
        kind: "population.notice".to_owned(),
        digest,
        answer: answer.to_owned(),
    };
    if inbox::insert_messages(&mut tx, &[message], now).await?.is_empty() {
        return Err(Error::Unavailable(super::Refusal::new("try_again")));
    }
    if let Some(known) = known {
        apply(app, &mut tx, *known, change, (notice, on), now).await?;
    }
    tx.commit().await?;
    Ok(answer)
}

fn word(answer: &str) -> &'static str {
    if answer == NOT_HELD { NOT_HELD } else { TAKEN }
}

fn change(notice: &Notice, on: Day) -> Option<Change> {
    let value = notice.value.as_deref();
    match (notice.kind.as_str(), value) {
        ("death", None) => Some(Change::Died(on)),
        ("death_corrected", None) => Some(Change::DeathCorrected),
        ("new_card", _) => Some(Change::NewCard),
        ("locked", None) => Some(Change::Locked),
        ("unlocked", None) => Some(Change::Unlocked),
        ("new_number", Some(number)) => number.parse().ok().map(Change::NewNumber),
        ("name_changed", Some(name)) => name.parse().ok().map(Change::Name),
        ("birth_date_changed", Some(date)) => date.parse().ok().map(Change::BirthDate),
        ("sex_changed", Some(sex)) => sex.parse().ok().map(Change::Sex),
        _ => None,
    }
}

async fn apply(
    app: &App,
    tx: &mut Tx,
    known: OnRecord,
    change: Change,
    (notice, on): (&Notice, Day),
    now: Instant,
) -> Result<()> {
    let OnRecord { citizen, person, key, .. } = known;
    let before = number_hash(app, &person.number);
    if let Some(fact) = change.fact() {
        register::note_fact(tx, citizen, fact, on.max(Day::of(now))).await?;
    }
    let changed = after(person, change, on);
    let hash = number_hash(app, &changed.number);
    let row =
        register::find_by_citizen(tx, citizen).await?.row.ok_or_else(|| Error::internal("a lost row"))?;
    let record = person_record::encode(&changed);
    let staged = StagedPerson {
        citizen,
        number_hash: hash,
        key: row.key,
        sealed: key.seal(&*app.entropy, &record_place(citizen), &record),
        record_hash: app.keys.lookup("register_person", &record),
        kin: population::kin_hashes(app, &changed, Day::of(now)),
    };
    register::put_copy(tx, &staged, now, now).await.map_err(|error| {
        if error.violates("register_person_number_key") {
            Error::conflict("number_taken")
        } else {
            error.into()
        }
    })?;
    if hash != before {
        move_number(tx, citizen, &before, &hash, on).await?;
    }
    let concern = audit_leaf::Concern { citizen: Some(citizen), agency: None, object: citizen.uuid() };
    // The kind and the day, never the value.
    let details = json!({ "notice": notice.id, "change": notice.kind, "effective_on": on.to_string() });
    let leaf = audit_leaf::leaf(app, now, "register.noticed", concern, &key, &details);
    Ok(audit::append(tx, &[leaf]).await?)
}

/// Only a correction ends a death, and it ends nothing else: notices come late and out of order.
fn after(mut person: Person, change: Change, on: Day) -> Person {
    let dead = matches!(person.status, Status::Deceased { .. });
    match change {
        Change::Died(on) => person.status = Status::Deceased { on },
        Change::Locked if !dead => person.status = Status::Locked,
        Change::Unlocked if !dead => person.status = Status::Active,
        Change::DeathCorrected if dead => person.status = Status::Active,
        Change::Locked | Change::Unlocked | Change::DeathCorrected => {}
        Change::NewCard => {}
        Change::NewNumber(number) => person.number = number,
        Change::BirthDate(date) => person.birth_date = date,
        Change::Sex(sex) => person.sex = sex,
        Change::Name(name) => {
            let former = std::mem::replace(&mut person.name, name);
            if former != person.name {
                person.former_names.insert(0, FormerName { name: former, until: on });
            }
        }
    }
    person
}
