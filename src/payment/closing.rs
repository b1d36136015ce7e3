//! Closing a day, a month or a year: which days it covers, and who may decide about it.

use crate::base::{
    calendar::Day,
    id::{Citizen, Id},
};
use std::str::FromStr;

/// What is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One day.
    Day,
    /// A calendar month, once its days are closed.
    Month,
    /// A calendar year, once its months are closed.
    Year,
}

impl Kind {
    /// The word on the wire and in rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    /// What must be closed inside it first.
    pub const fn inner(self) -> Option<Self> {
        match self {
            Self::Day => None,
            Self::Month => Some(Self::Day),
            Self::Year => Some(Self::Month),
        }
    }
}

/// A word that names no kind of closing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a closing is of a day, a month or a year")]
pub struct NotAKind;

impl FromStr for Kind {
    type Err = NotAKind;

    fn from_str(word: &str) -> Result<Self, NotAKind> {
        [Self::Day, Self::Month, Self::Year].into_iter().find(|kind| kind.as_str() == word).ok_or(NotAKind)
    }
}

/// A time that is closed as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// What it is.
    pub kind: Kind,
    /// Its first day.
    pub first: Day,
    /// Its last day.
    pub last: Day,
}

impl Period {
    /// The day, month or year that a day belongs to.
    pub fn around(kind: Kind, day: Day) -> Self {
        let date = day.date();
        let year = date.year();
        let of = |month: u8, last: u8| {
            let first = Day::new(year, month, 1).unwrap_or(day);
            let after = if last == 12 { Day::new(year + 1, 1, 1) } else { Day::new(year, last + 1, 1) };
            (first, after.map_or(day, |after| after.plus_days(-1)))
        };
        let (first, last) = match kind {
            Kind::Day => (day, day),
            Kind::Month => of(u8::from(date.month()), u8::from(date.month())),
            Kind::Year => of(1, 12),
        };
        Self { kind, first, last }
    }

    /// The same days month by month, as the ledger lies.
    pub fn months(self) -> Vec<Self> {
        let mut months = Vec::new();
        let mut day = self.first;
        while day <= self.last {
            let month = Self::around(Kind::Month, day);
            months.push(Self { first: day, last: month.last.min(self.last), ..self });
            day = month.last.plus_days(1);
        }
        months
    }
}

/// Where a closing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// An accountant has prepared it.
    Prepared,
    /// A second person has approved it.
    Approved,
    /// It was sent back; another may be prepared.
    Withdrawn,
}

impl State {
    /// The word on the wire and in rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Prepared => "prepared",
            Self::Approved => "approved",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// The state of that word.
    pub fn named(word: &str) -> Option<Self> {
        [Self::Prepared, Self::Approved, Self::Withdrawn].into_iter().find(|state| state.as_str() == word)
    }
}

/// Why a closing is not decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It is decided already.
    Decided,
    /// Nobody approves what they prepared.
    OwnAct,
}

impl Refusal {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Decided => "closing_decided",
            Self::OwnAct => "own_act",
        }
    }
}

/// Decides a prepared closing: approved by a second person, or sent back by anybody who may.
pub fn decide(
    state: State,
    prepared_by: Id<Citizen>,
    by: Id<Citizen>,
    approve: bool,
) -> Result<State, Refusal> {
    match (state, approve) {
        (State::Approved | State::Withdrawn, _) => Err(Refusal::Decided),
        (State::Prepared, true) if prepared_by == by => Err(Refusal::OwnAct),
        (State::Prepared, true) => Ok(State::Approved),
        (State::Prepared, false) => Ok(State::Withdrawn),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_period_covers_its_days() {
        let day = Day::new(2028, 2, 10).unwrap();
        let span = |kind| {
            let period = Period::around(kind, day);
            (period.first.to_string(), period.last.to_string())
        };
        assert_eq!(span(Kind::Day), ("2028-02-10".to_owned(), "2028-02-10".to_owned()));
        assert_eq!(span(Kind::Month), ("2028-02-01".to_owned(), "2028-02-29".to_owned()));
        assert_eq!(span(Kind::Year), ("2028-01-01".to_owned(), "2028-12-31".to_owned()));
        let december = Period::around(Kind::Month, Day::new(2026, 12, 31).unwrap());
        assert_eq!(december.last.to_string(), "2026-12-31");
    }

    #[test]
    fn a_period_has_its_months() {
        let months = |kind, day: (i32, u8, u8)| {
            let period = Period::around(kind, Day::new(day.0, day.1, day.2).unwrap());
            let months = period.months().into_iter().map(|month| (month.first, month.last));
            (period, months.collect::<Vec<_>>())
        };
        for (kind, many) in [(Kind::Day, 1), (Kind::Month, 1), (Kind::Year, 12)] {
            let (period, months) = months(kind, (2028, 2, 10));
            assert_eq!(months.len(), many);
            assert_eq!((months[0].0, months[many - 1].1), (period.first, period.last));
            assert!(months.windows(2).all(|two| two[0].1.plus_days(1) == two[1].0));
        }
    }

    #[test]
    fn two_people_close() {
        let (one, two) = (Id::from_uuid(Uuid::from_u128(1)), Id::from_uuid(Uuid::from_u128(2)));
        assert_eq!(decide(State::Prepared, one, two, true), Ok(State::Approved));
        assert_eq!(decide(State::Prepared, one, one, true), Err(Refusal::OwnAct));
        assert_eq!(decide(State::Prepared, one, one, false), Ok(State::Withdrawn));
        assert_eq!(decide(State::Approved, one, two, false), Err(Refusal::Decided));
    }
}
