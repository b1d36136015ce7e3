//! What a citizen allowed a portal to learn.
//!
//! A consent is explicit, separable per claim, kept as evidence, and may be withdrawn (Law 91/2025/QH15). Claims that
//! a law requires are recorded beside it as notified: they rest on the law, and withdrawing a consent does not touch
//! them. No claim is ever ticked beforehand.

use super::claims::{Claim, Claims, Offer};
use crate::base::{
    clock::Instant,
    id::{self, Id},
};

/// The evidence of one decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// Its identifier.
    pub id: Id<id::Consent>,
    /// Who decided.
    pub citizen: Id<id::Citizen>,
    /// For which portal.
    pub client: Id<id::Client>,
    /// What was shown as required by law.
    pub notified: Claims,
    /// What the citizen allowed.
    pub allowed: Claims,
    /// When.
    pub given_at: Instant,
    /// When it was taken back.
    pub withdrawn_at: Option<Instant>,
}

impl Consent {
    /// What the portal may be told under it now.
    pub fn disclosed(&self) -> Claims {
        let allowed = if self.withdrawn_at.is_none() { self.allowed.clone() } else { Claims::new() };
        allowed.union(&self.notified).copied().collect()
    }

    /// Whether it answers a new request of the same portal, so that `prompt=none` can be served without a page.
    pub fn covers(&self, offer: &Offer) -> bool {
        self.withdrawn_at.is_none()
            && offer.required().is_subset(&self.notified)
            && offer.optional().is_subset(&self.allowed)
    }
}

/// What a citizen answered on the consent page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Go on, with these of the optional claims.
    Allow(Claims),
    /// Do not go on.
    Refuse,
}

/// What follows from the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Go on: these are notified, these allowed.
    GoOn {
        /// Required by law and shown.
        notified: Claims,
        /// Allowed by the citizen.
        allowed: Claims,
    },
    /// The portal learns that the citizen declined, and nothing else.
    Decline,
}

/// A ticked claim that the page did not offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} was not offered")]
pub struct NotOffered(pub Claim);

/// Decides what an answer means against what was offered.
pub fn decide(offer: &Offer, answer: Answer) -> Result<Decision, NotOffered> {
    match answer {
        Answer::Refuse => Ok(Decision::Decline),
        Answer::Allow(ticked) => match ticked.difference(&offer.optional()).next() {
            Some(foreign) => Err(NotOffered(*foreign)),
            None => Ok(Decision::GoOn { notified: offer.required(), allowed: ticked }),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{entropy::SeededEntropy, text::Line};
    use time::macros::datetime;

    fn offer() -> Offer {
        let basis = Line::parse("Nghị định 118/2025/NĐ-CP").unwrap();
        Offer { by_law: vec![(Claim::Name, basis)], by_consent: vec![Claim::PhoneNumber, Claim::Address] }
    }

    #[test]
    fn only_what_was_offered_can_be_allowed() {
        let phone = Claims::from([Claim::PhoneNumber]);
        let go_on = Decision::GoOn { notified: Claims::from([Claim::Name]), allowed: phone.clone() };
        assert_eq!(decide(&offer(), Answer::Allow(phone)), Ok(go_on));
        let nothing = Decision::GoOn { notified: Claims::from([Claim::Name]), allowed: Claims::new() };
        assert_eq!(decide(&offer(), Answer::Allow(Claims::new())), Ok(nothing));
        let foreign = Answer::Allow(Claims::from([Claim::PersonalNumber]));
        assert_eq!(decide(&offer(), foreign), Err(NotOffered(Claim::PersonalNumber)));
        assert_eq!(decide(&offer(), Answer::Refuse), Ok(Decision::Decline));
    }

    #[test]
    fn a_consent_covers_what_it_allowed_until_it_is_withdrawn() {
        let (now, entropy) = (datetime!(2026-11-24 01:00 UTC), SeededEntropy::new(3));
        let consent = Consent {
            id: Id::new(now, &entropy),
            citizen: Id::new(now, &entropy),
            client: Id::new(now, &entropy),
            notified: Claims::from([Claim::Name]),
            allowed: Claims::from([Claim::PhoneNumber]),
            given_at: now,
            withdrawn_at: None,
        };
        assert!(!consent.covers(&offer()), "the residence was not allowed");
        let smaller = Offer { by_consent: vec![Claim::PhoneNumber], ..offer() };
        assert!(consent.covers(&smaller));
        let withdrawn = Consent { withdrawn_at: Some(now), ..consent };
        assert!(!withdrawn.covers(&smaller));
        assert_eq!(withdrawn.disclosed(), Claims::from([Claim::Name]), "the law's part stays");
    }
}
