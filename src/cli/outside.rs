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
    portal::{self, Portal},
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
    token: Secret<String>,
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
        let drawn = || hex::encode(random::<32>(&SystemEntropy::new())).into_bytes();
        let token = private_file::kept(&folder.join("sms-token"), drawn)?;
        let token = Secret::new(String::from_utf8(token).context("the token of the message gateway")?);
        let outside = Self { folder: folder.to_owned(), key: Arc::new(key), token };
        let public = serde_json::json!({ "keys": [outside.key.verifying_key().jwk(outside.key.kid())] });
        private_file::replace(&outside.keys_file(), format!("{public:#}\n").as_bytes())?;
        Ok(outside)
    }

    /// The central bank's public keys, to which the service is pinned.
    pub fn keys_file(&self) -> PathBuf {
        self.folder.join("clearing-keys.json")
    }

    /// The token that the service presents to the message gateway.
    pub fn token_file(&self) -> PathBuf {
        self.folder.join("sms-token")
    }

    /// Names the outside world at `origin` as the partners of a service, where its settings name no others.
    pub fn fill(&self, settings: &mut crate::config::Settings, origin: &str) -> anyhow::Result<()> {
        settings.clearing_url.get_or_insert(address(origin, "/clearing")?);
        settings.clearing_bic.get_or_insert_with(|| SERVICE.to_owned());
        settings.clearing_keys.get_or_insert_with(|| self.keys_file());
        settings.messenger_url.get_or_insert(address(origin, "/sms")?);
        settings.messenger_mail_url.get_or_insert(address(origin, "/mail")?);
        settings.messenger_token_file.get_or_insert_with(|| self.token_file());
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
        portal: Option<Arc<Portal>>,
        at: SocketAddr,
        stopping: watch::Receiver<bool>,
    ) -> anyhow::Result<Self> {
        let socket = TcpListener::bind(at).await.with_context(|| format!("cannot listen on {at}"))?;
        let address = socket.local_addr()?;
        let mut router = sandbox::router(sandbox.clone());
        if let Some(portal) = portal {
            router = router.merge(portal::router(portal));
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
