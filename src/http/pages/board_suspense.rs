//! `/board/suspense`: money that waits, and the decision of two people by which it leaves: an accountant proposes where it
//! goes and by what law, an approver who did not approves or declines. Whoever proposed may take it back.

use super::board::{failed, said, status_of};
use super::board_refunds::reasons_of_suspense;
use super::page::{Called, Page, Reader, show, show_status};
use crate::app::App;
use crate::base::{
    calendar::{display_vi, parse_rfc3339, rfc3339},
    id::{Agency, Case, Id},
    text::Line,
};
use crate::flow::{
    Error,
    read_suspense_page::{DecisionShown, MoneyShown, read_suspense_page},
    release_suspense::{Proposal, approve_release, drop_release, propose_release},
    request_refund::bill_named,
};
use crate::http::sent::SentForm;
use crate::http::session::SignedIn;
use crate::identity::role::Role;
use crate::payment::release::Toward;
use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use serde::Deserialize;

/// The routes.
pub fn routes() -> Router<App> {
    Router::new().route("/board/suspense", get(open)).route("/board/suspense/{id}", get(open_one).post(act))
}

async fn open(State(app): State<App>, signed_in: SignedIn, reader: Reader) -> Response {
    let suspense = match read_suspense_page(&app, signed_in.session.citizen, None).await {
        Ok(suspense) => suspense,
        Err(error) => return failed(&reader, &error),
    };
    let page = Page::new(&reader, "suspense-title")
        .signed_in(suspense.reader.clone(), Some(signed_in.form_token()))
        .wide();
    let view = SuspenseView {
        rows: suspense.money.iter().map(|shown| Row::of(&page, shown)).collect(),
        page: &page,
    };
    show(StatusCode::OK, &page, &view)
}

async fn open_one(
    State(app): State<App>,
    signed_in: SignedIn,
    reader: Reader,
    Called(id): Called<Id<Case>>,
) -> Response {
    show_one(&app, &signed_in, &reader, id, None).await
}

async fn show_one(
    app: &App,
    signed_in: &SignedIn,
    reader: &Reader,
    id: Id<Case>,
    wrong: Option<(StatusCode, String)>,
) -> Response {
    let suspense = match read_suspense_page(app, signed_in.session.citizen, Some(id)).await {
        Ok(suspense) => suspense,
        Err(error) => return failed(reader, &error),
    };
    let Some(shown) = suspense.money.first() else {
        return show_status(reader, StatusCode::NOT_FOUND, None);
    };
    let page = Page::new(reader, "suspense-one-title")
        .signed_in(suspense.reader.clone(), Some(signed_in.form_token()));
    let (page, status) = page.refused_if("suspense", wrong);
    let holds = |role| suspense.seat(shown).is_some_and(|seat| seat.holds(role));
    let proposed = shown.decision.as_ref().filter(|decision| decision.decision.approved.is_none());
    let waits = proposed.filter(|_| shown.money.held);
    let view = MoneyView {
        row: Row::of(&page, shown),
        facts: facts(&page, shown),
        decision: shown.decision.as_ref().map(|decision| decided(&page, decision)),
        proposes: shown.money.held && shown.decision.is_none() && holds(Role::Accountant),
        approves: waits.filter(|decision| !decision.own && holds(Role::Approver)).map(seen),
        agency: shown.money.agency.to_string(),
        reasons: reasons_of_suspense(&page),
        own: waits.is_some_and(|decision| decision.own && holds(Role::Accountant)),
        form_token: signed_in.form_token(),
        page: &page,
    };
    show(status, &page, &view)
}

/// Which proposal a reader saw, so that no other is approved.
fn seen(shown: &DecisionShown) -> String {
    rfc3339(shown.decision.proposed_at)
}

#[derive(Deserialize)]
struct ActForm {
    #[serde(default)]
    act: String,
    #[serde(default)]
    seen: String,
    #[serde(default)]
    toward: String,
    #[serde(default)]
    reference: String,
    #[serde(default)]
    legal_basis: String,
    #[serde(default)]
    words: String,
}

