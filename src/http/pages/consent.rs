//! `/consent`: what the portal will receive, in plain sight. What a law requires is a notice, everything else is
//! asked; nothing is ticked beforehand.

use super::page::{Page, Reader, show, show_status};
use super::sign_in::{failed, framed, onward, stand};
use crate::app::App;
use crate::flow::{
    Error,
    decide_consent::decide_consent,
    sign_in::{Consenting, Step, View},
};
use crate::http::sent::StepForm;
use crate::http::session::step_form_token;
use crate::identity::{claims::Claims, consent::Answer};
use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum_extra::extract::CookieJar;
use serde::Deserialize;

/// The consent page and its answer.
pub fn routes() -> Router<App> {
    Router::new().route("/consent/{authorization}", get(show_consent).post(take_answer))
}

#[derive(Template)]
#[template(path = "pages/consent.html")]
struct ConsentView<'a> {
    page: &'a Page,
    portal: String,
    lead: String,
    by_law: Vec<Notice>,
    by_consent: Vec<Choice>,
    who: String,
    message: Option<String>,
    action: String,
    start_over: String,
    on_behalf: Option<String>,
    whom: String,
    form_token: String,
}

struct Notice {
    label: String,
    value: String,
    basis: String,
}

struct Choice {
    name: &'static str,
    label: String,
    value: String,
}

async fn show_consent(
    State(app): State<App>,
    Path(id): Path<String>,
    jar: CookieJar,
    reader: Reader,
) -> Response {
    stand(&app, &id, &jar, &reader, |view| matches!(view, View::Consent(_))).await
}

/// The page itself.
pub fn page(reader: &Reader, step: &Step, consenting: &Consenting) -> Response {
    let lang = reader.lang;
    let text = |wording: &Option<crate::identity::client::Wording>| {
        wording.as_ref().map(|w| w.of(lang).to_string()).unwrap_or_default()
    };
    let (portal, purpose) = (text(&consenting.asking.portal), text(&consenting.asking.purpose));
    let nothing = consenting.by_law.is_empty() && consenting.by_consent.is_empty();
    let untitled = Page::new(reader, "consent-title");
    let portal_arg = || [("portal", portal.clone().into())];
    let (title, lead) = if nothing {
        (
            untitled.with("consent-title-nothing", &portal_arg()),
            untitled.with("consent-nothing", &portal_arg()),
        )
    } else {
        let lead = untitled.with("consent-lead", &[("purpose", purpose.into())]);
        (untitled.with("consent-title", &portal_arg()), lead)
    };
    let start_over = format!("/sign-in/{}/start-over", step.authorization);
    let page = framed(Page::titled(reader, title), &consenting.asking)
        .another_person_at(start_over.clone(), step_form_token(step));
    let value = |value: &Option<String>| {
        value.clone().unwrap_or_else(|| page.t("consent-value-missing").into_owned())
    };
    let label = |claim: &crate::identity::claims::Claim| page.t(&format!("claim-{claim}")).into_owned();
    let notices = consenting.by_law.iter().map(|(claim, shown, basis)| Notice {
        label: label(claim),
        value: value(shown),
        basis: page.with("consent-basis", &[("basis", basis.as_str().into())]),
    });
    let choices = consenting.by_consent.iter().map(|(claim, shown)| Choice {
        name: claim.name(),
        label: label(claim),
        value: value(shown),
    });
    let view = ConsentView {
        by_law: notices.collect(),
        by_consent: choices.collect(),
        who: page.with("consent-who", &[("person", consenting.person.as_str().into())]),
        message: consenting
            .asking
            .message
            .as_ref()
            .map(|message| page.with("consent-message", &[("message", message.as_str().into())])),
        action: format!("/consent/{}", step.authorization),
        on_behalf: consenting
            .on_behalf
            .as_ref()
            .map(|person| page.with("acting-for", &[("person", person.as_str().into())])),
        whom: format!("/sign-in/{}/for", step.authorization),
        start_over,
        form_token: step_form_token(step),
        page: &page,
        portal,
        lead,
    };
    show(StatusCode::OK, &page, &view)
}

#[derive(Deserialize)]
struct ConsentForm {
    answer: String,
    #[serde(default)]
    claim: Vec<String>,
}

async fn take_answer(
    State(app): State<App>,
    reader: Reader,
    StepForm { step, form }: StepForm<ConsentForm>,
) -> Response {
    let ticked: Result<Claims, _> = form.claim.iter().map(|name| name.parse()).collect();
    let answer = match (form.answer.as_str(), ticked) {
        ("refuse", _) => Answer::Refuse,
        ("allow", Ok(ticked)) => Answer::Allow(ticked),
        _ => return show_status(&reader, StatusCode::BAD_REQUEST, Some("claim_not_offered")),
    };
    match decide_consent(&app, &step, answer).await {
        Ok(answer) => Redirect::to(&answer.location).into_response(),
        Err(Error::Conflict(_)) => onward(&step),
        Err(error) => failed(&reader, error),
    }
}
