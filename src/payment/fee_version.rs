//! The life of a version of the fee schedule: who may move it, what it lacks, and how two versions differ.
//!
//! ```text
//! Draft ──submitted──▶ Submitted ──approved by another person──▶ Approved{from} ──discontinued──▶ Approved{from, until}
//! ```
//!
//! Of the approved versions the one that came into force last is in force. A version in which something is kept without
//! a law that lets it be kept is not approved.

use super::{
    exemption::Adjustment,
    fee::{FeeKind, Item, Schedule},
};
use crate::base::{
    calendar::Day,
    id::{Citizen, Id},
};
use std::str::FromStr;

/// Where a version stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It can be thrown away.
    Draft,
    /// It waits for a second person.
    Submitted,
    /// It is, was or will be in force.
    Approved,
}

impl State {
    /// The word on the wire and in rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Submitted => "submitted",
            Self::Approved => "approved",
        }
    }
}

/// A word that is no state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAState;

impl FromStr for State {
    type Err = NotAState;

    fn from_str(s: &str) -> Result<Self, NotAState> {
        [Self::Draft, Self::Submitted, Self::Approved]
            .into_iter()
            .find(|state| state.as_str() == s)
            .ok_or(NotAState)
    }
}

/// A version as far as its life looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// Where it stands.
    pub state: State,
    /// Whether a legal instrument is named and its text attached.
    pub instrument: bool,
    /// Who drafted it; nobody for a version from the command line.
    pub drafted_by: Option<Id<Citizen>>,
    /// Who submitted it.
    pub submitted_by: Option<Id<Citizen>>,
    /// From which day it is in force.
    pub from: Option<Day>,
    /// From which day it is no longer.
    pub until: Option<Day>,
}

impl Life {
    /// Whether it may be submitted.
    pub const fn submit(&self) -> Result<(), Refusal> {
        match self.state {
            State::Draft if self.instrument => Ok(()),
            State::Draft => Err(Refusal::InstrumentMissing),
            State::Submitted | State::Approved => Err(Refusal::NotADraft),
        }
    }

    /// Whether `by` may approve it for a day.
    pub fn approve(&self, by: Id<Citizen>, from: Day, today: Day) -> Result<(), Refusal> {
        match self.state {
            State::Draft | State::Approved => Err(Refusal::NotSubmitted),
            State::Submitted if self.drafted_by == Some(by) || self.submitted_by == Some(by) => {
                Err(Refusal::OwnAct)
            }
            State::Submitted if from < today => Err(Refusal::InThePast),
            State::Submitted => Ok(()),
        }
    }

    /// Whether it may end on a day.
    pub fn discontinue(&self, on: Day, today: Day) -> Result<(), Refusal> {
        match self.state {
            State::Draft | State::Submitted => Err(Refusal::NotInForce),
            State::Approved if self.until.is_some() => Err(Refusal::NotInForce),
            State::Approved if on < today => Err(Refusal::InThePast),
            State::Approved => Ok(()),
        }
    }
}

/// Why a version does not move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It has been submitted.
    #[error("the version is no draft any more")]
    NotADraft,
    /// No legal instrument is attached.
    #[error("no legal instrument is attached")]
    InstrumentMissing,
    /// Nobody has submitted it, or it is approved already.
    #[error("the version does not wait for approval")]
    NotSubmitted,
    /// Nobody approves an own act.
    #[error("whoever drafted or submitted does not approve")]
    OwnAct,
    /// The day is over.
    #[error("the day has passed")]
    InThePast,
    /// It is not in force, or its end is set.
    #[error("the version is not in force")]
    NotInForce,
    /// Something in it may not be charged so.
    #[error("the version has items that may not be charged")]
    Unfit,
}

impl Refusal {
    /// The stable code on the wire.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotADraft => "fee_version_not_draft",
            Self::InstrumentMissing => "fee_instrument_missing",
            Self::NotSubmitted => "fee_version_not_submitted",
            Self::OwnAct => "own_act",
            Self::InThePast => "day_in_the_past",
            Self::NotInForce => "fee_version_not_in_force",
            Self::Unfit => "fee_version_unfit",
        }
    }
}

/// What the budget knows an agency by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgencyBudget {
    /// *Địa bàn hành chính*: five digits.
    pub area: String,
    /// *Mã đơn vị có quan hệ với ngân sách*: seven digits.
    pub unit_code: String,
    /// The Treasury office: four digits.
    pub treasury_office: String,
    /// The Treasury account of the kept part.
    pub retained_account: String,
    /// The Treasury account of the budget's part.
    pub remitted_account: String,
    /// From which day this holds.
    pub valid_from: Day,
}

/// What an item lacks to be charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// A part is kept, but by no law.
    RetainedBasis,
    /// A lệ phí is the budget's as a whole.
    RetainedOfLePhi,
}

impl Lack {
    /// The rule on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RetainedBasis => "retained_basis_missing",
            Self::RetainedOfLePhi => "retained_of_le_phi",
        }
    }
}

/// The items that may not be approved, and why.
pub fn lacks(schedule: &Schedule) -> Vec<(&Item, Lack)> {
    let lack = |item: &Item| {
        let keeps = item.retained.percent_text() != "0";
        match item.kind {
            FeeKind::Phi if keeps && item.retained_basis.is_none() => Some(Lack::RetainedBasis),
            FeeKind::LePhi | FeeKind::Tax | FeeKind::Service if keeps => Some(Lack::RetainedOfLePhi),
            FeeKind::Phi | FeeKind::LePhi | FeeKind::Tax | FeeKind::Service => None,
        }
    };
    schedule.items().iter().filter_map(|item| Some((item, lack(item)?))).collect()
}

