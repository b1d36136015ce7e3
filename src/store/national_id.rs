//! Trips to the national e-ID, the accounts behind citizens, and the account levels that it reported.

use super::{Result, Store, StoreError, Tx};
use crate::base::{
    clock::Instant,
    id::{self, Id},
    secret::Sealed,
};
use crate::crypto::digest::Digest;
use crate::identity::assurance::{AccountLevel, Reported};
use uuid::Uuid;

/// The signed token behind a report, under the citizen's key.
pub enum Evidence {}

/// Records that a browser goes to the national e-ID.
pub async fn begin_trip(
    tx: &mut Tx,
    state: &Digest,
    authorization: Id<id::Authorization>,
    at: Instant,
    expires_at: Instant,
) -> Result<()> {
    sqlx::query!(
        r#"INSERT INTO national_id_trip (state_digest, authorization_id, started_at, expires_at)
           VALUES ($1, $2, $3, $4)"#,
        state.as_slice(),
        authorization.uuid(),
        at,
        expires_at
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The sign-in that a trip belongs to, ended or not.
pub async fn find_trip(store: &Store, state: &Digest) -> Result<Option<Id<id::Authorization>>> {
    let found = sqlx::query_scalar!(
        "SELECT authorization_id FROM national_id_trip WHERE state_digest = $1",
        state.as_slice()
    )
    .fetch_optional(&store.pool)
    .await?;
    Ok(found.map(Id::from_uuid))
}

/// Ends a trip of that sign-in; false when it ended before, is over, or belongs to another.
pub async fn end_trip(
    tx: &mut Tx,
    state: &Digest,
    authorization: Id<id::Authorization>,
    at: Instant,
) -> Result<bool> {
    let done = sqlx::query!(
        r#"UPDATE national_id_trip SET ended_at = $3
           WHERE state_digest = $1 AND authorization_id = $2 AND ended_at IS NULL AND $3 < expires_at"#,
        state.as_slice(),
        authorization.uuid(),
        at
    )
    .execute(tx.conn())
    .await?;
    Ok(super::moved_one(&done))
}

/// Forgets trips whose time was over before `before`; how many.
pub async fn forget_trips(tx: &mut Tx, before: Instant) -> Result<u64> {
    let done =
        sqlx::query!("DELETE FROM national_id_trip WHERE expires_at < $1", before).execute(tx.conn()).await?;
    Ok(done.rows_affected())
}

/// Links an account to a citizen unless it is linked already; whose it is now.
pub async fn link(
    tx: &mut Tx,
    account: &Digest,
    citizen: Id<id::Citizen>,
    at: Instant,
) -> Result<Id<id::Citizen>> {
    let owner = sqlx::query_scalar!(
        r#"INSERT INTO national_id_account (account_hash, citizen_id, linked_at) VALUES ($1, $2, $3)
           ON CONFLICT (account_hash) DO UPDATE SET account_hash = EXCLUDED.account_hash
           RETURNING citizen_id"#,
        account.as_slice(),
        citizen.uuid(),
        at
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(Id::from_uuid(owner))
}

/// Keeps a report.
pub async fn insert_report(
    tx: &mut Tx,
    id: Uuid,
    citizen: Id<id::Citizen>,
    reported: &Reported,
    evidence: &Sealed<Evidence>,
) -> Result<()> {
    sqlx::query!(
        r#"INSERT INTO account_level_report (id, citizen_id, level, reported_at, sealed, generation)
           VALUES ($1, $2, $3, $4, $5, $6)"#,
        id,
        citizen.uuid(),
        i16::from(reported.level.number()),
        reported.at,
        evidence.bytes(),
        evidence.key().cast_signed()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The newest report about a citizen.
pub async fn latest_report(tx: &mut Tx, citizen: Id<id::Citizen>) -> Result<Option<Reported>> {
    let row = sqlx::query!(
        r#"SELECT level, reported_at FROM account_level_report WHERE citizen_id = $1
           ORDER BY reported_at DESC LIMIT 1"#,
        citizen.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| {
        let level = u8::try_from(row.level).ok().and_then(AccountLevel::of);
        let level = level.ok_or_else(|| StoreError::corrupt("account_level_report", "level", citizen))?;
        Ok(Reported { level, at: row.reported_at })
    })
    .transpose()
}
