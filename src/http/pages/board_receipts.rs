//! `/board/receipts`: what is paid and waits for its receipt, with a button that issues it now; the series with what is
//! left of them; and the receipts that were given. The auditor reads without the button. `/board/receipts/use`: the
//! quarterly report on the use of receipts.

use super::board::{ListQuery, failed, name, role};
use super::page::{Page, Reader, show, show_status};
use crate::app::App;
use crate::base::{
    calendar::display_vi,
    id::{Agency, Id, Receipt},
};
use crate::flow::{
    issue_on_request::{Told, issue_at_board},
    read_receipt_page::{Due, Receipts, UseReport, read_receipt_page, read_use_page},
    receipt_series::Quarter,
};
use crate::http::sent::SentForm;
use crate::http::session::SignedIn;
use crate::http::tree::{Trees, Whole, trees};
use askama::Template;
use axum::Router;
use axum::extract::{Query, State as AppState};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use serde_json::Value;

/// The routes.
pub fn routes() -> Router<App> {
    Router::new().route("/board/receipts", get(list).post(issue)).route("/board/receipts/use", get(usage))
}

async fn list(
    AppState(app): AppState<App>,
    signed_in: SignedIn,
    reader: Reader,
    Whole(whole): Whole,
    Query(asked): Query<ListQuery>,
) -> Response {
    let Some((agency, after)) = asked.read::<Receipt>() else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    show_receipts(&app, &signed_in, &reader, (agency, whole, after), None).await
}

#[derive(Deserialize)]
struct IssueForm {
    agency: String,
}

async fn issue(
    AppState(app): AppState<App>,
    reader: Reader,
    SentForm { signed_in, form }: SentForm<IssueForm>,
) -> Response {
    let Ok(agency) = form.agency.parse::<Id<Agency>>() else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    match issue_at_board(&app, signed_in.session.citizen, agency).await {
        Ok(told) => show_receipts(&app, &signed_in, &reader, (Some(agency), false, None), Some(told)).await,
        Err(error) => failed(&reader, &error),
    }
}

async fn show_receipts(
    app: &App,
    signed_in: &SignedIn,
    reader: &Reader,
    (agency, whole, after): (Option<Id<Agency>>, bool, Option<Id<Receipt>>),
    told: Option<Told>,
) -> Response {
    let found = match read_receipt_page(app, signed_in.session.citizen, (agency, whole), after).await {
        Ok(found) => found,
        Err(error) => return failed(reader, &error),
    };
    let page = Page::new(reader, "receipts-title")
        .signed_in(found.reader.clone(), Some(signed_in.form_token()))
        .wide();
    let place = &found.agency;
    let view = ReceiptsView {
        agency: name(reader.lang, place).to_owned(),
        role: role(&page, place.acts),
        told: told.map(|told| result(&page, told)).unwrap_or_default(),
        shown: i64::try_from(found.waiting.len()).unwrap_or(i64::MAX),
        waiting: waiting(&page, &found),
        count: found.count + i64::try_from(found.adjusting.len()).unwrap_or(i64::MAX),
        issues: place.acts && found.count > 0,
        series: series(&page, &found),
        given: given(&page, &found),
        next: found.next.map(|next| {
            let tree = if whole { "&tree=new" } else { "" };
            format!("/board/receipts?agency={}{tree}&after={next}", place.id)
        }),
        trees: trees(&page, "/board/receipts", place, whole),
        form_token: signed_in.form_token(),
        page: &page,
        found: &found,
    };
    show(StatusCode::OK, &page, &view)
}

#[derive(Template)]
#[template(path = "pages/board_receipts.html")]
struct ReceiptsView<'a> {
    page: &'a Page,
    found: &'a Receipts,
    agency: String,
    role: String,
    told: Vec<Sentence>,
    shown: i64,
    count: i64,
    waiting: Vec<Waiting>,
    issues: bool,
    series: Vec<Series>,
    given: Vec<Given>,
    next: Option<String>,
    trees: Trees,
    form_token: String,
}

/// One sentence of what came of the button.
struct Sentence {
    tag: &'static str,
    said: String,
}

fn result(page: &Page, told: Told) -> Vec<Sentence> {
    let say = |count: usize, tag, key: &str| {
        (count > 0).then(|| Sentence { tag, said: page.with(key, &[("count", count.into())]) })
    };
    let said = [
        say(told.issued, "ok", "receipts-issued"),
        say(told.asked, "", "receipts-asked"),
        say(told.left, "warn", "receipts-left"),
    ];
    let said: Vec<Sentence> = said.into_iter().flatten().collect();
    if said.is_empty() {
        return vec![Sentence { tag: "", said: page.t("receipts-nothing").into_owned() }];
    }
    said
}

/// One receipt that waits.
struct Waiting {
    dossier: String,
    kind: String,
    since: String,
    reason: String,
    attempts: i32,
    next: String,
}

fn waiting(page: &Page, found: &Receipts) -> Vec<Waiting> {
    let rows = found.waiting.iter().map(|(dossier, due)| Waiting {
        dossier: dossier.clone().unwrap_or_else(|| "—".to_owned()),
        kind: page.t(&format!("receipt-kind-{}", due.kind.as_str())).into_owned(),
        since: display_vi(due.since),
        reason: page.t(&format!("receipts-reason-{}", why(due))).into_owned(),
        attempts: due.attempts,
        next: display_vi(due.next_at),
    });
    let adjusting = found.adjusting.iter().map(|(dossier, of)| Waiting {
        dossier: dossier.clone().unwrap_or_else(|| "—".to_owned()),
        kind: page.t(&format!("receipt-kind-{}", of.kind.as_str())).into_owned(),
        since: display_vi(of.since),
        reason: page.t("receipts-reason-adjusts").into_owned(),
        attempts: of.attempts,
        next: display_vi(of.next_at),
    });
    rows.chain(adjusting).collect()
}

