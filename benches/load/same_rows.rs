//! What a settled payment and a bill leave in the database, written by hand: the same rows in the same tables by one statement,
//! one unit in a transaction over many connections, or many in a transaction over one. Nothing is verified, computed, signed
//! or answered: no service that keeps these promises costs less than the second.

use super::ledger::BATCH;
use super::measure::{Meter, Payers};
use super::reference::CLIENTS;
use super::report::{Rate, Record};
use super::settlements::{attempts, bills};
use super::world::World;
use anyhow::{Result, ensure};
use chung::base::{id, id::Id};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::JoinSet;
use uuid::Uuid;

/// Which unit. What its rows hold is copied from the newest one that the service has written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Entry and postings, credit, both receipts, leaf with its details, event with its number, message; attempt and bill moved,
    /// the bill let go.
    Settled,
    /// The bill and its content, its answer under its key, leaf with its details.
    Bill,
}

/// The newest settled payment: one row, the postings of its entry and its receipts.
const SETTLED_SAMPLE: &str = "
    drop table if exists bench_settled, bench_posting, bench_receipt;
    create table bench_settled as
        select c.account_id, c.amount, c.entry_id, c.payment_id, l.kind, l.commitment, d.agency_id, d.sealed, d.generation,
            o.name, o.body, o.state, i.sender, i.kind as message, i.digest, i.answer
        from credit c join ledger_entry e on e.id = c.entry_id join audit_leaf l on l.id = e.leaf_id
            join audit_detail d on d.leaf_id = l.id join payment p on p.id = c.payment_id
            join outbox o on o.object = p.bill_id and o.name = 'bill.paid'
            cross join (select * from inbox_message order by received_at desc limit 1) i
        where c.outcome = 'settled' and c.payment_id is not null order by c.at desc limit 1;
    create table bench_posting as
        select p.account_id, p.amount from posting p join bench_settled s on s.entry_id = p.entry_id;
    create table bench_receipt as
        select row_number() over (order by r.kind) as nth, r.agency_id, r.kind, r.amount, r.content, r.key, r.digest, r.letters, r.year
        from receipt r join bench_settled s on s.payment_id = r.payment_id";
const SETTLED: &str = "
    with n as materialized (select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], $7::uuid[],
            $8::text[]) as n (payment, bill, entry, leaf, event, first, second, word)),
        entries as (insert into ledger_entry (id, booked_on, kind, subject, leaf_id, at)
            select entry, current_date, 'settled', payment, leaf, $9 from n),
        postings as (insert into posting (entry_id, account_id, amount, booked_on)
            select n.entry, p.account_id, p.amount, current_date from n cross join bench_posting p),
        credits as (insert into credit (account_id, servicer_reference, amount, payment_id, outcome, entry_id, booked_on, value_on, at)
            select s.account_id, n.word, s.amount, n.payment, 'settled', n.entry, current_date, current_date, $9 from n cross join bench_settled s),
        leaves as (insert into audit_leaf (id, kind, at, commitment)
            select n.leaf, s.kind, $9, s.commitment from n cross join bench_settled s),
        details as (insert into audit_detail (leaf_id, agency_id, object, sealed, generation)
            select n.leaf, s.agency_id, n.payment, s.sealed, s.generation from n cross join bench_settled s),
        receipts as (insert into receipt (id, number, agency_id, kind, bill_id, payment_id, amount, issued_at, content, key, digest,
                leaf_id, letters, year)
            select case r.nth when 1 then n.first else n.second end, n.word || r.nth, r.agency_id, r.kind, n.bill, n.payment, r.amount,
                $9, r.content, r.key, r.digest, n.leaf, r.letters, r.year from n cross join bench_receipt r),
        numbers as (insert into event_sequence (object, last) select bill, 1 from n),
        events as (insert into outbox (id, at, topic, agency_id, object, name, body, due_at, state, sequence)
            select n.event, $9, 'event', s.agency_id, n.bill, s.name, s.body, $9, s.state, 1 from n cross join bench_settled s),
        messages as (insert into inbox_message (sender, biz_msg_idr, kind, digest, answer, received_at)
            select s.sender, n.word, s.message, s.digest, s.answer, $9 from n cross join bench_settled s),
        moved as (update payment p set state = 'settled', ended_at = $9 from n where p.id = n.payment),
        paid as (update bill b set state = 'paid', paid_by = n.payment, ended_at = $9 from n where b.id = n.bill)
    delete from live_attempt l using n where l.bill_id = n.bill";

/// The newest bill.
const BILL_SAMPLE: &str = "
    drop table if exists bench_bill;
    create table bench_bill as
        select b.agency_id, b.account_id, b.dossier, b.due, b.phi, b.le_phi, c.client_id, c.schedule_id, c.procedure, c.name_vi, c.name_en,
            c.sensitive, c.lines, c.parties, c.trace, c.key, k.digest, k.answer, l.kind, l.commitment, d.sealed, d.generation
        from bill b join bill_content c on c.bill_id = b.id join idempotency_key k on k.object = b.id
            join audit_detail d on d.object = b.id join audit_leaf l on l.id = d.leaf_id
        order by b.issued_at desc limit 1";
