//! The question of an agency about a person, and what came of it: what passes between many callers and the one writer.

use super::mandate::Act;
use super::name::Name;
use super::personal_number::PersonalNumber;
use super::portal_policy::Forbidden;
use super::predicate::Predicate;
use super::verification::{Claims, Policy};
use crate::base::clock::Instant;
use crate::base::id::{self, Agency, Client, Id};
use crate::base::text::Line;
use crate::crypto::digest::Digest;

/// Who asks, why, and what. Every look-up names its ground: the law wants it, and the citizen can read it.
#[derive(Debug, Clone)]
pub struct Question {
    /// The agency.
    pub agency: Id<Agency>,
    /// Its system.
    pub client: Id<Client>,
    /// The idempotency key under which it asks, and the digest of what it asks.
    pub key: (String, Digest),
    /// About whom.
    pub number: PersonalNumber,
    /// What it holds to be true.
    pub claims: Claims,
    /// Which questions it asks.
    pub predicates: Vec<Predicate>,
    /// Which grades count; the portal's own rule where it names none.
    pub policy: Option<Policy>,
    /// On which occasion.
    pub occasion: Occasion,
    /// What the remote register said when it was asked, before the question came to its turn.
    pub heard: Heard,
    /// Why, procedure, dossier and officer.
    pub ground: Ground,
    /// Who acts for the person, if somebody does.
    pub acting: Option<Acting>,
}

/// Somebody who acts for the person, as the agency names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acting {
    /// The number.
    pub number: PersonalNumber,
    /// The name, which must be this number's.
    pub name: Name,
    /// What they do.
    pub act: Act,
}

/// On which occasion a person is asked about. Look-ups that nobody waits for have a budget per number; the others are
/// never refused by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Occasion {
    /// By a program, without the person.
    #[default]
    Unattended,
    /// For a dossier that was accepted; its first look-up of a number is free.
    DossierAccepted,
    /// The person stands at the counter with the card.
    InPerson,
}

impl Occasion {
    /// Every occasion.
    pub const ALL: [Self; 3] = [Self::Unattended, Self::DossierAccepted, Self::InPerson];

    /// The word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unattended => "unattended",
            Self::DossierAccepted => "dossier_accepted",
            Self::InPerson => "in_person",
        }
    }

    /// The occasion of that word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|occasion| occasion.word() == word)
    }
}

/// What the population source said about a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// Nobody else was asked: our own register answers.
    Own,
    /// The remote register has the person; the copy here is of this moment.
    Known {
        /// Of when its knowledge is.
        as_of: Instant,
    },
    /// The remote register has no such number.
    Unknown {
        /// Of when its knowledge is.
        as_of: Instant,
    },
    /// The remote register did not answer, or could not be believed.
    Nothing,
}

/// Why a look-up is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ground {
    /// What it is for, in words.
    pub purpose: Line<200>,
    /// The procedure's code.
    pub procedure: String,
    /// The dossier's code.
    pub dossier: String,
    /// The officer, as the agency names its people.
    pub officer: Line<100>,
    /// The law that lets the agency ask without the person's consent; `None`: it asks with their consent.
    pub legal_basis: Option<Line<200>>,
}

/// What came of it. Answers are JSON texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was decided now.
    Answered(String),
    /// It was decided under this key before; this was the answer then.
    Replayed(String),
    /// The key stands for another question, which has this answer.
    KeyReused(Id<id::Verification>),
    /// The same key is being worked on elsewhere.
    InProgress,
    /// The client or its agency may not ask any more.
    Suspended,
    /// The law it names is not on its list.
    UnknownBasis,
    /// The portal's policy does not allow the question.
    Forbidden(Vec<Forbidden>),
    /// The number was asked about too often without its owner.
    NumberSpent,
    /// The portal has used up its day.
    QuotaSpent,
    /// The portal is answered slowly, after too many misses.
    Slowed,
}
