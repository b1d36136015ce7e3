//! Issues bills: many callers' drafts, one transaction, an answer for each.

use super::{
    Error, Refusal, Result,
    agency_key::agency_keys,
    audit_leaf,
    bill_answer::{self, OpenBill},
    circumstances::Kept,
    claimed_drafts::{ClaimedDrafts, outcomes},
    explain, open_account, read_bills,
};
use crate::{
    app::App,
    base::{
        calendar::Day,
        clock::Instant,
        id::{self, Agency, Id},
        reference::Reference,
    },
    crypto::seal::DataKey,
    payment::{
        bill::{self, Beneficiary, Bill, BillLine, Lines, State},
        exemption::{Condition, Whose},
        fee::{self, ChargedLine, Step, Verdict},
        issue::{Draft, Grounds, Outcome},
        ledger::Account,
    },
    store::{
        self, Tx, account,
        account::Standing,
        audit::{self, NewLeaf},
        bill::StoredBill,
        fee_evidence::{self, StoredEvidence},
        regular::Regular,
        tariff::{self, Version},
    },
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Issues one bill through the shared writer. The answer is the bill's JSON, the same for the same key and body.
pub async fn create_bill(app: &App, draft: Draft) -> Result<String> {
    answered(app.batches.bills.submit(draft).await?)
}

/// The answer, or why there is none.
pub(super) fn answered(outcome: Outcome) -> Result<String> {
    match outcome {
        Outcome::Issued(answer) | Outcome::Replayed(answer) => Ok(answer),
        Outcome::KeyReused(object) => {
            Err(Error::Conflict(Refusal::new("idempotency_key_reused").about(object)))
        }
        Outcome::InProgress => Err(Error::Unavailable(Refusal::new("request_in_progress"))),
        Outcome::Refused(refusal) => Err(refused(refusal)),
        Outcome::Fees(refused) => Err(super::quote_fees::refuse(&refused)),
    }
}

/// Issues drafts in the order of arrival, and answers each. A draft that is refused writes nothing.
pub async fn create_all(app: &App, drafts: Vec<Draft>) -> Result<Vec<Outcome>> {
    let now = app.clock.now();
    let mut tx = app.store.begin_as(Regular::Bills).await?;
    let claimed = ClaimedDrafts::claim(app, &mut tx, &drafts, now).await?;
    let before = issued_before(app, &mut tx, &claimed.known()).await?;
    let ground = Ground::read(app, &mut tx, &claimed.fresh(), now).await?;
    let (prepared, places) = claimed.prepare(app, &ground, &before, |_| Ok(()), now)?;
    claimed.give_back(&mut tx, &places).await?;
    let answers = write(&mut tx, prepared).await?;
    tx.commit().await?;
    Ok(outcomes(places, &answers))
}

/// The bills that were issued before under keys of this batch, each as it was answered then. What a bill says never
/// changes, so the key keeps no copy of it, which would hold names in the clear.
async fn issued_before(
    app: &App,
    tx: &mut Tx,
    ids: &[Id<id::Bill>],
) -> Result<BTreeMap<Id<id::Bill>, String>> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let bills = as_issued(tx, ids).await?;
    let keys = agency_keys(app, tx, bills.iter().map(|b| b.bill.agency)).await?;
    let mut answers = BTreeMap::new();
    for stored in &bills {
        let key = keys.get(&stored.bill.agency).ok_or_else(|| Error::internal(stored.bill.agency))?;
        let answer =
            read_bills::open(app, key, stored, stored.bill.payable_until, Day::of(stored.bill.issued_at))?;
        answers.insert(stored.bill.id, answer.to_string());
    }
    Ok(answers)
}

