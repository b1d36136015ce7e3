//! Raw references on the service's own migrated tables: what a careful person would write without the service.

use super::client::{Pace, Requests, load, post};
use super::measure::{Meter, Payers};
use super::report::Rate;
use super::world::World;
use anyhow::{Context, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post as route;
use chung::base::{calendar::Day, clock::Clock, clock::SystemClock, entropy::SystemEntropy, id, id::Id};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, PgPool, Row};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Connections of a raw reference.
pub const CLIENTS: usize = 32;
/// Accounts that uniform postings are spread over.
const ACCOUNTS: usize = 1_000;
/// The argument that turns this program into the bare server.
pub const SERVE: &str = "reference-insert";

/// Which posting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Posting {
    /// Two accounts drawn evenly, each with a balance that is updated.
    Uniform,
    /// The same, but every debit goes to one account.
    Hot,
    /// Uniform, no balances: what our own tables hold, posted one by one.
    AppendOnly,
    /// As `Uniform`, with all triggers off.
    WithoutTriggers,
}

/// One posting in one statement: the credit that arrived (its primary key is the claim), the entry, two postings.
const APPEND: &str = "with e as (insert into ledger_entry (id, booked_on, kind, subject, leaf_id, at)
        values ($1, $2, 'settled', $3, $4, $5)),
    c as (insert into credit (account_id, servicer_reference, amount, payment_id, outcome, entry_id, booked_on, at)
        values ($6, $7, $8, $3, 'settled', $1, $2, $5))
    insert into posting (entry_id, account_id, amount, booked_on) values ($1, $9, $8, $2), ($1, $10, -$8, $2)";

/// The same with both balances brought up to date.
const BALANCED: &str = "with e as (insert into ledger_entry (id, booked_on, kind, subject, leaf_id, at)
        values ($1, $2, 'settled', $3, $4, $5)),
    c as (insert into credit (account_id, servicer_reference, amount, payment_id, outcome, entry_id, booked_on, at)
        values ($6, $7, $8, $3, 'settled', $1, $2, $5)),
    d as (update bench_balance set balance = balance + $8 where account = $9),
    f as (update bench_balance set balance = balance - $8 where account = $10)
    insert into posting (entry_id, account_id, amount, booked_on) values ($1, $9, $8, $2), ($1, $10, -$8, $2)";

/// The numbers of the accounts that references post to, with their balances; made when they are first asked for.
pub async fn accounts(world: &World) -> Result<Vec<i32>> {
    let mut connection = PgConnection::connect(&world.url()).await?;
    let read = "select a.id from ledger_account a join agency g on g.id = a.agency_id
        where g.code like 'bench-%' order by a.id";
    let known: Vec<i32> = sqlx::query_scalar(read).fetch_all(&mut connection).await?;
    if !known.is_empty() {
        return Ok(known);
    }
    let make = format!(
        "insert into agency (id, code, name_vi, name_en, state, wrapped_key, key_generation, created_at)
             select gen_random_uuid(), 'bench-' || n, '-', '-', 'active', '', 1, '2026-01-01Z'
             from generate_series(1, {ACCOUNTS}) n;
         insert into ledger_account (kind, agency_id) select 'fee_phi', id from agency where code like 'bench-%';
         create table bench_balance (account integer primary key, balance bigint not null) with (fillfactor = 50);
         insert into bench_balance select a.id, 0 from ledger_account a join agency g on g.id = a.agency_id
             where g.code like 'bench-%';
         vacuum analyze"
    );
    for statement in make.split(';') {
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await?;
    }
    Ok(sqlx::query_scalar(read).fetch_all(&mut connection).await?)
}

/// Posts one by one over 32 connections, after a warm-up; only PostgreSQL's processor time counts.
pub async fn postings(world: &World, posting: Posting) -> Result<Rate> {
    posting_for(world, posting, world.seconds / 4).await?;
    posting_for(world, posting, world.seconds).await
}

async fn posting_for(world: &World, posting: Posting, time: Duration) -> Result<Rate> {
    let numbers = Arc::new(accounts(world).await?);
    let mut connections = Vec::new();
    for _ in 0..CLIENTS {
        let options: PgConnectOptions = world.url().parse()?;
        let mut connection = options.connect().await?;
        if posting == Posting::WithoutTriggers {
            sqlx::raw_sql("set session_replication_role = replica").execute(&mut connection).await?;
        }
        connections.push(connection);
    }
    let payers = Payers { processes: vec![], ..world.payers() };
    let meter = Meter::start(&payers, &world.url()).await?;
    let began = Instant::now();
    let posted = Arc::new(AtomicUsize::new(0));
    let mut running = JoinSet::new();
    for mut connection in connections {
        let (numbers, posted) = (Arc::clone(&numbers), Arc::clone(&posted));
        running.spawn(async move {
            while began.elapsed() < time {
                post_one(&mut connection, posting, &numbers).await?;
                posted.fetch_add(1, Ordering::Relaxed);
            }
            connection.close().await
        });
    }
    while let Some(done) = running.join_next().await {
        done??;
    }
    Ok(Rate::of(posted.load(Ordering::Relaxed), meter.stop().await?))
}

