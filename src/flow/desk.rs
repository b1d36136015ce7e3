//! The cashier's desk: a shift from count to count, payments in cash and by card, refunds paid out, cash to the bank.
//!
//! A cashier works in one shift at one till. What is taken pays the bill at once, with the receipt of the agency whose
//! bill it is: the till then owes that agency. Nothing is ever undone: a mistaken payment goes back by a refund in
//! cash, which another officer approves. What a count finds too much or too little is posted, never adjusted.

use super::{
    Error, Refusal, Result,
    agency_key::agency_key,
    audit_leaf::{self, Concern},
    bill_answer, create_bill,
    event::event_json,
    issue_receipts::{SettledBill, issue_receipts},
    officer,
    read_bills::pay_until,
    settle_debits::finish,
};
use crate::{
    app::App,
    base::{
        calendar::Day,
        clock::Instant,
        entropy::random,
        id::{self, Agency, Case, Citizen, Deposit, Drawer, Event, Id, Leaf, Payment},
        money::Money,
        reference::Reference,
        text::Line,
    },
    codec::{iso20022::Uetr, receipt_content::leaf_name},
    identity::role::Role,
    payment::{
        bill,
        ledger::{self, Account, Entry},
        payment::{State, Way},
        refund::{State as RefundState, Way as RefundWay},
    },
    store::{
        Tx, account, audit, bill as bills, debit,
        desk::{self as rows, OpenShift},
        ledger::{self as books, EntryKind, NewEntry},
        outbox::{self, NewOutbox, Topic},
        payment::{self as payments, StoredPayment},
        refund, role,
    },
};
use serde_json::{Value, json};
use uuid::Uuid;

/// Opens a shift at a till of the cashier's agency, which is there from the first time it is named. What the count
/// finds beside what the last shift left is posted.
pub async fn open_shift(
    app: &App,
    cashier: Id<Citizen>,
    agency: Id<Agency>,
    till: &Line<40>,
    counted: Money,
) -> Result<Id<id::Shift>> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    officer::demand(&mut tx, cashier, agency, Role::Cashier, Day::of(now)).await?;
    if counted.minor() < 0 {
        return Err(Error::refused("invalid_body"));
    }
    let drawer = rows::drawer(&mut tx, agency, till.as_str(), Id::new(now, &*app.entropy)).await?;
    let left = rows::left_in(&mut tx, drawer).await?;
    let shift: Id<id::Shift> = Id::new(now, &*app.entropy);
    match rows::open(&mut tx, shift, (drawer, agency), cashier, counted, now).await {
        Err(e) if e.violates("shift_of_drawer") || e.violates("shift_of_cashier") => {
            return Err(Error::conflict("shift_open"));
        }
        done => done?,
    }
    let leaf: Id<Leaf> = Id::new(now, &*app.entropy);
    difference(app, &mut tx, (agency, drawer), shift, leaf, (left, counted), now).await?;
    let details = json!({ "shift": shift.to_string(), "by": cashier.to_string(), "counted": counted.decimal(),
        "left": left.decimal() });
    record(app, &mut tx, (leaf, "shift.opened"), agency, shift.uuid(), &details, now).await?;
    tx.commit().await?;
    Ok(shift)
}

/// Closes the cashier's shift with what was counted; what is too much or too little.
pub async fn close_shift(app: &App, cashier: Id<Citizen>, counted: Money) -> Result<Money> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let shift = open_one(&mut tx, cashier).await?;
    if counted.minor() < 0 || !rows::close(&mut tx, &shift, counted, now).await? {
        return Err(Error::refused("invalid_body"));
    }
    let leaf: Id<Leaf> = Id::new(now, &*app.entropy);
    let of = (shift.agency, shift.drawer);
    difference(app, &mut tx, of, shift.id, leaf, (shift.expected, counted), now).await?;
    let difference = counted.minus(shift.expected).map_err(Error::internal)?;
    let details = json!({ "shift": shift.id.to_string(), "by": cashier.to_string(),
        "expected": shift.expected.decimal(), "counted": counted.decimal() });
    record(app, &mut tx, (leaf, "shift.closed"), shift.agency, shift.id.uuid(), &details, now).await?;
    tx.commit().await?;
    Ok(difference)
}

