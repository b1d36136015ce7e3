//! Fetches the statements of days that are over, without being asked: one at a time, each tried a bounded number of
//! times.

use super::{Result, reconcile_statement::match_statement};
use crate::{
    app::App,
    base::calendar::Day,
    payment::statement::{FETCHES_MAX, next_fetch},
    store::statement_fetch,
};

/// How many days back a missing statement is looked for: a weekend's stop of the service loses none.
pub const DAYS_BACK: i64 = 3;

/// Fetches and matches the missing statement that has waited longest; false when none is due. The try is recorded
/// first, so that a crash counts as one.
pub async fn fetch_due_statement(app: &App) -> Result<bool> {
    let now = app.clock.now();
    let today = Day::of(now);
    let days: Vec<Day> = (1..=DAYS_BACK).map(|back| today.plus_days(-back)).collect();
    let mut tx = app.store.begin().await?;
    let Some(due) = statement_fetch::due(&mut tx, &days, FETCHES_MAX, now).await? else { return Ok(false) };
    let begun = statement_fetch::begin(&mut tx, &due, next_fetch(due.attempts + 1, now)).await?;
    tx.commit().await?;
    if !begun {
        return Ok(true);
    }
    let Err(error) = match_statement(app, &due.account, due.day).await else { return Ok(true) };
    let (account, day, code) = (&due.account.number, due.day, error.code());
    tracing::warn!(account, %day, code, tries = due.attempts + 1, "a day's statement is still missing");
    let mut tx = app.store.begin().await?;
    statement_fetch::refuse(&mut tx, due.account.id, day, code).await?;
    tx.commit().await?;
    Ok(true)
}
