//! Browsers: the session cookie, the cookie of a sign-in, and the proof that a form came from our page.
//!
//! Cookies are host-only, unreadable to scripts and `SameSite=Lax`; under https they carry the `__Host-` prefix. A
//! form's proof is a keyed digest under the cookie's own token, so that nothing need be stored for it.

use crate::app::App;
use crate::base::{
    address::client_address,
    id::{self, Id},
    secret::{Token, TokenKind},
};
use crate::crypto::digest::{MacKey, equal};
use crate::flow::sign_in::{self, Step};
use crate::flow::{self, limit_attempts::Visitor, open_session::SignedIn as Kept};
use crate::http::pages::page::{Reader, Whose, show_status};
use crate::identity::{authorization::AUTHORIZATION_LIFE, session::Session};
use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header, request::Parts};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use url::form_urlencoded;

const SESSION: &str = "chung_session";
const STEP: &str = "chung_step";
const BROWSER: &str = "chung_known";
/// How long a browser stays familiar after a sign-in: the longest that browsers keep a cookie.
const BROWSER_DAYS: i64 = 400;

/// Somebody who is signed in at this browser. A page that takes it sends everybody else to sign in first.
pub struct SignedIn {
    /// The session.
    pub session: Session,
    token: Token,
}

impl SignedIn {
    /// The proof to put into this person's forms.
    pub fn form_token(&self) -> String {
        form_token(&self.token, "session")
    }

    /// Whether a form came from a page that this person was shown.
    pub fn sent(&self, form_token: &str) -> bool {
        is_genuine(&self.token, "session", form_token)
    }
}

impl FromRequestParts<App> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let jar = CookieJar::from_headers(&parts.headers);
        let token = session_token(app, &jar);
        let found = match parts.extensions.get::<Whose>() {
            Some(whose) => Ok(Some(whose.session.clone())),
            None => sign_in::session_of(app, token.as_ref(), app.clock.now()).await,
        };
        match (found, token) {
            (Ok(Some(session)), Some(token)) => Ok(Self { session, token }),
            (Ok(_), _) => Err(to_sign_in(parts)),
            (Err(error), _) => {
                tracing::warn!(code = error.code(), "a session could not be read");
                let Ok(reader) = Reader::from_request_parts(parts, app).await;
                Err(show_status(&reader, StatusCode::SERVICE_UNAVAILABLE, None))
            }
        }
    }
}

/// To the sign-in and back to the page that was asked for.
fn to_sign_in(parts: &Parts) -> Response {
    let here = match parts.method {
        Method::GET => parts.uri.path_and_query().map_or("/", |p| p.as_str()),
        _ => parts.uri.path(),
    };
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("return_to", here).finish();
    Redirect::to(&format!("/sign-in?{query}")).into_response()
}

/// The token in the session cookie.
pub fn session_token(app: &App, jar: &CookieJar) -> Option<Token> {
    let cookie = jar.get(&app.origin.cookie(SESSION))?;
    Token::parse(TokenKind::Session, cookie.value())
}

/// The cookie that keeps a session; it ends with the browser.
pub fn session_cookie(app: &App, token: &Token) -> Cookie<'static> {
    kept(app, SESSION, token.expose().to_owned())
}

/// The cookie that forgets a session.
pub fn no_session_cookie(app: &App) -> Cookie<'static> {
    let mut cookie = kept(app, SESSION, String::new());
    cookie.set_max_age(time::Duration::ZERO);
    cookie
}

/// The browser that a request came from.
pub fn visitor(app: &App, jar: &CookieJar, address: IpAddr) -> Visitor {
    let cookie = jar.get(&app.origin.cookie(BROWSER));
    let browser = cookie.and_then(|cookie| Token::parse(TokenKind::Browser, cookie.value()));
    Visitor { address, browser }
}

