//! Closes a day, a month or a year of an agency's accounting: an accountant prepares, a second person approves. What an agency
//! that was succeeded left open is closed by the people of whoever has taken its place.
//!
//! What a closing says is folded once, when it is prepared, with the newest signed head of the audit log, and never
//! changes. Its files are made when it is approved and signed by the agency. The approval is an event: whoever is to keep
//! the head outside (the Treasury, the State Audit) registers an address for it, and where a time-stamping authority is
//! configured the head of an approved closing is stamped (`stamp_heads`). Later corrections are booked in the open
//! time; the bank's day and the day of booking stand beside each other in the journals.

use super::{
    Error, Result,
    agency_key::agency_with_key,
    audit_leaf::{self, Concern},
    event::event_row,
    fold_closing::fold,
    long_closings, officer,
    read_closings::{at_the_books, content_of, place},
    witness_heads::witness_closing,
};
use crate::app::App;
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{self, Agency, Citizen, Id},
};
use crate::codec::closing_report::{self, ClosingContent};
use crate::crypto::seal::DataKey;
use crate::identity::role::Role;
use crate::payment::closing::{self as rules, Period, State};
use crate::store::{
    Tx, audit,
    closing::{self, StoredClosing},
    inheritance, outbox,
};
use serde_json::json;

/// Prepares the closing of a time; one of more lines than anybody waits for is prepared beside, under the same name
/// ([`super::long_closings`]).
pub async fn prepare_closing(
    app: &App,
    agency: Id<Agency>,
    accountant: Id<Citizen>,
    period: Period,
) -> Result<Id<id::Closing>> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    demand_for(&mut tx, accountant, agency, Role::Accountant, Day::of(now)).await?;
    if period.last.end() > now {
        return Err(Error::conflict("day_not_over_yet"));
    }
    let (of, asked) = ((agency, period), (accountant, now));
    if let Some(asked) = long_closings::ask_if_long(app, &mut tx, of, asked).await? {
        tx.commit().await?;
        return Ok(asked);
    }
    let (content, sealing) = fold(app, &mut tx, of, asked, &|_| ()).await?;
    let id = Id::new(now, &*app.entropy);
    keep_prepared(app, &mut tx, (id, agency, period), (&content, &sealing), asked).await?;
    tx.commit().await?;
    Ok(id)
}

/// Demands that a citizen holds a role where an agency's closings are made now; where that is.
pub(super) async fn demand_for(
    tx: &mut Tx,
    citizen: Id<Citizen>,
    agency: Id<Agency>,
    wanted: Role,
    today: Day,
) -> Result<Id<Agency>> {
    let heir = inheritance::heir(tx, agency, None).await?;
    officer::demand(tx, citizen, heir, wanted, today).await?;
    Ok(heir)
}

/// Keeps a closing as its accountant prepared it.
pub(super) async fn keep_prepared(
    app: &App,
    tx: &mut Tx,
    (id, agency, period): (Id<id::Closing>, Id<Agency>, Period),
    (content, sealing): (&ClosingContent, &DataKey),
    (accountant, now): (Id<Citizen>, Instant),
) -> Result<()> {
    let bytes = content.bytes();
    let stored = StoredClosing {
        id,
        agency,
        period,
        state: State::Prepared,
        content: sealing.seal(&*app.entropy, &place(id), &bytes),
        digest: closing_report::digest(&bytes),
        head_size: content.head.as_ref().map(|(size, _)| *size),
        prepared: (accountant, now),
        decided: None,
    };
    match closing::insert(tx, &stored).await {
        Err(e) if e.violates("closing_once") => return Err(Error::conflict("closing_exists")),
        done => done?,
    }
    record(app, tx, &stored, ("closing.prepared", accountant), sealing, now).await
}

/// Approves a prepared closing, or sends it back. Approving takes a second person.
pub async fn decide_closing(
    app: &App,
    citizen: Id<Citizen>,
    id: Id<id::Closing>,
    approve: bool,
) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let (_, stored) = at_the_books(&mut tx, citizen, id, Day::of(now)).await?;
    let wanted = if approve || stored.prepared.0 != citizen { Role::Approver } else { Role::Accountant };
    let heir = demand_for(&mut tx, citizen, stored.agency, wanted, Day::of(now)).await?;
    let to = rules::decide(stored.state, stored.prepared.0, citizen, approve).map_err(
        |refusal| match refusal {
            rules::Refusal::Decided => Error::conflict(refusal.code()),
            rules::Refusal::OwnAct => Error::forbidden(refusal.code()),
        },
    )?;
    if !closing::decide(&mut tx, id, to, (citizen, now)).await? {
        return Err(Error::conflict("closing_decided"));
    }
    let (_, sealing) = agency_with_key(app, &mut tx, stored.agency).await?;
    let kind = if approve { "closing.approved" } else { "closing.withdrawn" };
    record(app, &mut tx, &stored, (kind, citizen), &sealing, now).await?;
    if approve {
        let content = content_of(&stored, &sealing)?;
        tell(app, &mut tx, (heir, &stored), &content, now).await?;
        if let Some((size, _)) = &content.head {
            witness_closing(&mut tx, *size, now).await?;
        }
    }
    Ok(tx.commit().await?)
}

async fn tell(
    app: &App,
    tx: &mut Tx,
    (heir, stored): (Id<Agency>, &StoredClosing),
    content: &ClosingContent,
    now: Instant,
) -> Result<()> {
    let told = json!({
        "closing": stored.id.to_string(),
        "kind": content.kind,
        "from": content.days.0,
        "to": content.days.1,
        "content_sha256": hex::encode(stored.digest),
        "tree_head": content.head.as_ref().map(|(_, signed)| signed),
    });
    let row = event_row(app, now, "closing.approved", (heir, stored.id.uuid()), &told);
    Ok(outbox::enqueue(tx, &[row]).await?)
}

async fn record(
    app: &App,
    tx: &mut Tx,
    stored: &StoredClosing,
    (kind, by): (&'static str, Id<Citizen>),
    key: &DataKey,
    now: Instant,
) -> Result<()> {
    let concern = Concern { citizen: None, agency: Some(stored.agency), object: stored.id.uuid() };
    let details = json!({
        "closing": stored.id.to_string(),
        "kind": stored.period.kind.as_str(),
        "from": stored.period.first.to_string(),
        "to": stored.period.last.to_string(),
        "content_sha256": hex::encode(stored.digest),
        "by": by.to_string(),
    });
    let leaf = audit_leaf::leaf(app, now, kind, concern, key, &details);
    Ok(audit::append(tx, &[leaf]).await?)
}
