//! Bills as their agency sees them.

use super::{
    Error, Result,
    bill_answer::{self, OpenBill},
};
use crate::{
    app::App,
    base::{
        calendar::Day,
        id::{Agency, Bill, Id},
        page::PageRequest,
    },
    crypto::seal::DataKey,
    payment::code::DossierCode,
    store::{
        Tx, agency,
        bill::{self, StoredBill},
    },
};
use serde_json::{Value, json};

/// One bill of the agency; another's does not exist for it.
pub async fn read_bill(app: &App, agency: Id<Agency>, id: Id<Bill>) -> Result<Value> {
    let today = Day::of(app.clock.now());
    let mut tx = app.store.begin().await?;
    let stored =
        bill::bill(&mut tx, id).await?.filter(|b| b.bill.agency == agency).ok_or(Error::not_found())?;
    let key = agency_key(app, &mut tx, agency).await?;
    open(app, &key, &stored, today)
}

/// The agency's bills, the newest first, a page at a time.
pub async fn list_bills(
    app: &App,
    agency: Id<Agency>,
    dossier: Option<&DossierCode>,
    page: &PageRequest<Id<Bill>>,
) -> Result<Value> {
    let today = Day::of(app.clock.now());
    let mut tx = app.store.begin().await?;
    let found = bill::bills_of_agency(&mut tx, agency, dossier.map(DossierCode::as_str), page).await?;
    let key = agency_key(app, &mut tx, agency).await?;
    let next = found.items.last().filter(|_| found.more).map(|last| last.bill.id.to_string());
    let items = found.items.iter().map(|b| open(app, &key, b, today)).collect::<Result<Vec<Value>>>()?;
    Ok(json!({ "items": items, "next": next }))
}

pub(super) async fn agency_key(app: &App, tx: &mut Tx, id: Id<Agency>) -> Result<DataKey> {
    let rows = agency::find_all(tx, &[id]).await?;
    let row = rows.first().ok_or(Error::not_found())?;
    Ok(app.keys.data_key(&row.key, id.uuid().as_bytes())?)
}

pub(super) fn open(app: &App, key: &DataKey, stored: &StoredBill, today: Day) -> Result<Value> {
    let parties = bill_answer::open_parties(key, stored.bill.id, &stored.parties)?;
    let trace = bill_answer::open_trace(key, stored.bill.id, &stored.trace)?;
    let open = OpenBill {
        bill: &stored.bill,
        state: &stored.state,
        procedure: &stored.procedure,
        parties: &parties,
        trace: &trace,
    };
    Ok(bill_answer::bill_json(app, &open, today))
}
