//! Bytes sealed under a key of their own that travels with them, wrapped by the master key: for what is written before
//! we know whose it is, and read back once.

use super::{Error, Result};
use crate::app::App;
use crate::base::secret::{Sealed, Secret};
use crate::crypto::seal::WrappedKey;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Serialize, Deserialize)]
struct Envelope {
    generation: u32,
    wrapped: Vec<u8>,
    sealed: Vec<u8>,
}

/// Seals bytes for the row `owner`; `place` names the column.
pub(super) fn seal(app: &App, owner: Uuid, place: &[u8], plain: &[u8]) -> Result<Vec<u8>> {
    let (key, wrapped) = app.keys.new_data_key(&*app.entropy, owner.as_bytes());
    let sealed = key.seal::<Vec<u8>>(&*app.entropy, place, plain);
    let envelope =
        Envelope { generation: wrapped.generation, wrapped: wrapped.bytes, sealed: sealed.bytes().to_vec() };
    serde_json::to_vec(&envelope).map_err(Error::internal)
}

/// Opens what [`seal`] closed.
pub(super) fn open(app: &App, owner: Uuid, place: &[u8], body: &[u8]) -> Result<Secret<Vec<u8>>> {
    let envelope: Envelope = serde_json::from_slice(body).map_err(Error::internal)?;
    let wrapped = WrappedKey { bytes: envelope.wrapped, generation: envelope.generation };
    let key = app.keys.data_key(&wrapped, owner.as_bytes())?;
    let sealed = Sealed::<Vec<u8>>::new(envelope.sealed, envelope.generation);
    Ok(key.open(place, &sealed)?)
}
