//! Receipts: whose name they bear, and the registered series that their numbers come from.
//!
//! A series is registered for an agency, a kind and a year: its letters, its form, the range of its numbers and the days
//! it is in force. Numbers are drawn in order and without gaps; when a range ends the next series in force goes on, and
//! when there is none the receipt waits, never the money.

use super::{bill::PartyName, fee::FeeKind};
use crate::base::{calendar::Day, text::Line};
use std::{fmt, str::FromStr};

/// An address as a receipt bears it.
pub type Address = Line<200>;

/// The tax code of a company or household: ten digits, ten and a branch of three, or a personal number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaxCode(String);

/// A text that is no tax code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a tax code has 10 or 13 digits, or is a personal number of 12")]
pub struct NotATaxCode;

impl TaxCode {
    /// The code, a branch behind a hyphen.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TaxCode {
    type Err = NotATaxCode;

    fn from_str(text: &str) -> Result<Self, NotATaxCode> {
        let digits: String = text.chars().filter(|c| !matches!(c, ' ' | '-' | '.')).collect();
        if !digits.bytes().all(|b| b.is_ascii_digit()) || digits.bytes().all(|b| b == b'0') {
            return Err(NotATaxCode);
        }
        match digits.len() {
            10 => Ok(Self(digits)),
            // A personal number has no parts: a dash here cuts a branch's three digits short.
            12 if !text.contains('-') => Ok(Self(digits)),
            13 => Ok(Self(format!("{}-{}", &digits[..10], &digits[10..]))),
            _ => Err(NotATaxCode),
        }
    }
}

impl fmt::Display for TaxCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whose name a receipt bears: a person, or a company or household with its tax code and address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptName {
    /// The name.
    pub name: PartyName,
    /// The tax code.
    pub tax_code: Option<TaxCode>,
    /// The address.
    pub address: Option<Address>,
}

/// A tax code without the address that belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a receipt with a tax code bears an address")]
pub struct AddressMissing;

impl ReceiptName {
    /// A name; with a tax code there must be an address.
    pub fn new(
        name: PartyName,
        tax_code: Option<TaxCode>,
        address: Option<Address>,
    ) -> Result<Self, AddressMissing> {
        if tax_code.is_some() && address.is_none() {
            Err(AddressMissing)
        } else {
            Ok(Self { name, tax_code, address })
        }
    }
}

/// The two letters of a series: any first one, then `P` for phí and `L` for lệ phí, so that the kind shows in the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Letters(u8, u8);

/// Letters that no series can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the letters of a series are a capital and P for phí or L for lệ phí")]
pub struct NotLetters;

impl Letters {
    /// Those of the first series of a kind, if receipts are issued for it.
    pub fn first(kind: FeeKind) -> Option<Self> {
        last_letter(kind).map(|letter| Self(b'A', letter))
    }

    /// The kind that they stand for.
    pub fn is_of(self, kind: FeeKind) -> bool {
        Some(self.1) == last_letter(kind)
    }

    /// The first of the two.
    pub const fn book(self) -> char {
        self.0 as char
    }
}

const fn last_letter(kind: FeeKind) -> Option<u8> {
    match kind {
        FeeKind::Phi => Some(b'P'),
        FeeKind::LePhi => Some(b'L'),
        FeeKind::Tax | FeeKind::Service => None,
    }
}

impl FromStr for Letters {
    type Err = NotLetters;

    fn from_str(text: &str) -> Result<Self, NotLetters> {
        match text.as_bytes() {
            [book @ b'A'..=b'Z', kind @ (b'P' | b'L')] => Ok(Self(*book, *kind)),
            _ => Err(NotLetters),
        }
    }
}

impl fmt::Display for Letters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", char::from(self.0), char::from(self.1))
    }
}

/// The numbers of a series, and how far they are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The first number.
    pub first: i64,
    /// The last number.
    pub until: i64,
    /// The number drawn last; one before the first while none is.
    pub drawn: i64,
}

