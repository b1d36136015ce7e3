//! The signed statement of a verification: a JWS (RFC 7515) that stays checkable offline, with public keys only.
//!
//! It says who asked, why, by which policy, of which source and as of when, and how each claimed attribute was graded.
//! It holds neither the number nor any claimed value, only salted digests of them. Whoever holds the salt, which the
//! asking agency received beside the statement, can show that a digest stands for a value; nobody else can search for
//! one.

use crate::crypto::digest::{Digest, equal, sha256_parts};
use crate::crypto::jwt::{self, Refused};
use crate::crypto::signing::KeyList;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The `typ` of a statement.
pub const TYP: &str = "chung-verification+jwt";

/// What is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// The service that decided.
    pub iss: String,
    /// The verification's identifier.
    pub jti: String,
    /// When it was decided, in seconds since 1970.
    pub iat: i64,
    /// The agency that asked.
    pub agency: String,
    /// Why it asked.
    pub purpose: String,
    /// For which procedure.
    pub procedure: String,
    /// For which dossier.
    pub dossier: String,
    /// Which officer asked.
    pub officer: String,
    /// Who acts for the person, and by what right; absent where nobody does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acting: Option<Acting>,
    /// The law on which the agency asked; absent where it asked with the person's consent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legal_basis: Option<String>,
    /// On which occasion, unless unattended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occasion: Option<String>,
    /// Which source answered.
    pub source: String,
    /// Of when the source's knowledge is (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
    /// The rule by which grades became a state.
    pub policy: String,
    /// The version of the portal's policy; 0 is the one that nobody wrote.
    #[serde(default)]
    pub portal_policy: u32,
    /// The answer to the whole question.
    pub state: String,
    /// With `former`: until when the name or the number was the person's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former_until: Option<String>,
    /// The salted digest of the number.
    pub number: String,
    /// One answer for each claimed attribute; graded unless no person was found.
    pub attributes: BTreeMap<String, GradedAttribute>,
    /// The questions and their answers, in the order in which they were asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub predicates: Vec<PredicateAnswer>,
    /// What is odd about the number beside the claims.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<String>,
    /// The reference of the citizen's slip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slip: Option<String>,
}

/// A question that is answered without a value, as it was asked, and its answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PredicateAnswer {
    /// Whether the person has lived so many years ...
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_at_least: Option<u16>,
    /// ... on that day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<String>,
    /// Whether the birth date is known so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub birth_date_known_to: Option<String>,
    /// Whether the person lives there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resident_of: Option<String>,
    /// The province of today that was meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub province: Option<String>,
    /// `yes`, `no` or `unknown`; absent where the claims did not match.
    pub answer: Option<String>,
}

impl PredicateAnswer {
    /// Which kind of question it is.
    pub const fn kind(&self) -> &'static str {
        if self.age_at_least.is_some() {
            "age_at_least"
        } else if self.resident_of.is_some() {
            "resident_of"
        } else {
            "birth_date_known_to"
        }
    }
}

/// Somebody who acts for the person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acting {
    /// The salted digest of their number.
    pub number: String,
    /// By what right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub right: Option<String>,
    /// The mandate, where that is the right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mandate: Option<String>,
    /// Why they may not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// The answer for one claimed attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GradedAttribute {
    /// How far it agrees; absent when there was nothing to compare with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grade: Option<String>,
    /// How much of a date was compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<String>,
    /// The salted digest of the claimed value.
    pub claimed: String,
}

/// What makes a statement's digests unsearchable: 256 random bits, known to the asking agency.
#[derive(Clone, PartialEq, Eq)]
pub struct Salt(pub [u8; 32]);

impl Salt {
    /// The salt as text, as the answer carries it.
    pub fn text(&self) -> String {
        BASE64URL.encode(self.0)
    }

    /// Reads such a text.
    pub fn parse(text: &str) -> Option<Self> {
        BASE64URL.decode(text).ok()?.try_into().ok().map(Self)
    }

    /// The digest that stands for a value of that label (`number`, or an attribute's word).
    pub fn digest(&self, label: &str, value: &str) -> String {
        BASE64URL.encode(self.raw(label, value))
    }

