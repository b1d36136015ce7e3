//! Why a message is not read.

use crate::base::money::MoneyError;

/// The first thing found wrong with a message. The code is stable and travels back in the `admi.002`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// More bytes than the reader was told to accept.
    #[error("the message is too large")]
    TooLarge,
    /// Not UTF-8.
    #[error("the message is not UTF-8 text")]
    NotUtf8,
    /// Not well-formed XML 1.0.
    #[error("the message is not well-formed XML")]
    Malformed,
    /// A document type declaration, and with it any entity definition.
    #[error("the message holds a document type declaration")]
    DocumentType,
    /// A reference to an entity other than the five of XML.
    #[error("the message refers to an entity")]
    Entity,
    /// A processing instruction.
    #[error("the message holds a processing instruction")]
    ProcessingInstruction,
    /// A comment, a CDATA section, a namespace prefix or text between elements: none is ever needed here.
    #[error("the message holds a {0}")]
    ForbiddenMarkup(&'static str),
    /// A character that XML 1.0 forbids.
    #[error("the message holds a control character")]
    ControlCharacter,
    /// Elements within elements beyond any message that we speak.
    #[error("the message is nested too deeply")]
    TooDeep,
    /// The wrong namespace, or none, where one is due.
    #[error("{0} is not in the namespace that its place demands")]
    WrongNamespace(&'static str),
    /// A message definition that we do not speak.
    #[error("message definition {0} is not spoken here")]
    UnknownMessage(String),
    /// The Document is not what the header announces.
    #[error("the Document is not the message that its header announces")]
    AnotherMessage,
    /// MsgId is not BizMsgIdr.
    #[error("MsgId and BizMsgIdr differ")]
    AnotherIdentifier,
    /// Something is missing.
    #[error("element {0} is missing")]
    MissingElement(&'static str),
    /// An element that does not belong there, or not there in that order.
    #[error("element {0} is unknown or out of place")]
    UnexpectedElement(String),
    /// An element twice where one is allowed.
    #[error("element {0} occurs twice")]
    DuplicateElement(String),
    /// An attribute other than the currency of an amount.
    #[error("element {0} carries an attribute that is unknown or missing")]
    WrongAttribute(&'static str),
    /// A text beyond the length that the standard gives it.
    #[error("element {0} is too long")]
    TooLong(&'static str),
    /// A text that is not what its element holds: a date, an identifier, a code.
    #[error("element {0} cannot be read")]
    Unreadable(&'static str),
    /// Not an amount of a currency that we keep books in.
    #[error("amount {element}: {why}")]
    Amount {
        /// The element that holds it.
        element: &'static str,
        /// What is wrong with it.
        why: MoneyError,
    },
    /// An amount of nothing where money moves.
    #[error("amount {0} is zero")]
    ZeroAmount(&'static str),
    /// An entry that is not booked: it is news, not money.
    #[error("an entry is not booked")]
    NotBooked,
    /// Entries, totals and balances do not agree.
    #[error("the totals do not add up")]
    WrongTotal,
}

impl Refusal {
    /// The code by which the other side tells refusals apart.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge => "message_too_large",
            Self::NotUtf8 => "not_utf8",
            Self::Malformed => "malformed_xml",
            Self::DocumentType => "document_type_refused",
            Self::Entity => "entity_refused",
            Self::ProcessingInstruction => "processing_instruction_refused",
            Self::ForbiddenMarkup(_) => "markup_refused",
            Self::ControlCharacter => "control_character",
            Self::TooDeep => "nested_too_deeply",
            Self::WrongNamespace(_) => "wrong_namespace",
            Self::UnknownMessage(_) => "unknown_message",
            Self::AnotherMessage => "header_and_document_differ",
            Self::AnotherIdentifier => "identifiers_differ",
            Self::MissingElement(_) => "missing_element",
            Self::UnexpectedElement(_) => "unexpected_element",
            Self::DuplicateElement(_) => "duplicate_element",
            Self::WrongAttribute(_) => "wrong_attribute",
            Self::TooLong(_) => "text_too_long",
            Self::Unreadable(_) => "unreadable_element",
            Self::Amount { why: MoneyError::Fraction, .. } => "amount_has_fraction",
            Self::Amount { why: MoneyError::TooLarge, .. } => "amount_too_large",
            Self::Amount { why: MoneyError::UnknownCurrency, .. } => "unknown_currency",
            Self::Amount { why: MoneyError::NotANumber | MoneyError::MixedCurrencies, .. } => {
                "amount_unreadable"
            }
            Self::ZeroAmount(_) => "amount_is_zero",
            Self::NotBooked => "entry_not_booked",
            Self::WrongTotal => "wrong_total",
        }
    }
}
