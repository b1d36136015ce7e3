//! A bank tells a day again, differently. What was told before stays; the difference is kept beside it, the cases that
//! rested on lines that are gone begin again, and money that the bank took back is reversed in the books, in the open
//! time, until it is shown again. Nothing that was issued or posted changes.

use super::{
    Error, Result,
    audit_leaf::{self, Concern},
    event::event_row,
    inherit::{Tree, agencies_of, pass_reopened},
    match_day::AT_ONCE,
    officer::{self, Workplace},
};
use crate::app::App;
use crate::base::{
    calendar::{Day, rfc3339},
    clock::Instant,
    id::{self, Account as BankAccount, Agency, Citizen, Event, Id, Leaf},
    money::{Currency, Money},
};
use crate::crypto::{digest::Digest, seal::DataKey};
use crate::payment::ledger::{Account, moved};
use crate::store::{
    Tx, account, audit,
    ledger::{self as books, EntryKind, NewEntry},
    outbox,
    statement_revision::{self as revisions, Reversal},
};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use uuid::Uuid;

/// How many of the cases that began again are told by name.
const CASES_TOLD: usize = 1_000;

/// A revision on its way.
pub(super) struct Revision {
    /// Its identifier.
    pub id: Uuid,
    /// The number of this telling.
    pub version: i32,
    /// What the telling before said.
    pub before: Digest,
    /// How many lines it added.
    pub came: usize,
    /// How many it left out.
    pub gone: u64,
    /// The cases that began again.
    pub reopened: Vec<Id<id::Case>>,
    /// What was reversed.
    pub reversed: Money,
}

impl Revision {
    pub(super) fn new(app: &App, now: Instant, (version, before): (i32, Digest)) -> Self {
        Self {
            id: Id::<Event>::new(now, &*app.entropy).uuid(),
            version,
            before,
            came: 0,
            gone: 0,
            reopened: Vec::new(),
            reversed: Money::zero(Currency::Vnd),
        }
    }

    /// Begins again what rested on the lines that it left out.
    pub(super) async fn withdraw(&mut self, app: &App, tx: &mut Tx, now: Instant) -> Result<()> {
        revisions::withdraw(tx, self.id, now).await?;
        self.reopened = revisions::reopen(tx, self.id).await?;
        note_reopened(app, tx, &self.reopened, now).await
    }

    /// What the log and the listeners hear of it.
    pub(super) fn told(&self) -> Value {
        json!({
            "version": self.version,
            "before_sha256": hex::encode(self.before),
            "lines_added": self.came,
            "lines_left_out": self.gone,
            "cases_reopened": self.reopened.iter().take(CASES_TOLD).map(ToString::to_string).collect::<Vec<_>>(),
            "cases_reopened_count": self.reopened.len(),
            "reversed": self.reversed.decimal(),
        })
    }

    /// Tells the account's owner.
    pub(super) async fn tell(
        &self,
        app: &App,
        tx: &mut Tx,
        (owner, statement, day): (Id<Agency>, Id<id::Statement>, Day),
        now: Instant,
    ) -> Result<()> {
        let mut told = self.told();
        told["statement"] = statement.to_string().into();
        told["day"] = day.to_string().into();
        let event = event_row(app, now, "statement.revised", (owner, statement.uuid()), &told);
        Ok(outbox::enqueue(tx, &[event]).await?)
    }
}

/// Notes on cases that they began again, which nobody did; those of an agency that was succeeded begin again at its successor.
pub(super) async fn note_reopened(
    app: &App,
    tx: &mut Tx,
    cases: &[Id<id::Case>],
    now: Instant,
) -> Result<()> {
    pass_reopened(app, tx, cases, now).await?;
    let note = |case: &Id<id::Case>| (Id::<Event>::new(now, &*app.entropy).uuid(), *case);
    let notes: Vec<(Uuid, Id<id::Case>)> = cases.iter().map(note).collect();
    Ok(revisions::note_reopened(tx, &notes, now).await?)
}

/// Reverses what a revision took back and nothing shows (`missing`); the entries belong to that leaf. Whether there were any.
pub(super) async fn take_back(
    app: &App,
    tx: &mut Tx,
    (account, leaf, now): (Id<BankAccount>, Id<Leaf>, Instant),
    revision: &mut Revision,
    missing: &[(&str, Money)],
) -> Result<bool> {
    if missing.is_empty() {
        return Ok(false);
    }
    let references: Vec<&str> = missing.iter().map(|(reference, _)| *reference).collect();
    let booked = revisions::booked(tx, account, &references).await?;
    let (mut entries, mut reversals) = (Vec::new(), Vec::new());
    for (reference, amount) in missing {
        let Some(original) = booked.get(*reference) else { continue };
        let (from, to) = (Account::Clearing(account), Account::BankClaim(account));
        let entry = entry(app, now, leaf, original.uuid(), (from, to, *amount))?;
        reversals.push(Reversal { entry: entry.id, reference: (*reference).to_owned(), amount: *amount });
        entries.push(entry);
        revision.reversed = revision.reversed.plus(*amount).map_err(Error::internal)?;
    }
    if !append(tx, account, &entries, now).await? {
        return Ok(false);
    }
    revisions::insert_reversals(tx, account, &reversals, revision.id, now).await?;
    Ok(true)
}

