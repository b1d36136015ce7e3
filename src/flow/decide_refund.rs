//! Decides a refund that was asked for: by another officer than whoever asked, above the bound by two others. With the
//! decision the books say what is owed back; the money itself goes afterwards.

use super::{
    Error, Result,
    agency_key::agency_key,
    audit_leaf, danger,
    idempotency::lock_name,
    notify::{Told, notify},
    officer, population,
    refund_answer::refund_json,
    request_refund::{demand_unused, record, refused},
    send_refund::send_refund,
};
use crate::{
    app::App,
    base::{
        calendar::Day,
        clock::Instant,
        id::{self, Citizen, Id, Leaf},
        money::Money,
    },
    crypto::seal::DataKey,
    identity::{danger::Danger, notice::What, role::Role, session::Session},
    payment::{
        ledger::{self, Account, Part},
        refund::{self, Approval, Bounds, State, Way},
    },
    store::{
        Tx, account, audit, bill as bills, bill_version as versions, debit,
        ledger::{self as books, EntryKind, NewEntry},
        principal, recall,
        refund::{self as rows, Source, StoredRefund},
        refund_line::{self, Back},
    },
};
use serde_json::{Value, json};

/// Approves a refund of the officer's agency. The last approval decides; money that lies in an account is on its way
/// when this returns, or waits for the next look.
pub async fn approve_refund(app: &App, officer: Id<Citizen>, id: Id<id::Refund>) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let mut refund = rows::lock(&mut tx, id).await?.ok_or(Error::not_found())?;
    demand_approver(&mut tx, officer, &refund, Day::of(now)).await?;
    let before = rows::approvers(&mut tx, id).await?;
    let bounds = Bounds {
        one_approver_max: Money::vnd(app.limits.refund_one_approver_vnd_max),
        day_max: Money::vnd(app.limits.refund_day_vnd_max),
    };
    // One after another: of two that fit into the day each by itself, the later one sees the earlier one.
    tx.lock(lock_name(Id::from_uuid(refund.agency.uuid()), "refunds")).await?;
    let today = rows::approved_since(&mut tx, refund.agency, Day::of(now).start()).await?;
    let by = refund.requested_by;
    let approval = refund::approve(&refund.state, refund.amount, by, &before, officer, (bounds, today));
    let approval = approval.map_err(refused)?;
    rows::insert_approval(&mut tx, id, officer, now).await?;
    let sealing = agency_key(app, &mut tx, refund.agency).await?;
    match approval {
        Approval::First => {
            let concern =
                audit_leaf::Concern { citizen: None, agency: Some(refund.agency), object: id.uuid() };
            let details = json!({ "refund": id.to_string(), "by": officer.to_string() });
            let leaf = audit_leaf::leaf(app, now, "refund.approved_once", concern, &sealing, &details);
            audit::append(&mut tx, &[leaf]).await?;
        }
        Approval::Complete => decide(app, &mut tx, &mut refund, &sealing, now).await?,
    }
    let lines = refund_line::of_refund(&mut tx, id).await?;
    let approvers = rows::approvers(&mut tx, id).await?;
    tx.commit().await?;
    if refund.state == State::Approved {
        send_refund(app, id).await?;
    }
    Ok(refund_json(&refund, &lines, &approvers))
}

/// Declines a refund; what it had counted is free again.
pub async fn decline_refund(app: &App, officer: Id<Citizen>, id: Id<id::Refund>) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let mut refund = rows::lock(&mut tx, id).await?.ok_or(Error::not_found())?;
    demand_approver(&mut tx, officer, &refund, Day::of(now)).await?;
    let to = State::Declined { at: now };
    if refund.state != State::Requested || !rows::decide(&mut tx, &refund, &to, None, now).await? {
        return Err(refused(refund::Refusal::AlreadyDecided));
    }
    rows::release(&mut tx, &refund).await?;
    refund_line::release(&mut tx, id).await?;
    if refund.reason == refund::Reason::Recalled {
        recall::refund_declined(&mut tx, id).await?;
    }
    refund.state = to;
    let sealing = agency_key(app, &mut tx, refund.agency).await?;
    record(app, &mut tx, &refund, "refund.declined", &sealing, now).await?;
    let lines = refund_line::of_refund(&mut tx, id).await?;
    tx.commit().await?;
    Ok(refund_json(&refund, &lines, &[]))
}

/// Sends a refund that the payer's bank did not take to a desk: the one other way to whoever paid. An officer who signed
/// in by a code alone redirects nothing, and the payer is told.
pub async fn redirect_refund(app: &App, officer: &Session, id: Id<id::Refund>) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let mut refund = rows::lock(&mut tx, id).await?.ok_or(Error::not_found())?;
    officer::demand(&mut tx, officer.citizen, refund.agency, Role::Accountant, Day::of(now)).await?;
    danger::demand(officer, Danger::RedirectRefund, now)?;
    if !matches!(refund.state, State::Bounced { .. })
        || !rows::move_refund(&mut tx, &refund, &State::AtDesk, None).await?
    {
        return Err(refused(refund::Refusal::AlreadyDecided));
    }
    refund.state = State::AtDesk;
    refund.way = Way::Cash;
    let sealing = agency_key(app, &mut tx, refund.agency).await?;
    record(app, &mut tx, &refund, "refund.at_desk", &sealing, now).await?;
    tell_payer(app, &mut tx, &refund, now).await?;
    tx.commit().await?;
    Ok(())
}

