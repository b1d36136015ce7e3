//! All SQL and nothing else: free functions over a transaction.
//!
//! One statement per function; columns are listed; every instant is a parameter. A constraint that stands for a rule
//! has a name, and comes back as [`StoreError::Violated`] so that the flow can answer with the rule. A stored value
//! that no longer parses is [`StoreError::Corrupt`] and names its place.

pub mod account;
pub mod adjustment_due;
pub mod adjustment_order;
pub mod agency;
pub mod asking;
pub mod at_counter;
pub mod attempts;
pub mod audit;
pub mod audit_tree;
pub mod authenticator;
pub mod authorization;
pub mod bank;
pub mod behind_line;
pub mod bill;
mod bill_lines;
pub mod bill_version;
pub mod blank;
pub mod booked_line;
pub mod books_check;
pub mod calendar;
pub mod card_check;
pub mod carried;
pub mod case;
pub mod case_facts;
pub mod cash;
pub mod ceremony;
pub mod chart;
pub mod clearing_report;
pub mod client;
pub mod client_care;
pub mod closing;
pub mod code_counter;
pub mod consent;
pub mod contact;
mod copy;
pub mod counter;
pub mod debit;
pub mod declaration;
pub mod delivery;
pub mod desk;
pub mod document_signer;
pub mod due;
pub mod endpoint;
pub mod erasure;
pub mod exemption;
pub mod familiar;
pub mod fee;
pub mod fee_evidence;
pub mod fee_version;
pub mod head_stamp;
pub mod head_witness;
pub mod history;
pub mod idempotency;
pub mod inbox;
pub mod inheritance;
pub mod journal;
pub mod key_rotation;
pub mod kyc;
pub mod ledger;
pub mod ledger_record;
pub mod lock;
pub mod long_closing;
pub mod long_day;
pub mod mandate;
pub mod matching;
pub mod national_id;
pub mod notice;
pub mod once;
pub mod outbox;
pub mod payment;
pub mod payout;
pub mod payout_rule;
pub mod payout_waiting;
pub mod platform;
pub mod portal;
pub mod portal_policy;
pub mod postgres;
pub mod principal;
pub mod pseudonym;
pub mod pushed_request;
pub mod recall;
pub mod receipt;
pub mod receipt_bulk;
pub mod receipt_due;
pub mod receipt_issuer;
pub mod receipt_series;
pub mod receipt_void;
pub mod reconciliation;
pub mod refresh_token;
pub mod refund;
pub mod refund_line;
pub mod register;
pub mod regular;
pub mod retention;
pub mod revoked_token;
pub mod role;
pub mod session;
pub mod sharing;
pub mod sift;
pub mod silence;
pub mod slip;
pub mod sms_count;
pub mod statement;
pub mod statement_fetch;
pub mod statement_import;
pub mod statement_page;
pub mod statement_revision;
pub mod subject_request;
pub mod succession;
pub mod suspense;
pub mod tariff;
pub mod told;
pub mod told_again;
pub mod transfer;
pub mod trial_balance;
pub mod unconfirmed;
pub mod verification;
pub mod verification_batch;
pub mod vouched;
pub mod waiting_receipt;

use copy::Suspects;
use regular::{Regular, Regulars};
use sqlx::{Connection, PgConnection, PgPool, Postgres, Transaction, postgres::PgPoolOptions};
use std::time::Duration;

/// The migrations that this program was built with.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// What can go wrong between us and PostgreSQL.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No connection in time, or the connection broke: whether a commit happened is not known.
    #[error("the database is not reachable")]
    Unavailable(#[source] sqlx::Error),
    /// A deadlock or serialization failure: nothing was written, trying again may work.
    #[error("the database asks to try again")]
    Again(#[source] sqlx::Error),
    /// A named constraint says no.
    #[error("constraint {0}")]
    Violated(String),
    /// A row holds a value that no longer parses.
    #[error("{table}.{column} of {id} does not parse")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row.
        id: String,
    },
    /// Anything else is a mistake of ours.
    #[error("the database refuses a statement")]
    Unexpected(#[source] sqlx::Error),
}

impl StoreError {
    /// A stored value that no longer parses.
    pub fn corrupt(table: &'static str, column: &'static str, id: impl std::fmt::Display) -> Self {
        Self::Corrupt { table, column, id: id.to_string() }
    }

    /// True when the named constraint refused the write.
    pub fn violates(&self, constraint: &str) -> bool {
        matches!(self, Self::Violated(name) if name == constraint)
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            // BEGIN may find a connection as a caller left it that gave up in the middle: nothing was begun on it.
            sqlx::Error::BeginFailed
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::Io(_)
            | sqlx::Error::Tls(_) => Self::Unavailable(error),
            sqlx::Error::Database(db) => match (db.code().as_deref(), db.constraint()) {
                (Some("40001" | "40P01"), _) => Self::Again(error),
                // The server is starting, stopping or was told to end this session.
                (Some("57P01" | "57P02" | "57P03" | "53300"), _) => Self::Unavailable(error),
                (_, Some(name)) => Self::Violated(name.to_owned()),
                _ => Self::Unexpected(error),
            },
            _ => Self::Unexpected(error),
        }
    }
}

