//! `/desk`: the cashier's page. A shift from count to count; in it bills are paid in cash or by card, refunds are paid
//! out, cash is carried to the bank.

use super::board::{failed, said, status_of};
use super::board_refunds;
use super::page::{FieldError, Page, Reader, show, show_status};
use crate::app::App;
use crate::base::{
    calendar::display_vi,
    id::{Agency, Id, Refund},
    money::{Currency, Money},
    reference::Reference,
    text::{Lang, Line},
};
use crate::codec::amount_in_words::dong_in_words;
use crate::flow::{
    Error,
    checkout::{Checkout, read_checkout},
    desk::{Desk, Receiver, Tender, close_shift, deposit_cash, open_shift, pay_at_desk, pay_out, read_desk},
    read_receipts::paper_links,
};
use crate::http::session::{SignedIn, is_foreign};
use crate::payment::bill::Status;
use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum_extra::extract::{Form, Query};
use serde::Deserialize;

/// The routes.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/desk", get(open))
        .route("/desk/open", post(begin))
        .route("/desk/close", post(end))
        .route("/desk/deposits", post(deposit))
        .route("/desk/bill", get(bill).post(take))
        .route("/desk/refunds/{id}", post(refund))
}

async fn open(State(app): State<App>, signed_in: SignedIn, reader: Reader) -> Response {
    show_desk(&app, &signed_in, &reader, None, None).await
}

async fn show_desk(
    app: &App,
    signed_in: &SignedIn,
    reader: &Reader,
    wrong: Option<Error>,
    note: Option<String>,
) -> Response {
    let desk = match read_desk(app, signed_in.session.citizen).await {
        Ok(desk) => desk,
        Err(error) => return failed(reader, &error),
    };
    let mut page =
        Page::new(reader, "desk-title").signed_in(desk.reader.clone(), Some(signed_in.form_token())).wide();
    let mut status = StatusCode::OK;
    if let Some(error) = wrong {
        if matches!(error, Error::Internal(_)) {
            return failed(reader, &error);
        }
        status = status_of(&error);
        page = page.refused(vec![FieldError { field: "desk", message: said(reader.lang, error.code()) }]);
    }
    let view = view(&page, &desk, signed_in.form_token(), note);
    show(status, &page, &view)
}

fn view<'a>(page: &'a Page, desk: &Desk, form_token: String, note: Option<String>) -> DeskView<'a> {
    let named = |(id, (vi, en)): &(Id<Agency>, (String, String))| {
        (id.to_string(), if page.lang == Lang::En { en.clone() } else { vi.clone() })
    };
    let money = |money: Money| if money.is_zero() { String::new() } else { money.display_vi() };
    DeskView {
        agencies: desk.agencies.iter().map(named).collect(),
        shift: desk.shift.as_ref().map(|shift| {
            (shift.drawer_name.clone(), display_vi(shift.opened_at), shift.expected.display_vi())
        }),
        book: desk
            .book
            .iter()
            .map(|line| {
                let kind = page.t(&format!("desk-kind-{}", line.kind)).into_owned();
                (display_vi(line.at), kind, line.about.clone(), money(line.cash), money(line.card))
            })
            .collect(),
        refunds: desk
            .refunds
            .iter()
            .map(|r| (r.id.to_string(), r.amount.display_vi(), board_refunds::reason(page, r.reason)))
            .collect(),
        kept_since: desk.kept_since.map(display_vi),
        form_token,
        note,
        page,
    }
}

/// What any form of the desk may hold.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Sent {
    form_token: String,
    agency: String,
    till: String,
    counted: String,
    amount: String,
    slip: String,
    reference: String,
    cash: String,
    card: String,
    warned: Option<String>,
    name: String,
    document: String,
}

/// Whole đồng, with or without dots between the thousands; nothing is nothing.
fn dong(text: &str) -> Result<Money, Error> {
    let digits: String = text.chars().filter(|c| !matches!(c, '.' | ' ')).collect();
    if digits.is_empty() {
        return Ok(Money::vnd(0));
    }
    Money::parse(&digits, Currency::Vnd).map_err(|_| Error::refused("invalid_body"))
}

