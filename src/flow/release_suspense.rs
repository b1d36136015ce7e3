//! Lets money leave suspense, by a recorded decision of two officers: an accountant proposes, an approver approves. Until
//! then the approver may decline and the accountant take it back, so that something else can be proposed.

use super::{
    Error, Result,
    agency_key::{agency_key, kept_words},
    audit_leaf, create_bill,
    event::event_row,
    idempotency::Idempotency,
    officer, pay_bill,
};
use crate::{
    app::App,
    base::{
        calendar::{Day, rfc3339},
        clock::Instant,
        id::{self, Agency, Bill, Case, Citizen, Id},
        money::Money,
        text::Line,
    },
    crypto::seal::DataKey,
    identity::role::Role,
    payment::{
        bill,
        release::{self, Refusal, Toward},
    },
    store::{
        Tx, account, audit,
        bill::{self as bills, StoredBill},
        ledger::{self as books, EntryKind, NewEntry},
        outbox, payout_waiting,
        suspense::{self, Decision},
    },
};
use serde_json::{Value, json};

/// What an accountant proposes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// Where the money goes.
    pub toward: Toward,
    /// By what law.
    pub legal_basis: Line<200>,
    /// Why.
    pub words: Line<500>,
    /// Who proposes.
    pub officer: Id<Citizen>,
}

/// Proposes to let an agency's money go. The same identifier names the case and the money.
pub async fn propose_release(
    app: &App,
    agency: Id<Agency>,
    case: Id<Case>,
    proposal: &Proposal,
    key: Option<&Idempotency>,
) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    if let Some(key) = key
        && let Some(then) = key.claim(&mut tx).await?
    {
        return answered(app, &mut tx, agency, case, &then).await;
    }
    let held = lock(&mut tx, agency, case, proposal.toward.bill()).await?;
    let before = suspense::decision(&mut tx, case).await?;
    release::propose(held.held, before.is_some()).map_err(refused)?;
    if let Some(bill) = proposal.toward.bill() {
        payable(&mut tx, agency, bill, held.amount).await?;
    }
    officer::demand(&mut tx, proposal.officer, agency, Role::Accountant, Day::of(now)).await?;
    let sealing = agency_key(app, &mut tx, agency).await?;
    let decision = Decision {
        toward: proposal.toward,
        legal_basis: proposal.legal_basis.clone(),
        words: sealing.seal(&*app.entropy, &place(case), proposal.words.as_str().as_bytes()),
        proposed_by: proposal.officer,
        proposed_at: now,
        approved: None,
    };
    if !suspense::propose(&mut tx, case, &decision, key.map(|key| key.client)).await? {
        return Err(refused(Refusal::AlreadyProposed));
    }
    let details = json!({
        "case": case.to_string(),
        "toward": proposal.toward.as_str(),
        "bill": proposal.toward.bill().map(|bill| bill.to_string()),
        "legal_basis": proposal.legal_basis.as_str(),
        "by": proposal.officer.to_string(),
    });
    let concern = audit_leaf::Concern { citizen: None, agency: Some(agency), object: case.uuid() };
    let leaf = audit_leaf::leaf(app, now, "money.release_proposed", concern, &sealing, &details);
    audit::append(&mut tx, &[leaf]).await?;
    let answer = decision_json(case, &held.amount.decimal(), &decision, &sealing)?;
    if let Some(key) = key {
        key.keep(&mut tx, case.uuid(), &kept(&answer), now).await?;
    }
    tx.commit().await?;
    Ok(answer)
}

