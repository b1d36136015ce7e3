//! What citizens take home from negative answers.

use super::{Result, Store, StoreError, Tx};
use crate::base::{
    clock::Instant,
    id::{Agency, Id},
    reference::Reference,
    secret::Sealed,
};
use crate::identity::verification::State;
use uuid::Uuid;

/// Purpose, procedure and dossier, under the agency's key.
pub enum Slip {}

/// One slip.
#[derive(Debug, Clone)]
pub struct SlipRow {
    /// What opens it.
    pub reference: Reference,
    /// Who asked.
    pub agency: Id<Agency>,
    /// When it was answered.
    pub at: Instant,
    /// What was answered.
    pub state: State,
    /// What for.
    pub sealed: Sealed<Slip>,
}

/// Keeps slips: one statement for any number.
pub async fn insert_all(tx: &mut Tx, slips: &[SlipRow]) -> Result<()> {
    if slips.is_empty() {
        return Ok(());
    }
    let references: Vec<&str> = slips.iter().map(|s| s.reference.as_str()).collect();
    let agencies: Vec<Uuid> = slips.iter().map(|s| s.agency.uuid()).collect();
    let at: Vec<Instant> = slips.iter().map(|s| s.at).collect();
    let states: Vec<&str> = slips.iter().map(|s| s.state.word()).collect();
    let sealed: Vec<&[u8]> = slips.iter().map(|s| s.sealed.bytes()).collect();
    let generations: Vec<i32> =
        slips.iter().map(|s| i32::try_from(s.sealed.key()).unwrap_or(i32::MAX)).collect();
    sqlx::query!(
        r#"INSERT INTO slip (reference, agency_id, at, state, sealed, generation)
           SELECT reference, agency_id, at, state, sealed, generation
           FROM unnest($1::text[], $2::uuid[], $3::timestamptz[], $4::text[], $5::bytea[], $6::integer[])
               AS s (reference, agency_id, at, state, sealed, generation)"#,
        &references as &[&str],
        &agencies,
        &at,
        &states as &[&str],
        &sealed as &[&[u8]],
        &generations
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The slip of that reference.
pub async fn find(store: &Store, reference: Reference) -> Result<Option<SlipRow>> {
    let row = sqlx::query!(
        "SELECT agency_id, at, state, sealed, generation FROM slip WHERE reference = $1",
        reference.as_str()
    )
    .fetch_optional(&store.pool)
    .await?;
    row.map(|row| {
        let corrupt = |column| StoreError::corrupt("slip", column, reference.as_str());
        let generation = u32::try_from(row.generation).map_err(|_| corrupt("generation"))?;
        Ok(SlipRow {
            reference,
            agency: Id::from_uuid(row.agency_id),
            at: row.at,
            state: State::of(&row.state).ok_or_else(|| corrupt("state"))?,
            sealed: Sealed::new(row.sealed, generation),
        })
    })
    .transpose()
}
