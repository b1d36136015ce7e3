//! `/me/ways/passkey` and `/me/ways/app`: adding a way to sign in. A passkey needs the one script; an app needs none.

use super::page::{FieldError, Page, Reader, show, show_error};
use super::ways::failed;
use crate::app::App;
use crate::base::text::Line;
use crate::flow::{
    authenticators::NAME_MAX,
    enrol_authenticator::{Enrolled, begin_passkey, finish_app, finish_passkey, offer_app},
};
use crate::http::sent::{Bare, SentForm};
use crate::http::session::SignedIn;
use crate::identity::authenticator::OneTimeCode;
use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use qrcode::{EcLevel, QrCode, render::svg};
use serde::Deserialize;

/// The pages that add a way.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/me/ways/passkey", post(ask_passkey).get(back))
        .route("/me/ways/passkey/answer", post(take_passkey).get(back))
        .route("/me/ways/app", get(show_app).post(take_app))
}

#[derive(Template)]
#[template(path = "pages/way_passkey.html")]
struct PasskeyView<'a> {
    page: &'a Page,
    options: String,
    form_token: String,
}

#[derive(Template)]
#[template(path = "pages/way_app.html")]
struct AppView<'a> {
    page: &'a Page,
    secret: String,
    qr: String,
    typed: String,
    form_token: String,
}

#[derive(Deserialize)]
struct PasskeyForm {
    credential: String,
    name: String,
}

#[derive(Deserialize)]
struct AppForm {
    code: String,
    name: String,
}

/// A page that was loaded again has nothing to ask any more.
async fn back() -> Redirect {
    Redirect::to("/me/ways")
}

async fn ask_passkey(
    State(app): State<App>,
    reader: Reader,
    SentForm { signed_in: person, .. }: SentForm<Bare>,
) -> Response {
    passkey_page(&app, &person, &reader, Vec::new()).await
}

async fn passkey_page(app: &App, person: &SignedIn, reader: &Reader, errors: Vec<FieldError>) -> Response {
    let options = match begin_passkey(app, &person.session).await {
        Ok(options) => options,
        Err(error) => return failed(reader, error),
    };
    let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = Page::new(reader, "ways-passkey-title").scripted().refused(errors);
    show(status, &page, &PasskeyView { page: &page, options, form_token: person.form_token() })
}

async fn take_passkey(
    State(app): State<App>,
    reader: Reader,
    SentForm { signed_in: person, form }: SentForm<PasskeyForm>,
) -> Response {
    let Ok(name) = Line::<NAME_MAX>::cleaned(&form.name) else {
        return passkey_page(&app, &person, &reader, vec![error(&reader, "name", "ways-name-wrong")]).await;
    };
    match finish_passkey(&app, &person.session, &form.credential, &name).await {
        Ok(Enrolled::NotAccepted) => {
            passkey_page(&app, &person, &reader, vec![error(&reader, "passkey", "ways-passkey-refused")])
                .await
        }
        Ok(done) => ended(&reader, done),
        Err(error) => failed(&reader, error),
    }
}

async fn show_app(State(app): State<App>, person: SignedIn, reader: Reader) -> Response {
    app_page(&app, &person, &reader, Vec::new(), String::new()).await
}

async fn app_page(
    app: &App,
    person: &SignedIn,
    reader: &Reader,
    errors: Vec<FieldError>,
    name: String,
) -> Response {
    let offer = match offer_app(app, &person.session).await {
        Ok(offer) => offer,
        Err(error) => return failed(reader, error),
    };
    let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = Page::new(reader, "ways-app-title").refused(errors);
    let view = AppView {
        secret: grouped(&offer.secret),
        qr: picture(&offer.address),
        page: &page,
        typed: name,
        form_token: person.form_token(),
    };
    show(status, &page, &view)
}

async fn take_app(
    State(app): State<App>,
    reader: Reader,
    SentForm { signed_in: person, form }: SentForm<AppForm>,
) -> Response {
    let (name, code) = (Line::<NAME_MAX>::cleaned(&form.name), OneTimeCode::parse(&form.code));
    let (Ok(name), Some(code)) = (&name, &code) else {
        let mut errors = Vec::new();
        if name.is_err() {
            errors.push(error(&reader, "name", "ways-name-wrong"));
        }
        if code.is_none() {
            errors.push(error(&reader, "code", "sign-in-code-shape"));
        }
        return app_page(&app, &person, &reader, errors, form.name).await;
    };
    match finish_app(&app, &person.session, code, name).await {
        Ok(Enrolled::NotAccepted) => {
            let errors = vec![error(&reader, "code", "ways-app-wrong")];
            app_page(&app, &person, &reader, errors, form.name).await
        }
        Ok(done) => ended(&reader, done),
        Err(error) => failed(&reader, error),
    }
}

fn ended(reader: &Reader, done: Enrolled) -> Response {
    let (status, key) = match done {
        Enrolled::Kept(_) => return Redirect::to("/me/ways").into_response(),
        Enrolled::Known => (StatusCode::CONFLICT, "ways-known"),
        Enrolled::Over | Enrolled::NotAccepted => (StatusCode::GONE, "ways-over"),
    };
    let page = Page::new(reader, "ways-title");
    show_error(status, &page, &page.t(key), None)
}

fn error(reader: &Reader, field: &'static str, key: &str) -> FieldError {
    FieldError { field, message: Page::new(reader, key).title }
}

/// In groups of four, as people copy it.
fn grouped(secret: &str) -> String {
    let letters: Vec<char> = secret.chars().collect();
    letters.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}

/// The QR code as a picture in the page; none where the text does not fit, since it can be typed too.
fn picture(text: &str) -> String {
    let code = QrCode::with_error_correction_level(text, EcLevel::M);
    code.map(|code| code.render::<svg::Color<'_>>().min_dimensions(220, 220).build()).map_or_else(
        |_| String::new(),
        |svg| svg.split_once("?>").map_or(svg.clone(), |(_, picture)| picture.to_owned()),
    )
}
