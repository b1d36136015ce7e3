//! `/v1/clients`: portals and agency systems, registered, listed, suspended, for administrators.

use super::{agencies::BothLanguages, line, read};
use crate::app::App;
use crate::base::{
    clock::Instant,
    id::{Agency, Client, Id},
    page::PageRequest,
};
use crate::flow::{
    Error, Refusal,
    admin_answer::{list_clients, read_client},
    administer::{Actor, register_client_once, set_client_standing},
    list_legal_basis::{NewBasis, list_legal_basis},
    register_client::NewClient,
};
use crate::http::{
    auth::Caller,
    json::{Json, idempotency},
    problem::Problem,
    query::Parameters,
};
use crate::identity::{
    assurance::Assurance,
    claims::{ClaimsPolicy, Ground, Rule},
    client::RedirectUri,
    profile::Terms,
    token::ApiScopes,
};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

/// The routes.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/v1/clients", post(register).get(list))
        .route("/v1/clients/{id}", get(one))
        .route("/v1/clients/{id}/suspend", post(suspend))
        .route("/v1/clients/{id}/resume", post(resume))
        .route("/v1/clients/{id}/legal_bases", post(add_basis))
}

/// The most addresses and scopes that a client registers.
const ITEMS_MAX: usize = 20;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewClientBody {
    agency: String,
    name: BothLanguages,
    #[serde(skip_serializing_if = "Option::is_none")]
    purpose: Option<BothLanguages>,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwks: Option<serde_json::Value>,
    #[serde(default)]
    redirect_uris: Vec<String>,
    #[serde(default)]
    post_logout_redirect_uris: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr_min: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sector: Option<String>,
    #[serde(default)]
    claims: Claims,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    offline: bool,
    #[serde(default)]
    counter: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token_alg: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backchannel_logout_uri: Option<String>,
    #[serde(default)]
    resources: Vec<String>,
    #[serde(default)]
    predecessors: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subjects: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
}

/// Which claims a portal may ask for: by law, with its basis, or with the citizen's consent.
#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Claims {
    by_law: BTreeMap<String, String>,
    by_consent: Vec<String>,
}

async fn register(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Json(body): Json<NewClientBody>,
) -> Result<Response, Problem> {
    let key = idempotency(&headers, caller.client, "POST /v1/clients", &body)?;
    let new = new_client(&body, app.national_id.is_some())?;
    let answer = register_client_once(&app, &new, inherits(&body)?, &key).await?;
    Ok((StatusCode::CREATED, axum::Json(answer)).into_response())
}

pub(super) fn wrong(field: impl Into<String>, rule: &'static str) -> Error {
    Error::Refused(Refusal::new("invalid_body").violation(field, rule, None))
}

fn new_client(body: &NewClientBody, national_id: bool) -> Result<NewClient, Error> {
    let name = body.name.read("/name")?;
    let is_portal = !body.redirect_uris.is_empty();
    if body.scopes.is_empty() && !is_portal {
        return Err(wrong("/scopes", "empty"));
    }
    let purpose = match &body.purpose {
        Some(purpose) => purpose.read("/purpose")?,
        None if is_portal => return Err(wrong("/purpose", "missing")),
        None => name.clone(),
    };
    // A sector that changes would rename every citizen there, so nothing is guessed for a portal.
    let sector = match body.sector.as_deref() {
        Some(sector) => sector,
        None if is_portal => return Err(wrong("/sector", "missing")),
        None => "api",
    };
    let acr_min = body.acr_min.as_deref().map(|acr| read("/acr_min", acr)).transpose()?;
    Ok(NewClient {
        agency: read("/agency", &body.agency)?,
        name,
        purpose,
        jwks: body.jwks.as_ref().map(ToString::to_string),
        redirect_uris: uris("/redirect_uris", &body.redirect_uris)?,
        post_logout_redirect_uris: uris("/post_logout_redirect_uris", &body.post_logout_redirect_uris)?,
        acr_min: acr_min.unwrap_or(Assurance::floor_of_portals(is_portal && national_id)),
        sector: read("/sector", sector)?,
        policy: policy(&body.claims)?,
        scopes: all("/scopes", &body.scopes)?.into_iter().collect::<ApiScopes>(),
        terms: terms(body)?,
        until: body.expires_at.as_deref().map(instant).transpose()?,
    })
}