/// Bills as they were issued: a later amendment is no part of the answer then.
pub(super) async fn as_issued(tx: &mut Tx, ids: &[Id<id::Bill>]) -> Result<Vec<StoredBill>> {
    let mut bills = store::bill::bills(tx, ids).await?;
    let first = store::bill_version::first_versions(tx, ids).await?;
    for stored in &mut bills {
        if let Some(first) = first.get(&stored.bill.id) {
            first.restore(stored);
        }
        stored.state = State::Open;
    }
    Ok(bills)
}

/// What the drafts of a batch are decided by.
pub(super) struct Ground {
    schedule: Option<Version>,
    keys: BTreeMap<Id<Agency>, DataKey>,
    standing: Standing,
}

impl Ground {
    pub(super) async fn read(app: &App, tx: &mut Tx, drafts: &[&Draft], now: Instant) -> Result<Self> {
        let agencies: Vec<Id<Agency>> =
            drafts.iter().map(|d| d.agency).collect::<BTreeSet<_>>().into_iter().collect();
        let schedule = tariff::in_force(&app.store, tx, Day::of(now)).await?;
        let keys = agency_keys(app, tx, agencies.iter().copied()).await?;
        let foreign: Vec<_> = drafts.iter().flat_map(|draft| draft.owners.values().copied()).collect();
        if !foreign.is_empty() {
            let books: Vec<_> = foreign.iter().flat_map(|agency| Account::of_agency(*agency)).collect();
            account::open_ledger_accounts(tx, &books).await?;
        }
        let standing = open_account::standing(app, tx, (&agencies, &foreign), now).await?;
        Ok(Self { schedule, keys, standing })
    }

    /// The keys of the agencies that ask.
    pub(super) const fn keys(&self) -> &BTreeMap<Id<Agency>, DataKey> {
        &self.keys
    }

    /// The version of the schedule in force.
    pub(super) const fn schedule(&self) -> Option<&Version> {
        self.schedule.as_ref()
    }

    pub(super) fn prepare(
        &self,
        app: &App,
        draft: &Draft,
        id: Id<id::Bill>,
        now: Instant,
    ) -> std::result::Result<Prepared, Outcome> {
        let unready = || Outcome::Refused(bill::Refusal::NoAccount);
        let schedule = self.schedule.as_ref().ok_or_else(|| no_schedule(draft))?;
        let charged = fee::charge(schedule, &draft.procedure, &draft.asked, &draft.circumstances)
            .map_err(Outcome::Fees)?;
        bill::check_due(draft.due, Day::of(now)).map_err(Outcome::Refused)?;
        if let Some(until) = draft.payable_until {
            bill::check_until(until, draft.due).map_err(Outcome::Refused)?;
        }
        let collecting = self.standing.collecting.get(&draft.agency).ok_or_else(unready)?;
        let key = self.keys.get(&draft.agency).ok_or_else(unready)?;
        let (lines, trace) = self.lines(draft, &charged)?;
        let of_fees = charged.first().map(|line| &line.item.procedure);
        let procedure =
            of_fees.or_else(|| schedule.procedure(&draft.procedure)).ok_or_else(|| no_schedule(draft))?;
        let bill = Bill {
            id,
            agency: draft.agency,
            reference: Reference::new(&*app.entropy),
            dossier: draft.dossier.clone(),
            procedure: draft.procedure.clone(),
            lines,
            due: draft.due,
            payable_until: draft.payable_until.unwrap_or(draft.due),
            version: 1,
            issued_at: now,
        };
        let stored = StoredBill {
            state: State::Open,
            account: collecting.id,
            client: draft.client,
            schedule: schedule.id,
            procedure: procedure.clone(),
            parties: bill_answer::seal_parties(app, key, bill.id, &draft.parties),
            trace: bill_answer::seal_trace(
                app,
                key,
                bill.id,
                &trace,
                Some(&Kept::of(&draft.asked, &draft.circumstances, draft.grounds)),
            ),
            bill,
        };
        let evidence = evidence_of(app, (draft.agency, draft.grounds), stored.bill.id, &charged, now);
        Ok(Prepared { evidence, ..Prepared::new(app, draft, stored, &trace, key) })
    }

