//! Days that are matched beside the request that asked for it: who works at which, and how far it is.

use super::{Result, Tx, moved_one};
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{self, Account, Agency, Citizen, Client, Id, Statement, StatementImport},
};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Who asks for a day.
#[derive(Debug, Clone, Copy)]
pub enum Asker {
    /// A person at a page.
    Person(Id<Citizen>),
    /// An agency's system.
    System(Id<Client>),
}

/// A day about to be asked for.
#[derive(Debug, Clone, Copy)]
pub struct NewLongDay {
    /// Its identifier.
    pub id: Id<id::LongDay>,
    /// The collecting account.
    pub account: Id<Account>,
    /// The bank's business day.
    pub day: Day,
    /// The import that is matched; else the bank is asked.
    pub import: Option<Id<StatementImport>>,
    /// How many lines it has, where that is known.
    pub lines: Option<i32>,
    /// Who asks, and when.
    pub asked: (Asker, Instant),
}

/// Asks for a day; the one that waits already, where one does.
pub async fn ask(tx: &mut Tx, new: &NewLongDay) -> Result<Id<id::LongDay>> {
    let (person, system) = match new.asked.0 {
        Asker::Person(citizen) => (Some(citizen.uuid()), None),
        Asker::System(client) => (None, Some(client.uuid())),
    };
    let id = sqlx::query_scalar!(
        r#"insert into long_day (id, account_id, day, import_id, lines, asked_by, asked_client, asked_at, state)
           values ($1, $2, $3, $4, $5, $6, $7, $8, 'waiting')
           on conflict (account_id, day) where state = 'waiting' and import_id is null do update set tries = long_day.tries
           returning id"#,
        new.id.uuid(),
        new.account.uuid(),
        new.day.date(),
        new.import.map(Id::uuid),
        new.lines,
        person,
        system,
        new.asked.1,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(Id::from_uuid(id))
}

/// A day that a run has taken up.
#[derive(Debug, Clone, Copy)]
pub struct Taken {
    /// Its identifier.
    pub id: Id<id::LongDay>,
    /// The collecting account.
    pub account: Id<Account>,
    /// The bank's business day.
    pub day: Day,
    /// The import that is matched; else the bank is asked.
    pub import: Option<Id<StatementImport>>,
    /// The run.
    pub holder: Uuid,
    /// How often it was taken up, this time included.
    pub tries: i32,
}

/// Takes a day up at which nobody works: that one, or the one that has waited longest. The run holds it until then.
pub async fn take(
    tx: &mut Tx,
    one: Option<Id<id::LongDay>>,
    holder: Uuid,
    (now, until): (Instant, Instant),
) -> Result<Option<Taken>> {
    let row = sqlx::query!(
        "update long_day set holder = $2, held_until = $4, tries = tries + 1
         where id = (
             select id from long_day
             where state = 'waiting' and (held_until is null or held_until < $3) and ($1::uuid is null or id = $1)
             order by id limit 1 for update skip locked)
         returning id, account_id, day, import_id, tries",
        one.map(Id::uuid),
        holder,
        now,
        until,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| Taken {
        id: Id::from_uuid(row.id),
        account: Id::from_uuid(row.account_id),
        day: Day::from_date(row.day),
        import: row.import_id.map(Id::from_uuid),
        holder,
        tries: row.tries,
    }))
}

/// How far a run is: what it does, with how many lines it is done, and of how many.
pub type Progress<'a> = (&'a str, usize, Option<usize>);

/// Says that a run lives and how far it is, and holds its day until then; false when the day is no longer its own.
pub async fn tell(tx: &mut Tx, of: &Taken, until: Instant, far: Option<Progress<'_>>) -> Result<bool> {
    let number = |many: usize| i32::try_from(many).unwrap_or(i32::MAX);
    let done = sqlx::query!(
        "update long_day set held_until = $3, step = coalesce($4, step), so_far = coalesce($5, so_far),
             of_all = case when $4::text is null then of_all else $6 end
         where id = $1 and holder = $2 and state = 'waiting'",
        of.id.uuid(),
        of.holder,
        until,
        far.map(|far| far.0),
        far.map(|far| number(far.1)),
        far.and_then(|far| far.2).map(number),
    )
    .execute(tx.conn())
    .await?;
    Ok(moved_one(&done))
}

/// Ends a day in the transaction that keeps it, or with a refusal; false when another run has it.
pub async fn end(tx: &mut Tx, of: &Taken, refusal: Option<&str>, at: Instant) -> Result<bool> {
    let done = sqlx::query!(
        "update long_day set state = case when $3::text is null then 'done' else 'refused' end, refusal = $3, ended_at = $4
         where id = $1 and holder = $2 and state = 'waiting'",
        of.id.uuid(),
        of.holder,
        refusal,
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(moved_one(&done))
}

/// A day as its page shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Its identifier.
    pub id: Id<id::LongDay>,
    /// Who answers for the account.
    pub heir: Id<Agency>,
    /// The account's number.
    pub account: String,
    /// The bank's business day.
    pub day: Day,
    /// Whether a file is matched; else the bank is asked.
    pub of_file: bool,
    /// `waiting`, `done` or `refused`.
    pub state: String,
    /// What the run does.
    pub step: Option<String>,
    /// With how many lines it is done, and of how many.
    pub far: (i32, Option<i32>),
    /// How many lines it has, where that is known.
    pub lines: Option<i32>,
    /// How often it was taken up.
    pub tries: i32,
    /// The code of why it cannot be matched.
    pub refusal: Option<String>,
    /// How many of its lines were matched, and how many it has: of the statement as it stands.
    pub matched: Option<(i32, i32)>,
    /// That statement.
    pub statement: Option<Id<Statement>>,
}

/// That day of an account for which one of these agencies answers.
pub async fn of_agencies(
    tx: &mut Tx,
    agencies: &[Id<Agency>],
    day: Id<id::LongDay>,
) -> Result<Option<Shown>> {
    let agencies: Vec<Uuid> = agencies.iter().map(|id| id.uuid()).collect();
    let row = sqlx::query!(
        r#"select d.id, coalesce(a.heir_id, a.owner_id) as "heir!", a.number, d.day, d.import_id, d.state, d.step, d.so_far,
               d.of_all, d.lines, d.tries, d.refusal, s.id as "statement?", s.matched as "matched?",
               s.lines as "of_statement?"
           from long_day d join collecting_account a on a.id = d.account_id
           left join statement_now s on s.account_id = d.account_id and s.day = d.day and d.state = 'done'
           where coalesce(a.heir_id, a.owner_id) = any($1) and d.id = $2"#,
        &agencies,
        day.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| Shown {
        id: Id::from_uuid(row.id),
        heir: Id::from_uuid(row.heir),
        account: row.number,
        day: Day::from_date(row.day),
        of_file: row.import_id.is_some(),
        state: row.state,
        step: row.step,
        far: (row.so_far, row.of_all),
        lines: row.lines,
        tries: row.tries,
        refusal: row.refusal,
        matched: row.matched.zip(row.of_statement),
        statement: row.statement.map(Id::from_uuid),
    }))
}

/// Under which name the days of these imports are matched.
pub async fn of_imports(
    tx: &mut Tx,
    imports: &[Id<StatementImport>],
) -> Result<BTreeMap<Id<StatementImport>, Id<id::LongDay>>> {
    let imports: Vec<Uuid> = imports.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query!(
        r#"select id, import_id as "import!" from long_day where import_id = any($1)"#,
        &imports
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (Id::from_uuid(row.import), Id::from_uuid(row.id))).collect())
}
