//! Time is an argument: flows ask the clock once and pass the answer down.

use std::sync::Mutex;
use std::time::Duration;
use time::OffsetDateTime;

/// A moment in UTC. Business dates are derived from it only by [`crate::base::calendar`].
pub type Instant = OffsetDateTime;

/// Where a flow learns what time it is.
pub trait Clock: Send + Sync {
    /// The present moment in UTC, at microsecond resolution (what PostgreSQL keeps).
    fn now(&self) -> Instant;
}

/// The machine's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's time")]
    fn now(&self) -> Instant {
        to_micros(OffsetDateTime::now_utc())
    }
}

/// A clock that moves only when it is told to: for tests and the simulation.
pub struct ManualClock(Mutex<Instant>);

impl ManualClock {
    /// A clock that stands at `start`.
    pub fn at(start: Instant) -> Self {
        Self(Mutex::new(to_micros(start)))
    }

    /// Moves time forward.
    pub fn advance(&self, by: Duration) {
        let mut now = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *now = to_micros(*now + by);
    }

    /// Sets the time; it may stand still but never goes back.
    pub fn set(&self, to: Instant) {
        let mut now = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *now = to_micros(to.max(*now));
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Instant {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn to_micros(t: Instant) -> Instant {
    t.replace_nanosecond(t.nanosecond() / 1_000 * 1_000).unwrap_or(t)
}
