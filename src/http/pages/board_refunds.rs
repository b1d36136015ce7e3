//! `/board/refunds`: money that goes back. Officers and accountants ask, approvers decide and never about an own
//! request, accountants answer banks that ask money back; everybody sees who holds the next step.

use super::board::{self, failed, status_of};
use super::page::{Called, Page, Reader, show, show_status};
use super::treasury_order::OrderShown;
use super::ways::led_on;
use crate::app::App;
use crate::base::{
    calendar::display_vi,
    id::{Id, NotAnId, Recall, Refund},
    text::Lang,
};
use crate::flow::{
    Error,
    decide_refund::{approve_refund, decline_refund, redirect_refund},
    read_refunds::{After, RefundPlace, RefundShown, Refunds, Wanted, read_refund_page},
    recall::{RecallShown, ask_back, can_be_asked_back, decide_recall},
};
use crate::http::sent::SentForm;
use crate::http::session::SignedIn;
use crate::payment::refund::{Reason, State as Stand, Told, Word};
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
        .route("/board/refunds", get(open))
        .route("/board/refunds/{id}", get(open_one).post(act))
        .route("/board/recalls/{id}", post(answer))
}

/// After which refund the page begins: one that waits for a decision, or another.
#[derive(Deserialize)]
struct ListQuery {
    waiting: Option<String>,
    after: Option<String>,
}

impl ListQuery {
    fn read(&self) -> Result<Option<After>, NotAnId> {
        match (&self.waiting, &self.after) {
            (Some(id), _) => Ok(Some((true, id.parse()?))),
            (None, Some(id)) => Ok(Some((false, id.parse()?))),
            (None, None) => Ok(None),
        }
    }
}

async fn open(
    State(app): State<App>,
    signed_in: SignedIn,
    reader: Reader,
    Query(asked): Query<ListQuery>,
) -> Response {
    match asked.read() {
        Ok(after) => show_page(&app, &signed_in, &reader, after, None).await,
        Err(_) => show_status(&reader, StatusCode::NOT_FOUND, None),
    }
}

/// The list from its beginning; with what was wrong with a request, if something was.
pub(super) async fn show_all(
    app: &App,
    signed_in: &SignedIn,
    reader: &Reader,
    wrong: Option<(StatusCode, String)>,
) -> Response {
    show_page(app, signed_in, reader, None, wrong).await
}

async fn show_page(
    app: &App,
    signed_in: &SignedIn,
    reader: &Reader,
    after: Option<After>,
    wrong: Option<(StatusCode, String)>,
) -> Response {
    let refunds = match read_refund_page(app, signed_in.session.citizen, Wanted::All(after)).await {
        Ok(refunds) => refunds,
        Err(error) => return failed(reader, &error),
    };
    let page = Page::new(reader, "refund-title")
        .signed_in(refunds.reader.clone(), Some(signed_in.form_token()))
        .wide();
    let (page, status) = page.refused_if("reference", wrong);
    let asks = refunds.places.iter().filter(|place| place.asks).map(|p| (p.id.to_string(), named(reader, p)));
    let view = RefundsView {
        rows: refunds.refunds.iter().map(|shown| Row::of(&page, shown)).collect(),
        next: refunds.next.map(|(waiting, id)| {
            format!("/board/refunds?{}={id}", if waiting { "waiting" } else { "after" })
        }),
        recalls: refunds.recalls.iter().map(|shown| RecallRow::of(&page, shown)).collect(),
        places: asks.collect(),
        reasons: reasons_of_bills(&page),
        form_token: signed_in.form_token(),
        page: &page,
    };
    show(status, &page, &view)
}

async fn open_one(
    State(app): State<App>,
    signed_in: SignedIn,
    reader: Reader,
    Called(id): Called<Id<Refund>>,
) -> Response {
    show_one(&app, &signed_in, &reader, id, None).await
}

async fn show_one(
    app: &App,
    signed_in: &SignedIn,
    reader: &Reader,
    id: Id<Refund>,
    wrong: Option<(StatusCode, String)>,
) -> Response {
    let refunds = match read_refund_page(app, signed_in.session.citizen, Wanted::One(id)).await {
        Ok(refunds) => refunds,
        Err(error) => return failed(reader, &error),
    };
    let Some(shown) = refunds.refunds.first() else {
        return show_status(reader, StatusCode::NOT_FOUND, None);
    };
    let page =
        Page::new(reader, "refund-one-title").signed_in(refunds.reader.clone(), Some(signed_in.form_token()));
    let (page, status) = page.refused_if("refund", wrong);
    let view = one(&page, &refunds, shown, signed_in.form_token());
    show(status, &page, &view)
}

