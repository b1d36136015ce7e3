//! Batches of questions: what was uploaded and what was answered, in chunks that are read one at a time.

use super::{Result, Store, StoreError, Tx, moved_one};
use crate::base::{
    clock::Instant,
    id::{Agency, Batch, Client, Id},
    secret::Sealed,
};
use uuid::Uuid;

/// Purpose, procedure, officer and the columns, under the agency's key.
pub enum Ground {}
/// Uploaded lines, under the agency's key.
pub enum Lines {}
/// Answered lines, under the agency's key.
pub enum Answers {}

/// Where a batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchState {
    /// Rows are being uploaded.
    Receiving,
    /// Rows are being answered.
    Running,
    /// Every row is answered and the result is signed.
    Finished,
}

impl BatchState {
    /// The word in rows and on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Receiving => "receiving",
            Self::Running => "running",
            Self::Finished => "finished",
        }
    }

    fn of(word: &str) -> Option<Self> {
        [Self::Receiving, Self::Running, Self::Finished].into_iter().find(|state| state.word() == word)
    }
}

/// One batch.
#[derive(Debug, Clone)]
pub struct BatchRow {
    /// Its identifier.
    pub id: Id<Batch>,
    /// Who asks.
    pub agency: Id<Agency>,
    /// By which system.
    pub client: Id<Client>,
    /// When it was opened.
    pub created_at: Instant,
    /// `csv` or `jsonl`.
    pub format: String,
    /// What for.
    pub ground: Sealed<Ground>,
    /// Where it is.
    pub state: BatchState,
    /// Bytes of the file that are kept.
    pub bytes: i64,
    /// Rows of the file that are kept.
    pub rows_received: i64,
    /// Rows that are answered.
    pub rows_done: i64,
    /// Chunks that are kept.
    pub chunks: i32,
    /// When its next chunk is worked on.
    pub due_at: Instant,
    /// The signature over the result.
    pub signed: Option<String>,
    /// When it was finished.
    pub finished_at: Option<Instant>,
}

