//! Business dates: a Vietnam day (fixed +07:00, no daylight saving) derived from an instant, and nothing else.

use super::clock::Instant;
use std::{fmt, str::FromStr};
use time::{Date, Duration, Month, UtcOffset, Weekday, macros::offset};

/// The offset of Vietnam's clocks, all year.
pub const VIETNAM: UtcOffset = offset!(+7);

/// A calendar day in Vietnam.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(Date);

impl Day {
    /// The Vietnam day on which an instant falls.
    pub fn of(instant: Instant) -> Self {
        Self(instant.to_offset(VIETNAM).date())
    }

    /// A day from its parts, if the calendar has it.
    pub fn new(year: i32, month: u8, day: u8) -> Option<Self> {
        Date::from_calendar_date(year, Month::try_from(month).ok()?, day).ok().map(Self)
    }

    /// The day that a row holds.
    pub const fn from_date(date: Date) -> Self {
        Self(date)
    }

    /// The value that a row holds.
    pub const fn date(self) -> Date {
        self.0
    }

    /// Its year, the year of receipt series and declarations.
    pub const fn year(self) -> i32 {
        self.0.year()
    }

    /// The instant at which the day begins in Vietnam.
    pub fn start(self) -> Instant {
        self.0.midnight().assume_offset(VIETNAM).to_offset(UtcOffset::UTC)
    }

    /// The instant at which the day is over: a due date includes its whole day.
    pub fn end(self) -> Instant {
        self.plus_days(1).start()
    }

    /// How many days lie between this day and a later one; negative when that is an earlier one.
    pub fn days_until(self, other: Self) -> i64 {
        (other.date() - self.date()).whole_days()
    }

    /// So many days later (or earlier); it stays at the calendar's ends.
    #[must_use]
    pub fn plus_days(self, days: i64) -> Self {
        Self(self.0.saturating_add(Duration::days(days)))
    }

    /// Full years between a birth day and this day; a birth on 29 February counts from 1 March in common years.
    pub fn age_of(self, birth: Self) -> i32 {
        let had_birthday = (self.0.month() as u8, self.0.day()) >= (birth.0.month() as u8, birth.0.day());
        self.0.year() - birth.0.year() - i32::from(!had_birthday)
    }

    /// `24/11/2026`, as Vietnamese people write it.
    pub fn display_vi(self) -> String {
        format!("{:02}/{:02}/{:04}", self.0.day(), self.0.month() as u8, self.0.year())
    }
}

impl fmt::Display for Day {
    /// `2026-11-24` (ISO 8601).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.0.year(), self.0.month() as u8, self.0.day())
    }
}

/// A text that is not a day like `2026-11-24`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a day is written like 2026-11-24")]
pub struct NotADay;

impl FromStr for Day {
    type Err = NotADay;

    fn from_str(s: &str) -> Result<Self, NotADay> {
        let shape = s.len() == 10
            && s.bytes()
                .enumerate()
                .all(|(i, b)| if i == 4 || i == 7 { b == b'-' } else { b.is_ascii_digit() });
        if !shape {
            return Err(NotADay);
        }
        let number = |range: std::ops::Range<usize>| s[range].parse::<u16>().map_err(|_| NotADay);
        let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
        let small = |n: u16| u8::try_from(n).map_err(|_| NotADay);
        Self::new(i32::from(year), small(month)?, small(day)?).ok_or(NotADay)
    }
}

/// An instant on the wire: RFC 3339 in UTC, `2026-11-24T01:00:00Z`.
pub fn rfc3339(instant: Instant) -> String {
    let utc = instant.to_offset(UtcOffset::UTC);
    utc.format(&time::format_description::well_known::Rfc3339).unwrap_or_else(|_| utc.to_string())
}

/// Reads an instant as the wire writes it; any offset is understood.
pub fn parse_rfc3339(text: &str) -> Option<Instant> {
    let read = Instant::parse(text, &time::format_description::well_known::Rfc3339).ok()?;
    Some(read.to_offset(UtcOffset::UTC))
}

/// An instant for people: `14:32:10 24/11/2026`, Vietnam time.
pub fn display_vi(instant: Instant) -> String {
    let local = instant.to_offset(VIETNAM);
    let (h, m, s) = local.time().as_hms();
    format!("{h:02}:{m:02}:{s:02} {}", Day::of(instant).display_vi())
}

/// The days on which banks clear: Monday to Friday without the listed holidays, plus listed make-up days.
#[derive(Debug, Clone, Default)]
pub struct WorkingDays {
    holidays: Vec<Day>,
    make_up_days: Vec<Day>,
}

impl WorkingDays {
    /// The calendar of dated data: the holidays, and the weekend days that are worked instead.
    pub fn new(mut holidays: Vec<Day>, mut make_up_days: Vec<Day>) -> Self {
        holidays.sort_unstable();
        make_up_days.sort_unstable();
        Self { holidays, make_up_days }
    }

    /// Whether banks clear on that day.
    pub fn is_working(&self, day: Day) -> bool {
        let weekend = matches!(day.date().weekday(), Weekday::Saturday | Weekday::Sunday);
        let listed = |days: &[Day]| days.binary_search(&day).is_ok();
        listed(&self.make_up_days) || (!weekend && !listed(&self.holidays))
    }

    /// The first working day after `day`.
    pub fn next(&self, day: Day) -> Day {
        let mut next = day.plus_days(1);
        while !self.is_working(next) {
            next = next.plus_days(1);
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn the_day_changes_at_17_utc() {
        assert_eq!(Day::of(datetime!(2026-12-31 16:59:59 UTC)).to_string(), "2026-12-31");
        assert_eq!(Day::of(datetime!(2026-12-31 17:00 UTC)).to_string(), "2027-01-01");
        let day: Day = "2026-11-24".parse().unwrap();
        assert_eq!(day.start(), datetime!(2026-11-23 17:00 UTC));
        assert_eq!(Day::of(day.end()), day.plus_days(1));
    }

    #[test]
    fn reads_only_real_days() {
        for bad in ["2026-02-29", "2026-13-01", "26-01-01", "2026-1-01", "2026/01/01", "", "2026-11-24 "] {
            assert!(bad.parse::<Day>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn ages_and_working_days() {
        let day = |s: &str| s.parse::<Day>().unwrap();
        assert_eq!(day("2026-11-23").age_of(day("2010-11-24")), 15);
        assert_eq!(day("2026-11-24").age_of(day("2010-11-24")), 16);
        let calendar = WorkingDays::new(vec![day("2026-11-25")], vec![day("2026-11-28")]);
        assert_eq!(calendar.next(day("2026-11-24")), day("2026-11-26"));
        assert_eq!(calendar.next(day("2026-11-27")), day("2026-11-28"));
    }
}