/// Approves a proposal, the one of that moment if it is told which was seen: the money moves in the books with the decision.
pub async fn approve_release(
    app: &App,
    agency: Id<Agency>,
    case: Id<Case>,
    (officer, seen): (Id<Citizen>, Option<Instant>),
    key: Option<&Idempotency>,
) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    if let Some(key) = key
        && let Some(then) = key.claim(&mut tx).await?
    {
        return answered(app, &mut tx, agency, case, &then).await;
    }
    // The bill is locked before the money; what was proposed instead of that meanwhile is not what is approved.
    let proposed = suspense::decision(&mut tx, case).await?;
    let proposed = proposed.filter(|decision| seen.is_none_or(|seen| decision.proposed_at == seen));
    let proposed = proposed.map(|decision| (decision.toward, decision.proposed_at));
    let held = lock(&mut tx, agency, case, proposed.and_then(|(toward, _)| toward.bill())).await?;
    let before = suspense::decision(&mut tx, case).await?;
    let before = before.filter(|decision| Some((decision.toward, decision.proposed_at)) == proposed);
    release::approve(held.held, before.as_ref().map(|d| d.proposed_by), officer).map_err(refused)?;
    officer::demand(&mut tx, officer, agency, Role::Approver, Day::of(now)).await?;
    let mut decision = before.ok_or(refused(Refusal::NotProposed))?;
    let entry: Id<id::Entry> = Id::new(now, &*app.entropy);
    decision.approved = Some((officer, entry, now));
    let sealing = agency_key(app, &mut tx, agency).await?;
    let told = json!({
        "case": case.to_string(),
        "toward": decision.toward.as_str(),
        "bill": decision.toward.bill().map(|bill| bill.to_string()),
        "amount": held.amount.decimal(),
        "entry": entry.to_string(),
    });
    let mut details = told.clone();
    details["proposed_by"] = json!(decision.proposed_by.to_string());
    details["approved_by"] = json!(officer.to_string());
    let concern = audit_leaf::Concern { citizen: None, agency: Some(agency), object: case.uuid() };
    let leaf = audit_leaf::leaf(app, now, "money.released", concern, &sealing, &details);
    let paid = match decision.toward.bill() {
        Some(bill) => Some(payable(&mut tx, agency, bill, held.amount).await?),
        None => None,
    };
    let parts = paid.as_ref().map(|bill| bill.bill.lines.parts(agency)).unwrap_or_default();
    let booked = release::released(held.account, agency, decision.toward, (held.amount, &parts));
    let booked = booked.map_err(Error::internal)?;
    let payment = match &paid {
        Some(bill) => Some(pay_bill::pay(app, &mut tx, (bill, &held), (leaf.id, &sealing), now).await?),
        None => None,
    };
    let accounts: Vec<_> = booked.postings().iter().map(|posting| posting.account).collect();
    let numbers = account::open_numbers(&mut tx, &accounts).await?;
    let (kind, subject) = match payment {
        Some(payment) => (EntryKind::Settled, payment.uuid()),
        None => (EntryKind::Released, case.uuid()),
    };
    let new = NewEntry { id: entry, kind, subject, leaf: leaf.id, entry: booked };
    if !suspense::approve(&mut tx, case, officer, (entry, payment), now).await?
        || !suspense::release(&mut tx, case).await?
    {
        return Err(Error::internal("suspense moved under its lock"));
    }
    books::append(&mut tx, &[new], &numbers, now).await?;
    if let Some(payment) = payment {
        payout_waiting::keep_paid(&mut tx, &[payment], now).await?;
    }
    audit::append(&mut tx, &[leaf]).await?;
    let event = event_row(app, now, "money.released", (agency, case.uuid()), &told);
    outbox::enqueue(&mut tx, &[event]).await?;
    let answer = decision_json(case, &held.amount.decimal(), &decision, &sealing)?;
    if let Some(key) = key {
        key.keep(&mut tx, case.uuid(), &kept(&answer), now).await?;
    }
    tx.commit().await?;
    Ok(answer)
}

/// Drops a proposal that nobody has approved: whoever made it takes it back, or an approver declines it. The money waits on.
pub async fn drop_release(app: &App, agency: Id<Agency>, case: Id<Case>, officer: Id<Citizen>) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let held = lock(&mut tx, agency, case, None).await?;
    let before = suspense::decision(&mut tx, case).await?;
    release::drop_proposal(held.held, before.is_some()).map_err(refused)?;
    let decision = before.ok_or(refused(Refusal::NotProposed))?;
    let (role, kind) = if decision.proposed_by == officer {
        (Role::Accountant, "money.release_withdrawn")
    } else {
        (Role::Approver, "money.release_declined")
    };
    officer::demand(&mut tx, officer, agency, role, Day::of(now)).await?;
    if !suspense::drop_proposal(&mut tx, case).await? {
        return Err(Error::internal("suspense moved under its lock"));
    }
    let details = json!({
        "case": case.to_string(),
        "toward": decision.toward.as_str(),
        "bill": decision.toward.bill().map(|bill| bill.to_string()),
        "proposed_by": decision.proposed_by.to_string(),
        "by": officer.to_string(),
    });
    let sealing = agency_key(app, &mut tx, agency).await?;
    let concern = audit_leaf::Concern { citizen: None, agency: Some(agency), object: case.uuid() };
    let leaf = audit_leaf::leaf(app, now, kind, concern, &sealing, &details);
    audit::append(&mut tx, &[leaf]).await?;
    Ok(tx.commit().await?)
}

