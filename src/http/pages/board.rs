//! `/board`: the accountant's day. What the bank's statements say against the books, which differences are to be
//! settled, who holds each. The auditor reads the same page without its buttons.

use super::page::{Page, Reader, show, show_status};
use crate::app::App;
use crate::base::{
    calendar::{Day, display_vi},
    id::{self, Agency, Case, Id},
    text::Lang,
};
use crate::flow::{
    Error,
    fetch_statement::fetch_as_officer,
    officer::Workplace,
    read_board::{Asked, Board, CaseShown, DayShown, read_board},
};
use crate::http::sent::SentForm;
use crate::http::session::SignedIn;
use crate::http::tree::{Trees, Whole, trees};
use crate::payment::case::{Kind, State};
use crate::text::Texts;
use askama::Template;
use axum::Router;
use axum::extract::{Query, State as AppState};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;

/// The routes.
pub fn routes() -> Router<App> {
    Router::new().route("/board", get(open)).route("/board/statements", post(fetch))
}

#[derive(Default, Deserialize)]
struct BoardQuery {
    agency: Option<String>,
    show: Option<String>,
    after: Option<String>,
}

impl BoardQuery {
    fn read(&self, whole: bool) -> Option<Asked> {
        let agency = self.agency.as_deref().map(str::parse::<Id<Agency>>).transpose().ok()?;
        let after = self.after.as_deref().map(str::parse::<Id<Case>>).transpose().ok()?;
        Some(Asked { agency, whole, all: self.show.as_deref() == Some("all"), after })
    }
}

async fn open(
    AppState(app): AppState<App>,
    signed_in: SignedIn,
    reader: Reader,
    Whole(whole): Whole,
    Query(query): Query<BoardQuery>,
) -> Response {
    let Some(asked) = query.read(whole) else { return show_status(&reader, StatusCode::NOT_FOUND, None) };
    show_board(&app, &signed_in, &reader, &asked, None).await
}

#[derive(Deserialize)]
struct FetchForm {
    agency: String,
    account: String,
    #[serde(default)]
    day: String,
}

async fn fetch(
    AppState(app): AppState<App>,
    reader: Reader,
    SentForm { signed_in, form }: SentForm<FetchForm>,
) -> Response {
    let Ok(agency) = form.agency.parse::<Id<Agency>>() else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    let asked = Asked { agency: Some(agency), ..Asked::default() };
    let Ok(day) = form.day.parse::<Day>() else {
        let message = text(reader.lang, "reconciliation-day-error");
        return show_board(&app, &signed_in, &reader, &asked, Some((StatusCode::BAD_REQUEST, message))).await;
    };
    match fetch_as_officer(&app, signed_in.session.citizen, agency, &form.account, day).await {
        Ok(None) => Redirect::to(&format!("/board?agency={agency}")).into_response(),
        Ok(Some(day)) => Redirect::to(&format!("/board/days/{day}")).into_response(),
        Err(error @ (Error::NotFound(_) | Error::Forbidden(_) | Error::Internal(_))) => {
            failed(&reader, &error)
        }
        Err(error) => {
            let wrong = (status_of(&error), said(reader.lang, error.code()));
            show_board(&app, &signed_in, &reader, &asked, Some(wrong)).await
        }
    }
}

/// What a refusal says to people: what is wrong, and what to do next.
pub fn said(lang: Lang, code: &str) -> String {
    let (what, next) = (format!("problem-{code}"), format!("problem-{code}-next"));
    format!("{}. {}", text(lang, &what), text(lang, &next))
}

fn text(lang: Lang, key: &str) -> String {
    Texts::embedded().get(lang, key).into_owned()
}

