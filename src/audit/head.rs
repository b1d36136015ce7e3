//! The head of the tree: its size, root and time, as it is signed and as it is kept in a file.

use crate::base::{calendar::rfc3339, clock::Instant};
use crate::crypto::{
    digest::Digest,
    signing::{KeyList, Signer},
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde::{Deserialize, Serialize};

/// The first line of every signed text: no other signature of the same key can be taken for a head's.
const TITLE: &str = "chung audit tree head v1";

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

impl TreeHead {
    /// The text that is signed, one fact on each line; `log` is the service's public origin.
    pub fn text(&self, log: &str) -> String {
        format!("{TITLE}\n{log}\n{}\n{}\n{}\n", self.size, BASE64.encode(self.root), rfc3339(self.at))
    }

    /// Signs the head.
    pub fn sign(&self, log: &str, key: &dyn Signer) -> SignedHead {
        SignedHead {
            log: log.to_owned(),
            size: self.size,
            root: BASE64.encode(self.root),
            at: rfc3339(self.at),
            kid: key.kid().to_owned(),
            signature: BASE64.encode(key.sign(self.text(log).as_bytes())),
        }
    }
}

/// A signed head as JSON: what `chung audit head` prints and what a proof carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedHead {
    /// The public origin of the service whose log it is.
    pub log: String,
    /// How many leaves it has.
    pub size: u64,
    /// Its root, in base64.
    pub root: String,
    /// When it was made (RFC 3339, UTC).
    pub at: String,
    /// The name of the key that signed.
    pub kid: String,
    /// The signature of the text, ES256 as `r || s`, in base64.
    pub signature: String,
}

/// Why a head is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadHead {
    /// A root, time or signature that cannot be read.
    #[error("the tree head is not readable")]
    Malformed,
    /// No such key is trusted.
    #[error("the tree head is signed by an unknown key")]
    UnknownKey,
    /// The signature does not fit.
    #[error("the signature of the tree head does not fit")]
    BadSignature,
}

impl SignedHead {
    /// The head, if one of `keys` signed it.
    pub fn verify(&self, keys: &KeyList) -> Result<TreeHead, BadHead> {
        let head = self.head()?;
        let key = keys.find(&self.kid).ok_or(BadHead::UnknownKey)?;
        let signature = BASE64.decode(&self.signature).map_err(|_| BadHead::Malformed)?;
        if key.verify(head.text(&self.log).as_bytes(), &signature) {
            Ok(head)
        } else {
            Err(BadHead::BadSignature)
        }
    }

    fn head(&self) -> Result<TreeHead, BadHead> {
        let root =
            BASE64.decode(&self.root).ok().and_then(|r| r.try_into().ok()).ok_or(BadHead::Malformed)?;
        let at = Instant::parse(&self.at, &time::format_description::well_known::Rfc3339);
        Ok(TreeHead { size: self.size, root, at: at.map_err(|_| BadHead::Malformed)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::signing::SigningKey;
    use time::macros::datetime;

    #[test]
    fn a_head_is_believed_only_as_it_was_signed() {
        let key = SigningKey::generate();
        let head = TreeHead { size: 12, root: [3; 32], at: datetime!(2026-11-24 07:30:40.25 UTC) };
        let signed = head.sign("http://localhost:8080", &key);
        let keys = KeyList::new([(key.kid().to_owned(), key.verifying_key().clone())]);
        let kept: SignedHead = serde_json::from_str(&serde_json::to_string(&signed).unwrap()).unwrap();
        assert_eq!(kept.verify(&keys), Ok(head));
        for (changed, refusal) in [
            (SignedHead { size: 13, ..signed.clone() }, BadHead::BadSignature),
            (SignedHead { log: "http://other".to_owned(), ..signed.clone() }, BadHead::BadSignature),
            (SignedHead { kid: "x".to_owned(), ..signed.clone() }, BadHead::UnknownKey),
            (SignedHead { root: "AAAA".to_owned(), ..signed.clone() }, BadHead::Malformed),
            (SignedHead { at: "yesterday".to_owned(), ..signed.clone() }, BadHead::Malformed),
        ] {
            assert_eq!(changed.verify(&keys), Err(refusal), "{changed:?}");
        }
    }
}
