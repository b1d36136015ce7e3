//! The operators' port: liveness, readiness, metrics. Never public; it asks nobody who they are.

use crate::app::App;
use crate::flow;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use std::sync::Arc;
use tokio::sync::watch;

/// What the three answers need.
#[derive(Clone)]
struct Operators {
    app: App,
    stopping: watch::Receiver<bool>,
    metrics: Arc<dyn Fn() -> String + Send + Sync>,
}

/// `/live`: the process answers. `/ready`: it should be sent requests. `/metrics`: the Prometheus page.
pub fn router(
    app: App,
    stopping: watch::Receiver<bool>,
    metrics: impl Fn() -> String + Send + Sync + 'static,
) -> Router {
    let operators = Operators { app, stopping, metrics: Arc::new(metrics) };
    Router::new()
        .route("/live", get(async || "live\n"))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics_page))
        .with_state(operators)
}

async fn ready(State(operators): State<Operators>) -> impl IntoResponse {
    if *operators.stopping.borrow() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
    }
    match flow::readiness::check_readiness(&operators.app).await {
        Ok(()) => (StatusCode::OK, "ready\n"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n"),
    }
}

async fn metrics_page(State(operators): State<Operators>) -> impl IntoResponse {
    let (open, idle) = operators.app.store.connections();
    for (state, count) in [("open", open), ("idle", idle)] {
        metrics::gauge!("chung_database_connections", "state" => state).set(count);
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], (operators.metrics)())
}
