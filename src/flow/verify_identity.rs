//! Answers agencies' questions about people: many callers' questions, one transaction, an answer for each.
//!
//! Each answer is decided purely, signed, and written with a leaf in the audit log whose details say who asked, why,
//! about which attributes and what was answered, never a value. The details are sealed under the key of the citizen,
//! in whose history they show; about a number that nobody has, under the agency's.

use super::claim::{self, Claim};
use super::judge_acting::{self, Judged};
use super::population::{self, LOCAL_REGISTER, Looked};
use super::{Error, Refusal, Result, audit_leaf, locks};
use crate::app::App;
use crate::base::{
    calendar::rfc3339,
    clock::Instant,
    entropy::random,
    id::{Agency, Client, Id, Verification},
    secret::Sealed,
};
use crate::codec::verification_statement::{self as wire, GradedAttribute, Salt, Statement};
use crate::crypto::{jwt, keyring::Purpose, seal::DataKey};
use crate::identity::personal_number::PersonalNumber;
use crate::identity::question::{Outcome, Question};
use crate::identity::verification::{Answer, Attribute, Claims, SourceAnswer, decide};
use crate::store::{
    Tx, audit,
    audit::NewLeaf,
    idempotency::{self, NewClaim},
    principal::{self, ActingRow},
    verification::{self, Signed, VerificationRow},
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Asks one question through the shared writer. The answer is the verification's JSON, the same for the same key and
/// body.
pub async fn verify_identity(app: &App, question: Question) -> Result<String> {
    match app.batches.verifications.submit(question).await? {
        Outcome::Answered(answer) | Outcome::Replayed(answer) => Ok(answer),
        Outcome::KeyReused(object) => {
            Err(Error::Conflict(Refusal::new("idempotency_key_reused").about(object)))
        }
        Outcome::InProgress => Err(Error::Unavailable(Refusal::new("request_in_progress"))),
        Outcome::Suspended => Err(Error::forbidden("client_suspended")),
        Outcome::UnknownBasis => {
            let refusal = Refusal::new("legal_basis_unknown").violation("/legal_basis", "not_listed", None);
            Err(Error::Refused(refusal))
        }
    }
}

/// Reads one verification of an agency, as it was answered.
pub async fn read_verification(app: &App, agency: Id<Agency>, id: Id<Verification>) -> Result<Value> {
    let row = verification::find(&app.store, agency, id).await?.ok_or(Error::not_found())?;
    let mut tx = app.store.begin().await?;
    let owner = crate::store::agency::find_all(&mut tx, &[agency]).await?.pop().ok_or(Error::not_found())?;
    tx.commit().await?;
    let key = app.keys.data_key(&owner.key, agency.uuid().as_bytes())?;
    open(&key, &row)
}

/// Answers questions in the order of arrival. A question that is refused writes nothing.
pub async fn verify_all(app: &App, questions: Vec<Question>) -> Result<Vec<Outcome>> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let keys: Vec<_> = questions.iter().map(|q| (q.client, q.key.0.as_str(), &q.key.1)).collect();
    let claims = claim::claim_all(&mut tx, &keys).await?;
    let askers = askers(app, &mut tx, &questions, now).await?;
    let replays = replays(&mut tx, &claims, &askers).await?;
    let bases = locks::listed(&mut tx, &questions, now).await?;
    let asked = |(_, (question, claim)): &(usize, (&Question, &Claim))| {
        matches!(claim, Claim::Fresh) && askers.contains_key(&question.client) && bases.know(question)
    };
    let fresh: Vec<(usize, &Question)> = questions
        .iter()
        .zip(&claims)
        .enumerate()
        .filter(asked)
        .map(|(i, (question, _))| (i, question))
        .collect();
    let numbers: Vec<PersonalNumber> = fresh.iter().map(|(_, question)| question.number).collect();
    let found = population::look_up_all(app, &mut tx, &numbers).await?;
    let found = locks::closed(&mut tx, &fresh, found, now).await?;
    let mut acting = judge_acting::judge_all(app, &mut tx, &fresh, &found, now).await?;
    let mut decided = BTreeMap::new();
    for ((place, question), looked) in fresh.into_iter().zip(found) {
        if let Some(asker) = askers.get(&question.client) {
            let acting = acting.remove(&place);
            decided.insert(place, decide_one(app, question, asker, (looked, acting), now)?);
        }
    }
    let answers = write(&mut tx, decided, now).await?;
    tx.commit().await?;
    let outcomes = claims.iter().enumerate().zip(&questions).map(|((place, claim), question)| match claim {
        Claim::Fresh | Claim::SameAs(_) if !bases.know(question) => Outcome::UnknownBasis,
        claim => outcome(place, claim, &replays, &answers),
    });
    Ok(outcomes.collect())
}

