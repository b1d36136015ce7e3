//! Receipts in bulk: bills that were paid while no number was left, and whose receipts are issued, signed, logged and
//! told of when a series comes. Beside it the very rows that this writes, appended batch by batch to tables of the same shape.
//! Apart from that the files for people: PDF/A with the XML inside and the agency's signature on it, as whoever asks first has
//! them made.
//!
//! The flow runs in this process as the service runs it; the service itself rests, so that nobody else issues.
//! `CHUNG_BENCH_RECEIPTS` sets how many receipts each measurement issues (default 10,000), `CHUNG_BENCH_PDFS` how many files are
//! made (default 300).

use super::measure::{Meter, Payers};
use super::report::{Rate, Record, trio};
use super::settlements::{attempts, bills};
use super::world::World;
use anyhow::{Context, Result, anyhow, ensure};
use chung::base::id::{Id, Receipt};
use chung::flow::issue_due_receipts::{BULK, issue_due_receipts};
use chung::flow::{
    read_receipts::read_receipt,
    render_receipt::{Format, render_receipt},
};
use chung::payment::{fee::FeeKind, payment::State};
use chung::store::{payment, receipt_due};
use futures_util::{StreamExt, stream};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::sync::Arc;
use time::OffsetDateTime;
use tokio::task::JoinSet;
use uuid::Uuid;

/// What the issue keeps of an append-only batch.
const GOAL: f64 = 0.4;
/// Bills that are prepared in one transaction.
const CHUNK: usize = 200;
/// A table that a receipt's issue appends to: its name, how its rows hang on the receipts `r`, and its columns by type.
type Table = (&'static str, &'static str, &'static [(&'static str, &'static str)]);
const TABLES: [Table; 6] = [
    (
        "receipt",
        "t.id = r.id",
        &[
            ("id", "uuid"),
            ("number", "text"),
            ("agency_id", "uuid"),
            ("kind", "text"),
            ("bill_id", "uuid"),
            ("payment_id", "uuid"),
            ("amount", "bigint"),
            ("issued_at", "timestamptz"),
            ("content", "bytea"),
            ("key", "integer"),
            ("digest", "bytea"),
            ("leaf_id", "uuid"),
            ("letters", "text"),
            ("year", "smallint"),
        ],
    ),
    (
        "receipt_file",
        "t.receipt_id = r.id and t.format = 'jws'",
        &[
            ("receipt_id", "uuid"),
            ("format", "text"),
            ("bytes", "bytea"),
            ("key", "integer"),
            ("made_at", "timestamptz"),
        ],
    ),
    (
        "audit_leaf",
        "t.id = r.leaf_id",
        &[("id", "uuid"), ("kind", "text"), ("at", "timestamptz"), ("commitment", "bytea")],
    ),
    (
        "audit_detail",
        "t.leaf_id = r.leaf_id",
        &[
            ("leaf_id", "uuid"),
            ("agency_id", "uuid"),
            ("object", "uuid"),
            ("sealed", "bytea"),
            ("generation", "integer"),
        ],
    ),
    ("event_sequence", "t.object = r.bill_id", &[("object", "uuid"), ("last", "integer")]),
    (
        "outbox",
        "t.object = r.bill_id and t.name = 'receipt.issued'",
        &[
            ("id", "uuid"),
            ("at", "timestamptz"),
            ("topic", "text"),
            ("agency_id", "uuid"),
            ("object", "uuid"),
            ("name", "text"),
            ("body", "bytea"),
            ("due_at", "timestamptz"),
            ("state", "text"),
            ("sequence", "integer"),
        ],
    ),
];

/// Measures receipts in bulk.
pub async fn measure(world: &mut World) -> Result<Vec<Record>> {
    world.stop().await?;
    let asked = std::env::var_os("CHUNG_BENCH_RECEIPTS").and_then(|count| count.to_str()?.parse().ok());
    let many: usize = asked.unwrap_or(10_000);
    // The first ones are the rows that the reference appends, too.
    issue(world, many).await?;
    let rows = Rows::read(world, many).await?;
    let mut connection = PgConnection::connect(&world.url()).await?;
    for (table, ..) in TABLES {
        run(&mut connection, &format!("create table beside_{table} (like {table} including all)")).await?;
    }
    let trio =
        trio(world, async |world| append(world, &rows).await, async |world| issue(world, many).await).await?;
    for (table, ..) in TABLES {
        run(&mut connection, &format!("drop table beside_{table}")).await?;
    }
    let files = files(world).await?;
    world.start().await?;
    let reference = "the same rows appended, as many in one transaction";
    Ok(vec![Record::of("receipts signed and issued in bulk", reference, Some(GOAL), &trio), files])
}

/// How many people ask for a file at once.
const ASKING: usize = 4;

/// The files of receipts that nobody has asked for yet.
async fn files(world: &World) -> Result<Record> {
    let asked = std::env::var_os("CHUNG_BENCH_PDFS").and_then(|count| count.to_str()?.parse().ok());
    let many: i64 = asked.unwrap_or(300);
    let unasked = "select id from receipt r where not exists (
        select from receipt_file f where f.receipt_id = r.id and f.format = 'pdf') order by id limit $1";
    let mut connection = PgConnection::connect(&world.url()).await?;
    let ids: Vec<Uuid> = sqlx::query_scalar(unasked).bind(many).fetch_all(&mut connection).await?;
    let before = world.count("receipt_file where format = 'pdf'").await?;
    let meter = Meter::start(&payers(world), &world.url()).await?;
    let made: Vec<Result<usize>> = stream::iter(ids.iter().map(|id| made(world, Id::from_uuid(*id))))
        .buffer_unordered(ASKING)
        .collect()
        .await;
    let spent = meter.stop().await?;
    let bytes = made.into_iter().sum::<Result<usize>>()?;
    let kept = usize::try_from(world.count("receipt_file where format = 'pdf'").await? - before)?;
    ensure!(kept == ids.len() && kept > 0, "{kept} of {} files are kept", ids.len());
    let rate = Rate::of(kept, spent);
    Ok(Record {
        path: "  their files apart: PDF/A with the agency's signature, XML inside".to_owned(),
        rate: Some(rate.per_cpu_s),
        per_s: Some(rate.per_s),
        cpu_s: Some(spent.cpu_s),
        fsync_per_s: Some(spent.fsync_per_s),
        note: format!("{} KiB each", bytes / kept / 1024),
        ..Record::default()
    })
}

