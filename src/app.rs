//! Everything a flow needs, built once and passed by reference: no globals, no getters.

use crate::base::{
    clock::Clock,
    entropy::Entropy,
    id::{self, Id},
    origin::Origin,
};
use crate::batch::{self, Batch, Queue, Undone};
use crate::codec::{iso20022::MemberId, sod::Anchors};
use crate::config::Limits;
use crate::crypto::{checked_tokens::CheckedTokens, digest::Digest, keyring::KeyRing, signing::KeyList};
use crate::identity::{
    carried::{Answered, Redeemed, Redemption, Silent},
    client::Client,
    question::{self, Question},
    renewal::{Renewed, Renewing},
};
use crate::partner::{
    clearing::Clearing, messenger::Messenger, national_id::NationalId, platform::Platform,
    population::PopulationSource, receipt_issuer::ReceiptIssuers, time_stamp, webhook::Webhooks,
};
use crate::payment::{
    issue::{Draft, Outcome},
    payment,
    record::{Posted, Told},
    settlement::{Notification, Taken},
};
use crate::store::{
    Store,
    attempts::{Begun, Choice},
    client::{Admission, Bearer},
    once::Mark,
    payment::StoredPayment,
};
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

/// The service's parts, shared: every request holds them, so a clone is one count.
#[derive(Clone)]
pub struct App(Arc<Parts>);

