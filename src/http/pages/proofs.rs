//! `/pay/{reference}/documents`: the slips that pay the budget and the notice of exemption, for whoever holds the
//! reference. Receipts have pages of their own.

use super::page::{Page, Reader, show, show_status};
use crate::app::App;
use crate::base::{calendar::display_vi, money::Money, reference::Reference, text::Lang};
use crate::flow::{
    Error,
    read_proofs::{Sheets, read_sheets},
};
use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde_json::Value;

/// The routes.
pub fn routes() -> Router<App> {
    Router::new().route("/pay/{reference}/documents", get(open))
}

async fn open(State(app): State<App>, reader: Reader, Path(reference): Path<String>) -> Response {
    let Ok(reference) = reference.parse::<Reference>() else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    let sheets = match read_sheets(&app, &reference).await {
        Ok(sheets) => sheets,
        Err(Error::NotFound(_)) => return show_status(&reader, StatusCode::NOT_FOUND, None),
        Err(error) => return super::board::failed(&reader, &error),
    };
    let page = Page::new(&reader, "proof-title");
    let (vi, en) = &sheets.checkout.agency;
    let view = SheetsView {
        agency: if page.lang == Lang::En { en.clone() } else { vi.clone() },
        shown: sheets.items.iter().map(|item| Sheet::of(&page, &sheets, item)).collect(),
        page: &page,
        sheets: &sheets,
    };
    show(StatusCode::OK, &page, &view)
}

#[derive(Template)]
#[template(path = "pages/proofs.html")]
struct SheetsView<'a> {
    page: &'a Page,
    sheets: &'a Sheets,
    agency: String,
    shown: Vec<Sheet>,
}

/// One document.
struct Sheet {
    title: String,
    note: String,
    amount: String,
    facts: Vec<(String, String)>,
    lines: Vec<(String, String)>,
}

impl Sheet {
    fn of(page: &Page, sheets: &Sheets, item: &Value) -> Self {
        let word = item["document"].as_str().unwrap_or_default().replace('_', "-");
        let dong = |money: &Value| {
            let amount = money["amount"].as_str().and_then(|text| text.parse().ok()).unwrap_or(0);
            Money::vnd(amount).display_vi()
        };
        let name = |key: &str| page.t(key).into_owned();
        let text = |of: &str| item["slip"][of].as_str().map(str::to_owned);
        let of_invoice = |of: &str| item["invoice"][of].as_str().map(str::to_owned);
        let own = !item["paid_at"].is_null();
        let holder = text("holder").zip(text("number")).zip(text("bank"));
        let facts = [
            ("proof-notice", text("notice")),
            ("proof-codes", {
                let codes = [text("chapter"), text("sub_item"), text("area")];
                codes.into_iter().collect::<Option<Vec<String>>>().map(|codes| codes.join(" / "))
            }),
            (
                "proof-invoice-number",
                of_invoice("number").zip(of_invoice("serial")).map(|(n, s)| format!("{n} · {s}")),
            ),
            ("proof-invoice-date", of_invoice("date")),
            ("proof-invoice-seller", of_invoice("seller_tax_code")),
            ("proof-account", holder.map(|((holder, number), bank)| format!("{holder}, {number}, {bank}"))),
            ("payment-applicant", Some(sheets.checkout.applicant.clone())),
            ("proof-paid-at", own.then(|| display_vi(sheets.paid_at))),
            ("payment-reference", Some(sheets.checkout.reference.to_string())),
        ];
        let lines = item["lines"].as_array().into_iter().flatten().map(|line| {
            let named = line["name"]["vi"].as_str().unwrap_or_default();
            let basis = line["legal_basis"].as_str().unwrap_or_default();
            let said = if line["amount"]["amount"] == "0" {
                format!("{} → {}", dong(&line["gross"]), dong(&line["amount"]))
            } else {
                dong(&line["amount"])
            };
            (format!("{named} ({basis})"), said)
        });
        Self {
            title: name(&format!("proof-{word}")),
            note: name(&format!("proof-{word}-note")),
            amount: dong(&item["amount"]),
            facts: facts.into_iter().filter_map(|(key, value)| Some((name(key), value?))).collect(),
            lines: lines.collect(),
        }
    }
}
