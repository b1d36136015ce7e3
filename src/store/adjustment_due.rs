//! Refunds that are done and whose adjusting receipts still wait.

use super::{Result, Tx};
use crate::base::{
    clock::Instant,
    id::{Id, Payment, Refund},
};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Notes that a refund's receipts wait.
pub async fn insert(tx: &mut Tx, refund: Id<Refund>, payment: Id<Payment>, at: Instant) -> Result<()> {
    sqlx::query!(
        "insert into adjustment_due (refund_id, payment_id, since, next_at) values ($1, $2, $3, $3)
         on conflict on constraint adjustment_due_once do nothing",
        refund.uuid(),
        payment.uuid(),
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Locks the one that is due and has waited longest until the transaction ends, with how often it was tried.
pub async fn take(tx: &mut Tx, now: Instant) -> Result<Option<(Id<Refund>, i32)>> {
    let row = sqlx::query!(
        "select refund_id, attempts from adjustment_due where next_at <= $1
         order by next_at, refund_id limit 1 for update skip locked",
        now,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| (Id::from_uuid(row.refund_id), row.attempts)))
}

/// It is tried again later.
pub async fn put_off(tx: &mut Tx, refund: Id<Refund>, next: Instant) -> Result<()> {
    sqlx::query!(
        "update adjustment_due set attempts = attempts + 1, next_at = $2 where refund_id = $1",
        refund.uuid(),
        next,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Nothing of it waits any more.
pub async fn delete(tx: &mut Tx, refund: Id<Refund>) -> Result<()> {
    sqlx::query!("delete from adjustment_due where refund_id = $1", refund.uuid()).execute(tx.conn()).await?;
    Ok(())
}

/// Everything that waits is due at once: a series was registered, by whomever.
pub async fn hasten(tx: &mut Tx, now: Instant) -> Result<()> {
    sqlx::query!("update adjustment_due set next_at = $1 where next_at > $1", now).execute(tx.conn()).await?;
    Ok(())
}

/// What adjusts the receipts of these payments is due at once: they were issued.
pub async fn hasten_of(tx: &mut Tx, payments: &[Id<Payment>], now: Instant) -> Result<()> {
    let payments: Vec<Uuid> = payments.iter().map(|payment| payment.uuid()).collect();
    sqlx::query!(
        "update adjustment_due set next_at = $2 where payment_id = any($1) and next_at > $2",
        &payments,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Which of these refunds have receipts that wait, here or at another issuer.
pub async fn waiting(tx: &mut Tx, refunds: &[Uuid]) -> Result<BTreeSet<Uuid>> {
    let rows = sqlx::query_scalar!(
        r#"select refund_id as "refund_id!" from adjustment_due where refund_id = any($1)
           union select refund_id from adjustment_order where refund_id = any($1)"#,
        refunds,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().collect())
}
