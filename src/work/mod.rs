//! Bounded loops; each tick is one flow call.

use crate::app::{App, Queues};
use crate::flow;

/// Runs the set-wise flows until every sender is gone.
pub async fn run_queues(app: App, queues: Queues) {
    let most = app.limits.batch_max;
    let standing = queues.standing.run(most, async |clients| {
        flow::standing::standing_all(&app, clients).await.map_err(|e| flow::undone(&e))
    });
    tokio::join!(standing);
}
