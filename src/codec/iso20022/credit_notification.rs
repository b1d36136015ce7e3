//! `camt.054.001.10`, the debit and credit notification: money has moved on this account just now. It is the message
//! that settles payments, and the one that arrives most.

use super::Header;
use super::entry::Entry;
use super::refusal::Refusal;
use super::sink::Sink;
use super::source::Source;
use super::statement::{read_summary, write_summary};
use super::vocabulary::{AccountNumber, read_account, write_account};

/// One or more movements on one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditNotification {
    /// The account.
    pub account: AccountNumber,
    /// What moved; never empty.
    pub entries: Vec<Entry>,
}

impl CreditNotification {
    pub(super) const DEFINITION: &'static str = "camt.054.001.10";

    pub(super) fn write(&self, header: &Header, sink: &mut Sink) {
        sink.within("BkToCstmrDbtCdtNtfctn", |s| {
            s.within("GrpHdr", |s| header.write_group(s));
            s.within("Ntfctn", |s| {
                s.text("Id", header.id);
                s.instant("CreDtTm", header.created);
                write_account("Acct", &self.account, s);
                write_summary(&self.entries, s);
                self.entries.iter().for_each(|entry| entry.write(s));
            });
        });
    }

    pub(super) fn read(header: &Header, source: &mut Source<'_>) -> Result<Self, Refusal> {
        source.within("BkToCstmrDbtCdtNtfctn", |s| {
            s.within("GrpHdr", |s| {
                header.read_group(s)?;
                s.skip(&["MsgRcpt", "MsgPgntn", "OrgnlBizQry", "AddtlInf"])
            })?;
            s.within("Ntfctn", |s| {
                s.text("Id", 35)?;
                s.skip(&[
                    "NtfctnPgntn",
                    "ElctrncSeqNb",
                    "RptgSeq",
                    "LglSeqNb",
                    "CreDtTm",
                    "FrToDt",
                    "CpyDplctInd",
                ])?;
                s.skip(&["RptgSrc"])?;
                let account = read_account("Acct", s)?;
                s.skip(&["RltdAcct", "Intrst"])?;
                let summary = read_summary(s)?;
                let (entries, tally) = Entry::read_all(s)?;
                s.skip(&["AddtlNtfctnInf"])?;
                if entries.is_empty() {
                    return Err(Refusal::MissingElement("Ntry"));
                }
                summary.check(&tally)?;
                Ok(Self { account, entries })
            })
        })
    }
}
