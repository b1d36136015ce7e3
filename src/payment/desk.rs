//! Money at a cashier's desk: what a payment moves in the books, how long cash may lie in a till, and what a card company
//! may keep.

use super::ledger::{Account, Entry, Part, Posting, Refusal as Unbooked, settled};
use crate::base::{
    clock::Instant,
    id::{Account as BankAccount, Agency, Drawer, Id},
    money::Money,
};
use std::collections::BTreeMap;

/// How a bill is paid at a desk: the parts add up to what it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paid {
    /// In cash.
    pub cash: Money,
    /// By card.
    pub card: Money,
    /// By a transfer that came before with too little.
    pub transfer: Option<Transferred>,
}

/// A transfer that waits in suspense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transferred {
    /// The account that it came into.
    pub account: Id<BankAccount>,
    /// Whose account that is.
    pub owner: Id<Agency>,
    /// How much.
    pub amount: Money,
}

impl Paid {
    /// Whether it is exactly the total, with nothing below zero and something taken at the desk.
    pub fn is(&self, total: Money) -> bool {
        let transfer = self.transfer.map_or(Money::vnd(0), |t| t.amount);
        let positive = self.cash.minor() >= 0 && self.card.minor() >= 0 && transfer.minor() >= 0;
        let sum = self.cash.plus(self.card);
        positive && sum.is_ok_and(|sum| sum.is_positive() && sum.plus(transfer) == Ok(total))
    }

    /// The word for it on the payment and its receipts.
    pub fn method(&self) -> &'static str {
        match (self.cash.is_positive(), self.card.is_positive(), self.transfer.is_some()) {
            (true, true, true) => "CASH+CARD+TRANSFER",
            (true, true, false) => "CASH+CARD",
            (true, false, true) => "CASH+TRANSFER",
            (false, true, true) => "CARD+TRANSFER",
            (false, true, false) => "CARD",
            (true, false, false) | (false, false, _) => "CASH",
        }
    }
}

/// What the tills of `desk` owe other agencies of a bill with these parts. What a transfer brought into an agency's own
/// account is owed to nobody any more; none when it brought more than that agency gets.
pub fn owed(
    desk: Id<Agency>,
    parts: &[Part],
    transfer: Option<Transferred>,
) -> Option<BTreeMap<Id<Agency>, Money>> {
    let mut owed: BTreeMap<Id<Agency>, Money> = BTreeMap::new();
    for part in parts.iter().filter(|part| part.agency != desk) {
        let sum = owed.get(&part.agency).map_or(Ok(part.amount), |sum| sum.plus(part.amount)).ok()?;
        owed.insert(part.agency, sum);
    }
    if let Some(transfer) = transfer.filter(|transfer| transfer.owner != desk) {
        let rest = owed.get(&transfer.owner)?.minus(transfer.amount).ok()?;
        if rest.minor() < 0 {
            return None;
        }
        owed.insert(transfer.owner, rest);
    }
    owed.retain(|_, amount| amount.is_positive());
    Some(owed)
}

/// The entry of a bill that is paid at a till of `desk`: the beneficiaries have their fees, and whoever is not the desk's
/// agency is owed them by it, so that the books of each agency balance for themselves.
pub fn taken(
    (desk, till): (Id<Agency>, Id<Drawer>),
    parts: &[Part],
    owed: &BTreeMap<Id<Agency>, Money>,
) -> Result<Entry, Unbooked> {
    let entry = settled(Account::CashDrawer(desk, till), parts)?;
    let mut postings = entry.postings().to_vec();
    for (owner, amount) in owed {
        postings.push(Posting { account: Account::OwedByDesk(*owner, desk), amount: *amount });
        postings.push(Posting { account: Account::DeskOwes(desk, *owner), amount: amount.negated()? });
    }
    Entry::new(postings)
}

