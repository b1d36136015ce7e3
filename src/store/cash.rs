//! Cash on its way from tills to bank accounts, what tills owe other agencies, and card slips until they are paid.

use super::{Result, Tx, desk::OpenShift};
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{Agency, Case, Citizen, Deposit, Drawer, Id, Payment, Payout},
    money::Money,
};
use std::collections::BTreeMap;
use uuid::Uuid;

fn uuids<K: crate::base::id::Kind>(ids: &[Id<K>]) -> Vec<Uuid> {
    ids.iter().map(|id| id.uuid()).collect()
}

/// Notes that cash left a till for the bank; a slip that the shift named already violates `cash_deposit_slip_once`.
pub async fn insert_deposit(
    tx: &mut Tx,
    (deposit, to): (Id<Deposit>, Id<Agency>),
    shift: &OpenShift,
    cashier: Id<Citizen>,
    (amount, slip): (Money, &str),
    at: Instant,
) -> Result<()> {
    sqlx::query!(
        "insert into cash_deposit (id, agency_id, drawer_id, shift_id, amount, slip, cashier_id, at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        deposit.uuid(),
        to.uuid(),
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

/// Locks a till: whoever orders or carries what it owes waits for another who does. Whose it is.
pub async fn lock_drawer(tx: &mut Tx, drawer: Id<Drawer>) -> Result<Option<Id<Agency>>> {
    let agency =
        sqlx::query_scalar!("select agency_id from drawer where id = $1 for no key update", drawer.uuid())
            .fetch_optional(tx.conn())
            .await?;
    Ok(agency.map(Id::from_uuid))
}

/// Notes what goes from a desk's own account to another agency's, by an order that stands for the bank's slip.
pub async fn insert_transfer(
    tx: &mut Tx,
    (deposit, payout): (Id<Deposit>, Id<Payout>),
    (drawer, to): (Id<Drawer>, Id<Agency>),
    (amount, slip): (Money, &str),
    by: Id<Citizen>,
    at: Instant,
) -> Result<()> {
    sqlx::query!(
        "insert into cash_deposit (id, agency_id, drawer_id, amount, slip, cashier_id, at, payout_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        deposit.uuid(),
        to.uuid(),
        drawer.uuid(),
        amount.minor(),
        slip,
        by.uuid(),
        at,
        payout.uuid(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Takes back what was noted of an order that a bank did not take.
pub async fn drop_transfer(tx: &mut Tx, payout: Id<Payout>) -> Result<()> {
    sqlx::query!("delete from cash_deposit where payout_id = $1 and case_id is null", payout.uuid())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Whether a slip of an agency was found on its statement; nothing is added to it then.
pub async fn is_confirmed(tx: &mut Tx, agency: Id<Agency>, slip: &str) -> Result<bool> {
    let found = sqlx::query_scalar!(
        r#"select exists (select from cash_deposit where agency_id = $1 and slip = $2 and case_id is not null)
             as "found!""#,
        agency.uuid(),
        slip,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(found)
}

/// What stands on a slip and waits for its credit, locked: each deposit with its amount and who carried it.
pub async fn lock_slip(
    tx: &mut Tx,
    agency: Id<Agency>,
    slip: &str,
) -> Result<Vec<(Id<Deposit>, Money, Id<Citizen>)>> {
    let rows = sqlx::query!(
        "select id, amount, cashier_id from cash_deposit
         where agency_id = $1 and slip = $2 and case_id is null order by id for update",
        agency.uuid(),
        slip,
    )
    .fetch_all(tx.conn())
    .await?;
    let part =
        rows.into_iter().map(|r| (Id::from_uuid(r.id), Money::vnd(r.amount), Id::from_uuid(r.cashier_id)));
    Ok(part.collect())
}

/// Says which credit these deposits turned out to be together.
pub async fn confirm_slip(
    tx: &mut Tx,
    deposits: &[Id<Deposit>],
    case: Id<Case>,
    by: Id<Citizen>,
    at: Instant,
) -> Result<()> {
    sqlx::query!(
        "update cash_deposit set case_id = $2, confirmed_by = $3, confirmed_at = $4 where id = any($1)",
        &uuids(deposits),
        case.uuid(),
        by.uuid(),
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A slip of the bank with everything that stands on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BankSlip {
    /// Into whose account.
    pub agency: Id<Agency>,
    /// Its number.
    pub slip: String,
    /// What stands on it altogether.
    pub amount: Money,
    /// How many shifts brought it.
    pub shifts: i64,
    /// Their tills.
    pub tills: String,
    /// When the last of it left its till.
    pub at: Instant,
    /// The credit that it turned out to be.
    pub case: Option<Id<Case>>,
}

/// The slips of these agencies, those that wait first, the newest first.
pub async fn slips(tx: &mut Tx, agencies: &[Id<Agency>]) -> Result<Vec<BankSlip>> {
    let rows = sqlx::query!(
        r#"select c.agency_id, c.slip, c.case_id, sum(c.amount)::bigint as "amount!",
             count(distinct c.shift_id) as "shifts!", string_agg(distinct d.name, ', ' order by d.name) as "tills!",
             max(c.at) as "at!"
         from cash_deposit c join drawer d on d.id = c.drawer_id where c.agency_id = any($1)
         group by c.agency_id, c.slip, c.case_id order by c.case_id is not null, max(c.at) desc limit 50"#,
        &uuids(agencies),
    )
    .fetch_all(tx.conn())
    .await?;
    let slip = rows.into_iter().map(|row| BankSlip {
        agency: Id::from_uuid(row.agency_id),
        slip: row.slip,
        amount: Money::vnd(row.amount),
        shifts: row.shifts,
        tills: row.tills,
        at: row.at,
        case: row.case_id.map(Id::from_uuid),
    });
    Ok(slip.collect())
}

/// A till.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Till {
    /// Its identifier.
    pub id: Id<Drawer>,
    /// Whose.
    pub agency: Id<Agency>,
    /// Its name.
    pub name: String,
    /// Whether a shift is open.
    pub open: bool,
    /// What must be in it.
    pub expected: Money,
}

/// The tills of these agencies, by name, with what must be in each.
pub async fn tills(tx: &mut Tx, agencies: &[Id<Agency>]) -> Result<Vec<Till>> {
    let rows = sqlx::query!(
        r#"select d.id, d.agency_id, d.name, s.closed_at is null as "open!",
             (coalesce(s.counted, s.opening
                 + coalesce((select sum(p.cash) from desk_payment p where p.shift_id = s.id), 0)
                 - coalesce((select sum(o.amount) from desk_payout o where o.shift_id = s.id), 0)
                 - coalesce((select sum(c.amount) from cash_deposit c where c.shift_id = s.id), 0)))::bigint
                 as "expected!"
         from drawer d join lateral (
             select * from shift where drawer_id = d.id order by id desc limit 1) s on true
         where d.agency_id = any($1) order by d.name"#,
        &uuids(agencies),
    )
    .fetch_all(tx.conn())
    .await?;
    let till = rows.into_iter().map(|row| Till {
        id: Id::from_uuid(row.id),
        agency: Id::from_uuid(row.agency_id),
        name: row.name,
        open: row.open,
        expected: Money::vnd(row.expected),
    });
    Ok(till.collect())
}

/// The cash that each of these tills took, in order.
pub async fn taken(
    tx: &mut Tx,
    drawers: &[Id<Drawer>],
) -> Result<BTreeMap<Id<Drawer>, Vec<(Instant, Money)>>> {
    let rows = sqlx::query!(
        "select s.drawer_id, p.at, p.cash from desk_payment p join shift s on s.id = p.shift_id
         where s.drawer_id = any($1) and p.cash > 0 order by p.at, p.payment_id",
        &uuids(drawers),
    )
    .fetch_all(tx.conn())
    .await?;
    let mut taken: BTreeMap<Id<Drawer>, Vec<(Instant, Money)>> = BTreeMap::new();
    for row in rows {
        taken.entry(Id::from_uuid(row.drawer_id)).or_default().push((row.at, Money::vnd(row.cash)));
    }
    Ok(taken)
}

/// All that left each of these tills for payees and banks.
pub async fn left(tx: &mut Tx, drawers: &[Id<Drawer>]) -> Result<BTreeMap<Id<Drawer>, Money>> {
    let rows = sqlx::query!(
        r#"select d.id as "id!", (coalesce((
                 select sum(amount) from cash_deposit where drawer_id = d.id and payout_id is null), 0)
             + coalesce((select sum(o.amount) from desk_payout o join shift s on s.id = o.shift_id
                 where s.drawer_id = d.id), 0))::bigint as "left!"
         from unnest($1::uuid[]) as d (id)"#,
        &uuids(drawers),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (Id::from_uuid(row.id), Money::vnd(row.left))).collect())
}

/// What each of these tills owes other agencies, or whoever took their place: taken for them, and not yet carried to their
/// accounts.
pub async fn owed_by_tills(
    tx: &mut Tx,
    drawers: &[Id<Drawer>],
) -> Result<BTreeMap<Id<Drawer>, Vec<(Id<Agency>, Money)>>> {
    let rows = sqlx::query!(
        r#"select o.drawer_id as "drawer_id!", o.agency_id as "agency_id!", o.owed as "owed!" from (
             select k.drawer_id, k.agency_id, (sum(k.amount) - coalesce((
                 select sum(c.amount) from cash_deposit c
                 where c.drawer_id = k.drawer_id and coalesce(c.heir_id, c.agency_id) = k.agency_id), 0))::bigint as owed
             from (select drawer_id, coalesce(heir_id, agency_id) as agency_id, amount from desk_collection
                   where drawer_id = any($1)) k
             join drawer d on d.id = k.drawer_id and d.agency_id <> k.agency_id
             group by k.drawer_id, k.agency_id) o
         where o.owed > 0 order by o.drawer_id, o.agency_id"#,
        &uuids(drawers),
    )
    .fetch_all(tx.conn())
    .await?;
    let mut owed: BTreeMap<Id<Drawer>, Vec<(Id<Agency>, Money)>> = BTreeMap::new();
    for row in rows {
        let of = (Id::from_uuid(row.agency_id), Money::vnd(row.owed));
        owed.entry(Id::from_uuid(row.drawer_id)).or_default().push(of);
    }
    Ok(owed)
}

/// A card terminal's slip that waits for its money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardSlip {
    /// The payment.
    pub payment: Id<Payment>,
    /// Whose desk took it.
    pub agency: Id<Agency>,
    /// The slip's number.
    pub slip: String,
    /// How much.
    pub amount: Money,
    /// When.
    pub at: Instant,
}

/// The card slips of these agencies' desks that no credit has paid, the oldest first; all, or some.
pub async fn card_slips(
    tx: &mut Tx,
    agencies: &[Id<Agency>],
    some: Option<&[Id<Payment>]>,
) -> Result<Vec<CardSlip>> {
    let some = some.map(uuids);
    let rows = sqlx::query!(
        r#"select p.payment_id, d.agency_id, coalesce(p.slip, '') as "slip!", p.card, p.at
         from desk_payment p join shift s on s.id = p.shift_id join drawer d on d.id = s.drawer_id
         where d.agency_id = any($1) and p.card > 0 and coalesce(p.payment_id = any($2), true)
             and not exists (select from card_slip_settled c where c.payment_id = p.payment_id)
         order by p.at, p.payment_id limit 500"#,
        &uuids(agencies),
        some.as_deref(),
    )
    .fetch_all(tx.conn())
    .await?;
    let slip = rows.into_iter().map(|row| CardSlip {
        payment: Id::from_uuid(row.payment_id),
        agency: Id::from_uuid(row.agency_id),
        slip: row.slip,
        amount: Money::vnd(row.card),
        at: row.at,
    });
    Ok(slip.collect())
}

/// Notes what a card company paid, and what it kept.
pub async fn insert_settlement(
    tx: &mut Tx,
    (case, agency): (Id<Case>, Id<Agency>),
    (amount, discount): (Money, Money),
    by: Id<Citizen>,
    at: Instant,
) -> Result<()> {
    sqlx::query!(
        "insert into card_settlement (case_id, agency_id, amount, discount, by, at) values ($1, $2, $3, $4, $5, $6)",
        case.uuid(),
        agency.uuid(),
        amount.minor(),
        discount.minor(),
        by.uuid(),
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Notes for which slips it paid; one that was paid before violates `card_slip_settled_once`.
pub async fn insert_settled_slips(tx: &mut Tx, case: Id<Case>, payments: &[Id<Payment>]) -> Result<()> {
    sqlx::query!(
        "insert into card_slip_settled (payment_id, case_id) select p, $2 from unnest($1::uuid[]) as u (p)",
        &uuids(payments),
        case.uuid(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What a card company paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The credit.
    pub case: Id<Case>,
    /// What came.
    pub amount: Money,
    /// What it kept.
    pub discount: Money,
    /// For how many slips.
    pub slips: i64,
    /// When it was recorded.
    pub at: Instant,
}

/// The settlements of these agencies, the newest first.
pub async fn settlements(tx: &mut Tx, agencies: &[Id<Agency>]) -> Result<Vec<Settlement>> {
    let rows = sqlx::query!(
        r#"select s.case_id, s.amount, s.discount, s.at,
             (select count(*) from card_slip_settled c where c.case_id = s.case_id) as "slips!"
         from card_settlement s where s.agency_id = any($1) order by s.at desc limit 20"#,
        &uuids(agencies),
    )
    .fetch_all(tx.conn())
    .await?;
    let done = rows.into_iter().map(|row| Settlement {
        case: Id::from_uuid(row.case_id),
        amount: Money::vnd(row.amount),
        discount: Money::vnd(row.discount),
        slips: row.slips,
        at: row.at,
    });
    Ok(done.collect())
}

/// The agencies with tills, without those that were told on that day.
pub async fn agencies_with_cash(tx: &mut Tx, day: Day) -> Result<Vec<Id<Agency>>> {
    let rows = sqlx::query_scalar!(
        "select distinct d.agency_id from drawer d
         where exists (select from shift s where s.drawer_id = d.id)
             and not exists (select from cash_alarm a where a.agency_id = d.agency_id and a.day = $1)
         order by d.agency_id",
        day.date(),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(Id::from_uuid).collect())
}

/// Notes that agencies are told on that day, each since when its cash is kept; those that were not told yet.
pub async fn insert_alarms(
    tx: &mut Tx,
    since: &BTreeMap<Id<Agency>, Instant>,
    day: Day,
    at: Instant,
) -> Result<Vec<Id<Agency>>> {
    let agencies: Vec<Uuid> = since.keys().map(|agency| agency.uuid()).collect();
    let instants: Vec<Instant> = since.values().copied().collect();
    let mut told = sqlx::query_scalar!(
        "insert into cash_alarm (agency_id, day, since, at)
         select u.agency, $3, u.since, $4 from unnest($1::uuid[], $2::timestamptz[]) as u (agency, since)
         on conflict on constraint cash_alarm_once do nothing returning agency_id",
        &agencies,
        &instants,
        day.date(),
        at,
    )
    .fetch_all(tx.conn())
    .await?;
    told.sort_unstable();
    Ok(told.into_iter().map(Id::from_uuid).collect())
}
