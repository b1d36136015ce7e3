//! The decision of a verification: what an agency claims about a person against what the register says.
//!
//! The answer speaks only about what was claimed: a grade for each claimed attribute and one state for the whole. No
//! value of the register is part of it. Which grades count is a named [`Policy`]; the answer repeats its name, so
//! that an old statement still says by which rule it was decided.

use super::birth_date::{BirthDate, Precision};
use super::name::{self, Name};
use super::person::{Person, Phone, Status};
use super::personal_number::{Finding, OldNumber, PersonalNumber, Sex};
use super::predicate::{Predicate, Verdict};
use super::province::Province;
use crate::base::calendar::Day;
use std::str::FromStr;

/// What the caller holds to be true of the person with that number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claims {
    /// The full name.
    pub name: Option<Name>,
    /// The birth date, as precise as the caller knows it.
    pub birth_date: Option<BirthDate>,
    /// The sex.
    pub sex: Option<Sex>,
    /// The nine-digit number of the former card.
    pub old_number: Option<OldNumber>,
    /// The phone.
    pub phone: Option<Phone>,
    /// The province of residence.
    pub province: Option<Province>,
}

impl Claims {
    /// Whether a claim is there on which a match can rest.
    pub fn is_decidable(&self) -> bool {
        self.name.is_some() || self.birth_date.is_some()
    }

    /// The claimed attributes, in one order.
    pub fn attributes(&self) -> Vec<Attribute> {
        let claimed = |attribute| match attribute {
            Attribute::Name => self.name.is_some(),
            Attribute::BirthDate => self.birth_date.is_some(),
            Attribute::Sex => self.sex.is_some(),
            Attribute::OldNumber => self.old_number.is_some(),
            Attribute::Phone => self.phone.is_some(),
            Attribute::Province => self.province.is_some(),
        };
        Attribute::ALL.into_iter().filter(|attribute| claimed(*attribute)).collect()
    }
}

/// What can be claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Attribute {
    /// The full name.
    Name,
    /// The birth date.
    BirthDate,
    /// The sex.
    Sex,
    /// The nine-digit number of the former card.
    OldNumber,
    /// The phone.
    Phone,
    /// The province of residence.
    Province,
}

impl Attribute {
    /// Every attribute, in the order of answers.
    pub const ALL: [Self; 6] =
        [Self::Name, Self::BirthDate, Self::Sex, Self::OldNumber, Self::Phone, Self::Province];

    /// The word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::BirthDate => "birth_date",
            Self::Sex => "sex",
            Self::OldNumber => "old_number",
            Self::Phone => "phone",
            Self::Province => "province",
        }
    }

    /// The attribute of that word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|attribute| attribute.word() == word)
    }

    /// Whether the attribute takes part in the decision. Phones are shared and change hands, and places of residence
    /// were merged and split in 2025: both are graded and never fail an identity.
    pub const fn decides(self) -> bool {
        match self {
            Self::Name | Self::BirthDate | Self::Sex | Self::OldNumber => true,
            Self::Phone | Self::Province => false,
        }
    }
}

/// How far one claimed attribute agrees with the register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Grade {
    /// Names have degrees.
    Name(name::Grade),
    /// The same value; for a birth date, as far as both sides know it.
    Equal,
    /// Another value.
    Different,
    /// The register holds no such value for this person.
    NotOnRecord,
    /// The person bore this name until a day.
    Former(Day),
}

impl Grade {
    /// The word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Name(grade) => grade.word(),
            Self::Equal => "exact",
            Self::Different => "different",
            Self::NotOnRecord => "not_on_record",
            Self::Former(_) => "former",
        }
    }
}

/// The answer about one attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Graded {
    /// Which attribute.
    pub attribute: Attribute,
    /// How far it agrees.
    pub grade: Grade,
    /// How much of a birth date was compared.
    pub precision: Option<Precision>,
}

