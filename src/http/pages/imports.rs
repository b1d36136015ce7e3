//! `/board/imports`: statements that people bring as files. One brings, another confirms.

use super::board::{DecideForm, failed, name, role, said, status_of};
use super::page::{Page, Reader, show, show_status};
use crate::app::App;
use crate::base::{
    calendar::display_vi,
    id::{Agency, Id, StatementImport},
    money::Money,
};
use crate::flow::{
    Error,
    import_statement::{Imports, decide_import, import_statement, read_imports},
};
use crate::http::multipart::Upload;
use crate::http::sent::{SentFile, SentForm};
use crate::http::session::SignedIn;
use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;

/// The routes.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/board/imports", get(list).post(bring))
        .route("/board/imports/{id}/decide", post(decide))
}

#[derive(Default, Deserialize)]
struct Asked {
    agency: Option<String>,
}

async fn list(
    State(app): State<App>,
    signed_in: SignedIn,
    reader: Reader,
    Query(asked): Query<Asked>,
) -> Response {
    match asked.agency.as_deref().map(str::parse::<Id<Agency>>).transpose() {
        Ok(agency) => show_list(&app, &signed_in, &reader, agency, None).await,
        Err(_) => show_status(&reader, StatusCode::NOT_FOUND, None),
    }
}

async fn bring(
    State(app): State<App>,
    reader: Reader,
    SentFile { signed_in, mut form }: SentFile<Upload>,
) -> Response {
    let Ok(agency) = form.text("agency").parse::<Id<Agency>>() else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    let citizen = signed_in.session.citizen;
    let account = form.text("account").to_owned();
    match import_statement(&app, citizen, agency, &account, &mut form).await {
        Ok(_) => Redirect::to(&format!("/board/imports?agency={agency}")).into_response(),
        Err(error) => refuse(&app, &signed_in, &reader, agency, &error).await,
    }
}

async fn refuse(
    app: &App,
    signed_in: &SignedIn,
    reader: &Reader,
    agency: Id<Agency>,
    error: &Error,
) -> Response {
    match error {
        Error::Refused(_) | Error::Conflict(_) | Error::Unavailable(_) => {
            let status = match error.code() {
                "body_too_large" => StatusCode::PAYLOAD_TOO_LARGE,
                "upload_stalled" => StatusCode::REQUEST_TIMEOUT,
                _ => status_of(error),
            };
            let wrong = (status, said(reader.lang, error.code()));
            show_list(app, signed_in, reader, Some(agency), Some(wrong)).await
        }
        other => failed(reader, other),
    }
}

async fn decide(
    State(app): State<App>,
    reader: Reader,
    Path(id): Path<String>,
    SentForm { signed_in, form }: SentForm<DecideForm>,
) -> Response {
    let (id, accept) = match form.read::<StatementImport>(&id) {
        Ok(read) => read,
        Err((status, why)) => return show_status(&reader, status, why),
    };
    match decide_import(&app, signed_in.session.citizen, id, accept).await {
        Ok(None) => Redirect::to("/board/imports").into_response(),
        Ok(Some(day)) => Redirect::to(&format!("/board/days/{day}")).into_response(),
        Err(error) => failed(&reader, &error),
    }
}

async fn show_list(
    app: &App,
    signed_in: &SignedIn,
    reader: &Reader,
    agency: Option<Id<Agency>>,
    wrong: Option<(StatusCode, String)>,
) -> Response {
    let found = match read_imports(app, signed_in.session.citizen, agency).await {
        Ok(found) => found,
        Err(error) => return failed(reader, &error),
    };
    let page = Page::new(reader, "import-title")
        .signed_in(found.reader_name.clone(), Some(signed_in.form_token()))
        .wide();
    let (page, status) = page.refused_if("file", wrong);
    let view = ImportsView {
        agency: name(reader.lang, &found.agency).to_owned(),
        role: role(&page, found.agency.acts),
        rows: found.items.iter().map(|(import, by)| Row::of(&page, &found, import, by)).collect(),
        form_token: signed_in.form_token(),
        page: &page,
        found: &found,
    };
    show(status, &page, &view)
}

#[derive(Template)]
#[template(path = "pages/imports.html")]
struct ImportsView<'a> {
    page: &'a Page,
    found: &'a Imports,
    agency: String,
    role: String,
    rows: Vec<Row>,
    form_token: String,
}

/// How many rows that were not read are told one by one.
const BAD_SHOWN: usize = 20;

/// One import in the table.
struct Row {
    day: String,
    account: String,
    format: String,
    rows: i32,
    bad: Vec<String>,
    closing: String,
    by: String,
    state: String,
    tag: &'static str,
    action: Option<String>,
    confirms: bool,
    progress: Option<String>,
}

impl Row {
    fn of(page: &Page, found: &Imports, import: &crate::flow::import_statement::Stored, by: &str) -> Self {
        let account = found.accounts.iter().find(|account| account.id == import.account);
        let bad = import.bad.as_array().into_iter().flatten().take(BAD_SHOWN).map(|bad| {
            let why = bad["why"].as_str().unwrap_or_default();
            let row = bad["row"].to_string();
            page.with(&format!("import-bad-{why}"), &[("row", row.into())])
        });
        let shown = i32::try_from(BAD_SHOWN).unwrap_or(i32::MAX);
        let more = (import.bad_rows > shown)
            .then(|| page.with("import-bad-all", &[("count", import.bad_rows.to_string().into())]));
        let waits = import.state == "waiting" && found.agency.acts;
        Self {
            day: import.day.display_vi(),
            account: account.map(|account| account.number.clone()).unwrap_or_default(),
            format: import.format.clone(),
            rows: import.rows,
            bad: bad.chain(more).collect(),
            closing: Money::vnd(import.balances.1).display_vi(),
            by: format!("{by}, {}", display_vi(import.imported.1)),
            state: page.t(&format!("import-state-{}", import.state)).into_owned(),
            tag: match import.state.as_str() {
                "accepted" => "ok",
                "waiting" | "confirmed" => "warn",
                _ => "bad",
            },
            action: waits.then(|| format!("/board/imports/{}/decide", import.id)),
            confirms: waits && import.imported.0 != found.reader,
            progress: found.days.get(&import.id).map(|day| format!("/board/days/{day}")),
        }
    }
}
