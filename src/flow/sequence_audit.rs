//! Gives the leaves of the audit log their places in the tree and signs the head above them.
//!
//! One sequencer at a time, whichever node it runs on: a transaction-level advisory lock, and unique places behind it.
//! Leaves are taken in the order of their transactions. A head covers what it covers; it is shown to nobody before
//! its transaction has committed. After a head of another cluster, from which the log was restored, all leaves are looked
//! through once, since its numbers of transactions mean nothing here.

use super::{Error, Result};
use crate::app::App;
use crate::audit::{
    head::{self, TreeHead},
    leaf::{Leaf, micros},
    tree::Frontier,
};
use crate::base::clock::Instant;
use crate::crypto::{jwt, keyring::Purpose};
use crate::store::{
    Tx,
    audit_tree::{self, StoredHead, StoredLeaf},
    regular::Regular,
};

/// The name of the sequencer's lock.
const LOCK: i64 = 0x0063_6875_6e67_0001;

/// The most leaves that one tick places.
pub const LEAVES_MAX: usize = 10_000;

/// Places what waits, up to a limit; the number of leaves placed.
pub async fn sequence_audit(app: &App) -> Result<usize> {
    let now = app.clock.now();
    let mut tx = app.store.begin_as(Regular::Sequence).await?;
    if !tx.try_lock(LOCK).await? {
        return Ok(0);
    }
    let last = audit_tree::last_head(&mut tx).await?;
    let (size, low_tx) = last.as_ref().map_or((0, 0), |head| (head.size, head.low_tx));
    let restored = last.is_some() && low_tx == 0;
    if restored {
        tracing::error!(size, "the log was restored from another cluster, all its leaves are looked through");
    }
    // The horizon first: every leaf below it is visible to the statement after it.
    let horizon = audit_tree::horizon(&mut tx).await?;
    let most = i64::try_from(LEAVES_MAX).unwrap_or(i64::MAX);
    let leaves = audit_tree::unplaced(&mut tx, low_tx, most).await?;
    let Some(newest) = leaves.last() else {
        return Ok(0);
    };
    let all = leaves.len() < LEAVES_MAX;
    let low_tx = match (all, restored) {
        (true, _) => horizon,
        (false, true) => 0,
        (false, false) => horizon.min(newest.tx),
    };
    let mut frontier = frontier(&mut tx, size).await?;
    grow(&mut tx, &mut frontier, &leaves).await?;
    let head = signed(app, &frontier, now, low_tx);
    audit_tree::keep_head(&mut tx, &head).await?;
    tx.commit().await?;
    Ok(leaves.len())
}

async fn frontier(tx: &mut Tx, size: u64) -> Result<Frontier> {
    let wanted = Frontier::nodes(size);
    let found = audit_tree::nodes(tx, &wanted).await?;
    let peaks = wanted.iter().filter_map(|node| found.get(node).copied()).collect();
    Frontier::from_peaks(size, peaks).ok_or_else(|| Error::internal("a node of the audit tree is missing"))
}

async fn grow(tx: &mut Tx, frontier: &mut Frontier, leaves: &[StoredLeaf]) -> Result<()> {
    let first = frontier.size();
    let (mut placed, mut completed) = (Vec::with_capacity(leaves.len()), Vec::new());
    for stored in leaves {
        let hash = leaf_of(stored).hash();
        placed.push((stored.id, hash));
        frontier.append(hash, |node, hash| completed.push((node, hash)));
    }
    audit_tree::place(tx, first, &placed).await?;
    audit_tree::keep_nodes(tx, &completed).await?;
    Ok(())
}

fn signed(app: &App, frontier: &Frontier, now: Instant, low_tx: i64) -> StoredHead {
    let head = TreeHead { size: frontier.size(), root: frontier.root(), at: now };
    let signed = jwt::sign(app.keys.signing(Purpose::Record), head::TYP, &head.claims(app.origin.as_str()));
    StoredHead { size: head.size, root: head.root, at: now, signed, low_tx }
}

/// A stored leaf as the tree hashes it.
pub(super) fn leaf_of(stored: &StoredLeaf) -> Leaf<'_> {
    Leaf {
        id: stored.id.uuid().into_bytes(),
        kind: &stored.kind,
        at_micros: micros(stored.at),
        commitment: stored.commitment,
    }
}
