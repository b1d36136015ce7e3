//! `/board/statements/{id}`: every telling of a day by its bank, and what each changed.

use super::board::{failed, name, role};
use super::page::{Page, Reader, show, show_status};
use crate::app::App;
use crate::base::{
    calendar::display_vi,
    id::{Id, Statement},
    money::Money,
};
use crate::flow::revise_statement::{Tellings, read_tellings};
use crate::http::session::SignedIn;
use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;

/// The routes.
pub fn routes() -> Router<App> {
    Router::new().route("/board/statements/{id}", get(open))
}

async fn open(
    State(app): State<App>,
    signed_in: SignedIn,
    reader: Reader,
    Path(id): Path<String>,
) -> Response {
    let Ok(id) = id.parse::<Id<Statement>>() else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    let found = match read_tellings(&app, signed_in.session.citizen, id).await {
        Ok(found) => found,
        Err(error) => return failed(&reader, &error),
    };
    let mut page = Page::new(&reader, "reconciliation-tellings")
        .signed_in(found.reader.clone(), Some(signed_in.form_token()))
        .wide();
    page.title = page.with("reconciliation-tellings-of", &[("day", found.day.display_vi().into())]);
    let view = TellingsView {
        agency: name(reader.lang, &found.agency).to_owned(),
        role: role(&page, found.agency.acts),
        lines: format!("/board/statements/{id}/lines"),
        tellings: found.tellings.iter().map(|telling| Telling::of(&page, telling)).collect(),
        page: &page,
        found: &found,
    };
    show(StatusCode::OK, &page, &view)
}

#[derive(Template)]
#[template(path = "pages/board_revisions.html")]
struct TellingsView<'a> {
    page: &'a Page,
    found: &'a Tellings,
    agency: String,
    role: String,
    lines: String,
    tellings: Vec<Telling>,
}

/// One telling of the day.
struct Telling {
    title: String,
    opening: String,
    closing: String,
    lines: i32,
    digest: String,
    changed: Vec<(String, i32, String, String)>,
}

impl Telling {
    fn of(page: &Page, telling: &crate::flow::revise_statement::Telling) -> Self {
        let number = telling.version.to_string();
        let changed = telling.changed.iter().map(|line| {
            let word = if line.came { "reconciliation-line-came" } else { "reconciliation-line-went" };
            (page.t(word).into_owned(), line.number, line.reference.clone(), line.amount.display_vi())
        });
        Self {
            title: page.with(
                "reconciliation-telling",
                &[("number", number.into()), ("at", display_vi(telling.at).into())],
            ),
            opening: Money::vnd(telling.balances.0).display_vi(),
            closing: Money::vnd(telling.balances.1).display_vi(),
            lines: telling.lines,
            digest: hex::encode(telling.digest),
            changed: changed.collect(),
        }
    }
}
