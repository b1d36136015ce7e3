//! `/v1/bills`: issue, read, list and withdraw.

use super::{agencies::BothLanguages, read};
use crate::app::App;
use crate::base::{
    calendar::Day,
    id::{Agency, Bill, Id, Verification},
    page::PageRequest,
    reference::Reference,
};
use crate::flow::{
    self, Error, Refusal, cancel_bill,
    change_bill::{self, Amendment, Collect},
    create_bill,
    idempotency::Idempotency,
    issue_by_owner::issue_by_owner,
    issue_many, read_bills, read_proofs,
    split_bill::{INSTALMENTS_MAX, Split, split_bill},
};
use crate::http::{
    auth::Caller,
    json::{Json, idempotency},
    problem::Problem,
    query::Parameters,
    tree::InTree,
};
use crate::payment::{
    bill::{Beneficiary, BillLine, LINES_MAX, Parties},
    code::{Code, DossierCode},
    exemption::{Circumstances, Dates, Facts},
    fee::{Asked, Bilingual, FeeKind},
    issue::{Draft, Grounds},
    notice::Notice,
};
use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The routes.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/v1/bills", post(create).get(list))
        .route("/v1/bills/{id}", get(one))
        .route("/v1/bills/{id}/documents", get(documents))
        .route("/v1/bills/{id}/cancel", post(cancel))
        .route("/v1/bills/{id}/family", get(family))
        .route("/v1/bills/{id}/amend", post(amend))
        .route("/v1/bills/{id}/replace", post(replace))
        .route("/v1/bills/{id}/revive", post(revive))
        .route("/v1/bills/{id}/split", post(split))
        .route("/v1/bills/bulk", post(bulk).layer(DefaultBodyLimit::max(BULK_BYTES_MAX)))
}

/// The most bytes of a request for many bills.
pub const BULK_BYTES_MAX: usize = 16 << 20;

/// A bill as an agency asks for it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewBill {
    pub(super) dossier: String,
    pub(super) procedure: String,
    #[serde(default)]
    pub(super) lines: Vec<NewLine>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) obligations: Vec<NewObligation>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) services: Vec<NewService>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) collect: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) payable_until: Option<String>,
    pub(super) channel: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) submitted_on: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) accepted_on: Option<String>,
    pub(super) due: String,
    pub(super) applicant: NewParty,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) submitter: Option<NewParty>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) payer: Option<NewParty>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) receipt_name: Option<String>,
}

impl NewBill {
    /// Whether each owner is to be paid by a transfer of its own.
    fn apart(&self) -> bool {
        self.collect.as_deref() == Some("by_owner")
    }
}

/// A fee and how many of it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewLine {
    fee: String,
    #[serde(default = "one_unit")]
    count: u32,
    #[serde(default = "one_unit", skip_serializing_if = "is_one")]
    copies: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<super::ledger::Amount>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    beneficiary: Option<String>,
}

/// What an office elsewhere has assessed by a notice.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewObligation {
    notice: String,
    chapter: String,
    sub_item: String,
    area: String,
    name: BothLanguages,
    legal_basis: String,
    amount: super::ledger::Amount,
    account: TheirAccount,
}

/// The account to which it belongs.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TheirAccount {
    bank: String,
    number: String,
    holder: String,
}

/// The price of a service that a seller has invoiced.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewService {
    invoice: super::exemptions::NewInvoice,
    legal_basis: String,
    account: TheirAccount,
}

fn service(i: usize, new: &NewService, today: Day) -> Result<BillLine, Error> {
    let field = |name: &str| format!("/services/{i}/{name}");
    let invoice = new.invoice.read(&field("invoice"))?;
    invoice.check(today).map_err(|unfit| {
        let field = field(&format!("invoice{}", unfit.field()));
        Error::Refused(Refusal::new("invoice_unfit").violation(field, "shape", None))
    })?;
    Ok(BillLine {
        fee: "SERVICE".parse().map_err(Error::internal)?,
        kind: FeeKind::Service,
        name: invoice.name.clone(),
        count: 1,
        gross: invoice.amount,
        amount: invoice.amount,
        retained: crate::base::money::Money::vnd(0),
        legal_basis: super::line(&field("legal_basis"), &new.legal_basis)?,
        beneficiary: new.account.read(&field("account"))?,
        notice: None,
        invoice: Some(invoice),
    })
}

