//! The fee schedule, and what a dossier owes by it.
//!
//! Owns the dated tariff items, the rule that two versions of one fee never overlap, and the computation with its
//! trace: each line says which version was in force on which day, which reduction was granted or refused, whose fact
//! and which date decided, and by what law. Reductions do not add up: of those that hold, the one that leaves least
//! to pay is granted. Deliberately absent: the text of the trace (its steps are values), and how an amount follows from
//! a count (`super::formula`).

use super::{
    code::{Code, ProcedureCode},
    exemption::{
        Adjustment, Answer, Circumstances, Condition, Effect, Finding, GoverningDate, Validity, Whose,
    },
    formula::{Formula, Measure, NoAmount, Term},
};
use crate::base::{
    calendar::Day,
    money::{Currency, Money, Rate},
    text::{Lang, Line},
};
use std::{fmt, str::FromStr};

/// The most units of one fee on one bill.
pub const COUNT_MAX: u32 = 10_000;

/// The kinds of charges, which have separate accounts, documents and series (Law 97/2015).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FeeKind {
    /// *Phí*: the price of a service; the collecting unit may keep a part.
    Phi,
    /// *Lệ phí*: a state charge; all of it is the budget's.
    LePhi,
    /// A tax or another obligation that an office elsewhere has assessed by a notice; all of it is the budget's. It has
    /// no place in the fee schedule, and its proof is the budget payment slip, never a receipt.
    Tax,
    /// The price of a service that a seller has invoiced: the seller's as a whole, collected for it. It has no place in the
    /// fee schedule, and its proof is the seller's invoice, never a receipt.
    Service,
}

impl FeeKind {
    /// Every kind, in the order of books and documents.
    pub const ALL: [Self; 4] = [Self::Phi, Self::LePhi, Self::Tax, Self::Service];
    /// The kinds that a fee schedule charges and that receipts are issued for.
    pub const CHARGES: [Self; 2] = [Self::Phi, Self::LePhi];

    /// The word on the wire and in rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Phi => "phi",
            Self::LePhi => "le_phi",
            Self::Tax => "tax",
            Self::Service => "service",
        }
    }
}

impl FromStr for FeeKind {
    type Err = NotAnItem;

    fn from_str(s: &str) -> Result<Self, NotAnItem> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == s).ok_or(NotAnItem::Kind)
    }
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// The dossier itself: always one.
    Dossier,
    /// Copies of a document.
    Copy,
    /// Pages.
    Page,
}

impl Unit {
    /// The word on the wire and in rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dossier => "dossier",
            Self::Copy => "copy",
            Self::Page => "page",
        }
    }
}

impl FromStr for Unit {
    type Err = NotAnItem;

    fn from_str(s: &str) -> Result<Self, NotAnItem> {
        [Self::Dossier, Self::Copy, Self::Page].into_iter().find(|u| u.as_str() == s).ok_or(NotAnItem::Unit)
    }
}

/// A name in both languages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bilingual {
    /// Vietnamese.
    pub vi: Line,
    /// English.
    pub en: Line,
}

impl Bilingual {
    /// The name in `lang`.
    pub const fn of(&self, lang: Lang) -> &Line {
        match lang {
            Lang::Vi => &self.vi,
            Lang::En => &self.en,
        }
    }
}

/// Where the state budget books an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// *Chương*: three digits.
    pub chapter: String,
    /// *Tiểu mục*: four digits.
    pub sub_item: String,
}

impl Budget {
    /// Reads both numbers; leading zeros matter.
    pub fn parse(chapter: &str, sub_item: &str) -> Result<Self, NotAnItem> {
        let digits = |s: &str, len| s.len() == len && s.bytes().all(|b| b.is_ascii_digit());
        if digits(chapter, 3) && digits(sub_item, 4) {
            Ok(Self { chapter: chapter.to_owned(), sub_item: sub_item.to_owned() })
        } else {
            Err(NotAnItem::Budget)
        }
    }
}

/// An administrative procedure as the catalogue names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Procedure {
    /// Its code.
    pub code: ProcedureCode,
    /// Its name.
    pub name: Bilingual,
    /// Whether its very name tells something private: it is then hidden from whoever has only the reference.
    pub sensitive: bool,
}

