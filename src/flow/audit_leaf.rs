//! Builds the leaf that rides with a decision: details sealed under their owner's key, and a commitment in the log.

use crate::app::App;
use crate::base::{
    clock::Instant,
    entropy::random,
    id::{Agency, Citizen, Id, Leaf},
};
use crate::crypto::{digest::sha256, seal::DataKey};
use crate::store::audit::NewLeaf;
use serde::Serialize;
use uuid::Uuid;

/// Whom a decision concerns, and what it was about.
#[derive(Clone, Copy)]
pub struct Concern {
    /// Whose history shows it.
    pub citizen: Option<Id<Citizen>>,
    /// Whose agency it concerns.
    pub agency: Option<Id<Agency>>,
    /// The thing decided upon.
    pub object: Uuid,
}

/// A leaf of that kind with its details (no values of the register, no secrets) sealed under `key`, the key of the
/// citizen concerned or else of the agency.
pub fn leaf(
    app: &App,
    now: Instant,
    kind: &'static str,
    concern: Concern,
    key: &DataKey,
    details: &impl Serialize,
) -> NewLeaf {
    leaf_named(app, (Id::new(now, &*app.entropy), now), kind, concern, key, details)
}

/// The same under an identifier that others already name: rows of the same transaction refer to it.
#[expect(
    clippy::expect_used,
    reason = "details are strings, numbers and lists of them, which always serialize"
)]
pub fn leaf_named(
    app: &App,
    (id, now): (Id<Leaf>, Instant),
    kind: &'static str,
    concern: Concern,
    key: &DataKey,
    details: &impl Serialize,
) -> NewLeaf {
    // The salt and then the details: what the commitment covers and what is sealed are the same bytes.
    let salt: [u8; 32] = random(&*app.entropy);
    let mut plain = Vec::with_capacity(512);
    plain.extend_from_slice(&salt);
    serde_json::to_writer(&mut plain, details).expect("details always serialize");
    NewLeaf {
        id,
        kind,
        at: now,
        citizen: concern.citizen,
        agency: concern.agency,
        object: concern.object,
        commitment: sha256(&plain),
        details: key.seal(&*app.entropy, id.uuid().as_bytes(), &plain),
    }
}
