//! Recomputes the audit log from the database and names the first thing that does not fit.
//!
//! It reads leaf by leaf in the order of their places, grows the tree anew, and compares leaf hashes, inner nodes and
//! every signed head; a head that was kept elsewhere is compared too, so that even a rewritten database with heads of
//! its own is found out. Details that were erased are counted, not missed.

use super::{Result, sequence_audit::leaf_of};
use crate::audit::{
    head::TreeHead,
    leaf::commit,
    tree::{Frontier, Node},
};
use crate::base::{
    calendar::rfc3339,
    clock::Instant,
    id::{Agency, Id, Leaf},
};
use crate::crypto::{
    digest::Digest,
    keyring::{KeyRing, Purpose},
    seal::DataKey,
    signing::KeyList,
};
use crate::store::{
    Store, agency,
    audit_tree::{self, PlacedLeaf, StoredDetails, StoredHead},
};
use std::collections::{HashMap, VecDeque};
use std::fmt;
use time::Duration;

/// How many leaves are read at a time.
const CHUNK: i64 = 5_000;
/// For how long a leaf waits at most for its place: a slow transaction included, and a service that is started anew.
const WAITING_MAX: Duration = Duration::minutes(10);

/// What the recomputation saw.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Leaves with a place.
    pub leaves: u64,
    /// Leaves that still wait for one.
    pub waiting: u64,
    /// Since when the oldest of them does.
    pub waiting_since: Option<Instant>,
    /// Signed heads that were compared.
    pub heads: u64,
    /// Leaves whose details were opened and compared with the commitment.
    pub opened: u64,
    /// Leaves whose details were erased.
    pub erased: u64,
    /// The first thing that does not fit.
    pub finding: Option<Finding>,
}

impl Report {
    /// The first thing that does not fit at that moment: leaves get their places within a second.
    pub fn finding_at(&self, now: Instant) -> Option<Finding> {
        let since = self.waiting_since.filter(|since| now - *since > WAITING_MAX);
        self.finding.or(since.map(|since| Finding::Waiting(self.waiting, since)))
    }
}

/// What does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// No leaf stands at this place, though one stands behind it or a head covers it.
    Missing(u64),
    /// The leaf at this place is not the one that was hashed.
    Leaf(u64, Id<Leaf>),
    /// The details of the leaf at this place are not those it commits to.
    Details(u64, Id<Leaf>),
    /// An inner hash above this place is missing or another.
    Node(u64),
    /// The head of this size is not signed by us or has another root.
    Head(u64),
    /// The head that was kept elsewhere is not signed by us.
    KeptHeadUnsigned,
    /// The head that was kept elsewhere covers more leaves than there are.
    KeptHeadBeyond(u64),
    /// The head that was kept elsewhere has another root at its size.
    KeptHead(u64),
    /// So many leaves have no place, the oldest since that time: nobody places them, or nobody finds them.
    Waiting(u64, Instant),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(place) => write!(f, "the leaf at place {place} is missing"),
            Self::Leaf(place, leaf) => write!(f, "the leaf at place {place} ({leaf}) was changed"),
            Self::Details(place, leaf) => {
                write!(f, "the details of the leaf at place {place} ({leaf}) were changed")
            }
            Self::Node(place) => write!(f, "an inner hash above the leaf at place {place} was changed"),
            Self::Head(size) => write!(f, "the signed head of {size} leaves does not fit"),
            Self::KeptHeadUnsigned => write!(f, "the kept head is not signed by this service"),
            Self::KeptHeadBeyond(size) => write!(f, "the kept head covers {size} leaves, the log has fewer"),
            Self::KeptHead(size) => write!(f, "the log was rewritten before the kept head of {size} leaves"),
            Self::Waiting(leaves, since) => {
                write!(f, "{leaves} leaves wait for a place, the oldest since {}", rfc3339(*since))
            }
        }
    }
}

/// Recomputes the log. `kept` is a signed head from elsewhere; `progressed` hears how many leaves are done.
pub async fn verify_audit(
    store: &Store,
    keys: &KeyRing,
    kept: Option<&str>,
    mut progressed: impl FnMut(u64),
) -> Result<Report> {
    let published = keys.published(Purpose::Record);
    let mut walk = Walk {
        store,
        keys,
        published,
        tree: Frontier::default(),
        agencies: HashMap::new(),
        report: Report::default(),
    };
    let kept = match kept.map(|kept| TreeHead::verify(kept, walk.published)) {
        Some(Err(_)) => return Ok(Report { finding: Some(Finding::KeptHeadUnsigned), ..Report::default() }),
        Some(Ok((head, _))) => Some(head),
        None => None,
    };
    loop {
        let from = walk.tree.size();
        // A head is read before the leaves that it covers: both were committed together.
        let beyond = audit_tree::heads_above(store, from, 1).await?;
        let chunk = audit_tree::placed(store, from, CHUNK).await?;
        if chunk.is_empty() {
            walk.report.finding = match (beyond.first(), kept) {
                (Some(_), _) => Some(Finding::Missing(from)),
                (None, Some(kept)) if kept.size > from => Some(Finding::KeptHeadBeyond(kept.size)),
                (None, _) => None,
            };
            break;
        }
        walk.chunk(&chunk, kept.as_ref()).await?;
        progressed(walk.tree.size());
        if walk.report.finding.is_some() {
            return Ok(walk.report);
        }
    }
    (walk.report.waiting, walk.report.waiting_since) = audit_tree::waiting(store).await?;
    Ok(walk.report)
}

