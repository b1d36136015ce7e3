//! What long work holds at most. One test alone: what a process has held is asked of the whole process.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use chung::base::calendar::Day;
use chung::codec::journal::{Row, SHEET_ROWS, Sheets};

/// What this process has held at most, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_spreadsheet_of_many_rows_needs_the_memory_of_few() {
    let day = Day::new(2026, 11, 24).unwrap();
    let mut sheets = Sheets::new(day, SHEET_ROWS).unwrap();
    let mut file = tempfile::tempfile().unwrap();
    let before = peak();
    for number in 0..300_000 {
        let row = Row {
            booked_on: day,
            bank_day: Some(day),
            entry: format!("entry_{number:032}"),
            kind: "settled".to_owned(),
            account: ("3332".to_owned(), format!("Phí, lệ phí {number}")),
            amount: number,
            dossier: format!("H29.14-261124-{number:07}"),
        };
        sheets.add(&row).unwrap();
    }
    sheets.finish(&mut file).unwrap();
    assert!(file.metadata().unwrap().len() > 10 << 20, "{}", file.metadata().unwrap().len());
    let more = peak().saturating_sub(before);
    assert!(more < 40 << 10, "{more} KiB more");
}
