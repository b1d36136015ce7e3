//! Which money of a paid line goes back: of phí the kept part and the rest, each by where it lies. A refund is of money in one
//! place; what lies in several is divided, a refund for each.
//!
//! The kept part goes back in proportion to all that went back of its line, as far as both parts still hold enough, so that many
//! small refunds give back exactly what was kept.

use super::{bill::BillLine, refund::Refusal};
use crate::base::{
    id::{Id, Payout},
    money::{Money, MoneyError},
};
use std::collections::BTreeMap;

/// Where money of a paid line lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Where it came: in the collecting account, or at a desk.
    Here,
    /// At the Treasury, by that order of ours.
    Treasury(Id<Payout>),
    /// In an account of somebody else: of a seller, or of whoever pays sellers.
    Elsewhere,
}

/// A paid line: what was charged, what is promised back of it by now, and where its two parts lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// What was charged.
    pub charged: Money,
    /// The part of it that the agency keeps.
    pub retained: Money,
    /// What is promised back of the line.
    pub back: Money,
    /// What of that comes out of the kept part.
    pub kept_back: Money,
    /// Where the kept part lies.
    pub kept_lies: Place,
    /// Where the rest lies.
    pub rest_lies: Place,
}

/// What goes back of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Its place on the bill.
    pub line: i16,
    /// What was charged.
    pub charged: Money,
    /// How much goes back.
    pub amount: Money,
    /// How much of that comes out of the kept part.
    pub kept: Money,
}

impl Share {
    /// An amount of a line that nothing has gone back of, and all of which lies where it came.
    pub fn of(line: i16, paid: &BillLine, amount: Money) -> Result<Self, MoneyError> {
        let nothing = Money::vnd(0);
        let held = Held {
            charged: paid.amount,
            retained: paid.retained,
            back: nothing,
            kept_back: nothing,
            kept_lies: Place::Here,
            rest_lies: Place::Here,
        };
        Ok(Self { line, charged: paid.amount, amount, kept: held.kept_of(amount)? })
    }

    /// At most so much of it; the kept part in proportion, rounded down.
    fn first(self, most: Money) -> Result<Self, MoneyError> {
        let amount = Money::vnd(self.amount.minor().min(most.minor()));
        let kept = i128::from(self.kept.minor()) * i128::from(amount.minor())
            / i128::from(self.amount.minor()).max(1);
        let kept = Money::vnd(i64::try_from(kept).map_err(|_| MoneyError::TooLarge)?);
        Ok(Self { amount, kept, ..self })
    }
}

impl Held {
    /// What it still holds.
    pub fn left(&self) -> Result<Money, MoneyError> {
        self.charged.minus(self.back)
    }

    /// How much of an amount, which the line still holds, comes out of its kept part.
    pub fn kept_of(&self, amount: Money) -> Result<Money, MoneyError> {
        let kept_left = self.retained.minus(self.kept_back)?.minor();
        let rest_left = self.left()?.minor() - kept_left;
        let upto = i128::from(self.back.plus(amount)?.minor());
        let due = i128::from(self.retained.minor()) * upto / i128::from(self.charged.minor()).max(1);
        let due = i64::try_from(due).map_err(|_| MoneyError::TooLarge)? - self.kept_back.minor();
        let (least, most) = ((amount.minor() - rest_left).max(0), kept_left.min(amount.minor()));
        Ok(Money::vnd(due.min(most).max(least)))
    }
}

/// Of money that came partly by a transfer: what of it goes back to the account that it came from, and what in cash. The
/// transfer's money goes first, as far as it is still there: nobody has to come for it.
pub fn by_transfer(shares: Vec<Share>, mut left: Money) -> Result<(Vec<Share>, Vec<Share>), MoneyError> {
    let (mut by_transfer, mut in_cash) = (Vec::new(), Vec::new());
    for share in shares {
        let first = share.first(left)?;
        let rest =
            Share { amount: share.amount.minus(first.amount)?, kept: share.kept.minus(first.kept)?, ..share };
        left = left.minus(first.amount)?;
        by_transfer.extend(Some(first).filter(|part| part.amount.is_positive()));
        in_cash.extend(Some(rest).filter(|part| part.amount.is_positive()));
    }
    Ok((by_transfer, in_cash))
}

