//! Several differences that are one matter: a bank collects many credits into one line, or divides one over many, and
//! keeps a little on the way. People say so; what they leave open beyond the tolerance takes a second person.
//!
//! Nothing here moves money or hides a sum: what still differs stays in the account of the day. One thing that two people may
//! say has a consequence: that a line is itself the credit whose notification never came. Then it is booked like any other.

use super::{case::Kind, reconciliation::Difference};
use crate::base::{
    id::{Citizen, Id},
    money::{Currency, Money, MoneyError},
};

/// The most cases of one match.
pub const MEMBERS_MAX: usize = 200;
/// The most credits that one line is tried against, and how many of them at a time.
const TRIED: usize = 24;
const TOGETHER: usize = 6;
/// How many sums are tried for one line; a search that grows beyond is left to people.
const SUMS_MAX: usize = 20_000;

/// Why lines and credits belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The bank shows several credits as one line.
    Collected,
    /// The bank shows one credit as several lines.
    Divided,
    /// The bank kept its charge.
    BankFee,
    /// Rounded on the way.
    Rounding,
    /// The bank booked and took back.
    TakenBack,
    /// The line is itself the credit of the payment that it names: no notification told of it.
    Credited,
    /// Something else, as the words say.
    Other,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 7] = [
        Self::Collected,
        Self::Divided,
        Self::BankFee,
        Self::Rounding,
        Self::TakenBack,
        Self::Credited,
        Self::Other,
    ];

    /// The word in rows and forms.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Collected => "collected",
            Self::Divided => "divided",
            Self::BankFee => "bank_fee",
            Self::Rounding => "rounding",
            Self::TakenBack => "taken_back",
            Self::Credited => "credited",
            Self::Other => "other",
        }
    }

    /// The reason of that word.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }
}

/// Both sides of a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weighed {
    /// What the statement says moved.
    pub stated: Money,
    /// What the books hold for it.
    pub held: Money,
}

impl Weighed {
    /// By how much the statement says more.
    pub fn difference(&self) -> Result<Money, MoneyError> {
        self.stated.minus(self.held)
    }

    /// Whether one person may say so.
    pub fn within(&self, tolerance: Money) -> Result<bool, MoneyError> {
        let difference = self.difference()?.minor();
        Ok(difference.unsigned_abs() <= tolerance.minor().unsigned_abs())
    }
}

/// What a difference puts on either side: a line, a credit, or a line that shows its credit with another amount; nothing when
/// it is not a matter of lines and credits, as money in suspense is not: that leaves by a decision of its own.
pub fn sides(difference: &Difference) -> Option<(Money, Money)> {
    let nothing = Money::zero(Currency::Vnd);
    match (difference.line, &difference.credit, difference.kind) {
        (Some(_), None, _) => Some((difference.stated?, nothing)),
        (None, Some(_), Kind::MissingThere) => Some((nothing, difference.held?)),
        // Money that differs from what was asked is in suspense, whatever its line says.
        (Some(_), Some(_), Kind::Amount) if difference.asked == difference.held => {
            Some((difference.stated?, difference.held?))
        }
        _ => None,
    }
}

/// Whether one person may end this case alone: it leaves no more open than the tolerance, or its money is in suspense, where
/// it stays. What is more takes two people, as a match of one.
pub fn one_may_end(difference: &Difference, tolerance: Money) -> Result<bool, MoneyError> {
    sides(difference).map_or(Ok(true), |(stated, held)| Weighed { stated, held }.within(tolerance))
}

/// Puts differences together; one alone is weighed against nothing.
pub fn weigh<'a>(members: impl IntoIterator<Item = &'a Difference>) -> Result<Weighed, Refusal> {
    let nothing = Money::zero(Currency::Vnd);
    let (mut count, mut stated, mut held) = (0, nothing, nothing);
    for member in members {
        let (line, credit) = sides(member).ok_or(Refusal::NotALine)?;
        (stated, held) = (stated.plus(line)?, held.plus(credit)?);
        count += 1;
    }
    if (1..=MEMBERS_MAX).contains(&count) { Ok(Weighed { stated, held }) } else { Err(Refusal::Count) }
}

/// Whether a line may be booked as the credit that it is: money came, it names an attempt of ours, and the books hold no credit
/// under its reference.
pub fn is_unbooked_credit(difference: &Difference) -> bool {
    let came = difference.stated.is_some_and(Money::is_positive);
    difference.line.is_some() && difference.credit.is_none() && difference.payment.is_some() && came
}

