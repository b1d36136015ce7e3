//! Cases: differences and money in suspense, each with an owner in an agency's accounting.

use super::{Result, StoreError, Tx, inbox::StoredSuspense};
use crate::{
    base::{
        calendar::Day,
        clock::Instant,
        id::{self, Account, Agency, Citizen, Id, Payment, StatementLine},
        money::Money,
        page::{Page, PageRequest},
        secret::Sealed,
    },
    payment::{
        case::{Act, By, Kind, Resolution, State},
        reconciliation::Difference,
    },
};
use time::Date;
use uuid::Uuid;

/// A case as its row holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCase {
    /// Its identifier.
    pub id: Id<id::Case>,
    /// Whose accounting owns it.
    pub agency: Id<Agency>,
    /// The collecting account.
    pub account: Id<Account>,
    /// The bank's business day.
    pub day: Day,
    /// What is wrong, where, and with how much money.
    pub difference: Difference,
    /// Where it stands.
    pub state: State,
    /// When it was opened.
    pub opened_at: Instant,
}

/// A case about to be opened.
pub struct NewCase {
    /// Its identifier.
    pub id: Id<id::Case>,
    /// Whose accounting owns it.
    pub agency: Id<Agency>,
    /// What is wrong.
    pub difference: Difference,
}

/// Opens cases about an account's day. One that stands for the same credit or line stays as it is, except that a case
/// of money in suspense learns which line shows it. The identifiers of the new ones.
pub async fn open(
    tx: &mut Tx,
    account: Id<Account>,
    day: Day,
    cases: &[NewCase],
    at: Instant,
) -> Result<Vec<Id<id::Case>>> {
    let money = |f: fn(&Difference) -> Option<Money>| {
        cases.iter().map(|c| f(&c.difference).map(Money::minor)).collect::<Vec<_>>()
    };
    let ids: Vec<Uuid> = cases.iter().map(|c| c.id.uuid()).collect();
    let agencies: Vec<Uuid> = cases.iter().map(|c| c.agency.uuid()).collect();
    let kinds: Vec<&str> = cases.iter().map(|c| c.difference.kind.as_str()).collect();
    let lines: Vec<Option<Uuid>> = cases.iter().map(|c| c.difference.line.map(Id::uuid)).collect();
    let credits: Vec<Option<&str>> = cases.iter().map(|c| c.difference.credit.as_deref()).collect();
    let payments: Vec<Option<Uuid>> = cases.iter().map(|c| c.difference.payment.map(Id::uuid)).collect();
    let mut rows = sqlx::query_scalar!(
        r#"with found as (
               select * from unnest($4::uuid[], $5::uuid[], $6::text[], $7::uuid[], $8::text[], $9::uuid[],
                   $10::bigint[], $11::bigint[], $12::bigint[])
                   as f (id, agency_id, kind, line_id, servicer_reference, payment_id, stated, held, asked)
           ), learnt as (
               update "case" c set line_id = f.line_id, stated = f.stated from found f
               where c.account_id = $1 and c.servicer_reference = f.servicer_reference and c.line_id is null
                   and f.line_id is not null and c.state <> 'cleared'
           )
           insert into "case" (id, agency_id, account_id, day, kind, line_id, servicer_reference, payment_id, stated,
               held, asked, state, opened_at)
           select f.id, f.agency_id, $1, $2, f.kind, f.line_id, f.servicer_reference, f.payment_id, f.stated, f.held,
               f.asked, 'open', $3
           from found f
           where not exists (select from "case" c where c.state <> 'cleared' and (
               (c.account_id = $1 and c.servicer_reference = f.servicer_reference)
               or (f.servicer_reference is null and c.servicer_reference is null and c.line_id = f.line_id)))
           returning id"#,
        account.uuid(),
        day.date(),
        at,
        &ids,
        &agencies,
        &kinds as &[&str],
        &lines as &[Option<Uuid>],
        &credits as &[Option<&str>],
        &payments as &[Option<Uuid>],
        &money(|d| d.stated) as &[Option<i64>],
        &money(|d| d.held) as &[Option<i64>],
        &money(|d| d.asked) as &[Option<i64>],
    )
    .fetch_all(tx.conn())
    .await?;
    rows.sort_unstable();
    Ok(rows.into_iter().map(Id::from_uuid).collect())
}