/// The prices of services, each by its seller's invoice.
fn services(new: &[NewService], today: Day) -> Result<Vec<BillLine>, Error> {
    if new.len() > LINES_MAX {
        return Err(super::misshapen("/services", "count"));
    }
    new.iter().enumerate().map(|(i, new)| service(i, new, today)).collect()
}

impl TheirAccount {
    fn read(&self, field: &str) -> Result<Beneficiary, Error> {
        Ok(Beneficiary {
            agency: None,
            bank: super::line::<11>(&format!("{field}/bank"), &self.bank)?.to_string(),
            number: super::line::<34>(&format!("{field}/number"), &self.number)?.to_string(),
            holder: super::line(&format!("{field}/holder"), &self.holder)?,
        })
    }
}

fn obligation(i: usize, new: &NewObligation) -> Result<BillLine, Error> {
    let field = |name: &str| format!("/obligations/{i}/{name}");
    let unfit = || Error::Refused(Refusal::new("invalid_body").violation(field("notice"), "shape", None));
    let wording = new.name.read(&field("name"))?;
    let text = |text: &str| super::line(&field("name"), text);
    let amount = new.amount.read(&field("amount"))?;
    Ok(BillLine {
        fee: "TAX".parse().map_err(Error::internal)?,
        kind: FeeKind::Tax,
        name: Bilingual { vi: text(wording.vi.as_str())?, en: text(wording.en.as_str())? },
        count: 1,
        gross: amount,
        amount,
        retained: crate::base::money::Money::vnd(0),
        legal_basis: super::line(&field("legal_basis"), &new.legal_basis)?,
        beneficiary: new.account.read(&field("account"))?,
        invoice: None,
        notice: Some(
            Notice::parse(&new.notice, &new.chapter, &new.sub_item, &new.area).map_err(|_| unfit())?,
        ),
    })
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
const fn is_one(count: &u32) -> bool {
    *count == 1
}

const fn one_unit() -> u32 {
    1
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewParty {
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
    if body.apart() || !body.services.is_empty() {
        let answer = issue_by_owner(&app, draft, body.apart()).await?;
        return Ok((StatusCode::CREATED, axum::Json(answer)).into_response());
    }
    let answer = create_bill::create_bill(&app, draft).await?;
    let json = [(header::CONTENT_TYPE, "application/json")];
    Ok((StatusCode::CREATED, json, answer).into_response())
}

pub(super) async fn draft(
    app: &App,
    caller: &Caller,
    key: (String, [u8; 32]),
    body: &NewBill,
) -> Result<Draft, Error> {
    if body.lines.len() + body.obligations.len() + body.services.len() > LINES_MAX {
        return Err(super::misshapen("/lines", "count"));
    }
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
    let grounds = Grounds {
        applicant: verification("/applicant/verification", Some(&body.applicant))?,
        submitter: verification("/submitter/verification", body.submitter.as_ref())?,
    };
    let circumstances = Circumstances {
        channel: read("/channel", &body.channel)?,
        dates,
        applicant: facts(app, caller, grounds.applicant).await?,
        submitter: facts(app, caller, grounds.submitter).await?,
    };
    Ok(Draft {
        agency: caller.agency,
        client: caller.client,
        key,
        dossier: read("/dossier", &body.dossier)?,
        procedure: read("/procedure", &body.procedure)?,
        asked: if body.lines.is_empty() && !(body.obligations.is_empty() && body.services.is_empty()) {
            Vec::new()
        } else {
            asked(&body.lines)?
        },
        owners: owners(&body.lines)?,
        obligations: {
            let noticed = body.obligations.iter().enumerate().map(|(i, new)| obligation(i, new));
            let mut lines = noticed.collect::<Result<Vec<_>, Error>>()?;
            // They have no trace, so that they stand last.
            lines.extend(services(&body.services, today)?);
            lines
        },
        together: match body.collect.as_deref() {
            None => false,
            Some("together" | "by_owner") => true,
            Some(_) => return Err(super::misshapen("/collect", "unknown")),
        },
        payable_until: day("/payable_until", &body.payable_until)?,
        circumstances,
        grounds,
        due: read("/due", &body.due)?,
        parties,
    })
}

/// The verification that a party names.
fn verification(field: &str, party: Option<&NewParty>) -> Result<Option<Id<Verification>>, Error> {
    party.and_then(|party| party.verification.as_deref()).map(|text| read(field, text)).transpose()
}

/// What a verification that the bill names has established about a party.
async fn facts(app: &App, caller: &Caller, of: Option<Id<Verification>>) -> Result<Facts, Error> {
    match of {
        None => Ok(Facts::default()),
        Some(verification) => flow::facts::facts_of(app, caller.agency, verification).await,
    }
}

/// The fees that belong to another agency.
fn owners(lines: &[NewLine]) -> Result<BTreeMap<Code, Id<Agency>>, Error> {
    let named = lines.iter().enumerate().filter_map(|(i, line)| Some((i, line, line.beneficiary.as_ref()?)));
    named
        .map(|(i, line, owner)| {
            let fee = read(&format!("/lines/{i}/fee"), &line.fee)?;
            Ok((fee, read(&format!("/lines/{i}/beneficiary"), owner)?))
        })
        .collect()
}

/// The asked fees of a request.
pub(super) fn asked(lines: &[NewLine]) -> Result<Vec<Asked>, Error> {
    if lines.is_empty() || lines.len() > LINES_MAX {
        return Err(Error::Refused(Refusal::new("invalid_body").violation("/lines", "count", None)));
    }
    let ask = |(i, line): (usize, &NewLine)| {
        let value = line.value.as_ref().map(|value| value.read(&format!("/lines/{i}/value"))).transpose()?;
        let fee = read(&format!("/lines/{i}/fee"), &line.fee)?;
        Ok(Asked { fee, count: line.count, copies: line.copies, value })
    };
    lines.iter().enumerate().map(ask).collect()
}

#[derive(Deserialize)]
struct ListQuery {
    dossier: Option<String>,
    reference: Option<String>,
    status: Option<String>,
    issued_from: Option<String>,
    issued_to: Option<String>,
    after: Option<String>,
    limit: Option<u32>,
}

async fn list(
    State(app): State<App>,
    caller: Caller,
    InTree(tree): InTree,
    Parameters(query): Parameters<ListQuery>,
) -> Result<Response, Problem> {
    let dossier: Option<DossierCode> = super::parameter("dossier", query.dossier.as_deref())?;
    let after: Option<Id<Bill>> = super::parameter("after", query.after.as_deref())?;
    let page = PageRequest::new(after, query.limit).ok_or_else(|| super::bad_parameter("limit", "range"))?;
    let reference: Option<Reference> = super::parameter("reference", query.reference.as_deref())?;
    let known = ["open", "expired", "paid", "cancelled", "superseded"];
    if query.status.as_deref().is_some_and(|status| !known.contains(&status)) {
        return Err(super::bad_parameter("status", "unknown").into());
    }
    let search = read_bills::Wanted {
        dossier,
        reference,
        status: query.status,
        from: super::parameter("issued_from", query.issued_from.as_deref())?,
        to: super::parameter("issued_to", query.issued_to.as_deref())?,
        tree,
    };
    let answer = read_bills::list_bills(&app, caller.agency, &search, &page).await?;
    Ok(axum::Json(answer).into_response())
}

async fn one(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    let answer = read_bills::read_bill(&app, caller.agency, super::object(&id)?).await?;
    Ok(axum::Json(answer).into_response())
}

async fn documents(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let answer = read_proofs::read_documents(&app, caller.agency, super::object(&id)?).await?;
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

async fn family(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    let answer = change_bill::read_family(&app, caller.agency, super::object(&id)?).await?;
    Ok(axum::Json(answer).into_response())
}

/// What an amendment says; what is absent stays.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewAmendment {
    #[serde(skip_serializing_if = "Option::is_none")]
    lines: Option<Vec<NewLine>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    services: Option<Vec<NewService>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    collect: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    due: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payable_until: Option<String>,
}

async fn amend(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<NewAmendment>,
) -> Result<Response, Problem> {
    let key = idempotency(&headers, caller.client, &format!("POST /v1/bills/{id}/amend"), &body)?;
    let day = |field, text: &Option<String>| text.as_deref().map(|text| read::<Day>(field, text)).transpose();
    let today = Day::of(app.clock.now());
    let amendment = Amendment {
        asked: body.lines.as_deref().map(asked).transpose()?,
        services: body.services.as_deref().map(|new| services(new, today)).transpose()?,
        owners: owners(body.lines.as_deref().unwrap_or_default())?,
        collect: match body.collect.as_deref() {
            None => None,
            Some("together") => Some(Collect::Together),
            Some("by_owner") => Some(Collect::ByOwner),
            Some(_) => return Err(super::misshapen("/collect", "unknown").into()),
        },
        due: day("/due", &body.due)?,
        payable_until: day("/payable_until", &body.payable_until)?,
    };
    let answer = change_bill::amend_bill(&app, caller.agency, super::object(&id)?, &amendment, &key).await?;
    Ok(axum::Json(answer).into_response())
}

async fn replace(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<NewBill>,
) -> Result<Response, Problem> {
    let key = idempotency(&headers, caller.client, &format!("POST /v1/bills/{id}/replace"), &body)?;
    let id = super::object(&id)?;
    let draft = draft(&app, &caller, (key.key().to_owned(), *key.digest()), &body).await?;
    let answer = change_bill::replace_bill(&app, caller.agency, id, (&draft, body.apart()), &key).await?;
    Ok((StatusCode::CREATED, axum::Json(answer)).into_response())
}

/// When a withdrawn bill is due again.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewDue {
    due: String,
}

async fn revive(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<NewDue>,
) -> Result<Response, Problem> {
    let key = idempotency(&headers, caller.client, &format!("POST /v1/bills/{id}/revive"), &body)?;
    let due = read("/due", &body.due)?;
    let answer = change_bill::revive_bill(&app, caller.agency, super::object(&id)?, due, &key).await?;
    Ok(axum::Json(answer).into_response())
}

/// How a bill is split: by owner, or into instalments.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewSplit {
    by: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    instalments: Vec<Instalment>,
}

