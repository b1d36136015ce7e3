//! What must hold: the laws of `never`, asked of the database directly, and what the model of the truth says of every
//! account of the books, of every promise, and of every answer that a bank got.

use crate::life::Life;
use crate::never::{self, question};
use crate::rails::Decision;
use crate::seen::Seen;
use crate::tellings::clearing_day;
use chung::base::{calendar::Day, clock::Instant, id::Id};
use chung::flow::{
    read_proofs::read_documents, sequence_audit::sequence_audit, verify_audit::verify_audit,
    verify_books::verify_books,
};
use serde_json::json;
use sqlx::{Row, postgres::PgRow};
use std::collections::BTreeMap;
use std::sync::LazyLock;

static ALWAYS: LazyLock<String> = LazyLock::new(|| question(true));
static IN_THE_END: LazyLock<String> = LazyLock::new(|| question(false));

/// Checks what holds at every moment of a life.
pub async fn check_always(life: &Life<'_>) {
    nothing_forbidden(life, &ALWAYS).await;
}

async fn nothing_forbidden(life: &Life<'_>, question: &str) {
    let rows = life.world.rows(question).await;
    let broken: Vec<(&str, String)> = rows
        .iter()
        .map(|row| (never::name(usize::try_from(row.get::<i32, _>("law")).unwrap()), row.get("row")))
        .collect();
    assert!(broken.is_empty(), "{broken:?}");
}

/// Checks a life that has settled down.
pub async fn check(life: &mut Life<'_>, seen: &Seen) {
    seen.timed("judging: laws", nothing_forbidden(life, &IN_THE_END)).await;
    money(life).await;
    accounts(life).await;
    life.check_agencies().await;
    life.check_lines().await;
    life.check_denied().await;
    promises(life).await;
    waited_for(life).await;
    documents(life).await;
    life.check_recalls().await;
    life.check_confirmed().await;
    life.check_heard(seen).await;
    life.check_made_elsewhere(seen).await;
    life.check_stamps(seen).await;
    seen.timed("judging: again", again(life)).await;
    seen.timed("judging: log", log(life)).await;
    for row in life.world.rows("select distinct kind from payout where state = 'done'").await {
        seen.note(format!("went on: {}", row.get::<String, _>("kind")));
    }
    for row in life.world.rows("select distinct way from payment where state = 'settled'").await {
        seen.note(format!("settled: {}", row.get::<String, _>("way")));
    }
    seen.note("lives");
}

/// What truly moved stands in the books, once and no more, and the account's balance is its sum.
async fn money(life: &Life<'_>) {
    let truth: BTreeMap<String, i64> = life.moved().into_iter().collect();
    let rows = life.world.rows("select servicer_reference, amount from credit").await;
    let books: BTreeMap<String, i64> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(rows.len(), books.len());
    assert_eq!(books, truth, "the books and the bank");
    let left: BTreeMap<String, i64> = life.left().into_iter().collect();
    let rows = life.world.rows("select servicer_reference, amount from debit").await;
    let debits: BTreeMap<String, i64> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(debits, left, "what left, in the books and at the bank");
}

/// What the documents say that each kind of account must hold.
const DOCUMENTS: &str = "select
     ((select coalesce(sum(phi + le_phi + tax), 0) from bill where state = 'paid')
      + (select coalesce(sum(p.amount), 0) from payment p join bill b on b.id = p.bill_id and b.paid_by is distinct from p.id
         where p.state = 'settled'))::bigint as paid,
     (select coalesce(sum(amount), 0) from suspense where state = 'held')::bigint as waits,
     (select coalesce(sum(amount), 0) from payout where state = 'done' and kind <> 'collected')::bigint as gone,
     (select coalesce(sum(s.amount), 0) from suspense s join suspense_decision d on d.suspense_id = s.id
         where d.approved_by is not null and d.toward = 'unclaimed')::bigint as unclaimed,
     (select coalesce(sum(s.amount), 0) from suspense s join suspense_decision d on d.suspense_id = s.id
         where d.approved_by is not null and d.toward = 'refund_due' and not exists (select from refund r
             where r.case_id = s.id and r.decided_at is not null and r.state <> 'declined'))::bigint as promised,
     (select coalesce(sum(amount), 0) from refund where way <> 'treasury' and decided_at is not null
         and state not in ('declined', 'done'))::bigint as owed,
     (select coalesce(sum(amount), 0) from refund where payment_id is not null and decided_at is not null
         and (state = 'done' or state <> 'declined' and way <> 'treasury'))::bigint as back";

/// Every account of the books holds what the bank, the tills and the documents say: debits are positive.
async fn accounts(life: &Life<'_>) {
    let rows = life.world.rows(DOCUMENTS).await;
    let of = |name: &str| -> i64 { rows[0].get(name) };
    let sum = |moved: Vec<i64>| moved.into_iter().sum::<i64>();
    let came = sum(life.moved().into_iter().map(|(_, amount)| amount).collect());
    let left = sum(life.left().into_iter().map(|(_, amount)| amount).collect());
    let settled = life.world.rows("select servicer_reference from credit where outcome = 'settled'").await;
    let charges = settled.iter().filter_map(|row| kept(life, row.get(0))).sum();
    let desk = &life.desk;
    let carried = desk.slips.iter().filter(|slip| !slip.confirmed).map(|slip| slip.carried).sum();
    let expected = [
        ("clearing", came - life.taken_back() - left),
        ("bank_charges", charges),
        ("bank_claim", life.taken_back()),
        ("cash_drawer", desk.tills.iter().map(|till| till.due).sum()),
        ("cash_in_transit", carried),
        ("card_receivable", desk.cards.iter().map(|(_, amount)| amount).sum()),
        ("card_discount", desk.discount),
        ("cash_difference", -desk.found),
        ("owed_by_desk", desk.owed),
        ("desk_owes", -desk.owed),
        ("suspense", -of("waits")),
        ("refund_due", -of("owed") - of("promised")),
        ("unclaimed", -of("unclaimed")),
        ("fees", of("gone") + of("back") - of("paid")),
    ];
    let books = "select case when a.kind like 'fee_%' then 'fees' else a.kind end as kind, sum(p.amount)::bigint as sum
                 from posting p join ledger_account a on a.id = p.account_id group by 1";
    let rows = life.world.rows(books).await;
    let held: BTreeMap<&str, i64> = rows.iter().map(|row| (row.get("kind"), row.get("sum"))).collect();
    for (kind, expected) in expected {
        assert_eq!(held.get(kind).copied().unwrap_or(0), expected, "{kind}");
    }
    let other =
        held.iter().find(|(kind, sum)| **sum != 0 && !expected.iter().any(|(known, _)| known == *kind));
    assert_eq!(other, None, "an account that nobody expected");
}

