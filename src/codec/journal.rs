//! Journals as CSV and as a spreadsheet: one row for each posting, debit and credit in columns of their own.

use super::closing_report::{Cell, NoSpreadsheet, table, workbook};
use crate::base::{calendar::Day, text::Lang};
use crate::text::Texts;

/// One posting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The day it was booked on.
    pub booked_on: Day,
    /// The bank's day, where there is one.
    pub bank_day: Option<Day>,
    /// The entry.
    pub entry: String,
    /// What it is about.
    pub kind: String,
    /// The account of the chart and its name.
    pub account: (String, String),
    /// Above nothing: debit; below: credit.
    pub amount: i64,
    /// The dossier.
    pub dossier: String,
}

const HEADS: [&str; 9] =
    ["booked_on", "bank_day", "entry", "kind", "account", "account_name", "debit", "credit", "dossier"];

/// The names of the columns, as the first line of the CSV; the file begins with the mark by which spreadsheets know UTF-8.
pub fn csv_head() -> String {
    format!("\u{feff}{}\r\n", HEADS.join(","))
}

/// One posting as a line of the CSV (RFC 4180).
pub fn csv_row(row: &Row) -> String {
    let (debit, credit) = split(row.amount);
    let number = |value: Option<i64>| value.map(|value| value.to_string()).unwrap_or_default();
    let bank_day = row.bank_day.map(|day| day.to_string()).unwrap_or_default();
    let cells = [
        row.booked_on.to_string(),
        bank_day,
        row.entry.clone(),
        row.kind.clone(),
        row.account.0.clone(),
        row.account.1.clone(),
        number(debit),
        number(credit),
        row.dossier.clone(),
    ];
    let quoted: Vec<String> = cells.iter().map(|cell| quote(cell)).collect();
    format!("{}\r\n", quoted.join(","))
}

/// A cell that no spreadsheet takes for a formula and no reader for two.
fn quote(cell: &str) -> String {
    let guarded =
        if cell.starts_with(['=', '+', '-', '@', '\t']) { format!("'{cell}") } else { cell.to_owned() };
    if guarded.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", guarded.replace('"', "\"\""))
    } else {
        guarded
    }
}

const fn split(amount: i64) -> (Option<i64>, Option<i64>) {
    if amount >= 0 { (Some(amount), None) } else { (None, Some(-amount)) }
}

/// The journal as a spreadsheet.
pub fn xlsx(rows: &[Row]) -> Result<Vec<u8>, NoSpreadsheet> {
    let text = |key: &str| Texts::embedded().get(Lang::Vi, &format!("closing-journal-{key}")).into_owned();
    let heads = HEADS.map(text);
    let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
    let cells: Vec<Vec<Cell>> = rows
        .iter()
        .map(|row| {
            let (debit, credit) = split(row.amount);
            let number = |value: Option<i64>| value.map_or_else(|| Cell::Text(String::new()), Cell::Number);
            vec![
                Cell::Text(row.booked_on.to_string()),
                Cell::Text(row.bank_day.map(|day| day.to_string()).unwrap_or_default()),
                Cell::Text(row.entry.clone()),
                Cell::Text(row.kind.clone()),
                Cell::Text(row.account.0.clone()),
                Cell::Text(row.account.1.clone()),
                number(debit),
                number(credit),
                Cell::Text(row.dossier.clone()),
            ]
        })
        .collect();
    let mut book = workbook(rows.last().map(|row| row.booked_on.start()))?;
    table(book.add_worksheet().set_name(text("sheet"))?, &heads, &cells)?;
    Ok(book.save_to_buffer()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_one_row_whatever_stands_in_it() {
        let row = Row {
            booked_on: Day::new(2026, 11, 24).unwrap(),
            bank_day: Day::new(2026, 11, 23),
            entry: "entry_1".to_owned(),
            kind: "settled".to_owned(),
            account: ("3332".to_owned(), "Phí, lệ phí".to_owned()),
            amount: -205_000,
            dossier: "=1+1".to_owned(),
        };
        let line = "2026-11-24,2026-11-23,entry_1,settled,3332,\"Phí, lệ phí\",,205000,'=1+1\r\n";
        assert_eq!(csv_row(&row), line);
        assert!(csv_head().starts_with('\u{feff}'));
        assert!(xlsx(&[row]).unwrap().starts_with(b"PK"));
    }
}