/// Why a receipt waits: for what it was put off, or else as it was last tried.
fn why(due: &Due) -> &str {
    if due.outcome.as_deref() == Some("unreadable") { "unreadable" } else { &due.reason }
}

/// One series.
struct Series {
    symbol: String,
    kind: String,
    range: String,
    force: String,
    left: i64,
    tag: &'static str,
    state: String,
}

fn series(page: &Page, found: &Receipts) -> Vec<Series> {
    let rows = found.series.iter().map(|(symbol, holds, of)| {
        let left = of.range.left();
        let (tag, state) = match (*holds, left) {
            (false, _) => ("", "receipts-series-past"),
            (true, 0) => ("bad", "receipts-series-empty"),
            (true, _) => ("ok", "receipts-series-open"),
        };
        Series {
            symbol: symbol.clone(),
            kind: page.t(&format!("receipt-kind-{}", of.kind.as_str())).into_owned(),
            range: format!("{:07} – {:07}", of.range.first, of.range.until),
            force: format!("{} – {}", of.force.0.display_vi(), of.force.1.display_vi()),
            left,
            tag,
            state: page.t(state).into_owned(),
        }
    });
    rows.collect()
}

/// One receipt that was given.
struct Given {
    href: String,
    check: String,
    number: String,
    kind: String,
    amount: String,
    at: String,
    tag: &'static str,
    state: String,
}

fn given(page: &Page, found: &Receipts) -> Vec<Given> {
    let rows = found.given.iter().map(|(code, of)| {
        let (tag, state) = match &of.void {
            None => ("ok", page.t("receipts-state-valid").into_owned()),
            Some((_, Some(by))) => {
                ("bad", page.with("receipts-state-replaced", &[("number", by.as_str().into())]))
            }
            Some((_, None)) => ("bad", page.t("receipts-state-void").into_owned()),
        };
        Given {
            href: format!("/board/receipts/{}", of.id),
            check: format!("/receipts/{}?code={code}", of.number),
            number: of.number.clone(),
            kind: page.t(&format!("receipt-kind-{}", of.kind.as_str())).into_owned(),
            amount: of.amount.display_vi(),
            at: display_vi(of.issued_at),
            tag,
            state,
        }
    });
    rows.collect()
}

#[derive(Deserialize)]
struct UseQuery {
    agency: Option<String>,
    quarter: Option<String>,
}

async fn usage(
    AppState(app): AppState<App>,
    signed_in: SignedIn,
    reader: Reader,
    Whole(whole): Whole,
    Query(asked): Query<UseQuery>,
) -> Response {
    let agency = asked.agency.as_deref().map(str::parse::<Id<Agency>>).transpose();
    let quarter = asked.quarter.as_deref().map(str::parse::<Quarter>).transpose();
    let (Ok(agency), Ok(quarter)) = (agency, quarter) else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    let found = match read_use_page(&app, signed_in.session.citizen, (agency, whole), quarter).await {
        Ok(found) => found,
        Err(error) => return failed(&reader, &error),
    };
    let page = Page::new(&reader, "receipts-use-title")
        .signed_in(found.reader.clone(), Some(signed_in.form_token()))
        .wide();
    let (place, tree) = (&found.agency, if whole { "&tree=new" } else { "" });
    let (from, to) = found.quarter.days();
    let view = UseView {
        agency: name(reader.lang, place).to_owned(),
        role: role(&page, place.acts),
        span: page
            .with("receipts-use-span", &[("from", from.display_vi().into()), ("to", to.display_vi().into())]),
        quarters: found
            .offered
            .iter()
            .map(|of| {
                let href = format!("/board/receipts/use?agency={}{tree}&quarter={of}", place.id);
                (href, of.to_string(), *of == found.quarter)
            })
            .collect(),
        rows: found.items.iter().map(|item| UseRow::of(&page, item)).collect(),
        trees: trees(&page, "/board/receipts/use", place, whole),
        page: &page,
        found: &found,
    };
    show(StatusCode::OK, &page, &view)
}

#[derive(Template)]
#[template(path = "pages/board_receipts_use.html")]
struct UseView<'a> {
    page: &'a Page,
    found: &'a UseReport,
    agency: String,
    role: String,
    span: String,
    quarters: Vec<(String, String, bool)>,
    rows: Vec<UseRow>,
    trees: Trees,
}

/// One series in a quarter.
struct UseRow {
    series: String,
    kind: String,
    form: String,
    /// What was there before, what was issued, what is left: the numbers, and how many.
    spans: [(String, String); 3],
    voided: String,
    replaced: String,
}

impl UseRow {
    fn of(page: &Page, item: &Value) -> Self {
        let text = |name: &str| item[name].as_str().unwrap_or("—").to_owned();
        let span = |name: &str| {
            let numbers = match (item[name]["from"].as_str(), item[name]["to"].as_str()) {
                (Some(from), Some(to)) => format!("{from} – {to}"),
                _ => "—".to_owned(),
            };
            (numbers, item[name]["count"].to_string())
        };
        Self {
            series: text("series"),
            kind: page.t(&format!("receipt-kind-{}", text("kind"))).into_owned(),
            form: text("form"),
            spans: ["opening", "issued", "closing"].map(span),
            voided: item["voided"].to_string(),
            replaced: item["replaced"].to_string(),
        }
    }
}
