//! `/board/fees`: the versions of the fee schedule. Accountants draft and submit, an approver who did neither approves for a
//! day or ends one, and everybody who keeps, approves or audits books reads how a version differs and what it would have
//! charged.

use super::board::{failed, said, status_of};
use super::page::{FieldError, Page, Reader, show, show_status};
use crate::app::App;
use crate::base::{
    calendar::Day,
    id::{Id, Schedule},
    money::Money,
    text::{Lang, Line},
};
use crate::flow::{
    Error,
    declare_fees::Period,
    fee_instrument::{NewInstrument, attach_instrument, read_instrument_as, unfit},
    fee_versions::{Move, NewVersion, draft_version, move_version},
    officer::Seat,
    read_fee_page::{VersionPage, VersionShown, read_version_page, read_versions_page},
};
use crate::http::api::fee_versions::instrument_file;
use crate::http::multipart::Multipart;
use crate::http::sent::{SentFile, SentForm};
use crate::http::session::SignedIn;
use crate::identity::role::Role;
use crate::payment::{
    attachment::{Attachment, BYTES_MAX},
    fee_version::State as Stand,
};
use askama::Template;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use serde::Deserialize;
use serde_json::Value;

/// The routes.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/board/fees", get(open).post(draft))
        .route("/board/fees/{id}", get(open_one).post(act))
        .route(
            "/board/fees/{id}/instrument",
            get(instrument).post(attach).layer(DefaultBodyLimit::max(BYTES_MAX + (64 << 10))),
        )
}

async fn open(State(app): State<App>, signed_in: SignedIn, reader: Reader) -> Response {
    show_all(&app, &signed_in, &reader, None).await
}

async fn show_all(
    app: &App,
    signed_in: &SignedIn,
    reader: &Reader,
    wrong: Option<(StatusCode, String, DraftForm)>,
) -> Response {
    let fees = match read_versions_page(app, signed_in.session.citizen).await {
        Ok(fees) => fees,
        Err(error) => return failed(reader, &error),
    };
    let mut page =
        Page::new(reader, "fees-title").signed_in(fees.reader.clone(), Some(signed_in.form_token())).wide();
    let mut status = StatusCode::OK;
    let mut typed = DraftForm::default();
    if let Some((code, message, form)) = wrong {
        (status, typed) = (code, form);
        page = page.refused(vec![FieldError { field: "items", message }]);
    }
    let drafts = fees.seats.iter().filter(|seat| seat.holds(Role::Accountant));
    let view = FeesView {
        rows: fees.versions.iter().map(|shown| Row::of(&page, shown)).collect(),
        places: drafts.map(|seat| (seat.id.to_string(), named(reader.lang, seat))).collect(),
        form_token: signed_in.form_token(),
        page: &page,
        typed,
    };
    show(status, &page, &view)
}

/// A seat's name in the reader's language.
pub(super) fn named(lang: Lang, seat: &Seat) -> String {
    match lang {
        Lang::Vi => seat.name.0.clone(),
        Lang::En => seat.name.1.clone(),
    }
}

#[derive(Default, Deserialize)]
struct DraftForm {
    agency: String,
    #[serde(default)]
    items: String,
    #[serde(default)]
    adjustments: String,
    #[serde(default)]
    instrument: String,
    #[serde(default)]
    text: String,
}

