//! What endpoints were told and are still to be told, as people and agencies look at it, and the asking for it again.

use super::{Result, StoreError, Tx};
use crate::base::{
    clock::Instant,
    id::{Endpoint, Event, Id},
    page::{Page, PageRequest},
};

/// A delivery as lists show it.
#[derive(Debug, Clone)]
pub struct StoredDelivery {
    /// What happened.
    pub event: Id<Event>,
    /// Its name.
    pub name: String,
    /// Its number among the events of the same thing.
    pub sequence: Option<i32>,
    /// When it happened.
    pub event_at: Instant,
    /// Where it stands: `pending`, `done` or `dead`.
    pub state: String,
    /// How often it was tried.
    pub attempts: i32,
    /// When it is tried next.
    pub due_at: Instant,
    /// How the last attempt went.
    pub outcome: Option<String>,
    /// When it was told or given up.
    pub ended_at: Option<Instant>,
}

/// Deliveries of an endpoint in any of these states, the newest event first, a page at a time.
pub async fn deliveries(
    tx: &mut Tx,
    endpoint: Id<Endpoint>,
    states: &[&str],
    page: &PageRequest<Id<Event>>,
) -> Result<Page<StoredDelivery>> {
    let rows = sqlx::query!(
        "select d.event_id, o.name, o.sequence, d.event_at, d.state, d.attempts, d.due_at, d.outcome,
             d.ended_at
         from delivery d join outbox o on o.id = d.event_id and o.at = d.event_at
         where d.endpoint_id = $1 and d.state = any($2) and coalesce(d.event_id < $3, true)
         order by d.event_id desc limit $4",
        endpoint.uuid(),
        states as &[&str],
        page.after.map(Id::uuid),
        page.fetch()
    )
    .fetch_all(tx.conn())
    .await?;
    let found = rows.into_iter().map(|row| StoredDelivery {
        event: Id::from_uuid(row.event_id),
        name: row.name,
        sequence: row.sequence,
        event_at: row.event_at,
        state: row.state,
        attempts: row.attempts,
        due_at: row.due_at,
        outcome: row.outcome,
        ended_at: row.ended_at,
    });
    Ok(Page::from_rows(found.collect(), page))
}

/// Which events to tell again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// This one.
    One(Id<Event>),
    /// Those that the endpoint wants, from the first instant to before the second.
    Between(Instant, Instant),
}

/// Has an endpoint told of its agency's events again, of at most `most`; how many there were, so that more than `most`
/// shows. What is on its way already stays so.
pub async fn tell_again(
    tx: &mut Tx,
    endpoint: Id<Endpoint>,
    again: Again,
    now: Instant,
    most: i64,
) -> Result<i64> {
    let (one, from, to) = match again {
        Again::One(event) => (Some(event.uuid()), None, None),
        Again::Between(from, to) => (None, Some(from), Some(to)),
    };
    let count = sqlx::query_scalar!(
        r#"with wanted as (
               select o.id, o.at, o.object from endpoint e join outbox o on o.agency_id = e.agency_id
               where e.id = $1 and o.topic = 'event' and (
                   o.id = $2 or (o.at >= $3 and o.at < $4 and (cardinality(e.types) = 0 or o.name = any(e.types))))
               order by o.id limit $6
           ), told as (
               insert into delivery as d (endpoint_id, event_id, event_at, object, due_at, asked_at)
               select $1, id, at, object, $5, $5 from wanted
               on conflict (endpoint_id, event_id) do update
                   set state = 'pending', due_at = excluded.due_at, asked_at = excluded.asked_at, ended_at = null,
                       spent = d.attempts
                   where d.state <> 'pending'
           )
           select count(*) as "count!" from wanted"#,
        endpoint.uuid(),
        one,
        from,
        to,
        now,
        most + 1
    )
    .fetch_one(tx.conn())
    .await
    .map_err(StoreError::from)?;
    Ok(count)
}
