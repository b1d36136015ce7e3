//! The books: double entry, append only.
//!
//! An [`Entry`] can only be built when its postings sum to zero, and is never changed; balances are folded from
//! entries and stand nowhere. A debit is positive: money in a bank account is a debit balance, what belongs to an
//! agency or must be given back is a credit balance.

use super::fee::FeeKind;
use crate::base::{
    id::{Account as BankAccount, Agency, Id},
    money::{Money, MoneyError},
};
use std::collections::BTreeMap;

/// An account of the books.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Account {
    /// The money that lies in a real bank account, as its statement must show.
    Clearing(Id<BankAccount>),
    /// What was collected for an agency, by kind of fee.
    AgencyFee(Id<Agency>, FeeKind),
    /// Money in a bank account that has not found its bill.
    Suspense(Id<BankAccount>),
    /// What an agency owes back to payers.
    RefundDue(Id<Agency>),
}

impl Account {
    /// The word for its type in rows and reports.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Clearing(_) => "clearing",
            Self::AgencyFee(_, FeeKind::Phi) => "fee_phi",
            Self::AgencyFee(_, FeeKind::LePhi) => "fee_le_phi",
            Self::Suspense(_) => "suspense",
            Self::RefundDue(_) => "refund_due",
        }
    }
}

/// One side of an entry: a debit is positive, a credit negative, nothing is never posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Posting {
    /// The account.
    pub account: Account,
    /// The amount.
    pub amount: Money,
}

/// A balanced set of postings, at most one for each account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry(Vec<Posting>);

impl Entry {
    /// Puts postings together: those of one account are added up, those of nothing fall away, and what is left must
    /// sum to zero.
    pub fn new(postings: impl IntoIterator<Item = Posting>) -> Result<Self, Refusal> {
        let mut net: BTreeMap<Account, Money> = BTreeMap::new();
        for posting in postings {
            let sum = match net.get(&posting.account) {
                Some(sum) => sum.plus(posting.amount)?,
                None => posting.amount,
            };
            net.insert(posting.account, sum);
        }
        let postings: Vec<Posting> = net
            .into_iter()
            .filter(|(_, amount)| !amount.is_zero())
            .map(|(account, amount)| Posting { account, amount })
            .collect();
        let first = postings.first().ok_or(Refusal::Empty)?;
        let sum = Money::sum(first.amount.currency(), postings.iter().map(|p| p.amount))?;
        if sum.is_zero() { Ok(Self(postings)) } else { Err(Refusal::Unbalanced) }
    }

    /// The postings, by account.
    pub fn postings(&self) -> &[Posting] {
        &self.0
    }
}

/// The entry of a paid bill: the money is in the bank account, and belongs to the agency by kind of fee.
pub fn settled(
    account: Id<BankAccount>,
    agency: Id<Agency>,
    shares: &[(FeeKind, Money)],
) -> Result<Entry, Refusal> {
    let mut postings = Vec::with_capacity(2 * shares.len());
    for &(kind, amount) in shares {
        postings.push(Posting { account: Account::Clearing(account), amount });
        postings.push(Posting { account: Account::AgencyFee(agency, kind), amount: amount.negated()? });
    }
    Entry::new(postings)
}

/// The entry of money that waits: it is in the bank account, and nobody's yet.
pub fn suspended(account: Id<BankAccount>, amount: Money) -> Result<Entry, Refusal> {
    Entry::new([
        Posting { account: Account::Clearing(account), amount },
        Posting { account: Account::Suspense(account), amount: amount.negated()? },
    ])
}

/// The balance of every account that the entries touch.
pub fn balances<'a>(
    entries: impl IntoIterator<Item = &'a Entry>,
) -> Result<BTreeMap<Account, Money>, Refusal> {
    let mut balances: BTreeMap<Account, Money> = BTreeMap::new();
    for posting in entries.into_iter().flat_map(|entry| &entry.0) {
        let balance = balances.entry(posting.account).or_insert(Money::zero(posting.amount.currency()));
        *balance = balance.plus(posting.amount)?;
    }
    Ok(balances)
}

