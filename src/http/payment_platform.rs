//! `/payment-platform`: agency systems that speak the national payment platform's protocol. They change the address
//! and keep what they have; `chung platform guide` prints what else must change.

use crate::app::App;
use crate::flow::{Error, platform::answer_platform};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;

/// Bytes of one message.
const BYTES_MAX: usize = 256 * 1024;

/// The route.
pub fn routes() -> Router<App> {
    Router::new().route("/payment-platform", post(take)).layer(DefaultBodyLimit::max(BYTES_MAX))
}

/// Every answer is 200 with a code of the protocol inside, as its speakers expect; whoever is not known gets none.
async fn take(State(app): State<App>, body: Bytes) -> Response {
    match answer_platform(&app, &body).await {
        Ok(Some(reply)) => axum::Json(reply).into_response(),
        Ok(None) => StatusCode::UNAUTHORIZED.into_response(),
        Err(Error::Unavailable(_)) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Err(error) => {
            tracing::error!(?error, "a message of the payment platform failed");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
