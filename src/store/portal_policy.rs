//! Portals' policies, as versions that are only added.

use super::{Result, StoreError, Tx};
use crate::base::{
    clock::Instant,
    id::{Client, Id},
    text::Line,
};
use crate::identity::{
    portal_policy::PortalPolicy,
    predicate,
    verification::{Attribute, Policy},
};
use serde::{Deserialize, Serialize};

/// The policy that holds for a client now; `None` where nobody wrote one.
pub async fn newest(tx: &mut Tx, client: Id<Client>) -> Result<Option<(PortalPolicy, Instant)>> {
    let row = sqlx::query!(
        r#"SELECT version, policy AS "policy: sqlx::types::Json<Stored>", set_at FROM portal_policy
           WHERE client_id = $1 ORDER BY version DESC LIMIT 1"#,
        client.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| Ok((read(client, row.version, &row.policy.0)?, row.set_at))).transpose()
}

/// Adds a version; one that is there already violates `portal_policy_pkey`.
pub async fn insert(
    tx: &mut Tx,
    client: Id<Client>,
    policy: &PortalPolicy,
    by: Id<Client>,
    at: Instant,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO portal_policy (client_id, version, policy, set_at, set_by) VALUES ($1, $2, $3, $4, $5)",
        client.uuid(),
        i32::try_from(policy.version).unwrap_or(i32::MAX),
        sqlx::types::Json(Stored::of(policy)) as _,
        at,
        by.uuid()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A policy as its column holds it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stored {
    attributes: Vec<String>,
    predicates: Vec<String>,
    name_rule: String,
    purposes: Vec<String>,
    daily_quota: Option<u32>,
    tells_which: bool,
    stale_max_hours: Option<u16>,
    confirms_later: bool,
}

impl Stored {
    fn of(policy: &PortalPolicy) -> Self {
        Self {
            attributes: policy.attributes.iter().map(|attribute| attribute.word().to_owned()).collect(),
            predicates: policy.predicates.iter().map(|kind| kind.word().to_owned()).collect(),
            name_rule: policy.name_rule.code().to_owned(),
            purposes: policy.purposes.iter().map(ToString::to_string).collect(),
            daily_quota: policy.daily_quota,
            tells_which: policy.tells_which,
            stale_max_hours: policy.stale_max_hours,
            confirms_later: policy.confirms_later,
        }
    }
}

/// The policy that a row holds.
pub(super) fn read(client: Id<Client>, version: i32, stored: &Stored) -> Result<PortalPolicy> {
    let corrupt = || StoreError::corrupt("portal_policy", "policy", client);
    let attribute = |word: &String| Attribute::of(word).ok_or_else(corrupt);
    let kind = |word: &String| predicate::Kind::of(word).ok_or_else(corrupt);
    let purpose = |text: &String| Line::parse(text).map_err(|_| corrupt());
    Ok(PortalPolicy {
        version: u32::try_from(version).map_err(|_| corrupt())?,
        attributes: stored.attributes.iter().map(attribute).collect::<Result<_>>()?,
        predicates: stored.predicates.iter().map(kind).collect::<Result<_>>()?,
        name_rule: stored.name_rule.parse::<Policy>().map_err(|_| corrupt())?,
        purposes: stored.purposes.iter().map(purpose).collect::<Result<_>>()?,
        daily_quota: stored.daily_quota,
        tells_which: stored.tells_which,
        stale_max_hours: stored.stale_max_hours,
        confirms_later: stored.confirms_later,
    })
}
