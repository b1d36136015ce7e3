//! The report that closes a day, a month or a year: what it says as canonical JSON, and the same as PDF/A and as a
//! spreadsheet. It carries the signed head of the audit log, so that whoever keeps it can prove later what stood then.

use super::{
    receipt_content::signing_input_as,
    receipt_pdf::{NotRendered, Sheet},
};
use crate::base::{
    calendar::{Day, display_vi, parse_rfc3339},
    clock::Instant,
    money::Money,
    text::Lang,
};
use crate::crypto::digest::{Digest, sha256};
use crate::text::Texts;
use krilla::metadata::Metadata;
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, Worksheet, XlsxError};
use serde::{Deserialize, Serialize};

/// The `typ` of a signed report.
pub const TYP: &str = "chung-closing+jwt";

/// What a report says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClosingContent {
    /// The version of this shape.
    pub v: u8,
    /// The public origin of the service that made it.
    pub iss: String,
    /// The agency's code and Vietnamese name.
    pub agency: (String, String),
    /// `day`, `month` or `year`.
    pub kind: String,
    /// The first and the last day.
    pub days: (String, String),
    /// Who prepared it, and when (RFC 3339, UTC).
    pub prepared: (String, String),
    /// Who approved it, and when.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub approved: Option<(String, String)>,
    /// The matched statements.
    pub statements: Vec<StatementRow>,
    /// What moved on each kind of account: kind, debits, credits, in whole đồng.
    pub ledger: Vec<(String, i64, i64)>,
    /// The receipts of each series: first and last number, how many, their sum, how many are void.
    pub receipts: Vec<(String, String, i64, i64, i64)>,
    /// The cases by state.
    pub cases: Vec<(String, i64)>,
    /// The newest head of the audit log when it was prepared: its size, and as it was signed.
    pub head: Option<(u64, String)>,
}

/// The time stamp of the head that a report names. It comes after the content and stands beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamped {
    /// The authority's own time.
    pub at: Instant,
    /// Who stamped.
    pub authority: String,
    /// Its policy.
    pub policy: String,
    /// The stamp's number there.
    pub serial: String,
}

impl Stamped {
    fn rows(&self) -> [(String, String); 3] {
        [
            (text("closing-stamp-at"), display_vi(self.at)),
            (text("closing-stamp-authority"), self.authority.clone()),
            (text("closing-stamp-serial"), format!("{} ({})", self.serial, self.policy)),
        ]
    }
}

/// A statement in a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatementRow {
    /// The account's number.
    pub account: String,
    /// The bank's business day.
    pub day: String,
    /// The balance when the day began.
    pub opening: i64,
    /// The balance when it ended.
    pub closing: i64,
    /// How many lines it has.
    pub lines: i32,
    /// How many match.
    pub matched: i32,
    /// What the ledger posted.
    pub posted: i64,
    /// What differences explain.
    pub explained: i64,
}

impl StatementRow {
    /// What nobody explains.
    pub const fn unexplained(&self) -> i64 {
        self.closing.saturating_sub(self.opening).saturating_sub(self.posted).saturating_sub(self.explained)
    }
}

impl ClosingContent {
    /// The bytes that are digested and signed.
    #[expect(clippy::expect_used, reason = "strings and integers always serialize")]
    pub fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings and integers always serialize")
    }

    /// Reads those bytes.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

/// The digest of a report's bytes.
pub fn digest(content: &[u8]) -> Digest {
    sha256(content)
}

/// The text to sign for a report's bytes.
pub fn signing_input(content: &[u8], kid: &str) -> String {
    signing_input_as(content, kid, TYP)
}

fn text(key: &str) -> String {
    Texts::embedded().get(Lang::Vi, key).into_owned()
}

fn moment(at: &str) -> String {
    parse_rfc3339(at).map_or_else(|| at.to_owned(), display_vi)
}

fn day(day: &str) -> String {
    day.parse::<Day>().map_or_else(|_| day.to_owned(), Day::display_vi)
}

fn money(minor: i64) -> String {
    Money::vnd(minor).display_vi()
}

