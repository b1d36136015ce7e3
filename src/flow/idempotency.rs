//! `Idempotency-Key`: the same request twice is one act with one answer.
//!
//! Scope is key and client. The first transaction of a flow claims the key under an advisory try-lock; whoever finds
//! the lock held is told to wait, whoever finds the claim gets the stored answer, and another body is refused by
//! naming the first object. A refusal that wrote nothing leaves the key free. Batches claim their keys by writing them
//! ([`super::claim`]); the primary key holds the two ways apart.

use super::{Error, Refusal, Result};
use crate::base::{
    clock::Instant,
    entropy::Entropy,
    id::{Client, Id},
    secret::Sealed,
};
use crate::crypto::{
    digest::{Digest, equal, sha256, sha256_parts},
    seal::DataKey,
};
use crate::store::{Tx, idempotency};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;
use std::time::Duration;
use uuid::Uuid;

/// A client's key for one act, with the digest of what it asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// Who asks.
    pub client: Id<Client>,
    key: String,
    digest: Digest,
}

/// An answer that names people, as a key keeps it.
enum Answer {}

/// The longest key.
pub const KEY_LENGTH_MAX: usize = 255;

/// How long a key that is held elsewhere is waited for, in steps.
const PAUSES: [Duration; 3] =
    [Duration::from_millis(5), Duration::from_millis(15), Duration::from_millis(40)];

impl Idempotency {
    /// Reads the header's value (1 to 255 visible ASCII characters); `canonical_body` is the parsed body written
    /// back, so that white space and member order make no difference. `act` names method and path.
    pub fn new(client: Id<Client>, key: &str, act: &str, canonical_body: &[u8]) -> Option<Self> {
        let fits = (1..=KEY_LENGTH_MAX).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
        fits.then(|| Self {
            client,
            key: key.to_owned(),
            digest: sha256_parts(&[act.as_bytes(), &[0], canonical_body]),
        })
    }

    /// Claims the key in this transaction: `Some` is the answer given before, `None` means go ahead and
    /// [`Self::keep`].
    pub async fn claim(&self, tx: &mut Tx) -> Result<Option<Value>> {
        self.lock(tx).await?;
        self.answered(tx).await
    }

    /// [`Self::claim`] for an answer that tells of people, which was kept under the agency's key.
    pub async fn claim_sealed(&self, tx: &mut Tx, sealing: &DataKey) -> Result<Option<Value>> {
        let Some(kept) = self.claim(tx).await? else { return Ok(None) };
        let sealed = kept.as_str().and_then(|text| BASE64_STANDARD.decode(text).ok());
        let sealed = sealed.ok_or(Error::internal("a key's answer that is not sealed"))?;
        let plain = sealing.open(&self.place(), &Sealed::<Answer>::new(sealed, 0))?;
        Ok(Some(serde_json::from_slice(plain.expose()).map_err(Error::internal)?))
    }

    /// [`Self::keep`] for an answer that tells of people: no copy of them stands anywhere in the clear.
    pub async fn keep_sealed(
        &self,
        tx: &mut Tx,
        (sealing, entropy): (&DataKey, &dyn Entropy),
        object: Uuid,
        answer: &Value,
        at: Instant,
    ) -> Result<()> {
        let sealed: Sealed<Answer> = sealing.seal(entropy, &self.place(), answer.to_string().as_bytes());
        self.keep(tx, object, &BASE64_STANDARD.encode(sealed.bytes()).into(), at).await
    }

    /// Puts the sealed answer to a claim that a set-wise flow has just kept without one.
    pub async fn answer_sealed(
        &self,
        tx: &mut Tx,
        (sealing, entropy): (&DataKey, &dyn Entropy),
        answer: &Value,
    ) -> Result<()> {
        let sealed: Sealed<Answer> = sealing.seal(entropy, &self.place(), answer.to_string().as_bytes());
        let kept = BASE64_STANDARD.encode(sealed.bytes()).into();
        Ok(idempotency::put_answer(tx, self.client, &self.key, &kept).await?)
    }

    /// What a kept answer is bound to: it opens for no other key.
    fn place(&self) -> Vec<u8> {
        [b"idempotency.answer".as_slice(), self.client.uuid().as_bytes(), self.key.as_bytes()].concat()
    }

    /// The answer given before, if any: for a flow that must ask a partner before it can claim.
    pub async fn answered(&self, tx: &mut Tx) -> Result<Option<Value>> {
        let Some(before) = idempotency::find(tx, self.client, &self.key).await? else {
            return Ok(None);
        };
        if equal(&before.digest, &self.digest) {
            Ok(Some(before.answer))
        } else {
            Err(Error::Conflict(Refusal::new("idempotency_key_reused").about(before.object.simple())))
        }
    }

    /// A refusal undoes its transaction, and with it frees the key, a moment after its answer: whoever asks again at
    /// once is not told that somebody else is at it.
    async fn lock(&self, tx: &mut Tx) -> Result<()> {
        let name = lock_name(self.client, &self.key);
        for pause in PAUSES {
            if tx.try_lock(name).await? {
                return Ok(());
            }
            tokio::time::sleep(pause).await;
        }
        if tx.try_lock(name).await? {
            return Ok(());
        }
        Err(Error::Unavailable(Refusal::new("request_in_progress")))
    }

    /// Keeps the answer with the act. A claim that slipped in between is somebody else's win.
    pub async fn keep(&self, tx: &mut Tx, object: Uuid, answer: &Value, at: Instant) -> Result<()> {
        let (client, digest) = (self.client, self.digest);
        let claim = idempotency::NewClaim { client, key: &self.key, digest, object, answer, at };
        match idempotency::keep(tx, &claim).await {
            Err(e) if e.violates("idempotency_key_pkey") => {
                Err(Error::Unavailable(Refusal::new("request_in_progress")))
            }
            done => Ok(done?),
        }
    }

    /// The key's text, for set-wise flows that claim many at once.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The digest of the act.
    pub const fn digest(&self) -> &Digest {
        &self.digest
    }
}

/// The advisory lock under which a key is claimed.
pub fn lock_name(client: Id<Client>, key: &str) -> i64 {
    let hash = sha256(&[client.uuid().as_bytes(), key.as_bytes()].concat());
    i64::from_be_bytes([hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7]])
}
