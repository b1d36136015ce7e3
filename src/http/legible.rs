//! Whoever reads pages gets a page, whatever went wrong: what a layer or the framework refuses in other words becomes the page
//! of its status. Systems, which ask for no page, get what was said to them.

use super::{
    pages::page::{Reader, show_status},
    problem::Named,
};
use crate::app::App;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;

/// Answers in a page where one is asked for.
pub async fn legible(State(app): State<App>, request: Request, next: Next) -> Response {
    if !asks_for_page(request.headers()) || request.uri().path().starts_with("/v1/") {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let Ok(reader) = Reader::from_request_parts(&mut parts, &app).await;
    let answer = next.run(Request::from_parts(parts, body)).await;
    let status = answer.status();
    if !(status.is_client_error() || status.is_server_error()) || is_page(answer.headers()) {
        return answer;
    }
    let code = answer.extensions().get::<Named>().map(|named| named.0);
    let mut page = show_status(&reader, status, code);
    for kept in [header::RETRY_AFTER, header::ALLOW] {
        if let Some(value) = answer.headers().get(&kept) {
            page.headers_mut().insert(kept, value.clone());
        }
    }
    page
}

fn asks_for_page(headers: &HeaderMap) -> bool {
    let accepts = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    accepts.is_some_and(|accepts| accepts.contains("text/html"))
}

fn is_page(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("text/html"))
}
