//! Birth dates as the register knows them: a day, a month, or only a year, which is a first-class value.
//!
//! A year is never padded to the first of January. Two dates are compared by what both of them know, and the answer
//! says how much that was.

use crate::base::calendar::Day;
use std::{fmt, str::FromStr};

/// A birth date, as precise as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BirthDate {
    /// The day.
    Full(Day),
    /// The month, day unknown.
    YearMonth(YearMonth),
    /// The year, month and day unknown.
    Year(Year),
}

/// A plausible birth year: 1850 to 2399.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Year(u16);

/// A month of a plausible birth year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct YearMonth(Year, u8);

/// How much of a date counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Precision {
    /// Only the years were compared.
    Year,
    /// Years and months were compared.
    Month,
    /// The days were compared.
    Day,
}

impl Precision {
    /// The word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Year => "year",
            Self::Month => "month",
            Self::Day => "day",
        }
    }

    /// The precision of that word.
    pub fn of(word: &str) -> Option<Self> {
        [Self::Year, Self::Month, Self::Day].into_iter().find(|precision| precision.word() == word)
    }
}

/// What a comparison found, and on how much it rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Comparison {
    /// Whether the parts known to both sides agree.
    pub equal: bool,
    /// The parts known to both sides.
    pub precision: Precision,
}

impl BirthDate {
    /// The year.
    pub fn year(self) -> u16 {
        match self {
            Self::Full(day) => u16::try_from(day.year()).unwrap_or(0),
            Self::YearMonth(YearMonth(year, _)) | Self::Year(year) => year.0,
        }
    }

    /// How much of the date is known.
    pub const fn precision(self) -> Precision {
        match self {
            Self::Full(_) => Precision::Day,
            Self::YearMonth(_) => Precision::Month,
            Self::Year(_) => Precision::Year,
        }
    }

    /// Compares what both sides know.
    pub fn compare(self, other: Self) -> Comparison {
        let precision = self.precision().min(other.precision());
        let equal = self.year() == other.year()
            && (precision < Precision::Month || self.month() == other.month())
            && (precision < Precision::Day || self == other);
        Comparison { equal, precision }
    }

    /// The most years the person may have lived by `day`: whoever knows only a year may be older by its first day.
    pub fn age_at_most(self, day: Day) -> i32 {
        day.age_of(self.earliest())
    }

    /// The fewest years the person has surely lived by `day`.
    pub fn age_at_least(self, day: Day) -> i32 {
        day.age_of(self.latest())
    }

    /// The earliest day that it can have been.
    pub fn earliest(self) -> Day {
        first_of(self.year(), self.month().unwrap_or(1), self)
    }

    /// The latest day that it can have been.
    pub fn latest(self) -> Day {
        match self {
            Self::Full(day) => day,
            Self::YearMonth(YearMonth(Year(year), month)) if month < 12 => {
                first_of(year, month + 1, self).plus_days(-1)
            }
            Self::YearMonth(_) | Self::Year(_) => first_of(self.year() + 1, 1, self).plus_days(-1),
        }
    }

    fn month(self) -> Option<u8> {
        match self {
            Self::Full(day) => Some(u8::from(day.date().month())),
            Self::YearMonth(YearMonth(_, month)) => Some(month),
            Self::Year(_) => None,
        }
    }
}

/// The first day of a month, unless the date names its day itself.
fn first_of(year: u16, month: u8, date: BirthDate) -> Day {
    match date {
        BirthDate::Full(day) => day,
        BirthDate::YearMonth(_) | BirthDate::Year(_) => {
            Day::new(i32::from(year), month, 1).unwrap_or(Day::from_date(time::Date::MAX))
        }
    }
}

/// A text that is not a birth date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a birth date is written like 1985-03-15, 1985-03 or 1985")]
pub struct NotABirthDate;

impl FromStr for BirthDate {
    type Err = NotABirthDate;

