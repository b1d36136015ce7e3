//! Work that goes on beside the request that asked for it. A run takes up its row and holds it while it lives, says beside its
//! own transaction how far it is, and is followed by another once its hold is over.
//!
//! Whoever says how far it is has a connection of its own, which the work never waits for.

use super::Result;
use std::sync::{Mutex, PoisonError};
use time::Duration;

/// For how long a run holds its row without a sign of life.
pub(super) const HELD: Duration = Duration::minutes(1);

/// How long work that failed waits at most for its next run.
pub(super) const LONGEST_WAIT: Duration = Duration::minutes(10);

/// How often a run says that it lives and how far it is.
const BEAT: std::time::Duration = std::time::Duration::from_secs(1);

/// How far a run is, as it said last.
pub(super) struct Latest<T>(Mutex<Option<T>>);

impl<T> Latest<T> {
    /// Nothing was said yet.
    pub(super) const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// Says it; what nobody has told yet is replaced.
    pub(super) fn say(&self, far: T) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(far);
    }

    fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Does the work and tells, for as long as it lasts, that it lives and what was said last.
pub(super) async fn while_told<D, T, F: Future<Output = Result<()>>>(
    work: impl Future<Output = D>,
    latest: &Latest<T>,
    tell: impl Fn(Option<T>) -> F,
) -> D {
    let beat = async {
        loop {
            tokio::time::sleep(BEAT).await;
            if let Err(error) = tell(latest.take()).await {
                tracing::warn!(?error, "how far long work is was not told");
            }
        }
    };
    tokio::select! {
        done = work => done,
        () = beat => unreachable!("a beat has no end"),
    }
}
