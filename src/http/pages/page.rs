//! The shell of every page: the reader's language, the strict headers, and the page for what went wrong.
//!
//! A page is a template that extends `shell.html` and holds a [`Page`]; [`show`] renders it. No page is cached, framed or
//! indexed, and none loads anything from elsewhere.

use crate::base::{origin::Origin, text::Lang};
use crate::http::pages::{assets, language};
use crate::identity::session::Session;
use crate::text::{Texts, Value};
use askama::Template;
use axum::extract::{FromRef, FromRequestParts, Path};
use axum::http::{HeaderValue, StatusCode, header, request::Parts};
use axum::response::{Html, IntoResponse, Response};
use axum_extra::extract::cookie::{Cookie, CookieJar};
use std::{borrow::Cow, convert::Infallible, str::FromStr};
use url::Url;

/// Who reads: the language, and the query that the language switch must keep.
#[derive(Debug, Clone, Default)]
pub struct Reader {
    /// The language of the answer.
    pub lang: Lang,
    /// Whose session the browser presents.
    pub whose: Option<Whose>,
    query: String,
    /// Keeps the language that the query chose.
    chosen: Option<Cookie<'static>>,
}

/// Whose session a browser presents.
#[derive(Debug, Clone)]
pub struct Whose {
    /// The person's name.
    pub name: String,
    /// The proof for the forms of the shell.
    pub form_token: String,
    /// The session, as it was found when the request came.
    pub session: Session,
}

impl Reader {
    /// The session that the browser presents.
    pub fn session(&self) -> Option<&Session> {
        self.whose.as_ref().map(|whose| &whose.session)
    }

    /// The same reader, whose session has just ended.
    #[must_use]
    pub fn signed_out(self) -> Self {
        Self { whose: None, ..self }
    }
}

impl<S: Sync> FromRequestParts<S> for Reader
where
    Origin: FromRef<S>,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let query = parts.uri.query().unwrap_or_default();
        let (lang, chosen) = language::of(query, &parts.headers, &Origin::from_ref(state));
        Ok(Self { lang, whose: parts.extensions.get::<Whose>().cloned(), query: query.to_owned(), chosen })
    }
}

/// What the address of a page names; where that can be nothing's name, there is no such page.
pub struct Called<T>(pub T);

impl<S: Send + Sync, T: FromStr> FromRequestParts<S> for Called<T>
where
    Origin: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let name = Path::<String>::from_request_parts(parts, state).await;
        let Path(name) = name.map_err(IntoResponse::into_response)?;
        let Ok(reader) = Reader::from_request_parts(parts, state).await;
        name.parse().map(Self).map_err(|_| show_status(&reader, StatusCode::NOT_FOUND, None))
    }
}

/// A refused input: the name of its field and what to do about it, in the reader's language.
#[derive(Debug, Clone)]
pub struct FieldError {
    /// The `id` and `name` of the input.
    pub field: &'static str,
    /// What is wrong and how to put it right.
    pub message: String,
}

/// What the shell needs to know about a page.
#[derive(Debug, Clone)]
pub struct Page {
    /// The language of the page.
    pub lang: Lang,
    /// The page's title, also its heading where the template says so.
    pub title: String,
    /// The name to show as signed in.
    pub signed_in_as: Option<String>,
    /// The form token of the sign-out button; without it there is no button.
    pub sign_out_token: Option<String>,
    /// Where the button for somebody else leads, and its form token, where that is not the session's.
    pub another_person: Option<(String, String)>,
    /// Whether the page speaks with a passkey, by the one script.
    pub scripted: bool,
    /// Whether the page holds tables that need the width.
    pub wide: bool,
    /// After how many seconds the page is asked for again, where something goes on.
    pub asks_again: Option<u32>,
    /// Refused inputs, in the order of the form.
    pub errors: Vec<FieldError>,
    query: String,
    chosen: Option<Cookie<'static>>,
    form_targets: Vec<String>,
}

impl Page {
    /// A page whose title is the text of `title_key`.
    pub fn new(reader: &Reader, title_key: &str) -> Self {
        Self::titled(reader, Texts::embedded().get(reader.lang, title_key))
    }

    /// A page with a title that was put together elsewhere.
    pub fn titled(reader: &Reader, title: impl Into<String>) -> Self {
        Self {
            lang: reader.lang,
            title: title.into(),
            signed_in_as: reader.whose.as_ref().map(|whose| whose.name.clone()),
            sign_out_token: reader.whose.as_ref().map(|whose| whose.form_token.clone()),
            another_person: None,
            scripted: false,
            wide: false,
            asks_again: None,
            errors: Vec::new(),
            query: reader.query.clone(),
            chosen: reader.chosen.clone(),
            form_targets: Vec::new(),
        }
    }

