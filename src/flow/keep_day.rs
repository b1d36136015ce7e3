//! The lines of a day, kept in chunks as they are read: one pass, and nothing of it is in memory when the next chunk comes. A
//! statement that does not add up is found out at its end, and then nothing was kept. A day that is known is read before
//! anything is written: mostly it is told as before.

use super::{
    Error, Result,
    line_told::seal_told,
    match_day::Matching,
    revise_statement::Revision,
    told_lines::{Lines, Step, Telling},
};
use crate::{
    base::id::Id,
    codec::iso20022::{Direction, Entry},
    payment::statement::{Balances, Movement, Reading, Refusal, Statement},
    store::{
        Tx, sift,
        statement::{self, NewLine, StoredStatement},
        statement_revision as revisions, told_again,
    },
};
use uuid::Uuid;

impl Matching<'_> {
    /// Keeps the statement, or finds it kept.
    pub(super) async fn keep(&mut self, tx: &mut Tx, telling: &Telling) -> Result<()> {
        let Some(before) = statement::of_day(tx, self.account.id, telling.day).await? else {
            return self.keep_first(tx, telling).await;
        };
        let (mut reading, mut chunks) = (self.reading(telling), Chunks::of(telling));
        let mut read = 0;
        while let Some(entries) = chunks.next(tx).await? {
            taken(&mut reading, &entries)?;
            read += entries.len();
            (self.watch)(Step::Read(read, telling.lines.many().unwrap_or(read)));
        }
        let told = reading.finish().map_err(refused)?;
        self.went = told.went;
        if before.digest == told.digest {
            self.stored = before;
            return Ok(());
        }
        self.keep_again(tx, before, &told, telling).await
    }

    async fn keep_first(&mut self, tx: &mut Tx, telling: &Telling) -> Result<()> {
        self.stored.day = telling.day;
        let (mut reading, mut chunks) = (self.reading(telling), Chunks::of(telling));
        let mut kept = 0;
        while let Some(entries) = chunks.next(tx).await? {
            let movements = taken(&mut reading, &entries)?;
            let lines: Vec<(&Entry, &Movement)> = entries.iter().zip(&movements).collect();
            self.put(tx, &lines, kept, None).await?;
            kept += entries.len();
            (self.watch)(Step::Kept(kept, telling.lines.many().unwrap_or(kept)));
        }
        let told = reading.finish().map_err(refused)?;
        self.stored = StoredStatement { day: told.day, ..as_told(&self.stored, &told, telling) };
        statement::insert(tx, &self.stored).await?;
        (self.went, self.changed) = (told.went, true);
        Ok(())
    }

    /// Keeps another telling of a day that was told before; what stays keeps its lines.
    async fn keep_again(
        &mut self,
        tx: &mut Tx,
        before: StoredStatement,
        told: &Statement,
        telling: &Telling,
    ) -> Result<()> {
        let account = self.account.id;
        sift::widen(tx, before.lines.max(told.lines)).await?;
        told_again::begin(tx, account).await?;
        let (mut place, mut chunks) = (0, Chunks::of(telling));
        while let Some(entries) = chunks.next(tx).await? {
            let movements: Vec<Movement> = entries.iter().map(movement).collect::<Result<_>>()?;
            told_again::put(tx, account, place, &movements).await?;
            place += movements.len();
            (self.watch)(Step::Kept(place, told.lines));
        }
        let version = before.version + 1;
        let mut revision = Revision::new(self.app, self.now, (version, before.digest));
        revisions::insert(tx, (revision.id, before.id, version), told, telling.message, self.now).await?;
        (revision.came, revision.gone) = told_again::compare(tx, account, before.id, revision.id).await?;
        self.stored = StoredStatement { version, ..as_told(&before, told, telling) };
        self.add_new(tx, telling, revision.id).await?;
        told_again::begin(tx, account).await?;
        revision.withdraw(self.app, tx, self.now).await?;
        (self.revision, self.changed) = (Some(revision), true);
        Ok(())
    }

    /// Keeps the lines of another telling that the one before did not have.
    async fn add_new(&self, tx: &mut Tx, telling: &Telling, revision: Uuid) -> Result<()> {
        let mut last = revisions::last_number(tx, self.stored.id).await?;
        let (mut place, mut chunks) = (0, Chunks::of(telling));
        while let Some(entries) = chunks.next(tx).await? {
            let new = told_again::new_places(tx, self.account.id, place, entries.len()).await?;
            let came = (place..).zip(&entries).filter(|(at, _)| new.contains(at)).map(|(_, entry)| entry);
            let came: Vec<(&Entry, Movement)> =
                came.map(|entry| Ok((entry, movement(entry)?))).collect::<Result<_>>()?;
            let lines: Vec<(&Entry, &Movement)> = came.iter().map(|(entry, moved)| (*entry, moved)).collect();
            self.put(tx, &lines, last, Some(revision)).await?;
            last += lines.len();
            place += entries.len();
        }
        Ok(())
    }

    /// Keeps lines, the first of them at the place after `from`.
    async fn put(
        &self,
        tx: &mut Tx,
        lines: &[(&Entry, &Movement)],
        from: usize,
        revision: Option<Uuid>,
    ) -> Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let from = i32::try_from(from).map_err(Error::internal)?;
        let ids = Id::series(self.now, from.unsigned_abs(), lines.len(), &*self.app.entropy);
        let new = lines.iter().zip(ids).map(|((entry, moved), id)| NewLine {
            id,
            reference: moved.reference.as_str(),
            amount: moved.amount,
            named: moved.named,
            accepted: entry.accepted,
            value_on: Some(entry.value).filter(|day| *day != self.stored.day),
        });
        let new: Vec<NewLine<'_>> = new.collect();
        statement::insert_lines(tx, (self.stored.id, self.account.id), from, &new, revision).await?;
        let entries = lines.iter().map(|(entry, _)| *entry);
        let told = seal_told(&*self.app.entropy, &self.key, (self.stored.id, from), entries)?;
        Ok(statement::insert_told(tx, self.stored.id, &told).await?)
    }

    fn reading(&self, telling: &Telling) -> Reading {
        let balances = Balances { opening: telling.balances.0, closing: telling.balances.1 };
        Reading::of(self.account.id, telling.day, balances)
    }
}

