//! Long days: in pages from the bank, in chunks through the books; what the database decides about them is what the rules
//! decide.

use crate::central_bank::entry;
use crate::office::{ACCOUNT, Office};
use crate::payments::start;
use crate::reachable::{hold, let_go};
use crate::world::TestApp;
use chung::base::{
    calendar::Day,
    clock::Clock,
    entropy::{SeededEntropy, below},
    id::{Id, StatementLine},
    money::Money,
};
use chung::codec::iso20022::{Direction, Entry};
use chung::flow::reconcile_statement::{match_statement, match_watched};
use chung::flow::tidy::tidy;
use chung::flow::told_lines::Step;
use chung::payment::reconciliation::{Books, Credit, Line, Reconciliation, reconcile};
use chung::payment::settlement::{Outcome, Suspense};
use chung::store::account::{self, CollectingAccount};
use serde_json::json;
use sqlx::AssertSqlSafe;
use std::collections::{BTreeMap, HashMap};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Mutex;
use std::task::Poll;
use std::time::Duration;

async fn collecting(world: &TestApp) -> CollectingAccount {
    let mut tx = world.app.store.begin().await.unwrap();
    account::account_of_number(&mut tx, ACCOUNT).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_long_day_comes_in_pages_and_is_one_statement() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    for n in 1..=5_u128 {
        let bill = office.bill(&world, &format!("k{n}")).await;
        let payment = start(&world, &office, &bill).await;
        let reference = format!("R{n}");
        world.tell(&world.credit(n, &reference, 205_000, &payment)).await.expect(200);
        let named = Some(crate::office::uuid(&payment));
        world.bank.movements.lock().unwrap().push(entry(&reference, 205_000, named, world.clock.now()));
    }
    *world.bank.page_room.lock().unwrap() = 2;
    let (account, steps) = (collecting(&world).await, Mutex::new(Vec::new()));
    let day = Day::new(2026, 11, 24).unwrap();
    let watch = |step| steps.lock().unwrap().push(step);
    let told = match_watched(&world.app, &account, day, &watch).await.unwrap();
    let reconciliation = &told["reconciliation"];
    assert_eq!((&told["lines"], &reconciliation["matched"]), (&json!(5), &json!(5)));
    assert_eq!(reconciliation["unexplained"]["amount"], "0");
    let steps = steps.into_inner().unwrap();
    let fetched: Vec<_> = steps.iter().filter(|step| matches!(step, Step::Fetched(_))).collect();
    assert_eq!(fetched, [&Step::Fetched(2), &Step::Fetched(4), &Step::Fetched(5)]);
    assert!(steps.contains(&Step::Kept(5, 5)), "{steps:?}");
    assert_eq!(world.count("statement_page").await, 0, "what came in pages is kept once");
    assert_eq!(world.count("shown_credit").await, 0, "what is plain needs no row");
    assert_eq!(world.count("credit_shown").await, 5);
    // In one piece it is the same day, and nothing changes.
    *world.bank.page_room.lock().unwrap() = 10;
    let again = match_statement(&world.app, &account, day).await.unwrap();
    assert_eq!(again, told);
    // Pages that do not add up are no statement, and leave nothing behind.
    *world.bank.page_room.lock().unwrap() = 2;
    world.bank.lost_pages.lock().unwrap().push(2);
    let refused = match_statement(&world.app, &account, day).await.unwrap_err();
    assert_eq!(refused.code(), "statement_unreadable");
    assert_eq!(match_statement(&world.app, &account, day).await.unwrap(), told);
    assert_eq!(world.count("statement_revision").await, 0);
    // What the refused run fetched is forgotten.
    assert_eq!(world.count("statement_page").await, 1);
    tidy(&world.app).await.unwrap();
    assert_eq!(world.count("statement_page").await, 1, "a run might be at it");
    world.later(Duration::from_secs(86_401));
    tidy(&world.app).await.unwrap();
    assert_eq!(world.count("statement_page").await, 0);
}

