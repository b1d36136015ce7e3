//! Signed-in browsers. The cookie's token stands only as its digest.

use super::{Result, Store, StoreError, Tx};
use crate::base::{
    clock::Instant,
    id::{self, Id},
};
use crate::crypto::digest::Digest;
use crate::identity::{authenticator::Method, session::Session};
use uuid::Uuid;

/// Opens a session; `with` is the authenticator that proved the person, where it was one.
pub async fn insert(
    tx: &mut Tx,
    session: &Session,
    with: Option<Id<id::Authenticator>>,
    digest: &Digest,
) -> Result<()> {
    sqlx::query!(
        r#"INSERT INTO session (id, citizen_id, digest, method, authenticated_at, expires_at, reached, authenticator_id)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"#,
        session.id.uuid(),
        session.citizen.uuid(),
        digest.as_slice(),
        session.method.word(),
        session.authenticated_at,
        session.expires_at,
        session.reached.acr(),
        with.map(Id::uuid)
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The session whose cookie has that digest, ended or not, and whether a lock of its citizen stands.
pub async fn find(store: &Store, digest: &Digest) -> Result<Option<(Session, bool)>> {
    let row = sqlx::query!(
        r#"SELECT s.id, s.citizen_id, s.method, s.reached, s.authenticated_at, s.expires_at, s.ended_at,
                  EXISTS (SELECT FROM citizen_lock l WHERE l.citizen_id = s.citizen_id AND l.lifted_at IS NULL)
                      AS "has_locks!"
           FROM session s WHERE s.digest = $1"#,
        digest.as_slice()
    )
    .fetch_optional(&store.pool)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let raw = Raw {
        id: row.id,
        citizen_id: row.citizen_id,
        method: row.method,
        reached: row.reached,
        authenticated_at: row.authenticated_at,
        expires_at: row.expires_at,
        ended_at: row.ended_at,
    };
    Ok(Some((raw.try_into()?, row.has_locks)))
}

/// Ends a session; false when it had ended before.
pub async fn end(tx: &mut Tx, session: Id<id::Session>, at: Instant) -> Result<bool> {
    let done = sqlx::query!(
        "UPDATE session SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL",
        session.uuid(),
        at
    )
    .execute(tx.conn())
    .await?;
    Ok(super::moved_one(&done))
}

/// Ends the sessions of a citizen, all or those opened by one method, and names them.
pub async fn end_all(
    tx: &mut Tx,
    citizen: Id<id::Citizen>,
    method: Option<Method>,
    at: Instant,
) -> Result<Vec<Id<id::Session>>> {
    let ended = sqlx::query_scalar!(
        "UPDATE session SET ended_at = $3
         WHERE citizen_id = $1 AND ended_at IS NULL AND coalesce(method = $2, true) RETURNING id",
        citizen.uuid(),
        method.map(Method::word),
        at
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(ended.into_iter().map(Id::from_uuid).collect())
}

/// Says that the same person replaced a session by a newer one; the older one has ended.
pub async fn replace(tx: &mut Tx, before: Id<id::Session>, by: Id<id::Session>) -> Result<()> {
    sqlx::query!("UPDATE session SET replaced_by = $2 WHERE id = $1", before.uuid(), by.uuid())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Whether a session has ended, or else the newest of those that the same person put in its place; nothing is kept off.
pub async fn has_ended(tx: &mut Tx, session: Id<id::Session>) -> Result<bool> {
    let ended = sqlx::query_scalar!(
        r#"SELECT ended_at IS NOT NULL AS "ended!" FROM session WHERE id = (
               WITH RECURSIVE line (id, replaced_by) AS (
                   SELECT id, replaced_by FROM session WHERE id = $1
                   UNION ALL
                   SELECT n.id, n.replaced_by FROM line JOIN LATERAL (
                       SELECT id, replaced_by FROM session WHERE id = line.replaced_by LIMIT 1) n ON true)
               SELECT id FROM line WHERE replaced_by IS NULL)"#,
        session.uuid()
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(ended)
}

/// A portal that signed somebody in under a session and wants to be told of its end.
pub struct SignedInAt {
    /// The portal.
    pub client: Id<id::Client>,
    /// The agency that answers for it.
    pub agency: Id<id::Agency>,
    /// The session as the portal knows it.
    pub session: Id<id::Session>,
    /// The person as the portal knows them.
    pub subject: String,
}

/// Where somebody was signed in under a session or one that it replaced, as far as it is to be told.
pub async fn signed_in_at(tx: &mut Tx, session: Id<id::Session>) -> Result<Vec<SignedInAt>> {
    let rows = sqlx::query!(
        r#"WITH RECURSIVE line (id) AS (
               SELECT $1::uuid UNION SELECT s.id FROM session s JOIN line ON s.replaced_by = line.id)
           SELECT DISTINCT c.id AS "client!", c.agency_id AS "agency!", a.session_id AS "session!",
                  (SELECT p.subject FROM pseudonym p
                   WHERE p.citizen_id = a.citizen_id AND p.sector = ANY (ARRAY[c.sector] || c.inherits)
                   ORDER BY array_position(ARRAY[c.sector] || c.inherits, p.sector) LIMIT 1) AS subject
           FROM "authorization" a JOIN line ON line.id = a.session_id JOIN client c ON c.id = a.client_id
           WHERE a.exchanged_at IS NOT NULL AND c.logout_told_at IS NOT NULL AND c.state = 'active'"#,
        session.uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    let told = rows.into_iter().filter_map(|row| {
        Some(SignedInAt {
            client: Id::from_uuid(row.client),
            agency: Id::from_uuid(row.agency),
            session: Id::from_uuid(row.session),
            subject: row.subject?,
        })
    });
    Ok(told.collect())
}

/// A row as it stands.
pub(super) struct Raw {
    pub(super) id: Uuid,
    pub(super) citizen_id: Uuid,
    pub(super) method: String,
    pub(super) reached: String,
    pub(super) authenticated_at: Instant,
    pub(super) expires_at: Instant,
    pub(super) ended_at: Option<Instant>,
}

impl TryFrom<Raw> for Session {
    type Error = StoreError;

    fn try_from(raw: Raw) -> Result<Self> {
        let id = Id::from_uuid(raw.id);
        Ok(Self {
            id,
            citizen: Id::from_uuid(raw.citizen_id),
            method: raw.method.parse().map_err(|_| StoreError::corrupt("session", "method", id))?,
            reached: raw.reached.parse().map_err(|_| StoreError::corrupt("session", "reached", id))?,
            authenticated_at: raw.authenticated_at,
            expires_at: raw.expires_at,
            ended_at: raw.ended_at,
        })
    }
}
