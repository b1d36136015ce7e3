//! `/v1/roles` and `/v1/keys`: what officers may do, and the keys that verify us, for administrators.

use super::read;
use crate::app::App;
use crate::base::{
    id::{Agency, Id, RoleGrant},
    page::PageRequest,
};
use crate::flow::{
    admin_answer::{list_keys, list_roles},
    administer::{Actor, NewRole, grant_role_once, revoke_role_once},
};
use crate::http::{
    auth::Caller,
    json::{Json, idempotency},
    problem::Problem,
    query::Parameters,
};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};

/// The routes.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/v1/roles", post(grant).get(list))
        .route("/v1/roles/{id}/revoke", post(revoke))
        .route("/v1/keys", get(keys))
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewRoleBody {
    number: String,
    role: String,
    agency: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_to: Option<String>,
    administrator: String,
}

async fn grant(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Json(body): Json<NewRoleBody>,
) -> Result<Response, Problem> {
    let key = idempotency(&headers, caller.client, "POST /v1/roles", &body)?;
    let new = NewRole {
        number: read("/number", &body.number)?,
        role: read("/role", &body.role)?,
        agency: read("/agency", &body.agency)?,
        from: body.valid_from.as_deref().map(|day| read("/valid_from", day)).transpose()?,
        to: body.valid_to.as_deref().map(|day| read("/valid_to", day)).transpose()?,
        administrator: read("/administrator", &body.administrator)?,
    };
    let actor = Actor { client: caller.client, agency: caller.agency };
    let answer = grant_role_once(&app, actor, &new, &key).await?;
    Ok((StatusCode::CREATED, axum::Json(answer)).into_response())
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Revocation {
    administrator: String,
}

async fn revoke(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Revocation>,
) -> Result<Response, Problem> {
    let act = format!("POST /v1/roles/{id}/revoke");
    let key = idempotency(&headers, caller.client, &act, &body)?;
    let grant: Id<RoleGrant> = super::object(&id)?;
    let by = read("/administrator", &body.administrator)?;
    let actor = Actor { client: caller.client, agency: caller.agency };
    Ok(axum::Json(revoke_role_once(&app, actor, grant, by, &key).await?).into_response())
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
    let after: Option<Id<RoleGrant>> = super::parameter("after", query.after.as_deref())?;
    let page = PageRequest::new(after, query.limit).ok_or_else(|| super::bad_parameter("limit", "range"))?;
    Ok(axum::Json(list_roles(&app, agency, &page).await?).into_response())
}

async fn keys(State(app): State<App>, _: Caller) -> Response {
    axum::Json(list_keys(&app)).into_response()
}
