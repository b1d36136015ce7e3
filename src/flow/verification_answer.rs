//! The three forms of one answer: the statement that is signed, the JSON that the agency receives, and the details that
//! the citizen can read later.
//!
//! A failure tells the agency which attribute failed only if the portal's policy says so; the citizen's own history
//! always tells it.

use super::{judge_acting::Judged, population};
use crate::app::App;
use crate::base::{
    calendar::rfc3339,
    clock::Instant,
    id::{Id, Verification},
    reference::Reference,
};
use crate::codec::verification_statement::{Acting, GradedAttribute, PredicateAnswer, Salt, Statement};
use crate::crypto::jwt;
use crate::identity::{
    portal_policy::PortalPolicy,
    predicate::{Predicate, Region, Verdict},
    question::{Occasion, Question},
    verification::{Answer, Attribute, Claims, Graded, State},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Everything that a statement says.
pub struct Decision<'a> {
    /// What was asked.
    pub question: &'a Question,
    /// What was decided.
    pub answer: &'a Answer,
    /// By which policy of the portal.
    pub policy: &'a PortalPolicy,
    /// Its identifier.
    pub id: Id<Verification>,
    /// Of when the source's knowledge is.
    pub as_of: Option<Instant>,
    /// When it was decided.
    pub now: Instant,
    /// What the citizen takes home.
    pub slip: Option<Reference>,
    /// Who acts for the person.
    pub acting: Option<Acting>,
}

/// The statement to be signed.
pub fn statement(app: &App, decision: &Decision<'_>, salt: &Salt) -> Statement {
    let Decision { question, answer, policy, id, as_of, now, slip, acting } = decision;
    let silent = answer.state == State::NoMatch && !policy.tells_which;
    let graded = |attribute: Attribute| {
        let found = answer.graded.iter().find(|graded| graded.attribute == attribute).filter(|_| !silent);
        let graded = GradedAttribute {
            grade: found.map(|graded| graded.grade.word().to_owned()),
            precision: found.and_then(|graded| graded.precision).map(|precision| precision.word().to_owned()),
            claimed: salt.digest(attribute.word(), &claimed(&question.claims, attribute)),
        };
        (attribute.word().to_owned(), graded)
    };
    let predicates = question.predicates.iter().zip(&answer.verdicts);
    Statement {
        iss: app.origin.as_str().to_owned(),
        jti: id.to_string(),
        iat: jwt::numeric_date(*now),
        agency: question.agency.to_string(),
        purpose: question.ground.purpose.to_string(),
        procedure: question.ground.procedure.clone(),
        dossier: question.ground.dossier.clone(),
        officer: question.ground.officer.to_string(),
        acting: acting.clone(),
        legal_basis: question.ground.legal_basis.as_ref().map(ToString::to_string),
        occasion: (question.occasion != Occasion::Unattended).then(|| question.occasion.word().to_owned()),
        source: population::source_name(app).to_owned(),
        as_of: as_of.map(rfc3339),
        policy: policy.rule(question.policy).code().to_owned(),
        portal_policy: policy.version,
        state: answer.state.word().to_owned(),
        former_until: answer.former_until.map(|day| day.to_string()),
        number: salt.digest("number", question.number.digits()),
        attributes: question.claims.attributes().into_iter().map(graded).collect(),
        predicates: predicates.map(|(asked, verdict)| predicate_answer(*asked, *verdict)).collect(),
        findings: answer.findings.iter().map(|finding| finding.code().to_owned()).collect(),
        slip: slip.map(|reference| reference.as_str().to_owned()),
    }
}

/// A question and its answer as the wire has them.
pub fn predicate_answer(asked: Predicate, verdict: Option<Verdict>) -> PredicateAnswer {
    let mut told = PredicateAnswer {
        answer: verdict.map(|verdict| verdict.word().to_owned()),
        ..PredicateAnswer::default()
    };
    match asked {
        Predicate::AgeAtLeast { years, on } => {
            told.age_at_least = Some(years);
            told.on = Some(on.to_string());
        }
        Predicate::BirthDateKnownTo(precision) => {
            told.birth_date_known_to = Some(precision.word().to_owned());
        }
        Predicate::ResidentOf(region) => {
            told.resident_of = Some(match region {
                Region::Today(province) => province.code().to_owned(),
                Region::Before(place, _) => place.code().to_owned(),
            });
            told.province = Some(region.province().code().to_owned());
        }
    }
    told
}

