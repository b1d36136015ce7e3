//! One attempt to pay a bill, from the intent to the money or its certain absence.
//!
//! ```text
//! Created ──handed──▶ Submitted, StepUp ──accepted──▶ Accepted ──credited──▶ Settled
//!    │                    │                      │
//!    ├──not sent──▶ Rejected ◀──rejected─────────┤
//!    └──no answer──▶ Unknown ──inquiry, statement──▶ any of the above
//! ```
//!
//! `Unknown` is a state and not an error: nobody may conclude from silence that no money moved. Silence is answered
//! by at most three inquiries, then by the statement. Money for an attempt moves it in [`super::settlement`], which
//! alone sees the bill. A message that repeats, or comes after its time, leaves things as they are.
//! Deliberately absent: messages, banks, and the clock.

use crate::base::{
    clock::Instant,
    id::{self, Id},
};
use std::{fmt, str::FromStr};
use time::Duration;

/// When a silent attempt is asked about, counted from the moment the silence began.
pub const INQUIRY_AFTER: [Duration; 3] = [Duration::seconds(90), Duration::minutes(30), Duration::hours(2)];

/// How long the payer has to approve the request at the bank.
pub const APPROVAL_WINDOW: Duration = Duration::minutes(15);

/// The inquiries of a live attempt: made and to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watch {
    /// When the silence begins to count.
    pub since: Instant,
    /// How many inquiries were made.
    pub inquiries: u8,
    /// When the next is due; `None` once all were made and the statement decides.
    pub next: Option<Instant>,
}

impl Watch {
    /// Watches for silence from `since` on.
    pub fn from(since: Instant) -> Self {
        Self { since, inquiries: 0, next: Some(since + INQUIRY_AFTER[0]) }
    }

    /// One more inquiry has been made.
    #[must_use]
    fn asked(self) -> Self {
        let inquiries = self.inquiries.saturating_add(1);
        let next = INQUIRY_AFTER.get(usize::from(inquiries)).map(|after| self.since + *after);
        Self { inquiries, next, ..self }
    }

    /// Good news restarts the watch only while nothing had to be asked, so that inquiries stay bounded.
    #[must_use]
    fn renewed(self, since: Instant) -> Self {
        if self.inquiries == 0 { Self::from(since) } else { self }
    }

    fn is_due(self, now: Instant) -> bool {
        self.next.is_some_and(|next| next <= now)
    }
}

/// How a payer pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Way {
    /// The payer's bank was asked to present the bill.
    Request,
    /// The payer transferred money with the bill's reference in its text, by VietQR or by hand.
    Transfer,
    /// Through the national payment platform.
    Platform,
    /// At a cashier's desk.
    Desk,
}

impl Way {
    /// Every way.
    pub const ALL: [Self; 4] = [Self::Request, Self::Transfer, Self::Platform, Self::Desk];

    /// The word on the wire and in rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Transfer => "transfer",
            Self::Platform => "platform",
            Self::Desk => "desk",
        }
    }

    /// The way of that name.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|way| way.as_str() == word)
    }
}

/// What has become of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// The intent is recorded; the request may or may not have left.
    Created(Watch),
    /// The clearing system has the request; the payer has not approved yet.
    Submitted(Watch),
    /// The payer's bank asks its customer to prove more before it pays: the payer must act there.
    StepUp(Watch),
    /// The payer's bank will pay.
    Accepted(Watch),
    /// Nobody has answered: the payer must not pay again.
    Unknown(Watch),
    /// The money is in the books.
    Settled {
        /// Since when.
        at: Instant,
    },
    /// There will be no money from this attempt.
    Rejected {
        /// Since when.
        at: Instant,
        /// Why.
        reason: Reason,
    },
}

impl State {
    /// The inquiries of an attempt that is still alive, and blocks another one.
    pub const fn watch(&self) -> Option<Watch> {
        match self {
            Self::Created(watch)
            | Self::Submitted(watch)
            | Self::StepUp(watch)
            | Self::Accepted(watch)
            | Self::Unknown(watch) => Some(*watch),
            Self::Settled { .. } | Self::Rejected { .. } => None,
        }
    }

    /// Whether money may still come of it.
    pub const fn is_live(&self) -> bool {
        self.watch().is_some()
    }

