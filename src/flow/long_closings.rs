//! Closings that are prepared beside the request that asked for them, because their time holds more lines than anybody waits for.
//! A closing is asked for by a row that has its name already; a run takes it up and holds it while it lives, says beside its own
//! reading how far it is, and ends the row in the transaction that prepares the closing. A run that died is followed by another
//! once its hold is over; of two runs only the one that holds the closing can prepare it.

use super::{
    Error, Result,
    backoff::backoff,
    beside::{HELD, LONGEST_WAIT, Latest, while_told},
    close_period::{demand_for, keep_prepared},
    fold_closing::{Folded, Watch, fold},
    officer::{self, Seat, Workplace},
};
use crate::{
    app::App,
    base::{
        calendar::Day,
        clock::Instant,
        id::{Agency, Citizen, Closing, Event, Id},
    },
    identity::role::Role,
    payment::closing::Period,
    store::{
        Tx, closing,
        long_closing::{self as rows, NewLongClosing, Progress, Shown, Taken},
    },
};
use std::collections::BTreeSet;
use time::Duration;

/// For how long the list shows what was refused, and how many it shows.
const SHOWN: (Duration, i64) = (Duration::days(7), 20);

/// Asks for a closing whose time is too long to wait for, under the name of the one that waits already, where one does; nothing
/// where it is short.
pub(super) async fn ask_if_long(
    app: &App,
    tx: &mut Tx,
    (agency, period): (Id<Agency>, Period),
    asked: (Id<Citizen>, Instant),
) -> Result<Option<Id<Closing>>> {
    let lines = closing::lines(tx, agency, period).await?;
    if usize::try_from(lines).is_ok_and(|lines| lines <= app.limits.lines_waited_for) {
        return Ok(None);
    }
    if closing::stands(tx, agency, period).await? {
        return Err(Error::conflict("closing_exists"));
    }
    let new = NewLongClosing { id: Id::new(asked.1, &*app.entropy), agency, period, asked };
    Ok(Some(rows::ask(tx, &new).await?))
}

/// Takes up the closing that has waited longest and prepares it; false when none waits.
pub async fn prepare_long_closing(app: &App) -> Result<bool> {
    let now = app.clock.now();
    let holder = Id::<Event>::new(now, &*app.entropy).uuid();
    let mut tx = app.store.begin().await?;
    let taken = rows::take(&mut tx, holder, (now, now + HELD)).await?;
    tx.commit().await?;
    let Some(taken) = taken else { return Ok(false) };
    let latest = Latest::new();
    let watch = |far| latest.say(far);
    let done = while_told(prepare(app, &taken, &watch), &latest, |far| tell(app, &taken, far)).await;
    let Err(error) = done else { return Ok(true) };
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    match &error {
        Error::Unavailable(_) | Error::Internal(_) => {
            tracing::warn!(closing = %taken.asked.id, tries = taken.tries, ?error, "a long closing was not prepared");
            let next = now + backoff(taken.tries, LONGEST_WAIT, &*app.entropy);
            rows::tell(&mut tx, &taken, next, None).await?;
        }
        Error::Refused(why) | Error::NotFound(why) | Error::Conflict(why) | Error::Forbidden(why) => {
            rows::end(&mut tx, &taken, Some((why.code, why.about.as_deref())), now).await?;
        }
    }
    tx.commit().await?;
    Ok(true)
}

/// Folds what the closing says as of one moment, and prepares it in the name of whoever asked, if they may still.
async fn prepare(app: &App, taken: &Taken, watch: Watch<'_>) -> Result<()> {
    let NewLongClosing { id, agency, period, asked: (accountant, _) } = taken.asked;
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    tx.read_one_moment().await?;
    let asked = (accountant, now);
    let (content, sealing) = fold(app, &mut tx, (agency, period), asked, watch).await?;
    drop(tx);
    let mut tx = app.store.begin().await?;
    demand_for(&mut tx, accountant, agency, Role::Accountant, Day::of(now)).await?;
    // Whose hold is over leaves it to the run that took it up since.
    if !rows::end(&mut tx, taken, None, now).await? {
        return Ok(());
    }
    keep_prepared(app, &mut tx, (id, agency, period), (&content, &sealing), asked).await?;
    Ok(tx.commit().await?)
}

async fn tell(app: &App, taken: &Taken, far: Option<Folded>) -> Result<()> {
    let mut tx = app.store.begin().await?;
    rows::tell(&mut tx, taken, app.clock.now() + HELD, far.map(progress)).await?;
    Ok(tx.commit().await?)
}

const fn progress(far: Folded) -> Progress<'static> {
    match far {
        Folded::Ledger(months, of) => ("ledger", months, of),
        Folded::Receipts(receipts, of) => ("receipts", receipts, of),
    }
}

/// What the page of a closing shows that is not prepared yet.
pub struct LongClosingShown {
    /// The reader's name.
    pub reader: String,
    /// Whose accounting.
    pub agency: Workplace,
    /// The closing.
    pub closing: Shown,
}

/// A closing that is not prepared yet, of an agency where the citizen keeps, approves or audits the books.
pub async fn read_long_closing(app: &App, citizen: Id<Citizen>, id: Id<Closing>) -> Result<LongClosingShown> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let seats = officer::seats(&mut tx, citizen, Day::of(now), &officer::BOOKKEEPERS).await?;
    let ids: Vec<Id<Agency>> = seats.iter().map(|seat| seat.id).collect();
    let found = rows::unfinished(&mut tx, &ids, Some(id), (now, 1)).await?.pop();
    let closing = found.ok_or(Error::not_found())?;
    let of = |seat: &Seat| seat.id == closing.agency;
    let agency = seats.into_iter().find(of).ok_or(Error::not_found())?.workplace(&[Role::Accountant]);
    let names = officer::names(app, &mut tx, &BTreeSet::from([citizen])).await?;
    Ok(LongClosingShown { reader: names.get(&citizen).cloned().unwrap_or_default(), agency, closing })
}

/// What of these agencies is not prepared yet, or could not be in the last days and was not prepared since.
pub(super) async fn unfinished(tx: &mut Tx, agencies: &[Id<Agency>], now: Instant) -> Result<Vec<Shown>> {
    Ok(rows::unfinished(tx, agencies, None, (now - SHOWN.0, SHOWN.1)).await?)
}
