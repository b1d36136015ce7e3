//! `/v1/agencies`: registered, listed, suspended, for administrators.

use super::line;
use crate::app::App;
use crate::base::{
    id::{Agency, Id},
    page::PageRequest,
    text::Line,
};
use crate::flow::{
    Error, Refusal,
    admin_answer::{list_agencies, read_agency},
    administer::{Account, Actor, register_agency_once, set_agency_standing},
    fee_versions::{list_agency_budgets, set_agency_budget},
    register_client::NewAgency,
    succeed_agency::{Kind, NewSuccession, decide_succession},
};
use crate::http::{
    auth::Caller,
    json::{Json, idempotency},
    problem::Problem,
    query::Parameters,
};
use crate::identity::client::Wording;
use crate::payment::{fee::FeeKind, fee_version::AgencyBudget};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};

/// The routes.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/v1/agencies", post(register).get(list))
        .route("/v1/agencies/{id}", get(one))
        .route("/v1/agencies/{id}/suspend", post(suspend))
        .route("/v1/agencies/{id}/resume", post(resume))
        .route("/v1/agencies/{id}/budget", post(set_budget).get(budgets))
        .route("/v1/agencies/{id}/succeed", post(succeed))
}

/// A text in both languages.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BothLanguages {
    vi: String,
    en: String,
}

