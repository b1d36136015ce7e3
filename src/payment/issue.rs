//! The wish of an agency to issue a bill, and what came of it: what passes between many callers and the one writer.

use super::{
    bill::{self, Parties},
    code::{DossierCode, ProcedureCode},
    exemption::Circumstances,
    fee::{Asked, RefusedAt},
};
use crate::{
    base::{
        calendar::Day,
        id::{Agency, Client, Id, Verification},
    },
    crypto::digest::Digest,
};

/// A bill as an agency asks for it. Facts about persons have been verified before.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The agency.
    pub agency: Id<Agency>,
    /// Its system.
    pub client: Id<Client>,
    /// The idempotency key under which it asks, and the digest of what it asks.
    pub key: (String, Digest),
    /// The dossier.
    pub dossier: DossierCode,
    /// Its procedure.
    pub procedure: ProcedureCode,
    /// The fees.
    pub asked: Vec<Asked>,
    /// What the computation may look at.
    pub circumstances: Circumstances,
    /// The last day of payment.
    pub due: Day,
    /// The four parties.
    pub parties: Parties,
    /// The verification of the applicant, where the agency names one.
    pub applicant: Option<Id<Verification>>,
}

/// What came of it. Answers are JSON texts, kept with the key and given again to whoever repeats the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The bill exists now.
    Issued(String),
    /// It existed; this was the answer then.
    Replayed(String),
    /// The key stands for another request, which made this object.
    KeyReused(String),
    /// The same key is being worked on elsewhere.
    InProgress,
    /// Fees that cannot be charged.
    Fees(Vec<RefusedAt>),
    /// The bill itself cannot be.
    Refused(bill::Refusal),
}