#[tokio::test]
async fn two_who_fetch_the_same_long_day_take_nothing_from_each_other() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let bill = office.bill(&world, "k").await;
    let payment = start(&world, &office, &bill).await;
    world.tell(&world.credit(1, "R1", 205_000, &payment)).await.expect(200);
    // A day after which the account holds what it held before: no lines at all would add up too.
    let mut entries = vec![entry("R1", 205_000, Some(crate::office::uuid(&payment)), world.clock.now())];
    entries.extend(["D1", "D2"].map(|reference| Entry {
        direction: Direction::Debit,
        ..entry(reference, 102_500, None, world.clock.now())
    }));
    world.bank.movements.lock().unwrap().extend(entries);
    *world.bank.page_room.lock().unwrap() = 2;
    let (account, day) = (collecting(&world).await, Day::new(2026, 11, 24).unwrap());
    // A page that is gone by the time it is read is no day without it.
    let other = hold(&world, "lock table statement in access exclusive mode").await;
    let (refused, ()) = tokio::join!(match_statement(&world.app, &account, day), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        world.sql("delete from statement_page where number = 2").await.unwrap();
        let_go(other).await;
    });
    assert_eq!(refused.unwrap_err().code(), "try_again");
    assert_eq!(world.count("statement").await, 0);
    // Both have fetched it before either reads.
    let other = hold(&world, "lock table statement in access exclusive mode").await;
    let (one, another, ()) = tokio::join!(
        match_statement(&world.app, &account, day),
        match_statement(&world.app, &account, day),
        async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let_go(other).await;
        }
    );
    assert_eq!(one.unwrap(), another.unwrap());
    assert_eq!(world.count("statement where lines = 3 and matched = 1").await, 1);
    assert_eq!(world.count("statement_revision").await + world.count("withdrawn_line").await, 0);
    assert_eq!(world.count("ledger_entry where kind = 'corrected'").await, 0);
}

/// Lets somebody work until they have waited so often, and then give up; what they came to if they were done before.
async fn done_before<T>(work: impl Future<Output = T>, waits: usize) -> Option<T> {
    let (mut work, mut waited) = (pin!(work), 0);
    poll_fn(|context| {
        if let Poll::Ready(done) = work.as_mut().poll(context) {
            return Poll::Ready(Some(done));
        }
        waited += 1;
        if waited > waits { Poll::Ready(None) } else { Poll::Pending }
    })
    .await
}

#[tokio::test]
async fn whoever_gives_up_in_the_middle_leaves_nothing_behind_and_every_connection_answers() {
    // How often one waits depends on how busy the machine is.
    let mut waits = 0;
    for _ in 0..8 {
        waits += given_up_at_each_wait().await;
        if waits > 8 {
            return;
        }
    }
    panic!("{waits} waits");
}

/// A day is taken by somebody who gives up at the first wait, then by one at the second, until it is done; how many gave up.
async fn given_up_at_each_wait() -> usize {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    office.bill(&world, "k").await;
    let movements = (0..3).map(|n| entry(&format!("R{n}"), 205_000, None, world.clock.now()));
    world.bank.movements.lock().unwrap().extend(movements);
    let (account, day) = (collecting(&world).await, Day::new(2026, 11, 24).unwrap());
    let mut waits = 0;
    while !matches!(done_before(match_statement(&world.app, &account, day), waits).await, Some(Ok(_))) {
        // Whoever comes next may be told once that it did not work; a connection that stays broken would be met again.
        let mut failed = 0;
        for _ in 0..8 {
            match world.app.store.begin().await {
                Ok(mut tx) => {
                    let found = account::account_of_number(&mut tx, ACCOUNT).await.unwrap();
                    let number = found.map(|account| account.number);
                    assert_eq!(number.as_deref(), Some(ACCOUNT), "after {waits} waits");
                }
                Err(_) => failed += 1,
            }
        }
        assert!(failed <= 1, "{failed} of eight failed after {waits} waits");
        let (heads, lines) = (world.count("statement").await, world.count("statement_line").await);
        assert_eq!(lines, heads * 3, "all or nothing after {waits} waits");
        assert!(waits < 400, "nobody is ever done");
        waits += 1;
    }
    assert_eq!(world.count("statement where lines = 3 and matched = 0").await, 1);
    assert_eq!(world.count("\"case\" where kind = 'unknown_reference' and state = 'open'").await, 3);
    waits
}

