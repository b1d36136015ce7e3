//! `/desk/card-checks`: an officer reads a citizen's chip card and sees what the check found.
//!
//! The reader's program types its text into the field, as a keyboard would; no script is needed. The code printed on a
//! card fills the number in and proves nothing.

use super::board::{name, said, status_of};
use super::page::{FieldError, Page, Reader, show, show_status};
use crate::app::App;
use crate::base::{
    calendar::display_vi,
    id::{Agency, Id},
    text::Lang,
};
use crate::codec::identity_card::PrintedCode;
use crate::flow::{
    Error,
    card_check::{CardCheck, Counter, check_card, read_counters, read_own_checks},
    officer::Workplace,
};
use crate::http::sent::SentForm;
use crate::http::{card_files::CardFiles, session::SignedIn};
use crate::identity::{
    card::{CARD_CHECK_LIFE, Verdict},
    personal_number::PersonalNumber,
};
use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;

/// The routes.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/desk/card-checks", get(open).post(check))
        .route("/desk/card-checks/printed-code", post(fill))
}

#[derive(Template)]
#[template(path = "pages/desk_card.html")]
struct DeskView<'a> {
    page: &'a Page,
    places: Vec<(String, String)>,
    filled: Option<Filled>,
    number: &'a str,
    checks: Vec<Line>,
    form_token: String,
}

/// What the printed code says, to be compared by eye.
struct Filled {
    name: String,
    birth_date: String,
}

struct Line {
    verdict: String,
    tag: &'static str,
    at: String,
    holder: Option<String>,
    why: Option<String>,
    use_of_it: Option<String>,
    /// The page that serves the citizen, while the check is unused.
    serve: Option<String>,
}

async fn open(State(app): State<App>, signed_in: SignedIn, reader: Reader) -> Response {
    show_desk(&app, &signed_in, &reader, Shown::default()).await
}

#[derive(Deserialize)]
struct Printed {
    #[serde(default)]
    code: String,
}

async fn fill(
    State(app): State<App>,
    reader: Reader,
    SentForm { signed_in, form: sent }: SentForm<Printed>,
) -> Response {
    let shown = match PrintedCode::parse(&sent.code) {
        Some(code) => Shown {
            number: code.number,
            filled: Some(Filled { name: code.name, birth_date: code.birth_date }),
            ..Shown::default()
        },
        None => Shown::wrong(&reader, "code", "card-code-error"),
    };
    show_desk(&app, &signed_in, &reader, shown).await
}

#[derive(Deserialize)]
struct Sent {
    agency: String,
    #[serde(default)]
    number: String,
    #[serde(default)]
    card: String,
}

async fn check(
    State(app): State<App>,
    reader: Reader,
    SentForm { signed_in, form: sent }: SentForm<Sent>,
) -> Response {
    let Ok(agency) = sent.agency.parse::<Id<Agency>>() else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    let again = |field, key| Shown { number: sent.number.clone(), ..Shown::wrong(&reader, field, key) };
    let expected: Option<PersonalNumber> = match sent.number.trim() {
        "" => None,
        text => match text.parse() {
            Ok(number) => Some(number),
            Err(_) => {
                return show_desk(&app, &signed_in, &reader, again("number", "sign-in-number-wrong")).await;
            }
        },
    };
    let reading = CardFiles::parse(&sent.card).and_then(|files| files.reading().ok());
    let Some(reading) = reading else {
        return show_desk(&app, &signed_in, &reader, again("card", "card-reading-error")).await;
    };
    let counter = Counter { agency, officer: signed_in.session.citizen };
    match check_card(&app, counter, &reading, expected, None).await {
        Ok(_) => Redirect::to("/desk/card-checks").into_response(),
        Err(error) => failed(&reader, &error),
    }
}

/// What the page shows besides the officer's last checks.
#[derive(Default)]
struct Shown {
    number: String,
    filled: Option<Filled>,
    wrong: Option<FieldError>,
}

impl Shown {
    fn wrong(reader: &Reader, field: &'static str, key: &str) -> Self {
        let message = Page::new(reader, key).title;
        Self { wrong: Some(FieldError { field, message }), ..Self::default() }
    }
}

async fn show_desk(app: &App, signed_in: &SignedIn, reader: &Reader, shown: Shown) -> Response {
    let officer = signed_in.session.citizen;
    let (places, own_name) = match read_counters(app, officer).await {
        Ok(read) => read,
        Err(error) => return failed(reader, &error),
    };
    let checks = match read_own_checks(app, officer).await {
        Ok(checks) => checks,
        Err(error) => return failed(reader, &error),
    };
    let status = if shown.wrong.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let page = Page::new(reader, "card-title")
        .signed_in(own_name, Some(signed_in.form_token()))
        .refused(shown.wrong.into_iter().collect());
    let view = DeskView {
        places: places.iter().map(|place| choice(reader.lang, place)).collect(),
        checks: checks.iter().map(|check| line(&page, check)).collect(),
        filled: shown.filled,
        number: &shown.number,
        form_token: signed_in.form_token(),
        page: &page,
    };
    show(status, &page, &view)
}

fn choice(lang: Lang, place: &Workplace) -> (String, String) {
    (place.id.to_string(), name(lang, place).to_owned())
}

fn line(page: &Page, check: &CardCheck) -> Line {
    let row = &check.row;
    let differences: Vec<_> =
        check.differences.iter().map(|word| page.t(&format!("card-difference-{word}"))).collect();
    let why = match (&check.reason, differences.is_empty()) {
        (_, false) => Some(differences.join(", ")),
        (Some(reason), true) => Some(page.t(&format!("card-reason-{reason}")).into_owned()),
        (None, true) => None,
    };
    let passed = row.verdict == Verdict::Passed;
    let use_of_it = match &row.used {
        Some((at, _)) => Some(page.with("card-used", &[("at", display_vi(*at).into())])),
        None if passed => {
            Some(page.with("card-usable", &[("until", display_vi(row.at + CARD_CHECK_LIFE).into())]))
        }
        None => None,
    };
    Line {
        verdict: page.t(&format!("card-verdict-{}", row.verdict.word())).into_owned(),
        tag: match row.verdict {
            Verdict::Passed => "ok",
            Verdict::Unsupported | Verdict::Unreadable => "warn",
            _ => "bad",
        },
        at: display_vi(row.at),
        holder: check.holder.clone(),
        why,
        use_of_it,
        serve: (passed && row.used.is_none()).then(|| format!("/desk/citizens/{}", row.id)),
    }
}

fn failed(reader: &Reader, error: &Error) -> Response {
    match error {
        Error::Internal(cause) => {
            tracing::error!(?cause, "a page of the desk failed");
            show_status(reader, StatusCode::INTERNAL_SERVER_ERROR, None)
        }
        Error::NotFound(_) => show_status(reader, StatusCode::NOT_FOUND, None),
        other => {
            let page = Page::new(reader, "card-title");
            super::page::show_error(
                status_of(other),
                &page,
                &said(reader.lang, other.code()),
                Some(other.code()),
            )
        }
    }
}
