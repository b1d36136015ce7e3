//! Asking for money back at `/board/refunds`: of a paid bill as a whole, an amount of it or line by line, and of money in suspense.

use super::board::{failed, said, status_of};
use super::board_refunds::{named, reasons_of_bills, show_all};
use super::page::{Page, Reader, show};
use crate::app::App;
use crate::base::{
    id::{Agency, Case, Id},
    money::{Currency, Money},
    text::Line,
};
use crate::flow::{
    Error,
    read_refundable::{Refundable, read_refundable},
    request_refund::{NewRefund, Of, bill_named, request_refund},
};
use crate::http::sent::SentForm;
use crate::http::session::SignedIn;
use crate::payment::{
    bill::BillLine,
    refund::{Extent, Reason},
};
use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;

/// The routes.
pub fn routes() -> Router<App> {
    Router::new().route("/board/refunds", post(ask)).route("/board/refunds/lines", get(lines))
}

#[derive(Deserialize)]
struct AskForm {
    agency: String,
    #[serde(default)]
    reference: String,
    /// Money in suspense, in the bill's place.
    #[serde(default)]
    case: String,
    #[serde(default)]
    amount: String,
    /// An amount for each line in its order; empty where nothing of it goes back.
    #[serde(default)]
    part: Vec<String>,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    words: String,
    work_begun: Option<String>,
    in_cash: Option<String>,
}

async fn ask(
    State(app): State<App>,
    reader: Reader,
    SentForm { signed_in, form }: SentForm<AskForm>,
) -> Response {
    let asked = match read(&app, &signed_in, &form).await {
        Ok((agency, new)) => request_refund(&app, agency, &new, None).await,
        Err(error) => Err(error),
    };
    match asked {
        Ok(refund) => {
            // Money in several places makes a refund for each: the list shows them all.
            let apart = refund["apart"].as_array().is_some_and(|others| !others.is_empty());
            let id = refund["id"].as_str().filter(|_| !apart);
            let page = id.map_or("/board/refunds".to_owned(), |id| format!("/board/refunds/{id}"));
            Redirect::to(&page).into_response()
        }
        Err(error @ Error::Internal(_)) => failed(&reader, &error),
        Err(error) => {
            let wrong = (status_of(&error), said(reader.lang, error.code()));
            show_all(&app, &signed_in, &reader, Some(wrong)).await
        }
    }
}

/// What the form asks for.
async fn read(app: &App, signed_in: &SignedIn, form: &AskForm) -> Result<(Id<Agency>, NewRefund), Error> {
    let unread = || Error::refused("invalid_body");
    let agency: Id<Agency> = form.agency.parse().map_err(|_| Error::not_found())?;
    let of = if form.case.is_empty() {
        Of::Bill(bill_named(app, agency, &form.reference).await?)
    } else {
        Of::Case(form.case.parse::<Id<Case>>().map_err(|_| Error::not_found())?)
    };
    let parts = form.part.iter().enumerate().filter_map(|(line, text)| Some((line, dong(text).transpose()?)));
    let parts: Vec<(usize, Money)> =
        parts.map(|(line, amount)| Ok((line, amount?))).collect::<Result<_, Error>>()?;
    let extent = match (dong(&form.amount)?, parts.is_empty()) {
        (None, true) => Extent::Whole,
        (Some(amount), true) => Extent::Amount(amount),
        (None, false) => Extent::Lines(parts),
        (Some(_), false) => return Err(unread()),
    };
    let new = NewRefund {
        of,
        extent,
        reason: Reason::named(&form.reason).ok_or_else(unread)?,
        words: Line::parse(&form.words).map_err(|_| unread())?,
        in_cash: form.in_cash.is_some(),
        work_begun: form.work_begun.is_some(),
        officer: signed_in.session.citizen,
    };
    Ok((agency, new))
}

/// Whole đồng, with or without dots between the thousands; nothing where nothing was typed.
fn dong(text: &str) -> Result<Option<Money>, Error> {
    let digits: String = text.chars().filter(|c| !matches!(c, '.' | ' ')).collect();
    if digits.is_empty() {
        return Ok(None);
    }
    Money::parse(&digits, Currency::Vnd).map(Some).map_err(|_| Error::refused("invalid_body"))
}

#[derive(Deserialize)]
struct LinesQuery {
    #[serde(default)]
    reference: String,
}

async fn lines(
    State(app): State<App>,
    signed_in: SignedIn,
    reader: Reader,
    Query(query): Query<LinesQuery>,
) -> Response {
    let of = match read_refundable(&app, signed_in.session.citizen, &query.reference).await {
        Ok(of) => of,
        Err(error @ Error::Internal(_)) => return failed(&reader, &error),
        Err(error) => {
            let wrong = (status_of(&error), said(reader.lang, error.code()));
            return show_all(&app, &signed_in, &reader, Some(wrong)).await;
        }
    };
    let page = Page::new(&reader, "refund-lines-title")
        .signed_in(of.reader.clone(), Some(signed_in.form_token()))
        .wide();
    let line = |(line, left): &(BillLine, Money)| Row {
        fee: line.fee.to_string(),
        name: line.name.of(reader.lang).to_string(),
        charged: line.amount.display_vi(),
        left: left.display_vi(),
    };
    let view = LinesView {
        agency: named(&reader, &of.place),
        rows: of.lines.iter().map(line).collect(),
        reasons: reasons_of_bills(&page),
        form_token: signed_in.form_token(),
        of: &of,
        page: &page,
    };
    show(StatusCode::OK, &page, &view)
}

/// One line of the bill.
struct Row {
    fee: String,
    name: String,
    charged: String,
    left: String,
}

#[derive(Template)]
#[template(path = "pages/board_refund_lines.html")]
struct LinesView<'a> {
    page: &'a Page,
    of: &'a Refundable,
    agency: String,
    rows: Vec<Row>,
    reasons: Vec<(&'static str, String)>,
    form_token: String,
}
