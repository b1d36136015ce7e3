//! Events as their agency reads them: the same bodies that endpoints are told, for whoever missed one.

use super::{
    Error, Result,
    event::told,
    inherit::{Tree, agencies_of},
};
use crate::{
    app::App,
    base::{
        id::{Agency, Event, Id},
        page::PageRequest,
    },
    store::outbox::{self, StoredEvent},
};
use serde_json::{Value, json};

/// One event of the agency.
pub async fn read_event(app: &App, agency: Id<Agency>, id: Id<Event>) -> Result<Value> {
    let mut tx = app.store.begin().await?;
    let agencies = agencies_of(&mut tx, agency, Tree::New).await?;
    event_answer(&outbox::event_of_agencies(&mut tx, &agencies, id).await?.ok_or(Error::not_found())?)
}

/// The agency's events, the newest first, a page at a time; for itself or by either tree.
pub async fn list_events(
    app: &App,
    agency: Id<Agency>,
    tree: Tree,
    page: &PageRequest<Id<Event>>,
) -> Result<Value> {
    let mut tx = app.store.begin().await?;
    let agencies = agencies_of(&mut tx, agency, tree).await?;
    let found = outbox::events_of_agencies(&mut tx, &agencies, page).await?;
    let next = found.items.last().filter(|_| found.more).map(|last| last.id.to_string());
    let items = found.items.iter().map(event_answer).collect::<Result<Vec<Value>>>()?;
    Ok(json!({ "items": items, "next": next }))
}

fn event_answer(event: &StoredEvent) -> Result<Value> {
    let mut told: Value =
        serde_json::from_slice(&told(&event.body, event.sequence)).map_err(Error::internal)?;
    told["id"] = event.id.to_string().into();
    Ok(told)
}
