//! How an amount follows from what is counted or declared.
//!
//! A formula is written as one line of the schedule, and read back from it:
//!
//! | text | meaning |
//! |---|---|
//! | `unit` | so much for each unit (the amount stands in its own column) |
//! | `tiers 2:2000 *:1000 cap 200000` | 2.000 đ for each of the first 2 units of a copy, 1.000 đ for the others, at most 200.000 đ a copy |
//! | `percent 0.5 floor 100000 cap 5000000` | 0,5 % of the declared value, within these bounds |
//! | `bands 0:50000 1000000001:100000` | the amount of the band that the declared value falls in |
//!
//! Each result comes with its terms, so that every đồng can be explained.

use crate::base::money::{Currency, Money, Rate};
use std::{fmt, str::FromStr};

/// How the amount follows from the count or the declared value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Formula {
    /// So much for each unit.
    PerUnit(Money),
    /// So much for each unit of a copy, less for later ones, up to a cap for each copy.
    Tiers {
        /// How many units have which price, in order; the last holds for all further ones.
        tiers: Vec<(Option<u32>, Money)>,
        /// The most that one copy costs.
        cap: Option<Money>,
    },
    /// A share of the declared value.
    Percentage {
        /// The share.
        rate: Rate,
        /// The least.
        floor: Option<Money>,
        /// The most.
        cap: Option<Money>,
    },
    /// An amount by the band that the declared value falls in: from which value on, how much.
    Bands(Vec<(Money, Money)>),
}

/// What an amount is computed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measure {
    /// How many units; of each copy, where there are copies.
    pub count: u32,
    /// How many copies.
    pub copies: u32,
    /// The declared value.
    pub value: Option<Money>,
}

/// One term of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Term {
    /// So many units at this price.
    Units {
        /// How many.
        count: u32,
        /// At which price.
        each: Money,
    },
    /// A share of the declared value.
    Share {
        /// The share.
        rate: Rate,
        /// Of what.
        value: Money,
    },
    /// The band from this value on.
    Band {
        /// The band's lower bound.
        from: Money,
    },
    /// The sum was raised to the least amount.
    Floor(Money),
    /// The sum was lowered to the most.
    Cap(Money),
    /// The sum is owed for each of so many copies.
    Copies(u32),
}

/// Why a formula gives no amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAmount {
    /// The amount does not exist.
    TooLarge,
    /// The formula needs a declared value.
    ValueMissing,
    /// The formula takes no declared value.
    ValueUnexpected,
    /// The declared value lies below every band.
    BelowBands,
}

impl Formula {
    /// The amount before any reduction, with its terms.
    pub fn amount(&self, measure: Measure) -> Result<(Money, Vec<Term>), NoAmount> {
        let too_large = |_| NoAmount::TooLarge;
        let (amount, mut terms) = match self {
            Self::PerUnit(_) | Self::Tiers { .. } if measure.value.is_some() => {
                return Err(NoAmount::ValueUnexpected);
            }
            Self::PerUnit(each) => {
                let amount = each.times(measure.count).map_err(too_large)?;
                (amount, vec![Term::Units { count: measure.count, each: *each }])
            }
            Self::Tiers { tiers, cap } => {
                let (sum, mut terms) = climb(tiers, measure.count)?;
                (bounded(sum, None, *cap, &mut terms), terms)
            }
            Self::Percentage { rate, floor, cap } => {
                let value = measure.value.ok_or(NoAmount::ValueMissing)?;
                let mut terms = vec![Term::Share { rate: *rate, value }];
                let share = value.share(*rate).map_err(too_large)?;
                (bounded(share, *floor, *cap, &mut terms), terms)
            }
            Self::Bands(bands) => {
                let value = measure.value.ok_or(NoAmount::ValueMissing)?;
                let band = bands.iter().rev().find(|band| band.0.minor() <= value.minor());
                let (from, amount) = *band.ok_or(NoAmount::BelowBands)?;
                (amount, vec![Term::Band { from }])
            }
        };
        if measure.copies > 1 {
            terms.push(Term::Copies(measure.copies));
        }
        Ok((amount.times(measure.copies).map_err(too_large)?, terms))
    }

    /// What one unit costs, where there is such a price: the first tier's, else nothing.
    pub fn unit_amount(&self) -> Money {
        match self {
            Self::PerUnit(each) => *each,
            Self::Tiers { tiers, .. } => tiers.first().map_or(Money::vnd(0), |tier| tier.1),
            Self::Percentage { .. } | Self::Bands(_) => Money::vnd(0),
        }
    }

