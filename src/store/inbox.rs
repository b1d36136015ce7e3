//! Messages of the clearing system, once per sender and BizMsgIdr, and the money that they tell of, once per account
//! and servicer's reference.

use super::{Result, StoreError, Tx};
use crate::{
    base::{
        calendar::Day,
        clock::Instant,
        id::{self, Account, Agency, Bill, Id, Payment},
        money::Money,
    },
    crypto::digest::Digest,
    payment::settlement::{Outcome, SUSPENSE_DAYS, Suspense},
};
use std::collections::{BTreeMap, BTreeSet};
use time::Date;
use uuid::Uuid;

/// A message as the inbox remembers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMessage {
    /// Who signed it.
    pub sender: String,
    /// Its identifier.
    pub biz_msg_idr: String,
    /// Its message definition.
    pub kind: String,
    /// The digest of its Document.
    pub digest: Digest,
    /// What was answered.
    pub answer: String,
}

/// Adds messages, which stand in the order of their keys; those that exist stay. The senders and identifiers of the new ones.
pub async fn insert_messages(
    tx: &mut Tx,
    messages: &[StoredMessage],
    at: Instant,
) -> Result<BTreeSet<(String, String)>> {
    let text = |f: fn(&StoredMessage) -> &str| messages.iter().map(|m| f(m).to_owned()).collect::<Vec<_>>();
    let digests: Vec<Vec<u8>> = messages.iter().map(|m| m.digest.to_vec()).collect();
    let rows = sqlx::query!(
        "insert into inbox_message (sender, biz_msg_idr, kind, digest, answer, received_at)
         select m.sender, m.biz_msg_idr, m.kind, m.digest, m.answer, $6
         from unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::text[])
             as m (sender, biz_msg_idr, kind, digest, answer)
         on conflict on constraint inbox_message_once do nothing returning sender, biz_msg_idr",
        &text(|m| &m.sender),
        &text(|m| &m.biz_msg_idr),
        &text(|m| &m.kind),
        &digests,
        &text(|m| &m.answer),
        at,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (row.sender, row.biz_msg_idr)).collect())
}

/// The messages with these senders and identifiers that were taken before.
pub async fn messages(tx: &mut Tx, keys: &[(&str, &str)]) -> Result<Vec<StoredMessage>> {
    let senders: Vec<String> = keys.iter().map(|k| k.0.to_owned()).collect();
    let ids: Vec<String> = keys.iter().map(|k| k.1.to_owned()).collect();
    let rows = sqlx::query!(
        "select m.sender, m.biz_msg_idr, m.kind, m.digest, m.answer
         from unnest($1::text[], $2::text[]) as k (sender, biz_msg_idr)
         join inbox_message m on m.sender = k.sender and m.biz_msg_idr = k.biz_msg_idr
         order by m.sender, m.biz_msg_idr",
        &senders,
        &ids,
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            let digest = row
                .digest
                .try_into()
                .map_err(|_| StoreError::corrupt("inbox_message", "digest", &row.biz_msg_idr))?;
            Ok(StoredMessage {
                sender: row.sender,
                biz_msg_idr: row.biz_msg_idr,
                kind: row.kind,
                digest,
                answer: row.answer,
            })
        })
        .collect()
}

/// The name of money that arrived: the account, and its bank's reference of the movement.
pub type CreditKey = (Id<Account>, String);

/// Money that arrived, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCredit {
    /// Its name.
    pub key: CreditKey,
    /// How much.
    pub amount: Money,
    /// The attempt that it names, if that is ours.
    pub payment: Option<Id<Payment>>,
    /// What became of it.
    pub outcome: Outcome,
    /// The ledger entry.
    pub entry: Id<id::Entry>,
    /// The bank's booking day.
    pub booked_on: Day,
    /// The day from which it counts.
    pub value_on: Day,
    /// When the payer's bank took the order.
    pub accepted_at: Option<Instant>,
}

/// Which of these credits have arrived before, and what became of them.
pub async fn credits(tx: &mut Tx, keys: &[CreditKey]) -> Result<BTreeMap<CreditKey, Outcome>> {
    let accounts: Vec<Uuid> = keys.iter().map(|k| k.0.uuid()).collect();
    let references: Vec<String> = keys.iter().map(|k| k.1.clone()).collect();
    let rows = sqlx::query!(
        "select c.account_id, c.servicer_reference, c.outcome
         from unnest($1::uuid[], $2::text[]) as k (account_id, servicer_reference)
         join credit c on c.account_id = k.account_id and c.servicer_reference = k.servicer_reference",
        &accounts,
        &references,
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            let outcome = outcome(&row.outcome)
                .ok_or_else(|| StoreError::corrupt("credit", "outcome", &row.servicer_reference))?;
            Ok(((Id::from_uuid(row.account_id), row.servicer_reference), outcome))
        })
        .collect()
}

