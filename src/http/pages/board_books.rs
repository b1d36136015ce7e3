//! `/board/books`: what each account of the books holds, and the declaration of a month's fees, to read and to print.

use super::board::{failed, name};
use super::page::{Page, Reader, show, show_status};
use crate::app::App;
use crate::base::id::{Agency, Id};
use crate::flow::{
    declare_fees::Period,
    read_books::{Books, read_books},
};
use crate::http::session::SignedIn;
use crate::http::tree::{Trees, Whole, trees};
use crate::text::Texts;
use askama::Template;
use axum::Router;
use axum::extract::{Query, State as AppState};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;

/// The route.
pub fn routes() -> Router<App> {
    Router::new().route("/board/books", get(open))
}

#[derive(Deserialize)]
struct BooksQuery {
    agency: Option<String>,
    period: Option<String>,
}

impl BooksQuery {
    /// `None` when something in it cannot be read.
    fn read(&self) -> Option<(Option<Id<Agency>>, Option<Period>)> {
        let agency = self.agency.as_deref().map(str::parse::<Id<Agency>>).transpose().ok()?;
        let period = match self.period.as_deref().filter(|period| !period.is_empty()) {
            Some(period) => Some(Period::parse(period)?),
            None => None,
        };
        Some((agency, period))
    }
}

#[derive(Template)]
#[template(path = "pages/board_books.html")]
struct BooksView<'a> {
    page: &'a Page,
    agency: String,
    id: String,
    trees: Trees,
    whole: bool,
    period: String,
    balanced: bool,
    unplaced: u64,
    accounts: Vec<(String, String, String)>,
    fees: Vec<[String; 6]>,
    sums: [String; 3],
    agrees: bool,
}

async fn open(
    AppState(app): AppState<App>,
    signed_in: SignedIn,
    reader: Reader,
    Whole(whole): Whole,
    Query(query): Query<BooksQuery>,
) -> Response {
    let Some((agency, period)) = query.read() else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    match read_books(&app, signed_in.session.citizen, (agency, whole), period).await {
        Ok(books) => show_books(&reader, &books, whole),
        Err(error) => failed(&reader, &error),
    }
}

fn show_books(reader: &Reader, books: &Books, whole: bool) -> Response {
    let page = Page::new(reader, "books-title");
    let lang = page.lang;
    let declared = &books.declaration;
    let amount = |of: &serde_json::Value| {
        let dong = of["amount"].as_str().and_then(|text| text.parse().ok()).unwrap_or(0);
        crate::base::money::Money::vnd(dong).display_vi()
    };
    let word = |of: &serde_json::Value| of.as_str().unwrap_or("—").to_owned();
    let accounts = books.trial.rows.iter().map(|(account, balance)| {
        let key = format!("books-account-{}", account.account.kind().replace('_', "-"));
        let real =
            account.real.as_ref().map(|(bank, number, holder)| format!("{number} · {bank} · {holder}"));
        (Texts::embedded().get(lang, &key).into_owned(), real.unwrap_or_default(), balance.display_vi())
    });
    let fees = declared["fees"].as_array().into_iter().flatten().map(|fee| {
        let budget = format!("{} / {}", word(&fee["chapter"]), word(&fee["sub_item"]));
        let fee_name = format!("{} {}", word(&fee["fee"]), word(&fee["name_vi"]));
        [
            fee_name,
            budget,
            word(&fee["retained_basis"]),
            amount(&fee["collected"]),
            amount(&fee["retained"]),
            amount(&fee["remitted"]),
        ]
    });
    let view = BooksView {
        agency: name(lang, &books.agency).to_owned(),
        id: books.agency.id.to_string(),
        trees: trees(&page, "/board/books", &books.agency, whole),
        whole,
        period: format!("{} – {}", books.period.from.display_vi(), books.period.to.display_vi()),
        balanced: books.trial.sum.is_zero(),
        unplaced: books.trial.unplaced,
        accounts: accounts.collect(),
        fees: fees.collect(),
        sums: [amount(&declared["collected"]), amount(&declared["retained"]), amount(&declared["remitted"])],
        agrees: declared["agrees_with_books"] == true,
        page: &page,
    };
    show(StatusCode::OK, &page, &view)
}
