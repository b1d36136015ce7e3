//! The agencies on one database, with their officers, and under each seed one life of them: a clock, chance, the rails.

use crate::cashiers::Desk;
use crate::collected::open_own;
use crate::database::Database;
use crate::fees::late_row;
use crate::issuers::Elsewhere;
use crate::life::{BEGAN, Life};
use crate::listeners::Listener;
use crate::nodes::Node;
use crate::platform::{Carrier, NATIONAL};
use crate::rails::{Rails, Truth};
use crate::stamps::authority;
use crate::sweeper::Sweeper;
use crate::systems::SYSTEM;
use crate::tellings::{HOLIDAY, WORKED};
use chung::app::{self, App, ClearingPeer, Parts, Population};
use chung::base::calendar::Day;
use chung::base::clock::ManualClock;
use chung::base::entropy::{Entropy, SeededEntropy};
use chung::base::id::{Agency, Citizen, Client, Id};
use chung::base::text::Line;
use chung::config::Limits;
use chung::crypto::keyring::KeyRing;
use chung::flow::{
    endpoints::register_endpoint,
    fee_file,
    fee_versions::set_agency_budget,
    idempotency::Idempotency,
    import_fees::import_fees,
    national,
    open_account::{NewAccount, open_account},
    platform::register_partner,
    register_client::{NewAgency, register_agency},
};
use chung::identity::client::Wording;
use chung::partner::messenger::{Messenger, Unsent};
use chung::partner::receipt_issuer::RemoteReceiptIssuers;
use chung::partner::webhook::RemoteWebhooks;
use chung::payment::fee_version::AgencyBudget;
use chung::payment::payout::{Authority, Kind, NO_TREASURY, Rule};
use chung::store::Store;
use chung::store::agency::{self, AccountRow};
use chung::store::bank::{Bank, put_banks};
use chung::store::calendar::{ListedDay, put_days};
use chung::store::payout_rule::add as add_rule;
use chung::store::tariff;
use futures_util::future::BoxFuture;
use sqlx::{
    AssertSqlSafe, Connection, PgConnection,
    postgres::{PgConnectOptions, PgRow},
};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use time::macros::datetime;
use uuid::Uuid;

/// The collecting account's number.
pub const ACCOUNT: &str = "1500201001234";
/// The number of the account that the second agency has for itself in some lives.
pub const OWN: &str = "1500201005678";
/// The payers' banks.
pub const BANKS: [&str; 3] = ["970436", "970415", "970418"];

/// Who keeps the books: the same people at every agency.
pub const ACCOUNTANTS: [Id<Citizen>; 3] = [citizen(0x0a), citizen(0x0b), citizen(0x0c)];
/// Those of them who approve, too: never what they began.
pub const APPROVERS: [Id<Citizen>; 2] = [citizen(0x0b), citizen(0x0c)];
/// Whoever sits at a till.
pub const CASHIERS: [Id<Citizen>; 2] = [citizen(0x0d), citizen(0x0e)];

const fn citizen(number: u128) -> Id<Citizen> {
    Id::from_uuid(Uuid::from_u128(number))
}

/// Draws under a seed.
pub struct Chance(SeededEntropy);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(SeededEntropy::new(seed))
    }

    pub fn below(&mut self, bound: usize) -> usize {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        usize::try_from(u64::from_le_bytes(bytes) % bound.max(1) as u64).unwrap()
    }

    pub fn percent(&mut self, of_hundred: u64) -> bool {
        (self.below(100) as u64) < of_hundred
    }
}

/// Chance of the service's own, under a seed, and how often it was asked for.
pub struct Drawn(SeededEntropy, pub AtomicU64);

impl Entropy for Drawn {
    fn fill(&self, bytes: &mut [u8]) {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.fill(bytes);
    }
}

/// What stays from seed to seed.
pub struct World {
    onlooker: tokio::sync::Mutex<PgConnection>,
    /// Who empties the database between lives: what is planned for a question is forgotten where foreign keys are switched off.
    sweeper: tokio::sync::Mutex<Sweeper>,
    _database: Database,
    app: App,
    /// Where two act at once.
    pub nodes: [Node; 2],
    pub agencies: [Id<Agency>; 2],
    /// The agency that may take the place of the first in a life, with the same account.
    pub successor: Id<Agency>,
    pub client: Id<Client>,
    /// Where the operator puts revocation lists.
    pub lists: PathBuf,
}

