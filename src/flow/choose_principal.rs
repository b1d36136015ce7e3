//! "For yourself or for …": whoever has signed in says in whose name they go on.

use super::{
    Error, Result, acting,
    mandates::refused,
    population::{self, OnRecord},
    sign_in::{Step, demand_present, lock, portal_in, unfit},
};
use crate::app::App;
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{self, Id},
};
use crate::identity::{
    authorization::{Refusal, State},
    mandate::{Asked, Refusal as No},
    personal_number::PersonalNumber,
};
use crate::store::{
    Tx,
    principal::{self, Chosen},
};

/// In whose name.
#[derive(Clone)]
pub enum Choice {
    /// In one's own.
    Oneself,
    /// In the name of a mandate's principal.
    Mandate(Id<id::Mandate>),
    /// In the name of a child or ward whom the page listed.
    Kin(Id<id::Citizen>),
    /// In the name of the holder of a number: a principal of the organisation one works for, or kin not listed.
    Number(PersonalNumber),
}

/// Takes the choice. A number that nobody has and one whose holder gives no right are refused alike.
pub async fn choose_principal(app: &App, step: &Step, choice: &Choice) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let authorization = lock(&mut tx, step).await?;
    let State::Confirmed(confirmation) = &authorization.state else {
        return Err(unfit(Refusal::NotConfirmed));
    };
    demand_present(&mut tx, confirmation).await?;
    let client = portal_in(&mut tx, &authorization).await?.ok_or(Error::refused("sign_in_over"))?;
    let looked = population::look_up_citizen(app, &mut tx, confirmation.citizen).await?;
    let present = looked.on_record.ok_or(Error::not_found())?;
    let chosen = match choice {
        Choice::Oneself => Chosen::Oneself,
        Choice::Mandate(id) => {
            let mandate = crate::store::mandate::hold(&mut tx, *id).await?;
            let mandate = mandate.ok_or_else(|| refused(No::NoRight))?;
            let looked = population::look_up_citizen(app, &mut tx, mandate.principal).await?;
            judge(app, &mut tx, &present, looked.on_record, client.agency, now).await?
        }
        Choice::Kin(citizen) => {
            let looked = population::look_up_citizen(app, &mut tx, *citizen).await?;
            judge(app, &mut tx, &present, looked.on_record, client.agency, now).await?
        }
        Choice::Number(number) => {
            let looked = population::look_up(app, &mut tx, *number).await?;
            judge(app, &mut tx, &present, looked.on_record, client.agency, now).await?
        }
    };
    if let Chosen::For { principal, .. } = chosen {
        let looked = population::look_up_citizen(app, &mut tx, principal).await?;
        if let Some(holder) = looked.on_record {
            population::meet(app, &mut tx, &holder, now).await?;
        }
    }
    principal::choose(&mut tx, authorization.id, chosen).await?;
    tx.commit().await?;
    Ok(())
}

async fn judge(
    app: &App,
    tx: &mut Tx,
    present: &OnRecord,
    holder: Option<Box<OnRecord>>,
    agency: Id<id::Agency>,
    now: Instant,
) -> Result<Chosen> {
    let no_right = || refused(No::NoRight);
    let holder = holder.filter(|holder| holder.citizen != present.citizen).ok_or_else(no_right)?;
    let asked = Asked { procedure: None, agency, act: None, on: Day::of(now) };
    match acting::right_of(app, tx, present, &holder, &asked).await? {
        Ok(right) => Ok(Chosen::For { principal: holder.citizen, right }),
        Err(_) => Err(no_right()),
    }
}
