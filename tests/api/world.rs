//! One running service on a database of its own, and the people around it. They speak HTTP only.

use crate::central_bank::CentralBank;
use crate::database::Database;
use crate::document::{Seen, document};
use crate::platform::Partners;
use crate::reachable::note_code;
use chung::app::{self, App, ClearingPeer, Parts, Population};
use chung::base::clock::{Clock, ManualClock};
use chung::base::entropy::SeededEntropy;
use chung::base::origin::Origin;
use chung::codec::sod::Anchors;
use chung::config::Limits;
use chung::crypto::{digest::sha256, keyring::KeyRing};
use chung::flow::{deliver_messages::deliver_messages, import_population};
use chung::http;
use chung::partner::messenger::{Letter, Messenger, Unsent};
use chung::partner::national_id::NationalId;
use chung::partner::receipt_issuer::RemoteReceiptIssuers;
use chung::partner::webhook::RemoteWebhooks;
use chung::sandbox::card::AUTHORITY;
use futures_util::future::BoxFuture;
use futures_util::{StreamExt, stream};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use time::macros::datetime;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use uuid::Uuid;

/// A service for one test; everything ends with this value.
pub struct TestApp {
    /// Its parts, for the assertions that HTTP cannot make; actors never touch them.
    pub app: App,
    /// What the service sent, by telephone.
    pub telephones: Arc<Telephones>,
    /// Agency systems that speak the payment platform's protocol.
    pub partners: Arc<Partners>,
    /// The clearing system that it talks to.
    pub bank: Arc<CentralBank>,
    /// The clock, which stands at nine in the morning of 24 November 2026 in Vietnam until it is moved.
    pub clock: Arc<ManualClock>,
    _running: JoinSet<()>,
    _stop: watch::Sender<bool>,
    database: Database,
}

impl TestApp {
    /// Starts the service on a free port of the loopback.
    pub async fn start() -> Self {
        Self::start_with(Limits::default()).await
    }

    /// The same, registered at a national e-ID.
    pub async fn start_with_national_id(upstream: Arc<dyn NationalId>) -> Self {
        Self::start_as(Limits::default(), |parts, _| parts.national_id = Some(upstream)).await
    }

    /// The same within other limits.
    pub async fn start_with(limits: Limits) -> Self {
        Self::start_as(limits, |_, _| ()).await
    }

    /// The same beside a remote register, which is told the service's origin and clock.
    pub async fn start_beside(
        limits: Limits,
        register: impl FnOnce(&str, Arc<ManualClock>) -> Population,
    ) -> Self {
        let place = |parts: &mut Parts, clock: &Arc<ManualClock>| {
            parts.population = register(parts.origin.as_str(), clock.clone());
        };
        Self::start_as(limits, place).await
    }

    /// The same with other parts in places.
    pub async fn start_as(limits: Limits, change: impl FnOnce(&mut Parts, &Arc<ManualClock>)) -> Self {
        install();
        let database = Database::fresh().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("its number").port();
        let clock = Arc::new(ManualClock::at(datetime!(2026-11-24 02:00 UTC)));
        let (batches, queues) = app::queues(&limits);
        let bank = Arc::new(CentralBank::new());
        let partners = Arc::new(Partners::default());
        let telephones = Arc::new(Telephones::default());
        let mut parts = Parts {
            access_tokens: Arc::default(),
            clearing: bank.clone(),
            clearing_peer: Arc::new(ClearingPeer {
                us: "CHUNG".parse().expect("a member"),
                them: "SBV01".parse().expect("a member"),
                keys: bank.keys(),
            }),
            card_anchors: Arc::new(Anchors::read([AUTHORITY]).expect("the authority")),
            national_id: None,
            population: Population::own(),
            messenger: telephones.clone(),
            gateway: Some(sha256(GATEWAY_TOKEN.as_bytes())),
            platform: partners.clone(),
            webhooks: Arc::new(RemoteWebhooks::new(true, Duration::from_secs(2)).expect("a client")),
            time_stamps: None,
            receipt_issuers: Arc::new(RemoteReceiptIssuers::new(Duration::from_secs(2)).expect("a client")),
            store: database.store(8).await,
            clock: clock.clone(),
            entropy: Arc::new(SeededEntropy::new(1)),
            keys: Arc::new(
                KeyRing::from_toml(include_str!("../../keys/development.toml")).expect("the keys"),
            ),
            origin: format!("http://localhost:{port}").parse::<Origin>().expect("an origin"),
            proxies: Arc::default(),
            limits,
            batches,
        };
        change(&mut parts, &clock);
        let app = App::new(parts);
        let (stop, stopping) = watch::channel(false);
        let mut running = JoinSet::new();
        let listening = http::listen::listen(listener, http::router::router(app.clone()), stopping);
        running.spawn(async move {
            let _ = listening.await;
        });
        running.spawn(chung::work::run_queues(app.clone(), queues));
        Self { app, telephones, partners, bank, clock, _running: running, _stop: stop, database }
    }

