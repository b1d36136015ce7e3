//! A case as `/v1` and pages show it.

use super::{Result, agency_key::kept_words, explain::money};
use crate::base::calendar::rfc3339;
use crate::crypto::seal::DataKey;
use crate::payment::case::{By, State};
use crate::store::case::{StoredCase, StoredNote};
use serde_json::{Value, json};

/// Its object on the wire.
pub fn case_json(case: &StoredCase) -> Value {
    let difference = &case.difference;
    let (resolution, ended_at) = match &case.state {
        State::Open | State::Assigned { .. } => (None, None),
        State::Resolved { resolution, at, .. } => (Some(resolution.as_str()), Some(*at)),
        State::Cleared { at, .. } => (None, Some(*at)),
    };
    json!({
        "id": case.id.to_string(),
        "kind": difference.kind.as_str(),
        "state": case.state.as_str(),
        "day": case.day.to_string(),
        "line": difference.line.map(|line| line.to_string()),
        "servicer_reference": difference.credit,
        "payment": difference.payment.map(|payment| payment.to_string()),
        "stated": difference.stated.map(money),
        "held": difference.held.map(money),
        "asked": difference.asked.map(money),
        "owner": case.state.owner().map(|owner| owner.to_string()),
        "resolution": resolution,
        "opened_at": rfc3339(case.opened_at),
        "ended_at": ended_at.map(rfc3339),
    })
}

/// The same with what was done about it.
pub fn case_with_notes(case: &StoredCase, notes: &[StoredNote], key: &DataKey) -> Result<Value> {
    // Notes of an agency that this one succeeded were copied under this one's key; the first ones stay closed.
    let ours = |note: &&StoredNote| {
        note.words.as_ref().is_none_or(|words| kept_words(key, note.id.as_bytes(), words).is_ok())
    };
    let notes = notes.iter().filter(ours).map(|note| note_json(note, key)).collect::<Result<Vec<Value>>>()?;
    let mut answer = case_json(case);
    answer["notes"] = Value::Array(notes);
    Ok(answer)
}

fn note_json(note: &StoredNote, key: &DataKey) -> Result<Value> {
    let by = note.by.map(|by| match by {
        By::Officer(citizen) => citizen.to_string(),
        By::System(client) => client.to_string(),
    });
    let words = note.words.as_ref().map(|words| kept_words(key, note.id.as_bytes(), words)).transpose()?;
    let words = words.flatten();
    Ok(json!({ "at": rfc3339(note.at), "act": note.act.as_str(), "by": by, "words": words }))
}
