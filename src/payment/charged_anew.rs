//! A bill that was charged anew after it had been paid on paper: what of it was too much, and what is still to be paid.

use super::bill::BillLine;
use crate::base::money::{Money, MoneyError};

/// What came apart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Apart {
    /// Lines that were paid and are less now, or nothing: the place, what was charged, and how much of it was too much.
    pub back: Vec<(i16, Money, Money)>,
    /// What is asked beyond what was paid, line by line.
    pub more: Vec<BillLine>,
}

/// Compares the lines that were paid with those that are asked now. Lines are the same by fee, kind, beneficiary and notice,
/// each at most once.
pub fn apart(paid: &[BillLine], asked: &[BillLine]) -> Result<Apart, MoneyError> {
    let mut left: Vec<Option<&BillLine>> = asked.iter().map(Some).collect();
    let mut found = Apart::default();
    for (place, line) in (0_i16..).zip(paid) {
        let same = left.iter_mut().find(|one| one.is_some_and(|one| is_same(one, line)));
        let Some(now) = same.and_then(Option::take) else {
            if line.amount.is_positive() {
                found.back.push((place, line.amount, line.amount));
            }
            continue;
        };
        let difference = now.amount.minus(line.amount)?;
        if difference.is_positive() {
            found.more.push(rest(
                now,
                difference,
                (now.gross.minus(line.gross)?, now.retained.minus(line.retained)?),
            ));
        } else if line.amount != now.amount {
            found.back.push((place, line.amount, line.amount.minus(now.amount)?));
        }
    }
    let new = left.into_iter().flatten().filter(|line| line.amount.is_positive());
    found.more.extend(new.cloned());
    Ok(found)
}

/// Whether two lines charge the same, for whatever amount.
pub fn is_same(a: &BillLine, b: &BillLine) -> bool {
    (&a.fee, a.kind, &a.beneficiary, &a.notice) == (&b.fee, b.kind, &b.beneficiary, &b.notice)
}

/// How much of what a reduction takes off a line as it is asked now lies in what was paid of that line, and how much in the rest
/// that is still asked, if any is: together never more than it takes off.
pub fn divide_saving(saving: Money, rest: Option<&BillLine>) -> (Money, Money) {
    let off = rest.map_or(0, |rest| rest.gross.minor().saturating_sub(rest.amount.minor()));
    let more = off.clamp(0, saving.minor().max(0));
    (Money::vnd(saving.minor().saturating_sub(more)), Money::vnd(more))
}

fn rest(line: &BillLine, amount: Money, (gross, retained): (Money, Money)) -> BillLine {
    let kept = retained.minor().clamp(0, amount.minor());
    let gross = Money::vnd(gross.minor().max(amount.minor()));
    BillLine { gross, amount, retained: Money::vnd(kept), ..line.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::text::Line;
    use crate::payment::{
        bill::Beneficiary,
        fee::{Bilingual, FeeKind},
    };

    fn line(fee: &str, dong: i64, kept: i64) -> BillLine {
        let name = Line::parse("Phí").unwrap();
        BillLine {
            fee: fee.parse().unwrap(),
            kind: FeeKind::Phi,
            name: Bilingual { vi: name.clone(), en: name },
            count: 1,
            gross: Money::vnd(dong),
            amount: Money::vnd(dong),
            retained: Money::vnd(kept),
            legal_basis: Line::parse("TT 1").unwrap(),
            beneficiary: Beneficiary {
                agency: None,
                bank: "970405".to_owned(),
                number: "3511".to_owned(),
                holder: Line::parse("KBNN").unwrap(),
            },
            notice: None,
            invoice: None,
        }
    }

    #[test]
    fn what_was_paid_comes_back_or_more_is_asked_line_by_line() {
        let paid = [line("A-1", 200, 100), line("B-1", 50, 0), line("C-1", 30, 0), line("C-1", 30, 0)];
        let asked = [line("C-1", 30, 0), line("A-1", 260, 130), line("B-1", 20, 0), line("D-1", 7, 0)];
        let found = apart(&paid, &asked).unwrap();
        let back: Vec<_> = found.back.iter().map(|(at, of, back)| (*at, of.minor(), back.minor())).collect();
        assert_eq!(back, [(1, 50, 30), (3, 30, 30)]);
        let more: Vec<_> =
            found.more.iter().map(|l| (l.fee.as_str(), l.amount.minor(), l.retained.minor())).collect();
        assert_eq!(more, [("A-1", 60, 30), ("D-1", 7, 0)]);
        // What is paid, less what comes back, and what more is asked are what is asked.
        let sum = |lines: &[BillLine]| lines.iter().map(|l| l.amount.minor()).sum::<i64>();
        let gone: i64 = found.back.iter().map(|b| b.2.minor()).sum();
        assert_eq!(sum(&paid) - gone + sum(&found.more), sum(&asked));
        assert_eq!(apart(&paid, &paid).unwrap(), Apart::default());
    }

    #[test]
    fn what_a_reduction_takes_off_is_divided_between_what_was_paid_and_the_rest() {
        let reduced =
            |gross: i64, amount: i64| BillLine { gross: Money::vnd(gross), ..line("A-1", amount, 0) };
        let divided = |paid: BillLine, asked: BillLine| {
            let saving = asked.gross.minus(asked.amount).unwrap();
            let found = apart(&[paid], &[asked]).unwrap();
            let (paid, more) = divide_saving(saving, found.more.first());
            (paid.minor(), more.minor())
        };
        // Two copies at half, then three; the whole price, then half of it; half, then a tenth off; half, then none.
        assert_eq!(divided(reduced(100, 50), reduced(150, 75)), (50, 25));
        assert_eq!(divided(reduced(100, 100), reduced(300, 150)), (0, 150));
        assert_eq!(divided(reduced(100, 50), reduced(100, 90)), (10, 0));
        assert_eq!(divided(reduced(100, 50), reduced(100, 100)), (0, 0));
        // What is less now has no rest: all of it lies in what was paid.
        assert_eq!(divided(reduced(100, 100), reduced(100, 50)), (50, 0));
        assert_eq!(divided(reduced(100, 50), reduced(50, 25)), (25, 0));
        assert_eq!(divide_saving(Money::vnd(0), None), (Money::vnd(0), Money::vnd(0)));
    }
}
