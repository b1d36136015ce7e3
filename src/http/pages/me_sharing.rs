//! `/me/sharing`: consents given and withdrawn, browsers that are signed in, and everything kept about the citizen as
//! one file.

use super::me::failed;
use super::page::{Page, Reader, show, show_status};
use crate::app::App;
use crate::base::{
    calendar::display_vi,
    id::{Consent, Id, Session},
    text::Lang,
};
use crate::flow::{
    export_citizen::export_citizen,
    sharing::{ConsentShown, SessionShown, end_own_session, read_sharing, withdraw_consent},
};
use crate::http::sent::{Bare, SentForm};
use crate::http::{api::receipts::attachment, session::SignedIn};
use crate::identity::claims::Claims;
use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};

/// The page, its acts, and the file.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/me/sharing", get(open))
        .route("/me/sharing/{consent}/withdraw", post(withdraw))
        .route("/me/sessions/{session}/end", post(end))
        .route("/me/export", get(export))
}

#[derive(Template)]
#[template(path = "pages/me_sharing.html")]
struct SharingView<'a> {
    page: &'a Page,
    consents: Vec<ConsentLine>,
    sessions: Vec<SessionLine>,
    form_token: String,
}

struct ConsentLine {
    id: String,
    portal: String,
    given: String,
    actor: Option<String>,
    allowed: String,
    notified: String,
    withdrawn: Option<String>,
}

struct SessionLine {
    id: String,
    since: String,
    here: bool,
    method: String,
    portals: String,
}

async fn open(State(app): State<App>, person: SignedIn, reader: Reader) -> Response {
    let shown = match read_sharing(&app, &person.session).await {
        Ok(shown) => shown,
        Err(error) => return failed(&reader, &error),
    };
    let page = Page::new(&reader, "sharing-title").signed_in(shown.name, Some(person.form_token()));
    let view = SharingView {
        consents: shown.consents.iter().map(|consent| consent_line(&page, consent)).collect(),
        sessions: shown.sessions.iter().map(|session| session_line(&page, session)).collect(),
        form_token: person.form_token(),
        page: &page,
    };
    show(StatusCode::OK, &page, &view)
}

fn consent_line(page: &Page, shown: &ConsentShown) -> ConsentLine {
    let labels = |claims: &Claims| {
        let names: Vec<_> = claims.iter().map(|claim| page.t(&format!("claim-{claim}"))).collect();
        if names.is_empty() { "–".to_owned() } else { names.join(", ") }
    };
    let consent = &shown.consent;
    ConsentLine {
        id: consent.id.to_string(),
        portal: named(page.lang, &shown.portal),
        given: display_vi(consent.given_at),
        actor: shown.actor.clone(),
        allowed: labels(&consent.allowed),
        notified: labels(&consent.notified),
        withdrawn: consent.withdrawn_at.map(display_vi),
    }
}

fn session_line(page: &Page, shown: &SessionShown) -> SessionLine {
    let portals: Vec<String> = shown.portals.iter().map(|portal| named(page.lang, portal)).collect();
    SessionLine {
        id: shown.session.id.to_string(),
        since: display_vi(shown.session.authenticated_at),
        here: shown.here,
        method: page.t(&format!("lock-scope-method-{}", shown.session.method.word())).into_owned(),
        portals: if portals.is_empty() { "–".to_owned() } else { portals.join(", ") },
    }
}

fn named(lang: Lang, (vi, en): &(String, String)) -> String {
    match lang {
        Lang::Vi => vi.clone(),
        Lang::En => en.clone(),
    }
}

async fn withdraw(
    State(app): State<App>,
    reader: Reader,
    Path(consent): Path<String>,
    SentForm { signed_in: person, .. }: SentForm<Bare>,
) -> Response {
    let Ok(id) = consent.parse::<Id<Consent>>() else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    match withdraw_consent(&app, person.session.citizen, id).await {
        Ok(()) => Redirect::to("/me/sharing").into_response(),
        Err(error) => failed(&reader, &error),
    }
}

async fn end(
    State(app): State<App>,
    reader: Reader,
    Path(session): Path<String>,
    SentForm { signed_in: person, .. }: SentForm<Bare>,
) -> Response {
    let Ok(id) = session.parse::<Id<Session>>() else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    match end_own_session(&app, person.session.citizen, id).await {
        Ok(()) => Redirect::to("/me/sharing").into_response(),
        Err(error) => failed(&reader, &error),
    }
}

async fn export(State(app): State<App>, person: SignedIn, reader: Reader) -> Response {
    match export_citizen(&app, &person.session).await {
        Ok(file) => attachment("application/json", "chung-my-data.json", file.into_bytes()),
        Err(error) => failed(&reader, &error),
    }
}
