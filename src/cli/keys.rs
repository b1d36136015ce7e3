//! `chung keys`: the service's own keys.

use super::{environment, out, private_file};
use crate::base::entropy::SystemEntropy;
use crate::config::Config;
use crate::crypto::keyring::{KeyRing, Purpose};
use crate::store::key_rotation;
use anyhow::bail;
use std::path::Path;

/// What to do with the keys
#[derive(Debug, clap::Subcommand)]
pub enum Keys {
    /// Make fresh keys in the configured file (mode 0600); an existing file is never overwritten
    Generate,
    /// Add a master key, which from the service's next start wraps new data keys; the service then wraps the old ones
    /// anew in the background (`chung privacy rotate` does it at once). Give the file to every node before the first
    /// one starts with it
    Rotate,
    /// Take an old master key out of the file, once nothing is wrapped by it any more
    Retire {
        /// Its generation (`chung privacy report` lists them)
        #[arg(long)]
        generation: u32,
    },
    /// List the public signing keys as JWK sets, by what they sign
    List,
}

/// Runs the command.
pub async fn run(config: &Config, command: &Keys) -> anyhow::Result<()> {
    match command {
        Keys::Rotate => {
            let mut ring = environment::keys(config)?;
            let generation = ring.add_master(&SystemEntropy::new());
            private_file::replace(&config.keys, ring.to_toml().as_bytes())?;
            out::line(&format!("master key {generation} added; back the file up and restart the service"));
        }
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
    }
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

/// Writes a fresh key ring where there is none.
pub fn generate(path: &Path) -> anyhow::Result<()> {
    private_file::create(path, KeyRing::generate(&SystemEntropy::new()).to_toml().as_bytes())
}
