//! Closed days, months and years as officers and agencies' systems read them, with their signed files.

use super::{
    Error, Result,
    agency_key::agency_with_key,
    document_signer::sign_pdf,
    inherit::{Tree, agencies_of},
    judge_stamps::{Judge, Judged},
    long_closings::unfinished,
    officer::{self, Seat, Workplace},
    stamp_heads::{Stamping, stamp_json},
};
use crate::app::App;
use crate::base::{
    calendar::{Day, rfc3339},
    clock::Instant,
    id::{self, Agency, Citizen, Id},
    page::PageRequest,
};
use crate::codec::{
    closing_report::{self, ClosingContent, Stamped},
    receipt_content, time_stamp,
};
use crate::crypto::{keyring::Purpose, seal::DataKey, signing::Signer};
use crate::identity::role::Role;
use crate::payment::closing::State;
use crate::store::{
    Tx,
    closing::{self, StoredClosing},
    head_stamp, inheritance,
    long_closing::Shown,
};
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};

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

/// The seat at an agency, with the roles that count for its closings: those at whoever has taken its place.
async fn seat_at(tx: &mut Tx, seats: Vec<Seat>, agency: Id<Agency>) -> Result<Seat> {
    let heir = inheritance::heir(tx, agency, None).await?;
    Seat::with_heir(seats, agency, heir).ok_or(Error::not_found())
}

/// A closing of an agency where the citizen keeps, approves or audits the books on that day, with their seat there.
pub(super) async fn at_the_books(
    tx: &mut Tx,
    citizen: Id<Citizen>,
    id: Id<id::Closing>,
    today: Day,
) -> Result<(Seat, StoredClosing)> {
    let seats = officer::seats(tx, citizen, today, &officer::BOOKKEEPERS).await?;
    let ids: Vec<Id<Agency>> = seats.iter().map(|seat| seat.id).collect();
    let stored = closing::of_agencies(tx, &ids, id).await?.ok_or(Error::not_found())?;
    let seat = seat_at(tx, seats, stored.agency).await?;
    Ok((seat, stored))
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
    /// How it stands with the time stamp of the head that it names.
    pub stamping: Option<Stamping>,
    /// What is to be said of that stamp today.
    pub judged: Option<Judged>,
    /// Whether the reader may approve it.
    pub approves: bool,
    /// Whether the reader may send it back.
    pub withdraws: bool,
}

/// A closing of an agency where the citizen keeps, approves or audits the books.
pub async fn read_closing(app: &App, citizen: Id<Citizen>, id: Id<id::Closing>) -> Result<ClosingShown> {
    let mut tx = app.store.begin().await?;
    let (seat, stored) = at_the_books(&mut tx, citizen, id, Day::of(app.clock.now())).await?;
    let (_, sealing) = agency_with_key(app, &mut tx, stored.agency).await?;
    let content = complete_content(app, &mut tx, &stored, &sealing).await?;
    let stamping = stamping_of(&mut tx, &content).await?;
    let reader = officer::names(app, &mut tx, &BTreeSet::from([citizen])).await?;
    drop(tx);
    let judge = Judge::of_any(app, &stamping).await;
    let signed = content.head.as_ref().map(|(_, signed)| signed.as_str());
    let judged = signed.zip(stamping.as_ref()).and_then(|(signed, of)| judged(judge.as_ref(), signed, of));
    let open = stored.state == State::Prepared;
    Ok(ClosingShown {
        reader: reader.get(&citizen).cloned().unwrap_or_default(),
        approves: open && seat.holds(Role::Approver) && stored.prepared.0 != citizen,
        withdraws: open && (seat.holds(Role::Approver) || stored.prepared.0 == citizen),
        agency: seat.workplace(&[Role::Accountant]),
        stored,
        content,
        stamping,
        judged,
    })
}

/// The closings of an agency.
pub struct Closings {
    /// Who reads them.
    pub reader: String,
    /// Whose accounting.
    pub agency: Workplace,
    /// What is prepared beside and not there yet, or could not be.
    pub unfinished: Vec<Shown>,
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
    (agency, whole): (Option<Id<Agency>>, bool),
    after: Option<Id<id::Closing>>,
) -> Result<Closings> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let seats = officer::seats(&mut tx, citizen, Day::of(now), &officer::BOOKKEEPERS).await?;
    if seats.is_empty() {
        return Err(Error::forbidden("accountant_needed"));
    }
    let wanted = |seat: &Seat| agency.is_none_or(|id| id == seat.id);
    let of = seats.iter().find(|seat| wanted(seat)).map(|seat| seat.id).ok_or(Error::not_found())?;
    let of = seat_at(&mut tx, seats, of).await?.workplace(&[Role::Accountant]);
    let page = PageRequest::new(after, None).ok_or_else(Error::not_found)?;
    let found = closing::page(&mut tx, &of.tree(whole), &page).await?;
    let next = found.items.last().filter(|_| found.more).map(|last| last.id);
    let unfinished =
        if after.is_none() { unfinished(&mut tx, &of.tree(whole), now).await? } else { Vec::new() };
    let names = officer::names(app, &mut tx, &BTreeSet::from([citizen])).await?;
    let reader = names.get(&citizen).cloned().unwrap_or_default();
    Ok(Closings { reader, agency: of, unfinished, items: found.items, next, now })
}

