//! Whether a client is still allowed to ask, and its token still good: read for all who wait at that moment, never
//! remembered.

use super::{Error, Result};
use crate::app::App;
use crate::base::{
    clock::Instant,
    id::{Agency, Client, Id},
};
use crate::crypto::digest::Digest;
use crate::identity::client::Barred;
use crate::store::client::{self, Admission, Bearer, Standing};

/// Answers each bearer in order.
pub async fn standing_all(app: &App, bearers: Vec<Bearer>) -> Result<Vec<Admission>> {
    let now = app.clock.now();
    let standings = client::standings(&app.store, &bearers).await?;
    Ok(standings.iter().map(|standing| admit(standing, now)).collect())
}

fn admit(bearer: &Standing, now: Instant) -> Admission {
    if bearer.revoked {
        return Admission::TokenRevoked;
    }
    match bearer.client {
        None => Admission::Barred(Barred::Suspended),
        Some(client) if !client.active => Admission::Barred(Barred::Suspended),
        Some(client) if !client.agency_active => Admission::Barred(Barred::AgencySuspended),
        Some(client) if client.expires_at.is_some_and(|end| now >= end) => Admission::Barred(Barred::Expired),
        Some(client) => Admission::Admitted(client.agency),
    }
}

/// The agency of one client whose token has that digest, through the shared look-up.
pub async fn standing(app: &App, client: Id<Client>, token: Option<Digest>) -> Result<Id<Agency>> {
    match app.batches.standing.submit(Bearer { client, token }).await? {
        Admission::Admitted(agency) => Ok(agency),
        Admission::TokenRevoked => Err(Error::refused("token_invalid")),
        Admission::Barred(barred) => Err(Error::forbidden(barred.code())),
    }
}