fn terms(body: &NewClientBody) -> Result<Terms, Error> {
    let profile = body.profile.as_deref().map(|word| read("/profile", word)).transpose()?;
    let id_token_alg = body.id_token_alg.as_deref().map(|word| read("/id_token_alg", word)).transpose()?;
    let told_at = body.backchannel_logout_uri.as_deref();
    Ok(Terms {
        profile: profile.unwrap_or_default(),
        offline: body.offline,
        counter: body.counter,
        id_token_alg: id_token_alg.unwrap_or_default(),
        logout_told_at: told_at.map(|uri| read("/backchannel_logout_uri", uri)).transpose()?,
        resources: all("/resources", &body.resources)?,
        predecessors: all("/predecessors", &body.predecessors)?,
        inherits: Vec::new(),
    })
}

/// Whether a successor goes on using its predecessors' subjects, or asks for a map of them.
fn inherits(body: &NewClientBody) -> Result<bool, Error> {
    match body.subjects.as_deref() {
        None | Some("map") => Ok(false),
        Some("inherit") => Ok(true),
        Some(_) => Err(wrong("/subjects", "unknown")),
    }
}

pub(super) fn uris(field: &str, texts: &[String]) -> Result<Vec<RedirectUri>, Error> {
    all(field, texts)
}

pub(super) fn all<T: std::str::FromStr>(field: &str, texts: &[String]) -> Result<Vec<T>, Error> {
    if texts.len() > ITEMS_MAX {
        return Err(wrong(field, "count"));
    }
    texts.iter().enumerate().map(|(i, text)| read(&format!("{field}/{i}"), text)).collect()
}

pub(super) fn policy(claims: &Claims) -> Result<ClaimsPolicy, Error> {
    let mut rules = Vec::new();
    for (claim, basis) in &claims.by_law {
        let field = format!("/claims/by_law/{claim}");
        rules.push(Rule { claim: read(&field, claim)?, ground: Ground::Law(line(&field, basis)?) });
    }
    for (i, claim) in claims.by_consent.iter().enumerate() {
        let claim = read(&format!("/claims/by_consent/{i}"), claim)?;
        rules.push(Rule { claim, ground: Ground::Consent });
    }
    ClaimsPolicy::new(rules).map_err(|_| wrong("/claims", "contradiction"))
}

pub(super) fn instant(text: &str) -> Result<Instant, Error> {
    let at = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| wrong("/expires_at", "shape"))?;
    Ok(at.to_offset(UtcOffset::UTC))
}

#[derive(Deserialize)]
struct ListQuery {
    agency: Option<String>,
    after: Option<String>,
    limit: Option<u32>,
}

async fn list(
    State(app): State<App>,
    _: Caller,
    Parameters(query): Parameters<ListQuery>,
) -> Result<Response, Problem> {
    let agency: Option<Id<Agency>> = super::parameter("agency", query.agency.as_deref())?;
    let after: Option<Id<Client>> = super::parameter("after", query.after.as_deref())?;
    let page = PageRequest::new(after, query.limit).ok_or_else(|| super::bad_parameter("limit", "range"))?;
    Ok(axum::Json(list_clients(&app, agency, &page).await?).into_response())
}

async fn one(State(app): State<App>, _: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    Ok(axum::Json(read_client(&app, super::object(&id)?).await?).into_response())
}

async fn suspend(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    set_active(&app, &caller, &id, &headers, false).await
}

async fn resume(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    set_active(&app, &caller, &id, &headers, true).await
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewBasisBody {
    basis: String,
    valid_from: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_to: Option<String>,
}

async fn add_basis(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<NewBasisBody>,
) -> Result<Response, Problem> {
    let key = idempotency(&headers, caller.client, &format!("POST /v1/clients/{id}/legal_bases"), &body)?;
    let new = NewBasis {
        basis: line("/basis", &body.basis)?,
        from: read("/valid_from", &body.valid_from)?,
        to: body.valid_to.as_deref().map(|day| read("/valid_to", day)).transpose()?,
    };
    let answer = list_legal_basis(&app, super::object(&id)?, &new, &key).await?;
    Ok((StatusCode::CREATED, axum::Json(answer)).into_response())
}

async fn set_active(
    app: &App,
    caller: &Caller,
    id: &str,
    headers: &HeaderMap,
    active: bool,
) -> Result<Response, Problem> {
    let act = format!("POST /v1/clients/{id}/{}", if active { "resume" } else { "suspend" });
    let key = idempotency(headers, caller.client, &act, &())?;
    let actor = Actor { client: caller.client, agency: caller.agency };
    let answer = set_client_standing(app, actor, super::object(id)?, active, &key).await?;
    Ok(axum::Json(answer).into_response())
}
