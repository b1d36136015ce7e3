//! ECDSA on P-256 with SHA-256 (ES256): keys parsed once and held.

use crate::crypto::digest::sha256;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use ring::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
    },
};
use std::fmt;

/// A text or file that is not a P-256 key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a P-256 key")]
pub struct NotAKey;

/// Who can sign: the seam where a hardware module takes the place of a key in memory.
pub trait Signer: Send + Sync {
    /// The name under which the public key is published.
    fn kid(&self) -> &str;
    /// The signature as `r || s`, 64 bytes (RFC 7518 section 3.4).
    fn sign(&self, message: &[u8]) -> [u8; 64];
    /// The key that checks it.
    fn verifying_key(&self) -> &VerifyingKey;
}

/// A private key in memory, with the name its public half is published under.
pub struct SigningKey {
    kid: String,
    pair: EcdsaKeyPair,
    pkcs8: zeroize::Zeroizing<Vec<u8>>,
    public: VerifyingKey,
}

impl SigningKey {
    /// A fresh key; its name is the thumbprint of its public half (RFC 7638).
    #[expect(clippy::expect_used, reason = "ring makes keys that ring reads")]
    pub fn generate() -> Self {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
            .expect("the operating system gives random bytes");
        Self::from_pkcs8(pkcs8.as_ref()).expect("a generated key parses")
    }

    /// Reads a PKCS#8 document.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, NotAKey> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8, &SystemRandom::new())
            .map_err(|_| NotAKey)?;
        let public = VerifyingKey::from_point(pair.public_key().as_ref())?;
        Ok(Self { kid: public.thumbprint(), pair, pkcs8: pkcs8.to_vec().into(), public })
    }

    /// The PKCS#8 document, to keep it.
    pub fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }
}

impl Signer for SigningKey {
    fn kid(&self) -> &str {
        &self.kid
    }

    #[expect(clippy::expect_used, reason = "signing fails only without system randomness")]
    fn sign(&self, message: &[u8]) -> [u8; 64] {
        let signature = self.pair.sign(&SystemRandom::new(), message).expect("randomness for the nonce");
        let mut out = [0; 64];
        out.copy_from_slice(signature.as_ref());
        out
    }

    fn verifying_key(&self) -> &VerifyingKey {
        &self.public
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "signing key {}", self.kid)
    }
}

/// A public key: an uncompressed point of P-256.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifyingKey([u8; 65]);

impl VerifyingKey {
    /// Reads an uncompressed point (`04 || x || y`).
    pub fn from_point(point: &[u8]) -> Result<Self, NotAKey> {
        let bytes: [u8; 65] = point.try_into().map_err(|_| NotAKey)?;
        if bytes[0] == 4 { Ok(Self(bytes)) } else { Err(NotAKey) }
    }

    /// Reads the two coordinates of a JWK (RFC 7518 section 6.2.1).
    pub fn from_coordinates(x: &str, y: &str) -> Result<Self, NotAKey> {
        let mut point = vec![4];
        for coordinate in [x, y] {
            let bytes = BASE64URL.decode(coordinate).map_err(|_| NotAKey)?;
            if bytes.len() != 32 {
                return Err(NotAKey);
            }
            point.extend_from_slice(&bytes);
        }
        Self::from_point(&point)
    }

    /// Whether this key made that signature (`r || s`) over the message.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &self.0).verify(message, signature).is_ok()
    }

    /// The uncompressed point.
    pub const fn point(&self) -> &[u8; 65] {
        &self.0
    }

    /// The coordinates as a JWK prints them.
    pub fn coordinates(&self) -> (String, String) {
        (BASE64URL.encode(&self.0[1..33]), BASE64URL.encode(&self.0[33..]))
    }

    /// The JWK thumbprint (RFC 7638) in base64url.
    pub fn thumbprint(&self) -> String {
        let (x, y) = self.coordinates();
        BASE64URL.encode(sha256(format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#).as_bytes()))
    }

    /// The public key as a JWK under the name `kid`.
    pub fn jwk(&self, kid: &str) -> serde_json::Value {
        let (x, y) = self.coordinates();
        serde_json::json!({"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": kid, "x": x, "y": y})
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "verifying key {}", self.thumbprint())
    }
}

/// A published key list (RFC 7517): the ES256 keys of it by name; keys of other kinds are passed over.
#[derive(Debug, Clone, Default)]
pub struct KeyList(Vec<(String, VerifyingKey)>);

impl KeyList {
    /// Reads `{"keys": [...]}`.
    pub fn from_jwks(json: &str) -> Result<Self, NotAKey> {
        let value: serde_json::Value = serde_json::from_str(json).map_err(|_| NotAKey)?;
        let keys = value.get("keys").and_then(|k| k.as_array()).ok_or(NotAKey)?;
        let text = |key: &serde_json::Value, name: &str| key.get(name)?.as_str().map(str::to_owned);
        let p256 = keys.iter().filter(|k| text(k, "crv").as_deref() == Some("P-256"));
        let read = |key| -> Result<(String, VerifyingKey), NotAKey> {
            let (x, y) = (text(key, "x").ok_or(NotAKey)?, text(key, "y").ok_or(NotAKey)?);
            Ok((text(key, "kid").ok_or(NotAKey)?, VerifyingKey::from_coordinates(&x, &y)?))
        };
        p256.map(read).collect::<Result<_, _>>().map(Self)
    }

    /// A list of one's own making.
    pub fn new(keys: impl IntoIterator<Item = (String, VerifyingKey)>) -> Self {
        Self(keys.into_iter().collect())
    }

    /// The key of that name.
    pub fn find(&self, kid: &str) -> Option<&VerifyingKey> {
        self.0.iter().find(|(name, _)| name == kid).map(|(_, key)| key)
    }

    /// True without any key.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_verifies_and_notices_changes() {
        let key = SigningKey::generate();
        let signature = key.sign(b"paid");
        assert!(key.verifying_key().verify(b"paid", &signature));
        assert!(!key.verifying_key().verify(b"Paid", &signature));
        assert!(!SigningKey::generate().verifying_key().verify(b"paid", &signature));
        let again = SigningKey::from_pkcs8(key.pkcs8()).unwrap();
        assert_eq!(again.kid(), key.kid());
    }

    #[test]
    fn a_key_list_is_read_back_and_refuses_off_sizes() {
        let key = SigningKey::generate();
        let jwks =
            serde_json::json!({"keys": [key.verifying_key().jwk(key.kid()), {"kty": "RSA", "kid": "x"}]});
        let list = KeyList::from_jwks(&jwks.to_string()).unwrap();
        assert_eq!(list.find(key.kid()), Some(key.verifying_key()));
        assert!(list.find("x").is_none());
        assert!(KeyList::from_jwks(r#"{"keys":[{"crv":"P-256","kid":"a","x":"AA","y":"AA"}]}"#).is_err());
    }
}