impl Range {
    /// A range of which nothing is drawn yet.
    pub const fn fresh(first: i64, until: i64) -> Option<Self> {
        if first >= 1 && until >= first && until <= NUMBER_MAX {
            Some(Self { first, until, drawn: first - 1 })
        } else {
            None
        }
    }

    /// How many numbers are left.
    pub const fn left(self) -> i64 {
        self.until - self.drawn
    }
}

/// The greatest number of a series: seven digits are printed.
pub const NUMBER_MAX: i64 = 9_999_999;

/// When a series that nobody registered otherwise is in force: its whole year.
pub fn whole_year(year: i32) -> Option<(Day, Day)> {
    Some((Day::new(year, 1, 1)?, Day::new(year, 12, 31)?))
}

/// Takes `wanted` numbers from ranges in their order: of which range, from which number, how many. What is not covered is
/// not taken.
pub fn draw(ranges: &mut [Range], wanted: i64) -> Vec<(usize, i64, i64)> {
    let mut taken = Vec::new();
    let mut missing = wanted;
    for (place, range) in ranges.iter_mut().enumerate() {
        let count = missing.min(range.left());
        if count > 0 {
            taken.push((place, range.drawn + 1, count));
            range.drawn += count;
            missing -= count;
        }
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_tax_code_is_read_as_people_write_it() {
        for (typed, read) in [
            ("0301234567", "0301234567"),
            ("0301 234 567", "0301234567"),
            ("0301234567-001", "0301234567-001"),
            ("0301234567001", "0301234567-001"),
            ("079185000456", "079185000456"),
        ] {
            assert_eq!(typed.parse::<TaxCode>().map(|code| code.to_string()).as_deref(), Ok(read), "{typed}");
        }
        for bad in ["", "123", "03012345678", "030123456a", "0000000000", "0301234567-01"] {
            assert_eq!(bad.parse::<TaxCode>(), Err(NotATaxCode), "{bad}");
        }
    }

    #[test]
    fn a_tax_code_brings_an_address() {
        let name = || PartyName::parse("Công ty TNHH Mẫu").unwrap();
        let code: TaxCode = "0301234567".parse().unwrap();
        assert_eq!(ReceiptName::new(name(), Some(code.clone()), None), Err(AddressMissing));
        assert!(ReceiptName::new(name(), Some(code), Address::parse("1 Pasteur").ok()).is_ok());
        assert!(ReceiptName::new(name(), None, None).is_ok());
    }

    #[test]
    fn letters_tell_the_kind() {
        assert_eq!(Letters::first(FeeKind::Phi).map(|l| l.to_string()).as_deref(), Some("AP"));
        assert_eq!((Letters::first(FeeKind::Tax), Letters::first(FeeKind::Service)), (None, None));
        let letters: Letters = "BL".parse().unwrap();
        assert!(letters.is_of(FeeKind::LePhi) && !letters.is_of(FeeKind::Phi));
        for bad in ["", "A", "AX", "aP", "APP"] {
            assert_eq!(bad.parse::<Letters>(), Err(NotLetters), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn numbers_are_drawn_in_order_without_gaps(
            sizes in proptest::collection::vec(1i64..50, 1..4),
            draws in proptest::collection::vec(0i64..30, 0..12),
        ) {
            let mut ranges: Vec<Range> = sizes.iter().filter_map(|size| Range::fresh(1, *size)).collect();
            let mut numbers = vec![Vec::new(); ranges.len()];
            let mut missing = 0;
            for wanted in &draws {
                let taken = draw(&mut ranges, *wanted);
                missing += wanted - taken.iter().map(|t| t.2).sum::<i64>();
                for (place, from, count) in taken {
                    numbers[place].extend(from..from + count);
                }
            }
            for (place, drawn) in numbers.iter().enumerate() {
                let expected: Vec<i64> = (1..=ranges[place].drawn).collect();
                prop_assert_eq!(drawn, &expected);
            }
            let all: i64 = draws.iter().sum();
            prop_assert_eq!(missing, (all - sizes.iter().sum::<i64>()).max(0));
        }
    }
}
