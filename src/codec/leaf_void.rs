//! That receipts on paper were given to nobody, as the signature covers it: which numbers, when and why. A compact JWS
//! like the receipt, with a `typ` of its own.

use super::receipt_content::{Number, signing_input_as};
use crate::crypto::{
    digest::{Digest, sha256},
    jwt::{self, Refused},
    signing::KeyList,
};
use serde::{Deserialize, Serialize};

/// The `typ` of a signed notice.
pub const TYP: &str = "chung-leaf-void+jwt";

/// What the notice says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeafVoidNotice {
    /// The version of this shape.
    pub v: u8,
    /// The public origin of the service that holds the numbers.
    pub iss: String,
    /// The numbers that were given to nobody.
    pub numbers: Vec<Number>,
    /// When it was recorded (RFC 3339, UTC).
    pub at: String,
    /// `unused`, `spoilt` or `lost`.
    pub reason: String,
    /// What the cashier says of it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub words: Option<String>,
}

impl LeafVoidNotice {
    /// The bytes that are signed and digested.
    #[expect(clippy::expect_used, reason = "strings always serialize")]
    pub fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings always serialize")
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
pub fn verify(signed: &str, keys: &KeyList) -> Result<LeafVoidNotice, Refused> {
    let claims: serde_json::Value = jwt::verify(signed, TYP, keys)?;
    serde_json::from_value(claims).map_err(|_| Refused::BadClaims)
}

#[cfg(test)]
mod tests {
    use super::super::receipt_content::{self, Kind, tests::keys};
    use super::*;
    use crate::crypto::signing::{Signer, SigningKey};

    #[test]
    fn a_notice_names_numbers_and_is_no_receipt() {
        let key = SigningKey::generate();
        let number = Number::in_book("H29.14", ('T', Kind::Phi), 2026, 3).on('T');
        assert_eq!(number.to_string(), "H29.14-TP26T-0000003");
        assert_eq!(number.to_string().parse(), Ok(number.clone()));
        let notice = LeafVoidNotice {
            v: 1,
            iss: "http://localhost:8080".to_owned(),
            numbers: vec![number],
            at: "2026-11-24T07:30:40Z".to_owned(),
            reason: "unused".to_owned(),
            words: None,
        };
        let input = signing_input(&notice.bytes(), key.kid());
        let signed = receipt_content::signed(&input, &key.sign(input.as_bytes()));
        let keys = keys(&key);
        assert_eq!(verify(&signed, &keys), Ok(notice));
        assert!(receipt_content::verify(&signed, &keys).is_err());
    }
}
