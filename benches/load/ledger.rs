//! Ledger postings in batches, all to one account, beside raw PostgreSQL: row by row with the account's balance kept up
//! to date, and in batches of our own statements that psql reads from a file.

use super::measure::{Meter, Payers};
use super::reference::{Posting, accounts, postings};
use super::report::{Rate, Record, trio};
use super::world::World;
use anyhow::{Result, anyhow, ensure};
use chung::base::{calendar::Day, calendar::rfc3339, id, id::Id, money::Money};
use chung::payment::{fee::FeeKind, ledger};
use chung::store::ledger::{EntryKind, NewEntry, append};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;
use tokio::task::spawn_blocking;

/// Entries of one transaction: as many as the service's writer takes at most.
pub const BATCH: usize = 256;

/// Measures `store::ledger::append`; what this process burns counts as ours, what psql burns counts for nobody.
pub async fn measure(world: &mut World, disk: &str) -> Result<Vec<Record>> {
    let naive =
        trio(world, async |world| postings(world, Posting::Hot).await, async |world| batches(world).await)
            .await?;
    let per_s = naive.ours.per_s;
    let psql =
        trio(world, async |world| by_psql(world, per_s).await, async |world| batches(world).await).await?;
    let (path, beside) = (format!("postings to one hot account{disk}"), format!("  the same{disk}"));
    Ok(vec![
        Record::of(
            &path,
            "one-statement posting that updates the hot balance, 32 clients",
            Some(15.0),
            &naive,
        ),
        Record::of(&beside, "our batches of 256 by unnest, from a file by psql", Some(0.7), &psql),
    ])
}

/// Lets psql post from a file: about as many batches as ours posts in the time of a measurement.
async fn by_psql(world: &World, per_s: f64) -> Result<Rate> {
    let file = world.folder().join("postings.sql");
    let rounds = (per_s * world.seconds.as_secs_f64() / BATCH as f64).ceil() as usize + 1;
    write_script(world, &file, rounds).await?;
    let mut psql = Command::new(world.program("psql")?);
    psql.args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--file"]).arg(&file).arg(world.url());
    psql.stdout(Stdio::null());
    let payers = Payers { processes: vec![], ..world.payers() };
    let meter = Meter::start(&payers, &world.url()).await?;
    let done = spawn_blocking(move || psql.status()).await??;
    let spent = meter.stop().await?;
    fs::remove_file(&file)?;
    ensure!(done.success(), "psql posted nothing");
    Ok(Rate::of(rounds * BATCH, spent))
}

/// Writes the two statements of [`append`] for that many batches, every value in the text.
async fn write_script(world: &World, file: &Path, rounds: usize) -> Result<()> {
    let (app, numbers) = (&world.app, accounts(world).await?);
    let mut out = BufWriter::new(File::create(file)?);
    for round in 0..rounds {
        let now = app.clock.now();
        let id = || Id::<id::Entry>::new(now, &*app.entropy).uuid().to_string();
        let list = |of: &dyn Fn(usize) -> String| (0..BATCH).map(of).collect::<Vec<_>>().join(",");
        let ids: Vec<String> = (0..BATCH).map(|_| id()).collect();
        let (kinds, subjects, leaves) = (list(&|_| "settled".to_owned()), list(&|_| id()), list(&|_| id()));
        let twice = list(&|n| format!("{0},{0}", ids[n]));
        let other = |n: usize| numbers[1 + (round * BATCH + n) % (numbers.len() - 1)];
        let accounts = list(&|n| format!("{},{}", numbers[0], other(n)));
        let amounts = list(&|_| "1000,-1000".to_owned());
        let (day, at, ids) = (Day::of(now), rfc3339(now), ids.join(","));
        writeln!(
            out,
            "begin;
             insert into ledger_entry (id, booked_on, kind, subject, leaf_id, at)
             select e.id, '{day}', e.kind, e.subject, e.leaf_id, '{at}'
             from unnest('{{{ids}}}'::uuid[], '{{{kinds}}}'::text[], '{{{subjects}}}'::uuid[], '{{{leaves}}}'::uuid[])
                 as e (id, kind, subject, leaf_id);
             insert into posting (entry_id, account_id, amount, booked_on)
             select p.entry_id, p.account_id, p.amount, '{day}'
             from unnest('{{{twice}}}'::uuid[], '{{{accounts}}}'::integer[], '{{{amounts}}}'::bigint[])
                 as p (entry_id, account_id, amount);
             commit;"
        )?;
    }
    Ok(out.flush()?)
}

async fn batches(world: &World) -> Result<Rate> {
    let app = &world.app;
    let numbers = accounts(world).await?;
    let hot: Id<id::Account> = Id::new(app.clock.now(), &*app.entropy);
    let mut known = BTreeMap::from([(ledger::Account::Clearing(hot), numbers[0])]);
    let mut agencies = Vec::new();
    for number in &numbers[1..] {
        let agency: Id<id::Agency> = Id::new(app.clock.now(), &*app.entropy);
        known.insert(ledger::Account::AgencyFee(agency, FeeKind::Phi), *number);
        agencies.push(agency);
    }
    let payers = Payers { processes: vec![std::process::id()], ..world.payers() };
    let meter = Meter::start(&payers, &world.url()).await?;
    let (began, mut posted) = (Instant::now(), 0);
    while began.elapsed() < world.seconds {
        let now = app.clock.now();
        let entry = |n: usize| -> Result<NewEntry> {
            let agency = agencies[(posted + n) % agencies.len()];
            let entry = ledger::settled(
                ledger::Account::Clearing(hot),
                &[ledger::Part {
                    agency,
                    kind: FeeKind::Phi,
                    amount: Money::vnd(1_000),
                    retained: Money::vnd(0),
                }],
            );
            Ok(NewEntry {
                id: Id::new(now, &*app.entropy),
                kind: EntryKind::Settled,
                subject: Id::<id::Payment>::new(now, &*app.entropy).uuid(),
                leaf: Id::new(now, &*app.entropy),
                entry: entry.map_err(|e| anyhow!("{e:?}"))?,
            })
        };
        let entries = (0..BATCH).map(entry).collect::<Result<Vec<_>>>()?;
        let mut tx = app.store.begin().await?;
        append(&mut tx, &entries, &known, now).await?;
        tx.commit().await?;
        posted += BATCH;
    }
    Ok(Rate::of(posted, meter.stop().await?))
}
