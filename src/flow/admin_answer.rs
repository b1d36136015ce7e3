//! Agencies, clients, roles and public keys as administrators read them: no secret, no personal number.

use super::{Error, Result};
use crate::app::App;
use crate::base::{
    calendar::rfc3339,
    id::{Agency, Client, Id, RoleGrant},
    page::{Page, PageRequest},
};
use crate::crypto::keyring::Purpose;
use crate::identity::{
    claims::Ground,
    client::{self, Standing},
    client_key,
};
use crate::store::{
    Tx,
    agency::{self, AgencyRow},
    portal,
    role::{self, StoredGrant},
    succession,
};
use serde_json::{Map, Value, json};
use std::fmt::Display;

/// One agency.
pub async fn read_agency(app: &App, id: Id<Agency>) -> Result<Value> {
    let mut tx = app.store.begin().await?;
    let row = agency::find_all(&mut tx, &[id]).await?.pop().ok_or(Error::not_found())?;
    let mut answer = agency_json(&row);
    add_spans(&mut tx, &mut [(id, &mut answer)]).await?;
    Ok(answer)
}

/// From when until when each agency is valid, and who comes after it.
async fn add_spans(tx: &mut Tx, answers: &mut [(Id<Agency>, &mut Value)]) -> Result<()> {
    let ids: Vec<Id<Agency>> = answers.iter().map(|answer| answer.0).collect();
    let mut spans = succession::spans(tx, &ids).await?;
    for (id, answer) in answers {
        let Some(span) = spans.remove(id) else { continue };
        answer["valid_from"] = json!(span.from.to_string());
        answer["valid_to"] = json!(span.to.map(|day| day.to_string()));
        answer["successors"] = span.successors.iter().map(|agency| json!(agency.to_string())).collect();
    }
    Ok(())
}

/// Every agency, the newest first, a page at a time.
pub async fn list_agencies(app: &App, page: &PageRequest<Id<Agency>>) -> Result<Value> {
    let mut tx = app.store.begin().await?;
    let found = agency::page(&mut tx, page).await?;
    let mut answer = listed(&found, |row| row.id, agency_json);
    let items = answer["items"].as_array_mut().into_iter().flatten();
    let mut named: Vec<_> = found.items.iter().map(|row| row.id).zip(items).collect();
    add_spans(&mut tx, &mut named).await?;
    Ok(answer)
}

/// One client.
pub async fn read_client(app: &App, id: Id<Client>) -> Result<Value> {
    let known = portal::find(&app.store, id).await?.ok_or(Error::not_found())?;
    Ok(client_json(&known))
}

/// The clients of an agency, or all, the newest first, a page at a time.
pub async fn list_clients(
    app: &App,
    agency: Option<Id<Agency>>,
    page: &PageRequest<Id<Client>>,
) -> Result<Value> {
    let mut tx = app.store.begin().await?;
    let found = portal::page(&mut tx, agency, page).await?;
    Ok(listed(&found, |client| client.id, client_json))
}

/// The roles granted at an agency, or everywhere, the newest first, a page at a time; those taken back among them.
pub async fn list_roles(
    app: &App,
    agency: Option<Id<Agency>>,
    page: &PageRequest<Id<RoleGrant>>,
) -> Result<Value> {
    let mut tx = app.store.begin().await?;
    let found = role::page(&mut tx, agency, page).await?;
    Ok(listed(&found, |grant| grant.id, role_json))
}

/// The public keys that verify what the service signs; the first of a purpose signs now.
pub fn list_keys(app: &App) -> Value {
    let purposes = [("token", Purpose::Token), ("record", Purpose::Record), ("message", Purpose::Message)];
    let items: Vec<Value> = purposes
        .into_iter()
        .flat_map(|(word, purpose)| {
            let set = app.keys.jwks(purpose);
            let keys = set["keys"].as_array().cloned().unwrap_or_default();
            keys.into_iter().enumerate().map(move |(place, jwk)| {
                json!({ "purpose": word, "kid": jwk["kid"], "signs": place == 0, "jwk": jwk })
            })
        })
        .collect();
    json!({ "items": items, "next": null })
}

