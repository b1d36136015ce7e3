//! The form in which a population comes: CSV in UTF-8, one person a line, a header that names the columns.
//!
//! | column | content |
//! |---|---|
//! | `number` | 12 digits: place of birth registration, sex and century, birth year, six digits |
//! | `old_number` | 9 digits of the former card, or empty |
//! | `name` | full name: surname, middle names, given name |
//! | `birth_date` | `1985-03-15`, or `1985-03` or `1985` where the register knows no more |
//! | `sex` | `male` or `female` |
//! | `phone` | `0912345678`, or empty; families share one |
//! | `province` | two digits: the province of residence since July 2025 |
//! | `status` | `active`, `pending` (just issued, not confirmed yet), `locked` or `deceased` |
//! | `died_on` | `2020-12-31` for the deceased, else empty |
//! | `account_level` | level of the national e-ID account: `1`, `2` or empty |
//! | `standings` | any of `student merit poor_household near_poor_household disabled`, separated by spaces |
//! | `parents` | the numbers of father and mother, separated by a space, as far as they are on record |
//! | `guardians` | the numbers of a child's or ward's guardians, separated by spaces |
//! | `capacity_lost_on` | `2020-12-31`: since when a court holds the person without legal capacity, else empty |
//! | `former_names` | `Nguyễn Thị Hoa@2020-05-01`: an earlier name and its last day; several separated by `;` |
//!
//! The columns may stand in any order; `number`, `name`, `birth_date`, `sex`, `province` and `status` must be there,
//! unknown ones are refused. A field may be quoted, but never spans lines: so a line that cannot be read harms no
//! other line.

use crate::identity::assurance::AccountLevel;
use crate::identity::person::{Person, Status, former_names};
use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, BufRead, BufReader, Read};
use std::str::FromStr;

/// The longest line, in bytes.
const LINE_MAX: u64 = 4_096;

const COLUMNS: [&str; 15] = [
    "number",
    "old_number",
    "name",
    "birth_date",
    "sex",
    "phone",
    "province",
    "status",
    "died_on",
    "account_level",
    "standings",
    "parents",
    "guardians",
    "capacity_lost_on",
    "former_names",
];
const NEEDED: [&str; 6] = ["number", "name", "birth_date", "sex", "province", "status"];

/// A line that was left out, and why; the reason quotes nothing of the line, which may be personal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// The line, counted from 1 with the header.
    pub line: u64,
    /// What is wrong, with the column where one is to blame.
    pub reason: String,
}

/// Why a file cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum NotAPopulation {
    /// The header does not name the columns.
    #[error("the first line must name the columns: {0}")]
    Header(String),
    /// The operating system refused.
    #[error("the file cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// Where each column stands in a line.
#[derive(Debug, Clone)]
pub struct Header {
    places: [Option<usize>; COLUMNS.len()],
    count: usize,
}

/// One line of the file, not yet looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawLine {
    /// Its number, counted from 1.
    pub line: u64,
    /// Its bytes without the line's end; `None` if there were too many.
    pub bytes: Option<Vec<u8>>,
}

/// The file as lines.
pub struct Lines<R> {
    input: BufReader<R>,
    line: u64,
    bytes: u64,
}

impl<R: Read> Lines<R> {
    /// Begins to read; the first line is the header.
    pub fn open(input: R) -> Result<(Header, Self), NotAPopulation> {
        let mut lines = Self { input: BufReader::with_capacity(1 << 16, input), line: 0, bytes: 0 };
        let first = lines.next_line()?.and_then(|raw| raw.bytes).unwrap_or_default();
        let text = String::from_utf8(first).map_err(|_| NotAPopulation::Header("it is not UTF-8".into()))?;
        Ok((Header::parse(text.trim_start_matches('\u{feff}'))?, lines))
    }