/// One dated version of one fee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The fee.
    pub code: Code,
    /// The procedure that it belongs to.
    pub procedure: Procedure,
    /// Service price or state charge.
    pub kind: FeeKind,
    /// Its name on bills and receipts.
    pub name: Bilingual,
    /// How the amount is computed.
    pub formula: Formula,
    /// What is counted.
    pub unit: Unit,
    /// The law that sets it.
    pub legal_basis: Line,
    /// The days on which this version is in force.
    pub validity: Validity,
    /// The share that the collecting unit keeps.
    pub retained: Rate,
    /// The law that lets it keep that share; without it a version that keeps anything is not approved.
    pub retained_basis: Option<Line>,
    /// Where the budget books it.
    pub budget: Budget,
}

/// A field of a schedule that is not an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAnItem {
    /// An unknown kind.
    #[error("the kind is phi or le_phi")]
    Kind,
    /// An unknown unit.
    #[error("the unit is dossier, copy or page")]
    Unit,
    /// Not budget numbers.
    #[error("the chapter has three digits and the sub-item four")]
    Budget,
}

/// Why a set of rows is not a schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleFault {
    /// Two versions of a fee are in force on one day.
    #[error("two versions of {0} are in force on {1}")]
    OverlappingItems(Code, Day),
    /// Two versions of a reduction are in force on one day.
    #[error("two versions of the adjustment {0} are in force on {1}")]
    OverlappingAdjustments(Code, Day),
    /// A reduction of a fee that the schedule does not have.
    #[error("the adjustment {0} applies to {1}, which is not in the schedule")]
    UnknownFee(Code, Code),
}

/// A complete fee schedule in which each fee has at most one version on any day.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Schedule {
    items: Vec<Item>,
    adjustments: Vec<Adjustment>,
}

impl Schedule {
    /// Puts rows together, or names everything that does not fit.
    pub fn new(mut items: Vec<Item>, mut adjustments: Vec<Adjustment>) -> Result<Self, Vec<ScheduleFault>> {
        items.sort_by(|a, b| (&a.code, a.validity.from()).cmp(&(&b.code, b.validity.from())));
        adjustments.sort_by(|a, b| adjustment_key(a).cmp(&adjustment_key(b)));
        let mut faults = Vec::new();
        for pair in items.windows(2) {
            if pair[0].code == pair[1].code && pair[0].validity.overlaps(pair[1].validity) {
                let day = pair[1].validity.from();
                faults.push(ScheduleFault::OverlappingItems(pair[1].code.clone(), day));
            }
        }
        for pair in adjustments.windows(2) {
            let same = pair[0].code == pair[1].code && pair[0].applies_to == pair[1].applies_to;
            if same && pair[0].validity.overlaps(pair[1].validity) {
                let day = pair[1].validity.from();
                faults.push(ScheduleFault::OverlappingAdjustments(pair[1].code.clone(), day));
            }
        }
        for adjustment in &adjustments {
            if let super::exemption::Scope::Fee(fee) = &adjustment.applies_to
                && !items.iter().any(|item| item.code == *fee)
            {
                faults.push(ScheduleFault::UnknownFee(adjustment.code.clone(), fee.clone()));
            }
        }
        if faults.is_empty() { Ok(Self { items, adjustments }) } else { Err(faults) }
    }

    /// Every version of every fee, by code and date.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// Every reduction, by code and date.
    pub fn adjustments(&self) -> &[Adjustment] {
        &self.adjustments
    }

    /// A procedure that has fees, as they name it.
    pub fn procedure(&self, code: &ProcedureCode) -> Option<&Procedure> {
        self.items.iter().map(|item| &item.procedure).find(|procedure| procedure.code == *code)
    }

    /// The version of a fee in force on a day.
    pub fn item(&self, code: &Code, on: Day) -> Result<&Item, Refusal> {
        let first = self.items.partition_point(|item| item.code < *code);
        let mut versions = self.items[first..].iter().take_while(|item| item.code == *code).peekable();
        if versions.peek().is_none() {
            return Err(Refusal::UnknownFee);
        }
        versions.find(|item| item.validity.holds_on(on)).ok_or(Refusal::NotInForce)
    }
}

fn adjustment_key(a: &Adjustment) -> (&Code, &str, Day) {
    (&a.code, a.applies_to.as_str(), a.validity.from())
}

/// One fee that an agency asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Which fee.
    pub fee: Code,
    /// How many units; of each copy, where there are copies.
    pub count: u32,
    /// How many copies.
    pub copies: u32,
    /// The declared value, for a fee that depends on it.
    pub value: Option<Money>,
}

