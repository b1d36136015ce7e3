//! The service, its database and its people, in a folder that vanishes with them.

use super::client::Connection;
use super::measure::{Payers, memory_mib};
use super::slow_disk;
use anyhow::{Context, Result, bail};
use chung::app::App;
use chung::base::{entropy::SystemEntropy, id, id::Id, text::Line};
use chung::cli::environment;
use chung::config::Settings;
use chung::crypto::{
    keyring::KeyRing,
    signing::{Signer, SigningKey},
};
use chung::flow::import_population::{Listener, Progress, import_population};
use chung::flow::open_account::{NewAccount, open_account};
use chung::flow::population_file::Reject;
use chung::flow::register_client::{NewAgency, NewClient, register_agency, register_client};
use chung::flow::{fee_file, import_fees::import_fees};
use chung::identity::{
    assurance::Assurance, claims::ClaimsPolicy, client::Wording, profile::Terms, token::ApiScopes,
};
use chung::sandbox::population::{Citizen, Population, write_csv};
use chung::store::postgres::{Durability, PrivatePostgres, Server};
use chung::store::{
    Store,
    agency::{AccountRow, put_account},
};
use serde_json::json;
use sqlx::{Connection as _, PgConnection, Row};
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many people are on the register, unless `CHUNG_BENCH_CITIZENS` says otherwise.
const CITIZENS: u64 = 10_000;
/// Of how many of them questions are asked: spread over all, so that no number uses up its budget.
const ASKED: u64 = 50_000;
/// What one number bears and a slow register gets: the benches ask more often than a day allows, and wait for it.
const LIMITS: &str = "[limits]
number_asks_portal_max = 100000000
number_asks_max = 100000000
population_timeout_ms = 8000
request_timeout_ms = 20000
";
/// The seed of their names.
const SEED: u64 = 7;
/// The number of the one account that every payment credits.
pub const ACCOUNT: &str = "1500201001234";

/// The parts of a bench.
pub struct World {
    /// How long each measurement runs.
    pub seconds: Duration,
    /// The service's own library in this process, on the same database: prepares what is then asked over HTTP.
    pub app: App,
    /// The agency that charges and asks.
    pub agency: Id<id::Agency>,
    /// Its system.
    pub client: Id<id::Client>,
    /// The system's secret.
    pub secret: String,
    /// The key that the clearing system signs with.
    pub bank_key: Arc<SigningKey>,
    /// Where the service reaches the clearing system; nobody is there at first.
    pub clearing_url: String,
    /// Where the service listens.
    pub address: SocketAddr,
    /// What the service is started with besides.
    pub more: Vec<String>,
    citizens: Vec<Citizen>,
    service: Option<Child>,
    /// MiB that the service took at most before it was watched anew.
    peak_before: f64,
    folder: PathBuf,
    server: Server,
}

impl World {
    /// Starts the database and fills it; the service is not started yet.
    pub async fn build(seconds: Duration) -> Result<Self> {
        chung::crypto::install();
        // Another crate may have been first; then its choice is this one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = std::env::temp_dir().join(format!("chung-bench-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let server = PrivatePostgres::new(&folder, Durability::Full).start()?;
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let bank_key = Arc::new(SigningKey::generate());
        fs::write(folder.join("keys.toml"), KeyRing::generate(&SystemEntropy::new()).to_toml().as_bytes())?;
        let jwks = json!({ "keys": [bank_key.verifying_key().jwk(bank_key.kid())] });
        fs::write(folder.join("clearing.json"), jwks.to_string())?;
        fs::write(folder.join("messenger.token"), "unused")?;
        fs::write(folder.join("chung.toml"), LIMITS)?;
        let config = Settings {
            data: Some(folder.clone()),
            database_url: Some(server.url("postgres")),
            listen: Some(address),
            clearing_url: Some("http://127.0.0.1:9/".parse()?),
            clearing_bic: Some("CHUNG".to_owned()),
            clearing_keys: Some(folder.join("clearing.json")),
            messenger_url: Some("http://127.0.0.1:9/".parse()?),
            messenger_token_file: Some(folder.join("messenger.token")),
            ..Settings::default()
        }
        .resolve()?;
        let store = Store::connect(&server.url("postgres"), 8).await?;
        store.migrate().await?;
        let (app, _) = environment::app(&config, store)?;
        let (agency, client, secret) = office(&app).await?;
        let citizens = people(&app).await?;
        Ok(Self {
            seconds,
            app,
            agency,
            client,
            secret,
            bank_key,
            clearing_url: "http://127.0.0.1:9/".to_owned(),
            address,
            more: Vec::new(),
            citizens,
            service: None,
            peak_before: 0.0,
            folder,
            server,
        })
    }