    /// Puts people on the register: lines of the documented form, the header left out.
    pub async fn register(&self, people: &[&str]) {
        let header =
            "number,old_number,name,birth_date,sex,phone,province,status,died_on,account_level,standings";
        self.register_under(header, people).await;
    }

    /// The same under another header.
    pub async fn register_under(&self, header: &str, people: &[&str]) {
        let text = format!("{header}\n{}\n", people.join("\n"));
        let mut silent = Strict;
        import_population::import_population(&self.app, std::io::Cursor::new(text), None, &mut silent)
            .await
            .expect("the people are read");
    }

    /// Lets every message go out, and gives back the last text that a telephone got.
    pub async fn last_text(&self, telephone: &str) -> Option<String> {
        while deliver_messages(&self.app).await.expect("messages go out") > 0 {}
        let sent = self.telephones.0.lock().unwrap();
        sent.iter().rev().find(|(to, _)| to == telephone).map(|(_, text)| text.clone())
    }

    /// Lets every message go out, and gives back the last letter that a mailbox got.
    pub async fn last_letter(&self, mailbox: &str) -> Option<Letter> {
        while deliver_messages(&self.app).await.expect("messages go out") > 0 {}
        let sent = self.telephones.1.lock().unwrap();
        sent.iter().rev().find(|letter| letter.to == mailbox).cloned()
    }

    /// The address of a path.
    pub fn at(&self, path: &str) -> String {
        self.app.origin.at(path)
    }

    /// Moves the clock.
    pub fn later(&self, by: Duration) {
        self.clock.advance(by);
        assert!(self.app.clock.now() == self.clock.now());
    }

