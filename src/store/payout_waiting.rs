//! Money that goes on with the next orders from its account: what had to wait, and what reached the account another way
//! than by its own credit.

use super::{Result, Tx};
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{Account, Agency, Bill, Id, Payment, Payout},
};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Paid lines whose money lies in an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payable {
    /// The payment.
    pub payment: Id<Payment>,
    /// Its bill.
    pub bill: Id<Bill>,
    /// The bank's day of the credit that brought it.
    pub booked: Day,
    /// Only this owner's lines.
    pub of: Option<Id<Agency>>,
    /// The bank's reference of that credit.
    pub servicer_reference: String,
    /// Its place among what waits, if it waits.
    pub waits: Option<i64>,
    /// The orders that a bank did not take and that were to pass it on.
    pub let_go: Vec<Id<Payout>>,
}

/// What waits in an account and is shown by a statement, or was found on one by people, after a place.
pub async fn waiting(tx: &mut Tx, account: Id<Account>, after: i64, limit: i64) -> Result<Vec<Payable>> {
    let rows = sqlx::query!(
        r#"select w.id, w.payment_id, p.bill_id, w.booked_on, w.agency_id, w.servicer_reference, w.let_go
         from payout_waiting w join payment p on p.id = w.payment_id and p.state = 'settled'
         where w.account_id = $1 and w.id > $2
             and (exists (select from credit_shown s
                     where s.account_id = w.account_id and s.servicer_reference = w.servicer_reference)
                 or exists (select from credit_found f
                     where f.account_id = w.account_id and f.servicer_reference = w.servicer_reference))
         order by w.id limit $3"#,
        account.uuid(),
        after,
        limit,
    )
    .fetch_all(tx.conn())
    .await?;
    let found = rows.into_iter().map(|row| Payable {
        payment: Id::from_uuid(row.payment_id),
        bill: Id::from_uuid(row.bill_id),
        booked: Day::from_date(row.booked_on),
        of: row.agency_id.map(Id::from_uuid),
        servicer_reference: row.servicer_reference,
        waits: Some(row.id),
        let_go: row.let_go.into_iter().map(Id::from_uuid).collect(),
    });
    Ok(found.collect())
}

