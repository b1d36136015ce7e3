//! Seals for personal fields: AES-256-GCM under a data key per owner, itself wrapped by a rotating master key.
//!
//! The associated data names the place of the field, so that a sealed value moved to another row or column does not
//! open. Destroying an owner's wrapped key erases everything sealed under it.

use crate::base::{
    entropy::{Entropy, random},
    secret::{Sealed, Secret},
};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

/// What does not open was sealed under another key, for another place, or altered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the seal does not open")]
pub struct Broken;

/// An owner's key, in memory only while a flow needs it.
pub struct DataKey {
    key: LessSafeKey,
    raw: Secret<[u8; 32]>,
    generation: u32,
}

/// A data key as a row holds it: sealed by the master key of that generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// Nonce, ciphertext and tag.
    pub bytes: Vec<u8>,
    /// The master key that wraps it.
    pub generation: u32,
}

impl DataKey {
    pub(super) fn new(raw: [u8; 32], generation: u32) -> Self {
        Self { key: aes(&raw), raw: Secret::new(raw), generation }
    }

    /// Seals `plain` for the place that `aad` names, e.g. `b"person.record"` followed by the row's id.
    pub fn seal<T>(&self, entropy: &dyn Entropy, aad: &[u8], plain: &[u8]) -> Sealed<T> {
        Sealed::new(seal(&self.key, entropy, aad, plain), self.generation)
    }

    /// Opens what was sealed for that place.
    pub fn open<T>(&self, aad: &[u8], sealed: &Sealed<T>) -> Result<Secret<Vec<u8>>, Broken> {
        open(&self.key, aad, sealed.bytes()).map(Secret::new)
    }

    pub(super) const fn raw(&self) -> &[u8; 32] {
        self.raw.expose()
    }
}

#[expect(clippy::expect_used, reason = "32 bytes are an AES-256 key")]
pub(super) fn aes(raw: &[u8; 32]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, raw).expect("32 bytes are an AES-256 key"))
}

#[expect(clippy::expect_used, reason = "AES-GCM refuses only texts beyond 64 GiB")]
pub(super) fn seal(key: &LessSafeKey, entropy: &dyn Entropy, aad: &[u8], plain: &[u8]) -> Vec<u8> {
    let nonce: [u8; NONCE_LEN] = random(entropy);
    let mut out = Vec::with_capacity(NONCE_LEN + plain.len() + AES_256_GCM.tag_len());
    out.extend_from_slice(&nonce);
    out.extend_from_slice(plain);
    let tag = key
        .seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(aad),
            &mut out[NONCE_LEN..],
        )
        .expect("a field is shorter than 64 GiB");
    out.extend_from_slice(tag.as_ref());
    out
}

pub(super) fn open(key: &LessSafeKey, aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, Broken> {
    let (nonce, body) = sealed.split_at_checked(NONCE_LEN).ok_or(Broken)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Broken)?;
    let mut body = body.to_vec();
    let plain = key.open_in_place(nonce, Aad::from(aad), &mut body).map_err(|_| Broken)?.len();
    body.truncate(plain);
    Ok(body)
}