async fn post_one(
    connection: &mut PgConnection,
    posting: Posting,
    numbers: &[i32],
) -> Result<(), sqlx::Error> {
    let (entropy, now) = (SystemEntropy::new(), SystemClock.now());
    let id = || Id::<id::Entry>::new(now, &entropy).uuid();
    let (entry, subject, leaf) = (id(), id(), id());
    // Debits in the lower half, credits in the upper: rows are locked in one order.
    let half = numbers.len() / 2;
    let drawn = |bits: u8| {
        usize::from(entry.as_bytes()[15 - usize::from(bits)]) << 8
            | usize::from(subject.as_bytes()[15 - usize::from(bits)])
    };
    let debit = if posting == Posting::Hot { numbers[0] } else { numbers[drawn(0) % half] };
    let credit = numbers[half + drawn(1) % half];
    let statement = if posting == Posting::AppendOnly { APPEND } else { BALANCED };
    sqlx::query(statement)
        .bind(entry)
        .bind(Day::of(now).date())
        .bind(subject)
        .bind(leaf)
        .bind(now)
        .bind(uuid::Uuid::nil())
        .bind(subject.simple().to_string())
        .bind(1_000_i64)
        .bind(debit)
        .bind(credit)
        .execute(connection)
        .await?;
    Ok(())
}

/// A bare axum server in a process of its own that inserts one row for each request, durably.
pub struct BareInsert {
    process: Child,
    address: SocketAddr,
}

impl BareInsert {
    /// Starts it for that table.
    pub async fn start(world: &World, table: &str) -> Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args([SERVE, &world.url(), table])
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().context("its output")?).read_line(&mut line)?;
        Ok(Self { process, address: line.trim().parse()? })
    }

    /// Requests per CPU-second of it and PostgreSQL.
    pub async fn measure(&self, world: &World, clients: usize) -> Result<Rate> {
        let bytes = post("/insert", &[], &[b'x'; 900]);
        let requests: Requests = Arc::new(move |_| Some(bytes.clone()));
        load(self.address, clients, Pace::Closed(world.seconds / 4), 201, &requests).await?;
        let payers = Payers { processes: vec![self.process.id()], ..world.payers() };
        let meter = Meter::start(&payers, &world.url()).await?;
        let done = load(self.address, clients, Pace::Closed(world.seconds), 201, &requests).await?;
        Ok(Rate::of(done.answered, meter.stop().await?))
    }
}

impl Drop for BareInsert {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Serves bare inserts into `table` until it is killed; its address is its only line of output.
pub async fn serve(url: &str, table: &str) -> Result<()> {
    let pool = PgPoolOptions::new().max_connections(16).test_before_acquire(false).connect(url).await?;
    let router = match table {
        "bill" => Router::new().route("/insert", route(insert_bill)),
        _ => Router::new().route("/insert", route(insert_verification)),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    Ok(axum::serve(listener, router.with_state(pool)).await?)
}

async fn insert_verification(State(pool): State<PgPool>, body: Bytes) -> StatusCode {
    let (entropy, now) = (SystemEntropy::new(), SystemClock.now());
    let id = Id::<id::Verification>::new(now, &entropy).uuid();
    let insert =
        "insert into verification (id, at, agency_id, client_id, citizen_id, state, sealed, generation)
        values ($1, $2, $3, $3, $1, 'match', $4, 1) returning id";
    let query = sqlx::query(insert).bind(id).bind(now).bind(uuid::Uuid::nil()).bind(body.as_ref());
    answered(query.fetch_one(&pool).await.map(|row| row.get::<uuid::Uuid, _>(0) == id))
}

async fn insert_bill(State(pool): State<PgPool>, _: Bytes) -> StatusCode {
    let (entropy, now) = (SystemEntropy::new(), SystemClock.now());
    let id = Id::<id::Bill>::new(now, &entropy).uuid();
    let insert =
        "insert into bill (id, agency_id, account_id, reference, dossier, due, phi, le_phi, state, issued_at)
        values ($1, $2, $2, $3, 'bench', $4, 205000, 0, 'open', $5) returning id";
    let reference = id.simple().to_string();
    let query = sqlx::query(insert)
        .bind(id)
        .bind(uuid::Uuid::nil())
        .bind(reference)
        .bind(Day::of(now).date())
        .bind(now);
    answered(query.fetch_one(&pool).await.map(|row| row.get::<uuid::Uuid, _>(0) == id))
}

fn answered(inserted: Result<bool, sqlx::Error>) -> StatusCode {
    if inserted.unwrap_or(false) { StatusCode::CREATED } else { StatusCode::INTERNAL_SERVER_ERROR }
}