/// Chance with a seed.
struct Dice(SeededEntropy);

impl Dice {
    fn roll(&self, sides: u64) -> usize {
        usize::try_from(below(&self.0, sides)).unwrap()
    }
}

/// Three days of an account as somebody may invent them.
struct Invented {
    days: [Day; 3],
    credits: Vec<Credit>,
    debits: Vec<(String, Money, Day)>,
    lines: Vec<Entry>,
}

const AMOUNTS: [i64; 3] = [50_000, 50_000, 60_000];

fn invent(seed: u64, first: Day) -> Invented {
    let dice = Dice(SeededEntropy::new(seed));
    let days = [first, first.plus_days(1), first.plus_days(2)];
    let mut invented = Invented { days, credits: Vec::new(), debits: Vec::new(), lines: Vec::new() };
    for n in 0..7 {
        let reference = format!("S{seed}N{n}");
        if dice.roll(4) > 0 {
            let outcome = match dice.roll(4) {
                0 => Outcome::Suspends(Suspense::ALL[dice.roll(Suspense::ALL.len() as u64)]),
                _ => Outcome::Settles,
            };
            invented.credits.push(Credit {
                reference: reference.clone(),
                amount: Money::vnd(AMOUNTS[dice.roll(3)]),
                payment: None,
                asked: None,
                outcome,
                booked_on: days[dice.roll(3)],
                shown_by: None,
            });
        }
        // A bank that gives money that came and money that went one name is a mistake of ours to invent.
        let known = invented.credits.last().is_some_and(|credit| credit.reference == reference);
        if !known && dice.roll(2) == 0 {
            let amount = Money::vnd(AMOUNTS[dice.roll(3)]);
            invented.debits.push((reference.clone(), amount, days[dice.roll(3)]));
        }
        for _ in 0..[1, 1, 1, 0, 2, 3][dice.roll(6)] {
            let mut line = entry(&reference, AMOUNTS[dice.roll(3)], None, first.start());
            line.booked = days[if dice.roll(3) == 0 { dice.roll(3) } else { n % 3 }];
            line.direction = if dice.roll(6) == 0 { Direction::Debit } else { Direction::Credit };
            invented.lines.push(line);
        }
    }
    invented
}

async fn write(world: &TestApp, account: &CollectingAccount, invented: &Invented) {
    let account = account.id.uuid();
    for credit in &invented.credits {
        let outcome = match credit.outcome {
            Outcome::Settles => "settled",
            Outcome::Suspends(reason) => reason.as_str(),
        };
        let (reference, amount, day) = (&credit.reference, credit.amount.minor(), credit.booked_on);
        let sql = format!(
            "insert into credit (account_id, servicer_reference, amount, outcome, entry_id, booked_on, at)
             values ('{account}', '{reference}', {amount}, '{outcome}', gen_random_uuid(), '{day}', '2026-11-24Z')"
        );
        world.sql(&sql).await.unwrap();
    }
    for (reference, amount, day) in &invented.debits {
        let sql = format!(
            "insert into debit (account_id, servicer_reference, amount, entry_id, booked_on, at)
             values ('{account}', '{reference}', {}, gen_random_uuid(), '{day}', '2026-11-24Z')",
            amount.minor()
        );
        world.sql(&sql).await.unwrap();
    }
}

