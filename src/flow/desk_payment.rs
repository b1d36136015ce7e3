//! Takes the payment of a bill at a desk: in cash, by card slip, with a transfer that came before; or enters afterwards
//! what was taken during an outage and written on a receipt of paper.

use super::{
    Error, Refusal, Result,
    agency_key::agency_key,
    audit_leaf::{self, Concern},
    blank_receipts::{TakenLeaf, Written, take_leaves},
    charge_late::{asked_at, charge, charge_late},
    charged_anew::{Stood, go_back, may_go_back, parts_as_asked, settle_difference},
    create_bill,
    desk::{book, on_duty},
    issue_receipts::Issued,
    read_bills::pay_until,
    tell_paid::{Proof, prove, settle_at_once, tell_paid},
    unowed_at_desk::enter_unowed,
};
use crate::{
    app::App,
    base::{
        calendar::{Day, rfc3339},
        clock::Instant,
        entropy::random,
        id::{Agency, Case, Citizen, Id, Leaf, Payment},
        money::Money,
        reference::Reference,
        text::Line,
    },
    codec::{iso20022::Uetr, receipt_content::leaf_name},
    crypto::seal::DataKey,
    payment::{
        bill,
        desk::{self as rules, Paid, Transferred},
        payment::{State, Way},
    },
    store::{
        Tx, audit,
        bill::{self as bills, StoredBill},
        blank,
        debit::{self, Waiting},
        desk::{self as rows, OpenShift},
        ledger::EntryKind,
        payment::StoredPayment,
        payout_waiting,
    },
};
use serde_json::{Value, json};
use uuid::Uuid;

/// How somebody pays at a desk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tender {
    /// In cash.
    pub cash: Money,
    /// By card, with the terminal's slip.
    pub card: Option<(Money, Line<40>)>,
    /// By a transfer that came for this bill with too little.
    pub transfer: Option<Id<Case>>,
    /// That the payer was told that money of an earlier attempt may still come, and would be given back.
    pub warned: bool,
    /// What was written on paper during an outage.
    pub written: Option<Written>,
}

