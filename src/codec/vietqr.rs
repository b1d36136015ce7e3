//! VietQR: the EMVCo merchant-presented QR text of NAPAS 247, written and read.
//!
//! The code asks a bank's app for a transfer; it proves nothing. A static code names only the account; a dynamic one
//! also the amount and the purpose. The purpose is ASCII of at most 25 characters (EMVCo), so that the reference of a
//! bill fits and no bank has to change it.

use std::fmt::Write;

/// The code as a picture: an SVG element without style or script, black on white.
pub fn svg(text: &str) -> Option<String> {
    let code = qrcode::QrCode::with_error_correction_level(text, qrcode::EcLevel::M).ok()?;
    let drawn = code.render::<qrcode::render::svg::Color<'_>>().min_dimensions(240, 240).build();
    // The prolog belongs to a file of its own.
    drawn.find("<svg").map(|at| drawn[at..].to_owned())
}

const NAPAS: &str = "A000000727";
const PURPOSE_MAX: usize = 25;

/// What the money is sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// A bank account (`QRIBFTTA`).
    Account,
    /// A card number (`QRIBFTTC`).
    Card,
}

impl Service {
    const fn code(self) -> &'static str {
        match self {
            Self::Account => "QRIBFTTA",
            Self::Card => "QRIBFTTC",
        }
    }
}

/// The request for one transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VietQr {
    /// The bank's six-digit BIN.
    pub bank: String,
    /// The account or card number: 1 to 19 letters and digits.
    pub number: String,
    /// Which of the two it is.
    pub service: Service,
    /// Whole đồng; absent in a static code.
    pub amount: Option<u64>,
    /// What the transfer's text shall say.
    pub purpose: Option<String>,
}

/// A text that is not such a code, or a request that no code can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The lengths do not fit, or a field is missing, unknown or doubled.
    #[error("not a VietQR text")]
    Malformed,
    /// The checksum does not fit: the code was misread or changed.
    #[error("the checksum of the code does not fit")]
    Checksum,
    /// Not a transfer in đồng through NAPAS in Vietnam.
    #[error("the code is not a transfer in Vietnam")]
    Foreign,
    /// A bank, number, amount or purpose that the code cannot carry.
    #[error("the code cannot carry this value")]
    Value,
}

impl VietQr {
    /// The text of the code.
    pub fn encode(&self) -> Result<String, Refused> {
        self.check()?;
        let mut text = String::new();
        field(&mut text, 0, "01");
        field(&mut text, 1, if self.amount.is_some() { "12" } else { "11" });
        field(
            &mut text,
            38,
            &nested(&[
                (0, NAPAS),
                (1, &nested(&[(0, &self.bank), (1, &self.number)])),
                (2, self.service.code()),
            ]),
        );
        field(&mut text, 53, "704");
        if let Some(amount) = self.amount {
            field(&mut text, 54, &amount.to_string());
        }
        field(&mut text, 58, "VN");
        if let Some(purpose) = &self.purpose {
            field(&mut text, 62, &nested(&[(8, purpose)]));
        }
        text.push_str("6304");
        let sum = checksum(text.as_bytes());
        let _infallible = write!(text, "{sum:04X}");
        Ok(text)
    }

    /// Reads the text of a code, whatever else a bank put into it.
    pub fn decode(text: &str) -> Result<Self, Refused> {
        if !text.is_ascii() || text.len() > 512 {
            return Err(Refused::Malformed);
        }
        let (head, sum) = text.split_at_checked(text.len().saturating_sub(4)).ok_or(Refused::Malformed)?;
        if !head.ends_with("6304") {
            return Err(Refused::Malformed);
        }
        if !sum.eq_ignore_ascii_case(&format!("{:04X}", checksum(head.as_bytes()))) {
            return Err(Refused::Checksum);
        }
        let fields = Fields::read(text)?;
        if fields.get(0) != Some("01") || fields.get(53) != Some("704") || fields.get(58) != Some("VN") {
            return Err(Refused::Foreign);
        }
        let merchant = Fields::read(fields.get(38).ok_or(Refused::Foreign)?)?;
        if merchant.get(0) != Some(NAPAS) {
            return Err(Refused::Foreign);
        }
        let account = Fields::read(merchant.get(1).ok_or(Refused::Malformed)?)?;
        let service = match merchant.get(2) {
            Some("QRIBFTTA") => Service::Account,
            Some("QRIBFTTC") => Service::Card,
            _ => return Err(Refused::Foreign),
        };
        let purpose =
            fields.get(62).map(Fields::read).transpose()?.and_then(|more| more.get(8).map(str::to_owned));
        let amount = fields.get(54).map(|a| plain_number(a).ok_or(Refused::Value)).transpose()?;
        let part = |id| account.get(id).map(str::to_owned).ok_or(Refused::Malformed);
        let code = Self { bank: part(0)?, number: part(1)?, service, amount, purpose };
        code.check()?;
        Ok(code)
    }

