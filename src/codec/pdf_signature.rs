//! A signature inside a PDF (PAdES, ETSI EN 319 142-1, level B-B), added behind the file as an incremental update: what
//! was there stays byte for byte, so that the attached document is still found and PDF/A still holds.
//!
//! Reads only files that `receipt_pdf` and its like wrote: one plain cross-reference table, one revision, no form. A
//! file carries one signature.

use super::signed_data::Unsigned;
use crate::base::{calendar::VIETNAM, clock::Instant};
use crate::crypto::digest::{Digest, sha256_parts};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Room for the signature: certificate, chain and a time stamp fit many times over.
const RESERVED: usize = 12 * 1024;

/// Who signs, when and why, as a reader shows it.
pub struct Signing<'a> {
    /// The name.
    pub name: &'a str,
    /// The reason.
    pub reason: &'a str,
    /// The moment.
    pub at: Instant,
}

/// A file with a place for its signature.
pub struct Prepared {
    bytes: Vec<u8>,
    /// Where the hexadecimal text of the signature stands, its angle brackets included.
    contents: (usize, usize),
}

/// A file whose structure this module does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the file is no PDF of ours")]
pub struct NotOurs;

/// A signature that finds no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not fit its place")]
pub struct TooLong;

/// Makes place for a signature.
pub fn prepare(pdf: &[u8], signing: &Signing<'_>) -> Result<Prepared, NotOurs> {
    let file = File::read(pdf).ok_or(NotOurs)?;
    let (catalog, page) = (file.object(file.root).ok_or(NotOurs)?, file.first_page().ok_or(NotOurs)?);
    if contains(catalog, b"/AcroForm") {
        return Err(NotOurs);
    }
    let (value, widget) = (file.size, file.size + 1);
    let mut update = Update { bytes: pdf.to_vec(), places: BTreeMap::new() };
    update.bytes.push(b'\n');
    let form = format!("/AcroForm<</SigFlags 3/Fields[{widget} 0 R]>>");
    update.object(file.root, &extended(catalog, &form).ok_or(NotOurs)?);
    let annotations = format!("/Annots[{widget} 0 R]");
    update.object(page.0, &extended(page.1, &annotations).ok_or(NotOurs)?);
    let field = format!(
        "<</Type/Annot/Subtype/Widget/FT/Sig/T(Signature1)/Rect[0 0 0 0]/F 132/P {} 0 R/V {value} 0 R>>",
        page.0
    );
    update.object(widget, field.as_bytes());
    let head = format!(
        "<</Type/Sig/Filter/Adobe.PPKLite/SubFilter/ETSI.CAdES.detached/Name {}/Reason {}/M({})/ByteRange",
        text(signing.name),
        text(signing.reason),
        moment(signing.at)
    );
    let empty = range(0, 0, 0);
    let body = format!("{head}{empty}/Contents<{}>>>", "0".repeat(2 * RESERVED));
    let start = update.object(value, body.as_bytes());
    let at_range = start + head.len();
    let from = at_range + empty.len() + "/Contents".len();
    let contents = (from, from + 2 * RESERVED + 2);
    update.finish(&file);
    let mut bytes = update.bytes;
    let real = range(contents.0, contents.1, bytes.len() - contents.1);
    bytes[at_range..at_range + real.len()].copy_from_slice(real.as_bytes());
    Ok(Prepared { bytes, contents })
}

impl Prepared {
    /// The digest of everything but the signature.
    pub fn digest(&self) -> Digest {
        sha256_parts(&[&self.bytes[..self.contents.0], &self.bytes[self.contents.1..]])
    }

    /// The signed data that lacks its signature; `None` when the certificate does not parse.
    pub fn unsigned<'a>(&self, certificate: &'a [u8], chain: &'a [Vec<u8>]) -> Option<Unsigned<'a>> {
        Unsigned::new(&self.digest(), certificate, chain)
    }

    /// The signed file.
    pub fn finish(mut self, signed_data: &[u8]) -> Result<Vec<u8>, TooLong> {
        let hex = hex::encode(signed_data);
        if hex.len() > 2 * RESERVED {
            return Err(TooLong);
        }
        let from = self.contents.0 + 1;
        self.bytes[from..from + hex.len()].copy_from_slice(hex.as_bytes());
        Ok(self.bytes)
    }
}