    /// The word on the wire and in rows.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Created(_) => "created",
            Self::Submitted(_) => "submitted",
            Self::StepUp(_) => "step_up_required",
            Self::Accepted(_) => "accepted",
            Self::Unknown(_) => "unknown",
            Self::Settled { .. } => "settled",
            Self::Rejected { .. } => "rejected",
        }
    }
}

/// Why there will be no money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The payer's side said no, with its ISO 20022 reason code.
    Bank(BankReason),
    /// The request certainly never left.
    NotSent,
    /// The clearing system knows nothing of it.
    NeverReceived,
    /// Another amount arrived than was asked for; it is held in suspense.
    WrongAmount,
    /// The statement that had to show the money does not.
    NotInStatement,
    /// The bill was paid in another way before this money came; it is held in suspense.
    PaidOtherwise,
}

impl Reason {
    /// The word on the wire and in rows.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Bank(code) => &code.0,
            Self::NotSent => "not_sent",
            Self::NeverReceived => "never_received",
            Self::WrongAmount => "wrong_amount",
            Self::NotInStatement => "not_in_statement",
            Self::PaidOtherwise => "paid_otherwise",
        }
    }
}

impl FromStr for Reason {
    type Err = NotAReason;

    fn from_str(s: &str) -> Result<Self, NotAReason> {
        let own = [
            Self::NotSent,
            Self::NeverReceived,
            Self::WrongAmount,
            Self::NotInStatement,
            Self::PaidOtherwise,
        ];
        own.into_iter().find(|reason| reason.as_str() == s).map_or_else(|| s.parse().map(Self::Bank), Ok)
    }
}

/// A reason code of ISO 20022's external lists: four upper-case letters or digits, like `AM04`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BankReason(String);

impl FromStr for BankReason {
    type Err = NotAReason;

    fn from_str(s: &str) -> Result<Self, NotAReason> {
        let fits = s.len() == 4 && s.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        if fits { Ok(Self(s.to_owned())) } else { Err(NotAReason) }
    }
}

impl fmt::Display for BankReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that is not a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a reason code has four upper-case letters or digits")]
pub struct NotAReason;

/// What the clearing system says about an attempt, unasked or asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// The payer has not decided.
    Pending,
    /// The payer must prove more at the bank.
    StepUp,
    /// The payer's bank will pay, or has.
    Accepted,
    /// No money will come.
    Rejected(BankReason),
    /// It knows no such request.
    NotFound,
}

/// What can happen to an attempt, apart from money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The clearing system took the request.
    Handed,
    /// It certainly did not get the request.
    NotSent,
    /// It may or may not have got the request.
    NoAnswer,
    /// It says how things stand.
    Reported(Report),
    /// The time for an inquiry has come.
    InquiryDue,
    /// The statement of the deciding day does not show the money.
    AbsentFromStatement,
}

/// What follows from an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The attempt is now in this state.
    Move(State),
    /// The attempt is now in this state, and the clearing system is to be asked.
    Ask(State),
    /// Nothing changes: a repetition, or out of time.
    Stay,
    /// Nothing changes, though the message denies what is certain: it must be looked into.
    Contradiction,
}

/// What happened to an attempt.
#[derive(Debug, Clone)]
pub struct Told {
    /// Which one.
    pub payment: Id<id::Payment>,
    /// What.
    pub event: Event,
}

