//! Batches: many questions about people in one file, opened, uploaded in parts, and given back as one signed file.
//!
//! An upload names the byte at which it goes on, so that a part that was cut off is sent again from what is kept. Whole
//! lines are kept, some hundred at a time, each chunk sealed under the agency's key; nothing is ever held whole. The
//! rows count against the portal's day when the upload is closed, all or none. Answering is [`super::run_batches`]'.

use super::{
    Error, Refusal, Result,
    agency_key::agency_key,
    batch_file,
    idempotency::{Idempotency, lock_name},
    locks,
};
use crate::app::App;
use crate::base::{
    calendar::{Day, rfc3339},
    id::{Agency, Batch, Client, Id},
    secret::Sealed,
    text::Line,
};
use crate::crypto::seal::DataKey;
use crate::identity::{
    portal_policy::PortalPolicy,
    watch::{Rules, Watch},
};
use crate::store::{
    Tx, asking, portal_policy,
    verification_batch::{self as batch, BatchRow, BatchState, Ground},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Rows of one chunk.
const CHUNK_ROWS: usize = 1_000;
/// Bytes of one line.
const LINE_MAX: usize = 8 << 10;
/// Batches of one client whose files have not come to their end.
const OPEN_MAX: i64 = 16;

/// The form of an uploaded file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated, the first line names the columns.
    Csv,
    /// One JSON object a line.
    JsonLines,
}

impl Format {
    /// The word in rows and on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::JsonLines => "jsonl",
        }
    }

    /// The form of that word.
    pub fn of(word: &str) -> Option<Self> {
        [Self::Csv, Self::JsonLines].into_iter().find(|format| format.word() == word)
    }
}

/// A batch to be opened.
pub struct NewBatch {
    /// What for; every row has the same ground.
    pub purpose: Line<200>,
    /// For which procedure.
    pub procedure: String,
    /// In whose name.
    pub officer: Line<100>,
    /// The law that lets the agency ask without consent; `None`: every row rests on the person's consent.
    pub legal_basis: Option<Line<200>>,
    /// The form of the file.
    pub format: Format,
}

/// What a batch's ground holds, sealed.
#[derive(Serialize, Deserialize)]
pub(super) struct GroundRecord {
    pub purpose: String,
    pub procedure: String,
    pub officer: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legal_basis: Option<String>,
    pub columns: Option<Vec<String>>,
}

/// Opens a batch.
pub async fn open_batch(app: &App, agency: Id<Agency>, new: &NewBatch, key: &Idempotency) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    if let Some(answer) = key.claim(&mut tx).await? {
        return Ok(answer);
    }
    let id: Id<Batch> = Id::new(now, &*app.entropy);
    let seal = agency_key(app, &mut tx, agency).await?;
    let ground = GroundRecord {
        purpose: new.purpose.to_string(),
        procedure: new.procedure.clone(),
        officer: new.officer.to_string(),
        legal_basis: new.legal_basis.as_ref().map(ToString::to_string),
        columns: None,
    };
    let row = BatchRow {
        id,
        agency,
        client: key.client,
        created_at: now,
        format: new.format.word().to_owned(),
        ground: seal_ground(app, &seal, id, &ground),
        state: BatchState::Receiving,
        bytes: 0,
        rows_received: 0,
        rows_done: 0,
        chunks: 0,
        due_at: now,
        signed: None,
        finished_at: None,
    };
    let policy = policy_of(&mut tx, key.client).await?;
    if !policy.purposes.is_empty() && !policy.purposes.contains(&new.purpose) {
        return Err(Error::Forbidden(Refusal::new("policy_forbids").violation("/purpose", "purpose", None)));
    }
    if let Some(law) = &new.legal_basis
        && !locks::lists(&mut tx, key.client, law.as_str(), now).await?
    {
        let refusal = Refusal::new("legal_basis_unknown").violation("/legal_basis", "not_listed", None);
        return Err(Error::Refused(refusal));
    }
    tx.lock(lock_name(Id::from_uuid(key.client.uuid()), "batches")).await?;
    if batch::receiving(&mut tx, key.client).await? >= OPEN_MAX {
        return Err(Error::conflict("batches_too_many"));
    }
    batch::insert(&mut tx, &row).await?;
    let answer = batch_json(app, &row);
    key.keep(&mut tx, id.uuid(), &answer, now).await?;
    tx.commit().await?;
    Ok(answer)
}

/// How far a batch is.
pub async fn read_batch(app: &App, agency: Id<Agency>, id: Id<Batch>) -> Result<Value> {
    let row = batch::find(&app.store, agency, id).await?.ok_or(Error::not_found())?;
    Ok(batch_json(app, &row))
}

/// One part of a file on its way in.
pub struct Upload {
    row: BatchRow,
    key: DataKey,
    ground: GroundRecord,
    /// Lines that are not kept yet, and the beginning of one.
    buffer: Vec<u8>,
    /// Where the unfinished line begins.
    line_start: usize,
    rows: usize,
    /// Bytes of blank lines since what is kept: they are passed over.
    blank: usize,
}

