//! Issues receipts that had to wait: for a number, once a series with numbers left is in force, or from another issuer
//! (`order_receipt`).
//!
//! What waits for numbers is issued in bulk: hundreds in one transaction of so many statements whatever their number, their
//! numbers drawn from the series in one step, each with its own signature, leaf and event. They are signed beside the
//! database's work. The series stays locked until the transaction ends, so that the numbers have no gaps whoever else
//! issues meanwhile. One receipt that cannot be made waits on and stops no other.

use super::{
    Error, Result,
    audit_leaf::{self, Concern},
    backoff::backoff,
    event::event_of,
    issue_receipts::Issued,
    order_receipt::order_receipt,
    receipt_draft::{Agencies, MANY, number_drafts},
    render_receipt::{keep_signed, sign_beside},
    waiting_receipts::know_all,
};
use crate::app::App;
use crate::base::{
    clock::Instant,
    id::{Event, Id, Leaf, Payment},
};
use crate::codec::receipt_content::{LeafName, leaf_name};
use crate::crypto::seal::DataKey;
use crate::store::{
    Tx, adjustment_due,
    audit::{self, NewLeaf},
    outbox::{self, NewOutbox},
    receipt_bulk,
    receipt_due::{self, Due},
};
use futures_util::future::join_all;
use serde::Serialize;
use time::Duration;

/// How many are issued in one transaction.
pub const BULK: usize = 500;
/// How many are asked of other issuers at a time.
pub(super) const ORDERS: i64 = 16;
/// The longest pause between two attempts.
pub(super) const PAUSE_MAX: Duration = Duration::minutes(30);
/// How long a claim outlives the deadline of its call.
pub(super) const LEASE_MARGIN: Duration = Duration::seconds(15);

/// Tries what is due; answers how many were tried.
pub async fn issue_due_receipts(app: &App) -> Result<usize> {
    let now = app.clock.now();
    let lease = (now, now + app.limits.partner_timeout() + LEASE_MARGIN);
    let mut tx = app.store.begin().await?;
    let elsewhere = receipt_due::claim(&mut tx, lease, "issuer", ORDERS).await?;
    tx.commit().await?;
    let ours = issue_own(app, now).await?;
    for done in join_all(elsewhere.iter().map(|due| order_receipt(app, due, now))).await {
        done?;
    }
    Ok(ours + elsewhere.len())
}

/// Tries what waits for a number, in one transaction; how many were tried. Nobody outside is asked, so that nothing need be
/// claimed before: whoever else looks meanwhile passes over them.
async fn issue_own(app: &App, now: Instant) -> Result<usize> {
    let mut tx = app.store.begin().await?;
    let bulk = i64::try_from(BULK).unwrap_or(i64::MAX);
    let waiting = receipt_due::take(&mut tx, now, "no_series", bulk).await?;
    if waiting.is_empty() {
        return Ok(0);
    }
    let tried = waiting.len();
    match issue_locked(app, &mut tx, waiting.clone(), now).await {
        Ok(_) => tx.commit().await?,
        Err(error) => {
            // The whole of it failed: it rests, so that what comes after it is tried.
            drop(tx);
            let mut tx = app.store.begin().await?;
            let left: Vec<(Due, &str)> = waiting.into_iter().map(|due| (due, "failed")).collect();
            put_off(app, &mut tx, left, now).await?;
            tx.commit().await?;
            return Err(error);
        }
    }
    Ok(tried)
}

/// Issues those of them that still wait and for which there is a number; the others are tried later. How many were issued.
pub(super) async fn issue_waiting(app: &App, tx: &mut Tx, waiting: &[Due], now: Instant) -> Result<usize> {
    let waiting = receipt_due::lock(tx, waiting).await?;
    issue_locked(app, tx, waiting, now).await
}

async fn issue_locked(app: &App, tx: &mut Tx, waiting: Vec<Due>, now: Instant) -> Result<usize> {
    let (agencies, known) = know_all(app, tx, &waiting, now).await?;
    let (mut asked, mut drafts, mut left) = (Vec::new(), Vec::new(), Vec::new());
    for (due, known) in waiting.into_iter().zip(known) {
        match known {
            Some(known) => {
                asked.push((due, known.leaf));
                drafts.push(known.draft);
            }
            None => left.push((due, "unreadable")),
        }
    }
    let mut numbered = number_drafts(app, tx, now, drafts, &agencies).await?;
    let (mut done, mut bytes) = (Vec::new(), Vec::new());
    for ((due, leaf), numbered) in asked.into_iter().zip(numbered.take()) {
        match numbered {
            Some((issued, content)) => {
                done.push((due, leaf, issued));
                bytes.push(content);
            }
            None => left.push((due, "no_series")),
        }
    }
    put_off(app, tx, left, now).await?;
    if done.is_empty() {
        return Ok(0);
    }
    let signing = sign_beside(app, bytes);
    numbered.keep(app, tx, now).await?;
    let gone: Vec<Due> = done.iter().map(|(due, ..)| due.clone()).collect();
    receipt_due::delete(tx, &gone).await?;
    let paid: Vec<Id<Payment>> = gone.iter().map(|due| due.payment).collect();
    adjustment_due::hasten_of(tx, &paid, now).await?;
    let keys: Vec<&DataKey> = done.iter().map(|(due, ..)| key_of(&agencies, due)).collect::<Result<_>>()?;
    let late = done.iter().zip(&keys).map(|((due, leaf, issued), key)| Late {
        due,
        leaf: *leaf,
        key,
        number: &issued.number,
        ours: Some(issued),
    });
    let late: Vec<Late<'_>> = late.collect();
    record(app, tx, &late, now).await?;
    let signed = signing.await.map_err(Error::internal)?;
    let signed = done.iter().zip(keys).zip(signed);
    let signed: Vec<_> = signed.map(|(((_, _, issued), key), text)| (issued.id, key, text)).collect();
    keep_signed(app, tx, signed, now).await?;
    Ok(done.len())
}