async fn open_one(tx: &mut Tx, cashier: Id<Citizen>) -> Result<OpenShift> {
    rows::lock_open(tx, cashier).await?.ok_or(Error::conflict("no_shift_open"))
}

/// Posts what a count found beside what must be there.
async fn difference(
    app: &App,
    tx: &mut Tx,
    (agency, drawer): (Id<Agency>, Id<Drawer>),
    shift: Id<id::Shift>,
    leaf: Id<Leaf>,
    (expected, counted): (Money, Money),
    now: Instant,
) -> Result<()> {
    let over = counted.minus(expected).map_err(Error::internal)?;
    if over.is_zero() {
        return Ok(());
    }
    let (till, found) = (Account::CashDrawer(agency, drawer), Account::CashDifference(agency));
    let entry = ledger::moved(found, till, over).map_err(Error::internal)?;
    book(app, tx, vec![(EntryKind::CashCounted, entry)], (shift.uuid(), leaf), now).await
}

async fn book(
    app: &App,
    tx: &mut Tx,
    entries: Vec<(EntryKind, Entry)>,
    (subject, leaf): (Uuid, Id<Leaf>),
    now: Instant,
) -> Result<()> {
    let new: Vec<NewEntry> = entries
        .into_iter()
        .map(|(kind, entry)| NewEntry { id: Id::new(now, &*app.entropy), kind, subject, leaf, entry })
        .collect();
    let accounts: Vec<Account> =
        new.iter().flat_map(|e| e.entry.postings()).map(|posting| posting.account).collect();
    let numbers = account::open_numbers(tx, &accounts).await?;
    Ok(books::append(tx, &new, &numbers, now).await?)
}

async fn record(
    app: &App,
    tx: &mut Tx,
    (leaf, kind): (Id<Leaf>, &'static str),
    agency: Id<Agency>,
    object: Uuid,
    details: &Value,
    now: Instant,
) -> Result<()> {
    let key = agency_key(app, tx, agency).await?;
    let concern = Concern { citizen: None, agency: Some(agency), object };
    let leaf = audit_leaf::leaf_named(app, (leaf, now), kind, concern, &key, details);
    Ok(audit::append(tx, &[leaf]).await?)
}

/// How somebody pays at a desk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tender {
    /// In cash.
    pub cash: Money,
    /// By card, with the terminal's slip.
    pub card: Option<(Money, Line<40>)>,
    /// That the payer was told that money of an earlier attempt may still come, and would be given back.
    pub warned: bool,
}

