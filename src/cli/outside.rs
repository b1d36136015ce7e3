//! The outside world of the demonstration: its files in the data folder, its listener, and the settings by which a
//! service finds it.

use crate::base::clock::SystemClock;
use crate::base::entropy::{Entropy, SystemEntropy, random};
use crate::base::origin::Origin;
use crate::config::Settings;
use crate::crypto::signing::{KeyList, Signer, SigningKey};
use crate::http::listen::listen;
use crate::sandbox::{
    self, Sandbox,
    portal::{Portal, PortalSettings},
};
use anyhow::Context;
use serde_json::json;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use url::Url;

/// The service's number in the clearing system of the sandbox.
const SERVICE: &str = "CHUNG";

/// The sandbox of one data folder.
pub struct Outside {
    folder: PathBuf,
    listen: SocketAddr,
    key: Arc<SigningKey>,
}

impl Outside {
    /// Makes the folder with the central bank's key and the gateway's token, or finds them made before.
    pub fn prepare(data: &Path, listen: SocketAddr) -> anyhow::Result<Self> {
        let folder = data.join("sandbox");
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let key_file = folder.join("central-bank.pk8");
        let key = match fs::read(&key_file) {
            Ok(pkcs8) => SigningKey::from_pkcs8(&pkcs8).context("the central bank's key")?,
            Err(_) => {
                let key = SigningKey::generate();
                keep(&key_file, key.pkcs8())?;
                key
            }
        };
        let outside = Self { folder, listen, key: Arc::new(key) };
        let jwks = json!({ "keys": [outside.key.verifying_key().jwk(outside.key.kid())] });
        keep(&outside.keys(), jwks.to_string().as_bytes())?;
        if !outside.token().exists() {
            let token: [u8; 16] = random(&SystemEntropy::new() as &dyn Entropy);
            keep(&outside.token(), hex::encode(token).as_bytes())?;
        }
        Ok(outside)
    }

    fn keys(&self) -> PathBuf {
        self.folder.join("central-bank.json")
    }

    fn token(&self) -> PathBuf {
        self.folder.join("gateway-token")
    }

    /// How it is addressed.
    pub fn origin(&self) -> String {
        format!("http://{}", self.listen)
    }

    /// Names it as the partner of a service, where the settings name no other.
    pub fn fill(&self, settings: &mut Settings) -> anyhow::Result<()> {
        let at = |path: &str| Url::parse(&format!("{}{path}", self.origin()));
        settings.clearing_url.get_or_insert(at("/clearing")?);
        settings.clearing_bic.get_or_insert_with(|| SERVICE.to_owned());
        settings.clearing_keys.get_or_insert_with(|| self.keys());
        settings.messenger_url.get_or_insert(at("/sms")?);
        settings.messenger_token_file.get_or_insert_with(|| self.token());
        Ok(())
    }

    /// Starts listening and delivering, until `stopping` turns true.
    pub async fn start(
        &self,
        service: &Origin,
        service_keys: KeyList,
        portal: Option<PortalSettings>,
        stopping: watch::Receiver<bool>,
    ) -> anyhow::Result<JoinSet<()>> {
        let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy::new()));
        let settings = sandbox::Settings {
            origin: format!("{}/", self.origin()).parse()?,
            central_bank: super::environment::CENTRAL_BANK.parse().context("the central bank's number")?,
            service: SERVICE.parse().context("the service's number")?,
            inbox: service.at("/clearing/inbox").parse()?,
            service_keys,
            key: Arc::clone(&self.key) as Arc<dyn Signer>,
            seed: 1,
            journal: Some(self.folder.join("journal.jsonl")),
        };
        let sandbox = Sandbox::new(settings, clock.clone(), entropy.clone())?;
        let mut router = sandbox::router(Arc::clone(&sandbox));
        if let Some(portal) = portal {
            router = router.merge(sandbox::portal::router(Portal::new(portal, clock, entropy)?));
        }
        let listener = TcpListener::bind(self.listen)
            .await
            .with_context(|| format!("cannot listen on {}", self.listen))?;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            if let Err(error) = listen(listener, router, stopping).await {
                tracing::error!(%error, "the sandbox stopped listening");
            }
        });
        tasks.spawn(async move { sandbox.deliver_forever().await });
        Ok(tasks)
    }
}

/// Writes a file that only its owner reads, whole or not at all.
pub fn keep(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let written = || -> std::io::Result<()> {
        let fresh = path.with_extension("new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&fresh, path)
    };
    written().with_context(|| format!("cannot write {}", path.display()))
}
