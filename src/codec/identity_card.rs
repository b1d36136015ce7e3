//! The data groups of a Vietnamese chip card: DG1 with the machine-readable zone, DG13 with what the card prints; and
//! the code printed on it, which anybody can print.
//!
//! DG13 is a list of items, each a SEQUENCE of a number and one or more texts, somewhere inside the group's containers.
//! The reader walks the containers and takes the items it knows; the same item twice with different texts makes the
//! group unreadable. Deliberately absent: DG2 (the portrait) is compared by its hash and never looked into.

use super::mrz::Mrz;
use der::asn1::AnyRef;
use der::{Decode, Encode, Reader, SliceReader, Tag, TagNumber, Tagged};
use std::collections::BTreeMap;
use std::fmt;

/// The outermost tag of DG1.
const DG1: Tag = Tag::Application { constructed: true, number: TagNumber::N1 };
/// The outermost tag of DG13.
const DG13: Tag = Tag::Application { constructed: true, number: TagNumber::N13 };
/// How deep containers are followed.
const DEPTH_MAX: u8 = 6;

/// A data group that does not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("data group {0} does not read")]
pub struct Unreadable(pub u8);

/// What DG13 says, as the card has it. Does not print itself in logs.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct PrintedFacts {
    /// Item 1: the personal number.
    pub number: String,
    /// Item 2: the full name.
    pub name: String,
    /// Item 3: the birth date, `dd/mm/yyyy`, `mm/yyyy` or `yyyy`.
    pub birth_date: String,
    /// Item 4: `Nam` or `Nữ`.
    pub sex: String,
    /// Item 12: the day of expiry, or words for a card without one.
    pub expiry: Option<String>,
    /// Item 16: the nine digits of the former card.
    pub old_number: Option<String>,
}

impl fmt::Debug for PrintedFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("printed facts(***)")
    }
}

/// The machine-readable zone inside DG1.
pub fn read_dg1(file: &[u8]) -> Result<Mrz, Unreadable> {
    let outer = AnyRef::from_der(file).map_err(|_| Unreadable(1))?;
    if outer.tag() != DG1 {
        return Err(Unreadable(1));
    }
    // 5F1F is a tag of two bytes, which the ASN.1 reader does not take; the zone has always the same length.
    let zone = outer.value().strip_prefix(&[0x5f, 0x1f, 90]).ok_or(Unreadable(1))?;
    Mrz::parse(zone).map_err(|_| Unreadable(1))
}

/// A DG1 that holds this zone, for cards of our own making.
pub fn write_dg1(mrz: &Mrz) -> Vec<u8> {
    [&[0x61, 93, 0x5f, 0x1f, 90], mrz.write().as_bytes()].concat()
}

/// The facts inside DG13.
pub fn read_dg13(file: &[u8]) -> Result<PrintedFacts, Unreadable> {
    let outer = AnyRef::from_der(file).map_err(|_| Unreadable(13))?;
    if outer.tag() != DG13 {
        return Err(Unreadable(13));
    }
    let mut items = BTreeMap::new();
    walk(outer.value(), 0, &mut items)?;
    let mut item = |number: u8| items.remove(&number).filter(|text| !text.trim().is_empty());
    Ok(PrintedFacts {
        number: item(1).ok_or(Unreadable(13))?,
        name: item(2).ok_or(Unreadable(13))?,
        birth_date: item(3).ok_or(Unreadable(13))?,
        sex: item(4).ok_or(Unreadable(13))?,
        expiry: item(12),
        old_number: item(16),
    })
}

/// A DG13 of these items, for cards of our own making.
pub fn write_dg13(items: &[(u8, &str)]) -> Result<Vec<u8>, der::Error> {
    let mut inside = Vec::new();
    for (number, text) in items {
        let mut item = number.to_der()?;
        item.extend(AnyRef::new(Tag::Utf8String, text.as_bytes())?.to_der()?);
        inside.extend(AnyRef::new(Tag::Sequence, &item)?.to_der()?);
    }
    let container = AnyRef::new(Tag::Sequence, &inside)?.to_der()?;
    AnyRef::new(DG13, &container)?.to_der()
}

fn walk(bytes: &[u8], depth: u8, items: &mut BTreeMap<u8, String>) -> Result<(), Unreadable> {
    if depth > DEPTH_MAX {
        return Err(Unreadable(13));
    }
    for element in elements(bytes)? {
        if !matches!(element.tag(), Tag::Sequence | Tag::Set) {
            continue;
        }
        match item(&element)? {
            Some((number, text)) => match items.insert(number, text.clone()) {
                Some(before) if before != text => return Err(Unreadable(13)),
                Some(_) | None => {}
            },
            None => walk(element.value(), depth + 1, items)?,
        }
    }
    Ok(())
}

/// An item: a small number, then its first text.
fn item(element: &AnyRef<'_>) -> Result<Option<(u8, String)>, Unreadable> {
    let parts = elements(element.value())?;
    let [number, value, ..] = parts.as_slice() else { return Ok(None) };
    let (Ok(number), true) = (number.decode_as::<u8>(), is_text(value)) else { return Ok(None) };
    let text = std::str::from_utf8(value.value()).map_err(|_| Unreadable(13))?;
    Ok(Some((number, text.to_owned())))
}

