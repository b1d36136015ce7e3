//! `/v1/fees/versions` and `/v1/fees/evidence`: how a schedule comes into force, and what reductions rest on.

use super::{line, parameter, read};
use crate::app::App;
use crate::base::id::{Bill, Id, Schedule};
use crate::flow::{
    Error,
    declare_fees::Period,
    fee_instrument::{InstrumentFile, NewInstrument, attach_instrument, read_instrument, unfit},
    fee_versions::{Move, NewVersion, diff_version, draft_version, list_versions, move_version},
    revoke_evidence::{Revocation, read_evidence, revoke_evidence},
    try_version::try_version,
};
use crate::http::{
    auth::Caller,
    json::{Json, idempotency},
    problem::Problem,
    query::Parameters,
    tree::InTree,
};
use crate::payment::attachment::Attachment;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

/// The routes.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/v1/fees/versions", post(draft).get(list).layer(DefaultBodyLimit::max(BODY_BYTES_MAX)))
        .route(
            "/v1/fees/versions/{id}/instrument",
            post(attach).get(instrument).layer(DefaultBodyLimit::max(BODY_BYTES_MAX)),
        )
        .route("/v1/fees/versions/{id}/diff", get(diff))
        .route("/v1/fees/versions/{id}/trial", get(trial))
        .route("/v1/fees/versions/{id}/submit", post(submit))
        .route("/v1/fees/versions/{id}/approve", post(approve))
        .route("/v1/fees/versions/{id}/discontinue", post(discontinue))
        .route("/v1/fees/evidence", get(evidence))
        .route("/v1/fees/evidence/{id}/revoke", post(revoke))
}

/// The most bytes of a body that carries an attachment in base64 beside two files of rows.
const BODY_BYTES_MAX: usize = 16 << 20;

/// A version as an accountant drafts it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Draft {
    items: String,
    adjustments: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    instrument: Option<Instrument>,
    officer: String,
}

/// The legal instrument that a version rests on.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Instrument {
    title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<File>,
}

/// Its text.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    media: String,
    base64: String,
}

impl File {
    fn read(&self, field: &str) -> Result<Attachment, Error> {
        let wrong = |_| super::misshapen(&format!("{field}/base64"), "shape");
        let bytes = STANDARD.decode(&self.base64).map_err(wrong)?;
        Attachment::new(Some(&self.media), bytes).map_err(|why| unfit(field, why))
    }
}

/// The text of the instrument, and who attaches it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewFile {
    officer: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    file: File,
}

async fn attach(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<NewFile>,
) -> Result<Response, Problem> {
    let act = format!("POST /v1/fees/versions/{id}/instrument");
    let key = idempotency(&headers, caller.client, &act, &body)?;
    let new = NewInstrument {
        officer: read("/officer", &body.officer)?,
        title: body.title.as_deref().map(|title| line("/title", title)).transpose()?,
        file: body.file.read("/file")?,
    };
    let answer = attach_instrument(&app, caller.agency, super::object(&id)?, &new, Some(&key)).await?;
    Ok(axum::Json(answer).into_response())
}

async fn instrument(State(app): State<App>, _: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    let id: Id<Schedule> = super::object(&id)?;
    Ok(instrument_file(id, read_instrument(&app, id).await?))
}

/// The file to keep, with its digest (RFC 9530).
pub(in crate::http) fn instrument_file(id: Id<Schedule>, file: InstrumentFile) -> Response {
    let name = format!("{id}.{}", file.media.ending());
    let digest = format!("sha-256=:{}:", STANDARD.encode(file.sha256));
    let mut response = super::receipts::attachment(file.media.as_str(), &name, file.bytes);
    if let Ok(digest) = digest.parse() {
        response.headers_mut().insert("content-digest", digest);
    }
    response
}

async fn draft(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Json(body): Json<Draft>,
) -> Result<Response, Problem> {
    let key = idempotency(&headers, caller.client, "POST /v1/fees/versions", &body)?;
    let instrument = body.instrument.as_ref();
    let file =
        instrument.and_then(|instrument| instrument.file.as_ref()).map(|file| file.read("/instrument/file"));
    let new = NewVersion {
        items: body.items.clone(),
        adjustments: body.adjustments.clone(),
        instrument: instrument.map(|i| line("/instrument/title", &i.title)).transpose()?,
        file: file.transpose()?,
        officer: read("/officer", &body.officer)?,
    };
    let answer = draft_version(&app, caller.agency, &new, Some(&key)).await?;
    Ok((StatusCode::CREATED, axum::Json(answer)).into_response())
}

