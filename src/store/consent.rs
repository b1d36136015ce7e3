//! The evidence of what citizens allowed.

use super::{Result, StoreError, Tx};
use crate::base::{
    clock::Instant,
    id::{self, Id},
};
use crate::identity::{
    claims::{Claim, Claims},
    consent::Consent,
};
use uuid::Uuid;

/// Keeps a decision; `actor` is who made it in the citizen's name.
pub async fn insert(tx: &mut Tx, consent: &Consent, actor: Option<Id<id::Citizen>>) -> Result<()> {
    sqlx::query!(
        r#"INSERT INTO consent (id, citizen_id, client_id, notified, allowed, given_at, actor_id)
           VALUES ($1, $2, $3, $4, $5, $6, $7)"#,
        consent.id.uuid(),
        consent.citizen.uuid(),
        consent.client.uuid(),
        &words(&consent.notified) as &[&str],
        &words(&consent.allowed) as &[&str],
        consent.given_at,
        actor.map(Id::uuid)
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The latest decision of a citizen about a portal, made in person.
pub async fn latest(
    tx: &mut Tx,
    citizen: Id<id::Citizen>,
    client: Id<id::Client>,
) -> Result<Option<Consent>> {
    let row = sqlx::query_as!(
        Raw,
        r#"SELECT id, citizen_id, client_id, notified, allowed, given_at, withdrawn_at FROM consent
           WHERE citizen_id = $1 AND client_id = $2 AND actor_id IS NULL ORDER BY given_at DESC, id DESC LIMIT 1"#,
        citizen.uuid(),
        client.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// The decision of that identifier.
pub async fn find(tx: &mut Tx, consent: Id<id::Consent>) -> Result<Option<Consent>> {
    let row = sqlx::query_as!(
        Raw,
        r#"SELECT id, citizen_id, client_id, notified, allowed, given_at, withdrawn_at FROM consent WHERE id = $1"#,
        consent.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// A row as it stands.
pub(super) struct Raw {
    pub(super) id: Uuid,
    pub(super) citizen_id: Uuid,
    pub(super) client_id: Uuid,
    pub(super) notified: Vec<String>,
    pub(super) allowed: Vec<String>,
    pub(super) given_at: Instant,
    pub(super) withdrawn_at: Option<Instant>,
}

impl TryFrom<Raw> for Consent {
    type Error = StoreError;

    fn try_from(raw: Raw) -> Result<Self> {
        let id = Id::from_uuid(raw.id);
        let claims =
            |words: &[String]| words.iter().map(|w| w.parse()).collect::<std::result::Result<Claims, _>>();
        Ok(Self {
            id,
            citizen: Id::from_uuid(raw.citizen_id),
            client: Id::from_uuid(raw.client_id),
            notified: claims(&raw.notified).map_err(|_| StoreError::corrupt("consent", "notified", id))?,
            allowed: claims(&raw.allowed).map_err(|_| StoreError::corrupt("consent", "allowed", id))?,
            given_at: raw.given_at,
            withdrawn_at: raw.withdrawn_at,
        })
    }
}

fn words(claims: &Claims) -> Vec<&'static str> {
    claims.iter().copied().map(Claim::name).collect()
}
