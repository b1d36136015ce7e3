//! What one CPU-second buys: the release service under load, beside raw references on the same tables.
//!
//! `cargo bench --bench load` starts a private PostgreSQL with durable settings and the service in processes of their
//! own, drives each hot path over HTTP from this process, and prints rates per CPU-second of the service and
//! PostgreSQL together (what this process burns is not counted). Every ratio is measured as reference, ours,
//! reference; a trio whose references differ by more than a fifth is measured again. Only answers that were judged
//! count, and after a load the database is asked whether every one of them is there.
//!
//! Bills, postings, settled payments and the trial balance are measured again under a PostgreSQL whose flushes take two milliseconds
//! longer (`benches/slow_flush.c`).
//!
//! `CHUNG_BENCH_SECONDS` sets how long each measurement runs (default 3), `CHUNG_BENCH_ENTRIES` how many entries the
//! trial balance folds, `CHUNG_BENCH_CITIZENS` how many people are on the register (default 10,000) and so how many rows a
//! batch has; names on the command line choose among start, settlements, end-to-end, verifications, batches, bills,
//! history, tokens, signins, sources, ledger, slow, trial-balance, webhooks, receipts and reconcile;
//! `CHUNG_BENCH_EVENTS`, `CHUNG_BENCH_RECEIPTS`, `CHUNG_BENCH_PDFS` and `CHUNG_BENCH_LINES` size the last three. The figures
//! also go to `target/bench/load.json`.

#![expect(clippy::float_arithmetic, reason = "rates, not money")]
#![expect(clippy::print_stdout, reason = "the table is the product")]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts of a few thousand requests"
)]

mod batches;
mod bills;
mod client;
mod end_to_end;
mod half;
mod history;
mod ledger;
mod measure;
mod peer;
mod receipts;
mod reconcile;
mod reference;
mod report;
mod same_rows;
mod settlements;
mod signins;
mod slow_disk;
mod sources;
mod start;
mod tokens;
mod trial_balance;
mod verifications;
mod webhooks;
mod world;

use anyhow::Result;
use report::{Record, Report};
use std::process::ExitCode;
use std::time::Duration;
use world::World;

/// The service's own: flows that are measured in this process are to cost what they cost there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let done = runtime.map_err(Into::into).and_then(|runtime| {
        runtime.block_on(async {
            match arguments.iter().position(|a| a == reference::SERVE) {
                Some(place) => reference::serve(&arguments[place + 1], &arguments[place + 2]).await,
                None => measure_all().await,
            }
        })
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error:?}");
            ExitCode::FAILURE
        }
    }
}

/// How long each measurement runs.
fn seconds() -> Duration {
    let asked = std::env::var_os("CHUNG_BENCH_SECONDS").and_then(|s| s.to_str()?.parse().ok());
    Duration::from_secs_f64(asked.unwrap_or(3.0))
}

/// A path by its name, when only some are asked for on the command line.
fn wanted(name: &str) -> bool {
    let mut names = std::env::args().skip(1).filter(|a| !a.starts_with('-')).peekable();
    names.peek().is_none() || names.any(|asked| name.contains(&asked))
}

async fn measure_all() -> Result<()> {
    let mut world = World::build(seconds()).await?;
    let mut report = Report::new(&mut world).await?;
    if wanted("start") {
        report.add(start::measure(&mut world).await?);
    }
    world.start().await?;
    let mut settled = None;
    if wanted("settlements") {
        let records = settlements::measure(&mut world).await?;
        settled = records.get(1).and_then(|record| record.per_s);
        report.extend(records);
    }
    if wanted("end-to-end") {
        report.extend(end_to_end::measure(&mut world, "").await?);
    }
    if wanted("verifications") {
        report.extend(verifications::measure(&mut world).await?);
    }
    if wanted("batches") {
        report.extend(batches::measure(&mut world).await?);
    }
    if wanted("bills") {
        report.extend(bills::measure(&mut world, "").await?);
    }
    if wanted("history") {
        report.extend(history::measure(&mut world).await?);
    }
    if wanted("tokens") {
        report.extend(tokens::measure(&mut world).await?);
    }
    if wanted("signins") {
        report.extend(signins::measure(&mut world).await?);
    }
    if wanted("peer") {
        report.extend(peer::measure(&mut world).await?);
    }
    report.add(Record {
        path: "resident memory of the service, at most at full speed (MiB)".to_owned(),
        memory_mib: Some(world.service_memory_peak()?),
        ..Record::default()
    });
    if wanted("sources") {
        report.extend(sources::measure(&mut world).await?);
    }
    let quick = if wanted("ledger") {
        let records = ledger::measure(&mut world, "").await?;
        let quick = records.first().and_then(|record| record.per_s);
        report.extend(records);
        quick
    } else {
        None
    };
    if wanted("slow") {
        report.extend(slow(&mut world, quick, settled).await?);
    }
    if wanted("trial-balance") {
        world.stop().await?;
        trial_balance::fill(&world).await?;
        for slow in [false, true] {
            world.restart_database(slow).await?;
            report.extend(trial_balance::measure(&world, if slow { SLOW } else { "" }).await?);
        }
    }
    if wanted("webhooks") {
        report.extend(webhooks::measure(&mut world).await?);
    }
    if wanted("receipts") {
        report.extend(receipts::measure(&mut world).await?);
    }
    if wanted("reconcile") {
        report.extend(reconcile::measure(&mut world).await?);
    }
    report.finish(&mut world).await
}

/// What a slow disk leaves of a rate on the wall: half of it is the aim.
fn kept_of(path: &str, kept: f64, quick: f64) -> Record {
    Record {
        path: path.to_owned(),
        per_s: Some(kept),
        reference: Some("the same on this machine's own disk".to_owned()),
        reference_per_s: Some(quick),
        ratio: Some(kept / quick),
        goal: Some(0.5),
        ..Record::default()
    }
}

/// What is appended to the name of a path on the slow disk.
const SLOW: &str = ", flushes 2 ms slower";

/// Bills and postings again with slow flushes, and what the postings keep of their quick rate on the wall.
async fn slow(world: &mut World, quick: Option<f64>, settled: Option<f64>) -> Result<Vec<Record>> {
    world.restart_database(true).await?;
    world.start().await?;
    let mut records = bills::measure(world, SLOW).await?;
    let postings = ledger::measure(world, SLOW).await?;
    let kept = postings.first().and_then(|record| record.per_s);
    records.extend(postings);
    if let (Some(kept), Some(quick)) = (kept, quick) {
        records.push(kept_of("  kept of the postings per second", kept, quick));
    }
    if let Some(quick) = settled {
        let kept = settlements::at_peak(world, quick).await?.per_s;
        records.push(kept_of("  kept of the settled payments per second", kept, quick));
    }
    world.restart_database(false).await?;
    world.start().await?;
    Ok(records)
}
