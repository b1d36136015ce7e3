//! The table, and the same figures as JSON.

use super::measure::Spent;
use super::world::World;
use anyhow::Result;
use serde::Serialize;
use std::fs;
use std::path::Path;

/// One measured path. Rates are per CPU-second.
#[derive(Debug, Default, Serialize)]
pub struct Record {
    /// What was measured.
    pub path: String,
    /// Units per CPU-second of the service and PostgreSQL.
    pub rate: Option<f64>,
    /// What it is compared with.
    pub reference: Option<String>,
    /// Its units per CPU-second.
    pub reference_rate: Option<f64>,
    /// `rate / reference_rate`.
    pub ratio: Option<f64>,
    /// Units per second of the clock on the wall.
    pub per_s: Option<f64>,
    /// The reference's units per second of the clock on the wall.
    pub reference_per_s: Option<f64>,
    /// What the ratio should reach; for a latency, a time or a size what it should stay below.
    pub goal: Option<f64>,
    /// The median latency.
    pub p50_ms: Option<f64>,
    /// The latency that one answer in twenty exceeds.
    pub p95_ms: Option<f64>,
    /// The latency that one answer in a hundred exceeds.
    pub p99_ms: Option<f64>,
    /// Resident memory of the service.
    pub memory_mib: Option<f64>,
    /// Processor time of the service and PostgreSQL.
    pub cpu_s: Option<f64>,
    /// Flushes of the write-ahead log per second.
    pub fsync_per_s: Option<f64>,
    /// What a reader of the table should know besides.
    #[serde(skip)]
    pub note: String,
}

/// `units` at what they cost.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    /// Units per CPU-second.
    pub per_cpu_s: f64,
    /// Units per second of the clock on the wall.
    pub per_s: f64,
    /// What they cost.
    pub spent: Spent,
}

impl Rate {
    /// The rate of so many units.
    pub fn of(units: usize, spent: Spent) -> Self {
        let units = units as f64;
        Self { per_cpu_s: units / spent.cpu_s, per_s: units / spent.wall.as_secs_f64(), spent }
    }
}

/// Reference, ours, reference.
#[derive(Debug, Clone, Copy)]
pub struct Trio {
    /// The mean of the two references, per CPU-second.
    pub reference: f64,
    /// The mean of the two references on the wall.
    pub reference_per_s: f64,
    /// Ours.
    pub ours: Rate,
    /// How far the references were apart: the larger over the smaller.
    pub spread: f64,
}

/// The references of a trio may differ by this factor.
const SPREAD_MAX: f64 = 1.2;
/// How often a trio is measured until its references agree.
const TRIES: usize = 3;

/// Measures a trio, again when its references disagree; the steadiest counts.
pub async fn trio(
    world: &mut World,
    mut reference: impl AsyncFnMut(&mut World) -> Result<Rate>,
    mut ours: impl AsyncFnMut(&mut World) -> Result<Rate>,
) -> Result<Trio> {
    let mut best: Option<Trio> = None;
    let mut before = reference(world).await?;
    for _ in 0..TRIES {
        let ours = ours(world).await?;
        let after = reference(world).await?;
        let (one, other) = (before.per_cpu_s, after.per_cpu_s);
        let spread = one.max(other) / one.min(other);
        let reference_per_s = f64::midpoint(before.per_s, after.per_s);
        let trio = Trio { reference: f64::midpoint(one, other), reference_per_s, ours, spread };
        if best.is_none_or(|best| spread < best.spread) {
            best = Some(trio);
        }
        if spread <= SPREAD_MAX {
            break;
        }
        println!("  references differ by {:.0} %: measured again", (spread - 1.0) * 100.0);
        before = after;
    }
    best.ok_or_else(|| anyhow::anyhow!("nothing was measured"))
}

