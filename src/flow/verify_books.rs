//! Rebuilds every balance from the entries, in the order of the audit log, and holds checkpoints and documents against
//! them.
//!
//! The entries are the truth: a checkpoint that differs from their fold, a bill that is paid without its entry, money in
//! suspense that the books do not hold, are each named. What the log itself hides, `super::verify_audit` finds.

use super::{
    Result,
    trial_balance::{add, add_between},
};
use crate::base::id::{self, Id};
use crate::store::{
    Store, Tx, audit_tree, books_check, ledger,
    trial_balance::{self as books, Sums},
};
use std::fmt;
use uuid::Uuid;

/// What the rebuilding saw.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Accounts with a balance.
    pub accounts: usize,
    /// Checkpoints that were compared.
    pub checkpoints: u64,
    /// The first thing that does not fit.
    pub finding: Option<Finding>,
}

/// What does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The entry has no leaf, or not one of its time: it stands outside of the log.
    Entry(Uuid),
    /// The checkpoint at this place is not the fold of the entries.
    Checkpoint(u64),
    /// The entries that leaves account for are not all entries; the number of the account that differs.
    Outside(i32),
    /// The balances do not sum to zero.
    Unbalanced,
    /// A paid bill that its payment's entry does not bear out.
    Bill(Id<id::Bill>),
    /// A payment whose state and entry disagree.
    Payment(Id<id::Payment>),
    /// Money in suspense that the books hold otherwise.
    Suspense(Id<id::Case>),
    /// A receipt of a bill that is not paid.
    Receipt(Id<id::Receipt>),
    /// A bill that is paid, with neither a receipt nor one that waits to be made.
    Unreceipted(Id<id::Bill>),
    /// A refund whose state and entry disagree.
    Refund(Id<id::Refund>),
    /// Money that arrived in another amount than its entry says.
    Credit(Uuid),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry(entry) => write!(f, "the entry {entry} stands outside of the log"),
            Self::Checkpoint(place) => {
                write!(f, "the checkpoint at place {place} is not the fold of the entries")
            }
            Self::Outside(account) => write!(f, "account {account} holds entries that no leaf accounts for"),
            Self::Unbalanced => write!(f, "the balances do not sum to zero"),
            Self::Bill(bill) => write!(f, "{bill} is paid, but its payment booked another amount"),
            Self::Payment(payment) => write!(f, "the state of {payment} and its entry disagree"),
            Self::Suspense(case) => write!(f, "the books hold another amount in suspense for {case}"),
            Self::Receipt(receipt) => write!(f, "{receipt} was issued for a bill that is not paid"),
            Self::Unreceipted(bill) => write!(f, "{bill} is paid and has no receipt, nor does one wait"),
            Self::Refund(refund) => write!(f, "the state of {refund} and its entry disagree"),
            Self::Credit(entry) => write!(f, "entry {entry} books another amount than arrived"),
        }
    }
}

/// Rebuilds the books. `progressed` hears how many places are done.
pub async fn verify_books(store: &Store, mut progressed: impl FnMut(u64)) -> Result<Report> {
    let mut report = Report::default();
    if let Some(entry) = books::misplaced_entry(store).await? {
        report.finding = Some(Finding::Entry(entry));
        return Ok(report);
    }
    let places = books::checkpoints(store).await?;
    let mut tx = store.begin().await?;
    let (mut sums, mut from) = (Sums::new(), 0);
    for place in places {
        add_between(&mut tx, &mut sums, from, place).await?;
        from = place;
        progressed(place);
        let (_, kept) = books::checkpoint_below(&mut tx, place).await?;
        if kept != moved(&sums) && kept != sums {
            report.finding = Some(Finding::Checkpoint(place));
            return Ok(report);
        }
        report.checkpoints += 1;
    }
    add_rest(&mut tx, &mut sums, from).await?;
    report.accounts = sums.len();
    let outside = outside(&mut tx, &sums).await?;
    drop(tx);
    report.finding = match outside {
        Some(finding) => Some(finding),
        None => documents(store).await?,
    };
    Ok(report)
}

/// Those that are not zero.
fn moved(sums: &Sums) -> Sums {
    sums.iter().filter(|(_, sum)| **sum != 0).map(|(account, sum)| (*account, *sum)).collect()
}

/// What was booked behind the last checkpoint, placed or not.
async fn add_rest(tx: &mut Tx, sums: &mut Sums, from: u64) -> Result<()> {
    let head = audit_tree::last_head(tx).await?;
    let (size, low_tx) = head.map_or((0, 0), |head| (head.size, head.low_tx));
    add_between(tx, sums, from, size).await?;
    for leaves in books::leaves_beyond(tx, size, low_tx).await?.chunks(5_000) {
        add(sums, &books::booked_by(tx, leaves).await?.0)?;
    }
    Ok(())
}

async fn outside(tx: &mut Tx, sums: &Sums) -> Result<Option<Finding>> {
    let plain = ledger::sums(tx).await?;
    let differs = |account: &&i32| plain.get(account).unwrap_or(&0) != sums.get(account).unwrap_or(&0);
    if let Some(account) = plain.keys().chain(sums.keys()).find(differs) {
        return Ok(Some(Finding::Outside(*account)));
    }
    let sum = sums.values().map(|sum| i128::from(*sum)).sum::<i128>();
    Ok((sum != 0).then_some(Finding::Unbalanced))
}

async fn documents(store: &Store) -> Result<Option<Finding>> {
    if let Some(bill) = books_check::bill_not_borne_out(store).await? {
        return Ok(Some(Finding::Bill(bill)));
    }
    if let Some(payment) = books_check::payment_not_settled(store).await? {
        return Ok(Some(Finding::Payment(payment)));
    }
    if let Some(payment) = books_check::payment_not_booked(store).await? {
        return Ok(Some(Finding::Payment(payment)));
    }
    if let Some(case) = books_check::suspense_not_borne_out(store).await? {
        return Ok(Some(Finding::Suspense(case)));
    }
    if let Some(receipt) = books_check::receipt_without_money(store).await? {
        return Ok(Some(Finding::Receipt(receipt)));
    }
    if let Some(bill) = books_check::money_without_receipt(store).await? {
        return Ok(Some(Finding::Unreceipted(bill)));
    }
    if let Some(refund) = books_check::refund_not_borne_out(store).await? {
        return Ok(Some(Finding::Refund(refund)));
    }
    Ok(books_check::credit_not_booked(store).await?.map(Finding::Credit))
}
