//! `/sign-in`: the number and the code. Each page shows where the sign-in stands, whatever address was typed.

use super::page::{FieldError, Page, Reader, show, show_error, show_status};
use crate::app::App;
use crate::base::{calendar::display_vi, clock::Instant};
use crate::flow::{
    Error,
    authorize::{Begun, enter_page},
    confirm_code::{Confirmed, confirm_code, start_over},
    decide_consent::turn_back,
    end_session::end_session,
    identify::{Identified, Way, ask_again, identify},
    sign_in::{Asking, Step, View, session_of, view},
    sign_in_by_passkey::offers_passkeys,
    vouch_sign_in::{is_offered, reachable},
};
use crate::http::sent::{Bare, SentForm, StepForm};
use crate::http::session::{
    From, no_session_cookie, session_token, signed_in_cookies, step, step_cookie, step_form_token, visitor,
};
use crate::identity::{
    assurance::Assurance,
    authenticator::{Method, OneTimeCode, SendRefusal},
    session::Session,
};
use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum_extra::extract::CookieJar;
use serde::Deserialize;
use url::Url;

/// The pages of a sign-in up to the consent.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/sign-in", get(enter))
        .route("/sign-in/{authorization}", get(show_number).post(take_number))
        .route("/sign-in/{authorization}/code", get(show_code).post(take_code))
        .route("/sign-in/{authorization}/another-code", post(another_code))
        .route("/sign-in/{authorization}/app-code", post(app_code))
        .route("/sign-in/{authorization}/start-over", post(somebody_else))
        .route("/sign-in/{authorization}/refuse", post(refuse))
        .route("/sign-out", post(sign_out))
        .route("/another-person", post(another_person))
}

#[derive(Template)]
#[template(path = "pages/sign_in.html")]
struct NumberView<'a> {
    page: &'a Page,
    portal: Option<&'a str>,
    lead: String,
    limited: Option<String>,
    number: &'a str,
    /// Whether the national e-ID is offered, as the first way.
    national_id: bool,
    /// Whether any way of our own is enough for who asks.
    own: bool,
    /// Whether a code by SMS is enough for who asks.
    sms: bool,
    passkeys: bool,
    /// Whether an officer at a counter is the way that is left, or one of them.
    counter: bool,
    action: String,
    form_token: String,
}

#[derive(Template)]
#[template(path = "pages/code.html")]
struct CodeView<'a> {
    page: &'a Page,
    portal: Option<&'a str>,
    notice: Option<String>,
    /// Whether the code of an app is awaited.
    app: bool,
    sms: bool,
    action: String,
    form_token: String,
}

/// On to the pages of a sign-in that has begun.
pub fn to_pages(app: &App, begun: &Begun) -> Response {
    let jar = CookieJar::new().add(step_cookie(app, begun.authorization, &begun.browser));
    let lang = begun.lang.map(|lang| format!("?lang={}", lang.tag())).unwrap_or_default();
    (jar, Redirect::to(&format!("/sign-in/{}{lang}", begun.authorization))).into_response()
}

/// What a failed flow means at a browser.
pub fn failed(reader: &Reader, error: Error) -> Response {
    match error {
        Error::Refused(r) if r.code == "sign_in_over" => over(reader),
        Error::NotFound(_) => over(reader),
        Error::Forbidden(r) if r.code == "sign_in_unfit" => {
            let page = Page::new(reader, "sign-in-unfit-title");
            let body = page.t("sign-in-unfit");
            show_error(StatusCode::FORBIDDEN, &page, &body, Some(r.code))
        }
        Error::Refused(r) => show_status(reader, StatusCode::BAD_REQUEST, Some(r.code)),
        Error::Conflict(r) => show_status(reader, StatusCode::CONFLICT, Some(r.code)),
        Error::Forbidden(r) => show_status(reader, StatusCode::FORBIDDEN, Some(r.code)),
        Error::Unavailable(r) if r.code == "register_unavailable" => {
            let page = Page::new(reader, "sign-in-register-title");
            let body = page.t("sign-in-register");
            show_error(StatusCode::SERVICE_UNAVAILABLE, &page, &body, None)
        }
        Error::Unavailable(r) => show_status(reader, StatusCode::SERVICE_UNAVAILABLE, Some(r.code)),
        Error::Internal(cause) => {
            tracing::error!(?cause, "a page failed");
            show_status(reader, StatusCode::INTERNAL_SERVER_ERROR, None)
        }
    }
}

/// The page for a sign-in that is over or belongs to another browser.
pub fn over(reader: &Reader) -> Response {
    let page = Page::new(reader, "sign-in-over-title");
    let body = page.t("sign-in-over");
    show_error(StatusCode::GONE, &page, &body, None)
}

