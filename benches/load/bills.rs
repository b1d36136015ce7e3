//! Bills: fees computed by the schedule with their trace, names sealed, bill and audit leaf durable.

use super::client::{Requests, post};
use super::half::at_half_load;
use super::reference::BareInsert;
use super::report::Record;
use super::same_rows::{Unit, beside};
use super::verifications::against_insert;
use super::world::World;
use anyhow::Result;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Systems that post at once.
const CLIENTS: usize = 32;

/// Measures `POST /v1/bills`; `disk` names another disk than the machine's.
pub async fn measure(world: &mut World, disk: &str) -> Result<Vec<Record>> {
    let token = world.token("bill").await?;
    let due = super::settlements::due(world).to_string();
    // Keys of their own for each run on one database.
    let (run, posted) = (world.app.clock.now().unix_timestamp(), AtomicUsize::new(0));
    let requests: Requests = Arc::new(move |_| {
        let number = posted.fetch_add(1, Ordering::Relaxed);
        let (bearer, key) = (format!("Bearer {token}"), format!("b-{run}-{number}"));
        let headers = [
            ("authorization", bearer.as_str()),
            ("idempotency-key", &key),
            ("content-type", "application/json"),
        ];
        let body = json!({
            "dossier": format!("H29.14-261124-{:04}", number % 10_000),
            "procedure": "2.000488",
            "lines": [{ "fee": "LLTP-01" }, { "fee": "LLTP-02", "count": 1 }],
            "channel": "online",
            "due": due,
            "applicant": { "name": "Nguyễn Thị Hòa" },
        });
        Some(post("/v1/bills", &headers, body.to_string().as_bytes()))
    });
    let bare = BareInsert::start(world, "bill").await?;
    let trio = against_insert(world, &bare, &requests, "bill").await?;
    let by_hand = beside(world, Unit::Bill, &trio.ours).await?;
    let (half, memory) = at_half_load(world, (CLIENTS, trio.ours.per_s), 201, &requests).await?;
    let mut records = vec![
        Record {
            memory_mib: Some(world.service_memory()?),
            ..Record::of(&format!("bills{disk}"), "bare durable insert of a bill over axum", Some(0.5), &trio)
        },
        Record {
            path: "  at half load".to_owned(),
            p50_ms: Some(half.quantile_ms(0.5)),
            p99_ms: Some(half.quantile_ms(0.99)),
            goal: disk.is_empty().then_some(50.0),
            ..Record::default()
        },
        memory,
    ];
    records.splice(1..1, by_hand);
    Ok(records)
}
