//! `/v1/clients/{id}/…`: what an administrator does with a registered client: change it, care for its keys, see what
//! is still wrong with it, and hand its subjects over to a successor.

use super::{
    agencies::BothLanguages,
    clients::{Claims, all, instant, policy, uris, wrong},
    object, read,
};
use crate::app::App;
use crate::flow::{
    Error,
    change_client::{
        Changes, SECRET_OVERLAP_MAX, add_key_once, change_client_once, map_subjects_once, revoke_key_once,
        rotate_secret_once,
    },
    check_client::check_client,
};
use crate::http::{
    auth::Caller,
    json::{Json, idempotency},
    problem::Problem,
};
use crate::identity::token::ApiScopes;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};

/// The routes.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/v1/clients/{id}/change", post(change))
        .route("/v1/clients/{id}/keys", post(add_key))
        .route("/v1/clients/{id}/keys/revoke", post(revoke_key))
        .route("/v1/clients/{id}/secret", post(rotate_secret))
        .route("/v1/clients/{id}/subject-map", post(map_subjects))
        .route("/v1/clients/{id}/checks", get(checks))
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<BothLanguages>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purpose: Option<BothLanguages>,
    #[serde(skip_serializing_if = "Option::is_none")]
    redirect_uris: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    post_logout_redirect_uris: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr_min: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    claims: Option<Claims>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scopes: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backchannel_logout_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resources: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
}

async fn change(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<ChangeBody>,
) -> Result<Response, Problem> {
    let act = format!("POST /v1/clients/{id}/change");
    let key = idempotency(&headers, caller.client, &act, &body)?;
    let answer = change_client_once(&app, object(&id)?, changes(&body)?, &key).await?;
    Ok(axum::Json(answer).into_response())
}

fn changes(body: &ChangeBody) -> Result<Changes, Error> {
    let scopes = body.scopes.as_deref().map(|scopes| all("/scopes", scopes)).transpose()?;
    let told_at = body.backchannel_logout_uri.as_deref();
    Ok(Changes {
        name: body.name.as_ref().map(|name| name.read("/name")).transpose()?,
        purpose: body.purpose.as_ref().map(|purpose| purpose.read("/purpose")).transpose()?,
        redirect_uris: body.redirect_uris.as_deref().map(|all| uris("/redirect_uris", all)).transpose()?,
        post_logout_redirect_uris: body
            .post_logout_redirect_uris
            .as_deref()
            .map(|all| uris("/post_logout_redirect_uris", all))
            .transpose()?,
        acr_min: body.acr_min.as_deref().map(|acr| read("/acr_min", acr)).transpose()?,
        policy: body.claims.as_ref().map(policy).transpose()?,
        scopes: scopes.map(|scopes| scopes.into_iter().collect::<ApiScopes>()),
        logout_told_at: told_at.map(|uri| read("/backchannel_logout_uri", uri)).transpose()?,
        resources: body.resources.as_deref().map(|resources| all("/resources", resources)).transpose()?,
        until: body.expires_at.as_deref().map(instant).transpose()?,
    })
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewKeyBody {
    jwk: serde_json::Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
}

async fn add_key(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<NewKeyBody>,
) -> Result<Response, Problem> {
    let act = format!("POST /v1/clients/{id}/keys");
    let key = idempotency(&headers, caller.client, &act, &body)?;
    if !body.jwk.is_object() {
        return Err(Problem(wrong("/jwk", "shape")));
    }
    let until = body.expires_at.as_deref().map(instant).transpose()?;
    let answer = add_key_once(&app, object(&id)?, &body.jwk.to_string(), until, &key).await?;
    Ok(axum::Json(answer).into_response())
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyBody {
    kid: String,
}

async fn revoke_key(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<KeyBody>,
) -> Result<Response, Problem> {
    let act = format!("POST /v1/clients/{id}/keys/revoke");
    let key = idempotency(&headers, caller.client, &act, &body)?;
    let answer = revoke_key_once(&app, object(&id)?, &body.kid, &key).await?;
    Ok(axum::Json(answer).into_response())
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    overlap_hours: Option<u32>,
}

/// How long the former secret serves unless the administrator says otherwise.
const OVERLAP_HOURS: u32 = 24;

async fn rotate_secret(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<SecretBody>,
) -> Result<Response, Problem> {
    let act = format!("POST /v1/clients/{id}/secret");
    let key = idempotency(&headers, caller.client, &act, &body)?;
    let hours = i64::from(body.overlap_hours.unwrap_or(OVERLAP_HOURS));
    if hours > SECRET_OVERLAP_MAX.whole_hours() {
        return Err(Problem(wrong("/overlap_hours", "range")));
    }
    let overlap = time::Duration::hours(hours);
    let answer = rotate_secret_once(&app, object(&id)?, overlap, &key).await?;
    Ok(axum::Json(answer).into_response())
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MapBody {
    predecessor: String,
}

async fn map_subjects(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<MapBody>,
) -> Result<Response, Problem> {
    let act = format!("POST /v1/clients/{id}/subject-map");
    let key = idempotency(&headers, caller.client, &act, &body)?;
    let answer = map_subjects_once(&app, object(&id)?, &body.predecessor, &key).await?;
    Ok(axum::Json(answer).into_response())
}

async fn checks(State(app): State<App>, _: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    Ok(axum::Json(check_client(&app, object(&id)?).await?).into_response())
}
