//! How much one portal asks: its daily quota, and whether it is probing numbers.
//!
//! Within a window of time the misses are counted: questions whose claims did not match, or whose number nobody has.
//! Many of them, and more than half of all, look like trying out numbers: an alert is raised once, and for a while the
//! portal is answered slowly. What is asked with the person present is never held back.

use super::verification::State;
use crate::base::calendar::Day;
use crate::base::clock::Instant;
use time::Duration;

/// The bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// How long misses are counted together.
    pub window: Duration,
    /// How many are suspicious, if they are also more than half.
    pub misses_max: u32,
    /// How long the portal is slow afterwards.
    pub slow_for: Duration,
    /// The pause between two answers while it is.
    pub pause: Duration,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            window: Duration::minutes(10),
            misses_max: 50,
            slow_for: Duration::minutes(15),
            pause: Duration::seconds(5),
        }
    }
}

/// What was counted so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watch {
    /// The day of the quota.
    pub day: Day,
    /// Questions on that day.
    pub asked: u32,
    /// When the window began.
    pub window_start: Instant,
    /// Answers in the window.
    pub answered: u32,
    /// Misses among them.
    pub misses: u32,
    /// Until when the portal is answered slowly, if it is.
    pub slowed_until: Option<Instant>,
    /// The last answer.
    pub last_at: Instant,
}

/// Why a question is not answered now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// The portal has used up its day.
    QuotaSpent,
    /// The portal is answered slowly, and it is too early.
    Slowed,
}

impl Watch {
    /// Nothing counted yet.
    pub fn new(now: Instant) -> Self {
        Self {
            day: Day::of(now),
            asked: 0,
            window_start: now,
            answered: 0,
            misses: 0,
            slowed_until: None,
            last_at: now - Duration::days(1),
        }
    }

    /// Begins a new day and a new window where the old ones are over.
    #[must_use]
    pub fn at(mut self, now: Instant, rules: &Rules) -> Self {
        if self.day != Day::of(now) {
            (self.day, self.asked) = (Day::of(now), 0);
        }
        if now >= self.window_start + rules.window {
            (self.window_start, self.answered, self.misses) = (now, 0, 0);
        }
        self.slowed_until = self.slowed_until.filter(|until| now < *until);
        self
    }

    /// Whether one more question is answered now; one about a person who is present always is.
    pub fn admit(&self, now: Instant, quota: Option<u32>, present: bool, rules: &Rules) -> Result<(), Held> {
        if present {
            return Ok(());
        }
        if quota.is_some_and(|quota| self.asked >= quota) {
            return Err(Held::QuotaSpent);
        }
        if self.slowed_until.is_some() && now < self.last_at + rules.pause {
            return Err(Held::Slowed);
        }
        Ok(())
    }

    /// Counts an answer; true when this one makes the portal a suspect. An answer that the source did not give is not
    /// counted.
    pub fn note(&mut self, now: Instant, state: State, rules: &Rules) -> bool {
        if state == State::SourceUnavailable {
            return false;
        }
        self.asked = self.asked.saturating_add(1);
        self.answered = self.answered.saturating_add(1);
        self.last_at = now;
        if matches!(state, State::NoMatch | State::NotOnRecord) {
            self.misses = self.misses.saturating_add(1);
        }
        let suspect = self.misses >= rules.misses_max && self.misses > self.answered / 2;
        if !suspect || self.slowed_until.is_some() {
            return false;
        }
        self.slowed_until = Some(now + rules.slow_for);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const NOW: Instant = datetime!(2026-11-24 02:00 UTC);

    fn rules() -> Rules {
        Rules { misses_max: 3, ..Rules::default() }
    }

    #[test]
    fn many_misses_slow_a_portal_down_and_alert_once() {
        let mut watch = Watch::new(NOW);
        let alerts: Vec<bool> = (0..5).map(|_| watch.note(NOW, State::NoMatch, &rules())).collect();
        assert_eq!(alerts, [false, false, true, false, false]);
        let soon = NOW + Duration::seconds(1);
        assert_eq!(watch.admit(soon, None, false, &rules()), Err(Held::Slowed));
        assert_eq!(watch.admit(soon, None, true, &rules()), Ok(()));
        assert_eq!(watch.admit(NOW + rules().pause, None, false, &rules()), Ok(()));
        let later = watch.at(NOW + rules().slow_for, &rules());
        assert_eq!((later.slowed_until, later.misses), (None, 0));
    }

    #[test]
    fn as_many_matches_as_misses_are_work_and_not_probing() {
        let mut watch = Watch::new(NOW);
        for _ in 0..20 {
            assert!(!watch.note(NOW, State::Match, &rules()) && !watch.note(NOW, State::NoMatch, &rules()));
        }
    }

    #[test]
    fn a_quota_is_of_a_day_and_silence_is_not_counted() {
        let mut watch = Watch::new(NOW);
        watch.note(NOW, State::SourceUnavailable, &rules());
        assert_eq!(watch.asked, 0);
        watch.note(NOW, State::Match, &rules());
        assert_eq!(watch.admit(NOW, Some(1), false, &rules()), Err(Held::QuotaSpent));
        assert_eq!(watch.admit(NOW, Some(1), true, &rules()), Ok(()));
        let tomorrow = datetime!(2026-11-24 17:00 UTC);
        assert_eq!(watch.at(tomorrow, &rules()).admit(tomorrow, Some(1), false, &rules()), Ok(()));
    }
}
