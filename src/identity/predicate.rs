//! Questions about a person that are answered with yes or no instead of a value: of age, resident of a province, how
//! far the birth date is known.
//!
//! An answer is given only about a person whom the claims match; a number alone buys none. What the register knows to
//! the year only is answered `unknown` where the year does not decide.

use super::birth_date::Precision;
use super::person::Person;
use super::province::{Place, Province};
use crate::base::calendar::Day;
use std::str::FromStr;

/// The most years that can be asked about.
const YEARS_MAX: u16 = 150;

/// One question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Predicate {
    /// Whether the person has lived so many years on that day.
    AgeAtLeast {
        /// How many.
        years: u16,
        /// On which day.
        on: Day,
    },
    /// Whether the register knows the birth date at least so far.
    BirthDateKnownTo(Precision),
    /// Whether the person lives in that province of today.
    ResidentOf(Region),
}

/// A province as the caller names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Region {
    /// By its code in force since July 2025.
    Today(Province),
    /// By the three digits of a province until June 2025, read as the province of today that it lies in.
    Before(Place, Province),
}

impl Region {
    /// The province of today that is meant.
    pub const fn province(self) -> Province {
        match self {
            Self::Today(province) | Self::Before(_, province) => province,
        }
    }
}

/// A text that names no province, neither of today nor of before the mergers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a province is named by two digits, or by the three digits in use until June 2025")]
pub struct NotARegion;

impl FromStr for Region {
    type Err = NotARegion;

    fn from_str(code: &str) -> Result<Self, NotARegion> {
        if let Ok(today) = code.parse() {
            return Ok(Self::Today(today));
        }
        let place = Place::all().find(|place| place.code() == code).ok_or(NotARegion)?;
        place.province().map(|province| Self::Before(place, province)).ok_or(NotARegion)
    }
}

/// What kind of question it is: policies allow kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// [`Predicate::AgeAtLeast`].
    AgeAtLeast,
    /// [`Predicate::BirthDateKnownTo`].
    BirthDateKnownTo,
    /// [`Predicate::ResidentOf`].
    ResidentOf,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::AgeAtLeast, Self::BirthDateKnownTo, Self::ResidentOf];

    /// The word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::AgeAtLeast => "age_at_least",
            Self::BirthDateKnownTo => "birth_date_known_to",
            Self::ResidentOf => "resident_of",
        }
    }

    /// The kind of that word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// The answer to one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It is so.
    Yes,
    /// It is not so.
    No,
    /// The register does not know enough.
    Unknown,
}

impl Verdict {
    /// The word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Unknown => "unknown",
        }
    }

    const fn of(so: bool) -> Self {
        if so { Self::Yes } else { Self::No }
    }
}

impl Predicate {
    /// An age that people reach.
    pub fn age_at_least(years: u16, on: Day) -> Option<Self> {
        (1..=YEARS_MAX).contains(&years).then_some(Self::AgeAtLeast { years, on })
    }

    /// Its kind.
    pub const fn kind(self) -> Kind {
        match self {
            Self::AgeAtLeast { .. } => Kind::AgeAtLeast,
            Self::BirthDateKnownTo(_) => Kind::BirthDateKnownTo,
            Self::ResidentOf(_) => Kind::ResidentOf,
        }
    }

    /// The answer about a person.
    pub fn verdict(self, person: &Person) -> Verdict {
        match self {
            Self::AgeAtLeast { years, on } => {
                let years = i32::from(years);
                if person.birth_date.age_at_least(on) >= years {
                    Verdict::Yes
                } else if person.birth_date.age_at_most(on) < years {
                    Verdict::No
                } else {
                    Verdict::Unknown
                }
            }
            Self::BirthDateKnownTo(precision) => Verdict::of(person.birth_date.precision() >= precision),
            Self::ResidentOf(region) => Verdict::of(person.province == region.province()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::person::Status;
    use crate::identity::personal_number::Sex;

    fn person(born: &str, province: &str) -> Person {
        Person {
            number: "079085000001".parse().unwrap(),
            old_number: None,
            name: "Trần An".parse().unwrap(),
            former_names: vec![],
            birth_date: born.parse().unwrap(),
            sex: Sex::Male,
            phone: None,
            province: province.parse().unwrap(),
            status: Status::Active,
            account_level: None,
            standings: "".parse().unwrap(),
            parents: "".parse().unwrap(),
            guardians: "".parse().unwrap(),
            capacity_lost_on: None,
        }
    }

    #[test]
    fn an_age_is_answered_as_far_as_the_birth_date_is_known() {
        let on: Day = "2026-11-24".parse().unwrap();
        for (born, years, verdict) in [
            ("2008-11-24", 18, Verdict::Yes),
            ("2008-11-25", 18, Verdict::No),
            ("2008", 18, Verdict::Unknown),
            ("2008-12", 18, Verdict::No),
            ("2008-11", 18, Verdict::Unknown),
            ("2007", 18, Verdict::Yes),
            ("2009", 18, Verdict::No),
        ] {
            let asked = Predicate::age_at_least(years, on).unwrap();
            assert_eq!(asked.verdict(&person(born, "79")), verdict, "{born}");
        }
        assert_eq!(Predicate::age_at_least(0, on), None);
        assert_eq!(Predicate::age_at_least(151, on), None);
    }

    #[test]
    fn residence_follows_the_mapping_of_2025_and_precision_is_no_value() {
        for (code, lives_in, verdict) in [
            ("79", "79", Verdict::Yes),
            ("074", "79", Verdict::Yes),
            ("077", "79", Verdict::Yes),
            ("074", "75", Verdict::No),
            ("01", "79", Verdict::No),
        ] {
            let asked = Predicate::ResidentOf(code.parse().unwrap());
            assert_eq!(asked.verdict(&person("1985", lives_in)), verdict, "{code} {lives_in}");
        }
        for bad in ["74", "999", "", "7"] {
            assert_eq!(bad.parse::<Region>(), Err(NotARegion), "{bad:?}");
        }
        let day = Predicate::BirthDateKnownTo(Precision::Day);
        assert_eq!(day.verdict(&person("1985", "79")), Verdict::No);
        assert_eq!(Predicate::BirthDateKnownTo(Precision::Year).verdict(&person("1985", "79")), Verdict::Yes);
        for kind in Kind::ALL {
            assert_eq!(Kind::of(kind.word()), Some(kind));
        }
    }
}