impl App {
    /// Shares the parts.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// The same service with other parts in places.
    #[must_use]
    pub fn with(&self, change: impl FnOnce(&mut Parts)) -> Self {
        let mut parts = Parts::clone(&self.0);
        change(&mut parts);
        Self::new(parts)
    }
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// What the service is made of.
#[derive(Clone)]
pub struct Parts {
    /// The database.
    pub store: Store,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
    /// The keys.
    pub keys: Arc<KeyRing>,
    /// The access tokens whose signatures were checked lately.
    pub access_tokens: Arc<CheckedTokens>,
    /// The clearing system.
    pub clearing: Arc<dyn Clearing>,
    /// Whose messages of the clearing system are believed.
    pub clearing_peer: Arc<ClearingPeer>,
    /// The authorities whose chip cards are believed.
    pub card_anchors: Arc<Anchors>,
    /// The national e-ID, if this service is registered there.
    pub national_id: Option<Arc<dyn NationalId>>,
    /// The population register, if it is a remote one.
    pub population: Population,
    /// Who carries messages to telephones.
    pub messenger: Arc<dyn Messenger>,
    /// SHA-256 of the token with which the message gateway brings what people answered; without one nobody does.
    pub gateway: Option<Digest>,
    /// Who carries messages of the payment platform's protocol.
    pub platform: Arc<dyn Platform>,
    /// Who carries events to agencies' endpoints.
    pub webhooks: Arc<dyn Webhooks>,
    /// Other issuers of receipts.
    pub receipt_issuers: Arc<dyn ReceiptIssuers>,
    /// The time-stamping authority, if one is configured.
    pub time_stamps: Option<time_stamp::Authority>,
    /// How the world addresses us.
    pub origin: Origin,
    /// The proxies that are believed when they say whom they forward for.
    pub proxies: Arc<[IpAddr]>,
    /// How much of everything.
    pub limits: Limits,
    /// The sending ends of the set-wise flows.
    pub batches: Batches,
}

/// The clearing system as a sender of messages.
#[derive(Debug, Clone)]
pub struct ClearingPeer {
    /// Our number in its messages.
    pub us: MemberId,
    /// Its own.
    pub them: MemberId,
    /// The keys that it signs with.
    pub keys: KeyList,
}

/// Who answers about people beside our own register.
#[derive(Clone)]
pub struct Population {
    /// The remote register; without one, the imported people are all there is.
    pub source: Option<Arc<dyn PopulationSource>>,
    /// The keys that it signs its notices with.
    pub keys: Arc<KeyList>,
}

impl Population {
    /// Our own register alone.
    pub fn own() -> Self {
        Self { source: None, keys: Arc::new(KeyList::new([])) }
    }
}

/// The sending ends of the set-wise flows.
#[derive(Clone)]
pub struct Batches {
    /// Whether clients may still ask.
    pub standing: Batch<Bearer, Admission>,
    /// Which clients ask.
    pub clients: Batch<Id<id::Client>, Option<Client>>,
    /// What may be used once only.
    pub once: Batch<Mark, bool>,
    /// Sign-ins without a page.
    pub silent: Batch<Silent, Result<Answered, Undone>>,
    /// Codes that carry their sign-ins.
    pub codes: Batch<Redemption, Result<Redeemed, Undone>>,
    /// Refresh tokens in use.
    pub renewals: Batch<Renewing, Result<Renewed, Undone>>,
    /// Questions about people.
    pub verifications: Batch<Question, question::Outcome>,
    /// Bills to be issued.
    pub bills: Batch<Draft, Outcome>,
    /// Money that has arrived.
    pub notifications: Batch<Notification, Taken>,
    /// Charges that are booked by hand.
    pub records: Batch<Told, Posted>,
    /// Attempts to pay that begin; nothing is answered where one is to begin by itself.
    pub attempts: Batch<Choice, Option<Begun>>,
    /// What the clearing system said of attempts; nothing where one is to be moved by itself.
    pub moves: Batch<payment::Told, Option<StoredPayment>>,
}

/// Their receiving ends, which `work` runs.
pub struct Queues {
    /// Whether clients may still ask.
    pub standing: Queue<Bearer, Admission>,
    /// Which clients ask.
    pub clients: Queue<Id<id::Client>, Option<Client>>,
    /// What may be used once only.
    pub once: Queue<Mark, bool>,
    /// Sign-ins without a page.
    pub silent: Queue<Silent, Result<Answered, Undone>>,
    /// Codes that carry their sign-ins.
    pub codes: Queue<Redemption, Result<Redeemed, Undone>>,
    /// Refresh tokens in use.
    pub renewals: Queue<Renewing, Result<Renewed, Undone>>,
    /// Questions about people.
    pub verifications: Queue<Question, question::Outcome>,
    /// Bills to be issued.
    pub bills: Queue<Draft, Outcome>,
    /// Money that has arrived.
    pub notifications: Queue<Notification, Taken>,
    /// Charges that are booked by hand.
    pub records: Queue<Told, Posted>,
    /// Attempts to pay that begin.
    pub attempts: Queue<Choice, Option<Begun>>,
    /// What the clearing system said of attempts.
    pub moves: Queue<payment::Told, Option<StoredPayment>>,
}

/// Both ends of every queue.
pub fn queues(limits: &Limits) -> (Batches, Queues) {
    let (standing, standing_queue) = batch::channel(limits.queue_max);
    let (clients, client_queue) = batch::channel(limits.queue_max);
    let (once, once_queue) = batch::channel(limits.queue_max);
    let (silent, silent_queue) = batch::channel(limits.queue_max);
    let (codes, code_queue) = batch::channel(limits.queue_max);
    let (renewals, renewal_queue) = batch::channel(limits.queue_max);
    let (verifications, verification_queue) = batch::channel(limits.queue_max);
    let (bills, bill_queue) = batch::channel(limits.queue_max);
    let (notifications, notification_queue) = batch::channel(limits.queue_max);
    let (records, record_queue) = batch::channel(limits.queue_max);
    let (attempts, attempt_queue) = batch::channel(limits.queue_max);
    let (moves, move_queue) = batch::channel(limits.queue_max);
    let sending = Batches {
        standing,
        clients,
        once,
        silent,
        codes,
        renewals,
        verifications,
        bills,
        notifications,
        records,
        attempts,
        moves,
    };
    (
        sending,
        Queues {
            standing: standing_queue,
            clients: client_queue,
            once: once_queue,
            silent: silent_queue,
            codes: code_queue,
            renewals: renewal_queue,
            verifications: verification_queue,
            bills: bill_queue,
            notifications: notification_queue,
            records: record_queue,
            attempts: attempt_queue,
            moves: move_queue,
        },
    )
}
