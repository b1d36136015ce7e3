//! Removing what is over, class by class, and counting what is held. The spans are the flow's.

use super::{Result, Tx};
use crate::base::{calendar::Day, clock::Instant};

/// A class of data that has an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Codes that were awaited: keyed hashes of numbers.
    Challenges,
    /// Trips to the national e-ID.
    NationalIdTrips,
    /// Messages that were delivered.
    Messages,
    /// Questions of agencies and their signed answers, by whole months.
    Verifications,
    /// Reports of account levels.
    AccountLevels,
    /// Batches whose upload never ended.
    Uploads,
    /// Batches and their answers.
    Batches,
    /// What citizens took home from negative answers.
    Slips,
    /// Which dossiers have had their free look-up: keyed hashes.
    FirstChecks,
    /// Readings of chip cards.
    CardChecks,
    /// The contents and files of receipts.
    Vouchers,
    /// The words of refunds and recalls, and who took cash.
    Refunds,
    /// Who the parties of bills are, who paid, and what the bills were computed from.
    Bills,
    /// Answers that are kept for whoever asks again under the same key.
    Answers,
    /// What banks told of payers, and the words of decisions behind entries of the ledger.
    LedgerVouchers,
}

impl Class {
    /// The word in reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Challenges => "challenges",
            Self::NationalIdTrips => "national_id_trips",
            Self::Messages => "messages",
            Self::Verifications => "verifications",
            Self::AccountLevels => "account_levels",
            Self::Uploads => "uploads",
            Self::Batches => "batches",
            Self::Slips => "slips",
            Self::FirstChecks => "first_checks",
            Self::CardChecks => "card_checks",
            Self::Vouchers => "vouchers",
            Self::Refunds => "refunds",
            Self::Bills => "bills",
            Self::Answers => "answers",
            Self::LedgerVouchers => "ledger_vouchers",
        }
    }
}

/// What is held of a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// How many rows.
    pub rows: i64,
    /// The moment of the oldest.
    pub oldest: Option<Instant>,
    /// How many are over and still there.
    pub overdue: i64,
}

