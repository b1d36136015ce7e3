//! What the books know of an account's day, read set-wise for matching it with the bank's statement.

use super::{Result, StoreError, Tx, inbox};
use crate::{
    base::{
        calendar::Day,
        clock::Instant,
        id::{self, Account, Agency, Id, Payment},
        money::Money,
    },
    payment::reconciliation::{Attempt, Credit},
};
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

/// The credits of the account that have one of these references, with the line of another statement that shows it, and
/// the agency whose attempt it names.
pub async fn credits(
    tx: &mut Tx,
    account: Id<Account>,
    references: &[&str],
    statement: Id<id::Statement>,
) -> Result<Vec<(Credit, Option<Id<Agency>>)>> {
    let rows = sqlx::query!(
        r#"with shown as materialized (
               select s.servicer_reference, s.line_id from credit_shown s
               where s.account_id = $1 and s.servicer_reference = any($2) and s.statement_id <> $3
           )
           select c.servicer_reference, c.amount, c.payment_id, c.outcome, c.booked_on,
               p.amount as "asked?", b.agency_id as "agency_id?",
               (select s.line_id from shown s where s.servicer_reference = c.servicer_reference limit 1) as shown_by
           from credit c
           left join payment p on p.id = c.payment_id
           left join bill b on b.id = p.bill_id
           where c.account_id = $1 and c.servicer_reference = any($2)
           order by c.servicer_reference"#,
        account.uuid(),
        references as &[&str],
        statement.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            let outcome = inbox::outcome(&row.outcome)
                .ok_or_else(|| StoreError::corrupt("credit", "outcome", &row.servicer_reference))?;
            let credit = Credit {
                reference: row.servicer_reference,
                amount: Money::vnd(row.amount),
                payment: row.payment_id.map(Id::from_uuid),
                asked: row.asked.map(Money::vnd),
                outcome,
                booked_on: Day::from_date(row.booked_on),
                shown_by: row.shown_by.map(Id::from_uuid),
            };
            Ok((credit, row.agency_id.map(Id::from_uuid)))
        })
        .collect()
}

/// The attempts among these that asked money to this account, each with its agency.
pub async fn attempts(
    tx: &mut Tx,
    account: Id<Account>,
    named: &[Uuid],
) -> Result<HashMap<Id<Payment>, (Attempt, Id<Agency>)>> {
    let rows = sqlx::query!(
        r#"select p.id, p.amount, p.state = 'settled' as "settled!", b.agency_id
           from payment p join bill b on b.id = p.bill_id where p.id = any($2) and p.account_id = $1"#,
        account.uuid(),
        named,
    )
    .fetch_all(tx.conn())
    .await?;
    let attempt = rows.into_iter().map(|row| {
        let attempt = Attempt { asked: Money::vnd(row.amount), settled: row.settled };
        (Id::from_uuid(row.id), (attempt, Id::from_uuid(row.agency_id)))
    });
    Ok(attempt.collect())
}

/// What the ledger posted to the account for the credits and debits that its bank booked on `day`.
pub async fn posted(tx: &mut Tx, account: Id<Account>, day: Day) -> Result<Money> {
    if let Some(sum) = posted_that_day(tx, account, day).await? {
        return Ok(sum);
    }
    let sum = sqlx::query_scalar!(
        r#"select coalesce(sum(p.amount), 0)::bigint as "sum!"
           from (select entry_id from credit where account_id = $1 and booked_on = $2
                 union all select entry_id from debit where account_id = $1 and booked_on = $2) as m
           join ledger_account l on l.kind = 'clearing' and l.account_id = $1
           join posting p on p.entry_id = m.entry_id and p.account_id = l.id"#,
        account.uuid(),
        day.date(),
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(Money::vnd(sum))
}

/// The same, if what the ledger posted to the account on that very day is those credits and debits and nothing else, as it
/// mostly is: as many, the same entries and the same amounts by the sum of their hashes. Two sums are cheaper than a join.
async fn posted_that_day(tx: &mut Tx, account: Id<Account>, day: Day) -> Result<Option<Money>> {
    let sum = sqlx::query_scalar!(
        r#"with told as (
               select count(*) as many, sum(amount) as sum, sum(uuid_hash_extended(entry_id, amount)) as hashes
               from (select entry_id, amount from credit where account_id = $1 and booked_on = $2
                     union all select entry_id, -amount from debit where account_id = $1 and booked_on = $2) as m
           ), posted as (
               select count(*) as many, sum(p.amount) as sum, sum(uuid_hash_extended(p.entry_id, p.amount)) as hashes
               from ledger_account l join posting p on p.account_id = l.id and p.booked_on = $2
               where l.kind = 'clearing' and l.account_id = $1
           )
           select p.sum::bigint as "sum!" from told t join posted p using (many, sum, hashes)"#,
        account.uuid(),
        day.date(),
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(sum.map(Money::vnd))
}

/// An attempt that was asked about in vain and that no line names.
pub struct SilentAttempt {
    /// Which.
    pub payment: Id<Payment>,
    /// How much it asked for.
    pub amount: Money,
    /// When it began.
    pub begun: Instant,
    /// Since when nobody answers.
    pub since: Instant,
}

/// Attempts that asked money to this account, were asked about in vain, and that no line of a statement names; the longest silent
/// first, those after that one.
pub async fn silent_attempts(
    tx: &mut Tx,
    account: Id<Account>,
    after: Option<(Instant, Id<Payment>)>,
    limit: i64,
) -> Result<Vec<SilentAttempt>> {
    let rows = sqlx::query!(
        "select l.payment_id, l.since, p.amount, p.created_at from live_attempt l join payment p on p.id = l.payment_id
         where l.next_at is null and p.account_id = $1
             and not exists (
                 select from named_line n where n.account_id = $1 and n.payment_id = l.payment_id
                     and not exists (select from withdrawn_line w where w.line_id = n.line_id))
             and ($3::timestamptz is null or (l.since, l.payment_id) > ($3, $4))
         order by l.since, l.payment_id limit $2",
        account.uuid(),
        limit,
        after.map(|one| one.0),
        after.map(|one| one.1.uuid()),
    )
    .fetch_all(tx.conn())
    .await?;
    let silent = rows.into_iter().map(|row| SilentAttempt {
        payment: Id::from_uuid(row.payment_id),
        amount: Money::vnd(row.amount),
        begun: row.created_at,
        since: row.since,
    });
    Ok(silent.collect())
}

/// The days from one on of which the account has a statement.
pub async fn told_days(tx: &mut Tx, account: Id<Account>, from: Day) -> Result<BTreeSet<Day>> {
    let days = sqlx::query_scalar!(
        "select day from statement where account_id = $1 and day >= $2",
        account.uuid(),
        from.date()
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(days.into_iter().map(Day::from_date).collect())
}
