//! Officers at the pages of their agency: where they may read, where they may act, and how they are called.

use super::{Error, Result, population};
use crate::{
    app::App,
    base::{
        calendar::Day,
        id::{Agency, Citizen, Id},
    },
    identity::role::Role,
    store::{Tx, agency, role, succession},
};
use std::collections::{BTreeMap, BTreeSet};

/// An agency as pages name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workplace {
    /// Its identifier.
    pub id: Id<Agency>,
    /// Its name, in Vietnamese and English.
    pub name: (String, String),
    /// Whether the officer keeps its books; else they only read them.
    pub acts: bool,
    /// Whom it succeeded, at any remove: the old tree, each with its name, read, and acted for only where its closings are made.
    pub succeeded: Vec<Old>,
}

/// An agency that was succeeded: its identifier, and its name in Vietnamese and English.
pub type Old = (Id<Agency>, (String, String));

impl Workplace {
    /// The agencies of a report: this one, or with `whole` the new tree, everybody whom it succeeded as well.
    pub(super) fn tree(&self, whole: bool) -> Vec<Id<Agency>> {
        let old = self.succeeded.iter().filter(|_| whole).map(|old| old.0);
        std::iter::once(self.id).chain(old).collect()
    }
}

/// An agency at which somebody holds roles, as pages name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    /// Its identifier.
    pub id: Id<Agency>,
    /// Its name, in Vietnamese and English.
    pub name: (String, String),
    roles: Vec<Role>,
    succeeded: Vec<Old>,
}

