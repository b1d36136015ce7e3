//! A bank's or the Treasury's statement: every movement of one account on one day.
//!
//! A [`Statement`] adds up by construction: opening balance plus movements is the closing balance. It is [read](Reading)
//! movement by movement and keeps none. Its digest ignores who sent it when, so that the same day fetched twice is known
//! as the same and a corrected one is not taken for it. Deliberately absent: what the lines mean for us
//! ([`super::reconciliation`]), and whoever paid.

use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{Account, Id, Payment},
    money::{Money, MoneyError},
    text::Line as Text,
};
use crate::crypto::digest::{Digest, Hasher};
use std::fmt::Write;
use time::Duration;

/// How often a missing statement is fetched without being asked: about a day's worth of tries.
pub const FETCHES_MAX: u32 = 14;

/// When a statement may be tried again after the try of that number: ten minutes later, then twice as long each time,
/// up to two hours.
pub fn next_fetch(nth: u32, now: Instant) -> Instant {
    let doublings = nth.saturating_sub(1).min(4);
    now + Duration::minutes(10 << doublings).min(Duration::hours(2))
}

/// One movement as the statement tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movement {
    /// The bank's own reference of the movement.
    pub reference: Text<35>,
    /// Above nothing when money came, below when it went.
    pub amount: Money,
    /// The payment that it names, if the name looks like one of ours.
    pub named: Option<Id<Payment>>,
}

/// The account's balances at the two ends of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balances {
    /// What was there when the day began.
    pub opening: Money,
    /// What was there when it ended.
    pub closing: Money,
}

/// What a day's statement comes to, once it was read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statement {
    /// The account.
    pub account: Id<Account>,
    /// The bank's business day.
    pub day: Day,
    /// What was there at its two ends.
    pub balances: Balances,
    /// How many movements it has.
    pub lines: usize,
    /// Whether money went that names something of ours.
    pub went: bool,
    /// SHA-256 over what it says: the same for the same day told again.
    pub digest: Digest,
}

/// A statement that is being read, one movement after the other, so that a day of any length needs no room.
pub struct Reading {
    account: Id<Account>,
    day: Day,
    balances: Balances,
    sum: Money,
    lines: usize,
    went: bool,
    saying: Hasher,
    text: String,
}

impl Reading {
    /// Begins with the balances.
    pub fn of(account: Id<Account>, day: Day, balances: Balances) -> Self {
        let mut saying = Hasher::new();
        let Balances { opening, closing } = balances;
        saying.update(format!("{account} {day} {opening} {closing}").as_bytes());
        Self { account, day, balances, sum: opening, lines: 0, went: false, saying, text: String::new() }
    }

    /// The next movement, in the statement's order.
    pub fn take(&mut self, movement: &Movement) -> Result<(), Refusal> {
        let Movement { reference, amount, named } = movement;
        if amount.is_zero() {
            return Err(Refusal::NothingMoved);
        }
        self.sum = self.sum.plus(*amount)?;
        self.lines += 1;
        self.went |= named.is_some() && !amount.is_positive();
        self.text.clear();
        // A line break cannot occur inside a reference.
        let _ = write!(self.text, "\n{amount} ");
        if let Some(named) = named {
            let _ = write!(self.text, "{named}");
        }
        let _ = write!(self.text, " {reference}");
        self.saying.update(self.text.as_bytes());
        Ok(())
    }

    /// The statement, if it adds up.
    pub fn finish(self) -> Result<Statement, Refusal> {
        let Self { account, day, balances, sum, lines, went, saying, .. } = self;
        if sum != balances.closing {
            return Err(Refusal::WrongTotal);
        }
        Ok(Statement { account, day, balances, lines, went, digest: saying.finish() })
    }
}

/// Why a list of movements is not a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Opening balance and movements do not come to the closing balance.
    #[error("the statement does not add up")]
    WrongTotal,
    /// A line without money.
    #[error("a line of the statement moves nothing")]
    NothingMoved,
    /// A sum that does not exist.
    #[error(transparent)]
    Money(#[from] MoneyError),
}

impl Refusal {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::WrongTotal | Self::Money(_) => "statement_wrong_total",
            Self::NothingMoved => "statement_unreadable",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_rest_longer_each_time_and_span_a_day() {
        let start = time::macros::datetime!(2026-11-24 17:00 UTC);
        let minutes = |nth| (next_fetch(nth, start) - start).whole_minutes();
        assert_eq!([1, 2, 3, 4, 5, 6, 99].map(minutes), [10, 20, 40, 80, 120, 120, 120]);
        let whole: i64 = (1..FETCHES_MAX).map(minutes).sum();
        assert!((18 * 60..28 * 60).contains(&whole), "{whole} minutes");
    }
    use crate::base::entropy::SeededEntropy;
    use proptest::prelude::*;
    use time::macros::datetime;

    fn movement(reference: &str, amount: i64) -> Movement {
        Movement { reference: Text::parse(reference).unwrap(), amount: Money::vnd(amount), named: None }
    }

    fn statement(closing: i64, movements: &[Movement]) -> Result<Statement, Refusal> {
        let account = Id::new(datetime!(2026-11-24 01:00 UTC), &SeededEntropy::new(1));
        let balances = Balances { opening: Money::vnd(1_000), closing: Money::vnd(closing) };
        let mut reading = Reading::of(account, Day::new(2026, 11, 24).unwrap(), balances);
        movements.iter().try_for_each(|movement| reading.take(movement))?;
        reading.finish()
    }

    #[test]
    fn only_what_adds_up_is_a_statement() {
        let lines = [movement("A", 50_000), movement("B", -1_000)];
        assert!(statement(50_000, &lines).is_ok());
        assert!(statement(1_000, &[]).is_ok());
        assert_eq!(statement(50_001, &lines), Err(Refusal::WrongTotal));
        assert_eq!(statement(1_000, &[movement("A", 0)]), Err(Refusal::NothingMoved));
        let beyond = [movement("A", i64::MAX), movement("B", 1)];
        assert_eq!(statement(0, &beyond).map_err(Refusal::code), Err("statement_wrong_total"));
    }

    proptest! {
        #[test]
        fn the_digest_tells_contents_apart(
            a in prop::collection::vec(("[A-C ]{1,3}[D-F]", 1_i64..4), 0..4),
            b in prop::collection::vec(("[A-C ]{1,3}[D-F]", 1_i64..4), 0..4),
        ) {
            let movements = |lines: &[(String, i64)]| -> Vec<Movement> {
                lines.iter().map(|(reference, amount)| movement(reference, *amount)).collect()
            };
            let read = |lines: &[(String, i64)]| {
                statement(1_000 + lines.iter().map(|l| l.1).sum::<i64>(), &movements(lines)).unwrap()
            };
            prop_assert_eq!(movements(&a) == movements(&b), read(&a).digest == read(&b).digest);
        }
    }
}
