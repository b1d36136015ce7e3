//! Statements that people bring as files. One brings, a second one confirms, by looking at it or by bringing the same
//! file; then it is matched like one that the bank signed, beside the request where it is long
//! ([`super::match_long_days`]). Rows that cannot be read are set aside and named; what the balances say beyond the others
//! stands on the statement as one line of its own, which opens a case. The file is taken, read and matched in pieces
//! (`import_file`).

use super::{
    Error, Refusal, Result,
    agency_key::agency_key,
    audit_leaf::{self, Concern},
    import_file::{self, Bringing, Brought, Source},
    match_long_days,
    officer::{self, Workplace},
};
use crate::app::App;
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{self, Agency, Citizen, Id},
    money::{Currency, Money},
    text::Line,
};
use crate::codec::iso20022::{Direction, Entry};
use crate::crypto::{digest::Digest, seal::DataKey};
use crate::identity::role::Role;
use crate::store::{
    Tx,
    account::{self, CollectingAccount},
    audit, long_day,
    statement_import::{self, StoredImport},
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use time::Duration;

/// The name of the line that stands for what could not be read.
const UNREAD: &str = "KHONG DOC DUOC";
/// How many imports the page shows.
const SHOWN: i64 = 50;

/// After how long the pieces of an interrupted import are removed.
const INTERRUPTED: Duration = Duration::days(1);

/// Brings a file, as it comes. Whoever brings the same file as another has brought before confirms it; the answer says so.
pub async fn import_statement(
    app: &App,
    citizen: Id<Citizen>,
    agency: Id<Agency>,
    number: &str,
    source: &mut dyn Source,
) -> Result<Id<id::StatementImport>> {
    let now = app.clock.now();
    let id = Id::new(now, &*app.entropy);
    let mut tx = app.store.begin().await?;
    officer::demand(&mut tx, citizen, agency, Role::Accountant, Day::of(now)).await?;
    let account = account::account_of_number(&mut tx, number).await?;
    let account = account.filter(|a| a.heir == agency).ok_or(Error::not_found())?;
    let key = agency_key(app, &mut tx, agency).await?;
    statement_import::forget(&mut tx, id, now - INTERRUPTED).await?;
    tx.commit().await?;
    let of = Bringing { id, key: &key };
    let brought = match import_file::take(app, of, source, now).await {
        Ok(digest) => bring(app, of, (citizen, &account), digest, now).await,
        Err(error) => Err(error),
    };
    // Nothing is left of what became no import of its own.
    let mut tx = app.store.begin().await?;
    statement_import::forget(&mut tx, id, now - INTERRUPTED).await?;
    tx.commit().await?;
    brought
}

/// Reads what was taken and keeps it as an import, or confirms the import of somebody else who brought the same file.
async fn bring(
    app: &App,
    of: Bringing<'_>,
    (citizen, account): (Id<Citizen>, &CollectingAccount),
    digest: Digest,
    now: Instant,
) -> Result<Id<id::StatementImport>> {
    let mut tx = app.store.begin().await?;
    let brought = import_file::read(&mut tx, of).await?;
    let heading = &brought.heading;
    if heading.account.as_ref().is_some_and(|named| *named != account.number) {
        return Err(Error::refused("import_of_another_account"));
    }
    if heading.day.end() > now {
        return Err(Error::refused("day_not_over"));
    }
    if let Some(before) = statement_import::waiting(&mut tx, account.id, heading.day).await? {
        if before.digest == digest && before.imported.0 != citizen {
            drop(tx);
            decide_import(app, citizen, before.id, true).await?;
            return Ok(before.id);
        }
        return Err(Error::Conflict(Refusal::new("import_waits").about(before.id)));
    }
    let balances = balances(&mut tx, account, &brought).await?;
    let unread = balances.1.checked_sub(balances.0).and_then(|all| all.checked_sub(brought.moved));
    let unread = unread.ok_or(Error::refused("import_wrong_total"))?;
    if unread != 0 && brought.bad_rows == 0 {
        return Err(Error::refused("import_wrong_total"));
    }
    let stored = StoredImport {
        id: of.id,
        account: account.id,
        agency: account.heir,
        heir: account.heir,
        day: heading.day,
        format: heading.format.as_str().to_owned(),
        digest,
        rows: i32::try_from(brought.rows).unwrap_or(i32::MAX),
        bad: brought.bad.into(),
        bad_rows: i32::try_from(brought.bad_rows).unwrap_or(i32::MAX),
        unread,
        balances,
        state: "waiting".to_owned(),
        imported: (citizen, now),
        decided: None,
    };
    match statement_import::insert(&mut tx, &stored).await {
        Err(e) if e.violates("statement_import_waits_once") => return Err(Error::conflict("import_waits")),
        done => done?,
    }
    import_file::keep_rows(app, &mut tx, of, stored.day).await?;
    record(app, &mut tx, &stored, ("statement.imported", citizen), of.key, now).await?;
    tx.commit().await?;
    Ok(of.id)
}

/// Confirms an import or takes it back; confirming takes a second person, and doing so again changes nothing. What is confirmed
/// is matched, at once where it is short, else beside; under which name, if it is.
pub async fn decide_import(
    app: &App,
    citizen: Id<Citizen>,
    id: Id<id::StatementImport>,
    accept: bool,
) -> Result<Option<Id<id::LongDay>>> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let places = officer::workplaces_of_two(&mut tx, citizen, Day::of(now)).await?;
    let ids: Vec<Id<Agency>> = places.iter().map(|place| place.id).collect();
    let stored = statement_import::of_agencies(&mut tx, &ids, id).await?.ok_or(Error::not_found())?;
    if !places.iter().any(|place| place.id == stored.heir && place.acts) {
        return Err(Error::forbidden("accountant_needed"));
    }
    if accept && stored.imported.0 == citizen {
        return Err(Error::forbidden("own_act"));
    }
    if accept && stored.is_confirmed() && stored.decided.is_some_and(|decided| decided.0 == citizen) {
        return Ok(long_day::of_imports(&mut tx, &[id]).await?.remove(&id));
    }
    let word = if accept { "confirmed" } else { "withdrawn" };
    if !statement_import::decide(&mut tx, id, word, (citizen, now)).await? {
        return Err(Error::conflict("import_decided"));
    }
    let key = agency_key(app, &mut tx, stored.heir).await?;
    let kind = if accept { "statement.import_accepted" } else { "statement.import_withdrawn" };
    record(app, &mut tx, &stored, (kind, citizen), &key, now).await?;
    if !accept {
        tx.commit().await?;
        return Ok(None);
    }
    let (of, import) = ((stored.account, stored.day), Some((id, stored.rows)));
    let day = match_long_days::ask(app, &mut tx, of, import, (long_day::Asker::Person(citizen), now)).await?;
    tx.commit().await?;
    if usize::try_from(stored.rows).is_ok_and(|rows| rows <= app.limits.lines_waited_for)
        && let Err(error) = match_long_days::match_now(app, day).await
    {
        // The confirmation stands: who matches the long days takes it up.
        tracing::warn!(import = %id, ?error, "a confirmed statement waits for its matching");
    }
    Ok(Some(day))
}