    /// Shows who is signed in, with a sign-out button when a form token is at hand.
    #[must_use]
    pub fn signed_in(mut self, name: impl Into<String>, sign_out_token: Option<String>) -> Self {
        self.signed_in_as = Some(name.into());
        self.sign_out_token = sign_out_token;
        self
    }

    /// Lets the one script speak with a passkey on this page.
    #[must_use]
    pub fn scripted(mut self) -> Self {
        self.scripted = true;
        self
    }

    /// Lets the button for somebody else go on with what this page belongs to.
    #[must_use]
    pub fn another_person_at(mut self, action: String, form_token: String) -> Self {
        self.another_person = Some((action, form_token));
        self
    }

    /// Gives tables the wide measure.
    #[must_use]
    pub fn wide(mut self) -> Self {
        self.wide = true;
        self
    }

    /// Adds refused inputs; the shell lists them at the top and marks the title.
    #[must_use]
    pub fn refused(mut self, errors: Vec<FieldError>) -> Self {
        self.errors = errors;
        self
    }

    /// The page after an act, with its status: refused at that field with those words, or as it is.
    #[must_use]
    pub fn refused_if(self, field: &'static str, wrong: Option<(StatusCode, String)>) -> (Self, StatusCode) {
        match wrong {
            Some((status, message)) => (self.refused(vec![FieldError { field, message }]), status),
            None => (self, StatusCode::OK),
        }
    }

    /// Lets the answer to this page's form redirect to one more registered origin (Chromium applies `form-action` to the
    /// redirect too). A private scheme (RFC 8252) is allowed as the scheme.
    #[must_use]
    pub fn form_may_lead_to(mut self, target: &Url) -> Self {
        let origin = target.origin();
        let source =
            if origin.is_tuple() { origin.ascii_serialization() } else { format!("{}:", target.scheme()) };
        self.form_targets.push(source);
        self
    }

    /// The text of a key.
    pub fn t(&self, key: &str) -> Cow<'static, str> {
        Texts::embedded().get(self.lang, key)
    }

    /// The text of a key with its variables.
    pub fn with(&self, key: &str, args: &[(&str, Value<'_>)]) -> String {
        Texts::embedded().with(self.lang, key, args)
    }

    /// The refusal of one input.
    pub fn error(&self, field: &str) -> Option<&str> {
        self.errors.iter().find(|e| e.field == field).map(|e| e.message.as_str())
    }

    /// The attributes that tie an input to its hint and its refusal; `field` is a name from our own templates.
    pub fn described_by(&self, field: &str, hint: bool) -> String {
        match (hint, self.error(field).is_some()) {
            (false, false) => String::new(),
            (true, false) => format!(" aria-describedby=\"{field}-hint\""),
            (false, true) => format!(" aria-describedby=\"{field}-error\" aria-invalid=\"true\""),
            (true, true) => format!(" aria-describedby=\"{field}-hint {field}-error\" aria-invalid=\"true\""),
        }
    }

    /// The address of the stylesheet.
    pub fn stylesheet(&self) -> &'static str {
        assets::stylesheet()
    }

    /// The address of the one script.
    pub fn script(&self) -> &'static str {
        assets::passkey_script()
    }

    /// The address of the icon.
    pub fn icon(&self) -> &'static str {
        assets::icon()
    }

    /// The language that the switch leads to.
    pub fn other_lang(&self) -> Lang {
        match self.lang {
            Lang::Vi => Lang::En,
            Lang::En => Lang::Vi,
        }
    }

    /// The same page in the other language; the rest of the query stays.
    pub fn other_language_href(&self) -> String {
        let kept = self.query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("lang="));
        let switch = format!("lang={}", self.other_lang().tag());
        format!("?{}", kept.map(str::to_owned).chain([switch]).collect::<Vec<_>>().join("&"))
    }

    fn content_security_policy(&self) -> String {
        let target: String = self.form_targets.iter().map(|target| format!(" {target}")).collect();
        let script = if self.scripted { " script-src 'self';" } else { "" };
        format!(
            "default-src 'none';{script} style-src 'self'; img-src 'self'; form-action 'self'{target}; \
             frame-ancestors 'none'; base-uri 'none'"
        )
    }
}