    /// Up to `most` further lines; none at the end of the file.
    pub fn chunk(&mut self, most: usize) -> io::Result<Vec<RawLine>> {
        let mut chunk = Vec::with_capacity(most);
        while chunk.len() < most {
            match self.next_line()? {
                Some(raw) if raw.bytes.as_ref().is_some_and(Vec::is_empty) => {}
                Some(raw) => chunk.push(raw),
                None => break,
            }
        }
        Ok(chunk)
    }

    /// How many bytes were read.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    fn next_line(&mut self) -> io::Result<Option<RawLine>> {
        let mut bytes = Vec::with_capacity(160);
        let read = self.part(&mut bytes)?;
        if read == 0 {
            return Ok(None);
        }
        self.line += 1;
        let mut fits = true;
        while !bytes.ends_with(b"\n") {
            let over = bytes.len() as u64 > LINE_MAX;
            fits &= !over;
            if over {
                bytes.clear();
            }
            if self.part(&mut bytes)? == 0 {
                break;
            }
        }
        let end = bytes.trim_ascii_end().len();
        bytes.truncate(end);
        Ok(Some(RawLine { line: self.line, bytes: fits.then_some(bytes) }))
    }

    fn part(&mut self, into: &mut Vec<u8>) -> io::Result<usize> {
        let read = (&mut self.input).take(LINE_MAX + 1).read_until(b'\n', into)?;
        self.bytes += read as u64;
        Ok(read)
    }
}

impl Header {
    fn parse(text: &str) -> Result<Self, NotAPopulation> {
        let refused = |what: String| NotAPopulation::Header(what);
        let mut places = [None; COLUMNS.len()];
        let names = fields(text).map_err(|what| refused(what.into()))?;
        for (place, name) in names.iter().enumerate() {
            let known = COLUMNS.iter().position(|column| *column == name.trim());
            let column = known.ok_or_else(|| refused(format!("column {} is unknown", place + 1)))?;
            if places[column].replace(place).is_some() {
                return Err(refused(format!("{} stands twice", COLUMNS[column])));
            }
        }
        for needed in NEEDED {
            if !COLUMNS.iter().zip(places).any(|(column, place)| *column == needed && place.is_some()) {
                return Err(refused(format!("{needed} is missing")));
            }
        }
        Ok(Self { places, count: names.len() })
    }

    /// The person that a line describes.
    pub fn person(&self, raw: &RawLine) -> Result<Person, Reject> {
        let reject = |reason: String| Reject { line: raw.line, reason };
        let bytes = raw
            .bytes
            .as_deref()
            .ok_or_else(|| reject(format!("the line is longer than {LINE_MAX} bytes")))?;
        let text = std::str::from_utf8(bytes).map_err(|_| reject("the line is not UTF-8".into()))?;
        let fields = fields(text).map_err(|what| reject(what.into()))?;
        if fields.len() != self.count {
            return Err(reject(format!("the line has {} fields, the header {}", fields.len(), self.count)));
        }
        person(&Row { header: self, fields: &fields }).map_err(reject)
    }
}

struct Row<'a> {
    header: &'a Header,
    fields: &'a [Cow<'a, str>],
}

impl Row<'_> {
    fn text(&self, column: &str) -> &str {
        let at = COLUMNS.iter().position(|known| *known == column).and_then(|at| self.header.places[at]);
        at.and_then(|at| self.fields.get(at)).map_or("", |field| field.trim())
    }

    fn needed<T: FromStr<Err: Display>>(&self, column: &str) -> Result<T, String> {
        self.text(column).parse().map_err(|e: T::Err| format!("{column}: {e}"))
    }

    fn optional<T: FromStr<Err: Display>>(&self, column: &str) -> Result<Option<T>, String> {
        if self.text(column).is_empty() { Ok(None) } else { self.needed(column).map(Some) }
    }
}

