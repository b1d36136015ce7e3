//! Journals as CSV and as a spreadsheet: one row for each posting, debit and credit in columns of their own.

use super::closing_report::{Cell, NoSpreadsheet, put_row, table, whole_numbers, workbook};
use crate::base::{calendar::Day, text::Lang};
use crate::text::Texts;
use rust_xlsxwriter::{Format, Workbook, Worksheet};
use std::io::Write;

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

/// How many rows stand on one sheet below its headings, which is as many as spreadsheets know.
pub const SHEET_ROWS: u32 = 1_048_575;

/// The journal as a spreadsheet that is written row by row: each row is put into a file that vanishes with this, so that the
/// memory of one row is needed however many there are. What one sheet does not hold stands on the next.
pub struct Sheets {
    book: Workbook,
    sheet: Worksheet,
    sheets: u32,
    rows: u32,
    room: u32,
    number: Format,
}

impl Sheets {
    /// A workbook without rows, dated by a day, with so many rows on each sheet.
    pub fn new(day: Day, room: u32) -> Result<Self, NoSpreadsheet> {
        let mut book = workbook(Some(day.start()))?;
        let sheet = headed(&mut book, 1)?;
        Ok(Self { book, sheet, sheets: 1, rows: 0, room: room.clamp(1, SHEET_ROWS), number: whole_numbers() })
    }

    /// Writes the next row.
    pub fn add(&mut self, row: &Row) -> Result<(), NoSpreadsheet> {
        if self.rows == self.room {
            (self.sheets, self.rows) = (self.sheets + 1, 0);
            let next = headed(&mut self.book, self.sheets)?;
            self.book.push_worksheet(std::mem::replace(&mut self.sheet, next));
        }
        self.rows += 1;
        let (debit, credit) = split(row.amount);
        let number = |value: Option<i64>| value.map_or_else(|| Cell::Text(String::new()), Cell::Number);
        let cells = [
            Cell::Text(row.booked_on.to_string()),
            Cell::Text(row.bank_day.map(|day| day.to_string()).unwrap_or_default()),
            Cell::Text(row.entry.clone()),
            Cell::Text(row.kind.clone()),
            Cell::Text(row.account.0.clone()),
            Cell::Text(row.account.1.clone()),
            number(debit),
            number(credit),
            Cell::Text(row.dossier.clone()),
        ];
        put_row(&mut self.sheet, self.rows, &cells, &self.number)
    }

    /// Writes the whole.
    pub fn finish(mut self, to: impl Write + Send) -> Result<(), NoSpreadsheet> {
        self.book.push_worksheet(self.sheet);
        Ok(self.book.save_to_writer(to)?)
    }
}

/// The sheet of that number, with its headings.
fn headed(book: &mut Workbook, number: u32) -> Result<Worksheet, NoSpreadsheet> {
    let text = |key: &str| Texts::embedded().get(Lang::Vi, &format!("closing-journal-{key}")).into_owned();
    let heads = HEADS.map(text);
    let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
    let mut sheet = book.new_worksheet_with_constant_memory()?;
    let name = text("sheet");
    sheet.set_name(if number == 1 { name } else { format!("{name} {number}") })?;
    table(&mut sheet, &heads, &[])?;
    Ok(sheet)
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
    }

    /// The parts of a spreadsheet by their names.
    fn parts(file: &[u8]) -> Vec<(String, String)> {
        let mut archive = zip::ZipArchive::new(std::io::Cursor::new(file)).unwrap();
        let many = archive.len();
        let mut read = |at: usize| {
            let mut part = archive.by_index(at).unwrap();
            let mut text = String::new();
            std::io::Read::read_to_string(&mut part, &mut text).unwrap();
            (part.name().unwrap().to_string(), text)
        };
        (0..many).map(&mut read).collect()
    }

    #[test]
    fn what_one_sheet_does_not_hold_stands_on_the_next() {
        let day = Day::new(2026, 11, 24).unwrap();
        let mut sheets = Sheets::new(day, 2).unwrap();
        for number in 1..=5 {
            let row = Row {
                booked_on: day,
                bank_day: None,
                entry: format!("entry_{number}"),
                kind: "settled".to_owned(),
                account: ("3332".to_owned(), "Phí & lệ phí".to_owned()),
                amount: if number == 5 { -7 } else { number },
                dossier: "=1+1".to_owned(),
            };
            sheets.add(&row).unwrap();
        }
        let mut file = Vec::new();
        sheets.finish(&mut file).unwrap();
        let parts = parts(&file);
        let sheet = |n: usize| {
            let name = format!("xl/worksheets/sheet{n}.xml");
            &parts.iter().find(|part| part.0 == name).unwrap_or_else(|| panic!("no {name}")).1
        };
        let rows = |n: usize| sheet(n).matches("<row ").count();
        assert_eq!((rows(1), rows(2), rows(3)), (3, 3, 2), "headings and rows");
        assert!(sheet(2).contains("entry_3") && !sheet(2).contains("entry_5"));
        assert!(sheet(3).contains("entry_5") && sheet(3).contains("<v>7</v>"));
        assert!(
            sheet(1).contains("Phí &amp; lệ phí") && !sheet(1).contains("<f>"),
            "a dossier is no formula"
        );
        let book = &parts.iter().find(|part| part.0 == "xl/workbook.xml").unwrap().1;
        assert_eq!(book.matches("<sheet ").count(), 3);
    }
}
