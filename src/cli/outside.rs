//! The outside world beside the service: the files it keeps, and the program that plays it.
//!
//! Everything stands in one folder: the central bank's own key, its public half for the service to pin, the token of
//! the message gateway, and the book of what happened. They are made at the first start and kept.

use super::{environment::CENTRAL_BANK, private_file};
use crate::base::{clock::Clock, entropy::Entropy, entropy::SystemEntropy, entropy::random, secret::Secret};
use crate::crypto::signing::{KeyList, Signer, SigningKey};
use crate::http::listen::listen;
use crate::sandbox::{
    self, Sandbox, Settings,
    national_id::{self, Account, Registered, Upstream},
    portal::{self, Portal},
    register::{self, Register, RegisterSettings},
};
use anyhow::Context;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use url::Url;

/// The service's number in the clearing system, unless its operator says otherwise.
pub const SERVICE: &str = "CHUNG";

/// The files of one outside world.
pub struct Outside {
    folder: PathBuf,
    key: Arc<SigningKey>,
    register_key: Arc<SigningKey>,
    token: Secret<String>,
    national_id_key: Vec<u8>,
    national_id_secret: String,
}

/// What the outside world must know of the service.
pub struct Service {
    /// Its number in the clearing system.
    pub member: String,
    /// Its public origin.
    pub origin: String,
    /// The keys that it signs messages with.
    pub keys: KeyList,
}

