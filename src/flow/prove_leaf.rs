//! Evidence that a decision stands in the audit log, or that it still waits for a head.

use super::{Error, Result, sequence_audit::leaf_of};
use crate::app::App;
use crate::audit::{evidence::Evidence, proof::Plan};
use crate::base::id::{Id, Leaf};
use crate::crypto::seal::DataKey;
use crate::store::audit_tree;

/// The evidence for a leaf whose details `key` opens; `None` while no head covers it.
pub async fn prove_leaf(app: &App, leaf: Id<Leaf>, key: &DataKey) -> Result<Option<Evidence>> {
    let mut tx = app.store.begin().await?;
    let found = audit_tree::leaf(&mut tx, leaf).await?.ok_or(Error::not_found())?;
    let head = audit_tree::last_head(&mut tx).await?;
    let (Some(place), Some(head)) = (found.place, head) else {
        return Ok(None);
    };
    let Some(plan) = Plan::inclusion(place, head.size) else {
        return Ok(None);
    };
    let nodes = audit_tree::nodes(&mut tx, &plan.nodes()).await?;
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
