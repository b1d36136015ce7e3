//! What a receipt says, as the signature covers it: canonical JSON inside a compact JWS that a QR code can carry.
//!
//! The content is fixed when the money settles; its SHA-256 is what the audit log commits to. The signature is a
//! compact JWS (RFC 7515, ES256) over exactly those bytes, with a `typ` of its own. The printed number is the agency's
//! code, the series and the serial; the check code, taken from the digest, opens a receipt to whoever holds the paper.

use crate::base::{
    calendar::{Day, rfc3339},
    clock::Instant,
    money::Money,
};
use crate::crypto::{
    digest::{Digest, sha256, sha256_parts},
    jwt::{self, Refused},
    signing::KeyList,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use time::format_description::well_known::Rfc3339;

/// The `typ` of a signed receipt.
pub const TYP: &str = "chung-receipt+jwt";
/// The version of the content's shape and of the files made from it.
pub const VERSION: u8 = 1;
/// The form of fee receipts without a printed amount (Decree 123/2020 as amended), where none is named.
pub const FORM: &str = "01BLP";

/// The two kinds of charges, which have separate receipts and series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// *Phí*: the price of a service.
    Phi,
    /// *Lệ phí*: a state charge.
    LePhi,
}

impl Kind {
    /// The word in rows and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Phi => "phi",
            Self::LePhi => "le_phi",
        }
    }
}

/// What a receipt says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptContent {
    /// The version of this shape.
    pub v: u8,
    /// The public origin of the service that issued it.
    pub iss: String,
    /// Its number, as printed.
    pub number: Number,
    /// Service price or state charge.
    pub kind: Kind,
    /// The form's number, where it is not [`FORM`].
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub form: Option<String>,
    /// When it was issued (RFC 3339, UTC).
    pub at: String,
    /// When the money settled, where that was another moment.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub paid: Option<String>,
    /// The agency that collects.
    pub agency: Issuer,
    /// The dossier.
    pub dossier: String,
    /// The procedure's code and Vietnamese name.
    pub procedure: (String, String),
    /// The bill's public reference.
    pub reference: String,
    /// The name that the receipt carries.
    pub payer: String,
    /// The tax code of that company or household.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub payer_tax: Option<String>,
    /// Its address.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub payer_address: Option<String>,
    /// The bank that the payer paid from.
    pub bank: String,
    /// Each fee: code, Vietnamese name, count, amount in whole đồng.
    pub lines: Vec<Line>,
    /// Their sum in whole đồng.
    pub total: i64,
    /// The number of the receipt of which this takes back its total, and the law by which it does.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub adjusts: Option<(String, String)>,
    /// The receipt in whose place it stands, and why.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub replaces: Option<(Number, String)>,
    /// The account in which it was collected for several owners together: bank, number and holder.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub collected: Option<(String, String, String)>,
}

/// A line: code, Vietnamese name, count, whole đồng.
pub type Line = (String, String, u32, i64);

/// The agency as its receipts name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// Its code, e.g. `H29.14`.
    pub code: String,
    /// Its Vietnamese name.
    pub name: String,
    /// Its tax code.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tax: Option<String>,
    /// Its address.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub address: Option<String>,
}

/// More bytes than most receipts have.
const USUAL: usize = 1_536;

impl ReceiptContent {
    /// The bytes that are signed and digested. They are written once; nobody writes them again from their parts.
    #[expect(clippy::expect_used, reason = "strings and integers always serialize")]
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(USUAL);
        serde_json::to_writer(&mut bytes, self).expect("strings and integers always serialize");
        bytes
    }

    /// Reads content bytes and checks that they agree with themselves.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok().filter(Self::agrees)
    }

    /// When it was issued.
    pub fn issued_at(&self) -> Option<Instant> {
        Instant::parse(&self.at, &Rfc3339).ok()
    }

    /// When the money settled.
    pub fn paid_at(&self) -> Option<Instant> {
        Instant::parse(self.paid.as_ref().unwrap_or(&self.at), &Rfc3339).ok()
    }

    /// The number of its form.
    pub fn form(&self) -> &str {
        self.form.as_deref().unwrap_or(FORM)
    }

    /// The total.
    pub const fn total(&self) -> Money {
        Money::vnd(self.total)
    }

    /// How it was paid, in Vietnamese, as the papers say it.
    pub fn method(&self) -> &'static str {
        match self.bank.as_str() {
            "CASH" => "Tiền mặt",
            "CARD" => "Thẻ",
            "CASH+CARD" => "Tiền mặt và thẻ",
            "CASH+TRANSFER" => "Tiền mặt và chuyển khoản",
            "CARD+TRANSFER" => "Thẻ và chuyển khoản",
            "CASH+CARD+TRANSFER" => "Tiền mặt, thẻ và chuyển khoản",
            _ => "Chuyển khoản",
        }
    }

    fn agrees(&self) -> bool {
        let sum = self.lines.iter().try_fold(0_i64, |sum, line| sum.checked_add(line.3));
        let year = self.issued_at().map(|at| Day::of(at).year().rem_euclid(100));
        self.v == VERSION
            && sum == Some(self.total)
            && self.total > 0
            && self.number.agency == self.agency.code
            && self.number.kind == self.kind
            && year == Some(i32::from(self.number.year))
    }
}

