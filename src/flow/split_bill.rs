//! Splits a bill: into instalments, which are another way to pay the same and exclude paying it at once, or into one bill
//! for each owner, each with a transfer of its own to that owner's account.
//!
//! Instalments and the whole exclude each other where an attempt starts: whoever begins the one closes the other, under
//! the locks of all of them. Money that still comes for what was closed waits in suspense.

use super::{
    Error, Result,
    agency_key::agency_key,
    bill_answer,
    create_bill::refused,
    divide_bills::{divide_all, keep_parts},
    idempotency::Idempotency,
    read_bills,
};
use crate::{
    app::App,
    base::{
        calendar::Day,
        clock::Instant,
        id::{Agency, Bill, Id},
        reference::Reference,
    },
    crypto::seal::DataKey,
    payment::bill::{self, Lines, Refusal, State},
    store::{
        Tx,
        bill::{self as rows, StoredBill},
        bill_version as versions,
    },
};
use serde_json::{Value, json};

/// The most instalments of one bill.
pub const INSTALMENTS_MAX: usize = 24;

/// How a bill is split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Split {
    /// Into instalments with these due days, in order, and their weights.
    Instalments(Vec<(Day, u64)>),
    /// Into one bill for each owner.
    Owners,
}

/// Splits an open bill of the agency; the answer lists the parts.
pub async fn split_bill(
    app: &App,
    agency: Id<Agency>,
    id: Id<Bill>,
    split: &Split,
    key: &Idempotency,
) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let sealing = agency_key(app, &mut tx, agency).await?;
    if let Some(answer) = key.claim_sealed(&mut tx, &sealing).await? {
        return Ok(answer);
    }
    rows::bill(&mut tx, id).await?.filter(|b| b.bill.agency == agency).ok_or(Error::not_found())?;
    let (state, under_way) = rows::lock_bill(&mut tx, id).await?.ok_or(Error::not_found())?;
    bill::may_change(&state, under_way).map_err(refused)?;
    if is_split(&mut tx, id).await? {
        return Err(refused(Refusal::AlreadySplit));
    }
    let whole = rows::bill(&mut tx, id).await?.ok_or(Error::not_found())?;
    let items = divide(app, &mut tx, &sealing, &whole, split, now).await?;
    let answer = json!({ "items": items });
    key.keep_sealed(&mut tx, (&sealing, &*app.entropy), id.uuid(), &answer, now).await?;
    tx.commit().await?;
    Ok(answer)
}

/// Whether a bill is a part, or has parts that are not closed again.
async fn is_split(tx: &mut Tx, id: Id<Bill>) -> Result<bool> {
    let links = versions::links(tx, id).await?;
    let divided = links.iter().filter(|(relation, _, _)| relation == "instalment" || relation == "part");
    let (parts, wholes): (Vec<_>, Vec<_>) = divided.partition(|(_, _, later)| *later);
    let parts: Vec<Id<Bill>> = parts.into_iter().map(|link| link.1).collect();
    let stand = |part: &StoredBill| !matches!(part.state, State::Superseded { .. });
    Ok(!wholes.is_empty() || rows::bills(tx, &parts).await?.iter().any(stand))
}

/// Refuses what would change the charges of a part alone: together the parts are the whole.
pub(super) async fn demand_no_part(tx: &mut Tx, id: Id<Bill>) -> Result<()> {
    if wholes(tx, id).await?.is_empty() { Ok(()) } else { Err(refused(Refusal::AlreadySplit)) }
}

/// Refuses to open an instalment again of a whole that is paid, being paid, withdrawn or replaced. The caller holds this
/// bill's lock.
pub(super) async fn demand_open_plan(tx: &mut Tx, id: Id<Bill>) -> Result<()> {
    for (relation, whole) in wholes(tx, id).await? {
        let (state, under_way) = rows::lock_bill(tx, whole).await?.ok_or(Error::not_found())?;
        let open = match state {
            State::Open => !under_way,
            // By instalments, or by another bill.
            State::Superseded { .. } => {
                let links = versions::links(tx, whole).await?;
                !links.iter().any(|(relation, _, later)| relation == "replaces" && *later)
            }
            State::Paid { .. } | State::Cancelled { .. } => false,
        };
        if relation == "instalment" && !open {
            return Err(refused(Refusal::AlreadySuperseded));
        }
    }
    Ok(())
}

/// The bill that has taken the invoices which this one charges: its whole, where it is one owner's part. None where it asks
/// for a share of what its whole charges: the whole alone lets go of that.
pub(super) async fn claimant(tx: &mut Tx, id: Id<Bill>) -> Result<Option<Id<Bill>>> {
    Ok(match wholes(tx, id).await?.pop() {
        None => Some(id),
        Some((relation, whole)) => (relation == "part").then_some(whole),
    })
}

/// What this bill is a part of.
async fn wholes(tx: &mut Tx, id: Id<Bill>) -> Result<Vec<(String, Id<Bill>)>> {
    let links = versions::links(tx, id).await?;
    let of = links
        .into_iter()
        .filter(|(relation, _, later)| !later && (relation == "instalment" || relation == "part"));
    Ok(of.map(|(relation, whole, _)| (relation, whole)).collect())
}