impl Seat {
    /// Whether the officer holds that role there.
    pub fn holds(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// The seat at an agency, with the roles that its holder has at the one that answers for it now.
    pub(super) fn with_heir(seats: Vec<Self>, agency: Id<Agency>, heir: Id<Agency>) -> Option<Self> {
        let roles = seats.iter().find(|seat| seat.id == heir).map(|seat| seat.roles.clone());
        let mut seat = seats.into_iter().find(|seat| seat.id == agency)?;
        if let Some(roles) = roles {
            seat.roles = roles;
        }
        Some(seat)
    }

    /// The agency as pages name it; whoever holds one of these roles there acts.
    pub(super) fn workplace(self, acting: &[Role]) -> Workplace {
        let acts = acting.iter().any(|role| self.holds(*role));
        Workplace { id: self.id, name: self.name, acts, succeeded: self.succeeded }
    }
}

/// The agencies at which this citizen holds one of these roles on that day, in the order of the grants. Who keeps,
/// approves or audits the books of an agency reads those of everybody whom it succeeded, as an auditor does: they follow.
pub(super) async fn seats(
    tx: &mut Tx,
    citizen: Id<Citizen>,
    today: Day,
    wanted: &[Role],
) -> Result<Vec<Seat>> {
    let held = role::of_citizen(tx, citizen, today).await?;
    let mut roles: Vec<(Id<Agency>, Vec<Role>)> = Vec::new();
    for (agency, role) in held.into_iter().filter(|(_, role)| wanted.contains(role)) {
        match roles.iter_mut().find(|(id, _)| *id == agency) {
            Some(seat) => seat.1.push(role),
            None => roles.push((agency, vec![role])),
        }
    }
    let ids: Vec<Id<Agency>> = roles.iter().map(|seat| seat.0).collect();
    let mut named: BTreeMap<_, _> = agency::find_all(tx, &ids)
        .await?
        .into_iter()
        .map(|row| (row.id, (row.name_vi, row.name_en)))
        .collect();
    let readers = |(_, roles): &&(_, Vec<Role>)| roles.iter().any(|role| BOOKKEEPERS.contains(role));
    let readers: Vec<Id<Agency>> = roles.iter().filter(readers).map(|seat| seat.0).collect();
    let old = if wanted.contains(&Role::Auditor) && !readers.is_empty() {
        succession::succeeded(tx, &readers).await?
    } else {
        BTreeMap::new()
    };
    let mut seats = Vec::with_capacity(roles.len());
    for (id, roles) in roles {
        let succeeded = old.get(&id).cloned().unwrap_or_default();
        seats.extend(named.remove(&id).map(|name| Seat { id, name, roles, succeeded }));
    }
    for (id, name) in old.into_values().flatten() {
        if seats.iter().all(|seat| seat.id != id) {
            seats.push(Seat { id, name, roles: vec![Role::Auditor], succeeded: Vec::new() });
        }
    }
    Ok(seats)
}

/// Who keeps, audits or approves the books.
pub(super) const BOOKKEEPERS: [Role; 3] = [Role::Accountant, Role::Auditor, Role::Approver];

/// Who meets citizens at a counter.
const AT_COUNTERS: [Role; 2] = [Role::Officer, Role::Cashier];

/// The agencies whose books this citizen keeps or audits on that day, in the order of the grants.
pub(super) async fn workplaces(tx: &mut Tx, citizen: Id<Citizen>, today: Day) -> Result<Vec<Workplace>> {
    let seats = seats(tx, citizen, today, &[Role::Accountant, Role::Auditor]).await?;
    Ok(seats.into_iter().map(|seat| seat.workplace(&[Role::Accountant])).collect())
}

/// That one of them, or the first if none is named.
pub(super) async fn workplace(
    tx: &mut Tx,
    citizen: Id<Citizen>,
    agency: Option<Id<Agency>>,
    today: Day,
) -> Result<Workplace> {
    let mut places = workplaces(tx, citizen, today).await?.into_iter();
    let place = places.find(|place| agency.is_none_or(|id| id == place.id));
    place.ok_or(Error::forbidden("accountant_needed"))
}

/// The same for what takes two people: who keeps the books and who approves both act.
pub(super) async fn workplaces_of_two(
    tx: &mut Tx,
    citizen: Id<Citizen>,
    today: Day,
) -> Result<Vec<Workplace>> {
    let seats = seats(tx, citizen, today, &BOOKKEEPERS).await?;
    Ok(seats.into_iter().map(|seat| seat.workplace(&[Role::Accountant, Role::Approver])).collect())
}

/// Demands that a citizen keeps the books of that agency on that day, in the transaction of what they do.
pub(super) async fn demand_accountant(
    tx: &mut Tx,
    citizen: Id<Citizen>,
    agency: Id<Agency>,
    today: Day,
) -> Result<()> {
    let held = role::of_citizen(tx, citizen, today).await?;
    if held.contains(&(agency, Role::Accountant)) {
        Ok(())
    } else {
        Err(Error::forbidden("accountant_needed"))
    }
}

/// Demands that a citizen holds a role at that agency on that day, in the transaction of what they do.
pub(super) async fn demand(
    tx: &mut Tx,
    citizen: Id<Citizen>,
    agency: Id<Agency>,
    wanted: Role,
    today: Day,
) -> Result<()> {
    let held = role::of_citizen(tx, citizen, today).await?;
    if held.contains(&(agency, wanted)) {
        return Ok(());
    }
    Err(Error::forbidden(match wanted {
        Role::Accountant => "accountant_needed",
        Role::Approver => "approver_needed",
        Role::Administrator => "administrator_needed",
        Role::Officer | Role::Cashier | Role::Auditor => "role_needed",
    }))
}

/// The agencies at whose counters this citizen serves on that day, in the order of the grants.
pub(super) async fn counters(tx: &mut Tx, citizen: Id<Citizen>, today: Day) -> Result<Vec<Workplace>> {
    let seats = seats(tx, citizen, today, &AT_COUNTERS).await?;
    Ok(seats.into_iter().map(|seat| seat.workplace(&AT_COUNTERS)).collect())
}

/// Demands that a citizen serves at that agency's counter on that day, in the transaction of what they do.
pub(super) async fn demand_counter(
    tx: &mut Tx,
    citizen: Id<Citizen>,
    agency: Id<Agency>,
    today: Day,
) -> Result<()> {
    let held = role::of_citizen(tx, citizen, today).await?;
    if held.iter().any(|(at, role)| *at == agency && AT_COUNTERS.contains(role)) {
        Ok(())
    } else {
        Err(Error::forbidden("officer_needed"))
    }
}

/// The names of these people, as the register has them.
pub(super) async fn names(
    app: &App,
    tx: &mut Tx,
    people: &BTreeSet<Id<Citizen>>,
) -> Result<BTreeMap<Id<Citizen>, String>> {
    let people: Vec<Id<Citizen>> = people.iter().copied().collect();
    let found = population::look_up_citizens(app, tx, &people).await?;
    Ok(found.into_iter().map(|found| (found.citizen, found.person.name.as_str().to_owned())).collect())
}
