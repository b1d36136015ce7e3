//! Data keys that an old master key still wraps, and how far their rotation is.

use super::{Result, Store, Tx};
use crate::base::clock::Instant;
use crate::crypto::seal::WrappedKey;
use uuid::Uuid;

/// Whose data key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owners {
    /// People of the register.
    Citizens,
    /// Agencies.
    Agencies,
    /// Our membership in the national payment platform: one row, whose owner's name is fixed.
    Platform,
}

/// What the one key of the membership is bound to.
pub const PLATFORM: Uuid = Uuid::from_bytes(*b"platform member.");

/// A data key and its owner's identifier.
pub struct OwnedKey {
    /// The owner.
    pub owner: Uuid,
    /// The wrapped key.
    pub key: WrappedKey,
}

/// Locks up to `most` data keys that are not wrapped by that generation; those that others hold are left to them.
pub async fn stale(tx: &mut Tx, owners: Owners, generation: u32, most: i64) -> Result<Vec<OwnedKey>> {
    let current = i32::try_from(generation).unwrap_or(i32::MAX);
    let rows: Vec<(Uuid, Vec<u8>, i32)> = match owners {
        Owners::Citizens => sqlx::query!(
            r#"SELECT citizen_id, wrapped_key, key_generation FROM register_person
               WHERE key_generation < $1 ORDER BY key_generation, citizen_id LIMIT $2 FOR UPDATE SKIP LOCKED"#,
            current,
            most
        )
        .fetch_all(tx.conn())
        .await?
        .into_iter()
        .map(|row| (row.citizen_id, row.wrapped_key, row.key_generation))
        .collect(),
        Owners::Agencies => sqlx::query!(
            r#"SELECT id, wrapped_key, key_generation FROM agency
               WHERE key_generation < $1 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED"#,
            current,
            most
        )
        .fetch_all(tx.conn())
        .await?
        .into_iter()
        .map(|row| (row.id, row.wrapped_key, row.key_generation))
        .collect(),
        Owners::Platform => sqlx::query!(
            "SELECT wrapped_key, generation FROM platform_membership WHERE generation < $1 FOR UPDATE SKIP LOCKED",
            current
        )
        .fetch_all(tx.conn())
        .await?
        .into_iter()
        .map(|row| (PLATFORM, row.wrapped_key, row.generation))
        .collect(),
    };
    let key = |bytes, generation: i32| WrappedKey { bytes, generation: generation.cast_unsigned() };
    Ok(rows.into_iter().map(|(owner, bytes, old)| OwnedKey { owner, key: key(bytes, old) }).collect())
}

/// Keeps data keys as they are wrapped now; all by the same generation.
pub async fn rewrap(tx: &mut Tx, owners: Owners, keys: &[OwnedKey], generation: u32) -> Result<()> {
    let ids: Vec<Uuid> = keys.iter().map(|key| key.owner).collect();
    let bytes: Vec<&[u8]> = keys.iter().map(|key| key.key.bytes.as_slice()).collect();
    let generation = i32::try_from(generation).unwrap_or(i32::MAX);
    match owners {
        Owners::Citizens => {
            sqlx::query!(
                r#"UPDATE register_person p SET wrapped_key = k.bytes, key_generation = $3
                   FROM unnest($1::uuid[], $2::bytea[]) AS k (id, bytes) WHERE p.citizen_id = k.id"#,
                &ids,
                &bytes as &[&[u8]],
                generation
            )
            .execute(tx.conn())
            .await?
        }
        Owners::Agencies => {
            sqlx::query!(
                r#"UPDATE agency a SET wrapped_key = k.bytes, key_generation = $3
                   FROM unnest($1::uuid[], $2::bytea[]) AS k (id, bytes) WHERE a.id = k.id"#,
                &ids,
                &bytes as &[&[u8]],
                generation
            )
            .execute(tx.conn())
            .await?
        }
        Owners::Platform => {
            sqlx::query!(
                "UPDATE platform_membership SET wrapped_key = $1, generation = $2",
                bytes.first().copied(),
                generation
            )
            .execute(tx.conn())
            .await?
        }
    };
    Ok(())
}

/// Notes that a rotation to that generation goes on, and adds to its count.
pub async fn note_progress(tx: &mut Tx, generation: u32, rewrapped: i64, at: Instant) -> Result<()> {
    sqlx::query!(
        r#"INSERT INTO key_rotation (generation, started_at, rewrapped) VALUES ($1, $2, $3)
           ON CONFLICT (generation) DO UPDATE SET rewrapped = key_rotation.rewrapped + EXCLUDED.rewrapped"#,
        i32::try_from(generation).unwrap_or(i32::MAX),
        at,
        rewrapped
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Notes that a rotation is done; true the first time.
pub async fn note_finished(tx: &mut Tx, generation: u32, at: Instant) -> Result<bool> {
    let done = sqlx::query!(
        "UPDATE key_rotation SET finished_at = $2 WHERE generation = $1 AND finished_at IS NULL",
        i32::try_from(generation).unwrap_or(i32::MAX),
        at
    )
    .execute(tx.conn())
    .await?;
    Ok(super::moved_one(&done))
}

/// How many data keys each generation of the master key wraps, the oldest first.
pub async fn by_generation(store: &Store) -> Result<Vec<(u32, i64)>> {
    let rows = sqlx::query!(
        r#"SELECT key_generation AS "generation!", count(*) AS "keys!" FROM (
               SELECT key_generation FROM register_person UNION ALL SELECT key_generation FROM agency
               UNION ALL SELECT generation FROM platform_membership) k
           GROUP BY key_generation ORDER BY key_generation"#
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(rows.into_iter().map(|row| (row.generation.cast_unsigned(), row.keys)).collect())
}

/// How many messages wait that may be sealed under any generation: they carry their own wrapped key.
pub async fn waiting_messages(store: &Store) -> Result<i64> {
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM outbox WHERE topic = 'message' AND state = 'pending'"#
    )
    .fetch_one(&store.pool)
    .await?;
    Ok(count)
}
