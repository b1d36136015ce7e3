//! Who has which role at which agency, and from when to when.

use super::{Result, StoreError, Tx};
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{self, Id},
};
use crate::identity::role::Role;
use uuid::Uuid;

/// A role about to be granted.
pub struct NewGrant {
    /// Its identifier.
    pub id: Id<id::RoleGrant>,
    /// To whom.
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
    /// When.
    pub at: Instant,
}

/// Waits for whoever else decides on the roles of this citizen.
pub async fn lock_citizen(tx: &mut Tx, citizen: Id<id::Citizen>) -> Result<()> {
    sqlx::query!("SELECT id FROM citizen WHERE id = $1 FOR UPDATE", citizen.uuid())
        .fetch_optional(tx.conn())
        .await?;
    Ok(())
}

/// Grants a role; the same role twice violates `role_grant_once`.
pub async fn insert(tx: &mut Tx, grant: &NewGrant) -> Result<()> {
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

/// Takes a role back; false when the citizen does not have it.
pub async fn revoke(
    tx: &mut Tx,
    citizen: Id<id::Citizen>,
    agency: Uuid,
    role: Role,
    at: Instant,
) -> Result<bool> {
    let done = sqlx::query!(
        r#"UPDATE role_grant SET revoked_at = $4
           WHERE citizen_id = $1 AND agency_id = $2 AND role = $3 AND revoked_at IS NULL"#,
        citizen.uuid(),
        agency,
        role.word(),
        at
    )
    .execute(tx.conn())
    .await?;
    Ok(super::moved_one(&done))
}
