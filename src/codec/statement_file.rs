//! Statements as files that people bring: `camt.053`, `camt.054`, MT940, and CSV in the profiles that banks export.
//!
//! What cannot be read is set aside row by row with the reason, never the file: the rows that can be read are kept, and
//! what the balances say beyond them shows as one row of its own. Reading is lenient about versions and order, strict
//! about money and days. A file of any length is read in the room of its longest part.

mod camt;
mod mt940;
mod table;

use super::iso20022::{Direction, Entry};
use crate::base::{
    calendar::Day,
    money::{Currency, Money},
    text::Line,
};

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `camt.053`, the statement of a day.
    Camt053,
    /// `camt.054`, a list of movements without balances.
    Camt054,
    /// SWIFT MT940.
    Mt940,
    /// Comma- or semicolon-separated values with a line of headings.
    Csv,
}

impl Format {
    /// The word in rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Camt053 => "camt.053",
            Self::Camt054 => "camt.054",
            Self::Mt940 => "mt940",
            Self::Csv => "csv",
        }
    }

    /// What a file looks like.
    pub fn of(text: &str) -> Option<Self> {
        if text.contains("BkToCstmrStmt") {
            Some(Self::Camt053)
        } else if text.contains("BkToCstmrDbtCdtNtfctn") {
            Some(Self::Camt054)
        } else if text.contains(":60F:") || text.contains(":60M:") {
            Some(Self::Mt940)
        } else {
            text.lines().next().filter(|head| head.contains([',', ';', '\t'])).map(|_| Self::Csv)
        }
    }
}

/// A row that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// Its place among the rows, from 1.
    pub row: usize,
    /// What is wrong, in a word: `amount`, `day`, `reference`, `direction` or `shape`.
    pub why: &'static str,
}

/// What a file says beside its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heading {
    /// What it is.
    pub format: Format,
    /// The account that it names.
    pub account: Option<String>,
    /// The bank's business day.
    pub day: Day,
    /// Balances at its two ends, where it tells them.
    pub balances: Option<(Money, Money)>,
}

/// A row: read, or set aside.
pub type Row = Result<Entry, BadRow>;

/// Why a file is none of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAFile {
    /// None of the formats.
    #[error("the file has none of the known formats")]
    Unknown,
    /// The file as a whole cannot be followed.
    #[error("the file cannot be followed")]
    Broken,
    /// No row names a day, or they name several.
    #[error("the file is not of one day")]
    NoDay,
}

/// How many bytes tell what a file is.
const HEAD_BYTES: usize = 64 << 10;
/// The longest line, record or element of a file: whatever is longer cannot be followed.
const PART_BYTES_MAX: usize = 1 << 20;

/// Reads a file piece by piece, whatever its length: only what is not complete yet is held.
///
/// Some files tell their day at the end. They are read twice: first for the heading, then with its day for the rows.
pub struct Reader {
    day: Option<Day>,
    head: Vec<u8>,
    kind: Option<Kind>,
    rows: Rows,
}

enum Kind {
    Camt(camt::Feed),
    Mt940(Box<mt940::Feed>),
    Table(table::Feed),
}

impl Reader {
    /// A reader of nothing yet; `day` is the booking day of rows that have none of their own.
    pub fn new(day: Option<Day>) -> Self {
        Self { day, head: Vec::new(), kind: None, rows: Rows::default() }
    }

    /// Takes the next piece, and gives every row that is complete with it.
    pub fn feed(&mut self, piece: &[u8], take: &mut dyn FnMut(Row)) -> Result<(), NotAFile> {
        if self.kind.is_some() {
            return self.pass(piece, take);
        }
        self.head.extend_from_slice(piece);
        if self.head.len() < HEAD_BYTES { Ok(()) } else { self.begin(take) }
    }

    /// There is no more: the last rows, and what the file says beside them.
    pub fn finish(mut self, take: &mut dyn FnMut(Row)) -> Result<Heading, NotAFile> {
        if self.kind.is_none() {
            self.begin(take)?;
        }
        match self.kind.ok_or(NotAFile::Unknown)? {
            Kind::Camt(feed) => feed.finish(&mut self.rows, take),
            Kind::Mt940(feed) => feed.finish(&mut self.rows, take),
            Kind::Table(feed) => feed.finish(&mut self.rows, take),
        }
    }

    fn begin(&mut self, take: &mut dyn FnMut(Row)) -> Result<(), NotAFile> {
        let head = std::mem::take(&mut self.head);
        let head = head.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&head);
        // The last character may be cut in the middle.
        let text = match std::str::from_utf8(head) {
            Ok(text) => text,
            Err(cut) if cut.error_len().is_none() && head.len() >= HEAD_BYTES => {
                std::str::from_utf8(&head[..cut.valid_up_to()]).unwrap_or_default()
            }
            Err(_) => return Err(NotAFile::Unknown),
        };
        self.kind = Some(match Format::of(text).ok_or(NotAFile::Unknown)? {
            format @ (Format::Camt053 | Format::Camt054) => Kind::Camt(camt::Feed::new(format)),
            Format::Mt940 => Kind::Mt940(Box::new(mt940::Feed::new(self.day))),
            Format::Csv => Kind::Table(table::Feed::default()),
        });
        self.pass(head, take)
    }

    fn pass(&mut self, piece: &[u8], take: &mut dyn FnMut(Row)) -> Result<(), NotAFile> {
        match &mut self.kind {
            Some(Kind::Camt(feed)) => feed.take(piece, &mut self.rows, take),
            Some(Kind::Mt940(feed)) => feed.take(piece, &mut self.rows, take),
            Some(Kind::Table(feed)) => feed.take(piece, &mut self.rows, take),
            None => Err(NotAFile::Unknown),
        }
    }
}

