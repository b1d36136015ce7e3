//! `/board/closings`: days, months and years are closed. The accountant prepares, a second person approves or sends back;
//! the auditor reads.

use super::board::{DecideForm, ListQuery, failed, name, role, said, status_of};
use super::closing_waits::show_waiting;
use super::page::{Called, Page, Reader, show, show_status};
use crate::app::App;
use crate::base::{
    calendar::{Day, display_vi},
    id::{Agency, Closing, Id},
    money::Money,
};
use crate::flow::{
    Error,
    close_period::{decide_closing, prepare_closing},
    judge_stamps::Judged,
    read_closings::{
        Beside, Closings, Format, beside_closing_as_officer, closing_file_as_officer, list_closings,
        read_closing,
    },
    stamp_heads::{Given, Stamping},
    witness_heads::{Witness, read_witnesses},
};
use crate::http::api::receipts::attachment;
use crate::http::sent::SentForm;
use crate::http::session::SignedIn;
use crate::http::tree::{Trees, Whole, trees};
use crate::payment::closing::{Kind, Period, State};
use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State as AppState};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;

/// The routes.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/board/closings", get(list).post(prepare))
        .route("/board/closings/{id}", get(open))
        .route("/board/closings/{id}/decide", post(decide))
        .route("/board/closings/{id}/pdf", get(pdf))
        .route("/board/closings/{id}/xlsx", get(xlsx))
        .route("/board/closings/{id}/head", get(head))
        .route("/board/closings/{id}/stamp", get(stamp))
}

async fn list(
    AppState(app): AppState<App>,
    signed_in: SignedIn,
    reader: Reader,
    Whole(whole): Whole,
    Query(asked): Query<ListQuery>,
) -> Response {
    let Some((agency, after)) = asked.read::<Closing>() else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    show_list(&app, &signed_in, &reader, ((agency, whole), after), None).await
}

/// Of which agency, and whether with everybody whom it succeeded.
type Whose = (Option<Id<Agency>>, bool);

async fn show_list(
    app: &App,
    signed_in: &SignedIn,
    reader: &Reader,
    ((agency, whole), after): (Whose, Option<Id<Closing>>),
    wrong: Option<(StatusCode, String)>,
) -> Response {
    let found = match list_closings(app, signed_in.session.citizen, (agency, whole), after).await {
        Ok(found) => found,
        Err(error) => return failed(reader, &error),
    };
    let witnesses = match read_witnesses(app).await {
        Ok(witnesses) => witnesses,
        Err(error) => return failed(reader, &error),
    };
    let page = Page::new(reader, "closing-list-title")
        .signed_in(found.reader.clone(), Some(signed_in.form_token()))
        .wide();
    let (page, status) = page.refused_if("day", wrong);
    let view = ListView {
        agency: name(reader.lang, &found.agency).to_owned(),
        role: role(&page, found.agency.acts),
        rows: list_rows(&page, &found),
        yesterday: Day::of(found.now).plus_days(-1).to_string(),
        next: found.next.map(|next| {
            let tree = if whole { "&tree=new" } else { "" };
            format!("/board/closings?agency={}{tree}&after={next}", found.agency.id)
        }),
        trees: trees(&page, "/board/closings", &found.agency, whole),
        form_token: signed_in.form_token(),
        witnesses: witnesses.iter().map(|witness| witnessed(&page, witness)).collect(),
        page: &page,
        found: &found,
    };
    show(status, &page, &view)
}

/// What is not prepared yet, then the closings.
fn list_rows(page: &Page, found: &Closings) -> Vec<ListRow> {
    let row = |(id, period): (Id<Closing>, Period), (state, tag): (&str, _), at| ListRow {
        href: format!("/board/closings/{id}"),
        what: page.t(&format!("closing-kind-{}", period.kind.as_str())).into_owned(),
        days: days_of(period),
        state: page.t(&format!("closing-state-{state}")).into_owned(),
        tag,
        at: display_vi(at),
    };
    let unfinished = found.unfinished.iter().map(|one| {
        let state = if one.waits { ("waiting", "warn") } else { ("refused", "bad") };
        row((one.id, one.period), state, one.asked_at)
    });
    let items = found
        .items
        .iter()
        .map(|item| row((item.id, item.period), (item.state.as_str(), tag(item.state)), item.prepared.1));
    unfinished.chain(items).collect()
}

