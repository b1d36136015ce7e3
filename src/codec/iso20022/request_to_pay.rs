//! `pain.013.001.10`, the creditor's payment activation request: please ask this payer for this money.
//!
//! One message asks for one payment. The bank that is asked is the debtor's agent; the debtor's name may be left
//! out, because anybody may pay a bill.

use super::Header;
use super::refusal::Refusal;
use super::sink::Sink;
use super::source::Source;
use super::vocabulary::{
    AccountNumber, Agent, EndToEndId, Uetr, read_account, read_party, read_party_if, write_account,
    write_party,
};
use crate::base::clock::Instant;
use crate::base::money::Money;
use crate::base::text::Line;

/// The longest address of a page that the payer may return to.
const RETURN_URL_MAX: usize = 2_048;

/// A request that a payer's bank shall present to its customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestToPay {
    /// Follows the payment through every later message.
    pub end_to_end_id: EndToEndId,
    /// The same, for banks abroad and investigations.
    pub uetr: Uetr,
    /// How much.
    pub amount: Money,
    /// When the request lapses.
    pub expires: Instant,
    /// Who is asked, if the creditor knows.
    pub debtor: Option<Line<140>>,
    /// The bank that shall ask.
    pub debtor_agent: Agent,
    /// Who receives the money.
    pub creditor: Line<140>,
    /// The creditor's bank.
    pub creditor_agent: Agent,
    /// The account to be credited.
    pub creditor_account: AccountNumber,
    /// What the payer and both statements will read.
    pub remittance: Line<140>,
    /// The page that tells what is paid for, where the payer returns (remittance location `URID`).
    pub return_url: Option<String>,
}

impl RequestToPay {
    pub(super) const DEFINITION: &'static str = "pain.013.001.10";

    pub(super) fn write(&self, header: &Header, sink: &mut Sink) {
        sink.within("CdtrPmtActvtnReq", |s| {
            s.within("GrpHdr", |s| {
                header.write_group(s);
                s.text("NbOfTxs", 1);
                write_party("InitgPty", Some(&self.creditor), s);
            });
            s.within("PmtInf", |s| {
                s.text("PmtInfId", self.end_to_end_id);
                s.text("PmtMtd", "TRF");
                s.within("XpryDt", |s| s.instant("DtTm", self.expires));
                write_party("Dbtr", self.debtor.as_ref(), s);
                self.debtor_agent.write("DbtrAgt", s);
                s.within("CdtTrfTx", |s| self.write_transfer(s));
            });
        });
    }

    fn write_transfer(&self, sink: &mut Sink) {
        sink.within("PmtId", |s| {
            s.text("EndToEndId", self.end_to_end_id);
            s.text("UETR", self.uetr);
        });
        sink.within("Amt", |s| s.amount("InstdAmt", self.amount));
        sink.text("ChrgBr", "SLEV");
        self.creditor_agent.write("CdtrAgt", sink);
        write_party("Cdtr", Some(&self.creditor), sink);
        write_account("CdtrAcct", &self.creditor_account, sink);
        if let Some(url) = &self.return_url {
            sink.within("RltdRmtInf", |s| {
                s.within("RmtLctnDtls", |s| {
                    s.text("Mtd", "URID");
                    s.text("ElctrncAdr", url);
                });
            });
        }
        sink.within("RmtInf", |s| s.text("Ustrd", &self.remittance));
    }

    pub(super) fn read(header: &Header, source: &mut Source<'_>) -> Result<Self, Refusal> {
        source.within("CdtrPmtActvtnReq", |s| {
            s.within("GrpHdr", |s| {
                header.read_group(s)?;
                one(s, "NbOfTxs")?;
                s.skip(&["CtrlSum"])?;
                read_party("InitgPty", s)?;
                s.skip(&["FwdgAgt"])
            })?;
            s.within("PmtInf", Self::read_instruction)
        })
    }

    fn read_instruction(s: &mut Source<'_>) -> Result<Self, Refusal> {
        s.skip(&["PmtInfId"])?;
        if s.text("PmtMtd", 3)? != "TRF" {
            return Err(Refusal::Unreadable("PmtMtd"));
        }
        s.skip(&["ReqdAdvcTp", "PmtTpInf", "ReqdExctnDt"])?;
        let expires = s.within("XpryDt", |s| match s.value_if("Dt", 10)? {
            Some(day) => Ok(crate::base::calendar::Day::end(day)),
            None => s.instant("DtTm"),
        })?;
        let debtor = read_party("Dbtr", s)?;
        s.skip(&["DbtrAcct"])?;
        let debtor_agent = Agent::read("DbtrAgt", s)?;
        s.skip(&["DbtrAgtAcct", "UltmtDbtr", "ChrgBr"])?;
        let transfer = s.within("CdtTrfTx", Transfer::read)?;
        Ok(Self {
            end_to_end_id: transfer.end_to_end_id,
            uetr: transfer.uetr,
            amount: transfer.amount,
            expires,
            debtor,
            debtor_agent,
            creditor: transfer.creditor,
            creditor_agent: transfer.creditor_agent,
            creditor_account: transfer.creditor_account,
            remittance: transfer.remittance,
            return_url: transfer.return_url,
        })
    }
}

/// The inner half of the request, as it is read.
struct Transfer {
    end_to_end_id: EndToEndId,
    uetr: Uetr,
    amount: Money,
    creditor: Line<140>,
    creditor_agent: Agent,
    creditor_account: AccountNumber,
    remittance: Line<140>,
    return_url: Option<String>,
}

impl Transfer {
    fn read(s: &mut Source<'_>) -> Result<Self, Refusal> {
        let (end_to_end_id, uetr) = s.within("PmtId", |s| {
            s.skip(&["InstrId"])?;
            Ok((s.value("EndToEndId", 35)?, s.value("UETR", 36)?))
        })?;
        s.skip(&["PmtTpInf"])?;
        let amount = s.within("Amt", |s| s.positive("InstdAmt"))?;
        s.text("ChrgBr", 4)?;
        s.skip(&["UltmtDbtr"])?;
        let creditor_agent = Agent::read("CdtrAgt", s)?;
        let creditor = read_party_if("Cdtr", s)?.ok_or(Refusal::MissingElement("Nm"))?;
        let creditor_account = read_account("CdtrAcct", s)?;
        s.skip(&["UltmtCdtr", "Purp"])?;
        let return_url = s.within_if("RltdRmtInf", |s| {
            s.skip(&["RmtId"])?;
            s.within("RmtLctnDtls", |s| {
                if s.text("Mtd", 4)? != "URID" {
                    return Err(Refusal::Unreadable("Mtd"));
                }
                Ok(s.text("ElctrncAdr", RETURN_URL_MAX)?.into_owned())
            })
        })?;
        let remittance = s.within("RmtInf", |s| s.line("Ustrd"))?;
        Ok(Self {
            end_to_end_id,
            uetr,
            amount,
            creditor,
            creditor_agent,
            creditor_account,
            remittance,
            return_url,
        })
    }
}

/// A count that must be one.
pub(super) fn one(s: &mut Source<'_>, name: &'static str) -> Result<(), Refusal> {
    if s.text(name, 15)? == "1" { Ok(()) } else { Err(Refusal::WrongTotal) }
}
