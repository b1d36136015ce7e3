//! A registered client with all that the sign-in and the token endpoint need to know of it.

use super::{Result, Store, StoreError, Tx};
use crate::base::{
    clock::Instant,
    id::{self, Id},
    page::{Page, PageRequest},
    text::Line,
};
use crate::identity::{
    assurance::Assurance,
    claims::{ClaimsPolicy, Ground, Rule},
    client::{Client, Credential, FormerSecret, RedirectUri, Standing, Wording},
    client_key::ClientKey,
    profile::{Resource, Terms},
    pseudonym::Sector,
};
use serde_json::Value;
use std::str::FromStr;
use uuid::Uuid;

/// The client of that identifier, suspended or not.
pub async fn find(store: &Store, client: Id<id::Client>) -> Result<Option<Client>> {
    Ok(read(&store.pool, &[client]).await?.pop())
}

/// The clients of these identifiers, suspended or not; the others are left out.
pub async fn find_all(store: &Store, clients: &[Id<id::Client>]) -> Result<Vec<Client>> {
    read(&store.pool, clients).await
}

/// The same, as this transaction sees it.
pub async fn find_in(tx: &mut Tx, client: Id<id::Client>) -> Result<Option<Client>> {
    Ok(read(tx.conn(), &[client]).await?.pop())
}

async fn read(executor: impl sqlx::PgExecutor<'_>, clients: &[Id<id::Client>]) -> Result<Vec<Client>> {
    let ids: Vec<Uuid> = clients.iter().map(|client| client.uuid()).collect();
    let rows = sqlx::query_as!(
        Raw,
        r#"SELECT c.id, c.agency_id, c.name_vi, c.name_en, c.auth_method, c.secret_digest, c.scopes,
                  c.former_secret_digest, c.former_secret_until, c.redirect_uris, c.logout_uris, c.sector, c.acr_min, c.purpose_vi, c.purpose_en, c.claims_policy,
                  c.profile, c.offline, c.counter, c.id_token_alg, c.logout_told_at, c.resources, c.inherits, c.predecessors,
                  array(SELECT kid FROM client_key WHERE client_id = c.id ORDER BY kid) AS "kids!",
                  array(SELECT jwk FROM client_key WHERE client_id = c.id ORDER BY kid) AS "jwks!",
                  array(SELECT expires_at FROM client_key WHERE client_id = c.id ORDER BY kid)
                      AS "key_ends!: Vec<Option<Instant>>",
                  array(SELECT revoked_at FROM client_key WHERE client_id = c.id ORDER BY kid)
                      AS "key_revocations!: Vec<Option<Instant>>",
                  (c.state = 'active') AS "active!", (a.state = 'active') AS "agency_active!", c.expires_at
           FROM client c JOIN agency a ON a.id = c.agency_id WHERE c.id = any($1)"#,
        &ids
    )
    .fetch_all(executor)
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// The agency that answers for a client.
pub async fn agency(tx: &mut Tx, client: Id<id::Client>) -> Result<Option<Id<id::Agency>>> {
    let agency = sqlx::query_scalar!("SELECT agency_id FROM client WHERE id = $1", client.uuid())
        .fetch_optional(tx.conn())
        .await?;
    Ok(agency.map(Id::from_uuid))
}

/// Whether the client and its agency are active in this transaction's view.
pub async fn is_active(tx: &mut Tx, client: Id<id::Client>, now: Instant) -> Result<bool> {
    let active = sqlx::query_scalar!(
        r#"SELECT (c.state = 'active' AND a.state = 'active' AND coalesce(c.expires_at > $2, true)) AS "active!"
           FROM client c JOIN agency a ON a.id = c.agency_id WHERE c.id = $1"#,
        client.uuid(),
        now
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(active.unwrap_or(false))
}

/// Registers a client.
pub async fn insert(tx: &mut Tx, client: &Client, at: Instant) -> Result<()> {
    let (keys, digest) = match &client.credential {
        Credential::PrivateKeyJwt { keys } => (keys.as_slice(), None),
        Credential::ClientSecretBasic { digest, .. } => ([].as_slice(), Some(digest.as_slice())),
    };
    let terms = &client.terms;
    let resources: Vec<&str> = terms.resources.iter().map(Resource::as_str).collect();
    let predecessors: Vec<Uuid> = terms.predecessors.iter().map(|client| client.uuid()).collect();
    let inherits: Vec<&str> = terms.inherits.iter().map(Sector::as_str).collect();
    let kind = if client.redirect_uris.is_empty() { "agency_system" } else { "portal" };
    let scopes: Vec<String> = client.scopes.iter().map(|scope| scope.to_string()).collect();
    let uris = |uris: &[RedirectUri]| uris.iter().map(|uri| uri.as_str().to_owned()).collect::<Vec<_>>();
    let until = match client.standing {
        Standing::Active { until } => until,
        Standing::Suspended | Standing::AgencySuspended => Some(at),
    };
    sqlx::query!(
        r#"INSERT INTO client (id, agency_id, kind, name_vi, name_en, auth_method, secret_digest, scopes,
               redirect_uris, logout_uris, sector, acr_min, purpose_vi, purpose_en, claims_policy, state, expires_at,
               created_at, profile, offline, counter, id_token_alg, logout_told_at, resources, inherits,
               predecessors)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, 'active', $16, $17, $18, $19,
               $20, $21, $22, $23, $24, $25)"#,
        client.id.uuid(),
        client.agency.uuid(),
        kind,
        client.name.vi.as_str(),
        client.name.en.as_str(),
        client.credential.method(),
        digest,
        &scopes,
        &uris(&client.redirect_uris),
        &uris(&client.post_logout_redirect_uris),
        client.sector.as_str(),
        client.acr_min.acr(),
        client.purpose.vi.as_str(),
        client.purpose.en.as_str(),
        policy_json(&client.policy),
        until,
        at,
        terms.profile.word(),
        terms.offline,
        terms.counter,
        terms.id_token_alg.word(),
        terms.logout_told_at.as_ref().map(ToString::to_string),
        &resources as &[&str],
        &inherits as &[&str],
        &predecessors
    )
    .execute(tx.conn())
    .await?;
    put_keys(tx, client.id, keys, at).await
}

