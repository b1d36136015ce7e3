//! Late interest: what more is owed for a bill that is paid after its due day, by a dated rule of the schedule.
//!
//! The rule that holds on the day of payment decides, for each line that it covers, from the first day after the due day
//! through the day of payment. Interest bears no interest, belongs to the budget, and is a line of its own.

use super::{
    bill::{BillLine, Lines},
    code::Code,
    exemption::{Adjustment, Effect},
    fee::{Bilingual, FeeKind, Schedule},
};
use crate::base::{
    calendar::Day,
    money::{Money, Rate},
};
use std::collections::BTreeSet;

/// What more is owed by one rule, for one kind of fee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interest {
    /// The rule.
    pub rule: Adjustment,
    /// Its daily rate.
    pub rate: Rate,
    /// How many days late.
    pub days: u32,
    /// On how much.
    pub on: Money,
    /// How much.
    pub amount: Money,
    /// The line that it follows; beneficiary and kind are this line's.
    pub line: BillLine,
}

/// The lines that were charged, without interest of a day before, by whichever of these rules it was charged then. Interest
/// is of the kind of its fee: a tax or the price of a service is none, whatever a rule is called.
pub fn principal(lines: &Lines, rules: &BTreeSet<Code>) -> Vec<BillLine> {
    let is_interest = |line: &BillLine| FeeKind::CHARGES.contains(&line.kind) && rules.contains(&line.fee);
    lines.as_slice().iter().filter(|line| !is_interest(line)).cloned().collect()
}

/// What more is owed when these lines, due on `due`, are paid on `today`.
pub fn interest(lines: &[BillLine], schedule: &Schedule, due: Day, today: Day) -> Vec<Interest> {
    let Ok(days) = u32::try_from(due.days_until(today)) else {
        return Vec::new();
    };
    let mut found: Vec<Interest> = Vec::new();
    for line in lines.iter().filter(|line| line.amount.is_positive() && FeeKind::CHARGES.contains(&line.kind))
    {
        let rule = schedule.adjustments().iter().find_map(|a| match a.effect {
            Effect::LateDaily(rate) if a.applies_to.covers(&line.fee) && a.validity.holds_on(today) => {
                Some((a, rate))
            }
            Effect::LateDaily(_) | Effect::PercentOff(_) | Effect::FixedAmount(_) | Effect::Exempt => None,
        });
        let Some((rule, rate)) = rule.filter(|_| days > 0) else { continue };
        let before = found.iter_mut().find(|one| {
            one.rule == *rule && one.line.kind == line.kind && one.line.beneficiary == line.beneficiary
        });
        match before {
            Some(one) => one.on = one.on.plus(line.amount).unwrap_or(one.on),
            None => found.push(Interest {
                rule: rule.clone(),
                rate,
                days,
                on: line.amount,
                amount: Money::zero(line.amount.currency()),
                line: line.clone(),
            }),
        }
    }
    for one in &mut found {
        // The rate of all days at once, so that rounding happens once.
        let all = one.on.times(one.days).and_then(|all| all.share(one.rate));
        one.amount = all.unwrap_or(one.amount);
    }
    found.retain(|one| one.amount.is_positive());
    found
}

/// What more was owed at a moment of a day, by each of the schedules that may have held then: one was approved or ended in the
/// course of the day. Each once; that of the schedule named first comes first.
pub fn asked<'a>(
    lines: &[BillLine],
    schedules: impl IntoIterator<Item = &'a Schedule>,
    due: Day,
    today: Day,
) -> Vec<Vec<Interest>> {
    let mut found: Vec<Vec<Interest>> = Vec::new();
    for schedule in schedules {
        let one = interest(lines, schedule, due, today);
        if !found.contains(&one) {
            found.push(one);
        }
    }
    found
}