/// What a browser keeps from a sign-in.
pub fn signed_in_cookies(app: &App, signed_in: &Kept) -> CookieJar {
    let mut browser = kept(app, BROWSER, signed_in.browser.expose().to_owned());
    browser.set_max_age(time::Duration::days(BROWSER_DAYS));
    CookieJar::new().add(session_cookie(app, &signed_in.session)).add(browser)
}

/// Says on every page whose session it is: what the shell shows, found once for a request that brings a session.
pub async fn note_whose(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let jar = CookieJar::from_headers(request.headers());
    if let Some(token) = session_token(&app, &jar) {
        match whose(&app, &token).await {
            Ok(Some(whose)) => {
                request.extensions_mut().insert(whose);
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(code = error.code(), "a page does not say whose session it is"),
        }
    }
    next.run(request).await
}

async fn whose(app: &App, token: &Token) -> flow::Result<Option<Whose>> {
    let Some(session) = sign_in::session_of(app, Some(token), app.clock.now()).await? else {
        return Ok(None);
    };
    let name = sign_in::name_of(app, &session).await?;
    Ok(name.map(|name| Whose { name, form_token: form_token(token, "session"), session }))
}

/// The cookie that ties the pages of one sign-in to the browser that began it.
pub fn step_cookie(app: &App, authorization: Id<id::Authorization>, browser: &Token) -> Cookie<'static> {
    let mut cookie = kept(app, &step_name(authorization), browser.expose().to_owned());
    cookie.set_max_age(AUTHORIZATION_LIFE);
    cookie
}

/// The sign-in of that identifier, if this browser began it.
pub fn step(app: &App, jar: &CookieJar, authorization: &str) -> Option<Step> {
    let authorization: Id<id::Authorization> = authorization.parse().ok()?;
    let cookie = jar.get(&app.origin.cookie(&step_name(authorization)))?;
    let browser = Token::parse(TokenKind::Form, cookie.value())?;
    Some(Step { authorization, browser })
}

/// The proof to put into the forms of a sign-in.
pub fn step_form_token(step: &Step) -> String {
    form_token(&step.browser, &step.authorization.to_string())
}

/// Whether a form came from a page of this sign-in.
pub fn step_sent(step: &Step, form_token: &str) -> bool {
    is_genuine(&step.browser, &step.authorization.to_string(), form_token)
}

/// A browser names the origin of every form it sends; one of another origin is not ours.
pub fn is_foreign(app: &App, headers: &HeaderMap) -> bool {
    headers.get(header::ORIGIN).is_some_and(|origin| origin.as_bytes() != app.origin.as_str().as_bytes())
}

/// The proof for forms of whoever holds `token`.
pub fn form_token(token: &Token, about: &str) -> String {
    hex::encode(MacKey::new(token.expose().as_bytes()).digest("form", about.as_bytes()))
}

/// Whether a form's proof is the one for whoever holds `token`.
pub fn is_genuine(token: &Token, about: &str, given: &str) -> bool {
    equal(form_token(token, about).as_bytes(), given.as_bytes())
}

fn step_name(authorization: Id<id::Authorization>) -> String {
    let digits = authorization.uuid().simple().to_string();
    format!("{STEP}_{}", &digits[20..])
}

fn kept(app: &App, name: &str, value: String) -> Cookie<'static> {
    Cookie::build((app.origin.cookie(name), value))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(app.origin.is_production())
        .build()
}

/// The network address that a request came from, behind the proxies that are trusted; 0.0.0.0 where the server does
/// not say.
pub struct From(pub IpAddr);

impl FromRequestParts<App> for From {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
        let Some(peer) = peer else { return Ok(Self(IpAddr::V4(Ipv4Addr::UNSPECIFIED))) };
        // A proxy may add a line of its own to those that came: together they are one list.
        let lines = parts.headers.get_all("x-forwarded-for").iter().filter_map(|h| h.to_str().ok());
        let forwarded_for = lines.collect::<Vec<_>>().join(",");
        Ok(Self(client_address(peer, &forwarded_for, &app.proxies)))
    }
}
