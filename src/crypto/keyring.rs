//! The service's keys: who signs what, what seals personal fields, and the secrets behind pseudonyms and look-ups.
//!
//! One text holds them all (a TOML file of mode 0600, or a mounted secret); reading and writing it is the caller's.
//! Signing keys are separate by purpose, so that a token can never pass for a record or a message. The first key of a
//! purpose signs; the others only verify. The first master key wraps new data keys; the others only unwrap.

use super::{
    digest::{Digest, MacKey},
    seal::{self, Broken, DataKey, WrappedKey},
    signing::{KeyList, Signer, SigningKey, VerifyingKey},
};
use crate::base::entropy::{Entropy, random};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use jsonwebtoken::EncodingKey;
use ring::aead::LessSafeKey;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a signing key may sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// ID tokens and access tokens, short-lived.
    Token,
    /// Statements, receipts and tree heads, checked for years.
    Record,
    /// HTTP messages to other institutions.
    Message,
}

/// A signing key of the ring, ready for JOSE and for raw signatures.
pub struct RingKey {
    key: SigningKey,
    encoding: EncodingKey,
}

impl RingKey {
    fn new(key: SigningKey) -> Self {
        Self { encoding: EncodingKey::from_ec_der(key.pkcs8()), key }
    }

    pub(super) const fn encoding(&self) -> &EncodingKey {
        &self.encoding
    }
}

impl Signer for RingKey {
    fn kid(&self) -> &str {
        self.key.kid()
    }
    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message)
    }
    fn verifying_key(&self) -> &VerifyingKey {
        self.key.verifying_key()
    }
}

/// Every key of one installation.
pub struct KeyRing {
    signing: Vec<(Purpose, RingKey)>,
    published: [KeyList; 3],
    masters: Vec<(u32, [u8; 32], LessSafeKey)>,
    lookup: (Vec<u8>, MacKey),
    pairwise: (Vec<u8>, MacKey),
}

