//! What citizens ask about their own data: filed on their page, answered at the desk within the law's days.

use super::{
    Error, Refusal, Result,
    audit_leaf::{Concern, leaf},
    population::{self, OnRecord},
};
use crate::app::App;
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{self, Agency, Citizen, Id, Leaf},
    secret::Sealed,
};
use crate::crypto::seal::DataKey;
use crate::identity::{
    role::Role,
    subject_request::{Clock, Event, Kind, State, after},
};
use crate::store::{
    Tx, audit, calendar, role,
    subject_request::{self as requests, RequestRow, Words},
    succession,
};
use serde_json::json;

/// The longest text of a request or an answer, in characters.
pub const WORDS_MAX: usize = 2000;

/// What a citizen asks.
pub struct NewRequest {
    /// What.
    pub kind: Kind,
    /// The entry that is disputed.
    pub leaf: Option<Id<Leaf>>,
    /// The citizen's words.
    pub words: String,
}

/// A request as a page shows it.
pub struct RequestShown {
    /// The request; its words stay sealed.
    pub row: RequestRow,
    /// Whose it is.
    pub person: String,
    /// The words, opened.
    pub words: String,
    /// The answer, opened.
    pub answer: Option<String>,
    /// Whether its next day has passed.
    pub late: bool,
}

/// Files a request for whoever is signed in; its days are fixed now.
pub async fn file_request(
    app: &App,
    citizen: Id<Citizen>,
    new: &NewRequest,
) -> Result<Id<id::SubjectRequest>> {
    let words = words(&new.words)?;
    if (new.kind == Kind::Dispute) != new.leaf.is_some() {
        return Err(Error::Refused(Refusal::new("invalid_body").violation("leaf", "dispute", None)));
    }
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let holder = holder(app, &mut tx, citizen).await?;
    let agency = match new.leaf {
        Some(leaf) => requests::agency_of_entry(&mut tx, citizen, leaf).await?.ok_or(Error::not_found())?,
        None => None,
    };
    let id: Id<id::SubjectRequest> = Id::new(now, &*app.entropy);
    let row = RequestRow {
        id,
        citizen,
        kind: new.kind,
        leaf: new.leaf,
        agency,
        filed_at: now,
        clock: Clock::of(new.kind, Day::of(now), &calendar::working_days(&mut tx, Day::of(now)).await?),
        extended: false,
        words: seal(app, &holder.key, id, "words", words),
        state: State::Filed,
        answer: None,
    };
    requests::insert(&mut tx, &row).await.map_err(|error| {
        if error.violates("subject_request_dispute_once") {
            Error::conflict("dispute_open")
        } else {
            error.into()
        }
    })?;
    record(app, &mut tx, &holder, &row, "request.filed", now).await?;
    tx.commit().await?;
    Ok(id)
}

fn words(text: &str) -> Result<&str> {
    let text = text.trim();
    let plain = text.chars().all(|c| !c.is_control() || c == '\n' || c == '\r');
    if text.is_empty() || text.chars().count() > WORDS_MAX || !plain {
        return Err(Error::Refused(Refusal::new("words_needed").violation("words", "length", None)));
    }
    Ok(text)
}

/// The requests of whoever is signed in, and their name.
pub async fn read_requests(app: &App, citizen: Id<Citizen>) -> Result<(String, Vec<RequestShown>)> {
    let today = Day::of(app.clock.now());
    let mut tx = app.store.begin().await?;
    let holder = holder(app, &mut tx, citizen).await?;
    let rows = requests::of_citizen(&mut tx, citizen).await?;
    let shown = rows.into_iter().map(|row| show(&holder, row, today)).collect::<Result<_>>()?;
    Ok((holder.person.name.as_str().to_owned(), shown))
}

/// The open requests that an officer may answer, the most urgent first, and the officer's name.
pub async fn read_desk(app: &App, officer: Id<Citizen>) -> Result<(String, Vec<RequestShown>)> {
    let today = Day::of(app.clock.now());
    let mut tx = app.store.begin().await?;
    let name = holder(app, &mut tx, officer).await?.person.name.as_str().to_owned();
    let (agencies, operator) = answers_for(&mut tx, officer, today).await?;
    if agencies.is_empty() && !operator {
        return Err(Error::forbidden("officer_needed"));
    }
    let rows = requests::open(&mut tx, &agencies, operator).await?;
    let people: Vec<Id<Citizen>> = rows.iter().map(|row| row.citizen).collect();
    let known = population::look_up_citizens(app, &mut tx, &people).await?;
    let of = |id: Id<Citizen>| known.iter().find(|found| found.citizen == id);
    let shown = rows.into_iter().filter_map(|row| Some(show(of(row.citizen)?, row, today)));
    Ok((name, shown.collect::<Result<_>>()?))
}

