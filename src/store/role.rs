//! Who has which role at which agency, and from when to when.

use super::{Result, StoreError, Tx};
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{self, Id},
    page::{Page, PageRequest},
};
use crate::identity::role::Role;
use time::Date;
use uuid::Uuid;

/// Waits for whoever else decides on the roles of this citizen.
pub async fn lock_citizen(tx: &mut Tx, citizen: Id<id::Citizen>) -> Result<()> {
    sqlx::query!("SELECT id FROM citizen WHERE id = $1 FOR UPDATE", citizen.uuid())
        .fetch_optional(tx.conn())
        .await?;
    Ok(())
}

/// Grants a role; the same role twice violates `role_grant_once`.
pub async fn insert(tx: &mut Tx, grant: &StoredGrant) -> Result<()> {
    sqlx::query!(
        r#"INSERT INTO role_grant (id, citizen_id, agency_id, role, valid_from, valid_to, granted_by, granted_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"#,
        grant.id.uuid(),
        grant.citizen.uuid(),
        grant.agency.uuid(),
        grant.role.word(),
        grant.from.date(),
        grant.to.map(Day::date),
        grant.by.map(Id::uuid),
        grant.at
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The roles that a citizen has on a day, each at its agency; of agencies that are active.
pub async fn of_citizen(
    tx: &mut Tx,
    citizen: Id<id::Citizen>,
    day: Day,
) -> Result<Vec<(Id<id::Agency>, Role)>> {
    let rows = sqlx::query!(
        r#"SELECT g.agency_id, g.role FROM role_grant g JOIN agency a ON a.id = g.agency_id
           WHERE g.citizen_id = $1 AND g.revoked_at IS NULL AND a.state = 'active'
             AND g.valid_from <= $2 AND coalesce(g.valid_to >= $2, true)
           ORDER BY g.granted_at, g.id"#,
        citizen.uuid(),
        day.date()
    )
    .fetch_all(tx.conn())
    .await?;
    let roles = rows.into_iter().map(|row| {
        let role = row.role.parse().map_err(|_| StoreError::corrupt("role_grant", "role", &row.role))?;
        Ok((Id::from_uuid(row.agency_id), role))
    });
    roles.collect()
}

/// Which of these citizens hold that role on that day, and where; of agencies that are active.
pub async fn holders(
    tx: &mut Tx,
    citizens: &[Id<id::Citizen>],
    role: Role,
    day: Day,
) -> Result<Vec<(Id<id::Citizen>, Id<id::Agency>)>> {
    let citizens: Vec<Uuid> = citizens.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query!(
        r#"SELECT g.citizen_id, g.agency_id FROM role_grant g JOIN agency a ON a.id = g.agency_id
           WHERE g.citizen_id = ANY($1) AND g.role = $2 AND g.revoked_at IS NULL AND a.state = 'active'
             AND g.valid_from <= $3 AND coalesce(g.valid_to >= $3, true)
           ORDER BY g.citizen_id, g.agency_id"#,
        &citizens,
        role.word(),
        day.date()
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (Id::from_uuid(row.citizen_id), Id::from_uuid(row.agency_id))).collect())
}

/// A granted role as its row holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredGrant {
    /// Its identifier.
    pub id: Id<id::RoleGrant>,
    /// Who holds it.
    pub citizen: Id<id::Citizen>,
    /// Where.
    pub agency: Id<id::Agency>,
    /// What.
    pub role: Role,
    /// Its first day.
    pub from: Day,
    /// Its last day, included.
    pub to: Option<Day>,
    /// By whom; absent from the command line.
    pub by: Option<Id<id::Citizen>>,
    /// When it was granted.
    pub at: Instant,
    /// When it was taken back.
    pub revoked_at: Option<Instant>,
}

/// Whoever holds that role at an agency on that day.
pub async fn at_agency(
    tx: &mut Tx,
    agency: Id<id::Agency>,
    role: Role,
    day: Day,
) -> Result<Vec<Id<id::Citizen>>> {
    let rows = sqlx::query_scalar!(
        r#"SELECT DISTINCT citizen_id FROM role_grant
           WHERE agency_id = $1 AND role = $2 AND revoked_at IS NULL
             AND valid_from <= $3 AND coalesce(valid_to >= $3, true) ORDER BY citizen_id"#,
        agency.uuid(),
        role.word(),
        day.date()
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(Id::from_uuid).collect())
}

