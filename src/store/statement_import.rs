//! Statements that people bring as files, until a second person has looked at them.

use super::{Result, StoreError, Tx, moved_one};
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{self, Account, Agency, Citizen, Id},
    secret::Sealed,
};
use crate::crypto::digest::Digest;
use uuid::Uuid;

/// A piece of a file as it was brought, sealed under the agency's key.
pub enum Piece {}
/// Rows that were read, as JSON under the agency's key.
pub enum Part {}

/// An import as its row holds it.
pub struct StoredImport {
    /// Its identifier.
    pub id: Id<id::StatementImport>,
    /// The account.
    pub account: Id<Account>,
    /// Whose officers brought it, and under whose key it is sealed.
    pub agency: Id<Agency>,
    /// Who answers for the account now, whose officers decide.
    pub heir: Id<Agency>,
    /// The bank's business day.
    pub day: Day,
    /// What kind of file it is.
    pub format: String,
    /// SHA-256 of the file.
    pub digest: Digest,
    /// How many rows were read.
    pub rows: i32,
    /// The first of those that were not, as JSON: place and reason.
    pub bad: serde_json::Value,
    /// How many were not.
    pub bad_rows: i32,
    /// What the balances say beyond the rows that were read.
    pub unread: i64,
    /// Balances at the two ends of the day.
    pub balances: (i64, i64),
    /// `waiting`, `confirmed`, `accepted`, `refused` or `withdrawn`.
    pub state: String,
    /// Who brought it, and when.
    pub imported: (Id<Citizen>, Instant),
    /// Who decided about it, and when.
    pub decided: Option<(Id<Citizen>, Instant)>,
}

impl StoredImport {
    /// Whether a second person has confirmed it, whatever came of it.
    pub fn is_confirmed(&self) -> bool {
        ["confirmed", "accepted", "refused"].contains(&self.state.as_str())
    }
}

/// Imports as far as `$which` says: one list of columns. Whoever answers for the account now decides on them.
macro_rules! import {
    ($which:tt, $($argument:expr),+) => {
        sqlx::query_as!(
            Row,
            r#"select i.id, i.account_id, i.agency_id, coalesce(a.heir_id, a.owner_id) as "heir_id!", i.day, i.format, i.digest,
               i.rows, i.bad, i.bad_rows, i.unread, i.opening, i.closing, i.state, i.imported_by, i.imported_at, i.decided_by,
               i.decided_at
           from statement_import i join collecting_account a on a.id = i.account_id
               "#
                + $which,
            $($argument),+
        )
    };
}

