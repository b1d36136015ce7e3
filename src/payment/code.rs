//! The codes by which catalogues name things: fees, reductions, procedures, dossiers.

use crate::base::calendar::Day;
use std::{fmt, str::FromStr};

/// A text that is not a code of the wanted form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotACode {
    /// Not the code of a fee or a reduction.
    #[error("a code has 2 to 24 upper-case letters, digits and hyphens, like LLTP-01")]
    Code,
    /// Not the code of a procedure.
    #[error("a procedure code is written like 2.000488")]
    Procedure,
    /// Not a dossier code.
    #[error("a dossier code is written like H29.14-250703-0001 or 000.15.40.H29-250703-0001")]
    Dossier,
}

/// The code of a fee item or of an adjustment: `LLTP-01`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(String);

impl Code {
    /// The code as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Code {
    type Err = NotACode;

    fn from_str(s: &str) -> Result<Self, NotACode> {
        let letters = s.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-');
        let edges = !s.starts_with('-') && !s.ends_with('-');
        if letters && edges && (2..=24).contains(&s.len()) {
            Ok(Self(s.to_owned()))
        } else {
            Err(NotACode::Code)
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The code of an administrative procedure (MaTTHC): `2.000488`, a local variant `2.000488.000.00.00.H29`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcedureCode(String);

impl ProcedureCode {
    /// The code as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ProcedureCode {
    type Err = NotACode;

    fn from_str(s: &str) -> Result<Self, NotACode> {
        let mut parts = s.split('.');
        let group = parts.next().is_some_and(|p| p.len() == 1 && digits(p));
        let number = parts.next().is_some_and(|p| p.len() == 6 && digits(p));
        let suffix = parts.all(|p| {
            (2..=3).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
        });
        if group && number && suffix && s.len() <= 30 {
            Ok(Self(s.to_owned()))
        } else {
            Err(NotACode::Procedure)
        }
    }
}

impl fmt::Display for ProcedureCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ProcedureCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The code of a dossier: the receiving agency, the day of receipt and the day's serial (Circular 01/2018 art. 19).
///
/// Both forms in use are read: the long `000.15.40.H29-250703-0001` and the short `H29.14-250703-0001` of Decision
/// 20/2020. The serial has four digits and, on days with more than 9,999 dossiers, up to six. The code is serial,
/// so it opens nothing by itself.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DossierCode {
    text: String,
    received: Day,
}

impl DossierCode {
    /// The code as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The receiving agency as the code names it: `H29.14`, `000.15.40.H29`.
    pub fn agency(&self) -> &str {
        self.text.split('-').next().unwrap_or_default()
    }

    /// The day on which the dossier was received, as the code says.
    pub const fn received(&self) -> Day {
        self.received
    }
}

impl FromStr for DossierCode {
    type Err = NotACode;

    fn from_str(s: &str) -> Result<Self, NotACode> {
        let refused = NotACode::Dossier;
        let [agency, date, serial] = s.split('-').collect::<Vec<_>>()[..] else {
            return Err(refused);
        };
        if !(is_long_agency(agency) || is_short_agency(agency)) {
            return Err(refused);
        }
        if !((4..=6).contains(&serial.len()) && digits(serial) && date.len() == 6 && digits(date)) {
            return Err(refused);
        }
        let two = |at: usize| date[at..at + 2].parse::<u8>().map_err(|_| refused);
        let received = Day::new(2000 + i32::from(two(0)?), two(2)?, two(4)?).ok_or(refused)?;
        Ok(Self { text: s.to_owned(), received })
    }
}

impl fmt::Display for DossierCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for DossierCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn digits(s: &str) -> bool {
    !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit())
}

/// `H29` for a province, `G17` for a ministry.
fn is_root(s: &str) -> bool {
    s.len() == 3 && matches!(s.as_bytes()[0], b'G' | b'H') && digits(&s[1..])
}

fn is_long_agency(s: &str) -> bool {
    match s.split('.').collect::<Vec<_>>()[..] {
        [a, b, c, root] => {
            [(a, 3), (b, 2), (c, 2)].iter().all(|(p, len)| p.len() == *len && digits(p)) && is_root(root)
        }
        _ => false,
    }
}

fn is_short_agency(s: &str) -> bool {
    let mut parts = s.split('.');
    let root = parts.next().is_some_and(is_root);
    root && s.len() <= 15 && parts.all(|p| (2..=3).contains(&p.len()) && digits(p))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_forms_of_a_dossier_code() {
        for (text, agency, day) in [
            ("000.15.40.H29-250703-0001", "000.15.40.H29", "2025-07-03"),
            ("H29.14-250703-0001", "H29.14", "2025-07-03"),
            ("H29-261231-123456", "H29", "2026-12-31"),
            ("G17.01.002-260101-0009", "G17.01.002", "2026-01-01"),
        ] {
            let code: DossierCode = text.parse().unwrap();
            assert_eq!((code.agency(), code.received().to_string().as_str()), (agency, day));
            assert_eq!(code.to_string(), text);
        }
    }

    #[test]
    fn refuses_what_no_office_writes() {
        for bad in [
            "",
            "H29.14-250703",
            "H29.14-250732-0001",
            "H29.14-250703-001",
            "H29.14-250703-1234567",
            "h29.14-250703-0001",
            "X29-250703-0001",
            "H29.14-250703-0001 ",
            "H29.14-250703-00١1",
            "000.15.H29-250703-0001",
            "H29.14-250703-0001-2",
            "H2é-250703-0001",
        ] {
            assert_eq!(bad.parse::<DossierCode>(), Err(NotACode::Dossier), "{bad:?}");
        }
    }

    #[test]
    fn codes_are_plain() {
        assert!("LLTP-01".parse::<Code>().is_ok());
        for bad in ["", "A", "-A1", "A1-", "lltp-01", "LLTP_01", "LLTP-01234567890123456789X"] {
            assert!(bad.parse::<Code>().is_err(), "{bad:?}");
        }
        assert!("2.000488".parse::<ProcedureCode>().is_ok());
        assert!("1.001234.000.00.00.H29".parse::<ProcedureCode>().is_ok());
        for bad in ["2.00488", "2000488", "x.000488", "2.000488.", "2.000488.toolong", ""] {
            assert!(bad.parse::<ProcedureCode>().is_err(), "{bad:?}");
        }
    }
}
