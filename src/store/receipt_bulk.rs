//! Many rows at once by COPY: what hundreds of receipts write that are issued in one transaction. The same rows as their
//! own rooms write, for less: no arrays are built, sent apart and put together again.

use super::{
    Result, Tx,
    audit::NewLeaf,
    copy::{CopyRows, microseconds},
    outbox::{NewOutbox, Topic, places},
    receipt::{File, StoredReceipt},
};
use crate::base::{
    clock::Instant,
    id::{Id, Receipt},
    secret::Sealed,
};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// About how long a row is beyond what is sealed in it.
const ROW_BYTES: usize = 384;

/// Adds receipts.
pub async fn insert_receipts(tx: &mut Tx, receipts: &[StoredReceipt]) -> Result<()> {
    let sealed: usize = receipts.iter().map(|receipt| receipt.content.bytes().len()).sum();
    let mut rows = CopyRows::with_room(sealed + receipts.len() * ROW_BYTES);
    for receipt in receipts {
        let year = i16::try_from(receipt.year).unwrap_or(i16::MAX);
        let (replaces, refund) = (receipt.replaces.map(Id::uuid), receipt.refund.map(Id::uuid));
        rows.row(16)
            .field(Some(receipt.id.uuid().as_bytes()))
            .field(Some(receipt.number.as_bytes()))
            .field(Some(receipt.agency.uuid().as_bytes()))
            .field(Some(receipt.kind.as_str().as_bytes()))
            .field(Some(receipt.bill.uuid().as_bytes()))
            .field(Some(receipt.payment.uuid().as_bytes()))
            .field(Some(&receipt.amount.minor().to_be_bytes()))
            .field(Some(&microseconds(receipt.issued_at).to_be_bytes()))
            .field(Some(receipt.content.bytes()))
            .field(Some(&receipt.content.key().cast_signed().to_be_bytes()))
            .field(Some(&receipt.digest))
            .field(Some(receipt.leaf.uuid().as_bytes()))
            .field(Some(receipt.letters.to_string().as_bytes()))
            .field(Some(&year.to_be_bytes()))
            .field(replaces.as_ref().map(|id| id.as_bytes().as_slice()))
            .field(refund.as_ref().map(|id| id.as_bytes().as_slice()));
    }
    let into = "COPY receipt (id, number, agency_id, kind, bill_id, payment_id, amount, issued_at, content, key, digest,
            leaf_id, letters, year, replaces, refund_id) FROM STDIN (FORMAT binary)";
    tx.copy(into, rows).await
}

/// Keeps a file of each of these receipts, which were issued in this transaction and have none.
pub async fn insert_files(
    tx: &mut Tx,
    files: &[(Id<Receipt>, Sealed<File>)],
    format: &str,
    at: Instant,
) -> Result<()> {
    let sealed: usize = files.iter().map(|file| file.1.bytes().len()).sum();
    let mut rows = CopyRows::with_room(sealed + files.len() * ROW_BYTES);
    let at = microseconds(at).to_be_bytes();
    for (receipt, file) in files {
        rows.row(5)
            .field(Some(receipt.uuid().as_bytes()))
            .field(Some(format.as_bytes()))
            .field(Some(file.bytes()))
            .field(Some(&file.key().cast_signed().to_be_bytes()))
            .field(Some(&at));
    }
    tx.copy("COPY receipt_file (receipt_id, format, bytes, key, made_at) FROM STDIN (FORMAT binary)", rows)
        .await
}

