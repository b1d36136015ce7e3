//! Verifications as their rows have them, and the standing of those who ask, read with the decision.

use super::{Result, Store, StoreError, Tx};
use crate::base::{
    clock::Instant,
    id::{Agency, Citizen, Client, Id, Verification},
    secret::Sealed,
};
use crate::crypto::seal::WrappedKey;
use crate::identity::{portal_policy::PortalPolicy, verification::State};
use uuid::Uuid;

/// The salt and the signed statement, under the agency's key.
pub enum Signed {}

/// One question and its answer.
#[derive(Debug, Clone)]
pub struct VerificationRow {
    /// Its identifier.
    pub id: Id<Verification>,
    /// When it was decided.
    pub at: Instant,
    /// Who asked.
    pub agency: Id<Agency>,
    /// By which system.
    pub client: Id<Client>,
    /// About whom, if the number is on record.
    pub citizen: Option<Id<Citizen>>,
    /// The answer.
    pub state: State,
    /// What was signed.
    pub sealed: Sealed<Signed>,
}

/// Somebody who asks, as they stand in this transaction.
#[derive(Debug, Clone)]
pub struct Asker {
    /// The client.
    pub client: Id<Client>,
    /// Its agency.
    pub agency: Id<Agency>,
    /// Client and agency are both active.
    pub active: bool,
    /// When its registration ends, if it does.
    pub expires_at: Option<Instant>,
    /// The agency's data key, wrapped.
    pub key: WrappedKey,
    /// What it may ask, and what it is told.
    pub policy: PortalPolicy,
}

/// The clients of these identifiers, those that exist, with their agencies' keys.
pub async fn askers(tx: &mut Tx, clients: &[Id<Client>]) -> Result<Vec<Asker>> {
    let ids: Vec<Uuid> = clients.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query!(
        r#"SELECT c.id, c.agency_id, c.expires_at, (c.state = 'active' AND a.state = 'active') AS "active!",
                  a.wrapped_key, a.key_generation, p.version AS "version?",
                  p.policy AS "policy?: sqlx::types::Json<super::portal_policy::Stored>"
           FROM client c JOIN agency a ON a.id = c.agency_id
           LEFT JOIN LATERAL (SELECT n.version, n.policy FROM portal_policy n WHERE n.client_id = c.id
                              ORDER BY n.version DESC LIMIT 1) p ON true
           WHERE c.id = ANY($1)"#,
        &ids
    )
    .fetch_all(tx.conn())
    .await?;
    let asker = rows.into_iter().map(|row| {
        let agency = Id::from_uuid(row.agency_id);
        let generation = u32::try_from(row.key_generation)
            .map_err(|_| StoreError::corrupt("agency", "key_generation", agency))?;
        let client = Id::from_uuid(row.id);
        let policy = match (row.version, row.policy) {
            (Some(version), Some(stored)) => super::portal_policy::read(client, version, &stored.0)?,
            _ => PortalPolicy::unwritten(),
        };
        Ok(Asker {
            client,
            agency,
            active: row.active,
            expires_at: row.expires_at,
            key: WrappedKey { bytes: row.wrapped_key, generation },
            policy,
        })
    });
    asker.collect()
}

/// Writes verifications: one statement for any number.
pub async fn insert_all(tx: &mut Tx, rows: &[VerificationRow]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = rows.iter().map(|r| r.id.uuid()).collect();
    let at: Vec<Instant> = rows.iter().map(|r| r.at).collect();
    let agencies: Vec<Uuid> = rows.iter().map(|r| r.agency.uuid()).collect();
    let clients: Vec<Uuid> = rows.iter().map(|r| r.client.uuid()).collect();
    let citizens: Vec<Option<Uuid>> = rows.iter().map(|r| r.citizen.map(Id::uuid)).collect();
    let states: Vec<&str> = rows.iter().map(|r| r.state.word()).collect();
    let sealed: Vec<&[u8]> = rows.iter().map(|r| r.sealed.bytes()).collect();
    let generations: Vec<i32> =
        rows.iter().map(|r| i32::try_from(r.sealed.key()).unwrap_or(i32::MAX)).collect();
    sqlx::query!(
        r#"INSERT INTO verification (id, at, agency_id, client_id, citizen_id, state, sealed, generation)
           SELECT id, at, agency_id, client_id, citizen_id, state, sealed, generation
           FROM unnest($1::uuid[], $2::timestamptz[], $3::uuid[], $4::uuid[], $5::uuid[], $6::text[], $7::bytea[],
                       $8::integer[])
               AS v (id, at, agency_id, client_id, citizen_id, state, sealed, generation)"#,
        &ids,
        &at,
        &agencies,
        &clients,
        &citizens as &[Option<Uuid>],
        &states as &[&str],
        &sealed as &[&[u8]],
        &generations
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The verifications of these identifiers, those that exist, as a running transaction sees them.
pub async fn find_all(tx: &mut Tx, ids: &[Id<Verification>]) -> Result<Vec<VerificationRow>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query_as!(
        Raw,
        r#"SELECT id, at, agency_id, client_id, citizen_id, state, sealed, generation
           FROM verification WHERE id = ANY($1)"#,
        &ids
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// The latest verifications that a client asked for, the newest first.
pub async fn latest_of_client(tx: &mut Tx, client: Id<Client>, most: i64) -> Result<Vec<VerificationRow>> {
    let rows = sqlx::query_as!(
        Raw,
        r#"SELECT id, at, agency_id, client_id, citizen_id, state, sealed, generation
           FROM verification WHERE client_id = $1 ORDER BY id DESC LIMIT $2"#,
        client.uuid(),
        most
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// One verification of an agency.
pub async fn find(
    store: &Store,
    agency: Id<Agency>,
    id: Id<Verification>,
) -> Result<Option<VerificationRow>> {
    let row = sqlx::query_as!(
        Raw,
        r#"SELECT id, at, agency_id, client_id, citizen_id, state, sealed, generation
           FROM verification WHERE id = $1 AND agency_id = $2"#,
        id.uuid(),
        agency.uuid()
    )
    .fetch_optional(&store.pool)
    .await?;
    row.map(TryInto::try_into).transpose()
}

struct Raw {
    id: Uuid,
    at: Instant,
    agency_id: Uuid,
    client_id: Uuid,
    citizen_id: Option<Uuid>,
    state: String,
    sealed: Vec<u8>,
    generation: i32,
}

impl TryFrom<Raw> for VerificationRow {
    type Error = StoreError;

    fn try_from(raw: Raw) -> Result<Self> {
        let id: Id<Verification> = Id::from_uuid(raw.id);
        let corrupt = |column| StoreError::corrupt("verification", column, id);
        let generation = u32::try_from(raw.generation).map_err(|_| corrupt("generation"))?;
        Ok(Self {
            id,
            at: raw.at,
            agency: Id::from_uuid(raw.agency_id),
            client: Id::from_uuid(raw.client_id),
            citizen: raw.citizen_id.map(Id::from_uuid),
            state: State::of(&raw.state).ok_or_else(|| corrupt("state"))?,
            sealed: Sealed::new(raw.sealed, generation),
        })
    }
}
