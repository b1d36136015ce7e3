//! How often numbers were typed, codes sent and guessed. The counters stand in the database, so that a restart or a
//! second node forgets nothing.

use super::{Result, StoreError, Tx};
use crate::base::clock::Instant;
use crate::identity::limit::{Rule, Subject};

/// One counter: the rule and whom it counts.
pub type Counted = (&'static Rule, Vec<u8>);

/// Counts one more under each rule and returns the counts of the windows, this one included.
///
/// A portal's count is spread over shards, since every sign-in there would otherwise wait for one row; what it
/// returns may miss what others are counting at this moment, which a limit of that size bears. Rules go in a fixed
/// order, so that two sign-ins never wait for each other in a circle.
pub async fn count(
    tx: &mut Tx,
    counters: &[Counted],
    shard: i16,
    now: Instant,
) -> Result<Vec<(&'static Rule, i64)>> {
    let (words, keys, windows, shards) = columns(counters, shard, now);
    let rows = sqlx::query!(
        r#"WITH input AS (
               SELECT * FROM unnest($1::text[], $2::bytea[], $3::timestamptz[], $4::smallint[])
                   AS t (counter, key, window_start, shard) ORDER BY counter, key
           ), counted AS (
               INSERT INTO code_counter (counter, key, window_start, shard, count)
               SELECT counter, key, window_start, shard, 1 FROM input
               ON CONFLICT (counter, key, window_start, shard) DO UPDATE SET count = code_counter.count + 1
               RETURNING counter, key, window_start, shard, count
           )
           SELECT counted.counter AS "counter!", (counted.count + coalesce((
               SELECT sum(other.count) FROM code_counter other
               WHERE other.counter = counted.counter AND other.key = counted.key
                 AND other.window_start = counted.window_start AND other.shard <> counted.shard), 0))::bigint AS "count!"
           FROM counted"#,
        &words as &[&str],
        &keys as &[&[u8]],
        &windows,
        &shards
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(|row| named(counters, &row.counter, row.count)).collect()
}

/// The counts of the windows as they stand; what was never counted is left out.
pub async fn read(tx: &mut Tx, counters: &[Counted], now: Instant) -> Result<Vec<(&'static Rule, i64)>> {
    let (words, keys, windows, _) = columns(counters, 0, now);
    let rows = sqlx::query!(
        r#"SELECT c.counter, sum(c.count)::bigint AS "count!"
           FROM unnest($1::text[], $2::bytea[], $3::timestamptz[]) AS t (counter, key, window_start)
           JOIN code_counter c ON c.counter = t.counter AND c.key = t.key AND c.window_start = t.window_start
           GROUP BY c.counter"#,
        &words as &[&str],
        &keys as &[&[u8]],
        &windows
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(|row| named(counters, &row.counter, row.count)).collect()
}

/// Forgets counters of windows that began before `before`.
pub async fn forget(tx: &mut Tx, before: Instant) -> Result<u64> {
    let done =
        sqlx::query!("DELETE FROM code_counter WHERE window_start < $1", before).execute(tx.conn()).await?;
    Ok(done.rows_affected())
}

type Columns<'a> = (Vec<&'static str>, Vec<&'a [u8]>, Vec<Instant>, Vec<i16>);

fn columns(counters: &[Counted], shard: i16, now: Instant) -> Columns<'_> {
    let mut columns = Columns::default();
    for (rule, key) in counters {
        columns.0.push(rule.word);
        columns.1.push(key.as_slice());
        columns.2.push(rule.window_start(now));
        columns.3.push(if rule.subject == Subject::Portal { shard } else { 0 });
    }
    columns
}

fn named(counters: &[Counted], word: &str, count: i64) -> Result<(&'static Rule, i64)> {
    let rule = counters.iter().map(|(rule, _)| *rule).find(|rule| rule.word == word);
    Ok((rule.ok_or_else(|| StoreError::corrupt("code_counter", "counter", word))?, count))
}