/// The grant of that identifier.
pub async fn find(tx: &mut Tx, grant: Id<id::RoleGrant>) -> Result<Option<StoredGrant>> {
    let row = sqlx::query_as!(
        Raw,
        r#"SELECT id, citizen_id, agency_id, role, valid_from, valid_to, granted_by, granted_at, revoked_at
           FROM role_grant WHERE id = $1"#,
        grant.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// What a citizen was granted at an agency and has not lost, whatever the day.
pub async fn unrevoked(
    tx: &mut Tx,
    citizen: Id<id::Citizen>,
    agency: Id<id::Agency>,
) -> Result<Vec<StoredGrant>> {
    let rows = sqlx::query_as!(
        Raw,
        r#"SELECT id, citizen_id, agency_id, role, valid_from, valid_to, granted_by, granted_at, revoked_at
           FROM role_grant WHERE citizen_id = $1 AND agency_id = $2 AND revoked_at IS NULL ORDER BY id"#,
        citizen.uuid(),
        agency.uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// The grants of an agency, or all of them, the newest first, a page at a time.
pub async fn page(
    tx: &mut Tx,
    agency: Option<Id<id::Agency>>,
    page: &PageRequest<Id<id::RoleGrant>>,
) -> Result<Page<StoredGrant>> {
    let rows = sqlx::query_as!(
        Raw,
        r#"SELECT id, citizen_id, agency_id, role, valid_from, valid_to, granted_by, granted_at, revoked_at
           FROM role_grant WHERE coalesce(agency_id = $1, true) AND coalesce(id < $2, true)
           ORDER BY id DESC LIMIT $3"#,
        agency.map(Id::uuid),
        page.after.map(Id::uuid),
        page.fetch()
    )
    .fetch_all(tx.conn())
    .await?;
    let rows = rows.into_iter().map(TryInto::try_into).collect::<Result<Vec<StoredGrant>>>()?;
    Ok(Page::from_rows(rows, page))
}

/// Takes a role back; false when it was taken back before.
pub async fn revoke(tx: &mut Tx, grant: Id<id::RoleGrant>, at: Instant) -> Result<bool> {
    let done = sqlx::query!(
        "UPDATE role_grant SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL",
        grant.uuid(),
        at
    )
    .execute(tx.conn())
    .await?;
    Ok(super::moved_one(&done))
}

/// Closes the grants at an agency whose last day was before `today`.
pub async fn close_over(
    tx: &mut Tx,
    citizen: Id<id::Citizen>,
    agency: Id<id::Agency>,
    today: Day,
    at: Instant,
) -> Result<()> {
    sqlx::query!(
        r#"UPDATE role_grant SET revoked_at = $4
           WHERE citizen_id = $1 AND agency_id = $2 AND revoked_at IS NULL AND valid_to < $3"#,
        citizen.uuid(),
        agency.uuid(),
        today.date(),
        at
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

struct Raw {
    id: Uuid,
    citizen_id: Uuid,
    agency_id: Uuid,
    role: String,
    valid_from: Date,
    valid_to: Option<Date>,
    granted_by: Option<Uuid>,
    granted_at: Instant,
    revoked_at: Option<Instant>,
}

impl TryFrom<Raw> for StoredGrant {
    type Error = StoreError;

    fn try_from(raw: Raw) -> Result<Self> {
        let id = Id::from_uuid(raw.id);
        Ok(Self {
            id,
            citizen: Id::from_uuid(raw.citizen_id),
            agency: Id::from_uuid(raw.agency_id),
            role: raw.role.parse().map_err(|_| StoreError::corrupt("role_grant", "role", id))?,
            from: Day::from_date(raw.valid_from),
            to: raw.valid_to.map(Day::from_date),
            by: raw.granted_by.map(Id::from_uuid),
            at: raw.granted_at,
            revoked_at: raw.revoked_at,
        })
    }
}
