//! The append-only Merkle log as pure functions: tree, inclusion and consistency proofs (RFC 9162 shapes).
