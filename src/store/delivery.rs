//! Events on their way to endpoints: routed, claimed under a lease, and recorded.

use super::{
    Result, StoreError, Tx,
    endpoint::SigningSecret,
    outbox::{self, Topic},
};
use crate::base::{
    clock::Instant,
    id::{Agency, Endpoint, Event, Id},
    secret::Sealed,
};
use crate::crypto::seal::WrappedKey;
use crate::identity::endpoint::EndpointUrl;
use uuid::Uuid;

/// Makes a delivery of each waiting event for each endpoint that wants it, unless it asked for the event before that; how many
/// events were routed.
pub async fn route(tx: &mut Tx, now: Instant, most: i64) -> Result<i64> {
    let (ids, ats) = outbox::lock_due(tx, Topic::Event, now, most).await?;
    if ids.is_empty() {
        return Ok(0);
    }
    sqlx::query!(
        "with taken as (
             update outbox o set state = 'done' from unnest($1::uuid[], $2::timestamptz[]) as t (id, at)
             where o.id = t.id and o.at = t.at
             returning o.id, o.at, o.agency_id, o.object, o.name
         )
         insert into delivery (endpoint_id, event_id, event_at, object, due_at, asked_at)
         select e.id, t.id, t.at, t.object, t.at, t.at
         from taken t join endpoint e on e.agency_id = t.agency_id
         where e.state = 'active' and (cardinality(e.types) = 0 or t.name = any(e.types))
         on conflict (endpoint_id, event_id) do nothing",
        &ids,
        &ats
    )
    .execute(tx.conn())
    .await?;
    Ok(i64::try_from(ids.len()).unwrap_or(i64::MAX))
}

/// What to claim.
pub struct Claiming {
    /// Now.
    pub now: Instant,
    /// Until when nobody else gets the same, whatever happens to us.
    pub until: Instant,
    /// Endpoints whose last attempt failed, or those in good health.
    pub failing: bool,
    /// How many of one endpoint.
    pub of_each: i64,
    /// How many in all.
    pub most: i64,
    /// Endpoints that get no more just now: enough is under way to them.
    pub busy: Vec<Id<Endpoint>>,
}

/// A claimed delivery with all that it takes.
pub struct DueDelivery {
    /// To whom.
    pub endpoint: Id<Endpoint>,
    /// Where that is.
    pub url: EndpointUrl,
    /// What the endpoint's deliveries are signed with, under the agency's key: the present key, then the one that it
    /// replaced while that still holds.
    pub secrets: Vec<SigningSecret>,
    /// The agency.
    pub agency: Id<Agency>,
    /// Its key.
    pub key: WrappedKey,
    /// How often telling the endpoint failed since it last succeeded.
    pub failures: i32,
    /// What happened.
    pub event: Id<Event>,
    /// Since when it is tried.
    pub asked_at: Instant,
    /// What is told, as it was kept.
    pub body: Vec<u8>,
    /// Its number among the events of the same thing.
    pub sequence: Option<i32>,
    /// How often it was claimed, this time included.
    pub attempts: i32,
    /// How many of these were before it was asked for again.
    pub spent: i32,
}

