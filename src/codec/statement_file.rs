//! Statements as files that people bring: `camt.053`, `camt.054`, MT940, and CSV in the profiles that banks export.
//!
//! What cannot be read is set aside row by row with the reason, never the file: the rows that can be read are kept, and
//! what the balances say beyond them shows as one row of its own. Reading is lenient about versions and order, strict
//! about money and days.

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

/// A file as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementFile {
    /// What it is.
    pub format: Format,
    /// The account that it names.
    pub account: Option<String>,
    /// The bank's business day.
    pub day: Day,
    /// Balances at its two ends, where it tells them.
    pub balances: Option<(Money, Money)>,
    /// The rows that were read.
    pub entries: Vec<Entry>,
    /// Those that were not.
    pub bad: Vec<BadRow>,
}

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

/// Reads a file of any of the formats.
pub fn read(bytes: &[u8]) -> Result<StatementFile, NotAFile> {
    let text = std::str::from_utf8(bytes).map_err(|_| NotAFile::Unknown)?.trim_start_matches('\u{feff}');
    let format = Format::of(text).ok_or(NotAFile::Unknown)?;
    match format {
        Format::Camt053 | Format::Camt054 => camt::read(text, format),
        Format::Mt940 => mt940::read(text),
        Format::Csv => table::read(text),
    }
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

/// The one day that all rows are of.
fn day_of(entries: &[Entry]) -> Result<Day, NotAFile> {
    let first = entries.first().map(|entry| entry.booked).ok_or(NotAFile::NoDay)?;
    if entries.iter().all(|entry| entry.booked == first) { Ok(first) } else { Err(NotAFile::NoDay) }
}

fn sorted(rows: impl Iterator<Item = Raw>) -> (Vec<Entry>, Vec<BadRow>) {
    let (mut entries, mut bad) = (Vec::new(), Vec::new());
    for (place, raw) in rows.enumerate() {
        match raw.entry() {
            Ok(entry) => entries.push(entry),
            Err(why) => bad.push(BadRow { row: place + 1, why }),
        }
    }
    (entries, bad)
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
