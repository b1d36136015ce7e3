//! A path at half the rate that it reached: how long its callers wait, and how much memory the service takes meanwhile.

use super::client::{Load, Pace, Requests, load};
use super::report::Record;
use super::world::World;
use anyhow::Result;

/// MiB that the aim allows.
const MEMORY: f64 = 65.0;

/// Asks at half of `rate` over `clients` connections: what came back, and the service's resident memory.
pub async fn at_half_load(
    world: &mut World,
    (clients, rate): (usize, f64),
    expected: u16,
    requests: &Requests,
) -> Result<(Load, Record)> {
    world.watch_memory()?;
    let half =
        load(world.address, clients, Pace::Open(rate / 2.0, world.seconds), expected, requests).await?;
    let memory = Record {
        path: "  resident memory meanwhile, at most (MiB)".to_owned(),
        memory_mib: Some(world.memory_since_watched()?),
        goal: Some(MEMORY),
        ..Record::default()
    };
    Ok((half, memory))
}