async fn draft(
    State(app): State<App>,
    reader: Reader,
    SentForm { signed_in, form }: SentForm<DraftForm>,
) -> Response {
    let Ok(agency) = form.agency.parse() else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    let title = Some(form.instrument.trim()).filter(|title| !title.is_empty());
    let Ok(instrument) = title.map(Line::parse).transpose() else {
        return show_status(&reader, StatusCode::BAD_REQUEST, Some("instrument"));
    };
    let text = Some(form.text.trim()).filter(|text| !text.is_empty());
    let Ok(file) = text.map(|text| Attachment::new(None, text.as_bytes().to_vec())).transpose() else {
        return show_status(&reader, StatusCode::BAD_REQUEST, Some("text"));
    };
    let new = NewVersion {
        // A browser ends the lines of a form by CR LF.
        items: form.items.replace("\r\n", "\n"),
        adjustments: form.adjustments.replace("\r\n", "\n"),
        file,
        instrument,
        officer: signed_in.session.citizen,
    };
    match draft_version(&app, agency, &new, None).await {
        Ok(version) => {
            let id = version["id"].as_str().unwrap_or_default();
            Redirect::to(&format!("/board/fees/{id}")).into_response()
        }
        Err(error @ (Error::Internal(_) | Error::NotFound(_))) => failed(&reader, &error),
        Err(error) => {
            let wrong = (status_of(&error), explained(reader.lang, &error), form);
            show_all(&app, &signed_in, &reader, Some(wrong)).await
        }
    }
}

/// What was refused, with the rows that are wrong.
fn explained(lang: Lang, error: &Error) -> String {
    let said = said(lang, error.code());
    let Error::Refused(refusal) = error else { return said };
    let rows: Vec<&str> = refusal.violations.iter().take(10).map(|wrong| wrong.field.as_str()).collect();
    if rows.is_empty() { said } else { format!("{said}: {}", rows.join("; ")) }
}

#[derive(Deserialize)]
struct TrialQuery {
    month: Option<String>,
}

async fn open_one(
    State(app): State<App>,
    signed_in: SignedIn,
    reader: Reader,
    Path(id): Path<String>,
    Query(query): Query<TrialQuery>,
) -> Response {
    let month = query.month.as_deref().filter(|month| !month.is_empty());
    match (id.parse(), month.map(Period::parse)) {
        (Err(_), _) | (_, Some(None)) => show_status(&reader, StatusCode::NOT_FOUND, None),
        (Ok(id), month) => show_one(&app, &signed_in, &reader, (id, month.flatten()), None).await,
    }
}

async fn show_one(
    app: &App,
    signed_in: &SignedIn,
    reader: &Reader,
    (id, month): (Id<Schedule>, Option<Period>),
    wrong: Option<(StatusCode, String)>,
) -> Response {
    let version = match read_version_page(app, signed_in.session.citizen, id, month).await {
        Ok(version) => version,
        Err(error) => return failed(reader, &error),
    };
    let page = Page::new(reader, "fees-one-title")
        .signed_in(version.reader.clone(), Some(signed_in.form_token()))
        .wide();
    let (page, status) = page.refused_if("version", wrong);
    let today = Day::of(app.clock.now());
    let before = Period::month_before(today);
    let month = month.unwrap_or(before).from.to_string();
    let view = one(&page, &version, (today, month.chars().take(7).collect()), signed_in.form_token());
    show(status, &page, &view)
}

fn one<'a>(
    page: &'a Page,
    of: &VersionPage,
    (today, month): (Day, String),
    form_token: String,
) -> OneView<'a> {
    let life = &of.shown.version.life;
    let holds = |role| of.seat.as_ref().is_some_and(|seat| seat.holds(role));
    let approver = holds(Role::Approver);
    OneView {
        row: Row::of(page, &of.shown),
        facts: facts(page, &of.shown),
        changes: changes(page, &of.diff),
        trial: of.trial.as_ref().map(|trial| trial_facts(page, trial)),
        attached: of.shown.version.attached.is_some(),
        submits: holds(Role::Accountant) && life.state == Stand::Draft,
        approves: approver && life.state == Stand::Submitted && !of.shown.own,
        own: approver && life.state == Stand::Submitted && of.shown.own,
        ends: approver && life.state == Stand::Approved && life.until.is_none(),
        today: today.to_string(),
        month,
        form_token,
        page,
    }
}

#[derive(Deserialize)]
struct ActForm {
    #[serde(default)]
    act: String,
    #[serde(default)]
    day: String,
}