    /// Reads the formula column beside the unit price.
    pub fn parse(text: &str, each: Money) -> Result<Self, NotAFormula> {
        let mut words = text.split_whitespace();
        match words.next() {
            None | Some("unit") => words.next().map_or(Ok(Self::PerUnit(each)), |_| Err(NotAFormula)),
            Some("tiers") => {
                let (pairs, floor, cap) = bounds(words)?;
                let tiers = pairs.iter().map(|(key, price)| {
                    let upto = if *key == "*" { Ok(None) } else { number(key).map(Some) };
                    Ok((upto?, *price))
                });
                let tiers: Vec<(Option<u32>, Money)> = tiers.collect::<Result<_, NotAFormula>>()?;
                // Exactly the last one is open.
                let open = tiers.iter().position(|tier| tier.0.is_none());
                let whole = floor.is_none() && open.is_some() && open == tiers.len().checked_sub(1);
                if whole { Ok(Self::Tiers { tiers, cap }) } else { Err(NotAFormula) }
            }
            Some("percent") => {
                let rate = words.next().and_then(Rate::percent).ok_or(NotAFormula)?;
                let (pairs, floor, cap) = bounds(words)?;
                let ordered = floor.zip(cap).is_none_or(|(floor, cap)| floor.minor() <= cap.minor());
                if pairs.is_empty() && ordered {
                    Ok(Self::Percentage { rate, floor, cap })
                } else {
                    Err(NotAFormula)
                }
            }
            Some("bands") => {
                let (pairs, floor, cap) = bounds(words)?;
                let bands: Vec<(Money, Money)> =
                    pairs.iter().map(|(key, amount)| Ok((money(key)?, *amount))).collect::<Result<_, _>>()?;
                let ordered = bands.windows(2).all(|pair| pair[0].0.minor() < pair[1].0.minor());
                let whole = floor.is_none() && cap.is_none() && !bands.is_empty() && ordered;
                if whole { Ok(Self::Bands(bands)) } else { Err(NotAFormula) }
            }
            Some(_) => Err(NotAFormula),
        }
    }
}

/// The price of `count` units over the tiers.
fn climb(tiers: &[(Option<u32>, Money)], count: u32) -> Result<(Money, Vec<Term>), NoAmount> {
    let (mut left, mut sum, mut terms) = (count, Money::vnd(0), Vec::new());
    for (upto, each) in tiers {
        let taken = upto.map_or(left, |upto| upto.min(left));
        if taken > 0 {
            let part = each.times(taken).map_err(|_| NoAmount::TooLarge)?;
            sum = sum.plus(part).map_err(|_| NoAmount::TooLarge)?;
            terms.push(Term::Units { count: taken, each: *each });
        }
        left -= taken;
    }
    Ok((sum, terms))
}

fn bounded(sum: Money, floor: Option<Money>, cap: Option<Money>, terms: &mut Vec<Term>) -> Money {
    match (floor, cap) {
        (Some(floor), _) if sum.minor() < floor.minor() => {
            terms.push(Term::Floor(floor));
            floor
        }
        (_, Some(cap)) if sum.minor() > cap.minor() => {
            terms.push(Term::Cap(cap));
            cap
        }
        _ => sum,
    }
}

/// `key:amount` pairs, then `floor` and `cap` in this order, each at most once.
type Bounds<'a> = (Vec<(&'a str, Money)>, Option<Money>, Option<Money>);

fn bounds<'a>(words: impl Iterator<Item = &'a str>) -> Result<Bounds<'a>, NotAFormula> {
    let mut words = words.peekable();
    let mut pairs = Vec::new();
    while let Some((key, amount)) = words.peek().and_then(|word| word.split_once(':')) {
        pairs.push((key, money(amount)?));
        words.next();
    }
    let mut bound = |name: &str| {
        if words.peek() == Some(&name) {
            words.next();
            words.next().ok_or(NotAFormula).and_then(money).map(Some)
        } else {
            Ok(None)
        }
    };
    let (floor, cap) = (bound("floor")?, bound("cap")?);
    if words.next().is_some() { Err(NotAFormula) } else { Ok((pairs, floor, cap)) }
}

fn number(text: &str) -> Result<u32, NotAFormula> {
    text.parse().ok().filter(|number| *number > 0).ok_or(NotAFormula)
}

fn money(text: &str) -> Result<Money, NotAFormula> {
    let amount = Money::parse(text, Currency::Vnd).map_err(|_| NotAFormula)?;
    if amount.minor() < 0 { Err(NotAFormula) } else { Ok(amount) }
}

/// A text that is no formula.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a formula is written like `unit`, `tiers 2:2000 *:1000 cap 200000`, `percent 0.5 floor 1 cap 2` or `bands 0:1 9:2`"
)]
pub struct NotAFormula;

