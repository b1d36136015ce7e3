//! Requests that portals pushed, until a browser brings their name.

use super::{Result, Store, Tx};
use crate::base::{
    clock::Instant,
    id::{self, Id},
};
use crate::crypto::digest::Digest;

/// A pushed request.
pub struct PushedRequest {
    /// The digest of its name.
    pub digest: Digest,
    /// Who pushed it.
    pub client: Id<id::Client>,
    /// The sealed parameters.
    pub body: Vec<u8>,
    /// The key that the code will be bound to.
    pub dpop_jkt: Option<String>,
    /// Until when it waits.
    pub expires_at: Instant,
}

/// Keeps a request, by one statement.
pub async fn insert(store: &Store, request: &PushedRequest) -> Result<()> {
    sqlx::query!(
        r#"INSERT INTO pushed_request (digest, client_id, body, dpop_jkt, expires_at) VALUES ($1, $2, $3, $4, $5)"#,
        request.digest.as_slice(),
        request.client.uuid(),
        request.body,
        request.dpop_jkt,
        request.expires_at
    )
    .execute(&store.pool)
    .await?;
    Ok(())
}

/// The request of that name, if this client pushed it and it still waits: its sealed parameters, and the key that it is
/// bound to.
pub async fn find(
    store: &Store,
    digest: &Digest,
    client: Id<id::Client>,
    now: Instant,
) -> Result<Option<(Vec<u8>, Option<String>)>> {
    let row = sqlx::query!(
        r#"SELECT body, dpop_jkt FROM pushed_request
           WHERE digest = $1 AND client_id = $2 AND expires_at > $3 AND used_at IS NULL"#,
        digest.as_slice(),
        client.uuid(),
        now
    )
    .fetch_optional(&store.pool)
    .await?;
    Ok(row.map(|row| (row.body, row.dpop_jkt)))
}

/// Uses up the request that a sign-in came from, if it came from one: it is answered now. False when another sign-in
/// from the same request was answered before; of two at once one waits and sees it used.
pub async fn use_up(tx: &mut Tx, authorization: Id<id::Authorization>, now: Instant) -> Result<bool> {
    let first = sqlx::query_scalar!(
        r#"WITH pushed AS (
               SELECT pushed_digest AS digest FROM "authorization" WHERE id = $1 AND pushed_digest IS NOT NULL
           ), used AS (
               UPDATE pushed_request SET used_at = $2
               WHERE digest = (SELECT digest FROM pushed) AND used_at IS NULL RETURNING digest
           )
           SELECT (NOT EXISTS (SELECT FROM pushed) OR EXISTS (SELECT FROM used)) AS "first!""#,
        authorization.uuid(),
        now
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(first)
}

/// Forgets requests that nobody came for.
pub async fn forget(tx: &mut Tx, before: Instant, most: i64) -> Result<u64> {
    let done = sqlx::query!(
        "DELETE FROM pushed_request WHERE digest IN
             (SELECT digest FROM pushed_request WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)",
        before,
        most
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}
