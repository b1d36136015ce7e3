//! Orders to other issuers to adjust what they made: a refund is done, and its issuer has not answered yet. And the receipts by
//! which they did.

use super::{Result, StoreError, Tx};
use crate::base::{
    clock::Instant,
    id::{Agency, Bill, Id, Leaf, Payment, ReceiptIssuer, Refund},
    money::Money,
    secret::{Sealed, Secret},
};
use crate::payment::fee::FeeKind;
use std::collections::BTreeSet;
use uuid::Uuid;

/// An order that waits for its issuer.
#[derive(Debug, Clone)]
pub struct Ordered {
    /// The refund.
    pub refund: Id<Refund>,
    /// Of which kind the receipt is.
    pub kind: FeeKind,
    /// Whose charge was paid, as of the payment.
    pub owner: Id<Agency>,
    /// Who answers for it now.
    pub agency: Id<Agency>,
    /// The bill.
    pub bill: Id<Bill>,
    /// The payment.
    pub payment: Id<Payment>,
    /// Who made the receipt.
    pub issuer: Option<Id<ReceiptIssuer>>,
    /// How much of it went back.
    pub amount: Money,
    /// The order as it is sent.
    pub words: Sealed<Secret<Vec<u8>>>,
    /// The agency whose key sealed it.
    pub sealed_by: Id<Agency>,
    /// When the money went back.
    pub since: Instant,
    /// Attempts so far.
    pub attempts: i32,
    /// The next one.
    pub next_at: Instant,
    /// How the last one went.
    pub outcome: Option<String>,
}

/// Writes orders with their refund; one that is there already stays as it is.
pub async fn insert(tx: &mut Tx, orders: &[Ordered]) -> Result<()> {
    let all = |id: fn(&Ordered) -> Uuid| orders.iter().map(id).collect::<Vec<Uuid>>();
    sqlx::query!(
        "insert into adjustment_order (refund_id, kind, owner_id, agency_id, bill_id, payment_id, issuer_id, amount, words, key,
             sealed_by, since, next_at)
         select * from unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], $7::uuid[], $8::bigint[],
             $9::bytea[], $10::integer[], $11::uuid[], $12::timestamptz[], $12::timestamptz[])
         on conflict on constraint adjustment_order_once do nothing",
        &all(|of| of.refund.uuid()),
        &orders.iter().map(|of| of.kind.as_str()).collect::<Vec<_>>() as &[&str],
        &all(|of| of.owner.uuid()),
        &all(|of| of.agency.uuid()),
        &all(|of| of.bill.uuid()),
        &all(|of| of.payment.uuid()),
        &orders.iter().map(|of| of.issuer.map(Id::uuid)).collect::<Vec<_>>() as &[Option<Uuid>],
        &orders.iter().map(|of| of.amount.minor()).collect::<Vec<_>>(),
        &orders.iter().map(|of| of.words.bytes()).collect::<Vec<_>>() as &[&[u8]],
        &orders.iter().map(|of| of.words.key().cast_signed()).collect::<Vec<_>>(),
        &all(|of| of.sealed_by.uuid()),
        &orders.iter().map(|of| of.since).collect::<Vec<_>>(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Of which owners and kinds a refund's receipts were ordered to be adjusted, or were adjusted.
pub async fn known(tx: &mut Tx, refund: Id<Refund>) -> Result<BTreeSet<(Id<Agency>, String)>> {
    let rows = sqlx::query!(
        r#"select owner_id as "owner_id!", kind as "kind!" from adjustment_order where refund_id = $1
           union select owner_id, kind from provided_adjustment where refund_id = $1"#,
        refund.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (Id::from_uuid(row.owner_id), row.kind)).collect())
}

/// Claims orders that are due: nobody else gets them before `until`, so a crash only delays them.
pub async fn claim(tx: &mut Tx, (now, until): (Instant, Instant), most: i64) -> Result<Vec<Ordered>> {
    let mut rows = sqlx::query_as!(
        Row,
        "update adjustment_order set attempts = attempts + 1, next_at = $2
         where (refund_id, kind, owner_id) in (
             select refund_id, kind, owner_id from adjustment_order where next_at <= $1
             order by next_at, refund_id, kind, owner_id limit $3 for update skip locked)
         returning refund_id, kind, owner_id, agency_id, bill_id, payment_id, issuer_id, amount, words, key, sealed_by, since,
             attempts, next_at, outcome",
        now,
        until,
        most,
    )
    .fetch_all(tx.conn())
    .await?;
    rows.sort_by(|a, b| (a.refund_id, &a.kind, a.owner_id).cmp(&(b.refund_id, &b.kind, b.owner_id)));
    rows.into_iter().map(TryInto::try_into).collect()
}