/// Locks money, and before it the bill that it shall pay: in the order in which a desk locks them.
async fn lock(
    tx: &mut Tx,
    agency: Id<Agency>,
    case: Id<Case>,
    bill: Option<Id<Bill>>,
) -> Result<suspense::Held> {
    if let Some(bill) = bill {
        bills::lock_bill(tx, bill).await?;
    }
    suspense::lock(tx, agency, case).await?.ok_or(Error::not_found())
}

/// The bill that the money shall pay, locked: the agency's own, open, nothing under way, and asking for exactly that.
async fn payable(tx: &mut Tx, agency: Id<Agency>, id: Id<Bill>, held: Money) -> Result<StoredBill> {
    bills::bill(tx, id).await?.filter(|bill| bill.bill.agency == agency).ok_or(Error::not_found())?;
    let (state, under_way) = bills::lock_bill(tx, id).await?.ok_or(Error::not_found())?;
    bill::may_change(&state, under_way).map_err(create_bill::refused)?;
    let bill = bills::bill(tx, id).await?.ok_or(Error::not_found())?;
    release::pays(held, bill.bill.lines.total()).map_err(refused)?;
    Ok(bill)
}

/// What a key keeps of an answer: of which proposal it told. The words are sealed with that; the key keeps no copy of them.
fn kept(answer: &Value) -> Value {
    json!({ "approved": !answer["approved_by"].is_null(), "proposed_at": answer["proposed_at"] })
}

/// The answer that was given before: the decision as it was then, unless it was dropped since.
async fn answered(app: &App, tx: &mut Tx, agency: Id<Agency>, case: Id<Case>, then: &Value) -> Result<Value> {
    let held = suspense::lock(tx, agency, case).await?.ok_or(Error::not_found())?;
    let decision = suspense::decision(tx, case).await?;
    let decision = decision.filter(|decision| then["proposed_at"] == rfc3339(decision.proposed_at));
    let mut decision = decision.ok_or(refused(Refusal::NotProposed))?;
    if then["approved"] != true {
        decision.approved = None;
    }
    let sealing = agency_key(app, tx, agency).await?;
    decision_json(case, &held.amount.decimal(), &decision, &sealing)
}

fn decision_json(case: Id<Case>, amount: &str, decision: &Decision, key: &DataKey) -> Result<Value> {
    let words = kept_words(key, &place(case), &decision.words)?;
    let approved = decision.approved;
    Ok(json!({
        "case": case.to_string(),
        "amount": { "amount": amount, "currency": "VND" },
        "toward": decision.toward.as_str(),
        "bill": decision.toward.bill().map(|bill| bill.to_string()),
        "legal_basis": decision.legal_basis.as_str(),
        "words": words.unwrap_or_default(),
        "proposed_by": decision.proposed_by.to_string(),
        "proposed_at": rfc3339(decision.proposed_at),
        "approved_by": approved.map(|(by, _, _)| by.to_string()),
        "approved_at": approved.map(|(_, _, at)| rfc3339(at)),
        "entry": approved.map(|(_, entry, _)| entry.to_string()),
    }))
}

pub(super) fn place(case: Id<Case>) -> Vec<u8> {
    [b"suspense.words".as_slice(), case.uuid().as_bytes()].concat()
}

fn refused(refusal: Refusal) -> Error {
    match refusal {
        Refusal::OwnAct => Error::forbidden(refusal.code()),
        Refusal::AmountDiffers => Error::refused(refusal.code()),
        Refusal::AlreadyReleased | Refusal::AlreadyProposed | Refusal::NotProposed => {
            Error::conflict(refusal.code())
        }
    }
}
