//! The keys under which agencies' vouchers are sealed, opened for a flow.

use super::{Error, Result};
use crate::{
    app::App,
    base::{
        id::{Agency, Id},
        secret::Sealed,
    },
    crypto::seal::DataKey,
    store::{
        Tx,
        agency::{self, AgencyRow},
    },
};
use std::collections::{BTreeMap, BTreeSet};

/// One agency's key; an agency that is not there is not found.
pub(super) async fn agency_key(app: &App, tx: &mut Tx, id: Id<Agency>) -> Result<DataKey> {
    agency_keys(app, tx, [id]).await?.remove(&id).ok_or(Error::not_found())
}

/// One agency with its key.
pub(super) async fn agency_with_key(app: &App, tx: &mut Tx, id: Id<Agency>) -> Result<(AgencyRow, DataKey)> {
    agencies_with_keys(app, tx, [id]).await?.remove(&id).ok_or(Error::not_found())
}

/// Opens words of a voucher; nothing where their retention is over and they were destroyed.
pub(super) fn kept_words<T>(key: &DataKey, place: &[u8], sealed: &Sealed<T>) -> Result<Option<String>> {
    if sealed.bytes().is_empty() {
        return Ok(None);
    }
    let plain = key.open(place, sealed)?;
    Ok(Some(String::from_utf8_lossy(plain.expose()).into_owned()))
}

/// The keys of several agencies, by one look-up.
pub(super) async fn agency_keys(
    app: &App,
    tx: &mut Tx,
    agencies: impl IntoIterator<Item = Id<Agency>>,
) -> Result<BTreeMap<Id<Agency>, DataKey>> {
    let opened = agencies_with_keys(app, tx, agencies).await?;
    Ok(opened.into_iter().map(|(id, (_, key))| (id, key)).collect())
}

/// Several agencies with their keys, by one look-up.
pub(super) async fn agencies_with_keys(
    app: &App,
    tx: &mut Tx,
    agencies: impl IntoIterator<Item = Id<Agency>>,
) -> Result<BTreeMap<Id<Agency>, (AgencyRow, DataKey)>> {
    let ids: BTreeSet<Id<Agency>> = agencies.into_iter().collect();
    let mut opened = BTreeMap::new();
    for row in agency::find_all(tx, &ids.into_iter().collect::<Vec<_>>()).await? {
        let key = app.keys.data_key(&row.key, row.id.uuid().as_bytes())?;
        opened.insert(row.id, (row, key));
    }
    Ok(opened)
}
