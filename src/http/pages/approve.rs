//! `/approve`: what officers have started for the citizen who is signed in here, each to be looked at and decided.

use super::page::{Page, Reader, show, show_status};
use crate::app::App;
use crate::base::{
    calendar::display_vi,
    id::{self, Id},
};
use crate::flow::{
    approve_counter::{read_waiting, take_up},
    authorize::Begun,
};
use crate::http::pages::sign_in::{failed, to_pages};
use crate::http::sent::{Bare, SentForm};
use crate::http::session::SignedIn;
use crate::identity::client::Wording;
use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;

/// The page and what is done on it.
pub fn routes() -> Router<App> {
    Router::new().route("/approve", get(list)).route("/approve/{authorization}", post(open))
}

#[derive(Template)]
#[template(path = "pages/approve.html")]
struct ApproveView<'a> {
    page: &'a Page,
    notice: Option<String>,
    waiting: Vec<Line>,
    form_token: String,
}

struct Line {
    id: String,
    portal: String,
    purpose: String,
    message: String,
    until: String,
}

#[derive(Deserialize)]
struct Shown {
    answer: Option<String>,
}

async fn list(
    State(app): State<App>,
    person: SignedIn,
    reader: Reader,
    Query(shown): Query<Shown>,
) -> Response {
    let (name, waiting) = match read_waiting(&app, person.session.citizen).await {
        Ok(found) => found,
        Err(error) => return failed(&reader, error),
    };
    let page = Page::new(&reader, "approve-title").signed_in(name, Some(person.form_token()));
    let text = |wording: &Wording| wording.of(reader.lang).to_string();
    let waiting = waiting.iter().map(|request| Line {
        id: request.authorization.to_string(),
        portal: text(&request.portal),
        purpose: text(&request.purpose),
        message: request.message.to_string(),
        until: display_vi(request.expires_at),
    });
    let notice = match shown.answer.as_deref() {
        Some("allowed") => Some(page.t("approve-allowed").into_owned()),
        Some("refused") => Some(page.t("approve-refused").into_owned()),
        _ => None,
    };
    let view =
        ApproveView { page: &page, notice, waiting: waiting.collect(), form_token: person.form_token() };
    show(StatusCode::OK, &page, &view)
}

async fn open(
    State(app): State<App>,
    reader: Reader,
    Path(id): Path<String>,
    SentForm { signed_in: person, .. }: SentForm<Bare>,
) -> Response {
    let Ok(id) = id.parse::<Id<id::Authorization>>() else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    match take_up(&app, &person.session, id).await {
        Ok(browser) => to_pages(&app, &Begun { authorization: id, browser, lang: None }),
        Err(error) => failed(&reader, error),
    }
}
