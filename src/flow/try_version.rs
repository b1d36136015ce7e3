//! What a version of the schedule would have charged for the bills of a month: computed from what each bill was computed
//! from, and written nowhere.

use super::{
    Error, Result,
    agency_key::agency_keys,
    bill_answer,
    declare_fees::Period,
    explain::money,
    inherit::{Tree, agencies_of},
};
use crate::{
    app::App,
    base::{
        id::{self, Agency, Bill, Id},
        money::Money,
    },
    payment::{
        code::Code,
        fee::{self, Schedule},
    },
    store::{
        bill::{self, StoredBill},
        fee as tariff, fee_version,
    },
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// How many bills are read at a time.
const CHUNK: i64 = 500;
/// How many bills the answer names at most.
const NAMED_MAX: usize = 100;

/// What a bill would have come to.
enum Tried {
    Same,
    Changed(Money),
    Refused(&'static str),
    Unknown,
}

/// Tries a version on the bills that the agency issued in a month; for itself or by either tree.
pub async fn try_version(
    app: &App,
    (agency, tree): (Id<Agency>, Tree),
    id: Id<id::Schedule>,
    period: Period,
) -> Result<Value> {
    let mut tx = app.store.begin().await?;
    fee_version::lock(&mut tx, id).await?.ok_or(Error::not_found())?;
    let schedule = tariff::whole_schedule(&mut tx, id).await?;
    let agencies = agencies_of(&mut tx, agency, tree).await?;
    let keys = agency_keys(app, &mut tx, agencies.iter().copied()).await?;
    let (mut after, mut named, mut fees) = (None, Vec::new(), BTreeSet::new());
    let mut counts = [0_u64; 4];
    let (mut before_sum, mut after_sum) = (Money::vnd(0), Money::vnd(0));
    loop {
        let bills = bill::bills_issued(&mut tx, &agencies, period.from, period.to, after, CHUNK).await?;
        let Some(last) = bills.last() else { break };
        after = Some(last.bill.id);
        for stored in &bills {
            let before = stored.bill.lines.total();
            let key = keys.get(&stored.bill.agency).ok_or(Error::internal("a bill without its agency"))?;
            let kept = bill_answer::open_kept(key, stored.bill.id, &stored.trace)?;
            let tried = kept.map_or(Tried::Unknown, |kept| tried(&schedule, stored, &kept));
            let (place, now) = match tried {
                Tried::Same => (0, before),
                Tried::Changed(now) => (1, now),
                Tried::Refused(_) => (2, before),
                Tried::Unknown => (3, before),
            };
            counts[place] += 1;
            before_sum = before_sum.plus(before).map_err(Error::internal)?;
            after_sum = after_sum.plus(now).map_err(Error::internal)?;
            if place != 0 {
                fees.extend(stored.bill.lines.as_slice().iter().map(|line| line.fee.to_string()));
                if named.len() < NAMED_MAX {
                    named.push(named_json(stored.bill.id, before, &tried));
                }
            }
        }
    }
    Ok(json!({
        "version": id.to_string(),
        "from": period.from.to_string(),
        "to": period.to.to_string(),
        "bills": counts.iter().sum::<u64>(),
        "unchanged": counts[0],
        "changed": counts[1],
        "refused": counts[2],
        "unknown": counts[3],
        "before": money(before_sum),
        "after": money(after_sum),
        "fees": fees,
        "named": named,
    }))
}

fn tried(schedule: &Schedule, stored: &StoredBill, kept: &super::circumstances::Kept) -> Tried {
    let Some((asked, circumstances)) = kept.read() else {
        return Tried::Unknown;
    };
    let codes: BTreeSet<&Code> = asked.iter().map(|ask| &ask.fee).collect();
    let elsewhere = stored.bill.lines.as_slice().iter().filter(|line| !codes.contains(&line.fee));
    let elsewhere = Money::sum(crate::base::money::Currency::Vnd, elsewhere.map(|line| line.amount));
    match fee::charge(schedule, &stored.bill.procedure, &asked, &circumstances) {
        Err(refused) => Tried::Refused(refused.first().map_or("unknown_fee", |first| first.refusal.code())),
        Ok(lines) => match fee::total(&lines).ok().zip(elsewhere.ok()).and_then(|(a, b)| a.plus(b).ok()) {
            None => Tried::Refused("amount_too_large"),
            Some(total) if total == stored.bill.lines.total() => Tried::Same,
            Some(total) => Tried::Changed(total),
        },
    }
}

fn named_json(bill: Id<Bill>, before: Money, tried: &Tried) -> Value {
    let (after, refusal) = match tried {
        Tried::Same => (Some(before), None),
        Tried::Changed(after) => (Some(*after), None),
        Tried::Refused(code) => (None, Some(*code)),
        Tried::Unknown => (None, None),
    };
    json!({ "bill": bill.to_string(), "before": money(before), "after": after.map(money), "refusal": refusal })
}