/// The entry of what of a payment is no cash; none where all is.
pub fn not_cash((desk, till): (Id<Agency>, Id<Drawer>), paid: &Paid) -> Result<Option<Entry>, Unbooked> {
    let mut postings = Vec::new();
    let mut leaves = |account, amount: Money| -> Result<(), Unbooked> {
        postings.push(Posting { account, amount });
        postings.push(Posting { account: Account::CashDrawer(desk, till), amount: amount.negated()? });
        Ok(())
    };
    leaves(Account::CardReceivable(desk), paid.card)?;
    if let Some(transfer) = paid.transfer {
        leaves(Account::Suspense(transfer.account), transfer.amount)?;
    }
    match Entry::new(postings) {
        Err(Unbooked::Empty) => Ok(None),
        entry => entry.map(Some),
    }
}

/// The entry of cash that leaves a till for the bank account of `to`; where that is another agency, the desk owes it so
/// much less.
pub fn carried(
    (desk, till): (Id<Agency>, Id<Drawer>),
    to: Id<Agency>,
    amount: Money,
) -> Result<Entry, Unbooked> {
    brought(Account::CashDrawer(desk, till), desk, to, amount)
}

/// The entry of what a desk had taken for another agency and its bank has transferred from `from` to that agency's account:
/// the desk owes it so much less, and it is on its way until a statement shows it there.
pub fn transferred(
    from: Id<BankAccount>,
    desk: Id<Agency>,
    to: Id<Agency>,
    amount: Money,
) -> Result<Entry, Unbooked> {
    brought(Account::Clearing(from), desk, to, amount)
}

fn brought(from: Account, desk: Id<Agency>, to: Id<Agency>, amount: Money) -> Result<Entry, Unbooked> {
    let mut postings = vec![
        Posting { account: Account::CashInTransit(to), amount },
        Posting { account: from, amount: amount.negated()? },
    ];
    if to != desk {
        postings.push(Posting { account: Account::DeskOwes(desk, to), amount });
        postings.push(Posting { account: Account::OwedByDesk(to, desk), amount: amount.negated()? });
    }
    Entry::new(postings)
}

/// The greatest discount that a card company may keep without another document, in thousandths.
pub const DISCOUNT_MAX_PERMILLE: i64 = 50;

/// What a card company kept of slips for which it paid `came`; none where it paid too much, or kept more than
/// [`DISCOUNT_MAX_PERMILLE`].
pub fn discount(slips: Money, came: Money) -> Option<Money> {
    let kept = slips.minus(came).ok()?;
    let most = i128::from(slips.minor()) * i128::from(DISCOUNT_MAX_PERMILLE) / 1_000;
    (came.is_positive() && kept.minor() >= 0 && i128::from(kept.minor()) <= most).then_some(kept)
}

