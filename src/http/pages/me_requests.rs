//! `/me/requests`: what the citizen asks about their data and which entries they dispute, with the days of the answer.

use super::me::failed;
use super::page::{FieldError, Page, Reader, show};
use crate::app::App;
use crate::base::{
    calendar::display_vi,
    id::{Id, Leaf},
};
use crate::flow::{
    Error,
    subject_requests::{NewRequest, RequestShown, file_request, read_requests},
};
use crate::http::sent::SentForm;
use crate::http::session::SignedIn;
use crate::identity::subject_request::{Kind, State as Stands};
use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use serde::Deserialize;

/// The page and its form.
pub fn routes() -> Router<App> {
    Router::new().route("/me/requests", get(open).post(file))
}

#[derive(Template)]
#[template(path = "pages/me_requests.html")]
struct RequestsView<'a> {
    page: &'a Page,
    lines: Vec<Line>,
    /// Word, label, what it means.
    kinds: Vec<(&'static str, String, String)>,
    leaf: Option<String>,
    form_token: String,
}

/// A request as both pages show it.
pub struct Line {
    /// What is asked.
    pub title: String,
    /// Where it stands.
    pub state: String,
    /// The colour of the state.
    pub tag: &'static str,
    /// Days, words and answer.
    pub facts: Vec<(String, String)>,
}

#[derive(Deserialize)]
struct About {
    about: Option<String>,
}

async fn open(
    State(app): State<App>,
    person: SignedIn,
    reader: Reader,
    Query(About { about }): Query<About>,
) -> Response {
    let leaf = about.and_then(|leaf| leaf.parse::<Id<Leaf>>().ok());
    page(&app, &person, &reader, leaf, Vec::new()).await
}

async fn page(
    app: &App,
    person: &SignedIn,
    reader: &Reader,
    leaf: Option<Id<Leaf>>,
    wrong: Vec<FieldError>,
) -> Response {
    let (name, shown) = match read_requests(app, person.session.citizen).await {
        Ok(found) => found,
        Err(error) => return failed(reader, &error),
    };
    let status = if wrong.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = Page::new(reader, "request-title").signed_in(name, Some(person.form_token())).refused(wrong);
    let view = RequestsView {
        lines: shown.iter().map(|request| line(&page, request)).collect(),
        kinds: kinds(&page),
        leaf: leaf.map(|leaf| leaf.to_string()),
        form_token: person.form_token(),
        page: &page,
    };
    show(status, &page, &view)
}

/// What can be asked; an entry is disputed from the history.
fn kinds(page: &Page) -> Vec<(&'static str, String, String)> {
    let asked = Kind::ALL.into_iter().filter(|kind| *kind != Kind::Dispute);
    let text = |key: String| page.t(&key).into_owned();
    asked
        .map(|kind| {
            let word = kind.word();
            (word, text(format!("request-{word}")), text(format!("request-{word}-means")))
        })
        .collect()
}

/// A request, line by line.
pub fn line(page: &Page, shown: &RequestShown) -> Line {
    let row = &shown.row;
    let text = |key: &str| page.t(key).into_owned();
    let (state, tag) = match row.state {
        _ if shown.late => (text("request-late"), "bad"),
        Stands::Filed => (text("request-state-filed"), "warn"),
        Stands::Acknowledged => (text("request-state-acknowledged"), "warn"),
        Stands::Granted { .. } => (text("request-state-granted"), "ok"),
        Stands::Declined { .. } => (text("request-state-declined"), ""),
    };
    let mut facts = vec![
        (text("request-filed-at"), display_vi(row.filed_at)),
        (text("request-acknowledge-by"), row.clock.acknowledge_by.display_vi()),
        (text("request-decide-by"), row.clock.decide_by.display_vi()),
    ];
    if row.extended {
        facts.push((text("request-extended"), text("request-extended-once")));
    }
    if let Some(leaf) = row.leaf {
        facts.push((text("request-entry"), leaf.to_string()));
    }
    facts.push((text("request-words"), shown.words.clone()));
    if let Some(answer) = &shown.answer {
        facts.push((text("request-answer"), answer.clone()));
    }
    Line { title: text(&format!("request-{}", row.kind.word())), state, tag, facts }
}

#[derive(Deserialize)]
struct NewForm {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    leaf: String,
    #[serde(default)]
    words: String,
}

async fn file(
    State(app): State<App>,
    reader: Reader,
    SentForm { signed_in: person, form }: SentForm<NewForm>,
) -> Response {
    let leaf = form.leaf.parse::<Id<Leaf>>().ok();
    let wrong =
        |field: &'static str, key: &str| vec![FieldError { field, message: Page::new(&reader, key).title }];
    let Some(kind) = Kind::of(&form.kind) else {
        return page(&app, &person, &reader, leaf, wrong("kind", "request-wrong-kind")).await;
    };
    let new = NewRequest { kind, leaf, words: form.words };
    match file_request(&app, person.session.citizen, &new).await {
        Ok(_) => Redirect::to("/me/requests").into_response(),
        Err(Error::Refused(_)) => {
            page(&app, &person, &reader, leaf, wrong("words", "request-wrong-words")).await
        }
        Err(error) => failed(&reader, &error),
    }
}
