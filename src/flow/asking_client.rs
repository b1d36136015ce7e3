//! Which client asks: its registration as it stands now, read for all who wait at that moment, never remembered.

use super::Result;
use crate::app::App;
use crate::base::id::{self, Id};
use crate::identity::client::Client;
use crate::store::portal;
use std::collections::BTreeMap;

/// Answers each in order; one look-up for any number of requests.
pub async fn clients_all(app: &App, asked: Vec<Id<id::Client>>) -> Result<Vec<Option<Client>>> {
    let mut distinct = asked.clone();
    distinct.sort_unstable();
    distinct.dedup();
    let found = portal::find_all(&app.store, &distinct).await?;
    let known: BTreeMap<Id<id::Client>, Client> =
        found.into_iter().map(|client| (client.id, client)).collect();
    Ok(asked.iter().map(|id| known.get(id).cloned()).collect())
}

/// The client of that identifier, suspended or not, through the shared look-up.
pub(super) async fn asking_client(app: &App, client: Id<id::Client>) -> Result<Option<Client>> {
    Ok(app.batches.clients.submit(client).await?)
}