    /// Registers an agency's system as a client, which here needs no credentials of its own.
    pub async fn insert_client(&self, client: Uuid, agency: Uuid) {
        let sql = format!(
            "insert into client (id, agency_id, kind, name_vi, name_en, auth_method, secret_digest, scopes,
                 redirect_uris, logout_uris, sector, claims_policy, state, created_at)
             values ('{client}', '{agency}', 'agency_system', 'x', 'x', 'client_secret_basic',
                 decode(repeat('00', 32), 'hex'), '{{}}', '{{}}', '{{}}', 'xx', '{{}}', 'active', '2026-11-24Z')"
        );
        self.sql(&sql).await.expect("a client");
    }

    /// Runs one statement in the database, in a transaction of its own.
    pub async fn sql(&self, sql: &str) -> Result<(), String> {
        let mut connection = self.connection().await;
        let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await;
        done.map(|_| ()).map_err(|e| e.to_string())
    }

    /// The balance of each account of the books that was posted to, by its kind.
    pub async fn balances(&self) -> Vec<(String, i64)> {
        let sql =
            "select a.kind, sum(p.amount)::bigint from posting p join ledger_account a on a.id = p.account_id
                   group by a.id order by a.id";
        sqlx::query_as(sql).fetch_all(&mut self.connection().await).await.expect("balances")
    }

    /// The money that waits, in the order of its arrival: why, and how much.
    pub async fn held(&self) -> Vec<(String, i64)> {
        let sql = "select reason, amount from suspense order by id";
        sqlx::query_as(sql).fetch_all(&mut self.connection().await).await.expect("suspense")
    }

    /// Everything that stands in a table, as text.
    pub async fn dump(&self, table: &str) -> String {
        let sql = format!("select coalesce(string_agg(t::text, E'\\n'), '') from {table} t");
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut self.connection().await).await.expect("a table")
    }

    /// How many rows a table holds; a condition may follow its name.
    pub async fn count(&self, table: &str) -> i64 {
        let sql = format!("select count(*) from {table}");
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut self.connection().await).await.expect("a table")
    }

    /// A connection of somebody else to the same database.
    pub async fn connection(&self) -> PgConnection {
        PgConnection::connect(&self.database.url()).await.expect("the test database answers")
    }

    /// Comes back once so many statements wait for what others have locked, or after some seconds in which fewer did.
    pub async fn waiting(&self, many: i64) {
        let mut watcher = self.connection().await;
        for _ in 0..600 {
            let waiting: i64 = sqlx::query_scalar(
                "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
            )
            .fetch_one(&mut watcher)
            .await
            .expect("what the database does");
            if waiting >= many {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Somebody without any credentials, with a browser of their own.
    pub fn stranger(&self) -> Actor {
        Actor::new(self.app.origin.clone())
    }
}

/// What the message gateway presents when it brings an answer.
pub const GATEWAY_TOKEN: &str = "the token of the message gateway";

/// The telephones and mailboxes of everybody: they take every message.
#[derive(Default)]
pub struct Telephones(pub Mutex<Vec<(String, String)>>, pub Mutex<Vec<Letter>>);

impl Messenger for Telephones {
    fn send<'a>(&'a self, to: &'a str, text: &'a str) -> BoxFuture<'a, Result<(), Unsent>> {
        self.0.lock().unwrap().push((to.to_owned(), text.to_owned()));
        Box::pin(async { Ok(()) })
    }

    fn send_mail<'a>(&'a self, letter: &'a Letter) -> BoxFuture<'a, Result<(), Unsent>> {
        self.1.lock().unwrap().push(letter.clone());
        Box::pin(async { Ok(()) })
    }
}

/// An import of which no line may be left out.
struct Strict;

impl import_population::Listener for Strict {
    fn rejected(&mut self, reject: &chung::flow::population_file::Reject) -> std::io::Result<()> {
        panic!("{reject:?}")
    }
    fn progressed(&mut self, _: &import_population::Progress) {}
}

/// A body of so many bytes at a time, each piece after a pause; with `ends` it ends, else nothing comes after the last one.
pub fn slowly(bytes: &[u8], at_once: usize, pause: Duration, ends: bool) -> reqwest::Body {
    let pieces: Vec<Vec<u8>> = bytes.chunks(at_once).map(<[u8]>::to_vec).collect();
    let pieces = stream::iter(pieces).then(move |piece| async move {
        tokio::time::sleep(pause).await;
        Ok::<_, std::io::Error>(piece)
    });
    if ends {
        return reqwest::Body::wrap_stream(pieces);
    }
    reqwest::Body::wrap_stream(pieces.chain(stream::pending()))
}