fn listed<T, C: Display>(found: &Page<T>, id: fn(&T) -> C, show: fn(&T) -> Value) -> Value {
    let next = found.items.last().filter(|_| found.more).map(|last| id(last).to_string());
    json!({ "items": found.items.iter().map(show).collect::<Vec<_>>(), "next": next })
}

pub(super) fn agency_json(row: &AgencyRow) -> Value {
    json!({
        "id": row.id.to_string(),
        "code": row.code,
        "name": { "vi": row.name_vi, "en": row.name_en },
        "tax_code": row.tax_code,
        "address": row.address_vi,
        "state": if row.active { "active" } else { "suspended" },
    })
}

pub(super) fn client_json(client: &client::Client) -> Value {
    let texts = |uris: &[client::RedirectUri]| uris.iter().map(ToString::to_string).collect::<Vec<_>>();
    let wording = |of: &client::Wording| json!({ "vi": of.vi.as_str(), "en": of.en.as_str() });
    let (mut by_law, mut by_consent) = (Map::new(), Vec::new());
    for rule in client.policy.rules() {
        match &rule.ground {
            Ground::Law(basis) => {
                by_law.insert(rule.claim.name().to_owned(), basis.as_str().into());
            }
            Ground::Consent => by_consent.push(rule.claim.name()),
        }
    }
    let (state, until) = match client.standing {
        Standing::Active { until } => ("active", until),
        Standing::Suspended | Standing::AgencySuspended => ("suspended", None),
    };
    json!({
        "id": client.id.to_string(),
        "agency": client.agency.to_string(),
        "kind": if client.redirect_uris.is_empty() { "agency_system" } else { "portal" },
        "name": wording(&client.name),
        "purpose": wording(&client.purpose),
        "profile": client.terms.profile.word(),
        "auth_method": client.credential.method(),
        "keys": keys_json(&client.credential),
        "former_secret_until": match &client.credential {
            client::Credential::ClientSecretBasic { former: Some(former), .. } => Some(rfc3339(former.until)),
            client::Credential::ClientSecretBasic { former: None, .. }
            | client::Credential::PrivateKeyJwt { .. } => None,
        },
        "scopes": client.scopes.iter().map(|scope| scope.to_string()).collect::<Vec<_>>(),
        "redirect_uris": texts(&client.redirect_uris),
        "post_logout_redirect_uris": texts(&client.post_logout_redirect_uris),
        "acr_min": client.acr_min.acr(),
        "sector": client.sector.as_str(),
        "claims": { "by_law": by_law, "by_consent": by_consent },
        "offline": client.terms.offline,
        "counter": client.terms.counter,
        "id_token_alg": client.terms.id_token_alg.word(),
        "backchannel_logout_uri": client.terms.logout_told_at.as_ref().map(ToString::to_string),
        "resources": client.terms.resources.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "predecessors": client.terms.predecessors.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "inherits": client.terms.inherits.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "state": state,
        "expires_at": until.map(rfc3339),
        "secret": null,
    })
}

fn keys_json(credential: &client::Credential) -> Vec<Value> {
    let keys = match credential {
        client::Credential::PrivateKeyJwt { keys } => keys.as_slice(),
        client::Credential::ClientSecretBasic { .. } => &[],
    };
    let key = |key: &client_key::ClientKey| {
        json!({
            "kid": key.kid,
            "expires_at": key.until.map(rfc3339),
            "revoked_at": key.revoked_at.map(rfc3339),
        })
    };
    keys.iter().map(key).collect()
}

pub(super) fn role_json(grant: &StoredGrant) -> Value {
    json!({
        "id": grant.id.to_string(),
        "holder": grant.citizen.to_string(),
        "agency": grant.agency.to_string(),
        "role": grant.role.word(),
        "valid_from": grant.from.to_string(),
        "valid_to": grant.to.map(|day| day.to_string()),
        "granted_by": grant.by.map(|citizen| citizen.to_string()),
        "granted_at": rfc3339(grant.at),
        "revoked_at": grant.revoked_at.map(rfc3339),
    })
}
