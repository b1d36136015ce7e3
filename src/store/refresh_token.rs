//! Refresh tokens, by their digests; the family is the sign-in they come from.

use super::{Result, Tx, moved_one};
use crate::base::{
    clock::Instant,
    id::{self, Id},
};
use crate::crypto::digest::Digest;
use uuid::Uuid;

/// A refresh token as it stands.
#[derive(Debug, Clone, Copy)]
pub struct StoredRefresh {
    /// The sign-in it comes from.
    pub authorization: Id<id::Authorization>,
    /// When it was issued.
    pub issued_at: Instant,
    /// When its family ends.
    pub expires_at: Instant,
    /// When it was replaced.
    pub used_at: Option<Instant>,
}

/// Keeps a token.
pub async fn insert(tx: &mut Tx, digest: &Digest, token: &StoredRefresh) -> Result<()> {
    sqlx::query!(
        "INSERT INTO refresh_token (digest, authorization_id, issued_at, expires_at) VALUES ($1, $2, $3, $4)",
        digest.as_slice(),
        token.authorization.uuid(),
        token.issued_at,
        token.expires_at
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Keeps many tokens: one statement.
pub async fn insert_all(tx: &mut Tx, tokens: &[(Digest, StoredRefresh)]) -> Result<()> {
    let digests: Vec<&[u8]> = tokens.iter().map(|(digest, _)| digest.as_slice()).collect();
    let of: Vec<Uuid> = tokens.iter().map(|(_, token)| token.authorization.uuid()).collect();
    let issued: Vec<Instant> = tokens.iter().map(|(_, token)| token.issued_at).collect();
    let ends: Vec<Instant> = tokens.iter().map(|(_, token)| token.expires_at).collect();
    sqlx::query!(
        "INSERT INTO refresh_token (digest, authorization_id, issued_at, expires_at)
         SELECT * FROM unnest($1::bytea[], $2::uuid[], $3::timestamptz[], $4::timestamptz[])",
        &digests as &[&[u8]],
        &of,
        &issued,
        &ends
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The token of that digest, used or not.
pub async fn find(tx: &mut Tx, digest: &Digest) -> Result<Option<StoredRefresh>> {
    let row = sqlx::query!(
        "SELECT authorization_id, issued_at, expires_at, used_at FROM refresh_token WHERE digest = $1",
        digest.as_slice()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| StoredRefresh {
        authorization: Id::from_uuid(row.authorization_id),
        issued_at: row.issued_at,
        expires_at: row.expires_at,
        used_at: row.used_at,
    }))
}

/// Marks a token as replaced; false when it was before.
pub async fn use_up(tx: &mut Tx, digest: &Digest, at: Instant) -> Result<bool> {
    let done = sqlx::query!(
        "UPDATE refresh_token SET used_at = $2 WHERE digest = $1 AND used_at IS NULL",
        digest.as_slice(),
        at
    )
    .execute(tx.conn())
    .await?;
    Ok(moved_one(&done))
}

/// Forgets tokens whose family is over.
pub async fn forget(tx: &mut Tx, before: Instant, most: i64) -> Result<u64> {
    let done = sqlx::query!(
        "DELETE FROM refresh_token WHERE digest IN
             (SELECT digest FROM refresh_token WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)",
        before,
        most
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}
