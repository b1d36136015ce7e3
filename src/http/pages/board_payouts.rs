//! `/board/payouts`: what goes on from the collecting account to whom it belongs, each order with its slip as it is
//! printed; what a bank did not take is ordered again by the accountant.

use super::board::{ListQuery, failed, name, role, said, status_of};
use super::page::{Called, FieldError, Page, Reader, show, show_status};
use crate::app::App;
use crate::base::{
    calendar::display_vi,
    id::{Id, Payout},
};
use crate::flow::{
    Error,
    pass_on::order_again,
    read_payouts::{PayoutShown, Payouts, read_payout_page, read_payout_slip},
};
use crate::http::sent::{Bare, SentForm};
use crate::http::session::SignedIn;
use crate::http::tree::{Trees, Whole, trees};
use crate::payment::payout::State;
use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State as AppState};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use serde_json::Value;

/// The routes.
pub fn routes() -> Router<App> {
    Router::new().route("/board/payouts", get(list)).route("/board/payouts/{id}", get(open).post(again))
}

async fn list(
    AppState(app): AppState<App>,
    signed_in: SignedIn,
    reader: Reader,
    Whole(whole): Whole,
    Query(asked): Query<ListQuery>,
) -> Response {
    let Some((agency, after)) = asked.read::<Payout>() else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    let found = match read_payout_page(&app, signed_in.session.citizen, (agency, whole), after).await {
        Ok(found) => found,
        Err(error) => return failed(&reader, &error),
    };
    let page = Page::new(&reader, "payout-title")
        .signed_in(found.reader.clone(), Some(signed_in.form_token()))
        .wide();
    let rows = found.orders.iter().map(|order| Row {
        href: format!("/board/payouts/{}", order.id),
        day: order.day.display_vi(),
        kind: page.t(&format!("payout-kind-{}", order.kind.as_str())).into_owned(),
        amount: order.amount.display_vi(),
        slip: order.slip_number.clone(),
        tag: tag(&order.state),
        state: page.t(&format!("payout-state-{}", order.state.as_str())).into_owned(),
    });
    let view = ListView {
        agency: name(reader.lang, &found.agency).to_owned(),
        role: role(&page, found.agency.acts),
        rows: rows.collect(),
        next: found.next.map(|next| {
            let tree = if whole { "&tree=new" } else { "" };
            format!("/board/payouts?agency={}{tree}&after={next}", found.agency.id)
        }),
        trees: trees(&page, "/board/payouts", &found.agency, whole),
        page: &page,
        found: &found,
    };
    show(StatusCode::OK, &page, &view)
}

const fn tag(state: &State) -> &'static str {
    match state {
        State::Created | State::Sent | State::Unknown { .. } => "warn",
        State::Bounced { .. } => "bad",
        State::Done { .. } => "ok",
    }
}

#[derive(Template)]
#[template(path = "pages/board_payouts.html")]
struct ListView<'a> {
    page: &'a Page,
    found: &'a Payouts,
    agency: String,
    role: String,
    rows: Vec<Row>,
    next: Option<String>,
    trees: Trees,
}

/// One order in the table.
struct Row {
    href: String,
    day: String,
    kind: String,
    amount: String,
    slip: String,
    tag: &'static str,
    state: String,
}

async fn open(
    AppState(app): AppState<App>,
    signed_in: SignedIn,
    reader: Reader,
    Called(id): Called<Id<Payout>>,
) -> Response {
    show_slip(&app, &signed_in, &reader, id, None).await
}

async fn show_slip(
    app: &App,
    signed_in: &SignedIn,
    reader: &Reader,
    id: Id<Payout>,
    wrong: Option<&Error>,
) -> Response {
    let found = match read_payout_slip(app, signed_in.session.citizen, id).await {
        Ok(found) => found,
        Err(error) => return failed(reader, &error),
    };
    let mut page = Page::new(reader, "payout-one-title")
        .signed_in(found.reader.clone(), Some(signed_in.form_token()))
        .wide();
    let mut status = StatusCode::OK;
    if let Some(error) = wrong {
        status = status_of(error);
        page = page.refused(vec![FieldError { field: "again", message: said(reader.lang, error.code()) }]);
    }
    let order = &found.order;
    let (bounced, again) = match &order.state {
        State::Bounced { reason } => (Some(reason.to_string()), found.agency.acts && !found.items.is_empty()),
        State::Created | State::Sent | State::Unknown { .. } | State::Done { .. } => (None, false),
    };
    let view = SlipView {
        agency: name(reader.lang, &found.agency).to_owned(),
        role: role(&page, found.agency.acts),
        state: page.t(&format!("payout-state-{}", order.state.as_str())).into_owned(),
        tag: tag(&order.state),
        holder: page.t(&format!("payout-holder-{}", order.state.as_str())).into_owned(),
        kind: page.t(&format!("payout-kind-{}", order.kind.as_str())).into_owned(),
        made: display_vi(order.created_at),
        budget: found.order.slip["form"].is_string(),
        seller: found.order.slip["seller"]["tax_code"]
            .as_str()
            .map(|code| page.with("payout-seller-note", &[("code", code.to_owned().into())])),
        lines: lines(&found),
        told: found.told.as_ref().map(|told| {
            let key = format!("payout-told-{}", told.word.as_str());
            page.with(&key, &[("at", display_vi(told.at).into())])
        }),
        bounced,
        again,
        form_token: signed_in.form_token(),
        page: &page,
        found: &found,
    };
    show(status, &page, &view)
}

#[derive(Template)]
#[template(path = "pages/board_payout.html")]
struct SlipView<'a> {
    page: &'a Page,
    found: &'a PayoutShown,
    agency: String,
    role: String,
    state: String,
    tag: &'static str,
    holder: String,
    kind: String,
    made: String,
    /// Whether the slip is the budget's form.
    budget: bool,
    /// Which seller it pays, if it pays one.
    seller: Option<String>,
    lines: Vec<Line>,
    told: Option<String>,
    bounced: Option<String>,
    again: bool,
    form_token: String,
}

impl SlipView<'_> {
    /// A field of the slip's head by its path.
    fn field(&self, path: &str) -> String {
        let found = self.found.order.slip.pointer(path).and_then(Value::as_str);
        found.unwrap_or("—").to_owned()
    }

    /// A field of the account that gets the money.
    fn to(&self, name: &str) -> String {
        self.found.order.beneficiary[name].as_str().unwrap_or("—").to_owned()
    }
}

/// One line of the slip.
struct Line {
    dossier: String,
    notice: String,
    content: String,
    booking: [String; 3],
    amount: String,
}

fn lines(found: &PayoutShown) -> Vec<Line> {
    let none = || "—".to_owned();
    let lines = found.items.iter().map(|item| Line {
        dossier: item.dossier.clone(),
        notice: item.notice.clone().unwrap_or_else(none),
        content: item.content.clone(),
        booking: item.booking.clone().map(|of| of.unwrap_or_else(none)),
        amount: item.amount.display_vi(),
    });
    lines.collect()
}

async fn again(
    AppState(app): AppState<App>,
    reader: Reader,
    Path(id): Path<String>,
    SentForm { signed_in, .. }: SentForm<Bare>,
) -> Response {
    let Ok(id) = id.parse::<Id<Payout>>() else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    match order_again(&app, signed_in.session.citizen, id).await {
        Ok(()) => Redirect::to(&format!("/board/payouts/{id}")).into_response(),
        Err(error @ Error::Conflict(_)) => show_slip(&app, &signed_in, &reader, id, Some(&error)).await,
        Err(error) => failed(&reader, &error),
    }
}
