//! Issues a bill in a transaction of its own. One of several owners may be divided into one bill for each: it is never
//! open as a whole, so that the money of one owner cannot be sent to another's account, and its reference leads to the parts.
//! One with the prices of services takes its sellers' invoices: each is charged once, by whatever bill.

use super::{
    Error, Result,
    agency_key::agency_key,
    create_bill::{Ground, refused, undone, write},
    idempotency::Idempotency,
    read_bills,
    split_bill::{Split, divide},
};
use crate::{
    app::App,
    base::{calendar::Day, id::Id},
    payment::{
        bill::{Owner, State},
        issue::Draft,
    },
    store::exemption,
};
use serde_json::Value;

/// Issues a draft; the answer is the bill that stands for all of it, with `parts` where it is wanted `apart` and not all
/// the agency's own.
pub async fn issue_by_owner(app: &App, draft: &Draft, key: &Idempotency, apart: bool) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let sealing = agency_key(app, &mut tx, draft.agency).await?;
    if let Some(answer) = key.claim_sealed(&mut tx, &sealing).await? {
        return Ok(answer);
    }
    let ground = Ground::read(app, &mut tx, &[draft], now).await?;
    let prepared = ground.prepare(app, draft, now).map_err(undone)?;
    let mut whole = prepared.stored.clone();
    write(&mut tx, vec![prepared], now).await?;
    for invoice in whole.bill.lines.as_slice().iter().filter_map(|line| line.invoice.as_ref()) {
        let named = (Id::new(now, &*app.entropy), whole.bill.id, draft.agency);
        match exemption::insert_invoice(&mut tx, named, invoice, now).await {
            Err(e) if e.violates("seller_invoice_once") => return Err(Error::conflict("invoice_known")),
            done => done?,
        }
    }
    let owners = whole.bill.lines.by_owner(whole.bill.agency).map_err(refused)?;
    let others = owners.iter().any(|(owner, _)| *owner != Owner::Agency(whole.bill.agency));
    let parts = if apart && others {
        whole.state = State::Superseded { at: now };
        divide(app, &mut tx, &sealing, &whole, &Split::Owners, now).await?
    } else {
        Vec::new()
    };
    let mut answer = read_bills::open(app, &sealing, &whole, whole.bill.payable_until, Day::of(now))?;
    if !parts.is_empty() {
        answer["parts"] = Value::Array(parts);
    }
    key.answer_sealed(&mut tx, (&sealing, &*app.entropy), &answer).await?;
    tx.commit().await?;
    Ok(answer)
}
