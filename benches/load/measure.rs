//! What a piece of work cost: processor time of other processes out of `/proc`, flushes out of PostgreSQL's counters.

use anyhow::{Context, Result};
use sqlx::{Connection, PgConnection};
use std::fs;
use std::time::{Duration, Instant};

/// Clock ticks of `/proc` in a second: 100 on every Linux.
const TICKS: f64 = 100.0;

/// Whose processor time counts.
#[derive(Debug, Clone)]
pub struct Payers {
    /// Processes that count by themselves, e.g. the service.
    pub processes: Vec<u32>,
    /// The postmaster; its children count too.
    pub postgres: u32,
}

/// What a piece of work cost.
#[derive(Debug, Clone, Copy)]
pub struct Spent {
    /// How long it took.
    pub wall: Duration,
    /// Seconds of processor time of those who pay.
    pub cpu_s: f64,
    /// What of it PostgreSQL used.
    pub postgres_s: f64,
    /// Flushes of the write-ahead log in each second.
    pub fsync_per_s: f64,
}

/// A measurement under way.
pub struct Meter {
    payers: Payers,
    counters: PgConnection,
    began: Instant,
    cpu_s: (f64, f64),
    fsyncs: i64,
}

impl Meter {
    /// Begins to count.
    pub async fn start(payers: &Payers, url: &str) -> Result<Self> {
        let mut counters = PgConnection::connect(url).await?;
        let fsyncs = fsyncs(&mut counters).await?;
        let cpu_s = payers.cpu_s()?;
        Ok(Self { payers: payers.clone(), counters, began: Instant::now(), cpu_s, fsyncs })
    }

    /// Stops counting.
    pub async fn stop(mut self) -> Result<Spent> {
        let (wall, (own, postgres)) = (self.began.elapsed(), self.payers.cpu_s()?);
        let postgres_s = postgres - self.cpu_s.1;
        let cpu_s = own - self.cpu_s.0 + postgres_s;
        // Backends report their counters at most once a second, when they rest.
        tokio::time::sleep(Duration::from_millis(1100)).await;
        let fsyncs = fsyncs(&mut self.counters).await? - self.fsyncs;
        Ok(Spent { wall, cpu_s, postgres_s, fsync_per_s: fsyncs as f64 / wall.as_secs_f64() })
    }
}

/// Flushes so far. PostgreSQL 18 moved the counter.
async fn fsyncs(connection: &mut PgConnection) -> Result<i64> {
    let version: i32 = sqlx::query_scalar("select current_setting('server_version_num')::int")
        .fetch_one(&mut *connection)
        .await?;
    let counter = if version < 180_000 {
        "select wal_sync from pg_stat_wal"
    } else {
        "select coalesce(sum(fsyncs), 0)::bigint from pg_stat_io where object = 'wal'"
    };
    Ok(sqlx::query_scalar(counter).fetch_one(connection).await?)
}

impl Payers {
    /// Processor time so far of the processes, and of PostgreSQL. What a backend that has ended used is in the
    /// postmaster's own line.
    fn cpu_s(&self) -> Result<(f64, f64)> {
        let mut own = 0;
        for pid in &self.processes {
            own += Stat::of(*pid)?.own;
        }
        let mut ticks = 0;
        let postmaster = Stat::of(self.postgres)?;
        ticks += postmaster.own + postmaster.ended_children;
        for entry in fs::read_dir("/proc")? {
            let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            // A process may end while we look.
            if let Ok(stat) = Stat::of(pid)
                && stat.parent == self.postgres
            {
                ticks += stat.own;
            }
        }
        Ok((own as f64 / TICKS, ticks as f64 / TICKS))
    }
}

/// Processor time of one process so far, in seconds.
pub fn process_cpu_s(pid: u32) -> Result<f64> {
    Ok(Stat::of(pid)?.own as f64 / TICKS)
}

/// The parts of `/proc/PID/stat` that count.
struct Stat {
    parent: u32,
    own: u64,
    ended_children: u64,
}

impl Stat {
    fn of(pid: u32) -> Result<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let (_, rest) = text.rsplit_once(')').context("the form of /proc/PID/stat")?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let number =
            |place: usize| -> Result<u64> { Ok(fields.get(place).context("a short line")?.parse()?) };
        Ok(Self {
            parent: fields.get(1).context("a short line")?.parse()?,
            own: number(11)? + number(12)?,
            ended_children: number(13)? + number(14)?,
        })
    }
}

/// One line of `/proc/PID/status`, in MiB: `VmRSS` now, `VmHWM` at most.
pub fn memory_mib(pid: u32, line: &str) -> Result<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let found = text.lines().find_map(|l| l.strip_prefix(line)?.strip_prefix(':'));
    let kib: f64 = found.and_then(|l| l.split_whitespace().next()).context("no such line")?.parse()?;
    Ok(kib / 1024.0)
}

/// The processor time of the calling thread, in seconds.
pub fn thread_cpu_s() -> Result<f64> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds: f64 = text.split_whitespace().next().context("no processor time")?.parse()?;
    Ok(nanoseconds / 1e9)
}
