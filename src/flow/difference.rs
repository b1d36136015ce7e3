//! A bill for what is still to be paid of another: of the same dossier and parties, under a reference of its own.

use super::{Result, bill_answer};
use crate::{
    app::App,
    base::{
        calendar::Day,
        clock::Instant,
        id::{Account, Client, Id},
        reference::Reference,
    },
    crypto::seal::DataKey,
    payment::bill::{Bill, Lines, State},
    store::{
        Tx,
        bill::{self as bills, StoredBill},
        bill_version as versions,
    },
};
use serde_json::Value;

/// What is still to be paid.
pub(super) struct Difference {
    /// Where it is collected.
    pub account: Id<Account>,
    /// Who asks for it.
    pub client: Id<Client>,
    /// For what.
    pub lines: Lines,
    /// Why, line by line.
    pub trace: Vec<Value>,
    /// Until when.
    pub due: Day,
}

/// Issues the bill.
pub(super) async fn issue_difference(
    app: &App,
    tx: &mut Tx,
    of: &StoredBill,
    difference: Difference,
    key: &DataKey,
    now: Instant,
) -> Result<StoredBill> {
    let Difference { account, client, lines, trace, due } = difference;
    let parties = bill_answer::open_parties(key, of.bill.id, &of.parties)?;
    let bill = Bill {
        id: Id::new(now, &*app.entropy),
        reference: Reference::new(&*app.entropy),
        lines,
        due,
        payable_until: due,
        version: 1,
        issued_at: now,
        ..of.bill.clone()
    };
    let stored = StoredBill {
        state: State::Open,
        account,
        client,
        parties: bill_answer::seal_parties(app, key, bill.id, &parties),
        trace: bill_answer::seal_trace(app, key, bill.id, &trace, None),
        bill,
        ..of.clone()
    };
    bills::insert_bills(tx, std::slice::from_ref(&stored)).await?;
    versions::link(tx, stored.bill.id, of.bill.id, "difference").await?;
    Ok(stored)
}
