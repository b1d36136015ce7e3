//! Whether a client is still allowed to ask: read for all who wait at that moment, never remembered.

use super::{Error, Result};
use crate::app::App;
use crate::base::id::{Client, Id};
use crate::store::client::{self, Standing};

/// Answers each client in order: `None` for one that is unknown, suspended, expired, or whose agency is suspended.
pub async fn standing_all(app: &App, clients: Vec<Id<Client>>) -> Result<Vec<Option<Standing>>> {
    let now = app.clock.now();
    let known = client::standings(&app.store, &clients).await?;
    let allowed = |id: &Id<Client>| {
        let standing = known.iter().find(|s| s.client == *id)?;
        (standing.active && standing.expires_at.is_none_or(|end| now < end)).then_some(*standing)
    };
    Ok(clients.iter().map(allowed).collect())
}

/// The standing of one client, through the shared look-up.
pub async fn standing(app: &App, client: Id<Client>) -> Result<Standing> {
    app.batches.standing.submit(client).await?.ok_or(Error::forbidden("client_suspended"))
}
