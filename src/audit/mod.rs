//! The append-only Merkle log as pure functions: leaves, tree, proofs and heads, shaped by RFC 9162.
//!
//! [`leaf`] says what a leaf is and how it commits to its details, [`tree`] appends leaves and computes roots,
//! [`proof`] makes and checks inclusion and consistency proofs, [`head`] is what gets signed, [`evidence`] is all of it
//! for one decision. Invariants: a leaf hash can never pass for a node hash (RFC 9162 section 2.1.1), only whole
//! subtrees are stored, and a stored node never changes. Deliberately absent: where nodes are kept (`store`) and when leaves get their places (`flow`).

pub mod evidence;
pub mod head;
pub mod leaf;
pub mod proof;
pub mod tree;
