//! What a citizen shares and where they are signed in, for the citizen's own page.

use super::{Result, StoreError, Tx};
use crate::base::{
    clock::Instant,
    id::{self, Agency, Citizen, Client, Id},
};
use crate::identity::{authorization::Revocation, claims::Claims, consent::Consent, session::Session};

/// A consent with its portal's names and who gave it for the citizen.
pub struct SharedConsent {
    /// The consent.
    pub consent: Consent,
    /// The portal, in Vietnamese and English.
    pub portal: (String, String),
    /// Who gave it in the citizen's name.
    pub actor: Option<Id<Citizen>>,
}

/// The consents of a citizen, the newest first; the first hundred.
pub async fn consents(tx: &mut Tx, citizen: Id<Citizen>) -> Result<Vec<SharedConsent>> {
    let rows = sqlx::query!(
        "SELECT s.id, s.client_id, s.notified, s.allowed, s.given_at, s.withdrawn_at, s.actor_id, c.name_vi, c.name_en
         FROM consent s JOIN client c ON c.id = s.client_id WHERE s.citizen_id = $1 ORDER BY s.id DESC LIMIT 100",
        citizen.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    let read = rows.into_iter().map(|row| {
        let id: Id<id::Consent> = Id::from_uuid(row.id);
        let claims = |words: &[String], column| {
            let parsed = words.iter().map(|word| word.parse()).collect::<std::result::Result<Claims, _>>();
            parsed.map_err(|_| StoreError::corrupt("consent", column, id))
        };
        Ok(SharedConsent {
            consent: Consent {
                id,
                citizen,
                client: Id::from_uuid(row.client_id),
                notified: claims(&row.notified, "notified")?,
                allowed: claims(&row.allowed, "allowed")?,
                given_at: row.given_at,
                withdrawn_at: row.withdrawn_at,
            },
            portal: (row.name_vi, row.name_en),
            actor: row.actor_id.map(Id::from_uuid),
        })
    });
    read.collect()
}

/// Withdraws a consent of that citizen, and says which client and agency it was given to; `None` when there is none, or
/// it was withdrawn before.
pub async fn withdraw(
    tx: &mut Tx,
    citizen: Id<Citizen>,
    consent: Id<id::Consent>,
    at: Instant,
) -> Result<Option<(Id<Client>, Id<Agency>)>> {
    let row = sqlx::query!(
        "UPDATE consent s SET withdrawn_at = $3 FROM client c
         WHERE s.id = $1 AND s.citizen_id = $2 AND s.withdrawn_at IS NULL AND c.id = s.client_id
         RETURNING s.client_id, c.agency_id",
        consent.uuid(),
        citizen.uuid(),
        at,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| (Id::from_uuid(row.client_id), Id::from_uuid(row.agency_id))))
}

/// Revokes what sign-ins under a consent gave.
pub async fn end_of_consent(
    tx: &mut Tx,
    consent: Id<id::Consent>,
    cause: Revocation,
    at: Instant,
) -> Result<u64> {
    let done = sqlx::query!(
        r#"UPDATE "authorization" SET state = 'revoked', cause = $2, ended_at = $3
           WHERE consent_id = $1 AND state = 'exchanged'"#,
        consent.uuid(),
        cause.word(),
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

/// The sessions of a citizen that are live at that instant, the newest first.
pub async fn sessions(tx: &mut Tx, citizen: Id<Citizen>, now: Instant) -> Result<Vec<Session>> {
    let rows = sqlx::query!(
        "SELECT id, method, reached, authenticated_at, expires_at FROM session
         WHERE citizen_id = $1 AND ended_at IS NULL AND expires_at > $2 ORDER BY id DESC LIMIT 50",
        citizen.uuid(),
        now,
    )
    .fetch_all(tx.conn())
    .await?;
    let read = rows.into_iter().map(|row| {
        let id: Id<id::Session> = Id::from_uuid(row.id);
        Ok(Session {
            id,
            citizen,
            method: row.method.parse().map_err(|_| StoreError::corrupt("session", "method", id))?,
            reached: row.reached.parse().map_err(|_| StoreError::corrupt("session", "reached", id))?,
            authenticated_at: row.authenticated_at,
            expires_at: row.expires_at,
            ended_at: None,
        })
    });
    read.collect()
}

/// Which portals hold tokens of which of a citizen's sessions.
pub async fn portals_of_sessions(
    tx: &mut Tx,
    citizen: Id<Citizen>,
) -> Result<Vec<(Id<id::Session>, (String, String))>> {
    let rows = sqlx::query!(
        r#"SELECT DISTINCT a.session_id AS "session_id!", c.name_vi, c.name_en
           FROM "authorization" a JOIN client c ON c.id = a.client_id
           WHERE a.citizen_id = $1 AND a.state = 'exchanged'"#,
        citizen.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (Id::from_uuid(row.session_id), (row.name_vi, row.name_en))).collect())
}
