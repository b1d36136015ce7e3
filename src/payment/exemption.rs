//! Reductions and exemptions: under which facts, whose, on which date, and by which law less is owed.
//!
//! A fact is used only when it has been verified; what is not known counts for nobody. The fact is that of the
//! applicant unless the schedule names the submitter, and never that of the payer, since anybody may pay.
//! Deliberately absent: how a fact is verified (`crate::identity`), and any text (a reason is a value).

use super::code::Code;
use crate::base::{
    calendar::Day,
    money::{Currency, Money, MoneyError, Rate},
    text::Line,
};
use std::{collections::BTreeSet, fmt, str::FromStr};

/// The days on which a rule is in force, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    from: Day,
    to: Option<Day>,
}

impl Validity {
    /// From `from` through `to`; `None` when it would end before it begins.
    pub fn new(from: Day, to: Option<Day>) -> Option<Self> {
        to.is_none_or(|to| from <= to).then_some(Self { from, to })
    }

    /// The first day.
    pub const fn from(self) -> Day {
        self.from
    }

    /// The last day, if one is set.
    pub const fn to(self) -> Option<Day> {
        self.to
    }

    /// Whether the rule is in force on `day`.
    pub fn holds_on(self, day: Day) -> bool {
        self.from <= day && self.to.is_none_or(|to| day <= to)
    }

    /// Whether some day belongs to both.
    pub fn overlaps(self, other: Self) -> bool {
        let starts_in_time = |a: Self, b: Self| b.to.is_none_or(|to| a.from <= to);
        starts_in_time(self, other) && starts_in_time(other, self)
    }
}

/// The way in which a dossier was filed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// By the citizen, through a portal.
    Online,
    /// At a counter, on paper.
    Counter,
    /// At a counter, through the portal, with an officer's help.
    Assisted,
    /// By post.
    Post,
}

impl Channel {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Counter => "counter",
            Self::Assisted => "assisted",
            Self::Post => "post",
        }
    }
}

impl FromStr for Channel {
    type Err = NotARule;

    fn from_str(s: &str) -> Result<Self, NotARule> {
        [Self::Online, Self::Counter, Self::Assisted, Self::Post]
            .into_iter()
            .find(|c| c.as_str() == s)
            .ok_or(NotARule::Channel)
    }
}

/// Whose fact counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The person whom the dossier concerns.
    Applicant,
    /// The person who filed it.
    Submitter,
}

impl Whose {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Applicant => "applicant",
            Self::Submitter => "submitter",
        }
    }
}

impl FromStr for Whose {
    type Err = NotARule;

    fn from_str(s: &str) -> Result<Self, NotARule> {
        match s {
            "" | "applicant" => Ok(Self::Applicant),
            "submitter" => Ok(Self::Submitter),
            _ => Err(NotARule::Whose),
        }
    }
}

/// Which day of the dossier's life decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GoverningDate {
    /// The day on which the dossier was filed.
    Submission,
    /// The day on which it was accepted as complete.
    Acceptance,
    /// The day of payment.
    Payment,
}

impl GoverningDate {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Submission => "submission",
            Self::Acceptance => "acceptance",
            Self::Payment => "payment",
        }
    }
}

impl FromStr for GoverningDate {
    type Err = NotARule;

    fn from_str(s: &str) -> Result<Self, NotARule> {
        match s {
            "" | "submission" => Ok(Self::Submission),
            "acceptance" => Ok(Self::Acceptance),
            "payment" => Ok(Self::Payment),
            _ => Err(NotARule::GoverningDate),
        }
    }
}

/// A standing that the register or a certificate attests: `student`, `merit`, `poor_household`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Status(String);

impl Status {
    /// The word on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Status {
    type Err = NotARule;

    fn from_str(s: &str) -> Result<Self, NotARule> {
        let letters = s.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        if letters && (2..=40).contains(&s.len()) { Ok(Self(s.to_owned())) } else { Err(NotARule::Condition) }
    }
}

/// When a person was born, as precisely as the register knows: the first and the last possible day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Born {
    /// The earliest day that it can have been.
    pub earliest: Day,
    /// The latest day that it can have been.
    pub latest: Day,
}

