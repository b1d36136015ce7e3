//! Digests, keyed digests and comparison in constant time.

use ring::{digest, hmac};
use subtle::ConstantTimeEq;

/// A SHA-256 value.
pub type Digest = [u8; 32];

/// SHA-256 (FIPS 180-4).
pub fn sha256(bytes: &[u8]) -> Digest {
    narrow(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// SHA-256 over several parts one after the other, without joining them in memory.
pub fn sha256_parts(parts: &[&[u8]]) -> Digest {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part);
    }
    narrow(context.finish().as_ref())
}

/// SHA-256 over bytes that come one after the other.
pub struct Hasher(digest::Context);

impl Hasher {
    /// Over nothing yet.
    pub fn new() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }

    /// Takes more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all of them.
    pub fn finish(self) -> Digest {
        narrow(self.0.finish().as_ref())
    }
}

impl Default for Hasher {
    fn default() -> Self {
        Self::new()
    }
}

/// A key for HMAC-SHA-256 (RFC 2104), prepared once.
#[derive(Clone)]
pub struct MacKey(hmac::Key);

impl MacKey {
    /// Prepares the key.
    pub fn new(key: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// The keyed digest of a labelled value. The label keeps one use from answering for another.
    pub fn digest(&self, label: &str, value: &[u8]) -> Digest {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(label.as_bytes());
        context.update(&[0]);
        context.update(value);
        narrow(context.sign().as_ref())
    }
}

/// Equality whose duration tells nothing about where two values differ.
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

fn narrow(bytes: &[u8]) -> Digest {
    let mut out = [0; 32];
    out.copy_from_slice(bytes);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        assert_eq!(
            hex::encode(sha256(b"abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(sha256_parts(&[b"a", b"", b"bc"]), sha256(b"abc"));
        let key = MacKey::new(b"key");
        assert_ne!(key.digest("a", b"bc"), key.digest("ab", b"c"));
        assert!(equal(b"same", b"same") && !equal(b"same", b"some") && !equal(b"a", b"ab"));
    }
}
