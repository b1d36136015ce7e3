//! Statements, their lines, and which line shows which credit.

use super::{
    Result, StoreError, Tx,
    copy::{CopyRows, days, microseconds},
    moved_one,
};
use crate::{
    base::{
        calendar::Day,
        clock::Instant,
        id::{self, Account, Agency, Id, Payment},
        money::Money,
        page::{Page, PageRequest},
        secret::Sealed,
    },
    crypto::digest::Digest,
    payment::reconciliation::Shown,
};
use time::Date;
use uuid::Uuid;

/// A statement as its row holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredStatement {
    /// Its identifier.
    pub id: Id<id::Statement>,
    /// The collecting account.
    pub account: Id<Account>,
    /// The bank's business day.
    pub day: Day,
    /// Which telling of the day this is, from 1.
    pub version: i32,
    /// The digest of what it says.
    pub digest: Digest,
    /// The MsgId that brought it.
    pub message: Uuid,
    /// The balance when the day began.
    pub opening: Money,
    /// The balance when it ended.
    pub closing: Money,
    /// How many movements it has.
    pub lines: usize,
    /// When it was fetched.
    pub fetched_at: Instant,
    /// What the last matching found; absent only before the first.
    pub outcome: Option<Outcome>,
}

/// What matching a statement found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Lines that are as they should be.
    pub matched: usize,
    /// What the ledger posted to the account for the day's credits.
    pub posted: Money,
    /// What differences and neighbouring days account for.
    pub explained: Money,
    /// When a matching first found exactly this.
    pub at: Instant,
}

/// What a bank tells of a movement beyond its money, as JSON under the owner's key.
pub enum Told {}

/// A movement about to be written.
pub struct NewLine<'a> {
    /// Its identifier.
    pub id: Id<id::StatementLine>,
    /// The bank's own reference.
    pub reference: &'a str,
    /// Above nothing when money came, below when it went.
    pub amount: Money,
    /// The payment that it names, if that looks like ours.
    pub named: Option<Id<Payment>>,
    /// When the payer's bank took the order.
    pub accepted: Option<Instant>,
    /// The day from which it counts, where that is another than the statement's.
    pub value_on: Option<Day>,
}

/// What a bank tells of so many lines beyond their money, about to be written.
pub struct NewTold {
    /// The places of the first line and of the last one.
    pub places: (i32, i32),
    /// Payers, payers' banks and remittance texts, in the order of the lines.
    pub told: Sealed<Told>,
}