/// One day, or the first and the last.
pub(super) fn days_of(period: Period) -> String {
    if period.first == period.last {
        return period.first.display_vi();
    }
    format!("{} – {}", period.first.display_vi(), period.last.display_vi())
}

const fn tag(state: State) -> &'static str {
    match state {
        State::Prepared => "warn",
        State::Approved => "ok",
        State::Withdrawn => "bad",
    }
}

#[derive(Template)]
#[template(path = "pages/closings.html")]
struct ListView<'a> {
    page: &'a Page,
    found: &'a Closings,
    agency: String,
    role: String,
    rows: Vec<ListRow>,
    yesterday: String,
    next: Option<String>,
    trees: Trees,
    form_token: String,
    witnesses: Vec<(String, String)>,
}

/// A witness of the log's heads, and how it stands with it.
fn witnessed(page: &Page, witness: &Witness) -> (String, String) {
    let told = match witness.told {
        Some((size, at)) => {
            page.with("witness-told", &[("size", size.to_string().into()), ("at", display_vi(at).into())])
        }
        None => page.t("witness-nothing").into_owned(),
    };
    let waiting = witness.waiting.as_ref().map(|(size, attempts, outcome)| {
        let last = outcome.clone().unwrap_or_else(|| page.t("witness-unanswered").into_owned());
        let (size, attempts) = (size.to_string().into(), attempts.to_string().into());
        page.with("witness-waiting", &[("size", size), ("attempts", attempts), ("last", last.into())])
    });
    let said = [Some(told), waiting].into_iter().flatten().collect::<Vec<_>>().join(" ");
    (witness.name.clone(), said)
}

/// One closing in the table.
struct ListRow {
    href: String,
    what: String,
    days: String,
    state: String,
    tag: &'static str,
    at: String,
}

#[derive(Deserialize)]
struct PrepareForm {
    agency: String,
    kind: String,
    #[serde(default)]
    day: String,
}

async fn prepare(
    AppState(app): AppState<App>,
    reader: Reader,
    SentForm { signed_in, form }: SentForm<PrepareForm>,
) -> Response {
    let (Ok(agency), Ok(kind)) = (form.agency.parse::<Id<Agency>>(), form.kind.parse::<Kind>()) else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    let Ok(day) = form.day.parse::<Day>() else {
        let message = Page::new(&reader, "reconciliation-day-error").title;
        let wrong = Some((StatusCode::BAD_REQUEST, message));
        return show_list(&app, &signed_in, &reader, ((Some(agency), false), None), wrong).await;
    };
    match prepare_closing(&app, agency, signed_in.session.citizen, Period::around(kind, day)).await {
        Ok(id) => Redirect::to(&format!("/board/closings/{id}")).into_response(),
        Err(error @ Error::Conflict(_)) => {
            let message = match &error {
                Error::Conflict(refusal) => match &refusal.about {
                    Some(about) => format!("{} ({about})", said(reader.lang, refusal.code)),
                    None => said(reader.lang, refusal.code),
                },
                _ => String::new(),
            };
            let wrong = Some((status_of(&error), message));
            show_list(&app, &signed_in, &reader, ((Some(agency), false), None), wrong).await
        }
        Err(error) => failed(&reader, &error),
    }
}

async fn open(
    AppState(app): AppState<App>,
    signed_in: SignedIn,
    reader: Reader,
    Called(id): Called<Id<Closing>>,
) -> Response {
    show_one(&app, &signed_in, &reader, id).await
}

