//! What an agency's system books by hand: a bank's charge or a card company's discount, each a line of its own.
//!
//! A record carries the caller's name for it. Told again with the same content it exists; with another content the
//! members that differ are named, and nothing is booked.

use super::ledger::{self, Account, Entry};
use crate::base::{
    calendar::Day,
    id::{self, Agency, Client, Id},
    money::Money,
    text::Line,
};
use std::str::FromStr;

/// What was kept from the money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A bank's charge for its service.
    BankCharge,
    /// A card company's discount.
    CardDiscount,
}

impl Kind {
    /// The word on the wire and in rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BankCharge => "bank_charge",
            Self::CardDiscount => "card_discount",
        }
    }

    /// The account of costs that it is booked on.
    pub const fn cost(self, agency: Id<Agency>) -> Account {
        match self {
            Self::BankCharge => Account::BankCharges(agency),
            Self::CardDiscount => Account::CardDiscount(agency),
        }
    }
}

/// A text that is no kind of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the kind is bank_charge or card_discount")]
pub struct NotAKind;

impl FromStr for Kind {
    type Err = NotAKind;

    fn from_str(s: &str) -> Result<Self, NotAKind> {
        [Self::BankCharge, Self::CardDiscount].into_iter().find(|kind| kind.as_str() == s).ok_or(NotAKind)
    }
}

/// One charge, as it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The agency whose cost it is, which owns the account.
    pub agency: Id<Agency>,
    /// The caller's name for it, unique for the agency: the `Idempotency-Key` under which it was first told.
    pub name: Line<255>,
    /// What it is.
    pub kind: Kind,
    /// The number of the account that the money left.
    pub account: String,
    /// How much.
    pub amount: Money,
    /// The bank's business day.
    pub day: Day,
    /// What it was for.
    pub words: Line<200>,
}

impl Record {
    /// The members in which another record of the same name differs.
    pub fn differences(&self, other: &Self) -> Vec<&'static str> {
        let members = [
            ("kind", self.kind != other.kind),
            ("account", self.account != other.account),
            ("amount", self.amount != other.amount),
            ("day", self.day != other.day),
            ("words", self.words != other.words),
        ];
        members.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
    }

    /// Its entry: the money is no longer in the account, and is a cost.
    pub fn entry(&self, account: Id<id::Account>) -> Result<Entry, ledger::Refusal> {
        ledger::moved(Account::Clearing(account), self.kind.cost(self.agency), self.amount)
    }
}

/// A record on its way into the books, and whose system tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The record.
    pub record: Record,
    /// The system.
    pub client: Id<Client>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Posted {
    /// It is booked now.
    Recorded(Id<id::Entry>),
    /// It was booked before, with exactly this content.
    Exists(Id<id::Entry>),
    /// A record of this name was booked before with other members.
    Differs(Id<id::Entry>, Vec<&'static str>),
    /// The agency owns no account of this number.
    UnknownAccount,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::entropy::SeededEntropy;
    use time::macros::datetime;

    #[test]
    fn what_differs_is_named() {
        let now = datetime!(2026-11-24 01:00 UTC);
        let record = Record {
            agency: Id::new(now, &SeededEntropy::new(1)),
            name: Line::parse("2026-11 phi dich vu").unwrap(),
            kind: Kind::BankCharge,
            account: "1500201001234".to_owned(),
            amount: Money::vnd(33_000),
            day: Day::of(now),
            words: Line::parse("Phí dịch vụ tháng 11").unwrap(),
        };
        assert!(record.differences(&record.clone()).is_empty());
        let other = Record { amount: Money::vnd(34_000), kind: Kind::CardDiscount, ..record.clone() };
        assert_eq!(record.differences(&other), ["kind", "amount"]);
        let entry = record.entry(Id::new(now, &SeededEntropy::new(2))).unwrap();
        assert_eq!(entry.postings().iter().map(|p| p.amount.minor()).sum::<i64>(), 0);
    }
}
