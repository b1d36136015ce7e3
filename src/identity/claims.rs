//! What can be told about a citizen, and on what ground a portal may be told it.
//!
//! A claim leaves the house only if the client's policy lists it *and* this request asked for it. The ground decides
//! how the citizen meets it: a legal basis is shown as a notice with its citation, everything else is asked. There
//! is no third way, and nothing is offered that was not asked for.

use crate::base::text::Line;
use std::{collections::BTreeSet, fmt, str::FromStr};

/// One thing that can be told about a citizen, in the order pages list them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Claim {
    /// Full name as registered.
    Name,
    /// Birth date, as precise as the register knows it.
    Birthdate,
    /// Registered sex.
    Gender,
    /// The 12-digit personal identification number.
    PersonalNumber,
    /// The old 9-digit number that earlier dossiers carry.
    OldNumber,
    /// Registered mobile number.
    PhoneNumber,
    /// Registered residence.
    Address,
    /// Account level (1 or 2) of the national electronic identity.
    AccountLevel,
}

impl Claim {
    /// Every claim.
    pub const ALL: [Self; 8] = [
        Self::Name,
        Self::Birthdate,
        Self::Gender,
        Self::PersonalNumber,
        Self::OldNumber,
        Self::PhoneNumber,
        Self::Address,
        Self::AccountLevel,
    ];

    /// The claim's name on the wire: those of OpenID Connect Core section 5.1 where it has one.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Birthdate => "birthdate",
            Self::Gender => "gender",
            Self::PersonalNumber => "personal_number",
            Self::OldNumber => "old_number",
            Self::PhoneNumber => "phone_number",
            Self::Address => "address",
            Self::AccountLevel => "account_level",
        }
    }
}

/// A text that names no claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no claim of that name")]
pub struct NotAClaim;

impl FromStr for Claim {
    type Err = NotAClaim;

    fn from_str(s: &str) -> Result<Self, NotAClaim> {
        Self::ALL.into_iter().find(|claim| claim.name() == s).ok_or(NotAClaim)
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of claims.
pub type Claims = BTreeSet<Claim>;

/// A scope of the sign-in: a bundle of claims that portals ask for by one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SignInScope {
    /// Says that this is OpenID Connect; every request must have it.
    OpenId,
    /// Name, birth date, sex and account level.
    Profile,
    /// The registered mobile number.
    Phone,
    /// The registered residence.
    Address,
    /// The personal number and the old one, to link accounts that a portal already has.
    PersonalNumber,
    /// A refresh token, for a portal whose registration allows it.
    OfflineAccess,
}

impl SignInScope {
    /// Every scope of the sign-in.
    pub const ALL: [Self; 6] =
        [Self::OpenId, Self::Profile, Self::Phone, Self::Address, Self::PersonalNumber, Self::OfflineAccess];

    /// The word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::OpenId => "openid",
            Self::Profile => "profile",
            Self::Phone => "phone",
            Self::Address => "address",
            Self::PersonalNumber => "personal_number",
            Self::OfflineAccess => "offline_access",
        }
    }

    /// The claims that the word asks for.
    pub const fn claims(self) -> &'static [Claim] {
        match self {
            Self::OpenId | Self::OfflineAccess => &[],
            Self::Profile => &[Claim::Name, Claim::Birthdate, Claim::Gender, Claim::AccountLevel],
            Self::Phone => &[Claim::PhoneNumber],
            Self::Address => &[Claim::Address],
            Self::PersonalNumber => &[Claim::PersonalNumber, Claim::OldNumber],
        }
    }
}

impl FromStr for SignInScope {
    type Err = NotAClaim;

    fn from_str(s: &str) -> Result<Self, NotAClaim> {
        Self::ALL.into_iter().find(|scope| scope.word() == s).ok_or(NotAClaim)
    }
}

/// Why a portal may be told a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ground {
    /// A law requires it for this service; the citation is shown to the citizen.
    Law(Line<200>),
    /// The citizen may say yes or no.
    Consent,
}

/// One line of a client's claims policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What may be told.
    pub claim: Claim,
    /// Why it may be told.
    pub ground: Ground,
}

/// Which claims a client may ask for, each on one ground.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClaimsPolicy(Vec<Rule>);

/// Why a list of rules is not a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAPolicy {
    /// The same claim stands on two grounds.
    #[error("{0} is listed twice")]
    ListedTwice(Claim),
    /// A number that links records across agencies may not rest on consent alone.
    #[error("{0} needs a legal basis")]
    NeedsLaw(Claim),
}

