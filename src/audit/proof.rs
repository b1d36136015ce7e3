//! Proofs about the tree: that a leaf stands in it, and that a larger tree only added to a smaller one.
//!
//! Making a proof is two steps, so that the nodes are read in one query between them: a [`Plan`] names the nodes, and
//! [`Plan::proof`] folds what was read. Checking needs nothing but the proof and the roots (RFC 9162 sections 2.1.3.2
//! and 2.1.4.2).

use super::tree::{Node, fold, node_hash, whole_subtrees};
use crate::crypto::digest::Digest;

/// The subtrees whose roots make up a proof, as ranges of leaves, in the order of the proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan(Vec<(u64, u64)>);

impl Plan {
    /// Towards a proof that the leaf at `index` stands in the tree of `size` leaves; `None` when there is no such leaf.
    pub fn inclusion(index: u64, size: u64) -> Option<Self> {
        if index >= size {
            return None;
        }
        let (mut from, mut to) = (0, size);
        let mut siblings = Vec::new();
        while to - from > 1 {
            let middle = from + split(to - from);
            if index < middle {
                siblings.push((middle, to));
                to = middle;
            } else {
                siblings.push((from, middle));
                from = middle;
            }
        }
        siblings.reverse();
        Some(Self(siblings))
    }

    /// Towards a proof that the tree of `new` leaves begins with the tree of `old` leaves; `None` unless
    /// `0 < old <= new`.
    pub fn consistency(old: u64, new: u64) -> Option<Self> {
        if old == 0 || old > new {
            return None;
        }
        let (mut from, mut to) = (0, new);
        let mut parts = Vec::new();
        while to != old {
            let middle = from + split(to - from);
            if old <= middle {
                parts.push((middle, to));
                to = middle;
            } else {
                parts.push((from, middle));
                from = middle;
            }
        }
        if from > 0 {
            parts.push((from, to));
        }
        parts.reverse();
        Some(Self(parts))
    }

    /// The nodes to read.
    pub fn nodes(&self) -> Vec<Node> {
        self.0.iter().flat_map(|&(from, to)| whole_subtrees(from, to)).collect()
    }

    /// The proof, from the nodes that were read; `None` when one is missing.
    pub fn proof(&self, node: impl Fn(Node) -> Option<Digest>) -> Option<Vec<Digest>> {
        let root = |&(from, to): &(u64, u64)| {
            let peaks = whole_subtrees(from, to).map(&node).collect::<Option<Vec<_>>>()?;
            fold(peaks.into_iter())
        };
        self.0.iter().map(root).collect()
    }
}

/// The largest power of two below `count`, where a tree of `count > 1` leaves divides.
fn split(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}

