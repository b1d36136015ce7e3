//! The books as journals: each posting in the accounts of the prescribed chart, with the day it was booked on and the
//! bank's own day. And from one line of a statement to everything behind it, and back.

use super::{Result, Tx};
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{self, Agency, Id},
};
use uuid::Uuid;

/// One posting of a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalRow {
    /// Its entry.
    pub entry: Uuid,
    /// The day it was booked on (Vietnam).
    pub booked_on: Day,
    /// The bank's business day of the money, where there is one: of a correction, that of what it corrects, however long
    /// that is closed.
    pub bank_day: Option<Day>,
    /// What the entry is about.
    pub kind: String,
    /// Our kind of account.
    pub account: String,
    /// The account of the chart, and its Vietnamese name.
    pub chart: (String, String),
    /// Above nothing: debit; below: credit.
    pub amount: i64,
    /// The dossier, where a bill is behind it.
    pub dossier: Option<String>,
}

/// Entries of a day between two names, in their order; at most `most`.
pub async fn entries(tx: &mut Tx, day: Day, (after, until): (Uuid, Uuid), most: i64) -> Result<Vec<Uuid>> {
    let entries = sqlx::query_scalar!(
        "select id from ledger_entry where booked_on = $1 and id > $2 and id < $3 order by id limit $4",
        day.date(),
        after,
        until,
        most
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(entries)
}

/// The postings of these entries of a day, as far as they are of these agencies' books, in the order of booking. The chart is the
/// one in force on the day.
pub async fn journal(
    tx: &mut Tx,
    agencies: &[Id<Agency>],
    day: Day,
    entries: &[Uuid],
) -> Result<Vec<JournalRow>> {
    let rows = sqlx::query!(
        r#"select e.id, e.booked_on, e.kind, l.kind as account, p.amount, coalesce(m.code, '') as "code!",
               coalesce(m.name_vi, '') as "name!", c.booked_on as "bank_day?", b.dossier as "dossier?"
           from ledger_entry e
           join posting p on p.entry_id = e.id and p.booked_on = e.booked_on
           join ledger_account l on l.id = p.account_id
           left join lateral (
               select code, name_vi from chart_mapping m where m.kind = l.kind and m.valid_from <= e.booked_on
               order by m.valid_from desc limit 1) m on true
           left join payment y on y.id = e.subject
           left join bill b on b.id = y.bill_id
           left join lateral (
               select c.booked_on from credit c where c.payment_id = y.id and c.entry_id = e.id
               union all
               select c.booked_on from suspense u join credit c on c.account_id = u.account_id
                   and c.servicer_reference = u.servicer_reference
               where e.kind in ('suspended', 'released') and u.id = e.subject
               union all
               select d.booked_on from debit d where e.kind = 'refunded' and d.refund_id = e.subject
               union all
               select d.booked_on from debit d where e.kind = 'remitted' and d.payout_id = e.subject
               union all
               select r.day from ledger_record r where e.kind in ('charged', 'discounted') and r.entry_id = e.id
               union all
               select coalesce(c.booked_on, d.booked_on) from reversal r
                   left join credit c on c.account_id = r.account_id and c.servicer_reference = r.servicer_reference
                   left join debit d on d.account_id = r.account_id and d.servicer_reference = r.servicer_reference
               where e.kind = 'corrected' and r.entry_id in (e.id, e.subject)
               limit 1) c on true
           where e.booked_on = $2 and e.id = any($3) and p.entry_id = any($3)
             and exists (
                 select from posting o join ledger_account ol on ol.id = o.account_id
                 left join collecting_account oa on oa.id = ol.account_id
                 where o.entry_id = e.id and o.booked_on = e.booked_on and (ol.agency_id = any($1) or oa.owner_id = any($1)))
           order by e.id, p.account_id"#,
        &agencies.iter().map(|agency| agency.uuid()).collect::<Vec<_>>(),
        day.date(),
        entries,
    )
    .fetch_all(tx.conn())
    .await?;
    let found = rows.into_iter().map(|row| JournalRow {
        entry: row.id,
        booked_on: Day::from_date(row.booked_on),
        bank_day: row.bank_day.map(Day::from_date),
        kind: row.kind,
        account: row.account,
        chart: (row.code, row.name),
        amount: row.amount,
        dossier: row.dossier,
    });
    Ok(found.collect())
}

/// A line of a statement with everything behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TracedLine {
    /// The line.
    pub line: Id<id::StatementLine>,
    /// Its place on the statement, from 1.
    pub number: i32,
    /// The bank's reference.
    pub reference: String,
    /// Above nothing when money came.
    pub amount: i64,
    /// When the payer's bank took the order, if it said so.
    pub accepted_at: Option<Instant>,
    /// The day from which it counts.
    pub value_on: Day,
    /// Whether the bank left it out when it told the day again.
    pub left_out: bool,
    /// What became of the credit that it shows.
    pub outcome: Option<String>,
    /// The payment.
    pub payment: Option<Uuid>,
    /// The bill, its dossier and its reference.
    pub bill: Option<(Uuid, String, String)>,
    /// The fees with their legal basis, as the bill holds them.
    pub fees: Option<serde_json::Value>,
    /// The receipts that hold or held: identifier and number.
    pub receipts: Vec<(Uuid, String)>,
    /// Those that another issuer made, by name.
    pub elsewhere: Vec<String>,
}

