//! What a verification has established about a person, as far as a fee may depend on it.

use super::{Error, Result, population};
use crate::{
    app::App,
    base::id::{Agency, Citizen, Id, Verification},
    identity::{assurance::AccountLevel, person::Person},
    payment::exemption::{Born, Facts},
    store::{national_id, principal, verification},
};

/// The facts of a verification that this agency asked for and that found a match. They are read from the register now:
/// a standing that was lost since then reduces nothing.
pub async fn facts_of(app: &App, agency: Id<Agency>, verification: Id<Verification>) -> Result<Facts> {
    let unknown = || Error::refused("verification_unknown");
    let row = verification::find(&app.store, agency, verification).await?.ok_or_else(unknown)?;
    let citizen = row.citizen.filter(|_| row.state.is_accepted()).ok_or_else(unknown)?;
    facts_of_citizen(app, citizen).await
}

/// The facts that the population source has about a citizen now; of nobody on record nothing is known. The account
/// level is the one that the national e-ID reported last; of whom it has reported nothing, the one on record.
pub async fn facts_of_citizen(app: &App, citizen: Id<Citizen>) -> Result<Facts> {
    let mut tx = app.store.begin().await?;
    let looked = population::look_up_citizen(app, &mut tx, citizen).await?;
    let Some(on_record) = looked.on_record else { return Ok(Facts::default()) };
    let reported = national_id::latest_report(&mut tx, citizen).await?.map(|reported| reported.level);
    Ok(of_person(&on_record.person, reported))
}

fn of_person(person: &Person, reported: Option<AccountLevel>) -> Facts {
    let statuses = person.standings.iter().filter_map(|standing| standing.word().parse().ok());
    Facts {
        account_level: reported.or(person.account_level).map(|level| level.number()),
        born: Some(Born { earliest: person.birth_date.earliest(), latest: person.birth_date.latest() }),
        statuses: Some(statuses.collect()),
    }
}

/// Who acted for the person of a verification: their name, which the bill then has as its submitter's.
pub async fn acting_of(app: &App, verification: Id<Verification>) -> Result<Option<String>> {
    let mut tx = app.store.begin().await?;
    let Some(acting) = principal::acting(&mut tx, verification).await? else { return Ok(None) };
    let looked = population::look_up_citizen(app, &mut tx, acting.actor).await?;
    Ok(looked.on_record.map(|actor| actor.person.name.as_str().to_owned()))
}
