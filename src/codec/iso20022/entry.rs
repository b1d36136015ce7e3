//! One movement on an account, as notifications and statements tell it.

use super::refusal::Refusal;
use super::sink::Sink;
use super::source::Source;
use super::vocabulary::{Agent, EndToEndId, Uetr, read_party_inside};
use crate::base::calendar::Day;
use crate::base::clock::Instant;
use crate::base::money::{Currency, Money};
use crate::base::text::Line;

/// Whether money came or went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Money came.
    Credit,
    /// Money went.
    Debit,
}

/// A booked movement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The bank's own reference; it names the movement in the notification and on the statement.
    pub reference: Line<35>,
    /// How much, always above nothing.
    pub amount: Money,
    /// Whether it came or went.
    pub direction: Direction,
    /// Whether it takes back an earlier movement.
    pub reversal: bool,
    /// The bank's business day.
    pub booked: Day,
    /// The day from which the money counts.
    pub value: Day,
    /// The payer's or creditor's reference, whatever it looks like. Ours is an [`EndToEndId`].
    pub end_to_end: Option<Line<35>>,
    /// The unique reference of the transfer.
    pub uetr: Option<Uetr>,
    /// The clearing system's reference.
    pub clearing_reference: Option<Line<35>>,
    /// Who sent or received the money, as the bank spells it; advisory, anybody may pay.
    pub counterparty: Option<Line<140>>,
    /// Their bank.
    pub counterparty_agent: Option<Agent>,
    /// The remittance text.
    pub remittance: Vec<Line<140>>,
    /// When the payer's bank accepted the order.
    pub accepted: Option<Instant>,
    /// What was kept from the transfer on its way, and whether a card company kept it.
    pub charged: Option<Charged>,
}

/// What was kept from a transfer before it was booked: the booked amount is what is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charged {
    /// How much.
    pub amount: Money,
    /// A card company's discount; otherwise a bank's charge.
    pub card: bool,
}

impl Entry {
    /// The payment of ours that the movement names, if its reference is one of ours by its look.
    pub fn end_to_end_id(&self) -> Option<EndToEndId> {
        self.end_to_end.as_ref()?.as_str().parse().ok()
    }

    pub(super) fn write(&self, sink: &mut Sink) {
        let direction = self.direction.code();
        sink.within("Ntry", |s| {
            s.text("NtryRef", &self.reference);
            s.amount("Amt", self.amount);
            s.text("CdtDbtInd", direction);
            if self.reversal {
                s.text("RvslInd", "true");
            }
            s.within("Sts", |s| s.text("Cd", "BOOK"));
            s.day("BookgDt", self.booked);
            s.day("ValDt", self.value);
            s.text("AcctSvcrRef", &self.reference);
            self.write_transaction_code(s);
            s.within("NtryDtls", |s| s.within("TxDtls", |s| self.write_details(s)));
        });
    }

    /// Domestic credit transfers received or issued (the standard's bank transaction codes).
    fn write_transaction_code(&self, sink: &mut Sink) {
        let family = match self.direction {
            Direction::Credit => "RCDT",
            Direction::Debit => "ICDT",
        };
        sink.within("BkTxCd", |s| {
            s.within("Domn", |s| {
                s.text("Cd", "PMNT");
                s.within("Fmly", |s| {
                    s.text("Cd", family);
                    s.text("SubFmlyCd", "DMCT");
                });
            });
        });
    }

    fn write_details(&self, sink: &mut Sink) {
        sink.within("Refs", |s| {
            s.text("AcctSvcrRef", &self.reference);
            s.text_if("EndToEndId", self.end_to_end.as_ref());
            s.text_if("UETR", self.uetr);
            s.text_if("ClrSysRef", self.clearing_reference.as_ref());
        });
        sink.amount("Amt", self.amount);
        sink.text("CdtDbtInd", self.direction.code());
        if let Some(charged) = self.charged {
            sink.within("Chrgs", |s| s.within("Rcrd", |s| charged.write(s)));
        }
        let (party, agent) = self.direction.counterparty();
        if let Some(name) = &self.counterparty {
            sink.within("RltdPties", |s| s.within(party, |s| s.within("Pty", |s| s.text("Nm", name))));
        }
        if let Some(counterparty_agent) = &self.counterparty_agent {
            sink.within("RltdAgts", |s| counterparty_agent.write(agent, s));
        }
        if !self.remittance.is_empty() {
            sink.within("RmtInf", |s| self.remittance.iter().for_each(|line| s.text("Ustrd", line)));
        }
        if let Some(accepted) = self.accepted {
            sink.within("RltdDts", |s| s.instant("AccptncDtTm", accepted));
        }
    }

