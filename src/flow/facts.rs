//! What is verified about a person, as far as a fee may depend on it: identity and payment meet here.

use super::{Error, Result, population};
use crate::{
    app::App,
    base::id::{Agency, Citizen, Id, Verification},
    identity::person::Person,
    payment::exemption::{Born, Facts},
};

/// The facts of a verification that this agency asked for and that matched.
#[expect(clippy::unused_async, reason = "verifications are asked here once they are kept")]
pub async fn facts_of(_app: &App, _agency: Id<Agency>, _verification: Id<Verification>) -> Result<Facts> {
    Err(Error::refused("verification_unknown"))
}

/// The facts that the population source has about a citizen now; of nobody on record nothing is known.
pub async fn facts_of_citizen(app: &App, citizen: Id<Citizen>) -> Result<Facts> {
    let mut tx = app.store.begin().await?;
    let looked = population::look_up_citizen(app, &mut tx, citizen).await?;
    Ok(looked.on_record.map(|on_record| of_person(&on_record.person)).unwrap_or_default())
}

fn of_person(person: &Person) -> Facts {
    let statuses = person.standings.iter().filter_map(|standing| standing.word().parse().ok());
    Facts {
        account_level: person.account_level.map(|level| level.number()),
        born: Some(Born { earliest: person.birth_date.earliest(), latest: person.birth_date.latest() }),
        statuses: Some(statuses.collect()),
    }
}
