//! `/me/locks`: what the citizen forbids to be done with their electronic identity.

use super::me::failed;
use super::page::{FieldError, Page, Reader, show, show_error, show_status};
use super::ways::led_on;
use crate::app::App;
use crate::base::{
    calendar::display_vi,
    id::{self, Id},
    text::Lang,
};
use crate::flow::{
    Error,
    locks::{LocksShown, NewLock, lift_lock, methods, read_locks, set_lock},
};
use crate::http::sent::{Bare, SentForm};
use crate::http::session::SignedIn;
use crate::identity::{
    client::Wording,
    lock::{Lock, Scope},
};
use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;

/// The page and its acts.
pub fn routes() -> Router<App> {
    Router::new().route("/me/locks", get(open).post(set)).route("/me/locks/{lock}/lift", post(lift))
}

#[derive(Template)]
#[template(path = "pages/me_locks.html")]
struct LocksView<'a> {
    page: &'a Page,
    standing: Vec<Standing>,
    /// Value, label, what it means.
    choices: Vec<(String, String, String)>,
    portals: Vec<(String, String)>,
    may_lift: bool,
    form_token: String,
}

struct Standing {
    id: String,
    what: String,
    since: String,
    until: String,
}

async fn open(State(app): State<App>, person: SignedIn, reader: Reader) -> Response {
    page(&app, &person, &reader, Vec::new()).await
}

async fn page(app: &App, person: &SignedIn, reader: &Reader, wrong: Vec<FieldError>) -> Response {
    let shown = match read_locks(app, &person.session).await {
        Ok(shown) => shown,
        Err(error) => return failed(reader, &error),
    };
    let status = if wrong.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = Page::new(reader, "lock-title")
        .signed_in(shown.name.clone(), Some(person.form_token()))
        .refused(wrong);
    let view = LocksView {
        standing: shown.locks.iter().map(|(lock, portal)| standing(&page, lock, portal.as_ref())).collect(),
        choices: choices(&page),
        portals: portals(&page, &shown),
        may_lift: shown.may_lift,
        form_token: person.form_token(),
        page: &page,
    };
    show(status, &page, &view)
}

fn standing(page: &Page, lock: &Lock, portal: Option<&Wording>) -> Standing {
    let what = match lock.scope {
        Scope::Portal(_) => {
            let name = portal.map(|name| name.of(page.lang).to_string()).unwrap_or_default();
            page.with("lock-scope-portal-named", &[("portal", name.into())])
        }
        Scope::Method(method) => page.t(&format!("lock-scope-method-{}", method.word())).into_owned(),
        Scope::Everything | Scope::Verifications => {
            page.t(&format!("lock-scope-{}", lock.scope.word())).into_owned()
        }
    };
    let until = lock.last_day.map(|day| day.display_vi());
    Standing {
        id: lock.id.to_string(),
        what,
        since: display_vi(lock.set_at),
        until: until.unwrap_or_else(|| page.t("lock-until-lifted").into_owned()),
    }
}

fn choices(page: &Page) -> Vec<(String, String, String)> {
    let text = |key: String| page.t(&key).into_owned();
    let mut choices: Vec<_> = ["everything", "verifications", "portal"]
        .into_iter()
        .map(|word| {
            (word.to_owned(), text(format!("lock-scope-{word}")), text(format!("lock-scope-{word}-means")))
        })
        .collect();
    choices.extend(methods().map(|method| {
        let label = text(format!("lock-scope-method-{}", method.word()));
        (format!("method-{}", method.word()), label, text("lock-scope-method-means".to_owned()))
    }));
    choices
}

fn portals(page: &Page, shown: &LocksShown) -> Vec<(String, String)> {
    let lang: Lang = page.lang;
    shown.portals.iter().map(|(id, name)| (id.to_string(), name.of(lang).to_string())).collect()
}

#[derive(Deserialize)]
struct NewLockForm {
    #[serde(default)]
    scope: String,
    #[serde(default)]
    portal: String,
    #[serde(default)]
    last_day: String,
}

impl NewLockForm {
    /// What the form asks for, or the field that is wrong.
    fn read(&self) -> Result<NewLock, &'static str> {
        let scope = match self.scope.as_str() {
            "everything" => Scope::Everything,
            "verifications" => Scope::Verifications,
            "portal" => Scope::Portal(self.portal.parse().map_err(|_| "scope")?),
            other => {
                let word = other.strip_prefix("method-").ok_or("scope")?;
                Scope::Method(word.parse().map_err(|_| "scope")?)
            }
        };
        let last_day = match self.last_day.as_str() {
            "" => None,
            day => Some(day.parse().map_err(|_| "last_day")?),
        };
        Ok(NewLock { scope, last_day })
    }
}

async fn set(
    State(app): State<App>,
    reader: Reader,
    SentForm { signed_in: person, form }: SentForm<NewLockForm>,
) -> Response {
    let wrong = |field: &'static str| {
        let message = Page::new(&reader, &format!("lock-wrong-{}", field.replace('_', "-"))).title;
        vec![FieldError { field, message }]
    };
    let new = match form.read() {
        Ok(new) => new,
        Err(field) => return page(&app, &person, &reader, wrong(field)).await,
    };
    match set_lock(&app, &person.session, new).await {
        Ok(_) if ends(&person, new.scope) => {
            let page = Page::new(&reader, "lock-done-title");
            show_error(StatusCode::OK, &page, &page.t("lock-done"), None)
        }
        Ok(_) => Redirect::to("/me/locks").into_response(),
        Err(Error::Refused(_)) => page(&app, &person, &reader, wrong("last_day")).await,
        Err(error) => failed(&reader, &error),
    }
}

/// Whether the lock ended the very session that set it.
fn ends(person: &SignedIn, scope: Scope) -> bool {
    match scope {
        Scope::Everything => true,
        Scope::Method(method) => method == person.session.method,
        Scope::Portal(_) | Scope::Verifications => false,
    }
}

async fn lift(
    State(app): State<App>,
    reader: Reader,
    Path(lock): Path<String>,
    SentForm { signed_in: person, .. }: SentForm<Bare>,
) -> Response {
    let Ok(lock) = lock.parse::<Id<id::Lock>>() else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    match lift_lock(&app, &person.session, lock).await {
        Ok(()) => Redirect::to("/me/locks").into_response(),
        Err(error) => led_on(&reader, &error, "/me/locks").unwrap_or_else(|| failed(&reader, &error)),
    }
}