async fn put_off(app: &App, tx: &mut Tx, left: Vec<(Due, &str)>, now: Instant) -> Result<()> {
    if left.is_empty() {
        return Ok(());
    }
    let outcomes: Vec<&str> = left.iter().map(|(_, outcome)| *outcome).collect();
    let tried = |(due, _): (Due, &str)| Due { attempts: due.attempts.saturating_add(1), ..due };
    let due: Vec<Due> = left.into_iter().map(tried).collect();
    let next: Vec<Instant> =
        due.iter().map(|due| now + backoff(due.attempts, PAUSE_MAX, &*app.entropy)).collect();
    Ok(receipt_due::put_off(tx, &due, &next, &outcomes).await?)
}

fn key_of<'a>(agencies: &'a Agencies, due: &Due) -> Result<&'a DataKey> {
    agencies.get(&due.agency).map(|(_, key)| key).ok_or_else(|| Error::internal(due.agency))
}

/// A receipt that came later than its money, as the log and the listeners hear of it.
pub(super) struct Late<'a> {
    pub due: &'a Due,
    pub leaf: Id<Leaf>,
    pub key: &'a DataKey,
    pub number: &'a str,
    /// The receipt; none where another issuer gave it.
    pub ours: Option<&'a Issued>,
}

/// What the listeners hear, and the log too where another issuer gave the receipt.
#[derive(Serialize)]
struct Told<'a> {
    bill: String,
    payment: String,
    receipt: Option<String>,
    number: &'a str,
    kind: &'a str,
}

/// What the log says of our own: it commits to the content.
#[derive(Serialize)]
struct Committed<'a> {
    bill: &'a str,
    payment: &'a str,
    receipts: [LeafName<'a>; 1],
}

impl Late<'_> {
    fn told(&self) -> Told<'_> {
        Told {
            bill: self.due.bill.to_string(),
            payment: self.due.payment.to_string(),
            receipt: self.ours.map(|issued| issued.id.to_string()),
            number: self.number,
            kind: self.due.kind.as_str(),
        }
    }

    fn leaf(&self, app: &App, told: &Told<'_>, now: Instant) -> NewLeaf {
        let concern = Concern { citizen: None, agency: Some(self.due.agency), object: self.due.bill.uuid() };
        let named = (self.leaf, now);
        let Some(issued) = self.ours else {
            return audit_leaf::leaf_named(app, named, "receipt.issued", concern, self.key, told);
        };
        let receipts = [leaf_name(self.number, &issued.digest)];
        let committed = Committed { bill: &told.bill, payment: &told.payment, receipts };
        audit_leaf::leaf_named(app, named, "receipt.issued", concern, self.key, &committed)
    }

    fn event(&self, id: Id<Event>, told: &Told<'_>, now: Instant) -> NewOutbox {
        event_of(id, now, "receipt.issued", (self.due.agency, self.due.bill.uuid()), told)
    }
}

/// The log's leaves and the events, one of each for every receipt.
pub(super) async fn record(app: &App, tx: &mut Tx, late: &[Late<'_>], now: Instant) -> Result<()> {
    let told: Vec<Told<'_>> = late.iter().map(Late::told).collect();
    let leaves: Vec<_> = late.iter().zip(&told).map(|(late, told)| late.leaf(app, told, now)).collect();
    if late.len() < MANY {
        audit::append(tx, &leaves).await?;
    } else {
        receipt_bulk::append_leaves(tx, &leaves).await?;
    }
    let ids: Vec<Id<Event>> = Id::series(now, 0, late.len(), &*app.entropy);
    let all = late.iter().zip(&told).zip(ids);
    let events: Vec<_> = all.map(|((late, told), id)| late.event(id, told, now)).collect();
    if late.len() < MANY {
        return Ok(outbox::enqueue(tx, &events).await?);
    }
    Ok(receipt_bulk::enqueue_events(tx, &events).await?)
}