/// The report as PDF/A-3.
pub fn pdf(content: &ClosingContent, stamped: Option<&Stamped>) -> Result<Vec<u8>, NotRendered> {
    let mut sheet = Sheet::new()?;
    sheet.paragraph(&format!("{} ({})", content.agency.1, content.agency.0), 11.0, true);
    sheet.space(12.0);
    sheet.paragraph(&text(&format!("closing-title-{}", content.kind)).to_uppercase(), 16.0, true);
    let days = if content.days.0 == content.days.1 {
        day(&content.days.0)
    } else {
        format!("{} – {}", day(&content.days.0), day(&content.days.1))
    };
    sheet.row(&text("closing-days"), &days);
    let signed = |(name, at): &(String, String)| format!("{name}, {}", moment(at));
    sheet.row(&text("closing-prepared-by"), &signed(&content.prepared));
    if let Some(approved) = &content.approved {
        sheet.row(&text("closing-approved-by"), &signed(approved));
    }
    sheet.space(8.0);
    sheet.paragraph(&text("closing-statements"), 12.0, true);
    for s in &content.statements {
        let moved = s.closing.saturating_sub(s.opening);
        sheet.row(
            &day(&s.day),
            &format!(
                "{} · {}/{} · {} · {}",
                s.account,
                s.matched,
                s.lines,
                money(moved),
                money(s.unexplained())
            ),
        );
    }
    sheet.paragraph(&text("closing-statements-note"), 8.0, false);
    sheet.space(8.0);
    sheet.paragraph(&text("closing-ledger"), 12.0, true);
    for (kind, debit, credit) in &content.ledger {
        sheet.paragraph(&text(&format!("closing-account-{kind}")), 10.0, true);
        sheet.sum(&text("closing-debit"), Money::vnd(*debit), false);
        sheet.sum(&text("closing-credit"), Money::vnd(*credit), false);
    }
    sheet.space(8.0);
    sheet.paragraph(&text("closing-receipts"), 12.0, true);
    for (first, last, count, total, void) in &content.receipts {
        sheet.paragraph(&format!("{first} – {last}"), 10.0, true);
        let counted = text("closing-receipts-count");
        let voided = text("closing-receipts-void");
        sheet.sum(&format!("{counted}: {count}; {voided}: {void}"), Money::vnd(*total), false);
    }
    sheet.space(8.0);
    sheet.paragraph(&text("closing-cases"), 12.0, true);
    for (state, count) in &content.cases {
        sheet.row(&text(&format!("closing-case-{state}")), &count.to_string());
    }
    sheet.space(8.0);
    sheet.paragraph(&text("closing-head"), 12.0, true);
    match &content.head {
        Some((size, signed)) => {
            sheet.row(&text("closing-head-size"), &size.to_string());
            for part in signed.as_bytes().chunks(70) {
                sheet.paragraph(&String::from_utf8_lossy(part), 8.0, false);
            }
        }
        None => sheet.paragraph(&text("closing-head-none"), 10.0, false),
    }
    for (label, value) in stamped.into_iter().flat_map(Stamped::rows) {
        sheet.row(&label, &value);
    }
    let title = format!("{} {days}", text(&format!("closing-title-{}", content.kind)));
    let made = content.approved.as_ref().unwrap_or(&content.prepared);
    let at = parse_rfc3339(&made.1).unwrap_or(Instant::UNIX_EPOCH);
    let metadata = Metadata::new()
        .title(title)
        .authors(vec![content.agency.1.clone()])
        .language(Lang::Vi.tag().to_owned())
        .creator("Chung".to_owned())
        .creation_date(super::receipt_pdf::date_time(at))
        .document_id(hex::encode(digest(&content.bytes())));
    sheet.finish(metadata)
}

