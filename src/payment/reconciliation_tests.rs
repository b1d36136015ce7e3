//! A table of every difference, and properties over random statements and books.

use super::*;
use crate::base::{entropy::SeededEntropy, id};
use crate::payment::settlement::Suspense;
use proptest::prelude::*;
use std::collections::BTreeMap;
use time::macros::datetime;

fn id<K: id::Kind>(seed: u64) -> Id<K> {
    Id::new(datetime!(2026-11-24 01:00 UTC), &SeededEntropy::new(seed))
}

fn today() -> Day {
    Day::new(2026, 11, 24).unwrap()
}

fn line(number: u64, reference: &str, amount: i64, named: Option<u64>) -> Line {
    Line { id: id(number), reference: reference.to_owned(), amount: Money::vnd(amount), named: named.map(id) }
}

fn credit(reference: &str, amount: i64, payment: Option<u64>, outcome: Outcome) -> Credit {
    Credit {
        reference: reference.to_owned(),
        amount: Money::vnd(amount),
        payment: payment.map(id),
        asked: payment.map(|_| Money::vnd(50_000)),
        outcome,
        booked_on: today(),
        shown_by: None,
    }
}

fn books(credits: Vec<Credit>, attempts: &[(u64, i64, bool)]) -> Books {
    let attempt = |&(n, asked, settled): &(u64, i64, bool)| {
        (id::<Payment>(n), Attempt { asked: Money::vnd(asked), settled })
    };
    Books {
        credits,
        attempts: attempts.iter().map(attempt).collect(),
        debits: std::collections::HashMap::new(),
        ..Books::default()
    }
}

/// The kinds found, with the reconciliation.
fn run(lines: &[Line], books: &Books) -> (Vec<Kind>, Reconciliation) {
    let found = reconcile(today(), lines, books).unwrap();
    (found.differences.iter().map(|d| d.kind).collect(), found)
}

#[test]
fn what_the_bank_took_back_is_missing_whatever_its_day_and_explains_nothing_of_this_one() {
    let late =
        || Credit { booked_on: today().plus_days(-1), ..credit("R1", 50_000, Some(1), Outcome::Settles) };
    let debits = || [("D1".to_owned(), (Money::vnd(7), today().plus_days(-1)))].into();
    let taken = || ["R1", "D1"].map(str::to_owned).into();
    let not_taken = Books { debits: debits(), ..books(vec![late()], &[]) };
    assert!(run(&[], &not_taken).0.is_empty());
    let (kinds, found) = run(&[], &Books { taken: taken(), debits: debits(), ..books(vec![late()], &[]) });
    assert_eq!((kinds, found.explained), (vec![Kind::MissingThere; 2], Money::vnd(0)));
    let elsewhere = Credit { shown_by: Some(id(9)), ..late() };
    assert!(run(&[], &Books { taken: taken(), ..books(vec![elsewhere], &[]) }).0.is_empty());
}

#[test]
fn each_difference_has_its_kind() {
    use Outcome::{Settles, Suspends};
    let settled = || credit("R1", 50_000, Some(1), Settles);
    let suspended = |reason| credit("R1", 50_000, Some(1), Suspends(reason));
    let shown = || line(1, "R1", 50_000, Some(1));
    let none = || books(vec![], &[]);
    let attempts = |settled| books(vec![], &[(1, 50_000, settled)]);
    for (name, lines, books, expected) in [
        ("as it should be", vec![shown()], books(vec![settled()], &[]), vec![]),
        ("an empty day", vec![], none(), vec![]),
        ("lost notification", vec![shown()], attempts(false), vec![Kind::MissingHere]),
        ("money went", vec![line(1, "R1", -5, None)], none(), vec![Kind::MissingHere]),
        (
            "a payment taken back",
            vec![line(1, "R1", -50_000, Some(1))],
            attempts(true),
            vec![Kind::MissingHere],
        ),
        ("not on the statement", vec![], books(vec![settled()], &[]), vec![Kind::MissingThere]),
        (
            "another amount than notified",
            vec![line(1, "R1", 49_000, Some(1))],
            books(vec![settled()], &[]),
            vec![Kind::Amount],
        ),
        ("too little", vec![line(1, "R1", 49_000, Some(1))], attempts(false), vec![Kind::Amount]),
        (
            "held: wrong amount",
            vec![shown()],
            books(vec![suspended(Suspense::WrongAmount)], &[]),
            vec![Kind::Amount],
        ),
        ("paid twice, untold", vec![shown()], attempts(true), vec![Kind::Duplicate]),
        (
            "held: paid twice",
            vec![shown()],
            books(vec![suspended(Suspense::SecondMoney)], &[]),
            vec![Kind::Duplicate],
        ),
        (
            "a line twice",
            vec![shown(), line(2, "R1", 50_000, Some(1))],
            books(vec![settled()], &[]),
            vec![Kind::Duplicate],
        ),
        ("for nobody", vec![line(1, "R1", 7, None)], none(), vec![Kind::UnknownReference]),
        ("not ours", vec![line(1, "R1", 7, Some(9))], none(), vec![Kind::UnknownReference]),
        (
            "held: unknown",
            vec![shown()],
            books(vec![suspended(Suspense::Unmatched)], &[]),
            vec![Kind::UnknownReference],
        ),
        (
            "held: too late",
            vec![shown()],
            books(vec![suspended(Suspense::LateSuccess)], &[]),
            vec![Kind::Late],
        ),
        (
            "held: withdrawn",
            vec![shown()],
            books(vec![suspended(Suspense::BillCancelled)], &[]),
            vec![Kind::Late],
        ),
    ] {
        let (kinds, found) = run(&lines, &books);
        assert_eq!(kinds, expected, "{name}");
        assert_eq!(
            found.matched + found.differences.iter().filter(|d| d.line.is_some()).count(),
            lines.len()
        );
    }
}

