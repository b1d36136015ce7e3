//! `/pay/{reference}`: what is owed, the wait for the bank, and that it has been paid.
//!
//! One address for the whole life of a bill: whoever opens it sees where it stands. Nobody signs in here; the name of
//! the applicant is masked, and a sensitive procedure is not shown.

use crate::app::App;
use crate::base::{
    calendar::display_vi,
    id::{Citizen, Id},
    reference::Reference,
    text::Lang,
};
use crate::codec::{amount_in_words::dong_in_words, qr_svg::qr_svg};
use crate::flow::{
    Error,
    checkout::{Checkout, CheckoutLine, read_checkout},
    payers::payer_name,
    read_notice::{Notice, Printed, read_notice},
    receipt_name::{name_receipt, read_name},
    sign_in::session_of,
    start_payment::start_payment_as,
};
use crate::http::pages::page::{FieldError, Page, Reader, show, show_status};
use crate::http::pages::{going_back::refunds, parts, receipt_name::wrong_name};
use crate::http::session::session_token;
use crate::payment::{
    bill::Status,
    payment::{APPROVAL_WINDOW, INQUIRY_AFTER, Reason, State},
};
use askama::Template;
use axum::Router;
use axum::extract::{Path, State as AppState};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum_extra::extract::{CookieJar, Form};
use serde::Deserialize;

/// The route.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/pay/{reference}", get(open).post(pay))
        .route("/pay/{reference}/notice", get(notice))
        .route("/pay/{reference}/receipt-name", post(name))
}

async fn open(
    AppState(app): AppState<App>,
    reader: Reader,
    jar: CookieJar,
    Path(reference): Path<String>,
) -> Response {
    let Ok(reference) = reference.parse::<Reference>() else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    match read_checkout(&app, &reference).await {
        Ok(checkout) => {
            let payer = payer(&app, &jar).await.map(|(_, name)| name);
            show_checkout(&reader, &Checkout { payer, ..checkout }, None)
        }
        Err(error) => refuse(&reader, &error),
    }
}

/// Whoever is signed in at this browser, if anybody: paying needs nobody.
async fn payer(app: &App, jar: &CookieJar) -> Option<(Id<Citizen>, String)> {
    let session = session_of(app, session_token(app, jar).as_ref(), app.clock.now()).await.ok()??;
    let name = payer_name(app, session.citizen).await.ok()??;
    Some((session.citizen, name))
}

async fn notice(AppState(app): AppState<App>, reader: Reader, Path(reference): Path<String>) -> Response {
    let Ok(reference) = reference.parse::<Reference>() else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    match read_notice(&app, &reference).await {
        Ok(Printed::One(notice)) => {
            let page = Page::new(&reader, "payment-notice");
            let view = NoticeView {
                facts: Facts::of(&page, &notice.checkout),
                owners: parts::owners(&page, &notice.checkout.owners),
                notice: &notice,
                page: &page,
            };
            show(StatusCode::OK, &page, &view)
        }
        Ok(Printed::Apart(checkout)) => parts::show_parts(&reader, &checkout, true),
        Err(error) => refuse(&reader, &error),
    }
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    bank: String,
}

async fn pay(
    AppState(app): AppState<App>,
    reader: Reader,
    jar: CookieJar,
    Path(reference): Path<String>,
    headers: HeaderMap,
    Form(choice): Form<Choice>,
) -> Response {
    let Ok(reference) = reference.parse::<Reference>() else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    if !from_our_page(&app, &headers) {
        return show_status(&reader, StatusCode::FORBIDDEN, Some("foreign_form"));
    }
    let address = format!("/pay/{reference}");
    let payer = payer(&app, &jar).await.map(|(citizen, _)| citizen);
    match start_payment_as(&app, &reference, &choice.bank, payer).await {
        Ok(_) => Redirect::to(&address).into_response(),
        Err(Error::Refused(refusal)) if refusal.code == "unknown_bank" => {
            match read_checkout(&app, &reference).await {
                Ok(checkout) => {
                    show_checkout(&reader, &checkout, Some(("bank", "payment-choose-bank-error")))
                }
                Err(error) => refuse(&reader, &error),
            }
        }
        // The page itself tells how the bill stands.
        Err(Error::Conflict(_) | Error::Refused(_)) => Redirect::to(&address).into_response(),
        Err(error) => refuse(&reader, &error),
    }
}

#[derive(Default, Deserialize)]
struct NameForm {
    #[serde(default)]
    receipt_name: String,
    #[serde(default)]
    tax_code: String,
    #[serde(default)]
    address: String,
}

/// Whose name the receipts shall bear.
async fn name(
    AppState(app): AppState<App>,
    reader: Reader,
    Path(reference): Path<String>,
    headers: HeaderMap,
    Form(form): Form<NameForm>,
) -> Response {
    let Ok(reference) = reference.parse::<Reference>() else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    if !from_our_page(&app, &headers) {
        return show_status(&reader, StatusCode::FORBIDDEN, Some("foreign_form"));
    }
    let named = match read_name(&form.receipt_name, &form.tax_code, &form.address) {
        Ok(name) => name_receipt(&app, &reference, &name).await,
        Err(error) => Err(error),
    };
    match named {
        Ok(()) => Redirect::to(&format!("/pay/{reference}")).into_response(),
        Err(Error::Refused(refusal)) if refusal.code == "receipt_name_invalid" => {
            match read_checkout(&app, &reference).await {
                Ok(checkout) => show_checkout(&reader, &checkout, Some(wrong_name(&refusal))),
                Err(error) => refuse(&reader, &error),
            }
        }
        Err(error) => refuse(&reader, &error),
    }
}

