//! Institutions outside that keep the heads of the audit log, and the heads on their way to them.

use super::{Result, Tx, moved_one};
use crate::base::clock::Instant;

/// Adds a witness, or gives a known one another address; one that was retired is sent heads again.
pub async fn put(tx: &mut Tx, name: &str, url: &str, at: Instant) -> Result<()> {
    sqlx::query!(
        "insert into head_witness (name, url, added_at) values ($1, $2, $3)
         on conflict on constraint head_witness_once do update set url = excluded.url, retired_at = null",
        name,
        url,
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Sends a witness nothing any more; false when nobody has that name.
pub async fn retire(tx: &mut Tx, name: &str, at: Instant) -> Result<bool> {
    sqlx::query!(
        "update head_sending set state = 'given_up', ended_at = $2 where witness = $1 and state = 'waiting'",
        name,
        at,
    )
    .execute(tx.conn())
    .await?;
    let done = sqlx::query!(
        "update head_witness set retired_at = $2 where name = $1 and retired_at is null",
        name,
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(moved_one(&done))
}

/// Puts the newest head on its way to every witness that has none on its way, was sent none since `since`, and does not
/// have it yet. How many.
pub async fn plan(tx: &mut Tx, since: Instant, at: Instant) -> Result<u64> {
    let done = sqlx::query!(
        "insert into head_sending (witness, size, state, next_at, asked_at)
         select w.name, h.size, 'waiting', $2, $2
         from head_witness w, (select size from tree_head order by size desc limit 1) h
         where w.retired_at is null and not exists (
             select from head_sending s where s.witness = w.name
                 and (s.state = 'waiting' or s.asked_at > $1 or s.size >= h.size))
         on conflict on constraint head_sending_once do nothing",
        since,
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

/// Puts the head that a closing names on its way to every witness.
pub async fn plan_one(tx: &mut Tx, size: u64, at: Instant) -> Result<()> {
    sqlx::query!(
        "insert into head_sending (witness, size, state, next_at, asked_at)
         select w.name, $1, 'waiting', $2, $2 from head_witness w where w.retired_at is null
         on conflict on constraint head_sending_once do nothing",
        size.cast_signed(),
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A head that is to be sent now.
pub struct DueHead {
    /// To whom.
    pub witness: String,
    /// Where.
    pub url: String,
    /// How many leaves it has.
    pub size: u64,
    /// The head as it was signed.
    pub signed: String,
    /// Since when it is on its way.
    pub asked_at: Instant,
    /// Which attempt this is, from 1.
    pub attempts: i32,
}

/// Claims what is due: nobody else sends it before `until`.
pub async fn claim(tx: &mut Tx, now: Instant, until: Instant, limit: i64) -> Result<Vec<DueHead>> {
    let rows = sqlx::query!(
        "with due as (
             select witness, size from head_sending where state = 'waiting' and next_at <= $1
             order by next_at, witness, size limit $3 for no key update skip locked
         ), claimed as (
             update head_sending s set attempts = s.attempts + 1, next_at = $2 from due d
             where s.witness = d.witness and s.size = d.size
             returning s.witness, s.size, s.attempts, s.asked_at
         )
         select c.witness, c.size, c.attempts, c.asked_at, w.url, h.signed
         from claimed c join head_witness w on w.name = c.witness join tree_head h on h.size = c.size
         order by c.witness, c.size",
        now,
        until,
        limit,
    )
    .fetch_all(tx.conn())
    .await?;
    let due = rows.into_iter().map(|row| DueHead {
        witness: row.witness,
        url: row.url,
        size: row.size.cast_unsigned(),
        signed: row.signed,
        asked_at: row.asked_at,
        attempts: row.attempts,
    });
    Ok(due.collect())
}

/// What becomes of a head that was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It arrived.
    Told,
    /// It is tried again then.
    Again(Instant),
    /// It is not tried any more.
    GivenUp,
}

/// Records an attempt.
pub async fn record(
    tx: &mut Tx,
    (witness, size): (&str, u64),
    next: Next,
    outcome: &str,
    now: Instant,
) -> Result<()> {
    let (state, again, ended) = match next {
        Next::Told => ("told", None, Some(now)),
        Next::Again(at) => ("waiting", Some(at), None),
        Next::GivenUp => ("given_up", None, Some(now)),
    };
    sqlx::query!(
        "update head_sending set state = $3, next_at = coalesce($4, next_at), outcome = $5, ended_at = $6
         where witness = $1 and size = $2 and state = 'waiting'",
        witness,
        size.cast_signed(),
        state,
        again,
        outcome,
        ended,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A witness and how it stands with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// Its name.
    pub name: String,
    /// Where heads are posted.
    pub url: String,
    /// The largest head that it has, and since when.
    pub told: Option<(u64, Instant)>,
    /// The head on its way, how often it was tried, and how the last attempt went.
    pub waiting: Option<(u64, i32, Option<String>)>,
}

/// Every witness that is sent heads, by name.
pub async fn all(tx: &mut Tx) -> Result<Vec<Witness>> {
    let rows = sqlx::query!(
        r#"select w.name, w.url, t.size as "told?", t.ended_at as "told_at?", d.size as "waiting?",
               d.attempts as "attempts?", d.outcome as "outcome?"
           from head_witness w
           left join lateral (select s.size, s.ended_at from head_sending s
                              where s.witness = w.name and s.state = 'told' order by s.size desc limit 1) t on true
           left join lateral (select s.size, s.attempts, s.outcome from head_sending s
                              where s.witness = w.name and s.state = 'waiting' order by s.size desc limit 1) d on true
           where w.retired_at is null order by w.name"#
    )
    .fetch_all(tx.conn())
    .await?;
    let witnesses = rows.into_iter().map(|row| Witness {
        name: row.name,
        url: row.url,
        told: row.told.map(i64::cast_unsigned).zip(row.told_at),
        waiting: row
            .waiting
            .map(i64::cast_unsigned)
            .zip(row.attempts)
            .map(|(size, attempts)| (size, attempts, row.outcome)),
    });
    Ok(witnesses.collect())
}
