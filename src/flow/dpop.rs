//! A client proves that it holds a key (RFC 9449): the proof is for this request, fresh by our own nonce, and used
//! once.
//!
//! A nonce is a keyed digest of its time window, so every node gives and takes the same ones and nothing is stored.

use super::{Error, Refusal, Result, use_once};
use crate::app::App;
use crate::base::clock::Instant;
use crate::crypto::{digest::sha256, jwt};
use crate::identity::dpop::{Expected, Proof, ProofRefusal, nonce_windows};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;
use time::OffsetDateTime;

/// A proof as it came with a request.
pub struct Presented<'a> {
    /// The `DPoP` header.
    pub proof: &'a str,
    /// The request's method.
    pub method: &'a str,
    /// The request's path on this service.
    pub path: &'a str,
    /// The access token that came with it, at a resource.
    pub token: Option<&'a str>,
}

/// The nonce to hand out now.
pub fn nonce(app: &App, now: Instant) -> String {
    nonce_of(app, nonce_windows(now)[0])
}

fn nonce_of(app: &App, window: i64) -> String {
    let digest = app.keys.lookup("dpop_nonce", &window.to_be_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(&digest[..18])
}

/// The thumbprint of the key that the client proved to hold.
pub async fn prove(app: &App, presented: &Presented<'_>) -> Result<String> {
    let now = app.clock.now();
    let (claims, key): (Claims, String) =
        jwt::verify_possession(presented.proof, "dpop+jwt").map_err(|why| {
            tracing::info!(reason = %why, "a proof of possession is refused");
            refused("not_a_proof")
        })?;
    let proof = claims.proof(key).ok_or_else(|| refused("not_a_proof"))?;
    let nonces = nonce_windows(now).map(|window| nonce_of(app, window));
    let target = app.origin.at(presented.path);
    let token_digest = presented.token.map(|token| BASE64_URL_SAFE_NO_PAD.encode(sha256(token.as_bytes())));
    let expected = Expected {
        method: presented.method,
        target: &target,
        nonces: &nonces,
        token_digest: token_digest.as_deref(),
        now,
    };
    match proof.check(&expected) {
        Ok(()) => {}
        Err(ProofRefusal::Nonce) => {
            let why = Refusal::new("use_dpop_nonce").violation("dpop", ProofRefusal::Nonce.word(), None);
            return Err(Error::Refused(why));
        }
        Err(refusal) => return Err(refused(refusal.word())),
    }
    if use_once::first_time(app, ["dpop", &proof.key, &proof.id], proof.remember_until()).await? {
        Ok(proof.key)
    } else {
        Err(refused("used_before"))
    }
}

pub(super) fn refused(rule: &'static str) -> Error {
    Error::Refused(Refusal::new("invalid_dpop_proof").violation("dpop", rule, None))
}

#[derive(Deserialize)]
struct Claims {
    jti: String,
    htm: String,
    htu: String,
    iat: i64,
    #[serde(default)]
    nonce: Option<String>,
    #[serde(default)]
    ath: Option<String>,
}

impl Claims {
    fn proof(self, key: String) -> Option<Proof> {
        Some(Proof {
            id: self.jti,
            method: self.htm,
            target: self.htu,
            issued_at: OffsetDateTime::from_unix_timestamp(self.iat).ok()?,
            nonce: self.nonce,
            token_digest: self.ath,
            key,
        })
    }
}
