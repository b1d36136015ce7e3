//! MT940: `:20:` to `:62F:`, a movement in each `:61:` with its words in the `:86:` behind it. A day that is too long for one message
//! comes in several, `:60F:` to `:62M:`, then `:60M:` to `:62M:`, then `:60M:` to `:62F:`, each beginning with the balance that the one
//! before ended with.

use super::{Format, Heading, Lines, NotAFile, PART_BYTES_MAX, Raw, Row, Rows, day, money, ours_in};
use crate::base::calendar::Day;
use crate::base::money::Money;
use crate::codec::iso20022::Direction;
use std::collections::BTreeSet;

/// A message that comes in pieces. Its day stands at its end: while that is not known a row is of its own value day.
pub(super) struct Feed {
    booked: Option<Day>,
    lines: Lines,
    fields: Fields,
}

/// The fields so far.
#[derive(Default)]
struct Fields {
    open: Option<(String, String)>,
    row: Option<Raw>,
    account: Option<String>,
    opening: Option<Option<(Money, Day)>>,
    closing: Option<Option<(Money, Day)>>,
    /// The days on which the bank entered its rows, where it says so: month and day.
    entered: BTreeSet<String>,
}

impl Feed {
    pub(super) fn new(booked: Option<Day>) -> Self {
        Self { booked, lines: Lines::default(), fields: Fields::default() }
    }

    pub(super) fn take(
        &mut self,
        piece: &[u8],
        rows: &mut Rows,
        take: &mut dyn FnMut(Row),
    ) -> Result<(), NotAFile> {
        let (fields, booked) = (&mut self.fields, self.booked);
        self.lines.take(piece, |line| fields.line(line, booked, rows, take))
    }

    pub(super) fn finish(self, rows: &mut Rows, take: &mut dyn FnMut(Row)) -> Result<Heading, NotAFile> {
        let Self { booked, lines, mut fields } = self;
        lines.finish(|line| fields.line(line, booked, rows, take))?;
        fields.close(booked, rows, take)?;
        if let Some(last) = fields.row.take() {
            rows.give(Ok(last), take);
        }
        let opening = fields.opening.flatten().ok_or(NotAFile::Broken)?;
        let closing = fields.closing.flatten().ok_or(NotAFile::Broken)?;
        let day = closing.1.date();
        let of_day = format!("{:02}{:02}", u8::from(day.month()), day.day());
        if fields.entered.iter().any(|entered| *entered != of_day) {
            return Err(NotAFile::NoDay);
        }
        Ok(Heading {
            format: Format::Mt940,
            account: fields.account,
            day: closing.1,
            balances: Some((opening.0, closing.0)),
        })
    }
}

impl Fields {
    /// `:tag:value`, a value going on until the next tag.
    fn line(
        &mut self,
        line: &str,
        booked: Option<Day>,
        rows: &mut Rows,
        take: &mut dyn FnMut(Row),
    ) -> Result<(), NotAFile> {
        let tagged = line.strip_prefix(':').and_then(|rest| rest.split_once(':'));
        match tagged.filter(|(tag, _)| (2..=3).contains(&tag.len())) {
            Some((tag, value)) => {
                self.close(booked, rows, take)?;
                self.open = Some((tag.to_owned(), value.to_owned()));
            }
            None if line.starts_with('-') || line.starts_with('{') => (),
            None => {
                if let Some((_, value)) = &mut self.open {
                    value.push(' ');
                    value.push_str(line);
                    if value.len() > PART_BYTES_MAX {
                        return Err(NotAFile::Broken);
                    }
                }
            }
        }
        Ok(())
    }

    /// The field that was open is complete.
    fn close(
        &mut self,
        booked: Option<Day>,
        rows: &mut Rows,
        take: &mut dyn FnMut(Row),
    ) -> Result<(), NotAFile> {
        let Some((tag, value)) = self.open.take() else { return Ok(()) };
        match tag.as_str() {
            // Another day begins.
            "60F" if self.opening.is_some() => return Err(NotAFile::NoDay),
            "60F" | "60M" if self.opening.is_none() => self.opening = Some(balance(&value)),
            // A message between them is missing.
            "60M" if self.closing.flatten().map(amount) != balance(&value).map(amount) => {
                return Err(NotAFile::Broken);
            }
            "62F" | "62M" => self.closing = Some(balance(&value)),
            "25" | "25P" if self.account.is_none() => {
                self.account = Some(value.rsplit('/').next().unwrap_or(&value).trim().to_owned());
            }
            "61" => {
                let read = row(&value, booked);
                if let (Some(_), Some(entered)) = (&read, entered(&value)) {
                    self.entered.insert(entered.to_owned());
                }
                if let Some(before) = self.row.replace(read.unwrap_or_default()) {
                    rows.give(Ok(before), take);
                }
            }
            "86" => {
                if let Some(last) = &mut self.row {
                    last.remittance = value.split_whitespace().collect::<Vec<_>>().join(" ");
                    if let Some(ours) = ours_in(&last.remittance) {
                        last.end_to_end = ours;
                    }
                }
            }
            _ => (),
        }
        Ok(())
    }
}

const fn amount((amount, _): (Money, Day)) -> Money {
    amount
}

fn balance(text: &str) -> Option<(Money, Day)> {
    let owed = match text.get(..1)? {
        "C" => false,
        "D" => true,
        _ => return None,
    };
    let amount = money(text.get(10..)?)?;
    let signed = if owed { amount.negated().ok()? } else { amount };
    Some((signed, day(text.get(1..7)?)?))
}

/// The day of the entry behind that of the value, where there is one: month and day.
fn entered(row: &str) -> Option<&str> {
    row.get(6..10).filter(|day| day.bytes().all(|b| b.is_ascii_digit()))
}

/// `YYMMDD[MMDD](C|D|RC|RD)[funds]amount,N+type3 owner reference[//bank reference]`: the day of the value, from which money counts
/// and which may be any, and that of the entry, on which the bank booked it.
fn row(text: &str, booked: Option<Day>) -> Option<Raw> {
    let value = day(text.get(..6)?)?;
    let rest = text.get(6 + entered(text).map_or(0, str::len)..)?;
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
        booked: booked.or(Some(value)),
        value: Some(value),
        end_to_end: owner.to_owned(),
        ..Raw::default()
    })
}
