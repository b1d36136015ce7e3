//! Successors of agencies: a merger, a split, a new name. What still moves passes on at the first day; what was decided
//! before stays where it was.
//!
//! Open bills stay payable under their references; their money and receipts are the successor's from then on. Pending
//! cases, matches that wait for a second person, refunds, money in suspense, accounts, tills and roles pass on (`inherit`);
//! what comes up later about a bill that had ended is the successor's, too. The old receipt series are closed with
//! their counts. What is sealed under the old agency's key is sealed anew under the successor's.

use super::{
    Error, Refusal, Result, audit_leaf,
    bill_answer::place,
    idempotency::Idempotency,
    inherit::{self, Heirs},
    officer, open_account,
};
use crate::{
    app::App,
    base::{
        calendar::{Day, rfc3339},
        clock::Instant,
        id::{self, Agency, Bill, Citizen, Id, Leaf},
        secret::Sealed,
    },
    crypto::seal::DataKey,
    identity::role::Role,
    payment::{bill::Owner, code::ProcedureCode},
    store::{
        Tx, account,
        agency::{self, AgencyRow},
        audit, bill_version as versions,
        succession::{self as rows, Passed, SealedNote, Succession},
    },
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How many bills pass on with one statement.
const CHUNK: i64 = 500;

/// A succession as an administrator decides it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSuccession {
    /// A merger, a split or a new name.
    pub kind: Kind,
    /// The first day of the successors.
    pub from: Day,
    /// Each successor with the procedures that it takes; the first takes all others.
    pub successors: Vec<(Id<Agency>, Vec<ProcedureCode>)>,
    /// Who decides.
    pub administrator: Id<Citizen>,
}

/// What happens to the agency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It becomes part of another.
    Merge,
    /// Several take its place.
    Split,
    /// It goes on under another name, code and key.
    Rename,
}

impl Kind {
    /// The word on the wire and in rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Merge => "merge",
            Self::Split => "split",
            Self::Rename => "rename",
        }
    }

    /// The kind of that word.
    pub fn named(word: &str) -> Option<Self> {
        [Self::Merge, Self::Split, Self::Rename].into_iter().find(|kind| kind.as_str() == word)
    }
}

/// Records a succession; it takes effect at once when its day has come, else on that day.
pub async fn decide_succession(
    app: &App,
    actor: Id<Agency>,
    agency: Id<Agency>,
    new: &NewSuccession,
    key: Option<&Idempotency>,
) -> Result<Value> {
    let now = app.clock.now();
    let today = Day::of(now);
    let mut tx = app.store.begin().await?;
    if let Some(key) = key
        && let Some(answer) = key.claim(&mut tx).await?
    {
        return Ok(answer);
    }
    let ids: Vec<Id<Agency>> =
        std::iter::once(agency).chain(new.successors.iter().map(|successor| successor.0)).collect();
    let known = agency::find_all(&mut tx, &ids).await?;
    let old = known.iter().find(|row| row.id == agency).ok_or(Error::not_found())?;
    let wrong = |rule| Error::Refused(Refusal::new("invalid_body").violation("/successors", rule, None));
    if known.len() != ids.len() || known.iter().any(|row| row.id != agency && !row.active) {
        return Err(wrong("unknown"));
    }
    if (new.kind == Kind::Split) != (new.successors.len() > 1) {
        return Err(wrong("count"));
    }
    if agency == actor {
        return Err(Error::forbidden("own_act"));
    }
    if new.from < today {
        return Err(Error::refused("day_in_the_past"));
    }
    officer::demand(&mut tx, new.administrator, actor, Role::Administrator, today).await?;
    // Whoever takes the place of an agency can be paid what that one was paid.
    let accounts = account::standing(&mut tx, &ids).await?.beneficiaries;
    let of_old = || accounts.keys().filter(|key| key.0 == agency).map(|key| key.1);
    if ids[1..].iter().any(|heir| of_old().any(|kind| !accounts.contains_key(&(*heir, kind)))) {
        return Err(Error::refused("agency_account_missing"));
    }
    let words = |procedures: &[ProcedureCode]| procedures.iter().map(ToString::to_string).collect::<Vec<_>>();
    let one = Succession {
        agency,
        kind: new.kind.as_str().to_owned(),
        from: new.from,
        successors: new.successors.iter().map(|(id, procedures)| (*id, words(procedures))).collect(),
    };
    if !rows::insert(&mut tx, &one, new.administrator, now).await? {
        return Err(Error::conflict("agency_succeeded"));
    }
    log(app, &mut tx, old, "agency.succession_decided", &one, now).await?;
    while effect_next(app, &mut tx, now).await? {}
    let answer = succession_json(&mut tx, &one).await?;
    if let Some(key) = key {
        key.keep(&mut tx, agency.uuid(), &answer, now).await?;
    }
    tx.commit().await?;
    Ok(answer)
}

