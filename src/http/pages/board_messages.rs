//! `/board/messages`: what the agency's SMS cost in a month, by kind, and how much of the month is used.

use super::board::{failed, name, role};
use super::page::{Page, Reader, show, show_status};
use crate::app::App;
use crate::base::{
    calendar::Day,
    id::{Agency, Id},
    money::Money,
};
use crate::flow::read_messages::{MessagesShown, read_messages_as_officer};
use crate::http::session::SignedIn;
use crate::http::tree::{Trees, Whole, trees};
use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;

/// The route.
pub fn routes() -> Router<App> {
    Router::new().route("/board/messages", get(open))
}

#[derive(Deserialize)]
struct MessagesQuery {
    agency: Option<String>,
    month: Option<String>,
}

impl MessagesQuery {
    /// `None` when something in it cannot be read.
    fn read(&self) -> Option<(Option<Id<Agency>>, Option<Day>)> {
        let agency = self.agency.as_deref().map(str::parse::<Id<Agency>>).transpose().ok()?;
        let month = self.month.as_deref().filter(|month| !month.is_empty());
        let month = month.map(|month| format!("{month}-01").parse::<Day>()).transpose().ok()?;
        Some((agency, month))
    }
}

#[derive(Template)]
#[template(path = "pages/board_messages.html")]
struct MessagesView<'a> {
    page: &'a Page,
    agency: String,
    role: String,
    id: String,
    trees: Trees,
    whole: bool,
    month: String,
    /// What was sent: kind, segments, cost.
    rows: Vec<[String; 3]>,
    segments: i64,
    segments_max: i64,
    /// What was used, how much there is, and what it cost.
    lead: String,
}

async fn open(
    State(app): State<App>,
    signed_in: SignedIn,
    reader: Reader,
    Whole(whole): Whole,
    Query(query): Query<MessagesQuery>,
) -> Response {
    let Some((agency, month)) = query.read() else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    match read_messages_as_officer(&app, signed_in.session.citizen, (agency, whole), month).await {
        Ok(shown) => show_messages(&reader, &shown, whole),
        Err(error) => failed(&reader, &error),
    }
}

fn show_messages(reader: &Reader, shown: &MessagesShown, whole: bool) -> Response {
    let page = Page::new(reader, "sms-report-title");
    let dong = |amount: i64| Money::vnd(amount).display_vi();
    let rows = shown.lines.iter().map(|line| {
        let kind = page.t(&format!("sms-report-kind-{}", line.kind.replace(['.', '_'], "-")));
        [kind.into_owned(), grouped(line.segments), dong(line.cost)]
    });
    let segments: i64 = shown.lines.iter().map(|line| line.segments).sum();
    let cost = dong(shown.lines.iter().map(|line| line.cost).sum());
    let used = [("segments", grouped(segments)), ("most", grouped(shown.segments_max)), ("cost", cost)];
    let used = used.map(|(name, text)| (name, text.into()));
    let view = MessagesView {
        agency: name(page.lang, &shown.agency).to_owned(),
        role: role(&page, shown.agency.acts),
        id: shown.agency.id.to_string(),
        trees: trees(&page, "/board/messages", &shown.agency, whole),
        whole,
        month: shown.month.to_string()[..7].to_owned(),
        rows: rows.collect(),
        lead: page.with("sms-report-used", &used),
        segments,
        segments_max: shown.segments_max,
        page: &page,
    };
    show(StatusCode::OK, &page, &view)
}

/// A count with its thousands apart, as money is written.
pub(super) fn grouped(count: i64) -> String {
    Money::vnd(count).display_vi().trim_end_matches("\u{a0}đ").to_owned()
}