/// Since when cash lies in a till: the oldest receipt of cash that what left it has not covered yet, first in first out.
/// `taken` is in the order of time.
pub fn kept_since(taken: &[(Instant, Money)], left: Money) -> Option<Instant> {
    let mut covered = left.minor();
    taken.iter().find_map(|(at, amount)| {
        covered = covered.saturating_sub(amount.minor());
        (covered < 0).then_some(*at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::entropy::SeededEntropy;
    use crate::payment::fee::FeeKind;
    use proptest::prelude::*;
    use time::macros::datetime;

    fn id<K: crate::base::id::Kind>(seed: u64) -> Id<K> {
        Id::new(datetime!(2026-11-24 01:00 UTC), &SeededEntropy::new(seed))
    }

    fn agency_of(account: Account) -> Id<Agency> {
        match account {
            Account::CashDrawer(agency, _)
            | Account::AgencyFee(agency, _)
            | Account::Retained(agency)
            | Account::CardReceivable(agency)
            | Account::CashInTransit(agency)
            | Account::DeskOwes(agency, _)
            | Account::OwedByDesk(agency, _) => agency,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_parts_are_exactly_the_total_and_something_is_taken_here() {
        let paid = |cash, card, transfer: i64| Paid {
            cash: Money::vnd(cash),
            card: Money::vnd(card),
            transfer: (transfer != 0).then(|| Transferred {
                account: id(1),
                owner: id(2),
                amount: Money::vnd(transfer),
            }),
        };
        for (paid, fits, method) in [
            (paid(10, 0, 0), true, "CASH"),
            (paid(0, 10, 0), true, "CARD"),
            (paid(3, 7, 0), true, "CASH+CARD"),
            (paid(3, 3, 4), true, "CASH+CARD+TRANSFER"),
            (paid(3, 0, 7), true, "CASH+TRANSFER"),
            (paid(0, 3, 7), true, "CARD+TRANSFER"),
            (paid(0, 0, 10), false, "CASH"),
            (paid(11, -1, 0), false, "CASH"),
            (paid(9, 0, 0), false, "CASH"),
        ] {
            assert_eq!((paid.is(Money::vnd(10)), paid.method()), (fits, method), "{paid:?}");
        }
    }

    proptest! {
        #[test]
        fn the_books_of_each_agency_balance_for_themselves(
            own in 1i64..500, theirs in 1i64..500, others in 1i64..500, carried_on in 1i64..500,
        ) {
            let (desk, till): (Id<Agency>, Id<Drawer>) = (id(1), id(9));
            let part = |seed, amount| Part {
                agency: id(seed), kind: FeeKind::Phi, amount: Money::vnd(amount), retained: Money::vnd(amount / 2),
            };
            let parts = [part(1, own), part(2, theirs), part(3, others)];
            let debts = owed(desk, &parts, None).unwrap();
            prop_assert_eq!(debts.get(&id(2)), Some(&Money::vnd(theirs)));
            let entries = [
                taken((desk, till), &parts, &debts).unwrap(),
                carried((desk, till), id(2), Money::vnd(carried_on)).unwrap(),
            ];
            for entry in entries {
                let mut sums: BTreeMap<Id<Agency>, i64> = BTreeMap::new();
                for posting in entry.postings() {
                    *sums.entry(agency_of(posting.account)).or_default() += posting.amount.minor();
                }
                prop_assert!(sums.values().all(|sum| *sum == 0), "{:?}", sums);
            }
        }
    }

    #[test]
    fn a_transfer_into_the_owners_account_is_owed_no_more() {
        let part = |amount| [Part { agency: id(2), kind: FeeKind::Phi, amount, retained: Money::vnd(0) }];
        let transfer = |owner, amount| Some(Transferred { account: id(7), owner: id(owner), amount });
        let (ten, four) = (Money::vnd(10), Money::vnd(4));
        let desk = id(1);
        assert_eq!(owed(desk, &part(ten), transfer(2, four)), Some([(id(2), Money::vnd(6))].into()));
        assert_eq!(owed(desk, &part(ten), transfer(1, four)), Some([(id(2), ten)].into()));
        assert_eq!(owed(desk, &part(ten), transfer(2, ten)), Some(BTreeMap::new()));
        assert_eq!(owed(desk, &part(four), transfer(2, ten)), None);
        assert_eq!(owed(desk, &part(ten), transfer(3, four)), None);
    }

    #[test]
    fn a_card_company_keeps_a_little_and_cash_ages_first_in_first_out() {
        let discounts = |slips, came| discount(Money::vnd(slips), Money::vnd(came)).map(|d| d.minor());
        assert_eq!(discounts(200_000, 198_000), Some(2_000));
        assert_eq!(discounts(200_000, 200_000), Some(0));
        assert_eq!(discounts(200_000, 190_000), Some(10_000));
        assert_eq!(discounts(200_000, 189_999), None);
        assert_eq!(discounts(200_000, 200_001), None);
        let (one, two) = (datetime!(2026-11-24 01:00 UTC), datetime!(2026-11-25 01:00 UTC));
        let taken = [(one, Money::vnd(10)), (two, Money::vnd(5))];
        assert_eq!(kept_since(&taken, Money::vnd(0)), Some(one));
        assert_eq!(kept_since(&taken, Money::vnd(9)), Some(one));
        assert_eq!(kept_since(&taken, Money::vnd(10)), Some(two));
        assert_eq!(kept_since(&taken, Money::vnd(15)), None);
        assert_eq!(kept_since(&[], Money::vnd(0)), None);
    }
}
