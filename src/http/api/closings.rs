//! `/v1/closings` and `/v1/journals`: closed days, months and years with their signed reports, and the books as journals.

use crate::app::App;
use crate::base::{
    id::{Agency, Closing, Id},
    page::PageRequest,
};
use crate::codec::journal::{csv_head, csv_row};
use crate::flow::{
    export_journal::{Journal, journal_sheet, open_journal, read_journal},
    inherit::Tree,
    read_closings::{Beside, Format, beside_closing, closing_file, read_closings},
};
use crate::http::{
    api::receipts::{attached, attachment},
    auth::Caller,
    problem::Problem,
    query::Parameters,
    tree::InTree,
};
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use tokio::io::AsyncReadExt;

/// The routes.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/v1/closings", get(list))
        .route("/v1/closings/{id}/pdf", get(pdf))
        .route("/v1/closings/{id}/xlsx", get(xlsx))
        .route("/v1/closings/{id}/signed", get(signed))
        .route("/v1/closings/{id}/head", get(head))
        .route("/v1/closings/{id}/stamp", get(stamp))
        .route("/v1/journals/csv", get(journal_csv))
        .route("/v1/journals/xlsx", get(journal_xlsx))
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
    let after: Option<Id<Closing>> = super::parameter("after", query.after.as_deref())?;
    let page = PageRequest::new(after, query.limit).ok_or_else(|| super::bad_parameter("limit", "range"))?;
    Ok(axum::Json(read_closings(&app, caller.agency, tree, &page).await?).into_response())
}

async fn pdf(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    file(&app, &caller, &id, Format::Pdf).await
}

async fn xlsx(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    file(&app, &caller, &id, Format::Xlsx).await
}

async fn signed(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    file(&app, &caller, &id, Format::Jws).await
}

async fn head(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    beside(&app, &caller, &id, Beside::Head).await
}

async fn stamp(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    beside(&app, &caller, &id, Beside::Stamp).await
}

async fn beside(app: &App, caller: &Caller, id: &str, what: Beside) -> Result<Response, Problem> {
    let (name, media_type, bytes) = beside_closing(app, caller.agency, super::object(id)?, what).await?;
    Ok(attachment(media_type, &name, bytes))
}

async fn file(app: &App, caller: &Caller, id: &str, format: Format) -> Result<Response, Problem> {
    let (name, bytes) = closing_file(app, caller.agency, super::object(id)?, format).await?;
    Ok(attachment(format.media_type(), &format!("{name}.{}", format.as_str()), bytes))
}

#[derive(Deserialize)]
struct Days {
    from: Option<String>,
    to: Option<String>,
}

async fn journal_csv(
    State(app): State<App>,
    caller: Caller,
    InTree(tree): InTree,
    Parameters(days): Parameters<Days>,
) -> Result<Response, Problem> {
    let (journal, name) = opened(&app, (caller.agency, tree), &days).await?;
    let headers = attached("text/csv; charset=utf-8", &format!("{name}.csv"));
    Ok((headers, Body::from_stream(csv_parts(app, journal))).into_response())
}

/// The head of the file and its rows, some at a time, each read when the reader has taken what came before: a journal of any
/// length needs the room of one part.
fn csv_parts(
    app: App,
    journal: Journal,
) -> impl futures_util::Stream<Item = Result<Vec<u8>, std::io::Error>> {
    let head = stream::once(async { Ok(csv_head().into_bytes()) });
    let rows = stream::unfold(Some((app, journal)), async |state| {
        let (app, mut journal) = state?;
        match read_journal(&app, &mut journal).await {
            Ok(Some(rows)) => {
                let lines: String = rows.iter().map(csv_row).collect();
                Some((Ok(lines.into_bytes()), Some((app, journal))))
            }
            Ok(None) => None,
            Err(error) => {
                // The headers are gone: the reader sees that the file breaks off.
                tracing::error!(?error, "a journal broke off");
                Some((Err(std::io::Error::other("the journal broke off")), None))
            }
        }
    });
    head.chain(rows)
}

async fn journal_xlsx(
    State(app): State<App>,
    caller: Caller,
    InTree(tree): InTree,
    Parameters(days): Parameters<Days>,
) -> Result<Response, Problem> {
    let (journal, name) = opened(&app, (caller.agency, tree), &days).await?;
    let headers = attached(Format::Xlsx.media_type(), &format!("{name}.xlsx"));
    Ok((headers, Body::from_stream(sheet_parts(app, journal))).into_response())
}

/// A spreadsheet on its way out.
enum Sheet {
    Wanted(App, Journal),
    Made(tokio::fs::File),
}

/// How much of a file leaves at a time.
const PART_BYTES: usize = 64 << 10;

/// The spreadsheet, made once its headers are gone and then read a part at a time, each when the reader has taken what came
/// before.
fn sheet_parts(
    app: App,
    journal: Journal,
) -> impl futures_util::Stream<Item = Result<Vec<u8>, std::io::Error>> {
    stream::unfold(Some(Sheet::Wanted(app, journal)), async |state| {
        let mut file = match state? {
            Sheet::Made(file) => file,
            Sheet::Wanted(app, journal) => match journal_sheet(&app, journal).await {
                Ok(file) => tokio::fs::File::from_std(file),
                Err(error) => {
                    tracing::error!(?error, "a journal broke off");
                    return Some((Err(std::io::Error::other("the journal broke off")), None));
                }
            },
        };
        let mut part = vec![0; PART_BYTES];
        match file.read(&mut part).await {
            Ok(0) => None,
            Ok(length) => {
                part.truncate(length);
                Some((Ok(part), Some(Sheet::Made(file))))
            }
            Err(error) => Some((Err(error), None)),
        }
    })
}

/// The journal, and how its file is called.
async fn opened(app: &App, whose: (Id<Agency>, Tree), days: &Days) -> Result<(Journal, String), Problem> {
    let day = |name: &'static str, text: &Option<String>| {
        super::parameter(name, text.as_deref())?.ok_or_else(|| super::bad_parameter(name, "missing"))
    };
    let span = (day("from", &days.from)?, day("to", &days.to)?);
    Ok((open_journal(app, whose, span).await?, format!("journal-{}-{}", span.0, span.1)))
}