async fn show_one(app: &App, signed_in: &SignedIn, reader: &Reader, id: Id<Closing>) -> Response {
    let shown = match read_closing(app, signed_in.session.citizen, id).await {
        Ok(shown) => shown,
        Err(Error::NotFound(_)) => return show_waiting(app, signed_in, reader, id).await,
        Err(error) => return failed(reader, &error),
    };
    let content = &shown.content;
    let mut page = Page::new(reader, "closing-list-title")
        .signed_in(shown.reader.clone(), Some(signed_in.form_token()))
        .wide();
    page.title = page.t(&format!("closing-title-{}", content.kind)).into_owned();
    let money = |minor: i64| Money::vnd(minor).display_vi();
    let day = |text: &str| text.parse::<Day>().map_or_else(|_| text.to_owned(), Day::display_vi);
    let moment =
        |text: &str| crate::base::calendar::parse_rfc3339(text).map_or_else(|| text.to_owned(), display_vi);
    let signed = |(who, at): &(String, String)| format!("{who}, {}", moment(at));
    let mut facts = vec![
        (
            page.t("closing-days").into_owned(),
            if content.days.0 == content.days.1 {
                day(&content.days.0)
            } else {
                format!("{} – {}", day(&content.days.0), day(&content.days.1))
            },
        ),
        (page.t("closing-prepared-by").into_owned(), signed(&content.prepared)),
    ];
    if let Some(approved) = &content.approved {
        facts.push((page.t("closing-approved-by").into_owned(), signed(approved)));
    }
    if let Some((size, _)) = &content.head {
        facts.push((page.t("closing-head-size").into_owned(), size.to_string()));
    }
    facts.extend(stamp_facts(&page, shown.stamping.as_ref()));
    facts.extend(shown.judged.as_ref().map(|judged| today(&page, judged)));
    for (state, count) in &content.cases {
        let what = format!("{}: {}", page.t("closing-cases"), page.t(&format!("closing-case-{state}")));
        facts.push((what, count.to_string()));
    }
    let view = OneView {
        agency: name(reader.lang, &shown.agency).to_owned(),
        role: role(&page, shown.agency.acts),
        state: page.t(&format!("closing-state-{}", shown.stored.state.as_str())).into_owned(),
        tag: tag(shown.stored.state),
        facts,
        statements: content
            .statements
            .iter()
            .map(|s| {
                [
                    day(&s.day),
                    s.account.clone(),
                    format!("{}/{}", s.matched, s.lines),
                    money(s.closing.saturating_sub(s.opening)),
                    money(s.unexplained()),
                ]
            })
            .collect(),
        ledger: content
            .ledger
            .iter()
            .map(|(kind, debit, credit)| {
                [page.t(&format!("closing-account-{kind}")).into_owned(), money(*debit), money(*credit)]
            })
            .collect(),
        receipts: content
            .receipts
            .iter()
            .map(|(first, last, count, total, void)| {
                [format!("{first} – {last}"), count.to_string(), void.to_string(), money(*total)]
            })
            .collect(),
        action: format!("/board/closings/{id}"),
        approved: shown.stored.state == State::Approved,
        headed: content.head.is_some(),
        stamped: matches!(shown.stamping, Some(Stamping::Stamped(_))),
        approves: shown.approves,
        withdraws: shown.withdraws,
        form_token: signed_in.form_token(),
        back: format!("/board/closings?agency={}", shown.agency.id),
        page: &page,
    };
    show(StatusCode::OK, &page, &view)
}

/// What is told of the time stamp of a closing's head.
fn stamp_facts(page: &Page, stamping: Option<&Stamping>) -> Vec<(String, String)> {
    let said = |key: &str, value: String| (page.t(key).into_owned(), value);
    match stamping {
        None => Vec::new(),
        Some(Stamping::Stamped(given)) => vec![
            said("closing-stamp-at", display_vi(given.at)),
            said("closing-stamp-authority", given.authority.clone()),
            said("closing-stamp-serial", format!("{} ({})", given.serial, given.policy)),
            said("closing-stamp-revocation", revocation(page, given)),
        ],
        Some(Stamping::Waiting(attempts, last)) => {
            let last = last.clone().unwrap_or_else(|| page.t("witness-unanswered").into_owned());
            let args = [("attempts", attempts.to_string().into()), ("last", last.into())];
            vec![said("closing-stamp", page.with("closing-stamp-waiting", &args))]
        }
        Some(Stamping::GivenUp(last)) => {
            vec![said("closing-stamp", page.with("closing-stamp-given-up", &[("last", last.clone().into())]))]
        }
    }
}