async fn act(
    State(app): State<App>,
    reader: Reader,
    Path(id): Path<String>,
    SentForm { signed_in, form }: SentForm<ActForm>,
) -> Response {
    let Ok(id) = id.parse::<Id<Case>>() else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    let officer = signed_in.session.citizen;
    // Who has nothing to do with the money learns nothing of it, whatever they try.
    let agency = match read_suspense_page(&app, officer, Some(id)).await {
        Ok(suspense) => suspense.money.first().map(|shown| shown.money.agency),
        Err(error) => return failed(&reader, &error),
    };
    let Some(agency) = agency else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    let done = match form.act.as_str() {
        "propose" => propose(&app, &signed_in, (agency, id), &form).await,
        "approve" => {
            let seen = parse_rfc3339(&form.seen);
            approve_release(&app, agency, id, (officer, seen), None).await.map(|_| ())
        }
        "drop" => drop_release(&app, agency, id, officer).await,
        _ => return show_status(&reader, StatusCode::BAD_REQUEST, Some("act")),
    };
    match done {
        Ok(()) => Redirect::to(&format!("/board/suspense/{id}")).into_response(),
        Err(error @ Error::Internal(_)) => failed(&reader, &error),
        Err(error) => {
            let wrong = (status_of(&error), said(reader.lang, error.code()));
            show_one(&app, &signed_in, &reader, id, Some(wrong)).await
        }
    }
}

async fn propose(
    app: &App,
    signed_in: &SignedIn,
    (agency, case): (Id<Agency>, Id<Case>),
    form: &ActForm,
) -> Result<(), Error> {
    let unread = || Error::refused("invalid_body");
    let bill = match (form.toward.as_str(), form.reference.trim()) {
        ("bill", reference) => Some(bill_named(app, agency, reference).await?),
        _ => None,
    };
    let proposal = Proposal {
        toward: Toward::named(&form.toward, bill).ok_or_else(unread)?,
        legal_basis: Line::parse(form.legal_basis.trim()).map_err(|_| unread())?,
        words: Line::parse(form.words.trim()).map_err(|_| unread())?,
        officer: signed_in.session.citizen,
    };
    propose_release(app, agency, case, &proposal, None).await.map(|_| ())
}

struct Row {
    id: String,
    since: String,
    amount: String,
    reason: String,
    account: String,
    due: String,
    proposal: String,
    state: String,
    tag: &'static str,
}

impl Row {
    fn of(page: &Page, shown: &MoneyShown) -> Self {
        let money = &shown.money;
        let (word, tag) = match (money.held, &shown.decision) {
            (true, None) => ("held", "warn"),
            (true, Some(_)) => ("proposed", "warn"),
            (false, _) => ("released", "ok"),
        };
        Self {
            id: money.case.to_string(),
            since: display_vi(money.opened_at),
            amount: money.amount.display_vi(),
            reason: page.t(&format!("suspense-reason-{}", money.reason.replace('_', "-"))).into_owned(),
            account: money.account.clone(),
            due: money.due.display_vi(),
            proposal: page.t(&format!("suspense-proposal-{}", money.proposal.replace('_', "-"))).into_owned(),
            state: page.t(&format!("suspense-state-{word}")).into_owned(),
            tag,
        }
    }
}

/// What is known, each with its name.
fn facts(page: &Page, shown: &MoneyShown) -> Vec<(String, String)> {
    let row = Row::of(page, shown);
    let facts = [
        ("suspense-since", row.since),
        ("suspense-reason", row.reason),
        ("suspense-account", row.account),
        ("suspense-due", row.due),
        ("suspense-proposal", row.proposal),
        ("suspense-bank-reference", shown.money.servicer_reference.clone()),
    ];
    facts.into_iter().map(|(key, value)| (page.t(key).into_owned(), value)).collect()
}

/// What was decided, each with its name.
fn decided(page: &Page, shown: &DecisionShown) -> Vec<(String, String)> {
    let decision = &shown.decision;
    let toward = page.t(&format!("suspense-toward-{}", decision.toward.as_str().replace('_', "-")));
    let facts = [
        ("suspense-toward", Some(toward.into_owned())),
        ("payment-reference", shown.reference.clone()),
        ("suspense-basis", Some(decision.legal_basis.to_string())),
        ("suspense-words", Some(shown.words.clone())),
        ("suspense-proposed", Some(format!("{}, {}", shown.people.0, display_vi(decision.proposed_at)))),
        (
            "suspense-approved",
            decision
                .approved
                .and_then(|(_, _, at)| Some(format!("{}, {}", shown.people.1.clone()?, display_vi(at)))),
        ),
    ];
    facts.into_iter().filter_map(|(key, value)| Some((page.t(key).into_owned(), value?))).collect()
}

#[derive(Template)]
#[template(path = "pages/board_suspense.html")]
struct SuspenseView<'a> {
    page: &'a Page,
    rows: Vec<Row>,
}

#[derive(Template)]
#[template(path = "pages/board_suspense_one.html")]
struct MoneyView<'a> {
    page: &'a Page,
    row: Row,
    facts: Vec<(String, String)>,
    decision: Option<Vec<(String, String)>>,
    proposes: bool,
    approves: Option<String>,
    own: bool,
    agency: String,
    reasons: Vec<(&'static str, String)>,
    form_token: String,
}
