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
use crate::payment::{fee::FeeKind, receipt::Letters};
use std::collections::BTreeMap;
use uuid::Uuid;

/// The signed content, sealed under the agency's key.
pub enum Content {}
/// A rendered file, sealed under the agency's key.
pub enum File {}

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
    /// The letters of its series.
    pub letters: Letters,
    /// The year of its series.
    pub year: i32,
    /// The receipt in whose place it stands.
    pub replaces: Option<Id<id::Receipt>>,
    /// Since when it holds no more, and the number of what stands in its place.
    pub void: Option<(Instant, Option<String>)>,
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
    let letters: Vec<String> = receipts.iter().map(|r| r.letters.to_string()).collect();
    let years: Vec<i16> = receipts.iter().map(|r| i16::try_from(r.year).unwrap_or(i16::MAX)).collect();
    let replaces: Vec<Option<Uuid>> = receipts.iter().map(|r| r.replaces.map(Id::uuid)).collect();
    sqlx::query!(
        r#"INSERT INTO receipt (id, number, agency_id, kind, bill_id, payment_id, amount, issued_at, content, key,
                                digest, leaf_id, letters, year, replaces, refund_id)
           SELECT id, number, agency_id, kind, bill_id, payment_id, amount, issued_at, content, key, digest, leaf_id,
                  letters, year, replaces, refund_id
           FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::uuid[], $6::uuid[], $7::bigint[],
                       $8::timestamptz[], $9::bytea[], $10::integer[], $11::bytea[], $12::uuid[], $13::text[],
                       $14::smallint[], $15::uuid[], $16::uuid[])
               AS r (id, number, agency_id, kind, bill_id, payment_id, amount, issued_at, content, key, digest,
                     leaf_id, letters, year, replaces, refund_id)"#,
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
        &letters,
        &years,
        &replaces as &[Option<Uuid>],
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
        r#"SELECT r.id, r.number, r.agency_id, r.kind, r.letters, r.year, r.bill_id, r.payment_id, r.amount, r.issued_at,
                  r.content, r.key, r.digest, r.leaf_id, r.replaces, r.refund_id, v.at AS "void_at?", n.number AS "replaced_by?"
           FROM receipt r LEFT JOIN receipt_void v ON v.receipt_id = r.id LEFT JOIN receipt n ON n.id = v.replaced_by
           WHERE r.id = $1"#,
        id.uuid()
    )
    .fetch_optional(&store.pool)
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// Locks a receipt until the transaction ends.
pub async fn lock(tx: &mut Tx, id: Id<id::Receipt>) -> Result<()> {
    sqlx::query_scalar!("SELECT number FROM receipt WHERE id = $1 FOR UPDATE", id.uuid())
        .fetch_optional(tx.conn())
        .await?;
    Ok(())
}

/// A receipt by its identifier, as this transaction sees it.
pub async fn find_in(tx: &mut Tx, id: Id<id::Receipt>) -> Result<Option<StoredReceipt>> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT r.id, r.number, r.agency_id, r.kind, r.letters, r.year, r.bill_id, r.payment_id, r.amount, r.issued_at,
                  r.content, r.key, r.digest, r.leaf_id, r.replaces, r.refund_id, v.at AS "void_at?", n.number AS "replaced_by?"
           FROM receipt r LEFT JOIN receipt_void v ON v.receipt_id = r.id LEFT JOIN receipt n ON n.id = v.replaced_by
           WHERE r.id = $1"#,
        id.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// A receipt by its printed number.
pub async fn find_by_number(store: &Store, number: &str) -> Result<Option<StoredReceipt>> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT r.id, r.number, r.agency_id, r.kind, r.letters, r.year, r.bill_id, r.payment_id, r.amount, r.issued_at,
                  r.content, r.key, r.digest, r.leaf_id, r.replaces, r.refund_id, v.at AS "void_at?", n.number AS "replaced_by?"
           FROM receipt r LEFT JOIN receipt_void v ON v.receipt_id = r.id LEFT JOIN receipt n ON n.id = v.replaced_by
           WHERE r.number = $1"#,
        number
    )
    .fetch_optional(&store.pool)
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// The receipts of a bill, those of one kind in the order of issue: a later one stands in the place of an earlier one.
pub async fn of_bill(store: &Store, bill: Id<Bill>) -> Result<Vec<StoredReceipt>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT r.id, r.number, r.agency_id, r.kind, r.letters, r.year, r.bill_id, r.payment_id, r.amount, r.issued_at,
                  r.content, r.key, r.digest, r.leaf_id, r.replaces, r.refund_id, v.at AS "void_at?", n.number AS "replaced_by?"
           FROM receipt r LEFT JOIN receipt_void v ON v.receipt_id = r.id LEFT JOIN receipt n ON n.id = v.replaced_by
           WHERE r.bill_id = $1 ORDER BY r.kind DESC, r.id"#,
        bill.uuid()
    )
    .fetch_all(&store.pool)
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// The receipts of many bills, in the order of their numbers' issue.
pub async fn of_bills(tx: &mut Tx, bills: &[Id<Bill>]) -> Result<Vec<StoredReceipt>> {
    let bills: Vec<Uuid> = bills.iter().map(|bill| bill.uuid()).collect();
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT r.id, r.number, r.agency_id, r.kind, r.letters, r.year, r.bill_id, r.payment_id, r.amount, r.issued_at,
                  r.content, r.key, r.digest, r.leaf_id, r.replaces, r.refund_id, v.at AS "void_at?", n.number AS "replaced_by?"
           FROM receipt r LEFT JOIN receipt_void v ON v.receipt_id = r.id LEFT JOIN receipt n ON n.id = v.replaced_by
           WHERE r.bill_id = ANY($1) ORDER BY r.bill_id, r.kind DESC, r.id"#,
        &bills
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// The printed numbers of the receipts of bills that hold.
pub async fn numbers_of_bills(tx: &mut Tx, bills: &[Id<Bill>]) -> Result<BTreeMap<Id<Bill>, Vec<String>>> {
    let bills: Vec<Uuid> = bills.iter().map(|bill| bill.uuid()).collect();
    let rows = sqlx::query!(
        "SELECT r.bill_id, r.number FROM receipt r
         WHERE r.bill_id = ANY($1) AND NOT EXISTS (SELECT FROM receipt_void v WHERE v.receipt_id = r.id)
         ORDER BY r.kind DESC, r.id",
        &bills
    )
    .fetch_all(tx.conn())
    .await?;
    let mut numbers: BTreeMap<Id<Bill>, Vec<String>> = BTreeMap::new();
    for row in rows {
        numbers.entry(Id::from_uuid(row.bill_id)).or_default().push(row.number);
    }
    Ok(numbers)
}

/// The receipts that a payment has: who gave each, of which kind, and its number; of one that was replaced, that of what
/// stands in its place.
pub async fn originals(tx: &mut Tx, payment: Id<Payment>) -> Result<Vec<(Id<Agency>, FeeKind, String)>> {
    let rows = sqlx::query!(
        "SELECT agency_id, kind, number FROM receipt WHERE payment_id = $1 AND refund_id IS NULL ORDER BY id",
        payment.uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            let kind = row.kind.parse().map_err(|_| StoreError::corrupt("receipt", "kind", &row.number))?;
            Ok((Id::from_uuid(row.agency_id), kind, row.number))
        })
        .collect()
}

