//! Tills, shifts, what went in and out of each, and cash on its way to the bank.

use super::{Result, Tx, moved_one};
use crate::base::{
    clock::Instant,
    id::{self, Agency, Case, Citizen, Drawer, Id, Payment, Refund},
    money::Money,
    secret::Sealed,
};
use uuid::Uuid;

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

/// What the last shift of a till left in it.
pub async fn left_in(tx: &mut Tx, drawer: Id<Drawer>) -> Result<Money> {
    let counted = sqlx::query_scalar!(
        "select counted from shift where drawer_id = $1 and closed_at is not null order by closed_at desc limit 1",
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

/// Notes how a payment was made.
pub async fn insert_payment(
    tx: &mut Tx,
    payment: Id<Payment>,
    shift: Id<id::Shift>,
    (cash, card, slip): (Money, Money, Option<&str>),
    at: Instant,
) -> Result<()> {
    sqlx::query!(
        "insert into desk_payment (payment_id, shift_id, cash, card, slip, at) values ($1, $2, $3, $4, $5, $6)",
        payment.uuid(),
        shift.uuid(),
        cash.minor(),
        card.minor(),
        slip,
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
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

/// Notes that cash left a till for the bank; a slip that stands already violates `cash_deposit_slip_once`.
pub async fn insert_deposit(
    tx: &mut Tx,
    deposit: Id<id::Deposit>,
    shift: &OpenShift,
    cashier: Id<Citizen>,
    (amount, slip): (Money, &str),
    at: Instant,
) -> Result<()> {
    sqlx::query!(
        "insert into cash_deposit (id, agency_id, drawer_id, shift_id, amount, slip, cashier_id, at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        deposit.uuid(),
        shift.agency.uuid(),
        shift.drawer.uuid(),
        shift.id.uuid(),
        amount.minor(),
        slip,
        cashier.uuid(),
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Cash on its way to the bank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDeposit {
    /// Its identifier.
    pub id: Id<id::Deposit>,
    /// Whose cash.
    pub agency: Id<Agency>,
    /// How much.
    pub amount: Money,
    /// The bank's slip.
    pub slip: String,
    /// When it left the till.
    pub at: Instant,
    /// Whether a credit was found for it.
    pub confirmed: bool,
}

/// The deposits of these agencies, the newest first.
pub async fn deposits(tx: &mut Tx, agencies: &[Id<Agency>]) -> Result<Vec<StoredDeposit>> {
    let agencies: Vec<Uuid> = agencies.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query!(
        r#"select id, agency_id, amount, slip, at, case_id is not null as "confirmed!"
         from cash_deposit where agency_id = any($1) order by id desc limit 50"#,
        &agencies,
    )
    .fetch_all(tx.conn())
    .await?;
    let deposit = rows.into_iter().map(|row| StoredDeposit {
        id: Id::from_uuid(row.id),
        agency: Id::from_uuid(row.agency_id),
        amount: Money::vnd(row.amount),
        slip: row.slip,
        at: row.at,
        confirmed: row.confirmed,
    });
    Ok(deposit.collect())
}

/// Says which credit a deposit turned out to be; false when it is known already.
pub async fn confirm_deposit(
    tx: &mut Tx,
    deposit: Id<id::Deposit>,
    case: Id<Case>,
    by: Id<Citizen>,
    at: Instant,
) -> Result<bool> {
    let done = sqlx::query!(
        "update cash_deposit set case_id = $2, confirmed_by = $3, confirmed_at = $4
         where id = $1 and case_id is null",
        deposit.uuid(),
        case.uuid(),
        by.uuid(),
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(moved_one(&done))
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
}

/// The cash book of a shift.
pub async fn cash_book(tx: &mut Tx, shift: Id<id::Shift>) -> Result<Vec<BookLine>> {
    let rows = sqlx::query!(
        r#"select p.at as "at!", 'payment' as "kind!", b.dossier as "about!", p.cash as "cash!", p.card as "card!"
         from desk_payment p join payment y on y.id = p.payment_id join bill b on b.id = y.bill_id
         where p.shift_id = $1
         union all
         select o.at, 'payout', o.slip, -o.amount, 0 from desk_payout o where o.shift_id = $1
         union all
         select c.at, 'deposit', c.slip, -c.amount, 0 from cash_deposit c where c.shift_id = $1
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
    });
    Ok(line.collect())
}

/// Since when cash lies in the tills of an agency without a deposit after it: the oldest cash payment that no later
/// deposit of its till followed.
pub async fn kept_since(tx: &mut Tx, agency: Id<Agency>) -> Result<Option<Instant>> {
    let since = sqlx::query_scalar!(
        r#"select min(p.at) from desk_payment p join shift s on s.id = p.shift_id
         where s.agency_id = $1 and p.cash > 0
             and not exists (select from cash_deposit c where c.drawer_id = s.drawer_id and c.at >= p.at)"#,
        agency.uuid(),
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(since)
}
