//! Who may do what at which agency: granted for a time, read with every act.

use super::{
    Error, Result,
    audit_leaf::{Concern, leaf},
    population,
};
use crate::app::App;
use crate::base::{
    calendar::Day,
    id::{self, Id},
};
use crate::identity::{personal_number::PersonalNumber, role::Role};
use crate::store::{agency, audit, role};
use serde_json::json;

/// A role to grant.
pub struct Granting {
    /// To the holder of this number.
    pub number: PersonalNumber,
    /// What.
    pub role: Role,
    /// At the agency of this code.
    pub agency_code: String,
    /// Its last day; open if absent. It begins today.
    pub to: Option<Day>,
    /// By whom; nobody from the command line, which makes the first administrator.
    pub by: Option<Id<id::Citizen>>,
}

/// Grants a role. The separation of duties is decided under a lock on the citizen, so that two grants at once cannot
/// both miss each other. Nobody grants a role to themselves.
pub async fn grant_role(app: &App, granting: &Granting) -> Result<Id<id::RoleGrant>> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let agency = agency::find_by_code(&mut tx, &granting.agency_code).await?.ok_or(Error::not_found())?;
    let looked = population::look_up(app, &mut tx, granting.number).await?;
    let holder = looked.on_record.ok_or(Error::not_found())?;
    if granting.by == Some(holder.citizen) {
        return Err(Error::forbidden("own_act"));
    }
    population::meet(app, &mut tx, &holder, now).await?;
    role::lock_citizen(&mut tx, holder.citizen).await?;
    let held = role::of_citizen(&mut tx, holder.citizen, Day::of(now)).await?;
    if held.iter().any(|(at, other)| *at == agency.id && granting.role.excludes(*other)) {
        return Err(Error::conflict("roles_exclude_each_other"));
    }
    let id = Id::new(now, &*app.entropy);
    let grant = role::NewGrant {
        id,
        citizen: holder.citizen,
        agency: agency.id,
        role: granting.role,
        from: Day::of(now),
        to: granting.to,
        by: granting.by,
        at: now,
    };
    match role::insert(&mut tx, &grant).await {
        Err(e) if e.violates("role_grant_once") => return Err(Error::conflict("role_held_already")),
        done => done?,
    }
    let concern = Concern { citizen: Some(holder.citizen), agency: Some(agency.id), object: id.uuid() };
    let details = json!({"role": granting.role.word(), "agency": agency.id.to_string()});
    audit::append(&mut tx, &[leaf(app, now, "role.granted", concern, &holder.key, &details)]).await?;
    tx.commit().await?;
    Ok(id)
}

/// The agencies at which a citizen has one of these roles today.
pub async fn agencies_of(
    app: &App,
    citizen: Id<id::Citizen>,
    roles: &[Role],
) -> Result<Vec<(Id<id::Agency>, Role)>> {
    let today = Day::of(app.clock.now());
    let mut tx = app.store.begin().await?;
    let held = role::of_citizen(&mut tx, citizen, today).await?;
    tx.commit().await?;
    Ok(held.into_iter().filter(|(_, role)| roles.contains(role)).collect())
}