/// The digest of content bytes: what the audit log commits to and a proof names.
pub fn digest(content: &[u8]) -> Digest {
    sha256(content)
}

/// The text to sign for content bytes; a signature in base64url behind a further dot makes it a compact JWS.
pub fn signing_input(content: &[u8], kid: &str) -> String {
    signing_input_as(content, kid, TYP)
}

/// The same for a document of another type.
pub fn signing_input_as(content: &[u8], kid: &str, typ: &str) -> String {
    let header = serde_json::json!({"alg": "ES256", "kid": kid, "typ": typ}).to_string();
    format!("{}.{}", BASE64URL.encode(header), BASE64URL.encode(content))
}

/// The compact JWS of a signing input and its signature.
pub fn signed(signing_input: &str, signature: &[u8; 64]) -> String {
    format!("{signing_input}.{}", BASE64URL.encode(signature))
}

/// The content of a signed receipt and its digest, if one of `keys` signed it.
pub fn verify(signed: &str, keys: &KeyList) -> Result<(ReceiptContent, Digest), Refused> {
    let _claims: serde_json::Value = jwt::verify(signed, TYP, keys)?;
    let payload =
        signed.split('.').nth(1).and_then(|p| BASE64URL.decode(p).ok()).ok_or(Refused::Malformed)?;
    let content = ReceiptContent::read(&payload).ok_or(Refused::BadClaims)?;
    Ok((content, digest(&payload)))
}

/// The code that opens a receipt to whoever holds the paper: 80 bits of the content's digest. The content holds the
/// bill's random reference, so the code cannot be computed from what strangers may know.
pub fn check_code(digest: &Digest) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let bits = sha256_parts(&[b"chung receipt check code\0", digest]);
    let mut code = String::with_capacity(19);
    for five in bits[..10].chunks(5) {
        let word = five.iter().fold(0_u64, |word, byte| word << 8 | u64::from(*byte));
        for i in (0..8).rev() {
            if code.len() % 5 == 4 {
                code.push('-');
            }
            code.push(char::from(ALPHABET[(word >> (5 * i) & 31) as usize]));
        }
    }
    code
}

/// Whether a typed code is the receipt's: case, spaces and hyphens do not matter, O reads as 0, I and L as 1.
pub fn check_code_fits(digest: &Digest, typed: &str) -> bool {
    let typed: String = typed
        .chars()
        .filter(|c| !matches!(c, '-' | ' ' | '.'))
        .map(|c| match c.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            c => c,
        })
        .collect();
    crate::crypto::digest::equal(typed.as_bytes(), check_code(digest).replace('-', "").as_bytes())
}

/// The printed number of a receipt: `H29.14-AP26E-0000001` (agency, series, serial). The letter behind the year tells
/// what the receipt was given on: `E` electronic, `T` printed by the agency itself, `P` a pre-printed book.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Number {
    agency: String,
    book: char,
    kind: Kind,
    year: u8,
    medium: char,
    serial: u64,
}

impl Number {
    /// The `serial`-th receipt of an agency's first series of that kind and year.
    pub fn new(agency: &str, kind: Kind, year: i32, serial: u64) -> Self {
        Self::in_book(agency, ('A', kind), year, serial)
    }

    /// The `serial`-th receipt of the series with that first letter, kind and year.
    pub fn in_book(agency: &str, (book, kind): (char, Kind), year: i32, serial: u64) -> Self {
        let year = u8::try_from(year.rem_euclid(100)).unwrap_or_default();
        Self { agency: agency.to_owned(), book, kind, year, medium: 'E', serial }
    }

    /// The same number, given on something else.
    #[must_use]
    pub fn on(self, medium: char) -> Self {
        Self { medium, ..self }
    }

    /// The code of its agency.
    pub fn agency(&self) -> &str {
        &self.agency
    }

