//! Acting for somebody: what one person allows another, or an organisation, to do in their name.
//!
//! ```text
//! Offered -> Accepted -> Ended
//!    \-------------------> Ended
//! ```
//! A mandate names the acts, the procedures and the last day; it counts once the delegate has accepted it and ends when
//! either side revokes it, dies or loses capacity. Whether a procedure takes a delegate, and in what form, is the
//! procedure's own dated rule: what no rule allows is not allowed. Parents and guardians need no mandate: the register
//! says who they are. Paying, and the receipt of one's own payment, need none either, so neither is asked about here.

use super::kinship::Representation;
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{self, Agency, Citizen, Id},
    text::Line,
};
use std::{collections::BTreeSet, fmt, str::FromStr};

/// The longest time that a mandate lasts, in days: whoever wants more gives a new one.
pub const DAYS_MAX: i64 = 3 * 366;
/// The most procedures and agencies that one mandate names.
pub const NAMED_MAX: usize = 50;

/// What a delegate may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Act {
    /// File and follow a dossier.
    Apply,
    /// Pay in the principal's name; anybody may pay in their own.
    Pay,
    /// Collect the result.
    Receive,
}

impl Act {
    /// Every act.
    pub const ALL: [Self; 3] = [Self::Apply, Self::Pay, Self::Receive];

    /// The word in rows and on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Pay => "pay",
            Self::Receive => "receive",
        }
    }
}

/// A text that names no act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an act is apply, pay or receive")]
pub struct NotAnAct;

impl FromStr for Act {
    type Err = NotAnAct;

    fn from_str(s: &str) -> Result<Self, NotAnAct> {
        Self::ALL.into_iter().find(|act| act.word() == s).ok_or(NotAnAct)
    }
}

/// In what form a delegate's right is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// Given on a page of ours by somebody who signed in with more than a code by SMS.
    Electronic,
    /// Certified on paper and recorded by an officer.
    CertifiedPaper,
    /// Taken down by an officer before whom the principal stood with the card. It counts as either of the two above.
    Counter,
}

impl Form {
    /// Every form.
    pub const ALL: [Self; 3] = [Self::Electronic, Self::CertifiedPaper, Self::Counter];

    /// The word in rows and on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Electronic => "electronic",
            Self::CertifiedPaper => "certified_paper",
            Self::Counter => "counter",
        }
    }

    /// The form of that word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.word() == word)
    }
}

/// To whom a mandate is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Delegate {
    /// A person.
    Person(Id<Citizen>),
    /// An organisation, whose officers act: a public post office, a notary's office.
    Organisation(Id<Agency>),
}

/// Who ended a mandate, or what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// The principal took it back.
    RevokedByPrincipal,
    /// The delegate gave it back.
    RevokedByDelegate,
    /// The delegate did not want it.
    Declined,
    /// One side died.
    Death,
    /// One side lost legal capacity.
    Incapacity,
    /// One side had everything about themselves erased.
    Erasure,
}

impl End {
    /// Every end.
    pub const ALL: [Self; 6] = [
        Self::RevokedByPrincipal,
        Self::RevokedByDelegate,
        Self::Declined,
        Self::Death,
        Self::Incapacity,
        Self::Erasure,
    ];

    /// The word in rows and on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::RevokedByPrincipal => "revoked_by_principal",
            Self::RevokedByDelegate => "revoked_by_delegate",
            Self::Declined => "declined",
            Self::Death => "death",
            Self::Incapacity => "incapacity",
            Self::Erasure => "erasure",
        }
    }

    /// The end of that word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|end| end.word() == word)
    }
}

/// Where a mandate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// The delegate has not answered.
    Offered,
    /// It counts, within its days.
    Accepted {
        /// Since when.
        at: Instant,
    },
    /// It counts no more.
    Ended {
        /// Why.
        end: End,
        /// When.
        at: Instant,
    },
}

impl State {
    /// The word in rows and on the wire.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Offered => "offered",
            Self::Accepted { .. } => "accepted",
            Self::Ended { .. } => "ended",
        }
    }
}

