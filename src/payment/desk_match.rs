//! Which credit a bank's slip, or the card slips of a day, turned out to be: proposed where exactly one fits, by owner, amount
//! and day, and left to people in any other case. A proposal moves nothing; somebody who did not carry the cash confirms it.

use super::desk::discount;
use crate::base::{
    calendar::Day,
    id::{Agency, Case, Id, Payment},
    money::{Currency, Money},
};
use std::collections::BTreeMap;

/// How many days after it was carried a slip's money may come.
pub const SLIP_DAYS_MAX: i64 = 5;
/// How many days after their day a card company may pay its slips.
pub const CARD_DAYS_MAX: i64 = 10;

/// A credit that waits for an explanation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Came {
    /// The case that names it.
    pub case: Id<Case>,
    /// Whose accounting.
    pub agency: Id<Agency>,
    /// How much.
    pub amount: Money,
    /// When.
    pub day: Day,
}

/// A bank's slip that waits, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// Into whose account.
    pub agency: Id<Agency>,
    /// Its number.
    pub slip: String,
    /// What stands on it.
    pub amount: Money,
    /// When the last of it was carried.
    pub day: Day,
}

/// A card slip that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charged {
    /// Its payment.
    pub payment: Id<Payment>,
    /// Whose desk.
    pub agency: Id<Agency>,
    /// How much.
    pub amount: Money,
    /// When.
    pub day: Day,
}

/// What a credit may have been.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// That slip of the bank.
    Slip(String),
    /// The card slips of a day, less the discount.
    Cards(Vec<Id<Payment>>, Money),
}

/// A proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// The credit.
    pub case: Id<Case>,
    /// What it was.
    pub what: What,
}

/// What is proposed, in the order of the credits: nothing for a credit that two things fit, nor for a thing that fits two
/// credits.
pub fn propose(came: &[Came], carried: &[Carried], charged: &[Charged]) -> Vec<Proposal> {
    let days = days(charged);
    let fits: Vec<Vec<usize>> = came
        .iter()
        .map(|came| {
            let slips = carried.iter().enumerate().filter(|(_, slip)| is_slip(came, slip)).map(|(at, _)| at);
            let cards = days.iter().enumerate().filter(|(_, day)| kept(came, day).is_some());
            slips.chain(cards.map(|(at, _)| carried.len() + at)).collect()
        })
        .collect();
    let claims = |thing: usize| fits.iter().filter(|fits| fits.contains(&thing)).count();
    let one = |(came, fits): (&Came, &Vec<usize>)| {
        let [thing] = fits.as_slice() else { return None };
        if claims(*thing) != 1 {
            return None;
        }
        let what = match carried.get(*thing) {
            Some(slip) => What::Slip(slip.slip.clone()),
            None => {
                let day = days.get(thing - carried.len())?;
                What::Cards(day.iter().map(|slip| slip.payment).collect(), kept(came, day)?)
            }
        };
        Some(Proposal { case: came.case, what })
    };
    came.iter().zip(&fits).filter_map(one).collect()
}

/// The card slips of each desk's day.
fn days(charged: &[Charged]) -> Vec<Vec<Charged>> {
    let mut days: BTreeMap<(Id<Agency>, Day), Vec<Charged>> = BTreeMap::new();
    for slip in charged {
        days.entry((slip.agency, slip.day)).or_default().push(*slip);
    }
    days.into_values().collect()
}

fn is_slip(came: &Came, slip: &Carried) -> bool {
    let after = slip.day.days_until(came.day);
    (came.agency, came.amount) == (slip.agency, slip.amount) && (0..=SLIP_DAYS_MAX).contains(&after)
}

/// What a card company kept if that credit paid for the slips of that day.
fn kept(came: &Came, day: &[Charged]) -> Option<Money> {
    let first = day.first()?;
    let after = first.day.days_until(came.day);
    let sum = Money::sum(Currency::Vnd, day.iter().map(|slip| slip.amount)).ok()?;
    let fits = came.agency == first.agency && (0..=CARD_DAYS_MAX).contains(&after);
    discount(sum, came.amount).filter(|_| fits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::entropy::SeededEntropy;
    use time::macros::datetime;

    fn day(day: u8) -> Day {
        Day::new(2026, 11, day).unwrap()
    }

    struct Names(SeededEntropy);

    impl Names {
        fn id<T: crate::base::id::Kind>(&self) -> Id<T> {
            Id::new(datetime!(2026-11-24 02:00 UTC), &self.0)
        }
    }

    #[test]
    fn exactly_one_is_proposed_and_nothing_where_two_fit() {
        let names = Names(SeededEntropy::new(1));
        let (own, other): (Id<Agency>, Id<Agency>) = (names.id(), names.id());
        let came =
            |agency, amount, on| Came { case: names.id(), agency, amount: Money::vnd(amount), day: day(on) };
        let slip = |number: &str, amount, on| Carried {
            agency: own,
            slip: number.to_owned(),
            amount: Money::vnd(amount),
            day: day(on),
        };
        let card = |amount, on| Charged {
            payment: names.id(),
            agency: own,
            amount: Money::vnd(amount),
            day: day(on),
        };
        let credit = came(own, 410_000, 25);
        let found = propose(&[credit], &[slip("NT-1", 410_000, 24)], &[]);
        assert_eq!(found, [Proposal { case: credit.case, what: What::Slip("NT-1".to_owned()) }]);
        for (credits, slips) in [
            // Another amount, another owner, before it was carried, long after.
            (vec![came(own, 409_999, 25)], vec![slip("NT-1", 410_000, 24)]),
            (vec![came(other, 410_000, 25)], vec![slip("NT-1", 410_000, 24)]),
            (vec![came(own, 410_000, 23)], vec![slip("NT-1", 410_000, 24)]),
            (vec![came(own, 410_000, 30)], vec![slip("NT-1", 410_000, 24)]),
            // Two slips for one credit, two credits for one slip.
            (vec![credit], vec![slip("NT-1", 410_000, 24), slip("NT-2", 410_000, 24)]),
            (vec![credit, came(own, 410_000, 26)], vec![slip("NT-1", 410_000, 24)]),
        ] {
            assert_eq!(propose(&credits, &slips, &[]), [], "{credits:?} {slips:?}");
        }
        let cards = [card(205_000, 24), card(205_000, 24), card(100_000, 23)];
        let paid = came(own, 405_900, 26);
        let found = propose(&[paid], &[], &cards);
        let both = vec![cards[0].payment, cards[1].payment];
        assert_eq!(found, [Proposal { case: paid.case, what: What::Cards(both, Money::vnd(4_100)) }]);
        // A day's slips and a bank's slip fit the same credit: somebody looks.
        assert_eq!(propose(&[paid], &[slip("NT-1", 405_900, 26)], &cards), []);
        // More than a card company keeps.
        assert_eq!(propose(&[came(own, 380_000, 26)], &[], &cards), []);
    }
}
