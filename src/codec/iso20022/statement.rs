//! `camt.053.001.10`, the statement of one account for one day. It is read only if it adds up: opening balance plus
//! credits less debits is the closing balance, and the announced totals are those of the entries. A long day comes in several
//! messages, each with the day's balances; then only whoever has all of them can see that they add up.

use super::Header;
use super::entry::{Direction, Entry, Tally};
use super::refusal::Refusal;
use super::sink::Sink;
use super::source::Source;
use super::vocabulary::{AccountNumber, read_account, write_account};
use crate::base::calendar::Day;
use crate::base::money::{Currency, Money};

/// Which part of a long day a message brings; balances are those of the whole day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Its number, from 1.
    pub number: u32,
    /// Whether no other comes after it.
    pub last: bool,
}

impl Part {
    /// All of the day.
    pub const WHOLE: Self = Self { number: 1, last: true };

    fn write(self, sink: &mut Sink) {
        if self != Self::WHOLE {
            sink.within("MsgPgntn", |s| {
                s.text("PgNb", self.number);
                s.text("LastPgInd", self.last);
            });
        }
    }

    fn read(s: &mut Source<'_>) -> Result<Self, Refusal> {
        let part = s.within_if("MsgPgntn", |s| {
            let number = s.value("PgNb", 5)?;
            let last = matches!(&*s.text("LastPgInd", 5)?, "true" | "1");
            Ok(Self { number, last })
        })?;
        Ok(part.unwrap_or(Self::WHOLE))
    }
}

/// A day of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The account.
    pub account: AccountNumber,
    /// The bank's business day.
    pub day: Day,
    /// What was there when the day began; negative when overdrawn.
    pub opening: Money,
    /// What was there when it ended.
    pub closing: Money,
    /// What moved in between.
    pub entries: Vec<Entry>,
    /// Which part of the day this is.
    pub part: Part,
}

impl Statement {
    pub(super) const DEFINITION: &'static str = "camt.053.001.10";

    pub(super) fn write(&self, header: &Header, sink: &mut Sink) {
        sink.within("BkToCstmrStmt", |s| {
            s.within("GrpHdr", |s| {
                header.write_group(s);
                self.part.write(s);
            });
            s.within("Stmt", |s| {
                s.text("Id", header.id);
                s.instant("CreDtTm", header.created);
                s.within("FrToDt", |s| {
                    s.instant("FrDtTm", self.day.start());
                    s.instant("ToDtTm", self.day.end());
                });
                write_account("Acct", &self.account, s);
                write_balance("OPBD", self.opening, self.day, s);
                write_balance("CLBD", self.closing, self.day, s);
                write_summary(&self.entries, s);
                self.entries.iter().for_each(|entry| entry.write(s));
            });
        });
    }

    pub(super) fn read(header: &Header, source: &mut Source<'_>) -> Result<Self, Refusal> {
        source.within("BkToCstmrStmt", |s| {
            let part = s.within("GrpHdr", |s| {
                header.read_group(s)?;
                s.skip(&["MsgRcpt"])?;
                let part = Part::read(s)?;
                s.skip(&["OrgnlBizQry", "AddtlInf"])?;
                Ok(part)
            })?;
            s.within("Stmt", |s| {
                s.text("Id", 35)?;
                s.skip(&[
                    "ElctrncSeqNb",
                    "RptgSeq",
                    "LglSeqNb",
                    "CreDtTm",
                    "FrToDt",
                    "CpyDplctInd",
                    "RptgSrc",
                ])?;
                let account = read_account("Acct", s)?;
                s.skip(&["RltdAcct", "Intrst"])?;
                let (opening, closing, day) = read_balances(s)?;
                let summary = read_summary(s)?;
                let (entries, tally) = Entry::read_all(s)?;
                s.skip(&["AddtlStmtInf"])?;
                let statement = Self { account, day, opening, closing, entries, part };
                summary.check(&tally)?;
                statement.check(&tally)?;
                Ok(statement)
            })
        })
    }

    fn check(&self, tally: &Tally) -> Result<(), Refusal> {
        if self.part != Part::WHOLE {
            return Ok(());
        }
        let expected = self.opening.plus(tally.credits.1).and_then(|sum| sum.minus(tally.debits.1));
        if expected == Ok(self.closing) { Ok(()) } else { Err(Refusal::WrongTotal) }
    }
}