/// Divides a bill that the caller has locked or just written; the parts as `/v1` answers them.
pub(super) async fn divide(
    app: &App,
    tx: &mut Tx,
    sealing: &DataKey,
    whole: &StoredBill,
    split: &Split,
    now: Instant,
) -> Result<Vec<Value>> {
    let id = whole.bill.id;
    let key = |_: Id<Agency>| Ok(sealing);
    let stored = match split {
        Split::Instalments(plan) => {
            let parts = instalments(whole, plan, Day::of(now))?;
            let parts = vec![(whole, parts)];
            keep_parts(app, tx, key, parts, "instalment", now).await?
        }
        Split::Owners => divide_all(app, tx, key, &[whole], now).await?,
    };
    stored
        .get(&id)
        .into_iter()
        .flatten()
        .map(|part| read_bills::open(app, sealing, part, part.bill.payable_until, Day::of(now)))
        .collect()
}

/// One part on its way.
pub(super) struct Part {
    /// Its lines.
    pub lines: Lines,
    /// Its last day.
    pub due: Day,
    /// Where it is collected.
    pub account: Id<crate::base::id::Account>,
}

impl Part {
    pub(super) fn issue(
        self,
        app: &App,
        key: &DataKey,
        whole: &StoredBill,
        now: Instant,
    ) -> Result<StoredBill> {
        let parties = bill_answer::open_parties(key, whole.bill.id, &whole.parties)?;
        let traces = bill_answer::open_trace(key, whole.bill.id, &whole.trace)?;
        let of = |line: &bill::BillLine| {
            let place = whole.bill.lines.as_slice().iter().position(|other| {
                (&other.fee, &other.notice, &other.invoice) == (&line.fee, &line.notice, &line.invoice)
            });
            place.and_then(|place| traces.get(place).cloned()).unwrap_or_else(|| json!([]))
        };
        let trace: Vec<Value> = self.lines.as_slice().iter().map(of).collect();
        let mut bill = whole.bill.clone();
        bill.id = Id::new(now, &*app.entropy);
        bill.reference = Reference::new(&*app.entropy);
        bill.lines = self.lines;
        bill.due = self.due;
        bill.payable_until = bill.payable_until.max(self.due);
        bill.version = 1;
        bill.issued_at = now;
        Ok(StoredBill {
            state: State::Open,
            account: self.account,
            parties: bill_answer::seal_parties(app, key, bill.id, &parties),
            trace: bill_answer::seal_trace(app, key, bill.id, &trace, None),
            bill,
            ..whole.clone()
        })
    }
}

fn instalments(whole: &StoredBill, plan: &[(Day, u64)], today: Day) -> Result<Vec<Part>> {
    let weights: Vec<u64> = plan.iter().map(|(_, weight)| *weight).collect();
    for (due, _) in plan {
        bill::check_due(*due, today).map_err(refused)?;
    }
    let parts = whole.bill.lines.split(&weights).map_err(refused)?;
    let parts = parts.into_iter().zip(plan).map(|(lines, (due, _))| Part {
        lines,
        due: *due,
        account: whole.account,
    });
    Ok(parts.collect())
}

/// The account of the part in which a line of a bill stands that was divided by owner.
pub(super) async fn account_of_line(
    tx: &mut Tx,
    whole: Id<Bill>,
    line: &bill::BillLine,
) -> Result<Option<Id<crate::base::id::Account>>> {
    let parts: Vec<Id<Bill>> =
        versions::parts_of(tx, &[whole], true).await?.into_iter().map(|part| part.0).collect();
    if parts.is_empty() {
        return Ok(None);
    }
    let holds = |part: &StoredBill| {
        let same = |of: &bill::BillLine| {
            (&of.fee, &of.notice, &of.invoice) == (&line.fee, &line.notice, &line.invoice)
        };
        part.bill.lines.as_slice().iter().any(same)
    };
    Ok(rows::bills(tx, &parts).await?.iter().find(|part| holds(part)).map(|part| part.account))
}

/// Closes the other way to pay, before an attempt starts on this one: the whole, or its instalments. The caller holds
/// this bill's lock.
pub(super) async fn choose_way(tx: &mut Tx, id: Id<Bill>, now: Instant) -> Result<()> {
    close(tx, id, |_| true, now).await
}

/// Closes the instalments of a bill that is withdrawn, replaced or charged anew: a plan for what nobody asks any more is
/// no way to pay. Refused while one is being paid. The caller holds the bill's lock.
pub(super) async fn close_plan(tx: &mut Tx, whole: Id<Bill>, now: Instant) -> Result<()> {
    close(tx, whole, |later| later, now).await
}

async fn close(tx: &mut Tx, of: Id<Bill>, which: fn(bool) -> bool, now: Instant) -> Result<()> {
    let links = versions::links(tx, of).await?;
    let mut others: Vec<Id<Bill>> = links
        .iter()
        .filter(|(relation, _, later)| relation == "instalment" && which(*later))
        .map(|link| link.1)
        .collect();
    // In one order, so that two payers of one plan do not wait for each other in a circle.
    others.sort_unstable();
    for other in others {
        let (state, under_way) = rows::lock_bill(tx, other).await?.ok_or(Error::not_found())?;
        match state {
            State::Open if !under_way => {
                versions::supersede_bill(tx, (other, "open"), now).await?;
            }
            // Opened again, it would ask for a share of what is asked otherwise by now.
            State::Cancelled { .. } => {
                versions::supersede_bill(tx, (other, "cancelled"), now).await?;
            }
            State::Open | State::Paid { .. } => return Err(refused(Refusal::OtherWayChosen)),
            State::Superseded { .. } => {}
        }
    }
    Ok(())
}
