//! Evidence that a decision stands in the audit log, or that it still waits for a head.

use super::{Error, Result, agency_key::agency_key, sequence_audit::leaf_of};
use crate::app::App;
use crate::audit::{evidence::Evidence, proof::Plan};
use crate::base::id::{Agency, Id, Leaf};
use crate::crypto::seal::DataKey;
use crate::store::{
    Tx,
    audit_tree::{self, PlacedLeaf},
};

/// The evidence for a leaf whose details `key` opens; `None` while no head covers it.
pub async fn prove_leaf(app: &App, leaf: Id<Leaf>, key: &DataKey) -> Result<Option<Evidence>> {
    let mut tx = app.store.begin().await?;
    let found = audit_tree::leaf(&mut tx, leaf).await?.ok_or(Error::not_found())?;
    prove(&mut tx, leaf, &found, key).await
}

/// The same under the key of whom the leaf concerns, or that agency's where it concerns no other.
pub(super) async fn prove_as_sealed(
    app: &App,
    leaf: Id<Leaf>,
    agency: Id<Agency>,
) -> Result<Option<Evidence>> {
    let mut tx = app.store.begin().await?;
    let found = audit_tree::leaf(&mut tx, leaf).await?.ok_or(Error::not_found())?;
    let of = found.details.as_ref().and_then(|details| details.agency).unwrap_or(agency);
    let key = agency_key(app, &mut tx, of).await?;
    prove(&mut tx, leaf, &found, &key).await
}

async fn prove(tx: &mut Tx, leaf: Id<Leaf>, found: &PlacedLeaf, key: &DataKey) -> Result<Option<Evidence>> {
    let head = audit_tree::last_head(tx).await?;
    let (Some(place), Some(head)) = (found.place, head) else {
        return Ok(None);
    };
    let Some(plan) = Plan::inclusion(place, head.size) else {
        return Ok(None);
    };
    let nodes = audit_tree::nodes(tx, &plan.nodes()).await?;
    let path = plan.proof(|node| nodes.get(&node).copied());
    let path = path.ok_or_else(|| Error::internal("a node of the audit tree is missing"))?;
    // What was erased cannot be proved any more: the leaf stands, but nobody can say what it was about.
    let details = found.details.as_ref().ok_or(Error::not_found())?;
    let plain = key.open(leaf.uuid().as_bytes(), &details.sealed)?;
    let opened = plain.expose().split_first_chunk();
    let (salt, text) = opened.ok_or_else(|| Error::internal(leaf))?;
    let text = std::str::from_utf8(text).map_err(Error::internal)?;
    Ok(Some(Evidence::new(&leaf_of(&found.leaf), found.leaf.at, (salt, text), place, &path, &head.signed)))
}