/// What has been verified about one party. What is absent is unknown, not false.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// The account level that the national e-ID reports (1 or 2); never this service's own assurance.
    pub account_level: Option<u8>,
    /// The birth date.
    pub born: Option<Born>,
    /// The standings, once they were asked for.
    pub statuses: Option<BTreeSet<Status>>,
}

/// The days of a dossier that are known so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dates {
    /// When it was filed.
    pub submission: Day,
    /// When it was accepted.
    pub acceptance: Option<Day>,
    /// When it is paid.
    pub payment: Option<Day>,
}

impl Dates {
    /// The day that `which` names, if it is known.
    pub const fn of(self, which: GoverningDate) -> Option<Day> {
        match which {
            GoverningDate::Submission => Some(self.submission),
            GoverningDate::Acceptance => self.acceptance,
            GoverningDate::Payment => self.payment,
        }
    }
}

/// All that a computation may look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Circumstances {
    /// How the dossier was filed.
    pub channel: Channel,
    /// Its days.
    pub dates: Dates,
    /// What is verified about the applicant.
    pub applicant: Facts,
    /// What is verified about the submitter.
    pub submitter: Facts,
}

impl Circumstances {
    const fn facts(&self, whose: Whose) -> &Facts {
        match whose {
            Whose::Applicant => &self.applicant,
            Whose::Submitter => &self.submitter,
        }
    }
}

/// What must be true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// The dossier came this way.
    Channel(Channel),
    /// The national e-ID account has at least this level.
    AccountLevelAtLeast(u8),
    /// The person is younger than this on the governing day.
    AgeBelow(u8),
    /// The person is at least this old on the governing day.
    AgeAtLeast(u8),
    /// The person has this standing.
    Status(Status),
    /// The due day is over.
    Late,
}

/// Whether a condition holds, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It does.
    Holds,
    /// It does not.
    Fails,
    /// The fact has not been verified, or not precisely enough.
    Unknown,
}

impl Condition {
    fn check(&self, channel: Channel, facts: &Facts, on: Day) -> Answer {
        let known = |holds: bool| if holds { Answer::Holds } else { Answer::Fails };
        match self {
            Self::Channel(wanted) => known(channel == *wanted),
            Self::AccountLevelAtLeast(level) => {
                facts.account_level.map_or(Answer::Unknown, |has| known(has >= *level))
            }
            Self::AgeBelow(years) => age_check(facts, on, |age| age < i32::from(*years)),
            Self::AgeAtLeast(years) => age_check(facts, on, |age| age >= i32::from(*years)),
            Self::Status(status) => {
                facts.statuses.as_ref().map_or(Answer::Unknown, |has| known(has.contains(status)))
            }
            // Decided from the day of payment, by `super::late`.
            Self::Late => Answer::Unknown,
        }
    }
}

/// With a birth year alone the answer is certain only when both ends of the year give the same one.
fn age_check(facts: &Facts, on: Day, holds: impl Fn(i32) -> bool) -> Answer {
    let Some(born) = facts.born else {
        return Answer::Unknown;
    };
    match (holds(on.age_of(born.earliest)), holds(on.age_of(born.latest))) {
        (true, true) => Answer::Holds,
        (false, false) => Answer::Fails,
        (true, false) | (false, true) => Answer::Unknown,
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Channel(channel) => write!(f, "channel={}", channel.as_str()),
            Self::AccountLevelAtLeast(level) => write!(f, "eid_account_level>={level}"),
            Self::AgeBelow(years) => write!(f, "age<{years}"),
            Self::AgeAtLeast(years) => write!(f, "age>={years}"),
            Self::Status(status) => write!(f, "status={}", status.0),
            Self::Late => f.write_str("late"),
        }
    }
}

impl FromStr for Condition {
    type Err = NotARule;

    /// Reads the form that [`Display`](fmt::Display) prints.
    fn from_str(s: &str) -> Result<Self, NotARule> {
        let number = |s: &str| s.parse::<u8>().map_err(|_| NotARule::Condition);
        if s == "late" {
            return Ok(Self::Late);
        }
        if let Some(channel) = s.strip_prefix("channel=") {
            return channel.parse().map(Self::Channel);
        }
        if let Some(level) = s.strip_prefix("eid_account_level>=") {
            return match number(level)? {
                level @ 1..=2 => Ok(Self::AccountLevelAtLeast(level)),
                _ => Err(NotARule::Condition),
            };
        }
        if let Some(years) = s.strip_prefix("age<") {
            return number(years).map(Self::AgeBelow);
        }
        if let Some(years) = s.strip_prefix("age>=") {
            return number(years).map(Self::AgeAtLeast);
        }
        s.strip_prefix("status=").ok_or(NotARule::Condition)?.parse().map(Self::Status)
    }
}