/// What the lists that the operator has by now show of it.
fn today(page: &Page, judged: &Judged) -> (String, String) {
    let at = [("at", judged.lists_of.map(display_vi).unwrap_or_default().into())];
    let shown = if judged.stands {
        page.with(&format!("closing-revocation-{}", judged.word), &at)
    } else {
        page.with("closing-stamp-fallen", &[("why", judged.word.clone().into())])
    };
    (page.t("closing-stamp-today").into_owned(), shown)
}

/// What revocation lists showed of whoever stamped.
fn revocation(page: &Page, given: &Given) -> String {
    let key = format!("closing-revocation-{}", given.revocation);
    page.with(&key, &[("at", given.lists_of.map(display_vi).unwrap_or_default().into())])
}

#[derive(Template)]
#[template(path = "pages/closing.html")]
struct OneView<'a> {
    page: &'a Page,
    agency: String,
    role: String,
    state: String,
    tag: &'static str,
    facts: Vec<(String, String)>,
    statements: Vec<[String; 5]>,
    ledger: Vec<[String; 3]>,
    receipts: Vec<[String; 4]>,
    action: String,
    approved: bool,
    headed: bool,
    stamped: bool,
    approves: bool,
    withdraws: bool,
    form_token: String,
    back: String,
}

async fn decide(
    AppState(app): AppState<App>,
    reader: Reader,
    Path(id): Path<String>,
    SentForm { signed_in, form }: SentForm<DecideForm>,
) -> Response {
    let (id, approve) = match form.read::<Closing>(&id) {
        Ok(read) => read,
        Err((status, why)) => return show_status(&reader, status, why),
    };
    match decide_closing(&app, signed_in.session.citizen, id, approve).await {
        Ok(()) => Redirect::to(&format!("/board/closings/{id}")).into_response(),
        Err(error) => failed(&reader, &error),
    }
}

async fn pdf(state: AppState<App>, signed_in: SignedIn, reader: Reader, id: Path<String>) -> Response {
    file(state, signed_in, reader, id, Format::Pdf).await
}

async fn xlsx(state: AppState<App>, signed_in: SignedIn, reader: Reader, id: Path<String>) -> Response {
    file(state, signed_in, reader, id, Format::Xlsx).await
}

async fn head(state: AppState<App>, signed_in: SignedIn, reader: Reader, id: Path<String>) -> Response {
    beside(state, signed_in, reader, id, Beside::Head).await
}

async fn stamp(state: AppState<App>, signed_in: SignedIn, reader: Reader, id: Path<String>) -> Response {
    beside(state, signed_in, reader, id, Beside::Stamp).await
}

async fn beside(
    AppState(app): AppState<App>,
    signed_in: SignedIn,
    reader: Reader,
    Path(id): Path<String>,
    what: Beside,
) -> Response {
    let Ok(id) = id.parse::<Id<Closing>>() else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    match beside_closing_as_officer(&app, signed_in.session.citizen, id, what).await {
        Ok((name, media_type, bytes)) => attachment(media_type, &name, bytes),
        Err(error) => failed(&reader, &error),
    }
}

async fn file(
    AppState(app): AppState<App>,
    signed_in: SignedIn,
    reader: Reader,
    Path(id): Path<String>,
    format: Format,
) -> Response {
    let Ok(id) = id.parse::<Id<Closing>>() else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    match closing_file_as_officer(&app, signed_in.session.citizen, id, format).await {
        Ok((name, bytes)) => attachment(format.media_type(), &format!("{name}.{}", format.as_str()), bytes),
        Err(error) => failed(&reader, &error),
    }
}
