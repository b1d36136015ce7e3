//! Brings a population file into the local register: a million rows with the memory of a few thousand.
//!
//! A thread reads the next lines while the rows before them are merged; parsing and sealing use both halves of the
//! machine. Each chunk is one transaction, so an import that is cut short has done its first chunks and can simply be
//! run again: a record that is already there as the file has it is not written. A person keeps identity and data key
//! whatever changes in the record. Nobody is removed: who is missing from a file stays on record. What a notice of the
//! register told on the file's day or later stays as the notice said it ([`noticed`]).

use super::population::record_place;
use super::population_file::{Header, Lines, NotAPopulation, RawLine, Reject};
use super::{Error, Result, person_record};
use crate::app::App;
use crate::base::calendar::Day;
use crate::base::clock::Instant;
use crate::base::entropy::random;
use crate::base::id::{Citizen, Id};
use crate::crypto::digest::Digest;
use crate::crypto::seal::WrappedKey;
use crate::identity::noticed::{self, Fact};
use crate::identity::personal_number::Finding;
use crate::store::Tx;
use crate::store::register::{self, ImportCounts, LookedUp, StagedPerson};
use std::collections::{HashMap, HashSet};
use std::io::Read;
use tokio::sync::mpsc;
use uuid::Uuid;

/// Rows that are merged in one transaction.
const CHUNK: usize = 10_000;
/// The advisory lock that lets one import run at a time.
const IMPORT_LOCK: i64 = 0x706f_7075_6c61;

/// What an import has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// People added, changed, found unchanged, and lines left out.
    pub counts: ImportCounts,
    /// Numbers whose digits disagree with the record beside them; the rows are taken.
    pub findings: u64,
    /// Lines of people about whom a later notice told something else, which stays.
    pub noticed: u64,
    /// How much of the file was read.
    pub bytes: u64,
}

/// Why an import stopped. What was merged before stays merged.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// The file cannot be read, or is no population file.
    #[error(transparent)]
    File(#[from] NotAPopulation),
    /// The place for rejected lines cannot be written.
    #[error("the rejected lines cannot be written: {0}")]
    Rejects(std::io::Error),
    /// The register cannot be written.
    #[error("the register cannot be written: {0:?}")]
    Store(Error),
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

/// Who hears of an import while it runs.
pub trait Listener {
    /// A line was left out.
    fn rejected(&mut self, reject: &Reject) -> std::io::Result<()>;
    /// A chunk was merged.
    fn progressed(&mut self, progress: &Progress);
}

/// Imports a file that was drawn from the register on that day, if that is known. A bad line is told to the listener
/// and never stops the rest.
pub async fn import_population(
    app: &App,
    input: impl Read + Send + 'static,
    file_day: Option<Day>,
    listener: &mut impl Listener,
) -> std::result::Result<Progress, Stopped> {
    let (header, lines) = Lines::open(input)?;
    let turn = take_turn(app).await?;
    let import = begin(app, file_day).await?;
    let (sender, mut chunks) = mpsc::channel(1);
    let reader = app.clone();
    let reading = tokio::task::spawn_blocking(move || read_chunks(&reader, &header, lines, &sender));
    let mut progress = Progress::default();
    while let Some(chunk) = chunks.recv().await {
        let bytes = chunk.bytes;
        for reject in merge(app, chunk, file_day, &mut progress).await? {
            listener.rejected(&reject).map_err(Stopped::Rejects)?;
        }
        progress.bytes = bytes;
        listener.progressed(&progress);
    }
    reading.await.map_err(Error::internal)?.map_err(NotAPopulation::Io)?;
    finish(app, import, progress.counts).await?;
    // Dropped, the transaction would end only some time later, and a next import at once would find the lock held.
    turn.commit().await.map_err(Error::from)?;
    Ok(progress)
}

/// One import at a time: this transaction writes nothing and holds the lock until the import ends, even by a crash.
async fn take_turn(app: &App) -> Result<Tx> {
    let mut turn = app.store.begin().await?;
    if turn.try_lock(IMPORT_LOCK).await? { Ok(turn) } else { Err(Error::conflict("import_running")) }
}

/// Lines that were read together.
struct Chunk {
    rows: Vec<Row>,
    rejects: Vec<Reject>,
    bytes: u64,
}

/// One person as the file has them, ready to be compared and sealed.
struct Row {
    line: u64,
    number_hash: Digest,
    record_hash: Digest,
    record: Vec<u8>,
    kin: Vec<Digest>,
    odd: bool,
}

async fn begin(app: &App, file_day: Option<Day>) -> Result<Uuid> {
    let now = app.clock.now();
    let import = Uuid::from_bytes(random(&*app.entropy));
    let mut tx = app.store.begin().await?;
    register::forget_seen(&mut tx).await?;
    register::begin_import(&mut tx, import, file_day, now).await?;
    tx.commit().await?;
    Ok(import)
}

async fn finish(app: &App, import: Uuid, counts: ImportCounts) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    register::forget_seen(&mut tx).await?;
    register::finish_import(&mut tx, import, counts, now).await?;
    Ok(tx.commit().await?)
}