/// Takes the payment of a bill, of whatever agency, in the cashier's shift. The receipts' numbers.
pub async fn pay_at_desk(
    app: &App,
    cashier: Id<Citizen>,
    reference: &Reference,
    tender: &Tender,
) -> Result<Id<Payment>> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let shift = open_one(&mut tx, cashier).await?;
    let of = bills::bill_of_reference(&mut tx, reference).await?.ok_or(Error::not_found())?;
    let (state, live) = bills::lock_bill(&mut tx, of.bill.id).await?.ok_or(Error::not_found())?;
    let until = pay_until(&mut tx, &of, now).await?;
    bill::may_pay(&state, until, Day::of(now)).map_err(create_bill::refused)?;
    if live && !tender.warned {
        return Err(Error::Conflict(Refusal::new("payment_under_way").about(of.bill.reference)));
    }
    let card = tender.card.as_ref().map_or(Money::vnd(0), |(money, _)| *money);
    let total = of.bill.lines.total();
    let positive = tender.cash.minor() >= 0 && card.minor() >= 0;
    if !positive || tender.cash.plus(card) != Ok(total) {
        return Err(Error::refused("tender_differs"));
    }
    let method = match (tender.cash.is_positive(), card.is_positive()) {
        (true, true) => "CASH+CARD",
        (false, true) => "CARD",
        (true | false, false) => "CASH",
    };
    let payment = StoredPayment {
        id: Id::new(now, &*app.entropy),
        bill: of.bill.id,
        account: of.account,
        amount: total,
        way: Way::Desk,
        bank: method.to_owned(),
        uetr: Uetr::new(Uuid::from_bytes(random(&*app.entropy))).uuid(),
        state: State::Settled { at: now },
        created_at: now,
    };
    payments::insert_settled(&mut tx, &payment, now).await?;
    if bills::pay_bills(&mut tx, &[(of.bill.id, payment.id)], now).await? != 1 {
        return Err(Error::internal("a bill moved under its lock"));
    }
    let slip = tender.card.as_ref().filter(|_| card.is_positive()).map(|(_, slip)| slip.as_str());
    rows::insert_payment(&mut tx, payment.id, shift.id, (tender.cash, card, slip), now).await?;
    let leaf: Id<Leaf> = Id::new(now, &*app.entropy);
    let till = Account::CashDrawer(shift.agency, shift.drawer);
    let settled = ledger::settled(till, &of.bill.lines.parts(of.bill.agency)).map_err(Error::internal)?;
    let mut entries = vec![(EntryKind::Settled, settled)];
    if card.is_positive() {
        let moved = ledger::moved(till, Account::CardReceivable(shift.agency), card);
        entries.push((EntryKind::CashMoved, moved.map_err(Error::internal)?));
    }
    book(app, &mut tx, entries, (payment.id.uuid(), leaf), now).await?;
    receipts(app, &mut tx, &of, &payment, (leaf, shift.id, cashier), now).await?;
    tx.commit().await?;
    Ok(payment.id)
}

/// The receipts of the agency whose bill it is, and the leaf and event of the settlement.
async fn receipts(
    app: &App,
    tx: &mut Tx,
    of: &bills::StoredBill,
    payment: &StoredPayment,
    (leaf, shift, cashier): (Id<Leaf>, Id<id::Shift>, Id<Citizen>),
    now: Instant,
) -> Result<()> {
    let agency = of.bill.agency;
    let key = agency_key(app, tx, agency).await?;
    let parties = bill_answer::open_parties(&key, of.bill.id, &of.parties)?;
    let (name, reference) = (parties.name_on_receipt().to_string(), of.bill.reference.to_string());
    let dossier = of.bill.dossier.to_string();
    let settled = SettledBill {
        agency,
        account: None,
        bill: of.bill.id,
        payment: payment.id,
        reference: &reference,
        dossier: &dossier,
        procedure: of.procedure.code.as_str(),
        procedure_vi: of.procedure.name.vi.as_str(),
        lines: &of.bill.lines,
        payer: &name,
        bank: &payment.bank,
        leaf,
        adjusts: None,
    };
    let issued = issue_receipts(app, tx, now, &[settled]).await?;
    let names: Vec<Value> = issued.iter().flatten().map(|r| leaf_name(&r.number, &r.digest)).collect();
    let details = json!({
        "payment": payment.id.to_string(),
        "bill": of.bill.id.to_string(),
        "amount": payment.amount.decimal(),
        "shift": shift.to_string(),
        "by": cashier.to_string(),
        "receipts": names,
    });
    let concern = Concern { citizen: None, agency: Some(agency), object: payment.id.uuid() };
    let leaf = audit_leaf::leaf_named(app, (leaf, now), "payment.settled", concern, &key, &details);
    audit::append(tx, &[leaf]).await?;
    let receipt = |r: &super::issue_receipts::Issued| {
        json!({ "id": r.id.to_string(), "number": r.number, "kind": r.kind.as_str(),
            "amount": super::explain::money(r.amount) })
    };
    let told = json!({
        "bill": of.bill.id.to_string(),
        "reference": reference,
        "dossier": dossier,
        "payment": payment.id.to_string(),
        "amount": super::explain::money(payment.amount),
        "receipts": issued.iter().flatten().map(receipt).collect::<Vec<_>>(),
    });
    let id: Id<Event> = Id::new(now, &*app.entropy);
    let event = NewOutbox {
        id,
        at: now,
        topic: Topic::Event,
        agency: Some(agency),
        object: of.bill.id.uuid(),
        name: "bill.paid",
        body: event_json("bill.paid", now, &told),
    };
    Ok(outbox::enqueue(tx, &[event]).await?)
}

