//! Leaves of the audit log, written with the decision they record. Placing them in the tree is the sequencer's.

use super::{Result, Tx};
use crate::base::{
    clock::Instant,
    id::{Agency, Citizen, Id, Leaf},
    secret::Sealed,
};
use crate::crypto::digest::Digest;
use uuid::Uuid;

/// Salt and details of a leaf, as JSON, under the owner's key.
pub enum Details {}

/// A leaf about to be written.
pub struct NewLeaf {
    /// Its name in the log.
    pub id: Id<Leaf>,
    /// What was decided, e.g. `bill.created`.
    pub kind: &'static str,
    /// When.
    pub at: Instant,
    /// Whose history shows it.
    pub citizen: Option<Id<Citizen>>,
    /// Whose agency it concerns.
    pub agency: Option<Id<Agency>>,
    /// The thing decided upon.
    pub object: Uuid,
    /// Hash of salt and details.
    pub commitment: Digest,
    /// Salt and details, sealed.
    pub details: Sealed<Details>,
}

/// Writes leaves and their sealed details: one statement for any number.
pub async fn append(tx: &mut Tx, leaves: &[NewLeaf]) -> Result<()> {
    if leaves.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = leaves.iter().map(|l| l.id.uuid()).collect();
    let kinds: Vec<&str> = leaves.iter().map(|l| l.kind).collect();
    let ats: Vec<Instant> = leaves.iter().map(|l| l.at).collect();
    let citizens: Vec<Option<Uuid>> = leaves.iter().map(|l| l.citizen.map(Id::uuid)).collect();
    let agencies: Vec<Option<Uuid>> = leaves.iter().map(|l| l.agency.map(Id::uuid)).collect();
    let objects: Vec<Uuid> = leaves.iter().map(|l| l.object).collect();
    let commitments: Vec<&[u8]> = leaves.iter().map(|l| l.commitment.as_slice()).collect();
    let sealed: Vec<&[u8]> = leaves.iter().map(|l| l.details.bytes()).collect();
    let generations: Vec<i32> =
        leaves.iter().map(|l| i32::try_from(l.details.key()).unwrap_or(i32::MAX)).collect();
    sqlx::query!(
        r#"WITH input AS (
               SELECT * FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::bytea[],
                                    $5::uuid[], $6::uuid[], $7::uuid[], $8::bytea[], $9::integer[])
                   AS t (id, kind, at, commitment, citizen_id, agency_id, object, sealed, generation)
           ), leaf AS (
               INSERT INTO audit_leaf (id, kind, at, commitment) SELECT id, kind, at, commitment FROM input
           )
           INSERT INTO audit_detail (leaf_id, citizen_id, agency_id, object, sealed, generation)
           SELECT id, citizen_id, agency_id, object, sealed, generation FROM input"#,
        &ids,
        &kinds as &[&str],
        &ats,
        &commitments as &[&[u8]],
        &citizens as &[Option<Uuid>],
        &agencies as &[Option<Uuid>],
        &objects,
        &sealed as &[&[u8]],
        &generations
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