/// Opens the month of that day and the next one for what is dropped by whole months.
pub async fn open_months(tx: &mut Tx, day: Day) -> Result<()> {
    let days: [time::Date; 2] = [day.date(), day.plus_days(31).date()];
    sqlx::query!(
        "SELECT open_month(parent, day) FROM unnest(ARRAY['outbox', 'verification']) AS p (parent), unnest($1::date[]) AS d (day)",
        &days
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(())
}

/// Removes up to `most` rows (or all whole months) of before `end`; how many.
pub async fn remove(tx: &mut Tx, class: Class, end: Instant, most: i64) -> Result<u64> {
    let done = match class {
        Class::Challenges => {
            sqlx::query!(
                r#"DELETE FROM challenge WHERE authorization_id IN
                       (SELECT authorization_id FROM challenge WHERE expires_at < $1 LIMIT $2)"#,
                end,
                most
            )
            .execute(tx.conn())
            .await?
        }
        Class::NationalIdTrips => {
            sqlx::query!(
                r#"DELETE FROM national_id_trip WHERE state_digest IN
                       (SELECT state_digest FROM national_id_trip WHERE expires_at < $1 LIMIT $2)"#,
                end,
                most
            )
            .execute(tx.conn())
            .await?
        }
        Class::Messages => {
            sqlx::query!(
                r#"DELETE FROM outbox WHERE (id, at) IN
                       (SELECT id, at FROM outbox WHERE topic = 'message' AND state <> 'pending' AND at < $1 LIMIT $2)"#,
                end,
                most
            )
            .execute(tx.conn())
            .await?
        }
        Class::AccountLevels => {
            sqlx::query!(
                r#"DELETE FROM account_level_report WHERE id IN
                       (SELECT id FROM account_level_report WHERE reported_at < $1 LIMIT $2)"#,
                end,
                most
            )
            .execute(tx.conn())
            .await?
        }
        Class::CardChecks => {
            sqlx::query!(
                "DELETE FROM card_check WHERE id IN (SELECT id FROM card_check WHERE at < $1 LIMIT $2)",
                end,
                most
            )
            .execute(tx.conn())
            .await?
        }
        Class::Verifications => {
            let dropped = sqlx::query_scalar!("SELECT drop_months('verification', $1)", end)
                .fetch_one(tx.conn())
                .await?;
            return Ok(dropped.unwrap_or(0).unsigned_abs());
        }
        Class::Uploads => return remove_batches(tx, end, most, true).await,
        Class::Batches => return remove_batches(tx, end, most, false).await,
        Class::Slips => {
            sqlx::query!(
                "DELETE FROM slip WHERE reference IN (SELECT reference FROM slip WHERE at < $1 LIMIT $2)",
                end,
                most
            )
            .execute(tx.conn())
            .await?
        }
        Class::FirstChecks => {
            sqlx::query!(
                "DELETE FROM first_check WHERE hash IN (SELECT hash FROM first_check WHERE day < $1 LIMIT $2)",
                Day::of(end).date(),
                most
            )
            .execute(tx.conn())
            .await?
        }
        Class::Answers => {
            sqlx::query!(
                r#"DELETE FROM idempotency_key WHERE (client_id, key) IN
                       (SELECT client_id, key FROM idempotency_key WHERE at < $1 LIMIT $2)"#,
                end,
                most
            )
            .execute(tx.conn())
            .await?
        }
        Class::Bills => return empty_bills(tx, end, most).await,
        Class::Vouchers => return remove_vouchers(tx, end, most).await,
        Class::Refunds => return empty_refunds(tx, end, most).await,
        Class::LedgerVouchers => return empty_ledger_vouchers(tx, end, most).await,
    };
    Ok(done.rows_affected())
}

/// Whole batches with their chunks, of which each has up to a thousand; how many batches.
async fn remove_batches(tx: &mut Tx, end: Instant, most: i64, receiving: bool) -> Result<u64> {
    let done = sqlx::query!(
        r#"WITH over AS (
               SELECT id FROM verification_batch
               WHERE created_at < $1 AND (state = 'receiving' OR NOT $3) ORDER BY created_at, id LIMIT $2),
           chunks AS (DELETE FROM verification_batch_chunk c USING over WHERE c.batch_id = over.id)
           DELETE FROM verification_batch b USING over WHERE b.id = over.id"#,
        end,
        (most / 100).max(1),
        receiving
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

/// The content first, then the files of what has none: the triggers allow nothing else.
async fn remove_vouchers(tx: &mut Tx, end: Instant, most: i64) -> Result<u64> {
    let emptied = sqlx::query_scalar!(
        r#"UPDATE receipt SET content = '' WHERE id IN
               (SELECT id FROM receipt WHERE issued_at < $1 AND length(content) > 0 LIMIT $2)
           RETURNING id"#,
        end,
        most
    )
    .fetch_all(tx.conn())
    .await?;
    sqlx::query!("DELETE FROM receipt_file WHERE receipt_id = ANY($1)", &emptied).execute(tx.conn()).await?;
    Ok(emptied.len() as u64)
}

/// Empties what the next bills in the order of their issue say about people; sums, lines, days and states stay.
async fn empty_bills(tx: &mut Tx, end: Instant, most: i64) -> Result<u64> {
    let bills = sqlx::query_scalar!(
        r#"SELECT b.id FROM (
               SELECT id, issued_at FROM bill
               WHERE id > coalesce((SELECT through FROM retention_mark WHERE class = 'bills'), '00000000-0000-0000-0000-000000000000'::uuid)
               ORDER BY id LIMIT $2) b
           WHERE b.issued_at < $1 ORDER BY b.id"#,
        end,
        most
    )
    .fetch_all(tx.conn())
    .await?;
    let Some(last) = bills.last() else { return Ok(0) };
    sqlx::query!("UPDATE bill_content SET parties = '', trace = '' WHERE bill_id = ANY($1)", &bills)
        .execute(tx.conn())
        .await?;
    sqlx::query!("UPDATE bill_version SET trace = '' WHERE bill_id = ANY($1)", &bills)
        .execute(tx.conn())
        .await?;
    sqlx::query!(
        "UPDATE fee_evidence SET reason = '' WHERE bill_id = ANY($1) AND reason IS NOT NULL",
        &bills
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        r#"UPDATE payment_payer SET parties = '' WHERE payment_id IN
               (SELECT id FROM payment WHERE bill_id = ANY($1))"#,
        &bills
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!("UPDATE receipt_name SET name = '' WHERE bill_id = ANY($1)", &bills)
        .execute(tx.conn())
        .await?;
    sqlx::query!(
        r#"INSERT INTO retention_mark (class, through) VALUES ('bills', $1)
           ON CONFLICT ON CONSTRAINT retention_mark_once DO UPDATE SET through = EXCLUDED.through"#,
        last
    )
    .execute(tx.conn())
    .await?;
    Ok(bills.len() as u64)
}

/// Empties what refunds say in words; money, ways and instants stay.
async fn empty_refunds(tx: &mut Tx, end: Instant, most: i64) -> Result<u64> {
    let done = sqlx::query_scalar!(
        r#"WITH refunds AS (
               UPDATE refund SET words = '' WHERE id IN
                   (SELECT id FROM refund WHERE requested_at < $1 AND length(words) > 0 LIMIT $2) RETURNING 1),
           recalls AS (
               UPDATE recall SET words = '' WHERE id IN
                   (SELECT id FROM recall WHERE opened_at < $1 AND length(words) > 0 LIMIT $2) RETURNING 1),
           payouts AS (
               UPDATE desk_payout SET payee = '' WHERE refund_id IN
                   (SELECT refund_id FROM desk_payout WHERE at < $1 AND length(payee) > 0 LIMIT $2) RETURNING 1)
           SELECT (SELECT count(*) FROM refunds) + (SELECT count(*) FROM recalls) + (SELECT count(*) FROM payouts)
               AS "emptied!""#,
        end,
        most
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(done.unsigned_abs())
}

/// Empties what stands in words behind entries of the ledger: statement lines, notes of cases, decisions on suspense.
async fn empty_ledger_vouchers(tx: &mut Tx, end: Instant, most: i64) -> Result<u64> {
    let done = sqlx::query_scalar!(
        r#"WITH lines AS (
               UPDATE statement_line SET told = '' WHERE id IN
                   (SELECT l.id FROM statement s JOIN statement_line l ON l.statement_id = s.id
                    WHERE s.fetched_at < $1 AND length(l.told) > 0 LIMIT $2) RETURNING 1),
           told AS (
               UPDATE statement_told SET told = '' WHERE (statement_id, first) IN
                   (SELECT t.statement_id, t.first FROM statement s JOIN statement_told t ON t.statement_id = s.id
                    WHERE s.fetched_at < $1 AND length(t.told) > 0 LIMIT $2) RETURNING 1),
           notes AS (
               UPDATE case_note SET words = '' WHERE id IN
                   (SELECT id FROM case_note WHERE at < $1 AND length(words) > 0 LIMIT $2) RETURNING 1),
           decisions AS (
               UPDATE suspense_decision SET words = '' WHERE suspense_id IN
                   (SELECT suspense_id FROM suspense_decision WHERE proposed_at < $1 AND length(words) > 0 LIMIT $2)
               RETURNING 1)
           SELECT (SELECT count(*) FROM lines) + (SELECT count(*) FROM told) + (SELECT count(*) FROM notes)
               + (SELECT count(*) FROM decisions) AS "emptied!""#,
        end,
        most
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(done.unsigned_abs())
}

/// What is held of a class, and how much of it is of before `end`.
pub async fn held(tx: &mut Tx, class: Class, end: Instant) -> Result<Held> {
    macro_rules! counted {
        ($sql:literal) => {{
            let row = sqlx::query!($sql, end).fetch_one(tx.conn()).await?;
            Held { rows: row.rows, oldest: row.oldest, overdue: row.overdue }
        }};
    }
    Ok(match class {
        Class::Challenges => counted!(
            r#"SELECT count(*) AS "rows!", min(expires_at) AS oldest,
                      count(*) FILTER (WHERE expires_at < $1) AS "overdue!" FROM challenge"#
        ),
        Class::NationalIdTrips => counted!(
            r#"SELECT count(*) AS "rows!", min(expires_at) AS oldest,
                      count(*) FILTER (WHERE expires_at < $1) AS "overdue!" FROM national_id_trip"#
        ),
        Class::Messages => counted!(
            r#"SELECT count(*) AS "rows!", min(at) AS oldest, count(*) FILTER (WHERE at < $1) AS "overdue!"
               FROM outbox WHERE topic = 'message' AND state <> 'pending'"#
        ),
        Class::Verifications => counted!(
            r#"SELECT count(*) AS "rows!", min(at) AS oldest,
                      count(*) FILTER (WHERE date_trunc('month', at, 'UTC') + INTERVAL '1 month' <= $1) AS "overdue!"
               FROM verification"#
        ),
        Class::AccountLevels => counted!(
            r#"SELECT count(*) AS "rows!", min(reported_at) AS oldest,
                      count(*) FILTER (WHERE reported_at < $1) AS "overdue!" FROM account_level_report"#
        ),
        Class::Uploads => counted!(
            r#"SELECT count(*) AS "rows!", min(created_at) AS oldest,
                      count(*) FILTER (WHERE created_at < $1) AS "overdue!"
               FROM verification_batch WHERE state = 'receiving'"#
        ),
        Class::Batches => counted!(
            r#"SELECT count(*) AS "rows!", min(created_at) AS oldest,
                      count(*) FILTER (WHERE created_at < $1) AS "overdue!" FROM verification_batch"#
        ),
        Class::Slips => counted!(
            r#"SELECT count(*) AS "rows!", min(at) AS oldest, count(*) FILTER (WHERE at < $1) AS "overdue!" FROM slip"#
        ),
        Class::FirstChecks => {
            let row = sqlx::query!(
                r#"SELECT count(*) AS "rows!", min(day) AS oldest, count(*) FILTER (WHERE day < $1) AS "overdue!"
                   FROM first_check"#,
                Day::of(end).date()
            )
            .fetch_one(tx.conn())
            .await?;
            let oldest = row.oldest.map(|day| Day::from_date(day).start());
            Held { rows: row.rows, oldest, overdue: row.overdue }
        }
        Class::CardChecks => counted!(
            r#"SELECT count(*) AS "rows!", min(at) AS oldest, count(*) FILTER (WHERE at < $1) AS "overdue!"
               FROM card_check"#
        ),
        Class::Vouchers => counted!(
            r#"SELECT count(*) AS "rows!", min(issued_at) AS oldest,
                      count(*) FILTER (WHERE issued_at < $1) AS "overdue!" FROM receipt WHERE length(content) > 0"#
        ),
        Class::Refunds => counted!(
            r#"SELECT count(*) AS "rows!", min(at) AS oldest, count(*) FILTER (WHERE at < $1) AS "overdue!"
               FROM (SELECT requested_at AS at FROM refund WHERE length(words) > 0
                     UNION ALL SELECT opened_at FROM recall WHERE length(words) > 0
                     UNION ALL SELECT at FROM desk_payout WHERE length(payee) > 0) r"#
        ),
        Class::Bills => counted!(
            r#"SELECT count(*) AS "rows!", min(b.issued_at) AS oldest,
                      count(*) FILTER (WHERE b.issued_at < $1) AS "overdue!"
               FROM bill_content c JOIN bill b ON b.id = c.bill_id WHERE length(c.parties) > 0"#
        ),
        Class::Answers => counted!(
            r#"SELECT count(*) AS "rows!", min(at) AS oldest, count(*) FILTER (WHERE at < $1) AS "overdue!"
               FROM idempotency_key"#
        ),
        Class::LedgerVouchers => counted!(
            r#"SELECT count(*) AS "rows!", min(at) AS oldest, count(*) FILTER (WHERE at < $1) AS "overdue!"
               FROM (SELECT s.fetched_at AS at FROM statement s JOIN statement_line l ON l.statement_id = s.id
                     WHERE length(l.told) > 0
                     UNION ALL SELECT s.fetched_at FROM statement s JOIN statement_told t ON t.statement_id = s.id
                     WHERE length(t.told) > 0
                     UNION ALL SELECT at FROM case_note WHERE length(words) > 0
                     UNION ALL SELECT proposed_at FROM suspense_decision WHERE length(words) > 0) v"#
        ),
    })
}

/// Notes what a run removed.
pub async fn note_run(tx: &mut Tx, class: Class, removed: u64, at: Instant) -> Result<()> {
    sqlx::query!(
        r#"INSERT INTO retention_run (class, at, removed) VALUES ($1, $2, $3)
           ON CONFLICT (class, at) DO UPDATE SET removed = retention_run.removed + EXCLUDED.removed"#,
        class.word(),
        at,
        i64::try_from(removed).unwrap_or(i64::MAX)
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// When a class last lost something, and how much it lost in all.
pub async fn last_run(tx: &mut Tx, class: Class) -> Result<Option<(Instant, i64)>> {
    let row = sqlx::query!(
        r#"SELECT max(at) AS at, coalesce(sum(removed), 0)::bigint AS "removed!" FROM retention_run WHERE class = $1"#,
        class.word()
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(row.at.map(|at| (at, row.removed)))
}