impl Upload {
    /// Begins at that byte, which must be the one after what is kept.
    pub async fn begin(app: &App, agency: Id<Agency>, id: Id<Batch>, offset: i64) -> Result<Self> {
        let row = batch::find(&app.store, agency, id).await?.ok_or(Error::not_found())?;
        if row.state != BatchState::Receiving {
            return Err(Error::conflict("batch_closed"));
        }
        if row.bytes != offset {
            return Err(Error::Conflict(Refusal::new("upload_offset_wrong").about(row.bytes)));
        }
        let mut tx = app.store.begin().await?;
        let key = agency_key(app, &mut tx, agency).await?;
        tx.commit().await?;
        let ground = open_ground(&key, id, &row.ground)?;
        Ok(Self { row, key, ground, buffer: Vec::new(), line_start: 0, rows: 0, blank: 0 })
    }

    /// Takes more bytes, and keeps what makes a chunk.
    pub async fn push(&mut self, app: &App, bytes: &[u8]) -> Result<()> {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.buffer.extend_from_slice(&rest[..=end]);
            rest = &rest[end + 1..];
            self.line(app).await?;
        }
        self.buffer.extend_from_slice(rest);
        if self.buffer.len() - self.line_start > LINE_MAX { Err(unreadable("line_too_long")) } else { Ok(()) }
    }

    /// Ends the part; with the last one the batch begins to run.
    pub async fn end(mut self, app: &App, complete: bool) -> Result<Value> {
        if complete && self.line_start < self.buffer.len() {
            self.line(app).await?;
        }
        self.buffer.truncate(self.line_start);
        self.keep(app).await?;
        if complete {
            self.close(app).await?;
        }
        Ok(batch_json(app, &self.row))
    }

    /// A whole line stands at the end of the buffer.
    async fn line(&mut self, app: &App) -> Result<()> {
        let line = &self.buffer[self.line_start..];
        if line.len() > LINE_MAX {
            return Err(unreadable("line_too_long"));
        }
        if self.row.format == Format::Csv.word() && self.ground.columns.is_none() {
            let names = std::str::from_utf8(line).ok().and_then(batch_file::columns);
            let names = names.ok_or_else(|| unreadable("columns"))?;
            self.ground.columns = Some(names.into_iter().map(str::to_owned).collect());
            return self.keep_columns(app).await;
        }
        if line.trim_ascii().is_empty() {
            self.blank += line.len();
            self.buffer.truncate(self.line_start);
        } else {
            self.rows += 1;
            self.line_start = self.buffer.len();
        }
        let rows = self.row.rows_received + self.rows as i64;
        let bytes = self.row.bytes + (self.line_start + self.blank) as i64;
        let rows_max = i64::from(app.limits.batch_rows_max);
        if rows > rows_max || bytes > rows_max * LINE_MAX as i64 {
            return Err(Error::refused("batch_too_large"));
        }
        if self.rows >= CHUNK_ROWS { self.keep(app).await } else { Ok(()) }
    }

    async fn keep_columns(&mut self, app: &App) -> Result<()> {
        let length = self.buffer.len() as i64;
        let mut tx = app.store.begin().await?;
        let ground = seal_ground(app, &self.key, self.row.id, &self.ground);
        batch::put_ground(&mut tx, self.row.id, &ground).await?;
        self.moved(&mut tx, length, 0, 0).await?;
        tx.commit().await?;
        self.buffer.clear();
        self.line_start = 0;
        Ok(())
    }

    /// Keeps the whole lines of the buffer as one chunk.
    async fn keep(&mut self, app: &App) -> Result<()> {
        let lines = &self.buffer[..self.line_start];
        let (length, rows) = ((lines.len() + self.blank) as i64, self.rows);
        if length == 0 {
            return Ok(());
        }
        let (id, place) = (self.row.id, self.row.chunks);
        let mut tx = app.store.begin().await?;
        if rows > 0 {
            let sealed = self.key.seal(&*app.entropy, &place_of(id, place, b"lines"), lines);
            let count = i32::try_from(rows).unwrap_or(i32::MAX);
            batch::insert_chunk(&mut tx, id, (place, self.row.rows_received + 1, count), &sealed)
                .await
                .map_err(|error| {
                    let taken = error.violates("verification_batch_chunk_pkey");
                    if taken { Error::conflict("upload_offset_wrong") } else { error.into() }
                })?;
        }
        self.moved(&mut tx, length, rows as i64, i32::from(rows > 0)).await?;
        tx.commit().await?;
        self.buffer.drain(..self.line_start);
        (self.line_start, self.rows, self.blank) = (0, 0, 0);
        Ok(())
    }

    async fn moved(&mut self, tx: &mut Tx, length: i64, rows: i64, chunks: i32) -> Result<()> {
        let after = self.row.bytes + length;
        if !batch::receive(tx, self.row.id, self.row.bytes, after, rows, chunks).await? {
            return Err(Error::conflict("upload_offset_wrong"));
        }
        self.row.bytes = after;
        self.row.rows_received += rows;
        self.row.chunks += chunks;
        Ok(())
    }

    /// The rows count against the portal's day, all or none.
    async fn close(&mut self, app: &App) -> Result<()> {
        let now = app.clock.now();
        let mut tx = app.store.begin().await?;
        let policy = policy_of(&mut tx, self.row.client).await?;
        let mut watches = asking::counted(&mut tx, &[self.row.client], &[], Day::of(now)).await?.watches;
        let watch = watches.entry(self.row.client).or_insert_with(|| Watch::new(now));
        *watch = watch.at(now, &Rules::default());
        let rows = u32::try_from(self.row.rows_received).unwrap_or(u32::MAX);
        watch.asked = watch.asked.saturating_add(rows);
        if policy.daily_quota.is_some_and(|quota| watch.asked > quota) {
            return Err(Error::Unavailable(Refusal::new("quota_spent")));
        }
        asking::count(&mut tx, &watches, &BTreeMap::new(), Day::of(now)).await?;
        if !batch::close(&mut tx, self.row.id, self.row.bytes, now).await? {
            return Err(Error::conflict("batch_closed"));
        }
        tx.commit().await?;
        self.row.state = BatchState::Running;
        Ok(())
    }
}

