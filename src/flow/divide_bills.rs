//! Divides bills of several owners, many at once: one bill for each owner, to be paid into that owner's account. And takes
//! such parts back before the whole is charged anew.

use super::{
    Error, Result,
    audit_leaf::{self, Concern},
    create_bill::refused,
    event::event_row,
    open_account::{self, NewAccount},
    split_bill::Part,
};
use crate::{
    app::App,
    base::{
        clock::Instant,
        id::{self, Agency, Bill, Id},
        text::Line,
    },
    crypto::seal::DataKey,
    payment::bill::{self, Lines, Owner, Refusal, State},
    store::{
        Tx, audit,
        bill::{self as rows, StoredBill},
        bill_version as versions, outbox,
    },
};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// The parts of bills, by bill, in the order of its lines.
pub(super) type Parts = BTreeMap<Id<Bill>, Vec<StoredBill>>;

/// Divides bills that the caller has locked or just written into one for each owner; `key` opens what an agency sealed.
pub(super) async fn divide_all<'a>(
    app: &App,
    tx: &mut Tx,
    key: impl Fn(Id<Agency>) -> Result<&'a DataKey>,
    wholes: &[&StoredBill],
    now: Instant,
) -> Result<Parts> {
    if wholes.is_empty() {
        return Ok(Parts::new());
    }
    let owned = wholes
        .iter()
        .map(|whole| whole.bill.lines.by_owner(whole.bill.agency).map_err(refused))
        .collect::<Result<Vec<_>>>()?;
    let agencies: BTreeSet<Id<Agency>> =
        owned.iter().flatten().filter_map(|(owner, _)| agency(owner)).collect();
    let agencies: Vec<Id<Agency>> = agencies.into_iter().collect();
    let collecting = open_account::standing(app, tx, (&agencies, &[]), now).await?.collecting;
    let taxed = taxed(app, tx, wholes, &owned, now).await?;
    let mut parts = Vec::with_capacity(wholes.len());
    for (whole, owned) in wholes.iter().zip(owned) {
        let of = |(owner, lines): (Owner, Lines)| {
            let account = match &owner {
                Owner::Agency(owner) => match collecting.get(owner) {
                    Some(account) => account.id,
                    None if *owner == whole.bill.agency => whole.account,
                    None => return Err(refused(Refusal::NoAccount)),
                },
                Owner::Account(_, number, _) => {
                    *taxed.get(number).ok_or(Error::internal("an account that was not opened"))?
                }
            };
            Ok(Part { lines, due: whole.bill.due, account })
        };
        parts.push((*whole, owned.into_iter().map(of).collect::<Result<Vec<Part>>>()?));
    }
    keep_parts(app, tx, key, parts, "part", now).await
}

const fn agency(owner: &Owner) -> Option<Id<Agency>> {
    match owner {
        Owner::Agency(agency) => Some(*agency),
        Owner::Account(..) => None,
    }
}

/// The accounts that tax notices name, by number; opened where they are new, for the agency that asks.
async fn taxed(
    app: &App,
    tx: &mut Tx,
    wholes: &[&StoredBill],
    owned: &[Vec<(Owner, Lines)>],
    now: Instant,
) -> Result<BTreeMap<String, Id<id::Account>>> {
    let mut named = BTreeMap::new();
    for (whole, owned) in wholes.iter().zip(owned) {
        for (owner, _) in owned {
            if let Owner::Account(bank, number, holder) = owner {
                let holder = Line::parse(holder).map_err(Error::internal)?;
                let new = NewAccount { bank: bank.clone(), number: number.clone(), holder };
                named.entry(number.clone()).or_insert((whole.bill.agency, new));
            }
        }
    }
    open_account::named_all(app, tx, named.into_values().collect(), now).await
}

