//! The personal identification number (Decree 137/2015 art. 13): `PPP G YY RRRRRR`, and the nine digits it replaced.
//!
//! There is no check digit, so a typing error shows only against a stated sex or birth year, or in the register.
//! Therefore two things are kept apart: a text of the wrong shape is *invalid* ([`NotANumber`]); a number that
//! disagrees with what is claimed beside it is well formed and has a [`Finding`].

use super::birth_date::BirthDate;
use super::province::Place;
use std::{fmt, str::FromStr};

/// A sex as the register and the number's fourth digit know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sex {
    /// Nam.
    Male,
    /// Nữ.
    Female,
}

impl Sex {
    /// The word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Male => "male",
            Self::Female => "female",
        }
    }
}

/// A text that names no sex.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("sex is male or female")]
pub struct NotASex;

impl FromStr for Sex {
    type Err = NotASex;

    fn from_str(s: &str) -> Result<Self, NotASex> {
        match s {
            "male" => Ok(Self::Male),
            "female" => Ok(Self::Female),
            _ => Err(NotASex),
        }
    }
}

/// Twelve digits that name one person for life. Prints masked; [`PersonalNumber::digits`] is the whole.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonalNumber([u8; 12]);

/// The nine digits of the card that was valid until 31 December 2024: no structure, only a match key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OldNumber([u8; 9]);

/// Why a text is not a personal number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotANumber {
    /// Something else than ASCII digits, spaces and dots.
    #[error("a personal number is written in the digits 0 to 9")]
    NotDigits,
    /// The wrong number of digits.
    #[error("a personal number has {0} digits")]
    Length(usize),
}

/// Something about a well-formed number that deserves a second look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Finding {
    /// The first three digits name none of the 63 places: a country, or a typing error.
    UnknownPlace,
    /// The fourth digit says the other sex than the one stated.
    SexDiffers,
    /// The fourth to sixth digits say another birth year than the one stated.
    BirthYearDiffers,
}

impl Finding {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::UnknownPlace => "unknown_place",
            Self::SexDiffers => "sex_differs_from_number",
            Self::BirthYearDiffers => "birth_year_differs_from_number",
        }
    }
}

impl PersonalNumber {
    /// All twelve digits: for look-up and for whoever may see them, never for a log.
    pub fn digits(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Where the birth was registered; not a residence, not an issuer.
    pub fn place(&self) -> Place {
        Place::of_digits(&self.0[..3])
    }

    /// The sex in the fourth digit: even is male.
    pub const fn sex(&self) -> Sex {
        if self.0[3].is_multiple_of(2) { Sex::Male } else { Sex::Female }
    }

    /// The birth year: two digits, and the century in the fourth digit (0 and 1 are the 1900s, 2 and 3 the 2000s …).
    pub fn birth_year(&self) -> u16 {
        let digit = |at: usize| u16::from(self.0[at] - b'0');
        1900 + digit(3) / 2 * 100 + digit(4) * 10 + digit(5)
    }

    /// What does not fit between the number and what is stated beside it. Findings are advice: a person who changed
    /// sex or had the birth year corrected may lawfully carry such a number.
    pub fn findings(&self, sex: Option<Sex>, birth_date: Option<BirthDate>) -> Vec<Finding> {
        let place = self.place().name().is_none().then_some(Finding::UnknownPlace);
        let sex = sex.filter(|sex| *sex != self.sex()).map(|_| Finding::SexDiffers);
        let year =
            birth_date.filter(|date| date.year() != self.birth_year()).map(|_| Finding::BirthYearDiffers);
        [place, sex, year].into_iter().flatten().collect()
    }
}

impl OldNumber {
    /// All nine digits.
    pub fn digits(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for PersonalNumber {
    type Err = NotANumber;

    fn from_str(s: &str) -> Result<Self, NotANumber> {
        digits(s).map(Self)
    }
}

impl FromStr for OldNumber {
    type Err = NotANumber;

    fn from_str(s: &str) -> Result<Self, NotANumber> {
        digits(s).map(Self)
    }
}

/// Exactly `N` digits, however people group them with spaces and dots.
fn digits<const N: usize>(text: &str) -> Result<[u8; N], NotANumber> {
    let mut found = [b'0'; N];
    let mut count = 0;
    for byte in text.trim().bytes().filter(|byte| !matches!(byte, b' ' | b'.')) {
        if !byte.is_ascii_digit() {
            return Err(NotANumber::NotDigits);
        }
        *found.get_mut(count).ok_or(NotANumber::Length(N))? = byte;
        count += 1;
    }
    if count == N { Ok(found) } else { Err(NotANumber::Length(N)) }
}

/// The first and last three digits: enough to recognise one's own, too little to look up another's.
fn masked(digits: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (head, rest) = digits.split_at(3);
    let (middle, tail) = rest.split_at(rest.len() - 3);
    write!(f, "{head}{}{tail}", "*".repeat(middle.len()))
}

impl fmt::Display for PersonalNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        masked(self.digits(), f)
    }
}

impl fmt::Debug for PersonalNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        masked(self.digits(), f)
    }
}