    fn check(&self) -> Result<(), Refused> {
        let bank = self.bank.len() == 6 && self.bank.bytes().all(|b| b.is_ascii_digit());
        let number =
            (1..=19).contains(&self.number.len()) && self.number.bytes().all(|b| b.is_ascii_alphanumeric());
        let amount = self.amount.is_none_or(|a| (1..10_000_000_000_000).contains(&a));
        let purpose = self.purpose.as_ref().is_none_or(|p| {
            (1..=PURPOSE_MAX).contains(&p.len()) && p.bytes().all(|b| b == b' ' || b.is_ascii_graphic())
        });
        if bank && number && amount && purpose { Ok(()) } else { Err(Refused::Value) }
    }
}

/// The fields of one level: two digits of tag, two of length, the value.
struct Fields<'a>(Vec<(u8, &'a str)>);

impl<'a> Fields<'a> {
    fn read(mut text: &'a str) -> Result<Self, Refused> {
        let mut fields: Vec<(u8, &str)> = Vec::new();
        while !text.is_empty() {
            let (head, rest) = text.split_at_checked(4).ok_or(Refused::Malformed)?;
            let two = |digits: &str| {
                plain_number(digits).and_then(|n| u8::try_from(n).ok()).ok_or(Refused::Malformed)
            };
            let (tag, length) = (two(&head[..2])?, usize::from(two(&head[2..])?));
            let (value, after) = rest.split_at_checked(length).ok_or(Refused::Malformed)?;
            if length == 0 || fields.iter().any(|(seen, _)| *seen == tag) {
                return Err(Refused::Malformed);
            }
            fields.push((tag, value));
            text = after;
        }
        Ok(Self(fields))
    }

    fn get(&self, tag: u8) -> Option<&'a str> {
        self.0.iter().find(|(t, _)| *t == tag).map(|(_, value)| *value)
    }
}

fn plain_number(text: &str) -> Option<u64> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

fn field(text: &mut String, tag: u8, value: &str) {
    let _infallible = write!(text, "{tag:02}{:02}{value}", value.len());
}

fn nested(fields: &[(u8, &str)]) -> String {
    let mut text = String::new();
    for (tag, value) in fields {
        field(&mut text, *tag, value);
    }
    text
}

/// CRC-16/CCITT-FALSE (polynomial 1021, initial FFFF), over everything up to and including `6304`.
fn checksum(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF_u16, |mut crc, byte| {
        crc ^= u16::from(*byte) << 8;
        for _ in 0..8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
        }
        crc
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_answers() {
        assert_eq!(checksum(b"123456789"), 0x29B1);
        let mut rows = csv::Reader::from_path("tests/data/vietqr_examples.csv").unwrap();
        let mut count = 0;
        for row in rows.records().map(Result::unwrap) {
            let some = |i: usize| (!row[i].is_empty()).then(|| row[i].to_owned());
            let code = VietQr {
                bank: row[2].to_owned(),
                number: row[3].to_owned(),
                service: if &row[4] == "QRIBFTTC" { Service::Card } else { Service::Account },
                amount: some(5).map(|a| a.parse().unwrap()),
                purpose: some(6),
            };
            assert_eq!(code.encode().as_deref(), Ok(&row[8]), "{}", &row[0]);
            assert_eq!(VietQr::decode(&row[8]), Ok(code), "{}", &row[0]);
            assert!(row[8].ends_with(&row[7]));
            count += 1;
        }
        assert_eq!(count, 4);
    }

    #[test]
    fn refuses_what_it_cannot_carry() {
        let good = VietQr {
            bank: "970436".to_owned(),
            number: "0011001234567".to_owned(),
            service: Service::Account,
            amount: Some(205_000),
            purpose: Some("7K3QD0000000000000ZZ".to_owned()),
        };
        assert!(good.encode().is_ok());
        for bad in [
            VietQr { bank: "97043".to_owned(), ..good.clone() },
            VietQr { number: String::new(), ..good.clone() },
            VietQr { number: "12 34".to_owned(), ..good.clone() },
            VietQr { amount: Some(0), ..good.clone() },
            VietQr { amount: Some(u64::MAX), ..good.clone() },
            VietQr { purpose: Some("nộp phí".to_owned()), ..good.clone() },
            VietQr { purpose: Some("x".repeat(26)), ..good.clone() },
        ] {
            assert_eq!(bad.encode(), Err(Refused::Value), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_and_a_changed_digit_is_noticed(
            bank in "[0-9]{6}", number in "[0-9A-Z]{1,19}", amount in prop::option::of(1..10_000_000_000_000_u64),
            purpose in prop::option::of("[A-Z0-9 .-]{1,25}"), card in any::<bool>(), at in any::<prop::sample::Index>(),
        ) {
            let service = if card { Service::Card } else { Service::Account };
            let code = VietQr { bank, number, service, amount, purpose };
            let text = code.encode().unwrap();
            prop_assert_eq!(VietQr::decode(&text), Ok(code));
            let mut changed = text.clone().into_bytes();
            let i = at.index(text.len());
            changed[i] = if changed[i] == b'0' { b'1' } else { b'0' };
            prop_assert!(VietQr::decode(std::str::from_utf8(&changed).unwrap()).is_err());
        }

        #[test]
        fn any_text_is_refused_without_harm(text in "[0-9A-Z]{0,60}|\\PC{0,30}") {
            prop_assert!(VietQr::decode(&text).is_err());
        }
    }
}
