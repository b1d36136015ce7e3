//! What was used and may not be used again: assertions of clients, proofs of possession.

use super::{Result, Store, Tx};
use crate::base::clock::Instant;
use crate::crypto::digest::Digest;
use std::collections::HashSet;

/// One thing that is used.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    /// What it is.
    pub digest: Digest,
    /// When it may be forgotten.
    pub until: Instant,
}

/// Uses up all of these; answers those that were fresh. They are used up even
/// if the requests around them are refused later, so this stands by itself, and one statement serves all who wait.
pub async fn use_up(store: &Store, marks: &[Mark]) -> Result<HashSet<Digest>> {
    let digests: Vec<Vec<u8>> = marks.iter().map(|mark| mark.digest.to_vec()).collect();
    let ends: Vec<Instant> = marks.iter().map(|mark| mark.until).collect();
    let fresh = sqlx::query_scalar!(
        r#"INSERT INTO used_once (digest, expires_at)
           SELECT digest, expires_at FROM unnest($1::bytea[], $2::timestamptz[]) AS t (digest, expires_at)
           ORDER BY digest ON CONFLICT DO NOTHING RETURNING digest"#,
        &digests,
        &ends
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(fresh.into_iter().filter_map(|digest| digest.try_into().ok()).collect())
}

/// Forgets what would be refused as expired anyway, and what was revoked and is over.
pub async fn forget(tx: &mut Tx, before: Instant, most: i64) -> Result<u64> {
    let done = sqlx::query!(
        "DELETE FROM used_once WHERE digest IN
             (SELECT digest FROM used_once WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)",
        before,
        most
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}
