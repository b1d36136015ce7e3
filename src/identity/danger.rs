//! Acts that a code alone never does: whoever holds a stolen telephone number can read the code.
//!
//! Each needs a stronger sign-in, and a fresh one; or the citizen at a counter, with the card.

use super::{assurance::Assurance, session::Session};
use crate::base::clock::Instant;
use time::Duration;

/// How long after a sign-in such an act may be done.
pub const FRESH: Duration = Duration::minutes(15);

/// An act that could take somebody's identity or money away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Danger {
    /// Another phone gets the codes.
    ChangePhone,
    /// Another mailbox gets the notices.
    ChangeMail,
    /// A way to sign in ends.
    RemoveAuthenticator,
    /// Somebody may act for the citizen.
    GrantMandate,
    /// Money that is due goes to another account.
    RedirectRefund,
    /// A locked identity opens again.
    LiftLock,
    /// Everything about the citizen is erased, for ever.
    Erase,
}

/// Why the act is not done in this session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Held {
    /// A code was all that proved the person.
    #[error("a stronger sign-in than a code is needed")]
    Weak,
    /// The person proved themselves too long ago.
    #[error("a fresh sign-in is needed")]
    Stale,
}

impl Danger {
    /// The strength it needs.
    pub const fn needs(self) -> Assurance {
        match self {
            Self::ChangePhone
            | Self::ChangeMail
            | Self::RemoveAuthenticator
            | Self::GrantMandate
            | Self::RedirectRefund
            | Self::LiftLock
            | Self::Erase => Assurance::Substantial,
        }
    }

    /// Whether this session may do it now.
    pub fn allowed_in(self, session: &Session, now: Instant) -> Result<(), Held> {
        if session.assurance(now) < self.needs() {
            Err(Held::Weak)
        } else if now > session.authenticated_at + FRESH {
            Err(Held::Stale)
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        base::{entropy::SeededEntropy, id::Id},
        identity::authenticator::Method,
    };
    use time::macros::datetime;

    #[test]
    fn a_code_is_never_enough_and_an_old_sign_in_neither() {
        let (now, entropy) = (datetime!(2026-11-24 01:00 UTC), SeededEntropy::new(8));
        let session = |method: Method, reached| Session {
            id: Id::new(now, &entropy),
            citizen: Id::new(now, &entropy),
            method,
            reached,
            authenticated_at: now,
            expires_at: now + Duration::hours(1),
            ended_at: None,
        };
        let code = session(Method::SmsCode, Assurance::Low);
        let passkey = session(Method::Passkey, Assurance::Substantial);
        let on_trial = session(Method::Passkey, Assurance::Low);
        for act in [
            Danger::ChangePhone,
            Danger::ChangeMail,
            Danger::RemoveAuthenticator,
            Danger::GrantMandate,
            Danger::RedirectRefund,
            Danger::LiftLock,
            Danger::Erase,
        ] {
            assert_eq!(act.allowed_in(&code, now), Err(Held::Weak));
            assert_eq!(act.allowed_in(&on_trial, now), Err(Held::Weak));
            assert_eq!(act.allowed_in(&passkey, now + FRESH), Ok(()));
            assert_eq!(act.allowed_in(&passkey, now + FRESH + Duration::SECOND), Err(Held::Stale));
        }
    }
}
