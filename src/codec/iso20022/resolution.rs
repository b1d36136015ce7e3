//! `camt.029.001.11`, the resolution of an investigation: whether the money that was asked back will go back.

use super::Header;
use super::cancellation_request::{
    CancellationRequest, read_assignment, read_case, write_assignment, write_case,
};
use super::refusal::Refusal;
use super::sink::Sink;
use super::source::Source;
use super::vocabulary::{EndToEndId, MessageId};
use crate::base::text::Line;

/// What is answered to a request for money back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It will be returned, or has been (`ACCR`).
    Accepted,
    /// It is being looked into (`PDCR`).
    Pending,
    /// It stays (`RJCR`), for a code of the external rejection list, e.g. `CUST`, `NOAS`, `ARDT`.
    Rejected(Line<4>),
}

/// The answer to a [`CancellationRequest`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    /// The request, by its identifier.
    pub request: EndToEndId,
    /// The message that brought the request.
    pub original: MessageId,
    /// The answer.
    pub answer: Answer,
    /// More, in words.
    pub text: Option<Line<105>>,
}

impl Resolution {
    pub(super) const DEFINITION: &'static str = "camt.029.001.11";

    pub(super) fn write(&self, header: &Header, sink: &mut Sink) {
        let (confirmation, status) = match &self.answer {
            Answer::Accepted => ("CNCL", "ACCR"),
            Answer::Pending => ("PDCR", "PDCR"),
            Answer::Rejected(_) => ("RJCR", "RJCR"),
        };
        sink.within("RsltnOfInvstgtn", |s| {
            write_assignment(header, s);
            // The investigation is its asker's, to whom this goes.
            write_case("RslvdCase", &self.request, &header.to, s);
            s.within("Sts", |s| s.text("Conf", confirmation));
            s.within("CxlDtls", |s| {
                s.within("TxInfAndSts", |s| {
                    s.within("OrgnlGrpInf", |s| {
                        s.text("OrgnlMsgId", self.original);
                        s.text("OrgnlMsgNmId", CancellationRequest::DEFINITION);
                    });
                    s.text("TxCxlSts", status);
                    let reason = match &self.answer {
                        Answer::Rejected(code) => Some(code),
                        Answer::Accepted | Answer::Pending => None,
                    };
                    if reason.is_some() || self.text.is_some() {
                        s.within("CxlStsRsnInf", |s| {
                            if let Some(code) = reason {
                                s.within("Rsn", |s| s.text("Cd", code));
                            }
                            s.text_if("AddtlInf", self.text.as_ref());
                        });
                    }
                });
            });
        });
    }

    pub(super) fn read(header: &Header, source: &mut Source<'_>) -> Result<Self, Refusal> {
        source.within("RsltnOfInvstgtn", |s| {
            read_assignment(header, s)?;
            let request = read_case("RslvdCase", s)?;
            s.skip(&["Sts"])?;
            s.within("CxlDtls", |s| {
                s.skip(&["OrgnlGrpInfAndSts", "OrgnlPmtInfAndSts"])?;
                s.within("TxInfAndSts", |s| {
                    s.skip(&["CxlStsId", "RslvdCase"])?;
                    let original = s.within("OrgnlGrpInf", |s| {
                        let original = s.value("OrgnlMsgId", 35)?;
                        if s.text("OrgnlMsgNmId", 35)? != CancellationRequest::DEFINITION {
                            return Err(Refusal::Unreadable("OrgnlMsgNmId"));
                        }
                        s.skip(&["OrgnlCreDtTm"])?;
                        Ok(original)
                    })?;
                    s.skip(&["OrgnlInstrId", "OrgnlEndToEndId", "OrgnlTxId", "OrgnlClrSysRef", "OrgnlUETR"])?;
                    let status = s.text("TxCxlSts", 4)?.into_owned();
                    let (reason, text) = s
                        .within_if("CxlStsRsnInf", |s| {
                            s.skip(&["Orgtr"])?;
                            let reason = s.within_if("Rsn", |s| s.line("Cd"))?;
                            let text = s.remark_if("AddtlInf")?;
                            s.skip(&["AddtlInf"])?;
                            Ok((reason, text))
                        })?
                        .unwrap_or_default();
                    s.skip(&["CxlStsRsnInf", "RsltnRltdInf", "OrgnlIntrBkSttlmAmt", "OrgnlIntrBkSttlmDt"])?;
                    s.skip(&["Assgnr", "Assgne", "OrgnlTxRef"])?;
                    let answer = match (status.as_str(), reason) {
                        ("ACCR", _) => Answer::Accepted,
                        ("PDCR", _) => Answer::Pending,
                        ("RJCR", Some(code)) => Answer::Rejected(code),
                        ("RJCR", None) => return Err(Refusal::MissingElement("Rsn")),
                        _ => return Err(Refusal::Unreadable("TxCxlSts")),
                    };
                    Ok(Self { request, original, answer, text })
                })
            })
        })
    }
}
