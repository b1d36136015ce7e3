//! Attempts of many payers at once: which bills are plain, the attempts that begin, and those that go on.

use super::{Result, StoreError, Tx, account::CollectingAccount, bill::StoredBill, payment::StoredPayment};
use crate::{
    base::{
        clock::Instant,
        id::{self, Agency, Bill, Id},
        reference::Reference,
    },
    payment::payment::{State, Watch},
};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// What somebody chose on the page of a bill.
#[derive(Debug, Clone)]
pub struct Choice {
    /// Which bill.
    pub reference: Reference,
    /// Their bank, by its code.
    pub bank: String,
}

/// An attempt that has begun, with what the clearing system is to be told of it.
#[derive(Debug, Clone)]
pub struct Begun {
    /// The bill, as it is to be paid.
    pub of: StoredBill,
    /// The account that collects.
    pub account: CollectingAccount,
    /// The attempt.
    pub attempt: StoredPayment,
}

/// Locks the bills of these references in the order of their identifiers.
pub async fn lock_named(tx: &mut Tx, references: &[&str]) -> Result<Vec<Id<Bill>>> {
    let ids = sqlx::query_scalar!(
        "select id from bill where reference = any($1) order by id for no key update",
        references as &[&str],
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(ids.into_iter().map(Id::from_uuid).collect())
}

/// Which of these locked bills have neither an attempt under way nor anything to do with another bill.
pub async fn alone(tx: &mut Tx, bills: &[Id<Bill>]) -> Result<BTreeSet<Id<Bill>>> {
    let ids: Vec<Uuid> = bills.iter().map(|bill| bill.uuid()).collect();
    let found = sqlx::query_scalar!(
        r#"select b.id as "id!" from unnest($1::uuid[]) as b (id)
           where not exists (select from live_attempt l where l.bill_id = b.id)
               and not exists (select from bill_link k where k.bill_id = b.id)
               and not exists (select from bill_link k where k.other_id = b.id)"#,
        &ids,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(found.into_iter().map(Id::from_uuid).collect())
}

/// Adds attempts, each the live one of its bill, and claims their UETRs; which of them: those whose bill had none.
pub async fn begin(tx: &mut Tx, attempts: &[&StoredPayment]) -> Result<BTreeSet<Id<id::Payment>>> {
    let watch = |attempt: &&StoredPayment| attempt.state.watch().unwrap_or(Watch::from(attempt.created_at));
    let ids: Vec<Uuid> = attempts.iter().map(|attempt| attempt.id.uuid()).collect();
    let bills: Vec<Uuid> = attempts.iter().map(|attempt| attempt.bill.uuid()).collect();
    let accounts: Vec<Uuid> = attempts.iter().map(|attempt| attempt.account.uuid()).collect();
    let amounts: Vec<i64> = attempts.iter().map(|attempt| attempt.amount.minor()).collect();
    let banks: Vec<&str> = attempts.iter().map(|attempt| attempt.bank.as_str()).collect();
    let uetrs: Vec<Uuid> = attempts.iter().map(|attempt| attempt.uetr).collect();
    let states: Vec<&str> = attempts.iter().map(|attempt| attempt.state.as_str()).collect();
    let created: Vec<Instant> = attempts.iter().map(|attempt| attempt.created_at).collect();
    let ways: Vec<&str> = attempts.iter().map(|attempt| attempt.way.as_str()).collect();
    let since: Vec<Instant> = attempts.iter().map(|attempt| watch(attempt).since).collect();
    let inquiries: Vec<i16> = attempts.iter().map(|attempt| i16::from(watch(attempt).inquiries)).collect();
    let next: Vec<Option<Instant>> = attempts.iter().map(|attempt| watch(attempt).next).collect();
    let begun = sqlx::query_scalar!(
        "with a as (
             select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[], $5::text[], $6::uuid[], $7::text[],
                 $8::timestamptz[], $9::text[], $10::timestamptz[], $11::smallint[], $12::timestamptz[])
                 as a (id, bill_id, account_id, amount, bank, uetr, state, created_at, way, since, inquiries, next_at)),
         live as (
             insert into live_attempt (bill_id, payment_id, since, inquiries, next_at)
             select bill_id, id, since, inquiries, next_at from a
             on conflict on constraint live_attempt_one_per_bill do nothing returning payment_id),
         kept as (
             insert into payment (id, bill_id, account_id, amount, bank, uetr, state, created_at, way)
             select a.id, a.bill_id, a.account_id, a.amount, a.bank, a.uetr, a.state, a.created_at, a.way
             from a join live l on l.payment_id = a.id)
         insert into uetr_claim (uetr, payment_id) select a.uetr, a.id from a join live l on l.payment_id = a.id
         returning payment_id",
        &ids,
        &bills,
        &accounts,
        &amounts,
        &banks as &[&str],
        &uetrs,
        &states as &[&str],
        &created,
        &ways as &[&str],
        &since,
        &inquiries,
        &next as &[Option<Instant>],
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(begun.into_iter().map(Id::from_uuid).collect())
}

/// Locks attempts in the order in which whoever settles locks them; each with its bill's agency.
pub async fn lock_moving(
    tx: &mut Tx,
    payments: &[Id<id::Payment>],
) -> Result<BTreeMap<Id<id::Payment>, (StoredPayment, Id<Agency>)>> {
    let ids: Vec<Uuid> = payments.iter().map(|payment| payment.uuid()).collect();
    let agencies = sqlx::query!(
        "select p.id, b.agency_id from payment p join bill b on b.id = p.bill_id
         where p.id = any($1) order by p.bill_id, p.id for no key update of p",
        &ids,
    )
    .fetch_all(tx.conn())
    .await?;
    let agencies: BTreeMap<Uuid, Uuid> = agencies.into_iter().map(|row| (row.id, row.agency_id)).collect();
    // A second statement, so that it sees what a transaction that held the locks has committed.
    let found = super::payment::payments(tx, payments).await?.into_iter().map(|payment| {
        let agency = agencies.get(&payment.id.uuid());
        let agency = agency.ok_or_else(|| StoreError::corrupt("payment", "bill_id", payment.id))?;
        Ok((payment.id, (payment, Id::from_uuid(*agency))))
    });
    found.collect()
}

/// Moves locked attempts on, each from the live state that it was read in to another that is watched; how many moved.
pub async fn go_on(tx: &mut Tx, moves: &[(&StoredPayment, &State, Watch)]) -> Result<usize> {
    let ids: Vec<Uuid> = moves.iter().map(|one| one.0.id.uuid()).collect();
    let from: Vec<&str> = moves.iter().map(|one| one.0.state.as_str()).collect();
    let to: Vec<&str> = moves.iter().map(|one| one.1.as_str()).collect();
    let since: Vec<Instant> = moves.iter().map(|one| one.2.since).collect();
    let inquiries: Vec<i16> = moves.iter().map(|one| i16::from(one.2.inquiries)).collect();
    let next: Vec<Option<Instant>> = moves.iter().map(|one| one.2.next).collect();
    let was: Vec<i16> =
        moves.iter().map(|one| one.0.state.watch().map_or(0, |watch| i16::from(watch.inquiries))).collect();
    let moved = sqlx::query_scalar!(
        r#"with m as (
             select * from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::smallint[], $6::timestamptz[],
                 $7::smallint[]) as m (id, from_state, to_state, since, inquiries, next_at, was)),
         moved as (
             update payment p set state = m.to_state from m where p.id = m.id and p.state = m.from_state
             returning p.id, p.bill_id),
         watched as (
             update live_attempt l set since = m.since, inquiries = m.inquiries, next_at = m.next_at
             from moved join m on m.id = moved.id
             where l.bill_id = moved.bill_id and l.payment_id = moved.id and l.inquiries = m.was returning l.payment_id)
         select count(*) as "count!" from watched"#,
        &ids,
        &from as &[&str],
        &to as &[&str],
        &since,
        &inquiries,
        &next as &[Option<Instant>],
        &was,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(usize::try_from(moved).unwrap_or_default())
}
