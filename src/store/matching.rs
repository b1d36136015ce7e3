//! Matches by people: which cases are one matter, who said so, and how much an account may leave open.

use super::{Result, StoreError, Tx, moved_one, statement::StoredStatement};
use crate::base::{
    clock::Instant,
    id::{self, Account, Agency, Case, Citizen, Client, Id, StatementLine},
    money::Money,
    secret::Sealed,
};
use crate::payment::matching::Reason;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Why cases belong together, in words, under the agency's key.
pub enum Words {}

/// A match as its row holds it.
pub struct StoredMatch {
    /// Its identifier.
    pub id: Id<id::MatchGroup>,
    /// The collecting account.
    pub account: Id<Account>,
    /// Whose cases they are.
    pub agency: Id<Agency>,
    /// Why.
    pub reason: Reason,
    /// What the statement says moved.
    pub stated: Money,
    /// What the books hold for it.
    pub held: Money,
    /// What one person may leave open.
    pub tolerance: Money,
    /// Why, in words.
    pub words: Sealed<Words>,
    /// `proposed`, `matched` or `withdrawn`.
    pub state: String,
    /// Who proposed it, and when.
    pub proposed: (Id<Citizen>, Instant),
    /// Who decided, and when.
    pub decided: Option<(Id<Citizen>, Instant)>,
    /// The cases that it joins.
    pub cases: Vec<Id<Case>>,
}

/// Adds a match with its members.
pub async fn insert(tx: &mut Tx, group: &StoredMatch) -> Result<()> {
    let cases: Vec<Uuid> = group.cases.iter().map(|case| case.uuid()).collect();
    sqlx::query!(
        "with added as (
             insert into match_group (id, account_id, agency_id, reason, stated, held, tolerance, words, key, state,
                 proposed_by, proposed_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12))
         insert into match_member (group_id, case_id) select $1, c from unnest($13::uuid[]) as c",
        group.id.uuid(),
        group.account.uuid(),
        group.agency.uuid(),
        group.reason.as_str(),
        group.stated.minor(),
        group.held.minor(),
        group.tolerance.minor(),
        group.words.bytes(),
        group.words.key().cast_signed(),
        group.state,
        group.proposed.0.uuid(),
        group.proposed.1,
        &cases,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Decides a match that was proposed; false when somebody has.
pub async fn decide(
    tx: &mut Tx,
    group: Id<id::MatchGroup>,
    state: &str,
    (by, at): (Id<Citizen>, Instant),
) -> Result<bool> {
    let done = sqlx::query!(
        "update match_group set state = $2, decided_by = $3, decided_at = $4 where id = $1 and state = 'proposed'",
        group.uuid(),
        state,
        by.uuid(),
        at,
    )
    .execute(tx.conn())
    .await?;
    if state == "withdrawn" {
        sqlx::query!("update match_member set living = false where group_id = $1", group.uuid())
            .execute(tx.conn())
            .await?;
    }
    Ok(moved_one(&done))
}

/// Begins cases again whose end rests on nothing any more, and all that stood in a match with one of them, which holds no more.
/// Which ones began again: as many as people had resolved.
pub async fn begin_again(tx: &mut Tx, cases: &[Uuid]) -> Result<Vec<Id<Case>>> {
    let mut ids = sqlx::query_scalar!(
        r#"with fallen as (
               select distinct m.group_id from match_member m where m.living and m.case_id = any($1)
           ), others as (
               update match_member m set living = false where m.group_id in (select group_id from fallen)
               returning m.case_id
           ), undone as (
               update match_group g set state = 'withdrawn' where g.id in (select group_id from fallen)
           )
           update "case" c set state = 'open', owner_id = null, resolution = null, ended_at = null
           where c.state = 'resolved' and (c.id = any($1) or c.id in (select case_id from others))
           returning c.id"#,
        cases,
    )
    .fetch_all(tx.conn())
    .await?;
    ids.sort_unstable();
    Ok(ids.into_iter().map(Id::from_uuid).collect())
}

