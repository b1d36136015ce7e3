//! How often numbers may be typed, codes sent, and codes guessed: per number, per address, per portal, in fixed windows.
//!
//! Nobody is ever shut out of every way at once by what strangers do with their number. A browser in which somebody
//! signed in before counts for itself and under no other rule; a passkey needs no number and is never counted; an
//! app's code and a code by SMS are counted apart; what counters ask a telephone uses up none of its codes, and past its
//! number is answered on paper; and a counter with a card reader stands outside all of this.

use crate::base::clock::Instant;
use time::Duration;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Act {
    /// A number was typed, known or not.
    Ask,
    /// A code was sent, or would have been.
    Send,
    /// A wrong code was typed.
    Guess,
    /// A wrong code was typed where an app's code was awaited.
    GuessApp,
    /// A sign-in was started at a counter.
    Start,
    /// A telephone was asked to approve one.
    Push,
    /// The code of a notice was typed, without a sign-in.
    Disown,
}

/// By what it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// The number that was typed, known or not.
    Number,
    /// A browser in which this number's holder signed in before; it comes under no other rule.
    Familiar,
    /// The network address of the browser; of IPv6 its /64.
    Address,
    /// The portal that sent the citizen; pages of ours count as one.
    Portal,
}

/// The most of an act by one subject within one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Its name in rows.
    pub word: &'static str,
    /// What is counted.
    pub act: Act,
    /// By what.
    pub subject: Subject,
    /// The length of a window; counters start anew with the next.
    pub window: Duration,
    /// How many, unless the configuration says otherwise.
    pub max: i64,
}

const HOUR: Duration = Duration::hours(1);
const DAY: Duration = Duration::days(1);

const fn rule(word: &'static str, act: Act, subject: Subject, window: Duration, max: i64) -> Rule {
    Rule { word, act, subject, window, max }
}

/// Every rule.
pub const RULES: [Rule; 19] = [
    rule("ask_address", Act::Ask, Subject::Address, HOUR, 60),
    rule("ask_portal", Act::Ask, Subject::Portal, HOUR, 100_000),
    rule("ask_familiar", Act::Ask, Subject::Familiar, HOUR, 30),
    rule("send_number", Act::Send, Subject::Number, HOUR, 6),
    rule("send_number_day", Act::Send, Subject::Number, DAY, 20),
    rule("send_familiar", Act::Send, Subject::Familiar, HOUR, 6),
    rule("send_familiar_day", Act::Send, Subject::Familiar, DAY, 20),
    rule("guess_address", Act::Guess, Subject::Address, HOUR, 100),
    rule("guess_portal", Act::Guess, Subject::Portal, HOUR, 100_000),
    rule("guess_familiar", Act::Guess, Subject::Familiar, HOUR, 20),
    rule("app_number", Act::GuessApp, Subject::Number, HOUR, 10),
    rule("app_number_day", Act::GuessApp, Subject::Number, DAY, 30),
    rule("app_address", Act::GuessApp, Subject::Address, HOUR, 100),
    rule("app_familiar", Act::GuessApp, Subject::Familiar, HOUR, 20),
    rule("push_number", Act::Push, Subject::Number, HOUR, 5),
    rule("push_number_day", Act::Push, Subject::Number, DAY, 20),
    rule("push_portal", Act::Start, Subject::Portal, HOUR, 10_000),
    rule("push_address", Act::Start, Subject::Address, HOUR, 2_000),
    rule("disown_address", Act::Disown, Subject::Address, HOUR, 20),
];

impl Rule {
    /// When the window that holds `now` began.
    pub fn window_start(&self, now: Instant) -> Instant {
        let seconds = self.window.whole_seconds().max(1);
        now - Duration::seconds(now.unix_timestamp().rem_euclid(seconds))
            - Duration::nanoseconds(i64::from(now.nanosecond()))
    }

    /// When it ends.
    pub fn window_end(&self, now: Instant) -> Instant {
        self.window_start(now) + self.window
    }
}

/// The rules that an act comes under, from a browser that is familiar or not.
pub fn rules_of(acts: &[Act], familiar: bool) -> Vec<&'static Rule> {
    let fits = |rule: &&Rule| acts.contains(&rule.act) && (rule.subject == Subject::Familiar) == familiar;
    RULES.iter().filter(fits).collect()
}

/// A limit is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many of these came: {word}")]
pub struct Limited {
    /// Which rule.
    pub word: &'static str,
    /// When its next window begins.
    pub until: Instant,
}

/// Whether counts keep to their rules, each with its number as it is configured; `spare` is one where the counts do
/// not hold the act at hand yet. Of several broken rules the one that binds longest is told.
pub fn admit(
    counts: &[(&'static Rule, i64)],
    max: impl Fn(&Rule) -> i64,
    spare: i64,
    now: Instant,
) -> Result<(), Limited> {
    let broken = counts.iter().filter(|(rule, count)| count + spare > max(rule));
    let longest = broken.max_by_key(|(rule, _)| rule.window_end(now));
    longest.map_or(Ok(()), |(rule, _)| Err(Limited { word: rule.word, until: rule.window_end(now) }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn limits_admit_up_to_their_number_and_name_the_next_window() {
        let now = datetime!(2026-11-24 01:59:59.5 UTC);
        let counted = |number, day| {
            let of = |word| RULES.iter().find(|rule| rule.word == word).unwrap();
            [(of("send_number"), number), (of("send_number_day"), day)]
        };
        let admit = |counts: &[(&'static Rule, i64)], spare, now| admit(counts, |rule| rule.max, spare, now);
        assert_eq!(admit(&counted(6, 20), 0, now), Ok(()));
        let until = datetime!(2026-11-24 02:00 UTC);
        assert_eq!(admit(&counted(7, 7), 0, now), Err(Limited { word: "send_number", until }));
        assert_eq!(admit(&counted(6, 6), 1, now), Err(Limited { word: "send_number", until }));
        let tomorrow = datetime!(2026-11-25 00:00 UTC);
        assert_eq!(admit(&counted(7, 21), 0, now), Err(Limited { word: "send_number_day", until: tomorrow }));
    }

    #[test]
    fn a_familiar_browser_comes_under_its_own_rules_only() {
        let acts = [Act::Ask, Act::Send, Act::Guess, Act::GuessApp];
        assert!(rules_of(&acts, true).iter().all(|rule| rule.subject == Subject::Familiar));
        assert!(rules_of(&acts, false).iter().all(|rule| rule.subject != Subject::Familiar));
        for act in acts {
            assert!(!rules_of(&[act], true).is_empty(), "{act:?} is unbounded in a familiar browser");
        }
        assert!(RULES.iter().enumerate().all(|(i, a)| RULES[..i].iter().all(|b| a.word != b.word)));
    }

    #[test]
    fn no_rule_reaches_over_both_kinds_of_code() {
        // Whoever uses up the guesses at somebody's app, or what counters may ask their telephone, leaves their code by
        // SMS alone.
        let by_number = |act| rules_of(&[act], false).iter().any(|rule| rule.subject == Subject::Number);
        assert!(
            by_number(Act::Send)
                && by_number(Act::GuessApp)
                && !by_number(Act::Ask)
                && !by_number(Act::Guess)
                && !by_number(Act::Start)
        );
    }
}
