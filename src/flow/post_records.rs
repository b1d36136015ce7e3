//! Books charges and discounts that agencies' systems tell: many callers, one transaction, an answer for each.

use super::{Error, Refusal, Result, audit_leaf};
use crate::{
    app::App,
    base::{
        clock::Instant,
        id::{self, Agency, Id},
    },
    crypto::seal::DataKey,
    payment::{
        ledger::Account,
        record::{Kind, Posted, Record, Told},
    },
    store::{
        account::{self, CollectingAccount},
        agency, audit,
        ledger::{self as books, EntryKind, NewEntry},
        ledger_record::{self as rows, NewRecord, RecordKey},
    },
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Books one record through the shared writer. The answer says whether it was new.
pub async fn post_record(app: &App, told: Told) -> Result<(bool, Value)> {
    let record = told.record.clone();
    match app.batches.records.submit(told).await? {
        Posted::Recorded(entry) => Ok((true, record_json(&record, entry, "recorded"))),
        Posted::Exists(entry) => Ok((false, record_json(&record, entry, "exists"))),
        Posted::Differs(entry, members) => {
            let refusal = Refusal::new("record_differs").about(entry);
            let named = members
                .into_iter()
                .fold(refusal, |refusal, member| refusal.violation(format!("/{member}"), "differs", None));
            Err(Error::Conflict(named))
        }
        Posted::UnknownAccount => Err(Error::refused("unknown_account")),
    }
}

fn record_json(record: &Record, entry: Id<id::Entry>, outcome: &str) -> Value {
    json!({
        "outcome": outcome,
        "id": record.name.as_str(),
        "entry": entry.to_string(),
        "kind": record.kind.as_str(),
        "account": record.account,
        "amount": super::explain::money(record.amount),
        "day": record.day.to_string(),
        "words": record.words.as_str(),
    })
}

/// Books records in the order of arrival, and answers each. Those of one name are decided one after the other.
pub async fn post_all(app: &App, told: Vec<Told>) -> Result<Vec<Posted>> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let keys: Vec<RecordKey> = told.iter().map(|t| key_of(&t.record)).collect();
    let mut known = rows::records(&mut tx, &keys).await?;
    let agencies: Vec<Id<Agency>> =
        told.iter().map(|t| t.record.agency).collect::<BTreeSet<_>>().into_iter().collect();
    let mut ground = Ground::default();
    for agency in agency::find_all(&mut tx, &agencies).await? {
        ground.keys.insert(agency.id, app.keys.data_key(&agency.key, agency.id.uuid().as_bytes())?);
        for own in account::accounts_of(&mut tx, agency.id).await? {
            ground.accounts.insert((agency.id, own.number.clone()), own);
        }
    }
    let (mut posted, mut entries, mut new, mut leaves) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (one, key) in told.iter().zip(keys) {
        if let Some((before, entry)) = known.get(&key) {
            let differences = before.differences(&one.record);
            posted.push(if differences.is_empty() {
                Posted::Exists(*entry)
            } else {
                Posted::Differs(*entry, differences)
            });
            continue;
        }
        let Some((entry, account, leaf)) = ground.book(app, one, now)? else {
            posted.push(Posted::UnknownAccount);
            continue;
        };
        known.insert(key, (one.record.clone(), entry.id));
        posted.push(Posted::Recorded(entry.id));
        new.push(NewRecord { told: one, account, entry: entry.id });
        entries.push(entry);
        leaves.push(leaf);
    }
    if new.is_empty() {
        return Ok(posted);
    }
    let accounts: Vec<Account> =
        entries.iter().flat_map(|e| e.entry.postings().iter().map(|p| p.account)).collect();
    let numbers = account::open_numbers(&mut tx, &accounts).await?;
    rows::insert_records(&mut tx, &new, now).await.map_err(lost_race)?;
    books::append(&mut tx, &entries, &numbers, now).await?;
    audit::append(&mut tx, &leaves).await?;
    tx.commit().await?;
    Ok(posted)
}

fn key_of(record: &Record) -> RecordKey {
    (record.agency, record.name.to_string())
}

/// What the records of a batch are decided by.
#[derive(Default)]
struct Ground {
    keys: BTreeMap<Id<Agency>, DataKey>,
    accounts: BTreeMap<(Id<Agency>, String), CollectingAccount>,
}

impl Ground {
    fn book(
        &self,
        app: &App,
        told: &Told,
        now: Instant,
    ) -> Result<Option<(NewEntry, Id<id::Account>, audit::NewLeaf)>> {
        let record = &told.record;
        let own = self.accounts.get(&(record.agency, record.account.clone()));
        let (Some(own), Some(key)) = (own, self.keys.get(&record.agency)) else {
            return Ok(None);
        };
        let entry: Id<id::Entry> = Id::new(now, &*app.entropy);
        let details = json!({
            "record": record.name.as_str(),
            "kind": record.kind.as_str(),
            "account": own.id.to_string(),
            "amount": record.amount.decimal(),
            "day": record.day.to_string(),
            "client": told.client.to_string(),
        });
        let concern =
            audit_leaf::Concern { citizen: None, agency: Some(record.agency), object: entry.uuid() };
        let leaf = audit_leaf::leaf(app, now, "money.charged", concern, key, &details);
        let kind = match record.kind {
            Kind::BankCharge => EntryKind::Charged,
            Kind::CardDiscount => EntryKind::Discounted,
        };
        let booked = record.entry(own.id).map_err(Error::internal)?;
        let entry = NewEntry { id: entry, kind, subject: entry.uuid(), leaf: leaf.id, entry: booked };
        Ok(Some((entry, own.id, leaf)))
    }
}

/// Another node has booked a record of this name at this moment: the caller asks again, and finds it.
fn lost_race(error: crate::store::StoreError) -> Error {
    if error.violates("ledger_record_once") {
        Error::Unavailable(Refusal::new("try_again"))
    } else {
        error.into()
    }
}
