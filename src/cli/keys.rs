//! `chung keys`: the service's own keys.

use super::{environment, out};
use crate::base::entropy::SystemEntropy;
use crate::config::Config;
use crate::crypto::keyring::{KeyRing, Purpose};
use anyhow::Context;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// What to do with the keys
#[derive(Debug, clap::Subcommand)]
pub enum Keys {
    /// Make fresh keys in the configured file (mode 0600); an existing file is never overwritten
    Generate,
    /// List the public signing keys as JWK sets, by what they sign
    List,
}

/// Runs the command.
pub fn run(config: &Config, command: &Keys) -> anyhow::Result<()> {
    match command {
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
    }
    Ok(())
}

/// Writes a fresh key ring where there is none.
pub fn generate(path: &Path) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    let text = KeyRing::generate(&SystemEntropy::new()).to_toml();
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot create {}", path.display()))?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).context("cannot write the keys")
}
