//! Lines of statements that two people book as the credits that they are.

use super::{Result, Tx, statement::StoredStatement};
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{self, Id, Payment, StatementLine},
    money::Money,
};
use uuid::Uuid;

/// A line as its bank tells it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The bank's own reference of the movement.
    pub reference: String,
    /// Above nothing when money came.
    pub amount: Money,
    /// The payment that it names, if that looks like ours.
    pub named: Option<Id<Payment>>,
    /// When the payer's bank took the order.
    pub accepted_at: Option<Instant>,
    /// The day from which it counts, where that is another than the statement's.
    pub value_on: Option<Day>,
    /// Its statement.
    pub statement: Id<id::Statement>,
}

/// A line that no later telling left out.
pub async fn line(tx: &mut Tx, line: Id<StatementLine>) -> Result<Option<Line>> {
    let row = sqlx::query!(
        "select l.servicer_reference, l.amount, l.payment_id, l.accepted_at, l.value_on, l.statement_id
         from statement_line l
         where l.id = $1 and not exists (select from withdrawn_line w where w.line_id = l.id)",
        line.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| Line {
        reference: row.servicer_reference,
        amount: Money::vnd(row.amount),
        named: row.payment_id.map(Id::from_uuid),
        accepted_at: row.accepted_at,
        value_on: row.value_on.map(Day::from_date),
        statement: Id::from_uuid(row.statement_id),
    }))
}

/// Takes what a line of a matched statement told into the day's sums: the books hold it now, so that it needs no explanation any
/// more; it counts as matched if nothing else is wrong with it.
pub async fn count_booked(tx: &mut Tx, statement: &StoredStatement, amount: Money, fits: bool) -> Result<()> {
    sqlx::query!(
        "update statement set posted = posted + $2, explained = explained - $2, matched = matched + $3
         where id = $1 and reconciled_at is not null",
        statement.id.uuid(),
        amount.minor(),
        i32::from(fits),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The case of money in suspense learns which line shows it, and what that states.
pub async fn show_in_case(
    tx: &mut Tx,
    (statement, reference): (&StoredStatement, &str),
    (line, amount): (Id<StatementLine>, Money),
) -> Result<()> {
    sqlx::query!(
        r#"update "case" set line_id = $3, stated = $4
           where account_id = $1 and servicer_reference = $2 and line_id is null and state <> 'cleared'"#,
        statement.account.uuid(),
        reference,
        line.uuid(),
        amount.minor(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A match whose line was booked holds nothing any more: the credit speaks for itself.
pub async fn let_go(tx: &mut Tx, group: Uuid) -> Result<()> {
    sqlx::query!("update match_member set living = false where group_id = $1", group)
        .execute(tx.conn())
        .await?;
    Ok(())
}
