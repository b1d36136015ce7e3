//! What a bank takes back after the time was closed: booked in the time that is open, with the bank's day beside the day of booking;
//! what was closed stays as it was signed.

use crate::board::{ACCOUNTANT, AUDITOR, at_board};
use crate::central_bank::entry;
use crate::closings::{decide, match_day, prepare, set};
use crate::office::{ACCOUNT, Office, uuid};
use crate::world::{Actor, TestApp};
use chung::base::clock::Clock;
use chung::flow::{Error, import_chart::import_chart};
use serde_json::{Value, json};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

/// The rows of the journal of these days, in their order.
async fn journal(world: &TestApp, office: &Office, days: (&str, &str)) -> Vec<csv::StringRecord> {
    let path = format!("/v1/journals/csv?from={}&to={}", days.0, days.1);
    let text = office.system(world, "statement.read").get(&path).await.expect(200).text();
    csv::Reader::from_reader(text.trim_start_matches('\u{feff}').as_bytes())
        .records()
        .map(Result::unwrap)
        .collect()
}

/// What a row says of booking day, bank's day, kind, account, debit and credit.
fn says(row: &csv::StringRecord) -> [&str; 6] {
    [&row[0], &row[1], &row[3], &row[4], &row[6], &row[7]]
}

/// The bank tells the day of the payment again; the statement as it then is.
async fn told_again(world: &TestApp, office: &Office, key: &str) -> Value {
    let body = json!({ "account": ACCOUNT, "day": "2026-11-24" });
    office.system(world, "statement").post_once("/v1/statements", key, &body).await.expect(200).json()
}

/// Those two who keep the books, at the board.
async fn keepers(world: &TestApp) -> [Actor; 2] {
    [at_board(world, ACCOUNTANT).await, at_board(world, AUDITOR).await]
}

/// Closes a time, by both; its page.
async fn close([accountant, approver]: &[Actor; 2], office: &Office, kind: &str, day: &str) -> String {
    let closing = prepare(accountant, office, kind, day).await.expect(303).location();
    decide(approver, &closing, "approve").await.expect(303);
    closing
}

const NOVEMBER: (&str, &str) = ("2026-11-01", "2026-11-30");

#[tokio::test]
async fn what_is_corrected_after_its_month_was_closed_is_booked_in_the_open_one_with_both_days() {
    let (world, office, _) = set().await;
    match_day(&world, &office).await;
    close(&keepers(&world).await, &office, "day", "2026-11-24").await;
    // Saturday, 5 December: November is over, and is closed.
    world.later(DAY * 10);
    let keeping = keepers(&world).await;
    let closed = close(&keeping, &office, "month", "2026-11-24").await;
    let signed = keeping[0].get(&format!("{closed}/pdf")).await.expect(200).body;
    let before = journal(&world, &office, NOVEMBER).await;
    assert!(before.iter().all(|row| row[1] == *"2026-11-24"), "{before:?}");

    // From the next day on another chart is in force; the bank takes the money back, and shows it again the day after.
    let chart =
        "kind,valid_from,code,name_vi,name_en,basis\nclearing,2026-12-06,1121,Tiền gửi,Money,Circular\n";
    assert_eq!(import_chart(&world.app, chart).await.unwrap(), 1);
    let movements = std::mem::take(&mut *world.bank.movements.lock().unwrap());
    assert_eq!(told_again(&world, &office, "gone").await["version"], 2);
    world.later(DAY);
    *world.bank.movements.lock().unwrap() = movements;
    assert_eq!(told_again(&world, &office, "back").await["version"], 3);

    let december = journal(&world, &office, ("2026-12-01", "2026-12-31")).await;
    let told: Vec<[&str; 6]> = december.iter().map(says).collect();
    assert_eq!(told.len(), 4, "{told:?}");
    let of = |day: &str, account: &str| -> [&str; 6] {
        let row = told.iter().find(|row| row[0] == day && row[3] == account);
        *row.unwrap_or_else(|| panic!("{day} {account} in {told:?}"))
    };
    assert_eq!(of("2026-12-05", "112")[1..], ["2026-11-24", "corrected", "112", "", "205000"]);
    assert_eq!(of("2026-12-06", "1121")[1..], ["2026-11-24", "corrected", "1121", "205000", ""]);
    let claims: Vec<_> = told.iter().filter(|row| !row[3].starts_with("112")).collect();
    assert!(claims.iter().all(|row| row[1] == "2026-11-24" && row[2] == "corrected"), "{told:?}");
    let sheet = "/v1/journals/xlsx?from=2026-12-01&to=2026-12-31";
    office.system(&world, "statement.read").get(sheet).await.expect(200);

    // What was closed is what it was: its journal, its signed report; and nobody closes it again.
    assert_eq!(journal(&world, &office, NOVEMBER).await, before);
    let accountant = at_board(&world, ACCOUNTANT).await;
    assert_eq!(accountant.get(&format!("{closed}/pdf")).await.expect(200).body, signed);
    for (kind, day) in [("day", "2026-11-24"), ("month", "2026-11-24")] {
        prepare(&accountant, &office, kind, day).await.expect(409);
    }

    // The month of the corrections needs its days, though nothing but the bank's own account moved on them.
    world.later(DAY * 30);
    let keeping = keepers(&world).await;
    let open = prepare(&keeping[0], &office, "month", "2026-12-05").await.expect(409).text();
    assert!(open.contains("chưa khóa") && open.contains("2026-12-05"), "{open}");
    close(&keeping, &office, "day", "2026-12-05").await;
    close(&keeping, &office, "day", "2026-12-06").await;
    let page = close(&keeping, &office, "month", "2026-12-05").await;
    let page = keeping[0].get(&page).await.expect(200).text();
    assert!(page.contains("01/12/2026 – 31/12/2026") && page.contains("205.000"), "{page}");
}

