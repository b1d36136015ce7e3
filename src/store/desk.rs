//! Tills, shifts, and what went in and out of each.

use super::{Result, Tx, moved_one};
use crate::base::{
    clock::Instant,
    id::{self, Account, Agency, Bill, Case, Citizen, Drawer, Id, Payment, Refund},
    money::Money,
    secret::Sealed,
};
use crate::payment::desk::Paid;

/// Who received cash, and the document that was shown; sealed.
pub enum Payee {}

/// The till of that name, which is there from then on.
pub async fn drawer(tx: &mut Tx, agency: Id<Agency>, name: &str, fresh: Id<Drawer>) -> Result<Id<Drawer>> {
    let id = sqlx::query_scalar!(
        "insert into drawer (id, agency_id, name) values ($1, $2, $3)
         on conflict on constraint drawer_once do update set name = excluded.name returning id",
        fresh.uuid(),
        agency.uuid(),
        name,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(Id::from_uuid(id))
}

/// What the last shift of a till left in it; of two that a coarse clock saw end at once, the one that began later.
pub async fn left_in(tx: &mut Tx, drawer: Id<Drawer>) -> Result<Money> {
    let counted = sqlx::query_scalar!(
        "select counted from shift where drawer_id = $1 and closed_at is not null
         order by closed_at desc, opened_at desc, id desc limit 1",
        drawer.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(Money::vnd(counted.flatten().unwrap_or(0)))
}

/// A shift that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenShift {
    /// Its identifier.
    pub id: Id<id::Shift>,
    /// The till.
    pub drawer: Id<Drawer>,
    /// Its name.
    pub drawer_name: String,
    /// Whose till it is.
    pub agency: Id<Agency>,
    /// When it began.
    pub opened_at: Instant,
    /// What must be in the till now.
    pub expected: Money,
}

/// Opens a shift; a till or a cashier that has one violates `shift_of_drawer` or `shift_of_cashier`.
pub async fn open(
    tx: &mut Tx,
    shift: Id<id::Shift>,
    (drawer, agency): (Id<Drawer>, Id<Agency>),
    cashier: Id<Citizen>,
    counted: Money,
    at: Instant,
) -> Result<()> {
    sqlx::query!(
        "insert into shift (id, drawer_id, agency_id, cashier_id, opened_at, opening) values ($1, $2, $3, $4, $5, $6)",
        shift.uuid(),
        drawer.uuid(),
        agency.uuid(),
        cashier.uuid(),
        at,
        counted.minor(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Locks the open shift of a cashier and reads it.
pub async fn lock_open(tx: &mut Tx, cashier: Id<Citizen>) -> Result<Option<OpenShift>> {
    sqlx::query!(
        "select id from shift where cashier_id = $1 and closed_at is null for no key update",
        cashier.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    let row = sqlx::query!(
        r#"select s.id, s.drawer_id, d.name, s.agency_id, s.opened_at,
             (s.opening + coalesce((select sum(p.cash) from desk_payment p where p.shift_id = s.id), 0)
                 - coalesce((select sum(o.amount) from desk_payout o where o.shift_id = s.id), 0)
                 - coalesce((select sum(c.amount) from cash_deposit c where c.shift_id = s.id), 0))::bigint
                 as "expected!"
         from shift s join drawer d on d.id = s.drawer_id
         where s.cashier_id = $1 and s.closed_at is null"#,
        cashier.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| OpenShift {
        id: Id::from_uuid(row.id),
        drawer: Id::from_uuid(row.drawer_id),
        drawer_name: row.name,
        agency: Id::from_uuid(row.agency_id),
        opened_at: row.opened_at,
        expected: Money::vnd(row.expected),
    }))
}

/// Whose shift is open at a till.
pub async fn cashier_at(tx: &mut Tx, drawer: Id<Drawer>) -> Result<Option<Id<Citizen>>> {
    let cashier = sqlx::query_scalar!(
        "select cashier_id from shift where drawer_id = $1 and closed_at is null",
        drawer.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(cashier.map(Id::from_uuid))
}

/// Closes a shift with what was counted.
pub async fn close(tx: &mut Tx, shift: &OpenShift, counted: Money, at: Instant) -> Result<bool> {
    let done = sqlx::query!(
        "update shift set closed_at = $2, expected = $3, counted = $4 where id = $1 and closed_at is null",
        shift.id.uuid(),
        at,
        shift.expected.minor(),
        counted.minor(),
    )
    .execute(tx.conn())
    .await?;
    Ok(moved_one(&done))
}

/// A payment at a desk.
pub struct Taken<'a> {
    /// The payment.
    pub payment: Id<Payment>,
    /// The shift.
    pub shift: Id<id::Shift>,
    /// How it was made.
    pub paid: Paid,
    /// The card terminal's slip.
    pub slip: Option<&'a str>,
    /// The money in suspense that its transfer was.
    pub case: Option<Id<Case>>,
    /// When it was taken.
    pub at: Instant,
    /// When it was entered, where paper was given before.
    pub entered_at: Option<Instant>,
    /// The version of the bill whose lines were paid, where the bill says something else now.
    pub version: Option<u32>,
}

/// Notes how a payment was made.
pub async fn insert_payment(tx: &mut Tx, taken: &Taken<'_>) -> Result<()> {
    sqlx::query!(
        "insert into desk_payment (payment_id, shift_id, cash, card, slip, transfer, case_id, at, entered_at, version)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        taken.payment.uuid(),
        taken.shift.uuid(),
        taken.paid.cash.minor(),
        taken.paid.card.minor(),
        taken.slip,
        taken.paid.transfer.map_or(0, |transfer| transfer.amount.minor()),
        taken.case.map(Id::uuid),
        taken.at,
        taken.entered_at,
        taken.version.map(|version| i32::try_from(version).unwrap_or(i32::MAX)),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Notes what a till took for another agency.
pub async fn insert_collection(
    tx: &mut Tx,
    payment: Id<Payment>,
    (agency, drawer): (Id<Agency>, Id<Drawer>),
    amount: Money,
) -> Result<()> {
    sqlx::query!(
        "insert into desk_collection (payment_id, agency_id, drawer_id, amount) values ($1, $2, $3, $4)",
        payment.uuid(),
        agency.uuid(),
        drawer.uuid(),
        amount.minor(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The transfer that a payment at a desk was in part.
pub struct ByTransfer {
    /// The money in suspense that it was.
    pub case: Id<Case>,
    /// The account that it came into.
    pub account: Id<Account>,
    /// Whose account that is.
    pub owner: Id<Agency>,
    /// What of it is not promised back to the account that it came from.
    pub left: Money,
}

/// The transfer that the payment of a bill at a desk was in part, if it was.
pub async fn by_transfer(tx: &mut Tx, bill: Id<Bill>, payment: Id<Payment>) -> Result<Option<ByTransfer>> {
    let row = sqlx::query!(
        r#"select s.id, a.id as account_id, coalesce(a.heir_id, a.owner_id) as "owner!", p.transfer - coalesce((
               select sum(r.amount) from refund r
               where r.bill_id = $2 and r.payment_id = $1 and r.account_id is not null and r.state <> 'declined'), 0)::bigint
               as "left!"
           from desk_payment p join suspense s on s.id = p.case_id join collecting_account a on a.id = s.account_id
           where p.payment_id = $1"#,
        payment.uuid(),
        bill.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| ByTransfer {
        case: Id::from_uuid(row.id),
        account: Id::from_uuid(row.account_id),
        owner: Id::from_uuid(row.owner),
        left: Money::vnd(row.left),
    }))
}

/// The agency whose desk took a payment.
pub async fn taken_by(tx: &mut Tx, payment: Id<Payment>) -> Result<Option<Id<Agency>>> {
    let agency = sqlx::query_scalar!(
        "select s.agency_id from desk_payment p join shift s on s.id = p.shift_id where p.payment_id = $1",
        payment.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(agency.map(Id::from_uuid))
}

/// The money in suspense that names a bill and is less than it: case, amount, since when.
pub async fn waiting_transfers(tx: &mut Tx, reference: &str) -> Result<Vec<(Id<Case>, Money, Instant)>> {
    let rows = sqlx::query!(
        "select s.id, s.amount, s.opened_at from bill b join suspense s on s.bill_id = b.id
         where b.reference = $1 and b.state = 'open' and s.state = 'held' and s.amount < b.phi + b.le_phi + b.tax
         order by s.id",
        reference,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (Id::from_uuid(row.id), Money::vnd(row.amount), row.opened_at)).collect())
}

/// Notes that a refund was paid out.
pub async fn insert_payout(
    tx: &mut Tx,
    refund: Id<Refund>,
    shift: Id<id::Shift>,
    (amount, slip, payee): (Money, &str, &Sealed<Payee>),
    at: Instant,
) -> Result<()> {
    sqlx::query!(
        "insert into desk_payout (refund_id, shift_id, amount, slip, payee, key, at)
         values ($1, $2, $3, $4, $5, $6, $7)",
        refund.uuid(),
        shift.uuid(),
        amount.minor(),
        slip,
        payee.bytes(),
        payee.key().cast_signed(),
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A line of the cash book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookLine {
    /// When.
    pub at: Instant,
    /// `payment`, `payout` or `deposit`.
    pub kind: String,
    /// What it is about: dossier or slip.
    pub about: String,
    /// Cash in, or out when negative.
    pub cash: Money,
    /// By card.
    pub card: Money,
    /// By a transfer that came before.
    pub transfer: Money,
}

/// The cash book of a shift.
pub async fn cash_book(tx: &mut Tx, shift: Id<id::Shift>) -> Result<Vec<BookLine>> {
    let rows = sqlx::query!(
        r#"select p.at as "at!", 'payment' as "kind!", b.dossier as "about!", p.cash as "cash!", p.card as "card!",
             p.transfer as "transfer!"
         from desk_payment p join payment y on y.id = p.payment_id join bill b on b.id = y.bill_id
         where p.shift_id = $1
         union all
         select o.at, 'payout', o.slip, -o.amount, 0, 0 from desk_payout o where o.shift_id = $1
         union all
         select c.at, 'deposit', c.slip, -c.amount, 0, 0 from cash_deposit c where c.shift_id = $1
         order by 1"#,
        shift.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    let line = rows.into_iter().map(|row| BookLine {
        at: row.at,
        kind: row.kind,
        about: row.about,
        cash: Money::vnd(row.cash),
        card: Money::vnd(row.card),
        transfer: Money::vnd(row.transfer),
    });
    Ok(line.collect())
}
