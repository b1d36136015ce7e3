//! The trial balance over ten million entries: from the last checkpoint as it is asked for, and from nothing.
//!
//! `CHUNG_BENCH_ENTRIES` sets how many entries (default 10,000,000). They are written by SQL with checks and flushes
//! off, each with two postings and a leaf that has its place; what is measured afterwards is the service's own fold.

use super::reference::accounts;
use super::report::Record;
use super::world::World;
use anyhow::{Context, Result, ensure};
use chung::flow::trial_balance::{LEAVES_PER_CHECKPOINT, checkpoint_balances, trial_balance};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::time::{Duration, Instant};

/// Entries of one statement.
const CHUNK: i64 = 250_000;
/// How often a balance is asked for.
const ASKED: usize = 21;
/// A live trial balance may take this many milliseconds.
const GOAL_MS: f64 = 250.0;

/// How many entries.
pub fn entries() -> i64 {
    let asked = std::env::var_os("CHUNG_BENCH_ENTRIES").and_then(|s| s.to_str()?.parse().ok());
    asked.unwrap_or(10_000_000)
}

/// Writes the entries; the sequencer must rest from here on, since the places that are made here have no tree.
pub async fn fill(world: &World) -> Result<()> {
    let began = Instant::now();
    let mut connection = PgConnection::connect(&world.url()).await?;
    let hot = accounts(world).await?[0];
    for setting in ["fsync", "full_page_writes"] {
        run(&mut connection, &format!("alter system set {setting} = off")).await?;
    }
    run(&mut connection, "select pg_reload_conf()").await?;
    run(&mut connection, "set session_replication_role = replica").await?;
    let from: i64 = sqlx::query_scalar("select coalesce(max(place) + 1, 0) from audit_place")
        .fetch_one(&mut connection)
        .await?;
    let wanted = entries();
    // The last entries lie beyond the last checkpoint, as they would.
    let tail = i64::try_from(LEAVES_PER_CHECKPOINT - 1)?.min(wanted / 2);
    for (start, end) in [(0, wanted - tail), (wanted - tail, wanted)] {
        let mut at = start;
        while at < end {
            let to = end.min(at + CHUNK);
            run(&mut connection, &chunk(hot, from, at, to)).await?;
            at = to;
        }
        run(&mut connection, &head(from + end)).await?;
        if end < wanted {
            run(&mut connection, "analyze audit_place, ledger_entry, posting").await?;
            let began = Instant::now();
            ensure!(
                checkpoint_balances(&world.app, 1).await.map_err(|e| refused(&e))?,
                "no checkpoint was kept"
            );
            println!("  {end} entries folded from nothing in {:.1} s", began.elapsed().as_secs_f64());
        }
    }
    run(&mut connection, "analyze audit_place, audit_leaf, ledger_entry, posting").await?;
    for setting in ["fsync", "full_page_writes"] {
        run(&mut connection, &format!("alter system reset {setting}")).await?;
    }
    run(&mut connection, "select pg_reload_conf()").await?;
    run(&mut connection, "checkpoint").await?;
    println!("  {wanted} entries were there after {:.0} s", began.elapsed().as_secs_f64());
    Ok(())
}

/// Measures the live trial balance beside one statement that sums all postings.
pub async fn measure(world: &World, disk: &str) -> Result<Vec<Record>> {
    let mut connection = PgConnection::connect(&world.url()).await?;
    let (mut ours, mut raw) = (Vec::new(), Vec::new());
    let filled = accounts(world).await?;
    for asked in 0..ASKED {
        let began = Instant::now();
        let trial = trial_balance(&world.app.store, None, None).await.map_err(|e| refused(&e))?;
        ours.push(began.elapsed());
        ensure!(trial.sum.is_zero(), "the books do not sum to zero");
        let rows = trial.rows.iter().filter(|row| filled.contains(&row.0.number));
        let folded: u64 = rows.map(|row| row.1.minor().unsigned_abs()).sum();
        if asked % 10 == 0 {
            let began = Instant::now();
            let sum = "select sum(abs(s))::bigint from (
                select sum(amount) as s from posting where booked_on = date '2026-11-20' group by account_id) as x";
            let sum: i64 = sqlx::query_scalar(sum).fetch_one(&mut connection).await?;
            raw.push(began.elapsed());
            ensure!(sum > 0 && sum.unsigned_abs() == folded, "the fold differs from the sum of all postings");
        }
    }
    let entries = world.count("ledger_entry").await?;
    let (half, most) = (median(&mut ours)?, *ours.last().context("a time")?);
    let raw = median(&mut raw)?;
    Ok(vec![Record {
        path: format!("trial balance, {entries} entries{disk}"),
        p50_ms: Some(ms(half)),
        p99_ms: Some(ms(most)),
        goal: Some(GOAL_MS),
        note: format!("the sum of all postings in one statement takes {:.0} ms", ms(raw)),
        ..Record::default()
    }])
}

fn median(times: &mut [Duration]) -> Result<Duration> {
    times.sort_unstable();
    times.get(times.len() / 2).copied().context("a time")
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

fn refused(error: &chung::flow::Error) -> anyhow::Error {
    anyhow::anyhow!("{error:?}")
}

/// Leaves, places, entries and postings of the numbers from `from` on below `to`. Identifiers begin with their
/// millisecond, ten to each, as the service writes them.
fn chunk(hot: i32, place: i64, from: i64, to: i64) -> String {
    let id = |kind: char| {
        format!(
            "(lpad(to_hex(1790000000000 + n / 10), 12, '0') || '7' || substr(md5(n || '{kind}'), 1, 3)
                || '8' || substr(md5(n || '{kind}'), 4, 15))::uuid"
        )
    };
    format!(
        "with made as materialized (
             select n, {} as leaf, {} as entry, timestamptz '2026-11-20Z' as at
             from generate_series({from}::bigint, {to}::bigint - 1) n),
         leaf as (insert into audit_leaf (id, kind, at, commitment, tx)
             select leaf, 'payment.settled', at, sha256(''), 3 from made),
         place as (insert into audit_place (place, leaf_id, leaf_hash)
             select {place} + n, leaf, sha256('') from made),
         entry as (insert into ledger_entry (id, booked_on, kind, subject, leaf_id, at)
             select entry, date '2026-11-20', 'settled', entry, leaf, at from made)
         insert into posting (entry_id, account_id, amount, booked_on)
         select entry, {hot}, 1000, date '2026-11-20' from made
         union all select entry, {hot} + 1 + (n % 999)::integer, -1000, date '2026-11-20' from made",
        id('l'),
        id('e'),
    )
}

/// A head of that many leaves, below which everything is placed.
fn head(size: i64) -> String {
    format!(
        "insert into tree_head (size, root, at, signed, low_tx)
         values ({size}, sha256(''), '2026-11-20Z', '-', pg_snapshot_xmin(pg_current_snapshot())::text::bigint)"
    )
}

async fn run(connection: &mut PgConnection, sql: &str) -> Result<()> {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await?;
    Ok(())
}
