//! Requests in time: each by its deadline, and those that bring a file by their progress.
//!
//! A file may take as long as it comes steadily: so many bytes within each window, however many windows that are. One that
//! stalls is refused by name (`upload_stalled`), and what was kept of it is the flow's to forget or to go on from. How much a
//! file may hold is bounded where it is taken. Every other request has a deadline for the whole of
//! it, the confirmation of a statement a longer one.

use super::problem::Problem;
use crate::app::App;
use crate::flow::{Error, Refusal};
use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use std::pin::pin;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

/// What brings a file.
const UPLOADS: [(Method, &str); 5] = [
    (Method::POST, "/board/imports"),
    (Method::POST, "/board/fees/{id}/instrument"),
    (Method::PATCH, "/v1/verifications/batches/{id}/rows"),
    (Method::POST, "/v1/fees/versions"),
    (Method::POST, "/v1/fees/versions/{id}/instrument"),
];

/// What keeps and matches a statement that was brought, which takes as long as that has lines.
const CONFIRMING: &str = "/board/imports/{id}/decide";

/// How many bytes of a file give its reader one more millisecond once all of it has come.
const BYTES_PER_MILLISECOND: usize = 1 << 10;

/// A file that does not come on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the upload stalled")]
pub struct Stalled;

/// Whether a body broke off because its sender stalled.
pub fn is_stalled(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut error = Some(error);
    while let Some(cause) = error {
        if cause.is::<Stalled>() {
            return true;
        }
        error = cause.source();
    }
    false
}

/// A request that has no answer by its deadline is told to come again, with the same key where it has one.
pub async fn in_time(State(app): State<App>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let brings = UPLOADS.iter().any(|(method, at)| request.method() == method && path == Some(at));
    let answer = if brings {
        by_progress(&app, request, next).await
    } else {
        let confirms = path == Some(CONFIRMING);
        let deadline = if confirms { app.limits.import_timeout() } else { app.limits.request_timeout() };
        timeout(deadline, next.run(request)).await.ok()
    };
    answer.unwrap_or_else(|| Problem(Error::Unavailable(Refusal::new("try_again"))).into_response())
}

/// Each piece that comes gives its reader the time of a request again, and once all has come so much more as it was long.
async fn by_progress(app: &App, request: Request, next: Next) -> Option<Response> {
    let limits = &app.limits;
    let (sender, mut come) = watch::channel(0_usize);
    let (window, least) = (limits.upload_window(), limits.upload_window_bytes_min);
    let request = request.map(|body| paced(body, (window, least), sender));
    let mut answer = pin!(next.run(request));
    loop {
        let length = u64::try_from(*come.borrow_and_update() / BYTES_PER_MILLISECOND).unwrap_or(u64::MAX);
        let rest = limits.request_timeout() + window + Duration::from_millis(length);
        let more = tokio::select! {
            answer = &mut answer => return Some(answer),
            more = timeout(rest, come.changed()) => more,
        };
        match more {
            Ok(Ok(())) => {}
            // The body is gone: only the answer is missing.
            Ok(Err(_)) => return timeout(rest, answer).await.ok(),
            Err(_) => return None,
        }
    }
}

/// A body on its way.
struct Coming {
    body: BodyDataStream,
    /// How much has come, for whoever waits for the answer.
    come: watch::Sender<usize>,
    window: Duration,
    least: usize,
    /// When the window ends in which too little has come so far, and how much that is.
    open: Option<(Instant, usize)>,
}

fn paced(body: Body, (window, least): (Duration, usize), come: watch::Sender<usize>) -> Body {
    let coming = Coming { body: body.into_data_stream(), come, window, least, open: None };
    Body::from_stream(stream::unfold(Some(coming), |coming| async move {
        let mut coming = coming?;
        let piece = coming.next().await?;
        let rest = piece.is_ok().then_some(coming);
        Some((piece, rest))
    }))
}

impl Coming {
    async fn next(&mut self) -> Option<Result<Bytes, axum::Error>> {
        let (ends, so_far) = self.open.unwrap_or_else(|| (Instant::now() + self.window, 0));
        // What is there already counts, however long its reader was busy.
        let Ok(piece) = timeout_at(ends, self.body.next()).await else {
            return Some(Err(axum::Error::new(Stalled)));
        };
        let piece = piece?;
        if let Ok(bytes) = &piece {
            let so_far = so_far + bytes.len();
            self.open = (so_far < self.least).then_some((ends, so_far));
            self.come.send_modify(|come| *come = come.saturating_add(bytes.len()));
        }
        Some(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of a body whose pieces come after so many milliseconds each.
    async fn sent(pieces: Vec<(u64, usize)>) -> Result<usize, bool> {
        let pieces = stream::iter(pieces).then(|(after, length)| async move {
            tokio::time::sleep(Duration::from_millis(after)).await;
            Ok::<_, std::io::Error>(vec![b'x'; length])
        });
        let (sender, come) = watch::channel(0);
        let body = paced(Body::from_stream(pieces), (Duration::from_millis(300), 100), sender);
        let mut body = body.into_data_stream();
        while let Some(piece) = body.next().await {
            piece.map_err(|error| is_stalled(&error))?;
        }
        Ok(*come.borrow())
    }

    #[tokio::test]
    async fn a_body_may_be_slow_and_may_not_stall() {
        // Longer than many windows altogether.
        assert_eq!(sent(vec![(100, 100); 12]).await, Ok(1_200));
        assert_eq!(sent(vec![(60, 40); 10]).await, Ok(400), "a window takes several pieces");
        assert_eq!(sent(vec![(10, 100), (2_000, 100)]).await, Err(true), "nothing comes");
        assert_eq!(sent(vec![(50, 1); 20]).await, Err(true), "a trickle is no progress");
        assert_eq!(sent(Vec::new()).await, Ok(0));
    }
}
