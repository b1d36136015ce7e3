//! Orders that pass money on, as their agency's systems and officers see them: the head of the slip, its lines, and
//! where the order stands.

use super::{
    Error, Result,
    inherit::{Tree, agencies_of, demand_standing},
    officer::{self, Workplace},
    take_report::reports,
};
use crate::{
    app::App,
    base::{
        calendar::{Day, rfc3339},
        id::{self, Agency, Citizen, Id},
        page::PageRequest,
    },
    payment::{payout::State, refund::Told},
    store::{
        clearing_report, inheritance,
        payout::{self as rows, Item, StoredPayout},
    },
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// How many lines of a slip are read at a time.
pub const LINES_MAX: i64 = 200;

/// One order of the agency, or of whom it succeeded, with the lines after `skip`.
pub async fn read_payout(app: &App, agency: Id<Agency>, id: Id<id::Payout>, skip: u32) -> Result<Value> {
    let mut tx = app.store.begin().await?;
    let order = rows::find(&mut tx, id).await?.ok_or(Error::not_found())?;
    demand_standing(&mut tx, agency, order.agency, None).await?;
    let items = rows::items(&mut tx, id, i64::from(skip), LINES_MAX).await?;
    let count = rows::item_count(&mut tx, id).await?;
    let mut answer = payout_json(&order, &reports(&mut tx, &[id.uuid()]).await?);
    answer["lines"] = items.iter().map(line_json).collect();
    answer["line_count"] = json!(count);
    Ok(answer)
}

/// The agency's orders, the newest first; with those of everybody whom it succeeded, if wanted.
pub async fn list_payouts(
    app: &App,
    agency: Id<Agency>,
    (state, tree): (Option<&str>, Tree),
    page: &PageRequest<Id<id::Payout>>,
) -> Result<Value> {
    let mut tx = app.store.begin().await?;
    let agencies = agencies_of(&mut tx, agency, tree).await?;
    let found = rows::of_agencies(&mut tx, &agencies, state, page).await?;
    let next = found.items.last().filter(|_| found.more).map(|last| last.id.to_string());
    let ids: Vec<Uuid> = found.items.iter().map(|order| order.id.uuid()).collect();
    let told = reports(&mut tx, &ids).await?;
    let items: Vec<Value> = found.items.iter().map(|order| payout_json(order, &told)).collect();
    Ok(json!({ "items": items, "next": next }))
}

fn payout_json(order: &StoredPayout, told: &BTreeMap<Uuid, Value>) -> Value {
    let (bounced, ended_at) = match &order.state {
        State::Bounced { reason } => (Some(reason.to_string()), None),
        State::Done { at } => (None, Some(rfc3339(*at))),
        State::Created | State::Sent | State::Unknown { .. } => (None, None),
    };
    json!({
        "id": order.id.to_string(),
        "agency": order.agency.to_string(),
        "counterpart": order.counterpart.map(|agency| agency.to_string()),
        "kind": order.kind.as_str(),
        "day": order.day.to_string(),
        "amount": super::explain::money(order.amount),
        "beneficiary": order.beneficiary,
        "slip_number": order.slip_number,
        "slip": order.slip,
        "status": order.state.as_str(),
        "bounced": bounced,
        "report": told.get(&order.id.uuid()),
        "replaces": order.replaces.map(|id| id.to_string()),
        "created_at": rfc3339(order.created_at),
        "ended_at": ended_at,
    })
}

fn line_json(item: &Item) -> Value {
    json!({
        "payment": item.payment.to_string(),
        "line": item.line,
        "dossier": item.dossier,
        "content": item.content,
        "notice": item.notice,
        "chapter": item.booking[0],
        "sub_item": item.booking[1],
        "area": item.booking[2],
        "amount": super::explain::money(item.amount),
    })
}

/// The page of orders of one agency.
pub struct Payouts {
    /// Whoever reads.
    pub reader: String,
    /// Where.
    pub agency: Workplace,
    /// The orders, the newest first.
    pub orders: Vec<StoredPayout>,
    /// After which older ones follow.
    pub next: Option<Id<id::Payout>>,
}

/// One order on its page.
pub struct PayoutShown {
    /// Whoever reads.
    pub reader: String,
    /// Where.
    pub agency: Workplace,
    /// The order.
    pub order: StoredPayout,
    /// The first lines of its slip.
    pub items: Vec<Item>,
    /// How many lines it has.
    pub count: i64,
    /// What the clearing system said of it last.
    pub told: Option<Told>,
}

/// The orders of an agency where the citizen keeps or audits the books; of the first such agency, if none is named.
pub async fn read_payout_page(
    app: &App,
    citizen: Id<Citizen>,
    (agency, whole): (Option<Id<Agency>>, bool),
    after: Option<Id<id::Payout>>,
) -> Result<Payouts> {
    let mut tx = app.store.begin().await?;
    let place = officer::workplace(&mut tx, citizen, agency, Day::of(app.clock.now())).await?;
    let page = PageRequest::new(after, None).ok_or(Error::not_found())?;
    let found = rows::of_agencies(&mut tx, &place.tree(whole), None, &page).await?;
    let next = found.items.last().filter(|_| found.more).map(|last| last.id);
    let names = officer::names(app, &mut tx, &BTreeSet::from([citizen])).await?;
    let reader = names.get(&citizen).cloned().unwrap_or_default();
    Ok(Payouts { reader, agency: place, orders: found.items, next })
}

/// One order of an agency where the citizen keeps or audits the books. Whoever keeps those of its successor acts for it.
pub async fn read_payout_slip(app: &App, citizen: Id<Citizen>, id: Id<id::Payout>) -> Result<PayoutShown> {
    let mut tx = app.store.begin().await?;
    let order = rows::find(&mut tx, id).await?.ok_or(Error::not_found())?;
    let places = officer::workplaces(&mut tx, citizen, Day::of(app.clock.now())).await?;
    let heir = inheritance::heir(&mut tx, order.agency, None).await?;
    let acts = places.iter().any(|place| place.id == heir && place.acts);
    let place = places.into_iter().find(|place| place.id == order.agency).ok_or(Error::not_found())?;
    let agency = Workplace { acts, ..place };
    let items = rows::items(&mut tx, id, 0, LINES_MAX).await?;
    let count = rows::item_count(&mut tx, id).await?;
    let told = clearing_report::of(&mut tx, &[id.uuid()]).await?.remove(&id.uuid());
    let names = officer::names(app, &mut tx, &BTreeSet::from([citizen])).await?;
    let reader = names.get(&citizen).cloned().unwrap_or_default();
    Ok(PayoutShown { reader, agency, order, items, count, told })
}
