//! `/me/ways/phone` and `/me/ways/mail`: where codes and notices go. A code alone changes no phone.

use super::page::{FieldError, Page, Reader, show, show_error};
use super::ways::failed;
use crate::app::App;
use crate::base::calendar::display_vi;
use crate::flow::{
    Result,
    contact::{Asked, Changed, ask_mail, ask_phone, change_mail, change_phone},
};
use crate::http::sent::SentForm;
use crate::http::session::{From, SignedIn, visitor};
use crate::identity::{authenticator::OneTimeCode, mailbox::Mailbox, person::Phone};
use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum_extra::extract::CookieJar;
use serde::Deserialize;

/// The pages that change where the citizen is reached.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/me/ways/phone", get(show_phone).post(take_phone))
        .route("/me/ways/phone/code", post(take_phone_code).get(back))
        .route("/me/ways/mail", get(show_mail).post(take_mail))
        .route("/me/ways/mail/code", post(take_mail_code).get(back))
}

/// A phone or a mailbox.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    Phone,
    Mail,
}

impl Which {
    const fn word(self) -> &'static str {
        match self {
            Self::Phone => "phone",
            Self::Mail => "mail",
        }
    }
}

#[derive(Template)]
#[template(path = "pages/way_contact.html")]
struct ContactView<'a> {
    page: &'a Page,
    which: &'static str,
    /// Whether the code is asked for, not the phone or mailbox.
    coded: bool,
    lead: String,
    label: String,
    typed: String,
    form_token: String,
}

#[derive(Deserialize)]
struct ValueForm {
    value: String,
}

#[derive(Deserialize)]
struct CodeForm {
    code: String,
}

async fn back() -> Redirect {
    Redirect::to("/me/ways")
}

async fn show_phone(person: SignedIn, reader: Reader) -> Response {
    value_page(&person, &reader, Which::Phone, Vec::new(), String::new())
}

async fn show_mail(person: SignedIn, reader: Reader) -> Response {
    value_page(&person, &reader, Which::Mail, Vec::new(), String::new())
}

fn value_page(
    person: &SignedIn,
    reader: &Reader,
    which: Which,
    errors: Vec<FieldError>,
    typed: String,
) -> Response {
    let page = Page::new(reader, &format!("contact-{}-title", which.word()));
    shown(page, person, which, (false, typed), errors)
}

fn code_page(person: &SignedIn, reader: &Reader, which: Which, errors: Vec<FieldError>) -> Response {
    let page = Page::new(reader, "contact-code-title");
    shown(page, person, which, (true, String::new()), errors)
}

fn shown(
    page: Page,
    person: &SignedIn,
    which: Which,
    (coded, typed): (bool, String),
    errors: Vec<FieldError>,
) -> Response {
    let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = page.refused(errors);
    let key = |part: &str| {
        if coded { format!("contact-code-{part}") } else { format!("contact-{}-{part}", which.word()) }
    };
    let (lead, label) = (page.t(&key("lead")).into_owned(), page.t(&key("label")).into_owned());
    let view = ContactView {
        page: &page,
        which: which.word(),
        coded,
        lead,
        label,
        typed,
        form_token: person.form_token(),
    };
    show(status, &page, &view)
}

async fn take_phone(
    State(app): State<App>,
    reader: Reader,
    jar: CookieJar,
    From(address): From,
    SentForm { signed_in: person, form }: SentForm<ValueForm>,
) -> Response {
    let Ok(phone) = form.value.parse::<Phone>() else {
        return wrong(&person, &reader, Which::Phone, form.value);
    };
    let asked = ask_phone(&app, &person.session, &phone, &visitor(&app, &jar, address)).await;
    after_asking(&person, &reader, Which::Phone, asked)
}

async fn take_mail(
    State(app): State<App>,
    reader: Reader,
    jar: CookieJar,
    From(address): From,
    SentForm { signed_in: person, form }: SentForm<ValueForm>,
) -> Response {
    let Ok(mail) = form.value.parse::<Mailbox>() else {
        return wrong(&person, &reader, Which::Mail, form.value);
    };
    let asked = ask_mail(&app, &person.session, &mail, &visitor(&app, &jar, address)).await;
    after_asking(&person, &reader, Which::Mail, asked)
}

fn wrong(person: &SignedIn, reader: &Reader, which: Which, typed: String) -> Response {
    let message = Page::new(reader, &format!("contact-{}-wrong", which.word())).title;
    value_page(person, reader, which, vec![FieldError { field: "value", message }], typed)
}

fn after_asking(person: &SignedIn, reader: &Reader, which: Which, asked: Result<Asked>) -> Response {
    match asked {
        Ok(Asked::CodeSent) => code_page(person, reader, which, Vec::new()),
        Ok(Asked::Limited(limited)) => {
            let page = Page::new(reader, "page-too-many-title");
            let body = page.with("sign-in-limited", &[("until", display_vi(limited.until).into())]);
            show_error(StatusCode::TOO_MANY_REQUESTS, &page, &body, None)
        }
        Err(error) => failed(reader, error),
    }
}

async fn take_phone_code(
    State(app): State<App>,
    reader: Reader,
    SentForm { signed_in: person, form }: SentForm<CodeForm>,
) -> Response {
    let Some(code) = OneTimeCode::parse(&form.code) else {
        return code_page(&person, &reader, Which::Phone, vec![code_error(&reader)]);
    };
    after_code(&person, &reader, Which::Phone, change_phone(&app, &person.session, &code).await)
}

async fn take_mail_code(
    State(app): State<App>,
    reader: Reader,
    SentForm { signed_in: person, form }: SentForm<CodeForm>,
) -> Response {
    let Some(code) = OneTimeCode::parse(&form.code) else {
        return code_page(&person, &reader, Which::Mail, vec![code_error(&reader)]);
    };
    after_code(&person, &reader, Which::Mail, change_mail(&app, &person.session, &code).await)
}

fn code_error(reader: &Reader) -> FieldError {
    FieldError { field: "code", message: Page::new(reader, "contact-code-wrong").title }
}

fn after_code(person: &SignedIn, reader: &Reader, which: Which, changed: Result<Changed>) -> Response {
    match changed {
        Ok(Changed::Done) => Redirect::to("/me/ways").into_response(),
        Ok(Changed::Wrong) => code_page(person, reader, which, vec![code_error(reader)]),
        Ok(Changed::Over) => {
            let page = Page::new(reader, "contact-code-title");
            show_error(StatusCode::GONE, &page, &page.t("ways-over"), None)
        }
        Err(error) => failed(reader, error),
    }
}
