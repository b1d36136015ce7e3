//! That a receipt holds no more, as the signature covers it: which receipt by number and digest, when, why, and what
//! stands in its place. A compact JWS like the receipt, with a `typ` of its own.

use super::receipt_content::{Number, signing_input_as};
use crate::crypto::{
    digest::{Digest, sha256},
    jwt::{self, Refused},
    signing::KeyList,
};
use serde::{Deserialize, Serialize};

/// The `typ` of a signed notice.
pub const TYP: &str = "chung-receipt-void+jwt";

/// What the notice says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VoidNotice {
    /// The version of this shape.
    pub v: u8,
    /// The public origin of the service that issued it.
    pub iss: String,
    /// The receipt that is void.
    pub number: Number,
    /// The digest of its signed content, in hex.
    pub content_sha256: String,
    /// When (RFC 3339, UTC).
    pub at: String,
    /// Why.
    pub reason: String,
    /// The receipt that stands in its place.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub replaced_by: Option<Number>,
}

impl VoidNotice {
    /// The bytes that are signed and digested.
    #[expect(clippy::expect_used, reason = "strings always serialize")]
    pub fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings always serialize")
    }

    /// Reads those bytes.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

/// The digest of a notice's bytes.
pub fn digest(content: &[u8]) -> Digest {
    sha256(content)
}

/// The text to sign for a notice's bytes.
pub fn signing_input(content: &[u8], kid: &str) -> String {
    signing_input_as(content, kid, TYP)
}

/// A signed notice, if one of `keys` signed it.
pub fn verify(signed: &str, keys: &KeyList) -> Result<VoidNotice, Refused> {
    let claims: serde_json::Value = jwt::verify(signed, TYP, keys)?;
    serde_json::from_value(claims).map_err(|_| Refused::BadClaims)
}

#[cfg(test)]
mod tests {
    use super::super::receipt_content::{self, Kind, tests::keys};
    use super::*;
    use crate::crypto::signing::{Signer, SigningKey};

    #[test]
    fn a_notice_is_no_receipt_and_a_receipt_no_notice() {
        let key = SigningKey::generate();
        let notice = VoidNotice {
            v: 1,
            iss: "http://localhost:8080".to_owned(),
            number: Number::new("H29.14", Kind::Phi, 2026, 12),
            content_sha256: hex::encode([7; 32]),
            at: "2026-11-24T07:30:40Z".to_owned(),
            reason: "Sai tên".to_owned(),
            replaced_by: None,
        };
        let input = signing_input(&notice.bytes(), key.kid());
        let signed = receipt_content::signed(&input, &key.sign(input.as_bytes()));
        let keys = keys(&key);
        assert_eq!(verify(&signed, &keys), Ok(notice));
        assert!(receipt_content::verify(&signed, &keys).is_err());
        let receipt = receipt_content::tests::signed_with(&key, &receipt_content::tests::content());
        assert!(verify(&receipt, &keys).is_err());
    }
}
