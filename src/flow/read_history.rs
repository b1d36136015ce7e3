//! What was decided about a citizen, as the citizen reads it, with the proof of each decision to keep.

use super::{Error, Result, population::look_up_citizen, prove_leaf::prove_leaf};
use crate::{
    app::App,
    audit::evidence::Evidence,
    base::{
        clock::Instant,
        id::{Citizen, Id, Leaf},
        page::PageRequest,
    },
    crypto::seal::DataKey,
    store::history::{self, HistoryRow},
};
use serde_json::Value;

/// A decision that concerns the reader.
pub struct Entry {
    /// Its leaf.
    pub leaf: Id<Leaf>,
    /// What kind of decision it was.
    pub kind: String,
    /// When.
    pub at: Instant,
    /// The agency that it concerns, in Vietnamese and English.
    pub agency: Option<(String, String)>,
    /// What the log commits to.
    pub details: Value,
}

/// The citizen's own history.
pub struct History {
    /// The citizen's name, to say whose page it is.
    pub name: String,
    /// The decisions, the newest first.
    pub entries: Vec<Entry>,
    /// The cursor of the next page.
    pub next: Option<Id<Leaf>>,
}

/// A page of the citizen's history.
pub async fn read_history(app: &App, citizen: Id<Citizen>, page: &PageRequest<Id<Leaf>>) -> Result<History> {
    let mut tx = app.store.begin().await?;
    let holder = look_up_citizen(app, &mut tx, citizen).await?.on_record.ok_or(Error::not_found())?;
    let found = history::of_citizen(&mut tx, citizen, page).await?;
    let next = found.items.last().filter(|_| found.more).map(|last| last.leaf);
    let entries = found.items.into_iter().map(|row| open(&holder.key, row)).collect::<Result<_>>()?;
    Ok(History { name: holder.person.name.as_str().to_owned(), entries, next })
}

/// The evidence that the log holds a decision about this citizen; `None` while no head covers it.
pub async fn prove_entry(app: &App, citizen: Id<Citizen>, leaf: Id<Leaf>) -> Result<Option<Evidence>> {
    let mut tx = app.store.begin().await?;
    if !history::concerns(&mut tx, citizen, leaf).await? {
        return Err(Error::not_found());
    }
    let holder = look_up_citizen(app, &mut tx, citizen).await?.on_record.ok_or(Error::not_found())?;
    drop(tx);
    prove_leaf(app, leaf, &holder.key).await
}

fn open(key: &DataKey, row: HistoryRow) -> Result<Entry> {
    let plain = key.open(row.leaf.uuid().as_bytes(), &row.sealed)?;
    let details = plain.expose().get(32..).and_then(|text| serde_json::from_slice(text).ok());
    let details = details.ok_or_else(|| Error::internal(row.leaf))?;
    Ok(Entry { leaf: row.leaf, kind: row.kind, at: row.at, agency: row.agency, details })
}