fn person(row: &Row<'_>) -> Result<Person, String> {
    let died_on = row.optional("died_on")?;
    let status = match (row.text("status"), died_on) {
        ("active", None) => Status::Active,
        ("pending", None) => Status::Pending,
        ("locked", None) => Status::Locked,
        ("deceased", Some(on)) => Status::Deceased { on },
        ("deceased", None) => return Err("died_on: is missing".into()),
        ("active" | "pending" | "locked", Some(_)) => {
            return Err("died_on: only the deceased have one".into());
        }
        _ => return Err("status: is active, pending, locked or deceased".into()),
    };
    let account_level = match row.text("account_level") {
        "" => None,
        "1" => Some(AccountLevel::One),
        "2" => Some(AccountLevel::Two),
        _ => return Err("account_level: is 1, 2 or empty".into()),
    };
    let person = Person {
        number: row.needed("number")?,
        old_number: row.optional("old_number")?,
        name: row.needed("name")?,
        birth_date: row.needed("birth_date")?,
        sex: row.needed("sex")?,
        phone: row.optional("phone")?,
        province: row.needed("province")?,
        status,
        account_level,
        standings: row.needed("standings")?,
        former_names: former_names(row.text("former_names")).map_err(|e| format!("former_names: {e}"))?,
        parents: row.needed("parents")?,
        guardians: row.needed("guardians")?,
        capacity_lost_on: row.optional("capacity_lost_on")?,
    };
    if person.parents.has(person.number) || person.guardians.has(person.number) {
        return Err("parents: nobody is their own parent or guardian".into());
    }
    match person.status {
        Status::Deceased { on } if person.birth_date.age_at_most(on) < 0 => {
            Err("died_on: lies before the birth".into())
        }
        Status::Active | Status::Pending | Status::Locked | Status::Deceased { .. } => Ok(person),
    }
}

/// The fields of one line; a quoted field may hold commas, and two quotes for one (RFC 4180).
pub(super) fn fields(line: &str) -> Result<Vec<Cow<'_, str>>, &'static str> {
    let mut fields = Vec::with_capacity(COLUMNS.len());
    let mut rest = line;
    loop {
        let (field, after) = if let Some(quoted) = rest.strip_prefix('"') {
            quoted_field(quoted)?
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            if rest[..end].contains('"') {
                return Err("a quote stands inside an unquoted field");
            }
            (Cow::Borrowed(&rest[..end]), &rest[end..])
        };
        fields.push(field);
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None if after.is_empty() => return Ok(fields),
            None => return Err("something follows a closing quote"),
        }
    }
}