/// Browsers name the origin of a form; another one's form is not taken.
fn from_our_page(app: &App, headers: &HeaderMap) -> bool {
    headers.get(header::ORIGIN).is_none_or(|origin| origin.as_bytes() == app.origin.as_str().as_bytes())
}

fn refuse(reader: &Reader, error: &Error) -> Response {
    let status = match error {
        Error::NotFound(_) => StatusCode::NOT_FOUND,
        Error::Refused(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Error::Conflict(_) => StatusCode::CONFLICT,
        Error::Forbidden(_) => StatusCode::FORBIDDEN,
        Error::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        Error::Internal(cause) => {
            tracing::error!(?cause, "a payment page failed");
            StatusCode::INTERNAL_SERVER_ERROR
        }
    };
    show_status(reader, status, Some(error.code()))
}

/// A field that was filled in wrongly, and the key of the text about it.
type Wrong = (&'static str, &'static str);

fn show_checkout(reader: &Reader, checkout: &Checkout, wrong: Option<Wrong>) -> Response {
    match (checkout.status, &checkout.attempt) {
        (Status::Paid, _) => {
            let page = Page::new(reader, "payment-paid-title");
            show(
                StatusCode::OK,
                &page,
                &PaidView {
                    facts: Facts::of(&page, checkout),
                    refunds: refunds(&page, checkout),
                    checkout,
                    page: &page,
                },
            )
        }
        (Status::Cancelled, _) => closed(reader, checkout, "cancelled"),
        (Status::Superseded, _) if checkout.is_apart() => parts::show_parts(reader, checkout, false),
        (Status::Superseded, _) => closed(reader, checkout, "superseded"),
        (Status::Open | Status::Expired, Some(attempt)) if attempt.state.is_live() => {
            show_waiting(reader, checkout, &attempt.state)
        }
        (Status::Expired, _) => closed(reader, checkout, "expired"),
        (Status::Open, _) => show_choice(reader, checkout, wrong),
    }
}

/// Nothing can be paid any more; money that came all the same goes back.
fn closed(reader: &Reader, checkout: &Checkout, why: &str) -> Response {
    let page = Page::new(reader, &format!("payment-{why}-title"));
    let body = page.t(&format!("payment-{why}-body")).into_owned();
    show(StatusCode::OK, &page, &ClosedView { page: &page, body, refunds: refunds(&page, checkout) })
}

fn show_choice(reader: &Reader, checkout: &Checkout, wrong: Option<Wrong>) -> Response {
    let mut page = Page::new(reader, "payment-title");
    let mut status = StatusCode::OK;
    if let Some((field, key)) = wrong {
        let message = page.t(key).into_owned();
        page = page.refused(vec![FieldError { field, message }]);
        status = StatusCode::UNPROCESSABLE_ENTITY;
    }
    let failed = failed_before(&page, checkout);
    let label = page.t("payment-transfer-code");
    let code = checkout.transfer.as_ref().and_then(|to| qr_svg(to.code.as_deref()?, &label));
    let view = CheckoutView {
        facts: Facts::of(&page, checkout),
        owners: parts::owners(&page, &checkout.owners),
        instalments: parts::instalments(&page, checkout),
        refunds: refunds(&page, checkout),
        page: &page,
        checkout,
        failed,
        code,
    };
    show(status, &page, &view)
}

/// What became of the last attempt, and why, where the bank said so.
fn failed_before(page: &Page, checkout: &Checkout) -> Option<String> {
    let Some(State::Rejected { reason, .. }) = checkout.attempt.as_ref().map(|attempt| &attempt.state) else {
        return None;
    };
    let why = match reason {
        // Money came, so that "nothing was recorded" would be untrue.
        Reason::WrongAmount => return Some(page.t("payment-failed-amount").into_owned()),
        Reason::PaidOtherwise | Reason::NotSent | Reason::NeverReceived | Reason::NotInStatement => None,
        Reason::Bank(_) => Some(match reason.as_str() {
            "AM04" => page.t("payment-failed-funds").into_owned(),
            "AM02" | "AM13" | "AM14" => page.t("payment-failed-limit").into_owned(),
            "AM23" => page.t("payment-failed-liquidity").into_owned(),
            code => page.with("payment-failed-code", &[("code", code.to_owned().into())]),
        }),
    };
    let said = page.t("payment-failed-before").into_owned();
    Some(why.map_or(said.clone(), |why| format!("{said} {why}")))
}

fn show_waiting(reader: &Reader, checkout: &Checkout, state: &State) -> Response {
    let key = match state {
        State::Unknown(_) => "unknown",
        State::Accepted(_) => "accepted",
        State::StepUp(_) => "step-up",
        State::Created(_) | State::Submitted(_) if waits_long(checkout) => "long",
        State::Created(_) | State::Submitted(_) | State::Settled { .. } | State::Rejected { .. } => {
            "submitted"
        }
    };
    let page = Page::new(reader, &format!("payment-{key}-title"));
    let view = WaitingView {
        facts: Facts::of(&page, checkout),
        body: page.t(&format!("payment-{key}-body")).into_owned(),
        next: next_step(&page, state, checkout),
        desk: matches!(state, State::Unknown(_)),
        warn: matches!(state, State::Unknown(_) | State::StepUp(_)),
        sent: checkout.attempt.as_ref().map(|a| display_vi(a.created_at)).unwrap_or_default(),
        bank: checkout.attempt_bank.clone().unwrap_or_default(),
        number: checkout.attempt.as_ref().map(|a| a.id.to_string()).unwrap_or_default(),
        payer: checkout.paid_by.clone(),
        link: checkout.platform_link.clone().filter(|_| matches!(state, State::Submitted(_))),
        page: &page,
    };
    show(StatusCode::OK, &page, &view)
}

/// Whether the time to approve is over and the bank says that it still waits.
fn waits_long(checkout: &Checkout) -> bool {
    checkout.attempt.as_ref().is_some_and(|attempt| checkout.now > attempt.created_at + APPROVAL_WINDOW)
}

/// When the bank is asked next, or which day's statement decides.
fn next_step(page: &Page, state: &State, checkout: &Checkout) -> Option<String> {
    let State::Unknown(watch) = state else { return None };
    Some(match watch.next {
        Some(next) => page.with(
            "payment-unknown-next",
            &[
                ("time", display_vi(next).into()),
                ("nth", (watch.inquiries + 1).to_string().into()),
                ("of", INQUIRY_AFTER.len().to_string().into()),
            ],
        ),
        None => {
            let day = checkout.deciding_day?.display_vi();
            page.with("payment-unknown-statement", &[("day", day.into())])
        }
    })
}

/// What every page of a bill shows.
pub(super) struct Facts {
    pub(super) agency: String,
    pub(super) dossier: String,
    pub(super) procedure: Option<String>,
    pub(super) lines: Vec<(String, String)>,
    pub(super) saving: Option<String>,
    pub(super) applicant: String,
    pub(super) total: String,
    pub(super) words: String,
    pub(super) due: String,
    pub(super) reference: String,
}

impl Facts {
    pub(super) fn of(page: &Page, checkout: &Checkout) -> Self {
        let (vi, en) = &checkout.agency;
        let total = checkout.total;
        let gross: i64 = checkout.lines.iter().map(|line| line.gross.minor()).sum();
        let saved = crate::base::money::Money::vnd(gross - total.minor());
        Self {
            agency: if page.lang == Lang::En { en.clone() } else { vi.clone() },
            dossier: checkout.dossier.clone(),
            procedure: checkout.procedure.as_ref().map(|name| name.of(page.lang).to_string()),
            lines: checkout
                .lines
                .iter()
                .map(|line| (line_name(page, line), line.gross.display_vi()))
                .collect(),
            saving: saved.is_positive().then(|| saved.display_vi()),
            applicant: checkout.applicant.clone(),
            total: total.display_vi(),
            words: dong_in_words(total.minor().unsigned_abs()),
            due: checkout.due.display_vi(),
            reference: checkout.reference.spaced(),
        }
    }
}

fn line_name(page: &Page, line: &CheckoutLine) -> String {
    match &line.name {
        Some(name) => name.of(page.lang).to_string(),
        None => page.t(&format!("payment-kind-{}", line.kind.as_str())).into_owned(),
    }
}

#[derive(Template)]
#[template(path = "pages/checkout.html")]
struct CheckoutView<'a> {
    page: &'a Page,
    facts: Facts,
    checkout: &'a Checkout,
    owners: Vec<(String, String)>,
    instalments: Vec<parts::PartRow>,
    refunds: Vec<Vec<String>>,
    failed: Option<String>,
    code: Option<String>,
}

#[derive(Template)]
#[template(path = "pages/notice.html")]
struct NoticeView<'a> {
    page: &'a Page,
    facts: Facts,
    owners: Vec<(String, String)>,
    notice: &'a Notice,
}

#[derive(Template)]
#[template(path = "pages/waiting.html")]
struct WaitingView<'a> {
    page: &'a Page,
    facts: Facts,
    body: String,
    next: Option<String>,
    desk: bool,
    warn: bool,
    sent: String,
    bank: String,
    number: String,
    payer: Option<String>,
    link: Option<String>,
}

#[derive(Template)]
#[template(path = "pages/closed.html")]
struct ClosedView<'a> {
    page: &'a Page,
    body: String,
    refunds: Vec<Vec<String>>,
}

#[derive(Template)]
#[template(path = "pages/paid.html")]
struct PaidView<'a> {
    page: &'a Page,
    facts: Facts,
    checkout: &'a Checkout,
    refunds: Vec<Vec<String>>,
}
