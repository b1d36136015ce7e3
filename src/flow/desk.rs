//! The cashier's desk: a shift from count to count, and refunds paid out of its till.
//!
//! A cashier works in one shift at one till. What is taken (`desk_payment`) pays the bill at once, with the receipt of the
//! agency whose bill it is: the till then owes that agency. Nothing is ever undone: a mistaken payment goes back by a
//! refund in cash, which another officer approves. What a count finds too much or too little is posted, never adjusted.
//! What leaves for the bank is followed by `cash`. Whoever is no cashier any more takes and gives nothing; what they left
//! open, an accountant counts and closes.

use super::{
    Error, Result,
    agency_key::agency_key,
    audit_leaf::{self, Concern},
    blank_receipts::demand_accounted,
    cash, officer,
    read_refunds::bills_of,
    settle_debits::finish,
};
use crate::{
    app::App,
    base::{
        calendar::Day,
        clock::Instant,
        id::{self, Agency, Case, Citizen, Drawer, Id, Leaf},
        money::Money,
        page::PageRequest,
        reference::Reference,
        text::Line,
    },
    identity::role::Role,
    payment::{
        ledger::{self, Account, Entry},
        refund::{State as RefundState, Way as RefundWay},
    },
    store::{
        Tx, account, audit,
        desk::{self as rows, OpenShift},
        ledger::{self as books, EntryKind, NewEntry},
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
    let shift: Id<id::Shift> = Id::new(now, &*app.entropy);
    match rows::open(&mut tx, shift, (drawer, agency), cashier, counted, now).await {
        Err(e) if e.violates("shift_of_drawer") || e.violates("shift_of_cashier") => {
            return Err(Error::conflict("shift_open"));
        }
        done => done?,
    }
    // Only now: the last shift may just have ended.
    let left = rows::left_in(&mut tx, drawer).await?;
    let leaf: Id<Leaf> = Id::new(now, &*app.entropy);
    difference(app, &mut tx, (agency, drawer), shift, leaf, (left, counted), now).await?;
    let details = json!({ "shift": shift.to_string(), "by": cashier.to_string(), "counted": counted.decimal(),
        "left": left.decimal() });
    record(app, &mut tx, (leaf, "shift.opened"), agency, shift.uuid(), &details, now).await?;
    tx.commit().await?;
    Ok(shift)
}

/// Closes the cashier's shift with what was counted; what is too much or too little. Every leaf that was printed in it
/// must be entered or voided, and no leaf of a book skipped.
pub async fn close_shift(app: &App, cashier: Id<Citizen>, counted: Money) -> Result<Money> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let shift = open_one(&mut tx, cashier).await?;
    let difference = close(app, &mut tx, (&shift, cashier), cashier, counted, now).await?;
    tx.commit().await?;
    Ok(difference)
}

/// Closes the shift that is open at a till, in the place of its cashier, who may be none any more: the act of an accountant
/// of the till's agency, who has counted.
pub async fn close_in_place(
    app: &App,
    accountant: Id<Citizen>,
    till: Id<Drawer>,
    counted: Money,
) -> Result<Money> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let cashier = rows::cashier_at(&mut tx, till).await?.ok_or(Error::conflict("no_shift_open"))?;
    let shift = open_one(&mut tx, cashier).await?;
    // It may just have ended, and the cashier have gone on at another till.
    if shift.drawer != till {
        return Err(Error::conflict("no_shift_open"));
    }
    officer::demand(&mut tx, accountant, shift.agency, Role::Accountant, Day::of(now)).await?;
    if cashier == accountant {
        return Err(Error::forbidden("own_act"));
    }
    let difference = close(app, &mut tx, (&shift, cashier), accountant, counted, now).await?;
    tx.commit().await?;
    Ok(difference)
}

