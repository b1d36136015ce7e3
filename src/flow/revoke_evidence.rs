//! What reductions rested on, and what happens when it turns out to be wrong: a new bill for the difference. The bill
//! that was reduced and its receipts stay as they are.

use super::{
    Error, Result,
    agency_key::agency_key,
    audit_leaf,
    bill_answer::open_kept,
    checkout::demand_bill,
    create_bill,
    difference::{Difference, issue_difference},
    idempotency::Idempotency,
    inherit::demand_standing,
    officer, open_account, read_bills,
    split_bill::account_of_line,
};
use crate::{
    app::App,
    base::{
        calendar::{Day, rfc3339},
        clock::Instant,
        id::{Account, Agency, Bill, Citizen, Evidence, Id, Payment},
        text::Line,
    },
    crypto::seal::DataKey,
    identity::role::Role,
    payment::{
        bill::{self, Beneficiary, BillLine, Lines, State},
        charged_anew::is_same,
        fee::FeeKind,
    },
    store::{
        Tx, audit, bill as rows,
        bill::StoredBill,
        bill_version as versions,
        fee_evidence::{self, StoredEvidence},
        refund_line, tariff,
    },
};
use serde_json::{Value, json};

/// What the reductions of a bill rest on.
pub async fn read_evidence(app: &App, agency: Id<Agency>, bill: Id<Bill>) -> Result<Value> {
    let mut tx = app.store.begin().await?;
    demand_bill(&mut tx, agency, bill).await?;
    let found = fee_evidence::of_bill(&mut tx, bill).await?;
    Ok(json!({ "items": found.iter().map(evidence_json).collect::<Vec<_>>() }))
}

/// Why evidence does not hold, and until when the difference is to be paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// Who found out.
    pub officer: Id<Citizen>,
    /// Why.
    pub reason: Line<500>,
    /// The last day of payment of the difference.
    pub due: Day,
}

/// Revokes evidence; the answer is the evidence and the bill for the difference.
pub async fn revoke_evidence(
    app: &App,
    agency: Id<Agency>,
    id: Id<Evidence>,
    revocation: &Revocation,
    key: &Idempotency,
) -> Result<Value> {
    let now = app.clock.now();
    let today = Day::of(now);
    let mut tx = app.store.begin().await?;
    let sealing = agency_key(app, &mut tx, agency).await?;
    if let Some(answer) = key.claim_sealed(&mut tx, &sealing).await? {
        return Ok(answer);
    }
    // The bill before its evidence, as whoever charges it anew locks them.
    let (of, whose) = fee_evidence::bill_of(&mut tx, id).await?.ok_or(Error::not_found())?;
    rows::lock_bill(&mut tx, of).await?.ok_or(Error::not_found())?;
    let reduced = rows::bill(&mut tx, of).await?.ok_or(Error::not_found())?;
    demand_standing(&mut tx, agency, whose, Some(reduced.procedure.code.as_str())).await?;
    let mut evidence = fee_evidence::lock(&mut tx, whose, id).await?.ok_or(Error::not_found())?;
    if evidence.revoked.is_some() {
        return Err(Error::conflict("evidence_revoked"));
    }
    officer::demand(&mut tx, revocation.officer, agency, Role::Accountant, today).await?;
    bill::check_due(revocation.due, today).map_err(create_bill::refused)?;
    demand_owed(&mut tx, &reduced).await?;
    let line =
        reduced.bill.lines.as_slice().get(evidence.line).ok_or(Error::internal("evidence of no line"))?;
    demand_kept(&mut tx, &reduced, line).await?;
    let before = agency_key(app, &mut tx, reduced.bill.agency).await?;
    let schedule = tariff::version(&app.store, &mut tx, reduced.schedule).await?;
    let retained = match line.kind {
        FeeKind::Phi => schedule
            .item(&line.fee, filed_on(&before, &reduced)?)
            .ok()
            .and_then(|item| evidence.saving.share(item.retained).ok())
            .unwrap_or(crate::base::money::Money::vnd(0)),
        FeeKind::LePhi | FeeKind::Tax | FeeKind::Service => crate::base::money::Money::vnd(0),
    };
    let (account, beneficiary) = goes_to(app, &mut tx, (&reduced, line), agency, now).await?;
    let difference =
        BillLine { gross: line.gross, amount: evidence.saving, retained, beneficiary, ..line.clone() };
    let lines = Lines::new(vec![difference]).map_err(create_bill::refused)?;
    let trace = vec![Value::Array(vec![json!({
        "step": "difference",
        "adjustment": evidence.adjustment,
        "of": reduced.bill.id.to_string(),
        "saving": super::explain::money(evidence.saving),
        "text": super::explain::difference_text(&evidence.adjustment, evidence.saving, &reduced.bill.reference.to_string()),
    })])];
    let asked = Difference { agency, account, client: key.client, lines, trace, due: revocation.due };
    let stored = issue_difference(app, &mut tx, &reduced, asked, (&before, &sealing), now).await?;
    let issued = stored.bill.id;
    let place = [b"evidence.reason".as_slice(), id.uuid().as_bytes()].concat();
    let reason = sealing.seal(&*app.entropy, &place, revocation.reason.as_str().as_bytes());
    if !fee_evidence::revoke(&mut tx, (id, agency), revocation.officer, &reason, issued, now).await? {
        return Err(Error::internal("evidence moved under its lock"));
    }
    evidence.revoked = Some((now, issued));
    let details = json!({
        "evidence": id.to_string(), "bill": evidence.bill.to_string(), "difference": issued.to_string(),
        "amount": evidence.saving.decimal(), "by": revocation.officer.to_string(),
    });
    let concern = audit_leaf::Concern { citizen: None, agency: Some(agency), object: issued.uuid() };
    let leaf = audit_leaf::leaf(app, now, "evidence.revoked", concern, &sealing, &details);
    audit::append(&mut tx, &[leaf]).await?;
    let answer = json!({
        "evidence": evidence_json(&evidence),
        "bill": read_bills::open(app, &sealing, &stored, stored.bill.payable_until, today)?,
    });
    key.keep_sealed(&mut tx, (&sealing, &*app.entropy), issued.uuid(), &answer, now).await?;
    tx.commit().await?;
    Ok(answer)
}