/// What a reduction does to the amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// This share is taken off, rounded half away from zero to a whole đồng.
    PercentOff(Rate),
    /// One unit costs this instead; never more than before.
    FixedAmount(Money),
    /// Nothing is owed.
    Exempt,
    /// For each day of delay so much more is owed; it takes nothing off (`super::late`).
    LateDaily(Rate),
}

impl Effect {
    /// Reads the effect and value columns of a schedule.
    pub fn parse(effect: &str, value: &str) -> Result<Self, NotARule> {
        match effect {
            "percent_off" => Rate::percent(value).map(Self::PercentOff).ok_or(NotARule::Effect),
            "fixed_amount" => {
                Money::parse(value, Currency::Vnd).map(Self::FixedAmount).map_err(|_| NotARule::Effect)
            }
            "late_daily" => Rate::percent(value).map(Self::LateDaily).ok_or(NotARule::Effect),
            "exempt" if value.is_empty() || value == "100" => Ok(Self::Exempt),
            _ => Err(NotARule::Effect),
        }
    }

    /// The effect column's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PercentOff(_) => "percent_off",
            Self::FixedAmount(_) => "fixed_amount",
            Self::Exempt => "exempt",
            Self::LateDaily(_) => "late_daily",
        }
    }

    /// The value column: percent, đồng, or `100`.
    pub fn value(self) -> String {
        match self {
            Self::PercentOff(rate) | Self::LateDaily(rate) => rate.percent_text(),
            Self::FixedAmount(amount) => amount.decimal(),
            Self::Exempt => "100".to_owned(),
        }
    }

    /// What is left of `gross`, which stands for `count` units.
    pub fn apply(self, gross: Money, count: u32) -> Result<Money, MoneyError> {
        match self {
            Self::PercentOff(rate) => gross.minus(gross.share(rate)?),
            Self::FixedAmount(unit) => {
                let fixed = unit.times(count)?;
                Ok(if fixed.minor() < gross.minor() { fixed } else { gross })
            }
            Self::Exempt => Ok(Money::zero(gross.currency())),
            Self::LateDaily(_) => Ok(gross),
        }
    }
}

/// Which fees a reduction touches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Every fee of the schedule.
    All,
    /// One fee.
    Fee(Code),
}

impl Scope {
    /// Whether the fee is touched.
    pub fn covers(&self, fee: &Code) -> bool {
        match self {
            Self::All => true,
            Self::Fee(code) => code == fee,
        }
    }

    /// The column's text: `*` or the fee code.
    pub fn as_str(&self) -> &str {
        match self {
            Self::All => "*",
            Self::Fee(code) => code.as_str(),
        }
    }
}

impl FromStr for Scope {
    type Err = NotARule;

    fn from_str(s: &str) -> Result<Self, NotARule> {
        match s {
            "*" => Ok(Self::All),
            code => code.parse().map(Self::Fee).map_err(|_| NotARule::Scope),
        }
    }
}

/// One dated rule by which less is owed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adjustment {
    /// Its name in the schedule.
    pub code: Code,
    /// Which fees it touches.
    pub applies_to: Scope,
    /// What it does.
    pub effect: Effect,
    /// When it holds.
    pub condition: Condition,
    /// Whose fact counts.
    pub whose: Whose,
    /// Which day decides, for the fact and for the rule's own validity.
    pub governing: GoverningDate,
    /// What proves the fact, as the schedule says.
    pub evidence: Option<Line>,
    /// The law that grants it.
    pub legal_basis: Line,
    /// The days on which it is in force.
    pub validity: Validity,
}

impl Adjustment {
    /// Whether it is a reduction at all, and no rule of late interest.
    pub const fn lessens(&self) -> bool {
        !matches!(self.effect, Effect::LateDaily(_))
    }

    /// Whether it applies, and which day decided that.
    pub fn check(&self, circumstances: &Circumstances) -> Finding {
        let Some(on) = circumstances.dates.of(self.governing) else {
            return Finding::DateUnknown;
        };
        if !self.validity.holds_on(on) {
            return Finding::NotInForce(on);
        }
        let facts = circumstances.facts(self.whose);
        Finding::Decided(on, self.condition.check(circumstances.channel, facts, on))
    }
}

