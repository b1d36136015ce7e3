//! Books money that left an account for an order, however it is told: by a notification, or by the statement. With it the
//! order is over.

use super::{Result, agency_key::agency_key, audit_leaf, pass_on::record, settle_debits::Debited};
use crate::{
    app::App,
    base::{
        clock::Instant,
        id::{self, Id, Leaf, Payout},
    },
    payment::{
        desk,
        ledger::{self, Account},
        payout::{Event, Next, State, follow},
    },
    store::{
        Tx, account, audit,
        debit::{self, StoredDebit},
        inheritance,
        ledger::{self as books, EntryKind, NewEntry},
        payout::{self as rows, StoredPayout},
    },
};
use serde_json::json;

/// Books the movement, if it names an order of ours and is what was ordered; whether it is in the books now.
pub(super) async fn settle_in(app: &App, tx: &mut Tx, debited: &Debited, now: Instant) -> Result<bool> {
    let named: Id<Payout> = Id::from_uuid(debited.refund.uuid());
    let Some(order) = rows::lock(tx, named).await? else { return Ok(false) };
    let known = debit::told(tx, debited.account, &[&debited.servicer_reference]).await?;
    if known.contains_key(&debited.servicer_reference) {
        return Ok(true);
    }
    if order.amount != debited.amount || order.account != debited.account {
        tracing::error!(payout = %order.id, "a debit that names an order is not what was ordered");
        return Ok(false);
    }
    let state = match follow(&order.state, &Event::Debited, now) {
        Next::Move(state) => state,
        Next::Tell(_) | Next::Stay => return Ok(false),
        Next::Contradiction => {
            tracing::error!(payout = %order.id, state = order.state.as_str(), "money left that was refused before");
            return Ok(false);
        }
    };
    finish(app, tx, order, state, debited, now).await
}

async fn finish(
    app: &App,
    tx: &mut Tx,
    order: StoredPayout,
    state: State,
    debited: &Debited,
    now: Instant,
) -> Result<bool> {
    let entry: Id<id::Entry> = Id::new(now, &*app.entropy);
    let stored = StoredDebit {
        key: (debited.account, debited.servicer_reference.clone()),
        amount: debited.amount,
        refund: None,
        payout: Some(order.id),
        entry,
        booked_on: debited.booked_on,
    };
    if !debit::insert(tx, &stored, now).await? {
        return Ok(true);
    }
    if !rows::move_payout(tx, &order, &state, Some(entry), now).await? {
        return Err(super::Error::conflict("payout_moved"));
    }
    let order = StoredPayout { state, ..order };
    let leaf: Id<Leaf> = Id::new(now, &*app.entropy);
    let moved = match (order.kind.account(order.agency), order.counterpart) {
        (Some(settled), _) => ledger::moved(Account::Clearing(order.account), settled, order.amount),
        (None, Some(to)) => {
            // Whoever took the place of either meanwhile owes it, or is owed it.
            let heirs = inheritance::heirs(tx, &[order.agency, to], None).await?;
            let heir = |agency| heirs.get(&agency).copied().unwrap_or(agency);
            desk::transferred(order.account, heir(order.agency), heir(to), order.amount)
        }
        (None, None) => return Err(super::Error::internal("an order between agencies without the other")),
    };
    let new = NewEntry {
        id: entry,
        kind: if order.counterpart.is_some() { EntryKind::CashMoved } else { EntryKind::Remitted },
        subject: order.id.uuid(),
        leaf,
        entry: moved.map_err(super::Error::internal)?,
    };
    let accounts: Vec<Account> = new.entry.postings().iter().map(|posting| posting.account).collect();
    let numbers = account::open_numbers(tx, &accounts).await?;
    books::append(tx, &[new], &numbers, now).await?;
    let sealing = agency_key(app, tx, order.agency).await?;
    let concern = audit_leaf::Concern { citizen: None, agency: Some(order.agency), object: order.id.uuid() };
    let details = json!({ "payout": order.id.to_string(), "amount": order.amount.decimal(), "entry": entry.to_string() });
    let booked = audit_leaf::leaf_named(app, (leaf, now), "payout.booked", concern, &sealing, &details);
    audit::append(tx, &[booked]).await?;
    record(app, tx, &order, "payout.done", &sealing, now).await?;
    Ok(true)
}
