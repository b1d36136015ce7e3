//! Questions that the register did not answer and that are asked again.

use super::{Result, StoreError, Tx, moved_one};
use crate::base::{
    clock::Instant,
    id::{Agency, Client, Id, Verification},
    secret::Sealed,
};
use uuid::Uuid;

/// The question, under the agency's key.
pub enum Asked {}

/// One question that waits.
#[derive(Debug, Clone)]
pub struct Unconfirmed {
    /// The answer `source_unavailable` that was given.
    pub verification: Id<Verification>,
    /// Who asked.
    pub agency: Id<Agency>,
    /// By which system.
    pub client: Id<Client>,
    /// When.
    pub asked_at: Instant,
    /// What.
    pub sealed: Sealed<Asked>,
    /// How often it was asked again.
    pub attempts: i16,
}

/// Queues questions: one statement for any number.
pub async fn insert_all(tx: &mut Tx, rows: &[Unconfirmed], due: Instant) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = rows.iter().map(|r| r.verification.uuid()).collect();
    let agencies: Vec<Uuid> = rows.iter().map(|r| r.agency.uuid()).collect();
    let clients: Vec<Uuid> = rows.iter().map(|r| r.client.uuid()).collect();
    let at: Vec<Instant> = rows.iter().map(|r| r.asked_at).collect();
    let sealed: Vec<&[u8]> = rows.iter().map(|r| r.sealed.bytes()).collect();
    let generations: Vec<i32> =
        rows.iter().map(|r| i32::try_from(r.sealed.key()).unwrap_or(i32::MAX)).collect();
    sqlx::query!(
        r#"INSERT INTO unconfirmed (verification_id, agency_id, client_id, asked_at, sealed, generation, due_at)
           SELECT verification_id, agency_id, client_id, asked_at, sealed, generation, $7
           FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::timestamptz[], $5::bytea[], $6::integer[])
               AS u (verification_id, agency_id, client_id, asked_at, sealed, generation)"#,
        &ids,
        &agencies,
        &clients,
        &at,
        &sealed as &[&[u8]],
        &generations,
        due
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Takes those that are due, and leaves them alone until `held`.
pub async fn take_due(tx: &mut Tx, now: Instant, held: Instant, most: i64) -> Result<Vec<Unconfirmed>> {
    let rows = sqlx::query!(
        r#"UPDATE unconfirmed u SET due_at = $2, attempts = attempts + 1
           FROM (SELECT verification_id FROM unconfirmed WHERE finished_at IS NULL AND due_at <= $1
                 ORDER BY due_at, verification_id LIMIT $3 FOR UPDATE SKIP LOCKED) d
           WHERE u.verification_id = d.verification_id
           RETURNING u.verification_id, u.agency_id, u.client_id, u.asked_at, u.sealed, u.generation, u.attempts"#,
        now,
        held,
        most
    )
    .fetch_all(tx.conn())
    .await?;
    let row = rows.into_iter().map(|row| {
        let verification: Id<Verification> = Id::from_uuid(row.verification_id);
        let generation = u32::try_from(row.generation)
            .map_err(|_| StoreError::corrupt("unconfirmed", "generation", verification))?;
        Ok(Unconfirmed {
            verification,
            agency: Id::from_uuid(row.agency_id),
            client: Id::from_uuid(row.client_id),
            asked_at: row.asked_at,
            sealed: Sealed::new(row.sealed, generation),
            attempts: row.attempts,
        })
    });
    row.collect()
}

/// Lets one wait longer.
pub async fn put_off(tx: &mut Tx, verification: Id<Verification>, due: Instant) -> Result<()> {
    sqlx::query!("UPDATE unconfirmed SET due_at = $2 WHERE verification_id = $1", verification.uuid(), due)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Ends one, and forgets what was asked; false when somebody else ended it before.
pub async fn finish(
    tx: &mut Tx,
    verification: Id<Verification>,
    answer: Option<Id<Verification>>,
    at: Instant,
) -> Result<bool> {
    let done = sqlx::query!(
        r#"UPDATE unconfirmed SET finished_at = $3, answer_id = $2, sealed = ''
           WHERE verification_id = $1 AND finished_at IS NULL"#,
        verification.uuid(),
        answer.map(Id::uuid),
        at
    )
    .execute(tx.conn())
    .await?;
    Ok(moved_one(&done))
}

/// What became of one: `None` if it was never queued, else whether it is over, and the answer.
pub async fn state_of(
    tx: &mut Tx,
    verification: Id<Verification>,
) -> Result<Option<(bool, Option<Id<Verification>>)>> {
    let row = sqlx::query!(
        "SELECT finished_at, answer_id FROM unconfirmed WHERE verification_id = $1",
        verification.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| (row.finished_at.is_some(), row.answer_id.map(Id::from_uuid))))
}
