//! The laws on which a client may look citizens up without asking them, put on its list by an administrator's system.

use super::{
    Error, Refusal, Result,
    audit_leaf::{Concern, leaf},
    idempotency::Idempotency,
};
use crate::app::App;
use crate::base::{
    calendar::Day,
    id::{Client, Id},
    text::Line,
};
use crate::store::{agency, audit, lock, portal};
use serde_json::{Value, json};

/// A law for a client's list.
pub struct NewBasis {
    /// The citation.
    pub basis: Line<200>,
    /// Its first day.
    pub from: Day,
    /// Its last day; open if absent.
    pub to: Option<Day>,
}

/// Puts a law on a client's list; the same entry again changes its last day.
pub async fn list_legal_basis(app: &App, id: Id<Client>, new: &NewBasis, key: &Idempotency) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    if let Some(answer) = key.claim(&mut tx).await? {
        return Ok(answer);
    }
    if new.to.is_some_and(|to| to < new.from) {
        return Err(Error::Refused(Refusal::new("invalid_body").violation("/valid_to", "order", None)));
    }
    let client = portal::find_in(&mut tx, id).await?.ok_or(Error::not_found())?;
    let owner = agency::find_all(&mut tx, &[client.agency]).await?.pop().ok_or(Error::not_found())?;
    lock::put_basis(&mut tx, id, new.basis.as_str(), new.from, new.to).await?;
    let answer = json!({
        "client": id.to_string(),
        "basis": new.basis.as_str(),
        "valid_from": new.from.to_string(),
        "valid_to": new.to.map(|day| day.to_string()),
    });
    let data_key = app.keys.data_key(&owner.key, owner.id.uuid().as_bytes())?;
    let concern = Concern { citizen: None, agency: Some(owner.id), object: id.uuid() };
    audit::append(&mut tx, &[leaf(app, now, "client.basis_listed", concern, &data_key, &answer)]).await?;
    key.keep(&mut tx, id.uuid(), &answer, now).await?;
    tx.commit().await?;
    Ok(answer)
}
