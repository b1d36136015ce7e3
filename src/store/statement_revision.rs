//! Days that a bank tells again: what was added, what was left out, which cases begin again, what is reversed.

use super::{Result, Tx, matching};
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{self, Account, Agency, Entry, Id, StatementLine},
    money::Money,
};
use crate::crypto::digest::Digest;
use crate::payment::statement::Statement;
use std::collections::BTreeMap;
use uuid::Uuid;

/// The number of the last line that a statement ever had.
pub async fn last_number(tx: &mut Tx, statement: Id<id::Statement>) -> Result<usize> {
    let last = sqlx::query_scalar!(
        r#"select coalesce(max(number), 0) as "last!" from statement_line where statement_id = $1"#,
        statement.uuid(),
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(usize::try_from(last).unwrap_or(0))
}

/// Keeps another telling of a statement's day beside the first one.
pub async fn insert(
    tx: &mut Tx,
    (revision, statement, version): (Uuid, Id<id::Statement>, i32),
    told: &Statement,
    message: Uuid,
    at: Instant,
) -> Result<()> {
    sqlx::query!(
        "insert into statement_revision (id, statement_id, version, digest, message, opening, closing, lines, told_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        revision,
        statement.uuid(),
        version,
        told.digest.as_slice(),
        message,
        told.balances.opening.minor(),
        told.balances.closing.minor(),
        i32::try_from(told.lines).unwrap_or(i32::MAX),
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What follows for lines that a revision left out: they show no credit, the cases about them that wait are done with.
pub async fn withdraw(tx: &mut Tx, revision: Uuid, at: Instant) -> Result<()> {
    sqlx::query!(
        "delete from shown_credit where line_id in (select line_id from withdrawn_line where revision_id = $1)",
        revision,
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        r#"update "case" set state = 'cleared', ended_at = $2
           where line_id in (select line_id from withdrawn_line where revision_id = $1)
               and servicer_reference is null and state in ('open', 'assigned')"#,
        revision,
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Begins the cases again that were resolved on the word of lines that a revision left out, alone or together with others, or about
/// credits that those lines showed; a match that one of them was part of holds no more. Money whose case was about another sum is missing there. Which cases
/// began again: as many as people had resolved.
pub async fn reopen(tx: &mut Tx, revision: Uuid) -> Result<Vec<Id<id::Case>>> {
    let about = sqlx::query_scalar!(
        r#"with gone as (
               select l.id, l.account_id, l.servicer_reference from withdrawn_line w join statement_line l on l.id = w.line_id
               where w.revision_id = $1)
           select c.id as "id!" from gone g join "case" c on c.line_id = g.id
           union
           select c.id from gone g join "case" c on c.account_id = g.account_id and c.servicer_reference = g.servicer_reference
           where c.line_id is null and c.state = 'resolved'
           order by 1"#,
        revision,
    )
    .fetch_all(tx.conn())
    .await?;
    let reopened = matching::begin_again(tx, &about).await?;
    // What a case's money was shown by is gone; the credit itself is still there. Of a line without credit nothing is stated any more.
    sqlx::query!(
        r#"update "case" c set stated = null, line_id = case when c.servicer_reference is null then c.line_id end,
               kind = case when c.servicer_reference is null or exists (select from suspense s where s.id = c.id) then c.kind
                      else 'missing_there' end
           where c.line_id in (select line_id from withdrawn_line where revision_id = $1) and c.state in ('open', 'assigned')"#,
        revision,
    )
    .execute(tx.conn())
    .await?;
    Ok(reopened)
}

/// Notes on cases that they began again.
pub async fn note_reopened(tx: &mut Tx, notes: &[(Uuid, Id<id::Case>)], at: Instant) -> Result<()> {
    let ids: Vec<Uuid> = notes.iter().map(|note| note.0).collect();
    let cases: Vec<Uuid> = notes.iter().map(|note| note.1.uuid()).collect();
    sqlx::query!(
        "insert into case_note (id, case_id, at, act)
         select n.id, n.case_id, $3, 'reopened' from unnest($1::uuid[], $2::uuid[]) as n (id, case_id)",
        &ids,
        &cases,
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The entries by which these movements of an account were booked, of those that no reversal stands for.
pub async fn booked(
    tx: &mut Tx,
    account: Id<Account>,
    references: &[&str],
) -> Result<BTreeMap<String, Id<Entry>>> {
    let rows = sqlx::query!(
        r#"select servicer_reference as "reference!", entry_id as "entry!" from (
               select servicer_reference, entry_id from credit where account_id = $1 and servicer_reference = any($2)
               union all
               select servicer_reference, entry_id from debit where account_id = $1 and servicer_reference = any($2)) as m
           where not exists (select from reversal r where r.account_id = $1
                             and r.servicer_reference = m.servicer_reference and r.undone_by is null)"#,
        account.uuid(),
        references as &[&str],
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (row.reference, Id::from_uuid(row.entry))).collect())
}

/// A reversal that stands.
pub struct Reversal {
    /// The reversing entry.
    pub entry: Id<Entry>,
    /// The movement.
    pub reference: String,
    /// How much; below nothing for money that had left.
    pub amount: Money,
}

/// Notes reversals that a revision brought about.
pub async fn insert_reversals(
    tx: &mut Tx,
    account: Id<Account>,
    reversals: &[Reversal],
    revision: Uuid,
    at: Instant,
) -> Result<()> {
    let entries: Vec<Uuid> = reversals.iter().map(|r| r.entry.uuid()).collect();
    let references: Vec<&str> = reversals.iter().map(|r| r.reference.as_str()).collect();
    let amounts: Vec<i64> = reversals.iter().map(|r| r.amount.minor()).collect();
    sqlx::query!(
        "insert into reversal (entry_id, account_id, servicer_reference, amount, revision_id, at)
         select r.entry, $1, r.reference, r.amount, $2, $3
         from unnest($4::uuid[], $5::text[], $6::bigint[]) as r (entry, reference, amount)",
        account.uuid(),
        revision,
        at,
        &entries,
        &references as &[&str],
        &amounts,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Reversals of an account that stand although a line of the statement shows the movement. A full join can only be hashed or
/// merged: the database knows nothing yet of rows of this transaction, and would look a million lines through for each of them.
pub async fn shown_again(
    tx: &mut Tx,
    account: Id<Account>,
    statement: Id<id::Statement>,
    limit: i64,
) -> Result<Vec<Reversal>> {
    let any = sqlx::query_scalar!(
        r#"select exists (select from reversal where account_id = $1 and undone_by is null) as "any!""#,
        account.uuid(),
    );
    if !any.fetch_one(tx.conn()).await? {
        return Ok(Vec::new());
    }
    let rows = sqlx::query!(
        r#"with standing as (
               select entry_id, servicer_reference, amount from reversal where account_id = $1 and undone_by is null
           ), told as (
               select distinct l.servicer_reference, true as shown from statement_line l left join withdrawn_line w on w.line_id = l.id
               where l.statement_id = $2 and w.line_id is null
           ), both_of as materialized (
               select entry_id, servicer_reference, amount, shown from standing full join told using (servicer_reference)
           )
           select entry_id as "entry_id!", servicer_reference as "servicer_reference!", amount as "amount!" from both_of
           where shown and entry_id is not null order by entry_id limit $3"#,
        account.uuid(),
        statement.uuid(),
        limit,
    )
    .fetch_all(tx.conn())
    .await?;
    let reversals = rows.into_iter().map(|row| Reversal {
        entry: Id::from_uuid(row.entry_id),
        reference: row.servicer_reference,
        amount: Money::vnd(row.amount),
    });
    Ok(reversals.collect())
}

/// Notes that reversals were taken back, each by its entry.
pub async fn undo_reversals(tx: &mut Tx, undone: &[(Id<Entry>, Id<Entry>)]) -> Result<()> {
    let reversals: Vec<Uuid> = undone.iter().map(|(reversal, _)| reversal.uuid()).collect();
    let by: Vec<Uuid> = undone.iter().map(|(_, by)| by.uuid()).collect();
    sqlx::query!(
        "update reversal r set undone_by = u.by from unnest($1::uuid[], $2::uuid[]) as u (entry_id, by)
         where r.entry_id = u.entry_id",
        &reversals,
        &by,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// One telling of a statement's day.
pub struct Telling {
    /// Its number, from 1.
    pub version: i32,
    /// When it came.
    pub at: Instant,
    /// The digest of what it says.
    pub digest: Digest,
    /// Balances at the two ends of the day.
    pub balances: (i64, i64),
    /// How many lines it has.
    pub lines: i32,
    /// The lines that it added to the one before, and those that it left out.
    pub changed: Vec<Changed>,
}

/// A line that one telling has and the one before or after it has not.
pub struct Changed {
    /// Whether it came; else it went.
    pub came: bool,
    /// The line.
    pub line: Id<StatementLine>,
    /// Its number.
    pub number: i32,
    /// The bank's reference.
    pub reference: String,
    /// The amount.
    pub amount: Money,
}

/// Every telling of a statement of an account that one of these agencies owns, with the owner and the day, the first one
/// first; nothing for another's.
pub async fn tellings(
    tx: &mut Tx,
    owners: &[Id<Agency>],
    statement: Id<id::Statement>,
) -> Result<Vec<(Id<Agency>, Day, Telling)>> {
    let owners: Vec<Uuid> = owners.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query!(
        r#"select a.owner_id, s.day, t.id as "revision", t.version as "version!", t.at as "at!", t.digest as "digest!",
               t.opening as "opening!", t.closing as "closing!", t.lines as "lines!"
           from statement s join collecting_account a on a.id = s.account_id and a.owner_id = any($1)
           cross join lateral (
               select null::uuid as id, 1 as version, s.fetched_at as at, s.digest, s.opening, s.closing, s.lines
               union all
               select r.id, r.version, r.told_at, r.digest, r.opening, r.closing, r.lines from statement_revision r
               where r.statement_id = s.id) t
           where s.id = $2 order by t.version"#,
        &owners,
        statement.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    let revisions: Vec<Uuid> = rows.iter().filter_map(|row| row.revision).collect();
    let mut changes = changed(tx, &revisions).await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let changed = row.revision.and_then(|revision| changes.remove(&revision)).unwrap_or_default();
        let corrupt = |_| super::StoreError::corrupt("statement_revision", "digest", statement);
        let telling = Telling {
            version: row.version,
            at: row.at,
            digest: row.digest.try_into().map_err(corrupt)?,
            balances: (row.opening, row.closing),
            lines: row.lines,
            changed,
        };
        found.push((Id::from_uuid(row.owner_id), Day::from_date(row.day), telling));
    }
    Ok(found)
}

/// What each of these tellings added and left out; the first thousand lines of each.
async fn changed(tx: &mut Tx, revisions: &[Uuid]) -> Result<BTreeMap<Uuid, Vec<Changed>>> {
    let rows = sqlx::query!(
        r#"select v.revision as "revision!", c.id as "id!", c.number as "number!", c.reference as "reference!",
               c.amount as "amount!", c.came as "came!"
           from unnest($1::uuid[]) as v (revision) cross join lateral (
               select l.id, l.number, l.servicer_reference as reference, l.amount, true as came
               from statement_line l where l.revision_id = v.revision
               union all
               select l.id, l.number, l.servicer_reference, l.amount, false
               from withdrawn_line w join statement_line l on l.id = w.line_id where w.revision_id = v.revision
               order by came, number limit 1000) as c
           order by v.revision, c.came, c.number"#,
        revisions,
    )
    .fetch_all(tx.conn())
    .await?;
    let mut changed: BTreeMap<Uuid, Vec<Changed>> = BTreeMap::new();
    for row in rows {
        changed.entry(row.revision).or_default().push(Changed {
            came: row.came,
            line: Id::from_uuid(row.id),
            number: row.number,
            reference: row.reference,
            amount: Money::vnd(row.amount),
        });
    }
    Ok(changed)
}
