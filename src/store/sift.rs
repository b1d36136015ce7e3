//! A day's lines and the books of the day, sifted set-wise: what is plain is never read, the rest comes in chunks.
//!
//! A line is plain when the books hold a credit of the statement's own day under its reference and with its amount, that
//! credit settled the payment that the line names if it names one, nothing else shows it, no other line has the reference, and
//! neither people nor a debit say otherwise. That is the only thing about matching that SQL decides; a test compares it with [`reconciliation`].
//!
//! [`reconciliation`]: crate::payment::reconciliation

use super::{Result, Tx};
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{self, Account, Id, Payment, StatementLine},
    money::Money,
};
use crate::payment::reconciliation::Line;
use uuid::Uuid;

/// The statement that is sifted.
#[derive(Debug, Clone, Copy)]
pub struct Sifting {
    /// The collecting account.
    pub account: Id<Account>,
    /// Its statement.
    pub statement: Id<id::Statement>,
    /// The bank's business day.
    pub day: Day,
    /// Whether the bank told it more than once: then lines may be left out.
    pub told_again: bool,
}

/// A reference that has to be judged.
pub struct Sifted {
    /// The reference.
    pub reference: String,
    /// Whether a line shows a credit of it.
    pub seen: bool,
    /// Whether a line shows a debit of it.
    pub gone: bool,
    /// Whether the revision that is judged left out a line with it.
    pub taken: bool,
}

/// From so many lines on, planning each statement for what it meets costs less than what it saves.
const MANY: usize = 2_000;

/// Lets the statements of this transaction read whole tables, with room to join them, if there are many `lines`: a day
/// may have a million of them.
pub async fn widen(tx: &mut Tx, lines: usize) -> Result<()> {
    if lines < MANY {
        return Ok(());
    }
    sqlx::query!(
        r#"select set_config('work_mem', '96MB', true) as a, set_config('enable_seqscan', 'on', true) as b,
               set_config('plan_cache_mode', 'force_custom_plan', true) as c"#
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(())
}

/// Sets aside what has to be judged line by line; `by_hand` are lines that people have matched. How many of the
/// statement's `lines` are among it.
pub async fn sift(tx: &mut Tx, of: Sifting, by_hand: &[Uuid], lines: usize) -> Result<usize> {
    let (account, statement, day) = (of.account.uuid(), of.statement.uuid(), of.day.date());
    sqlx::query!("delete from sifted where account_id = $1", account).execute(tx.conn()).await?;
    let counted = sqlx::query!(
        r#"with rest as (
               insert into sifted (account_id, servicer_reference, number, line_id, amount, payment_id)
               select $1, coalesce(l.servicer_reference, c.servicer_reference), coalesce(l.number, 0), l.id, l.amount,
                   l.payment_id
               from (
                   select n.id, n.number, n.servicer_reference, n.amount, n.payment_id
                   from statement_line n
                   where n.statement_id = $2
                       and not ($5 and exists (select from withdrawn_line x where x.line_id = n.id))
               ) l full join (
                   select b.servicer_reference, b.amount, b.payment_id,
                       b.outcome = 'settled' and w.line_id is null and d.entry_id is null as fit
                   from credit b
                   left join shown_credit w on w.account_id = $1 and w.servicer_reference = b.servicer_reference
                       and w.statement_id <> $2
                   left join debit d on d.account_id = $1 and d.servicer_reference = b.servicer_reference
                   where b.account_id = $1 and b.booked_on = $3
               ) c on c.servicer_reference = l.servicer_reference
               where not coalesce(c.fit and l.amount = c.amount and (l.payment_id is null or l.payment_id = c.payment_id)
                   and l.id <> all($4), false)
               returning servicer_reference, line_id
           )
           select count(line_id) as "lines!",
               count(distinct servicer_reference) filter (where exists (
                   select from credit b where b.account_id = $1 and b.servicer_reference = rest.servicer_reference
                       and b.booked_on = $3)) as "credits!",
               (select count(*) from credit b where b.account_id = $1 and b.booked_on = $3) as "of_day!"
           from rest"#,
        account,
        statement,
        day,
        by_hand,
        of.told_again,
    )
    .fetch_one(tx.conn())
    .await?;
    sqlx::query!(
        "insert into sifted (account_id, servicer_reference, number)
         select $1, servicer_reference, 0 from debit where account_id = $1 and booked_on = $2",
        account,
        day,
    )
    .execute(tx.conn())
    .await?;
    let mut rest = usize::try_from(counted.lines).unwrap_or(usize::MAX);
    // As many plain lines as plainly shown credits: then no credit is shown twice, and no reference has to be counted.
    let plain = lines.saturating_sub(rest);
    if usize::try_from(counted.of_day - counted.credits).ok() != Some(plain) {
        let repeated = sqlx::query!(
            "insert into sifted (account_id, servicer_reference, number, line_id, amount, payment_id)
             select $1, n.servicer_reference, n.number, n.id, n.amount, n.payment_id
             from statement_line n
             where n.statement_id = $2 and not exists (select from withdrawn_line x where x.line_id = n.id)
                 and not exists (select from sifted s where s.account_id = $1
                                 and s.servicer_reference = n.servicer_reference and s.number = n.number)
                 and n.servicer_reference in (
                     select m.servicer_reference from statement_line m
                     where m.statement_id = $2 and not exists (select from withdrawn_line x where x.line_id = m.id)
                     group by m.servicer_reference having count(*) > 1)",
            account,
            statement,
        )
        .execute(tx.conn())
        .await?;
        rest += usize::try_from(repeated.rows_affected()).unwrap_or(usize::MAX);
    }
    Ok(rest)
}

