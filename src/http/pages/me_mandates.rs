//! `/me/mandates`: whom the citizen lets act for them, and for whom they may act.

use super::mandate_form::{MandateForm, fault_of, wrong};
use super::me::failed;
use super::page::{FieldError, Page, Reader, show, show_status};
use super::ways::led_on;
use crate::app::App;
use crate::base::{
    id::{self, Id},
    text::Lang,
};
use crate::flow::mandates::{Answer, MandateShown, answer_mandate, give_mandate, read_mandates};
use crate::http::sent::{Bare, SentForm};
use crate::http::session::SignedIn;
use crate::identity::mandate::{Delegate, State as Stands};
use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};

/// The page and its acts.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/me/mandates", get(open).post(give))
        .route("/me/mandates/{mandate}/{answer}", post(answer))
}

#[derive(Template)]
#[template(path = "pages/me_mandates.html")]
struct MandatesView<'a> {
    page: &'a Page,
    lines: Vec<Line>,
    form: &'a MandateForm,
    may_give: bool,
    form_token: String,
}

struct Line {
    id: String,
    title: String,
    state: String,
    tag: &'static str,
    facts: Vec<(String, String)>,
    answers: Vec<(&'static str, String)>,
}

async fn open(State(app): State<App>, person: SignedIn, reader: Reader) -> Response {
    page(&app, &person, &reader, &MandateForm::default(), Vec::new()).await
}

async fn page(
    app: &App,
    person: &SignedIn,
    reader: &Reader,
    form: &MandateForm,
    wrong: Vec<FieldError>,
) -> Response {
    let shown = match read_mandates(app, &person.session).await {
        Ok(shown) => shown,
        Err(error) => return failed(reader, &error),
    };
    let status = if wrong.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = Page::new(reader, "mandate-title")
        .signed_in(shown.name.clone(), Some(person.form_token()))
        .refused(wrong);
    let view = MandatesView {
        lines: shown.mandates.iter().map(|mandate| line(&page, mandate)).collect(),
        may_give: shown.may_give,
        form_token: person.form_token(),
        form,
        page: &page,
    };
    show(status, &page, &view)
}

fn line(page: &Page, shown: &MandateShown) -> Line {
    let mandate = &shown.mandate;
    let text = |key: &str| page.t(key).into_owned();
    let delegate = delegate_of(page.lang, shown);
    let title = if shown.as_delegate {
        page.with("mandate-for", &[("person", shown.principal.as_str().into())])
    } else {
        page.with("mandate-to", &[("person", delegate.into())])
    };
    let over = shown.ended_by_fact.is_some() || matches!(mandate.state, Stands::Ended { .. });
    let (state, tag) = match (shown.ended_by_fact, mandate.state) {
        (Some(end), _) | (None, Stands::Ended { end, .. }) => {
            (text(&format!("mandate-end-{}", end.word())), "")
        }
        (None, Stands::Offered) => (text("mandate-state-offered"), "warn"),
        (None, Stands::Accepted { .. }) => (text("mandate-state-accepted"), "ok"),
    };
    let mut answers = Vec::new();
    if shown.as_delegate && mandate.state == Stands::Offered && !over {
        answers.push(("accept", text("mandate-accept")));
        answers.push(("decline", text("mandate-decline")));
    } else if !over {
        answers.push(("revoke", text("mandate-revoke")));
    }
    Line { id: mandate.id.to_string(), title, state, tag, facts: facts(page, shown), answers }
}

/// The delegate's name in the reader's language.
pub fn delegate_of(lang: Lang, shown: &MandateShown) -> &str {
    match lang {
        Lang::Vi => &shown.delegate.0,
        Lang::En => &shown.delegate.1,
    }
}

/// What a mandate says, line by line.
pub fn facts(page: &Page, shown: &MandateShown) -> Vec<(String, String)> {
    let mandate = &shown.mandate;
    let text = |key: &str| page.t(key).into_owned();
    let acts: Vec<String> =
        mandate.extent.acts.iter().map(|act| text(&format!("mandate-act-{}", act.word()))).collect();
    let procedures: Vec<&str> = mandate.extent.procedures.iter().map(String::as_str).collect();
    let days = format!("{} – {}", mandate.extent.from.display_vi(), mandate.extent.to.display_vi());
    let mut facts = vec![
        (text("mandate-acts"), acts.join(", ")),
        (text("mandate-procedures"), procedures.join(", ")),
        (text("mandate-agencies"), shown.agencies.clone().unwrap_or_else(|| text("mandate-every-agency"))),
        (text("mandate-days"), days),
        (text("mandate-form"), text(&format!("mandate-form-{}", mandate.form.word()))),
    ];
    if let Some(paper) = &mandate.paper {
        let said = format!("{}, {} ({})", paper.certifier, paper.number, paper.on.display_vi());
        facts.push((text("mandate-paper"), said));
    }
    if let Delegate::Organisation(_) = mandate.delegate {
        facts.push((text("mandate-organisation"), delegate_of(page.lang, shown).to_owned()));
    }
    facts
}

async fn give(
    State(app): State<App>,
    reader: Reader,
    SentForm { signed_in: person, form }: SentForm<MandateForm>,
) -> Response {
    let new = match form.read(&app).await {
        Ok(Ok(new)) => new,
        Ok(Err(fault)) => return page(&app, &person, &reader, &form, wrong(&reader, fault)).await,
        Err(error) => return failed(&reader, &error),
    };
    match give_mandate(&app, &person.session, &new).await {
        Ok(_) => Redirect::to("/me/mandates").into_response(),
        Err(error) => match fault_of(&error) {
            Some(fault) => page(&app, &person, &reader, &form, wrong(&reader, fault)).await,
            None => led_on(&reader, &error, "/me/mandates").unwrap_or_else(|| failed(&reader, &error)),
        },
    }
}

async fn answer(
    State(app): State<App>,
    reader: Reader,
    Path((mandate, answer)): Path<(String, String)>,
    SentForm { signed_in: person, .. }: SentForm<Bare>,
) -> Response {
    let answer = match answer.as_str() {
        "accept" => Answer::Accept,
        "decline" => Answer::Decline,
        "revoke" => Answer::Revoke,
        _ => return show_status(&reader, StatusCode::NOT_FOUND, None),
    };
    let Ok(id) = mandate.parse::<Id<id::Mandate>>() else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    match answer_mandate(&app, &person.session, id, answer).await {
        Ok(()) => Redirect::to("/me/mandates").into_response(),
        Err(error) => failed(&reader, &error),
    }
}
