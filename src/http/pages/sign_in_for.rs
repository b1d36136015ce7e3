//! `/sign-in/{authorization}/for`: in whose name somebody goes on to a portal.

use super::page::{FieldError, Page, Reader, show};
use super::sign_in::{failed, framed, onward, over};
use crate::app::App;
use crate::base::id::{self, Id};
use crate::flow::{
    Error,
    acting::By,
    choose_principal::{Choice, choose_principal},
    sign_in::{Choosing, Step, View, view},
};
use crate::http::sent::StepForm;
use crate::http::session::{step, step_form_token};
use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum_extra::extract::CookieJar;
use serde::Deserialize;

/// The page and its answer.
pub fn routes() -> Router<App> {
    Router::new().route("/sign-in/{authorization}/for", get(open).post(choose))
}

#[derive(Template)]
#[template(path = "pages/sign_in_for.html")]
struct ForView<'a> {
    page: &'a Page,
    portal: String,
    who: String,
    /// Value, whose, by what right.
    choices: Vec<(String, String, String)>,
    action: String,
    form_token: String,
}

async fn open(State(app): State<App>, Path(id): Path<String>, jar: CookieJar, reader: Reader) -> Response {
    let Some(step) = step(&app, &jar, &id) else { return over(&reader) };
    shown(&app, &step, &reader, Vec::new()).await
}

/// The page, wherever the sign-in stands between confirmation and consent.
async fn shown(app: &App, step: &Step, reader: &Reader, wrong: Vec<FieldError>) -> Response {
    match view(app, step, reader.session(), reader.lang).await {
        Ok(View::Whom(choosing)) => page(reader, step, &choosing, wrong),
        Ok(View::Consent(consenting)) => page(reader, step, &consenting.choosing, wrong),
        Ok(_) => onward(step),
        Err(error) => failed(reader, error),
    }
}

/// The page itself.
pub fn page(reader: &Reader, step: &Step, choosing: &Choosing, wrong: Vec<FieldError>) -> Response {
    let status = if wrong.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = framed(Page::new(reader, "acting-title"), &choosing.asking).refused(wrong);
    let portal = choosing.asking.portal.as_ref().map(|name| name.of(reader.lang).to_string());
    let choices = choosing.principals.iter().map(|principal| {
        let (value, why) = match principal.by {
            By::Kin(citizen, kin) => {
                (citizen.to_string(), page.t(&format!("acting-kin-{}", kin.word())).into_owned())
            }
            By::Mandate(mandate, last) => {
                let day = last.display_vi().into();
                (mandate.to_string(), page.with("acting-mandate-until", &[("day", day)]))
            }
        };
        (value, principal.name.clone(), why)
    });
    let view = ForView {
        portal: portal.unwrap_or_default(),
        who: page.with("consent-who", &[("person", choosing.person.as_str().into())]),
        choices: choices.collect(),
        action: format!("/sign-in/{}/for", step.authorization),
        form_token: step_form_token(step),
        page: &page,
    };
    show(status, &page, &view)
}

#[derive(Deserialize)]
struct WhomForm {
    #[serde(default)]
    whom: String,
    #[serde(default)]
    number: String,
}

impl WhomForm {
    fn read(&self) -> Result<Choice, (&'static str, &'static str)> {
        match self.whom.as_str() {
            "self" => Ok(Choice::Oneself),
            "number" => {
                self.number.parse().map(Choice::Number).map_err(|_| ("number", "sign-in-number-wrong"))
            }
            whom => {
                let mandate = whom.parse::<Id<id::Mandate>>().map(Choice::Mandate);
                mandate
                    .or_else(|_| whom.parse::<Id<id::Citizen>>().map(Choice::Kin))
                    .map_err(|_| ("whom", "acting-whom-wrong"))
            }
        }
    }
}

async fn choose(
    State(app): State<App>,
    reader: Reader,
    StepForm { step, form }: StepForm<WhomForm>,
) -> Response {
    let wrong = |(field, key): (&'static str, &str)| {
        vec![FieldError { field, message: Page::new(&reader, key).title }]
    };
    let choice = match form.read() {
        Ok(choice) => choice,
        Err(fault) => return shown(&app, &step, &reader, wrong(fault)).await,
    };
    match choose_principal(&app, &step, &choice).await {
        Ok(()) => Redirect::to(&format!("/consent/{}", step.authorization)).into_response(),
        Err(Error::Refused(refusal)) if refusal.code == "no_right_to_act" => {
            shown(&app, &step, &reader, wrong(("number", "acting-no-right"))).await
        }
        Err(Error::Conflict(_)) => onward(&step),
        Err(error) => failed(&reader, error),
    }
}