fn one<'a>(page: &'a Page, refunds: &Refunds, shown: &RefundShown, form_token: String) -> RefundView<'a> {
    let place = refunds.places.iter().find(|place| place.id == shown.refund.agency);
    let (approves, books) = place.map_or((false, false), |place| (place.approves, place.keeps_books));
    let state = &shown.refund.state;
    RefundView {
        row: Row::of(page, shown),
        facts: facts(page, shown),
        order: shown.treasury_order.as_ref().map(|order| OrderShown::of(page, order)),
        approves: approves && !shown.own && *state == Stand::Requested,
        own: approves && shown.own && *state == Stand::Requested,
        redirects: books && matches!(state, Stand::Bounced { .. }),
        recalls: books && can_be_asked_back(&shown.refund),
        form_token,
        page,
    }
}

#[derive(Deserialize)]
struct ActForm {
    #[serde(default)]
    act: String,
}

async fn act(
    State(app): State<App>,
    reader: Reader,
    Path(id): Path<String>,
    SentForm { signed_in, form }: SentForm<ActForm>,
) -> Response {
    let Ok(id) = id.parse::<Id<Refund>>() else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    let officer = signed_in.session.citizen;
    // Who has nothing to do with the refund learns nothing of it, whatever they try.
    if let Err(error) = read_refund_page(&app, officer, Wanted::One(id)).await {
        return failed(&reader, &error);
    }
    let done = match form.act.as_str() {
        "approve" => approve_refund(&app, officer, id).await.map(|_| ()),
        "decline" => decline_refund(&app, officer, id).await.map(|_| ()),
        "redirect" => redirect_refund(&app, &signed_in.session, id).await,
        "recall" => ask_back(&app, officer, id, "CUST").await.map(|_| ()),
        _ => return show_status(&reader, StatusCode::BAD_REQUEST, Some("act")),
    };
    match done {
        Ok(()) => Redirect::to(&format!("/board/refunds/{id}")).into_response(),
        Err(error @ (Error::NotFound(_) | Error::Internal(_))) => failed(&reader, &error),
        Err(error) => {
            if let Some(page) = led_on(&reader, &error, &format!("/board/refunds/{id}")) {
                return page;
            }
            let wrong = (status_of(&error), board::said(reader.lang, error.code()));
            show_one(&app, &signed_in, &reader, id, Some(wrong)).await
        }
    }
}

#[derive(Deserialize)]
struct AnswerForm {
    #[serde(default)]
    answer: String,
}

async fn answer(
    State(app): State<App>,
    reader: Reader,
    Path(id): Path<String>,
    SentForm { signed_in, form }: SentForm<AnswerForm>,
) -> Response {
    let Ok(id) = id.parse::<Id<Recall>>() else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    let refusal = Some(form.answer.as_str()).filter(|word| *word != "accept");
    match decide_recall(&app, signed_in.session.citizen, id, refusal).await {
        Ok(()) => Redirect::to("/board/refunds").into_response(),
        Err(error @ (Error::NotFound(_) | Error::Internal(_) | Error::Forbidden(_))) => {
            failed(&reader, &error)
        }
        Err(error) => {
            let wrong = (status_of(&error), board::said(reader.lang, error.code()));
            show_all(&app, &signed_in, &reader, Some(wrong)).await
        }
    }
}

/// A reason in words.
pub(super) fn reason(page: &Page, reason: Reason) -> String {
    page.t(&format!("refund-reason-{}", reason.as_str())).into_owned()
}

/// The reasons for which money of a paid bill is asked back.
pub(super) fn reasons_of_bills(page: &Page) -> Vec<(&'static str, String)> {
    let asked = Reason::ALL.into_iter().filter(|r| r.is_about_a_bill() && *r != Reason::Recalled);
    asked.map(|r| (r.as_str(), reason(page, r))).collect()
}

/// The reasons for which money in suspense is asked back.
pub(super) fn reasons_of_suspense(page: &Page) -> Vec<(&'static str, String)> {
    let asked = Reason::ALL.into_iter().filter(|r| !r.is_about_a_bill() || *r == Reason::Decision);
    asked.map(|r| (r.as_str(), reason(page, r))).collect()
}

/// An agency in the reader's language.
pub(super) fn named(reader: &Reader, place: &RefundPlace) -> String {
    match reader.lang {
        Lang::Vi => place.name.0.clone(),
        Lang::En => place.name.1.clone(),
    }
}

/// A state in words.
pub(super) fn state(page: &Page, state: &Stand) -> String {
    page.t(&format!("refund-state-{}", state.as_str())).into_owned()
}

/// Who holds the next step, in words.
pub(super) fn holder(page: &Page, state: &Stand) -> String {
    page.t(&format!("refund-holder-{}", state.holder().as_str())).into_owned()
}

