//! The Merkle tree of RFC 9162: hashes of leaves and nodes, and the frontier that appends without reading the tree.
//!
//! Only whole (perfect) subtrees are stored; each is named by its level and its index within the level. The root of a
//! tree whose size is no power of two is folded from the whole subtrees at its right edge.

use crate::crypto::digest::{Digest, sha256, sha256_parts};

/// The hash of a leaf: a zero byte before its bytes (RFC 9162 section 2.1.1).
pub fn leaf_hash(leaf: &[u8]) -> Digest {
    sha256_parts(&[&[0], leaf])
}

/// The hash of an inner node: a one byte before the hashes of its children.
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    sha256_parts(&[&[1], left, right])
}

/// The name of a whole subtree: its root stands `level` above the leaves and is the `index`-th of its level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    /// Zero for a leaf hash.
    pub level: u32,
    /// Counted from the left, from zero.
    pub index: u64,
}

/// The whole subtrees that make up the leaves `from .. to`, from left to right, where that range is a subtree of the
/// tree (it begins at a multiple of the power of two that covers it).
pub(super) fn whole_subtrees(from: u64, to: u64) -> impl Iterator<Item = Node> {
    let mut at = from;
    std::iter::from_fn(move || {
        let level = (to - at).checked_ilog2()?;
        let node = Node { level, index: at >> level };
        at += 1 << level;
        Some(node)
    })
}

/// The root over whole subtrees from left to right; `None` for none.
pub(super) fn fold(peaks: impl DoubleEndedIterator<Item = Digest>) -> Option<Digest> {
    peaks.rev().reduce(|right, left| node_hash(&left, &right))
}

/// The right edge of a tree: all that is needed to append to it and to know its root.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Digest>,
}

impl Frontier {
    /// The nodes to read in order to continue a tree of `size` leaves, from left to right.
    pub fn nodes(size: u64) -> Vec<Node> {
        whole_subtrees(0, size).collect()
    }

    /// The frontier of a tree of `size` leaves from the hashes of [`Self::nodes`]; `None` when their number differs.
    pub fn from_peaks(size: u64, peaks: Vec<Digest>) -> Option<Self> {
        (peaks.len() == size.count_ones() as usize).then_some(Self { size, peaks })
    }

    /// How many leaves the tree has.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf and reports every whole subtree that it completes, the leaf first.
    pub fn append(&mut self, leaf: Digest, mut completed: impl FnMut(Node, Digest)) {
        let mut node = Node { level: 0, index: self.size };
        let mut hash = leaf;
        completed(node, hash);
        for _ in 0..self.size.trailing_ones() {
            let left = self.peaks.pop().unwrap_or_default();
            hash = node_hash(&left, &hash);
            node = Node { level: node.level + 1, index: node.index >> 1 };
            completed(node, hash);
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// The root; that of the empty tree is the hash of nothing (RFC 9162 section 2.1.1).
    pub fn root(&self) -> Digest {
        fold(self.peaks.iter().copied()).unwrap_or_else(|| sha256(&[]))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// The tree hash exactly as RFC 9162 section 2.1.1 defines it, to compare with.
    pub fn naive_root(leaves: &[Digest]) -> Digest {
        match leaves {
            [] => sha256(&[]),
            [leaf] => *leaf,
            leaves => {
                let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
                node_hash(&naive_root(left), &naive_root(right))
            }
        }
    }

    /// A tree kept as the database keeps it.
    pub fn grown(leaves: &[Digest]) -> (Frontier, BTreeMap<Node, Digest>) {
        let (mut frontier, mut nodes) = (Frontier::default(), BTreeMap::new());
        for leaf in leaves {
            frontier.append(*leaf, |node, hash| assert!(nodes.insert(node, hash).is_none()));
        }
        (frontier, nodes)
    }

    pub fn numbered(count: usize) -> Vec<Digest> {
        (0..count).map(|i| leaf_hash(&i.to_be_bytes())).collect()
    }

    /// The leaves and roots that implementations of certificate transparency exchange.
    #[test]
    fn known_answers() {
        let leaves = [
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
            "606162636465666768696a6b6c6d6e6f",
        ];
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let mut frontier = Frontier::default();
        assert_eq!(
            hex::encode(frontier.root()),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        for (leaf, root) in leaves.iter().zip(roots) {
            frontier.append(leaf_hash(&hex::decode(leaf).unwrap()), |_, _| {});
            assert_eq!(hex::encode(frontier.root()), root, "size {}", frontier.size());
        }
    }

    proptest! {
        #[test]
        fn a_frontier_agrees_with_the_definition_and_can_be_read_back(size in 0_usize..200, more in 0_usize..40) {
            let leaves = numbered(size + more);
            let (mut frontier, nodes) = grown(&leaves[..size]);
            prop_assert_eq!(frontier.root(), naive_root(&leaves[..size]));
            let peaks = Frontier::nodes(size as u64).iter().map(|node| nodes[node]).collect();
            prop_assert_eq!(Frontier::from_peaks(size as u64, peaks), Some(frontier.clone()));
            for leaf in &leaves[size..] {
                frontier.append(*leaf, |_, _| {});
            }
            prop_assert_eq!(frontier.root(), naive_root(&leaves));
            prop_assert_eq!(Frontier::from_peaks(size as u64, vec![[0; 32]; 70]), None);
        }
    }
}
