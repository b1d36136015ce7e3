//! `/v1/card-checks`: a counter's system has read a chip card; the signed verdict stands for the officer who did.

use super::read;
use crate::app::App;
use crate::base::id::{CardCheck, Id};
use crate::flow::{
    Error, Refusal,
    card_check::{check_card_for, read_card_check},
};
use crate::http::{
    auth::Caller,
    card_files::CardFiles,
    json::{Json, idempotency},
    problem::Problem,
};
use crate::identity::personal_number::PersonalNumber;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};

/// The routes.
pub fn routes() -> Router<App> {
    Router::new().route("/v1/card-checks", post(check)).route("/v1/card-checks/{id}", get(one))
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewCardCheck {
    officer: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<String>,
    card: CardFiles,
}

async fn check(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Json(body): Json<NewCardCheck>,
) -> Result<Response, Problem> {
    let key = idempotency(&headers, caller.client, "POST /v1/card-checks", &body)?;
    let officer: PersonalNumber = read("/officer", &body.officer)?;
    let expected = body.number.as_deref().map(|number| read("/number", number)).transpose()?;
    let unreadable = |field| Error::Refused(Refusal::new("invalid_body").violation(field, "shape", None));
    let reading = body.card.reading().map_err(unreadable)?;
    let answer = check_card_for(&app, (caller.agency, officer), &reading, expected, &key).await?;
    Ok((StatusCode::CREATED, axum::Json(answer)).into_response())
}

async fn one(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    let id: Id<CardCheck> = super::object(&id)?;
    Ok(axum::Json(read_card_check(&app, caller.agency, id).await?).into_response())
}
