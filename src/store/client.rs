//! Clients: registration, look-up, and whether they are still allowed to ask.

use super::{Result, Store};
use crate::base::{
    clock::Instant,
    id::{Agency, Client, Id},
};
use crate::crypto::digest::Digest;
use crate::identity::client::Barred;
use uuid::Uuid;

/// Whether a client may ask right now, and for whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The client.
    pub client: Id<Client>,
    /// The agency it acts for.
    pub agency: Id<Agency>,
    /// The client was not stopped.
    pub active: bool,
    /// Nor was its agency.
    pub agency_active: bool,
    /// When its registration ends, if it does.
    pub expires_at: Option<Instant>,
}

/// Who asks with which token.
#[derive(Debug, Clone, Copy)]
pub struct Bearer {
    /// The client.
    pub client: Id<Client>,
    /// The digest of its token's `jti`.
    pub token: Option<Digest>,
}

/// What becomes of a bearer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It may ask.
    Admitted(Standing),
    /// Its token was given back.
    TokenRevoked,
    /// It may not act now.
    Barred(Barred),
}

/// The standing of each of these clients that exists: one look-up for all who are waiting.
pub async fn standings(store: &Store, clients: &[Id<Client>]) -> Result<Vec<Standing>> {
    let ids: Vec<Uuid> = clients.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query!(
        r#"SELECT c.id, c.agency_id, c.expires_at, (c.state = 'active') AS "active!",
                  (a.state = 'active') AS "agency_active!"
           FROM client c JOIN agency a ON a.id = c.agency_id WHERE c.id = ANY($1)"#,
        &ids
    )
    .fetch_all(&store.pool)
    .await?;
    let standing = rows.into_iter().map(|row| Standing {
        client: Id::from_uuid(row.id),
        agency: Id::from_uuid(row.agency_id),
        active: row.active,
        agency_active: row.agency_active,
        expires_at: row.expires_at,
    });
    Ok(standing.collect())
}
