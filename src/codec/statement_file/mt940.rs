//! MT940: `:20:` to `:62F:`, a movement in each `:61:` with its words in the `:86:` behind it.

use super::{Format, NotAFile, Raw, StatementFile, day, money, ours_in, sorted};
use crate::base::calendar::Day;
use crate::codec::iso20022::Direction;

/// Reads a message.
pub(super) fn read(text: &str) -> Result<StatementFile, NotAFile> {
    let fields = tags(text);
    let one = |names: &[&str]| {
        fields.iter().find(|(tag, _)| names.contains(&tag.as_str())).map(|(_, v)| v.as_str())
    };
    let balance = |text: &str| {
        let owed = match text.get(..1)? {
            "C" => false,
            "D" => true,
            _ => return None,
        };
        let amount = money(text.get(10..)?)?;
        let signed = if owed { amount.negated().ok()? } else { amount };
        Some((signed, day(text.get(1..7)?)?))
    };
    let opening = one(&["60F", "60M"]).and_then(balance).ok_or(NotAFile::Broken)?;
    let closing = one(&["62F", "62M"]).and_then(balance).ok_or(NotAFile::Broken)?;
    let mut rows: Vec<Raw> = Vec::new();
    for (tag, value) in &fields {
        match tag.as_str() {
            "61" => rows.push(row(value, closing.1).unwrap_or_default()),
            "86" => {
                if let Some(last) = rows.last_mut() {
                    last.remittance = value.split_whitespace().collect::<Vec<_>>().join(" ");
                    if let Some(ours) = ours_in(&last.remittance) {
                        last.end_to_end = ours;
                    }
                }
            }
            _ => (),
        }
    }
    let (entries, bad) = sorted(rows.into_iter());
    Ok(StatementFile {
        format: Format::Mt940,
        account: one(&["25", "25P"])
            .map(|account| account.rsplit('/').next().unwrap_or(account).trim().to_owned()),
        day: closing.1,
        balances: Some((opening.0, closing.0)),
        entries,
        bad,
    })
}

/// `:tag:value`, a value going on until the next tag.
fn tags(text: &str) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        let line = line.trim_end_matches('\r');
        let tagged = line.strip_prefix(':').and_then(|rest| rest.split_once(':'));
        match tagged.filter(|(tag, _)| (2..=3).contains(&tag.len())) {
            Some((tag, value)) => fields.push((tag.to_owned(), value.to_owned())),
            None if line.starts_with('-') || line.starts_with('{') => (),
            None => {
                if let Some((_, value)) = fields.last_mut() {
                    value.push(' ');
                    value.push_str(line);
                }
            }
        }
    }
    fields
}

/// `YYMMDD[MMDD](C|D|RC|RD)[funds]amount,N+type3 owner reference[//bank reference]`.
fn row(text: &str, booked: Day) -> Option<Raw> {
    let value = day(text.get(..6)?)?;
    let rest = text.get(6..)?;
    let rest = rest
        .get(4..)
        .filter(|_| rest.get(..4).is_some_and(|d| d.bytes().all(|b| b.is_ascii_digit())))
        .unwrap_or(rest);
    let (direction, rest) = match rest {
        rest if rest.starts_with("RC") => (Direction::Debit, &rest[2..]),
        rest if rest.starts_with("RD") => (Direction::Credit, &rest[2..]),
        rest if rest.starts_with('C') => (Direction::Credit, &rest[1..]),
        rest if rest.starts_with('D') => (Direction::Debit, &rest[1..]),
        _ => return None,
    };
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != ',')?;
    let (amount, rest) = rest.split_at(end);
    let references = rest.get(4..)?;
    let (owner, bank) = references.split_once("//").unwrap_or((references, references));
    let bank = bank.split_whitespace().next().unwrap_or_default();
    let owner = owner.split_whitespace().next().unwrap_or_default();
    Some(Raw {
        reference: bank.to_owned(),
        amount: amount.to_owned(),
        direction: Some(direction),
        booked: Some(booked),
        value: Some(value),
        end_to_end: owner.to_owned(),
        ..Raw::default()
    })
}