    /// The letters of its series, as they are registered.
    pub fn letters(&self) -> String {
        format!("{}{}", self.book, self.kind_letter())
    }

    /// Its place in the series.
    pub const fn place(&self) -> u64 {
        self.serial
    }

    /// The two digits of its year.
    pub const fn year(&self) -> u8 {
        self.year
    }

    /// The letter of what it was given on.
    pub const fn medium(&self) -> char {
        self.medium
    }

    /// The series as printed: `AP-26E` for phí, `AL-26E` for lệ phí (two letters, year, medium).
    pub fn series(&self) -> String {
        format!("{}{}-{:02}{}", self.book, self.kind_letter(), self.year, self.medium)
    }

    /// The serial as printed: seven digits, more when a year has more.
    pub fn serial(&self) -> String {
        format!("{:07}", self.serial)
    }

    const fn kind_letter(&self) -> char {
        match self.kind {
            Kind::Phi => 'P',
            Kind::LePhi => 'L',
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { agency, book, year, medium, serial, .. } = self;
        write!(f, "{agency}-{book}{}{year:02}{medium}-{serial:07}", self.kind_letter())
    }
}

impl From<Number> for String {
    fn from(number: Number) -> Self {
        number.to_string()
    }
}

/// A text that is not a receipt's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a receipt number is written like H29.14-AP26E-0000001")]
pub struct NotANumber;

impl TryFrom<String> for Number {
    type Error = NotANumber;

    fn try_from(text: String) -> Result<Self, NotANumber> {
        text.parse()
    }
}

impl FromStr for Number {
    type Err = NotANumber;

    fn from_str(text: &str) -> Result<Self, NotANumber> {
        let [agency, series, serial] = text.split('-').collect::<Vec<_>>()[..] else {
            return Err(NotANumber);
        };
        let (book, kind) = match series.as_bytes() {
            [book @ b'A'..=b'Z', b'P', ..] => (char::from(*book), Kind::Phi),
            [book @ b'A'..=b'Z', b'L', ..] => (char::from(*book), Kind::LePhi),
            _ => return Err(NotANumber),
        };
        let medium = series.chars().last().filter(|m| matches!(m, 'E' | 'T' | 'P')).ok_or(NotANumber)?;
        let year = series[2..].strip_suffix(medium).and_then(|y| y.parse().ok()).ok_or(NotANumber)?;
        let serial = serial.parse().map_err(|_| NotANumber)?;
        let plain = !agency.is_empty()
            && agency.len() <= 30
            && agency.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.');
        let number = Self { agency: agency.to_owned(), book, kind, year, medium, serial };
        if plain && number.to_string() == text { Ok(number) } else { Err(NotANumber) }
    }
}

/// The file that proves a receipt's place in the audit log; `E` is the log's evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof<E> {
    /// The receipt's number.
    pub receipt: String,
    /// The digest of the signed content, in hex.
    pub content_sha256: String,
    /// `included`, or `pending` until a tree head covers the leaf.
    pub status: String,
    /// The evidence, once it is included.
    #[serde(skip_serializing_if = "Option::is_none", default = "Option::default")]
    pub evidence: Option<E>,
}

impl<E> Proof<E> {
    /// The proof of a receipt whose content has that digest.
    pub fn new(number: &str, digest: &Digest, evidence: Option<E>) -> Self {
        let status = if evidence.is_some() { "included" } else { "pending" };
        Self {
            receipt: number.to_owned(),
            content_sha256: hex::encode(digest),
            status: status.to_owned(),
            evidence,
        }
    }
}

/// What a receipt is called in the leaf of its settlement, which commits to payment and receipts together.
#[derive(Debug, Clone, Serialize)]
pub struct LeafName<'a> {
    receipt: &'a str,
    content_sha256: String,
}

/// The name of the receipt of that number, with that content.
pub fn leaf_name<'a>(number: &'a str, digest: &Digest) -> LeafName<'a> {
    LeafName { receipt: number, content_sha256: hex::encode(digest) }
}

impl From<LeafName<'_>> for serde_json::Value {
    fn from(name: LeafName<'_>) -> Self {
        serde_json::json!(name)
    }
}

/// Whether a leaf with these details is a settlement that issued this receipt.
pub fn leaf_names(details: &serde_json::Value, number: &str, digest: &Digest) -> bool {
    let name = leaf_name(number, digest).into();
    details["receipts"].as_array().is_some_and(|receipts| receipts.contains(&name))
}

