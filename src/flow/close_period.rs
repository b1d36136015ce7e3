//! Closes a day, a month or a year of an agency's accounting: an accountant prepares, a second person approves.
//!
//! What a closing says is folded once, when it is prepared, with the newest signed head of the audit log, and never
//! changes. Its files are made when it is approved and signed by the agency. The approval is an event: whoever is to keep
//! the head outside (the Treasury, the State Audit) registers an address for it. Later corrections are booked in the open
//! time; the bank's day and the day of booking stand beside each other in the journals.

use super::{
    Error, Refusal, Result,
    agency_key::agency_with_key,
    audit_leaf::{self, Concern},
    document_signer::sign_pdf,
    event::event_json,
    officer::{self, Workplace},
};
use crate::app::App;
use crate::base::{
    calendar::{Day, rfc3339},
    clock::Instant,
    id::{self, Agency, Citizen, Event, Id},
    page::PageRequest,
};
use crate::codec::{
    closing_report::{self, ClosingContent, StatementRow},
    receipt_content,
};
use crate::crypto::{keyring::Purpose, seal::DataKey, signing::Signer};
use crate::identity::role::Role;
use crate::payment::closing::{self as rules, Kind, Period, State};
use crate::store::{
    Tx, agency, audit, audit_tree,
    closing::{self, StoredClosing},
    outbox::{self, NewOutbox, Topic},
    role,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The signed content as a compact JWS.
    Jws,
    /// The PDF/A-3, signed by the agency.
    Pdf,
    /// The spreadsheet.
    Xlsx,
}

impl Format {
    const ALL: [Self; 3] = [Self::Jws, Self::Pdf, Self::Xlsx];

    /// The ending of the file's name, and the word in rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Jws => "jws",
            Self::Pdf => "pdf",
            Self::Xlsx => "xlsx",
        }
    }

    /// The media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Jws => "application/jose",
            Self::Pdf => "application/pdf",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        }
    }
}

/// Prepares the closing of a time.
pub async fn prepare_closing(
    app: &App,
    agency: Id<Agency>,
    accountant: Id<Citizen>,
    period: Period,
) -> Result<Id<id::Closing>> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    officer::demand(&mut tx, accountant, agency, Role::Accountant, Day::of(now)).await?;
    if period.last.end() > now {
        return Err(Error::conflict("day_not_over_yet"));
    }
    complete(&mut tx, agency, period).await?;
    let (row, sealing) = agency_with_key(app, &mut tx, agency).await?;
    let names = officer::names(app, &mut tx, &BTreeSet::from([accountant])).await?;
    let name = names.get(&accountant).cloned().unwrap_or_default();
    let content = fold(app, &mut tx, (agency, &row), period, (name, rfc3339(now))).await?;
    let bytes = content.bytes();
    let id = Id::new(now, &*app.entropy);
    let stored = StoredClosing {
        id,
        agency,
        period,
        state: State::Prepared,
        content: sealing.seal(&*app.entropy, &place(id), &bytes),
        digest: closing_report::digest(&bytes),
        prepared: (accountant, now),
        decided: None,
    };
    match closing::insert(&mut tx, &stored).await {
        Err(e) if e.violates("closing_once") => return Err(Error::conflict("closing_exists")),
        done => done?,
    }
    record(app, &mut tx, &stored, ("closing.prepared", accountant), &sealing, now).await?;
    tx.commit().await?;
    Ok(id)
}

/// Nothing inside may be unfinished: each day with money has its matched statement, each inner time its closing.
async fn complete(tx: &mut Tx, agency: Id<Agency>, period: Period) -> Result<()> {
    let missing = match period.kind.inner() {
        None => closing::unreconciled(tx, agency, period).await?,
        Some(inner) => closing::unclosed(tx, agency, period, inner).await?,
    };
    let code = match period.kind {
        Kind::Day => "day_not_reconciled",
        Kind::Month | Kind::Year => "closing_incomplete",
    };
    match missing.first() {
        None => Ok(()),
        Some(day) => Err(Error::Conflict(Refusal::new(code).about(day))),
    }
}

