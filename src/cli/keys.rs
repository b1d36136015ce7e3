//! `chung keys`: the service's own keys.

use super::{environment, out, private_file};
use crate::base::entropy::SystemEntropy;
use crate::config::Config;
use crate::crypto::keyring::{KeyRing, Purpose};
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
    private_file::create(path, KeyRing::generate(&SystemEntropy::new()).to_toml().as_bytes())
}