/// The agency's closings as its systems read them; for itself or by either tree.
pub async fn read_closings(
    app: &App,
    agency: Id<Agency>,
    tree: Tree,
    page: &PageRequest<Id<id::Closing>>,
) -> Result<Value> {
    let mut tx = app.store.begin().await?;
    let agencies = agencies_of(&mut tx, agency, tree).await?;
    let found = closing::page(&mut tx, &agencies, page).await?;
    let next = found.items.last().filter(|_| found.more).map(|last| last.id.to_string());
    let sizes: Vec<u64> = found.items.iter().filter_map(|stored| stored.head_size).collect();
    let stamps = head_stamp::of_heads(&mut tx, &sizes).await?;
    let signed: HashMap<u64, String> = head_stamp::heads(&mut tx, &sizes).await?.into_iter().collect();
    drop(tx);
    let judge = Judge::of_any(app, stamps.values()).await;
    let item = |stored: &StoredClosing| {
        let stamping = stored.head_size.and_then(|size| stamps.get(&size));
        let signed = stored.head_size.and_then(|size| signed.get(&size));
        let judged = signed.zip(stamping).and_then(|(signed, of)| judged(judge.as_ref(), signed, of));
        closing_json(stored, stamping, judged.as_ref())
    };
    let items: Vec<Value> = found.items.iter().map(item).collect();
    Ok(json!({ "items": items, "next": next }))
}

/// What is to be said today of a stamp that was given.
fn judged(judge: Option<&Judge<'_>>, signed: &str, stamping: &Stamping) -> Option<Judged> {
    match stamping {
        Stamping::Stamped(given) => judge?.judge(signed, given),
        Stamping::Waiting(..) | Stamping::GivenUp(_) => None,
    }
}

fn closing_json(stored: &StoredClosing, stamping: Option<&Stamping>, judged: Option<&Judged>) -> Value {
    json!({
        "id": stored.id.to_string(),
        "agency": stored.agency.to_string(),
        "kind": stored.period.kind.as_str(),
        "from": stored.period.first.to_string(),
        "to": stored.period.last.to_string(),
        "state": stored.state.as_str(),
        "content_sha256": hex::encode(stored.digest),
        "prepared_at": rfc3339(stored.prepared.1),
        "decided_at": stored.decided.map(|(_, at)| rfc3339(at)),
        "tree_size": stored.head_size,
        "time_stamp": stamp_json(stamping, judged, &format!("/v1/closings/{}/stamp", stored.id)),
    })
}

/// A file of an approved closing of the agency, or of whom it succeeded, for its systems.
pub async fn closing_file(
    app: &App,
    agency: Id<Agency>,
    id: Id<id::Closing>,
    format: Format,
) -> Result<(String, Vec<u8>)> {
    let mut tx = app.store.begin().await?;
    let agencies = agencies_of(&mut tx, agency, Tree::New).await?;
    let stored = closing::of_agencies(&mut tx, &agencies, id).await?.ok_or(Error::not_found())?;
    drop(tx);
    render(app, &stored, format, app.clock.now()).await
}

/// The same for an officer at a page.
pub async fn closing_file_as_officer(
    app: &App,
    citizen: Id<Citizen>,
    id: Id<id::Closing>,
    format: Format,
) -> Result<(String, Vec<u8>)> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let (_, stored) = at_the_books(&mut tx, citizen, id, Day::of(now)).await?;
    drop(tx);
    render(app, &stored, format, now).await
}

/// What stands beside the report of an approved closing, for whoever checks it offline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    /// The head that it names, as it was signed: what the time stamp is of.
    Head,
    /// The time-stamping authority's answer.
    Stamp,
}

/// It for the agency's systems: its name, its media type, its bytes.
pub async fn beside_closing(
    app: &App,
    agency: Id<Agency>,
    id: Id<id::Closing>,
    what: Beside,
) -> Result<(String, &'static str, Vec<u8>)> {
    let mut tx = app.store.begin().await?;
    let stored = closing::of_agencies(&mut tx, &[agency], id).await?.ok_or(Error::not_found())?;
    beside(app, &mut tx, &stored, what).await
}