async fn fold(
    app: &App,
    tx: &mut Tx,
    (agency, row): (Id<Agency>, &agency::AgencyRow),
    period: Period,
    prepared: (String, String),
) -> Result<ClosingContent> {
    let statements = closing::statements(tx, agency, period).await?.into_iter().map(|s| StatementRow {
        account: s.account,
        day: s.day.to_string(),
        opening: s.balances.0,
        closing: s.balances.1,
        lines: s.lines.0,
        matched: s.lines.1,
        posted: s.known.0,
        explained: s.known.1,
    });
    let head = audit_tree::last_head(tx).await?.map(|head| (head.size, head.signed));
    Ok(ClosingContent {
        v: 1,
        iss: app.origin.as_str().to_owned(),
        agency: (row.code.clone(), row.name_vi.clone()),
        kind: period.kind.as_str().to_owned(),
        days: (period.first.to_string(), period.last.to_string()),
        prepared,
        approved: None,
        statements: statements.collect(),
        ledger: closing::moved(tx, agency, period).await?,
        receipts: closing::receipts(tx, agency, (period.first.start(), period.last.end())).await?,
        cases: closing::cases(tx, agency, period).await?,
        head,
    })
}

/// Approves a prepared closing, or sends it back. Approving takes a second person.
pub async fn decide_closing(
    app: &App,
    citizen: Id<Citizen>,
    id: Id<id::Closing>,
    approve: bool,
) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let places = places(&mut tx, citizen, Day::of(now)).await?;
    let ids: Vec<Id<Agency>> = places.iter().map(|place| place.place.id).collect();
    let stored = closing::of_agencies(&mut tx, &ids, id).await?.ok_or(Error::not_found())?;
    let wanted = if approve || stored.prepared.0 != citizen { Role::Approver } else { Role::Accountant };
    officer::demand(&mut tx, citizen, stored.agency, wanted, Day::of(now)).await?;
    let to = rules::decide(stored.state, stored.prepared.0, citizen, approve).map_err(
        |refusal| match refusal {
            rules::Refusal::Decided => Error::conflict(refusal.code()),
            rules::Refusal::OwnAct => Error::forbidden(refusal.code()),
        },
    )?;
    if !closing::decide(&mut tx, id, to, (citizen, now)).await? {
        return Err(Error::conflict("closing_decided"));
    }
    let (_, sealing) = agency_with_key(app, &mut tx, stored.agency).await?;
    let kind = if approve { "closing.approved" } else { "closing.withdrawn" };
    record(app, &mut tx, &stored, (kind, citizen), &sealing, now).await?;
    if approve {
        let content = content_of(&stored, &sealing)?;
        tell(app, &mut tx, &stored, &content, now).await?;
    }
    Ok(tx.commit().await?)
}

async fn tell(
    app: &App,
    tx: &mut Tx,
    stored: &StoredClosing,
    content: &ClosingContent,
    now: Instant,
) -> Result<()> {
    let told = json!({
        "closing": stored.id.to_string(),
        "kind": content.kind,
        "from": content.days.0,
        "to": content.days.1,
        "content_sha256": hex::encode(stored.digest),
        "tree_head": content.head.as_ref().map(|(_, signed)| signed),
    });
    let event: Id<Event> = Id::new(now, &*app.entropy);
    let row = NewOutbox {
        id: event,
        at: now,
        topic: Topic::Event,
        agency: Some(stored.agency),
        object: stored.id.uuid(),
        name: "closing.approved",
        body: event_json("closing.approved", now, &told),
    };
    Ok(outbox::enqueue(tx, &[row]).await?)
}

/// A closing with what it says.
pub struct ClosingShown {
    /// Who reads it.
    pub reader: String,
    /// Whose accounting.
    pub agency: Workplace,
    /// The closing.
    pub stored: StoredClosing,
    /// What it says; with who approved it.
    pub content: ClosingContent,
    /// Whether the reader may approve it.
    pub approves: bool,
    /// Whether the reader may send it back.
    pub withdraws: bool,
}

/// A closing of an agency where the citizen keeps, approves or audits the books.
pub async fn read_closing(app: &App, citizen: Id<Citizen>, id: Id<id::Closing>) -> Result<ClosingShown> {
    let today = Day::of(app.clock.now());
    let mut tx = app.store.begin().await?;
    let places = places(&mut tx, citizen, today).await?;
    let ids: Vec<Id<Agency>> = places.iter().map(|place| place.place.id).collect();
    let stored = closing::of_agencies(&mut tx, &ids, id).await?.ok_or(Error::not_found())?;
    let of = places.into_iter().find(|place| place.place.id == stored.agency).ok_or(Error::not_found())?;
    let (_, sealing) = agency_with_key(app, &mut tx, stored.agency).await?;
    let content = complete_content(app, &mut tx, &stored, &sealing).await?;
    let reader = officer::names(app, &mut tx, &BTreeSet::from([citizen])).await?;
    let open = stored.state == State::Prepared;
    Ok(ClosingShown {
        reader: reader.get(&citizen).cloned().unwrap_or_default(),
        approves: open && of.approves && stored.prepared.0 != citizen,
        withdraws: open && (of.approves || stored.prepared.0 == citizen),
        agency: of.place,
        stored,
        content,
    })
}

