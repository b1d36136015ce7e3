//! A process of the service that lives for one act, and may die in the middle of it.

use chung::app::{self, App};
use chung::work::run_queues;
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// An act that is dropped after so many polls, as if the process had been killed there: before, between or after its
/// transactions, and while a commit is on its way.
struct Mortal<F> {
    act: Pin<Box<F>>,
    polls: Option<u32>,
}

impl<F: Future> Future for Mortal<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.polls {
            Some(0) => return Poll::Ready(None),
            Some(left) => *left -= 1,
            None => {}
        }
        self.act.as_mut().poll(context).map(Some)
    }
}

/// Runs an act in a process of its own, with its own queues; `None` when the process died after so many polls.
pub async fn live<T, F>(app: &App, dies_after: Option<u32>, act: impl FnOnce(App) -> F) -> Option<T>
where
    F: Future<Output = T>,
{
    let (batches, queues) = app::queues(&app.limits);
    let app = app.with(|parts| parts.batches = batches);
    // Polled only when something was put into a queue, and not at every answer of the database.
    let mut serving = FuturesUnordered::from_iter([run_queues(app.clone(), queues)]);
    let act = act(app);
    let whole = async {
        tokio::select! {
            biased;
            done = act => done,
            _ = serving.next() => unreachable!("the queues are served as long as the process lives"),
        }
    };
    Mortal { act: Box::pin(whole), polls: dies_after }.await
}