/// The same for an officer at a page.
pub async fn beside_closing_as_officer(
    app: &App,
    citizen: Id<Citizen>,
    id: Id<id::Closing>,
    what: Beside,
) -> Result<(String, &'static str, Vec<u8>)> {
    let mut tx = app.store.begin().await?;
    let (_, stored) = at_the_books(&mut tx, citizen, id, Day::of(app.clock.now())).await?;
    beside(app, &mut tx, &stored, what).await
}

async fn beside(
    app: &App,
    tx: &mut Tx,
    stored: &StoredClosing,
    what: Beside,
) -> Result<(String, &'static str, Vec<u8>)> {
    if stored.state != State::Approved {
        return Err(Error::conflict("closing_not_approved"));
    }
    let (_, sealing) = agency_with_key(app, tx, stored.agency).await?;
    let content = content_of(stored, &sealing)?;
    let (size, signed) = content.head.clone().ok_or(Error::not_found())?;
    match (what, stamping_of(tx, &content).await?) {
        (Beside::Head, _) => Ok((format!("head-{size}.jws"), "application/jose", signed.into_bytes())),
        (Beside::Stamp, Some(Stamping::Stamped(given))) => {
            Ok((format!("head-{size}.tsr"), time_stamp::REPLY_TYPE, given.answer))
        }
        (Beside::Stamp, _) => Err(Error::not_found()),
    }
}

/// How it stands with the time stamp of the head that a closing names.
async fn stamping_of(tx: &mut Tx, content: &ClosingContent) -> Result<Option<Stamping>> {
    let Some((size, _)) = &content.head else { return Ok(None) };
    Ok(head_stamp::of_heads(tx, &[*size]).await?.remove(size))
}

/// The file, made and kept when it is first asked for; whoever comes at the same moment gets the one that was kept. While
/// the time stamp of its head is on its way the file is made without it and not kept.
async fn render(
    app: &App,
    stored: &StoredClosing,
    format: Format,
    now: Instant,
) -> Result<(String, Vec<u8>)> {
    if stored.state != State::Approved {
        return Err(Error::conflict("closing_not_approved"));
    }
    let name = format!("closing-{}-{}", stored.period.kind.as_str(), stored.period.first);
    let mut tx = app.store.begin().await?;
    let (_, sealing) = agency_with_key(app, &mut tx, stored.agency).await?;
    let kept = closing::file(&mut tx, stored.id, format.as_str()).await?;
    let content = complete_content(app, &mut tx, stored, &sealing).await?;
    let stamping = stamping_of(&mut tx, &content).await?;
    drop(tx);
    if let Some(kept) = kept {
        return Ok((name, sealing.open(&file_place(stored.id, format), &kept)?.expose().clone()));
    }
    let bytes = content.bytes();
    let signer = app.keys.signing(Purpose::Record);
    let input = closing_report::signing_input(&bytes, signer.kid());
    let jws = receipt_content::signed(&input, &signer.sign(input.as_bytes())).into_bytes();
    let stamped = match &stamping {
        Some(Stamping::Stamped(given)) => Some(Stamped {
            at: given.at,
            authority: given.authority.clone(),
            policy: given.policy.clone(),
            serial: given.serial.clone(),
        }),
        Some(Stamping::Waiting(..) | Stamping::GivenUp(_)) | None => None,
    };
    let pdf = closing_report::pdf(&content, stamped.as_ref()).map_err(Error::internal)?;
    let pdf = sign_pdf(app, (stored.agency, &sealing), &pdf, &name, now).await?;
    let xlsx = closing_report::xlsx(&content, stamped.as_ref()).map_err(Error::internal)?;
    let on_its_way = match stamping {
        Some(stamping) => matches!(stamping, Stamping::Waiting(..)),
        None => app.time_stamps.is_some() && content.head.is_some(),
    };
    if on_its_way {
        return Ok((
            name,
            match format {
                Format::Jws => jws,
                Format::Pdf => pdf,
                Format::Xlsx => xlsx,
            },
        ));
    }
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

/// What a closing says, as its digest has it.
pub(super) fn content_of(stored: &StoredClosing, sealing: &DataKey) -> Result<ClosingContent> {
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

fn file_place(id: Id<id::Closing>, format: Format) -> Vec<u8> {
    [b"closing.file.".as_slice(), format.as_str().as_bytes(), id.uuid().as_bytes()].concat()
}

/// The place that the sealed content is bound to.
pub(super) fn place(id: Id<id::Closing>) -> Vec<u8> {
    [b"closing.content".as_slice(), id.uuid().as_bytes()].concat()
}