/// One instalment: when it is due, and its weight among the others.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Instalment {
    due: String,
    #[serde(default = "one_unit")]
    weight: u32,
}

async fn split(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<NewSplit>,
) -> Result<Response, Problem> {
    let key = idempotency(&headers, caller.client, &format!("POST /v1/bills/{id}/split"), &body)?;
    let wrong = |field: &str, rule| Error::Refused(Refusal::new("invalid_body").violation(field, rule, None));
    let plan = body.instalments.iter().enumerate().map(|(i, one)| {
        let weight = (1..=1_000).contains(&one.weight).then_some(u64::from(one.weight));
        let weight = weight.ok_or_else(|| wrong(&format!("/instalments/{i}/weight"), "range"))?;
        Ok::<_, Error>((read(&format!("/instalments/{i}/due"), &one.due)?, weight))
    });
    let plan = plan.collect::<Result<Vec<_>, _>>()?;
    let split = match (body.by.as_str(), plan.len()) {
        ("owner", 0) => Split::Owners,
        ("instalments", 2..=INSTALMENTS_MAX) => Split::Instalments(plan),
        ("owner" | "instalments", _) => return Err(wrong("/instalments", "count").into()),
        (_, _) => return Err(wrong("/by", "unknown").into()),
    };
    let answer = split_bill(&app, caller.agency, super::object(&id)?, &split, &key).await?;
    Ok((StatusCode::CREATED, axum::Json(answer)).into_response())
}