/// Has the file of a receipt made; how long it is.
async fn made(world: &World, id: Id<Receipt>) -> Result<usize> {
    let refused = |e| anyhow!("{e:?}");
    let receipt = read_receipt(&world.app, world.agency, id).await.map_err(refused)?;
    let file = render_receipt(&world.app, &receipt, Format::Pdf).await.map_err(refused)?;
    ensure!(file.starts_with(b"%PDF-"), "no PDF");
    Ok(file.len())
}

/// Issues so many receipts that waited, and counts those that the database holds afterwards, signed.
async fn issue(world: &World, many: usize) -> Result<Rate> {
    let mut left = many;
    while left > 0 {
        let chunk = CHUNK.min(left);
        wait(world, chunk).await?;
        left -= chunk;
    }
    world.analyze().await?;
    let signed = "receipt r join receipt_file f on f.receipt_id = r.id and f.format = 'jws'";
    let before = world.count(signed).await?;
    let meter = Meter::start(&payers(world), &world.url()).await?;
    let app = world.app.clone();
    on_a_worker(async move {
        while issue_due_receipts(&app).await.map_err(|e| anyhow!("{e:?}"))? > 0 {}
        Ok(())
    })
    .await?;
    let spent = meter.stop().await?;
    let issued = usize::try_from(world.count(signed).await? - before)?;
    ensure!(issued == many && world.count("receipt_due").await? == 0, "{issued} issued of {many}");
    Ok(Rate::of(many, spent))
}

/// Has something done on a worker of the run-time, as in the service: who waits here would be woken for every answer of the
/// database.
async fn on_a_worker<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    let mut working = JoinSet::new();
    working.spawn(work);
    working.join_next().await.context("work that was never begun")??
}

fn payers(world: &World) -> Payers {
    Payers { processes: vec![std::process::id()], ..world.payers() }
}

/// So many bills that are paid and wait for their receipt, one each.
async fn wait(world: &World, many: usize) -> Result<()> {
    let app = &world.app;
    let now = app.clock.now();
    let bills = bills(world, many).await?;
    let attempts = attempts(world, &bills).await?;
    let mut tx = app.store.begin().await?;
    let settled = State::Settled { at: now };
    let ended: Vec<_> = attempts.iter().map(|attempt| (*attempt, "accepted", &settled)).collect();
    let paid: Vec<_> = bills.iter().copied().zip(attempts.iter().copied()).collect();
    payment::settle(&mut tx, &ended, &paid, now).await?;
    let due = paid.into_iter().map(|(bill, payment)| receipt_due::Due {
        bill,
        kind: FeeKind::Phi,
        payment,
        agency: world.agency,
        owner: world.agency,
        issuer: None,
        reason: "no_series".to_owned(),
        since: now,
        attempts: 0,
        next_at: now,
        outcome: None,
    });
    receipt_due::insert(&mut tx, &due.collect::<Vec<_>>()).await?;
    Ok(tx.commit().await?)
}

