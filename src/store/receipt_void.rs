//! Receipts that hold no more.

use super::{Result, StoreError, Tx};
use crate::base::{
    clock::Instant,
    id::{self, Agency, Id, Leaf},
    secret::Sealed,
};
use crate::crypto::digest::Digest;
use crate::payment::case::By;

/// The signed content of a notice, sealed under the agency's key.
pub enum Content {}

/// A notice as its row holds it.
pub struct StoredVoid {
    /// The receipt.
    pub receipt: Id<id::Receipt>,
    /// The agency that issued it.
    pub agency: Id<Agency>,
    /// What stands in its place.
    pub replaced_by: Option<Id<id::Receipt>>,
    /// When.
    pub at: Instant,
    /// The system that asked for it, or the officer who keeps the books.
    pub by: By,
    /// What the signature covers, sealed.
    pub content: Sealed<Content>,
    /// SHA-256 of that content.
    pub digest: Digest,
    /// The leaf that commits to the digest.
    pub leaf: Id<Leaf>,
}

/// Voids a receipt; a second time violates `receipt_void_once`.
pub async fn insert(tx: &mut Tx, void: &StoredVoid) -> Result<()> {
    let (system, officer) = match void.by {
        By::System(client) => (Some(client.uuid()), None),
        By::Officer(citizen) => (None, Some(citizen.uuid())),
    };
    sqlx::query!(
        "INSERT INTO receipt_void (receipt_id, agency_id, replaced_by, at, client_id, officer_id, content, key, digest,
                                   leaf_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        void.receipt.uuid(),
        void.agency.uuid(),
        void.replaced_by.map(Id::uuid),
        void.at,
        system,
        officer,
        void.content.bytes(),
        void.content.key().cast_signed(),
        void.digest.as_slice(),
        void.leaf.uuid()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The notice about a receipt.
pub async fn of_receipt(tx: &mut Tx, receipt: Id<id::Receipt>) -> Result<Option<StoredVoid>> {
    let row = sqlx::query!(
        "SELECT agency_id, replaced_by, at, client_id, officer_id, content, key, digest, leaf_id
         FROM receipt_void WHERE receipt_id = $1",
        receipt.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let bad = |column| StoreError::corrupt("receipt_void", column, receipt);
    let system = row.client_id.map(|client| By::System(Id::from_uuid(client)));
    let by = system.or(row.officer_id.map(|citizen| By::Officer(Id::from_uuid(citizen))));
    Ok(Some(StoredVoid {
        receipt,
        agency: Id::from_uuid(row.agency_id),
        replaced_by: row.replaced_by.map(Id::from_uuid),
        at: row.at,
        by: by.ok_or_else(|| bad("client_id"))?,
        content: Sealed::new(row.content, row.key.cast_unsigned()),
        digest: row.digest.try_into().map_err(|_| bad("digest"))?,
        leaf: Id::from_uuid(row.leaf_id),
    }))
}