/// A finished batch, to be read chunk by chunk.
pub struct Reading {
    /// The batch.
    pub row: BatchRow,
    key: DataKey,
}

/// Opens the result of a batch.
pub async fn open_result(app: &App, agency: Id<Agency>, id: Id<Batch>) -> Result<Reading> {
    let row = batch::find(&app.store, agency, id).await?.ok_or(Error::not_found())?;
    if row.state != BatchState::Finished {
        return Err(Error::conflict("batch_not_finished"));
    }
    let mut tx = app.store.begin().await?;
    let key = agency_key(app, &mut tx, agency).await?;
    tx.commit().await?;
    Ok(Reading { row, key })
}

/// The lines of one chunk; after the last chunk the signature; then nothing.
pub async fn read_part(app: &App, reading: &Reading, place: i32) -> Result<Option<Vec<u8>>> {
    if place > reading.row.chunks {
        return Ok(None);
    }
    if place == reading.row.chunks {
        let last = json!({ "signed": reading.row.signed }).to_string() + "\n";
        return Ok(Some(last.into_bytes()));
    }
    Ok(Some(answers_of(app, reading.row.id, &reading.key, place).await?))
}

/// The answered lines of a chunk.
pub(super) async fn answers_of(app: &App, id: Id<Batch>, key: &DataKey, place: i32) -> Result<Vec<u8>> {
    let sealed =
        batch::answers(&app.store, id, place).await?.ok_or_else(|| Error::internal("a lost chunk"))?;
    Ok(key.open(&place_of(id, place, b"answers"), &sealed)?.expose().clone())
}

/// A batch as its agency sees it.
fn batch_json(app: &App, row: &BatchRow) -> Value {
    let result = format!("/v1/verifications/batches/{}/result", row.id);
    json!({
        "id": row.id.to_string(),
        "state": row.state.word(),
        "format": row.format,
        "created_at": rfc3339(row.created_at),
        "bytes": row.bytes,
        "rows_received": row.rows_received,
        "rows_done": row.rows_done,
        "finished_at": row.finished_at.map(rfc3339),
        "result_url": row.signed.as_ref().map(|_| app.origin.at(&result)),
    })
}

async fn policy_of(tx: &mut Tx, client: Id<Client>) -> Result<PortalPolicy> {
    let newest = portal_policy::newest(tx, client).await?;
    Ok(newest.map_or_else(PortalPolicy::unwritten, |(policy, _)| policy))
}

fn seal_ground(app: &App, key: &DataKey, id: Id<Batch>, ground: &GroundRecord) -> Sealed<Ground> {
    let text = serde_json::to_vec(ground).unwrap_or_default();
    key.seal(&*app.entropy, &place_of(id, 0, b"ground"), &text)
}

pub(super) fn open_ground(key: &DataKey, id: Id<Batch>, sealed: &Sealed<Ground>) -> Result<GroundRecord> {
    let plain = key.open(&place_of(id, 0, b"ground"), sealed)?;
    serde_json::from_slice(plain.expose()).map_err(Error::internal)
}

/// What a sealed part of a batch is bound to.
pub(super) fn place_of(id: Id<Batch>, place: i32, what: &[u8]) -> Vec<u8> {
    [b"verification_batch.".as_slice(), what, id.uuid().as_bytes(), &place.to_be_bytes()].concat()
}

fn unreadable(rule: &'static str) -> Error {
    Error::Refused(Refusal::new("invalid_body").violation("", rule, None))
}
