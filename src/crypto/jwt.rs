//! JSON Web Tokens (RFC 7519) with the traps of RFC 8725 closed: the algorithm and the `typ` are pinned by the caller,
//! `crit` and unencoded payloads are refused, and the time is an argument.

use super::{
    keyring::RingKey,
    signing::{KeyList, Signer as _, VerifyingKey},
};
use crate::base::clock::Instant;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, jwk::JwkSet};
use serde::{Serialize, de::DeserializeOwned};

/// The longest token that is looked at, in bytes.
pub const LENGTH_MAX: usize = 16 * 1024;

/// Why a token is not believed. The reasons are for logs and tests; a caller outside learns only "invalid".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not three base64url parts of JSON, or too long.
    #[error("not a token")]
    Malformed,
    /// Another `typ`, `alg`, or a header that demands more than we do.
    #[error("not a token of this kind")]
    WrongKind,
    /// No key of that name is trusted here.
    #[error("unknown key")]
    UnknownKey,
    /// The signature does not fit.
    #[error("bad signature")]
    BadSignature,
    /// The claims do not have the expected shape.
    #[error("unexpected claims")]
    BadClaims,
}

/// Signs claims as a compact JWS under the ring's key; `typ` says what the token is (e.g. `at+jwt`).
#[expect(clippy::expect_used, reason = "a parsed key signs and our claims serialize")]
pub fn sign<C: Serialize>(key: &RingKey, typ: &str, claims: &C) -> String {
    let header = Header {
        typ: Some(typ.to_owned()),
        kid: Some(key.kid().to_owned()),
        ..Header::new(Algorithm::ES256)
    };
    jsonwebtoken::encode(&header, claims, key.encoding()).expect("a parsed key signs")
}

/// The claims of a token that one of `keys` signed with ES256 under this `typ`. Times, issuer and audience are the
/// caller's to check, on claims whose type demands them.
pub fn verify<C: DeserializeOwned>(token: &str, typ: &str, keys: &KeyList) -> Result<C, Refused> {
    let kid = kid_of(token, typ, &[Algorithm::ES256])?.ok_or(Refused::UnknownKey)?;
    let key = keys.find(&kid).ok_or(Refused::UnknownKey)?;
    decode(token, Algorithm::ES256, &DecodingKey::from_ec_der(key.point()))
}

/// The claims of a client's assertion (RFC 7523) that a key of the client's own set signed; ES256, EdDSA or PS256,
/// as the key's kind demands. `typ` may be absent or `JWT`.
pub fn verify_assertion<C: DeserializeOwned>(token: &str, jwks: &str) -> Result<C, Refused> {
    let header = header_of(token)?;
    let typ_fits = header.typ.as_deref().is_none_or(|t| t.eq_ignore_ascii_case("jwt"));
    if !typ_fits || !matches!(header.alg, Algorithm::ES256 | Algorithm::EdDSA | Algorithm::PS256) {
        return Err(Refused::WrongKind);
    }
    let set: JwkSet = serde_json::from_str(jwks).map_err(|_| Refused::UnknownKey)?;
    let jwk = match &header.kid {
        Some(kid) => set.find(kid),
        None if set.keys.len() == 1 => set.keys.first(),
        None => None,
    };
    let key = DecodingKey::from_jwk(jwk.ok_or(Refused::UnknownKey)?).map_err(|_| Refused::UnknownKey)?;
    decode(token, header.alg, &key)
}

/// Whether `key` signed this detached text: used where the signed content is not JSON claims.
pub fn verify_detached(message: &[u8], signature: &str, key: &VerifyingKey) -> bool {
    BASE64URL.decode(signature).is_ok_and(|s| key.verify(message, &s))
}

/// Seconds since 1970, as `iat`, `exp` and `auth_time` are written.
pub fn numeric_date(instant: Instant) -> i64 {
    instant.unix_timestamp()
}

fn kid_of(token: &str, typ: &str, algorithms: &[Algorithm]) -> Result<Option<String>, Refused> {
    let header = header_of(token)?;
    let fits = header.typ.as_deref() == Some(typ) && algorithms.contains(&header.alg);
    if fits { Ok(header.kid) } else { Err(Refused::WrongKind) }
}

fn header_of(token: &str) -> Result<Header, Refused> {
    if token.len() > LENGTH_MAX || token.split('.').count() != 3 {
        return Err(Refused::Malformed);
    }
    let first = token.split('.').next().unwrap_or_default();
    let raw = BASE64URL.decode(first).map_err(|_| Refused::Malformed)?;
    let open: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&raw).map_err(|_| Refused::Malformed)?;
    // An embedded key or key address is an attacker's offer; `crit` and `b64` demand what we do not do.
    if ["crit", "b64", "jwk", "jku", "x5u", "x5c", "zip"].iter().any(|name| open.contains_key(*name)) {
        return Err(Refused::WrongKind);
    }
    jsonwebtoken::decode_header(token).map_err(|_| Refused::WrongKind)
}

fn decode<C: DeserializeOwned>(token: &str, algorithm: Algorithm, key: &DecodingKey) -> Result<C, Refused> {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    jsonwebtoken::decode::<C>(token, key, &validation).map(|data| data.claims).map_err(|e| match e.kind() {
        jsonwebtoken::errors::ErrorKind::Json(_) => Refused::BadClaims,
        _ => Refused::BadSignature,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::keyring::{KeyRing, Purpose};
    use crate::{base::entropy::SystemEntropy, crypto};
    use serde_json::{Value, json};

    fn ring() -> KeyRing {
        crypto::install();
        KeyRing::generate(&SystemEntropy::new())
    }

    #[test]
    fn only_the_right_kind_key_and_bytes_are_believed() {
        let ring = ring();
        let keys = ring.published(Purpose::Token).clone();
        let token = sign(ring.signing(Purpose::Token), "at+jwt", &json!({"sub": "x"}));
        assert_eq!(verify::<Value>(&token, "at+jwt", &keys), Ok(json!({"sub": "x"})));
        assert_eq!(verify::<Value>(&token, "JWT", &keys), Err(Refused::WrongKind));
        let other = sign(ring.signing(Purpose::Record), "at+jwt", &json!({"sub": "x"}));
        assert_eq!(verify::<Value>(&other, "at+jwt", &keys), Err(Refused::UnknownKey));
        let parts: Vec<&str> = token.split('.').collect();
        let forged = format!("{}.{}.{}", parts[0], BASE64URL.encode(r#"{"sub":"y"}"#), parts[2]);
        assert_eq!(verify::<Value>(&forged, "at+jwt", &keys), Err(Refused::BadSignature));
        assert_eq!(verify::<Value>("a.b", "at+jwt", &keys), Err(Refused::Malformed));
    }

    #[test]
    fn headers_that_demand_more_or_less_are_refused() {
        let keys = ring().published(Purpose::Token).clone();
        for header in [
            json!({"alg": "none", "typ": "at+jwt"}),
            json!({"alg": "HS256", "typ": "at+jwt", "kid": "x"}),
            json!({"alg": "ES256", "typ": "at+jwt", "kid": "x", "crit": ["exp"]}),
            json!({"alg": "ES256", "typ": "at+jwt", "kid": "x", "jwk": {}}),
        ] {
            let token = format!("{}.{}.AAAA", BASE64URL.encode(header.to_string()), BASE64URL.encode("{}"));
            assert_eq!(verify::<Value>(&token, "at+jwt", &keys), Err(Refused::WrongKind), "{header}");
        }
    }
}
