//! Sign-ins that an officer vouches for.

use super::{Result, Tx, moved_one};
use crate::base::{
    clock::Instant,
    id::{self, Agency, Citizen, Id},
};
use crate::crypto::digest::Digest;

/// Shows a code for a sign-in; the one before is worth nothing any more.
pub async fn put_code(
    tx: &mut Tx,
    authorization: Id<id::Authorization>,
    code: &Digest,
    drawn_at: Instant,
    expires_at: Instant,
) -> Result<()> {
    sqlx::query!(
        r#"INSERT INTO vouched_sign_in (authorization_id, code_digest, drawn_at, expires_at) VALUES ($1, $2, $3, $4)
           ON CONFLICT (authorization_id) DO UPDATE
           SET code_digest = EXCLUDED.code_digest, drawn_at = EXCLUDED.drawn_at, expires_at = EXCLUDED.expires_at,
               citizen_id = NULL, officer_id = NULL, agency_id = NULL, vouched_at = NULL, used_at = NULL"#,
        authorization.uuid(),
        code.as_slice(),
        drawn_at,
        expires_at
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The sign-in whose browser shows this code, if nobody has vouched for it yet; held until the transaction ends.
pub async fn by_code(tx: &mut Tx, code: &Digest, now: Instant) -> Result<Option<Id<id::Authorization>>> {
    let found = sqlx::query_scalar!(
        r#"SELECT authorization_id FROM vouched_sign_in
           WHERE code_digest = $1 AND expires_at > $2 AND vouched_at IS NULL FOR UPDATE"#,
        code.as_slice(),
        now
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(found.map(Id::from_uuid))
}

/// Says that an officer saw whose sign-in it is; false when somebody has said so before.
pub async fn vouch(
    tx: &mut Tx,
    authorization: Id<id::Authorization>,
    (citizen, officer, agency): (Id<Citizen>, Id<Citizen>, Id<Agency>),
    at: Instant,
) -> Result<bool> {
    let done = sqlx::query!(
        r#"UPDATE vouched_sign_in SET citizen_id = $2, officer_id = $3, agency_id = $4, vouched_at = $5
           WHERE authorization_id = $1 AND vouched_at IS NULL"#,
        authorization.uuid(),
        citizen.uuid(),
        officer.uuid(),
        agency.uuid(),
        at
    )
    .execute(tx.conn())
    .await?;
    Ok(moved_one(&done))
}

/// Uses up what an officer vouched for; who it is.
pub async fn use_up(
    tx: &mut Tx,
    authorization: Id<id::Authorization>,
    now: Instant,
) -> Result<Option<Id<Citizen>>> {
    let used = sqlx::query_scalar!(
        r#"UPDATE vouched_sign_in SET used_at = $2
           WHERE authorization_id = $1 AND vouched_at IS NOT NULL AND used_at IS NULL AND expires_at > $2
           RETURNING citizen_id AS "citizen!""#,
        authorization.uuid(),
        now
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(used.map(Id::from_uuid))
}

/// Forgets what is over.
pub async fn forget(tx: &mut Tx, before: Instant) -> Result<u64> {
    let done =
        sqlx::query!("DELETE FROM vouched_sign_in WHERE expires_at < $1", before).execute(tx.conn()).await?;
    Ok(done.rows_affected())
}
