//! A difference that somebody must look into, from its discovery to its end.
//!
//! ```text
//! Open ──taken──▶ Assigned ──resolved──▶ Resolved
//!   └───────────────┴──difference gone──▶ Cleared
//! ```
//!
//! A case is never closed silently: an officer resolves it with a stated outcome, or a later message or statement
//! makes the difference disappear, which is a state of its own, as it also does when two people book what a line says. Only
//! that moves money.

use super::settlement::Suspense;
use crate::base::{
    clock::Instant,
    id::{Citizen, Client, Id},
};

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The statement shows a movement that the books do not hold.
    MissingHere,
    /// The books hold a credit that the statement does not show.
    MissingThere,
    /// The amounts differ.
    Amount,
    /// The money came before: a second payment, or a line told twice.
    Duplicate,
    /// Nothing says what the money is for.
    UnknownReference,
    /// The money came after its payment or its bill had ended.
    Late,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::MissingHere,
        Self::MissingThere,
        Self::Amount,
        Self::Duplicate,
        Self::UnknownReference,
        Self::Late,
    ];

    /// The kind of case that money in suspense is.
    pub const fn of(suspense: Suspense) -> Self {
        match suspense {
            Suspense::Unmatched => Self::UnknownReference,
            Suspense::WrongAmount => Self::Amount,
            Suspense::SecondMoney => Self::Duplicate,
            Suspense::LateSuccess | Suspense::BillCancelled | Suspense::BillSuperseded => Self::Late,
        }
    }

    /// The word on the wire and in rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MissingHere => "missing_here",
            Self::MissingThere => "missing_there",
            Self::Amount => "amount",
            Self::Duplicate => "duplicate",
            Self::UnknownReference => "unknown_reference",
            Self::Late => "late",
        }
    }

    /// The kind of that word.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// What an officer found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resolution {
    /// There is an explanation, and nothing is to be done.
    Explained,
    /// The money is to be given back.
    RefundProposed,
    /// The bank has corrected, or will correct, its statement.
    BankCorrects,
    /// The money is to be attributed to a bill by hand.
    Attributed,
    /// It was put together with others that make up for it.
    Matched,
}

impl Resolution {
    /// Every resolution.
    pub const ALL: [Self; 5] =
        [Self::Explained, Self::RefundProposed, Self::BankCorrects, Self::Attributed, Self::Matched];
    /// Those that somebody may say of one case alone.
    pub const BY_HAND: [Self; 4] =
        [Self::Explained, Self::RefundProposed, Self::BankCorrects, Self::Attributed];

    /// The word on the wire and in rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Explained => "explained",
            Self::RefundProposed => "refund_proposed",
            Self::BankCorrects => "bank_corrects",
            Self::Attributed => "attributed",
            Self::Matched => "matched",
        }
    }

    /// The resolution of that word.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|resolution| resolution.as_str() == word)
    }

    /// The same among those of one case alone.
    pub fn by_hand(word: &str) -> Option<Self> {
        Self::BY_HAND.into_iter().find(|resolution| resolution.as_str() == word)
    }
}

/// Where a case stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nobody has taken it.
    Open,
    /// An officer looks into it.
    Assigned {
        /// Who.
        owner: Id<Citizen>,
    },
    /// It was looked into.
    Resolved {
        /// Who held it; absent when the agency's system resolved it.
        owner: Option<Id<Citizen>>,
        /// With what outcome.
        resolution: Resolution,
        /// When.
        at: Instant,
    },
    /// A later message or statement made the difference disappear.
    Cleared {
        /// Who held it then.
        owner: Option<Id<Citizen>>,
        /// When.
        at: Instant,
    },
}

impl State {
    /// The word on the wire and in rows.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Assigned { .. } => "assigned",
            Self::Resolved { .. } => "resolved",
            Self::Cleared { .. } => "cleared",
        }
    }

    /// Whether somebody must still look into it.
    pub const fn is_pending(&self) -> bool {
        matches!(self, Self::Open | Self::Assigned { .. })
    }

    /// Who holds it, or held it.
    pub const fn owner(&self) -> Option<Id<Citizen>> {
        match self {
            Self::Open => None,
            Self::Assigned { owner } => Some(*owner),
            Self::Resolved { owner, .. } | Self::Cleared { owner, .. } => *owner,
        }
    }
}

/// Gives a case to an officer, who may take it from another.
pub fn assign(state: &State, owner: Id<Citizen>) -> Result<State, Refusal> {
    if state.is_pending() { Ok(State::Assigned { owner }) } else { Err(Refusal::AlreadyClosed) }
}

