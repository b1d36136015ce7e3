//! `/v1/bills`: issue, read, list and withdraw.

use super::read;
use crate::app::App;
use crate::base::{
    calendar::Day,
    id::{Bill, Id, Verification},
    page::PageRequest,
};
use crate::flow::{self, Error, Refusal, cancel_bill, create_bill, read_bills};
use crate::http::{
    auth::Caller,
    json::{Json, idempotency},
    problem::Problem,
    query::Parameters,
};
use crate::payment::{
    bill::{LINES_MAX, Parties},
    code::DossierCode,
    exemption::{Circumstances, Dates, Facts},
    fee::Asked,
    issue::Draft,
};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};

/// The routes.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/v1/bills", post(create).get(list))
        .route("/v1/bills/{id}", get(one))
        .route("/v1/bills/{id}/cancel", post(cancel))
}

/// A bill as an agency asks for it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewBill {
    dossier: String,
    procedure: String,
    lines: Vec<NewLine>,
    channel: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    submitted_on: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted_on: Option<String>,
    due: String,
    applicant: NewParty,
    #[serde(skip_serializing_if = "Option::is_none")]
    submitter: Option<NewParty>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payer: Option<NewParty>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt_name: Option<String>,
}

/// A fee and how many of it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewLine {
    fee: String,
    #[serde(default = "one_unit")]
    count: u32,
}

const fn one_unit() -> u32 {
    1
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewParty {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    verification: Option<String>,
}

async fn create(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Json(body): Json<NewBill>,
) -> Result<Response, Problem> {
    let key = idempotency(&headers, caller.client, "POST /v1/bills", &body)?;
    let draft = draft(&app, &caller, (key.key().to_owned(), *key.digest()), &body).await?;
    let answer = create_bill::create_bill(&app, draft).await?;
    let json = [(header::CONTENT_TYPE, "application/json")];
    Ok((StatusCode::CREATED, json, answer).into_response())
}

async fn draft(app: &App, caller: &Caller, key: (String, [u8; 32]), body: &NewBill) -> Result<Draft, Error> {
    let today = Day::of(app.clock.now());
    let day = |field, text: &Option<String>| text.as_deref().map(|text| read::<Day>(field, text)).transpose();
    let dates = Dates {
        submission: day("/submitted_on", &body.submitted_on)?.unwrap_or(today),
        acceptance: day("/accepted_on", &body.accepted_on)?,
        payment: None,
    };
    let name = |field, party: Option<&NewParty>| party.map(|p| super::line(field, &p.name)).transpose();
    let acting = match (&body.submitter, body.applicant.verification.as_deref()) {
        (None, Some(text)) => {
            let verification = read("/applicant/verification", text)?;
            flow::facts::acting_of(app, verification).await?
        }
        _ => None,
    };
    let parties = Parties {
        applicant: super::line("/applicant/name", &body.applicant.name)?,
        submitter: match acting {
            Some(actor) => Some(super::line("/submitter/name", &actor)?),
            None => name("/submitter/name", body.submitter.as_ref())?,
        },
        payer: name("/payer/name", body.payer.as_ref())?,
        receipt_name: body.receipt_name.as_deref().map(|n| super::line("/receipt_name", n)).transpose()?,
    };
    let circumstances = Circumstances {
        channel: read("/channel", &body.channel)?,
        dates,
        applicant: facts(app, caller, Some(&body.applicant)).await?,
        submitter: facts(app, caller, body.submitter.as_ref()).await?,
    };
    Ok(Draft {
        agency: caller.agency,
        client: caller.client,
        key,
        dossier: read("/dossier", &body.dossier)?,
        procedure: read("/procedure", &body.procedure)?,
        asked: asked(&body.lines)?,
        circumstances,
        due: read("/due", &body.due)?,
        parties,
        applicant: verification_of(&body.applicant)?,
    })
}

fn verification_of(party: &NewParty) -> Result<Option<Id<Verification>>, Error> {
    party.verification.as_deref().map(|text| read("/applicant/verification", text)).transpose()
}

/// What a verification that the bill names has established about a party.
async fn facts(app: &App, caller: &Caller, party: Option<&NewParty>) -> Result<Facts, Error> {
    match party.and_then(|party| party.verification.as_deref()) {
        None => Ok(Facts::default()),
        Some(verification) => {
            let verification = read("/applicant/verification", verification)?;
            flow::facts::facts_of(app, caller.agency, verification).await
        }
    }
}

/// The asked fees of a request.
pub(super) fn asked(lines: &[NewLine]) -> Result<Vec<Asked>, Error> {
    if lines.is_empty() || lines.len() > LINES_MAX {
        return Err(Error::Refused(Refusal::new("invalid_body").violation("/lines", "count", None)));
    }
    let ask = |(i, line): (usize, &NewLine)| {
        Ok(Asked { fee: read(&format!("/lines/{i}/fee"), &line.fee)?, count: line.count })
    };
    lines.iter().enumerate().map(ask).collect()
}

#[derive(Deserialize)]
struct ListQuery {
    dossier: Option<String>,
    after: Option<String>,
    limit: Option<u32>,
}

async fn list(
    State(app): State<App>,
    caller: Caller,
    Parameters(query): Parameters<ListQuery>,
) -> Result<Response, Problem> {
    let dossier: Option<DossierCode> = super::parameter("dossier", query.dossier.as_deref())?;
    let after: Option<Id<Bill>> = super::parameter("after", query.after.as_deref())?;
    let page = PageRequest::new(after, query.limit).ok_or_else(|| super::bad_parameter("limit", "range"))?;
    let answer = read_bills::list_bills(&app, caller.agency, dossier.as_ref(), &page).await?;
    Ok(axum::Json(answer).into_response())
}

async fn one(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    let answer = read_bills::read_bill(&app, caller.agency, super::object(&id)?).await?;
    Ok(axum::Json(answer).into_response())
}

async fn cancel(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let act = format!("POST /v1/bills/{id}/cancel");
    let key = idempotency(&headers, caller.client, &act, &())?;
    let answer = cancel_bill::cancel_bill(&app, caller.agency, super::object(&id)?, &key).await?;
    Ok(axum::Json(answer).into_response())
}
