//! `pacs.008.001.10`, the customer credit transfer: money goes on from an account of ours to another.
//!
//! One message carries one order. Its number in the sender's books stands where the remittance text does, so that both
//! statements show the same words.

use super::Header;
use super::refusal::Refusal;
use super::request_to_pay::one;
use super::sink::Sink;
use super::source::Source;
use super::vocabulary::{
    AccountNumber, Agent, EndToEndId, Uetr, read_account, read_party_if, write_account, write_party,
};
use crate::base::calendar::Day;
use crate::base::money::Money;
use crate::base::text::Line;

/// An order on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditTransfer {
    /// Names the order in every later message; the entry that books it bears it as its EndToEndId.
    pub id: EndToEndId,
    /// Its other name.
    pub uetr: Uetr,
    /// How much.
    pub amount: Money,
    /// The day from which the money shall count.
    pub value: Day,
    /// Whose account is debited.
    pub debtor: Line<140>,
    /// That account.
    pub debtor_account: AccountNumber,
    /// The bank that keeps it.
    pub debtor_agent: Agent,
    /// The bank that gets the money.
    pub creditor_agent: Agent,
    /// Whose account is credited.
    pub creditor: Line<140>,
    /// That account.
    pub creditor_account: AccountNumber,
    /// What both statements show.
    pub remittance: Line<140>,
}

impl CreditTransfer {
    pub(super) const DEFINITION: &'static str = "pacs.008.001.10";

    pub(super) fn write(&self, header: &Header, sink: &mut Sink) {
        sink.within("FIToFICstmrCdtTrf", |s| {
            s.within("GrpHdr", |s| {
                header.write_group(s);
                s.text("NbOfTxs", 1);
                s.within("SttlmInf", |s| s.text("SttlmMtd", "CLRG"));
            });
            s.within("CdtTrfTxInf", |s| {
                s.within("PmtId", |s| {
                    s.text("EndToEndId", self.id);
                    s.text("UETR", self.uetr);
                });
                s.amount("IntrBkSttlmAmt", self.amount);
                s.text("IntrBkSttlmDt", self.value);
                s.text("ChrgBr", "SLEV");
                write_party("Dbtr", Some(&self.debtor), s);
                write_account("DbtrAcct", &self.debtor_account, s);
                self.debtor_agent.write("DbtrAgt", s);
                self.creditor_agent.write("CdtrAgt", s);
                write_party("Cdtr", Some(&self.creditor), s);
                write_account("CdtrAcct", &self.creditor_account, s);
                s.within("RmtInf", |s| s.text("Ustrd", &self.remittance));
            });
        });
    }

    pub(super) fn read(header: &Header, source: &mut Source<'_>) -> Result<Self, Refusal> {
        source.within("FIToFICstmrCdtTrf", |s| {
            s.within("GrpHdr", |s| {
                header.read_group(s)?;
                s.skip(&["BtchBookg"])?;
                one(s, "NbOfTxs")?;
                s.skip(&["CtrlSum", "TtlIntrBkSttlmAmt", "IntrBkSttlmDt"])?;
                s.within("SttlmInf", |s| {
                    s.text("SttlmMtd", 4)?;
                    s.skip(&["SttlmAcct", "ClrSys"])
                })?;
                s.skip(&["PmtTpInf", "InstgAgt", "InstdAgt"])
            })?;
            s.within("CdtTrfTxInf", |s| {
                let (id, uetr) = s.within("PmtId", |s| {
                    s.skip(&["InstrId"])?;
                    let id = s.value("EndToEndId", 35)?;
                    s.skip(&["TxId"])?;
                    let uetr = s.value("UETR", 36)?;
                    s.skip(&["ClrSysRef"])?;
                    Ok((id, uetr))
                })?;
                s.skip(&["PmtTpInf"])?;
                let amount = s.positive("IntrBkSttlmAmt")?;
                let value = s.value("IntrBkSttlmDt", 10)?;
                s.skip(&[
                    "SttlmPrty",
                    "SttlmTmIndctn",
                    "SttlmTmReq",
                    "AccptncDtTm",
                    "PoolgAdjstmntDt",
                    "InstdAmt",
                ])?;
                s.skip(&["XchgRate", "ChrgBr", "ChrgsInf", "InstgAgt", "InstdAgt", "UltmtDbtr", "InitgPty"])?;
                let debtor = read_party_if("Dbtr", s)?.ok_or(Refusal::MissingElement("Nm"))?;
                let debtor_account = read_account("DbtrAcct", s)?;
                let debtor_agent = Agent::read("DbtrAgt", s)?;
                s.skip(&["DbtrAgtAcct"])?;
                let creditor_agent = Agent::read("CdtrAgt", s)?;
                s.skip(&["CdtrAgtAcct"])?;
                let creditor = read_party_if("Cdtr", s)?.ok_or(Refusal::MissingElement("Nm"))?;
                let creditor_account = read_account("CdtrAcct", s)?;
                s.skip(&[
                    "UltmtCdtr",
                    "InstrForCdtrAgt",
                    "InstrForNxtAgt",
                    "Purp",
                    "RgltryRptg",
                    "Tax",
                    "RltdRmtInf",
                ])?;
                let remittance = s.within("RmtInf", |s| s.line("Ustrd"))?;
                Ok(Self {
                    id,
                    uetr,
                    amount,
                    value,
                    debtor,
                    debtor_account,
                    debtor_agent,
                    creditor_agent,
                    creditor,
                    creditor_account,
                    remittance,
                })
            })
        })
    }
}
