//! Ledger postings in batches, all to one account, beside a naive posting that updates the account's balance.

use super::measure::{Meter, Payers};
use super::reference::{Posting, accounts, postings};
use super::report::{Rate, Record, trio};
use super::world::World;
use anyhow::{Result, anyhow};
use chung::base::{id, id::Id, money::Money};
use chung::payment::{fee::FeeKind, ledger};
use chung::store::ledger::{EntryKind, NewEntry, append};
use std::collections::BTreeMap;
use std::time::Instant;

/// Entries of one transaction: as many as the service's writer takes at most.
const BATCH: usize = 256;

/// Measures `store::ledger::append`; what this process burns counts as ours.
pub async fn measure(world: &mut World) -> Result<Vec<Record>> {
    let trio =
        trio(world, async |world| postings(world, Posting::Hot).await, async |world| batches(world).await)
            .await?;
    let reference = "one-statement posting that updates the hot balance, 32 clients";
    Ok(vec![Record::of("ledger postings, one hot account, batches of 256", reference, Some(15.0), &trio)])
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
