//! Changes to a bill that was issued: the next version under the same reference, another bill in its place, and a
//! withdrawn bill opened again. None while an attempt to pay is under way: its money may be coming.

use super::{
    Error, Result,
    agency_key::agency_key,
    audit_leaf, bill_answer,
    charge_late::take_off,
    create_bill::{Ground, evidence_of, refused, undone, write},
    difference::{revive_differences, withdraw_differences},
    divide_bills::{has_other_owners, take_back},
    event::event_row,
    idempotency::Idempotency,
    issue_by_owner::parts_told,
    notify_exemption::{charge_invoices, known},
    quote_fees, read_bills,
    split_bill::{Split, claimant, close_plan, demand_no_part, demand_open_plan, divide},
};
use crate::{
    app::App,
    base::{
        calendar::Day,
        clock::Instant,
        id::{Agency, Bill, Id},
    },
    crypto::seal::DataKey,
    payment::{
        bill::{self, BillLine, Lines, State},
        code::Code,
        exemption::Whose,
        fee::{self, Asked},
        invoice::Invoice,
        issue::{Draft, Grounds, Outcome},
    },
    store::{
        Tx, audit,
        bill::{self as rows, StoredBill},
        bill_version as versions, exemption, fee_evidence, outbox,
    },
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What an amendment says; what is absent stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Amendment {
    /// The fees, computed anew from what the bill was computed from.
    pub asked: Option<Vec<Asked>>,
    /// The prices of services in the place of those before.
    pub services: Option<Vec<BillLine>>,
    /// Fees among them that belong to another agency than the one that asks, beside those of the lines before.
    pub owners: BTreeMap<Code, Id<Agency>>,
    /// How the money of several owners is collected; as it stands, where nothing is said.
    pub collect: Option<Collect>,
    /// The due day.
    pub due: Option<Day>,
    /// The last day on which it can be paid at all.
    pub payable_until: Option<Day>,
}

/// How the money of several owners is collected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collect {
    /// In one account, which the bill names.
    Together,
    /// By a bill for each owner.
    ByOwner,
}

/// Makes the next version of an open bill of the agency. One that is divided by owner is charged anew as a whole and
/// divided again, under the same reference, while all its parts are open.
pub async fn amend_bill(
    app: &App,
    agency: Id<Agency>,
    id: Id<Bill>,
    amendment: &Amendment,
    key: &Idempotency,
) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let sealing = agency_key(app, &mut tx, agency).await?;
    if let Some(answer) = key.claim_sealed(&mut tx, &sealing).await? {
        return Ok(answer);
    }
    let (mut stored, under_way) = locked(&mut tx, agency, id).await?;
    // The parts bear the days; a whole that is divided is only charged anew.
    let anew = amendment.asked.is_some() || amendment.services.is_some();
    let divided = anew && take_back(app, &mut tx, (&stored, &sealing), now).await?;
    if !divided {
        bill::may_change(&stored.state, under_way).map_err(refused)?;
    }
    if anew {
        close_plan(&mut tx, id, now).await?;
        charge_anew(app, &mut tx, &sealing, &mut stored, amendment, now).await?;
    } else {
        take_off(app, &mut tx, &mut stored).await?;
    }
    let was = stored.bill.due;
    stored.bill.due = amendment.due.unwrap_or(was);
    // Without a day of its own the end moves with the due day.
    let until = if stored.bill.payable_until == was { stored.bill.due } else { stored.bill.payable_until };
    stored.bill.payable_until = amendment.payable_until.unwrap_or(until.max(stored.bill.due));
    let was = if divided { "superseded" } else { "open" };
    put(&mut tx, &mut stored, ("amended", was), now).await?;
    let apart = amendment.collect.map_or(divided, |collect| collect == Collect::ByOwner);
    let parts = if apart && has_other_owners(&stored)? {
        demand_no_part(&mut tx, id).await?;
        close_plan(&mut tx, id, now).await?;
        let parts = divide(app, &mut tx, &sealing, &stored, &Split::Owners, now).await?;
        stored.state = State::Superseded { at: now };
        parts
    } else {
        Vec::new()
    };
    finish(app, tx, (&stored, parts), "bill.amended", (&sealing, key), now).await
}

