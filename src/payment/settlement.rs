//! What becomes of money that has arrived: it pays its bill, or it waits in suspense for somebody's decision.
//!
//! Money is never refused and never merged: a second payment, a late one, a wrong amount and a credit that nobody
//! expects are outcomes, booked and kept. Credits of one batch are decided in the order of arrival, each seeing what
//! the one before has changed.

use super::{
    bill,
    payment::{self, Reason},
    record,
};
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{Account, Bill, Id, Payment},
    money::Money,
    reference::Reference,
    text::Line,
};
use crate::crypto::digest::Digest;
use uuid::Uuid;

/// What the books know about the attempt that a credit names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The attempt.
    pub payment: Id<Payment>,
    /// Its bill.
    pub bill: Id<Bill>,
    /// The account that the money was asked to.
    pub account: Id<Account>,
    /// The amount that was asked for.
    pub amount: Money,
    /// Where the attempt stands.
    pub attempt: payment::State,
    /// Where the bill stands.
    pub bill_state: bill::State,
}

/// One movement on an account, as its bank tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credit {
    /// The bank's own name of the movement, unique on the account.
    pub servicer_reference: String,
    /// How much came.
    pub amount: Money,
    /// What was kept on its way: a cost of the agency, never an underpayment.
    pub charge: Option<Charge>,
    /// The attempt that it names, if it names one in our form.
    pub payment: Option<Id<Payment>>,
    /// The bank's booking day: the one on which the clearing system settled it.
    pub booked_on: Day,
    /// The day from which it counts.
    pub value_on: Day,
    /// The bills that its text may name, where it names no attempt: whoever reads the text cannot know which of the
    /// twenty characters are a reference.
    pub references: Vec<Reference>,
    /// The payer's text, for the attempt that it names may be none of ours.
    pub remittance: Vec<Line<140>>,
    /// Where it came from.
    pub origin: Origin,
}

/// Where money came from, as far as its bank tells: what giving it back needs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// The payer's bank.
    pub bank: Option<String>,
    /// The unique reference of the transfer.
    pub uetr: Option<Uuid>,
    /// The payer's own reference of it.
    pub end_to_end: Option<String>,
    /// The clearing system's reference.
    pub clearing_reference: Option<String>,
    /// When the payer's bank took the order.
    pub accepted_at: Option<Instant>,
}

impl Origin {
    /// The day on which the payer's bank took the order.
    pub fn ordered_on(&self) -> Option<Day> {
        self.accepted_at.map(Day::of)
    }
}

impl Credit {
    /// The bills that the payer's text may name. Lines are joined: a bank may break them anywhere.
    pub fn read_references(&self) -> Vec<Reference> {
        let own = self.origin.end_to_end.as_deref();
        let text: Vec<&str> = self.remittance.iter().map(|line| line.as_str()).chain(own).collect();
        Reference::candidates(&text.concat())
    }

    /// What the payer sent: what came, and what was kept on its way.
    pub fn sent(&self) -> Money {
        let kept = self.charge.map_or(Money::zero(self.amount.currency()), |charge| charge.amount);
        // A sum that does not exist is no amount that anybody was asked for.
        self.amount.plus(kept).unwrap_or(self.amount)
    }
}

/// What a bank or a card company kept from a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    /// Who kept it.
    pub kind: record::Kind,
    /// How much.
    pub amount: Money,
}

/// A signed message that tells of movements on one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// Who signed it.
    pub sender: String,
    /// Its identifier, unique for the sender.
    pub message: String,
    /// The message definition.
    pub kind: String,
    /// The digest of its Document.
    pub digest: Digest,
    /// The number of the account.
    pub account: String,
    /// The movements.
    pub credits: Vec<Credit>,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is in the books.
    Recorded,
    /// It was before; nothing happened again.
    Repeated,
    /// Another content came under this identifier before: nothing happened.
    OtherContent,
    /// The account is not one of ours: nothing happened.
    UnknownAccount,
}

/// What becomes of a credit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The bill is paid.
    Settles,
    /// The money waits.
    Suspends(Suspense),
}

/// How many days somebody has to decide about money that waits.
pub const SUSPENSE_DAYS: i64 = 30;

