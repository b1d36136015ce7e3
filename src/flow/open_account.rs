//! Opens the account in which an agency collects, with the accounts of the books that belong to it.

use super::Result;
use crate::{
    app::App,
    base::{
        clock::Instant,
        id::{self, Agency, Id},
        text::Line,
    },
    payment::{fee::FeeKind, ledger::Account},
    store::{
        Tx,
        account::{self, CollectingAccount, Standing},
    },
};
use std::collections::BTreeMap;

/// A real account, as the agency names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAccount {
    /// The bank that keeps it, by BIC.
    pub bank: String,
    /// Its number.
    pub number: String,
    /// The name that the payer's bank app shows.
    pub holder: Line,
}

/// Lets an agency collect in an account from now on; agencies may share one, whose first collector is its owner.
pub async fn open_account(app: &App, agency: Id<Agency>, new: NewAccount) -> Result<CollectingAccount> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let account = open(app, &mut tx, agency, new, now).await?;
    tx.commit().await?;
    Ok(account)
}

/// Where these agencies collect, and to whom their fees and those of `others` belong. An agency that has named no account
/// of its own collects in that of its phí, or else of its lệ phí, which is opened now.
pub(super) async fn standing(
    app: &App,
    tx: &mut Tx,
    (agencies, others): (&[Id<Agency>], &[Id<Agency>]),
    now: Instant,
) -> Result<Standing> {
    let mut standing = account::standing(tx, &[agencies, others].concat()).await?;
    for agency in agencies {
        let own = FeeKind::ALL.iter().find_map(|kind| standing.beneficiaries.get(&(*agency, *kind)));
        if let (false, Some(own)) = (standing.collecting.contains_key(agency), own) {
            let own = own.clone();
            let new = NewAccount { bank: own.bank, number: own.number, holder: own.holder };
            standing.collecting.insert(*agency, open(app, tx, *agency, new, now).await?);
        }
    }
    Ok(standing)
}

async fn open(
    app: &App,
    tx: &mut Tx,
    agency: Id<Agency>,
    new: NewAccount,
    now: Instant,
) -> Result<CollectingAccount> {
    let opened = named(app, tx, agency, new, now).await?;
    account::open_ledger_accounts(tx, &Account::of_agency(agency)).await?;
    account::collect_in(tx, agency, opened.id).await?;
    Ok(opened)
}

/// The accounts that bills name, by number; those that are new are opened, and the accounting of the agency that is named
/// with them answers for what arrives there.
pub(super) async fn named_all(
    app: &App,
    tx: &mut Tx,
    new: Vec<(Id<Agency>, NewAccount)>,
    now: Instant,
) -> Result<BTreeMap<String, Id<id::Account>>> {
    if new.is_empty() {
        return Ok(BTreeMap::new());
    }
    let wanted: Vec<CollectingAccount> = new
        .into_iter()
        .map(|(agency, NewAccount { bank, number, holder })| CollectingAccount {
            id: Id::new(now, &*app.entropy),
            owner: agency,
            heir: agency,
            bank,
            number,
            holder,
        })
        .collect();
    account::insert_accounts(tx, &wanted, now).await?;
    let numbers: Vec<&str> = wanted.iter().map(|account| account.number.as_str()).collect();
    let opened = account::accounts_of_numbers(tx, &numbers).await?;
    let books: Vec<Account> = opened
        .iter()
        .flat_map(|account| [Account::Clearing(account.id), Account::Suspense(account.id)])
        .collect();
    account::open_ledger_accounts(tx, &books).await?;
    Ok(opened.into_iter().map(|account| (account.number, account.id)).collect())
}

/// The account that an agency's bill names, opened if it is new: its accounting answers for what arrives there.
pub(super) async fn named(
    app: &App,
    tx: &mut Tx,
    agency: Id<Agency>,
    new: NewAccount,
    now: Instant,
) -> Result<CollectingAccount> {
    let NewAccount { bank, number, holder } = new;
    let mut opened = CollectingAccount {
        id: Id::new(now, &*app.entropy),
        owner: agency,
        heir: agency,
        bank,
        number,
        holder,
    };
    if !account::insert_account(tx, &opened, now).await?
        && let Some(before) = account::account_of_number(tx, &opened.number).await?
    {
        opened = before;
    }
    let books = [Account::Clearing(opened.id), Account::Suspense(opened.id)];
    account::open_ledger_accounts(tx, &books).await?;
    Ok(opened)
}