/// Opens a withdrawn bill of the agency again, under the same reference, with another due day.
pub async fn revive_bill(
    app: &App,
    agency: Id<Agency>,
    id: Id<Bill>,
    due: Day,
    key: &Idempotency,
) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let sealing = agency_key(app, &mut tx, agency).await?;
    if let Some(answer) = key.claim_sealed(&mut tx, &sealing).await? {
        return Ok(answer);
    }
    let (mut stored, _) = locked(&mut tx, agency, id).await?;
    let gone = stored.state;
    stored.state = bill::revive(&stored.state).map_err(refused)?;
    demand_open_plan(&mut tx, id).await?;
    if let Some(claimant) = claimant(&mut tx, id).await? {
        let charged: Vec<_> = stored.bill.lines.invoices().collect();
        exemption::take_again(&mut tx, claimant, &charged).await.map_err(known)?;
    }
    take_off(app, &mut tx, &mut stored).await?;
    stored.bill.due = due;
    stored.bill.payable_until = due;
    put(&mut tx, &mut stored, ("revived", "cancelled"), now).await?;
    if let State::Cancelled { at } = gone {
        revive_differences(app, &mut tx, (id, at), due, &sealing, now).await?;
    }
    finish(app, tx, (&stored, Vec::new()), "bill.revived", (&sealing, key), now).await
}

/// Issues another bill in the place of an open one, or of one that is divided by owner while all its parts are open; the
/// new one is divided where `apart` says so. Whoever pays the old one finds the money kept apart, never lost.
pub async fn replace_bill(
    app: &App,
    agency: Id<Agency>,
    id: Id<Bill>,
    (draft, apart): (&Draft, bool),
    key: &Idempotency,
) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let sealing = agency_key(app, &mut tx, agency).await?;
    if key.claim(&mut tx).await?.is_some() {
        let links = versions::links(&mut tx, id).await?;
        let new = links.into_iter().find(|(relation, _, later)| relation == "replaces" && *later);
        let new = new.ok_or(Error::not_found())?.1;
        let stored = rows::bill(&mut tx, new).await?.ok_or(Error::not_found())?;
        let parts = parts_told(app, &mut tx, &sealing, &stored).await?;
        drop(tx);
        let mut answer = read_bills::read_bill(app, agency, new).await?;
        if parts.as_array().is_some_and(|parts| !parts.is_empty()) {
            answer["parts"] = parts;
        }
        return Ok(answer);
    }
    let (old, under_way) = locked(&mut tx, agency, id).await?;
    let divided = take_back(app, &mut tx, (&old, &sealing), now).await?;
    if !divided {
        bill::may_change(&old.state, under_way).map_err(refused)?;
    }
    demand_no_part(&mut tx, id).await?;
    close_plan(&mut tx, id, now).await?;
    withdraw_differences(app, &mut tx, (id, key.client), &sealing, now).await?;
    let ground = Ground::read(app, &mut tx, &[draft], now).await?;
    let prepared = ground.prepare(app, draft, Id::new(now, &*app.entropy), now).map_err(undone)?;
    let mut whole = prepared.stored.clone();
    let new = whole.bill.id;
    if !divided && !versions::supersede_bill(&mut tx, (id, "open"), now).await? {
        return Err(Error::internal("a bill moved under its lock"));
    }
    key.keep(&mut tx, new.uuid(), &Value::Null, now).await?;
    let freed: Vec<_> = old.bill.lines.invoices().collect();
    exemption::let_go(&mut tx, id, &freed).await?;
    let taken: Vec<_> = draft.invoices().map(|invoice| (new, agency, invoice)).collect();
    charge_invoices(app, &mut tx, &taken, now).await?;
    let answer = write(&mut tx, vec![prepared]).await?.pop().unwrap_or_default();
    let mut answer: Value = serde_json::from_str(&answer).map_err(Error::internal)?;
    versions::link(&mut tx, new, id, "replaces").await?;
    if apart && has_other_owners(&whole)? {
        let parts = divide(app, &mut tx, &sealing, &whole, &Split::Owners, now).await?;
        whole.state = State::Superseded { at: now };
        answer = read_bills::open(app, &sealing, &whole, whole.bill.payable_until, Day::of(now))?;
        answer["parts"] = Value::Array(parts);
    }
    let told = json!({ "bill": id.to_string(), "replaced_by": new.to_string() });
    tell(app, &mut tx, agency, (id, "bill.superseded"), (&sealing, &told), now).await?;
    tx.commit().await?;
    Ok(answer)
}