/// The bill's lines with the interest of a day; `name` says what a line of interest is called.
pub fn with_interest(
    principal: Vec<BillLine>,
    interest: &[Interest],
    name: impl Fn(&Interest) -> Bilingual,
) -> Option<Lines> {
    let mut lines = principal;
    lines.extend(interest.iter().map(|one| BillLine {
        fee: one.rule.code.clone(),
        name: name(one),
        count: one.days,
        gross: one.amount,
        amount: one.amount,
        retained: Money::zero(one.amount.currency()),
        legal_basis: one.rule.legal_basis.clone(),
        ..one.line.clone()
    }));
    Lines::new(lines).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::text::Line;
    use crate::payment::{
        bill::Beneficiary,
        exemption::{GoverningDate, Validity, Whose},
    };
    use proptest::prelude::*;

    fn day(s: &str) -> Day {
        s.parse().unwrap()
    }

    fn line(fee: &str, amount: i64) -> BillLine {
        let text = Line::parse("text").unwrap();
        BillLine {
            fee: fee.parse().unwrap(),
            kind: FeeKind::Phi,
            name: Bilingual { vi: text.clone(), en: text.clone() },
            count: 1,
            gross: Money::vnd(amount),
            amount: Money::vnd(amount),
            retained: Money::vnd(0),
            legal_basis: text.clone(),
            beneficiary: Beneficiary {
                agency: None,
                bank: "970405".into(),
                number: "1".into(),
                holder: text,
            },
            notice: None,
            invoice: None,
        }
    }

    fn rule(percent: &str, from: Day, to: Option<Day>) -> Adjustment {
        Adjustment {
            code: "CHAM-NOP".parse().unwrap(),
            applies_to: "*".parse().unwrap(),
            effect: Effect::parse("late_daily", percent).unwrap(),
            condition: "late".parse().unwrap(),
            whose: Whose::Applicant,
            governing: GoverningDate::Payment,
            evidence: None,
            legal_basis: Line::parse("Law 38/2019 art. 59").unwrap(),
            validity: Validity::new(from, to).unwrap(),
        }
    }

    fn schedule(rules: Vec<Adjustment>) -> Schedule {
        Schedule::new(vec![], rules).unwrap()
    }

    fn sum(interest: &[Interest]) -> i64 {
        interest.iter().map(|one| one.amount.minor()).sum()
    }

    proptest! {
        #[test]
        fn the_rule_of_the_day_of_paying_decides_for_all_days(
            amount in 1_000_i64..100_000_000, late in 1_i64..400, change in 1_i64..400, rates in (1_u32..200, 1_u32..200),
        ) {
            let due = day("2026-01-15");
            let (paid, ends) = (due.plus_days(late), due.plus_days(change));
            let percent = |rate: u32| format!("{}.{:02}", rate / 100, rate % 100);
            let rules = vec![
                rule(&percent(rates.0), due, Some(ends)),
                rule(&percent(rates.1), ends.plus_days(1), None),
            ];
            let found = interest(&[line("DD-01", amount)], &schedule(rules), due, paid);
            // Rounded once, to the nearest đồng, over all days together.
            let rate = i128::from(if late <= change { rates.0 } else { rates.1 });
            let exact = i128::from(amount) * i128::from(late) * rate;
            prop_assert!((i128::from(sum(&found)) * 10_000 - exact).abs() <= 5_000, "{} of {exact}", sum(&found));
        }

        #[test]
        fn a_day_on_which_a_rule_begins_or_ends_asks_by_each_and_by_nothing_else(
            amount in 1_000_i64..100_000_000, late in -5_i64..400, rates in (0_u32..200, 0_u32..200),
        ) {
            let due = day("2026-01-15");
            let paid = due.plus_days(late);
            let of = |rate: u32| match rate {
                0 => schedule(vec![]),
                rate => schedule(vec![rule(&format!("{}.{:02}", rate / 100, rate % 100), due, None)]),
            };
            let both = [of(rates.0), of(rates.1)];
            let lines = [line("DD-01", amount)];
            let found = asked(&lines, &both, due, paid);
            let each: Vec<Vec<Interest>> = both.iter().map(|one| interest(&lines, one, due, paid)).collect();
            prop_assert!(found.iter().all(|one| each.contains(one)) && each.iter().all(|one| found.contains(one)));
            prop_assert_eq!(&found[0], &each[0], "that of the day comes first");
            prop_assert_eq!(found.len(), if each[0] == each[1] { 1 } else { 2 });
            prop_assert!(late > 0 || found.iter().all(Vec::is_empty), "nobody is late yet");
        }
    }

    #[test]
    fn interest_counts_days_and_bears_none() {
        let rule = rule("0.03", day("2020-07-01"), None);
        let schedule = schedule(vec![rule]);
        let lines = [line("DD-01", 700_000), line("DD-02", 50_000)];
        let of = |today: &str| interest(&lines, &schedule, day("2026-12-01"), day(today));
        assert!(of("2026-12-01").is_empty());
        let late = of("2026-12-11");
        assert_eq!((late.len(), late[0].days, late[0].on), (1, 10, Money::vnd(750_000)));
        assert_eq!(late[0].amount, Money::vnd(2_250));
        let name = |_: &Interest| line("DD-01", 1).name;
        let whole = with_interest(lines.to_vec(), &late, name).unwrap();
        assert_eq!(whole.total(), Money::vnd(752_250));
        let rules = ["CHAM-NOP", "CHAM-2"].map(|code| code.parse().unwrap()).into();
        assert_eq!(principal(&whole, &rules), lines);
        let tax = BillLine { kind: FeeKind::Tax, ..line("TAX", 5) };
        let taxed = Lines::new(vec![tax.clone()]).unwrap();
        assert_eq!(principal(&taxed, &BTreeSet::from(["TAX".parse().unwrap()])), [tax]);
    }
}