/// What the file tells, or what follows from the day before.
async fn balances(tx: &mut Tx, account: &CollectingAccount, brought: &Brought) -> Result<(i64, i64)> {
    if let Some((opening, closing)) = brought.heading.balances {
        return Ok((opening.minor(), closing.minor()));
    }
    let opening = statement_import::balance_before(tx, account.id, brought.heading.day).await?.unwrap_or(0);
    Ok((opening, opening.checked_add(brought.moved).ok_or(Error::refused("import_wrong_total"))?))
}

/// The line that stands for what could not be read.
pub(super) fn unread_line(gap: i64, day: Day) -> Result<Entry> {
    let amount = gap.checked_abs().ok_or(Error::refused("import_wrong_total"))?;
    Ok(Entry {
        reference: Line::parse(&format!("{UNREAD} {day}")).map_err(Error::internal)?,
        amount: Money::new(amount, Currency::Vnd),
        direction: if gap > 0 { Direction::Credit } else { Direction::Debit },
        reversal: false,
        booked: day,
        value: day,
        end_to_end: None,
        uetr: None,
        clearing_reference: None,
        counterparty: None,
        counterparty_agent: None,
        remittance: Vec::new(),
        accepted: None,
        charged: None,
    })
}

/// An import as its row holds it.
pub type Stored = StoredImport;

/// What the page of imports shows.
pub struct Imports {
    /// Who reads it.
    pub reader: Id<Citizen>,
    /// The reader's name.
    pub reader_name: String,
    /// Whose accounts.
    pub agency: Workplace,
    /// Its accounts.
    pub accounts: Vec<CollectingAccount>,
    /// The newest imports, each with the name of who brought it.
    pub items: Vec<(StoredImport, String)>,
    /// Under which names those are matched that were confirmed.
    pub days: BTreeMap<Id<id::StatementImport>, Id<id::LongDay>>,
}

/// The imports of an agency where the citizen keeps, approves or audits the books.
pub async fn read_imports(app: &App, citizen: Id<Citizen>, agency: Option<Id<Agency>>) -> Result<Imports> {
    let today = Day::of(app.clock.now());
    let mut tx = app.store.begin().await?;
    let places = officer::workplaces_of_two(&mut tx, citizen, today).await?;
    if places.is_empty() {
        return Err(Error::forbidden("accountant_needed"));
    }
    let wanted = |place: &Workplace| agency.is_none_or(|id| id == place.id);
    let of = places.into_iter().find(wanted).ok_or(Error::not_found())?;
    let accounts = account::accounts_of(&mut tx, of.id).await?;
    let found = statement_import::newest(&mut tx, of.id, SHOWN).await?;
    let confirmed = found.iter().filter(|import| import.is_confirmed());
    let confirmed: Vec<_> = confirmed.map(|import| import.id).collect();
    let days = long_day::of_imports(&mut tx, &confirmed).await?;
    let people: BTreeSet<Id<Citizen>> =
        found.iter().map(|import| import.imported.0).chain(std::iter::once(citizen)).collect();
    let names = officer::names(app, &mut tx, &people).await?;
    let name = |who: Id<Citizen>| names.get(&who).cloned().unwrap_or_default();
    let items = found.into_iter().map(|import| {
        let by = name(import.imported.0);
        (import, by)
    });
    let (reader_name, items) = (name(citizen), items.collect());
    Ok(Imports { reader: citizen, reader_name, agency: of, accounts, items, days })
}

async fn record(
    app: &App,
    tx: &mut Tx,
    stored: &StoredImport,
    (kind, by): (&'static str, Id<Citizen>),
    key: &DataKey,
    now: Instant,
) -> Result<()> {
    let concern = Concern { citizen: None, agency: Some(stored.heir), object: stored.id.uuid() };
    let details: Value = json!({
        "import": stored.id.to_string(),
        "day": stored.day.to_string(),
        "file_sha256": hex::encode(stored.digest),
        "rows": stored.rows,
        "bad": stored.bad,
        "bad_rows": stored.bad_rows,
        "by": by.to_string(),
    });
    let leaf = audit_leaf::leaf(app, now, kind, concern, key, &details);
    Ok(audit::append(tx, &[leaf]).await?)
}
