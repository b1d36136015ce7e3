//! The file of a statement that somebody brings: taken in pieces as it comes, each sealed and kept; read piece by piece, twice;
//! its rows kept sealed, so many at a time, as the matching will ask for them. No file is in memory as a whole.

use super::{Error, Result, told_lines::Lines};
use crate::app::App;
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{Id, StatementImport},
    money::{Currency, Money},
    text::Line,
};
use crate::codec::{
    iso20022::{Direction, Entry},
    statement_file::{Heading, NotAFile, Reader, Row},
};
use crate::crypto::{
    digest::{Digest, Hasher},
    seal::DataKey,
};
use crate::store::{Tx, statement_import as rows};
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How much of a file is sealed as one piece.
const PIECE_BYTES: usize = 256 << 10;
/// How many of the rows that were not read are told one by one.
const BAD_TOLD: usize = 1_000;

/// Where a file comes from.
pub trait Source: Send {
    /// The next piece, of any length; nothing after the last one.
    fn next(&mut self) -> BoxFuture<'_, std::result::Result<Option<Vec<u8>>, Interrupted>>;
}

/// A file whose end never came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Interrupted {
    /// It broke off.
    #[error("the file was interrupted")]
    BrokenOff,
    /// It no longer came on.
    #[error("the file stalled")]
    Stalled,
}

/// An import on its way, and what it is sealed with.
#[derive(Clone, Copy)]
pub(super) struct Bringing<'a> {
    pub id: Id<StatementImport>,
    pub key: &'a DataKey,
}

/// What a file came to.
pub(super) struct Brought {
    pub heading: Heading,
    /// What its rows moved altogether.
    pub moved: i64,
    pub rows: usize,
    /// The first of the rows that were not read.
    pub bad: Vec<Value>,
    pub bad_rows: usize,
}

/// Takes a file and keeps it in pieces, each in a transaction of its own; the digest of the whole.
pub(super) async fn take(
    app: &App,
    of: Bringing<'_>,
    source: &mut dyn Source,
    now: Instant,
) -> Result<Digest> {
    let (mut hasher, mut buffer) = (Hasher::new(), Vec::with_capacity(PIECE_BYTES));
    let (mut number, mut length) = (0, 0_usize);
    loop {
        let piece = source.next().await.map_err(|why| match why {
            Interrupted::BrokenOff => Error::refused("import_broken"),
            Interrupted::Stalled => Error::refused("upload_stalled"),
        })?;
        let is_last = piece.is_none();
        let piece = piece.unwrap_or_default();
        length = length.saturating_add(piece.len());
        if length > app.limits.import_bytes_max {
            return Err(Error::refused("body_too_large"));
        }
        hasher.update(&piece);
        buffer.extend_from_slice(&piece);
        while buffer.len() >= PIECE_BYTES || (is_last && !buffer.is_empty()) {
            let rest = buffer.split_off(PIECE_BYTES.min(buffer.len()));
            number += 1;
            let sealed = of.key.seal(&*app.entropy, &piece_place(of.id, number), &buffer);
            let mut tx = app.store.begin().await?;
            rows::put_piece(&mut tx, (of.id, number), &sealed, now).await?;
            tx.commit().await?;
            buffer = rest;
        }
        if is_last {
            return Ok(hasher.finish());
        }
    }
}

/// Reads a file that was taken, for what it comes to.
pub(super) async fn read(tx: &mut Tx, of: Bringing<'_>) -> Result<Brought> {
    let (mut moved, mut count, mut bad, mut bad_rows) = (Some(0_i64), 0, Vec::new(), 0);
    let mut take = |row: Row| match row {
        Ok(entry) => {
            count += 1;
            moved = moved.and_then(|sum| sum.checked_add(signed(&entry)));
        }
        Err(row) => {
            bad_rows += 1;
            if bad.len() < BAD_TOLD {
                bad.push(json!({ "row": row.row, "why": row.why }));
            }
        }
    };
    let (mut reader, mut number) = (Reader::new(None), 1);
    while let Some(piece) = piece(tx, of, number).await? {
        reader.feed(&piece, &mut take).map_err(refused)?;
        number += 1;
    }
    let heading = reader.finish(&mut take).map_err(refused)?;
    let moved = moved.ok_or(Error::refused("import_wrong_total"))?;
    Ok(Brought { heading, moved, rows: count, bad, bad_rows })
}

/// Reads it again, with its day, and keeps its rows.
pub(super) async fn keep_rows(app: &App, tx: &mut Tx, of: Bringing<'_>, day: Day) -> Result<()> {
    let (mut reader, mut number, mut part) = (Reader::new(Some(day)), 1, 0);
    let mut ready: Vec<KeptRow> = Vec::new();
    let at_once = app.limits.import_rows_at_once.max(1);
    while let Some(piece) = piece(tx, of, number).await? {
        reader.feed(&piece, &mut |row| ready.extend(row.ok().as_ref().map(KeptRow::of))).map_err(refused)?;
        number += 1;
        while ready.len() >= at_once {
            let rest = ready.split_off(at_once);
            part += 1;
            keep(app, tx, of, (part, &ready)).await?;
            ready = rest;
        }
    }
    reader.finish(&mut |row| ready.extend(row.ok().as_ref().map(KeptRow::of))).map_err(refused)?;
    for rest in ready.chunks(at_once) {
        part += 1;
        keep(app, tx, of, (part, rest)).await?;
    }
    Ok(())
}

