//! What of each line of a paid bill is promised back, and where its parts lie by now.

use super::{Result, Tx};
use crate::{
    base::{
        id::{self, Id, Payment, Payout},
        money::Money,
    },
    payment::{
        payout::{Kind, NO_TREASURY},
        refund_share::{Place, Share},
    },
};
use std::collections::BTreeMap;
use uuid::Uuid;

/// What went back of a line, or is promised back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Back {
    /// All of it.
    pub amount: Money,
    /// How much of it comes out of the kept part.
    pub kept: Money,
}

impl Default for Back {
    fn default() -> Self {
        Self { amount: Money::vnd(0), kept: Money::vnd(0) }
    }
}

/// Counts amounts against the lines of a bill, whose parts may go back apart. The count of lines that still hold enough.
pub async fn reserve(tx: &mut Tx, payment: Id<Payment>, lines: &[Share]) -> Result<u64> {
    let places: Vec<i16> = lines.iter().map(|l| l.line).collect();
    let charged: Vec<i64> = lines.iter().map(|l| l.charged.minor()).collect();
    let back: Vec<i64> = lines.iter().map(|l| l.amount.minor()).collect();
    let kept: Vec<i64> = lines.iter().map(|l| l.kept.minor()).collect();
    let done = sqlx::query!(
        "insert into refund_line_source as s (payment_id, line, charged, refunded, kept)
         select $1, l.line, l.charged, sum(l.back), sum(l.kept)
         from unnest($2::smallint[], $3::bigint[], $4::bigint[], $5::bigint[]) as l (line, charged, back, kept)
         group by l.line, l.charged
         on conflict (payment_id, line) do update
             set refunded = s.refunded + excluded.refunded, kept = s.kept + excluded.kept
         where s.refunded + excluded.refunded <= s.charged",
        payment.uuid(),
        &places,
        &charged,
        &back,
        &kept,
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

/// Takes back what a declined refund had counted.
pub async fn release(tx: &mut Tx, refund: Id<id::Refund>) -> Result<()> {
    sqlx::query!(
        "update refund_line_source s set refunded = s.refunded - l.amount, kept = s.kept - l.kept
         from refund r join refund_line l on l.refund_id = r.id
         where r.id = $1 and s.payment_id = r.payment_id and s.line = l.line",
        refund.uuid(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What is promised back of each line of these payments, by its place.
pub async fn back_of(tx: &mut Tx, payments: &[Id<Payment>]) -> Result<BTreeMap<(Id<Payment>, i16), Back>> {
    let payments: Vec<Uuid> = payments.iter().map(|payment| payment.uuid()).collect();
    let rows = sqlx::query!(
        "select payment_id, line, refunded, kept from refund_line_source where payment_id = any($1)",
        &payments,
    )
    .fetch_all(tx.conn())
    .await?;
    let back = rows.into_iter().map(|row| {
        let back = Back { amount: Money::vnd(row.refunded), kept: Money::vnd(row.kept) };
        ((Id::from_uuid(row.payment_id), row.line), back)
    });
    Ok(back.collect())
}

/// Where the parts of the lines of a payment lie that have left the account in which it came, or are about to; all others lie
/// there. The orders stay as they are until the transaction ends: one that a bank does not take afterwards finds what was
/// asked for meanwhile.
pub async fn passed_on(tx: &mut Tx, payment: Id<Payment>) -> Result<BTreeMap<(i16, Kind), Place>> {
    let rows = sqlx::query!(
        r#"select i.line, i.kind, o.id, o.slip ->> 'treasury_office' as office
           from payout_item i join payout o on o.id = i.payout_id
           where i.payment_id = $1 and o.state <> 'bounced' order by o.id for share of o"#,
        payment.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    let place = |order, office: Option<&str>| match office {
        Some(NO_TREASURY) => Place::Elsewhere,
        _ => Place::Treasury(Id::<Payout>::from_uuid(order)),
    };
    let lies = rows
        .iter()
        .filter_map(|row| Some(((row.line, Kind::named(&row.kind)?), place(row.id, row.office.as_deref()))));
    Ok(lies.collect())
}

/// Adds how much of each line a refund gives back.
pub async fn insert(tx: &mut Tx, refund: Id<id::Refund>, lines: &[Share]) -> Result<()> {
    let places: Vec<i16> = lines.iter().map(|l| l.line).collect();
    let amounts: Vec<i64> = lines.iter().map(|l| l.amount.minor()).collect();
    let kept: Vec<i64> = lines.iter().map(|l| l.kept.minor()).collect();
    sqlx::query!(
        "insert into refund_line (refund_id, line, amount, kept)
         select $1, l.line, l.amount, l.kept
         from unnest($2::smallint[], $3::bigint[], $4::bigint[]) as l (line, amount, kept)",
        refund.uuid(),
        &places,
        &amounts,
        &kept,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// How much of each line a refund gives back.
pub async fn of_refund(tx: &mut Tx, refund: Id<id::Refund>) -> Result<Vec<(i16, Back)>> {
    let rows = sqlx::query!(
        "select line, amount, kept from refund_line where refund_id = $1 order by line",
        refund.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    let back = |amount, kept| Back { amount: Money::vnd(amount), kept: Money::vnd(kept) };
    Ok(rows.into_iter().map(|row| (row.line, back(row.amount, row.kept))).collect())
}
