//! A day of a million lines against a million credits in the books: kept, matched, every line judged, in one run; beside a
//! COPY of the same lines and one SQL join. Then the bank tells the day again, one line in a hundred otherwise.
//!
//! `CHUNG_BENCH_LINES` sets how many (default 1,000,000). Memory is the peak of this process, which tells the lines as they
//! are asked for; the reference sends its lines in pieces of a mebibyte.

use super::measure::{Meter, Payers, Spent, memory_mib};
use super::report::{Rate, Record, Trio};
use super::world::{ACCOUNT, World};
use anyhow::{Context, Result, anyhow, ensure};
use chung::base::{calendar::Day, id, id::Id, money::Money, text::Line};
use chung::codec::iso20022::{Direction, EndToEndId, Entry};
use chung::flow::{
    self,
    match_day::match_told,
    told_lines::{Lines, Telling},
};
use chung::payment::{fee::FeeKind, ledger};
use chung::store::{
    Tx,
    account::{self, CollectingAccount},
};
use futures_util::future::BoxFuture;
use sqlx::{Connection, PgConnection};
use std::future::ready;
use uuid::Uuid;

/// What every line moves.
const AMOUNT: i64 = 205_000;
/// What the aim allows: three times as long as the reference.
const GOAL: f64 = 1.0 / 3.0;
/// MiB that the aim allows.
const MEMORY: f64 = 256.0;

/// Measures the matching of one day.
pub async fn measure(world: &mut World) -> Result<Vec<Record>> {
    let asked = std::env::var_os("CHUNG_BENCH_LINES").and_then(|lines| lines.to_str()?.parse().ok());
    let lines = asked.unwrap_or(1_000_000);
    let mut tx = world.app.store.begin().await?;
    let account = account::account_of_number(&mut tx, ACCOUNT).await?.context("the account")?;
    tx.commit().await?;
    let day = Day::of(world.app.clock.now()).plus_days(-1);
    fill(world, &account, day, lines).await?;
    let before = copied(world, account.id, lines).await?;
    let ours = matched(world, &account, day, lines).await?;
    let after = copied(world, account.id, lines).await?;
    let (low, high) = (before.per_cpu_s.min(after.per_cpu_s), before.per_cpu_s.max(after.per_cpu_s));
    let reference = f64::midpoint(before.per_cpu_s, after.per_cpu_s);
    let reference_per_s = f64::midpoint(before.per_s, after.per_s);
    let trio = Trio { reference, reference_per_s, ours, spread: high / low };
    let path = format!("statement lines matched, {lines} in one run");
    let peak = Record {
        path: "  this process at most (MiB)".to_owned(),
        memory_mib: Some(memory_mib(std::process::id(), "VmHWM")?),
        goal: Some(MEMORY),
        ..Record::default()
    };
    let again = told_again(world, &account, day, lines).await?;
    let again = Record {
        path: format!("the same {lines} lines told again, one in {OTHERWISE} otherwise; this process (MiB)"),
        rate: Some(again.per_cpu_s),
        per_s: Some(again.per_s),
        memory_mib: Some(memory_mib(std::process::id(), "VmHWM")?),
        goal: Some(MEMORY),
        ..Record::default()
    };
    let matched = Record::of(&path, "COPY of the lines and one SQL join", Some(GOAL), &trio);
    Ok(vec![matched, peak, again])
}

/// Of the second telling one line in so many has another reference.
const OTHERWISE: usize = 100;

/// The bank tells the day again: what stays keeps its lines, what is gone is withdrawn, what is new opens a case.
async fn told_again(world: &World, account: &CollectingAccount, day: Day, lines: usize) -> Result<Rate> {
    let spent = tell(world, account, Told { day, lines, otherwise: true }).await?;
    let new = lines / OTHERWISE;
    let of_day = "statement_line where statement_id in (select id from statement where lines = ";
    let kept = world.count(&format!("{of_day}{lines})")).await?;
    ensure!(usize::try_from(kept)? == lines + new, "{kept} lines are kept");
    let gone = world.count("withdrawn_line").await?;
    ensure!(usize::try_from(gone)? == new, "{gone} lines are withdrawn");
    Ok(Rate::of(lines, spent))
}