async fn act(
    State(app): State<App>,
    reader: Reader,
    Path(id): Path<String>,
    SentForm { signed_in, form }: SentForm<ActForm>,
) -> Response {
    let officer = signed_in.session.citizen;
    let Ok(id) = id.parse::<Id<Schedule>>() else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    let agency = match read_version_page(&app, officer, id, None).await {
        Ok(version) => version.seat.map(|seat| seat.id),
        Err(error) => return failed(&reader, &error),
    };
    let day = form.day.parse::<Day>();
    let wanted = match (form.act.as_str(), day) {
        ("submit", _) => Move::Submit,
        ("approve", Ok(day)) => Move::Approve(day),
        ("discontinue", Ok(day)) => Move::Discontinue(day),
        _ => return show_status(&reader, StatusCode::BAD_REQUEST, Some("day")),
    };
    let Some(agency) = agency else {
        return show_status(&reader, StatusCode::FORBIDDEN, None);
    };
    match move_version(&app, agency, id, (wanted, officer), None).await {
        Ok(_) => Redirect::to(&format!("/board/fees/{id}")).into_response(),
        Err(error @ (Error::NotFound(_) | Error::Internal(_))) => failed(&reader, &error),
        Err(error) => {
            let wrong = (status_of(&error), explained(reader.lang, &error));
            show_one(&app, &signed_in, &reader, (id, None), Some(wrong)).await
        }
    }
}

/// The text of the instrument, as a file.
async fn instrument(
    State(app): State<App>,
    signed_in: SignedIn,
    reader: Reader,
    Path(id): Path<String>,
) -> Response {
    let Ok(id) = id.parse::<Id<Schedule>>() else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    match read_instrument_as(&app, signed_in.session.citizen, id).await {
        Ok(file) => instrument_file(id, file),
        Err(error) => failed(&reader, &error),
    }
}

async fn attach(
    State(app): State<App>,
    reader: Reader,
    Path(id): Path<String>,
    SentFile { signed_in, form }: SentFile<Multipart>,
) -> Response {
    let officer = signed_in.session.citizen;
    let Ok(id) = id.parse::<Id<Schedule>>() else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    let agency = match read_version_page(&app, officer, id, None).await {
        Ok(version) => version.seat.map(|seat| seat.id),
        Err(error) => return failed(&reader, &error),
    };
    let Some(agency) = agency else {
        return show_status(&reader, StatusCode::FORBIDDEN, None);
    };
    let title = Some(form.text("title").trim()).filter(|title| !title.is_empty());
    let Ok(title) = title.map(Line::parse).transpose() else {
        return show_status(&reader, StatusCode::BAD_REQUEST, Some("title"));
    };
    let attached = match Attachment::new(None, form.bytes("file").to_vec()) {
        Ok(file) => attach_instrument(&app, agency, id, &NewInstrument { officer, title, file }, None).await,
        Err(why) => Err(unfit("file", why)),
    };
    match attached {
        Ok(_) => Redirect::to(&format!("/board/fees/{id}")).into_response(),
        Err(error @ (Error::NotFound(_) | Error::Internal(_))) => failed(&reader, &error),
        Err(error) => {
            let wrong = (status_of(&error), said(reader.lang, error.code()));
            show_one(&app, &signed_in, &reader, (id, None), Some(wrong)).await
        }
    }
}

struct Row {
    id: String,
    instrument: String,
    state: String,
    tag: &'static str,
    from: String,
    until: String,
    drafted: String,
}

impl Row {
    fn of(page: &Page, shown: &VersionShown) -> Self {
        let (version, life) = (&shown.version, &shown.version.life);
        let (word, tag) = match (life.state, life.until) {
            (Stand::Draft, _) => ("draft", "warn"),
            (Stand::Submitted, _) => ("submitted", "warn"),
            (Stand::Approved, Some(_)) => ("discontinued", "bad"),
            (Stand::Approved, None) if shown.in_force => ("in-force", "ok"),
            (Stand::Approved, None) => ("approved", "ok"),
        };
        let none = || "—".to_owned();
        let day = |day: Option<Day>| day.map_or_else(none, |day| day.display_vi());
        Self {
            id: version.id.to_string(),
            instrument: version
                .instrument
                .clone()
                .unwrap_or_else(|| page.t("fees-no-instrument").into_owned()),
            state: page.t(&format!("fees-state-{word}")).into_owned(),
            tag,
            from: day(life.from),
            until: day(life.until),
            drafted: shown.people[0].clone().unwrap_or_else(|| page.t("fees-command-line").into_owned()),
        }
    }
}

