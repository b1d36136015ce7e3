//! `/sign-in/…/counter`: a sign-in that an officer vouches for, and `/desk/citizens/…/sign-in`, where the officer does.

use super::page::{Page, Reader, show, show_error, show_status};
use super::sign_in::{asking_now, barred, failed, framed, onward, present};
use crate::app::App;
use crate::base::calendar::display_vi;
use crate::flow::{
    Error,
    vouch_sign_in::{WentOn, go_on, preview, show_code, vouch},
};
use crate::http::sent::{Bare, SentForm, StepForm};
use crate::http::session::{From, signed_in_cookies, step_form_token, visitor};
use crate::identity::notice::NoticeCode;
use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::post;
use axum_extra::extract::CookieJar;
use serde::Deserialize;

/// The page of the citizen and that of the officer.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/sign-in/{authorization}/counter", post(begin).get(back))
        .route("/sign-in/{authorization}/counter/go-on", post(finish).get(back))
        .route("/desk/citizens/{check}/sign-in", post(officer))
}

#[derive(Template)]
#[template(path = "pages/sign_in_counter.html")]
struct CodeView<'a> {
    page: &'a Page,
    portal: Option<&'a str>,
    code: String,
    until: String,
    waiting: bool,
    action: String,
    form_token: String,
}

/// A page that was loaded again has nothing to show any more.
async fn back(Path(id): Path<String>) -> Response {
    Redirect::to(&format!("/sign-in/{id}")).into_response()
}

async fn begin(State(app): State<App>, reader: Reader, StepForm { step, .. }: StepForm<Bare>) -> Response {
    code_page(&app, &step, &reader, false).await
}

/// Shows a code, always a new one: what stood on an earlier page is worth nothing.
async fn code_page(app: &App, step: &crate::flow::sign_in::Step, reader: &Reader, waiting: bool) -> Response {
    let asking = match asking_now(app, step, reader).await {
        Ok((asking, _)) => asking,
        Err(elsewhere) => return elsewhere,
    };
    let shown = match show_code(app, step).await {
        Ok(shown) => shown,
        Err(Error::Conflict(_)) => return onward(step),
        Err(error) => return failed(reader, error),
    };
    let page = framed(Page::new(reader, "counter-title"), &asking);
    let portal = asking.portal.as_ref().map(|wording| wording.of(reader.lang).to_string());
    let code = shown.code.expose();
    let view = CodeView {
        page: &page,
        portal: portal.as_deref(),
        code: format!("{}-{}", &code[..4], &code[4..]),
        until: display_vi(shown.expires_at),
        waiting,
        action: format!("/sign-in/{}", step.authorization),
        form_token: step_form_token(step),
    };
    show(if waiting { StatusCode::CONFLICT } else { StatusCode::OK }, &page, &view)
}

async fn finish(
    State(app): State<App>,
    jar: CookieJar,
    reader: Reader,
    From(address): From,
    StepForm { step, .. }: StepForm<Bare>,
) -> Response {
    let before = match present(&app, &jar).await {
        Ok(before) => before,
        Err(error) => return failed(&reader, error),
    };
    let browser = visitor(&app, &jar, address);
    match go_on(&app, &step, (&browser, before.as_ref())).await {
        Ok(WentOn::SignedIn(signed_in)) => {
            (signed_in_cookies(&app, &signed_in), onward(&step)).into_response()
        }
        Ok(WentOn::NotYet) => code_page(&app, &step, &reader, true).await,
        Ok(WentOn::Barred) => barred(&reader),
        Err(Error::Conflict(_)) => onward(&step),
        Err(error) => failed(&reader, error),
    }
}

#[derive(Template)]
#[template(path = "pages/desk_vouch.html")]
struct VouchView<'a> {
    page: &'a Page,
    person: String,
    portal: String,
    at: String,
    code: String,
    action: String,
    form_token: String,
}

#[derive(Deserialize)]
struct OfficerForm {
    #[serde(default)]
    code: String,
    #[serde(default)]
    sure: bool,
}

/// First what the code stands for, then, once the officer is sure, the act.
async fn officer(
    State(app): State<App>,
    reader: Reader,
    Path(check): Path<String>,
    SentForm { signed_in: person, form }: SentForm<OfficerForm>,
) -> Response {
    let Ok(check) = check.parse() else { return show_status(&reader, StatusCode::NOT_FOUND, None) };
    let Some(code) = NoticeCode::parse(&form.code) else { return unknown(&reader) };
    if form.sure {
        return match vouch(&app, &person.session, check, &code).await {
            Ok(()) => {
                let page = Page::new(&reader, "desk-vouched-title");
                show_error(StatusCode::OK, &page, &page.t("desk-vouched"), None)
            }
            Err(error) => refused(&reader, error),
        };
    }
    match preview(&app, &person.session, check, &code).await {
        Ok(vouching) => {
            let page = Page::new(&reader, "desk-vouch-title");
            let portal = vouching.portal.as_ref().map(|wording| wording.of(reader.lang).to_string());
            let view = VouchView {
                portal: portal.unwrap_or_else(|| page.t("desk-vouch-page").into_owned()),
                person: vouching.person,
                at: display_vi(vouching.started_at),
                code: form.code,
                action: format!("/desk/citizens/{check}/sign-in"),
                form_token: person.form_token(),
                page: &page,
            };
            show(StatusCode::OK, &page, &view)
        }
        Err(error) => refused(&reader, error),
    }
}

fn unknown(reader: &Reader) -> Response {
    let page = Page::new(reader, "desk-vouch-title");
    show_error(StatusCode::UNPROCESSABLE_ENTITY, &page, &page.t("desk-vouch-unknown"), None)
}

fn refused(reader: &Reader, error: Error) -> Response {
    match error {
        Error::Refused(r) if r.code == "vouching_code_unknown" => unknown(reader),
        other => super::desk_citizen::failed(reader, other),
    }
}
