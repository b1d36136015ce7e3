//! Answers batches, one chunk in one transaction: every row is decided, recorded in the history of the person it is
//! about, and written as one line of the result. A crash between chunks loses nothing, and a chunk is answered once.
//!
//! A row that cannot be answered says why in `held`: its number was asked about too often, the portal's policy does
//! not allow the claim, or the law that the batch names is not on the portal's list any more. A portal that looks like
//! probing goes on slowly, one chunk at a time; one that may not ask at present waits. While a remote register is
//! silent a batch waits, for a day at most.

use super::asking::{Asking, Hashed};
use super::batch_file::{self, BadRow, Row};
use super::batches::{GroundRecord, answers_of, open_ground, place_of};
use super::population::{self, Asked, Looked, known};
use super::population_copy::hear_number;
use super::verification_answer::predicate_answer;
use super::{Error, Result, audit_leaf, event::event_row, locks};
use crate::app::App;
use crate::base::{clock::Instant, id::Id, reference::Reference, text::Line};
use crate::codec::batch_result::{self, BatchResult, digest_text};
use crate::crypto::{digest::Hasher, jwt, keyring::Purpose, seal::DataKey};
use crate::identity::{
    portal_policy::PortalPolicy,
    question::{Ground, Heard, Occasion, Outcome, Question},
    verification::{Answer, State, decide},
};
use crate::store::{
    audit::{self, NewLeaf},
    outbox,
    slip::{self, SlipRow},
    verification,
    verification_batch::{self as batch, BatchRow, Chunk},
};
use futures_util::{StreamExt, stream};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use time::Duration;

/// How long a batch is left to whoever took it.
const HELD: Duration = Duration::minutes(5);
/// The pause between chunks of a portal that is answered slowly.
const SLOW_PAUSE: Duration = Duration::seconds(30);
/// The pause while the register is silent.
const SILENT_PAUSE: Duration = Duration::seconds(30);
/// The pause while the portal may not ask.
const SUSPENDED_PAUSE: Duration = Duration::minutes(10);
/// How long a batch waits for the register.
const LIFE: Duration = Duration::days(1);
/// How many look-ups of one batch are under way at a remote register.
const AT_ONCE: usize = 16;

/// Answers one chunk of one batch whose time has come; false when there is none.
pub async fn run_batches(app: &App) -> Result<bool> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let Some(row) = batch::take_due(&mut tx, now, now + HELD).await? else { return Ok(false) };
    let asker = verification::askers(&mut tx, &[row.client]).await?.pop();
    let may_ask = |asker: &verification::Asker| asker.active && asker.expires_at.is_none_or(|end| now < end);
    let Some(asker) = asker.filter(may_ask) else {
        batch::put_off(&mut tx, row.id, now + SUSPENDED_PAUSE).await?;
        tx.commit().await?;
        return Ok(true);
    };
    let key = app.keys.data_key(&asker.key, row.agency.uuid().as_bytes())?;
    let work = Work { key, policy: asker.policy, row };
    let chunk = batch::next_chunk(&mut tx, work.row.id).await?;
    tx.commit().await?;
    let ground = open_ground(&work.key, work.row.id, &work.row.ground)?;
    match chunk {
        Some(chunk) => work.answer(app, &ground, &chunk, now).await?,
        None => work.finish(app, &ground, now).await?,
    }
    Ok(true)
}

struct Work {
    row: BatchRow,
    key: DataKey,
    policy: PortalPolicy,
}

/// A row of the chunk with its number in the file.
type Numbered = (i64, std::result::Result<Row, BadRow>);

/// What was decided about one row.
struct Decided {
    line: String,
    leaf: Option<NewLeaf>,
    slip: Option<SlipRow>,
}