    /// The lines of a draft, those that an office elsewhere has assessed after those of the schedule, with the trace of
    /// each. Money of several owners is collected together only when the draft says so.
    pub(super) fn lines(
        &self,
        draft: &Draft,
        charged: &[ChargedLine],
    ) -> std::result::Result<(Lines, Vec<Value>), Outcome> {
        let unready = || Outcome::Refused(bill::Refusal::NoAccount);
        let mut lines: Vec<BillLine> =
            charged.iter().map(|line| self.line(draft, line)).collect::<Option<_>>().ok_or_else(unready)?;
        let mut trace: Vec<Value> = charged.iter().map(|line| bill_answer::trace_json(&line.trace)).collect();
        for line in &draft.obligations {
            if let Some(notice) = &line.notice {
                trace.push(json!([explain::notice_json(notice, line.amount)]));
            }
            lines.push(line.clone());
        }
        if lines.len() > bill::LINES_MAX {
            return Err(Outcome::Refused(bill::Refusal::LineCount));
        }
        let owners: BTreeSet<_> = lines.iter().map(|line| bill::Owner::of(line, draft.agency)).collect();
        if owners.len() > 1 && !draft.together {
            return Err(Outcome::Refused(bill::Refusal::SeveralOwners));
        }
        Ok((Lines::new(lines).map_err(Outcome::Refused)?, trace))
    }

    fn line(&self, draft: &Draft, charged: &ChargedLine) -> Option<BillLine> {
        let owner = draft.owners.get(&charged.item.code).copied();
        let agency = owner.unwrap_or(draft.agency);
        let beneficiary = self.standing.beneficiaries.get(&(agency, charged.item.kind))?.clone();
        Some(BillLine {
            fee: charged.item.code.clone(),
            kind: charged.item.kind,
            name: charged.item.name.clone(),
            count: charged.count,
            gross: charged.gross,
            amount: charged.amount,
            retained: charged.retained()?,
            legal_basis: charged.item.legal_basis.clone(),
            beneficiary: Beneficiary { agency: owner.filter(|owner| *owner != draft.agency), ..beneficiary },
            notice: None,
            invoice: None,
        })
    }
}

pub(super) struct Prepared {
    verification: Option<Id<id::Verification>>,
    evidence: Vec<StoredEvidence>,
    pub(super) stored: StoredBill,
    answer: String,
    leaf: NewLeaf,
}

impl Prepared {
    fn new(app: &App, draft: &Draft, stored: StoredBill, trace: &[Value], key: &DataKey) -> Self {
        let bill = &stored.bill;
        let now = bill.issued_at;
        let details = json!({
            "bill": bill.id.to_string(),
            "dossier": bill.dossier.to_string(),
            "total": bill.lines.total().decimal(),
            "due": bill.due.to_string(),
            "schedule": stored.schedule.to_string(),
            "client": draft.client.to_string(),
        });
        let concern =
            audit_leaf::Concern { citizen: None, agency: Some(bill.agency), object: bill.id.uuid() };
        let leaf = audit_leaf::leaf(app, now, "bill.issued", concern, key, &details);
        let open = OpenBill {
            bill,
            state: &stored.state,
            procedure: &stored.procedure,
            parties: &draft.parties,
            trace,
            pay_until: bill.payable_until,
        };
        let answer = bill_answer::bill_json(app, &open, Day::of(now)).to_string();
        Self { verification: draft.grounds.applicant, evidence: Vec::new(), answer, leaf, stored }
    }
}

