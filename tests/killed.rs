//! `kill -9` under load: payments settle at full speed, the service dies in the middle, twice; what it had acknowledged is
//! there, and once everything was sent again, each payment stands in the books exactly once. Asked to end, it finishes what is
//! under way, and says so to whoever sends it requests.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use chung::app::App;
use chung::base::{
    calendar::Day,
    clock::Instant,
    entropy::{SystemEntropy, random},
    id::{self, Id},
    money::Money,
    text::Line,
};
use chung::cli::environment;
use chung::codec::http_signature::{Request, sign_request};
use chung::codec::iso20022::{
    CancellationRequest, CreditNotification, CreditTransfer, Direction, EndToEndId, Entry, Header, Message,
    MessageId, Part, PaymentReturn, RequestToPay, Resolution, Statement, StatementRequest, StatusInquiry,
    write,
};
use chung::config::Settings;
use chung::crypto::{
    keyring::KeyRing,
    signing::{Signer, SigningKey},
};
use chung::flow::{
    create_bill::create_all,
    fee_file,
    import_fees::import_fees,
    open_account::{NewAccount, open_account},
    reconcile_statement::match_statement,
    register_client::{NewAgency, NewClient, register_agency, register_client},
};
use chung::identity::{
    assurance::Assurance, claims::ClaimsPolicy, client::Wording, profile::Terms, token::ApiScopes,
};
use chung::partner::clearing::{Clearing, FetchedStatement, NoStatement};
use chung::payment::{
    bill::Parties,
    exemption::{Channel, Circumstances, Dates, Facts},
    fee::Asked,
    issue::{Draft, Grounds, Outcome},
    payment::{Event, Report, State, Watch, Way},
    refund::Answer,
};
use chung::store::{
    Store,
    account::account_of_number,
    agency::{AccountRow, put_account},
    payment::{self as payments, StoredPayment},
    postgres::{Durability, PrivatePostgres, Server},
};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection, Row};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use uuid::Uuid;

/// How many payments wait for their money.
const PAYMENTS: usize = 600;
/// How many messages are under way at once.
const CLIENTS: usize = 48;
/// After how many answers the service is killed, each time it was started.
const KILLED_AFTER: [usize; 2] = [150, 300];
const TOTAL: i64 = 205_000;
const ACCOUNT: &str = "1500201001234";

/// One notification of one credit, as it is sent again and again.
struct Letter {
    reference: String,
    entry: Entry,
    xml: String,
}

