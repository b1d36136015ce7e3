//! What keeps a partner that is down from being asked again and again: a circuit breaker, a budget of retries, and the
//! hours in which it is known to be away. Pure; the time comes from the caller.

use crate::base::calendar::VIETNAM;
use crate::base::clock::Instant;
use std::str::FromStr;
use time::{Duration, Time};

/// Failures in a row that open the circuit.
const FAILURES_MAX: u32 = 5;
/// How long it stays open before one call may try.
const REST: Duration = Duration::seconds(10);
/// The most retries that may be saved up.
const RETRIES_MAX: u32 = 100;
/// What one success earns, in tenths of a retry.
const EARNED: u32 = 1;

/// Closed while calls succeed; open after many failures in a row; then one call at a time tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    failures: u32,
    open_until: Option<Instant>,
    /// Tenths of a retry.
    retries: u32,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { failures: 0, open_until: None, retries: RETRIES_MAX }
    }
}

impl Breaker {
    /// Whether a call may be made now. A call that tries an open circuit keeps it open for the others meanwhile.
    pub fn admit(&mut self, now: Instant) -> bool {
        match self.open_until {
            None => true,
            Some(until) if now < until => false,
            Some(_) => {
                self.open_until = Some(now + REST);
                true
            }
        }
    }

    /// A call succeeded.
    pub fn succeeded(&mut self) {
        (self.failures, self.open_until) = (0, None);
        self.retries = (self.retries + EARNED).min(RETRIES_MAX);
    }

    /// A call failed.
    pub fn failed(&mut self, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= FAILURES_MAX {
            self.open_until = Some(now + REST);
        }
    }

    /// Takes a retry from the budget: ten successes pay for one.
    pub fn retry(&mut self) -> bool {
        let affordable = self.open_until.is_none() && self.retries >= 10;
        if affordable {
            self.retries -= 10;
        }
        affordable
    }

    /// Whether the circuit is open.
    pub fn is_open(&self, now: Instant) -> bool {
        self.open_until.is_some_and(|until| now < until)
    }
}

/// Hours of every day, Vietnam time, in which a partner is away; they may cross midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    from: Time,
    to: Time,
}

impl Window {
    /// Whether the partner is away at that moment.
    pub fn holds(&self, now: Instant) -> bool {
        let local = now.to_offset(VIETNAM).time();
        if self.from <= self.to {
            (self.from..self.to).contains(&local)
        } else {
            local >= self.from || local < self.to
        }
    }
}

/// A text that is no window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a maintenance window is written like 23:30-01:00, Vietnam time")]
pub struct NotAWindow;

impl FromStr for Window {
    type Err = NotAWindow;

    fn from_str(s: &str) -> Result<Self, NotAWindow> {
        let time = |text: &str| {
            let (hour, minute) = text.split_once(':').filter(|(h, m)| h.len() == 2 && m.len() == 2)?;
            Time::from_hms(hour.parse().ok()?, minute.parse().ok()?, 0).ok()
        };
        let (from, to) = s.split_once('-').ok_or(NotAWindow)?;
        let (from, to) = (time(from.trim()).ok_or(NotAWindow)?, time(to.trim()).ok_or(NotAWindow)?);
        if from == to { Err(NotAWindow) } else { Ok(Self { from, to }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const NOW: Instant = datetime!(2026-11-24 02:00 UTC);

    #[test]
    fn failures_in_a_row_open_the_circuit_and_one_success_closes_it() {
        let mut breaker = Breaker::default();
        for _ in 0..4 {
            breaker.failed(NOW);
        }
        breaker.succeeded();
        for _ in 0..5 {
            assert!(breaker.admit(NOW));
            breaker.failed(NOW);
        }
        assert!(!breaker.admit(NOW) && breaker.is_open(NOW));
        let later = NOW + REST;
        assert!(breaker.admit(later), "one tries");
        assert!(!breaker.admit(later), "and the others wait for it");
        breaker.succeeded();
        assert!(breaker.admit(later));
    }

    #[test]
    fn retries_are_bought_with_successes() {
        let mut breaker = Breaker::default();
        assert_eq!((0..20).filter(|_| breaker.retry()).count(), 10);
        for _ in 0..10 {
            assert!(!breaker.retry());
            breaker.succeeded();
        }
        assert!(breaker.retry() && !breaker.retry());
    }

    #[test]
    fn a_window_is_of_every_day_and_may_cross_midnight() {
        let night: Window = "23:30-01:00".parse().unwrap();
        for (at, away) in [
            (datetime!(2026-11-24 16:29 UTC), false),
            (datetime!(2026-11-24 16:30 UTC), true),
            (datetime!(2026-11-24 17:30 UTC), true),
            (datetime!(2026-11-24 18:00 UTC), false),
        ] {
            assert_eq!(night.holds(at), away, "{at}");
        }
        assert!("09:00-10:00".parse::<Window>().unwrap().holds(NOW));
        for bad in ["", "9:00-10:00", "24:00-01:00", "09:00-09:00", "09:00"] {
            assert_eq!(bad.parse::<Window>(), Err(NotAWindow), "{bad:?}");
        }
    }
}
