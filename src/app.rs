//! Everything a flow needs, built once and passed by reference: no globals, no getters.

use crate::base::{
    clock::Clock,
    entropy::Entropy,
    id::{Client, Id},
};
use crate::batch::{self, Batch, Queue};
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

/// The public origin, which is also the issuer: `https://dinhdanh.example`, without a slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(Arc<str>);

impl Origin {
    /// Reads an origin: scheme, host and port, nothing else.
    pub fn parse(text: &str) -> Option<Self> {
        let url = url::Url::parse(text).ok()?;
        let plain = matches!(url.scheme(), "https" | "http") && url.origin().ascii_serialization() == text;
        plain.then(|| Self(text.into()))
    }

    /// The origin as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Production is what is reached by https: strict cookies, no development keys.
    pub fn is_production(&self) -> bool {
        self.0.starts_with("https://")
    }

    /// The address of a path under this origin.
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }
}

/// How much of everything is taken, kept or waited for; each with its unit and its default.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The largest request body, in bytes.
    pub body_bytes_max: usize,
    /// The longest time for one request, in milliseconds.
    pub request_timeout_ms: u64,
    /// Commands that may wait in front of one set-wise flow.
    pub queue_max: usize,
    /// Commands decided in one transaction.
    pub batch_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { body_bytes_max: 1 << 20, request_timeout_ms: 10_000, queue_max: 4_096, batch_max: 256 }
    }
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