fn read_chunks<R: Read>(
    app: &App,
    header: &Header,
    mut lines: Lines<R>,
    sender: &mpsc::Sender<Chunk>,
) -> std::io::Result<()> {
    let today = Day::of(app.clock.now());
    loop {
        let raw = lines.chunk(CHUNK)?;
        if raw.is_empty() {
            return Ok(());
        }
        let mut chunk =
            Chunk { rows: Vec::with_capacity(raw.len()), rejects: Vec::new(), bytes: lines.bytes() };
        for row in in_halves(&raw, |line| row(app, header, line, today)) {
            match row {
                Ok(row) => chunk.rows.push(row),
                Err(reject) => chunk.rejects.push(reject),
            }
        }
        if sender.blocking_send(chunk).is_err() {
            return Ok(());
        }
    }
}

fn row(app: &App, header: &Header, raw: &RawLine, today: Day) -> std::result::Result<Row, Reject> {
    let person = header.person(raw)?;
    let record = person_record::encode(&person);
    let findings = person.number.findings(Some(person.sex), Some(person.birth_date));
    Ok(Row {
        line: raw.line,
        number_hash: super::population::number_hash(app, &person.number),
        record_hash: app.keys.lookup("register_person", &record),
        record,
        kin: super::population::kin_hashes(app, &person, today),
        odd: findings.iter().any(|finding| *finding != Finding::UnknownPlace),
    })
}

/// Does the same to every item, one half on a thread of its own, and keeps the order.
fn in_halves<T: Sync, O: Send>(items: &[T], work: impl Fn(&T) -> O + Sync) -> Vec<O> {
    let (left, right) = items.split_at(items.len() / 2);
    std::thread::scope(|scope| {
        let other = scope.spawn(|| right.iter().map(&work).collect::<Vec<O>>());
        let mut done: Vec<O> = left.iter().map(&work).collect();
        match other.join() {
            Ok(rest) => done.extend(rest),
            Err(panic) => std::panic::resume_unwind(panic),
        }
        done
    })
}

/// Merges one chunk in one transaction and gives back the lines left out.
async fn merge(
    app: &App,
    chunk: Chunk,
    file_day: Option<Day>,
    progress: &mut Progress,
) -> Result<Vec<Reject>> {
    let now = app.clock.now();
    let Chunk { mut rows, mut rejects, .. } = chunk;
    let mut tx = app.store.begin().await?;
    rejects.extend(drop_repeated(&mut tx, &mut rows).await?);
    let hashes: Vec<Digest> = rows.iter().map(|row| row.number_hash).collect();
    register::hold_notices(&mut tx).await?;
    let known = register::find_all(&mut tx, &hashes).await?;
    progress.noticed += keep_noticed(app, &mut tx, &mut rows, &known, file_day).await?;
    let odd = rows.iter().filter(|row| row.odd).count() as u64;
    let mut counts = ImportCounts { rejected: rejects.len() as u64, ..ImportCounts::default() };
    let (mut pending, mut same) = (Vec::new(), Vec::new());
    for (row, known) in rows.into_iter().zip(known) {
        match &known.row {
            Some(before) if before.former_until.is_some() => {
                counts.rejected += 1;
                let reason = "number: was somebody's formerly; the line needs the new one".to_owned();
                rejects.push(Reject { line: row.line, reason });
                continue;
            }
            Some(before) if before.record_hash == row.record_hash => {
                counts.unchanged += 1;
                // Noted again, so that a register of before kin were noted has them after the next file.
                same.extend((!row.kin.is_empty()).then(|| (before.citizen, row.kin.clone())));
            }
            Some(_) => counts.changed += 1,
            None => counts.added += 1,
        }
        if known.row.as_ref().is_none_or(|before| before.record_hash != row.record_hash) {
            pending.push((row, known));
        }
    }
    // Whoever was erased since they were read is not brought back under the key that was destroyed.
    let known: Vec<Id<Citizen>> =
        pending.iter().filter_map(|(_, known)| known.row.as_ref().map(|before| before.citizen)).collect();
    let held = register::hold_people(&mut tx, &known).await?;
    pending.retain(|(row, known)| {
        let stays = known.row.as_ref().is_none_or(|before| held.contains(&before.citizen));
        if !stays {
            counts.changed -= 1;
            counts.rejected += 1;
            let reason = "number: its holder was erased meanwhile; the next file brings them as somebody new";
            rejects.push(Reject { line: row.line, reason: reason.to_owned() });
        }
        stays
    });
    if !pending.is_empty() {
        write(app, &mut tx, pending, now).await?;
    }
    if !same.is_empty() {
        register::put_kin(&mut tx, same.iter().map(|(citizen, kin)| (*citizen, kin.as_slice()))).await?;
    }
    tx.commit().await?;
    progress.findings += odd;
    progress.counts = sum(progress.counts, counts);
    rejects.sort_by_key(|reject| reject.line);
    Ok(rejects)
}

