//! Refresh tokens, by their digests; the family is the sign-in they come from.

use super::{Result, StoreError, Tx, moved_one};
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

/// On what a family rests.
pub struct Rests {
    /// The sign-in.
    pub authorization: Id<id::Authorization>,
    /// The person.
    pub citizen: Id<id::Citizen>,
    /// The session that they signed in under.
    pub session: Id<id::Session>,
    /// What they agreed to.
    pub consent: Id<id::Consent>,
}

/// On what the families of these tokens rest as long as they stand, by citizen in ascending order.
pub async fn rests_on(tx: &mut Tx, digests: &[Digest]) -> Result<Vec<Rests>> {
    let asked: Vec<&[u8]> = digests.iter().map(Digest::as_slice).collect();
    let rows = sqlx::query!(
        r#"SELECT a.id AS "id!", a.citizen_id AS "citizen_id!", a.session_id AS "session_id!",
                  a.consent_id AS "consent_id!"
           FROM unnest($1::bytea[]) AS t (digest)
           JOIN LATERAL (
               SELECT authorization_id FROM refresh_token WHERE digest = t.digest LIMIT 1) r ON true
           JOIN LATERAL (
               SELECT id, citizen_id, session_id, consent_id, state FROM "authorization"
               WHERE id = r.authorization_id LIMIT 1) a ON true
           WHERE a.state = 'exchanged' ORDER BY a.citizen_id, a.id"#,
        &asked as &[&[u8]]
    )
    .fetch_all(tx.conn())
    .await?;
    let rests = rows.into_iter().map(|row| Rests {
        authorization: Id::from_uuid(row.id),
        citizen: Id::from_uuid(row.citizen_id),
        session: Id::from_uuid(row.session_id),
        consent: Id::from_uuid(row.consent_id),
    });
    Ok(rests.collect())
}

/// A token that somebody shows.
pub struct Shown {
    /// Its digest.
    pub digest: Digest,
    /// How it stands.
    pub stored: StoredRefresh,
    /// Whether its sign-in is somebody's in another's name.
    pub acting: bool,
}

/// The tokens of these digests, used or not: one statement.
pub async fn find_all(tx: &mut Tx, digests: &[Digest]) -> Result<Vec<Shown>> {
    let asked: Vec<&[u8]> = digests.iter().map(Digest::as_slice).collect();
    let rows = sqlx::query!(
        r#"SELECT r.digest, r.authorization_id, r.issued_at, r.expires_at, r.used_at,
                  (p.principal_id IS NOT NULL) AS "acting!"
           FROM refresh_token r
           LEFT JOIN LATERAL (
               SELECT principal_id FROM authorization_principal
               WHERE authorization_id = r.authorization_id LIMIT 1) p ON true
           WHERE r.digest = ANY($1)"#,
        &asked as &[&[u8]]
    )
    .fetch_all(tx.conn())
    .await?;
    let shown = rows.into_iter().map(|row| {
        let authorization = Id::from_uuid(row.authorization_id);
        let corrupt = || StoreError::corrupt("refresh_token", "digest", authorization);
        let digest = row.digest.try_into().map_err(|_| corrupt())?;
        let (issued_at, expires_at, used_at) = (row.issued_at, row.expires_at, row.used_at);
        let stored = StoredRefresh { authorization, issued_at, expires_at, used_at };
        Ok(Shown { digest, stored, acting: row.acting })
    });
    shown.collect()
}

/// Replaces tokens by others of their families; the caller holds these and has seen that none was used.
pub async fn replace_all(
    tx: &mut Tx,
    replaced: &[(Digest, Digest, StoredRefresh)],
    at: Instant,
) -> Result<()> {
    let used: Vec<&[u8]> = replaced.iter().map(|(used, ..)| used.as_slice()).collect();
    let next: Vec<&[u8]> = replaced.iter().map(|(_, next, _)| next.as_slice()).collect();
    let of: Vec<Uuid> = replaced.iter().map(|(.., token)| token.authorization.uuid()).collect();
    let ends: Vec<Instant> = replaced.iter().map(|(.., token)| token.expires_at).collect();
    sqlx::query!(
        "WITH used AS (UPDATE refresh_token SET used_at = $5 WHERE digest = ANY($1) AND used_at IS NULL)
         INSERT INTO refresh_token (digest, authorization_id, issued_at, expires_at)
         SELECT digest, authorization_id, $5, expires_at
         FROM unnest($2::bytea[], $3::uuid[], $4::timestamptz[]) AS n (digest, authorization_id, expires_at)",
        &used as &[&[u8]],
        &next as &[&[u8]],
        &of,
        &ends,
        at
    )
    .execute(tx.conn())
    .await?;
    Ok(())
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
