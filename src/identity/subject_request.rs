//! What citizens ask about their own data, and by when the law wants it answered.
//!
//! ```text
//! Filed -> Acknowledged -> Granted | Declined
//!    \---------------------->/
//! ```
//! The days are counted when the request is filed (Law 91/2025/QH15, Decree 356/2025/NĐ-CP): a first answer within two
//! working days; what is kept is told within ten days, a restriction, an objection or a dispute is decided within fifteen,
//! a correction or an erasure within twenty; the decision may be put off once, by fifteen days at most. A day that has passed is shown as passed, never moved.

use crate::base::{
    calendar::{Day, WorkingDays},
    clock::Instant,
};

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// To know what is kept.
    Access,
    /// To correct it.
    Correction,
    /// To restrict its processing.
    Restriction,
    /// To object to its processing.
    Objection,
    /// To erase it.
    Erasure,
    /// An entry of the history is said to be wrong.
    Dispute,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Access, Self::Correction, Self::Restriction, Self::Objection, Self::Erasure, Self::Dispute];

    /// The word in rows and forms.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Correction => "correction",
            Self::Restriction => "restriction",
            Self::Objection => "objection",
            Self::Erasure => "erasure",
            Self::Dispute => "dispute",
        }
    }

    /// The kind of that word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// Within how many days it is decided.
    pub const fn days(self) -> i64 {
        match self {
            Self::Access => 10,
            Self::Restriction | Self::Objection | Self::Dispute => 15,
            Self::Correction | Self::Erasure => 20,
        }
    }
}

/// By how many days a decision may be put off, once.
pub const EXTENSION_DAYS: i64 = 15;
/// Within how many working days the first answer is due.
const ACKNOWLEDGE_WORKING_DAYS: usize = 2;

/// By when a request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Clock {
    /// The last day of the first answer.
    pub acknowledge_by: Day,
    /// The last day of the decision.
    pub decide_by: Day,
}

impl Clock {
    /// The days of a request that is filed on `on`.
    pub fn of(kind: Kind, on: Day, calendar: &WorkingDays) -> Self {
        let acknowledge_by = (0..ACKNOWLEDGE_WORKING_DAYS).fold(on, |day, _| calendar.next(day));
        let decide_by = on.plus_days(kind.days()).max(acknowledge_by);
        Self { acknowledge_by, decide_by }
    }
}

/// Where a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Nobody has answered.
    Filed,
    /// The first answer is given.
    Acknowledged,
    /// What was asked was done.
    Granted {
        /// When.
        at: Instant,
    },
    /// What was asked was not done; the words say why.
    Declined {
        /// When.
        at: Instant,
    },
}

impl State {
    /// The word in rows and texts.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Filed => "filed",
            Self::Acknowledged => "acknowledged",
            Self::Granted { .. } => "granted",
            Self::Declined { .. } => "declined",
        }
    }

    /// Whether it still waits for a decision.
    pub const fn is_open(&self) -> bool {
        matches!(self, Self::Filed | Self::Acknowledged)
    }
}

/// What an officer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Gives the first answer.
    Acknowledge,
    /// Puts the decision off.
    Extend,
    /// Does what was asked.
    Grant,
    /// Does not.
    Decline,
}

/// Why an officer's act does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It was decided.
    #[error("the request was decided")]
    Decided,
    /// It was put off before, or its day has passed.
    #[error("the decision may be put off once, before its day")]
    NotAgain,
}

impl Refusal {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Decided => "request_decided",
            Self::NotAgain => "request_not_extended",
        }
    }
}

/// The state and the last day after an act.
pub fn after(
    state: State,
    (decide_by, extended): (Day, bool),
    event: Event,
    now: Instant,
) -> Result<(State, Day), Refusal> {
    match (state, event) {
        (State::Granted { .. } | State::Declined { .. }, _) => Err(Refusal::Decided),
        (State::Filed | State::Acknowledged, Event::Acknowledge) => Ok((State::Acknowledged, decide_by)),
        (State::Filed | State::Acknowledged, Event::Extend) if extended || Day::of(now) > decide_by => {
            Err(Refusal::NotAgain)
        }
        (State::Filed | State::Acknowledged, Event::Extend) => {
            Ok((State::Acknowledged, decide_by.plus_days(EXTENSION_DAYS)))
        }
        (State::Filed | State::Acknowledged, Event::Grant) => Ok((State::Granted { at: now }, decide_by)),
        (State::Filed | State::Acknowledged, Event::Decline) => Ok((State::Declined { at: now }, decide_by)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn the_clock_counts_working_days_for_the_first_answer_and_days_for_the_decision() {
        let friday: Day = "2026-11-27".parse().unwrap();
        let calendar = WorkingDays::new(vec!["2026-11-30".parse().unwrap()], vec![]);
        let table =
            [(Kind::Access, "2026-12-07"), (Kind::Objection, "2026-12-12"), (Kind::Erasure, "2026-12-17")];
        for (kind, decide_by) in table {
            let clock = Clock::of(kind, friday, &calendar);
            assert_eq!(clock.acknowledge_by.to_string(), "2026-12-02", "{kind:?}");
            assert_eq!(clock.decide_by.to_string(), decide_by, "{kind:?}");
        }
    }

    #[test]
    fn a_decision_is_put_off_once_and_made_once() {
        let now = datetime!(2026-11-27 02:00 UTC);
        let by: Day = "2026-12-07".parse().unwrap();
        let (state, later) = after(State::Filed, (by, false), Event::Extend, now).unwrap();
        assert_eq!((state, later), (State::Acknowledged, by.plus_days(15)));
        assert_eq!(after(state, (later, true), Event::Extend, now), Err(Refusal::NotAgain));
        let late = datetime!(2026-12-08 02:00 UTC);
        assert_eq!(after(State::Filed, (by, false), Event::Extend, late), Err(Refusal::NotAgain));
        let (granted, _) = after(state, (later, true), Event::Grant, now).unwrap();
        assert!(!granted.is_open());
        for event in [Event::Acknowledge, Event::Extend, Event::Grant, Event::Decline] {
            assert_eq!(after(granted, (later, true), event, now), Err(Refusal::Decided));
        }
    }
}
