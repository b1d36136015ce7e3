//! Slips and sheets of the counter.

use super::{Result, StoreError, Tx, moved_one};
use crate::base::{
    clock::Instant,
    id::{self, Agency, Citizen, Id},
    secret::Sealed,
};
use crate::crypto::digest::Digest;
use uuid::Uuid;

/// A slip about to be printed.
#[derive(Debug, Clone, Copy)]
pub struct NewSlip {
    /// Its identifier.
    pub id: Id<id::Slip>,
    /// For whom.
    pub citizen: Id<Citizen>,
    /// Where.
    pub agency: Id<Agency>,
    /// By whom.
    pub officer: Id<Citizen>,
    /// When.
    pub issued_at: Instant,
    /// Until when it can be typed.
    pub expires_at: Instant,
}

/// Keeps a slip; those before it are worth nothing any more.
pub async fn insert_slip(tx: &mut Tx, slip: &NewSlip, code: &Digest) -> Result<()> {
    sqlx::query!(
        "UPDATE recovery_slip SET used_at = $2 WHERE citizen_id = $1 AND used_at IS NULL",
        slip.citizen.uuid(),
        slip.issued_at
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        r#"INSERT INTO recovery_slip (id, citizen_id, agency_id, officer_id, code_digest, issued_at, expires_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7)"#,
        slip.id.uuid(),
        slip.citizen.uuid(),
        slip.agency.uuid(),
        slip.officer.uuid(),
        code.as_slice(),
        slip.issued_at,
        slip.expires_at
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Uses a citizen's slip up; nothing when it is another's, too old, or used.
pub async fn use_slip(
    tx: &mut Tx,
    citizen: Id<Citizen>,
    code: &Digest,
    now: Instant,
) -> Result<Option<Id<id::Slip>>> {
    let used = sqlx::query_scalar!(
        r#"UPDATE recovery_slip SET used_at = $3
           WHERE citizen_id = $1 AND code_digest = $2 AND used_at IS NULL AND expires_at > $3 RETURNING id"#,
        citizen.uuid(),
        code.as_slice(),
        now
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(used.map(Id::from_uuid))
}

/// What a sheet says: JSON under the citizen's key.
pub enum SheetText {}

/// Where a sheet stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SheetState {
    /// On paper, unsigned.
    Printed,
    /// Signed by hand.
    Signed,
    /// Not signed, or thrown away.
    Void,
}

impl SheetState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Printed, Self::Signed, Self::Void];

    /// Its name in rows.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Printed => "printed",
            Self::Signed => "signed",
            Self::Void => "void",
        }
    }
}

/// A sheet as its row holds it.
#[derive(Debug, Clone)]
pub struct StoredSheet {
    /// Its identifier.
    pub id: Id<id::Sheet>,
    /// As it stands on the paper.
    pub number: String,
    /// Who agrees.
    pub citizen: Id<Citizen>,
    /// Where.
    pub agency: Id<Agency>,
    /// Before whom.
    pub officer: Id<Citizen>,
    /// What it says.
    pub text: Sealed<SheetText>,
    /// The request that a phone would have been asked to approve.
    pub object: Option<Uuid>,
    /// When it was printed.
    pub printed_at: Instant,
    /// Where it stands.
    pub state: SheetState,
}

/// Keeps a sheet that is printed now.
pub async fn insert_sheet(tx: &mut Tx, sheet: &StoredSheet) -> Result<()> {
    sqlx::query!(
        r#"INSERT INTO sheet (id, number, citizen_id, agency_id, officer_id, sealed, generation, object, printed_at, state)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"#,
        sheet.id.uuid(),
        sheet.number,
        sheet.citizen.uuid(),
        sheet.agency.uuid(),
        sheet.officer.uuid(),
        sheet.text.bytes(),
        sheet.text.key().cast_signed(),
        sheet.object,
        sheet.printed_at,
        sheet.state.word()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A sheet of that officer; nobody else ends it before this transaction does.
pub async fn find_sheet(tx: &mut Tx, officer: Id<Citizen>, id: Id<id::Sheet>) -> Result<Option<StoredSheet>> {
    let row = sqlx::query!(
        r#"SELECT id, number, citizen_id, agency_id, officer_id, sealed, generation, object, printed_at, state
           FROM sheet WHERE id = $1 AND officer_id = $2 FOR UPDATE"#,
        id.uuid(),
        officer.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let state = SheetState::ALL.into_iter().find(|state| state.word() == row.state);
    Ok(Some(StoredSheet {
        id,
        number: row.number,
        citizen: Id::from_uuid(row.citizen_id),
        agency: Id::from_uuid(row.agency_id),
        officer: Id::from_uuid(row.officer_id),
        text: Sealed::new(row.sealed, row.generation.cast_unsigned()),
        object: row.object,
        printed_at: row.printed_at,
        state: state.ok_or_else(|| StoreError::corrupt("sheet", "state", id))?,
    }))
}

/// Ends a printed sheet; false when it was ended before.
pub async fn end_sheet(tx: &mut Tx, id: Id<id::Sheet>, state: SheetState, at: Instant) -> Result<bool> {
    let done = sqlx::query!(
        "UPDATE sheet SET state = $2, ended_at = $3 WHERE id = $1 AND state = 'printed'",
        id.uuid(),
        state.word(),
        at
    )
    .execute(tx.conn())
    .await?;
    Ok(moved_one(&done))
}