async fn keep(app: &App, tx: &mut Tx, of: Bringing<'_>, (number, part): (i32, &[KeptRow])) -> Result<()> {
    let plain = serde_json::to_vec(part).map_err(Error::internal)?;
    let sealed = of.key.seal(&*app.entropy, &part_place(of.id, number), &plain);
    Ok(rows::put_part(tx, (of.id, number), &sealed).await?)
}

async fn piece(tx: &mut Tx, of: Bringing<'_>, number: i32) -> Result<Option<Vec<u8>>> {
    let Some(sealed) = rows::piece(tx, of.id, number).await? else { return Ok(None) };
    Ok(Some(of.key.open(&piece_place(of.id, number), &sealed)?.expose().clone()))
}

fn refused(why: NotAFile) -> Error {
    Error::refused(match why {
        NotAFile::Unknown => "import_unknown_format",
        NotAFile::Broken => "import_broken",
        NotAFile::NoDay => "import_not_of_one_day",
    })
}

fn signed(entry: &Entry) -> i64 {
    match entry.direction {
        Direction::Credit => entry.amount.minor(),
        Direction::Debit => -entry.amount.minor(),
    }
}

/// A row as it is kept.
#[derive(Serialize, Deserialize)]
struct KeptRow {
    reference: String,
    /// What came is positive, what went is negative.
    amount: i64,
    booked: String,
    value: String,
    end_to_end: Option<String>,
    counterparty: Option<String>,
    remittance: Vec<String>,
}

impl KeptRow {
    fn of(entry: &Entry) -> Self {
        Self {
            reference: entry.reference.to_string(),
            amount: signed(entry),
            booked: entry.booked.to_string(),
            value: entry.value.to_string(),
            end_to_end: entry.end_to_end.as_ref().map(ToString::to_string),
            counterparty: entry.counterparty.as_ref().map(ToString::to_string),
            remittance: entry.remittance.iter().map(ToString::to_string).collect(),
        }
    }

    fn entry(&self) -> Option<Entry> {
        let remittance = self.remittance.iter().map(|line| Line::parse(line).ok());
        Some(Entry {
            reference: Line::parse(&self.reference).ok()?,
            amount: Money::new(self.amount.checked_abs()?, Currency::Vnd),
            direction: if self.amount < 0 { Direction::Debit } else { Direction::Credit },
            reversal: false,
            booked: self.booked.parse().ok()?,
            value: self.value.parse().ok()?,
            end_to_end: match &self.end_to_end {
                Some(text) => Some(Line::parse(text).ok()?),
                None => None,
            },
            uetr: None,
            clearing_reference: None,
            counterparty: match &self.counterparty {
                Some(text) => Some(Line::parse(text).ok()?),
                None => None,
            },
            counterparty_agent: None,
            remittance: remittance.collect::<Option<_>>()?,
            accepted: None,
            charged: None,
        })
    }
}

/// The rows of an import that was confirmed, and behind them the line that stands for what could not be read.
pub(super) struct KeptRows {
    pub id: Id<StatementImport>,
    pub key: DataKey,
    pub unread: Option<Entry>,
    /// How many there are altogether.
    pub many: usize,
}

impl KeptRows {
    async fn read(&self, tx: &mut Tx, nth: usize) -> Result<Vec<Entry>> {
        let number = i32::try_from(nth + 1).map_err(Error::internal)?;
        if let Some(sealed) = rows::part(tx, self.id, number).await? {
            let plain = self.key.open(&part_place(self.id, number), &sealed)?;
            let kept: Vec<KeptRow> = serde_json::from_slice(plain.expose()).map_err(Error::internal)?;
            let entries: Option<Vec<Entry>> = kept.iter().map(KeptRow::entry).collect();
            return entries.ok_or_else(|| Error::internal(format!("the rows of {}", self.id)));
        }
        let is_behind = number == 1 || rows::part(tx, self.id, number - 1).await?.is_some();
        Ok(self.unread.iter().filter(|_| is_behind).cloned().collect())
    }
}

impl Lines for KeptRows {
    fn chunk<'a>(&'a self, tx: &'a mut Tx, nth: usize) -> BoxFuture<'a, Result<Vec<Entry>>> {
        Box::pin(self.read(tx, nth))
    }

    fn many(&self) -> Option<usize> {
        Some(self.many)
    }
}

fn piece_place(id: Id<StatementImport>, number: i32) -> Vec<u8> {
    format!("statement_import_piece.content {id} {number}").into_bytes()
}

fn part_place(id: Id<StatementImport>, number: i32) -> Vec<u8> {
    format!("statement_import_part.content {id} {number}").into_bytes()
}
