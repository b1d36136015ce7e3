//! Access tokens of ours whose signatures were made or checked lately: a system shows the same token for minutes, and to check a
//! signature costs more than all else that is asked about a token.
//!
//! Only what a signature says is remembered: that these bytes are claims which that key signed. Whether the key is still
//! published, the token still good and its client still allowed is asked at every request. A token that was refused is
//! not remembered, a token itself never: it is found by its digest. What is kept is bounded: two generations, the older
//! of which goes when the younger is full.

use super::{
    digest::{Digest, sha256},
    jwt::{self, Refused},
    keyring::RingKey,
    signing::{KeyList, Signer as _, VerifyingKey},
};
use serde::{Serialize, de::DeserializeOwned};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The most tokens of one generation; with its claims a token takes about half a KiB.
const GENERATION_MAX: usize = 2_048;

/// The `typ` of access tokens (RFC 9068).
pub const ACCESS_TOKEN_TYPE: &str = "at+jwt";

/// The memory, shared by all who sign and check access tokens.
#[derive(Default)]
pub struct CheckedTokens {
    generations: Mutex<Generations>,
}

#[derive(Default)]
struct Generations {
    young: HashMap<Digest, Checked>,
    old: HashMap<Digest, Checked>,
}

/// What a good signature said.
#[derive(Clone)]
struct Checked {
    kid: String,
    key: VerifyingKey,
    claims: Arc<[u8]>,
}

impl CheckedTokens {
    /// Signs a token, which will come back soon.
    pub fn sign<C: Serialize>(&self, key: &RingKey, claims: &C) -> String {
        let token = jwt::sign(key, ACCESS_TOKEN_TYPE, claims);
        if let Some(claims) = jwt::payload(&token) {
            let (kid, key) = (key.kid().to_owned(), key.verifying_key().clone());
            self.keep(sha256(token.as_bytes()), Checked { kid, key, claims: claims.into() });
        }
        token
    }

    /// As [`jwt::verify`], with the same answer for the same token and keys.
    pub fn verify<C: DeserializeOwned>(&self, token: &str, keys: &KeyList) -> Result<C, Refused> {
        let name = sha256(token.as_bytes());
        let known = self.find(&name).filter(|checked| keys.find(&checked.kid) == Some(&checked.key));
        if let Some(checked) = known {
            return serde_json::from_slice(&checked.claims).map_err(|_| Refused::BadClaims);
        }
        let claims = jwt::verify(token, ACCESS_TOKEN_TYPE, keys)?;
        let kid = jwt::unverified_kid(token).ok_or(Refused::Malformed)?;
        let key = keys.find(&kid).ok_or(Refused::UnknownKey)?.clone();
        let bytes = jwt::payload(token).ok_or(Refused::Malformed)?.into();
        self.keep(name, Checked { kid, key, claims: bytes });
        Ok(claims)
    }

    fn find(&self, name: &Digest) -> Option<Checked> {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(checked) = generations.young.get(name) {
            return Some(checked.clone());
        }
        let checked = generations.old.remove(name)?;
        generations.put(*name, checked.clone());
        Some(checked)
    }

    fn keep(&self, name: Digest, checked: Checked) {
        self.generations.lock().unwrap_or_else(PoisonError::into_inner).put(name, checked);
    }
}

impl Generations {
    fn put(&mut self, name: Digest, checked: Checked) {
        if self.young.len() >= GENERATION_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(name, checked);
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
    use serde_json::{Value, json};

    #[test]
    fn a_token_is_as_good_the_second_time_as_the_first_and_no_better() {
        crypto::install();
        let ring = KeyRing::generate(&SystemEntropy::new());
        let keys = ring.published(Purpose::Token);
        let memory = CheckedTokens::default();
        let token = jwt::sign(ring.signing(Purpose::Token), "at+jwt", &json!({"sub": "x"}));
        for _ in 0..2 {
            assert_eq!(memory.verify::<Value>(&token, keys), Ok(json!({"sub": "x"})));
        }
        // The key is published no more: what it signed is not believed either.
        let others = KeyRing::generate(&SystemEntropy::new());
        let unknown = memory.verify::<Value>(&token, others.published(Purpose::Token));
        assert_eq!(unknown, Err(Refused::UnknownKey));
        // Another kind, and the same claims under another signature, are judged by themselves.
        let id_token = jwt::sign(ring.signing(Purpose::Token), "JWT", &json!({"sub": "x"}));
        let (claims, _) = token.rsplit_once('.').unwrap();
        let forged = format!("{claims}.{}", id_token.rsplit_once('.').unwrap().1);
        for _ in 0..2 {
            assert_eq!(memory.verify::<Value>(&id_token, keys), Err(Refused::WrongKind));
            assert_eq!(memory.verify::<Value>(&forged, keys), Err(Refused::BadSignature));
        }
    }

    #[test]
    fn what_is_remembered_is_bounded_and_what_is_used_stays() {
        let memory = CheckedTokens::default();
        let key = crypto::signing::SigningKey::generate();
        let checked = Checked {
            kid: "k".to_owned(),
            key: crypto::signing::Signer::verifying_key(&key).clone(),
            claims: b"{}".as_slice().into(),
        };
        let name = |n: usize| sha256(&n.to_be_bytes());
        for n in 0..5 * GENERATION_MAX {
            memory.keep(name(n), checked.clone());
            assert!(memory.find(&name(0)).is_some(), "asked for all the time");
        }
        let generations = memory.generations.lock().unwrap();
        assert!(generations.young.len() + generations.old.len() <= 2 * GENERATION_MAX + 1);
    }
}
