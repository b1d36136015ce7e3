//! Access tokens that were given back before their time, by the digest of their `jti`.

use super::{Result, Tx};
use crate::base::clock::Instant;
use crate::crypto::digest::Digest;

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
