//! Answers agencies' questions about people: many callers' questions, one transaction, an answer for each.
//!
//! Each answer is decided purely, signed, and written with a leaf in the audit log whose details say who asked, why,
//! about which attributes and what was answered, never a value. The details are sealed under the key of the citizen,
//! in whose history they show; about a number that nobody has, under the agency's. A negative answer comes with a slip
//! for the citizen. What holds questions back is [`Asking`]'s.

use super::asking::{Asking, Hashed, said_present};
use super::claim::{self, Claim, Wanted};
use super::judge_acting::{self, Judged};
use super::population::{self, Looked};
use super::population_copy::hear_number;
use super::read_verification::{open, place};
use super::verification_answer::{Decision, answer_json, details, statement};
use super::{Error, Refusal, Result, Violation, audit_leaf, confirm_verifications, locks, question_record};
use crate::app::App;
use crate::base::{
    clock::Instant,
    entropy::random,
    id::{Agency, Client, Id, Verification},
    reference::Reference,
    secret::Sealed,
};
use crate::codec::verification_statement::{self as wire, Salt};
use crate::crypto::{digest::Digest, jwt, keyring::Purpose, seal::DataKey};
use crate::identity::portal_policy::{Forbidden, PortalPolicy};
use crate::identity::question::{Heard, Outcome, Question};
use crate::identity::verification::{State, decide};
use crate::store::{
    Tx, audit,
    audit::NewLeaf,
    idempotency,
    principal::{self, ActingRow},
    regular::Regular,
    slip::{self, SlipRow},
    unconfirmed::{self, Unconfirmed},
    verification::{self, Signed, VerificationRow},
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Asks one question through the shared writer. The answer is the verification's JSON, the same for the same key and
/// body. A remote register is asked first, outside of every transaction.
pub async fn verify_identity(app: &App, mut question: Question) -> Result<String> {
    question.heard = hear(app, &question).await?;
    match app.batches.verifications.submit(question).await? {
        Outcome::Answered(answer) | Outcome::Replayed(answer) => Ok(answer),
        refused => Err(refusal_of(refused)),
    }
}

/// What a question that is not answered means to its caller.
pub(super) fn refusal_of(outcome: Outcome) -> Error {
    match outcome {
        Outcome::Answered(_) | Outcome::Replayed(_) => Error::internal("an answer is no refusal"),
        Outcome::KeyReused(object) => Error::Conflict(Refusal::new("idempotency_key_reused").about(object)),
        Outcome::InProgress => Error::Unavailable(Refusal::new("request_in_progress")),
        Outcome::Suspended => Error::forbidden("client_suspended"),
        Outcome::UnknownBasis => {
            let refusal = Refusal::new("legal_basis_unknown").violation("/legal_basis", "not_listed", None);
            Error::Refused(refusal)
        }
        Outcome::Forbidden(what) => Error::Forbidden(not_allowed(&what)),
        Outcome::NumberSpent => Error::Unavailable(Refusal::new("number_asked_too_often")),
        Outcome::QuotaSpent => Error::Unavailable(Refusal::new("quota_spent")),
        Outcome::Slowed => Error::Unavailable(Refusal::new("portal_slowed")),
    }
}

/// Asks a remote register about a question's number. A question that was answered before, or that will be refused,
/// does not reach it. Nothing is written.
async fn hear(app: &App, question: &Question) -> Result<Heard> {
    if app.population.source.is_none() {
        return Ok(Heard::Own);
    }
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    if idempotency::find(&mut tx, question.client, &question.key.0).await?.is_some() {
        return Ok(Heard::Own);
    }
    let askers = askers(app, &mut tx, std::slice::from_ref(question), now).await?;
    let asker = askers.get(&question.client).ok_or(Error::forbidden("client_suspended"))?;
    let hashed = (question, population::number_hash(app, &question.number));
    let found = population::look_up_hashes(app, &mut tx, &[hashed.1]).await?;
    let mut bounds = Asking::read(app, &mut tx, &[hashed], now).await?;
    bounds.witness(&mut tx, &said_present(&[hashed], &found)).await?;
    bounds.admit(app, &hashed, &asker.policy).map_err(refusal_of)?;
    drop(tx);
    let service = format!("{}.01", question.ground.procedure);
    hear_number(app, question.number, &service, question.ground.officer.as_str()).await
}

/// The identifier in an answer's JSON.
pub(super) fn id_of(answer: &str) -> Option<Id<Verification>> {
    let answer: Value = serde_json::from_str(answer).ok()?;
    answer["id"].as_str()?.parse().ok()
}

/// What of a question the portal's policy does not allow, each with the place where it was asked.
pub fn not_allowed(what: &[Forbidden]) -> Refusal {
    let mut refusal = Refusal::new("policy_forbids");
    for one in what {
        let (field, rule) = match one {
            Forbidden::Attribute(attribute) => (format!("/attributes/{}", attribute.word()), "attribute"),
            Forbidden::Predicate(kind) => (format!("/predicates/{}", kind.word()), "predicate"),
            Forbidden::NameRule => ("/policy".to_owned(), "too_loose"),
            Forbidden::Purpose => ("/purpose".to_owned(), "purpose"),
        };
        refusal.violations.push(Violation { field, rule, sent: None });
    }
    refusal
}

/// Answers questions in the order of arrival. A question that is refused writes nothing.
pub async fn verify_all(app: &App, questions: Vec<Question>) -> Result<Vec<Outcome>> {
    let now = app.clock.now();
    let mut tx = app.store.begin_as(Regular::Verifying).await?;
    let ids: Vec<Id<Verification>> = questions.iter().map(|_| Id::new(now, &*app.entropy)).collect();
    let wanted: Vec<Wanted<'_>> = questions.iter().zip(&ids).map(wanted).collect();
    let claims = claim::claim_all(&mut tx, &wanted, now).await?;
    let askers = askers(app, &mut tx, &questions, now).await?;
    let replays = replays(app, &mut tx, &claims, &askers).await?;
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
    let hashes: Vec<Digest> =
        fresh.iter().map(|(_, question)| population::number_hash(app, &question.number)).collect();
    let hashed: Vec<Hashed<'_>> =
        fresh.iter().zip(&hashes).map(|((_, question), hash)| (*question, *hash)).collect();
    let found = population::look_up_hashes(app, &mut tx, &hashes).await?;
    let present = said_present(&hashed, &found);
    let found = locks::closed(&mut tx, &fresh, found, now).await?;
    let mut acting = judge_acting::judge_all(app, &mut tx, &fresh, &found, now).await?;
    let mut signed = Vec::with_capacity(fresh.len());
    for (((place, question), hashed), looked) in fresh.iter().zip(&hashed).zip(found) {
        let Some(asker) = askers.get(&question.client) else { continue };
        let one = decide_one(app, question, ids[*place], asker, (looked, acting.remove(place)), now)?;
        signed.push((*place, *hashed, asker, one));
    }
    // What was counted is locked last, so that a batch of the same portal waits for the shortest part of another.
    let mut bounds = Asking::read(app, &mut tx, &hashed, now).await?;
    bounds.witness(&mut tx, &present).await?;
    let (decided, outcomes) = admit(app, &mut bounds, signed);
    let refused: Vec<_> = wanted
        .iter()
        .zip(&claims)
        .enumerate()
        .filter(|(place, (_, claim))| matches!(claim, Claim::Fresh) && !decided.contains_key(place))
        .map(|(_, (one, _))| (one.client, one.key))
        .collect();
    claim::give_back(&mut tx, &refused).await?;
    if !decided.is_empty() {
        let owners = askers.values().map(|asker| (asker.agency, &asker.key)).collect();
        bounds.write(app, &mut tx, &owners).await?;
        write(&mut tx, decided, now).await?;
    }
    tx.commit().await?;
    let outcomes = claims.iter().enumerate().zip(&questions).map(|((place, claim), question)| match claim {
        Claim::Fresh | Claim::SameAs(_) if !bases.know(question) => Outcome::UnknownBasis,
        claim => outcome(place, claim, &replays, &outcomes),
    });
    Ok(outcomes.collect())
}

/// What of the answers is given, by place in the batch, and what their callers are told; each sees the ones before.
fn admit(
    app: &App,
    bounds: &mut Asking,
    signed: Vec<(usize, Hashed<'_>, &Asker, Decided)>,
) -> (BTreeMap<usize, Decided>, BTreeMap<usize, Outcome>) {
    let (mut decided, mut outcomes) = (BTreeMap::new(), BTreeMap::new());
    for (place, hashed, asker, one) in signed {
        match bounds.admit(app, &hashed, &asker.policy) {
            Ok(()) => {
                bounds.note(app, &hashed, one.row.state);
                outcomes.insert(place, Outcome::Answered(one.answer.clone()));
                decided.insert(place, one);
            }
            Err(refused) => {
                outcomes.insert(place, refused);
            }
        }
    }
    (decided, outcomes)
}

const fn wanted<'a>((question, id): (&'a Question, &Id<Verification>)) -> Wanted<'a> {
    let (key, digest) = (&question.key.0, &question.key.1);
    Wanted { client: question.client, key: key.as_str(), digest, object: id.uuid() }
}

