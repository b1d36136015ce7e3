//! Who may do what at which agency: granted for a time, read with every act.

use super::{
    Error, Refusal, Result,
    audit_leaf::{Concern, leaf},
    population,
};
use crate::app::App;
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{self, Id},
};
use crate::identity::{personal_number::PersonalNumber, role::Role};
use crate::store::{
    Tx, agency, audit,
    role::{self, StoredGrant},
};
use serde_json::{Value, json};

/// A role to grant.
pub struct Granting {
    /// To the holder of this number.
    pub number: PersonalNumber,
    /// What.
    pub role: Role,
    /// At the agency of this code.
    pub agency_code: String,
    /// Its first day; today if absent.
    pub from: Option<Day>,
    /// Its last day; open if absent.
    pub to: Option<Day>,
    /// By whom; nobody from the command line, which makes the first administrator.
    pub by: Option<Id<id::Citizen>>,
}

/// Grants a role. Nobody grants a role to themselves.
pub async fn grant_role(app: &App, granting: &Granting) -> Result<Id<id::RoleGrant>> {
    let mut tx = app.store.begin().await?;
    let granted = add_grant(app, &mut tx, granting, app.clock.now()).await?;
    tx.commit().await?;
    Ok(granted.id)
}

/// Takes a role back; harmless when it was taken back before.
pub async fn revoke_role(app: &App, grant: Id<id::RoleGrant>) -> Result<()> {
    let mut tx = app.store.begin().await?;
    end_grant(app, &mut tx, grant, None, app.clock.now()).await?;
    Ok(tx.commit().await?)
}

/// The separation of duties is decided under a lock on the citizen, so that two grants at once cannot both miss each
/// other. What somebody will hold later counts like what they hold now.
pub(super) async fn add_grant(
    app: &App,
    tx: &mut Tx,
    granting: &Granting,
    now: Instant,
) -> Result<StoredGrant> {
    let today = Day::of(now);
    let from = granting.from.unwrap_or(today);
    if from < today || granting.to.is_some_and(|to| to < from) {
        let field = if from < today { "/valid_from" } else { "/valid_to" };
        return Err(Error::Refused(Refusal::new("invalid_body").violation(field, "in_the_past", None)));
    }
    let agency = agency::find_by_code(tx, &granting.agency_code).await?.ok_or(Error::not_found())?;
    let looked = population::look_up(app, tx, granting.number).await?;
    let holder = looked.on_record.ok_or(Error::not_found())?;
    if granting.by == Some(holder.citizen) {
        return Err(Error::forbidden("own_act"));
    }
    population::meet(app, tx, &holder, now).await?;
    role::lock_citizen(tx, holder.citizen).await?;
    let grant = StoredGrant {
        id: Id::new(now, &*app.entropy),
        citizen: holder.citizen,
        agency: agency.id,
        role: granting.role,
        from,
        to: granting.to,
        by: granting.by,
        at: now,
        revoked_at: None,
    };
    // What is over stands in the way of a new grant of the same role.
    role::close_over(tx, holder.citizen, agency.id, today, now).await?;
    for held in role::unrevoked(tx, holder.citizen, agency.id).await? {
        if held.role == grant.role {
            return Err(Error::Conflict(Refusal::new("role_held_already").about(held.id)));
        } else if held.role.excludes(grant.role) && overlap(&held, &grant) {
            return Err(Error::Conflict(Refusal::new("roles_exclude_each_other").about(held.id)));
        }
    }
    match role::insert(tx, &grant).await {
        Err(e) if e.violates("role_grant_once") => return Err(Error::conflict("role_held_already")),
        done => done?,
    }
    let concern = Concern { citizen: Some(holder.citizen), agency: Some(agency.id), object: grant.id.uuid() };
    let details = details(&grant, granting.by);
    audit::append(tx, &[leaf(app, now, "role.granted", concern, &holder.key, &details)]).await?;
    Ok(grant)
}

/// Takes a role back; the grant as it then is.
pub(super) async fn end_grant(
    app: &App,
    tx: &mut Tx,
    grant: Id<id::RoleGrant>,
    by: Option<Id<id::Citizen>>,
    now: Instant,
) -> Result<StoredGrant> {
    let ended = role::revoke(tx, grant, now).await?;
    let known = role::find(tx, grant).await?.ok_or(Error::not_found())?;
    if ended {
        let looked = population::look_up_citizen(app, tx, known.citizen).await?;
        let holder = looked.on_record.ok_or(Error::internal("a role of nobody on record"))?;
        let concern =
            Concern { citizen: Some(known.citizen), agency: Some(known.agency), object: grant.uuid() };
        let details = details(&known, by);
        audit::append(tx, &[leaf(app, now, "role.revoked", concern, &holder.key, &details)]).await?;
    }
    Ok(known)
}

fn details(grant: &StoredGrant, by: Option<Id<id::Citizen>>) -> Value {
    json!({
        "role": grant.role.word(),
        "agency": grant.agency.to_string(),
        "from": grant.from.to_string(),
        "to": grant.to.map(|day| day.to_string()),
        "by": by.map(|citizen| citizen.to_string()),
    })
}

/// Whether two grants are in force on a common day.
fn overlap(one: &StoredGrant, other: &StoredGrant) -> bool {
    let before = |a: &StoredGrant, b: &StoredGrant| a.to.is_some_and(|to| to < b.from);
    !before(one, other) && !before(other, one)
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
