//! The local population register: sealed records found by the keyed hash of their number, and how imports merge.

use super::{Result, Store, StoreError, Tx, copy::CopyRows};
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{Citizen, Id},
    secret::Sealed,
};
use crate::crypto::{digest::Digest, seal::WrappedKey};
use crate::identity::{noticed::Fact, person::Person};
use std::collections::HashSet;
use uuid::Uuid;

/// One person's row.
#[derive(Debug, Clone)]
pub struct RegisterRow {
    /// Whom it is about, whatever the number becomes.
    pub citizen: Id<Citizen>,
    /// The citizen's data key, wrapped.
    pub key: WrappedKey,
    /// The record.
    pub sealed: Sealed<Person>,
    /// Keyed hash of the record.
    pub record_hash: Vec<u8>,
    /// When a remote register last vouched for it.
    pub copied_at: Option<Instant>,
    /// Until when the number that was asked about was the person's, if it is no longer.
    pub former_until: Option<Day>,
    /// Whether any lock of theirs stands.
    pub has_locks: bool,
}

/// The answer to one look-up.
#[derive(Debug, Clone)]
pub struct LookedUp {
    /// When the register's newest complete copy began to be read; `None` before the first import.
    pub as_of: Option<Instant>,
    /// The row, if the number is on record.
    pub row: Option<RegisterRow>,
}

