//! Pages of a statement that came so far, each run's for itself.

use super::{Result, Tx};
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{Account, Id},
    secret::Sealed,
};
use uuid::Uuid;

/// A page as a message, under the key of the account's owner.
pub enum Content {}

/// One fetching of a day.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// Its identifier.
    pub id: Uuid,
    /// The collecting account.
    pub account: Id<Account>,
    /// The bank's business day.
    pub day: Day,
    /// When it began.
    pub begun: Instant,
}

/// Keeps the page of that number, from 1.
pub async fn put(tx: &mut Tx, run: &Run, number: u32, content: &Sealed<Content>) -> Result<()> {
    sqlx::query!(
        "insert into statement_page (run, number, account_id, day, begun_at, content, key)
         values ($1, $2, $3, $4, $5, $6, $7)",
        run.id,
        number.cast_signed(),
        run.account.uuid(),
        run.day.date(),
        run.begun,
        content.bytes(),
        content.key().cast_signed(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The page of that number.
pub async fn read(tx: &mut Tx, run: Uuid, number: u32) -> Result<Option<Sealed<Content>>> {
    let row = sqlx::query!(
        "select content, key from statement_page where run = $1 and number = $2",
        run,
        number.cast_signed(),
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| Sealed::new(row.content, row.key.cast_unsigned())))
}

/// Removes the pages of a run that is done with them.
pub async fn clear(tx: &mut Tx, run: Uuid) -> Result<()> {
    sqlx::query!("delete from statement_page where run = $1", run).execute(tx.conn()).await?;
    Ok(())
}

/// Forgets pages of runs that began before and never came to their end.
pub async fn forget(tx: &mut Tx, before: Instant, most: i64) -> Result<u64> {
    let done = sqlx::query!(
        "delete from statement_page where (run, number) in
             (select run, number from statement_page where begun_at < $1 order by begun_at, run, number limit $2)",
        before,
        most,
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}