/// What the rules say of a day, when these credits are shown by lines of other days.
fn judged(invented: &Invented, day: Day, shown: &HashMap<String, Day>) -> Reconciliation {
    let mine = invented.lines.iter().filter(|line| line.booked == day).zip(1..);
    let id = |n| Id::<StatementLine>::nth(day.start(), n, &SeededEntropy::new(0));
    let lines: Vec<Line> = mine
        .map(|(line, n)| Line {
            id: id(n),
            reference: line.reference.to_string(),
            amount: match line.direction {
                Direction::Credit => line.amount,
                Direction::Debit => line.amount.negated().unwrap(),
            },
            named: None,
        })
        .collect();
    let elsewhere = |reference: &String| shown.get(reference).is_some_and(|shown| *shown != day);
    let credits = invented.credits.iter().cloned().map(|mut credit| {
        credit.shown_by = elsewhere(&credit.reference).then(|| id(99));
        credit
    });
    // The books of the day, and whatever a line refers to.
    let told = |reference: &str| lines.iter().any(|line| line.reference == reference);
    let credits = credits.filter(|c| c.booked_on == day || told(&c.reference)).collect();
    let debits = invented.debits.iter().filter(|(r, _, on)| *on == day || told(r));
    let debits = debits.map(|(reference, amount, on)| (reference.clone(), (*amount, *on))).collect();
    reconcile(day, &lines, &Books { credits, debits, ..Books::default() }).unwrap()
}

/// The kinds of the cases that stand about lines, by the places of the lines.
async fn cases(world: &TestApp, day: Day) -> BTreeMap<i32, String> {
    let sql = format!(
        "select l.number, c.kind from \"case\" c join statement_line l on l.id = c.line_id
         join statement s on s.id = l.statement_id where s.day = '{day}' and c.state <> 'cleared'"
    );
    let rows: Vec<(i32, String)> =
        sqlx::query_as(AssertSqlSafe(sql)).fetch_all(&mut world.connection().await).await.unwrap();
    rows.into_iter().collect()
}

#[tokio::test]
async fn what_the_database_decides_is_what_the_rules_decide() {
    let world = TestApp::start().await;
    Office::open(&world, "H29.14").await.bill(&world, "k").await;
    let account = collecting(&world).await;
    let mut first = Day::new(2026, 1, 1).unwrap();
    for seed in 0..60 {
        let invented = invent(seed, first);
        write(&world, &account, &invented).await;
        *world.bank.movements.lock().unwrap() = invented.lines.clone();
        let mut shown: HashMap<String, Day> = HashMap::new();
        for nth in [1, 0, 2, 0, 1, 2] {
            let day = invented.days[nth];
            let told = match_statement(&world.app, &account, day).await.unwrap();
            let found = judged(&invented, day, &shown);
            for pair in &found.shown {
                shown.entry(pair.reference.clone()).or_insert(day);
            }
            let reconciliation = &told["reconciliation"];
            let name = format!("seed {seed}, day {nth}: {reconciliation}, {found:?}");
            assert_eq!(reconciliation["matched"], json!(found.matched), "{name}");
            assert_eq!(reconciliation["explained"]["amount"], found.explained.decimal(), "{name}");
            let of_lines = found.differences.iter().filter_map(|d| Some((d.line?, d.kind)));
            let expected: BTreeMap<i32, String> = of_lines
                .map(|(line, kind)| {
                    let place = (1..50)
                        .find(|n| Id::<StatementLine>::nth(day.start(), *n, &SeededEntropy::new(0)) == line);
                    (i32::try_from(place.unwrap()).unwrap(), kind.as_str().to_owned())
                })
                .collect();
            assert_eq!(cases(&world, day).await, expected, "{name}");
        }
        let of_days = "credit_shown v join statement s on s.id = v.statement_id";
        let count = world.count(&format!("{of_days} where v.servicer_reference like 'S{seed}N%'")).await;
        assert_eq!(usize::try_from(count).unwrap(), shown.len(), "seed {seed}: a credit is shown once");
        for (reference, day) in &shown {
            let one = format!("{of_days} where v.servicer_reference = '{reference}' and s.day = '{day}'");
            assert_eq!(world.count(&one).await, 1, "seed {seed}: {reference} on {day}");
        }
        first = first.plus_days(4);
    }
}
