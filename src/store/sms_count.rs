//! Segments of SMS and their cost, per agency and month.

use super::{Result, Tx};
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{Agency, Id},
};
use uuid::Uuid;

/// One message about to be counted.
#[derive(Debug, Clone, Copy)]
pub struct Sent {
    /// Who pays; nobody: the service itself.
    pub agency: Option<Id<Agency>>,
    /// Its name.
    pub kind: &'static str,
    /// How many segments; none for a message to nobody.
    pub segments: i64,
    /// What they cost, in dong.
    pub cost: i64,
}

/// A line of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// The agency's code and names; nothing for the service itself.
    pub agency: Option<(Id<Agency>, String, String, String)>,
    /// The message's name.
    pub kind: String,
    /// Segments.
    pub segments: i64,
    /// Their cost, in dong.
    pub cost: i64,
}

/// Counts a message in the month of that day.
pub async fn count(tx: &mut Tx, sent: Sent, month: Day, shard: i16) -> Result<()> {
    sqlx::query!(
        r#"INSERT INTO sms_count (agency_id, month, kind, shard, segments, cost) VALUES ($1, $2, $3, $4, $5, $6)
           ON CONFLICT (agency_id, month, kind, shard) DO UPDATE SET
               segments = sms_count.segments + EXCLUDED.segments, cost = sms_count.cost + EXCLUDED.cost"#,
        sent.agency.map_or(Uuid::nil(), Id::uuid),
        month.date(),
        sent.kind,
        shard,
        sent.segments,
        sent.cost
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The segments of an agency in a month, and its own cap if it has one.
pub async fn used(tx: &mut Tx, agency: Id<Agency>, month: Day) -> Result<(i64, Option<i64>)> {
    let row = sqlx::query!(
        r#"SELECT coalesce((SELECT sum(segments) FROM sms_count WHERE agency_id = $1 AND month = $2), 0)::bigint
                      AS "segments!",
                  (SELECT month_max FROM sms_cap WHERE agency_id = $1) AS month_max"#,
        agency.uuid(),
        month.date()
    )
    .fetch_one(tx.conn())
    .await?;
    Ok((row.segments, row.month_max))
}

/// Gives an agency a cap of its own.
pub async fn put_cap(tx: &mut Tx, agency: Id<Agency>, month_max: i64, at: Instant) -> Result<()> {
    sqlx::query!(
        r#"INSERT INTO sms_cap (agency_id, month_max, set_at) VALUES ($1, $2, $3)
           ON CONFLICT (agency_id) DO UPDATE SET month_max = EXCLUDED.month_max, set_at = EXCLUDED.set_at"#,
        agency.uuid(),
        month_max,
        at
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The month's report: these agencies' lines, or everybody's.
pub async fn report(tx: &mut Tx, agencies: Option<&[Id<Agency>]>, month: Day) -> Result<Vec<Counted>> {
    let agencies: Option<Vec<Uuid>> = agencies.map(|all| all.iter().map(|agency| agency.uuid()).collect());
    let rows = sqlx::query!(
        r#"SELECT a.id AS "id?", a.code AS "code?", a.name_vi AS "name_vi?", a.name_en AS "name_en?", c.kind,
                  sum(c.segments)::bigint AS "segments!", sum(c.cost)::bigint AS "cost!"
           FROM sms_count c LEFT JOIN agency a ON a.id = c.agency_id
           WHERE c.month = $1 AND ($2::uuid[] IS NULL OR c.agency_id = any($2))
           GROUP BY a.id, c.kind ORDER BY a.code NULLS FIRST, c.kind"#,
        month.date(),
        agencies.as_deref()
    )
    .fetch_all(tx.conn())
    .await?;
    let lines = rows.into_iter().map(|row| Counted {
        agency: row
            .id
            .zip(row.code)
            .zip(row.name_vi)
            .zip(row.name_en)
            .map(|(((id, code), vi), en)| (Id::from_uuid(id), code, vi, en)),
        kind: row.kind,
        segments: row.segments,
        cost: row.cost,
    });
    Ok(lines.collect())
}
