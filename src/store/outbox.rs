//! What must still be told, written with the decision. Claiming and delivering it is the worker's.

use super::{Result, Tx};
use crate::base::{
    clock::Instant,
    id::{Agency, Event, Id},
    page::{Page, PageRequest},
};
use std::collections::HashMap;
use time::Duration;
use uuid::Uuid;

/// Who is to hear it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// The agency's webhook endpoints.
    Event,
    /// A person, through the messenger; the body is sealed.
    Message,
    /// A client, told that a session ended.
    Logout,
}

impl Topic {
    /// The word in the row.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Message => "message",
            Self::Logout => "logout",
        }
    }
}

/// A row about to be written.
pub struct NewOutbox {
    /// Its identifier; subscribers deduplicate by it.
    pub id: Id<Event>,
    /// When it happened; also when it is first due.
    pub at: Instant,
    /// Who is to hear it.
    pub topic: Topic,
    /// Whose endpoints, for an event.
    pub agency: Option<Id<Agency>>,
    /// What it is about.
    pub object: Uuid,
    /// Its name, e.g. `bill.paid`.
    pub name: &'static str,
    /// JSON for events, sealed bytes for messages.
    pub body: Vec<u8>,
}

/// Writes any number of rows with one statement, and numbers the events of each object in the order given. An event of an agency that has no endpoint just now is only kept to be
/// read: nobody routes it, and the hot path pays for no second write.
pub async fn enqueue(tx: &mut Tx, rows: &[NewOutbox]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = rows.iter().map(|r| r.id.uuid()).collect();
    let ats: Vec<Instant> = rows.iter().map(|r| r.at).collect();
    let topics: Vec<&str> = rows.iter().map(|r| r.topic.as_str()).collect();
    let agencies: Vec<Option<Uuid>> = rows.iter().map(|r| r.agency.map(Id::uuid)).collect();
    let objects: Vec<Uuid> = rows.iter().map(|r| r.object).collect();
    let names: Vec<&str> = rows.iter().map(|r| r.name).collect();
    let bodies: Vec<&[u8]> = rows.iter().map(|r| r.body.as_slice()).collect();
    let (nth, many) = places(rows);
    sqlx::query!(
        r#"WITH drawn AS (
               INSERT INTO event_sequence AS s (object, last)
               SELECT o.object, o.many FROM unnest($3::text[], $5::uuid[], $8::integer[], $9::integer[])
                   AS o (topic, object, nth, many)
               WHERE o.topic = 'event' AND o.nth = 1 ORDER BY o.object
               ON CONFLICT (object) DO UPDATE SET last = s.last + EXCLUDED.last
               RETURNING object, last
           )
           INSERT INTO outbox (id, at, topic, agency_id, object, name, body, due_at, state, sequence)
           SELECT t.id, t.at, t.topic, t.agency_id, t.object, t.name, t.body, t.at,
                  CASE WHEN t.topic = 'event' AND coalesce(t.agency_id NOT IN (
                      SELECT e.agency_id FROM endpoint e WHERE e.agency_id = ANY($4) AND e.state = 'active'), true)
                  THEN 'done' ELSE 'pending' END,
                  d.last - t.many + t.nth
           FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::uuid[], $5::uuid[], $6::text[], $7::bytea[],
                       $8::integer[], $9::integer[])
               AS t (id, at, topic, agency_id, object, name, body, nth, many)
           LEFT JOIN drawn d ON t.topic = 'event' AND d.object = t.object"#,
        &ids,
        &ats,
        &topics as &[&str],
        &agencies as &[Option<Uuid>],
        &objects,
        &names as &[&str],
        &bodies as &[&[u8]],
        &nth,
        &many
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Of each row its number among those of the same topic and object, and how many those are.
pub(super) fn places(rows: &[NewOutbox]) -> (Vec<i32>, Vec<i32>) {
    let mut counted: HashMap<(&str, Uuid), i32> = HashMap::with_capacity(rows.len());
    let mut next = |row: &NewOutbox| {
        let many = counted.entry((row.topic.as_str(), row.object)).or_default();
        *many += 1;
        *many
    };
    let nth: Vec<i32> = rows.iter().map(&mut next).collect();
    let many = rows.iter().filter_map(|row| counted.get(&(row.topic.as_str(), row.object)).copied());
    (nth, many.collect())
}

/// A message on its way out.
pub struct DueMessage {
    /// The row.
    pub id: Id<Event>,
    /// When it was written; half of its key.
    pub at: Instant,
    /// Its name, e.g. `sign_in.code`.
    pub name: String,
    /// Its sealed body.
    pub body: Vec<u8>,
    /// How often it was tried, this time included.
    pub attempts: i16,
}