/// Why money waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Suspense {
    /// No attempt of ours is named, or the money came to another account than its own.
    Unmatched,
    /// More or less than was asked for.
    WrongAmount,
    /// The attempt had been given up.
    LateSuccess,
    /// The bill was paid before.
    SecondMoney,
    /// The bill had been withdrawn.
    BillCancelled,
    /// Another bill had taken its place.
    BillSuperseded,
}

impl Suspense {
    /// Every reason.
    pub const ALL: [Self; 6] = [
        Self::Unmatched,
        Self::WrongAmount,
        Self::LateSuccess,
        Self::SecondMoney,
        Self::BillCancelled,
        Self::BillSuperseded,
    ];

    /// What is proposed for the money from its first moment: whose payer and purpose are known goes back, what nobody
    /// can explain is asked about first.
    pub const fn proposal(self) -> &'static str {
        match self {
            Self::Unmatched => "ask_agency",
            Self::WrongAmount
            | Self::LateSuccess
            | Self::SecondMoney
            | Self::BillCancelled
            | Self::BillSuperseded => "return",
        }
    }

    /// The word on the wire and in rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unmatched => "unmatched",
            Self::WrongAmount => "wrong_amount",
            Self::LateSuccess => "late_success",
            Self::SecondMoney => "second_money",
            Self::BillCancelled => "bill_cancelled",
            Self::BillSuperseded => "bill_superseded",
        }
    }
}

/// Decides a transfer that names a bill by its reference and no attempt. What was ordered after the due day waits:
/// nobody was asked for it, and the fee may be another by now. A wrong amount leaves the bill as it is, and so the
/// next transfer is decided as if it were the first.
pub fn settle_transfer(
    known: &mut Known,
    account: Id<Account>,
    credit: &Credit,
    due: Day,
    now: Instant,
) -> Outcome {
    let ordered = credit.origin.ordered_on().unwrap_or(credit.booked_on);
    let reason = match known.bill_state {
        _ if known.account != account => Suspense::Unmatched,
        bill::State::Paid { .. } => Suspense::SecondMoney,
        bill::State::Cancelled { .. } => Suspense::BillCancelled,
        bill::State::Open if ordered > due => Suspense::LateSuccess,
        bill::State::Superseded { .. } => Suspense::BillSuperseded,
        bill::State::Open if credit.sent() != known.amount => Suspense::WrongAmount,
        bill::State::Open => {
            known.attempt = payment::State::Settled { at: now };
            known.bill_state = bill::State::Paid { payment: known.payment, at: now };
            return Outcome::Settles;
        }
    };
    Outcome::Suspends(reason)
}