/// Why a fee cannot be charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such fee.
    #[error("the schedule has no such fee")]
    UnknownFee,
    /// The fee exists, but not on that day.
    #[error("the fee is not in force on the day of submission")]
    NotInForce,
    /// The fee is another procedure's.
    #[error("the fee belongs to another procedure")]
    ForeignProcedure,
    /// The fee is asked for twice.
    #[error("the fee is asked for twice")]
    Repeated,
    /// No unit, too many, or several of a fee that is due once per dossier.
    #[error("the count must be from 1 to 10000, and 1 for a fee per dossier")]
    Count,
    /// The amount is beyond what an account can hold.
    #[error("the amount is too large")]
    TooLarge,
    /// The fee depends on a declared value, and none is given, or it does not and one is.
    #[error("the fee and the declared value do not fit")]
    Value,
}

impl Refusal {
    /// The stable code on the wire.
    pub const fn code(self) -> &'static str {
        match self {
            Self::UnknownFee => "unknown_fee",
            Self::NotInForce => "fee_not_in_force",
            Self::ForeignProcedure => "fee_of_another_procedure",
            Self::Repeated => "fee_repeated",
            Self::Count => "fee_count_out_of_range",
            Self::TooLarge => "amount_too_large",
            Self::Value => "fee_value_unfit",
        }
    }
}

/// A refusal and the place of the asked fee in the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefusedAt {
    /// The index among the asked fees.
    pub index: usize,
    /// Why.
    pub refusal: Refusal,
}

/// What one fee comes to, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChargedLine {
    /// The version of the fee that was in force.
    pub item: Item,
    /// How many units.
    pub count: u32,
    /// The tariff amount.
    pub gross: Money,
    /// What is owed after the granted reduction.
    pub amount: Money,
    /// The explanation, in the order in which the rules were looked at; the tariff comes first.
    pub trace: Vec<Step>,
}

impl ChargedLine {
    /// What of the amount the collecting unit keeps; a lệ phí is the budget's as a whole.
    pub fn retained(&self) -> Option<Money> {
        match self.item.kind {
            FeeKind::Phi => self.amount.share(self.item.retained).ok(),
            FeeKind::LePhi | FeeKind::Tax | FeeKind::Service => Some(Money::zero(self.amount.currency())),
        }
    }

    /// What the granted reduction takes off.
    pub fn saving(&self) -> Money {
        self.gross.minus(self.amount).unwrap_or(Money::zero(self.gross.currency()))
    }
}

/// One step of an explanation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The tariff in force on a day gave the amount.
    Tariff {
        /// What one unit costs; nothing where the amount follows from a declared value.
        unit_amount: Money,
        /// How the amount came about.
        terms: Vec<Term>,
        /// How many.
        count: u32,
        /// Of what.
        unit: Unit,
        /// The governing day: that of submission.
        on: Day,
        /// The law.
        legal_basis: Line,
        /// The product.
        gross: Money,
    },
    /// A reduction was looked at.
    Reduction {
        /// Its code.
        adjustment: Code,
        /// What it does.
        effect: Effect,
        /// Whose fact counted.
        whose: Whose,
        /// What had to be true.
        condition: Condition,
        /// Which date governed.
        governing: GoverningDate,
        /// That date, if it is known.
        on: Option<Day>,
        /// The law.
        legal_basis: Line,
        /// What came of it.
        verdict: Verdict,
    },
}

/// What came of one reduction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It takes off this much.
    Granted(Money),
    /// Its condition does not hold.
    ConditionFails,
    /// The fact has not been verified.
    FactUnknown,
    /// The governing date is not known yet.
    DateUnknown,
    /// It holds, but would not lower the amount further: reductions do not add up.
    Outdone,
}

impl Verdict {
    /// The word on the wire and in text keys.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Granted(_) => "granted",
            Self::ConditionFails => "condition_fails",
            Self::FactUnknown => "fact_unknown",
            Self::DateUnknown => "date_unknown",
            Self::Outdone => "outdone",
        }
    }
}

/// Computes what a dossier owes. Every asked fee that cannot be charged is reported, not just the first.
pub fn charge(
    schedule: &Schedule,
    procedure: &ProcedureCode,
    asked: &[Asked],
    circumstances: &Circumstances,
) -> Result<Vec<ChargedLine>, Vec<RefusedAt>> {
    let mut lines = Vec::with_capacity(asked.len());
    let mut refused = Vec::new();
    for (index, ask) in asked.iter().enumerate() {
        let repeated = asked[..index].iter().any(|before| before.fee == ask.fee);
        let line = if repeated {
            Err(Refusal::Repeated)
        } else {
            charge_line(schedule, procedure, ask, circumstances)
        };
        match line {
            Ok(line) => lines.push(line),
            Err(refusal) => refused.push(RefusedAt { index, refusal }),
        }
    }
    if refused.is_empty() { Ok(lines) } else { Err(refused) }
}