    /// Reads every `Ntry` and what they come to.
    pub(super) fn read_all(source: &mut Source<'_>) -> Result<(Vec<Self>, Tally), Refusal> {
        let mut entries = Vec::with_capacity(1);
        let mut tally = Tally::default();
        while source.is_next("Ntry")? {
            let (direction, amount) = source.within("Ntry", |s| Self::read(s, &mut entries))?;
            tally.count(direction, amount)?;
        }
        Ok((entries, tally))
    }

    /// Reads one `Ntry`: usually one movement, several when the bank books a batch in one line.
    fn read(s: &mut Source<'_>, entries: &mut Vec<Self>) -> Result<(Direction, Money), Refusal> {
        s.skip(&["NtryRef"])?;
        let amount = s.positive("Amt")?;
        let direction = Direction::read(s)?;
        let reversal = s.text_if("RvslInd", 5)?.is_some_and(|text| text == "true" || text == "1");
        s.within("Sts", |s| if s.text("Cd", 4)? == "BOOK" { Ok(()) } else { Err(Refusal::NotBooked) })?;
        let booked = s.day("BookgDt")?;
        let value = s.day("ValDt")?;
        let reference = s.line("AcctSvcrRef")?;
        s.skip(&["Avlbty"])?;
        s.within("BkTxCd", |s| s.skip(&["Domn", "Prtry"]))?;
        s.skip(&["ComssnWvrInd", "AddtlInfInd", "AmtDtls", "Chrgs", "TechInptChanl", "Intrst", "CardTx"])?;
        let line = Self {
            reference,
            amount,
            direction,
            reversal,
            booked,
            value,
            end_to_end: None,
            uetr: None,
            clearing_reference: None,
            counterparty: None,
            counterparty_agent: None,
            remittance: Vec::new(),
            accepted: None,
            charged: None,
        };
        let first = entries.len();
        while s.enter_if("NtryDtls")? {
            s.skip(&["Btch"])?;
            while s.is_next("TxDtls")? {
                let entry = s.within("TxDtls", |s| line.read_details(s))?;
                entries.push(entry);
            }
            s.leave()?;
        }
        s.skip(&["AddtlNtryInf"])?;
        add_up(line, entries, first)?;
        Ok((direction, amount))
    }

    fn read_details(&self, s: &mut Source<'_>) -> Result<Self, Refusal> {
        let mut entry = self.clone();
        s.within_if("Refs", |s| {
            s.skip(&["MsgId"])?;
            if let Some(own) = s.line_if("AcctSvcrRef")? {
                entry.reference = own;
            }
            s.skip(&["PmtInfId", "InstrId"])?;
            entry.end_to_end = s.remark_if("EndToEndId")?;
            entry.uetr = s.value_if("UETR", 36)?;
            s.skip(&["TxId", "MndtId", "ChqNb"])?;
            entry.clearing_reference = s.remark_if("ClrSysRef")?;
            s.skip(&["AcctOwnrTxId", "AcctSvcrTxId", "MktInfrstrctrTxId", "PrcgId", "Prtry"])
        })?;
        if s.is_next("Amt")? {
            entry.amount = s.positive("Amt")?;
        }
        if s.is_next("CdtDbtInd")? && Direction::read(s)? != entry.direction {
            return Err(Refusal::WrongTotal);
        }
        s.skip(&["AmtDtls", "Avlbty", "BkTxCd"])?;
        entry.charged = s.within_if("Chrgs", Charged::read)?.flatten();
        s.skip(&["Intrst"])?;
        let (party, agent) = entry.direction.counterparty();
        s.within_if("RltdPties", |s| {
            s.skip(not(party, &["InitgPty", "Dbtr", "DbtrAcct", "UltmtDbtr"]))?;
            entry.counterparty = s
                .within_if(party, |s| {
                    s.skip(&["Agt"])?;
                    s.within_if("Pty", read_party_inside)
                })?
                .flatten()
                .flatten();
            s.skip(&["DbtrAcct", "UltmtDbtr", "Cdtr", "CdtrAcct", "UltmtCdtr", "TradgPty", "Prtry"])
        })?;
        s.within_if("RltdAgts", |s| {
            s.skip(not(agent, &["InstgAgt", "InstdAgt", "DbtrAgt"]))?;
            entry.counterparty_agent = Agent::read_if(agent, s)?;
            s.skip(&["CdtrAgt", "IntrmyAgt1", "IntrmyAgt2", "IntrmyAgt3", "RcvgAgt", "DlvrgAgt", "IssgAgt"])?;
            s.skip(&["SttlmPlc", "Prtry"])
        })?;
        s.skip(&["LclInstrm", "PmtTpInf", "Purp", "RltdRmtInf"])?;
        s.within_if("RmtInf", |s| {
            while s.is_next("Ustrd")? {
                entry.remittance.extend(s.remark_if("Ustrd")?);
            }
            s.skip(&["Strd"])
        })?;
        entry.accepted = s
            .within_if("RltdDts", |s| {
                let accepted = s.instant_if("AccptncDtTm")?;
                s.skip(&[
                    "TradActvtyCtrctlSttlmDt",
                    "TradDt",
                    "IntrBkSttlmDt",
                    "StartDt",
                    "EndDt",
                    "TxDtTm",
                    "Prtry",
                ])?;
                Ok(accepted)
            })?
            .flatten();
        s.skip(&["RltdPric", "RltdQties", "FinInstrmId", "Tax", "RtrInf", "AddtlTxInf"])?;
        Ok(entry)
    }
}