/// The answer to the whole question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Every deciding claim counts under the policy, and the identity is open.
    Match,
    /// A deciding claim does not count.
    NoMatch,
    /// The register does not know the number.
    NotOnRecord,
    /// The claims match a number that was just issued and that the register has not confirmed yet.
    Pending,
    /// The claims match, by a name or a number that the person had formerly.
    Former,
    /// The claims match a person whose electronic identity is locked.
    Locked,
    /// The claims match a person who has died.
    Deceased,
    /// The register could not be asked, and the claims match a copy as young as the portal's policy demands.
    StaleAccepted,
    /// The register could not be asked; nothing was decided.
    SourceUnavailable,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 9] = [
        Self::Match,
        Self::NoMatch,
        Self::NotOnRecord,
        Self::Pending,
        Self::Former,
        Self::Locked,
        Self::Deceased,
        Self::StaleAccepted,
        Self::SourceUnavailable,
    ];

    /// The word on the wire and in rows.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Match => "match",
            Self::NoMatch => "no_match",
            Self::NotOnRecord => "not_on_record",
            Self::Pending => "pending",
            Self::Former => "former",
            Self::Locked => "locked",
            Self::Deceased => "deceased",
            Self::StaleAccepted => "stale_accepted",
            Self::SourceUnavailable => "source_unavailable",
        }
    }

    /// The state of that word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }

    /// Whether the person is taken for who they are said to be.
    pub const fn is_accepted(self) -> bool {
        matches!(self, Self::Match | Self::StaleAccepted)
    }

    /// Whether it is an answer that a citizen may want corrected: such a one comes with a slip.
    pub const fn is_negative(self) -> bool {
        !self.is_accepted() && !matches!(self, Self::SourceUnavailable)
    }
}

/// Which grades of a name count as the same person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Policy {
    /// Exact only.
    Exact,
    /// Exact or equivalent.
    #[default]
    Standard,
    /// Unaccented too: for claims read from a passport's machine-readable zone or a bank account.
    Unaccented,
    /// Near too: for old dossiers, written by hand, where somebody looks at what is near.
    Near,
}

impl Policy {
    /// The policy's name with its version, as statements carry it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Exact => "exact-1",
            Self::Standard => "standard-1",
            Self::Unaccented => "unaccented-1",
            Self::Near => "near-1",
        }
    }

    /// Whether an attribute graded so supports a match. What the register does not hold cannot support one.
    pub const fn counts(self, grade: Grade) -> bool {
        match grade {
            Grade::Equal | Grade::Name(name::Grade::Exact) => true,
            Grade::Name(name::Grade::Equivalent) => !matches!(self, Self::Exact),
            Grade::Name(name::Grade::Unaccented) => matches!(self, Self::Unaccented | Self::Near),
            Grade::Name(name::Grade::Near) => matches!(self, Self::Near),
            Grade::Name(name::Grade::Different | name::Grade::Unreadable)
            | Grade::Different
            | Grade::NotOnRecord
            | Grade::Former(_) => false,
        }
    }
}

impl Policy {
    /// Every rule, the strictest first.
    pub const ALL: [Self; 4] = [Self::Exact, Self::Standard, Self::Unaccented, Self::Near];
}

/// A text that names no policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a policy is exact-1, standard-1, unaccented-1 or near-1")]
pub struct NotAPolicy;

impl FromStr for Policy {
    type Err = NotAPolicy;

    fn from_str(code: &str) -> Result<Self, NotAPolicy> {
        Self::ALL.into_iter().find(|policy| policy.code() == code).ok_or(NotAPolicy)
    }
}

/// What the population source said when it was asked for a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceAnswer {
    /// The person.
    Found(Box<Known>),
    /// No such number.
    NotOnRecord,
    /// No answer in time, or none that could be trusted.
    Unavailable,
}

/// Whom the source found, and how well it knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The record.
    pub person: Person,
    /// Until when the number that was asked about was the person's, if it is no longer.
    pub former_until: Option<Day>,
    /// Whether the record is a copy that the source could not be asked to confirm.
    pub stale: bool,
}

/// The decision: a state, grades, and what is odd about the number itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The answer to the whole question.
    pub state: State,
    /// One grade per claimed attribute, in the order of [`Attribute::ALL`]; none unless a person was found.
    pub graded: Vec<Graded>,
    /// Between the number and the claims: nothing of the register is in them.
    pub findings: Vec<Finding>,
    /// The answers to the questions, in their order; `None` where the claims do not match.
    pub verdicts: Vec<Option<Verdict>>,
    /// With [`State::Former`]: until when the name or the number was the person's.
    pub former_until: Option<Day>,
}

/// Decides. A lock or a death is told only to a caller whose claims match: a number alone buys no news of its owner.
pub fn decide(
    number: PersonalNumber,
    claims: &Claims,
    predicates: &[Predicate],
    policy: Policy,
    source: &SourceAnswer,
) -> Answer {
    let findings = number.findings(claims.sex, claims.birth_date);
    let bare = |state| (state, Vec::new(), None);
    let (state, graded, former_until) = match source {
        SourceAnswer::Unavailable => bare(State::SourceUnavailable),
        SourceAnswer::NotOnRecord => bare(State::NotOnRecord),
        SourceAnswer::Found(known) => {
            let graded = grade(&known.person, claims, policy);
            let (state, former_until) = state_of(known, &graded, policy);
            (state, graded, former_until)
        }
    };
    let verdict = |asked: &Predicate| match source {
        SourceAnswer::Found(known) if state.is_accepted() || state == State::Former => {
            Some(asked.verdict(&known.person))
        }
        _ => None,
    };
    Answer { state, graded, findings, verdicts: predicates.iter().map(verdict).collect(), former_until }
}

