//! What becomes of refunds that wait for the Treasury when the order that was to remit their money is not taken: the money never
//! left the account in which it came, and goes back from there like any other. Nobody decides anew, because what was decided is
//! that it goes back; a request that nobody has decided yet only changes its way.

use super::{
    Error, Result,
    agency_key::agency_key,
    audit_leaf::{self, Concern},
    decide_refund::parts,
    request_refund::record,
};
use crate::{
    app::App,
    base::{
        clock::Instant,
        id::{self, Id, Leaf},
    },
    payment::{
        ledger::{self, Account},
        refund::{self, Event, Lies, Next, State, follow},
    },
    store::{
        Tx, account, audit,
        ledger::{self as books, EntryKind, NewEntry},
        payout::StoredPayout,
        refund::{self as rows, StoredRefund},
    },
};
use serde_json::json;

/// Gives what waits for that order another way, within the transaction that says that it was not taken.
pub(super) async fn remittance_failed(
    app: &App,
    tx: &mut Tx,
    order: &StoredPayout,
    now: Instant,
) -> Result<()> {
    for refund in rows::remitted_by(tx, order.id).await? {
        let lies = Lies { remitted: false, in_cash: refund.account.is_none() };
        come_back(app, tx, refund, refund::way(lies, false), now).await?;
    }
    Ok(())
}

async fn come_back(
    app: &App,
    tx: &mut Tx,
    refund: StoredRefund,
    way: refund::Way,
    now: Instant,
) -> Result<()> {
    let (state, owed) = match follow(&refund.state, &Event::NeverRemitted(way), now) {
        Next::Move(state) => (state, true),
        Next::Stay | Next::Ask(_) | Next::Contradiction => (refund.state.clone(), false),
    };
    let entry: Option<Id<id::Entry>> = owed.then(|| Id::new(now, &*app.entropy));
    let next_at = (state == State::Approved).then_some(now);
    if !rows::come_back(tx, &refund, (&state, way), entry, next_at).await? {
        return Err(Error::conflict("refund_moved"));
    }
    let leaf: Id<Leaf> = Id::new(now, &*app.entropy);
    if let Some(id) = entry {
        let owed = ledger::refund_owed(refund.agency, &parts(tx, &refund).await?).map_err(Error::internal)?;
        let accounts: Vec<Account> = owed.postings().iter().map(|posting| posting.account).collect();
        let numbers = account::open_numbers(tx, &accounts).await?;
        let (kind, subject) = (EntryKind::RefundOwed, refund.id.uuid());
        books::append(tx, &[NewEntry { id, kind, subject, leaf, entry: owed }], &numbers, now).await?;
    }
    let sealing = agency_key(app, tx, refund.agency).await?;
    let concern = Concern { citizen: None, agency: Some(refund.agency), object: refund.id.uuid() };
    let details = json!({
        "refund": refund.id.to_string(),
        "payout": refund.payout.map(|id| id.to_string()),
        "way": way.as_str(),
        "entry": entry.map(|id| id.to_string()),
    });
    let back = audit_leaf::leaf_named(app, (leaf, now), "refund.never_remitted", concern, &sealing, &details);
    audit::append(tx, &[back]).await?;
    let told = match state {
        State::AtDesk => "refund.at_desk",
        State::Approved => "refund.approved",
        _ => "refund.requested",
    };
    let refund = StoredRefund { state, way, payout: None, entry: entry.or(refund.entry), ..refund };
    record(app, tx, &refund, told, &sealing, now).await
}
