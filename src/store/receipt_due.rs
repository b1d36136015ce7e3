//! Receipts that are still to be issued, and the names that they shall bear.

use super::{Result, StoreError, Tx};
use crate::base::{
    clock::Instant,
    id::{Agency, Bill, Id, Payment, ReceiptIssuer},
    secret::Sealed,
};
use crate::payment::{fee::FeeKind, receipt::ReceiptName};
use uuid::Uuid;

/// A paid receipt that is pending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The bill.
    pub bill: Id<Bill>,
    /// Of which kind.
    pub kind: FeeKind,
    /// The payment that settled it.
    pub payment: Id<Payment>,
    /// Who gives it: the owner, or whoever has taken its place.
    pub agency: Id<Agency>,
    /// Whose charge was paid, as of the payment.
    pub owner: Id<Agency>,
    /// Why it waits: `no_series` or `issuer`.
    pub reason: String,
    /// The other issuer from whom it is ordered.
    pub issuer: Option<Id<ReceiptIssuer>>,
    /// When the money settled.
    pub since: Instant,
    /// Attempts so far.
    pub attempts: i32,
    /// The next one.
    pub next_at: Instant,
    /// How the last one went.
    pub outcome: Option<String>,
}

/// Notes receipts that wait.
pub async fn insert(tx: &mut Tx, due: &[Due]) -> Result<()> {
    let bills: Vec<Uuid> = due.iter().map(|d| d.bill.uuid()).collect();
    let kinds: Vec<&str> = due.iter().map(|d| d.kind.as_str()).collect();
    let payments: Vec<Uuid> = due.iter().map(|d| d.payment.uuid()).collect();
    let agencies: Vec<Uuid> = due.iter().map(|d| d.agency.uuid()).collect();
    let reasons: Vec<&str> = due.iter().map(|d| d.reason.as_str()).collect();
    let since: Vec<Instant> = due.iter().map(|d| d.since).collect();
    let next: Vec<Instant> = due.iter().map(|d| d.next_at).collect();
    let owners: Vec<Uuid> = due.iter().map(|d| d.owner.uuid()).collect();
    let issuers: Vec<Option<Uuid>> = due.iter().map(|d| d.issuer.map(Id::uuid)).collect();
    sqlx::query!(
        "INSERT INTO receipt_due (bill_id, kind, payment_id, agency_id, reason, since, next_at, owner_id, issuer_id)
         SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::text[], $6::timestamptz[],
                              $7::timestamptz[], $8::uuid[], $9::uuid[])",
        &bills,
        &kinds as &[&str],
        &payments,
        &agencies,
        &reasons as &[&str],
        &since,
        &next,
        &owners,
        &issuers as &[Option<Uuid>]
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Claims receipts that wait for that reason: nobody else gets them before `until`, so a crash only delays them.
pub async fn claim(
    tx: &mut Tx,
    (now, until): (Instant, Instant),
    reason: &str,
    most: i64,
) -> Result<Vec<Due>> {
    let mut rows = sqlx::query_as!(
        Row,
        "UPDATE receipt_due SET attempts = attempts + 1, next_at = $2
         WHERE (bill_id, kind, agency_id) IN (
             SELECT bill_id, kind, agency_id FROM receipt_due WHERE next_at <= $1 AND reason = $4
             ORDER BY next_at, bill_id, kind, agency_id LIMIT $3 FOR UPDATE SKIP LOCKED)
         RETURNING bill_id, kind, payment_id, agency_id, reason, since, attempts, next_at, outcome, owner_id, issuer_id",
        now,
        until,
        most,
        reason
    )
    .fetch_all(tx.conn())
    .await?;
    rows.sort_by(|a, b| (a.bill_id, &a.kind, a.agency_id).cmp(&(b.bill_id, &b.kind, b.agency_id)));
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Locks what is due and waits for that reason until the transaction ends; what somebody else holds is theirs.
pub async fn take(tx: &mut Tx, now: Instant, reason: &str, most: i64) -> Result<Vec<Due>> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT bill_id, kind, payment_id, agency_id, reason, since, attempts, next_at, outcome, owner_id, issuer_id
         FROM receipt_due WHERE next_at <= $1 AND reason = $2 ORDER BY next_at, bill_id, kind, agency_id LIMIT $3 FOR UPDATE SKIP LOCKED",
        now,
        reason,
        most
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Locks those of them that still wait until the transaction ends, in one order.
pub async fn lock(tx: &mut Tx, due: &[Due]) -> Result<Vec<Due>> {
    let (bills, kinds, agencies) = keys(due);
    let rows = sqlx::query_as!(
        Row,
        "SELECT d.bill_id, d.kind, d.payment_id, d.agency_id, d.reason, d.since, d.attempts, d.next_at, d.outcome,
             d.owner_id, d.issuer_id
         FROM receipt_due d JOIN unnest($1::uuid[], $2::text[], $3::uuid[]) AS w (bill_id, kind, agency_id)
             ON d.bill_id = w.bill_id AND d.kind = w.kind AND d.agency_id IS NOT DISTINCT FROM w.agency_id
         ORDER BY d.bill_id, d.kind, d.agency_id FOR UPDATE OF d",
        &bills,
        &kinds as &[&str],
        &agencies
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Sets when each is tried next, how it went, and how often it was tried by then.
pub async fn put_off(tx: &mut Tx, due: &[Due], next: &[Instant], outcomes: &[&str]) -> Result<()> {
    let (bills, kinds, agencies) = keys(due);
    sqlx::query!(
        "UPDATE receipt_due d SET next_at = w.next_at, outcome = w.outcome, attempts = w.attempts
         FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::timestamptz[], $5::text[], $6::integer[])
             AS w (bill_id, kind, agency_id, next_at, outcome, attempts)
         WHERE d.bill_id = w.bill_id AND d.kind = w.kind AND d.agency_id IS NOT DISTINCT FROM w.agency_id",
        &bills,
        &kinds as &[&str],
        &agencies,
        next,
        outcomes as &[&str],
        &due.iter().map(|due| due.attempts).collect::<Vec<_>>()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// They are issued.
pub async fn delete(tx: &mut Tx, due: &[Due]) -> Result<()> {
    let (bills, kinds, agencies) = keys(due);
    sqlx::query!(
        "DELETE FROM receipt_due d USING unnest($1::uuid[], $2::text[], $3::uuid[]) AS w (bill_id, kind, agency_id)
         WHERE d.bill_id = w.bill_id AND d.kind = w.kind AND d.agency_id IS NOT DISTINCT FROM w.agency_id",
        &bills,
        &kinds as &[&str],
        &agencies
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What rows are found by. Statements compare the agency last and by `IS NOT DISTINCT FROM`, so that no plan looks for one row
/// among all that wait at its agency.
fn keys(due: &[Due]) -> (Vec<Uuid>, Vec<&'static str>, Vec<Uuid>) {
    (
        due.iter().map(|d| d.bill.uuid()).collect(),
        due.iter().map(|d| d.kind.as_str()).collect(),
        due.iter().map(|d| d.agency.uuid()).collect(),
    )
}

/// What of an agency waits is its successor's to give from now on.
pub async fn pass(tx: &mut Tx, from: Id<Agency>, to: Id<Agency>) -> Result<()> {
    sqlx::query!("UPDATE receipt_due SET agency_id = $2 WHERE agency_id = $1", from.uuid(), to.uuid())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// What of an agency waits for a number is due at once: a series was registered.
pub async fn hasten(tx: &mut Tx, agency: Id<Agency>, now: Instant) -> Result<()> {
    sqlx::query!(
        "UPDATE receipt_due SET next_at = $2 WHERE agency_id = $1 AND reason = 'no_series'",
        agency.uuid(),
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// These are due at once.
pub async fn hasten_all(tx: &mut Tx, due: &[Due], now: Instant) -> Result<()> {
    let (bills, kinds, agencies) = keys(due);
    sqlx::query!(
        "UPDATE receipt_due d SET next_at = $4 FROM unnest($1::uuid[], $2::text[], $3::uuid[]) AS w (bill_id, kind, agency_id)
         WHERE d.bill_id = w.bill_id AND d.kind = w.kind AND d.agency_id IS NOT DISTINCT FROM w.agency_id AND d.next_at > $4",
        &bills,
        &kinds as &[&str],
        &agencies,
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What waits of these bills.
pub async fn of_bills(tx: &mut Tx, bills: &[Id<Bill>]) -> Result<Vec<Due>> {
    let bills: Vec<Uuid> = bills.iter().map(|bill| bill.uuid()).collect();
    let rows = sqlx::query_as!(
        Row,
        "SELECT bill_id, kind, payment_id, agency_id, reason, since, attempts, next_at, outcome, owner_id, issuer_id
         FROM receipt_due WHERE bill_id = any($1) ORDER BY bill_id, kind, agency_id",
        &bills
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// What of an agency waits, the longest first, at most so many.
pub async fn of_agencies(tx: &mut Tx, agencies: &[Id<Agency>], most: i64) -> Result<Vec<Due>> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT bill_id, kind, payment_id, agency_id, reason, since, attempts, next_at, outcome, owner_id, issuer_id
         FROM receipt_due WHERE agency_id = any($1) ORDER BY since, bill_id, kind LIMIT $2",
        &agencies.iter().map(|agency| agency.uuid()).collect::<Vec<_>>(),
        most
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// How much waits at an agency.
pub async fn count(tx: &mut Tx, agency: Id<Agency>) -> Result<i64> {
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM receipt_due WHERE agency_id = $1"#,
        agency.uuid()
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(count)
}

/// Sets the name that a bill's receipts shall bear.
pub async fn put_name(tx: &mut Tx, bill: Id<Bill>, name: &Sealed<ReceiptName>, at: Instant) -> Result<()> {
    sqlx::query!(
        "INSERT INTO receipt_name (bill_id, name, key, at) VALUES ($1, $2, $3, $4)
         ON CONFLICT ON CONSTRAINT receipt_name_once DO UPDATE
             SET name = excluded.name, key = excluded.key, at = excluded.at",
        bill.uuid(),
        name.bytes(),
        name.key().cast_signed(),
        at
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Puts names that are sealed anew.
pub async fn reseal_names(tx: &mut Tx, names: &[(Id<Bill>, Sealed<ReceiptName>)]) -> Result<()> {
    let bills: Vec<Uuid> = names.iter().map(|name| name.0.uuid()).collect();
    let sealed: Vec<&[u8]> = names.iter().map(|name| name.1.bytes()).collect();
    let keys: Vec<i32> = names.iter().map(|name| name.1.key().cast_signed()).collect();
    sqlx::query!(
        "UPDATE receipt_name n SET name = p.name, key = p.key
         FROM unnest($1::uuid[], $2::bytea[], $3::integer[]) AS p (bill_id, name, key) WHERE n.bill_id = p.bill_id",
        &bills,
        &sealed as &[&[u8]],
        &keys
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The names that were given for these bills.
pub async fn names(tx: &mut Tx, bills: &[Id<Bill>]) -> Result<Vec<(Id<Bill>, Sealed<ReceiptName>)>> {
    let bills: Vec<Uuid> = bills.iter().map(|bill| bill.uuid()).collect();
    let rows = sqlx::query!(
        "SELECT bill_id, name, key FROM receipt_name WHERE bill_id = any($1) AND length(name) > 0 ORDER BY bill_id",
        &bills
    )
    .fetch_all(tx.conn())
    .await?;
    let names = rows.into_iter();
    Ok(names
        .map(|row| (Id::from_uuid(row.bill_id), Sealed::new(row.name, row.key.cast_unsigned())))
        .collect())
}

struct Row {
    bill_id: Uuid,
    kind: String,
    payment_id: Uuid,
    agency_id: Uuid,
    reason: String,
    since: Instant,
    attempts: i32,
    next_at: Instant,
    outcome: Option<String>,
    owner_id: Uuid,
    issuer_id: Option<Uuid>,
}

impl TryFrom<Row> for Due {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self> {
        let bill: Id<Bill> = Id::from_uuid(row.bill_id);
        Ok(Self {
            bill,
            kind: row.kind.parse().map_err(|_| StoreError::corrupt("receipt_due", "kind", bill))?,
            payment: Id::from_uuid(row.payment_id),
            agency: Id::from_uuid(row.agency_id),
            owner: Id::from_uuid(row.owner_id),
            issuer: row.issuer_id.map(Id::from_uuid),
            reason: row.reason,
            since: row.since,
            attempts: row.attempts,
            next_at: row.next_at,
            outcome: row.outcome,
        })
    }
}