/// Claims deliveries that are due, the oldest first. An endpoint hears of one object in order: nothing is claimed
/// while something earlier about the same object is still on its way. Suspended endpoints, clients and agencies get
/// nothing.
pub async fn claim(tx: &mut Tx, claiming: &Claiming) -> Result<Vec<DueDelivery>> {
    let busy: Vec<Uuid> = claiming.busy.iter().map(|endpoint| endpoint.uuid()).collect();
    let chosen = sqlx::query!(
        r#"select c.endpoint_id as "endpoint_id!", c.event_id as "event_id!", c.event_at as "event_at!"
           from endpoint e join client k on k.id = e.client_id join agency a on a.id = e.agency_id
           cross join lateral (
               select d.endpoint_id, d.event_id, d.event_at, d.due_at from delivery d
               where d.endpoint_id = e.id and d.state = 'pending' and d.due_at <= $1
                 and not exists (
                     select from delivery b where b.endpoint_id = d.endpoint_id and b.object = d.object
                         and b.state = 'pending' and b.event_id < d.event_id)
               order by d.due_at, d.event_id limit $3 for update of d skip locked) c
           where e.state = 'active' and k.state = 'active' and a.state = 'active'
             and coalesce(k.expires_at > $1, true) and (e.failures > 0) = $2
             and coalesce(e.rest_until <= $1, true) and e.id <> all($5)
           order by c.due_at, c.event_id limit $4"#,
        claiming.now,
        claiming.failing,
        claiming.of_each,
        claiming.most,
        &busy,
    )
    .fetch_all(tx.conn())
    .await?;
    if chosen.is_empty() {
        return Ok(Vec::new());
    }
    let endpoints: Vec<Uuid> = chosen.iter().map(|c| c.endpoint_id).collect();
    let events: Vec<Uuid> = chosen.iter().map(|c| c.event_id).collect();
    let ats: Vec<Instant> = chosen.iter().map(|c| c.event_at).collect();
    let mut rows = sqlx::query_as!(
        Raw,
        r#"update delivery d set attempts = d.attempts + 1, due_at = $2
           from unnest($3::uuid[], $4::uuid[], $5::timestamptz[]) as c (endpoint_id, event_id, event_at)
           join endpoint e on e.id = c.endpoint_id join agency a on a.id = e.agency_id
           join outbox o on o.id = c.event_id and o.at = c.event_at
           where d.endpoint_id = c.endpoint_id and d.event_id = c.event_id
           returning d.endpoint_id, e.url, e.secret, e.key, e.agency_id, a.wrapped_key, a.key_generation, e.failures,
               case when e.before_until > $1 then e.secret_before end as secret_before,
               case when e.before_until > $1 then e.key_before end as key_before,
               d.event_id, d.asked_at, o.body, o.sequence, d.attempts, d.spent"#,
        claiming.now,
        claiming.until,
        &endpoints,
        &events,
        &ats,
    )
    .fetch_all(tx.conn())
    .await?;
    let place = |row: &Raw| {
        chosen.iter().position(|c| (c.endpoint_id, c.event_id) == (row.endpoint_id, row.event_id))
    };
    rows.sort_by_cached_key(place);
    rows.into_iter().map(TryInto::try_into).collect()
}

/// How one attempt ended.
pub struct Attempt {
    /// To whom.
    pub endpoint: Id<Endpoint>,
    /// About what.
    pub event: Id<Event>,
    /// The claim that it was made under.
    pub attempts: i32,
    /// What follows.
    pub next: Next,
    /// How it went, in a word.
    pub outcome: String,
}

/// What follows an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It was told.
    Done,
    /// Another attempt.
    Again(Instant),
    /// It is given up.
    Dead,
}

