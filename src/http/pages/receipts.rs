//! `/receipts`: whoever holds a receipt checks it, by what its QR code says or by its number and check code.
//!
//! The number is serial and therefore opens nothing by itself; the check code beside it does. What is pasted is read
//! to check it and is not kept.

use super::page::{FieldError, Page, Reader, show, show_error, show_status};
use crate::app::App;
use crate::audit::evidence::Evidence;
use crate::base::{calendar::display_vi, money::Money};
use crate::codec::{
    amount_in_words::dong_in_words,
    receipt_content::{Number, Proof, ReceiptContent, check_code},
};
use crate::crypto::keyring::Purpose;
use crate::flow::{
    Error,
    read_receipts::{Checked, check_receipt, open_receipt, prove_receipt},
    render_receipt::{Format, receipt_content, render_receipt},
};
use crate::http::api::receipts::attachment;
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Json, Router, routing::get};
use axum_extra::extract::Form;
use serde::Deserialize;

/// The routes.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/receipts", get(form).post(check))
        .route("/receipts/keys", get(keys))
        .route("/receipts/{number}", get(open))
        .route("/receipts/{number}/pdf", get(pdf))
        .route("/receipts/{number}/xml", get(xml))
        .route("/receipts/{number}/proof", get(proof))
}

/// The public keys that receipts, statements and tree heads are signed with, as a JWK set.
async fn keys(State(app): State<App>) -> Response {
    let cache = [(header::CACHE_CONTROL, "public, max-age=300")];
    (cache, Json(app.keys.jwks(Purpose::Record))).into_response()
}

async fn form(reader: Reader) -> Response {
    show_form(&reader, &Asked::default(), None)
}

#[derive(Default, Deserialize)]
struct Asked {
    #[serde(default)]
    content: String,
    #[serde(default)]
    number: String,
    #[serde(default)]
    code: String,
}

async fn check(State(app): State<App>, reader: Reader, Form(asked): Form<Asked>) -> Response {
    let (number, code) = (asked.number.trim(), asked.code.trim());
    if asked.content.trim().is_empty() {
        if number.is_empty() || code.is_empty() {
            return show_form(&reader, &asked, Some("receipt-check-nothing"));
        }
        let code: String = code.chars().filter(char::is_ascii_alphanumeric).collect();
        return match number.to_ascii_uppercase().parse::<Number>() {
            Ok(number) => Redirect::to(&format!("/receipts/{number}?code={code}")).into_response(),
            Err(_) => unknown(&reader),
        };
    }
    match check_receipt(&app, &asked.content).await {
        Ok((receipt, content)) => match prove_receipt(&app, &receipt).await {
            Ok(proof) => show_valid(&reader, &receipt, &content, place_of(&proof)),
            Err(error) => failed(&reader, &error),
        },
        Err(Error::Refused(refusal)) => {
            let page = Page::new(&reader, "receipt-invalid-title");
            let body = page.t("receipt-invalid-body");
            show_error(StatusCode::UNPROCESSABLE_ENTITY, &page, &body, Some(refusal.code))
        }
        Err(error) => failed(&reader, &error),
    }
}

#[derive(Deserialize)]
struct Code {
    #[serde(default)]
    code: String,
}

async fn open(
    State(app): State<App>,
    reader: Reader,
    Path(number): Path<String>,
    Query(Code { code }): Query<Code>,
) -> Response {
    let Ok(number) = number.parse::<Number>() else { return unknown(&reader) };
    if code.is_empty() {
        let asked = Asked { number: number.to_string(), ..Asked::default() };
        return show_form(&reader, &asked, None);
    }
    let shown = async {
        let receipt = open_receipt(&app, &number, &code).await?;
        let content = receipt_content(&app, &receipt).await?;
        let proof = prove_receipt(&app, &receipt).await?;
        Ok((receipt, content, place_of(&proof)))
    };
    match shown.await {
        Ok((receipt, content, place)) => show_valid(&reader, &receipt, &content, place),
        Err(error) => failed(&reader, &error),
    }
}

async fn pdf(state: State<App>, reader: Reader, number: Path<String>, code: Query<Code>) -> Response {
    file(state, reader, number, code, Format::Pdf).await
}

async fn xml(state: State<App>, reader: Reader, number: Path<String>, code: Query<Code>) -> Response {
    file(state, reader, number, code, Format::Xml).await
}