/// The service's database and folder, and the program while it runs.
struct World {
    app: App,
    agency: Id<id::Agency>,
    client: Id<id::Client>,
    bank: Arc<SigningKey>,
    port: u16,
    /// The operators' port.
    internal: u16,
    service: Option<Arc<Mutex<Child>>>,
    server: Server,
    folder: PathBuf,
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl World {
    async fn build(name: &str) -> Self {
        chung::crypto::install();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = std::env::temp_dir().join(format!("chung-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let server = PrivatePostgres::new(&folder, Durability::Full).start().unwrap();
        let bank = Arc::new(SigningKey::generate());
        let ring = KeyRing::generate(&SystemEntropy::new()).to_toml();
        fs::write(folder.join("keys.toml"), ring.as_bytes()).unwrap();
        let jwks = json!({ "keys": [bank.verifying_key().jwk(bank.kid())] });
        fs::write(folder.join("clearing.json"), jwks.to_string()).unwrap();
        fs::write(folder.join("messenger.token"), "unused").unwrap();
        let port = free_port();
        let config = Settings {
            data: Some(folder.clone()),
            listen: Some(([127, 0, 0, 1], port).into()),
            database_url: Some(server.url("postgres")),
            clearing_url: Some("http://127.0.0.1:9/".parse().unwrap()),
            clearing_bic: Some("CHUNG".to_owned()),
            clearing_keys: Some(folder.join("clearing.json")),
            messenger_url: Some("http://127.0.0.1:9/".parse().unwrap()),
            messenger_token_file: Some(folder.join("messenger.token")),
            ..Settings::default()
        };
        let store = Store::connect(&server.url("postgres"), 4).await.unwrap();
        store.migrate().await.unwrap();
        let (app, _) = environment::app(&config.resolve().unwrap(), store).unwrap();
        let (agency, client) = office(&app).await;
        Self { app, agency, client, bank, port, internal: free_port(), service: None, server, folder }
    }

    fn program(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chung"));
        command.arg("--data").arg(&self.folder).args(["--database-url", &self.server.url("postgres")]);
        command
    }

    async fn start(&mut self) {
        let listen = format!("127.0.0.1:{}", self.port);
        let service = self
            .program()
            .args(["serve", "--log", "error", "--listen", &listen])
            .args(["--internal-listen", &format!("127.0.0.1:{}", self.internal)])
            .args(["--clearing-url", "http://127.0.0.1:9/", "--clearing-bic", "CHUNG", "--clearing-keys"])
            .arg(self.folder.join("clearing.json"))
            .args(["--messenger-url", "http://127.0.0.1:9/", "--messenger-token-file"])
            .arg(self.folder.join("messenger.token"))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        self.service = Some(Arc::new(Mutex::new(service)));
        for _ in 0..600 {
            let asked = http().get(format!("http://{listen}/.well-known/openid-configuration")).send().await;
            if asked.is_ok_and(|answer| answer.status() == 200) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the service does not answer");
    }

    /// Sends every letter, many at once, until all are sent or so many are answered: then the service is killed. The
    /// references of those that it acknowledged.
    async fn send(&mut self, letters: &Arc<Vec<Letter>>, killed_after: Option<usize>) -> BTreeSet<String> {
        let (next, answered) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(BTreeSet::new())));
        let service = Arc::clone(self.service.as_ref().unwrap());
        let mut clients = tokio::task::JoinSet::new();
        for _ in 0..CLIENTS {
            let (letters, next, answered) = (Arc::clone(letters), Arc::clone(&next), Arc::clone(&answered));
            let (bank, port, service) = (Arc::clone(&self.bank), self.port, Arc::clone(&service));
            let target = self.app.origin.at("/clearing/inbox");
            clients.spawn(async move {
                let http = http();
                while let Some(letter) = letters.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // Whoever got no answer does not know whether the money is booked.
                    let Ok(status) = post(&http, (&*bank, port, &target), &letter.xml).await else { return };
                    assert_eq!(status, 200);
                    let mut answered = answered.lock().unwrap();
                    answered.insert(letter.reference.clone());
                    if killed_after == Some(answered.len()) {
                        service.lock().unwrap().kill().unwrap();
                    }
                }
            });
        }
        while let Some(done) = clients.join_next().await {
            done.unwrap();
        }
        if killed_after.is_some() {
            service.lock().unwrap().wait().unwrap();
            self.service = None;
        }
        Arc::into_inner(answered).unwrap().into_inner().unwrap()
    }

    async fn rows(&self, sql: &str) -> Vec<sqlx::postgres::PgRow> {
        let mut connection = PgConnection::connect(&self.server.url("postgres")).await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).fetch_all(&mut connection).await.unwrap()
    }

    async fn count(&self, what: &str) -> usize {
        let count: i64 = self.rows(&format!("select count(*) from {what}")).await[0].get(0);
        usize::try_from(count).unwrap()
    }

