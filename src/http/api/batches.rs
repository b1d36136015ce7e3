//! `/v1/verifications/batches`: many questions in one file, uploaded in parts, answered as one signed file. Bodies
//! stream both ways.

use super::{line, read};
use crate::app::App;
use crate::base::id::{Batch, Id};
use crate::flow::{
    Error, Refusal,
    batches::{Format, NewBatch, Reading, Upload, open_batch, open_result, read_batch, read_part},
};
use crate::http::{
    auth::Caller,
    json::{Json, idempotency},
    pace::is_stalled,
    problem::Problem,
};
use crate::payment::code::ProcedureCode;
use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post};
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};

/// The routes.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/v1/verifications/batches", post(open))
        .route("/v1/verifications/batches/{id}", get(one))
        .route("/v1/verifications/batches/{id}/rows", patch(upload).layer(DefaultBodyLimit::disable()))
        .route("/v1/verifications/batches/{id}/result", get(result))
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewBatchBody {
    purpose: String,
    procedure: String,
    officer: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    legal_basis: Option<String>,
    format: String,
}

async fn open(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Json(body): Json<NewBatchBody>,
) -> Result<Response, Problem> {
    let key = idempotency(&headers, caller.client, "POST /v1/verifications/batches", &body)?;
    let shape = || Error::Refused(Refusal::new("invalid_body").violation("/format", "shape", None));
    let new = NewBatch {
        purpose: line("/purpose", &body.purpose)?,
        procedure: read::<ProcedureCode>("/procedure", &body.procedure)?.to_string(),
        officer: line("/officer", &body.officer)?,
        legal_basis: body.legal_basis.as_deref().map(|text| line("/legal_basis", text)).transpose()?,
        format: Format::of(&body.format).ok_or_else(shape)?,
    };
    let answer = open_batch(&app, caller.agency, &new, &key).await?;
    Ok((StatusCode::CREATED, axum::Json(answer)).into_response())
}

async fn one(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    Ok(axum::Json(read_batch(&app, caller.agency, super::object(&id)?).await?).into_response())
}

/// The bytes are handed on as they come; what was kept when the connection breaks stays kept.
async fn upload(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let id: Id<Batch> = super::object(&id)?;
    read_batch(&app, caller.agency, id).await?;
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bad = |name: &str| super::bad_parameter(name, "shape");
    let offset = text("upload-offset").and_then(|text| text.parse::<i64>().ok());
    let offset = offset.ok_or_else(|| bad("Upload-Offset"))?;
    let complete = match text("upload-complete") {
        None | Some("?0") => false,
        Some("?1") => true,
        Some(_) => return Err(bad("Upload-Complete").into()),
    };
    let mut upload = Upload::begin(&app, caller.agency, id, offset).await?;
    let mut bytes = body.into_data_stream();
    while let Some(part) = bytes.next().await {
        let part = part.map_err(|error| {
            Error::refused(if is_stalled(&error) { "upload_stalled" } else { "invalid_body" })
        })?;
        upload.push(&app, &part).await?;
    }
    Ok(axum::Json(upload.end(&app, complete).await?).into_response())
}

async fn result(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    let id: Id<Batch> = super::object(&id)?;
    let reading = open_result(&app, caller.agency, id).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/jsonl".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{id}.jsonl\"")),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, Body::from_stream(parts(app, reading))).into_response())
}

/// One chunk at a time, read when the reader has taken the one before.
fn parts(app: App, reading: Reading) -> impl futures_util::Stream<Item = Result<Vec<u8>, std::io::Error>> {
    stream::unfold(Some((app, reading, 0)), async |state| {
        let (app, reading, place) = state?;
        match read_part(&app, &reading, place).await {
            Ok(Some(part)) => Some((Ok(part), Some((app, reading, place + 1)))),
            Ok(None) => None,
            Err(error) => {
                // The headers are gone: the reader sees a file without its last line, the signature.
                tracing::error!(?error, "a result broke off");
                Some((Err(std::io::Error::other("the result broke off")), None))
            }
        }
    })
}
