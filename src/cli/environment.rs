//! What commands stand on: the database, the keys, and the [`App`] built from them.

use super::{out, outside::SERVICE};
use crate::app::{self, App, ClearingPeer, Parts, Population, Queues};
use crate::base::{
    clock::{Instant, SystemClock},
    entropy::SystemEntropy,
    text::Lang,
};
use crate::codec::iso20022::{
    CancellationRequest, CreditTransfer, MemberId, MessageId, PaymentReturn, RequestToPay, Resolution,
    StatementRequest, StatusInquiry,
};
use crate::codec::sod::Anchors;
use crate::config::{self, Config, Database};
use crate::crypto::{
    digest::{Digest, sha256},
    keyring::KeyRing,
    signing::KeyList,
};
use crate::flow::Error;
use crate::partner::{
    clearing::{Clearing, FetchedStatement, NoStatement, RemoteClearing},
    messenger::{Letter, Messenger, RemoteMessenger, Unsent},
    national_id::{NationalId, Registration, RemoteNationalId},
    platform::RemotePlatform,
    population::RemotePopulation,
    receipt_issuer::RemoteReceiptIssuers,
    signed_http::Peer,
    time_stamp::{self, RemoteTimeStamps},
    webhook::RemoteWebhooks,
};
use crate::payment::{
    payment::{Event, Report},
    refund::Answer,
};
use crate::sandbox::{card, time_stamps as stamps};
use crate::store::{
    Store,
    postgres::{Durability, PrivatePostgres, Server},
};
use crate::text::Texts;
use anyhow::{Context, bail};
use futures_util::future::BoxFuture;
use std::fs;
use std::sync::Arc;

/// The keys of every checkout: good for development, known to everybody.
const DEVELOPMENT_KEYS: &str = include_str!("../../keys/development.toml");

/// An open database, and the private server behind it if there is one.
pub struct Opened {
    /// The pool.
    pub store: Store,
    /// Stops with this value if this process owns it.
    pub server: Option<Server>,
}

impl Opened {
    /// Opens the configured database with its schema up to date, starting the private server if need be.
    pub async fn new(config: &Config) -> anyhow::Result<Self> {
        let (url, server) = match &config.database {
            Database::Given { url } => (url.expose().clone(), None),
            Database::Private { programs } => {
                let mut private = PrivatePostgres::new(&config.data, Durability::Full);
                private.search.preferred.clone_from(programs);
                let server = private.start()?;
                if let Some(notice) = server.notice() {
                    out::note(notice);
                }
                (server.url("postgres"), Some(server))
            }
        };
        let store = Store::connect(&url, config.limits.connections_max).await.context("the database")?;
        store.migrate().await.context("the schema")?;
        Ok(Self { store, server })
    }

    /// Gives the connections back, then stops the private server if it is ours.
    pub async fn close(mut self) {
        self.store.close().await;
        if let Some(server) = &mut self.server {
            server.stop();
        }
    }
}

/// Reads the service's keys; in production those of the repository are refused.
pub fn keys(config: &Config) -> anyhow::Result<KeyRing> {
    let path = config.keys.display();
    let text = fs::read_to_string(&config.keys)
        .with_context(|| format!("no keys in {path}; `chung keys generate` makes them"))?;
    let ring = KeyRing::from_toml(&text).with_context(|| format!("the keys in {path}"))?;
    let known = KeyRing::from_toml(DEVELOPMENT_KEYS).context("the development keys")?;
    if config.origin.is_production() && ring.kids().any(|kid| known.kids().any(|known| known == kid)) {
        bail!(
            "the keys in {path} are the development keys, which everybody has; `chung keys generate` makes others"
        );
    }
    Ok(ring)
}

/// Builds the service's parts.
pub fn app(config: &Config, store: Store) -> anyhow::Result<(App, Queues)> {
    let (batches, queues) = app::queues(&config.limits);
    let keys = Arc::new(keys(config)?);
    let (clearing, clearing_peer) = clearing(config, Arc::clone(&keys))?;
    let app = App::new(Parts {
        store,
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy::new()),
        keys: Arc::clone(&keys),
        access_tokens: Arc::default(),
        clearing,
        clearing_peer,
        card_anchors: card_anchors(config)?,
        national_id: national_id(config)?,
        population: population(config, &keys)?,
        messenger: messenger(config)?,
        gateway: gateway(config)?,
        platform: Arc::new(RemotePlatform::new(config.limits.partner_timeout())?),
        receipt_issuers: Arc::new(RemoteReceiptIssuers::new(config.limits.partner_timeout())?),
        time_stamps: time_stamps(config)?,
        webhooks: Arc::new(RemoteWebhooks::new(config.webhooks_private, config.limits.partner_timeout())?),
        origin: config.origin.clone(),
        proxies: config.trusted_proxies.clone().into(),
        limits: config.limits.clone(),
        batches,
    });
    Ok((app, queues))
}