/// Where a page of a sign-in lives.
pub fn address_of(view: &View, step: &Step) -> Option<String> {
    let id = step.authorization;
    match view {
        View::Number(_) => Some(format!("/sign-in/{id}")),
        View::Code(..) => Some(format!("/sign-in/{id}/code")),
        View::Whom(_) => Some(format!("/sign-in/{id}/for")),
        View::Consent(_) => Some(format!("/consent/{id}")),
        View::Answered(_) | View::Enter(_) | View::Over => None,
    }
}

/// To wherever the sign-in stands now.
pub fn onward(step: &Step) -> Response {
    Redirect::to(&format!("/sign-in/{}", step.authorization)).into_response()
}

#[derive(Deserialize)]
struct Enter {
    return_to: Option<String>,
    /// The weakest sign-in that the page takes, as its `acr`.
    least: Option<String>,
    /// Whether the person proves themselves again, however lately they did.
    #[serde(default)]
    afresh: bool,
}

async fn enter(State(app): State<App>, reader: Reader, Query(asked): Query<Enter>) -> Response {
    let Ok(return_to) = asked.return_to.as_deref().unwrap_or("/").parse() else {
        return show_status(&reader, StatusCode::BAD_REQUEST, Some("return_to"));
    };
    let least = asked.least.and_then(|acr| acr.parse().ok()).unwrap_or(Assurance::Low);
    match enter_page(&app, return_to, least.min(reachable(&app)), asked.afresh).await {
        Ok(begun) => to_pages(&app, &begun),
        Err(error) => failed(&reader, error),
    }
}

async fn show_number(
    State(app): State<App>,
    Path(id): Path<String>,
    jar: CookieJar,
    reader: Reader,
) -> Response {
    stand(&app, &id, &jar, &reader, |view| matches!(view, View::Number(_))).await
}

async fn show_code(
    State(app): State<App>,
    Path(id): Path<String>,
    jar: CookieJar,
    reader: Reader,
) -> Response {
    stand(&app, &id, &jar, &reader, |view| matches!(view, View::Code(..))).await
}

/// Shows where a sign-in stands; `here` tells whether that belongs at this address.
pub async fn stand(
    app: &App,
    id: &str,
    jar: &CookieJar,
    reader: &Reader,
    here: fn(&View) -> bool,
) -> Response {
    let Some(step) = step(app, jar, id) else { return over(reader) };
    match view(app, &step, reader.session(), reader.lang).await {
        Ok(View::Answered(answer)) => Redirect::to(&answer.location).into_response(),
        Ok(View::Enter(path)) => Redirect::to(path.as_str()).into_response(),
        Ok(View::Over) => over(reader),
        Ok(view) if !here(&view) => {
            let address = address_of(&view, &step).unwrap_or_else(|| "/".to_owned());
            Redirect::to(&address).into_response()
        }
        Ok(View::Number(asking)) => number_page(app, reader, &step, &asking, (Vec::new(), None)),
        Ok(View::Code(asking, method)) => {
            code_page(reader, &step, (&asking, method), (Vec::new(), None), false)
        }
        Ok(View::Whom(choosing)) => super::sign_in_for::page(reader, &step, &choosing, Vec::new()),
        Ok(View::Consent(consenting)) => super::consent::page(reader, &step, &consenting),
        Err(error) => failed(reader, error),
    }
}

pub(super) fn number_page(
    app: &App,
    reader: &Reader,
    step: &Step,
    asking: &Asking,
    (errors, limited): (Vec<FieldError>, Option<Instant>),
) -> Response {
    let mut page = framed(Page::new(reader, "sign-in-title"), asking).refused(errors);
    if let Some(upstream) = &app.national_id {
        page = page.form_may_lead_to(upstream.origin());
    }
    let text = |wording: &crate::identity::client::Wording| wording.of(reader.lang).to_string();
    let portal = asking.portal.as_ref().map(text);
    let lead = match (&portal, &asking.purpose) {
        (Some(portal), Some(purpose)) => page.with(
            "sign-in-for-portal",
            &[("portal", portal.as_str().into()), ("purpose", text(purpose).into())],
        ),
        _ => page.t("sign-in-for-page").into_owned(),
    };
    let limited = limited.map(|until| page.with("sign-in-limited", &[("until", display_vi(until).into())]));
    let status = status_of(&page, limited.is_some());
    let view = NumberView {
        page: &page,
        portal: portal.as_deref(),
        lead,
        limited,
        number: asking.number_hint.as_deref().unwrap_or_default(),
        national_id: app.national_id.is_some(),
        own: asking.least <= Method::strongest(false),
        sms: asking.least <= Method::SmsCode.assurance(),
        passkeys: offers_passkeys(app),
        counter: is_offered(app) && asking.least > Method::strongest(false),
        action: format!("/sign-in/{}", step.authorization),
        form_token: step_form_token(step),
    };
    show(status, &page, &view)
}