fn write_balance(kind: &str, balance: Money, day: Day, sink: &mut Sink) {
    sink.within("Bal", |s| {
        s.within("Tp", |s| s.within("CdOrPrtry", |s| s.text("Cd", kind)));
        s.amount("Amt", balance);
        let direction = if balance.minor() < 0 { Direction::Debit } else { Direction::Credit };
        direction.write(s);
        s.day("Dt", day);
    });
}

/// The booked balances of the day's beginning and end, and the day; other kinds of balance are passed over.
fn read_balances(s: &mut Source<'_>) -> Result<(Money, Money, Day), Refusal> {
    let (mut opening, mut closing) = (None, None);
    while s.enter_if("Bal")? {
        let kind = s.within("Tp", |s| {
            let kind = s.within("CdOrPrtry", |s| match s.text_if("Cd", 4)? {
                Some(code) => Ok(code),
                None => s.text("Prtry", 35),
            })?;
            s.skip(&["SubTp"])?;
            Ok(kind)
        })?;
        s.skip(&["CdtLine"])?;
        let amount = s.amount("Amt")?;
        let refused = |why| Refusal::Amount { element: "Amt", why };
        let signed = match Direction::read(s)? {
            Direction::Credit => amount,
            Direction::Debit => amount.negated().map_err(refused)?,
        };
        let day = s.day("Dt")?;
        s.skip(&["Avlbty"])?;
        s.leave()?;
        let balance = match &*kind {
            "OPBD" => &mut opening,
            "CLBD" => &mut closing,
            _ => continue,
        };
        if balance.replace((signed, day)).is_some() {
            return Err(Refusal::DuplicateElement(String::from("Bal")));
        }
    }
    let (opening, _) = opening.ok_or(Refusal::MissingElement("Bal"))?;
    let (closing, day) = closing.ok_or(Refusal::MissingElement("Bal"))?;
    Ok((opening, closing, day))
}

/// The totals that a bank announces, as far as it does.
pub(super) struct Summary {
    credits: Announced,
    debits: Announced,
}

type Announced = Option<(Option<usize>, Option<Money>)>;

impl Summary {
    pub(super) fn check(&self, tally: &Tally) -> Result<(), Refusal> {
        let holds = |announced: &Announced, (count, sum): (usize, Money)| {
            announced.is_none_or(|(c, s)| c.is_none_or(|c| c == count) && s.is_none_or(|s| s == sum))
        };
        let both = holds(&self.credits, tally.credits) && holds(&self.debits, tally.debits);
        if both { Ok(()) } else { Err(Refusal::WrongTotal) }
    }
}

pub(super) fn write_summary(entries: &[Entry], sink: &mut Sink) {
    // Sums beyond what an account can hold are left out; the entries still say it all.
    let Ok(tally) = Tally::of(entries) else { return };
    sink.within("TxsSummry", |s| {
        for (name, (count, sum)) in [("TtlCdtNtries", tally.credits), ("TtlDbtNtries", tally.debits)] {
            s.within(name, |s| {
                s.text("NbOfNtries", count);
                s.text("Sum", sum.decimal());
            });
        }
    });
}

pub(super) fn read_summary(s: &mut Source<'_>) -> Result<Summary, Refusal> {
    let summary = s.within_if("TxsSummry", |s| {
        s.skip(&["TtlNtries"])?;
        let credits = s.within_if("TtlCdtNtries", read_announced)?;
        let debits = s.within_if("TtlDbtNtries", read_announced)?;
        s.skip(&["TtlNtriesPerBkTxCd"])?;
        Ok(Summary { credits, debits })
    })?;
    Ok(summary.unwrap_or(Summary { credits: None, debits: None }))
}

fn read_announced(s: &mut Source<'_>) -> Result<(Option<usize>, Option<Money>), Refusal> {
    let count = s.value_if("NbOfNtries", 15)?;
    let sum = s.text_if("Sum", 40)?.map(|text| Money::parse(&text, Currency::Vnd)).transpose();
    Ok((count, sum.map_err(|why| Refusal::Amount { element: "Sum", why })?))
}
