//! Statements as files that people bring: `camt.053`, `camt.054`, MT940, and CSV in the profiles that banks export.
//!
//! What cannot be read is set aside row by row with the reason, never the file: the rows that can be read are kept, and
//! what the balances say beyond them shows as one row of its own. Reading is lenient about versions and order, strict
//! about money and days.

use super::iso20022::{Direction, Entry};
use crate::base::{
    calendar::Day,
    money::{Currency, Money},
    text::Line,
};
use std::collections::HashMap;

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
        Format::Camt053 | Format::Camt054 => camt(text, format),
        Format::Mt940 => mt940(text),
        Format::Csv => csv_file(text),
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

// ---- ISO 20022 ----

/// An element with its children and text.
#[derive(Default)]
struct Element {
    name: String,
    text: String,
    children: Vec<Element>,
}

/// A name without its prefix.
fn local(name: &str) -> String {
    name.rsplit(':').next().unwrap_or(name).to_owned()
}

/// The deepest nesting that is followed.
const DEPTH_MAX: usize = 40;

impl Element {
    fn read(text: &str) -> Option<Self> {
        use quick_xml::events::Event;
        let mut reader = quick_xml::Reader::from_str(text);
        let mut open = vec![Self::default()];
        loop {
            match reader.read_event().ok()? {
                Event::Start(start) => {
                    if open.len() > DEPTH_MAX {
                        return None;
                    }
                    let name = local(start.name().as_ref());
                    open.push(Self { name, ..Self::default() });
                }
                Event::Empty(start) => {
                    let name = local(start.name().as_ref());
                    open.last_mut()?.children.push(Self { name, ..Self::default() });
                }
                Event::Text(piece) => open.last_mut()?.text.push_str(&piece.into_inner()),
                Event::GeneralRef(entity) => {
                    let known = match &*entity.into_inner() {
                        "amp" => "&",
                        "lt" => "<",
                        "gt" => ">",
                        "quot" => "\"",
                        "apos" => "'",
                        _ => "",
                    };
                    open.last_mut()?.text.push_str(known);
                }
                Event::End(_) => {
                    let done = open.pop()?;
                    open.last_mut()?.children.push(done);
                }
                Event::DocType(_) => return None,
                Event::Eof => break,
                Event::CData(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => (),
            }
        }
        (open.len() == 1).then(|| open.pop())?
    }

    /// The first element down that path of names.
    fn at(&self, path: &[&str]) -> Option<&Self> {
        let [name, rest @ ..] = path else { return Some(self) };
        self.children.iter().filter(|child| child.name == *name).find_map(|child| child.at(rest))
    }

    fn text_at(&self, path: &[&str]) -> String {
        self.at(path).map(|element| element.text.trim().to_owned()).unwrap_or_default()
    }

    /// Every element of that name, however deep.
    fn all<'a>(&'a self, name: &str, found: &mut Vec<&'a Self>) {
        for child in &self.children {
            if child.name == name {
                found.push(child);
            } else {
                child.all(name, found);
            }
        }
    }
}

fn camt(text: &str, format: Format) -> Result<StatementFile, NotAFile> {
    let root = Element::read(text).ok_or(NotAFile::Broken)?;
    let mut rows = Vec::new();
    root.all("Ntry", &mut rows);
    let (entries, bad) = sorted(rows.into_iter().map(camt_row));
    let mut accounts = Vec::new();
    root.all("Acct", &mut accounts);
    let account = accounts.first().map(|account| {
        let iban = account.text_at(&["Id", "IBAN"]);
        if iban.is_empty() { account.text_at(&["Id", "Othr", "Id"]) } else { iban }
    });
    let mut kept = Vec::new();
    root.all("Bal", &mut kept);
    let balance = |code: &str| {
        let found = kept.iter().find(|bal| bal.text_at(&["Tp", "CdOrPrtry", "Cd"]) == code)?;
        let amount = money(&found.text_at(&["Amt"]))?;
        let owed = found.text_at(&["CdtDbtInd"]) == "DBIT";
        let signed = if owed { amount.negated().ok()? } else { amount };
        Some((signed, day(&found.text_at(&["Dt", "Dt"])).or_else(|| day(&found.text_at(&["Dt"])))))
    };
    let (opening, closing) = (balance("OPBD"), balance("CLBD"));
    let stated = closing.and_then(|(_, day)| day);
    let day = stated.map_or_else(|| day_of(&entries), Ok)?;
    let balances = opening.zip(closing).map(|(opening, closing)| (opening.0, closing.0));
    Ok(StatementFile { format, account, day, balances, entries, bad })
}

