//! The lines of a statement at its page, each with every dossier, fee, legal basis and receipt behind it.

use super::{
    Error, Result,
    export_journal::traced,
    officer::{self, Workplace},
};
use crate::app::App;
use crate::base::{
    calendar::Day,
    id::{self, Agency, Citizen, Id},
};
use crate::store::statement;
use std::collections::BTreeSet;

pub use crate::store::{behind_line::Behind, journal::TracedLine};

/// Lines of a statement as their page shows them.
pub struct Lines {
    /// Whoever reads.
    pub reader: String,
    /// Whose account.
    pub agency: Workplace,
    /// The bank's business day.
    pub day: Day,
    /// The lines in their order, each with the payments behind it that it does not name itself.
    pub lines: Vec<(TracedLine, Vec<Behind>)>,
    /// The number after which others follow.
    pub next: Option<i32>,
}

/// The lines after that number of a statement of an agency where the citizen keeps or audits the books. Bills of agencies whose
/// books the citizen does not read are not told.
pub async fn read_lines(
    app: &App,
    citizen: Id<Citizen>,
    id: Id<id::Statement>,
    after: Option<i32>,
) -> Result<Lines> {
    let mut tx = app.store.begin().await?;
    let places = officer::workplaces(&mut tx, citizen, Day::of(app.clock.now())).await?;
    let agencies: Vec<Id<Agency>> = places.iter().map(|place| place.id).collect();
    let (owner, day) = statement::owner_and_day(&mut tx, &agencies, id).await?.ok_or(Error::not_found())?;
    let (lines, behind, next) = traced(&mut tx, &agencies, id, after).await?;
    let names = officer::names(app, &mut tx, &BTreeSet::from([citizen])).await?;
    let reader = names.get(&citizen).cloned().unwrap_or_default();
    let lines = lines.into_iter().map(|line| {
        let of_line = behind.iter().filter(|one| one.line == line.line).cloned().collect();
        (line, of_line)
    });
    let agency = places.into_iter().find(|place| place.id == owner).ok_or(Error::not_found())?;
    Ok(Lines { reader, agency, day, lines: lines.collect(), next })
}