impl ClaimsPolicy {
    /// A policy from its rules, in the order of [`Claim`].
    pub fn new(mut rules: Vec<Rule>) -> Result<Self, NotAPolicy> {
        rules.sort_by_key(|rule| rule.claim);
        if let Some(pair) = rules.windows(2).find(|pair| pair[0].claim == pair[1].claim) {
            return Err(NotAPolicy::ListedTwice(pair[0].claim));
        }
        let links = |rule: &&Rule| {
            matches!(rule.claim, Claim::PersonalNumber | Claim::OldNumber) && rule.ground == Ground::Consent
        };
        match rules.iter().find(links) {
            Some(rule) => Err(NotAPolicy::NeedsLaw(rule.claim)),
            None => Ok(Self(rules)),
        }
    }

    /// The rules in order.
    pub fn rules(&self) -> &[Rule] {
        &self.0
    }

    /// What this request brings before the citizen: asked for and allowed.
    pub fn offer(&self, asked: &Claims) -> Offer {
        let mut offer = Offer::default();
        for rule in self.0.iter().filter(|rule| asked.contains(&rule.claim)) {
            match &rule.ground {
                Ground::Law(basis) => offer.by_law.push((rule.claim, basis.clone())),
                Ground::Consent => offer.by_consent.push(rule.claim),
            }
        }
        offer
    }
}

/// What the consent page shows: claims the law requires, each with its basis, and claims the citizen decides on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Offer {
    /// Told because a law says so; shown as a notice.
    pub by_law: Vec<(Claim, Line<200>)>,
    /// Told only if the citizen says yes.
    pub by_consent: Vec<Claim>,
}

impl Offer {
    /// The claims of the notice.
    pub fn required(&self) -> Claims {
        self.by_law.iter().map(|(claim, _)| *claim).collect()
    }

    /// The claims that are asked.
    pub fn optional(&self) -> Claims {
        self.by_consent.iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn law() -> Ground {
        Ground::Law(Line::parse("Nghị định 118/2025/NĐ-CP, Điều 9").unwrap())
    }

    #[test]
    fn names_parse_back() {
        for claim in Claim::ALL {
            assert_eq!(claim.to_string().parse(), Ok(claim));
        }
        for scope in SignInScope::ALL {
            assert_eq!(scope.word().parse(), Ok(scope));
        }
        assert!("email".parse::<Claim>().is_err());
        assert!("offline".parse::<SignInScope>().is_err());
    }

    #[test]
    fn a_policy_lists_each_claim_once_and_numbers_only_by_law() {
        let rule = |claim, ground| Rule { claim, ground };
        let twice = vec![rule(Claim::Name, law()), rule(Claim::Name, Ground::Consent)];
        assert_eq!(ClaimsPolicy::new(twice), Err(NotAPolicy::ListedTwice(Claim::Name)));
        let asked = vec![rule(Claim::PersonalNumber, Ground::Consent)];
        assert_eq!(ClaimsPolicy::new(asked), Err(NotAPolicy::NeedsLaw(Claim::PersonalNumber)));
        assert!(ClaimsPolicy::new(vec![rule(Claim::PersonalNumber, law())]).is_ok());
    }

    proptest! {
        #[test]
        fn an_offer_is_what_was_asked_and_allowed(asked in any::<u8>(), allowed in any::<u8>(), by_law in any::<u8>()) {
            let bit = |mask: u8, i: usize| mask >> i & 1 == 1;
            let links = |claim| matches!(claim, Claim::PersonalNumber | Claim::OldNumber);
            let of = |mask: u8| Claim::ALL.iter().enumerate().filter(|(i, _)| bit(mask, *i)).map(|(_, c)| *c).collect::<Claims>();
            let rules = Claim::ALL.iter().enumerate().filter(|(i, _)| bit(allowed, *i)).map(|(i, &claim)| Rule {
                claim,
                ground: if bit(by_law, i) || links(claim) { law() } else { Ground::Consent },
            });
            let offer = ClaimsPolicy::new(rules.collect()).unwrap().offer(&of(asked));
            let shown: Claims = offer.required().union(&offer.optional()).copied().collect();
            prop_assert_eq!(shown, of(asked & allowed));
            prop_assert!(offer.required().is_disjoint(&offer.optional()));
        }
    }
}
