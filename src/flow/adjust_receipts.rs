//! The receipts that take back what a refund gave back: one for each kind of charge, in the same series, each naming
//! the receipt that it adjusts. The leaf of the refund commits to them.
//!
//! Money never waits for them: where no series has a number left, or the receipt that is to be adjusted waits itself, the refund
//! is done and its receipts wait ([`adjustment_due`]); they are issued once both are there, with a leaf of their own. What another
//! issuer made is adjusted by that issuer (`order_adjustment`).

use super::{
    Error, Result,
    agency_key::agency_key,
    audit_leaf::{self, Concern},
    backoff::backoff,
    bill_answer,
    event::event_row,
    issue_due_receipts::PAUSE_MAX,
    issue_receipts::{Adjustment, Issued, SettledBill, issue_receipts},
    order_adjustment::{send_orders, write_orders},
};
use crate::codec::receipt_content::leaf_name;
use crate::{
    app::App,
    base::{
        clock::Instant,
        id::{Agency, Bill, Id, Leaf, Payment, Refund},
        money::Money,
    },
    payment::{
        bill::{BillLine, Lines},
        fee::FeeKind,
    },
    store::{
        Tx, adjustment_due, audit,
        bill::StoredBill,
        bill_version,
        inheritance::heir,
        outbox, payment as payments, principal, receipt, receipt_due,
        refund::{self as rows, Source, StoredRefund},
        refund_line,
    },
};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};

/// How many refunds one look takes.
const AT_ONCE: usize = 50;

/// Whose receipt, of which kind.
type Given = (Id<Agency>, FeeKind);

/// Issues them with the refund; how the log names each. What cannot be issued yet waits; money that never had a receipt
/// needs none.
pub(super) async fn adjust_receipts(
    app: &App,
    tx: &mut Tx,
    refund: &StoredRefund,
    leaf: Id<Leaf>,
    now: Instant,
) -> Result<Vec<Value>> {
    let (issued, waits) = issue(app, tx, refund, leaf, now).await?;
    if let (true, Source::Payment(payment)) = (waits, refund.source) {
        adjustment_due::insert(tx, refund.id, payment, now).await?;
    }
    Ok(names(&issued))
}

/// Issues what waited, as far as it can be issued by now, and asks other issuers for what is theirs; how many refunds and orders
/// were tried. What fails rests and stops no other.
pub async fn adjust_due_receipts(app: &App) -> Result<usize> {
    let mut tried = 0;
    while tried < AT_ONCE {
        let now = app.clock.now();
        let mut tx = app.store.begin().await?;
        let Some((id, attempts)) = adjustment_due::take(&mut tx, now).await? else { break };
        let next = now + backoff(attempts.saturating_add(1), PAUSE_MAX, &*app.entropy);
        if let Err(error) = adjust_one(app, tx, id, next, now).await {
            tracing::warn!(refund = %id, ?error, "the receipts of a refund were not issued");
            let mut tx = app.store.begin().await?;
            adjustment_due::put_off(&mut tx, id, next).await?;
            tx.commit().await?;
        }
        tried += 1;
    }
    Ok(tried + send_orders(app).await?)
}

async fn adjust_one(app: &App, mut tx: Tx, id: Id<Refund>, next: Instant, now: Instant) -> Result<()> {
    let refund =
        rows::find(&mut tx, id).await?.ok_or(Error::internal("receipts of a refund that is gone"))?;
    let leaf: Id<Leaf> = Id::new(now, &*app.entropy);
    let (issued, waits) = issue(app, &mut tx, &refund, leaf, now).await?;
    record(app, &mut tx, (&refund, leaf), &issued, now).await?;
    if waits {
        adjustment_due::put_off(&mut tx, id, next).await?;
    } else {
        adjustment_due::delete(&mut tx, id).await?;
    }
    Ok(tx.commit().await?)
}

/// Issues what can be issued and was not before; whether any of it still waits.
async fn issue(
    app: &App,
    tx: &mut Tx,
    refund: &StoredRefund,
    leaf: Id<Leaf>,
    now: Instant,
) -> Result<(Vec<Issued>, bool)> {
    let (Source::Payment(payment), Some(bill)) = (refund.source, refund.bill) else {
        return Ok((Vec::new(), false));
    };
    let stored = bill_version::as_paid(tx, payment, bill).await?;
    let stored = stored.ok_or(Error::internal("a refund without its bill"))?;
    let paid = payments::payment(tx, payment).await?.ok_or(Error::internal("a refund without payment"))?;
    let procedure = stored.procedure.code.as_str();
    let on_paper = OnPaper::read(tx, (bill, payment), refund, procedure).await?;
    write_orders(app, tx, (refund, payment), &stored, now).await?;
    let mut back = lines(tx, refund, procedure, stored.bill.lines.as_slice()).await?;
    let given = |line: &BillLine| (line.beneficiary.agency.unwrap_or(refund.agency), line.kind);
    let mut waits = back.iter().any(|line| on_paper.pending.contains(&given(line)));
    back.retain(|line| {
        on_paper.originals.contains_key(&given(line)) && !on_paper.adjusted.contains(&given(line))
    });
    if back.is_empty() {
        return Ok((Vec::new(), waits));
    }
    let wanted: HashSet<Given> = back.iter().map(given).collect();
    let lines = Lines::new(back).map_err(Error::internal)?;
    let name = payer(app, tx, &stored, payment).await?;
    let (reference, dossier) = (stored.bill.reference.to_string(), stored.bill.dossier.to_string());
    let settled = SettledBill {
        agency: refund.agency,
        account: refund.account,
        bill,
        payment,
        reference: &reference,
        dossier: &dossier,
        procedure,
        procedure_vi: stored.procedure.name.vi.as_str(),
        lines: &lines,
        payer: &name,
        bank: &paid.bank,
        leaf,
        adjusts: Some(Adjustment {
            refund: refund.id,
            originals: &on_paper.originals,
            basis: refund.reason.legal_basis(),
        }),
    };
    let issued: Vec<Issued> = issue_receipts(app, tx, now, &[settled]).await?.into_iter().flatten().collect();
    waits |= issued.len() < wanted.len();
    Ok((issued, waits))
}

