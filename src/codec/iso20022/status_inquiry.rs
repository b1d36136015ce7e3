//! `pacs.028.001.05`, the payment status request: what became of the payment that we asked for?

use super::Header;
use super::refusal::Refusal;
use super::request_status::{AboutWhat, read_original_of};
use super::sink::Sink;
use super::source::Source;
use super::vocabulary::{EndToEndId, MessageId, Uetr};

/// A question about one payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusInquiry {
    /// Which of our messages it is about.
    pub about: AboutWhat,
    /// The message that carried it.
    pub original: MessageId,
    /// The payment.
    pub end_to_end_id: EndToEndId,
    /// Its other name.
    pub uetr: Option<Uetr>,
}

impl StatusInquiry {
    pub(super) const DEFINITION: &'static str = "pacs.028.001.05";

    pub(super) fn write(&self, header: &Header, sink: &mut Sink) {
        sink.within("FIToFIPmtStsReq", |s| {
            s.within("GrpHdr", |s| header.write_group(s));
            s.within("TxInf", |s| {
                s.within("OrgnlGrpInf", |s| {
                    s.text("OrgnlMsgId", self.original);
                    s.text("OrgnlMsgNmId", self.about.definition());
                });
                s.text("OrgnlEndToEndId", self.end_to_end_id);
                s.text_if("OrgnlUETR", self.uetr);
            });
        });
    }

    pub(super) fn read(header: &Header, source: &mut Source<'_>) -> Result<Self, Refusal> {
        source.within("FIToFIPmtStsReq", |s| {
            s.within("GrpHdr", |s| {
                header.read_group(s)?;
                s.skip(&["InstgAgt", "InstdAgt"])
            })?;
            s.within("TxInf", |s| {
                s.skip(&["StsReqId"])?;
                let (original, about) = s.within("OrgnlGrpInf", |s| {
                    let original = read_original_of(s)?;
                    s.skip(&["OrgnlCreDtTm"])?;
                    Ok(original)
                })?;
                s.skip(&["OrgnlInstrId"])?;
                let end_to_end_id = s.value("OrgnlEndToEndId", 35)?;
                s.skip(&["OrgnlTxId"])?;
                let uetr = s.value_if("OrgnlUETR", 36)?;
                s.skip(&["AccptncDtTm", "ClrSysRef", "InstgAgt", "InstdAgt", "OrgnlTxRef"])?;
                Ok(Self { about, original, end_to_end_id, uetr })
            })
        })
    }
}