/// Adds leaves of the log with their details.
pub async fn append_leaves(tx: &mut Tx, leaves: &[NewLeaf]) -> Result<()> {
    let sealed: usize = leaves.iter().map(|leaf| leaf.details.bytes().len()).sum();
    let mut placed = CopyRows::with_room(leaves.len() * ROW_BYTES);
    let mut details = CopyRows::with_room(sealed + leaves.len() * ROW_BYTES);
    for leaf in leaves {
        let (citizen, agency) = (leaf.citizen.map(Id::uuid), leaf.agency.map(Id::uuid));
        let generation = i32::try_from(leaf.details.key()).unwrap_or(i32::MAX);
        placed
            .row(4)
            .field(Some(leaf.id.uuid().as_bytes()))
            .field(Some(leaf.kind.as_bytes()))
            .field(Some(&microseconds(leaf.at).to_be_bytes()))
            .field(Some(&leaf.commitment));
        details
            .row(6)
            .field(Some(leaf.id.uuid().as_bytes()))
            .field(citizen.as_ref().map(|id| id.as_bytes().as_slice()))
            .field(agency.as_ref().map(|id| id.as_bytes().as_slice()))
            .field(Some(leaf.object.as_bytes()))
            .field(Some(leaf.details.bytes()))
            .field(Some(&generation.to_be_bytes()));
    }
    tx.copy("COPY audit_leaf (id, kind, at, commitment) FROM STDIN (FORMAT binary)", placed).await?;
    let into = "COPY audit_detail (leaf_id, citizen_id, agency_id, object, sealed, generation) FROM STDIN (FORMAT binary)";
    tx.copy(into, details).await
}

/// Adds events, numbered as [`super::outbox::enqueue`] numbers them; of agencies without an endpoint they are kept to be read.
pub async fn enqueue_events(tx: &mut Tx, events: &[NewOutbox]) -> Result<()> {
    let (nth, many) = places(events);
    let firsts = events.iter().zip(&nth).zip(&many).filter(|((_, nth), _)| **nth == 1);
    let (objects, counts): (Vec<Uuid>, Vec<i32>) =
        firsts.map(|((event, _), many)| (event.object, *many)).unzip();
    let drawn = sqlx::query!(
        "insert into event_sequence as s (object, last)
         select o.object, o.many from unnest($1::uuid[], $2::integer[]) as o (object, many) order by o.object
         on conflict (object) do update set last = s.last + excluded.last
         returning object, last",
        &objects,
        &counts,
    )
    .fetch_all(tx.conn())
    .await?;
    let last: HashMap<Uuid, i32> = drawn.into_iter().map(|row| (row.object, row.last)).collect();
    let agencies: HashSet<Uuid> = events.iter().filter_map(|event| event.agency.map(Id::uuid)).collect();
    let agencies: Vec<Uuid> = agencies.into_iter().collect();
    let heard = sqlx::query_scalar!(
        "select distinct agency_id from endpoint where agency_id = any($1) and state = 'active'",
        &agencies,
    )
    .fetch_all(tx.conn())
    .await?;
    let bodies: usize = events.iter().map(|event| event.body.len()).sum();
    let mut rows = CopyRows::with_room(bodies + events.len() * ROW_BYTES);
    for ((event, nth), many) in events.iter().zip(nth).zip(many) {
        let agency = event.agency.map(Id::uuid);
        let is_heard = agency.is_some_and(|agency| heard.contains(&agency));
        let sequence = last.get(&event.object).map(|last| (last - many + nth).to_be_bytes());
        let state = if is_heard { "pending" } else { "done" };
        let at = microseconds(event.at).to_be_bytes();
        rows.row(10)
            .field(Some(event.id.uuid().as_bytes()))
            .field(Some(&at))
            .field(Some(Topic::Event.as_str().as_bytes()))
            .field(agency.as_ref().map(|id| id.as_bytes().as_slice()))
            .field(Some(event.object.as_bytes()))
            .field(Some(event.name.as_bytes()))
            .field(Some(&event.body))
            .field(Some(&at))
            .field(Some(state.as_bytes()))
            .field(sequence.as_ref().map(|number| number.as_slice()));
    }
    let into = "COPY outbox (id, at, topic, agency_id, object, name, body, due_at, state, sequence)
            FROM STDIN (FORMAT binary)";
    tx.copy(into, rows).await
}
