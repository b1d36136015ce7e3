//! `camt.053` and `camt.054`, of any version and prefix: only the elements that are looked for count.

use super::{Format, NotAFile, Raw, StatementFile, day, day_of, money, sorted};
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

/// Reads a message.
pub(super) fn read(text: &str, format: Format) -> Result<StatementFile, NotAFile> {
    let root = Element::read(text).ok_or(NotAFile::Broken)?;
    let mut rows = Vec::new();
    root.all("Ntry", &mut rows);
    let (entries, bad) = sorted(rows.into_iter().map(row));
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
