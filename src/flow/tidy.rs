//! Housekeeping: months are opened before they begin, and what is worthless after its time is forgotten.

use super::Result;
use crate::app::App;
use crate::base::calendar::Day;
use crate::store::{asking, assertion, ceremony, code_counter, ledger};
use time::Duration;

/// How long counters of guesses are kept after their window began: longer than any window lasts.
const COUNTERS_KEPT: Duration = Duration::days(2);

/// Opens the coming months of the books, and forgets counters, budgets of past days and used assertions.
pub async fn tidy(app: &App) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    ledger::open_months(&mut tx, Day::of(now)).await?;
    let counters = code_counter::forget(&mut tx, now - COUNTERS_KEPT).await?;
    let ceremonies = ceremony::forget(&mut tx, now).await?;
    let budgets = asking::forget_days_before(&mut tx, Day::of(now)).await?;
    let assertions = assertion::forget(&mut tx, now).await?;
    tx.commit().await?;
    tracing::info!(counters, ceremonies, budgets, assertions, "forgot what is over");
    Ok(())
}