/// What is known, each with its name.
fn facts(page: &Page, shown: &VersionShown) -> Vec<(String, String)> {
    let life = &shown.version.life;
    let [drafted, submitted, approved] = shown.people.clone();
    let attached = match &shown.version.attached {
        Some(file) => page.with(
            "fees-attached-file",
            &[("size", file.bytes.to_string().into()), ("sha256", hex::encode(&file.sha256).into())],
        ),
        None => page.t("fees-attached-no").into_owned(),
    };
    let facts = [
        ("fees-attached", Some(attached)),
        ("fees-drafted", drafted),
        ("fees-submitted", submitted),
        ("fees-approved", approved),
        ("fees-from", life.from.map(|day| day.display_vi())),
        ("fees-until", life.until.map(|day| day.display_vi())),
    ];
    facts.into_iter().filter_map(|(key, value)| Some((page.t(key).into_owned(), value?))).collect()
}

/// Each change: of what, from which day, how, and member by member.
fn changes(page: &Page, diff: &Value) -> Vec<(String, String, String, Vec<String>)> {
    let word = |of: &Value| of.as_str().unwrap_or_default().to_owned();
    let day = |of: &Value| word(of).parse::<Day>().map_or_else(|_| word(of), |day| day.display_vi());
    let rows = diff["changes"].as_array().into_iter().flatten();
    rows.map(|change| {
        let scope = change["applies_to"].as_str().map(|scope| format!(" ({scope})")).unwrap_or_default();
        let how = page.t(&format!("fees-change-{}", word(&change["how"])));
        let members = change["members"].as_array().into_iter().flatten();
        let members = members
            .map(|m| format!("{}: {} → {}", word(&m["member"]), word(&m["before"]), word(&m["after"])));
        (
            format!("{}{scope}", word(&change["code"])),
            day(&change["valid_from"]),
            how.into_owned(),
            members.collect(),
        )
    })
    .collect()
}

/// What the version would have charged for the bills of a month.
fn trial_facts(page: &Page, trial: &Value) -> Vec<(String, String)> {
    let amount = |of: &Value| {
        let dong = of["amount"].as_str().and_then(|text| text.parse().ok()).unwrap_or(0);
        Money::vnd(dong).display_vi()
    };
    let count = |member: &str| trial[member].to_string();
    let facts = [
        ("fees-trial-bills", count("bills")),
        ("fees-trial-unchanged", count("unchanged")),
        ("fees-trial-changed", count("changed")),
        ("fees-trial-refused", count("refused")),
        ("fees-trial-unknown", count("unknown")),
        ("fees-trial-before", amount(&trial["before"])),
        ("fees-trial-after", amount(&trial["after"])),
    ];
    facts.into_iter().map(|(key, value)| (page.t(key).into_owned(), value)).collect()
}

#[derive(Template)]
#[template(path = "pages/board_fees.html")]
struct FeesView<'a> {
    page: &'a Page,
    rows: Vec<Row>,
    places: Vec<(String, String)>,
    typed: DraftForm,
    form_token: String,
}

#[derive(Template)]
#[template(path = "pages/board_fee_version.html")]
struct OneView<'a> {
    page: &'a Page,
    row: Row,
    facts: Vec<(String, String)>,
    changes: Vec<(String, String, String, Vec<String>)>,
    trial: Option<Vec<(String, String)>>,
    attached: bool,
    submits: bool,
    approves: bool,
    own: bool,
    ends: bool,
    today: String,
    month: String,
    form_token: String,
}