fn state_of(known: &Known, graded: &[Graded], policy: Policy) -> (State, Option<Day>) {
    let mut deciding = graded.iter().filter(|one| one.attribute.decides()).peekable();
    let some = deciding.peek().is_some();
    let mut former = known.former_until;
    let matches = some
        && deciding.all(|one| match one.grade {
            Grade::Former(until) => {
                former = former.max(Some(until));
                true
            }
            grade => policy.counts(grade),
        });
    match known.person.status {
        _ if !matches => (State::NoMatch, None),
        Status::Deceased { .. } => (State::Deceased, None),
        Status::Locked => (State::Locked, None),
        Status::Pending => (State::Pending, None),
        Status::Active if former.is_some() => (State::Former, former),
        Status::Active if known.stale => (State::StaleAccepted, None),
        Status::Active => (State::Match, None),
    }
}

/// The grade of a name: by the one of today, else by a former one that counts.
fn grade_name(person: &Person, claimed: &Name, policy: Policy) -> Grade {
    let today = Grade::Name(person.name.grade(claimed));
    if policy.counts(today) {
        return today;
    }
    let former =
        person.former_names.iter().find(|former| policy.counts(Grade::Name(former.name.grade(claimed))));
    former.map_or(today, |former| Grade::Former(former.until))
}

fn grade(person: &Person, claims: &Claims, policy: Policy) -> Vec<Graded> {
    let plain = |attribute, grade| Graded { attribute, grade, precision: None };
    let name = claims.name.as_ref().map(|name| plain(Attribute::Name, grade_name(person, name, policy)));
    let birth_date = claims.birth_date.map(|date| {
        let found = person.birth_date.compare(date);
        let grade = if found.equal { Grade::Equal } else { Grade::Different };
        Graded { attribute: Attribute::BirthDate, grade, precision: Some(found.precision) }
    });
    let sex = claims.sex.map(|sex| plain(Attribute::Sex, same(Some(&person.sex), &sex)));
    let old_number = claims.old_number.as_ref();
    let old_number = old_number.map(|old| plain(Attribute::OldNumber, same(person.old_number.as_ref(), old)));
    let phone = claims.phone.as_ref();
    let phone = phone.map(|phone| plain(Attribute::Phone, same(person.phone.as_ref(), phone)));
    let province =
        claims.province.map(|province| plain(Attribute::Province, same(Some(&person.province), &province)));
    [name, birth_date, sex, old_number, phone, province].into_iter().flatten().collect()
}

