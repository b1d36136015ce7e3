//! `pacs.004.001.11`, the payment return: money that came goes back to the account that paid.
//!
//! The original transfer is named by what its bank told of it: UETR, the payer's reference, the clearing system's
//! reference. Nobody has to know the payer's account for it; the payer's bank does. One message returns one transfer,
//! whole or in part.

use super::Header;
use super::refusal::Refusal;
use super::request_to_pay::one;
use super::sink::Sink;
use super::source::Source;
use super::vocabulary::{AccountNumber, Agent, EndToEndId, Uetr, read_account, write_account};
use crate::base::calendar::Day;
use crate::base::money::Money;
use crate::base::text::Line;

/// How the clearing system knows the transfer that is returned or asked back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OriginalTransfer {
    /// The payer's reference.
    pub end_to_end: Option<Line<35>>,
    /// The unique reference of the transfer.
    pub uetr: Option<Uetr>,
    /// The clearing system's reference.
    pub clearing_reference: Option<Line<35>>,
}

/// A return on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentReturn {
    /// Names the return in every later message (`RtrId`); the entry that books it bears it as its EndToEndId.
    pub id: EndToEndId,
    /// What is returned.
    pub original: OriginalTransfer,
    /// How much had come.
    pub original_amount: Money,
    /// How much goes back.
    pub amount: Money,
    /// The day from which the money shall count.
    pub value: Day,
    /// The account that is debited.
    pub account: AccountNumber,
    /// The payer's bank.
    pub payer_agent: Agent,
    /// A code of the external return reason list, e.g. `CUST`, `DUPL`.
    pub reason: Line<4>,
    /// What the payer reads: the bill's reference and why.
    pub text: Line<105>,
}

impl PaymentReturn {
    pub(super) const DEFINITION: &'static str = "pacs.004.001.11";

    pub(super) fn write(&self, header: &Header, sink: &mut Sink) {
        sink.within("PmtRtr", |s| {
            s.within("GrpHdr", |s| {
                header.write_group(s);
                s.text("NbOfTxs", 1);
                s.within("SttlmInf", |s| {
                    s.text("SttlmMtd", "CLRG");
                    write_account("SttlmAcct", &self.account, s);
                });
            });
            s.within("TxInf", |s| {
                s.text("RtrId", self.id);
                s.text_if("OrgnlEndToEndId", self.original.end_to_end.as_ref());
                s.text_if("OrgnlUETR", self.original.uetr);
                s.text_if("OrgnlClrSysRef", self.original.clearing_reference.as_ref());
                s.amount("OrgnlIntrBkSttlmAmt", self.original_amount);
                s.amount("RtrdIntrBkSttlmAmt", self.amount);
                s.text("IntrBkSttlmDt", self.value);
                s.text("ChrgBr", "SLEV");
                self.payer_agent.write("InstdAgt", s);
                s.within("RtrRsnInf", |s| {
                    s.within("Rsn", |s| s.text("Cd", &self.reason));
                    s.text("AddtlInf", &self.text);
                });
            });
        });
    }

    pub(super) fn read(header: &Header, source: &mut Source<'_>) -> Result<Self, Refusal> {
        source.within("PmtRtr", |s| {
            let account = s.within("GrpHdr", |s| {
                header.read_group(s)?;
                s.skip(&["Authstn", "BtchBookg"])?;
                one(s, "NbOfTxs")?;
                s.skip(&["CtrlSum", "GrpRtr", "TtlRtrdIntrBkSttlmAmt", "IntrBkSttlmDt"])?;
                let account = s.within("SttlmInf", |s| {
                    s.text("SttlmMtd", 4)?;
                    let account = read_account("SttlmAcct", s)?;
                    s.skip(&["ClrSys", "InstgRmbrsmntAgt", "InstgRmbrsmntAgtAcct", "InstdRmbrsmntAgt"])?;
                    s.skip(&["InstdRmbrsmntAgtAcct", "ThrdRmbrsmntAgt", "ThrdRmbrsmntAgtAcct"])?;
                    Ok(account)
                })?;
                s.skip(&["PmtTpInf", "InstgAgt", "InstdAgt"])?;
                Ok(account)
            })?;
            s.skip(&["OrgnlGrpInf"])?;
            s.within("TxInf", |s| {
                let id = s.value("RtrId", 35)?;
                s.skip(&["OrgnlGrpInf", "OrgnlInstrId"])?;
                let end_to_end = s.line_if("OrgnlEndToEndId")?;
                s.skip(&["OrgnlTxId"])?;
                let uetr = s.value_if("OrgnlUETR", 36)?;
                let clearing_reference = s.line_if("OrgnlClrSysRef")?;
                let original = OriginalTransfer { end_to_end, uetr, clearing_reference };
                let original_amount = s.positive("OrgnlIntrBkSttlmAmt")?;
                s.skip(&["OrgnlIntrBkSttlmDt", "PmtTpInf"])?;
                let amount = s.positive("RtrdIntrBkSttlmAmt")?;
                let value = s.value("IntrBkSttlmDt", 10)?;
                s.skip(&["SttlmPrty", "SttlmTmIndctn", "SttlmTmReq", "RtrdInstdAmt", "XchgRate"])?;
                s.skip(&["CompstnAmt", "ChrgBr", "ChrgsInf", "ClrSysRef", "InstgAgt"])?;
                let payer_agent = Agent::read("InstdAgt", s)?;
                s.skip(&["RtrChain"])?;
                let (reason, text) = s.within("RtrRsnInf", |s| {
                    s.skip(&["Orgtr"])?;
                    let reason = s.within("Rsn", |s| s.line("Cd"))?;
                    Ok((reason, s.line("AddtlInf")?))
                })?;
                s.skip(&["OrgnlTxRef"])?;
                Ok(Self { id, original, original_amount, amount, value, account, payer_agent, reason, text })
            })
        })
    }
}
