//! The payments behind lines of a statement that name none themselves: what people found to belong together, what card slips, a
//! transfer at a desk or a decision made of money in suspense, what an order passed on, what a refund gave back.

use super::{Result, Tx};
use crate::base::id::{Agency, Id, Payment, StatementLine};
use serde_json::Value;
use uuid::Uuid;

/// A payment behind a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behind {
    /// The line.
    pub line: Id<StatementLine>,
    /// Of how many this is one.
    pub of: i64,
    /// How it belongs to the line.
    pub why: String,
    /// The payment.
    pub payment: Id<Payment>,
    /// The bill, its dossier and its reference; none of another agency's.
    pub bill: Option<(Uuid, String, String)>,
    /// The fees with their legal basis, as the bill holds them.
    pub fees: Option<Value>,
    /// The receipts that hold or held: identifier and number.
    pub receipts: Vec<(Uuid, String)>,
    /// Those that another issuer made, by name.
    pub elsewhere: Vec<String>,
}

/// What is behind these lines, at most so many of each.
pub async fn payments(
    tx: &mut Tx,
    agencies: &[Id<Agency>],
    lines: &[Id<StatementLine>],
    most: i64,
) -> Result<Vec<Behind>> {
    let rows = sqlx::query!(
        r#"with asked as (
               select id, account_id, servicer_reference, payment_id from statement_line where id = any($1)
           ), held as (
               select a.id as line_id, u.id as case_id
               from asked a join suspense u on u.account_id = a.account_id and u.servicer_reference = a.servicer_reference
           ), found as (
               select a.id as line_id, c.payment_id, 'matched' as why
               from asked a join "case" k on k.line_id = a.id join match_member m on m.case_id = k.id and m.living
                   join match_group g on g.id = m.group_id and g.state = 'matched'
                   join match_member o on o.group_id = g.id and o.living join "case" ok on ok.id = o.case_id
                   join credit c on c.account_id = a.account_id and c.servicer_reference = ok.servicer_reference
               where c.payment_id is not null
               union select h.line_id, s.payment_id, 'card' from held h join card_slip_settled s on s.case_id = h.case_id
               union select h.line_id, d.payment_id, 'desk' from held h join desk_payment d on d.case_id = h.case_id
               union select h.line_id, d.payment_id, 'released' from held h join suspense_decision d on d.suspense_id = h.case_id
               where d.payment_id is not null
               union select a.id, i.payment_id, 'passed_on' from asked a join payout_item i on i.payout_id = a.payment_id
               union select a.id, r.payment_id, 'refunded' from asked a join refund r on r.id = a.payment_id
               where r.payment_id is not null
           ), few as (
               select f.*, row_number() over (partition by line_id order by payment_id) as nth,
                   count(*) over (partition by line_id) as many
               from found f
           )
           select f.line_id as "line_id!", f.why as "why!", f.payment_id as "payment_id!", f.many as "many!", b.id as "bill?",
               b.dossier as "dossier?", b.reference as "reference?", bc.lines as "fees?",
               array(select r.id from receipt r where r.bill_id = b.id order by r.id) as "receipt_ids!",
               array(select r.number from receipt r where r.bill_id = b.id order by r.id) as "receipt_numbers!",
               array(select p.form || ' ' || p.series || ' ' || p.number from provided_receipt p where p.bill_id = b.id
                   order by p.kind desc, p.owner_id) as "elsewhere!"
           from few f join payment y on y.id = f.payment_id
               left join bill b on b.id = y.bill_id and b.agency_id = any($2)
               left join bill_content bc on bc.bill_id = b.id
           where f.nth <= $3 order by f.line_id, f.nth"#,
        &lines.iter().map(|line| line.uuid()).collect::<Vec<_>>(),
        &agencies.iter().map(|agency| agency.uuid()).collect::<Vec<_>>(),
        most,
    )
    .fetch_all(tx.conn())
    .await?;
    let found = rows.into_iter().map(|row| Behind {
        line: Id::from_uuid(row.line_id),
        of: row.many,
        why: row.why,
        payment: Id::from_uuid(row.payment_id),
        bill: row.bill.zip(row.dossier).zip(row.reference).map(|((id, dossier), name)| (id, dossier, name)),
        fees: row.fees,
        receipts: row.receipt_ids.into_iter().zip(row.receipt_numbers).collect(),
        elsewhere: row.elsewhere,
    });
    Ok(found.collect())
}
