//! `/v1/mandates`: mandates that officers record, and what procedures say about delegates.

use super::{bad_parameter, line, object, parameter, read};
use crate::app::App;
use crate::base::{
    calendar::Day,
    id::{self, Id},
    page::PageRequest,
};
use crate::flow::{
    Error, Refusal,
    delegation_rules::list_rules,
    mandate_answer::{Officer, list_mandates, read_mandate, record_mandate_once, revoke_mandate_once},
    mandates::{Named, NewDelegate, NewMandate, Recorded, agencies_of_codes},
};
use crate::http::{
    auth::Caller,
    json::{Json, idempotency},
    problem::Problem,
};
use crate::identity::mandate::{Act, Extent, Paper};
use crate::payment::code::ProcedureCode;
use axum::Router;
use axum::extract::{Path, Query, State, rejection::QueryRejection};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The routes.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/v1/mandates", post(record).get(list))
        .route("/v1/mandates/rules", get(rules))
        .route("/v1/mandates/{id}", get(one))
        .route("/v1/mandates/{id}/revoke", post(revoke))
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PersonBody {
    number: String,
    name: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DelegateBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    person: Option<PersonBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agency: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PaperBody {
    certifier: String,
    number: String,
    certified_on: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewMandateBody {
    principal: PersonBody,
    delegate: DelegateBody,
    acts: Vec<String>,
    procedures: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    agencies: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_from: Option<String>,
    valid_to: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    paper: Option<PaperBody>,
    officer: String,
}

fn named(field: &str, body: &PersonBody) -> Result<Named, Error> {
    Ok(Named {
        number: read(&format!("{field}/number"), &body.number)?,
        name: read(&format!("{field}/name"), &body.name)?,
    })
}

fn wrong(field: &str, rule: &'static str) -> Error {
    Error::Refused(Refusal::new("invalid_body").violation(field, rule, None))
}

async fn new_mandate(app: &App, body: &NewMandateBody) -> Result<NewMandate, Error> {
    let delegate = match (&body.delegate.person, &body.delegate.agency) {
        (Some(person), None) => NewDelegate::Person(named("/delegate/person", person)?),
        (None, Some(code)) => {
            let found = agencies_of_codes(app, &[code.as_str()]).await?.pop();
            NewDelegate::Organisation(found.ok_or_else(|| wrong("/delegate/agency", "unknown"))?)
        }
        _ => return Err(wrong("/delegate", "one_of")),
    };
    let codes: Vec<&str> = body.agencies.iter().map(String::as_str).collect();
    let agencies = agencies_of_codes(app, &codes).await?;
    if agencies.len() != codes.len() {
        return Err(wrong("/agencies", "unknown"));
    }
    let acts = body.acts.iter().enumerate().map(|(i, act)| read::<Act>(&format!("/acts/{i}"), act));
    let procedures = body.procedures.iter().enumerate().map(|(i, code)| {
        read::<ProcedureCode>(&format!("/procedures/{i}"), code).map(|code| code.to_string())
    });
    let from = body.valid_from.as_deref().map(|day| read::<Day>("/valid_from", day)).transpose()?;
    let extent = Extent {
        acts: acts.collect::<Result<BTreeSet<_>, _>>()?,
        procedures: procedures.collect::<Result<BTreeSet<_>, _>>()?,
        agencies: agencies.into_iter().collect(),
        from: from.unwrap_or_else(|| Day::of(app.clock.now())),
        to: read("/valid_to", &body.valid_to)?,
    };
    Ok(NewMandate { delegate, extent })
}

async fn record(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Json(body): Json<NewMandateBody>,
) -> Result<Response, Problem> {
    let key = idempotency(&headers, caller.client, "POST /v1/mandates", &body)?;
    let principal = named("/principal", &body.principal)?;
    let recorded = match &body.paper {
        None => Recorded::Counter,
        Some(paper) => Recorded::Paper(Paper {
            certifier: line("/paper/certifier", &paper.certifier)?,
            number: line("/paper/number", &paper.number)?,
            on: read("/paper/certified_on", &paper.certified_on)?,
        }),
    };
    let officer = Officer { agency: caller.agency, number: read("/officer", &body.officer)? };
    let new = new_mandate(&app, &body).await?;
    let answer = record_mandate_once(&app, officer, &principal, &new, recorded, &key).await?;
    Ok((StatusCode::CREATED, axum::Json(answer)).into_response())
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RevokeBody {
    officer: String,
}

async fn revoke(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<RevokeBody>,
) -> Result<Response, Problem> {
    let key = idempotency(&headers, caller.client, &format!("POST /v1/mandates/{id}/revoke"), &body)?;
    let mandate: Id<id::Mandate> = object(&id)?;
    let officer = Officer { agency: caller.agency, number: read("/officer", &body.officer)? };
    Ok(axum::Json(revoke_mandate_once(&app, officer, mandate, &key).await?).into_response())
}

#[derive(Deserialize)]
struct ListQuery {
    after: Option<String>,
    limit: Option<u32>,
}

async fn list(
    State(app): State<App>,
    caller: Caller,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|_| bad_parameter("limit", "shape"))?;
    let after: Option<Id<id::Mandate>> = parameter("after", query.after.as_deref())?;
    let page = PageRequest::new(after, query.limit).ok_or_else(|| bad_parameter("limit", "range"))?;
    Ok(axum::Json(list_mandates(&app, caller.agency, &page).await?).into_response())
}

async fn one(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    Ok(axum::Json(read_mandate(&app, caller.agency, object(&id)?).await?).into_response())
}

#[derive(Deserialize)]
struct RulesQuery {
    procedure: Option<String>,
}

async fn rules(
    State(app): State<App>,
    _: Caller,
    query: Result<Query<RulesQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|_| bad_parameter("procedure", "shape"))?;
    let procedure: Option<ProcedureCode> = parameter("procedure", query.procedure.as_deref())?;
    Ok(axum::Json(list_rules(&app, procedure.as_ref()).await?).into_response())
}
