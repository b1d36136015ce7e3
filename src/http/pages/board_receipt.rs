//! `/board/receipts/{id}`: one receipt, where the bank shows its money, and the two ways of taking it back: by another one under
//! the right name, or by none. The auditor reads without the forms.

use super::board::{failed, name, role, said, status_of};
use super::page::{Called, FieldError, Page, Reader, show, show_status};
use super::receipt_name::wrong_name;
use crate::app::App;
use crate::base::{
    calendar::display_vi,
    id::{Id, Receipt},
    money::Money,
};
use crate::flow::{
    Error,
    read_receipt_file::{ReceiptFile, read_receipt_file, take_receipt_back},
    receipt_name::read_name,
    void_receipt::Reason,
};
use crate::http::sent::SentForm;
use crate::http::session::SignedIn;
use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use serde::Deserialize;

/// The routes.
pub fn routes() -> Router<App> {
    Router::new().route("/board/receipts/{id}", get(open).post(take_back))
}

async fn open(
    State(app): State<App>,
    signed_in: SignedIn,
    reader: Reader,
    Called(id): Called<Id<Receipt>>,
) -> Response {
    show_receipt(&app, &signed_in, &reader, id, None).await
}

#[derive(Deserialize)]
struct TakeBackForm {
    act: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    receipt_name: String,
    #[serde(default)]
    tax_code: String,
    #[serde(default)]
    address: String,
}

/// A refused form: its status, the field and what to do about it.
type Wrong = (StatusCode, &'static str, String);

async fn take_back(
    State(app): State<App>,
    reader: Reader,
    Path(id): Path<String>,
    SentForm { signed_in, form }: SentForm<TakeBackForm>,
) -> Response {
    let Ok(id) = id.parse::<Id<Receipt>>() else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    let named = match form.act.as_str() {
        "void" => Ok(None),
        "replace" => read_name(&form.receipt_name, &form.tax_code, &form.address).map(Some),
        _ => return show_status(&reader, StatusCode::BAD_REQUEST, Some("act")),
    };
    let done = match (named, Reason::parse(form.reason.trim())) {
        (Err(error), _) => Err(error),
        (Ok(_), Err(_)) => {
            let field = if form.act == "void" { "void_reason" } else { "reason" };
            let message = Page::new(&reader, "trace-reason-error").title;
            let wrong = (StatusCode::UNPROCESSABLE_ENTITY, field, message);
            return show_receipt(&app, &signed_in, &reader, id, Some(wrong)).await;
        }
        (Ok(name), Ok(reason)) => {
            take_receipt_back(&app, signed_in.session.citizen, id, (name.as_ref(), &reason)).await
        }
    };
    match done {
        Ok(holds) => Redirect::to(&format!("/board/receipts/{holds}")).into_response(),
        Err(error @ (Error::Conflict(_) | Error::Refused(_) | Error::Unavailable(_))) => {
            let (field, message) = refusal(&reader, &error);
            let wrong = (status_of(&error), field, message);
            show_receipt(&app, &signed_in, &reader, id, Some(wrong)).await
        }
        Err(error) => failed(&reader, &error),
    }
}

/// The field that a refusal is about, and what to do about it.
fn refusal(reader: &Reader, error: &Error) -> (&'static str, String) {
    let Error::Refused(refusal) = error else { return ("reason", said(reader.lang, error.code())) };
    let (field, key) = wrong_name(refusal);
    (field, Page::new(reader, key).title)
}

async fn show_receipt(
    app: &App,
    signed_in: &SignedIn,
    reader: &Reader,
    id: Id<Receipt>,
    wrong: Option<Wrong>,
) -> Response {
    let file = match read_receipt_file(app, signed_in.session.citizen, id).await {
        Ok(file) => file,
        Err(error) => return failed(reader, &error),
    };
    let mut page =
        Page::new(reader, "receipts-title").signed_in(file.reader.clone(), Some(signed_in.form_token()));
    page.title = page.with("trace-receipt-title", &[("number", file.receipt.number.as_str().into())]);
    let status = wrong.as_ref().map_or(StatusCode::OK, |wrong| wrong.0);
    let errors = wrong.into_iter().map(|(_, field, message)| FieldError { field, message }).collect();
    let page = page.refused(errors);
    let view = ReceiptView {
        agency: name(reader.lang, &file.agency).to_owned(),
        role: role(&page, file.agency.acts),
        facts: facts(&page, &file),
        lines: lines(&file),
        state: state(&page, &file),
        void: file.void.as_ref().map(|void| void.reason.clone()),
        shown: shown(&page, &file),
        check: format!("/receipts/{}?code={}", file.receipt.number, file.check_code),
        acts: file.agency.acts && file.void.is_none(),
        form_token: signed_in.form_token(),
        page: &page,
        file: &file,
    };
    show(status, &page, &view)
}

#[derive(Template)]
#[template(path = "pages/board_receipt.html")]
struct ReceiptView<'a> {
    page: &'a Page,
    file: &'a ReceiptFile,
    agency: String,
    role: String,
    facts: Vec<(String, String)>,
    /// Each line: fee, name and amount.
    lines: Vec<(String, String, String)>,
    /// Whether it holds: how that looks, and in words.
    state: (&'static str, String),
    void: Option<String>,
    /// Where the bank shows its money: address and words.
    shown: Option<(String, String)>,
    check: String,
    acts: bool,
    form_token: String,
}

fn facts(page: &Page, file: &ReceiptFile) -> Vec<(String, String)> {
    let (receipt, content) = (&file.receipt, &file.content);
    let facts = [
        ("receipt-payer", Some(content.payer.clone())),
        ("receipt-payer-tax", content.payer_tax.clone()),
        ("receipt-payer-address", content.payer_address.clone()),
        ("receipt-dossier", Some(content.dossier.clone())),
        ("receipt-reference", Some(content.reference.clone())),
        ("receipt-form", Some(content.form().to_owned())),
        ("receipt-series", Some(content.number.series())),
        ("receipts-kind", Some(page.t(&format!("receipt-kind-{}", receipt.kind.as_str())).into_owned())),
        ("receipt-made-at", Some(display_vi(receipt.issued_at))),
        ("receipt-total", Some(receipt.amount.display_vi())),
        ("receipt-replaces", content.replaces.as_ref().map(|(number, _)| number.to_string())),
    ];
    facts.into_iter().filter_map(|(key, value)| Some((page.t(key).into_owned(), value?))).collect()
}

fn lines(file: &ReceiptFile) -> Vec<(String, String, String)> {
    let lines = file.content.lines.iter();
    lines
        .map(|(fee, name, _, amount)| (fee.clone(), name.clone(), Money::vnd(*amount).display_vi()))
        .collect()
}

fn state(page: &Page, file: &ReceiptFile) -> (&'static str, String) {
    match &file.receipt.void {
        None => ("ok", page.t("receipts-state-valid").into_owned()),
        Some((_, Some(by))) => {
            ("bad", page.with("receipts-state-replaced", &[("number", by.as_str().into())]))
        }
        Some((_, None)) => ("bad", page.t("receipts-state-void").into_owned()),
    }
}

fn shown(page: &Page, file: &ReceiptFile) -> Option<(String, String)> {
    let (statement, day, number) = file.shown.as_ref()?;
    let href = format!("/board/statements/{statement}/lines?after={}#line-{number}", number - 1);
    let args = [("day", day.display_vi().into()), ("number", number.to_string().into())];
    Some((href, page.with("trace-shown", &args)))
}