/// Adds an import; a second one that waits for the same day violates `statement_import_waits_once`.
pub async fn insert(tx: &mut Tx, import: &StoredImport) -> Result<()> {
    sqlx::query!(
        "insert into statement_import (id, account_id, agency_id, day, format, digest, rows, bad, bad_rows, unread,
                                       opening, closing, state, imported_by, imported_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'waiting', $13, $14)",
        import.id.uuid(),
        import.account.uuid(),
        import.agency.uuid(),
        import.day.date(),
        import.format,
        import.digest.as_slice(),
        import.rows,
        import.bad,
        import.bad_rows,
        import.unread,
        import.balances.0,
        import.balances.1,
        import.imported.0.uuid(),
        import.imported.1
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Keeps a piece of a file, before it is known whether it is one.
pub async fn put_piece(
    tx: &mut Tx,
    (import, number): (Id<id::StatementImport>, i32),
    piece: &Sealed<Piece>,
    at: Instant,
) -> Result<()> {
    sqlx::query!(
        "insert into statement_import_piece (import_id, number, content, key, brought_at) values ($1, $2, $3, $4, $5)",
        import.uuid(),
        number,
        piece.bytes(),
        piece.key().cast_signed(),
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The piece of that number.
pub async fn piece(
    tx: &mut Tx,
    import: Id<id::StatementImport>,
    number: i32,
) -> Result<Option<Sealed<Piece>>> {
    let row = sqlx::query!(
        "select content, key from statement_import_piece where import_id = $1 and number = $2",
        import.uuid(),
        number,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| Sealed::new(row.content, row.key.cast_unsigned())))
}

/// Removes the pieces of what became no import: of this one, and of those that were interrupted before `before`.
pub async fn forget(tx: &mut Tx, import: Id<id::StatementImport>, before: Instant) -> Result<()> {
    sqlx::query!(
        "delete from statement_import_piece p where (p.import_id = $1 or p.brought_at < $2)
             and not exists (select from statement_import i where i.id = p.import_id)",
        import.uuid(),
        before,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Keeps rows that were read.
pub async fn put_part(
    tx: &mut Tx,
    (import, number): (Id<id::StatementImport>, i32),
    part: &Sealed<Part>,
) -> Result<()> {
    sqlx::query!(
        "insert into statement_import_part (import_id, number, content, key) values ($1, $2, $3, $4)",
        import.uuid(),
        number,
        part.bytes(),
        part.key().cast_signed(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The rows of that number.
pub async fn part(tx: &mut Tx, import: Id<id::StatementImport>, number: i32) -> Result<Option<Sealed<Part>>> {
    let row = sqlx::query!(
        "select content, key from statement_import_part where import_id = $1 and number = $2",
        import.uuid(),
        number,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| Sealed::new(row.content, row.key.cast_unsigned())))
}

/// Decides about an import; false when that was done already.
pub async fn decide(
    tx: &mut Tx,
    import: Id<id::StatementImport>,
    state: &str,
    (by, at): (Id<Citizen>, Instant),
) -> Result<bool> {
    let done = sqlx::query!(
        "update statement_import set state = $2, decided_by = $3, decided_at = $4 where id = $1 and state = 'waiting'",
        import.uuid(),
        state,
        by.uuid(),
        at
    )
    .execute(tx.conn())
    .await?;
    Ok(moved_one(&done))
}

/// The import of that day that waits for a second person, or is being matched.
pub async fn waiting(tx: &mut Tx, account: Id<Account>, day: Day) -> Result<Option<StoredImport>> {
    let row = import!(
        "where i.account_id = $1 and i.day = $2 and i.state in ('waiting', 'confirmed')",
        account.uuid(),
        day.date()
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// What came of an import that was confirmed.
pub async fn conclude(tx: &mut Tx, import: Id<id::StatementImport>, state: &str) -> Result<()> {
    sqlx::query!(
        "update statement_import set state = $2 where id = $1 and state = 'confirmed'",
        import.uuid(),
        state,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// That import.
pub async fn find(tx: &mut Tx, import: Id<id::StatementImport>) -> Result<Option<StoredImport>> {
    let row = import!("where i.id = $1", import.uuid()).fetch_optional(tx.conn()).await?;
    row.map(TryInto::try_into).transpose()
}

/// An import of one of these agencies.
pub async fn of_agencies(
    tx: &mut Tx,
    agencies: &[Id<Agency>],
    import: Id<id::StatementImport>,
) -> Result<Option<StoredImport>> {
    let agencies: Vec<Uuid> = agencies.iter().map(|id| id.uuid()).collect();
    let row = import!(
        "where i.id = $1 and (i.agency_id = any($2) or a.heir_id = any($2))",
        import.uuid(),
        &agencies
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// The agency's newest imports.
pub async fn newest(tx: &mut Tx, agency: Id<Agency>, most: i64) -> Result<Vec<StoredImport>> {
    let rows =
        import!("where $1 in (i.agency_id, a.heir_id) order by i.id desc limit $2", agency.uuid(), most)
            .fetch_all(tx.conn())
            .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// The closing balance of the last statement before a day.
pub async fn balance_before(tx: &mut Tx, account: Id<Account>, day: Day) -> Result<Option<i64>> {
    let balance = sqlx::query_scalar!(
        r#"select closing as "closing!" from statement_now
         where account_id = $1 and day < $2 order by day desc limit 1"#,
        account.uuid(),
        day.date()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(balance)
}

struct Row {
    id: Uuid,
    account_id: Uuid,
    agency_id: Uuid,
    heir_id: Uuid,
    day: time::Date,
    format: String,
    digest: Vec<u8>,
    rows: i32,
    bad: serde_json::Value,
    bad_rows: i32,
    unread: i64,
    opening: i64,
    closing: i64,
    state: String,
    imported_by: Uuid,
    imported_at: Instant,
    decided_by: Option<Uuid>,
    decided_at: Option<Instant>,
}

impl TryFrom<Row> for StoredImport {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self> {
        let id: Id<id::StatementImport> = Id::from_uuid(row.id);
        Ok(Self {
            id,
            account: Id::from_uuid(row.account_id),
            agency: Id::from_uuid(row.agency_id),
            heir: Id::from_uuid(row.heir_id),
            day: Day::from_date(row.day),
            format: row.format,
            digest: row
                .digest
                .try_into()
                .map_err(|_| StoreError::corrupt("statement_import", "digest", id))?,
            rows: row.rows,
            bad: row.bad,
            bad_rows: row.bad_rows,
            unread: row.unread,
            balances: (row.opening, row.closing),
            state: row.state,
            imported: (Id::from_uuid(row.imported_by), row.imported_at),
            decided: row.decided_by.map(Id::from_uuid).zip(row.decided_at),
        })
    }
}
