//! Receipts on paper that are there before their payment: blocks, leaves, what voids them, and every printing.

use super::{Result, StoreError, Tx, moved_one};
use crate::base::{
    clock::Instant,
    id::{self, Agency, Citizen, Id, LeafVoid, Receipt, ReceiptBlock, ReceiptSeries, Shift},
    secret::Sealed,
};
use crate::crypto::digest::Digest;
use crate::payment::{
    blank::{Leaf, Medium, Why},
    receipt::Letters,
};
use std::collections::HashMap;
use uuid::Uuid;

/// The content of a voiding document, sealed under the agency's key.
pub enum Content {}

/// A stretch of numbers on paper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBlock {
    /// Its identifier.
    pub id: Id<ReceiptBlock>,
    /// Its series.
    pub series: Id<ReceiptSeries>,
    /// Whose.
    pub agency: Id<Agency>,
    /// Printed at the desk, or a book.
    pub medium: Medium,
    /// The letters of its series.
    pub letters: Letters,
    /// The year of its series.
    pub year: i32,
    /// The number of its form.
    pub form: String,
    /// Its first and last number.
    pub range: (i64, i64),
    /// Who answers for it.
    pub owner: Id<Citizen>,
    /// When it was drawn.
    pub drawn_at: Instant,
    /// The shift in which it was printed.
    pub shift: Option<Id<Shift>>,
}

/// Draws a block: the caller has locked the series and moves its last number. Its leaves are held from then on.
pub async fn insert_block(tx: &mut Tx, block: &StoredBlock, by: Id<Citizen>) -> Result<()> {
    sqlx::query!(
        "insert into receipt_block (id, series_id, agency_id, medium, first, until, owner_id, shift_id, drawn_at, drawn_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        block.id.uuid(),
        block.series.uuid(),
        block.agency.uuid(),
        block.medium.as_str(),
        block.range.0,
        block.range.1,
        block.owner.uuid(),
        block.shift.map(Id::uuid),
        block.drawn_at,
        by.uuid(),
    )
    .execute(tx.conn())
    .await?;
    insert_leaves(tx, block).await
}