/// What waits for one topic and is due, the oldest first, locked until the transaction ends. The table is in parts, and
/// whoever changes rows of it opens them all: so it is first asked whether there is any work. Nothing is due before it was
/// written, so that those of months to come stay closed. What is due at one moment comes as it was written, mostly: of two words
/// to one phone the later one is told last, and no name of a message knows that.
pub(super) async fn lock_due(
    tx: &mut Tx,
    topic: Topic,
    now: Instant,
    most: i64,
) -> Result<(Vec<Uuid>, Vec<Instant>)> {
    let rows = sqlx::query!(
        "SELECT id, at FROM outbox WHERE topic = $1 AND state = 'pending' AND due_at <= $2 AND at <= $2
         ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED",
        topic.as_str(),
        now,
        most
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.at)).unzip())
}

/// Claims messages of that topic that are due: nobody else gets them before the lease is over, so a crash only delays them. The
/// lease doubles with every try, up to an hour or so.
pub async fn claim_messages(
    tx: &mut Tx,
    topic: Topic,
    now: Instant,
    lease: Duration,
    most: i64,
) -> Result<Vec<DueMessage>> {
    let (ids, ats) = lock_due(tx, topic, now, most).await?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut rows = sqlx::query!(
        r#"UPDATE outbox o SET attempts = least(o.attempts::int + 1, 32000)::smallint,
               due_at = $1::timestamptz + make_interval(secs => $2::float8 * (1 << least(o.attempts::int, 8)))
           FROM unnest($3::uuid[], $4::timestamptz[]) AS t (id, at) WHERE o.id = t.id AND o.at = t.at
           RETURNING o.id, o.at, o.name, o.body, o.attempts"#,
        now,
        lease.as_seconds_f64(),
        &ids,
        &ats
    )
    .fetch_all(tx.conn())
    .await?;
    rows.sort_by_cached_key(|row| ids.iter().position(|id| *id == row.id));
    let due = rows.into_iter().map(|row| DueMessage {
        id: Id::from_uuid(row.id),
        at: row.at,
        name: row.name,
        body: row.body,
        attempts: row.attempts,
    });
    Ok(due.collect())
}

/// Records messages as done or given up; what they said is forgotten with that.
pub async fn finish_messages(tx: &mut Tx, messages: &[(Id<Event>, Instant)], delivered: bool) -> Result<()> {
    if messages.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = messages.iter().map(|(id, _)| id.uuid()).collect();
    let ats: Vec<Instant> = messages.iter().map(|(_, at)| *at).collect();
    let state = if delivered { "done" } else { "dead" };
    sqlx::query!(
        r#"UPDATE outbox SET state = $3, body = ''
           WHERE (id, at) IN (SELECT id, at FROM unnest($1::uuid[], $2::timestamptz[]) AS t (id, at))"#,
        &ids,
        &ats,
        state
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Puts a message off to another time.
pub async fn put_off(tx: &mut Tx, message: (Id<Event>, Instant), due_at: Instant) -> Result<()> {
    let (id, at) = message;
    sqlx::query!("UPDATE outbox SET due_at = $3 WHERE id = $1 AND at = $2", id.uuid(), at, due_at)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// An event as subscribers hear it.
pub struct StoredEvent {
    /// Its identifier.
    pub id: Id<Event>,
    /// What is told, in the shape of Standard Webhooks.
    pub body: Vec<u8>,
    /// Its number among the events of the same thing.
    pub sequence: Option<i32>,
}

/// The agency's events, the newest first, a page at a time.
pub async fn events_of_agencies(
    tx: &mut Tx,
    agencies: &[Id<Agency>],
    page: &PageRequest<Id<Event>>,
) -> Result<Page<StoredEvent>> {
    let rows = sqlx::query!(
        "SELECT id, body, sequence FROM outbox
         WHERE topic = 'event' AND agency_id = any($1) AND coalesce(id < $2, true) ORDER BY id DESC LIMIT $3",
        &agencies.iter().map(|agency| agency.uuid()).collect::<Vec<_>>(),
        page.after.map(Id::uuid),
        page.fetch()
    )
    .fetch_all(tx.conn())
    .await?;
    let events = rows.into_iter().map(|row| StoredEvent {
        id: Id::from_uuid(row.id),
        body: row.body,
        sequence: row.sequence,
    });
    Ok(Page::from_rows(events.collect(), page))
}

/// One event of these agencies.
pub async fn event_of_agencies(
    tx: &mut Tx,
    agencies: &[Id<Agency>],
    event: Id<Event>,
) -> Result<Option<StoredEvent>> {
    let row = sqlx::query!(
        "SELECT id, body, sequence FROM outbox WHERE topic = 'event' AND agency_id = any($1) AND id = $2",
        &agencies.iter().map(|agency| agency.uuid()).collect::<Vec<_>>(),
        event.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| StoredEvent { id: Id::from_uuid(row.id), body: row.body, sequence: row.sequence }))
}
