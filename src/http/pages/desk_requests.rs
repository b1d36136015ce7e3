//! `/desk/requests`: what citizens ask about their data, the most urgent first, answered by whoever must.

use super::me::failed;
use super::me_requests::{Line, line};
use super::page::{Page, Reader, show, show_status};
use crate::app::App;
use crate::base::id::{Id, SubjectRequest};
use crate::flow::subject_requests::{act_on_request, read_desk};
use crate::http::sent::SentForm;
use crate::http::session::SignedIn;
use crate::identity::subject_request::Event;
use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;

/// The routes.
pub fn routes() -> Router<App> {
    Router::new().route("/desk/requests", get(open)).route("/desk/requests/{request}", post(act))
}

#[derive(Template)]
#[template(path = "pages/desk_requests.html")]
struct DeskView<'a> {
    page: &'a Page,
    lines: Vec<(String, String, Line)>,
    form_token: String,
}

async fn open(State(app): State<App>, person: SignedIn, reader: Reader) -> Response {
    let (name, shown) = match read_desk(&app, person.session.citizen).await {
        Ok(found) => found,
        Err(error) => return failed(&reader, &error),
    };
    let page = Page::new(&reader, "desk-request-title").signed_in(name, Some(person.form_token()));
    let lines = shown
        .iter()
        .map(|request| (request.row.id.to_string(), request.person.clone(), line(&page, request)));
    let view = DeskView { lines: lines.collect(), form_token: person.form_token(), page: &page };
    show(StatusCode::OK, &page, &view)
}

#[derive(Deserialize)]
struct ActForm {
    act: String,
    #[serde(default)]
    words: String,
}

async fn act(
    State(app): State<App>,
    reader: Reader,
    Path(request): Path<String>,
    SentForm { signed_in: person, form }: SentForm<ActForm>,
) -> Response {
    let Ok(id) = request.parse::<Id<SubjectRequest>>() else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    let event = match form.act.as_str() {
        "acknowledge" => Event::Acknowledge,
        "extend" => Event::Extend,
        "grant" => Event::Grant,
        "decline" => Event::Decline,
        _ => return show_status(&reader, StatusCode::BAD_REQUEST, None),
    };
    match act_on_request(&app, person.session.citizen, id, event, &form.words).await {
        Ok(()) => Redirect::to("/desk/requests").into_response(),
        Err(error) => failed(&reader, &error),
    }
}