    /// How often each credit is settled.
    async fn settled(&self) -> BTreeMap<String, i64> {
        let sql = "select c.servicer_reference, count(e.id) from credit c
             left join ledger_entry e on e.subject = c.payment_id and e.kind = 'settled'
             where c.outcome = 'settled' group by 1";
        self.rows(sql).await.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    /// So many open bills with an accepted attempt each, and the message that settles each.
    async fn letters(&self) -> Vec<Letter> {
        let (app, now) = (&self.app, self.app.clock.now());
        let drafts: Vec<Draft> = (0..PAYMENTS).map(|nth| self.draft(nth)).collect();
        let mut letters = Vec::new();
        for chunk in drafts.chunks(200) {
            let issued = create_all(app, chunk.to_vec()).await.unwrap();
            let mut tx = app.store.begin().await.unwrap();
            let account = account_of_number(&mut tx, ACCOUNT).await.unwrap().unwrap();
            for outcome in issued {
                let Outcome::Issued(answer) = outcome else { panic!("{outcome:?}") };
                let answer: Value = serde_json::from_str(&answer).unwrap();
                // All inquiries made: nobody asks the clearing system, which is not there.
                let watch = Watch { since: now, inquiries: 3, next: None };
                let attempt = StoredPayment {
                    id: Id::new(now, &*app.entropy),
                    bill: answer["id"].as_str().unwrap().parse().unwrap(),
                    account: account.id,
                    amount: Money::vnd(TOTAL),
                    way: Way::Request,
                    bank: "970436".to_owned(),
                    uetr: Uuid::from_bytes(random(&*app.entropy)),
                    state: State::Accepted(watch),
                    created_at: now,
                };
                payments::claim_bill(&mut tx, &attempt, watch).await.unwrap();
                payments::insert_payment(&mut tx, &attempt).await.unwrap();
                payments::claim_uetr(&mut tx, attempt.uetr, attempt.id).await.unwrap();
                letters.push(letter(&attempt, now));
            }
            tx.commit().await.unwrap();
        }
        letters
    }

    fn draft(&self, nth: usize) -> Draft {
        let today = Day::of(self.app.clock.now());
        let facts = Facts::default;
        Draft {
            agency: self.agency,
            client: self.client,
            key: (format!("killed-{nth}"), [0; 32]),
            dossier: "H29.14-261124-0001".parse().unwrap(),
            procedure: "2.000488".parse().unwrap(),
            asked: ["LLTP-01", "LLTP-02"]
                .map(|fee| Asked { fee: fee.parse().unwrap(), count: 1, copies: 1, value: None })
                .into(),
            circumstances: Circumstances {
                channel: Channel::Online,
                dates: Dates { submission: today, acceptance: None, payment: None },
                applicant: facts(),
                submitter: facts(),
            },
            grounds: Grounds::default(),
            owners: BTreeMap::new(),
            obligations: Vec::new(),
            together: false,
            payable_until: None,
            due: today.plus_days(30),
            parties: Parties {
                applicant: Line::parse("Nguyễn Thị Hòa").unwrap(),
                submitter: None,
                payer: None,
                receipt_name: None,
            },
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(mut service) = self.service.as_ref().and_then(|service| service.lock().ok()) {
            let _ = service.kill();
            let _ = service.wait();
        }
        self.server.stop();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

async fn post(
    http: &reqwest::Client,
    (bank, port, target): (&SigningKey, u16, &str),
    xml: &str,
) -> reqwest::Result<u16> {
    let body = xml.as_bytes();
    let request = Request { method: "POST", target_uri: target, content_type: "application/xml", body };
    let now = chung::base::clock::Clock::now(&chung::base::clock::SystemClock);
    let (signed, _) = sign_request(&request, bank, now);
    let sent = http
        .post(format!("http://127.0.0.1:{port}/clearing/inbox"))
        .header("content-type", "application/xml")
        .header("content-digest", &signed.content_digest)
        .header("signature-input", &signed.signature_input)
        .header("signature", &signed.signature)
        .body(xml.to_owned());
    let answer = sent.send().await?;
    let status = answer.status().as_u16();
    // An answer is one once it is whole.
    answer.bytes().await.map(|_| status)
}

/// An agency with its accounts and the sample schedule, and a system of its own.
async fn office(app: &App) -> (Id<id::Agency>, Id<id::Client>) {
    import_fees(app, fee_file::SAMPLE_ITEMS, fee_file::SAMPLE_ADJUSTMENTS).await.unwrap();
    let wording = || Wording { vi: Line::parse("Sở").unwrap(), en: Line::parse("Office").unwrap() };
    let new = NewAgency { code: "H29.14".to_owned(), name: wording(), tax_code: None, address_vi: None };
    let agency = register_agency(app, &new).await.unwrap();
    let mut tx = app.store.begin().await.unwrap();
    for kind in ["phi", "le_phi"] {
        let account = AccountRow {
            kind: kind.to_owned(),
            account_no: ACCOUNT.to_owned(),
            agent_bic: "970405".to_owned(),
            account_name: "KHO BAC".to_owned(),
        };
        put_account(&mut tx, agency, &account).await.unwrap();
    }
    tx.commit().await.unwrap();
    let holder = Line::parse("KHO BAC").unwrap();
    let account = NewAccount { bank: "970405".to_owned(), number: ACCOUNT.to_owned(), holder };
    open_account(app, agency, account).await.unwrap();
    let new = NewClient {
        agency,
        name: wording(),
        purpose: wording(),
        jwks: None,
        redirect_uris: vec![],
        post_logout_redirect_uris: vec![],
        acr_min: Assurance::Low,
        sector: "killed.example".parse().unwrap(),
        policy: ClaimsPolicy::new(vec![]).unwrap(),
        scopes: ApiScopes::parse("bill").unwrap(),
        terms: Terms::basic(),
        until: None,
    };
    let client = register_client(app, &new).await.unwrap().client;
    (agency, client)
}

/// Yesterday's money for an attempt, so that yesterday's statement can show it.
fn letter(attempt: &StoredPayment, now: Instant) -> Letter {
    let (named, booked) = (attempt.id.uuid(), Day::of(now).plus_days(-1));
    let reference = named.simple().to_string();
    let entry = Entry {
        reference: Line::parse(&reference).unwrap(),
        amount: Money::vnd(TOTAL),
        direction: Direction::Credit,
        reversal: false,
        booked,
        value: booked,
        end_to_end: Some(Line::parse(&EndToEndId(named).to_string()).unwrap()),
        uetr: None,
        clearing_reference: None,
        counterparty: None,
        counterparty_agent: None,
        remittance: vec![],
        accepted: None,
        charged: None,
    };
    let (from, to) = ("SBV01".parse().unwrap(), "CHUNG".parse().unwrap());
    let header = Header { from, to, id: MessageId(named), created: now, possible_duplicate: false };
    let account = ACCOUNT.parse().unwrap();
    let message = Message::CreditNotification(CreditNotification { account, entries: vec![entry.clone()] });
    Letter { reference, entry, xml: write(&header, &message) }
}

/// A bank that tells one day, and nothing else.
struct Yesterday(Vec<Entry>);

impl Clearing for Yesterday {
    fn statement<'a>(
        &'a self,
        id: MessageId,
        request: &'a StatementRequest,
        _: Instant,
    ) -> BoxFuture<'a, Result<FetchedStatement, NoStatement>> {
        let closing = Money::vnd(TOTAL * i64::try_from(self.0.len()).unwrap());
        let statement = Statement {
            account: request.account.clone(),
            day: request.day,
            opening: Money::vnd(0),
            closing,
            entries: self.0.clone(),
            part: Part::WHOLE,
        };
        Box::pin(async move { Ok(FetchedStatement { message: id, digest: [0; 32], statement }) })
    }

    fn request_to_pay<'a>(&'a self, _: MessageId, _: &'a RequestToPay, _: Instant) -> BoxFuture<'a, Event> {
        Box::pin(async { Event::NoAnswer })
    }

    fn inquire(&self, _: MessageId, _: StatusInquiry, _: Instant) -> BoxFuture<'_, Option<Report>> {
        Box::pin(async { None })
    }

    fn return_payment<'a>(&'a self, _: MessageId, _: &'a PaymentReturn, _: Instant) -> BoxFuture<'a, Answer> {
        Box::pin(async { Answer::None })
    }

    fn inquire_return(&self, _: MessageId, _: StatusInquiry, _: Instant) -> BoxFuture<'_, Answer> {
        Box::pin(async { Answer::None })
    }

