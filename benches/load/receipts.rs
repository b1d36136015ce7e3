//! Receipts in bulk: bills that were paid while no number was left, and whose receipts are issued, signed, logged and
//! told of when a series comes; the files for people (PDF, XML) are apart. Beside it the very rows that this writes,
//! appended batch by batch to tables of the same shape.
//!
//! The flow runs in this process as the service runs it; the service itself rests, so that nobody else issues.
//! `CHUNG_BENCH_RECEIPTS` sets how many receipts each measurement issues (default 10,000).

use super::measure::{Meter, Payers};
use super::report::{Rate, Record, trio};
use super::settlements::{attempts, bills};
use super::world::World;
use anyhow::{Result, anyhow, ensure};
use chung::flow::issue_due_receipts::{BULK, issue_due_receipts};
use chung::payment::{fee::FeeKind, payment::State};
use chung::store::{bill, payment, receipt_due};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use time::OffsetDateTime;
use uuid::Uuid;

/// What the issue keeps of an append-only batch.
const GOAL: f64 = 0.4;
/// Bills that are prepared in one transaction.
const CHUNK: usize = 200;
/// The tables that a receipt's issue appends to.
const TABLES: [&str; 6] =
    ["receipt", "receipt_file", "audit_leaf", "audit_detail", "event_sequence", "outbox"];

/// Measures receipts in bulk.
pub async fn measure(world: &mut World) -> Result<Vec<Record>> {
    world.stop().await?;
    let asked = std::env::var_os("CHUNG_BENCH_RECEIPTS").and_then(|count| count.to_str()?.parse().ok());
    let many: usize = asked.unwrap_or(10_000);
    // The first ones are the rows that the reference appends, too.
    issue(world, many).await?;
    let rows = Rows::read(world, many).await?;
    let mut connection = PgConnection::connect(&world.url()).await?;
    for table in TABLES {
        run(&mut connection, &format!("create table beside_{table} (like {table} including all)")).await?;
    }
    let trio =
        trio(world, async |world| append(world, &rows).await, async |world| issue(world, many).await).await?;
    for table in TABLES {
        run(&mut connection, &format!("drop table beside_{table}")).await?;
    }
    world.start().await?;
    let reference = "the same rows appended, as many in one transaction";
    Ok(vec![Record::of("receipts signed and issued in bulk", reference, Some(GOAL), &trio)])
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
    while issue_due_receipts(&world.app).await.map_err(|e| anyhow!("{e:?}"))? > 0 {}
    let spent = meter.stop().await?;
    let issued = usize::try_from(world.count(signed).await? - before)?;
    ensure!(issued == many && world.count("receipt_due").await? == 0, "{issued} issued of {many}");
    Ok(Rate::of(many, spent))
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
    payment::end_payments(&mut tx, &ended).await?;
    payment::release(&mut tx, &attempts).await?;
    let paid: Vec<_> = bills.iter().copied().zip(attempts.iter().copied()).collect();
    bill::pay_bills(&mut tx, &paid, now).await?;
    let due = paid.into_iter().map(|(bill, payment)| receipt_due::Due {
        bill,
        kind: FeeKind::Phi,
        payment,
        agency: world.agency,
        reason: "no_series".to_owned(),
        since: now,
        attempts: 0,
        next_at: now,
        outcome: None,
    });
    receipt_due::insert(&mut tx, &due.collect::<Vec<_>>()).await?;
    Ok(tx.commit().await?)
}

type Receipts = (
    Vec<Uuid>,
    Vec<String>,
    Vec<Uuid>,
    Vec<String>,
    Vec<Uuid>,
    Vec<Uuid>,
    Vec<i64>,
    Vec<OffsetDateTime>,
    Vec<Vec<u8>>,
    Vec<i32>,
    Vec<Vec<u8>>,
    Vec<Uuid>,
    Vec<String>,
    Vec<i16>,
);
type Files = (Vec<Uuid>, Vec<String>, Vec<Vec<u8>>, Vec<i32>, Vec<OffsetDateTime>);
type Leaves = (Vec<Uuid>, Vec<String>, Vec<OffsetDateTime>, Vec<Vec<u8>>);
type Details = (Vec<Uuid>, Vec<Uuid>, Vec<Uuid>, Vec<Vec<u8>>, Vec<i32>);
type Events = (Vec<Uuid>, Vec<OffsetDateTime>, Vec<Uuid>, Vec<Uuid>, Vec<Vec<u8>>);

/// What one transaction wrote, column by column.
struct Batch {
    receipts: Receipts,
    files: Files,
    leaves: Leaves,
    details: Details,
    events: Events,
}

/// Rows as they were written, in batches.
struct Rows(Vec<Batch>);

