//! The last line of a batch's result: a JWS over everything before it, checkable offline with public keys only.

use crate::crypto::digest::{Digest, equal};
use crate::crypto::jwt::{self, Refused};
use crate::crypto::signing::KeyList;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The `typ` of a result's signature.
pub const TYP: &str = "chung-batch+jwt";

/// What is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchResult {
    /// The service that answered.
    pub iss: String,
    /// The batch's identifier.
    pub jti: String,
    /// When it was finished, in seconds since 1970.
    pub iat: i64,
    /// The agency that asked.
    pub agency: String,
    /// Why.
    pub purpose: String,
    /// For which procedure.
    pub procedure: String,
    /// Which officer asked.
    pub officer: String,
    /// The law that lets the agency ask without consent, if it named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legal_basis: Option<String>,
    /// Which source answered.
    pub source: String,
    /// How many rows.
    pub rows: i64,
    /// How many of each outcome.
    pub outcomes: BTreeMap<String, i64>,
    /// SHA-256 over all bytes before the last line.
    pub sha256: String,
}

/// A digest as the signature holds it.
pub fn digest_text(digest: &Digest) -> String {
    BASE64URL.encode(digest)
}

/// Checks a signature with public keys, and that it stands over these bytes' digest.
pub fn verify(signed: &str, digest: &Digest, keys: &KeyList) -> Result<BatchResult, Refused> {
    let said: BatchResult = jwt::verify(signed, TYP, keys)?;
    if equal(said.sha256.as_bytes(), digest_text(digest).as_bytes()) {
        Ok(said)
    } else {
        Err(Refused::BadSignature)
    }
}
