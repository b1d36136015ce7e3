//! The books as the agency's accountant and auditor read them on a page: what each account holds, and what the fees of a
//! month come to.

use super::{
    Error, Result,
    declare_fees::{Period, declare_fees},
    inherit::Tree,
    officer::{self, Workplace},
    trial_balance::{Trial, trial_balance},
};
use crate::{
    app::App,
    base::{
        calendar::Day,
        id::{Agency, Citizen, Id},
    },
};
use serde_json::Value;

/// The page of the books.
pub struct Books {
    /// Whose.
    pub agency: Workplace,
    /// The balances of now.
    pub trial: Trial,
    /// The days of the declaration.
    pub period: Period,
    /// The declaration, as `/v1/fees/declaration` answers it.
    pub declaration: Value,
}

/// The books of an agency whose books the officer keeps or audits, the first of them if none is named; with `whole` those
/// of everybody whom it succeeded as well.
pub async fn read_books(
    app: &App,
    officer: Id<Citizen>,
    (agency, whole): (Option<Id<Agency>>, bool),
    period: Option<Period>,
) -> Result<Books> {
    let today = Day::of(app.clock.now());
    let mut tx = app.store.begin().await?;
    let places = officer::workplaces(&mut tx, officer, today).await?;
    drop(tx);
    let place = places.into_iter().find(|place| agency.is_none_or(|agency| agency == place.id));
    let place = place.ok_or(Error::not_found())?;
    let period = period.unwrap_or_else(|| Period::month_of(today));
    let trial = trial_balance(&app.store, Some(&place.tree(whole)), None).await?;
    let tree = if whole { Tree::New } else { Tree::Own };
    let declaration = declare_fees(app, place.id, period, tree).await?;
    Ok(Books { agency: place, trial, period, declaration })
}