fn outcome(
    place: usize,
    claim: &Claim,
    replays: &BTreeMap<Id<Verification>, String>,
    answers: &BTreeMap<usize, String>,
) -> Outcome {
    let answered = |place| answers.get(&place).cloned().map_or(Outcome::Suspended, Outcome::Answered);
    match claim {
        Claim::Fresh => answered(place),
        Claim::SameAs(first) => answered(*first),
        Claim::Answered(before) => {
            replays.get(&Id::from_uuid(before.object)).cloned().map_or(Outcome::Suspended, Outcome::Replayed)
        }
        Claim::Reused(object) => Outcome::KeyReused(Id::from_uuid(*object)),
        Claim::InProgress => Outcome::InProgress,
    }
}

/// Those who may ask in this transaction, with the keys of their agencies.
async fn askers(
    app: &App,
    tx: &mut Tx,
    questions: &[Question],
    now: Instant,
) -> Result<BTreeMap<Id<Client>, DataKey>> {
    let clients: BTreeSet<Id<Client>> = questions.iter().map(|question| question.client).collect();
    let mut allowed = BTreeMap::new();
    for asker in verification::askers(tx, &clients.into_iter().collect::<Vec<_>>()).await? {
        if asker.active && asker.expires_at.is_none_or(|end| now < end) {
            allowed.insert(asker.client, app.keys.data_key(&asker.key, asker.agency.uuid().as_bytes())?);
        }
    }
    Ok(allowed)
}

/// The answers that were given under keys seen before.
async fn replays(
    tx: &mut Tx,
    claims: &[Claim],
    askers: &BTreeMap<Id<Client>, DataKey>,
) -> Result<BTreeMap<Id<Verification>, String>> {
    let answered = |claim: &Claim| match claim {
        Claim::Answered(before) => Some(Id::from_uuid(before.object)),
        Claim::Fresh | Claim::SameAs(_) | Claim::Reused(_) | Claim::InProgress => None,
    };
    let ids: Vec<Id<Verification>> = claims.iter().filter_map(answered).collect();
    let mut answers = BTreeMap::new();
    if ids.is_empty() {
        return Ok(answers);
    }
    for row in verification::find_all(tx, &ids).await? {
        if let Some(key) = askers.get(&row.client) {
            answers.insert(row.id, open(key, &row)?.to_string());
        }
    }
    Ok(answers)
}

struct Decided {
    row: VerificationRow,
    leaf: NewLeaf,
    acting: Option<(ActingRow, NewLeaf)>,
    key: (String, crate::crypto::digest::Digest),
    answer: String,
}

fn decide_one(
    app: &App,
    question: &Question,
    agency: &DataKey,
    (looked, acting): (Looked, Option<Judged>),
    now: Instant,
) -> Result<Decided> {
    let as_of = looked.as_of;
    let (citizen, citizen_key, source) = match looked.on_record {
        Some(known) => {
            let known = *known;
            (Some(known.citizen), Some(known.key), SourceAnswer::Found(Box::new(known.person)))
        }
        None => (None, None, SourceAnswer::NotOnRecord),
    };
    let answer = decide(question.number, &question.claims, question.policy, &source);
    let id: Id<Verification> = Id::new(now, &*app.entropy);
    let salt = Salt(random(&*app.entropy));
    let said = acting.as_ref().zip(question.acting.as_ref()).map(|(judged, asked)| judged.said(asked, &salt));
    let statement =
        statement(app, &Decision { question, answer: &answer, id, as_of, acting: said, now }, &salt);
    let signed = jwt::sign(app.keys.signing(Purpose::Record), wire::TYP, &statement);
    let concern = audit_leaf::Concern { citizen, agency: Some(question.agency), object: id.uuid() };
    let owner = citizen_key.as_ref().unwrap_or(agency);
    let leaf = audit_leaf::leaf(
        app,
        now,
        "verification.answered",
        concern,
        owner,
        &details(question, &statement, acting.as_ref()),
    );
    let sealed: Sealed<Signed> =
        agency.seal(&*app.entropy, &place(id), &[salt.0.as_slice(), signed.as_bytes()].concat());
    let row = VerificationRow {
        id,
        at: now,
        agency: question.agency,
        client: question.client,
        citizen,
        state: answer.state,
        sealed,
    };
    let answer = answer_json(&statement, &salt, &signed, now).to_string();
    let acting = acting.and_then(|judged| judged.acted(app, id, question.agency, now));
    Ok(Decided { row, leaf, acting, key: question.key.clone(), answer })
}

/// Everything that a statement says.
struct Decision<'a> {
    question: &'a Question,
    answer: &'a Answer,
    id: Id<Verification>,
    as_of: Option<Instant>,
    acting: Option<wire::Acting>,
    now: Instant,
}

