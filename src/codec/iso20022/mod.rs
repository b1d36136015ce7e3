//! The ISO 20022 messages that we speak with the clearing system, as small exact structs.
//!
//! One XML text carries one message: `<Envelope xmlns="urn:chung:iso20022:envelope:1">` around the business
//! application header (`head.001.001.02`) and the `Document`. Amounts are decimal texts and [`Money`], never floats.
//! BizMsgIdr is MsgId; a message is known by its sender and that identifier, and the [digest](Received::digest) over
//! the exact bytes of the `Document` tells whether a second message under one identifier says the same.
//!
//! Readers are strict: what we write validates against the official schemas, and what we read must be one of the
//! elements that the schema allows, in its order. Elements that the schema allows and we have no use for are passed
//! over by name; anything else, and every XML construct beyond elements, text and the two kinds of attribute, is a
//! named [`Refusal`]. Deliberately absent: prefixes, DTDs, IBANs, several transactions in one request or report.
//!
//! [`Money`]: crate::base::money::Money

mod cancellation_request;
mod credit_notification;
mod credit_transfer;
mod entry;
mod message_reject;
mod payment_return;
mod payment_status;
mod refusal;
mod request_status;
mod request_to_pay;
mod resolution;
#[cfg(test)]
mod samples;
mod sink;
mod source;
mod statement;
mod statement_request;
mod status_inquiry;
#[cfg(test)]
mod tests;
mod vocabulary;

pub use cancellation_request::CancellationRequest;
pub use credit_notification::CreditNotification;
pub use credit_transfer::CreditTransfer;
pub use entry::{Charged, Direction, Entry};
pub use message_reject::MessageReject;
pub use payment_return::{OriginalTransfer, PaymentReturn};
pub use payment_status::PaymentStatus;
pub use refusal::Refusal;
pub use request_status::{AboutWhat, RequestStatus};
pub use request_to_pay::RequestToPay;
pub use resolution::{Answer as ResolutionAnswer, Resolution};
pub use statement::{Part, Statement};
pub use statement_request::StatementRequest;
pub use status_inquiry::StatusInquiry;
pub use vocabulary::{
    AccountNumber, Agent, Bic, EndToEndId, MemberId, MessageId, NEVER_RECEIVED, NotAnIdentifier, Reason,
    TransactionStatus, Uetr,
};

use crate::base::clock::Instant;
use crate::crypto::digest::sha256;
use sink::Sink;
use source::Source;

/// The content type under which messages travel.
pub const CONTENT_TYPE: &str = "application/xml";

const ENVELOPE: &str = "urn:chung:iso20022:envelope:1";
const HEADER: &str = "urn:iso:std:iso:20022:tech:xsd:head.001.001.02";
const SCHEMAS: &str = "urn:iso:std:iso:20022:tech:xsd:";

/// The business application header: who says something to whom, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Who sends.
    pub from: MemberId,
    /// To whom.
    pub to: MemberId,
    /// BizMsgIdr and MsgId.
    pub id: MessageId,
    /// When the message was made.
    pub created: Instant,
    /// Whether the sender may have sent it before.
    pub possible_duplicate: bool,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// `pain.013`: please ask this payer for this money.
    RequestToPay(RequestToPay),
    /// `pain.014`: what became of the request so far.
    RequestStatus(RequestStatus),
    /// `pacs.002`: what became of the payment.
    PaymentStatus(PaymentStatus),
    /// `camt.054`: money has moved.
    CreditNotification(CreditNotification),
    /// `camt.053`: the statement of a day.
    Statement(Statement),
    /// `pacs.028`: what became of the payment?
    StatusInquiry(StatusInquiry),
    /// `camt.060`: please send the statement.
    StatementRequest(StatementRequest),
    /// `pacs.004`: this money goes back.
    PaymentReturn(PaymentReturn),
    /// `pacs.008`: this money goes on.
    CreditTransfer(CreditTransfer),
    /// `camt.056`: please give this money back.
    CancellationRequest(CancellationRequest),
    /// `camt.029`: whether it will go back.
    Resolution(Resolution),
    /// `admi.002`: your message was not accepted.
    MessageReject(MessageReject),
}

/// A message that was read, and what identifies its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The header.
    pub header: Header,
    /// The content.
    pub message: Message,
    /// SHA-256 over the exact bytes of the `Document` element.
    pub digest: [u8; 32],
}

/// Writes a message with its header.
pub fn write(header: &Header, message: &Message) -> String {
    let mut sink = Sink::new();
    sink.root("Envelope", ENVELOPE, |s| {
        s.root("AppHdr", HEADER, |s| header.write(message.definition(), s));
        s.root("Document", &format!("{SCHEMAS}{}", message.definition()), |s| message.write(header, s));
    });
    sink.finish()
}

/// Reads a message of at most `bytes_max` bytes.
pub fn read(bytes: &[u8], bytes_max: usize) -> Result<Received, Refusal> {
    let mut source = Source::new(bytes, bytes_max)?;
    let s = &mut source;
    s.enter_root("Envelope", ENVELOPE)?;
    s.enter_root("AppHdr", HEADER)?;
    let (header, definition) = Header::read(s)?;
    s.leave()?;
    let reader = Message::reader(&definition).ok_or(Refusal::UnknownMessage(definition.clone()))?;
    let start = s.enter_root("Document", &format!("{SCHEMAS}{definition}"))?;
    let message = reader(&header, s)?;
    s.leave()?;
    let digest = sha256(s.since(start).as_bytes());
    s.leave()?;
    s.over()?;
    Ok(Received { header, message, digest })
}

