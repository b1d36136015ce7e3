//! Charges and discounts that agencies' systems book by hand.

use super::{Result, StoreError, Tx};
use crate::{
    base::{
        calendar::Day,
        clock::Instant,
        id::{self, Account, Agency, Id},
        money::Money,
        text::Line,
    },
    payment::record::{Record, Told},
};
use std::collections::BTreeMap;
use time::Date;
use uuid::Uuid;

/// The name of a record: whose, and which.
pub type RecordKey = (Id<Agency>, String);

/// The records of these names, those that are booked, with their entries.
pub async fn records(
    tx: &mut Tx,
    keys: &[RecordKey],
) -> Result<BTreeMap<RecordKey, (Record, Id<id::Entry>)>> {
    let agencies: Vec<Uuid> = keys.iter().map(|key| key.0.uuid()).collect();
    let names: Vec<String> = keys.iter().map(|key| key.1.clone()).collect();
    let rows = sqlx::query!(
        "select r.agency_id, r.name, r.kind, a.number, r.amount, r.day, r.words, r.entry_id
         from unnest($1::uuid[], $2::text[]) as k (agency_id, name)
         join ledger_record r on r.agency_id = k.agency_id and r.name = k.name
         join collecting_account a on a.id = r.account_id",
        &agencies,
        &names,
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            let bad = |column| StoreError::corrupt("ledger_record", column, &row.name);
            let record = Record {
                agency: Id::from_uuid(row.agency_id),
                name: Line::parse(&row.name).map_err(|_| bad("name"))?,
                kind: row.kind.parse().map_err(|_| bad("kind"))?,
                account: row.number,
                amount: Money::vnd(row.amount),
                day: Day::from_date(row.day),
                words: Line::parse(&row.words).map_err(|_| bad("words"))?,
            };
            Ok(((record.agency, row.name), (record, Id::from_uuid(row.entry_id))))
        })
        .collect()
}

/// A record with its account and its entry.
pub struct NewRecord<'a> {
    /// What was told, and by whom.
    pub told: &'a Told,
    /// The account that the money left.
    pub account: Id<Account>,
    /// Its entry.
    pub entry: Id<id::Entry>,
}

/// Adds records; one that exists fails the transaction (`ledger_record_once`), which is then to be decided again.
pub async fn insert_records(tx: &mut Tx, records: &[NewRecord<'_>], at: Instant) -> Result<()> {
    let uuid = |f: fn(&NewRecord<'_>) -> Uuid| records.iter().map(f).collect::<Vec<_>>();
    let text = |f: fn(&NewRecord<'_>) -> String| records.iter().map(f).collect::<Vec<_>>();
    let amounts: Vec<i64> = records.iter().map(|r| r.told.record.amount.minor()).collect();
    let days: Vec<Date> = records.iter().map(|r| r.told.record.day.date()).collect();
    sqlx::query!(
        "insert into ledger_record (agency_id, name, kind, account_id, amount, day, words, entry_id, client_id, at)
         select r.agency_id, r.name, r.kind, r.account_id, r.amount, r.day, r.words, r.entry_id, r.client_id, $10
         from unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::bigint[], $6::date[], $7::text[], $8::uuid[],
             $9::uuid[]) as r (agency_id, name, kind, account_id, amount, day, words, entry_id, client_id)
         order by r.agency_id, r.name",
        &uuid(|r| r.told.record.agency.uuid()),
        &text(|r| r.told.record.name.to_string()),
        &text(|r| r.told.record.kind.as_str().to_owned()),
        &uuid(|r| r.account.uuid()),
        &amounts,
        &days,
        &text(|r| r.told.record.words.to_string()),
        &uuid(|r| r.entry.uuid()),
        &uuid(|r| r.told.client.uuid()),
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
