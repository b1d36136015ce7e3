//! `/slips/{reference}`: what a citizen takes home from a negative answer: who asked, what for, what to do now, and
//! that the answer alone is no ground to refuse a dossier. Nothing on it is about the person.

use super::page::{Page, Reader, show, show_status};
use crate::app::App;
use crate::base::{calendar::display_vi, reference::Reference, text::Lang};
use crate::flow::{
    Error,
    read_slip::{Slip, read_slip},
};
use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;

/// The page.
pub fn routes() -> Router<App> {
    Router::new().route("/slips/{reference}", get(open))
}

#[derive(Template)]
#[template(path = "pages/slip.html")]
struct SlipView<'a> {
    page: &'a Page,
    slip: &'a Slip,
    agency: &'a str,
    reference: String,
    at: String,
    result: String,
    next: String,
    office: String,
}

async fn open(State(app): State<App>, reader: Reader, Path(reference): Path<String>) -> Response {
    let Ok(reference) = reference.parse::<Reference>() else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    match read_slip(&app, reference).await {
        Ok(slip) => shown(&reader, &slip),
        Err(Error::NotFound(_)) => show_status(&reader, StatusCode::NOT_FOUND, None),
        Err(Error::Unavailable(_)) => show_status(&reader, StatusCode::SERVICE_UNAVAILABLE, None),
        Err(error) => {
            tracing::error!(?error, "a slip is not shown");
            show_status(&reader, StatusCode::INTERNAL_SERVER_ERROR, None)
        }
    }
}

fn shown(reader: &Reader, slip: &Slip) -> Response {
    let page = Page::new(reader, "check-slip-title");
    let of_state = |part: &str| page.t(&format!("check-slip-{part}-{}", slip.state.word())).into_owned();
    let view = SlipView {
        page: &page,
        slip,
        agency: if page.lang == Lang::Vi { &slip.agency.0 } else { &slip.agency.1 },
        reference: slip.reference.spaced(),
        at: display_vi(slip.at),
        result: of_state("result"),
        next: of_state("next"),
        office: of_state("office"),
    };
    show(StatusCode::OK, &page, &view)
}
