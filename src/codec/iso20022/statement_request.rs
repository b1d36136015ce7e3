//! `camt.060.001.06`, the account reporting request: please send the statement of this account for this day.

use super::Header;
use super::refusal::Refusal;
use super::sink::Sink;
use super::source::Source;
use super::statement::Statement;
use super::vocabulary::{AccountNumber, read_account, read_party_inside, write_account, write_party};
use crate::base::calendar::Day;
use crate::base::text::Line;

/// A question for one day of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementRequest {
    /// The account.
    pub account: AccountNumber,
    /// Its owner's name.
    pub owner: Line<140>,
    /// The day.
    pub day: Day,
    /// Which of its pages, from 1.
    pub page: u32,
}

impl StatementRequest {
    pub(super) const DEFINITION: &'static str = "camt.060.001.06";

    pub(super) fn write(&self, header: &Header, sink: &mut Sink) {
        sink.within("AcctRptgReq", |s| {
            s.within("GrpHdr", |s| header.write_group(s));
            s.within("RptgReq", |s| {
                s.text("ReqdMsgNmId", Statement::DEFINITION);
                write_account("Acct", &self.account, s);
                s.within("AcctOwnr", |s| write_party("Pty", Some(&self.owner), s));
                s.within("RptgPrd", |s| {
                    s.within("FrToDt", |s| {
                        s.text("FrDt", self.day);
                        s.text("ToDt", self.day);
                    });
                    s.text("Tp", "ALLL");
                });
                if self.page > 1 {
                    s.within("RptgSeq", |s| s.text("EQSeq", self.page));
                }
            });
        });
    }

    pub(super) fn read(header: &Header, source: &mut Source<'_>) -> Result<Self, Refusal> {
        source.within("AcctRptgReq", |s| {
            s.within("GrpHdr", |s| {
                header.read_group(s)?;
                s.skip(&["MsgSndr"])
            })?;
            s.within("RptgReq", |s| {
                s.skip(&["Id"])?;
                if s.text("ReqdMsgNmId", 35)? != Statement::DEFINITION {
                    return Err(Refusal::Unreadable("ReqdMsgNmId"));
                }
                let account = read_account("Acct", s)?;
                let owner = s.within("AcctOwnr", |s| s.within("Pty", read_party_inside))?;
                let owner = owner.ok_or(Refusal::MissingElement("Nm"))?;
                s.skip(&["AcctSvcr"])?;
                let day = s.within("RptgPrd", |s| {
                    let day = s.within("FrToDt", |s| {
                        let day: Day = s.value("FrDt", 10)?;
                        let to = s.value_if("ToDt", 10)?;
                        if to.is_none_or(|to: Day| to == day) {
                            Ok(day)
                        } else {
                            Err(Refusal::Unreadable("ToDt"))
                        }
                    })?;
                    s.skip(&["FrToTm"])?;
                    s.text("Tp", 4)?;
                    Ok(day)
                })?;
                let page = s.within_if("RptgSeq", |s| s.value("EQSeq", 10))?.unwrap_or(1);
                Ok(Self { account, owner, day, page })
            })
        })
    }
}
