//! How often codes were asked for. The counters stand in the database, so that a restart or a second node forgets
//! nothing.

use super::{Result, StoreError, Tx};
use crate::base::clock::Instant;
use crate::identity::authenticator::Counter;

/// Counts one more code under each key and returns the counts of the window, this one included.
///
/// A portal's count is spread over shards, since every sign-in there would otherwise wait for one row; what it
/// returns may miss what others are counting at this moment, which a limit of that size bears. Keys go in a fixed
/// order, so that two sign-ins never wait for each other in a circle.
pub async fn count(
    tx: &mut Tx,
    keys: &[(Counter, Vec<u8>)],
    window_start: Instant,
    shard: i16,
) -> Result<Vec<(Counter, i64)>> {
    let counters: Vec<&str> = keys.iter().map(|(counter, _)| counter.word()).collect();
    let values: Vec<&[u8]> = keys.iter().map(|(_, key)| key.as_slice()).collect();
    let rows = sqlx::query!(
        r#"WITH input AS (
               SELECT counter, key, CASE counter WHEN 'portal' THEN $4::smallint ELSE 0::smallint END AS shard
               FROM unnest($1::text[], $2::bytea[]) AS t (counter, key) ORDER BY counter, key
           ), counted AS (
               INSERT INTO code_counter (counter, key, window_start, shard, count)
               SELECT counter, key, $3, shard, 1 FROM input
               ON CONFLICT (counter, key, window_start, shard) DO UPDATE SET count = code_counter.count + 1
               RETURNING counter, key, shard, count
           )
           SELECT counted.counter AS "counter!", (counted.count + coalesce((
               SELECT sum(other.count) FROM code_counter other
               WHERE other.counter = counted.counter AND other.key = counted.key
                 AND other.window_start = $3 AND other.shard <> counted.shard), 0))::bigint AS "count!"
           FROM counted"#,
        &counters as &[&str],
        &values as &[&[u8]],
        window_start,
        shard
    )
    .fetch_all(tx.conn())
    .await?;
    let counts = rows.into_iter().map(|row| {
        let counter = Counter::ALL.into_iter().find(|counter| counter.word() == row.counter);
        let counter = counter.ok_or_else(|| StoreError::corrupt("code_counter", "counter", &row.counter))?;
        Ok((counter, row.count))
    });
    counts.collect()
}

/// Forgets counters of windows that began before `before`.
pub async fn forget(tx: &mut Tx, before: Instant) -> Result<u64> {
    let done =
        sqlx::query!("DELETE FROM code_counter WHERE window_start < $1", before).execute(tx.conn()).await?;
    Ok(done.rows_affected())
}
