//! Statements as the owner of their account sees them.

use super::{
    Error, Result,
    inherit::{Tree, agencies_of},
    statement_answer::statement_json,
};
use crate::{
    app::App,
    base::{
        id::{self, Agency, Id},
        page::PageRequest,
    },
    store::{
        account::{self, CollectingAccount},
        statement,
    },
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// One statement of an account that the agency owns; another's does not exist for it.
pub async fn read_statement(app: &App, agency: Id<Agency>, id: Id<id::Statement>) -> Result<Value> {
    let mut tx = app.store.begin().await?;
    let stored = statement::of_owner(&mut tx, agency, id).await?.ok_or(Error::not_found())?;
    let account = account::account(&mut tx, stored.account).await?;
    let account = account.ok_or(Error::internal("a statement without its account"))?;
    Ok(statement_json(&stored, &account))
}

/// The statements of the accounts that the agency owns, the newest first, a page at a time.
pub async fn list_statements(
    app: &App,
    agency: Id<Agency>,
    tree: Tree,
    page: &PageRequest<Id<id::Statement>>,
) -> Result<Value> {
    let mut tx = app.store.begin().await?;
    let agencies = agencies_of(&mut tx, agency, tree).await?;
    let found = statement::list_of_owner(&mut tx, &agencies, page).await?;
    let named: Vec<_> = found.items.iter().map(|stored| stored.account).collect();
    let accounts: BTreeMap<_, CollectingAccount> =
        account::accounts_named(&mut tx, &named).await?.into_iter().map(|a| (a.id, a)).collect();
    let next = found.items.last().filter(|_| found.more).map(|last| last.id.to_string());
    let items: Vec<Value> = found
        .items
        .iter()
        .filter_map(|stored| Some(statement_json(stored, accounts.get(&stored.account)?)))
        .collect();
    Ok(json!({ "items": items, "next": next }))
}