/// What looking at one rule found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// The day that governs is not known yet.
    DateUnknown,
    /// The rule was not in force on the governing day.
    NotInForce(Day),
    /// The condition was checked as of that day.
    Decided(Day, Answer),
}

/// A field of a schedule that is not a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotARule {
    /// An unknown channel.
    #[error("the channel is not online, counter, assisted or post")]
    Channel,
    /// A party whose facts never count.
    #[error("the fact is the applicant's or the submitter's, never the payer's")]
    Whose,
    /// An unknown date.
    #[error("the governing date is submission, acceptance or payment")]
    GoverningDate,
    /// A condition that is not understood.
    #[error("the condition is not one of channel=, eid_account_level>=, age<, age>=, status=, late")]
    Condition,
    /// An effect that is not understood, or a value that does not fit it.
    #[error(
        "the effect is percent_off (0 to 100), fixed_amount (whole đồng), exempt or late_daily (0 to 100)"
    )]
    Effect,
    /// A scope that is neither `*` nor a fee code.
    #[error("the rule applies to * or to one fee code")]
    Scope,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(s: &str) -> Day {
        s.parse().unwrap()
    }

    #[test]
    fn conditions_print_as_they_are_read() {
        for text in
            ["channel=assisted", "eid_account_level>=2", "age<16", "age>=60", "status=poor_household", "late"]
        {
            assert_eq!(text.parse::<Condition>().unwrap().to_string(), text);
        }
        for bad in
            ["", "channel=fax", "eid_account_level>=3", "age<", "age<999", "status=", "status=Poor", "acr>=2"]
        {
            assert!(bad.parse::<Condition>().is_err(), "{bad:?}");
        }
        assert_eq!("payer".parse::<Whose>(), Err(NotARule::Whose));
    }

    #[test]
    fn an_age_from_a_year_alone_must_be_certain() {
        let year = |year| Facts {
            born: Some(Born {
                earliest: Day::new(year, 1, 1).unwrap(),
                latest: Day::new(year, 12, 31).unwrap(),
            }),
            ..Facts::default()
        };
        let under_16 = Condition::AgeBelow(16);
        let on = day("2026-11-24");
        for (facts, answer) in [
            (year(2011), Answer::Holds),
            (year(2010), Answer::Unknown),
            (year(2009), Answer::Fails),
            (Facts::default(), Answer::Unknown),
        ] {
            assert_eq!(under_16.check(Channel::Online, &facts, on), answer, "{facts:?}");
        }
    }

    #[test]
    fn validity_includes_both_ends() {
        let span = |from, to: Option<&str>| Validity::new(day(from), to.map(day)).unwrap();
        let old = span("2020-01-01", Some("2026-06-30"));
        let new = span("2026-07-01", None);
        assert!(old.holds_on(day("2026-06-30")) && !old.holds_on(day("2026-07-01")));
        assert!(!old.overlaps(new) && !new.overlaps(old));
        assert!(span("2026-06-30", None).overlaps(old));
        assert!(span("2021-01-01", Some("2021-01-02")).overlaps(old));
        assert!(Validity::new(day("2026-07-02"), Some(day("2026-07-01"))).is_none());
    }

    #[test]
    fn a_fixed_amount_never_raises_what_is_owed() {
        let fixed = Effect::parse("fixed_amount", "115000").unwrap();
        assert_eq!(fixed.apply(Money::vnd(270_000), 2), Ok(Money::vnd(230_000)));
        assert_eq!(fixed.apply(Money::vnd(100_000), 1), Ok(Money::vnd(100_000)));
        let tenth = Effect::parse("percent_off", "10").unwrap();
        assert_eq!(tenth.apply(Money::vnd(700_000), 1), Ok(Money::vnd(630_000)));
        assert_eq!(Effect::Exempt.apply(Money::vnd(8_000), 1), Ok(Money::vnd(0)));
        for (effect, value) in
            [("percent_off", "101"), ("fixed_amount", "-1"), ("exempt", "50"), ("free", "")]
        {
            assert_eq!(Effect::parse(effect, value), Err(NotARule::Effect), "{effect} {value}");
        }
    }
}