/// Weighs what is proposed for that reason, and says whether one person suffices. A line that is booked leaves nothing open, and
/// takes two whatever the tolerance: bill, receipt and books follow from their word.
pub fn propose<'a>(
    reason: Reason,
    members: impl IntoIterator<Item = &'a Difference>,
    tolerance: Money,
) -> Result<(Weighed, bool), Refusal> {
    let members: Vec<&Difference> = members.into_iter().collect();
    let weighed = weigh(members.iter().copied())?;
    match (reason, members.as_slice()) {
        (Reason::Credited, [one]) if is_unbooked_credit(one) => {
            Ok((Weighed { held: weighed.stated, ..weighed }, false))
        }
        (Reason::Credited, _) => Err(Refusal::NotACredit),
        _ => Ok((weighed, weighed.within(tolerance)?)),
    }
}

/// Whether a second person may approve what the first one proposed.
pub fn approve(proposed_by: Id<Citizen>, by: Id<Citizen>) -> Result<(), Refusal> {
    if proposed_by == by { Err(Refusal::OwnAct) } else { Ok(()) }
}

/// Groups that would fit, by place: each line with the fewest credits that come to it, or to within the tolerance, and
/// each credit with the fewest lines; nothing stands in two groups. Bounded: what is not found soon is left to people.
pub fn suggest(differences: &[&Difference], tolerance: Money) -> Vec<Vec<usize>> {
    let amounts: Vec<(i64, i64)> = differences
        .iter()
        .map(|d| sides(d).filter(|_| d.line.is_none() || d.credit.is_none()))
        .map(|sides| sides.map_or((0, 0), |(line, credit)| (line.minor(), credit.minor())))
        .collect();
    let mut used = vec![false; amounts.len()];
    let mut groups = Vec::new();
    for turned in [false, true] {
        let of = |at: usize| if turned { (amounts[at].1, amounts[at].0) } else { amounts[at] };
        for one in 0..amounts.len() {
            let wanted = of(one).0;
            if wanted <= 0 || used[one] {
                continue;
            }
            let most = wanted.saturating_add(tolerance.minor());
            let fits = |at: &usize| !used[*at] && (1..=most).contains(&of(*at).1);
            let mut parts: Vec<usize> = (0..amounts.len()).filter(fits).collect();
            parts.sort_by_key(|at| std::cmp::Reverse(of(*at).1));
            parts.truncate(TRIED);
            let sums: Vec<i64> = parts.iter().map(|at| of(*at).1).collect();
            let exactly = fewest(&sums, wanted, 0);
            if let Some(found) = exactly.or_else(|| fewest(&sums, wanted, tolerance.minor())) {
                let group: Vec<usize> =
                    std::iter::once(one).chain(found.into_iter().map(|at| parts[at])).collect();
                group.iter().for_each(|at| used[*at] = true);
                groups.push(group);
            }
        }
    }
    groups
}

/// The fewest of these amounts, by place, that come to `wanted` give or take `tolerance`.
fn fewest(amounts: &[i64], wanted: i64, tolerance: i64) -> Option<Vec<usize>> {
    let mut tries = SUMS_MAX;
    (1..=TOGETHER.min(amounts.len())).find_map(|count| {
        let mut taken = Vec::with_capacity(count);
        pick(amounts, 0, (wanted, tolerance, count), &mut taken, &mut tries).then_some(taken)
    })
}

fn pick(
    amounts: &[i64],
    from: usize,
    (left, tolerance, count): (i64, i64, usize),
    taken: &mut Vec<usize>,
    tries: &mut usize,
) -> bool {
    if count == 0 {
        return left.abs() <= tolerance;
    }
    for at in from..amounts.len() {
        if *tries == 0 {
            return false;
        }
        *tries -= 1;
        if amounts[at] > left.saturating_add(tolerance) {
            continue;
        }
        taken.push(at);
        if pick(amounts, at + 1, (left - amounts[at], tolerance, count - 1), taken, tries) {
            return true;
        }
        taken.pop();
    }
    false
}

/// Why differences are not put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// None, or more than anybody can look at.
    #[error("a match has between 1 and 200 cases")]
    Count,
    /// Money in suspense.
    #[error("a case that is no matter of lines and credits")]
    NotALine,
    /// Several cases, money that went, no attempt of ours, or money that the books hold.
    #[error("a case that is no line of an attempt's money without its credit")]
    NotACredit,
    /// Whoever proposes does not approve.
    #[error("nobody approves their own proposal")]
    OwnAct,
    /// A sum that does not exist.
    #[error(transparent)]
    Money(#[from] MoneyError),
}

impl Refusal {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Count | Self::NotALine | Self::Money(_) => "match_unfit",
            Self::NotACredit => "line_unfit",
            Self::OwnAct => "own_act",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::entropy::SeededEntropy;
    use time::macros::datetime;

