//! `chung statement`: a day's movements from the bank, matched with the books.

use super::{
    environment::{self, Opened},
    out,
};
use crate::base::calendar::Day;
use crate::config::Config;
use crate::flow::{
    Error, reconcile_statement::match_watched, statement_answer::unexplained, told_lines::Step,
};
use crate::store::{
    Tx,
    account::{self, CollectingAccount},
    statement::{self, StoredStatement},
};
use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::BTreeMap;

/// What to do with statements
#[derive(Debug, clap::Subcommand)]
pub enum Statement {
    /// Fetch the statement of a day and match it line by line; each difference becomes a case
    ///
    /// The service does this by itself for every account once a day is over. Doing it again changes nothing unless
    /// something changed: a late message puts right what it can. A statement that says something else than the one
    /// kept for that day is refused. May run while the service does.
    Fetch {
        /// The number of the collecting account, as `chung statement list` or the bank writes it
        #[arg(long, value_name = "NUMBER")]
        account: String,
        /// The bank's business day, as 2026-11-24; yesterday in Vietnam if left out
        #[arg(long, value_name = "DAY")]
        day: Option<Day>,
    },
    /// List the newest statements: day, account, lines, matched, differing, and what nothing explains
    ///
    /// The last column must be 0: anything else is a mistake in the books, not at the bank.
    List {
        /// Only those of this collecting account
        #[arg(long, value_name = "NUMBER")]
        account: Option<String>,
        /// How many
        #[arg(long, value_name = "N", default_value_t = 31)]
        limit: u16,
    },
}

/// Runs the command.
pub async fn run(config: &Config, command: &Statement) -> anyhow::Result<()> {
    let opened = Opened::new(config).await?;
    let done = match command {
        Statement::Fetch { account, day } => fetch(config, &opened, account, *day).await,
        Statement::List { account, limit } => list(&opened, account.as_deref(), *limit).await,
    };
    opened.close().await;
    done
}

async fn fetch(config: &Config, opened: &Opened, number: &str, day: Option<Day>) -> anyhow::Result<()> {
    let (app, _queues) = environment::app(config, opened.store.clone())?;
    let day = day.unwrap_or_else(|| Day::of(app.clock.now()).plus_days(-1));
    let mut tx = opened.store.begin().await?;
    let account = of_number(&mut tx, number).await?;
    drop(tx);
    let bar = ProgressBar::no_length()
        .with_style(ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}, {elapsed} gone, {eta} to go")?);
    let matched = match_watched(&app, &account, day, &|step| show(&bar, step)).await;
    bar.finish_and_clear();
    if let Err(error) = matched {
        bail!("the statement of {day} was not taken: {}", why(&error));
    }
    let mut tx = opened.store.begin().await?;
    let kept = statement::of_day(&mut tx, account.id, day).await?.context("the statement that was kept")?;
    out::line(&row(&kept, &account.number));
    if kept.outcome.is_some_and(|outcome| outcome.matched < kept.lines) {
        out::note("each line that differs is a case now: the accountant's board (/board) shows them");
    }
    Ok(())
}

fn show(bar: &ProgressBar, step: Step) {
    let (done, of, what) = match step {
        Step::Fetched(lines) => (lines, None, "lines fetched"),
        Step::Read(lines, of) => (lines, Some(of), "lines read"),
        Step::Kept(lines, of) => (lines, Some(of), "lines kept"),
        Step::Judged(lines, of) => (lines, Some(of), "lines judged one by one"),
    };
    if bar.message() != what {
        bar.set_message(what);
        bar.reset();
    }
    if let Some(of) = of {
        bar.set_length(of as u64);
    }
    bar.set_position(done as u64);
}

fn why(error: &Error) -> String {
    match error {
        Error::Internal(cause) => format!("{cause:?}"),
        other => other.code().to_owned(),
    }
}

async fn list(opened: &Opened, number: Option<&str>, limit: u16) -> anyhow::Result<()> {
    let mut tx = opened.store.begin().await?;
    let of = match number {
        Some(number) => Some(of_number(&mut tx, number).await?.id),
        None => None,
    };
    let numbers: BTreeMap<_, String> =
        account::accounts(&mut tx).await?.into_iter().map(|account| (account.id, account.number)).collect();
    let found = statement::newest(&mut tx, of, i64::from(limit)).await?;
    if found.is_empty() {
        out::note("no statement was fetched yet");
    }
    for kept in &found {
        out::line(&row(kept, numbers.get(&kept.account).map_or("", String::as_str)));
    }
    Ok(())
}

async fn of_number(tx: &mut Tx, number: &str) -> anyhow::Result<CollectingAccount> {
    let found = account::account_of_number(tx, number).await?;
    found.with_context(|| format!("no agency collects in an account with the number {number}"))
}

fn row(kept: &StoredStatement, account: &str) -> String {
    let StoredStatement { day, lines, .. } = kept;
    let Some(outcome) = kept.outcome else {
        return format!("{day}  {account}  {lines} lines, not matched yet");
    };
    let differing = lines.saturating_sub(outcome.matched);
    let unexplained = unexplained(kept).map_or_else(|| "?".to_owned(), |money| money.decimal());
    format!(
        "{day}  {account}  {}/{lines} matched  {differing} differ  unexplained {unexplained}",
        outcome.matched
    )
}
