//! JSON Web Tokens (RFC 7519) with the traps of RFC 8725 closed: the algorithm and the `typ` are pinned by the caller,
//! `crit` and unencoded payloads are refused, and the time is an argument.

use super::{
    keyring::RingKey,
    public_jwk::PublicJwk,
    rsa::RsaKey,
    signing::{KeyList, Signer as _, VerifyingKey},
};
use crate::base::clock::Instant;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
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

/// Signs claims as a compact JWS under the ring's key, wherever that key lives; `typ` says what the token is (e.g.
/// `at+jwt`).
pub fn sign<C: Serialize>(key: &RingKey, typ: &str, claims: &C) -> String {
    compact("ES256", key.kid(), typ, claims, |text| key.sign(text).to_vec())
}

/// The same with RSA, for ID tokens of portals that know nothing else.
pub fn sign_rs256<C: Serialize>(key: &RsaKey, typ: &str, claims: &C) -> String {
    compact("RS256", key.kid(), typ, claims, |text| key.sign(text))
}

#[expect(clippy::expect_used, reason = "our claims serialize")]
fn compact<C: Serialize>(
    algorithm: &str,
    kid: &str,
    typ: &str,
    claims: &C,
    sign: impl FnOnce(&[u8]) -> Vec<u8>,
) -> String {
    let header = serde_json::json!({ "typ": typ, "alg": algorithm, "kid": kid }).to_string();
    let claims = serde_json::to_vec(claims).expect("our claims serialize");
    let text = format!("{}.{}", BASE64URL.encode(header), BASE64URL.encode(claims));
    let signature = BASE64URL.encode(sign(text.as_bytes()));
    format!("{text}.{signature}")
}

/// The claims of a token that our RSA key signed under this `typ`.
pub fn verify_rs256<C: DeserializeOwned>(token: &str, typ: &str, key: &RsaKey) -> Result<C, Refused> {
    let header = open_header(token).ok_or(Refused::Malformed)?;
    let is = |name: &str, value: &str| header.get(name).is_some_and(|found| found == value);
    if token.len() > LENGTH_MAX || header.len() != 3 || !is("alg", "RS256") || !is("typ", typ) {
        return Err(Refused::WrongKind);
    }
    if !is("kid", key.kid()) {
        return Err(Refused::UnknownKey);
    }
    let (text, signature) = token.rsplit_once('.').ok_or(Refused::Malformed)?;
    let (_, payload) = text.split_once('.').ok_or(Refused::Malformed)?;
    if !BASE64URL.decode(signature).is_ok_and(|signature| key.verify(text.as_bytes(), &signature)) {
        return Err(Refused::BadSignature);
    }
    let payload = BASE64URL.decode(payload).map_err(|_| Refused::Malformed)?;
    serde_json::from_slice(&payload).map_err(|_| Refused::BadClaims)
}

/// The claims of a token that one of `keys` signed with ES256 under this `typ`. Times, issuer and audience are the
/// caller's to check, on claims whose type demands them.
pub fn verify<C: DeserializeOwned>(token: &str, typ: &str, keys: &KeyList) -> Result<C, Refused> {
    let kid = kid_of(token, typ, &[Algorithm::ES256])?.ok_or(Refused::UnknownKey)?;
    let key = keys.find(&kid).ok_or(Refused::UnknownKey)?;
    decode(token, Algorithm::ES256, &DecodingKey::from_ec_der(key.point()))
}

/// The claims of a client's assertion (RFC 7523) that this key of the client's signed; the key's kind says by which
/// algorithm. `typ` may be absent, `JWT`, or the one of RFC 7523bis.
pub fn verify_assertion<C: DeserializeOwned>(token: &str, key: &PublicJwk) -> Result<C, Refused> {
    let header = header_of(token, &[])?;
    let fits = |t: &str| t.eq_ignore_ascii_case("jwt") || t == "client-authentication+jwt";
    if !header.typ.as_deref().is_none_or(fits) || header.alg != key.algorithm() {
        return Err(Refused::WrongKind);
    }
    decode(token, header.alg, &key.decoding()?)
}

/// The name of the key that a token claims to be signed with, only to find that key.
pub fn unverified_kid(token: &str) -> Option<String> {
    header_of(token, &[]).ok()?.kid
}

/// A member of a token's payload, only to find the keys that must have signed it.
pub fn unverified_text(token: &str, member: &str) -> Option<String> {
    if token.len() > LENGTH_MAX {
        return None;
    }
    let payload = payload(token)?;
    let claims: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&payload).ok()?;
    claims.get(member)?.as_str().map(str::to_owned)
}

/// The bytes of a token's claims, whoever signed them.
pub(super) fn payload(token: &str) -> Option<Vec<u8>> {
    BASE64URL.decode(token.split('.').nth(1)?).ok()
}

/// The claims of a token that carries its own key, and that key's thumbprint: a proof of possession (RFC 9449). It
/// says nothing about whose key that is.
pub fn verify_possession<C: DeserializeOwned>(token: &str, typ: &str) -> Result<(C, String), Refused> {
    let header = header_of(token, &["jwk"])?;
    let key = header_member(token, "jwk").ok_or(Refused::WrongKind)?;
    let key = PublicJwk::parse(&key.to_string()).map_err(|_| Refused::UnknownKey)?;
    if header.typ.as_deref() != Some(typ) || header.alg != key.algorithm() {
        return Err(Refused::WrongKind);
    }
    let claims = decode(token, header.alg, &key.decoding()?)?;
    Ok((claims, key.thumbprint()))
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
    let header = header_of(token, &[])?;
    let fits = header.typ.as_deref() == Some(typ) && algorithms.contains(&header.alg);
    if fits { Ok(header.kid) } else { Err(Refused::WrongKind) }
}

fn open_header(token: &str) -> Option<serde_json::Map<String, serde_json::Value>> {
    let raw = BASE64URL.decode(token.split('.').next()?).ok()?;
    serde_json::from_slice(&raw).ok()
}

fn header_member(token: &str, name: &str) -> Option<serde_json::Value> {
    open_header(token)?.remove(name)
}

/// The header, if it demands nothing of us but what is in `wanted`.
fn header_of(token: &str, wanted: &[&str]) -> Result<Header, Refused> {
    if token.len() > LENGTH_MAX || token.split('.').count() != 3 {
        return Err(Refused::Malformed);
    }
    let open = open_header(token).ok_or(Refused::Malformed)?;
    // An embedded key or key address is an attacker's offer; `crit` and `b64` demand what we do not do.
    let offers = ["crit", "b64", "jwk", "jku", "x5u", "x5c", "zip"];
    if offers.iter().any(|name| open.contains_key(*name) && !wanted.contains(name)) {
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