/// The order as it stands, locked until the transaction ends; nothing once its issuer has answered.
pub async fn lock(tx: &mut Tx, of: &Ordered) -> Result<Option<Ordered>> {
    let row = sqlx::query_as!(
        Row,
        "select refund_id, kind, owner_id, agency_id, bill_id, payment_id, issuer_id, amount, words, key, sealed_by, since,
             attempts, next_at, outcome
         from adjustment_order where refund_id = $1 and kind = $2 and owner_id = $3 for update",
        of.refund.uuid(),
        of.kind.as_str(),
        of.owner.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// It is tried again later.
pub async fn put_off(tx: &mut Tx, of: &Ordered, next: Instant, outcome: &str) -> Result<()> {
    sqlx::query!(
        "update adjustment_order set next_at = $4, outcome = $5 where refund_id = $1 and kind = $2 and owner_id = $3",
        of.refund.uuid(),
        of.kind.as_str(),
        of.owner.uuid(),
        next,
        outcome,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// It was answered.
pub async fn delete(tx: &mut Tx, of: &Ordered) -> Result<()> {
    sqlx::query!(
        "delete from adjustment_order where refund_id = $1 and kind = $2 and owner_id = $3",
        of.refund.uuid(),
        of.kind.as_str(),
        of.owner.uuid(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What of an agency waits is due at once; how many orders.
pub async fn hasten(tx: &mut Tx, agency: Id<Agency>, now: Instant) -> Result<usize> {
    let done = sqlx::query!(
        "update adjustment_order set next_at = least(next_at, $2) where agency_id = $1",
        agency.uuid(),
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(usize::try_from(done.rows_affected()).unwrap_or(usize::MAX))
}

/// What an agency's orders wait for is its successor's to see.
pub async fn pass(tx: &mut Tx, from: Id<Agency>, to: Id<Agency>) -> Result<()> {
    sqlx::query!("update adjustment_order set agency_id = $2 where agency_id = $1", from.uuid(), to.uuid())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// What of these agencies waits, the longest first, at most so many.
pub async fn of_agencies(tx: &mut Tx, agencies: &[Id<Agency>], most: i64) -> Result<Vec<Ordered>> {
    let rows = sqlx::query_as!(
        Row,
        "select refund_id, kind, owner_id, agency_id, bill_id, payment_id, issuer_id, amount, words, key, sealed_by, since,
             attempts, next_at, outcome
         from adjustment_order where agency_id = any($1) order by since, refund_id, kind limit $2",
        &agencies.iter().map(|agency| agency.uuid()).collect::<Vec<_>>(),
        most,
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// How an issuer named a receipt that adjusts one of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Form, series and number.
    pub named: (String, String, String),
    /// Where it may be looked up.
    pub lookup: String,
    /// When it was made, as the issuer says.
    pub issued_at: Instant,
    /// The leaf that records it.
    pub leaf: Id<Leaf>,
}

/// Keeps a receipt by which an issuer adjusted one of its own; told twice it is kept once.
pub async fn keep(tx: &mut Tx, of: &Ordered, made: &Made, at: Instant) -> Result<()> {
    let (form, series, number) = &made.named;
    sqlx::query!(
        "insert into provided_adjustment (refund_id, kind, owner_id, agency_id, bill_id, payment_id, amount, form, series, number,
             lookup, issued_at, recorded_at, leaf_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
         on conflict on constraint provided_adjustment_once do nothing",
        of.refund.uuid(),
        of.kind.as_str(),
        of.owner.uuid(),
        of.agency.uuid(),
        of.bill.uuid(),
        of.payment.uuid(),
        of.amount.minor(),
        form,
        series,
        number,
        made.lookup,
        made.issued_at,
        at,
        made.leaf.uuid(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// An adjusting receipt of another issuer as answers name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The refund.
    pub refund: Uuid,
    /// Of which kind.
    pub kind: String,
    /// Form, series and number.
    pub named: (String, String, String),
    /// Where it may be looked up.
    pub lookup: String,
}

/// The receipts by which other issuers adjusted what these refunds gave back.
pub async fn made(tx: &mut Tx, refunds: &[Uuid]) -> Result<Vec<Named>> {
    let rows = sqlx::query!(
        "select refund_id, kind, form, series, number, lookup from provided_adjustment where refund_id = any($1)
         order by refund_id, kind desc, owner_id",
        refunds,
    )
    .fetch_all(tx.conn())
    .await?;
    let named = rows.into_iter().map(|row| Named {
        refund: row.refund_id,
        kind: row.kind,
        named: (row.form, row.series, row.number),
        lookup: row.lookup,
    });
    Ok(named.collect())
}

struct Row {
    refund_id: Uuid,
    kind: String,
    owner_id: Uuid,
    agency_id: Uuid,
    bill_id: Uuid,
    payment_id: Uuid,
    issuer_id: Option<Uuid>,
    amount: i64,
    words: Vec<u8>,
    key: i32,
    sealed_by: Uuid,
    since: Instant,
    attempts: i32,
    next_at: Instant,
    outcome: Option<String>,
}

impl TryFrom<Row> for Ordered {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self> {
        let refund: Id<Refund> = Id::from_uuid(row.refund_id);
        Ok(Self {
            refund,
            kind: row.kind.parse().map_err(|_| StoreError::corrupt("adjustment_order", "kind", refund))?,
            owner: Id::from_uuid(row.owner_id),
            agency: Id::from_uuid(row.agency_id),
            bill: Id::from_uuid(row.bill_id),
            payment: Id::from_uuid(row.payment_id),
            issuer: row.issuer_id.map(Id::from_uuid),
            amount: Money::vnd(row.amount),
            words: Sealed::new(row.words, row.key.cast_unsigned()),
            sealed_by: Id::from_uuid(row.sealed_by),
            since: row.since,
            attempts: row.attempts,
            next_at: row.next_at,
            outcome: row.outcome,
        })
    }
}
