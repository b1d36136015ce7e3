//! Refresh tokens in use: what passes between many callers and the one flow that decides for them.

use super::{
    authorization::{Authorization, Confirmation},
    pseudonym::Subject,
};
use crate::base::id::{self, Id};
use crate::crypto::digest::Digest;

/// A refresh token that a client shows.
#[derive(Debug, Clone)]
pub struct Renewing {
    /// The client.
    pub client: Id<id::Client>,
    /// The digest of the token.
    pub token: Digest,
    /// The digest of the one that takes its place, where the profile rotates.
    pub next: Option<Digest>,
    /// Fewer scopes than were granted, if wanted.
    pub scope: Option<String>,
    /// What the access token is for.
    pub resource: Option<String>,
}

/// What becomes of it.
#[derive(Debug, Clone)]
pub enum Renewed {
    /// Tokens are due.
    Granted(Box<Granted>),
    /// Something about it is out of the ordinary: it is looked at by itself, and nothing was written.
    ByItself,
}

/// A renewed grant.
#[derive(Debug, Clone)]
pub struct Granted {
    /// The sign-in that it comes from.
    pub authorization: Authorization,
    /// Who signed in.
    pub confirmation: Confirmation,
    /// The name that the client knows them by.
    pub subject: Subject,
}
