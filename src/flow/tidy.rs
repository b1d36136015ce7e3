//! Housekeeping: months are opened before they begin, and what is worthless after its time is forgotten.

use super::Result;
use crate::app::App;
use crate::base::calendar::Day;
use crate::identity::authorization::AUTHORIZATION_LIFE;
use crate::store::{
    asking, ceremony, code_counter, ledger, once, pushed_request, refresh_token, retention, revoked_token,
    statement_page, vouched,
};
use time::Duration;

/// How long counters of guesses are kept after their window began: longer than any window lasts.
const COUNTERS_KEPT: Duration = Duration::days(2);

/// How long refresh tokens are remembered after their family's end.
const FAMILIES_KEPT: Duration = Duration::days(30);
/// How long pages of a statement are kept after the run began that fetched them: longer than any run lasts.
const PAGES_KEPT: Duration = Duration::days(1);

/// How much of each kind is forgotten at a time.
const MOST: i64 = 100_000;

/// Opens the coming months of the books, and forgets counters, budgets of past days and used assertions.
pub async fn tidy(app: &App) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    ledger::open_months(&mut tx, Day::of(now)).await?;
    retention::open_months(&mut tx, Day::of(now)).await?;
    let counters = code_counter::forget(&mut tx, now - COUNTERS_KEPT).await?;
    let ceremonies = ceremony::forget(&mut tx, now).await? + vouched::forget(&mut tx, now).await?;
    let budgets = asking::forget_days_before(&mut tx, Day::of(now)).await?;
    let once = once::forget(&mut tx, now, MOST).await?;
    // Those who opened one may be at it for a while longer: what it was answered with is remembered as long.
    let pushed = pushed_request::forget(&mut tx, now - AUTHORIZATION_LIFE, MOST).await?;
    let revoked = revoked_token::forget(&mut tx, now, MOST).await?;
    // A family is remembered a while longer, so that an old token still shows what it was.
    let refresh = refresh_token::forget(&mut tx, now - FAMILIES_KEPT, MOST).await?;
    let pages = statement_page::forget(&mut tx, now - PAGES_KEPT, MOST).await?;
    tx.commit().await?;
    tracing::info!(
        counters,
        ceremonies,
        budgets,
        once,
        pushed,
        revoked,
        refresh,
        pages,
        "forgot what is over"
    );
    Ok(())
}