impl BothLanguages {
    pub(super) fn read(&self, field: &str) -> Result<Wording, Error> {
        Ok(Wording {
            vi: line(&format!("{field}/vi"), &self.vi)?,
            en: line(&format!("{field}/en"), &self.en)?,
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewAgencyBody {
    code: String,
    name: BothLanguages,
    #[serde(skip_serializing_if = "Option::is_none")]
    tax_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(default)]
    accounts: Accounts,
}

/// Where the fees of each kind are collected.
#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Accounts {
    #[serde(skip_serializing_if = "Option::is_none")]
    phi: Option<NewAccount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    le_phi: Option<NewAccount>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewAccount {
    bank: String,
    number: String,
    holder: String,
}

/// What the budget knows an agency by.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewBudget {
    area: String,
    unit_code: String,
    treasury_office: String,
    retained_account: String,
    remitted_account: String,
    valid_from: String,
}

async fn set_budget(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<NewBudget>,
) -> Result<Response, Problem> {
    let key = idempotency(&headers, caller.client, &format!("POST /v1/agencies/{id}/budget"), &body)?;
    let digits = |field: &str, text: &str, length: usize| {
        if text.len() == length && text.bytes().all(|b| b.is_ascii_digit()) {
            Ok(text.to_owned())
        } else {
            Err(Error::Refused(Refusal::new("invalid_body").violation(field, "shape", None)))
        }
    };
    let budget = AgencyBudget {
        area: digits("/area", &body.area, 5)?,
        unit_code: digits("/unit_code", &body.unit_code, 7)?,
        treasury_office: digits("/treasury_office", &body.treasury_office, 4)?,
        retained_account: line::<34>("/retained_account", &body.retained_account)?.to_string(),
        remitted_account: line::<34>("/remitted_account", &body.remitted_account)?.to_string(),
        valid_from: super::read("/valid_from", &body.valid_from)?,
    };
    let answer = set_agency_budget(&app, super::object(&id)?, &budget, &key).await?;
    Ok(axum::Json(answer).into_response())
}

async fn budgets(State(app): State<App>, _: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    Ok(axum::Json(list_agency_budgets(&app, super::object(&id)?).await?).into_response())
}

/// Who takes the place of an agency, and from when.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewSuccessionBody {
    kind: String,
    from: String,
    successors: Vec<Successor>,
    administrator: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Successor {
    agency: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    procedures: Vec<String>,
}

async fn succeed(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<NewSuccessionBody>,
) -> Result<Response, Problem> {
    let key = idempotency(&headers, caller.client, &format!("POST /v1/agencies/{id}/succeed"), &body)?;
    let wrong = |field: &str| Error::Refused(Refusal::new("invalid_body").violation(field, "unknown", None));
    let successors = body.successors.iter().enumerate().map(|(i, successor)| {
        let field = format!("/successors/{i}");
        let procedures = successor.procedures.iter().map(|code| super::read(&field, code));
        Ok((super::read(&field, &successor.agency)?, procedures.collect::<Result<Vec<_>, Error>>()?))
    });
    let new = NewSuccession {
        kind: Kind::named(&body.kind).ok_or_else(|| wrong("/kind"))?,
        from: super::read("/from", &body.from)?,
        successors: successors.collect::<Result<Vec<_>, Error>>()?,
        administrator: super::read("/administrator", &body.administrator)?,
    };
    let answer = decide_succession(&app, caller.agency, super::object(&id)?, &new, Some(&key)).await?;
    Ok(axum::Json(answer).into_response())
}

async fn register(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Json(body): Json<NewAgencyBody>,
) -> Result<Response, Problem> {
    let key = idempotency(&headers, caller.client, "POST /v1/agencies", &body)?;
    let text = |field, text: &Option<String>| {
        let read = text.as_deref().map(|text| line::<200>(field, text)).transpose()?;
        Ok::<_, Error>(read.map(|line| line.to_string()))
    };
    let new = NewAgency {
        code: code(&body.code)?,
        name: body.name.read("/name")?,
        tax_code: text("/tax_code", &body.tax_code)?,
        address_vi: text("/address", &body.address)?,
    };
    let kinds =
        [("phi", FeeKind::Phi, &body.accounts.phi), ("le_phi", FeeKind::LePhi, &body.accounts.le_phi)];
    let given = kinds.into_iter().filter_map(|(word, kind, account)| Some((word, kind, account.as_ref()?)));
    let accounts =
        given.map(|(word, kind, new)| account(word, kind, new)).collect::<Result<Vec<_>, Error>>()?;
    let answer = register_agency_once(&app, &new, &accounts, &key).await?;
    Ok((StatusCode::CREATED, axum::Json(answer)).into_response())
}

/// Like `H29.14` (Decision 20/2020): it stands in receipt numbers and file names.
fn code(text: &str) -> Result<String, Error> {
    let word =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    if (3..=20).contains(&text.len()) && text.split('.').all(word) {
        Ok(text.to_owned())
    } else {
        Err(Error::Refused(Refusal::new("invalid_body").violation("/code", "shape", None)))
    }
}

fn account(word: &str, kind: FeeKind, new: &NewAccount) -> Result<Account, Error> {
    let plain = |member: &str, text: &str, most: usize| {
        let fits = (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
        let field = format!("/accounts/{word}/{member}");
        fits.then(|| text.to_owned())
            .ok_or(Error::Refused(Refusal::new("invalid_body").violation(field, "shape", None)))
    };
    let holder: Line<70> = line(&format!("/accounts/{word}/holder"), &new.holder)?;
    Ok(Account {
        kind,
        bank: plain("bank", &new.bank, 11)?,
        number: plain("number", &new.number, 34)?,
        holder,
    })
}

#[derive(Deserialize)]
struct ListQuery {
    after: Option<String>,
    limit: Option<u32>,
}

async fn list(
    State(app): State<App>,
    _: Caller,
    Parameters(query): Parameters<ListQuery>,
) -> Result<Response, Problem> {
    let after: Option<Id<Agency>> = super::parameter("after", query.after.as_deref())?;
    let page = PageRequest::new(after, query.limit).ok_or_else(|| super::bad_parameter("limit", "range"))?;
    Ok(axum::Json(list_agencies(&app, &page).await?).into_response())
}

async fn one(State(app): State<App>, _: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    Ok(axum::Json(read_agency(&app, super::object(&id)?).await?).into_response())
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
    let act = format!("POST /v1/agencies/{id}/{}", if active { "resume" } else { "suspend" });
    let key = idempotency(headers, caller.client, &act, &())?;
    let actor = Actor { client: caller.client, agency: caller.agency };
    let answer = set_agency_standing(app, actor, super::object(id)?, active, &key).await?;
    Ok(axum::Json(answer).into_response())
}
