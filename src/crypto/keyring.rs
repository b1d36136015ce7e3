//! The service's keys: who signs what, what seals personal fields, and the secrets behind pseudonyms and look-ups.
//!
//! One text holds them all (a TOML file of mode 0600, or a mounted secret); reading and writing it is the caller's.
//! Signing keys are separate by purpose, so that a token can never pass for a record or a message. Of the keys of a
//! purpose the youngest whose time has come signs; the others only verify. A key is published before its time comes,
//! so that everybody knows it when it signs. The first master key wraps new data keys; the others only unwrap.
//!
//! The text may change under a running service: [`KeyRing::adopt`] takes the signing keys of the new one in, and
//! [`KeyRing::turn`] lets the time come. Sets that once signed stay in memory, so that whoever holds a key goes on.

use super::{
    digest::{Digest, MacKey},
    rsa::RsaKey,
    seal::{self, Broken, DataKey, WrappedKey},
    signing::{KeyList, Signer, SigningKey, VerifyingKey},
};
use crate::base::{
    calendar::rfc3339,
    clock::Instant,
    entropy::{Entropy, random},
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use ring::aead::LessSafeKey;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::{
    OnceLock,
    atomic::{AtomicUsize, Ordering},
};
use time::{Duration, OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

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

/// A signing key of the ring: in memory, or wherever its [`Signer`] keeps it.
pub struct RingKey {
    signer: Box<dyn Signer>,
    /// The key itself where it is in memory, to write it down.
    pkcs8: Option<zeroize::Zeroizing<Vec<u8>>>,
    times: Times,
}

/// When a key signs, and until when it is published at least.
#[derive(Debug, Clone, Copy, Default)]
struct Times {
    signs_from: Option<Instant>,
    published_until: Option<Instant>,
}

impl RingKey {
    fn new(key: SigningKey, times: Times) -> Self {
        let pkcs8 = Some(key.pkcs8().to_vec().into());
        Self { signer: Box::new(key), pkcs8, times }
    }
}

impl Signer for RingKey {
    fn kid(&self) -> &str {
        self.signer.kid()
    }
    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.signer.sign(message)
    }
    fn verifying_key(&self) -> &VerifyingKey {
        self.signer.verifying_key()
    }
}

/// The signing keys of one text, and which of each purpose signs now.
struct Signing {
    keys: Vec<(Purpose, RingKey)>,
    current: [AtomicUsize; 3],
    published: [KeyList; 3],
    rsa: Option<RsaKey>,
}

impl Signing {
    fn new(keys: Vec<(Purpose, RingKey)>, rsa: Option<RsaKey>) -> Self {
        let current = PURPOSES.map(|purpose| AtomicUsize::new(due(&keys, purpose, None)));
        Self { published: publish(&keys), keys, current, rsa }
    }

    fn turn(&self, now: Instant) {
        for purpose in PURPOSES {
            let place = due(&self.keys, purpose, Some(now));
            if self.current[purpose as usize].swap(place, Ordering::AcqRel) != place {
                tracing::info!(?purpose, kid = self.keys[place].1.kid(), "another key signs from now on");
            }
        }
    }

    fn is_like(&self, other: &Self) -> bool {
        let kids = |set: &Self| -> Vec<(String, Option<Instant>)> {
            set.keys.iter().map(|(_, key)| (key.kid().to_owned(), key.times.signs_from)).collect()
        };
        let rsa = |set: &Self| set.rsa.as_ref().map(|key| key.kid().to_owned());
        kids(self) == kids(other) && rsa(self) == rsa(other)
    }
}

const PURPOSES: [Purpose; 3] = [Purpose::Token, Purpose::Record, Purpose::Message];

/// The place of the key that signs for a purpose: the one whose time came last; the first of the text where no time is
/// written, or before the time of any.
fn due(keys: &[(Purpose, RingKey)], purpose: Purpose, now: Option<Instant>) -> usize {
    let mut best: Option<(usize, Option<Instant>)> = None;
    for (place, (_, key)) in keys.iter().enumerate().filter(|(_, (of, _))| *of == purpose) {
        let from = key.times.signs_from;
        let come = from.is_none_or(|from| now.is_some_and(|now| from <= now));
        if best.is_none() || (come && best.is_some_and(|(_, before)| from > before)) {
            best = Some((place, from.filter(|_| come)));
        }
    }
    best.map_or(0, |(place, _)| place)
}

/// How many texts of keys one process takes in, one after the other.
const SETS_MAX: usize = 64;

/// Every key of one installation.
pub struct KeyRing {
    sets: Box<[OnceLock<Signing>; SETS_MAX]>,
    /// The place of the set in use.
    set: AtomicUsize,
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
    /// Too many texts for one process.
    #[error("the keys were changed too often under a running service: start it again")]
    TooOften,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    lookup: String,
    pairwise: String,
    master: Vec<MasterText>,
    signing: Vec<SigningText>,
    /// An RSA key for the ID tokens of portals that know nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rsa: Option<RsaText>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RsaText {
    pkcs8: String,
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
    /// RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signs_from: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    published_until: Option<String>,
}

impl SigningText {
    fn times(&self) -> Result<Times, BadKeyRing> {
        let read = |text: &Option<String>| match text {
            None => Ok(None),
            Some(text) => OffsetDateTime::parse(text, &Rfc3339)
                .map(|at| Some(at.to_offset(UtcOffset::UTC)))
                .map_err(|_| BadKeyRing::Shape("a time that is not RFC 3339".to_owned())),
        };
        Ok(Times { signs_from: read(&self.signs_from)?, published_until: read(&self.published_until)? })
    }
}

fn written(at: Option<Instant>) -> Option<String> {
    at.map(rfc3339)
}

impl KeyRing {
    /// A fresh ring with one key for everything.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let secret = || -> (Vec<u8>, MacKey) {
            let bytes: [u8; 32] = random(entropy);
            (bytes.to_vec(), MacKey::new(&bytes))
        };
        let master: [u8; 32] = random(entropy);
        let signing = PURPOSES.map(|p| (p, RingKey::new(SigningKey::generate(), Times::default())));
        Self {
            sets: first(Signing::new(signing.into(), None)),
            set: AtomicUsize::new(0),
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
        let signing = read_signing(&text)?;
        let mut masters = Vec::new();
        for master in &text.master {
            let raw: [u8; 32] =
                bytes(&master.key)?.try_into().map_err(|_| bad("a master key has 32 bytes"))?;
            masters.push((master.generation, raw, seal::aes(&raw)));
        }
        let ring = Self {
            sets: first(signing),
            set: AtomicUsize::new(0),
            masters,
            lookup: secret(&text.lookup)?,
            pairwise: secret(&text.pairwise)?,
        };
        if ring.masters.is_empty() || ring.lookup.0.len() < 32 || ring.pairwise.0.len() < 32 {
            return Err(BadKeyRing::Missing("master, lookup or pairwise"));
        }
        Ok(ring)
    }

    /// The text to keep, secret as the keys are; keys that live elsewhere are not in it.
    pub fn to_toml(&self) -> zeroize::Zeroizing<String> {
        let set = self.in_use();
        let signing = |(purpose, key): &(Purpose, RingKey)| {
            Some(SigningText {
                purpose: *purpose,
                pkcs8: BASE64.encode(key.pkcs8.as_ref()?),
                signs_from: written(key.times.signs_from),
                published_until: written(key.times.published_until),
            })
        };
        let text = Text {
            lookup: BASE64.encode(&self.lookup.0),
            pairwise: BASE64.encode(&self.pairwise.0),
            master: self
                .masters
                .iter()
                .map(|(generation, raw, _)| MasterText { generation: *generation, key: BASE64.encode(raw) })
                .collect(),
            signing: set.keys.iter().filter_map(signing).collect(),
            rsa: set.rsa.as_ref().map(|key| RsaText { pkcs8: BASE64.encode(key.pkcs8()) }),
        };
        toml::to_string(&text).unwrap_or_default().into()
    }

    /// The key that signs for this purpose now.
    pub fn signing(&self, purpose: Purpose) -> &RingKey {
        let set = self.in_use();
        &set.keys[set.current[purpose as usize].load(Ordering::Acquire)].1
    }

    /// The public keys that verify for this purpose.
    pub fn published(&self, purpose: Purpose) -> &KeyList {
        &self.in_use().published[purpose as usize]
    }

    /// The RSA key that signs ID tokens of portals that know nothing else, if the operator has imported one.
    pub fn rsa(&self) -> Option<&RsaKey> {
        self.in_use().rsa.as_ref()
    }

    /// The published keys as a JWK set (RFC 7517), the signing one first.
    pub fn jwks(&self, purpose: Purpose) -> serde_json::Value {
        let signs = self.signing(purpose).kid();
        let set = self.in_use();
        let keys = set.keys.iter().filter(|(of, _)| *of == purpose).map(|(_, key)| key);
        let (first, others): (Vec<_>, Vec<_>) = keys.partition(|key| key.kid() == signs);
        let jwks = first.into_iter().chain(others).map(|key| key.verifying_key().jwk(key.kid()));
        let rsa = set.rsa.iter().filter(|_| purpose == Purpose::Token).map(RsaKey::jwk);
        serde_json::json!({ "keys": jwks.chain(rsa).collect::<Vec<_>>() })
    }

    /// The names of all signing keys, to refuse development keys in production.
    pub fn kids(&self) -> impl Iterator<Item = &str> {
        self.in_use().keys.iter().map(|(_, key)| key.kid())
    }

    /// Lets the time of keys come.
    pub fn turn(&self, now: Instant) {
        self.in_use().turn(now);
    }

    /// Takes the signing keys of a newer text in, while others go on using those of the older; false when they are the
    /// same. What seals and looks up never changes under a running service.
    pub fn adopt(&self, text: &str, now: Instant) -> Result<bool, BadKeyRing> {
        let text: Text = toml::from_str(text).map_err(|e| BadKeyRing::Shape(e.message().to_owned()))?;
        let next = read_signing(&text)?;
        if self.in_use().is_like(&next) {
            return Ok(false);
        }
        next.turn(now);
        let place = self.set.load(Ordering::Acquire) + 1;
        self.sets.get(place).ok_or(BadKeyRing::TooOften)?.set(next).map_err(|_| BadKeyRing::TooOften)?;
        self.set.store(place, Ordering::Release);
        Ok(true)
    }

    /// The text with a fresh key for a purpose, which signs once everybody has had `ahead` to learn of it. Those
    /// before it stay published for `kept` afterwards, or for ever without; what is over by now is left out.
    pub fn rotated(
        text: &str,
        purpose: Purpose,
        now: Instant,
        ahead: Duration,
        kept: Option<Duration>,
    ) -> Result<zeroize::Zeroizing<String>, BadKeyRing> {
        let _readable = Self::from_toml(text)?;
        let mut text: Text = toml::from_str(text).map_err(|e| BadKeyRing::Shape(e.message().to_owned()))?;
        let signs_from = now + ahead;
        let mut kept_keys = Vec::new();
        for key in text.signing {
            if key.times()?.published_until.is_none_or(|until| now < until) {
                kept_keys.push(key);
            }
        }
        text.signing = kept_keys;
        for key in text.signing.iter_mut().filter(|key| key.purpose == purpose) {
            if key.published_until.is_none() {
                key.published_until = written(kept.map(|kept| signs_from + kept));
            }
        }
        let fresh = SigningKey::generate();
        text.signing.push(SigningText {
            purpose,
            pkcs8: BASE64.encode(fresh.pkcs8()),
            signs_from: written(Some(signs_from)),
            published_until: None,
        });
        Ok(toml::to_string(&text).unwrap_or_default().into())
    }

    /// The text with an RSA key (PKCS#8) for the ID tokens of portals that know nothing else.
    pub fn with_rsa(text: &str, pkcs8: &[u8]) -> Result<zeroize::Zeroizing<String>, BadKeyRing> {
        let _readable = Self::from_toml(text)?;
        let _usable = RsaKey::from_pkcs8(pkcs8).map_err(|e| BadKeyRing::Shape(e.to_string()))?;
        let mut text: Text = toml::from_str(text).map_err(|e| BadKeyRing::Shape(e.message().to_owned()))?;
        text.rsa = Some(RsaText { pkcs8: BASE64.encode(pkcs8) });
        Ok(toml::to_string(&text).unwrap_or_default().into())
    }

    /// The ring with a key that lives elsewhere, such as in a hardware module, signing for a purpose; those of the
    /// text go on verifying.
    #[must_use]
    pub fn with_signer(mut self, purpose: Purpose, signer: Box<dyn Signer>) -> Self {
        let place = self.set.load(Ordering::Acquire);
        if let Some(set) = self.sets[place].take() {
            let mut keys = set.keys;
            keys.insert(0, (purpose, RingKey { signer, pkcs8: None, times: Times::default() }));
            let _vacant = self.sets[place].set(Signing::new(keys, set.rsa));
        }
        self
    }

    #[expect(
        clippy::expect_used,
        reason = "the first set is there from the beginning, and a place moves to a full one"
    )]
    fn in_use(&self) -> &Signing {
        self.sets[self.set.load(Ordering::Acquire)].get().expect("a set of keys")
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

    /// The key that seals what one code carries: derived from the identifier that the code names, kept nowhere, the same
    /// on every node, and used for one seal alone.
    pub fn code_key(&self, id: &[u8]) -> DataKey {
        DataKey::new(self.lookup("authorization.code", id), 0)
    }

    /// The keyed hash behind pairwise subjects.
    pub fn pairwise(&self, label: &str, value: &[u8]) -> Digest {
        self.pairwise.1.digest(label, value)
    }
}