/// Writes what may change of a client; `until` is the end of its registration, if it is to change.
pub async fn change(tx: &mut Tx, client: &Client, until: Option<Instant>) -> Result<()> {
    let scopes: Vec<String> = client.scopes.iter().map(|scope| scope.to_string()).collect();
    let uris = |uris: &[RedirectUri]| uris.iter().map(|uri| uri.as_str().to_owned()).collect::<Vec<_>>();
    let resources: Vec<&str> = client.terms.resources.iter().map(Resource::as_str).collect();
    sqlx::query!(
        r#"UPDATE client SET name_vi = $2, name_en = $3, purpose_vi = $4, purpose_en = $5, redirect_uris = $6,
               logout_uris = $7, acr_min = $8, claims_policy = $9, scopes = $10, logout_told_at = $11, resources = $12,
               expires_at = coalesce($13, expires_at)
           WHERE id = $1"#,
        client.id.uuid(),
        client.name.vi.as_str(),
        client.name.en.as_str(),
        client.purpose.vi.as_str(),
        client.purpose.en.as_str(),
        &uris(&client.redirect_uris),
        &uris(&client.post_logout_redirect_uris),
        client.acr_min.acr(),
        policy_json(&client.policy),
        &scopes,
        client.terms.logout_told_at.as_ref().map(ToString::to_string),
        &resources as &[&str],
        until
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Adds keys to a client; a name that it has already is a constraint's to refuse.
pub async fn put_keys(tx: &mut Tx, client: Id<id::Client>, keys: &[ClientKey], at: Instant) -> Result<()> {
    let kids: Vec<&str> = keys.iter().map(|key| key.kid.as_str()).collect();
    let jwks: Vec<&str> = keys.iter().map(|key| key.jwk.as_str()).collect();
    let ends: Vec<Option<Instant>> = keys.iter().map(|key| key.until).collect();
    sqlx::query!(
        r#"INSERT INTO client_key (client_id, kid, jwk, added_at, expires_at)
           SELECT $1, t.kid, t.jwk, $5, t.ends FROM unnest($2::text[], $3::text[], $4::timestamptz[]) AS t (kid, jwk, ends)"#,
        client.uuid(),
        &kids as &[&str],
        &jwks as &[&str],
        &ends as &[Option<Instant>],
        at
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Takes a key back; false when there is none of that name that was not taken back before.
pub async fn revoke_key(tx: &mut Tx, client: Id<id::Client>, kid: &str, at: Instant) -> Result<bool> {
    let done = sqlx::query!(
        "UPDATE client_key SET revoked_at = $3 WHERE client_id = $1 AND kid = $2 AND revoked_at IS NULL",
        client.uuid(),
        kid,
        at
    )
    .execute(tx.conn())
    .await?;
    Ok(super::moved_one(&done))
}

/// Replaces a client's secret; the one before proves it until that instant. False when it has none.
pub async fn put_secret(
    tx: &mut Tx,
    client: Id<id::Client>,
    digest: &[u8; 32],
    former_until: Instant,
) -> Result<bool> {
    let done = sqlx::query!(
        "UPDATE client SET former_secret_digest = secret_digest, former_secret_until = $3, secret_digest = $2
         WHERE id = $1 AND secret_digest IS NOT NULL",
        client.uuid(),
        digest.as_slice(),
        former_until
    )
    .execute(tx.conn())
    .await?;
    Ok(super::moved_one(&done))
}

/// Whether a client of this agency serves that resource.
pub async fn serves(store: &Store, agency: Id<id::Agency>, resource: &Resource) -> Result<bool> {
    let found = sqlx::query_scalar!(
        r#"SELECT true AS "found!" FROM client WHERE resources @> ARRAY[$1::text] AND agency_id = $2 LIMIT 1"#,
        resource.as_str(),
        agency.uuid()
    )
    .fetch_optional(&store.pool)
    .await?;
    Ok(found.unwrap_or(false))
}

/// Suspends or readmits a client; false when none of that identifier was in the other state.
pub async fn set_active(tx: &mut Tx, client: Id<id::Client>, active: bool) -> Result<bool> {
    let state = if active { "active" } else { "suspended" };
    let done =
        sqlx::query!("UPDATE client SET state = $2 WHERE id = $1 AND state <> $2", client.uuid(), state)
            .execute(tx.conn())
            .await?;
    Ok(super::moved_one(&done))
}

/// The clients of an agency, or all of them, the newest first, a page at a time.
pub async fn page(
    tx: &mut Tx,
    agency: Option<Id<id::Agency>>,
    page: &PageRequest<Id<id::Client>>,
) -> Result<Page<Client>> {
    let rows = listing(tx.conn(), agency, page.after, page.fetch()).await?;
    Ok(Page::from_rows(rows, page))
}

/// Every client, oldest first.
pub async fn list(store: &Store) -> Result<Vec<Client>> {
    let mut all = listing(&store.pool, None, None, i64::MAX).await?;
    all.reverse();
    Ok(all)
}

async fn listing(
    executor: impl sqlx::PgExecutor<'_>,
    agency: Option<Id<id::Agency>>,
    after: Option<Id<id::Client>>,
    most: i64,
) -> Result<Vec<Client>> {
    let rows = sqlx::query_as!(
        Raw,
        r#"SELECT c.id, c.agency_id, c.name_vi, c.name_en, c.auth_method, c.secret_digest, c.scopes,
                  c.former_secret_digest, c.former_secret_until, c.redirect_uris, c.logout_uris, c.sector, c.acr_min, c.purpose_vi, c.purpose_en, c.claims_policy,
                  c.profile, c.offline, c.counter, c.id_token_alg, c.logout_told_at, c.resources, c.inherits, c.predecessors,
                  array(SELECT kid FROM client_key WHERE client_id = c.id ORDER BY kid) AS "kids!",
                  array(SELECT jwk FROM client_key WHERE client_id = c.id ORDER BY kid) AS "jwks!",
                  array(SELECT expires_at FROM client_key WHERE client_id = c.id ORDER BY kid)
                      AS "key_ends!: Vec<Option<Instant>>",
                  array(SELECT revoked_at FROM client_key WHERE client_id = c.id ORDER BY kid)
                      AS "key_revocations!: Vec<Option<Instant>>",
                  (c.state = 'active') AS "active!", (a.state = 'active') AS "agency_active!", c.expires_at
           FROM client c JOIN agency a ON a.id = c.agency_id
           WHERE coalesce(c.agency_id = $1, true) AND coalesce(c.id < $2, true)
           ORDER BY c.id DESC LIMIT $3"#,
        agency.map(Id::uuid),
        after.map(Id::uuid),
        most
    )
    .fetch_all(executor)
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

fn policy_json(policy: &ClaimsPolicy) -> Value {
    let mut by_law = serde_json::Map::new();
    let mut by_consent = Vec::new();
    for rule in policy.rules() {
        match &rule.ground {
            Ground::Law(basis) => {
                by_law.insert(rule.claim.name().to_owned(), basis.as_str().into());
            }
            Ground::Consent => by_consent.push(Value::from(rule.claim.name())),
        }
    }
    serde_json::json!({"by_law": by_law, "by_consent": by_consent})
}

struct Raw {
    id: Uuid,
    agency_id: Uuid,
    name_vi: String,
    name_en: String,
    auth_method: String,
    secret_digest: Option<Vec<u8>>,
    former_secret_digest: Option<Vec<u8>>,
    former_secret_until: Option<Instant>,
    scopes: Vec<String>,
    redirect_uris: Vec<String>,
    logout_uris: Vec<String>,
    sector: String,
    acr_min: Option<String>,
    purpose_vi: Option<String>,
    purpose_en: Option<String>,
    claims_policy: Value,
    profile: String,
    offline: bool,
    counter: bool,
    id_token_alg: String,
    logout_told_at: Option<String>,
    resources: Vec<String>,
    inherits: Vec<String>,
    predecessors: Vec<Uuid>,
    kids: Vec<String>,
    jwks: Vec<String>,
    key_ends: Vec<Option<Instant>>,
    key_revocations: Vec<Option<Instant>>,
    active: bool,
    agency_active: bool,
    expires_at: Option<Instant>,
}

impl TryFrom<Raw> for Client {
    type Error = StoreError;

    fn try_from(raw: Raw) -> Result<Self> {
        let id: Id<id::Client> = Id::from_uuid(raw.id);
        let corrupt = |column| StoreError::corrupt("client", column, id);
        let terms = raw.terms().ok_or_else(|| corrupt("profile, logout_told_at, resources or inherits"))?;
        let ends = raw.key_ends.into_iter().zip(raw.key_revocations);
        let keys = raw.kids.into_iter().zip(raw.jwks).zip(ends);
        let keys = keys.map(|((kid, jwk), (until, revoked_at))| ClientKey { kid, jwk, until, revoked_at });
        let former = raw.former_secret_digest.zip(raw.former_secret_until);
        let former = former
            .map(|(digest, until)| Some(FormerSecret { digest: digest.try_into().ok()?, until }))
            .map(|former| former.ok_or_else(|| corrupt("former_secret_digest")))
            .transpose()?;
        let credential = match (raw.auth_method.as_str(), raw.secret_digest) {
            ("private_key_jwt", None) => Credential::PrivateKeyJwt { keys: keys.collect() },
            ("client_secret_basic", Some(digest)) => Credential::ClientSecretBasic {
                digest: digest.try_into().map_err(|_| corrupt("secret_digest"))?,
                former,
            },
            _ => return Err(corrupt("auth_method")),
        };
        let name = wording(&raw.name_vi, &raw.name_en).ok_or_else(|| corrupt("name"))?;
        let purpose = match (&raw.purpose_vi, &raw.purpose_en) {
            (Some(vi), Some(en)) => wording(vi, en).ok_or_else(|| corrupt("purpose"))?,
            _ => name.clone(),
        };
        let acr_min = raw.acr_min.as_deref().map_or(Ok(Assurance::Low), str::parse);
        let standing = match (raw.active, raw.agency_active) {
            (false, _) => Standing::Suspended,
            (true, false) => Standing::AgencySuspended,
            (true, true) => Standing::Active { until: raw.expires_at },
        };
        Ok(Self {
            id,
            agency: Id::from_uuid(raw.agency_id),
            name,
            purpose,
            credential,
            redirect_uris: parse_all(&raw.redirect_uris).ok_or_else(|| corrupt("redirect_uris"))?,
            post_logout_redirect_uris: parse_all(&raw.logout_uris).ok_or_else(|| corrupt("logout_uris"))?,
            acr_min: acr_min.map_err(|_| corrupt("acr_min"))?,
            sector: raw.sector.parse().map_err(|_| corrupt("sector"))?,
            policy: policy(&raw.claims_policy).ok_or_else(|| corrupt("claims_policy"))?,
            scopes: parse_all(&raw.scopes).ok_or_else(|| corrupt("scopes"))?.into_iter().collect(),
            terms,
            standing,
        })
    }
}

impl Raw {
    fn terms(&self) -> Option<Terms> {
        Some(Terms {
            profile: self.profile.parse().ok()?,
            offline: self.offline,
            counter: self.counter,
            id_token_alg: self.id_token_alg.parse().ok()?,
            logout_told_at: self.logout_told_at.as_deref().map(str::parse).transpose().ok()?,
            resources: parse_all(&self.resources)?,
            predecessors: self.predecessors.iter().copied().map(Id::from_uuid).collect(),
            inherits: parse_all(&self.inherits)?,
        })
    }
}

fn wording(vi: &str, en: &str) -> Option<Wording> {
    Some(Wording { vi: Line::parse(vi).ok()?, en: Line::parse(en).ok()? })
}

fn parse_all<T: FromStr>(texts: &[String]) -> Option<Vec<T>> {
    texts.iter().map(|text| text.parse().ok()).collect()
}

/// `{"by_law": {"claim": "basis"}, "by_consent": ["claim"]}`.
fn policy(json: &Value) -> Option<ClaimsPolicy> {
    let mut rules = Vec::new();
    for (claim, basis) in json.get("by_law").and_then(Value::as_object).into_iter().flatten() {
        let ground = Ground::Law(Line::parse(basis.as_str()?).ok()?);
        rules.push(Rule { claim: claim.parse().ok()?, ground });
    }
    for claim in json.get("by_consent").and_then(Value::as_array).into_iter().flatten() {
        rules.push(Rule { claim: claim.as_str()?.parse().ok()?, ground: Ground::Consent });
    }
    ClaimsPolicy::new(rules).ok()
}