/// Takes the payment of a bill, of whatever agency, in the cashier's shift. What was taken on paper for a bill that asks for
/// nothing any more is entered too, and owed back; for one that was charged anew meanwhile, it pays what was asked then.
pub async fn pay_at_desk(
    app: &App,
    cashier: Id<Citizen>,
    reference: &Reference,
    tender: &Tender,
) -> Result<Id<Payment>> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let shift = on_duty(&mut tx, cashier, Day::of(now)).await?;
    let named = bills::bill_of_reference(&mut tx, reference).await?.ok_or(Error::not_found())?;
    let (state, live) = bills::lock_bill(&mut tx, named.bill.id).await?.ok_or(Error::not_found())?;
    // Read again under the lock: an amendment may just have been made.
    let mut of = bills::bill(&mut tx, named.bill.id).await?.ok_or(Error::not_found())?;
    // What was paid in time is in time, whenever it is entered.
    let taken_at = tender.written.as_ref().map_or(now, |written| written.at);
    let until = pay_until(&mut tx, &of, now).await?;
    let may = bill::may_pay(&state, until, Day::of(taken_at));
    if let (Some(written), Err(unpayable)) = (&tender.written, &may) {
        let entered = (cashier, tender, written);
        let payment = enter_unowed(app, &mut tx, (&shift, &of), entered, unpayable, now).await?;
        tx.commit().await?;
        return Ok(payment);
    }
    may.map_err(create_bill::refused)?;
    if live && !tender.warned {
        return Err(Error::Conflict(Refusal::new("payment_under_way").about(of.bill.reference)));
    }
    // While money of an earlier attempt may still come, what is asked stands still.
    if !live {
        charge_day(app, &mut tx, &mut of, tender, now).await?;
    }
    let (stood, (paid, waiting)) = parts_as_asked(app, &mut tx, &of, tender).await?;
    let (of, anew) = match (stood, &tender.written) {
        (Some(stood), Some(written)) if !may_go_back(&stood.bill, &of) => {
            let entered = (cashier, tender, written);
            let unpayable = bill::Refusal::InvoiceKnown;
            let payment = enter_unowed(app, &mut tx, (&shift, &of), entered, &unpayable, now).await?;
            tx.commit().await?;
            return Ok(payment);
        }
        (Some(Stood { bill: mut stood, .. }), _) => {
            let rests = go_back(app, &mut tx, &mut stood, &of, now).await?;
            (stood, Some((of, rests)))
        }
        (None, _) => (of, None),
    };
    let (paper, leaves) = match &tender.written {
        Some(written) => {
            let (paper, leaves) = take_leaves(&mut tx, &shift, cashier, written, now).await?;
            (Some(paper), leaves)
        }
        None => (None, Vec::new()),
    };
    let payment = payment(app, &of, &paid, now);
    settle_at_once(&mut tx, &payment, now).await?;
    let slip = tender.card.as_ref().filter(|_| paid.card.is_positive()).map(|(_, slip)| slip.as_str());
    let taken = rows::Taken {
        payment: payment.id,
        shift: shift.id,
        paid,
        slip,
        case: tender.transfer,
        at: taken_at,
        entered_at: tender.written.as_ref().map(|_| now),
        version: None,
    };
    rows::insert_payment(&mut tx, &taken).await?;
    if let (Some(case), Some(_)) = (tender.transfer, waiting)
        && !debit::release(&mut tx, case).await?
    {
        return Err(Error::internal("suspense moved under its lock"));
    }
    let leaf: Id<Leaf> = Id::new(now, &*app.entropy);
    settle_books(app, &mut tx, &of, (&shift, &payment, &paid), leaf, now).await?;
    if let Some(transfer) = paid.transfer {
        payout_waiting::cover_desks(&mut tx, transfer.owner, &[], now).await?;
    }
    let key = agency_key(app, &mut tx, of.bill.agency).await?;
    let proof = Proof { of: &of, payment: &payment, account: None, paper: paper.as_ref(), leaf };
    let issued = prove(app, &mut tx, &proof, &key, now).await?;
    enter_leaves(&mut tx, shift.agency, (&leaves, &issued), now).await?;
    let by =
        json!({ "shift": shift.id.to_string(), "by": cashier.to_string(), "taken_at": rfc3339(taken_at) });
    record(app, &mut tx, (&proof, &key), (by, &issued), now).await?;
    tell_paid(app, &mut tx, (&of, &payment), &issued, now).await?;
    if let Some((asked, rests)) = anew {
        settle_difference(app, &mut tx, (&of, &asked, rests), &payment, &key, now).await?;
    }
    tx.commit().await?;
    Ok(payment.id)
}