/// What a bill came from, and what came from it.
pub async fn read_family(app: &App, agency: Id<Agency>, id: Id<Bill>) -> Result<Value> {
    let mut tx = app.store.begin().await?;
    rows::bill(&mut tx, id).await?.filter(|b| b.bill.agency == agency).ok_or(Error::not_found())?;
    let links = versions::links(&mut tx, id).await?;
    let items: Vec<Value> = links
        .into_iter()
        .map(|(relation, other, later)| json!({ "relation": relation, "bill": other.to_string(), "later": later }))
        .collect();
    Ok(json!({ "items": items }))
}

/// A bill of the agency as it stands under its lock, and whether it is being paid: a change may just have been made.
pub(super) async fn locked(tx: &mut Tx, agency: Id<Agency>, id: Id<Bill>) -> Result<(StoredBill, bool)> {
    let own =
        |stored: Option<StoredBill>| stored.filter(|b| b.bill.agency == agency).ok_or(Error::not_found());
    own(rows::bill(tx, id).await?)?;
    let (_, under_way) = rows::lock_bill(tx, id).await?.ok_or(Error::not_found())?;
    Ok((own(rows::bill(tx, id).await?)?, under_way))
}

/// Computes the lines of other fees from what the bill was computed from, with other prices of services beside them: what
/// is no longer charged is let go, what is new is taken.
async fn charge_anew(
    app: &App,
    tx: &mut Tx,
    sealing: &DataKey,
    stored: &mut StoredBill,
    amendment: &Amendment,
    now: Instant,
) -> Result<()> {
    let kept = bill_answer::open_kept(sealing, stored.bill.id, &stored.trace)?;
    let kept = kept.and_then(|kept| Some((kept.grounds(), kept.read()?)));
    let (grounds, (before, circumstances)) = kept.ok_or(Error::conflict("bill_not_amendable"))?;
    let evidence = fee_evidence::of_bill(tx, stored.bill.id).await?;
    // Of what did not hold the difference is charged already.
    if evidence.iter().any(|evidence| evidence.revoked.is_some()) {
        return Err(Error::conflict("bill_not_amendable"));
    }
    // Bills from before it was kept say by their evidence what they rest on.
    let of = |whose: Whose| evidence.iter().find(|e| e.whose == whose.as_str()).map(|e| e.verification);
    let grounds = Grounds {
        applicant: grounds.applicant.or_else(|| of(Whose::Applicant)),
        submitter: grounds.submitter.or_else(|| of(Whose::Submitter)),
    };
    let asked = amendment.asked.clone().unwrap_or(before);
    let old = stored.bill.lines.as_slice();
    let of_old = |which: fn(&BillLine) -> bool| old.iter().filter(move |line| which(line)).cloned();
    let mut obligations: Vec<BillLine> = of_old(|line| line.notice.is_some()).collect();
    let services = amendment.services.clone();
    obligations.extend(services.unwrap_or_else(|| of_old(|line| line.invoice.is_some()).collect()));
    let mut owners: BTreeMap<_, _> =
        old.iter().filter_map(|line| Some((line.fee.clone(), line.beneficiary.agency?))).collect();
    // Whose money was mixed by nobody's word is not mixed by an amendment's silence.
    let together = amendment.collect.is_some() || has_other_owners(stored)?;
    owners.extend(amendment.owners.iter().map(|(fee, owner)| (fee.clone(), *owner)));
    let draft = Draft {
        agency: stored.bill.agency,
        client: stored.client,
        key: (String::new(), [0; 32]),
        dossier: stored.bill.dossier.clone(),
        procedure: stored.bill.procedure.clone(),
        asked,
        grounds,
        circumstances,
        owners,
        obligations,
        together,
        payable_until: None,
        due: stored.bill.due,
        parties: bill_answer::open_parties(sealing, stored.bill.id, &stored.parties)?,
    };
    let ground = Ground::read(app, tx, &[&draft], now).await?;
    let schedule = ground.schedule().ok_or(Error::refused("unknown_fee"))?;
    let charged = fee::charge(schedule, &draft.procedure, &draft.asked, &draft.circumstances);
    let charged = charged.map_err(|refused| quote_fees::refuse(&refused))?;
    let (lines, trace) = ground.lines(&draft, &charged).map_err(|outcome| match outcome {
        Outcome::Refused(refusal) => refused(refusal),
        _ => Error::internal("lines that were refused otherwise"),
    })?;
    let charges =
        |lines: &Lines, of: &Invoice| lines.invoices().any(|other| other.known_by() == of.known_by());
    let (was, id, agency) = (&stored.bill.lines, stored.bill.id, stored.bill.agency);
    let freed: Vec<_> = was.invoices().filter(|of| !charges(&lines, of)).collect();
    exemption::let_go(tx, id, &freed).await?;
    let taken: Vec<_> = lines.invoices().filter(|of| !charges(was, of)).map(|of| (id, agency, of)).collect();
    charge_invoices(app, tx, &taken, now).await?;
    let kept = super::circumstances::Kept::of(&draft.asked, &draft.circumstances, draft.grounds);
    stored.bill.lines = lines;
    stored.schedule = schedule.id;
    stored.trace = bill_answer::seal_trace(app, sealing, stored.bill.id, &trace, Some(&kept));
    // What the lines before rested on goes with them.
    fee_evidence::forget(tx, id).await?;
    Ok(fee_evidence::insert(tx, &evidence_of(app, (agency, draft.grounds), id, &charged, now)).await?)
}

