//! Issues bills: many callers' drafts, one transaction, an answer for each.

use super::{
    Error, Refusal, Result, audit_leaf,
    bill_answer::{self, OpenBill},
    idempotency::lock_name,
    open_account, read_bills,
};
use crate::{
    app::App,
    base::{
        calendar::Day,
        clock::Instant,
        id::{self, Agency, Client, Id},
        reference::Reference,
    },
    crypto::{digest::equal, seal::DataKey},
    payment::{
        bill::{self, Beneficiary, Bill, BillLine, Lines, State},
        fee::{self, ChargedLine, FeeKind, Schedule},
        issue::{Draft, Outcome},
    },
    store::{
        self, Tx, account,
        account::CollectingAccount,
        agency,
        audit::{self, NewLeaf},
        bill::StoredBill,
        fee as tariff,
        idempotency::{self, NewClaim},
    },
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Issues one bill through the shared writer. The answer is the bill's JSON, the same for the same key and body.
pub async fn create_bill(app: &App, draft: Draft) -> Result<String> {
    match app.batches.bills.submit(draft).await? {
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
    let mut tx = app.store.begin().await?;
    let claims = claim(&mut tx, &drafts).await?;
    let fresh: Vec<&Draft> =
        drafts.iter().zip(&claims).filter(|(_, c)| matches!(c, Claim::Fresh)).map(|(d, _)| d).collect();
    let before = issued_before(app, &mut tx, &claims).await?;
    let ground = Ground::read(app, &mut tx, &fresh, now).await?;
    let mut prepared = Vec::new();
    let mut places: Vec<std::result::Result<usize, Outcome>> = Vec::with_capacity(drafts.len());
    for (draft, claim) in drafts.iter().zip(claims) {
        places.push(match claim {
            Claim::Done(outcome) => Err(outcome),
            Claim::Before(bill) => Err(replayed(&before, bill)?),
            Claim::SameAs(earlier) => places[earlier].clone(),
            Claim::Fresh => ground.prepare(app, draft, now).map(|bill| {
                prepared.push(bill);
                prepared.len() - 1
            }),
        });
    }
    let answers = write(&mut tx, prepared, now).await?;
    tx.commit().await?;
    let answer = |place: std::result::Result<usize, Outcome>| match place {
        Ok(index) => Outcome::Issued(answers[index].clone()),
        Err(outcome) => outcome,
    };
    Ok(places.into_iter().map(answer).collect())
}

/// What a draft's key says.
enum Claim {
    /// It is new.
    Fresh,
    /// It stands earlier in this batch with the same content.
    SameAs(usize),
    /// It has issued this bill before.
    Before(Id<id::Bill>),
    /// It is answered already.
    Done(Outcome),
}

async fn claim(tx: &mut Tx, drafts: &[Draft]) -> Result<Vec<Claim>> {
    let names: Vec<i64> = drafts.iter().map(|d| lock_name(d.client, &d.key.0)).collect();
    let keys: Vec<(Id<Client>, &str)> = drafts.iter().map(|d| (d.client, d.key.0.as_str())).collect();
    let held = idempotency::try_locks(tx, &names).await?;
    let before = idempotency::find_all(tx, &keys).await?;
    let mut first: BTreeMap<(Id<Client>, &str), usize> = BTreeMap::new();
    let mut claims = Vec::with_capacity(drafts.len());
    for (i, draft) in drafts.iter().enumerate() {
        let digest = &draft.key.1;
        claims.push(if let Some(claimed) = before.get(&(draft.client, draft.key.0.clone())) {
            let object: Id<id::Bill> = Id::from_uuid(claimed.object);
            if equal(&claimed.digest, digest) {
                Claim::Before(object)
            } else {
                Claim::Done(Outcome::KeyReused(object.to_string()))
            }
        } else if !held[i] {
            Claim::Done(Outcome::InProgress)
        } else if let Some(&earlier) = first.get(&keys[i]) {
            if equal(&drafts[earlier].key.1, digest) {
                Claim::SameAs(earlier)
            } else {
                // Which object the first will make is not certain yet: come again.
                Claim::Done(Outcome::InProgress)
            }
        } else {
            first.insert(keys[i], i);
            Claim::Fresh
        });
    }
    Ok(claims)
}

/// The bills that were issued before under keys of this batch, each as it was answered then. What a bill says never
/// changes, so the key keeps no copy of it, which would hold names in the clear.
async fn issued_before(app: &App, tx: &mut Tx, claims: &[Claim]) -> Result<BTreeMap<Id<id::Bill>, String>> {
    let ids: Vec<Id<id::Bill>> =
        claims.iter().filter_map(|c| if let Claim::Before(bill) = c { Some(*bill) } else { None }).collect();
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut bills = store::bill::bills(tx, &ids).await?;
    let agencies: BTreeSet<Id<Agency>> = bills.iter().map(|b| b.bill.agency).collect();
    let keys = agency_keys(app, tx, &agencies.into_iter().collect::<Vec<_>>()).await?;
    let mut answers = BTreeMap::new();
    for stored in &mut bills {
        stored.state = State::Open;
        let key = keys.get(&stored.bill.agency).ok_or_else(|| Error::internal(stored.bill.agency))?;
        let answer = read_bills::open(app, key, stored, stored.bill.due, Day::of(stored.bill.issued_at))?;
        answers.insert(stored.bill.id, answer.to_string());
    }
    Ok(answers)
}

fn replayed(before: &BTreeMap<Id<id::Bill>, String>, bill: Id<id::Bill>) -> Result<Outcome> {
    let answer = before.get(&bill).ok_or_else(|| Error::internal(bill))?;
    Ok(Outcome::Replayed(answer.clone()))
}

async fn agency_keys(
    app: &App,
    tx: &mut Tx,
    agencies: &[Id<Agency>],
) -> Result<BTreeMap<Id<Agency>, DataKey>> {
    let mut keys = BTreeMap::new();
    for row in agency::find_all(tx, agencies).await? {
        keys.insert(row.id, app.keys.data_key(&row.key, row.id.uuid().as_bytes())?);
    }
    Ok(keys)
}

/// What the drafts of a batch are decided by.
struct Ground {
    schedule: Option<(Id<id::Schedule>, Schedule)>,
    keys: BTreeMap<Id<Agency>, DataKey>,
    collecting: BTreeMap<Id<Agency>, CollectingAccount>,
    beneficiaries: BTreeMap<(Id<Agency>, FeeKind), Beneficiary>,
}

impl Ground {
    async fn read(app: &App, tx: &mut Tx, drafts: &[&Draft], now: Instant) -> Result<Self> {
        let agencies: Vec<Id<Agency>> =
            drafts.iter().map(|d| d.agency).collect::<BTreeSet<_>>().into_iter().collect();
        let fees: Vec<_> = drafts
            .iter()
            .flat_map(|d| d.asked.iter().map(|a| a.fee.clone()))
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        let schedule = match tariff::latest_schedule(tx).await? {
            Some(id) => Some((id, tariff::schedule_for(tx, id, &fees).await?)),
            None => None,
        };
        let keys = agency_keys(app, tx, &agencies).await?;
        let beneficiaries = account::beneficiaries(tx, &agencies).await?;
        let collecting = open_account::collecting(app, tx, &agencies, &beneficiaries, now).await?;
        Ok(Self { schedule, keys, collecting, beneficiaries })
    }

    fn prepare(&self, app: &App, draft: &Draft, now: Instant) -> std::result::Result<Prepared, Outcome> {
        let unready = || Outcome::Refused(bill::Refusal::NoAccount);
        let (schedule_id, schedule) = self.schedule.as_ref().ok_or_else(|| no_schedule(draft))?;
        let charged = fee::charge(schedule, &draft.procedure, &draft.asked, &draft.circumstances)
            .map_err(Outcome::Fees)?;
        bill::check_due(draft.due, Day::of(now)).map_err(Outcome::Refused)?;
        let collecting = self.collecting.get(&draft.agency).ok_or_else(unready)?;
        let key = self.keys.get(&draft.agency).ok_or_else(unready)?;
        let lines = charged.iter().map(|line| self.line(draft.agency, line)).collect::<Option<_>>();
        let lines = Lines::new(lines.ok_or_else(unready)?).map_err(Outcome::Refused)?;
        let procedure = charged.first().map(|line| line.item.procedure.clone()).ok_or_else(unready)?;
        let trace: Vec<Value> = charged.iter().map(|line| bill_answer::trace_json(&line.trace)).collect();
        let bill = Bill {
            id: Id::new(now, &*app.entropy),
            agency: draft.agency,
            reference: Reference::new(&*app.entropy),
            dossier: draft.dossier.clone(),
            procedure: draft.procedure.clone(),
            lines,
            due: draft.due,
            issued_at: now,
        };
        let stored = StoredBill {
            state: State::Open,
            account: collecting.id,
            client: draft.client,
            schedule: *schedule_id,
            procedure,
            parties: bill_answer::seal_parties(app, key, bill.id, &draft.parties),
            trace: bill_answer::seal_trace(app, key, bill.id, &trace),
            bill,
        };
        Ok(Prepared::new(app, draft, stored, &trace, key))
    }

    fn line(&self, agency: Id<Agency>, charged: &ChargedLine) -> Option<BillLine> {
        Some(BillLine {
            fee: charged.item.code.clone(),
            kind: charged.item.kind,
            name: charged.item.name.clone(),
            count: charged.count,
            gross: charged.gross,
            amount: charged.amount,
            retained: charged.retained()?,
            legal_basis: charged.item.legal_basis.clone(),
            beneficiary: self.beneficiaries.get(&(agency, charged.item.kind))?.clone(),
        })
    }
}

struct Prepared {
    verification: Option<Id<id::Verification>>,
    stored: StoredBill,
    answer: String,
    leaf: NewLeaf,
    key: (String, crate::crypto::digest::Digest),
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
            pay_until: bill.due,
        };
        let answer = bill_answer::bill_json(app, &open, Day::of(now)).to_string();
        Self { verification: draft.applicant, answer, leaf, key: draft.key.clone(), stored }
    }
}

