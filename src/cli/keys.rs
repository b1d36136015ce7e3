//! `chung keys`: the service's own keys.

use super::{environment, out, private_file};
use crate::base::{
    clock::{Clock as _, SystemClock},
    entropy::SystemEntropy,
};
use crate::config::Config;
use crate::crypto::keyring::{KeyRing, Purpose};
use crate::store::key_rotation;
use anyhow::{Context, bail};
use base64::{Engine, prelude::BASE64_STANDARD};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use time::Duration;

/// What to do with the keys
#[derive(Debug, clap::Subcommand)]
pub enum Keys {
    /// Make fresh keys in the configured file (mode 0600); an existing file is never overwritten
    Generate,
    /// Take an old master key out of the file, once nothing is wrapped by it any more
    Retire {
        /// Its generation (`chung privacy report` lists them)
        #[arg(long)]
        generation: u32,
    },
    /// List the public signing keys as JWK sets, by what they sign; the first of each signs now
    List,
    /// Add a fresh signing key, which signs once everybody has had time to learn of it; nothing has to be restarted
    ///
    /// A running service takes the file in within half a minute and publishes the key at once. Tokens signed before
    /// stay good to their end. Run it again when you like: keys that are over leave the file.
    ///
    /// A master key (`--purpose master`) signs nothing: from the service's next start it wraps new data keys, and the
    /// old ones are wrapped anew in the background (`chung privacy rotate` does it at once). Give the file to every
    /// node before the first one starts with it.
    Rotate {
        /// What the key is for
        #[arg(long, value_enum, default_value = "token")]
        purpose: What,
        /// Minutes until it signs; whoever keeps our keys may keep them for five minutes
        #[arg(long, value_name = "MINUTES", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=525_600))]
        ahead: u32,
    },
    /// Import an RSA key (PKCS#8, PEM or DER) for the ID tokens of portals that know nothing but RS256
    ImportRsa {
        /// The file
        file: PathBuf,
    },
}

/// What a key is for
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum What {
    /// ID tokens and access tokens
    Token,
    /// Statements, receipts, tree heads; older keys verify for ever
    Record,
    /// Messages to other institutions, which pin our keys: agree with them first
    Message,
    /// The data keys of everybody: it wraps them
    Master,
}

/// How long a token key is published after it signed last: tokens live for minutes, hints of logout for a day.
const TOKEN_KEY_KEPT: Duration = Duration::DAY;

/// Runs the command.
pub async fn run(config: &Config, command: &Keys) -> anyhow::Result<()> {
    match command {
        Keys::Retire { generation } => retire(config, *generation).await?,
        Keys::Generate => {
            generate(&config.keys)?;
            out::line(&format!(
                "new keys in {}; back this file up, without it the database is unreadable",
                config.keys.display()
            ));
        }
        Keys::List => {
            let ring = environment::keys(config)?;
            let sets = serde_json::json!({
                "token": ring.jwks(Purpose::Token),
                "record": ring.jwks(Purpose::Record),
                "message": ring.jwks(Purpose::Message),
            });
            out::line(&format!("{sets:#}"));
        }
        Keys::Rotate { purpose, ahead } => {
            let (purpose, kept) = match purpose {
                What::Master => return rotate_master(config),
                What::Token => (Purpose::Token, Some(TOKEN_KEY_KEPT)),
                What::Record => (Purpose::Record, None),
                What::Message => (Purpose::Message, None),
            };
            let ahead = Duration::minutes(i64::from(*ahead));
            let text = read(&config.keys)?;
            let rotated = KeyRing::rotated(&text, purpose, SystemClock.now(), ahead, kept)?;
            private_file::replace(&config.keys, rotated.as_bytes())?;
            out::line(&format!(
                "a fresh key stands in {}; it signs in {} minutes",
                config.keys.display(),
                ahead.whole_minutes()
            ));
        }
        Keys::ImportRsa { file } => {
            let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
            let with_rsa = KeyRing::with_rsa(&read(&config.keys)?, &der(&bytes)?)?;
            private_file::replace(&config.keys, with_rsa.as_bytes())?;
            out::line("ID tokens can be signed with RS256, for clients that are registered so");
        }
    }
    Ok(())
}

fn rotate_master(config: &Config) -> anyhow::Result<()> {
    let mut ring = environment::keys(config)?;
    let generation = ring.add_master(&SystemEntropy::new());
    private_file::replace(&config.keys, ring.to_toml().as_bytes())?;
    out::line(&format!("master key {generation} added; back the file up and restart the service"));
    Ok(())
}

/// What an old master key still wraps would be lost with it.
async fn retire(config: &Config, generation: u32) -> anyhow::Result<()> {
    let mut ring = environment::keys(config)?;
    let opened = environment::Opened::new(config).await?;
    let counted = key_rotation::by_generation(&opened.store).await;
    let waiting = key_rotation::waiting_messages(&opened.store).await;
    opened.close().await;
    let wrapped = counted?.into_iter().find(|(known, _)| *known == generation).map_or(0, |(_, keys)| keys);
    if wrapped > 0 {
        bail!(
            "master key {generation} still wraps {wrapped} data keys; `chung privacy rotate` wraps them anew"
        );
    }
    if waiting? > 0 {
        bail!("messages wait to go out that it may have wrapped; try again when they are gone");
    }
    if !ring.remove_master(generation) {
        bail!("master key {generation} is the newest one, or there is none of that generation");
    }
    private_file::replace(&config.keys, ring.to_toml().as_bytes())?;
    out::line(&format!(
        "master key {generation} taken out; backups that it wraps stay readable only with its copy"
    ));
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<zeroize::Zeroizing<String>> {
    let text = fs::read_to_string(path)
        .with_context(|| format!("no keys in {}; `chung keys generate` makes them", path.display()))?;
    Ok(text.into())
}

/// The bytes of a PKCS#8 document, armoured (RFC 7468) or not.
fn der(bytes: &[u8]) -> anyhow::Result<zeroize::Zeroizing<Vec<u8>>> {
    let Ok(text) = std::str::from_utf8(bytes) else { return Ok(bytes.to_vec().into()) };
    let body = text
        .split_once("-----BEGIN PRIVATE KEY-----")
        .and_then(|(_, rest)| rest.split_once("-----END PRIVATE KEY-----"))
        .context("no PRIVATE KEY (PKCS#8) in the file")?;
    let plain: String = body.0.split_whitespace().collect();
    Ok(BASE64_STANDARD.decode(plain).context("the PRIVATE KEY is not base64")?.into())
}

/// Takes the keys in that the file holds now, again and again: another key needs no restart.
pub async fn follow(path: PathBuf, ring: Arc<KeyRing>) {
    loop {
        tokio::time::sleep(FOLLOW_PAUSE).await;
        let Ok(text) = fs::read_to_string(&path) else { continue };
        match ring.adopt(&text, SystemClock.now()) {
            Ok(true) => tracing::info!("the keys have changed and are taken in"),
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "the changed keys are not taken in"),
        }
    }
}

/// How often it is looked whether the keys have changed.
const FOLLOW_PAUSE: std::time::Duration = std::time::Duration::from_secs(15);

/// Writes a fresh key ring where there is none.
pub fn generate(path: &Path) -> anyhow::Result<()> {
    private_file::create(path, KeyRing::generate(&SystemEntropy::new()).to_toml().as_bytes())
}
