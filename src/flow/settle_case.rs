//! What people do about a case: take it, note something, resolve it. Money is moved by none of these. A case that leaves more
//! open than one person may say is ended by two (`match_cases`).

use super::{
    Error, Result, agency_key::agency_key, audit_leaf, case_answer::case_with_notes,
    idempotency::Idempotency, officer, read_cases::add_suspense,
};
use crate::{
    app::App,
    base::{
        calendar::Day,
        clock::Instant,
        id::{self, Agency, Citizen, Id},
        text::Line,
    },
    crypto::seal::DataKey,
    payment::{
        case::{self as rules, Act, By, Resolution, State},
        matching::one_may_end,
    },
    store::{
        audit,
        case::{self, StoredCase, StoredNote},
        matching as matches,
    },
};
use serde_json::{Value, json};

/// The words of a note: one line.
pub type Words = Line<500>;

/// What somebody wants to do about a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Look into it; only an officer holds a case.
    Take(Id<Citizen>),
    /// Write something down.
    Note(Words),
    /// Say how it ended, and why.
    Resolve(Resolution, Words),
}

/// Does it, for the agency that owns the case; the answer is the case as it then is. A system's act carries a key.
pub async fn settle_case(
    app: &App,
    agency: Id<Agency>,
    id: Id<id::Case>,
    by: By,
    step: &Step,
    key: Option<&Idempotency>,
) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    if let Some(key) = key
        && let Some(answer) = key.claim(&mut tx).await?
    {
        return Ok(answer);
    }
    if let By::Officer(citizen) = by {
        officer::demand_accountant(&mut tx, citizen, agency, Day::of(now)).await?;
    }
    let mut stored = case::of_agency(&mut tx, agency, id).await?.ok_or(Error::not_found())?;
    let to = decide(&stored.state, by, step, now)?;
    if matches!(step, Step::Resolve(..)) {
        let tolerance = matches::tolerance(&mut tx, stored.account).await?;
        if !one_may_end(&stored.difference, tolerance).map_err(Error::internal)? {
            return Err(Error::conflict("case_needs_second"));
        }
    }
    let moved = to.unwrap_or(stored.state);
    if to.is_some() && !case::move_case(&mut tx, &stored, &moved).await? {
        return Err(Error::conflict("case_moved"));
    }
    stored.state = moved;
    let sealing = agency_key(app, &mut tx, agency).await?;
    let (act, words) = match step {
        Step::Take(_) => (Act::Assigned, None),
        Step::Note(words) => (Act::Noted, Some(words)),
        Step::Resolve(_, words) => (Act::Resolved, Some(words)),
    };
    let note: Id<id::Event> = Id::new(now, &*app.entropy);
    let note = note.uuid();
    let words = words.map(|words| sealing.seal(&*app.entropy, note.as_bytes(), words.as_str().as_bytes()));
    case::insert_note(&mut tx, id, StoredNote { id: note, at: now, act, by: Some(by), words }).await?;
    let leaf = leaf(app, now, &stored, by, act, &sealing);
    audit::append(&mut tx, &[leaf]).await?;
    let mut answer = case_with_notes(&stored, &case::notes(&mut tx, id).await?, &sealing)?;
    add_suspense(&mut tx, &[agency], &mut [(id, &mut answer)]).await?;
    if let Some(key) = key {
        key.keep(&mut tx, id.uuid(), &answer, now).await?;
    }
    tx.commit().await?;
    Ok(answer)
}

/// The same for an officer at a page, who keeps the agency's books; elsewhere there is no such case.
pub async fn settle_as_officer(
    app: &App,
    officer: Id<Citizen>,
    id: Id<id::Case>,
    step: &Step,
) -> Result<Value> {
    let today = Day::of(app.clock.now());
    let mut tx = app.store.begin().await?;
    let places = officer::workplaces(&mut tx, officer, today).await?;
    let agencies: Vec<_> = places.into_iter().map(|place| place.id).collect();
    let stored = case::of_agencies(&mut tx, &agencies, id).await?.ok_or(Error::not_found())?;
    drop(tx);
    settle_case(app, stored.agency, id, By::Officer(officer), step, None).await
}

/// The state that the case moves to, if it moves.
fn decide(state: &State, by: By, step: &Step, now: Instant) -> Result<Option<State>> {
    let refused = |refusal: rules::Refusal| Error::conflict(refusal.code());
    let officer = match by {
        By::Officer(citizen) => Some(citizen),
        By::System(_) => None,
    };
    match step {
        Step::Take(officer) => rules::assign(state, *officer).map(Some).map_err(refused),
        Step::Note(_) => Ok(None),
        Step::Resolve(resolution, _) => {
            rules::resolve(state, officer, *resolution, now).map(Some).map_err(refused)
        }
    }
}

fn leaf(app: &App, now: Instant, case: &StoredCase, by: By, act: Act, key: &DataKey) -> audit::NewLeaf {
    let kind = match act {
        Act::Assigned => "case.assigned",
        Act::Noted => "case.noted",
        Act::Resolved | Act::Matched | Act::Reopened => "case.resolved",
    };
    let by = match by {
        By::Officer(citizen) => citizen.to_string(),
        By::System(client) => client.to_string(),
    };
    let concern = audit_leaf::Concern { citizen: None, agency: Some(case.agency), object: case.id.uuid() };
    let details = json!({ "case": case.id.to_string(), "by": by, "state": case.state.as_str() });
    audit_leaf::leaf(app, now, kind, concern, key, &details)
}
