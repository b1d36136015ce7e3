//! The life of the versions of the fee schedule; their rows are `super::fee`'s.

use super::{Result, StoreError, Tx};
use crate::{
    base::{
        calendar::Day,
        clock::Instant,
        id::{self, Agency, Citizen, Id},
    },
    crypto::digest::Digest,
    payment::{
        attachment::Attachment,
        fee_version::{AgencyBudget, Life, State},
    },
};
use time::Date;
use uuid::Uuid;

/// A version with its people and its instrument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Its identifier.
    pub id: Id<id::Schedule>,
    /// When it was imported.
    pub imported_at: Instant,
    /// Whose people draft and approve it; nobody's for one from the command line.
    pub agency: Option<Id<Agency>>,
    /// Number and title of the legal instrument.
    pub instrument: Option<String>,
    /// Its text, if it is attached.
    pub attached: Option<Attached>,
    /// Who approved it, and when.
    pub approved: Option<(Id<Citizen>, Instant)>,
    /// Where it stands.
    pub life: Life,
}

/// What is attached to a version, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attached {
    /// Its media type.
    pub media: String,
    /// How many bytes it has.
    pub bytes: i64,
    /// Its digest.
    pub sha256: Vec<u8>,
}

/// Records a draft's people and instrument, in the transaction that inserts its rows.
pub async fn make_draft(
    tx: &mut Tx,
    schedule: Id<id::Schedule>,
    agency: Id<Agency>,
    by: Id<Citizen>,
    instrument: Option<&str>,
) -> Result<()> {
    sqlx::query!(
        "update fee_schedule set state = 'draft', agency_id = $2, drafted_by = $3, instrument = $4 where id = $1",
        schedule.uuid(),
        agency.uuid(),
        by.uuid(),
        instrument,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Attaches the text of the instrument to a draft, with another title if one is given.
pub async fn attach(
    tx: &mut Tx,
    schedule: Id<id::Schedule>,
    title: Option<&str>,
    (file, sha256): (&Attachment, &Digest),
) -> Result<()> {
    sqlx::query!(
        "update fee_schedule set instrument = coalesce($2, instrument), instrument_media = $3, instrument_file = $4,
             instrument_sha256 = $5 where id = $1 and state = 'draft'",
        schedule.uuid(),
        title,
        file.media().as_str(),
        file.bytes(),
        sha256.as_slice(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The text of the instrument: its media type, its bytes and the digest that was kept with them.
pub async fn instrument(
    tx: &mut Tx,
    schedule: Id<id::Schedule>,
) -> Result<Option<(String, Vec<u8>, Vec<u8>)>> {
    let row = sqlx::query!(
        r#"select instrument_media as "media!", instrument_file as "file!", instrument_sha256 as "sha256!"
         from fee_schedule where id = $1 and instrument_file is not null"#,
        schedule.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| (row.media, row.file, row.sha256)))
}

/// One version, locked against whoever else moves it.
pub async fn lock(tx: &mut Tx, schedule: Id<id::Schedule>) -> Result<Option<Version>> {
    let row = sqlx::query_as!(
        Row,
        r#"select id, imported_at, agency_id, instrument, instrument_media,
             octet_length(instrument_file)::bigint as instrument_bytes, instrument_sha256, state, drafted_by, submitted_by,
             approved_by, approved_at, in_force_from, discontinued_from
         from fee_schedule where id = $1 for update"#,
        schedule.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(Version::try_from).transpose()
}

/// Every version, the newest first.
pub async fn list(tx: &mut Tx) -> Result<Vec<Version>> {
    let rows = sqlx::query_as!(
        Row,
        r#"select id, imported_at, agency_id, instrument, instrument_media,
             octet_length(instrument_file)::bigint as instrument_bytes, instrument_sha256, state, drafted_by, submitted_by,
             approved_by, approved_at, in_force_from, discontinued_from
         from fee_schedule order by imported_at desc, id desc limit 200"#,
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(Version::try_from).collect()
}

/// The version in force on a day: of those approved the one that came into force last.
pub async fn in_force(tx: &mut Tx, on: Day) -> Result<Option<Id<id::Schedule>>> {
    let id = sqlx::query_scalar!(
        "select id from fee_schedule
         where state = 'approved' and coalesce(in_force_from <= $1, true) and coalesce(discontinued_from > $1, true)
         order by coalesce(in_force_from, '-infinity') desc, coalesce(approved_at, imported_at) desc, id desc limit 1",
        on.date(),
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(id.map(Id::from_uuid))
}

/// The version that was in force at a moment as far as anybody could know then: one that was approved later that day, from its
/// morning on, was not yet, and one whose end was decided later still was.
pub async fn in_force_then(tx: &mut Tx, at: Instant) -> Result<Option<Id<id::Schedule>>> {
    let id = sqlx::query_scalar!(
        "select id from fee_schedule
         where state = 'approved' and coalesce(approved_at, imported_at) <= $2 and coalesce(in_force_from <= $1, true)
             and (coalesce(discontinued_from > $1, true) or discontinued_at > $2)
         order by coalesce(in_force_from, '-infinity') desc, coalesce(approved_at, imported_at) desc, id desc limit 1",
        Day::of(at).date(),
        at,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(id.map(Id::from_uuid))
}

/// Whether there is any version yet.
pub async fn any(tx: &mut Tx) -> Result<bool> {
    let any = sqlx::query_scalar!(r#"select exists (select from fee_schedule) as "any!""#)
        .fetch_one(tx.conn())
        .await?;
    Ok(any)
}

/// Submits a draft.
pub async fn submit(tx: &mut Tx, schedule: Id<id::Schedule>, by: Id<Citizen>, at: Instant) -> Result<bool> {
    let done = sqlx::query!(
        "update fee_schedule set state = 'submitted', submitted_by = $2, submitted_at = $3
         where id = $1 and state = 'draft'",
        schedule.uuid(),
        by.uuid(),
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(super::moved_one(&done))
}

/// Approves a submitted version for a day.
pub async fn approve(
    tx: &mut Tx,
    schedule: Id<id::Schedule>,
    by: Id<Citizen>,
    from: Day,
    at: Instant,
) -> Result<bool> {
    let done = sqlx::query!(
        "update fee_schedule set state = 'approved', approved_by = $2, in_force_from = $3, approved_at = $4
         where id = $1 and state = 'submitted'",
        schedule.uuid(),
        by.uuid(),
        from.date(),
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(super::moved_one(&done))
}

/// Ends an approved version on a day.
pub async fn discontinue(
    tx: &mut Tx,
    schedule: Id<id::Schedule>,
    (by, on): (Id<Citizen>, Day),
    at: Instant,
) -> Result<bool> {
    let done = sqlx::query!(
        "update fee_schedule set discontinued_from = $2, discontinued_by = $3, discontinued_at = $4
         where id = $1 and state = 'approved' and discontinued_from is null",
        schedule.uuid(),
        on.date(),
        by.uuid(),
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(super::moved_one(&done))
}

/// What the budget knew an agency by on a day, if that was told.
pub async fn budget(tx: &mut Tx, agency: Id<Agency>, on: Day) -> Result<Option<AgencyBudget>> {
    let told = budgets(tx, agency).await?;
    Ok(told.into_iter().rfind(|budget| budget.valid_from <= on))
}

/// Everything that was told of what the budget knows an agency by, in the order of the days from which it holds.
pub async fn budgets(tx: &mut Tx, agency: Id<Agency>) -> Result<Vec<AgencyBudget>> {
    let rows = sqlx::query!(
        "select area, unit_code, treasury_office, retained_account, remitted_account, valid_from
         from agency_budget where agency_id = $1 order by valid_from",
        agency.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    let told = rows.into_iter().map(|row| AgencyBudget {
        area: row.area,
        unit_code: row.unit_code,
        treasury_office: row.treasury_office,
        retained_account: row.retained_account,
        remitted_account: row.remitted_account,
        valid_from: Day::from_date(row.valid_from),
    });
    Ok(told.collect())
}

/// Adds what the budget knows an agency by from a day on; false when something was told for that day.
pub async fn add_budget(tx: &mut Tx, agency: Id<Agency>, budget: &AgencyBudget, at: Instant) -> Result<bool> {
    let done = sqlx::query!(
        "insert into agency_budget (agency_id, area, unit_code, treasury_office, retained_account, remitted_account,
             valid_from, set_at) values ($1, $2, $3, $4, $5, $6, $7, $8)
         on conflict on constraint agency_budget_once do nothing",
        agency.uuid(),
        budget.area,
        budget.unit_code,
        budget.treasury_office,
        budget.retained_account,
        budget.remitted_account,
        budget.valid_from.date(),
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(super::moved_one(&done))
}

struct Row {
    id: Uuid,
    imported_at: Instant,
    agency_id: Option<Uuid>,
    instrument: Option<String>,
    instrument_media: Option<String>,
    instrument_bytes: Option<i64>,
    instrument_sha256: Option<Vec<u8>>,
    state: String,
    drafted_by: Option<Uuid>,
    submitted_by: Option<Uuid>,
    approved_by: Option<Uuid>,
    approved_at: Option<Instant>,
    in_force_from: Option<Date>,
    discontinued_from: Option<Date>,
}

impl TryFrom<Row> for Version {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self> {
        let id = Id::from_uuid(row.id);
        let state: State = row.state.parse().map_err(|_| StoreError::corrupt("fee_schedule", "state", id))?;
        let attached = match (row.instrument_media, row.instrument_bytes, row.instrument_sha256) {
            (Some(media), Some(bytes), Some(sha256)) => Some(Attached { media, bytes, sha256 }),
            _ => None,
        };
        Ok(Self {
            id,
            imported_at: row.imported_at,
            agency: row.agency_id.map(Id::from_uuid),
            approved: row.approved_by.map(Id::from_uuid).zip(row.approved_at),
            life: Life {
                state,
                instrument: row.instrument.is_some() && attached.is_some(),
                drafted_by: row.drafted_by.map(Id::from_uuid),
                submitted_by: row.submitted_by.map(Id::from_uuid),
                from: row.in_force_from.map(Day::from_date),
                until: row.discontinued_from.map(Day::from_date),
            },
            instrument: row.instrument,
            attached,
        })
    }
}
