//! A leaf of the log: random identifier, kind, time, and a commitment to details that are kept elsewhere.
//!
//! The details and their salt stand sealed in another table. They can be erased there while the log still verifies:
//! a commitment under a lost 256-bit salt reveals nothing about them.

use crate::base::{
    clock::Instant,
    entropy::{Entropy, random},
};
use crate::crypto::digest::{Digest, sha256_parts};

/// The version of the encoding, the first byte of every leaf.
const VERSION: u8 = 1;

/// The salt of a commitment.
pub type Salt = [u8; 32];

/// A fresh salt.
pub fn salt(entropy: &dyn Entropy) -> Salt {
    random(entropy)
}

/// The commitment to details: SHA-256 of salt and details. The salt has a fixed length, so that no other split of
/// the bytes commits to the same value.
pub fn commit(salt: &Salt, details: &[u8]) -> Digest {
    sha256_parts(&[salt, details])
}

/// What stands in the log about one decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf<'a> {
    /// Its random identifier.
    pub id: [u8; 16],
    /// What kind of decision it was, in `snake_case`.
    pub kind: &'a str,
    /// When it was made, in microseconds since 1970 (UTC).
    pub at_micros: i64,
    /// The commitment to its details.
    pub commitment: Digest,
}

impl Leaf<'_> {
    /// The bytes that are hashed: version, identifier, time, commitment, then the kind, whose length is what is left.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(57 + self.kind.len());
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.id);
        bytes.extend_from_slice(&self.at_micros.to_be_bytes());
        bytes.extend_from_slice(&self.commitment);
        bytes.extend_from_slice(self.kind.as_bytes());
        bytes
    }

    /// Its hash in the tree.
    pub fn hash(&self) -> Digest {
        super::tree::leaf_hash(&self.bytes())
    }
}

/// An instant as a leaf counts it: microseconds since 1970, the resolution of the clock and of PostgreSQL.
pub fn micros(at: Instant) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    fn leaf(kind: &str) -> Leaf<'_> {
        Leaf {
            id: [7; 16],
            kind,
            at_micros: micros(datetime!(2026-11-24 07:30:40.000001 UTC)),
            commitment: [9; 32],
        }
    }

    #[test]
    fn every_field_reaches_the_hash() {
        let base = leaf("bill_paid");
        assert_eq!(base.bytes().len(), 57 + 9);
        assert_eq!(base.at_micros % 1_000_000, 1);
        let mut others = [base.clone(), base.clone(), base.clone(), leaf("bill_paie")];
        others[0].id[15] = 8;
        others[1].at_micros += 1;
        others[2].commitment[0] = 8;
        for other in others {
            assert_ne!(other.hash(), base.hash(), "{other:?}");
        }
    }

    #[test]
    fn a_commitment_binds_salt_and_details() {
        let commitment = commit(&[1; 32], b"details");
        assert_ne!(commitment, commit(&[2; 32], b"details"));
        assert_ne!(commitment, commit(&[1; 32], b"detail"));
    }
}