fn same<T: PartialEq>(on_record: Option<&T>, claimed: &T) -> Grade {
    match on_record {
        None => Grade::NotOnRecord,
        Some(known) if known == claimed => Grade::Equal,
        Some(_) => Grade::Different,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::person::Standings;

    fn person(status: Status) -> Person {
        Person {
            number: "079085123456".parse().unwrap(),
            old_number: Some("024123456".parse().unwrap()),
            name: "Nguyễn Thị Hòa".parse().unwrap(),
            birth_date: "1985".parse().unwrap(),
            sex: Sex::Male,
            phone: None,
            province: "79".parse().unwrap(),
            status,
            account_level: None,
            standings: Standings::default(),
            former_names: vec![],
            parents: "".parse().unwrap(),
            guardians: "".parse().unwrap(),
            capacity_lost_on: None,
        }
    }

    fn claims(name: &str, birth_date: &str) -> Claims {
        Claims { name: name.parse().ok(), birth_date: birth_date.parse().ok(), ..Claims::default() }
    }

    fn ask(claims: &Claims, policy: Policy, status: Status) -> Answer {
        let person = person(status);
        let known = Known { person, former_until: None, stale: false };
        decide(known.person.number, claims, &[], policy, &SourceAnswer::Found(Box::new(known)))
    }

    #[test]
    fn the_state_follows_grades_policy_and_status() {
        let died = Status::Deceased { on: "2020-01-01".parse().unwrap() };
        for (name, birth_date, policy, status, state) in [
            ("Nguyễn Thị Hoà", "1985-03-15", Policy::Standard, Status::Active, State::Match),
            ("NGUYEN THI HOA", "1985", Policy::Standard, Status::Active, State::NoMatch),
            ("NGUYEN THI HOA", "1985", Policy::Unaccented, Status::Active, State::Match),
            ("Nguyễn Thị Hoà", "1985", Policy::Exact, Status::Active, State::NoMatch),
            ("Nguyễn Thị Hóa", "1985", Policy::Near, Status::Active, State::Match),
            ("Nguyễn Thị Hòa", "1985", Policy::Standard, Status::Pending, State::Pending),
            ("Nguyễn Thị Hỏa", "1985", Policy::Unaccented, Status::Active, State::NoMatch),
            ("Nguyễn Thị Hòa", "1986", Policy::Standard, Status::Active, State::NoMatch),
            ("Nguyễn Thị Hòa", "", Policy::Standard, Status::Active, State::Match),
            ("Nguyễn Thị Hòa", "1985", Policy::Standard, Status::Locked, State::Locked),
            ("Nguyễn Thị Hòa", "1985", Policy::Standard, died, State::Deceased),
            ("Trần Văn An", "1985", Policy::Standard, died, State::NoMatch),
            ("", "", Policy::Standard, Status::Locked, State::NoMatch),
        ] {
            let answer = ask(&claims(name, birth_date), policy, status);
            assert_eq!(answer.state, state, "{name:?} {birth_date:?} {policy:?} {status:?}");
        }
    }

    #[test]
    fn each_claim_is_graded_and_weak_ones_do_not_decide() {
        let all = Claims {
            sex: Some(Sex::Female),
            old_number: "024123456".parse().ok(),
            phone: "0912345678".parse().ok(),
            province: "01".parse().ok(),
            ..claims("Nguyễn Thị Hòa", "1985-03-15")
        };
        let answer = ask(&all, Policy::Standard, Status::Active);
        let words: Vec<_> =
            answer.graded.iter().map(|one| (one.attribute.word(), one.grade.word())).collect();
        let expected = [
            ("name", "exact"),
            ("birth_date", "exact"),
            ("sex", "different"),
            ("old_number", "exact"),
            ("phone", "not_on_record"),
            ("province", "different"),
        ];
        assert_eq!(words, expected);
        assert_eq!(answer.graded[1].precision, Some(Precision::Year));
        assert_eq!((answer.state, answer.findings), (State::NoMatch, vec![Finding::SexDiffers]));
        let without_sex = Claims { sex: None, ..all };
        assert_eq!(ask(&without_sex, Policy::Standard, Status::Active).state, State::Match);
        assert_eq!(without_sex.attributes().len(), 5);
    }

    #[test]
    fn former_names_and_numbers_stale_copies_and_predicates_are_told_only_to_who_matches() {
        let age = Predicate::age_at_least(18, "2026-11-24".parse().unwrap()).unwrap();
        let until: Day = "2010-02-01".parse().unwrap();
        let former_name =
            crate::identity::person::FormerName { name: "Trần Thị Hòa".parse().unwrap(), until };
        for (name, number_until, stale, state, told, verdict) in [
            ("Nguyễn Thị Hòa", None, false, State::Match, None, Some(Verdict::Yes)),
            ("Nguyễn Thị Hòa", None, true, State::StaleAccepted, None, Some(Verdict::Yes)),
            ("Trần Thị Hòa", None, false, State::Former, Some("2010-02-01"), Some(Verdict::Yes)),
            (
                "Nguyễn Thị Hòa",
                Some("2020-01-01"),
                true,
                State::Former,
                Some("2020-01-01"),
                Some(Verdict::Yes),
            ),
            ("Lê Thị Hòa", Some("2020-01-01"), false, State::NoMatch, None, None),
        ] {
            let mut person = person(Status::Active);
            person.former_names.push(former_name.clone());
            let former_until = number_until.map(|day| day.parse().unwrap());
            let number = person.number;
            let source = SourceAnswer::Found(Box::new(Known { person, former_until, stale }));
            let answer = decide(number, &claims(name, "1985"), &[age], Policy::Standard, &source);
            let until = told.map(|day| day.parse().unwrap());
            assert_eq!((answer.state, answer.former_until), (state, until), "{name}");
            assert_eq!(answer.verdicts, [verdict], "{name}");
        }
    }

    #[test]
    fn without_a_person_nothing_is_graded() {
        let claims = claims("Nguyễn Thị Hòa", "1985");
        for (source, state) in [
            (SourceAnswer::NotOnRecord, State::NotOnRecord),
            (SourceAnswer::Unavailable, State::SourceUnavailable),
        ] {
            let answer = decide("079085123456".parse().unwrap(), &claims, &[], Policy::Standard, &source);
            assert_eq!((answer.state, answer.graded), (state, vec![]));
        }
        for state in State::ALL {
            assert_eq!(State::of(state.word()), Some(state));
        }
    }
}