/// Takes reversals back whose money the statement shows again; the entries belong to that leaf. Whether there were any.
pub(super) async fn give_back(
    app: &App,
    tx: &mut Tx,
    (account, leaf, now): (Id<BankAccount>, Id<Leaf>, Instant),
    statement: Id<id::Statement>,
) -> Result<bool> {
    let mut any = false;
    loop {
        let shown = revisions::shown_again(tx, account, statement, AT_ONCE).await?;
        let (mut entries, mut undone) = (Vec::new(), Vec::new());
        for reversal in &shown {
            let (from, to) = (Account::BankClaim(account), Account::Clearing(account));
            let entry = entry(app, now, leaf, reversal.entry.uuid(), (from, to, reversal.amount))?;
            undone.push((reversal.entry, entry.id));
            entries.push(entry);
        }
        if !append(tx, account, &entries, now).await? {
            return Ok(any);
        }
        revisions::undo_reversals(tx, &undone).await?;
        any = true;
    }
}

async fn append(tx: &mut Tx, account: Id<BankAccount>, entries: &[NewEntry], now: Instant) -> Result<bool> {
    if entries.is_empty() {
        return Ok(false);
    }
    let accounts = [Account::Clearing(account), Account::BankClaim(account)];
    let numbers = account::open_numbers(tx, &accounts).await?;
    books::append(tx, entries, &numbers, now).await?;
    Ok(true)
}

fn entry(
    app: &App,
    now: Instant,
    leaf: Id<Leaf>,
    subject: Uuid,
    (from, to, amount): (Account, Account, Money),
) -> Result<NewEntry> {
    let entry = moved(from, to, amount).map_err(Error::internal)?;
    Ok(NewEntry { id: Id::new(now, &*app.entropy), kind: EntryKind::Corrected, subject, leaf, entry })
}

/// The leaf of a matching, under the name that its entries know.
pub(super) async fn record(
    app: &App,
    tx: &mut Tx,
    (leaf, now): (Id<Leaf>, Instant),
    (owner, statement, key): (Id<Agency>, Id<id::Statement>, &DataKey),
    (kind, details): (&'static str, &Value),
) -> Result<()> {
    let concern = Concern { citizen: None, agency: Some(owner), object: statement.uuid() };
    let leaf = audit_leaf::leaf_named(app, (leaf, now), kind, concern, key, details);
    Ok(audit::append(tx, &[leaf]).await?)
}

/// Every telling of a day that the agency's bank gave, the first one first, with what each changed.
pub async fn read_revisions(app: &App, agency: Id<Agency>, id: Id<id::Statement>) -> Result<Value> {
    let mut tx = app.store.begin().await?;
    let agencies = agencies_of(&mut tx, agency, Tree::New).await?;
    let found = revisions::tellings(&mut tx, &agencies, id).await?;
    if found.is_empty() {
        return Err(Error::not_found());
    }
    let items = found.into_iter().map(|(.., telling)| {
        let (came, gone): (Vec<_>, Vec<_>) = telling.changed.iter().partition(|line| line.came);
        json!({
            "version": telling.version,
            "told_at": rfc3339(telling.at),
            "content_sha256": hex::encode(telling.digest),
            "opening": super::explain::money(Money::vnd(telling.balances.0)),
            "closing": super::explain::money(Money::vnd(telling.balances.1)),
            "lines": telling.lines,
            "added": came.into_iter().map(line_json).collect::<Vec<_>>(),
            "left_out": gone.into_iter().map(line_json).collect::<Vec<_>>(),
        })
    });
    Ok(json!({ "items": items.collect::<Vec<_>>() }))
}

fn line_json(line: &revisions::Changed) -> Value {
    json!({
        "line": line.line.to_string(),
        "number": line.number,
        "reference": line.reference,
        "amount": super::explain::money(line.amount),
    })
}

/// One telling of a day.
pub type Telling = revisions::Telling;

/// What the page of a day's tellings shows.
pub struct Tellings {
    /// The reader's name.
    pub reader: String,
    /// Whose account.
    pub agency: Workplace,
    /// The bank's business day.
    pub day: Day,
    /// The tellings, the first one first.
    pub tellings: Vec<Telling>,
}

/// The tellings of a statement of an agency where the citizen keeps or audits the books.
pub async fn read_tellings(app: &App, citizen: Id<Citizen>, id: Id<id::Statement>) -> Result<Tellings> {
    let mut tx = app.store.begin().await?;
    let places = officer::workplaces(&mut tx, citizen, Day::of(app.clock.now())).await?;
    let owners: Vec<Id<Agency>> = places.iter().map(|place| place.id).collect();
    let found = revisions::tellings(&mut tx, &owners, id).await?;
    let (owner, day) = found.first().map(|(owner, day, _)| (*owner, *day)).ok_or(Error::not_found())?;
    let agency = places.into_iter().find(|place| place.id == owner).ok_or(Error::not_found())?;
    let names = officer::names(app, &mut tx, &BTreeSet::from([citizen])).await?;
    let reader = names.get(&citizen).cloned().unwrap_or_default();
    let tellings = found.into_iter().map(|(.., telling)| telling).collect();
    Ok(Tellings { reader, agency, day, tellings })
}