#[test]
fn a_line_told_again_on_another_day_is_a_duplicate() {
    let before = Credit { shown_by: Some(id(7)), ..credit("R1", 50_000, Some(1), Outcome::Settles) };
    let lines = [line(1, "R1", 50_000, Some(1))];
    assert_eq!(run(&lines, &books(vec![before.clone()], &[])).0, [Kind::Duplicate]);
    // Shown by a neighbouring day's statement, it is missing in neither.
    assert!(run(&[], &books(vec![before], &[])).0.is_empty());
}

#[test]
fn money_notified_yesterday_and_shown_today_matches_and_is_explained() {
    let yesterday =
        Credit { booked_on: today().plus_days(-1), ..credit("R1", 50_000, Some(1), Outcome::Settles) };
    let (kinds, found) = run(&[line(1, "R1", 50_000, Some(1))], &books(vec![yesterday], &[]));
    assert!(kinds.is_empty());
    assert_eq!((found.matched, found.explained), (1, Money::vnd(50_000)));
    let proof = Proof { moved: Money::vnd(50_000), posted: Money::vnd(0), explained: found.explained };
    assert!(proof.unexplained().unwrap().is_zero());
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        4 => Just(Outcome::Settles),
        1 => prop::sample::select(Suspense::ALL.to_vec()).prop_map(Outcome::Suspends),
    ]
}

prop_compose! {
    fn any_day()(
        lines in prop::collection::vec((0_u8..12, -2_i64..4, prop::option::of(0_u64..6)), 0..14),
        credits in prop::collection::btree_map(0_u8..12, (1_i64..4, prop::option::of(0_u64..6), any_outcome(), -1_i64..2, prop::bool::weighted(0.2)), 0..10),
        attempts in prop::collection::vec((0_u64..6, 1_i64..4, any::<bool>()), 0..6),
    ) -> (Vec<Line>, Books) {
        let lines = lines.into_iter().enumerate().filter(|(_, (_, amount, _))| *amount != 0)
            .map(|(n, (reference, amount, named))| line(n as u64 + 100, &format!("R{reference}"), amount, named))
            .collect();
        let credits = credits.into_iter().map(|(reference, (amount, payment, outcome, day, elsewhere))| Credit {
            booked_on: today().plus_days(day),
            shown_by: elsewhere.then(|| id(u64::from(reference) + 900)),
            ..credit(&format!("R{reference}"), amount, payment, outcome)
        }).collect();
        (lines, books(credits, &attempts))
    }
}

proptest! {
    /// Every line and every credit of the day stands in exactly one place.
    #[test]
    fn nothing_is_lost_and_nothing_stands_twice((lines, books) in any_day()) {
        let (_, found) = run(&lines, &books);
        let mut places: BTreeMap<Id<StatementLine>, usize> = BTreeMap::new();
        for difference in found.differences.iter().filter_map(|d| d.line) {
            *places.entry(difference).or_default() += 1;
        }
        prop_assert!(places.values().all(|n| *n == 1));
        prop_assert_eq!(found.matched + places.len(), lines.len());
        for credit in books.credits.iter().filter(|c| c.booked_on == today()) {
            let shown = found.shown.iter().filter(|s| s.reference == credit.reference).count();
            let missing = found.differences.iter()
                .filter(|d| d.kind == Kind::MissingThere && d.credit.as_ref() == Some(&credit.reference)).count();
            prop_assert_eq!(shown + missing + usize::from(credit.shown_by.is_some()), 1);
        }
        for shown in &found.shown {
            let credit = books.credits.iter().find(|c| c.reference == shown.reference).unwrap();
            let line = lines.iter().find(|l| l.id == shown.line).unwrap();
            prop_assert_eq!(&line.reference, &credit.reference);
            let good = line.amount == credit.amount && credit.outcome == Outcome::Settles;
            prop_assert_eq!(good, !places.contains_key(&line.id));
        }
    }

    /// The three sums hang together whatever went wrong, and matching again finds the same.
    #[test]
    fn the_day_is_explained_to_the_last_dong((lines, books) in any_day()) {
        let (_, found) = run(&lines, &books);
        let sum = |amounts: Vec<Money>| Money::sum(Currency::Vnd, amounts).unwrap();
        let moved = sum(lines.iter().map(|l| l.amount).collect());
        let posted = sum(books.credits.iter().filter(|c| c.booked_on == today()).map(|c| c.amount).collect());
        let proof = Proof { moved, posted, explained: found.explained };
        prop_assert!(proof.unexplained().unwrap().is_zero());
        prop_assert_eq!(reconcile(today(), &lines, &books).unwrap(), found);
    }

    /// A late notification turns a line that the books had not heard of into a match, and touches nothing else.
    #[test]
    fn a_late_notification_clears_its_case((lines, books) in any_day()) {
        let (_, before) = run(&lines, &books);
        for line in lines.iter().filter(|line| line.amount.is_positive()) {
            let told_once = lines.iter().filter(|l| l.reference == line.reference).count() == 1;
            let heard_of = books.credits.iter().any(|c| c.reference == line.reference);
            if heard_of || !told_once {
                continue;
            }
            let mut books = books.clone();
            let late = credit(&line.reference, 1, None, Outcome::Settles);
            books.credits.push(Credit { amount: line.amount, payment: line.named, ..late });
            let (_, after) = run(&lines, &books);
            prop_assert_eq!(after.matched, before.matched + 1);
            let rest: Vec<&Difference> = before.differences.iter().filter(|d| d.line != Some(line.id)).collect();
            prop_assert_eq!(after.differences.iter().collect::<Vec<_>>(), rest);
        }
    }
}