const BILL: &str = "
    with n as materialized (select * from unnest($1::uuid[], $2::uuid[], $3::text[]) as n (bill, leaf, word)),
        bills as (insert into bill (id, agency_id, account_id, reference, dossier, due, phi, le_phi, state, issued_at)
            select n.bill, s.agency_id, s.account_id, n.word, s.dossier, s.due, s.phi, s.le_phi, 'open', $4
            from n cross join bench_bill s),
        contents as (insert into bill_content (bill_id, client_id, schedule_id, procedure, name_vi, name_en, sensitive, lines, parties,
                trace, key)
            select n.bill, s.client_id, s.schedule_id, s.procedure, s.name_vi, s.name_en, s.sensitive, s.lines, s.parties, s.trace, s.key
            from n cross join bench_bill s),
        leaves as (insert into audit_leaf (id, kind, at, commitment)
            select n.leaf, s.kind, $4, s.commitment from n cross join bench_bill s),
        details as (insert into audit_detail (leaf_id, agency_id, object, sealed, generation)
            select n.leaf, s.agency_id, n.bill, s.sealed, s.generation from n cross join bench_bill s)
    insert into idempotency_key (client_id, key, digest, object, answer, at)
        select s.client_id, n.word, s.digest, n.bill, s.answer, $4 from n cross join bench_bill s";

impl Unit {
    /// The statements that copy the newest, the one that writes some, and how many columns of identifiers it takes.
    fn statements(self) -> (&'static str, &'static str, usize) {
        match self {
            Self::Settled => (SETTLED_SAMPLE, SETTLED, 7),
            Self::Bill => (BILL_SAMPLE, BILL, 2),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Settled => "payment",
            Self::Bill => "bill",
        }
    }

    /// What is counted to know that all were written.
    fn counted(self) -> &'static str {
        match self {
            Self::Settled => "credit",
            Self::Bill => "idempotency_key",
        }
    }

    /// The identifiers that so many begin with: attempts under way and their bills, which the service has prepared.
    async fn prepare(self, world: &World, many: usize) -> Result<Vec<Vec<Uuid>>> {
        let mut known = Vec::with_capacity(many);
        while self == Self::Settled && known.len() < many {
            let bills = bills(world, BATCH.min(many - known.len())).await?;
            let attempts = attempts(world, &bills).await?;
            known
                .extend(attempts.iter().zip(&bills).map(|(attempt, bill)| vec![attempt.uuid(), bill.uuid()]));
        }
        known.resize(many, vec![]);
        Ok(known)
    }
}

/// Ours beside both, after a measurement of it: so many by hand as it wrote.
pub async fn beside(world: &World, unit: Unit, ours: &Rate) -> Result<Vec<Record>> {
    let mut connection = PgConnection::connect(&world.url()).await?;
    sqlx::raw_sql(unit.statements().0).execute(&mut connection).await?;
    let many = (ours.per_s * world.seconds.as_secs_f64()) as usize;
    let mut records = Vec::new();
    for (at_once, connections) in [(1, CLIENTS), (BATCH, 1)] {
        let known = unit.prepare(world, many).await?;
        world.analyze().await?;
        let by_hand = write(world, unit, known, (at_once, connections)).await?;
        let name = unit.name();
        records.push(Record {
            path: "  the same".to_owned(),
            rate: Some(ours.per_cpu_s),
            reference: Some(format!(
                "the rows of a {name} by hand, {at_once} in a transaction, {connections} connections"
            )),
            reference_rate: Some(by_hand.per_cpu_s),
            ratio: Some(ours.per_cpu_s / by_hand.per_cpu_s),
            note: format!("{:.0} us by hand", 1e6 / by_hand.per_cpu_s),
            ..Record::default()
        });
    }
    Ok(records)
}

/// Writes units by hand; only PostgreSQL's processor time counts.
async fn write(
    world: &World,
    unit: Unit,
    known: Vec<Vec<Uuid>>,
    (at_once, connections): (usize, usize),
) -> Result<Rate> {
    let (many, before) = (known.len(), world.count(unit.counted()).await?);
    let left = Arc::new(Mutex::new(known));
    let payers = Payers { processes: vec![], ..world.payers() };
    let meter = Meter::start(&payers, &world.url()).await?;
    let mut running = JoinSet::new();
    for _ in 0..connections {
        // Planned once, as the service's statements are after a while.
        let options =
            world.url().parse::<PgConnectOptions>()?.options([("plan_cache_mode", "force_generic_plan")]);
        let (left, app, mut connection) = (Arc::clone(&left), world.app.clone(), options.connect().await?);
        running.spawn(async move {
            loop {
                let units = {
                    let mut left = left.lock().unwrap_or_else(PoisonError::into_inner);
                    let rest = left.len().saturating_sub(at_once);
                    left.split_off(rest)
                };
                if units.is_empty() {
                    return anyhow::Ok(connection.close().await?);
                }
                let (_, statement, columns) = unit.statements();
                let now = app.clock.now();
                let new = || Id::<id::Entry>::new(now, &*app.entropy).uuid();
                let ids = |column: usize| {
                    units.iter().map(|u| u.get(column).copied().unwrap_or_else(new)).collect()
                };
                let mut query = sqlx::query(AssertSqlSafe(statement));
                for column in 0..columns {
                    query = query.bind::<Vec<Uuid>>(ids(column));
                }
                let words: Vec<String> = units.iter().map(|_| new().simple().to_string()).collect();
                query.bind(words).bind(now).execute(&mut connection).await?;
            }
        });
    }
    while let Some(done) = running.join_next().await {
        done??;
    }
    let spent = meter.stop().await?;
    let written = world.count(unit.counted()).await? - before;
    ensure!(usize::try_from(written)? == many, "{written} written of {many}");
    Ok(Rate::of(many, spent))
}
