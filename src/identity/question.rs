//! The question of an agency about a person, and what came of it: what passes between many callers and the one writer.

use super::mandate::Act;
use super::name::Name;
use super::personal_number::PersonalNumber;
use super::verification::{Claims, Policy};
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
    /// Which grades count.
    pub policy: Policy,
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
}