/// Many bills.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bulk {
    bills: Vec<NewBill>,
}

async fn bulk(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Json(body): Json<Bulk>,
) -> Result<Response, Problem> {
    let whole = idempotency(&headers, caller.client, "POST /v1/bills/bulk", &())?;
    if body.bills.is_empty() || body.bills.len() > issue_many::ROWS_MAX {
        let refusal = Refusal::new("invalid_body").violation("/bills", "count", None);
        return Err(Error::Refused(refusal).into());
    }
    let mut rows = Vec::with_capacity(body.bills.len());
    for (i, row) in body.bills.iter().enumerate() {
        // Each row is an act of its own, known by the request's key and its place.
        let canonical = serde_json::to_vec(row).map_err(Error::internal)?;
        let name = format!("{}#{i}", whole.key());
        let key = Idempotency::new(caller.client, &name, "POST /v1/bills/bulk", &canonical);
        let key = key.ok_or_else(|| super::bad_parameter("Idempotency-Key", "too_long"))?;
        let draft = draft(&app, &caller, (key.key().to_owned(), *key.digest()), row).await;
        rows.push(draft.map(|draft| (draft, row.apart())));
    }
    let answer = issue_many::issue_many(&app, rows).await?;
    Ok(axum::Json(answer).into_response())
}
