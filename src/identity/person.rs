//! One person as the population register knows them. Where the record came from (our table or the remote register)
//! makes no difference to its type; how it is encoded and sealed is the flow's affair.

use super::assurance::AccountLevel;
use super::birth_date::BirthDate;
use super::kinship::Kin;
use super::name::Name;
use super::personal_number::{OldNumber, PersonalNumber, Sex};
use super::province::Province;
use crate::base::calendar::Day;
use std::{fmt, str::FromStr};

/// What the register says about one person. Printing it shows no value.
#[derive(Clone, PartialEq, Eq)]
pub struct Person {
    /// The personal number.
    pub number: PersonalNumber,
    /// The nine digits of the former card, a match key for old dossiers.
    pub old_number: Option<OldNumber>,
    /// The full name.
    pub name: Name,
    /// Earlier names, the latest first.
    pub former_names: Vec<FormerName>,
    /// The birth date, as precise as the register has it.
    pub birth_date: BirthDate,
    /// The sex on record, which a lawful change may have parted from the number's digit.
    pub sex: Sex,
    /// The mobile phone on record; families share one.
    pub phone: Option<Phone>,
    /// The province of residence.
    pub province: Province,
    /// Whether the person lives and may use the electronic identity.
    pub status: Status,
    /// The level of the national e-ID account; `None` without an account.
    pub account_level: Option<AccountLevel>,
    /// What fee reductions depend on.
    pub standings: Standings,
    /// Father and mother, as far as they are on record.
    pub parents: Kin,
    /// The guardians of a child or of somebody without capacity.
    pub guardians: Kin,
    /// Since when a court holds the person to be without legal capacity.
    pub capacity_lost_on: Option<Day>,
}

/// A name that somebody bore until a day.
#[derive(Clone, PartialEq, Eq)]
pub struct FormerName {
    /// The name.
    pub name: Name,
    /// The day on which another one took its place.
    pub until: Day,
}

impl fmt::Debug for FormerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "former name until {}", self.until)
    }
}

/// A text that is not a name and its last day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a former name is written like Nguyễn Thị Hoa@2020-05-01; several are separated by semicolons")]
pub struct NotAFormerName;

impl FromStr for FormerName {
    type Err = NotAFormerName;

    fn from_str(s: &str) -> Result<Self, NotAFormerName> {
        let (name, until) = s.trim().rsplit_once('@').ok_or(NotAFormerName)?;
        let name = name.parse().map_err(|_| NotAFormerName)?;
        Ok(Self { name, until: until.parse().map_err(|_| NotAFormerName)? })
    }
}

/// Former names in the form of the register's files: the latest first, separated by semicolons.
pub fn former_names(text: &str) -> Result<Vec<FormerName>, NotAFormerName> {
    let parts = text.split(';').filter(|part| !part.trim().is_empty());
    let mut names: Vec<FormerName> = parts.map(str::parse).collect::<Result<_, _>>()?;
    names.sort_by_key(|name| std::cmp::Reverse(name.until));
    Ok(names)
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "person({}, ***)", self.number)
    }
}

/// Whether the electronic identity can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// The person lives and the identity is open.
    Active,
    /// The number was just issued; the register has not confirmed the record yet.
    Pending,
    /// The person locked the electronic identity, or an authority did.
    Locked,
    /// The register records the death.
    Deceased {
        /// The day of death.
        on: Day,
    },
}

/// A fact of the register that a fee rule may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// Enrolled at a school or university.
    Student,
    /// Of merit to the revolution, or next of kin.
    Merit,
    /// Of a poor household.
    PoorHousehold,
    /// Of a near-poor household.
    NearPoorHousehold,
    /// Recognized disability.
    Disabled,
}

impl Standing {
    /// Every standing.
    pub const ALL: [Self; 5] =
        [Self::Student, Self::Merit, Self::PoorHousehold, Self::NearPoorHousehold, Self::Disabled];

    /// The word in files, rules and on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Student => "student",
            Self::Merit => "merit",
            Self::PoorHousehold => "poor_household",
            Self::NearPoorHousehold => "near_poor_household",
            Self::Disabled => "disabled",
        }
    }
}

/// A set of [`Standing`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Standings(u8);

impl Standings {
    /// The set with one more.
    #[must_use]
    pub const fn with(self, standing: Standing) -> Self {
        Self(self.0 | 1 << standing as u8)
    }

