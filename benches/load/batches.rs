//! One batch with a row for everybody on the register: uploaded in parts, answered chunk by chunk, fetched as one file.

use super::client::Connection;
use super::measure::Meter;
use super::report::{Rate, Record};
use super::world::World;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Bytes of one part of the upload.
const PART: usize = 4 << 20;
/// Resident memory that a batch of any size stays below, in MiB.
const GOAL_MIB: f64 = 65.0;

/// Measures the answering of a batch, and the service's memory from the first byte up to the last byte down.
pub async fn measure(world: &mut World) -> Result<Vec<Record>> {
    let mut memory = Memory::begin(world)?;
    let opened =
        call(world, "POST", "/v1/verifications/batches", &open(), &[("idempotency-key", "batch")]).await?;
    let path = format!("/v1/verifications/batches/{}", opened["id"].as_str().context("a batch")?);
    let began = Instant::now();
    let rows = upload(world, &path, &mut memory).await?;
    let uploaded = began.elapsed().as_secs_f64();
    let meter = Meter::start(&world.payers(), &world.url()).await?;
    loop {
        let state = call(world, "GET", &path, &[], &[]).await?;
        memory.look(world)?;
        if state["state"] == "finished" {
            ensure!(state["rows_done"] == json!(rows), "{state}");
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let rate = Rate::of(rows, meter.stop().await?);
    let began = Instant::now();
    let lines = fetch(world, &path, &mut memory).await?;
    ensure!(lines == rows + 1, "{lines} lines for {rows} rows");
    let note = format!(
        "{:.0} rows/s on the wall; uploaded in {uploaded:.1} s, fetched in {:.1} s; {:.0} MiB before",
        rate.per_s,
        began.elapsed().as_secs_f64(),
        memory.before
    );
    Ok(vec![Record {
        path: format!("rows of a batch of {rows}"),
        rate: Some(rate.per_cpu_s),
        memory_mib: Some(memory.most),
        goal: Some(GOAL_MIB),
        cpu_s: Some(rate.spent.cpu_s),
        fsync_per_s: Some(rate.spent.fsync_per_s),
        note,
        ..Record::default()
    }])
}

/// The service's memory, looked at again and again.
struct Memory {
    before: f64,
    most: f64,
}

impl Memory {
    fn begin(world: &World) -> Result<Self> {
        let before = world.service_memory()?;
        Ok(Self { before, most: before })
    }

    fn look(&mut self, world: &World) -> Result<()> {
        self.most = self.most.max(world.service_memory()?);
        Ok(())
    }
}

fn open() -> Vec<u8> {
    let batch = json!({
        "purpose": "Rà soát đối tượng hưởng trợ cấp", "procedure": "2.000488", "officer": "hoa.nt", "format": "csv",
    });
    batch.to_string().into_bytes()
}

/// Uploads a row for everybody; how many.
async fn upload(world: &World, path: &str, memory: &mut Memory) -> Result<usize> {
    let mut part = b"number,name,birth_date,ref\n".to_vec();
    let (mut offset, mut rows) = (0, 0);
    for citizen in World::everybody() {
        part.extend_from_slice(
            format!("{},{},{},{rows}\n", citizen.number, citizen.name, citizen.birth_date).as_bytes(),
        );
        rows += 1;
        if part.len() >= PART {
            offset = send(world, path, offset, &part, false).await?;
            part.clear();
            memory.look(world)?;
        }
    }
    send(world, path, offset, &part, true).await?;
    Ok(rows)
}

async fn send(world: &World, path: &str, offset: usize, part: &[u8], complete: bool) -> Result<usize> {
    let at = offset.to_string();
    let headers = [("upload-offset", at.as_str()), ("upload-complete", if complete { "?1" } else { "?0" })];
    let kept = call(world, "PATCH", &format!("{path}/rows"), part, &headers).await?;
    let kept = usize::try_from(kept["bytes"].as_u64().context("bytes")?)?;
    ensure!(kept == offset + part.len(), "{kept} bytes are kept");
    Ok(kept)
}

/// One request with a token of its own: a batch may outlive one.
async fn call(world: &World, method: &str, path: &str, body: &[u8], more: &[(&str, &str)]) -> Result<Value> {
    let token = world.token("verification").await?;
    let mut head = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\ncontent-length: {}\r\n\
         content-type: application/json\r\n",
        body.len()
    );
    for (name, value) in more {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let request = [head.as_bytes(), b"\r\n", body].concat();
    let (status, answer) = Connection::open(world.address).await?.send(&request).await?;
    ensure!(status < 300, "{method} {path} answered {status}: {}", String::from_utf8_lossy(&answer));
    Ok(serde_json::from_slice(&answer)?)
}

/// Fetches the result as it streams; how many lines it has.
async fn fetch(world: &World, path: &str, memory: &mut Memory) -> Result<usize> {
    let token = world.token("verification").await?;
    let address = format!("http://{}{path}/result", world.address);
    let mut answer =
        reqwest::Client::builder().no_proxy().build()?.get(address).bearer_auth(token).send().await?;
    ensure!(answer.status() == 200, "{}", answer.status());
    let mut lines = 0;
    while let Some(chunk) = answer.chunk().await? {
        lines += chunk.iter().filter(|byte| **byte == b'\n').count();
        memory.look(world)?;
    }
    Ok(lines)
}