struct Silent;

impl Messenger for Silent {
    fn send<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<(), Unsent>> {
        Box::pin(async { Ok(()) })
    }

    fn send_mail<'a>(
        &'a self,
        _: &'a chung::partner::messenger::Letter,
    ) -> BoxFuture<'a, Result<(), Unsent>> {
        Box::pin(async { Ok(()) })
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.lists);
    }
}

/// What the budget knows every agency by.
fn budget() -> AgencyBudget {
    AgencyBudget {
        area: "79001".to_owned(),
        unit_code: "1054321".to_owned(),
        treasury_office: "0061".to_owned(),
        retained_account: "3713".to_owned(),
        remitted_account: "3511".to_owned(),
        valid_from: Day::new(2026, 1, 1).unwrap(),
    }
}

fn budget_key(agency: Id<Agency>) -> Idempotency {
    let client = Id::from_uuid(Uuid::from_u128(7));
    Idempotency::new(client, &format!("budget-{agency}"), "budget", b"").unwrap()
}

/// Where money of one kind goes on to: what has no rule, phí here, stays.
fn rule(kind: Kind) -> Rule {
    Rule {
        kind,
        valid_from: Day::new(2026, 11, 20).unwrap(),
        bank: "970405".to_owned(),
        number: "7111".to_owned(),
        holder: "KHO BAC".to_owned(),
        treasury_office: if kind == Kind::Service { NO_TREASURY } else { "0061" }.to_owned(),
        authority: (kind != Kind::Service)
            .then(|| Authority { code: "1056789".to_owned(), name: "Thue".to_owned() }),
        booking: (kind == Kind::LePhi).then(|| ["414", "2750", "79001"].map(str::to_owned)),
        basis: "QD 1".to_owned(),
        to_sellers: kind == Kind::Service,
    }
}

impl World {
    /// Two agencies that collect in one account, the sample fee schedule, and banks.
    pub async fn found() -> Self {
        Self::found_with("").await
    }