/// Whoever paid while signed in, or whose bill it is, is told that the money waits elsewhere. Of others nobody knows.
async fn tell_payer(app: &App, tx: &mut Tx, refund: &StoredRefund, now: Instant) -> Result<()> {
    let payer = match refund.source {
        Source::Payment(payment) => principal::payer(tx, payment).await?,
        Source::Case(_) => None,
    };
    let bills: Vec<_> = refund.bill.into_iter().collect();
    let owner = principal::bill_citizens(tx, &bills).await?.pop().map(|(_, owner)| owner.citizen);
    let Some(citizen) = payer.or(owner) else { return Ok(()) };
    let Some(holder) = population::look_up_citizen(app, tx, citizen).await?.on_record else { return Ok(()) };
    let agency = principal::agency_names(tx, &[refund.agency]).await?.pop().map(|(_, vi, _)| vi);
    let details = json!({ "agency": agency });
    let told = Told { what: What::RefundRedirected, details, way: None, quiet: false };
    notify(app, tx, &holder, told, now).await
}

/// An approver of another agency sees no such refund.
async fn demand_approver(tx: &mut Tx, officer: Id<Citizen>, refund: &StoredRefund, today: Day) -> Result<()> {
    officer::demand(tx, officer, refund.agency, Role::Approver, today).await
}

/// The decision: what belonged to the beneficiaries, or waited, is owed to the payer from now on.
pub(super) async fn decide(
    app: &App,
    tx: &mut Tx,
    refund: &mut StoredRefund,
    sealing: &DataKey,
    now: Instant,
) -> Result<()> {
    let to = refund::decided(refund.way);
    let leaf: Id<Leaf> = Id::new(now, &*app.entropy);
    let owed = match (refund.source, refund.way) {
        // It has left our books with the remittance: the Treasury's own books say what it owes.
        (_, Way::Treasury) => None,
        (Source::Payment(_), _) => {
            let parts = parts(tx, refund).await?;
            let entry = ledger::refund_owed(refund.agency, &parts).map_err(Error::internal)?;
            Some((EntryKind::RefundOwed, refund.id.uuid(), entry))
        }
        (Source::Case(case), _) => {
            let waiting = debit::lock_waiting(tx, case).await?.ok_or(Error::not_found())?;
            demand_unused(tx, case, &waiting).await?;
            let owed = Account::RefundDue(refund.agency);
            let entry = ledger::moved(owed, Account::Suspense(waiting.key.0), waiting.amount);
            waiting.held.then_some((EntryKind::Released, case.uuid(), entry.map_err(Error::internal)?))
        }
    };
    let entry: Option<Id<id::Entry>> = owed.is_some().then(|| Id::new(now, &*app.entropy));
    if !rows::decide(tx, refund, &to, entry, now).await? {
        return Err(refused(refund::Refusal::AlreadyDecided));
    }
    if let (Some((kind, subject, owed)), Some(id)) = (owed, entry) {
        if let Source::Case(case) = refund.source {
            debit::release(tx, case).await?;
        }
        let accounts: Vec<Account> = owed.postings().iter().map(|posting| posting.account).collect();
        let numbers = account::open_numbers(tx, &accounts).await?;
        books::append(tx, &[NewEntry { id, kind, subject, leaf, entry: owed }], &numbers, now).await?;
    }
    if refund.reason == refund::Reason::Recalled {
        recall::refund_approved(tx, refund.id, now).await?;
    }
    refund.state = to;
    refund.decided_at = Some(now);
    refund.entry = entry;
    let concern =
        audit_leaf::Concern { citizen: None, agency: Some(refund.agency), object: refund.id.uuid() };
    let details = json!({
        "refund": refund.id.to_string(),
        "amount": refund.amount.decimal(),
        "reason": refund.reason.as_str(),
        "legal_basis": refund.reason.legal_basis(),
        "entry": entry.map(|id| id.to_string()),
    });
    let decided = audit_leaf::leaf_named(app, (leaf, now), "refund.decided", concern, sealing, &details);
    audit::append(tx, &[decided]).await?;
    record(app, tx, refund, "refund.approved", sealing, now).await
}

/// What each beneficiary gives back.
pub(super) async fn parts(tx: &mut Tx, refund: &StoredRefund) -> Result<Vec<Part>> {
    let bill = refund.bill.ok_or(Error::internal("a refund of a payment without its bill"))?;
    let stored = match refund.source {
        Source::Payment(payment) => versions::as_paid(tx, payment, bill).await?,
        Source::Case(_) => bills::bill(tx, bill).await?,
    };
    let stored = stored.ok_or(Error::internal("a refund without its bill"))?;
    let mut parts: Vec<Part> = Vec::new();
    for (at, Back { amount, kept: retained }) in refund_line::of_refund(tx, refund.id).await? {
        let place = usize::try_from(at).map_err(Error::internal)?;
        let line = stored.bill.lines.as_slice().get(place).ok_or(Error::internal("a line that is gone"))?;
        let agency = line.beneficiary.agency.unwrap_or(stored.bill.agency);
        match parts.iter_mut().find(|part| (part.agency, part.kind) == (agency, line.kind)) {
            Some(part) => {
                part.amount = part.amount.plus(amount).map_err(Error::internal)?;
                part.retained = part.retained.plus(retained).map_err(Error::internal)?;
            }
            None => parts.push(Part { agency, kind: line.kind, amount, retained }),
        }
    }
    Ok(parts)
}
