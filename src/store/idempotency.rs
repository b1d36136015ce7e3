//! Claimed idempotency keys: one per client and key, with the digest of the body and the answer given.

use super::{Result, Tx};
use crate::base::{
    clock::Instant,
    id::{Client, Id},
};
use crate::crypto::digest::Digest;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// A key that was claimed before.
#[derive(Debug, Clone)]
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

/// Puts the answer to a claim that was kept without one, in the same transaction.
pub async fn put_answer(
    tx: &mut Tx,
    client: Id<Client>,
    key: &str,
    answer: &serde_json::Value,
) -> Result<()> {
    sqlx::query!(
        "UPDATE idempotency_key SET answer = $3 WHERE client_id = $1 AND key = $2",
        client.uuid(),
        key,
        answer
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The earlier claims among these keys.
pub async fn find_all(
    tx: &mut Tx,
    keys: &[(Id<Client>, &str)],
) -> Result<BTreeMap<(Id<Client>, String), Claimed>> {
    let clients: Vec<Uuid> = keys.iter().map(|k| k.0.uuid()).collect();
    let texts: Vec<&str> = keys.iter().map(|k| k.1).collect();
    let rows = sqlx::query!(
        "SELECT i.client_id, i.key, i.digest, i.object, i.answer
         FROM unnest($1::uuid[], $2::text[]) AS k (client_id, key)
         JOIN idempotency_key i ON i.client_id = k.client_id AND i.key = k.key",
        &clients,
        &texts as &[&str]
    )
    .fetch_all(tx.conn())
    .await?;
    let claimed = rows.into_iter().map(|row| {
        let claimed = Claimed { digest: row.digest, object: row.object, answer: row.answer };
        ((Id::from_uuid(row.client_id), row.key), claimed)
    });
    Ok(claimed.collect())
}

/// Claims many keys before their answers are known, in one order, and tells the objects of those that are new. A key
/// that another transaction is claiming is waited for.
pub async fn claim_all(tx: &mut Tx, claims: &[NewClaim<'_>]) -> Result<BTreeSet<Uuid>> {
    let clients: Vec<Uuid> = claims.iter().map(|c| c.client.uuid()).collect();
    let keys: Vec<&str> = claims.iter().map(|c| c.key).collect();
    let digests: Vec<&[u8]> = claims.iter().map(|c| c.digest.as_slice()).collect();
    let objects: Vec<Uuid> = claims.iter().map(|c| c.object).collect();
    let answers: Vec<serde_json::Value> = claims.iter().map(|c| c.answer.clone()).collect();
    let at: Vec<Instant> = claims.iter().map(|c| c.at).collect();
    let fresh = sqlx::query_scalar!(
        "INSERT INTO idempotency_key (client_id, key, digest, object, answer, at)
         SELECT c.client_id, c.key, c.digest, c.object, c.answer, c.at
         FROM unnest($1::uuid[], $2::text[], $3::bytea[], $4::uuid[], $5::jsonb[], $6::timestamptz[])
             AS c (client_id, key, digest, object, answer, at)
         ORDER BY c.client_id, c.key
         ON CONFLICT DO NOTHING RETURNING object",
        &clients,
        &keys as &[&str],
        &digests as &[&[u8]],
        &objects,
        &answers,
        &at
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(fresh.into_iter().collect())
}

/// Gives keys back that this transaction has claimed: nothing came of them.
pub async fn give_back(tx: &mut Tx, keys: &[(Id<Client>, &str)]) -> Result<()> {
    let clients: Vec<Uuid> = keys.iter().map(|k| k.0.uuid()).collect();
    let texts: Vec<&str> = keys.iter().map(|k| k.1).collect();
    sqlx::query!(
        "DELETE FROM idempotency_key i USING unnest($1::uuid[], $2::text[]) AS k (client_id, key)
         WHERE i.client_id = k.client_id AND i.key = k.key",
        &clients,
        &texts as &[&str]
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
