//! `/desk`: the cashier's page. A shift from count to count; in it bills are paid in cash, by card and by what was
//! transferred before, receipts are printed, refunds are paid out, cash is carried to the bank.

use super::board::{failed, why};
use super::board_refunds;
use super::page::{Page, Reader, show, show_status};
use crate::app::App;
use crate::base::{
    calendar::{display_vi, parse_rfc3339},
    id::{Agency, Case, Id, Refund},
    money::{Currency, Money},
    reference::Reference,
    text::{Lang, Line},
};
use crate::codec::{amount_in_words::dong_in_words, receipt_content::Number};
use crate::flow::{
    Error,
    blank_receipts::Written,
    cash::deposit_cash,
    checkout::{Checkout, read_checkout},
    desk::{Desk, Receiver, WaitingTransfer, close_shift, open_shift, pay_out, read_desk, waiting_transfers},
    desk_payment::{Tender, pay_at_desk},
    print_receipt::print_receipt,
};
use crate::http::api::receipts::attachment;
use crate::http::sent::{Bare, SentForm};
use crate::http::session::SignedIn;
use crate::payment::bill::Status;
use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum_extra::extract::Query;
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
        .route("/desk/receipts/{number}", post(print))
}

/// After which refund those begin that wait to be fetched.
#[derive(Deserialize)]
struct ListQuery {
    after: Option<String>,
}

async fn open(
    State(app): State<App>,
    signed_in: SignedIn,
    reader: Reader,
    Query(asked): Query<ListQuery>,
) -> Response {
    let Ok(after) = asked.after.as_deref().map(str::parse).transpose() else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    show_from(&app, &signed_in, &reader, after, (None, None)).await
}

async fn show_desk(
    app: &App,
    signed_in: &SignedIn,
    reader: &Reader,
    wrong: Option<Error>,
    note: Option<String>,
) -> Response {
    show_from(app, signed_in, reader, None, (wrong, note)).await
}

async fn show_from(
    app: &App,
    signed_in: &SignedIn,
    reader: &Reader,
    after: Option<Id<Refund>>,
    (wrong, note): (Option<Error>, Option<String>),
) -> Response {
    let desk = match read_desk(app, signed_in.session.citizen, after).await {
        Ok(desk) => desk,
        Err(error) => return failed(reader, &error),
    };
    let page =
        Page::new(reader, "desk-title").signed_in(desk.reader.clone(), Some(signed_in.form_token())).wide();
    if let Some(error @ Error::Internal(_)) = &wrong {
        return failed(reader, error);
    }
    let (page, status) = page.refused_if("desk", why(reader.lang, wrong.as_ref()));
    let view = view(&page, &desk, (signed_in.form_token(), note), after);
    show(status, &page, &view)
}

fn view<'a>(
    page: &'a Page,
    desk: &Desk,
    (form_token, note): (String, Option<String>),
    after: Option<Id<Refund>>,
) -> DeskView<'a> {
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
                let (card, transfer) = (money(line.card), money(line.transfer));
                (display_vi(line.at), kind, line.about.clone(), money(line.cash), card, transfer)
            })
            .collect(),
        refunds: desk
            .refunds
            .iter()
            .map(|(r, bill)| RefundForm {
                id: r.id.to_string(),
                amount: r.amount.display_vi(),
                reason: board_refunds::reason(page, r.reason),
                bill: bill.as_ref().map(|(reference, dossier)| (dossier.clone(), reference.spaced())),
            })
            .collect(),
        after: after.map(|id| id.to_string()),
        next: desk.next.map(|id| format!("/desk?after={id}")),
        kept_since: desk.kept_since.map(display_vi),
        owes: desk
            .owes
            .iter()
            .map(|(id, name, amount)| (id.to_string(), name.clone(), amount.display_vi()))
            .collect(),
        form_token,
        note,
        page,
    }
}

/// What any form of the desk may hold.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Sent {
    agency: String,
    till: String,
    counted: String,
    amount: String,
    slip: String,
    reference: String,
    cash: String,
    card: String,
    transfer: String,
    numbers: String,
    written_at: String,
    to: String,
    after: String,
    warned: Option<String>,
    name: String,
    document: String,
}

/// Whole đồng, with or without dots between the thousands; nothing is nothing.
pub(super) fn dong(text: &str) -> Result<Money, Error> {
    let digits: String = text.chars().filter(|c| !matches!(c, '.' | ' ')).collect();
    if digits.is_empty() {
        return Ok(Money::vnd(0));
    }
    Money::parse(&digits, Currency::Vnd).map_err(|_| Error::refused("invalid_body"))
}

fn line<const MAX: usize>(text: &str) -> Result<Line<MAX>, Error> {
    Line::parse(text).map_err(|_| Error::refused("invalid_body"))
}

async fn begin(
    State(app): State<App>,
    reader: Reader,
    SentForm { signed_in, form: sent }: SentForm<Sent>,
) -> Response {
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
    reader: Reader,
    SentForm { signed_in, form: sent }: SentForm<Sent>,
) -> Response {
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
    reader: Reader,
    SentForm { signed_in, form: sent }: SentForm<Sent>,
) -> Response {
    let act = async {
        let to = Some(sent.to.as_str()).filter(|to| !to.is_empty()).map(str::parse::<Id<Agency>>).transpose();
        let (to, slip) = (to.map_err(|_| Error::not_found())?, line(&sent.slip)?);
        deposit_cash(&app, signed_in.session.citizen, (dong(&sent.amount)?, &slip), to).await
    };
    match act.await {
        Ok(_) => Redirect::to("/desk").into_response(),
        Err(error) => show_desk(&app, &signed_in, &reader, Some(error), None).await,
    }
}

