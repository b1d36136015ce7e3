//! Gives second money back without being asked: a bill is paid once, and whoever paid it again need not know that they
//! did.

use super::{
    Result,
    agency_key::agency_key,
    refund_unasked::{Unasked, refund_unasked},
    send_refund::send_refund,
};
use crate::{
    app::App,
    base::id::{Case, Id},
    payment::refund::Reason,
    store::{debit, refund::Source},
};

/// How many one look gives back.
const AT_ONCE: i64 = 32;

/// The words of a refund that nobody asked for.
const WORDS: &str = "Tiền nộp lần hai cho cùng một khoản: hoàn lại không cần đề nghị.";

/// Gives back second money that waits; how much of it was begun.
pub async fn return_second_money(app: &App) -> Result<usize> {
    let mut tx = app.store.begin().await?;
    let waiting = debit::second_money(&mut tx, AT_ONCE).await?;
    drop(tx);
    let mut begun = 0;
    for case in waiting {
        begun += usize::from(give_back(app, case).await?);
    }
    Ok(begun)
}

async fn give_back(app: &App, case: Id<Case>) -> Result<bool> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let Some(waiting) = debit::lock_waiting(&mut tx, case).await?.filter(|waiting| waiting.held) else {
        return Ok(false);
    };
    let sealing = agency_key(app, &mut tx, waiting.agency).await?;
    let unasked = Unasked {
        agency: waiting.agency,
        bill: waiting.bill,
        source: Source::Case(case),
        account: Some(waiting.key.0),
        received: waiting.amount,
        amount: waiting.amount,
        lines: Vec::new(),
        reason: Reason::PaidTwice,
        words: WORDS,
    };
    // Another node may have begun while this one waited for the lock; an officer may have asked before.
    let Some(id) = refund_unasked(app, &mut tx, unasked, &sealing, now).await? else {
        return Ok(false);
    };
    tx.commit().await?;
    send_refund(app, id).await?;
    Ok(true)
}
