//! Two facts that must never be confused: the account level that the national e-ID reports, the only one a fee rule
//! may read, and Chung's own assurance, which says how surely a sign-in was proved and travels as `acr`.

use std::{fmt, str::FromStr};

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

/// The strength of one sign-in. Later is stronger; "at least" comparisons use this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Assurance {
    /// The number is on the register and its holder received a code at the registered phone.
    Low,
    /// The holder used an authenticator bound to them under supervision, or a passkey that verifies its user.
    Substantial,
    /// The holder's chip card or the national electronic identity at its highest level confirmed the person.
    High,
}

impl Assurance {
    /// Every level, weakest first.
    pub const ALL: [Self; 3] = [Self::Low, Self::Substantial, Self::High];

    /// The `acr` value on the wire (OpenID Connect Core, section 2).
    pub const fn acr(self) -> &'static str {
        match self {
            Self::Low => "urn:chung:acr:low",
            Self::Substantial => "urn:chung:acr:substantial",
            Self::High => "urn:chung:acr:high",
        }
    }
}

/// A text that names no assurance level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an assurance level is urn:chung:acr:low, urn:chung:acr:substantial or urn:chung:acr:high")]
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
    use Assurance::{High, Low, Substantial};

    #[test]
    fn levels_are_ordered_and_named_once() {
        assert!(Low < Substantial && Substantial < High);
        for level in Assurance::ALL {
            assert_eq!(level.to_string().parse(), Ok(level));
        }
        assert!("urn:chung:acr:LOW".parse::<Assurance>().is_err());
        assert!("1".parse::<Assurance>().is_err());
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
