//! Signing in with the national e-ID: the button leads there, the callback takes what the browser brings back, and a
//! page says what went wrong. Nothing here leads to a weaker way by itself.

use super::page::{Page, Reader, show};
use super::sign_in::{failed, onward, over};
use crate::app::App;
use crate::base::{
    secret::{Token, TokenKind},
    text::Lang,
};
use crate::flow::{
    Error,
    national_id::{Arrival, Departure, Returned, arrive, counter_of, depart, trip_of},
    sign_in::{Step, session_of},
};
use crate::http::sent::{Bare, StepForm};
use crate::http::session::{From, session_token, signed_in_cookies, step, visitor};
use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum_extra::extract::CookieJar;
use serde::Deserialize;

/// The routes.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/sign-in/{authorization}/national-id", post(go))
        .route("/sign-in/national-id/callback", get(callback))
}

async fn go(State(app): State<App>, reader: Reader, StepForm { step, .. }: StepForm<Bare>) -> Response {
    match depart(&app, &step).await {
        Ok(Departure::To(url)) => Redirect::to(url.as_str()).into_response(),
        Ok(Departure::Down) => note(&app, &reader, &step, StatusCode::SERVICE_UNAVAILABLE, "down").await,
        Err(Error::Conflict(_)) => onward(&step),
        Err(error) => failed(&reader, error),
    }
}

#[derive(Deserialize)]
struct Brought {
    state: Option<String>,
    code: Option<String>,
    iss: Option<String>,
}

async fn callback(
    State(app): State<App>,
    jar: CookieJar,
    reader: Reader,
    From(address): From,
    Query(brought): Query<Brought>,
) -> Response {
    let state = brought.state.as_deref().and_then(|state| Token::parse(TokenKind::Form, state));
    let Some(state) = state else { return over(&reader) };
    let authorization = match trip_of(&app, &state).await {
        Ok(Some(authorization)) => authorization,
        Ok(None) => return over(&reader),
        Err(error) => return failed(&reader, error),
    };
    // Another browser's answer is nobody's here.
    let Some(step) = step(&app, &jar, &authorization.to_string()) else { return over(&reader) };
    let before = match session_of(&app, session_token(&app, &jar).as_ref(), app.clock.now()).await {
        Ok(before) => before,
        Err(error) => return failed(&reader, error),
    };
    let returned = Returned { state: &state, code: brought.code.as_deref(), issuer: brought.iss.as_deref() };
    let visitor = visitor(&app, &jar, address);
    match arrive(&app, &step, &returned, (&visitor, before.as_ref())).await {
        Ok(Arrival::SignedIn(signed_in)) => {
            (signed_in_cookies(&app, &signed_in), onward(&step)).into_response()
        }
        Ok(Arrival::TurnedBack) => onward(&step),
        Ok(Arrival::Down) => note(&app, &reader, &step, StatusCode::SERVICE_UNAVAILABLE, "down").await,
        Ok(Arrival::Refused) => note(&app, &reader, &step, StatusCode::BAD_REQUEST, "refused").await,
        Ok(Arrival::Differs) => note(&app, &reader, &step, StatusCode::FORBIDDEN, "differs").await,
        Ok(Arrival::TooWeak) => note(&app, &reader, &step, StatusCode::FORBIDDEN, "weak").await,
        Ok(Arrival::Barred) => {
            let page = Page::new(&reader, "sign-in-barred-title");
            let body = page.t("sign-in-barred");
            super::page::show_error(StatusCode::FORBIDDEN, &page, &body, None)
        }
        Err(Error::Conflict(_)) => onward(&step),
        Err(error) => failed(&reader, error),
    }
}

#[derive(Template)]
#[template(path = "pages/national_id_note.html")]
struct NoteView<'a> {
    page: &'a Page,
    said: String,
    counter: String,
    again: String,
}

/// What went wrong, where the counter is, and the way back to the page that asked.
async fn note(app: &App, reader: &Reader, step: &Step, status: StatusCode, what: &str) -> Response {
    let counter = match counter_of(app, step).await {
        Ok(counter) => counter,
        Err(error) => return failed(reader, error),
    };
    let page = Page::new(reader, &format!("national-id-{what}-title"));
    let counter = match counter {
        Some((vi, en)) => {
            let name = if reader.lang == Lang::Vi { vi } else { en };
            page.with("national-id-counter-of", &[("agency", name.into())])
        }
        None => page.t("national-id-counter").into_owned(),
    };
    let view = NoteView {
        said: page.t(&format!("national-id-{what}")).into_owned(),
        counter,
        again: format!("/sign-in/{}", step.authorization),
        page: &page,
    };
    show(status, &page, &view)
}
