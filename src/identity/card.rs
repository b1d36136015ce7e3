//! What a chip card says about its holder, and whether that is the person of the register.
//!
//! Only a card whose signatures were checked gets here. A comparison never passes on less than the number, the full
//! name with its marks, the birth date and the sex. What an officer learns is a verdict and which facts differ, never
//! the register's values.

use super::{
    birth_date::BirthDate,
    name::{Grade, Name},
    person::{Person, Status},
    personal_number::{PersonalNumber, Sex},
};
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{self, Id},
};
use time::Duration;

/// How long a passed check may be used: the person is still at the counter.
pub const CARD_CHECK_LIFE: Duration = Duration::minutes(30);

/// What a card says. Does not print itself in logs: each part masks itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardFacts {
    /// The personal number.
    pub number: PersonalNumber,
    /// The full name with its marks.
    pub name: Name,
    /// The birth date, as precise as the card has it.
    pub birth_date: BirthDate,
    /// The sex.
    pub sex: Sex,
    /// The last day on which the card is good; `None` for a card without end.
    pub expires_on: Option<Day>,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// The card is genuine and its holder is the person of the register, who lives.
    Passed,
    /// A signature or a hash does not fit: this is not what an authority issued.
    NotGenuine,
    /// The card uses an algorithm that is not judged here; nothing is said about it.
    Unsupported,
    /// What was read is no identity card; nothing is said about it.
    Unreadable,
    /// The card is genuine, and its last day is over.
    Expired,
    /// The card is genuine, and is not the one of the person who was asked about.
    AnotherPerson,
    /// The card is genuine, and the register knows no such number.
    NotOnRecord,
    /// The card is genuine, and the register says something else.
    Differs,
    /// The card is genuine, and the register records its holder's death.
    Deceased,
}

impl Verdict {
    /// Every verdict.
    pub const ALL: [Self; 9] = [
        Self::Passed,
        Self::NotGenuine,
        Self::Unsupported,
        Self::Unreadable,
        Self::Expired,
        Self::AnotherPerson,
        Self::NotOnRecord,
        Self::Differs,
        Self::Deceased,
    ];

    /// The stable word in rows, statements and texts.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::NotGenuine => "not_genuine",
            Self::Unsupported => "unsupported",
            Self::Unreadable => "unreadable",
            Self::Expired => "expired",
            Self::AnotherPerson => "another_person",
            Self::NotOnRecord => "not_on_record",
            Self::Differs => "differs",
            Self::Deceased => "deceased",
        }
    }

    /// The verdict of that word.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.word() == word)
    }
}

/// A fact of the card that the register does not bear out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Difference {
    /// The name.
    Name,
    /// The birth date.
    BirthDate,
    /// The sex.
    Sex,
}

impl Difference {
    /// The stable word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::BirthDate => "birth_date",
            Self::Sex => "sex",
        }
    }
}

/// A verdict about a genuine card, and what differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// The verdict.
    pub verdict: Verdict,
    /// What differs; empty unless the verdict is [`Verdict::Differs`].
    pub differences: Vec<Difference>,
}

/// Compares a genuine card with the register. `expected` is whom the officer means to check, if they said so. A locked
/// identity passes: lifting the lock is one of the things that a check is for.
pub fn compare(
    card: &CardFacts,
    expected: Option<PersonalNumber>,
    person: Option<&Person>,
    today: Day,
) -> Compared {
    let only = |verdict| Compared { verdict, differences: Vec::new() };
    if expected.is_some_and(|expected| expected != card.number) {
        return only(Verdict::AnotherPerson);
    }
    if card.expires_on.is_some_and(|last| last < today) {
        return only(Verdict::Expired);
    }
    let Some(person) = person else { return only(Verdict::NotOnRecord) };
    let same_name = person.name.grade(&card.name) <= Grade::Equivalent;
    let differences: Vec<Difference> = [
        (!same_name).then_some(Difference::Name),
        (!person.birth_date.compare(card.birth_date).equal).then_some(Difference::BirthDate),
        (person.sex != card.sex).then_some(Difference::Sex),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !differences.is_empty() {
        return Compared { verdict: Verdict::Differs, differences };
    }
    match person.status {
        Status::Active | Status::Locked => only(Verdict::Passed),
        // The register has not confirmed the record that the card would have to agree with.
        Status::Pending => only(Verdict::NotOnRecord),
        Status::Deceased { .. } => only(Verdict::Deceased),
    }
}

/// What somebody needs a check for: it stands for one citizen before one officer at one agency, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// The person whose card was read.
    pub citizen: Id<id::Citizen>,
    /// The officer who read it.
    pub officer: Id<id::Citizen>,
    /// Where.
    pub agency: Id<id::Agency>,
}

/// Since when a check must have been made to be used at that instant.
pub fn usable_since(now: Instant) -> Instant {
    now - CARD_CHECK_LIFE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::assurance::AccountLevel;

    fn person() -> Person {
        Person {
            number: "079185000001".parse().unwrap(),
            old_number: None,
            name: "Nguyễn Thị Hòa".parse().unwrap(),
            birth_date: "1985-03-15".parse().unwrap(),
            sex: Sex::Female,
            phone: None,
            province: "79".parse().unwrap(),
            status: Status::Active,
            account_level: AccountLevel::of(2),
            standings: "".parse().unwrap(),
            former_names: Vec::new(),
            parents: "".parse().unwrap(),
            guardians: "".parse().unwrap(),
            capacity_lost_on: None,
        }
    }

    fn card() -> CardFacts {
        CardFacts {
            number: "079185000001".parse().unwrap(),
            name: "NGUYỄN THỊ HOÀ".parse().unwrap(),
            birth_date: "1985-03-15".parse().unwrap(),
            sex: Sex::Female,
            expires_on: Some("2026-11-25".parse().unwrap()),
        }
    }

    #[test]
    fn only_the_whole_person_passes() {
        let today: Day = "2026-11-25".parse().unwrap();
        let verdict = |card: &CardFacts, person: &Person| compare(card, None, Some(person), today);
        assert_eq!(verdict(&card(), &person()).verdict, Verdict::Passed);
        assert_eq!(verdict(&card(), &Person { status: Status::Locked, ..person() }).verdict, Verdict::Passed);
        let dead = Person { status: Status::Deceased { on: today }, ..person() };
        assert_eq!(verdict(&card(), &dead).verdict, Verdict::Deceased);
        assert_eq!(compare(&card(), None, None, today).verdict, Verdict::NotOnRecord);
        let other = "079185000002".parse().ok();
        assert_eq!(compare(&card(), other, Some(&person()), today).verdict, Verdict::AnotherPerson);
        assert_eq!(compare(&card(), None, Some(&person()), today.plus_days(1)).verdict, Verdict::Expired);
        let unmarked = CardFacts { name: "NGUYEN THI HOA".parse().unwrap(), ..card() };
        let younger = CardFacts { birth_date: "1985-03-16".parse().unwrap(), sex: Sex::Male, ..card() };
        for (card, differences) in
            [(unmarked, vec![Difference::Name]), (younger, vec![Difference::BirthDate, Difference::Sex])]
        {
            let expected = Compared { verdict: Verdict::Differs, differences };
            assert_eq!(verdict(&card, &person()), expected);
        }
        for verdict in Verdict::ALL {
            assert_eq!(Verdict::named(verdict.word()), Some(verdict));
        }
    }
}
