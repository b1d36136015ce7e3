//! The audit log as a tree: the places of leaves, the hashes above them, and the signed heads.
//!
//! Only the sequencer writes here, one at a time, under a transaction-level lock.

use super::{Result, Store, StoreError, Tx};
use crate::audit::tree::Node;
use crate::base::{
    clock::Instant,
    id::{Agency, Id, Leaf},
    secret::Sealed,
};
use crate::crypto::digest::Digest;
use crate::store::audit::Details;
use std::collections::HashMap;
use uuid::Uuid;

/// A leaf as the log holds it.
#[derive(Debug, Clone)]
pub struct StoredLeaf {
    /// Its identifier.
    pub id: Id<Leaf>,
    /// What was decided.
    pub kind: String,
    /// When.
    pub at: Instant,
    /// Hash of salt and details.
    pub commitment: Digest,
    /// The transaction that wrote it.
    pub tx: i64,
}

/// A signed head, and below which transaction every leaf is placed.
#[derive(Debug, Clone)]
pub struct StoredHead {
    /// How many leaves it covers.
    pub size: u64,
    /// Its root.
    pub root: Digest,
    /// When it was made.
    pub at: Instant,
    /// The head as a compact JWS.
    pub signed: String,
    /// Every leaf of an older transaction is placed below this size; zero where nothing is known of that, since another
    /// cluster gave the numbers.
    pub low_tx: i64,
}

/// The oldest transaction that may still be writing: whatever is older is finished and visible to later statements.
pub async fn horizon(tx: &mut Tx) -> Result<i64> {
    let oldest =
        sqlx::query_scalar!(r#"SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS "xmin!""#)
            .fetch_one(tx.conn())
            .await?;
    Ok(oldest)
}

/// The leaves without a place, of transactions from `low_tx` on, in the order of their transactions. Places are looked
/// up leaf by leaf, never read whole. Whatever this cluster has written is below its newest transaction; leaves that were
/// restored from another may bear higher numbers, and are looked at where `low_tx` is zero.
pub async fn unplaced(tx: &mut Tx, low_tx: i64, limit: i64) -> Result<Vec<StoredLeaf>> {
    let rows = sqlx::query!(
        r#"SELECT l.id, l.kind, l.at, l.commitment, l.tx FROM audit_leaf l
           WHERE l.tx >= $1
             AND l.tx < CASE WHEN $1 = 0 THEN 9223372036854775807 ELSE pg_snapshot_xmax(pg_current_snapshot())::text::bigint END
             AND (SELECT p.place FROM audit_place p WHERE p.leaf_id = l.id) IS NULL
           ORDER BY l.tx, l.id LIMIT $2"#,
        low_tx,
        limit
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            let commitment = digest(row.commitment, "audit_leaf", "commitment", row.id)?;
            Ok(StoredLeaf { id: Id::from_uuid(row.id), kind: row.kind, at: row.at, commitment, tx: row.tx })
        })
        .collect()
}

