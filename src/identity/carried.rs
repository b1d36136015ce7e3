//! Sign-ins without a page, on both their ways: a portal's request that a session answers, and the code of such an
//! answer when it is exchanged. The code carries the sign-in until then, so that no row stands for what may never come.
//! What passes between many callers and the one flow that decides for them.

use super::{
    authorization::Confirmation,
    client::Client,
    pseudonym::Subject,
    request::{AuthorizationRequest, ErrorCode},
};
use crate::base::{
    clock::Instant,
    id::{self, Id},
};
use crate::crypto::digest::Digest;
use std::sync::Arc;

/// A request that forbids pages, with what the browser brought.
#[derive(Debug, Clone)]
pub struct Silent {
    /// Who asks.
    pub client: Arc<Client>,
    /// What it asks.
    pub request: Arc<AuthorizationRequest>,
    /// The digest of the session's cookie.
    pub cookie: Digest,
    /// The digest of the pushed request that it came from.
    pub pushed: Option<Digest>,
}

/// What becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    /// No session of that cookie stands.
    Nobody,
    /// Another browser brought the same pushed request and was answered.
    Over,
    /// The portal is told no, and why.
    Refused(ErrorCode, &'static str),
    /// The session stands for the person, who has agreed before: a code is due.
    Agreed {
        /// Who is there.
        confirmation: Confirmation,
        /// The evidence.
        consent: Id<id::Consent>,
    },
}

/// A code that carries its sign-in, shown by the client it was given to and found to be in order.
#[derive(Debug, Clone)]
pub struct Redemption {
    /// The client.
    pub client: Id<id::Client>,
    /// The sign-in that the code carries.
    pub authorization: Id<id::Authorization>,
    /// When it began, when it would have ended, and when the code does.
    pub times: [Instant; 3],
    /// What its request asked.
    pub request: Arc<AuthorizationRequest>,
    /// Who signed in.
    pub confirmation: Confirmation,
    /// The evidence.
    pub consent: Id<id::Consent>,
    /// The digest of the code.
    pub code: Digest,
    /// The digest of the refresh token to be kept, if one is due, and until when.
    pub refresh: Option<(Digest, Instant)>,
}

/// What becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redeemed {
    /// It is exchanged: tokens are due, under this name.
    Granted(Subject),
    /// It was exchanged before.
    Spent,
    /// Client or person may not go on, or the session has ended.
    NotAllowed,
    /// The consent was taken back meanwhile.
    ConsentWithdrawn,
}
