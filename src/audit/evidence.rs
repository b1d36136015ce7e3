//! Evidence that one decision stands in the log: what it commits to, its path, and the signed head above it.
//!
//! It is checked with nothing but the public keys: by the citizen, the agency or a court, offline, years later.

use super::{
    head::TreeHead,
    leaf::{Leaf, commit, micros},
    proof::includes,
};
use crate::base::{calendar::rfc3339, clock::Instant};
use crate::crypto::{digest::Digest, jwt::Refused, signing::KeyList};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use serde::{Deserialize, Serialize};
use time::format_description::well_known::Rfc3339;

/// The evidence, as its JSON file has it. Hashes and salts are base64url.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The leaf's random identifier, 32 hex digits.
    pub leaf: String,
    /// What kind of decision it was.
    pub kind: String,
    /// When it was made (RFC 3339, UTC).
    pub at: String,
    /// The salt of its commitment.
    pub salt: String,
    /// What it commits to: the exact text.
    pub details: String,
    /// Its place in the log, from zero.
    pub place: u64,
    /// The hashes from the leaf to the root.
    pub path: Vec<String>,
    /// The head above them, signed.
    pub head: String,
}

/// Why evidence is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadEvidence {
    /// A field that cannot be read.
    #[error("the proof is not readable")]
    Malformed,
    /// The head is not signed by a trusted key.
    #[error("the tree head of the proof is not believed: {0}")]
    Head(#[from] Refused),
    /// The path does not lead from the leaf to the head.
    #[error("the proof does not lead to the tree head")]
    Path,
}

impl Evidence {
    /// Puts evidence together.
    pub fn new(
        leaf: &Leaf<'_>,
        at: Instant,
        opened: (&[u8; 32], &str),
        place: u64,
        path: &[Digest],
        head: &str,
    ) -> Self {
        Self {
            leaf: hex::encode(leaf.id),
            kind: leaf.kind.to_owned(),
            at: rfc3339(at),
            salt: BASE64URL.encode(opened.0),
            details: opened.1.to_owned(),
            place,
            path: path.iter().map(|hash| BASE64URL.encode(hash)).collect(),
            head: head.to_owned(),
        }
    }

    /// The head that covers the decision, and whose log it is, if everything fits.
    pub fn verify(&self, keys: &KeyList) -> Result<(TreeHead, String), BadEvidence> {
        let malformed = BadEvidence::Malformed;
        let (head, iss) = TreeHead::verify(&self.head, keys)?;
        let at = Instant::parse(&self.at, &Rfc3339).map_err(|_| malformed)?;
        let id = hex::decode(&self.leaf).ok().and_then(|id| id.try_into().ok()).ok_or(malformed)?;
        let path = self.path.iter().map(|h| digest(h)).collect::<Option<Vec<_>>>().ok_or(malformed)?;
        let salt = digest(&self.salt).ok_or(malformed)?;
        let commitment = commit(&salt, self.details.as_bytes());
        let leaf = Leaf { id, kind: &self.kind, at_micros: micros(at), commitment };
        if includes(&leaf.hash(), self.place, head.size, &path, &head.root) {
            Ok((head, iss))
        } else {
            Err(BadEvidence::Path)
        }
    }
}

fn digest(text: &str) -> Option<Digest> {
    BASE64URL.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::super::{head, proof::Plan, tree::Frontier};
    use super::*;
    use crate::base::entropy::SystemEntropy;
    use crate::crypto::{
        self, jwt,
        keyring::{KeyRing, Purpose},
    };
    use std::collections::HashMap;
    use time::macros::datetime;

    #[test]
    fn evidence_holds_only_as_a_whole() {
        crypto::install();
        let ring = KeyRing::generate(&SystemEntropy::new());
        let at = datetime!(2026-11-24 07:30:40.000001 UTC);
        let (mut tree, mut nodes) = (Frontier::default(), HashMap::new());
        let leaf = |i: u8| Leaf {
            id: [i; 16],
            kind: "receipt.issued",
            at_micros: micros(at),
            commitment: commit(&[i; 32], b"{}"),
        };
        for i in 0..11 {
            tree.append(leaf(i).hash(), |node, hash| {
                nodes.insert(node, hash);
            });
        }
        let tip = TreeHead { size: 11, root: tree.root(), at };
        let signed =
            jwt::sign(ring.signing(Purpose::Record), head::TYP, &tip.claims("http://localhost:8080"));
        let path = Plan::inclusion(6, 11).unwrap().proof(|n| nodes.get(&n).copied()).unwrap();
        let evidence = Evidence::new(&leaf(6), at, (&[6; 32], "{}"), 6, &path, &signed);
        let keys = ring.published(Purpose::Record);
        assert_eq!(evidence.verify(keys), Ok((tip, "http://localhost:8080".to_owned())));
        let mut changed = vec![evidence.clone(); 4];
        changed[0].details = "{ }".to_owned();
        changed[1].place = 7;
        changed[2].kind = "receipt.voided".to_owned();
        changed[3].at = "2026-11-24T07:30:40Z".to_owned();
        for evidence in changed {
            assert_eq!(evidence.verify(keys), Err(BadEvidence::Path), "{evidence:?}");
        }
        let cut = Evidence { salt: "AA".to_owned(), ..evidence };
        assert_eq!(cut.verify(keys), Err(BadEvidence::Malformed));
    }
}