/// Providers are chosen once per process.
pub fn install() {
    chung::crypto::install();
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Somebody with a browser or a program: keeps cookies, follows no redirect unasked.
pub struct Actor {
    origin: Origin,
    http: reqwest::Client,
    cookies: Mutex<BTreeMap<String, String>>,
    bearer: Option<String>,
}

impl Actor {
    /// A fresh one, whose relative paths mean this origin.
    pub fn new(origin: Origin) -> Self {
        install();
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(Duration::from_secs(30))
            .build()
            .expect("a client");
        Self { origin, http, cookies: Mutex::default(), bearer: None }
    }

    /// The same, presenting this bearer token from now on.
    #[must_use]
    pub fn with_bearer(mut self, token: impl Into<String>) -> Self {
        self.bearer = Some(token.into());
        self
    }

    /// Fetches a page or an object.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.http.get(self.address(path))).await
    }

    /// Sends a form, as a page of ours would.
    pub async fn post_form(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.send(self.http.post(self.address(path)).header("origin", self.origin.as_str()).form(fields))
            .await
    }

    /// Sends JSON.
    pub async fn post_json(&self, path: &str, body: &serde_json::Value) -> Answer {
        self.send(self.http.post(self.address(path)).json(body)).await
    }

    /// Sends JSON under an idempotency key.
    pub async fn post_once(&self, path: &str, key: &str, body: &serde_json::Value) -> Answer {
        self.send(self.http.post(self.address(path)).header("idempotency-key", key).json(body)).await
    }

    /// A request to be completed by the test.
    pub fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, self.address(path))
    }

    /// Sends a completed request with this actor's cookies and token.
    pub async fn send(&self, mut request: reqwest::RequestBuilder) -> Answer {
        let cookies = self
            .cookies
            .lock()
            .unwrap()
            .iter()
            .map(|(k, v)| format!("{k}={v}"))
            .collect::<Vec<_>>()
            .join("; ");
        if !cookies.is_empty() {
            request = request.header("cookie", cookies);
        }
        if let Some(token) = &self.bearer {
            request = request.bearer_auth(token);
        }
        let request = request.build().expect("a complete request");
        let (method, address) = (request.method().to_string(), request.url().clone());
        let response = self.http.execute(request).await.expect("the service answers");
        self.keep_cookies(response.headers());
        let answer = Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.bytes().await.expect("a whole body").to_vec(),
        };
        if address.path().starts_with("/v1/") {
            answer.hold_to_contract(&method, address.path());
            note_code(&answer.body);
        }
        answer
    }

    /// The cookies this browser holds.
    pub fn cookies(&self) -> BTreeMap<String, String> {
        self.cookies.lock().unwrap().clone()
    }

    fn address(&self, path: &str) -> String {
        if path.starts_with('/') { self.origin.at(path) } else { path.to_owned() }
    }

    fn keep_cookies(&self, headers: &reqwest::header::HeaderMap) {
        let mut jar = self.cookies.lock().unwrap();
        for header in headers.get_all("set-cookie") {
            let text = header.to_str().expect("a cookie is ASCII");
            let (name, value) =
                text.split(';').next().and_then(|pair| pair.split_once('=')).expect("name=value");
            if value.is_empty() || text.to_ascii_lowercase().contains("max-age=0") {
                jar.remove(name.trim());
            } else {
                jar.insert(name.trim().to_owned(), value.trim().to_owned());
            }
        }
    }
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: reqwest::header::HeaderMap,
    /// The body as it came.
    pub body: Vec<u8>,
}

impl Answer {
    /// Every answer of `/v1` in every test is one that `openapi.yaml` promises.
    fn hold_to_contract(&self, method: &str, path: &str) {
        let media = self.headers.get("content-type").and_then(|h| h.to_str().ok());
        let media = media.and_then(|m| m.split(';').next());
        let seen = Seen { status: self.status, media, body: &self.body };
        document().judge(method, path, &seen).unwrap_or_else(|fault| panic!("{method} {path}: {fault}"));
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {} {}", self.status, self.text()))
    }

    /// Where the answer sends the browser.
    #[track_caller]
    pub fn location(&self) -> String {
        let header = self
            .headers
            .get("location")
            .unwrap_or_else(|| panic!("no redirect: {} {}", self.status, self.text()));
        header.to_str().expect("an ASCII address").to_owned()
    }

    /// Demands a status, and shows the body when it is another.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    /// Demands a refusal of that status and code.
    #[track_caller]
    pub fn expect_refusal(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status, self.json()["code"].as_str()), (status, Some(code)), "{}", self.text());
        self
    }

    /// The value of a field of the page's form: `name="…"` and `value="…"` of one element; of the shell's own forms
    /// only where the page has no such field.
    #[track_caller]
    pub fn form_field(&self, name: &str) -> String {
        let text = self.text();
        let main = text.split("<main").nth(1).unwrap_or_default();
        let of = |part: &str| {
            part.split('<').find(|tag| tag.contains(&format!("name=\"{name}\""))).map(str::to_owned)
        };
        let element = of(main).or_else(|| of(&text));
        let value = element.as_deref().and_then(|tag| tag.split("value=\"").nth(1)?.split('"').next());
        value.unwrap_or_else(|| panic!("no field {name} in {text}")).to_owned()
    }
}