/// The parts for work at the desk of the house: no partner is called, so none need be configured.
pub fn office(config: &Config, store: Store) -> anyhow::Result<App> {
    let (batches, _) = app::queues(&config.limits);
    Ok(App::new(Parts {
        store,
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy::new()),
        keys: Arc::new(keys(config)?),
        access_tokens: Arc::default(),
        clearing: Arc::new(Nobody),
        clearing_peer: Arc::new(ClearingPeer {
            us: SERVICE.parse()?,
            them: CENTRAL_BANK.parse()?,
            keys: KeyList::default(),
        }),
        card_anchors: Arc::default(),
        national_id: national_id(config)?,
        population: Population::own(),
        messenger: Arc::new(Nobody),
        gateway: None,
        platform: Arc::new(RemotePlatform::new(config.limits.partner_timeout())?),
        receipt_issuers: Arc::new(RemoteReceiptIssuers::new(config.limits.partner_timeout())?),
        time_stamps: time_stamps(config)?,
        webhooks: Arc::new(RemoteWebhooks::new(config.webhooks_private, config.limits.partner_timeout())?),
        origin: config.origin.clone(),
        proxies: config.trusted_proxies.clone().into(),
        limits: config.limits.clone(),
        batches,
    }))
}

/// The authorities whose chip cards are believed; in production the sandbox's is refused.
fn card_anchors(config: &Config) -> anyhow::Result<Arc<Anchors>> {
    let Some(folder) = &config.card_anchors else { return Ok(Arc::default()) };
    let name = folder.display();
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("the card anchors in {name}"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| matches!(e.to_str(), Some("pem" | "der" | "cer" | "crt"))) {
            files.push(fs::read(&path).with_context(|| path.display().to_string())?);
        }
    }
    let anchors = Anchors::read(files.iter().map(Vec::as_slice)).with_context(|| format!("in {name}"))?;
    let known = Anchors::read([card::AUTHORITY]).context("the sandbox's card authority")?;
    let is_known = anchors.fingerprints().any(|one| known.fingerprints().any(|known| known == one));
    if config.origin.is_production() && is_known {
        bail!("the sandbox's card authority in {name} is one that everybody can sign cards with");
    }
    Ok(Arc::new(anchors))
}

/// The time-stamping authority of the configuration; in production the sandbox's is refused.
fn time_stamps(config: &Config) -> anyhow::Result<Option<time_stamp::Authority>> {
    let Some(known) = &config.time_stamp else { return Ok(None) };
    let told = || format!("the anchor of time stamps in {}", known.anchor.display());
    let file = fs::read(&known.anchor).with_context(told)?;
    let anchors = Anchors::read([file.as_slice()]).with_context(told)?;
    let everybodys = Anchors::read([stamps::AUTHORITY]).context("the sandbox's time-stamping authority")?;
    if config.origin.is_production()
        && anchors.fingerprints().any(|one| everybodys.fingerprints().any(|known| known == one))
    {
        bail!("{} is the sandbox's, by which everybody can stamp any time", told());
    }
    let service = RemoteTimeStamps::new(known.url.clone(), config.limits.partner_timeout())?;
    Ok(Some(time_stamp::Authority {
        service: Arc::new(service),
        anchors: Arc::new(anchors),
        lists: time_stamp::ListFolder(known.lists.clone()),
    }))
}

/// The national e-ID of the configuration, pinned to its keys.
fn national_id(config: &Config) -> anyhow::Result<Option<Arc<dyn NationalId>>> {
    let Some(known) = &config.national_id else { return Ok(None) };
    let told = || format!("the national e-ID's keys in {}", known.keys.display());
    let keys = KeyList::from_jwks(&fs::read_to_string(&known.keys).with_context(told)?).with_context(told)?;
    let registration = Registration {
        issuer: known.url.clone(),
        client_id: known.client.clone(),
        client_secret: known.secret.clone(),
        keys,
    };
    Ok(Some(Arc::new(RemoteNationalId::new(registration, config.limits.partner_timeout())?)))
}

/// A flow's refusal in words, for whoever typed the command.
pub fn refused(error: &Error) -> anyhow::Error {
    let refusal = match error {
        Error::Refused(refusal)
        | Error::NotFound(refusal)
        | Error::Conflict(refusal)
        | Error::Forbidden(refusal)
        | Error::Unavailable(refusal) => refusal,
        Error::Internal(cause) => return anyhow::anyhow!("a mistake of ours: {cause:?}"),
    };
    let key = format!("problem-{}", refusal.code);
    let texts = Texts::embedded();
    let title = if texts.has(&key) { texts.get(Lang::En, &key) } else { refusal.code.into() };
    let places = refusal.violations.iter().map(|violation| match &violation.sent {
        Some(sent) => format!("{} ({}: {sent})", violation.field, violation.rule),
        None => format!("{} ({})", violation.field, violation.rule),
    });
    let places: Vec<String> = places.chain(refusal.about.iter().cloned()).collect();
    if places.is_empty() {
        anyhow::anyhow!("{title}")
    } else {
        anyhow::anyhow!("{title}: {}", places.join("; "))
    }
}