    /// Starts the release service, and says how long its first answer took.
    pub async fn start(&mut self) -> Result<Duration> {
        let file = |name: &str| self.folder.join(name);
        let log = fs::File::create(file("service.log"))?;
        let began = Instant::now();
        let service = Command::new(env!("CARGO_BIN_EXE_chung"))
            .arg("serve")
            .arg("--config")
            .arg(file("chung.toml"))
            .args(&self.more)
            .args(["--database-url", &self.server.url("postgres"), "--log", "warn"])
            .args(["--listen", &self.address.to_string()])
            .args(["--internal-listen", &format!("127.0.0.1:{}", free_port()?)])
            .args(["--clearing-url", &self.clearing_url, "--clearing-bic", "CHUNG"])
            .args(["--messenger-url", "http://127.0.0.1:9/"])
            .arg("--data")
            .arg(&self.folder)
            .arg("--clearing-keys")
            .arg(file("clearing.json"))
            .arg("--messenger-token-file")
            .arg(file("messenger.token"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        self.service = Some(service);
        let request = b"GET /.well-known/openid-configuration HTTP/1.1\r\nhost: localhost\r\n\r\n";
        loop {
            if let Ok(mut connection) = Connection::open(self.address).await {
                let (status, _) = connection.send(request).await?;
                if status == 200 {
                    return Ok(began.elapsed());
                }
            }
            if began.elapsed() > Duration::from_secs(20) {
                bail!("the service does not answer: {}", fs::read_to_string(file("service.log"))?);
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Stops the service.
    pub async fn stop(&mut self) -> Result<()> {
        if let Some(mut service) = self.service.take() {
            Command::new("kill").arg(service.id().to_string()).status()?;
            tokio::task::spawn_blocking(move || service.wait()).await??;
        }
        Ok(())
    }

    /// The same database again, with flushes that take two milliseconds longer or as they are; the service rests.
    pub async fn restart_database(&mut self, slow: bool) -> Result<()> {
        let programs = self.program("")?;
        let mut again = PrivatePostgres::new(&self.folder, Durability::Full);
        if slow {
            again.search.preferred = Some(slow_disk::programs(&self.folder, &programs)?);
        }
        self.stop().await?;
        self.server.stop();
        self.server = again.start()?;
        slow_disk::demand(self.server.pid(), slow)?;
        let store = Store::connect(&self.server.url("postgres"), 8).await?;
        self.app = self.app.with(|parts| parts.store = store);
        Ok(())
    }

    /// Where its files stand; they vanish with it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The program of that name beside the server's.
    pub fn program(&self, name: &str) -> Result<PathBuf> {
        let server = fs::read_link(format!("/proc/{}/exe", self.server.pid()))?;
        Ok(server.with_file_name(name))
    }

    /// Whose processor time counts for what the service does.
    pub fn payers(&self) -> Payers {
        let processes = self.service.iter().map(Child::id).collect();
        Payers { processes, postgres: self.server.pid() }
    }

    /// The database's address.
    pub fn url(&self) -> String {
        self.server.url("postgres")
    }

    /// The service's resident memory now.
    pub fn service_memory(&self) -> Result<f64> {
        memory_mib(self.service.as_ref().context("the service runs")?.id(), "VmRSS")
    }

    /// The service's resident memory at most, since it started.
    pub fn service_memory_peak(&self) -> Result<f64> {
        Ok(self.memory_since_watched()?.max(self.peak_before))
    }

    /// Watches the service's memory anew: what it needed before counts for its whole life only.
    pub fn watch_memory(&mut self) -> Result<()> {
        self.peak_before = self.service_memory_peak()?;
        let service = self.service.as_ref().context("the service runs")?.id();
        Ok(fs::write(format!("/proc/{service}/clear_refs"), "5")?)
    }

    /// The service's resident memory at most, since it is watched.
    pub fn memory_since_watched(&self) -> Result<f64> {
        memory_mib(self.service.as_ref().context("the service runs")?.id(), "VmHWM")
    }

    /// A file of the service's folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// How many people are on the register.
    pub fn people() -> u64 {
        let asked = std::env::var_os("CHUNG_BENCH_CITIZENS").and_then(|count| count.to_str()?.parse().ok());
        asked.unwrap_or(CITIZENS)
    }

    /// Everybody on the register, made again.
    pub fn everybody() -> impl Iterator<Item = Citizen> {
        Population::new(SEED).take(usize::try_from(Self::people()).unwrap_or(usize::MAX))
    }

    /// Somebody on the register, the nth over and over.
    pub fn citizen(&self, number: usize) -> &Citizen {
        &self.citizens[number % self.citizens.len()]
    }

    /// A token for the agency's system, fetched from the token endpoint.
    pub async fn token(&self, scope: &str) -> Result<String> {
        let mut connection = Connection::open(self.address).await?;
        let (_, body) = connection.send(&super::tokens::request(self, scope)).await?;
        let answer: serde_json::Value = serde_json::from_slice(&body)?;
        Ok(answer["access_token"].as_str().context("a token")?.to_owned())
    }

    /// How many rows a table (with a condition, if one follows) holds.
    pub async fn count(&self, table: &str) -> Result<i64> {
        let mut connection = PgConnection::connect(&self.url()).await?;
        let sql = format!("select count(*) from {table}");
        Ok(sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&mut connection).await?)
    }

    /// Brings the planner's statistics up to date, as autovacuum does within a minute of any growth: a plan that was
    /// made for empty tables is no plan to measure.
    pub async fn analyze(&self) -> Result<()> {
        let mut connection = PgConnection::connect(&self.url()).await?;
        sqlx::raw_sql("analyze").execute(&mut connection).await?;
        Ok(())
    }

    /// The settings that durability depends on.
    pub async fn settings(&self) -> Result<String> {
        let mut connection = PgConnection::connect(&self.url()).await?;
        let names = "select string_agg(name || ' = ' || setting, ', ' order by name) as line from pg_settings where name
            in ('fsync', 'synchronous_commit', 'full_page_writes', 'server_version', 'wal_sync_method')";
        Ok(sqlx::query(names).fetch_one(&mut connection).await?.get("line"))
    }

    /// Whether the books hold what they must after all that load.
    pub async fn books(&self) -> Result<String> {
        let unbalanced = "(select entry_id from posting group by entry_id having sum(amount) <> 0) as x";
        let (sum, open) = (self.count(unbalanced).await?, self.count("unbalanced_entry").await?);
        if sum + open != 0 {
            bail!("{sum} entries do not sum to zero");
        }
        Ok("every ledger entry sums to zero".to_owned())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(service) = &mut self.service {
            let _ = service.kill();
            let _ = service.wait();
        }
        self.server.stop();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// An agency with its accounts, the demonstration schedule and a system that holds a secret.
async fn office(app: &App) -> Result<(Id<id::Agency>, Id<id::Client>, String)> {
    let wording = |vi: &str, en: &str| -> Result<Wording> {
        Ok(Wording { vi: Line::parse(vi)?, en: Line::parse(en)? })
    };
    let refused = |e| anyhow::anyhow!("{e:?}");
    import_fees(app, fee_file::SAMPLE_ITEMS, fee_file::SAMPLE_ADJUSTMENTS)
        .await
        .map_err(|e| anyhow::anyhow!("{e:?}"))?;
    let new = NewAgency {
        code: "H29.14".to_owned(),
        name: wording("Sở Tư pháp", "Department of Justice")?,
        tax_code: Some("0301234567".to_owned()),
        address_vi: None,
    };
    let agency = register_agency(app, &new).await.map_err(refused)?;
    let mut tx = app.store.begin().await?;
    for kind in ["phi", "le_phi"] {
        let account = AccountRow {
            kind: kind.to_owned(),
            account_no: ACCOUNT.to_owned(),
            agent_bic: "970405".to_owned(),
            account_name: "KHO BAC NHA NUOC KHU VUC II".to_owned(),
        };
        put_account(&mut tx, agency, &account).await?;
    }
    tx.commit().await?;
    let holder = Line::parse("KHO BAC NHA NUOC KHU VUC II")?;
    let account = NewAccount { bank: "970405".to_owned(), number: ACCOUNT.to_owned(), holder };
    open_account(app, agency, account).await.map_err(refused)?;
    let new = NewClient {
        agency,
        name: wording("Hệ thống một cửa", "One-stop system")?,
        purpose: wording("giải quyết hồ sơ", "process dossiers")?,
        jwks: None,
        redirect_uris: vec![],
        post_logout_redirect_uris: vec![],
        acr_min: Assurance::Low,
        sector: "load.example".parse().map_err(|e| anyhow::anyhow!("{e:?}"))?,
        policy: ClaimsPolicy::new(vec![]).map_err(|e| anyhow::anyhow!("{e:?}"))?,
        scopes: ApiScopes::parse("bill verification").map_err(|e| anyhow::anyhow!("{e:?}"))?,
        terms: Terms::basic(),
        until: None,
    };
    let registered = register_client(app, &new).await.map_err(refused)?;
    let secret = registered.secret.context("a secret")?.expose().to_owned();
    Ok((agency, registered.client, secret))
}

/// An import of which no line may be left out.
struct Strict;

impl Listener for Strict {
    fn rejected(&mut self, reject: &Reject) -> std::io::Result<()> {
        Err(std::io::Error::other(format!("{reject:?}")))
    }
    fn progressed(&mut self, _: &Progress) {}
}

async fn people(app: &App) -> Result<Vec<Citizen>> {
    let (count, began) = (World::people(), Instant::now());
    let mut file = Vec::new();
    write_csv(&mut file, count, SEED, |_| {})?;
    import_population(app, std::io::Cursor::new(file), None, &mut Strict).await?;
    println!("{count} people imported in {:.0} s", began.elapsed().as_secs_f64());
    let every = usize::try_from((count / ASKED).max(1))?;
    Ok(World::everybody().step_by(every).collect())
}