async fn insert_leaves(tx: &mut Tx, block: &StoredBlock) -> Result<()> {
    sqlx::query!(
        "insert into receipt_leaf (series_id, serial, block_id)
         select $1, n, $2 from generate_series($3::bigint, $4::bigint) as g (n)",
        block.series.uuid(),
        block.id.uuid(),
        block.range.0,
        block.range.1,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The blocks that hold leaves, and the newest others, of one agency or of those whose owner this is.
pub async fn blocks(
    tx: &mut Tx,
    agencies: &[Id<Agency>],
    owner: Option<Id<Citizen>>,
    limit: i64,
) -> Result<Vec<StoredBlock>> {
    let agencies: Vec<Uuid> = agencies.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query_as!(
        Row,
        r#"select b.id, b.series_id, b.agency_id, b.medium, s.letters, s.year, s.form, b.first, b.until, b.owner_id,
             b.drawn_at, b.shift_id
         from receipt_block b join receipt_series s on s.id = b.series_id
         where b.agency_id = any($1) and coalesce(b.owner_id = $2, true)
         order by exists (select from receipt_leaf l where l.block_id = b.id and l.state = 'held') desc, b.id desc
         limit $3"#,
        &agencies,
        owner.map(Id::uuid),
        limit,
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// One block, locked: whoever enters, voids or passes on its leaves waits.
pub async fn lock_block(tx: &mut Tx, block: Id<ReceiptBlock>) -> Result<Option<StoredBlock>> {
    let row = sqlx::query_as!(
        Row,
        r#"select b.id, b.series_id, b.agency_id, b.medium, s.letters, s.year, s.form, b.first, b.until, b.owner_id,
             b.drawn_at, b.shift_id
         from receipt_block b join receipt_series s on s.id = b.series_id
         where b.id = $1 for update of b"#,
        block.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// The block in which a printed number of an agency stands.
pub async fn block_of(
    tx: &mut Tx,
    agency: Id<Agency>,
    (letters, year, serial): (Letters, i32, i64),
) -> Result<Option<Id<ReceiptBlock>>> {
    let id = sqlx::query_scalar!(
        "select l.block_id from receipt_series s join receipt_leaf l on l.series_id = s.id
         where s.agency_id = $1 and s.letters = $2 and s.year = $3 and l.serial = $4",
        agency.uuid(),
        letters.to_string(),
        i16::try_from(year).unwrap_or(i16::MAX),
        serial,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(id.map(Id::from_uuid))
}

/// What became of each leaf of these blocks, in the order of their numbers.
pub async fn leaves(
    tx: &mut Tx,
    blocks: &[Id<ReceiptBlock>],
) -> Result<HashMap<Id<ReceiptBlock>, Vec<(i64, Leaf)>>> {
    let blocks: Vec<Uuid> = blocks.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query!(
        "select block_id, serial, state from receipt_leaf where block_id = any($1) order by block_id, serial",
        &blocks,
    )
    .fetch_all(tx.conn())
    .await?;
    let mut leaves: HashMap<Id<ReceiptBlock>, Vec<(i64, Leaf)>> = HashMap::new();
    for row in rows {
        let block = Id::from_uuid(row.block_id);
        let state = row.state.parse().map_err(|_| StoreError::corrupt("receipt_leaf", "state", block))?;
        leaves.entry(block).or_default().push((row.serial, state));
    }
    Ok(leaves)
}

/// The blocks that a shift must account for: what was printed in it, and the books of its cashier at that agency.
pub async fn of_shift(
    tx: &mut Tx,
    shift: Id<Shift>,
    (agency, cashier): (Id<Agency>, Id<Citizen>),
) -> Result<Vec<(Id<ReceiptBlock>, Medium)>> {
    let rows = sqlx::query!(
        "select id, medium from receipt_block
         where shift_id = $1 or (medium = 'book' and agency_id = $2 and owner_id = $3) order by id for update",
        shift.uuid(),
        agency.uuid(),
        cashier.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            let id = Id::from_uuid(row.id);
            let medium =
                row.medium.parse().map_err(|_| StoreError::corrupt("receipt_block", "medium", id))?;
            Ok((id, medium))
        })
        .collect()
}

/// Says which receipt stands on a leaf; false when the leaf is not held.
pub async fn enter(
    tx: &mut Tx,
    (series, serial): (Id<ReceiptSeries>, i64),
    receipt: Id<Receipt>,
    at: Instant,
) -> Result<bool> {
    let done = sqlx::query!(
        "update receipt_leaf set state = 'issued', receipt_id = $3, entered_at = $4
         where series_id = $1 and serial = $2 and state = 'held'",
        series.uuid(),
        serial,
        receipt.uuid(),
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(moved_one(&done))
}

/// A document that voids leaves.
pub struct NewVoid {
    /// Its identifier.
    pub id: Id<LeafVoid>,
    /// Whose leaves.
    pub agency: Id<Agency>,
    /// Why.
    pub why: Why,
    /// What the signature covers, sealed.
    pub content: Sealed<Content>,
    /// SHA-256 of that content.
    pub digest: Digest,
    /// The leaf of the audit log that commits to it.
    pub leaf: Id<id::Leaf>,
    /// Who voided.
    pub by: Id<Citizen>,
    /// When.
    pub at: Instant,
}

/// Keeps a voiding document.
pub async fn insert_void(tx: &mut Tx, void: &NewVoid) -> Result<()> {
    sqlx::query!(
        "insert into leaf_void (id, agency_id, reason, content, key, digest, leaf_id, by, at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        void.id.uuid(),
        void.agency.uuid(),
        void.why.as_str(),
        void.content.bytes(),
        void.content.key().cast_signed(),
        void.digest.as_slice(),
        void.leaf.uuid(),
        void.by.uuid(),
        void.at,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Voids leaves by a document; how many were held.
pub async fn void(
    tx: &mut Tx,
    series: Id<ReceiptSeries>,
    serials: &[i64],
    void: Id<LeafVoid>,
    at: Instant,
) -> Result<u64> {
    let done = sqlx::query!(
        "update receipt_leaf set state = 'voided', void_id = $3, entered_at = $4
         where series_id = $1 and serial = any($2) and state = 'held'",
        series.uuid(),
        serials,
        void.uuid(),
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

/// A voiding document as it lies here: its agency, its content and that content's digest.
pub type KeptVoid = (Id<Agency>, Sealed<Content>, Digest);

/// A voiding document.
pub async fn find_void(tx: &mut Tx, void: Id<LeafVoid>) -> Result<Option<KeptVoid>> {
    let row =
        sqlx::query!("select agency_id, content, key, digest from leaf_void where id = $1", void.uuid())
            .fetch_optional(tx.conn())
            .await?;
    row.map(|row| {
        let digest = row.digest.try_into().map_err(|_| StoreError::corrupt("leaf_void", "digest", void))?;
        Ok((Id::from_uuid(row.agency_id), Sealed::new(row.content, row.key.cast_unsigned()), digest))
    })
    .transpose()
}

/// The voiding documents of these agencies, the newest first: identifier, reason, when, how many leaves.
pub async fn voids(
    tx: &mut Tx,
    agencies: &[Id<Agency>],
    limit: i64,
) -> Result<Vec<(Id<LeafVoid>, Why, Instant, i64)>> {
    let agencies: Vec<Uuid> = agencies.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query!(
        r#"select v.id, v.reason, v.at, (select count(*) from receipt_leaf l where l.void_id = v.id) as "leaves!"
         from leaf_void v where v.agency_id = any($1) order by v.id desc limit $2"#,
        &agencies,
        limit,
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            let id = Id::from_uuid(row.id);
            let why = row.reason.parse().map_err(|_| StoreError::corrupt("leaf_void", "reason", id))?;
            Ok((id, why, row.at, row.leaves))
        })
        .collect()
}

/// Hands a book to another cashier; false when it is none of this owner's.
pub async fn pass_on(
    tx: &mut Tx,
    block: Id<ReceiptBlock>,
    (from, to): (Id<Citizen>, Id<Citizen>),
) -> Result<bool> {
    let done = sqlx::query!(
        "update receipt_block set owner_id = $3 where id = $1 and owner_id = $2 and medium = 'book'",
        block.uuid(),
        from.uuid(),
        to.uuid(),
    )
    .execute(tx.conn())
    .await?;
    Ok(moved_one(&done))
}

/// One printing of a receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Printing {
    /// 0 for the original, then the number of the copy.
    pub copy: i16,
    /// Who printed it.
    pub by: Id<Citizen>,
    /// When.
    pub at: Instant,
}

/// The printings of a receipt, in order.
pub async fn printings(tx: &mut Tx, receipt: Id<Receipt>) -> Result<Vec<Printing>> {
    let rows = sqlx::query!(
        "select copy, by, at from receipt_print where receipt_id = $1 order by copy",
        receipt.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    let printing =
        rows.into_iter().map(|row| Printing { copy: row.copy, by: Id::from_uuid(row.by), at: row.at });
    Ok(printing.collect())
}

/// Whether a receipt was given on paper before it was entered.
pub async fn was_on_paper(tx: &mut Tx, receipt: Id<Receipt>) -> Result<bool> {
    let found = sqlx::query_scalar!(
        r#"select exists (select from receipt_leaf where receipt_id = $1) as "found!""#,
        receipt.uuid(),
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(found)
}

/// Notes a printing; a number that stands already violates `receipt_print_once`.
pub async fn insert_printing(
    tx: &mut Tx,
    receipt: Id<Receipt>,
    agency: Id<Agency>,
    printing: &Printing,
) -> Result<()> {
    sqlx::query!(
        "insert into receipt_print (receipt_id, copy, agency_id, by, at) values ($1, $2, $3, $4, $5)",
        receipt.uuid(),
        printing.copy,
        agency.uuid(),
        printing.by.uuid(),
        printing.at,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// How many leaves of each series of an agency were voided before, and in, a time.
pub async fn voided(
    tx: &mut Tx,
    agencies: &[Id<Agency>],
    (from, to): (Instant, Instant),
) -> Result<HashMap<Id<ReceiptSeries>, (i64, i64)>> {
    let rows = sqlx::query!(
        r#"select l.series_id, count(*) filter (where l.entered_at < $2) as "before!",
             count(*) filter (where l.entered_at >= $2) as "during!"
         from receipt_leaf l join receipt_series s on s.id = l.series_id
         where s.agency_id = any($1) and l.state = 'voided' and l.entered_at < $3 group by l.series_id"#,
        &agencies.iter().map(|agency| agency.uuid()).collect::<Vec<_>>(),
        from,
        to,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (Id::from_uuid(row.series_id), (row.before, row.during))).collect())
}

struct Row {
    id: Uuid,
    series_id: Uuid,
    agency_id: Uuid,
    medium: String,
    letters: String,
    year: i16,
    form: String,
    first: i64,
    until: i64,
    owner_id: Uuid,
    drawn_at: Instant,
    shift_id: Option<Uuid>,
}

impl TryFrom<Row> for StoredBlock {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self> {
        let id: Id<ReceiptBlock> = Id::from_uuid(row.id);
        let bad = |column| StoreError::corrupt("receipt_block", column, id);
        Ok(Self {
            id,
            series: Id::from_uuid(row.series_id),
            agency: Id::from_uuid(row.agency_id),
            medium: row.medium.parse().map_err(|_| bad("medium"))?,
            letters: row.letters.parse().map_err(|_| bad("letters"))?,
            year: i32::from(row.year),
            form: row.form,
            range: (row.first, row.until),
            owner: Id::from_uuid(row.owner_id),
            drawn_at: row.drawn_at,
            shift: row.shift_id.map(Id::from_uuid),
        })
    }
}