struct Walk<'a> {
    store: &'a Store,
    keys: &'a KeyRing,
    published: &'a KeyList,
    tree: Frontier,
    agencies: HashMap<Id<Agency>, DataKey>,
    report: Report,
}

impl Walk<'_> {
    async fn chunk(&mut self, chunk: &[PlacedLeaf], kept: Option<&TreeHead>) -> Result<()> {
        self.learn_keys(chunk).await?;
        let mut heads: VecDeque<StoredHead> =
            audit_tree::heads_above(self.store, self.tree.size(), CHUNK).await?.into();
        let mut completed: Vec<(Node, Digest, u64)> = Vec::new();
        for placed in chunk {
            let place = self.tree.size();
            self.report.finding = self.leaf(placed, place);
            if self.report.finding.is_some() {
                return Ok(());
            }
            let hash = leaf_of(&placed.leaf).hash();
            self.tree.append(hash, |node, hash| completed.push((node, hash, place)));
            self.report.leaves = self.tree.size();
            while let Some(head) = heads.pop_front_if(|head| head.size == self.tree.size()) {
                self.report.heads += 1;
                if !self.head_fits(&head) {
                    self.report.finding = Some(Finding::Head(head.size));
                    return Ok(());
                }
            }
            if kept.is_some_and(|kept| kept.size == self.tree.size() && kept.root != self.tree.root()) {
                self.report.finding = Some(Finding::KeptHead(self.tree.size()));
                return Ok(());
            }
        }
        self.report.finding = self.nodes(&completed).await?;
        Ok(())
    }

    fn leaf(&mut self, placed: &PlacedLeaf, place: u64) -> Option<Finding> {
        if placed.place != Some(place) {
            return Some(Finding::Missing(place));
        }
        if placed.hash != Some(leaf_of(&placed.leaf).hash()) {
            return Some(Finding::Leaf(place, placed.leaf.id));
        }
        match &placed.details {
            None => self.report.erased += 1,
            Some(details) => match self.opens(placed, details) {
                Some(true) => self.report.opened += 1,
                Some(false) => return Some(Finding::Details(place, placed.leaf.id)),
                None => {}
            },
        }
        None
    }

    /// Whether the details are those of the commitment; `None` when they are a citizen's, whose key is not asked for.
    fn opens(&self, placed: &PlacedLeaf, details: &StoredDetails) -> Option<bool> {
        let key = self.agencies.get(&details.agency.filter(|_| !details.of_citizen)?)?;
        let opened = key.open(placed.leaf.id.uuid().as_bytes(), &details.sealed);
        Some(opened.is_ok_and(|plain| {
            plain
                .expose()
                .split_first_chunk()
                .is_some_and(|(salt, text)| commit(salt, text) == placed.leaf.commitment)
        }))
    }

    fn head_fits(&self, head: &StoredHead) -> bool {
        head.root == self.tree.root()
            && TreeHead::verify(&head.signed, self.published)
                .is_ok_and(|(signed, _)| signed.size == head.size && signed.root == head.root)
    }

    async fn nodes(&self, completed: &[(Node, Digest, u64)]) -> Result<Option<Finding>> {
        let wanted: Vec<Node> = completed.iter().map(|c| c.0).filter(|node| node.level > 0).collect();
        let mut tx = self.store.begin().await?;
        let stored = audit_tree::nodes(&mut tx, &wanted).await?;
        let wrong = completed.iter().find(|(node, hash, _)| node.level > 0 && stored.get(node) != Some(hash));
        Ok(wrong.map(|(_, _, place)| Finding::Node(*place)))
    }

    async fn learn_keys(&mut self, chunk: &[PlacedLeaf]) -> Result<()> {
        let mut ids: Vec<Id<Agency>> = chunk.iter().filter_map(|p| p.details.as_ref()?.agency).collect();
        ids.retain(|id| !self.agencies.contains_key(id));
        ids.sort_unstable();
        ids.dedup();
        let mut tx = self.store.begin().await?;
        for row in agency::find_all(&mut tx, &ids).await? {
            self.agencies.insert(row.id, self.keys.data_key(&row.key, row.id.uuid().as_bytes())?);
        }
        Ok(())
    }
}