async fn list(State(app): State<App>, _: Caller) -> Result<Response, Problem> {
    Ok(axum::Json(list_versions(&app).await?).into_response())
}

#[derive(Deserialize)]
struct Against {
    against: Option<String>,
}

async fn diff(
    State(app): State<App>,
    _: Caller,
    Path(id): Path<String>,
    Parameters(query): Parameters<Against>,
) -> Result<Response, Problem> {
    let against: Option<Id<Schedule>> = parameter("against", query.against.as_deref())?;
    Ok(axum::Json(diff_version(&app, super::object(&id)?, against).await?).into_response())
}

#[derive(Deserialize)]
struct Trial {
    month: Option<String>,
}

async fn trial(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    InTree(tree): InTree,
    Parameters(query): Parameters<Trial>,
) -> Result<Response, Problem> {
    let id = super::object(&id)?;
    let month = query.month.as_deref().filter(|month| month.len() == 7);
    let period = match (month, &query.month) {
        (Some(month), _) => Period::parse(month),
        (None, Some(_)) => None,
        (None, None) => Some(Period::month_before(crate::base::calendar::Day::of(app.clock.now()))),
    };
    let period = period.ok_or_else(|| super::bad_parameter("month", "shape"))?;
    Ok(axum::Json(try_version(&app, (caller.agency, tree), id, period).await?).into_response())
}

/// Who acts.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Submission {
    officer: String,
}

/// Who acts, and for which day.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Dated {
    officer: String,
    from: String,
}

async fn submit(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Submission>,
) -> Result<Response, Problem> {
    let key = idempotency(&headers, caller.client, &format!("POST /v1/fees/versions/{id}/submit"), &body)?;
    let wanted = (Move::Submit, read("/officer", &body.officer)?);
    Ok(axum::Json(move_version(&app, caller.agency, super::object(&id)?, wanted, Some(&key)).await?)
        .into_response())
}

async fn approve(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Dated>,
) -> Result<Response, Problem> {
    let key = idempotency(&headers, caller.client, &format!("POST /v1/fees/versions/{id}/approve"), &body)?;
    let wanted = (Move::Approve(read("/from", &body.from)?), read("/officer", &body.officer)?);
    Ok(axum::Json(move_version(&app, caller.agency, super::object(&id)?, wanted, Some(&key)).await?)
        .into_response())
}

async fn discontinue(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Dated>,
) -> Result<Response, Problem> {
    let key =
        idempotency(&headers, caller.client, &format!("POST /v1/fees/versions/{id}/discontinue"), &body)?;
    let wanted = (Move::Discontinue(read("/from", &body.from)?), read("/officer", &body.officer)?);
    Ok(axum::Json(move_version(&app, caller.agency, super::object(&id)?, wanted, Some(&key)).await?)
        .into_response())
}

#[derive(Deserialize)]
struct OfBill {
    bill: String,
}

async fn evidence(
    State(app): State<App>,
    caller: Caller,
    Parameters(query): Parameters<OfBill>,
) -> Result<Response, Problem> {
    let bill: Id<Bill> = query.bill.parse().map_err(|_| super::bad_parameter("bill", "shape"))?;
    Ok(axum::Json(read_evidence(&app, caller.agency, bill).await?).into_response())
}

/// Why evidence does not hold.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewRevocation {
    officer: String,
    reason: String,
    due: String,
}

async fn revoke(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<NewRevocation>,
) -> Result<Response, Problem> {
    let key = idempotency(&headers, caller.client, &format!("POST /v1/fees/evidence/{id}/revoke"), &body)?;
    let revocation = Revocation {
        officer: read("/officer", &body.officer)?,
        reason: line("/reason", &body.reason)?,
        due: read("/due", &body.due)?,
    };
    let answer = revoke_evidence(&app, caller.agency, super::object(&id)?, &revocation, &key).await?;
    Ok(axum::Json(answer).into_response())
}
