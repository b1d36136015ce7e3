//! Closings of days, months and years: what they fold, and what became of them.

use super::{Result, StoreError, Tx, moved_one};
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{self, Agency, Citizen, Id},
    page::{Page, PageRequest},
    secret::Sealed,
};
use crate::crypto::digest::Digest;
use crate::payment::closing::{Kind, Period, State};
use uuid::Uuid;

/// What a closing says, as JSON under the agency's key.
pub enum Content {}
/// A file of a closing, under the agency's key.
pub enum File {}

/// A closing as its row holds it.
pub struct StoredClosing {
    /// Its identifier.
    pub id: Id<id::Closing>,
    /// Whose accounting.
    pub agency: Id<Agency>,
    /// What it closes.
    pub period: Period,
    /// Where it stands.
    pub state: State,
    /// What it says, sealed.
    pub content: Sealed<Content>,
    /// SHA-256 of that.
    pub digest: Digest,
    /// The head of the audit log that it names.
    pub head_size: Option<u64>,
    /// Who prepared it, and when.
    pub prepared: (Id<Citizen>, Instant),
    /// Who decided about it, and when.
    pub decided: Option<(Id<Citizen>, Instant)>,
}

/// Adds a prepared closing; a second one of the same time violates `closing_once`.
pub async fn insert(tx: &mut Tx, closing: &StoredClosing) -> Result<()> {
    sqlx::query!(
        "insert into closing (id, agency_id, kind, first_day, last_day, state, content, key, digest, prepared_by,
                              prepared_at, head_size)
         values ($1, $2, $3, $4, $5, 'prepared', $6, $7, $8, $9, $10, $11)",
        closing.id.uuid(),
        closing.agency.uuid(),
        closing.period.kind.as_str(),
        closing.period.first.date(),
        closing.period.last.date(),
        closing.content.bytes(),
        closing.content.key().cast_signed(),
        closing.digest.as_slice(),
        closing.prepared.0.uuid(),
        closing.prepared.1,
        closing.head_size.map(u64::cast_signed)
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Decides a prepared closing; false when it is decided already.
pub async fn decide(
    tx: &mut Tx,
    closing: Id<id::Closing>,
    to: State,
    (by, at): (Id<Citizen>, Instant),
) -> Result<bool> {
    let done = sqlx::query!(
        "update closing set state = $2, decided_by = $3, decided_at = $4 where id = $1 and state = 'prepared'",
        closing.uuid(),
        to.as_str(),
        by.uuid(),
        at
    )
    .execute(tx.conn())
    .await?;
    Ok(moved_one(&done))
}

/// A closing of one of these agencies.
pub async fn of_agencies(
    tx: &mut Tx,
    agencies: &[Id<Agency>],
    closing: Id<id::Closing>,
) -> Result<Option<StoredClosing>> {
    let agencies: Vec<Uuid> = agencies.iter().map(|id| id.uuid()).collect();
    let row = sqlx::query_as!(
        Row,
        "select id, agency_id, kind, first_day, last_day, state, content, key, digest, prepared_by, prepared_at,
             decided_by, decided_at, head_size
         from closing where id = $1 and agency_id = any($2)",
        closing.uuid(),
        &agencies
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// The closings of these agencies, the newest first.
pub async fn page(
    tx: &mut Tx,
    agencies: &[Id<Agency>],
    page: &PageRequest<Id<id::Closing>>,
) -> Result<Page<StoredClosing>> {
    let rows = sqlx::query_as!(
        Row,
        "select id, agency_id, kind, first_day, last_day, state, content, key, digest, prepared_by, prepared_at,
             decided_by, decided_at, head_size
         from closing where agency_id = any($1) and coalesce(id < $2, true) order by id desc limit $3",
        &agencies.iter().map(|agency| agency.uuid()).collect::<Vec<_>>(),
        page.after.map(Id::uuid),
        page.fetch()
    )
    .fetch_all(tx.conn())
    .await?;
    let rows = rows.into_iter().map(TryInto::try_into).collect::<Result<Vec<StoredClosing>>>()?;
    Ok(Page::from_rows(rows, page))
}

/// The days of a time on which money came to the agency's accounts or left them and no matched statement shows it.
pub async fn unreconciled(tx: &mut Tx, agency: Id<Agency>, period: Period) -> Result<Vec<Day>> {
    let rows = sqlx::query_scalar!(
        r#"select distinct m.booked_on as "day!"
           from (select account_id, booked_on from credit union all select account_id, booked_on from debit) m
           join collecting_account a on a.id = m.account_id
           where a.owner_id = $1 and m.booked_on between $2 and $3
             and not exists (select from statement s where s.account_id = m.account_id and s.day = m.booked_on
                                 and s.reconciled_at is not null)
           order by 1 limit 32"#,
        agency.uuid(),
        period.first.date(),
        period.last.date()
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(Day::from_date).collect())
}

/// The days of a time on which the agency's books moved and that no approved closing of that kind covers.
pub async fn unclosed(tx: &mut Tx, agency: Id<Agency>, period: Period, inner: Kind) -> Result<Vec<Day>> {
    let rows = sqlx::query_scalar!(
        r#"select distinct e.booked_on as "day!"
           from ledger_entry e join posting p on p.entry_id = e.id and p.booked_on = e.booked_on
           join ledger_account l on l.id = p.account_id
           left join collecting_account a on a.id = l.account_id
           where (l.agency_id = $1 or a.owner_id = $1) and e.booked_on between $2 and $3
             and not exists (select from closing c where c.agency_id = $1 and c.kind = $4 and c.state = 'approved'
                                 and e.booked_on between c.first_day and c.last_day)
           order by 1 limit 32"#,
        agency.uuid(),
        period.first.date(),
        period.last.date(),
        inner.as_str()
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(Day::from_date).collect())
}

/// Whether there is a closing of that time, approved or about to be decided.
pub async fn stands(tx: &mut Tx, agency: Id<Agency>, period: Period) -> Result<bool> {
    let stands = sqlx::query_scalar!(
        r#"select exists (select from closing where agency_id = $1 and kind = $2 and first_day = $3
                              and state <> 'withdrawn') as "stands!""#,
        agency.uuid(),
        period.kind.as_str(),
        period.first.date()
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(stands)
}

/// How many lines the statements of the agency's accounts in a time have.
pub async fn lines(tx: &mut Tx, agency: Id<Agency>, period: Period) -> Result<i64> {
    let lines = sqlx::query_scalar!(
        r#"select coalesce(sum(s.lines), 0)::bigint as "lines!"
           from statement_now s join collecting_account a on a.id = s.account_id
           where a.owner_id = $1 and s.day between $2 and $3"#,
        agency.uuid(),
        period.first.date(),
        period.last.date()
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(lines)
}

/// A statement as a closing shows it.
pub struct StatementSeen {
    /// The account's number.
    pub account: String,
    /// The bank's business day.
    pub day: Day,
    /// Balances at its two ends.
    pub balances: (i64, i64),
    /// Its lines, and how many match.
    pub lines: (i32, i32),
    /// What the ledger posted, and what differences explain.
    pub known: (i64, i64),
}

/// The matched statements of the agency's accounts in a time.
pub async fn statements(tx: &mut Tx, agency: Id<Agency>, period: Period) -> Result<Vec<StatementSeen>> {
    let rows = sqlx::query!(
        r#"select a.number, s.day as "day!", s.opening as "opening!", s.closing as "closing!", s.lines as "lines!",
               s.matched as "matched!", s.posted as "posted!", s.explained as "explained!"
           from statement_now s join collecting_account a on a.id = s.account_id
           where a.owner_id = $1 and s.day between $2 and $3 and s.reconciled_at is not null
           order by a.number, s.day"#,
        agency.uuid(),
        period.first.date(),
        period.last.date()
    )
    .fetch_all(tx.conn())
    .await?;
    let seen = rows.into_iter().map(|row| StatementSeen {
        account: row.number,
        day: Day::from_date(row.day),
        balances: (row.opening, row.closing),
        lines: (row.lines, row.matched),
        known: (row.posted, row.explained),
    });
    Ok(seen.collect())
}

/// What moved on each kind of the agency's accounts in a time: kind, debits, credits.
pub async fn moved(tx: &mut Tx, agency: Id<Agency>, period: Period) -> Result<Vec<(String, i64, i64)>> {
    let rows = sqlx::query!(
        r#"select l.kind, coalesce(sum(p.amount) filter (where p.amount > 0), 0)::bigint as "debit!",
               coalesce(-sum(p.amount) filter (where p.amount < 0), 0)::bigint as "credit!"
           from posting p join ledger_account l on l.id = p.account_id
           left join collecting_account a on a.id = l.account_id
           where p.booked_on between $2 and $3 and (l.agency_id = $1 or a.owner_id = $1)
           group by l.kind order by l.kind"#,
        agency.uuid(),
        period.first.date(),
        period.last.date()
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (row.kind, row.debit, row.credit)).collect())
}

/// Where a chunk of an agency's receipts ends that begins after that one; nothing where it is the last.
pub async fn receipts_until(tx: &mut Tx, agency: Id<Agency>, after: Uuid, many: i64) -> Result<Option<Uuid>> {
    let until = sqlx::query_scalar!(
        "select id from receipt where agency_id = $1 and id > $2 order by id offset $3 limit 1",
        agency.uuid(),
        after,
        many - 1
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(until)
}

/// How many receipts an agency has after that one.
pub async fn receipts_after(tx: &mut Tx, agency: Id<Agency>, after: Uuid) -> Result<i64> {
    let many = sqlx::query_scalar!(
        r#"select count(*) as "many!" from receipt where agency_id = $1 and id > $2"#,
        agency.uuid(),
        after
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(many)
}

/// What a series holds: first and last number, how many, their sum, how many are void.
pub type Counted = (String, String, i64, i64, i64);

/// What of a chunk of the agency's receipts was issued in a time, by letters and year of the series.
pub async fn receipts(
    tx: &mut Tx,
    agency: Id<Agency>,
    (after, until): (Uuid, Option<Uuid>),
    (from, to): (Instant, Instant),
) -> Result<Vec<((String, i16), Counted)>> {
    let rows = sqlx::query!(
        r#"select r.letters, r.year, min(r.number) as "first!", max(r.number) as "last!", count(*) as "count!",
               sum(r.amount)::bigint as "total!", count(v.receipt_id) as "void!"
           from receipt r left join receipt_void v on v.receipt_id = r.id
           where r.agency_id = $1 and r.id > $2
             and r.id <= coalesce($3::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
             and r.issued_at >= $4 and r.issued_at < $5
           group by r.letters, r.year"#,
        agency.uuid(),
        after,
        until,
        from,
        to
    )
    .fetch_all(tx.conn())
    .await?;
    let counted = rows
        .into_iter()
        .map(|row| ((row.letters, row.year), (row.first, row.last, row.count, row.total, row.void)));
    Ok(counted.collect())
}

/// The cases of a time by state: how many, and the money that is in question.
pub async fn cases(tx: &mut Tx, agency: Id<Agency>, period: Period) -> Result<Vec<(String, i64)>> {
    let rows = sqlx::query!(
        r#"select state, count(*) as "count!" from "case"
           where agency_id = $1 and day between $2 and $3 group by state order by state"#,
        agency.uuid(),
        period.first.date(),
        period.last.date()
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (row.state, row.count)).collect())
}

/// A file of a closing, once it is made.
pub async fn file(tx: &mut Tx, closing: Id<id::Closing>, format: &str) -> Result<Option<Sealed<File>>> {
    let row = sqlx::query!(
        "select bytes, key from closing_file where closing_id = $1 and format = $2",
        closing.uuid(),
        format
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| Sealed::new(row.bytes, row.key.cast_unsigned())))
}

/// Keeps a file of a closing; the first bytes stay.
pub async fn keep_file(
    tx: &mut Tx,
    closing: Id<id::Closing>,
    (format, file): (&str, &Sealed<File>),
    at: Instant,
) -> Result<()> {
    sqlx::query!(
        "insert into closing_file (closing_id, format, bytes, key, made_at) values ($1, $2, $3, $4, $5)
         on conflict on constraint closing_file_once do nothing",
        closing.uuid(),
        format,
        file.bytes(),
        file.key().cast_signed(),
        at
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

struct Row {
    id: Uuid,
    agency_id: Uuid,
    kind: String,
    first_day: time::Date,
    last_day: time::Date,
    state: String,
    content: Vec<u8>,
    key: i32,
    digest: Vec<u8>,
    prepared_by: Uuid,
    prepared_at: Instant,
    decided_by: Option<Uuid>,
    decided_at: Option<Instant>,
    head_size: Option<i64>,
}

impl TryFrom<Row> for StoredClosing {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self> {
        let id: Id<id::Closing> = Id::from_uuid(row.id);
        let bad = |column| StoreError::corrupt("closing", column, id);
        let period = Period {
            kind: row.kind.parse().map_err(|_| bad("kind"))?,
            first: Day::from_date(row.first_day),
            last: Day::from_date(row.last_day),
        };
        Ok(Self {
            id,
            agency: Id::from_uuid(row.agency_id),
            period,
            state: State::named(&row.state).ok_or_else(|| bad("state"))?,
            content: Sealed::new(row.content, row.key.cast_unsigned()),
            digest: row.digest.try_into().map_err(|_| bad("digest"))?,
            head_size: row.head_size.map(i64::cast_unsigned),
            prepared: (Id::from_uuid(row.prepared_by), row.prepared_at),
            decided: row.decided_by.map(Id::from_uuid).zip(row.decided_at),
        })
    }
}