/// What there is on paper about a payment, under whoever gives it now.
struct OnPaper {
    /// The number of each receipt.
    originals: HashMap<Given, String>,
    /// The receipts that wait.
    pending: HashSet<Given>,
    /// What this refund has adjusted.
    adjusted: HashSet<Given>,
}

impl OnPaper {
    async fn read(
        tx: &mut Tx,
        (bill, payment): (Id<Bill>, Id<Payment>),
        refund: &StoredRefund,
        procedure: &str,
    ) -> Result<Self> {
        let (mut originals, mut adjusted) = (HashMap::new(), HashSet::new());
        // Whoever has taken an owner's place takes back in its own name what that one had received.
        for (owner, kind, number) in receipt::originals(tx, payment).await? {
            originals.insert((heir(tx, owner, Some(procedure)).await?, kind), number);
        }
        for (owner, kind) in receipt::adjusting(tx, bill, refund.id).await? {
            adjusted.insert((heir(tx, owner, Some(procedure)).await?, kind));
        }
        let due = receipt_due::of_bills(tx, &[bill]).await?;
        let pending = due.into_iter().filter(|due| due.payment == payment).map(|due| (due.agency, due.kind));
        Ok(Self { originals, pending: pending.collect(), adjusted })
    }
}

/// As the receipt itself named them: with the payer, where one was signed in.
async fn payer(app: &App, tx: &mut Tx, stored: &StoredBill, payment: Id<Payment>) -> Result<String> {
    let key = agency_key(app, tx, stored.bill.agency).await?;
    let payer = principal::payers(tx, &[payment]).await?.pop();
    let parties = payer.as_ref().map_or(&stored.parties, |payer| &payer.parties);
    Ok(bill_answer::open_parties(&key, stored.bill.id, parties)?.name_on_receipt().to_string())
}

/// The lines as far as they are given back.
async fn lines(
    tx: &mut Tx,
    refund: &StoredRefund,
    procedure: &str,
    of: &[BillLine],
) -> Result<Vec<BillLine>> {
    let mut back = Vec::new();
    for (at, part) in refund_line::of_refund(tx, refund.id).await? {
        let (amount, place) = (part.amount, usize::try_from(at).map_err(Error::internal)?);
        let line = of.get(place).ok_or(Error::internal("a line that is gone"))?;
        let nothing = Money::vnd(0);
        let mut line = BillLine { amount, gross: amount, retained: nothing, ..line.clone() };
        if let Some(owner) = line.beneficiary.agency {
            line.beneficiary.agency = Some(heir(tx, owner, Some(procedure)).await?);
        }
        back.push(line);
    }
    Ok(back)
}

fn names(issued: &[Issued]) -> Vec<Value> {
    issued.iter().map(|receipt| leaf_name(&receipt.number, &receipt.digest).into()).collect()
}

/// The leaf and the events of receipts that came later than their refund.
async fn record(
    app: &App,
    tx: &mut Tx,
    (refund, leaf): (&StoredRefund, Id<Leaf>),
    issued: &[Issued],
    now: Instant,
) -> Result<()> {
    let (Source::Payment(payment), Some(bill), false) = (refund.source, refund.bill, issued.is_empty())
    else {
        return Ok(());
    };
    let named = json!({ "bill": bill.to_string(), "payment": payment.to_string() });
    let mut details = named.clone();
    details["refund"] = refund.id.to_string().into();
    details["receipts"] = names(issued).into();
    let key = agency_key(app, tx, refund.agency).await?;
    let concern = Concern { citizen: None, agency: Some(refund.agency), object: bill.uuid() };
    let leaf = audit_leaf::leaf_named(app, (leaf, now), "receipt.issued", concern, &key, &details);
    audit::append(tx, &[leaf]).await?;
    let event = |receipt: &Issued| {
        let mut told = named.clone();
        told["receipt"] = receipt.id.to_string().into();
        told["number"] = receipt.number.as_str().into();
        told["kind"] = receipt.kind.as_str().into();
        event_row(app, now, "receipt.issued", (receipt.agency, bill.uuid()), &told)
    };
    Ok(outbox::enqueue(tx, &issued.iter().map(event).collect::<Vec<_>>()).await?)
}