/// What a statement gives.
pub type Result<T> = std::result::Result<T, StoreError>;

/// How many statements a connection keeps prepared: all that a node asks in its life. With fewer, each would be parsed and
/// planned again and again.
const STATEMENTS_MAX: usize = 1_024;

/// The database.
#[derive(Clone)]
pub struct Store {
    pool: PgPool,
    regulars: Regulars,
    suspects: Suspects,
    last_version: tariff::LastRead,
}

impl Store {
    /// Opens a pool of at most `connections_max`, and beside it one for each [`Regular`] that asks; a caller waits three seconds
    /// for one, then is told so.
    pub async fn connect(url: &str, connections_max: u32) -> Result<Self> {
        let options: sqlx::postgres::PgConnectOptions = url.parse()?;
        let suspects = Suspects::default();
        let look = suspects.clone();
        let pool = PgPoolOptions::new()
            .max_connections(connections_max)
            .acquire_timeout(Duration::from_secs(3))
            .test_before_acquire(false)
            .after_release(move |connection, _| {
                let look = look.clone();
                Box::pin(async move {
                    // What a large batch needed once would stay with each of the connections.
                    connection.shrink_buffers();
                    Ok(look.clear(connection).await)
                })
            })
            .connect_with(options.application_name("chung").statement_cache_capacity(STATEMENTS_MAX).options(
                [
                    // Statements take arrays of any length and find their rows by keys: one plan serves all, and it must
                    // not read a table whole because the table was small when the plan was made (the checks of foreign
                    // keys and triggers keep such plans too). A plan without an index is still found, at a cost that must
                    // not set the compiler to work.
                    ("plan_cache_mode", "force_generic_plan"),
                    ("enable_seqscan", "off"),
                    ("jit", "off"),
                ],
            ))
            .await?;
        let regulars = Regulars::beside(&pool);
        Ok(Self { pool, regulars, suspects, last_version: tariff::LastRead::default() })
    }

    /// Brings the schema up to date; several nodes may start at once.
    pub async fn migrate(&self) -> std::result::Result<(), sqlx::migrate::MigrateError> {
        MIGRATIONS.run(&self.pool).await
    }

    /// Begins a transaction; dropping it without [`Tx::commit`] undoes it.
    pub async fn begin(&self) -> Result<Tx> {
        Ok(Tx(self.pool.begin().await?, self.suspects.clone()))
    }

    /// The same for a regular.
    pub async fn begin_as(&self, regular: Regular) -> Result<Tx> {
        Ok(Tx(self.pool_of(regular).begin().await?, self.suspects.clone()))
    }

    /// Whether the database answers: for readiness.
    pub async fn ping(&self) -> Result<()> {
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }

    /// How many connections are open, and how many of them nobody uses.
    pub fn connections(&self) -> (u32, u32) {
        let count = |pool: &PgPool| (pool.size(), u32::try_from(pool.num_idle()).unwrap_or(u32::MAX));
        let pools = self.regulars.pools().chain([&self.pool]).map(count);
        pools.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1.saturating_add(one.1)))
    }

    /// Gives the connections back; for an orderly end.
    pub async fn close(&self) {
        self.regulars.close().await;
        self.pool.close().await;
    }
}

/// The unit of work: everything a decision writes, or nothing.
pub struct Tx(Transaction<'static, Postgres>, Suspects);

impl Tx {
    /// Makes it durable.
    pub async fn commit(self) -> Result<()> {
        self.0.commit().await?;
        Ok(())
    }

    /// The connection, for the statements of this room.
    pub(in crate::store) fn conn(&mut self) -> &mut PgConnection {
        &mut self.0
    }

    /// Reads everything from now on as it stands at one moment, and writes nothing.
    pub async fn read_one_moment(&mut self) -> Result<()> {
        sqlx::query!("set transaction isolation level repeatable read, read only")
            .execute(self.conn())
            .await?;
        Ok(())
    }

    /// Waits for a lock that others of the same name wait for, until this transaction ends.
    pub async fn lock(&mut self, name: i64) -> Result<()> {
        sqlx::query!("SELECT pg_advisory_xact_lock($1)", name).execute(self.conn()).await?;
        Ok(())
    }

    /// Takes such a lock if it is free.
    pub async fn try_lock(&mut self, name: i64) -> Result<bool> {
        let held =
            sqlx::query_scalar!("SELECT pg_try_advisory_xact_lock($1)", name).fetch_one(self.conn()).await?;
        Ok(held.unwrap_or(false))
    }
}

/// A compare-and-set moves exactly one row; anything else is somebody else's win.
pub fn moved_one(result: &sqlx::postgres::PgQueryResult) -> bool {
    result.rows_affected() == 1
}
