//! `/board/cases/{id}`: one difference, what is known about it, and what an accountant may do: take it, note, close.

use super::board::{failed, kind, name, place, role, said, state, status_of, tag};
use super::page::{Called, Page, Reader, show, show_status};
use crate::app::App;
use crate::base::{
    calendar::display_vi,
    id::{Case, Id},
};
use crate::flow::{
    Error,
    read_board::{CaseFile, NoteShown, read_case_file},
    settle_case::{Step, Words, settle_as_officer},
};
use crate::http::sent::{Bare, SentForm};
use crate::http::session::SignedIn;
use crate::payment::{case::Resolution, matching::is_unbooked_credit};
use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;

/// The routes.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/board/cases/{id}", get(open))
        .route("/board/cases/{id}/take", post(take))
        .route("/board/cases/{id}/settle", post(settle))
}

#[derive(Template)]
#[template(path = "pages/board_case.html")]
struct CaseView<'a> {
    page: &'a Page,
    file: &'a CaseFile,
    agency: String,
    role: String,
    state: String,
    tag: &'static str,
    place: String,
    facts: Vec<(String, String)>,
    notes: Vec<(String, Option<String>)>,
    outcomes: Vec<(&'static str, String)>,
    action: String,
    form_token: String,
    acts: bool,
    pending: bool,
    bookable: bool,
}

async fn open(
    State(app): State<App>,
    signed_in: SignedIn,
    reader: Reader,
    Called(id): Called<Id<Case>>,
) -> Response {
    show_case(&app, &signed_in, &reader, id, None).await
}

#[derive(Deserialize)]
struct Sent {
    #[serde(default)]
    outcome: String,
    #[serde(default)]
    words: String,
}

async fn take(
    State(app): State<App>,
    reader: Reader,
    Path(id): Path<String>,
    SentForm { signed_in, .. }: SentForm<Bare>,
) -> Response {
    let step = Step::Take(signed_in.session.citizen);
    act(&app, &signed_in, &reader, &id, Ok(step)).await
}

async fn settle(
    State(app): State<App>,
    reader: Reader,
    Path(id): Path<String>,
    SentForm { signed_in, form: sent }: SentForm<Sent>,
) -> Response {
    let step = match (Words::parse(sent.words.trim()), sent.outcome.as_str()) {
        (Err(_), _) => Err("reconciliation-words-error"),
        (Ok(words), "note") => Ok(Step::Note(words)),
        (Ok(words), word) => match Resolution::by_hand(word) {
            Some(resolution) => Ok(Step::Resolve(resolution, words)),
            None => return show_status(&reader, StatusCode::BAD_REQUEST, Some("outcome")),
        },
    };
    act(&app, &signed_in, &reader, &id, step).await
}

async fn act(
    app: &App,
    signed_in: &SignedIn,
    reader: &Reader,
    id: &str,
    step: Result<Step, &'static str>,
) -> Response {
    let Ok(id) = id.parse::<Id<Case>>() else {
        return show_status(reader, StatusCode::NOT_FOUND, None);
    };
    let step = match step {
        Ok(step) => step,
        Err(key) => {
            let message = Page::new(reader, key).title;
            return show_case(app, signed_in, reader, id, Some((StatusCode::BAD_REQUEST, message))).await;
        }
    };
    match settle_as_officer(app, signed_in.session.citizen, id, &step).await {
        Ok(_) => Redirect::to(&format!("/board/cases/{id}")).into_response(),
        Err(error @ (Error::Conflict(_) | Error::Unavailable(_))) => {
            let wrong = (status_of(&error), said(reader.lang, error.code()));
            show_case(app, signed_in, reader, id, Some(wrong)).await
        }
        Err(error) => failed(reader, &error),
    }
}

async fn show_case(
    app: &App,
    signed_in: &SignedIn,
    reader: &Reader,
    id: Id<Case>,
    wrong: Option<(StatusCode, String)>,
) -> Response {
    let file = match read_case_file(app, signed_in.session.citizen, id).await {
        Ok(file) => file,
        Err(error) => return failed(reader, &error),
    };
    let mut page = Page::new(reader, "reconciliation-title")
        .signed_in(file.reader.clone(), Some(signed_in.form_token()));
    let case = &file.shown.case;
    page.title = kind(&page, case.difference.kind);
    let (page, status) = page.refused_if("words", wrong);
    let outcome = |resolution: Resolution| {
        let word = resolution.as_str();
        (word, page.t(&format!("reconciliation-resolution-{word}")).into_owned())
    };
    let view = CaseView {
        agency: name(reader.lang, &file.agency).to_owned(),
        role: role(&page, file.agency.acts),
        state: state(&page, &case.state),
        tag: tag(&case.state),
        place: place(&page, &file.shown),
        facts: facts(&page, &file),
        notes: file.notes.iter().map(|note| told(&page, note)).collect(),
        outcomes: Resolution::BY_HAND.map(outcome).into(),
        action: format!("/board/cases/{id}"),
        form_token: signed_in.form_token(),
        acts: file.agency.acts,
        pending: case.state.is_pending(),
        bookable: is_unbooked_credit(&case.difference),
        page: &page,
        file: &file,
    };
    show(status, &page, &view)
}

/// What is known, each with its name.
fn facts(page: &Page, file: &CaseFile) -> Vec<(String, String)> {
    let difference = &file.shown.case.difference;
    let money = |amount: Option<crate::base::money::Money>| amount.map(|amount| amount.display_vi());
    let remittance = Some(file.remittance.join(" / ")).filter(|text| !text.is_empty());
    let facts = [
        ("reconciliation-dossier", file.shown.paid_for.as_ref().map(|paid| paid.dossier.clone())),
        ("reconciliation-stated", money(difference.stated)),
        ("reconciliation-held", money(difference.held)),
        ("reconciliation-asked", money(difference.asked)),
        ("reconciliation-payer", file.payer.clone()),
        ("reconciliation-remittance", remittance),
    ];
    facts.into_iter().filter_map(|(key, value)| Some((page.t(key).into_owned(), value?))).collect()
}

/// An act in words, and what was said.
fn told(page: &Page, note: &NoteShown) -> (String, Option<String>) {
    let act = page.t(&format!("reconciliation-act-{}", note.act.as_str()));
    let system = || page.t("reconciliation-system").into_owned();
    let by = note.by.clone().unwrap_or_else(system);
    (format!("{}, {by} {act}", display_vi(note.at)), note.words.clone())
}
