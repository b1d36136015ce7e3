//! `/v1/exemptions`: notices that a dossier owes nothing; and sellers' invoices beside a bill.

use super::{
    agencies::BothLanguages,
    bills::{NewBill, NewLine, NewParty, draft},
    line, object, read,
};
use crate::app::App;
use crate::base::{
    calendar::Day,
    id::{Bill, Id},
};
use crate::flow::notify_exemption::{note_invoice, notify_exemption, read_exemption};
use crate::http::{
    auth::Caller,
    json::{Json, idempotency},
    problem::Problem,
};
use crate::payment::{fee::Bilingual, invoice::Invoice};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};

/// The routes.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/v1/exemptions", post(create))
        .route("/v1/exemptions/{id}", get(one))
        .route("/v1/bills/{id}/invoices", post(invoice))
}

/// A dossier as far as its fees depend on it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewExemption {
    dossier: String,
    procedure: String,
    lines: Vec<NewLine>,
    channel: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    submitted_on: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted_on: Option<String>,
    applicant: NewParty,
    #[serde(skip_serializing_if = "Option::is_none")]
    submitter: Option<NewParty>,
}

async fn create(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Json(body): Json<NewExemption>,
) -> Result<Response, Problem> {
    let key = idempotency(&headers, caller.client, "POST /v1/exemptions", &body)?;
    // Nothing will be asked for, so no day of payment matters.
    let bill = NewBill {
        dossier: body.dossier,
        procedure: body.procedure,
        lines: body.lines,
        obligations: Vec::new(),
        services: Vec::new(),
        collect: None,
        payable_until: None,
        channel: body.channel,
        submitted_on: body.submitted_on,
        accepted_on: body.accepted_on,
        due: Day::of(app.clock.now()).to_string(),
        applicant: body.applicant,
        submitter: body.submitter,
        payer: None,
        receipt_name: None,
    };
    let draft = draft(&app, &caller, (key.key().to_owned(), *key.digest()), &bill).await?;
    let answer = notify_exemption(&app, &draft, &key).await?;
    Ok((StatusCode::CREATED, axum::Json(answer)).into_response())
}

async fn one(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    Ok(axum::Json(read_exemption(&app, caller.agency, object(&id)?).await?).into_response())
}

/// A reference to a seller's invoice.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewInvoice {
    number: String,
    serial: String,
    date: String,
    seller_tax_code: String,
    name: BothLanguages,
    amount: super::ledger::Amount,
}

impl NewInvoice {
    /// The reference; violations name members below `at`.
    pub(super) fn read(&self, at: &str) -> Result<Invoice, crate::flow::Error> {
        let wording = self.name.read(&format!("{at}/name"))?;
        let invoice = Invoice {
            number: self.number.clone(),
            serial: self.serial.clone(),
            issued_on: read(&format!("{at}/date"), &self.date)?,
            tax_code: self.seller_tax_code.clone(),
            name: Bilingual {
                vi: line(&format!("{at}/name/vi"), wording.vi.as_str())?,
                en: line(&format!("{at}/name/en"), wording.en.as_str())?,
            },
            amount: self.amount.read(&format!("{at}/amount"))?,
        };
        Ok(invoice.in_one_spelling())
    }
}

async fn invoice(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<NewInvoice>,
) -> Result<Response, Problem> {
    let bill: Id<Bill> = object(&id)?;
    let act = format!("POST /v1/bills/{id}/invoices");
    let key = idempotency(&headers, caller.client, &act, &body)?;
    let invoice = body.read("")?;
    let answer = note_invoice(&app, caller.agency, bill, &invoice, &key).await?;
    Ok((StatusCode::CREATED, axum::Json(answer)).into_response())
}