/// Why postings are not an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nothing is moved.
    #[error("the entry moves nothing")]
    Empty,
    /// Debits and credits differ.
    #[error("the entry does not sum to zero")]
    Unbalanced,
    /// An amount or a sum does not exist.
    #[error(transparent)]
    Money(#[from] MoneyError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{entropy::SeededEntropy, money::Currency};
    use proptest::prelude::*;
    use time::macros::datetime;

    fn id<K: crate::base::id::Kind>(seed: u64) -> Id<K> {
        Id::new(datetime!(2026-11-24 01:00 UTC), &SeededEntropy::new(seed))
    }

    fn any_account() -> impl Strategy<Value = Account> {
        prop_oneof![
            (0..3_u64).prop_map(|n| Account::Clearing(id(n))),
            (0..3_u64).prop_map(|n| Account::AgencyFee(id(n), FeeKind::Phi)),
            (0..3_u64).prop_map(|n| Account::AgencyFee(id(n), FeeKind::LePhi)),
            (0..3_u64).prop_map(|n| Account::Suspense(id(n))),
            (0..3_u64).prop_map(|n| Account::RefundDue(id(n))),
        ]
    }

    /// Either a random set of postings, or one made to balance by a last posting.
    fn any_postings() -> impl Strategy<Value = Vec<Posting>> {
        let posting = (any_account(), -1_000_000_i64..1_000_000)
            .prop_map(|(account, amount)| Posting { account, amount: Money::vnd(amount) });
        (prop::collection::vec(posting, 0..8), any::<bool>(), any_account()).prop_map(
            |(mut postings, balance, account)| {
                if balance {
                    let sum: i64 = postings.iter().map(|p| p.amount.minor()).sum();
                    postings.push(Posting { account, amount: Money::vnd(-sum) });
                }
                postings
            },
        )
    }

    fn sum(postings: &[Posting]) -> Money {
        Money::sum(Currency::Vnd, postings.iter().map(|p| p.amount)).unwrap()
    }

    #[test]
    fn a_paid_bill_and_money_that_waits() {
        let shares = [(FeeKind::Phi, Money::vnd(205_000)), (FeeKind::LePhi, Money::vnd(50_000))];
        let entry = settled(id(1), id(2), &shares).unwrap();
        let expected = [
            (Account::Clearing(id(1)), 255_000),
            (Account::AgencyFee(id(2), FeeKind::Phi), -205_000),
            (Account::AgencyFee(id(2), FeeKind::LePhi), -50_000),
        ];
        let found: Vec<(Account, i64)> =
            entry.postings().iter().map(|p| (p.account, p.amount.minor())).collect();
        assert_eq!(found, expected);
        assert_eq!(settled(id(1), id(2), &[]), Err(Refusal::Empty));
        assert_eq!(suspended(id(1), Money::vnd(0)), Err(Refusal::Empty));
        let lowest = Posting { account: Account::Clearing(id(1)), amount: Money::vnd(i64::MIN) };
        assert_eq!(Entry::new([lowest, lowest]), Err(Refusal::Money(MoneyError::TooLarge)));
    }

    proptest! {
        #[test]
        fn every_entry_sums_to_zero(postings in any_postings()) {
            let balanced = sum(&postings).is_zero();
            match Entry::new(postings) {
                Ok(entry) => {
                    prop_assert!(balanced && sum(entry.postings()).is_zero());
                    prop_assert!(entry.postings().len() >= 2);
                    prop_assert!(entry.postings().windows(2).all(|p| p[0].account < p[1].account));
                }
                Err(Refusal::Empty) => prop_assert!(balanced),
                Err(refusal) => prop_assert!(!balanced && refusal == Refusal::Unbalanced),
            }
        }

        #[test]
        fn balances_equal_the_fold(sets in prop::collection::vec(any_postings(), 0..20)) {
            let entries: Vec<Entry> = sets.into_iter().filter_map(|set| Entry::new(set).ok()).collect();
            let balances = balances(&entries).unwrap();
            prop_assert_eq!(balances.values().map(|b| b.minor()).sum::<i64>(), 0);
            for (account, balance) in balances {
                let fold: i64 = entries
                    .iter()
                    .flat_map(|entry| entry.postings())
                    .filter(|posting| posting.account == account)
                    .map(|posting| posting.amount.minor())
                    .sum();
                prop_assert_eq!(balance, Money::vnd(fold));
            }
        }
    }
}
