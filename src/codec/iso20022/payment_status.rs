//! `pacs.002.001.12`, the payment status report: the clearing system tells what became of a payment, on its own
//! account or because it was asked.

use super::Header;
use super::refusal::Refusal;
use super::request_status::{AboutWhat, read_original_of};
use super::sink::Sink;
use super::source::Source;
use super::vocabulary::{EndToEndId, MessageId, TransactionStatus, Uetr};
use crate::base::clock::Instant;
use crate::base::text::Line;

/// What became of a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentStatus {
    /// The inquiry that this answers, if it answers one.
    pub inquiry: Option<MessageId>,
    /// Which of our messages it is about.
    pub about: AboutWhat,
    /// The message that carried it.
    pub original: MessageId,
    /// The payment.
    pub end_to_end_id: EndToEndId,
    /// Its other name.
    pub uetr: Option<Uetr>,
    /// How far it has come.
    pub status: TransactionStatus,
    /// When the payer agreed.
    pub accepted: Option<Instant>,
    /// The clearing system's own reference.
    pub clearing_reference: Option<Line<35>>,
}

impl PaymentStatus {
    pub(super) const DEFINITION: &'static str = "pacs.002.001.12";

    pub(super) fn write(&self, header: &Header, sink: &mut Sink) {
        sink.within("FIToFIPmtStsRpt", |s| {
            s.within("GrpHdr", |s| {
                header.write_group(s);
                if let Some(inquiry) = self.inquiry {
                    s.within("OrgnlBizQry", |s| s.text("MsgId", inquiry));
                }
            });
            s.within("TxInfAndSts", |s| {
                s.within("OrgnlGrpInf", |s| {
                    s.text("OrgnlMsgId", self.original);
                    s.text("OrgnlMsgNmId", self.about.definition());
                });
                s.text("OrgnlEndToEndId", self.end_to_end_id);
                s.text_if("OrgnlUETR", self.uetr);
                self.status.write(s);
                if let Some(accepted) = self.accepted {
                    s.instant("AccptncDtTm", accepted);
                }
                s.text_if("ClrSysRef", self.clearing_reference.as_ref());
            });
        });
    }

    pub(super) fn read(header: &Header, source: &mut Source<'_>) -> Result<Self, Refusal> {
        source.within("FIToFIPmtStsRpt", |s| {
            let inquiry = s.within("GrpHdr", |s| {
                header.read_group(s)?;
                s.skip(&["InstgAgt", "InstdAgt"])?;
                s.within_if("OrgnlBizQry", |s| {
                    let inquiry = s.value("MsgId", 35)?;
                    s.skip(&["MsgNmId", "CreDtTm"])?;
                    Ok(inquiry)
                })
            })?;
            s.within("TxInfAndSts", |s| {
                s.skip(&["StsId"])?;
                let (original, about) = s.within("OrgnlGrpInf", |s| {
                    let original = read_original_of(s)?;
                    s.skip(&["OrgnlCreDtTm"])?;
                    Ok(original)
                })?;
                s.skip(&["OrgnlInstrId"])?;
                let end_to_end_id = s.value("OrgnlEndToEndId", 35)?;
                s.skip(&["OrgnlTxId"])?;
                let uetr = s.value_if("OrgnlUETR", 36)?;
                let status = TransactionStatus::read(s)?;
                s.skip(&["ChrgsInf"])?;
                let accepted = s.instant_if("AccptncDtTm")?;
                s.skip(&["FctvIntrBkSttlmDt", "AcctSvcrRef"])?;
                let clearing_reference = s.line_if("ClrSysRef")?;
                s.skip(&["InstgAgt", "InstdAgt", "OrgnlTxRef"])?;
                Ok(Self {
                    inquiry,
                    about,
                    original,
                    end_to_end_id,
                    uetr,
                    status,
                    accepted,
                    clearing_reference,
                })
            })
        })
    }
}
