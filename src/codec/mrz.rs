//! The machine-readable zone of a card: three lines of thirty characters (ICAO Doc 9303-5, format TD1), as Vietnamese
//! identity cards fill it.
//!
//! The document number is the last nine digits of the personal number; the whole number stands in the optional data of
//! the first line with a check digit of its own. Names have no marks and may be cut off, so they are never compared
//! with a register's name directly.

use std::{fmt, str};

/// How many characters the zone has.
pub const LENGTH: usize = 90;
const LINE: usize = 30;

/// What the zone says. Does not print itself in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Mrz {
    /// The last nine digits of the personal number.
    pub document: String,
    /// All twelve digits.
    pub number: String,
    /// The birth date as `yymmdd`; what is unknown is `<<`.
    pub birth: String,
    /// `M`, `F` or `<`.
    pub sex: char,
    /// The day of expiry as `yymmdd`.
    pub expiry: String,
    /// Surname, then given names, in Latin capitals without marks.
    pub name: String,
}

impl fmt::Debug for Mrz {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("mrz(***)")
    }
}

/// Why a zone is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAnMrz {
    /// Not ninety characters of the alphabet, or not the zone of a Vietnamese identity card.
    #[error("not the machine-readable zone of a Vietnamese identity card")]
    Shape,
    /// A check digit does not fit.
    #[error("a check digit does not fit")]
    CheckDigit,
}

impl Mrz {
    /// Reads the ninety characters; line ends between the lines do not matter.
    pub fn parse(bytes: &[u8]) -> Result<Self, NotAnMrz> {
        let zone: Vec<u8> = bytes.iter().copied().filter(|b| !matches!(b, b'\r' | b'\n')).collect();
        let alphabet = |b: &u8| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'<';
        if zone.len() != LENGTH || !zone.iter().all(alphabet) {
            return Err(NotAnMrz::Shape);
        }
        let text = str::from_utf8(&zone).map_err(|_| NotAnMrz::Shape)?;
        let (first, rest) = text.split_at(LINE);
        let (second, third) = rest.split_at(LINE);
        if !first.starts_with("IDVNM") || &second[15..18] != "VNM" {
            return Err(NotAnMrz::Shape);
        }
        let composite = [&first[5..], &second[..7], &second[8..15], &second[18..29]].concat();
        let checked = [
            (&first[5..14], &first[14..15]),
            (&first[15..27], &first[29..30]),
            (&second[..6], &second[6..7]),
            (&second[8..14], &second[14..15]),
            (composite.as_str(), &second[29..30]),
        ];
        if checked.iter().any(|(field, digit)| check_digit(field) != digit.as_bytes()[0]) {
            return Err(NotAnMrz::CheckDigit);
        }
        let (document, number) = (&first[5..14], &first[15..27]);
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if !digits(number) || !number.ends_with(document) {
            return Err(NotAnMrz::Shape);
        }
        Ok(Self {
            document: document.to_owned(),
            number: number.to_owned(),
            birth: second[..6].to_owned(),
            sex: char::from(second.as_bytes()[7]),
            expiry: second[8..14].to_owned(),
            name: name(third),
        })
    }

    /// Writes the zone, for cards of our own making.
    pub fn write(&self) -> String {
        let document = &self.number[3..];
        let number = &self.number;
        let mut first = format!("IDVNM{document}{}{number}<<", char::from(check_digit(document)));
        first.push(char::from(check_digit(number)));
        let head = format!("{}{}", self.birth, char::from(check_digit(&self.birth)));
        let tail = format!("{}{}", self.expiry, char::from(check_digit(&self.expiry)));
        let optional = "<".repeat(11);
        let composite = check_digit(&[&first[5..], &head, &tail, &optional].concat());
        let second = format!("{head}{}{tail}VNM{optional}{}", self.sex, char::from(composite));
        let mut third = match self.name.split_once(' ') {
            Some((surname, given)) => format!("{surname}<<{}", given.replace(' ', "<")),
            None => self.name.clone(),
        };
        third.truncate(LINE);
        format!("{first}{second}{third:<<LINE$}")
    }
}

/// The check digit (9303-3 section 4.9): weights 7, 3, 1; letters count from 10, the filler as nothing.
fn check_digit(text: &str) -> u8 {
    let value = |b: u8| match b {
        b'0'..=b'9' => u32::from(b - b'0'),
        b'A'..=b'Z' => u32::from(b - b'A') + 10,
        _ => 0,
    };
    let sum: u32 = text.bytes().zip([7, 3, 1].into_iter().cycle()).map(|(b, weight)| value(b) * weight).sum();
    u8::try_from(sum % 10).unwrap_or(0) + b'0'
}

fn name(line: &str) -> String {
    let parts: Vec<&str> = line.split('<').filter(|part| !part.is_empty()).collect();
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str =
        "IDVNM0851234564079085123456<<4\n8503150M4503152VNM<<<<<<<<<<<8\nNGUYEN<<VAN<AN<<<<<<<<<<<<<<<<";

    #[test]
    fn a_vietnamese_card_reads_and_is_written_back() {
        let mrz = Mrz::parse(SAMPLE.as_bytes()).unwrap();
        assert_eq!((mrz.number.as_str(), mrz.document.as_str()), ("079085123456", "085123456"));
        assert_eq!((mrz.birth.as_str(), mrz.sex, mrz.expiry.as_str()), ("850315", 'M', "450315"));
        assert_eq!(mrz.name, "NGUYEN VAN AN");
        assert_eq!(mrz.write(), SAMPLE.replace('\n', ""));
        assert_eq!(format!("{mrz:?}"), "mrz(***)");
    }

    #[test]
    fn every_altered_character_that_counts_is_noticed() {
        let whole = SAMPLE.replace('\n', "");
        for at in (5..27).chain([29, 30, 31, 35, 36, 38, 43, 44]) {
            let mut altered = whole.clone().into_bytes();
            altered[at] = if altered[at] == b'7' { b'8' } else { b'7' };
            assert!(Mrz::parse(&altered).is_err(), "character {at}");
        }
        assert_eq!(Mrz::parse(b"IDVNM"), Err(NotAnMrz::Shape));
        assert_eq!(Mrz::parse(&[0xff; 90]), Err(NotAnMrz::Shape));
        assert_eq!(Mrz::parse(whole.replace("IDVNM", "IDFRA").as_bytes()), Err(NotAnMrz::Shape));
    }
}
