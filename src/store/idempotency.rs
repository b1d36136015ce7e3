//! Claimed idempotency keys: one per client and key, with the digest of the body and the answer given.

use super::{Result, Tx};
use crate::base::{
    clock::Instant,
    id::{Client, Id},
};
use crate::crypto::digest::Digest;
use uuid::Uuid;

/// A key that was claimed before.
pub struct Claimed {
    /// Digest of the body it was claimed with.
    pub digest: Vec<u8>,
    /// The object that was made.
    pub object: Uuid,
    /// The answer as its transaction committed it.
    pub answer: serde_json::Value,
}

/// The earlier claim of this key, if there is one.
pub async fn find(tx: &mut Tx, client: Id<Client>, key: &str) -> Result<Option<Claimed>> {
    let row = sqlx::query_as!(
        Claimed,
        "SELECT digest, object, answer FROM idempotency_key WHERE client_id = $1 AND key = $2",
        client.uuid(),
        key
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row)
}

/// A claim about to be kept.
pub struct NewClaim<'a> {
    /// Who claims.
    pub client: Id<Client>,
    /// The key.
    pub key: &'a str,
    /// Digest of the parsed body.
    pub digest: Digest,
    /// The object made under it.
    pub object: Uuid,
    /// The answer, without secrets.
    pub answer: &'a serde_json::Value,
    /// When.
    pub at: Instant,
}

/// Keeps a claim; the primary key refuses a second one.
pub async fn keep(tx: &mut Tx, claim: &NewClaim<'_>) -> Result<()> {
    sqlx::query!(
        "INSERT INTO idempotency_key (client_id, key, digest, object, answer, at) VALUES ($1, $2, $3, $4, $5, $6)",
        claim.client.uuid(),
        claim.key,
        claim.digest.as_slice(),
        claim.object,
        claim.answer,
        claim.at
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