/// Who gave receipts that adjust others for this refund of a bill, and of which kind each.
pub async fn adjusting(
    tx: &mut Tx,
    bill: Id<Bill>,
    refund: Id<Refund>,
) -> Result<Vec<(Id<Agency>, FeeKind)>> {
    let rows = sqlx::query!(
        "SELECT agency_id, kind, number FROM receipt WHERE bill_id = $1 AND refund_id = $2 AND replaces IS NULL
         ORDER BY id",
        bill.uuid(),
        refund.uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            let kind = row.kind.parse().map_err(|_| StoreError::corrupt("receipt", "kind", &row.number))?;
            Ok((Id::from_uuid(row.agency_id), kind))
        })
        .collect()
}

/// The receipts of these agencies, the newest first, of all bills or of one.
pub async fn of_agencies(
    store: &Store,
    agencies: &[Id<Agency>],
    bill: Option<Id<Bill>>,
    page: &PageRequest<Id<id::Receipt>>,
) -> Result<Page<StoredReceipt>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT r.id, r.number, r.agency_id, r.kind, r.letters, r.year, r.bill_id, r.payment_id, r.amount, r.issued_at,
                  r.content, r.key, r.digest, r.leaf_id, r.replaces, r.refund_id, v.at AS "void_at?", n.number AS "replaced_by?"
           FROM unnest($1::uuid[]) AS a (id) CROSS JOIN LATERAL (
               SELECT * FROM receipt
               WHERE agency_id = a.id AND ($2::uuid IS NULL OR bill_id = $2) AND ($3::uuid IS NULL OR id < $3)
               ORDER BY id DESC LIMIT $4) r
           LEFT JOIN receipt_void v ON v.receipt_id = r.id LEFT JOIN receipt n ON n.id = v.replaced_by
           ORDER BY r.id DESC LIMIT $4"#,
        &agencies.iter().map(|agency| agency.uuid()).collect::<Vec<_>>(),
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

/// Which of these receipts have a file of that format, with it.
pub async fn files(
    tx: &mut Tx,
    ids: &[Id<id::Receipt>],
    format: &str,
) -> Result<Vec<(Id<id::Receipt>, Sealed<File>)>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query!(
        "SELECT receipt_id, bytes, key FROM receipt_file WHERE receipt_id = any($1) AND format = $2",
        &ids,
        format
    )
    .fetch_all(tx.conn())
    .await?;
    let files = rows.into_iter();
    Ok(files
        .map(|row| (Id::from_uuid(row.receipt_id), Sealed::new(row.bytes, row.key.cast_unsigned())))
        .collect())
}

/// Keeps one file of one format of many receipts; the first bytes of each stay.
pub async fn keep_many(
    tx: &mut Tx,
    files: &[(Id<id::Receipt>, Sealed<File>)],
    format: &str,
    at: Instant,
) -> Result<()> {
    let ids: Vec<Uuid> = files.iter().map(|f| f.0.uuid()).collect();
    let bytes: Vec<&[u8]> = files.iter().map(|f| f.1.bytes()).collect();
    let keys: Vec<i32> = files.iter().map(|f| f.1.key().cast_signed()).collect();
    sqlx::query!(
        r#"INSERT INTO receipt_file (receipt_id, format, bytes, key, made_at)
           SELECT id, $2, bytes, key, $5 FROM unnest($1::uuid[], $3::bytea[], $4::integer[]) AS f (id, bytes, key)
           ON CONFLICT ON CONSTRAINT receipt_file_pkey DO NOTHING"#,
        &ids,
        format,
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
    letters: String,
    year: i16,
    replaces: Option<Uuid>,
    void_at: Option<Instant>,
    replaced_by: Option<String>,
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
            letters: row.letters.parse().map_err(|_| bad("letters"))?,
            year: i32::from(row.year),
            replaces: row.replaces.map(Id::from_uuid),
            void: row.void_at.map(|at| (at, row.replaced_by)),
        })
    }
}
