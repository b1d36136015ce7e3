//! Readings of chip cards by officers, and the one use of each.

use super::{Result, StoreError, Tx};
use crate::base::{
    clock::Instant,
    id::{self, Id},
    secret::Sealed,
};
use crate::identity::card::{Need, Verdict};
use uuid::Uuid;

/// The signed result with its salt, under the agency's key.
pub enum SignedResult {}

/// One reading.
pub struct CardCheckRow {
    /// Its identifier.
    pub id: Id<id::CardCheck>,
    /// When the card was read.
    pub at: Instant,
    /// Where.
    pub agency: Id<id::Agency>,
    /// By whom.
    pub officer: Id<id::Citizen>,
    /// Whose card, if it is genuine and on record.
    pub citizen: Option<Id<id::Citizen>>,
    /// How it ended.
    pub verdict: Verdict,
    /// The signed result.
    pub sealed: Sealed<SignedResult>,
    /// When it was used, and for what.
    pub used: Option<(Instant, String)>,
}

/// Records a reading.
pub async fn insert(tx: &mut Tx, row: &CardCheckRow) -> Result<()> {
    sqlx::query!(
        r#"INSERT INTO card_check (id, at, agency_id, officer_id, citizen_id, verdict, sealed, generation)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"#,
        row.id.uuid(),
        row.at,
        row.agency.uuid(),
        row.officer.uuid(),
        row.citizen.map(Id::uuid),
        row.verdict.word(),
        row.sealed.bytes(),
        row.sealed.key().cast_signed()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Uses the newest passed check that nobody used and that is not older than `since`; `None` when there is none. Two at
/// once cannot both get it: the row is locked, and whoever waited sees it used.
pub async fn consume(
    tx: &mut Tx,
    need: &Need,
    since: Instant,
    used_for: &str,
    used_by: Uuid,
    at: Instant,
) -> Result<Option<Id<id::CardCheck>>> {
    let used = sqlx::query_scalar!(
        r#"UPDATE card_check SET used_at = $5, used_for = $6, used_by = $7
           WHERE used_at IS NULL AND id = (
               SELECT id FROM card_check
               WHERE citizen_id = $1 AND officer_id = $2 AND agency_id = $3 AND at > $4
                 AND verdict = 'passed' AND used_at IS NULL
               ORDER BY at DESC LIMIT 1 FOR UPDATE)
           RETURNING id"#,
        need.citizen.uuid(),
        need.officer.uuid(),
        need.agency.uuid(),
        since,
        at,
        used_for,
        used_by
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(used.map(Id::from_uuid))
}

/// One reading at an agency.
pub async fn find(
    tx: &mut Tx,
    agency: Id<id::Agency>,
    id: Id<id::CardCheck>,
) -> Result<Option<CardCheckRow>> {
    let row = sqlx::query_as!(
        Raw,
        r#"SELECT id, at, agency_id, officer_id, citizen_id, verdict, sealed, generation, used_at, used_for
           FROM card_check WHERE id = $1 AND agency_id = $2"#,
        id.uuid(),
        agency.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// The newest readings of an officer at these agencies, the newest first.
pub async fn of_officer(
    tx: &mut Tx,
    officer: Id<id::Citizen>,
    agencies: &[Id<id::Agency>],
    most: i64,
) -> Result<Vec<CardCheckRow>> {
    let agencies: Vec<Uuid> = agencies.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query_as!(
        Raw,
        r#"SELECT id, at, agency_id, officer_id, citizen_id, verdict, sealed, generation, used_at, used_for
           FROM card_check WHERE officer_id = $1 AND agency_id = ANY($2) ORDER BY id DESC LIMIT $3"#,
        officer.uuid(),
        &agencies,
        most
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

struct Raw {
    id: Uuid,
    at: Instant,
    agency_id: Uuid,
    officer_id: Uuid,
    citizen_id: Option<Uuid>,
    verdict: String,
    sealed: Vec<u8>,
    generation: i32,
    used_at: Option<Instant>,
    used_for: Option<String>,
}

impl TryFrom<Raw> for CardCheckRow {
    type Error = StoreError;

    fn try_from(raw: Raw) -> Result<Self> {
        let id = Id::from_uuid(raw.id);
        Ok(Self {
            id,
            at: raw.at,
            agency: Id::from_uuid(raw.agency_id),
            officer: Id::from_uuid(raw.officer_id),
            citizen: raw.citizen_id.map(Id::from_uuid),
            verdict: Verdict::named(&raw.verdict)
                .ok_or_else(|| StoreError::corrupt("card_check", "verdict", id))?,
            sealed: Sealed::new(raw.sealed, raw.generation.cast_unsigned()),
            used: raw.used_at.zip(raw.used_for),
        })
    }
}
