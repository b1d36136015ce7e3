//! Access tokens that were given back before their time, by the digest of their `jti`.

use super::{Result, Store, Tx};
use crate::base::clock::Instant;
use crate::crypto::digest::Digest;
use std::collections::HashSet;

/// Gives a token back; harmless when it was before.
pub async fn insert(tx: &mut Tx, digest: &Digest, until: Instant) -> Result<()> {
    sqlx::query!(
        "INSERT INTO revoked_token (digest, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        digest.as_slice(),
        until
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Whether a token was given back, as this transaction sees it.
pub async fn is(tx: &mut Tx, digest: &Digest) -> Result<bool> {
    let found = sqlx::query_scalar!(
        r#"SELECT true AS "found!" FROM revoked_token WHERE digest = $1"#,
        digest.as_slice()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(found.unwrap_or(false))
}

/// Those of these that were given back: one look-up for all who are waiting.
pub async fn among(store: &Store, digests: &[Digest]) -> Result<HashSet<Digest>> {
    let digests: Vec<Vec<u8>> = digests.iter().map(|digest| digest.to_vec()).collect();
    let found = sqlx::query_scalar!("SELECT digest FROM revoked_token WHERE digest = ANY($1)", &digests)
        .fetch_all(&store.pool)
        .await?;
    Ok(found.into_iter().filter_map(|digest| digest.try_into().ok()).collect())
}

/// Forgets tokens that are over by themselves.
pub async fn forget(tx: &mut Tx, before: Instant, most: i64) -> Result<u64> {
    let done = sqlx::query!(
        "DELETE FROM revoked_token WHERE digest IN
             (SELECT digest FROM revoked_token WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)",
        before,
        most
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}