impl Work {
    async fn answer(&self, app: &App, ground: &GroundRecord, chunk: &Chunk, now: Instant) -> Result<()> {
        let plain = self.key.open(&place_of(self.row.id, chunk.place, b"lines"), &chunk.lines)?;
        let rows = rows(ground, chunk.first_row, plain.expose());
        let questions = self.questions(ground, &rows)?;
        let hashed: Vec<Hashed<'_>> = questions
            .iter()
            .map(|question| (question, population::number_hash(app, &question.number)))
            .collect();
        let heard = self.hear(app, &hashed, now).await?;
        let silent = heard.contains(&Heard::Nothing) && now < self.row.created_at + LIFE;
        if silent && self.policy.stale_max_hours.is_none() {
            return self.put_off(app, now + SILENT_PAUSE).await;
        }
        let mut tx = app.store.begin().await?;
        let mut bounds = Asking::read(app, &mut tx, &hashed, now).await?;
        let hashes: Vec<_> = hashed.iter().map(|(_, hash)| *hash).collect();
        let found = population::look_up_hashes(app, &mut tx, &hashes).await?;
        let places: Vec<(usize, &Question)> = questions.iter().enumerate().collect();
        let found = locks::closed(&mut tx, &places, found, now).await?;
        let laws = locks::listed(&mut tx, &questions, now).await?;
        let mut asked = hashed.iter().zip(heard).zip(found);
        let (mut lines, mut leaves, mut slips) = (String::new(), Vec::new(), Vec::new());
        for (number, row) in &rows {
            let decided = match row {
                Err(bad) => Decided { line: bad_line(*number, bad), leaf: None, slip: None },
                Ok(row) => {
                    let ((hashed, heard), looked) =
                        asked.next().ok_or_else(|| Error::internal("a lost row"))?;
                    if laws.know(hashed.0) {
                        self.decide(app, &mut bounds, (*number, row), hashed, heard, looked, now)
                    } else {
                        held(*number, row, "legal_basis_unknown")
                    }
                }
            };
            lines.push_str(&decided.line);
            lines.push('\n');
            leaves.extend(decided.leaf);
            slips.extend(decided.slip);
        }
        let sealed =
            self.key.seal(&*app.entropy, &place_of(self.row.id, chunk.place, b"answers"), lines.as_bytes());
        if !batch::answer_chunk(&mut tx, self.row.id, chunk.place, rows.len() as i64, &sealed).await? {
            return Ok(());
        }
        bounds.write(app, &mut tx, &[(self.row.agency, &self.key)].into()).await?;
        audit::append(&mut tx, &leaves).await?;
        slip::insert_all(&mut tx, &slips).await?;
        let next = if bounds.is_slow(self.row.client) { now + SLOW_PAUSE } else { now };
        batch::put_off(&mut tx, self.row.id, next).await?;
        Ok(tx.commit().await?)
    }

    /// The rows that can be read, as questions of the portal.
    fn questions(&self, ground: &GroundRecord, rows: &[Numbered]) -> Result<Vec<Question>> {
        let line =
            |text: &str| Line::parse(text).map_err(|_| Error::internal("a batch's ground does not read"));
        let purpose: Line<200> = line(&ground.purpose)?;
        let officer =
            Line::parse(&ground.officer).map_err(|_| Error::internal("a batch's ground does not read"))?;
        let legal_basis: Option<Line<200>> = ground.legal_basis.as_deref().map(line).transpose()?;
        let question = |row: &Row| Question {
            agency: self.row.agency,
            client: self.row.client,
            key: (String::new(), [0; 32]),
            number: row.number,
            claims: row.claims.clone(),
            predicates: row.predicates.clone(),
            policy: None,
            occasion: Occasion::Unattended,
            heard: Heard::Own,
            ground: Ground {
                purpose: purpose.clone(),
                procedure: ground.procedure.clone(),
                dossier: String::new(),
                officer: Line::clone(&officer),
                legal_basis: legal_basis.clone(),
            },
            acting: None,
        };
        Ok(rows.iter().filter_map(|(_, row)| row.as_ref().ok().map(question)).collect())
    }