/// A key text that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadKeyRing {
    /// Not the expected TOML.
    #[error("the key ring is not readable: {0}")]
    Shape(String),
    /// A purpose without a key, or no master key.
    #[error("the key ring lacks a {0} key")]
    Missing(&'static str),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    lookup: String,
    pairwise: String,
    master: Vec<MasterText>,
    signing: Vec<SigningText>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MasterText {
    generation: u32,
    key: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SigningText {
    purpose: Purpose,
    pkcs8: String,
}

impl KeyRing {
    /// A fresh ring with one key for everything.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let signing = [Purpose::Token, Purpose::Record, Purpose::Message];
        let secret = || -> (Vec<u8>, MacKey) {
            let bytes: [u8; 32] = random(entropy);
            (bytes.to_vec(), MacKey::new(&bytes))
        };
        let master: [u8; 32] = random(entropy);
        let signing: Vec<_> = signing.map(|p| (p, RingKey::new(SigningKey::generate()))).into();
        Self {
            published: publish(&signing),
            signing,
            masters: vec![(1, master, seal::aes(&master))],
            lookup: secret(),
            pairwise: secret(),
        }
    }

    /// Reads the text that [`Self::to_toml`] wrote.
    pub fn from_toml(text: &str) -> Result<Self, BadKeyRing> {
        let bad = |what: &str| BadKeyRing::Shape(what.to_owned());
        let text: Text = toml::from_str(text).map_err(|e| BadKeyRing::Shape(e.message().to_owned()))?;
        let bytes = |s: &str| BASE64.decode(s).map_err(|_| bad("not base64"));
        let secret = |s: &str| bytes(s).map(|b| (b.clone(), MacKey::new(&b)));
        let mut signing = Vec::new();
        for key in &text.signing {
            let parsed = SigningKey::from_pkcs8(&bytes(&key.pkcs8)?).map_err(|_| bad("not a P-256 key"))?;
            signing.push((key.purpose, RingKey::new(parsed)));
        }
        let mut masters = Vec::new();
        for master in &text.master {
            let raw: [u8; 32] =
                bytes(&master.key)?.try_into().map_err(|_| bad("a master key has 32 bytes"))?;
            masters.push((master.generation, raw, seal::aes(&raw)));
        }
        let ring = Self {
            published: publish(&signing),
            signing,
            masters,
            lookup: secret(&text.lookup)?,
            pairwise: secret(&text.pairwise)?,
        };
        for (purpose, name) in
            [(Purpose::Token, "token"), (Purpose::Record, "record"), (Purpose::Message, "message")]
        {
            if !ring.signing.iter().any(|(p, _)| *p == purpose) {
                return Err(BadKeyRing::Missing(name));
            }
        }
        if ring.masters.is_empty() || ring.lookup.0.len() < 32 || ring.pairwise.0.len() < 32 {
            return Err(BadKeyRing::Missing("master, lookup or pairwise"));
        }
        Ok(ring)
    }

    /// The text to keep, secret as the keys are.
    pub fn to_toml(&self) -> zeroize::Zeroizing<String> {
        let signing = |(purpose, key): &(Purpose, RingKey)| SigningText {
            purpose: *purpose,
            pkcs8: BASE64.encode(key.key.pkcs8()),
        };
        let text = Text {
            lookup: BASE64.encode(&self.lookup.0),
            pairwise: BASE64.encode(&self.pairwise.0),
            master: self
                .masters
                .iter()
                .map(|(generation, raw, _)| MasterText { generation: *generation, key: BASE64.encode(raw) })
                .collect(),
            signing: self.signing.iter().map(signing).collect(),
        };
        toml::to_string(&text).unwrap_or_default().into()
    }

    /// The key that signs for this purpose now.
    #[expect(
        clippy::expect_used,
        reason = "a ring without a key for each purpose is refused when it is read"
    )]
    pub fn signing(&self, purpose: Purpose) -> &RingKey {
        self.keys(purpose).next().expect("every purpose has a key")
    }

    /// The public keys that verify for this purpose, the signing one first.
    pub fn published(&self, purpose: Purpose) -> &KeyList {
        &self.published[purpose as usize]
    }

    /// Those keys as a JWK set (RFC 7517).
    pub fn jwks(&self, purpose: Purpose) -> serde_json::Value {
        let keys: Vec<_> = self.keys(purpose).map(|key| key.verifying_key().jwk(key.kid())).collect();
        serde_json::json!({ "keys": keys })
    }

    /// The names of all signing keys, to refuse development keys in production.
    pub fn kids(&self) -> impl Iterator<Item = &str> {
        self.signing.iter().map(|(_, key)| key.kid())
    }

    /// A fresh data key, and the form of it to keep. `owner` (an identifier's bytes) binds the one to the other.
    pub fn new_data_key(&self, entropy: &dyn Entropy, owner: &[u8]) -> (DataKey, WrappedKey) {
        let (generation, _, master) = &self.masters[0];
        let key = DataKey::new(random(entropy), *generation);
        let bytes = seal::seal(master, entropy, owner, key.raw());
        (key, WrappedKey { bytes, generation: *generation })
    }

    /// Unwraps an owner's data key.
    pub fn data_key(&self, wrapped: &WrappedKey, owner: &[u8]) -> Result<DataKey, Broken> {
        let (_, _, master) =
            self.masters.iter().find(|(generation, _, _)| *generation == wrapped.generation).ok_or(Broken)?;
        let raw = zeroize::Zeroizing::new(seal::open(master, owner, &wrapped.bytes)?);
        Ok(DataKey::new(raw.as_slice().try_into().map_err(|_| Broken)?, wrapped.generation))
    }

    /// The generation of the master key that wraps new data keys.
    pub fn generation(&self) -> u32 {
        self.masters[0].0
    }

    /// The generations of all master keys, the newest first.
    pub fn generations(&self) -> impl Iterator<Item = u32> {
        self.masters.iter().map(|(generation, _, _)| *generation)
    }

    /// The same data key, wrapped by the newest master key.
    pub fn rewrap(
        &self,
        entropy: &dyn Entropy,
        wrapped: &WrappedKey,
        owner: &[u8],
    ) -> Result<WrappedKey, Broken> {
        let key = self.data_key(wrapped, owner)?;
        let (generation, _, master) = &self.masters[0];
        Ok(WrappedKey { bytes: seal::seal(master, entropy, owner, key.raw()), generation: *generation })
    }

    /// Adds a master key that wraps from now on; the others only unwrap. Its generation.
    pub fn add_master(&mut self, entropy: &dyn Entropy) -> u32 {
        let generation = self.generations().max().unwrap_or(0) + 1;
        let master: [u8; 32] = random(entropy);
        self.masters.insert(0, (generation, master, seal::aes(&master)));
        generation
    }

    /// Takes a master key out for ever: what it wraps can never be opened again. The newest one cannot be taken out;
    /// false then, or when there is none of that generation.
    pub fn remove_master(&mut self, generation: u32) -> bool {
        let before = self.masters.len();
        if generation != self.generation() {
            self.masters.retain(|(known, _, _)| *known != generation);
        }
        self.masters.len() < before
    }

    /// The keyed hash by which rows are looked up; `label` names the column, so that equal values in two columns do
    /// not look equal.
    pub fn lookup(&self, label: &str, value: &[u8]) -> Digest {
        self.lookup.1.digest(label, value)
    }

    /// The keyed hash behind pairwise subjects.
    pub fn pairwise(&self, label: &str, value: &[u8]) -> Digest {
        self.pairwise.1.digest(label, value)
    }

    fn keys(&self, purpose: Purpose) -> impl Iterator<Item = &RingKey> {
        self.signing.iter().filter(move |(p, _)| *p == purpose).map(|(_, key)| key)
    }
}

