//! Which document proves which line of a bill: the kind decides. Phí and lệ phí have a receipt each; a tax has the slip
//! by which the budget is paid, one for each account and notice; what an exemption brought down to nothing has a notice of
//! that, which bears no number, because no money moved; the price of a service has the seller's invoice, to which the line is a
//! reference.

use super::{
    bill::{BillLine, Lines},
    fee::FeeKind,
};
use crate::base::money::{Currency, Money, MoneyError};

/// A document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Document {
    /// A numbered receipt of that kind.
    Receipt(FeeKind),
    /// A slip that pays the budget (*giấy nộp tiền vào ngân sách nhà nước*).
    BudgetSlip,
    /// A notice that nothing is owed.
    ExemptionNotice,
    /// The seller's own invoice.
    SellerInvoice,
}

impl Document {
    /// What proves this line.
    pub const fn of(line: &BillLine) -> Self {
        match line.kind {
            _ if line.amount.minor() == 0 => Self::ExemptionNotice,
            FeeKind::Tax => Self::BudgetSlip,
            FeeKind::Service => Self::SellerInvoice,
            kind => Self::Receipt(kind),
        }
    }

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Receipt(_) => "receipt",
            Self::BudgetSlip => "budget_slip",
            Self::ExemptionNotice => "exemption_notice",
            Self::SellerInvoice => "seller_invoice",
        }
    }
}

/// A document with the lines that it proves.
#[derive(Debug, Clone)]
pub struct Proof<'a> {
    /// What it is.
    pub document: Document,
    /// The lines, each with its place on the bill.
    pub lines: Vec<(usize, &'a BillLine)>,
}

impl Proof<'_> {
    /// Their sum.
    pub fn amount(&self) -> Result<Money, MoneyError> {
        Money::sum(Currency::Vnd, self.lines.iter().map(|(_, line)| line.amount))
    }
}

/// The documents of a bill, in the order of its lines.
pub fn proofs(lines: &Lines) -> Vec<Proof<'_>> {
    let mut proofs: Vec<Proof<'_>> = Vec::new();
    for (at, line) in lines.as_slice().iter().enumerate() {
        let document = Document::of(line);
        // A slip names one account and one notice, and an invoice is one.
        let same = |proof: &&mut Proof<'_>| {
            proof.document == document
                && document != Document::SellerInvoice
                && (document != Document::BudgetSlip
                    || proof.lines.iter().all(|(_, other)| {
                        (&other.beneficiary, &other.notice) == (&line.beneficiary, &line.notice)
                    }))
        };
        match proofs.iter_mut().find(same) {
            Some(proof) => proof.lines.push((at, line)),
            None => proofs.push(Proof { document, lines: vec![(at, line)] }),
        }
    }
    proofs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payment::{bill::Beneficiary, fee::Bilingual, notice::Notice};

    fn line(kind: FeeKind, amount: i64, notice: Option<&str>) -> BillLine {
        let text = |text: &str| crate::base::text::Line::parse(text).unwrap();
        BillLine {
            fee: "LLTP-01".parse().unwrap(),
            kind,
            name: Bilingual { vi: text("Phí"), en: text("Fee") },
            count: 1,
            gross: Money::vnd(amount.max(5)),
            amount: Money::vnd(amount),
            retained: Money::vnd(0),
            legal_basis: text("Law"),
            beneficiary: Beneficiary {
                agency: None,
                bank: "970405".to_owned(),
                number: "1".to_owned(),
                holder: text("KB"),
            },
            invoice: None,
            notice: notice.map(|number| Notice::parse(number, "757", "2802", "79001").unwrap()),
        }
    }

    #[test]
    fn the_kind_decides_and_nothing_owed_is_no_receipt() {
        let (one, two) = ("0012345678901234", "0012345678901235");
        let lines = Lines::new(vec![
            line(FeeKind::Phi, 10, None),
            line(FeeKind::LePhi, 20, None),
            line(FeeKind::Phi, 0, None),
            line(FeeKind::Tax, 30, Some(one)),
            line(FeeKind::Tax, 40, Some(two)),
            line(FeeKind::Tax, 50, Some(one)),
            line(FeeKind::Phi, 60, None),
            line(FeeKind::Tax, 0, Some(two)),
        ]);
        let lines = lines.unwrap();
        let found: Vec<(&str, i64, Vec<usize>)> = proofs(&lines)
            .iter()
            .map(|proof| {
                let places = proof.lines.iter().map(|(at, _)| *at).collect();
                (proof.document.as_str(), proof.amount().unwrap().minor(), places)
            })
            .collect();
        assert_eq!(
            found,
            [
                ("receipt", 70, vec![0, 6]),
                ("receipt", 20, vec![1]),
                ("exemption_notice", 0, vec![2, 7]),
                ("budget_slip", 80, vec![3, 5]),
                ("budget_slip", 40, vec![4]),
            ]
        );
    }
}
