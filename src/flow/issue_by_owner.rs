//! Issues bills in a transaction of their own, many at once. One of several owners may be divided into one bill for each:
//! it is never open as a whole, so that the money of one owner cannot be sent to another's account, and its reference
//! leads to the parts. One with the prices of services takes its sellers' invoices: each is charged once, by whatever bill.

use super::{
    Error, Result,
    agency_key::agency_keys,
    claimed_drafts::{ClaimedDrafts, outcomes},
    create_bill::{Ground, answered, as_issued, write},
    divide_bills::{divide_all, has_other_owners, in_order},
    notify_exemption::charge_invoices,
    read_bills,
};
use crate::{
    app::App,
    base::{
        calendar::Day,
        id::{Bill, Id},
    },
    crypto::seal::DataKey,
    payment::{
        bill::{Refusal, State},
        invoice::{Invoice, Name},
        issue::{Draft, Outcome},
    },
    store::{Tx, bill::StoredBill, bill_version as versions, exemption},
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// How often bills are issued again when somebody else takes an invoice at the same moment.
const TRIES: usize = 3;

/// Issues a draft; the answer is the bill that stands for all of it, with `parts` where it is wanted `apart` and not all
/// the agency's own.
pub async fn issue_by_owner(app: &App, draft: Draft, apart: bool) -> Result<Value> {
    let outcome = issue_all_alone(app, vec![(draft, apart)]).await?.pop();
    let answer = answered(outcome.ok_or(Error::internal("a draft without an outcome"))?)?;
    serde_json::from_str(&answer).map_err(Error::internal)
}

/// Issues drafts, each divided by owner where that is said beside it, in one transaction, and answers each. A draft that
/// is refused writes nothing.
pub async fn issue_all_alone(app: &App, drafts: Vec<(Draft, bool)>) -> Result<Vec<Outcome>> {
    let (drafts, apart): (Vec<Draft>, Vec<bool>) = drafts.into_iter().unzip();
    for _ in 1..TRIES {
        match issue_alone(app, &drafts, &apart).await {
            // Somebody took an invoice between the look and the insert: it is known now.
            Err(Error::Conflict(refusal)) if refusal.code == "invoice_known" => {}
            done => return done,
        }
    }
    issue_alone(app, &drafts, &apart).await
}

async fn issue_alone(app: &App, drafts: &[Draft], apart: &[bool]) -> Result<Vec<Outcome>> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let claimed = ClaimedDrafts::claim(app, &mut tx, drafts, now).await?;
    let before = issued_before(app, &mut tx, &claimed.known()).await?;
    let fresh = claimed.fresh();
    let ground = Ground::read(app, &mut tx, &fresh, now).await?;
    let charged: Vec<&Invoice> = fresh.iter().flat_map(|draft| draft.invoices()).collect();
    let mut invoices = exemption::known(&mut tx, &charged).await?;
    let takes = |draft: &Draft| take(&mut invoices, draft);
    let (prepared, places) = claimed.prepare(app, &ground, &before, takes, now)?;
    claimed.give_back(&mut tx, &places).await?;
    let wholes: Vec<StoredBill> = prepared.iter().map(|one| one.stored.clone()).collect();
    let mut divided: Vec<Option<bool>> = vec![None; wholes.len()];
    for (place, apart) in places.iter().zip(apart) {
        if let Ok(index) = place {
            divided[*index].get_or_insert(*apart);
        }
    }
    write(&mut tx, prepared).await?;
    let mut charged = Vec::new();
    for whole in &wholes {
        let bill = &whole.bill;
        charged.extend(bill.lines.invoices().map(|invoice| (bill.id, bill.agency, invoice)));
    }
    charge_invoices(app, &mut tx, &charged, now).await?;
    let key = |agency| ground.keys().get(&agency).ok_or(Error::internal("a bill without its agency"));
    let mut shared = Vec::new();
    for (whole, apart) in wholes.iter().zip(divided) {
        if apart == Some(true) && has_other_owners(whole)? {
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

/// Takes the invoices of a draft, all or none: each is charged once, by whatever bill.
fn take(taken: &mut BTreeSet<Name>, draft: &Draft) -> std::result::Result<(), Outcome> {
    let names: Vec<Name> = draft.invoices().map(Invoice::known_by).collect();
    let own: BTreeSet<&Name> = names.iter().collect();
    if own.len() < names.len() || names.iter().any(|name| taken.contains(name)) {
        return Err(Outcome::Refused(Refusal::InvoiceKnown));
    }
    taken.extend(names);
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