fn quoted_field(text: &str) -> Result<(Cow<'_, str>, &str), &'static str> {
    let mut from = 0;
    loop {
        let quote = text[from..].find('"').ok_or("a quote is not closed")? + from;
        let after = &text[quote + 1..];
        if !after.starts_with('"') {
            let field = &text[..quote];
            let field = if from == 0 { field.into() } else { field.replace("\"\"", "\"").into() };
            return Ok((field, after));
        }
        from = quote + 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEADER: &str =
        "number,old_number,name,birth_date,sex,phone,province,status,died_on,account_level,standings\n";
    const GOOD: &str =
        "079085123456,024123456,Nguyễn Văn An,1985-03-15,male,0912345678,79,active,,2,merit poor_household";

    fn read(text: &[u8]) -> Vec<Result<Person, Reject>> {
        let (header, mut lines) = Lines::open(text).unwrap();
        lines.chunk(100).unwrap().iter().map(|raw| header.person(raw)).collect()
    }

    #[test]
    fn a_bad_line_is_named_and_harms_no_other() {
        let bad = [
            ("", None),
            ("07908512345,,An,1985,male,,79,active,,,", Some("number: a personal number has 12 digits")),
            (
                "079085123456,,An,1985-02-30,male,,79,active,,,",
                Some("birth_date: a birth date is written like 1985-03-15, 1985-03 or 1985"),
            ),
            ("079085123456,,\"An,1985,male,,79,active,,,", Some("a quote is not closed")),
            ("079085123456,,A\"n,1985,male,,79,active,,,", Some("a quote stands inside an unquoted field")),
            ("079085123456,,\"An\"x,1985,male,,79,active,,,", Some("something follows a closing quote")),
            ("079085123456,,An,1985,male,,79,active,,", Some("the line has 10 fields, the header 11")),
            (
                "079085123456,,A\u{202e}n,1985,male,,79,active,,,",
                Some("name: the text holds an invisible or direction-changing character"),
            ),
            ("079085123456,,An,1985,male,,79,deceased,,,", Some("died_on: is missing")),
            ("079085123456,,An,1985,male,,79,deceased,1984-01-01,,", Some("died_on: lies before the birth")),
            (
                "079085123456,,An,1985,male,,79,active,1999-01-01,,",
                Some("died_on: only the deceased have one"),
            ),
            (
                "079085123456,,An,1985,male,,79,asleep,,,",
                Some("status: is active, pending, locked or deceased"),
            ),
            ("079085123456,,An,1985,male,,79,active,,3,", Some("account_level: is 1, 2 or empty")),
        ];
        let mut text = HEADER.to_owned();
        for (line, _) in &bad {
            text += &format!("{line}\r\n{GOOD}\n");
        }
        text += &format!("{}\n{GOOD}", "x".repeat(20_000));
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(b"\n\xff\xfe,\n");
        let rows = read(&bytes);
        let good = rows.iter().filter(|row| row.is_ok()).count();
        assert_eq!(good, bad.len() + 1);
        let mut expected: Vec<Reject> = bad
            .iter()
            .enumerate()
            .filter_map(|(at, (_, reason))| {
                Some(Reject { line: 2 + 2 * at as u64, reason: (*reason)?.to_owned() })
            })
            .collect();
        let after = 2 + 2 * bad.len() as u64;
        expected.push(Reject { line: after, reason: "the line is longer than 4096 bytes".into() });
        expected.push(Reject { line: after + 2, reason: "the line is not UTF-8".into() });
        assert_eq!(rows.into_iter().filter_map(Result::err).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn kin_capacity_and_former_names_are_read() {
        let header =
            "number,name,birth_date,sex,province,status,parents,guardians,capacity_lost_on,former_names\n";
        let line = "079215000001,Nguyễn Minh,2015,male,79,pending,079185000001 079085000002,079085000003,2020-01-01,Lê Minh@2018-01-01";
        let person = read(format!("{header}{line}").as_bytes()).remove(0).unwrap();
        assert_eq!((person.status, person.parents.numbers().len()), (Status::Pending, 2));
        assert_eq!((person.guardians.text().as_str(), person.former_names.len()), ("079085000003", 1));
        let own = line.replace("079085000003", "079215000001");
        let refused = read(format!("{header}{own}").as_bytes()).remove(0).unwrap_err();
        assert_eq!(refused.reason, "parents: nobody is their own parent or guardian");
        let long = line.replace("079185000001 ", "07918500000 ");
        let refused = read(format!("{header}{long}").as_bytes()).remove(0).unwrap_err();
        assert!(refused.reason.starts_with("parents: kin are"), "{}", refused.reason);
    }

    #[test]
    fn columns_are_named_by_the_header() {
        let text = "\u{feff}status,sex,province,birth_date,name,number\nactive,female,01,1990,\"Lê \"\"Lan\"\", Thị\",001190000001\n";
        let person = read(text.as_bytes()).remove(0).unwrap();
        assert_eq!((person.name.as_str(), person.number.digits()), ("Lê \"Lan\", Thị", "001190000001"));
        for (header, reason) in [
            ("", "column 1 is unknown"),
            ("number,name,birth_date,sex,province", "status is missing"),
            ("number,number", "number stands twice"),
            ("number,secret", "column 2 is unknown"),
        ] {
            let refused = Lines::open(header.as_bytes()).err().map(|e| e.to_string());
            assert_eq!(refused, Some(format!("the first line must name the columns: {reason}")));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..180)) {
            let mut text = HEADER.as_bytes().to_vec();
            text.extend_from_slice(&bytes);
            let lines = bytes.split(|b| *b == b'\n').filter(|line| !line.trim_ascii_end().is_empty()).count();
            prop_assert_eq!(read(&text).len(), lines);
        }
    }
}