fn outcome(
    place: usize,
    claim: &Claim,
    replays: &BTreeMap<Id<Verification>, String>,
    outcomes: &BTreeMap<usize, Outcome>,
) -> Outcome {
    let answered = |place| outcomes.get(&place).cloned().unwrap_or(Outcome::Suspended);
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

/// Somebody who may ask in this transaction.
pub struct Asker {
    /// Its agency.
    pub agency: Id<Agency>,
    /// The agency's key.
    pub key: DataKey,
    /// What it may ask.
    pub policy: PortalPolicy,
}

async fn askers(
    app: &App,
    tx: &mut Tx,
    questions: &[Question],
    now: Instant,
) -> Result<BTreeMap<Id<Client>, Asker>> {
    let clients: BTreeSet<Id<Client>> = questions.iter().map(|question| question.client).collect();
    let mut allowed = BTreeMap::new();
    for asker in verification::askers(tx, &clients.into_iter().collect::<Vec<_>>()).await? {
        if asker.active && asker.expires_at.is_none_or(|end| now < end) {
            let key = app.keys.data_key(&asker.key, asker.agency.uuid().as_bytes())?;
            allowed.insert(asker.client, Asker { agency: asker.agency, key, policy: asker.policy });
        }
    }
    Ok(allowed)
}

/// The answers that were given under keys seen before.
async fn replays(
    app: &App,
    tx: &mut Tx,
    claims: &[Claim],
    askers: &BTreeMap<Id<Client>, Asker>,
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
        if let Some(asker) = askers.get(&row.client) {
            answers.insert(row.id, open(app, &asker.key, &row)?.to_string());
        }
    }
    Ok(answers)
}

