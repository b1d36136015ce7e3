//! A citizen reads the slip of a negative answer: who asked what for, and nothing about anybody.

use super::{Error, Result};
use crate::app::App;
use crate::base::{clock::Instant, reference::Reference};
use crate::identity::verification::State;
use crate::store::{agency, slip};
use serde::Deserialize;

/// What a slip says.
pub struct Slip {
    /// Its reference.
    pub reference: Reference,
    /// The agency's name in Vietnamese and English.
    pub agency: (String, String),
    /// When it was answered.
    pub at: Instant,
    /// What was answered.
    pub state: State,
    /// What was asked for.
    pub ground: Ground,
}

/// What was asked for.
#[derive(Deserialize)]
pub struct Ground {
    /// The purpose.
    pub purpose: String,
    /// The procedure's code.
    pub procedure: String,
    /// The dossier's code; a batch has none.
    #[serde(default)]
    pub dossier: Option<String>,
}

/// The slip of that reference.
pub async fn read_slip(app: &App, reference: Reference) -> Result<Slip> {
    let row = slip::find(&app.store, reference).await?.ok_or(Error::not_found())?;
    let mut tx = app.store.begin().await?;
    let owner = agency::find_all(&mut tx, &[row.agency]).await?.pop().ok_or(Error::not_found())?;
    tx.commit().await?;
    let key = app.keys.data_key(&owner.key, row.agency.uuid().as_bytes())?;
    let plain = key.open(reference.as_str().as_bytes(), &row.sealed)?;
    let ground = serde_json::from_slice(plain.expose()).map_err(Error::internal)?;
    Ok(Slip { reference, agency: (owner.name_vi, owner.name_en), at: row.at, state: row.state, ground })
}
