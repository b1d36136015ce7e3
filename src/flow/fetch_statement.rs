//! Fetches statements: those of days that are over without being asked, one at a time and each tried a bounded number
//! of times; any other when an officer asks for it.

use super::{
    Error, Refusal, Result, match_long_days, officer,
    reconcile_statement::{match_if_short, match_statement},
};
use crate::{
    app::App,
    base::{
        calendar::Day,
        id::{Agency, Citizen, Id, LongDay},
    },
    payment::statement::{FETCHES_MAX, next_fetch},
    store::{account, long_day::Asker, statement_fetch},
};

/// How many days back a missing statement is looked for: a weekend's stop of the service loses none.
pub const DAYS_BACK: i64 = 3;

/// Fetches and matches a day of an account for an officer who keeps the books of its owner; where it is too long to wait for, the
/// name under which it is matched beside.
pub async fn fetch_as_officer(
    app: &App,
    officer: Id<Citizen>,
    agency: Id<Agency>,
    number: &str,
    day: Day,
) -> Result<Option<Id<LongDay>>> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    officer::demand_accountant(&mut tx, officer, agency, Day::of(now)).await?;
    let account = account::account_of_number(&mut tx, number).await?;
    drop(tx);
    let account = account.filter(|account| account.heir == agency);
    let account = account.ok_or_else(|| Error::Refused(Refusal::new("unknown_account")))?;
    if match_if_short(app, &account, day).await?.is_some() {
        return Ok(None);
    }
    let mut tx = app.store.begin().await?;
    let by = (Asker::Person(officer), now);
    let asked = match_long_days::ask(app, &mut tx, (account.id, day), None, by).await?;
    tx.commit().await?;
    Ok(Some(asked))
}

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
