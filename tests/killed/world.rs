//! The program on a database and in a folder of its own, with bills whose money is on its way.

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
    CreditNotification, Direction, EndToEndId, Entry, Header, Message, MessageId, write,
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
    register_client::{NewAgency, NewClient, register_agency, register_client},
};
use chung::identity::{
    assurance::Assurance, claims::ClaimsPolicy, client::Wording, profile::Terms, token::ApiScopes,
};
use chung::payment::{
    bill::Parties,
    exemption::{Channel, Circumstances, Dates, Facts},
    fee::Asked,
    issue::{Draft, Grounds, Outcome},
    payment::{State, Watch, Way},
};
use chung::store::{
    Store,
    account::account_of_number,
    agency::{AccountRow, put_account},
    attempts,
    payment::StoredPayment,
    postgres::{Durability, PrivatePostgres, Server},
};
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
use uuid::Uuid;

/// How many payments wait for their money.
pub const PAYMENTS: usize = 600;
/// How many messages are under way at once.
pub const CLIENTS: usize = 48;
/// After how many answers the service is killed, each time it was started.
pub const KILLED_AFTER: [usize; 2] = [150, 300];
pub const TOTAL: i64 = 205_000;
pub const ACCOUNT: &str = "1500201001234";

/// One notification of one credit, as it is sent again and again.
pub struct Letter {
    pub reference: String,
    pub entry: Entry,
    pub xml: String,
}

/// The service's database and folder, and the program while it runs.
pub struct World {
    pub app: App,
    pub agency: Id<id::Agency>,
    pub client: Id<id::Client>,
    pub bank: Arc<SigningKey>,
    pub port: u16,
    /// The operators' port.
    pub internal: u16,
    pub service: Option<Arc<Mutex<Child>>>,
    pub server: Server,
    pub folder: PathBuf,
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl World {
    pub async fn build(name: &str) -> Self {
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

    pub fn program(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chung"));
        command.arg("--data").arg(&self.folder).args(["--database-url", &self.server.url("postgres")]);
        command
    }

    pub async fn start(&mut self) {
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
    pub async fn send(
        &mut self,
        letters: &Arc<Vec<Letter>>,
        killed_after: Option<usize>,
    ) -> BTreeSet<String> {
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

    pub async fn rows(&self, sql: &str) -> Vec<sqlx::postgres::PgRow> {
        let mut connection = PgConnection::connect(&self.server.url("postgres")).await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).fetch_all(&mut connection).await.unwrap()
    }

    pub async fn count(&self, what: &str) -> usize {
        let count: i64 = self.rows(&format!("select count(*) from {what}")).await[0].get(0);
        usize::try_from(count).unwrap()
    }

    /// How often each credit is settled.
    pub async fn settled(&self) -> BTreeMap<String, i64> {
        let sql = "select c.servicer_reference, count(e.id) from credit c
             left join ledger_entry e on e.subject = c.payment_id and e.kind = 'settled'
             where c.outcome = 'settled' group by 1";
        self.rows(sql).await.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    /// So many open bills with an accepted attempt each, and the message that settles each.
    pub async fn letters(&self) -> Vec<Letter> {
        let (app, now) = (&self.app, self.app.clock.now());
        let drafts: Vec<Draft> = (0..PAYMENTS).map(|nth| self.draft(nth)).collect();
        let mut letters = Vec::new();
        for chunk in drafts.chunks(200) {
            let issued = create_all(app, chunk.to_vec()).await.unwrap();
            let mut tx = app.store.begin().await.unwrap();
            let account = account_of_number(&mut tx, ACCOUNT).await.unwrap().unwrap();
            let mut begun = Vec::new();
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
                letters.push(letter(&attempt, now));
                begun.push(attempt);
            }
            attempts::begin(&mut tx, &begun.iter().collect::<Vec<_>>()).await.unwrap();
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

pub fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

pub async fn post(
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
pub async fn office(app: &App) -> (Id<id::Agency>, Id<id::Client>) {
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
pub fn letter(attempt: &StoredPayment, now: Instant) -> Letter {
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
