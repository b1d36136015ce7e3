//! The books: entries and postings, appended and never changed. Balances are folded when they are asked for.

use super::{Result, StoreError, Tx};
use crate::{
    base::{
        calendar::Day,
        clock::Instant,
        id::{self, Id},
        money::Money,
    },
    payment::ledger::{Account, Entry},
};
use std::collections::BTreeMap;
use time::Date;
use uuid::Uuid;

/// What an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A bill was paid; the subject is the payment.
    Settled,
    /// Money waits; the subject is the suspense object.
    Suspended,
    /// Money that waited goes where a decision sends it; the subject is the suspense object.
    Released,
    /// Fees are to be given back; the subject is the refund.
    RefundOwed,
    /// What was owed back was paid out; the subject is the refund.
    Refunded,
    /// Cash changed its place; the subject is the shift or the deposit.
    CashMoved,
    /// A count found too much or too little; the subject is the shift.
    CashCounted,
    /// A bank kept its charge; the subject is the record of it.
    Charged,
    /// A card company kept its discount; the subject is the record of it.
    Discounted,
    /// What one agency owed back is its successor's debt; the subject is the agency that was succeeded.
    PassedOn,
    /// What was collected has gone on to whom it belongs; the subject is the order.
    Remitted,
    /// An entry before was wrong and is mirrored; the subject is that entry.
    Corrected,
}

impl EntryKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Settled => "settled",
            Self::Suspended => "suspended",
            Self::Released => "released",
            Self::RefundOwed => "refund_owed",
            Self::Refunded => "refunded",
            Self::CashMoved => "cash_moved",
            Self::CashCounted => "cash_counted",
            Self::Charged => "charged",
            Self::Discounted => "discounted",
            Self::PassedOn => "passed_on",
            Self::Remitted => "remitted",
            Self::Corrected => "corrected",
        }
    }
}

/// An entry on its way into the books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEntry {
    /// Its identifier.
    pub id: Id<id::Entry>,
    /// What it is about.
    pub kind: EntryKind,
    /// The payment or the suspense object.
    pub subject: Uuid,
    /// Its leaf in the audit log.
    pub leaf: Id<id::Leaf>,
    /// The balanced postings.
    pub entry: Entry,
}

/// Appends entries with their postings, by one statement. Every account must have a number.
pub async fn append(
    tx: &mut Tx,
    entries: &[NewEntry],
    numbers: &BTreeMap<Account, i32>,
    at: Instant,
) -> Result<()> {
    let uuid = |f: fn(&NewEntry) -> Uuid| entries.iter().map(f).collect::<Vec<_>>();
    let kinds: Vec<&str> = entries.iter().map(|e| e.kind.as_str()).collect();
    let (mut of, mut accounts, mut amounts) = (Vec::new(), Vec::new(), Vec::new());
    for entry in entries {
        for posting in entry.entry.postings() {
            of.push(entry.id.uuid());
            // Zero is no account: the trigger refuses the statement.
            accounts.push(numbers.get(&posting.account).copied().unwrap_or(0));
            amounts.push(posting.amount.minor());
        }
    }
    sqlx::query!(
        "with entry as (
             insert into ledger_entry (id, booked_on, kind, subject, leaf_id, at)
             select e.id, $5, e.kind, e.subject, e.leaf_id, $6
             from unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[]) as e (id, kind, subject, leaf_id))
         insert into posting (entry_id, account_id, amount, booked_on)
         select p.entry_id, p.account_id, p.amount, $5
         from unnest($7::uuid[], $8::integer[], $9::bigint[]) as p (entry_id, account_id, amount)",
        &uuid(|e| e.id.uuid()),
        &kinds as &[&str],
        &uuid(|e| e.subject),
        &uuid(|e| e.leaf.uuid()),
        Day::of(at).date(),
        at,
        &of,
        &accounts,
        &amounts,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The balance of every account that was ever posted to.
pub async fn balances(tx: &mut Tx) -> Result<Vec<(Account, Money)>> {
    let rows = sqlx::query!(
        r#"select a.kind, a.account_id, a.agency_id, a.drawer_id, a.counterpart_id, sum(p.amount)::bigint as "balance!"
         from posting p join ledger_account a on a.id = p.account_id
         group by a.id order by a.id"#
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            let account = super::account::ledger_account(
                &row.kind,
                row.account_id,
                row.agency_id,
                (row.drawer_id, row.counterpart_id),
            )
            .ok_or_else(|| StoreError::corrupt("ledger_account", "kind", &row.kind))?;
            Ok((account, Money::vnd(row.balance)))
        })
        .collect()
}

/// The sum of all postings of each account, by its number, whatever leaf stands behind them.
pub async fn sums(tx: &mut Tx) -> Result<BTreeMap<i32, i64>> {
    let rows =
        sqlx::query!(r#"select account_id, sum(amount)::bigint as "sum!" from posting group by account_id"#)
            .fetch_all(tx.conn())
            .await?;
    Ok(rows.into_iter().map(|row| (row.account_id, row.sum)).collect())
}

/// Makes sure that the month of `day` and the next have their partitions.
pub async fn open_months(tx: &mut Tx, day: Day) -> Result<()> {
    let days: [Date; 2] = [day.date(), day.plus_days(31).date()];
    sqlx::query!("select open_ledger_month(day) from unnest($1::date[]) as d (day)", &days)
        .fetch_all(tx.conn())
        .await?;
    Ok(())
}
