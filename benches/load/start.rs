//! From the start of the program to its first answer, on a migrated database.

use super::report::Record;
use super::world::World;
use anyhow::Result;

/// How often it is started.
const STARTS: usize = 7;

/// Starts the service several times, and stops it again.
pub async fn measure(world: &mut World) -> Result<Record> {
    let mut times = Vec::new();
    for _ in 0..STARTS {
        times.push(world.start().await?.as_secs_f64() * 1e3);
        world.stop().await?;
    }
    times.sort_by(f64::total_cmp);
    Ok(Record {
        path: "start to first answer, the slowest of 7 (ms)".to_owned(),
        p50_ms: Some(times[STARTS / 2]),
        p99_ms: times.last().copied(),
        goal: Some(200.0),
        ..Record::default()
    })
}
