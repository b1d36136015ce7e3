//! A browser that somebody signed in with.
//!
//! The cookie holds a token, the row its digest. A session is as strong as the sign-in that opened it and never gets
//! stronger or longer by use; a new sign-in opens a new one, so that a cookie set before it is worth nothing after.

use super::{
    assurance::{Assurance, Demand},
    authenticator::Method,
    authorization::Confirmation,
};
use crate::base::{
    clock::Instant,
    id::{self, Id},
};
use time::Duration;

/// A signed-in browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its identifier, the `sid` towards portals.
    pub id: Id<id::Session>,
    /// Who signed in.
    pub citizen: Id<id::Citizen>,
    /// How they proved it.
    pub method: Method,
    /// What that proved when it was done: less than the method's strength while an authenticator is on trial.
    pub reached: Assurance,
    /// When they proved it.
    pub authenticated_at: Instant,
    /// When it ends by itself.
    pub expires_at: Instant,
    /// When it was ended, by logout or by a lock.
    pub ended_at: Option<Instant>,
}

/// What a request asks of a session that is already there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// The strength demanded.
    pub demand: Demand,
    /// The oldest sign-in accepted, in seconds.
    pub max_age_s: Option<u32>,
    /// Whether a new sign-in is forced.
    pub forced: bool,
}

impl Session {
    /// Whether it still stands.
    pub fn is_live(&self, now: Instant) -> bool {
        self.ended_at.is_none() && now < self.expires_at
    }

    /// What it says of a sign-in that it answers.
    pub const fn confirms(&self) -> Confirmation {
        Confirmation {
            citizen: self.citizen,
            session: self.id,
            method: self.method,
            reached: self.reached,
            authenticated_at: self.authenticated_at,
        }
    }

    /// How strong it is at that instant: a level may have expired since it was reached.
    pub fn assurance(&self, now: Instant) -> Assurance {
        self.reached.left_at(self.authenticated_at, now)
    }

    /// Whether it answers a request without a new sign-in.
    pub fn answers(&self, wanted: &Wanted, now: Instant) -> bool {
        let young = |s: u32| now <= self.authenticated_at + Duration::seconds(i64::from(s));
        self.is_live(now)
            && !wanted.forced
            && wanted.demand.met_by(self.assurance(now))
            && wanted.max_age_s.is_none_or(young)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::entropy::SeededEntropy;
    use time::macros::datetime;

    #[test]
    fn a_session_answers_only_what_it_is_fit_for() {
        let (start, entropy) = (datetime!(2026-11-24 01:00 UTC), SeededEntropy::new(8));
        let session = Session {
            id: Id::new(start, &entropy),
            citizen: Id::new(start, &entropy),
            method: Method::SmsCode,
            reached: Assurance::Low,
            authenticated_at: start,
            expires_at: start + Duration::hours(1),
            ended_at: None,
        };
        let now = start + Duration::minutes(10);
        let wanted = |floor, max_age_s, forced| Wanted { demand: Demand::of(None, floor), max_age_s, forced };
        let plain = wanted(Assurance::Low, None, false);
        assert!(session.answers(&plain, now));
        assert!(session.answers(&wanted(Assurance::Low, Some(600), false), now));
        assert!(!session.answers(&wanted(Assurance::Low, Some(599), false), now));
        assert!(!session.answers(&wanted(Assurance::Low, Some(0), false), now));
        assert!(!session.answers(&wanted(Assurance::Substantial, None, false), now));
        assert!(!session.answers(&wanted(Assurance::Low, None, true), now));
        assert!(!session.answers(&plain, session.expires_at));
        let strong = Session { method: Method::ChipCard, reached: Assurance::InPerson, ..session.clone() };
        assert!(strong.answers(&wanted(Assurance::InPerson, None, false), now));
        let later = start + Duration::hours(1) - Duration::seconds(1);
        assert!(strong.answers(&wanted(Assurance::High, None, false), later));
        let lasting = Session { expires_at: start + Duration::hours(8), ..strong };
        assert!(!lasting.answers(&wanted(Assurance::Substantial, None, false), start + Duration::hours(1)));
        assert!(lasting.answers(&plain, start + Duration::hours(1)));
        let ended = Session { ended_at: Some(now), ..session };
        assert!(!ended.answers(&plain, now));
    }
}
