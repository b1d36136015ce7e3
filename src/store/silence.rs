//! When nobody answered about an attempt, by bill.

use super::{Result, Tx};
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{Bill, Id, Payment},
};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Notes that a silence begins; one that had ended at the same moment goes on.
pub async fn begin(tx: &mut Tx, payment: Id<Payment>, bill: Id<Bill>, at: Instant) -> Result<()> {
    sqlx::query!(
        "insert into payment_silence (payment_id, bill_id, since) values ($1, $2, $3)
         on conflict (payment_id, since) do update set until = null",
        payment.uuid(),
        bill.uuid(),
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Notes that it is over, never before it began: another node's clock may be behind.
pub async fn end(tx: &mut Tx, payment: Id<Payment>, at: Instant) -> Result<()> {
    sqlx::query!(
        "update payment_silence set until = greatest($2, since) where payment_id = $1 and until is null",
        payment.uuid(),
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The silences of these bills, from and to which day, in their order; one that lasts reaches to `now`.
pub async fn of_bills(
    tx: &mut Tx,
    bills: &[Id<Bill>],
    now: Instant,
) -> Result<BTreeMap<Id<Bill>, Vec<(Day, Day)>>> {
    let bills: Vec<Uuid> = bills.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query!(
        r#"select s.bill_id, s.since, coalesce(s.until, p.ended_at, $2) as "until!"
         from payment_silence s join payment p on p.id = s.payment_id
         where s.bill_id = any($1) order by s.since, s.payment_id"#,
        &bills,
        now,
    )
    .fetch_all(tx.conn())
    .await?;
    let mut silences: BTreeMap<Id<Bill>, Vec<(Day, Day)>> = BTreeMap::new();
    for row in rows {
        let days = (Day::of(row.since), Day::of(row.until));
        silences.entry(Id::from_uuid(row.bill_id)).or_default().push(days);
    }
    Ok(silences)
}
