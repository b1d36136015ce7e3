//! `/oidc/logout`: signing out, asked for by a portal or by the person (OpenID Connect RP-Initiated Logout 1.0).

use crate::app::App;
use crate::flow::end_session::{Logout, LogoutRequest, end_session, logout};
use crate::http::pages::{
    page::{Page, Reader, show, show_error},
    sign_in::failed,
};
use crate::http::session::{form_token, is_foreign, is_genuine, no_session_cookie, session_token};
use crate::identity::request::Parameters;
use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::{CookieJar, Form, Query};
use url::{Url, form_urlencoded};

type Pairs = Vec<(String, String)>;

#[derive(Template)]
#[template(path = "pages/sign_out.html")]
struct SignOutView<'a> {
    page: &'a Page,
    form_token: String,
    request: &'a LogoutRequest,
}

/// By a link.
pub async fn by_query(
    State(app): State<App>,
    reader: Reader,
    jar: CookieJar,
    Query(pairs): Query<Pairs>,
) -> Response {
    take(&app, &reader, &jar, &Parameters::new(pairs), false).await
}

/// By a form: a portal's, or our own page's answer.
pub async fn by_form(
    State(app): State<App>,
    reader: Reader,
    jar: CookieJar,
    headers: HeaderMap,
    Form(pairs): Form<Pairs>,
) -> Response {
    let parameters = Parameters::new(pairs);
    let Some(token) = session_token(&app, &jar) else { return as_link(&parameters) };
    let proof = parameters.one("form_token").ok().flatten();
    let ours = proof.is_some_and(|proof| is_genuine(&token, "session", proof));
    take(&app, &reader, &jar, &parameters, ours && !is_foreign(&app, &headers)).await
}

/// A portal may send a form as well as a link (section 2), but with the form of another site a browser brings no cookie
/// that is `SameSite=Lax`: it is asked to come by the link.
fn as_link(parameters: &Parameters) -> Response {
    let said = parameters.without(&["form_token"]);
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(said).finish();
    Redirect::to(&format!("/oidc/logout?{query}")).into_response()
}

async fn take(
    app: &App,
    reader: &Reader,
    jar: &CookieJar,
    parameters: &Parameters,
    agreed: bool,
) -> Response {
    let one = |name| parameters.one(name).ok().flatten().map(str::to_owned);
    let request = LogoutRequest {
        id_token_hint: one("id_token_hint"),
        client_id: one("client_id"),
        post_logout_redirect_uri: one("post_logout_redirect_uri"),
        state: one("state"),
    };
    let cookie = session_token(app, jar);
    let outcome = match logout(app, &request, cookie.as_ref()).await {
        Ok(outcome) => outcome,
        Err(error) => return failed(reader, error),
    };
    match (&outcome.session, cookie) {
        (Some(session), Some(_)) if outcome.sure || agreed => match end_session(app, session).await {
            Ok(()) => {
                let forget = CookieJar::new().add(no_session_cookie(app));
                (forget, gone(reader, &outcome)).into_response()
            }
            Err(error) => failed(reader, error),
        },
        (Some(_), Some(token)) => {
            let mut page = Page::new(reader, "sign-out-title");
            if let Some(target) = outcome.location.as_deref().and_then(|location| Url::parse(location).ok()) {
                page = page.form_may_lead_to(&target);
            }
            let view =
                SignOutView { page: &page, form_token: form_token(&token, "session"), request: &request };
            show(StatusCode::OK, &page, &view)
        }
        _ => gone(reader, &outcome),
    }
}

/// Nobody is signed in here any more.
fn gone(reader: &Reader, outcome: &Logout) -> Response {
    match &outcome.location {
        Some(location) => Redirect::to(location).into_response(),
        None => {
            let page = Page::new(reader, "sign-out-done-title");
            let body = page.t("sign-out-done");
            show_error(StatusCode::OK, &page, &body, None)
        }
    }
}
