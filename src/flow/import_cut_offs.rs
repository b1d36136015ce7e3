//! Imports when the clearing sessions stop taking orders, from a day on: dated data like the calendar
//! ([`super::import_calendar`]). What held on days that are over stays, so that what was decided by it reads the same.

use super::{Error, Refusal, Result};
use crate::{
    app::App,
    base::{calendar::Day, money::Money},
    payment::session::{Hours, Session, Unfit, check_days},
    store::calendar,
};
use serde::Deserialize;
use time::{Time, macros::format_description};

/// One line of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    valid_from: String,
    session: String,
    opens: String,
    closes: String,
    closes_month_end: String,
    amount_max: String,
    basis: String,
}

/// Imports a file with the columns `valid_from,session,opens,closes,closes_month_end,amount_max,basis`, whole or not at all; how
/// many rows changed by it. Times are `HH:MM` of Vietnam. Refused by line: what cannot be read, hours that cannot hold, a day
/// that is over, a session that is told twice for a day, a day with one session alone.
pub async fn import_cut_offs(app: &App, csv: &str) -> Result<usize> {
    let now = app.clock.now();
    let today = Day::of(now);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(csv.as_bytes());
    let mut tx = app.store.begin().await?;
    let known = calendar::sessions_told(&mut tx, None).await?;
    let mut told = Vec::new();
    for (at, row) in reader.deserialize::<Row>().enumerate() {
        let line = at + 2;
        let (hours, basis) = row.map_err(|_| "shape").and_then(read).map_err(|rule| refused(line, rule))?;
        let stands = known.iter().any(|(held, why)| (held, why) == (&hours, &basis));
        if hours.from < today && !stands {
            return Err(refused(line, "past"));
        }
        told.push((hours, basis, line));
    }
    let hours: Vec<Hours> = told.iter().map(|(hours, ..)| *hours).collect();
    check_days(&hours).map_err(|unfit| {
        let of = |day: Day| move |one: &&(Hours, String, usize)| one.0.from == day;
        let found = match unfit {
            Unfit::Repeated(day) => told.iter().rfind(of(day)),
            Unfit::OneSession(day) => told.iter().find(of(day)),
            Unfit::Order | Unfit::Amount => None,
        };
        found.map_or_else(|| Error::internal(unfit), |(.., line)| refused(*line, rule(unfit)))
    })?;
    let new = told.into_iter().map(|(hours, basis, _)| (hours, basis)).filter(|one| !known.contains(one));
    let new: Vec<(Hours, String)> = new.collect();
    calendar::put_sessions(&mut tx, &new, now).await?;
    tx.commit().await?;
    Ok(new.len())
}

fn refused(line: usize, rule: &'static str) -> Error {
    Error::Refused(Refusal::new("invalid_body").violation(format!("line {line}"), rule, None))
}

const fn rule(unfit: Unfit) -> &'static str {
    match unfit {
        Unfit::Order => "order",
        Unfit::Amount => "amount_max",
        Unfit::OneSession(_) => "one_session",
        Unfit::Repeated(_) => "repeated",
    }
}

fn read(row: Row) -> std::result::Result<(Hours, String), &'static str> {
    let hours = Hours {
        from: row.valid_from.parse().map_err(|_| "day")?,
        session: Session::named(&row.session).ok_or("session")?,
        opens: time(&row.opens)?,
        closes: time(&row.closes)?,
        closes_month_end: time(&row.closes_month_end)?,
        amount_max: match row.amount_max.as_str() {
            "" => None,
            dong => Some(Money::vnd(dong.parse().map_err(|_| "amount_max")?)),
        },
    };
    hours.check().map_err(rule)?;
    if row.basis.is_empty() { Err("missing") } else { Ok((hours, row.basis)) }
}

/// `16:00`, and nothing else.
fn time(text: &str) -> std::result::Result<Time, &'static str> {
    Time::parse(text, format_description!("[hour]:[minute]")).map_err(|_| "time")
}
