//! The tariff in force, the best reduction, and the explanation of each amount.

use super::*;
use crate::payment::exemption::{Born, Channel, Dates, Facts, Scope};
use std::collections::BTreeSet;

fn day(s: &str) -> Day {
    s.parse().unwrap()
}

fn item(code: &str, amount: i64, unit: Unit, from: &str, to: Option<&str>) -> Item {
    let name = |text: &str| Bilingual { vi: Line::parse(text).unwrap(), en: Line::parse(text).unwrap() };
    Item {
        code: code.parse().unwrap(),
        procedure: Procedure { code: "2.000488".parse().unwrap(), name: name("procedure"), sensitive: false },
        kind: FeeKind::Phi,
        name: name(code),
        formula: Formula::PerUnit(Money::vnd(amount)),
        unit,
        legal_basis: Line::parse("Circular 1/2017").unwrap(),
        validity: Validity::new(day(from), to.map(day)).unwrap(),
        retained: Rate::percent("75").unwrap(),
        retained_basis: None,
        budget: Budget::parse("414", "2250").unwrap(),
    }
}

/// `code scope effect value condition`, in force in 2026.
fn adjustment(text: &str) -> Adjustment {
    let [code, scope, effect, value, condition] = text.split(' ').collect::<Vec<_>>()[..] else {
        panic!("five words");
    };
    Adjustment {
        code: code.parse().unwrap(),
        applies_to: scope.parse().unwrap(),
        effect: Effect::parse(effect, value).unwrap(),
        condition: condition.parse().unwrap(),
        whose: Whose::Applicant,
        governing: GoverningDate::Submission,
        evidence: None,
        legal_basis: Line::parse("Circular 2/2026").unwrap(),
        validity: Validity::new(day("2026-01-01"), Some(day("2026-12-31"))).unwrap(),
    }
}

fn schedule() -> Schedule {
    let items = vec![
        item("LAND-01", 650_000, Unit::Dossier, "2020-01-01", Some("2026-06-30")),
        item("LAND-01", 700_000, Unit::Dossier, "2026-07-01", None),
        item("COPY-01", 8_000, Unit::Copy, "2017-01-01", None),
    ];
    let adjustments = [
        "LEVEL-2 LAND-01 percent_off 10 eid_account_level>=2",
        "ONLINE LAND-01 fixed_amount 600000 channel=online",
        "CHILD COPY-01 exempt 100 age<16",
        "POOR-ALL * exempt 100 status=poor_household",
    ];
    Schedule::new(items, adjustments.map(adjustment).to_vec()).unwrap()
}

fn online(submission: &str) -> Circumstances {
    Circumstances {
        channel: Channel::Online,
        dates: Dates { submission: day(submission), acceptance: None, payment: None },
        applicant: Facts::default(),
        submitter: Facts::default(),
    }
}

fn asked(fee: &str, count: u32) -> Asked {
    Asked { fee: fee.parse().unwrap(), count, copies: 1, value: None }
}

fn charge_one(ask: Asked, circumstances: &Circumstances) -> Result<ChargedLine, Refusal> {
    charge(&schedule(), &"2.000488".parse().unwrap(), &[ask], circumstances)
        .map(|mut lines| lines.remove(0))
        .map_err(|refused| refused[0].refusal)
}

#[test]
fn the_day_of_submission_chooses_the_version() {
    for (submission, gross) in [("2026-06-30", 650_000), ("2026-07-01", 700_000)] {
        let line = charge_one(asked("LAND-01", 1), &online(submission)).unwrap();
        assert_eq!(line.gross, Money::vnd(gross), "{submission}");
    }
    assert_eq!(charge_one(asked("LAND-01", 1), &online("2019-12-31")).unwrap_err(), Refusal::NotInForce);
}

