//! What the loops that must come at once would find: one look for all of them, many times a second.

use super::Result;
use crate::app::App;
use crate::store::due::{self, Due};

/// Looks once.
pub async fn look(app: &App) -> Result<Due> {
    Ok(due::look(&app.store, app.clock.now()).await?)
}
