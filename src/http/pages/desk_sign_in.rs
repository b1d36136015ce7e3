//! `/desk/sign-ins`: an officer starts a sign-in for the citizen at the counter, and watches what becomes of it.

use super::page::{FieldError, Page, Reader, show, show_status};
use super::ways::failed;
use crate::app::App;
use crate::base::{calendar::display_vi, text::Line};
use crate::flow::{
    Error,
    desk_sign_in::{Started, read_desk_sign_ins, start_at_desk},
    start_counter::Waiting,
};
use crate::http::sent::SentForm;
use crate::http::session::{From, SignedIn};
use crate::identity::counter::Progress;
use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;

/// The page and what is done on it.
pub fn routes() -> Router<App> {
    Router::new().route("/desk/sign-ins", get(open).post(start))
}

#[derive(Template)]
#[template(path = "pages/desk_sign_in.html")]
struct SignInsView<'a> {
    page: &'a Page,
    begun: Option<Begun>,
    portals: Vec<(String, String)>,
    message: String,
    started: Vec<Row>,
    form_token: String,
}

/// What was just started; its name is shown this once.
struct Begun {
    name: String,
    told: bool,
}

struct Row {
    at: String,
    message: String,
    portal: String,
    tag: &'static str,
    state: String,
}

/// What the page shows besides what stands in the database.
#[derive(Default)]
struct Shown {
    begun: Option<Waiting>,
    message: String,
    errors: Vec<FieldError>,
}

async fn open(State(app): State<App>, person: SignedIn, reader: Reader) -> Response {
    shown(&app, &person, &reader, Shown::default()).await
}

#[derive(Deserialize)]
struct StartForm {
    portal: String,
    #[serde(default)]
    number: String,
    #[serde(default)]
    message: String,
}

async fn start(
    State(app): State<App>,
    reader: Reader,
    From(address): From,
    SentForm { signed_in: person, form }: SentForm<StartForm>,
) -> Response {
    let Ok(portal) = form.portal.parse() else { return show_status(&reader, StatusCode::NOT_FOUND, None) };
    let wrong = |field, key: &str| FieldError { field, message: Page::new(&reader, key).title };
    let (number, message) = (form.number.trim().parse(), Line::parse(&form.message));
    let mut errors = Vec::new();
    if number.is_err() {
        errors.push(wrong("number", "sign-in-number-wrong"));
    }
    if message.is_err() {
        errors.push(wrong("message", "desk-sign-in-message-wrong"));
    }
    let (Ok(number), Ok(message)) = (number, message) else {
        return shown(&app, &person, &reader, Shown { begun: None, message: form.message, errors }).await;
    };
    match start_at_desk(&app, &person.session, portal, (number, message), address).await {
        Ok(begun) => shown(&app, &person, &reader, Shown { begun: Some(begun), ..Shown::default() }).await,
        Err(Error::Refused(r)) if r.code == "access_denied" => {
            let errors = vec![wrong("form", "desk-sign-in-too-often")];
            shown(&app, &person, &reader, Shown { begun: None, message: form.message, errors }).await
        }
        Err(error) => failed(&reader, error),
    }
}

async fn shown(app: &App, person: &SignedIn, reader: &Reader, shown: Shown) -> Response {
    let read = match read_desk_sign_ins(app, &person.session).await {
        Ok(read) => read,
        Err(error) => return failed(reader, error),
    };
    let status = if shown.errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = Page::new(reader, "desk-sign-in-title")
        .signed_in(read.name, Some(person.form_token()))
        .refused(shown.errors);
    let portals =
        read.portals.iter().map(|(id, name)| (id.to_string(), name.of(reader.lang).to_string())).collect();
    let view = SignInsView {
        begun: shown.begun.map(|begun| Begun { name: begun.name.expose().to_owned(), told: begun.told }),
        portals,
        message: shown.message,
        started: read.started.iter().map(|started| row(&page, reader, started)).collect(),
        form_token: person.form_token(),
        page: &page,
    };
    show(status, &page, &view)
}

fn row(page: &Page, reader: &Reader, started: &Started) -> Row {
    Row {
        at: display_vi(started.at),
        message: started.message.to_string(),
        portal: started.portal.of(reader.lang).to_string(),
        tag: match started.progress {
            Progress::Agreed | Progress::Fetched => "ok",
            Progress::Waiting => "warn",
            Progress::Declined | Progress::Expired => "bad",
        },
        state: page.t(&format!("desk-sign-in-state-{}", started.progress.word())).into_owned(),
    }
}