/// So many credits of that day in the books, each with its entry and two postings.
async fn fill(world: &World, account: &CollectingAccount, day: Day, lines: usize) -> Result<()> {
    let books =
        [ledger::Account::Clearing(account.id), ledger::Account::AgencyFee(world.agency, FeeKind::Phi)];
    let mut tx = world.app.store.begin().await?;
    let numbers = account::open_numbers(&mut tx, &books).await?;
    tx.commit().await?;
    let number = |account: &ledger::Account| numbers.get(account).copied().context("an account of the books");
    let mut connection = PgConnection::connect(&world.url()).await?;
    for statement in [
        "set session_replication_role = replica",
        "create table bench_credit (reference text, entry uuid, payment uuid)",
        "create table bench_line (reference text, amount bigint, payment uuid)",
    ] {
        sqlx::raw_sql(statement).execute(&mut connection).await?;
    }
    let mut copy = connection.copy_in_raw("copy bench_credit (reference, entry, payment) from stdin").await?;
    let mut text = String::new();
    for n in 1..=lines as u128 {
        text.push_str(&format!("{}\t{}\t{}\n", reference(n), Uuid::from_u128(n), payment(n)));
        if text.len() > 1 << 20 {
            copy.send(std::mem::take(&mut text).into_bytes()).await?;
        }
    }
    copy.send(text.into_bytes()).await?;
    copy.finish().await?;
    let entries = "insert into ledger_entry (id, booked_on, kind, subject, leaf_id, at)
        select entry, $1, 'settled', payment, gen_random_uuid(), now() from bench_credit";
    sqlx::query(entries).bind(day.date()).execute(&mut connection).await?;
    let postings = "insert into posting (entry_id, account_id, amount, booked_on)
        select entry, a, m, $1 from bench_credit, (values ($2::integer, $4::bigint), ($3, -$4)) as v (a, m)";
    sqlx::query(postings)
        .bind(day.date())
        .bind(number(&books[0])?)
        .bind(number(&books[1])?)
        .bind(AMOUNT)
        .execute(&mut connection)
        .await?;
    let credits = "insert into credit (account_id, servicer_reference, amount, payment_id, outcome, entry_id,
            booked_on, at)
        select $1, reference, $2, payment, 'settled', entry, $3, now() from bench_credit";
    sqlx::query(credits)
        .bind(account.id.uuid())
        .bind(AMOUNT)
        .bind(day.date())
        .execute(&mut connection)
        .await?;
    sqlx::raw_sql("vacuum analyze").execute(&mut connection).await?;
    Ok(())
}

/// The reference: the lines into a bare table by COPY, and one join that counts what agrees.
async fn copied(world: &World, account: Id<id::Account>, lines: usize) -> Result<Rate> {
    let mut connection = PgConnection::connect(&world.url()).await?;
    sqlx::raw_sql("truncate bench_line").execute(&mut connection).await?;
    let payers = Payers { processes: vec![std::process::id()], ..world.payers() };
    let meter = Meter::start(&payers, &world.url()).await?;
    let mut copy = connection.copy_in_raw("copy bench_line (reference, amount, payment) from stdin").await?;
    let mut text = String::with_capacity(1 << 21);
    for n in (1..=lines as u128).rev() {
        text.push_str(&format!("{}\t{AMOUNT}\t{}\n", reference(n), payment(n)));
        if text.len() > 1 << 20 {
            copy.send(text.as_bytes()).await?;
            text.clear();
        }
    }
    copy.send(text.as_bytes()).await?;
    copy.finish().await?;
    let join = "select count(*) from bench_line l join credit c
        on c.account_id = $1 and c.servicer_reference = l.reference and c.amount = l.amount";
    let found: i64 = sqlx::query_scalar(join).bind(account.uuid()).fetch_one(&mut connection).await?;
    let spent = meter.stop().await?;
    ensure!(usize::try_from(found)? == lines, "{found} of {lines} agree");
    Ok(Rate::of(lines, spent))
}

