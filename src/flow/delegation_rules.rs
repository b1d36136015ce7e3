//! Whether a procedure takes a delegate, and in what form: dated data, imported from a file.
//!
//! The file is CSV with the header `procedure,allowed,valid_from,valid_to,legal_basis`; `allowed` is `electronic`,
//! `certified_paper`, `kinship` or `none`. Importing the same file again changes nothing.

use super::{Error, Refusal, Result};
use crate::app::App;
use crate::base::{calendar::Day, text::Line};
use crate::identity::mandate::Allowed;
use crate::payment::code::ProcedureCode;
use crate::store::mandate::{self, Rule};
use serde_json::{Value, json};

/// The header of the file.
pub const HEADER: &str = "procedure,allowed,valid_from,valid_to,legal_basis";
/// Rules for the sample fee schedule's procedures, for tests and the demonstration.
pub const SAMPLE: &str = include_str!("sample/delegation_rules.csv");

/// Reads a file and puts its rules; a line that cannot be read refuses the whole file by its number.
pub async fn import_rules(app: &App, file: &str) -> Result<usize> {
    let mut lines = file.lines();
    if lines.next().map(str::trim) != Some(HEADER) {
        return Err(bad(1));
    }
    let rules: Vec<Rule> = lines
        .enumerate()
        .filter(|(_, text)| !text.trim().is_empty())
        .map(|(i, text)| rule(text).ok_or_else(|| bad(i + 2)))
        .collect::<Result<_>>()?;
    let mut tx = app.store.begin().await?;
    for rule in &rules {
        mandate::put_rule(&mut tx, rule).await?;
    }
    tx.commit().await?;
    Ok(rules.len())
}

fn bad(line: usize) -> Error {
    Error::Refused(Refusal::new("invalid_body").violation(format!("line {line}"), "shape", None))
}

fn rule(text: &str) -> Option<Rule> {
    // The citation stands last, so that it may hold commas.
    let [procedure, allowed, from, to, basis] = text.splitn(5, ',').collect::<Vec<_>>().try_into().ok()?;
    let from: Day = from.trim().parse().ok()?;
    let to = match to.trim() {
        "" => None,
        day => Some(day.parse::<Day>().ok()?),
    };
    if to.is_some_and(|to| to < from) {
        return None;
    }
    Some(Rule {
        procedure: procedure.trim().parse::<ProcedureCode>().ok()?.to_string(),
        allowed: Allowed::of(allowed.trim())?,
        from,
        to,
        legal_basis: Line::<200>::parse(basis.trim().trim_matches('"')).ok()?.to_string(),
    })
}

/// The rules of a procedure, or of all.
pub async fn list_rules(app: &App, procedure: Option<&ProcedureCode>) -> Result<Value> {
    let mut tx = app.store.begin().await?;
    let code = procedure.map(ToString::to_string);
    let rules = mandate::all_rules(&mut tx, code.as_deref()).await?;
    let items = rules.iter().map(|rule| {
        json!({
            "procedure": rule.procedure,
            "allowed": rule.allowed.word(),
            "valid_from": rule.from.to_string(),
            "valid_to": rule.to.map(|day| day.to_string()),
            "legal_basis": rule.legal_basis,
        })
    });
    Ok(json!({ "items": items.collect::<Vec<_>>(), "next": null }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_reads_and_a_bad_line_does_not() {
        let lines: Vec<&str> = SAMPLE.lines().skip(1).collect();
        assert!(lines.len() > 5 && lines.iter().all(|line| rule(line).is_some()));
        for bad in
            ["", "2.000488,both,2026-01-01,,x", "2.000488,none,2026-01-02,2026-01-01,x", "2.000488,none,,,x"]
        {
            assert!(rule(bad).is_none(), "{bad}");
        }
    }
}
