//! `/v1/fees`: the fees in force, and what a dossier would owe.

use super::{
    bills::{NewLine, asked},
    read,
};
use crate::app::App;
use crate::base::calendar::Day;
use crate::flow::{
    declare_fees::{Period, declare_fees},
    quote_fees,
};
use crate::http::{auth::Caller, json::Json, problem::Problem, query::Parameters, tree::InTree};
use crate::payment::{
    code::ProcedureCode,
    exemption::{Circumstances, Dates, Facts},
};
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;

/// The routes.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/v1/fees", get(list))
        .route("/v1/fees/quote", post(quote))
        .route("/v1/fees/declaration", get(declaration))
}

#[derive(Deserialize)]
struct ListQuery {
    procedure: Option<String>,
    on: Option<String>,
}

async fn list(
    State(app): State<App>,
    _caller: Caller,
    Parameters(query): Parameters<ListQuery>,
) -> Result<Response, Problem> {
    let procedure: Option<ProcedureCode> = super::parameter("procedure", query.procedure.as_deref())?;
    let on: Option<Day> = super::parameter("on", query.on.as_deref())?;
    let answer = quote_fees::read_fees(&app, procedure.as_ref(), on).await?;
    Ok(axum::Json(answer).into_response())
}

#[derive(Deserialize)]
struct PeriodQuery {
    period: String,
}

async fn declaration(
    State(app): State<App>,
    caller: Caller,
    InTree(tree): InTree,
    Parameters(query): Parameters<PeriodQuery>,
) -> Result<Response, Problem> {
    let period = Period::parse(&query.period).ok_or_else(|| super::bad_parameter("period", "shape"))?;
    Ok(axum::Json(declare_fees(&app, caller.agency, period, tree).await?).into_response())
}

/// A dossier as far as its fees depend on it. Facts that nobody has verified are stated as such by their absence.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewQuote {
    procedure: String,
    lines: Vec<NewLine>,
    channel: String,
    submitted_on: Option<String>,
}

async fn quote(
    State(app): State<App>,
    _caller: Caller,
    Json(body): Json<NewQuote>,
) -> Result<Response, Problem> {
    let submission = match body.submitted_on.as_deref() {
        Some(text) => read("/submitted_on", text)?,
        None => Day::of(app.clock.now()),
    };
    let circumstances = Circumstances {
        channel: read("/channel", &body.channel)?,
        dates: Dates { submission, acceptance: None, payment: None },
        applicant: Facts::default(),
        submitter: Facts::default(),
    };
    let procedure: ProcedureCode = read("/procedure", &body.procedure)?;
    let answer = quote_fees::quote_fees(&app, &procedure, &asked(&body.lines)?, &circumstances).await?;
    Ok(axum::Json(answer).into_response())
}