/// Who receives a refund in cash, and what they signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    /// The name on the document that was shown.
    pub name: Line<120>,
    /// Its number.
    pub document: Line<20>,
    /// The number of the signed slip.
    pub slip: Line<40>,
}

/// Pays a refund of the cashier's agency out of the till.
pub async fn pay_out(app: &App, cashier: Id<Citizen>, id: Id<id::Refund>, to: &Receiver) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let shift = open_one(&mut tx, cashier).await?;
    let found = refund::lock(&mut tx, id).await?.filter(|r| r.agency == shift.agency);
    let found = found.ok_or(Error::not_found())?;
    if found.state != RefundState::AtDesk || found.way != RefundWay::Cash {
        return Err(Error::conflict("refund_decided"));
    }
    if shift.expected.minor() < found.amount.minor() {
        return Err(Error::conflict("till_short"));
    }
    let key = agency_key(app, &mut tx, shift.agency).await?;
    let payee = json!([to.name.as_str(), to.document.as_str()]).to_string();
    let place = [b"desk.payee".as_slice(), id.uuid().as_bytes()].concat();
    let payee = key.seal(&*app.entropy, &place, payee.as_bytes());
    rows::insert_payout(&mut tx, id, shift.id, (found.amount, to.slip.as_str(), &payee), now).await?;
    let till = Account::CashDrawer(shift.agency, shift.drawer);
    let entry = Id::new(now, &*app.entropy);
    finish(app, &mut tx, found, RefundState::Done { at: now }, (entry, till), now).await?;
    Ok(tx.commit().await?)
}

/// Carries cash to the bank: from the till it is on its way, until a credit turns out to be it.
pub async fn deposit_cash(
    app: &App,
    cashier: Id<Citizen>,
    amount: Money,
    slip: &Line<40>,
) -> Result<Id<Deposit>> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let shift = open_one(&mut tx, cashier).await?;
    if !amount.is_positive() || amount.minor() > shift.expected.minor() {
        return Err(Error::conflict("till_short"));
    }
    let id: Id<Deposit> = Id::new(now, &*app.entropy);
    match rows::insert_deposit(&mut tx, id, &shift, cashier, (amount, slip.as_str()), now).await {
        Err(e) if e.violates("cash_deposit_slip_once") => return Err(Error::conflict("slip_used")),
        done => done?,
    }
    let leaf: Id<Leaf> = Id::new(now, &*app.entropy);
    let (till, way) = (Account::CashDrawer(shift.agency, shift.drawer), Account::CashInTransit(shift.agency));
    let entry = ledger::moved(till, way, amount).map_err(Error::internal)?;
    book(app, &mut tx, vec![(EntryKind::CashMoved, entry)], (id.uuid(), leaf), now).await?;
    let details = json!({ "deposit": id.to_string(), "amount": amount.decimal(), "by": cashier.to_string() });
    record(app, &mut tx, (leaf, "cash.deposited"), shift.agency, id.uuid(), &details, now).await?;
    tx.commit().await?;
    Ok(id)
}