struct Decided {
    row: VerificationRow,
    leaf: NewLeaf,
    slip: Option<SlipRow>,
    unconfirmed: Option<Unconfirmed>,
    acting: Option<(ActingRow, NewLeaf)>,
    answer: String,
}

fn decide_one(
    app: &App,
    question: &Question,
    id: Id<Verification>,
    asker: &Asker,
    (looked, acting): (Looked, Option<Judged>),
    now: Instant,
) -> Result<Decided> {
    let agency = &asker.key;
    let known = population::known(looked, question.heard, &asker.policy, now);
    let rule = asker.policy.rule(question.policy);
    let answer = decide(question.number, &question.claims, &question.predicates, rule, &known.source);
    let salt = Salt(random(&*app.entropy));
    let reference = answer.state.is_negative().then(|| Reference::new(&*app.entropy));
    let said = acting.as_ref().zip(question.acting.as_ref()).map(|(judged, asked)| judged.said(asked, &salt));
    let decision = Decision {
        question,
        answer: &answer,
        policy: &asker.policy,
        id,
        as_of: known.as_of,
        now,
        slip: reference,
        acting: said,
    };
    let statement = statement(app, &decision, &salt);
    let signed = jwt::sign(app.keys.signing(Purpose::Record), wire::TYP, &statement);
    let citizen = known.owner.as_ref().map(|(citizen, _)| *citizen);
    let concern = audit_leaf::Concern { citizen, agency: Some(question.agency), object: id.uuid() };
    let owner = known.owner.as_ref().map_or(agency, |(_, key)| key);
    let leaf = audit_leaf::leaf(
        app,
        now,
        "verification.answered",
        concern,
        owner,
        &details(&decision, &statement, acting.as_ref()),
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
    let slip = reference.map(|reference| slip_row(app, question, agency, &row, reference));
    let waits = answer.state == State::SourceUnavailable && asker.policy.confirms_later;
    let unconfirmed = waits.then(|| unconfirmed_row(app, question, agency, &row));
    let answer = answer_json(app, &statement, &salt, &signed, now).to_string();
    let acting = acting.and_then(|judged| judged.acted(app, id, question.agency, now));
    Ok(Decided { row, leaf, slip, unconfirmed, acting, answer })
}

/// The citizen's slip: what was asked for and in which dossier, nothing about the person.
fn slip_row(
    app: &App,
    question: &Question,
    agency: &DataKey,
    row: &VerificationRow,
    reference: Reference,
) -> SlipRow {
    let ground = &question.ground;
    let facts = json!({
        "purpose": ground.purpose.as_str(), "procedure": ground.procedure, "dossier": ground.dossier,
    });
    let sealed = agency.seal(&*app.entropy, reference.as_str().as_bytes(), facts.to_string().as_bytes());
    SlipRow { reference, agency: row.agency, at: row.at, state: row.state, sealed }
}

/// The question, to be asked again when the register answers.
fn unconfirmed_row(app: &App, question: &Question, agency: &DataKey, row: &VerificationRow) -> Unconfirmed {
    let place = confirm_verifications::place(row.id);
    Unconfirmed {
        verification: row.id,
        agency: row.agency,
        client: row.client,
        asked_at: row.at,
        sealed: agency.seal(&*app.entropy, &place, &question_record::encode(question)),
        attempts: 0,
    }
}

async fn write(tx: &mut Tx, decided: BTreeMap<usize, Decided>, now: Instant) -> Result<()> {
    let (mut rows, mut leaves) = (Vec::new(), Vec::new());
    let (mut slips, mut waiting, mut acted) = (Vec::new(), Vec::new(), Vec::new());
    for one in decided.into_values() {
        let id = one.row.id;
        rows.push(one.row);
        leaves.push(one.leaf);
        if let Some((row, leaf)) = one.acting {
            acted.push((id, row));
            leaves.push(leaf);
        }
        slips.extend(one.slip);
        waiting.extend(one.unconfirmed);
    }
    verification::insert_all(tx, &rows).await?;
    principal::insert_acting(tx, &acted).await?;
    slip::insert_all(tx, &slips).await?;
    unconfirmed::insert_all(tx, &waiting, now + confirm_verifications::FIRST_PAUSE).await?;
    audit::append(tx, &leaves).await?;
    Ok(())
}