/// The cases that people resolved about lines of a statement whose credit has come since.
pub async fn overtaken(tx: &mut Tx, statement: &StoredStatement) -> Result<Vec<Uuid>> {
    let ids = sqlx::query_scalar!(
        r#"select c.id from "case" c join statement_line l on l.id = c.line_id
           where c.account_id = $1 and c.day = $2 and c.state = 'resolved' and c.servicer_reference is null
               and l.statement_id = $3
               and exists (select from credit k where k.account_id = l.account_id
                           and k.servicer_reference = l.servicer_reference)
               and not exists (select from withdrawn_line w where w.line_id = l.id)
           order by c.id"#,
        statement.account.uuid(),
        statement.day.date(),
        statement.id.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(ids)
}

/// A match of one of these agencies.
pub async fn of_agencies(
    tx: &mut Tx,
    agencies: &[Id<Agency>],
    group: Id<id::MatchGroup>,
) -> Result<Option<StoredMatch>> {
    let agencies: Vec<Uuid> = agencies.iter().map(|id| id.uuid()).collect();
    let row = sqlx::query_as!(
        Row,
        r#"select id, account_id, agency_id, reason, stated, held, tolerance, words, key, state, proposed_by,
               proposed_at, decided_by, decided_at,
               array(select m.case_id from match_member m where m.group_id = g.id order by m.case_id) as "cases!"
           from match_group g where id = $2 and agency_id = any($1)"#,
        &agencies,
        group.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// The newest matches of an agency.
pub async fn newest(tx: &mut Tx, agency: Id<Agency>, most: i64) -> Result<Vec<StoredMatch>> {
    let rows = sqlx::query_as!(
        Row,
        r#"select id, account_id, agency_id, reason, stated, held, tolerance, words, key, state, proposed_by,
               proposed_at, decided_by, decided_at,
               array(select m.case_id from match_member m where m.group_id = g.id order by m.case_id) as "cases!"
           from match_group g where agency_id = $1 order by id desc limit $2"#,
        agency.uuid(),
        most,
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Which of these cases are in a match that waits or holds.
pub async fn joined(tx: &mut Tx, cases: &[Id<Case>]) -> Result<Vec<Id<Case>>> {
    let cases: Vec<Uuid> = cases.iter().map(|case| case.uuid()).collect();
    let ids = sqlx::query_scalar!(
        "select case_id from match_member where living and case_id = any($1) order by case_id",
        &cases
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(ids.into_iter().map(Id::from_uuid).collect())
}

/// The lines and credits of an account that matches hold: they are as they should be, because people said so.
pub async fn held(tx: &mut Tx, account: Id<Account>) -> Result<(Vec<Id<StatementLine>>, Vec<String>)> {
    let rows = sqlx::query!(
        r#"select c.line_id, c.servicer_reference from match_group g
           join match_member m on m.group_id = g.id and m.living
           join "case" c on c.id = m.case_id
           where g.account_id = $1 and g.state = 'matched' order by c.id"#,
        account.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    let lines = rows.iter().filter_map(|row| row.line_id.map(Id::from_uuid)).collect();
    Ok((lines, rows.into_iter().filter_map(|row| row.servicer_reference).collect()))
}

/// Lines that people have matched count as matched on their statements.
pub async fn count_matched(tx: &mut Tx, lines: &[Id<StatementLine>]) -> Result<()> {
    let lines: Vec<Uuid> = lines.iter().map(|line| line.uuid()).collect();
    sqlx::query!(
        "update statement s set matched = s.matched + n.count
         from (select statement_id, count(*)::integer as count from statement_line where id = any($1)
               group by statement_id) n
         where s.id = n.statement_id and s.matched is not null",
        &lines,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// How much a match of this account may leave open when one person says it.
pub async fn tolerance(tx: &mut Tx, account: Id<Account>) -> Result<Money> {
    Ok(tolerances(tx, &[account]).await?.remove(&account).unwrap_or(Money::vnd(0)))
}

/// The same of many accounts; none was set for those that are missing.
pub async fn tolerances(tx: &mut Tx, accounts: &[Id<Account>]) -> Result<BTreeMap<Id<Account>, Money>> {
    let accounts: Vec<Uuid> = accounts.iter().map(|id| id.uuid()).collect();
    let rows =
        sqlx::query!("select account_id, amount from match_tolerance where account_id = any($1)", &accounts,)
            .fetch_all(tx.conn())
            .await?;
    Ok(rows.into_iter().map(|row| (Id::from_uuid(row.account_id), Money::vnd(row.amount))).collect())
}

/// Sets it.
pub async fn set_tolerance(
    tx: &mut Tx,
    account: Id<Account>,
    amount: Money,
    (client, at): (Id<Client>, Instant),
) -> Result<()> {
    sqlx::query!(
        "insert into match_tolerance (account_id, amount, since, client_id) values ($1, $2, $3, $4)
         on conflict on constraint match_tolerance_once do update set amount = $2, since = $3, client_id = $4",
        account.uuid(),
        amount.minor(),
        at,
        client.uuid(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

struct Row {
    id: Uuid,
    account_id: Uuid,
    agency_id: Uuid,
    reason: String,
    stated: i64,
    held: i64,
    tolerance: i64,
    words: Vec<u8>,
    key: i32,
    state: String,
    proposed_by: Uuid,
    proposed_at: Instant,
    decided_by: Option<Uuid>,
    decided_at: Option<Instant>,
    cases: Vec<Uuid>,
}

impl TryFrom<Row> for StoredMatch {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self> {
        let id: Id<id::MatchGroup> = Id::from_uuid(row.id);
        Ok(Self {
            id,
            account: Id::from_uuid(row.account_id),
            agency: Id::from_uuid(row.agency_id),
            reason: Reason::named(&row.reason)
                .ok_or_else(|| StoreError::corrupt("match_group", "reason", id))?,
            stated: Money::vnd(row.stated),
            held: Money::vnd(row.held),
            tolerance: Money::vnd(row.tolerance),
            words: Sealed::new(row.words, row.key.cast_unsigned()),
            state: row.state,
            proposed: (Id::from_uuid(row.proposed_by), row.proposed_at),
            decided: row.decided_by.map(Id::from_uuid).zip(row.decided_at),
            cases: row.cases.into_iter().map(Id::from_uuid).collect(),
        })
    }
}