/// Writes an instant as the content has it.
pub fn instant(at: Instant) -> String {
    rfc3339(at)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::crypto::{
        self,
        signing::{Signer, SigningKey},
    };
    use time::macros::datetime;

    pub fn content() -> ReceiptContent {
        ReceiptContent {
            v: VERSION,
            iss: "http://localhost:8080".to_owned(),
            number: Number::new("H29.14", Kind::Phi, 2026, 12),
            kind: Kind::Phi,
            form: None,
            paid: None,
            payer_tax: None,
            payer_address: None,
            replaces: None,
            at: instant(datetime!(2026-11-24 07:30:40 UTC)),
            agency: Issuer {
                code: "H29.14".to_owned(),
                name: "Sở Tư pháp Thành phố Hồ Chí Minh".to_owned(),
                tax: Some("0301234567".to_owned()),
                address: Some("141–143 Pasteur, Thành phố Hồ Chí Minh".to_owned()),
            },
            dossier: "H29.14-261124-0001".to_owned(),
            procedure: ("2.000488".to_owned(), "Cấp Phiếu lý lịch tư pháp".to_owned()),
            reference: "7K3QD0000000000000ZZ".to_owned(),
            payer: "H'Hen Niê Ƀuôn Ya & <Cộng sự>".to_owned(),
            bank: "MBNKVNVX".to_owned(),
            lines: vec![
                ("LLTP-01".to_owned(), "Phí cung cấp thông tin lý lịch tư pháp".to_owned(), 1, 200_000),
                ("LLTP-02".to_owned(), "Phí cấp thêm phiếu (từ phiếu thứ 3)".to_owned(), 1, 5_000),
            ],
            total: 205_000,
            adjusts: None,
            collected: None,
        }
    }

    pub fn signed_with(key: &SigningKey, content: &ReceiptContent) -> String {
        let input = signing_input(&content.bytes(), key.kid());
        signed(&input, &key.sign(input.as_bytes()))
    }

    pub fn keys(key: &SigningKey) -> KeyList {
        crypto::install();
        KeyList::new([(key.kid().to_owned(), key.verifying_key().clone())])
    }

    #[test]
    fn only_the_signed_content_is_believed() {
        let key = SigningKey::generate();
        let keys = keys(&key);
        let content = content();
        let jws = signed_with(&key, &content);
        assert_eq!(verify(&jws, &keys), Ok((content.clone(), digest(&content.bytes()))));
        let parts: Vec<&str> = jws.split('.').collect();
        let dearer = ReceiptContent {
            total: 1,
            lines: vec![("A".to_owned(), "B".to_owned(), 1, 1)],
            ..content.clone()
        };
        let forged = format!("{}.{}.{}", parts[0], BASE64URL.encode(dearer.bytes()), parts[2]);
        assert_eq!(verify(&forged, &keys), Err(Refused::BadSignature));
        let odd = ReceiptContent { total: 205_001, ..content.clone() };
        assert_eq!(verify(&signed_with(&key, &odd), &keys), Err(Refused::BadClaims));
        assert_eq!(verify(&signed_with(&SigningKey::generate(), &content), &keys), Err(Refused::UnknownKey));
        assert!(jws.len() < 1_400, "{} characters fit a QR code", jws.len());
    }

    #[test]
    fn a_number_reads_back_and_its_year_is_vietnams() {
        let number = Number::new("H29.14", Kind::LePhi, 2026, 10_000_000);
        assert_eq!(number.to_string(), "H29.14-AL26E-10000000");
        assert_eq!(number.to_string().parse(), Ok(number));
        let later = Number::in_book("H29.14", ('C', Kind::Phi), 2026, 1);
        assert_eq!(later.to_string().parse(), Ok(later));
        for bad in [
            "",
            "H29.14",
            "H29.14-AX26E-0000001",
            "H29.14-aP26E-0000001",
            "H29.14-ÉP26E-0000001",
            "H29.14-AP26E-1",
            "H29.14-AP026E-0000001",
            "-AP26E-0000001",
        ] {
            assert_eq!(bad.parse::<Number>(), Err(NotANumber), "{bad}");
        }
        let late = ReceiptContent { at: instant(datetime!(2026-12-31 17:00 UTC)), ..content() };
        assert_eq!(ReceiptContent::read(&late.bytes()), None);
        assert_eq!(ReceiptContent::read(&content().bytes()), Some(content()));
    }

    #[test]
    fn the_check_code_forgives_handwriting_only() {
        let code = check_code(&[7; 32]);
        assert_eq!(code.len(), 19);
        assert!(check_code_fits(&[7; 32], &code.to_lowercase().replace('-', " ").replace('0', "o")));
        assert!(!check_code_fits(&[8; 32], &code) && !check_code_fits(&[7; 32], ""));
    }
}
