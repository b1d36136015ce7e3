//! Time stamps of the audit log's heads, and those that are asked for.

use super::{Result, StoreError, Tx};
use crate::base::clock::Instant;
use crate::crypto::digest::Digest;
use std::collections::HashMap;

/// Asks for stamps of the heads that approved closings name, and of the newest head where none was asked for since `since`.
pub async fn plan(tx: &mut Tx, since: Instant, at: Instant) -> Result<u64> {
    let done = sqlx::query!(
        "insert into head_stamp (size, state, next_at, asked_at)
         select size, 'waiting', $2, $2 from (
             select c.head_size as size from closing c join tree_head h on h.size = c.head_size
             where c.state = 'approved' and not exists (select from head_stamp s where s.size = c.head_size)
             union
             select size from (select size from tree_head order by size desc limit 1) h
             where not exists (select from head_stamp s where s.state = 'waiting' or s.asked_at > $1 or s.size >= h.size)
         ) wanted order by size
         on conflict on constraint head_stamp_once do nothing",
        since,
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

/// A head whose stamp is to be asked for now.
pub struct DueStamp {
    /// How many leaves it has.
    pub size: u64,
    /// The head as it was signed: what is stamped.
    pub signed: String,
    /// When it was signed.
    pub headed_at: Instant,
    /// Since when the stamp is asked for.
    pub asked_at: Instant,
    /// Which attempt this is, from 1.
    pub attempts: i32,
}

/// Claims what is due: nobody else asks for it before `until`.
pub async fn claim(tx: &mut Tx, now: Instant, until: Instant, limit: i64) -> Result<Vec<DueStamp>> {
    let rows = sqlx::query!(
        "with due as (
             select size from head_stamp where state = 'waiting' and next_at <= $1
             order by next_at, size limit $3 for no key update skip locked
         ), claimed as (
             update head_stamp s set attempts = s.attempts + 1, next_at = $2 from due d where s.size = d.size
             returning s.size, s.attempts, s.asked_at
         )
         select c.size, c.attempts, c.asked_at, h.signed, h.at from claimed c join tree_head h on h.size = c.size
         order by c.size",
        now,
        until,
        limit,
    )
    .fetch_all(tx.conn())
    .await?;
    let due = rows.into_iter().map(|row| DueStamp {
        size: row.size.cast_unsigned(),
        signed: row.signed,
        headed_at: row.at,
        asked_at: row.asked_at,
        attempts: row.attempts,
    });
    Ok(due.collect())
}

/// A stamp that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// The authority's whole answer.
    pub answer: Vec<u8>,
    /// The authority's own time.
    pub at: Instant,
    /// Its policy.
    pub policy: String,
    /// The stamp's number there.
    pub serial: String,
    /// Who stamped.
    pub authority: String,
    /// The trusted certificate behind it.
    pub anchor: Digest,
    /// What revocation lists showed when it was given: `clear`, or why it is unknown.
    pub revocation: String,
    /// When the oldest of those lists was made.
    pub lists_of: Option<Instant>,
}