/// Adds credits; one that exists fails the transaction, which is then to be decided again.
pub async fn insert_credits(tx: &mut Tx, credits: &[StoredCredit], at: Instant) -> Result<()> {
    let accounts: Vec<Uuid> = credits.iter().map(|c| c.key.0.uuid()).collect();
    let references: Vec<String> = credits.iter().map(|c| c.key.1.clone()).collect();
    let amounts: Vec<i64> = credits.iter().map(|c| c.amount.minor()).collect();
    let payments: Vec<Option<Uuid>> = credits.iter().map(|c| c.payment.map(Id::uuid)).collect();
    let outcomes: Vec<String> = credits.iter().map(|c| outcome_word(c.outcome).to_owned()).collect();
    let entries: Vec<Uuid> = credits.iter().map(|c| c.entry.uuid()).collect();
    let days: Vec<Date> = credits.iter().map(|c| c.booked_on.date()).collect();
    let other = |c: &StoredCredit| (c.value_on != c.booked_on).then(|| c.value_on.date());
    let values: Vec<Option<Date>> = credits.iter().map(other).collect();
    let accepted: Vec<Option<Instant>> = credits.iter().map(|c| c.accepted_at).collect();
    sqlx::query!(
        "insert into credit (account_id, servicer_reference, amount, payment_id, outcome, entry_id, booked_on, value_on,
             accepted_at, at)
         select c.account_id, c.servicer_reference, c.amount, c.payment_id, c.outcome, c.entry_id, c.booked_on,
             c.value_on, c.accepted_at, $10
         from unnest($1::uuid[], $2::text[], $3::bigint[], $4::uuid[], $5::text[], $6::uuid[], $7::date[], $8::date[],
                 $9::timestamptz[])
             as c (account_id, servicer_reference, amount, payment_id, outcome, entry_id, booked_on, value_on, accepted_at)",
        &accounts,
        &references,
        &amounts,
        &payments as &[Option<Uuid>],
        &outcomes,
        &entries,
        &days,
        &values as &[Option<Date>],
        &accepted as &[Option<Instant>],
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// When a bank took an order, on which day its clearing system booked it, and from which day it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moments {
    /// When the payer's bank took the order, if it said so.
    pub accepted_at: Option<Instant>,
    /// The booking day.
    pub booked_on: Day,
    /// The day from which it counts.
    pub value_on: Day,
}

/// The moments of the money by which these payments were settled, where a bank told of it.
pub async fn moments(tx: &mut Tx, payments: &[Id<Payment>]) -> Result<BTreeMap<Id<Payment>, Moments>> {
    let ids: Vec<Uuid> = payments.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query!(
        r#"select payment_id as "payment!", accepted_at, booked_on, coalesce(value_on, booked_on) as "value_on!"
           from credit where payment_id = any($1) and outcome = 'settled'"#,
        &ids,
    )
    .fetch_all(tx.conn())
    .await?;
    let moments = rows.into_iter().map(|row| {
        let (booked_on, value_on) = (Day::from_date(row.booked_on), Day::from_date(row.value_on));
        (Id::from_uuid(row.payment), Moments { accepted_at: row.accepted_at, booked_on, value_on })
    });
    Ok(moments.collect())
}

/// Money that waits for a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSuspense {
    /// Its identifier.
    pub id: Id<id::Case>,
    /// The credit.
    pub credit: CreditKey,
    /// Whose accounting owns it.
    pub agency: Id<Agency>,
    /// Why it waits.
    pub reason: Suspense,
    /// How much.
    pub amount: Money,
    /// The bill that it named.
    pub bill: Option<Id<Bill>>,
    /// The attempt that it named.
    pub payment: Option<Id<Payment>>,
}

/// Adds money that waits.
pub async fn insert_suspense(tx: &mut Tx, held: &[StoredSuspense], at: Instant) -> Result<()> {
    let uuid = |f: fn(&StoredSuspense) -> Uuid| held.iter().map(f).collect::<Vec<_>>();
    let optional = |f: fn(&StoredSuspense) -> Option<Uuid>| held.iter().map(f).collect::<Vec<_>>();
    let references: Vec<String> = held.iter().map(|h| h.credit.1.clone()).collect();
    let reasons: Vec<String> = held.iter().map(|h| h.reason.as_str().to_owned()).collect();
    let amounts: Vec<i64> = held.iter().map(|h| h.amount.minor()).collect();
    let proposals: Vec<&str> = held.iter().map(|h| h.reason.proposal()).collect();
    sqlx::query!(
        "insert into suspense (id, account_id, servicer_reference, agency_id, reason, amount, bill_id, payment_id,
             state, opened_at, due, proposal)
         select s.id, s.account_id, s.servicer_reference, s.agency_id, s.reason, s.amount, s.bill_id, s.payment_id,
             'held', $9, $10, s.proposal
         from unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::text[], $6::bigint[], $7::uuid[], $8::uuid[],
             $11::text[])
             as s (id, account_id, servicer_reference, agency_id, reason, amount, bill_id, payment_id, proposal)",
        &uuid(|h| h.id.uuid()),
        &uuid(|h| h.credit.0.uuid()),
        &references,
        &uuid(|h| h.agency.uuid()),
        &reasons,
        &amounts,
        &optional(|h| h.bill.map(Id::uuid)) as &[Option<Uuid>],
        &optional(|h| h.payment.map(Id::uuid)) as &[Option<Uuid>],
        at,
        Day::of(at).plus_days(SUSPENSE_DAYS).date(),
        &proposals as &[&str],
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Settles => "settled",
        Outcome::Suspends(reason) => reason.as_str(),
    }
}

pub(super) fn outcome(word: &str) -> Option<Outcome> {
    if word == "settled" {
        return Some(Outcome::Settles);
    }
    Suspense::ALL.into_iter().find(|reason| reason.as_str() == word).map(Outcome::Suspends)
}
