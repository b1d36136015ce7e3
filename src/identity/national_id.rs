//! The national e-ID's account beside the register's person: what its words mean here, and whether both are one person.
//!
//! Its two levels are read apart: `IAL` is the account's level, kept as reported for fee rules; `loAs` says how surely
//! this sign-in was proved, and becomes our assurance. Neither stands in for the other.

use super::{
    assurance::{AccountLevel, Assurance},
    authenticator::Method,
    birth_date::BirthDate,
    name::{Grade, Name},
    person::Person,
    personal_number::PersonalNumber,
};

/// What the national e-ID says, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The personal number.
    pub number: PersonalNumber,
    /// The full name.
    pub name: Name,
    /// The birth date.
    pub birth_date: BirthDate,
    /// The account's level.
    pub level: AccountLevel,
    /// How the sign-in there was proved, in our words.
    pub method: Method,
}

/// What the words of the upstream are worth; `None` for words that we do not know, which are worth nothing.
impl Account {
    /// Reads the upstream's words: `loai_tai_khoan` 1 is a citizen's account, dates are `dd/mm/yyyy` or `yyyy`.
    pub fn read(words: &Words<'_>) -> Option<Self> {
        if words.kind != "1" {
            return None;
        }
        let iso: Vec<&str> = words.birth_date.trim().split('/').rev().collect();
        Some(Self {
            number: words.number.parse().ok()?,
            name: words.name.parse().ok()?,
            birth_date: iso.join("-").parse().ok()?,
            level: words.account_level.parse().ok().and_then(AccountLevel::of)?,
            method: match words.assurance {
                "1" => Method::NationalId,
                "2" => Method::NationalIdHigh,
                _ => return None,
            },
        })
    }

    /// Whether the register's person is this account's. The number alone is not enough: it may have been mistyped
    /// where the account was opened.
    pub fn is_of(&self, person: &Person) -> bool {
        self.number == person.number
            && person.name.grade(&self.name) <= Grade::Equivalent
            && person.birth_date.compare(self.birth_date).equal
    }

    /// How surely the sign-in was proved.
    pub const fn assurance(&self) -> Assurance {
        self.method.assurance()
    }
}

/// The upstream's words.
#[derive(Debug, Clone, Copy)]
pub struct Words<'a> {
    /// `SoDinhDanh`.
    pub number: &'a str,
    /// `HoVaTen`.
    pub name: &'a str,
    /// `NgayThangNamSinh`.
    pub birth_date: &'a str,
    /// `IAL`.
    pub account_level: &'a str,
    /// `loAs`.
    pub assurance: &'a str,
    /// `LoaiTaiKhoan`.
    pub kind: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{person::Status, personal_number::Sex};

    const WORDS: Words<'static> = Words {
        number: "079185000001",
        name: "NGUYỄN THỊ HOÀ",
        birth_date: "15/03/1985",
        account_level: "2",
        assurance: "1",
        kind: "1",
    };

    #[test]
    fn the_two_levels_are_read_apart() {
        let account = Account::read(&WORDS).unwrap();
        assert_eq!((account.level, account.assurance()), (AccountLevel::Two, Assurance::Substantial));
        let other = Account::read(&Words { account_level: "1", assurance: "2", ..WORDS }).unwrap();
        assert_eq!((other.level, other.assurance()), (AccountLevel::One, Assurance::High));
        for unknown in [
            Words { account_level: "3", ..WORDS },
            Words { assurance: "", ..WORDS },
            Words { kind: "2", ..WORDS },
            Words { number: "1", ..WORDS },
            Words { birth_date: "31/02/1985", ..WORDS },
        ] {
            assert_eq!(Account::read(&unknown), None, "{unknown:?}");
        }
    }

    #[test]
    fn an_account_is_of_a_person_by_number_name_and_birth_date() {
        let person = Person {
            number: "079185000001".parse().unwrap(),
            old_number: None,
            name: "Nguyễn Thị Hòa".parse().unwrap(),
            birth_date: "1985".parse().unwrap(),
            sex: Sex::Female,
            phone: None,
            province: "79".parse().unwrap(),
            status: Status::Active,
            account_level: None,
            standings: "".parse().unwrap(),
            former_names: Vec::new(),
            parents: "".parse().unwrap(),
            guardians: "".parse().unwrap(),
            capacity_lost_on: None,
        };
        let is_of = |words: Words<'_>| Account::read(&words).unwrap().is_of(&person);
        assert!(is_of(WORDS));
        assert!(!is_of(Words { number: "079185000002", ..WORDS }));
        assert!(!is_of(Words { name: "NGUYEN THI HOA", ..WORDS }));
        assert!(!is_of(Words { birth_date: "15/03/1986", ..WORDS }));
    }
}