/// Looks up numbers by their keyed hashes: one statement, one answer for each, in order.
pub async fn find_all(tx: &mut Tx, number_hashes: &[Digest]) -> Result<Vec<LookedUp>> {
    let hashes: Vec<&[u8]> = number_hashes.iter().map(Digest::as_slice).collect();
    let rows = sqlx::query_as!(
        Raw,
        r#"SELECT r.citizen_id AS "citizen_id?", r.wrapped_key AS "wrapped_key?", r.key_generation AS "key_generation?",
                  r.sealed AS "sealed?", r.record_hash AS "record_hash?", r.copied_at AS "copied_at?",
                  EXISTS (SELECT FROM citizen_lock l WHERE l.citizen_id = r.citizen_id AND l.lifted_at IS NULL) AS "has_locks!",
                  r.former_until AS "former_until?",
                  (SELECT max(started_at) FROM population_import WHERE finished_at IS NOT NULL) AS as_of
           FROM unnest($1::bytea[]) WITH ORDINALITY AS asked (number_hash, place)
           LEFT JOIN LATERAL (
               SELECT p.citizen_id, p.wrapped_key, p.key_generation, p.sealed, p.record_hash, p.copied_at,
                      NULL::date AS former_until
               FROM register_person p WHERE p.number_hash = asked.number_hash
               UNION ALL
               SELECT p.citizen_id, p.wrapped_key, p.key_generation, p.sealed, p.record_hash, p.copied_at, f.until
               FROM register_former_number f JOIN register_person p ON p.citizen_id = f.citizen_id
               WHERE f.number_hash = asked.number_hash
               LIMIT 1) r ON true
           ORDER BY asked.place"#,
        &hashes as &[&[u8]]
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// The rows of these citizens, those who are on record.
pub async fn find_by_citizens(tx: &mut Tx, citizens: &[Id<Citizen>]) -> Result<Vec<RegisterRow>> {
    let citizens: Vec<Uuid> = citizens.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query_as!(
        Raw,
        r#"SELECT r.citizen_id AS "citizen_id?", r.wrapped_key AS "wrapped_key?", r.key_generation AS "key_generation?",
                  r.sealed AS "sealed?", r.record_hash AS "record_hash?", r.copied_at AS "copied_at?",
                  EXISTS (SELECT FROM citizen_lock l WHERE l.citizen_id = r.citizen_id AND l.lifted_at IS NULL) AS "has_locks!",
                  NULL::date AS former_until, NULL::timestamptz AS as_of
           FROM register_person r WHERE r.citizen_id = ANY($1)"#,
        &citizens
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().filter_map(|raw| LookedUp::try_from(raw).map(|looked| looked.row).transpose()).collect()
}

/// The row of one citizen.
pub async fn find_by_citizen(tx: &mut Tx, citizen: Id<Citizen>) -> Result<LookedUp> {
    let row = sqlx::query_as!(
        Raw,
        r#"SELECT r.citizen_id AS "citizen_id?", r.wrapped_key AS "wrapped_key?", r.key_generation AS "key_generation?",
                  r.sealed AS "sealed?", r.record_hash AS "record_hash?", r.copied_at AS "copied_at?",
                  EXISTS (SELECT FROM citizen_lock l WHERE l.citizen_id = r.citizen_id AND l.lifted_at IS NULL) AS "has_locks!",
                  NULL::date AS former_until,
                  (SELECT max(started_at) FROM population_import WHERE finished_at IS NOT NULL) AS as_of
           FROM (VALUES ($1::uuid)) AS asked (citizen_id)
           LEFT JOIN register_person r ON r.citizen_id = asked.citizen_id"#,
        citizen.uuid()
    )
    .fetch_one(tx.conn())
    .await?;
    row.try_into()
}

/// The people whom the holder of a number, of today or formerly, may stand for as kin: candidates, whose records say
/// whether that is so; the first twenty.
pub async fn find_wards(tx: &mut Tx, citizen: Id<Citizen>, number_hash: &Digest) -> Result<Vec<RegisterRow>> {
    let rows = sqlx::query_as!(
        Raw,
        r#"SELECT r.citizen_id AS "citizen_id?", r.wrapped_key AS "wrapped_key?", r.key_generation AS "key_generation?",
                  r.sealed AS "sealed?", r.record_hash AS "record_hash?", r.copied_at AS "copied_at?",
                  EXISTS (SELECT FROM citizen_lock l WHERE l.citizen_id = r.citizen_id AND l.lifted_at IS NULL) AS "has_locks!",
                  NULL::date AS former_until, NULL::timestamptz AS as_of
           FROM register_person r WHERE r.citizen_id = ANY (ARRAY(
               SELECT DISTINCT k.citizen_id FROM register_kin k WHERE k.kin_hash = ANY (array_append(
                   ARRAY(SELECT f.number_hash FROM register_former_number f WHERE f.citizen_id = $1), $2))
               ORDER BY k.citizen_id LIMIT 20))
           ORDER BY r.citizen_id"#,
        citizen.uuid(),
        number_hash.as_slice()
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().filter_map(|raw| LookedUp::try_from(raw).map(|looked| looked.row).transpose()).collect()
}

/// Notes who may stand for these people, by keyed hashes of their numbers, in place of what was noted before.
pub async fn put_kin<'a>(
    tx: &mut Tx,
    people: impl Iterator<Item = (Id<Citizen>, &'a [Digest])> + Clone,
) -> Result<()> {
    let of: Vec<Uuid> = people.clone().map(|(citizen, _)| citizen.uuid()).collect();
    let pairs =
        people.flat_map(|(citizen, kin)| kin.iter().map(move |hash| (citizen.uuid(), hash.as_slice())));
    let (citizens, hashes): (Vec<Uuid>, Vec<&[u8]>) = pairs.unzip();
    sqlx::query!(
        r#"WITH new AS (SELECT * FROM unnest($2::uuid[], $3::bytea[]) AS n (citizen_id, kin_hash)),
                gone AS (DELETE FROM register_kin k WHERE k.citizen_id = ANY($1) AND NOT EXISTS
                             (SELECT FROM new n WHERE n.citizen_id = k.citizen_id AND n.kin_hash = k.kin_hash))
           INSERT INTO register_kin (citizen_id, kin_hash) SELECT citizen_id, kin_hash FROM new ON CONFLICT DO NOTHING"#,
        &of,
        &citizens,
        &hashes as &[&[u8]]
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Makes a person of the register one who has dealt with this service; harmless when that happened before.
pub async fn meet(tx: &mut Tx, citizen: Id<Citizen>, number_hash: &Digest, at: Instant) -> Result<()> {
    sqlx::query!(
        "INSERT INTO citizen (id, number_hash, since) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING",
        citizen.uuid(),
        number_hash,
        at
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Keeps the copy of a person, as the remote register vouched for it at `as_of`; a known citizen keeps the key.
pub async fn put_copy(tx: &mut Tx, copy: &StagedPerson, as_of: Instant, at: Instant) -> Result<()> {
    sqlx::query!(
        r#"INSERT INTO register_person
               (citizen_id, number_hash, wrapped_key, key_generation, sealed, record_hash, imported_at, copied_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
           ON CONFLICT (citizen_id) DO UPDATE
           SET number_hash = EXCLUDED.number_hash, sealed = EXCLUDED.sealed, record_hash = EXCLUDED.record_hash,
               imported_at = EXCLUDED.imported_at, copied_at = EXCLUDED.copied_at"#,
        copy.citizen.uuid(),
        copy.number_hash.as_slice(),
        copy.key.bytes,
        i32::try_from(copy.key.generation).unwrap_or(i32::MAX),
        copy.sealed.bytes(),
        copy.record_hash.as_slice(),
        at,
        as_of
    )
    .execute(tx.conn())
    .await?;
    put_kin(tx, std::iter::once((copy.citizen, copy.kin.as_slice()))).await
}

/// Remembers a number that was the citizen's until a day.
pub async fn keep_former_number(
    tx: &mut Tx,
    citizen: Id<Citizen>,
    number_hash: &Digest,
    until: Day,
) -> Result<()> {
    sqlx::query!(
        r#"INSERT INTO register_former_number (number_hash, citizen_id, until) VALUES ($1, $2, $3)
           ON CONFLICT (number_hash) DO NOTHING"#,
        number_hash.as_slice(),
        citizen.uuid(),
        until.date()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Gives a citizen who has dealt with this service the number of today.
pub async fn renumber_citizen(tx: &mut Tx, citizen: Id<Citizen>, number_hash: &Digest) -> Result<()> {
    sqlx::query!("UPDATE citizen SET number_hash = $2 WHERE id = $1", citizen.uuid(), number_hash.as_slice())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Keeps imports and other notices from a person's record until the transaction ends; nobody writes it meanwhile.
pub async fn hold(tx: &mut Tx, citizen: Id<Citizen>) -> Result<()> {
    sqlx::query!("LOCK TABLE register_noticed IN ROW EXCLUSIVE MODE").execute(tx.conn()).await?;
    hold_people(tx, &[citizen]).await?;
    Ok(())
}

/// Locks what is held of these people until the transaction ends; who of them is still held.
pub async fn hold_people(tx: &mut Tx, citizens: &[Id<Citizen>]) -> Result<HashSet<Id<Citizen>>> {
    let citizens: Vec<Uuid> = citizens.iter().map(|id| id.uuid()).collect();
    let held = sqlx::query_scalar!(
        "SELECT citizen_id FROM register_person WHERE citizen_id = ANY($1) ORDER BY citizen_id FOR UPDATE",
        &citizens
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(held.into_iter().map(Id::from_uuid).collect())
}

/// Remembers that a notice told a fact; the later day stays.
pub async fn note_fact(tx: &mut Tx, citizen: Id<Citizen>, fact: Fact, day: Day) -> Result<()> {
    sqlx::query!(
        r#"INSERT INTO register_noticed (citizen_id, fact, day) VALUES ($1, $2, $3)
           ON CONFLICT (citizen_id, fact) DO UPDATE SET day = greatest(register_noticed.day, EXCLUDED.day)"#,
        citizen.uuid(),
        fact.word(),
        day.date()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Lets no notice in until the transaction ends, and waits for those under way.
pub async fn hold_notices(tx: &mut Tx) -> Result<()> {
    sqlx::query!("LOCK TABLE register_noticed IN SHARE MODE").execute(tx.conn()).await?;
    Ok(())
}

/// The facts of these people that notices have told, each with its day.
pub async fn noticed(tx: &mut Tx, citizens: &[Id<Citizen>]) -> Result<Vec<(Id<Citizen>, Fact, Day)>> {
    let citizens: Vec<Uuid> = citizens.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query!(
        "SELECT citizen_id, fact, day FROM register_noticed WHERE citizen_id = ANY($1) ORDER BY citizen_id, fact",
        &citizens
    )
    .fetch_all(tx.conn())
    .await?;
    let fact = rows.into_iter().map(|row| {
        let citizen = Id::from_uuid(row.citizen_id);
        let fact =
            Fact::of(&row.fact).ok_or_else(|| StoreError::corrupt("register_noticed", "fact", citizen))?;
        Ok((citizen, fact, Day::from_date(row.day)))
    });
    fact.collect()
}

/// How many people the register holds.
pub async fn count(store: &Store) -> Result<i64> {
    let count = sqlx::query_scalar!("SELECT count(*) FROM register_person").fetch_one(&store.pool).await?;
    Ok(count.unwrap_or(0))
}

/// What an import did so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ImportCounts {
    /// People who were not on record.
    pub added: u64,
    /// People whose record differs now.
    pub changed: u64,
    /// People whose record was the same.
    pub unchanged: u64,
    /// Rows that could not be read.
    pub rejected: u64,
}

/// Records that an import began.
pub async fn begin_import(tx: &mut Tx, import: Uuid, file_day: Option<Day>, at: Instant) -> Result<()> {
    sqlx::query!(
        "INSERT INTO population_import (id, started_at, file_day) VALUES ($1, $2, $3)",
        import,
        at,
        file_day.map(Day::date)
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Records that an import read its file to the end.
pub async fn finish_import(tx: &mut Tx, import: Uuid, counts: ImportCounts, at: Instant) -> Result<()> {
    let of = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    sqlx::query!(
        r#"UPDATE population_import SET finished_at = $2, added = $3, changed = $4, unchanged = $5, rejected = $6
           WHERE id = $1"#,
        import,
        at,
        of(counts.added),
        of(counts.changed),
        of(counts.unchanged),
        of(counts.rejected)
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Forgets which numbers an import has met.
pub async fn forget_seen(tx: &mut Tx) -> Result<()> {
    sqlx::query!("TRUNCATE population_seen").execute(tx.conn()).await?;
    Ok(())
}

/// Notes numbers as met and gives back the lines on which each was met for the first time; the hashes are distinct.
pub async fn note_seen(tx: &mut Tx, number_hashes: &[Digest], lines: &[i64]) -> Result<Vec<i64>> {
    let hashes: Vec<&[u8]> = number_hashes.iter().map(Digest::as_slice).collect();
    let first = sqlx::query_scalar!(
        r#"INSERT INTO population_seen (number_hash, line) SELECT * FROM unnest($1::bytea[], $2::bigint[])
           ON CONFLICT DO NOTHING RETURNING line"#,
        &hashes as &[&[u8]],
        lines
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(first)
}

/// A sealed record on its way into the register.
pub struct StagedPerson {
    /// Whom it is about.
    pub citizen: Id<Citizen>,
    /// Keyed hash of the number.
    pub number_hash: Digest,
    /// The citizen's data key, wrapped.
    pub key: WrappedKey,
    /// The record.
    pub sealed: Sealed<Person>,
    /// Keyed hash of the record.
    pub record_hash: Digest,
    /// Keyed hashes of the numbers of those who may act for the person.
    pub kin: Vec<Digest>,
}

/// Brings records to the staging table with COPY.
pub async fn stage(tx: &mut Tx, people: &[StagedPerson]) -> Result<()> {
    let mut rows = CopyRows::with_room(people.len() * 512);
    for person in people {
        let generation = i32::try_from(person.key.generation).unwrap_or(i32::MAX).to_be_bytes();
        rows.row(6)
            .field(Some(person.citizen.uuid().as_bytes()))
            .field(Some(&person.number_hash))
            .field(Some(&person.key.bytes))
            .field(Some(&generation))
            .field(Some(person.sealed.bytes()))
            .field(Some(&person.record_hash));
    }
    let into =
        "COPY population_staging (citizen_id, number_hash, wrapped_key, key_generation, sealed, record_hash)
        FROM STDIN (FORMAT binary)";
    tx.copy(into, rows).await
}

/// Merges the staged records: new people are added, known ones change where their record does.
pub async fn merge_staged(tx: &mut Tx, at: Instant) -> Result<u64> {
    let done = sqlx::query!(
        r#"INSERT INTO register_person
               (citizen_id, number_hash, wrapped_key, key_generation, sealed, record_hash, imported_at)
           SELECT citizen_id, number_hash, wrapped_key, key_generation, sealed, record_hash, $1 FROM population_staging
           ON CONFLICT (number_hash) DO UPDATE
           SET sealed = EXCLUDED.sealed, record_hash = EXCLUDED.record_hash, imported_at = EXCLUDED.imported_at
           WHERE register_person.record_hash <> EXCLUDED.record_hash
             AND register_person.citizen_id = EXCLUDED.citizen_id"#,
        at
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

/// Empties the staging table.
pub async fn clear_staged(tx: &mut Tx) -> Result<()> {
    sqlx::query!("TRUNCATE population_staging").execute(tx.conn()).await?;
    Ok(())
}

struct Raw {
    citizen_id: Option<Uuid>,
    wrapped_key: Option<Vec<u8>>,
    key_generation: Option<i32>,
    sealed: Option<Vec<u8>>,
    record_hash: Option<Vec<u8>>,
    copied_at: Option<Instant>,
    former_until: Option<time::Date>,
    has_locks: bool,
    as_of: Option<Instant>,
}

impl TryFrom<Raw> for LookedUp {
    type Error = StoreError;

    fn try_from(raw: Raw) -> Result<Self> {
        let (as_of, copied_at) = (raw.as_of, raw.copied_at);
        let former_until = raw.former_until.map(Day::from_date);
        let (Some(citizen), Some(bytes), Some(generation), Some(sealed), Some(record_hash)) =
            (raw.citizen_id, raw.wrapped_key, raw.key_generation, raw.sealed, raw.record_hash)
        else {
            return Ok(Self { as_of, row: None });
        };
        let citizen = Id::from_uuid(citizen);
        let generation = u32::try_from(generation)
            .map_err(|_| StoreError::corrupt("register_person", "key_generation", citizen))?;
        let key = WrappedKey { bytes, generation };
        let sealed = Sealed::new(sealed, generation);
        Ok(Self {
            as_of,
            row: Some(RegisterRow {
                citizen,
                key,
                sealed,
                record_hash,
                copied_at,
                former_until,
                has_locks: raw.has_locks,
            }),
        })
    }
}