fn is_text(element: &AnyRef<'_>) -> bool {
    matches!(element.tag(), Tag::Utf8String | Tag::PrintableString | Tag::Ia5String)
}

fn elements(bytes: &[u8]) -> Result<Vec<AnyRef<'_>>, Unreadable> {
    let mut reader = SliceReader::new(bytes).map_err(|_| Unreadable(13))?;
    let mut found = Vec::new();
    while !reader.is_finished() {
        found.push(AnyRef::decode(&mut reader).map_err(|_| Unreadable(13))?);
    }
    Ok(found)
}

/// What the printed code says: a form-filler that anybody can print, never proof of who somebody is.
#[derive(Clone, PartialEq, Eq)]
pub struct PrintedCode {
    /// The personal number.
    pub number: String,
    /// The nine digits of the former card.
    pub old_number: Option<String>,
    /// The full name.
    pub name: String,
    /// The birth date, ISO 8601 as far as it is known.
    pub birth_date: String,
    /// `male` or `female`.
    pub sex: Option<&'static str>,
}

impl fmt::Debug for PrintedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("printed code(***)")
    }
}

impl PrintedCode {
    /// Reads `number|old number|name|ddmmyyyy|sex|address|issued`; newer cards add fields at the end.
    pub fn parse(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text.trim().split('|').map(str::trim).collect();
        let [number, old, name, born, sex, _, _, ..] = fields.as_slice() else { return None };
        let digits = |text: &str, length| text.len() == length && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(number, 12) || !(old.is_empty() || digits(old, 9)) || name.is_empty() || !digits(born, 8) {
            return None;
        }
        let (day, month, year) = (&born[..2], &born[2..4], &born[4..]);
        let birth_date = match (month, day) {
            ("00", _) => year.to_owned(),
            (_, "00") => format!("{year}-{month}"),
            _ => format!("{year}-{month}-{day}"),
        };
        Some(Self {
            number: (*number).to_owned(),
            old_number: (!old.is_empty()).then(|| (*old).to_owned()),
            name: (*name).to_owned(),
            birth_date,
            sex: match *sex {
                "Nam" => Some("male"),
                "Nữ" => Some("female"),
                _ => None,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ITEMS: [(u8, &str); 6] = [
        (1, "079085123456"),
        (2, "Nguyễn Văn An"),
        (3, "15/03/1985"),
        (4, "Nam"),
        (12, "15/03/2045"),
        (16, ""),
    ];

    #[test]
    fn the_items_of_dg13_read_back() {
        let facts = read_dg13(&write_dg13(&ITEMS).unwrap()).unwrap();
        assert_eq!((facts.number.as_str(), facts.name.as_str()), ("079085123456", "Nguyễn Văn An"));
        assert_eq!((facts.birth_date.as_str(), facts.sex.as_str()), ("15/03/1985", "Nam"));
        assert_eq!((facts.expiry.as_deref(), &facts.old_number), (Some("15/03/2045"), &None));
        assert_eq!(format!("{facts:?}"), "printed facts(***)");
    }

    #[test]
    fn what_is_no_dg13_or_says_two_things_does_not_read() {
        let twice = [&ITEMS[..], &[(1, "079085123457")]].concat();
        let deep = (0..9).fold(write_dg13(&ITEMS).unwrap(), |inside, _| {
            AnyRef::new(Tag::Sequence, &inside).unwrap().to_der().unwrap()
        });
        let deep = AnyRef::new(DG13, &deep).unwrap().to_der().unwrap();
        for file in [vec![], vec![0x6d], write_dg13(&ITEMS[1..]).unwrap(), write_dg13(&twice).unwrap(), deep]
        {
            assert_eq!(read_dg13(&file), Err(Unreadable(13)));
        }
    }

    #[test]
    fn the_printed_code_fills_a_form() {
        let text = "079085123456|024123456|Nguyễn Văn An|15031985|Nam|12 Nguyễn Huệ, Quận 1|25042021";
        let code = PrintedCode::parse(text).unwrap();
        assert_eq!((code.number.as_str(), code.name.as_str()), ("079085123456", "Nguyễn Văn An"));
        assert_eq!((code.birth_date.as_str(), code.sex), ("1985-03-15", Some("male")));
        assert_eq!(code.old_number.as_deref(), Some("024123456"));
        let newer = PrintedCode::parse(&format!("{text}|more|fields")).unwrap();
        assert_eq!(newer, code);
        let year_only = text.replace("024123456", "").replace("15031985", "00001985");
        let code = PrintedCode::parse(&year_only).unwrap();
        assert_eq!((code.birth_date.as_str(), code.old_number), ("1985", None));
        for wrong in ["", "079085123456", "x|||||||", &text.replace("079085123456", "07908512345")] {
            assert_eq!(PrintedCode::parse(wrong), None, "{wrong}");
        }
    }
}
