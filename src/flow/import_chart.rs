//! Imports which accounts of the prescribed chart stand for ours from a day on. What is or was in force stays, so that a journal
//! reads the same whenever it is exported: an amended regime is rows from a later day on.

use super::{Error, Refusal, Result};
use crate::{
    app::App,
    base::calendar::Day,
    store::chart::{self, Mapped},
};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// One line of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    kind: String,
    valid_from: String,
    code: String,
    name_vi: String,
    name_en: String,
    basis: String,
}

/// The longest code of an account.
const CODE_MAX: usize = 10;

/// Imports a file with the columns `kind,valid_from,code,name_vi,name_en,basis`, whole or not at all; how many rows changed by
/// it. Refused by line: what cannot be read, a kind of account that the books do not have, a day that is not ahead.
pub async fn import_chart(app: &App, csv: &str) -> Result<usize> {
    let today = Day::of(app.clock.now());
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(csv.as_bytes());
    let mut tx = app.store.begin().await?;
    let known = chart::all(&mut tx).await?;
    let kinds: BTreeSet<&str> = known.iter().map(|row| row.kind.as_str()).collect();
    let stands: BTreeSet<&Mapped> = known.iter().collect();
    let mut rows = BTreeMap::new();
    for (at, row) in reader.deserialize::<Row>().enumerate() {
        let line = at + 2;
        let refused =
            |rule| Error::Refused(Refusal::new("invalid_body").violation(format!("line {line}"), rule, None));
        let row = read(row.map_err(|_| refused("shape"))?).map_err(refused)?;
        if !kinds.contains(row.kind.as_str()) {
            return Err(refused("unknown"));
        }
        if row.from <= today && !stands.contains(&row) {
            return Err(refused("not_ahead"));
        }
        if rows.insert((row.kind.clone(), row.from), row).is_some() {
            return Err(refused("repeated"));
        }
    }
    let new: Vec<Mapped> = rows.into_values().filter(|row| !stands.contains(row)).collect();
    chart::put(&mut tx, &new).await?;
    tx.commit().await?;
    Ok(new.len())
}

fn read(row: Row) -> std::result::Result<Mapped, &'static str> {
    let fits = (1..=CODE_MAX).contains(&row.code.len()) && row.code.bytes().all(|b| b.is_ascii_digit());
    if !fits {
        return Err("code");
    }
    if [&row.name_vi, &row.name_en, &row.basis].iter().any(|text| text.is_empty()) {
        return Err("missing");
    }
    Ok(Mapped {
        from: row.valid_from.parse().map_err(|_| "day")?,
        kind: row.kind,
        code: row.code,
        name: (row.name_vi, row.name_en),
        basis: row.basis,
    })
}
