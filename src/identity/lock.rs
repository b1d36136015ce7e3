//! What a citizen forbids to be done with their electronic identity.
//!
//! A lock stops what rests on the citizen's own will: sign-ins, what sign-ins gave, and look-ups under consent. It
//! never stops what a law demands, what the person does with the card in hand, or money: statutory look-ups, a check
//! with the card, paying, refunds and receipts go on, and the history shows them. A lock holds to the end of its last
//! day; whether one forbids something is asked in the transaction of that thing.

use super::authenticator::Method;
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{self, Citizen, Client, Id},
};

/// What a lock is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Every sign-in and every look-up under consent.
    Everything,
    /// One portal, or one agency's system: its sign-ins and its look-ups under consent.
    Portal(Id<Client>),
    /// Look-ups under consent.
    Verifications,
    /// One way of signing in.
    Method(Method),
}

impl Scope {
    /// The word in rows, forms and histories.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Everything => "everything",
            Self::Portal(_) => "portal",
            Self::Verifications => "verifications",
            Self::Method(_) => "method",
        }
    }
}

/// A lock that was not lifted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lock {
    /// Its identifier.
    pub id: Id<id::Lock>,
    /// Whose it is.
    pub citizen: Id<Citizen>,
    /// What it is about.
    pub scope: Scope,
    /// When it was set.
    pub set_at: Instant,
    /// Its last day, included; `None`: until it is lifted.
    pub last_day: Option<Day>,
}

/// On what a look-up about a person rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Basis {
    /// A law that the asking client has on its list.
    Law,
    /// The person's consent.
    Consent,
}

/// Something that is about to be done with somebody's identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Signing in at a page of ours, or acting there in a session.
    Page(Method),
    /// Signing in at a portal, or what such a sign-in gave: code, tokens, claims.
    Portal(Id<Client>, Method),
    /// A look-up by a client.
    LookUp(Id<Client>, Basis),
    /// A check in person, with the card.
    Card,
    /// Paying, a refund, a receipt.
    Money,
}

impl Lock {
    /// Whether it still stands on that day.
    pub fn stands(&self, today: Day) -> bool {
        self.last_day.is_none_or(|last| today <= last)
    }

    /// Whether it forbids this on that day.
    pub fn forbids(&self, what: Use, today: Day) -> bool {
        self.stands(today)
            && match (self.scope, what) {
                (_, Use::Card | Use::Money | Use::LookUp(_, Basis::Law)) => false,
                (Scope::Everything, Use::Page(_) | Use::Portal(..) | Use::LookUp(_, Basis::Consent)) => true,
                (Scope::Portal(locked), Use::Portal(client, _) | Use::LookUp(client, Basis::Consent)) => {
                    locked == client
                }
                (Scope::Verifications, Use::LookUp(_, Basis::Consent)) => true,
                (Scope::Method(locked), Use::Page(method) | Use::Portal(_, method)) => locked == method,
                (Scope::Portal(_), Use::Page(_))
                | (Scope::Verifications, Use::Page(_) | Use::Portal(..))
                | (Scope::Method(_), Use::LookUp(_, Basis::Consent)) => false,
            }
    }
}

/// The first of these locks that forbids this on that day.
pub fn forbidding(locks: &[Lock], what: Use, today: Day) -> Option<&Lock> {
    locks.iter().find(|lock| lock.forbids(what, today))
}

/// Why a lock is not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The last day has passed.
    #[error("the last day has passed")]
    DayPassed,
}

impl Refusal {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::DayPassed => "lock_day_passed",
        }
    }
}

/// Whether a lock with that last day can be set; anybody who is signed in may lock.
pub fn may_set(last_day: Option<Day>, today: Day) -> Result<(), Refusal> {
    if last_day.is_some_and(|last| last < today) { Err(Refusal::DayPassed) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::entropy::SeededEntropy;
    use time::macros::datetime;

    #[test]
    fn a_lock_stops_what_rests_on_consent_and_nothing_else() {
        let (now, entropy) = (datetime!(2026-11-24 02:00 UTC), SeededEntropy::new(1));
        let (mine, other): (Id<Client>, Id<Client>) = (Id::new(now, &entropy), Id::new(now, &entropy));
        let sms = Method::SmsCode;
        let uses = [
            Use::Page(sms),
            Use::Portal(mine, sms),
            Use::Portal(other, sms),
            Use::LookUp(mine, Basis::Consent),
            Use::LookUp(other, Basis::Consent),
            Use::LookUp(mine, Basis::Law),
            Use::Card,
            Use::Money,
        ];
        let table = [
            (Scope::Everything, [true, true, true, true, true, false, false, false]),
            (Scope::Portal(mine), [false, true, false, true, false, false, false, false]),
            (Scope::Verifications, [false, false, false, true, true, false, false, false]),
            (Scope::Method(sms), [true, true, true, false, false, false, false, false]),
        ];
        let today = Day::of(now);
        for (scope, expected) in table {
            let citizen = Id::new(now, &entropy);
            let lock =
                Lock { id: Id::new(now, &entropy), citizen, scope, set_at: now, last_day: Some(today) };
            assert_eq!(uses.map(|what| lock.forbids(what, today)), expected, "{scope:?}");
            assert_eq!(uses.map(|what| lock.forbids(what, today.plus_days(1))), [false; 8]);
            assert_eq!(forbidding(&[lock], Use::Portal(mine, sms), today).is_some(), expected[1]);
        }
    }

    #[test]
    fn anybody_may_lock_from_today_on() {
        let today: Day = "2026-11-24".parse().unwrap();
        assert_eq!(may_set(None, today), Ok(()));
        assert_eq!(may_set(Some(today), today), Ok(()));
        assert_eq!(may_set(Some(today.plus_days(-1)), today), Err(Refusal::DayPassed));
    }
}
