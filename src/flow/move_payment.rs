//! Tells an attempt what has happened to it, and records what follows.

use super::{
    Error, Result,
    agency_key::agency_key,
    audit_leaf,
    event::{self, event_row},
};
use crate::{
    app::App,
    base::{
        clock::Instant,
        id::{Agency, Id, Payment},
    },
    crypto::seal::DataKey,
    payment::payment::{Decision, Event, State, decide},
    store::{
        Tx,
        audit::{self, NewLeaf},
        bill, outbox,
        payment::{self, StoredPayment},
        silence,
    },
};
use serde_json::json;

/// How often a decision is made again when the attempt moves at the same moment.
const TRIES: usize = 4;

/// What came of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moved {
    /// The attempt is in another state now.
    Moved(StoredPayment),
    /// It is, and the clearing system is to be asked.
    Asking(StoredPayment),
    /// Nothing changed.
    Stayed(StoredPayment),
    /// There is no such attempt.
    Unknown,
}

/// Applies an event to an attempt.
pub async fn move_payment(app: &App, id: Id<Payment>, event: &Event) -> Result<Moved> {
    let now = app.clock.now();
    for _ in 0..TRIES {
        let mut tx = app.store.begin().await?;
        let Some(attempt) = payment::payment(&mut tx, id).await? else {
            return Ok(Moved::Unknown);
        };
        let (state, asking) = match decide(&attempt.state, event, now) {
            Decision::Stay => return Ok(Moved::Stayed(attempt)),
            Decision::Contradiction => {
                tracing::error!(payment = %id, ?event, state = attempt.state.as_str(), "a message denies what is certain");
                record(app, &mut tx, &attempt, "payment.contradicted", event, now).await?;
                tx.commit().await?;
                return Ok(Moved::Stayed(attempt));
            }
            Decision::Move(state) => (state, false),
            Decision::Ask(state) => (state, true),
        };
        if !payment::move_payment(&mut tx, &attempt, &state).await? {
            continue;
        }
        note_silence(&mut tx, &attempt, &state, now).await?;
        record(app, &mut tx, &attempt, kind(&state), event, now).await?;
        tx.commit().await?;
        let attempt = StoredPayment { state, ..attempt };
        return Ok(if asking { Moved::Asking(attempt) } else { Moved::Moved(attempt) });
    }
    Err(Error::conflict("payment_moved"))
}

/// While nobody answers, the bill's due day stands still.
async fn note_silence(tx: &mut Tx, attempt: &StoredPayment, to: &State, now: Instant) -> Result<()> {
    match (&attempt.state, to) {
        (State::Unknown(_), State::Unknown(_)) => Ok(()),
        (_, State::Unknown(_)) => Ok(silence::begin(tx, attempt.id, attempt.bill, now).await?),
        (State::Unknown(_), _) => Ok(silence::end(tx, attempt.id, now).await?),
        _ => Ok(()),
    }
}

pub(super) const fn kind(state: &State) -> &'static str {
    match state {
        State::Created(_) => "payment.created",
        State::Submitted(_) => "payment.submitted",
        State::StepUp(_) => "payment.step_up_required",
        State::Accepted(_) => "payment.accepted",
        State::Unknown(_) => "payment.unknown",
        State::Settled { .. } => "payment.settled",
        State::Rejected { .. } => "payment.rejected",
    }
}

async fn record(
    app: &App,
    tx: &mut Tx,
    attempt: &StoredPayment,
    kind: &'static str,
    told: &Event,
    now: Instant,
) -> Result<()> {
    let of = bill::bill(tx, attempt.bill).await?.ok_or(Error::internal("a payment without its bill"))?;
    let agency = of.bill.agency;
    let key = agency_key(app, tx, agency).await?;
    audit::append(tx, &[moved_leaf(app, (attempt, agency), (kind, told), &key, now)]).await?;
    if !event::TYPES.contains(&kind) {
        return Ok(());
    }
    let data = json!({ "payment": attempt.id.to_string(), "bill": attempt.bill.to_string() });
    let row = event_row(app, now, kind, (agency, attempt.bill.uuid()), &data);
    Ok(outbox::enqueue(tx, &[row]).await?)
}

/// The leaf of an attempt that moves, from the state in which it was.
pub(super) fn moved_leaf(
    app: &App,
    (attempt, agency): (&StoredPayment, Id<Agency>),
    (kind, told): (&'static str, &Event),
    key: &DataKey,
    now: Instant,
) -> NewLeaf {
    let concern = audit_leaf::Concern { citizen: None, agency: Some(agency), object: attempt.id.uuid() };
    let details = json!({
        "payment": attempt.id.to_string(),
        "bill": attempt.bill.to_string(),
        "from": attempt.state.as_str(),
        "event": format!("{told:?}"),
    });
    audit_leaf::leaf(app, now, kind, concern, key, &details)
}