fn statement(app: &App, decision: &Decision<'_>, salt: &Salt) -> Statement {
    let Decision { question, answer, id, as_of, acting, now } = decision;
    let graded = |attribute: Attribute| {
        let found = answer.graded.iter().find(|graded| graded.attribute == attribute);
        let graded = GradedAttribute {
            grade: found.map(|graded| graded.grade.word().to_owned()),
            precision: found.and_then(|graded| graded.precision).map(|precision| precision.word().to_owned()),
            claimed: salt.digest(attribute.word(), &claimed(&question.claims, attribute)),
        };
        (attribute.word().to_owned(), graded)
    };
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
        source: LOCAL_REGISTER.to_owned(),
        as_of: as_of.map(rfc3339),
        policy: question.policy.code().to_owned(),
        state: answer.state.word().to_owned(),
        number: salt.digest("number", question.number.digits()),
        attributes: question.claims.attributes().into_iter().map(graded).collect(),
        findings: answer.findings.iter().map(|finding| finding.code().to_owned()).collect(),
    }
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
fn details(question: &Question, statement: &Statement, acting: Option<&Judged>) -> Value {
    let grade = |graded: &GradedAttribute| graded.grade.clone();
    let attributes: BTreeMap<&String, Option<String>> =
        statement.attributes.iter().map(|(word, graded)| (word, grade(graded))).collect();
    json!({
        "verification": statement.jti,
        "agency": statement.agency,
        "client": question.client.to_string(),
        "officer": statement.officer,
        "legal_basis": statement.legal_basis,
        "purpose": statement.purpose,
        "procedure": statement.procedure,
        "dossier": statement.dossier,
        "source": statement.source,
        "policy": statement.policy,
        "attributes": attributes,
        "acting": acting.map(Judged::told),
        "state": statement.state,
    })
}

async fn write(
    tx: &mut Tx,
    decided: BTreeMap<usize, Decided>,
    now: Instant,
) -> Result<BTreeMap<usize, String>> {
    let (mut rows, mut leaves, mut keys, mut answers) = (Vec::new(), Vec::new(), Vec::new(), BTreeMap::new());
    let mut acted = Vec::new();
    for (place, one) in decided {
        let one_id = one.row.id;
        keys.push((one.row.client, one.key, one_id));
        rows.push(one.row);
        leaves.push(one.leaf);
        if let Some((row, leaf)) = one.acting {
            acted.push((one_id, row));
            leaves.push(leaf);
        }
        answers.insert(place, one.answer);
    }
    if rows.is_empty() {
        return Ok(answers);
    }
    // The verification never changes, so a replay reads it and the key keeps no second copy.
    let nothing = Value::Null;
    let claims: Vec<NewClaim<'_>> = keys
        .iter()
        .map(|(client, (key, digest), id)| NewClaim {
            client: *client,
            key,
            digest: *digest,
            object: id.uuid(),
            answer: &nothing,
            at: now,
        })
        .collect();
    idempotency::keep_all(tx, &claims).await?;
    verification::insert_all(tx, &rows).await?;
    principal::insert_acting(tx, &acted).await?;
    audit::append(tx, &leaves).await?;
    Ok(answers)
}

fn place(id: Id<Verification>) -> Vec<u8> {
    [b"verification.sealed".as_slice(), id.uuid().as_bytes()].concat()
}

/// The answer as it was given, out of the agency's seal.
fn open(key: &DataKey, row: &VerificationRow) -> Result<Value> {
    let plain = key.open(&place(row.id), &row.sealed)?;
    let (salt, signed) = plain.expose().split_first_chunk().ok_or_else(|| Error::internal("a short seal"))?;
    let signed = std::str::from_utf8(signed).map_err(Error::internal)?;
    let statement = wire::read_own(signed).ok_or_else(|| Error::internal("a statement does not read"))?;
    Ok(answer_json(&statement, &Salt(*salt), signed, row.at))
}

fn answer_json(statement: &Statement, salt: &Salt, signed: &str, at: Instant) -> Value {
    let attribute = |graded: &GradedAttribute| match &graded.precision {
        Some(precision) => json!({ "grade": graded.grade, "precision": precision }),
        None => json!({ "grade": graded.grade }),
    };
    let attributes: BTreeMap<&String, Value> =
        statement.attributes.iter().map(|(word, graded)| (word, attribute(graded))).collect();
    json!({
        "id": statement.jti,
        "state": statement.state,
        "attributes": attributes,
        "findings": statement.findings,
        "acting": statement.acting.as_ref().map(|acting| json!({
            "right": acting.right,
            "mandate": acting.mandate,
            "refused": acting.refused,
        })),
        "legal_basis": statement.legal_basis,
        "policy": statement.policy,
        "source": statement.source,
        "as_of": statement.as_of,
        "answered_at": rfc3339(at),
        "statement": signed,
        "statement_salt": salt.text(),
    })
}