/// The life of an attempt.
pub fn decide(state: &State, event: &Event, now: Instant) -> Decision {
    use Decision::{Contradiction, Move, Stay};
    use State::{Accepted, Created, Rejected, Settled, StepUp, Submitted, Unknown};
    let rejected = |reason| Move(Rejected { at: now, reason });
    match (state, event) {
        (Created(_), Event::Handed) => Move(Submitted(Watch::from(now + APPROVAL_WINDOW))),
        (Created(_), Event::NotSent) => rejected(Reason::NotSent),
        (Created(_), Event::NoAnswer) => Move(Unknown(Watch::from(now))),
        (
            Submitted(_) | StepUp(_) | Accepted(_) | Unknown(_),
            Event::Handed | Event::NotSent | Event::NoAnswer,
        ) => Stay,

        (Created(w) | Submitted(w) | Unknown(w), Event::Reported(Report::StepUp)) => {
            Move(StepUp(w.renewed(now + APPROVAL_WINDOW)))
        }
        (StepUp(_) | Accepted(_), Event::Reported(Report::StepUp)) => Stay,
        (StepUp(_), Event::Reported(Report::Pending)) => Stay,
        (Created(w) | Submitted(w) | StepUp(w) | Unknown(w), Event::Reported(Report::Accepted)) => {
            Move(Accepted(w.renewed(now)))
        }
        (Created(w), Event::Reported(Report::Pending)) => Move(Submitted(w.renewed(now + APPROVAL_WINDOW))),
        (Unknown(w), Event::Reported(Report::Pending)) => Move(Submitted(w.renewed(now + APPROVAL_WINDOW))),
        (Submitted(_) | Accepted(_), Event::Reported(Report::Pending)) => Stay,
        (Accepted(_), Event::Reported(Report::Accepted)) => Stay,
        (
            Created(_) | Submitted(_) | StepUp(_) | Accepted(_) | Unknown(_),
            Event::Reported(Report::Rejected(reason)),
        ) => rejected(Reason::Bank(reason.clone())),
        (Created(_) | Unknown(_), Event::Reported(Report::NotFound)) => rejected(Reason::NeverReceived),
        // It was there before: forgetting it is no proof that no money moved.
        (Submitted(_) | StepUp(_) | Accepted(_), Event::Reported(Report::NotFound)) => Contradiction,

        (Created(w) | Submitted(w) | StepUp(w) | Accepted(w) | Unknown(w), Event::InquiryDue) => {
            if w.is_due(now) { Decision::Ask(Unknown(w.asked())) } else { Stay }
        }
        (Created(_) | Submitted(_) | StepUp(_) | Accepted(_) | Unknown(_), Event::AbsentFromStatement) => {
            rejected(Reason::NotInStatement)
        }

        (Settled { .. }, Event::Reported(Report::Rejected(_)) | Event::AbsentFromStatement) => Contradiction,
        (Rejected { .. }, Event::Reported(Report::Accepted)) => Contradiction,
        (
            Settled { .. },
            Event::Handed
            | Event::NotSent
            | Event::NoAnswer
            | Event::InquiryDue
            | Event::Reported(Report::Pending | Report::StepUp | Report::Accepted | Report::NotFound),
        ) => Stay,
        (
            Rejected { .. },
            Event::Handed
            | Event::NotSent
            | Event::NoAnswer
            | Event::InquiryDue
            | Event::AbsentFromStatement
            | Event::Reported(Report::Pending | Report::StepUp | Report::Rejected(_) | Report::NotFound),
        ) => Stay,
    }
}

/// Why an attempt cannot start, or a message about one cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Another attempt of the bill is alive.
    #[error("a payment of this bill is under way")]
    AlreadyLive,
    /// No such bank takes requests.
    #[error("the bank is not known to the clearing system")]
    UnknownBank,
    /// The agency has no account that money could go to.
    #[error("the agency has no collecting account")]
    NoCollectingAccount,
}

