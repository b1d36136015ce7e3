//! A seller's invoice for the price of a service, as far as a reference to it goes. What it proves is the seller's to say;
//! here it is never a receipt.

use super::{bill::Lines, fee::Bilingual, receipt::TaxCode};
use crate::base::{calendar::Day, money::Money};

/// A reference to an electronic invoice (Decree 123/2020).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoice {
    /// Its number: one to eight digits, without zeros before them.
    pub number: String,
    /// Form and symbol: `1K26TAA`.
    pub serial: String,
    /// The day on which it was issued.
    pub issued_on: Day,
    /// The seller's tax code: ten digits, and three of a branch behind a hyphen.
    pub tax_code: String,
    /// What was sold.
    pub name: Bilingual,
    /// For how much.
    pub amount: Money,
}

/// What an invoice is known by: its seller's tax code, its serial and its number.
pub type Name = (String, String, String);

/// What is wrong with a reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// Not a number of an invoice.
    Number,
    /// Not form and symbol of an invoice.
    Serial,
    /// Not a tax code of a seller.
    TaxCode,
    /// Nothing is asked for.
    Amount,
    /// Issued on a day that has not come.
    Day,
}

impl Unfit {
    /// The field that it is about.
    pub const fn field(self) -> &'static str {
        match self {
            Self::Number => "/number",
            Self::Serial => "/serial",
            Self::TaxCode => "/seller_tax_code",
            Self::Amount => "/amount",
            Self::Day => "/date",
        }
    }
}

impl Invoice {
    /// The same with number and tax code in the one spelling by which it is known, however somebody wrote them.
    pub fn in_one_spelling(self) -> Self {
        let number = self.number.trim_start_matches('0').to_owned();
        let tax_code = self.tax_code.parse::<TaxCode>().map_or(self.tax_code, |code| code.to_string());
        Self { number, tax_code, ..self }
    }

    /// What it is known by.
    pub fn known_by(&self) -> Name {
        (self.tax_code.clone(), self.serial.clone(), self.number.clone())
    }

    /// Whether it may be an invoice, as far as its looks go.
    pub fn check(&self, today: Day) -> Result<(), Unfit> {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(&self.number) || self.number.len() > 8 || self.number.bytes().all(|b| b == b'0') {
            return Err(Unfit::Number);
        }
        // One digit for the form, C or K for with or without a code of the tax office, the year, three letters.
        let serial = self.serial.as_bytes();
        let fits = serial.len() == 7
            && matches!(serial[0], b'1'..=b'9')
            && matches!(serial[1], b'C' | b'K')
            && serial[2..4].iter().all(u8::is_ascii_digit)
            && serial[4..].iter().all(u8::is_ascii_uppercase);
        if !fits {
            return Err(Unfit::Serial);
        }
        let tax_code = match self.tax_code.split_once('-') {
            Some((whole, branch)) => {
                whole.len() == 10 && branch.len() == 3 && digits(whole) && digits(branch)
            }
            None => matches!(self.tax_code.len(), 10 | 13) && digits(&self.tax_code),
        };
        if !tax_code {
            return Err(Unfit::TaxCode);
        }
        if !self.amount.is_positive() {
            return Err(Unfit::Amount);
        }
        if self.issued_on > today { Err(Unfit::Day) } else { Ok(()) }
    }
}

impl Lines {
    /// The sellers' invoices that lines charge.
    pub fn invoices(&self) -> impl Iterator<Item = &Invoice> {
        self.as_slice().iter().filter_map(|line| line.invoice.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::text::Line;

    #[test]
    fn a_reference_looks_like_an_invoice() {
        let day = Day::new(2026, 11, 24).unwrap();
        let name = Bilingual { vi: Line::parse("Trích đo").unwrap(), en: Line::parse("Survey").unwrap() };
        let good = Invoice {
            number: "00000123".to_owned(),
            serial: "1K26TAA".to_owned(),
            issued_on: day,
            tax_code: "0101243150-001".to_owned(),
            name,
            amount: Money::vnd(1_200_000),
        };
        assert_eq!(good.check(day), Ok(()));
        let number = |number: &str| Invoice { number: number.to_owned(), ..good.clone() };
        let serial = |serial: &str| Invoice { serial: serial.to_owned(), ..good.clone() };
        let tax_code = |tax_code: &str| Invoice { tax_code: tax_code.to_owned(), ..good.clone() };
        for (invoice, unfit) in [
            (number("0"), Unfit::Number),
            (number("123456789"), Unfit::Number),
            (serial("1k26TAA"), Unfit::Serial),
            (serial("0K26TAA"), Unfit::Serial),
            (tax_code("010124315"), Unfit::TaxCode),
            (tax_code("0101243150-01"), Unfit::TaxCode),
            (Invoice { amount: Money::vnd(0), ..good.clone() }, Unfit::Amount),
            (Invoice { issued_on: day.plus_days(1), ..good.clone() }, Unfit::Day),
        ] {
            assert_eq!(invoice.check(day), Err(unfit), "{invoice:?}");
        }
        assert_eq!(tax_code("0101243150").check(day), Ok(()));
        let known = ["0101243150-001", "1K26TAA", "123"].map(str::to_owned);
        for other in [good.clone(), number("123"), number("0123"), tax_code("0101243150001")] {
            assert_eq!(<[String; 3]>::from(other.in_one_spelling().known_by()), known);
        }
        assert_eq!(number("000").in_one_spelling().check(day), Err(Unfit::Number));
    }
}
