//! Closings that are folded beside the request that asked for them: who works at which, and how far it is.

use super::{Result, StoreError, Tx, moved_one};
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{Agency, Citizen, Closing, Id},
};
use crate::payment::closing::Period;
use uuid::Uuid;

/// A closing about to be asked for.
#[derive(Debug, Clone, Copy)]
pub struct NewLongClosing {
    /// The name that the closing will have.
    pub id: Id<Closing>,
    /// Whose accounting.
    pub agency: Id<Agency>,
    /// What it closes.
    pub period: Period,
    /// Who asks, and when.
    pub asked: (Id<Citizen>, Instant),
}

/// Asks for a closing; the one that waits already, where one does.
pub async fn ask(tx: &mut Tx, new: &NewLongClosing) -> Result<Id<Closing>> {
    let id = sqlx::query_scalar!(
        "insert into long_closing (id, agency_id, kind, first_day, last_day, asked_by, asked_at, state)
         values ($1, $2, $3, $4, $5, $6, $7, 'waiting')
         on conflict (agency_id, kind, first_day) where state = 'waiting' do update set tries = long_closing.tries
         returning id",
        new.id.uuid(),
        new.agency.uuid(),
        new.period.kind.as_str(),
        new.period.first.date(),
        new.period.last.date(),
        new.asked.0.uuid(),
        new.asked.1,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(Id::from_uuid(id))
}

/// A closing that a run has taken up.
#[derive(Debug, Clone, Copy)]
pub struct Taken {
    /// What was asked for, and by whom.
    pub asked: NewLongClosing,
    /// The run.
    pub holder: Uuid,
    /// How often it was taken up, this time included.
    pub tries: i32,
}

/// Takes up the closing that has waited longest of those at which nobody works. The run holds it until then.
pub async fn take(tx: &mut Tx, holder: Uuid, (now, until): (Instant, Instant)) -> Result<Option<Taken>> {
    let row = sqlx::query!(
        "update long_closing set holder = $1, held_until = $3, tries = tries + 1
         where id = (
             select id from long_closing
             where state = 'waiting' and (held_until is null or held_until < $2)
             order by id limit 1 for update skip locked)
         returning id, agency_id, kind, first_day, last_day, asked_by, asked_at, tries",
        holder,
        now,
        until,
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| {
        let id = Id::from_uuid(row.id);
        let period = period(id, &row.kind, (row.first_day, row.last_day))?;
        let asked = (Id::from_uuid(row.asked_by), row.asked_at);
        let asked = NewLongClosing { id, agency: Id::from_uuid(row.agency_id), period, asked };
        Ok(Taken { asked, holder, tries: row.tries })
    })
    .transpose()
}

/// How far a run is: what it does, with how many it is done, and of how many.
pub type Progress<'a> = (&'a str, i64, i64);

/// Says that a run lives and how far it is, and holds its closing until then; false when it is no longer its own.
pub async fn tell(tx: &mut Tx, of: &Taken, until: Instant, far: Option<Progress<'_>>) -> Result<bool> {
    let done = sqlx::query!(
        "update long_closing set held_until = $3, step = coalesce($4, step), so_far = coalesce($5, so_far),
             of_all = coalesce($6, of_all)
         where id = $1 and holder = $2 and state = 'waiting'",
        of.asked.id.uuid(),
        of.holder,
        until,
        far.map(|far| far.0),
        far.map(|far| far.1),
        far.map(|far| far.2),
    )
    .execute(tx.conn())
    .await?;
    Ok(moved_one(&done))
}

/// Ends it in the transaction that prepares the closing, or with a refusal and what stands in the way; false when another run
/// has it.
pub async fn end(
    tx: &mut Tx,
    of: &Taken,
    refused: Option<(&str, Option<&str>)>,
    at: Instant,
) -> Result<bool> {
    let done = sqlx::query!(
        "update long_closing set state = case when $3::text is null then 'done' else 'refused' end, refusal = $3, about = $4,
             ended_at = $5
         where id = $1 and holder = $2 and state = 'waiting'",
        of.asked.id.uuid(),
        of.holder,
        refused.map(|refused| refused.0),
        refused.and_then(|refused| refused.1),
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(moved_one(&done))
}

/// A closing that is not prepared yet, as pages show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The name that it will have.
    pub id: Id<Closing>,
    /// Whose accounting.
    pub agency: Id<Agency>,
    /// What it closes.
    pub period: Period,
    /// When it was asked for.
    pub asked_at: Instant,
    /// Whether it waits; else it was refused.
    pub waits: bool,
    /// What the run does.
    pub step: Option<String>,
    /// With how many it is done, and of how many.
    pub far: (i64, Option<i64>),
    /// How often it was taken up.
    pub tries: i32,
    /// The code of why it cannot be prepared, and the day that stands in the way.
    pub refused: Option<(String, Option<String>)>,
}

/// What these agencies have asked for and is not there: that one, or the newest since then, without those whose time was
/// closed by another all the same.
pub async fn unfinished(
    tx: &mut Tx,
    agencies: &[Id<Agency>],
    one: Option<Id<Closing>>,
    (since, limit): (Instant, i64),
) -> Result<Vec<Shown>> {
    let agencies: Vec<Uuid> = agencies.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query!(
        "select id, agency_id, kind, first_day, last_day, asked_at, state, step, so_far, of_all, tries, refusal, about
         from long_closing l
         where agency_id = any($1) and state <> 'done' and coalesce(id = $2, asked_at >= $3 and (state = 'waiting' or not exists (
             select from closing c where c.agency_id = l.agency_id and c.kind = l.kind and c.first_day = l.first_day
                 and c.state <> 'withdrawn')))
         order by id desc limit $4",
        &agencies,
        one.map(Id::uuid),
        since,
        limit,
    )
    .fetch_all(tx.conn())
    .await?;
    let shown = rows.into_iter().map(|row| {
        let id = Id::from_uuid(row.id);
        Ok(Shown {
            id,
            agency: Id::from_uuid(row.agency_id),
            period: period(id, &row.kind, (row.first_day, row.last_day))?,
            asked_at: row.asked_at,
            waits: row.state == "waiting",
            step: row.step,
            far: (row.so_far, row.of_all),
            tries: row.tries,
            refused: row.refusal.map(|code| (code, row.about)),
        })
    });
    shown.collect()
}

fn period(id: Id<Closing>, kind: &str, (first, last): (time::Date, time::Date)) -> Result<Period> {
    let kind = kind.parse().map_err(|_| StoreError::corrupt("long_closing", "kind", id))?;
    Ok(Period { kind, first: Day::from_date(first), last: Day::from_date(last) })
}
