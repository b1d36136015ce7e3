//! Bounded loops beside the requests; each tick is one flow call.
//!
//! A loop that finds work comes back at once, one that finds none or fails waits its period. Nothing here decides, and
//! nothing here is spawned: whoever runs the service runs these futures and drops them at its end, which is safe at
//! any point because every flow survives a crash at any point.

use crate::app::{App, Queues};
use crate::flow;
use futures_util::future::BoxFuture;

/// Every loop of a node.
pub fn loops(app: App, queues: Queues) -> Vec<BoxFuture<'static, ()>> {
    vec![Box::pin(run_queues(app, queues))]
}

/// Runs the set-wise flows until every sender is gone.
pub async fn run_queues(app: App, queues: Queues) {
    let most = app.limits.batch_max;
    let standing = queues.standing.run(most, |clients| {
        let app = app.clone();
        async move { flow::standing::standing_all(&app, clients).await.map_err(|e| flow::undone(&e)) }
    });
    tokio::join!(standing);
}
