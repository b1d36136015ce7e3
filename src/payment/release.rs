//! Where money in suspense may go, and who may say so: one person proposes, another approves.

use super::ledger::{self, Account, Entry, Part};
use crate::base::{
    id::{Account as BankAccount, Agency, Bill, Citizen, Id},
    money::Money,
};

/// Why the money goes, in the words of whoever proposes it.
pub enum Words {}

/// Where the money goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Toward {
    /// Back to whoever sent it: it is owed by the agency from then on.
    RefundDue,
    /// To the budget, since nobody claimed it in time.
    Unclaimed,
    /// To an open bill that asks for exactly this: it is what the money was for.
    Bill(Id<Bill>),
}

impl Toward {
    /// The word on the wire and in rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RefundDue => "refund_due",
            Self::Unclaimed => "unclaimed",
            Self::Bill(_) => "bill",
        }
    }

    /// The place of that word; only `bill` comes with a bill.
    pub fn named(word: &str, bill: Option<Id<Bill>>) -> Option<Self> {
        match (word, bill) {
            ("refund_due", None) => Some(Self::RefundDue),
            ("unclaimed", None) => Some(Self::Unclaimed),
            ("bill", Some(bill)) => Some(Self::Bill(bill)),
            _ => None,
        }
    }

    /// The bill that the money shall pay.
    pub const fn bill(self) -> Option<Id<Bill>> {
        match self {
            Self::RefundDue | Self::Unclaimed => None,
            Self::Bill(bill) => Some(bill),
        }
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
    /// There is nothing to decide about, or something else than was seen.
    #[error("no such release is proposed")]
    NotProposed,
    /// The bill asks for another amount than the money is.
    #[error("the bill asks for another amount")]
    AmountDiffers,
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
            Self::AmountDiffers => "release_amount_differs",
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

/// Whether a proposal may be dropped: whoever made it takes it back, anybody else declines it.
pub const fn drop_proposal(held: bool, proposed: bool) -> Result<(), Refusal> {
    match (held, proposed) {
        (false, _) => Err(Refusal::AlreadyReleased),
        (true, false) => Err(Refusal::NotProposed),
        (true, true) => Ok(()),
    }
}

/// Whether money of `held` may pay a bill that asks for `asked`.
pub fn pays(held: Money, asked: Money) -> Result<(), Refusal> {
    if held == asked { Ok(()) } else { Err(Refusal::AmountDiffers) }
}

/// The entry of an approved release; `paid` is what each beneficiary gets of a bill that the money pays.
pub fn released(
    account: Id<BankAccount>,
    agency: Id<Agency>,
    toward: Toward,
    (amount, paid): (Money, &[Part]),
) -> Result<Entry, ledger::Refusal> {
    // What is owed moves from one creditor to the other: suspense is debited, the new place credited.
    match toward {
        Toward::RefundDue => ledger::moved(Account::RefundDue(agency), Account::Suspense(account), amount),
        Toward::Unclaimed => ledger::moved(Account::Unclaimed(agency), Account::Suspense(account), amount),
        Toward::Bill(_) => ledger::settled(Account::Suspense(account), paid),
    }
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
        assert_eq!(drop_proposal(true, true), Ok(()));
        assert_eq!(drop_proposal(true, false), Err(Refusal::NotProposed));
        assert_eq!(drop_proposal(false, true), Err(Refusal::AlreadyReleased));
        assert_eq!(pays(Money::vnd(5), Money::vnd(6)), Err(Refusal::AmountDiffers));
        assert_eq!(Toward::named("bill", None), None);
    }
}