type Reader = fn(&Header, &mut Source<'_>) -> Result<Message, Refusal>;

impl Message {
    /// The name of the message definition.
    pub const fn definition(&self) -> &'static str {
        match self {
            Self::RequestToPay(_) => RequestToPay::DEFINITION,
            Self::RequestStatus(_) => RequestStatus::DEFINITION,
            Self::PaymentStatus(_) => PaymentStatus::DEFINITION,
            Self::CreditNotification(_) => CreditNotification::DEFINITION,
            Self::Statement(_) => Statement::DEFINITION,
            Self::StatusInquiry(_) => StatusInquiry::DEFINITION,
            Self::StatementRequest(_) => StatementRequest::DEFINITION,
            Self::PaymentReturn(_) => PaymentReturn::DEFINITION,
            Self::CreditTransfer(_) => CreditTransfer::DEFINITION,
            Self::CancellationRequest(_) => CancellationRequest::DEFINITION,
            Self::Resolution(_) => Resolution::DEFINITION,
            Self::MessageReject(_) => MessageReject::DEFINITION,
        }
    }

    fn write(&self, header: &Header, sink: &mut Sink) {
        match self {
            Self::RequestToPay(message) => message.write(header, sink),
            Self::RequestStatus(message) => message.write(header, sink),
            Self::PaymentStatus(message) => message.write(header, sink),
            Self::CreditNotification(message) => message.write(header, sink),
            Self::Statement(message) => message.write(header, sink),
            Self::StatusInquiry(message) => message.write(header, sink),
            Self::StatementRequest(message) => message.write(header, sink),
            Self::PaymentReturn(message) => message.write(header, sink),
            Self::CreditTransfer(message) => message.write(header, sink),
            Self::CancellationRequest(message) => message.write(header, sink),
            Self::Resolution(message) => message.write(header, sink),
            Self::MessageReject(message) => message.write(sink),
        }
    }

    fn reader(definition: &str) -> Option<Reader> {
        Some(match definition {
            RequestToPay::DEFINITION => |h, s| RequestToPay::read(h, s).map(Self::RequestToPay),
            RequestStatus::DEFINITION => |h, s| RequestStatus::read(h, s).map(Self::RequestStatus),
            PaymentStatus::DEFINITION => |h, s| PaymentStatus::read(h, s).map(Self::PaymentStatus),
            CreditNotification::DEFINITION => {
                |h, s| CreditNotification::read(h, s).map(Self::CreditNotification)
            }
            Statement::DEFINITION => |h, s| Statement::read(h, s).map(Self::Statement),
            StatusInquiry::DEFINITION => |h, s| StatusInquiry::read(h, s).map(Self::StatusInquiry),
            StatementRequest::DEFINITION => |h, s| StatementRequest::read(h, s).map(Self::StatementRequest),
            PaymentReturn::DEFINITION => |h, s| PaymentReturn::read(h, s).map(Self::PaymentReturn),
            CreditTransfer::DEFINITION => |h, s| CreditTransfer::read(h, s).map(Self::CreditTransfer),
            CancellationRequest::DEFINITION => {
                |h, s| CancellationRequest::read(h, s).map(Self::CancellationRequest)
            }
            Resolution::DEFINITION => |h, s| Resolution::read(h, s).map(Self::Resolution),
            MessageReject::DEFINITION => |_, s| MessageReject::read(s).map(Self::MessageReject),
            _ => return None,
        })
    }
}

impl Header {
    fn write(&self, definition: &str, sink: &mut Sink) {
        for (name, member) in [("Fr", &self.from), ("To", &self.to)] {
            sink.within(name, |s| Agent::Member(member.clone()).write("FIId", s));
        }
        sink.text("BizMsgIdr", self.id);
        sink.text("MsgDefIdr", definition);
        sink.instant("CreDt", self.created);
        if self.possible_duplicate {
            sink.text("PssblDplct", "true");
        }
    }

    /// The header and the message definition that it announces.
    fn read(s: &mut Source<'_>) -> Result<(Self, String), Refusal> {
        s.skip(&["CharSet"])?;
        let from = read_member("Fr", s)?;
        let to = read_member("To", s)?;
        let id = s.value("BizMsgIdr", 35)?;
        let definition = s.text("MsgDefIdr", 35)?.into_owned();
        s.skip(&["BizSvc", "MktPrctc"])?;
        let created = s.instant("CreDt")?;
        s.skip(&["BizPrcgDt", "CpyDplct"])?;
        let possible_duplicate =
            s.text_if("PssblDplct", 5)?.is_some_and(|text| text == "true" || text == "1");
        s.skip(&["Prty"])?;
        Ok((Self { from, to, id, created, possible_duplicate }, definition))
    }

    /// The beginning of every group header.
    fn write_group(&self, sink: &mut Sink) {
        sink.text("MsgId", self.id);
        sink.instant("CreDtTm", self.created);
    }

    fn read_group(&self, s: &mut Source<'_>) -> Result<(), Refusal> {
        if s.value::<MessageId>("MsgId", 35)? != self.id {
            return Err(Refusal::AnotherIdentifier);
        }
        s.instant("CreDtTm").map(|_| ())
    }
}

fn read_member(name: &'static str, s: &mut Source<'_>) -> Result<MemberId, Refusal> {
    s.within(name, |s| match Agent::read("FIId", s)? {
        Agent::Member(member) => Ok(member),
        Agent::Bic(_) => Err(Refusal::MissingElement("MmbId")),
    })
}
