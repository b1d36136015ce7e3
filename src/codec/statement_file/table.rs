//! CSV in the profiles that banks export: columns are known by their headings, in Vietnamese or English. Where a column tells
//! the balance after each row, in either order of time, the balances at both ends follow, and the file is held to them.

use super::{Format, Heading, NotAFile, PART_BYTES_MAX, Raw, Row, Rows, day, money, ours_in};
use crate::base::money::Money;
use crate::codec::iso20022::Direction;
use std::collections::HashMap;

/// The names that banks give their columns, without case and marks; the first that fits is taken.
const COLUMNS: [(&str, &[&str]); 9] = [
    ("day", &["date", "booking date", "day", "ngay giao dich", "ngay hach toan", "ngay"]),
    ("reference", &["reference", "ref", "transaction id", "so tham chieu", "so but toan", "ma giao dich"]),
    ("credit", &["credit", "money in", "ghi co", "so tien ghi co", "phat sinh co"]),
    ("debit", &["debit", "money out", "ghi no", "so tien ghi no", "phat sinh no"]),
    ("amount", &["amount", "so tien"]),
    ("text", &["description", "details", "remittance", "noi dung", "dien giai"]),
    ("counterparty", &["counterparty", "payer", "nguoi chuyen", "don vi thu huong", "ten doi tac"]),
    ("balance", &["balance", "running balance", "so du", "so du cuoi", "so du sau giao dich"]),
    ("end_to_end", &["end to end id", "endtoendid", "ma doi chieu"]),
];

/// A table that comes in pieces: the records that are complete are read, the line of headings first.
#[derive(Default)]
pub(super) struct Feed {
    /// What is not a complete record yet.
    rest: Vec<u8>,
    columns: Option<Columns>,
    running: Running,
}

/// The balances that the rows tell, as far as both ends need them.
#[derive(Default)]
struct Running {
    /// The balance after the first row that tells one, and after the last.
    told: Option<(i64, i64)>,
    /// The balance before the first row whose amount is known as well, and before the last.
    before: Option<(i64, i64)>,
    /// The row before, and how many rows follow from theirs in the order of time, and against it.
    row: Option<(i64, Option<i64>)>,
    rising: usize,
    falling: usize,
}

impl Running {
    /// The balance after a row, and what the row moved, where that is known.
    fn note(&mut self, balance: i64, moved: Option<i64>) {
        let after = |balance: i64, moved: Option<i64>| moved.and_then(|moved| balance.checked_add(moved));
        if let Some((earlier, moved_earlier)) = self.row {
            self.rising += usize::from(after(earlier, moved) == Some(balance));
            self.falling += usize::from(after(balance, moved_earlier) == Some(earlier));
        }
        self.row = Some((balance, moved));
        self.told = Some((self.told.map_or(balance, |told| told.0), balance));
        if let Some(before) = moved.and_then(|moved| balance.checked_sub(moved)) {
            self.before = Some((self.before.map_or(before, |kept| kept.0), before));
        }
    }

    /// Opening and closing.
    fn ends(&self) -> Option<(Money, Money)> {
        let ((first, last), (before_first, before_last)) = self.told.zip(self.before)?;
        let (opening, closing) =
            if self.falling > self.rising { (before_last, first) } else { (before_first, last) };
        Some((Money::vnd(opening), Money::vnd(closing)))
    }
}

struct Columns {
    delimiter: u8,
    places: HashMap<&'static str, usize>,
}

impl Feed {
    pub(super) fn take(
        &mut self,
        piece: &[u8],
        rows: &mut Rows,
        take: &mut dyn FnMut(Row),
    ) -> Result<(), NotAFile> {
        self.rest.extend_from_slice(piece);
        if self.columns.is_none() {
            let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') else { return self.bounded() };
            self.columns = Some(Columns::read(&self.rest[..end])?);
            self.rest.drain(..=end);
        }
        let end = complete(&self.rest);
        if let Some(columns) = &self.columns {
            columns.records(&self.rest[..end], &mut self.running, rows, take);
        }
        self.rest.drain(..end);
        self.bounded()
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.rest.len()
    }

    fn bounded(&self) -> Result<(), NotAFile> {
        if self.rest.len() > PART_BYTES_MAX { Err(NotAFile::Broken) } else { Ok(()) }
    }

    pub(super) fn finish(mut self, rows: &mut Rows, take: &mut dyn FnMut(Row)) -> Result<Heading, NotAFile> {
        self.take(b"\n", rows, take)?;
        let columns = self.columns.take().ok_or(NotAFile::Broken)?;
        columns.records(&self.rest, &mut self.running, rows, take);
        Ok(Heading { format: Format::Csv, account: None, day: rows.day()?, balances: self.running.ends() })
    }
}

/// Where the last complete record ends: a line end between quotes is none.
fn complete(bytes: &[u8]) -> usize {
    let (mut quoted, mut end) = (false, 0);
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' if !quoted => end = at + 1,
            _ => (),
        }
    }
    end
}

impl Columns {
    fn read(head: &[u8]) -> Result<Self, NotAFile> {
        let delimiter = [b';', b'\t', b','].into_iter().find(|d| head.contains(d)).ok_or(NotAFile::Broken)?;
        let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(head);
        let heads: Vec<String> = reader.headers().map_err(|_| NotAFile::Broken)?.iter().map(plain).collect();
        let place =
            |aliases: &[&str]| aliases.iter().find_map(|alias| heads.iter().position(|head| head == alias));
        let places: HashMap<&str, usize> =
            COLUMNS.iter().filter_map(|(name, aliases)| Some((*name, place(aliases)?))).collect();
        let enough = places.contains_key("day")
            && places.contains_key("reference")
            && (places.contains_key("amount") || places.contains_key("credit"));
        if enough { Ok(Self { delimiter, places }) } else { Err(NotAFile::Unknown) }
    }

    fn records(&self, bytes: &[u8], running: &mut Running, rows: &mut Rows, take: &mut dyn FnMut(Row)) {
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(self.delimiter)
            .flexible(true)
            .has_headers(false)
            .from_reader(bytes);
        for record in reader.records() {
            let read = record.map(|record| (balance(&record, &self.places), row(&record, &self.places)));
            if let Ok((Some(balance), raw)) = &read {
                running.note(*balance, moved(raw));
            }
            rows.give(read.map(|(_, raw)| raw).map_err(|_| "shape"), take);
        }
    }
}

fn row(record: &csv::StringRecord, places: &HashMap<&str, usize>) -> Raw {
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

/// The balance that a row tells.
fn balance(record: &csv::StringRecord, places: &HashMap<&str, usize>) -> Option<i64> {
    let text = record.get(*places.get("balance")?)?.trim();
    let owed = text.strip_prefix('-');
    let read = money(owed.unwrap_or(text))?.minor();
    Some(if owed.is_some() { -read } else { read })
}

/// What a row moves, if that reads.
fn moved(raw: &Raw) -> Option<i64> {
    let amount = money(raw.amount.trim_start_matches(['+', '-']))?.minor();
    Some(if raw.direction? == Direction::Debit { -amount } else { amount })
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