fn line<const MAX: usize>(text: &str) -> Result<Line<MAX>, Error> {
    Line::parse(text).map_err(|_| Error::refused("invalid_body"))
}

fn is_ours(app: &App, signed_in: &SignedIn, headers: &HeaderMap, sent: &Sent) -> bool {
    signed_in.sent(&sent.form_token) && !is_foreign(app, headers)
}

async fn begin(
    State(app): State<App>,
    signed_in: SignedIn,
    reader: Reader,
    headers: HeaderMap,
    Form(sent): Form<Sent>,
) -> Response {
    if !is_ours(&app, &signed_in, &headers, &sent) {
        return show_status(&reader, StatusCode::BAD_REQUEST, Some("form_token"));
    }
    let act = async {
        let agency = sent.agency.parse::<Id<Agency>>().map_err(|_| Error::not_found())?;
        let (till, counted) = (line(&sent.till)?, dong(&sent.counted)?);
        open_shift(&app, signed_in.session.citizen, agency, &till, counted).await
    };
    match act.await {
        Ok(_) => Redirect::to("/desk").into_response(),
        Err(error) => show_desk(&app, &signed_in, &reader, Some(error), None).await,
    }
}

async fn end(
    State(app): State<App>,
    signed_in: SignedIn,
    reader: Reader,
    headers: HeaderMap,
    Form(sent): Form<Sent>,
) -> Response {
    if !is_ours(&app, &signed_in, &headers, &sent) {
        return show_status(&reader, StatusCode::BAD_REQUEST, Some("form_token"));
    }
    let act = async { close_shift(&app, signed_in.session.citizen, dong(&sent.counted)?).await };
    match act.await {
        Ok(difference) => {
            let page = Page::new(&reader, "desk-title");
            let key = match difference.minor() {
                0 => "desk-closed-even",
                1.. => "desk-closed-over",
                _ => "desk-closed-short",
            };
            let money = Money::vnd(difference.minor().abs()).display_vi();
            let note = page.with(key, &[("money", money.into())]);
            show_desk(&app, &signed_in, &reader, None, Some(note)).await
        }
        Err(error) => show_desk(&app, &signed_in, &reader, Some(error), None).await,
    }
}

async fn deposit(
    State(app): State<App>,
    signed_in: SignedIn,
    reader: Reader,
    headers: HeaderMap,
    Form(sent): Form<Sent>,
) -> Response {
    if !is_ours(&app, &signed_in, &headers, &sent) {
        return show_status(&reader, StatusCode::BAD_REQUEST, Some("form_token"));
    }
    let act = async {
        deposit_cash(&app, signed_in.session.citizen, dong(&sent.amount)?, &line(&sent.slip)?).await
    };
    match act.await {
        Ok(_) => Redirect::to("/desk").into_response(),
        Err(error) => show_desk(&app, &signed_in, &reader, Some(error), None).await,
    }
}

async fn refund(
    State(app): State<App>,
    signed_in: SignedIn,
    reader: Reader,
    Path(id): Path<String>,
    headers: HeaderMap,
    Form(sent): Form<Sent>,
) -> Response {
    if !is_ours(&app, &signed_in, &headers, &sent) {
        return show_status(&reader, StatusCode::BAD_REQUEST, Some("form_token"));
    }
    let act = async {
        let id = id.parse::<Id<Refund>>().map_err(|_| Error::not_found())?;
        let to =
            Receiver { name: line(&sent.name)?, document: line(&sent.document)?, slip: line(&sent.slip)? };
        pay_out(&app, signed_in.session.citizen, id, &to).await
    };
    match act.await {
        Ok(()) => Redirect::to("/desk").into_response(),
        Err(error) => show_desk(&app, &signed_in, &reader, Some(error), None).await,
    }
}

#[derive(Deserialize, Default)]
struct Asked {
    #[serde(default)]
    reference: String,
}

async fn bill(
    State(app): State<App>,
    signed_in: SignedIn,
    reader: Reader,
    Query(asked): Query<Asked>,
) -> Response {
    show_bill(&app, &signed_in, &reader, &asked.reference, None).await
}