    fn line(amount: i64) -> Difference {
        let id = Id::new(datetime!(2026-11-24 07:30 UTC), &SeededEntropy::new(amount.unsigned_abs()));
        let (line, stated) = (Some(id), Some(Money::vnd(amount)));
        Difference {
            kind: Kind::UnknownReference,
            line,
            credit: None,
            payment: None,
            stated,
            held: None,
            asked: None,
        }
    }

    fn credit(amount: i64) -> Difference {
        let held = Some(Money::vnd(amount));
        let (credit, kind) = (Some(format!("R{amount}")), Kind::MissingThere);
        Difference { kind, line: None, credit, payment: None, stated: None, held, asked: None }
    }

    fn pair() -> Difference {
        let stated = line(95);
        let credit = credit(100);
        Difference {
            kind: Kind::Amount,
            line: stated.line,
            stated: stated.stated,
            asked: credit.held,
            ..credit
        }
    }

    #[test]
    fn both_sides_are_weighed_and_the_tolerance_decides_who_may_say_so() {
        let all = [line(300), credit(100), credit(195)];
        let weighed = weigh(&all).unwrap();
        assert_eq!(weighed.difference(), Ok(Money::vnd(5)));
        assert_eq!([4, 5].map(|t| weighed.within(Money::vnd(t)).unwrap()), [false, true]);
        assert!(weigh(&[line(5), line(-5)]).unwrap().within(Money::vnd(0)).unwrap(), "booked and taken back");
        assert_eq!(
            weigh(&all[..1]).and_then(|one| Ok(one.difference()?)),
            Ok(Money::vnd(300)),
            "one alone is open"
        );
        assert_eq!(weigh(&all[..0]), Err(Refusal::Count));
        assert_eq!([4, 5].map(|t| one_may_end(&pair(), Money::vnd(t)).unwrap()), [false, true]);
        let waits = Difference { kind: Kind::Late, ..credit(7) };
        assert_eq!(weigh([&waits, &all[0]]), Err(Refusal::NotALine));
        let less_than_asked = Difference { asked: Some(Money::vnd(200)), ..pair() };
        assert_eq!(weigh([&less_than_asked]), Err(Refusal::NotALine));
        assert!(one_may_end(&waits, Money::vnd(0)).unwrap(), "money in suspense stays there");
        let me = Id::new(datetime!(2026-11-24 07:30 UTC), &SeededEntropy::new(1));
        assert_eq!(approve(me, me).map_err(Refusal::code), Err("own_act"));
    }

    #[test]
    fn only_one_line_of_an_attempts_money_without_its_credit_is_booked_and_never_by_one_person() {
        let payment = Some(Id::new(datetime!(2026-11-24 07:30 UTC), &SeededEntropy::new(9)));
        let named = |amount| Difference { kind: Kind::MissingHere, payment, ..line(amount) };
        let much = Money::vnd(1_000_000);
        let propose = |members: &[Difference]| propose(Reason::Credited, members, much);
        let (weighed, alone) = propose(&[named(205)]).unwrap();
        assert_eq!((weighed.difference(), alone), (Ok(Money::vnd(0)), false), "whatever the tolerance");
        let held = Difference { credit: Some("R1".to_owned()), ..named(205) };
        for wrong in
            [vec![named(205), named(1)], vec![line(205)], vec![named(-205)], vec![credit(205)], vec![held]]
        {
            assert!(propose(&wrong).is_err(), "{wrong:?}");
        }
        assert_eq!(propose(&[line(205)]).map_err(Refusal::code), Err("line_unfit"));
    }

    #[test]
    fn groups_are_suggested_exactly_first_and_nothing_stands_in_two() {
        let all = [line(300), credit(100), credit(200), credit(295), line(40), line(60), credit(101)];
        let all: Vec<&Difference> = all.iter().collect();
        let sorted = |groups: Vec<Vec<usize>>| {
            groups
                .into_iter()
                .map(|mut g| {
                    g.sort_unstable();
                    g
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(sorted(suggest(&all, Money::vnd(0))), [vec![0, 1, 2]]);
        assert_eq!(sorted(suggest(&all, Money::vnd(5))), [vec![0, 1, 2], vec![4, 5, 6]]);
        let many: Vec<Difference> =
            (0..60).map(|n| credit(1_000_003 + 2 * n)).chain([line(6_000_001)]).collect();
        assert!(
            suggest(&[&pair(), &line(100)], Money::vnd(0)).is_empty(),
            "what differs with its own credit fits nothing"
        );
        assert!(suggest(&many.iter().collect::<Vec<_>>(), Money::vnd(0)).is_empty(), "it ends");
    }

    #[test]
    fn every_word_is_read_back() {
        assert!(Reason::ALL.into_iter().all(|reason| Reason::named(reason.as_str()) == Some(reason)));
    }
}