    /// Whether the standing is in the set.
    pub const fn has(self, standing: Standing) -> bool {
        self.0 & (1 << standing as u8) != 0
    }

    /// The members, in one order.
    pub fn iter(self) -> impl Iterator<Item = Standing> {
        Standing::ALL.into_iter().filter(move |standing| self.has(*standing))
    }
}

/// A text that names no standing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "standings are student, merit, poor_household, near_poor_household and disabled, separated by spaces"
)]
pub struct NotAStanding;

impl FromStr for Standings {
    type Err = NotAStanding;

    /// Words separated by spaces; none is the empty set.
    fn from_str(s: &str) -> Result<Self, NotAStanding> {
        s.split_ascii_whitespace().try_fold(Self::default(), |set, word| {
            let standing = Standing::ALL.into_iter().find(|standing| standing.word() == word);
            standing.map(|standing| set.with(standing)).ok_or(NotAStanding)
        })
    }
}

impl fmt::Display for Standings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = self.iter().map(Standing::word).collect();
        f.write_str(&words.join(" "))
    }
}

/// A Vietnamese phone number in national form: `0` and nine or ten digits. Prints masked.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Phone(String);

impl Phone {
    /// All digits, national form.
    pub fn digits(&self) -> &str {
        &self.0
    }

    /// With the country code, for the gateway: `+84912345678`.
    pub fn e164(&self) -> String {
        format!("+84{}", &self.0[1..])
    }
}

/// A text that is not a Vietnamese phone number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a phone number is written like 0912345678 or +84912345678")]
pub struct NotAPhone;

impl FromStr for Phone {
    type Err = NotAPhone;

    fn from_str(s: &str) -> Result<Self, NotAPhone> {
        let compact: String = s.trim().chars().filter(|c| !matches!(c, ' ' | '.' | '-')).collect();
        let rest =
            ["+84", "0084", "0"].iter().find_map(|prefix| compact.strip_prefix(prefix)).ok_or(NotAPhone)?;
        let fits = matches!(rest.len(), 9 | 10) && rest.bytes().all(|b| b.is_ascii_digit());
        (fits && !rest.starts_with('0')).then(|| Self(format!("0{rest}"))).ok_or(NotAPhone)
    }
}

impl fmt::Display for Phone {
    /// `******5678`: enough for its owner to recognize it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (head, tail) = self.0.split_at(self.0.len() - 4);
        write!(f, "{}{tail}", "*".repeat(head.len()))
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phones_have_one_form() {
        for text in ["0912345678", "+84 912 345 678", "0084912345678", "0912.345.678", " 0912-345-678 "] {
            let phone: Phone = text.parse().unwrap();
            assert_eq!((phone.digits(), phone.e164()), ("0912345678", "+84912345678".to_owned()));
        }
        assert_eq!("0912345678".parse::<Phone>().unwrap().to_string(), "******5678");
        for text in ["", "912345678", "091234567", "091234567890", "0012345678", "+1 912345678", "09123x5678"]
        {
            assert_eq!(text.parse::<Phone>(), Err(NotAPhone), "{text:?}");
        }
    }

    #[test]
    fn former_names_carry_their_last_day() {
        let names = former_names(" Trần Thị A@1999-01-31;Lê Thị A@2010-02-01; ").unwrap();
        let read: Vec<_> = names.iter().map(|n| (n.name.as_str(), n.until.to_string())).collect();
        assert_eq!(read, [("Lê Thị A", "2010-02-01".to_owned()), ("Trần Thị A", "1999-01-31".to_owned())]);
        for bad in ["Lê Thị A", "@2010-02-01", "Lê@2010-02-30"] {
            assert_eq!(former_names(bad), Err(NotAFormerName), "{bad:?}");
        }
    }

    #[test]
    fn standings_are_a_set() {
        let set: Standings = "poor_household student student".parse().unwrap();
        assert_eq!(set.to_string(), "student poor_household");
        assert!(set.has(Standing::Student) && !set.has(Standing::Merit));
        assert_eq!("".parse(), Ok(Standings::default()));
        assert_eq!("rich".parse::<Standings>(), Err(NotAStanding));
        for standing in Standing::ALL {
            assert_eq!(standing.word().parse(), Ok(Standings::default().with(standing)));
        }
    }
}
