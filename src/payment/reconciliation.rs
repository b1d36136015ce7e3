//! A statement against the books: which line shows which credit, and every difference.
//!
//! A line and a credit belong together when they carry the same reference of the account's bank. Each line is
//! matched or stands in exactly one [`Difference`]; so does each credit that the books hold for the statement's day.
//! The result follows from the statement and the books alone: matching again changes nothing, and what a late message
//! puts right is right from then on. Nothing here is ever repaired; differences are for people.

use super::{case::Kind, settlement::Outcome};
use crate::base::{
    calendar::Day,
    id::{Id, Payment, StatementLine},
    money::{Currency, Money, MoneyError},
};
use std::collections::{HashMap, HashSet};

/// A line of the statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its identifier.
    pub id: Id<StatementLine>,
    /// The bank's reference of the movement.
    pub reference: String,
    /// Above nothing when money came, below when it went.
    pub amount: Money,
    /// The payment that it names, if the name looks like one of ours.
    pub named: Option<Id<Payment>>,
}

/// Money that the books hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credit {
    /// The bank's reference of the movement.
    pub reference: String,
    /// How much.
    pub amount: Money,
    /// The attempt that it named, if that is ours.
    pub payment: Option<Id<Payment>>,
    /// What that attempt had asked for.
    pub asked: Option<Money>,
    /// What became of it.
    pub outcome: Outcome,
    /// The bank's booking day.
    pub booked_on: Day,
    /// The line of another statement that shows it.
    pub shown_by: Option<Id<StatementLine>>,
}

/// An attempt of ours that a line names while the books hold no such credit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// What was asked for.
    pub asked: Money,
    /// Whether other money has settled it.
    pub settled: bool,
}

/// What the books know of a day of an account.
#[derive(Debug, Clone, Default)]
pub struct Books {
    /// Every credit of the day, and every credit that a line refers to.
    pub credits: Vec<Credit>,
    /// The attempts that lines name.
    pub attempts: HashMap<Id<Payment>, Attempt>,
    /// What left the account on the day, and what lines refer to: how much, and when the bank booked it.
    pub debits: HashMap<String, (Money, Day)>,
    /// The lines that people have matched, and the movements: nothing about them is a difference any more.
    pub by_hand: (HashSet<Id<StatementLine>>, HashSet<String>),
    /// The movements whose lines the bank has just taken back: of whatever day they are, one that nothing shows is missing.
    pub taken: HashSet<String>,
}

/// A line that shows a credit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The line.
    pub line: Id<StatementLine>,
    /// The credit's reference.
    pub reference: String,
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What is wrong.
    pub kind: Kind,
    /// The line, where the statement has one.
    pub line: Option<Id<StatementLine>>,
    /// The credit's reference, where the books have one.
    pub credit: Option<String>,
    /// The attempt that either names.
    pub payment: Option<Id<Payment>>,
    /// What the statement says moved.
    pub stated: Option<Money>,
    /// What the books hold for it.
    pub held: Option<Money>,
    /// What the attempt had asked for.
    pub asked: Option<Money>,
}

/// What matching found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reconciliation {
    /// Which line shows which credit, whether or not something else is wrong with it.
    pub shown: Vec<Shown>,
    /// How many lines are as they should be.
    pub matched: usize,
    /// The differences.
    pub differences: Vec<Difference>,
    /// By how much the statement moves more than the books' credits of its day, as far as differences and money of
    /// neighbouring days account for it.
    pub explained: Money,
}

/// Compares a statement of `day` with the books.
pub fn reconcile(day: Day, lines: &[Line], books: &Books) -> Result<Reconciliation, MoneyError> {
    let mut judging = Judging::of(day);
    let mut found = judging.lines(lines, books)?;
    judging.unseen(books, &mut found)?;
    Ok(found)
}

/// The same comparison in parts: a day of any length is judged in chunks of lines. Lines of one reference must come one
/// after the other, in the statement's order; what they refer to must be in the books of their chunk.
pub struct Judging {
    day: Day,
    seen: HashSet<String>,
    left: HashSet<String>,
}

impl Judging {
    /// Begins with a statement of that day.
    pub fn of(day: Day) -> Self {
        Self { day, seen: HashSet::new(), left: HashSet::new() }
    }

    /// Forgets which credits and debits the lines showed so far, but for those of a reference whose lines may go on.
    pub fn forget_all_but(&mut self, reference: &str) {
        self.seen.retain(|seen| seen == reference);
        self.left.retain(|left| left == reference);
    }

    /// Judges lines.
    pub fn lines(&mut self, lines: &[Line], books: &Books) -> Result<Reconciliation, MoneyError> {
        let credits: HashMap<&str, &Credit> =
            books.credits.iter().map(|c| (c.reference.as_str(), c)).collect();
        let mut found = Reconciliation::nothing();
        for line in lines {
            if let Some((amount, booked_on)) = books.debits.get(&line.reference) {
                self.of_debit(line, (*amount, *booked_on), &mut found)?;
                continue;
            }
            if books.by_hand.0.contains(&line.id) {
                found.explained = found.explained.plus(line.amount)?;
                found.matched += 1;
                continue;
            }
            let credit = credits.get(line.reference.as_str()).copied().filter(|_| line.amount.is_positive());
            let first = credit.filter(|c| c.shown_by.is_none() && self.seen.insert(c.reference.clone()));
            let difference = match (first, credit) {
                (Some(credit), _) => {
                    found.shown.push(Shown { line: line.id, reference: credit.reference.clone() });
                    if credit.booked_on == self.day {
                        found.explained = found.explained.minus(credit.amount)?;
                    }
                    of_pair(line, credit)
                }
                (None, Some(credit)) => Some(of_line(Kind::Duplicate, line, credit.payment, credit.asked)),
                (None, None) => Some(unheard_of(line, &books.attempts)),
            };
            found.explained = found.explained.plus(line.amount)?;
            match difference {
                Some(difference) => found.differences.push(difference),
                None => found.matched += 1,
            }
        }
        Ok(found)
    }

