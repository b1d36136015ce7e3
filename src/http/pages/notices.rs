//! `/me/notices`: what the citizen was told about their identity, each with "this was not me"; and `/not-me`, where the
//! code of a notice does the same without a sign-in.

use super::page::{FieldError, Page, Reader, show, show_error, show_status};
use super::ways::failed;
use crate::app::App;
use crate::base::calendar::display_vi;
use crate::flow::{
    disown::{Disowned, disown_by_code, disown_on_page},
    notify::{Shown, read_notices},
};
use crate::http::sent::{Bare, OwnForm, SentForm};
use crate::http::session::{From, SignedIn, no_session_cookie};
use crate::identity::notice::NoticeCode;
use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum_extra::extract::CookieJar;
use serde::Deserialize;

/// The pages of notices.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/me/notices", get(list))
        .route("/me/notices/{notice}/not-me", post(not_me))
        .route("/not-me", get(ask_code).post(take_code))
}

#[derive(Template)]
#[template(path = "pages/notices.html")]
struct NoticesView<'a> {
    page: &'a Page,
    notices: Vec<NoticeLine>,
    form_token: String,
}

struct NoticeLine {
    id: String,
    what: String,
    at: String,
    facts: Vec<(String, String)>,
    disowned: Option<String>,
}

#[derive(Template)]
#[template(path = "pages/not_me.html")]
struct CodeView<'a> {
    page: &'a Page,
    limited: Option<String>,
}

#[derive(Deserialize)]
struct CodeForm {
    code: String,
}

async fn list(State(app): State<App>, person: SignedIn, reader: Reader) -> Response {
    match read_notices(&app, &person.session).await {
        Ok(notices) => {
            let page = Page::new(&reader, "notices-title");
            let notices = notices.iter().map(|notice| line(&page, notice)).collect();
            let view = NoticesView { page: &page, notices, form_token: person.form_token() };
            show(StatusCode::OK, &page, &view)
        }
        Err(error) => failed(&reader, error),
    }
}

fn line(page: &Page, notice: &Shown) -> NoticeLine {
    let facts = ["portal", "name", "phone", "mail", "agency"].into_iter().filter_map(|fact| {
        let value = notice.details[fact].as_str()?.to_owned();
        Some((page.t(&format!("notices-fact-{fact}")).into_owned(), value))
    });
    NoticeLine {
        id: notice.id.to_string(),
        what: page.t(&format!("notice-{}", notice.what.word())).into_owned(),
        at: display_vi(notice.at),
        facts: facts.collect(),
        disowned: notice.disowned_at.map(display_vi),
    }
}

async fn not_me(
    State(app): State<App>,
    reader: Reader,
    Path(notice): Path<String>,
    SentForm { signed_in: person, .. }: SentForm<Bare>,
) -> Response {
    let Ok(notice) = notice.parse() else { return show_status(&reader, StatusCode::NOT_FOUND, None) };
    match disown_on_page(&app, &person.session, notice).await {
        Ok(()) => (CookieJar::new().add(no_session_cookie(&app)), locked(reader)).into_response(),
        Err(error) => failed(&reader, error),
    }
}

/// The identity is locked, and with it every session, this one too.
fn locked(reader: Reader) -> Response {
    let page = Page::new(&reader.signed_out(), "not-me-locked-title");
    show_error(StatusCode::OK, &page, &page.t("not-me-locked"), None)
}

async fn ask_code(reader: Reader) -> Response {
    code_page(&reader, Vec::new(), None)
}

fn code_page(reader: &Reader, errors: Vec<FieldError>, limited: Option<String>) -> Response {
    let status = match (&limited, errors.is_empty()) {
        (Some(_), _) => StatusCode::TOO_MANY_REQUESTS,
        (None, false) => StatusCode::UNPROCESSABLE_ENTITY,
        (None, true) => StatusCode::OK,
    };
    let page = Page::new(reader, "not-me-title").refused(errors);
    show(status, &page, &CodeView { page: &page, limited })
}

async fn take_code(
    State(app): State<App>,
    reader: Reader,
    From(address): From,
    OwnForm(form): OwnForm<CodeForm>,
) -> Response {
    let page = Page::new(&reader, "not-me-title");
    match disown_by_code(&app, NoticeCode::parse(&form.code).as_ref(), address).await {
        Ok(Disowned::Locked) => locked(reader),
        Ok(Disowned::Unknown) => {
            let message = page.t("not-me-unknown").into_owned();
            code_page(&reader, vec![FieldError { field: "code", message }], None)
        }
        Ok(Disowned::Limited(limited)) => {
            let until = page.with("not-me-limited", &[("until", display_vi(limited.until).into())]);
            code_page(&reader, Vec::new(), Some(until))
        }
        Err(error) => failed(&reader, error),
    }
}
