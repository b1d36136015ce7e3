//! `/me/ways`: what the citizen can sign in with; renaming and removing. What a code alone may not do says so, and
//! leads to a stronger sign-in.

use super::page::{FieldError, Page, Reader, show, show_error, show_status};
use crate::app::App;
use crate::base::{calendar::display_vi, text::Line};
use crate::flow::{
    Error,
    authenticators::{NAME_MAX, Shown, Ways, read_ways, remove, rename},
    serve_at_counter::{SlipUsed, use_slip},
};
use crate::http::sent::{Bare, SentForm};
use crate::http::session::{From, SignedIn, visitor};
use crate::identity::{assurance::Assurance, authenticator::AUTHENTICATORS_MAX, notice::NoticeCode};
use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum_extra::extract::CookieJar;
use serde::Deserialize;

/// The page and what is done on it.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/me/ways", get(list))
        .route("/me/ways/slip", post(take_slip).get(back))
        .route("/me/ways/{way}/rename", post(give_name))
        .route("/me/ways/{way}/remove", post(take_away))
}

#[derive(Template)]
#[template(path = "pages/ways.html")]
struct WaysView<'a> {
    page: &'a Page,
    phone: Option<String>,
    mail: Option<String>,
    enrolled: Vec<WayLine>,
    full: bool,
    on_trial: bool,
    form_token: String,
}

struct WayLine {
    id: String,
    kind: String,
    name: String,
    since: String,
    last_used: String,
    trial: Option<String>,
}

#[derive(Deserialize)]
struct NameForm {
    name: String,
}

async fn list(State(app): State<App>, person: SignedIn, reader: Reader) -> Response {
    shown(&app, &person, &reader, Vec::new()).await
}

async fn shown(app: &App, person: &SignedIn, reader: &Reader, errors: Vec<FieldError>) -> Response {
    let ways = match read_ways(app, &person.session).await {
        Ok(ways) => ways,
        Err(error) => return failed(reader, error),
    };
    let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = Page::new(reader, "ways-title").refused(errors);
    let Ways { phone, mail, enrolled } = ways;
    let view = WaysView {
        page: &page,
        phone: phone.map(|phone| phone.to_string()),
        mail: mail.map(|mail| mail.to_string()),
        on_trial: enrolled.iter().any(|way| way.trial_until.is_some()),
        full: enrolled.len() >= AUTHENTICATORS_MAX,
        enrolled: enrolled.into_iter().map(|way| line(&page, way)).collect(),
        form_token: person.form_token(),
    };
    show(status, &page, &view)
}

fn line(page: &Page, way: Shown) -> WayLine {
    WayLine {
        id: way.id.to_string(),
        kind: page.t(&format!("ways-kind-{}", way.kind.word())).into_owned(),
        name: way.name,
        since: display_vi(way.enrolled_at),
        last_used: way.last_used_at.map_or_else(|| page.t("ways-never").into_owned(), display_vi),
        trial: way.trial_until.map(display_vi),
    }
}

/// A page that was loaded again has nothing to take any more.
async fn back() -> Redirect {
    Redirect::to("/me/ways")
}

#[derive(Deserialize)]
struct SlipForm {
    code: String,
}

/// The code of a slip from a counter brings what is on trial to its full strength; wrong ones are counted like others.
async fn take_slip(
    State(app): State<App>,
    reader: Reader,
    jar: CookieJar,
    From(address): From,
    SentForm { signed_in: person, form }: SentForm<SlipForm>,
) -> Response {
    let code = NoticeCode::parse(&form.code);
    match use_slip(&app, &person.session, code.as_ref(), &visitor(&app, &jar, address)).await {
        Ok(SlipUsed::Trusted) => Redirect::to("/me/ways").into_response(),
        Ok(SlipUsed::Wrong) => {
            let message = Page::new(&reader, "ways-slip-wrong").title;
            shown(&app, &person, &reader, vec![FieldError { field: "code", message }]).await
        }
        Ok(SlipUsed::Limited(limited)) => {
            let page = Page::new(&reader, "page-too-many-title");
            let body = page.with("sign-in-guesses", &[("until", display_vi(limited.until).into())]);
            show_error(StatusCode::TOO_MANY_REQUESTS, &page, &body, None)
        }
        Err(error) => failed(&reader, error),
    }
}

async fn give_name(
    State(app): State<App>,
    reader: Reader,
    Path(way): Path<String>,
    SentForm { signed_in: person, form }: SentForm<NameForm>,
) -> Response {
    let Ok(way) = way.parse() else { return show_status(&reader, StatusCode::NOT_FOUND, None) };
    let Ok(name) = Line::<NAME_MAX>::cleaned(&form.name) else {
        let message = Page::new(&reader, "ways-name-wrong").title;
        return shown(&app, &person, &reader, vec![FieldError { field: "name", message }]).await;
    };
    match rename(&app, &person.session, way, &name).await {
        Ok(()) => Redirect::to("/me/ways").into_response(),
        Err(error) => failed(&reader, error),
    }
}

async fn take_away(
    State(app): State<App>,
    reader: Reader,
    Path(way): Path<String>,
    SentForm { signed_in: person, .. }: SentForm<Bare>,
) -> Response {
    let Ok(way) = way.parse() else { return show_status(&reader, StatusCode::NOT_FOUND, None) };
    match remove(&app, &person.session, way).await {
        Ok(()) => Redirect::to("/me/ways").into_response(),
        Err(error) => failed(&reader, error),
    }
}

#[derive(Template)]
#[template(path = "pages/stronger.html")]
struct StrongerView<'a> {
    page: &'a Page,
    body: String,
    again: String,
}

/// What a failed flow of a citizen's own page means at a browser.
pub(super) fn failed(reader: &Reader, error: Error) -> Response {
    if let Some(page) = led_on(reader, &error, "/me/ways") {
        return page;
    }
    match error {
        Error::Conflict(r) if r.code == "authenticators_too_many" => {
            let page = Page::new(reader, "ways-title");
            show_error(StatusCode::CONFLICT, &page, &page.t("ways-full"), Some(r.code))
        }
        Error::NotFound(_) => show_status(reader, StatusCode::NOT_FOUND, None),
        other => super::sign_in::failed(reader, other),
    }
}

/// Where more than this session was needed: the page that says so, and leads there and back to a page of ours.
pub(super) fn led_on(reader: &Reader, error: &Error, return_to: &str) -> Option<Response> {
    let key = match error.code() {
        "stronger_sign_in_needed" => "ways-stronger",
        "fresh_sign_in_needed" => "ways-fresh",
        _ => return None,
    };
    let page = Page::new(reader, &format!("{key}-title"));
    let body = page.t(key).into_owned();
    let again = format!("/sign-in?return_to={return_to}&afresh=true&least={}", Assurance::Substantial.acr());
    Some(show(StatusCode::FORBIDDEN, &page, &StrongerView { page: &page, body, again }))
}
