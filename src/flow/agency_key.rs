//! The keys under which agencies' vouchers are sealed, opened for a flow.

use super::{Error, Result};
use crate::{
    app::App,
    base::id::{Agency, Id},
    crypto::seal::DataKey,
    store::{Tx, agency},
};
use std::collections::{BTreeMap, BTreeSet};

/// One agency's key; an agency that is not there is not found.
pub(super) async fn agency_key(app: &App, tx: &mut Tx, id: Id<Agency>) -> Result<DataKey> {
    agency_keys(app, tx, [id]).await?.remove(&id).ok_or(Error::not_found())
}

/// The keys of several agencies, by one look-up.
pub(super) async fn agency_keys(
    app: &App,
    tx: &mut Tx,
    agencies: impl IntoIterator<Item = Id<Agency>>,
) -> Result<BTreeMap<Id<Agency>, DataKey>> {
    let ids: BTreeSet<Id<Agency>> = agencies.into_iter().collect();
    let mut keys = BTreeMap::new();
    for row in agency::find_all(tx, &ids.into_iter().collect::<Vec<_>>()).await? {
        keys.insert(row.id, app.keys.data_key(&row.key, row.id.uuid().as_bytes())?);
    }
    Ok(keys)
}
