//! Successors of agencies, and what passes on to them.

use super::{Result, StoreError, Tx};
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{Account, Agency, Bill, Citizen, Id},
    secret::Sealed,
};
use crate::payment::bill::{Lines, Parties};
use crate::store::bill::Trace;
use serde_json::Value;
use std::collections::BTreeMap;
use uuid::Uuid;

/// A succession as it was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Succession {
    /// Who is succeeded.
    pub agency: Id<Agency>,
    /// `merge`, `split` or `rename`.
    pub kind: String,
    /// The first day of the successors.
    pub from: Day,
    /// Each successor with the procedures that it takes; the first takes all others.
    pub successors: Vec<(Id<Agency>, Vec<String>)>,
}

/// Records a decision; false when the agency has successors already.
pub async fn insert(tx: &mut Tx, one: &Succession, by: Id<Citizen>, at: Instant) -> Result<bool> {
    let done = sqlx::query!(
        "insert into agency_succession (agency_id, kind, from_day, decided_by, decided_at)
         values ($1, $2, $3, $4, $5) on conflict (agency_id) do nothing",
        one.agency.uuid(),
        one.kind,
        one.from.date(),
        by.uuid(),
        at,
    )
    .execute(tx.conn())
    .await?;
    if !super::moved_one(&done) {
        return Ok(false);
    }
    for (place, (successor, procedures)) in one.successors.iter().enumerate() {
        insert_successor(tx, one.agency, *successor, place, procedures).await?;
    }
    Ok(true)
}

