//! CSV in the profiles that banks export: columns are known by their headings, in Vietnamese or English.

use super::{Format, NotAFile, Raw, StatementFile, day, day_of, money, ours_in, sorted};
use crate::base::money::Money;
use crate::codec::iso20022::Direction;
use std::collections::HashMap;

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

/// Reads a table.
pub(super) fn read(text: &str) -> Result<StatementFile, NotAFile> {
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
    let rows =
        reader.records().map(|record| record.map_or_else(|_| Raw::default(), |record| row(&record, &places)));
    let (entries, bad) = sorted(rows);
    let day = day_of(&entries)?;
    Ok(StatementFile { format: Format::Csv, account: None, day, balances: None, entries, bad })
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
