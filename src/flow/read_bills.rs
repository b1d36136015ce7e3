//! Bills as their agency sees them.

use super::{
    Error, Result,
    bill_answer::{self, OpenBill},
};
use crate::{
    app::App,
    base::{
        calendar::Day,
        clock::Instant,
        id::{Agency, Bill, Id},
        page::PageRequest,
    },
    crypto::seal::DataKey,
    payment::{bill as rules, code::DossierCode},
    store::{
        Tx, agency,
        bill::{self, StoredBill},
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

/// The agency's bills, the newest first, a page at a time.
pub async fn list_bills(
    app: &App,
    agency: Id<Agency>,
    dossier: Option<&DossierCode>,
    page: &PageRequest<Id<Bill>>,
) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let found = bill::bills_of_agency(&mut tx, agency, dossier.map(DossierCode::as_str), page).await?;
    let key = agency_key(app, &mut tx, agency).await?;
    let next = found.items.last().filter(|_| found.more).map(|last| last.bill.id.to_string());
    let ids: Vec<Id<Bill>> = found.items.iter().map(|b| b.bill.id).collect();
    let silences = silence::of_bills(&mut tx, &ids, now).await?;
    let opened = found.items.iter().map(|b| {
        let until = rules::pay_until(b.bill.due, silences.get(&b.bill.id).map_or(&[][..], Vec::as_slice));
        open(app, &key, b, until, Day::of(now))
    });
    let items = opened.collect::<Result<Vec<Value>>>()?;
    Ok(json!({ "items": items, "next": next }))
}

/// The last day on which this bill may be paid, as it looks now.
pub(super) async fn pay_until(tx: &mut Tx, of: &StoredBill, now: Instant) -> Result<Day> {
    let silences = silence::of_bills(tx, &[of.bill.id], now).await?;
    Ok(rules::pay_until(of.bill.due, silences.get(&of.bill.id).map_or(&[][..], Vec::as_slice)))
}

pub(super) async fn agency_key(app: &App, tx: &mut Tx, id: Id<Agency>) -> Result<DataKey> {
    let rows = agency::find_all(tx, &[id]).await?;
    let row = rows.first().ok_or(Error::not_found())?;
    Ok(app.keys.data_key(&row.key, id.uuid().as_bytes())?)
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