/// What the clearing system said last of its own accord; against what was seen to leave, what follows from it.
pub(super) fn clearing_said(page: &Page, state: &Stand, told: Option<&Told>) -> Option<String> {
    let told = told?;
    let (word, code) = match (&told.word, state) {
        (Word::Rejected(code), Stand::Done { .. }) => ("denied", code.to_string()),
        (Word::Rejected(code), _) => ("rejected", code.to_string()),
        (Word::Pending | Word::Accepted, _) => (told.word.as_str(), String::new()),
    };
    let (at, key) = (display_vi(told.at), format!("refund-told-{word}"));
    Some(page.with(&key, &[("at", at.into()), ("code", code.into())]))
}

/// The colour of a state.
pub(super) const fn tag(state: &Stand) -> &'static str {
    match state {
        Stand::Done { .. } => "ok",
        Stand::Bounced { .. } | Stand::Declined { .. } => "bad",
        Stand::Requested
        | Stand::Approved
        | Stand::Sent
        | Stand::Unknown { .. }
        | Stand::AtDesk
        | Stand::AwaitingTreasury => "warn",
    }
}

struct Row {
    id: String,
    asked: String,
    dossier: String,
    amount: String,
    reason: String,
    way: String,
    state: String,
    tag: &'static str,
    holder: String,
}

impl Row {
    fn of(page: &Page, shown: &RefundShown) -> Self {
        let refund = &shown.refund;
        Self {
            id: refund.id.to_string(),
            asked: display_vi(refund.requested_at),
            dossier: shown.bill.as_ref().map_or_else(|| "—".to_owned(), |(_, dossier)| dossier.clone()),
            amount: refund.amount.display_vi(),
            reason: reason(page, refund.reason),
            way: page.t(&format!("refund-way-{}", refund.way.as_str())).into_owned(),
            state: state(page, &refund.state),
            tag: tag(&refund.state),
            holder: holder(page, &refund.state),
        }
    }
}

/// What is known, each with its name.
fn facts(page: &Page, shown: &RefundShown) -> Vec<(String, String)> {
    let refund = &shown.refund;
    let bounced = match &refund.state {
        Stand::Bounced { reason } => Some(reason.to_string()),
        _ => None,
    };
    let none_asked = || page.t("refund-nobody-asked").into_owned();
    let facts = [
        ("payment-dossier", shown.bill.as_ref().map(|(_, dossier)| dossier.clone())),
        ("payment-reference", shown.bill.as_ref().map(|(reference, _)| reference.spaced())),
        ("refund-reason", Some(reason(page, refund.reason))),
        ("refund-basis", Some(refund.reason.legal_basis().to_owned())),
        ("refund-words", Some(shown.words.clone())),
        ("refund-way", Some(page.t(&format!("refund-way-{}", refund.way.as_str())).into_owned())),
        ("refund-asker", Some(shown.asker.clone().unwrap_or_else(none_asked))),
        ("refund-asked", Some(display_vi(refund.requested_at))),
        ("refund-approvers", Some(shown.approvers.join(", ")).filter(|names| !names.is_empty())),
        ("refund-decided", refund.decided_at.map(display_vi)),
        ("refund-bounced", bounced),
        ("refund-told", clearing_said(page, &refund.state, shown.told.as_ref())),
        ("refund-receipt", shown.receipt_pending.then(|| page.t("refund-receipt-pending").into_owned())),
        ("refund-receipt-elsewhere", Some(shown.elsewhere.join(", ")).filter(|named| !named.is_empty())),
    ];
    facts.into_iter().filter_map(|(key, value)| Some((page.t(key).into_owned(), value?))).collect()
}

struct RecallRow {
    id: String,
    title: String,
    amount: String,
    reason: String,
    words: Option<String>,
    state: String,
    open: bool,
}

impl RecallRow {
    fn of(page: &Page, shown: &RecallShown) -> Self {
        let recall = &shown.recall;
        let direction = recall.direction.as_str();
        Self {
            id: recall.id.to_string(),
            title: page.t(&format!("refund-recall-{direction}")).into_owned(),
            amount: recall.amount.display_vi(),
            reason: recall.reason.clone(),
            words: shown.words.clone(),
            state: page.t(&format!("refund-recall-state-{}", recall.state.as_str())).into_owned(),
            open: direction == "in" && recall.state.as_str() == "open",
        }
    }
}

#[derive(Template)]
#[template(path = "pages/board_refunds.html")]
struct RefundsView<'a> {
    page: &'a Page,
    rows: Vec<Row>,
    next: Option<String>,
    recalls: Vec<RecallRow>,
    places: Vec<(String, String)>,
    reasons: Vec<(&'static str, String)>,
    form_token: String,
}

#[derive(Template)]
#[template(path = "pages/board_refund.html")]
struct RefundView<'a> {
    page: &'a Page,
    row: Row,
    facts: Vec<(String, String)>,
    order: Option<OrderShown>,
    approves: bool,
    own: bool,
    redirects: bool,
    recalls: bool,
    form_token: String,
}