/// A spreadsheet that could not be made: a mistake of ours or of the library.
#[derive(Debug, thiserror::Error)]
#[error("the spreadsheet could not be made: {0}")]
pub struct NoSpreadsheet(#[from] XlsxError);

/// A workbook that names no moment but the given one.
pub(super) fn workbook(at: Option<Instant>) -> Result<Workbook, NoSpreadsheet> {
    let mut book = Workbook::new();
    let at = at.unwrap_or(Instant::UNIX_EPOCH);
    let (y, m, d) = (at.year(), at.month() as u8, at.day());
    let at = ExcelDateTime::from_ymd(u16::try_from(y).unwrap_or(1970), m, d)?;
    book.set_properties(&DocProperties::new().set_author("Chung").set_creation_datetime(&at));
    Ok(book)
}

/// Writes a table from its first row on: headings in bold, then texts and whole numbers.
pub(super) fn table(sheet: &mut Worksheet, heads: &[&str], rows: &[Vec<Cell>]) -> Result<(), NoSpreadsheet> {
    let (bold, number) = (Format::new().set_bold(), whole_numbers());
    for (column, head) in (0_u16..).zip(heads) {
        sheet.write_string_with_format(0, column, *head, &bold)?;
        sheet.set_column_width(column, 22)?;
    }
    for (row, cells) in (1_u32..).zip(rows) {
        put_row(sheet, row, cells, &number)?;
    }
    sheet.set_freeze_panes(1, 0)?;
    Ok(())
}

/// How whole numbers stand in a table.
pub(super) fn whole_numbers() -> Format {
    Format::new().set_num_format("#,##0")
}

/// Writes one row of a table.
pub(super) fn put_row(
    sheet: &mut Worksheet,
    row: u32,
    cells: &[Cell],
    number: &Format,
) -> Result<(), NoSpreadsheet> {
    for (column, cell) in (0_u16..).zip(cells) {
        match cell {
            Cell::Text(text) => sheet.write_string(row, column, text)?,
            Cell::Number(value) => sheet.write_number_with_format(row, column, exact(*value), number)?,
        };
    }
    Ok(())
}

/// What stands in a table.
pub(super) enum Cell {
    /// A text.
    Text(String),
    /// A whole number.
    Number(i64),
}

/// Spreadsheets hold binary fractions: whole numbers up to 2^53 stand in them exactly, which is more money than there is.
#[expect(clippy::cast_precision_loss, reason = "exact below 2^53")]
const fn exact(value: i64) -> f64 {
    value as f64
}

/// The report as a spreadsheet.
pub fn xlsx(content: &ClosingContent, stamped: Option<&Stamped>) -> Result<Vec<u8>, NoSpreadsheet> {
    let text_cell = |text: &str| Cell::Text(text.to_owned());
    let made = content.approved.as_ref().unwrap_or(&content.prepared);
    let mut book = workbook(parse_rfc3339(&made.1))?;
    let mut facts = vec![
        vec![
            Cell::Text(text("closing-agency")),
            Cell::Text(format!("{} ({})", content.agency.1, content.agency.0)),
        ],
        vec![
            Cell::Text(text("closing-days")),
            Cell::Text(format!("{} – {}", content.days.0, content.days.1)),
        ],
        vec![
            Cell::Text(text("closing-prepared-by")),
            Cell::Text(format!("{}, {}", content.prepared.0, content.prepared.1)),
        ],
    ];
    if let Some((name, at)) = &content.approved {
        facts.push(vec![Cell::Text(text("closing-approved-by")), Cell::Text(format!("{name}, {at}"))]);
    }
    if let Some((size, signed)) = &content.head {
        facts.push(vec![Cell::Text(text("closing-head-size")), Cell::Text(size.to_string())]);
        facts.push(vec![Cell::Text(text("closing-head")), text_cell(signed)]);
    }
    let stamp = stamped.into_iter().flat_map(Stamped::rows);
    facts.extend(stamp.map(|(label, value)| vec![Cell::Text(label), Cell::Text(value)]));
    let title = text(&format!("closing-title-{}", content.kind));
    table(book.add_worksheet().set_name(text("closing-sheet"))?, &[&title, ""], &facts)?;
    let statements: Vec<Vec<Cell>> = content
        .statements
        .iter()
        .map(|s| {
            vec![
                text_cell(&s.day),
                text_cell(&s.account),
                Cell::Number(s.opening),
                Cell::Number(s.closing),
                Cell::Number(i64::from(s.lines)),
                Cell::Number(i64::from(s.matched)),
                Cell::Number(s.posted),
                Cell::Number(s.explained),
                Cell::Number(s.unexplained()),
            ]
        })
        .collect();
    let heads =
        ["day", "account", "opening", "closing", "lines", "matched", "posted", "explained", "unexplained"];
    let heads: Vec<String> = heads.iter().map(|head| text(&format!("closing-column-{head}"))).collect();
    let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
    table(book.add_worksheet().set_name(text("closing-statements"))?, &heads, &statements)?;
    let ledger: Vec<Vec<Cell>> = content
        .ledger
        .iter()
        .map(|(kind, debit, credit)| {
            vec![
                Cell::Text(text(&format!("closing-account-{kind}"))),
                Cell::Number(*debit),
                Cell::Number(*credit),
            ]
        })
        .collect();
    let heads = [text("closing-column-account"), text("closing-debit"), text("closing-credit")];
    table(
        book.add_worksheet().set_name(text("closing-ledger"))?,
        &[&heads[0], &heads[1], &heads[2]],
        &ledger,
    )?;
    let receipts: Vec<Vec<Cell>> = content
        .receipts
        .iter()
        .map(|(first, last, count, total, void)| {
            vec![
                text_cell(first),
                text_cell(last),
                Cell::Number(*count),
                Cell::Number(*total),
                Cell::Number(*void),
            ]
        })
        .collect();
    let heads =
        ["first", "last", "count", "total", "void"].map(|head| text(&format!("closing-receipts-{head}")));
    let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
    table(book.add_worksheet().set_name(text("closing-receipts"))?, &heads, &receipts)?;
    let cases: Vec<Vec<Cell>> = content
        .cases
        .iter()
        .map(|(state, count)| vec![Cell::Text(text(&format!("closing-case-{state}"))), Cell::Number(*count)])
        .collect();
    let heads = [text("closing-cases"), text("closing-receipts-count")];
    table(book.add_worksheet().set_name(text("closing-cases"))?, &[&heads[0], &heads[1]], &cases)?;
    Ok(book.save_to_buffer()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content() -> ClosingContent {
        ClosingContent {
            v: 1,
            iss: "http://localhost:8080".to_owned(),
            agency: ("H29.14".to_owned(), "Sở Tư pháp".to_owned()),
            kind: "day".to_owned(),
            days: ("2026-11-24".to_owned(), "2026-11-24".to_owned()),
            prepared: ("Nguyễn Thị Hòa".to_owned(), "2026-11-25T01:00:00Z".to_owned()),
            approved: Some(("Trần Văn Khỏe".to_owned(), "2026-11-25T02:00:00Z".to_owned())),
            statements: vec![StatementRow {
                account: "1500201001234".to_owned(),
                day: "2026-11-24".to_owned(),
                opening: 0,
                closing: 205_000,
                lines: 1,
                matched: 1,
                posted: 205_000,
                explained: 0,
            }],
            ledger: vec![("clearing".to_owned(), 205_000, 0), ("fee_phi".to_owned(), 0, 205_000)],
            receipts: vec![(
                "H29.14-AP26E-0000001".to_owned(),
                "H29.14-AP26E-0000001".to_owned(),
                1,
                205_000,
                0,
            )],
            cases: vec![("open".to_owned(), 1)],
            head: Some((4, "a.b.c".to_owned())),
        }
    }

    #[test]
    fn a_report_reads_back_and_is_made_in_both_forms() {
        let content = content();
        assert_eq!(ClosingContent::read(&content.bytes()), Some(content.clone()));
        assert!(pdf(&content, None).unwrap().starts_with(b"%PDF-1.7"));
        assert!(xlsx(&content, None).unwrap().starts_with(b"PK"));
        assert_eq!(
            xlsx(&content, None).unwrap(),
            xlsx(&content, None).unwrap(),
            "the same report is the same file"
        );
        assert_eq!(content.statements[0].unexplained(), 0);
    }
}