    /// The same where the service's connections have these settings, too.
    pub async fn found_with(options: &str) -> Self {
        chung::crypto::install();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let database = Database::fresh().await;
        let url = format!("{}{options}", database.url());
        let limits = Limits::default();
        let (batches, _) = app::queues(&limits);
        let keys = KeyRing::from_toml(include_str!("../../keys/development.toml")).unwrap();
        let rails = Rails {
            account: ACCOUNT.to_owned(),
            truth: Mutex::new(Truth::default()),
            chance: Mutex::new(Chance::new(0)),
            calm: Mutex::new(true),
            deaf: false,
            pages: None,
        };
        let app = App::new(Parts {
            // One connection: what a process does at once it does one after the other, in the order in which it asked.
            store: Store::connect(&url, 1).await.unwrap(),
            clock: Arc::new(ManualClock::at(datetime!(2026-11-20 02:00 UTC))),
            entropy: Arc::new(SeededEntropy::new(0)),
            keys: Arc::new(keys),
            access_tokens: Arc::default(),
            clearing: Arc::new(rails),
            clearing_peer: Arc::new(ClearingPeer {
                us: "CHUNG".parse().unwrap(),
                them: "SBV01".parse().unwrap(),
                keys: crate::door::believed(),
            }),
            card_anchors: Arc::default(),
            national_id: None,
            population: Population::own(),
            messenger: Arc::new(Silent),
            gateway: None,
            platform: Arc::new(
                chung::partner::platform::RemotePlatform::new(std::time::Duration::from_secs(1)).unwrap(),
            ),
            time_stamps: None,
            receipt_issuers: Arc::new(RemoteReceiptIssuers::new(std::time::Duration::from_secs(1)).unwrap()),
            webhooks: Arc::new(RemoteWebhooks::new(true, std::time::Duration::from_secs(1)).unwrap()),
            origin: "http://localhost:8080".parse().unwrap(),
            proxies: Arc::default(),
            limits,
            batches,
        });
        let adjustments = format!("{}{}", fee_file::SAMPLE_ADJUSTMENTS, late_row(1));
        import_fees(&app, fee_file::SAMPLE_ITEMS, &adjustments).await.unwrap();
        let name = || Wording { vi: Line::parse("Sở").unwrap(), en: Line::parse("Office").unwrap() };
        let mut registered = Vec::new();
        for code in ["H29.14", "H29.15", "H29.16"] {
            let new = NewAgency { code: code.to_owned(), name: name(), tax_code: None, address_vi: None };
            registered.push(register_agency(&app, &new).await.unwrap());
        }
        let [first, second, successor] = registered.try_into().unwrap();
        let agencies: [Id<Agency>; 2] = [first, second];
        let mut tx = app.store.begin().await.unwrap();
        let of_kinds = |of| [(of, "phi"), (of, "le_phi")];
        for (of, kind) in [first, second, successor].into_iter().flat_map(of_kinds) {
            let account = AccountRow {
                kind: kind.to_owned(),
                account_no: ACCOUNT.to_owned(),
                agent_bic: "970405".to_owned(),
                account_name: "KHO BAC".to_owned(),
            };
            agency::put_account(&mut tx, of, &account).await.unwrap();
        }
        let listed = [(HOLIDAY, false), (WORKED, true)].map(|((year, month, day), working)| ListedDay {
            day: Day::new(year, month, day).unwrap(),
            working,
            name: ("Nghỉ bù".to_owned(), "Swapped".to_owned()),
            basis: "TB 1".to_owned(),
        });
        put_days(&mut tx, &listed, datetime!(2026-11-20 02:00 UTC)).await.unwrap();
        let banks = BANKS.map(|code| Bank { code: code.to_owned(), name: format!("Bank {code}") });
        put_banks(&mut tx, &banks).await.unwrap();
        for agency in [first, second, successor] {
            for kind in [Kind::LePhi, Kind::Retained, Kind::Tax, Kind::Service] {
                add_rule(&mut tx, agency, &rule(kind), datetime!(2026-11-20 02:00 UTC)).await.unwrap();
            }
        }
        tx.commit().await.unwrap();
        for agency in [first, second, successor] {
            let (bank, number) = ("970405".to_owned(), ACCOUNT.to_owned());
            let account = NewAccount { bank, number, holder: Line::parse("KHO BAC").unwrap() };
            open_account(&app, agency, account).await.unwrap();
            set_agency_budget(&app, agency, &budget(), &budget_key(agency)).await.unwrap();
        }
        national::join(&app, "http://platform.example", NATIONAL.0, NATIONAL.1).await.unwrap();
        let (client, code) = (Id::from_uuid(Uuid::from_u128(7)), Line::parse(SYSTEM.0).unwrap());
        let confirm = "http://agency.example/confirm";
        register_partner(&app, first, client, (&code, SYSTEM.1), confirm).await.unwrap();
        // The laws are long questions to small tables: planned once, and not at every look.
        let options: PgConnectOptions = database.url().parse().unwrap();
        let looks = [("plan_cache_mode", "force_generic_plan"), ("jit", "off")];
        let looks = options.clone().options(looks).statement_cache_capacity(500);
        let mut onlooker = PgConnection::connect_with(&looks).await.unwrap();
        let sql = format!(
            "insert into client (id, agency_id, kind, name_vi, name_en, auth_method, secret_digest, scopes,
                 redirect_uris, logout_uris, sector, claims_policy, state, created_at)
             values ('{}', '{}', 'agency_system', 'x', 'x', 'client_secret_basic', decode(repeat('00', 32), 'hex'),
                 '{{}}', '{{}}', '{{}}', 'xx', '{{}}', 'active', '2026-11-20Z')",
            client.uuid(),
            first.uuid()
        );
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut onlooker).await.unwrap();
        let hears = ("https://agency.example/events".parse().unwrap(), Vec::new());
        let key = Idempotency::new(client, "endpoint", "endpoint", b"").unwrap();
        register_endpoint(&app, first, client, hears, &key).await.unwrap();
        let sweeper = Sweeper::connect(options, &[first, second, successor]).await;
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let nth = NEXT.fetch_add(1, Ordering::Relaxed);
        let lists =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("lists-{}-{nth}", std::process::id()));
        std::fs::create_dir_all(&lists).unwrap();
        Self {
            onlooker: tokio::sync::Mutex::new(onlooker),
            sweeper: tokio::sync::Mutex::new(sweeper),
            nodes: [Node::on(&url).await, Node::on(&url).await],
            _database: database,
            lists,
            app,
            agencies,
            successor,
            client: Id::from_uuid(Uuid::from_u128(7)),
        }
    }

    /// A life from nothing.
    pub async fn begin(&self, seed: u64, tell: bool) -> Life<'_> {
        self.sweeper.lock().await.sweep().await;
        for list in std::fs::read_dir(&self.lists).unwrap() {
            std::fs::remove_file(list.unwrap().path()).unwrap();
        }
        let clock = Arc::new(ManualClock::at(datetime!(2026-11-24 09:00 UTC)));
        let rails = Arc::new(Rails {
            account: ACCOUNT.to_owned(),
            truth: Mutex::new(Truth::default()),
            chance: Mutex::new(Chance::new(seed ^ 0x5eed)),
            calm: Mutex::new(false),
            deaf: seed.is_multiple_of(4),
            pages: (seed % 4 == 1).then_some(2),
        });
        let drawn = Arc::new(Drawn(SeededEntropy::new(seed), AtomicU64::new(0)));
        let app = self.app.with(|parts| {
            parts.clock = clock.clone();
            parts.entropy = drawn.clone();
            parts.clearing = rails.clone();
            parts.platform = Arc::new(Carrier(rails.clone()));
            parts.webhooks = Arc::new(Listener(rails.clone()));
            parts.receipt_issuers = Arc::new(Elsewhere(rails.clone()));
            parts.time_stamps = seed.is_multiple_of(5).then(|| authority(&rails, &clock, &self.lists));
            if seed % 4 == 2 {
                (parts.limits.lines_waited_for, parts.limits.import_rows_at_once) = (0, 2);
            }
            if seed % 3 == 1 {
                parts.limits.batch_max = 2;
            }
        });
        let nodes = [0, 1].map(|nth: usize| app.with(|parts| parts.store = self.nodes[nth].store.clone()));
        for node in [&app].into_iter().chain(&nodes) {
            // Every life begins with what a node remembers that has just read the first version.
            let mut tx = node.store.begin().await.unwrap();
            tariff::in_force(&node.store, &mut tx, Day::of(BEGAN)).await.unwrap();
        }
        let own = seed % 3 == 2;
        if own {
            open_own(self, &app).await;
        }
        Life {
            world: self,
            app,
            nodes,
            agencies: self.agencies,
            versions: Vec::new(),
            others: own.then_some(OWN).into_iter().collect(),
            sold: 0,
            rails,
            clock,
            chance: Chance::new(seed),
            beside: Chance::new(seed ^ 0xbe51de),
            bills: Vec::new(),
            paid_before: std::collections::BTreeMap::new(),
            desk: Desk::default(),
            tolerated: std::collections::BTreeMap::new(),
            keys: 0,
            short: false,
            listens: false,
            rests: false,
            delivered: Vec::new(),
            faults: 0,
            tell,
            states: std::collections::BTreeMap::new(),
            looked: String::new(),
            told: std::cell::RefCell::default(),
            drawn,
        }
    }

    /// Whether a statement of one of these processes of the server waits for what another one has locked.
    pub async fn waits_for_a_lock(&self, backends: &[i32]) -> bool {
        self.sweeper.lock().await.sees_a_wait(backends).await
    }

    /// Something that happens to the database alone.
    pub async fn sql(&self, sql: &str) {
        let mut onlooker = self.onlooker.lock().await;
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut *onlooker).await.unwrap();
    }

    /// The rows of a question to the database.
    pub async fn rows(&self, sql: &str) -> Vec<PgRow> {
        let mut onlooker = self.onlooker.lock().await;
        sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_all(&mut *onlooker).await.unwrap()
    }
}
