//! Bills as their agency sees them.

use super::{
    Error, Result,
    agency_key::{agency_key, agency_keys},
    bill_answer::{self, OpenBill},
    inherit::{Tree, agencies_of, demand_standing},
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
    payment::{
        bill::{self as rules, State},
        code::DossierCode,
    },
    store::{
        Tx,
        bill::{self, Search, StoredBill},
        receipt_due, receipt_issuer, silence,
    },
};
use serde_json::{Value, json};

/// One bill of the agency, or of whom it succeeded; another's does not exist for it.
pub async fn read_bill(app: &App, agency: Id<Agency>, id: Id<Bill>) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let stored = bill::bill(&mut tx, id).await?.ok_or(Error::not_found())?;
    let procedure = stored.procedure.code.as_str();
    demand_standing(&mut tx, agency, stored.bill.agency, Some(procedure)).await?;
    let key = agency_key(app, &mut tx, stored.bill.agency).await?;
    let until = pay_until(&mut tx, &stored, now).await?;
    let mut answer = open(app, &key, &stored, until, Day::of(now))?;
    answer["receipts"] = receipts_of(&mut tx, &[&stored]).await?.remove(0);
    Ok(answer)
}

/// How the receipts of each bill stand, in order: nothing while it is not paid; paid and pending, or issued.
async fn receipts_of(tx: &mut Tx, bills: &[&StoredBill]) -> Result<Vec<Value>> {
    let paid = bills.iter().filter(|stored| matches!(stored.state, State::Paid { .. }));
    let ids: Vec<Id<Bill>> = paid.map(|stored| stored.bill.id).collect();
    let due = receipt_due::of_bills(tx, &ids).await?;
    let provided = receipt_issuer::provided(tx, &ids).await?;
    let of = |stored: &&StoredBill| {
        let id = stored.bill.id;
        if !ids.contains(&id) {
            return Value::Null;
        }
        let elsewhere = provided.iter().filter(|p| p.bill == id).map(|p| {
            json!({
                "kind": p.kind,
                "form": p.form,
                "series": p.series,
                "number": p.number,
                "lookup": p.lookup,
            })
        });
        let pending = due.iter().any(|due| due.bill == id);
        json!({
            "state": if pending { "pending" } else { "issued" },
            "elsewhere": elsewhere.collect::<Vec<_>>(),
        })
    };
    Ok(bills.iter().map(of).collect())
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
    /// For whom.
    pub tree: Tree,
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
    let agencies = agencies_of(&mut tx, agency, wanted.tree).await?;
    let found = bill::bills_of_agencies(&mut tx, &agencies, search, page).await?;
    let keys = agency_keys(app, &mut tx, found.items.iter().map(|b| b.bill.agency)).await?;
    let next = found.items.last().filter(|_| found.more).map(|last| last.bill.id.to_string());
    let ids: Vec<Id<Bill>> = found.items.iter().map(|b| b.bill.id).collect();
    let silences = silence::of_bills(&mut tx, &ids, now).await?;
    let opened = found.items.iter().map(|b| {
        let until =
            rules::pay_until(b.bill.payable_until, silences.get(&b.bill.id).map_or(&[][..], Vec::as_slice));
        let key = keys.get(&b.bill.agency).ok_or_else(|| Error::internal(b.bill.agency))?;
        open(app, key, b, until, Day::of(now))
    });
    let mut items = opened.collect::<Result<Vec<Value>>>()?;
    let receipts = receipts_of(&mut tx, &found.items.iter().collect::<Vec<_>>()).await?;
    for (item, receipts) in items.iter_mut().zip(receipts) {
        item["receipts"] = receipts;
    }
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