async fn take(
    State(app): State<App>,
    signed_in: SignedIn,
    reader: Reader,
    headers: HeaderMap,
    Form(sent): Form<Sent>,
) -> Response {
    if !is_ours(&app, &signed_in, &headers, &sent) {
        return show_status(&reader, StatusCode::BAD_REQUEST, Some("form_token"));
    }
    let act = async {
        let reference = sent.reference.parse::<Reference>().map_err(|_| Error::not_found())?;
        let card = dong(&sent.card)?;
        let card = if card.is_zero() { None } else { Some((card, line(&sent.slip)?)) };
        let tender = Tender { cash: dong(&sent.cash)?, card, warned: sent.warned.is_some() };
        pay_at_desk(&app, signed_in.session.citizen, &reference, &tender).await
    };
    match act.await {
        Ok(_) => Redirect::to(&format!("/desk/bill?reference={}", sent.reference)).into_response(),
        Err(error) => show_bill(&app, &signed_in, &reader, &sent.reference, Some(error)).await,
    }
}

async fn show_bill(
    app: &App,
    signed_in: &SignedIn,
    reader: &Reader,
    reference: &str,
    wrong: Option<Error>,
) -> Response {
    let desk = match read_desk(app, signed_in.session.citizen).await {
        Ok(desk) => desk,
        Err(error) => return failed(reader, &error),
    };
    let found = match reference.parse::<Reference>() {
        Ok(reference) => read_checkout(app, &reference).await,
        Err(_) => Err(Error::not_found()),
    };
    let checkout = match found {
        Ok(checkout) => checkout,
        Err(error) => return show_desk(app, signed_in, reader, Some(error), None).await,
    };
    let receipts = match paper_links(app, &checkout.receipts).await {
        Ok(links) => links,
        Err(error) => return failed(reader, &error),
    };
    let mut page = Page::new(reader, "desk-bill-title").signed_in(desk.reader, Some(signed_in.form_token()));
    let mut status = StatusCode::OK;
    if let Some(error) = wrong {
        if matches!(error, Error::Internal(_)) {
            return failed(reader, &error);
        }
        status = status_of(&error);
        page = page.refused(vec![FieldError { field: "desk", message: said(reader.lang, error.code()) }]);
    }
    let view = bill_view(&page, &checkout, receipts, signed_in.form_token());
    show(status, &page, &view)
}

fn bill_view<'a>(
    page: &'a Page,
    checkout: &Checkout,
    receipts: Vec<(String, String)>,
    form_token: String,
) -> BillView<'a> {
    let (vi, en) = &checkout.agency;
    let name = |line: &crate::flow::checkout::CheckoutLine| match &line.name {
        Some(name) => name.of(page.lang).to_string(),
        None => page.t(&format!("payment-kind-{}", line.kind.as_str())).into_owned(),
    };
    BillView {
        agency: if page.lang == Lang::En { en.clone() } else { vi.clone() },
        dossier: checkout.dossier.clone(),
        total: checkout.total.display_vi(),
        plain: checkout.total.decimal(),
        words: dong_in_words(checkout.total.minor().unsigned_abs()),
        lines: checkout.lines.iter().map(|line| (name(line), line.amount.display_vi())).collect(),
        applicant: checkout.applicant.clone(),
        reference: checkout.reference.to_string(),
        payable: checkout.status == Status::Open,
        paid: checkout.status == Status::Paid,
        live: checkout.attempt.as_ref().is_some_and(|attempt| attempt.state.is_live()),
        receipts,
        form_token,
        page,
    }
}

#[derive(Template)]
#[template(path = "pages/desk.html")]
struct DeskView<'a> {
    page: &'a Page,
    agencies: Vec<(String, String)>,
    shift: Option<(String, String, String)>,
    book: Vec<(String, String, String, String, String)>,
    refunds: Vec<(String, String, String)>,
    kept_since: Option<String>,
    form_token: String,
    note: Option<String>,
}

#[derive(Template)]
#[template(path = "pages/desk_bill.html")]
struct BillView<'a> {
    page: &'a Page,
    agency: String,
    dossier: String,
    total: String,
    plain: String,
    words: String,
    lines: Vec<(String, String)>,
    applicant: String,
    reference: String,
    payable: bool,
    paid: bool,
    live: bool,
    receipts: Vec<(String, String)>,
    form_token: String,
}