/// Keeps a stamp.
pub async fn keep(tx: &mut Tx, size: u64, given: &Given, now: Instant) -> Result<()> {
    sqlx::query!(
        "update head_stamp set state = 'stamped', outcome = 'stamped', ended_at = $2, answer = $3, stamped_at = $4,
             policy = $5, serial = $6, authority = $7, anchor = $8, revocation = $9, lists_of = $10
         where size = $1 and state = 'waiting'",
        size.cast_signed(),
        now,
        &given.answer,
        given.at,
        given.policy,
        given.serial,
        given.authority,
        given.anchor.as_slice(),
        given.revocation,
        given.lists_of,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Records an attempt that gave none; it is asked for again at `next`, or never again.
pub async fn record(
    tx: &mut Tx,
    size: u64,
    (next, outcome): (Option<Instant>, &str),
    now: Instant,
) -> Result<()> {
    sqlx::query!(
        "update head_stamp set outcome = $3, next_at = coalesce($2, next_at),
             state = case when $2::timestamptz is null then 'given_up' else 'waiting' end,
             ended_at = case when $2::timestamptz is null then $4::timestamptz end
         where size = $1 and state = 'waiting'",
        size.cast_signed(),
        next,
        outcome,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// How it stands with a head's stamp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stamping {
    /// It is asked for: so many attempts, and how the last one went.
    Waiting(i32, Option<String>),
    /// It was given.
    Stamped(Given),
    /// It was asked for in vain.
    GivenUp(String),
}

/// The stamps of these heads, by size.
pub async fn of_heads(tx: &mut Tx, sizes: &[u64]) -> Result<HashMap<u64, Stamping>> {
    let sizes: Vec<i64> = sizes.iter().map(|size| size.cast_signed()).collect();
    let rows = sqlx::query!(
        "select size, state, attempts, outcome, answer, stamped_at, policy, serial, authority, anchor, revocation, lists_of
         from head_stamp where size = any($1)",
        &sizes,
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            let bad = |column| StoreError::corrupt("head_stamp", column, row.size);
            let stamping = match row.state.as_str() {
                "waiting" => Stamping::Waiting(row.attempts, row.outcome),
                "given_up" => Stamping::GivenUp(row.outcome.unwrap_or_default()),
                "stamped" => Stamping::Stamped(Given {
                    answer: row.answer.ok_or_else(|| bad("answer"))?,
                    at: row.stamped_at.ok_or_else(|| bad("stamped_at"))?,
                    policy: row.policy.ok_or_else(|| bad("policy"))?,
                    serial: row.serial.ok_or_else(|| bad("serial"))?,
                    authority: row.authority.ok_or_else(|| bad("authority"))?,
                    anchor: row.anchor.and_then(|a| a.try_into().ok()).ok_or_else(|| bad("anchor"))?,
                    revocation: row.revocation,
                    lists_of: row.lists_of,
                }),
                _ => return Err(bad("state")),
            };
            Ok((row.size.cast_unsigned(), stamping))
        })
        .collect()
}

/// Stamps that were given of heads of more leaves than that, the smallest first: how many leaves, the head as it was signed, and
/// the stamp.
pub async fn kept(tx: &mut Tx, after: u64, limit: i64) -> Result<Vec<(u64, String, Given)>> {
    let sizes = sqlx::query_scalar!(
        "select size from head_stamp where state = 'stamped' and size > $1 order by size limit $2",
        after.cast_signed(),
        limit,
    )
    .fetch_all(tx.conn())
    .await?;
    let sizes: Vec<u64> = sizes.into_iter().map(i64::cast_unsigned).collect();
    let mut stamps = of_heads(tx, &sizes).await?;
    let mut kept = Vec::with_capacity(sizes.len());
    for (size, signed) in heads(tx, &sizes).await? {
        if let Some(Stamping::Stamped(given)) = stamps.remove(&size) {
            kept.push((size, signed, given));
        }
    }
    Ok(kept)
}

/// Heads as they were signed, the smallest first.
pub async fn heads(tx: &mut Tx, sizes: &[u64]) -> Result<Vec<(u64, String)>> {
    let sizes: Vec<i64> = sizes.iter().map(|size| size.cast_signed()).collect();
    let rows = sqlx::query!("select size, signed from tree_head where size = any($1) order by size", &sizes)
        .fetch_all(tx.conn())
        .await?;
    Ok(rows.into_iter().map(|row| (row.size.cast_unsigned(), row.signed)).collect())
}

/// A head as it was signed.
pub async fn head(tx: &mut Tx, size: u64) -> Result<Option<String>> {
    let found = sqlx::query_scalar!("select signed from tree_head where size = $1", size.cast_signed());
    Ok(found.fetch_optional(tx.conn()).await?)
}
