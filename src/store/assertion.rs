//! Client assertions that have been used.

use super::{Result, Store, Tx};
use crate::base::{
    clock::Instant,
    id::{self, Id},
};
use crate::crypto::digest::Digest;

/// Uses up an assertion; false when it was used before. It is used up even if the request around it is refused later,
/// so it stands by itself and not in the transaction of that request.
pub async fn use_up(store: &Store, client: Id<id::Client>, jti: &Digest, until: Instant) -> Result<bool> {
    let done = sqlx::query!(
        r#"INSERT INTO used_assertion (client_id, jti_digest, expires_at) VALUES ($1, $2, $3)
           ON CONFLICT DO NOTHING"#,
        client.uuid(),
        jti.as_slice(),
        until
    )
    .execute(&store.pool)
    .await?;
    Ok(super::moved_one(&done))
}

/// Forgets assertions that would be refused as expired anyway.
pub async fn forget(tx: &mut Tx, before: Instant) -> Result<u64> {
    let done =
        sqlx::query!("DELETE FROM used_assertion WHERE expires_at < $1", before).execute(tx.conn()).await?;
    Ok(done.rows_affected())
}