/// Renders a view with the page's headers.
pub fn show(status: StatusCode, page: &Page, view: &impl Template) -> Response {
    let Ok(html) = view.render() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut response = (status, Html(html)).into_response();
    let headers = response.headers_mut();
    let fixed = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Not `no-referrer`: that would blank the Origin of our own forms, by which their posts are told from others.
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::VARY, "Accept-Language, Cookie"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    headers.insert("x-robots-tag", HeaderValue::from_static("noindex"));
    headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(page.lang.tag()));
    if let Ok(policy) = HeaderValue::try_from(page.content_security_policy()) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    match &page.chosen {
        Some(kept) => (CookieJar::new().add(kept.clone()), response).into_response(),
        None => response,
    }
}

/// The page for what went wrong; `body` says what the reader can do, `code` is the refusal's stable code or the
/// request's number for the help desk.
pub fn show_error(status: StatusCode, page: &Page, body: &str, code: Option<&str>) -> Response {
    show(status, page, &ErrorView { page, body, code })
}

/// The page for an outcome that every room shares, chosen by its status.
pub fn show_status(reader: &Reader, status: StatusCode, code: Option<&str>) -> Response {
    let name = match status {
        StatusCode::NOT_FOUND => "not-found",
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => "forbidden",
        StatusCode::GONE => "expired",
        StatusCode::TOO_MANY_REQUESTS => "too-many",
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => "unavailable",
        status if status.is_client_error() => "bad-request",
        _ => "internal",
    };
    let page = Page::new(reader, &format!("page-{name}-title"));
    let body = page.t(&format!("page-{name}-body"));
    show_error(status, &page, &body, code)
}

#[derive(Template)]
#[template(path = "pages/error.html")]
struct ErrorView<'a> {
    page: &'a Page,
    body: &'a str,
    code: Option<&'a str>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{Router, body::Body, http::Request, routing::get};
    use tower::ServiceExt;

    async fn fetch(uri: &str, headers: &[(&str, &str)]) -> (Response, String) {
        let page = |reader: Reader| async move {
            let page = Page::new(&reader, "page-not-found-title")
                .signed_in("Nguyễn <b>", Some("chf_x".to_owned()))
                .form_may_lead_to(&Url::parse("https://portal.example:8443/back?x=1;y").unwrap())
                .refused(vec![FieldError {
                    field: "number", message: "Số gồm 12 chữ số".to_owned()
                }]);
            show_error(StatusCode::OK, &page, "thân <trang>", Some("not_found"))
        };
        let lost = |reader: Reader| async move { show_status(&reader, StatusCode::NOT_FOUND, None) };
        let app = Router::new().route("/", get(page)).route("/lost", get(lost));
        let app = app.with_state("http://localhost:8080".parse::<Origin>().unwrap());
        let mut request = Request::get(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = app.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let body = axum::body::to_bytes(std::mem::take(response.body_mut()), 1 << 20).await.unwrap();
        (response, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn the_language_is_the_query_then_the_cookie_then_the_browser_then_vietnamese() {
        let accept = ("accept-language", "en-GB,en;q=0.9");
        for (uri, headers, lang) in [
            ("/lost", vec![], "vi"),
            ("/lost", vec![accept], "en"),
            ("/lost", vec![accept, ("cookie", "chung_lang=vi")], "vi"),
            ("/lost?lang=en", vec![("cookie", "chung_lang=vi")], "en"),
            ("/lost?lang=xx", vec![], "vi"),
        ] {
            let (response, body) = fetch(uri, &headers).await;
            assert!(body.contains(&format!("<html lang=\"{lang}\">")), "{uri} {headers:?}");
            assert_eq!(response.headers()["content-language"], lang);
            assert_eq!(response.headers().contains_key("set-cookie"), uri == "/lost?lang=en");
            assert_eq!(response.status(), StatusCode::NOT_FOUND);
        }
    }

    #[tokio::test]
    async fn a_page_is_strict_escaped_and_keeps_its_query() {
        let (response, body) = fetch("/?request=a%26b&lang=vi", &[]).await;
        let policy = response.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; "));
        assert!(policy.contains("form-action 'self' https://portal.example:8443; "), "{policy}");
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert!(body.contains("href=\"?request=a%26b&#38;lang=en\""), "{body}");
        assert!(body.contains("Nguyễn &#60;b&#62;") && body.contains("thân &#60;trang&#62;"));
        assert!(body.contains("<title>Lỗi: ") && body.contains("href=\"#number\""));
        assert!(!body.contains("style=") && !body.contains("<script"));
    }

    #[test]
    fn an_app_scheme_is_a_form_target_by_its_scheme() {
        let page = Page::new(&Reader::default(), "page-back")
            .form_may_lead_to(&Url::parse("vn.gov.portal:/back").unwrap());
        assert!(page.content_security_policy().contains("form-action 'self' vn.gov.portal:; "));
    }
}
