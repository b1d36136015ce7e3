//! The books: double entry, append only.
//!
//! An [`Entry`] can only be built when its postings sum to zero, and is never changed; balances are folded from
//! entries and stand nowhere. A debit is positive: money in a bank account is a debit balance, what belongs to an
//! agency or must be given back is a credit balance.

use super::fee::FeeKind;
use crate::base::{
    id::{Account as BankAccount, Agency, Drawer, Id},
    money::{Money, MoneyError},
};
use std::collections::BTreeMap;

/// An account of the books.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Account {
    /// The money that lies in a real bank account, as its statement must show.
    Clearing(Id<BankAccount>),
    /// What was collected for an agency and goes to the budget, by kind of fee.
    AgencyFee(Id<Agency>, FeeKind),
    /// The part of phí that the collecting agency keeps.
    Retained(Id<Agency>),
    /// Money in a bank account that has not found its bill.
    Suspense(Id<BankAccount>),
    /// What an agency owes back to payers.
    RefundDue(Id<Agency>),
    /// Money that nobody claimed and that a decision handed to the budget.
    Unclaimed(Id<Agency>),
    /// What banks keep for their service: a cost of the agency.
    BankCharges(Id<Agency>),
    /// What card companies keep: a cost of the agency.
    CardDiscount(Id<Agency>),
    /// What card companies owe to an agency until they pay.
    CardReceivable(Id<Agency>),
    /// What a bank showed in an account and then took back: owed by the bank until it is shown again.
    BankClaim(Id<BankAccount>),
    /// Cash in one till of an agency.
    CashDrawer(Id<Agency>, Id<Drawer>),
    /// Cash on its way from the tills of an agency to the bank.
    CashInTransit(Id<Agency>),
    /// What counting the tills of an agency found too much (credit) or too little (debit).
    CashDifference(Id<Agency>),
    /// What the tills of the first agency took for the second, and owe it.
    DeskOwes(Id<Agency>, Id<Agency>),
    /// The same as the first agency sees it, whose money lies in the tills of the second.
    OwedByDesk(Id<Agency>, Id<Agency>),
}

/// What an account's balance is, for the reader of a trial balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nature {
    /// Money that is somewhere: a statement or a count must show it.
    Money,
    /// Money that belongs to somebody else.
    Owed,
    /// A cost, or a gain where it is in credit.
    Cost,
}

impl Account {
    /// The word for its type in rows and reports.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Clearing(_) => "clearing",
            Self::AgencyFee(_, FeeKind::Phi) => "fee_phi",
            Self::AgencyFee(_, FeeKind::LePhi) => "fee_le_phi",
            Self::AgencyFee(_, FeeKind::Tax) => "fee_tax",
            Self::AgencyFee(_, FeeKind::Service) => "fee_service",
            Self::Retained(_) => "fee_phi_retained",
            Self::Suspense(_) => "suspense",
            Self::RefundDue(_) => "refund_due",
            Self::Unclaimed(_) => "unclaimed",
            Self::BankCharges(_) => "bank_charges",
            Self::CardDiscount(_) => "card_discount",
            Self::CardReceivable(_) => "card_receivable",
            Self::BankClaim(_) => "bank_claim",
            Self::CashDrawer(_, _) => "cash_drawer",
            Self::CashInTransit(_) => "cash_in_transit",
            Self::CashDifference(_) => "cash_difference",
            Self::DeskOwes(_, _) => "desk_owes",
            Self::OwedByDesk(_, _) => "owed_by_desk",
        }
    }

    /// What its balance is.
    pub const fn nature(self) -> Nature {
        match self {
            Self::Clearing(_)
            | Self::CardReceivable(_)
            | Self::BankClaim(_)
            | Self::OwedByDesk(_, _)
            | Self::CashDrawer(_, _)
            | Self::CashInTransit(_) => Nature::Money,
            Self::AgencyFee(_, _)
            | Self::Retained(_)
            | Self::Suspense(_)
            | Self::RefundDue(_)
            | Self::DeskOwes(_, _)
            | Self::Unclaimed(_) => Nature::Owed,
            Self::BankCharges(_) | Self::CardDiscount(_) | Self::CashDifference(_) => Nature::Cost,
        }
    }

    /// The accounts that every collecting agency has.
    pub const fn of_agency(agency: Id<Agency>) -> [Self; 9] {
        [
            Self::AgencyFee(agency, FeeKind::Phi),
            Self::AgencyFee(agency, FeeKind::LePhi),
            Self::AgencyFee(agency, FeeKind::Tax),
            Self::AgencyFee(agency, FeeKind::Service),
            Self::Retained(agency),
            Self::RefundDue(agency),
            Self::Unclaimed(agency),
            Self::BankCharges(agency),
            Self::CardDiscount(agency),
        ]
    }
}