    fn of_debit(
        &mut self,
        line: &Line,
        (amount, booked_on): (Money, Day),
        found: &mut Reconciliation,
    ) -> Result<(), MoneyError> {
        let same = amount.negated() == Ok(line.amount);
        let new = self.left.insert(line.reference.clone());
        found.explained = found.explained.plus(line.amount)?;
        if new && booked_on == self.day {
            found.explained = found.explained.plus(amount)?;
        }
        match (same, new) {
            (true, true) => found.matched += 1,
            (false, true) => found.differences.push(of_line(Kind::Amount, line, None, None)),
            (_, false) => found.differences.push(of_line(Kind::Duplicate, line, None, None)),
        }
        Ok(())
    }

    /// Judges what the books hold for the day and no line showed, and what the bank took back.
    pub fn unseen(&self, books: &Books, found: &mut Reconciliation) -> Result<(), MoneyError> {
        let judged = |day: Day, reference: &String| day == self.day || books.taken.contains(reference);
        let credits = books.credits.iter().filter(|c| judged(c.booked_on, &c.reference));
        for credit in credits.filter(|c| !self.seen.contains(&c.reference)) {
            if credit.booked_on == self.day {
                found.explained = found.explained.minus(credit.amount)?;
            }
            if credit.shown_by.is_none() && !books.by_hand.1.contains(&credit.reference) {
                found.differences.push(not_shown(credit));
            }
        }
        let unseen = |(reference, (_, booked_on)): &(&String, &(Money, Day))| {
            judged(*booked_on, reference) && !self.left.contains(reference.as_str())
        };
        let mut unseen: Vec<_> = books.debits.iter().filter(unseen).collect();
        unseen.sort_unstable_by_key(|(reference, _)| *reference);
        for (reference, (amount, booked_on)) in unseen {
            if *booked_on == self.day {
                found.explained = found.explained.plus(*amount)?;
            }
            if books.by_hand.1.contains(reference) {
                continue;
            }
            found.differences.push(Difference {
                kind: Kind::MissingThere,
                line: None,
                credit: Some(reference.clone()),
                payment: None,
                stated: None,
                held: Some(amount.negated()?),
                asked: None,
            });
        }
        Ok(())
    }
}

impl Reconciliation {
    /// Of no lines and no books.
    pub fn nothing() -> Self {
        let explained = Money::zero(Currency::Vnd);
        Self { shown: Vec::new(), matched: 0, differences: Vec::new(), explained }
    }
}

/// A line and the credit that it shows; `None` when both are as they should be.
fn of_pair(line: &Line, credit: &Credit) -> Option<Difference> {
    let kind = match credit.outcome {
        _ if line.amount != credit.amount => Kind::Amount,
        Outcome::Settles => return None,
        Outcome::Suspends(reason) => Kind::of(reason),
    };
    let held = Some(credit.amount);
    let credit_reference = Some(credit.reference.clone());
    let difference = of_line(kind, line, credit.payment, credit.asked);
    Some(Difference { credit: credit_reference, held, ..difference })
}

/// A line of which the books know no credit.
fn unheard_of(line: &Line, attempts: &HashMap<Id<Payment>, Attempt>) -> Difference {
    let attempt = line.named.and_then(|named| Some((named, *attempts.get(&named)?)));
    let Some((payment, Attempt { asked, settled })) = attempt else {
        let kind = if line.amount.is_positive() { Kind::UnknownReference } else { Kind::MissingHere };
        return of_line(kind, line, None, None);
    };
    let kind = match line.amount {
        amount if !amount.is_positive() => Kind::MissingHere,
        _ if settled => Kind::Duplicate,
        amount if amount != asked => Kind::Amount,
        _ => Kind::MissingHere,
    };
    of_line(kind, line, Some(payment), Some(asked))
}

fn of_line(kind: Kind, line: &Line, payment: Option<Id<Payment>>, asked: Option<Money>) -> Difference {
    let (id, stated) = (Some(line.id), Some(line.amount));
    Difference { kind, line: id, credit: None, payment, stated, held: None, asked }
}

fn not_shown(credit: &Credit) -> Difference {
    Difference {
        kind: Kind::MissingThere,
        line: None,
        credit: Some(credit.reference.clone()),
        payment: credit.payment,
        stated: None,
        held: Some(credit.amount),
        asked: credit.asked,
    }
}

/// The account's day in three sums that must hang together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    /// What the statement says moved: closing less opening balance.
    pub moved: Money,
    /// What the ledger posted to the account for the day's credits.
    pub posted: Money,
    /// What differences and money of neighbouring days account for.
    pub explained: Money,
}

impl Proof {
    /// What nobody can explain; anything but nothing is a mistake in the books.
    pub fn unexplained(self) -> Result<Money, MoneyError> {
        self.moved.minus(self.posted)?.minus(self.explained)
    }
}

#[cfg(test)]
#[path = "reconciliation_tests.rs"]
mod tests;