/// The rows so far: their number, and the day that those which were read are of.
#[derive(Default)]
struct Rows {
    count: usize,
    day: Option<Day>,
    several: bool,
}

impl Rows {
    fn give(&mut self, raw: Result<Raw, &'static str>, take: &mut dyn FnMut(Row)) {
        self.count += 1;
        let row = raw.and_then(Raw::entry).map_err(|why| BadRow { row: self.count, why });
        if let Ok(entry) = &row {
            self.several |= self.day.is_some_and(|day| day != entry.booked);
            self.day = self.day.or(Some(entry.booked));
        }
        take(row);
    }

    /// Whether no row is of another day.
    fn are_of(&self, day: Day) -> bool {
        !self.several && self.day.is_none_or(|of| of == day)
    }

    /// The one day that all rows are of.
    fn day(&self) -> Result<Day, NotAFile> {
        self.day.filter(|_| !self.several).ok_or(NotAFile::NoDay)
    }
}

/// Lines that come in pieces.
#[derive(Default)]
struct Lines(Vec<u8>);

impl Lines {
    fn take(
        &mut self,
        piece: &[u8],
        mut each: impl FnMut(&str) -> Result<(), NotAFile>,
    ) -> Result<(), NotAFile> {
        self.0.extend_from_slice(piece);
        let mut from = 0;
        while let Some(length) = self.0[from..].iter().position(|byte| *byte == b'\n') {
            each(text(&self.0[from..from + length])?)?;
            from += length + 1;
        }
        self.0.drain(..from);
        if self.0.len() > PART_BYTES_MAX { Err(NotAFile::Broken) } else { Ok(()) }
    }

    fn finish(self, mut each: impl FnMut(&str) -> Result<(), NotAFile>) -> Result<(), NotAFile> {
        if self.0.is_empty() { Ok(()) } else { each(text(&self.0)?) }
    }
}

fn text(line: &[u8]) -> Result<&str, NotAFile> {
    std::str::from_utf8(line).map(|line| line.trim_end_matches('\r')).map_err(|_| NotAFile::Unknown)
}

/// What a row says before it is known to be one.
#[derive(Default)]
struct Raw {
    reference: String,
    amount: String,
    direction: Option<Direction>,
    booked: Option<Day>,
    value: Option<Day>,
    end_to_end: String,
    counterparty: String,
    remittance: String,
}

impl Raw {
    fn entry(self) -> Result<Entry, &'static str> {
        let amount = self.amount.trim().trim_start_matches(['+', '-']).to_owned();
        let amount = money(&amount).filter(|money| money.is_positive()).ok_or("amount")?;
        let booked = self.booked.ok_or("day")?;
        let optional = |text: &str| Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned);
        Ok(Entry {
            reference: Line::parse(self.reference.trim()).map_err(|_| "reference")?,
            amount,
            direction: self.direction.ok_or("direction")?,
            reversal: false,
            booked,
            value: self.value.unwrap_or(booked),
            end_to_end: optional(&self.end_to_end).and_then(|text| Line::parse(&text).ok()),
            uetr: None,
            clearing_reference: None,
            counterparty: optional(&self.counterparty).and_then(|text| Line::cleaned(&text).ok()),
            counterparty_agent: None,
            remittance: optional(&self.remittance)
                .and_then(|text| Line::cleaned(&text).ok())
                .into_iter()
                .collect(),
            accepted: None,
            charged: None,
        })
    }
}

/// Whole đồng, as banks write them: `205000`, `205,000`, `205.000`, `205000,00`, `205,000.00`.
fn money(text: &str) -> Option<Money> {
    let text = text.trim().trim_end_matches(['đ', '₫']).trim_end_matches("VND").trim();
    let (whole, fraction) = match text.rfind(['.', ',']) {
        Some(at) if text.len() - at - 1 <= 2 => (&text[..at], &text[at + 1..]),
        _ => (text, ""),
    };
    if !fraction.bytes().all(|b| b == b'0') || whole.is_empty() {
        return None;
    }
    let groups: Vec<&str> = whole.split(['.', ',', ' ', '\u{a0}']).collect();
    let grouped = groups.len() == 1
        || (groups[0].len() <= 3
            && !groups[0].is_empty()
            && groups[1..].iter().all(|group| group.len() == 3));
    let digits = groups.concat();
    if !grouped || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Money::parse(&digits, Currency::Vnd).ok()
}

/// `2026-11-24`, `24/11/2026`, `24-11-2026`, or `261124`.
fn day(text: &str) -> Option<Day> {
    let text = text.trim();
    let text = text.split([' ', 'T']).next().unwrap_or(text);
    if let Ok(day) = text.parse() {
        return Some(day);
    }
    let parts: Vec<u16> =
        text.split(['/', '-']).map(str::parse).collect::<Result<_, _>>().unwrap_or_default();
    match parts[..] {
        [d, m, y] if y >= 1000 => Day::new(i32::from(y), u8::try_from(m).ok()?, u8::try_from(d).ok()?),
        _ if text.len() == 6 && text.bytes().all(|b| b.is_ascii_digit()) => {
            let two = |at: usize| text.get(at..at + 2)?.parse::<u8>().ok();
            Day::new(2000 + i32::from(two(0)?), two(2)?, two(4)?)
        }
        _ => None,
    }
}

/// A reference of ours inside a text: 32 hexadecimal digits.
fn ours_in(text: &str) -> Option<String> {
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .find(|word| word.len() == 32 && word.bytes().all(|b| b.is_ascii_hexdigit()))
        .map(str::to_ascii_lowercase)
}

#[cfg(test)]
#[path = "statement_file_tests.rs"]
mod tests;