/// The closings of an agency.
pub struct Closings {
    /// Who reads them.
    pub reader: String,
    /// Whose accounting.
    pub agency: Workplace,
    /// The closings, the newest first.
    pub items: Vec<StoredClosing>,
    /// Where the next ones begin.
    pub next: Option<Id<id::Closing>>,
    /// When this was read.
    pub now: Instant,
}

/// The closings of an agency where the citizen keeps, approves or audits the books.
pub async fn list_closings(
    app: &App,
    citizen: Id<Citizen>,
    agency: Option<Id<Agency>>,
    after: Option<Id<id::Closing>>,
) -> Result<Closings> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let places = places(&mut tx, citizen, Day::of(now)).await?;
    if places.is_empty() {
        return Err(Error::forbidden("accountant_needed"));
    }
    let wanted = |place: &Place| agency.is_none_or(|id| id == place.place.id);
    let of = places.into_iter().find(wanted).ok_or(Error::not_found())?;
    let page = PageRequest::new(after, None).ok_or_else(Error::not_found)?;
    let found = closing::page(&mut tx, of.place.id, &page).await?;
    let next = found.items.last().filter(|_| found.more).map(|last| last.id);
    let names = officer::names(app, &mut tx, &BTreeSet::from([citizen])).await?;
    let reader = names.get(&citizen).cloned().unwrap_or_default();
    Ok(Closings { reader, agency: of.place, items: found.items, next, now })
}

/// The agency's closings as its systems read them.
pub async fn read_closings(
    app: &App,
    agency: Id<Agency>,
    page: &PageRequest<Id<id::Closing>>,
) -> Result<Value> {
    let mut tx = app.store.begin().await?;
    let found = closing::page(&mut tx, agency, page).await?;
    let next = found.items.last().filter(|_| found.more).map(|last| last.id.to_string());
    let items: Vec<Value> = found.items.iter().map(closing_json).collect();
    Ok(json!({ "items": items, "next": next }))
}

fn closing_json(stored: &StoredClosing) -> Value {
    json!({
        "id": stored.id.to_string(),
        "kind": stored.period.kind.as_str(),
        "from": stored.period.first.to_string(),
        "to": stored.period.last.to_string(),
        "state": stored.state.as_str(),
        "content_sha256": hex::encode(stored.digest),
        "prepared_at": rfc3339(stored.prepared.1),
        "decided_at": stored.decided.map(|(_, at)| rfc3339(at)),
    })
}

/// A file of an approved closing of the agency, for its systems.
pub async fn closing_file(
    app: &App,
    agency: Id<Agency>,
    id: Id<id::Closing>,
    format: Format,
) -> Result<(String, Vec<u8>)> {
    let mut tx = app.store.begin().await?;
    let stored = closing::of_agencies(&mut tx, &[agency], id).await?.ok_or(Error::not_found())?;
    drop(tx);
    render(app, &stored, format).await
}

/// The same for an officer at a page.
pub async fn closing_file_as_officer(
    app: &App,
    citizen: Id<Citizen>,
    id: Id<id::Closing>,
    format: Format,
) -> Result<(String, Vec<u8>)> {
    let today = Day::of(app.clock.now());
    let mut tx = app.store.begin().await?;
    let places = places(&mut tx, citizen, today).await?;
    let ids: Vec<Id<Agency>> = places.iter().map(|place| place.place.id).collect();
    let stored = closing::of_agencies(&mut tx, &ids, id).await?.ok_or(Error::not_found())?;
    drop(tx);
    render(app, &stored, format).await
}

