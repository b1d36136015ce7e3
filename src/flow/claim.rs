//! Claiming idempotency keys for a batch: one pair of statements for all, and a verdict for each.

use super::{Result, idempotency::lock_name};
use crate::base::id::{Client, Id};
use crate::crypto::digest::{Digest, equal};
use crate::store::{
    Tx,
    idempotency::{self, Claimed},
};
use std::collections::BTreeMap;
use uuid::Uuid;

/// What a key says about its request.
pub enum Claim {
    /// It is new: decide, and keep the key with the outcome.
    Fresh,
    /// It stands at this earlier place of the batch with the same content.
    SameAs(usize),
    /// It was answered before.
    Answered(Claimed),
    /// It stands for other content, which made this object.
    Reused(Uuid),
    /// It is being worked on elsewhere, or stands earlier in the batch with other content: come again.
    InProgress,
}

/// Claims keys (client, key, digest of what is asked) in this transaction, and answers each in order.
pub async fn claim_all(tx: &mut Tx, keys: &[(Id<Client>, &str, &Digest)]) -> Result<Vec<Claim>> {
    let names: Vec<i64> = keys.iter().map(|(client, key, _)| lock_name(*client, key)).collect();
    let held = idempotency::try_locks(tx, &names).await?;
    let wanted: Vec<(Id<Client>, &str)> = keys.iter().map(|(client, key, _)| (*client, *key)).collect();
    let before = idempotency::find_all(tx, &wanted).await?;
    let mut firsts: BTreeMap<(Id<Client>, &str), usize> = BTreeMap::new();
    let mut claims = Vec::with_capacity(keys.len());
    for (place, (client, key, digest)) in keys.iter().enumerate() {
        let first = *firsts.entry((*client, *key)).or_insert(place);
        let same_content = equal(keys[first].2, *digest);
        let claim = match before.get(&(*client, (*key).to_owned())) {
            Some(claimed) if equal(&claimed.digest, *digest) => Claim::Answered(claimed.clone()),
            Some(claimed) => Claim::Reused(claimed.object),
            None if !held[place] => Claim::InProgress,
            None if first == place => Claim::Fresh,
            None if same_content => Claim::SameAs(first),
            None => Claim::InProgress,
        };
        claims.push(claim);
    }
    Ok(claims)
}