/// Lines of a statement in their order, after that number, at most `most`; bills of other agencies are not told.
pub async fn traced(
    tx: &mut Tx,
    (agencies, statement): (&[Id<Agency>], Id<id::Statement>),
    after: i32,
    most: i64,
) -> Result<Vec<TracedLine>> {
    let rows = sqlx::query!(
        r#"select t.id, t.number, t.servicer_reference, t.amount, t.accepted_at,
               coalesce(t.value_on, s.day) as "value_on!",
               exists (select from withdrawn_line w where w.line_id = t.id) as "left_out!", c.outcome as "outcome?",
               c.payment_id as "payment?", b.id as "bill?", b.dossier as "dossier?", b.reference as "bill_reference?",
               bc.lines as "fees?",
               array(select r.id from receipt r where r.bill_id = b.id order by r.id) as "receipt_ids!",
               array(select r.number from receipt r where r.bill_id = b.id order by r.id) as "receipt_numbers!",
               array(select p.form || ' ' || p.series || ' ' || p.number from provided_receipt p where p.bill_id = b.id
                   order by p.kind desc, p.owner_id) as "elsewhere!"
           from statement_line t
           join statement s on s.id = t.statement_id
           left join credit c on c.account_id = t.account_id and c.servicer_reference = t.servicer_reference
           left join payment y on y.id = c.payment_id
           left join bill b on b.id = y.bill_id and b.agency_id = any($4)
           left join bill_content bc on bc.bill_id = b.id
           where t.statement_id = $1 and t.number > $2 order by t.number limit $3"#,
        statement.uuid(),
        after,
        most,
        &agencies.iter().map(|agency| agency.uuid()).collect::<Vec<_>>()
    )
    .fetch_all(tx.conn())
    .await?;
    let lines = rows.into_iter().map(|row| TracedLine {
        line: Id::from_uuid(row.id),
        number: row.number,
        reference: row.servicer_reference,
        amount: row.amount,
        accepted_at: row.accepted_at,
        value_on: Day::from_date(row.value_on),
        left_out: row.left_out,
        outcome: row.outcome,
        payment: row.payment,
        bill: row
            .bill
            .zip(row.dossier)
            .zip(row.bill_reference)
            .map(|((id, dossier), name)| (id, dossier, name)),
        fees: row.fees,
        receipts: row.receipt_ids.into_iter().zip(row.receipt_numbers).collect(),
        elsewhere: row.elsewhere,
    });
    Ok(lines.collect())
}

/// Where the bank shows the money of a payment, its own or that of its card slip, of its transfer at a desk or of the decision that
/// made it of money in suspense, be the line its own or one that people found to hold it: statement, its day, the line and its number.
pub async fn shown_at(tx: &mut Tx, payment: Id<id::Payment>) -> Result<Option<(Uuid, Day, Uuid, i32)>> {
    let row = sqlx::query!(
        r#"with came as (
               select account_id, servicer_reference from credit where payment_id = $1 and outcome = 'settled'
               union all
               select u.account_id, u.servicer_reference from suspense u where u.id in (
                   select case_id from card_slip_settled where payment_id = $1
                   union all select case_id from desk_payment where payment_id = $1
                   union all select suspense_id from suspense_decision where payment_id = $1)
           ), shown as (
               select w.line_id from came c
                   join credit_shown w on w.account_id = c.account_id and w.servicer_reference = c.servicer_reference
               union all
               select o.line_id from came c
                   join "case" k on k.account_id = c.account_id and k.servicer_reference = c.servicer_reference
                   join match_member m on m.case_id = k.id and m.living
                   join match_group g on g.id = m.group_id and g.state = 'matched'
                   join match_member n on n.group_id = g.id and n.living join "case" o on o.id = n.case_id
               where o.line_id is not null)
           select s.id, s.day, t.id as line, t.number
           from shown join statement_line t on t.id = shown.line_id join statement s on s.id = t.statement_id
           order by s.day, t.number limit 1"#,
        payment.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| (row.id, Day::from_date(row.day), row.line, row.number)))
}
