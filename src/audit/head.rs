//! The head of the tree: its size, root and time, as it is signed, kept and checked.
//!
//! A signed head is a compact JWS whose `typ` no other token has, so that no other signature can pass for a head.

use crate::base::{calendar::rfc3339, clock::Instant};
use crate::crypto::{
    digest::Digest,
    jwt::{self, Refused},
    signing::KeyList,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use serde::{Deserialize, Serialize};
use time::format_description::well_known::Rfc3339;

/// The `typ` of a signed head.
pub const TYP: &str = "chung-tree-head+jwt";

/// What the log claims at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeHead {
    /// How many leaves it has.
    pub size: u64,
    /// Its root.
    pub root: Digest,
    /// When it was made.
    pub at: Instant,
}

/// The claims of a signed head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// The public origin of the service whose log it is.
    pub iss: String,
    /// How many leaves it has.
    pub size: u64,
    /// Its root, in base64url.
    pub root: String,
    /// When it was made (RFC 3339, UTC).
    pub at: String,
}

impl TreeHead {
    /// What to sign for the log of `iss`, under [`TYP`].
    pub fn claims(&self, iss: &str) -> Claims {
        Claims {
            iss: iss.to_owned(),
            size: self.size,
            root: BASE64URL.encode(self.root),
            at: rfc3339(self.at),
        }
    }

    /// Reads a signed head that one of `keys` signed, and whose log it is.
    pub fn verify(signed: &str, keys: &KeyList) -> Result<(Self, String), Refused> {
        let claims: Claims = jwt::verify(signed.trim(), TYP, keys)?;
        let root = BASE64URL.decode(&claims.root).ok().and_then(|root| root.try_into().ok());
        let at = Instant::parse(&claims.at, &Rfc3339).map_err(|_| Refused::BadClaims)?;
        Ok((Self { size: claims.size, root: root.ok_or(Refused::BadClaims)?, at }, claims.iss))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::entropy::SystemEntropy;
    use crate::crypto::{
        self,
        keyring::{KeyRing, Purpose},
    };
    use time::macros::datetime;

    #[test]
    fn a_head_is_believed_only_as_it_was_signed() {
        crypto::install();
        let ring = KeyRing::generate(&SystemEntropy::new());
        let (key, keys) = (ring.signing(Purpose::Record), ring.published(Purpose::Record));
        let head = TreeHead { size: 12, root: [3; 32], at: datetime!(2026-11-24 07:30:40.25 UTC) };
        let claims = head.claims("http://localhost:8080");
        let signed = jwt::sign(key, TYP, &claims);
        assert_eq!(TreeHead::verify(&format!("{signed}\n"), keys), Ok((head, claims.iss.clone())));
        let receipt = jwt::sign(key, "chung-receipt+jwt", &claims);
        assert_eq!(TreeHead::verify(&receipt, keys), Err(Refused::WrongKind));
        let short = jwt::sign(key, TYP, &Claims { root: "AAAA".to_owned(), ..claims });
        assert_eq!(TreeHead::verify(&short, keys), Err(Refused::BadClaims));
    }
}
