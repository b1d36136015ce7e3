//! What must hold when a life has settled down, asked of the database directly and of the model of what is true.

use crate::seen::Seen;
use crate::world::Life;
use chung::flow::{sequence_audit::sequence_audit, verify_audit::verify_audit, verify_books::verify_books};
use sqlx::Row;
use std::collections::BTreeMap;

/// Rows that must not exist, and why.
const NEVER: [(&str, &str); 27] = [
    (
        "a whole and one of its instalments that were both paid",
        "select k.bill_id::text as row from bill_link k join bill p on p.id = k.bill_id join bill w on w.id = k.other_id
         where k.relation = 'instalment' and p.state = 'paid' and w.state = 'paid'",
    ),
    (
        "an instalment that can be paid of a bill that was withdrawn, replaced or paid",
        "select k.bill_id::text as row from bill_link k join bill p on p.id = k.bill_id join bill w on w.id = k.other_id
         where k.relation = 'instalment' and p.state = 'open' and (w.state in ('paid', 'cancelled')
             or exists (select from bill_link r where r.other_id = w.id and r.relation = 'replaces'))",
    ),
    (
        "something open that is still the old agency's once it was succeeded",
        "select b.id::text as row from bill b join agency_succession s on s.agency_id = b.agency_id
         where s.effected_at is not null and b.state = 'open'",
    ),
    (
        "an entry that does not sum to zero",
        "select entry_id::text as row from posting group by entry_id having sum(amount) <> 0",
    ),
    (
        "a paid bill without exactly one settled payment and one settling credit",
        "select b.id::text as row from bill b where b.state = 'paid' and (
             (select count(*) from payment p where p.bill_id = b.id and p.state = 'settled') <> 1
             or (select count(*) from credit c join payment p on p.id = c.payment_id
                 where p.bill_id = b.id and c.outcome = 'settled') <> 1)",
    ),
    (
        "a settled payment of a bill that is not paid by it",
        "select p.id::text as row from payment p join bill b on b.id = p.bill_id
         where p.state = 'settled' and b.paid_by is distinct from p.id",
    ),
    (
        "a paid bill without exactly one receipt of each kind",
        "select b.id::text as row from bill b where b.state = 'paid'
             and (select count(distinct kind) from receipt r where r.bill_id = b.id) <> 2",
    ),
    (
        "a receipt of a bill that is not paid",
        "select r.id::text as row from receipt r join bill b on b.id = r.bill_id where b.state <> 'paid'",
    ),
    (
        "a series with a gap",
        "select kind as row from receipt group by kind, agency_id
         having count(*) <> (select s.last from receipt_series s where s.kind = receipt.kind
             and s.agency_id = receipt.agency_id)",
    ),
    (
        "a receipt that was replaced by none of the same money, or by two",
        "select v.receipt_id::text as row from receipt_void v join receipt o on o.id = v.receipt_id
         where v.replaced_by is not null and not exists (
             select from receipt n where n.id = v.replaced_by and n.kind = o.kind and n.bill_id = o.bill_id
                 and n.amount = o.amount)
         or v.replaced_by in (select replaced_by from receipt_void group by replaced_by having count(*) > 1)",
    ),
    (
        "more than one receipt of a kind that holds for a bill",
        "select r.bill_id::text as row from receipt r
         where not exists (select from receipt_void v where v.receipt_id = r.id)
             and r.refund_id is null
         group by r.bill_id, r.kind having count(*) > 1",
    ),
    (
        "a closed day without its leaf, its event or its second person",
        "select c.id::text as row from closing c where c.state <> 'approved' or c.decided_by = c.prepared_by
         or (select count(*) from outbox o where o.object = c.id and o.name = 'closing.approved') <> 1",
    ),
    ("an attempt that is still alive", "select payment_id::text as row from live_attempt"),
    (
        "a payment that is neither settled nor rejected",
        "select id::text as row from payment where state not in ('settled', 'rejected')",
    ),
    (
        "a payment whose end has no leaf",
        "select p.id::text as row from payment p where p.state = 'settled' and not exists (
             select from audit_detail d join audit_leaf l on l.id = d.leaf_id
             where d.object = p.id and l.kind = 'payment.settled')",
    ),
    (
        "a bill whose beginning or end has no leaf",
        "select b.id::text as row from bill b where not exists (
             select from audit_detail d join audit_leaf l on l.id = d.leaf_id
             where d.object = b.id and l.kind = 'bill.issued')
             and not exists (select from bill_link k where k.bill_id = b.id and k.relation = 'instalment')
         or b.state = 'cancelled' and not exists (
             select from audit_detail d join audit_leaf l on l.id = d.leaf_id
             where d.object = b.id and l.kind = 'bill.cancelled')",
    ),
    (
        "a paid bill that was not told, or told twice",
        "select b.id::text as row from bill b where b.state = 'paid'
             and (select count(*) from outbox o where o.object = b.id and o.name = 'bill.paid') <> 1",
    ),
    (
        "suspense without a case that somebody must settle",
        "select s.id::text as row from suspense s where not exists (select from \"case\" c where c.id = s.id)",
    ),
    (
        "a refund that nobody has ended, unless the bank did not take it",
        "select id::text as row from refund where state not in ('done', 'bounced')",
    ),
    (
        "more given back than came",
        "select s.id::text as row from refund_source s where s.refunded > s.received or s.refunded <> coalesce(
             (select sum(r.amount) from refund r where coalesce(r.payment_id, r.case_id) = s.id
                  and r.state <> 'declined'), 0)",
    ),
    (
        "second money that nobody gives back",
        "select id::text as row from suspense where reason = 'second_money' and state = 'held'",
    ),
    (
        "a refund that left twice, or was done without leaving",
        "select r.id::text as row from refund r where (select count(*) from debit d where d.refund_id = r.id)
             <> (r.state = 'done')::int",
    ),
    (
        "an order that nobody has ended, unless the bank did not take it",
        "select id::text as row from payout where state not in ('done', 'bounced')",
    ),
    (
        "an order that left twice, or was done without leaving",
        "select o.id::text as row from payout o where (select count(*) from debit d where d.payout_id = o.id)
             <> (o.state = 'done')::int",
    ),
    (
        "an order that is not the sum of its lines",
        "select o.id::text as row from payout o where o.amount <> (
             select sum(i.amount) from payout_item i where i.payout_id = o.id)",
    ),
    (
        "more passed on of a bill than was paid, or what never came",
        "select i.payment_id::text as row from payout_item i join payment p on p.id = i.payment_id
         join bill b on b.id = p.bill_id group by i.payment_id, p.state, p.amount
         having p.state <> 'settled' or sum(i.amount) > p.amount",
    ),
    (
        "a statement that nobody can explain",
        "select id::text as row from statement where closing - opening <> posted + explained",
    ),
];

