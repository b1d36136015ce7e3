//! Proof of possession (RFC 9449): what a proof must say, so that a token is worth something only in the hands that
//! hold its key. Signatures and single use are checked elsewhere; the rules stand here.

use crate::base::clock::Instant;
use time::Duration;

/// How old a proof may be. The nonce says how fresh it really is; this bounds how long its `jti` is remembered.
pub const PROOF_AGE_MAX: Duration = Duration::minutes(5);
/// How far ahead an honest clock may be.
pub const PROOF_AHEAD_MAX: Duration = Duration::seconds(60);
/// For how long one nonce is handed out; it is accepted for as long again.
pub const NONCE_LIFE: Duration = Duration::minutes(2);
/// The longest `jti` that is looked at.
const JTI_MAX: usize = 256;

/// A proof whose signature by the key in its header holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// `jti`.
    pub id: String,
    /// `htm`.
    pub method: String,
    /// `htu`, without query and fragment.
    pub target: String,
    /// `iat`.
    pub issued_at: Instant,
    /// `nonce`.
    pub nonce: Option<String>,
    /// `ath`: the digest of the access token that it goes with.
    pub token_digest: Option<String>,
    /// The key's thumbprint (RFC 7638).
    pub key: String,
}

/// What a proof must be for.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The request's method.
    pub method: &'a str,
    /// The request's address without query.
    pub target: &'a str,
    /// The nonces that are good now.
    pub nonces: &'a [String; 2],
    /// The digest of the access token that came with it, at a resource.
    pub token_digest: Option<&'a str>,
    /// Now.
    pub now: Instant,
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofRefusal {
    /// Made for another method.
    #[error("htm differs")]
    Method,
    /// Made for another address.
    #[error("htu differs")]
    Target,
    /// Too old.
    #[error("iat is too old")]
    Old,
    /// Dated in the future.
    #[error("iat is in the future")]
    Early,
    /// Without an identifier it could be used twice.
    #[error("jti is missing or too long")]
    NoId,
    /// Made for another access token, or for none.
    #[error("ath differs")]
    Token,
    /// Without a nonce of ours, or with one that is over: a fresh one goes with the refusal.
    #[error("nonce is missing or over")]
    Nonce,
}

impl ProofRefusal {
    /// The rule's word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Method => "htm_differs",
            Self::Target => "htu_differs",
            Self::Old => "iat_too_old",
            Self::Early => "iat_in_the_future",
            Self::NoId => "jti_missing_or_too_long",
            Self::Token => "ath_differs",
            Self::Nonce => "nonce_missing_or_over",
        }
    }
}

impl Proof {
    /// Checks everything but signature and single use. The nonce comes last: only an otherwise right proof is told
    /// to come again.
    pub fn check(&self, expected: &Expected<'_>) -> Result<(), ProofRefusal> {
        if self.method != expected.method {
            return Err(ProofRefusal::Method);
        }
        // Compared without query and fragment (RFC 9449, section 4.3).
        let bare = self.target.split(['?', '#']).next().unwrap_or_default();
        if bare != expected.target {
            return Err(ProofRefusal::Target);
        }
        if self.issued_at < expected.now - PROOF_AGE_MAX {
            return Err(ProofRefusal::Old);
        }
        if self.issued_at > expected.now + PROOF_AHEAD_MAX {
            return Err(ProofRefusal::Early);
        }
        if self.id.is_empty() || self.id.len() > JTI_MAX {
            return Err(ProofRefusal::NoId);
        }
        if expected.token_digest.is_some() && self.token_digest.as_deref() != expected.token_digest {
            return Err(ProofRefusal::Token);
        }
        if !self.nonce.as_ref().is_some_and(|nonce| expected.nonces.contains(nonce)) {
            return Err(ProofRefusal::Nonce);
        }
        Ok(())
    }

    /// Until when its `jti` must be remembered: as long as it would be accepted again.
    pub fn remember_until(&self) -> Instant {
        self.issued_at + PROOF_AGE_MAX
    }
}

/// The windows whose nonces are good at that moment: this one and the one before.
pub fn nonce_windows(now: Instant) -> [i64; 2] {
    let window = now.unix_timestamp() / NONCE_LIFE.whole_seconds();
    [window, window - 1]
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn a_proof_is_for_one_request_one_token_and_one_moment() {
        let now = datetime!(2026-11-24 02:00 UTC);
        let nonces = ["n1".to_owned(), "n0".to_owned()];
        let expected = Expected {
            method: "POST",
            target: "https://id.example/t",
            nonces: &nonces,
            token_digest: Some("d"),
            now,
        };
        let good = Proof {
            id: "1".into(),
            method: "POST".into(),
            target: "https://id.example/t?x=1".into(),
            issued_at: now,
            nonce: Some("n0".into()),
            token_digest: Some("d".into()),
            key: "k".into(),
        };
        assert_eq!(good.check(&expected), Ok(()));
        type Change<'a> = &'a dyn Fn(&mut Proof);
        let refused: [(Change<'_>, ProofRefusal); 11] = [
            (&|p| p.method = "post".into(), ProofRefusal::Method),
            (&|p| p.target = "https://id.example/u".into(), ProofRefusal::Target),
            (&|p| p.target = "https://id.example.evil/t".into(), ProofRefusal::Target),
            (&|p| p.issued_at = now - Duration::seconds(301), ProofRefusal::Old),
            (&|p| p.issued_at = now + Duration::seconds(61), ProofRefusal::Early),
            (&|p| p.id.clear(), ProofRefusal::NoId),
            (&|p| p.id = "x".repeat(257), ProofRefusal::NoId),
            (&|p| p.token_digest = None, ProofRefusal::Token),
            (&|p| p.token_digest = Some("e".into()), ProofRefusal::Token),
            (&|p| p.nonce = None, ProofRefusal::Nonce),
            (&|p| p.nonce = Some("n9".into()), ProofRefusal::Nonce),
        ];
        for (i, (change, why)) in refused.into_iter().enumerate() {
            let mut proof = good.clone();
            change(&mut proof);
            assert_eq!(proof.check(&expected), Err(why), "case {i}");
        }
        assert_eq!(nonce_windows(now)[0], nonce_windows(now + Duration::seconds(119))[0]);
        assert_eq!(nonce_windows(now)[0], nonce_windows(now + NONCE_LIFE)[1]);
    }
}