/// Lets the successions whose day has come take effect, one at a time; whether there was one.
pub async fn effect_successions(app: &App) -> Result<bool> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let done = effect_next(app, &mut tx, now).await?;
    tx.commit().await?;
    Ok(done)
}

async fn effect_next(app: &App, tx: &mut Tx, now: Instant) -> Result<bool> {
    let Some(one) = rows::due(tx, Day::of(now)).await? else {
        return Ok(false);
    };
    let ids: Vec<Id<Agency>> =
        std::iter::once(one.agency).chain(one.successors.iter().map(|successor| successor.0)).collect();
    let known: BTreeMap<Id<Agency>, AgencyRow> =
        agency::find_all(tx, &ids).await?.into_iter().map(|row| (row.id, row)).collect();
    let lost = || Error::internal("an agency of a succession is gone");
    let old = known.get(&one.agency).ok_or_else(lost)?;
    let (main, _) = one.successors.first().ok_or_else(lost)?;
    let leaf: Id<Leaf> = Id::new(now, &*app.entropy);
    let mut keys = BTreeMap::new();
    for row in known.values() {
        keys.insert(row.id, app.keys.data_key(&row.key, row.id.uuid().as_bytes())?);
    }
    let successors: Vec<Id<Agency>> = one.successors.iter().map(|successor| successor.0).collect();
    let beneficiaries = account::standing(tx, &successors).await?.beneficiaries;
    let heirs = Heirs { one: &one, keys: &keys, beneficiaries: &beneficiaries };
    let bills = pass_bills(app, tx, &heirs, now).await?;
    inherit::pass_lines(tx, &heirs).await?;
    pass_notes(app, tx, (one.agency, *main), &keys, now).await?;
    rows::pass_cases(tx, one.agency, *main).await?;
    inherit::pass_proposals(app, tx, &heirs).await?;
    inherit::pass_money(app, tx, &heirs, leaf, now).await?;
    inherit::pass_desk(app, tx, &heirs, leaf, now).await?;
    for (successor, _) in &one.successors {
        rows::pass_evidence(tx, one.agency, *successor).await?;
        rows::pass_roles(tx, one.agency, *successor, one.from, now).await?;
    }
    let closed: Vec<Value> = rows::series(tx, one.agency)
        .await?
        .into_iter()
        .map(|(kind, year, count)| json!({ "kind": kind, "year": year, "count": count }))
        .collect();
    rows::end_agency(tx, one.agency, one.from.plus_days(-1)).await?;
    rows::effected(tx, one.agency, bills, &Value::Array(closed), now).await?;
    log_named(app, tx, old, ("agency.succeeded", leaf), &one, now).await?;
    Ok(true)
}

/// Gives the open bills to the successors that take their procedures.
async fn pass_bills(app: &App, tx: &mut Tx, heirs: &Heirs<'_>, now: Instant) -> Result<usize> {
    let one = heirs.one;
    let ids: Vec<Id<Agency>> = one.successors.iter().map(|successor| successor.0).collect();
    let accounts = open_account::standing(app, tx, (&ids, &[]), now).await?.collecting;
    let (mut after, mut passed) = (None::<Id<Bill>>, 0);
    let lost = || Error::refused("agency_account_missing");
    loop {
        let bills = rows::open_bills(tx, one.agency, after, CHUNK).await?;
        let Some(last) = bills.last() else { return Ok(passed) };
        after = Some(last.bill);
        let mut chunk = Vec::with_capacity(bills.len());
        let mut heir_of = BTreeMap::new();
        for bill in &bills {
            let heir = heirs.of(Some(&bill.procedure))?;
            let (from, to) = (heirs.key(one.agency)?, heirs.key(heir)?);
            heir_of.insert(bill.bill, heir);
            // A part that belongs wholly to others goes on to their account.
            let owners = bill.lines.by_owner(one.agency).map_err(Error::internal)?;
            let own = owners.len() > 1 || owners.iter().any(|(owner, _)| *owner == Owner::Agency(one.agency));
            let account = if own { Some(accounts.get(&heir).ok_or_else(lost)?.id) } else { None };
            chunk.push(Passed {
                bill: bill.bill,
                to: (heir, account),
                lines: heirs.lines(&bill.lines, heir, true)?,
                parties: reseal(app, (from, to), &place(b"bill.parties", bill.bill), &bill.parties)?,
                trace: reseal(app, (from, to), &place(b"bill.trace", bill.bill), &bill.trace)?,
            });
        }
        pass_versions(app, tx, heirs, &heir_of).await?;
        rows::pass_bills(tx, &chunk).await?;
        inherit::pass_names(app, tx, heirs, &heir_of).await?;
        passed += chunk.len();
    }
}