/// Records attempts; one whose claim was overtaken changes nothing.
pub async fn record(tx: &mut Tx, attempts: &[Attempt], now: Instant) -> Result<()> {
    let endpoints: Vec<Uuid> = attempts.iter().map(|a| a.endpoint.uuid()).collect();
    let events: Vec<Uuid> = attempts.iter().map(|a| a.event.uuid()).collect();
    let claims: Vec<i32> = attempts.iter().map(|a| a.attempts).collect();
    let state = |next| match next {
        Next::Done => "done",
        Next::Again(_) => "pending",
        Next::Dead => "dead",
    };
    let states: Vec<&str> = attempts.iter().map(|a| state(a.next)).collect();
    let due = |next| match next {
        Next::Again(at) => at,
        Next::Done | Next::Dead => now,
    };
    let due: Vec<Instant> = attempts.iter().map(|a| due(a.next)).collect();
    let outcomes: Vec<&str> = attempts.iter().map(|a| a.outcome.as_str()).collect();
    sqlx::query!(
        "update delivery d set state = a.state, due_at = a.due_at, outcome = a.outcome,
             ended_at = case when a.state = 'pending' then null else $7::timestamptz end
         from unnest($1::uuid[], $2::uuid[], $3::integer[], $4::text[], $5::timestamptz[], $6::text[])
             as a (endpoint_id, event_id, attempts, state, due_at, outcome)
         where d.endpoint_id = a.endpoint_id and d.event_id = a.event_id and d.attempts = a.attempts
             and d.state = 'pending'",
        &endpoints,
        &events,
        &claims,
        &states as &[&str],
        &due,
        &outcomes as &[&str],
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Gives up deliveries that are tried since before `horizon`, whether their endpoint is heard of or not; how many.
pub async fn give_up(tx: &mut Tx, horizon: Instant, now: Instant, most: i64) -> Result<u64> {
    let done = sqlx::query!(
        "update delivery set state = 'dead', ended_at = $2
         where (endpoint_id, event_id) in (
             select endpoint_id, event_id from delivery where state = 'pending' and asked_at < $1 and due_at <= $2
             order by asked_at, endpoint_id, event_id limit $3 for update skip locked)",
        horizon,
        now,
        most
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

/// Deletes deliveries that ended before `horizon`; how many.
pub async fn forget(tx: &mut Tx, horizon: Instant, most: i64) -> Result<u64> {
    let done = sqlx::query!(
        "delete from delivery where (endpoint_id, event_id) in (
             select endpoint_id, event_id from delivery where state <> 'pending' and ended_at < $1
             order by ended_at, endpoint_id, event_id limit $2 for update skip locked)",
        horizon,
        most
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

/// How many deliveries of an endpoint wait, and how many were given up within the time that they are kept.
pub async fn tally(tx: &mut Tx, endpoints: &[Id<Endpoint>]) -> Result<Vec<(Id<Endpoint>, i64, i64)>> {
    let ids: Vec<Uuid> = endpoints.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query!(
        r#"select endpoint_id, count(*) filter (where state = 'pending') as "waiting!",
               count(*) filter (where state = 'dead') as "dead!"
           from delivery where endpoint_id = any($1) and state in ('pending', 'dead') group by endpoint_id"#,
        &ids
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (Id::from_uuid(row.endpoint_id), row.waiting, row.dead)).collect())
}

struct Raw {
    endpoint_id: Uuid,
    url: String,
    secret: Vec<u8>,
    key: i32,
    secret_before: Option<Vec<u8>>,
    key_before: Option<i32>,
    agency_id: Uuid,
    wrapped_key: Vec<u8>,
    key_generation: i32,
    failures: i32,
    event_id: Uuid,
    asked_at: Instant,
    body: Vec<u8>,
    sequence: Option<i32>,
    attempts: i32,
    spent: i32,
}

impl TryFrom<Raw> for DueDelivery {
    type Error = StoreError;

    fn try_from(raw: Raw) -> Result<Self> {
        let endpoint: Id<Endpoint> = Id::from_uuid(raw.endpoint_id);
        let corrupt = |column| StoreError::corrupt("endpoint", column, endpoint);
        let generation = |of: i32| u32::try_from(of).map_err(|_| corrupt("key"));
        let mut secrets = vec![Sealed::new(raw.secret, generation(raw.key)?)];
        if let (Some(bytes), Some(key)) = (raw.secret_before, raw.key_before) {
            secrets.push(Sealed::new(bytes, generation(key)?));
        }
        Ok(Self {
            endpoint,
            url: raw.url.parse().map_err(|_| corrupt("url"))?,
            secrets,
            agency: Id::from_uuid(raw.agency_id),
            key: WrappedKey { bytes: raw.wrapped_key, generation: generation(raw.key_generation)? },
            failures: raw.failures,
            event: Id::from_uuid(raw.event_id),
            asked_at: raw.asked_at,
            body: raw.body,
            sequence: raw.sequence,
            attempts: raw.attempts,
            spent: raw.spent,
        })
    }
}