/// The newest head.
pub async fn last_head(tx: &mut Tx) -> Result<Option<StoredHead>> {
    let row = sqlx::query_as!(
        HeadRow,
        r#"SELECT size, root, at, signed, CASE WHEN cluster = (SELECT system_identifier FROM pg_control_system())
               THEN low_tx ELSE 0 END AS "low_tx!" FROM tree_head ORDER BY size DESC LIMIT 1"#
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// The heads of more than `size` leaves, the smallest first.
pub async fn heads_above(store: &Store, size: u64, limit: i64) -> Result<Vec<StoredHead>> {
    let rows = sqlx::query_as!(
        HeadRow,
        r#"SELECT size, root, at, signed, CASE WHEN cluster = (SELECT system_identifier FROM pg_control_system())
               THEN low_tx ELSE 0 END AS "low_tx!" FROM tree_head WHERE size > $1 ORDER BY size LIMIT $2"#,
        size.cast_signed(),
        limit
    )
    .fetch_all(&store.pool)
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// The hashes of these whole subtrees, those that are stored.
pub async fn nodes(tx: &mut Tx, wanted: &[Node]) -> Result<HashMap<Node, Digest>> {
    let levels: Vec<i16> = wanted.iter().map(|n| i16::try_from(n.level).unwrap_or(i16::MAX)).collect();
    let indexes: Vec<i64> = wanted.iter().map(|n| n.index.cast_signed()).collect();
    let rows = sqlx::query!(
        r#"WITH w AS (SELECT * FROM unnest($1::smallint[], $2::bigint[]) AS w (level, idx))
           SELECT n.level AS "level!", n.idx AS "idx!", n.hash AS "hash!"
           FROM w JOIN audit_node n ON n.level = w.level AND n.idx = w.idx
           UNION ALL
           SELECT 0::smallint, p.place, p.leaf_hash FROM w JOIN audit_place p ON w.level = 0 AND p.place = w.idx"#,
        &levels,
        &indexes
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            let node = Node { level: u32::from(row.level.unsigned_abs()), index: row.idx.cast_unsigned() };
            Ok((node, digest(row.hash, "audit_node", "hash", row.idx)?))
        })
        .collect()
}

/// Gives leaves their places.
pub async fn place(tx: &mut Tx, first: u64, leaves: &[(Id<Leaf>, Digest)]) -> Result<()> {
    let ids: Vec<Uuid> = leaves.iter().map(|l| l.0.uuid()).collect();
    let hashes: Vec<&[u8]> = leaves.iter().map(|l| l.1.as_slice()).collect();
    sqlx::query!(
        r#"INSERT INTO audit_place (place, leaf_id, leaf_hash)
           SELECT $1 + ordinal - 1, id, hash
           FROM unnest($2::uuid[], $3::bytea[]) WITH ORDINALITY AS t (id, hash, ordinal)"#,
        first.cast_signed(),
        &ids,
        &hashes as &[&[u8]]
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Keeps the hashes of subtrees that have become whole; those of leaves stand with their places.
pub async fn keep_nodes(tx: &mut Tx, nodes: &[(Node, Digest)]) -> Result<()> {
    let inner = || nodes.iter().filter(|n| n.0.level > 0);
    let levels: Vec<i16> = inner().map(|n| i16::try_from(n.0.level).unwrap_or(i16::MAX)).collect();
    let indexes: Vec<i64> = inner().map(|n| n.0.index.cast_signed()).collect();
    let hashes: Vec<&[u8]> = inner().map(|n| n.1.as_slice()).collect();
    sqlx::query!(
        r#"INSERT INTO audit_node (level, idx, hash)
           SELECT level, idx, hash FROM unnest($1::smallint[], $2::bigint[], $3::bytea[]) AS t (level, idx, hash)"#,
        &levels,
        &indexes,
        &hashes as &[&[u8]]
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Keeps a head.
pub async fn keep_head(tx: &mut Tx, head: &StoredHead) -> Result<()> {
    sqlx::query!(
        "INSERT INTO tree_head (size, root, at, signed, low_tx) VALUES ($1, $2, $3, $4, $5)",
        head.size.cast_signed(),
        head.root.as_slice(),
        head.at,
        head.signed,
        head.low_tx
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A leaf with its place and what is left of its details.
#[derive(Debug, Clone)]
pub struct PlacedLeaf {
    /// The leaf.
    pub leaf: StoredLeaf,
    /// Its place; none while it waits for the sequencer.
    pub place: Option<u64>,
    /// The hash that the tree holds at its place.
    pub hash: Option<Digest>,
    /// Its details, unless they were erased.
    pub details: Option<StoredDetails>,
}

/// The details of a leaf, sealed.
#[derive(Debug, Clone)]
pub struct StoredDetails {
    /// Whether they are sealed under a citizen's key.
    pub of_citizen: bool,
    /// The agency that they concern.
    pub agency: Option<Id<Agency>>,
    /// Salt and details, sealed.
    pub sealed: Sealed<Details>,
}

/// One leaf by its identifier.
pub async fn leaf(tx: &mut Tx, id: Id<Leaf>) -> Result<Option<PlacedLeaf>> {
    let row = sqlx::query_as!(
        PlacedRow,
        r#"SELECT l.id, l.kind, l.at, l.commitment, l.tx, p.place AS "place?", p.leaf_hash AS "leaf_hash?",
               d.citizen_id, d.agency_id, d.sealed AS "sealed?", d.generation AS "generation?"
           FROM audit_leaf l LEFT JOIN audit_place p ON p.leaf_id = l.id LEFT JOIN audit_detail d ON d.leaf_id = l.id
           WHERE l.id = $1"#,
        id.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// The leaves at the places from `from` on, in order.
pub async fn placed(store: &Store, from: u64, limit: i64) -> Result<Vec<PlacedLeaf>> {
    let rows = sqlx::query_as!(
        PlacedRow,
        r#"SELECT l.id, l.kind, l.at, l.commitment, l.tx, p.place AS "place?", p.leaf_hash AS "leaf_hash?",
               d.citizen_id, d.agency_id, d.sealed AS "sealed?", d.generation AS "generation?"
           FROM audit_place p JOIN audit_leaf l ON l.id = p.leaf_id LEFT JOIN audit_detail d ON d.leaf_id = l.id
           WHERE p.place >= $1 ORDER BY p.place LIMIT $2"#,
        from.cast_signed(),
        limit
    )
    .fetch_all(&store.pool)
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// How many leaves wait for a place, and since when the oldest does.
pub async fn waiting(store: &Store) -> Result<(u64, Option<Instant>)> {
    let row = sqlx::query!(
        r#"SELECT count(*) AS "count!", min(l.at) AS "since?" FROM audit_leaf l
           WHERE NOT EXISTS (SELECT FROM audit_place p WHERE p.leaf_id = l.id)"#
    )
    .fetch_one(&store.pool)
    .await?;
    Ok((row.count.unsigned_abs(), row.since))
}

struct HeadRow {
    size: i64,
    root: Vec<u8>,
    at: Instant,
    signed: String,
    low_tx: i64,
}

impl TryFrom<HeadRow> for StoredHead {
    type Error = StoreError;

    fn try_from(row: HeadRow) -> Result<Self> {
        let root = digest(row.root, "tree_head", "root", row.size)?;
        Ok(Self { size: row.size.cast_unsigned(), root, at: row.at, signed: row.signed, low_tx: row.low_tx })
    }
}

struct PlacedRow {
    id: Uuid,
    kind: String,
    at: Instant,
    commitment: Vec<u8>,
    tx: i64,
    place: Option<i64>,
    leaf_hash: Option<Vec<u8>>,
    citizen_id: Option<Uuid>,
    agency_id: Option<Uuid>,
    sealed: Option<Vec<u8>>,
    generation: Option<i32>,
}

impl TryFrom<PlacedRow> for PlacedLeaf {
    type Error = StoreError;

    fn try_from(row: PlacedRow) -> Result<Self> {
        let id = Id::from_uuid(row.id);
        let commitment = digest(row.commitment, "audit_leaf", "commitment", id)?;
        let hash = row.leaf_hash.map(|hash| digest(hash, "audit_place", "leaf_hash", id)).transpose()?;
        let details = row.sealed.zip(row.generation).map(|(sealed, generation)| StoredDetails {
            of_citizen: row.citizen_id.is_some(),
            agency: row.agency_id.map(Id::from_uuid),
            sealed: Sealed::new(sealed, generation.cast_unsigned()),
        });
        let leaf = StoredLeaf { id, kind: row.kind, at: row.at, commitment, tx: row.tx };
        Ok(Self { leaf, place: row.place.map(i64::cast_unsigned), hash, details })
    }
}

fn digest(
    bytes: Vec<u8>,
    table: &'static str,
    column: &'static str,
    id: impl std::fmt::Display,
) -> Result<Digest> {
    bytes.try_into().map_err(|_| StoreError::corrupt(table, column, id))
}
