//! Everything a flow needs, built once and passed by reference: no globals, no getters.

use crate::base::{
    clock::Clock,
    entropy::Entropy,
    id::{Client, Id},
    origin::Origin,
};
use crate::batch::{self, Batch, Queue};
use crate::config::Limits;
use crate::crypto::keyring::KeyRing;
use crate::store::{Store, client::Standing};
use std::sync::Arc;

/// The service's parts.
#[derive(Clone)]
pub struct App {
    /// The database.
    pub store: Store,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
    /// The keys.
    pub keys: Arc<KeyRing>,
    /// How the world addresses us.
    pub origin: Origin,
    /// How much of everything.
    pub limits: Limits,
    /// The sending ends of the set-wise flows.
    pub batches: Batches,
}

/// The sending ends of the set-wise flows.
#[derive(Clone)]
pub struct Batches {
    /// Whether clients may still ask.
    pub standing: Batch<Id<Client>, Option<Standing>>,
}

/// Their receiving ends, which `work` runs.
pub struct Queues {
    /// Whether clients may still ask.
    pub standing: Queue<Id<Client>, Option<Standing>>,
}

/// Both ends of every queue.
pub fn queues(limits: &Limits) -> (Batches, Queues) {
    let (standing, standing_queue) = batch::channel(limits.queue_max);
    (Batches { standing }, Queues { standing: standing_queue })
}
