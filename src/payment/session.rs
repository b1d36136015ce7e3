//! The central bank's clearing sessions: when an order still counts today, and which day's session settles it.
//!
//! Instant acceptance is one thing, the value date and the settlement between institutions are two others: money that
//! is accepted on a Saturday night is there at once and settles in Monday's session. Holidays and hours are data; the
//! rules here only read them.

use super::payment::APPROVAL_WINDOW;
use crate::base::{
    calendar::{Day, VIETNAM, WorkingDays},
    clock::Instant,
    money::Money,
};
use time::Time;

/// A kind of session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Session {
    /// Small orders, netted.
    LowValue,
    /// Large orders, gross.
    HighValue,
}

impl Session {
    /// The word in rows and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LowValue => "low_value",
            Self::HighValue => "high_value",
        }
    }

    /// The session of that name.
    pub fn named(word: &str) -> Option<Self> {
        [Self::LowValue, Self::HighValue].into_iter().find(|session| session.as_str() == word)
    }
}

/// When a session takes orders, from a day on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    /// The first day; they hold until the next day that has hours of its own.
    pub from: Day,
    /// Which session.
    pub session: Session,
    /// When it opens, Vietnam time.
    pub opens: Time,
    /// When it stops taking orders.
    pub closes: Time,
    /// When it stops on the last two working days of a month.
    pub closes_month_end: Time,
    /// The largest order that it takes.
    pub amount_max: Option<Money>,
}

/// Why hours cannot hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// A session opens, stops taking orders, and stops no earlier at a month's end.
    #[error("a session that stops before it opens, or earlier at a month's end")]
    Order,
    /// The session of small orders has a largest one, the other takes all that is more.
    #[error("small orders have a largest amount, large ones none")]
    Amount,
    /// A day has hours of both sessions or of neither.
    #[error("a day with hours of one session alone")]
    OneSession(Day),
    /// One session has two hours on a day.
    #[error("two hours of a session on one day")]
    Repeated(Day),
}

impl Hours {
    /// Whether they can hold.
    pub fn check(&self) -> Result<(), Unfit> {
        if self.opens >= self.closes || self.closes > self.closes_month_end {
            return Err(Unfit::Order);
        }
        match (self.session, self.amount_max) {
            (Session::LowValue, Some(max)) if max.is_positive() => Ok(()),
            (Session::HighValue, None) => Ok(()),
            (Session::LowValue | Session::HighValue, _) => Err(Unfit::Amount),
        }
    }
}

/// Whether each day that has hours has them of each session, once.
pub fn check_days(hours: &[Hours]) -> Result<(), Unfit> {
    let of = |day: Day, session: Session| {
        hours.iter().filter(|hours| hours.from == day && hours.session == session).count()
    };
    hours.iter().try_for_each(|one| {
        match (of(one.from, Session::LowValue), of(one.from, Session::HighValue)) {
            (1, 1) => Ok(()),
            (0 | 1, 0 | 1) => Err(Unfit::OneSession(one.from)),
            _ => Err(Unfit::Repeated(one.from)),
        }
    })
}

/// The session of an order, and the clearing day on which it settles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// Which session.
    pub session: Session,
    /// The clearing day.
    pub day: Day,
    /// When that session stops taking orders.
    pub closes: Instant,
}

/// Where an order of that amount settles when it is given at that instant; `None` without hours for it. Each day goes by the
/// hours that hold on it.
pub fn slot(hours: &[Hours], days: &WorkingDays, amount: Money, at: Instant) -> Option<Slot> {
    let closes = |hours: &Hours, day: Day| {
        day.date().with_time(closing(hours, days, day)).assume_offset(VIETNAM).to_offset(time::UtcOffset::UTC)
    };
    let today = Day::of(at);
    let first = on(hours, today, amount)?;
    let day = if days.is_working(today) && at < closes(first, today) { today } else { days.next(today) };
    let hours = on(hours, day, amount)?;
    Some(Slot { session: hours.session, day, closes: closes(hours, day) })
}

/// The hours of an order of that amount on a day.
fn on(hours: &[Hours], day: Day, amount: Money) -> Option<&Hours> {
    let from = hours.iter().map(|hours| hours.from).filter(|from| *from <= day).max()?;
    let fits = |h: &&Hours| h.from == from && h.amount_max.is_none_or(|max| amount.minor() <= max.minor());
    hours.iter().filter(fits).min_by_key(|h| h.session)
}

/// The clearing day whose statement decides about an attempt that nobody has answered about since then: the last one on which
/// its money can be booked, if its payer said yes at the end of their time.
pub fn deciding_day(hours: &[Hours], days: &WorkingDays, amount: Money, since: Instant) -> Day {
    let last = since + APPROVAL_WINDOW;
    slot(hours, days, amount, last).map_or(Day::of(last), |slot| slot.day)
}

