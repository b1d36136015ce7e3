//! The names by which sectors know citizens.

use super::{Result, Store, StoreError, Tx};
use crate::base::{
    clock::Instant,
    id::{self, Id},
};
use crate::identity::pseudonym::{Sector, Subject};
use uuid::Uuid;

/// The subject of a citizen in the first of these sectors that has one.
pub async fn find(tx: &mut Tx, citizen: Id<id::Citizen>, sectors: &[&Sector]) -> Result<Option<Subject>> {
    let sectors: Vec<&str> = sectors.iter().map(|sector| sector.as_str()).collect();
    let found = sqlx::query_scalar!(
        "SELECT subject FROM pseudonym WHERE citizen_id = $1 AND sector = ANY($2)
         ORDER BY array_position($2, sector) LIMIT 1",
        citizen.uuid(),
        &sectors as &[&str]
    )
    .fetch_optional(tx.conn())
    .await?;
    found.map(|text| parse(&text, citizen)).transpose()
}

/// The subject of a citizen in a sector: the one that stands, or else `drawn`.
pub async fn keep(
    tx: &mut Tx,
    citizen: Id<id::Citizen>,
    sector: &Sector,
    drawn: &Subject,
    at: Instant,
) -> Result<Subject> {
    // The update that changes nothing makes the statement answer with the row that stands, even one that another
    // transaction has just written.
    let kept = sqlx::query_scalar!(
        r#"INSERT INTO pseudonym (citizen_id, sector, subject, drawn_at) VALUES ($1, $2, $3, $4)
           ON CONFLICT (citizen_id, sector) DO UPDATE SET subject = pseudonym.subject RETURNING subject"#,
        citizen.uuid(),
        sector.as_str(),
        drawn.as_str(),
        at
    )
    .fetch_one(tx.conn())
    .await?;
    parse(&kept, citizen)
}

/// Gives citizens the names drawn for them in these sectors, where they have none.
pub async fn keep_all(
    store: &Store,
    drawn: &[(Id<id::Citizen>, &Sector, Subject)],
    at: Instant,
) -> Result<()> {
    let citizens: Vec<Uuid> = drawn.iter().map(|(citizen, ..)| citizen.uuid()).collect();
    let sectors: Vec<&str> = drawn.iter().map(|(_, sector, _)| sector.as_str()).collect();
    let subjects: Vec<&str> = drawn.iter().map(|(.., subject)| subject.as_str()).collect();
    sqlx::query!(
        r#"INSERT INTO pseudonym (citizen_id, sector, subject, drawn_at)
           SELECT citizen_id, sector, subject, $4
           FROM unnest($1::uuid[], $2::text[], $3::text[]) AS n (citizen_id, sector, subject)
           ORDER BY citizen_id, sector ON CONFLICT (citizen_id, sector) DO NOTHING"#,
        &citizens,
        &sectors as &[&str],
        &subjects as &[&str],
        at
    )
    .execute(&store.pool)
    .await?;
    Ok(())
}

fn parse(text: &str, citizen: Id<id::Citizen>) -> Result<Subject> {
    text.parse().map_err(|_| StoreError::corrupt("pseudonym", "subject", citizen))
}