fn publish(signing: &[(Purpose, RingKey)]) -> [KeyList; 3] {
    [Purpose::Token, Purpose::Record, Purpose::Message].map(|purpose| {
        let keys = signing.iter().filter(|(p, _)| *p == purpose);
        KeyList::new(keys.map(|(_, key)| (key.kid().to_owned(), key.verifying_key().clone())))
    })
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.kids()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::entropy::SystemEntropy;

    #[test]
    fn a_ring_is_kept_and_read_back() {
        let entropy = SystemEntropy::new();
        let ring = KeyRing::generate(&entropy);
        let again = KeyRing::from_toml(&ring.to_toml()).unwrap();
        assert!(ring.kids().eq(again.kids()));
        assert_eq!(ring.lookup("number", b"1"), again.lookup("number", b"1"));
        assert_ne!(ring.lookup("number", b"1"), ring.lookup("phone", b"1"));
        let (key, wrapped) = ring.new_data_key(&entropy, b"owner");
        let sealed = key.seal::<String>(&entropy, b"place", b"secret");
        let opened = again.data_key(&wrapped, b"owner").unwrap().open(b"place", &sealed).unwrap();
        assert_eq!(opened.expose(), b"secret");
    }

    #[test]
    fn a_seal_opens_only_in_its_place_and_under_its_key() {
        let entropy = SystemEntropy::new();
        let ring = KeyRing::generate(&entropy);
        let (key, wrapped) = ring.new_data_key(&entropy, b"owner");
        let sealed = key.seal::<String>(&entropy, b"place", b"secret");
        assert!(key.open(b"elsewhere", &sealed).is_err());
        assert!(ring.data_key(&wrapped, b"another").is_err());
        let (other, _) = ring.new_data_key(&entropy, b"owner");
        assert!(other.open(b"place", &sealed).is_err());
    }

    #[test]
    fn a_rotated_ring_opens_the_old_and_wraps_anew_until_the_old_is_taken_out() {
        let entropy = SystemEntropy::new();
        let mut ring = KeyRing::generate(&entropy);
        let (key, old) = ring.new_data_key(&entropy, b"owner");
        let sealed = key.seal::<String>(&entropy, b"place", b"secret");
        assert_eq!((ring.generation(), ring.add_master(&entropy), ring.generation()), (1, 2, 2));
        let mut ring = KeyRing::from_toml(&ring.to_toml()).unwrap();
        let new = ring.rewrap(&entropy, &old, b"owner").unwrap();
        assert_eq!((old.generation, new.generation), (1, 2));
        assert!(ring.rewrap(&entropy, &old, b"another").is_err());
        assert!(!ring.remove_master(2) && !ring.remove_master(7) && ring.remove_master(1));
        assert!(ring.data_key(&old, b"owner").is_err());
        let opened = ring.data_key(&new, b"owner").unwrap().open(b"place", &sealed).unwrap();
        assert_eq!(opened.expose(), b"secret");
    }

    #[test]
    fn a_ring_that_lacks_a_key_is_refused() {
        assert!(matches!(KeyRing::from_toml("lookup = 1"), Err(BadKeyRing::Shape(_))));
        let text = KeyRing::generate(&SystemEntropy::new()).to_toml();
        let without_message = text.split("[[signing]]").take(3).collect::<Vec<_>>().join("[[signing]]");
        assert!(matches!(KeyRing::from_toml(&without_message), Err(BadKeyRing::Missing("message"))));
    }
}
