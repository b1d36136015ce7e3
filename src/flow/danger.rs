//! Asks of every act that could take somebody's identity or money away: is this session strong and fresh enough?

use super::{Error, Result};
use crate::base::clock::Instant;
use crate::identity::{
    danger::{Danger, Held},
    session::Session,
};

/// Demands a session that may do this now; a code alone never may.
pub fn demand(session: &Session, act: Danger, now: Instant) -> Result<()> {
    act.allowed_in(session, now).map_err(|held| match held {
        Held::Weak => Error::forbidden("stronger_sign_in_needed"),
        Held::Stale => Error::forbidden("fresh_sign_in_needed"),
    })
}
