//! What operators see of requests: how many, how they ended and how long they took, by route.

use axum::extract::{MatchedPath, Request};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use metrics::{counter, histogram};
use tokio::time::Instant;

/// Counts a request by its method, its route as it is written in the router, and the status of its answer; its time, in
/// seconds, by route. A path that leads nowhere is one route.
pub async fn counted(request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>();
    let route = path.map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    let method = named(request.method());
    let began = Instant::now();
    let answer = next.run(request).await;
    let status = answer.status().as_u16().to_string();
    histogram!("chung_http_request_seconds", "method" => method, "route" => route.clone())
        .record(began.elapsed());
    counter!("chung_http_requests_total", "method" => method, "route" => route, "status" => status)
        .increment(1);
    answer
}

/// A method that a browser or a system uses; whatever else is sent is one.
fn named(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}
