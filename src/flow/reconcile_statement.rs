//! Fetches the statement of an account's day and matches it with the books.
//!
//! The statement is asked for outside any transaction, page by page where it is long, then kept and matched in one
//! ([`super::match_day`]). Matching again writes the same, so that whoever is not sure that it happened does it again.

use super::{
    Error, Refusal, Result,
    match_day::match_told,
    match_long_days,
    told_lines::{Pages, Step, Telling, Watch},
};
use crate::{
    app::App,
    base::{
        calendar::Day,
        clock::Instant,
        id::{self, Agency, Id},
        text::Line as Text,
    },
    codec::iso20022::{self, MessageId, StatementRequest},
    flow::idempotency::Idempotency,
    partner::clearing::{FetchedStatement, NoStatement},
    store::{
        account::{self, CollectingAccount},
        long_day::{self, Asker},
    },
};
use serde_json::Value;

/// How many pages a day may have: ten million lines where each has a thousand.
const PAGES_MAX: u32 = 10_000;

/// Fetches and matches a day of an account that the agency owns, once per key; the answer is the statement as it then
/// stands. A day that its bank tells in several messages is matched beside, and the answer names it
/// ([`match_long_days::is_beside`]).
pub async fn reconcile_statement(
    app: &App,
    agency: Id<Agency>,
    number: &str,
    day: Day,
    key: &Idempotency,
) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    if let Some(answer) = key.answered(&mut tx).await? {
        return Ok(answer);
    }
    let account = account::account_of_number(&mut tx, number).await?;
    drop(tx);
    let account = account.filter(|a| a.heir == agency).ok_or_else(|| {
        Error::Refused(Refusal::new("unknown_account").violation(
            "/account",
            "unknown",
            Some(number.to_owned()),
        ))
    })?;
    let first = page(app, &account, (day, 1)).await?;
    let mut tx = app.store.begin().await?;
    if let Some(answer) = key.claim(&mut tx).await? {
        return Ok(answer);
    }
    if first.statement.part.last {
        return match_told(app, tx, &account, &whole(first), Some(key), &|_| ()).await;
    }
    let by = (Asker::System(key.client), now);
    let asked = match_long_days::ask(app, &mut tx, (account.id, day), None, by).await?;
    let shown = long_day::of_agencies(&mut tx, &[agency], asked).await?;
    let answer = match_long_days::day_json(&shown.ok_or(Error::internal(asked))?);
    key.keep(&mut tx, asked.uuid(), &answer, now).await?;
    tx.commit().await?;
    Ok(answer)
}

/// Fetches and matches a day of an account; for those who ask without a key: the loop, an officer, the command line.
pub async fn match_statement(app: &App, account: &CollectingAccount, day: Day) -> Result<Value> {
    match_watched(app, account, day, &|_| ()).await
}

/// The same for whoever wants to see how far it is.
pub async fn match_watched(
    app: &App,
    account: &CollectingAccount,
    day: Day,
    watch: Watch<'_>,
) -> Result<Value> {
    let telling = fetch(app, account, day, watch).await?;
    let tx = app.store.begin().await?;
    match_told(app, tx, account, &telling, None, watch).await
}

/// Fetches and matches a day at once where its bank tells it in one message; nothing happens where it is longer.
pub(super) async fn match_if_short(
    app: &App,
    account: &CollectingAccount,
    day: Day,
) -> Result<Option<Value>> {
    let first = page(app, account, (day, 1)).await?;
    if !first.statement.part.last {
        return Ok(None);
    }
    let tx = app.store.begin().await?;
    match_told(app, tx, account, &whole(first), None, &|_| ()).await.map(Some)
}

/// What one message tells.
fn whole(first: FetchedStatement) -> Telling {
    let FetchedStatement { message, statement, .. } = first;
    let (day, balances) = (statement.day, (statement.opening, statement.closing));
    Telling { message: message.0, day, balances, lines: Box::new(statement.entries) }
}

/// Asks for the day: usually one message, several when it is long.
pub(super) async fn fetch(
    app: &App,
    account: &CollectingAccount,
    day: Day,
    watch: Watch<'_>,
) -> Result<Telling> {
    let first = page(app, account, (day, 1)).await?;
    if first.statement.part.last {
        return Ok(whole(first));
    }
    let (message, statement) = (first.message, first.statement);
    let balances = (statement.opening, statement.closing);
    let mut pages = Pages::begin(app, account, day).await?;
    let (mut number, mut statement) = (1, statement);
    loop {
        let last = statement.part.last;
        if (statement.opening, statement.closing) != balances {
            return Err(Error::refused("statement_wrong_total"));
        }
        if statement.part.number != number || statement.entries.is_empty() || number > PAGES_MAX {
            return Err(Error::refused("statement_unreadable"));
        }
        pages.keep(app, message, statement).await?;
        watch(Step::Fetched(pages.lines));
        if last {
            return Ok(Telling { message: message.0, day, balances, lines: Box::new(pages) });
        }
        number += 1;
        statement = page(app, account, (day, number)).await?.statement;
    }
}

async fn page(app: &App, account: &CollectingAccount, (day, page): (Day, u32)) -> Result<FetchedStatement> {
    let now: Instant = app.clock.now();
    let bad_account = || Error::internal("a collecting account that the standard cannot name");
    let owner = Text::cleaned(account.holder.as_str()).map_err(|_| bad_account())?;
    let request =
        StatementRequest { account: account.number.parse().map_err(|_| bad_account())?, owner, day, page };
    let message: Id<id::Message> = Id::new(now, &*app.entropy);
    app.clearing.statement(MessageId(message.uuid()), &request, now).await.map_err(|why| {
        tracing::warn!(account = account.number, %day, %why, "no statement");
        refused(&why)
    })
}

fn refused(why: &NoStatement) -> Error {
    let refusal = Refusal::new(match why {
        NoStatement::Silence(_) => return Error::Unavailable(Refusal::new("statement_unavailable")),
        NoStatement::Refused(_) => "day_not_over",
        NoStatement::Unreadable(iso20022::Refusal::WrongTotal) => "statement_wrong_total",
        NoStatement::Unreadable(_) => "statement_unreadable",
        NoStatement::AnotherAccount(_) => "statement_of_another_account",
        NoStatement::AnotherDay(_) => "statement_of_another_day",
    });
    Error::Refused(refusal)
}
