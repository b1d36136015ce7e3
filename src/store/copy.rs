//! COPY inside a transaction: the fastest way in for many rows.
//!
//! The driver cannot be interrupted while a COPY ends: the connection is left with an answer to nothing, and every later
//! question gets the answer to the one before. So whoever gives up there makes the connections that come back suspect, and the
//! one that answers wrongly is closed before anybody asks it something.

use super::{Result, Tx};
use crate::base::{calendar::Day, clock::Instant};
use sqlx::PgConnection;
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

/// After somebody gave up, so many connections are looked at closely as they come back: the guilty one is among the first.
const LOOKED_AT: u32 = 1_000;

/// How many connections are still looked at.
#[derive(Clone, Default)]
pub(super) struct Suspects(Arc<AtomicU32>);

impl Suspects {
    /// Whether nothing is wrong with a connection that comes back.
    pub(super) async fn clear(self, connection: &mut PgConnection) -> bool {
        let one_less = |left: u32| left.checked_sub(1);
        if self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_err() {
            return true;
        }
        let answer = sqlx::query_scalar!(r#"SELECT 1 AS "one!""#).fetch_one(connection).await;
        answer.is_ok_and(|one| one == 1)
    }
}

/// Somebody who may give up; dropped before it is over, it makes connections suspect.
struct Copying {
    suspects: Suspects,
    over: bool,
}

impl Drop for Copying {
    fn drop(&mut self) {
        if !self.over {
            self.suspects.0.store(LOOKED_AT, Ordering::Relaxed);
        }
    }
}

impl Tx {
    /// Brings rows to the table and columns that `statement` (`COPY ... FROM STDIN (FORMAT binary)`) names.
    pub(super) async fn copy(&mut self, statement: &str, rows: CopyRows) -> Result<()> {
        let mut copying = Copying { suspects: self.1.clone(), over: false };
        let done = copy(&mut self.0, statement, rows).await;
        copying.over = true;
        done?;
        Ok(())
    }
}

async fn copy(connection: &mut PgConnection, statement: &str, rows: CopyRows) -> sqlx::Result<u64> {
    let mut copy = connection.copy_in_raw(statement).await?;
    copy.send(rows.end()).await?;
    copy.finish().await
}

/// An instant as PostgreSQL sends it: microseconds since the year 2000.
pub(super) fn microseconds(at: Instant) -> i64 {
    let since = at - time::macros::datetime!(2000-01-01 00:00 UTC);
    i64::try_from(since.whole_microseconds()).unwrap_or(i64::MAX)
}

/// A day as PostgreSQL sends it: days since the year 2000.
pub(super) fn days(day: Day) -> i32 {
    i32::try_from((day.date() - time::macros::date!(2000 - 01 - 01)).whole_days()).unwrap_or(i32::MAX)
}

/// Rows in the binary format of COPY: each with the number of its fields before it, each field with its length.
pub(super) struct CopyRows(Vec<u8>);

impl CopyRows {
    /// No rows yet, and room for that many bytes.
    pub(super) fn with_room(bytes: usize) -> Self {
        let mut out = Vec::with_capacity(bytes + 32);
        out.extend_from_slice(b"PGCOPY\n\xff\r\n\0");
        out.extend_from_slice(&[0; 8]);
        Self(out)
    }

    /// A row of that many fields, which follow.
    pub(super) fn row(&mut self, fields: i16) -> &mut Self {
        self.0.extend_from_slice(&fields.to_be_bytes());
        self
    }

    /// The next field; null where there is none. PostgreSQL refuses what is too long.
    pub(super) fn field(&mut self, value: Option<&[u8]>) -> &mut Self {
        let length = value.map_or(-1, |bytes| i32::try_from(bytes.len()).unwrap_or(i32::MAX));
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(value.unwrap_or_default());
        self
    }

    fn end(mut self) -> Vec<u8> {
        self.0.extend_from_slice(&(-1_i16).to_be_bytes());
        self.0
    }
}
