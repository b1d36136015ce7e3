//! Books money that left an account for a refund, however it is told: by a notification, or by the statement. With it
//! the refund is done, and a receipt of its own takes back what was given back.

use super::{
    Error, Result, adjust_receipts::adjust_receipts, agency_key::agency_key, decide_refund::parts,
    request_refund::record, settle_payout,
};
use crate::{
    app::App,
    base::{
        calendar::Day,
        clock::Instant,
        id::{self, Account as BankAccount, Id, Leaf, Refund},
        money::Money,
    },
    payment::{
        ledger::{self, Account},
        refund::{Event, Next, State, Way, follow},
    },
    store::{
        Tx, account,
        audit::NewLeaf,
        debit::{self, StoredDebit},
        ledger::{self as books, EntryKind, NewEntry},
        payout,
        refund::{self as rows, StoredRefund},
    },
};
use serde_json::json;

/// A movement out of an account that names something of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Debited {
    /// The account.
    pub account: Id<BankAccount>,
    /// Its bank's reference of the movement.
    pub servicer_reference: String,
    /// How much.
    pub amount: Money,
    /// The refund that it names; or the order that bears this name.
    pub refund: Id<Refund>,
    /// The bank's booking day.
    pub booked_on: Day,
    /// How it was told.
    pub told_by: TellsDebit,
}

/// How a movement was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TellsDebit {
    /// By a notification, as it happened.
    Notification,
    /// By a line of a day's statement.
    Statement,
}

/// Books the movements, each once. What names no refund of ours, or another amount, is left to the statement, which
/// makes a case of it.
pub async fn settle_debits(app: &App, debits: &[Debited]) -> Result<()> {
    for one in debits {
        let now = app.clock.now();
        let mut tx = app.store.begin().await?;
        settle_in(app, &mut tx, one, now).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// The same within a transaction; whether it is in the books now.
pub(super) async fn settle_in(app: &App, tx: &mut Tx, debited: &Debited, now: Instant) -> Result<bool> {
    let Some(refund) = rows::lock(tx, debited.refund).await? else {
        return settle_payout::settle_in(app, tx, debited, now).await;
    };
    let known = debit::told(tx, debited.account, &[&debited.servicer_reference]).await?;
    if known.contains_key(&debited.servicer_reference) {
        return Ok(true);
    }
    // What the Treasury orders is over by its statement line alone; until that comes a notification says nothing.
    if refund.way == Way::Treasury && debited.told_by != TellsDebit::Statement {
        return Ok(false);
    }
    let elsewhere = leaves(tx, &refund).await? != Some(debited.account);
    if refund.amount != debited.amount || elsewhere {
        tracing::error!(refund = %refund.id, "a debit that names a refund is not what was sent");
        return Ok(false);
    }
    let state = match follow(&refund.state, &Event::Debited, now) {
        Next::Move(state) => state,
        Next::Ask(_) | Next::Stay => return Ok(false),
        Next::Contradiction => {
            tracing::error!(refund = %refund.id, state = refund.state.as_str(), "money left that nobody had decided");
            return Ok(false);
        }
    };
    let entry: Id<id::Entry> = Id::new(now, &*app.entropy);
    let stored = StoredDebit {
        key: (debited.account, debited.servicer_reference.clone()),
        amount: debited.amount,
        refund: Some(refund.id),
        payout: None,
        entry,
        booked_on: debited.booked_on,
    };
    if !debit::insert(tx, &stored, now).await? {
        return Ok(true);
    }
    finish(app, tx, refund, state, (entry, Account::Clearing(debited.account)), now).await?;
    Ok(true)
}

/// The account that a refund's money leaves: a return leaves the one that it was asked of; what the Treasury orders leaves the
/// one to which it was passed on, if that is an account of ours, and otherwise the one from which it was.
async fn leaves(tx: &mut Tx, refund: &StoredRefund) -> Result<Option<Id<BankAccount>>> {
    let Some(order) = refund.payout else { return Ok(refund.account) };
    let order = payout::find(tx, order).await?.ok_or(Error::internal("a refund without its order"))?;
    let named = |name: &str| order.beneficiary[name].as_str().unwrap_or_default();
    let to = account::account_of_number(tx, named("number")).await?.filter(|to| to.bank == named("bank"));
    Ok(Some(to.map_or(order.account, |to| to.id)))
}

/// Ends a refund whose money left `from`: books it, issues the adjusting receipt, tells of it.
pub(super) async fn finish(
    app: &App,
    tx: &mut Tx,
    refund: StoredRefund,
    state: State,
    (entry, from): (Id<id::Entry>, Account),
    now: Instant,
) -> Result<()> {
    if !rows::move_refund(tx, &refund, &state, None).await? {
        return Err(Error::conflict("refund_moved"));
    }
    let refund = StoredRefund { state, ..refund };
    let sealing = agency_key(app, tx, refund.agency).await?;
    let leaf: Id<Leaf> = Id::new(now, &*app.entropy);
    let moved = ledger::moved(from, Account::RefundDue(refund.agency), refund.amount);
    let mut entries = vec![NewEntry {
        id: entry,
        kind: EntryKind::Refunded,
        subject: refund.id.uuid(),
        leaf,
        entry: moved.map_err(Error::internal)?,
    }];
    // What was remitted is owed by its beneficiaries only once the Treasury has ordered it.
    if refund.way == Way::Treasury {
        let owed = ledger::refund_owed(refund.agency, &parts(tx, &refund).await?).map_err(Error::internal)?;
        let (id, kind) = (Id::new(now, &*app.entropy), EntryKind::RefundOwed);
        entries.push(NewEntry { id, kind, subject: refund.id.uuid(), leaf, entry: owed });
    }
    let accounts: Vec<Account> =
        entries.iter().flat_map(|e| e.entry.postings()).map(|posting| posting.account).collect();
    let numbers = account::open_numbers(tx, &accounts).await?;
    books::append(tx, &entries, &numbers, now).await?;
    let receipts = adjust_receipts(app, tx, &refund, leaf, now).await?;
    let details = json!({
        "refund": refund.id.to_string(),
        "amount": refund.amount.decimal(),
        "receipts": receipts,
    });
    let concern =
        super::audit_leaf::Concern { citizen: None, agency: Some(refund.agency), object: refund.id.uuid() };
    let leaf: NewLeaf =
        super::audit_leaf::leaf_named(app, (leaf, now), "refund.paid", concern, &sealing, &details);
    crate::store::audit::append(tx, &[leaf]).await?;
    record(app, tx, &refund, "refund.done", &sealing, now).await
}