/// Ours: the bank tells the day, it is kept and matched.
async fn matched(world: &World, account: &CollectingAccount, day: Day, lines: usize) -> Result<Rate> {
    let spent = tell(world, account, Told { day, lines, otherwise: false }).await?;
    let found = world.count(&format!("statement where lines = {lines} and matched = {lines}")).await?;
    ensure!(found == 1, "the day is not matched line by line");
    Ok(Rate::of(lines, spent))
}

/// The bank tells the day, and it is matched: what that took.
async fn tell(world: &World, account: &CollectingAccount, told: Told) -> Result<Spent> {
    let closing = AMOUNT.checked_mul(i64::try_from(told.lines)?).context("a sum")?;
    let telling = Telling {
        message: Uuid::from_u128(u128::from(told.otherwise)),
        day: told.day,
        balances: (Money::vnd(0), Money::vnd(closing)),
        lines: Box::new(told),
    };
    let payers = Payers { processes: vec![std::process::id()], ..world.payers() };
    let meter = Meter::start(&payers, &world.url()).await?;
    let tx = world.app.store.begin().await?;
    let done = match_told(&world.app, tx, account, &telling, None, &|_| ()).await;
    done.map_err(|error| anyhow!("{error:?}"))?;
    meter.stop().await
}

/// The lines of the day, told as they are asked for: the same references and payments that the books hold, in another
/// order.
struct Told {
    day: Day,
    lines: usize,
    otherwise: bool,
}

/// How many lines are told at once.
const TOLD_AT_ONCE: usize = 5_000;

impl Lines for Told {
    fn chunk<'a>(&'a self, _: &'a mut Tx, nth: usize) -> BoxFuture<'a, flow::Result<Vec<Entry>>> {
        let end = self.lines.saturating_sub(nth.saturating_mul(TOLD_AT_ONCE));
        let from = end.saturating_sub(TOLD_AT_ONCE);
        let entries = (from..end).rev().map(|n| {
            let other = self.otherwise && n % OTHERWISE == 0;
            let entry = entry(self.day, n as u128 + 1)?;
            let reference = reference(if other { u128::MAX - n as u128 } else { n as u128 + 1 });
            Some(Entry { reference: Line::parse(&reference).ok()?, ..entry })
        });
        let entries: Option<Vec<Entry>> = entries.collect();
        Box::pin(ready(entries.ok_or_else(|| flow::Error::internal("a line of the bench"))))
    }
}

fn entry(day: Day, n: u128) -> Option<Entry> {
    Some(Entry {
        reference: Line::parse(&reference(n)).ok()?,
        amount: Money::vnd(AMOUNT),
        direction: Direction::Credit,
        reversal: false,
        booked: day,
        value: day,
        end_to_end: Some(Line::parse(&EndToEndId(payment(n)).to_string()).ok()?),
        uetr: None,
        clearing_reference: None,
        counterparty: Some(Line::parse("NGUYEN THI BICH HANG").ok()?),
        counterparty_agent: None,
        remittance: vec![Line::parse("NOP PHI HO SO H29.14-261125-0001").ok()?],
        accepted: None,
        charged: None,
    })
}

/// A bank's reference of the n-th movement: 32 digits in no order.
fn reference(n: u128) -> String {
    format!("{:032x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
}

/// The payment of the n-th movement.
fn payment(n: u128) -> Uuid {
    Uuid::from_u128(n.wrapping_mul(0xd1b5_4a32_d192_ed03_aef1_7502_108e_f2d9))
}