/// What is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extent {
    /// The acts, at least one.
    pub acts: BTreeSet<Act>,
    /// The codes of the procedures, at least one.
    pub procedures: BTreeSet<String>,
    /// The agencies; none named: every agency.
    pub agencies: BTreeSet<Id<Agency>>,
    /// The first day.
    pub from: Day,
    /// The last day, included.
    pub to: Day,
}

impl Extent {
    /// Checks the counts and the days against today.
    pub fn check(&self, today: Day) -> Result<(), Refusal> {
        let named = |count: usize| (1..=NAMED_MAX).contains(&count);
        if self.acts.is_empty() || !named(self.procedures.len()) || self.agencies.len() > NAMED_MAX {
            Err(Refusal::Extent)
        } else if self.to < self.from || self.to < today || self.to > self.from.plus_days(DAYS_MAX) {
            Err(Refusal::Days)
        } else {
            Ok(())
        }
    }
}

/// What a certified paper says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paper {
    /// The office that certified it.
    pub certifier: Line<200>,
    /// Its number in that office's book.
    pub number: Line<60>,
    /// The day of the certification.
    pub on: Day,
}

/// A mandate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mandate {
    /// Its identifier.
    pub id: Id<id::Mandate>,
    /// In whose name it allows to act.
    pub principal: Id<Citizen>,
    /// Who may act.
    pub delegate: Delegate,
    /// What is allowed.
    pub extent: Extent,
    /// How it was given.
    pub form: Form,
    /// The paper, where the form is one.
    pub paper: Option<Paper>,
    /// When it was given or recorded.
    pub given_at: Instant,
    /// Where it stands.
    pub state: State,
}

/// What a delegate is about to do.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// For which procedure; absent at a sign-in, whose dossiers are asked about one by one.
    pub procedure: Option<&'a str>,
    /// At which agency.
    pub agency: Id<Agency>,
    /// What; absent at a sign-in.
    pub act: Option<Act>,
    /// On which day.
    pub on: Day,
}

impl Mandate {
    /// Whether it counts on a day.
    pub fn counts(&self, on: Day) -> Result<(), Refusal> {
        match self.state {
            State::Offered => Err(Refusal::NotAccepted),
            State::Ended { .. } => Err(Refusal::Ended),
            State::Accepted { .. } if on < self.extent.from || on > self.extent.to => {
                Err(Refusal::NotInForce)
            }
            State::Accepted { .. } => Ok(()),
        }
    }

    /// Whether it allows this.
    pub fn allows(&self, asked: &Asked<'_>) -> Result<(), Refusal> {
        self.counts(asked.on)?;
        let extent = &self.extent;
        let agency = extent.agencies.is_empty() || extent.agencies.contains(&asked.agency);
        let procedure = asked.procedure.is_none_or(|code| extent.procedures.contains(code));
        let act = asked.act.is_none_or(|act| extent.acts.contains(&act));
        if agency && procedure && act { Ok(()) } else { Err(Refusal::NotCovered) }
    }
}

/// By what right somebody acts for somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Right {
    /// A mandate.
    Mandate(Id<id::Mandate>),
    /// Kinship that the register knows.
    Kin(Representation),
}

impl Right {
    /// The word on the wire: `mandate`, `parent` or `guardian`.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Mandate(_) => "mandate",
            Self::Kin(kin) => kin.word(),
        }
    }

    /// The mandate, where it is one.
    pub const fn mandate(&self) -> Option<Id<id::Mandate>> {
        match self {
            Self::Mandate(id) => Some(*id),
            Self::Kin(_) => None,
        }
    }
}

/// What a procedure's rule says of delegates in one of its versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Allowed {
    /// An electronic mandate.
    Electronic,
    /// A certified paper.
    CertifiedPaper,
    /// Kinship from the register.
    Kinship,
    /// Nobody: the person acts alone.
    Nobody,
}

impl Allowed {
    /// Every word of a rule.
    pub const ALL: [Self; 4] = [Self::Electronic, Self::CertifiedPaper, Self::Kinship, Self::Nobody];

