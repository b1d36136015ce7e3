//! `/me`: the citizen's own page: who asked, who was told, what was decided, and the proof of each to keep.

use super::page::{Page, Reader, show, show_error, show_status};
use crate::app::App;
use crate::base::{
    calendar::display_vi,
    id::{Id, Leaf},
    page::PageRequest,
    text::Lang,
};
use crate::codec::receipt_content::check_code;
use crate::crypto::digest::Digest;
use crate::flow::{
    Error,
    read_history::{Entry, prove_entry, read_history},
};
use crate::http::{api::receipts::attachment, session::SignedIn};
use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Value, json};

/// The page and the proofs.
pub fn routes() -> Router<App> {
    Router::new().route("/me", get(history)).route("/me/history/{leaf}/proof", get(proof))
}

#[derive(Template)]
#[template(path = "pages/me.html")]
struct HistoryView<'a> {
    page: &'a Page,
    entries: Vec<Line>,
    next: Option<String>,
}

struct Line {
    what: String,
    at: String,
    agency: Option<String>,
    facts: Vec<(String, String)>,
    /// Receipts: each number, and the page that shows it.
    receipts: Vec<(String, String)>,
    proof: String,
    dispute: String,
}

#[derive(Deserialize)]
struct After {
    after: Option<String>,
}

async fn history(
    State(app): State<App>,
    person: SignedIn,
    reader: Reader,
    Query(After { after }): Query<After>,
) -> Response {
    let after: Option<Id<Leaf>> = after.and_then(|after| after.parse().ok());
    let Some(page) = PageRequest::new(after, Some(50)) else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    match read_history(&app, person.session.citizen, &page).await {
        Ok(found) => {
            let page = Page::new(&reader, "me-title").signed_in(found.name, Some(person.form_token()));
            let entries = found.entries.iter().map(|entry| line(&page, entry)).collect();
            let next = found.next.map(|next| format!("/me?after={next}"));
            show(StatusCode::OK, &page, &HistoryView { page: &page, entries, next })
        }
        Err(error) => failed(&reader, &error),
    }
}

/// The members of an entry's details that are shown, in this order.
const FACTS: [&str; 18] = [
    "purpose",
    "legal_basis",
    "procedure",
    "dossier",
    "officer",
    "name",
    "state",
    "step",
    "verdict",
    "scope",
    "portal",
    "last_day",
    "principal",
    "delegate",
    "right",
    "amount",
    "payer",
    "decide_by",
];

fn line(page: &Page, entry: &Entry) -> Line {
    let key = format!("me-{}", entry.kind.replace('.', "-"));
    let facts = FACTS.into_iter().filter_map(|name| {
        let value = entry.details[name].as_str()?;
        let value = match name {
            "state" => page.t(&format!("me-state-{value}")).into_owned(),
            "step" => page.t(&format!("refund-state-{value}")).into_owned(),
            "verdict" => page.t(&format!("card-verdict-{value}")).into_owned(),
            "scope" => page.t(&format!("lock-scope-{value}")).into_owned(),
            "right" => right(page, value),
            _ => value.to_owned(),
        };
        Some((page.t(&format!("me-fact-{name}")).into_owned(), value))
    });
    let asked: Option<Vec<&str>> = match (&entry.details["attributes"], &entry.details["claims"]) {
        (Value::Object(graded), _) => Some(graded.keys().map(String::as_str).collect()),
        (_, Value::Array(told)) => Some(told.iter().filter_map(Value::as_str).collect()),
        _ => None,
    };
    let asked = asked.map(|asked| {
        let labels: Vec<_> = asked.into_iter().map(|word| page.t(&label(word))).collect();
        (page.t("me-fact-claims").into_owned(), labels.join(", "))
    });
    let acting = entry.details["acting"]["name"].as_str().map(|name| {
        let said =
            entry.details["acting"]["right"].as_str().map(|word| right(page, word)).unwrap_or_default();
        (page.t("me-fact-acting").into_owned(), format!("{name} ({said})"))
    });
    Line {
        what: page.t(&key).into_owned(),
        at: display_vi(entry.at),
        agency: entry.agency.as_ref().map(|(vi, en)| if page.lang == Lang::Vi { vi } else { en }.clone()),
        facts: facts.chain(acting).chain(asked).collect(),
        receipts: receipts(entry),
        proof: format!("/me/history/{}/proof", entry.leaf),
        dispute: format!("/me/requests?about={}", entry.leaf),
    }
}

/// The receipts that an entry names, each with the page that its check code opens.
fn receipts(entry: &Entry) -> Vec<(String, String)> {
    let named = entry.details["receipts"].as_array().into_iter().flatten().filter_map(|receipt| {
        let number = receipt["receipt"].as_str()?;
        let digest: Digest = hex::decode(receipt["content_sha256"].as_str()?).ok()?.try_into().ok()?;
        Some((number.to_owned(), format!("/receipts/{number}?code={}", check_code(&digest))))
    });
    named.collect()
}

/// By what right somebody acts, or what is asked of one's data.
fn right(page: &Page, word: &str) -> String {
    match word {
        "mandate" | "parent" | "guardian" => page.t(&format!("me-right-{word}")).into_owned(),
        other => page.t(&format!("request-{other}")).into_owned(),
    }
}

/// What a claim is called on pages; agencies and portals have their own words for some.
fn label(word: &str) -> String {
    let claim = match word {
        "birth_date" => "birthdate",
        "sex" => "gender",
        "phone" => "phone_number",
        "province" => "address",
        other => other,
    };
    format!("claim-{claim}")
}

async fn proof(
    State(app): State<App>,
    person: SignedIn,
    reader: Reader,
    Path(leaf): Path<String>,
) -> Response {
    let Ok(leaf) = leaf.parse::<Id<Leaf>>() else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    match prove_entry(&app, person.session.citizen, leaf).await {
        Ok(evidence) => {
            let status = if evidence.is_some() { "included" } else { "pending" };
            let file = json!({ "status": status, "evidence": evidence }).to_string();
            attachment("application/json", &format!("{leaf}.proof.json"), file.into_bytes())
        }
        Err(error) => failed(&reader, &error),
    }
}

/// The page of an act of the citizen's that was not done: where there is advice, it says what to do instead.
pub fn failed(reader: &Reader, error: &Error) -> Response {
    if let Error::Internal(cause) = error {
        tracing::error!(?cause, "a citizen's page failed");
    }
    let (status, code) = (super::board::status_of(error), error.code());
    match error {
        Error::Refused(_) | Error::Conflict(_) | Error::Forbidden(_) => {
            let page = Page::new(reader, "me-not-done");
            show_error(status, &page, &super::board::said(reader.lang, code), Some(code))
        }
        Error::NotFound(_) | Error::Unavailable(_) | Error::Internal(_) => show_status(reader, status, None),
    }
}