/// A claimed value in its one written form.
fn claimed(claims: &Claims, attribute: Attribute) -> String {
    let value = match attribute {
        Attribute::Name => claims.name.as_ref().map(|name| name.as_str().to_owned()),
        Attribute::BirthDate => claims.birth_date.map(|date| date.to_string()),
        Attribute::Sex => claims.sex.map(|sex| sex.word().to_owned()),
        Attribute::OldNumber => claims.old_number.map(|old| old.digits().to_owned()),
        Attribute::Phone => claims.phone.as_ref().map(|phone| phone.digits().to_owned()),
        Attribute::Province => claims.province.map(|province| province.code().to_owned()),
    };
    value.unwrap_or_default()
}

/// What the citizen can read later: who asked, why, about what, and the answer.
pub(super) fn details(decision: &Decision<'_>, statement: &Statement, acting: Option<&Judged>) -> Value {
    let Decision { question, answer, .. } = decision;
    let grade = |attribute: &Attribute| {
        let found = answer.graded.iter().find(|graded: &&Graded| graded.attribute == *attribute);
        found.map(|graded| graded.grade.word())
    };
    let asked = question.claims.attributes();
    let attributes: BTreeMap<&str, Option<&str>> =
        asked.iter().map(|attribute| (attribute.word(), grade(attribute))).collect();
    let mut details = json!({
        "verification": statement.jti,
        "agency": statement.agency,
        "client": question.client.to_string(),
        "officer": statement.officer,
        "legal_basis": statement.legal_basis,
        "purpose": statement.purpose,
        "procedure": statement.procedure,
        "dossier": statement.dossier,
        "occasion": question.occasion.word(),
        "source": statement.source,
        "policy": statement.policy,
        "attributes": attributes,
        "acting": acting.map(Judged::told),
        "state": statement.state,
    });
    if !statement.predicates.is_empty() {
        details["predicates"] = json!(statement.predicates);
    }
    if let Some(slip) = &statement.slip {
        details["slip"] = json!(slip);
    }
    details
}

/// The answer as the agency receives it.
pub fn answer_json(app: &App, statement: &Statement, salt: &Salt, signed: &str, at: Instant) -> Value {
    let attribute = |graded: &GradedAttribute| match &graded.precision {
        Some(precision) => json!({ "grade": graded.grade, "precision": precision }),
        None => json!({ "grade": graded.grade }),
    };
    let attributes: BTreeMap<&String, Value> =
        statement.attributes.iter().map(|(word, graded)| (word, attribute(graded))).collect();
    let slip = statement.slip.as_ref().map(|reference| slip_json(app, reference));
    json!({
        "id": statement.jti,
        "state": statement.state,
        "former_until": statement.former_until,
        "attributes": attributes,
        "predicates": statement.predicates,
        "findings": statement.findings,
        "acting": statement.acting.as_ref().map(|acting| json!({
            "right": acting.right,
            "mandate": acting.mandate,
            "refused": acting.refused,
        })),
        "legal_basis": statement.legal_basis,
        "occasion": statement.occasion.as_deref().unwrap_or(Occasion::Unattended.word()),
        "policy": statement.policy,
        "portal_policy": statement.portal_policy,
        "source": statement.source,
        "as_of": statement.as_of,
        "answered_at": rfc3339(at),
        "slip": slip,
        "statement": signed,
        "statement_salt": salt.text(),
    })
}

/// Where a slip is read.
pub fn slip_json(app: &App, reference: &str) -> Value {
    json!({ "reference": reference, "url": app.origin.at(&format!("/slips/{reference}")) })
}
