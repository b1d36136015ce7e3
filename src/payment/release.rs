//! Where money in suspense may go, and who may say so: one person proposes, another approves.

use super::ledger::{self, Account, Entry};
use crate::base::{
    id::{Account as BankAccount, Agency, Citizen, Id},
    money::Money,
};
use std::str::FromStr;

/// Why the money goes, in the words of whoever proposes it.
pub enum Words {}

/// Where the money goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Toward {
    /// Back to whoever sent it: it is owed by the agency from then on.
    RefundDue,
    /// To the budget, since nobody claimed it in time.
    Unclaimed,
}

impl Toward {
    /// The word on the wire and in rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RefundDue => "refund_due",
            Self::Unclaimed => "unclaimed",
        }
    }

    const fn account(self, agency: Id<Agency>) -> Account {
        match self {
            Self::RefundDue => Account::RefundDue(agency),
            Self::Unclaimed => Account::Unclaimed(agency),
        }
    }
}

/// A text that names no place for the money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the money goes to refund_due or unclaimed")]
pub struct Nowhere;

impl FromStr for Toward {
    type Err = Nowhere;

    fn from_str(s: &str) -> Result<Self, Nowhere> {
        [Self::RefundDue, Self::Unclaimed].into_iter().find(|toward| toward.as_str() == s).ok_or(Nowhere)
    }
}

/// Why a release is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The money has left already.
    #[error("the money has been released")]
    AlreadyReleased,
    /// Somebody proposed before.
    #[error("a release is proposed already")]
    AlreadyProposed,
    /// There is nothing to approve.
    #[error("no release is proposed")]
    NotProposed,
    /// Nobody approves an own act.
    #[error("whoever proposed does not approve")]
    OwnAct,
}

impl Refusal {
    /// The stable code on the wire.
    pub const fn code(self) -> &'static str {
        match self {
            Self::AlreadyReleased => "suspense_released",
            Self::AlreadyProposed => "release_proposed",
            Self::NotProposed => "release_not_proposed",
            Self::OwnAct => "own_act",
        }
    }
}

/// Whether the money may be proposed for release.
pub const fn propose(held: bool, proposed: bool) -> Result<(), Refusal> {
    match (held, proposed) {
        (false, _) => Err(Refusal::AlreadyReleased),
        (true, true) => Err(Refusal::AlreadyProposed),
        (true, false) => Ok(()),
    }
}

/// Whether `by` may approve what `proposed_by` wants.
pub fn approve(held: bool, proposed_by: Option<Id<Citizen>>, by: Id<Citizen>) -> Result<(), Refusal> {
    match proposed_by {
        _ if !held => Err(Refusal::AlreadyReleased),
        None => Err(Refusal::NotProposed),
        Some(proposer) if proposer == by => Err(Refusal::OwnAct),
        Some(_) => Ok(()),
    }
}

/// The entry of an approved release.
pub fn released(
    account: Id<BankAccount>,
    agency: Id<Agency>,
    toward: Toward,
    amount: Money,
) -> Result<Entry, ledger::Refusal> {
    // What is owed moves from one creditor to the other: suspense is debited, the new place credited.
    ledger::moved(toward.account(agency), Account::Suspense(account), amount)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::entropy::SeededEntropy;
    use time::macros::datetime;

    #[test]
    fn two_people_or_nothing() {
        let person = |seed| Id::new(datetime!(2026-11-24 01:00 UTC), &SeededEntropy::new(seed));
        let (one, other) = (person(1), person(2));
        assert_eq!(propose(true, false), Ok(()));
        assert_eq!(propose(true, true), Err(Refusal::AlreadyProposed));
        assert_eq!(propose(false, true), Err(Refusal::AlreadyReleased));
        assert_eq!(approve(true, None, one), Err(Refusal::NotProposed));
        assert_eq!(approve(true, Some(one), one), Err(Refusal::OwnAct));
        assert_eq!(approve(true, Some(one), other), Ok(()));
        assert_eq!(approve(false, Some(one), other), Err(Refusal::AlreadyReleased));
    }
}
