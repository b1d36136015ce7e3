//! The words that several messages share: identifiers, institutions, accounts, statuses.

use super::refusal::Refusal;
use super::sink::Sink;
use super::source::Source;
use crate::base::text::Line;
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// A text that is not the identifier or code that it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a well-formed identifier")]
pub struct NotAnIdentifier;

/// The identifier of a message (BizMsgIdr and MsgId): 32 lower-case hexadecimal digits of a uuid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub Uuid);

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}

impl FromStr for MessageId {
    type Err = NotAnIdentifier;

    fn from_str(s: &str) -> Result<Self, NotAnIdentifier> {
        hex_digits(s).map(Self)
    }
}

/// What follows a payment from the request to the statement: 32 lower-case hexadecimal digits of a uuid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndToEndId(pub Uuid);

impl fmt::Display for EndToEndId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}

impl FromStr for EndToEndId {
    type Err = NotAnIdentifier;

    fn from_str(s: &str) -> Result<Self, NotAnIdentifier> {
        hex_digits(s).map(Self)
    }
}

/// The unique end-to-end transaction reference: a version 4 uuid in its usual spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uetr(Uuid);

impl Uetr {
    /// The reference that a uuid makes; its version and variant digits are set.
    pub fn new(uuid: Uuid) -> Self {
        let mut bytes = *uuid.as_bytes();
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Self(Uuid::from_bytes(bytes))
    }

    /// The value that a row holds.
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for Uetr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl FromStr for Uetr {
    type Err = NotAnIdentifier;

    fn from_str(s: &str) -> Result<Self, NotAnIdentifier> {
        let uuid = Uuid::try_parse(s).map_err(|_| NotAnIdentifier)?;
        let uetr = Self::new(uuid);
        if uetr.0 == uuid && uetr.to_string() == s { Ok(uetr) } else { Err(NotAnIdentifier) }
    }
}

/// The number by which the clearing system knows an institution: 1 to 35 letters and digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId(String);

/// A bank's identifier code (ISO 9362): 8 or 11 characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bic(String);

/// The number of an account at its bank: 1 to 34 letters and digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountNumber(String);

macro_rules! spelled {
    ($($name:ident where $test:expr;)*) => {$(
        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl FromStr for $name {
            type Err = NotAnIdentifier;
            fn from_str(s: &str) -> Result<Self, NotAnIdentifier> {
                let test: fn(&str) -> bool = $test;
                if test(s) { Ok(Self(s.to_owned())) } else { Err(NotAnIdentifier) }
            }
        }
    )*};
}

spelled! {
    MemberId where |s| (1..=35).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_alphanumeric());
    AccountNumber where |s| (1..=34).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_alphanumeric());
    Bic where |s| {
        let capital = |b: u8| b.is_ascii_uppercase();
        let sign = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit();
        matches!(s.len(), 8 | 11) && s.bytes().enumerate().all(|(i, b)| if matches!(i, 4 | 5) { capital(b) } else { sign(b) })
    };
}

/// An institution, by its number in the clearing system or by its BIC. Where a message gives both, the number counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Agent {
    /// A participant of the clearing system.
    Member(MemberId),
    /// Another bank.
    Bic(Bic),
}

impl Agent {
    pub(super) fn write(&self, name: &str, sink: &mut Sink) {
        sink.within(name, |s| {
            s.within("FinInstnId", |s| match self {
                Self::Member(member) => s.within("ClrSysMmbId", |s| s.text("MmbId", member)),
                Self::Bic(bic) => s.text("BICFI", bic),
            });
        });
    }

    pub(super) fn read(name: &'static str, source: &mut Source<'_>) -> Result<Self, Refusal> {
        source.within(name, Self::read_inside)
    }

    pub(super) fn read_if(name: &'static str, source: &mut Source<'_>) -> Result<Option<Self>, Refusal> {
        source.within_if(name, Self::read_inside)
    }

    fn read_inside(source: &mut Source<'_>) -> Result<Self, Refusal> {
        let agent = source.within("FinInstnId", |s| {
            let bic = s.value_if::<Bic>("BICFI", 11)?;
            let member = s.within_if("ClrSysMmbId", |s| {
                s.skip(&["ClrSysId"])?;
                s.value::<MemberId>("MmbId", 35)
            })?;
            s.skip(&["LEI", "Nm", "PstlAdr", "Othr"])?;
            let agent = member.map(Self::Member).or_else(|| bic.map(Self::Bic));
            agent.ok_or(Refusal::MissingElement("MmbId"))
        })?;
        source.skip(&["BrnchId"])?;
        Ok(agent)
    }
}

/// Writes a party that is known by its name alone.
pub(super) fn write_party(name: &str, party: Option<&Line<140>>, sink: &mut Sink) {
    sink.within(name, |s| s.text_if("Nm", party));
}

/// Reads a party's name; the rest of a party is none of our business.
pub(super) fn read_party(name: &'static str, source: &mut Source<'_>) -> Result<Option<Line<140>>, Refusal> {
    source.within(name, read_party_inside)
}