impl Rows {
    async fn read(world: &World, many: usize) -> Result<Self> {
        let mut connection = PgConnection::connect(&world.url()).await?;
        let mut batches = Vec::new();
        for from in (0..many).step_by(BULK) {
            let page = format!("order by r.id offset {from} limit {BULK}");
            let of = format!(
                "(select r.*, f.format, f.bytes, f.key as file_key, f.made_at from receipt r
                  join receipt_file f on f.receipt_id = r.id and f.format = 'jws' {page})"
            );
            let receipts = format!(
                "select array_agg(id), array_agg(number), array_agg(agency_id), array_agg(kind), array_agg(bill_id),
                     array_agg(payment_id), array_agg(amount), array_agg(issued_at), array_agg(content),
                     array_agg(key), array_agg(digest), array_agg(leaf_id), array_agg(letters), array_agg(year)
                 from {of} r"
            );
            let files = format!(
                "select array_agg(id), array_agg(format), array_agg(bytes), array_agg(file_key), array_agg(made_at)
                 from {of} r"
            );
            let leaves = format!(
                "select array_agg(l.id), array_agg(l.kind), array_agg(l.at), array_agg(l.commitment)
                 from {of} r join audit_leaf l on l.id = r.leaf_id"
            );
            let details = format!(
                "select array_agg(d.leaf_id), array_agg(d.agency_id), array_agg(d.object), array_agg(d.sealed),
                     array_agg(d.generation)
                 from {of} r join audit_detail d on d.leaf_id = r.leaf_id"
            );
            let events = format!(
                "select array_agg(o.id), array_agg(o.at), array_agg(o.agency_id), array_agg(o.object), array_agg(o.body)
                 from {of} r join outbox o on o.object = r.bill_id and o.name = 'receipt.issued'"
            );
            batches.push(Batch {
                receipts: one(&mut connection, receipts).await?,
                files: one(&mut connection, files).await?,
                leaves: one(&mut connection, leaves).await?,
                details: one(&mut connection, details).await?,
                events: one(&mut connection, events).await?,
            });
        }
        Ok(Self(batches))
    }
}

async fn one<T>(connection: &mut PgConnection, sql: String) -> Result<T>
where
    T: Send + Unpin + for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow>,
{
    Ok(sqlx::query_as(AssertSqlSafe(sql)).fetch_one(connection).await?)
}

/// Appends the rows to empty tables beside theirs, batch by batch.
async fn append(world: &World, rows: &Rows) -> Result<Rate> {
    let mut connection = PgConnection::connect(&world.url()).await?;
    for table in TABLES {
        run(&mut connection, &format!("truncate beside_{table}")).await?;
    }
    let meter = Meter::start(&payers(world), &world.url()).await?;
    let mut many = 0;
    for batch in &rows.0 {
        many += batch.receipts.0.len();
        write(&mut connection, batch).await?;
    }
    let spent = meter.stop().await?;
    ensure!(usize::try_from(world.count("beside_receipt").await?)? == many, "rows are missing");
    Ok(Rate::of(many, spent))
}

async fn write(connection: &mut PgConnection, batch: &Batch) -> Result<()> {
    let mut tx = connection.begin().await?;
    let of = &batch.receipts;
    sqlx::query(
        "insert into beside_receipt (id, number, agency_id, kind, bill_id, payment_id, amount, issued_at, content, key,
                                     digest, leaf_id, letters, year)
         select * from unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::uuid[], $6::uuid[], $7::bigint[],
                              $8::timestamptz[], $9::bytea[], $10::integer[], $11::bytea[], $12::uuid[], $13::text[],
                              $14::smallint[])",
    )
    .bind(&of.0)
    .bind(&of.1)
    .bind(&of.2)
    .bind(&of.3)
    .bind(&of.4)
    .bind(&of.5)
    .bind(&of.6)
    .bind(&of.7)
    .bind(&of.8)
    .bind(&of.9)
    .bind(&of.10)
    .bind(&of.11)
    .bind(&of.12)
    .bind(&of.13)
    .execute(&mut *tx)
    .await?;
    let of = &batch.files;
    sqlx::query(
        "insert into beside_receipt_file (receipt_id, format, bytes, key, made_at)
         select * from unnest($1::uuid[], $2::text[], $3::bytea[], $4::integer[], $5::timestamptz[])",
    )
    .bind(&of.0)
    .bind(&of.1)
    .bind(&of.2)
    .bind(&of.3)
    .bind(&of.4)
    .execute(&mut *tx)
    .await?;
    let of = &batch.leaves;
    sqlx::query(
        "insert into beside_audit_leaf (id, kind, at, commitment)
         select * from unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::bytea[])",
    )
    .bind(&of.0)
    .bind(&of.1)
    .bind(&of.2)
    .bind(&of.3)
    .execute(&mut *tx)
    .await?;
    let of = &batch.details;
    sqlx::query(
        "insert into beside_audit_detail (leaf_id, agency_id, object, sealed, generation)
         select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bytea[], $5::integer[])",
    )
    .bind(&of.0)
    .bind(&of.1)
    .bind(&of.2)
    .bind(&of.3)
    .bind(&of.4)
    .execute(&mut *tx)
    .await?;
    let of = &batch.events;
    sqlx::query("insert into beside_event_sequence (object, last) select object, 1 from unnest($1::uuid[]) as t (object)")
        .bind(&of.3)
        .execute(&mut *tx)
        .await?;
    sqlx::query(
        "insert into beside_outbox (id, at, topic, agency_id, object, name, body, due_at, state, sequence)
         select id, at, 'event', agency_id, object, 'receipt.issued', body, at, 'done', 1
         from unnest($1::uuid[], $2::timestamptz[], $3::uuid[], $4::uuid[], $5::bytea[])
             as t (id, at, agency_id, object, body)",
    )
    .bind(&of.0)
    .bind(&of.1)
    .bind(&of.2)
    .bind(&of.3)
    .bind(&of.4)
    .execute(&mut *tx)
    .await?;
    Ok(tx.commit().await?)
}

async fn run(connection: &mut PgConnection, sql: &str) -> Result<()> {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await?;
    Ok(())
}
