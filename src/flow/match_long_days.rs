//! Days that are matched beside the request that asked for it. A day is asked for by a row; a run takes it up and holds it while
//! it lives, says beside its own transaction how far it is, and ends the row in the very transaction that keeps the day. A run
//! that died is followed by another once its hold is over; of two runs only the one that holds the day can commit.

use super::{
    Error, Result,
    agency_key::agency_key,
    backoff::backoff,
    beside::{HELD, LONGEST_WAIT, Latest, while_told},
    import_file::KeptRows,
    import_statement::unread_line,
    match_day::match_told,
    officer::{self, Workplace},
    reconcile_statement::fetch,
    told_lines::{Lines, Step, Telling, Watch},
};
use crate::{
    app::App,
    base::{
        calendar::Day,
        clock::Instant,
        id::{Account as BankAccount, Agency, Citizen, Event, Id, LongDay, StatementImport},
        money::Money,
    },
    codec::iso20022::Entry,
    store::{
        Tx, account,
        long_day::{self as days, Asker, NewLongDay, Progress, Shown, Taken},
        statement_import as imports,
    },
};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// How often a bank is asked for a day before whoever wants it has to ask again.
const FETCHES_MAX: i32 = 5;

/// Asks for a day of an account, from its bank or from an import of so many lines; under the name of the one that waits already,
/// where one does.
pub(super) async fn ask(
    app: &App,
    tx: &mut Tx,
    (account, day): (Id<BankAccount>, Day),
    import: Option<(Id<StatementImport>, i32)>,
    asked: (Asker, Instant),
) -> Result<Id<LongDay>> {
    let new = NewLongDay {
        id: Id::new(asked.1, &*app.entropy),
        account,
        day,
        import: import.map(|import| import.0),
        lines: import.map(|import| import.1),
        asked,
    };
    Ok(days::ask(tx, &new).await?)
}

/// Takes up the day that has waited longest and matches it; false when none waits.
pub async fn match_long_day(app: &App) -> Result<bool> {
    run(app, None).await
}

/// Matches that day now, unless somebody works at it.
pub(super) async fn match_now(app: &App, day: Id<LongDay>) -> Result<()> {
    run(app, Some(day)).await.map(drop)
}

async fn run(app: &App, one: Option<Id<LongDay>>) -> Result<bool> {
    let now = app.clock.now();
    let holder = Id::<Event>::new(now, &*app.entropy).uuid();
    let mut tx = app.store.begin().await?;
    let taken = days::take(&mut tx, one, holder, (now, now + HELD)).await?;
    tx.commit().await?;
    let Some(taken) = taken else { return Ok(false) };
    let latest = Latest::new();
    let watch = |step| latest.say(step);
    let work = match_taken(app, taken, &watch);
    let done = while_told(work, &latest, |step| tell(app, &taken, step)).await;
    let Err(error) = done else { return Ok(true) };
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let gives_up = taken.import.is_none() && taken.tries >= FETCHES_MAX;
    match &error {
        Error::Conflict(_) | Error::Unavailable(_) | Error::Internal(_) if !gives_up => {
            tracing::warn!(day = %taken.id, tries = taken.tries, ?error, "a long day was not matched");
            let next = now + backoff(taken.tries, LONGEST_WAIT, &*app.entropy);
            days::tell(&mut tx, &taken, next, None).await?;
        }
        refused => {
            if days::end(&mut tx, &taken, Some(refused.code()), now).await?
                && let Some(import) = taken.import
            {
                imports::conclude(&mut tx, import, "refused").await?;
            }
        }
    }
    tx.commit().await?;
    Ok(true)
}

async fn tell(app: &App, taken: &Taken, step: Option<Step>) -> Result<()> {
    let mut tx = app.store.begin().await?;
    days::tell(&mut tx, taken, app.clock.now() + HELD, step.map(progress)).await?;
    Ok(tx.commit().await?)
}

const fn progress(step: Step) -> Progress<'static> {
    match step {
        Step::Fetched(lines) => ("fetched", lines, None),
        Step::Read(lines, of) => ("read", lines, Some(of)),
        Step::Kept(lines, of) => ("kept", lines, Some(of)),
        Step::Judged(lines, of) => ("judged", lines, Some(of)),
    }
}

