//! A day of a million lines against a million credits in the books: kept, matched, every line judged, in one run; beside a
//! COPY of the same lines and one SQL join.
//!
//! `CHUNG_BENCH_LINES` sets how many (default 1,000,000). Memory is the peak of this process, which holds the statement
//! that the bank told as well: what matching adds cannot be told apart from outside.

use super::measure::{Meter, Payers, memory_mib};
use super::report::{Rate, Record, Trio};
use super::world::{ACCOUNT, World};
use anyhow::{Context, Result, anyhow, ensure};
use chung::base::{calendar::Day, clock::Instant, id, id::Id, money::Money, text::Line};
use chung::codec::iso20022::{
    CancellationRequest, CreditTransfer, Direction, EndToEndId, Entry, MessageId, PaymentReturn,
    RequestToPay, Resolution, Statement, StatementRequest, StatusInquiry,
};
use chung::flow::reconcile_statement::match_statement;
use chung::partner::clearing::{Clearing, FetchedStatement, NoStatement};
use chung::payment::{
    fee::FeeKind,
    ledger,
    payment::{Event, Report},
    refund::Answer,
};
use chung::store::account::{self, CollectingAccount};
use futures_util::future::BoxFuture;
use sqlx::{Connection, PgConnection, Row};
use std::future::ready;
use std::sync::{Arc, Mutex};
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
        path: "  this process at most, the told statement with it (MiB)".to_owned(),
        memory_mib: Some(memory_mib(std::process::id(), "VmHWM")?),
        goal: Some(MEMORY),
        ..Record::default()
    };
    Ok(vec![Record::of(&path, "COPY of the lines and one SQL join", Some(GOAL), &trio), peak])
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
    let drawn = "insert into bench_credit select md5(n::text), gen_random_uuid(), gen_random_uuid()
        from generate_series(1, $1) n";
    sqlx::query(drawn).bind(i64::try_from(lines)?).execute(&mut connection).await?;
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
    let told = sqlx::query("select reference, payment from bench_credit").fetch_all(&mut connection).await?;
    let mut text = String::with_capacity(told.len() * 80);
    for row in told {
        let (reference, payment): (String, Uuid) = (row.get(0), row.get(1));
        text.push_str(&format!("{reference}\t{AMOUNT}\t{payment}\n"));
    }
    let payers = Payers { processes: vec![std::process::id()], ..world.payers() };
    let meter = Meter::start(&payers, &world.url()).await?;
    let mut copy = connection.copy_in_raw("copy bench_line (reference, amount, payment) from stdin").await?;
    for chunk in text.as_bytes().chunks(1 << 20) {
        copy.send(chunk).await?;
    }
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
    let statement = told(world, account, day, lines).await?;
    let app = world.app.with(|parts| parts.clearing = Arc::new(Told(Mutex::new(Some(statement)))));
    let payers = Payers { processes: vec![std::process::id()], ..world.payers() };
    let meter = Meter::start(&payers, &world.url()).await?;
    match_statement(&app, account, day).await.map_err(|error| anyhow!("{error:?}"))?;
    let spent = meter.stop().await?;
    let found = world.count(&format!("statement where lines = {lines} and matched = {lines}")).await?;
    ensure!(found == 1, "the day is not matched line by line");
    Ok(Rate::of(lines, spent))
}

async fn told(
    world: &World,
    account: &CollectingAccount,
    day: Day,
    lines: usize,
) -> Result<FetchedStatement> {
    let mut connection = PgConnection::connect(&world.url()).await?;
    let rows = sqlx::query("select reference, payment from bench_credit").fetch_all(&mut connection).await?;
    let entry = |row: sqlx::postgres::PgRow| -> Result<Entry> {
        let (reference, payment): (String, Uuid) = (row.get(0), row.get(1));
        Ok(Entry {
            reference: Line::parse(&reference)?,
            amount: Money::vnd(AMOUNT),
            direction: Direction::Credit,
            reversal: false,
            booked: day,
            value: day,
            end_to_end: Some(Line::parse(&EndToEndId(payment).to_string())?),
            uetr: None,
            clearing_reference: None,
            counterparty: None,
            counterparty_agent: None,
            remittance: Vec::new(),
            accepted: None,
            charged: None,
        })
    };
    let entries = rows.into_iter().map(entry).collect::<Result<Vec<_>>>()?;
    ensure!(entries.len() == lines);
    let closing = AMOUNT.checked_mul(i64::try_from(lines)?).context("a sum")?;
    let statement = Statement {
        account: account.number.parse().map_err(|_| anyhow!("an account number"))?,
        day,
        opening: Money::vnd(0),
        closing: Money::vnd(closing),
        entries,
    };
    Ok(FetchedStatement { message: MessageId(Uuid::nil()), digest: [0; 32], statement })
}

/// A bank that tells one statement, once.
struct Told(Mutex<Option<FetchedStatement>>);

impl Clearing for Told {
    fn request_to_pay<'a>(&'a self, _: MessageId, _: &'a RequestToPay, _: Instant) -> BoxFuture<'a, Event> {
        Box::pin(ready(Event::NoAnswer))
    }

    fn inquire(&self, _: MessageId, _: StatusInquiry, _: Instant) -> BoxFuture<'_, Option<Report>> {
        Box::pin(ready(None))
    }

    fn return_payment<'a>(&'a self, _: MessageId, _: &'a PaymentReturn, _: Instant) -> BoxFuture<'a, Answer> {
        Box::pin(ready(Answer::NeverGot))
    }

    fn inquire_return(&self, _: MessageId, _: StatusInquiry, _: Instant) -> BoxFuture<'_, Answer> {
        Box::pin(ready(Answer::NeverGot))
    }

    fn pass_on<'a>(
        &'a self,
        _: MessageId,
        _: &'a CreditTransfer,
        _: Instant,
        _: Instant,
    ) -> BoxFuture<'a, Answer> {
        Box::pin(ready(Answer::NeverGot))
    }

    fn ask_back<'a>(&'a self, _: MessageId, _: &'a CancellationRequest, _: Instant) -> BoxFuture<'a, Answer> {
        Box::pin(ready(Answer::NeverGot))
    }

    fn answer_recall<'a>(&'a self, _: MessageId, _: &'a Resolution, _: Instant) -> BoxFuture<'a, Answer> {
        Box::pin(ready(Answer::NeverGot))
    }

    fn statement<'a>(
        &'a self,
        _: MessageId,
        _: &'a StatementRequest,
        _: Instant,
    ) -> BoxFuture<'a, Result<FetchedStatement, NoStatement>> {
        let told = self.0.lock().ok().and_then(|mut told| told.take());
        Box::pin(ready(told.ok_or_else(|| NoStatement::Silence("told once".to_owned()))))
    }
}
