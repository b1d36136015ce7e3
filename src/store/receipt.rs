//! Receipts, the series of their numbers, and their files.

use super::{Result, Store, StoreError, Tx};
use crate::base::{
    clock::Instant,
    id::{self, Agency, Bill, Id, Leaf, Payment, Refund},
    money::Money,
    page::{Page, PageRequest},
    secret::Sealed,
};
use crate::crypto::digest::Digest;
use crate::payment::fee::FeeKind;
use std::collections::HashMap;
use uuid::Uuid;

/// The signed content, sealed under the agency's key.
pub enum Content {}
/// A rendered file, sealed under the agency's key.
pub enum File {}

/// A series of receipt numbers: agency, kind, year of issue in Vietnam.
pub type Series = (Id<Agency>, FeeKind, i16);

/// A receipt as its row holds it.
#[derive(Debug, Clone)]
pub struct StoredReceipt {
    /// Its identifier.
    pub id: Id<id::Receipt>,
    /// Its printed number.
    pub number: String,
    /// The agency that issued it.
    pub agency: Id<Agency>,
    /// Service price or state charge.
    pub kind: FeeKind,
    /// The bill that was paid.
    pub bill: Id<Bill>,
    /// The payment that paid it.
    pub payment: Id<Payment>,
    /// Its total.
    pub amount: Money,
    /// When the money settled.
    pub issued_at: Instant,
    /// What the signature covers, sealed.
    pub content: Sealed<Content>,
    /// SHA-256 of that content.
    pub digest: Digest,
    /// The leaf that commits to the digest.
    pub leaf: Id<Leaf>,
    /// The refund for which it takes back a part of an earlier one.
    pub refund: Option<Id<Refund>>,
}

/// Draws `count` consecutive numbers of each series and gives the first of each. The series are locked in the order
/// of their key until the transaction ends, so that the numbers have no gaps.
pub async fn draw_numbers(tx: &mut Tx, wanted: &HashMap<Series, i64>) -> Result<HashMap<Series, i64>> {
    let series: Vec<(&Series, &i64)> = wanted.iter().collect();
    let agencies: Vec<Uuid> = series.iter().map(|(s, _)| s.0.uuid()).collect();
    let kinds: Vec<&str> = series.iter().map(|(s, _)| s.1.as_str()).collect();
    let years: Vec<i16> = series.iter().map(|(s, _)| s.2).collect();
    let counts: Vec<i64> = series.iter().map(|(_, count)| **count).collect();
    let rows = sqlx::query!(
        r#"INSERT INTO receipt_series AS s (agency_id, kind, year, last)
           SELECT agency_id, kind, year, count
           FROM unnest($1::uuid[], $2::text[], $3::smallint[], $4::bigint[]) AS w (agency_id, kind, year, count)
           ORDER BY agency_id, kind, year
           ON CONFLICT ON CONSTRAINT receipt_series_pkey DO UPDATE SET last = s.last + EXCLUDED.last
           RETURNING agency_id, kind, year, last"#,
        &agencies,
        &kinds as &[&str],
        &years,
        &counts
    )
    .fetch_all(tx.conn())
    .await?;
    let mut first = HashMap::with_capacity(rows.len());
    for row in rows {
        let agency = Id::from_uuid(row.agency_id);
        let kind = row.kind.parse().map_err(|_| StoreError::corrupt("receipt_series", "kind", agency))?;
        let drawn = (agency, kind, row.year);
        let count = wanted.get(&drawn).copied().unwrap_or_default();
        first.insert(drawn, row.last - count + 1);
    }
    Ok(first)
}

/// Adds receipts.
pub async fn insert(tx: &mut Tx, receipts: &[StoredReceipt]) -> Result<()> {
    let uuid = |f: fn(&StoredReceipt) -> Uuid| receipts.iter().map(f).collect::<Vec<_>>();
    let numbers: Vec<&str> = receipts.iter().map(|r| r.number.as_str()).collect();
    let kinds: Vec<&str> = receipts.iter().map(|r| r.kind.as_str()).collect();
    let amounts: Vec<i64> = receipts.iter().map(|r| r.amount.minor()).collect();
    let issued: Vec<Instant> = receipts.iter().map(|r| r.issued_at).collect();
    let contents: Vec<&[u8]> = receipts.iter().map(|r| r.content.bytes()).collect();
    let keys: Vec<i32> = receipts.iter().map(|r| r.content.key().cast_signed()).collect();
    let refunds: Vec<Option<Uuid>> = receipts.iter().map(|r| r.refund.map(Id::uuid)).collect();
    let digests: Vec<&[u8]> = receipts.iter().map(|r| r.digest.as_slice()).collect();
    sqlx::query!(
        r#"INSERT INTO receipt (id, number, agency_id, kind, bill_id, payment_id, amount, issued_at, content, key,
                                digest, leaf_id, refund_id)
           SELECT id, number, agency_id, kind, bill_id, payment_id, amount, issued_at, content, key, digest, leaf_id,
                  refund_id
           FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::uuid[], $6::uuid[], $7::bigint[],
                       $8::timestamptz[], $9::bytea[], $10::integer[], $11::bytea[], $12::uuid[], $13::uuid[])
               AS r (id, number, agency_id, kind, bill_id, payment_id, amount, issued_at, content, key, digest,
                     leaf_id, refund_id)"#,
        &uuid(|r| r.id.uuid()),
        &numbers as &[&str],
        &uuid(|r| r.agency.uuid()),
        &kinds as &[&str],
        &uuid(|r| r.bill.uuid()),
        &uuid(|r| r.payment.uuid()),
        &amounts,
        &issued,
        &contents as &[&[u8]],
        &keys,
        &digests as &[&[u8]],
        &uuid(|r| r.leaf.uuid()),
        &refunds as &[Option<Uuid>]
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A receipt by its identifier.
pub async fn find(store: &Store, id: Id<id::Receipt>) -> Result<Option<StoredReceipt>> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT id, number, agency_id, kind, bill_id, payment_id, amount, issued_at, content, key, digest, leaf_id,
                  refund_id
           FROM receipt WHERE id = $1"#,
        id.uuid()
    )
    .fetch_optional(&store.pool)
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// A receipt by its printed number.
pub async fn find_by_number(store: &Store, number: &str) -> Result<Option<StoredReceipt>> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT id, number, agency_id, kind, bill_id, payment_id, amount, issued_at, content, key, digest, leaf_id,
                  refund_id
           FROM receipt WHERE number = $1"#,
        number
    )
    .fetch_optional(&store.pool)
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// The receipts of a bill: none, one, or one of each kind.
pub async fn of_bill(store: &Store, bill: Id<Bill>) -> Result<Vec<StoredReceipt>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id, number, agency_id, kind, bill_id, payment_id, amount, issued_at, content, key, digest, leaf_id,
                  refund_id
           FROM receipt WHERE bill_id = $1 ORDER BY kind DESC"#,
        bill.uuid()
    )
    .fetch_all(&store.pool)
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// The numbers of the receipts that a bill's payment had, by kind.
pub async fn originals(tx: &mut Tx, bill: Id<Bill>) -> Result<HashMap<FeeKind, String>> {
    let rows = sqlx::query!(
        "SELECT kind, number FROM receipt WHERE bill_id = $1 AND refund_id IS NULL",
        bill.uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            let kind = row.kind.parse().map_err(|_| StoreError::corrupt("receipt", "kind", &row.number))?;
            Ok((kind, row.number))
        })
        .collect()
}

