//! Tokens for agencies' systems (`client_credentials`), beside raw ES256 signatures.

use super::client::{Pace, Requests, load, post};
use super::measure::{Meter, Spent, thread_cpu_s};
use super::report::{Rate, Record, trio};
use super::world::World;
use anyhow::Result;
use base64::{Engine, prelude::BASE64_STANDARD};
use chung::crypto::signing::{Signer, SigningKey};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

/// What Keycloak publishes: client-credential grants per second and vCPU.
const GRANTS_PEER: f64 = 120.0;
/// Systems that ask at once.
const CLIENTS: usize = 32;

/// A request for a token of these scopes.
pub fn request(world: &World, scope: &str) -> Vec<u8> {
    let credentials = BASE64_STANDARD.encode(format!("{}:{}", world.client, world.secret));
    let body = format!("grant_type=client_credentials&scope={scope}");
    let headers = [
        ("authorization", format!("Basic {credentials}")),
        ("content-type", "application/x-www-form-urlencoded".to_owned()),
    ];
    post("/oidc/token", &headers.each_ref().map(|(n, v)| (*n, v.as_str())), body.as_bytes())
}

/// Measures the token endpoint.
pub async fn measure(world: &mut World) -> Result<Vec<Record>> {
    let bytes = request(world, "verification");
    let requests: Requests = Arc::new(move |_| Some(bytes.clone()));
    let trio = trio(
        world,
        async |world| signatures(world).await,
        async |world| {
            load(world.address, CLIENTS, Pace::Closed(world.seconds / 4), 200, &requests).await?;
            let meter = Meter::start(&world.payers(), &world.url()).await?;
            let done = load(world.address, CLIENTS, Pace::Closed(world.seconds), 200, &requests).await?;
            Ok(Rate::of(done.answered, meter.stop().await?))
        },
    )
    .await?;
    let pace = Pace::Open(trio.ours.per_s / 2.0, world.seconds);
    let half = load(world.address, CLIENTS, pace, 200, &requests).await?;
    let record = Record::of("token requests", "ES256 signatures of raw ring", None, &trio);
    let times = trio.ours.per_cpu_s / GRANTS_PEER;
    Ok(vec![Record {
        note: format!("{}; {times:.0} times {GRANTS_PEER} of Keycloak per vCPU", record.note),
        p50_ms: Some(half.quantile_ms(0.5)),
        p99_ms: Some(half.quantile_ms(0.99)),
        memory_mib: Some(world.service_memory()?),
        ..record
    }])
}

/// Raw ring on one thread, whose own processor time counts.
pub async fn signatures(world: &World) -> Result<Rate> {
    let time = world.seconds;
    tokio::task::spawn_blocking(move || {
        let key = SigningKey::generate();
        let message = [7_u8; 400];
        let (began, cpu_s) = (Instant::now(), thread_cpu_s()?);
        let mut signed = 0;
        while began.elapsed() < time {
            for _ in 0..256 {
                black_box(key.sign(black_box(&message)));
            }
            signed += 256;
        }
        let spent = Spent {
            wall: began.elapsed(),
            cpu_s: thread_cpu_s()? - cpu_s,
            postgres_s: 0.0,
            fsync_per_s: 0.0,
        };
        Ok(Rate::of(signed, spent))
    })
    .await?
}