/// What goes back of each line, by where it lies. Money of somebody else's account is theirs to give back.
pub fn by_place(lines: &[(i16, Held, Money)]) -> Result<BTreeMap<Place, Vec<Share>>, Refusal> {
    let mut places: BTreeMap<Place, Vec<Share>> = BTreeMap::new();
    let nothing = Money::vnd(0);
    for (line, held, amount) in lines.iter().filter(|line| line.2.is_positive()) {
        let kept = held.kept_of(*amount).map_err(|_| Refusal::MoreThanCame)?;
        let rest = amount.minus(kept).map_err(|_| Refusal::MoreThanCame)?;
        let mut add = |place, amount, kept| {
            let share = Share { line: *line, charged: held.charged, amount, kept };
            places.entry(place).or_default().push(share);
        };
        if held.kept_lies == held.rest_lies || !kept.is_positive() {
            add(held.rest_lies, *amount, kept);
        } else {
            add(held.kept_lies, kept, kept);
            if rest.is_positive() {
                add(held.rest_lies, rest, nothing);
            }
        }
    }
    if places.contains_key(&Place::Elsewhere) {
        return Err(Refusal::LiesElsewhere);
    }
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::entropy::SeededEntropy;
    use proptest::prelude::*;
    use time::macros::datetime;

    fn order(seed: u64) -> Place {
        Place::Treasury(Id::new(datetime!(2026-11-27 02:00 UTC), &SeededEntropy::new(seed)))
    }

    fn held(charged: i64, retained: i64, (rest_lies, kept_lies): (Place, Place)) -> Held {
        let nothing = Money::vnd(0);
        Held {
            charged: Money::vnd(charged),
            retained: Money::vnd(retained),
            back: nothing,
            kept_back: nothing,
            kept_lies,
            rest_lies,
        }
    }

    fn sums(found: &BTreeMap<Place, Vec<Share>>) -> Vec<(Place, i64, i64)> {
        let sum = |shares: &[Share], of: fn(&Share) -> Money| shares.iter().map(|s| of(s).minor()).sum();
        found.iter().map(|(at, s)| (*at, sum(s, |s| s.amount), sum(s, |s| s.kept))).collect()
    }

    #[test]
    fn each_part_goes_back_from_where_it_lies() {
        let (budget, kept) = (order(1), order(2));
        let le_phi = held(50_000, 0, (budget, Place::Here));
        let phi = held(100_000, 75_000, (Place::Here, Place::Here));
        let of = |lines: &[(Held, i64)]| {
            let lines: Vec<_> =
                (0_i16..).zip(lines).map(|(at, line)| (at, line.0, Money::vnd(line.1))).collect();
            by_place(&lines).map(|found| sums(&found))
        };
        assert_eq!(of(&[(le_phi, 0), (phi, 10_000)]), Ok(vec![(Place::Here, 10_000, 7_500)]));
        assert_eq!(of(&[(le_phi, 50_000), (phi, 1)]), Ok(vec![(Place::Here, 1, 0), (budget, 50_000, 0)]));
        let apart = held(100_000, 75_000, (budget, Place::Here));
        assert_eq!(of(&[(apart, 100_000)]), Ok(vec![(Place::Here, 75_000, 75_000), (budget, 25_000, 0)]));
        let gone = held(100_000, 75_000, (budget, kept));
        assert_eq!(of(&[(gone, 4)]).unwrap().len(), 2);
        let sold = held(9_000, 0, (Place::Elsewhere, Place::Here));
        assert_eq!(of(&[(sold, 9_000), (le_phi, 1)]), Err(Refusal::LiesElsewhere));
        assert_eq!(of(&[(sold, 0), (le_phi, 1)]), Ok(vec![(budget, 1, 0)]));
    }

    proptest! {
        #[test]
        fn what_came_by_transfer_goes_back_first_and_nothing_is_lost_between_the_two(
            lines in prop::collection::vec((1_i64..1_000_000, 0_i64..=100), 1..6), left in 0_i64..3_000_000,
        ) {
            let shares: Vec<Share> = (0_i16..).zip(&lines).map(|(line, (amount, pct))| Share {
                line, charged: Money::vnd(*amount), amount: Money::vnd(*amount), kept: Money::vnd(amount * pct / 100),
            }).collect();
            let total: i64 = lines.iter().map(|line| line.0).sum();
            let (back, cash) = by_transfer(shares.clone(), Money::vnd(left)).unwrap();
            prop_assert_eq!(back.iter().map(|share| share.amount.minor()).sum::<i64>(), left.min(total));
            for share in &shares {
                let of = |parts: &[Share], sum: fn(&Share) -> Money| -> i64 {
                    parts.iter().filter(|part| part.line == share.line).map(|part| sum(part).minor()).sum()
                };
                prop_assert_eq!(of(&back, |s| s.amount) + of(&cash, |s| s.amount), share.amount.minor());
                prop_assert_eq!(of(&back, |s| s.kept) + of(&cash, |s| s.kept), share.kept.minor());
            }
            for part in back.iter().chain(&cash) {
                prop_assert!(part.amount.is_positive() && (0..=part.amount.minor()).contains(&part.kept.minor()));
            }
        }

        #[test]
        fn no_part_gives_more_than_it_holds_whatever_is_declined(
            charged in 1_i64..1_000_000, pct in 0_i64..=100, asked in prop::collection::vec((0_i64..=100, 0_u8..4), 1..12),
        ) {
            let mut line = held(charged, charged * pct / 100, (order(1), Place::Here));
            let whole = [(100, 0)];
            for (cut, declined_part) in asked.iter().chain(&whole) {
                let left = line.left().unwrap();
                let found = by_place(&[(0, line, Money::vnd(left.minor() * cut / 100))]).unwrap();
                for (at, share) in found.into_values().flatten().enumerate() {
                    // Some are declined, and asked for again in the end.
                    if usize::from(*declined_part) == at + 1 {
                        continue;
                    }
                    line.back = line.back.plus(share.amount).unwrap();
                    line.kept_back = line.kept_back.plus(share.kept).unwrap();
                }
                let rest_back = line.back.minor() - line.kept_back.minor();
                prop_assert!((0..=line.retained.minor()).contains(&line.kept_back.minor()));
                prop_assert!((0..=charged - line.retained.minor()).contains(&rest_back));
            }
            prop_assert_eq!((line.back, line.kept_back), (line.charged, line.retained));
        }
    }
}