/// The statement of an account for a day.
pub async fn of_day(tx: &mut Tx, account: Id<Account>, day: Day) -> Result<Option<StoredStatement>> {
    let row = sqlx::query_as!(
        Raw,
        r#"select id as "id!", account_id as "account_id!", day as "day!", version as "version!", digest as "digest!",
             message as "message!", opening as "opening!", closing as "closing!", lines as "lines!",
             fetched_at as "fetched_at!", matched, posted, explained, reconciled_at
         from statement_now where account_id = $1 and day = $2"#,
        account.uuid(),
        day.date(),
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// The newest day of an account that was matched.
pub async fn newest_matched(tx: &mut Tx, account: Id<Account>) -> Result<Option<Day>> {
    let day = sqlx::query_scalar!(
        "select max(day) from statement where account_id = $1 and reconciled_at is not null",
        account.uuid(),
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(day.map(Day::from_date))
}

/// A statement of an account that this agency owns.
pub async fn of_owner(
    tx: &mut Tx,
    owner: Id<Agency>,
    statement: Id<id::Statement>,
) -> Result<Option<StoredStatement>> {
    let row = sqlx::query_as!(
        Raw,
        r#"select s.id as "id!", s.account_id as "account_id!", s.day as "day!", s.version as "version!",
             s.digest as "digest!", s.message as "message!", s.opening as "opening!", s.closing as "closing!",
             s.lines as "lines!", s.fetched_at as "fetched_at!", s.matched, s.posted, s.explained, s.reconciled_at
         from statement_now s join collecting_account a on a.id = s.account_id
         where s.id = $2 and $1 in (a.owner_id, a.heir_id)"#,
        owner.uuid(),
        statement.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// Whose a statement is of the accounts that these agencies own, and of which day.
pub async fn owner_and_day(
    tx: &mut Tx,
    owners: &[Id<Agency>],
    statement: Id<id::Statement>,
) -> Result<Option<(Id<Agency>, Day)>> {
    let row = sqlx::query!(
        "select a.owner_id, s.day from statement s join collecting_account a on a.id = s.account_id
         where s.id = $1 and a.owner_id = any($2)",
        statement.uuid(),
        &owners.iter().map(|id| id.uuid()).collect::<Vec<_>>(),
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| (Id::from_uuid(row.owner_id), Day::from_date(row.day))))
}

/// The statements of the accounts that these agencies own, the newest first.
pub async fn list_of_owner(
    tx: &mut Tx,
    owners: &[Id<Agency>],
    page: &PageRequest<Id<id::Statement>>,
) -> Result<Page<StoredStatement>> {
    let owners: Vec<Uuid> = owners.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query_as!(
        Raw,
        r#"select s.id as "id!", s.account_id as "account_id!", s.day as "day!", s.version as "version!",
             s.digest as "digest!", s.message as "message!", s.opening as "opening!", s.closing as "closing!",
             s.lines as "lines!", s.fetched_at as "fetched_at!", s.matched, s.posted, s.explained, s.reconciled_at
         from statement_now s join collecting_account a on a.id = s.account_id
         where (a.owner_id = any($1) or a.heir_id = any($1)) and ($2::uuid is null or s.id < $2)
         order by s.id desc limit $3"#,
        &owners,
        page.after.map(Id::uuid),
        page.fetch(),
    )
    .fetch_all(tx.conn())
    .await?;
    let items = rows.into_iter().map(TryInto::try_into).collect::<Result<Vec<StoredStatement>>>()?;
    Ok(Page::from_rows(items, page))
}

/// The newest statements of all accounts, or of one.
pub async fn newest(tx: &mut Tx, of: Option<Id<Account>>, limit: i64) -> Result<Vec<StoredStatement>> {
    let rows = sqlx::query_as!(
        Raw,
        r#"select id as "id!", account_id as "account_id!", day as "day!", version as "version!", digest as "digest!",
             message as "message!", opening as "opening!", closing as "closing!", lines as "lines!",
             fetched_at as "fetched_at!", matched, posted, explained, reconciled_at
         from statement_now where $1::uuid is null or account_id = $1 order by day desc, id desc limit $2"#,
        of.map(Id::uuid),
        limit,
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Adds a statement's head.
pub async fn insert(tx: &mut Tx, statement: &StoredStatement) -> Result<()> {
    sqlx::query!(
        "insert into statement (id, account_id, day, digest, message, opening, closing, lines, fetched_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        statement.id.uuid(),
        statement.account.uuid(),
        statement.day.date(),
        statement.digest.as_slice(),
        statement.message,
        statement.opening.minor(),
        statement.closing.minor(),
        i32::try_from(statement.lines).unwrap_or(i32::MAX),
        statement.fetched_at,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Adds lines of a statement in its order, the first of them at the place after `from`; with the revision that brought them,
/// when the first telling did not.
pub async fn insert_lines(
    tx: &mut Tx,
    (statement, account): (Id<id::Statement>, Id<Account>),
    from: i32,
    lines: &[NewLine<'_>],
    revision: Option<Uuid>,
) -> Result<()> {
    let mut rows = CopyRows::with_room(lines.len() * LINE_BYTES);
    let (statement, account) = (statement.uuid(), account.uuid());
    for (line, place) in lines.iter().zip(from.saturating_add(1)..) {
        let named = line.named.map(Id::uuid);
        let accepted = line.accepted.map(|at| microseconds(at).to_be_bytes());
        let value_on = line.value_on.map(|day| days(day).to_be_bytes());
        rows.row(10)
            .field(Some(line.id.uuid().as_bytes()))
            .field(Some(statement.as_bytes()))
            .field(Some(&place.to_be_bytes()))
            .field(Some(account.as_bytes()))
            .field(Some(line.reference.as_bytes()))
            .field(Some(&line.amount.minor().to_be_bytes()))
            .field(named.as_ref().map(|named| named.as_bytes().as_slice()))
            .field(accepted.as_ref().map(|at| at.as_slice()))
            .field(value_on.as_ref().map(|day| day.as_slice()))
            .field(revision.as_ref().map(|revision| revision.as_bytes().as_slice()));
    }
    let into =
        "COPY statement_line (id, statement_id, number, account_id, servicer_reference, amount, payment_id,
            accepted_at, value_on, revision_id) FROM STDIN (FORMAT binary)";
    tx.copy(into, rows).await
}

/// About how long a line is on its way in.
const LINE_BYTES: usize = 192;

/// Adds what the bank tells of lines beyond their money.
pub async fn insert_told(tx: &mut Tx, statement: Id<id::Statement>, told: &[NewTold]) -> Result<()> {
    let firsts: Vec<i32> = told.iter().map(|t| t.places.0).collect();
    let lasts: Vec<i32> = told.iter().map(|t| t.places.1).collect();
    let sealed: Vec<&[u8]> = told.iter().map(|t| t.told.bytes()).collect();
    let keys: Vec<i32> = told.iter().map(|t| t.told.key().cast_signed()).collect();
    sqlx::query!(
        "insert into statement_told (statement_id, first, last, told, key)
         select $1, t.first, t.last, t.told, t.key
         from unnest($2::integer[], $3::integer[], $4::bytea[], $5::integer[]) as t (first, last, told, key)",
        statement.uuid(),
        &firsts,
        &lasts,
        &sealed as &[&[u8]],
        &keys,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Records which lines of a statement show which credits; what is recorded stays. The count of new ones.
pub async fn insert_shown(tx: &mut Tx, statement: &StoredStatement, shown: &[Shown]) -> Result<u64> {
    let references: Vec<&str> = shown.iter().map(|s| s.reference.as_str()).collect();
    let lines: Vec<Uuid> = shown.iter().map(|s| s.line.uuid()).collect();
    let done = sqlx::query!(
        "insert into shown_credit (account_id, servicer_reference, line_id, statement_id)
         select $1, s.reference, s.line_id, $2 from unnest($3::text[], $4::uuid[]) as s (reference, line_id)
         on conflict on constraint shown_credit_once do nothing",
        statement.account.uuid(),
        statement.id.uuid(),
        &references as &[&str],
        &lines,
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

/// Writes what matching found, if it is not what stands there already; whether it was written.
pub async fn set_outcome(tx: &mut Tx, statement: Id<id::Statement>, outcome: &Outcome) -> Result<bool> {
    let done = sqlx::query!(
        "update statement set matched = $2, posted = $3, explained = $4, reconciled_at = $5
         where id = $1 and (matched, posted, explained) is distinct from ($2, $3, $4)",
        statement.uuid(),
        i32::try_from(outcome.matched).unwrap_or(i32::MAX),
        outcome.posted.minor(),
        outcome.explained.minor(),
        outcome.at,
    )
    .execute(tx.conn())
    .await?;
    Ok(moved_one(&done))
}

struct Raw {
    id: Uuid,
    account_id: Uuid,
    day: Date,
    version: i32,
    digest: Vec<u8>,
    message: Uuid,
    opening: i64,
    closing: i64,
    lines: i32,
    fetched_at: Instant,
    matched: Option<i32>,
    posted: Option<i64>,
    explained: Option<i64>,
    reconciled_at: Option<Instant>,
}

impl TryFrom<Raw> for StoredStatement {
    type Error = StoreError;

    fn try_from(raw: Raw) -> Result<Self> {
        let id: Id<id::Statement> = Id::from_uuid(raw.id);
        let corrupt = |column| StoreError::corrupt("statement", column, id);
        let count = |column, n: i32| usize::try_from(n).map_err(|_| corrupt(column));
        let outcome = match (raw.matched, raw.posted, raw.explained, raw.reconciled_at) {
            (Some(matched), Some(posted), Some(explained), Some(at)) => Some(Outcome {
                matched: count("matched", matched)?,
                posted: Money::vnd(posted),
                explained: Money::vnd(explained),
                at,
            }),
            (None, None, None, None) => None,
            _ => return Err(corrupt("reconciled_at")),
        };
        Ok(Self {
            id,
            account: Id::from_uuid(raw.account_id),
            day: Day::from_date(raw.day),
            version: raw.version,
            digest: raw.digest.try_into().map_err(|_| corrupt("digest"))?,
            message: raw.message,
            opening: Money::vnd(raw.opening),
            closing: Money::vnd(raw.closing),
            lines: count("lines", raw.lines)?,
            fetched_at: raw.fetched_at,
            outcome,
        })
    }
}