fn charge_line(
    schedule: &Schedule,
    procedure: &ProcedureCode,
    ask: &Asked,
    circumstances: &Circumstances,
) -> Result<ChargedLine, Refusal> {
    let on = circumstances.dates.submission;
    let item = schedule.item(&ask.fee, on)?;
    if item.procedure.code != *procedure {
        return Err(Refusal::ForeignProcedure);
    }
    let count_max = if item.unit == Unit::Dossier { 1 } else { COUNT_MAX };
    if !(1..=count_max).contains(&ask.count) || !(1..=count_max).contains(&ask.copies) {
        return Err(Refusal::Count);
    }
    let measure = Measure { count: ask.count, copies: ask.copies, value: ask.value };
    let (gross, terms) = item.formula.amount(measure).map_err(|why| match why {
        NoAmount::TooLarge => Refusal::TooLarge,
        NoAmount::ValueMissing | NoAmount::ValueUnexpected | NoAmount::BelowBands => Refusal::Value,
    })?;
    let tariff = Step::Tariff {
        unit_amount: item.formula.unit_amount(),
        terms,
        count: ask.count,
        unit: item.unit,
        on,
        legal_basis: item.legal_basis.clone(),
        gross,
    };
    let (amount, reductions) =
        reduce(schedule, item, gross, ask.count.saturating_mul(ask.copies), circumstances)?;
    let trace = std::iter::once(tariff).chain(reductions).collect();
    Ok(ChargedLine { item: item.clone(), count: ask.count, gross, amount, trace })
}

/// Looks at every reduction of the item that is in force, and grants the one that leaves least to pay (the first by
/// code among equals).
fn reduce(
    schedule: &Schedule,
    item: &Item,
    gross: Money,
    count: u32,
    circumstances: &Circumstances,
) -> Result<(Money, Vec<Step>), Refusal> {
    let mut amount = gross;
    let mut granted: Option<usize> = None;
    let mut looked_at: Vec<(&Adjustment, Option<Day>, Verdict)> = Vec::new();
    for adjustment in schedule.adjustments.iter().filter(|a| a.applies_to.covers(&item.code) && a.lessens()) {
        let (on, verdict) = match adjustment.check(circumstances) {
            Finding::NotInForce(_) => continue,
            Finding::DateUnknown => (None, Verdict::DateUnknown),
            Finding::Decided(on, Answer::Fails) => (Some(on), Verdict::ConditionFails),
            Finding::Decided(on, Answer::Unknown) => (Some(on), Verdict::FactUnknown),
            Finding::Decided(on, Answer::Holds) => {
                let left = adjustment.effect.apply(gross, count).map_err(|_| Refusal::TooLarge)?;
                if left.minor() < amount.minor() {
                    amount = left;
                    granted = Some(looked_at.len());
                }
                (Some(on), Verdict::Outdone)
            }
        };
        looked_at.push((adjustment, on, verdict));
    }
    if let Some(entry) = granted.and_then(|index| looked_at.get_mut(index)) {
        entry.2 = Verdict::Granted(gross.minus(amount).map_err(|_| Refusal::TooLarge)?);
    }
    Ok((amount, looked_at.into_iter().map(|(a, on, verdict)| reduction_step(a, on, verdict)).collect()))
}

fn reduction_step(adjustment: &Adjustment, on: Option<Day>, verdict: Verdict) -> Step {
    Step::Reduction {
        adjustment: adjustment.code.clone(),
        effect: adjustment.effect,
        whose: adjustment.whose,
        condition: adjustment.condition.clone(),
        governing: adjustment.governing,
        on,
        legal_basis: adjustment.legal_basis.clone(),
        verdict,
    }
}

/// The sum of what is owed.
pub fn total(lines: &[ChargedLine]) -> Result<Money, Refusal> {
    Money::sum(Currency::Vnd, lines.iter().map(|line| line.amount)).map_err(|_| Refusal::TooLarge)
}

impl fmt::Display for FeeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
#[path = "fee_tests.rs"]
mod tests;
