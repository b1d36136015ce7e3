//! A bank that tells a day again, differently: what is gone, what is new, what stays.
//!
//! Lines are told apart by what they say: the bank's reference, the amount and the payment they name. Two that say the
//! same are two. What stays keeps its identifier, and with it whatever people have found out about it.

use super::statement::Movement;
use crate::base::{
    id::{Id, Payment, StatementLine},
    money::Money,
};
use std::collections::{HashMap, VecDeque};

/// A line as it stands until now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its identifier.
    pub id: Id<StatementLine>,
    /// The bank's reference.
    pub reference: String,
    /// The amount.
    pub amount: Money,
    /// The payment that it names.
    pub named: Option<Id<Payment>>,
}

/// How one telling of a day differs from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diff {
    /// For each movement of the new telling the line that stays, or none for what is new.
    pub stays: Vec<Option<Id<StatementLine>>>,
    /// The lines that the new telling leaves out.
    pub gone: Vec<Standing>,
}

/// Compares what stands with what is told now.
pub fn compare(standing: Vec<Standing>, told: &[Movement]) -> Diff {
    type Saying = (String, Money, Option<Id<Payment>>);
    let mut known: HashMap<Saying, VecDeque<Standing>> = HashMap::with_capacity(standing.len());
    for line in standing {
        known.entry((line.reference.clone(), line.amount, line.named)).or_default().push_back(line);
    }
    let stays = told.iter().map(|moved| {
        let saying = (moved.reference.to_string(), moved.amount, moved.named);
        known.get_mut(&saying).and_then(VecDeque::pop_front).map(|line| line.id)
    });
    let stays = stays.collect();
    let mut gone: Vec<Standing> = known.into_values().flatten().collect();
    gone.sort_unstable_by_key(|line| line.id);
    Diff { stays, gone }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{entropy::SeededEntropy, text::Line};
    use time::macros::datetime;

    #[test]
    fn what_says_the_same_stays_as_often_as_it_is_told() {
        let id = |n| Id::new(datetime!(2026-11-24 07:30 UTC), &SeededEntropy::new(n));
        let standing = |n, reference: &str, amount| Standing {
            id: id(n),
            reference: reference.to_owned(),
            amount: Money::vnd(amount),
            named: None,
        };
        let told = |reference: &str, amount| Movement {
            reference: Line::parse(reference).unwrap(),
            amount: Money::vnd(amount),
            named: None,
        };
        let old = vec![standing(1, "A", 5), standing(2, "A", 5), standing(3, "B", 7), standing(4, "C", 1)];
        let diff = compare(old.clone(), &[told("B", 7), told("A", 5), told("C", 2)]);
        assert_eq!(diff.stays, [Some(id(3)), Some(id(1)), None]);
        assert_eq!(diff.gone.len(), 2);
        assert!(diff.gone.contains(&old[1]) && diff.gone.contains(&old[3]));
        let same = compare(old, &[told("A", 5), told("A", 5), told("B", 7), told("C", 1)]);
        assert!(same.gone.is_empty() && same.stays.iter().all(Option::is_some));
    }
}