impl fmt::Display for Formula {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bound = |f: &mut fmt::Formatter<'_>, name: &str, amount: &Option<Money>| match amount {
            Some(amount) => write!(f, " {name} {}", amount.decimal()),
            None => Ok(()),
        };
        match self {
            Self::PerUnit(_) => f.write_str("unit"),
            Self::Tiers { tiers, cap } => {
                f.write_str("tiers")?;
                for (upto, each) in tiers {
                    match upto {
                        Some(upto) => write!(f, " {upto}:{}", each.decimal())?,
                        None => write!(f, " *:{}", each.decimal())?,
                    }
                }
                bound(f, "cap", cap)
            }
            Self::Percentage { rate, floor, cap } => {
                write!(f, "percent {}", rate.percent_text())?;
                bound(f, "floor", floor)?;
                bound(f, "cap", cap)
            }
            Self::Bands(bands) => {
                f.write_str("bands")?;
                bands
                    .iter()
                    .try_for_each(|(from, amount)| write!(f, " {}:{}", from.decimal(), amount.decimal()))
            }
        }
    }
}

impl FromStr for Measure {
    type Err = NotAFormula;

    /// `count`, `count×copies` or `count×copies@value`, as tests and commands write it.
    fn from_str(s: &str) -> Result<Self, NotAFormula> {
        let (amounts, value) = match s.split_once('@') {
            Some((amounts, value)) => (amounts, Some(money(value)?)),
            None => (s, None),
        };
        let (count, copies) = amounts.split_once('x').unwrap_or((amounts, "1"));
        Ok(Self { count: number(count)?, copies: number(copies)?, value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn owed(formula: &str, measure: &str) -> Result<i64, NoAmount> {
        let formula = Formula::parse(formula, Money::vnd(8_000)).unwrap();
        assert_eq!(Formula::parse(&formula.to_string(), Money::vnd(8_000)), Ok(formula.clone()));
        formula.amount(measure.parse().unwrap()).map(|(amount, _)| amount.minor())
    }

    #[test]
    fn each_formula_charges_what_the_law_says() {
        let certified = "tiers 2:2000 *:1000 cap 200000";
        let appraisal = "percent 0.15 floor 100000 cap 5000000";
        let bands = "bands 0:50000 1000000001:100000 5000000001:500000";
        for (formula, measure, amount) in [
            ("unit", "3", 24_000),
            ("unit", "3x2", 48_000),
            (certified, "1", 2_000),
            (certified, "2", 4_000),
            (certified, "5", 7_000),
            (certified, "5x3", 21_000),
            (certified, "198", 200_000),
            (certified, "500", 200_000),
            (certified, "500x2", 400_000),
            (appraisal, "1@1000000", 100_000),
            (appraisal, "1@1000000000", 1_500_000),
            (appraisal, "1@9000000000", 5_000_000),
            (bands, "1@0", 50_000),
            (bands, "1@1000000000", 50_000),
            (bands, "1@1000000001", 100_000),
            (bands, "1@7000000000", 500_000),
        ] {
            assert_eq!(owed(formula, measure), Ok(amount), "{formula} of {measure}");
        }
        assert_eq!(owed(appraisal, "1"), Err(NoAmount::ValueMissing));
        assert_eq!(owed("unit", "1@5"), Err(NoAmount::ValueUnexpected));
        assert_eq!(owed("bands 10:5", "1@9"), Err(NoAmount::BelowBands));
    }

    #[test]
    fn what_is_no_formula_is_refused() {
        for text in [
            "units",
            "unit 5",
            "tiers",
            "tiers 2:2000",
            "tiers *:1000 2:2000",
            "tiers 0:5 *:1",
            "tiers *:-1",
            "tiers *:1 floor 3",
            "percent",
            "percent 101",
            "percent 5 cap 1 floor 2",
            "percent 5 floor 9 cap 2",
            "percent 5 2:3",
            "bands",
            "bands 5:1 5:2",
            "bands 9:1 5:2",
            "bands 1:1 cap 3",
            "tiers *:1 cap",
        ] {
            assert_eq!(Formula::parse(text, Money::vnd(1)), Err(NotAFormula), "{text}");
        }
    }

    proptest! {
        #[test]
        fn more_pages_never_cost_less_and_terms_add_up(count in 1_u32..2_000) {
            let formula = Formula::parse("tiers 2:2000 *:1000 cap 200000", Money::vnd(0)).unwrap();
            let of = |count| formula.amount(Measure { count, copies: 1, value: None }).unwrap();
            let (amount, terms) = of(count);
            prop_assert!(of(count + 1).0.minor() >= amount.minor());
            let sum: i64 = terms.iter().map(|term| match term {
                Term::Units { count, each } => each.minor() * i64::from(*count),
                _ => 0,
            }).sum();
            let capped = terms.iter().any(|term| matches!(term, Term::Cap(_)));
            let fits = if capped { sum > amount.minor() } else { sum == amount.minor() };
            prop_assert!(fits);
        }
    }
}
