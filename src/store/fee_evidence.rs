//! What granted reductions rested on, and whether it still does.

use super::{Result, StoreError, Tx};
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{Agency, Bill, Citizen, Evidence, Id, Verification},
    money::Money,
    secret::Sealed,
};
use time::Date;
use uuid::Uuid;

/// Why evidence was revoked, in the officer's words.
pub enum Reason {}

/// One reduction that was granted on a verified fact.
#[derive(Debug, Clone)]
pub struct StoredEvidence {
    /// Its identifier.
    pub id: Id<Evidence>,
    /// The agency of the bill.
    pub agency: Id<Agency>,
    /// The bill.
    pub bill: Id<Bill>,
    /// The line, counted from nothing.
    pub line: usize,
    /// The reduction.
    pub adjustment: String,
    /// Whose fact counted.
    pub whose: String,
    /// What had to be true.
    pub condition: String,
    /// Which date governed, and which day that was.
    pub governing: (String, Day),
    /// The answer of the register that the fact was taken from.
    pub verification: Id<Verification>,
    /// What the reduction took off.
    pub saving: Money,
    /// When it was granted.
    pub at: Instant,
    /// When it was revoked, and the bill for the difference.
    pub revoked: Option<(Instant, Id<Bill>)>,
}

/// Keeps what reductions rest on.
pub async fn insert(tx: &mut Tx, evidence: &[StoredEvidence]) -> Result<()> {
    if evidence.is_empty() {
        return Ok(());
    }
    let uuid = |f: fn(&StoredEvidence) -> Uuid| evidence.iter().map(f).collect::<Vec<_>>();
    let text = |f: fn(&StoredEvidence) -> String| evidence.iter().map(f).collect::<Vec<_>>();
    let lines: Vec<i32> = evidence.iter().map(|e| i32::try_from(e.line).unwrap_or(i32::MAX)).collect();
    let days: Vec<Date> = evidence.iter().map(|e| e.governing.1.date()).collect();
    let savings: Vec<i64> = evidence.iter().map(|e| e.saving.minor()).collect();
    let ats: Vec<Instant> = evidence.iter().map(|e| e.at).collect();
    sqlx::query!(
        "insert into fee_evidence (id, agency_id, bill_id, line, adjustment, whose_fact, condition, governing_date,
             governing_day, verification_id, saving, at)
         select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::integer[], $5::text[], $6::text[], $7::text[],
             $8::text[], $9::date[], $10::uuid[], $11::bigint[], $12::timestamptz[])",
        &uuid(|e| e.id.uuid()),
        &uuid(|e| e.agency.uuid()),
        &uuid(|e| e.bill.uuid()),
        &lines,
        &text(|e| e.adjustment.clone()),
        &text(|e| e.whose.clone()),
        &text(|e| e.condition.clone()),
        &text(|e| e.governing.0.clone()),
        &days,
        &uuid(|e| e.verification.uuid()),
        &savings,
        &ats,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What the reductions of an agency's bill rest on.
pub async fn of_bill(tx: &mut Tx, bill: Id<Bill>) -> Result<Vec<StoredEvidence>> {
    let rows = sqlx::query_as!(
        Row,
        "select id, agency_id, bill_id, line, adjustment, whose_fact, condition, governing_date, governing_day,
             verification_id, saving, at, revoked_at, difference_id
         from fee_evidence where bill_id = $1 order by line, id",
        bill.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(StoredEvidence::try_from).collect()
}

/// Forgets what the reductions of a bill rested on that is charged anew; what was revoked stays.
pub async fn forget(tx: &mut Tx, bill: Id<Bill>) -> Result<()> {
    sqlx::query!("delete from fee_evidence where bill_id = $1 and revoked_at is null", bill.uuid())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// The bill of a piece of evidence, and whose that is.
pub async fn bill_of(tx: &mut Tx, id: Id<Evidence>) -> Result<Option<(Id<Bill>, Id<Agency>)>> {
    let row = sqlx::query!("select bill_id, agency_id from fee_evidence where id = $1", id.uuid())
        .fetch_optional(tx.conn())
        .await?;
    Ok(row.map(|row| (Id::from_uuid(row.bill_id), Id::from_uuid(row.agency_id))))
}

/// One piece of evidence of the agency, locked.
pub async fn lock(tx: &mut Tx, agency: Id<Agency>, id: Id<Evidence>) -> Result<Option<StoredEvidence>> {
    let row = sqlx::query_as!(
        Row,
        "select id, agency_id, bill_id, line, adjustment, whose_fact, condition, governing_date, governing_day,
             verification_id, saving, at, revoked_at, difference_id
         from fee_evidence where id = $1 and agency_id = $2 for update",
        id.uuid(),
        agency.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(StoredEvidence::try_from).transpose()
}

/// Revokes evidence, which is that agency's from then on; the difference has a bill of its own.
pub async fn revoke(
    tx: &mut Tx,
    (id, agency): (Id<Evidence>, Id<Agency>),
    by: Id<Citizen>,
    reason: &Sealed<Reason>,
    difference: Id<Bill>,
    at: Instant,
) -> Result<bool> {
    let done = sqlx::query!(
        "update fee_evidence set revoked_at = $2, revoked_by = $3, reason = $4, key = $5, difference_id = $6, agency_id = $7
         where id = $1 and revoked_at is null",
        id.uuid(),
        at,
        by.uuid(),
        reason.bytes(),
        reason.key().cast_signed(),
        difference.uuid(),
        agency.uuid(),
    )
    .execute(tx.conn())
    .await?;
    Ok(super::moved_one(&done))
}

struct Row {
    id: Uuid,
    agency_id: Uuid,
    bill_id: Uuid,
    line: i32,
    adjustment: String,
    whose_fact: String,
    condition: String,
    governing_date: String,
    governing_day: Date,
    verification_id: Uuid,
    saving: i64,
    at: Instant,
    revoked_at: Option<Instant>,
    difference_id: Option<Uuid>,
}

impl TryFrom<Row> for StoredEvidence {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self> {
        let id = Id::from_uuid(row.id);
        Ok(Self {
            id,
            agency: Id::from_uuid(row.agency_id),
            bill: Id::from_uuid(row.bill_id),
            line: usize::try_from(row.line).map_err(|_| StoreError::corrupt("fee_evidence", "line", id))?,
            adjustment: row.adjustment,
            whose: row.whose_fact,
            condition: row.condition,
            governing: (row.governing_date, Day::from_date(row.governing_day)),
            verification: Id::from_uuid(row.verification_id),
            saving: Money::vnd(row.saving),
            at: row.at,
            revoked: row.revoked_at.zip(row.difference_id.map(Id::from_uuid)),
        })
    }
}