/// Opens a batch.
pub async fn insert(tx: &mut Tx, batch: &BatchRow) -> Result<()> {
    sqlx::query!(
        r#"INSERT INTO verification_batch (id, agency_id, client_id, created_at, format, ground, generation, due_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $4)"#,
        batch.id.uuid(),
        batch.agency.uuid(),
        batch.client.uuid(),
        batch.created_at,
        batch.format,
        batch.ground.bytes(),
        i32::try_from(batch.ground.key()).unwrap_or(i32::MAX)
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// How many batches of a client wait for the rest of their files.
pub async fn receiving(tx: &mut Tx, client: Id<Client>) -> Result<i64> {
    let many = sqlx::query_scalar!(
        r#"SELECT count(*) AS "many!" FROM verification_batch WHERE client_id = $1 AND state = 'receiving'"#,
        client.uuid()
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(many)
}

/// One batch of an agency.
pub async fn find(store: &Store, agency: Id<Agency>, id: Id<Batch>) -> Result<Option<BatchRow>> {
    let row = sqlx::query_as!(
        Raw,
        r#"SELECT id, agency_id, client_id, created_at, format, ground, generation, state, bytes, rows_received,
                  rows_done, chunks, due_at, signed, finished_at
           FROM verification_batch WHERE id = $1 AND agency_id = $2"#,
        id.uuid(),
        agency.uuid()
    )
    .fetch_optional(&store.pool)
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// Keeps the columns that the file's first line named, with the rest of the ground.
pub async fn put_ground(tx: &mut Tx, id: Id<Batch>, ground: &Sealed<Ground>) -> Result<()> {
    sqlx::query!(
        "UPDATE verification_batch SET ground = $2, generation = $3 WHERE id = $1",
        id.uuid(),
        ground.bytes(),
        i32::try_from(ground.key()).unwrap_or(i32::MAX)
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Moves an upload forward, if nobody else has; `before` and `after` are its bytes.
pub async fn receive(
    tx: &mut Tx,
    id: Id<Batch>,
    before: i64,
    after: i64,
    rows: i64,
    chunks: i32,
) -> Result<bool> {
    let done = sqlx::query!(
        r#"UPDATE verification_batch SET bytes = $3, rows_received = rows_received + $4, chunks = chunks + $5
           WHERE id = $1 AND bytes = $2 AND state = 'receiving'"#,
        id.uuid(),
        before,
        after,
        rows,
        chunks
    )
    .execute(tx.conn())
    .await?;
    Ok(moved_one(&done))
}

/// Keeps a chunk of uploaded lines.
pub async fn insert_chunk(
    tx: &mut Tx,
    id: Id<Batch>,
    (place, first_row, rows): (i32, i64, i32),
    lines: &Sealed<Lines>,
) -> Result<()> {
    sqlx::query!(
        r#"INSERT INTO verification_batch_chunk (batch_id, place, first_row, rows, lines, generation)
           VALUES ($1, $2, $3, $4, $5, $6)"#,
        id.uuid(),
        place,
        first_row,
        rows,
        lines.bytes(),
        i32::try_from(lines.key()).unwrap_or(i32::MAX)
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Closes an upload; false when it was closed before or has moved.
pub async fn close(tx: &mut Tx, id: Id<Batch>, bytes: i64, at: Instant) -> Result<bool> {
    let done = sqlx::query!(
        r#"UPDATE verification_batch SET state = 'running', due_at = $3
           WHERE id = $1 AND bytes = $2 AND state = 'receiving'"#,
        id.uuid(),
        bytes,
        at
    )
    .execute(tx.conn())
    .await?;
    Ok(moved_one(&done))
}

/// Takes a batch whose time has come, and leaves it alone until `held`.
pub async fn take_due(tx: &mut Tx, now: Instant, held: Instant) -> Result<Option<BatchRow>> {
    let row = sqlx::query_as!(
        Raw,
        r#"UPDATE verification_batch b SET due_at = $2
           FROM (SELECT id FROM verification_batch WHERE state = 'running' AND due_at <= $1
                 ORDER BY due_at, id LIMIT 1 FOR UPDATE SKIP LOCKED) d
           WHERE b.id = d.id
           RETURNING b.id, b.agency_id, b.client_id, b.created_at, b.format, b.ground, b.generation, b.state, b.bytes,
                     b.rows_received, b.rows_done, b.chunks, b.due_at, b.signed, b.finished_at"#,
        now,
        held
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// Says when the next chunk is worked on.
pub async fn put_off(tx: &mut Tx, id: Id<Batch>, due: Instant) -> Result<()> {
    sqlx::query!("UPDATE verification_batch SET due_at = $2 WHERE id = $1", id.uuid(), due)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// A chunk of uploaded lines.
#[derive(Debug)]
pub struct Chunk {
    /// Its place.
    pub place: i32,
    /// The number of its first row, from 1.
    pub first_row: i64,
    /// The lines.
    pub lines: Sealed<Lines>,
}

/// The first chunk that is not answered.
pub async fn next_chunk(tx: &mut Tx, id: Id<Batch>) -> Result<Option<Chunk>> {
    let row = sqlx::query!(
        r#"SELECT place, first_row, lines, generation FROM verification_batch_chunk
           WHERE batch_id = $1 AND answers IS NULL ORDER BY place LIMIT 1"#,
        id.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| {
        let generation = generation(row.generation, id)?;
        Ok(Chunk { place: row.place, first_row: row.first_row, lines: Sealed::new(row.lines, generation) })
    })
    .transpose()
}

/// Answers a chunk, forgets its lines, and counts its rows; false when somebody else has answered it.
pub async fn answer_chunk(
    tx: &mut Tx,
    id: Id<Batch>,
    place: i32,
    rows: i64,
    answers: &Sealed<Answers>,
) -> Result<bool> {
    let done = sqlx::query!(
        r#"WITH answered AS (
               UPDATE verification_batch_chunk SET answers = $3, generation = $4, lines = ''
               WHERE batch_id = $1 AND place = $2 AND answers IS NULL RETURNING batch_id
           )
           UPDATE verification_batch SET rows_done = rows_done + $5
           WHERE id = (SELECT batch_id FROM answered)"#,
        id.uuid(),
        place,
        answers.bytes(),
        i32::try_from(answers.key()).unwrap_or(i32::MAX),
        rows
    )
    .execute(tx.conn())
    .await?;
    Ok(moved_one(&done))
}

/// The answers of one chunk.
pub async fn answers(store: &Store, id: Id<Batch>, place: i32) -> Result<Option<Sealed<Answers>>> {
    let row = sqlx::query!(
        r#"SELECT answers AS "answers!", generation FROM verification_batch_chunk
           WHERE batch_id = $1 AND place = $2 AND answers IS NOT NULL"#,
        id.uuid(),
        place
    )
    .fetch_optional(&store.pool)
    .await?;
    row.map(|row| Ok(Sealed::new(row.answers, generation(row.generation, id)?))).transpose()
}

/// Keeps the signature over the result; false when it was finished before.
pub async fn finish(tx: &mut Tx, id: Id<Batch>, signed: &str, at: Instant) -> Result<bool> {
    let done = sqlx::query!(
        r#"UPDATE verification_batch SET state = 'finished', signed = $2, finished_at = $3
           WHERE id = $1 AND state = 'running'"#,
        id.uuid(),
        signed,
        at
    )
    .execute(tx.conn())
    .await?;
    Ok(moved_one(&done))
}

fn generation(value: i32, id: Id<Batch>) -> Result<u32> {
    u32::try_from(value).map_err(|_| StoreError::corrupt("verification_batch_chunk", "generation", id))
}

struct Raw {
    id: Uuid,
    agency_id: Uuid,
    client_id: Uuid,
    created_at: Instant,
    format: String,
    ground: Vec<u8>,
    generation: i32,
    state: String,
    bytes: i64,
    rows_received: i64,
    rows_done: i64,
    chunks: i32,
    due_at: Instant,
    signed: Option<String>,
    finished_at: Option<Instant>,
}

impl TryFrom<Raw> for BatchRow {
    type Error = StoreError;

    fn try_from(raw: Raw) -> Result<Self> {
        let id: Id<Batch> = Id::from_uuid(raw.id);
        let corrupt = |column| StoreError::corrupt("verification_batch", column, id);
        let generation = u32::try_from(raw.generation).map_err(|_| corrupt("generation"))?;
        Ok(Self {
            id,
            agency: Id::from_uuid(raw.agency_id),
            client: Id::from_uuid(raw.client_id),
            created_at: raw.created_at,
            format: raw.format,
            ground: Sealed::new(raw.ground, generation),
            state: BatchState::of(&raw.state).ok_or_else(|| corrupt("state"))?,
            bytes: raw.bytes,
            rows_received: raw.rows_received,
            rows_done: raw.rows_done,
            chunks: raw.chunks,
            due_at: raw.due_at,
            signed: raw.signed,
            finished_at: raw.finished_at,
        })
    }
}
