//! Facts about a person that a notice of the register has told, and how long they hold against files.
//!
//! A population file says how the register stood on its day. A notice that was told on that day or later is newer than
//! the file: what it said stays, whatever the file says, and a file that names no day is taken to be older than every
//! notice.

use super::person::Person;
use crate::base::calendar::Day;

/// A fact that notices change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fact {
    /// Whether the person lives and the identity is open.
    Status,
    /// The name, with the former ones.
    Name,
    /// The birth date.
    BirthDate,
    /// The sex.
    Sex,
}

impl Fact {
    /// Every fact.
    pub const ALL: [Self; 4] = [Self::Status, Self::Name, Self::BirthDate, Self::Sex];

    /// Its name in rows.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Name => "name",
            Self::BirthDate => "birth_date",
            Self::Sex => "sex",
        }
    }

    /// The fact of that name.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fact| fact.word() == word)
    }
}

/// Whether a fact that a notice told on `noticed` holds against a file of that day.
pub fn holds(noticed: Day, file: Option<Day>) -> bool {
    file.is_none_or(|file| file <= noticed)
}

/// The person of the file, with these facts as they are held here.
#[must_use]
pub fn with_held(mut told: Person, held: &Person, facts: &[Fact]) -> Person {
    for fact in facts {
        match fact {
            Fact::Status => told.status = held.status,
            Fact::Name => {
                told.name = held.name.clone();
                told.former_names.clone_from(&held.former_names);
            }
            Fact::BirthDate => told.birth_date = held.birth_date,
            Fact::Sex => told.sex = held.sex,
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_a_later_day_is_newer_and_one_without_a_day_never() {
        let day = |text: &str| text.parse::<Day>().unwrap();
        let noticed = day("2026-11-20");
        for (file, held) in [
            (None, true),
            (Some(day("2026-11-19")), true),
            (Some(noticed), true),
            (Some(day("2026-11-21")), false),
        ] {
            assert_eq!(holds(noticed, file), held, "{file:?}");
        }
        for fact in Fact::ALL {
            assert_eq!(Fact::of(fact.word()), Some(fact));
        }
    }
}