/// One column of one transaction's rows in a table.
enum Column {
    Uuids(Vec<Uuid>),
    Texts(Vec<String>),
    Bytes(Vec<Vec<u8>>),
    Times(Vec<OffsetDateTime>),
    Longs(Vec<i64>),
    Integers(Vec<i32>),
    Shorts(Vec<i16>),
}

/// What one transaction wrote, table by table, column by column.
type Batch = Vec<Vec<Column>>;

/// Rows as they were written, in batches.
#[derive(Clone)]
struct Rows(Arc<Vec<Batch>>);

impl Rows {
    async fn read(world: &World, many: usize) -> Result<Self> {
        let mut connection = PgConnection::connect(&world.url()).await?;
        let mut batches = Vec::new();
        for from in (0..many).step_by(BULK) {
            let mut batch = Batch::new();
            for (table, on, columns) in TABLES {
                let of = format!(
                    "from (select * from receipt order by id offset {from} limit {BULK}) r join {table} t on {on}"
                );
                let mut read = Vec::with_capacity(columns.len());
                for (name, kind) in columns {
                    let sql = format!("select array_agg(t.{name} order by r.id) {of}");
                    read.push(column(&mut connection, sql, kind).await?);
                }
                batch.push(read);
            }
            batches.push(batch);
        }
        Ok(Self(Arc::new(batches)))
    }
}

async fn column(connection: &mut PgConnection, sql: String, kind: &str) -> Result<Column> {
    let sql = AssertSqlSafe(sql);
    Ok(match kind {
        "uuid" => Column::Uuids(sqlx::query_scalar(sql).fetch_one(connection).await?),
        "text" => Column::Texts(sqlx::query_scalar(sql).fetch_one(connection).await?),
        "bytea" => Column::Bytes(sqlx::query_scalar(sql).fetch_one(connection).await?),
        "timestamptz" => Column::Times(sqlx::query_scalar(sql).fetch_one(connection).await?),
        "bigint" => Column::Longs(sqlx::query_scalar(sql).fetch_one(connection).await?),
        "integer" => Column::Integers(sqlx::query_scalar(sql).fetch_one(connection).await?),
        "smallint" => Column::Shorts(sqlx::query_scalar(sql).fetch_one(connection).await?),
        other => return Err(anyhow!("no column is read as {other}")),
    })
}

/// Appends the rows to empty tables beside theirs, batch by batch.
async fn append(world: &World, rows: &Rows) -> Result<Rate> {
    let mut connection = PgConnection::connect(&world.url()).await?;
    for (table, ..) in TABLES {
        run(&mut connection, &format!("truncate beside_{table}")).await?;
    }
    let meter = Meter::start(&payers(world), &world.url()).await?;
    let rows = rows.clone();
    let batches = on_a_worker(async move {
        for batch in rows.0.iter() {
            write(&mut connection, batch).await?;
        }
        Ok(rows.0.len())
    })
    .await?;
    let spent = meter.stop().await?;
    let many = usize::try_from(world.count("beside_receipt").await?)?;
    ensure!(many.div_ceil(BULK) == batches, "rows are missing: {many} in {batches} batches");
    Ok(Rate::of(many, spent))
}

async fn write(connection: &mut PgConnection, batch: &Batch) -> Result<()> {
    let mut tx = connection.begin().await?;
    for ((table, _, columns), values) in TABLES.into_iter().zip(batch) {
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        let arrays: Vec<String> = columns
            .iter()
            .enumerate()
            .map(|(place, (_, kind))| format!("${}::{kind}[]", place + 1))
            .collect();
        let (names, arrays) = (names.join(", "), arrays.join(", "));
        let sql = format!("insert into beside_{table} ({names}) select * from unnest({arrays})");
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for values in values {
            query = match values {
                Column::Uuids(values) => query.bind(values),
                Column::Texts(values) => query.bind(values),
                Column::Bytes(values) => query.bind(values),
                Column::Times(values) => query.bind(values),
                Column::Longs(values) => query.bind(values),
                Column::Integers(values) => query.bind(values),
                Column::Shorts(values) => query.bind(values),
            };
        }
        query.execute(&mut *tx).await?;
    }
    Ok(tx.commit().await?)
}

async fn run(connection: &mut PgConnection, sql: &str) -> Result<()> {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await?;
    Ok(())
}