    fn pass_on<'a>(
        &'a self,
        _: MessageId,
        _: &'a CreditTransfer,
        _: Instant,
        _: Instant,
    ) -> BoxFuture<'a, Answer> {
        Box::pin(async { Answer::None })
    }

    fn ask_back<'a>(&'a self, _: MessageId, _: &'a CancellationRequest, _: Instant) -> BoxFuture<'a, Answer> {
        Box::pin(async { Answer::None })
    }

    fn answer_recall<'a>(&'a self, _: MessageId, _: &'a Resolution, _: Instant) -> BoxFuture<'a, Answer> {
        Box::pin(async { Answer::None })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_under_load_loses_and_doubles_nothing() {
    let mut world = World::build("killed").await;
    let letters = Arc::new(world.letters().await);
    let mut acknowledged = BTreeSet::new();
    for after in KILLED_AFTER {
        world.start().await;
        acknowledged.extend(world.send(&letters, Some(after)).await);
        assert!(acknowledged.len() < PAYMENTS, "the service was killed with messages under way");
        let there = world.settled().await;
        for reference in &acknowledged {
            assert_eq!(
                there.get(reference),
                Some(&1),
                "what was acknowledged is there before it is sent again"
            );
        }
    }
    world.start().await;
    assert_eq!(world.send(&letters, None).await.len(), PAYMENTS);

    let there = world.settled().await;
    assert_eq!((there.len(), there.values().all(|times| *times == 1)), (PAYMENTS, true));
    for what in [
        "credit",
        "bill where state = 'paid'",
        "payment where state = 'settled'",
        "ledger_entry where kind = 'settled'",
        "receipt",
        "(select distinct number from receipt) r",
        "outbox where name = 'bill.paid'",
        "receipt_series s join receipt r on s.last = (select count(*) from receipt)",
    ] {
        assert_eq!(world.count(what).await, PAYMENTS, "{what}");
    }
    let unbalanced = "(select entry_id from posting group by entry_id having sum(amount) <> 0) e";
    assert_eq!((world.count(unbalanced).await, world.count("suspense").await), (0, 0));

    // The program that an auditor runs says so too, and yesterday's statement has nothing left to explain.
    let verified = world.program().args(["audit", "verify"]).output().unwrap();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    // So it does against a head that was kept elsewhere, and it believes no other.
    let printed = world.program().args(["audit", "head"]).output().unwrap();
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    let kept = world.folder.join("kept.head");
    fs::write(&kept, &printed.stdout).unwrap();
    let against = |file: &std::path::Path| {
        let output = world.program().args(["audit", "verify", "--head"]).arg(file).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (holds, why) = against(&kept);
    assert!(holds, "{why}");
    let text = String::from_utf8(printed.stdout).unwrap();
    let (signed, signature) = text.trim().rsplit_once('.').unwrap();
    let altered: String = signature.chars().rev().collect();
    fs::write(&kept, format!("{signed}.{altered}")).unwrap();
    let (holds, why) = against(&kept);
    assert!(!holds && why.contains("the audit log does not hold"), "{why}");
    let (holds, why) = against(&world.folder.join("no.head"));
    assert!(!holds && why.contains("no.head"), "{why}");
    let bank = Yesterday(letters.iter().map(|letter| letter.entry.clone()).collect());
    let app = world.app.with(|parts| parts.clearing = Arc::new(bank));
    let mut tx = app.store.begin().await.unwrap();
    let account = account_of_number(&mut tx, ACCOUNT).await.unwrap().unwrap();
    drop(tx);
    let day = Day::of(app.clock.now()).plus_days(-1);
    let told = match_statement(&app, &account, day).await.unwrap();
    let found = &told["reconciliation"];
    assert_eq!(
        (&found["matched"], &found["differing"], &found["unexplained"]["amount"]),
        (&json!(PAYMENTS), &json!(0), &json!("0")),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn asked_to_end_it_finishes_what_is_under_way_and_says_that_it_stops() {
    let mut world = World::build("drained").await;
    world.start().await;
    let asked = async |path: &str| {
        let answer = http().get(format!("http://127.0.0.1:{}{path}", world.internal)).send().await.ok()?;
        Some((answer.status().as_u16(), answer.text().await.ok()?))
    };
    assert_eq!(asked("/live").await, Some((200, "live\n".to_owned())));
    assert_eq!(asked("/ready").await, Some((200, "ready\n".to_owned())));
    let counted = asked("/metrics").await.unwrap().1;
    for line in [
        r#"chung_http_requests_total{method="GET",route="/.well-known/openid-configuration",status="200"} 1"#,
        r#"chung_http_request_seconds_bucket{method="GET",route="/.well-known/openid-configuration",le="0.001"}"#,
        r#"chung_database_connections{state="open"}"#,
    ] {
        assert!(counted.contains(line), "{line} in {counted}");
    }

    // Half of a request is there when the service is asked to end.
    let mut slow = TcpStream::connect(("127.0.0.1", world.port)).await.unwrap();
    let head = "POST /oidc/token HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\n\
                content-type: application/x-www-form-urlencoded\r\nconnection: close\r\n\r\na=";
    slow.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let process = Arc::clone(world.service.as_ref().unwrap());
    let id = process.lock().unwrap().id();
    assert!(Command::new("kill").args(["-TERM", &id.to_string()]).status().unwrap().success());
    let mut said = None;
    for _ in 0..100 {
        said = asked("/ready").await;
        if said.as_ref().is_some_and(|said| said.0 == 503) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(said, Some((503, "stopping\n".to_owned())));
    assert!(TcpStream::connect(("127.0.0.1", world.port)).await.is_err(), "nobody new is let in");
    slow.write_all(b"b").await.unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("invalid_request"), "{answer}");
    let ended = tokio::task::spawn_blocking(move || process.lock().unwrap().wait().unwrap());
    assert!(ended.await.unwrap().success());
    assert_eq!(asked("/live").await, None);

    // Without its database it is alive and not ready.
    world.start().await;
    world.server.stop();
    let asked = http().get(format!("http://127.0.0.1:{}/ready", world.internal)).send().await.unwrap();
    assert_eq!(asked.status(), 503);
    assert_eq!(asked.text().await.unwrap(), "the database does not answer\n");
}