/// An agency's receipts, the newest first, of all bills or of one.
pub async fn of_agency(
    store: &Store,
    agency: Id<Agency>,
    bill: Option<Id<Bill>>,
    page: &PageRequest<Id<id::Receipt>>,
) -> Result<Page<StoredReceipt>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id, number, agency_id, kind, bill_id, payment_id, amount, issued_at, content, key, digest, leaf_id,
                  refund_id
           FROM receipt
           WHERE agency_id = $1 AND ($2::uuid IS NULL OR bill_id = $2) AND ($3::uuid IS NULL OR id < $3)
           ORDER BY id DESC LIMIT $4"#,
        agency.uuid(),
        bill.map(Id::uuid),
        page.after.map(Id::uuid),
        page.fetch()
    )
    .fetch_all(&store.pool)
    .await?;
    let receipts = rows.into_iter().map(TryInto::try_into).collect::<Result<_>>()?;
    Ok(Page::from_rows(receipts, page))
}

/// A file of a receipt, once it has been made.
pub async fn file(store: &Store, id: Id<id::Receipt>, format: &str) -> Result<Option<Sealed<File>>> {
    let row = sqlx::query!(
        "SELECT bytes, key FROM receipt_file WHERE receipt_id = $1 AND format = $2",
        id.uuid(),
        format
    )
    .fetch_optional(&store.pool)
    .await?;
    Ok(row.map(|row| Sealed::new(row.bytes, row.key.cast_unsigned())))
}

/// Keeps the files of a receipt that nobody has kept before; the first bytes stay.
pub async fn keep_files(
    tx: &mut Tx,
    id: Id<id::Receipt>,
    files: &[(&'static str, Sealed<File>)],
    at: Instant,
) -> Result<()> {
    let formats: Vec<&str> = files.iter().map(|f| f.0).collect();
    let bytes: Vec<&[u8]> = files.iter().map(|f| f.1.bytes()).collect();
    let keys: Vec<i32> = files.iter().map(|f| f.1.key().cast_signed()).collect();
    sqlx::query!(
        r#"INSERT INTO receipt_file (receipt_id, format, bytes, key, made_at)
           SELECT $1, format, bytes, key, $5 FROM unnest($2::text[], $3::bytea[], $4::integer[]) AS f (format, bytes, key)
           ON CONFLICT ON CONSTRAINT receipt_file_pkey DO NOTHING"#,
        id.uuid(),
        &formats as &[&str],
        &bytes as &[&[u8]],
        &keys,
        at
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

struct Row {
    id: Uuid,
    number: String,
    agency_id: Uuid,
    kind: String,
    bill_id: Uuid,
    payment_id: Uuid,
    amount: i64,
    issued_at: Instant,
    content: Vec<u8>,
    key: i32,
    digest: Vec<u8>,
    leaf_id: Uuid,
    refund_id: Option<Uuid>,
}

impl TryFrom<Row> for StoredReceipt {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self> {
        let id: Id<id::Receipt> = Id::from_uuid(row.id);
        let bad = |column| StoreError::corrupt("receipt", column, id);
        Ok(Self {
            id,
            number: row.number,
            agency: Id::from_uuid(row.agency_id),
            kind: row.kind.parse().map_err(|_| bad("kind"))?,
            bill: Id::from_uuid(row.bill_id),
            payment: Id::from_uuid(row.payment_id),
            amount: Money::vnd(row.amount),
            issued_at: row.issued_at,
            content: Sealed::new(row.content, row.key.cast_unsigned()),
            digest: row.digest.try_into().map_err(|_| bad("digest"))?,
            leaf: Id::from_uuid(row.leaf_id),
            refund: row.refund_id.map(Id::from_uuid),
        })
    }
}
