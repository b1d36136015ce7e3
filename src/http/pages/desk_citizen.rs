//! `/desk/citizens/{check}`: the citizen whose card the officer has just read; `/desk/sheets`: what they sign on paper.

use super::page::{FieldError, Page, Reader, show, show_error, show_status};
use crate::app::App;
use crate::base::{
    calendar::display_vi,
    id::{CardCheck, Id, Sheet as SheetId},
    text::{Lang, Line},
};
use crate::flow::{
    Error,
    serve_at_counter::{
        AtCounter, NewSheet, Recovery, Slip, end_sheet, lock_at_counter, print_sheet, read_at_counter,
        read_sheet, recover,
    },
    sheet_for_request::print_request_sheet,
};
use crate::http::sent::{Bare, SentForm};
use crate::http::session::SignedIn;
use crate::identity::{claims::Claims, client::Wording};
use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;

/// The pages of a served citizen.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/desk/citizens/{check}", get(open))
        .route("/desk/citizens/{check}/recover", post(restore))
        .route("/desk/citizens/{check}/lock", post(lock))
        .route("/desk/citizens/{check}/sheet", post(print))
        .route("/desk/citizens/{check}/request", post(print_request))
        .route("/desk/sheets/{sheet}", get(sheet))
        .route("/desk/sheets/{sheet}/end", post(end))
}

#[derive(Template)]
#[template(path = "pages/desk_citizen.html")]
struct CitizenView<'a> {
    page: &'a Page,
    name: String,
    agency: String,
    phone: Option<String>,
    mail: Option<String>,
    enrolled: Vec<(String, String)>,
    /// The requests that wait: which, the portal, what for, the message, until when.
    waiting: Vec<[String; 5]>,
    action: String,
    typed: SheetForm,
    form_token: String,
}

#[derive(Template)]
#[template(path = "pages/desk_recovery_slip.html")]
struct SlipView<'a> {
    page: &'a Page,
    name: String,
    code: String,
    until: String,
}

#[derive(Template)]
#[template(path = "pages/desk_sheet.html")]
struct SheetView<'a> {
    page: &'a Page,
    number: String,
    name: String,
    agency: String,
    officer: String,
    portal: String,
    act: String,
    dossier: String,
    by_law: Vec<(String, String)>,
    by_consent: Vec<(String, String)>,
    at: String,
    state: String,
    open: bool,
    action: String,
    form_token: String,
}

#[derive(Deserialize)]
struct RecoverForm {
    #[serde(default)]
    phone: String,
    #[serde(default)]
    remove_all: bool,
}

#[derive(Default, Deserialize)]
struct SheetForm {
    #[serde(default)]
    portal: String,
    #[serde(default)]
    act: String,
    #[serde(default)]
    dossier: String,
}

#[derive(Deserialize)]
struct RequestForm {
    request: String,
}

#[derive(Deserialize)]
struct EndForm {
    answer: String,
    #[serde(default)]
    claim: Vec<String>,
}

async fn open(
    State(app): State<App>,
    person: SignedIn,
    reader: Reader,
    Path(check): Path<String>,
) -> Response {
    let Ok(check) = check.parse() else { return show_status(&reader, StatusCode::NOT_FOUND, None) };
    shown(&app, &person, &reader, check, (Vec::new(), SheetForm::default())).await
}

async fn shown(
    app: &App,
    person: &SignedIn,
    reader: &Reader,
    check: Id<CardCheck>,
    (errors, typed): (Vec<FieldError>, SheetForm),
) -> Response {
    let citizen: AtCounter = match read_at_counter(app, &person.session, check).await {
        Ok(citizen) => citizen,
        Err(error) => return failed(reader, error),
    };
    let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = Page::new(reader, "desk-citizen-title").refused(errors);
    let kind = |kind: crate::identity::authenticator::Kind| {
        page.t(&format!("ways-kind-{}", kind.word())).into_owned()
    };
    let view = CitizenView {
        name: citizen.name,
        agency: named(reader.lang, citizen.agency),
        phone: citizen.contact.phone.map(|phone| phone.to_string()),
        mail: citizen.contact.mail.map(|mail| mail.to_string()),
        enrolled: citizen.enrolled.into_iter().map(|way| (kind(way.kind), way.name)).collect(),
        waiting: citizen
            .waiting
            .iter()
            .map(|request| {
                let text = |wording: &Wording| wording.of(reader.lang).to_string();
                [
                    request.authorization.to_string(),
                    text(&request.portal),
                    text(&request.purpose),
                    request.message.to_string(),
                    display_vi(request.expires_at),
                ]
            })
            .collect(),
        action: format!("/desk/citizens/{}", citizen.check),
        typed,
        form_token: person.form_token(),
        page: &page,
    };
    show(status, &page, &view)
}