fn camt_row(entry: &Element) -> Raw {
    let details = entry.at(&["NtryDtls", "TxDtls"]);
    let of_details = |path: &[&str]| details.map(|details| details.text_at(path)).unwrap_or_default();
    let reference =
        [entry.text_at(&["AcctSvcrRef"]), of_details(&["Refs", "AcctSvcrRef"]), entry.text_at(&["NtryRef"])];
    let direction = match entry.text_at(&["CdtDbtInd"]).as_str() {
        "CRDT" => Some(Direction::Credit),
        "DBIT" => Some(Direction::Debit),
        _ => None,
    };
    let names = [
        of_details(&["RltdPties", "Dbtr", "Pty", "Nm"]),
        of_details(&["RltdPties", "Dbtr", "Nm"]),
        of_details(&["RltdPties", "Cdtr", "Pty", "Nm"]),
        of_details(&["RltdPties", "Cdtr", "Nm"]),
    ];
    let dated =
        |name: &str| day(&entry.text_at(&[name, "Dt"])).or_else(|| day(&entry.text_at(&[name, "DtTm"])));
    Raw {
        reference: reference.into_iter().find(|text| !text.is_empty()).unwrap_or_default(),
        amount: entry.text_at(&["Amt"]),
        direction,
        booked: dated("BookgDt"),
        value: dated("ValDt"),
        end_to_end: of_details(&["Refs", "EndToEndId"]),
        counterparty: names.into_iter().find(|name| !name.is_empty()).unwrap_or_default(),
        remittance: of_details(&["RmtInf", "Ustrd"]),
    }
}

// ---- MT940 ----

fn mt940(text: &str) -> Result<StatementFile, NotAFile> {
    let fields = tags(text);
    let one = |names: &[&str]| {
        fields.iter().find(|(tag, _)| names.contains(&tag.as_str())).map(|(_, v)| v.as_str())
    };
    let balance = |text: &str| {
        let owed = match text.get(..1)? {
            "C" => false,
            "D" => true,
            _ => return None,
        };
        let amount = money(text.get(10..)?)?;
        let signed = if owed { amount.negated().ok()? } else { amount };
        Some((signed, day(text.get(1..7)?)?))
    };
    let opening = one(&["60F", "60M"]).and_then(balance).ok_or(NotAFile::Broken)?;
    let closing = one(&["62F", "62M"]).and_then(balance).ok_or(NotAFile::Broken)?;
    let mut rows: Vec<Raw> = Vec::new();
    for (tag, value) in &fields {
        match tag.as_str() {
            "61" => rows.push(mt940_row(value, closing.1).unwrap_or_default()),
            "86" => {
                if let Some(last) = rows.last_mut() {
                    last.remittance = value.split_whitespace().collect::<Vec<_>>().join(" ");
                    if let Some(ours) = ours_in(&last.remittance) {
                        last.end_to_end = ours;
                    }
                }
            }
            _ => (),
        }
    }
    let (entries, bad) = sorted(rows.into_iter());
    Ok(StatementFile {
        format: Format::Mt940,
        account: one(&["25", "25P"])
            .map(|account| account.rsplit('/').next().unwrap_or(account).trim().to_owned()),
        day: closing.1,
        balances: Some((opening.0, closing.0)),
        entries,
        bad,
    })
}

/// `:tag:value`, a value going on until the next tag.
fn tags(text: &str) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        let line = line.trim_end_matches('\r');
        let tagged = line.strip_prefix(':').and_then(|rest| rest.split_once(':'));
        match tagged.filter(|(tag, _)| (2..=3).contains(&tag.len())) {
            Some((tag, value)) => fields.push((tag.to_owned(), value.to_owned())),
            None if line.starts_with('-') || line.starts_with('{') => (),
            None => {
                if let Some((_, value)) = fields.last_mut() {
                    value.push(' ');
                    value.push_str(line);
                }
            }
        }
    }
    fields
}

/// `YYMMDD[MMDD](C|D|RC|RD)[funds]amount,N+type3 owner reference[//bank reference]`.
fn mt940_row(text: &str, booked: Day) -> Option<Raw> {
    let value = day(text.get(..6)?)?;
    let rest = text.get(6..)?;
    let rest = rest
        .get(4..)
        .filter(|_| rest.get(..4).is_some_and(|d| d.bytes().all(|b| b.is_ascii_digit())))
        .unwrap_or(rest);
    let (direction, rest) = match rest {
        rest if rest.starts_with("RC") => (Direction::Debit, &rest[2..]),
        rest if rest.starts_with("RD") => (Direction::Credit, &rest[2..]),
        rest if rest.starts_with('C') => (Direction::Credit, &rest[1..]),
        rest if rest.starts_with('D') => (Direction::Debit, &rest[1..]),
        _ => return None,
    };
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != ',')?;
    let (amount, rest) = rest.split_at(end);
    let references = rest.get(4..)?;
    let (owner, bank) = references.split_once("//").unwrap_or((references, references));
    let bank = bank.split_whitespace().next().unwrap_or_default();
    let owner = owner.split_whitespace().next().unwrap_or_default();
    Some(Raw {
        reference: bank.to_owned(),
        amount: amount.to_owned(),
        direction: Some(direction),
        booked: Some(booked),
        value: Some(value),
        end_to_end: owner.to_owned(),
        ..Raw::default()
    })
}