fn first(set: Signing) -> Box<[OnceLock<Signing>; SETS_MAX]> {
    let sets = Box::new([const { OnceLock::new() }; SETS_MAX]);
    let _vacant = sets[0].set(set);
    sets
}

fn read_signing(text: &Text) -> Result<Signing, BadKeyRing> {
    let bad = |what: &str| BadKeyRing::Shape(what.to_owned());
    let bytes = |s: &str| BASE64.decode(s).map_err(|_| bad("not base64"));
    let mut keys = Vec::new();
    for key in &text.signing {
        let parsed = SigningKey::from_pkcs8(&bytes(&key.pkcs8)?).map_err(|_| bad("not a P-256 key"))?;
        keys.push((key.purpose, RingKey::new(parsed, key.times()?)));
    }
    for (purpose, name) in PURPOSES.into_iter().zip(["token", "record", "message"]) {
        if !keys.iter().any(|(p, _)| *p == purpose) {
            return Err(BadKeyRing::Missing(name));
        }
    }
    let rsa = match &text.rsa {
        Some(rsa) => Some(RsaKey::from_pkcs8(&bytes(&rsa.pkcs8)?).map_err(|e| bad(&e.to_string()))?),
        None => None,
    };
    Ok(Signing::new(keys, rsa))
}

fn publish(signing: &[(Purpose, RingKey)]) -> [KeyList; 3] {
    PURPOSES.map(|purpose| {
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
#[path = "keyring_tests.rs"]
mod tests;
