//! `/me/erasure`: a citizen reads what an erasure destroys and what law keeps, decides, and is told what stayed.

use super::board::{said, status_of};
use super::page::{FieldError, Page, Reader, show, show_error, show_status};
use super::ways::led_on;
use crate::app::App;
use crate::base::{calendar::display_vi, text::Lang};
use crate::flow::{
    Error,
    erase_citizen::{Remains, erase_citizen, preview_erasure},
};
use crate::http::sent::SentForm;
use crate::http::session::{SignedIn, no_session_cookie};
use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum_extra::extract::CookieJar;
use serde::Deserialize;

/// The route.
pub fn routes() -> Router<App> {
    Router::new().route("/me/erasure", get(ask).post(erase))
}

#[derive(Template)]
#[template(path = "pages/me_erasure.html")]
struct ErasureView<'a> {
    page: &'a Page,
    vouchers: Vec<[String; 5]>,
    /// Absent when it is done.
    form_token: Option<String>,
}

async fn ask(State(app): State<App>, person: SignedIn, reader: Reader) -> Response {
    show_question(&app, &person, &reader, None).await
}

async fn show_question(app: &App, person: &SignedIn, reader: &Reader, wrong: Option<FieldError>) -> Response {
    match preview_erasure(app, person.session.citizen).await {
        Ok(remains) => {
            let status = if wrong.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
            let page = Page::new(reader, "erasure-title")
                .signed_in(remains.name.clone().unwrap_or_default(), Some(person.form_token()))
                .refused(wrong.into_iter().collect());
            let vouchers = lines(&page, &remains);
            show(status, &page, &ErasureView { page: &page, vouchers, form_token: Some(person.form_token()) })
        }
        Err(error) => failed(reader, &error),
    }
}

#[derive(Deserialize)]
struct Sent {
    #[serde(default)]
    sure: bool,
}

async fn erase(
    State(app): State<App>,
    reader: Reader,
    SentForm { signed_in: person, form: sent }: SentForm<Sent>,
) -> Response {
    if !sent.sure {
        let message = Page::new(&reader, "erasure-sure-error").title;
        return show_question(&app, &person, &reader, Some(FieldError { field: "sure", message })).await;
    }
    match erase_citizen(&app, &person.session).await {
        Ok(remains) => {
            // Nobody is signed in here any more, and no name is shown.
            let page = Page::new(&reader.signed_out(), "erasure-done-title");
            let vouchers = lines(&page, &remains);
            let shown = show(StatusCode::OK, &page, &ErasureView { page: &page, vouchers, form_token: None });
            (CookieJar::new().add(no_session_cookie(&app)), shown).into_response()
        }
        Err(error) => led_on(&reader, &error, "/me/erasure").unwrap_or_else(|| failed(&reader, &error)),
    }
}

/// Kind, number, agency, day of issue, last day of keeping.
fn lines(page: &Page, remains: &Remains) -> Vec<[String; 5]> {
    let line = |(voucher, until): &(crate::flow::erase_citizen::KeptVoucher, crate::base::calendar::Day)| {
        let agency = if page.lang == Lang::Vi { &voucher.agency.0 } else { &voucher.agency.1 };
        let kind = page.t(&format!("erasure-kind-{}", voucher.kind.word())).into_owned();
        [kind, voucher.number.clone(), agency.clone(), display_vi(voucher.issued_at), until.display_vi()]
    };
    remains.vouchers.iter().map(line).collect()
}

fn failed(reader: &Reader, error: &Error) -> Response {
    match error {
        Error::Internal(cause) => {
            tracing::error!(?cause, "an erasure failed");
            show_status(reader, StatusCode::INTERNAL_SERVER_ERROR, None)
        }
        Error::NotFound(_) => show_status(reader, StatusCode::NOT_FOUND, None),
        other => {
            let page = Page::new(reader, "erasure-title");
            show_error(status_of(other), &page, &said(reader.lang, other.code()), Some(other.code()))
        }
    }
}
