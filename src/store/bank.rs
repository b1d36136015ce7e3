//! The banks that take requests to pay.

use super::{Result, Tx};
use std::collections::BTreeSet;

/// A bank that a payer may choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bank {
    /// Its BIC, or else its number in the clearing system.
    pub code: String,
    /// Its name.
    pub name: String,
}

/// Adds banks, or renames those that exist.
pub async fn put_banks(tx: &mut Tx, banks: &[Bank]) -> Result<()> {
    let codes: Vec<&str> = banks.iter().map(|b| b.code.as_str()).collect();
    let names: Vec<&str> = banks.iter().map(|b| b.name.as_str()).collect();
    sqlx::query!(
        "insert into bank (code, name) select b.code, b.name from unnest($1::text[], $2::text[]) as b (code, name)
         on conflict (code) do update set name = excluded.name",
        &codes as &[&str],
        &names as &[&str],
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Every bank, by name.
pub async fn banks(tx: &mut Tx) -> Result<Vec<Bank>> {
    let rows =
        sqlx::query_as!(Bank, "select code, name from bank order by name, code").fetch_all(tx.conn()).await?;
    Ok(rows)
}

/// Which of these codes are those of banks that take requests to pay.
pub async fn known(tx: &mut Tx, codes: &[&str]) -> Result<BTreeSet<String>> {
    let found = sqlx::query_scalar!("select code from bank where code = any($1)", codes as &[&str])
        .fetch_all(tx.conn())
        .await?;
    Ok(found.into_iter().collect())
}