async fn close(
    app: &App,
    tx: &mut Tx,
    (shift, cashier): (&OpenShift, Id<Citizen>),
    by: Id<Citizen>,
    counted: Money,
    now: Instant,
) -> Result<Money> {
    demand_accounted(tx, shift, cashier).await?;
    if counted.minor() < 0 || !rows::close(tx, shift, counted, now).await? {
        return Err(Error::refused("invalid_body"));
    }
    let leaf: Id<Leaf> = Id::new(now, &*app.entropy);
    let of = (shift.agency, shift.drawer);
    difference(app, tx, of, shift.id, leaf, (shift.expected, counted), now).await?;
    let details = json!({ "shift": shift.id.to_string(), "cashier": cashier.to_string(), "by": by.to_string(),
        "expected": shift.expected.decimal(), "counted": counted.decimal() });
    record(app, tx, (leaf, "shift.closed"), shift.agency, shift.id.uuid(), &details, now).await?;
    counted.minus(shift.expected).map_err(Error::internal)
}

async fn open_one(tx: &mut Tx, cashier: Id<Citizen>) -> Result<OpenShift> {
    rows::lock_open(tx, cashier).await?.ok_or(Error::conflict("no_shift_open"))
}

/// The open shift of somebody who is a cashier there to this day: what is done in it moves money or draws numbers.
pub(super) async fn on_duty(tx: &mut Tx, cashier: Id<Citizen>, today: Day) -> Result<OpenShift> {
    let shift = open_one(tx, cashier).await?;
    officer::demand(tx, cashier, shift.agency, Role::Cashier, today).await?;
    Ok(shift)
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

pub(super) async fn book(
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

pub(super) async fn record(
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
    let shift = on_duty(&mut tx, cashier, Day::of(now)).await?;
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
    /// Refunds that wait to be fetched, the oldest first, each with its bill's reference and dossier.
    pub refunds: Vec<(refund::StoredRefund, Option<(Reference, String)>)>,
    /// After which more of them follow.
    pub next: Option<Id<id::Refund>>,
    /// Since when cash lies in the tills, where that is longer than it may.
    pub kept_since: Option<Instant>,
    /// What the cashier's till owes other agencies: identifier, name, how much.
    pub owes: Vec<(Id<Agency>, String, Money)>,
}

/// The desk of a cashier, with the refunds after that one.
pub async fn read_desk(app: &App, cashier: Id<Citizen>, after: Option<Id<id::Refund>>) -> Result<Desk> {
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
    let page = PageRequest::new(after, None).ok_or_else(Error::not_found)?;
    let found = refund::at_desk(&mut tx, &ids, &page).await?;
    let next = found.items.last().filter(|_| found.more).map(|last| last.id);
    let bills = bills_of(&mut tx, &found.items).await?;
    let refunds = found.items.into_iter().map(|refund| {
        let bill = refund.bill.and_then(|bill| bills.get(&bill).cloned());
        (refund, bill)
    });
    let refunds = refunds.collect();
    let tills = cash::tills(app, &mut tx, &ids, now).await?;
    let kept_since = tills.iter().filter(|till| till.late).filter_map(|till| till.since).min();
    let own = shift.as_ref().and_then(|shift| tills.iter().find(|till| till.till.id == shift.drawer));
    let owes = own.map(|till| till.owes.clone()).unwrap_or_default();
    let names = officer::names(app, &mut tx, &[cashier].into()).await?;
    let reader = names.get(&cashier).cloned().unwrap_or_default();
    Ok(Desk { reader, agencies, shift, book, refunds, next, kept_since, owes })
}

/// A transfer that came for a bill and waits, as the cashier is offered it: the case, how much, since when.
pub type WaitingTransfer = (Id<Case>, Money, Instant);

/// The transfers that came for a bill and are not its total: what is missing may be paid at the desk.
pub async fn waiting_transfers(app: &App, reference: &Reference) -> Result<Vec<WaitingTransfer>> {
    let mut tx = app.store.begin().await?;
    Ok(rows::waiting_transfers(&mut tx, reference.as_str()).await?)
}
