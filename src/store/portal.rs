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
    client::{Client, Credential, RedirectUri, Standing, Wording},
};
use serde_json::Value;
use std::str::FromStr;
use uuid::Uuid;

/// The client of that identifier, suspended or not.
pub async fn find(store: &Store, client: Id<id::Client>) -> Result<Option<Client>> {
    let row = sqlx::query_as!(
        Raw,
        r#"SELECT c.id, c.agency_id, c.name_vi, c.name_en, c.auth_method, c.secret_digest, c.jwks, c.scopes,
                  c.redirect_uris, c.logout_uris, c.sector, c.acr_min, c.purpose_vi, c.purpose_en, c.claims_policy,
                  (c.state = 'active' AND a.state = 'active') AS "active!", c.expires_at
           FROM client c JOIN agency a ON a.id = c.agency_id WHERE c.id = $1"#,
        client.uuid()
    )
    .fetch_optional(&store.pool)
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// The same, as this transaction sees it.
pub async fn find_in(tx: &mut Tx, client: Id<id::Client>) -> Result<Option<Client>> {
    let row = sqlx::query_as!(
        Raw,
        r#"SELECT c.id, c.agency_id, c.name_vi, c.name_en, c.auth_method, c.secret_digest, c.jwks, c.scopes,
                  c.redirect_uris, c.logout_uris, c.sector, c.acr_min, c.purpose_vi, c.purpose_en, c.claims_policy,
                  (c.state = 'active' AND a.state = 'active') AS "active!", c.expires_at
           FROM client c JOIN agency a ON a.id = c.agency_id WHERE c.id = $1"#,
        client.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(TryInto::try_into).transpose()
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

/// The agency that answers for a client.
pub async fn agency(tx: &mut Tx, client: Id<id::Client>) -> Result<Option<Id<id::Agency>>> {
    let agency = sqlx::query_scalar!("SELECT agency_id FROM client WHERE id = $1", client.uuid())
        .fetch_optional(tx.conn())
        .await?;
    Ok(agency.map(Id::from_uuid))
}

/// Registers a client.
pub async fn insert(tx: &mut Tx, client: &Client, at: Instant) -> Result<()> {
    let (jwks, digest) = match &client.credential {
        Credential::PrivateKeyJwt { jwks } => (Some(jwks.as_str()), None),
        Credential::ClientSecretBasic { digest } => (None, Some(digest.as_slice())),
    };
    let kind = if client.redirect_uris.is_empty() { "agency_system" } else { "portal" };
    let scopes: Vec<String> = client.scopes.iter().map(|scope| scope.to_string()).collect();
    let uris = |uris: &[RedirectUri]| uris.iter().map(|uri| uri.as_str().to_owned()).collect::<Vec<_>>();
    let until = match client.standing {
        Standing::Active { until } => until,
        Standing::Suspended => Some(at),
    };
    sqlx::query!(
        r#"INSERT INTO client (id, agency_id, kind, name_vi, name_en, auth_method, secret_digest, jwks, scopes,
               redirect_uris, logout_uris, sector, acr_min, purpose_vi, purpose_en, claims_policy, state, expires_at,
               created_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, 'active', $17, $18)"#,
        client.id.uuid(),
        client.agency.uuid(),
        kind,
        client.name.vi.as_str(),
        client.name.en.as_str(),
        client.credential.method(),
        digest,
        jwks,
        &scopes,
        &uris(&client.redirect_uris),
        &uris(&client.post_logout_redirect_uris),
        client.sector.as_str(),
        client.acr_min.acr(),
        client.purpose.vi.as_str(),
        client.purpose.en.as_str(),
        policy_json(&client.policy),
        until,
        at
    )
    .execute(tx.conn())
    .await?;
    Ok(())
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
    let rows = sqlx::query_as!(
        Raw,
        r#"SELECT c.id, c.agency_id, c.name_vi, c.name_en, c.auth_method, c.secret_digest, c.jwks, c.scopes,
                  c.redirect_uris, c.logout_uris, c.sector, c.acr_min, c.purpose_vi, c.purpose_en, c.claims_policy,
                  (c.state = 'active' AND a.state = 'active') AS "active!", c.expires_at
           FROM client c JOIN agency a ON a.id = c.agency_id
           WHERE coalesce(c.agency_id = $1, true) AND coalesce(c.id < $2, true)
           ORDER BY c.id DESC LIMIT $3"#,
        agency.map(Id::uuid),
        page.after.map(Id::uuid),
        page.fetch()
    )
    .fetch_all(tx.conn())
    .await?;
    let rows = rows.into_iter().map(TryInto::try_into).collect::<Result<Vec<Client>>>()?;
    Ok(Page::from_rows(rows, page))
}

/// Every client, oldest first.
pub async fn list(store: &Store) -> Result<Vec<Client>> {
    let rows = sqlx::query_as!(
        Raw,
        r#"SELECT c.id, c.agency_id, c.name_vi, c.name_en, c.auth_method, c.secret_digest, c.jwks, c.scopes,
                  c.redirect_uris, c.logout_uris, c.sector, c.acr_min, c.purpose_vi, c.purpose_en, c.claims_policy,
                  (c.state = 'active' AND a.state = 'active') AS "active!", c.expires_at
           FROM client c JOIN agency a ON a.id = c.agency_id ORDER BY c.created_at, c.id"#
    )
    .fetch_all(&store.pool)
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
    jwks: Option<String>,
    scopes: Vec<String>,
    redirect_uris: Vec<String>,
    logout_uris: Vec<String>,
    sector: String,
    acr_min: Option<String>,
    purpose_vi: Option<String>,
    purpose_en: Option<String>,
    claims_policy: Value,
    active: bool,
    expires_at: Option<Instant>,
}

impl TryFrom<Raw> for Client {
    type Error = StoreError;

    fn try_from(raw: Raw) -> Result<Self> {
        let id: Id<id::Client> = Id::from_uuid(raw.id);
        let corrupt = |column| StoreError::corrupt("client", column, id);
        let credential = match (raw.auth_method.as_str(), raw.jwks, raw.secret_digest) {
            ("private_key_jwt", Some(jwks), None) => Credential::PrivateKeyJwt { jwks },
            ("client_secret_basic", None, Some(digest)) => Credential::ClientSecretBasic {
                digest: digest.try_into().map_err(|_| corrupt("secret_digest"))?,
            },
            _ => return Err(corrupt("auth_method")),
        };
        let name = wording(&raw.name_vi, &raw.name_en).ok_or_else(|| corrupt("name"))?;
        let purpose = match (&raw.purpose_vi, &raw.purpose_en) {
            (Some(vi), Some(en)) => wording(vi, en).ok_or_else(|| corrupt("purpose"))?,
            _ => name.clone(),
        };
        let acr_min = raw.acr_min.as_deref().map_or(Ok(Assurance::Low), str::parse);
        let standing =
            if raw.active { Standing::Active { until: raw.expires_at } } else { Standing::Suspended };
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
            standing,
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