    /// What a remote register says about each; a row that will be held is not asked about.
    async fn hear(&self, app: &App, hashed: &[Hashed<'_>], now: Instant) -> Result<Vec<Heard>> {
        if app.population.source.is_none() {
            return Ok(vec![Heard::Own; hashed.len()]);
        }
        let mut tx = app.store.begin().await?;
        let bounds = Asking::read(app, &mut tx, hashed, now).await?;
        drop(tx);
        let ask = |one: &Hashed<'_>| {
            let (number, free) = (one.0.number, bounds.admit_row(one, &self.policy).is_ok());
            let (service, officer) =
                (format!("{}.01", one.0.ground.procedure), one.0.ground.officer.to_string());
            async move { if free { hear_number(app, number, &service, &officer).await } else { Ok(Heard::Own) } }
        };
        let asked: Vec<_> = hashed.iter().map(ask).collect();
        stream::iter(asked).buffered(AT_ONCE).collect::<Vec<_>>().await.into_iter().collect()
    }

    #[expect(clippy::too_many_arguments, reason = "one row and everything it is decided by")]
    fn decide(
        &self,
        app: &App,
        bounds: &mut Asking,
        (number, row): (i64, &Row),
        hashed: &Hashed<'_>,
        heard: Heard,
        looked: Looked,
        now: Instant,
    ) -> Decided {
        if let Err(refused) = bounds.admit_row(hashed, &self.policy) {
            let why = match refused {
                Outcome::Forbidden(_) => "policy_forbids",
                _ => "number_asked_too_often",
            };
            return held(number, row, why);
        }
        let Asked { source, owner, .. } = known(looked, heard, &self.policy, now);
        let question = hashed.0;
        let rule = self.policy.rule(None);
        let answer = decide(question.number, &question.claims, &question.predicates, rule, &source);
        bounds.note_row(app, hashed, answer.state);
        let reference = answer.state.is_negative().then(|| Reference::new(&*app.entropy));
        let slip = reference.map(|reference| self.slip(app, question, &answer, reference, now));
        let (citizen, key) = owner.as_ref().map_or((None, &self.key), |(citizen, key)| (Some(*citizen), key));
        let concern =
            audit_leaf::Concern { citizen, agency: Some(self.row.agency), object: self.row.id.uuid() };
        let verdicts = question.predicates.iter().zip(&answer.verdicts);
        let predicates: Vec<_> = verdicts.map(|(asked, told)| predicate_answer(*asked, *told)).collect();
        let mut details = json!({
            "batch": self.row.id.to_string(),
            "row": number,
            "agency": self.row.agency.to_string(),
            "client": self.row.client.to_string(),
            "officer": question.ground.officer.as_str(),
            "purpose": question.ground.purpose.as_str(),
            "procedure": question.ground.procedure,
            "legal_basis": question.ground.legal_basis.as_ref().map(ToString::to_string),
            "policy": rule.code(),
            "attributes": grades(question, &answer, true),
            "state": answer.state.word(),
        });
        if !predicates.is_empty() {
            details["predicates"] = json!(predicates);
        }
        let leaf = audit_leaf::leaf(app, now, "verification.answered", concern, key, &details);
        let mut told = json!({
            "row": number,
            "state": answer.state.word(),
            "attributes": grades(question, &answer, answer.state != State::NoMatch || self.policy.tells_which),
        });
        if let Some(own) = &row.reference {
            told["ref"] = json!(own);
        }
        if !predicates.is_empty() {
            told["predicates"] = json!(predicates);
        }
        if let Some(until) = answer.former_until {
            told["former_until"] = json!(until.to_string());
        }
        if let Some(reference) = reference {
            told["slip"] = json!(reference.as_str());
        }
        Decided { line: told.to_string(), leaf: Some(leaf), slip }
    }

