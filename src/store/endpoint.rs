//! Webhook endpoints of agencies.

use super::{Result, StoreError, Tx, moved_one};
use crate::base::{
    clock::Instant,
    id::{Agency, Client, Endpoint, Id},
    page::{Page, PageRequest},
    secret::{Sealed, Secret},
};
use crate::identity::endpoint::EndpointUrl;
use uuid::Uuid;

/// The key that an endpoint's deliveries are signed with.
pub type SigningSecret = Sealed<Secret<Vec<u8>>>;

/// An endpoint as its row holds it.
#[derive(Debug, Clone)]
pub struct StoredEndpoint {
    /// Its identifier.
    pub id: Id<Endpoint>,
    /// Whose events it hears.
    pub agency: Id<Agency>,
    /// The system that asked for it.
    pub client: Id<Client>,
    /// Where it is.
    pub url: EndpointUrl,
    /// Which events it hears; empty: all.
    pub types: Vec<String>,
    /// Its signing key, under the agency's key.
    pub secret: SigningSecret,
    /// Until when the key before signs too.
    pub before_until: Option<Instant>,
    /// Whether it is told anything.
    pub active: bool,
    /// How often telling it failed since it last succeeded.
    pub failures: i32,
    /// Until when it is left alone.
    pub rest_until: Option<Instant>,
    /// How the last attempt went.
    pub outcome: Option<String>,
    /// Since when it is known.
    pub created_at: Instant,
}

/// Registers an endpoint; the same address twice for a client violates `endpoint_url_once`.
pub async fn insert(tx: &mut Tx, endpoint: &StoredEndpoint) -> Result<()> {
    let generation = i32::try_from(endpoint.secret.key()).unwrap_or(i32::MAX);
    sqlx::query!(
        "insert into endpoint (id, agency_id, client_id, url, types, secret, key, state, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, 'active', $8)",
        endpoint.id.uuid(),
        endpoint.agency.uuid(),
        endpoint.client.uuid(),
        endpoint.url.to_string(),
        &endpoint.types,
        endpoint.secret.bytes(),
        generation,
        endpoint.created_at
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// How many endpoints an agency has.
pub async fn count(tx: &mut Tx, agency: Id<Agency>) -> Result<i64> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from endpoint where agency_id = $1"#,
        agency.uuid()
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(count)
}

/// One endpoint of the agency.
pub async fn of_agency(
    tx: &mut Tx,
    agency: Id<Agency>,
    endpoint: Id<Endpoint>,
) -> Result<Option<StoredEndpoint>> {
    let row = sqlx::query_as!(
        Raw,
        "select id, agency_id, client_id, url, types, secret, key, state, failures, rest_until, outcome, before_until,
             created_at
         from endpoint where id = $1 and agency_id = $2",
        endpoint.uuid(),
        agency.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// The agency's endpoints, the newest first, a page at a time.
pub async fn page(
    tx: &mut Tx,
    agency: Id<Agency>,
    page: &PageRequest<Id<Endpoint>>,
) -> Result<Page<StoredEndpoint>> {
    let rows = sqlx::query_as!(
        Raw,
        "select id, agency_id, client_id, url, types, secret, key, state, failures, rest_until, outcome, before_until,
             created_at
         from endpoint where agency_id = $1 and coalesce(id < $2, true) order by id desc limit $3",
        agency.uuid(),
        page.after.map(Id::uuid),
        page.fetch()
    )
    .fetch_all(tx.conn())
    .await?;
    let rows = rows.into_iter().map(TryInto::try_into).collect::<Result<Vec<StoredEndpoint>>>()?;
    Ok(Page::from_rows(rows, page))
}

/// Suspends an endpoint, or lets it hear again with a clean slate; false when it was in that state.
pub async fn set_active(tx: &mut Tx, endpoint: Id<Endpoint>, active: bool) -> Result<bool> {
    let state = if active { "active" } else { "suspended" };
    let done = sqlx::query!(
        "update endpoint set state = $2, failures = 0, rest_until = null where id = $1 and state <> $2",
        endpoint.uuid(),
        state
    )
    .execute(tx.conn())
    .await?;
    Ok(moved_one(&done))
}

/// Puts a new signing key in place of the present one, which signs beside it until `until`.
pub async fn change_secret(
    tx: &mut Tx,
    endpoint: Id<Endpoint>,
    secret: &SigningSecret,
    until: Instant,
) -> Result<()> {
    sqlx::query!(
        "update endpoint set secret_before = secret, key_before = key, before_until = $4, secret = $2, key = $3
         where id = $1",
        endpoint.uuid(),
        secret.bytes(),
        i32::try_from(secret.key()).unwrap_or(i32::MAX),
        until
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// How telling an endpoint went, several attempts taken together.
pub struct Health {
    /// The endpoint.
    pub endpoint: Id<Endpoint>,
    /// Failures since the last success.
    pub failures: i32,
    /// Until when it is left alone.
    pub rest_until: Option<Instant>,
    /// How the last attempt went.
    pub outcome: String,
}

/// Records how endpoints are doing.
pub async fn record_health(tx: &mut Tx, seen: &[Health]) -> Result<()> {
    let ids: Vec<Uuid> = seen.iter().map(|h| h.endpoint.uuid()).collect();
    let failures: Vec<i32> = seen.iter().map(|h| h.failures).collect();
    let rests: Vec<Option<Instant>> = seen.iter().map(|h| h.rest_until).collect();
    let outcomes: Vec<&str> = seen.iter().map(|h| h.outcome.as_str()).collect();
    sqlx::query!(
        "update endpoint e set failures = h.failures, rest_until = h.rest_until, outcome = h.outcome
         from unnest($1::uuid[], $2::integer[], $3::timestamptz[], $4::text[])
             as h (id, failures, rest_until, outcome)
         where e.id = h.id",
        &ids,
        &failures,
        &rests as &[Option<Instant>],
        &outcomes as &[&str]
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

struct Raw {
    id: Uuid,
    agency_id: Uuid,
    client_id: Uuid,
    url: String,
    types: Vec<String>,
    secret: Vec<u8>,
    key: i32,
    state: String,
    failures: i32,
    rest_until: Option<Instant>,
    outcome: Option<String>,
    before_until: Option<Instant>,
    created_at: Instant,
}

impl TryFrom<Raw> for StoredEndpoint {
    type Error = StoreError;

    fn try_from(raw: Raw) -> Result<Self> {
        let id: Id<Endpoint> = Id::from_uuid(raw.id);
        let corrupt = |column| StoreError::corrupt("endpoint", column, id);
        Ok(Self {
            id,
            agency: Id::from_uuid(raw.agency_id),
            client: Id::from_uuid(raw.client_id),
            url: raw.url.parse().map_err(|_| corrupt("url"))?,
            types: raw.types,
            secret: Sealed::new(raw.secret, u32::try_from(raw.key).map_err(|_| corrupt("key"))?),
            before_until: raw.before_until,
            active: raw.state == "active",
            failures: raw.failures,
            rest_until: raw.rest_until,
            outcome: raw.outcome,
            created_at: raw.created_at,
        })
    }
}
