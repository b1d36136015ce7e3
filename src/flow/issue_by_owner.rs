//! Issues bills in a transaction of their own, many at once. One of several owners may be divided into one bill for each:
//! it is never open as a whole, so that the money of one owner cannot be sent to another's account, and its reference
//! leads to the parts. One with the prices of services takes its sellers' invoices: each is charged once, by whatever bill.

use super::{
    Error, Result,
    agency_key::agency_keys,
    create_bill::{ClaimedDrafts, Ground, answered, as_issued, outcomes, write},
    divide_bills::{divide_all, has_other_owners, in_order},
    read_bills,
};
use crate::{
    app::App,
    base::{
        calendar::Day,
        clock::Instant,
        id::{Bill, Id},
    },
    crypto::seal::DataKey,
    payment::{
        bill::State,
        issue::{Draft, Outcome},
    },
    store::{Tx, bill::StoredBill, bill_version as versions, exemption},
};
use serde_json::Value;
use std::collections::BTreeMap;

/// Issues a draft; the answer is the bill that stands for all of it, with `parts` where it is wanted `apart` and not all
/// the agency's own.
pub async fn issue_by_owner(app: &App, draft: Draft, apart: bool) -> Result<Value> {
    let outcome = issue_alone(app, vec![draft], apart).await?.pop();
    let answer = answered(outcome.ok_or(Error::internal("a draft without an outcome"))?)?;
    serde_json::from_str(&answer).map_err(Error::internal)
}

/// Issues drafts, each divided by owner, in one transaction, and answers each. A draft that is refused writes nothing.
pub async fn issue_all_by_owner(app: &App, drafts: Vec<Draft>) -> Result<Vec<Outcome>> {
    issue_alone(app, drafts, true).await
}

async fn issue_alone(app: &App, drafts: Vec<Draft>, apart: bool) -> Result<Vec<Outcome>> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let claimed = ClaimedDrafts::claim(app, &mut tx, &drafts, now).await?;
    let before = issued_before(app, &mut tx, &claimed.known()).await?;
    let ground = Ground::read(app, &mut tx, &claimed.fresh(), now).await?;
    let (prepared, places) = ground.prepare_all(app, &claimed, &before, now)?;
    claimed.give_back(&mut tx, &places).await?;
    let wholes: Vec<StoredBill> = prepared.iter().map(|one| one.stored.clone()).collect();
    write(&mut tx, prepared).await?;
    take_invoices(app, &mut tx, &wholes, now).await?;
    let key = |agency| ground.keys().get(&agency).ok_or(Error::internal("a bill without its agency"));
    let mut shared = Vec::new();
    for whole in &wholes {
        if apart && has_other_owners(whole)? {
            shared.push(whole);
        }
    }
    let mut parts = divide_all(app, &mut tx, key, &shared, now).await?;
    let mut answers = Vec::with_capacity(wholes.len());
    for whole in wholes {
        let parts = parts.remove(&whole.bill.id).unwrap_or_default();
        answers.push(answer(app, key(whole.bill.agency)?, whole, &parts)?);
    }
    tx.commit().await?;
    Ok(outcomes(places, &answers))
}

/// Notes the sellers' invoices that these bills charge; refused as a whole where one was charged before.
async fn take_invoices(app: &App, tx: &mut Tx, bills: &[StoredBill], now: Instant) -> Result<()> {
    for whole in bills {
        for invoice in whole.bill.lines.as_slice().iter().filter_map(|line| line.invoice.as_ref()) {
            let named = (Id::new(now, &*app.entropy), whole.bill.id, whole.bill.agency);
            match exemption::insert_invoice(tx, named, invoice, now).await {
                Err(e) if e.violates("seller_invoice_once") => return Err(Error::conflict("invoice_known")),
                done => done?,
            }
        }
    }
    Ok(())
}

/// The answer as it was when the bill was issued: nothing of it is kept with the key, which would hold names.
fn answer(app: &App, key: &DataKey, mut whole: StoredBill, parts: &[StoredBill]) -> Result<String> {
    let today = Day::of(whole.bill.issued_at);
    if !parts.is_empty() {
        whole.state = State::Superseded { at: whole.bill.issued_at };
    }
    let mut answer = read_bills::open(app, key, &whole, whole.bill.payable_until, today)?;
    if !parts.is_empty() {
        answer["parts"] = told(app, key, parts)?;
    }
    Ok(answer.to_string())
}

/// Parts as `/v1` answers them, as they were issued.
pub(super) fn told(app: &App, key: &DataKey, parts: &[StoredBill]) -> Result<Value> {
    let open = |part: &StoredBill| {
        read_bills::open(app, key, part, part.bill.payable_until, Day::of(part.bill.issued_at))
    };
    parts.iter().map(open).collect()
}

async fn issued_before(app: &App, tx: &mut Tx, ids: &[Id<Bill>]) -> Result<BTreeMap<Id<Bill>, String>> {
    let mut answers = BTreeMap::new();
    if ids.is_empty() {
        return Ok(answers);
    }
    let links = versions::parts_of(tx, ids, false).await?;
    let parts: Vec<Id<Bill>> = links.iter().map(|link| link.0).collect();
    let mut parts: BTreeMap<Id<Bill>, StoredBill> =
        as_issued(tx, &parts).await?.into_iter().map(|part| (part.bill.id, part)).collect();
    let wholes = as_issued(tx, ids).await?;
    let keys = agency_keys(app, tx, wholes.iter().map(|whole| whole.bill.agency)).await?;
    for whole in wholes {
        let id = whole.bill.id;
        let of = links.iter().filter(|link| link.1 == id && link.2 == 1);
        let mut of: Vec<StoredBill> = of.filter_map(|link| parts.remove(&link.0)).collect();
        in_order(&whole, &mut of);
        let key = keys.get(&whole.bill.agency).ok_or(Error::internal("a bill without its agency"))?;
        answers.insert(id, answer(app, key, whole, &of)?);
    }
    Ok(answers)
}

/// The newest parts of a bill, as they were issued.
pub(super) async fn parts_told(app: &App, tx: &mut Tx, key: &DataKey, whole: &StoredBill) -> Result<Value> {
    let ids: Vec<Id<Bill>> =
        versions::parts_of(tx, &[whole.bill.id], true).await?.into_iter().map(|part| part.0).collect();
    let mut parts = as_issued(tx, &ids).await?;
    in_order(whole, &mut parts);
    told(app, key, &parts)
}