impl Refusal {
    /// The stable code on the wire.
    pub const fn code(self) -> &'static str {
        match self {
            Self::AlreadyLive => "payment_under_way",
            Self::UnknownBank => "unknown_bank",
            Self::NoCollectingAccount => "agency_account_missing",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use time::macros::datetime;

    const NOW: Instant = datetime!(2026-11-24 07:30 UTC);

    fn reported(report: Report) -> Event {
        Event::Reported(report)
    }

    fn refused() -> Report {
        Report::Rejected("AM04".parse().unwrap())
    }

    fn state_named(name: &str) -> State {
        let watch = Watch::from(NOW);
        match name {
            "created" => State::Created(watch),
            "submitted" => State::Submitted(watch),
            "step_up_required" => State::StepUp(watch),
            "accepted" => State::Accepted(watch),
            "unknown" => State::Unknown(watch),
            "settled" => State::Settled { at: NOW },
            "rejected" => State::Rejected { at: NOW, reason: Reason::NotSent },
            other => panic!("{other}"),
        }
    }

    #[test]
    fn the_table_of_states_and_events() {
        let events = [
            ("handed", Event::Handed),
            ("not_sent", Event::NotSent),
            ("no_answer", Event::NoAnswer),
            ("pending", reported(Report::Pending)),
            ("step_up", reported(Report::StepUp)),
            ("accept", reported(Report::Accepted)),
            ("refuse", reported(refused())),
            ("not_found", reported(Report::NotFound)),
            ("absent", Event::AbsentFromStatement),
        ];
        // Columns in the order above; `-` stays, `!` is a contradiction.
        let table = [
            (
                "created",
                "submitted rejected unknown submitted step_up_required accepted rejected rejected rejected",
            ),
            ("submitted", "- - - - step_up_required accepted rejected ! rejected"),
            ("step_up_required", "- - - - - accepted rejected ! rejected"),
            ("accepted", "- - - - - - rejected ! rejected"),
            ("unknown", "- - - submitted step_up_required accepted rejected rejected rejected"),
            ("settled", "- - - - - - ! - !"),
            ("rejected", "- - - - - ! - - -"),
        ];
        for (name, row) in table {
            for ((event_name, event), expected) in events.iter().zip(row.split(' ')) {
                let found = match decide(&state_named(name), event, NOW) {
                    Decision::Move(state) => state.as_str(),
                    Decision::Ask(_) => "ask",
                    Decision::Stay => "-",
                    Decision::Contradiction => "!",
                };
                assert_eq!(found, expected, "{name} + {event_name}");
            }
        }
    }

    #[test]
    fn silence_is_asked_about_three_times_in_two_hours() {
        let Decision::Move(mut state) = decide(&state_named("created"), &Event::NoAnswer, NOW) else {
            panic!("it moves");
        };
        let mut asked_after = Vec::new();
        for minute in 0..600 {
            for second in [0, 30] {
                let now = NOW + Duration::minutes(minute) + Duration::seconds(second);
                if let Decision::Ask(next) = decide(&state, &Event::InquiryDue, now) {
                    asked_after.push(now - NOW);
                    state = next;
                }
            }
        }
        assert_eq!(asked_after, INQUIRY_AFTER);
        assert_eq!(state.watch().unwrap().next, None);
    }

    #[test]
    fn a_payer_who_does_nothing_is_asked_about_after_the_window() {
        let Decision::Move(state) = decide(&state_named("created"), &Event::Handed, NOW) else {
            panic!("it moves");
        };
        let due = NOW + APPROVAL_WINDOW + INQUIRY_AFTER[0];
        assert_eq!(state.watch().unwrap().next, Some(due));
        assert_eq!(decide(&state, &Event::InquiryDue, due - Duration::SECOND), Decision::Stay);
        assert!(matches!(decide(&state, &Event::InquiryDue, due), Decision::Ask(State::Unknown(_))));
    }

    #[test]
    fn reasons_are_read_back() {
        for text in
            ["AM04", "not_sent", "never_received", "wrong_amount", "not_in_statement", "paid_otherwise"]
        {
            assert_eq!(text.parse::<Reason>().unwrap().as_str(), text);
        }
        for bad in ["", "am04", "AM0", "AM044", "refused"] {
            assert!(bad.parse::<Reason>().is_err(), "{bad:?}");
        }
    }

    fn any_event() -> impl Strategy<Value = Event> {
        prop_oneof![
            Just(Event::Handed),
            Just(Event::NotSent),
            Just(Event::NoAnswer),
            Just(Event::InquiryDue),
            Just(Event::AbsentFromStatement),
            Just(reported(Report::Pending)),
            Just(reported(Report::StepUp)),
            Just(reported(Report::Accepted)),
            Just(reported(refused())),
            Just(reported(Report::NotFound)),
        ]
    }

    proptest! {
        #[test]
        fn an_attempt_ends_once_and_asks_at_most_three_times(
            events in prop::collection::vec((any_event(), 0..5_000_i64), 0..60)
        ) {
            let mut state = State::Created(Watch::from(NOW));
            let (mut now, mut asked) = (NOW, 0);
            for (event, seconds) in events {
                now += Duration::seconds(seconds);
                let next = match decide(&state, &event, now) {
                    Decision::Ask(next) => { asked += 1; next }
                    Decision::Move(next) => next,
                    Decision::Stay | Decision::Contradiction => continue,
                };
                prop_assert!(state.is_live(), "{:?} moved by {:?}", state, event);
                state = next;
            }
            prop_assert!(asked <= INQUIRY_AFTER.len());
        }
    }
}
