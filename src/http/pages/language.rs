//! The language of a page: the `lang` of the query, then the cookie that keeps an earlier choice (and holds nothing else),
//! then the browser's preference, then Vietnamese.

use crate::app::App;
use crate::base::{origin::Origin, text::Lang};
use axum::extract::FromRef;
use axum::http::{HeaderMap, header};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};

const COOKIE: &str = "chung_lang";
const COOKIE_DAYS: i64 = 365;

/// Cookies follow from the origin.
impl FromRef<App> for Origin {
    fn from_ref(app: &App) -> Self {
        app.origin.clone()
    }
}

/// The language for whoever sent this query and these headers, and the cookie that keeps it where the query chose it.
pub(super) fn of(query: &str, headers: &HeaderMap, origin: &Origin) -> (Lang, Option<Cookie<'static>>) {
    let asked = query.split('&').find_map(|pair| pair.strip_prefix("lang=")).and_then(|l| l.parse().ok());
    let jar = CookieJar::from_headers(headers);
    let kept = || jar.get(&origin.cookie(COOKIE)).and_then(|cookie| cookie.value().parse().ok());
    let preferred = || headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok()?.parse().ok();
    let lang = asked.or_else(kept).or_else(preferred).unwrap_or_default();
    (lang, asked.map(|lang| cookie(lang, origin)))
}

fn cookie(lang: Lang, origin: &Origin) -> Cookie<'static> {
    Cookie::build((origin.cookie(COOKIE), lang.tag()))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(origin.is_production())
        .max_age(time::Duration::days(COOKIE_DAYS))
        .build()
}
