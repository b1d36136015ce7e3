//! Pages of a statement that came so far.

use super::{Result, Tx};
use crate::base::{
    calendar::Day,
    id::{Account, Id},
    secret::Sealed,
};

/// A page as a message, under the key of the account's owner.
pub enum Content {}

/// A page as its row holds it.
pub struct StoredPage {
    /// The collecting account.
    pub account: Id<Account>,
    /// The bank's business day.
    pub day: Day,
    /// Its number, from 1.
    pub number: u32,
    /// What it says.
    pub content: Sealed<Content>,
}

/// Keeps a page, in place of one of the same number.
pub async fn put(tx: &mut Tx, page: &StoredPage) -> Result<()> {
    sqlx::query!(
        "insert into statement_page (account_id, day, number, content, key) values ($1, $2, $3, $4, $5)
         on conflict on constraint statement_page_once do update set content = excluded.content, key = excluded.key",
        page.account.uuid(),
        page.day.date(),
        page.number.cast_signed(),
        page.content.bytes(),
        page.content.key().cast_signed(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The page of that number.
pub async fn read(
    tx: &mut Tx,
    account: Id<Account>,
    day: Day,
    number: u32,
) -> Result<Option<Sealed<Content>>> {
    let row = sqlx::query!(
        "select content, key from statement_page where account_id = $1 and day = $2 and number = $3",
        account.uuid(),
        day.date(),
        number.cast_signed(),
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| Sealed::new(row.content, row.key.cast_unsigned())))
}

/// Removes the pages of a day.
pub async fn clear(tx: &mut Tx, account: Id<Account>, day: Day) -> Result<()> {
    sqlx::query!("delete from statement_page where account_id = $1 and day = $2", account.uuid(), day.date())
        .execute(tx.conn())
        .await?;
    Ok(())
}
