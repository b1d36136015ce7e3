//! A bill for what is still to be paid of another: of the same dossier and parties, under a reference of its own. It goes with
//! the bill that it is of: nobody owes the rest of what is not owed.

use super::{
    Error, Result,
    audit_leaf::{self, Concern},
    bill_answer,
    charge_late::take_off,
    create_bill,
    event::event_row,
    split_bill::close_plan,
};
use crate::{
    app::App,
    base::{
        calendar::Day,
        clock::Instant,
        id::{self, Account, Agency, Client, Id},
        reference::Reference,
    },
    crypto::seal::DataKey,
    payment::bill::{self as rules, Bill, Lines, State},
    store::{
        Tx, audit,
        bill::{self as bills, StoredBill},
        bill_version as versions, outbox,
    },
};
use serde_json::{Value, json};

/// What is still to be paid.
pub(super) struct Difference {
    /// Who asks for it: whose the bill is, or who took their place.
    pub agency: Id<Agency>,
    /// Where it is collected.
    pub account: Id<Account>,
    /// Its system that asks.
    pub client: Id<Client>,
    /// For what.
    pub lines: Lines,
    /// Why, line by line.
    pub trace: Vec<Value>,
    /// Until when.
    pub due: Day,
}

/// Issues the bill; the parties' names are read under the first key and kept under the second, that of whoever asks.
pub(super) async fn issue_difference(
    app: &App,
    tx: &mut Tx,
    of: &StoredBill,
    difference: Difference,
    (before, key): (&DataKey, &DataKey),
    now: Instant,
) -> Result<StoredBill> {
    let Difference { agency, account, client, lines, trace, due } = difference;
    let parties = bill_answer::open_parties(before, of.bill.id, &of.parties)?;
    let bill = Bill {
        id: Id::new(now, &*app.entropy),
        reference: Reference::new(&*app.entropy),
        agency,
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

/// Withdraws what is still to be paid of a bill that goes; refused while somebody pays it. What was paid already stays, and is
/// given back by a refund that somebody asks for.
pub(super) async fn withdraw_differences(
    app: &App,
    tx: &mut Tx,
    (of, client): (Id<id::Bill>, Id<Client>),
    key: &DataKey,
    now: Instant,
) -> Result<()> {
    for difference in differences(tx, of).await? {
        let (state, under_way) =
            bills::lock_bill(tx, difference).await?.ok_or(Error::internal(difference))?;
        if state != State::Open {
            continue;
        }
        rules::cancel(&state, under_way, now).map_err(create_bill::refused)?;
        close_plan(tx, difference, now).await?;
        if !bills::cancel_bill(tx, difference, now).await? {
            return Err(Error::internal("a bill moved under its lock"));
        }
        let told = json!({
            "bill": difference.to_string(),
            "difference_of": of.to_string(),
            "client": client.to_string(),
        });
        tell(app, tx, (difference, "bill.cancelled"), (key, &told), now).await?;
    }
    Ok(())
}

/// Opens what went with a bill again, once that is opened again itself.
pub(super) async fn revive_differences(
    app: &App,
    tx: &mut Tx,
    (of, gone): (Id<id::Bill>, Instant),
    due: Day,
    key: &DataKey,
    now: Instant,
) -> Result<()> {
    for difference in differences(tx, of).await? {
        bills::lock_bill(tx, difference).await?.ok_or(Error::internal(difference))?;
        let mut stored = bills::bill(tx, difference).await?.ok_or(Error::internal(difference))?;
        if stored.state != (State::Cancelled { at: gone }) {
            continue;
        }
        versions::keep_version(tx, difference, "revived", now).await?;
        take_off(app, tx, &mut stored).await?;
        stored.bill.version += 1;
        (stored.bill.due, stored.bill.payable_until) = (due, due);
        stored.state = State::Open;
        if !versions::put_version(tx, &stored, "cancelled").await? {
            return Err(Error::internal("a bill moved under its lock"));
        }
        versions::put_content(tx, &stored).await?;
        let told = json!({
            "bill": difference.to_string(),
            "difference_of": of.to_string(),
            "version": stored.bill.version,
            "total": stored.bill.lines.total().decimal(),
            "due": due.to_string(),
        });
        tell(app, tx, (difference, "bill.revived"), (key, &told), now).await?;
    }
    Ok(())
}

/// The bills for what is still to be paid of another, in the order of their issue.
async fn differences(tx: &mut Tx, of: Id<id::Bill>) -> Result<Vec<Id<id::Bill>>> {
    let links = versions::links(tx, of).await?.into_iter();
    let later = links.filter(|(relation, _, later)| relation == "difference" && *later);
    Ok(later.map(|(_, bill, _)| bill).collect())
}

async fn tell(
    app: &App,
    tx: &mut Tx,
    (bill, kind): (Id<id::Bill>, &'static str),
    (key, told): (&DataKey, &Value),
    now: Instant,
) -> Result<()> {
    let of = bills::bill(tx, bill).await?.ok_or(Error::internal(bill))?;
    let concern = Concern { citizen: None, agency: Some(of.bill.agency), object: bill.uuid() };
    let leaf = audit_leaf::leaf(app, now, kind, concern, key, told);
    audit::append(tx, &[leaf]).await?;
    let row = event_row(app, now, kind, (of.bill.agency, bill.uuid()), told);
    Ok(outbox::enqueue(tx, &[row]).await?)
}
