//! `/exemptions/{id}`: the notice that a dossier owes nothing, for whoever holds its check code: to print, and to check.

use super::page::{Page, Reader, show, show_status};
use crate::app::App;
use crate::base::{calendar::display_vi, clock::Instant, money::Money};
use crate::flow::{
    Error,
    notify_exemption::{Notice, open_exemption},
};
use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use serde_json::Value;
use time::format_description::well_known::Rfc3339;

/// The page.
pub fn routes() -> Router<App> {
    Router::new().route("/exemptions/{id}", get(open))
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    code: String,
}

async fn open(
    State(app): State<App>,
    reader: Reader,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Response {
    let Ok(id) = id.parse() else { return show_status(&reader, StatusCode::NOT_FOUND, None) };
    match open_exemption(&app, id, &asked.code).await {
        Ok(notice) => shown(&reader, &notice),
        Err(Error::NotFound(_)) => show_status(&reader, StatusCode::NOT_FOUND, None),
        Err(error) => super::board::failed(&reader, &error),
    }
}

#[derive(Template)]
#[template(path = "pages/exemption.html")]
struct ExemptionView<'a> {
    page: &'a Page,
    agency: &'a str,
    facts: Vec<(String, String)>,
    lines: Vec<(String, String)>,
    code: &'a str,
}

fn shown(reader: &Reader, notice: &Notice) -> Response {
    let page = Page::new(reader, "exemption-title");
    let content = &notice.content;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let at = Instant::parse(&text(&content["issued_at"]), &Rfc3339).map(display_vi).unwrap_or_default();
    let facts = [
        ("payment-dossier", text(&content["dossier"])),
        ("exemption-procedure", text(&content["procedure"]["name"])),
        ("payment-applicant", text(&content["applicant"])),
        ("exemption-at", at),
    ];
    let dong = |money: &Value| {
        Money::vnd(money["amount"].as_str().and_then(|amount| amount.parse().ok()).unwrap_or(0)).display_vi()
    };
    let lines = content["lines"].as_array().into_iter().flatten().map(|line| {
        let named = format!("{} ({})", text(&line["name"]), text(&line["legal_basis"]));
        (named, format!("{} → {}", dong(&line["gross"]), dong(&line["amount"])))
    });
    let view = ExemptionView {
        agency: content["agency"]["name"].as_str().unwrap_or_default(),
        facts: facts.into_iter().map(|(key, value)| (page.t(key).into_owned(), value)).collect(),
        lines: lines.collect(),
        code: &notice.code,
        page: &page,
    };
    show(StatusCode::OK, &page, &view)
}