/// Resolves a case. Whoever resolves it holds it: nobody closes what another looks into.
pub fn resolve(
    state: &State,
    by: Option<Id<Citizen>>,
    resolution: Resolution,
    at: Instant,
) -> Result<State, Refusal> {
    match state {
        State::Open => Ok(State::Resolved { owner: by, resolution, at }),
        State::Assigned { owner } if by == Some(*owner) => Ok(State::Resolved { owner: by, resolution, at }),
        State::Assigned { .. } => Err(Refusal::HeldByAnother),
        State::Resolved { .. } | State::Cleared { .. } => Err(Refusal::AlreadyClosed),
    }
}

/// Ends a case by a match with others; whoever proposed that holds it, or nobody does.
pub fn match_up(state: &State, by: Id<Citizen>, at: Instant) -> Result<State, Refusal> {
    resolve(state, Some(by), Resolution::Matched, at)
}

/// Ends a case about a line that is booked as the credit that it is: the difference is gone. Whoever proposed that holds it, or
/// nobody does.
pub fn book(state: &State, by: Id<Citizen>, at: Instant) -> Result<State, Refusal> {
    match_up(state, by, at).map(|_| State::Cleared { owner: state.owner(), at })
}

/// What somebody did about a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Took it.
    Assigned,
    /// Wrote something down.
    Noted,
    /// Resolved it.
    Resolved,
    /// Put it together with others.
    Matched,
    /// Nobody: what its end rested on is gone, and it begins again.
    Reopened,
}

impl Act {
    /// Every act.
    pub const ALL: [Self; 5] = [Self::Assigned, Self::Noted, Self::Resolved, Self::Matched, Self::Reopened];

    /// The word on the wire and in rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Assigned => "assigned",
            Self::Noted => "noted",
            Self::Resolved => "resolved",
            Self::Matched => "matched",
            Self::Reopened => "reopened",
        }
    }
}

/// Who acts on a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// An officer.
    Officer(Id<Citizen>),
    /// The agency's system.
    System(Id<Client>),
}

/// Why a case does not move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It was resolved, or the difference is gone.
    #[error("the case is closed")]
    AlreadyClosed,
    /// Somebody else looks into it.
    #[error("another officer holds the case")]
    HeldByAnother,
}

impl Refusal {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::AlreadyClosed => "case_closed",
            Self::HeldByAnother => "case_held_by_another",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::entropy::SeededEntropy;
    use time::macros::datetime;

    const NOW: Instant = datetime!(2026-11-24 07:30 UTC);

    #[test]
    fn a_case_is_taken_and_resolved_by_its_holder() {
        let [one, other] = [1, 2].map(|seed| Id::new(NOW, &SeededEntropy::new(seed)));
        let explained = |state: &State, by| resolve(state, by, Resolution::Explained, NOW);
        let taken = assign(&State::Open, one).unwrap();
        assert_eq!(taken, State::Assigned { owner: one });
        assert_eq!(explained(&taken, Some(other)), Err(Refusal::HeldByAnother));
        assert_eq!(explained(&taken, None), Err(Refusal::HeldByAnother));
        let passed_on = assign(&taken, other).unwrap();
        let done = explained(&passed_on, Some(other)).unwrap();
        assert_eq!((done.as_str(), done.owner(), done.is_pending()), ("resolved", Some(other), false));
        for closed in [done, State::Cleared { owner: None, at: NOW }] {
            assert_eq!(assign(&closed, one), Err(Refusal::AlreadyClosed));
            assert_eq!(explained(&closed, closed.owner()), Err(Refusal::AlreadyClosed));
        }
        assert_eq!(explained(&State::Open, None).map(|s| s.owner()), Ok(None));
        assert_eq!(book(&taken, one, NOW), Ok(State::Cleared { owner: Some(one), at: NOW }));
        assert_eq!(book(&taken, other, NOW), Err(Refusal::HeldByAnother));
        assert_eq!(book(&done, other, NOW), Err(Refusal::AlreadyClosed));
    }

    #[test]
    fn every_word_is_read_back() {
        assert!(Kind::ALL.into_iter().all(|kind| Kind::named(kind.as_str()) == Some(kind)));
        assert!(Resolution::ALL.into_iter().all(|r| Resolution::named(r.as_str()) == Some(r)));
        assert!(Suspense::ALL.into_iter().all(|s| Kind::of(s) != Kind::MissingHere));
        assert_eq!((Kind::named("other"), Resolution::named("open")), (None, None));
    }
}
