//! One public key of a client: refused by itself, from the next request on, with its own reason.

use crate::base::clock::Instant;

/// A key that a client signs its assertions with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientKey {
    /// Its name, unique among the client's keys.
    pub kid: String,
    /// The key as JSON (RFC 7517), public members only.
    pub jwk: String,
    /// When it ends by itself, or with the certificate that it came with.
    pub until: Option<Instant>,
    /// When somebody took it back.
    pub revoked_at: Option<Instant>,
}

/// Why a key is not believed any more, told as it is to whoever holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyBarred {
    /// It was taken back.
    #[error("key_revoked")]
    Revoked,
    /// Its time is over.
    #[error("key_expired")]
    Expired,
    /// The certificate that it came with is over.
    #[error("certificate_expired")]
    CertificateExpired,
}

impl KeyBarred {
    /// The rule's word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Revoked => "key_revoked",
            Self::Expired => "key_expired",
            Self::CertificateExpired => "certificate_expired",
        }
    }
}

impl ClientKey {
    /// Whether it came with a certificate, which it ends with.
    fn is_certified(&self) -> bool {
        self.jwk.contains("\"x5c\"")
    }

    /// Refuses a key that may not prove anything now.
    pub fn may_prove(&self, now: Instant) -> Result<(), KeyBarred> {
        if self.revoked_at.is_some() {
            Err(KeyBarred::Revoked)
        } else if self.until.is_some_and(|end| now >= end) && self.is_certified() {
            Err(KeyBarred::CertificateExpired)
        } else if self.until.is_some_and(|end| now >= end) {
            Err(KeyBarred::Expired)
        } else {
            Ok(())
        }
    }
}

/// The key that an assertion of this `kid` must be signed with; without one, the only key.
pub fn key_for<'a>(keys: &'a [ClientKey], kid: Option<&str>) -> Option<&'a ClientKey> {
    match (kid, keys) {
        (Some(kid), _) => keys.iter().find(|key| key.kid == kid),
        (None, [only]) => Some(only),
        (None, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn a_key_proves_until_it_ends_or_is_taken_back() {
        let end = datetime!(2027-01-01 00:00 UTC);
        let key = ClientKey { kid: "a".into(), jwk: "{}".into(), until: Some(end), revoked_at: None };
        assert_eq!(key.may_prove(end - time::Duration::SECOND), Ok(()));
        assert_eq!(key.may_prove(end), Err(KeyBarred::Expired));
        let taken = ClientKey { revoked_at: Some(end), ..key.clone() };
        assert_eq!(taken.may_prove(end), Err(KeyBarred::Revoked));
        let two = [key.clone(), ClientKey { kid: "b".into(), ..key.clone() }];
        assert_eq!(key_for(&two, Some("b")).map(|k| k.kid.as_str()), Some("b"));
        assert!(key_for(&two, None).is_none() && key_for(&two[..1], None).is_some());
    }
}