impl fmt::Display for OldNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        masked(self.digits(), f)
    }
}

impl fmt::Debug for OldNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        masked(self.digits(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn number(s: &str) -> PersonalNumber {
        s.parse().unwrap()
    }

    #[test]
    fn digits_say_place_sex_and_year() {
        for (digits, place, sex, year) in [
            ("079085123456", Some("Hồ Chí Minh"), Sex::Male, 1985),
            ("001185000001", Some("Hà Nội"), Sex::Female, 1985),
            ("046204999999", Some("Thừa Thiên Huế"), Sex::Male, 2004),
            ("096326000000", Some("Cà Mau"), Sex::Female, 2026),
            ("003400000000", None, Sex::Male, 2100),
            ("999999999999", None, Sex::Female, 2399),
        ] {
            let number = number(digits);
            assert_eq!(
                (number.place().name(), number.sex(), number.birth_year()),
                (place, sex, year),
                "{digits}"
            );
        }
    }

    #[test]
    fn grouping_is_forgiven_and_nothing_else() {
        for text in ["079085123456", " 079 085 123 456 ", "079.085.123.456", "079085123456\n"] {
            assert_eq!(number(text).digits(), "079085123456");
        }
        for (text, refused) in [
            ("", NotANumber::Length(12)),
            ("07908512345", NotANumber::Length(12)),
            ("0790851234567", NotANumber::Length(12)),
            ("024123456", NotANumber::Length(12)),
            ("079-085-123456", NotANumber::NotDigits),
            ("07908512345O", NotANumber::NotDigits),
            ("٠٧٩٠٨٥١٢٣٤٥٦", NotANumber::NotDigits),
            ("\u{ff10}79085123456", NotANumber::NotDigits),
        ] {
            assert_eq!(text.parse::<PersonalNumber>(), Err(refused), "{text:?}");
        }
        assert_eq!("024 123 456".parse::<OldNumber>().unwrap().digits(), "024123456");
        assert_eq!("079085123456".parse::<OldNumber>(), Err(NotANumber::Length(9)));
    }

    #[test]
    fn mismatches_are_findings() {
        let born = |s: &str| s.parse::<BirthDate>().unwrap();
        let son = number("079085123456");
        assert_eq!(son.findings(Some(Sex::Male), Some(born("1985-03-15"))), []);
        assert_eq!(son.findings(None, Some(born("1985"))), []);
        assert_eq!(
            number("003085123456").findings(Some(Sex::Female), Some(born("1958"))),
            [Finding::UnknownPlace, Finding::SexDiffers, Finding::BirthYearDiffers]
        );
    }

    #[test]
    fn printing_masks() {
        assert_eq!(format!("{0} {0:?}", number("079085123456")), "079******456 079******456");
        assert_eq!("024123456".parse::<OldNumber>().unwrap().to_string(), "024***456");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*") {
            if let Ok(number) = text.parse::<PersonalNumber>() {
                prop_assert_eq!(number.digits().len(), 12);
                prop_assert_eq!(number.digits().parse(), Ok(number));
            }
        }
    }
}