async fn restore(
    State(app): State<App>,
    reader: Reader,
    Path(check): Path<String>,
    SentForm { signed_in: person, form }: SentForm<RecoverForm>,
) -> Response {
    let Ok(check) = check.parse() else { return show_status(&reader, StatusCode::NOT_FOUND, None) };
    let phone = match form.phone.trim() {
        "" => None,
        text => match text.parse() {
            Ok(phone) => Some(phone),
            Err(_) => {
                let message = Page::new(&reader, "contact-phone-wrong").title;
                let errors = vec![FieldError { field: "phone", message }];
                return shown(&app, &person, &reader, check, (errors, SheetForm::default())).await;
            }
        },
    };
    let recovery = Recovery { phone, remove_all: form.remove_all };
    match recover(&app, &person.session, check, &recovery).await {
        Ok(slip) => slip_page(&reader, slip),
        Err(error) => failed(&reader, error),
    }
}

/// The slip is shown once: whoever loads the page again finds the check used up.
fn slip_page(reader: &Reader, slip: Slip) -> Response {
    let page = Page::new(reader, "desk-slip-title");
    let code = slip.code.expose();
    let code = format!("{}-{}", &code[..4], &code[4..]);
    let view = SlipView { page: &page, name: slip.name, code, until: display_vi(slip.expires_at) };
    show(StatusCode::OK, &page, &view)
}

async fn lock(
    State(app): State<App>,
    reader: Reader,
    Path(check): Path<String>,
    SentForm { signed_in: person, .. }: SentForm<Bare>,
) -> Response {
    let Ok(check) = check.parse() else { return show_status(&reader, StatusCode::NOT_FOUND, None) };
    match lock_at_counter(&app, &person.session, check).await {
        Ok(()) => {
            let page = Page::new(&reader, "desk-locked-title");
            show_error(StatusCode::OK, &page, &page.t("desk-locked"), None)
        }
        Err(error) => failed(&reader, error),
    }
}

async fn print(
    State(app): State<App>,
    reader: Reader,
    Path(check): Path<String>,
    SentForm { signed_in: person, form }: SentForm<SheetForm>,
) -> Response {
    let Ok(check) = check.parse() else { return show_status(&reader, StatusCode::NOT_FOUND, None) };
    let read = (Line::parse(&form.portal), Line::parse(&form.act), Line::parse(&form.dossier));
    let (Ok(portal), Ok(act), Ok(dossier)) = read else {
        let missing = [
            ("portal", form.portal.is_empty()),
            ("act", form.act.is_empty()),
            ("dossier", form.dossier.is_empty()),
        ];
        let message = || Page::new(&reader, "desk-sheet-field-wrong").title;
        let mut errors: Vec<_> = missing
            .into_iter()
            .filter(|(_, empty)| *empty)
            .map(|(field, _)| FieldError { field, message: message() })
            .collect();
        if errors.is_empty() {
            errors.push(FieldError { field: "act", message: message() });
        }
        return shown(&app, &person, &reader, check, (errors, form)).await;
    };
    match print_sheet(&app, &person.session, check, &NewSheet { portal, act, dossier }).await {
        Ok(sheet) => Redirect::to(&format!("/desk/sheets/{sheet}")).into_response(),
        Err(error) => failed(&reader, error),
    }
}

