//! Who answers for somebody else by law, as far as the register says it: parents for their children under eighteen,
//! guardians for children and for adults whose capacity a court has ended (Civil Code 2015, articles 21, 22, 47, 136).
//!
//! Kin are named by personal number. A number that changed still names its owner: whoever follows one asks the
//! register, which knows former numbers. Deliberately absent: spouses and households, which represent nobody.

use super::person::Person;
use super::personal_number::PersonalNumber;
use crate::base::calendar::Day;
use std::{fmt, str::FromStr};

/// The age from which a person acts alone.
pub const ADULT_AGE: i32 = 18;

/// How many people one column of kin names at most.
const KIN_MAX: usize = 4;

/// People named by their numbers, in the order of the record. Printing shows how many.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Kin(Vec<PersonalNumber>);

impl Kin {
    /// Whether somebody is among them.
    pub fn has(&self, number: PersonalNumber) -> bool {
        self.0.contains(&number)
    }

    /// Their numbers.
    pub fn numbers(&self) -> &[PersonalNumber] {
        &self.0
    }

    /// Whether there is nobody.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The numbers in full, separated by spaces: for the sealed record.
    pub fn text(&self) -> String {
        self.0.iter().map(PersonalNumber::digits).collect::<Vec<_>>().join(" ")
    }
}

impl fmt::Debug for Kin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "kin({})", self.0.len())
    }
}

/// A text that names no kin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("kin are up to four different personal numbers of 12 digits, separated by spaces")]
pub struct NotKin;

impl FromStr for Kin {
    type Err = NotKin;

    fn from_str(s: &str) -> Result<Self, NotKin> {
        let mut kin = Vec::new();
        for word in s.split_ascii_whitespace() {
            let number = word.parse().map_err(|_| NotKin)?;
            if kin.contains(&number) || kin.len() == KIN_MAX {
                return Err(NotKin);
            }
            kin.push(number);
        }
        Ok(Self(kin))
    }
}

/// By what right one person acts for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Representation {
    /// A parent of a minor.
    Parent,
    /// A guardian of a minor, or of somebody without capacity.
    Guardian,
}

impl Representation {
    /// The word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Parent => "parent",
            Self::Guardian => "guardian",
        }
    }
}

impl Person {
    /// The numbers of those who may act for this person, on a day or later: the parents of a minor, and every guardian.
    pub fn representatives(&self, on: Day) -> Vec<PersonalNumber> {
        let minor = self.birth_date.age_at_most(on) < ADULT_AGE;
        let parents = self.parents.numbers().iter().filter(|_| minor);
        let mut numbers: Vec<PersonalNumber> = parents.chain(self.guardians.numbers()).copied().collect();
        numbers.dedup();
        numbers
    }

    /// By what right the owner of a number acts for this person on a day; `None` if the register gives none. Where a
    /// birth date is known to the year only, nobody is a minor who may be of age. Whether the other lives and is of age
    /// is for whoever asks about them.
    pub fn represented_by(&self, number: PersonalNumber, on: Day) -> Option<Representation> {
        let minor = self.birth_date.age_at_most(on) < ADULT_AGE;
        let without_capacity = self.capacity_lost_on.is_some_and(|since| since <= on);
        if number == self.number {
            None
        } else if minor && self.parents.has(number) {
            Some(Representation::Parent)
        } else if (minor || without_capacity) && self.guardians.has(number) {
            Some(Representation::Guardian)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::person::Status;
    use crate::identity::personal_number::Sex;

    fn person(born: &str) -> Person {
        Person {
            number: "079215000001".parse().unwrap(),
            old_number: None,
            name: "Nguyễn Minh Khôi".parse().unwrap(),
            former_names: vec![],
            birth_date: born.parse().unwrap(),
            sex: Sex::Male,
            phone: None,
            province: "79".parse().unwrap(),
            status: Status::Active,
            account_level: None,
            standings: "".parse().unwrap(),
            parents: "079185000001 079085000002".parse().unwrap(),
            guardians: "079085000003".parse().unwrap(),
            capacity_lost_on: None,
        }
    }

    #[test]
    fn parents_act_for_minors_and_guardians_for_wards_only() {
        let today: Day = "2026-11-24".parse().unwrap();
        let by = |person: &Person, number: &str| person.represented_by(number.parse().unwrap(), today);
        let (parent, guardian) = (Some(Representation::Parent), Some(Representation::Guardian));
        for (born, lost, of_parent, of_guardian) in [
            ("2015-01-01", None, parent, guardian),
            ("2008-11-25", None, parent, guardian),
            ("2008-11-24", None, None, None),
            ("2008", None, None, None),
            ("2009", None, parent, guardian),
            ("1990-01-01", Some("2020-01-01"), None, guardian),
            ("1990-01-01", Some("2026-11-25"), None, None),
        ] {
            let ward = Person { capacity_lost_on: lost.map(|day| day.parse().unwrap()), ..person(born) };
            assert_eq!(by(&ward, "079185000001"), of_parent, "{born} {lost:?}");
            assert_eq!(by(&ward, "079085000003"), of_guardian, "{born} {lost:?}");
            assert_eq!(by(&ward, "079085000009"), None);
            assert_eq!(by(&ward, "079215000001"), None, "nobody represents themselves");
        }
    }

    #[test]
    fn kin_are_read_or_refused() {
        let kin: Kin = " 079185000001  079085000002 ".parse().unwrap();
        assert_eq!((kin.text().as_str(), kin.numbers().len()), ("079185000001 079085000002", 2));
        assert_eq!(format!("{kin:?}"), "kin(2)");
        assert!("".parse::<Kin>().unwrap().is_empty());
        for bad in ["07918500000", "079185000001 079185000001", "a", "1 2 3 4 5"] {
            assert_eq!(bad.parse::<Kin>(), Err(NotKin), "{bad:?}");
        }
    }
}