/// Gives what the bills said before they were amended to those who get the bills: paper may have been written of it.
async fn pass_versions(
    app: &App,
    tx: &mut Tx,
    heirs: &Heirs<'_>,
    heir_of: &BTreeMap<Id<Bill>, Id<Agency>>,
) -> Result<()> {
    let bills: Vec<Id<Bill>> = heir_of.keys().copied().collect();
    let mut passed = versions::earlier(tx, &bills).await?;
    for one in &mut passed {
        let heir = heir_of.get(&one.bill).copied().ok_or(Error::internal("a version of another bill"))?;
        let keys = (heirs.key(heirs.one.agency)?, heirs.key(heir)?);
        one.lines = heirs.lines(&one.lines, heir, true)?;
        one.trace = reseal(app, keys, &place(b"bill.trace", one.bill), &one.trace)?;
    }
    if passed.is_empty() { Ok(()) } else { Ok(versions::pass_on(tx, &passed).await?) }
}

/// Copies the words of notes on pending cases for the successor, who cannot open the first ones.
pub(super) async fn pass_notes(
    app: &App,
    tx: &mut Tx,
    (from, to): (Id<Agency>, Id<Agency>),
    keys: &BTreeMap<Id<Agency>, DataKey>,
    now: Instant,
) -> Result<()> {
    let (Some(old), Some(new)) = (keys.get(&from), keys.get(&to)) else {
        return Err(Error::internal("an agency without its key"));
    };
    let mut copies = Vec::new();
    for note in rows::pending_notes(tx, from).await? {
        let copy: Id<id::Event> = Id::new(now, &*app.entropy);
        // What was said before this agency's own time it has a copy of.
        let Ok(words) = old.open(note.id.as_bytes(), &note.words) else { continue };
        let words = new.seal(&*app.entropy, copy.uuid().as_bytes(), words.expose());
        copies.push((note.id, SealedNote { id: copy.uuid(), words }));
    }
    if copies.is_empty() { Ok(()) } else { Ok(rows::copy_notes(tx, &copies).await?) }
}

/// Seals under another key what was sealed at the same place.
pub(super) fn reseal<T>(
    app: &App,
    (from, to): (&DataKey, &DataKey),
    place: &[u8],
    sealed: &Sealed<T>,
) -> Result<Sealed<T>> {
    // What the retention job has emptied has no seal.
    if sealed.bytes().is_empty() {
        return Ok(Sealed::new(Vec::new(), sealed.key()));
    }
    let plain = from.open(place, sealed)?;
    Ok(to.seal(&*app.entropy, place, plain.expose()))
}

async fn log(
    app: &App,
    tx: &mut Tx,
    old: &AgencyRow,
    kind: &'static str,
    one: &Succession,
    now: Instant,
) -> Result<()> {
    log_named(app, tx, old, (kind, Id::new(now, &*app.entropy)), one, now).await
}

async fn log_named(
    app: &App,
    tx: &mut Tx,
    old: &AgencyRow,
    (kind, leaf): (&'static str, Id<Leaf>),
    one: &Succession,
    now: Instant,
) -> Result<()> {
    let key = app.keys.data_key(&old.key, old.id.uuid().as_bytes())?;
    let concern = audit_leaf::Concern { citizen: None, agency: Some(old.id), object: old.id.uuid() };
    let details = json!({
        "agency": old.id.to_string(),
        "kind": one.kind,
        "from": one.from.to_string(),
        "successors": one.successors.iter().map(|successor| successor.0.to_string()).collect::<Vec<_>>(),
    });
    let leaf = audit_leaf::leaf_named(app, (leaf, now), kind, concern, &key, &details);
    Ok(audit::append(tx, &[leaf]).await?)
}

async fn succession_json(tx: &mut Tx, one: &Succession) -> Result<Value> {
    let outcome = rows::outcome(tx, one.agency).await?.ok_or(Error::internal("a succession is gone"))?;
    let successors: Vec<Value> = one
        .successors
        .iter()
        .map(|(id, procedures)| json!({ "agency": id.to_string(), "procedures": procedures }))
        .collect();
    Ok(json!({
        "agency": one.agency.to_string(),
        "kind": one.kind,
        "from": one.from.to_string(),
        "successors": successors,
        "effected_at": outcome.0.map(rfc3339),
        "bills": outcome.1,
        "closed_series": outcome.2,
    }))
}