/// What a bank kept of a credit.
fn kept(life: &Life<'_>, reference: &str) -> Option<i64> {
    life.rails.truth.lock().unwrap().kept.get(reference).copied()
}

/// Nothing that was acknowledged is lost.
async fn promises(life: &Life<'_>) {
    let rows = life.world.rows("select id from bill").await;
    let bills: Vec<uuid::Uuid> = rows.iter().map(|row| row.get(0)).collect();
    for promised in &life.bills {
        assert!(bills.contains(&promised.id.uuid()), "{} ({}) is lost", promised.id, promised.key);
        assert!(promised.answer.contains(&promised.reference));
    }
    assert_eq!(bills.len(), life.bills.len(), "a bill that nobody was promised");
}

/// No attempt ended by statements before the one came of the last day on which its money could be booked; and where the bank
/// told every day rightly, none whose payer had said yes.
async fn waited_for(life: &Life<'_>) {
    let told = life.world.rows("select account_id, day, fetched_at from statement").await;
    let of = |row: &PgRow, day: Day| (row.get::<uuid::Uuid, _>("account_id"), day);
    let told: BTreeMap<(uuid::Uuid, Day), Instant> =
        told.iter().map(|row| (of(row, Day::from_date(row.get("day"))), row.get("fetched_at"))).collect();
    let ended = "select id, account_id, created_at, ended_at from payment where reason = 'not_in_statement'";
    let ended = life.world.rows(ended).await;
    let truth = life.rails.truth.lock().unwrap();
    for row in ended {
        let id: uuid::Uuid = row.get("id");
        let asked = truth.asked.get(&id);
        let begun: Instant = row.get("created_at");
        let until = asked.map_or(begun + time::Duration::minutes(15), |asked| asked.expires);
        let last = clearing_day(until - time::Duration::seconds(1));
        let waited = told.get(&of(&row, last)).is_some_and(|at| *at <= row.get::<Instant, _>("ended_at"));
        assert!(waited, "payment {id} ended before {last} was told, when its money could be booked");
        let approved = asked.is_some_and(|asked| asked.decision == Decision::Approved);
        assert!(!approved || truth.doubtful, "payment {id} ended although its payer had said yes");
    }
}

/// Each part of a paid bill is proved by the document of its kind: fees by receipts, what stands beside them by others'.
async fn documents(life: &Life<'_>) {
    let sql = "select id, agency_id, phi + le_phi as fees, tax from bill where state = 'paid' and tax > 0 order by id limit 4";
    for row in life.world.rows(sql).await {
        let (agency, bill) = (Id::from_uuid(row.get("agency_id")), Id::from_uuid(row.get("id")));
        let told = read_documents(&life.app, agency, bill).await.unwrap();
        let sum = |receipts: bool| {
            let of_lines = told["items"].as_array().unwrap().iter().filter(|item| item["lines"] != json!([]));
            let those = of_lines.filter(|item| (item["document"] == "receipt") == receipts);
            those.map(|item| item["amount"]["amount"].as_str().unwrap().parse::<i64>().unwrap()).sum::<i64>()
        };
        assert_eq!((sum(true), sum(false)), (row.get("fees"), row.get("tax")), "{told}");
    }
}

/// So many days of a life are matched once more in the end.
const AGAIN: usize = 3;

/// Matching a day again changes nothing, whichever.
async fn again(life: &mut Life<'_>) {
    let dump = "select coalesce(string_agg(t::text, ' ' order by t.id), '') from";
    let mut before = Vec::new();
    for table in ["statement_now", "\"case\""] {
        before.push(life.world.rows(&format!("{dump} {table} t")).await[0].get::<String, _>(0));
    }
    let told = "select a.number, s.day from statement s join collecting_account a on a.id = s.account_id order by s.day, s.id";
    let mut told = life.world.rows(told).await;
    for _ in 0..AGAIN.min(told.len()) {
        let row = told.swap_remove(life.chance.below(told.len()));
        life.match_day_of(row.get("number"), Day::from_date(row.get("day")), None).await;
    }
    for (table, before) in ["statement_now", "\"case\""].into_iter().zip(before) {
        let after: String = life.world.rows(&format!("{dump} {table} t")).await[0].get(0);
        assert_eq!(after, before, "{table} changed by matching again");
    }
}

/// The log holds, with every leaf in its place.
async fn log(life: &Life<'_>) {
    while sequence_audit(&life.app).await.unwrap() > 0 {}
    let report = verify_audit(&life.app.store, &life.app.keys, None, |_| {}).await.unwrap();
    assert_eq!((report.finding, report.waiting), (None, 0), "the audit log");
    let books = verify_books(&life.app.store, |_| {}).await.unwrap();
    assert_eq!(books.finding, None, "the books and their checkpoints");
}
