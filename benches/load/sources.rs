//! A remote register that takes its time: what is left of an answer's time once the register's own is taken off, and
//! whether the service's memory stays flat while questions wait.

use super::client::{Pace, Requests, load, post};
use super::report::Record;
use super::verifications::body;
use super::world::World;
use anyhow::Result;
use chung::base::clock::SystemClock;
use chung::crypto::{
    keyring::{KeyRing, Purpose},
    signing::{Signer, SigningKey},
};
use chung::http::listen::listen;
use chung::sandbox::register::{Register, RegisterSettings, router};
use serde_json::json;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use url::Url;

/// Questions a second: at five seconds each, 150 wait at once.
const RATE: f64 = 30.0;
/// Connections: more than wait at once.
const CLIENTS: usize = 200;
/// How long the register takes, in milliseconds.
const DELAYS_MS: [u64; 4] = [0, 1_000, 3_000, 5_000];

/// Measures `POST /v1/verifications` against the sandbox's register, which runs in this process.
pub async fn measure(world: &mut World) -> Result<Vec<Record>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let origin: Url = format!("http://{}/", listener.local_addr()?).parse()?;
    let key = Arc::new(SigningKey::generate());
    let keys = json!({ "keys": [key.verifying_key().jwk(key.kid())] });
    fs::write(world.file("register.json"), keys.to_string())?;
    let ring = KeyRing::from_toml(&fs::read_to_string(world.file("keys.toml"))?)?;
    let settings = RegisterSettings {
        address: origin.join("population")?,
        notices: format!("http://{}/population/notices", world.address).parse()?,
        service_keys: ring.published(Purpose::Message).clone(),
        key,
    };
    let register = Register::new(settings, Arc::new(SystemClock))?;
    register.fill(&people(world));
    let (_stop, stopping) = watch::channel(false);
    let mut serving = JoinSet::new();
    serving.spawn(listen(listener, router(register), stopping));
    world.stop().await?;
    world.more = vec![
        "--population-url".to_owned(),
        origin.join("population")?.to_string(),
        "--population-keys".to_owned(),
        world.file("register.json").display().to_string(),
    ];
    world.start().await?;
    let mut records = Vec::new();
    for delay_ms in DELAYS_MS {
        slow_down(&origin, delay_ms).await?;
        records.push(ask(world, delay_ms).await?);
    }
    serving.shutdown().await;
    world.stop().await?;
    world.more.clear();
    world.start().await?;
    Ok(records)
}

async fn ask(world: &World, delay_ms: u64) -> Result<Record> {
    let token = world.token("verification").await?;
    let bodies: Vec<Vec<u8>> = (0..5_000).map(|n| body(world, n)).collect();
    let asked = AtomicUsize::new(0);
    let requests: Requests = Arc::new(move |_| {
        let number = asked.fetch_add(1, Ordering::Relaxed);
        let (bearer, key) = (format!("Bearer {token}"), format!("s-{delay_ms}-{number}"));
        let headers = [
            ("authorization", bearer.as_str()),
            ("idempotency-key", &key),
            ("content-type", "application/json"),
        ];
        Some(post("/v1/verifications", &headers, &bodies[number % bodies.len()]))
    });
    let time = world.seconds.max(Duration::from_millis(3 * delay_ms));
    let done = load(world.address, CLIENTS, Pace::Open(RATE, time), 201, &requests).await?;
    let own = |share| done.quantile_ms(share) - delay_ms as f64;
    let silent = world.count("verification where state = 'source_unavailable'").await?;
    Ok(Record {
        path: format!("register answers in {} s (own p95 {:.1} ms)", delay_ms / 1_000, own(0.95)),
        p50_ms: Some(own(0.5)),
        p95_ms: Some(own(0.95)),
        p99_ms: Some(own(0.99)),
        memory_mib: Some(world.service_memory()?),
        goal: Some(11.0),
        note: format!("our own time of {} answers; {silent} without the register so far", done.answered),
        ..Record::default()
    })
}

async fn slow_down(origin: &Url, delay_ms: u64) -> Result<()> {
    let http = reqwest::Client::builder().no_proxy().build()?;
    let script = origin.join("script/population/trouble")?;
    http.delete(script.clone()).send().await?.error_for_status()?;
    let trouble = json!({ "delay_ms": delay_ms }).to_string();
    let sent = http.post(script).header("content-type", "application/json").body(trouble).send().await?;
    sent.error_for_status()?;
    Ok(())
}

/// Those who are asked about, in the form of the register's files.
fn people(world: &World) -> String {
    let mut text = "number,name,birth_date,sex,phone,province,status,account_level\n".to_owned();
    for number in 0..5_000 {
        let citizen = world.citizen(number);
        text.push_str(&format!(
            "{},{},{},{},,79,active,\n",
            citizen.number, citizen.name, citizen.birth_date, citizen.sex
        ));
    }
    text
}
