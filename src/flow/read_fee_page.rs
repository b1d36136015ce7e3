//! The versions of the fee schedule as an agency's people see them on a page: who moved each, how one differs from what is
//! in force, and what it would have charged.

use super::{
    Error, Result,
    declare_fees::Period,
    fee_versions::diff_version,
    inherit::Tree,
    officer::{self, Seat},
    try_version::try_version,
};
use crate::{
    app::App,
    base::{
        calendar::Day,
        id::{self, Agency, Citizen, Id},
    },
    identity::role::Role,
    payment::fee_version::State,
    store::{
        Tx,
        fee_version::{self as rows, Version},
    },
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A version with the names of its people.
#[derive(Debug, Clone)]
pub struct VersionShown {
    /// The version.
    pub version: Version,
    /// Whether it is in force today.
    pub in_force: bool,
    /// Who drafted, submitted and approved it.
    pub people: [Option<String>; 3],
    /// Whether the reader drafted or submitted it.
    pub own: bool,
}

/// The page of all versions.
#[derive(Debug, Clone)]
pub struct FeePage {
    /// Who reads.
    pub reader: String,
    /// Where the reader works.
    pub seats: Vec<Seat>,
    /// The newest first.
    pub versions: Vec<VersionShown>,
}

/// The page of one version.
#[derive(Debug, Clone)]
pub struct VersionPage {
    /// Who reads.
    pub reader: String,
    /// The version.
    pub shown: VersionShown,
    /// The reader's seat at the agency whose version it is; none at another's.
    pub seat: Option<Seat>,
    /// How it differs from what is in force, as `/v1` answers it.
    pub diff: Value,
    /// What it would have charged, where that was asked for.
    pub trial: Option<Value>,
}

/// Whoever keeps, approves or audits the books of an agency reads the versions of all.
const READERS: [Role; 3] = [Role::Accountant, Role::Approver, Role::Auditor];

/// Every version.
pub async fn read_versions_page(app: &App, officer: Id<Citizen>) -> Result<FeePage> {
    let today = Day::of(app.clock.now());
    let mut tx = app.store.begin().await?;
    let seats = seats(&mut tx, officer, today).await?;
    let versions = rows::list(&mut tx).await?;
    let (reader, versions) = shown(app, &mut tx, officer, versions).await?;
    Ok(FeePage { reader, seats, versions })
}

/// One version; a month of the reader's agency to try it on, if wanted.
pub async fn read_version_page(
    app: &App,
    officer: Id<Citizen>,
    id: Id<id::Schedule>,
    month: Option<Period>,
) -> Result<VersionPage> {
    let today = Day::of(app.clock.now());
    let mut tx = app.store.begin().await?;
    let seats = seats(&mut tx, officer, today).await?;
    let version = rows::lock(&mut tx, id).await?.ok_or(Error::not_found())?;
    let seat = seats.iter().find(|seat| version.agency == Some(seat.id)).cloned();
    let (reader, mut versions) = shown(app, &mut tx, officer, vec![version]).await?;
    drop(tx);
    let shown = versions.pop().ok_or(Error::not_found())?;
    let bills_of: Option<Id<Agency>> = seat.as_ref().or(seats.first()).map(|seat| seat.id);
    let trial = match (month, bills_of) {
        (Some(month), Some(agency)) => Some(try_version(app, (agency, Tree::Own), id, month).await?),
        _ => None,
    };
    Ok(VersionPage { reader, shown, seat, diff: diff_version(app, id, None).await?, trial })
}

pub(super) async fn seats(tx: &mut Tx, officer: Id<Citizen>, today: Day) -> Result<Vec<Seat>> {
    let seats = officer::seats(tx, officer, today, &READERS).await?;
    if seats.is_empty() { Err(Error::forbidden("accountant_needed")) } else { Ok(seats) }
}

async fn shown(
    app: &App,
    tx: &mut Tx,
    reader: Id<Citizen>,
    versions: Vec<Version>,
) -> Result<(String, Vec<VersionShown>)> {
    let in_force = rows::in_force(tx, Day::of(app.clock.now())).await?;
    let people = |version: &Version| {
        let approved = version.approved.map(|approved| approved.0);
        [version.life.drafted_by, version.life.submitted_by, approved]
    };
    let mut known: BTreeSet<Id<Citizen>> = versions.iter().flat_map(people).flatten().collect();
    known.insert(reader);
    let names: BTreeMap<Id<Citizen>, String> = officer::names(app, tx, &known).await?;
    let shown = versions.into_iter().map(|version| {
        let of = people(&version);
        VersionShown {
            in_force: in_force == Some(version.id) && version.life.state == State::Approved,
            people: of.map(|person| person.and_then(|person| names.get(&person).cloned())),
            own: of[..2].contains(&Some(reader)),
            version,
        }
    });
    let shown = shown.collect();
    Ok((names.get(&reader).cloned().unwrap_or_default(), shown))
}
