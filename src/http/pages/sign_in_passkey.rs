//! `/sign-in/…/passkey`: a passkey instead of a number and a code. The one page of a sign-in that has a script; it says
//! where to go without one.

use super::page::{FieldError, Page, Reader, show};
use super::sign_in::{asking_now, barred, failed, framed, onward, present};
use crate::app::App;
use crate::flow::{
    Error,
    sign_in::Step,
    sign_in_by_passkey::{Answered, begin_passkey_sign_in, confirm_passkey},
};
use crate::http::sent::{Bare, StepForm};
use crate::http::session::{From, signed_in_cookies, step_form_token, visitor};
use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::post;
use axum_extra::extract::CookieJar;
use serde::Deserialize;

/// The page and its answer.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/sign-in/{authorization}/passkey", post(begin).get(back))
        .route("/sign-in/{authorization}/passkey/answer", post(answer).get(back))
}

#[derive(Template)]
#[template(path = "pages/sign_in_passkey.html")]
struct PasskeyView<'a> {
    page: &'a Page,
    portal: Option<&'a str>,
    options: String,
    action: String,
    form_token: String,
}

#[derive(Deserialize)]
struct AnswerForm {
    credential: String,
}

/// A page that was loaded again has nothing to ask any more.
async fn back(Path(id): Path<String>) -> Response {
    Redirect::to(&format!("/sign-in/{id}")).into_response()
}

async fn begin(State(app): State<App>, reader: Reader, StepForm { step, .. }: StepForm<Bare>) -> Response {
    ask(&app, &step, &reader, Vec::new()).await
}

async fn ask(app: &App, step: &Step, reader: &Reader, errors: Vec<FieldError>) -> Response {
    let asking = match asking_now(app, step, reader).await {
        Ok((asking, _)) => asking,
        Err(elsewhere) => return elsewhere,
    };
    let options = match begin_passkey_sign_in(app, step).await {
        Ok(options) => options,
        Err(Error::Conflict(_)) => return onward(step),
        Err(error) => return failed(reader, error),
    };
    let refused = !errors.is_empty();
    let page = framed(Page::new(reader, "sign-in-passkey-title"), &asking).scripted().refused(errors);
    let portal = asking.portal.as_ref().map(|wording| wording.of(reader.lang).to_string());
    let view = PasskeyView {
        page: &page,
        portal: portal.as_deref(),
        options,
        action: format!("/sign-in/{}", step.authorization),
        form_token: step_form_token(step),
    };
    show(if refused { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK }, &page, &view)
}

async fn answer(
    State(app): State<App>,
    jar: CookieJar,
    reader: Reader,
    From(address): From,
    StepForm { step, form }: StepForm<AnswerForm>,
) -> Response {
    let before = match present(&app, &jar).await {
        Ok(before) => before,
        Err(error) => return failed(&reader, error),
    };
    let browser = visitor(&app, &jar, address);
    match confirm_passkey(&app, &step, &form.credential, (&browser, before.as_ref())).await {
        Ok(Answered::SignedIn(signed_in)) => {
            (signed_in_cookies(&app, &signed_in), onward(&step)).into_response()
        }
        Ok(Answered::NotAccepted) => {
            let message = Page::new(&reader, "sign-in-passkey-refused").title;
            ask(&app, &step, &reader, vec![FieldError { field: "passkey", message }]).await
        }
        Ok(Answered::Barred) => barred(&reader),
        Err(Error::Conflict(_)) => onward(&step),
        Err(error) => failed(&reader, error),
    }
}
