//! Imports the days on which banks do not go by the weekday: a yearly file, never computed.

use super::{Error, Refusal, Result};
use crate::{
    app::App,
    base::calendar::Day,
    store::calendar::{self, ListedDay},
};
use serde::Deserialize;

/// The calendar of the demonstration and of tests; a real one is imported each year.
pub const SAMPLE: &str = include_str!("sample/calendar.csv");

/// One line of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    day: String,
    working: String,
    name_vi: String,
    name_en: String,
    basis: String,
}

/// Imports a file with the columns `day,working,name_vi,name_en,basis` (`working` is `yes` or `no`), whole or not at
/// all; how many days changed by it.
pub async fn import_calendar(app: &App, csv: &str) -> Result<u64> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(csv.as_bytes());
    let mut days = Vec::new();
    for (at, row) in reader.deserialize::<Row>().enumerate() {
        let line = at + 2;
        let refused =
            |rule| Error::Refused(Refusal::new("invalid_body").violation(format!("line {line}"), rule, None));
        let row = row.map_err(|_| refused("shape"))?;
        days.push(ListedDay {
            day: row.day.parse::<Day>().map_err(|_| refused("day"))?,
            working: match row.working.as_str() {
                "yes" => true,
                "no" => false,
                _ => return Err(refused("working")),
            },
            name: (row.name_vi, row.name_en),
            basis: row.basis,
        });
    }
    days.sort_unstable_by_key(|listed| listed.day);
    if days.windows(2).any(|pair| pair[0].day == pair[1].day) {
        return Err(Error::Refused(Refusal::new("invalid_body").violation("day", "repeated", None)));
    }
    let mut tx = app.store.begin().await?;
    let changed = calendar::put_days(&mut tx, &days, app.clock.now()).await?;
    tx.commit().await?;
    Ok(changed)
}