/// Whether `proof` leads from the leaf hash at `index` to the root of the tree of `size` leaves.
pub fn includes(leaf: &Digest, index: u64, size: u64, proof: &[Digest], root: &Digest) -> bool {
    if index >= size {
        return false;
    }
    let (mut node, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// Whether `proof` shows that the tree (`new`, `new_root`) begins with all of the tree (`old`, `old_root`). Two equal
/// sizes need an empty proof and equal roots; an old tree without leaves is no claim and is refused.
pub fn extends(old: u64, old_root: &Digest, new: u64, new_root: &Digest, proof: &[Digest]) -> bool {
    if old == 0 || old > new {
        return false;
    }
    if old == new {
        return proof.is_empty() && old_root == new_root;
    }
    // A whole old tree is a node of the new one: its root begins the path and is not repeated in the proof.
    let mut path = proof.iter();
    let first = if old.is_power_of_two() { Some(old_root) } else { path.next() };
    let Some(first) = first else { return false };
    let (mut node, mut last) = (old - 1, new - 1);
    while node & 1 == 1 {
        node >>= 1;
        last >>= 1;
    }
    let (mut old_hash, mut new_hash) = (*first, *first);
    for part in path {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            old_hash = node_hash(part, &old_hash);
            new_hash = node_hash(part, &new_hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            new_hash = node_hash(&new_hash, part);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && old_hash == *old_root && new_hash == *new_root
}

#[cfg(test)]
mod tests {
    use super::super::tree::tests::{grown, naive_root, numbered};
    use super::*;
    use proptest::prelude::*;

    /// The path exactly as RFC 9162 section 2.1.3.1 defines it.
    fn naive_path(index: usize, leaves: &[Digest]) -> Vec<Digest> {
        if leaves.len() == 1 {
            return Vec::new();
        }
        let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
        let (mut path, sibling) = if index < left.len() {
            (naive_path(index, left), naive_root(right))
        } else {
            (naive_path(index - left.len(), right), naive_root(left))
        };
        path.push(sibling);
        path
    }

    /// The proof exactly as RFC 9162 section 2.1.4.1 defines it.
    fn naive_subproof(old: usize, leaves: &[Digest], whole: bool) -> Vec<Digest> {
        if old == leaves.len() {
            return if whole { Vec::new() } else { vec![naive_root(leaves)] };
        }
        let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
        let (mut proof, other) = if old <= left.len() {
            (naive_subproof(old, left, whole), naive_root(right))
        } else {
            (naive_subproof(old - left.len(), right, false), naive_root(left))
        };
        proof.push(other);
        proof
    }

    #[test]
    fn every_proof_of_every_small_tree() {
        let leaves = numbered(40);
        for size in 1..=leaves.len() {
            let (frontier, nodes) = grown(&leaves[..size]);
            let (root, n) = (frontier.root(), size as u64);
            let get = |node| nodes.get(&node).copied();
            for (i, leaf) in leaves[..size].iter().enumerate() {
                let proof = Plan::inclusion(i as u64, n).unwrap().proof(get).unwrap();
                assert_eq!(proof, naive_path(i, &leaves[..size]), "leaf {i} of {size}");
                assert!(includes(leaf, i as u64, n, &proof, &root));
                assert!(!includes(leaf, i as u64 + 1, n, &proof, &root));
                assert!(!includes(leaf, i as u64, n, &proof, &[0; 32]));
            }
            for old in 1..=size {
                let proof = Plan::consistency(old as u64, n).unwrap().proof(get).unwrap();
                assert_eq!(proof, naive_subproof(old, &leaves[..size], true), "{old} of {size}");
                let old_root = naive_root(&leaves[..old]);
                assert!(extends(old as u64, &old_root, n, &root, &proof), "{old} of {size}");
                assert!(!extends(old as u64, &[0; 32], n, &root, &proof));
                assert!(!extends(old as u64, &old_root, n, &[0; 32], &proof));
            }
            assert_eq!((Plan::inclusion(n, n), Plan::consistency(n + 1, n)), (None, None));
        }
        assert_eq!(Plan::consistency(0, 5), None);
        assert!(!extends(0, &naive_root(&[]), 5, &naive_root(&leaves[..5]), &[]));
    }

    proptest! {
        #[test]
        fn a_changed_proof_is_refused(size in 2_u64..3_000, at in any::<prop::sample::Index>(), flip in any::<prop::sample::Index>()) {
            let leaves = numbered(usize::try_from(size).unwrap());
            let (frontier, nodes) = grown(&leaves);
            let index = at.index(leaves.len());
            let proof = Plan::inclusion(index as u64, size).unwrap().proof(|n| nodes.get(&n).copied()).unwrap();
            let root = frontier.root();
            prop_assert!(includes(&leaves[index], index as u64, size, &proof, &root));
            let mut changed = proof.clone();
            changed[flip.index(proof.len())][0] ^= 1;
            prop_assert!(!includes(&leaves[index], index as u64, size, &changed, &root));
            prop_assert!(!includes(&leaves[index], index as u64, size, &proof[1..], &root));
            let longer = [proof.clone(), vec![[0; 32]]].concat();
            prop_assert!(!includes(&leaves[index], index as u64, size, &longer, &root));
            prop_assert_eq!(Plan::inclusion(index as u64, size).unwrap().proof(|_| None), None);
        }

        #[test]
        fn a_rewritten_history_is_refused(old in 1_u64..500, more in 1_u64..500, flip in any::<prop::sample::Index>()) {
            let mut leaves = numbered(usize::try_from(old + more).unwrap());
            let old_root = naive_root(&leaves[..usize::try_from(old).unwrap()]);
            leaves[flip.index(usize::try_from(old).unwrap())] = [7; 32];
            let (frontier, nodes) = grown(&leaves);
            let proof = Plan::consistency(old, old + more).unwrap().proof(|n| nodes.get(&n).copied()).unwrap();
            prop_assert!(!extends(old, &old_root, old + more, &frontier.root(), &proof));
        }
    }
}
