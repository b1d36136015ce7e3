//! What one CPU-second buys: the release service under load, beside raw references on the same tables.
//!
//! `cargo bench --bench load` starts a private PostgreSQL with durable settings and the service in processes of their
//! own, drives each hot path over HTTP from this process, and prints rates per CPU-second of the service and
//! PostgreSQL together (what this process burns is not counted). Every ratio is measured as reference, ours,
//! reference; a trio whose references differ by more than a fifth is measured again. Only answers that were judged
//! count, and after a load the database is asked whether every one of them is there.
//!
//! `CHUNG_BENCH_SECONDS` sets how long each measurement runs (default 3). The figures also go to
//! `target/bench/load.json`.

#![expect(clippy::float_arithmetic, reason = "rates, not money")]
#![expect(clippy::print_stdout, reason = "the table is the product")]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts of a few thousand requests"
)]

mod bills;
mod client;
mod history;
mod ledger;
mod measure;
mod peer;
mod reference;
mod report;
mod settlements;
mod signins;
mod start;
mod tokens;
mod verifications;
mod world;

use anyhow::Result;
use report::{Record, Report};
use std::process::ExitCode;
use std::time::Duration;
use world::World;

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
    if wanted("settlements") {
        report.extend(settlements::measure(&mut world).await?);
    }
    if wanted("verifications") {
        report.extend(verifications::measure(&mut world).await?);
    }
    if wanted("bills") {
        report.extend(bills::measure(&mut world).await?);
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
        path: "resident memory of the service, at most (MiB)".to_owned(),
        memory_mib: Some(world.service_memory_peak()?),
        goal: Some(65.0),
        ..Record::default()
    });
    if wanted("ledger") {
        report.extend(ledger::measure(&mut world).await?);
    }
    report.finish(&mut world).await
}