    /// Whether a digest of the statement stands for this value.
    pub fn opens(&self, digest: &str, label: &str, value: &str) -> bool {
        equal(digest.as_bytes(), self.digest(label, value).as_bytes())
    }

    fn raw(&self, label: &str, value: &str) -> Digest {
        sha256_parts(&[&self.0, label.as_bytes(), &[0], value.as_bytes()])
    }
}

/// Checks a statement with public keys and gives what it says.
pub fn verify(signed: &str, keys: &KeyList) -> Result<Statement, Refused> {
    jwt::verify(signed, TYP, keys)
}

/// What a statement of ours says, without checking it: for one that comes out of our own seal.
pub fn read_own(signed: &str) -> Option<Statement> {
    let payload = signed.split('.').nth(1)?;
    serde_json::from_slice(&BASE64URL.decode(payload).ok()?).ok()
}

/// The claims of any token of ours, without checking it: for one that comes out of our own seal.
pub fn read_own_claims(signed: &str) -> Option<serde_json::Value> {
    let payload = signed.split('.').nth(1)?;
    serde_json::from_slice(&BASE64URL.decode(payload).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::entropy::SystemEntropy;
    use crate::crypto::keyring::{KeyRing, Purpose};

    fn statement(salt: &Salt) -> Statement {
        let name = GradedAttribute {
            grade: Some("exact".into()),
            precision: None,
            claimed: salt.digest("name", "Nguyễn Văn An"),
        };
        Statement {
            iss: "http://localhost:8080".into(),
            jti: "verif_00000000000000000000000000000000".into(),
            iat: 1_795_000_000,
            agency: "agency_00000000000000000000000000000000".into(),
            purpose: "Cấp hộ chiếu".into(),
            procedure: "1.001445".into(),
            dossier: "H29.14-261124-0001".into(),
            officer: "an.nv".into(),
            legal_basis: None,
            acting: None,
            occasion: None,
            source: "local-population-register".into(),
            as_of: None,
            policy: "standard-1".into(),
            portal_policy: 0,
            state: "match".into(),
            former_until: None,
            number: salt.digest("number", "079085123456"),
            attributes: BTreeMap::from([("name".to_owned(), name)]),
            predicates: vec![],
            findings: vec![],
            slip: None,
        }
    }

    #[test]
    fn only_the_true_keys_bytes_and_kind_verify() {
        crate::crypto::install();
        let ring = KeyRing::generate(&SystemEntropy::new());
        let keys = ring.published(Purpose::Record);
        let said = statement(&Salt([7; 32]));
        let signed = jwt::sign(ring.signing(Purpose::Record), TYP, &said);
        assert_eq!(verify(&signed, keys), Ok(said.clone()));
        assert_eq!(read_own(&signed), Some(said.clone()));
        assert_eq!(verify(&signed, ring.published(Purpose::Token)), Err(Refused::UnknownKey));
        let receipt = jwt::sign(ring.signing(Purpose::Record), "another+jwt", &said);
        assert_eq!(verify(&receipt, keys), Err(Refused::WrongKind));
        let parts: Vec<&str> = signed.split('.').collect();
        let other = serde_json::to_vec(&Statement { state: "no_match".into(), ..said }).unwrap();
        let forged = format!("{}.{}.{}", parts[0], BASE64URL.encode(other), parts[2]);
        assert_eq!(verify(&forged, keys), Err(Refused::BadSignature));
    }

    #[test]
    fn digests_open_only_with_salt_label_and_value() {
        let salt = Salt([7; 32]);
        let said = statement(&salt);
        assert!(salt.opens(&said.number, "number", "079085123456"));
        assert!(!salt.opens(&said.number, "number", "079085123457"));
        assert!(!salt.opens(&said.number, "name", "079085123456"));
        assert!(!Salt([8; 32]).opens(&said.number, "number", "079085123456"));
        assert_eq!(Salt::parse(&salt.text()).map(|s| s.0), Some(salt.0));
        assert!(Salt::parse("short").is_none());
    }
}