async fn file(
    State(app): State<App>,
    reader: Reader,
    Path(number): Path<String>,
    Query(Code { code }): Query<Code>,
    format: Format,
) -> Response {
    let Ok(number) = number.parse::<Number>() else { return unknown(&reader) };
    let made = async {
        let receipt = open_receipt(&app, &number, &code).await?;
        render_receipt(&app, &receipt, format).await
    };
    match made.await {
        Ok(bytes) => attachment(format.media_type(), &format!("{number}.{}", format.as_str()), bytes),
        Err(error) => failed(&reader, &error),
    }
}

async fn proof(
    State(app): State<App>,
    reader: Reader,
    Path(number): Path<String>,
    Query(Code { code }): Query<Code>,
) -> Response {
    let Ok(number) = number.parse::<Number>() else { return unknown(&reader) };
    let proven = async {
        let receipt = open_receipt(&app, &number, &code).await?;
        prove_receipt(&app, &receipt).await
    };
    match proven.await {
        Ok(proof) => {
            let bytes = serde_json::to_vec_pretty(&proof).unwrap_or_default();
            attachment("application/json", &format!("{number}.proof.json"), bytes)
        }
        Err(error) => failed(&reader, &error),
    }
}

fn failed(reader: &Reader, error: &Error) -> Response {
    match error {
        Error::NotFound(_) | Error::Refused(_) | Error::Conflict(_) | Error::Forbidden(_) => unknown(reader),
        Error::Unavailable(refusal) => {
            show_status(reader, StatusCode::SERVICE_UNAVAILABLE, Some(refusal.code))
        }
        Error::Internal(cause) => {
            tracing::error!(?cause, "a receipt page failed");
            show_status(reader, StatusCode::INTERNAL_SERVER_ERROR, Some("internal"))
        }
    }
}

fn unknown(reader: &Reader) -> Response {
    let page = Page::new(reader, "receipt-unknown-title");
    let body = page.t("receipt-unknown-body");
    show_error(StatusCode::NOT_FOUND, &page, &body, None)
}

fn show_form(reader: &Reader, asked: &Asked, wrong: Option<&str>) -> Response {
    let mut page = Page::new(reader, "receipt-check-title");
    let mut status = StatusCode::OK;
    if let Some(key) = wrong {
        let message = page.t(key).into_owned();
        page = page.refused(vec![FieldError { field: "content", message }]);
        status = StatusCode::UNPROCESSABLE_ENTITY;
    }
    show(status, &page, &FormView { page: &page, number: &asked.number, code: &asked.code })
}

/// The receipt's place in the log, counted from one as people count; none while it waits.
fn place_of(proof: &Proof<Evidence>) -> Option<u64> {
    proof.evidence.as_ref().map(|evidence| evidence.place + 1)
}

fn show_valid(reader: &Reader, receipt: &Checked, content: &ReceiptContent, place: Option<u64>) -> Response {
    let title = if receipt.void.is_some() { "receipt-void-title" } else { "receipt-valid-title" };
    let page = Page::new(reader, title);
    let code = check_code(&receipt.digest);
    let void = receipt.void.as_ref().map(|(at, replaced_by)| {
        let other = match replaced_by {
            Some(number) => page.with("receipt-void-replaced", &[("number", number.as_str().into())]),
            None => page.t("receipt-void-alone").into_owned(),
        };
        format!("{} {other}", page.with("receipt-void-body", &[("at", display_vi(*at).into())]))
    });
    let view = ValidView {
        lines: content.lines.iter().map(|l| (l.1.clone(), Money::vnd(l.3).display_vi())).collect(),
        total: content.total().display_vi(),
        words: dong_in_words(content.total.unsigned_abs()),
        at: content.issued_at().map_or_else(|| content.at.clone(), display_vi),
        kind: page.t(&format!("receipt-kind-{}", content.kind.as_str())).into_owned(),
        number: content.number.to_string(),
        place: place.map(|place| place.to_string()),
        page: &page,
        void,
        content,
        code: &code,
    };
    show(StatusCode::OK, &page, &view)
}

#[derive(Template)]
#[template(path = "pages/receipt_form.html")]
struct FormView<'a> {
    page: &'a Page,
    number: &'a str,
    code: &'a str,
}

#[derive(Template)]
#[template(path = "pages/receipt_valid.html")]
struct ValidView<'a> {
    page: &'a Page,
    content: &'a ReceiptContent,
    void: Option<String>,
    code: &'a str,
    number: String,
    kind: String,
    at: String,
    lines: Vec<(String, String)>,
    total: String,
    words: String,
    place: Option<String>,
}
