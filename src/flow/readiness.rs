//! Whether this node can do its work.

use super::Result;
use crate::app::App;

/// Refuses while the database does not answer.
pub async fn check_readiness(app: &App) -> Result<()> {
    Ok(app.store.ping().await?)
}