/// The partner of commands that speak with nobody.
struct Nobody;

impl Clearing for Nobody {
    fn request_to_pay<'a>(&'a self, _: MessageId, _: &'a RequestToPay, _: Instant) -> BoxFuture<'a, Event> {
        Box::pin(async { Event::NotSent })
    }

    fn inquire(&self, _: MessageId, _: StatusInquiry, _: Instant) -> BoxFuture<'_, Option<Report>> {
        Box::pin(async { None })
    }

    fn return_payment<'a>(&'a self, _: MessageId, _: &'a PaymentReturn, _: Instant) -> BoxFuture<'a, Answer> {
        Box::pin(async { Answer::NeverGot })
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
        Box::pin(async { Answer::NeverGot })
    }

    fn ask_back<'a>(&'a self, _: MessageId, _: &'a CancellationRequest, _: Instant) -> BoxFuture<'a, Answer> {
        Box::pin(async { Answer::NeverGot })
    }

    fn answer_recall<'a>(&'a self, _: MessageId, _: &'a Resolution, _: Instant) -> BoxFuture<'a, Answer> {
        Box::pin(async { Answer::NeverGot })
    }

    fn statement<'a>(
        &'a self,
        _: MessageId,
        _: &'a StatementRequest,
        _: Instant,
    ) -> BoxFuture<'a, Result<FetchedStatement, NoStatement>> {
        Box::pin(async { Err(NoStatement::Silence("no clearing system is configured".to_owned())) })
    }
}

impl Messenger for Nobody {
    fn send<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<(), Unsent>> {
        Box::pin(async { Err(Unsent::Unreachable) })
    }

    fn send_mail<'a>(&'a self, _: &'a Letter) -> BoxFuture<'a, Result<(), Unsent>> {
        Box::pin(async { Err(Unsent::Unreachable) })
    }
}

/// The number of the central bank in its own clearing system.
pub const CENTRAL_BANK: &str = "SBV01";

/// The message gateway of the configuration.
fn messenger(config: &Config) -> anyhow::Result<Arc<dyn Messenger>> {
    let gateway = &config.partners()?.messenger;
    let timeout = config.limits.partner_timeout();
    let (url, mail_url) = (gateway.url.clone(), gateway.mail_url.clone());
    Ok(Arc::new(RemoteMessenger::new(url, mail_url, gateway.token.clone(), timeout)?))
}

/// What the gateway presents when it brings an answer. An empty token would be one that everybody knows.
fn gateway(config: &Config) -> anyhow::Result<Option<Digest>> {
    let token = config.partners()?.messenger.token.expose();
    Ok((!token.is_empty()).then(|| sha256(token.as_bytes())))
}

/// The register of the configuration: our own alone, or a remote one with the keys it is pinned to.
fn population(config: &Config, keys: &Arc<KeyRing>) -> anyhow::Result<Population> {
    let config::Population::Remote { url, keys: file, maintenance } = &config.partners()?.population else {
        return Ok(Population::own());
    };
    let path = file.display();
    let jwks = fs::read_to_string(file).with_context(|| format!("the register's keys in {path}"))?;
    let pinned = KeyList::from_jwks(&jwks).with_context(|| format!("the register's keys in {path}"))?;
    let peer = Peer {
        address: url.clone(),
        keys: pinned.clone(),
        timeout: std::time::Duration::from_millis(config.limits.population_timeout_ms),
        answer_bytes_max: 64 << 10,
    };
    let window = maintenance.as_deref().map(str::parse).transpose().context("population_maintenance")?;
    let source = RemotePopulation::new(peer, Arc::clone(keys), config.limits.look_ups_max, window)?;
    Ok(Population { source: Some(Arc::new(source)), keys: Arc::new(pinned) })
}

/// The clearing system of the configuration, and the keys it is pinned to.
fn clearing(config: &Config, keys: Arc<KeyRing>) -> anyhow::Result<(Arc<dyn Clearing>, Arc<ClearingPeer>)> {
    let partner = &config.partners()?.clearing;
    let path = partner.keys.display();
    let jwks =
        fs::read_to_string(&partner.keys).with_context(|| format!("the clearing system's keys in {path}"))?;
    let pinned =
        KeyList::from_jwks(&jwks).with_context(|| format!("the clearing system's keys in {path}"))?;
    let peer = Peer {
        address: partner.url.clone(),
        keys: pinned.clone(),
        timeout: config.limits.partner_timeout(),
        answer_bytes_max: config.limits.statement_bytes_max,
    };
    let us: MemberId = partner.bic.parse().context("clearing_bic")?;
    let them: MemberId = CENTRAL_BANK.parse().context("the central bank's number")?;
    let clearing = RemoteClearing::new(peer, keys, us.clone(), them.clone())?;
    Ok((Arc::new(clearing), Arc::new(ClearingPeer { us, them, keys: pinned })))
}
