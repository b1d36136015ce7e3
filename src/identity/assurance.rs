//! Two facts that must never be confused: the account level that the national e-ID reports, the only one a fee rule
//! may read, and Chung's own assurance, which says how surely a sign-in was proved and travels as `acr`. Neither is
//! ever derived from the other; there is no conversion between the two types.

use crate::base::clock::Instant;
use std::{fmt, str::FromStr};
use time::Duration;

/// The level of a citizen's national e-ID account (Decree 69/2024 art. 5). It is reported by the national e-ID or the
/// register, never derived from how somebody signed in here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccountLevel {
    /// Level 1: access to one's own data and some features.
    One,
    /// Level 2: stands in for the physical card.
    Two,
}

impl AccountLevel {
    /// The number, 1 or 2.
    pub const fn number(self) -> u8 {
        match self {
            Self::One => 1,
            Self::Two => 2,
        }
    }

    /// The level of that number.
    pub const fn of(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::One),
            2 => Some(Self::Two),
            _ => None,
        }
    }
}

/// An account level as the national e-ID reported it. Its evidence is kept beside it, sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reported {
    /// The level.
    pub level: AccountLevel,
    /// When it was reported.
    pub at: Instant,
}

/// The strength of one sign-in. Later is stronger; "at least" comparisons use this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Assurance {
    /// The number is on the register and its holder received a code at the registered phone.
    Low,
    /// The holder used an authenticator that is bound to them (a passkey, an authenticator app), or the national e-ID
    /// at its lower level.
    Substantial,
    /// The national e-ID confirmed the person at its highest level.
    High,
    /// An officer read the person's chip card and saw the person.
    InPerson,
}

impl Assurance {
    /// Every level, weakest first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Substantial, Self::High, Self::InPerson];

    /// The `acr` value on the wire (OpenID Connect Core, section 2).
    pub const fn acr(self) -> &'static str {
        match self {
            Self::Low => "urn:chung:acr:low",
            Self::Substantial => "urn:chung:acr:substantial",
            Self::High => "urn:chung:acr:high",
            Self::InPerson => "urn:chung:acr:in_person",
        }
    }

    /// The floor of a portal that names none: public-service portals take the national e-ID (Decision 29/2026), where
    /// it can be had.
    pub const fn floor_of_portals(national_id: bool) -> Self {
        if national_id { Self::High } else { Self::Low }
    }

    /// How long a sign-in keeps this level; `None` is as long as its session. What was proved by somebody else or by
    /// being there grows old sooner than what the holder carries.
    pub const fn life(self) -> Option<Duration> {
        match self {
            Self::Low | Self::Substantial => None,
            Self::High => Some(Duration::hours(4)),
            Self::InPerson => Some(Duration::hours(1)),
        }
    }

    /// What is left of this level some time after it was reached: past its life only the lowest.
    pub fn left_at(self, reached_at: Instant, now: Instant) -> Self {
        match self.life() {
            Some(life) if now >= reached_at + life => Self::Low,
            Some(_) | None => self,
        }
    }
}

/// A text that names no assurance level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "an assurance level is urn:chung:acr:low, urn:chung:acr:substantial, urn:chung:acr:high or urn:chung:acr:in_person"
)]
pub struct NotAnAssurance;

impl FromStr for Assurance {
    type Err = NotAnAssurance;

    fn from_str(s: &str) -> Result<Self, NotAnAssurance> {
        Self::ALL.into_iter().find(|level| level.acr() == s).ok_or(NotAnAssurance)
    }
}

impl fmt::Display for Assurance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.acr())
    }
}

/// What a request and the client's floor together demand of a sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand {
    /// Below this the portal is refused.
    pub least: Assurance,
    /// The level to aim at when the citizen can choose a way to sign in.
    pub aim: Assurance,
}

impl Demand {
    /// Reads `acr_values` (space separated, in order of preference) against the client's floor.
    ///
    /// Unknown values are passed over, as OpenID Connect Core allows for a voluntary claim. Of the known ones the
    /// first is the aim and the weakest is the least; neither is ever below the floor, whatever was asked.
    pub fn of(acr_values: Option<&str>, floor: Assurance) -> Self {
        let known = || acr_values.unwrap_or_default().split(' ').filter_map(|v| v.parse::<Assurance>().ok());
        let least = known().min().unwrap_or(floor).max(floor);
        let aim = known().next().unwrap_or(floor).max(least);
        Self { least, aim }
    }

    /// Whether a sign-in of that strength is enough.
    pub fn met_by(self, reached: Assurance) -> bool {
        reached >= self.least
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Assurance::{High, InPerson, Low, Substantial};
    use time::macros::datetime;

    #[test]
    fn levels_are_ordered_and_named_once() {
        assert!(Low < Substantial && Substantial < High && High < InPerson);
        for level in Assurance::ALL {
            assert_eq!(level.to_string().parse(), Ok(level));
        }
        assert!("urn:chung:acr:LOW".parse::<Assurance>().is_err());
        assert!("1".parse::<Assurance>().is_err());
    }

    #[test]
    fn a_level_may_expire() {
        let at = datetime!(2026-11-25 01:00 UTC);
        for (level, after, left) in [
            (Low, Duration::days(9), Low),
            (Substantial, Duration::hours(8), Substantial),
            (High, Duration::minutes(239), High),
            (High, Duration::hours(4), Low),
            (InPerson, Duration::minutes(59), InPerson),
            (InPerson, Duration::hours(1), Low),
        ] {
            assert_eq!(level.left_at(at, at + after), left, "{level} after {after}");
        }
    }

    #[test]
    fn a_demand_is_never_below_the_floor() {
        let table: [(Option<&str>, Assurance, Assurance, Assurance); 9] = [
            (None, Low, Low, Low),
            (None, High, High, High),
            (Some("urn:chung:acr:low"), Substantial, Substantial, Substantial),
            (Some("urn:chung:acr:high"), Low, High, High),
            (Some("urn:chung:acr:high urn:chung:acr:low"), Low, Low, High),
            (Some("urn:chung:acr:low urn:chung:acr:high"), Low, Low, Low),
            (Some("urn:chung:acr:low urn:chung:acr:high"), Substantial, Substantial, Substantial),
            (Some("urn:elsewhere:gold"), Low, Low, Low),
            (Some("  urn:elsewhere:gold urn:chung:acr:substantial"), Low, Substantial, Substantial),
        ];
        for (asked, floor, least, aim) in table {
            assert_eq!(Demand::of(asked, floor), Demand { least, aim }, "{asked:?} with floor {floor:?}");
        }
        assert!(Demand::of(None, Low).met_by(High));
        assert!(!Demand::of(None, Substantial).met_by(Low));
    }
}