fn code_page(
    reader: &Reader,
    step: &Step,
    (asking, method): (&Asking, Method),
    (errors, notice): (Vec<FieldError>, Option<String>),
    limited: bool,
) -> Response {
    let app = method == Method::AppCode;
    let title = if app { "sign-in-app-title" } else { "sign-in-code-title" };
    let page = framed(Page::new(reader, title), asking).refused(errors);
    let portal = asking.portal.as_ref().map(|wording| wording.of(reader.lang).to_string());
    let status = status_of(&page, limited);
    let view = CodeView {
        page: &page,
        portal: portal.as_deref(),
        notice,
        app,
        sms: asking.least <= Method::SmsCode.assurance(),
        action: format!("/sign-in/{}", step.authorization),
        form_token: step_form_token(step),
    };
    show(status, &page, &view)
}

fn status_of(page: &Page, limited: bool) -> StatusCode {
    match (limited, page.errors.is_empty()) {
        (true, _) => StatusCode::TOO_MANY_REQUESTS,
        (false, true) => StatusCode::OK,
        (false, false) => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

/// Lets this page's forms end at the portal that asked.
pub fn framed(page: Page, asking: &Asking) -> Page {
    match asking.redirect_origin.as_deref().and_then(|origin| Url::parse(origin).ok()) {
        Some(origin) => page.form_may_lead_to(&origin),
        None => page,
    }
}

#[derive(Deserialize)]
struct NumberForm {
    number: String,
    /// `app` for the code of an app; everything else is a code by SMS.
    way: Option<String>,
}

#[derive(Deserialize)]
struct CodeForm {
    code: String,
}

/// What the page that a sign-in stands at asks for, and by which way; or where else the browser belongs.
pub async fn asking_now(app: &App, step: &Step, reader: &Reader) -> Result<(Asking, Method), Response> {
    match view(app, step, reader.session(), reader.lang).await {
        Ok(View::Number(asking)) => Ok((asking, Method::SmsCode)),
        Ok(View::Code(asking, method)) => Ok((asking, method)),
        Ok(_) => Err(onward(step)),
        Err(error) => Err(failed(reader, error)),
    }
}

async fn take_number(
    State(app): State<App>,
    jar: CookieJar,
    reader: Reader,
    From(address): From,
    StepForm { step, form }: StepForm<NumberForm>,
) -> Response {
    let way = if form.way.as_deref() == Some("app") { Way::App } else { Way::Sms };
    let outcome = match form.number.parse() {
        Ok(number) => identify(&app, &step, number, way, &visitor(&app, &jar, address)).await.map(Some),
        Err(_) => Ok(None),
    };
    let answer = match outcome {
        Ok(Some(Identified::CodeSent | Identified::NotAgain(_))) | Err(Error::Conflict(_)) => {
            return onward(&step);
        }
        Ok(Some(Identified::Limited(limited))) => (Vec::new(), Some(limited.until)),
        Ok(Some(Identified::Capped)) => (vec![field(&reader, "number", "sign-in-capped")], None),
        Ok(None) => (vec![field(&reader, "number", "sign-in-number-wrong")], None),
        Err(error) => return failed(&reader, error),
    };
    match asking_now(&app, &step, &reader).await {
        Ok((asking, _)) => number_page(&app, &reader, &step, &asking, answer),
        Err(response) => response,
    }
}

async fn take_code(
    State(app): State<App>,
    jar: CookieJar,
    reader: Reader,
    From(address): From,
    StepForm { step, form }: StepForm<CodeForm>,
) -> Response {
    let Some(code) = OneTimeCode::parse(&form.code) else {
        let error = vec![field(&reader, "code", "sign-in-code-shape")];
        return again(&app, &step, &reader, (error, None), false).await;
    };
    let before = match present(&app, &jar).await {
        Ok(before) => before,
        Err(error) => return failed(&reader, error),
    };
    let browser = visitor(&app, &jar, address);
    let page = Page::new(&reader, "sign-in-code-title");
    let error = match confirm_code(&app, &step, &code, (&browser, before.as_ref())).await {
        Ok(Confirmed::SignedIn(signed_in)) => {
            return (signed_in_cookies(&app, &signed_in), onward(&step)).into_response();
        }
        Ok(Confirmed::Wrong { tries_left }) => {
            page.with("sign-in-code-wrong", &[("tries", u32::from(tries_left).into())])
        }
        Ok(Confirmed::Spent) => page.t("sign-in-code-spent").into_owned(),
        Ok(Confirmed::Limited(limited)) => {
            let notice = page.with("sign-in-guesses", &[("until", display_vi(limited.until).into())]);
            return again(&app, &step, &reader, (Vec::new(), Some(notice)), true).await;
        }
        Ok(Confirmed::Barred) => return barred(&reader),
        Err(Error::Conflict(_)) => return onward(&step),
        Err(error) => return failed(&reader, error),
    };
    let error = FieldError { field: "code", message: error };
    again(&app, &step, &reader, (vec![error], None), false).await
}

/// The page for somebody whose identity may not be used.
pub(super) fn barred(reader: &Reader) -> Response {
    let page = Page::new(reader, "sign-in-barred-title");
    let body = page.t("sign-in-barred");
    show_error(StatusCode::FORBIDDEN, &page, &body, None)
}

async fn again(
    app: &App,
    step: &Step,
    reader: &Reader,
    what: (Vec<FieldError>, Option<String>),
    limited: bool,
) -> Response {
    match asking_now(app, step, reader).await {
        Ok((asking, method)) => code_page(reader, step, (&asking, method), what, limited),
        Err(response) => response,
    }
}

fn field(reader: &Reader, name: &'static str, key: &str) -> FieldError {
    FieldError { field: name, message: Page::new(reader, key).title }
}

async fn another_code(
    State(app): State<App>,
    jar: CookieJar,
    reader: Reader,
    From(address): From,
    StepForm { step, .. }: StepForm<Bare>,
) -> Response {
    let page = Page::new(&reader, "sign-in-code-title");
    let (notice, limited) = match ask_again(&app, &step, Way::Sms, &visitor(&app, &jar, address)).await {
        Ok(Identified::CodeSent) => (page.t("sign-in-code-resent").into_owned(), false),
        Ok(Identified::Limited(limited)) => {
            (page.with("sign-in-limited", &[("until", display_vi(limited.until).into())]), true)
        }
        Ok(Identified::NotAgain(SendRefusal::TooSoon { from })) => {
            (page.with("sign-in-code-too-soon", &[("from", display_vi(from).into())]), false)
        }
        Ok(Identified::NotAgain(SendRefusal::TooMany)) => {
            (page.t("sign-in-code-used-up").into_owned(), false)
        }
        Ok(Identified::Capped) => (page.t("sign-in-capped").into_owned(), false),
        Err(Error::Conflict(_)) => return onward(&step),
        Err(error) => return failed(&reader, error),
    };
    again(&app, &step, &reader, (Vec::new(), Some(notice)), limited).await
}

async fn app_code(
    State(app): State<App>,
    jar: CookieJar,
    reader: Reader,
    From(address): From,
    StepForm { step, .. }: StepForm<Bare>,
) -> Response {
    match ask_again(&app, &step, Way::App, &visitor(&app, &jar, address)).await {
        Ok(_) | Err(Error::Conflict(_)) => onward(&step),
        Err(error) => failed(&reader, error),
    }
}

async fn somebody_else(
    State(app): State<App>,
    jar: CookieJar,
    reader: Reader,
    StepForm { step, .. }: StepForm<Bare>,
) -> Response {
    let outcome = match present(&app, &jar).await {
        Ok(before) => start_over(&app, &step, before.as_ref()).await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(()) => (CookieJar::new().add(no_session_cookie(&app)), onward(&step)).into_response(),
        Err(error) => failed(&reader, error),
    }
}

async fn refuse(State(app): State<App>, reader: Reader, StepForm { step, .. }: StepForm<Bare>) -> Response {
    match turn_back(&app, &step).await {
        Ok(answer) => Redirect::to(&answer.location).into_response(),
        Err(error) => failed(&reader, error),
    }
}

async fn sign_out(
    State(app): State<App>,
    reader: Reader,
    SentForm { signed_in, .. }: SentForm<Bare>,
) -> Response {
    match end_session(&app, &signed_in.session).await {
        Ok(()) => {
            let page = Page::new(&reader.signed_out(), "sign-out-done-title");
            let body = page.t("sign-out-done");
            let shown = show_error(StatusCode::OK, &page, &body, None);
            (CookieJar::new().add(no_session_cookie(&app)), shown).into_response()
        }
        Err(error) => failed(&reader, error),
    }
}

/// One tap: whoever is signed in goes, and the next person is asked.
async fn another_person(
    State(app): State<App>,
    reader: Reader,
    SentForm { signed_in, .. }: SentForm<Bare>,
) -> Response {
    match end_session(&app, &signed_in.session).await {
        Ok(()) => {
            let next = Redirect::to("/sign-in?return_to=/me");
            (CookieJar::new().add(no_session_cookie(&app)), next).into_response()
        }
        Err(error) => failed(&reader, error),
    }
}

/// Who is signed in at this browser.
pub(super) async fn present(app: &App, jar: &CookieJar) -> crate::flow::Result<Option<Session>> {
    session_of(app, session_token(app, jar).as_ref(), app.clock.now()).await
}