/// Movements that were read.
fn taken(reading: &mut Reading, entries: &[Entry]) -> Result<Vec<Movement>> {
    let movements = entries.iter().map(|entry| {
        let moved = movement(entry)?;
        reading.take(&moved).map_err(refused)?;
        Ok(moved)
    });
    movements.collect()
}

fn refused(why: Refusal) -> Error {
    Error::refused(why.code())
}

/// One chunk after the other.
struct Chunks<'a> {
    lines: &'a dyn Lines,
    nth: usize,
}

impl<'a> Chunks<'a> {
    fn of(telling: &'a Telling) -> Self {
        Self { lines: &*telling.lines, nth: 0 }
    }

    async fn next(&mut self, tx: &mut Tx) -> Result<Option<Vec<Entry>>> {
        let entries = self.lines.chunk(tx, self.nth).await?;
        self.nth += 1;
        Ok(if entries.is_empty() { None } else { Some(entries) })
    }
}

/// What the message says, in the words of the domain.
fn movement(entry: &Entry) -> Result<Movement> {
    let amount = match entry.direction {
        Direction::Credit => entry.amount,
        Direction::Debit => entry.amount.negated().map_err(Error::internal)?,
    };
    let named = entry.end_to_end_id().map(|id| Id::from_uuid(id.0));
    Ok(Movement { reference: entry.reference.clone(), amount, named })
}

fn as_told(stored: &StoredStatement, told: &Statement, telling: &Telling) -> StoredStatement {
    StoredStatement {
        digest: told.digest,
        message: telling.message,
        opening: told.balances.opening,
        closing: told.balances.closing,
        lines: told.lines,
        ..*stored
    }
}
