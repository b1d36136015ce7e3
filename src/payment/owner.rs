//! Whose the money of a line is.

use super::{bill::BillLine, fee::FeeKind};
use crate::base::id::{Agency, Id};

/// To whom lines belong, as far as their money may be collected together without saying so.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// An agency.
    Agency(Id<Agency>),
    /// Whoever holds the account that the line names: of a tax notice, of a seller; bank, number and holder.
    Account(String, String, String),
}

impl Owner {
    /// The owner of a line of `own`'s bill.
    pub fn of(line: &BillLine, own: Id<Agency>) -> Self {
        let to = &line.beneficiary;
        match line.kind {
            FeeKind::Phi | FeeKind::LePhi => Self::Agency(to.agency.unwrap_or(own)),
            FeeKind::Tax | FeeKind::Service => {
                Self::Account(to.bank.clone(), to.number.clone(), to.holder.to_string())
            }
        }
    }
}
