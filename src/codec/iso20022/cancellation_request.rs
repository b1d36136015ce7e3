//! `camt.056.001.10`, the payment cancellation request: a bank, or we, would like money back that has been sent.
//!
//! It asks; it takes nothing. The answer is a [`super::Resolution`], and money that goes back goes by a
//! [`super::PaymentReturn`].

use super::Header;
use super::payment_return::OriginalTransfer;
use super::refusal::Refusal;
use super::sink::Sink;
use super::source::Source;
use super::vocabulary::{Agent, EndToEndId, MemberId};
use crate::base::calendar::Day;
use crate::base::money::Money;
use crate::base::text::Line;

/// A request for money back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancellationRequest {
    /// Names the request in its answer (`Case/Id`).
    pub id: EndToEndId,
    /// The transfer.
    pub original: OriginalTransfer,
    /// How much was sent.
    pub amount: Money,
    /// On which day it settled.
    pub settled: Day,
    /// A code of the external cancellation reason list, e.g. `DUPL`, `FRAD`, `CUST`.
    pub reason: Line<4>,
    /// More, in words.
    pub text: Option<Line<105>>,
}

impl CancellationRequest {
    pub(super) const DEFINITION: &'static str = "camt.056.001.10";

    pub(super) fn write(&self, header: &Header, sink: &mut Sink) {
        sink.within("FIToFIPmtCxlReq", |s| {
            write_assignment(header, s);
            write_case("Case", &self.id, &header.from, s);
            s.within("CtrlData", |s| s.text("NbOfTxs", 1));
            s.within("Undrlyg", |s| {
                s.within("TxInf", |s| {
                    s.text("CxlId", self.id);
                    s.text_if("OrgnlEndToEndId", self.original.end_to_end.as_ref());
                    s.text_if("OrgnlUETR", self.original.uetr);
                    s.text_if("OrgnlClrSysRef", self.original.clearing_reference.as_ref());
                    s.amount("OrgnlIntrBkSttlmAmt", self.amount);
                    s.text("OrgnlIntrBkSttlmDt", self.settled);
                    s.within("CxlRsnInf", |s| {
                        s.within("Rsn", |s| s.text("Cd", &self.reason));
                        s.text_if("AddtlInf", self.text.as_ref());
                    });
                });
            });
        });
    }

    pub(super) fn read(header: &Header, source: &mut Source<'_>) -> Result<Self, Refusal> {
        source.within("FIToFIPmtCxlReq", |s| {
            read_assignment(header, s)?;
            let id = read_case("Case", s)?;
            s.skip(&["CtrlData"])?;
            s.within("Undrlyg", |s| {
                s.skip(&["OrgnlGrpInfAndCxl"])?;
                s.within("TxInf", |s| {
                    s.skip(&["CxlId", "Case", "OrgnlGrpInf", "OrgnlInstrId"])?;
                    let end_to_end = s.line_if("OrgnlEndToEndId")?;
                    s.skip(&["OrgnlTxId"])?;
                    let uetr = s.value_if("OrgnlUETR", 36)?;
                    let clearing_reference = s.line_if("OrgnlClrSysRef")?;
                    let original = OriginalTransfer { end_to_end, uetr, clearing_reference };
                    let amount = s.positive("OrgnlIntrBkSttlmAmt")?;
                    let settled = s.value("OrgnlIntrBkSttlmDt", 10)?;
                    s.skip(&["Assgnr", "Assgne"])?;
                    let (reason, text) = s.within("CxlRsnInf", |s| {
                        s.skip(&["Orgtr"])?;
                        let reason = s.within("Rsn", |s| s.line("Cd"))?;
                        let text = s.remark_if("AddtlInf")?;
                        s.skip(&["AddtlInf"])?;
                        Ok((reason, text))
                    })?;
                    s.skip(&["CxlRsnInf", "OrgnlTxRef"])?;
                    Ok(Self { id, original, amount, settled, reason, text })
                })
            })
        })
    }
}

/// Who gives an investigation to whom.
pub(super) fn write_assignment(header: &Header, sink: &mut Sink) {
    sink.within("Assgnmt", |s| {
        s.text("Id", header.id);
        for (name, member) in [("Assgnr", &header.from), ("Assgne", &header.to)] {
            s.within(name, |s| Agent::Member(member.clone()).write("Agt", s));
        }
        s.instant("CreDtTm", header.created);
    });
}

pub(super) fn read_assignment(header: &Header, s: &mut Source<'_>) -> Result<(), Refusal> {
    s.within("Assgnmt", |s| {
        if s.value::<super::MessageId>("Id", 35)? != header.id {
            return Err(Refusal::AnotherIdentifier);
        }
        s.skip(&["Assgnr", "Assgne"])?;
        s.instant("CreDtTm").map(|_| ())
    })
}

/// The investigation, by its creator's identifier.
pub(super) fn write_case(name: &str, id: &EndToEndId, creator: &MemberId, sink: &mut Sink) {
    sink.within(name, |s| {
        s.text("Id", id);
        s.within("Cretr", |s| Agent::Member(creator.clone()).write("Agt", s));
    });
}

pub(super) fn read_case(name: &'static str, s: &mut Source<'_>) -> Result<EndToEndId, Refusal> {
    s.within(name, |s| {
        let id = s.value("Id", 35)?;
        s.skip(&["Cretr", "ReopCaseIndctn"])?;
        Ok(id)
    })
}