async fn insert_successor(
    tx: &mut Tx,
    agency: Id<Agency>,
    successor: Id<Agency>,
    place: usize,
    procedures: &[String],
) -> Result<()> {
    sqlx::query!(
        "insert into agency_successor (agency_id, successor_id, place, procedures) values ($1, $2, $3, $4)",
        agency.uuid(),
        successor.uuid(),
        i32::try_from(place).unwrap_or(i32::MAX),
        procedures,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A succession whose day has come and that has not taken effect, locked; others may work on others.
pub async fn due(tx: &mut Tx, today: Day) -> Result<Option<Succession>> {
    let row = sqlx::query!(
        "select agency_id, kind, from_day from agency_succession
         where effected_at is null and from_day <= $1 order by from_day, agency_id limit 1 for update skip locked",
        today.date(),
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let agency = Id::from_uuid(row.agency_id);
    let successors = successors(tx, agency).await?;
    Ok(Some(Succession { agency, kind: row.kind, from: Day::from_date(row.from_day), successors }))
}

async fn successors(tx: &mut Tx, agency: Id<Agency>) -> Result<Vec<(Id<Agency>, Vec<String>)>> {
    let rows = sqlx::query!(
        "select successor_id, procedures from agency_successor where agency_id = $1 order by place",
        agency.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (Id::from_uuid(row.successor_id), row.procedures)).collect())
}

/// A bill on its way to a successor.
pub struct Passing {
    /// The bill.
    pub bill: Id<Bill>,
    /// Its procedure.
    pub procedure: String,
    /// What is owed.
    pub lines: Lines,
    /// The parties.
    pub parties: Sealed<Parties>,
    /// The trace.
    pub trace: Sealed<Trace>,
}

/// An agency's open bills from one on, locked.
pub async fn open_bills(
    tx: &mut Tx,
    agency: Id<Agency>,
    after: Option<Id<Bill>>,
    limit: i64,
) -> Result<Vec<Passing>> {
    let rows = sqlx::query!(
        "select b.id, c.procedure, c.lines, c.parties, c.trace, c.key
         from bill b join bill_content c on c.bill_id = b.id
         where b.agency_id = $1 and b.state = 'open' and ($2::uuid is null or b.id > $2)
         order by b.id limit $3 for no key update of b",
        agency.uuid(),
        after.map(Id::uuid),
        limit,
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            let bad = || StoreError::corrupt("bill_content", "lines", row.id);
            Ok(Passing {
                bill: Id::from_uuid(row.id),
                procedure: row.procedure,
                lines: super::bill_lines::lines(row.lines).ok_or_else(bad)?,
                parties: Sealed::new(row.parties, row.key.cast_unsigned()),
                trace: Sealed::new(row.trace, row.key.cast_unsigned()),
            })
        })
        .collect()
}

/// A bill as its successor holds it.
pub struct Passed {
    /// The bill.
    pub bill: Id<Bill>,
    /// The successor, and the account in which it collects; none for money of another owner, which goes on to that one's.
    pub to: (Id<Agency>, Option<Id<Account>>),
    /// The lines, with the successor's accounts.
    pub lines: Lines,
    /// The parties, sealed under the successor's key.
    pub parties: Sealed<Parties>,
    /// The trace, likewise.
    pub trace: Sealed<Trace>,
}

/// Gives open bills to their successors.
pub async fn pass_bills(tx: &mut Tx, passed: &[Passed]) -> Result<()> {
    let bills: Vec<Uuid> = passed.iter().map(|p| p.bill.uuid()).collect();
    let agencies: Vec<Uuid> = passed.iter().map(|p| p.to.0.uuid()).collect();
    let accounts: Vec<Option<Uuid>> = passed.iter().map(|p| p.to.1.map(Id::uuid)).collect();
    sqlx::query!(
        "update bill b set agency_id = p.agency_id, account_id = coalesce(p.account_id, b.account_id)
         from unnest($1::uuid[], $2::uuid[], $3::uuid[]) as p (bill_id, agency_id, account_id) where b.id = p.bill_id",
        &bills,
        &agencies,
        &accounts as &[Option<Uuid>],
    )
    .execute(tx.conn())
    .await?;
    pass_contents(tx, passed, &bills).await
}

async fn pass_contents(tx: &mut Tx, passed: &[Passed], bills: &[Uuid]) -> Result<()> {
    let parties: Vec<&[u8]> = passed.iter().map(|p| p.parties.bytes()).collect();
    let traces: Vec<&[u8]> = passed.iter().map(|p| p.trace.bytes()).collect();
    let keys: Vec<i32> = passed.iter().map(|p| p.parties.key().cast_signed()).collect();
    let lines: Vec<Value> = passed.iter().map(|p| super::bill_lines::lines_json(&p.lines)).collect();
    sqlx::query!(
        "update bill_content c set parties = p.parties, trace = p.trace, key = p.key, lines = p.lines
         from unnest($1::uuid[], $2::bytea[], $3::bytea[], $4::integer[], $5::jsonb[])
             as p (bill_id, parties, trace, key, lines)
         where c.bill_id = p.bill_id",
        bills,
        &parties as &[&[u8]],
        &traces as &[&[u8]],
        &keys,
        &lines,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A note on a pending case: its words are sealed under the agency's key.
pub struct SealedNote {
    /// Its identifier.
    pub id: Uuid,
    /// Its words.
    pub words: Sealed<Value>,
}

/// The notes with words on an agency's pending cases.
pub async fn pending_notes(tx: &mut Tx, agency: Id<Agency>) -> Result<Vec<SealedNote>> {
    let rows = sqlx::query!(
        r#"select n.id, n.words as "words!", n.key as "key!" from case_note n join "case" c on c.id = n.case_id
         where c.agency_id = $1 and c.state in ('open', 'assigned') and length(n.words) > 0
         order by n.id"#,
        agency.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    let notes = rows
        .into_iter()
        .map(|row| SealedNote { id: row.id, words: Sealed::new(row.words, row.key.cast_unsigned()) });
    Ok(notes.collect())
}

/// Copies notes for a successor, who cannot open the first ones: notes are never changed.
pub async fn copy_notes(tx: &mut Tx, copies: &[(Uuid, SealedNote)]) -> Result<()> {
    let of: Vec<Uuid> = copies.iter().map(|copy| copy.0).collect();
    let ids: Vec<Uuid> = copies.iter().map(|copy| copy.1.id).collect();
    let words: Vec<&[u8]> = copies.iter().map(|copy| copy.1.words.bytes()).collect();
    let keys: Vec<i32> = copies.iter().map(|copy| copy.1.words.key().cast_signed()).collect();
    sqlx::query!(
        "insert into case_note (id, case_id, at, act, citizen_id, client_id, words, key)
         select p.id, n.case_id, n.at, n.act, n.citizen_id, n.client_id, p.words, p.key
         from unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::integer[]) as p (of, id, words, key)
         join case_note n on n.id = p.of",
        &of,
        &ids,
        &words as &[&[u8]],
        &keys,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Gives an agency's pending cases to its successor.
pub async fn pass_cases(tx: &mut Tx, from: Id<Agency>, to: Id<Agency>) -> Result<u64> {
    let done = sqlx::query!(
        r#"update "case" set agency_id = $2 where agency_id = $1 and state in ('open', 'assigned')"#,
        from.uuid(),
        to.uuid(),
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

/// Gives the evidence of reductions that still stands to the successor.
pub async fn pass_evidence(tx: &mut Tx, from: Id<Agency>, to: Id<Agency>) -> Result<()> {
    sqlx::query!(
        "update fee_evidence set agency_id = $2 where agency_id = $1 and revoked_at is null
             and bill_id in (select id from bill where agency_id = $2)",
        from.uuid(),
        to.uuid(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Gives the roles at an agency to the same people at its successor, from its first day on.
pub async fn pass_roles(tx: &mut Tx, from: Id<Agency>, to: Id<Agency>, day: Day, at: Instant) -> Result<u64> {
    let done = sqlx::query!(
        "insert into role_grant (id, citizen_id, agency_id, role, valid_from, valid_to, granted_by, granted_at)
         select gen_random_uuid(), g.citizen_id, $2, g.role, greatest(g.valid_from, $3), g.valid_to, g.granted_by, $4
         from role_grant g where g.agency_id = $1 and g.revoked_at is null and coalesce(g.valid_to >= $3, true)
         on conflict (citizen_id, agency_id, role) where revoked_at is null do nothing",
        from.uuid(),
        to.uuid(),
        day.date(),
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

/// The receipt series of an agency, as they are closed: kind, year and how many numbers were drawn.
pub async fn series(tx: &mut Tx, agency: Id<Agency>) -> Result<Vec<(String, i16, i64)>> {
    let rows = sqlx::query!(
        r#"select kind, year, last - first + 1 as "drawn!" from receipt_series
         where agency_id = $1 and last >= first order by year, kind, letters for update"#,
        agency.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (row.kind, row.year, row.drawn)).collect())
}

/// Ends an agency the day before its successors begin.
pub async fn end_agency(tx: &mut Tx, agency: Id<Agency>, until: Day) -> Result<()> {
    sqlx::query!(
        "update agency set state = 'suspended', valid_until = $2 where id = $1",
        agency.uuid(),
        until.date(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Says that everything has passed on.
pub async fn effected(
    tx: &mut Tx,
    agency: Id<Agency>,
    bills: usize,
    closed: &Value,
    at: Instant,
) -> Result<()> {
    sqlx::query!(
        "update agency_succession set effected_at = $2, bills = $3, closed = $4 where agency_id = $1",
        agency.uuid(),
        at,
        i32::try_from(bills).unwrap_or(i32::MAX),
        closed,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// An agency and everybody whom it succeeded, at any remove.
pub async fn tree_of(tx: &mut Tx, agency: Id<Agency>) -> Result<Vec<Id<Agency>>> {
    let rows = sqlx::query_scalar!(
        r#"with recursive tree (id) as (
             select $1::uuid
             union select s.agency_id from agency_successor s join tree on s.successor_id = tree.id
                 join agency_succession a on a.agency_id = s.agency_id and a.effected_at is not null)
         select id as "id!" from tree order by id"#,
        agency.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(Id::from_uuid).collect())
}

/// An agency with its name, in Vietnamese and English.
pub type Named = (Id<Agency>, (String, String));

/// Everybody whom each of these agencies succeeded, at any remove, with their names, by code.
pub async fn succeeded(tx: &mut Tx, agencies: &[Id<Agency>]) -> Result<BTreeMap<Id<Agency>, Vec<Named>>> {
    let roots: Vec<Uuid> = agencies.iter().map(|agency| agency.uuid()).collect();
    let rows = sqlx::query!(
        r#"with recursive tree (root, id) as (
             select r, r from unnest($1::uuid[]) r
             union select tree.root, s.agency_id from agency_successor s join tree on s.successor_id = tree.id
                 join agency_succession a on a.agency_id = s.agency_id and a.effected_at is not null)
         select t.root as "root!", a.id, a.name_vi, a.name_en from tree t join agency a on a.id = t.id
         where t.id <> t.root order by t.root, a.code"#,
        &roots,
    )
    .fetch_all(tx.conn())
    .await?;
    let mut all: BTreeMap<Id<Agency>, Vec<Named>> = BTreeMap::new();
    for row in rows {
        let old = (Id::from_uuid(row.id), (row.name_vi, row.name_en));
        all.entry(Id::from_uuid(row.root)).or_default().push(old);
    }
    Ok(all)
}

/// From when until when an agency is valid, and who comes after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The day it was registered.
    pub from: Day,
    /// The last day before others take its place.
    pub to: Option<Day>,
    /// Who take it.
    pub successors: Vec<Id<Agency>>,
}

/// The validity of these agencies.
pub async fn spans(tx: &mut Tx, agencies: &[Id<Agency>]) -> Result<BTreeMap<Id<Agency>, Span>> {
    let rows = sqlx::query!(
        r#"select a.id as "id!", a.created_at as "created_at!", s.from_day as "from_day?", array(
               select h.successor_id from agency_successor h where h.agency_id = a.id order by h.place) as "heirs!"
           from agency a left join agency_succession s on s.agency_id = a.id where a.id = any($1)"#,
        &agencies.iter().map(|agency| agency.uuid()).collect::<Vec<_>>(),
    )
    .fetch_all(tx.conn())
    .await?;
    let span = |from: Instant, next: Option<time::Date>, heirs: Vec<Uuid>| Span {
        from: Day::of(from),
        to: next.map(|day| Day::from_date(day).plus_days(-1)),
        successors: heirs.into_iter().map(Id::from_uuid).collect(),
    };
    Ok(rows
        .into_iter()
        .map(|row| (Id::from_uuid(row.id), span(row.created_at, row.from_day, row.heirs)))
        .collect())
}

/// What became of a succession.
pub async fn outcome(
    tx: &mut Tx,
    agency: Id<Agency>,
) -> Result<Option<(Option<Instant>, Option<i32>, Option<Value>)>> {
    let row = sqlx::query!(
        "select effected_at, bills, closed from agency_succession where agency_id = $1",
        agency.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| (row.effected_at, row.bills, row.closed)))
}

/// Every succession that was decided, the newest first.
pub async fn all(tx: &mut Tx, limit: i64) -> Result<Vec<Succession>> {
    let rows = sqlx::query!(
        "select agency_id, kind, from_day from agency_succession order by decided_at desc, agency_id limit $1",
        limit,
    )
    .fetch_all(tx.conn())
    .await?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.agency_id).collect();
    let heirs = sqlx::query!(
        "select agency_id, successor_id, procedures from agency_successor where agency_id = any($1)
         order by agency_id, place",
        &ids,
    )
    .fetch_all(tx.conn())
    .await?;
    let of = |agency: Uuid| {
        let own = heirs.iter().filter(move |heir| heir.agency_id == agency);
        own.map(|heir| (Id::from_uuid(heir.successor_id), heir.procedures.clone())).collect()
    };
    let all = rows.into_iter().map(|row| Succession {
        agency: Id::from_uuid(row.agency_id),
        kind: row.kind,
        from: Day::from_date(row.from_day),
        successors: of(row.agency_id),
    });
    Ok(all.collect())
}

/// What became of those that took effect, by the agency that was succeeded: when, how many bills, which series.
pub async fn outcomes(tx: &mut Tx) -> Result<BTreeMap<Id<Agency>, (Instant, i32, Value)>> {
    let rows = sqlx::query!(
        r#"select agency_id, effected_at as "effected_at!", bills as "bills!", closed as "closed!"
         from agency_succession where effected_at is not null"#,
    )
    .fetch_all(tx.conn())
    .await?;
    let outcome =
        rows.into_iter().map(|row| (Id::from_uuid(row.agency_id), (row.effected_at, row.bills, row.closed)));
    Ok(outcome.collect())
}
