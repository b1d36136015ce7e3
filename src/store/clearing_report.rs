//! The clearing system's last word, of its own accord, about money that is to leave.

use super::{Result, StoreError, Tx, moved_one};
use crate::base::clock::Instant;
use crate::payment::{
    payment::BankReason,
    refund::{Told, Word},
};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Keeps a word about a refund or an order; false when a later one is known: a rejection is the last, and what was
/// accepted is not pending any more.
pub async fn keep(tx: &mut Tx, object: Uuid, word: &Word, at: Instant) -> Result<bool> {
    let reason = match word {
        Word::Rejected(reason) => Some(reason.to_string()),
        Word::Pending | Word::Accepted => None,
    };
    let done = sqlx::query!(
        "insert into clearing_report as r (object_id, report, reason, at) values ($1, $2, $3, $4)
         on conflict on constraint clearing_report_once do update
             set report = excluded.report, reason = excluded.reason, at = excluded.at
             where (r.report = 'pending' and excluded.report <> 'pending')
                 or (r.report = 'accepted' and excluded.report = 'rejected')",
        object,
        word.as_str(),
        reason,
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(moved_one(&done))
}

/// What was told of these refunds or orders.
pub async fn of(tx: &mut Tx, objects: &[Uuid]) -> Result<BTreeMap<Uuid, Told>> {
    let rows = sqlx::query!(
        "select object_id, report, reason, at from clearing_report where object_id = any($1)",
        objects,
    )
    .fetch_all(tx.conn())
    .await?;
    let told = rows.into_iter().map(|row| {
        let corrupt = || StoreError::corrupt("clearing_report", "report", row.object_id);
        let word = match (row.report.as_str(), row.reason) {
            ("pending", None) => Word::Pending,
            ("accepted", None) => Word::Accepted,
            ("rejected", Some(reason)) => {
                let reason: BankReason = reason.parse().map_err(|_| corrupt())?;
                Word::Rejected(reason)
            }
            _ => return Err(corrupt()),
        };
        Ok((row.object_id, Told { word, at: row.at }))
    });
    told.collect()
}