/// Decides one credit and moves what it touches, so that the next credit of the batch sees it.
pub fn settle(known: Option<&mut Known>, account: Id<Account>, amount: Money, now: Instant) -> Outcome {
    let Some(known) = known else {
        return Outcome::Suspends(Suspense::Unmatched);
    };
    if known.account != account {
        return Outcome::Suspends(Suspense::Unmatched);
    }
    match (&known.bill_state, &known.attempt) {
        (bill::State::Paid { .. }, attempt) => {
            if attempt.is_live() {
                known.attempt = payment::State::Rejected { at: now, reason: Reason::PaidOtherwise };
            }
            Outcome::Suspends(Suspense::SecondMoney)
        }
        (bill::State::Cancelled { .. }, _) => Outcome::Suspends(Suspense::BillCancelled),
        (bill::State::Superseded { .. }, _) => Outcome::Suspends(Suspense::BillSuperseded),
        (bill::State::Open, payment::State::Rejected { .. } | payment::State::Settled { .. }) => {
            Outcome::Suspends(Suspense::LateSuccess)
        }
        (
            bill::State::Open,
            payment::State::Created(_)
            | payment::State::Submitted(_)
            | payment::State::StepUp(_)
            | payment::State::Accepted(_)
            | payment::State::Unknown(_),
        ) => {
            if known.amount == amount {
                known.attempt = payment::State::Settled { at: now };
                known.bill_state = bill::State::Paid { payment: known.payment, at: now };
                Outcome::Settles
            } else {
                known.attempt = payment::State::Rejected { at: now, reason: Reason::WrongAmount };
                Outcome::Suspends(Suspense::WrongAmount)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::entropy::SeededEntropy;
    use crate::payment::payment::Watch;
    use time::macros::datetime;

    const NOW: Instant = datetime!(2026-11-24 07:30 UTC);

    fn known() -> Known {
        let entropy = SeededEntropy::new(1);
        Known {
            payment: Id::new(NOW, &entropy),
            bill: Id::new(NOW, &entropy),
            account: Id::new(NOW, &entropy),
            amount: Money::vnd(205_000),
            attempt: payment::State::Unknown(Watch::from(NOW)),
            bill_state: bill::State::Open,
        }
    }

    fn transfer(known: &mut Known, amount: i64, ordered: &str) -> Outcome {
        let account = known.account;
        let credit = Credit {
            servicer_reference: "FT1".to_owned(),
            amount: Money::vnd(amount),
            charge: None,
            payment: None,
            booked_on: "2026-12-02".parse().unwrap(),
            references: vec![],
            remittance: vec![],
            value_on: "2026-12-02".parse().unwrap(),
            origin: Origin {
                accepted_at: Some(ordered.parse::<Day>().unwrap().start()),
                ..Origin::default()
            },
        };
        settle_transfer(known, account, &credit, "2026-12-01".parse().unwrap(), NOW)
    }

    #[test]
    fn a_transfer_settles_by_amount_and_by_the_day_it_was_ordered() {
        let mut known = known();
        for wrong in [204_999, 205_001] {
            let outcome = transfer(&mut known, wrong, "2026-12-01");
            assert_eq!(outcome, Outcome::Suspends(Suspense::WrongAmount));
        }
        let late = transfer(&mut known, 205_000, "2026-12-02");
        assert_eq!(late, Outcome::Suspends(Suspense::LateSuccess));
        assert_eq!(known.bill_state, bill::State::Open);
        assert_eq!(transfer(&mut known, 205_000, "2026-12-01"), Outcome::Settles);
        assert_eq!(transfer(&mut known, 205_000, "2026-12-01"), Outcome::Suspends(Suspense::SecondMoney));
    }

    #[test]
    fn money_of_an_attempt_whose_bill_was_paid_otherwise_ends_it() {
        let mut known = known();
        known.bill_state = bill::State::Paid { payment: Id::new(NOW, &SeededEntropy::new(5)), at: NOW };
        assert_eq!(credit(&mut known, 205_000), Outcome::Suspends(Suspense::SecondMoney));
        assert_eq!(known.attempt, payment::State::Rejected { at: NOW, reason: Reason::PaidOtherwise });
    }

    fn credit(known: &mut Known, amount: i64) -> Outcome {
        let account = known.account;
        settle(Some(known), account, Money::vnd(amount), NOW)
    }

    #[test]
    fn the_first_right_money_settles_and_the_second_waits() {
        let mut known = known();
        assert_eq!(credit(&mut known, 205_000), Outcome::Settles);
        assert_eq!(known.bill_state, bill::State::Paid { payment: known.payment, at: NOW });
        assert_eq!(credit(&mut known, 205_000), Outcome::Suspends(Suspense::SecondMoney));
    }

    #[test]
    fn a_wrong_amount_ends_the_attempt_and_leaves_the_bill_open() {
        for amount in [204_999, 205_001, 1] {
            let mut known = known();
            assert_eq!(credit(&mut known, amount), Outcome::Suspends(Suspense::WrongAmount));
            assert!(!known.attempt.is_live());
            assert_eq!(known.bill_state, bill::State::Open);
            assert_eq!(credit(&mut known, 205_000), Outcome::Suspends(Suspense::LateSuccess));
        }
    }

    #[test]
    fn money_for_nobody_or_to_another_account_waits() {
        let mut known = known();
        let other = Id::new(NOW, &SeededEntropy::new(9));
        assert_eq!(settle(None, other, Money::vnd(1), NOW), Outcome::Suspends(Suspense::Unmatched));
        let astray = settle(Some(&mut known), other, Money::vnd(205_000), NOW);
        assert_eq!(astray, Outcome::Suspends(Suspense::Unmatched));
        known.bill_state = bill::State::Cancelled { at: NOW };
        assert_eq!(credit(&mut known, 205_000), Outcome::Suspends(Suspense::BillCancelled));
    }
}