    fn from_str(s: &str) -> Result<Self, NotABirthDate> {
        match s.len() {
            4 => year(s).map(Self::Year),
            7 => year_month(s).map(Self::YearMonth),
            10 => {
                let day: Day = s.parse().map_err(|_| NotABirthDate)?;
                u16::try_from(day.year()).ok().and_then(Year::new).ok_or(NotABirthDate)?;
                Ok(Self::Full(day))
            }
            _ => Err(NotABirthDate),
        }
    }
}

impl Year {
    /// The year, if anybody alive or on record can be born in it.
    pub fn new(year: u16) -> Option<Self> {
        (1850..2400).contains(&year).then_some(Self(year))
    }
}

impl YearMonth {
    /// The month, 1 to 12.
    pub fn new(year: Year, month: u8) -> Option<Self> {
        (1..=12).contains(&month).then_some(Self(year, month))
    }
}

fn year(s: &str) -> Result<Year, NotABirthDate> {
    let shape = s.bytes().all(|b| b.is_ascii_digit());
    shape.then(|| s.parse().ok().and_then(Year::new)).flatten().ok_or(NotABirthDate)
}

fn year_month(s: &str) -> Result<YearMonth, NotABirthDate> {
    let (head, tail) = s.split_once('-').ok_or(NotABirthDate)?;
    let shape = head.len() == 4 && tail.bytes().all(|b| b.is_ascii_digit());
    let month = shape.then(|| tail.parse().ok()).flatten().ok_or(NotABirthDate)?;
    YearMonth::new(year(head)?, month).ok_or(NotABirthDate)
}

impl fmt::Display for BirthDate {
    /// `1985-03-15`, `1985-03` or `1985`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(day) => day.fmt(f),
            Self::YearMonth(YearMonth(Year(year), month)) => write!(f, "{year:04}-{month:02}"),
            Self::Year(Year(year)) => write!(f, "{year:04}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn born(s: &str) -> BirthDate {
        s.parse().unwrap()
    }

    #[test]
    fn only_written_dates_are_read() {
        for text in ["1985-03-15", "1985-03", "1985", "2000-02-29"] {
            assert_eq!(born(text).to_string(), text);
        }
        for text in [
            "",
            "85",
            "1985-3",
            "1985-00",
            "1985-13",
            "1985/03",
            "1985-02-29",
            "0000",
            "1849",
            "15/03/1985",
            "+985",
            "1985-+3",
        ] {
            assert_eq!(text.parse::<BirthDate>(), Err(NotABirthDate), "{text:?}");
        }
    }

    #[test]
    fn dates_are_compared_by_what_both_know() {
        for (a, b, equal, precision) in [
            ("1985-03-15", "1985-03-15", true, Precision::Day),
            ("1985-03-15", "1985-03-16", false, Precision::Day),
            ("1985-03-15", "1985-03", true, Precision::Month),
            ("1985-03-15", "1985-04", false, Precision::Month),
            ("1985-03-15", "1985", true, Precision::Year),
            ("1985-03", "1985", true, Precision::Year),
            ("1985", "1985-01-01", true, Precision::Year),
            ("1985", "1986", false, Precision::Year),
            ("1985-01", "1986-01-01", false, Precision::Month),
        ] {
            let expected = Comparison { equal, precision };
            assert_eq!(born(a).compare(born(b)), expected, "{a} {b}");
            assert_eq!(born(b).compare(born(a)), expected, "{b} {a}");
        }
    }

    #[test]
    fn ages_of_imprecise_dates_are_ranges() {
        let day: Day = "2026-11-24".parse().unwrap();
        let ages = |s: &str| (born(s).age_at_least(day), born(s).age_at_most(day));
        assert_eq!(ages("2010-11-24"), (16, 16));
        assert_eq!(ages("2010-11"), (15, 16));
        assert_eq!(ages("2010-12"), (15, 15));
        assert_eq!(ages("2010"), (15, 16));
        assert_eq!(ages("2009"), (16, 17));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[-0-9]{0,11}|\\PC{0,12}") {
            if let Ok(date) = text.parse::<BirthDate>() {
                prop_assert_eq!(date.to_string(), text);
                prop_assert!(date.compare(date).equal);
            }
        }
    }
}
