//! What an endpoint was told and what it has not acknowledged, and telling it again: one event, or all of a time.

use super::{
    Error, Refusal, Result,
    agency_key::agency_key,
    endpoints::{described, health, record},
    idempotency::Idempotency,
    officer::{self, Workplace},
};
use crate::{
    app::App,
    base::{
        calendar::{Day, rfc3339},
        clock::Instant,
        id::{Agency, Citizen, Endpoint, Event, Id},
        page::PageRequest,
    },
    store::{delivery, endpoint, told},
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

pub use told::{Again, StoredDelivery};

/// How many events one act may have told again.
pub const AGAIN_MAX: i64 = 10_000;

/// Which deliveries are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Every one that is still kept.
    All,
    /// What the endpoint has not acknowledged: on its way, or given up.
    Unacknowledged,
    /// What it answered with success.
    Acknowledged,
}

impl Shown {
    /// The selection of that name.
    pub fn named(word: &str) -> Option<Self> {
        match word {
            "all" => Some(Self::All),
            "unacknowledged" => Some(Self::Unacknowledged),
            "acknowledged" => Some(Self::Acknowledged),
            _ => None,
        }
    }

    const fn states(self) -> &'static [&'static str] {
        match self {
            Self::All => &["pending", "done", "dead"],
            Self::Unacknowledged => &["pending", "dead"],
            Self::Acknowledged => &["done"],
        }
    }
}

/// An endpoint's deliveries, the newest event first, a page at a time.
pub async fn list_deliveries(
    app: &App,
    agency: Id<Agency>,
    id: Id<Endpoint>,
    shown: Shown,
    page: &PageRequest<Id<Event>>,
) -> Result<Value> {
    let mut tx = app.store.begin().await?;
    endpoint::of_agency(&mut tx, agency, id).await?.ok_or(Error::not_found())?;
    let found = told::deliveries(&mut tx, id, shown.states(), page).await?;
    let next = found.items.last().filter(|_| found.more).map(|last| last.event.to_string());
    let items: Vec<Value> = found.items.iter().map(delivery_json).collect();
    Ok(json!({ "items": items, "next": next }))
}

fn delivery_json(delivery: &StoredDelivery) -> Value {
    let waits = delivery.state == "pending";
    json!({
        "event": delivery.event.to_string(),
        "type": delivery.name,
        "sequence": delivery.sequence,
        "happened_at": rfc3339(delivery.event_at),
        "state": delivery.state,
        "attempts": delivery.attempts,
        "last_outcome": delivery.outcome,
        "next_at": waits.then(|| rfc3339(delivery.due_at)),
        "ended_at": delivery.ended_at.map(rfc3339),
    })
}

/// Has an endpoint told again; what is on its way already is not told twice. Each thing's events come in order.
pub async fn replay_events(
    app: &App,
    agency: Id<Agency>,
    id: Id<Endpoint>,
    again: Again,
    key: &Idempotency,
) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    if let Some(answer) = key.claim(&mut tx).await? {
        return Ok(answer);
    }
    let stored = endpoint::of_agency(&mut tx, agency, id).await?.ok_or(Error::not_found())?;
    if !stored.active {
        return Err(Error::conflict("endpoint_suspended"));
    }
    let count = told::tell_again(&mut tx, id, again, now, AGAIN_MAX).await?;
    match (count, again) {
        (0, Again::One(_)) => {
            let refusal = Refusal::new("event_unknown").violation("/event", "unknown", None);
            return Err(Error::Refused(refusal));
        }
        (count, _) if count > AGAIN_MAX => return Err(Error::refused("replay_too_large")),
        _ => (),
    }
    let sealing = agency_key(app, &mut tx, agency).await?;
    record(app, &mut tx, &stored, ("endpoint.replayed", key.client), &sealing, now).await?;
    let answer = json!({ "replayed": count, "endpoint": described(&mut tx, stored, now).await? });
    key.keep(&mut tx, id.uuid(), &answer, now).await?;
    tx.commit().await?;
    Ok(answer)
}

/// What the page of deliveries shows.
pub struct Deliveries {
    /// Who reads it.
    pub reader: String,
    /// Whose endpoints.
    pub agency: Workplace,
    /// The endpoints, the newest first.
    pub endpoints: Vec<EndpointShown>,
    /// The one whose deliveries are shown.
    pub chosen: Option<Id<Endpoint>>,
    /// Its deliveries, the newest event first.
    pub deliveries: Vec<StoredDelivery>,
    /// Where the next ones begin.
    pub next: Option<Id<Event>>,
}

/// An endpoint on that page.
pub struct EndpointShown {
    /// Which.
    pub id: Id<Endpoint>,
    /// Its address.
    pub url: String,
    /// How it is doing, in a word.
    pub health: &'static str,
    /// Failures since the last success.
    pub failures: i32,
    /// Until when it is left alone.
    pub rest_until: Option<Instant>,
    /// How many deliveries wait, and how many were given up.
    pub tally: (i64, i64),
}

/// The deliveries of an agency where the citizen keeps or audits the books.
pub async fn read_deliveries(
    app: &App,
    citizen: Id<Citizen>,
    agency: Option<Id<Agency>>,
    chosen: Option<Id<Endpoint>>,
    (shown, after): (Shown, Option<Id<Event>>),
) -> Result<Deliveries> {
    let today = Day::of(app.clock.now());
    let mut tx = app.store.begin().await?;
    let places = officer::workplaces(&mut tx, citizen, today).await?;
    if places.is_empty() {
        return Err(Error::forbidden("accountant_needed"));
    }
    let wanted = |place: &Workplace| agency.is_none_or(|id| id == place.id);
    let agency = places.into_iter().find(wanted).ok_or(Error::not_found())?;
    let all = PageRequest::new(None, None).ok_or_else(Error::not_found)?;
    let stored = endpoint::page(&mut tx, agency.id, &all).await?.items;
    let ids: Vec<Id<Endpoint>> = stored.iter().map(|e| e.id).collect();
    let tally = delivery::tally(&mut tx, &ids).await?;
    let endpoints = stored.into_iter().map(|e| EndpointShown {
        id: e.id,
        health: health(&e),
        failures: e.failures,
        rest_until: e.rest_until.filter(|_| e.failures > 0),
        tally: tally.iter().find(|t| t.0 == e.id).map_or((0, 0), |t| (t.1, t.2)),
        url: e.url.to_string(),
    });
    let endpoints: Vec<EndpointShown> = endpoints.collect();
    let chosen = match chosen {
        Some(id) if ids.contains(&id) => Some(id),
        Some(_) => return Err(Error::not_found()),
        None => ids.first().copied(),
    };
    let page = PageRequest::new(after, None).ok_or_else(Error::not_found)?;
    let (deliveries, next) = match chosen {
        Some(id) => {
            let found = told::deliveries(&mut tx, id, shown.states(), &page).await?;
            let next = found.items.last().filter(|_| found.more).map(|last| last.event);
            (found.items, next)
        }
        None => (Vec::new(), None),
    };
    let names = officer::names(app, &mut tx, &BTreeSet::from([citizen])).await?;
    let reader = names.get(&citizen).cloned().unwrap_or_default();
    Ok(Deliveries { reader, agency, endpoints, chosen, deliveries, next })
}
