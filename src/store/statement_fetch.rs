//! The tries at fetching statements without being asked.

use super::{Result, Tx, account, account::CollectingAccount, moved_one};
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{Account, Agency, Id},
};
use time::Date;

/// A statement that is missing and may be asked for now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Of which account.
    pub account: CollectingAccount,
    /// Of which day.
    pub day: Day,
    /// How often it was tried before.
    pub attempts: u32,
}

/// The missing statement of these days that has waited longest, if one may be tried now. Accounts that were opened
/// after a day have none of it.
pub async fn due(tx: &mut Tx, days: &[Day], attempts_max: u32, now: Instant) -> Result<Option<Due>> {
    let dates: Vec<Date> = days.iter().map(|day| day.date()).collect();
    let ends: Vec<Instant> = days.iter().map(|day| day.end()).collect();
    let row = sqlx::query!(
        r#"select a.id, d.day as "day!", coalesce(f.attempts, 0) as "attempts!"
           from unnest($1::date[], $2::timestamptz[]) as d (day, ends)
           join collecting_account a on a.opened_at < d.ends
           left join statement s on s.account_id = a.id and s.day = d.day
           left join statement_fetch f on f.account_id = a.id and f.day = d.day
           where s.id is null and coalesce(f.next_at <= $3 and f.attempts < $4, true)
           order by f.next_at nulls first, d.day, a.number limit 1"#,
        &dates,
        &ends,
        now,
        i32::try_from(attempts_max).unwrap_or(i32::MAX),
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let account = account::account(tx, Id::from_uuid(row.id)).await?;
    let attempts = row.attempts.cast_unsigned();
    Ok(account.map(|account| Due { account, day: Day::from_date(row.day), attempts }))
}

/// Counts a try before it is made; false when somebody else has begun one since.
pub async fn begin(tx: &mut Tx, due: &Due, next_at: Instant) -> Result<bool> {
    let done = sqlx::query!(
        "insert into statement_fetch (account_id, day, attempts, next_at) values ($1, $2, $3 + 1, $4)
         on conflict on constraint statement_fetch_once
             do update set attempts = excluded.attempts, next_at = excluded.next_at, refusal = null
             where statement_fetch.attempts = $3",
        due.account.id.uuid(),
        due.day.date(),
        due.attempts.cast_signed(),
        next_at,
    )
    .execute(tx.conn())
    .await?;
    Ok(moved_one(&done))
}

/// Notes why a try came to nothing.
pub async fn refuse(tx: &mut Tx, account: Id<Account>, day: Day, code: &str) -> Result<()> {
    sqlx::query!(
        "update statement_fetch set refusal = $3 where account_id = $1 and day = $2",
        account.uuid(),
        day.date(),
        code,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A statement that was tried in vain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The account's number.
    pub account: String,
    /// The day.
    pub day: Day,
    /// How often it was tried.
    pub attempts: u32,
    /// The next try.
    pub next_at: Instant,
    /// The code of what went wrong last.
    pub refusal: String,
}

/// The statements of this owner's accounts since a day that were tried in vain and are still missing.
pub async fn missing(tx: &mut Tx, owner: Id<Agency>, since: Day) -> Result<Vec<Missing>> {
    let rows = sqlx::query!(
        r#"select a.number, f.day, f.attempts, f.next_at, f.refusal as "refusal!"
           from statement_fetch f join collecting_account a on a.id = f.account_id
           left join statement s on s.account_id = f.account_id and s.day = f.day
           where $1 in (a.owner_id, a.heir_id) and f.day >= $2 and s.id is null and f.refusal is not null
           order by f.day, a.number limit 20"#,
        owner.uuid(),
        since.date(),
    )
    .fetch_all(tx.conn())
    .await?;
    let missing = rows.into_iter().map(|row| Missing {
        account: row.number,
        day: Day::from_date(row.day),
        attempts: row.attempts.cast_unsigned(),
        next_at: row.next_at,
        refusal: row.refusal,
    });
    Ok(missing.collect())
}
