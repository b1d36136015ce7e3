//! `/board/successions`: agencies that are merged, split or renamed on a day, as administrators decide and follow it.

use super::board::{failed, said, status_of};
use super::board_fees::named;
use super::page::{FieldError, Page, Reader, show};
use crate::app::App;
use crate::base::calendar::display_vi;
use crate::flow::{
    Error,
    read_successions::{SuccessionShown, Typed, decide_typed, read_successions},
    succeed_agency::Kind,
};
use crate::http::sent::SentForm;
use crate::http::session::SignedIn;
use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use serde::Deserialize;

/// The route.
pub fn routes() -> Router<App> {
    Router::new().route("/board/successions", get(open).post(decide))
}

#[derive(Default, Deserialize)]
struct DecideForm {
    #[serde(default)]
    agency: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    successors: String,
}

impl DecideForm {
    /// One successor in each line: its code, then a colon and the procedures that it takes, if it does not take all.
    fn read(&self) -> Option<Typed> {
        let successor = |line: &str| {
            let (code, procedures) = line.split_once(':').unwrap_or((line, ""));
            let procedures = procedures.split(',').map(str::trim).filter(|code| !code.is_empty());
            let procedures = procedures.map(|code| code.parse().ok()).collect::<Option<Vec<_>>>()?;
            Some((code.trim().to_owned(), procedures))
        };
        let lines = self.successors.lines().map(str::trim).filter(|line| !line.is_empty());
        let successors = lines.map(successor).collect::<Option<Vec<_>>>()?;
        Some(Typed {
            agency: self.agency.trim().to_owned(),
            kind: Kind::named(&self.kind)?,
            from: self.from.parse().ok()?,
            successors: Some(successors).filter(|successors| !successors.is_empty())?,
        })
    }
}

async fn open(State(app): State<App>, signed_in: SignedIn, reader: Reader) -> Response {
    show_all(&app, &signed_in, &reader, None).await
}

async fn decide(
    State(app): State<App>,
    reader: Reader,
    SentForm { signed_in, form }: SentForm<DecideForm>,
) -> Response {
    let done = match form.read() {
        Some(typed) => decide_typed(&app, signed_in.session.citizen, &typed).await,
        None => Err(Error::refused("invalid_body")),
    };
    let wrong = match done {
        Ok(()) => return Redirect::to("/board/successions").into_response(),
        Err(error @ Error::Internal(_)) => return failed(&reader, &error),
        Err(error @ Error::NotFound(_)) => {
            (status_of(&error), Page::new(&reader, "succession-unknown-agency").title, form)
        }
        Err(error) => (status_of(&error), said(reader.lang, error.code()), form),
    };
    show_all(&app, &signed_in, &reader, Some(wrong)).await
}

async fn show_all(
    app: &App,
    signed_in: &SignedIn,
    reader: &Reader,
    wrong: Option<(StatusCode, String, DecideForm)>,
) -> Response {
    let successions = match read_successions(app, signed_in.session.citizen).await {
        Ok(successions) => successions,
        Err(error) => return failed(reader, &error),
    };
    let mut page = Page::new(reader, "succession-title")
        .signed_in(successions.reader.clone(), Some(signed_in.form_token()))
        .wide();
    let (mut status, mut typed) = (StatusCode::OK, DecideForm::default());
    if let Some((code, message, form)) = wrong {
        (status, typed) = (code, form);
        page = page.refused(vec![FieldError { field: "successors", message }]);
    }
    let kinds = [Kind::Merge, Kind::Split, Kind::Rename];
    let word = |kind: &str| page.t(&format!("succession-kind-{kind}")).into_owned();
    let view = SuccessionsView {
        seat: named(reader.lang, &successions.seat),
        rows: successions.all.iter().map(|shown| Row::of(&page, shown)).collect(),
        kinds: kinds.map(|kind| (kind.as_str(), word(kind.as_str()), kind.as_str() == typed.kind)).into(),
        form_token: signed_in.form_token(),
        page: &page,
        typed,
    };
    show(status, &page, &view)
}

struct Row {
    agency: String,
    kind: String,
    from: String,
    successors: Vec<String>,
    outcome: String,
    series: Vec<String>,
    tag: &'static str,
}

impl Row {
    fn of(page: &Page, shown: &SuccessionShown) -> Self {
        let successor = |(code, procedures): &(String, Vec<String>)| {
            if procedures.is_empty() { code.clone() } else { format!("{code}: {}", procedures.join(", ")) }
        };
        let (outcome, series, tag) = match &shown.effected {
            Some((at, bills, series)) => {
                let args = [("at", display_vi(*at).into()), ("bills", bills.to_string().into())];
                let closed = |(kind, year, count): &(String, i64, i64)| {
                    let kind = page.t(&format!("succession-series-{}", kind.replace('_', "-")));
                    format!("{kind} {year}: {count}")
                };
                (page.with("succession-effected", &args), series.iter().map(closed).collect(), "ok")
            }
            None => (page.t("succession-waits").into_owned(), Vec::new(), "warn"),
        };
        Self {
            agency: shown.agency.clone(),
            kind: page.t(&format!("succession-kind-{}", shown.kind)).into_owned(),
            from: shown.from.display_vi(),
            successors: shown.successors.iter().map(successor).collect(),
            outcome,
            series,
            tag,
        }
    }
}

#[derive(Template)]
#[template(path = "pages/board_successions.html")]
struct SuccessionsView<'a> {
    page: &'a Page,
    seat: String,
    rows: Vec<Row>,
    kinds: Vec<(&'static str, String, bool)>,
    typed: DecideForm,
    form_token: String,
}
