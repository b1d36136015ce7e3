//! `chung migrate`.

use super::{environment::Opened, out};
use crate::config::Config;
use crate::store::MIGRATIONS;

/// Brings the schema up to date.
pub async fn migrate(config: &Config) -> anyhow::Result<()> {
    let opened = Opened::new(config).await?;
    opened.close().await;
    let last = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or_default();
    out::line(&format!("the schema is at version {last}"));
    Ok(())
}