/// A reference of ours inside a text: 32 hexadecimal digits.
fn ours_in(text: &str) -> Option<String> {
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .find(|word| word.len() == 32 && word.bytes().all(|b| b.is_ascii_hexdigit()))
        .map(str::to_ascii_lowercase)
}

// ---- CSV ----

/// The names that banks give their columns, without case and marks; the first that fits is taken.
const COLUMNS: [(&str, &[&str]); 8] = [
    ("day", &["date", "booking date", "day", "ngay giao dich", "ngay hach toan", "ngay"]),
    ("reference", &["reference", "ref", "transaction id", "so tham chieu", "so but toan", "ma giao dich"]),
    ("credit", &["credit", "money in", "ghi co", "so tien ghi co", "phat sinh co"]),
    ("debit", &["debit", "money out", "ghi no", "so tien ghi no", "phat sinh no"]),
    ("amount", &["amount", "so tien"]),
    ("text", &["description", "details", "remittance", "noi dung", "dien giai"]),
    ("counterparty", &["counterparty", "payer", "nguoi chuyen", "don vi thu huong", "ten doi tac"]),
    ("end_to_end", &["end to end id", "endtoendid", "ma doi chieu"]),
];

fn csv_file(text: &str) -> Result<StatementFile, NotAFile> {
    let head = text.lines().next().ok_or(NotAFile::Broken)?;
    let delimiter =
        [b';', b'\t', b','].into_iter().find(|d| head.as_bytes().contains(d)).ok_or(NotAFile::Broken)?;
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(text.as_bytes());
    let heads: Vec<String> = reader.headers().map_err(|_| NotAFile::Broken)?.iter().map(plain).collect();
    let place = |name: &str| {
        let known = COLUMNS.iter().find(|(column, _)| *column == name)?.1;
        known.iter().find_map(|alias| heads.iter().position(|head| head == alias))
    };
    let places: HashMap<&str, usize> =
        COLUMNS.iter().filter_map(|(name, _)| Some((*name, place(name)?))).collect();
    let enough = places.contains_key("day")
        && places.contains_key("reference")
        && (places.contains_key("amount") || places.contains_key("credit"));
    if !enough {
        return Err(NotAFile::Unknown);
    }
    let rows = reader
        .records()
        .map(|record| record.map_or_else(|_| Raw::default(), |record| csv_row(&record, &places)));
    let (entries, bad) = sorted(rows);
    let day = day_of(&entries)?;
    Ok(StatementFile { format: Format::Csv, account: None, day, balances: None, entries, bad })
}

fn csv_row(record: &csv::StringRecord, places: &HashMap<&str, usize>) -> Raw {
    let cell = |name: &str| {
        places.get(name).and_then(|place| record.get(*place)).unwrap_or_default().trim().to_owned()
    };
    let is_nothing = |text: &str| text.is_empty() || money(text).is_some_and(Money::is_zero);
    let (credit, debit, amount) = (cell("credit"), cell("debit"), cell("amount"));
    let (direction, amount) = if !is_nothing(&credit) {
        (Some(Direction::Credit), credit)
    } else if !is_nothing(&debit) {
        (Some(Direction::Debit), debit)
    } else if amount.starts_with('-') {
        (Some(Direction::Debit), amount)
    } else {
        (Some(Direction::Credit), amount)
    };
    let text = cell("text");
    let end_to_end = Some(cell("end_to_end")).filter(|text| !text.is_empty()).or_else(|| ours_in(&text));
    Raw {
        reference: cell("reference"),
        amount,
        direction,
        booked: day(&cell("day")),
        value: None,
        end_to_end: end_to_end.unwrap_or_default(),
        counterparty: cell("counterparty"),
        remittance: text,
    }
}

/// A heading without case and marks.
fn plain(text: &str) -> String {
    use unicode_normalization::UnicodeNormalization;
    let bare: String = text
        .trim_start_matches('\u{feff}')
        .to_lowercase()
        .nfd()
        .filter(|c| !unicode_normalization::char::is_combining_mark(*c))
        .map(|c| if c == 'đ' { 'd' } else { c })
        .collect();
    bare.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
#[path = "statement_file_tests.rs"]
mod tests;