/// `[0 a b c]` at a fixed width.
fn range(before: usize, after: usize, rest: usize) -> String {
    format!("[0 {before:010} {after:010} {rest:010}]")
}

/// A text string (UTF-16 with its mark) in hexadecimal, which needs no escapes.
fn text(text: &str) -> String {
    let units: String = text.encode_utf16().fold(String::new(), |mut out, unit| {
        let _ = write!(out, "{unit:04X}");
        out
    });
    format!("<FEFF{units}>")
}

/// `D:20261124143040+07'00'`.
fn moment(at: Instant) -> String {
    let at = at.to_offset(VIETNAM);
    let (h, m, s) = at.time().as_hms();
    format!("D:{:04}{:02}{:02}{h:02}{m:02}{s:02}+07'00'", at.year(), at.month() as u8, at.day())
}

/// A dictionary with one more entry.
fn extended(dictionary: &[u8], entry: &str) -> Option<Vec<u8>> {
    let end = dictionary.iter().rposition(|byte| *byte == b'>')?.checked_sub(1)?;
    Some([&dictionary[..end], entry.as_bytes(), b">>"].concat())
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    find(bytes, needle).is_some()
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}

/// The number behind a name.
fn number(bytes: &[u8], name: &[u8]) -> Option<usize> {
    let rest = bytes.get(find(bytes, name)? + name.len()..)?;
    let digits: Vec<u8> = rest
        .iter()
        .copied()
        .skip_while(|byte| matches!(byte, b' ' | b'[' | b'\n'))
        .take_while(u8::is_ascii_digit)
        .collect();
    std::str::from_utf8(&digits).ok()?.parse().ok()
}

/// A file with its table of objects.
struct File<'a> {
    bytes: &'a [u8],
    offsets: Vec<usize>,
    trailer: &'a [u8],
    table_at: usize,
    size: usize,
    root: usize,
}

impl<'a> File<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let tail = bytes.len().saturating_sub(64);
        let table_at = number(bytes.get(tail..)?, b"startxref")?;
        let table = bytes.get(table_at..)?.strip_prefix(b"xref\n0 ")?;
        let line = table.iter().position(|byte| *byte == b'\n')?;
        let count: usize = std::str::from_utf8(&table[..line]).ok()?.trim().parse().ok()?;
        let entries = table.get(line + 1..line + 1 + 20 * count)?;
        let offset = |entry: &[u8]| std::str::from_utf8(entry.get(..10)?).ok()?.parse().ok();
        let offsets = entries.chunks(20).map(offset).collect::<Option<Vec<usize>>>()?;
        let rest = &table[line + 1 + 20 * count..];
        let trailer = rest.get(find(rest, b"<<")?..find(rest, b"startxref")?)?;
        Some(Self {
            bytes,
            offsets,
            table_at,
            size: number(trailer, b"/Size")?,
            root: number(trailer, b"/Root")?,
            trailer: trailer.trim_ascii_end(),
        })
    }

    /// The dictionary of an object that holds no stream.
    fn object(&self, id: usize) -> Option<&'a [u8]> {
        let bytes = self.bytes.get(*self.offsets.get(id)?..)?;
        let body = bytes.get(find(bytes, b"<<")?..find(bytes, b"endobj")?)?;
        Some(body.trim_ascii_end())
    }

    /// The first page: down the first branch of the page tree.
    fn first_page(&self) -> Option<(usize, &'a [u8])> {
        let mut id = number(self.object(self.root)?, b"/Pages")?;
        for _ in 0..16 {
            let object = self.object(id)?;
            match number(object, b"/Kids") {
                Some(kid) => id = kid,
                None => return Some((id, object)),
            }
        }
        None
    }
}

/// The new revision while it is written.
struct Update {
    bytes: Vec<u8>,
    places: BTreeMap<usize, usize>,
}