async fn match_taken(app: &App, taken: Taken, watch: Watch<'_>) -> Result<()> {
    let mut tx = app.store.begin().await?;
    let account = account::account(&mut tx, taken.account).await?.ok_or(Error::not_found())?;
    let telling = match taken.import {
        Some(import) => brought(app, &mut tx, import).await?,
        None => {
            drop(tx);
            let telling = fetch(app, &account, taken.day, watch).await?;
            tx = app.store.begin().await?;
            telling
        }
    };
    let lines = Held { lines: telling.lines, taken, now: app.clock.now() };
    let telling = Telling { lines: Box::new(lines), ..telling };
    match_told(app, tx, &account, &telling, None, watch).await.map(drop)
}

/// What a confirmed import tells.
async fn brought(app: &App, tx: &mut Tx, import: Id<StatementImport>) -> Result<Telling> {
    let stored = imports::find(tx, import).await?.ok_or(Error::not_found())?;
    let key = agency_key(app, tx, stored.agency).await?;
    let unread = (stored.unread != 0).then(|| unread_line(stored.unread, stored.day)).transpose()?;
    let many = usize::try_from(stored.rows).unwrap_or(0) + usize::from(unread.is_some());
    Ok(Telling {
        message: stored.id.uuid(),
        day: stored.day,
        balances: (Money::vnd(stored.balances.0), Money::vnd(stored.balances.1)),
        lines: Box::new(KeptRows { id: import, key, unread, many }),
    })
}

/// The lines of a day that a run holds: with the last of them the day is done, if it is the run's own still.
struct Held {
    lines: Box<dyn Lines>,
    taken: Taken,
    now: Instant,
}

impl Held {
    async fn done(&self, tx: &mut Tx) -> Result<()> {
        self.lines.over(tx).await?;
        if !days::end(tx, &self.taken, None, self.now).await? {
            return Err(Error::conflict("try_again"));
        }
        if let Some(import) = self.taken.import {
            imports::conclude(tx, import, "accepted").await?;
        }
        Ok(())
    }
}

impl Lines for Held {
    fn chunk<'a>(&'a self, tx: &'a mut Tx, nth: usize) -> BoxFuture<'a, Result<Vec<Entry>>> {
        self.lines.chunk(tx, nth)
    }

    fn many(&self) -> Option<usize> {
        self.lines.many()
    }

    fn over<'a>(&'a self, tx: &'a mut Tx) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.done(tx))
    }
}

/// What the page of a long day shows.
pub struct LongDayShown {
    /// The reader's name.
    pub reader: String,
    /// Whose account.
    pub agency: Workplace,
    /// The day.
    pub day: Shown,
}

/// A day of an agency where the citizen keeps, approves or audits the books.
pub async fn read_long_day(app: &App, citizen: Id<Citizen>, id: Id<LongDay>) -> Result<LongDayShown> {
    let mut tx = app.store.begin().await?;
    let places = officer::workplaces_of_two(&mut tx, citizen, Day::of(app.clock.now())).await?;
    let ids: Vec<_> = places.iter().map(|place| place.id).collect();
    let day = days::of_agencies(&mut tx, &ids, id).await?.ok_or(Error::not_found())?;
    let agency = places.into_iter().find(|place| place.id == day.heir).ok_or(Error::not_found())?;
    let names = officer::names(app, &mut tx, &BTreeSet::from([citizen])).await?;
    Ok(LongDayShown { reader: names.get(&citizen).cloned().unwrap_or_default(), agency, day })
}

/// A day as an agency's system asked for it: how far it is, or what came of it.
pub async fn read_day(app: &App, agency: Id<Agency>, id: Id<LongDay>) -> Result<Value> {
    let mut tx = app.store.begin().await?;
    let day = days::of_agencies(&mut tx, &[agency], id).await?.ok_or(Error::not_found())?;
    Ok(day_json(&day))
}

/// Whether an answer names a day that is matched beside, instead of its statement.
pub fn is_beside(answer: &Value) -> bool {
    answer.get("tries").is_some()
}

/// The day as it is told to systems.
pub(super) fn day_json(day: &Shown) -> Value {
    json!({
        "id": day.id.to_string(),
        "account": day.account,
        "day": day.day.to_string(),
        "state": day.state,
        "step": day.step,
        "so_far": day.far.0,
        "of_all": day.far.1,
        "tries": day.tries,
        "refusal": day.refusal,
        "statement": day.statement.map(|statement| statement.to_string()),
    })
}