/// Lets these wait for the next orders from the account.
pub async fn keep(tx: &mut Tx, account: Id<Account>, waiting: &[Payable], at: Instant) -> Result<()> {
    let payments: Vec<Uuid> = waiting.iter().map(|one| one.payment.uuid()).collect();
    let agencies: Vec<Option<Uuid>> = waiting.iter().map(|one| one.of.map(Id::uuid)).collect();
    let references: Vec<String> = waiting.iter().map(|one| one.servicer_reference.clone()).collect();
    let days: Vec<time::Date> = waiting.iter().map(|one| one.booked.date()).collect();
    sqlx::query!(
        "insert into payout_waiting (payment_id, agency_id, account_id, servicer_reference, booked_on, since)
         select w.payment_id, w.agency_id, $1, w.reference, w.booked_on, $6
         from unnest($2::uuid[], $3::uuid[], $4::text[], $5::date[]) as w (payment_id, agency_id, reference, booked_on)
         on conflict on constraint payout_waiting_once do nothing",
        account.uuid(),
        &payments,
        &agencies as &[Option<Uuid>],
        &references,
        &days,
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// These wait no longer: they went on, or there is nothing of them to go.
pub async fn gone(tx: &mut Tx, places: &[i64]) -> Result<()> {
    sqlx::query!("delete from payout_waiting where id = any($1)", places).execute(tx.conn()).await?;
    Ok(())
}

/// Lets the whole of these payments wait for the next orders, in the account that their credits brought them to, of
/// themselves or by a decision: what an order that was not carried out let go, or what left suspense.
pub async fn keep_paid(tx: &mut Tx, payments: &[Id<Payment>], at: Instant) -> Result<()> {
    let payments: Vec<Uuid> = payments.iter().map(|id| id.uuid()).collect();
    sqlx::query!(
        "insert into payout_waiting (payment_id, agency_id, account_id, servicer_reference, booked_on, since)
         select c.payment_id, null::uuid, c.account_id, c.servicer_reference, c.booked_on, $2::timestamptz
         from credit c where c.payment_id = any($1) and c.outcome = 'settled'
         union all
         select d.payment_id, null::uuid, s.account_id, s.servicer_reference, c.booked_on, $2::timestamptz
         from suspense_decision d join suspense s on s.id = d.suspense_id
         join credit c on c.account_id = s.account_id and c.servicer_reference = s.servicer_reference
         where d.payment_id = any($1)
         on conflict on constraint payout_waiting_once do nothing",
        &payments,
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Notes which orders let these payments go that wait now.
pub async fn note_let_go(tx: &mut Tx, let_go: &BTreeSet<(Id<Payment>, Id<Payout>)>) -> Result<()> {
    let payments: Vec<Uuid> = let_go.iter().map(|one| one.0.uuid()).collect();
    let orders: Vec<Uuid> = let_go.iter().map(|one| one.1.uuid()).collect();
    sqlx::query!(
        "update payout_waiting w set let_go = w.let_go || l.orders
         from (select payment_id, array_agg(payout_id) as orders
             from unnest($1::uuid[], $2::uuid[]) as l (payment_id, payout_id) group by payment_id) l
         where w.payment_id = l.payment_id",
        &payments,
        &orders,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Lets wait what desks took and what of it has reached an account of this agency by now: cash first in, first out, once
/// a statement shows the slip that carried it; a card slip once it is paid; a transfer at once. What a till owes others is
/// set aside before its own agency's cash counts as carried. What was owed to an agency that is no more comes to its
/// successor, and goes on as that agency's; so does what that agency's own tills took, whichever shift it was, since the till
/// and what lies in it have passed on. Only where a rule says where it goes. What was ordered before waits no more, but for
/// payments that an order of theirs has let go, whatever other orders of theirs did.
pub async fn cover_desks(tx: &mut Tx, agency: Id<Agency>, let_go: &[Id<Payment>], at: Instant) -> Result<()> {
    let let_go: Vec<Uuid> = let_go.iter().map(|id| id.uuid()).collect();
    sqlx::query!(
        r#"with flow as (
             select p.payment_id, h.drawer_id, case
                     when exists (select from desk_collection k where k.payment_id = p.payment_id and k.agency_id = b.agency_id)
                     then h.agency_id else b.agency_id end as of,
                 p.at, p.card, p.case_id, (p.cash - coalesce((
                 select sum(k.amount) from desk_collection k where k.payment_id = p.payment_id), 0))::bigint as cash
             from desk_payment p join shift h on h.id = p.shift_id join drawer w on w.id = h.drawer_id
             join payment q on q.id = p.payment_id join bill b on b.id = q.bill_id
             where w.agency_id = $1
             union all
             select k.payment_id, k.drawer_id, k.agency_id, p.at, 0, null, k.amount
             from desk_collection k join desk_payment p on p.payment_id = k.payment_id
             where coalesce(k.heir_id, k.agency_id) = $1
             union all
             select p.payment_id, h.drawer_id, $1, p.at, 0, p.case_id, 0
             from desk_payment p join shift h on h.id = p.shift_id join drawer w on w.id = h.drawer_id
             join suspense s on s.id = p.case_id join collecting_account a on a.id = s.account_id
             where coalesce(a.heir_id, a.owner_id) = $1 and w.agency_id <> $1
                 and not exists (select from desk_collection k where k.payment_id = p.payment_id and k.agency_id = $1)),
           taken as (
             select f.*, sum(f.cash) over (partition by f.drawer_id order by f.at, f.payment_id) as due from flow f),
           brought as (
             select d.drawer_id, d.case_id,
                 sum(d.amount) over (partition by d.drawer_id order by d.confirmed_at, d.id) as upto
             from cash_deposit d
             where d.case_id is not null and coalesce(d.heir_id, d.agency_id) = $1),
           aside as (
             select w.id as drawer_id, coalesce((
                     select sum(o.amount) from desk_payout o join shift h on h.id = o.shift_id where h.drawer_id = w.id), 0)
                 - greatest(0, coalesce((select sum(k.amount) from desk_collection k where k.drawer_id = w.id), 0)
                     - coalesce((select sum(d.amount) from cash_deposit d
                         where d.drawer_id = w.id and coalesce(d.heir_id, d.agency_id) <> $1 and d.payout_id is null), 0)) as more
             from drawer w where w.agency_id = $1)
         insert into payout_waiting (payment_id, agency_id, account_id, servicer_reference, booked_on, since)
         select t.payment_id, t.of, s.account_id, s.servicer_reference, c.booked_on, $2
         from taken t
         left join aside a on a.drawer_id = t.drawer_id
         left join lateral (
             select b.case_id from brought b where b.drawer_id = t.drawer_id and b.upto + coalesce(a.more, 0) >= t.due
             order by b.upto limit 1) b on t.cash > 0
         left join card_slip_settled k on k.payment_id = t.payment_id and t.card > 0
         join suspense s on s.id = coalesce(b.case_id, k.case_id, t.case_id)
         join credit c on c.account_id = s.account_id and c.servicer_reference = s.servicer_reference
         where (t.cash <= 0 or b.case_id is not null) and (t.card = 0 or k.case_id is not null)
             and (t.payment_id = any($3)
                 or not exists (select from payout_item i where i.payment_id = t.payment_id and i.agency_id = t.of))
             and exists (select from payout_rule r where r.agency_id = t.of and r.valid_from <= c.booked_on)
         on conflict on constraint payout_waiting_once do nothing"#,
        agency.uuid(),
        at,
        &let_go,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