/// Opens the cases of money in suspense, in the transaction that holds it; `days` are the bank's booking days.
pub async fn open_suspended(tx: &mut Tx, held: &[StoredSuspense], days: &[Day], at: Instant) -> Result<()> {
    let uuid = |f: fn(&StoredSuspense) -> Uuid| held.iter().map(f).collect::<Vec<_>>();
    let references: Vec<&str> = held.iter().map(|h| h.credit.1.as_str()).collect();
    let kinds: Vec<&str> = held.iter().map(|h| Kind::of(h.reason).as_str()).collect();
    let payments: Vec<Option<Uuid>> = held.iter().map(|h| h.payment.map(Id::uuid)).collect();
    let amounts: Vec<i64> = held.iter().map(|h| h.amount.minor()).collect();
    let days: Vec<Date> = days.iter().map(|day| day.date()).collect();
    sqlx::query!(
        r#"insert into "case" (id, agency_id, account_id, day, kind, servicer_reference, payment_id, held, asked,
               state, opened_at)
           select s.id, s.agency_id, s.account_id, s.day, s.kind, s.reference, s.payment_id, s.held, p.amount, 'open',
               $1
           from unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::date[], $6::text[], $7::text[], $8::uuid[], $9::bigint[])
               as s (id, agency_id, account_id, day, kind, reference, payment_id, held)
           left join payment p on p.id = s.payment_id"#,
        at,
        &uuid(|h| h.id.uuid()),
        &uuid(|h| h.agency.uuid()),
        &uuid(|h| h.credit.0.uuid()),
        &days,
        &kinds as &[&str],
        &references as &[&str],
        &payments as &[Option<Uuid>],
        &amounts,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A case of this agency.
pub async fn of_agency(tx: &mut Tx, agency: Id<Agency>, case: Id<id::Case>) -> Result<Option<StoredCase>> {
    of_agencies(tx, &[agency], case).await
}

