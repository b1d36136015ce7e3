//! npm `oidc-provider` 9 in the same run, on equal steps: tokens of client_credentials (JWT, ES256, client_secret_basic), and
//! code flows with PKCE for a session that is there. The same load generator drives both. The peer keeps everything in
//! memory; ours is durable, and the processor time of PostgreSQL counts as ours.
//!
//! It is installed by npm into `target/bench/peer`. Without npm or Node the comparison is left out, and said so.

use super::client::{Connection, Pace, Requests, load, post};
use super::measure::{Meter, Spent, process_cpu_s};
use super::report::{Rate, Record, trio};
use super::signins::{self, CALLBACK, VERIFIER, form, get};
use super::tokens;
use super::world::{World, free_port};
use anyhow::{Context, Result, bail};
use base64::{Engine, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use chung::crypto::digest::sha256;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const PACKAGE: &str = "oidc-provider@9";
const SECRET: &str = "a-secret-of-forty-three-characters-or-so-ok";
/// Systems that ask for tokens at once.
const CLIENTS: usize = 32;
/// What ours is to reach beside it, per CPU-second.
const TOKENS_GOAL: f64 = 3.0;
const FLOWS_GOAL: f64 = 2.0;

/// The peer while it runs.
struct Peer {
    process: Child,
    at: SocketAddr,
    cookies: Arc<Vec<String>>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Measures both sides; nothing where the peer cannot be had.
pub async fn measure(world: &mut World) -> Result<Vec<Record>> {
    let peer = match Peer::start() {
        Ok(peer) => peer,
        Err(error) => {
            println!("  without npm oidc-provider: {error:#}");
            return Ok(Vec::new());
        }
    };
    let name = format!("npm {PACKAGE}, in memory");
    let bytes = tokens::request(world, "verification");
    let requests: Requests = Arc::new(move |_| Some(bytes.clone()));
    let of_tokens = trio(
        world,
        async |world| peer.tokens(world.seconds).await,
        async |world| {
            load(world.address, CLIENTS, Pace::Closed(world.seconds / 4), 200, &requests).await?;
            let meter = Meter::start(&world.payers(), &world.url()).await?;
            let done = load(world.address, CLIENTS, Pace::Closed(world.seconds), 200, &requests).await?;
            Ok(Rate::of(done.answered, meter.stop().await?))
        },
    )
    .await?;
    let flows = signins::prepare(world, false).await?;
    let of_flows = trio(
        world,
        async |world| peer.flows(world.seconds).await,
        async |world| signins::rate(world, &flows).await,
    )
    .await?;
    Ok(vec![
        Record::of("client_credentials tokens beside the peer", &name, Some(TOKENS_GOAL), &of_tokens),
        Record::of("code flows, basic, beside the peer", &name, Some(FLOWS_GOAL), &of_flows),
    ])
}

impl Peer {
    fn start() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = root.join("target/bench/peer");
        std::fs::create_dir_all(&folder)?;
        std::fs::copy(root.join("benches/peer/oidc_provider.mjs"), folder.join("oidc_provider.mjs"))?;
        if !folder.join("node_modules/oidc-provider").exists() {
            let arguments = ["install", "--no-audit", "--no-fund", "--silent", PACKAGE];
            let installed =
                Command::new("npm").args(arguments).current_dir(&folder).status().context("npm")?;
            if !installed.success() {
                bail!("npm install {PACKAGE} did not succeed");
            }
        }
        let port = free_port()?;
        let mut process = Command::new("node")
            .args(["oidc_provider.mjs", &port.to_string(), SECRET])
            .current_dir(&folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("node")?;
        let mut said = BufReader::new(process.stdout.take().context("its output")?);
        let mut first = String::new();
        said.read_line(&mut first)?;
        // Whatever it says later is read and forgotten, so that it never waits for a full pipe.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        let told: serde_json::Value = serde_json::from_str(&first).context("the peer's first line")?;
        let cookies = told["cookies"].as_array().context("cookies")?.iter();
        let cookies = cookies.filter_map(|cookie| cookie.as_str().map(str::to_owned)).collect();
        Ok(Self { process, at: SocketAddr::from(([127, 0, 0, 1], port)), cookies: Arc::new(cookies) })
    }

    /// Counts what its process spends while `work` runs, after a quarter of it to get warm.
    async fn spent(&self, time: Duration, work: impl AsyncFn(Duration) -> Result<usize>) -> Result<Rate> {
        work(time / 4).await?;
        let (began, cpu_s) = (Instant::now(), process_cpu_s(self.process.id())?);
        let done = work(time).await?;
        let spent = Spent {
            wall: began.elapsed(),
            cpu_s: process_cpu_s(self.process.id())? - cpu_s,
            postgres_s: 0.0,
            fsync_per_s: 0.0,
        };
        Ok(Rate::of(done, spent))
    }

    async fn tokens(&self, time: Duration) -> Result<Rate> {
        let basic = basic();
        let body = form(&[("grant_type", "client_credentials"), ("scope", "api")]);
        let bytes = post("/token", &[signins::FORM, ("authorization", &basic)], body.as_bytes());
        let requests: Requests = Arc::new(move |_| Some(bytes.clone()));
        self.spent(time, async |time| {
            Ok(load(self.at, CLIENTS, Pace::Closed(time), 200, &requests).await?.answered)
        })
        .await
    }

    async fn flows(&self, time: Duration) -> Result<Rate> {
        self.spent(time, async |time| {
            let began = Instant::now();
            let mut running = JoinSet::new();
            for place in 0..self.cookies.len() {
                let (at, cookies) = (self.at, Arc::clone(&self.cookies));
                running.spawn(async move {
                    let mut connection = Connection::open(at).await?;
                    let mut done = 0;
                    while began.elapsed() < time {
                        flow(&mut connection, &cookies[place]).await?;
                        done += 1;
                    }
                    anyhow::Ok(done)
                });
            }
            let mut all = 0;
            while let Some(done) = running.join_next().await {
                all += done??;
            }
            Ok(all)
        })
        .await
    }
}

async fn flow(connection: &mut Connection, cookie: &str) -> Result<()> {
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(sha256(VERIFIER.as_bytes()));
    let query = form(&[
        ("client_id", "portal"),
        ("redirect_uri", CALLBACK),
        ("response_type", "code"),
        ("scope", "openid profile"),
        ("prompt", "none"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ]);
    let answered = get(connection, &format!("/auth?{query}"), &[("cookie", cookie)]).await?;
    let back = url::Url::parse(answered.header("location"))?;
    let code =
        back.query_pairs().find(|(name, _)| name == "code").context("a code of the peer")?.1.into_owned();
    let body = form(&[
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ]);
    let basic = basic();
    let bytes = post("/token", &[signins::FORM, ("authorization", &basic)], body.as_bytes());
    let tokens = connection.ask(&bytes).await?;
    if tokens.status != 200 {
        bail!("the peer's token endpoint answered {}", tokens.status);
    }
    Ok(())
}

fn basic() -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("portal:{SECRET}")))
}