async fn refund(
    State(app): State<App>,
    reader: Reader,
    Path(id): Path<String>,
    SentForm { signed_in, form: sent }: SentForm<Sent>,
) -> Response {
    let act = async {
        let id = id.parse::<Id<Refund>>().map_err(|_| Error::not_found())?;
        let to =
            Receiver { name: line(&sent.name)?, document: line(&sent.document)?, slip: line(&sent.slip)? };
        pay_out(&app, signed_in.session.citizen, id, &to).await
    };
    match act.await {
        Ok(()) => Redirect::to("/desk").into_response(),
        Err(error) => {
            // The form that was refused stands on the page on which it stood.
            let after = sent.after.parse().ok();
            show_from(&app, &signed_in, &reader, after, (Some(error), None)).await
        }
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
    reader: Reader,
    SentForm { signed_in, form: sent }: SentForm<Sent>,
) -> Response {
    let act = async {
        let reference = sent.reference.parse::<Reference>().map_err(|_| Error::not_found())?;
        let card = dong(&sent.card)?;
        let card = if card.is_zero() { None } else { Some((card, line(&sent.slip)?)) };
        let transfer = Some(sent.transfer.as_str()).filter(|case| !case.is_empty());
        let transfer = transfer.map(str::parse::<Id<Case>>).transpose().map_err(|_| Error::not_found())?;
        let (cash, written) = (dong(&sent.cash)?, written(&sent)?);
        let tender = Tender { cash, card, transfer, warned: sent.warned.is_some(), written };
        pay_at_desk(&app, signed_in.session.citizen, &reference, &tender).await
    };
    match act.await {
        Ok(_) => Redirect::to(&format!("/desk/bill?reference={}", sent.reference)).into_response(),
        Err(error) => show_bill(&app, &signed_in, &reader, &sent.reference, Some(error)).await,
    }
}

/// What was written on paper, if anything: numbers with commas or spaces between, and the local time of the paper.
fn written(sent: &Sent) -> Result<Option<Written>, Error> {
    let numbers: Vec<&str> = sent.numbers.split([',', ' ']).filter(|part| !part.is_empty()).collect();
    if numbers.is_empty() && sent.written_at.is_empty() {
        return Ok(None);
    }
    let unfit = || Error::refused("leaf_unfit");
    let numbers: Result<Vec<Number>, _> =
        numbers.iter().map(|number| number.to_ascii_uppercase().parse()).collect();
    let numbers = numbers.ok().filter(|numbers| !numbers.is_empty()).ok_or_else(unfit)?;
    let at = parse_rfc3339(&format!("{}:00+07:00", sent.written_at));
    Ok(Some(Written { numbers, at: at.ok_or(Error::refused("leaf_time_unfit"))? }))
}

async fn print(
    State(app): State<App>,
    reader: Reader,
    Path(number): Path<String>,
    SentForm { signed_in, .. }: SentForm<Bare>,
) -> Response {
    let Ok(number) = number.parse::<Number>() else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    match print_receipt(&app, signed_in.session.citizen, &number).await {
        Ok((pdf, 0)) => attachment("application/pdf", &format!("{number}.pdf"), pdf),
        Ok((pdf, copy)) => attachment("application/pdf", &format!("{number}.copy{copy}.pdf"), pdf),
        Err(error) => failed(&reader, &error),
    }
}

async fn show_bill(
    app: &App,
    signed_in: &SignedIn,
    reader: &Reader,
    reference: &str,
    wrong: Option<Error>,
) -> Response {
    let desk = match read_desk(app, signed_in.session.citizen, None).await {
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
    let transfers = match waiting_transfers(app, &checkout.reference).await {
        Ok(transfers) => transfers,
        Err(error) => return failed(reader, &error),
    };
    let page = Page::new(reader, "desk-bill-title").signed_in(desk.reader, Some(signed_in.form_token()));
    if let Some(error @ Error::Internal(_)) = &wrong {
        return failed(reader, error);
    }
    let (page, status) = page.refused_if("desk", why(reader.lang, wrong.as_ref()));
    let view = bill_view(&page, &checkout, &transfers, signed_in.form_token());
    show(status, &page, &view)
}

fn bill_view<'a>(
    page: &'a Page,
    checkout: &Checkout,
    transfers: &[WaitingTransfer],
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
        proof: page.t(proof(checkout)).into_owned(),
        elsewhere: checkout.elsewhere.clone(),
        receipts: checkout.receipts.clone(),
        transfers: transfers
            .iter()
            .map(|(case, amount, since)| (case.to_string(), amount.display_vi(), display_vi(*since)))
            .collect(),
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
    book: Vec<(String, String, String, String, String, String)>,
    refunds: Vec<RefundForm>,
    after: Option<String>,
    next: Option<String>,
    kept_since: Option<String>,
    owes: Vec<(String, String, String)>,
    form_token: String,
    note: Option<String>,
}

/// A refund that waits to be fetched, with the dossier and the reference of its bill.
struct RefundForm {
    id: String,
    amount: String,
    reason: String,
    bill: Option<(String, String)>,
}

/// What a cashier is told of the receipts of a paid bill.
const fn proof(checkout: &Checkout) -> &'static str {
    match (checkout.receipts.is_empty(), checkout.pending, checkout.elsewhere.is_empty()) {
        (false, _, _) => "desk-paid",
        (true, true, _) => "desk-paid-pending",
        (true, false, false) => "desk-paid-elsewhere",
        (true, false, true) => "desk-paid-plain",
    }
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
    proof: String,
    elsewhere: Vec<(String, String)>,
    receipts: Vec<String>,
    transfers: Vec<(String, String, String)>,
    form_token: String,
}
