//! Questions about people: token checked, register read, answer signed, verification and audit leaf durable.

use super::client::{Pace, Requests, load, post};
use super::half::at_half_load;
use super::measure::Meter;
use super::reference::BareInsert;
use super::report::{Rate, Record, Trio, trio};
use super::world::World;
use anyhow::Result;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Officers who ask at once.
const CLIENTS: usize = 32;

/// Measures `POST /v1/verifications`.
pub async fn measure(world: &mut World) -> Result<Vec<Record>> {
    let token = world.token("verification").await?;
    let bodies: Vec<Vec<u8>> = (0..50_000).map(|n| body(world, n)).collect();
    let asked = AtomicUsize::new(0);
    let requests: Requests = Arc::new(move |_| {
        let number = asked.fetch_add(1, Ordering::Relaxed);
        let (bearer, key) = (format!("Bearer {token}"), format!("v-{number}"));
        let headers = [
            ("authorization", bearer.as_str()),
            ("idempotency-key", &key),
            ("content-type", "application/json"),
        ];
        Some(post("/v1/verifications", &headers, &bodies[number % bodies.len()]))
    });
    let bare = BareInsert::start(world, "verification").await?;
    let trio = against_insert(world, &bare, &requests, "verification").await?;
    let (half, memory) = at_half_load(world, (CLIENTS, trio.ours.per_s), 201, &requests).await?;
    Ok(vec![
        Record {
            memory_mib: Some(world.service_memory()?),
            ..Record::of(
                &format!("verifications, {} people", World::people()),
                "bare durable insert of a verification over axum",
                Some(0.45),
                &trio,
            )
        },
        Record {
            path: format!("  at half load (p95 {:.1} ms)", half.quantile_ms(0.95)),
            p50_ms: Some(half.quantile_ms(0.5)),
            p95_ms: Some(half.quantile_ms(0.95)),
            p99_ms: Some(half.quantile_ms(0.99)),
            goal: Some(11.0),
            ..Record::default()
        },
        memory,
    ])
}

/// Measures one path against its bare insert, and that every answer left its row in `table`.
pub async fn against_insert(
    world: &mut World,
    bare: &BareInsert,
    requests: &Requests,
    table: &str,
) -> Result<Trio> {
    trio(
        world,
        async |world| bare.measure(world, CLIENTS).await,
        async |world| {
            load(world.address, CLIENTS, Pace::Closed(world.seconds / 4), 201, requests).await?;
            world.analyze().await?;
            let before = world.count(table).await?;
            let meter = Meter::start(&world.payers(), &world.url()).await?;
            let done = load(world.address, CLIENTS, Pace::Closed(world.seconds), 201, requests).await?;
            let spent = meter.stop().await?;
            let written = world.count(table).await? - before;
            anyhow::ensure!(
                usize::try_from(written)? == done.answered,
                "{written} rows, {} answers",
                done.answered
            );
            Ok(Rate::of(done.answered, spent))
        },
    )
    .await
}

/// The nth question.
pub fn body(world: &World, number: usize) -> Vec<u8> {
    let citizen = world.citizen(number);
    json!({
        "number": citizen.number,
        "attributes": { "name": citizen.name, "birth_date": citizen.birth_date, "sex": citizen.sex },
        "purpose": "Cấp Phiếu lý lịch tư pháp",
        "procedure": "2.000488",
        "dossier": format!("H29.14-261124-{:04}", number % 10_000),
        "officer": "hoa.nt",
    })
    .to_string()
    .into_bytes()
}
