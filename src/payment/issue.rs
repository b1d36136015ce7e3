//! The wish of an agency to issue a bill, and what came of it: what passes between many callers and the one writer.

use super::{
    bill::{self, BillLine, Parties},
    code::{Code, DossierCode, ProcedureCode},
    exemption::Circumstances,
    fee::{Asked, RefusedAt},
    invoice::Invoice,
};
use crate::{
    base::{
        calendar::Day,
        id::{Agency, Client, Id, Verification},
    },
    crypto::digest::Digest,
};
use std::collections::BTreeMap;

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
    /// What the facts of the computation were taken from.
    pub grounds: Grounds,
    /// What the computation may look at.
    pub circumstances: Circumstances,
    /// Fees that belong to another agency than the one that asks.
    pub owners: BTreeMap<Code, Id<Agency>>,
    /// What offices elsewhere have assessed, then what sellers have invoiced: whole lines.
    pub obligations: Vec<BillLine>,
    /// Whether money of several owners is collected together, in the account that the bill names.
    pub together: bool,
    /// The last day on which it can be paid at all, when later than the due day.
    pub payable_until: Option<Day>,
    /// The last day of payment.
    pub due: Day,
    /// The four parties.
    pub parties: Parties,
}

impl Draft {
    /// The sellers' invoices that it charges.
    pub fn invoices(&self) -> impl Iterator<Item = &Invoice> {
        self.obligations.iter().filter_map(|line| line.invoice.as_ref())
    }
}

/// The verifications that the facts about the parties were taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Grounds {
    /// Those about the applicant.
    pub applicant: Option<Id<Verification>>,
    /// Those about the submitter.
    pub submitter: Option<Id<Verification>>,
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