/// Says which credit of the statement a deposit turned out to be: an accountant's act, never the cashier's.
pub async fn confirm_deposit(
    app: &App,
    accountant: Id<Citizen>,
    id: Id<Deposit>,
    case: Id<Case>,
) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let waiting = debit::lock_waiting(&mut tx, case).await?.filter(|w| w.held).ok_or(Error::not_found())?;
    officer::demand(&mut tx, accountant, waiting.agency, Role::Accountant, Day::of(now)).await?;
    let found = rows::deposits(&mut tx, &[waiting.agency]).await?.into_iter().find(|d| d.id == id);
    let found = found.ok_or(Error::not_found())?;
    if found.amount != waiting.amount {
        return Err(Error::refused("tender_differs"));
    }
    if !rows::confirm_deposit(&mut tx, id, case, accountant, now).await?
        || !debit::release(&mut tx, case).await?
    {
        return Err(Error::conflict("slip_used"));
    }
    let leaf: Id<Leaf> = Id::new(now, &*app.entropy);
    let (from, to) = (Account::CashInTransit(waiting.agency), Account::Suspense(waiting.key.0));
    let entry = ledger::moved(from, to, waiting.amount).map_err(Error::internal)?;
    book(app, &mut tx, vec![(EntryKind::CashMoved, entry)], (id.uuid(), leaf), now).await?;
    let details =
        json!({ "deposit": id.to_string(), "case": case.to_string(), "by": accountant.to_string() });
    record(app, &mut tx, (leaf, "cash.arrived"), waiting.agency, id.uuid(), &details, now).await?;
    Ok(tx.commit().await?)
}

/// What a cashier's page shows.
pub struct Desk {
    /// Whoever reads.
    pub reader: String,
    /// The agencies where they are a cashier.
    pub agencies: Vec<(Id<Agency>, (String, String))>,
    /// Their open shift.
    pub shift: Option<OpenShift>,
    /// Its cash book.
    pub book: Vec<rows::BookLine>,
    /// Refunds that wait to be fetched.
    pub refunds: Vec<refund::StoredRefund>,
    /// Since when cash lies in the tills, where that is longer than it may.
    pub kept_since: Option<Instant>,
}

/// The desk of a cashier.
pub async fn read_desk(app: &App, cashier: Id<Citizen>) -> Result<Desk> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let held = role::of_citizen(&mut tx, cashier, Day::of(now)).await?;
    let ids: Vec<Id<Agency>> =
        held.into_iter().filter(|(_, role)| *role == Role::Cashier).map(|(agency, _)| agency).collect();
    if ids.is_empty() {
        return Err(Error::forbidden("cashier_needed"));
    }
    let named = crate::store::agency::find_all(&mut tx, &ids).await?;
    let agencies =
        named.into_iter().map(|row| (row.id, (row.name_vi.clone(), row.name_en.clone()))).collect();
    let shift = rows::lock_open(&mut tx, cashier).await?;
    let book = match &shift {
        Some(shift) => rows::cash_book(&mut tx, shift.id).await?,
        None => Vec::new(),
    };
    let page = crate::base::page::PageRequest::new(None, None).ok_or_else(Error::not_found)?;
    let refunds = refund::of_agencies(&mut tx, &ids, Some("at_desk"), &page).await?.items;
    let mut kept_since = None;
    for agency in &ids {
        let since = rows::kept_since(&mut tx, *agency).await?;
        let days = crate::store::calendar::working_days(&mut tx, Day::of(now)).await?;
        let late = since.filter(|since| {
            Day::of(now) > (0..app.limits.cash_days_max).fold(Day::of(*since), |day, _| days.next(day))
        });
        kept_since = kept_since.or(late);
    }
    let names = officer::names(app, &mut tx, &[cashier].into()).await?;
    let reader = names.get(&cashier).cloned().unwrap_or_default();
    Ok(Desk { reader, agencies, shift, book, refunds, kept_since })
}
