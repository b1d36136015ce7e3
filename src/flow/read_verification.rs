//! Reads what was answered about a person, out of the agency's seal.

use super::{Error, Result, population, verification_answer::answer_json};
use crate::app::App;
use crate::base::id::{Agency, Id, Verification};
use crate::codec::verification_statement::{self as wire, Salt};
use crate::crypto::seal::DataKey;
use crate::identity::verification::State;
use crate::store::{
    principal, unconfirmed,
    verification::{self, VerificationRow},
};
use serde_json::{Value, json};

/// Reads one verification of an agency, as it was answered.
pub async fn read_verification(app: &App, agency: Id<Agency>, id: Id<Verification>) -> Result<Value> {
    let row = verification::find(&app.store, agency, id).await?.ok_or(Error::not_found())?;
    let mut tx = app.store.begin().await?;
    let owner = crate::store::agency::find_all(&mut tx, &[agency]).await?.pop().ok_or(Error::not_found())?;
    let waiting =
        if row.state == State::SourceUnavailable { unconfirmed::state_of(&mut tx, id).await? } else { None };
    let acting = principal::acting(&mut tx, id).await?;
    let sides = match &acting {
        Some(acting) => population::look_up_citizens(app, &mut tx, &[acting.principal, acting.actor]).await?,
        None => Vec::new(),
    };
    tx.commit().await?;
    let key = app.keys.data_key(&owner.key, agency.uuid().as_bytes())?;
    let mut answer = open(app, &key, &row)?;
    if let Some(acting) = acting {
        let name = |id| sides.iter().find(|side| side.citizen == id).map(|side| side.person.name.as_str());
        // A name that the agency did not know is not told here either.
        let knows = matches!(answer["attributes"]["name"]["grade"].as_str(), Some("exact" | "equivalent"));
        answer["acting"]["actor"] = json!(name(acting.actor));
        answer["acting"]["principal"] = json!(name(acting.principal).filter(|_| knows));
    }
    if let Some((over, answered)) = waiting {
        let state = if answered.is_some() {
            "answered"
        } else if over {
            "given_up"
        } else {
            "waiting"
        };
        answer["confirmation"] = json!({ "state": state, "verification": answered.map(|id| id.to_string()) });
    }
    Ok(answer)
}

/// What a sealed statement is bound to.
pub(super) fn place(id: Id<Verification>) -> Vec<u8> {
    [b"verification.sealed".as_slice(), id.uuid().as_bytes()].concat()
}

/// The answer as it was given, out of the agency's seal.
pub(super) fn open(app: &App, key: &DataKey, row: &VerificationRow) -> Result<Value> {
    let plain = key.open(&place(row.id), &row.sealed)?;
    let (salt, signed) = plain.expose().split_first_chunk().ok_or_else(|| Error::internal("a short seal"))?;
    let signed = std::str::from_utf8(signed).map_err(Error::internal)?;
    let statement = wire::read_own(signed).ok_or_else(|| Error::internal("a statement does not read"))?;
    Ok(answer_json(app, &statement, &Salt(*salt), signed, row.at))
}