impl Update {
    /// Writes an object; where its body begins.
    fn object(&mut self, id: usize, body: &[u8]) -> usize {
        self.places.insert(id, self.bytes.len());
        self.bytes.extend_from_slice(format!("{id} 0 obj\n").as_bytes());
        let start = self.bytes.len();
        self.bytes.extend_from_slice(body);
        self.bytes.extend_from_slice(b"\nendobj\n");
        start
    }

    fn finish(&mut self, file: &File<'_>) {
        let table_at = self.bytes.len();
        let mut table = String::from("xref\n");
        for (id, place) in &self.places {
            let _ = write!(table, "{id} 1\n{place:010} 00000 n\r\n");
        }
        table.push_str("trailer\n");
        self.bytes.extend_from_slice(table.as_bytes());
        let size = format!("/Size {}", file.size);
        let grown = format!("/Size {}", file.size + 2);
        let at = find(file.trailer, size.as_bytes()).unwrap_or(2);
        let mut trailer = file.trailer[..at].to_vec();
        trailer.extend_from_slice(grown.as_bytes());
        trailer.extend_from_slice(&file.trailer[at + size.len()..]);
        let trailer = extended(&trailer, &format!("/Prev {}", file.table_at)).unwrap_or_default();
        self.bytes.extend_from_slice(&trailer);
        self.bytes.extend_from_slice(format!("\nstartxref\n{table_at}\n%%EOF\n").as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::super::{
        receipt_content, receipt_content::tests as receipt, receipt_pdf, receipt_xml,
        signer_certificate::tests::own_certificate,
    };
    use super::*;
    use crate::codec::tools::said;
    use crate::crypto::signing::{Signer, SigningKey};
    use std::process::Command;
    use time::macros::datetime;

    /// A signed receipt.
    fn signed_file() -> Vec<u8> {
        let key = SigningKey::generate();
        let content = receipt::content();
        let digest = receipt_content::digest(&content.bytes());
        let jws = receipt::signed_with(&key, &content);
        let pdf = receipt_pdf::write(&content, &digest, &jws).unwrap();
        let signing =
            Signing {
                name: "Sở Tư pháp", reason: "Phát hành biên lai", at: datetime!(2026-11-24 07:30 UTC)
            };
        let prepared = prepare(&pdf, &signing).unwrap();
        let certificate = own_certificate(&key);
        let unsigned = prepared.unsigned(&certificate, &[]).unwrap();
        let signature = key.sign(&unsigned.message());
        let data = unsigned.finish(&signature);
        let file = prepared.finish(&data).unwrap();
        assert!(file.starts_with(&pdf), "what was there stays");
        assert!(receipt_xml::find(&file).is_some());
        file
    }

    /// What poppler's pdfsig says of a file.
    fn judged(file: &[u8], name: &str) -> Option<String> {
        let path = std::env::temp_dir().join(format!("chung-{}-{name}.pdf", std::process::id()));
        std::fs::write(&path, file).unwrap();
        let said = said(Command::new("pdfsig").arg(&path));
        std::fs::remove_file(&path).unwrap();
        said.map(|said| String::from_utf8_lossy(&said.stdout).into_owned())
    }

    #[test]
    fn an_independent_reader_accepts_the_signature_and_notices_a_change() {
        let file = signed_file();
        let Some(said) = judged(&file, "signed") else { return };
        for expected in ["Signature is Valid", "ETSI.CAdES.detached", "Sở Tư pháp", "Total document signed"]
        {
            assert!(said.contains(expected), "{expected} in {said}");
        }
        let mut changed = file;
        let at = find(&changed, b"205000").unwrap();
        changed[at] = b'3';
        let said = judged(&changed, "changed").unwrap();
        assert!(said.contains("Digest Mismatch") && !said.contains("Signature is Valid"), "{said}");
    }

    #[test]
    fn what_is_no_file_of_ours_is_refused() {
        let signing = Signing { name: "x", reason: "y", at: datetime!(2026-11-24 07:30 UTC) };
        assert!(matches!(prepare(b"%PDF-1.7 startxref 5", &signing), Err(NotOurs)));
        let signed = signed_file();
        assert!(
            matches!(prepare(&signed, &signing), Err(NotOurs)),
            "a second form is not put beside the first"
        );
    }
}