/// An officer acts on a request; with a decision the words say what was done, or why not.
pub async fn act_on_request(
    app: &App,
    officer: Id<Citizen>,
    id: Id<id::SubjectRequest>,
    event: Event,
    text: &str,
) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let row = requests::lock(&mut tx, id).await?.ok_or(Error::not_found())?;
    let (agencies, operator) = answers_for(&mut tx, officer, Day::of(now)).await?;
    let may = row.agency.map_or(operator, |agency| agencies.contains(&agency));
    if !may {
        return Err(Error::not_found());
    }
    if row.citizen == officer {
        return Err(Error::forbidden("own_act"));
    }
    let (state, by) = after(row.state, (row.clock.decide_by, row.extended), event, now)
        .map_err(|refusal| Error::conflict(refusal.code()))?;
    let owner = holder(app, &mut tx, row.citizen).await?;
    let answer = if state.is_open() { None } else { Some(seal(app, &owner.key, id, "answer", words(text)?)) };
    if !requests::advance(&mut tx, &row, (state, by), answer.as_ref(), (officer, now)).await? {
        return Err(Error::conflict("request_decided"));
    }
    let clock = Clock { decide_by: by, ..row.clock };
    let kind = match event {
        Event::Acknowledge => "request.acknowledged",
        Event::Extend => "request.extended",
        Event::Grant => "request.granted",
        Event::Decline => "request.declined",
    };
    record(app, &mut tx, &owner, &RequestRow { clock, ..row }, kind, now).await?;
    tx.commit().await?;
    Ok(())
}

/// Whose requests an officer answers: those of their agencies and of everybody whom these succeeded, and as an administrator those
/// to the service itself.
async fn answers_for(tx: &mut Tx, officer: Id<Citizen>, today: Day) -> Result<(Vec<Id<Agency>>, bool)> {
    let held = role::of_citizen(tx, officer, today).await?;
    let operator = held.iter().any(|(_, role)| *role == Role::Administrator);
    let serves = held.into_iter().filter(|(_, role)| matches!(role, Role::Officer | Role::Administrator));
    let mut agencies: Vec<Id<Agency>> = serves.map(|(agency, _)| agency).collect();
    let old = succession::succeeded(tx, &agencies).await?;
    agencies.extend(old.into_values().flatten().map(|(agency, _)| agency));
    Ok((agencies, operator))
}

async fn holder(app: &App, tx: &mut Tx, citizen: Id<Citizen>) -> Result<Box<OnRecord>> {
    population::look_up_citizen(app, tx, citizen).await?.on_record.ok_or(Error::not_found())
}

async fn record(
    app: &App,
    tx: &mut Tx,
    owner: &OnRecord,
    row: &RequestRow,
    kind: &'static str,
    now: Instant,
) -> Result<()> {
    let concern = Concern { citizen: Some(owner.citizen), agency: row.agency, object: row.id.uuid() };
    let details = json!({
        "request": row.id.to_string(),
        "right": row.kind.word(),
        "entry": row.leaf.map(|leaf| leaf.to_string()),
        "acknowledge_by": row.clock.acknowledge_by.to_string(),
        "decide_by": row.clock.decide_by.to_string(),
    });
    Ok(audit::append(tx, &[leaf(app, now, kind, concern, &owner.key, &details)]).await?)
}

fn show(owner: &OnRecord, row: RequestRow, today: Day) -> Result<RequestShown> {
    let next = if row.state == State::Filed { row.clock.acknowledge_by } else { row.clock.decide_by };
    let answer = row.answer.as_ref().map(|sealed| open(&owner.key, row.id, "answer", sealed)).transpose()?;
    Ok(RequestShown {
        person: owner.person.name.as_str().to_owned(),
        words: open(&owner.key, row.id, "words", &row.words)?,
        answer,
        late: row.state.is_open() && today > next,
        row,
    })
}

fn place(id: Id<id::SubjectRequest>, field: &str) -> Vec<u8> {
    [b"subject_request.".as_slice(), field.as_bytes(), id.uuid().as_bytes()].concat()
}

fn seal(app: &App, key: &DataKey, id: Id<id::SubjectRequest>, field: &str, text: &str) -> Sealed<Words> {
    key.seal(&*app.entropy, &place(id, field), text.as_bytes())
}

fn open(key: &DataKey, id: Id<id::SubjectRequest>, field: &str, sealed: &Sealed<Words>) -> Result<String> {
    let plain = key.open(&place(id, field), sealed)?;
    Ok(String::from_utf8_lossy(plain.expose()).into_owned())
}