    /// The word in rows, files and on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Electronic => "electronic",
            Self::CertifiedPaper => "certified_paper",
            Self::Kinship => "kinship",
            Self::Nobody => "none",
        }
    }

    /// The word's meaning.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|allowed| allowed.word() == word)
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Whether the rules of a procedure that are in force take a delegate of that right; `form` is a mandate's.
pub fn admits(rules: &[Allowed], right: Right, form: Option<Form>) -> Result<(), Refusal> {
    let has = |allowed| rules.contains(&allowed);
    let taken = match (right, form) {
        (Right::Kin(_), _) => has(Allowed::Kinship),
        (Right::Mandate(_), Some(Form::Electronic)) => has(Allowed::Electronic),
        (Right::Mandate(_), Some(Form::CertifiedPaper)) => has(Allowed::CertifiedPaper),
        (Right::Mandate(_), Some(Form::Counter)) => has(Allowed::Electronic) || has(Allowed::CertifiedPaper),
        (Right::Mandate(_), None) => false,
    };
    if taken && !has(Allowed::Nobody) { Ok(()) } else { Err(Refusal::ProcedureForbids) }
}

/// Why somebody may not act for somebody else, or a mandate is not given so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// It names no act, no procedure, or too many.
    #[error("name the acts and up to fifty procedures and agencies")]
    Extent,
    /// Its days are in disorder, over, or too many.
    #[error("the last day lies before the first, in the past or too far ahead")]
    Days,
    /// Nobody gives themselves a mandate.
    #[error("nobody gives themselves a mandate")]
    Oneself,
    /// The delegate has not accepted.
    #[error("the delegate has not accepted the mandate")]
    NotAccepted,
    /// It has ended.
    #[error("the mandate has ended")]
    Ended,
    /// Today is not one of its days.
    #[error("the mandate is not in force on this day")]
    NotInForce,
    /// It is for other acts, procedures or agencies.
    #[error("the mandate does not cover this")]
    NotCovered,
    /// The procedure takes no delegate, or none of this form.
    #[error("the procedure takes no delegate in this form")]
    ProcedureForbids,
    /// Neither a mandate nor the register gives a right.
    #[error("nothing gives this person the right to act for the other")]
    NoRight,
    /// One side has died, lost capacity or is under age.
    #[error("one side cannot act any more, or not yet")]
    Unfit,
}

impl Refusal {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Extent => "mandate_extent",
            Self::Days => "mandate_days",
            Self::Oneself => "mandate_for_oneself",
            Self::NotAccepted => "mandate_not_accepted",
            Self::Ended => "mandate_ended",
            Self::NotInForce => "mandate_not_in_force",
            Self::NotCovered => "mandate_not_covering",
            Self::ProcedureForbids => "delegate_not_taken",
            Self::NoRight => "no_right_to_act",
            Self::Unfit => "party_unfit",
        }
    }
}

/// What can happen to a mandate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The delegate accepts.
    Accept,
    /// It ends.
    End(End),
}