/// Brings the bill to what the schedule says on the day of paying. Paper says what it was paid with: interest of its own day,
/// where it was taken with it, by whichever rule was in force at its own time.
async fn charge_day(
    app: &App,
    tx: &mut Tx,
    of: &mut StoredBill,
    tender: &Tender,
    now: Instant,
) -> Result<()> {
    let Some(written) = &tender.written else {
        return charge_late(app, tx, of, (now, now)).await;
    };
    for late in asked_at(app, tx, of, written.at).await? {
        let mut then = of.clone();
        then.bill.lines = late.0.clone();
        match parts_of(tx, &then, tender).await {
            Ok(_) => return charge(app, tx, of, late, (written.at, now)).await,
            Err(error) if differs(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether a tender was refused for being another sum than what is asked.
pub(super) fn differs(error: &Error) -> bool {
    error.code() == "tender_differs"
}

/// What is paid in which way: exactly the bill's total.
pub(super) async fn parts_of(
    tx: &mut Tx,
    of: &StoredBill,
    tender: &Tender,
) -> Result<(Paid, Option<Waiting>)> {
    let waiting = match tender.transfer {
        Some(case) => {
            let found = debit::lock_waiting(tx, case).await?;
            let found = found.filter(|waiting| waiting.held && waiting.bill == Some(of.bill.id));
            Some(found.ok_or(Error::refused("transfer_unfit"))?)
        }
        None => None,
    };
    let transfer = waiting.as_ref().map(|waiting| Transferred {
        account: waiting.key.0,
        owner: waiting.agency,
        amount: waiting.amount,
    });
    let card = tender.card.as_ref().map_or(Money::vnd(0), |(money, _)| *money);
    let paid = Paid { cash: tender.cash, card, transfer };
    if paid.is(of.bill.lines.total()) { Ok((paid, waiting)) } else { Err(Error::refused("tender_differs")) }
}

pub(super) fn payment(app: &App, of: &StoredBill, paid: &Paid, now: Instant) -> StoredPayment {
    StoredPayment {
        id: Id::new(now, &*app.entropy),
        bill: of.bill.id,
        account: of.account,
        amount: of.bill.lines.total(),
        way: Way::Desk,
        bank: paid.method().to_owned(),
        uetr: Uetr::new(Uuid::from_bytes(random(&*app.entropy))).uuid(),
        state: State::Settled { at: now },
        created_at: now,
    }
}

/// The entries: fees to whoever they belong to, what the desk owes other agencies, and what is no cash out of the till.
pub(super) async fn settle_books(
    app: &App,
    tx: &mut Tx,
    of: &StoredBill,
    (shift, payment, paid): (&OpenShift, &StoredPayment, &Paid),
    leaf: Id<Leaf>,
    now: Instant,
) -> Result<()> {
    let parts = of.bill.lines.parts(of.bill.agency);
    let till = (shift.agency, shift.drawer);
    let owed = rules::owed(shift.agency, &parts, paid.transfer).ok_or(Error::refused("transfer_unfit"))?;
    for (agency, amount) in &owed {
        rows::insert_collection(tx, payment.id, (*agency, shift.drawer), *amount).await?;
    }
    let settled = rules::taken(till, &parts, &owed).map_err(Error::internal)?;
    let mut entries = vec![(EntryKind::Settled, settled)];
    if let Some(entry) = rules::not_cash(till, paid).map_err(Error::internal)? {
        entries.push((EntryKind::CashMoved, entry));
    }
    book(app, tx, entries, (payment.id.uuid(), leaf), now).await
}

/// Says what stands on each leaf. The paper must be exactly the receipts that the desk's agency gives of this bill.
pub(super) async fn enter_leaves(
    tx: &mut Tx,
    agency: Id<Agency>,
    (leaves, issued): (&[TakenLeaf], &[Issued]),
    now: Instant,
) -> Result<()> {
    if leaves.is_empty() {
        return Ok(());
    }
    let own: Vec<&Issued> = issued.iter().filter(|receipt| receipt.agency == agency).collect();
    if own.len() != leaves.len() {
        return Err(Error::refused("leaf_unfit"));
    }
    for (kind, series, serial) in leaves {
        let receipt = own.iter().find(|r| r.kind == *kind).ok_or(Error::refused("leaf_unfit"))?;
        if !blank::enter(tx, (*series, *serial), receipt.id, now).await? {
            return Err(Error::conflict("leaf_used"));
        }
    }
    Ok(())
}

/// The leaf of the settlement: it commits to the payment, to whose act it was, and to the receipts.
pub(super) async fn record(
    app: &App,
    tx: &mut Tx,
    (proof, key): (&Proof<'_>, &DataKey),
    (by, issued): (Value, &[Issued]),
    now: Instant,
) -> Result<()> {
    let (bill, payment) = (&proof.of.bill, proof.payment);
    let mut details = by;
    details["payment"] = payment.id.to_string().into();
    details["bill"] = bill.id.to_string().into();
    details["amount"] = payment.amount.decimal().into();
    details["receipts"] = issued.iter().map(|r| leaf_name(&r.number, &r.digest)).collect();
    let concern = Concern { citizen: None, agency: Some(bill.agency), object: payment.id.uuid() };
    let leaf = audit_leaf::leaf_named(app, (proof.leaf, now), "payment.settled", concern, key, &details);
    Ok(audit::append(tx, &[leaf]).await?)
}
