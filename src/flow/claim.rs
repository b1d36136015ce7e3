//! Claiming idempotency keys for a batch: one statement for all, and a verdict for each.
//!
//! A key is claimed by writing it, before anything is decided: of two transactions the second waits for the first and is
//! told what became of it. Whoever is refused gives the key back in the same transaction.

use super::Result;
use crate::base::{
    clock::Instant,
    id::{Client, Id},
};
use crate::crypto::digest::{Digest, equal};
use crate::store::{
    Tx,
    idempotency::{self, Claimed, NewClaim},
};
use serde_json::Value;
use std::collections::BTreeMap;
use uuid::Uuid;

/// A key that a request brings.
pub struct Wanted<'a> {
    /// Who asks.
    pub client: Id<Client>,
    /// The key.
    pub key: &'a str,
    /// Digest of what is asked.
    pub digest: &'a Digest,
    /// What will be made under it.
    pub object: Uuid,
}

/// What a key says about its request.
pub enum Claim {
    /// It is new: decide, or give it back.
    Fresh,
    /// It stands at this earlier place of the batch with the same content.
    SameAs(usize),
    /// It was answered before.
    Answered(Claimed),
    /// It stands for other content, which made this object.
    Reused(Uuid),
    /// It stands earlier in the batch with other content: which object that will make is not certain yet.
    InProgress,
}

/// Claims keys in this transaction, and answers each in order. What is kept with them is no answer: their objects never
/// change, so that a replay reads those, and a key holds no copy of names.
pub async fn claim_all(tx: &mut Tx, wanted: &[Wanted<'_>], now: Instant) -> Result<Vec<Claim>> {
    let mut firsts: BTreeMap<(Id<Client>, &str), usize> = BTreeMap::new();
    for (place, one) in wanted.iter().enumerate() {
        firsts.entry((one.client, one.key)).or_insert(place);
    }
    let nothing = Value::Null;
    let new = |place: &usize| NewClaim {
        client: wanted[*place].client,
        key: wanted[*place].key,
        digest: *wanted[*place].digest,
        object: wanted[*place].object,
        answer: &nothing,
        at: now,
    };
    let new: Vec<NewClaim<'_>> = firsts.values().map(new).collect();
    let fresh = idempotency::claim_all(tx, &new).await?;
    let known: Vec<(Id<Client>, &str)> =
        new.iter().filter(|one| !fresh.contains(&one.object)).map(|one| (one.client, one.key)).collect();
    let before = if known.is_empty() { BTreeMap::new() } else { idempotency::find_all(tx, &known).await? };
    let claim = |(place, one): (usize, &Wanted<'_>)| {
        let first = firsts.get(&(one.client, one.key)).copied().unwrap_or(place);
        match before.get(&(one.client, one.key.to_owned())) {
            Some(claimed) if equal(&claimed.digest, one.digest) => Claim::Answered(claimed.clone()),
            Some(claimed) => Claim::Reused(claimed.object),
            None if first == place && fresh.contains(&one.object) => Claim::Fresh,
            None if first != place && equal(wanted[first].digest, one.digest) => Claim::SameAs(first),
            None => Claim::InProgress,
        }
    };
    Ok(wanted.iter().enumerate().map(claim).collect())
}

/// Gives the keys of requests back that were refused.
pub async fn give_back(tx: &mut Tx, refused: &[(Id<Client>, &str)]) -> Result<()> {
    if refused.is_empty() { Ok(()) } else { Ok(idempotency::give_back(tx, refused).await?) }
}