impl State {
    /// The state after an event; the caller stores it against the state it read.
    pub const fn after(self, event: Event, now: Instant) -> Result<Self, Refusal> {
        match (self, event) {
            (Self::Offered, Event::Accept) => Ok(Self::Accepted { at: now }),
            (Self::Offered | Self::Accepted { .. }, Event::End(end)) => Ok(Self::Ended { end, at: now }),
            (Self::Accepted { .. }, Event::Accept) => Ok(self),
            (Self::Ended { .. }, Event::Accept | Event::End(_)) => Err(Refusal::Ended),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::entropy::SeededEntropy;
    use time::macros::datetime;

    fn mandate() -> Mandate {
        let (now, entropy) = (datetime!(2026-11-24 02:00 UTC), SeededEntropy::new(1));
        Mandate {
            id: Id::new(now, &entropy),
            principal: Id::new(now, &entropy),
            delegate: Delegate::Person(Id::new(now, &entropy)),
            extent: Extent {
                acts: BTreeSet::from([Act::Apply]),
                procedures: BTreeSet::from(["2.000488".to_owned()]),
                agencies: BTreeSet::new(),
                from: "2026-11-24".parse().unwrap(),
                to: "2026-12-31".parse().unwrap(),
            },
            form: Form::Electronic,
            paper: None,
            given_at: now,
            state: State::Accepted { at: now },
        }
    }

    fn asked(mandate: &Mandate) -> Asked<'static> {
        let agency = Id::from_uuid(mandate.id.uuid());
        Asked { procedure: Some("2.000488"), agency, act: Some(Act::Apply), on: mandate.extent.from }
    }

    #[test]
    fn a_mandate_allows_what_it_names_within_its_days() {
        let given = mandate();
        let fits = asked(&given);
        assert_eq!(given.allows(&fits), Ok(()));
        assert_eq!(given.allows(&Asked { procedure: None, act: None, ..fits }), Ok(()));
        let table = [
            (Asked { procedure: Some("1.000001"), ..fits }, Refusal::NotCovered),
            (Asked { act: Some(Act::Receive), ..fits }, Refusal::NotCovered),
            (Asked { on: given.extent.to.plus_days(1), ..fits }, Refusal::NotInForce),
            (Asked { on: given.extent.from.plus_days(-1), ..fits }, Refusal::NotInForce),
        ];
        for (other, refusal) in table {
            assert_eq!(given.allows(&other), Err(refusal), "{other:?}");
        }
        let elsewhere =
            Extent { agencies: BTreeSet::from([Id::from_uuid(given.principal.uuid())]), ..given.extent };
        assert_eq!(Mandate { extent: elsewhere, ..mandate() }.allows(&fits), Err(Refusal::NotCovered));
        assert_eq!(Mandate { state: State::Offered, ..mandate() }.allows(&fits), Err(Refusal::NotAccepted));
    }

    #[test]
    fn it_is_accepted_once_and_ends_for_good() {
        let now = datetime!(2026-11-24 02:00 UTC);
        let accepted = State::Offered.after(Event::Accept, now).unwrap();
        assert_eq!(accepted.after(Event::Accept, now), Ok(accepted));
        for end in End::ALL {
            for state in [State::Offered, accepted] {
                let ended = state.after(Event::End(end), now).unwrap();
                assert_eq!(ended, State::Ended { end, at: now });
                assert_eq!(ended.after(Event::Accept, now), Err(Refusal::Ended));
                assert_eq!(ended.after(Event::End(end), now), Err(Refusal::Ended));
            }
            assert_eq!(End::of(end.word()), Some(end));
        }
    }

    #[test]
    fn a_procedure_takes_what_its_rules_name() {
        let right = Right::Mandate(mandate().id);
        let kin = Right::Kin(Representation::Parent);
        let table: [(&[Allowed], [bool; 4]); 5] = [
            (&[], [false; 4]),
            (&[Allowed::Electronic], [true, false, true, false]),
            (&[Allowed::CertifiedPaper], [false, true, true, false]),
            (&[Allowed::Kinship], [false, false, false, true]),
            (&[Allowed::Electronic, Allowed::Kinship, Allowed::Nobody], [false; 4]),
        ];
        for (rules, expected) in table {
            let forms = Form::ALL.map(|form| admits(rules, right, Some(form)).is_ok());
            let found = [forms[0], forms[1], forms[2], admits(rules, kin, None).is_ok()];
            assert_eq!(found, expected, "{rules:?}");
        }
    }

    #[test]
    fn an_extent_is_named_and_bounded() {
        let today: Day = "2026-11-24".parse().unwrap();
        let good = mandate().extent;
        assert_eq!(good.check(today), Ok(()));
        let bad = [
            (Extent { acts: BTreeSet::new(), ..good.clone() }, Refusal::Extent),
            (Extent { procedures: BTreeSet::new(), ..good.clone() }, Refusal::Extent),
            (Extent { to: today.plus_days(-1), ..good.clone() }, Refusal::Days),
            (Extent { to: today.plus_days(DAYS_MAX + 1), ..good }, Refusal::Days),
        ];
        for (extent, refusal) in bad {
            assert_eq!(extent.check(today), Err(refusal), "{extent:?}");
        }
    }
}