async fn put(tx: &mut Tx, stored: &mut StoredBill, (reason, was): (&str, &str), now: Instant) -> Result<()> {
    bill::check_due(stored.bill.due, Day::of(now)).map_err(refused)?;
    bill::check_until(stored.bill.payable_until, stored.bill.due).map_err(refused)?;
    versions::keep_version(tx, stored.bill.id, reason, now).await?;
    stored.bill.version += 1;
    stored.state = State::Open;
    if !versions::put_version(tx, stored, was).await? {
        return Err(Error::internal("a bill moved under its lock"));
    }
    Ok(versions::put_content(tx, stored).await?)
}

async fn finish(
    app: &App,
    mut tx: Tx,
    (stored, parts): (&StoredBill, Vec<Value>),
    kind: &'static str,
    (sealing, key): (&DataKey, &Idempotency),
    now: Instant,
) -> Result<Value> {
    let id = stored.bill.id;
    let told = json!({
        "bill": id.to_string(),
        "version": stored.bill.version,
        "total": stored.bill.lines.total().decimal(),
        "due": stored.bill.due.to_string(),
    });
    tell(app, &mut tx, stored.bill.agency, (id, kind), (sealing, &told), now).await?;
    let until = read_bills::pay_until(&mut tx, stored, now).await?;
    let mut answer = read_bills::open(app, sealing, stored, until, Day::of(now))?;
    if !parts.is_empty() {
        answer["parts"] = Value::Array(parts);
    }
    key.keep_sealed(&mut tx, (sealing, &*app.entropy), id.uuid(), &answer, now).await?;
    tx.commit().await?;
    Ok(answer)
}

/// The leaf and the event of a change.
async fn tell(
    app: &App,
    tx: &mut Tx,
    agency: Id<Agency>,
    (id, kind): (Id<Bill>, &'static str),
    (sealing, told): (&DataKey, &Value),
    now: Instant,
) -> Result<()> {
    let concern = audit_leaf::Concern { citizen: None, agency: Some(agency), object: id.uuid() };
    let leaf = audit_leaf::leaf(app, now, kind, concern, sealing, told);
    audit::append(tx, &[leaf]).await?;
    let event = event_row(app, now, kind, (agency, id.uuid()), told);
    Ok(outbox::enqueue(tx, &[event]).await?)
}
