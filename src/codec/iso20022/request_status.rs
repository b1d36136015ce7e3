//! `pain.014.001.10`, the answer to a request to pay: received, presented to the payer, or refused.

use super::Header;
use super::credit_transfer::CreditTransfer;
use super::payment_return::PaymentReturn;
use super::refusal::Refusal;
use super::request_to_pay::RequestToPay;
use super::sink::Sink;
use super::source::Source;
use super::vocabulary::{EndToEndId, MessageId, TransactionStatus, Uetr, read_party, write_party};

/// What became of a request to pay so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestStatus {
    /// The message that carried the request.
    pub original: MessageId,
    /// The payment that it asked for.
    pub end_to_end_id: EndToEndId,
    /// Its other name.
    pub uetr: Option<Uetr>,
    /// How far it has come.
    pub status: TransactionStatus,
}

impl RequestStatus {
    pub(super) const DEFINITION: &'static str = "pain.014.001.10";

    pub(super) fn write(&self, header: &Header, sink: &mut Sink) {
        sink.within("CdtrPmtActvtnReqStsRpt", |s| {
            s.within("GrpHdr", |s| {
                header.write_group(s);
                write_party("InitgPty", None, s);
            });
            s.within("OrgnlGrpInfAndSts", |s| {
                s.text("OrgnlMsgId", self.original);
                s.text("OrgnlMsgNmId", RequestToPay::DEFINITION);
            });
            s.within("OrgnlPmtInfAndSts", |s| {
                s.text("OrgnlPmtInfId", self.end_to_end_id);
                s.within("TxInfAndSts", |s| {
                    s.text("OrgnlEndToEndId", self.end_to_end_id);
                    s.text_if("OrgnlUETR", self.uetr);
                    self.status.write(s);
                });
            });
        });
    }

    pub(super) fn read(header: &Header, source: &mut Source<'_>) -> Result<Self, Refusal> {
        source.within("CdtrPmtActvtnReqStsRpt", |s| {
            s.within("GrpHdr", |s| {
                header.read_group(s)?;
                read_party("InitgPty", s)?;
                s.skip(&["FwdgAgt", "DbtrAgt", "CdtrAgt"])
            })?;
            let original = s.within("OrgnlGrpInfAndSts", |s| {
                let original = read_original(s)?;
                s.skip(&[
                    "OrgnlCreDtTm",
                    "OrgnlNbOfTxs",
                    "OrgnlCtrlSum",
                    "GrpSts",
                    "StsRsnInf",
                    "NbOfTxsPerSts",
                ])?;
                Ok(original)
            })?;
            s.within("OrgnlPmtInfAndSts", |s| {
                s.text("OrgnlPmtInfId", 35)?;
                s.skip(&["OrgnlNbOfTxs", "OrgnlCtrlSum", "PmtInfSts", "StsRsnInf", "NbOfTxsPerSts"])?;
                s.within("TxInfAndSts", |s| {
                    s.skip(&["StsId", "OrgnlInstrId"])?;
                    let end_to_end_id = s.value("OrgnlEndToEndId", 35)?;
                    let uetr = s.value_if("OrgnlUETR", 36)?;
                    let status = TransactionStatus::read(s)?;
                    s.skip(&[
                        "PmtCondSts",
                        "ChrgsInf",
                        "DbtrDcsnDtTm",
                        "AccptncDtTm",
                        "AcctSvcrRef",
                        "ClrSysRef",
                    ])?;
                    s.skip(&["OrgnlTxRef"])?;
                    Ok(Self { original, end_to_end_id, uetr, status })
                })
            })
        })
    }
}

/// Which of our messages a status or an inquiry speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AboutWhat {
    /// A request to pay.
    #[default]
    Request,
    /// A payment return.
    Return,
    /// An order to pass money on.
    Transfer,
}

impl AboutWhat {
    /// The message definition.
    pub(super) const fn definition(self) -> &'static str {
        match self {
            Self::Request => RequestToPay::DEFINITION,
            Self::Return => PaymentReturn::DEFINITION,
            Self::Transfer => CreditTransfer::DEFINITION,
        }
    }
}

/// The name of the request that a status speaks of.
pub(super) fn read_original(s: &mut Source<'_>) -> Result<MessageId, Refusal> {
    match read_original_of(s)? {
        (original, AboutWhat::Request) => Ok(original),
        (_, AboutWhat::Return | AboutWhat::Transfer) => Err(Refusal::Unreadable("OrgnlMsgNmId")),
    }
}

/// The name and the kind of the message that a status speaks of.
pub(super) fn read_original_of(s: &mut Source<'_>) -> Result<(MessageId, AboutWhat), Refusal> {
    let original = s.value("OrgnlMsgId", 35)?;
    let definition = s.text("OrgnlMsgNmId", 35)?;
    let about = [AboutWhat::Request, AboutWhat::Return, AboutWhat::Transfer]
        .into_iter()
        .find(|a| a.definition() == definition);
    about.map(|about| (original, about)).ok_or(Refusal::Unreadable("OrgnlMsgNmId"))
}
