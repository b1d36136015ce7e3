//! RSA for one use alone: ID tokens of portals that know nothing but RS256, under a key that an operator brings.

use super::digest::sha256;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use ring::{
    rand::SystemRandom,
    signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents},
};
use std::fmt;

/// A private RSA key of 2,048 bits or more.
pub struct RsaKey {
    kid: String,
    pair: RsaKeyPair,
    pkcs8: zeroize::Zeroizing<Vec<u8>>,
    public: RsaPublicKeyComponents<Vec<u8>>,
}

/// Bytes that are not such a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an RSA key of at least 2048 bits in PKCS#8")]
pub struct NotAnRsaKey;

impl RsaKey {
    /// Reads a PKCS#8 document.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, NotAnRsaKey> {
        let pair = RsaKeyPair::from_pkcs8(pkcs8).map_err(|_| NotAnRsaKey)?;
        let public = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
        // The thumbprint of RFC 7638.
        let text = format!(
            r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#,
            BASE64URL.encode(&public.e),
            BASE64URL.encode(&public.n)
        );
        let kid = BASE64URL.encode(sha256(text.as_bytes()));
        Ok(Self { kid, pair, pkcs8: pkcs8.to_vec().into(), public })
    }

    /// The PKCS#8 document, to keep it.
    pub fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    /// The name under which the public key is published.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public key as a JWK.
    pub fn jwk(&self) -> serde_json::Value {
        let (n, e) = (BASE64URL.encode(&self.public.n), BASE64URL.encode(&self.public.e));
        serde_json::json!({ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid, "n": n, "e": e })
    }

    /// The signature (RSASSA-PKCS1-v1_5 with SHA-256).
    #[expect(clippy::expect_used, reason = "signing fails only without system randomness")]
    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.pair.public().modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
            .expect("randomness for blinding");
        signature
    }

    /// Whether this key made that signature.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.public.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature).is_ok()
    }
}

impl fmt::Debug for RsaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rsa key {}", self.kid)
    }
}
