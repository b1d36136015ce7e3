//! A refund that nobody asks for: a rule decides it in the place of two officers, for money that a paid bill got twice, and
//! for money on paper that nobody owed. Everything else is a refund like any other.

use super::{Error, Result, decide_refund::decide, refund_answer::place};
use crate::{
    app::App,
    base::{
        clock::Instant,
        id::{self, Account, Agency, Bill, Id},
        money::Money,
    },
    crypto::seal::DataKey,
    payment::{
        refund::{Reason, State, Way},
        refund_share::Share,
    },
    store::{
        Tx,
        refund::{self as rows, Source, StoredRefund},
        refund_line,
    },
};

/// What goes back.
pub(super) struct Unasked<'a> {
    /// Whose money it was.
    pub agency: Id<Agency>,
    /// The bill that it came for.
    pub bill: Option<Id<Bill>>,
    /// What goes back.
    pub source: Source,
    /// Where it lies; nowhere while it is in a till.
    pub account: Option<Id<Account>>,
    /// How much had come.
    pub received: Money,
    /// How much of it goes back.
    pub amount: Money,
    /// By which line of the bill, where it was booked so.
    pub lines: Vec<Share>,
    /// Why.
    pub reason: Reason,
    /// Why, in words.
    pub words: &'a str,
}

/// Makes and decides it; nothing when somebody had begun before.
pub(super) async fn refund_unasked(
    app: &App,
    tx: &mut Tx,
    unasked: Unasked<'_>,
    sealing: &DataKey,
    now: Instant,
) -> Result<Option<Id<id::Refund>>> {
    let Unasked { agency, bill, source, account, received, amount, lines, reason, words } = unasked;
    if !rows::reserve(tx, source, received, amount).await? {
        return Ok(None);
    }
    if let Source::Payment(payment) = source
        && refund_line::reserve(tx, payment, &lines).await? != lines.len() as u64
    {
        return Err(Error::internal("money that is new went back already"));
    }
    let id = Id::new(now, &*app.entropy);
    let mut refund = StoredRefund {
        id,
        agency,
        bill,
        source,
        account,
        amount,
        way: if account.is_some() { Way::Clearing } else { Way::Cash },
        payout: None,
        reason,
        words: sealing.seal(&*app.entropy, &place(id), words.as_bytes()),
        state: State::Requested,
        requested_by: None,
        client: None,
        requested_at: now,
        decided_at: None,
        entry: None,
        next_at: None,
    };
    rows::insert(tx, &refund).await?;
    if !lines.is_empty() {
        refund_line::insert(tx, id, &lines).await?;
    }
    decide(app, tx, &mut refund, sealing, now).await?;
    Ok(Some(id))
}
