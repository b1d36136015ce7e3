//! `camt.053` and `camt.054`, of any version and prefix: only the elements that are looked for count.

use super::{Format, Heading, NotAFile, PART_BYTES_MAX, Raw, Row, Rows, day, money};
use crate::codec::iso20022::Direction;

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

/// A message that comes in pieces: each entry is read when it is complete, everything around them at the end.
pub(super) struct Feed {
    format: Format,
    buffer: Vec<u8>,
    around: Vec<u8>,
}

/// What stands at the beginning of what is not read yet.
enum Part {
    /// So many bytes of no entry, and whether they count.
    Around(usize, bool),
    /// An entry of so many bytes.
    Entry(usize),
    /// More bytes are needed to tell.
    Open,
}

impl Feed {
    pub(super) const fn new(format: Format) -> Self {
        Self { format, buffer: Vec::new(), around: Vec::new() }
    }

    pub(super) fn take(
        &mut self,
        piece: &[u8],
        rows: &mut Rows,
        take: &mut dyn FnMut(Row),
    ) -> Result<(), NotAFile> {
        self.buffer.extend_from_slice(piece);
        let mut from = 0;
        loop {
            let rest = &self.buffer[from..];
            match part(rest)? {
                Part::Around(length, counts) => {
                    if counts {
                        self.around.extend_from_slice(&rest[..length]);
                    }
                    from += length;
                }
                Part::Entry(length) => {
                    let text = std::str::from_utf8(&rest[..length]).map_err(|_| NotAFile::Unknown)?;
                    let entry = Element::read(text).and_then(|mut read| read.children.pop());
                    rows.give(entry.as_ref().map(row).ok_or("shape"), take);
                    from += length;
                }
                Part::Open => break,
            }
        }
        self.buffer.drain(..from);
        let too_long = self.buffer.len() > PART_BYTES_MAX || self.around.len() > PART_BYTES_MAX;
        if too_long { Err(NotAFile::Broken) } else { Ok(()) }
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.buffer.len() + self.around.len()
    }

    pub(super) fn finish(mut self, rows: &mut Rows, _: &mut dyn FnMut(Row)) -> Result<Heading, NotAFile> {
        self.around.extend_from_slice(&self.buffer);
        let text = std::str::from_utf8(&self.around).map_err(|_| NotAFile::Unknown)?;
        let root = Element::read(text).ok_or(NotAFile::Broken)?;
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
        let day = match stated {
            Some(day) if rows.are_of(day) => day,
            Some(_) => return Err(NotAFile::NoDay),
            None => rows.day()?,
        };
        let balances = opening.zip(closing).map(|(opening, closing)| (opening.0, closing.0));
        Ok(Heading { format: self.format, account, day, balances })
    }
}

/// What stands first: an entry as a whole, or whatever is none.
fn part(rest: &[u8]) -> Result<Part, NotAFile> {
    let Some(open) = rest.iter().position(|byte| *byte == b'<') else { return Ok(Part::Open) };
    if open > 0 {
        // White space between entries would add up.
        return Ok(Part::Around(open, !rest[..open].iter().all(u8::is_ascii_whitespace)));
    }
    if b"<!--".starts_with(&rest[..rest.len().min(4)]) {
        let end = find(rest, b"-->");
        return Ok(end.map_or(Part::Open, |end| Part::Around(end + 3, false)));
    }
    let Some(close) = rest.iter().position(|byte| *byte == b'>') else { return Ok(Part::Open) };
    if rest.starts_with(b"<!DOCTYPE") {
        return Err(NotAFile::Broken);
    }
    let tag = std::str::from_utf8(&rest[1..close]).map_err(|_| NotAFile::Unknown)?;
    let name = tag.split(|c: char| c.is_whitespace() || c == '/').next().unwrap_or_default();
    if local(name) != "Ntry" || tag.ends_with('/') {
        return Ok(Part::Around(close + 1, true));
    }
    let end = format!("</{name}>");
    Ok(find(rest, end.as_bytes()).map_or(Part::Open, |at| Part::Entry(at + end.len())))
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}

fn row(entry: &Element) -> Raw {
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