/// Gives the lines of people about whom a later notice told something the facts that are held here; how many.
async fn keep_noticed(
    app: &App,
    tx: &mut Tx,
    rows: &mut [Row],
    known: &[LookedUp],
    file_day: Option<Day>,
) -> Result<u64> {
    let differs = |(row, known): &(&mut Row, &LookedUp)| {
        let held = known.row.as_ref().filter(|held| held.former_until.is_none());
        held.is_some_and(|held| held.record_hash != row.record_hash)
    };
    let differing: Vec<(&mut Row, &LookedUp)> = rows.iter_mut().zip(known).filter(differs).collect();
    let people: Vec<Id<Citizen>> =
        differing.iter().filter_map(|(_, known)| known.row.as_ref().map(|held| held.citizen)).collect();
    if people.is_empty() {
        return Ok(0);
    }
    let mut facts: HashMap<Id<Citizen>, Vec<Fact>> = HashMap::new();
    for (citizen, fact, day) in register::noticed(tx, &people).await? {
        if noticed::holds(day, file_day) {
            facts.entry(citizen).or_default().push(fact);
        }
    }
    let mut kept = 0;
    for (row, known) in differing {
        let Some(held) = &known.row else { continue };
        let Some(facts) = facts.get(&held.citizen) else { continue };
        let key = app.keys.data_key(&held.key, held.citizen.uuid().as_bytes())?;
        let plain = key.open(&record_place(held.citizen), &held.sealed)?;
        let person = person_record::decode(plain.expose()).map_err(Error::internal)?;
        let told = person_record::decode(&row.record).map_err(Error::internal)?;
        let merged = noticed::with_held(told.clone(), &person, facts);
        if merged != told {
            row.record = person_record::encode(&merged);
            row.record_hash = app.keys.lookup("register_person", &row.record);
            kept += 1;
        }
    }
    Ok(kept)
}

/// Only the first line of a number counts; later ones are left out, in this chunk and in all that follow.
async fn drop_repeated(tx: &mut Tx, rows: &mut Vec<Row>) -> Result<Vec<Reject>> {
    let mut met = HashSet::with_capacity(rows.len());
    let (firsts, mut repeated): (Vec<Row>, Vec<Row>) =
        rows.drain(..).partition(|row| met.insert(row.number_hash));
    let hashes: Vec<Digest> = firsts.iter().map(|row| row.number_hash).collect();
    let lines: Vec<i64> = firsts.iter().map(|row| row.line.cast_signed()).collect();
    let new: HashSet<i64> = register::note_seen(tx, &hashes, &lines).await?.into_iter().collect();
    let (fresh, seen): (Vec<Row>, Vec<Row>) =
        firsts.into_iter().partition(|row| new.contains(&row.line.cast_signed()));
    *rows = fresh;
    repeated.extend(seen);
    let reason = "number: stands on an earlier line";
    Ok(repeated.into_iter().map(|row| Reject { line: row.line, reason: reason.to_owned() }).collect())
}

async fn write(app: &App, tx: &mut Tx, pending: Vec<(Row, LookedUp)>, now: Instant) -> Result<()> {
    let sealing = app.clone();
    let sealed = tokio::task::spawn_blocking(move || {
        in_halves(&pending, |(row, known)| seal(&sealing, row, known, now))
            .into_iter()
            .collect::<Result<Vec<_>>>()
    });
    let staged = sealed.await.map_err(Error::internal)??;
    register::stage(tx, &staged).await?;
    let merged = register::merge_staged(tx, now).await?;
    if merged != staged.len() as u64 {
        return Err(Error::internal("a staged record was not merged"));
    }
    register::put_kin(tx, staged.iter().map(|person| (person.citizen, person.kin.as_slice()))).await?;
    Ok(register::clear_staged(tx).await?)
}

/// Seals a record under the citizen's key: the known one, or a new one for somebody new.
fn seal(app: &App, row: &Row, known: &LookedUp, now: Instant) -> Result<StagedPerson> {
    let (citizen, key, wrapped): (_, _, WrappedKey) = match &known.row {
        Some(before) => {
            let key = app.keys.data_key(&before.key, before.citizen.uuid().as_bytes())?;
            (before.citizen, key, before.key.clone())
        }
        None => {
            let citizen = Id::new(now, &*app.entropy);
            let (key, wrapped) = app.keys.new_data_key(&*app.entropy, citizen.uuid().as_bytes());
            (citizen, key, wrapped)
        }
    };
    Ok(StagedPerson {
        citizen,
        number_hash: row.number_hash,
        kin: row.kin.clone(),
        key: wrapped,
        sealed: key.seal(&*app.entropy, &record_place(citizen), &row.record),
        record_hash: row.record_hash,
    })
}

const fn sum(a: ImportCounts, b: ImportCounts) -> ImportCounts {
    ImportCounts {
        added: a.added + b.added,
        changed: a.changed + b.changed,
        unchanged: a.unchanged + b.unchanged,
        rejected: a.rejected + b.rejected,
    }
}
