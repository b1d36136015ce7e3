//! Successions as administrators see and decide them on a page.

use super::{
    Error, Result,
    officer::{self, Seat},
    succeed_agency::{Kind, NewSuccession, decide_succession},
};
use crate::{
    app::App,
    base::{
        calendar::Day,
        clock::Instant,
        id::{Agency, Citizen, Id},
    },
    identity::role::Role,
    payment::code::ProcedureCode,
    store::{Tx, agency, succession as rows},
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// How many the page shows.
const SHOWN: i64 = 200;

/// One succession with the codes of its agencies.
#[derive(Debug, Clone)]
pub struct SuccessionShown {
    /// Who is succeeded.
    pub agency: String,
    /// What happens.
    pub kind: String,
    /// The first day of the successors.
    pub from: Day,
    /// Each successor with the procedures that it takes.
    pub successors: Vec<(String, Vec<String>)>,
    /// When everything had passed on, how many open bills did, and the closed series.
    pub effected: Option<(Instant, i32, Vec<ClosedSeries>)>,
}

/// A closed series: kind, year, count.
pub type ClosedSeries = (String, i64, i64);

/// The page.
#[derive(Debug, Clone)]
pub struct Successions {
    /// Who reads.
    pub reader: String,
    /// The reader's seat.
    pub seat: Seat,
    /// The newest decision first.
    pub all: Vec<SuccessionShown>,
}

/// Every succession, for an administrator.
pub async fn read_successions(app: &App, officer: Id<Citizen>) -> Result<Successions> {
    let mut tx = app.store.begin().await?;
    let seat = seat(app, &mut tx, officer).await?;
    let found = rows::all(&mut tx, SHOWN).await?;
    let ids: BTreeSet<Id<Agency>> = found
        .iter()
        .flat_map(|one| one.successors.iter().map(|successor| successor.0).chain([one.agency]))
        .collect();
    let ids: Vec<Id<Agency>> = ids.into_iter().collect();
    let codes: BTreeMap<Id<Agency>, String> =
        agency::find_all(&mut tx, &ids).await?.into_iter().map(|row| (row.id, row.code)).collect();
    let outcomes = rows::outcomes(&mut tx).await?;
    let code = |id: Id<Agency>| codes.get(&id).cloned().unwrap_or_default();
    let all = found
        .into_iter()
        .map(|one| SuccessionShown {
            effected: outcomes.get(&one.agency).map(|(at, bills, closed)| (*at, *bills, series(closed))),
            agency: code(one.agency),
            kind: one.kind,
            from: one.from,
            successors: one.successors.into_iter().map(|(id, procedures)| (code(id), procedures)).collect(),
        })
        .collect();
    let names = officer::names(app, &mut tx, &BTreeSet::from([officer])).await?;
    Ok(Successions { reader: names.get(&officer).cloned().unwrap_or_default(), seat, all })
}

fn series(closed: &Value) -> Vec<(String, i64, i64)> {
    let rows = closed.as_array().into_iter().flatten();
    rows.filter_map(|row| {
        Some((row["kind"].as_str()?.to_owned(), row["year"].as_i64()?, row["count"].as_i64()?))
    })
    .collect()
}

/// A succession as an administrator types it: codes, and for each successor its procedures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typed {
    /// Who is succeeded.
    pub agency: String,
    /// What happens.
    pub kind: Kind,
    /// The first day of the successors.
    pub from: Day,
    /// Each successor's code with the procedures that it takes.
    pub successors: Vec<(String, Vec<ProcedureCode>)>,
}

/// Decides it in the administrator's name.
pub async fn decide_typed(app: &App, officer: Id<Citizen>, typed: &Typed) -> Result<()> {
    let mut tx = app.store.begin().await?;
    let seat = seat(app, &mut tx, officer).await?;
    let mut successors = Vec::with_capacity(typed.successors.len());
    for (code, procedures) in &typed.successors {
        successors.push((named(&mut tx, code).await?, procedures.clone()));
    }
    let agency = named(&mut tx, &typed.agency).await?;
    drop(tx);
    let new = NewSuccession { kind: typed.kind, from: typed.from, successors, administrator: officer };
    decide_succession(app, seat.id, agency, &new, None).await.map(|_| ())
}

async fn named(tx: &mut Tx, code: &str) -> Result<Id<Agency>> {
    Ok(agency::find_by_code(tx, code).await?.ok_or(Error::not_found())?.id)
}

async fn seat(app: &App, tx: &mut Tx, officer: Id<Citizen>) -> Result<Seat> {
    let today = Day::of(app.clock.now());
    let seats = officer::seats(tx, officer, today, &[Role::Administrator]).await?;
    seats.into_iter().next().ok_or(Error::forbidden("administrator_needed"))
}
