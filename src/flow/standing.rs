//! Whether a client is still allowed to ask, and its token still good: read for all who wait at that moment, never
//! remembered.

use super::{Error, Result};
use crate::app::App;
use crate::base::id::{Client, Id};
use crate::crypto::digest::Digest;
use crate::identity::client::Barred;
use crate::store::{
    client::{self, Admission, Bearer, Standing},
    revoked_token,
};

/// Answers each bearer in order.
pub async fn standing_all(app: &App, bearers: Vec<Bearer>) -> Result<Vec<Admission>> {
    let now = app.clock.now();
    let clients: Vec<Id<Client>> = bearers.iter().map(|bearer| bearer.client).collect();
    let tokens: Vec<Digest> = bearers.iter().filter_map(|bearer| bearer.token).collect();
    let known = client::standings(&app.store, &clients).await?;
    let revoked = revoked_token::among(&app.store, &tokens).await?;
    let admit = |bearer: &Bearer| {
        if bearer.token.is_some_and(|token| revoked.contains(&token)) {
            return Admission::TokenRevoked;
        }
        match known.iter().find(|s| s.client == bearer.client) {
            None => Admission::Barred(Barred::Suspended),
            Some(standing) if !standing.active => Admission::Barred(Barred::Suspended),
            Some(standing) if !standing.agency_active => Admission::Barred(Barred::AgencySuspended),
            Some(standing) if standing.expires_at.is_some_and(|end| now >= end) => {
                Admission::Barred(Barred::Expired)
            }
            Some(standing) => Admission::Admitted(*standing),
        }
    };
    Ok(bearers.iter().map(admit).collect())
}

/// The standing of one client whose token has that digest, through the shared look-up.
pub async fn standing(app: &App, client: Id<Client>, token: Option<Digest>) -> Result<Standing> {
    match app.batches.standing.submit(Bearer { client, token }).await? {
        Admission::Admitted(standing) => Ok(standing),
        Admission::TokenRevoked => Err(Error::refused("token_invalid")),
        Admission::Barred(barred) => Err(Error::forbidden(barred.code())),
    }
}