async fn render(app: &App, stored: &StoredClosing, format: Format) -> Result<(String, Vec<u8>)> {
    if stored.state != State::Approved {
        return Err(Error::conflict("closing_not_approved"));
    }
    let now = app.clock.now();
    let name = format!("closing-{}-{}", stored.period.kind.as_str(), stored.period.first);
    let mut tx = app.store.begin().await?;
    let (_, sealing) = agency_with_key(app, &mut tx, stored.agency).await?;
    let kept = closing::file(&mut tx, stored.id, format.as_str()).await?;
    let content = complete_content(app, &mut tx, stored, &sealing).await?;
    drop(tx);
    if let Some(kept) = kept {
        return Ok((name, sealing.open(&file_place(stored.id, format), &kept)?.expose().clone()));
    }
    let bytes = content.bytes();
    let signer = app.keys.signing(Purpose::Record);
    let input = closing_report::signing_input(&bytes, signer.kid());
    let jws = receipt_content::signed(&input, &signer.sign(input.as_bytes())).into_bytes();
    let pdf = closing_report::pdf(&content).map_err(Error::internal)?;
    let pdf = sign_pdf(app, (stored.agency, &sealing), &pdf, &name, now).await?;
    let xlsx = closing_report::xlsx(&content).map_err(Error::internal)?;
    let mut tx = app.store.begin().await?;
    for (format, file) in Format::ALL.into_iter().zip([jws, pdf, xlsx]) {
        let sealed = sealing.seal(&*app.entropy, &file_place(stored.id, format), &file);
        closing::keep_file(&mut tx, stored.id, (format.as_str(), &sealed), now).await?;
    }
    let kept = closing::file(&mut tx, stored.id, format.as_str()).await?;
    tx.commit().await?;
    let kept = kept.ok_or_else(|| Error::internal(stored.id))?;
    Ok((name, sealing.open(&file_place(stored.id, format), &kept)?.expose().clone()))
}

fn content_of(stored: &StoredClosing, sealing: &DataKey) -> Result<ClosingContent> {
    let bytes = sealing.open(&place(stored.id), &stored.content)?.expose().clone();
    let content = ClosingContent::read(&bytes).filter(|_| closing_report::digest(&bytes) == stored.digest);
    content.ok_or_else(|| Error::internal(stored.id))
}

/// What a closing says, with who approved it.
async fn complete_content(
    app: &App,
    tx: &mut Tx,
    stored: &StoredClosing,
    sealing: &DataKey,
) -> Result<ClosingContent> {
    let mut content = content_of(stored, sealing)?;
    if let (State::Approved, Some((by, at))) = (stored.state, stored.decided) {
        let names = officer::names(app, tx, &BTreeSet::from([by])).await?;
        content.approved = Some((names.get(&by).cloned().unwrap_or_default(), rfc3339(at)));
    }
    Ok(content)
}

/// Where somebody works on the books.
struct Place {
    place: Workplace,
    approves: bool,
}

async fn places(tx: &mut Tx, citizen: Id<Citizen>, today: Day) -> Result<Vec<Place>> {
    let held = role::of_citizen(tx, citizen, today).await?;
    let reads = |role: &Role| matches!(role, Role::Accountant | Role::Auditor | Role::Approver);
    let mut ids: Vec<Id<Agency>> = held.iter().filter(|(_, role)| reads(role)).map(|(id, _)| *id).collect();
    ids.sort_unstable();
    ids.dedup();
    let rows = agency::find_all(tx, &ids).await?;
    let places = rows.into_iter().map(|row| Place {
        approves: held.contains(&(row.id, Role::Approver)),
        place: Workplace {
            acts: held.contains(&(row.id, Role::Accountant)),
            id: row.id,
            name: (row.name_vi, row.name_en),
        },
    });
    Ok(places.collect())
}

async fn record(
    app: &App,
    tx: &mut Tx,
    stored: &StoredClosing,
    (kind, by): (&'static str, Id<Citizen>),
    key: &DataKey,
    now: Instant,
) -> Result<()> {
    let concern = Concern { citizen: None, agency: Some(stored.agency), object: stored.id.uuid() };
    let details = json!({
        "closing": stored.id.to_string(),
        "kind": stored.period.kind.as_str(),
        "from": stored.period.first.to_string(),
        "to": stored.period.last.to_string(),
        "content_sha256": hex::encode(stored.digest),
        "by": by.to_string(),
    });
    let leaf = audit_leaf::leaf(app, now, kind, concern, key, &details);
    Ok(audit::append(tx, &[leaf]).await?)
}

fn place(id: Id<id::Closing>) -> Vec<u8> {
    [b"closing.content".as_slice(), id.uuid().as_bytes()].concat()
}

fn file_place(id: Id<id::Closing>, format: Format) -> Vec<u8> {
    [b"closing.file.".as_slice(), format.as_str().as_bytes(), id.uuid().as_bytes()].concat()
}
