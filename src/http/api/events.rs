//! `/v1/events`: what happened, and the endpoints that are told of it.

use super::read;
use crate::app::App;
use crate::base::{
    calendar::parse_rfc3339,
    id::{Endpoint, Event, Id},
    page::PageRequest,
};
use crate::flow::{
    Error, Refusal, endpoints, read_events,
    replay_events::{Again, Shown, list_deliveries, replay_events},
};
use crate::http::{
    auth::Caller,
    json::{Json, idempotency},
    problem::Problem,
    query::Parameters,
    tree::InTree,
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
        .route("/v1/events", get(list))
        .route("/v1/events/{id}", get(one))
        .route("/v1/events/endpoints", post(register).get(list_endpoints))
        .route("/v1/events/endpoints/{id}", get(one_endpoint))
        .route("/v1/events/endpoints/{id}/deliveries", get(deliveries))
        .route("/v1/events/endpoints/{id}/replay", post(replay))
        .route("/v1/events/endpoints/{id}/rotate", post(rotate))
        .route("/v1/events/endpoints/{id}/suspend", post(suspend))
        .route("/v1/events/endpoints/{id}/resume", post(resume))
}

#[derive(Deserialize)]
struct ListQuery {
    after: Option<String>,
    limit: Option<u32>,
}

async fn list(
    State(app): State<App>,
    caller: Caller,
    InTree(tree): InTree,
    Parameters(query): Parameters<ListQuery>,
) -> Result<Response, Problem> {
    let after: Option<Id<Event>> = super::parameter("after", query.after.as_deref())?;
    let page = PageRequest::new(after, query.limit).ok_or_else(|| super::bad_parameter("limit", "range"))?;
    Ok(axum::Json(read_events::list_events(&app, caller.agency, tree, &page).await?).into_response())
}

async fn one(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    let answer = read_events::read_event(&app, caller.agency, super::object(&id)?).await?;
    Ok(axum::Json(answer).into_response())
}

/// An endpoint as an agency asks for it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewEndpoint {
    url: String,
    #[serde(default)]
    types: Vec<String>,
}

async fn register(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Json(body): Json<NewEndpoint>,
) -> Result<Response, Problem> {
    let key = idempotency(&headers, caller.client, "POST /v1/events/endpoints", &body)?;
    let wanted = (read("/url", &body.url)?, body.types);
    let answer = endpoints::register_endpoint(&app, caller.agency, caller.client, wanted, &key).await?;
    Ok((StatusCode::CREATED, axum::Json(answer)).into_response())
}

async fn list_endpoints(
    State(app): State<App>,
    caller: Caller,
    Parameters(query): Parameters<ListQuery>,
) -> Result<Response, Problem> {
    let after: Option<Id<Endpoint>> = super::parameter("after", query.after.as_deref())?;
    let page = PageRequest::new(after, query.limit).ok_or_else(|| super::bad_parameter("limit", "range"))?;
    Ok(axum::Json(endpoints::list_endpoints(&app, caller.agency, &page).await?).into_response())
}

async fn one_endpoint(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let answer = endpoints::read_endpoint(&app, caller.agency, super::object(&id)?).await?;
    Ok(axum::Json(answer).into_response())
}

#[derive(Deserialize)]
struct DeliveryQuery {
    show: Option<String>,
    after: Option<String>,
    limit: Option<u32>,
}

async fn deliveries(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Parameters(query): Parameters<DeliveryQuery>,
) -> Result<Response, Problem> {
    let id = super::object(&id)?;
    let shown = query.show.as_deref().map_or(Some(Shown::Unacknowledged), Shown::named);
    let shown = shown.ok_or_else(|| super::bad_parameter("show", "unknown"))?;
    let after: Option<Id<Event>> = super::parameter("after", query.after.as_deref())?;
    let page = PageRequest::new(after, query.limit).ok_or_else(|| super::bad_parameter("limit", "range"))?;
    Ok(axum::Json(list_deliveries(&app, caller.agency, id, shown, &page).await?).into_response())
}

/// What is to be told again: one event, or those of a time.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Replay {
    #[serde(default)]
    event: Option<String>,
    #[serde(default)]
    from: Option<String>,
    #[serde(default)]
    to: Option<String>,
}

impl Replay {
    fn read(&self) -> Result<Again, Error> {
        let bad =
            |field: &str, rule| Error::Refused(Refusal::new("invalid_body").violation(field, rule, None));
        let instant = |field: &str, text: &str| parse_rfc3339(text).ok_or_else(|| bad(field, "shape"));
        match (&self.event, &self.from, &self.to) {
            (Some(event), None, None) => Ok(Again::One(read("/event", event)?)),
            (None, Some(from), Some(to)) => {
                let (from, to) = (instant("/from", from)?, instant("/to", to)?);
                if from < to { Ok(Again::Between(from, to)) } else { Err(bad("/to", "order")) }
            }
            _ => Err(bad("", "shape")),
        }
    }
}

async fn replay(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Replay>,
) -> Result<Response, Problem> {
    let act = format!("POST /v1/events/endpoints/{id}/replay");
    let key = idempotency(&headers, caller.client, &act, &body)?;
    let again = body.read()?;
    let answer = replay_events(&app, caller.agency, super::object(&id)?, again, &key).await?;
    Ok(axum::Json(answer).into_response())
}

async fn rotate(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let act = format!("POST /v1/events/endpoints/{id}/rotate");
    let key = idempotency(&headers, caller.client, &act, &())?;
    let answer = endpoints::rotate_secret(&app, caller.agency, super::object(&id)?, &key).await?;
    Ok(axum::Json(answer).into_response())
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

async fn set_active(
    app: &App,
    caller: &Caller,
    id: &str,
    headers: &HeaderMap,
    active: bool,
) -> Result<Response, Problem> {
    let act = format!("POST /v1/events/endpoints/{id}/{}", if active { "resume" } else { "suspend" });
    let key = idempotency(headers, caller.client, &act, &())?;
    let id = super::object(id)?;
    let answer = endpoints::set_endpoint_active(app, caller.agency, id, active, &key).await?;
    Ok(axum::Json(answer).into_response())
}
