//! Somebody else's public key as a JWK (RFC 7517): of a kind that we verify with, strong enough, and public only.

use super::jwt::Refused;
use crate::base::clock::Instant;
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD as BASE64URL},
};
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, ThumbprintHash},
};
use serde_json::{Map, Value};
use time::OffsetDateTime;
use x509_cert::{Certificate, der::Decode};

/// A key that can be verified with.
#[derive(Debug, Clone)]
pub struct PublicJwk {
    jwk: Jwk,
    text: String,
}

/// Why a JWK is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAPublicKey {
    /// No JWK, or of a kind that is not verified with here.
    #[error("not_an_es256_eddsa_or_ps256_key")]
    Kind,
    /// It holds private members or a shared secret: whoever sent it has given it away.
    #[error("holds_a_private_key")]
    Private,
    /// RSA below 2,048 bits.
    #[error("rsa_shorter_than_2048_bits")]
    Short,
    /// Meant for encryption.
    #[error("not_for_signatures")]
    Use,
    /// The certificate that it comes with cannot be read, or is another key's.
    #[error("certificate_of_another_key")]
    Certificate,
}

impl NotAPublicKey {
    /// The rule's word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Kind => "not_an_es256_eddsa_or_ps256_key",
            Self::Private => "holds_a_private_key",
            Self::Short => "rsa_shorter_than_2048_bits",
            Self::Use => "not_for_signatures",
            Self::Certificate => "certificate_of_another_key",
        }
    }
}

impl PublicJwk {
    /// Reads a JWK.
    pub fn parse(json: &str) -> Result<Self, NotAPublicKey> {
        let members: Map<String, Value> = serde_json::from_str(json).map_err(|_| NotAPublicKey::Kind)?;
        if ["d", "p", "q", "dp", "dq", "qi", "oth", "k"].iter().any(|name| members.contains_key(*name)) {
            return Err(NotAPublicKey::Private);
        }
        if members.get("use").is_some_and(|usage| usage != "sig") {
            return Err(NotAPublicKey::Use);
        }
        let jwk: Jwk = serde_json::from_str(json).map_err(|_| NotAPublicKey::Kind)?;
        let coordinate = |text: &str| BASE64URL.decode(text).is_ok_and(|bytes| bytes.len() == 32);
        match &jwk.algorithm {
            AlgorithmParameters::EllipticCurve(ec) => {
                if ec.curve != EllipticCurve::P256 || !coordinate(&ec.x) || !coordinate(&ec.y) {
                    return Err(NotAPublicKey::Kind);
                }
            }
            AlgorithmParameters::OctetKeyPair(okp) => {
                if okp.curve != EllipticCurve::Ed25519 || !coordinate(&okp.x) {
                    return Err(NotAPublicKey::Kind);
                }
            }
            AlgorithmParameters::RSA(rsa) => {
                if BASE64URL.decode(&rsa.n).map_err(|_| NotAPublicKey::Kind)?.len() < 256 {
                    return Err(NotAPublicKey::Short);
                }
            }
            _ => return Err(NotAPublicKey::Kind),
        }
        Ok(Self { jwk, text: json.to_owned() })
    }

    /// The keys of a set (RFC 7517, section 5), each with its name; all of them must be usable.
    pub fn parse_set(json: &str) -> Result<Vec<(String, Self)>, NotAPublicKey> {
        let set: Value = serde_json::from_str(json).map_err(|_| NotAPublicKey::Kind)?;
        let keys = set.get("keys").and_then(Value::as_array).ok_or(NotAPublicKey::Kind)?;
        let named = keys.iter().map(|key| {
            let key = Self::parse(&key.to_string())?;
            Ok((key.name(), key))
        });
        named.collect()
    }

    /// Its `kid`, or its thumbprint where it has none.
    pub fn name(&self) -> String {
        let given = self.jwk.common.key_id.clone().filter(|kid| (1..=200).contains(&kid.len()));
        given.unwrap_or_else(|| self.thumbprint())
    }

    /// When the certificate that it comes with (`x5c`, RFC 7517 section 4.7) ends; whose signature it bears is for
    /// whoever registers it to judge.
    pub fn certificate_end(&self) -> Result<Option<Instant>, NotAPublicKey> {
        let Some(leaf) = self.jwk.common.x509_chain.as_ref().and_then(|chain| chain.first()) else {
            return Ok(None);
        };
        let bad = |_| NotAPublicKey::Certificate;
        let der = STANDARD.decode(leaf).map_err(|_| NotAPublicKey::Certificate)?;
        let certificate = Certificate::from_der(&der).map_err(bad)?.tbs_certificate;
        let point = certificate.subject_public_key_info.subject_public_key.raw_bytes();
        let AlgorithmParameters::EllipticCurve(ec) = &self.jwk.algorithm else {
            return Err(NotAPublicKey::Certificate);
        };
        let coordinate = |text: &str| BASE64URL.decode(text).unwrap_or_default();
        if point != [vec![4], coordinate(&ec.x), coordinate(&ec.y)].concat() {
            return Err(NotAPublicKey::Certificate);
        }
        let seconds = certificate.validity.not_after.to_unix_duration().as_secs();
        let end = i64::try_from(seconds).ok().and_then(|s| OffsetDateTime::from_unix_timestamp(s).ok());
        end.map(Some).ok_or(NotAPublicKey::Certificate)
    }

    /// The JWK as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The thumbprint (RFC 7638, SHA-256) in base64url.
    pub fn thumbprint(&self) -> String {
        self.jwk.thumbprint(ThumbprintHash::SHA256).unwrap_or_default()
    }

    /// The algorithm that goes with its kind; the message has no say in it.
    pub(super) const fn algorithm(&self) -> Algorithm {
        match &self.jwk.algorithm {
            AlgorithmParameters::RSA(_) => Algorithm::PS256,
            AlgorithmParameters::OctetKeyPair(_) => Algorithm::EdDSA,
            _ => Algorithm::ES256,
        }
    }

    pub(super) fn decoding(&self) -> Result<DecodingKey, Refused> {
        DecodingKey::from_jwk(&self.jwk).map_err(|_| Refused::UnknownKey)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{
        self,
        signing::{Signer, SigningKey},
    };
    use serde_json::json;

    #[test]
    fn only_public_keys_of_known_kinds_are_taken() {
        crypto::install();
        let key = SigningKey::generate();
        let jwk = key.verifying_key().jwk("a");
        let read = PublicJwk::parse(&jwk.to_string()).unwrap();
        assert_eq!((read.name().as_str(), read.thumbprint()), ("a", key.verifying_key().thumbprint()));
        let with = |name: &str, value: Value| {
            let mut changed = jwk.clone();
            changed[name] = value;
            PublicJwk::parse(&changed.to_string()).unwrap_err()
        };
        assert_eq!(with("d", json!("x")), NotAPublicKey::Private);
        assert_eq!(with("use", json!("enc")), NotAPublicKey::Use);
        assert_eq!(with("x", json!("AA")), NotAPublicKey::Kind);
        assert_eq!(with("crv", json!("P-384")), NotAPublicKey::Kind);
        let parse = |json: Value| PublicJwk::parse(&json.to_string()).unwrap_err();
        assert_eq!(parse(json!({"kty": "oct", "k": "AA"})), NotAPublicKey::Private);
        assert_eq!(parse(json!({"kty": "RSA", "n": "AA", "e": "AQAB"})), NotAPublicKey::Short);
        assert!(PublicJwk::parse_set(&json!({"keys": [jwk, {"kty": "EC"}]}).to_string()).is_err());
    }
}