/// The day by which the fees of a bill were chosen; the day of its issue, where what it was computed from is gone.
fn filed_on(key: &DataKey, of: &StoredBill) -> Result<Day> {
    let kept = open_kept(key, of.bill.id, &of.trace)?.and_then(|kept| kept.read());
    Ok(kept.map_or_else(|| Day::of(of.bill.issued_at), |(_, circumstances)| circumstances.dates.submission))
}

/// Where a difference is collected, and whose it is: the line's own money's way, or a successor's own where its agency was.
async fn goes_to(
    app: &App,
    tx: &mut Tx,
    (reduced, line): (&StoredBill, &BillLine),
    agency: Id<Agency>,
    now: Instant,
) -> Result<(Id<Account>, Beneficiary)> {
    let own = line.beneficiary.agency.is_none_or(|owner| owner == reduced.bill.agency);
    if agency == reduced.bill.agency || !own {
        let account = account_of_line(tx, reduced.bill.id, line).await?.unwrap_or(reduced.account);
        return Ok((account, line.beneficiary.clone()));
    }
    let standing = open_account::standing(app, tx, (&[agency], &[]), now).await?;
    let account = standing.collecting.get(&agency).map(|account| account.id);
    let beneficiary = standing.beneficiaries.get(&(agency, line.kind)).cloned();
    account.zip(beneficiary).ok_or(Error::refused("agency_account_missing"))
}

/// Of what is not owed no difference is: the bill stands, or its parts stand for it.
async fn demand_owed(tx: &mut Tx, reduced: &StoredBill) -> Result<()> {
    let refusal = match reduced.state {
        State::Open | State::Paid { .. } => return Ok(()),
        State::Cancelled { .. } => bill::Refusal::AlreadyCancelled,
        State::Superseded { .. } => {
            let links = versions::links(tx, reduced.bill.id).await?;
            if links.iter().all(|(relation, _, later)| relation != "replaces" || !later) {
                return Ok(());
            }
            bill::Refusal::AlreadySuperseded
        }
    };
    Err(create_bill::refused(refusal))
}

/// Of a line whose money goes back as a whole nothing more is owed: of the bill, or of the parts that stand for it.
async fn demand_kept(tx: &mut Tx, reduced: &StoredBill, line: &BillLine) -> Result<()> {
    let mut paid = vec![reduced.clone()];
    let links = versions::links(tx, reduced.bill.id).await?;
    let parts =
        links.iter().filter(|(relation, _, later)| *later && matches!(&**relation, "part" | "instalment"));
    let parts: Vec<Id<Bill>> = parts.map(|link| link.1).collect();
    if !parts.is_empty() {
        paid.extend(rows::bills(tx, &parts).await?);
    }
    let payment = |bill: &StoredBill| match bill.state {
        State::Paid { payment, .. } => Some(payment),
        State::Open | State::Cancelled { .. } | State::Superseded { .. } => None,
    };
    let payments: Vec<Id<Payment>> = paid.iter().filter_map(payment).collect();
    let gone = refund_line::back_of(tx, &payments).await?;
    let (mut asked, mut back) = (0_i64, 0_i64);
    for bill in paid.iter().filter(|bill| matches!(bill.state, State::Open | State::Paid { .. })) {
        for (place, one) in (0_i16..).zip(bill.bill.lines.as_slice()).filter(|(_, one)| is_same(one, line)) {
            let went = payment(bill).and_then(|payment| gone.get(&(payment, place)));
            asked = asked.saturating_add(one.amount.minor());
            back = back.saturating_add(went.map_or(0, |back| back.amount.minor()));
        }
    }
    if back > 0 && back >= asked { Err(Error::conflict("line_went_back")) } else { Ok(()) }
}

fn evidence_json(evidence: &StoredEvidence) -> Value {
    json!({
        "id": evidence.id.to_string(),
        "bill": evidence.bill.to_string(),
        "line": evidence.line,
        "adjustment": evidence.adjustment,
        "whose_fact": evidence.whose,
        "condition": evidence.condition,
        "governing_date": evidence.governing.0,
        "on": evidence.governing.1.to_string(),
        "verification": evidence.verification.to_string(),
        "saving": super::explain::money(evidence.saving),
        "granted_at": rfc3339(evidence.at),
        "revoked_at": evidence.revoked.map(|revoked| rfc3339(revoked.0)),
        "difference": evidence.revoked.map(|revoked| revoked.1.to_string()),
    })
}