/// The status of a page that says why something was not done.
pub fn status_of(error: &Error) -> StatusCode {
    match error {
        Error::Refused(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Error::NotFound(_) => StatusCode::NOT_FOUND,
        Error::Conflict(_) => StatusCode::CONFLICT,
        Error::Forbidden(_) => StatusCode::FORBIDDEN,
        Error::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The status and the reason of a page that refuses a form.
pub type Unfit = (StatusCode, Option<&'static str>);

/// Whose list, and after which row.
#[derive(Default, Deserialize)]
pub struct ListQuery {
    agency: Option<String>,
    after: Option<String>,
}

/// An agency, and the row before the first one.
pub type Asks<T> = (Option<Id<Agency>>, Option<Id<T>>);

impl ListQuery {
    /// `None` when something in it cannot be read.
    pub fn read<T: id::Kind>(&self) -> Option<Asks<T>> {
        let agency = self.agency.as_deref().map(str::parse).transpose().ok()?;
        Some((agency, self.after.as_deref().map(str::parse).transpose().ok()?))
    }
}

/// What a second person says of what a first one prepared: it holds, or it goes back.
#[derive(Deserialize)]
pub struct DecideForm {
    outcome: String,
}

impl DecideForm {
    /// What is decided on, and whether it holds; or the status and the reason of the page that refuses the form.
    pub fn read<T: id::Kind>(&self, id: &str) -> Result<(Id<T>, bool), Unfit> {
        let id = id.parse().map_err(|_| (StatusCode::NOT_FOUND, None))?;
        match self.outcome.as_str() {
            "accept" | "approve" => Ok((id, true)),
            "withdraw" => Ok((id, false)),
            _ => Err((StatusCode::BAD_REQUEST, Some("outcome"))),
        }
    }
}

/// The status and the words of a page that says why something was not done, where anything was wrong.
pub fn why(lang: Lang, wrong: Option<&Error>) -> Option<(StatusCode, String)> {
    wrong.map(|error| (status_of(error), said(lang, error.code())))
}

/// The page of a flow that failed.
pub fn failed(reader: &Reader, error: &Error) -> Response {
    if let Error::Internal(cause) = error {
        tracing::error!(?cause, "a page of the accounting failed");
    }
    let code = Some(error.code()).filter(|_| !matches!(error, Error::NotFound(_)));
    show_status(reader, status_of(error), code)
}

async fn show_board(
    app: &App,
    signed_in: &SignedIn,
    reader: &Reader,
    asked: &Asked,
    wrong: Option<(StatusCode, String)>,
) -> Response {
    let board = match read_board(app, signed_in.session.citizen, asked).await {
        Ok(board) => board,
        Err(error) => return failed(reader, &error),
    };
    let page = Page::new(reader, "reconciliation-title")
        .signed_in(board.reader.clone(), Some(signed_in.form_token()))
        .wide();
    let (page, status) = page.refused_if("day", wrong);
    let view = BoardView {
        agency: name(reader.lang, &board.agency).to_owned(),
        role: role(&page, board.agency.acts),
        days: board.statements.iter().map(|day| DayRow::of(&page, day)).collect(),
        bars: bars(&board.statements),
        cases: board.cases.iter().map(|case| CaseRow::of(&page, case, &board)).collect(),
        yesterday: Day::of(board.now).plus_days(-1).to_string(),
        form_token: signed_in.form_token(),
        lang: reader.lang,
        trees: trees(&page, "/board", &board.agency, asked.whole),
        whole: asked.whole,
        all: asked.all,
        page: &page,
        board: &board,
    };
    show(status, &page, &view)
}

/// The agency's name in the reader's language.
pub fn name(lang: Lang, place: &Workplace) -> &str {
    match lang {
        Lang::Vi => &place.name.0,
        Lang::En => &place.name.1,
    }
}

/// As what the reader is here.
pub fn role(page: &Page, acts: bool) -> String {
    page.t(if acts { "reconciliation-accountant" } else { "reconciliation-auditor" }).into_owned()
}

#[derive(Template)]
#[template(path = "pages/board.html")]
struct BoardView<'a> {
    page: &'a Page,
    board: &'a Board,
    lang: Lang,
    agency: String,
    role: String,
    days: Vec<DayRow>,
    bars: Vec<Bar>,
    cases: Vec<CaseRow>,
    yesterday: String,
    form_token: String,
    trees: Trees,
    whole: bool,
    all: bool,
}

impl BoardView<'_> {
    /// The newest day, whose sums stand on top.
    fn latest(&self) -> Option<&DayRow> {
        self.days.first()
    }

    fn missing(&self) -> Vec<String> {
        let said = self.board.missing.iter().map(|missing| {
            self.page.with(
                "reconciliation-missing",
                &[
                    ("day", missing.day.display_vi().into()),
                    ("account", missing.account.as_str().into()),
                    ("why", text(self.lang, &format!("problem-{}", missing.refusal)).into()),
                    ("next", display_vi(missing.next_at).into()),
                ],
            )
        });
        said.collect()
    }

    /// The same list with or without the closed cases.
    fn list_href(&self, all: bool, after: Option<&Id<Case>>) -> String {
        let mut address = format!("/board?agency={}", self.board.agency.id);
        if self.whole {
            address.push_str("&tree=new");
        }
        if all {
            address.push_str("&show=all");
        }
        if let Some(after) = after {
            address.push_str("&after=");
            address.push_str(&after.to_string());
        }
        address
    }
}

/// One statement in the table.
struct DayRow {
    href: String,
    day: String,
    /// Which telling it is, when the bank told the day again.
    again: Option<String>,
    account: String,
    lines: usize,
    matched: String,
    differing: String,
    moved: String,
    unexplained: String,
    /// Whether the books themselves are wrong.
    wrong: bool,
}

impl DayRow {
    fn of(page: &Page, day: &DayShown) -> Self {
        let statement = &day.statement;
        let outcome = statement.outcome;
        let none = || page.t("reconciliation-not-yet").into_owned();
        let money = |money: Option<crate::base::money::Money>| money.map_or_else(none, |m| m.display_vi());
        let number = || [("number", statement.version.to_string().into())];
        Self {
            href: format!("/board/statements/{}", statement.id),
            day: statement.day.display_vi(),
            again: (statement.version > 1).then(|| page.with("reconciliation-again", &number())),
            account: day.account.clone(),
            lines: statement.lines,
            matched: outcome.map_or_else(none, |o| o.matched.to_string()),
            differing: outcome.map_or_else(none, |o| statement.lines.saturating_sub(o.matched).to_string()),
            moved: money(statement.closing.minus(statement.opening).ok()),
            unexplained: money(day.unexplained),
            wrong: day.unexplained.is_some_and(|money| !money.is_zero()),
        }
    }
}

/// One bar of the chart: matched below, differing on top. All in whole units of the drawing.
struct Bar {
    x: usize,
    middle: usize,
    label: String,
    matched: (u64, u64),
    differing: (u64, u64),
}

const BAR_STEP: usize = 44;
const BAR_FLOOR: u64 = 120;
const BAR_HEIGHT: u64 = 100;

/// The days from the oldest to the newest; nothing to compare gives no chart.
fn bars(days: &[DayShown]) -> Vec<Bar> {
    let most = days.iter().map(|day| day.statement.lines).max().unwrap_or(0) as u64;
    if days.len() < 2 || most == 0 {
        return Vec::new();
    }
    let height = |lines: usize| match lines as u64 {
        0 => 0,
        // What is there is seen, however little it is.
        lines => (lines * BAR_HEIGHT / most).max(2),
    };
    let bar = |(at, day): (usize, &DayShown)| {
        let statement = &day.statement;
        let matched = statement.outcome.map_or(0, |outcome| outcome.matched);
        let (low, high) = (height(matched), height(statement.lines.saturating_sub(matched)));
        let x = 8 + at * BAR_STEP;
        let label = statement.day.display_vi();
        Bar {
            x,
            middle: x + 16,
            label: label.get(..5).unwrap_or_default().to_owned(),
            matched: (BAR_FLOOR.saturating_sub(low), low),
            differing: (BAR_FLOOR.saturating_sub(low + high), high),
        }
    };
    days.iter().rev().enumerate().map(bar).collect()
}

/// One case in the table.
struct CaseRow {
    href: String,
    kind: String,
    place: String,
    dossier: Option<String>,
    amount: String,
    state: String,
    tag: &'static str,
    owner: Option<String>,
    age: String,
}

impl CaseRow {
    fn of(page: &Page, shown: &CaseShown, board: &Board) -> Self {
        Self {
            href: format!("/board/cases/{}", shown.case.id),
            kind: kind(page, shown.case.difference.kind),
            place: place(page, shown),
            dossier: shown.paid_for.as_ref().map(|paid| paid.dossier.clone()),
            amount: amount(shown),
            state: state(page, &shown.case.state),
            tag: tag(&shown.case.state),
            owner: shown.owner.clone(),
            age: age(page, board.now - shown.case.opened_at),
        }
    }
}

/// What is wrong, in words.
pub fn kind(page: &Page, kind: Kind) -> String {
    page.t(&format!("reconciliation-kind-{}", kind.as_str())).into_owned()
}

/// Where a case stands, in words.
pub fn state(page: &Page, state: &State) -> String {
    match state {
        State::Resolved { resolution, .. } => {
            page.t(&format!("reconciliation-resolution-{}", resolution.as_str())).into_owned()
        }
        other => page.t(&format!("reconciliation-state-{}", other.as_str())).into_owned(),
    }
}

/// How a state's tag looks.
pub const fn tag(state: &State) -> &'static str {
    match state {
        State::Open => "bad",
        State::Assigned { .. } => "warn",
        State::Resolved { .. } | State::Cleared { .. } => "ok",
    }
}

/// Which line of which statement, or that there is none.
pub fn place(page: &Page, shown: &CaseShown) -> String {
    match (&shown.place, &shown.case.difference.credit) {
        (Some(place), _) => page.with(
            "reconciliation-line",
            &[
                ("day", place.day.display_vi().into()),
                ("number", place.number.to_string().into()),
                ("reference", place.reference.as_str().into()),
            ],
        ),
        (None, Some(reference)) => page.with(
            "reconciliation-no-line",
            &[("day", shown.case.day.display_vi().into()), ("reference", reference.as_str().into())],
        ),
        (None, None) => shown.case.day.display_vi(),
    }
}

/// The money that is in question: by how much it differs where both sides name a sum, else the sum itself.
fn amount(shown: &CaseShown) -> String {
    let difference = &shown.case.difference;
    let money = match (difference.kind, difference.stated, difference.held, difference.asked) {
        (Kind::Amount, Some(stated), Some(held), _) if stated != held => stated.minus(held).ok(),
        (Kind::Amount, stated, held, Some(asked)) => {
            stated.or(held).and_then(|money| money.minus(asked).ok())
        }
        (_, stated, held, _) => stated.or(held),
    };
    money.map(|money| money.display_vi()).unwrap_or_default()
}

/// How long ago, in whole hours or days.
pub fn age(page: &Page, age: time::Duration) -> String {
    match age.whole_hours() {
        hours if hours < 48 => page.with("reconciliation-hours", &[("count", hours.max(0).into())]),
        hours => page.with("reconciliation-days", &[("count", (hours / 24).into())]),
    }
}