#[tokio::test]
async fn a_chart_is_amended_for_days_ahead_and_what_was_in_force_stays() {
    let (world, office, _) = set().await;
    let before = journal(&world, &office, NOVEMBER).await;
    let file = |rows: &[&str]| format!("kind,valid_from,code,name_vi,name_en,basis\n{}\n", rows.join("\n"));
    let ahead = file(&[
        "clearing,2026-11-26,1121,Tiền gửi,Deposits,Circular",
        "fee_phi,2026-11-26,33321,Phí,Fees,Circular",
    ]);
    assert_eq!(import_chart(&world.app, &ahead).await.unwrap(), 2);
    assert_eq!(import_chart(&world.app, &ahead).await.unwrap(), 0, "once");
    // A row that is not in force yet may still be put right.
    let right = file(&["clearing,2026-11-26,1122,Tiền gửi,Deposits,Circular"]);
    assert_eq!(import_chart(&world.app, &right).await.unwrap(), 1);
    for (row, rule) in [
        ("clearing,2026-11-25,1121,Tiền gửi,Deposits,Circular", "not_ahead"),
        ("clearing,2025-01-01,1121,Tiền gửi,Deposits,Circular", "not_ahead"),
        ("nothing,2026-12-01,1121,Tiền gửi,Deposits,Circular", "unknown"),
        ("clearing,2026-12-01,A1,Tiền gửi,Deposits,Circular", "code"),
        ("clearing,soon,1121,Tiền gửi,Deposits,Circular", "day"),
        ("clearing,2026-12-01,1121,Tiền gửi,Deposits,", "missing"),
        ("clearing,2026-12-01,1121", "shape"),
    ] {
        let good = "suspense,2026-12-01,3379,Tạm thu,Held,Circular";
        let Err(Error::Refused(refusal)) = import_chart(&world.app, &file(&[good, row])).await else {
            panic!("{row} is taken")
        };
        assert_eq!((&*refusal.violations[0].field, refusal.violations[0].rule), ("line 3", rule), "{row}");
    }
    let twice = "clearing,2026-12-01,1121,Tiền gửi,Deposits,Circular";
    assert!(import_chart(&world.app, &file(&[twice, twice])).await.is_err());
    assert_eq!(world.count("chart_mapping where valid_from > '2026-11-25'").await, 2, "whole or not at all");
    assert_eq!(journal(&world, &office, NOVEMBER).await, before);
    // Whatever is booked from that day on stands in the new accounts.
    world.later(DAY);
    let charge = json!({
        "kind": "bank_charge", "account": ACCOUNT, "day": "2026-11-25", "words": "Phí dịch vụ",
        "amount": { "amount": "33000", "currency": "VND" },
    });
    office.system(&world, "ledger").post_once("/v1/ledger/records", "c", &charge).await.expect(201);
    let rows = journal(&world, &office, ("2026-11-26", "2026-11-26")).await;
    assert!(rows.iter().any(|row| row[4] == *"1122") && rows.iter().any(|row| row[4] == *"612"), "{rows:?}");
    // Every kind of account that the books have stands in the chart.
    let kinds = "(select (regexp_matches(pg_get_constraintdef(oid), '''([a-z_]+)''', 'g'))[1] as kind
                  from pg_constraint where conname = 'ledger_account_kind') k";
    assert!(world.count(kinds).await >= 18);
    let without = format!(
        "{kinds} where not exists (select from chart_mapping m where m.kind = k.kind and m.valid_from <= '2026-01-01')"
    );
    assert_eq!(world.count(&without).await, 0);
}

#[tokio::test]
async fn whatever_a_bank_moved_stands_in_the_journal_with_the_banks_day() {
    let (world, office, bill) = set().await;
    // The second of December: money that came again on the first, of which nobody was told before; and a charge.
    world.later(DAY * 7);
    let first = world.clock.now() - DAY;
    let path = format!("/v1/bills/{}", bill["id"].as_str().unwrap());
    let paid = office.system(&world, "bill.read").get(&path).await.expect(200).json();
    let payment = paid["payment"].as_str().unwrap().to_owned();
    let again = entry("R2", 205_000, Some(uuid(&payment)), first);
    world.bank.movements.lock().unwrap().push(again);
    let told = crate::central_bank::credit(7, ACCOUNT, "R2", 205_000, Some(uuid(&payment)), first);
    world.tell(&told).await.expect(200);
    let charge = json!({
        "kind": "bank_charge", "account": ACCOUNT, "day": "2026-11-30", "words": "Phí dịch vụ tháng 11",
        "amount": { "amount": "33000", "currency": "VND" },
    });
    office.system(&world, "ledger").post_once("/v1/ledger/records", "phi-11", &charge).await.expect(201);
    let rows = journal(&world, &office, ("2026-12-01", "2026-12-31")).await;
    let days = |kind: &str| -> Vec<(&str, &str)> {
        rows.iter().filter(|row| row[3] == *kind).map(|row| (&row[0], &row[1])).collect()
    };
    assert_eq!(days("suspended"), [("2026-12-02", "2026-12-01"); 2], "{rows:?}");
    assert_eq!(days("charged"), [("2026-12-02", "2026-11-30"); 2], "{rows:?}");
}