impl Outside {
    /// The files in that folder, made now if this is the first time.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        let key =
            private_file::kept(&folder.join("central-bank.key"), || SigningKey::generate().pkcs8().into())?;
        let key = SigningKey::from_pkcs8(&key).context("the central bank's key")?;
        let drawn = || -> Vec<u8> { hex::encode(random::<32>(&SystemEntropy::new())).into_bytes() };
        let token = private_file::kept(&folder.join("sms-token"), drawn)?;
        let token = Secret::new(String::from_utf8(token).context("the token of the message gateway")?);
        let made = || SigningKey::generate().pkcs8().into();
        let national_id_key = private_file::kept(&folder.join("national-id.key"), made)?;
        let secret = private_file::kept(&folder.join("national-id-secret"), drawn)?;
        let national_id_secret = String::from_utf8(secret).context("the secret at the national e-ID")?;
        let register_key = private_file::kept(&folder.join("register.key"), made)?;
        let register_key = SigningKey::from_pkcs8(&register_key).context("the register's key")?;
        let outside = Self {
            folder: folder.to_owned(),
            key: Arc::new(key),
            register_key: Arc::new(register_key),
            token,
            national_id_key,
            national_id_secret,
        };
        let upstream = SigningKey::from_pkcs8(&outside.national_id_key).context("the national e-ID's key")?;
        let public = serde_json::json!({ "keys": [upstream.verifying_key().jwk(upstream.kid())] });
        private_file::replace(&outside.national_id_keys_file(), format!("{public:#}\n").as_bytes())?;
        private_file::replace(&outside.card_anchors().join("authority.pem"), sandbox::card::AUTHORITY)?;
        private_file::replace(&outside.time_stamp_anchor(), sandbox::time_stamps::AUTHORITY)?;
        let public = serde_json::json!({ "keys": [outside.key.verifying_key().jwk(outside.key.kid())] });
        private_file::replace(&outside.keys_file(), format!("{public:#}\n").as_bytes())?;
        let register = &outside.register_key;
        let public = serde_json::json!({ "keys": [register.verifying_key().jwk(register.kid())] });
        private_file::replace(&outside.register_keys_file(), format!("{public:#}\n").as_bytes())?;
        Ok(outside)
    }

    /// The central bank's public keys, to which the service is pinned.
    pub fn keys_file(&self) -> PathBuf {
        self.folder.join("clearing-keys.json")
    }

    /// The register's public keys, to which a service is pinned that asks it.
    pub fn register_keys_file(&self) -> PathBuf {
        self.folder.join("register-keys.json")
    }

    /// The register of the people in a file, reached under `origin`.
    pub fn register(
        &self,
        origin: &str,
        service: &Service,
        people: &Path,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Arc<Register>> {
        let settings = RegisterSettings {
            address: address(origin, "/population")?,
            notices: address(&service.origin, "/population/notices")?,
            service_keys: service.keys.clone(),
            key: self.register_key.clone(),
        };
        let register = Register::new(settings, clock).context("the register")?;
        let text =
            std::fs::read_to_string(people).with_context(|| format!("cannot read {}", people.display()))?;
        register.fill(&text);
        Ok(register)
    }

    /// The token that the service presents to the message gateway.
    pub fn token_file(&self) -> PathBuf {
        self.folder.join("sms-token")
    }

    /// The national e-ID's public keys, to which the service is pinned.
    pub fn national_id_keys_file(&self) -> PathBuf {
        self.folder.join("national-id-keys.json")
    }

    /// The service's secret at the national e-ID.
    pub fn national_id_secret_file(&self) -> PathBuf {
        self.folder.join("national-id-secret")
    }

    /// The folder with the authority that certifies the sandbox's chip cards.
    pub fn card_anchors(&self) -> PathBuf {
        self.folder.join("card-anchors")
    }

    /// The certificate of the authority that certifies the sandbox's time stamps.
    pub fn time_stamp_anchor(&self) -> PathBuf {
        self.folder.join("time-stamp-authority.pem")
    }

    /// The national e-ID under `origin`, with these accounts, for the service at `service`.
    pub fn national_id(
        &self,
        origin: &str,
        service: &str,
        accounts: Vec<Account>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> anyhow::Result<Arc<Upstream>> {
        let registered = Registered {
            issuer: address(origin, "/national-id")?.to_string(),
            client_id: SERVICE.to_owned(),
            client_secret: self.national_id_secret.clone(),
            redirect_uri: address(service, "/sign-in/national-id/callback")?.to_string(),
        };
        let key = SigningKey::from_pkcs8(&self.national_id_key).context("the national e-ID's key")?;
        Ok(Upstream::new(registered, key, accounts, clock, entropy))
    }

    /// Names the outside world at `origin` as the partners of a service, where its settings name no others.
    pub fn fill(&self, settings: &mut crate::config::Settings, origin: &str) -> anyhow::Result<()> {
        settings.clearing_url.get_or_insert(address(origin, "/clearing")?);
        settings.clearing_bic.get_or_insert_with(|| SERVICE.to_owned());
        settings.clearing_keys.get_or_insert_with(|| self.keys_file());
        settings.messenger_url.get_or_insert(address(origin, "/sms")?);
        settings.messenger_mail_url.get_or_insert(address(origin, "/mail")?);
        settings.messenger_token_file.get_or_insert_with(|| self.token_file());
        settings.card_anchors.get_or_insert_with(|| self.card_anchors());
        settings.time_stamp_url.get_or_insert(address(origin, "/time-stamps")?);
        settings.time_stamp_anchor.get_or_insert_with(|| self.time_stamp_anchor());
        settings.national_id_url.get_or_insert(address(origin, "/national-id")?);
        settings.national_id_client.get_or_insert_with(|| SERVICE.to_owned());
        settings.national_id_secret_file.get_or_insert_with(|| self.national_id_secret_file());
        settings.national_id_keys.get_or_insert_with(|| self.national_id_keys_file());
        Ok(())
    }

    /// A sandbox that is reached under `origin` and remembers what its book holds.
    pub fn sandbox(
        &self,
        origin: &str,
        service: Service,
        seed: u64,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> anyhow::Result<Arc<Sandbox>> {
        let settings = Settings {
            origin: address(origin, "/")?,
            central_bank: CENTRAL_BANK.parse().context("the central bank's number")?,
            service: service.member.parse().context("the service's number in the clearing system")?,
            inbox: address(&service.origin, "/clearing/inbox")?,
            replies: address(&service.origin, "/messenger/inbox")?,
            service_keys: service.keys,
            key: self.key.clone(),
            sms_token: Some(self.token.clone()),
            seed,
            journal: Some(self.folder.join("book.jsonl")),
        };
        Sandbox::new(settings, clock, entropy).context("the sandbox")
    }
}

/// The address of a path under an origin.
pub fn address(origin: &str, path: &str) -> anyhow::Result<Url> {
    Url::parse(origin).and_then(|url| url.join(path)).with_context(|| format!("{origin} is not an address"))
}

/// A sandbox that listens and delivers.
pub struct RunningSandbox {
    /// Where it listens.
    pub address: SocketAddr,
    listener: JoinSet<std::io::Result<()>>,
    delivery: JoinSet<()>,
}

impl RunningSandbox {
    /// Starts listening; `stopping` turns true when it shall end.
    pub async fn start(
        sandbox: Arc<Sandbox>,
        (portal, upstream): (Option<Arc<Portal>>, Arc<Upstream>),
        register: Option<Arc<Register>>,
        at: SocketAddr,
        stopping: watch::Receiver<bool>,
    ) -> anyhow::Result<Self> {
        let socket = TcpListener::bind(at).await.with_context(|| format!("cannot listen on {at}"))?;
        let address = socket.local_addr()?;
        let mut router = sandbox::router(sandbox.clone()).merge(national_id::router(upstream));
        if let Some(portal) = portal {
            router = router.merge(portal::router(portal));
        }
        if let Some(register) = register {
            router = router.merge(register::router(register));
        }
        let mut listener = JoinSet::new();
        listener.spawn(listen(socket, router, stopping));
        let mut delivery = JoinSet::new();
        delivery.spawn(async move { sandbox.deliver_forever().await });
        Ok(Self { address, listener, delivery })
    }

    /// Lets running requests finish, then ends everything.
    pub async fn finish(mut self, patience: std::time::Duration) {
        let all = async { while self.listener.join_next().await.is_some() {} };
        let _late = tokio::time::timeout(patience, all).await;
        self.delivery.shutdown().await;
    }
}