/// The same for a party that may be absent.
pub(super) fn read_party_if(
    name: &'static str,
    source: &mut Source<'_>,
) -> Result<Option<Line<140>>, Refusal> {
    Ok(source.within_if(name, read_party_inside)?.flatten())
}

pub(super) fn read_party_inside(source: &mut Source<'_>) -> Result<Option<Line<140>>, Refusal> {
    let name = source.remark_if("Nm")?;
    source.skip(&["PstlAdr", "Id", "CtryOfRes", "CtctDtls"])?;
    Ok(name)
}

/// Writes an account by its number.
pub(super) fn write_account(name: &str, account: &AccountNumber, sink: &mut Sink) {
    sink.within(name, |s| s.within("Id", |s| s.within("Othr", |s| s.text("Id", account))));
}

/// Reads an account's number; an IBAN is refused, as Vietnamese accounts have none.
pub(super) fn read_account(name: &'static str, source: &mut Source<'_>) -> Result<AccountNumber, Refusal> {
    source.within(name, |s| {
        let number = s.within("Id", |s| {
            s.within("Othr", |s| {
                let number = s.value("Id", 34)?;
                s.skip(&["SchmeNm", "Issr"])?;
                Ok(number)
            })
        })?;
        s.skip(&["Tp", "Ccy", "Nm", "Prxy", "Ownr", "Svcr"])?;
        Ok(number)
    })
}

/// Why a payment was refused, as the other institution words it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// A code of the external status reason list (`AM04`), or the institution's own.
    pub code: Line<35>,
    /// More, in words.
    pub text: Option<Line<105>>,
}

/// The clearing system has never received the request that it is asked about.
pub const NEVER_RECEIVED: &str = "NOOR";

/// Why a payment waits whose payer must prove more at the bank.
pub const STEP_UP_REQUIRED: &str = "STEP_UP_REQUIRED";

/// How far a payment has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransactionStatus {
    /// It arrived and nothing more is known (`RCVD`).
    Received,
    /// It is well-formed and waits for the payer (`ACTC`, `PDNG`).
    Pending,
    /// The payer's bank asks its customer to prove more before it pays (`PDNG` with our reason).
    StepUp,
    /// The payer agreed and the money is on its way (`ACCP`, `ACSP`, `ACWP`).
    Accepted,
    /// The money has moved between the institutions (`ACSC`, `ACCC`).
    Settled,
    /// It will not happen (`RJCT`, `CANC`).
    Rejected(Reason),
}

impl TransactionStatus {
    pub(super) fn write(&self, sink: &mut Sink) {
        let code = match self {
            Self::Received => "RCVD",
            Self::Pending | Self::StepUp => "PDNG",
            Self::Accepted => "ACSP",
            Self::Settled => "ACSC",
            Self::Rejected(_) => "RJCT",
        };
        sink.text("TxSts", code);
        if *self == Self::StepUp {
            sink.within("StsRsnInf", |s| s.within("Rsn", |s| s.text("Prtry", STEP_UP_REQUIRED)));
        }
        let Self::Rejected(reason) = self else { return };
        sink.within("StsRsnInf", |s| {
            let kind = if is_listed(reason.code.as_str()) { "Cd" } else { "Prtry" };
            s.within("Rsn", |s| s.text(kind, &reason.code));
            s.text_if("AddtlInf", reason.text.as_ref());
        });
    }

    pub(super) fn read(source: &mut Source<'_>) -> Result<Self, Refusal> {
        let code = source.text("TxSts", 4)?;
        let reason = source.within_if("StsRsnInf", |s| {
            s.skip(&["Orgtr"])?;
            let code = s.within_if("Rsn", |s| match s.line_if("Cd")? {
                Some(code) => Ok(code),
                None => s.line("Prtry"),
            })?;
            let text = s.remark_if("AddtlInf")?;
            s.skip(&["AddtlInf"])?;
            Ok(code.map(|code| Reason { code, text }))
        })?;
        source.skip(&["StsRsnInf"])?;
        match &*code {
            "RCVD" => Ok(Self::Received),
            "ACTC" | "PDNG" => {
                let step_up = reason.flatten().is_some_and(|r| r.code.as_str() == STEP_UP_REQUIRED);
                Ok(if step_up { Self::StepUp } else { Self::Pending })
            }
            "ACCP" | "ACSP" | "ACWP" => Ok(Self::Accepted),
            "ACSC" | "ACCC" => Ok(Self::Settled),
            "RJCT" | "CANC" => {
                let reason = reason.flatten().ok_or(Refusal::MissingElement("Rsn"))?;
                Ok(Self::Rejected(reason))
            }
            _ => Err(Refusal::Unreadable("TxSts")),
        }
    }
}

fn is_listed(code: &str) -> bool {
    code.len() <= 4 && code.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

fn hex_digits(s: &str) -> Result<Uuid, NotAnIdentifier> {
    let well_formed = s.len() == 32 && s.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if well_formed { Uuid::try_parse(s).map_err(|_| NotAnIdentifier) } else { Err(NotAnIdentifier) }
}