/// Checks a life that has settled down.
pub async fn check(life: &Life<'_>, seen: &Seen) {
    for (what, sql) in NEVER {
        let rows: Vec<String> = life.world.rows(sql).await.iter().map(|row| row.get("row")).collect();
        assert!(rows.is_empty(), "{what}: {rows:?}");
    }
    money(life).await;
    promises(life).await;
    again(life).await;
    log(life).await;
    seen.note("lives");
}

/// What truly moved stands in the books, once and no more, and the account's balance is its sum.
async fn money(life: &Life<'_>) {
    let truth: BTreeMap<String, i64> =
        life.moved().into_iter().map(|(reference, amount, _)| (reference, amount)).collect();
    let rows = life.world.rows("select servicer_reference, amount from credit").await;
    let books: BTreeMap<String, i64> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(rows.len(), books.len());
    assert_eq!(books, truth, "the books and the bank");
    let held = "select coalesce(sum(p.amount), 0)::bigint from posting p
                join ledger_account a on a.id = p.account_id where a.kind = 'clearing'";
    let held: i64 = life.world.rows(held).await[0].get(0);
    let left: BTreeMap<String, i64> = life.left().into_iter().collect();
    let rows = life.world.rows("select servicer_reference, amount from debit").await;
    let debits: BTreeMap<String, i64> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(debits, left, "what left, in the books and at the bank");
    let balance = truth.values().sum::<i64>() - left.values().sum::<i64>();
    assert_eq!(held, balance, "the account's balance");
    let sum = async |sql: &str| -> i64 { life.world.rows(sql).await[0].get(0) };
    let settled = sum("select coalesce(sum(phi + le_phi), 0)::bigint from bill where state = 'paid'").await;
    let waits = sum("select coalesce(sum(amount), 0)::bigint from suspense where state = 'held'").await;
    let owed = sum("select coalesce(sum(amount), 0)::bigint from refund where state <> 'done'").await;
    let gone = sum("select coalesce(sum(amount), 0)::bigint from payout where state = 'done'").await;
    assert_eq!(
        held,
        settled + waits + owed - gone,
        "money is with its bill, waits, is owed back, or has gone on"
    );
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

/// Matching every day again changes nothing.
async fn again(life: &Life<'_>) {
    let dump = "select coalesce(string_agg(t::text, ' ' order by t.id), '') from";
    let mut before = Vec::new();
    for table in ["statement", "\"case\""] {
        before.push(life.world.rows(&format!("{dump} {table} t")).await[0].get::<String, _>(0));
    }
    let days = life.world.rows("select day from statement").await;
    for day in days.iter().map(|row| row.get::<time::Date, _>(0)) {
        life.match_day(chung::base::calendar::Day::from_date(day), None).await;
    }
    for (table, before) in ["statement", "\"case\""].into_iter().zip(before) {
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