impl Charged {
    fn write(self, s: &mut Sink) {
        s.amount("Amt", self.amount);
        s.text("CdtDbtInd", "DBIT");
        s.text("ChrgInclInd", "true");
        s.within("Tp", |s| {
            s.within("Prtry", |s| s.text("Id", if self.card { "CARD" } else { "BANK" }));
        });
    }

    /// Adds up the records that lessen the booked amount; charges that are asked for elsewhere are no part of it.
    fn read(s: &mut Source<'_>) -> Result<Option<Self>, Refusal> {
        s.skip(&["TtlChrgsAndTaxAmt"])?;
        let mut charged: Option<Self> = None;
        while s.enter_if("Rcrd")? {
            let amount = s.positive("Amt")?;
            let debit = s.text_if("CdtDbtInd", 4)?.is_none_or(|code| code == "DBIT");
            let included = s.text_if("ChrgInclInd", 5)?.is_some_and(|text| text == "true" || text == "1");
            let kind = s.within_if("Tp", |s| {
                s.skip(&["Cd"])?;
                s.within_if("Prtry", |s| {
                    let id = s.text("Id", 35)?.to_string();
                    s.skip(&["Issr", "SchmeNm"])?;
                    Ok(id)
                })
            })?;
            s.skip(&["Rate", "Br", "Agt", "Tax"])?;
            s.leave()?;
            if debit && included {
                let sum = match charged {
                    Some(before) => before.amount.plus(amount),
                    None => Ok(amount),
                };
                let sum = sum.map_err(|why| Refusal::Amount { element: "Amt", why })?;
                charged = Some(Self { amount: sum, card: kind.flatten().is_some_and(|id| id == "CARD") });
            }
        }
        Ok(charged)
    }
}

impl Direction {
    const fn code(self) -> &'static str {
        match self {
            Self::Credit => "CRDT",
            Self::Debit => "DBIT",
        }
    }

    const fn counterparty(self) -> (&'static str, &'static str) {
        match self {
            Self::Credit => ("Dbtr", "DbtrAgt"),
            Self::Debit => ("Cdtr", "CdtrAgt"),
        }
    }

    pub(super) fn write(self, sink: &mut Sink) {
        sink.text("CdtDbtInd", self.code());
    }

    pub(super) fn read(s: &mut Source<'_>) -> Result<Self, Refusal> {
        match &*s.text("CdtDbtInd", 4)? {
            "CRDT" => Ok(Self::Credit),
            "DBIT" => Ok(Self::Debit),
            _ => Err(Refusal::Unreadable("CdtDbtInd")),
        }
    }
}

/// What the lines of a message come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tally {
    /// How many lines came in, and their sum.
    pub credits: (usize, Money),
    /// How many went out, and their sum.
    pub debits: (usize, Money),
}

impl Default for Tally {
    fn default() -> Self {
        let nothing = (0, Money::zero(Currency::Vnd));
        Self { credits: nothing, debits: nothing }
    }
}

impl Tally {
    /// The tally of these entries, each one line.
    pub fn of(entries: &[Entry]) -> Result<Self, Refusal> {
        let mut tally = Self::default();
        for entry in entries {
            tally.count(entry.direction, entry.amount)?;
        }
        Ok(tally)
    }

    fn count(&mut self, direction: Direction, amount: Money) -> Result<(), Refusal> {
        let (count, sum) = match direction {
            Direction::Credit => &mut self.credits,
            Direction::Debit => &mut self.debits,
        };
        *count += 1;
        *sum = sum.plus(amount).map_err(|why| Refusal::Amount { element: "Amt", why })?;
        Ok(())
    }
}

/// A line without details stands for itself; details must add up to their line.
fn add_up(line: Entry, entries: &mut Vec<Entry>, first: usize) -> Result<(), Refusal> {
    if entries.len() == first {
        entries.push(line);
        return Ok(());
    }
    let sum = Money::sum(line.amount.currency(), entries[first..].iter().map(|entry| entry.amount));
    if sum == Ok(line.amount) { Ok(()) } else { Err(Refusal::WrongTotal) }
}

/// Those of `names` that come before `wanted`.
fn not(wanted: &str, names: &'static [&'static str]) -> &'static [&'static str] {
    let end = names.iter().position(|name| *name == wanted).unwrap_or(names.len());
    &names[..end]
}