/// A case of one of these agencies.
pub async fn of_agencies(
    tx: &mut Tx,
    agencies: &[Id<Agency>],
    case: Id<id::Case>,
) -> Result<Option<StoredCase>> {
    let agencies: Vec<Uuid> = agencies.iter().map(|id| id.uuid()).collect();
    let row = sqlx::query_as!(
        Raw,
        r#"select id, agency_id, account_id, day, kind, line_id, servicer_reference, payment_id, stated, held, asked,
               state, owner_id, resolution, opened_at, ended_at
           from "case" where id = $2 and agency_id = any($1)"#,
        &agencies,
        case.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// Those of these cases that are this agency's, in the order of their identifiers.
pub async fn those_of_agency(
    tx: &mut Tx,
    agency: Id<Agency>,
    cases: &[Id<id::Case>],
) -> Result<Vec<StoredCase>> {
    let cases: Vec<Uuid> = cases.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query_as!(
        Raw,
        r#"select id, agency_id, account_id, day, kind, line_id, servicer_reference, payment_id, stated, held, asked,
               state, owner_id, resolution, opened_at, ended_at
           from "case" where id = any($2) and agency_id = $1 order by id"#,
        agency.uuid(),
        &cases,
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Which cases of an agency are wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only those that somebody must still look into.
    pub pending: bool,
    /// Only those of this account and day.
    pub of_day: Option<(Id<Account>, Day)>,
}

/// The cases of these agencies, the newest first.
pub async fn list(
    tx: &mut Tx,
    agencies: &[Id<Agency>],
    filter: Filter,
    page: &PageRequest<Id<id::Case>>,
) -> Result<Page<StoredCase>> {
    let agencies: Vec<Uuid> = agencies.iter().map(|id| id.uuid()).collect();
    let (account, day) = filter.of_day.map(|(account, day)| (account.uuid(), day.date())).unzip();
    let rows = sqlx::query_as!(
        Raw,
        r#"select id, agency_id, account_id, day, kind, line_id, servicer_reference, payment_id, stated, held, asked,
               state, owner_id, resolution, opened_at, ended_at
           from "case"
           where agency_id = any($1) and ($2::uuid is null or id < $2) and (not $3 or state in ('open', 'assigned'))
               and ($4::uuid is null or account_id = $4) and ($5::date is null or day = $5)
           order by id desc limit $6"#,
        &agencies,
        page.after.map(Id::uuid),
        filter.pending,
        account,
        day,
        page.fetch(),
    )
    .fetch_all(tx.conn())
    .await?;
    let items = rows.into_iter().map(TryInto::try_into).collect::<Result<Vec<StoredCase>>>()?;
    Ok(Page::from_rows(items, page))
}

/// Moves a case from the state that it was read in; false when it has moved meanwhile.
pub async fn move_case(tx: &mut Tx, case: &StoredCase, to: &State) -> Result<bool> {
    Ok(move_cases(tx, &[(case, *to)]).await? == 1)
}

/// Moves cases from the states that they were read in; how many had not moved meanwhile.
pub async fn move_cases(tx: &mut Tx, moves: &[(&StoredCase, State)]) -> Result<usize> {
    let ids: Vec<Uuid> = moves.iter().map(|(case, _)| case.id.uuid()).collect();
    let was: Vec<&str> = moves.iter().map(|(case, _)| case.state.as_str()).collect();
    let owner_was: Vec<Option<Uuid>> =
        moves.iter().map(|(case, _)| case.state.owner().map(Id::uuid)).collect();
    let state: Vec<&str> = moves.iter().map(|(_, to)| to.as_str()).collect();
    let owner: Vec<Option<Uuid>> = moves.iter().map(|(_, to)| to.owner().map(Id::uuid)).collect();
    let (resolution, ended): (Vec<Option<&str>>, Vec<Option<Instant>>) = moves
        .iter()
        .map(|(_, to)| match to {
            State::Open | State::Assigned { .. } => (None, None),
            State::Resolved { resolution, at, .. } => (Some(resolution.as_str()), Some(*at)),
            State::Cleared { at, .. } => (None, Some(*at)),
        })
        .unzip();
    let done = sqlx::query!(
        r#"update "case" c set state = m.state, owner_id = m.owner_id, resolution = m.resolution,
               ended_at = m.ended_at
           from unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::uuid[], $6::text[], $7::timestamptz[])
               as m (id, was, owner_was, state, owner_id, resolution, ended_at)
           where c.id = m.id and c.state = m.was and c.owner_id is not distinct from m.owner_was"#,
        &ids,
        &was as &[&str],
        &owner_was as &[Option<Uuid>],
        &state as &[&str],
        &owner as &[Option<Uuid>],
        &resolution as &[Option<&str>],
        &ended as &[Option<Instant>],
    )
    .execute(tx.conn())
    .await?;
    Ok(usize::try_from(done.rows_affected()).unwrap_or(usize::MAX))
}

/// The words of a note, under the agency's key.
pub enum Words {}

/// A note as its row holds it.
pub struct StoredNote {
    /// Its identifier, to which its words are bound.
    pub id: Uuid,
    /// When.
    pub at: Instant,
    /// What was done.
    pub act: Act,
    /// By whom; nobody begins a case again.
    pub by: Option<By>,
    /// What was said about it.
    pub words: Option<Sealed<Words>>,
}

/// Adds a note to a case.
pub async fn insert_note(tx: &mut Tx, case: Id<id::Case>, note: StoredNote) -> Result<()> {
    insert_notes(tx, &[(case, note)]).await
}

/// Adds notes to cases.
pub async fn insert_notes(tx: &mut Tx, notes: &[(Id<id::Case>, StoredNote)]) -> Result<()> {
    let ids: Vec<Uuid> = notes.iter().map(|(_, note)| note.id).collect();
    let cases: Vec<Uuid> = notes.iter().map(|(case, _)| case.uuid()).collect();
    let at: Vec<Instant> = notes.iter().map(|(_, note)| note.at).collect();
    let acts: Vec<&str> = notes.iter().map(|(_, note)| note.act.as_str()).collect();
    let (citizens, clients): (Vec<Option<Uuid>>, Vec<Option<Uuid>>) = notes
        .iter()
        .map(|(_, note)| match note.by {
            Some(By::Officer(citizen)) => (Some(citizen.uuid()), None),
            Some(By::System(client)) => (None, Some(client.uuid())),
            None => (None, None),
        })
        .unzip();
    let (words, keys): (Vec<Option<&[u8]>>, Vec<Option<i32>>) = notes
        .iter()
        .map(|(_, note)| {
            (note.words.as_ref().map(Sealed::bytes), note.words.as_ref().map(|w| w.key().cast_signed()))
        })
        .unzip();
    sqlx::query!(
        "insert into case_note (id, case_id, at, act, citizen_id, client_id, words, key)
         select * from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::uuid[], $6::uuid[],
             $7::bytea[], $8::integer[])",
        &ids,
        &cases,
        &at,
        &acts as &[&str],
        &citizens as &[Option<Uuid>],
        &clients as &[Option<Uuid>],
        &words as &[Option<&[u8]>],
        &keys as &[Option<i32>],
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What was done about a case, in order; the first hundred acts.
pub async fn notes(tx: &mut Tx, case: Id<id::Case>) -> Result<Vec<StoredNote>> {
    let rows = sqlx::query!(
        "select id, at, act, citizen_id, client_id, words, key from case_note where case_id = $1 order by id limit 100",
        case.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            let corrupt = |column| StoreError::corrupt("case_note", column, row.id);
            let act =
                Act::ALL.into_iter().find(|act| act.as_str() == row.act).ok_or_else(|| corrupt("act"))?;
            let by = match (row.citizen_id, row.client_id) {
                (Some(citizen), None) => Some(By::Officer(Id::from_uuid(citizen))),
                (None, Some(client)) => Some(By::System(Id::from_uuid(client))),
                (None, None) if act == Act::Reopened => None,
                _ => return Err(corrupt("citizen_id")),
            };
            let words = row.words.zip(row.key).map(|(words, key)| Sealed::new(words, key.cast_unsigned()));
            Ok(StoredNote { id: row.id, at: row.at, act, by, words })
        })
        .collect()
}

struct Raw {
    id: Uuid,
    agency_id: Uuid,
    account_id: Uuid,
    day: Date,
    kind: String,
    line_id: Option<Uuid>,
    servicer_reference: Option<String>,
    payment_id: Option<Uuid>,
    stated: Option<i64>,
    held: Option<i64>,
    asked: Option<i64>,
    state: String,
    owner_id: Option<Uuid>,
    resolution: Option<String>,
    opened_at: Instant,
    ended_at: Option<Instant>,
}

impl TryFrom<Raw> for StoredCase {
    type Error = StoreError;

    fn try_from(raw: Raw) -> Result<Self> {
        let id: Id<id::Case> = Id::from_uuid(raw.id);
        let corrupt = |column| StoreError::corrupt("case", column, id);
        let owner: Option<Id<Citizen>> = raw.owner_id.map(Id::from_uuid);
        let resolution =
            raw.resolution.as_deref().map(|word| Resolution::named(word).ok_or(corrupt("resolution")));
        let state = match (raw.state.as_str(), owner, resolution.transpose()?, raw.ended_at) {
            ("open", None, None, None) => State::Open,
            ("assigned", Some(owner), None, None) => State::Assigned { owner },
            ("resolved", owner, Some(resolution), Some(at)) => State::Resolved { owner, resolution, at },
            ("cleared", owner, None, Some(at)) => State::Cleared { owner, at },
            _ => return Err(corrupt("state")),
        };
        let difference = Difference {
            kind: Kind::named(&raw.kind).ok_or_else(|| corrupt("kind"))?,
            line: raw.line_id.map(Id::<StatementLine>::from_uuid),
            credit: raw.servicer_reference,
            payment: raw.payment_id.map(Id::<Payment>::from_uuid),
            stated: raw.stated.map(Money::vnd),
            held: raw.held.map(Money::vnd),
            asked: raw.asked.map(Money::vnd),
        };
        Ok(Self {
            id,
            agency: Id::from_uuid(raw.agency_id),
            account: Id::from_uuid(raw.account_id),
            day: Day::from_date(raw.day),
            difference,
            state,
            opened_at: raw.opened_at,
        })
    }
}