/// Keeps what the lines name that have to be judged: whoever waits for an answer in vain looks there.
pub async fn keep_names(tx: &mut Tx, account: Id<Account>) -> Result<()> {
    sqlx::query!(
        "insert into named_line (payment_id, line_id, account_id)
         select payment_id, line_id, account_id from sifted
         where account_id = $1 and payment_id is not null and line_id is not null
         on conflict on constraint named_line_once do nothing",
        account.uuid(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Notes which references are of lines that this revision left out. Movements of another day are judged with it: their own day
/// has long been.
pub async fn mark_taken(tx: &mut Tx, of: Sifting, revision: Uuid) -> Result<()> {
    sqlx::query!(
        "insert into sifted (account_id, servicer_reference, number)
         select distinct $1::uuid, l.servicer_reference, 0
         from withdrawn_line w join statement_line l on l.id = w.line_id
         where w.revision_id = $2 and (
             exists (select from credit c where c.account_id = $1 and c.servicer_reference = l.servicer_reference
                     and c.booked_on <> $3)
             or exists (select from debit d where d.account_id = $1 and d.servicer_reference = l.servicer_reference
                     and d.booked_on <> $3
                     and not exists (select from statement s join statement_line o on o.statement_id = s.id
                                     where s.account_id = $1 and s.day = d.booked_on
                                         and o.servicer_reference = d.servicer_reference
                                         and not exists (select from withdrawn_line x where x.line_id = o.id))))",
        of.account.uuid(),
        revision,
        of.day.date(),
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "update sifted s set taken = true from withdrawn_line w join statement_line l on l.id = w.line_id
         where w.revision_id = $2 and s.account_id = $1 and s.servicer_reference = l.servicer_reference",
        of.account.uuid(),
        revision,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Lines that have to be judged, ordered by reference and place, after that place.
pub async fn lines(
    tx: &mut Tx,
    account: Id<Account>,
    after: (&str, i32),
    limit: i64,
) -> Result<Vec<(i32, Line)>> {
    let rows = sqlx::query!(
        r#"select number, line_id as "line_id!", servicer_reference, amount as "amount!", payment_id from sifted
           where account_id = $1 and (servicer_reference, number) > ($2, $3) and line_id is not null
           order by servicer_reference, number limit $4"#,
        account.uuid(),
        after.0,
        after.1,
        limit,
    )
    .fetch_all(tx.conn())
    .await?;
    let lines = rows.into_iter().map(|row| {
        let line = Line {
            id: Id::from_uuid(row.line_id),
            reference: row.servicer_reference,
            amount: Money::vnd(row.amount),
            named: row.payment_id.map(Id::<Payment>::from_uuid),
        };
        (row.number, line)
    });
    Ok(lines.collect())
}

/// Notes which lines show a credit and which a debit, by reference and place.
pub async fn mark(
    tx: &mut Tx,
    account: Id<Account>,
    (references, numbers): (&[&str], &[i32]),
    (seen, gone): (&[bool], &[bool]),
) -> Result<()> {
    sqlx::query!(
        "update sifted s set seen = m.seen, gone = m.gone
         from unnest($2::text[], $3::integer[], $4::boolean[], $5::boolean[]) as m (reference, number, seen, gone)
         where s.account_id = $1 and s.servicer_reference = m.reference and s.number = m.number",
        account.uuid(),
        references as &[&str],
        numbers,
        seen,
        gone,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// References after that one, in order.
pub async fn references(tx: &mut Tx, account: Id<Account>, after: &str, limit: i64) -> Result<Vec<Sifted>> {
    let found = sqlx::query_as!(
        Sifted,
        r#"select servicer_reference as reference, bool_or(seen) as "seen!", bool_or(gone) as "gone!",
               bool_or(taken) as "taken!"
           from sifted where account_id = $1 and servicer_reference > $2
           group by servicer_reference order by servicer_reference limit $3"#,
        account.uuid(),
        after,
        limit,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(found)
}

/// Clears the pending cases about lines that are plain now, and about credits that were missing there and are plainly
/// shown. The count of cleared ones.
pub async fn clear_plain(tx: &mut Tx, of: Sifting, at: Instant) -> Result<u64> {
    let (account, statement) = (of.account.uuid(), of.statement.uuid());
    let lines = sqlx::query!(
        r#"update "case" c set state = 'cleared', ended_at = $3 from statement_line l
           where c.account_id = $1 and c.state in ('open', 'assigned') and c.servicer_reference is null
               and l.id = c.line_id and l.statement_id = $2
               and not exists (select from withdrawn_line w where w.line_id = l.id)
               and not exists (select from sifted s where s.account_id = $1
                               and s.servicer_reference = l.servicer_reference and s.number = l.number)"#,
        account,
        statement,
        at,
    )
    .execute(tx.conn())
    .await?;
    let credits = sqlx::query!(
        r#"update "case" c set state = 'cleared', ended_at = $3 from statement_line l
           where c.account_id = $1 and c.state in ('open', 'assigned') and c.kind = 'missing_there'
               and l.servicer_reference = c.servicer_reference and l.statement_id = $2
               and not exists (select from withdrawn_line w where w.line_id = l.id)
               and not exists (select from sifted s where s.account_id = $1
                               and s.servicer_reference = l.servicer_reference and s.number = l.number)"#,
        account,
        statement,
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(lines.rows_affected() + credits.rows_affected())
}

/// Clears the pending cases about these lines but for those that still differ, and about credits that were missing there
/// and are shown. The count of cleared ones.
pub async fn clear_judged(
    tx: &mut Tx,
    account: Id<Account>,
    (lines, still): (&[Uuid], &[Uuid]),
    shown: &[&str],
    at: Instant,
) -> Result<u64> {
    let done = sqlx::query!(
        r#"update "case" c set state = 'cleared', ended_at = $5
           where c.account_id = $1 and c.state in ('open', 'assigned') and (
               (c.servicer_reference is null and c.line_id = any($2) and c.line_id <> all($3))
               or (c.kind = 'missing_there' and c.servicer_reference = any($4)))"#,
        account.uuid(),
        lines,
        still,
        shown as &[&str],
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

/// Money that went and names something of ours, in the statement's order, after that place.
pub async fn outgoing(
    tx: &mut Tx,
    statement: Id<id::Statement>,
    after: i32,
    limit: i64,
) -> Result<Vec<(i32, Line)>> {
    let rows = sqlx::query!(
        r#"select number, id, servicer_reference, amount, payment_id as "payment_id!" from statement_line l
           where statement_id = $1 and number > $2 and amount < 0 and payment_id is not null
               and not exists (select from withdrawn_line w where w.line_id = l.id)
           order by number limit $3"#,
        statement.uuid(),
        after,
        limit,
    )
    .fetch_all(tx.conn())
    .await?;
    let lines = rows.into_iter().map(|row| {
        let line = Line {
            id: Id::<StatementLine>::from_uuid(row.id),
            reference: row.servicer_reference,
            amount: Money::vnd(row.amount),
            named: Some(Id::from_uuid(row.payment_id)),
        };
        (row.number, line)
    });
    Ok(lines.collect())
}