#[test]
fn the_reduction_that_leaves_least_is_granted_alone() {
    let mut circumstances = online("2026-08-15");
    circumstances.applicant.account_level = Some(2);
    let line = charge_one(asked("LAND-01", 1), &circumstances).unwrap();
    assert_eq!((line.amount, line.saving()), (Money::vnd(600_000), Money::vnd(100_000)));
    let verdicts: Vec<(String, Verdict)> = line
        .trace
        .iter()
        .filter_map(|step| match step {
            Step::Tariff { .. } => None,
            Step::Reduction { adjustment, verdict, .. } => Some((adjustment.to_string(), *verdict)),
        })
        .collect();
    let expected = [
        ("LEVEL-2", Verdict::Outdone),
        ("ONLINE", Verdict::Granted(Money::vnd(100_000))),
        ("POOR-ALL", Verdict::FactUnknown),
    ];
    assert_eq!(verdicts, expected.map(|(code, verdict)| (code.to_owned(), verdict)));
}

#[test]
fn a_standing_exempts_and_an_unverified_one_does_not() {
    let mut circumstances = online("2026-08-15");
    circumstances.applicant.statuses = Some(BTreeSet::from(["poor_household".parse().unwrap()]));
    assert_eq!(charge_one(asked("COPY-01", 3), &circumstances).unwrap().amount, Money::vnd(0));
    circumstances.applicant.statuses = None;
    assert_eq!(charge_one(asked("COPY-01", 3), &circumstances).unwrap().amount, Money::vnd(24_000));
}

#[test]
fn the_fact_counts_as_of_the_governing_day() {
    let mut circumstances = online("2026-11-23");
    let birthday = day("2010-11-24");
    circumstances.applicant.born = Some(Born { earliest: birthday, latest: birthday });
    assert_eq!(charge_one(asked("COPY-01", 1), &circumstances).unwrap().amount, Money::vnd(0));
    circumstances.dates.submission = birthday.plus_days(5_844);
    assert_eq!(circumstances.dates.submission, day("2026-11-24"));
    assert_eq!(charge_one(asked("COPY-01", 1), &circumstances).unwrap().amount, Money::vnd(8_000));
}

#[test]
fn a_rule_out_of_force_leaves_no_trace() {
    let mut circumstances = online("2027-01-01");
    circumstances.applicant.account_level = Some(2);
    let line = charge_one(asked("LAND-01", 1), &circumstances).unwrap();
    assert_eq!((line.amount, line.trace.len()), (Money::vnd(700_000), 1));
}

#[test]
fn every_fee_that_cannot_be_charged_is_named() {
    let asks = [
        asked("NO-SUCH", 1),
        asked("COPY-01", 2),
        asked("COPY-01", 2),
        asked("LAND-01", 2),
        asked("COPY-02", 0),
    ];
    let refused =
        charge(&schedule(), &"2.000488".parse().unwrap(), &asks, &online("2026-08-15")).unwrap_err();
    let found: Vec<(usize, Refusal)> = refused.iter().map(|r| (r.index, r.refusal)).collect();
    let expected =
        [(0, Refusal::UnknownFee), (2, Refusal::Repeated), (3, Refusal::Count), (4, Refusal::UnknownFee)];
    assert_eq!(found, expected);
    let foreign = charge(&schedule(), &"1.001445".parse().unwrap(), &asks[1..2], &online("2026-08-15"));
    assert_eq!(foreign.unwrap_err()[0].refusal, Refusal::ForeignProcedure);
}

#[test]
fn a_schedule_refuses_overlap_and_orphans() {
    let items = vec![
        item("LAND-01", 1, Unit::Dossier, "2020-01-01", Some("2026-07-01")),
        item("LAND-01", 2, Unit::Dossier, "2026-07-01", None),
    ];
    let mut orphan = adjustment("ORPHAN LAND-02 exempt 100 age<16");
    orphan.applies_to = Scope::Fee("LAND-02".parse().unwrap());
    let faults = Schedule::new(items, vec![orphan.clone(), orphan]).unwrap_err();
    let expected = [
        "two versions of LAND-01 are in force on 2026-07-01",
        "two versions of the adjustment ORPHAN are in force on 2026-01-01",
        "the adjustment ORPHAN applies to LAND-02, which is not in the schedule",
        "the adjustment ORPHAN applies to LAND-02, which is not in the schedule",
    ];
    assert_eq!(faults.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
}