    fn slip(
        &self,
        app: &App,
        question: &Question,
        answer: &Answer,
        reference: Reference,
        now: Instant,
    ) -> SlipRow {
        let ground = &question.ground;
        let facts = json!({ "purpose": ground.purpose.as_str(), "procedure": ground.procedure }).to_string();
        let sealed = self.key.seal(&*app.entropy, reference.as_str().as_bytes(), facts.as_bytes());
        SlipRow { reference, agency: self.row.agency, at: now, state: answer.state, sealed }
    }

    async fn put_off(&self, app: &App, due: Instant) -> Result<()> {
        let mut tx = app.store.begin().await?;
        batch::put_off(&mut tx, self.row.id, due).await?;
        Ok(tx.commit().await?)
    }

    /// Every chunk is answered: the whole is read once more, chunk by chunk, and signed.
    async fn finish(&self, app: &App, ground: &GroundRecord, now: Instant) -> Result<()> {
        let mut digest = Hasher::new();
        let mut outcomes: BTreeMap<String, i64> = BTreeMap::new();
        for place in 0..self.row.chunks {
            let lines = answers_of(app, self.row.id, &self.key, place).await?;
            digest.update(&lines);
            for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                *outcomes.entry(outcome_of(line)).or_default() += 1;
            }
        }
        let result = BatchResult {
            iss: app.origin.as_str().to_owned(),
            jti: self.row.id.to_string(),
            iat: jwt::numeric_date(now),
            agency: self.row.agency.to_string(),
            purpose: ground.purpose.clone(),
            procedure: ground.procedure.clone(),
            officer: ground.officer.clone(),
            legal_basis: ground.legal_basis.clone(),
            source: population::source_name(app).to_owned(),
            rows: self.row.rows_done,
            outcomes: outcomes.clone(),
            sha256: digest_text(&digest.finish()),
        };
        let signed = jwt::sign(app.keys.signing(Purpose::Record), batch_result::TYP, &result);
        let mut tx = app.store.begin().await?;
        if !batch::finish(&mut tx, self.row.id, &signed, now).await? {
            return Ok(());
        }
        let facts =
            json!({ "batch": self.row.id.to_string(), "rows": self.row.rows_done, "outcomes": outcomes });
        let told = event_row(app, now, "batch.finished", (self.row.agency, self.row.id.uuid()), &facts);
        outbox::enqueue(&mut tx, &[told]).await?;
        Ok(tx.commit().await?)
    }
}

fn rows(ground: &GroundRecord, first: i64, lines: &[u8]) -> Vec<Numbered> {
    let lines = lines.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    let row = |line: &[u8]| match std::str::from_utf8(line) {
        Ok(text) => batch_file::row(ground.columns.as_deref(), text),
        Err(_) => Err(BadRow { reference: None, wrong: "shape" }),
    };
    (first..).zip(lines.map(row)).collect()
}

/// A row that is not answered, and why.
fn held(number: i64, row: &Row, why: &'static str) -> Decided {
    let line = json!({ "row": number, "ref": row.reference, "held": why }).to_string();
    Decided { line, leaf: None, slip: None }
}

fn bad_line(number: i64, bad: &BadRow) -> String {
    json!({ "row": number, "ref": bad.reference, "wrong": bad.wrong }).to_string()
}

/// The state of an answered line, else why there is none.
fn outcome_of(line: &[u8]) -> String {
    let told: Value = serde_json::from_slice(line).unwrap_or_default();
    let state = told["state"].as_str().or_else(|| told["held"].as_str());
    state.unwrap_or("unreadable").to_owned()
}

/// The grade of each claimed attribute; none where a failure does not tell.
fn grades(question: &Question, answer: &Answer, told: bool) -> Map<String, Value> {
    let grade = |word: &str| {
        let graded = answer.graded.iter().find(|graded| graded.attribute.word() == word).filter(|_| told);
        graded.map(|graded| graded.grade.word())
    };
    let attributes = question.claims.attributes();
    attributes.into_iter().map(|one| (one.word().to_owned(), json!(grade(one.word())))).collect()
}
