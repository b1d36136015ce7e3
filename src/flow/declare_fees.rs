//! The monthly declaration and the yearly settlement of an agency's fees: per fee what was collected, what the agency
//! keeps and by what law, and what it remits under which chapter and sub-item; held against the accounts of the books.

use super::{
    Error, Result,
    explain::money,
    inherit::{Tree, agencies_of},
};
use crate::{
    app::App,
    base::{
        calendar::Day,
        id::{Agency, Id},
        money::Money,
    },
    store::{
        agency,
        declaration::{self, FeeSum},
        fee_version,
    },
};
use serde_json::{Value, json};

/// The stretch of a declaration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// Its first day.
    pub from: Day,
    /// Its last day, included.
    pub to: Day,
}

impl Period {
    /// The month of a day.
    pub fn month_of(day: Day) -> Self {
        let from = day.plus_days(1 - i64::from(day.date().day()));
        let next = from.plus_days(31);
        Self { from, to: next.plus_days(-i64::from(next.date().day())) }
    }

    /// The month before the one of a day.
    pub fn month_before(day: Day) -> Self {
        let date = day.date();
        let to = day.plus_days(-i64::from(date.day()));
        Self { from: to.plus_days(1 - i64::from(to.date().day())), to }
    }

    /// A month, written `2026-11`, or a year, written `2026`.
    pub fn parse(text: &str) -> Option<Self> {
        let (year, month) = match text.split_once('-') {
            Some((year, month)) if year.len() == 4 && month.len() == 2 => {
                (year.parse().ok()?, Some(month.parse::<u8>().ok()?))
            }
            None if text.len() == 4 => (text.parse().ok()?, None),
            Some(_) | None => return None,
        };
        let from = Day::new(year, month.unwrap_or(1), 1)?;
        let after = match month {
            Some(12) | None => Day::new(year + 1, 1, 1)?,
            Some(month) => Day::new(year, month + 1, 1)?,
        };
        Some(Self { from, to: after.plus_days(-1) })
    }
}

/// The declaration of an agency's fees over a period; for itself or by either tree.
pub async fn declare_fees(app: &App, agency: Id<Agency>, period: Period, tree: Tree) -> Result<Value> {
    let mut tx = app.store.begin().await?;
    let row = agency::find_all(&mut tx, &[agency]).await?.pop().ok_or(Error::not_found())?;
    let budget = fee_version::budget(&mut tx, agency, period.to).await?;
    let agencies = agencies_of(&mut tx, agency, tree).await?;
    let fees = declaration::settled_fees(&mut tx, &agencies, period.from, period.to).await?;
    let booked = declaration::booked_fees(&mut tx, &agencies, period.from, period.to).await?;
    let sum = |of: fn(&FeeSum) -> i64| fees.iter().map(of).sum::<i64>();
    let of_entries = |settled: bool, retained: bool| -> i64 {
        let rows = booked.iter().filter(|(kind, entry, _)| {
            (entry == "settled") == settled && (kind == "fee_phi_retained") == retained
        });
        rows.map(|row| row.2).sum()
    };
    let (collected, retained) = (sum(|fee| fee.collected), sum(|fee| fee.retained));
    let agrees = of_entries(true, true) == retained && of_entries(true, false) == collected - retained;
    let amount = |amount: i64| money(Money::vnd(amount));
    Ok(json!({
        "agency": { "id": agency.to_string(), "code": row.code, "name": { "vi": row.name_vi, "en": row.name_en } },
        "agencies": agencies.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "from": period.from.to_string(),
        "to": period.to.to_string(),
        "budget": budget.map(|b| json!({
            "area": b.area, "unit_code": b.unit_code, "treasury_office": b.treasury_office,
            "retained_account": b.retained_account, "remitted_account": b.remitted_account,
            "valid_from": b.valid_from.to_string(),
        })),
        "fees": fees.iter().map(fee_json).collect::<Vec<_>>(),
        "collected": amount(collected),
        "retained": amount(retained),
        "remitted": amount(collected - retained),
        // What refunds and corrections took from the accounts since; a debit is negative.
        "corrected_retained": amount(of_entries(false, true)),
        "corrected_remitted": amount(of_entries(false, false)),
        "agrees_with_books": agrees,
    }))
}

fn fee_json(fee: &FeeSum) -> Value {
    let amount = |amount: i64| money(Money::vnd(amount));
    json!({
        "fee": fee.fee,
        "kind": fee.kind,
        "name_vi": fee.name_vi,
        "lines": fee.lines,
        "collected": amount(fee.collected),
        "retained": amount(fee.retained),
        "remitted": amount(fee.collected - fee.retained),
        "chapter": fee.budget.as_ref().map(|budget| &budget.0),
        "sub_item": fee.budget.as_ref().map(|budget| &budget.1),
        "legal_basis": fee.basis.0,
        "retained_basis": fee.basis.1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_a_month_or_a_year() {
        let days = |text: &str| Period::parse(text).map(|p| (p.from.to_string(), p.to.to_string()));
        let expect = |from: &str, to: &str| Some((from.to_owned(), to.to_owned()));
        assert_eq!(days("2026-11"), expect("2026-11-01", "2026-11-30"));
        assert_eq!(days("2024-02"), expect("2024-02-01", "2024-02-29"));
        assert_eq!(days("2026-12"), expect("2026-12-01", "2026-12-31"));
        assert_eq!(days("2026"), expect("2026-01-01", "2026-12-31"));
        for bad in ["", "26", "2026-13", "2026-1", "2026-00", "x", "2026-11-01"] {
            assert_eq!(days(bad), None, "{bad}");
        }
    }
}