/// Writes bills, and answers with each as it was issued.
pub(super) async fn write(tx: &mut Tx, prepared: Vec<Prepared>) -> Result<Vec<String>> {
    let (mut bills, mut leaves, mut answers) = (Vec::new(), Vec::new(), Vec::new());
    let (mut verified, mut evidence) = (Vec::new(), Vec::new());
    for one in prepared {
        verified.extend(one.verification.map(|verification| (one.stored.bill.id, verification)));
        evidence.extend(one.evidence);
        answers.push(one.answer);
        bills.push(one.stored);
        leaves.push(one.leaf);
    }
    if bills.is_empty() {
        return Ok(Vec::new());
    }
    store::bill::insert_bills(tx, &bills).await?;
    store::principal::note_bills(tx, &verified).await?;
    if !evidence.is_empty() {
        fee_evidence::insert(tx, &evidence).await?;
    }
    audit::append(tx, &leaves).await?;
    Ok(answers)
}

/// What the granted reductions of a bill rest on, where that is a verified fact: the way of filing is none.
pub(super) fn evidence_of(
    app: &App,
    (agency, grounds): (Id<Agency>, Grounds),
    bill: Id<id::Bill>,
    charged: &[ChargedLine],
    now: Instant,
) -> Vec<StoredEvidence> {
    let steps =
        charged.iter().enumerate().flat_map(|(line, of)| of.trace.iter().map(move |step| (line, step)));
    let kept = steps.filter_map(|(line, step)| match step {
        Step::Reduction {
            adjustment,
            whose,
            condition,
            governing,
            on,
            verdict: Verdict::Granted(saving),
            ..
        } if !matches!(condition, Condition::Channel(_)) && saving.is_positive() => {
            let verification = match whose {
                Whose::Applicant => grounds.applicant,
                Whose::Submitter => grounds.submitter,
            };
            Some(StoredEvidence {
                id: Id::new(now, &*app.entropy),
                agency,
                bill,
                line,
                adjustment: adjustment.to_string(),
                whose: whose.as_str().to_owned(),
                condition: condition.to_string(),
                governing: (governing.as_str().to_owned(), (*on)?),
                verification: verification?,
                saving: *saving,
                at: now,
                revoked: None,
            })
        }
        Step::Reduction { .. } | Step::Tariff { .. } => None,
    });
    kept.collect()
}

/// Without any schedule no fee is known.
fn no_schedule(draft: &Draft) -> Outcome {
    let unknown = |(index, _)| fee::RefusedAt { index, refusal: fee::Refusal::UnknownFee };
    Outcome::Fees(draft.asked.iter().enumerate().map(unknown).collect())
}

/// Why a draft that was prepared alone is refused.
pub(super) fn undone(outcome: Outcome) -> Error {
    match outcome {
        Outcome::Refused(refusal) => refused(refusal),
        Outcome::Fees(fees) => super::quote_fees::refuse(&fees),
        Outcome::Issued(_) | Outcome::Replayed(_) | Outcome::KeyReused(_) | Outcome::InProgress => {
            Error::internal("a draft that was prepared and refused")
        }
    }
}

/// A bill's refusal, by what the caller can do.
pub(super) fn refused(refusal: bill::Refusal) -> Error {
    match refusal {
        bill::Refusal::AlreadyPaid
        | bill::Refusal::AlreadyCancelled
        | bill::Refusal::AlreadySuperseded
        | bill::Refusal::NotCancelled
        | bill::Refusal::OtherWayChosen
        | bill::Refusal::AlreadySplit
        | bill::Refusal::InvoiceKnown
        | bill::Refusal::PaymentUnderWay => Error::conflict(refusal.code()),
        bill::Refusal::LineCount => {
            Error::Refused(Refusal::new(refusal.code()).violation("/lines", "count", None))
        }
        bill::Refusal::NegativeLine
        | bill::Refusal::NothingToPay
        | bill::Refusal::TotalTooLarge
        | bill::Refusal::DueInThePast
        | bill::Refusal::DueTooFar
        | bill::Refusal::NoAccount
        | bill::Refusal::UntilBeforeDue
        | bill::Refusal::SeveralOwners
        | bill::Refusal::PastDue => Error::refused(refusal.code()),
    }
}
