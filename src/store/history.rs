//! The decisions of the audit log that concern a citizen, the newest first.

use super::{Result, Tx, audit::Details};
use crate::base::{
    clock::Instant,
    id::{Citizen, Id, Leaf},
    page::{Page, PageRequest},
    secret::Sealed,
};

/// A decision that concerns a citizen.
pub struct HistoryRow {
    /// Its leaf.
    pub leaf: Id<Leaf>,
    /// What kind of decision it was.
    pub kind: String,
    /// When.
    pub at: Instant,
    /// The agency that it concerns, in Vietnamese and English.
    pub agency: Option<(String, String)>,
    /// Salt and details, under the citizen's key.
    pub sealed: Sealed<Details>,
}

/// The citizen's decisions, a page at a time. The page is cut out of the index first: most citizens have few entries,
/// so that a planner left alone would read and sort all of those of whoever has thousands.
pub async fn of_citizen(
    tx: &mut Tx,
    citizen: Id<Citizen>,
    page: &PageRequest<Id<Leaf>>,
) -> Result<Page<HistoryRow>> {
    let rows = sqlx::query!(
        r#"with page as materialized (
               select d.leaf_id, d.agency_id, d.sealed, d.generation from audit_detail d
               where d.citizen_id = $1 and d.leaf_id < coalesce($2::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
               order by d.leaf_id desc limit $3)
           select l.id, l.kind, l.at, g.name_vi as "name_vi?", g.name_en as "name_en?", d.sealed as "sealed!",
                  d.generation as "generation!"
           from page d
           join audit_leaf l on l.id = d.leaf_id
           left join agency g on g.id = d.agency_id
           order by d.leaf_id desc"#,
        citizen.uuid(),
        page.after.map(Id::uuid),
        page.fetch(),
    )
    .fetch_all(tx.conn())
    .await?;
    let items = rows.into_iter().map(|row| HistoryRow {
        leaf: Id::from_uuid(row.id),
        kind: row.kind,
        at: row.at,
        agency: row.name_vi.zip(row.name_en),
        sealed: Sealed::new(row.sealed, row.generation.cast_unsigned()),
    });
    Ok(Page::from_rows(items.collect(), page))
}

/// Whether a decision concerns this citizen.
pub async fn concerns(tx: &mut Tx, citizen: Id<Citizen>, leaf: Id<Leaf>) -> Result<bool> {
    let found = sqlx::query_scalar!(
        r#"select exists (select from audit_detail where leaf_id = $2 and citizen_id = $1) as "found!""#,
        citizen.uuid(),
        leaf.uuid(),
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(found)
}
