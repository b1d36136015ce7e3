//! What is due, by one look for all who would ask for it.

use super::{Result, Store, regular::Regular};
use crate::base::clock::Instant;

/// For which loops there may be work. It may be somebody else's by then; whoever is sent finds out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// Messages to people.
    pub messages: bool,
    /// Events that nobody has routed, or portals that are to hear that a session ended.
    pub told: bool,
    /// Deliveries of events.
    pub deliveries: bool,
    /// Leaves without a place in the tree.
    pub leaves: bool,
}

/// Looks once, outside of every transaction. Nothing is due before it was written: that leaves months to come unopened.
/// Where leaves may lie anywhere, since the log was restored from another cluster, whoever places them looks.
pub async fn look(store: &Store, now: Instant) -> Result<Due> {
    let due = sqlx::query_as!(
        Due,
        r#"WITH head AS MATERIALIZED (
               SELECT low_tx, low_tx = 0 OR cluster <> (SELECT system_identifier FROM pg_control_system()) AS anywhere
               FROM tree_head ORDER BY size DESC LIMIT 1)
           SELECT EXISTS (SELECT FROM outbox WHERE topic = 'message' AND state = 'pending' AND due_at <= $1 AND at <= $1)
                      AS "messages!",
                  EXISTS (SELECT FROM outbox WHERE topic <> 'message' AND state = 'pending' AND due_at <= $1 AND at <= $1)
                      AS "told!",
                  EXISTS (SELECT FROM endpoint e CROSS JOIN LATERAL (
                      SELECT FROM delivery d
                      WHERE d.endpoint_id = e.id AND d.state = 'pending' AND d.due_at <= $1 LIMIT 1) d
                      WHERE e.state = 'active') AS "deliveries!",
                  CASE WHEN (SELECT anywhere FROM head) THEN true ELSE coalesce((SELECT true FROM audit_leaf l
                      WHERE l.tx >= coalesce((SELECT low_tx FROM head), 0)
                        AND l.tx < pg_snapshot_xmax(pg_current_snapshot())::text::bigint
                        AND (SELECT p.place FROM audit_place p WHERE p.leaf_id = l.id) IS NULL
                      ORDER BY l.tx, l.id LIMIT 1), false) END AS "leaves!""#,
        now
    )
    .fetch_one(store.pool_of(Regular::Due))
    .await?;
    Ok(due)
}