/// The sheet for a request that waits: what stands on it is the portal's, and nothing is typed.
async fn print_request(
    State(app): State<App>,
    reader: Reader,
    Path(check): Path<String>,
    SentForm { signed_in: person, form }: SentForm<RequestForm>,
) -> Response {
    let (Ok(check), Ok(request)) = (check.parse(), form.request.parse()) else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    match print_request_sheet(&app, &person.session, check, request).await {
        Ok(sheet) => Redirect::to(&format!("/desk/sheets/{sheet}")).into_response(),
        Err(error) => failed(&reader, error),
    }
}

async fn sheet(
    State(app): State<App>,
    person: SignedIn,
    reader: Reader,
    Path(sheet): Path<String>,
) -> Response {
    let Ok(id) = sheet.parse::<Id<SheetId>>() else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    match read_sheet(&app, &person.session, id).await {
        Ok(sheet) => {
            let page = Page::new(&reader, "desk-sheet-title");
            let said = |name: &str| sheet.says[name].as_str().unwrap_or_default().to_owned();
            let label = |claim: &str| page.t(&format!("claim-{claim}")).into_owned();
            let listed = |name: &str| sheet.says[name].as_array().cloned().unwrap_or_default();
            let by_law = listed("by_law");
            let by_law = by_law.iter().filter_map(|line| Some((line[0].as_str()?, line[1].as_str()?)));
            let by_consent = listed("by_consent");
            let by_consent = by_consent.iter().filter_map(|claim| claim.as_str());
            let view = SheetView {
                page: &page,
                number: format!("{}-{}", &sheet.number[..4], &sheet.number[4..]),
                name: sheet.name.clone(),
                agency: named(reader.lang, sheet.agency.clone()),
                officer: sheet.officer.clone(),
                portal: said("portal"),
                act: said("act"),
                dossier: said("dossier"),
                by_law: by_law.map(|(claim, basis)| (label(claim), basis.to_owned())).collect(),
                by_consent: by_consent.map(|claim| (claim.to_owned(), label(claim))).collect(),
                at: display_vi(sheet.printed_at),
                state: page.t(&format!("desk-sheet-state-{}", sheet.state.word())).into_owned(),
                open: sheet.is_open(),
                action: format!("/desk/sheets/{id}/end"),
                form_token: person.form_token(),
            };
            show(StatusCode::OK, &page, &view)
        }
        Err(error) => failed(&reader, error),
    }
}

async fn end(
    State(app): State<App>,
    reader: Reader,
    Path(sheet): Path<String>,
    SentForm { signed_in: person, form }: SentForm<EndForm>,
) -> Response {
    let Ok(id) = sheet.parse::<Id<SheetId>>() else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    let ticked: Result<Claims, _> = form.claim.iter().map(|name| name.parse()).collect();
    let signed = match (form.answer.as_str(), ticked) {
        ("void", _) => None,
        ("signed", Ok(ticked)) => Some(ticked),
        _ => return show_status(&reader, StatusCode::BAD_REQUEST, Some("claim_not_offered")),
    };
    match end_sheet(&app, &person.session, id, signed).await {
        Ok(()) => Redirect::to(&format!("/desk/sheets/{id}")).into_response(),
        Err(error) => failed(&reader, error),
    }
}

fn named(lang: Lang, (vi, en): (String, String)) -> String {
    if lang == Lang::Vi { vi } else { en }
}

/// What a refusal means at the desk.
pub(super) fn failed(reader: &Reader, error: Error) -> Response {
    match error {
        Error::Refused(r) if r.code == "card_check_needed" => {
            let page = Page::new(reader, "desk-citizen-title");
            show_error(StatusCode::CONFLICT, &page, &page.t("desk-card-needed"), Some(r.code))
        }
        Error::Refused(r) if r.code == "sign_in_over" => request_over(reader, r.code),
        Error::Conflict(r) if r.code == "sign_in_moved" => request_over(reader, r.code),
        Error::Forbidden(r) if r.code == "sign_in_unfit" => request_over(reader, r.code),
        other => super::ways::failed(reader, other),
    }
}

/// The request was answered, ran out, or may not be answered by this person now.
fn request_over(reader: &Reader, code: &'static str) -> Response {
    let page = Page::new(reader, "desk-citizen-title");
    show_error(StatusCode::CONFLICT, &page, &page.t("desk-request-over"), Some(code))
}