/// The last two working days of a month close later.
fn closing(hours: &Hours, days: &WorkingDays, day: Day) -> Time {
    let after_next = days.next(days.next(day));
    if after_next.date().month() == day.date().month() { hours.closes } else { hours.closes_month_end }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::{datetime, time};

    fn hours() -> [Hours; 2] {
        let low = Hours {
            from: "2019-11-01".parse().unwrap(),
            session: Session::LowValue,
            opens: time!(08:00),
            closes: time!(16:00),
            closes_month_end: time!(17:00),
            amount_max: Some(Money::vnd(499_999_999)),
        };
        let high = Hours {
            session: Session::HighValue,
            closes: time!(17:00),
            closes_month_end: time!(17:45),
            amount_max: None,
            ..low
        };
        [high, low]
    }

    #[test]
    fn the_slot_goes_by_hour_weekday_holiday_amount_and_month_end() {
        let day = |s: &str| s.parse::<Day>().unwrap();
        let days = WorkingDays::new(vec![day("2027-01-01")], vec![]);
        let small = Money::vnd(205_000);
        let table = [
            // Tuesday, a minute before and at the cut-off (16:00 in Vietnam is 09:00 UTC).
            (datetime!(2026-11-24 08:59 UTC), small, Session::LowValue, "2026-11-24"),
            (datetime!(2026-11-24 09:00 UTC), small, Session::LowValue, "2026-11-25"),
            (datetime!(2026-11-24 09:00 UTC), Money::vnd(500_000_000), Session::HighValue, "2026-11-24"),
            // Friday night and Saturday.
            (datetime!(2026-11-27 15:00 UTC), small, Session::LowValue, "2026-11-30"),
            (datetime!(2026-11-28 02:00 UTC), small, Session::LowValue, "2026-11-30"),
            // The last two working days of the month are open an hour longer.
            (datetime!(2026-11-27 09:30 UTC), small, Session::LowValue, "2026-11-27"),
            (datetime!(2026-11-30 09:30 UTC), small, Session::LowValue, "2026-11-30"),
            (datetime!(2026-11-26 09:30 UTC), small, Session::LowValue, "2026-11-27"),
            // 31 December after 17:00 UTC is New Year's Day, then comes a weekend.
            (datetime!(2026-12-31 17:30 UTC), small, Session::LowValue, "2027-01-04"),
        ];
        for (at, amount, session, expected) in table {
            let slot = slot(&hours(), &days, amount, at).unwrap();
            assert_eq!((slot.session, slot.day), (session, day(expected)), "{at}");
            assert!(slot.closes > at);
        }
        assert_eq!(slot(&[], &days, small, datetime!(2026-11-24 08:59 UTC)), None);
    }

    #[test]
    fn each_day_goes_by_the_hours_that_hold_on_it() {
        let days = WorkingDays::new(vec![], vec![]);
        let from = "2026-11-25".parse().unwrap();
        let earlier =
            hours().map(|h| Hours { from, closes: time!(15:00), closes_month_end: time!(15:30), ..h });
        let both = [hours(), earlier].concat();
        let slot = |at| slot(&both, &days, Money::vnd(205_000), at).unwrap();
        // 15:30 on the day before and on the day from which they stop at 15:00; the day that comes next has the new hours.
        assert_eq!(slot(datetime!(2026-11-24 08:30 UTC)).day.to_string(), "2026-11-24");
        assert_eq!(slot(datetime!(2026-11-25 08:30 UTC)).day.to_string(), "2026-11-26");
        assert_eq!(slot(datetime!(2026-11-24 10:30 UTC)).closes, datetime!(2026-11-25 08:00 UTC));
        assert_eq!(on(&both, "2019-10-31".parse().unwrap(), Money::vnd(1)), None);
    }

    #[test]
    fn hours_that_cannot_hold_are_named() {
        let [high, low] = hours();
        assert_eq!(hours().map(|h| h.check()), [Ok(()), Ok(())]);
        assert_eq!(check_days(&hours()), Ok(()));
        assert_eq!(Hours { opens: low.closes, ..low }.check(), Err(Unfit::Order));
        assert_eq!(Hours { closes_month_end: time!(15:59), ..low }.check(), Err(Unfit::Order));
        assert_eq!(Hours { amount_max: None, ..low }.check(), Err(Unfit::Amount));
        assert_eq!(Hours { amount_max: Some(Money::vnd(0)), ..low }.check(), Err(Unfit::Amount));
        assert_eq!(Hours { amount_max: low.amount_max, ..high }.check(), Err(Unfit::Amount));
        assert_eq!(check_days(&[low]), Err(Unfit::OneSession(low.from)));
        assert_eq!(check_days(&[low, high, low]), Err(Unfit::Repeated(low.from)));
    }

    #[test]
    fn the_deciding_day_follows_from_the_silence_alone() {
        let days = WorkingDays::new(vec!["2026-11-25".parse().unwrap()], vec![]);
        for (since, day) in [
            (datetime!(2026-11-24 02:00 UTC), "2026-11-24"),
            // A yes in the last minute of the payer's time comes after the cut-off; the next day is a holiday.
            (datetime!(2026-11-24 08:50 UTC), "2026-11-26"),
            (datetime!(2026-11-27 15:00 UTC), "2026-11-30"),
        ] {
            assert_eq!(deciding_day(&hours(), &days, Money::vnd(205_000), since).to_string(), day);
        }
        // Without hours it is the day itself.
        let since = datetime!(2026-11-24 08:50 UTC);
        assert_eq!(deciding_day(&[], &days, Money::vnd(1), since), Day::of(since));
    }
}