/// One difference between two versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The fee or the reduction.
    pub code: String,
    /// A fee, or a reduction of the fees named.
    pub of: Of,
    /// The first day of the dated row.
    pub from: Day,
    /// What happened to it.
    pub how: How,
}

/// What a change is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Of {
    /// A fee.
    Item,
    /// A reduction of this scope.
    Adjustment(String),
}

/// What happened to a dated row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// These members changed: name, before, after.
    Changed(Vec<(&'static str, String, String)>),
}

/// How `new` differs from `old`: rows are the same row when code (and scope) and first day are.
pub fn diff(old: &Schedule, new: &Schedule) -> Vec<Change> {
    let mut changes = Vec::new();
    let key = |item: &Item| (item.code.clone(), item.validity.from());
    let change = |item: &Item, how| Change {
        code: item.code.to_string(),
        of: Of::Item,
        from: item.validity.from(),
        how,
    };
    for item in old.items() {
        match new.items().iter().find(|other| key(other) == key(item)) {
            None => changes.push(change(item, How::Removed)),
            Some(other) => changes
                .extend(changed(&item_members(item), &item_members(other)).map(|how| change(item, how))),
        }
    }
    let added = new.items().iter().filter(|item| !old.items().iter().any(|other| key(other) == key(item)));
    changes.extend(added.map(|item| change(item, How::Added)));
    let key = |a: &Adjustment| (a.code.clone(), a.applies_to.clone(), a.validity.from());
    let change = |a: &Adjustment, how| Change {
        code: a.code.to_string(),
        of: Of::Adjustment(a.applies_to.as_str().to_owned()),
        from: a.validity.from(),
        how,
    };
    for adjustment in old.adjustments() {
        match new.adjustments().iter().find(|other| key(other) == key(adjustment)) {
            None => changes.push(change(adjustment, How::Removed)),
            Some(other) => changes.extend(
                changed(&adjustment_members(adjustment), &adjustment_members(other))
                    .map(|how| change(adjustment, how)),
            ),
        }
    }
    let added =
        new.adjustments().iter().filter(|a| !old.adjustments().iter().any(|other| key(other) == key(a)));
    changes.extend(added.map(|a| change(a, How::Added)));
    changes
}

type Members = Vec<(&'static str, String)>;

fn changed(old: &Members, new: &Members) -> Option<How> {
    let members = old.iter().zip(new).filter(|(old, new)| old.1 != new.1);
    let members: Vec<_> = members.map(|(old, new)| (old.0, old.1.clone(), new.1.clone())).collect();
    if members.is_empty() { None } else { Some(How::Changed(members)) }
}

fn day(day: Option<Day>) -> String {
    day.map(|day| day.to_string()).unwrap_or_default()
}

fn item_members(item: &Item) -> Members {
    vec![
        ("procedure", item.procedure.code.to_string()),
        ("kind", item.kind.to_string()),
        ("name_vi", item.name.vi.to_string()),
        ("name_en", item.name.en.to_string()),
        ("amount_vnd", item.formula.unit_amount().decimal()),
        ("formula", item.formula.to_string()),
        ("unit", item.unit.as_str().to_owned()),
        ("legal_basis", item.legal_basis.to_string()),
        ("valid_to", day(item.validity.to())),
        ("retained_pct", item.retained.percent_text()),
        ("retained_basis", item.retained_basis.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("chapter", item.budget.chapter.clone()),
        ("sub_item", item.budget.sub_item.clone()),
    ]
}

fn adjustment_members(a: &Adjustment) -> Members {
    vec![
        ("effect", a.effect.as_str().to_owned()),
        ("value", a.effect.value()),
        ("condition", a.condition.to_string()),
        ("whose_fact", a.whose.as_str().to_owned()),
        ("governing_date", a.governing.as_str().to_owned()),
        ("evidence", a.evidence.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("legal_basis", a.legal_basis.to_string()),
        ("valid_to", day(a.validity.to())),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::entropy::SeededEntropy;
    use time::macros::datetime;

    #[test]
    fn a_version_needs_two_people_and_an_instrument() {
        let person = |seed| Id::new(datetime!(2026-11-24 01:00 UTC), &SeededEntropy::new(seed));
        let (one, other) = (person(1), person(2));
        let today: Day = "2026-11-24".parse().unwrap();
        let mut life = Life {
            state: State::Draft,
            instrument: false,
            drafted_by: Some(one),
            submitted_by: None,
            from: None,
            until: None,
        };
        assert_eq!(life.submit(), Err(Refusal::InstrumentMissing));
        life.instrument = true;
        assert_eq!(life.submit(), Ok(()));
        assert_eq!(life.approve(other, today, today), Err(Refusal::NotSubmitted));
        life.state = State::Submitted;
        life.submitted_by = Some(other);
        assert_eq!(life.submit(), Err(Refusal::NotADraft));
        assert_eq!(life.approve(one, today, today), Err(Refusal::OwnAct));
        assert_eq!(life.approve(other, today, today), Err(Refusal::OwnAct));
        assert_eq!(life.approve(person(3), today.plus_days(-1), today), Err(Refusal::InThePast));
        assert_eq!(life.approve(person(3), today, today), Ok(()));
        assert_eq!(life.discontinue(today, today), Err(Refusal::NotInForce));
        life.state = State::Approved;
        assert_eq!(life.discontinue(today.plus_days(-1), today), Err(Refusal::InThePast));
        assert_eq!(life.discontinue(today, today), Ok(()));
    }
}
