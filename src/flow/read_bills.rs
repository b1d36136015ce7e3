//! Bills as their agency sees them.

use super::{
    Error, Result,
    agency_key::agency_key,
    bill_answer::{self, OpenBill},
};
use crate::{
    app::App,
    base::{
        calendar::Day,
        clock::Instant,
        id::{Agency, Bill, Id},
        page::PageRequest,
        reference::Reference,
    },
    crypto::seal::DataKey,
    payment::{bill as rules, code::DossierCode},
    store::{
        Tx,
        bill::{self, Search, StoredBill},
        silence,
    },
};
use serde_json::{Value, json};

/// One bill of the agency; another's does not exist for it.
pub async fn read_bill(app: &App, agency: Id<Agency>, id: Id<Bill>) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let stored =
        bill::bill(&mut tx, id).await?.filter(|b| b.bill.agency == agency).ok_or(Error::not_found())?;
    let key = agency_key(app, &mut tx, agency).await?;
    let until = pay_until(&mut tx, &stored, now).await?;
    open(app, &key, &stored, until, Day::of(now))
}

/// What a search asks for; what is absent does not narrow it.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Of this dossier.
    pub dossier: Option<DossierCode>,
    /// Of this reference.
    pub reference: Option<Reference>,
    /// Of this status.
    pub status: Option<String>,
    /// Issued on this day or later.
    pub from: Option<Day>,
    /// Issued on this day or earlier.
    pub to: Option<Day>,
}

/// The agency's bills, the newest first, a page at a time.
pub async fn list_bills(
    app: &App,
    agency: Id<Agency>,
    wanted: &Wanted,
    page: &PageRequest<Id<Bill>>,
) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let search = &Search {
        dossier: wanted.dossier.as_ref().map(ToString::to_string),
        reference: wanted.reference.map(|reference| reference.to_string()),
        status: wanted.status.clone(),
        from: wanted.from,
        to: wanted.to,
        today: Some(Day::of(now)),
    };
    let found = bill::bills_of_agency(&mut tx, agency, search, page).await?;
    let key = agency_key(app, &mut tx, agency).await?;
    let next = found.items.last().filter(|_| found.more).map(|last| last.bill.id.to_string());
    let ids: Vec<Id<Bill>> = found.items.iter().map(|b| b.bill.id).collect();
    let silences = silence::of_bills(&mut tx, &ids, now).await?;
    let opened = found.items.iter().map(|b| {
        let until =
            rules::pay_until(b.bill.payable_until, silences.get(&b.bill.id).map_or(&[][..], Vec::as_slice));
        open(app, &key, b, until, Day::of(now))
    });
    let items = opened.collect::<Result<Vec<Value>>>()?;
    Ok(json!({ "items": items, "next": next }))
}

/// The last day on which this bill may be paid, as it looks now.
pub(super) async fn pay_until(tx: &mut Tx, of: &StoredBill, now: Instant) -> Result<Day> {
    stands_still(tx, of.bill.id, of.bill.payable_until, now).await
}

/// A day of a bill, later by every day on which nobody answered about an attempt.
pub(super) async fn stands_still(tx: &mut Tx, of: Id<Bill>, day: Day, now: Instant) -> Result<Day> {
    let silences = silence::of_bills(tx, &[of], now).await?;
    Ok(rules::pay_until(day, silences.get(&of).map_or(&[][..], Vec::as_slice)))
}

pub(super) fn open(
    app: &App,
    key: &DataKey,
    stored: &StoredBill,
    pay_until: Day,
    today: Day,
) -> Result<Value> {
    let parties = bill_answer::open_parties(key, stored.bill.id, &stored.parties)?;
    let trace = bill_answer::open_trace(key, stored.bill.id, &stored.trace)?;
    let open = OpenBill {
        bill: &stored.bill,
        state: &stored.state,
        procedure: &stored.procedure,
        parties: &parties,
        trace: &trace,
        pay_until,
    };
    Ok(bill_answer::bill_json(app, &open, today))
}
