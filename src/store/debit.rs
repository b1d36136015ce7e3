//! Money that left a collecting account, once, however often its bank tells of it; and the money in suspense that may
//! go.

use super::{Result, StoreError, Tx, inbox::CreditKey, moved_one};
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{self, Account, Agency, Bill, Case, Id, Payment, Refund},
    money::Money,
};
use crate::payment::settlement::Suspense;
use std::collections::BTreeMap;
use uuid::Uuid;

/// A movement out of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDebit {
    /// The account and its bank's reference.
    pub key: CreditKey,
    /// How much.
    pub amount: Money,
    /// The refund that it carries out.
    pub refund: Option<Id<Refund>>,
    /// The order that it carries out.
    pub payout: Option<Id<id::Payout>>,
    /// The ledger entry.
    pub entry: Id<id::Entry>,
    /// The bank's booking day.
    pub booked_on: Day,
}

/// Adds a movement; false when it was told before.
pub async fn insert(tx: &mut Tx, debit: &StoredDebit, at: Instant) -> Result<bool> {
    let done = sqlx::query!(
        "insert into debit (account_id, servicer_reference, amount, refund_id, payout_id, entry_id, booked_on, at)
         values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict on constraint debit_once do nothing",
        debit.key.0.uuid(),
        debit.key.1,
        debit.amount.minor(),
        debit.refund.map(Id::uuid),
        debit.payout.map(Id::uuid),
        debit.entry.uuid(),
        debit.booked_on.date(),
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(moved_one(&done))
}

/// Which of these movements were told before, with their amounts and booking days.
pub async fn told(
    tx: &mut Tx,
    account: Id<Account>,
    references: &[&str],
) -> Result<BTreeMap<String, (Money, Day)>> {
    let rows = sqlx::query!(
        "select servicer_reference, amount, booked_on from debit
         where account_id = $1 and servicer_reference = any($2)",
        account.uuid(),
        references as &[&str],
    )
    .fetch_all(tx.conn())
    .await?;
    let told = rows
        .into_iter()
        .map(|row| (row.servicer_reference, (Money::vnd(row.amount), Day::from_date(row.booked_on))));
    Ok(told.collect())
}

/// Money that waits, as far as giving it back looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its credit.
    pub key: CreditKey,
    /// Whose it is.
    pub agency: Id<Agency>,
    /// Why it waits.
    pub reason: Suspense,
    /// How much.
    pub amount: Money,
    /// The bill that it named.
    pub bill: Option<Id<Bill>>,
    /// The attempt that it named.
    pub payment: Option<Id<Payment>>,
    /// Whether it still waits.
    pub held: bool,
}

/// Locks money in suspense and reads it.
pub async fn lock_waiting(tx: &mut Tx, case: Id<Case>) -> Result<Option<Waiting>> {
    let row = sqlx::query!(
        "select account_id, servicer_reference, agency_id, reason, amount, bill_id, payment_id, state
         from suspense where id = $1 for no key update",
        case.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| {
        let reason = Suspense::ALL.into_iter().find(|reason| reason.as_str() == row.reason);
        Ok(Waiting {
            key: (Id::from_uuid(row.account_id), row.servicer_reference),
            agency: Id::from_uuid(row.agency_id),
            reason: reason.ok_or_else(|| StoreError::corrupt("suspense", "reason", case))?,
            amount: Money::vnd(row.amount),
            bill: row.bill_id.map(Id::from_uuid),
            payment: row.payment_id.map(Id::from_uuid),
            held: row.state == "held",
        })
    })
    .transpose()
}

/// Lets money leave suspense; false when it has left.
pub async fn release(tx: &mut Tx, case: Id<Case>) -> Result<bool> {
    let done =
        sqlx::query!("update suspense set state = 'released' where id = $1 and state = 'held'", case.uuid(),)
            .execute(tx.conn())
            .await?;
    Ok(moved_one(&done))
}

/// Second money that nobody has begun to give back.
pub async fn second_money(tx: &mut Tx, limit: i64) -> Result<Vec<Id<Case>>> {
    let ids = sqlx::query_scalar!(
        "select s.id from suspense s where s.reason = 'second_money' and s.state = 'held'
             and not exists (select from refund r where r.case_id = s.id)
         order by s.id limit $1",
        limit,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(ids.into_iter().map(Id::from_uuid).collect())
}

/// The credit that settled a payment, which knows where the money came from.
pub async fn settling_credit(tx: &mut Tx, payment: Id<Payment>) -> Result<Option<CreditKey>> {
    let row = sqlx::query!(
        "select account_id, servicer_reference from credit where payment_id = $1 and outcome = 'settled'",
        payment.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| (Id::from_uuid(row.account_id), row.servicer_reference)))
}

/// The money that a bank's words name: a payment of ours by EndToEndId or UETR, or a credit by the references that its
/// bank told.
pub async fn named(
    tx: &mut Tx,
    end_to_end: Option<Uuid>,
    uetr: Option<Uuid>,
    clearing_reference: Option<&str>,
) -> Result<Option<(CreditKey, Money, Option<Id<Payment>>)>> {
    let row = sqlx::query!(
        "select c.account_id, c.servicer_reference, c.amount, c.payment_id
         from credit c
         left join payment p on p.id = c.payment_id
         left join credit_origin o
             on o.account_id = c.account_id and o.servicer_reference = c.servicer_reference
         where p.id = $1 or p.uetr = $2 or o.uetr = $2 or o.clearing_reference = $3
         order by c.at desc, c.account_id, c.servicer_reference limit 1",
        end_to_end,
        uetr,
        clearing_reference,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| {
        let key = (Id::from_uuid(row.account_id), row.servicer_reference);
        (key, Money::vnd(row.amount), row.payment_id.map(Id::from_uuid))
    }))
}

/// The case of a credit that waits.
pub async fn case_of(tx: &mut Tx, key: &CreditKey) -> Result<Option<Id<Case>>> {
    let id = sqlx::query_scalar!(
        "select id from suspense where account_id = $1 and servicer_reference = $2",
        key.0.uuid(),
        key.1,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(id.map(Id::from_uuid))
}
