//! Gives second money back without being asked: a bill is paid once, and whoever paid it again need not know that they
//! did. The rule decides in the place of two officers; everything else is a refund like any other.

use super::{
    Result, agency_key::agency_key, decide_refund::decide, refund_answer::place, send_refund::send_refund,
};
use crate::{
    app::App,
    base::id::{Case, Id},
    payment::refund::{Reason, State, Way},
    store::{
        debit,
        refund::{self as rows, Source, StoredRefund},
    },
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
    // Another node may have begun while this one waited for the lock; an officer may have asked before.
    if !rows::reserve(&mut tx, Source::Case(case), waiting.amount, waiting.amount).await? {
        return Ok(false);
    }
    let sealing = agency_key(app, &mut tx, waiting.agency).await?;
    let id = Id::new(now, &*app.entropy);
    let mut refund = StoredRefund {
        id,
        agency: waiting.agency,
        bill: waiting.bill,
        source: Source::Case(case),
        account: Some(waiting.key.0),
        amount: waiting.amount,
        way: Way::Clearing,
        reason: Reason::PaidTwice,
        words: sealing.seal(&*app.entropy, &place(id), WORDS.as_bytes()),
        state: State::Requested,
        requested_by: None,
        client: None,
        requested_at: now,
        decided_at: None,
        entry: None,
        next_at: None,
    };
    rows::insert(&mut tx, &refund).await?;
    decide(app, &mut tx, &mut refund, &sealing, now).await?;
    tx.commit().await?;
    send_refund(app, id).await?;
    Ok(true)
}