/// Writes the parts of bills with their links and leaves; bills that are divided by owner are no longer open as a whole.
pub(super) async fn keep_parts<'a>(
    app: &App,
    tx: &mut Tx,
    key: impl Fn(Id<Agency>) -> Result<&'a DataKey>,
    parts: Vec<(&StoredBill, Vec<Part>)>,
    relation: &str,
    now: Instant,
) -> Result<Parts> {
    let (mut stored, mut links, mut leaves) = (Vec::new(), Vec::new(), Vec::new());
    let mut wholes = Vec::with_capacity(parts.len());
    for (whole, parts) in parts {
        let (id, sealing) = (whole.bill.id, key(whole.bill.agency)?);
        let of = parts.into_iter().map(|part| part.issue(app, sealing, whole, now));
        let of = of.collect::<Result<Vec<StoredBill>>>()?;
        let details = json!({
            "bill": id.to_string(),
            "into": of.iter().map(|part| part.bill.id.to_string()).collect::<Vec<_>>(),
            "as": relation,
        });
        let concern = Concern { citizen: None, agency: Some(whole.bill.agency), object: id.uuid() };
        leaves.push(audit_leaf::leaf(app, now, "bill.split", concern, sealing, &details));
        links.extend(of.iter().map(|part| (part.bill.id, id, whole.bill.version)));
        wholes.push((id, of.len()));
        stored.extend(of);
    }
    rows::insert_bills(tx, &stored).await?;
    versions::link_parts(tx, &links, relation).await?;
    if relation == "part" {
        let ids: Vec<Id<Bill>> = wholes.iter().map(|whole| whole.0).collect();
        if versions::supersede_bills(tx, &ids, now).await? != ids.len() {
            return Err(Error::internal("a bill moved under its lock"));
        }
    }
    audit::append(tx, &leaves).await?;
    let mut stored = stored.into_iter();
    Ok(wholes.into_iter().map(|(id, count)| (id, stored.by_ref().take(count).collect())).collect())
}

/// Whether other owners than the agency that asks have a line of the bill.
pub(super) fn has_other_owners(whole: &StoredBill) -> Result<bool> {
    let owners = whole.bill.lines.by_owner(whole.bill.agency).map_err(refused)?;
    Ok(owners.iter().any(|(owner, _)| *owner != Owner::Agency(whole.bill.agency)))
}

/// Puts parts in the order of their bill's lines, as they were made.
pub(super) fn in_order(whole: &StoredBill, parts: &mut [StoredBill]) {
    let place = |part: &StoredBill| {
        let first = part.bill.lines.as_slice().first().map(|line| (&line.fee, &line.notice));
        whole.bill.lines.as_slice().iter().position(|line| first == Some((&line.fee, &line.notice)))
    };
    parts.sort_by_key(place);
}

/// Closes the parts of a bill that is divided by owner, so that it can be charged anew or replaced: whether it was
/// divided. Refused unless all of them are open and none is being paid. The caller holds the whole's lock.
pub(super) async fn take_back(
    app: &App,
    tx: &mut Tx,
    (whole, sealing): (&StoredBill, &DataKey),
    now: Instant,
) -> Result<bool> {
    let id = whole.bill.id;
    let parts: Vec<Id<Bill>> = match whole.state {
        State::Superseded { .. } => {
            versions::parts_of(tx, &[id], true).await?.into_iter().map(|part| part.0).collect()
        }
        State::Open | State::Paid { .. } | State::Cancelled { .. } => Vec::new(),
    };
    if parts.is_empty() {
        return Ok(false);
    }
    for (state, under_way) in rows::lock_bills(tx, &parts).await? {
        bill::may_change(&state, under_way).map_err(refused)?;
    }
    if versions::supersede_bills(tx, &parts, now).await? != parts.len() {
        return Err(Error::internal("a bill moved under its lock"));
    }
    let (mut leaves, mut events) = (Vec::new(), Vec::new());
    for part in parts {
        let told = json!({ "bill": part.to_string(), "replaced_by": id.to_string() });
        let concern = Concern { citizen: None, agency: Some(whole.bill.agency), object: part.uuid() };
        leaves.push(audit_leaf::leaf(app, now, "bill.superseded", concern, sealing, &told));
        events.push(event_row(app, now, "bill.superseded", (whole.bill.agency, part.uuid()), &told));
    }
    audit::append(tx, &leaves).await?;
    outbox::enqueue(tx, &events).await?;
    Ok(true)
}
