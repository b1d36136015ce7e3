//! `/v1/clients/{id}/policy` and `/v1/alerts`: what a portal may ask about people, and who looked like probing; for
//! administrators.

use super::{line, read};
use crate::app::App;
use crate::base::{
    id::{Agency, Alert, Client, Id},
    page::PageRequest,
};
use crate::flow::{
    Error, Refusal,
    inherit::Tree,
    portal_policies::{list_alerts, read_policy, set_policy, try_policy},
};
use crate::http::{
    auth::Caller,
    json::{Json, idempotency},
    problem::Problem,
    tree::InTree,
};
use crate::identity::{
    portal_policy::{PURPOSES_MAX, PortalPolicy},
    predicate,
    verification::Attribute,
};
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};

/// The routes.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/v1/clients/{id}/policy", post(set).get(one))
        .route("/v1/clients/{id}/policy/try", post(attempt))
        .route("/v1/alerts", get(alerts))
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPolicy {
    attributes: Vec<String>,
    predicates: Vec<String>,
    name_rule: String,
    #[serde(default)]
    purposes: Vec<String>,
    #[serde(default)]
    daily_quota: Option<u32>,
    #[serde(default)]
    tells_which: bool,
    #[serde(default)]
    stale_max_hours: Option<u16>,
    #[serde(default)]
    confirms_later: bool,
}

/// The longest that a copy may be accepted for: a month.
const STALE_MAX_HOURS: u16 = 31 * 24;

fn policy(body: &NewPolicy) -> Result<PortalPolicy, Error> {
    let wrong =
        |field: String, rule| Error::Refused(Refusal::new("invalid_body").violation(field, rule, None));
    if body.purposes.len() > PURPOSES_MAX {
        return Err(wrong("/purposes".to_owned(), "count"));
    }
    if body.stale_max_hours.is_some_and(|hours| !(1..=STALE_MAX_HOURS).contains(&hours)) {
        return Err(wrong("/stale_max_hours".to_owned(), "range"));
    }
    let attribute = |(i, word): (usize, &String)| {
        Attribute::of(word).ok_or_else(|| wrong(format!("/attributes/{i}"), "shape"))
    };
    let kind = |(i, word): (usize, &String)| {
        predicate::Kind::of(word).ok_or_else(|| wrong(format!("/predicates/{i}"), "shape"))
    };
    let purpose = |(i, text): (usize, &String)| line(&format!("/purposes/{i}"), text);
    Ok(PortalPolicy {
        version: 0,
        attributes: body.attributes.iter().enumerate().map(attribute).collect::<Result<_, _>>()?,
        predicates: body.predicates.iter().enumerate().map(kind).collect::<Result<_, _>>()?,
        name_rule: read("/name_rule", &body.name_rule)?,
        purposes: body.purposes.iter().enumerate().map(purpose).collect::<Result<_, _>>()?,
        daily_quota: body.daily_quota,
        tells_which: body.tells_which,
        stale_max_hours: body.stale_max_hours,
        confirms_later: body.confirms_later,
    })
}

async fn one(State(app): State<App>, _: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    Ok(axum::Json(read_policy(&app, super::object(&id)?).await?).into_response())
}

async fn set(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<NewPolicy>,
) -> Result<Response, Problem> {
    let client: Id<Client> = super::object(&id)?;
    let key = idempotency(&headers, caller.client, &format!("POST /v1/clients/{id}/policy"), &body)?;
    Ok((StatusCode::CREATED, axum::Json(set_policy(&app, client, policy(&body)?, &key).await?))
        .into_response())
}

async fn attempt(
    State(app): State<App>,
    _: Caller,
    Path(id): Path<String>,
    Json(body): Json<NewPolicy>,
) -> Result<Response, Problem> {
    Ok(axum::Json(try_policy(&app, super::object(&id)?, &policy(&body)?).await?).into_response())
}

#[derive(Deserialize)]
struct ListQuery {
    agency: Option<String>,
    after: Option<String>,
    limit: Option<u32>,
}

async fn alerts(
    State(app): State<App>,
    _: Caller,
    InTree(tree): InTree,
    query: Result<Query<ListQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|_| super::bad_parameter("limit", "shape"))?;
    let after: Option<Id<Alert>> = super::parameter("after", query.after.as_deref())?;
    let page = PageRequest::new(after, query.limit).ok_or_else(|| super::bad_parameter("limit", "range"))?;
    let agency: Option<Id<Agency>> = super::parameter("agency", query.agency.as_deref())?;
    if agency.is_none() && tree != Tree::Own {
        return Err(super::bad_parameter("agency", "missing").into());
    }
    Ok(axum::Json(list_alerts(&app, agency.map(|agency| (agency, tree)), &page).await?).into_response())
}