async fn write(tx: &mut Tx, prepared: Vec<Prepared>, now: Instant) -> Result<Vec<String>> {
    let (mut bills, mut leaves, mut keys, mut answers) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut verified = Vec::new();
    for one in prepared {
        verified.extend(one.verification.map(|verification| (one.stored.bill.id, verification)));
        keys.push((one.key, one.stored.client, one.stored.bill.id));
        answers.push(one.answer);
        bills.push(one.stored);
        leaves.push(one.leaf);
    }
    if bills.is_empty() {
        return Ok(Vec::new());
    }
    let nothing = Value::Null;
    let claims: Vec<NewClaim<'_>> = keys
        .iter()
        .map(|((key, digest), client, bill)| NewClaim {
            client: *client,
            key,
            digest: *digest,
            object: bill.uuid(),
            answer: &nothing,
            at: now,
        })
        .collect();
    idempotency::keep_all(tx, &claims).await?;
    store::bill::insert_bills(tx, &bills).await?;
    store::principal::note_bills(tx, &verified).await?;
    audit::append(tx, &leaves).await?;
    Ok(answers)
}

/// Without any schedule no fee is known.
fn no_schedule(draft: &Draft) -> Outcome {
    let unknown = |(index, _)| fee::RefusedAt { index, refusal: fee::Refusal::UnknownFee };
    Outcome::Fees(draft.asked.iter().enumerate().map(unknown).collect())
}

/// A bill's refusal, by what the caller can do.
pub(super) fn refused(refusal: bill::Refusal) -> Error {
    match refusal {
        bill::Refusal::AlreadyPaid | bill::Refusal::AlreadyCancelled | bill::Refusal::PaymentUnderWay => {
            Error::conflict(refusal.code())
        }
        bill::Refusal::LineCount
        | bill::Refusal::NegativeLine
        | bill::Refusal::NothingToPay
        | bill::Refusal::TotalTooLarge
        | bill::Refusal::DueInThePast
        | bill::Refusal::DueTooFar
        | bill::Refusal::NoAccount
        | bill::Refusal::PastDue => Error::refused(refusal.code()),
    }
}