/// What one agency gets of one kind of fee.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// The beneficiary.
    pub agency: Id<Agency>,
    /// Of which kind.
    pub kind: FeeKind,
    /// How much, the retained part included.
    pub amount: Money,
    /// What of it the agency keeps; nothing of a lệ phí.
    pub retained: Money,
}

impl Part {
    /// The two sides of the agency's books that it touches, as credits.
    fn credits(&self) -> Result<[Posting; 2], Refusal> {
        let remitted = self.amount.minus(self.retained)?;
        Ok([
            Posting { account: Account::AgencyFee(self.agency, self.kind), amount: remitted.negated()? },
            Posting { account: Account::Retained(self.agency), amount: self.retained.negated()? },
        ])
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

/// The entry of a paid bill: the money is in `into` (a bank account or a till), and belongs to each beneficiary by
/// kind of fee, the kept part apart.
pub fn settled(into: Account, parts: &[Part]) -> Result<Entry, Refusal> {
    settled_net(into, parts, None)
}

/// The same where `charge` was kept on the way by a bank or a card company: the bill is paid in full, and what is
/// missing is a cost on its own account.
pub fn settled_net(
    into: Account,
    parts: &[Part],
    charge: Option<(Account, Money)>,
) -> Result<Entry, Refusal> {
    let mut postings = Vec::with_capacity(3 * parts.len() + 1);
    for part in parts {
        postings.push(Posting { account: into, amount: part.amount });
        postings.extend(part.credits()?);
    }
    if let Some((account, amount)) = charge {
        postings.push(Posting { account, amount });
        postings.push(Posting { account: into, amount: amount.negated()? });
    }
    Entry::new(postings)
}

/// The entry of money that waits: it is in the bank account, and nobody's yet.
pub fn suspended(account: Id<BankAccount>, amount: Money) -> Result<Entry, Refusal> {
    moved(Account::Suspense(account), Account::Clearing(account), amount)
}

/// The entry of a decision that fees must be given back: what belonged to the beneficiaries is owed to the payer by
/// `agency`.
pub fn refund_owed(agency: Id<Agency>, parts: &[Part]) -> Result<Entry, Refusal> {
    let mut postings = Vec::with_capacity(3 * parts.len());
    for part in parts {
        for credit in part.credits()? {
            postings.push(Posting { amount: credit.amount.negated()?, ..credit });
        }
        postings.push(Posting { account: Account::RefundDue(agency), amount: part.amount.negated()? });
    }
    Entry::new(postings)
}

/// The entry that debits `to` and credits `from`. Money of ours that moves, as cash on its way, leaves `from` for `to`;
/// what is owed changes its creditor from `to` to `from`, as when suspense is released: `moved(refund_due, suspense)`.
pub fn moved(from: Account, to: Account, amount: Money) -> Result<Entry, Refusal> {
    Entry::new([Posting { account: to, amount }, Posting { account: from, amount: amount.negated()? }])
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
            (0..3_u64).prop_map(|n| Account::CashDrawer(id(n), id(n + 1))),
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
        let part = |kind, amount, retained| Part {
            agency: id(2),
            kind,
            amount: Money::vnd(amount),
            retained: Money::vnd(retained),
        };
        let parts = [part(FeeKind::Phi, 205_000, 153_750), part(FeeKind::LePhi, 50_000, 0)];
        let found = |entry: Entry| -> Vec<(Account, i64)> {
            entry.postings().iter().map(|p| (p.account, p.amount.minor())).collect()
        };
        let clearing = Account::Clearing(id(1));
        let expected = [
            (clearing, 255_000),
            (Account::AgencyFee(id(2), FeeKind::Phi), -51_250),
            (Account::AgencyFee(id(2), FeeKind::LePhi), -50_000),
            (Account::Retained(id(2)), -153_750),
        ];
        assert_eq!(found(settled(clearing, &parts).unwrap()), expected);
        let charge = Some((Account::BankCharges(id(2)), Money::vnd(3_300)));
        let net = found(settled_net(clearing, &parts, charge).unwrap());
        assert!(net.contains(&(clearing, 251_700)) && net.contains(&(Account::BankCharges(id(2)), 3_300)));
        let back = found(refund_owed(id(2), &parts).unwrap());
        assert!(back.contains(&(Account::RefundDue(id(2)), -255_000)));
        assert!(back.contains(&(Account::Retained(id(2)), 153_750)));
        assert_eq!(settled(clearing, &[]), Err(Refusal::Empty));
        assert_eq!(suspended(id(1), Money::vnd(0)), Err(Refusal::Empty));
        assert_eq!(
            found(suspended(id(1), Money::vnd(7)).unwrap()),
            [(clearing, 7), (Account::Suspense(id(1)), -7)]
        );
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
