//! The browsers in which a number's holder signed in before.

use super::{Result, Tx};
use crate::base::clock::Instant;
use crate::crypto::digest::Digest;

/// Whether the number's holder signed in at that browser before.
pub async fn knows(tx: &mut Tx, browser: &Digest, number_hash: &Digest) -> Result<bool> {
    let found = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM familiar_browser WHERE digest = $1 AND number_hash = $2) AS "found!""#,
        browser.as_slice(),
        number_hash.as_slice()
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(found)
}

/// Remembers that the number's holder signed in there now; false when they had done so before.
pub async fn remember(tx: &mut Tx, browser: &Digest, number_hash: &Digest, at: Instant) -> Result<bool> {
    let new = sqlx::query_scalar!(
        r#"INSERT INTO familiar_browser (digest, number_hash, since, last_at) VALUES ($1, $2, $3, $3)
           ON CONFLICT (digest, number_hash) DO UPDATE SET last_at = EXCLUDED.last_at
           RETURNING since = last_at AS "new!""#,
        browser.as_slice(),
        number_hash.as_slice(),
        at
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(new)
}

/// Forgets every browser of a number.
pub async fn forget(tx: &mut Tx, number_hash: &Digest) -> Result<()> {
    sqlx::query!("DELETE FROM familiar_browser WHERE number_hash = $1", number_hash.as_slice())
        .execute(tx.conn())
        .await?;
    Ok(())
}
