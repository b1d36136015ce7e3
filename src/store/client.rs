//! Clients: registration, look-up, and whether they are still allowed to ask.

use super::{Result, Store, regular::Regular};
use crate::base::{
    clock::Instant,
    id::{Agency, Client, Id},
};
use crate::crypto::digest::Digest;
use crate::identity::client::Barred;
use uuid::Uuid;

/// How a bearer stands right now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Its token was given back.
    pub revoked: bool,
    /// Its client, if there is one of that name.
    pub client: Option<ClientStanding>,
}

/// Whether a client may ask right now, and for whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientStanding {
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
    /// It may ask, for this agency.
    Admitted(Id<Agency>),
    /// Its token was given back.
    TokenRevoked,
    /// It may not act now.
    Barred(Barred),
}

/// How each of these bearers stands, in order: one look-up for all who are waiting.
pub async fn standings(store: &Store, bearers: &[Bearer]) -> Result<Vec<Standing>> {
    let clients: Vec<Uuid> = bearers.iter().map(|bearer| bearer.client.uuid()).collect();
    let tokens: Vec<Option<&[u8]>> = bearers.iter().map(|b| b.token.as_ref().map(Digest::as_slice)).collect();
    let rows = sqlx::query!(
        r#"SELECT (r.digest IS NOT NULL) AS "revoked!", a.id AS "agency?", c.expires_at,
                  (c.state = 'active') AS active, (a.state = 'active') AS agency_active
           FROM unnest($1::uuid[], $2::bytea[]) WITH ORDINALITY AS b (client_id, token, place)
           LEFT JOIN client c ON c.id = b.client_id LEFT JOIN agency a ON a.id = c.agency_id
           LEFT JOIN revoked_token r ON r.digest = b.token
           ORDER BY b.place"#,
        &clients,
        &tokens as &[Option<&[u8]>]
    )
    .fetch_all(store.pool_of(Regular::Standing))
    .await?;
    let standing = rows.into_iter().map(|row| Standing {
        revoked: row.revoked,
        client: row.agency.map(|agency| ClientStanding {
            agency: Id::from_uuid(agency),
            active: row.active.unwrap_or(false),
            agency_active: row.agency_active.unwrap_or(false),
            expires_at: row.expires_at,
        }),
    });
    Ok(standing.collect())
}