impl Record {
    /// The record of a trio.
    pub fn of(path: &str, reference: &str, goal: Option<f64>, trio: &Trio) -> Self {
        let unsteady = if trio.spread > SPREAD_MAX { "; REFERENCES UNSTEADY" } else { "" };
        Self {
            path: path.to_owned(),
            rate: Some(trio.ours.per_cpu_s),
            reference: Some(reference.to_owned()),
            reference_rate: Some(trio.reference),
            ratio: Some(trio.ours.per_cpu_s / trio.reference),
            goal,
            per_s: Some(trio.ours.per_s),
            reference_per_s: Some(trio.reference_per_s),
            cpu_s: Some(trio.ours.spent.cpu_s),
            fsync_per_s: Some(trio.ours.spent.fsync_per_s),
            note: format!(
                "{:.0}/s on the wall, {:.1} times the reference's; {:.0} us each, {:.0} of them in PostgreSQL{unsteady}",
                trio.ours.per_s,
                trio.ours.per_s / trio.reference_per_s,
                1e6 / trio.ours.per_cpu_s,
                1e6 / trio.ours.per_cpu_s * trio.ours.spent.postgres_s / trio.ours.spent.cpu_s,
            ),
            ..Self::default()
        }
    }

    fn verdict(&self) -> &'static str {
        let Some(goal) = self.goal else { return "" };
        let met = match (self.ratio, self.p95_ms.or(self.memory_mib), self.p99_ms) {
            (Some(ratio), _, _) => ratio >= goal,
            (None, Some(memory), _) => memory < goal,
            (None, None, Some(latency)) => latency < goal,
            (None, None, None) => return "",
        };
        if met { "met" } else { "MISSED" }
    }
}

/// Everything that was measured.
pub struct Report {
    records: Vec<Record>,
}

impl Report {
    /// Says under which conditions.
    pub async fn new(world: &mut World) -> Result<Self> {
        println!(
            "units per CPU-second of service and PostgreSQL together; the load generator is not counted"
        );
        println!("processors may be shared: rates on the wall move with the neighbours, ratios much less");
        println!("{}\n", world.settings().await?);
        Ok(Self { records: Vec::new() })
    }

    /// Adds one record.
    pub fn add(&mut self, record: Record) {
        println!("  {} …", record.path);
        self.records.push(record);
    }

    /// Adds several.
    pub fn extend(&mut self, records: Vec<Record>) {
        records.into_iter().for_each(|record| self.add(record));
    }

    /// Prints the table and writes the JSON.
    pub async fn finish(self, world: &mut World) -> Result<()> {
        let widths = [46, 10, 10, 7, 6, 7, 8, 8, 7, 7, 8];
        let head =
            ["path", "rate", "reference", "ratio", "goal", "", "p50 ms", "p99 ms", "MiB", "cpu s", "fsync/s"];
        println!("\n{}", line(&head.map(str::to_owned), &widths));
        for r in &self.records {
            let number =
                |value: Option<f64>, digits: usize| value.map_or(String::new(), |v| format!("{v:.digits$}"));
            let cells = [
                r.path.clone(),
                number(r.rate, 0),
                number(r.reference_rate, 0),
                number(r.ratio, 2),
                number(r.goal, 2),
                r.verdict().to_owned(),
                number(r.p50_ms, 1),
                number(r.p99_ms, 1),
                number(r.memory_mib, 0),
                number(r.cpu_s, 2),
                number(r.fsync_per_s, 0),
            ];
            println!("{}  {}", line(&cells, &widths), r.note);
            if let Some(reference) = &r.reference {
                println!("{:46}   against {reference}", "");
            }
        }
        println!("\n{}", world.books().await?);
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("load.json"), serde_json::to_string_pretty(&self.records)?)?;
        Ok(())
    }
}

fn line(cells: &[String; 11], widths: &[usize; 11]) -> String {
    let mut text = format!("{:width$}", cells[0], width = widths[0]);
    for (cell, width) in cells.iter().zip(widths).skip(1) {
        text.push_str(&format!(" {cell:>width$}"));
    }
    text
}
