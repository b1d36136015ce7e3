//! What one portal may ask about people and what it is told: data, set by an administrator, versioned, never changed.
//!
//! A portal for which nobody wrote one has [`PortalPolicy::unwritten`]: it may ask about everything, and is told of a
//! failure only that it is one.

use super::predicate::{self, Predicate};
use super::verification::{Attribute, Claims, Policy};
use crate::base::{clock::Instant, text::Line};
use std::collections::BTreeSet;
use time::Duration;

/// The most purposes that one policy lists.
pub const PURPOSES_MAX: usize = 50;

/// One version of a portal's policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortalPolicy {
    /// Counted from 1; 0 is the one that nobody wrote.
    pub version: u32,
    /// What may be claimed.
    pub attributes: BTreeSet<Attribute>,
    /// Which questions may be asked.
    pub predicates: BTreeSet<predicate::Kind>,
    /// The loosest rule by which a name counts as the same; used where a question names none.
    pub name_rule: Policy,
    /// The purposes that may be named, each in the same words; none listed means any.
    pub purposes: Vec<Line<200>>,
    /// How many questions a day, in person or not; batches count their rows.
    pub daily_quota: Option<u32>,
    /// Whether a failure says which attribute failed.
    pub tells_which: bool,
    /// How old a copy may be from which an answer is taken while the source is down; `None`: no copy is.
    pub stale_max_hours: Option<u16>,
    /// Whether a question that the source did not answer is asked again and its answer told by an event.
    pub confirms_later: bool,
}

/// Why a question is not one that the portal may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forbidden {
    /// It claims an attribute that is not listed.
    Attribute(Attribute),
    /// It asks a question that is not listed.
    Predicate(predicate::Kind),
    /// It wants a looser rule for names.
    NameRule,
    /// It is for something else.
    Purpose,
}

impl PortalPolicy {
    /// The policy of a portal for which nobody wrote one.
    pub fn unwritten() -> Self {
        Self {
            version: 0,
            attributes: Attribute::ALL.into(),
            predicates: predicate::Kind::ALL.into(),
            name_rule: Policy::Unaccented,
            purposes: Vec::new(),
            daily_quota: None,
            tells_which: false,
            stale_max_hours: None,
            confirms_later: false,
        }
    }

    /// Whether an answer is taken from a copy of that moment while the source is down.
    pub fn accepts_copy_of(&self, copied_at: Instant, now: Instant) -> bool {
        self.stale_max_hours.is_some_and(|hours| now - copied_at <= Duration::hours(i64::from(hours)))
    }

    /// The rule for names of a question that names this one, or none.
    pub fn rule(&self, asked: Option<Policy>) -> Policy {
        let own = if self.version == 0 { Policy::Standard } else { self.name_rule };
        asked.unwrap_or(own)
    }

    /// Everything in a question that the portal may not ask.
    pub fn forbids(
        &self,
        claims: &Claims,
        predicates: &[Predicate],
        rule: Option<Policy>,
        purpose: &Line<200>,
    ) -> Vec<Forbidden> {
        let attributes =
            claims.attributes().into_iter().filter(|attribute| !self.attributes.contains(attribute));
        let kinds =
            predicates.iter().map(|asked| asked.kind()).filter(|kind| !self.predicates.contains(kind));
        let looser = rule.is_some_and(|rule| rule > self.name_rule).then_some(Forbidden::NameRule);
        let foreign = !self.purposes.is_empty() && !self.purposes.contains(purpose);
        attributes
            .map(Forbidden::Attribute)
            .chain(kinds.map(Forbidden::Predicate))
            .chain(looser)
            .chain(foreign.then_some(Forbidden::Purpose))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_names_everything_that_it_forbids() {
        let purpose: Line<200> = Line::parse("Cấp hộ chiếu").unwrap();
        let claims =
            Claims { name: "An".parse().ok(), phone: "0912345678".parse().ok(), ..Claims::default() };
        let resident = [Predicate::ResidentOf("79".parse().unwrap())];
        let free = PortalPolicy::unwritten();
        assert_eq!(free.forbids(&claims, &resident, Some(Policy::Unaccented), &purpose), vec![]);
        assert_eq!(free.forbids(&claims, &[], Some(Policy::Near), &purpose), vec![Forbidden::NameRule]);
        let narrow = PortalPolicy {
            version: 1,
            attributes: [Attribute::Name].into(),
            predicates: [].into(),
            name_rule: Policy::Exact,
            purposes: vec![Line::parse("Khác").unwrap()],
            ..free
        };
        let forbidden = vec![
            Forbidden::Attribute(Attribute::Phone),
            Forbidden::Predicate(predicate::Kind::ResidentOf),
            Forbidden::NameRule,
            Forbidden::Purpose,
        ];
        assert_eq!(narrow.forbids(&claims, &resident, Some(Policy::Standard), &purpose), forbidden);
        assert_eq!(
            (narrow.rule(None), PortalPolicy::unwritten().rule(None)),
            (Policy::Exact, Policy::Standard)
        );
    }
}
